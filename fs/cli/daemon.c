/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"

#include "fs/cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/base.h"
#include "fs/cli/log.h"

static volatile sig_atomic_t child_pid;

/* Who gives up on the parent gives up on the mount. */
static void forward(int sig)
{
	kill(child_pid, sig);
}

static void forward_signals(pid_t child)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = forward, .sa_flags = SA_RESTART};

	child_pid = child;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < G_N_ELEMENTS(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
}

static int wait_child(pid_t child, int fd)
{
	char byte;
	ssize_t n;
	int status;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	if (WIFSIGNALED(status)) {
		int sig = WTERMSIG(status);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			log_fail("interrupted before the mount was ready");
		else
			log_fail("ended by signal %d (%s) before the mount was "
				 "ready: please report this",
				 sig, g_strsignal(sig));
	}
	return 1;
}

int daemon_fork(int *ret_fd, int *ret_status)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	auto_close int read_fd = fds[0];
	auto_close int write_fd = fds[1];

	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		*ret_fd = base_steal_fd(&write_fd);
		return 0;
	}
	forward_signals(child);
	base_closep(&write_fd);
	*ret_status = wait_child(child, read_fd);
	return 1;
}

int daemon_ready(int fd)
{
	auto_close int pipe_fd = fd;
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return -errno;
	/* Until now ^C at the terminal ended child and parent alike. */
	setsid();
	if (chdir("/") < 0)
		return -errno;
	log_to_system();
	/*
	 * The standard streams go first: whoever reads the parent's through a
	 * pipe waits for the end of it.
	 */
	for (int i = 0; i <= STDERR_FILENO; i++)
		if (dup2(null_fd, i) < 0)
			return -errno;
	if (write(pipe_fd, "R", 1) != 1)
		return -errno;
	return 0;
}
