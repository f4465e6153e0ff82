/* SPDX-License-Identifier: MIT */
#include "tests/unit/cache/index_room.h"

/* Opens what may not exist yet and writes rows of its own. */
static void child_writes(const char *path, int who, int n)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	struct cache_index *ix = NULL;
	char *error = NULL;

	if (index_open(fd, &ix, &error) < 0) {
		print_error("child: %s\n", error);
		_exit(1);
	}
	if (index_run(ix, make_table, NULL))
		_exit(2);
	for (int i = 0; i < n; i++) {
		struct row row = {.k = who * 100000 + i, .v = who};

		if (index_run(ix, put_row, &row) || value_of(ix, row.k) != who)
			_exit(3);
	}
	index_close(ix);
	_exit(0);
}

static void test_first_creation_race(void **state)
{
	struct room *r = *state;
	pid_t pids[6];
	int status;

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 6; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				child_writes(r->path, i, 30);
		}
		for (int i = 0; i < 6; i++) {
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
		r->ix = open_index(r->fd);
		assert_int_equal(count_rows(r->ix), 6 * 30);
		assert_int_equal(
			read_value(r->ix,
				   "SELECT auto_vacuum FROM pragma_auto_vacuum",
				   0),
			2);
		assert_false(exists(r, "index.db.damaged"));
		index_close(r->ix);
		r->ix = NULL;
		unlinkat(r->fd, "index.db", 0);
		unlinkat(r->fd, "index.db-wal", 0);
		unlinkat(r->fd, "index.db-shm", 0);
	}
}

/* Several find the same damage: one puts it aside, all go on. */
static void test_damage_race(void **state)
{
	struct room *r = *state;
	pid_t pids[6];
	int status;

	overwrite(r, "index.db", 0, "not a database", 14);
	for (int i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			child_writes(r->path, i, 30);
	}
	for (int i = 0; i < 6; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	r->ix = open_index(r->fd);
	assert_int_equal(count_rows(r->ix), 6 * 30);
}

/* Says through the pipe which row is committed. */
static void say_done(void *arg, int rc)
{
	struct row *row = arg;

	if (rc || write(row->fail, &row->k, sizeof(row->k)) < 0)
		_exit(4);
	g_free(row);
}

static int put_row_only(struct index_conn *conn, void *arg)
{
	struct row row = *(struct row *)arg;

	row.fail = 0;
	return put_row(conn, &row);
}

static void child_until_killed(const char *path, int64_t first, int pipe_fd)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	struct cache_index *ix = open_index(fd);

	for (int64_t k = first;; k++) {
		struct row *row = g_new0(struct row, 1);

		row->k = k;
		row->v = k;
		row->fail = pipe_fd;
		index_post(ix, put_row_only, say_done, row);
		if (k % 64 == 0)
			index_run(ix, nothing, NULL);
	}
}

static void test_killed_while_writing(void **state)
{
	struct room *r = *state;
	int64_t k, last = 0;

	r->ix = open_index(r->fd);
	assert_int_equal(index_run(r->ix, make_table, NULL), 0);
	for (int round = 0; round < 20; round++) {
		int status, ends[2];
		int64_t wanted = last + 1 + round * 37;
		pid_t pid;

		index_close(r->ix);
		assert_int_equal(pipe(ends), 0);
		pid = fork();
		if (pid == 0) {
			close(ends[0]);
			child_until_killed(r->path, last + 1, ends[1]);
		}
		close(ends[1]);
		/* Killed as soon as it has come so far, wherever it is. */
		while (last < wanted &&
		       read(ends[0], &k, sizeof(k)) == sizeof(k))
			last = k;
		kill(pid, SIGKILL);
		while (read(ends[0], &k, sizeof(k)) == sizeof(k))
			last = k;
		close(ends[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		r->ix = open_index(r->fd);
		assert_true(intact(r->ix));
		/* All that done() was told of, in order, without a hole. */
		k = read_value(r->ix, "SELECT max(k) FROM t", 0);
		assert_true(k >= last);
		assert_int_equal(count_rows(r->ix), k);
		last = k;
	}
	assert_false(exists(r, "index.db.damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make_room, teardown)
		T(test_first_creation_race),
		T(test_damage_race),
		T(test_killed_while_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
