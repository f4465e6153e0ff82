/* SPDX-License-Identifier: MIT */
#include "tests/kvs-server/number.h"

#include <string.h>

#define WORDS 5 /* of 32 bits, the lowest first */

void number_format(const struct number *n, char ret[NUMBER_LEN + 1])
{
	uint64_t ms = (uint64_t)n->server_ms;
	uint32_t w[WORDS] = {
		(n->random & 0xfffffff) | (uint32_t)(ms << 28),
		(uint32_t)(ms >> 4),
		(uint32_t)(ms >> 36) | (uint32_t)(n->sequence << 28),
		(uint32_t)(n->sequence >> 4),
		(uint32_t)(n->sequence >> 36) | 1u << 28,
	};
	char digits[64];
	int at = (int)sizeof(digits);

	for (int group = 0; group < 6; group++) {
		uint64_t rest = 0;

		for (int i = WORDS - 1; i >= 0; i--) {
			rest = rest << 32 | w[i];
			w[i] = (uint32_t)(rest / 1000000000);
			rest %= 1000000000;
		}
		for (int i = 0; i < 9; i++, rest /= 10)
			digits[--at] = (char)('0' + rest % 10);
	}
	while (digits[at] == '0')
		at++;
	size_t len = sizeof(digits) - (size_t)at;

	memcpy(ret, digits + at, len);
	ret[len] = 0;
}

bool number_is_legal(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n >= 1 && n <= NUMBER_LEN && !s[n];
}

bool number_parse(const char *s, struct number *ret)
{
	uint32_t w[WORDS] = {0};

	if (!number_is_legal(s) || strlen(s) != 47)
		return false;
	for (; *s; s++) {
		uint64_t carry = (uint64_t)(*s - '0');

		for (int i = 0; i < WORDS; i++) {
			carry += (uint64_t)w[i] * 10;
			w[i] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			return false;
	}
	if (w[4] >> 28 != 1)
		return false;
	uint64_t ms = (uint64_t)w[0] >> 28 | (uint64_t)w[1] << 4 |
		      (uint64_t)w[2] << 36;

	*ret = (struct number){
		.sequence = (uint64_t)w[2] >> 28 | (uint64_t)w[3] << 4 |
			    (uint64_t)w[4] << 36,
		.server_ms = (int64_t)ms,
		.random = w[0] & 0xfffffff,
	};
	return ms <= INT64_MAX;
}
