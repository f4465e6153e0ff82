/* SPDX-License-Identifier: MIT */
#include "fs/fuse/seen.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fs/base/base.h"

/* 128 KiB: one in ten is a wrong yes once 100,000 files were read, and costs
 * an answer from memory now and then. */
#define BITS_LOG2 20

/* First reads that are remembered: a megabyte. */
#define FIRSTS_MAX 65536

struct first {
	uint64_t node;
	int64_t at_ms;
};

struct seen {
	_Atomic uint32_t words[(1 << BITS_LOG2) / 32];

	pthread_mutex_t lock;
	struct first firsts[FIRSTS_MAX]; /* lock; a ring */
	unsigned head, n;		 /* lock */
};

struct seen *seen_new(void)
{
	struct seen *s = g_new0(struct seen, 1);

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void seen_free(struct seen *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	g_free(s);
}

static _Atomic uint32_t *word_of(struct seen *s, uint64_t node,
				 uint32_t *ret_bit)
{
	uint64_t h = node * UINT64_C(0x9e3779b97f4a7c15) >> (64 - BITS_LOG2);

	*ret_bit = UINT32_C(1) << (h % 32);
	return &s->words[h / 32];
}

void seen_add(struct seen *s, uint64_t node, int64_t now_ms)
{
	uint32_t bit;
	_Atomic uint32_t *word = word_of(s, node, &bit);
	auto_unlock pthread_mutex_t *held = NULL;

	if (atomic_load(word) & bit || atomic_fetch_or(word, bit) & bit)
		return;
	held = base_lock(&s->lock);
	if (s->n == FIRSTS_MAX)
		return; /* nobody takes them */
	s->firsts[(s->head + s->n++) % FIRSTS_MAX] = (struct first){node,
								    now_ms};
}

bool seen_has(struct seen *s, uint64_t node)
{
	uint32_t bit;
	_Atomic uint32_t *word = word_of(s, node, &bit);

	return atomic_load(word) & bit;
}

bool seen_take(struct seen *s, int64_t before_ms, uint64_t *ret_node)
{
	auto_unlock pthread_mutex_t *held = base_lock(&s->lock);

	if (s->n == 0 ||
	    (s->firsts[s->head].at_ms >= before_ms && s->n <= FIRSTS_MAX / 2))
		return false;
	*ret_node = s->firsts[s->head].node;
	s->head = (s->head + 1) % FIRSTS_MAX;
	s->n--;
	return true;
}
