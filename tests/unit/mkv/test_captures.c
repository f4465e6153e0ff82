/* SPDX-License-Identifier: MIT */
/*
 * What the service really sent: every block of it comes out as it was, at the
 * right time, in both modes.  Skipped where the captures are not at hand.
 */
#include "build.h"
#include "collect.h"
#include "dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct capture {
	const char *file;
	guint documents, blocks;
	bool clusters;
};

static const struct capture captures[] = {
	{"output_get_media.mkv", 5, 300, true},
	{"output_get_media_sparse_fragments.mkv", 3, 180, true},
	{"kinesis_video_renderer_example_output.mkv", 8, 444, true},
	{"empty-mkv-with-tags.mkv", 1, 0, false},
};

static GByteArray *load(const char *file)
{
	const char *shared = getenv("KVSFS_SHARED");
	g_autofree char *path = g_build_filename(shared ? shared : "../shared",
						 "data/get-media", file, NULL);
	char *bytes;
	gsize n;

	if (!g_file_get_contents(path, &bytes, &n, NULL))
		return NULL;
	return g_byte_array_new_take((guint8 *)bytes, n);
}

/* Every SimpleBlock from head to tail, and the Clusters' timestamps. */
struct media {
	GByteArray *blocks;
	guint n;
	GArray *times;
};

static void media_of(const uint8_t *p, size_t n, struct media *m)
{
	while (n) {
		struct dump_head h;

		if (!dump_read_head(p, n, &h))
			fail_msg("no element, %zu bytes before the end", n);
		if (h.id == Segment || h.id == Cluster) {
			p += h.n; /* what is inside is next */
			n -= h.n;
			continue;
		}
		assert_false(h.unknown);
		assert_true(h.size <= n - h.n);
		if (h.id == SimpleBlock) {
			g_byte_array_append(m->blocks, p,
					    (guint)(h.n + h.size));
			m->n++;
		}
		if (h.id == Timestamp) {
			uint64_t time = 0;

			for (size_t i = 0; i < h.size; i++)
				time = time << 8 | p[h.n + i];
			g_array_append_val(m->times, time);
		}
		p += h.n + h.size;
		n -= h.n + h.size;
	}
}

static void media_init(struct media *m)
{
	m->blocks = g_byte_array_new();
	m->times = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	m->n = 0;
}

static void media_clear(struct media *m)
{
	g_byte_array_unref(m->blocks);
	g_array_unref(m->times);
}

static void check_documents(const struct capture *of, const struct collect *c,
			    bool raw, const struct media *sent)
{
	struct media got;

	media_init(&got);
	assert_int_equal(c->documents->len, of->documents);
	for (guint i = 0; i < c->documents->len; i++) {
		struct collected *d = collect_at(c, i);

		assert_true(d->ended);
		assert_int_equal(strlen(d->document.number), 47);
		assert_true(d->document.server_ms > 1500000000000);
		assert_true(d->document.producer_ms > 1500000000000);
		assert_int_equal(d->document.has_cluster, of->clusters);
		assert_false(d->document.has_error);
		media_of(d->bytes->data, d->bytes->len, &got);
		if (!of->clusters)
			continue;
		assert_int_equal(got.times->len, i + 1);
		assert_int_equal(g_array_index(got.times, uint64_t, i),
				 raw ? g_array_index(sent->times, uint64_t, i)
				     : 0);
	}
	assert_int_equal(got.n, of->blocks);
	assert_int_equal(got.blocks->len, sent->blocks->len);
	if (got.n)
		assert_memory_equal(got.blocks->data, sent->blocks->data,
				    got.blocks->len);
	media_clear(&got);
}

static void every_block_comes_through(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(captures); i++) {
		g_autoptr(GByteArray) body = load(captures[i].file);
		struct media sent;

		/* skip() jumps: nothing may be held. */
		if (!body)
			skip();

		g_autoptr(GRand) rand = g_rand_new_with_seed(3);

		media_init(&sent);
		media_of(body->data, body->len, &sent);
		assert_int_equal(sent.n, captures[i].blocks);
		for (int run = 0; run < 4; run++) {
			bool raw = run & 1;
			struct collect c;
			int rc;

			collect_init(&c);
			rc = run < 2 ? collect_run(&c, raw, body->data,
						   body->len)
				     : collect_run_steps(
					       &c, raw, body->data, body->len,
					       collect_step_random, rand);
			assert_int_equal(rc, 0);
			check_documents(&captures[i], &c, raw, &sent);
			collect_clear(&c);
		}
		media_clear(&sent);
	}
}

static void raw_is_what_was_sent(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(captures); i++) {
		g_autoptr(GByteArray) body = load(captures[i].file);
		struct collect c;

		if (!body)
			skip();

		g_autoptr(GByteArray) got = g_byte_array_new();

		collect_init(&c);
		assert_int_equal(collect_run(&c, true, body->data, body->len),
				 0);
		for (guint j = 0; j < c.documents->len; j++)
			put_all(got, collect_at(&c, j)->bytes);
		assert_int_equal(got->len, body->len);
		assert_memory_equal(got->data, body->data, body->len);
		collect_clear(&c);
	}
}

/* All that a recording says of itself is gone from its parts. */
static void nothing_stale_is_left(void **state)
{
	static const char *const stale[] = {
		"SegmentUUID", "SeekHead",     "Cues",	 "\"DURATION\"",
		"BEHIND_NOW",  "CONTINUATION", "+NUL\n", "!\n",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(captures); i++) {
		g_autoptr(GByteArray) body = load(captures[i].file);
		struct collect c;

		if (!body)
			skip();
		collect_init(&c);
		assert_int_equal(collect_run(&c, false, body->data, body->len),
				 0);
		for (guint j = 0; j < c.documents->len; j++) {
			GByteArray *b = collect_at(&c, j)->bytes;
			g_autofree char *text = dump(b->data, b->len);

			for (size_t k = 0; k < G_N_ELEMENTS(stale); k++)
				if (strstr(text, stale[k]))
					fail_msg("%s in %s", stale[k], text);
			assert_non_null(strstr(text, "  Duration 1993."));
		}
		collect_clear(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_block_comes_through),
		cmocka_unit_test(raw_is_what_was_sent),
		cmocka_unit_test(nothing_stale_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
