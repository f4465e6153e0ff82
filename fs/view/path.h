/* SPDX-License-Identifier: MIT */
/*
 * path: names <-> times and numbers: what folders and files are called.
 *
 *     2026-11-22                      a day
 *     13                              an hour of it, a minute of that
 *     2026-11-22T13-05-02.513Z_NUMBER.mkv   a fragment
 *     2026-11-22T13.mkv               an hour as a movie
 *     2026-11-22.mkv                  a day as a movie
 *     2026-11-22T13-05-00Z_2026-11-22T13-20-00Z.mkv   any range as a movie
 *
 * Names are UTC, sort by time and hold no ':'.  There is one spelling for
 * each thing that is listed; every other one is not a name.  Only the times of
 * a range may have milliseconds or not.  Pure; any thread.
 */
#ifndef KVSFS_VIEW_PATH_H
#define KVSFS_VIEW_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/catalog.h"

/* NAME_MAX and a NUL. */
#define PATH_NAME_SIZE 256

/* Times that have a name: years 0001 to 9999. */
#define PATH_FIRST_MS INT64_C(-62135596800000)
#define PATH_END_MS   INT64_C(253402300800000)

enum path_unit {
	PATH_DAY,
	PATH_HOUR,
	PATH_MINUTE
};
int64_t path_unit_ms(enum path_unit unit);

/* The folder of the bucket that starts at start_ms.  Its length. */
size_t path_bucket(enum path_unit unit, int64_t start_ms,
		   char out[PATH_NAME_SIZE]);
/*
 * The start of the bucket of that name in the folder of the next larger unit
 * that starts at parent_ms (nothing for a day).  false: no such name.
 */
bool path_parse_bucket(enum path_unit unit, int64_t parent_ms, const char *name,
		       int64_t *ret_start_ms);

/* A fragment number that may be used in a path: ^[0-9]{1,128}$ */
bool path_number_ok(const char *number);

/* 0 where it has no name: a number that is none, a year past 9999. */
size_t path_fragment(int64_t t_ms, const char *number,
		     char out[PATH_NAME_SIZE]);
bool path_parse_fragment(const char *name, int64_t *ret_ms,
			 char ret_number[CATALOG_NUMBER_MAX + 1]);

/* Movies by name are of seven days at most. */
#define PATH_RANGE_MAX_MS INT64_C(604800000)

/* Of the hour or day that starts then. */
size_t path_movie(enum path_unit unit, int64_t start_ms,
		  char out[PATH_NAME_SIZE]);
/* In the folder of its day. */
bool path_parse_movie_hour(int64_t day_ms, const char *name,
			   int64_t *ret_start_ms);
/* Of a day; of a range that is not empty. */
bool path_parse_movie_day(const char *name, int64_t *ret_start_ms);
bool path_parse_movie_range(const char *name, int64_t *ret_start_ms,
			    int64_t *ret_end_ms);

/*
 * A stream's folder.  Its name, except: '.' and '..' are %2E and %2E%2E, a '/'
 * is %2F, a '%' is %25 (so that no two names meet), and what is longer than
 * NAME_MAX is its first 200 bytes, '%' and 16 hex digits of the name's SHA-256.
 * 0 for the empty name.
 */
size_t path_stream(const char *stream, char out[PATH_NAME_SIZE]);

#endif
