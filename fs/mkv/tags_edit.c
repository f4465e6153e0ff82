/* SPDX-License-Identifier: MIT */
/* What becomes Void of a Tags element among the media. */
#include "fs/mkv/tags.h"

#include "fs/mkv/ids.h"
#include "fs/mkv/void.h"

#include <errno.h>

/* e lies in base, which may be changed. */
static void make_void(uint8_t *base, const struct ebml_element *e)
{
	mkv_void_in_place(base + (e->whole.at - base), e->whole.n);
}

static int edit_tag(uint8_t *base, struct ebml_span tag)
{
	struct mkv_tag_content ignored = {0};
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tag, &e)) > 0) {
		bool holds = e.id != MKV_CRC32;

		if (e.id == MKV_SIMPLE_TAG) {
			rc = mkv_simple_tag_holds(e.body, true, &ignored);
			if (rc < 0)
				return rc;
			holds = rc;
		}
		if (!holds)
			make_void(base, &e);
	}
	return rc;
}

static int edit_tags(uint8_t *base, struct ebml_span tags)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tags, &e)) > 0) {
		struct mkv_tag_content has = {0};

		if (e.id == MKV_TAG)
			rc = mkv_tag_content(e.body, true, &has);
		if (rc >= 0 && has.stale && (has.aws || has.other))
			rc = edit_tag(base, e.body);
		else if (rc >= 0 && (has.stale || e.id == MKV_CRC32))
			make_void(base, &e);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int mkv_tags_edit(uint8_t *element, size_t n)
{
	struct ebml_span rest = {element, n};
	struct mkv_tag_content all = {0};
	struct ebml_element tags;
	int rc;

	rc = ebml_next(&rest, &tags);
	if (rc > 0)
		rc = mkv_tags_content(tags.body, &all);
	if (rc < 0 || !all.stale)
		return rc;
	if (!all.aws && !all.other) {
		make_void(element, &tags);
		return 0;
	}
	return edit_tags(element, tags.body);
}
