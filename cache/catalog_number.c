/* SPDX-License-Identifier: MIT */
#include "cache/catalog_number.h"

#include <glib.h>
#include <string.h>

#define SHORT_DIGITS  47
#define LIMBS	      5 /* of 32 bits, the lowest first: 160 bits */
#define CHUNK	      1000000000U
#define CHUNK_DIGITS  9
#define CHUNKS	      6 /* 160 bits are 49 digits */
#define RANDOM_BITS   28
#define RANDOM_MASK   0x0fffffffU
#define SEQUENCE_BITS 35 /* so that a code is 63 bits */
#define ODD_NIBBLE    0xf

/* ---- the short form --------------------------------------------------- */

static void parse_limbs(const char *number, uint32_t *limbs)
{
	for (const char *p = number; *p; p++) {
		uint64_t carry = (uint64_t)(*p - '0');

		for (int i = 0; i < LIMBS; i++) {
			carry += (uint64_t)limbs[i] * 10;
			limbs[i] = (uint32_t)carry;
			carry >>= 32;
		}
	}
}

/* 64 bits from bit 28 of limb i on. */
static uint64_t from_bit_28(const uint32_t *limbs, int i)
{
	return limbs[i] >> 28 | (uint64_t)limbs[i + 1] << 4 |
	       (uint64_t)(limbs[i + 2] & RANDOM_MASK) << 36;
}

static void pack_short(const char *number, struct packed_number *p)
{
	uint32_t limbs[LIMBS] = {0};
	uint64_t sequence, server_ms;

	if (strlen(number) != SHORT_DIGITS)
		return;
	parse_limbs(number, limbs); /* 47 digits are at most 157 bits */
	sequence = from_bit_28(limbs, 2);
	server_ms = from_bit_28(limbs, 0);
	if (limbs[4] >> 28 != 1 || sequence >> SEQUENCE_BITS ||
	    server_ms > INT64_MAX)
		return;
	p->short_form = true;
	p->server_ms = (int64_t)server_ms;
	p->code = (int64_t)(sequence << RANDOM_BITS | (limbs[0] & RANDOM_MASK));
}

void number_of_code(int64_t code, int64_t server_ms, char *ret_number)
{
	uint64_t sequence = (uint64_t)code >> RANDOM_BITS;
	uint64_t ms = (uint64_t)server_ms;
	uint32_t limbs[LIMBS] = {
		(uint32_t)code & RANDOM_MASK,
		(uint32_t)(ms >> 4),
		(uint32_t)(ms >> 36),
		(uint32_t)(sequence >> 4),
		(uint32_t)(sequence >> 36) | UINT32_C(1) << 28,
	};
	char digits[CHUNKS * CHUNK_DIGITS + 1];
	const char *first = digits;

	limbs[0] |= (uint32_t)ms << 28;
	limbs[2] |= (uint32_t)sequence << 28;
	for (int chunk = CHUNKS; chunk--;) {
		uint64_t rest = 0;

		for (int i = LIMBS; i--;) {
			rest = rest << 32 | limbs[i];
			limbs[i] = (uint32_t)(rest / CHUNK);
			rest %= CHUNK;
		}
		for (int i = CHUNK_DIGITS; i--; rest /= 10)
			digits[chunk * CHUNK_DIGITS + i] =
				(char)('0' + rest % 10);
	}
	digits[sizeof(digits) - 1] = '\0';
	while (*first == '0')
		first++;
	g_strlcpy(ret_number, first, CATALOG_NUMBER_MAX + 1);
}

/* ---- any number ------------------------------------------------------- */

void number_of_digits(const uint8_t *digits, size_t n, char *ret_number)
{
	size_t at = 0;

	for (size_t i = 0; i < MIN(n, (size_t)PACKED_MAX); i++) {
		ret_number[at++] = (char)('0' + (digits[i] >> 4) % 10);
		if ((digits[i] & ODD_NIBBLE) != ODD_NIBBLE)
			ret_number[at++] = (char)('0' + (digits[i] & 15) % 10);
	}
	ret_number[at] = '\0';
}

void number_pack(const char *number, struct packed_number *ret_packed)
{
	size_t n = strnlen(number, CATALOG_NUMBER_MAX);
	struct packed_number *p = ret_packed;

	p->short_form = false;
	p->code = p->server_ms = 0;
	p->n_digits = (n + 1) / 2;
	for (size_t i = 0; i < n; i += 2) {
		unsigned high = (unsigned)(number[i] - '0');
		unsigned low = i + 1 < n ? (unsigned)(number[i + 1] - '0')
					 : ODD_NIBBLE;

		p->digits[i / 2] = (uint8_t)(high << 4 | (low & 15));
	}
	pack_short(number, p);
}
