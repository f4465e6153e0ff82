/* SPDX-License-Identifier: MIT */
/* A range of many pages: how many calls it takes, whatever order they are in.
 */
#include "world.h"

#include <sqlite3.h>

/* The whole day before yesterday. */
#define DAY (utc_floor(w->hour_ms, UTC_DAY_MS) - 2 * UTC_DAY_MS)

enum order {
	SORTED,
	BACKWARDS,
	SHUFFLED /* each page is from all of the range */
};

struct day {
	const char *what;
	int n;
	int64_t from_ms, spacing_ms;
	int burst; /* after so many comes a pause */
	int64_t pause_ms;
	enum order order;
	int calls; /* 0: pages and a tenth and 3 */
	int at_once;
};

static void fill_day(struct world *w, const struct day *d)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	g_autofree int *at = g_new(int, d->n);

	for (int i = 0; i < d->n; i++)
		at[i] = d->order == BACKWARDS ? d->n - 1 - i : i;
	for (int i = d->n - 1; d->order == SHUFFLED && i > 0; i--) {
		int j = g_rand_int_range(random, 0, i + 1), t = at[i];

		at[i] = at[j];
		at[j] = t;
	}
	pthread_mutex_lock(&fake.lock);
	g_array_set_size(fake.fragments, 0);
	for (int i = 0; i < d->n; i++) {
		int64_t ms = DAY + d->from_ms + at[i] * d->spacing_ms +
			     (d->burst ? at[i] / d->burst * d->pause_ms : 0);
		struct fake_fragment f = {.producer_ms = ms,
					  .server_ms = ms + 300,
					  .length_ms = d->spacing_ms - 40,
					  .size_bytes = 1000};

		g_snprintf(f.number, sizeof(f.number),
			   "91343852333%018" PRId64 "%05d", ms, at[i]);
		g_array_append_val(fake.fragments, f);
	}
	pthread_mutex_unlock(&fake.lock);
}

static void begin(struct world *w, const struct day *d)
{
	atomic_store(&fake.retention_ms, 10 * UTC_DAY_MS);
	fill_day(w, d);
	open_archive(w);
	atomic_store(&fake.list_delay_ms, 2);
	atomic_store(&fake.lists, 0);
	atomic_store(&fake.most_lists, 0);
	atomic_store(&w->added, 0);
}

static int list_day(struct world *w)
{
	return list_range(w, DAY, DAY + UTC_DAY_MS);
}

static int rows_of_day(struct world *w)
{
	int64_t after_ms = INT64_MIN, after_id = 0;
	struct fragment page[500];
	int rows = 0, n;

	while ((n = catalog_page(w->catalog, w->stream, CATALOG_PRODUCER, DAY,
				 DAY + UTC_DAY_MS, 0, after_ms, after_id, page,
				 500)) > 0) {
		rows += n;
		after_ms = page[n - 1].producer_ms;
		after_id = page[n - 1].id;
	}
	return rows;
}

static int count_known(struct index_conn *conn, void *arg)
{
	struct sqlite3_stmt *s = index_prepare(conn,
					       "SELECT count(*) FROM known");

	if (!s || index_step(s) <= 0)
		return -EIO;
	*(int *)arg = sqlite3_column_int(s, 0);
	index_done(s);
	return 0;
}

static int known_intervals(struct world *w)
{
	int n = -1;

	assert_int_equal(index_run(w->ix, count_known, &n), 0);
	return n;
}

/* ---- how many calls ----------------------------------------------------- */

#define MINUTES(n) ((n)*UTC_MINUTE_MS)
#define HOURS(n)   ((n)*UTC_HOUR_MS)

static const struct day days[] = {
	{"2 s, sorted", 43200, 0, 2000, 0, 0, SORTED, 0, 5},
	{"2 s, backwards", 43200, 0, 2000, 0, 0, BACKWARDS, 0, 5},
	{"2 s, shuffled", 43200, 0, 2000, 0, 0, SHUFFLED, 0, 4},
	{"1 s, shuffled", 86400, 0, 1000, 0, 0, SHUFFLED, 0, 6},
	{"4 s, sorted", 20011, 0, 4000, 0, 0, SORTED, 0, 3},
	{"4 s, shuffled", 20011, 0, 4000, 0, 0, SHUFFLED, 0, 2},
	{"afternoon, sorted", 10800, HOURS(12), 2000, 0, 0, SORTED, 0, 1},
	{"afternoon, shuffled", 10800, HOURS(12), 2000, 0, 0, SHUFFLED, 0, 1},
	{"evening, shuffled", 14400, HOURS(16), 2000, 0, 0, SHUFFLED, 0, 2},
	{"motion, shuffled", 4003, 0, 2000, 10, MINUTES(3), SHUFFLED, 6, 1},
	{"motion, sorted", 4003, 0, 2000, 10, MINUTES(3), SORTED, 6, 1},
	{"1500, shuffled", 1500, 0, 2000, 10, MINUTES(9), SHUFFLED, 3, 1},
	{"1500, sorted", 1500, 0, 2000, 10, MINUTES(9), SORTED, 3, 1},
	{"a page", 997, 0, 2000, 10, MINUTES(9), SHUFFLED, 1, 1},
	{"all at once", 1500, HOURS(3), 0, 0, 0, SORTED, 2, 1},
};

static void test_calls_of_a_day(void **state)
{
	struct world *w = *state;
	int calls, most;

	for (size_t i = 0; i < G_N_ELEMENTS(days); i++) {
		const struct day *d = &days[i];

		begin(w, d);
		assert_int_equal(list_day(w), 0);
		calls = atomic_load(&fake.lists);
		most = d->calls ?: (d->n + 999) / 1000 * 11 / 10 + 3;
		print_message("%s: %d fragments, %d calls (%d), %d at once\n",
			      d->what, d->n, calls, most,
			      atomic_load(&fake.most_lists));
		assert_in_range(calls, 1, most);
		assert_in_range(atomic_load(&fake.most_lists), d->at_once, 10);
		assert_int_equal(rows_of_day(w), d->n);
		assert_int_equal(known_intervals(w), 1);
		/* Nobody is told of what nobody was shown. */
		assert_int_equal(atomic_load(&w->added), 0);
		/* Known for good: only what came since may be asked for. */
		assert_int_equal(list_day(w), 0);
		assert_in_range(atomic_load(&fake.lists), calls, calls + 1);
		close_archive(w);
		remove_tree(w->dir);
		assert_int_equal(g_mkdir(w->dir, 0700), 0);
	}
}

/* An hour is of few pages: there is nothing to find out first. */
static void test_hours_are_not_probed(void **state)
{
	struct world *w = *state;

	begin(w, &days[2]);
	for (int h = 0; h < 24; h++)
		assert_int_equal(
			list_range(w, DAY + HOURS(h), DAY + HOURS(h + 1)), 0);
	assert_int_equal(atomic_load(&fake.lists), 48);
	assert_int_equal(rows_of_day(w), 43200);
	close_archive(w);
}

/* ---- from bucket to bucket ---------------------------------------------- */

static void list_an_hour(struct world *w, int h)
{
	assert_int_equal(list_range(w, DAY + HOURS(h), DAY + HOURS(h + 1)), 0);
}

static bool is_listed(struct world *w, int h)
{
	enum catalog_knowledge k = CATALOG_UNKNOWN;

	assert_int_equal(catalog_knowledge(w->catalog, w->stream,
					   CATALOG_PRODUCER, DAY + HOURS(h),
					   DAY + HOURS(h + 1), &k),
			 0);
	return k == CATALOG_KNOWN;
}

/* Hour after hour: the next one is listed meanwhile, and none for nothing. */
static void test_walking_lists_ahead(void **state)
{
	struct world *w = *state;

	begin(w, &days[2]);
	atomic_store(&fake.list_delay_ms, 10);
	/* Each hour holds something: a page from all of the day says so. */
	assert_int_equal(survey(w, DAY, DAY + UTC_DAY_MS, UTC_HOUR_MS), 0);
	atomic_store(&fake.lists, 0);
	atomic_store(&fake.most_lists, 0);
	atomic_store(&w->added, 0);
	for (int h = 0; h < 24; h++)
		list_an_hour(w, h);
	assert_int_equal(atomic_load(&fake.most_lists), 2);
	assert_int_equal(rows_of_day(w), 43200);
	/* Ranges include their end: the first row of an hour may be told of. */
	assert_in_range(atomic_load(&w->added), 0, 24);
	/* Nothing of the next day. */
	assert_int_equal(atomic_load(&fake.lists), 48);
	close_archive(w);
}

/* Who looks here and there, or after a while, looks at that only. */
static void test_looking_lists_nothing_ahead(void **state)
{
	struct world *w = *state;

	begin(w, &days[2]);
	assert_int_equal(survey(w, DAY, DAY + UTC_DAY_MS, UTC_HOUR_MS), 0);
	atomic_store(&fake.lists, 0);
	list_an_hour(w, 3);
	list_an_hour(w, 7);
	list_an_hour(w, 6);
	atomic_fetch_add(&skew_ms, 10000);
	list_an_hour(w, 8);
	/* What might be listed ahead would be before this. */
	list_an_hour(w, 20);
	for (int h = 0; h < 24; h++)
		assert_int_equal(is_listed(w, h), h == 3 || h == 6 || h == 7 ||
							  h == 8 || h == 20);
	/* Two each, and one to catch up with the ten seconds. */
	assert_int_equal(atomic_load(&fake.lists), 11);
	close_archive(w);
}

/* ---- what goes wrong ---------------------------------------------------- */

static GLogWriterOutput count_warnings(GLogLevelFlags level,
				       const GLogField *fields, gsize n,
				       void *user)
{
	if (level & G_LOG_LEVEL_WARNING)
		atomic_fetch_add((_Atomic int *)user, 1);
	return G_LOG_WRITER_HANDLED;
}

/* At every call; what parts had listed before is not asked for again. */
static void test_failure_halfway(void **state)
{
	static _Atomic int warnings;
	static const int after[] = {1, 2, 3, 4, 7, 12, 22, 40};
	struct world *w = *state;
	int first = 0;

	g_log_set_writer_func(count_warnings, &warnings, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(after); i++) {
		enum catalog_knowledge k;

		begin(w, &days[2]);
		atomic_store(&warnings, 0);
		atomic_store(&fake.fail_lists_after, after[i]);
		assert_int_equal(list_day(w), -EACCES);
		first = atomic_load(&fake.lists);
		/* Those in flight come in, and nothing more is asked. */
		assert_in_range(first, after[i], after[i] + 9);
		assert_int_equal(atomic_load(&warnings), 1);
		assert_int_equal(catalog_knowledge(w->catalog, w->stream,
						   CATALOG_PRODUCER, DAY,
						   DAY + UTC_DAY_MS, &k),
				 0);
		assert_int_equal(k, CATALOG_UNKNOWN);
		atomic_store(&fake.fail_lists_after, 0);
		assert_int_equal(list_day(w), 0);
		assert_int_equal(rows_of_day(w), 43200);
		print_message("%d calls, then %d\n", first,
			      atomic_load(&fake.lists) - first);
		close_archive(w);
		remove_tree(w->dir);
		assert_int_equal(g_mkdir(w->dir, 0700), 0);
	}
}

/* Before the first page, while it is probed, and at any time after that. */
static void test_close_while_in_flight(void **state)
{
	struct world *w = *state;

	for (int calls = 0; calls < 40; calls += calls < 4 ? 1 : 7) {
		struct reply r;

		begin(w, &days[2]);
		reply_init(&r);
		archive_list(w->a, archive_ticket_new(w->a), w->stream, DAY,
			     DAY + UTC_DAY_MS, ARCHIVE_LIST_KNOWN, reply_in,
			     &r);
		while (atomic_load(&fake.lists) < calls)
			g_usleep(100);
		close_archive(w);
		assert_int_equal(reply_wait(&r), -EIO);
		reply_release(&r);
		remove_tree(w->dir);
		assert_int_equal(g_mkdir(w->dir, 0700), 0);
	}
	open_archive(w);
	close_archive(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_calls_of_a_day),
		T(test_hours_are_not_probed),
		T(test_walking_lists_ahead),
		T(test_looking_lists_nothing_ahead),
		T(test_failure_halfway),
		T(test_close_while_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
