/* SPDX-License-Identifier: MIT */
/*
 * tree: the archive as folders and files: names, attributes, contents of
 * folders.  Knows nothing of FUSE; a node is a 64-bit number.
 *
 * A node number says all there is to know: kind, stream, start of the bucket,
 * or the fragment's row in the catalog.  So nothing is kept in memory for what
 * was ever looked up, and numbers stay valid for as long as a mount lives.
 * st_ino is another number: hash(stream ARN, fragment number) for a fragment,
 * hash(ARN, kind, start) for a folder, the same after a remount.
 *
 * Any thread.  Questions go through archive and are answered as it says there
 * (at once, or later on another thread).
 */
#ifndef KVSFS_VIEW_TREE_H
#define KVSFS_VIEW_TREE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fs/archive/archive.h"

#define TREE_ROOT UINT64_C(1) /* FUSE_ROOT_ID */

enum tree_view {
	TREE_FRAGMENTS = 1,
	TREE_MOVIES = 2,
	TREE_BOTH = TREE_FRAGMENTS | TREE_MOVIES,
};
enum tree_bucket {
	TREE_DAY,
	TREE_HOUR,
	TREE_MINUTE
};

struct tree_options {
	enum tree_view view;
	enum tree_bucket bucket;
	enum catalog_axis axis; /* the archive's: what a bucket goes by */
	uid_t uid;
	gid_t gid;
	mode_t umask; /* taken from 0755 and 0444 */
	int64_t metadata_ttl_ms;
	bool clock; /* movies have a text track that says when it is */
};

struct tree;
struct tree *tree_new(struct archive *a, const struct tree_options *o);
void tree_free(struct tree *t);

/* INT64_MAX ms: for ever. */
struct tree_entry {
	uint64_t node;
	struct stat st;
	int64_t attr_ttl_ms, entry_ttl_ms;
	/* Remembered for long, an absence or a movie: when what the name stands
	   for changes after all, the kernel has to be told (tree_change_of()).
	 */
	bool may_change;
};

typedef void (*tree_entry_fn)(void *user, int rc, const struct tree_entry *e);
/*
 * rc -ENOENT comes with e where the absence may be remembered: node 0 and
 * entry_ttl_ms; else e is NULL.
 */
void tree_lookup(struct tree *t, archive_ticket ticket, uint64_t parent,
		 const char *name, tree_entry_fn fn, void *user);
/*
 * The kernel has forgotten a node that lookup gave it, n times; or was never
 * told.  Movies are kept for as long as it knows them.
 */
void tree_forget(struct tree *t, uint64_t node, uint64_t n);
/* Never touches the network but to calibrate a stream. */
void tree_getattr(struct tree *t, archive_ticket ticket, uint64_t node,
		  tree_entry_fn fn, void *user);

/* ---- folders ------------------------------------------------------------ */

struct tree_dir;
typedef void (*tree_opened_fn)(void *user, int rc, struct tree_dir *d);
/*
 * Finds out what is in the folder (this may wait for the network), then gives
 * a handle, the callee's; tree_dir_close() frees it.
 */
void tree_dir_open(struct tree *t, archive_ticket ticket, uint64_t node,
		   tree_opened_fn fn, void *user);
void tree_dir_close(struct tree_dir *d);
/* May the kernel keep this listing until it is told otherwise? */
bool tree_dir_settled(const struct tree_dir *d);

struct tree_dirent {
	const char *name; /* until the next call on this handle */
	uint64_t node;	  /* 0: attributes are not known without asking */
	uint64_t ino;
	mode_t type;
	struct tree_entry entry; /* where node != 0 */
	uint64_t next;		 /* cookie of what follows */
};
/*
 * The entry at a cookie (0: the first; "." and ".." are the first two).
 * 1 an entry, 0 the end, or -errno.  A handle keeps one page of rows, so that
 * memory does not grow with the folder.  attributes false: names only.
 */
int tree_dir_at(struct tree_dir *d, uint64_t cookie, bool attributes,
		struct tree_dirent *ret_entry);

/* ---- files and attributes ---------------------------------------------- */

/* -EISDIR for a folder. */
void tree_read(struct tree *t, archive_ticket ticket, uint64_t node,
	       int64_t offset, size_t n, archive_read_fn fn, void *user);

/* What is opened is made of many files, and each read of it costs money. */
bool tree_is_movie(uint64_t node);
/* archive_pin() and archive_touch() of a file; -EISDIR. */
int tree_pin(struct tree *t, uint64_t node, struct store_chunk **ret_chunk);
void tree_touch(struct tree *t, uint64_t node);

/*
 * *ret_value: GBytes without a NUL.  0, -ENODATA, -EOPNOTSUPP for names
 * outside user.kvs., -ENOENT.
 */
int tree_xattr(struct tree *t, uint64_t node, const char *name,
	       GBytes **ret_value);
/* Names one after the other, each with its NUL. */
int tree_xattr_list(struct tree *t, uint64_t node, GBytes **ret_names);

void tree_statvfs(struct tree *t, struct statvfs *ret_stat);

/*
 * What the kernel must forget when a fragment was added: the folders whose
 * listing or attributes changed, and names in them.
 */
struct tree_change {
	/* Buckets, innermost first; then the folders of movies. */
	uint64_t nodes[6];
	unsigned n_nodes;
	struct {
		uint64_t parent;
		char name[256];
	} names[3]; /* the fragment's first; then those of movies it is in */
	unsigned n_names;
	uint64_t file; /* the fragment's own node */
};
void tree_change_of(struct tree *t, const struct fragment *f,
		    struct tree_change *ret_change);
/* A fragment's size is not what was shown before. */
void tree_resized(struct tree *t);

#endif
