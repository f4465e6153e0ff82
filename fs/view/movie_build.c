/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/base.h"
#include "fs/base/utc.h"
#include "fs/view/movie.h"

/* ---- rows --------------------------------------------------------------- */

/*
 * The service keeps 50 MB a fragment at most: what is listed as ten times that
 * is no fragment (reading it says so), and no part of a movie.
 */
#define SLOT_MAX_BYTES (INT64_C(512) << 20)

struct rows {
	struct catalog_slot *all;      /* free() */
	const struct catalog_slot *at; /* those of the movie */
	size_t n;
};

static void rows_release(struct rows *r)
{
	free(r->all);
}
#define auto_rows __attribute__((cleanup(rows_release)))

static size_t drop_giants(struct catalog_slot *all, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (all[i].file_bytes <= SLOT_MAX_BYTES)
			all[kept++] = all[i];
	return kept;
}

static int rows_read(struct tree *t, const struct movie_recipe *r,
		     struct rows *ret_rows)
{
	const struct movie_range *range = &r->range;
	struct rows rows = {0};
	size_t n, first, end;
	int64_t from_ms = range->start_ms;
	int rc;

	if (range->reach)
		from_ms -= MOVIE_REACH_MS;
	rc = catalog_slots(t->c, range->stream, t->o.axis, from_ms,
			   range->end_ms, r->alive_ms, r->max_id, &rows.all,
			   &n);
	if (rc < 0)
		return rc;
	n = drop_giants(rows.all, n);
	movie_layout_choose(rows.all, n, range->start_ms, range->reach, &first,
			    &end);
	rows.n = end - first;
	if (rows.n == 0) {
		rows_release(&rows);
		return -ENOENT;
	}
	rows.at = rows.all + first;
	*ret_rows = rows;
	return 0;
}

/* The numbers are long: they are read where they matter. */
static int by_number(void *user, int64_t a, int64_t b)
{
	struct tree *t = user;
	struct fragment x, y;
	size_t n, m;

	/* Gone meanwhile: then what is laid out does not hold either. */
	if (catalog_fragment_get(t->c, a, &x) < 0 ||
	    catalog_fragment_get(t->c, b, &y) < 0)
		return a < b ? -1 : 1;
	n = strlen(x.number);
	m = strlen(y.number);
	if (n != m)
		return n < m ? -1 : 1;
	return strcmp(x.number, y.number);
}

/* ---- sizes -------------------------------------------------------------- */

/*
 * Sizes that are about to be told stay what they are.  -EAGAIN: the stream's
 * slack has changed since the rows were read.
 */
static int show(struct tree *t, const struct rows *rows)
{
	const struct catalog_slot *first = NULL;
	struct fragment f;
	int rc;

	for (size_t i = 0; i < rows->n && !first; i++)
		if (!rows->at[i].shown)
			first = &rows->at[i];
	if (!first)
		return 0;
	rc = catalog_fragment_get(t->c, first->id, &f);
	if (rc < 0)
		return rc == -ENOENT ? -EAGAIN : rc;
	if (f.file_bytes != first->file_bytes)
		return -EAGAIN;
	if (!f.shown)
		catalog_show(t->c, f.stream, t->o.axis, rows->at[0].t_ms,
			     rows->at[rows->n - 1].t_ms + 1,
			     f.file_bytes - f.size_bytes);
	return 0;
}

static int64_t without_size(const struct rows *rows, size_t pass_over)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->at[i].file_bytes < 0 && pass_over-- == 0)
			return rows->at[i].id;
	return 0;
}

int64_t movie_sizeless(struct tree *t, const struct movie_recipe *r,
		       size_t pass_over)
{
	struct rows auto_rows rows = {0};

	return rows_read(t, r, &rows) < 0 ? 0 : without_size(&rows, pass_over);
}

/* ---- what is left out ---------------------------------------------------- */

static void leave_out_again(struct movie_layout *l, const GArray *out)
{
	for (guint i = 0; i < out->len; i++) {
		uint32_t slot = g_array_index(out, uint32_t, i);

		if (slot < l->n)
			movie_layout_leave_out(l, slot);
	}
}

/* The first that can be shown says what the others have to be like. */
static GArray *leave_out_known(struct tree *t, uint32_t stream,
			       const struct rows *rows, struct movie_layout *l)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	struct mkv_format *format = NULL;
	bool first = true;

	for (size_t i = 0; i < l->n; i++) {
		const struct catalog_slot *row = &rows->at[i];
		const uint32_t slot = (uint32_t)i;

		if (l->slots[i].lost)
			continue;
		if (movie_fact_is_out(t, stream,
				      (enum catalog_verdict)row->verdict,
				      row->format, format)) {
			movie_layout_leave_out(l, i);
			g_array_append_val(out, slot);
			continue;
		}
		if (first)
			format = movie_fact_format(t, stream, row->format);
		first = false;
	}
	mkv_format_free(format);
	return out;
}

static void say_lost(struct tree *t, const struct rows *rows,
		     const struct movie_layout *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->slots[i].lost && rows->at[i].verdict != CATALOG_OVERLAPS)
			movie_fact_out(t, rows->at[i].id, CATALOG_OVERLAPS, 0,
				       "it overlaps one with a lower number");
}

/* ---- the whole ----------------------------------------------------------- */

/* " 13:05:02", with milliseconds where there are some. */
static void append_time(GString *s, int64_t t_ms, bool day)
{
	struct utc u = utc_from_ms(t_ms);

	if (day)
		g_string_append_printf(s, " %04d-%02d-%02d", u.year, u.month,
				       u.day);
	g_string_append_printf(s, " %02d:%02d:%02d", u.hour, u.minute,
			       u.second);
	if (u.ms)
		g_string_append_printf(s, ".%03d", u.ms);
}

static char *title_of(const struct archive_stream *s,
		      const struct movie_range *r)
{
	GString *title = g_string_new(s->name);
	bool days = utc_floor(r->start_ms, UTC_DAY_MS) !=
		    utc_floor(r->end_ms, UTC_DAY_MS);

	append_time(title, r->start_ms, true);
	g_string_append(title, " \xe2\x80\x93"); /* an en dash */
	append_time(title, r->end_ms, days);
	g_string_append(title, " UTC");
	return g_string_free(title, FALSE);
}

static int64_t first_ms(const struct rows *rows)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < rows->n; i++)
		first = MIN(first, rows->at[i].server_ms);
	return first;
}

static void complete(const struct archive_stream *s, const struct rows *rows,
		     const struct movie_layout *l, struct movie_recipe *r)
{
	const struct node n = {.kind = NODE_MOVIE,
			       .movie = l->rows_fingerprint ^
					(uint64_t)r->range.start_ms << 20 ^
					(uint64_t)r->range.end_ms ^
					(uint64_t)r->range.stream << 44};

	r->node = node_number(&n);
	r->ino = node_ino_movie(node_ino_stream(s->arn), r->range.start_ms,
				r->range.end_ms, l->fingerprint);
	r->rows_fingerprint = l->rows_fingerprint;
	r->size_bytes = movie_layout_bytes(l);
	r->newest_ms = l->newest_ms;
	r->first_ms = first_ms(rows);
}

int movie_build(struct tree *t, const struct archive_stream *s,
		struct movie_recipe *r, struct movie_layout **ret_layout)
{
	struct rows auto_rows rows = {0};
	g_autofree char *title = title_of(s, &r->range);
	struct movie_layout *l;
	int rc = rows_read(t, r, &rows);

	if (rc < 0)
		return rc;
	if (without_size(&rows, 0))
		return -EAGAIN;
	l = movie_layout_new(rows.at, rows.n, by_number, t);
	if (r->out) {
		leave_out_again(l, r->out);
		movie_layout_seal(l, title, t->o.clock);
		*ret_layout = l;
		return 0;
	}
	rc = show(t, &rows);
	if (rc < 0) {
		movie_layout_free(l);
		return rc;
	}
	r->out = leave_out_known(t, r->range.stream, &rows, l);
	say_lost(t, &rows, l);
	movie_layout_seal(l, title, t->o.clock);
	complete(s, &rows, l, r);
	*ret_layout = l;
	return 0;
}

static int build_again(struct tree *t, struct movie_recipe *r,
		       struct movie **ret_movie)
{
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s =
		archive_stream_by_id(t->a, r->range.stream, &streams);
	struct movie_layout *l = NULL;
	int rc;

	if (!s)
		return -ESTALE;
	rc = movie_build(t, s, r, &l);
	if (rc == -ENOENT || rc == -EAGAIN ||
	    (rc == 0 && l->rows_fingerprint != r->rows_fingerprint))
		rc = -ESTALE;
	if (rc < 0) {
		movie_layout_free(l);
		return rc;
	}
	*ret_movie = movies_keep(t->movies, r, l);
	return 0;
}

int movie_at(struct tree *t, uint64_t node, struct movie **ret_movie)
{
	struct movie_recipe r = {0};
	struct movie *m = NULL;
	int rc = movies_get(t->movies, node, &m, &r);

	if (rc == 0 && !m)
		rc = build_again(t, &r, &m);
	movie_recipe_release(&r);
	if (rc == -ESTALE)
		movies_spoil(t->movies, node);
	if (rc == 0)
		*ret_movie = m;
	return rc;
}

size_t movie_skipped(struct tree *t, struct movie *m)
{
	const struct movie_layout *l = movie_layout(m);
	const struct movie_recipe *r = movie_recipe(m);
	struct rows auto_rows rows = {0};
	size_t skipped = l->n_left_out;

	/* Some have expired: what was known when it was laid out. */
	if (rows_read(t, r, &rows) < 0 || rows.n != l->n)
		return skipped;
	for (size_t i = 0; i < l->n; i++)
		skipped += !l->slots[i].left_out &&
			   movie_fact_is_out(
				   t, r->range.stream,
				   (enum catalog_verdict)rows.at[i].verdict,
				   rows.at[i].format, movie_format(m));
	return skipped;
}
