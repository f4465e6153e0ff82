/* SPDX-License-Identifier: MIT */
/*
 * keeper: when it asks, and when it does not.  What it asks is a program that
 * counts how often it is run and prints what the test says.
 */
#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/creds/keeper.h"
#include "fs/net/loop.h"
#include "tests/unit/aws/home.h"
#include "tests/unit/net/loopback.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CONFIG "[default]\ncredential_process = /bin/sh @/program\n"

struct scene {
	struct home home;
	struct aws_settings settings;
	struct net_loop *loop;
	struct creds_keeper *keeper;
	struct clock clock;
	_Atomic int64_t ahead_ms; /* of the machine's clocks */

	/* The loop's thread alone, but for the tally. */
	struct tally settled;
	int rc;
	char *error;
	char *id; /* of what was got last; NULL: it has to be waited for */
	unsigned serial;
};

static int64_t realtime_ms(void *user)
{
	struct scene *s = user;

	return clock_realtime_ms(&clock_system) + s->ahead_ms;
}

static int64_t monotonic_ms(void *user)
{
	struct scene *s = user;

	return clock_monotonic_ms(&clock_system) + s->ahead_ms;
}

static void on_settled(void *user, int rc, const char *error)
{
	struct scene *s = user;

	assert_true(net_loop_on_thread(s->loop));
	s->rc = rc;
	g_free(s->error);
	s->error = g_strdup(error);
	tally_add(&s->settled);
}

static char *in_home(const struct scene *s, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "@", -1);

	return g_strjoinv(s->home.dir, parts);
}

static void write_in_home(const struct scene *s, const char *name,
			  const char *text)
{
	g_autofree char *path = g_build_filename(s->home.dir, name, NULL);
	g_autofree char *full = in_home(s, text);

	g_file_set_contents(path, full, -1, NULL);
}

/* What the program does from now on: prints a key that lives for a while, or
 * (lives_s 0) fails. */
static void program(const struct scene *s, const char *id, int lives_s)
{
	int64_t end_s = realtime_ms((void *)(uintptr_t)s) / 1000 + lives_s;
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(end_s);
	g_autofree char *expires = g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ");
	g_autofree char *text = g_strdup_printf(
		"echo x >> @/runs\n%s\necho '{\"Version\": 1, \"AccessKeyId\": "
		"\"%s\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\", "
		"\"Expiration\": \"%s\"}'\n",
		lives_s ? "" : "echo no luck >&2; exit 1", id, expires);

	write_in_home(s, "program", text);
}

static unsigned runs(const struct scene *s)
{
	g_autofree char *path = g_build_filename(s->home.dir, "runs", NULL);
	g_autofree char *text = NULL;
	gsize n = 0;

	g_file_get_contents(path, &text, &n, NULL);
	return (unsigned)(n / 2);
}

static void scene_open(struct scene *s)
{
	static char region[] = "us-west-2", profile[] = "default";
	const struct net_loop_options net = {0};
	struct creds_keeper_options o = {.settled = on_settled, .user = s};
	g_autofree char *config = NULL;

	*s = (struct scene){.settled = TALLY_INIT};
	home_open(&s->home);
	config = in_home(s, CONFIG);
	home_write(s->home.config, config);
	s->settings = (struct aws_settings){
		.environ = s->home.env, .profile = profile, .region = region};
	s->clock = (struct clock){realtime_ms, monotonic_ms, s};
	assert_int_equal(net_loop_new(&net, &s->loop), 0);
	o.loop = s->loop;
	o.settings = &s->settings;
	o.clock = &s->clock;
	assert_int_equal(creds_keeper_new(&o, &s->keeper), 0);
}

static void scene_close(struct scene *s)
{
	static const char *const names[] = {"program", "runs"};

	net_loop_stop(s->loop);
	creds_keeper_free(s->keeper);
	net_loop_free(s->loop);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(s->home.dir, names[i],
							 NULL);

		g_unlink(path);
	}
	g_free(s->error);
	g_free(s->id);
	home_close(&s->home);
}

struct step {
	struct scene *scene;
	bool drop;
	struct tally done;
};

static void on_loop(void *arg)
{
	struct step *step = arg;
	struct scene *s = step->scene;
	const struct aws_credentials *c;

	if (step->drop)
		creds_keeper_drop(s->keeper, s->serial);
	c = creds_keeper_get(s->keeper, &s->serial);
	g_free(s->id);
	s->id = c ? g_strdup(c->access_key_id) : NULL;
	tally_add(&step->done);
}

/* What there is now, or NULL. */
static const char *get(struct scene *s, bool drop)
{
	struct step step = {s, drop, TALLY_INIT};

	net_loop_post(s->loop, on_loop, &step);
	assert_true(tally_wait(&step.done, 1));
	return s->id;
}

static void wait_settled(struct scene *s, unsigned n)
{
	assert_true(tally_wait(&s->settled, n));
}

static void test_once_for_all(void **state)
{
	struct scene s;

	scene_open(&s);
	program(&s, "A", 3600);
	assert_int_equal(runs(&s), 0); /* not before somebody wants them */
	assert_null(get(&s, false));
	assert_null(get(&s, false));
	wait_settled(&s, 1);
	assert_int_equal(s.rc, 0);
	assert_string_equal(get(&s, false), "A");
	assert_string_equal(get(&s, false), "A");
	assert_int_equal(runs(&s), 1);
	assert_int_equal(tally_get(&s.settled), 1);
	scene_close(&s);
}

/* 15 minutes before the end, if somebody has used them. */
static void test_renewed_before_the_end(void **state)
{
	struct scene s;

	scene_open(&s);
	program(&s, "A", 3600);
	get(&s, false);
	wait_settled(&s, 1);
	program(&s, "B", 7200);
	s.ahead_ms = 40 * 60000;
	get(&s, false); /* looks at the files; too early for more */
	s.ahead_ms = 46 * 60000;
	assert_string_equal(get(&s, false), "A"); /* nobody waits */
	wait_settled(&s, 2);
	assert_string_equal(get(&s, false), "B");
	assert_int_equal(runs(&s), 2);
	scene_close(&s);
}

static void test_expired(void **state)
{
	struct scene s;

	scene_open(&s);
	program(&s, "A", 3600);
	get(&s, false);
	wait_settled(&s, 1);
	s.ahead_ms = 3 * 3600000;
	program(&s, "B", 3600);
	assert_null(get(&s, false));
	wait_settled(&s, 2);
	assert_string_equal(get(&s, false), "B");
	scene_close(&s);
}

static void test_refused(void **state)
{
	struct scene s;
	unsigned first;

	scene_open(&s);
	program(&s, "A", 3600);
	get(&s, false);
	wait_settled(&s, 1);
	get(&s, false);
	first = s.serial;
	program(&s, "B", 3600);
	assert_null(get(&s, true));
	wait_settled(&s, 2);
	assert_string_equal(get(&s, false), "B");
	assert_true(s.serial != first);
	/* Those that are no longer used cannot be refused. */
	s.serial = first;
	assert_string_equal(get(&s, true), "B");
	scene_close(&s);
}

static void test_failures_are_spaced(void **state)
{
	struct scene s;

	scene_open(&s);
	program(&s, "A", 0);
	for (unsigned i = 1; i <= 5; i++) {
		assert_null(get(&s, false));
		wait_settled(&s, i);
		assert_int_equal(s.rc, -EACCES);
		assert_non_null(strstr(s.error, "no luck"));
	}
	assert_int_equal(runs(&s), 1);
	program(&s, "A", 3600);
	s.ahead_ms = 1001;
	get(&s, false);
	wait_settled(&s, 6);
	assert_int_equal(s.rc, 0);
	assert_string_equal(get(&s, false), "A");
	scene_close(&s);
}

/* A person who mends the file does not wait. */
static void test_a_file_is_mended(void **state)
{
	struct scene s;
	g_autofree char *config = NULL;

	scene_open(&s);
	home_write(s.home.config, "[default]\nwhat\n");
	get(&s, false);
	wait_settled(&s, 1);
	assert_non_null(strstr(s.error, "config:2:"));
	config = in_home(&s, CONFIG);
	program(&s, "A", 3600);
	home_write(s.home.config, config);
	get(&s, false);
	wait_settled(&s, 2);
	assert_string_equal(get(&s, false), "A");
	scene_close(&s);
}

static void test_a_file_is_changed(void **state)
{
	struct scene s;

	scene_open(&s);
	home_write(s.home.config, "[default]\naws_access_key_id = A\n"
				  "aws_secret_access_key = s\n");
	get(&s, false);
	wait_settled(&s, 1);
	assert_string_equal(get(&s, false), "A");
	home_write(s.home.config, "[default]\naws_access_key_id = BB\n"
				  "aws_secret_access_key = s\n");
	s.ahead_ms = 5001;
	assert_string_equal(get(&s, false), "A");
	wait_settled(&s, 2);
	assert_string_equal(get(&s, false), "BB");
	scene_close(&s);
}

/* A renewal that fails takes nothing away. */
static void test_failing_renewal(void **state)
{
	struct scene s;

	scene_open(&s);
	program(&s, "A", 3600);
	get(&s, false);
	wait_settled(&s, 1);
	program(&s, "A", 0);
	get(&s, false);
	s.ahead_ms = 46 * 60000;
	get(&s, false);
	wait_settled(&s, 2);
	assert_int_equal(s.rc, -EACCES);
	assert_string_equal(get(&s, false), "A");
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once_for_all),
		cmocka_unit_test(test_renewed_before_the_end),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_failures_are_spaced),
		cmocka_unit_test(test_a_file_is_mended),
		cmocka_unit_test(test_a_file_is_changed),
		cmocka_unit_test(test_failing_renewal),
	};

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
