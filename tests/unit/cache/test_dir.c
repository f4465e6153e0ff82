/* SPDX-License-Identifier: MIT */
#include "cache/dir.h"
#include "cache/network_fs.h"
#include "fs/base/base.h"

#include <glib.h>
#include <glib/gstdio.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

struct place {
	char *dir;  /* a scratch folder */
	char *path; /* the cache in it, not made yet */
};

static int setup(void **state)
{
	struct place *p = g_new0(struct place, 1);

	p->dir = g_dir_make_tmp("kvsfs-dir-XXXXXX", NULL);
	p->path = g_build_filename(p->dir, "a", "b", "cache", NULL);
	*state = p;
	return p->dir ? 0 : -1;
}

static int teardown(void **state)
{
	struct place *p = *state;
	g_autofree char *rm = g_strdup_printf("rm -rf '%s'", p->dir);

	assert_true(g_spawn_command_line_sync(rm, NULL, NULL, NULL, NULL));
	g_free(p->dir);
	g_free(p->path);
	g_free(p);
	return 0;
}

static int open_ok(const char *path)
{
	g_autofree char *error = NULL;
	int fd = -1;
	int rc = cache_dir_open(path, &fd, &error);

	if (rc)
		print_error("%s\n", error);
	assert_int_equal(rc, 0);
	assert_null(error);
	return fd;
}

/* Refused with this errno and a sentence that holds `word`. */
static void refused(const char *path, int want, const char *word)
{
	g_autofree char *error = NULL;
	int fd = -7;

	assert_int_equal(cache_dir_open(path, &fd, &error), want);
	assert_int_equal(fd, -7);
	assert_non_null(error);
	assert_non_null(strstr(error, word));
}

static mode_t mode_at(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void put_file(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static bool exists_at(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static unsigned count_names(const char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	unsigned n = 0;

	assert_non_null(d);
	while (g_dir_read_name(d))
		n++;
	g_dir_close(d);
	return n;
}

static void makes_a_private_directory(void **state)
{
	struct place *p = *state;
	mode_t old = umask(0);
	auto_close int fd = open_ok(p->path);
	g_autofree char *parent = g_path_get_dirname(p->path);

	umask(old);
	assert_int_equal(mode_at(p->path, "."), 0700);
	assert_int_equal(mode_at(parent, "."), 0700);
	assert_int_equal(mode_at(p->path, "chunks"), 0700);
	assert_int_equal(mode_at(p->path, "tmp"), 0700);
	assert_int_equal(mode_at(p->path, "procs"), 0700);
	assert_int_equal(mode_at(p->path, "CACHEDIR.TAG"), 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void layout_is_pinned(void **state)
{
	struct place *p = *state;
	auto_close int fd = open_ok(p->path);
	g_autofree char *tag = g_build_filename(p->path, "CACHEDIR.TAG", NULL);
	g_autofree char *text = NULL;

	assert_true(g_file_get_contents(tag, &text, NULL, NULL));
	assert_true(g_str_has_prefix(
		text, "Signature: 8a477f597d28d172789f06886806bc55\n"
		      "# kvsfs cache, layout 1\n"));
	assert_int_equal(count_names(p->path), 4);
}

static void opens_again_and_together(void **state)
{
	struct place *p = *state;
	auto_close int first = open_ok(p->path);
	auto_close int second = open_ok(p->path);

	assert_int_not_equal(first, second);
}

static void adopts_an_empty_directory(void **state)
{
	struct place *p = *state;
	g_autofree char *sub = g_build_filename(p->dir, "empty", NULL);
	g_autofree char *link = g_build_filename(p->dir, "link", NULL);

	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(symlink("empty", link), 0);
	/* What a crash at its first moment left does not count. */
	put_file(sub, "CACHEDIR.TAG.new", "Sig");
	auto_close int fd = open_ok(link);

	assert_int_equal(count_names(sub), 4);
}

static void leaves_a_foreign_directory_alone(void **state)
{
	static const struct {
		const char *name, *text;
		int want;
	} cases[] = {
		{"thesis.txt", "precious", -EEXIST},
		{"CACHEDIR.TAG", "", -EEXIST},
		{"CACHEDIR.TAG",
		 "Signature: 8a477f597d28d172789f06886806bc55\n# of others\n",
		 -EEXIST},
		{"CACHEDIR.TAG",
		 "Signature: 8a477f597d28d172789f06886806bc55\n"
		 "# kvsfs cache, layout 999\n",
		 -EPROTO},
		{"CACHEDIR.TAG",
		 "Signature: 8a477f597d28d172789f06886806bc55\n"
		 "# kvsfs cache, layout \n",
		 -EPROTO},
	};
	struct place *p = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *sub = g_strdup_printf("%s/%zu", p->dir, i);
		g_autofree char *file = g_build_filename(sub, cases[i].name,
							 NULL);
		g_autofree char *text = NULL;

		assert_int_equal(mkdir(sub, 0700), 0);
		put_file(sub, cases[i].name, cases[i].text);
		refused(sub, cases[i].want, "choose");
		assert_int_equal(count_names(sub), 1);
		assert_true(g_file_get_contents(file, &text, NULL, NULL));
		assert_string_equal(text, cases[i].text);
	}
}

static void refuses_what_is_open_to_others(void **state)
{
	struct place *p = *state;
	static const mode_t modes[] = {0755, 0750, 0701, 0777};

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		g_autofree char *sub = g_strdup_printf("%s/%zu", p->dir, i);

		assert_int_equal(mkdir(sub, 0700), 0);
		assert_int_equal(chmod(sub, modes[i]), 0);
		refused(sub, -EPERM, "chmod 700");
		assert_int_equal(count_names(sub), 0);
	}
}

static void refuses_what_others_own(void **state)
{
	struct place *p = *state;
	g_autofree char *sub = g_build_filename(p->dir, "theirs", NULL);

	if (geteuid())
		skip();
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(chown(sub, 12345, 12345), 0);
	refused(sub, -EPERM, "uid 12345");
	assert_int_equal(count_names(sub), 0);
}

static void says_why_a_path_cannot_be(void **state)
{
	struct place *p = *state;
	g_autofree char *file = g_build_filename(p->dir, "file", NULL);
	g_autofree char *below = g_build_filename(file, "cache", NULL);
	g_autofree char *dangling = g_build_filename(p->dir, "dangling", NULL);

	put_file(p->dir, "file", "x");
	assert_int_equal(symlink("nowhere", dangling), 0);
	refused(file, -ENOTDIR, "file");
	refused(below, -ENOTDIR, "file");
	refused(dangling, -ENOENT, "dangling");
	refused("", -ENOENT, "No such");
}

static void knows_network_filesystems(void **state)
{
	static const struct {
		uint32_t f_type;
		const char *name;
	} cases[] = {
		{0x6969, "NFS"},
		{0xff534d42, "CIFS"},
		{0xfe534d42, "SMB2"},
		{0x01021997, "9P"},
		{0x00c36400, "Ceph"},
		{0xef53, NULL},
		{0x01021994, NULL},
		{0x9123683e, NULL},
		{0x58465342, NULL},
		{0x65735546, NULL},
		{0, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *name = network_fs_name(cases[i].f_type);

		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
		else
			assert_null(name);
	}
}

static void clears_what_is_ours(void **state)
{
	struct place *p = *state;
	auto_close int fd = open_ok(p->path);
	g_autofree char *error = NULL;
	g_autofree char *fanout = g_build_filename(p->path, "chunks/7a", NULL);

	assert_int_equal(mkdir(fanout, 0700), 0);
	put_file(fanout, "7a00000000000001", "chunk");
	put_file(p->path, "tmp/7a00000000000002", "part");
	put_file(p->path, "procs/1", "");
	put_file(p->path, "index.db", "rows");
	put_file(p->path, "index.db-wal", "rows");
	put_file(p->path, "notes.txt", "mine");

	assert_int_equal(cache_dir_clear(fd, &error), 0);
	assert_null(error);
	/* The stranger stays, and so does the tag that lets us in again. */
	assert_true(exists_at(p->path, "notes.txt"));
	assert_true(exists_at(p->path, "CACHEDIR.TAG"));
	assert_int_equal(count_names(p->path), 2);

	auto_close int again = open_ok(p->path);
	g_autofree char *notes = g_build_filename(p->path, "notes.txt", NULL);

	assert_int_equal(g_unlink(notes), 0);
	base_closep(&fd);
	assert_int_equal(cache_dir_clear(again, &error), 0);
	assert_int_equal(count_names(p->path), 0);
}

static void clear_waits_for_nobody(void **state)
{
	struct place *p = *state;
	auto_close int fd = open_ok(p->path);
	g_autofree char *error = NULL;
	int ready[2], go[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready) | pipe(go), 0);
	pid = fork();
	if (!pid) {
		char *no = NULL;
		int other;

		close(go[1]);
		if (cache_dir_open(p->path, &other, &no) ||
		    write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(cache_dir_clear(fd, &error), -EBUSY);
	assert_non_null(error);
	assert_true(exists_at(p->path, "chunks"));
	close(go[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	g_clear_pointer(&error, g_free);
	assert_int_equal(cache_dir_clear(fd, &error), 0);
	close(ready[0]);
	close(ready[1]);
}

static void many_open_a_new_one_at_once(void **state)
{
	struct place *p = *state;
	pid_t pids[8];

	for (size_t i = 0; i < G_N_ELEMENTS(pids); i++) {
		pids[i] = fork();
		if (!pids[i]) {
			char *no = NULL;
			int fd;

			_exit(cache_dir_open(p->path, &fd, &no) ? 1 : 0);
		}
	}
	for (size_t i = 0; i < G_N_ELEMENTS(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_names(p->path), 4);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(makes_a_private_directory),
		CASE(layout_is_pinned),
		CASE(opens_again_and_together),
		CASE(adopts_an_empty_directory),
		CASE(leaves_a_foreign_directory_alone),
		CASE(refuses_what_is_open_to_others),
		CASE(refuses_what_others_own),
		CASE(says_why_a_path_cannot_be),
		CASE(knows_network_filesystems),
		CASE(clears_what_is_ours),
		CASE(clear_waits_for_nobody),
		CASE(many_open_a_new_one_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
