/* SPDX-License-Identifier: MIT */
#include "fs/mkv/format.h"

#define NS_PER_MS 1000000

int64_t mkv_ticks(int64_t ms, uint64_t scale_ns)
{
	__int128 ns = (__int128)ms * NS_PER_MS, ticks;

	ticks = ((ns < 0 ? -ns : ns) + scale_ns / 2) / scale_ns;
	if (ns < 0)
		ticks = -ticks;
	/* Where a tick is shorter than a millisecond. */
	if (ticks > INT64_MAX)
		return INT64_MAX;
	if (ticks < INT64_MIN)
		return INT64_MIN;
	return (int64_t)ticks;
}
