/* SPDX-License-Identifier: MIT */
/*
 * io: the reading side of the benchmark, with nothing in the way.
 *
 *   io seq FILE...      read all of each file in 128 KiB reads; MB/s
 *   io open N FILE...   open, read 4 KiB, close, N times over; files/s
 *   io first FILE       read 4 KiB of one file; microseconds from open on
 *
 * Prints one number.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char buf[128 << 10];

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_or_die(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "io: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static size_t read_or_die(int fd, size_t n, const char *path)
{
	ssize_t got = read(fd, buf, n);

	if (got < 0) {
		fprintf(stderr, "io: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return (size_t)got;
}

static void sequential(char **paths, int n)
{
	double start = now_s();
	uint64_t bytes = 0;

	for (int i = 0; i < n; i++) {
		int fd = open_or_die(paths[i]);
		size_t got;

		while ((got = read_or_die(fd, sizeof(buf), paths[i])) > 0)
			bytes += got;
		close(fd);
	}
	printf("%.1f\n", (double)bytes / 1e6 / (now_s() - start));
}

static void opens(int rounds, char **paths, int n)
{
	double start = now_s();

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < n; i++) {
			int fd = open_or_die(paths[i]);

			read_or_die(fd, 4096, paths[i]);
			close(fd);
		}
	}
	printf("%.0f\n", rounds * (double)n / (now_s() - start));
}

static void first(const char *path)
{
	double start = now_s();
	int fd = open_or_die(path);

	read_or_die(fd, 4096, path);
	printf("%.0f\n", (now_s() - start) * 1e6);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "seq") == 0)
		sequential(argv + 2, argc - 2);
	else if (argc > 3 && strcmp(argv[1], "open") == 0)
		opens(atoi(argv[2]), argv + 3, argc - 3);
	else if (argc == 3 && strcmp(argv[1], "first") == 0)
		first(argv[2]);
	else
		return 2;
	return 0;
}
