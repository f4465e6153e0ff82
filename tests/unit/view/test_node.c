/* SPDX-License-Identifier: MIT */
#include "fs/view/node.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "fs/base/utc.h"
#include "fs/view/path.h"

static void same(const struct node *a, const struct node *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->stream, b->stream);
	assert_int_equal(a->top, b->top);
	assert_int_equal(a->start_ms, b->start_ms);
	assert_int_equal(a->fragment, b->fragment);
}

static void test_there_and_back(void **state)
{
	static const struct node cases[] = {
		{.kind = NODE_ROOT},
		{.kind = NODE_STREAM, .stream = 1},
		{.kind = NODE_STREAM, .stream = (1u << 27) - 1},
		{.kind = NODE_TOP, .stream = 1},
		{.kind = NODE_TOP, .stream = 7, .top = 1},
		{.kind = NODE_DAY, .stream = 3, .start_ms = PATH_FIRST_MS},
		{.kind = NODE_DAY,
		 .stream = 3,
		 .start_ms = PATH_END_MS - UTC_DAY_MS},
		{.kind = NODE_DAY, .stream = 3},
		{.kind = NODE_HOUR, .stream = 3, .start_ms = -UTC_HOUR_MS},
		{.kind = NODE_HOUR,
		 .stream = (1u << 27) - 1,
		 .start_ms = 13 * UTC_HOUR_MS},
		{.kind = NODE_MINUTE, .stream = 3, .start_ms = UTC_MINUTE_MS},
		{.kind = NODE_MINUTE,
		 .stream = (1u << 27) - 1,
		 .start_ms = PATH_END_MS - UTC_MINUTE_MS},
		{.kind = NODE_FRAGMENT, .fragment = 1},
		{.kind = NODE_FRAGMENT, .fragment = (INT64_C(1) << 60) - 1},
	};
	g_autoptr(GHashTable)
		seen = g_hash_table_new(g_int64_hash, g_int64_equal);
	uint64_t numbers[G_N_ELEMENTS(cases)];
	struct node back;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		numbers[i] = node_number(&cases[i]);
		assert_true(numbers[i] != 0);
		assert_true(g_hash_table_add(seen, &numbers[i]));
		assert_true(node_parse(numbers[i], &back));
		same(&cases[i], &back);
	}
	assert_int_equal(numbers[0], 1);
}

static void test_no_number(void **state)
{
	static const struct node cases[] = {
		{.kind = NODE_STREAM},
		{.kind = NODE_STREAM, .stream = 1u << 27},
		{.kind = NODE_DAY, .stream = 1, .start_ms = PATH_END_MS},
		{.kind = NODE_DAY,
		 .stream = 1,
		 .start_ms = PATH_FIRST_MS - UTC_DAY_MS},
		{.kind = NODE_FRAGMENT},
		{.kind = NODE_FRAGMENT, .fragment = -1},
		{.kind = NODE_FRAGMENT, .fragment = INT64_C(1) << 60},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_true(node_number(&cases[i]) == 0);
}

static void test_not_a_node(void **state)
{
	static const uint64_t cases[] = {
		0,
		2,
		UINT64_MAX,
		UINT64_C(1) << 33, /* root kind, stream */
		UINT64_C(1) << 60, /* stream 0 */
		UINT64_C(1) << 60 | UINT64_C(1) << 33 | 1, /* stream, low */
		UINT64_C(3) << 60 | UINT64_C(1) << 33 | 1, /* day at 00:01 */
		UINT64_C(4) << 60 | UINT64_C(1) << 33 | 59,
		UINT64_C(6) << 60, /* row 0 */
		UINT64_C(7) << 60 | 5,
		UINT64_C(15) << 60 | 5,
	};
	struct node n;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		if (node_parse(cases[i], &n))
			fail_msg("case %zu is a node", i);
}

/* Pinned: an inode number that changes makes every backup run anew. */
static void test_inodes_stay(void **state)
{
	const char *arn = "arn:aws:kinesisvideo:eu-west-1:111122223333:stream/"
			  "front-door/1705489836421";
	uint64_t s = node_ino_stream(arn);
	struct node top = {.kind = NODE_TOP};
	struct node day = {.kind = NODE_DAY, .start_ms = 1795305600000};

	assert_true(
		node_ino_fragment(
			s, "91343852333181432392682062607743920146159169392") ==
		UINT64_C(0xf4fa494310fab339));
	assert_true(node_ino_folder(s, &top) == UINT64_C(0xe054cfcf4a325d4e));
	assert_true(node_ino_folder(s, &day) == UINT64_C(0x9d82de5a3fc1b584));
}

static void test_inodes_differ(void **state)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(
		g_int64_hash, g_int64_equal, g_free, NULL);
	uint64_t s = node_ino_stream("arn"), s2 = node_ino_stream("arm"), *ino;
	char number[32];

	for (unsigned i = 0; i < 200000; i++) {
		g_snprintf(number, sizeof(number), "%u", i);
		ino = g_new(uint64_t, 1);
		*ino = node_ino_fragment(s, number);
		assert_true(*ino > 1);
		assert_true(g_hash_table_add(seen, ino));
	}
	for (int64_t m = 0; m < 50000; m++) {
		for (int kind = NODE_DAY; kind <= NODE_MINUTE; kind++) {
			struct node n = {.kind = (enum node_kind)kind,
					 .start_ms = m * UTC_MINUTE_MS};

			ino = g_new(uint64_t, 1);
			*ino = node_ino_folder(s, &n);
			assert_true(g_hash_table_add(seen, ino));
		}
	}
	ino = g_new(uint64_t, 1);
	*ino = node_ino_fragment(s2, "1");
	assert_true(g_hash_table_add(seen, ino));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_number),
		cmocka_unit_test(test_not_a_node),
		cmocka_unit_test(test_inodes_stay),
		cmocka_unit_test(test_inodes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
