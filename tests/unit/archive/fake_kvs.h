/* SPDX-License-Identifier: MIT */
/*
 * fake_kvs: the kvs layer's functions over a service in memory, so that the
 * archive is driven with no network and no FUSE.  Included by world.h;
 * everything runs on the loop's thread, like the real one.
 */
#ifndef KVSFS_TESTS_FAKE_KVS_H
#define KVSFS_TESTS_FAKE_KVS_H

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "fs/base/base.h"
#include "fs/base/clock.h"
#include "fs/kvs/kvs.h"
#include "fs/net/loop.h"

#define FAKE_ARN "arn:aws:kinesisvideo:us-east-1:1:stream/front-door/1"

struct fake_fragment {
	char number[48];
	int64_t producer_ms, server_ms, length_ms, size_bytes;
	int payload_bytes; /* of its one SimpleBlock */
};

/* How the service misbehaves and what it was asked; any thread, atomics. */
struct fake {
	pthread_mutex_t lock;
	GArray *fragments; /* guarded by lock */
	_Atomic int lists, medias, numbers_asked;
	_Atomic int list_rc, media_rc, describe_rc;
	_Atomic int list_delay_ms;
	_Atomic bool answers;	  /* if slowly */
	_Atomic int fail_medias;  /* so many calls get media_rc */
	_Atomic int not_found;	  /* so many documents say so */
	_Atomic int missing;	  /* so many documents are left out */
	_Atomic int cut;	  /* so many bodies end early */
	_Atomic int breaks;	  /* so many bodies break off with an error */
	_Atomic int internal;	  /* so many documents say error 5000 */
	_Atomic int nameless;	  /* so many documents say no number */
	_Atomic int endless;	  /* a body's last block comes for ever */
	_Atomic int open_medias;  /* calls under way */
	_Atomic int64_t ahead_ms; /* what is wrong with our idea of its time */
	_Atomic int hold_media;	  /* bodies stop half way */
	_Atomic int refuse_batches; /* calls with several numbers: -EIO */
	_Atomic int empty_pages;
	_Atomic int64_t retention_ms;
	_Atomic int page_rows;
	_Atomic int fail_lists_after; /* so many: then -EACCES; 0: never */
	_Atomic int open_lists, most_lists; /* calls under way; at a time */
};
static struct fake fake;

struct kvs_client {
	struct net_loop *loop;
	const struct clock *clock;
};

struct kvs_call {
	struct kvs_client *c;
	struct net_timer *timer;
	void *user;
	kvs_streams_fn streams_fn;
	kvs_page_fn page_fn;
	struct kvs_list_query q;
	char *token;
	struct kvs_media_ops media;
	GByteArray *body;
	size_t sent, again_at; /* after the end goes on there; 0: it ends */
	GPtrArray *numbers;
	int rc, end_rc;
};

static void call_free(struct kvs_call *call)
{
	if (call->numbers)
		atomic_fetch_sub(&fake.open_medias, 1);
	if (call->page_fn)
		atomic_fetch_sub(&fake.open_lists, 1);
	g_free(call->token);
	g_clear_pointer(&call->body, g_byte_array_unref);
	g_clear_pointer(&call->numbers, g_ptr_array_unref);
	g_free(call);
}

void kvs_call_cancel(struct kvs_call *call)
{
	if (call->timer)
		net_timer_cancel(call->timer);
	call_free(call);
}

int kvs_client_new(struct net_loop *loop, const struct aws_settings *settings,
		   const struct clock *clock, uint32_t (*random)(void),
		   struct kvs_client **ret_client)
{
	*ret_client = g_new0(struct kvs_client, 1);
	(*ret_client)->loop = loop;
	(*ret_client)->clock = clock;
	return 0;
}

void kvs_client_free(struct kvs_client *c)
{
	g_free(c);
}

int64_t kvs_now_ms(const struct kvs_client *c)
{
	return clock_realtime_ms(c->clock) + atomic_load(&fake.ahead_ms);
}

int64_t kvs_silent_ms(const struct kvs_client *c)
{
	return atomic_load(&fake.answers) ? 0 : INT64_MAX;
}

void kvs_stream_info_free(struct kvs_stream_info *s)
{
	g_free(s->name);
	g_free(s->arn);
	g_free(s);
}

static struct kvs_error fake_error(int rc)
{
	return (struct kvs_error){.rc = rc,
				  .http_status = rc ? 400 : 200,
				  .name = rc ? "FakeException" : "",
				  .request_id = "req-1",
				  .message = rc ? "the fake said no" : "ok"};
}

static void list_now(void *arg);

static struct kvs_call *call_new(struct kvs_client *c, void *user,
				 void (*fn)(void *))
{
	struct kvs_call *call = g_new0(struct kvs_call, 1);

	call->c = c;
	call->user = user;
	call->timer = net_timer_start(
		c->loop, fn == list_now ? atomic_load(&fake.list_delay_ms) : 0,
		fn, call);
	return call;
}

static void describe_now(void *arg)
{
	struct kvs_call *call = arg;
	struct kvs_error e = fake_error(atomic_load(&fake.describe_rc));
	g_autoptr(GPtrArray) streams = g_ptr_array_new_with_free_func(
		(GDestroyNotify)kvs_stream_info_free);
	struct kvs_stream_info *s = g_new0(struct kvs_stream_info, 1);

	call->timer = NULL;
	s->name = g_strdup("front-door");
	s->arn = g_strdup(FAKE_ARN);
	s->created_ms = 1;
	s->retention_ms = atomic_load(&fake.retention_ms);
	s->active = true;
	g_ptr_array_add(streams, s);
	call->streams_fn(call->user, &e, e.rc ? NULL : streams);
	call_free(call);
}

struct kvs_call *kvs_describe_stream(struct kvs_client *c,
				     const char *name_or_arn,
				     int64_t deadline_ms, kvs_streams_fn fn,
				     void *user)
{
	struct kvs_call *call = call_new(c, user, describe_now);

	call->streams_fn = fn;
	return call;
}

struct kvs_call *kvs_list_streams(struct kvs_client *c, const char *prefix,
				  int64_t deadline_ms, kvs_streams_fn fn,
				  void *user)
{
	return kvs_describe_stream(c, "", deadline_ms, fn, user);
}

/* ---- ListFragments ------------------------------------------------------ */

static bool in_query(const struct kvs_list_query *q,
		     const struct fake_fragment *f)
{
	int64_t t = q->axis == KVS_SERVER_TIME ? f->server_ms : f->producer_ms;

	return t >= q->start_ms && t <= q->end_ms;
}

static void list_now(void *arg)
{
	struct kvs_call *call = arg;
	struct kvs_error e = fake_error(atomic_load(&fake.list_rc));
	g_autoptr(GArray)
		page = g_array_new(FALSE, TRUE, sizeof(struct kvs_fragment));
	guint from = call->token ? (guint)atoi(call->token) : 0, i = from;
	guint rows = (guint)MIN(call->q.max_results,
				atomic_load(&fake.page_rows));
	g_autofree char *next = NULL;

	call->timer = NULL;
	atomic_fetch_add(&fake.lists, 1);
	if (atomic_load(&fake.fail_lists_after) > 0 &&
	    atomic_fetch_sub(&fake.fail_lists_after, 1) == 1) {
		atomic_store(&fake.fail_lists_after, 1);
		e = fake_error(-EACCES);
	}
	if (e.rc) {
		call->page_fn(call->user, &e, NULL, 0, NULL);
		call_free(call);
		return;
	}
	pthread_mutex_lock(&fake.lock);
	if (atomic_load(&fake.empty_pages) > 0) {
		atomic_fetch_sub(&fake.empty_pages, 1);
		next = g_strdup_printf("%u.%d", from,
				       atomic_load(&fake.empty_pages));
	}
	for (; !next && i < fake.fragments->len; i++) {
		const struct fake_fragment *f =
			&g_array_index(fake.fragments, struct fake_fragment, i);
		struct kvs_fragment k = {.producer_ms = f->producer_ms,
					 .server_ms = f->server_ms,
					 .length_ms = f->length_ms,
					 .size_bytes = f->size_bytes};

		if (!in_query(&call->q, f))
			continue;
		if (page->len == rows) {
			next = g_strdup_printf("%u", i);
			break;
		}
		g_strlcpy(k.number, f->number, sizeof(k.number));
		g_array_append_val(page, k);
	}
	pthread_mutex_unlock(&fake.lock);
	call->page_fn(call->user, &e, (struct kvs_fragment *)(void *)page->data,
		      page->len, next);
	call_free(call);
}

struct kvs_call *kvs_list_fragments(struct kvs_client *c,
				    const struct kvs_list_query *q,
				    int64_t deadline_ms, kvs_page_fn fn,
				    void *user)
{
	struct kvs_call *call = call_new(c, user, list_now);
	int open = atomic_fetch_add(&fake.open_lists, 1) + 1;

	if (open > atomic_load(&fake.most_lists))
		atomic_store(&fake.most_lists, open);
	call->page_fn = fn;
	call->q = *q;
	call->token = g_strdup(q->next_token);
	return call;
}

/* ---- GetMediaForFragmentList -------------------------------------------- */

static void put_size(GByteArray *b, uint32_t n)
{
	uint8_t s[4] = {(uint8_t)(0x10 | n >> 24), (uint8_t)(n >> 16),
			(uint8_t)(n >> 8), (uint8_t)n};

	g_byte_array_append(b, s, 4);
}

static void put_element(GByteArray *b, const char *id, guint id_bytes,
			const void *data, guint n)
{
	g_byte_array_append(b, (const guint8 *)id, id_bytes);
	put_size(b, n);
	if (data)
		g_byte_array_append(b, data, n);
}

static void put_tag(GByteArray *b, const char *name, const char *value)
{
	g_autoptr(GByteArray) simple = g_byte_array_new();
	g_autoptr(GByteArray) tag = g_byte_array_new();

	put_element(simple, "\x45\xA3", 2, name, (guint)strlen(name));
	put_element(simple, "\x44\x87", 2, value, (guint)strlen(value));
	put_element(tag, "\x67\xC8", 2, simple->data, simple->len);
	put_element(b, "\x73\x73", 2, tag->data, tag->len);
}

/*
 * The bytes the service sends for one fragment; content differs for each.
 * error: an in-band one instead of it; 0: none; -1: content without a number.
 */
static GByteArray *fake_document_as(const struct fake_fragment *f, int error)
{
	g_autofree char *id = g_strdup_printf("%d", error);
	GByteArray *b = g_byte_array_new();
	g_autoptr(GByteArray) tags = g_byte_array_new();
	g_autoptr(GByteArray) cluster = g_byte_array_new();
	g_autofree uint8_t *block = g_malloc0((gsize)f->payload_bytes + 4);

	put_element(b, "\x1A\x45\xDF\xA3", 4, "\x42\x82\x88matroska", 11);
	g_byte_array_append(b,
			    (const guint8 *)"\x18\x53\x80\x67\x01\xFF\xFF\xFF"
					    "\xFF\xFF\xFF\xFF",
			    12);
	if (error >= 0)
		put_tag(tags, "AWS_KINESISVIDEO_FRAGMENT_NUMBER", f->number);
	if (error > 0) {
		put_tag(tags, "AWS_KINESISVIDEO_ERROR_CODE",
			error == 3000 ? "FRAGMENT_NOT_FOUND" : "INTERNAL");
		put_tag(tags, "AWS_KINESISVIDEO_ERROR_ID", id);
	}
	put_element(b, "\x12\x54\xC3\x67", 4, tags->data, tags->len);
	if (error > 0)
		return b;
	put_element(cluster, "\xE7", 1, "\x00", 1);
	block[0] = 0x81;
	for (int i = 0; i < f->payload_bytes; i++)
		block[4 + i] = (uint8_t)(f->number[15 + i % 18] + i / 251);
	put_element(cluster, "\xA3", 1, block, (guint)f->payload_bytes + 4);
	if (atomic_load(&fake.endless)) /* of unknown size */
		g_byte_array_append(b,
				    (const guint8 *)"\x1F\x43\xB6\x75\x01\xFF"
						    "\xFF\xFF\xFF\xFF\xFF\xFF",
				    12);
	else
		put_element(b, "\x1F\x43\xB6\x75", 4, NULL, cluster->len);
	g_byte_array_append(b, cluster->data, cluster->len);
	return b;
}

static GByteArray *fake_document(const struct fake_fragment *f)
{
	return fake_document_as(f, 0);
}

static bool take_one(_Atomic int *knob)
{
	return atomic_load(knob) > 0 && atomic_fetch_sub(knob, 1) > 0;
}

static int next_error(void)
{
	if (take_one(&fake.not_found))
		return 3000;
	if (take_one(&fake.internal))
		return 5000;
	return take_one(&fake.nameless) ? -1 : 0;
}

static void build_body(struct kvs_call *call)
{
	call->body = g_byte_array_new();
	pthread_mutex_lock(&fake.lock);
	/* Backwards: the order of the answer is nobody's promise. */
	for (guint n = call->numbers->len; n-- > 0;) {
		for (guint i = 0; i < fake.fragments->len; i++) {
			const struct fake_fragment *f = &g_array_index(
				fake.fragments, struct fake_fragment, i);
			g_autoptr(GByteArray) doc = NULL;

			if (strcmp(f->number, call->numbers->pdata[n]) != 0)
				continue;
			if (take_one(&fake.missing))
				continue;
			doc = fake_document_as(f, next_error());
			if (atomic_load(&fake.endless))
				call->again_at = call->body->len + doc->len -
						 (gsize)f->payload_bytes - 9;
			g_byte_array_append(call->body, doc->data, doc->len);
		}
	}
	pthread_mutex_unlock(&fake.lock);
	if (take_one(&fake.cut))
		g_byte_array_set_size(call->body, call->body->len * 2 / 3);
	if (take_one(&fake.breaks)) {
		g_byte_array_set_size(call->body, call->body->len * 2 / 3);
		call->end_rc = -ETIMEDOUT;
	}
}

static void media_now(void *arg)
{
	struct kvs_call *call = arg;
	struct kvs_error e = fake_error(call->rc);
	size_t n;

	call->timer = NULL;
	if (!call->rc && !call->body)
		build_body(call);
	if (!call->rc && call->sent < call->body->len) {
		n = MIN(call->body->len - call->sent, 65536);
		if (atomic_load(&fake.hold_media) &&
		    call->sent + n > call->body->len / 2) {
			call->timer = net_timer_start(call->c->loop, 1,
						      media_now, call);
			return;
		}
		call->rc = call->media.body(call->user,
					    call->body->data + call->sent, n);
		call->sent += n;
		if (call->sent == call->body->len && call->again_at)
			call->sent = call->again_at;
		call->timer = net_timer_start(call->c->loop, 0, media_now,
					      call);
		return;
	}
	if (!call->rc)
		e = fake_error(call->end_rc);
	call->media.done(call->user, &e);
	call_free(call);
}

struct kvs_call *kvs_get_media(struct kvs_client *c, const char *arn,
			       const char *const *numbers, size_t n,
			       int64_t deadline_ms,
			       const struct kvs_media_ops *ops, void *user)
{
	struct kvs_call *call = call_new(c, user, media_now);

	call->media = *ops;
	call->numbers = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(call->numbers, g_strdup(numbers[i]));
	atomic_fetch_add(&fake.open_medias, 1);
	atomic_fetch_add(&fake.medias, 1);
	atomic_fetch_add(&fake.numbers_asked, (int)n);
	if (atomic_load(&fake.fail_medias) > 0) {
		atomic_fetch_sub(&fake.fail_medias, 1);
		call->rc = atomic_load(&fake.media_rc);
	} else if (n > 1 && atomic_load(&fake.refuse_batches)) {
		call->rc = -EIO;
	}
	return call;
}

#endif
