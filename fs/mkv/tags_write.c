/* SPDX-License-Identifier: MIT */
/* The Tags of a header written anew. */
#include "fs/mkv/tags.h"

#include "fs/mkv/ids.h"

#include <errno.h>

static int write_tag(GByteArray *out, struct ebml_span tag, bool aws_holds)
{
	size_t opened = ebml_open(out, MKV_TAG);
	struct mkv_tag_content ignored = {0};
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tag, &e)) > 0) {
		bool holds = e.id != MKV_CRC32 && e.id != MKV_VOID;

		if (e.id == MKV_SIMPLE_TAG) {
			rc = mkv_simple_tag_holds(e.body, aws_holds, &ignored);
			if (rc < 0)
				return rc;
			holds = rc;
		}
		if (holds)
			g_byte_array_append(out, e.whole.at, (guint)e.whole.n);
	}
	ebml_close(out, opened);
	return rc;
}

/* The Tags that have something of the service's, or those that have not. */
static int write_tags(GByteArray *out, struct ebml_span tags, bool aws_holds,
		      bool want_aws)
{
	struct mkv_tag_content has;
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tags, &e)) > 0) {
		if (e.id != MKV_TAG)
			continue;
		rc = mkv_tag_content(e.body, aws_holds, &has);
		if (!rc && has.aws == want_aws && (has.aws || has.other))
			rc = write_tag(out, e.body, aws_holds);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* Where the last Tags starts that has any of the service's; else NULL. */
static int find_aws(struct ebml_span elements, const uint8_t **ret_at)
{
	const uint8_t *at = NULL;
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&elements, &e)) > 0) {
		struct mkv_tag_content has = {0};

		if (e.id == MKV_TAGS)
			rc = mkv_tags_content(e.body, &has);
		if (rc < 0)
			return rc;
		if (has.aws)
			at = e.whole.at;
	}
	if (!rc)
		*ret_at = at;
	return rc;
}

static int write_all(GByteArray *out, struct ebml_span elements,
		     const uint8_t *aws_at, bool want_aws)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&elements, &e)) > 0) {
		if (e.id == MKV_TAGS)
			rc = write_tags(out, e.body, e.whole.at == aws_at,
					want_aws);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int mkv_tags_write(GByteArray *out, struct ebml_span elements)
{
	guint before = out->len;
	const uint8_t *aws_at;
	size_t opened;
	int rc;

	rc = find_aws(elements, &aws_at);
	if (rc < 0)
		return rc;
	opened = ebml_open(out, MKV_TAGS);
	rc = write_all(out, elements, aws_at, true);
	if (!rc)
		rc = write_all(out, elements, aws_at, false);
	if (rc < 0)
		return rc;
	if (out->len == opened)
		g_byte_array_set_size(out, before);
	else
		ebml_close(out, opened);
	return 0;
}
