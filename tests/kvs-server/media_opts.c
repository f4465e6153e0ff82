/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/media.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum type {
	T_BOOL,
	T_INT,
	T_DOUBLE,
	T_WORD,
	T_OBJECT
};
struct word {
	const char *name;
	int value;
};

static const struct word kinds[] = {{"clip", MEDIA_CLIP},
				    {"connect", MEDIA_CONNECT},
				    {"synthetic", MEDIA_SYNTHETIC},
				    {0}};
static const struct word headers[] = {{"clip", HEADER_CLIP},
				      {"clean", HEADER_CLEAN},
				      {"stale", HEADER_STALE},
				      {0}};
static const struct word cluster_sizes[] = {
	{"known", CLUSTER_KNOWN},
	{"short", CLUSTER_SHORT},
	{"unknown", CLUSTER_UNKNOWN},
	{"unknown-long", CLUSTER_UNKNOWN_LONG},
	{0}};
static const struct word lengths[] = {{"less-last-frame", LENGTH_LESS_LAST},
				      {"full", LENGTH_FULL},
				      {"zero", LENGTH_ZERO},
				      {0}};
static const struct word places[] = {
	{"before-info", USER_TAGS_BEFORE_INFO},
	{"before-cluster", USER_TAGS_BEFORE_CLUSTER},
	{"after-cluster", USER_TAGS_AFTER_CLUSTER},
	{"both", USER_TAGS_BOTH},
	{0}};

#define OFF(field) offsetof(struct media_opts, field)
static const struct {
	const char *name;
	enum type type;
	size_t at;
	const struct word *words;
	int64_t min, max;
} table[] = {
	{"kind", T_WORD, OFF(kind), kinds, 0, 0},
	{"header", T_WORD, OFF(header), headers, 0, 0},
	{"cluster_size", T_WORD, OFF(cluster_size), cluster_sizes, 0, 0},
	{"length", T_WORD, OFF(length), lengths, 0, 0},
	{"user_tags_at", T_WORD, OFF(user_tags_at), places, 0, 0},
	{"user_tags", T_OBJECT, OFF(user_tags), NULL, 0, 0},
	{"side_tags", T_BOOL, OFF(side_tags), NULL, 0, 0},
	{"absolute", T_BOOL, OFF(absolute), NULL, 0, 0},
	{"short_segment", T_BOOL, OFF(short_segment), NULL, 0, 0},
	{"nul_padding", T_BOOL, OFF(nul_padding), NULL, 0, 0},
	{"position", T_BOOL, OFF(position), NULL, 0, 0},
	{"prev_size", T_BOOL, OFF(prev_size), NULL, 0, 0},
	{"crc32", T_BOOL, OFF(crc32), NULL, 0, 0},
	{"block_groups", T_BOOL, OFF(block_groups), NULL, 0, 0},
	{"swap_tracks", T_BOOL, OFF(swap_tracks), NULL, 0, 0},
	{"timescale_ns", T_INT, OFF(timescale_ns), NULL, 100, 1000000000},
	{"void_bytes", T_INT, OFF(void_bytes), NULL, 0, 1 << 24},
	{"tags_bytes", T_INT, OFF(tags_bytes), NULL, 0, 1 << 24},
	{"codec_private_bytes", T_INT, OFF(codec_private_bytes), NULL, 0,
	 1 << 20},
	{"clusters", T_INT, OFF(clusters), NULL, 0, 64},
	{"size_add", T_INT, OFF(size_add), NULL, -(INT64_C(1) << 40),
	 INT64_C(1) << 40},
	{"size_scale", T_DOUBLE, OFF(size_scale), NULL, 0, 1000},
	{"unique_bytes", T_INT, OFF(unique_bytes), NULL, 0, 50 << 20},
	{"payload_bytes", T_INT, OFF(payload_bytes), NULL, 1, 64 << 20},
	{"payload_jitter_bytes", T_INT, OFF(payload_jitter_bytes), NULL, 0,
	 50 << 20},
	{"block_bytes", T_INT, OFF(block_bytes), NULL, 64, 64 << 20},
};
#define N_TABLE (sizeof(table) / sizeof(table[0]))

static const char *set_word(const struct word *words, json_object *v, int *ret)
{
	const char *s = json_object_get_string(v);

	for (; words->name; words++)
		if (s && !strcmp(words->name, s)) {
			*ret = words->value;
			return NULL;
		}
	return "is not one of the words allowed";
}

static const char *set(struct media_opts *o, size_t k, json_object *v)
{
	char *at = (char *)o + table[k].at;
	json_type type = json_object_get_type(v);

	switch (table[k].type) {
	case T_WORD:
		return set_word(table[k].words, v, (int *)(void *)at);
	case T_BOOL:
		if (type != json_type_boolean)
			return "must be true or false";
		*(bool *)at = json_object_get_boolean(v);
		return NULL;
	case T_INT: {
		int64_t n = json_object_get_int64(v);

		if (type != json_type_int || n < table[k].min ||
		    n > table[k].max)
			return "is not a number in range";
		*(int64_t *)(void *)at = n;
		return NULL;
	}
	case T_DOUBLE:
		if (type != json_type_int && type != json_type_double)
			return "must be a number";
		*(double *)(void *)at = json_object_get_double(v);
		return NULL;
	case T_OBJECT:
		if (type != json_type_object)
			return "must be an object";
		*(json_object **)(void *)at = v;
		return NULL;
	}
	return NULL;
}

static void defaults(struct media_opts *o, json_object *json)
{
	json_object *v;

	*o = (struct media_opts){
		.timescale_ns = 1000000,
		.clusters = 1,
		.size_scale = 1,
		.payload_bytes = 100000,
		.block_bytes = 1 << 20,
		.user_tags_at = USER_TAGS_AFTER_CLUSTER,
	};
	if (!json_object_object_get_ex(json, "kind", &v) ||
	    set_word(kinds, v, &o->kind))
		return;
	if (o->kind == MEDIA_CONNECT) {
		o->absolute = true;
		o->cluster_size = CLUSTER_UNKNOWN;
	}
}

int media_opts_parse(json_object *json, struct media_opts *ret,
		     char **ret_error)
{
	struct media_opts o;

	defaults(&o, json);
	if (json && !json_object_is_type(json, json_type_object)) {
		*ret_error = xprintf("media must be an object");
		return -EINVAL;
	}
	if (!json) {
		*ret = o;
		return 0;
	}
	json_object_object_foreach(json, key, v)
	{
		const char *why = "is not an option";

		for (size_t k = 0; k < N_TABLE; k++)
			if (!strcmp(table[k].name, key))
				why = set(&o, k, v);
		if (why) {
			*ret_error = xprintf("media: \"%s\" %s", key, why);
			return -EINVAL;
		}
	}
	if (o.kind == MEDIA_CLIP && o.timescale_ns < 100000) {
		*ret_error = xprintf("media: with a timescale_ns below 100000 "
				     "a Cluster does not fit in 16 bits");
		return -EINVAL;
	}
	*ret = o;
	return 0;
}
