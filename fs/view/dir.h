/* SPDX-License-Identifier: MIT */
/*
 * dir: an open folder, shared by dir.c and dir_fragments.c.  Its owner's lock
 * guards it.
 *
 * A cookie is 2 + the place in the listing, after "." and "..".
 */
#ifndef KVSFS_VIEW_DIR_H
#define KVSFS_VIEW_DIR_H

#include "fs/view/internal.h"

/* 120 KiB a handle; at 512 the query is a hundredth of what a row costs. */
#define DIR_PAGE_ROWS	 512
#define DIR_FIRST_COOKIE 2

struct dir_cursor {
	uint64_t row; /* in the listing */
	int64_t ms, id;
};

struct tree_dir {
	struct tree *t;
	struct place p;
	bool settled;
	char name[PATH_NAME_SIZE];

	GPtrArray *streams; /* ROLE_STREAMS: struct archive_stream */
	GArray *starts;	    /* of buckets and movies: int64_t */

	/* ROLE_FRAGMENTS */
	struct entry_base base;
	struct fragment *page; /* DIR_PAGE_ROWS; NULL: none read yet */
	size_t n_rows;
	struct dir_cursor at, before; /* where page and that before it begin */
	bool page_shown;
};

/* As tree_dir_at(); row is from 0. */
int dir_fragments_at(struct tree_dir *d, uint64_t row, bool attributes,
		     struct tree_dirent *e);

#endif
