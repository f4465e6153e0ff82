/* SPDX-License-Identifier: MIT */
/*
 * retry: how long to wait before the next try.  Pure: the random number is a
 * parameter.
 */
#ifndef KVSFS_NET_RETRY_H
#define KVSFS_NET_RETRY_H

#include <stdint.h>

#define RETRY_BASE_MS 100
#define RETRY_CAP_MS  5000

/*
 * Full jitter: uniform in [base/2, min(cap, base * 2^attempt)], attempt from 0,
 * random any 32 bits.
 */
int64_t retry_delay_ms(unsigned attempt, uint32_t random);

#endif
