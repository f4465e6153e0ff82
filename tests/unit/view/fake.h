/* SPDX-License-Identifier: MIT */
/*
 * fake: an archive and a catalog in an array, in place of the real ones (the
 * linker takes nothing from a library that is already there).  Questions are
 * answered at once, or kept in `asked` until answer() where `later` is set.
 */
#ifndef KVSFS_TEST_VIEW_FAKE_H
#define KVSFS_TEST_VIEW_FAKE_H

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "cache/catalog_movie.h"
#include "cache/store.h"
#include "fs/archive/archive.h"

enum question {
	Q_NONE,
	Q_STREAMS,
	Q_LIST,
	Q_SURVEY,
	Q_CALIBRATE
};

struct fake_range {
	int64_t start_ms, end_ms;
};

static struct {
	GPtrArray *streams;
	bool pattern;
	GArray *rows;  /* struct fragment, by time and id */
	GArray *known; /* struct fake_range: listed and over */
	int64_t now_ms;
	int64_t slack_bytes; /* -1: not calibrated */
	int page_rc;	     /* < 0: catalog_page fails with it */
	bool trimmed;	     /* nothing is known any more */

	/* what was asked */
	unsigned n_streams, n_list, n_survey, n_calibrate, n_show, n_show_one;
	int64_t start_ms, end_ms, bucket_ms;
	unsigned n_pages;

	/* movies: by row id */
	GHashTable *marks;   /* struct fake_mark */
	GHashTable *formats; /* id -> GBytes */
	unsigned n_whole;
	int whole_rc;

	/* what happens when it is */
	void (*on_list)(void);
	void (*on_streams)(void);
	int rc;
	bool later;
	archive_fn fn;
	void *user;
	enum question asked;
} fake;

struct fake_mark {
	int64_t id;
	enum catalog_verdict verdict;
	int64_t format;
};

static inline void fake_stream_free(void *p)
{
	struct archive_stream *s = p;

	g_free(s->name);
	g_free(s->arn);
	g_free(s);
}

static inline void fake_add_stream(uint32_t id, const char *name,
				   int64_t created_ms, int64_t retention_ms)
{
	struct archive_stream *s = g_new0(struct archive_stream, 1);

	s->id = id;
	s->name = g_strdup(name);
	s->arn = g_strdup_printf("arn:aws:kinesisvideo:eu-west-1:"
				 "111122223333:stream/%s/1",
				 name);
	s->created_ms = created_ms;
	s->retention_ms = retention_ms;
	g_ptr_array_add(fake.streams, s);
}

static inline void fake_begin(bool pattern)
{
	memset(&fake, 0, sizeof(fake));
	fake.pattern = pattern;
	fake.streams = g_ptr_array_new_with_free_func(fake_stream_free);
	fake.rows = g_array_new(FALSE, TRUE, sizeof(struct fragment));
	fake.known = g_array_new(FALSE, TRUE, sizeof(struct fake_range));
	fake.slack_bytes = 4096;
	fake.marks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					   g_free);
	fake.formats = g_hash_table_new_full(g_int64_hash, g_int64_equal,
					     g_free,
					     (GDestroyNotify)g_bytes_unref);
}

static inline void fake_end(void)
{
	g_hash_table_unref(fake.marks);
	g_hash_table_unref(fake.formats);
	g_ptr_array_unref(fake.streams);
	g_array_unref(fake.rows);
	g_array_unref(fake.known);
}

static inline int fake_by_time(const void *a, const void *b)
{
	const struct fragment *x = a, *y = b;

	if (x->producer_ms != y->producer_ms)
		return x->producer_ms < y->producer_ms ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static inline void fake_add(int64_t id, int64_t t_ms, const char *number)
{
	struct fragment f = {.id = id,
			     .stream = 1,
			     .producer_ms = t_ms,
			     .server_ms = t_ms + 7,
			     .length_ms = 1960,
			     .size_bytes = 1000,
			     .payload_bytes = -1};

	g_strlcpy(f.number, number, sizeof(f.number));
	g_array_append_val(fake.rows, f);
	g_array_sort(fake.rows, fake_by_time);
}

static inline void fake_know(int64_t start_ms, int64_t end_ms)
{
	struct fake_range r = {start_ms, end_ms};

	g_array_append_val(fake.known, r);
}

static inline bool fake_known(int64_t start_ms, int64_t end_ms)
{
	for (guint i = 0; i < fake.known->len; i++) {
		struct fake_range *r = &g_array_index(fake.known,
						      struct fake_range, i);

		if (r->start_ms <= start_ms && r->end_ms >= end_ms)
			return true;
	}
	return false;
}

static inline struct fragment *fake_row(guint i)
{
	return &g_array_index(fake.rows, struct fragment, i);
}

static inline void fake_give(struct fragment *out, const struct fragment *row)
{
	*out = *row;
	if (!row->shown)
		out->file_bytes = fake.slack_bytes < 0
					  ? -1
					  : row->size_bytes + fake.slack_bytes;
}

static inline void fake_ask(enum question q, archive_fn fn, void *user)
{
	if (fake.later) {
		assert_int_equal(fake.asked, Q_NONE);
		fake.asked = q;
		fake.fn = fn;
		fake.user = user;
	} else {
		fn(user, fake.rc);
	}
}

static inline void fake_answer(int rc)
{
	archive_fn fn = fake.fn;

	assert_non_null(fn);
	fake.fn = NULL;
	fake.asked = Q_NONE;
	fn(fake.user, rc);
}

/* ---- archive ------------------------------------------------------------ */

int64_t archive_now_ms(const struct archive *a)
{
	return fake.now_ms;
}

struct catalog *archive_catalog(struct archive *a)
{
	return NULL;
}

bool archive_is_pattern(const struct archive *a)
{
	return fake.pattern;
}

GPtrArray *archive_streams(struct archive *a)
{
	return g_ptr_array_ref(fake.streams);
}

const struct archive_stream *archive_stream_by_id(struct archive *a,
						  uint32_t id,
						  GPtrArray **ret_streams)
{
	for (guint i = 0; i < fake.streams->len; i++) {
		const struct archive_stream *s = fake.streams->pdata[i];

		if (s->id != id)
			continue;
		*ret_streams = g_ptr_array_ref(fake.streams);
		return s;
	}
	return NULL;
}

int64_t archive_alive_ms(struct archive *a, const struct archive_stream *s)
{
	return fake.now_ms - s->retention_ms;
}

void archive_window(struct archive *a, const struct archive_stream *s,
		    int64_t *ret_start_ms, int64_t *ret_end_ms)
{
	*ret_start_ms = MAX(s->created_ms, fake.now_ms - s->retention_ms);
	*ret_end_ms = fake.now_ms + 1;
}

enum archive_state archive_state(struct archive *a,
				 const struct archive_stream *s,
				 int64_t start_ms, int64_t end_ms)
{
	for (guint i = 0; i < fake.rows->len; i++) {
		const struct fragment *f = fake_row(i);

		if (f->stream == s->id && f->producer_ms >= start_ms &&
		    f->producer_ms < end_ms &&
		    f->server_ms >= archive_alive_ms(a, s))
			return ARCHIVE_HOLDS;
	}
	return fake_known(start_ms, end_ms) ? ARCHIVE_EMPTY : ARCHIVE_UNKNOWN;
}

bool archive_settled(struct archive *a, uint32_t stream, int64_t start_ms,
		     int64_t end_ms)
{
	return end_ms + CATALOG_SETTLE_MS <= fake.now_ms &&
	       fake_known(start_ms, end_ms);
}

void archive_refresh_streams(struct archive *a, archive_ticket t, archive_fn fn,
			     void *user)
{
	fake.n_streams++;
	if (fake.on_streams)
		fake.on_streams();
	fake_ask(Q_STREAMS, fn, user);
}

void archive_list(struct archive *a, archive_ticket t, uint32_t stream,
		  int64_t start_ms, int64_t end_ms, enum archive_list_how how,
		  archive_fn fn, void *user)
{
	fake.n_list++;
	fake.start_ms = start_ms;
	fake.end_ms = end_ms;
	if (fake.on_list)
		fake.on_list();
	fake_ask(Q_LIST, fn, user);
}

void archive_survey(struct archive *a, archive_ticket t, uint32_t stream,
		    int64_t start_ms, int64_t end_ms, int64_t bucket_ms,
		    archive_fn fn, void *user)
{
	fake.n_survey++;
	fake.start_ms = start_ms;
	fake.end_ms = end_ms;
	fake.bucket_ms = bucket_ms;
	fake_ask(Q_SURVEY, fn, user);
}

void archive_calibrate(struct archive *a, archive_ticket t, int64_t fragment,
		       archive_fn fn, void *user)
{
	fake.n_calibrate++;
	if (fake.rc == 0)
		fake.slack_bytes = 4096;
	fake_ask(Q_CALIBRATE, fn, user);
}

void archive_read(struct archive *a, archive_ticket t, int64_t fragment,
		  int64_t offset, size_t n, archive_read_fn fn, void *user)
{
	struct archive_piece p = {.fd = -1, .offset = offset, .n = n};

	fn(user, (int)fragment, &p, 1);
}

void archive_whole(struct archive *a, archive_ticket t, int64_t fragment,
		   archive_chunk_fn fn, void *user)
{
	fake.n_whole++;
	fn(user, fake.whole_rc, NULL);
}

struct store_chunk *store_chunk_ref(struct store_chunk *c)
{
	return c;
}

void store_chunk_unref(struct store_chunk *c)
{
}

int store_chunk_fd(const struct store_chunk *c)
{
	return -1;
}

int64_t store_chunk_size(const struct store_chunk *c)
{
	return 0;
}

const uint8_t *store_chunk_map(struct store_chunk *c)
{
	return NULL;
}

int archive_pin(struct archive *a, int64_t fragment,
		struct store_chunk **ret_chunk)
{
	return -ENOENT;
}

void archive_touch(struct archive *a, int64_t fragment)
{
}

bool archive_cached(struct archive *a, const struct fragment *f)
{
	return f->payload_bytes >= 0;
}

/* ---- catalog ------------------------------------------------------------ */

int catalog_stream_get(struct catalog *c, uint32_t stream,
		       struct catalog_stream *ret_stream)
{
	*ret_stream = (struct catalog_stream){.id = stream};
	for (guint i = 0; i < fake.rows->len; i++) {
		if (fake_row(i)->stream != stream)
			continue;
		ret_stream->fragments++;
		ret_stream->total_bytes += fake_row(i)->size_bytes;
	}
	return 0;
}

void catalog_stream_release(struct catalog_stream *s)
{
}

int catalog_fragment_get(struct catalog *c, int64_t id,
			 struct fragment *ret_fragment)
{
	for (guint i = 0; i < fake.rows->len; i++) {
		if (fake_row(i)->id != id)
			continue;
		fake_give(ret_fragment, fake_row(i));
		return 0;
	}
	return -ENOENT;
}

int catalog_fragment_find(struct catalog *c, uint32_t stream,
			  const char *number, struct fragment *ret_fragment)
{
	for (guint i = 0; i < fake.rows->len; i++) {
		if (fake_row(i)->stream != stream ||
		    strcmp(fake_row(i)->number, number) != 0)
			continue;
		fake_give(ret_fragment, fake_row(i));
		return 0;
	}
	return -ENOENT;
}

int catalog_knowledge(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      enum catalog_knowledge *ret_knowledge)
{
	*ret_knowledge = fake.trimmed ? CATALOG_UNKNOWN : CATALOG_KNOWN;
	return 0;
}

void catalog_touch(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		   int64_t start_ms, int64_t end_ms)
{
}

int catalog_page(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		 int64_t after_ms, int64_t after_id, struct fragment *out,
		 size_t max)
{
	guint low = 0, high = fake.rows->len;
	size_t n = 0;

	fake.n_pages++;
	if (fake.page_rc < 0)
		return fake.page_rc;
	while (low < high) { /* the first after the cursor */
		guint mid = (low + high) / 2;
		const struct fragment *f = fake_row(mid);

		if (f->producer_ms > after_ms ||
		    (f->producer_ms == after_ms && f->id > after_id))
			high = mid;
		else
			low = mid + 1;
	}
	for (guint i = low; i < fake.rows->len && n < max; i++) {
		const struct fragment *f = fake_row(i);

		if (f->stream == stream && f->producer_ms >= start_ms &&
		    f->producer_ms < end_ms && f->server_ms >= alive_ms)
			fake_give(&out[n++], f);
	}
	return (int)n;
}

int catalog_span(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		 int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		 int64_t *ret_first_ms, int64_t *ret_last_ms)
{
	bool any = false;

	for (guint i = 0; i < fake.rows->len; i++) {
		const struct fragment *f = fake_row(i);

		if (f->stream != stream || f->producer_ms < start_ms ||
		    f->producer_ms >= end_ms || f->server_ms < alive_ms)
			continue;
		if (!any)
			*ret_first_ms = f->producer_ms;
		*ret_last_ms = f->producer_ms;
		any = true;
	}
	return any ? 0 : -ENOENT;
}

int catalog_next_time(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      int64_t alive_ms, int64_t *ret_ms)
{
	int64_t last_ms;

	return catalog_span(c, stream, axis, start_ms, end_ms, alive_ms, ret_ms,
			    &last_ms);
}

void catalog_show(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		  int64_t start_ms, int64_t end_ms, int64_t slack_bytes)
{
	fake.n_show++;
	for (guint i = 0; i < fake.rows->len; i++) {
		struct fragment *f = fake_row(i);

		if (f->stream != stream || f->producer_ms < start_ms ||
		    f->producer_ms >= end_ms)
			continue;
		f->file_bytes = f->size_bytes + slack_bytes;
		f->shown = true;
	}
}

void catalog_show_one(struct catalog *c, const struct fragment *f)
{
	fake.n_show_one++;
}

/* ---- catalog: movies ---------------------------------------------------- */

int catalog_last_id(struct catalog *c, int64_t *ret_id)
{
	*ret_id = 0;
	for (guint i = 0; i < fake.rows->len; i++)
		*ret_id = MAX(*ret_id, fake_row(i)->id);
	return 0;
}

int catalog_slots(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		  int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		  int64_t max_id, struct catalog_slot **ret_slots,
		  size_t *ret_n)
{
	GArray *slots = g_array_new(FALSE, FALSE, sizeof(struct catalog_slot));

	for (guint i = 0; i < fake.rows->len; i++) {
		struct fragment f;
		struct catalog_slot s;
		const struct fake_mark *m;

		fake_give(&f, fake_row(i));
		if (f.stream != stream || f.producer_ms < start_ms ||
		    f.producer_ms >= end_ms || f.server_ms < alive_ms ||
		    f.id > max_id)
			continue;
		s = (struct catalog_slot){.id = f.id,
					  .t_ms = f.producer_ms,
					  .server_ms = f.server_ms,
					  .file_bytes = f.file_bytes,
					  .length_ms = (int32_t)f.length_ms,
					  .shown = f.shown};
		m = g_hash_table_lookup(fake.marks, &f.id);
		if (m) {
			s.verdict = (uint8_t)m->verdict;
			s.format = m->format;
		}
		g_array_append_val(slots, s);
	}
	*ret_n = slots->len;
	*ret_slots = (struct catalog_slot *)g_array_free(slots,
							 slots->len == 0);
	return 0;
}

int catalog_mark_get(struct catalog *c, int64_t id,
		     enum catalog_verdict *ret_verdict, int64_t *ret_format)
{
	const struct fake_mark *m = g_hash_table_lookup(fake.marks, &id);

	if (!m)
		return -ENOENT;
	*ret_verdict = m->verdict;
	*ret_format = m->format;
	return 0;
}

void catalog_mark(struct catalog *c, int64_t id, enum catalog_verdict verdict,
		  int64_t format, void (*done)(void *user, int rc), void *user)
{
	struct fake_mark *m = g_new(struct fake_mark, 1);

	*m = (struct fake_mark){id, verdict, format};
	g_hash_table_replace(fake.marks, &m->id, m);
	if (done)
		done(user, 0);
}

void catalog_put_format(struct catalog *c, uint32_t stream, int64_t format,
			const void *bytes, size_t n,
			void (*done)(void *user, int rc), void *user)
{
	g_hash_table_replace(fake.formats, g_memdup2(&format, sizeof(format)),
			     g_bytes_new(bytes, n));
}

int catalog_format_get(struct catalog *c, uint32_t stream, int64_t format,
		       void **ret_bytes, size_t *ret_n)
{
	GBytes *bytes = g_hash_table_lookup(fake.formats, &format);

	if (!bytes)
		return -ENOENT;
	*ret_bytes = g_memdup2(g_bytes_get_data(bytes, NULL),
			       g_bytes_get_size(bytes));
	*ret_n = g_bytes_get_size(bytes);
	return 0;
}

#endif
