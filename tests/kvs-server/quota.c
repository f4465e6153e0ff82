/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/quota.h"

#include "tests/kvs-server/wall.h"

#define EARLY_S 0.1

void quota_init(struct quota *q)
{
	*q = (struct quota){0};
	pthread_mutex_init(&q->lock, NULL);
}

bool quota_take(struct quota *q, struct bucket *b, int64_t limit, int64_t cost)
{
	double rate = (double)limit, need = (double)cost;
	int64_t now_us = mono_us();

	if (!limit)
		return true;
	pthread_mutex_lock(&q->lock);
	if (b->at_us)
		b->tokens += rate * (double)(now_us - b->at_us) / 1e6;
	if (!b->at_us || b->tokens > rate)
		b->tokens = rate;
	b->at_us = now_us;
	bool ok = b->tokens + rate * EARLY_S >= (need < rate ? need : rate);

	if (ok)
		b->tokens -= need;
	pthread_mutex_unlock(&q->lock);
	return ok;
}

bool quota_connect(struct quota *q, int64_t limit)
{
	pthread_mutex_lock(&q->lock);
	bool ok = !limit || q->connections < limit;

	if (ok)
		q->connections++;
	pthread_mutex_unlock(&q->lock);
	return ok;
}

void quota_disconnect(struct quota *q)
{
	pthread_mutex_lock(&q->lock);
	q->connections--;
	pthread_mutex_unlock(&q->lock);
}
