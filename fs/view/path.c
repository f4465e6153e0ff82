/* SPDX-License-Identifier: MIT */
#include "fs/view/path.h"

#include <glib.h>
#include <string.h>

#include "fs/base/utc.h"

#define NAME_BYTES_MAX	  (PATH_NAME_SIZE - 1)
#define STREAM_KEPT_BYTES 200
#define STREAM_HASH_CHARS 16
/* "2026-11-22T13-05-02.513Z_" and ".mkv" */
#define STAMP_CHARS  25
#define SUFFIX	     ".mkv"
#define SUFFIX_CHARS 4

int64_t path_unit_ms(enum path_unit unit)
{
	switch (unit) {
	case PATH_DAY:
		return UTC_DAY_MS;
	case PATH_HOUR:
		return UTC_HOUR_MS;
	case PATH_MINUTE:
		return UTC_MINUTE_MS;
	}
	return UTC_DAY_MS;
}

/* By hand: printf would be most of what listing 100,000 names costs. */
static char *put(char *p, unsigned value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + digits;
}

static char *put_day(char *p, const struct utc *u)
{
	p = put(p, (unsigned)u->year, 4);
	*p++ = '-';
	p = put(p, (unsigned)u->month, 2);
	*p++ = '-';
	return put(p, (unsigned)u->day, 2);
}

/* Exactly that many digits. */
static bool take(const char **p, unsigned digits, int *ret_value)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!g_ascii_isdigit((*p)[i]))
			return false;
		value = value * 10 + ((*p)[i] - '0');
	}
	*p += digits;
	*ret_value = value;
	return true;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool take_day(const char **p, struct utc *u)
{
	return take(p, 4, &u->year) && skip(p, '-') && take(p, 2, &u->month) &&
	       skip(p, '-') && take(p, 2, &u->day);
}

size_t path_bucket(enum path_unit unit, int64_t start_ms,
		   char out[PATH_NAME_SIZE])
{
	struct utc u = utc_from_ms(start_ms);
	char *p = out;

	switch (unit) {
	case PATH_DAY:
		p = put_day(p, &u);
		break;
	case PATH_HOUR:
		p = put(p, (unsigned)u.hour, 2);
		break;
	case PATH_MINUTE:
		p = put(p, (unsigned)u.minute, 2);
		break;
	}
	*p = '\0';
	return (size_t)(p - out);
}

bool path_parse_bucket(enum path_unit unit, int64_t parent_ms, const char *name,
		       int64_t *ret_start_ms)
{
	struct utc u = {0};
	int value;

	if (unit == PATH_DAY)
		return take_day(&name, &u) && *name == '\0' &&
		       utc_to_ms(&u, ret_start_ms);
	if (!take(&name, 2, &value) || *name != '\0' ||
	    value >= (unit == PATH_HOUR ? 24 : 60))
		return false;
	*ret_start_ms = parent_ms + value * path_unit_ms(unit);
	return true;
}

/* ---- movies -------------------------------------------------------------- */

size_t path_movie(enum path_unit unit, int64_t start_ms,
		  char out[PATH_NAME_SIZE])
{
	struct utc u = utc_from_ms(start_ms);
	char *p = put_day(out, &u);

	if (unit == PATH_HOUR) {
		*p++ = 'T';
		p = put(p, (unsigned)u.hour, 2);
	}
	memcpy(p, SUFFIX, SUFFIX_CHARS + 1);
	return (size_t)(p - out) + SUFFIX_CHARS;
}

bool path_parse_movie_hour(int64_t day_ms, const char *name,
			   int64_t *ret_start_ms)
{
	struct utc u = {0};
	int64_t t_ms;

	if (!take_day(&name, &u) || !skip(&name, 'T') ||
	    !take(&name, 2, &u.hour) || strcmp(name, SUFFIX) != 0 ||
	    !utc_to_ms(&u, &t_ms) || utc_floor(t_ms, UTC_DAY_MS) != day_ms)
		return false;
	*ret_start_ms = t_ms;
	return true;
}

bool path_parse_movie_day(const char *name, int64_t *ret_start_ms)
{
	struct utc u = {0};

	return take_day(&name, &u) && strcmp(name, SUFFIX) == 0 &&
	       utc_to_ms(&u, ret_start_ms);
}

/* "2026-11-22T13-05-00Z", or with ".250" before the Z. */
static bool take_time(const char **p, int64_t *ret_ms)
{
	struct utc u = {0};

	return take_day(p, &u) && skip(p, 'T') && take(p, 2, &u.hour) &&
	       skip(p, '-') && take(p, 2, &u.minute) && skip(p, '-') &&
	       take(p, 2, &u.second) && (!skip(p, '.') || take(p, 3, &u.ms)) &&
	       skip(p, 'Z') && utc_to_ms(&u, ret_ms);
}

bool path_parse_movie_range(const char *name, int64_t *ret_start_ms,
			    int64_t *ret_end_ms)
{
	int64_t start_ms, end_ms;

	if (!take_time(&name, &start_ms) || !skip(&name, '_') ||
	    !take_time(&name, &end_ms) || strcmp(name, SUFFIX) != 0 ||
	    start_ms >= end_ms || end_ms - start_ms > PATH_RANGE_MAX_MS)
		return false;
	*ret_start_ms = start_ms;
	*ret_end_ms = end_ms;
	return true;
}

/* ---- fragments ----------------------------------------------------------- */

bool path_number_ok(const char *number)
{
	size_t n = 0;

	while (g_ascii_isdigit(number[n]))
		n++;
	return n > 0 && n <= CATALOG_NUMBER_MAX && number[n] == '\0';
}

size_t path_fragment(int64_t t_ms, const char *number, char out[PATH_NAME_SIZE])
{
	size_t n = strlen(number);
	struct utc u;
	char *p = out;

	if (t_ms < PATH_FIRST_MS || t_ms >= PATH_END_MS ||
	    !path_number_ok(number))
		return 0;
	u = utc_from_ms(t_ms);
	p = put_day(p, &u);
	*p++ = 'T';
	p = put(p, (unsigned)u.hour, 2);
	*p++ = '-';
	p = put(p, (unsigned)u.minute, 2);
	*p++ = '-';
	p = put(p, (unsigned)u.second, 2);
	*p++ = '.';
	p = put(p, (unsigned)u.ms, 3);
	*p++ = 'Z';
	*p++ = '_';
	memcpy(p, number, n);
	memcpy(p + n, SUFFIX, SUFFIX_CHARS + 1);
	return STAMP_CHARS + n + SUFFIX_CHARS;
}

bool path_parse_fragment(const char *name, int64_t *ret_ms,
			 char ret_number[CATALOG_NUMBER_MAX + 1])
{
	char number[CATALOG_NUMBER_MAX + 1];
	const char *p = name;
	struct utc u = {0};
	int64_t t_ms;
	size_t n;

	if (!take_day(&p, &u) || !skip(&p, 'T') || !take(&p, 2, &u.hour) ||
	    !skip(&p, '-') || !take(&p, 2, &u.minute) || !skip(&p, '-') ||
	    !take(&p, 2, &u.second) || !skip(&p, '.') || !take(&p, 3, &u.ms) ||
	    !skip(&p, 'Z') || !skip(&p, '_') || !utc_to_ms(&u, &t_ms))
		return false;
	n = strlen(p);
	if (n <= SUFFIX_CHARS || n - SUFFIX_CHARS > CATALOG_NUMBER_MAX ||
	    strcmp(p + n - SUFFIX_CHARS, SUFFIX) != 0)
		return false;
	memcpy(number, p, n - SUFFIX_CHARS);
	number[n - SUFFIX_CHARS] = '\0';
	if (!path_number_ok(number))
		return false;
	memcpy(ret_number, number, n - SUFFIX_CHARS + 1);
	*ret_ms = t_ms;
	return true;
}

/* ---- streams ------------------------------------------------------------- */

static void append_escaped(GString *s, const char *stream)
{
	bool dots = strcmp(stream, ".") == 0 || strcmp(stream, "..") == 0;

	for (const char *c = stream; *c; c++) {
		if (*c == '/' || *c == '%' || (dots && *c == '.'))
			g_string_append_printf(s, "%%%02X", (unsigned)*c);
		else
			g_string_append_c(s, *c);
	}
}

size_t path_stream(const char *stream, char out[PATH_NAME_SIZE])
{
	g_autoptr(GString) s = g_string_sized_new(NAME_BYTES_MAX);
	g_autofree char *hash = NULL;

	append_escaped(s, stream);
	if (s->len > NAME_BYTES_MAX) {
		hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, stream,
						     -1);
		g_string_truncate(s, STREAM_KEPT_BYTES);
		g_string_append_c(s, '%');
		g_string_append_len(s, hash, STREAM_HASH_CHARS);
	}
	memcpy(out, s->str, s->len + 1);
	return s->len;
}
