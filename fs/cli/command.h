/* SPDX-License-Identifier: MIT */
/*
 * command: the subcommands.  Each takes its own arguments (argv[0] is its
 * name) and gives what to exit with; a failure has said why, in one line.
 */
#ifndef KVSFS_CLI_COMMAND_H
#define KVSFS_CLI_COMMAND_H

int mount_command(int argc, char **argv);
/* As mount(8) calls mount.kvsfs for "mount -t kvsfs" and fstab. */
int mount_helper_command(int argc, char **argv);
int cache_command(int argc, char **argv);
int check_command(int argc, char **argv);

#endif
