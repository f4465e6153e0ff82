/* SPDX-License-Identifier: MIT */
#include "fs/base/utc.h"

#include <stdio.h>
#include <time.h>

int64_t utc_floor(int64_t t_ms, int64_t step_ms)
{
	int64_t r = t_ms % step_ms;

	return t_ms - (r < 0 ? r + step_ms : r);
}

struct utc utc_from_ms(int64_t t_ms)
{
	int64_t whole_ms = utc_floor(t_ms, 1000);
	time_t s = (time_t)(whole_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	return (struct utc){
		.year = tm.tm_year + 1900,
		.month = tm.tm_mon + 1,
		.day = tm.tm_mday,
		.hour = tm.tm_hour,
		.minute = tm.tm_min,
		.second = tm.tm_sec,
		.ms = (int)(t_ms - whole_ms),
	};
}

static bool within(int value, int lowest, int highest)
{
	return value >= lowest && value <= highest;
}

bool utc_to_ms(const struct utc *u, int64_t *ret_ms)
{
	struct tm tm;
	int64_t t_ms;
	struct utc back;

	/* First of all, for what is computed below must not overflow. */
	if (!within(u->year, 1, 9999) || !within(u->month, 1, 12) ||
	    !within(u->day, 1, 31) || !within(u->hour, 0, 23) ||
	    !within(u->minute, 0, 59) || !within(u->second, 0, 59) ||
	    !within(u->ms, 0, 999))
		return false;
	tm = (struct tm){
		.tm_year = u->year - 1900,
		.tm_mon = u->month - 1,
		.tm_mday = u->day,
		.tm_hour = u->hour,
		.tm_min = u->minute,
		.tm_sec = u->second,
	};
	t_ms = (int64_t)timegm(&tm) * 1000 + u->ms;
	/* timegm() carries a 30 February over into March: not our date. */
	back = utc_from_ms(t_ms);
	if (back.day != u->day)
		return false;
	*ret_ms = t_ms;
	return true;
}

void utc_format_iso(int64_t t_ms, char out[UTC_ISO_SIZE])
{
	struct utc u = utc_from_ms(t_ms);

	snprintf(out, UTC_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		 u.year % 10000, u.month % 100, u.day % 100, u.hour % 100,
		 u.minute % 100, u.second % 100, u.ms % 1000);
}
