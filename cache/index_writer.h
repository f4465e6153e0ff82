/* SPDX-License-Identifier: MIT */
/*
 * index_writer: the one thread that changes the index: a queue of posts, group
 * commit, timers.  Belongs to index; everybody else uses index.h.
 */
#ifndef KVSFS_CACHE_INDEX_WRITER_H
#define KVSFS_CACHE_INDEX_WRITER_H

#include "cache/index.h"

#include <stdbool.h>

struct index_writer;

/* Takes conn.  met_damage(user) when the file turns out to be damaged. */
int index_writer_new(struct index_conn *conn, void (*met_damage)(void *user),
		     void *user, struct index_writer **ret_writer);
/* Runs what is left, ends the thread, closes the connection. */
void index_writer_free(struct index_writer *w);

void index_writer_post(struct index_writer *w, index_write_fn write,
		       index_done_fn done, void *arg);
int index_writer_run(struct index_writer *w, index_write_fn write, void *arg);
void index_writer_every(struct index_writer *w, int64_t period_ms,
			void (*fn)(void *arg), void *arg);
/* What would go on for long may stop now. */
bool index_writer_ending(struct index_writer *w);

#endif
