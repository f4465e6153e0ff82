/* SPDX-License-Identifier: MIT */
#include "fs/net/retry.h"

int64_t retry_delay_ms(unsigned attempt, uint32_t random)
{
	int64_t low = RETRY_BASE_MS / 2;
	int64_t high = RETRY_BASE_MS;

	while (attempt-- > 0 && high < RETRY_CAP_MS)
		high *= 2;
	if (high > RETRY_CAP_MS)
		high = RETRY_CAP_MS;
	return low +
	       (int64_t)(((uint64_t)random * (uint64_t)(high - low + 1)) >> 32);
}
