/* SPDX-License-Identifier: MIT */
/* A fragment's place in a movie. */
#include "fs/mkv/slot.h"

#include "build.h"
#include "bytes_source.h"

#include <stdbool.h>

enum {
	BlockDuration = 0x9b,
	ReferenceBlock = 0xfb,
};

/* ---- fragments
 * --------------------------------------------------------------- */

static void put_block_of(GByteArray *o, uint8_t track, int16_t time,
			 uint8_t flags, size_t n)
{
	GByteArray *b = g_byte_array_new();

	put_be(b, 0x80 | track, 1);
	put_be(b, (uint16_t)time, 2);
	put_be(b, flags, 1);
	for (size_t i = 0; i < n; i++)
		put_be(b, (uint8_t)(i + (size_t)time), 1);
	put_master(o, SimpleBlock, b);
}

static void put_group(GByteArray *o, uint8_t track, int16_t time, bool refers,
		      size_t n)
{
	GByteArray *g = g_byte_array_new(), *b = g_byte_array_new();

	put_be(b, 0x80 | track, 1);
	put_be(b, (uint16_t)time, 2);
	put_be(b, 0, 1);
	for (size_t i = 0; i < n; i++)
		put_be(b, (uint8_t)i, 1);
	put_master(g, Block, b);
	put_uint(g, BlockDuration, 40, 1);
	if (refers)
		put_uint(g, ReferenceBlock, 0xd8, 1);
	put_master(o, BlockGroup, g);
}

enum size_kind {
	SIZE_KNOWN,
	SIZE_SHORT,
	SIZE_UNKNOWN
};

static void put_cluster(GByteArray *o, enum size_kind kind, GByteArray *body)
{
	if (kind == SIZE_UNKNOWN)
		put_unknown(o, Cluster, 1);
	else
		put_head(o, Cluster, body->len,
			 kind == SIZE_SHORT ? width_of(body->len) : 8);
	put_all(o, body);
	g_byte_array_unref(body);
}

/* Padded as a fragment's file is. */
static void finish(GByteArray *o, size_t size)
{
	assert_true(o->len + 9 <= size);
	put_head(o, Void, size - o->len - 9, 8);
	while (o->len < size)
		put_be(o, 0, 1);
}

/* What is dropped is in it, too. */
static GByteArray *cluster_body(uint64_t time, size_t noise)
{
	GByteArray *c = g_byte_array_new();

	if (noise)
		put_uint(c, CRC32, 7, 4);
	put_uint(c, Timestamp, time, 4);
	if (noise) {
		put_uint(c, Position, 9, 2);
		put_uint(c, PrevSize, 9, 2);
	}
	return c;
}

/* ---- slots
 * ------------------------------------------------------------------- */

static int slot_of(const uint8_t *bytes, size_t n,
		   const struct mkv_slot_spec *spec, struct mkv_slot **ret_slot)
{
	struct bytes_source b = {bytes, (int64_t)n, INT_MAX};
	struct mkv_source s = bytes_source(&b);

	return mkv_slot_new(&s, spec, ret_slot);
}

static void part_into(const struct mkv_slot *slot, const GByteArray *file,
		      int64_t offset, int64_t n, GByteArray *out)
{
	while (n > 0) {
		struct mkv_piece p[3];
		size_t count = mkv_slot_pieces(slot, offset, n, p, 3);

		assert_true(count > 0);
		for (size_t i = 0; i < MIN(count, 3); i++) {
			assert_true(p[i].n > 0 && p[i].n <= n);
			if (p[i].bytes)
				g_byte_array_append(out, p[i].bytes,
						    (guint)p[i].n);
			else if (p[i].at >= 0)
				g_byte_array_append(out, file->data + p[i].at,
						    (guint)p[i].n);
			else
				for (int64_t k = 0; k < p[i].n; k++)
					put_be(out, 0, 1);
			offset += p[i].n;
			n -= p[i].n;
		}
	}
}

static GByteArray *all_of(const struct mkv_slot *slot, const GByteArray *file,
			  int64_t slot_bytes)
{
	GByteArray *out = g_byte_array_new();

	part_into(slot, file, 0, slot_bytes, out);
	return out;
}

static void put_want(GByteArray *want, uint64_t ticks, const GByteArray *clock,
		     const GByteArray *kept)
{
	put_head(want, Cluster, 10 + clock->len + kept->len, 8);
	put_uint(want, Timestamp, ticks, 8);
	put_all(want, clock);
	put_all(want, kept);
}

static void put_end(GByteArray *want, size_t slot_bytes)
{
	size_t rest = slot_bytes - want->len;

	if (rest >= 9)
		put_head(want, Void, rest - 9, 8);
	else if (rest > 0)
		put_head(want, Void, rest - 2, 1);
	while (want->len < slot_bytes)
		put_be(want, 0, 1);
}

static const struct mkv_slot_spec spec_10s = {
	.scale_ns = 1000000,
	.cue_track = 1,
	.at_ticks = 10000,
	.from_ticks = 9900,
	.to_ticks = 12000,
	.wall_ms = 1795352702513, /* 2026-11-22T13:05:02.513Z */
	.wall_end_ms = 1795352705000,
};

/* ---- what is kept, and when
 * ----------------------------------------------------- */

static void test_kept(void **state)
{
	g_autoptr(GByteArray) none = g_byte_array_new();

	for (unsigned shape = 0; shape < 24; shape++) {
		enum size_kind kind = shape % 3;
		size_t noise = shape / 3 % 2, groups = shape / 6 % 2;
		size_t two = shape / 12;
		g_autoptr(GByteArray) file = g_byte_array_new();
		g_autoptr(GByteArray) want = g_byte_array_new(), have = NULL;
		struct mkv_slot_spec spec = spec_10s;
		struct mkv_slot *slot = NULL;

		put_start(file, "7");
		for (size_t i = 0; i <= two; i++) {
			GByteArray *c = cluster_body(5000 + 900 * i, noise);
			g_autoptr(GByteArray) kept = g_byte_array_new();

			for (int16_t t = 0; t < 5; t++) {
				if (groups)
					put_group(kept, 1, t, t > 0, 700);
				else
					put_block_of(kept, 1, t, t ? 0 : 0x80,
						     700);
			}
			put_all(c, kept);
			if (noise)
				put_zeros(c, Void, 30);
			put_want(want, 10000 + 900 * i, none, kept);
			put_cluster(file, kind, c);
		}
		finish(file, 12000);
		spec.slot_bytes = 12000;
		put_end(want, 12000);
		assert_int_equal(slot_of(file->data, file->len, &spec, &slot),
				 0);
		have = all_of(slot, file, 12000);
		assert_int_equal(have->len, want->len);
		assert_memory_equal(have->data, want->data, want->len);
		/* Blocks that lie side by side are one piece. */
		assert_true(mkv_slot_pieces(slot, 0, 12000, NULL, 0) <= 6);
		mkv_slot_unref(slot);
	}
}

static uint64_t first_time(const GByteArray *slot)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | slot->data[14 + i];
	return value;
}

/* Blocks as {track, time, keyframe}; where the first Cluster comes to lie. */
static void test_times(void **state)
{
	static const struct {
		const char *what;
		struct {
			uint8_t track;
			int16_t time;
			bool key, group;
		} blocks[4];
		int64_t at, from, to;
		uint64_t want;
	} cases[] = {
		{"the first block is the key",
		 {{1, 0, true, false}},
		 10000,
		 0,
		 20000,
		 10000},
		{"sound comes before the picture",
		 {{2, 0, true, false}, {1, 20, true, false}},
		 10000,
		 0,
		 20000,
		 9980},
		{"it is held where the one before ends",
		 {{2, 0, true, false}, {1, 20, true, false}},
		 10000,
		 9990,
		 20000,
		 9990},
		{"and where the next begins",
		 {{1, -500, true, false}},
		 10000,
		 0,
		 10100,
		 10100},
		{"never before the movie",
		 {{2, 0, true, false}, {1, 20, true, false}},
		 0,
		 0,
		 20000,
		 0},
		{"the key is not the first of its track",
		 {{1, 0, false, false}, {1, 40, true, false}},
		 10000,
		 0,
		 20000,
		 9960},
		{"no key: the first of its track",
		 {{2, 0, true, false},
		  {1, 30, false, false},
		  {1, 70, false, false}},
		 10000,
		 0,
		 20000,
		 9970},
		{"the track is not there: the first of all",
		 {{2, 5, false, false}, {3, 1, true, false}},
		 10000,
		 0,
		 20000,
		 9995},
		{"a group that refers to nothing is a key",
		 {{1, 0, false, true}, {1, 40, true, true}},
		 10000,
		 0,
		 20000,
		 9960},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) file = g_byte_array_new(), have = NULL;
		GByteArray *c = cluster_body(77, 0);
		struct mkv_slot_spec spec = spec_10s;
		struct mkv_slot *slot = NULL;

		for (size_t k = 0; k < 4 && cases[i].blocks[k].track; k++) {
			uint8_t track = cases[i].blocks[k].track;
			int16_t time = cases[i].blocks[k].time;
			bool key = cases[i].blocks[k].key;

			if (cases[i].blocks[k].group)
				put_group(c, track, time, !key, 30);
			else
				put_block_of(c, track, time, key ? 0x80 : 0,
					     30);
		}
		put_start(file, "7");
		put_cluster(file, SIZE_KNOWN, c);
		finish(file, 2000);
		spec.slot_bytes = 2000;
		spec.at_ticks = cases[i].at;
		spec.from_ticks = cases[i].from;
		spec.to_ticks = cases[i].to;
		assert_int_equal(slot_of(file->data, file->len, &spec, &slot),
				 0);
		have = all_of(slot, file, 2000);
		if (first_time(have) != cases[i].want)
			fail_msg("%s: %" G_GUINT64_FORMAT, cases[i].what,
				 first_time(have));
		mkv_slot_unref(slot);
	}
}

/* ---- room
 * ------------------------------------------------------------------------ */

static GByteArray *small_file(void)
{
	GByteArray *file = g_byte_array_new(), *c = cluster_body(0, 0);

	put_start(file, "7");
	put_block_of(c, 1, 0, 0x80, 50);
	put_block_of(c, 1, 40, 0, 20);
	put_cluster(file, SIZE_UNKNOWN, c);
	finish(file, 700);
	return file;
}

/* Head and time, and two SimpleBlocks. */
#define SMALL_BYTES (22 + 2 + 54 + 2 + 24)

static void test_room(void **state)
{
	g_autoptr(GByteArray) file = small_file();
	struct mkv_slot_spec spec = spec_10s;

	for (spec.slot_bytes = 0; spec.slot_bytes < 400; spec.slot_bytes++) {
		int64_t rest = spec.slot_bytes - SMALL_BYTES;
		g_autoptr(GByteArray) have = NULL;
		struct mkv_slot *slot = NULL;
		/* 13:05:02.513, 03, 04 */
		bool clock = rest == 96 || rest >= 98;
		int rc;

		spec.clock_track = 2;
		rc = slot_of(file->data, file->len, &spec, &slot);
		if (rest < 0 || rest == 1) {
			assert_int_equal(rc, -EFBIG);
			continue;
		}
		assert_int_equal(rc, 0);
		have = all_of(slot, file, spec.slot_bytes);
		assert_int_equal(have->len, spec.slot_bytes);
		assert_true((memmem(have->data, have->len, "2026-", 5) !=
			     NULL) == clock);
		for (int64_t at = 0; at < spec.slot_bytes; at += 3)
			for (int64_t n = 1; n <= spec.slot_bytes - at; n += 5) {
				g_autoptr(GByteArray) part = g_byte_array_new();

				part_into(slot, file, at, n, part);
				assert_int_equal(part->len, n);
				assert_memory_equal(part->data, have->data + at,
						    (size_t)n);
			}
		mkv_slot_unref(slot);
	}
}

static void test_clock(void **state)
{
	static const struct {
		int16_t time;
		const char *text;
		uint16_t duration;
	} want[] = {
		{0, "2026-11-22 13:05:02Z", 487},
		{487, "2026-11-22 13:05:03Z", 1000},
		{1487, "2026-11-22 13:05:04Z", 1000},
	};
	g_autoptr(GByteArray) file = small_file(), have = NULL;
	g_autoptr(GByteArray) clock = g_byte_array_new();
	struct mkv_slot_spec spec = spec_10s;
	struct mkv_slot *slot = NULL;

	spec.slot_bytes = 700;
	spec.clock_track = 5;
	assert_int_equal(slot_of(file->data, file->len, &spec, &slot), 0);
	have = all_of(slot, file, 700);
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
		GByteArray *g = g_byte_array_new(), *b = g_byte_array_new();

		put_be(b, 0x85, 1);
		put_be(b, (uint16_t)want[i].time, 2);
		put_be(b, 0, 1);
		g_byte_array_append(b, (const guint8 *)want[i].text, 20);
		put_master(g, Block, b);
		put_uint(g, BlockDuration, want[i].duration, 2);
		put_master(clock, BlockGroup, g);
	}
	assert_int_equal(clock->len, 96);
	assert_memory_equal(have->data + 22, clock->data, clock->len);
	mkv_slot_unref(slot);

	/* Finer ticks: a block's time has 16 bits, 3.27 s of them. */
	spec.scale_ns = 100000;
	spec.wall_end_ms = spec.wall_ms + 60000;
	spec.slot_bytes = 4000;
	assert_int_equal(slot_of(file->data, file->len, &spec, &slot), 0);
	g_byte_array_unref(g_steal_pointer(&have));
	have = all_of(slot, file, 4000);
	assert_non_null(memmem(have->data, have->len, "13:05:05Z", 9));
	assert_null(memmem(have->data, have->len, "13:05:06Z", 9));
	mkv_slot_unref(slot);
}

/* ---- what no fragment is
 * ------------------------------------------------------------ */

static void test_every_cut_and_change(void **state)
{
	g_autoptr(GByteArray) file = small_file();
	struct mkv_slot_spec spec = spec_10s;
	uint32_t dice = 1;
	int fine = 0;

	spec.slot_bytes = 700;
	spec.clock_track = 2;
	for (guint n = 0; n < file->len + 20000; n++) {
		guint len = n < file->len ? n : file->len;
		g_autofree uint8_t *part = g_memdup2(file->data, len);
		struct mkv_slot *slot = NULL;
		int rc;

		for (int i = 0; n >= file->len && i < 3; i++) {
			dice = dice * 1664525 + 1013904223;
			part[(dice >> 8) % len] = (uint8_t)(dice >> 24);
		}
		rc = slot_of(part, len, &spec, &slot);
		assert_true(rc == 0 || rc == -EBADMSG || rc == -ENODATA ||
			    rc == -EFBIG);
		if (slot) { /* every piece of it is in the file */
			GByteArray whole = {part, len};
			g_autoptr(GByteArray)
				have = all_of(slot, &whole, spec.slot_bytes);

			fine++;
			assert_int_equal(have->len, spec.slot_bytes);
		}
		mkv_slot_unref(slot);
	}
	assert_true(fine > 1000);
}

static void test_failing_reads(void **state)
{
	g_autoptr(GByteArray) file = small_file();
	struct mkv_slot_spec spec = spec_10s;
	struct mkv_slot *slot = NULL;
	int rc = -EIO;

	spec.slot_bytes = 700;
	for (int reads = 0; rc == -EIO; reads++) {
		struct bytes_source b = {file->data, file->len, reads};
		struct mkv_source s = bytes_source(&b);

		assert_true(reads < 50);
		rc = mkv_slot_new(&s, &spec, &slot);
		assert_true(rc == 0 || rc == -EIO);
	}
	mkv_slot_unref(mkv_slot_ref(slot));
	mkv_slot_unref(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_every_cut_and_change),
		cmocka_unit_test(test_failing_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
