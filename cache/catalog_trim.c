/* SPDX-License-Identifier: MIT */
#include "cache/catalog.h"

#include "cache/catalog_forget.h"
#include "cache/catalog_known.h"
#include "fs/base/base.h"

#include <errno.h>

/* Intervals in a bite, when they are nearly empty. */
#define BITE_INTERVALS 64
/* The log's shared memory and header, which no trim gives back. */
#define SIDE_BYTES 65536
/* Times further apart than this are cut as intervals of their own. */
#define CUT_GAP_MS INT64_C(3600000)

struct trim_job {
	struct catalog *c; /* a reference */
	int64_t max_bytes;
	int64_t loose_id;	 /* of loose ones, these and older go */
	GArray *forgotten;	 /* int64_t: ids, in this bite */
	struct index_conn *conn; /* the writer's: done() runs on its thread */
	bool more;
};

struct interval {
	uint32_t stream;
	enum catalog_axis axis;
	int64_t start_ms, end_ms;
};

/*
 * The least recently used one that ended long enough before the mark: 1, 0
 * where there is none.  Stale ones too: without that a cache that was long
 * unused could not be trimmed.
 */
static int least_used(struct index_conn *conn, struct interval *ret_interval)
{
	sqlite3_stmt *s = index_prepare(
		conn, "SELECT k.stream, k.axis, k.start_ms, k.end_ms"
		      " FROM known AS k INDEXED BY known_used"
		      " CROSS JOIN streams AS s ON s.id = k.stream"
		      " WHERE k.end_ms <= s.mark_ms - ?1"
		      " ORDER BY k.used_ms LIMIT 1");
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, CATALOG_SETTLE_MS);
	rc = index_step(s);
	if (rc > 0)
		*ret_interval = (struct interval){
			(uint32_t)sqlite3_column_int64(s, 0),
			(enum catalog_axis)sqlite3_column_int(s, 1),
			sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
	index_done(s);
	return rc;
}

static int by_producer(const void *a, const void *b)
{
	const struct gone *x = a, *y = b;

	return (x->ms[0] > y->ms[0]) - (x->ms[0] < y->ms[0]);
}

static int by_server(const void *a, const void *b)
{
	const struct gone *x = a, *y = b;

	return (x->ms[1] > y->ms[1]) - (x->ms[1] < y->ms[1]);
}

/* What was forgotten is not known on this axis either. */
static int cut_around(struct index_conn *conn, uint32_t stream,
		      enum catalog_axis axis, GArray *gone)
{
	int rc = 0;

	g_array_sort(gone, axis == CATALOG_PRODUCER ? by_producer : by_server);
	for (guint i = 0; !rc && i < gone->len;) {
		int64_t start_ms = g_array_index(gone, struct gone, i).ms[axis];
		int64_t last_ms = start_ms;

		for (; i < gone->len; i++) {
			int64_t ms =
				g_array_index(gone, struct gone, i).ms[axis];

			if (ms - last_ms > CUT_GAP_MS)
				break;
			last_ms = ms;
		}
		rc = known_cut(conn, stream, axis, start_ms, last_ms + 1);
	}
	return rc;
}

#define INTERVAL_SQL(t)                                                       \
	"SELECT " GONE_COLUMNS " FROM fragments AS f INDEXED BY fragments_" t \
	" WHERE f.stream = ?1 AND" IN_RANGE(                                  \
		"f.", t, "?2", "?3") "ORDER BY"                               \
				     " f." t "_s, f." t "_ms LIMIT ?4"

/* The first fragments of the interval, or all of it. */
static int forget_interval(struct index_conn *conn, const struct interval *k,
			   GArray *gone)
{
	static const char *const sql[CATALOG_AXES] = {INTERVAL_SQL("producer"),
						      INTERVAL_SQL("server")};
	sqlite3_stmt *s = index_prepare(conn, sql[k->axis]);
	int64_t end_ms = k->end_ms;
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, k->stream);
	sqlite3_bind_int64(s, 2, k->start_ms);
	sqlite3_bind_int64(s, 3, k->end_ms);
	sqlite3_bind_int(s, 4, BITE_FRAGMENTS);
	rc = gone_collect(s, gone);
	if (rc)
		return rc;
	if (gone->len == BITE_FRAGMENTS)
		end_ms = g_array_index(gone, struct gone, gone->len - 1)
				 .ms[k->axis] +
			 1;
	rc = gone_delete(conn, gone);
	if (!rc)
		rc = known_cut(conn, k->stream, k->axis, k->start_ms, end_ms);
	if (!rc)
		rc = cut_around(conn, k->stream,
				k->axis == CATALOG_PRODUCER ? CATALOG_SERVER
							    : CATALOG_PRODUCER,
				gone);
	return rc;
}

/* Is there no interval that holds this fragment's time? */
#define NOT_KNOWN(axis, time)                                               \
	" AND NOT EXISTS (SELECT 1 FROM known AS k WHERE k.stream = s.id"   \
	" AND k.axis = " axis " AND k.end_ms > f." time " AND k.start_ms =" \
	" (SELECT max(b.start_ms) FROM known AS b WHERE b.stream = s.id"    \
	" AND b.axis = " axis " AND b.start_ms <= f." time "))"

/*
 * With no settled interval left: fragments that no interval holds.  Catching
 * up brings them in for ever, also when nobody looks at their folders.
 */
static int forget_loose(struct index_conn *conn, int64_t loose_id, GArray *gone)
{
	sqlite3_stmt *s = index_prepare(
		conn, "SELECT " GONE_COLUMNS
		      " FROM streams AS s CROSS JOIN fragments AS f"
		      " INDEXED BY fragments_server ON f.stream = s.id"
		      " WHERE f.server_s <= (s.mark_ms - ?1) / 1000"
		      " AND f.server_ms < s.mark_ms - ?1"
		      " AND f.id <= ?3"
		      " AND f.producer_ms < s.mark_ms - ?1" NOT_KNOWN(
			      "0", "producer_ms")
			      NOT_KNOWN("1", "server_ms") " LIMIT ?2");
	int rc;

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, CATALOG_SETTLE_MS);
	sqlite3_bind_int(s, 2, BITE_FRAGMENTS);
	sqlite3_bind_int64(s, 3, loose_id);
	rc = gone_collect(s, gone);
	return rc ? rc : gone_delete(conn, gone);
}

static int64_t pragma(struct index_conn *conn, const char *sql)
{
	sqlite3_stmt *s = index_prepare(conn, sql);
	int64_t value = 0;

	if (s && index_step(s) > 0)
		value = sqlite3_column_int64(s, 0);
	if (s)
		index_done(s);
	return value;
}

static void add_ids(GArray *ids, const GArray *gone)
{
	for (guint i = 0; i < gone->len; i++)
		g_array_append_val(ids, g_array_index(gone, struct gone, i).id);
}

static int bite(struct index_conn *conn, struct trim_job *j)
{
	struct interval k;
	int rc = 1, n = 0;

	while (n < BITE_INTERVALS && j->forgotten->len < BITE_FRAGMENTS &&
	       (rc = least_used(conn, &k)) > 0) {
		g_autoptr(GArray) gone = gone_new();

		rc = forget_interval(conn, &k, gone);
		if (rc)
			return rc;
		add_ids(j->forgotten, gone);
		n++;
	}
	if (!rc && n == 0) {
		g_autoptr(GArray) gone = gone_new();

		rc = forget_loose(conn, j->loose_id, gone);
		add_ids(j->forgotten, gone);
	}
	j->more = n > 0 || j->forgotten->len > 0;
	return MIN(rc, 0);
}

static int trim_write(struct index_conn *conn, void *arg)
{
	struct trim_job *j = arg;
	int64_t free_pages = pragma(conn, "PRAGMA freelist_count");
	int64_t bytes = pragma(conn, "PRAGMA page_count") *
			pragma(conn, "PRAGMA page_size");
	sqlite3_stmt *s;
	int rc = 0;

	j->conn = conn;
	j->more = false;
	g_array_set_size(j->forgotten, 0);
	/* What is over by its log alone is mended by the checkpoint. */
	if (index_bytes(j->c->ix) <= j->max_bytes ||
	    bytes + SIDE_BYTES <= j->max_bytes)
		return 0;
	if (free_pages == 0)
		rc = bite(conn, j);
	if (rc)
		return rc;
	/* As many pages as a bite leaves, several times over. */
	s = index_prepare(conn, "PRAGMA incremental_vacuum(4096)");
	rc = s ? index_exec(s) : -EIO;
	if (pragma(conn, "PRAGMA freelist_count") < free_pages)
		j->more = true;
	return rc;
}

static void tell_forgotten(struct trim_job *j)
{
	catalog_forgot_fn fn;
	void *user;

	pthread_mutex_lock(&j->c->lock);
	fn = j->c->forgot;
	user = j->c->forgot_user;
	pthread_mutex_unlock(&j->c->lock);
	if (fn && j->forgotten->len)
		fn(user, (const int64_t *)(void *)j->forgotten->data,
		   j->forgotten->len);
}

static void trim_done(void *arg, int rc)
{
	struct trim_job *j = arg;

	if (!rc)
		tell_forgotten(j);
	if (!rc && index_bytes(j->c->ix) > j->max_bytes)
		index_checkpoint(j->conn);
	if (!rc && j->more && !atomic_load(&j->c->ending)) {
		index_post(j->c->ix, trim_write, trim_done, j);
		return;
	}
	catalog_unref(j->c);
	g_array_unref(j->forgotten);
	g_free(j);
}

void catalog_on_forget(struct catalog *c, catalog_forgot_fn fn, void *user)
{
	auto_unlock pthread_mutex_t *held = base_lock(&c->lock);

	c->forgot = fn;
	c->forgot_user = user;
}

/* What it was at the call before. */
static int64_t swap_trimmed_id(struct catalog *c)
{
	int64_t last_id = 0, before;

	if (catalog_last_id(c, &last_id) < 0)
		last_id = 0;
	pthread_mutex_lock(&c->lock);
	before = c->trimmed_id;
	c->trimmed_id = last_id;
	pthread_mutex_unlock(&c->lock);
	return before;
}

void catalog_trim(struct catalog *c, int64_t max_bytes)
{
	int64_t loose_id = swap_trimmed_id(c);
	struct trim_job *j;

	if (index_bytes(c->ix) <= max_bytes)
		return;
	touch_flush(c);
	j = g_new0(struct trim_job, 1);
	j->c = catalog_ref(c);
	j->max_bytes = max_bytes;
	j->loose_id = loose_id;
	j->forgotten = g_array_new(FALSE, FALSE, sizeof(int64_t));
	index_post(c->ix, trim_write, trim_done, j);
}
