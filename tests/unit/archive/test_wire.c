/* SPDX-License-Identifier: MIT */
/* What a service may send that it should not, and a disk may do. */
#include "world.h"

#include <sys/syscall.h>

/* ---- the disk ----------------------------------------------------------- */

/* A disk that is full takes the first half of one write under tmp/. */
static _Atomic int short_writes;

static bool is_under_tmp(int fd)
{
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
	char path[4096] = "";
	const char *cache;

	if (readlink(link, path, sizeof(path) - 1) < 0)
		return false;
	cache = strstr(path, "kvsfs-archive-");
	return cache && strstr(cache, "/tmp/");
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset);

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
	int left = atomic_load(&short_writes);

	if (left > 0 && n > 1 && is_under_tmp(fd)) {
		atomic_store(&short_writes, left - 1);
		if (left == 1) {
			errno = ENOSPC;
			return -1;
		}
		n /= 2;
	}
	return syscall(SYS_pwrite64, fd, bytes, n, offset);
}

static void test_full_disk_in_mid_write(void **state)
{
	struct world *w = *state;

	ready(w);
	atomic_store(&short_writes, 2);
	assert_content(w, 5);
	assert_int_equal(atomic_load(&short_writes), 0);
	assert_int_equal(atomic_load(&fake.medias), 1);
	close_archive(w);
}

/* Content that outgrows its size is cached like any other. */
static void test_growth_is_cached(void **state)
{
	struct world *w = *state;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 3000000, -2800000);
	ready(w);
	assert_content(w, N_FRAGMENTS);
	reopen(w);
	atomic_store(&fake.medias, 0);
	assert_content(w, N_FRAGMENTS);
	assert_int_equal(atomic_load(&fake.medias), 0);
	close_archive(w);
}

/* ---- what never gets further -------------------------------------------- */

static void test_no_progress_ends_at_the_deadline(void **state)
{
	_Atomic int *const knobs[] = {&fake.internal, &fake.breaks,
				      &fake.missing};
	struct world *w = *state;

	w->timeout_ms = 700;
	ready(w);
	for (guint i = 0; i < G_N_ELEMENTS(knobs); i++) {
		atomic_store(knobs[i], 1000000);
		assert_int_equal(
			read_file(w, row(w, 3 + i).id, 9000, 100, NULL),
			-ETIMEDOUT);
		atomic_store(knobs[i], 0);
	}
	close_archive(w);
}

/* ---- sizes -------------------------------------------------------------- */

static void test_listed_size_beyond_reason(void **state)
{
	struct world *w = *state;
	struct fragment f;

	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 100, INT64_C(1) << 52);
	ready(w);
	f = row(w, N_FRAGMENTS);
	assert_int_equal(read_file(w, f.id, 0, 100, NULL), -EIO);
	assert_int_equal(atomic_load(&fake.medias), 0);
	assert_content(w, 1);
	close_archive(w);
}

static void test_content_without_end(void **state)
{
	struct world *w = *state;

	/* Memory takes it, since the cache refuses. */
	w->budget_bytes = 1 << 20;
	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 4000000, 0);
	ready(w);
	atomic_store(&fake.endless, 1);
	assert_int_equal(
		read_file(w, row(w, N_FRAGMENTS).id, 1 << 30, 100, NULL), -EIO);
	/* Nor does the call go on. */
	atomic_store(&fake.endless, 0);
	assert_content(w, 1);
	assert_int_equal(atomic_load(&fake.medias), 2);
	assert_int_equal(atomic_load(&fake.open_medias), 0);
	close_archive(w);
}

/* ---- whose is it? ------------------------------------------------------- */

static void test_nameless_content_is_nobodys(void **state)
{
	struct world *w = *state;

	ready(w);
	atomic_store(&fake.nameless, 1);
	assert_content(w, 6);
	assert_int_equal(atomic_load(&fake.medias), 2);
	close_archive(w);
}

/* That one fragment cannot be read says nothing of another's size. */
static void test_calibrated_by_the_next_one(void **state)
{
	struct world *w = *state;
	struct reply bad, good;

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.not_found, 6);
	reply_init(&bad);
	reply_init(&good);
	archive_calibrate(w->a, archive_ticket_new(w->a), row(w, 1).id,
			  reply_in, &bad);
	archive_calibrate(w->a, archive_ticket_new(w->a), row(w, 2).id,
			  reply_in, &good);
	assert_int_equal(reply_wait(&bad), -EIO);
	assert_int_equal(reply_wait(&good), 0);
	reply_release(&bad);
	reply_release(&good);
	assert_true(row(w, 2).file_bytes > 0);
	close_archive(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_full_disk_in_mid_write),
		T(test_growth_is_cached),
		T(test_no_progress_ends_at_the_deadline),
		T(test_listed_size_beyond_reason),
		T(test_content_without_end),
		T(test_nameless_content_is_nobodys),
		T(test_calibrated_by_the_next_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
