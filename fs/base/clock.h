/* SPDX-License-Identifier: MIT */
/*
 * clock: time as a parameter, so that what computes with it can be tested.
 * Milliseconds everywhere; realtime is since the Unix epoch, UTC.
 */
#ifndef KVSFS_BASE_CLOCK_H
#define KVSFS_BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*realtime_ms)(void *user);
	int64_t (*monotonic_ms)(void *user);
	void *user;
};

/* The machine's own clocks.  Any thread. */
extern const struct clock clock_system;

static inline int64_t clock_realtime_ms(const struct clock *c)
{
	return c->realtime_ms(c->user);
}

static inline int64_t clock_monotonic_ms(const struct clock *c)
{
	return c->monotonic_ms(c->user);
}

#endif
