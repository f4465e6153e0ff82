/* SPDX-License-Identifier: MIT */
/*
 * Several processes and one cache directory.  Children are forked while no
 * thread runs here, and the parent opens the store only after that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_room.h"

#include "cache/store_internal.h"

#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>

#define PROCS	 8
#define CHUNKS	 400 /* of 512 KiB on average: 200 MiB */
#define ROUNDS	 120
#define KILLINGS 40

static int make_place(void **state)
{
	*state = g_dir_make_tmp("kvsfs-procs-XXXXXX", NULL);
	return *state ? 0 : -1;
}

static int remove_place(void **state)
{
	remove_tree(*state);
	g_free(*state);
	return 0;
}

static int64_t bytes_of(uint64_t n)
{
	return 4096 + (int64_t)(n * 7919 % CHUNKS) * 2600;
}

static int64_t size_of(uint64_t n)
{
	return bytes_of(n) + 65536;
}

/* ---- the budget ------------------------------------------------------- */

/* What a reader of the archive does with a fragment. */
static void read_or_put(struct store *s, uint64_t n)
{
	struct store_key key = KEY(n);
	struct store_chunk *c = NULL;
	int rc = store_get(s, &key, size_of(n), &c);

	if (rc == -ENOENT)
		rc = put_held(s, n, bytes_of(n), size_of(n), &c);
	if (rc == -ENOSPC)
		return;
	CHECK(rc == 0);
	CHECK(is_right(c, n, bytes_of(n), size_of(n)));
	store_chunk_unref(c);
}

static void reader(const char *path, unsigned seed)
{
	struct room r = {0};

	room_enter(&r, path, BUDGET, 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = (uint64_t)rand_r(&seed) % CHUNKS;

		pass_ms(50);
		read_or_put(r.s, n);
	}
	room_leave(&r);
	_exit(0);
}

static GHashTable *seen;
static int64_t sum_bytes;

static int add_file(const char *path, const struct stat *st, int type,
		    struct FTW *ftw)
{
	/* A file that is renamed meanwhile must not count twice. */
	if (type != FTW_NS &&
	    g_hash_table_add(seen, GSIZE_TO_POINTER(st->st_ino)))
		sum_bytes += (int64_t)st->st_blocks * 512;
	return 0;
}

static int64_t bytes_on_disk(const char *path)
{
	seen = g_hash_table_new(NULL, NULL);
	sum_bytes = 0;
	nftw(path, add_file, 16, FTW_PHYS);
	g_hash_table_destroy(seen);
	return sum_bytes;
}

/* Stops everybody, so that what is summed up is one moment. */
static unsigned stop_all(pid_t *pids, unsigned running)
{
	int status;

	for (unsigned i = 0; i < PROCS; i++)
		if (pids[i])
			kill(pids[i], SIGSTOP);
	for (unsigned i = 0; i < PROCS; i++) {
		if (!pids[i])
			continue;
		assert_int_equal(waitpid(pids[i], &status, WUNTRACED), pids[i]);
		if (WIFSTOPPED(status))
			continue;
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		pids[i] = 0;
		running--;
	}
	return running;
}

static void the_budget_holds_for_all(void **state)
{
	const char *path = *state;
	pid_t pids[PROCS];
	unsigned running = PROCS, looks = 0;
	int64_t most = 0;
	struct room r = {0};

	for (unsigned i = 0; i < PROCS; i++) {
		pids[i] = fork();
		if (!pids[i])
			reader(path, i);
	}
	while (running) {
		running = stop_all(pids, running);
		most = MAX(most, bytes_on_disk(path));
		looks++;
		for (unsigned i = 0; i < PROCS; i++)
			if (pids[i])
				kill(pids[i], SIGCONT);
		g_usleep(2000); /* lets them get on; nothing depends on it */
	}
	print_message("most bytes on disk: %" G_GINT64_FORMAT " of %" //
		      G_GINT64_FORMAT " in %u looks\n",
		      most, BUDGET, looks);
	assert_true(most <= BUDGET);
	/* It is used as well, not only kept. */
	assert_true(most > BUDGET * 3 / 4);

	room_enter(&r, path, BUDGET, 0);
	struct store_stats st;

	assert_int_equal(store_stats(r.s, &st), 0);
	assert_int_equal(st.reserved_bytes, 0);
	room_leave(&r);
}

/* ---- sudden death ----------------------------------------------------- */

/* Tells the parent how far it is, step by step, for ever. */
static void doomed_writer(const char *path, int to_parent, unsigned seed)
{
	struct room r = {0};

	room_enter(&r, path, BUDGET, 0);
	for (;;) {
		uint64_t n = (uint64_t)rand_r(&seed) % CHUNKS;
		struct store_key key = KEY(n);
		struct store_writer *w;
		struct store_chunk *c;

		CHECK(write(to_parent, "b", 1) == 1);
		if (begin(r.s, &key, bytes_of(n), &w))
			continue;
		CHECK(write(to_parent, "a", 1) == 1);
		CHECK(append_content(w, n, bytes_of(n)) == 0);
		CHECK(write(to_parent, "c", 1) == 1);
		CHECK(commit(w, size_of(n), &c) == 0);
		store_chunk_unref(c);
	}
}

static void kill_after(pid_t pid, int from_child, int steps, unsigned spin)
{
	char c;

	while (steps--)
		assert_int_equal(read(from_child, &c, 1), 1);
	for (volatile unsigned i = 0; i < spin; i++)
		;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void all_is_right_in(const char *path)
{
	struct room r = {0};
	struct store_stats st;
	int64_t checked, dropped;

	room_enter(&r, path, BUDGET, 0);
	assert_int_equal(store_sweep(r.s), 0);
	assert_int_equal(store_stats(r.s, &st), 0);
	assert_int_equal(st.reserved_bytes, 0);
	assert_int_equal(store_verify(r.s, &checked, &dropped), 0);
	assert_int_equal(checked, st.chunks);
	assert_int_equal(dropped, 0);
	for (uint64_t n = 0; n < CHUNKS; n++) {
		int rc = look(r.s, n, bytes_of(n), size_of(n));

		assert_true(!rc || rc == -ENOENT);
	}
	room_leave(&r);
}

static void a_killed_writer_leaves_nothing(void **state)
{
	const char *path = *state;
	unsigned seed = 4711;

	for (int i = 0; i < KILLINGS; i++) {
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid)
			doomed_writer(path, fds[1], seed);
		kill_after(pid, fds[0], 1 + rand_r(&seed) % 60,
			   (unsigned)rand_r(&seed) % 400000);
		close(fds[0]);
		close(fds[1]);
		all_is_right_in(path);
		assert_int_equal(count_below(path, "tmp"), 0);
		assert_int_equal(count_below(path, "procs"), 0);
	}
	/* Every file has its row: nothing was left to the clock. */
	struct room r = {0};
	struct store_stats st;

	room_enter(&r, path, BUDGET, 0);
	assert_int_equal(store_stats(r.s, &st), 0);
	room_leave(&r);
	assert_true(st.chunks > 0);
	assert_int_equal(count_below(path, "chunks"), st.chunks);
}

/* ---- reservations and pins of others ---------------------------------- */

struct child {
	pid_t pid;
	int from, to;
};

/* Runs body(path, to_parent, from_parent); it says a letter when it is there.
 */
static struct child child_new(const char *path,
			      void (*body)(const char *path, int out, int in))
{
	struct child c;
	int out[2], in[2];
	char said;

	assert_int_equal(pipe(out) | pipe(in), 0);
	c.pid = fork();
	if (!c.pid) {
		close(out[0]);
		close(in[1]);
		body(path, out[1], in[0]);
		_exit(0);
	}
	close(out[1]);
	close(in[0]);
	c.from = out[0];
	c.to = in[1];
	assert_int_equal(read(c.from, &said, 1), 1);
	return c;
}

/* Lets it go on, and waits for its end. */
static void child_end(struct child *c, int how)
{
	int status;

	if (how)
		kill(c->pid, how);
	close(c->to);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	if (!how)
		assert_int_equal(status, 0);
	close(c->from);
}

static void say_and_wait(int out, int in)
{
	char c;

	CHECK(write(out, "!", 1) == 1);
	CHECK(read(in, &c, 1) == 0);
}

static void holder(const char *path, int out, int in)
{
	struct room r = {0};
	struct store_chunk *c;
	struct stat st;

	room_enter(&r, path, BUDGET, 0);
	CHECK(put_held(r.s, 1, 2 * MIB, 2 * MIB, &c) == 0);
	say_and_wait(out, in);
	CHECK(fstat(store_chunk_fd(c), &st) == 0);
	CHECK(st.st_nlink == 1);
	CHECK(is_right(c, 1, 2 * MIB, 2 * MIB));
	store_chunk_unref(c);
	room_leave(&r);
}

static void what_another_holds_stays(void **state)
{
	struct child c = child_new(*state, holder);
	struct room r = {0};

	pass_ms(10000);
	room_enter(&r, *state, BUDGET, 0);
	for (uint64_t n = 10; n < 60; n++)
		assert_int_equal(put(r.s, n, MIB, MIB), 0);
	child_end(&c, 0);
	/* Let go of, the oldest is the next that goes. */
	for (uint64_t n = 60; n < 80; n++)
		assert_int_equal(put(r.s, n, MIB, MIB), 0);
	assert_int_equal(look(r.s, 1, 2 * MIB, 2 * MIB), -ENOENT);
	room_leave(&r);
}

static void what_another_holds_is_dropped_later(void **state)
{
	struct child c = child_new(*state, holder);
	struct store_key key = KEY(1);
	struct store_stats st;
	struct room r = {0};

	room_enter(&r, *state, BUDGET, 0);
	store_drop(r.s, &key);
	assert_int_equal(put(r.s, 2, MIB, MIB), 0);
	assert_int_equal(look(r.s, 1, 2 * MIB, 2 * MIB), -ENOENT);
	assert_int_equal(store_sweep(r.s), 0);
	assert_int_equal(store_stats(r.s, &st), 0);
	assert_int_equal(st.chunks, 2);
	child_end(&c, 0);
	assert_int_equal(store_sweep(r.s), 0);
	assert_int_equal(store_stats(r.s, &st), 0);
	assert_int_equal(st.chunks, 1);
	room_leave(&r);
	assert_int_equal(count_below(*state, "chunks"), 1);
}

static void hoarder(const char *path, int out, int in)
{
	struct store_key a = KEY(1), b = KEY(2);
	struct store_writer *w;
	struct room r = {0};

	room_enter(&r, path, BUDGET, 0);
	CHECK(begin(r.s, &a, 9 * MIB, &w) == 0);
	CHECK(begin(r.s, &b, 8 * MIB, &w) == 0);
	CHECK(append_content(w, 2, MIB) == 0);
	say_and_wait(out, in);
}

static void the_dead_reserve_nothing(void **state)
{
	struct child c = child_new(*state, hoarder);
	struct store_key key = KEY(3);
	struct store_writer *w;
	struct room r = {0};

	room_enter(&r, *state, BUDGET, 0);
	/* While it lives its room is its own, written or not. */
	assert_int_equal(begin(r.s, &key, 8 * MIB, &w), -ENOSPC);
	assert_int_equal(count_below(*state, "tmp"), 2);
	child_end(&c, SIGKILL);
	assert_int_equal(begin(r.s, &key, 8 * MIB, &w), 0);
	assert_int_equal(count_below(*state, "tmp"), 1);
	store_abort(w);
	room_leave(&r);
	assert_int_equal(count_below(*state, "procs"), 0);
}

static void same_key_writer(const char *path, int out, int in)
{
	struct room r = {0};

	room_enter(&r, path, BUDGET, 0);
	say_and_wait(out, in);
	for (int i = 0; i < 30; i++) {
		struct store_chunk *c;

		CHECK(put_held(r.s, 1, 50000, 60000, &c) == 0);
		CHECK(is_right(c, 1, 50000, 60000));
		store_chunk_unref(c);
		CHECK(look(r.s, 1, 50000, 60000) == 0);
	}
	room_leave(&r);
}

static void one_key_by_many_is_one_chunk(void **state)
{
	struct child c[4];
	struct store_stats st;
	struct room r = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(c); i++)
		c[i] = child_new(*state, same_key_writer);
	for (size_t i = 0; i < G_N_ELEMENTS(c); i++)
		close(c[i].to);
	for (size_t i = 0; i < G_N_ELEMENTS(c); i++) {
		c[i].to = -1;
		child_end(&c[i], 0);
	}
	room_enter(&r, *state, BUDGET, 0);
	assert_int_equal(store_stats(r.s, &st), 0);
	assert_int_equal(st.chunks, 1);
	assert_int_equal(st.reserved_bytes, 0);
	assert_int_equal(look(r.s, 1, 50000, 60000), 0);
	room_leave(&r);
	assert_int_equal(count_below(*state, "chunks"), 1);
	assert_int_equal(count_below(*state, "tmp"), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_budget_holds_for_all),
		CASE(a_killed_writer_leaves_nothing),
		CASE(what_another_holds_stays),
		CASE(what_another_holds_is_dropped_later),
		CASE(the_dead_reserve_nothing),
		CASE(one_key_by_many_is_one_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
