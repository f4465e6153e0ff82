/* SPDX-License-Identifier: MIT */
/* A tree on the fake archive, and what it answers. */
#ifndef KVSFS_TEST_VIEW_LOOK_H
#define KVSFS_TEST_VIEW_LOOK_H

#include "fs/view/tree.h"
#include "tests/unit/view/fake.h"

static struct tree *tree;

struct result {
	unsigned calls;
	int rc;
	bool with_entry;
	struct tree_entry e;
};

static inline void got(void *user, int rc, const struct tree_entry *e)
{
	struct result *r = user;

	r->calls++;
	r->rc = rc;
	r->with_entry = e != NULL;
	if (e)
		r->e = *e;
}

static inline struct result look(uint64_t parent, const char *name)
{
	struct result r = {0};

	tree_lookup(tree, 1, parent, name, got, &r);
	assert_int_equal(r.calls, 1);
	return r;
}

static inline struct result attr(uint64_t node)
{
	struct result r = {0};

	tree_getattr(tree, 1, node, got, &r);
	assert_int_equal(r.calls, 1);
	return r;
}

#endif
