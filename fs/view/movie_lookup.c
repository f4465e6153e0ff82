/* SPDX-License-Identifier: MIT */
/*
 * movie_lookup: a range of a stream becomes a file.  What is in the range is
 * listed, in full, and the stream is calibrated, once; no media is asked for.
 */
#include <errno.h>
#include <stdatomic.h>

#include "fs/base/utc.h"
#include "fs/view/movie.h"

/* Fragments by which the stream is calibrated, should one not be had. */
#define CALIBRATE_TRIES 4
/* A size that changes while it is being shown: as often as that is bad luck. */
#define SHOW_TRIES 5

struct asking {
	struct tree *t;
	archive_ticket ticket;
	struct movie_range range;
	unsigned tries, passed_over;
	tree_entry_fn fn;
	void *user;
};

/* ---- attributes ---------------------------------------------------------- */

/* Is it whole, and will nothing but time or a late upload change it? */
static int64_t entry_ttl_ms(struct tree *t, const struct movie_recipe *r)
{
	int64_t expires_in_ms = r->first_ms - r->alive_ms;

	/* Of names that nobody lists the kernel cannot be told. */
	if (r->range.reach ||
	    !archive_settled(t->a, r->range.stream, r->range.start_ms,
			     r->range.end_ms))
		return t->o.metadata_ttl_ms;
	return MAX(expires_in_ms, t->o.metadata_ttl_ms);
}

static void entry_of(struct tree *t, const struct movie_recipe *r,
		     struct tree_entry *ret_entry)
{
	struct tree_entry e = {.node = r->node,
			       .attr_ttl_ms = TREE_FOR_EVER,
			       .entry_ttl_ms = t->o.metadata_ttl_ms};

	entry_set_file(t, &e, r->ino, r->size_bytes, r->newest_ms);
	*ret_entry = e;
}

int movie_open(struct tree *t, uint64_t node)
{
	struct movie_recipe r;

	return movies_look(t->movies, node, &r);
}

int movie_entry(struct tree *t, uint64_t node, struct tree_entry *ret_entry)
{
	struct movie_recipe r;
	int rc = movies_look(t->movies, node, &r);

	if (rc == 0)
		entry_of(t, &r, ret_entry);
	return rc;
}

/* ---- answers ------------------------------------------------------------- */

static void end(struct asking *q, int rc, const struct tree_entry *e)
{
	q->fn(q->user, rc, e);
	g_free(q);
}

static void absent(struct asking *q)
{
	/* A late upload may bring it, and nobody is told of that. */
	struct tree_entry e = {.entry_ttl_ms = q->t->o.metadata_ttl_ms};

	end(q, -ENOENT, &e);
}

static void found(struct asking *q, const struct movie_recipe *r)
{
	struct tree_entry e;

	entry_of(q->t, r, &e);
	e.entry_ttl_ms = entry_ttl_ms(q->t, r);
	e.may_change = e.entry_ttl_ms > q->t->o.metadata_ttl_ms;
	end(q, 0, &e);
}

/* ---- what is asked, one after the other --------------------------------- */

static void make(struct asking *q);

static void calibrated(void *user, int rc)
{
	struct asking *q = user;

	/* Its own trouble: another will do. */
	if (rc == -EIO && ++q->passed_over < CALIBRATE_TRIES)
		rc = 0;
	if (rc < 0)
		end(q, rc, NULL);
	else
		make(q);
}

static int state_of(struct tree *t, uint32_t stream,
		    struct movie_state *ret_state)
{
	struct catalog_stream row;
	int rc = catalog_stream_get(t->c, stream, &row);

	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc;
	*ret_state = (struct movie_state){row.fragments, row.total_bytes,
					  row.slack_bytes,
					  atomic_load(t->facts)};
	catalog_stream_release(&row);
	return 0;
}

static void make(struct asking *q)
{
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s =
		archive_stream_by_id(q->t->a, q->range.stream, &streams);
	struct movie_recipe r = {.range = q->range, .max_id = INT64_MAX};
	struct movie_layout *l;
	int64_t fragment;
	int rc = -ESTALE;

	if (s) {
		r.alive_ms = archive_alive_ms(q->t->a, s);
		rc = state_of(q->t, s->id, &r.state);
	}
	if (rc == 0 && movies_show_again(q->t->movies, &q->range, &r.state,
					 r.alive_ms, &r)) {
		r.alive_ms = archive_alive_ms(q->t->a, s);
		found(q, &r);
		return;
	}
	if (rc == 0)
		rc = catalog_last_id(q->t->c, &r.max_id);
	if (rc == 0)
		rc = movie_build(q->t, s, &r, &l);
	if (rc == 0) {
		movies_show(q->t->movies, &r, l);
		found(q, &r);
	} else if (rc == -ENOENT)
		absent(q);
	else if (rc != -EAGAIN)
		end(q, rc, NULL);
	else if ((fragment = movie_sizeless(q->t, &r, q->passed_over)))
		archive_calibrate(q->t->a, q->ticket, fragment, calibrated, q);
	else if (q->passed_over > 0 || q->tries++ >= SHOW_TRIES)
		end(q, -EIO, NULL);
	else
		make(q);
	movie_recipe_release(&r);
}

static void listed(void *user, int rc)
{
	struct asking *q = user;

	if (rc < 0)
		end(q, rc, NULL);
	else
		make(q);
}

static bool holds(struct tree *t, const struct archive_stream *s,
		  int64_t start_ms, int64_t end_ms)
{
	return archive_state(t->a, s, start_ms, end_ms) == ARCHIVE_HOLDS;
}

void movie_lookup(struct tree *t, archive_ticket ticket,
		  const struct archive_stream *s, const struct movie_range *r,
		  tree_entry_fn fn, void *user)
{
	struct asking *q = g_new0(struct asking, 1);
	int64_t start_ms = r->start_ms - (r->reach ? MOVIE_REACH_MS : 0);
	int64_t w_start_ms, w_end_ms, from_ms, to_ms;

	*q = (struct asking){t, ticket, *r, 0, 0, fn, user};
	bucket_window(t, s, &w_start_ms, &w_end_ms);
	/* Outside of the window nobody is asked: what a wrong clock put there
	   is in the catalog. */
	from_ms = MAX(start_ms, utc_floor(w_start_ms, UTC_MINUTE_MS));
	to_ms = MIN(r->end_ms, utc_floor(w_end_ms, UTC_HOUR_MS) + UTC_HOUR_MS);
	if (from_ms >= to_ms)
		make(q);
	else
		archive_list(t->a, ticket, s->id, from_ms, to_ms,
			     holds(t, s, start_ms, r->end_ms)
				     ? ARCHIVE_LIST_KNOWN
				     : ARCHIVE_LIST_FRESH,
			     listed, q);
}
