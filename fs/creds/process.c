/* SPDX-License-Identifier: MIT */
/*
 * process: credential_process, a program that prints keys.
 *
 * Run without a shell: words and quotes, but no variables and no pipes (sdkref
 * "Process credential provider").  What it prints to
 * stdout is never shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/aws/json.h"
#include "fs/aws/words.h"
#include "fs/base/base.h"
#include "fs/creds/internal.h"
#include "fs/creds/keys.h"

/* The CLI has no limit; a person may have to touch a security key. */
#define TIMEOUT_MS	60000
#define COMPLAINT_BYTES 4096

struct child {
	pid_t pid;
	int out, err;
	char *text; /* CREDS_ANSWER_MAX_BYTES + 1 */
	size_t n;
	char complaint[COMPLAINT_BYTES];
	size_t complaint_n;
	bool too_much;
};

/* In a group of its own, so that all of it can be ended. */
static int spawn(char **argv, char **env, int out, int err, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, err, 2);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
						      POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	rc = posix_spawnp(ret_pid, argv[0], &files, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

static int start(struct child *c, char **argv, char **env)
{
	int out[2], err[2], rc;

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(err, O_CLOEXEC)) {
		rc = -errno;
		close(out[0]);
		close(out[1]);
		return rc;
	}
	rc = spawn(argv, env, out[1], err[1], &c->pid);
	close(out[1]);
	close(err[1]);
	c->out = out[0];
	c->err = err[0];
	return rc;
}

/* false: it is closed. */
static bool read_out(struct child *c)
{
	size_t room = CREDS_ANSWER_MAX_BYTES - c->n;
	ssize_t n = read(c->out, c->text + c->n, room);

	if (n > 0)
		c->n += (size_t)n;
	c->too_much = c->n == CREDS_ANSWER_MAX_BYTES;
	return n > 0 && !c->too_much;
}

/* The beginning is kept, the rest is only taken away. */
static bool read_err(struct child *c)
{
	char rest[COMPLAINT_BYTES];
	size_t room = sizeof(c->complaint) - c->complaint_n;
	ssize_t n = read(c->err, room ? c->complaint + c->complaint_n : rest,
			 room ? room : sizeof(rest));

	if (n > 0 && room)
		c->complaint_n += (size_t)n;
	return n > 0;
}

/* 0 once it has ended and both pipes are closed; -ETIMEDOUT, -ECANCELED. */
static int listen_to(struct creds_context *x, struct child *c, int pidfd)
{
	int64_t end_ms = clock_monotonic_ms(x->clock) + TIMEOUT_MS;
	struct pollfd p[] = {{c->out, POLLIN, 0},
			     {c->err, POLLIN, 0},
			     {x->stop_fd, POLLIN, 0},
			     {pidfd, POLLIN, 0}};

	while (p[0].fd >= 0 || p[1].fd >= 0 || p[3].fd >= 0) {
		int64_t left_ms = end_ms - clock_monotonic_ms(x->clock);

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (poll(p, G_N_ELEMENTS(p), (int)left_ms) < 0)
			continue;
		if (p[2].revents)
			return -ECANCELED;
		if (p[0].revents && !read_out(c))
			p[0].fd = -1;
		if (p[1].revents && !read_err(c))
			p[1].fd = -1;
		if (p[3].revents)
			p[3].fd = -1;
		if (c->too_much)
			return 0;
	}
	return 0;
}

static int wait_for(struct creds_context *x, struct child *c, int *ret_status)
{
	auto_close int pidfd = pidfd_open(c->pid, 0);
	/* Where the kernel is too old for it, only the pipes tell. */
	int rc = listen_to(x, c, pidfd);

	/* It may have left others behind, or be deaf itself. */
	if (rc || c->too_much)
		kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return rc;
}

static int take(const struct creds_plan *p, const struct child *c,
		struct aws_credentials **ret_keys, char **ret_error)
{
	struct json_object *root = NULL;
	g_autofree char *why = NULL;
	const char *unused;
	int64_t version = 0;
	int rc;

	if (c->too_much || aws_json_parse(c->text, c->n, &root))
		return creds_fail(-EACCES, ret_error,
				  "%s printed something that is not JSON",
				  p->source);
	if (aws_json_whole(root, "Version", AWS_WHOLE_MAX, &version, &unused) ||
	    version != 1) {
		rc = creds_fail(-EACCES, ret_error,
				"%s printed JSON without \"Version\": 1",
				p->source);
	} else {
		rc = creds_keys_read(root, &creds_names_process, ret_keys,
				     &why);
		if (rc)
			rc = creds_fail(-EACCES, ret_error,
					"what %s printed cannot be used: %s",
					p->source, why);
	}
	creds_json_free(root);
	return rc;
}

static int judge(const struct creds_plan *p, const struct child *c, int rc,
		 int status, struct aws_credentials **ret_keys,
		 char **ret_error)
{
	g_autofree char *said = creds_quote(c->complaint, c->complaint_n);

	if (rc == -ETIMEDOUT)
		return creds_fail(rc, ret_error, "%s did not end within %d s",
				  p->source, TIMEOUT_MS / 1000);
	if (rc)
		return creds_fail(rc, ret_error, "%s was ended", p->source);
	if (!c->too_much && WIFSIGNALED(status))
		return creds_fail(-EACCES, ret_error,
				  "%s ended by signal %d%s%s", p->source,
				  WTERMSIG(status), *said ? ": " : "", said);
	if (!c->too_much && WEXITSTATUS(status))
		return creds_fail(-EACCES, ret_error,
				  "%s failed with exit status %d%s%s",
				  p->source, WEXITSTATUS(status),
				  *said ? ": " : "", said);
	return take(p, c, ret_keys, ret_error);
}

static int run(struct creds_context *x, const struct creds_plan *p, char **argv,
	       struct aws_credentials **ret_keys, char **ret_error)
{
	struct child c = {.text = g_malloc(CREDS_ANSWER_MAX_BYTES + 1),
			  .out = -1,
			  .err = -1};
	int status = 0;
	int rc = start(&c, argv, x->settings->environ);

	if (rc) {
		rc = creds_fail(-EACCES, ret_error, "%s cannot be run: %s: %s",
				p->source, argv[0], g_strerror(-rc));
	} else {
		rc = wait_for(x, &c, &status);
		rc = judge(p, &c, rc, status, ret_keys, ret_error);
	}
	base_closep(&c.out);
	base_closep(&c.err);
	explicit_bzero(c.text, c.n);
	g_free(c.text);
	return rc;
}

int creds_from_process(struct creds_context *x, const struct creds_plan *p,
		       struct aws_credentials **ret_keys, char **ret_error)
{
	char **argv = aws_words(p->command);
	int rc;

	if (!argv || !*argv) {
		aws_words_free(argv);
		return creds_fail(-EACCES, ret_error,
				  "%s cannot be read: is a quote missing?",
				  p->source);
	}
	rc = run(x, p, argv, ret_keys, ret_error);
	aws_words_free(argv);
	return rc;
}
