/* SPDX-License-Identifier: MIT */
#include "fs/mkv/tags.h"

#include "fs/mkv/ids.h"

#include <string.h>

#define AWS_PREFIX   "AWS_KINESISVIDEO_"
#define STALE_PREFIX "_STATISTICS_"

static const char *const stale_names[] = {
	"BPS",
	"DURATION",
	"NUMBER_OF_FRAMES",
	"NUMBER_OF_BYTES",
	"AWS_KINESISVIDEO_MILLIS_BEHIND_NOW",
	"AWS_KINESISVIDEO_CONTINUATION_TOKEN",
};

static bool has_prefix(struct ebml_span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && !memcmp(s.at, prefix, n);
}

/* "BPS-eng": some muxers write a tag's language into its name. */
static struct ebml_span without_language(struct ebml_span name)
{
	if (name.n > 4 && name.at[name.n - 4] == '-')
		name.n -= 4;
	return name;
}

static bool is_stale(struct ebml_span name)
{
	if (has_prefix(name, STALE_PREFIX))
		return true;
	name = without_language(name);
	for (size_t i = 0; i < G_N_ELEMENTS(stale_names); i++)
		if (ebml_string_is(name, stale_names[i]))
			return true;
	return false;
}

int mkv_simple_tag_read(struct ebml_span body, struct mkv_simple_tag *ret_tag)
{
	struct mkv_simple_tag tag = {{body.at, 0}, {body.at, 0}};
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&body, &e)) > 0) {
		if (e.id == MKV_TAG_NAME)
			tag.name = ebml_string(e.body);
		else if (e.id == MKV_TAG_STRING)
			tag.value = ebml_string(e.body);
	}
	if (!rc)
		*ret_tag = tag;
	return rc;
}

int mkv_simple_tag_holds(struct ebml_span body, bool aws_holds,
			 struct mkv_tag_content *content)
{
	struct mkv_simple_tag tag;
	bool aws;
	int rc;

	rc = mkv_simple_tag_read(body, &tag);
	if (rc < 0)
		return rc;
	aws = has_prefix(tag.name, AWS_PREFIX);
	if (is_stale(tag.name) || (aws && !aws_holds)) {
		content->stale = true;
		return 0;
	}
	if (aws)
		content->aws = true;
	else
		content->other = true;
	return 1;
}

int mkv_tag_content(struct ebml_span tag, bool aws_holds,
		    struct mkv_tag_content *ret_content)
{
	struct mkv_tag_content content = {0};
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tag, &e)) > 0) {
		if (e.id == MKV_SIMPLE_TAG)
			rc = mkv_simple_tag_holds(e.body, aws_holds, &content);
		if (rc < 0)
			return rc;
	}
	if (!rc)
		*ret_content = content;
	return rc;
}

int mkv_tags_content(struct ebml_span tags, struct mkv_tag_content *ret_content)
{
	struct mkv_tag_content all = {0}, has = {0};
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tags, &e)) > 0) {
		if (e.id == MKV_TAG)
			rc = mkv_tag_content(e.body, true, &has);
		if (rc < 0)
			return rc;
		all.aws = all.aws || has.aws;
		all.other = all.other || has.other;
		all.stale = all.stale || has.stale;
	}
	if (!rc)
		*ret_content = all;
	return rc;
}

static int read_targets(struct ebml_span targets, uint64_t *ret_uid)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&targets, &e)) > 0) {
		if (e.id == MKV_TAG_TRACK_UID)
			rc = ebml_uint(e.body, ret_uid);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int mkv_tag_track_uid(struct ebml_span tag, uint64_t *ret_uid)
{
	struct ebml_element e;
	uint64_t uid = 0;
	int rc;

	while ((rc = ebml_next(&tag, &e)) > 0) {
		if (e.id == MKV_TARGETS)
			rc = read_targets(e.body, &uid);
		if (rc < 0)
			return rc;
	}
	if (!rc)
		*ret_uid = uid;
	return rc;
}
