/* SPDX-License-Identifier: MIT */
/*
 * bucket: which folders of time there are.  Inside the stream's window all but
 * those that are known to be empty; outside of it (a producer's clock was
 * wrong) those that are known to hold something.
 */
#include <errno.h>

#include "fs/base/utc.h"
#include "fs/view/internal.h"

void bucket_window(struct tree *t, const struct archive_stream *s,
		   int64_t *ret_start_ms, int64_t *ret_end_ms)
{
	int64_t start_ms, end_ms;

	archive_window(t->a, s, &start_ms, &end_ms);
	start_ms = CLAMP(start_ms, PATH_FIRST_MS, PATH_END_MS);
	end_ms = CLAMP(end_ms, PATH_FIRST_MS, PATH_END_MS);
	if (s->retention_ms <= 0 || start_ms > end_ms)
		start_ms = end_ms;
	*ret_start_ms = start_ms;
	*ret_end_ms = end_ms;
}

bool bucket_in_window(struct tree *t, const struct archive_stream *s,
		      int64_t start_ms, int64_t end_ms)
{
	int64_t w_start_ms, w_end_ms;

	bucket_window(t, s, &w_start_ms, &w_end_ms);
	return start_ms < w_end_ms && end_ms > w_start_ms;
}

bool bucket_shown(struct tree *t, const struct archive_stream *s,
		  int64_t start_ms, int64_t end_ms)
{
	switch (archive_state(t->a, s, start_ms, end_ms)) {
	case ARCHIVE_HOLDS:
		return true;
	case ARCHIVE_EMPTY:
		return false;
	case ARCHIVE_UNKNOWN:
		break;
	}
	return bucket_in_window(t, s, start_ms, end_ms);
}

/* From one fragment to the next bucket: a call for each that holds some. */
static int hop(struct tree *t, const struct archive_stream *s, int64_t from_ms,
	       int64_t end_ms, int64_t unit_ms, GArray *starts)
{
	int64_t alive_ms = archive_alive_ms(t->a, s);
	int64_t found_ms, start_ms;
	int rc;

	while (from_ms < end_ms) {
		rc = catalog_next_time(t->c, s->id, t->o.axis, from_ms, end_ms,
				       alive_ms, &found_ms);
		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		start_ms = utc_floor(found_ms, unit_ms);
		g_array_append_val(starts, start_ms);
		from_ms = start_ms + unit_ms;
	}
	return 0;
}

int bucket_list(struct tree *t, const struct place *p, GArray *starts)
{
	const struct archive_stream *s = p->stream;
	int64_t unit_ms = path_unit_ms(place_unit(p));
	int64_t start_ms, end_ms;
	int rc;

	bucket_window(t, s, &start_ms, &end_ms);
	if (start_ms >= end_ms || start_ms >= p->end_ms ||
	    end_ms <= p->start_ms)
		return hop(t, s, p->start_ms, p->end_ms, unit_ms, starts);
	start_ms = MAX(utc_floor(start_ms, unit_ms), p->start_ms);
	end_ms = MIN(utc_floor(end_ms + unit_ms - 1, unit_ms), p->end_ms);
	rc = hop(t, s, p->start_ms, start_ms, unit_ms, starts);
	if (rc < 0)
		return rc;
	for (; start_ms < end_ms; start_ms += unit_ms)
		if (bucket_shown(t, s, start_ms, start_ms + unit_ms))
			g_array_append_val(starts, start_ms);
	return hop(t, s, end_ms, p->end_ms, unit_ms, starts);
}
