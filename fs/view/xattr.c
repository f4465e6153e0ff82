/* SPDX-License-Identifier: MIT */
/*
 * xattr: what a name cannot carry.  What changes with the cache answers by
 * name but is not listed, or `rsync -X` would copy for ever.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fs/base/utc.h"
#include "fs/view/movie.h"

#define PREFIX "user.kvs."

typedef GBytes *(*value_fn)(struct tree *t, const struct file *f);

static GBytes *text(const char *s)
{
	return g_bytes_new(s, strlen(s));
}

static GBytes *integer(int64_t value)
{
	char digits[24];

	g_snprintf(digits, sizeof(digits), "%" PRId64, value);
	return text(digits);
}

static GBytes *iso(int64_t t_ms)
{
	char out[UTC_ISO_SIZE];

	utc_format_iso(t_ms, out);
	return text(out);
}

static GBytes *fragment_number(struct tree *t, const struct file *f)
{
	return text(f->f.number);
}

static GBytes *producer_timestamp(struct tree *t, const struct file *f)
{
	return iso(f->f.producer_ms);
}

static GBytes *server_timestamp(struct tree *t, const struct file *f)
{
	return iso(f->f.server_ms);
}

static GBytes *length_ms(struct tree *t, const struct file *f)
{
	return integer(f->f.length_ms);
}

static GBytes *size_bytes(struct tree *t, const struct file *f)
{
	return integer(f->f.size_bytes);
}

static GBytes *cached(struct tree *t, const struct file *f)
{
	return integer(archive_cached(t->a, &f->f));
}

/* NULL until it was fetched. */
static GBytes *payload_bytes(struct tree *t, const struct file *f)
{
	return f->f.payload_bytes < 0 ? NULL : integer(f->f.payload_bytes);
}

static const struct {
	const char *name;
	bool listed;
	value_fn value;
} of_files[] = {
	{PREFIX "fragment_number", true, fragment_number},
	{PREFIX "producer_timestamp", true, producer_timestamp},
	{PREFIX "server_timestamp", true, server_timestamp},
	{PREFIX "length_ms", true, length_ms},
	{PREFIX "size_bytes", true, size_bytes},
	{PREFIX "cached", false, cached},
	{PREFIX "payload_bytes", false, payload_bytes},
};
#define STREAM_ARN PREFIX "stream_arn"

static int file_xattr(struct tree *t, int64_t fragment, const char *name,
		      GBytes **ret_value)
{
	struct file auto_file f = {0};
	GBytes *value;
	int rc = file_at(t, fragment, &f);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < G_N_ELEMENTS(of_files); i++) {
		if (strcmp(of_files[i].name, name) != 0)
			continue;
		value = of_files[i].value(t, &f);
		if (!value)
			return -ENODATA;
		*ret_value = value;
		return 0;
	}
	return -ENODATA;
}

/* ---- movies -------------------------------------------------------------- */

#define FRAGMENTS PREFIX "fragments"
#define SKIPPED	  PREFIX "skipped" /* changes as more is found out */

static int movie_xattr(struct tree *t, uint64_t node, const char *name,
		       GBytes **ret_value)
{
	struct movie auto_movie *m = NULL;
	g_autoptr(GPtrArray) streams = NULL;
	const struct archive_stream *s;
	int rc = movie_at(t, node, &m);

	if (rc < 0)
		return rc;
	if (strcmp(name, FRAGMENTS) == 0) {
		*ret_value = integer((int64_t)movie_layout(m)->n);
		return 0;
	}
	if (strcmp(name, SKIPPED) == 0) {
		*ret_value = integer((int64_t)movie_skipped(t, m));
		return 0;
	}
	s = archive_stream_by_id(t->a, movie_recipe(m)->range.stream, &streams);
	if (strcmp(name, STREAM_ARN) != 0 || !s)
		return -ENODATA;
	*ret_value = text(s->arn);
	return 0;
}

/* ---- all ----------------------------------------------------------------- */

int tree_xattr(struct tree *t, uint64_t node, const char *name,
	       GBytes **ret_value)
{
	struct place auto_place p = {0};
	int rc;

	if (!g_str_has_prefix(name, PREFIX))
		return -EOPNOTSUPP;
	rc = place_at(t, node, &p);
	if (rc < 0)
		return rc;
	if (p.role == ROLE_FILE)
		return file_xattr(t, p.node.fragment, name, ret_value);
	if (p.role == ROLE_MOVIE)
		return movie_xattr(t, node, name, ret_value);
	if (!p.stream || strcmp(name, STREAM_ARN) != 0)
		return -ENODATA;
	*ret_value = text(p.stream->arn);
	return 0;
}

int tree_xattr_list(struct tree *t, uint64_t node, GBytes **ret_names)
{
	g_autoptr(GByteArray) names = g_byte_array_new();
	struct place auto_place p = {0};
	int rc = place_at(t, node, &p);

	if (rc < 0)
		return rc;
	if (p.role == ROLE_MOVIE || p.stream)
		g_byte_array_append(names, (const guint8 *)STREAM_ARN,
				    sizeof(STREAM_ARN));
	if (p.role == ROLE_MOVIE)
		g_byte_array_append(names, (const guint8 *)FRAGMENTS,
				    sizeof(FRAGMENTS));
	for (size_t i = 0; p.role == ROLE_FILE && i < G_N_ELEMENTS(of_files);
	     i++) {
		const char *name = of_files[i].name;

		if (of_files[i].listed)
			g_byte_array_append(names, (const guint8 *)name,
					    (guint)strlen(name) + 1);
	}
	*ret_names = g_byte_array_free_to_bytes(g_steal_pointer(&names));
	return 0;
}
