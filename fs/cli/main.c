/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fs/cli/command.h"
#include "fs/cli/log.h"
#include "fs/cli/values.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis;
} commands[] = {
	{"mount", mount_command, "mount [options] STREAM MOUNTPOINT"},
	{"check", check_command, "check [options] [STREAM]"},
	{"cache", cache_command, "cache info|verify|clear [--cache-dir=DIR]"},
};

static int help(void)
{
	puts("kvsfs: archives of Amazon Kinesis Video Streams as folders\n");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		printf("  kvsfs %s\n", commands[i].synopsis);
	puts("\nkvsfs COMMAND --help says more; kvsfs --version says which "
	     "this is.");
	return 0;
}

static int unknown(const char *name)
{
	const char *names[G_N_ELEMENTS(commands)];
	const char *nearest;

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		names[i] = commands[i].name;
	nearest = value_nearest(name, names, G_N_ELEMENTS(commands));
	if (nearest)
		log_fail("unknown command '%s': did you mean '%s'?", name,
			 nearest);
	else
		log_fail("unknown command '%s': 'kvsfs --help' lists what "
			 "there is",
			 name);
	return 1;
}

int main(int argc, char **argv)
{
	g_autofree char *called = g_path_get_basename(argc ? argv[0] : "kvsfs");

	/* A reader that is gone is an error of write(2), not our end. */
	signal(SIGPIPE, SIG_IGN);

	if (!strcmp(called, "mount.kvsfs"))
		return mount_helper_command(argc, argv);
	if (argc < 2) {
		log_fail("what to do is missing: 'kvsfs --help' lists what "
			 "there is");
		return 1;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help"))
		return help();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return puts("kvsfs " KVSFS_VERSION) < 0;
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return unknown(argv[1]);
}
