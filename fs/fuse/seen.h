/* SPDX-License-Identifier: MIT */
/*
 * seen: the nodes that the kernel has read from here: never a wrong no, at
 * times a wrong yes; and for each, once, that its first read is a while ago.
 * Bounded memory.
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

void seen_add(struct seen *s, uint64_t node, int64_t now_ms);
bool seen_has(struct seen *s, uint64_t node);
/* One that came before that instant, or one too many; false: none. */
bool seen_take(struct seen *s, int64_t before_ms, uint64_t *ret_node);

#endif
