/* SPDX-License-Identifier: MIT */
#include "fs/net/internal.h"

#include <errno.h>
#include <string.h>

const char *net_head_find(const GPtrArray *lines, const char *name)
{
	for (guint i = 0; i < lines->len; i++) {
		const char *line = g_ptr_array_index(lines, i);

		if (!g_ascii_strcasecmp(line, name))
			return line + strlen(line) + 1;
	}
	return NULL;
}

GPtrArray *net_head_copy(const GPtrArray *lines)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < lines->len; i++) {
		const char *line = g_ptr_array_index(lines, i);
		size_t name = strlen(line) + 1;

		g_ptr_array_add(
			copy, g_memdup2(line, name + strlen(line + name) + 1));
	}
	return copy;
}

static const char *find(const struct net_response *r, const char *name)
{
	const struct net_head *h =
		(const void *)((const char *)r -
			       G_STRUCT_OFFSET(struct net_head, response));

	return net_head_find(h->lines, name);
}

void net_head_init(struct net_head *h)
{
	h->lines = g_ptr_array_new_with_free_func(g_free);
	h->response.header = find;
	h->response.server_date_ms = -1;
	h->expects_status = true;
}

void net_head_release(struct net_head *h)
{
	g_ptr_array_unref(h->lines);
}

/* "Name: value\r\n" as "name\0value\0", or NULL. */
static char *split(const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	g_autofree char *name = NULL;
	char *value, *both;
	size_t name_len;

	if (!colon)
		return NULL;
	name_len = (size_t)(colon - line);
	name = g_strstrip(g_strndup(line, name_len));
	value = g_strstrip(g_strndup(colon + 1, n - name_len - 1));
	/* The line may hold NUL bytes, so count again what is left of it. */
	both = g_malloc(strlen(name) + strlen(value) + 2);
	memcpy(stpcpy(both, name) + 1, value, strlen(value) + 1);
	g_free(value);
	return both;
}

static void end_of_head(struct net_head *h)
{
	const char *date = find(&h->response, "Date");
	time_t t = date ? curl_getdate(date, NULL) : -1;

	h->response.server_date_ms = t < 0 ? -1 : (int64_t)t * 1000;
	h->expects_status = h->interim;
	h->complete = !h->interim;
}

/* "HTTP/1.1 100 Continue": another head follows one with a status 1xx. */
static void begin_head(struct net_head *h, const char *line, size_t n)
{
	const char *space = memchr(line, ' ', n);
	size_t left = space ? n - (size_t)(space - line) : 0;

	g_ptr_array_set_size(h->lines, 0);
	h->interim = left > 1 && space[1] == '1';
	h->expects_status = false;
}

int net_head_line(struct net_head *h, const char *line, size_t n)
{
	char *both;

	h->seen_bytes += n;
	if (h->seen_bytes > NET_HEAD_MAX_BYTES)
		return -EPROTO;
	if (h->expects_status) {
		begin_head(h, line, n);
		return 0;
	}
	/* What still comes are the trailers of a chunked body. */
	if (h->complete)
		return 0;
	if (line[0] == '\r' || line[0] == '\n') {
		end_of_head(h);
		return 0;
	}
	both = split(line, n);
	if (both)
		g_ptr_array_add(h->lines, both);
	return 0;
}
