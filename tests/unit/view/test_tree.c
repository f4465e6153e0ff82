/* SPDX-License-Identifier: MIT */
#include "fs/base/utc.h"
#include "tests/unit/view/look.h"

#define DAY	     INT64_C(1795305600000) /* 2026-11-22 */
#define CREATED	     (DAY - 2 * UTC_DAY_MS + 5 * UTC_HOUR_MS)
#define NOW	     (DAY + 13 * UTC_HOUR_MS + 20 * UTC_MINUTE_MS)
#define T_MS	     (DAY + 13 * UTC_HOUR_MS + 5 * UTC_MINUTE_MS + 2513)
#define NUMBER	     "91343852333181432392682062607743920146159169392"
#define FILENAME     "2026-11-22T13-05-02.513Z_" NUMBER ".mkv"
#define RETENTION_MS (7 * UTC_DAY_MS)
#define TTL_MS	     5000

static uint64_t walk(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	uint64_t node = TREE_ROOT;

	for (char **p = parts; *p; p++) {
		struct result r = look(node, *p);

		if (r.rc != 0)
			fail_msg("%s in %s: %d", *p, path, r.rc);
		node = r.e.node;
	}
	return node;
}

static void opened(void *user, int rc, struct tree_dir *d)
{
	assert_int_equal(rc, 0);
	*(struct tree_dir **)user = d;
}

static struct tree_dir *open_dir(uint64_t node)
{
	struct tree_dir *d = NULL;

	tree_dir_open(tree, 1, node, opened, &d);
	assert_non_null(d);
	return d;
}

/* Names but "." and "..", with spaces between. */
static char *names(uint64_t node)
{
	struct tree_dir *d = open_dir(node);
	GString *s = g_string_new(NULL);
	struct tree_dirent e;

	for (uint64_t at = 0; tree_dir_at(d, at, false, &e) == 1; at = e.next)
		if (e.name[0] != '.')
			g_string_append_printf(s, "%s%s", s->len ? " " : "",
					       e.name);
	tree_dir_close(d);
	return g_string_free(s, FALSE);
}

static void assert_names(uint64_t node, const char *want)
{
	g_autofree char *have = names(node);

	assert_string_equal(have, want);
}

static void begin(bool pattern, enum tree_bucket bucket)
{
	struct tree_options o = {.view = TREE_BOTH,
				 .bucket = bucket,
				 .uid = 12,
				 .gid = 34,
				 .umask = 0022,
				 .metadata_ttl_ms = TTL_MS};

	fake_begin(pattern);
	fake.now_ms = NOW;
	tree = tree_new(NULL, &o);
}

static int setup(void **state)
{
	begin(false, TREE_HOUR);
	fake_add_stream(1, "front-door", CREATED, RETENTION_MS);
	fake_add(11, T_MS, NUMBER);
	return 0;
}

static int setup_pattern(void **state)
{
	begin(true, TREE_HOUR);
	fake_add_stream(1, "front-door", CREATED, RETENTION_MS);
	fake_add_stream(2, "..", CREATED + 5, RETENTION_MS);
	fake_add_stream(3, "none", CREATED, 0);
	return 0;
}

static int teardown(void **state)
{
	tree_free(tree);
	fake_end();
	return 0;
}

/* ---- folders ------------------------------------------------------------ */

static void test_the_tree(void **state)
{
	assert_names(TREE_ROOT, "fragments movies");
	assert_names(walk("fragments"), "2026-11-20 2026-11-21 2026-11-22");
	assert_int_equal(fake.n_survey, 1);
	assert_int_equal(fake.start_ms, CREATED);
	assert_int_equal(fake.end_ms, NOW + 1);
	assert_int_equal(fake.bucket_ms, UTC_DAY_MS);
	assert_names(walk("fragments/2026-11-22"),
		     "00 01 02 03 04 05 06 07 08 09 10 11 12 13");
	assert_int_equal(fake.bucket_ms, UTC_HOUR_MS);
	assert_int_equal(fake.start_ms, DAY);
	assert_names(
		walk("fragments/2026-11-20"),
		"05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23");
	assert_names(walk("fragments/2026-11-22/13"), FILENAME);
	assert_int_equal(fake.n_list, 1);
	assert_int_equal(fake.start_ms, DAY + 13 * UTC_HOUR_MS);
	assert_int_equal(fake.end_ms, DAY + 14 * UTC_HOUR_MS);
}

static void test_empty_is_hidden(void **state)
{
	fake_know(DAY - UTC_DAY_MS, DAY + 13 * UTC_HOUR_MS);
	assert_names(walk("fragments"), "2026-11-20 2026-11-22");
	assert_names(walk("fragments/2026-11-22"), "13");
	assert_int_equal(look(walk("fragments"), "2026-11-21").rc, -ENOENT);
}

static void test_buckets_by_day_and_minute(void **state)
{
	teardown(state);
	begin(false, TREE_DAY);
	fake_add_stream(1, "front-door", CREATED, RETENTION_MS);
	fake_add(11, T_MS, NUMBER);
	assert_names(walk("fragments/2026-11-22"), FILENAME);
	assert_int_equal(fake.end_ms - fake.start_ms, UTC_DAY_MS);
	assert_true(S_ISREG(
		attr(walk("fragments/2026-11-22/" FILENAME)).e.st.st_mode));
	teardown(state);

	begin(false, TREE_MINUTE);
	fake_add_stream(1, "front-door", CREATED, RETENTION_MS);
	fake_add(11, T_MS, NUMBER);
	assert_names(walk("fragments/2026-11-22/13/05"), FILENAME);
	assert_names(walk("fragments/2026-11-22/13"),
		     "00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 "
		     "18 19 20");
	assert_int_equal(fake.bucket_ms, UTC_MINUTE_MS);
	walk("fragments/2026-11-22/13/05/" FILENAME);
}

/* A producer's clock was wrong: folders outside the window that hold some. */
static void test_strays(void **state)
{
	fake_add(21, 1000, "1");
	fake_row(0)->server_ms = NOW;
	fake_add(22, DAY + 40 * UTC_DAY_MS + UTC_HOUR_MS, "2");
	assert_names(walk("fragments"), "1970-01-01 2026-11-20 2026-11-21 "
					"2026-11-22 2027-01-01");
	fake.n_survey = 0;
	assert_names(walk("fragments/1970-01-01"), "00");
	assert_names(walk("fragments/2027-01-01"), "01");
	assert_int_equal(fake.n_survey, 0);
	assert_names(walk("fragments/1970-01-01/00"),
		     "1970-01-01T00-00-01.000Z_1.mkv");
	assert_int_equal(look(walk("fragments/1970-01-01"), "01").rc, -ENOENT);
	assert_int_equal(look(walk("fragments"), "1970-01-02").rc, -ENOENT);
	assert_int_equal(look(walk("fragments"), "2027-01-02").rc, -ENOENT);
}

static void test_impossible_names_are_not_asked_for(void **state)
{
	static const char *const bad[] = {"x",		"fragment", "movie",
					  "2026-02-30", "24",	    "5",
					  ".git",	"1",	    FILENAME};
	uint64_t day = walk("fragments/2026-11-22"), top = walk("fragments");

	fake.later = true; /* whatever is asked is not answered */
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		uint64_t in[] = {TREE_ROOT, top, day};

		for (size_t k = 0; k < G_N_ELEMENTS(in); k++) {
			struct result r = look(in[k], bad[i]);

			assert_int_equal(r.rc, -ENOENT);
			assert_true(r.with_entry);
			assert_int_equal(r.e.node, 0);
			assert_true(r.e.entry_ttl_ms == INT64_MAX);
		}
	}
	assert_int_equal(look(day, "14").e.entry_ttl_ms, TTL_MS);
}

static void test_streams_of_a_pattern(void **state)
{
	struct result r;

	assert_names(TREE_ROOT, "front-door %2E%2E none");
	assert_int_equal(fake.n_streams, 1);
	walk("%2E%2E/fragments/2026-11-22/01");
	assert_names(walk("front-door"), "fragments movies");
	assert_names(walk("none/fragments"), "");
	assert_int_equal(fake.n_survey, 0);
	assert_int_equal(fake.n_streams, 1);
	r = look(TREE_ROOT, "other");
	assert_int_equal(r.rc, -ENOENT);
	assert_int_equal(r.e.entry_ttl_ms, TTL_MS);
	assert_int_equal(fake.n_streams, 2);
	assert_int_equal(look(TREE_ROOT, "..").rc, -ENOENT);
	assert_int_equal(attr(TREE_ROOT).e.st.st_mtim.tv_sec,
			 (CREATED + 5) / 1000);
}

static void add_other(void)
{
	fake_add_stream(9, "other", CREATED, RETENTION_MS);
	fake.on_streams = NULL;
}

static void test_a_new_stream(void **state)
{
	fake.on_streams = add_other;
	assert_int_equal(look(TREE_ROOT, "other").rc, 0);
	fake.rc = -EACCES;
	assert_int_equal(look(TREE_ROOT, "another").rc, -EACCES);
}

/* ---- attributes --------------------------------------------------------- */

static void test_file_attributes(void **state)
{
	uint64_t node = walk("fragments/2026-11-22/13/" FILENAME);
	struct result r = attr(node);
	const struct stat *st = &r.e.st;

	assert_int_equal(st->st_mode, S_IFREG | 0444);
	assert_int_equal(st->st_nlink, 1);
	assert_int_equal(st->st_uid, 12);
	assert_int_equal(st->st_gid, 34);
	assert_int_equal(st->st_size, 1000 + 4096);
	assert_int_equal(st->st_blocks, 10);
	assert_int_equal(st->st_mtim.tv_sec, T_MS / 1000);
	assert_int_equal(st->st_mtim.tv_nsec, 513000000);
	assert_memory_equal(&st->st_mtim, &st->st_atim, sizeof(st->st_mtim));
	assert_memory_equal(&st->st_mtim, &st->st_ctim, sizeof(st->st_mtim));
	assert_true(st->st_ino > 1);
	/* For ever, but not beyond its end. */
	assert_int_equal(r.e.attr_ttl_ms, T_MS + 7 + RETENTION_MS - NOW);
	assert_int_equal(r.e.entry_ttl_ms, r.e.attr_ttl_ms);
	assert_int_equal(fake.n_show_one, 2);
	assert_int_equal(fake.n_list, 0);
}

static void test_blocks(void **state)
{
	static const struct {
		int64_t bytes, blocks;
	} cases[] = {{0, 0},   {1, 1},	 {511, 1},
		     {512, 1}, {513, 2}, {INT64_C(1) << 40, INT64_C(1) << 31}};
	uint64_t node = walk("fragments/2026-11-22/13/" FILENAME);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		fake_row(0)->shown = true;
		fake_row(0)->file_bytes = cases[i].bytes;
		assert_int_equal(attr(node).e.st.st_size, cases[i].bytes);
		assert_int_equal(attr(node).e.st.st_blocks, cases[i].blocks);
	}
}

static void test_folder_attributes(void **state)
{
	struct result r = attr(walk("fragments/2026-11-22/13"));

	assert_int_equal(r.e.st.st_mode, S_IFDIR | 0755);
	assert_int_equal(r.e.st.st_mtim.tv_sec, T_MS / 1000);
	assert_int_equal(r.e.attr_ttl_ms, TTL_MS);
	/* one that is over has its time before anybody has listed it */
	r = attr(walk("fragments/2026-11-22/12"));
	assert_int_equal(r.e.st.st_mtim.tv_sec,
			 (DAY + 13 * UTC_HOUR_MS) / 1000);
	assert_int_equal(r.e.attr_ttl_ms, TTL_MS);
	fake_add(12, DAY + 12 * UTC_HOUR_MS + 1, "5");
	fake_know(DAY, DAY + 13 * UTC_HOUR_MS);
	r = attr(walk("fragments/2026-11-22/12"));
	assert_int_equal(r.e.st.st_mtim.tv_sec,
			 (DAY + 13 * UTC_HOUR_MS) / 1000);
	assert_true(r.e.attr_ttl_ms == INT64_MAX);
	assert_int_equal(attr(TREE_ROOT).e.st.st_mtim.tv_sec, T_MS / 1000);
	assert_int_equal(attr(walk("fragments")).e.st.st_mtim.tv_sec,
			 T_MS / 1000);
}

static void test_a_time_before_1970(void **state)
{
	fake_add(31, -1, "3");
	fake_row(0)->server_ms = NOW;
	struct result r = attr(walk("fragments/1969-12-31/23/"
				    "1969-12-31T23-59-59.999Z_3.mkv"));

	assert_int_equal(r.e.st.st_mtim.tv_sec, -1);
	assert_int_equal(r.e.st.st_mtim.tv_nsec, 999000000);
}

static void test_inodes_are_one(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/13");
	struct tree_dir *d = open_dir(hour);
	struct tree_dirent dot, dots, file, e;

	assert_int_equal(tree_dir_at(d, 0, true, &dot), 1);
	assert_string_equal(dot.name, ".");
	assert_int_equal(dot.ino, attr(hour).e.st.st_ino);
	assert_int_equal(dot.node, 0);
	assert_int_equal(tree_dir_at(d, 1, true, &dots), 1);
	assert_string_equal(dots.name, "..");
	assert_int_equal(dots.ino,
			 attr(walk("fragments/2026-11-22")).e.st.st_ino);
	assert_int_equal(tree_dir_at(d, dots.next, false, &file), 1);
	assert_int_equal(file.ino, look(hour, FILENAME).e.st.st_ino);
	assert_int_equal(tree_dir_at(d, dots.next, true, &e), 1);
	assert_int_equal(e.ino, file.ino);
	assert_int_equal(e.entry.st.st_ino, file.ino);
	assert_int_equal(e.node, look(hour, FILENAME).e.node);
	assert_int_equal(tree_dir_at(d, e.next, true, &e), 0);
	tree_dir_close(d);
	d = open_dir(walk("fragments"));
	tree_dir_at(d, 1, false, &dots);
	assert_int_equal(dots.ino, attr(TREE_ROOT).e.st.st_ino);
	tree_dir_close(d);
}

/* ---- fragments ---------------------------------------------------------- */

static void arrives(void)
{
	fake_add(50, T_MS + 2000, "77");
}

static void test_lookup_lists_once(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/13");
	struct result r;

	fake.on_list = arrives;
	assert_int_equal(look(hour, "2026-11-22T13-05-04.513Z_77.mkv").rc, 0);
	assert_int_equal(fake.n_list, 1);
	fake.on_list = NULL;
	r = look(hour, "2026-11-22T13-05-04.513Z_78.mkv");
	assert_int_equal(r.rc, -ENOENT);
	assert_int_equal(r.e.entry_ttl_ms, TTL_MS);
	assert_int_equal(fake.n_list, 2);
	/* the number is there, at another time: not by this name */
	r = look(hour, "2026-11-22T13-05-04.514Z_77.mkv");
	assert_int_equal(r.rc, -ENOENT);
	assert_int_equal(fake.n_list, 3);
	/* nor in another bucket, and that needs no question */
	r = look(hour, "2026-11-22T14-00-00.000Z_77.mkv");
	assert_int_equal(r.rc, -ENOENT);
	assert_true(r.e.entry_ttl_ms == INT64_MAX);
	assert_int_equal(fake.n_list, 3);
}

static void test_lookup_in_a_settled_bucket(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/12");
	struct result r;

	fake_know(DAY, DAY + 13 * UTC_HOUR_MS);
	r = look(hour, "2026-11-22T12-00-00.000Z_1.mkv");
	assert_int_equal(r.rc, -ENOENT);
	assert_true(r.e.entry_ttl_ms == INT64_MAX);
	assert_true(r.e.may_change);
	assert_false(look(hour, ".hidden").e.may_change);
	assert_int_equal(fake.n_list, 0);
}

static void test_a_failure_is_no_absence(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/13");
	struct result r;

	fake.rc = -ETIMEDOUT;
	r = look(hour, "2026-11-22T13-05-04.513Z_77.mkv");
	assert_int_equal(r.rc, -ETIMEDOUT);
	assert_false(r.with_entry);
	fake.slack_bytes = -1;
	r = look(hour, FILENAME);
	assert_int_equal(r.rc, -ETIMEDOUT);
	assert_false(r.with_entry);
}

static void test_calibration(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/13");
	struct result r = {0};
	struct tree_dir *d;
	struct tree_dirent e;

	fake.slack_bytes = -1;
	d = open_dir(hour);
	assert_int_equal(tree_dir_at(d, 2, true, &e), 1);
	assert_int_equal(e.node, 0);
	assert_true(e.ino > 1);
	assert_int_equal(e.type, S_IFREG);
	assert_int_equal(fake.n_calibrate, 0);
	assert_int_equal(fake.n_show, 0);
	tree_dir_close(d);

	fake.later = true;
	tree_lookup(tree, 1, hour, FILENAME, got, &r);
	assert_int_equal(r.calls, 0);
	assert_int_equal(fake.asked, Q_CALIBRATE);
	fake_answer(0);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.e.st.st_size, 5096);
	/* it may have gone meanwhile */
	fake.slack_bytes = -1;
	r.calls = 0;
	tree_getattr(tree, 1, r.e.node, got, &r);
	g_array_set_size(fake.rows, 0);
	fake_answer(0);
	assert_int_equal(r.rc, -ESTALE);
}

static void test_expired(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/13");
	uint64_t node = look(hour, FILENAME).e.node;
	GBytes *value;

	fake.now_ms = T_MS + 7 + RETENTION_MS;
	assert_int_equal(attr(node).rc, 0);
	fake.now_ms++;
	assert_int_equal(look(hour, FILENAME).rc, -ENOENT);
	assert_int_equal(attr(node).rc, -ESTALE);
	assert_int_equal(tree_xattr(tree, node, "user.kvs.length_ms", &value),
			 -ESTALE);
	assert_names(hour, "");
}

static void test_stale_nodes(void **state)
{
	assert_int_equal(attr(0).rc, -ESTALE);
	assert_int_equal(attr(UINT64_MAX).rc, -ESTALE);
	assert_int_equal(look(12345, "x").rc, -ESTALE);
	assert_int_equal(
		look(walk("fragments/2026-11-22/13/" FILENAME), "x").rc,
		-ENOTDIR);
}

/* ---- listings ----------------------------------------------------------- */

#define MANY 2000

static void many(void)
{
	g_array_set_size(fake.rows, 0);
	for (int i = 0; i < MANY; i++) {
		struct fragment f = {
			.id = 100 + i,
			.stream = 1,
			/* some share a millisecond */
			.producer_ms = DAY + 12 * UTC_HOUR_MS + i / 3,
			.server_ms = NOW - 1,
			.size_bytes = 10 + i,
			.payload_bytes = -1,
		};

		g_snprintf(f.number, sizeof(f.number), "%d", 1000 + i);
		g_array_append_val(fake.rows, f);
	}
}

static uint64_t row_at(struct tree_dir *d, uint64_t cookie)
{
	struct tree_dirent e;
	const char *number;

	assert_int_equal(tree_dir_at(d, cookie, true, &e), 1);
	number = strrchr(e.name, '_');
	assert_non_null(number);
	return g_ascii_strtoull(number + 1, NULL, 10) - 1000;
}

static void test_every_cookie(void **state)
{
	struct tree_dir *d;
	struct tree_dirent e;
	uint64_t cookie = 2;

	many();
	d = open_dir(walk("fragments/2026-11-22/12"));
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(row_at(d, cookie), i);
		assert_int_equal(tree_dir_at(d, cookie, true, &e), 1);
		cookie = e.next;
	}
	assert_int_equal(tree_dir_at(d, cookie, true, &e), 0);
	assert_int_equal(tree_dir_at(d, cookie, true, &e), 0);
	assert_int_equal(tree_dir_at(d, cookie + 5000, true, &e), 0);
	assert_true(fake.n_pages < 20);
	assert_int_equal(fake.n_show, 4);
	tree_dir_close(d);
}

static void test_seeking(void **state)
{
	struct tree_dir *d;
	GRand *rand = g_rand_new_with_seed(42);

	many();
	d = open_dir(walk("fragments/2026-11-22/12"));
	for (int i = 0; i < 3000; i++) {
		uint64_t row = (uint64_t)g_rand_int_range(rand, 0, MANY);

		assert_int_equal(row_at(d, 2 + row), row);
	}
	/* A step back over the edge of a page costs two pages, not all. */
	assert_int_equal(row_at(d, 2 + 1536), 1536);
	assert_int_equal(row_at(d, 2 + 1535), 1535);
	fake.n_pages = 0;
	assert_int_equal(row_at(d, 2 + 1536), 1536);
	assert_int_equal(row_at(d, 2 + 1535), 1535);
	assert_true(fake.n_pages <= 2);
	tree_dir_close(d);
	g_rand_free(rand);
}

static void test_a_page_that_fails(void **state)
{
	struct tree_dir *d;
	struct tree_dirent e;

	many();
	d = open_dir(walk("fragments/2026-11-22/12"));
	assert_int_equal(row_at(d, 2 + 511), 511);
	fake.page_rc = -EIO;
	assert_int_equal(tree_dir_at(d, 2 + 512, true, &e), -EIO);
	assert_int_equal(tree_dir_at(d, 2 + 512, true, &e), -EIO);
	fake.page_rc = 0;
	assert_int_equal(row_at(d, 2 + 512), 512);
	/* What the catalog has made room of is no end of the folder. */
	fake.trimmed = true;
	g_array_set_size(fake.rows, MANY / 2);
	assert_int_equal(tree_dir_at(d, MANY, true, &e), -EIO);
	tree_dir_close(d);
}

/* Rows whose number could not be in a path are passed over. */
static void test_bad_numbers_have_no_name(void **state)
{
	fake_add(90, T_MS + 1, "../../x");
	fake_add(91, T_MS + 2, "5");
	assert_names(walk("fragments/2026-11-22/13"),
		     FILENAME " 2026-11-22T13-05-02.515Z_5.mkv");
}

static void test_settled_listings(void **state)
{
	uint64_t hour = walk("fragments/2026-11-22/12");
	struct tree_dir *d = open_dir(hour);

	assert_false(tree_dir_settled(d));
	tree_dir_close(d);
	fake_know(DAY, DAY + 13 * UTC_HOUR_MS);
	d = open_dir(hour);
	assert_true(tree_dir_settled(d));
	tree_dir_close(d);
	/* once its first fragments expire it loses names unannounced */
	fake.now_ms = DAY + 12 * UTC_HOUR_MS + RETENTION_MS;
	d = open_dir(hour);
	assert_false(tree_dir_settled(d));
	tree_dir_close(d);
	d = open_dir(TREE_ROOT);
	assert_true(tree_dir_settled(d));
	tree_dir_close(d);
}

/* ---- the rest ----------------------------------------------------------- */

static void assert_xattr(uint64_t node, const char *name, const char *want)
{
	GBytes *value = NULL;
	size_t n;
	const char *bytes;

	assert_int_equal(tree_xattr(tree, node, name, &value), 0);
	bytes = g_bytes_get_data(value, &n);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(bytes, want, n);
	g_bytes_unref(value);
}

static void test_xattrs(void **state)
{
	static const char listed[] =
		"user.kvs.fragment_number\0user.kvs.producer_timestamp\0"
		"user.kvs.server_timestamp\0user.kvs.length_ms\0"
		"user.kvs.size_bytes";
	uint64_t node = walk("fragments/2026-11-22/13/" FILENAME);
	GBytes *value = NULL;

	assert_xattr(node, "user.kvs.fragment_number", NUMBER);
	assert_xattr(node, "user.kvs.producer_timestamp",
		     "2026-11-22T13:05:02.513Z");
	assert_xattr(node, "user.kvs.server_timestamp",
		     "2026-11-22T13:05:02.520Z");
	assert_xattr(node, "user.kvs.length_ms", "1960");
	assert_xattr(node, "user.kvs.size_bytes", "1000");
	assert_xattr(node, "user.kvs.cached", "0");
	assert_int_equal(
		tree_xattr(tree, node, "user.kvs.payload_bytes", &value),
		-ENODATA);
	fake_row(0)->payload_bytes = 4321;
	assert_xattr(node, "user.kvs.cached", "1");
	assert_xattr(node, "user.kvs.payload_bytes", "4321");
	assert_int_equal(tree_xattr(tree, node, "user.kvs.x", &value),
			 -ENODATA);
	assert_int_equal(tree_xattr(tree, node, "user.kvs.stream_arn", &value),
			 -ENODATA);
	assert_int_equal(tree_xattr(tree, node, "user.other", &value),
			 -EOPNOTSUPP);
	assert_int_equal(tree_xattr(tree, node, "security.capability", &value),
			 -EOPNOTSUPP);
	assert_int_equal(tree_xattr_list(tree, node, &value), 0);
	assert_int_equal(g_bytes_get_size(value), sizeof(listed));
	assert_memory_equal(g_bytes_get_data(value, NULL), listed,
			    sizeof(listed));
	g_bytes_unref(value);
}

static void test_folder_xattrs(void **state)
{
	static const char *const paths[] = {"fragments", "fragments/2026-11-22",
					    "fragments/2026-11-22/13"};
	const char *arn = "arn:aws:kinesisvideo:eu-west-1:111122223333:stream/"
			  "front-door/1";
	GBytes *value = NULL;

	assert_xattr(TREE_ROOT, "user.kvs.stream_arn", arn);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		assert_xattr(walk(paths[i]), "user.kvs.stream_arn", arn);
	assert_int_equal(tree_xattr_list(tree, TREE_ROOT, &value), 0);
	assert_int_equal(g_bytes_get_size(value), 20);
	g_bytes_unref(value);
	fake.pattern = true;
	assert_int_equal(
		tree_xattr(tree, TREE_ROOT, "user.kvs.stream_arn", &value),
		-ENODATA);
	assert_int_equal(tree_xattr_list(tree, TREE_ROOT, &value), 0);
	assert_int_equal(g_bytes_get_size(value), 0);
	g_bytes_unref(value);
}

static void test_statvfs(void **state)
{
	struct statvfs st;

	fake_add(12, T_MS + 1, "8");
	fake_row(1)->size_bytes = 3097;
	tree_statvfs(tree, &st);
	assert_int_equal(st.f_blocks * st.f_frsize, 8192);
	assert_int_equal(st.f_bfree, 0);
	assert_int_equal(st.f_bavail, 0);
	assert_int_equal(st.f_files, 2);
	assert_int_equal(st.f_namemax, 255);
}

static void read_rc(void *user, int rc, const struct archive_piece *pieces,
		    size_t n)
{
	*(int *)user = rc;
}

static void test_read(void **state)
{
	int rc;

	tree_read(tree, 1, walk("fragments"), 0, 5, read_rc, &rc);
	assert_int_equal(rc, -EISDIR);
	tree_read(tree, 1, 99, 0, 5, read_rc, &rc);
	assert_int_equal(rc, -ESTALE);
	tree_read(tree, 1, walk("fragments/2026-11-22/13/" FILENAME), 0, 5,
		  read_rc, &rc);
	assert_int_equal(rc, 11); /* the row's id */
}

static void test_change(void **state)
{
	struct tree_change c;

	tree_change_of(tree, fake_row(0), &c);
	assert_string_equal(c.names[0].name, FILENAME);
	assert_int_equal(c.n_nodes, 5);
	assert_int_equal(c.nodes[0], walk("fragments/2026-11-22/13"));
	assert_int_equal(c.nodes[1], walk("fragments/2026-11-22"));
	assert_int_equal(c.nodes[2], walk("fragments"));
	assert_int_equal(c.nodes[3], walk("movies/2026-11-22"));
	assert_int_equal(c.nodes[4], walk("movies"));
	assert_int_equal(c.n_names, 3);
	assert_int_equal(c.names[0].parent, c.nodes[0]);
	assert_int_equal(c.names[1].parent, c.nodes[3]);
	assert_string_equal(c.names[1].name, "2026-11-22T13.mkv");
	assert_int_equal(c.names[2].parent, c.nodes[4]);
	assert_string_equal(c.names[2].name, "2026-11-22.mkv");
	assert_int_equal(c.file, walk("fragments/2026-11-22/13/" FILENAME));
}

#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T_P(name) cmocka_unit_test_setup_teardown(name, setup_pattern, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_tree),
		T(test_empty_is_hidden),
		T(test_buckets_by_day_and_minute),
		T(test_strays),
		T(test_impossible_names_are_not_asked_for),
		T_P(test_streams_of_a_pattern),
		T_P(test_a_new_stream),
		T(test_file_attributes),
		T(test_blocks),
		T(test_folder_attributes),
		T(test_a_time_before_1970),
		T(test_inodes_are_one),
		T(test_lookup_lists_once),
		T(test_lookup_in_a_settled_bucket),
		T(test_a_failure_is_no_absence),
		T(test_calibration),
		T(test_expired),
		T(test_stale_nodes),
		T(test_every_cookie),
		T(test_seeking),
		T(test_a_page_that_fails),
		T(test_bad_numbers_have_no_name),
		T(test_settled_listings),
		T(test_xattrs),
		T(test_folder_xattrs),
		T(test_statvfs),
		T(test_read),
		T(test_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
