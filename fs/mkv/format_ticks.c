/* SPDX-License-Identifier: MIT */
#include "fs/mkv/format.h"

int64_t mkv_ticks(int64_t ms, uint64_t scale_ns)
{
	__int128 ns = (__int128)ms * 1000000;
	__int128 half = scale_ns / 2;

	return (int64_t)((ns >= 0 ? ns + half : ns - half) /
			 (__int128)scale_ns);
}
