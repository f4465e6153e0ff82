/* SPDX-License-Identifier: MIT */
/*
 * internal: what the files of view share.
 *
 * A place is what a node number means right now, a file is a fragment with its
 * stream.  Both live on the stack of one call; nothing is kept between calls.
 */
#ifndef KVSFS_VIEW_INTERNAL_H
#define KVSFS_VIEW_INTERNAL_H

#include "fs/view/node.h"
#include "fs/view/path.h"
#include "fs/view/tree.h"

#define TREE_FOR_EVER INT64_MAX

struct movies;

struct tree {
	struct archive *a;
	struct catalog *c;
	struct tree_options o;
	struct movies *movies;
	/* How often what movies depend on has changed; a g_atomic_rc_box, for
	   the index's writer may be behind the tree. */
	_Atomic unsigned *facts;
};

/* ---- what a number means (place.c) -------------------------------------- */

enum role {
	ROLE_STREAMS,	  /* the root of a pattern: a folder for each stream */
	ROLE_TOPS,	  /* a stream: fragments/ and movies/ */
	ROLE_BUCKETS,	  /* holds the folders of days, hours or minutes */
	ROLE_FRAGMENTS,	  /* the innermost bucket: holds files */
	ROLE_FILE,	  /* a fragment */
	ROLE_MOVIES,	  /* movies/: folders of days, and movies by name */
	ROLE_HOUR_MOVIES, /* a day of it: a movie for each hour */
	ROLE_MOVIE
};

struct place {
	struct node node;
	enum role role;
	GPtrArray *streams;		     /* keeps stream alive */
	const struct archive_stream *stream; /* NULL: ROLE_STREAMS, files */
	int64_t start_ms, end_ms; /* what it holds; fragments/: all of time */
};

/* -ESTALE where the number names nothing any more.  A file's row is not read.
 */
int place_at(struct tree *t, uint64_t number, struct place *ret_place);
void place_release(struct place *p);
/* struct place auto_place p = {0}; */
#define auto_place __attribute__((cleanup(place_release)))

/* Folders in it, with p's hold on the stream: not to be released. */
struct place place_stream(const struct archive_stream *s);
struct place place_top(const struct place *p, unsigned top);
struct place place_bucket(const struct tree *t, const struct place *p,
			  int64_t start_ms);

/* The folders of a stream.  NULL past the last one. */
#define TOP_MOVIES 1
const char *top_name(unsigned top);
bool top_shown(const struct tree *t, unsigned top);

/* Of a folder, and of the one it is in. */
uint64_t place_ino(const struct place *p);
uint64_t place_parent_ino(const struct tree *t, const struct place *p);

/* What is in a ROLE_BUCKETS folder, as a unit of path. */
enum path_unit place_unit(const struct place *p);

struct file {
	struct fragment f;
	GPtrArray *streams;
	const struct archive_stream *stream;
};
/* -ESTALE where it is not in the catalog any more, or has expired. */
int file_at(struct tree *t, int64_t fragment, struct file *ret_file);
void file_release(struct file *f);
#define auto_file __attribute__((cleanup(file_release)))

/* What its bucket goes by, and its name says. */
static inline int64_t fragment_ms(const struct tree *t,
				  const struct fragment *f)
{
	return catalog_time_ms(t->o.axis, f);
}

/* ---- buckets (bucket.c) ------------------------------------------------- */

/* The stream's archive in time; empty with a retention of 0. */
void bucket_window(struct tree *t, const struct archive_stream *s,
		   int64_t *ret_start_ms, int64_t *ret_end_ms);
bool bucket_in_window(struct tree *t, const struct archive_stream *s,
		      int64_t start_ms, int64_t end_ms);
/* Is the bucket there to be seen?  Asks nobody. */
bool bucket_shown(struct tree *t, const struct archive_stream *s,
		  int64_t start_ms, int64_t end_ms);
/* Starts of the folders in p that are to be seen, in order, onto starts. */
int bucket_list(struct tree *t, const struct place *p, GArray *starts);

/* ---- attributes (attr.c) ------------------------------------------------ */

void entry_folder(struct tree *t, const struct place *p,
		  struct tree_entry *ret_entry);
/*
 * For many fragments of one stream: what they have in common is worked out
 * once.
 */
struct entry_base {
	const struct tree *t;
	uint64_t ino_stream;
	int64_t now_ms, retention_ms;
};
void entry_base_init(struct entry_base *b, struct tree *t,
		     const struct archive_stream *s);
uint64_t entry_ino(const struct entry_base *b, const struct fragment *f);
/* What all files have in common. */
void entry_set_file(const struct tree *t, struct tree_entry *e, uint64_t ino,
		    int64_t size_bytes, int64_t t_ms);
/* f->file_bytes is known. */
void entry_file(const struct entry_base *b, const struct fragment *f,
		struct tree_entry *ret_entry);
/*
 * Answers with a fragment's entry, once its size is known: its stream may have
 * to be calibrated.  gone: the errno where it goes away meanwhile.
 */
void entry_give(struct tree *t, archive_ticket ticket, int64_t fragment,
		int gone, tree_entry_fn fn, void *user);

#endif
