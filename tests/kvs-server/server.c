/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BODY    (4 << 20)
#define POOL_BYTES  (512 * 1024) /* a connection's buffers: large chunks */
#define POLL_US	    20000
#define IDLE_S	    120
#define CONNECTIONS 1024
#define BACKLOG	    256

struct stream *server_stream(struct server *s, const char *name)
{
	for (size_t i = 0; i < s->n_streams; i++)
		if (!s->streams[i]->deleted &&
		    !strcmp(s->streams[i]->name, name))
			return s->streams[i];
	return NULL;
}

struct stream *server_stream_arn(struct server *s, const char *arn)
{
	for (size_t i = 0; i < s->n_streams; i++)
		if (!s->streams[i]->deleted && !strcmp(s->streams[i]->arn, arn))
			return s->streams[i];
	return NULL;
}

struct quota_limits server_limits(struct server *s)
{
	pthread_mutex_lock(&s->limits_lock);
	struct quota_limits l = s->limits;

	pthread_mutex_unlock(&s->limits_lock);
	return l;
}

bool request_wait(struct server *s, int fd, int64_t us)
{
	int64_t until = mono_us() + us;

	for (;;) {
		int64_t left = until - mono_us();
		struct pollfd p = {.fd = fd, .events = POLLRDHUP};

		if (s->stopping)
			return false;
		if (left <= 0)
			return true;
		if (left > POLL_US)
			left = POLL_US;
		struct timespec t = {.tv_nsec = left * 1000};

		if (ppoll(&p, 1, &t, NULL) > 0 &&
		    p.revents & (POLLRDHUP | POLLHUP | POLLERR))
			return false;
	}
}

/* The raw URI comes before the rest of the request; MHD keeps what is made. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct request *r = xcalloc(1, sizeof(*r));
	const char *query = strchr(uri, '?');
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	r->server = cls;
	r->connection = c;
	r->path = xstrdup(uri);
	r->path[query ? (size_t)(query - uri) : strlen(uri)] = 0;
	r->query = xstrdup(query ? query + 1 : "");
	r->fd = info ? info->connect_fd : -1;
	r->log.api = API_COUNT;
	r->log.begun_us = mono_us();
	r->log.at_ms = wall_now_ms(&r->server->wall);
	return r;
}

void request_count(struct request *r)
{
	if (r->connected)
		quota_disconnect(&r->stream->quota);
	r->connected = false;
	if (r->log.api == API_COUNT)
		return;
	stats_end(&r->server->stats, r->stream ? r->stream->counters : NULL,
		  &r->log);
	r->log.api = API_COUNT;
}

static void on_done(void *cls, struct MHD_Connection *c, void **user,
		    enum MHD_RequestTerminationCode why)
{
	struct request *r = *user;

	*user = NULL;
	if (!r)
		return;
	request_count(r);
	struck_free(&r->struck);
	json_object_put(r->json);
	buf_free(&r->body);
	free(r->log.stream);
	free(r->log.body);
	free(r->method);
	free(r->path);
	free(r->query);
	free(r);
}

static enum MHD_Result handle(struct request *r, bool data_port,
			      const char *method, const char *data,
			      size_t *data_n)
{
	if (!r->method) {
		/* First call: headers only. */
		r->method = xstrdup(method);
		r->data_port = data_port;
		return MHD_YES;
	}
	if (*data_n) {
		r->too_long |= r->body.n + *data_n > MAX_BODY;
		if (!r->too_long)
			buf_put(&r->body, data, *data_n);
		*data_n = 0;
		return MHD_YES;
	}
	if (!strncmp(r->path, "/_control/", 10))
		return control_handle(r);
	return api_handle(r);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *data_n, void **user)
{
	return handle(*user, false, method, data, data_n);
}

static enum MHD_Result on_data_request(void *cls, struct MHD_Connection *c,
				       const char *url, const char *method,
				       const char *version, const char *data,
				       size_t *data_n, void **user)
{
	return handle(*user, true, method, data, data_n);
}

/* -errno, or the socket; port is the one it got. */
static int bind_to(const char *address, unsigned *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)*port)};
	socklen_t n = sizeof(at);
	int on = 1;

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		return -EINVAL;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&at, &n)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	*port = ntohs(at.sin_port);
	return fd;
}

static struct MHD_Daemon *serve_on(struct server *s, int fd,
				   MHD_AccessHandlerCallback fn)
{
	return MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD |
			MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
			MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ITC,
		0, NULL, NULL, fn, s, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_done, s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_END);
}

int server_listen(struct server *s)
{
	/* Both ports are known before the first request can ask for them. */
	int data_fd = -1, fd = bind_to(s->bind, &s->port);

	if (fd < 0)
		return fd;
	if (s->two_ports) {
		data_fd = bind_to(s->bind, &s->data_port);
		if (data_fd < 0) {
			close(fd);
			return data_fd;
		}
	}
	if (s->two_ports)
		s->data_daemon = serve_on(s, data_fd, on_data_request);
	s->daemon = serve_on(s, fd, on_request);
	if (s->daemon && (s->data_daemon || !s->two_ports))
		return 0;
	server_stop(s);
	return -EIO;
}

void server_stop(struct server *s)
{
	s->stopping = true;
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->data_daemon)
		MHD_stop_daemon(s->data_daemon);
}
