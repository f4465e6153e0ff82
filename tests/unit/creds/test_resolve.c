/* SPDX-License-Identifier: MIT */
/*
 * `test_resolve --print [PROFILE]` prints what the process's own environment
 * leads to, services that are asked included, for tests/mount to compare with
 * botocore.
 */
#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/creds/plan.h"
#include "fs/creds/region.h"
#include "fs/creds/resolve.h"
#include "fs/net/loop.h"
#include "tests/unit/aws/home.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static int resolve(const struct aws_settings *s, int stop_fd,
		   struct aws_credentials **ret, char **ret_error)
{
	const struct net_loop_options net = {.ca_bundle = s->ca_bundle,
					     .proxy = s->proxy,
					     .no_proxy = s->no_proxy};
	_Atomic int64_t offset_ms = 0;
	struct creds_context x = {.settings = s,
				  .clock = &clock_system,
				  .clock_offset_ms = &offset_ms,
				  .stop_fd = stop_fd};
	int rc;

	assert_int_equal(net_loop_new(&net, &x.loop), 0);
	rc = creds_resolve(&x, ret, ret_error);
	net_loop_free(x.loop);
	return rc;
}

static void print(const char *key, const char *value)
{
	printf("%s=%s\n", key, value ? value : "");
}

static void print_urls(const struct aws_settings *s)
{
	g_autofree char *error = NULL;
	struct creds_plan *p;

	if (creds_plan_make(s, &p, &error))
		return;
	if (p->sts_url)
		print("sts_url", p->sts_url);
	if (p->base == CREDS_SSO) {
		print("portal_url", p->sso.portal_url);
		print("oidc_url", p->sso.oidc_url);
	}
	creds_plan_free(p);
}

static int print_own(const char *profile)
{
	struct aws_overrides o = {.profile = profile};
	g_auto(GStrv) env = g_get_environ();
	g_autofree char *error = NULL;
	struct aws_credentials *c = NULL;
	struct aws_settings *s = NULL;

	if (creds_settings_load(&o, env, "kvsfs/test", &clock_system, &s,
				&error)) {
		print("error", error);
		return 0;
	}
	print("profile", s->profile);
	print("region", s->region);
	print("control_url", s->control_url);
	print("ca_bundle", s->ca_bundle);
	print_urls(s);
	if (resolve(s, -1, &c, &error)) {
		print("no_credentials", error);
	} else {
		print("provider", c->provider);
		print("access_key_id", c->access_key_id);
		print("secret_access_key", c->secret_access_key);
		print("session_token", c->session_token);
	}
	aws_credentials_free(c);
	aws_settings_free(s);
	return 0;
}

/* ---- credential_process: what it may do wrong --------------------------- */

static const struct {
	const char *command;
	const char *key;   /* of what it gives, */
	const char *error; /* or a piece of the sentence */
} processes[] = {
	{"echo '{\"Version\": 1, \"AccessKeyId\": \"A\", "
	 "\"SecretAccessKey\": \"s\"}'",
	 "A", NULL},
	{"printf %s '{\"Version\": 1, \"AccessKeyId\": \"a b\", "
	 "\"SecretAccessKey\": \"hush\"}'",
	 NULL, "characters that no key has"},
	{"echo '{\"Version\": 2, \"SecretAccessKey\": \"hush\"}'", NULL,
	 "without \"Version\": 1"},
	{"echo '{\"Version\": 1, \"SecretAccessKey\": \"hush\"}'", NULL,
	 "no usable AccessKeyId"},
	{"echo '{\"Version\": 1, \"AccessKeyId\": \"A\", "
	 "\"SecretAccessKey\": \"hush\", \"Expiration\": \"soon\"}'",
	 NULL, "no usable Expiration"},
	{"echo '{\"Version\": 1, \"AccessKeyId\": \"A\", "
	 "\"SecretAccessKey\": \"hush\", "
	 "\"Expiration\": \"2020-01-01T00:00:00Z\"}'",
	 NULL, "expired at 2020-01-01T00:00:00Z: renew them"},
	{"echo hush", NULL, "not JSON"},
	{"true", NULL, "not JSON"},
	{"head -c 1000000 /dev/zero", NULL, "not JSON"},
	{"sh -c 'echo no luck >&2; exit 3'", NULL, "exit status 3: no luck"},
	{"sh -c 'kill -9 $$'", NULL, "ended by signal 9"},
	{"/nonexistent/program x", NULL, "/nonexistent/program: No such file"},
	{"echo 'x", NULL, "is a quote missing?"},
	/* No shell looks at it. */
	{"echo $HOME | tee", NULL, "not JSON"},
};

static void test_process(void **state)
{
	static char region[] = "us-west-2", profile[] = "default";

	for (size_t i = 0; i < G_N_ELEMENTS(processes); i++) {
		g_autofree char *config =
			g_strconcat("[default]\ncredential_process = ",
				    processes[i].command, NULL);
		g_autofree char *error = NULL;
		struct aws_credentials *c = NULL;
		struct home h;
		struct aws_settings s = {.profile = profile, .region = region};
		int rc;

		home_open(&h);
		home_write(h.config, config);
		s.environ = h.env;
		rc = resolve(&s, -1, &c, &error);
		if (rc) {
			assert_int_equal(rc, -EACCES);
			if (!processes[i].error ||
			    !strstr(error, processes[i].error) ||
			    strstr(error, "hush"))
				fail_msg("process %zu: %s", i, error);
		} else {
			assert_string_equal(c->access_key_id, processes[i].key);
			assert_string_equal(c->provider, "custom-process");
		}
		aws_credentials_free(c);
		home_close(&h);
	}
}

struct stopper {
	char *marker;
	int fd; /* closed when the marker is there: the other end is readable */
};

static void *stop(void *arg)
{
	struct stopper *s = arg;

	while (!g_file_test(s->marker, G_FILE_TEST_EXISTS))
		g_usleep(1000);
	close(s->fd);
	return NULL;
}

/* Whoever ends is not kept by a program that does not: one that is deaf, and
 * one that only looks as if it had ended. */
static void test_process_is_ended(void **state)
{
	static char region[] = "us-west-2", profile[] = "default";

	for (int i = 0; i < 2; i++) {
		struct aws_settings s = {.profile = profile, .region = region};
		g_autofree char *error = NULL, *config = NULL, *script = NULL;
		struct aws_credentials *c = NULL;
		struct stopper stopper;
		pthread_t thread;
		struct home h;
		int ends[2];

		home_open(&h);
		s.environ = h.env;
		stopper.marker = g_build_filename(h.dir, "marker", NULL);
		script = i ? g_strdup_printf("exec >&- 2>&-; echo > %s; "
					     "exec sleep 1000",
					     stopper.marker)
			   : g_strdup_printf("echo > %s; exec sleep 1000",
					     stopper.marker);
		config = g_strdup_printf("[default]\ncredential_process = "
					 "sh -c '%s'\n",
					 script);
		home_write(h.config, config);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		stopper.fd = ends[1];
		pthread_create(&thread, NULL, stop, &stopper);
		assert_int_equal(resolve(&s, ends[0], &c, &error), -ECANCELED);
		pthread_join(thread, NULL);
		close(ends[0]);
		g_unlink(stopper.marker);
		g_free(stopper.marker);
		home_close(&h);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_process_is_ended),
	};

	if (argc >= 2 && !strcmp(argv[1], "--print"))
		return print_own(argc > 2 ? argv[2] : NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
