/* SPDX-License-Identifier: MIT */
/*
 * collect: drives a reader and keeps what it says, as text that can be
 * compared: a line for each document, its bytes beside it.
 */
#ifndef KVSFS_TESTS_MKV_COLLECT_H
#define KVSFS_TESTS_MKV_COLLECT_H

#include "fs/mkv/reader.h"

#include <glib.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct collected {
	struct mkv_document document;
	GByteArray *bytes;
	bool ended;
};

struct collect {
	int64_t length_ms;	       /* answer of begin() */
	int begin_rc, data_rc, end_rc; /* to be returned, at document */
	unsigned fail_at;	       /* fail_at */
	GPtrArray *documents;	       /* struct collected */
	size_t data_calls, largest;
	bool out_of_order;
	int feed_rc; /* before mkv_reader_finish() */
};

static inline void collected_free(void *p)
{
	struct collected *d = p;

	g_byte_array_unref(d->bytes);
	g_free(d);
}

static inline void collect_init(struct collect *c)
{
	*c = (struct collect){.length_ms = 1960};
	c->documents = g_ptr_array_new_with_free_func(collected_free);
}

static inline void collect_clear(struct collect *c)
{
	g_clear_pointer(&c->documents, g_ptr_array_unref);
}

static inline struct collected *collect_at(const struct collect *c, guint i)
{
	return i < c->documents->len ? c->documents->pdata[i] : NULL;
}

static inline struct collected *collect_open(const struct collect *c)
{
	struct collected *d = c->documents->len
				      ? collect_at(c, c->documents->len - 1)
				      : NULL;

	return d && !d->ended ? d : NULL;
}

static inline bool collect_failing(const struct collect *c)
{
	return c->documents->len == c->fail_at + 1;
}

static inline int collect_begin(void *user, const struct mkv_document *doc,
				int64_t *ret_length_ms)
{
	struct collect *c = user;
	struct collected *d = g_new0(struct collected, 1);

	if (collect_open(c))
		c->out_of_order = true;
	d->document = *doc;
	d->bytes = g_byte_array_new();
	g_ptr_array_add(c->documents, d);
	*ret_length_ms = c->length_ms;
	return collect_failing(c) ? c->begin_rc : 0;
}

static inline int collect_data(void *user, const void *bytes, size_t n)
{
	struct collect *c = user;
	struct collected *d = collect_open(c);

	if (!d || !n) {
		c->out_of_order = true;
		return -EINVAL;
	}
	g_byte_array_append(d->bytes, bytes, (guint)n);
	c->data_calls++;
	c->largest = MAX(c->largest, n);
	return collect_failing(c) ? c->data_rc : 0;
}

static inline int collect_end(void *user)
{
	struct collect *c = user;
	struct collected *d = collect_open(c);

	if (!d) {
		c->out_of_order = true;
		return -EINVAL;
	}
	d->ended = true;
	return collect_failing(c) ? c->end_rc : 0;
}

static const struct mkv_reader_ops collect_ops = {
	.begin = collect_begin,
	.data = collect_data,
	.end = collect_end,
};

/* Feed all of it, in pieces of size step(), then finish.  The first failure. */
static inline int collect_run_steps(struct collect *c, bool raw,
				    const uint8_t *bytes, size_t n,
				    size_t (*step)(void *arg, size_t at),
				    void *arg)
{
	struct mkv_reader *r = mkv_reader_new(&collect_ops, raw, c);
	size_t at = 0, part;
	int rc = 0, again;

	while (at < n && !rc) {
		/*
		 * Each piece is memory of its own, so that a sanitizer sees a
		 * look past its end and a pointer that is kept too long.
		 */
		g_autofree uint8_t *copy = NULL;

		part = step(arg, at);
		part = MIN(part, n - at);
		copy = g_memdup2(bytes + at, part);
		rc = mkv_reader_feed(r, copy, part);
		at += part;
	}
	c->feed_rc = rc;
	again = mkv_reader_finish(r);
	if (rc && again != rc)
		c->out_of_order = true; /* a failed reader stays failed */
	mkv_reader_free(r);
	return rc ? rc : again;
}

static inline size_t collect_step_by(void *arg, size_t at)
{
	return *(const size_t *)arg;
}

/* One cut, at *arg; none where that is 0. */
static inline size_t collect_step_cut(void *arg, size_t at)
{
	size_t cut = *(const size_t *)arg;

	return at < cut ? cut - at : SIZE_MAX;
}

static inline size_t collect_step_random(void *arg, size_t at)
{
	return (size_t)g_rand_int_range(arg, 1, 60);
}

static inline int collect_run(struct collect *c, bool raw, const uint8_t *bytes,
			      size_t n)
{
	size_t whole = SIZE_MAX;

	return collect_run_steps(c, raw, bytes, n, collect_step_by, &whole);
}

#endif
