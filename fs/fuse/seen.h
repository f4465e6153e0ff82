/* SPDX-License-Identifier: MIT */
/*
 * seen: the nodes that the kernel has read from here, as far as is needed to
 * ask about them: never a wrong no, at times a wrong yes.  Fixed memory.
 *
 * Any thread.
 */
#ifndef KVSFS_FUSE_SEEN_H
#define KVSFS_FUSE_SEEN_H

#include <stdbool.h>
#include <stdint.h>

struct seen;
struct seen *seen_new(void);
void seen_free(struct seen *s); /* NULL is fine */

/* false: it was there already. */
bool seen_add(struct seen *s, uint64_t node);
bool seen_has(struct seen *s, uint64_t node);

#endif
