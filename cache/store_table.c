/* SPDX-License-Identifier: MIT */
#include "cache/store_internal.h"

#include "cache/index.h"
#include "fs/base/base.h"

#include <errno.h>
#include <string.h>

/*
 * Chunks that are open in this process.  A read of one costs a look into a hash
 * table; nothing of SQLite, no open(2).  One that nobody uses stays open for a
 * while, since the next read of 128 KiB is on its way.  That keeps other
 * processes from evicting it, hence the limits.
 */
#define IDLE_MAX     64
#define IDLE_DIVISOR 32 /* of the budget */
/* Ids are forgotten all at once then: some are checked once more. */
#define VERIFIED_MAX 131072

static guint key_hash(gconstpointer p)
{
	const struct store_key *k = p;

	return g_str_hash(k->number) ^ (k->stream * 2654435761U) ^ k->raw;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct store_key *x = a, *y = b;

	return x->stream == y->stream && x->raw == y->raw &&
	       !strcmp(x->number, y->number);
}

void store_table_init(struct store *s)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->settled, NULL);
	s->by_key = g_hash_table_new(key_hash, key_equal);
	s->by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	s->verified = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
					    NULL);
	g_queue_init(&s->idle);
}

void store_table_release(struct store *s)
{
	store_table_close_idle(s, 0);
	g_assert(g_hash_table_size(s->by_key) == 0);
	g_hash_table_destroy(s->by_key);
	g_hash_table_destroy(s->by_id);
	g_hash_table_destroy(s->verified);
	pthread_cond_destroy(&s->settled);
	pthread_mutex_destroy(&s->lock);
}

static void free_all(GSList *chunks)
{
	g_slist_free_full(chunks, (GDestroyNotify)store_chunk_free);
}

/* ---- under the lock --------------------------------------------------- */

static void list(struct store_chunk *c)
{
	c->listed = true;
	g_hash_table_insert(c->s->by_key, &c->key, c);
	if (c->id)
		g_hash_table_insert(c->s->by_id, &c->id, c);
}

static void unlist(struct store_chunk *c)
{
	c->listed = false;
	g_hash_table_remove(c->s->by_key, &c->key);
	if (c->id)
		g_hash_table_remove(c->s->by_id, &c->id);
}

static bool is_idle(const struct store_chunk *c)
{
	return !c->refs && !c->opening;
}

static void leave_idle(struct store_chunk *c)
{
	g_queue_unlink(&c->s->idle, &c->idle_link);
	c->s->idle_bytes -= c->allocated_bytes;
}

/* Idle chunks beyond the limits, or unused for idle_ms; the caller frees. */
static GSList *trim_idle(struct store *s, int64_t idle_ms)
{
	int64_t now_ms = clock_monotonic_ms(s->options.clock);
	int64_t max_bytes = s->options.budget_bytes / IDLE_DIVISOR;
	GSList *out = NULL;
	struct store_chunk *c;

	while ((c = g_queue_peek_head(&s->idle))) {
		if (s->idle.length <= IDLE_MAX && s->idle_bytes <= max_bytes &&
		    now_ms - c->idle_since_ms < idle_ms)
			break;
		leave_idle(c);
		unlist(c);
		out = g_slist_prepend(out, c);
	}
	return out;
}

static void enter_idle(struct store_chunk *c)
{
	c->idle_since_ms = clock_monotonic_ms(c->s->options.clock);
	g_queue_push_tail_link(&c->s->idle, &c->idle_link);
	c->s->idle_bytes += c->allocated_bytes;
}

static void set_verified(struct store *s, int64_t id)
{
	int64_t *key = g_new(int64_t, 1);

	if (g_hash_table_size(s->verified) >= VERIFIED_MAX)
		g_hash_table_remove_all(s->verified);
	*key = id;
	g_hash_table_add(s->verified, key);
}

/* ---- opening ---------------------------------------------------------- */

static int find_row(struct store *s, const struct store_key *key,
		    struct chunk_row *ret_row)
{
	struct index_conn *conn;
	int rc = index_reader_get(s->ix, &conn);

	if (rc)
		return -EIO;
	rc = rows_find(conn, key, ret_row);
	index_reader_put(s->ix, conn);
	return rc && rc != -ENOENT ? -EIO : rc;
}

static int open_file(struct store *s, const struct chunk_row *row, int *ret_fd)
{
	char path[CHUNK_PATH_SIZE];
	auto_close int fd = -1;
	int64_t size_bytes;
	bool verified;
	int rc;

	chunk_path(row->id, path);
	rc = chunk_file_open(s->dirfd, path, &fd, &size_bytes);
	if (rc)
		return rc;
	if (size_bytes != row->size_bytes)
		return -EBADMSG;
	pthread_mutex_lock(&s->lock);
	verified = g_hash_table_contains(s->verified, &row->id);
	pthread_mutex_unlock(&s->lock);
	if (!verified)
		rc = chunk_file_check(fd, row->size_bytes, row->hash);
	if (rc)
		return rc;
	*ret_fd = base_steal_fd(&fd);
	return 0;
}

/* The chunk is ours alone: it is listed as opening. */
static int open_chunk(struct store_chunk *c, int64_t size_bytes)
{
	struct store *s = c->s;
	struct chunk_row row;
	int rc = find_row(s, &c->key, &row);

	if (rc)
		return rc;
	rc = row.size_bytes == size_bytes ? open_file(s, &row, &c->fd)
					  : -EBADMSG;
	if (!rc) {
		c->size_bytes = row.size_bytes;
		c->allocated_bytes = row.allocated_bytes;
		c->id = row.id;
		return 0;
	}
	if (rc == -EBUSY)
		return -ENOENT; /* it is being evicted at this moment */
	/* Too many open files, say: nothing is known of the chunk. */
	if (rc != -ENOENT && rc != -EBADMSG)
		return -EIO;
	store_drop_id(s, row.id);
	return -ENOENT;
}

/* Opens it for all who wait. */
static int open_listed(struct store_chunk *c, int64_t size_bytes)
{
	struct store *s = c->s;
	int rc = open_chunk(c, size_bytes);
	bool full = false;

	pthread_mutex_lock(&s->lock);
	c->opening = false;
	if (rc) {
		unlist(c);
	} else {
		g_hash_table_insert(s->by_id, &c->id, c);
		set_verified(s, c->id);
		full = store_touch(c);
	}
	pthread_cond_broadcast(&s->settled);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		store_chunk_free(c);
	if (full)
		store_touches_post(s);
	return rc;
}

int store_get(struct store *s, const struct store_key *key, int64_t size_bytes,
	      struct store_chunk **ret_chunk)
{
	struct store_chunk *c;
	bool full = false, fits = true;
	int64_t wrong_id = 0;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while ((c = g_hash_table_lookup(s->by_key, key)) && c->opening)
		pthread_cond_wait(&s->settled, &s->lock);
	if (!c) {
		c = store_chunk_new(s, key);
		c->opening = true;
		list(c);
		pthread_mutex_unlock(&s->lock);
		rc = open_listed(c, size_bytes);
		goto out;
	}
	fits = c->size_bytes == size_bytes;
	if (fits) {
		if (is_idle(c))
			leave_idle(c);
		c->refs++;
		full = store_touch(c);
	} else {
		wrong_id = c->id;
	}
	pthread_mutex_unlock(&s->lock);
	if (full)
		store_touches_post(s);
	if (!fits) {
		if (wrong_id)
			store_drop_id(s, wrong_id);
		return -ENOENT;
	}
out:
	if (!rc)
		*ret_chunk = c;
	return rc;
}

bool store_has(struct store *s, const struct store_key *key)
{
	struct store_chunk *c;
	struct chunk_row row;
	bool open;

	pthread_mutex_lock(&s->lock);
	c = g_hash_table_lookup(s->by_key, key);
	open = c && !c->opening;
	pthread_mutex_unlock(&s->lock);
	return open || find_row(s, key, &row) == 0;
}

/* ---- holding ---------------------------------------------------------- */

struct store_chunk *store_chunk_ref(struct store_chunk *c)
{
	auto_unlock pthread_mutex_t *held = base_lock(&c->s->lock);

	c->refs++;
	return c;
}

void store_chunk_unref(struct store_chunk *c)
{
	struct store *s;
	GSList *closing = NULL;
	bool full;

	if (!c)
		return;
	s = c->s;
	pthread_mutex_lock(&s->lock);
	if (--c->refs) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	/* It may have been read until now without another store_get(). */
	full = store_touch(c);
	if (c->listed && c->id) {
		enter_idle(c);
		closing = trim_idle(s, INT64_MAX);
	} else {
		if (c->listed)
			unlist(c);
		closing = g_slist_prepend(NULL, c);
	}
	pthread_mutex_unlock(&s->lock);
	free_all(closing);
	if (full)
		store_touches_post(s);
}

/* ---- for the rest of the store ---------------------------------------- */

void store_table_add(struct store_chunk *c)
{
	auto_unlock pthread_mutex_t *held = base_lock(&c->s->lock);

	if (c->id)
		set_verified(c->s, c->id);
	if (!g_hash_table_contains(c->s->by_key, &c->key))
		list(c);
}

bool store_table_yield(struct store *s, int64_t id)
{
	struct store_chunk *c;

	pthread_mutex_lock(&s->lock);
	c = g_hash_table_lookup(s->by_id, &id);
	if (!c || !is_idle(c)) {
		pthread_mutex_unlock(&s->lock);
		return !c;
	}
	leave_idle(c);
	unlist(c);
	pthread_mutex_unlock(&s->lock);
	store_chunk_free(c);
	return true;
}

bool store_table_forget(struct store *s, int64_t id)
{
	struct store_chunk *c;
	bool used = false;

	if (store_table_yield(s, id))
		return false;
	pthread_mutex_lock(&s->lock);
	c = g_hash_table_lookup(s->by_id, &id);
	if (c && !is_idle(c)) {
		unlist(c);
		c->doomed = used = true;
	}
	pthread_mutex_unlock(&s->lock);
	return used;
}

void store_table_forget_key(struct store *s, const struct store_key *key)
{
	auto_unlock pthread_mutex_t *held = base_lock(&s->lock);
	struct store_chunk *c = g_hash_table_lookup(s->by_key, key);

	/* One with a row is forgotten with its row. */
	if (c && !c->id && !c->opening)
		unlist(c);
}

void store_table_close_idle(struct store *s, int64_t idle_ms)
{
	GSList *closing;

	pthread_mutex_lock(&s->lock);
	closing = trim_idle(s, idle_ms);
	pthread_mutex_unlock(&s->lock);
	free_all(closing);
}
