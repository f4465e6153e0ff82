/* SPDX-License-Identifier: MIT */
/*
 * number: fragment numbers as the service makes them.
 *
 * 47 decimal digits, 157 bits: 1<<156 | sequence<<92 | server_ms<<28 | 28 bits
 * that look random.
 */
#ifndef KVS_SERVER_NUMBER_H
#define KVS_SERVER_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#define NUMBER_LEN 128 /* what the API allows */

struct number {
	uint64_t sequence;
	int64_t server_ms;
	uint32_t random; /* 28 bits */
};

void number_format(const struct number *n, char ret[NUMBER_LEN + 1]);
/* false where it is not of that form. */
bool number_parse(const char *s, struct number *ret);
/* ^[0-9]{1,128}$ */
bool number_is_legal(const char *s);

#endif
