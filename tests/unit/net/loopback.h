/* SPDX-License-Identifier: MIT */
/*
 * loopback: an HTTP/1.1 server on 127.0.0.1 that does what the test says, byte
 * by byte, so that it can misbehave.  A thread accepts, one more serves each
 * connection; a handler writes the answer and says whether to go on with the
 * connection.
 */
#ifndef KVSFS_TESTS_LOOPBACK_H
#define KVSFS_TESTS_LOOPBACK_H

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct loopback;

struct loopback_request {
	int fd;
	unsigned connection; /* from 0 */
	unsigned number;     /* of all requests, from 0 */
	const char *head;    /* request line and headers */
	const char *path;
	const char *body;
};

/* true: keep the connection. */
typedef bool (*loopback_fn)(struct loopback *s,
			    const struct loopback_request *r);

struct loopback {
	loopback_fn handle;
	void *user;
	int port;
	int fd;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	GArray *threads;		/* pthread_t; lock */
	GArray *fds;			/* int; lock */
	bool stopped;			/* lock */
	unsigned connections, requests; /* lock */
};

struct loopback_connection {
	struct loopback *server;
	int fd;
	unsigned number;
};

static inline bool loopback_send(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

G_GNUC_PRINTF(2, 3)
static inline bool loopback_printf(int fd, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return loopback_send(fd, text, strlen(text));
}

/* status like "200 OK"; headers "" or "Name: value\r\n..." */
static inline bool loopback_answer(int fd, const char *status,
				   const char *headers, const char *body)
{
	return loopback_printf(fd,
			       "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s",
			       status, strlen(body), headers, body);
}

/* Until the server is stopped: what a service that hangs does. */
static inline void loopback_hang(struct loopback *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->stopped)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static inline unsigned loopback_requests(struct loopback *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->requests;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static inline unsigned loopback_connections(struct loopback *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->connections;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Wait until n requests have come. */
static inline void loopback_wait(struct loopback *s, unsigned n)
{
	pthread_mutex_lock(&s->lock);
	while (s->requests < n)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static inline bool loopback_read(int fd, GString *in)
{
	char buffer[65536];
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n > 0)
		g_string_append_len(in, buffer, n);
	return n > 0;
}

static inline bool loopback_one(struct loopback_connection *c, GString *in)
{
	struct loopback_request r = {.fd = c->fd, .connection = c->number};
	g_autofree char *head = NULL;
	g_autofree char *path = NULL;
	g_autofree char *body = NULL;
	const char *end, *length;
	size_t head_len, body_len;
	bool more;

	while (!(end = strstr(in->str, "\r\n\r\n")))
		if (!loopback_read(c->fd, in))
			return false;
	head_len = (size_t)(end - in->str) + 4;
	head = g_strndup(in->str, head_len);
	length = strcasestr(head, "\nContent-Length:");
	body_len = length ? strtoul(length + 16, NULL, 10) : 0;
	while (in->len < head_len + body_len)
		if (!loopback_read(c->fd, in))
			return false;
	body = g_strndup(in->str + head_len, body_len);
	g_string_erase(in, 0, (gssize)(head_len + body_len));
	path = g_strndup(strchr(head, ' ') + 1,
			 strcspn(strchr(head, ' ') + 1, " "));
	r.head = head;
	r.path = path;
	r.body = body;
	pthread_mutex_lock(&c->server->lock);
	r.number = c->server->requests++;
	pthread_cond_broadcast(&c->server->changed);
	pthread_mutex_unlock(&c->server->lock);
	more = c->server->handle(c->server, &r);
	return more;
}

static inline void *loopback_serve(void *arg)
{
	struct loopback_connection *c = arg;
	GString *in = g_string_new(NULL);

	while (loopback_one(c, in))
		;
	/* The descriptor stays open until the end, so that its number is not
	   given to another connection. */
	shutdown(c->fd, SHUT_RDWR);
	g_string_free(in, TRUE);
	g_free(c);
	return NULL;
}

static inline void *loopback_accept(void *arg)
{
	struct loopback *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct loopback_connection *c =
			g_new(struct loopback_connection, 1);
		pthread_t thread;

		pthread_mutex_lock(&s->lock);
		*c = (struct loopback_connection){s, fd, s->connections++};
		g_array_append_val(s->fds, fd);
		pthread_create(&thread, NULL, loopback_serve, c);
		g_array_append_val(s->threads, thread);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static inline struct loopback *loopback_new(loopback_fn handle, void *user)
{
	struct loopback *s = g_new0(struct loopback, 1);
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);

	s->handle = handle;
	s->user = user;
	s->threads = g_array_new(FALSE, FALSE, sizeof(pthread_t));
	s->fds = g_array_new(FALSE, FALSE, sizeof(int));
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, n) ||
	    listen(s->fd, 256) || getsockname(s->fd, (struct sockaddr *)&a, &n))
		abort();
	s->port = ntohs(a.sin_port);
	pthread_create(&s->acceptor, NULL, loopback_accept, s);
	return s;
}

static inline void loopback_free(struct loopback *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->acceptor, NULL);
	for (guint i = 0; i < s->fds->len; i++)
		shutdown(g_array_index(s->fds, int, i), SHUT_RDWR);
	for (guint i = 0; i < s->threads->len; i++)
		pthread_join(g_array_index(s->threads, pthread_t, i), NULL);
	for (guint i = 0; i < s->fds->len; i++)
		close(g_array_index(s->fds, int, i));
	close(s->fd);
	g_array_unref(s->threads);
	g_array_unref(s->fds);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	g_free(s);
}

/* A port on which nobody listens. */
static inline int loopback_dead_port(void)
{
	struct loopback *s = loopback_new(NULL, NULL);
	int port = s->port;

	loopback_free(s);
	return port;
}

/* What a test waits for: how often something happened on another thread. */
struct tally {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n; /* lock */
};

#define TALLY_INIT                                                     \
	{                                                              \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 \
	}

static inline void tally_add(struct tally *t)
{
	pthread_mutex_lock(&t->lock);
	t->n++;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static inline unsigned tally_get(struct tally *t)
{
	unsigned n;

	pthread_mutex_lock(&t->lock);
	n = t->n;
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* false: not within 30 s, which fails the test. */
static inline bool tally_wait(struct tally *t, unsigned n)
{
	struct timespec until;
	bool reached;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	pthread_mutex_lock(&t->lock);
	while (t->n < n &&
	       !pthread_cond_timedwait(&t->changed, &t->lock, &until))
		;
	reached = t->n >= n;
	pthread_mutex_unlock(&t->lock);
	return reached;
}

#endif
