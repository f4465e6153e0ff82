/* SPDX-License-Identifier: MIT */
/*
 * utc: milliseconds since the Unix epoch <-> calendar fields, and ISO 8601.
 *
 * Pure; any thread.  Proleptic Gregorian, no leap seconds, years 0001-9999.
 */
#ifndef KVSFS_BASE_UTC_H
#define KVSFS_BASE_UTC_H

#include <stdbool.h>
#include <stdint.h>

#define UTC_MINUTE_MS INT64_C(60000)
#define UTC_HOUR_MS   INT64_C(3600000)
#define UTC_DAY_MS    INT64_C(86400000)
#define UTC_ISO_SIZE  32

struct utc {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second, ms;
};

/* Calendar fields of t_ms; times before 1970 too. */
struct utc utc_from_ms(int64_t t_ms);

/* false where a field is out of its range (a 30 February included). */
bool utc_to_ms(const struct utc *u, int64_t *ret_ms);

/* "2026-11-22T13:05:02.513Z" */
void utc_format_iso(int64_t t_ms, char out[UTC_ISO_SIZE]);

/* The largest multiple of step_ms not after t_ms (also before 1970). */
int64_t utc_floor(int64_t t_ms, int64_t step_ms);

#endif
