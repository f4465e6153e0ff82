/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_room.h"

#include "cache/store_internal.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* ---- room ------------------------------------------------------------- */

static void the_least_recently_used_goes(void **state)
{
	struct room *r = *state;

	for (uint64_t n = 0; n < 60; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
		assert_true(total_of(r) <= BUDGET);
		/* The first is looked at all the time. */
		assert_int_equal(look(r->s, 0, MIB, MIB), 0);
		assert_int_equal(look(r->s, n, MIB, MIB), 0);
	}
	assert_true(has(r, 0));
	assert_true(has(r, 58));
	for (uint64_t n = 1; n < 40; n++)
		assert_false(has(r, n));
	/* Used to the full, as far as the budget goes. */
	assert_true(stats_of(r).chunks >= 15);
	assert_int_equal(count_files(r, "chunks"), stats_of(r).chunks);
}

static void uses_are_remembered_over_a_remount(void **state)
{
	struct room *r = *state;

	for (uint64_t n = 0; n < 8; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	pass_ms(2000);
	enter_again(r, BUDGET);
	assert_int_equal(look(r->s, 0, MIB, MIB), 0);
	enter_again(r, BUDGET);
	for (uint64_t n = 8; n < 20; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	assert_true(has(r, 0));
	assert_false(has(r, 1));
}

static void what_is_held_stays(void **state)
{
	struct room *r = *state;
	struct store_chunk *held[5];

	for (uint64_t n = 0; n < 5; n++)
		assert_int_equal(put_held(r->s, n, MIB, MIB, &held[n]), 0);
	for (uint64_t n = 5; n < 60; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	for (uint64_t n = 0; n < 5; n++) {
		struct stat st;

		assert_int_equal(fstat(store_chunk_fd(held[n]), &st), 0);
		assert_int_equal(st.st_nlink, 1);
		assert_int_equal(look(r->s, n, MIB, MIB), 0);
		store_chunk_unref(held[n]);
	}
}

/* It may be read all the while, and by the kernel, which tells nobody. */
static void what_was_held_is_used_until_let_go(void **state)
{
	struct room *r = *state;
	struct store_chunk *held;

	assert_int_equal(put_held(r->s, 0, MIB, MIB, &held), 0);
	for (uint64_t n = 1; n < 10; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	pass_ms(2000);
	store_chunk_unref(held);
	for (uint64_t n = 10; n < 20; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	assert_false(has(r, 1));
	assert_true(has(r, 0));
}

static void nothing_goes_for_what_cannot_fit(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(100);
	struct store_chunk *held[20];
	struct store_writer *w;
	uint64_t n = 0;

	assert_int_equal(begin(r->s, &key, BUDGET / 2, &w), -ENOSPC);
	assert_int_equal(begin(r->s, &key, INT64_MAX, &w), -ENOSPC);
	for (; n < 6; n++)
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	assert_int_equal(begin(r->s, &key, BUDGET / 2, &w), -ENOSPC);
	assert_int_equal(stats_of(r).chunks, 6);

	for (n = 0; n < 20; n++)
		if (put_held(r->s, n, MIB, MIB, &held[n]))
			break;
	assert_in_range(n, 16, 19);
	assert_int_equal(begin(r->s, &key, 4 * MIB, &w), -ENOSPC);
	while (n--)
		store_chunk_unref(held[n]);
	assert_int_equal(begin(r->s, &key, 4 * MIB, &w), 0);
	store_abort(w);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
}

static void the_keeper_keeps_some_room(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(100);
	struct store_writer *w;
	int64_t full;

	for (uint64_t n = 0; n < 300; n++)
		assert_int_equal(put(r->s, n, 100000, 100000), 0);
	full = stats_of(r).chunks;
	store_tick(r->s);
	assert_true(stats_of(r).chunks < full);
	full = stats_of(r).chunks;
	store_tick(r->s);
	assert_int_equal(stats_of(r).chunks, full);
	/* So this one evicts nothing. */
	assert_int_equal(begin(r->s, &key, 400000, &w), 0);
	assert_int_equal(stats_of(r).chunks, full);
	store_abort(w);
}

static void a_small_budget_is_refused(void **state)
{
	struct room *r = *state;
	struct store_options o = {.budget_bytes = MIB - 1,
				  .clock = &fake_clock};
	g_autofree char *error = NULL;
	struct store *s = NULL;

	assert_int_equal(store_open(r->fd, r->ix, &o, &s, &error), -EINVAL);
	assert_non_null(strstr(error, "1 MiB"));
	assert_null(s);
}

/* A smaller budget than before is reached by the next writer. */
static void a_budget_can_shrink(void **state)
{
	struct room *r = *state;

	for (uint64_t n = 0; n < 16; n++)
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	enter_again(r, 8 * MIB);
	assert_int_equal(put(r->s, 99, 100000, 100000), 0);
	assert_true(total_of(r) <= 8 * MIB);
	assert_int_equal(look(r->s, 99, 100000, 100000), 0);
}

/* ---- disks that are full or cannot be written ------------------------- */

/* A small disk of our own at the room's path; false where we may not. */
static bool small_disk(struct room *r, const char *options)
{
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	room_leave(r);
	assert_int_equal(mount("tmpfs", r->path, "tmpfs", 0, options), 0);
	return true;
}

static void a_full_disk_is_enospc(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(50);
	struct store_writer *w, *m;
	int64_t before;
	int rc = 0;
	uint64_t n;

	if (!small_disk(r, "size=8m,mode=0700"))
		skip();
	room_enter(r, r->path, 100 * MIB, 0);
	/* The disk's own end makes room as the budget's does. */
	for (n = 0; n < 20; n++) {
		pass_ms(2000);
		assert_int_equal(put(r->s, n, MIB, MIB), 0);
	}
	assert_int_equal(look(r->s, 19, MIB, MIB), 0);

	/* Somebody else fills it while a chunk is written. */
	assert_int_equal(begin(r->s, &key, MIB, &w), 0);
	g_autofree char *hog = g_build_filename(r->path, "hog", NULL);
	auto_close int fd = open(hog, O_WRONLY | O_CREAT, 0600);
	g_autofree uint8_t *junk = content_of(0, 65536);

	while (write(fd, junk, 65536) > 0)
		;
	for (int i = 0; !rc && i < 64; i++)
		rc = store_writer_append(w, junk, 16384);
	assert_int_equal(rc, -ENOSPC);
	/* A writer that failed stays failed. */
	assert_int_equal(store_writer_append(w, junk, 1), -ENOSPC);
	/* What it took by then is not lost. */
	before = store_writer_bytes(w);
	assert_int_equal(store_writer_to_memory(w, &m), 0);
	assert_int_equal(store_writer_bytes(m), before);
	for (int64_t at = 0; at < before; at += 16384) {
		n = pread(store_writer_fd(m), junk + 16384, 16384, at);
		assert_int_equal(n, MIN(16384, before - at));
		assert_memory_equal(junk + 16384, junk, n);
	}
	store_abort(m);
	assert_int_equal(look(r->s, 19, MIB, MIB), 0);
	rc = begin(r->s, &key, 6 * MIB, &w);
	assert_int_equal(rc, -ENOSPC);

	assert_int_equal(unlink(hog), 0);
	base_closep(&fd);
	assert_int_equal(put(r->s, 51, MIB, MIB), 0);
	assert_int_equal(look(r->s, 51, MIB, MIB), 0);
	room_leave(r);
	assert_int_equal(umount(r->path), 0);
	room_enter(r, r->path, BUDGET, 0);
}

static void a_share_of_the_disk_stays_free(void **state)
{
	struct room *r = *state;
	struct stat st;
	int64_t taken = 0;

	if (!small_disk(r, "size=16m,mode=0700"))
		skip();
	room_enter(r, r->path, 100 * MIB, 0.5);
	for (uint64_t n = 0; n < 40; n++)
		assert_int_equal(put(r->s, n, 300000, 300000), 0);

	g_autoptr(GPtrArray) files = files_in(r, "chunks");

	for (guint i = 0; i < files->len; i++) {
		assert_int_equal(stat(g_ptr_array_index(files, i), &st), 0);
		taken += st.st_blocks * 512;
	}
	assert_in_range(taken, 5 * MIB, 8 * MIB);
	room_leave(r);
	assert_int_equal(umount(r->path), 0);
	room_enter(r, r->path, BUDGET, 0);
}

static bool set_immutable(const struct room *r, const char *name, bool on)
{
	auto_close int fd = openat(r->fd, name, O_RDONLY | O_DIRECTORY);
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return false;
	flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	return !ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void where_nothing_can_be_written_reads_go_on(void **state)
{
	struct room *r = *state;
	struct store_key gone = KEY(3), key = KEY(2);
	struct store_writer *w = NULL;
	struct store_chunk *c;
	g_autofree char *fanout = NULL, *name = NULL;

	assert_int_equal(put(r->s, 1, MIB, MIB), 0);
	g_autofree char *path = only_file(r);

	fanout = g_path_get_dirname(path);
	name = g_strconcat("chunks/", fanout + strlen(fanout) - 2, NULL);
	/* Idle in the table it would be found without the disk. */
	store_table_close_idle(r->s, 0);
	if (!set_immutable(r, "tmp", true))
		skip();
	assert_true(set_immutable(r, name, true));
	assert_int_equal(look(r->s, 1, MIB, MIB), 0);
	assert_int_equal(begin(r->s, &key, 1000, &w), -EROFS);
	assert_null(w);
	store_drop(r->s, &gone);
	gone = KEY(1);
	store_drop(r->s, &gone);
	settle(r);
	assert_int_equal(look(r->s, 1, MIB, MIB), 0);

	assert_int_equal(store_begin_memory(r->s, &key, &w), 0);
	assert_int_equal(append_content(w, 2, 1000), 0);
	assert_int_equal(commit(w, 1000, &c), 0);
	assert_true(is_right(c, 2, 1000, 1000));
	store_chunk_unref(c);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_true(set_immutable(r, "tmp", false));
	assert_true(set_immutable(r, name, false));
	assert_int_equal(put(r->s, 2, 1000, 1000), 0);
}

static void a_limit_on_files_is_enospc(void **state)
{
	struct room *r = *state;
	struct store_key key = KEY(1);
	struct store_writer *w = NULL;
	struct rlimit old, low;

	assert_int_equal(put(r->s, 3, 5000, 5000), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 4 * MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(begin(r->s, &key, 5 * MIB, &w), -ENOSPC);
	assert_null(w);
	assert_int_equal(look(r->s, 3, 5000, 5000), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(stats_of(r).reserved_bytes, 0);
	assert_int_equal(count_files(r, "tmp"), 0);
	assert_int_equal(put(r->s, 1, 5 * MIB, 5 * MIB), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_least_recently_used_goes),
		CASE(uses_are_remembered_over_a_remount),
		CASE(what_is_held_stays),
		CASE(what_was_held_is_used_until_let_go),
		CASE(nothing_goes_for_what_cannot_fit),
		CASE(the_keeper_keeps_some_room),
		CASE(a_small_budget_is_refused),
		CASE(a_budget_can_shrink),
		CASE(a_full_disk_is_enospc),
		CASE(a_share_of_the_disk_stays_free),
		CASE(where_nothing_can_be_written_reads_go_on),
		CASE(a_limit_on_files_is_enospc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
