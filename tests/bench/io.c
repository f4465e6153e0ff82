/* SPDX-License-Identifier: MIT */
/*
 * io: the reading side of the benchmark, with nothing in the way.
 *
 *   io seq FILE...      read all of each file in 128 KiB reads; MB/s, bytes;
 *                       stops after $IO_SECONDS
 *   io open N FILE...   open, read 4 KiB, close, N times over; files/s
 *   io rand N FILE...   all files opened once, then N reads of 4 KiB at random
 *                       places, in random order; reads/s, opening excluded
 *   io first FILE       read 4 KiB of one file; microseconds from open on
 *   io drop FILE...     drop the kernel's pages of each file; files dropped
 *   io run PROGRAM...   run it, its output thrown away; milliseconds
 *   io touch MIB        write to so much memory, and give it back; MiB
 *
 * Prints that.  @LIST is the files named in LIST, one a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

extern char **environ;

static char buf[128 << 10];

struct names {
	char **path;
	int n;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "io: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *grown(void *p, size_t bytes)
{
	p = realloc(p, bytes);
	if (!p)
		die("memory");
	return p;
}

static struct names read_names(const char *list)
{
	FILE *f = fopen(list, "re");
	struct names names = {NULL, 0};
	char *line = NULL;
	size_t size = 0;
	ssize_t got;

	if (!f)
		die(list);
	while ((got = getline(&line, &size, f)) > 0) {
		line[got - 1] = '\0';
		names.path = grown(names.path,
				   (size_t)(names.n + 1) * sizeof(*names.path));
		names.path[names.n++] = strdup(line);
	}
	free(line);
	fclose(f);
	return names;
}

static int open_or_die(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static size_t read_or_die(int fd, size_t n, const char *path)
{
	ssize_t got = read(fd, buf, n);

	if (got < 0)
		die(path);
	return (size_t)got;
}

static double sequential(const struct names *names, uint64_t *ret_bytes)
{
	const char *limit = getenv("IO_SECONDS");
	double start = now_s(), end = start + (limit ? atof(limit) : 1e9);
	uint64_t bytes = 0;

	for (int i = 0; i < names->n && now_s() < end; i++) {
		int fd = open_or_die(names->path[i]);
		size_t got;

		while ((got = read_or_die(fd, sizeof(buf), names->path[i])) > 0)
			bytes += got;
		close(fd);
	}
	*ret_bytes = bytes;
	return (double)bytes / 1e6 / (now_s() - start);
}

static double opens(int rounds, const struct names *names)
{
	double start = now_s();

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < names->n; i++) {
			int fd = open_or_die(names->path[i]);

			read_or_die(fd, PAGE, names->path[i]);
			close(fd);
		}
	}
	return rounds * (double)names->n / (now_s() - start);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static double random_reads(int count, const struct names *names)
{
	struct rlimit limit;
	int *fds = grown(NULL, (size_t)names->n * sizeof(*fds));
	uint64_t *pages = grown(NULL, (size_t)names->n * sizeof(*pages));
	uint64_t state = 88172645463325252u;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("limits");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("limits");
	for (int i = 0; i < names->n; i++) {
		struct stat st;

		fds[i] = open_or_die(names->path[i]);
		if (fstat(fds[i], &st))
			die(names->path[i]);
		pages[i] = (uint64_t)st.st_size / PAGE;
		posix_fadvise(fds[i], 0, 0, POSIX_FADV_RANDOM);
	}
	double start = now_s();

	for (int i = 0; i < count; i++) {
		uint64_t which = next_random(&state) % (uint64_t)names->n;
		off_t at = 0;

		if (pages[which])
			at = (off_t)(next_random(&state) % pages[which] * PAGE);
		if (pread(fds[which], buf, PAGE, at) < 0)
			die(names->path[which]);
	}
	return count / (now_s() - start);
}

static double first(const char *path)
{
	double start = now_s();
	int fd = open_or_die(path);

	read_or_die(fd, PAGE, path);

	double took_s = now_s() - start;

	close(fd);
	return took_s * 1e6;
}

static double drop(const struct names *names)
{
	for (int i = 0; i < names->n; i++) {
		int fd = open_or_die(names->path[i]);

		errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (errno)
			die(names->path[i]);
		close(fd);
	}
	return names->n;
}

static double run(char **argv)
{
	posix_spawn_file_actions_t actions;
	double start = now_s();
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (errno || waitpid(pid, &status, 0) != pid)
		die(argv[0]);
	if (status) {
		fprintf(stderr, "io: %s ended with %d\n", argv[0], status);
		exit(1);
	}
	return (now_s() - start) * 1e3;
}

/*
 * A virtual machine gets its memory from its host where it first writes to it,
 * and whoever does pays: some 2 s of its processor time a GB.
 */
static double touch(int mib)
{
	for (int i = 0; i < mib; i++)
		memset(grown(NULL, 1 << 20), 1, 1 << 20);
	return mib;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int at = strcmp(what, "open") == 0 || strcmp(what, "rand") == 0 ? 3 : 2;
	struct names names = {argv + at, argc - at};
	uint64_t bytes = 0;
	double answer;

	if (argc <= at)
		return 2;
	if (argv[at][0] == '@')
		names = read_names(argv[at] + 1);
	if (strcmp(what, "seq") == 0)
		answer = sequential(&names, &bytes);
	else if (strcmp(what, "open") == 0)
		answer = opens(atoi(argv[2]), &names);
	else if (strcmp(what, "rand") == 0)
		answer = random_reads(atoi(argv[2]), &names);
	else if (strcmp(what, "first") == 0)
		answer = first(argv[2]);
	else if (strcmp(what, "drop") == 0)
		answer = drop(&names);
	else if (strcmp(what, "touch") == 0)
		answer = touch(atoi(argv[2]));
	else if (strcmp(what, "run") == 0)
		answer = run(argv + 2);
	else
		return 2;
	printf("%.3f %" PRIu64 "\n", answer, bytes);
	return 0;
}
