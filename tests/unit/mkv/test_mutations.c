/* SPDX-License-Identifier: MIT */
/* Bodies broken at random: refused or read, never a crash, never a hoard. */
#include "build.h"
#include "collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define RUNS 20000

static GByteArray *rich_body(void)
{
	GByteArray *o = g_byte_array_new(), *c = g_byte_array_new();

	put_start(o, "7");
	TAGS(o, "MimeType", "audio/L16;rate=8000;channels=1", "DURATION", "1");
	put_zeros(c, CRC32, 4);
	put_uint(c, Timestamp, 1511852108513, 8);
	put_uint(c, Position, 5, 4);
	put_block(c, 0, 30);
	put_block(c, 40, 30);
	put_master(o, Cluster, c);
	TAGS(o, "ContactId", "4711", "BPS", "10");
	put_zeros(o, Cues, 40);
	put_start(o, "8");
	put_unknown(o, Cluster, 1);
	put_uint(o, Timestamp, 2000, 2);
	put_block(o, 0, 30);
	TAGS(o, "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", "10");
	put_ebml(o);
	put_unknown(o, Segment, 8);
	TAGS(o, "AWS_KINESISVIDEO_ERROR_ID", "3000");
	return o;
}

static void mutate(GByteArray *o, GRand *rand)
{
	static const uint8_t telling[] = {0,	1,    0x7f, 0x80, 0x81, 0xfe,
					  0xff, 0x1f, 0x1a, 0x18, 0xec, 0xbf};
	int changes = g_rand_int_range(rand, 1, 5);

	while (changes-- && o->len > 1) {
		guint at = (guint)g_rand_int_range(rand, 0, (gint)o->len);
		guint n = (guint)g_rand_int_range(rand, 1, 9);

		switch (g_rand_int_range(rand, 0, 5)) {
		case 0:
			o->data[at] ^=
				(uint8_t)(1 << g_rand_int_range(rand, 0, 8));
			break;
		case 1:
			o->data[at] = telling[g_rand_int_range(
				rand, 0, G_N_ELEMENTS(telling))];
			break;
		case 2:
			g_byte_array_remove_range(o, at, MIN(n, o->len - at));
			break;
		case 3:
			g_byte_array_set_size(o, at);
			break;
		default: {
			g_autofree uint8_t *copy = g_memdup2(o->data + at,
							     o->len - at);

			n = MIN(n, o->len - at);
			g_byte_array_append(o, copy, n);
			memmove(o->data + at + n, copy, o->len - at - n);
		}
		}
	}
}

static void assert_sane(const struct collect *c, const GByteArray *o, int rc)
{
	size_t bytes = 0;

	assert_true(rc == 0 || rc == -EBADMSG);
	assert_false(c->out_of_order);
	for (guint i = 0; i < c->documents->len; i++) {
		struct collected *d = collect_at(c, i);

		bytes += d->bytes->len;
		if (rc == 0 || i + 1 < c->documents->len)
			assert_true(d->ended);
		for (const char *p = d->document.number; *p; p++)
			assert_true(*p >= '0' && *p <= '9');
	}
	/* A header written anew is at most some fixed words longer. */
	assert_true(bytes <= o->len + 256 * c->documents->len);
}

static void broken_bodies_do_no_harm(void **state)
{
	g_autoptr(GByteArray) body = rich_body();
	g_autoptr(GRand) rand = g_rand_new_with_seed(20260101);
	unsigned accepted = 0;

	for (int i = 0; i < RUNS; i++) {
		g_autoptr(GByteArray) o = g_byte_array_new();
		bool raw = i % 4 == 3;
		struct collect whole, cut;
		int rc;

		put_all(o, body);
		mutate(o, rand);
		collect_init(&whole);
		rc = collect_run(&whole, raw, o->data, o->len);
		assert_sane(&whole, o, rc);
		accepted += rc == 0;

		collect_init(&cut);
		assert_int_equal(collect_run_steps(&cut, raw, o->data, o->len,
						   collect_step_random, rand),
				 rc);
		assert_int_equal(cut.documents->len, whole.documents->len);
		for (guint j = 0; j < cut.documents->len; j++) {
			struct collected *x = collect_at(&whole, j),
					 *y = collect_at(&cut, j);

			assert_int_equal(x->bytes->len, y->bytes->len);
			assert_memory_equal(x->bytes->data, y->bytes->data,
					    x->bytes->len);
		}
		collect_clear(&whole);
		collect_clear(&cut);
	}
	/* Else the mutations are too wild to reach the parts that matter. */
	assert_in_range(accepted, RUNS / 20, RUNS * 19 / 20);
}

/* Bytes that were never Matroska, after a start that is. */
static void noise_does_no_harm(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);

	for (int i = 0; i < 2000; i++) {
		g_autoptr(GByteArray) o = g_byte_array_new();
		struct collect c;
		int rc;

		if (i % 2)
			put_start(o, "7");
		if (i % 4 == 3)
			put_unknown(o, Cluster, 1);
		for (int n = g_rand_int_range(rand, 0, 400); n > 0; n--)
			put_be(o, g_rand_int(rand), 1);
		collect_init(&c);
		rc = collect_run(&c, false, o->data, o->len);
		assert_sane(&c, o, rc);
		collect_clear(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_bodies_do_no_harm),
		cmocka_unit_test(noise_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
