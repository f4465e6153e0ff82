/* SPDX-License-Identifier: MIT */
/* Sizes, bytes, and what goes wrong on their way. */
#include "world.h"

/* ---- sizes -------------------------------------------------------------- */

static void test_slack_arithmetic(void **state)
{
	static const struct {
		int64_t listed, content, slack;
	} cases[] = {
		{1000, 1000, 4096},
		{1000, 1000 + 2048, 4096},
		{1000, 1000 + 2049, 65536},
		{5000, 100, 4096},
		{0, 63488, 65536},
		{0, 63489, 2097152},
		{0, INT64_C(5) << 20, 2097152},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(slack_for(cases[i].listed, cases[i].content),
				 cases[i].slack);
	assert_true(slack_fits(10, 10));
	assert_false(slack_fits(9, 10));
	assert_true(slack_fits(8, 10));
	assert_false(slack_fits(11, 10));
	assert_int_equal(slack_grown(4094), 4096);
	assert_int_equal(slack_grown(4095), 8192);
}

static void test_calibrates_once(void **state)
{
	struct world *w = *state;
	struct fragment f;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	assert_int_equal(row(w, 5).file_bytes, -1);
	assert_int_equal(calibrate(w, row(w, 3).id), 0);
	assert_int_equal(calibrate(w, row(w, 9).id), 0);
	assert_int_equal(atomic_load(&fake.medias), 1);
	f = row(w, 5);
	assert_int_equal(f.file_bytes, f.size_bytes + 4096);
	/* What was fetched for it is a file like any other. */
	assert_content(w, 3);
	assert_int_equal(atomic_load(&fake.medias), 1);
	close_archive(w);
}

static void test_growth(void **state)
{
	struct world *w = *state;
	struct fragment before, after, seventh;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 200000, -50000);
	ready(w);
	before = row(w, N_FRAGMENTS);
	seventh = row(w, 7);
	catalog_show_one(w->catalog, &seventh);
	assert_content(w, N_FRAGMENTS);
	after = row(w, N_FRAGMENTS);
	assert_true(after.file_bytes > before.file_bytes);
	assert_int_equal(after.file_bytes % 4096, 0);
	assert_int_equal(atomic_load(&w->resized), 1);
	/* What was shown stays; what was not gets the next step. */
	assert_int_equal(row(w, 7).file_bytes, row(w, 7).size_bytes + 4096);
	assert_int_equal(row(w, 8).file_bytes, row(w, 8).size_bytes + 65536);
	/* From the cache it is the same. */
	atomic_store(&fake.medias, 0);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 0);
	close_archive(w);
}

/* Whoever reads to the end does so when nobody trusts the old size any more. */
static void test_growth_is_told_first(void **state)
{
	struct world *w = *state;
	gint64 until = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;
	struct fragment before;
	struct reply r;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 200000, -50000);
	ready(w);
	before = row(w, N_FRAGMENTS);
	atomic_store(&w->slow_to_tell, true);
	reply_init(&r);
	archive_read(w->a, archive_ticket_new(w->a), before.id, 0,
		     (size_t)before.file_bytes, read_in, &r);
	while (!atomic_load(&w->told_arg) && g_get_monotonic_time() < until)
		g_usleep(1000);
	assert_non_null(atomic_load(&w->told_arg));
	assert_int_equal(r.count, 0);
	assert_false(archive_cached(w->a, &before));
	assert_true(row(w, N_FRAGMENTS).file_bytes > before.file_bytes);
	atomic_store(&w->slow_to_tell, false);
	w->told(w->told_arg);
	assert_int_equal(reply_wait(&r), 0);
	assert_int_equal(r.bytes->len, before.file_bytes);
	reply_release(&r);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&w->resized), 1);
	/* Another process that shares the cache may have shown the old one. */
	reopen(w);
	assert_content(w, N_FRAGMENTS);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&w->resized), 2);
	close_archive(w);
}

/* ---- reading ------------------------------------------------------------ */

static void test_read_and_cached(void **state)
{
	struct world *w = *state;

	ready(w);
	for (guint i = 1; i < 20; i++)
		assert_content(w, i);
	assert_int_equal(atomic_load(&fake.numbers_asked), 20);
	assert_true(archive_cached(w->a, &(struct fragment){0}) == false);
	reopen(w);
	atomic_store(&fake.medias, 0);
	for (guint i = 0; i < 20; i++)
		assert_content(w, i);
	assert_int_equal(atomic_load(&fake.medias), 0);
	close_archive(w);
}

static void test_one_download_for_many_readers(void **state)
{
	struct world *w = *state;
	struct reply r[32];
	struct fragment f;

	ready(w);
	f = row(w, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_read(w->a, archive_ticket_new(w->a), f.id,
			     (int64_t)i * 100, 100, read_in, &r[i]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), 0);
		assert_int_equal(r[i].bytes->len, 100);
		reply_release(&r[i]);
	}
	assert_int_equal(atomic_load(&fake.medias), 1);
	close_archive(w);
}

/* The first bytes do not wait for the last. */
static void test_first_bytes_early(void **state)
{
	struct world *w = *state;
	struct reply tail;
	struct fragment f;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 1000000, 0);
	ready(w);
	atomic_store(&fake.hold_media, 1);
	f = row(w, N_FRAGMENTS);
	reply_init(&tail);
	archive_read(w->a, archive_ticket_new(w->a), f.id, 900000, 100, read_in,
		     &tail);
	assert_int_equal(read_file(w, f.id, 0, 4096, NULL), 0);
	assert_int_equal(tail.count, 0);
	atomic_store(&fake.hold_media, 0);
	assert_int_equal(reply_wait(&tail), 0);
	reply_release(&tail);
	assert_int_equal(atomic_load(&fake.medias), 1);
	assert_content(w, N_FRAGMENTS);
	close_archive(w);
}

static void test_cancel(void **state)
{
	struct world *w = *state;
	struct reply r, other;
	archive_ticket t, early;
	struct fragment f;

	ready(w);
	atomic_store(&fake.hold_media, 1);
	f = row(w, 2);
	reply_init(&r);
	reply_init(&other);
	t = archive_ticket_new(w->a);
	archive_read(w->a, t, f.id, 9000, 100, read_in, &r);
	archive_read(w->a, archive_ticket_new(w->a), f.id, 9000, 100, read_in,
		     &other);
	archive_cancel(w->a, t);
	assert_int_equal(reply_wait(&r), -EINTR);
	reply_release(&r);
	/* The shared download goes on for the other. */
	atomic_store(&fake.hold_media, 0);
	assert_int_equal(reply_wait(&other), 0);
	reply_release(&other);
	/* A cancel that overtakes its question counts. */
	atomic_store(&fake.hold_media, 1);
	early = archive_ticket_new(w->a);
	archive_cancel(w->a, early);
	reply_init(&r);
	archive_read(w->a, early, row(w, 3).id, 9000, 100, read_in, &r);
	assert_int_equal(reply_wait(&r), -EINTR);
	reply_release(&r);
	close_archive(w);
}

struct trouble {
	const char *what;
	_Atomic int *knob;
	int value;
};

/* What goes wrong for a while is asked for again; the content is right. */
static void test_passing_troubles(void **state)
{
	const struct trouble troubles[] = {
		{"not visible yet", &fake.not_found, 2},
		{"missing from the answer", &fake.missing, 2},
		{"body cut", &fake.cut, 2},
		{"refused", &fake.fail_medias, 2},
	};
	struct world *w = *state;

	atomic_store(&fake.media_rc, -EBUSY);
	ready(w);
	for (guint i = 0; i < G_N_ELEMENTS(troubles); i++) {
		atomic_store(troubles[i].knob, troubles[i].value);
		assert_content(w, 10 + i);
		assert_int_equal(atomic_load(troubles[i].knob), 0);
	}
	close_archive(w);
}

static void test_lasting_troubles(void **state)
{
	static const struct {
		int media_rc, want;
	} cases[] = {
		{-EACCES, -EACCES}, {-ENOENT, -ENOENT},	      {-EIO, -EIO},
		{-ERANGE, -ESTALE}, {-ETIMEDOUT, -ETIMEDOUT},
	};
	struct world *w = *state;

	w->timeout_ms = 1500;
	ready(w);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct fragment f = row(w, 20 + i);

		atomic_store(&fake.media_rc, cases[i].media_rc);
		atomic_store(&fake.fail_medias, 1000);
		assert_int_equal(read_file(w, f.id, 0, 100, NULL),
				 cases[i].want);
		/* The kernel's second question hears the same at once. */
		atomic_store(&fake.fail_medias, 0);
		atomic_store(&fake.medias, 0);
		assert_int_equal(read_file(w, f.id, 0, 100, NULL),
				 cases[i].want);
		assert_int_equal(atomic_load(&fake.medias), 0);
	}
	close_archive(w);
}

/* One number that the service refuses must not take the others along. */
static void test_refused_batch_is_taken_apart(void **state)
{
	struct world *w = *state;
	struct reply r[8];

	ready(w);
	atomic_store(&fake.refuse_batches, 1);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_read(w->a, archive_ticket_new(w->a), row(w, 30 + i).id,
			     0, 100, read_in, &r[i]);
	}
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), 0);
		reply_release(&r[i]);
	}
	close_archive(w);
}

static void test_uncached_is_served(void **state)
{
	struct world *w = *state;

	/* Larger than half of the budget: the store refuses it. */
	w->budget_bytes = 1 << 20;
	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 1500000, 0);
	add_fragment(w->hour_ms + (N_FRAGMENTS + 1) * STEP_MS,
		     w->hour_ms + (N_FRAGMENTS + 1) * STEP_MS, 1500000, 0);
	w->memory_bytes = 2 << 20;
	ready(w);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 1);
	/* Held in memory, so that a second read is no second download. */
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 1);
	/* The next one takes its place. */
	assert_content(w, N_FRAGMENTS + 1);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 3);
	close_archive(w);
}

static void test_expired_is_stale(void **state)
{
	struct world *w = *state;
	int64_t id;

	ready(w);
	id = row(w, 4).id;
	assert_int_equal(read_file(w, id, 0, 100, NULL), 0);
	atomic_fetch_add(&skew_ms, 25 * UTC_HOUR_MS);
	assert_int_equal(read_file(w, id, 0, 100, NULL), -ESTALE);
	close_archive(w);
}

static void test_close_with_everything_open(void **state)
{
	struct world *w = *state;
	struct reply r[12];

	ready(w);
	atomic_store(&fake.hold_media, 1);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		if (i % 3 == 0)
			archive_list(w->a, archive_ticket_new(w->a), w->stream,
				     w->hour_ms -
					     (int64_t)(i + 1) * UTC_HOUR_MS,
				     w->hour_ms - (int64_t)i * UTC_HOUR_MS,
				     ARCHIVE_LIST_KNOWN, reply_in, &r[i]);
		else
			archive_read(w->a, archive_ticket_new(w->a),
				     row(w, 40 + i).id, 5000, 100, read_in,
				     &r[i]);
	}
	close_archive(w);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++)
		reply_release(&r[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slack_arithmetic),
		T(test_calibrates_once),
		T(test_growth),
		T(test_growth_is_told_first),
		T(test_read_and_cached),
		T(test_one_download_for_many_readers),
		T(test_first_bytes_early),
		T(test_cancel),
		T(test_passing_troubles),
		T(test_lasting_troubles),
		T(test_refused_batch_is_taken_apart),
		T(test_uncached_is_served),
		T(test_expired_is_stale),
		T(test_close_with_everything_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
