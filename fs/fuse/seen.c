/* SPDX-License-Identifier: MIT */
#include "fs/fuse/seen.h"

#include <glib.h>
#include <stdatomic.h>

/* 128 KiB: one in ten is a wrong yes once 100,000 files were read, and costs
 * an answer from memory now and then. */
#define BITS_LOG2 20

struct seen {
	_Atomic uint32_t words[(1 << BITS_LOG2) / 32];
};

struct seen *seen_new(void)
{
	return g_new0(struct seen, 1);
}

void seen_free(struct seen *s)
{
	g_free(s);
}

static _Atomic uint32_t *word_of(struct seen *s, uint64_t node,
				 uint32_t *ret_bit)
{
	uint64_t h = node * UINT64_C(0x9e3779b97f4a7c15) >> (64 - BITS_LOG2);

	*ret_bit = UINT32_C(1) << (h % 32);
	return &s->words[h / 32];
}

bool seen_add(struct seen *s, uint64_t node)
{
	uint32_t bit;
	_Atomic uint32_t *word = word_of(s, node, &bit);

	return !(atomic_load(word) & bit) &&
	       !(atomic_fetch_or(word, bit) & bit);
}

bool seen_has(struct seen *s, uint64_t node)
{
	uint32_t bit;
	_Atomic uint32_t *word = word_of(s, node, &bit);

	return atomic_load(word) & bit;
}
