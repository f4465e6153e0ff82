/* SPDX-License-Identifier: MIT */
/*
 * service: a client, and a server that answers it from a script: request i gets
 * reply i, and the last reply goes on for ever.
 */
#ifndef KVSFS_TESTS_SERVICE_H
#define KVSFS_TESTS_SERVICE_H

#include "fs/aws/settings.h"
#include "fs/kvs/kvs.h"
#include "fs/net/loop.h"
#include "tests/unit/net/loopback.h"

#include <errno.h>
#include <glib/gstdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define ARN    "arn:aws:kinesisvideo:us-west-2:123456789012:stream/door/1"
#define NUMBER "91343852333181432392682062607743920146159169392"

enum oddity {
	PLAIN,
	CLOSE,	/* before an answer */
	HANG,	/* no answer */
	SHORT,	/* half of the body, then the end of the connection */
	STALLED /* half of the body, then nothing */
};

struct reply {
	const char *status;
	const char *body; /* @PORT@: the server's; @DEAD@: where nobody is */
	const char *headers;
	enum oddity oddity;
};

#define OK(body)                          \
	{                                 \
		"200 OK", body, "", PLAIN \
	}
#define ENDPOINT OK("{\"DataEndpoint\":\"http://127.0.0.1:@PORT@\"}")
/* On a kept connection that breaks curl itself tries once more. */
#define LAST_ENDPOINT                                                       \
	{                                                                   \
		"200 OK", "{\"DataEndpoint\":\"http://127.0.0.1:@PORT@\"}", \
			"Connection: close\r\n", PLAIN                      \
	}
#define ERROR(status, name)                               \
	{                                                 \
		status, "{\"Message\":\"said so\"}",      \
			"x-amzn-ErrorType: " name         \
			"\r\nx-amzn-RequestId: id-1\r\n", \
			PLAIN                             \
	}
#define THROTTLED ERROR("400 Bad Request", "ClientLimitExceededException")

struct seen {
	char *path, *body, *head;
};

struct service {
	struct loopback *server;
	struct net_loop *loop;
	struct kvs_client *client;
	struct aws_settings settings;
	struct clock clock;
	int64_t skew_ms; /* of the client's clock */
	int dead_port;
	const struct reply *replies;
	size_t n_replies;
	/* Instead of the script, where it says something. */
	const struct reply *(*choose)(struct service *s,
				      const struct loopback_request *r);
	GPtrArray *seen; /* struct seen; server->lock */
};

static inline int64_t service_realtime_ms(void *user)
{
	const struct service *s = user;

	return clock_realtime_ms(&clock_system) + s->skew_ms;
}

static inline int64_t service_monotonic_ms(void *user)
{
	return clock_monotonic_ms(&clock_system);
}

static inline uint32_t service_random(void)
{
	return 0; /* the shortest delay: 50 ms */
}

static inline char *service_fill(const struct service *s, const char *text)
{
	g_autofree char *port = g_strdup_printf("%d", s->server->port);
	g_autofree char *dead = g_strdup_printf("%d", s->dead_port);
	g_auto(GStrv) a = g_strsplit(text, "@PORT@", -1);
	g_autofree char *b = g_strjoinv(port, a);
	g_auto(GStrv) c = g_strsplit(b, "@DEAD@", -1);

	return g_strjoinv(dead, c);
}

static inline bool service_reply(struct service *s, int fd,
				 const struct reply *r)
{
	g_autofree char *body = service_fill(s, r->body);

	if (r->oddity == HANG)
		loopback_hang(s->server);
	if (r->oddity == CLOSE || r->oddity == HANG)
		return false;
	loopback_printf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n",
			r->status, strlen(body), r->headers);
	if (r->oddity == PLAIN)
		return loopback_send(fd, body, strlen(body));
	loopback_send(fd, body, strlen(body) / 2);
	if (r->oddity == STALLED)
		loopback_hang(s->server);
	return false;
}

static inline bool service_handle(struct loopback *l,
				  const struct loopback_request *r)
{
	struct service *s = l->user;
	const struct reply *reply = NULL;
	struct seen *seen = g_new(struct seen, 1);

	*seen = (struct seen){g_strdup(r->path), g_strdup(r->body),
			      g_strdup(r->head)};
	pthread_mutex_lock(&l->lock);
	g_ptr_array_add(s->seen, seen);
	pthread_mutex_unlock(&l->lock);
	if (s->choose)
		reply = s->choose(s, r);
	if (!reply)
		reply = &s->replies[MIN(r->number, s->n_replies - 1)];
	return service_reply(s, r->fd, reply);
}

static inline void service_seen_free(void *p)
{
	struct seen *seen = p;

	g_free(seen->path);
	g_free(seen->body);
	g_free(seen->head);
	g_free(seen);
}

static inline char **service_environ(const char *const *pairs)
{
	char **e = g_new0(char *, 1);

	for (; pairs && *pairs; pairs += 2)
		e = g_environ_setenv(e, pairs[0], pairs[1], TRUE);
	return e;
}

/* Change s->settings, s->choose, s->skew_ms in between. */
static inline void service_prepare(struct service *s,
				   const struct reply *replies, size_t n)
{
	static const char *const keys[] = {
		"AWS_ACCESS_KEY_ID", "AKID", "AWS_SECRET_ACCESS_KEY", "secret",
		/* So that the tester's own are not read. */
		"HOME", "/nonexistent", NULL};

	*s = (struct service){.replies = replies, .n_replies = n};
	s->clock = (struct clock){service_realtime_ms, service_monotonic_ms, s};
	s->seen = g_ptr_array_new_with_free_func(service_seen_free);
	s->dead_port = loopback_dead_port();
	s->server = loopback_new(service_handle, s);
	s->settings = (struct aws_settings){
		.environ = service_environ(keys),
		.profile = g_strdup("default"),
		.region = g_strdup("us-west-2"),
		.control_url = g_strdup_printf("http://127.0.0.1:%d",
					       s->server->port),
	};
}

static inline void service_start(struct service *s)
{
	struct net_loop_options o = {.user_agent = "kvsfs/test"};

	assert_int_equal(net_loop_new(&o, &s->loop), 0);
	assert_int_equal(kvs_client_new(s->loop, &s->settings, &s->clock,
					service_random, &s->client),
			 0);
}

static inline void service_stop_loop(struct service *s)
{
	net_loop_stop(s->loop);
}

static inline void service_release(struct service *s)
{
	net_loop_stop(s->loop);
	kvs_client_free(s->client);
	net_loop_free(s->loop);
	loopback_free(s->server);
	g_ptr_array_unref(s->seen);
	g_strfreev(s->settings.environ);
	g_free(s->settings.profile);
	g_free(s->settings.region);
	g_free(s->settings.control_url);
	g_free(s->settings.data_url);
}

#define SERVICE(s, replies)                                         \
	do {                                                        \
		service_prepare(s, replies, G_N_ELEMENTS(replies)); \
		service_start(s);                                   \
	} while (0)

/* The i-th request; once all is quiet. */
static inline const struct seen *service_seen(struct service *s, guint i)
{
	assert_true(i < s->seen->len);
	return g_ptr_array_index(s->seen, i);
}

/* Requests to path so far. */
static inline unsigned service_count(struct service *s, const char *path)
{
	unsigned n = 0;

	pthread_mutex_lock(&s->server->lock);
	for (guint i = 0; i < s->seen->len; i++) {
		const struct seen *seen = g_ptr_array_index(s->seen, i);

		n += !strcmp(seen->path, path);
	}
	pthread_mutex_unlock(&s->server->lock);
	return n;
}

#endif
