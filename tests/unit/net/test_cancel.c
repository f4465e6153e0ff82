/* SPDX-License-Identifier: MIT */
#include "tests/unit/net/exchange.h"

static void test_cancel_in_body(void **state)
{
	struct fixture f;
	struct exchange x, after;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, f.server->port, "/early");
	x.cancel_in_body = true;
	run(&x);
	exchange_init(&after, f.loop, f.server->port, "/ok");
	run(&after);
	net_loop_free(f.loop);
	assert_int_equal(x.rc, 1);
	assert_string_equal(x.body->str, "four");
	assert_int_equal(after.rc, 0);
	exchange_release(&x);
	exchange_release(&after);
	loopback_free(f.server);
}

static void test_cancel_another_in_body(void **state)
{
	struct fixture f;
	struct exchange x, other;

	fixture_init(&f, serve, NULL);
	exchange_init(&other, f.loop, f.server->port, "/hang");
	exchange_init(&x, f.loop, f.server->port, "/ok");
	x.cancel_other = &other;
	net_loop_post(f.loop, start, &other);
	loopback_wait(f.server, 1);
	run(&x);
	assert_int_equal(x.rc, 0);
	net_loop_free(f.loop);
	assert_int_equal(other.rc, 1);
	exchange_release(&x);
	exchange_release(&other);
	loopback_free(f.server);
}

static void start_and_cancel(void *arg)
{
	struct exchange *x = arg;

	start(x);
	net_request_cancel(x->request);
	tally_add(x->tally);
}

static void cancel(void *arg)
{
	struct exchange *x = arg;

	net_request_cancel(x->request);
	tally_add(x->tally);
}

static void test_cancel(void **state)
{
	struct fixture f;
	struct exchange x, y;

	fixture_init(&f, serve, NULL);
	exchange_init(&x, f.loop, f.server->port, "/ok");
	net_loop_post(f.loop, start_and_cancel, &x);
	assert_true(tally_wait(x.tally, 1));
	exchange_init(&y, f.loop, f.server->port, "/hang");
	net_loop_post(f.loop, start, &y);
	loopback_wait(f.server, 1);
	net_loop_post(f.loop, cancel, &y);
	assert_true(tally_wait(y.tally, 1));
	net_loop_free(f.loop);
	assert_int_equal(x.rc, 1);
	assert_int_equal(y.rc, 1);
	exchange_release(&x);
	exchange_release(&y);
	loopback_free(f.server);
}

static void test_free_with_open_requests(void **state)
{
	static const char *const paths[] = {"/hang", "/stall", "/ok"};
	struct fixture f;
	struct exchange x[3];

	fixture_init(&f, serve, NULL);
	for (int i = 0; i < 2; i++) {
		exchange_init(&x[i], f.loop, f.server->port, paths[i]);
		net_loop_post(f.loop, start, &x[i]);
	}
	loopback_wait(f.server, 2);
	/* Started in the loop's last turn. */
	exchange_init(&x[2], f.loop, loopback_dead_port(), paths[2]);
	net_loop_post(f.loop, start, &x[2]);
	net_loop_free(f.loop);
	assert_int_equal(x[0].rc, -ECANCELED);
	assert_int_equal(x[1].rc, -ECANCELED);
	assert_true(x[2].rc == -ECANCELED || x[2].rc == -ECONNREFUSED);
	for (int i = 0; i < 3; i++)
		exchange_release(&x[i]);
	loopback_free(f.server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_in_body),
		cmocka_unit_test(test_cancel_another_in_body),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_free_with_open_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
