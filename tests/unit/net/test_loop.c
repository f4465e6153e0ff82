/* SPDX-License-Identifier: MIT */
#include "fs/net/loop.h"

#include "tests/unit/net/loopback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct net_loop *new_loop(void)
{
	struct net_loop_options o = {0};
	struct net_loop *l = NULL;

	assert_int_equal(net_loop_new(&o, &l), 0);
	return l;
}

struct trace {
	struct net_loop *loop;
	GString *seen; /* the loop's thread until it ended */
	struct net_timer *timers[26];
	struct tally done;
	int again;
	gint64 ended_us;
};

struct mark {
	struct trace *trace;
	char letter;
};

static void trace_init(struct trace *t)
{
	*t = (struct trace){.seen = g_string_new(NULL), .done = TALLY_INIT};
	t->loop = new_loop();
}

static void trace_release(struct trace *t)
{
	net_loop_free(t->loop);
	g_string_free(t->seen, TRUE);
}

static void on_mark(void *arg)
{
	struct mark *m = arg;

	assert_true(net_loop_on_thread(m->trace->loop));
	g_string_append_c(m->trace->seen, m->letter);
	tally_add(&m->trace->done);
}

static void test_posts_in_order(void **state)
{
	struct trace t;
	struct mark marks[26];

	trace_init(&t);
	assert_false(net_loop_on_thread(t.loop));
	for (int i = 0; i < 26; i++) {
		marks[i] = (struct mark){&t, (char)('a' + i)};
		net_loop_post(t.loop, on_mark, &marks[i]);
	}
	assert_true(tally_wait(&t.done, 26));
	assert_string_equal(t.seen->str, "abcdefghijklmnopqrstuvwxyz");
	trace_release(&t);
}

static void *post_many(void *arg)
{
	struct mark *m = arg;

	for (int i = 0; i < 1000; i++)
		net_loop_post(m->trace->loop, on_mark, m);
	return NULL;
}

static void test_posts_from_many_threads(void **state)
{
	struct trace t;
	struct mark mark = {&t, 'x'};
	pthread_t threads[8];

	trace_init(&t);
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, post_many, &mark);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	/* Free runs what is posted, so nothing has to be waited for. */
	trace_release(&t);
	assert_int_equal(tally_get(&t.done), 8000);
}

static void post_again(void *arg)
{
	struct trace *t = arg;

	tally_add(&t->done);
	if (--t->again > 0)
		net_loop_post(t->loop, post_again, t);
}

static void test_post_from_the_loop(void **state)
{
	struct trace t;

	trace_init(&t);
	t.again = 500;
	net_loop_post(t.loop, post_again, &t);
	assert_true(tally_wait(&t.done, 500));
	trace_release(&t);
}

static void start_timers(void *arg)
{
	static const struct {
		int64_t delay_ms;
		char letter;
	} order[] = {
		{30, 'e'}, {0, 'a'}, {10, 'c'}, {10, 'd'}, {0, 'b'}, {20, 'X'},
	};
	static struct mark marks[G_N_ELEMENTS(order)];
	struct trace *t = arg;

	for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
		marks[i] = (struct mark){t, order[i].letter};
		t->timers[i] = net_timer_start(t->loop, order[i].delay_ms,
					       on_mark, &marks[i]);
	}
	net_timer_cancel(t->timers[5]);
}

static void test_timers_in_order(void **state)
{
	struct trace t;

	trace_init(&t);
	net_loop_post(t.loop, start_timers, &t);
	assert_true(tally_wait(&t.done, 5));
	assert_string_equal(t.seen->str, "abcde");
	trace_release(&t);
}

static void on_elapsed(void *arg)
{
	struct trace *t = arg;

	t->ended_us = g_get_monotonic_time();
	tally_add(&t->done);
}

static void start_elapsed(void *arg)
{
	struct trace *t = arg;

	net_timer_start(t->loop, 25, on_elapsed, t);
}

static void test_timer_is_never_early(void **state)
{
	for (int i = 0; i < 5; i++) {
		struct trace t;
		gint64 from_us;

		trace_init(&t);
		from_us = g_get_monotonic_time();
		net_loop_post(t.loop, start_elapsed, &t);
		assert_true(tally_wait(&t.done, 1));
		assert_true(t.ended_us - from_us >= 25000);
		trace_release(&t);
	}
}

/* A timer of 0 ms that always starts itself anew, and one that it must not
   hold up. */
static void tick(void *arg)
{
	struct trace *t = arg;

	t->timers[0] = net_timer_start(t->loop, 0, tick, t);
}

static void stop_tick(void *arg)
{
	struct trace *t = arg;

	net_timer_cancel(t->timers[0]);
	tally_add(&t->done);
}

static void start_tick(void *arg)
{
	struct trace *t = arg;

	tick(t);
	net_timer_start(t->loop, 5, stop_tick, t);
}

static void test_timer_starts_itself(void **state)
{
	struct trace t;

	trace_init(&t);
	net_loop_post(t.loop, start_tick, &t);
	assert_true(tally_wait(&t.done, 1));
	trace_release(&t);
}

static void cancel_other(void *arg)
{
	struct trace *t = arg;

	net_timer_cancel(t->timers[1]);
	tally_add(&t->done);
}

static void start_pair(void *arg)
{
	static struct mark mark;
	struct trace *t = arg;

	mark = (struct mark){t, 'X'};
	/* Both are due in the same turn. */
	net_timer_start(t->loop, 0, cancel_other, t);
	t->timers[1] = net_timer_start(t->loop, 0, on_mark, &mark);
}

static void test_timer_cancelled_when_due(void **state)
{
	struct trace t;

	trace_init(&t);
	net_loop_post(t.loop, start_pair, &t);
	assert_true(tally_wait(&t.done, 1));
	net_loop_free(t.loop);
	assert_string_equal(t.seen->str, "");
	g_string_free(t.seen, TRUE);
}

static void start_late(void *arg)
{
	struct mark *m = arg;

	net_timer_start(m->trace->loop, 1000000, on_mark, m);
}

static void at_end(void *arg)
{
	struct mark *m = arg;

	/* Too late: dropped. */
	net_loop_post(m->trace->loop, on_mark, m);
	g_string_append(m->trace->seen, "end");
}

static void test_end(void **state)
{
	struct trace t;
	struct mark late = {&t, 'X'}, posted = {&t, 'p'};

	trace_init(&t);
	net_loop_at_end(t.loop, at_end, &late);
	net_loop_post(t.loop, start_late, &late);
	net_loop_post(t.loop, on_mark, &posted);
	net_loop_free(t.loop);
	assert_string_equal(t.seen->str, "pend");
	g_string_free(t.seen, TRUE);
	net_loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_posts_in_order),
		cmocka_unit_test(test_posts_from_many_threads),
		cmocka_unit_test(test_post_from_the_loop),
		cmocka_unit_test(test_timers_in_order),
		cmocka_unit_test(test_timer_is_never_early),
		cmocka_unit_test(test_timer_starts_itself),
		cmocka_unit_test(test_timer_cancelled_when_due),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
