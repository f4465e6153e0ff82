/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/catalog_room.h"

static void test_hundred_thousand(void **state)
{
	struct room *r = *state;
	uint32_t s = any_stream(r);
	const int n = 100000;
	g_autofree struct fragment *page = g_new(struct fragment, 500);
	int64_t t0 = g_get_monotonic_time(), t1, t2;
	int64_t after_ms = INT64_MIN, after_id = 0;
	int got, total = 0;

	fill(r, s, 0, n, 0);
	t1 = g_get_monotonic_time();
	while ((got = catalog_page(r->c, s, CATALOG_PRODUCER, ALL, ALIVE,
				   after_ms, after_id, page, 500)) > 0) {
		total += got;
		after_ms = page[got - 1].producer_ms;
		after_id = page[got - 1].id;
	}
	t2 = g_get_monotonic_time();
	assert_int_equal(total, n);
	print_message("%d fragments: put %.2f us, page %.2f us each; "
		      "%" PRId64 " bytes each on disk\n",
		      n, (double)(t1 - t0) / n, (double)(t2 - t1) / n,
		      index_bytes(r->ix) / n);
	for (int i = 0; i < n; i += 997) {
		char number[64];

		g_snprintf(number, sizeof(number), NUMBER, i);
		assert_int_equal(find(r, s, number).producer_ms, i * 2000);
	}
}

/* Two processes write and read one index at once. */
static void other_process(const char *path)
{
	struct room r = {.fd = open(path, O_RDONLY | O_DIRECTORY)};

	room_open(&r);
	fill(&r, put_stream(&r, "", "arn:cam", "cam"), 0, 5000, 0);
	for (int i = 0; i < 20; i++)
		fill(&r, put_stream(&r, "", "arn:own", "own"), i * 100, 100,
		     i * 1000000);
	room_shut(&r);
	close(r.fd);
	_exit(0);
}

static void test_two_processes(void **state)
{
	struct room *r = *state;
	pid_t child;
	uint32_t s;
	int status;

	room_shut(r); /* SQLite is not carried across a fork */
	child = fork();
	if (child == 0)
		other_process(r->path);
	room_open(r);
	s = any_stream(r);
	fill(r, s, 2500, 5000, 0);
	for (int i = 0; i < 20; i++)
		fill(r, s, 10000 + i * 100, 100, i);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stream_row(r, s).fragments, 7500 + 2000);
	assert_int_equal(query(r, "SELECT count(*) FROM fragments"),
			 7500 + 2000 + 2000);
	assert_int_equal(query(r, "SELECT count(*) FROM streams WHERE"
				  " fragments <> (SELECT count(*) FROM"
				  " fragments WHERE stream = streams.id) OR"
				  " total_bytes <> (SELECT sum(size) FROM"
				  " fragments WHERE stream = streams.id)"),
			 0);
}

/* ---- threads ---------------------------------------------------------- */

struct crowd {
	struct room *room;
	uint32_t stream;
	atomic_bool stop;
	atomic_int reads, failures;
};

static void *reader(void *arg)
{
	struct crowd *w = arg;
	struct catalog *c = w->room->c;
	struct fragment f[64];
	struct catalog_stream s;
	enum catalog_knowledge k;
	int64_t a, b;

	while (!atomic_load(&w->stop)) {
		bool ok;
		int n = catalog_page(c, w->stream, CATALOG_PRODUCER, ALL, ALIVE,
				     INT64_MIN, 0, f, 64);

		ok = n >= 0 && catalog_last_id(c, &a) == 0 &&
		     catalog_knowledge(c, w->stream, CATALOG_PRODUCER, 0, 100,
				       &k) == 0 &&
		     catalog_span(c, w->stream, CATALOG_SERVER, ALL, ALIVE, &a,
				  &b) != -EIO;
		for (int i = 0; ok && i < n; i++)
			ok = catalog_fragment_get(c, f[i].id, &f[i]) != -EIO;
		catalog_touch(c, w->stream, CATALOG_PRODUCER,
			      atomic_load(&w->reads) % 500, 1000);
		if (catalog_stream_get(c, w->stream, &s) == 0)
			catalog_stream_release(&s);
		else
			ok = false;
		atomic_fetch_add(&w->reads, 1);
		if (!ok)
			atomic_fetch_add(&w->failures, 1);
	}
	return NULL;
}

/* What done() was told is what a reader sees right after. */
struct promise {
	struct crowd *crowd;
	char number[32];
};

static void promised(void *user, int rc)
{
	struct promise *p = user;
	struct fragment f;

	if (rc || catalog_fragment_find(p->crowd->room->c, p->crowd->stream,
					p->number, &f) < 0)
		atomic_fetch_add(&p->crowd->failures, 1);
	g_free(p);
}

static void test_readers_and_posts(void **state)
{
	struct room *r = *state;
	struct crowd w = {.room = r, .stream = any_stream(r)};
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &w),
				 0);
	for (int i = 0; i < 300; i++) {
		struct promise *p = g_new(struct promise, 1);
		struct fragment f;
		struct catalog_listing l = {.stream = w.stream,
					    .fragments = &f,
					    .n = 1,
					    .known_start_ms = i,
					    .known_end_ms = i + 1,
					    .as_of_ms = i};

		p->crowd = &w;
		g_snprintf(p->number, sizeof(p->number), "%d", i);
		f = frag(p->number, i, i, 1);
		catalog_put_listing(r->c, &l, promised, p);
		catalog_show(r->c, w.stream, CATALOG_PRODUCER, i, i + 1, 9);
		if (i % 50 == 25)
			catalog_trim(r->c, 0);
		if (i % 10 == 0)
			settle(r);
	}
	while (atomic_load(&w.reads) < 500)
		settle(r);
	settle(r);
	atomic_store(&w.stop, true);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&w.failures), 0);
	assert_int_equal(stream_row(r, w.stream).fragments, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_hundred_thousand),
		T(test_two_processes),
		T(test_readers_and_posts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
