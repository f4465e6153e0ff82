/* SPDX-License-Identifier: MIT */
/*
 * values: the grammar of option values, and "did you mean".
 *
 * Pure; any thread.  Parsers return false for what is not a value of the kind,
 * what overflows included, and leave *ret untouched.
 */
#ifndef KVSFS_CLI_VALUES_H
#define KVSFS_CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 4096, 64K, 500M, 10G, 1.5T; "iB" or "B" may follow: powers of 1024. */
bool value_bytes(const char *text, int64_t *ret_bytes);
/* Seconds, or with a unit: 5, 0.5, 500ms, 5s, 2m, 1h. */
bool value_duration(const char *text, int64_t *ret_ms);
/* 5% or 0.05, from 0 up to but without 100%. */
bool value_ratio(const char *text, double *ret_ratio);
/* A decimal number >= 0, a fraction allowed. */
bool value_number(const char *text, double *ret_number);
/* An integer in the base, min..max. */
bool value_integer(const char *text, int base, int64_t min, int64_t max,
		   int64_t *ret_number);

/*
 * The candidate (of n names) that is the fewest edits from word, '-' and '_'
 * being one; NULL where none is near enough to be what was meant.
 */
const char *value_nearest(const char *word, const char *const *names, size_t n);

/* Are they the same name, '-' and '_' being one? */
bool value_same_name(const char *a, const char *b, size_t b_bytes);

#endif
