/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "fs/base/base.h"

#include <string.h>

/*
 * Which chunks were used is gathered in memory and written down every two
 * seconds, or when there are many: a read must not cost a change of the index.
 */
#define TOUCH_EVERY_MS 1000

bool store_touch(struct store_chunk *c)
{
	int64_t now_ms = clock_realtime_ms(c->s->options.clock);
	struct store *s = c->s;

	if (!c->id || ABS(now_ms - c->touched_ms) < TOUCH_EVERY_MS ||
	    s->n_touches == STORE_TOUCH_MAX)
		return false;
	c->touched_ms = now_ms;
	s->touches[s->n_touches++] = (struct store_touch){c->id, now_ms};
	return s->n_touches == STORE_TOUCH_MAX;
}

static size_t take_touches(struct store *s,
			   struct store_touch out[STORE_TOUCH_MAX])
{
	auto_unlock pthread_mutex_t *held = base_lock(&s->lock);
	size_t n = s->n_touches;

	memcpy(out, s->touches, n * sizeof(*out));
	s->n_touches = 0;
	return n;
}

int store_touches_apply(struct store *s, struct index_conn *conn)
{
	struct store_touch touches[STORE_TOUCH_MAX];
	size_t n = take_touches(s, touches);
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = rows_touch(conn, touches[i].id, touches[i].used_ms);
	return rc;
}

static int touches_write(struct index_conn *conn, struct store_job *job)
{
	return store_touches_apply(job->s, conn);
}

/* Where they cannot be written, the order of eviction suffers, no more. */
static void touches_done(struct store_job *job, int rc)
{
	g_free(job);
}

void store_touches_post(struct store *s)
{
	struct store_job *job = g_new0(struct store_job, 1);

	job->write = touches_write;
	job->done = touches_done;
	store_post(s, job);
}
