/* SPDX-License-Identifier: MIT */
#include "cache/catalog_number.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void unpack(const struct packed_number *p, char *number)
{
	if (p->short_form)
		number_of_code(p->code, p->server_ms, number);
	else
		number_of_digits(p->digits, p->n_digits, number);
}

/* Numbers of the documentation's samples, and of others. */
static void test_every_digit_comes_back(void **state)
{
	static const struct {
		const char *number;
		bool short_form;
	} cases[] = {
		{"91343852333181432392682062607743920146159169392", true},
		{"91343852333181432387730302044767688728495783936", true},
		/* 1 << 156 less 1 */
		{"91343852333181432387730302044767688728495783935", false},
		{"91343852333181602512690446352098113139024216784", true},
		{"01343852333181432392682062607743920146159169392", false},
		{"9134385233318143239268206260774392014615916939", false},
		{"913438523331814323926820626077439201461591693920", false},
		{"99999999999999999999999999999999999999999999999", false},
		{"0", false},
		{"000", false},
		{"7", false},
		{"12", false},
		{"00000000000000000000000000000000000000000000000", false},
	};
	char number[CATALOG_NUMBER_MAX + 1];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct packed_number p;

		number_pack(cases[i].number, &p);
		unpack(&p, number);
		assert_string_equal(number, cases[i].number);
		if (p.short_form) { /* as digits it comes back as well */
			number_of_digits(p.digits, p.n_digits, number);
			assert_string_equal(number, cases[i].number);
		}
		if (p.short_form != cases[i].short_form)
			fail_msg("%s", cases[i].number);
	}
}

static void test_any_length(void **state)
{
	char number[CATALOG_NUMBER_MAX + 1], back[CATALOG_NUMBER_MAX + 1];

	for (int n = 1; n <= CATALOG_NUMBER_MAX; n++) {
		struct packed_number p;

		for (int i = 0; i < n; i++)
			number[i] = (char)('0' + (i * 7 + n) % 10);
		number[n] = '\0';
		number_pack(number, &p);
		assert_true(p.n_digits <= PACKED_MAX);
		unpack(&p, back);
		assert_string_equal(number, back);
	}
}

/* From parts to the number and back: the edges of each part. */
static void test_parts(void **state)
{
	static const int64_t codes[] = {0,
					1,
					(1 << 28) - 1,
					1 << 28,
					INT64_C(0x0123456789abcdef),
					INT64_MAX};
	static const int64_t times[] = {0, 1, INT64_C(1526000000000),
					INT64_C(1) << 36, INT64_MAX};
	char number[CATALOG_NUMBER_MAX + 1];

	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		for (size_t k = 0; k < G_N_ELEMENTS(times); k++) {
			struct packed_number p;

			number_of_code(codes[i], times[k], number);
			number_pack(number, &p);
			assert_int_equal(strlen(number), 47);
			assert_true(p.short_form);
			assert_int_equal(p.code, codes[i]);
			assert_int_equal(p.server_ms, times[k]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_digit_comes_back),
		cmocka_unit_test(test_any_length),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
