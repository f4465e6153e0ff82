/* SPDX-License-Identifier: MIT */
/* Calls that are cancelled, and calls that outlive the loop. */
#include "tests/unit/kvs/asked.h"

static const struct reply *by_path(struct service *s,
				   const struct loopback_request *r)
{
	static const struct reply endpoint = ENDPOINT, throttled = THROTTLED,
				  ok = OK("{\"StreamInfoList\":[]}");

	/* Every second request is throttled, so that calls wait as well. */
	if (r->number % 2)
		return &throttled;
	return strcmp(r->path, "/getDataEndpoint") ? &ok : &endpoint;
}

struct turns {
	struct asked *asked;
	unsigned left;
};

static void cancel_after_turns(void *arg)
{
	struct turns *t = arg;

	if (t->asked->rc != 1)
		return; /* it was faster */
	if (t->left-- > 0) {
		net_loop_post(t->asked->service->loop, cancel_after_turns, t);
		return;
	}
	kvs_call_cancel(t->asked->call);
	tally_add(&t->asked->done);
}

static void start_and_count(void *arg)
{
	struct turns *t = arg;

	asked_start(t->asked);
	cancel_after_turns(t);
}

/* The loop's turns are the points; doubling steps cover the long waits. */
static void test_cancel_at_every_point(void **state)
{
	for (unsigned api = LIST_STREAMS; api <= MEDIA; api++) {
		for (unsigned n = 0; n < 4000; n = n < 20 ? n + 1 : n * 2) {
			struct service s;
			struct asked a;
			struct turns t = {&a, n};

			service_prepare(&s, NULL, 0);
			s.choose = by_path;
			service_start(&s);
			asked_init(&a, &s, api, api == MEDIA ? NULL : "x");
			net_loop_post(s.loop, start_and_count, &t);
			assert_true(tally_wait(&a.done, 1));
			service_stop_loop(&s);
			assert_int_equal(tally_get(&a.done), 1);
			asked_release(&a);
			service_release(&s);
		}
	}
}

static void cancel(void *arg)
{
	struct asked *a = arg;

	kvs_call_cancel(a->call);
	tally_add(&a->done);
}

static const struct reply hang = {"", "", "", HANG};

static const struct reply *hang_after_endpoint(struct service *s,
					       const struct loopback_request *r)
{
	static const struct reply endpoint = ENDPOINT;

	return strcmp(r->path, "/getDataEndpoint") ? &hang : &endpoint;
}

static const struct reply *hang_always(struct service *s,
				       const struct loopback_request *r)
{
	return &hang;
}

static void test_cancel_while_it_waits_for_an_answer(void **state)
{
	struct service s;
	struct asked a;

	service_prepare(&s, NULL, 0);
	s.choose = hang_after_endpoint;
	service_start(&s);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_post(&a);
	loopback_wait(s.server, 2);
	net_loop_post(s.loop, cancel, &a);
	assert_true(tally_wait(&a.done, 1));
	service_stop_loop(&s);
	assert_int_equal(a.rc, 1);
	asked_release(&a);
	service_release(&s);
}

/* The lookup is shared: it ends with the last who waits for it. */
static void test_cancel_one_of_two_waiters(void **state)
{
	static const struct reply replies[] = {THROTTLED, ENDPOINT, OK("{}")};
	struct service s;
	struct asked a, b;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_init(&b, &s, LIST_FRAGMENTS, NULL);
	/* a's deadline would be too short for b. */
	a.deadline_ms = 5000;
	asked_post(&a);
	asked_post(&b);
	loopback_wait(s.server, 1);
	net_loop_post(s.loop, cancel, &a);
	assert_true(tally_wait(&b.done, 1));
	service_stop_loop(&s);
	assert_int_equal(a.rc, 1);
	assert_int_equal(b.rc, 0);
	asked_release(&a);
	asked_release(&b);
	service_release(&s);
}

static void test_longer_deadline_of_a_waiter_counts(void **state)
{
	static const struct reply replies[] = {THROTTLED, THROTTLED, THROTTLED,
					       ENDPOINT, OK("{}")};
	struct service s;
	struct asked a, b;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	a.deadline_ms = 75;
	asked_init(&b, &s, LIST_FRAGMENTS, NULL);
	asked_post(&a);
	asked_post(&b);
	assert_true(tally_wait(&a.done, 1));
	assert_true(tally_wait(&b.done, 1));
	assert_int_equal(a.rc, -ETIMEDOUT);
	assert_string_equal(a.name, "ClientLimitExceededException");
	assert_int_equal(b.rc, 0);
	asked_release(&a);
	asked_release(&b);
	service_release(&s);
}

static void test_cancel_in_body(void **state)
{
	static const int body_rcs[] = {0, -EIO};
	static const struct reply replies[] = {ENDPOINT, OK("matroska")};

	for (size_t i = 0; i < G_N_ELEMENTS(body_rcs); i++) {
		struct service s;
		struct asked a;

		SERVICE(&s, replies);
		asked_init(&a, &s, MEDIA, NULL);
		a.cancel_in_body = true;
		a.body_rc = body_rcs[i];
		asked_run(&a);
		service_stop_loop(&s);
		assert_int_equal(a.rc, 1);
		assert_string_equal(a.body->str, "matroska");
		asked_release(&a);
		service_release(&s);
	}
}

static void test_cancel_another_in_a_callback(void **state)
{
	static const enum api others[] = {LIST_STREAMS, LIST_FRAGMENTS, MEDIA};
	static const struct reply replies[] = {
		{"", "", "", HANG},
		OK("{}"),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		struct service s;
		struct asked a, other;

		SERVICE(&s, replies);
		asked_init(&other, &s, others[i], NULL);
		asked_init(&a, &s, LIST_STREAMS, NULL);
		a.cancel_other = &other;
		asked_post(&other);
		loopback_wait(s.server, 1);
		asked_run(&a);
		service_stop_loop(&s);
		assert_int_equal(a.rc, 0);
		assert_int_equal(other.rc, 1);
		asked_release(&a);
		asked_release(&other);
		service_release(&s);
	}
}

/* Two that wait for one lookup, and the first's callback ends the second. */
static void test_cancel_a_fellow_waiter(void **state)
{
	static const struct reply replies[] = {
		ERROR("404 No", "ResourceNotFoundException"),
	};
	struct service s;
	struct asked a, b;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_init(&b, &s, LIST_FRAGMENTS, NULL);
	a.cancel_other = &b;
	asked_post(&a);
	asked_post(&b);
	assert_true(tally_wait(&a.done, 1));
	service_stop_loop(&s);
	assert_int_equal(a.rc, -ENOENT);
	assert_int_equal(b.rc, 1);
	asked_release(&a);
	asked_release(&b);
	service_release(&s);
}

static void test_loop_ends(void **state)
{
	static const struct {
		const struct reply *(*choose)(struct service *s,
					      const struct loopback_request *r);
		unsigned requests; /* to wait for before the end */
	} cases[] = {
		{by_path, 0},
		{hang_always, 4}, /* two of the calls share a lookup */
		{hang_after_endpoint, 7},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct service s;
		struct asked a[5];

		service_prepare(&s, NULL, 0);
		s.choose = cases[i].choose;
		service_start(&s);
		for (int k = 0; k < 5; k++) {
			asked_init(&a[k], &s, k < 4 ? (enum api)k : MEDIA,
				   k == DESCRIBE ? "x" : NULL);
			asked_post(&a[k]);
		}
		loopback_wait(s.server, cases[i].requests);
		service_stop_loop(&s);
		for (int k = 0; k < 5; k++) {
			assert_int_equal(tally_get(&a[k].done), 1);
			if (i > 0)
				assert_int_equal(a[k].rc, -ECANCELED);
			asked_release(&a[k]);
		}
		service_release(&s);
	}
}

/* Nothing is on the wire when a call waits for its next try. */
static void test_loop_ends_in_backoff(void **state)
{
	static const struct reply replies[] = {THROTTLED};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_post(&a);
	loopback_wait(s.server, 3);
	service_stop_loop(&s);
	assert_int_equal(a.rc, -ECANCELED);
	asked_release(&a);
	service_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_at_every_point),
		cmocka_unit_test(test_cancel_while_it_waits_for_an_answer),
		cmocka_unit_test(test_cancel_one_of_two_waiters),
		cmocka_unit_test(test_longer_deadline_of_a_waiter_counts),
		cmocka_unit_test(test_cancel_in_body),
		cmocka_unit_test(test_cancel_another_in_a_callback),
		cmocka_unit_test(test_cancel_a_fellow_waiter),
		cmocka_unit_test(test_loop_ends),
		cmocka_unit_test(test_loop_ends_in_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
