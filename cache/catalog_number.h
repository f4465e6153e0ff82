/* SPDX-License-Identifier: MIT */
/*
 * catalog_number: a fragment number as the index keeps it.  Belongs to catalog.
 *
 * The service's numbers have been 47 digits so far, and hold the fragment's
 * server time, which its row has already:
 *
 *     1 << 156 | sequence << 92 | server_ms << 28 | 28 random bits
 *
 * One of that form is kept as an integer, sequence << 28 | random bits, of 6 to
 * 8 bytes, and found by its server time, with no index of its own.  Nothing
 * depends on the form: any other number is kept as digits, two in a byte, and
 * has its place in an index of such.  Either way every digit comes back.
 *
 * Pure; any thread.
 */
#ifndef KVSFS_CACHE_CATALOG_NUMBER_H
#define KVSFS_CACHE_CATALOG_NUMBER_H

#include "cache/catalog.h"

#define PACKED_MAX (CATALOG_NUMBER_MAX / 2)

struct packed_number {
	bool short_form;
	/* Of the short form. */
	int64_t code, server_ms;
	/* Of any: digits from the left, an odd one with 0xF after it. */
	uint8_t digits[PACKED_MAX];
	size_t n_digits; /* bytes of them */
};

/* number: ^[0-9]{1,128}$ */
void number_pack(const char *number, struct packed_number *ret_packed);
/* Both write up to CATALOG_NUMBER_MAX + 1 bytes, the NUL included. */
void number_of_code(int64_t code, int64_t server_ms, char *ret_number);
void number_of_digits(const uint8_t *digits, size_t n, char *ret_number);

#endif
