/* SPDX-License-Identifier: MIT */
/*
 * movie_facts: what is known for good of single fragments, and why it is left
 * out of movies.  A moment's trouble is never a fact.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <stdatomic.h>
#include <stdlib.h>

#include "fs/view/movie.h"

struct mkv_format *movie_fact_format(struct tree *t, uint32_t stream,
				     int64_t id)
{
	struct mkv_format *f = NULL;
	void *bytes = NULL;
	size_t n;

	if (id == 0 || catalog_format_get(t->c, stream, id, &bytes, &n) < 0)
		return NULL;
	/* What cannot be read is learnt anew from the fragment. */
	if (mkv_format_unpack(bytes, n, &f) < 0)
		f = NULL;
	free(bytes);
	return f;
}

static bool is_unlike(struct tree *t, uint32_t stream, int64_t id,
		      const struct mkv_format *format)
{
	struct mkv_format *its;
	bool unlike;

	if (!format || id == 0 || id == format->id)
		return false;
	its = movie_fact_format(t, stream, id);
	unlike = its && its->decoder_id != format->decoder_id;
	mkv_format_free(its);
	return unlike;
}

bool movie_fact_is_out(struct tree *t, uint32_t stream,
		       enum catalog_verdict verdict, int64_t format_id,
		       const struct mkv_format *format)
{
	switch (verdict) {
	case CATALOG_NOT_FOUND:
	case CATALOG_NO_CLUSTER:
	case CATALOG_UNFIT:
		return true;
	case CATALOG_USABLE:
	case CATALOG_OVERLAPS: /* of another layout */
	case CATALOG_OTHER_FORMAT:
		break;
	}
	return is_unlike(t, stream, format_id, format);
}

/* From now on layouts are without it. */
static void marked(void *user, int rc)
{
	_Atomic unsigned *facts = user;

	atomic_fetch_add(facts, 1);
	g_atomic_rc_box_release(facts);
}

void movie_fact_out(struct tree *t, int64_t fragment,
		    enum catalog_verdict verdict, int64_t format,
		    const char *why)
{
	enum catalog_verdict was = CATALOG_USABLE;
	int64_t its;
	struct file auto_file f = {0};

	if (catalog_mark_get(t->c, fragment, &was, &its) == 0 && was == verdict)
		return; /* it was said */
	catalog_mark(t->c, fragment, verdict, format, marked,
		     g_atomic_rc_box_acquire(t->facts));
	if (file_at(t, fragment, &f) == 0)
		g_warning("stream %s, fragment %s is left out of movies: %s",
			  f.stream->name, f.f.number, why);
}

void movie_fact_keep_format(struct tree *t, uint32_t stream,
			    const struct mkv_format *format)
{
	g_autoptr(GBytes) packed = mkv_format_pack(format);
	gsize n;
	const void *bytes = g_bytes_get_data(packed, &n);

	catalog_put_format(t->c, stream, format->id, bytes, n, NULL, NULL);
}

void movie_fact_usable(struct tree *t, uint32_t stream, int64_t fragment,
		       const struct mkv_format *format)
{
	enum catalog_verdict was;
	int64_t its = 0;

	if (catalog_mark_get(t->c, fragment, &was, &its) == 0 &&
	    its == format->id)
		return;
	movie_fact_keep_format(t, stream, format);
	catalog_mark(t->c, fragment, CATALOG_USABLE, format->id, NULL, NULL);
}
