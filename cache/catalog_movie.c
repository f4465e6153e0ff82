/* SPDX-License-Identifier: MIT */
#include "cache/catalog_movie.h"

#include "cache/catalog_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Without the number, which is only needed where times are the same; in the
 * order of the index, which is by the second: to sort what is nearly sorted is
 * quicker here.  A row is a microsecond of the two milliseconds of an hour.
 */
#define SLOTS_SQL(t)                                                 \
	"SELECT f.id, f." t "_ms, f.server_ms, f.length_ms, f.size," \
	" f.slack, (SELECT slack FROM streams WHERE id = ?1)"        \
	" FROM fragments AS f INDEXED BY fragments_" t               \
	" WHERE f.stream = ?1 AND" IN_RANGE(                         \
		"f.", t, "?2", "?3") "AND "                          \
				     "f.server_ms >= ?4 AND f.id <= ?5"
static const char *const slots_sql[CATALOG_AXES] = {SLOTS_SQL("producer"),
						    SLOTS_SQL("server")};

static void fill(const struct reading *r, struct catalog_slot *out)
{
	sqlite3_stmt *s = r->stmt;
	int64_t length_ms = sqlite3_column_int64(s, 3);
	int64_t size_bytes = sqlite3_column_int64(s, 4);
	int64_t slack = sqlite3_column_type(s, 6) == SQLITE_NULL
				? -1
				: sqlite3_column_int64(s, 6);

	*out = (struct catalog_slot){
		.id = sqlite3_column_int64(s, 0),
		.t_ms = sqlite3_column_int64(s, 1),
		.server_ms = sqlite3_column_int64(s, 2),
		.length_ms = (int32_t)CLAMP(length_ms, 0, INT32_MAX),
		.shown = sqlite3_column_type(s, 5) != SQLITE_NULL,
	};
	if (out->shown)
		slack = fragment_slack(s, 5);
	else if (r->c->pinned_slack >= 0)
		slack = r->c->pinned_slack;
	out->file_bytes = slack >= 0 ? size_bytes + slack : -1;
}

static int by_time(const void *a, const void *b)
{
	const struct catalog_slot *x = a, *y = b;

	if (x->t_ms != y->t_ms)
		return x->t_ms < y->t_ms ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* qsort(3) takes its time for what is sorted already, too. */
static void sort(struct catalog_slot *slots, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (by_time(&slots[i - 1], &slots[i]) > 0) {
			qsort(slots, n, sizeof(*slots), by_time);
			return;
		}
}

/* ---- where times are the same ------------------------------------------- */

struct numbered {
	struct catalog_slot slot;
	char number[CATALOG_NUMBER_MAX + 1];
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	size_t n = strlen(x->number), m = strlen(y->number);

	if (n != m)
		return n < m ? -1 : 1;
	return strcmp(x->number, y->number);
}

static int sort_ties(struct catalog *c, struct catalog_slot *slots, size_t n)
{
	g_autofree struct numbered *all = g_new(struct numbered, n);

	for (size_t i = 0; i < n; i++) {
		struct fragment f;
		int rc = catalog_fragment_get(c, slots[i].id, &f);

		/* It went meanwhile: it is as good as any. */
		if (rc == -ENOENT)
			f.number[0] = '\0';
		else if (rc < 0)
			return rc;
		all[i].slot = slots[i];
		memcpy(all[i].number, f.number, sizeof(all[i].number));
	}
	qsort(all, n, sizeof(*all), by_number);
	for (size_t i = 0; i < n; i++)
		slots[i] = all[i].slot;
	return 0;
}

static int sort_all_ties(struct catalog *c, struct catalog_slot *slots,
			 size_t n)
{
	int rc = 0;

	for (size_t i = 0, k; rc == 0 && i < n; i = k) {
		for (k = i + 1; k < n && slots[k].t_ms == slots[i].t_ms; k++)
			;
		if (k - i > 1)
			rc = sort_ties(c, slots + i, k - i);
	}
	return rc;
}

/* ---- slots -------------------------------------------------------------- */

static int read_slots(struct catalog *c, uint32_t stream,
		      enum catalog_axis axis, int64_t start_ms, int64_t end_ms,
		      int64_t alive_ms, int64_t max_id, GArray *slots)
{
	auto_reading struct reading r;
	int rc;

	if (reading_begin(&r, c, slots_sql[axis]) < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, stream);
	sqlite3_bind_int64(r.stmt, 2, start_ms);
	sqlite3_bind_int64(r.stmt, 3, end_ms);
	sqlite3_bind_int64(r.stmt, 4, alive_ms);
	sqlite3_bind_int64(r.stmt, 5, max_id);
	while ((rc = reading_step(&r)) > 0) {
		struct catalog_slot slot;

		fill(&r, &slot);
		g_array_append_val(slots, slot);
	}
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct catalog_slot *x = *(struct catalog_slot *const *)a;
	const struct catalog_slot *y = *(struct catalog_slot *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Marks by id, of which there are few, and slots by id. */
static int read_marks(struct reading *r, struct catalog_slot **by, size_t n)
{
	size_t i = 0;
	int rc;

	sqlite3_bind_int64(r->stmt, 1, by[0]->id);
	sqlite3_bind_int64(r->stmt, 2, by[n - 1]->id);
	while ((rc = reading_step(r)) > 0) {
		int64_t id = sqlite3_column_int64(r->stmt, 0);

		while (by[i]->id < id)
			i++;
		if (by[i]->id > id) /* of another range */
			continue;
		by[i]->verdict = (uint8_t)sqlite3_column_int(r->stmt, 1);
		by[i]->format = sqlite3_column_int64(r->stmt, 2);
	}
	return rc;
}

static int add_marks(struct catalog *c, struct catalog_slot *slots, size_t n)
{
	auto_reading struct reading r;
	g_autofree struct catalog_slot **by = g_new(struct catalog_slot *, n);

	if (reading_begin(&r, c,
			  "SELECT fragment, verdict, format FROM marks"
			  " WHERE fragment >= ?1 AND fragment <= ?2"
			  " ORDER BY fragment") < 0)
		return -EIO;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		by[i] = &slots[i];
	qsort(by, n, sizeof(struct catalog_slot *), by_id);
	return read_marks(&r, by, n);
}

int catalog_slots(struct catalog *c, uint32_t stream, enum catalog_axis axis,
		  int64_t start_ms, int64_t end_ms, int64_t alive_ms,
		  int64_t max_id, struct catalog_slot **ret_slots,
		  size_t *ret_n)
{
	g_autoptr(GArray)
		slots = g_array_new(FALSE, FALSE, sizeof(struct catalog_slot));
	struct catalog_slot *all;
	int rc = read_slots(c, stream, axis, start_ms, end_ms, alive_ms, max_id,
			    slots);

	all = (struct catalog_slot *)slots->data;
	if (rc == 0)
		rc = add_marks(c, all, slots->len);
	if (rc < 0)
		return rc;
	sort(all, slots->len);
	rc = sort_all_ties(c, all, slots->len);
	if (rc < 0)
		return rc;
	*ret_n = slots->len;
	*ret_slots = (struct catalog_slot *)g_array_free(
		g_steal_pointer(&slots), *ret_n == 0);
	return 0;
}

/* ---- marks -------------------------------------------------------------- */

int catalog_mark_get(struct catalog *c, int64_t id,
		     enum catalog_verdict *ret_verdict, int64_t *ret_format)
{
	auto_reading struct reading r;
	int rc;

	if (reading_begin(&r, c,
			  "SELECT verdict, format FROM marks"
			  " WHERE fragment = ?1") < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, id);
	rc = reading_step(&r);
	if (rc <= 0)
		return rc ? rc : -ENOENT;
	*ret_verdict = (enum catalog_verdict)sqlite3_column_int(r.stmt, 0);
	*ret_format = sqlite3_column_int64(r.stmt, 1);
	return 0;
}

struct mark_job {
	struct job job;
	int64_t id, format;
	enum catalog_verdict verdict;
};

static int mark_write(struct index_conn *conn, void *arg)
{
	struct mark_job *j = arg;
	sqlite3_stmt *s = index_prepare(
		conn, "INSERT OR REPLACE INTO marks(fragment, verdict, format)"
		      " SELECT ?1, ?2, ?3 WHERE EXISTS"
		      " (SELECT 1 FROM fragments WHERE id = ?1)");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->id);
	sqlite3_bind_int(s, 2, (int)j->verdict);
	sqlite3_bind_int64(s, 3, j->format);
	return index_exec(s);
}

void catalog_mark(struct catalog *c, int64_t id, enum catalog_verdict verdict,
		  int64_t format, catalog_done_fn done, void *user)
{
	struct mark_job *j = g_new0(struct mark_job, 1);

	j->job = (struct job){.done = done, .user = user};
	j->id = id;
	j->verdict = verdict;
	j->format = format;
	index_post(c->ix, mark_write, job_done, j);
}

/* ---- formats ------------------------------------------------------------ */

struct format_job {
	struct job job;
	uint32_t stream;
	int64_t format;
	size_t n;
	uint8_t bytes[];
};

static int format_write(struct index_conn *conn, void *arg)
{
	struct format_job *j = arg;
	sqlite3_stmt *s = index_prepare(
		conn, "INSERT OR IGNORE INTO formats(stream, id, bytes)"
		      " VALUES(?1, ?2, ?3)");

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, j->stream);
	sqlite3_bind_int64(s, 2, j->format);
	sqlite3_bind_blob64(s, 3, j->bytes, j->n, SQLITE_STATIC);
	return index_exec(s);
}

void catalog_put_format(struct catalog *c, uint32_t stream, int64_t format,
			const void *bytes, size_t n, catalog_done_fn done,
			void *user)
{
	struct format_job *j = g_malloc0(sizeof(*j) + n);

	j->job = (struct job){.done = done, .user = user};
	j->stream = stream;
	j->format = format;
	j->n = n;
	memcpy(j->bytes, bytes, n);
	index_post(c->ix, format_write, job_done, j);
}

int catalog_format_get(struct catalog *c, uint32_t stream, int64_t format,
		       void **ret_bytes, size_t *ret_n)
{
	auto_reading struct reading r;
	size_t n;
	int rc;

	if (reading_begin(&r, c,
			  "SELECT bytes FROM formats"
			  " WHERE stream = ?1 AND id = ?2") < 0)
		return -EIO;
	sqlite3_bind_int64(r.stmt, 1, stream);
	sqlite3_bind_int64(r.stmt, 2, format);
	rc = reading_step(&r);
	if (rc <= 0)
		return rc ? rc : -ENOENT;
	n = (size_t)sqlite3_column_bytes(r.stmt, 0);
	*ret_bytes = g_memdup2(sqlite3_column_blob(r.stmt, 0), n);
	*ret_n = n;
	return 0;
}
