/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/config.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/stream_json.h"

struct config {
	struct clip **clips;
	size_t n_clips;
	struct media **medias;
	size_t n_medias;
	json_object **jsons; /* medias point into them */
	size_t n_jsons;
};

struct config *config_new(void)
{
	return xcalloc(1, sizeof(struct config));
}

void config_free(struct config *c, struct server *s)
{
	for (size_t i = 0; i < s->n_streams; i++)
		stream_free(s->streams[i]);
	free(s->streams);
	for (size_t i = 0; i < c->n_medias; i++)
		media_free(c->medias[i]);
	for (size_t i = 0; i < c->n_clips; i++)
		clip_free(c->clips[i]);
	for (size_t i = 0; i < c->n_jsons; i++)
		json_object_put(c->jsons[i]);
	free(c->medias);
	free(c->clips);
	free(c->jsons);
	free(c);
}

static void *push(void *list, size_t *n, void *item)
{
	void **grown = xrealloc(list, (*n + 1) * sizeof(void *));

	grown[(*n)++] = item;
	return grown;
}

static const struct clip *get_clip(struct config *c, const char *path,
				   char **ret_error)
{
	for (size_t i = 0; i < c->n_clips; i++)
		if (!strcmp(c->clips[i]->path, path))
			return c->clips[i];
	struct clip *clip = clip_load(path, ret_error);

	if (clip)
		c->clips = push(c->clips, &c->n_clips, clip);
	return clip;
}

static json_object *merged(json_object *defaults, json_object *own)
{
	json_object *all = json_object_new_object();

	if (json_object_is_type(defaults, json_type_object)) {
		json_object_object_foreach(defaults, key, v)
		{
			json_object_object_add(all, key, json_object_get(v));
		}
	}
	json_object_object_foreach(own, key2, v2)
	{
		json_object_object_add(all, key2, json_object_get(v2));
	}
	return all;
}

/* What "media" and "clip" of an object say; clip: where that has none. */
static int media_from_json(struct config *c, const struct server *s,
			   json_object *json, const char *dir,
			   const struct clip **clip, struct media **ret_media,
			   char **ret_error)
{
	json_object *v, *media_json = NULL;
	struct media_opts o;

	json_object_object_get_ex(json, "media", &media_json);
	int rc = media_opts_parse(media_json, &o, ret_error);

	if (rc)
		return rc;
	/* "clip": null undoes a default. */
	if (json_object_object_get_ex(json, "clip", &v) && v) {
		const char *name = json_object_get_string(v);
		auto_char *path = *name == '/' ? xstrdup(name)
					       : xprintf("%s/%s", dir, name);

		*clip = get_clip(c, path, ret_error);
		if (!*clip)
			return -EINVAL;
	} else if (o.kind == MEDIA_CLIP && !*clip) {
		*ret_error = xprintf("a stream needs a clip, or media of "
				     "another kind");
		return -EINVAL;
	}
	*ret_media = media_new(&o, *clip, s->seed);
	c->medias = push(c->medias, &c->n_medias, *ret_media);
	return 0;
}

/* "later": [{"from": TIME, "media": {...}, "clip": ...}, ...]. */
static int add_later(struct config *c, const struct server *s,
		     json_object *json, const char *dir, int64_t now_ms,
		     const struct clip *of_stream, struct stream *stream,
		     char **ret_error)
{
	if (!json_object_is_type(json, json_type_array)) {
		*ret_error = xprintf("\"later\" is not a list");
		return -EINVAL;
	}
	size_t n = json_object_array_length(json);

	stream->later = xcalloc(n, sizeof(*stream->later));
	for (size_t i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(json, i), *v;
		const struct clip *clip = of_stream;
		struct later *l = &stream->later[i];
		struct media *m = NULL;

		if (!json_object_object_get_ex(one, "from", &v) ||
		    !time_parse(json_object_get_string(v), now_ms,
				&l->from_ms) ||
		    (i > 0 && l->from_ms < l[-1].from_ms)) {
			*ret_error = xprintf("\"later\" needs \"from\", a "
					     "time after the one before");
			return -EINVAL;
		}
		int rc = media_from_json(c, s, one, dir, &clip, &m, ret_error);

		if (rc)
			return rc;
		l->media = m;
		stream->n_later++;
	}
	return 0;
}

/* One stream, or as many as "copies" says. */
static int add(struct config *c, struct server *s, json_object *json,
	       const char *dir, int64_t now_ms, char **ret_error)
{
	const struct clip *clip = NULL;
	struct media *m = NULL;
	int64_t copies = 1;
	json_object *v;

	c->jsons = push(c->jsons, &c->n_jsons, json);
	int rc = media_from_json(c, s, json, dir, &clip, &m, ret_error);

	if (rc)
		return rc;
	if (json_object_object_get_ex(json, "copies", &v))
		copies = json_object_get_int64(v);
	for (int64_t i = 0; i < copies; i++) {
		struct stream *stream = NULL;

		rc = stream_from_json(json, m, clip, s, now_ms,
				      copies > 1 ? i : -1, &stream, ret_error);
		if (rc)
			return rc;
		s->streams = push(s->streams, &s->n_streams, stream);
		if (json_object_object_get_ex(json, "later", &v))
			rc = add_later(c, s, v, dir, now_ms, clip, stream,
				       ret_error);
		if (rc)
			return rc;
	}
	return 0;
}

static int from_json(struct config *c, struct server *s, json_object *root,
		     const char *dir, int64_t now_ms, char **ret_error)
{
	json_object *list, *defaults = NULL;

	if (!json_object_object_get_ex(root, "streams", &list) ||
	    !json_object_is_type(list, json_type_array)) {
		*ret_error = xprintf("no \"streams\"");
		return -EINVAL;
	}
	json_object_object_get_ex(root, "defaults", &defaults);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *own = json_object_array_get_idx(list, i);

		if (!json_object_is_type(own, json_type_object)) {
			*ret_error = xprintf("stream %zu is not an object", i);
			return -EINVAL;
		}
		int rc = add(c, s, merged(defaults, own), dir, now_ms,
			     ret_error);

		if (rc) {
			auto_char *why = *ret_error;

			*ret_error = xprintf("stream %zu: %s", i, why);
			return rc;
		}
	}
	return 0;
}

int config_file(struct config *c, struct server *s, const char *path,
		int64_t now_ms, char **ret_error)
{
	json_object *root = json_object_from_file(path);

	if (!root) {
		*ret_error = xprintf("%s: %s", path, json_util_get_last_err());
		return -EINVAL;
	}
	char *copy = xstrdup(path); /* dirname() writes into it */
	int rc = from_json(c, s, root, dirname(copy), now_ms, ret_error);

	free(copy);
	json_object_put(root);
	if (rc) {
		auto_char *why = *ret_error;

		*ret_error = xprintf("%s: %s", path, why);
	}
	return rc;
}

static int is_clip(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && !strcmp(d->d_name + n - 4, ".mkv");
}

int config_clips(struct config *c, struct server *s, const char *dir,
		 int64_t now_ms, char **ret_error)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_clip, alphasort);
	int rc = 0;

	if (n < 0) {
		*ret_error = xprintf("%s: %s", dir, strerror(errno));
		return -EINVAL;
	}
	if (!n) {
		*ret_error = xprintf("%s: no *.mkv in it", dir);
		rc = -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		const char *file = list[i]->d_name;
		json_object *json = json_object_new_object();

		json_object_object_add(json, "clip",
				       json_object_new_string(file));
		json_object_object_add(json, "name",
				       json_object_new_string_len(
					       file, (int)strlen(file) - 4));
		if (rc)
			json_object_put(json);
		else
			rc = add(c, s, json, dir, now_ms, ret_error);
		free(list[i]);
	}
	free(list);
	return rc;
}
