/* SPDX-License-Identifier: MIT */
#include "fs/base/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_realtime_ms(void *user)
{
	return read_ms(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(void *user)
{
	return read_ms(CLOCK_MONOTONIC);
}

const struct clock clock_system = {
	.realtime_ms = system_realtime_ms,
	.monotonic_ms = system_monotonic_ms,
};
