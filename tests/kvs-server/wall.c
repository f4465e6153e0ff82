/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/wall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void wall_init(struct wall *w)
{
	*w = (struct wall){0};
	pthread_mutex_init(&w->lock, NULL);
}

int64_t wall_now_ms(struct wall *w)
{
	pthread_mutex_lock(&w->lock);
	int64_t ms = w->frozen ? w->frozen_ms : real_ms() + w->offset_ms;

	pthread_mutex_unlock(&w->lock);
	return ms;
}

void wall_set_ms(struct wall *w, int64_t now_ms)
{
	pthread_mutex_lock(&w->lock);
	w->offset_ms = now_ms - real_ms();
	w->frozen_ms = now_ms;
	pthread_mutex_unlock(&w->lock);
}

void wall_advance(struct wall *w, int64_t ms)
{
	pthread_mutex_lock(&w->lock);
	w->offset_ms += ms;
	w->frozen_ms += ms;
	pthread_mutex_unlock(&w->lock);
}

void wall_freeze(struct wall *w, bool frozen)
{
	pthread_mutex_lock(&w->lock);
	if (frozen && !w->frozen)
		w->frozen_ms = real_ms() + w->offset_ms;
	if (!frozen && w->frozen)
		w->offset_ms = w->frozen_ms - real_ms();
	w->frozen = frozen;
	pthread_mutex_unlock(&w->lock);
}

static bool span_parse(const char *s, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1},	     {"s", 1000},     {"m", 60000},
		     {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
	char *end;

	errno = 0;
	long long v = strtoll(s, &end, 10);

	if (errno || end == s)
		return false;
	for (int i = 0; units[i].unit; i++)
		if (!strcmp(end, units[i].unit)) {
			if (v > INT64_MAX / 4 / units[i].ms ||
			    v < INT64_MIN / 4 / units[i].ms)
				return false;
			*ret_ms = v * units[i].ms;
			return true;
		}
	return false;
}

bool time_parse(const char *s, int64_t now_ms, int64_t *ret_ms)
{
	struct tm tm = {.tm_mday = 1};
	int ms = 0, n = 0, m = 0;

	if (!strcmp(s, "now")) {
		*ret_ms = now_ms;
		return true;
	}
	if (*s == '-' || *s == '+') {
		if (!span_parse(s, ret_ms))
			return false;
		*ret_ms += now_ms;
		return true;
	}
	if (s[0] && strspn(s, "0123456789") == strlen(s)) {
		*ret_ms = strtoll(s, NULL, 10);
		return true;
	}
	if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &n) < 3)
		return false;
	if (s[n]) {
		if (sscanf(s + n, "T%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min,
			   &tm.tm_sec, &m) < 3)
			return false;
		n += m;
		if (s[n] == '.') {
			m = 0;
			if (sscanf(s + n, ".%3d%n", &ms, &m) < 1 || m != 4)
				return false;
			n += m;
		}
		if (strcmp(s + n, "Z"))
			return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}

static void format(int64_t ms, const char *fmt, char ret[40])
{
	time_t t = (time_t)((ms - ((ms % 1000) + 1000) % 1000) / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	if (!strcmp(fmt, "amz"))
		strftime(ret, 40, "%Y%m%dT%H%M%SZ", &tm);
	else if (!strcmp(fmt, "http"))
		strftime(ret, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	else
		strftime(ret, 40, "%Y-%m-%dT%H:%M:%S", &tm);
}

void time_iso(int64_t ms, char ret[40])
{
	format(ms, "iso", ret);
	size_t n = strlen(ret);

	snprintf(ret + n, 40 - n, ".%03dZ", (int)(((ms % 1000) + 1000) % 1000));
}

void time_amz(int64_t ms, char ret[40])
{
	format(ms, "amz", ret);
}

void time_http(int64_t ms, char ret[40])
{
	format(ms, "http", ret);
}

bool time_amz_parse(const char *s, int64_t *ret_ms)
{
	struct tm tm = {0};
	int n = 0;

	if (sscanf(s, "%4d%2d%2dT%2d%2d%2dZ%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) < 6 ||
	    n != 16 || s[n])
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret_ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

void time_json(int64_t ms, char ret[40])
{
	if (ms > -10000000000 && ms < 10000000000) {
		/* Below 10^7 Java prints a double without an exponent. */
		snprintf(ret, 40, "%s%lld.%03d", ms < 0 ? "-" : "",
			 llabs(ms) / 1000, (int)(llabs(ms) % 1000));
		for (size_t n = strlen(ret);
		     ret[n - 1] == '0' && ret[n - 2] != '.';)
			ret[--n] = 0;
		return;
	}
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%lld", llabs(ms));
	int exponent = n - 1 - 3;

	while (n > 2 && digits[n - 1] == '0')
		digits[--n] = 0;
	snprintf(ret, 40, "%s%c.%sE%d", ms < 0 ? "-" : "", digits[0],
		 digits + 1, exponent);
}
