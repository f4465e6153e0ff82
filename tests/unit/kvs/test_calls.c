/* SPDX-License-Identifier: MIT */
/* What each call sends and makes of a good answer. */
#include "tests/unit/kvs/asked.h"

#define INFO(name)                                          \
	"{\"StreamName\":\"" name "\",\"StreamARN\":\"" ARN \
	"\",\"Status\":\"ACTIVE\",\"CreationTime\":1.5E9,"  \
	"\"DataRetentionInHours\":1}"

#define PAGE                                                              \
	"{\"Fragments\":[{\"FragmentNumber\":\"" NUMBER                   \
	"\",\"FragmentSizeInBytes\":7,\"ProducerTimestamp\":1.5E9,"       \
	"\"ServerTimestamp\":1.5E9,\"FragmentLengthInMilliseconds\":8}]," \
	"\"NextToken\":\"after\"}"

static const char *name_of(const struct asked *a, guint i)
{
	const struct kvs_stream_info *s = g_ptr_array_index(a->streams, i);

	return s->name;
}

static void test_list_streams(void **state)
{
	static const struct reply replies[] = {
		OK("{\"StreamInfoList\":[" INFO("a") "],\"NextToken\":\"t1\"}"),
		/* An empty page with a token is not the end. */
		OK("{\"StreamInfoList\":[],\"NextToken\":\"t2\"}"),
		OK("{\"StreamInfoList\":[" INFO("b") "," INFO(
			"c") "],"
			     "\"NextToken\":null}"),
	};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_STREAMS, "cam-");
	asked_run(&a);
	service_stop_loop(&s);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.streams->len, 3);
	assert_string_equal(name_of(&a, 0), "a");
	assert_string_equal(name_of(&a, 2), "c");
	assert_int_equal(s.seen->len, 3);
	assert_string_equal(service_seen(&s, 0)->path, "/listStreams");
	assert_string_equal(service_seen(&s, 0)->body,
			    "{\"MaxResults\":1000,\"StreamNameCondition\":"
			    "{\"ComparisonOperator\":\"BEGINS_WITH\","
			    "\"ComparisonValue\":\"cam-\"}}");
	assert_string_equal(service_seen(&s, 1)->body,
			    "{\"MaxResults\":1000,\"NextToken\":\"t1\","
			    "\"StreamNameCondition\":"
			    "{\"ComparisonOperator\":\"BEGINS_WITH\","
			    "\"ComparisonValue\":\"cam-\"}}");
	asked_release(&a);
	service_release(&s);
}

static void test_list_streams_all(void **state)
{
	static const struct reply replies[] = {OK("{\"StreamInfoList\":[]}")};
	static const char *const prefixes[] = {NULL, ""};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		struct service s;
		struct asked a;

		SERVICE(&s, replies);
		asked_init(&a, &s, LIST_STREAMS, prefixes[i]);
		asked_run(&a);
		service_stop_loop(&s);
		assert_int_equal(a.rc, 0);
		assert_int_equal(a.streams->len, 0);
		assert_string_equal(service_seen(&s, 0)->body,
				    "{\"MaxResults\":1000}");
		asked_release(&a);
		service_release(&s);
	}
}

static void test_list_streams_without_end(void **state)
{
	static const struct reply replies[] = {
		OK("{\"StreamInfoList\":[" INFO("a") "],\"NextToken\":\"t\"}"),
	};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	service_stop_loop(&s);
	assert_int_equal(a.rc, -EPROTO);
	assert_int_equal(a.streams->len, 0);
	assert_int_equal(loopback_requests(s.server), 2);
	asked_release(&a);
	service_release(&s);
}

static void test_describe(void **state)
{
	static const struct reply replies[] = {
		OK("{\"StreamInfo\":" INFO("door") "}"),
	};
	static const struct {
		const char *text, *body;
	} cases[] = {
		{"door", "{\"StreamName\":\"door\"}"},
		{ARN, "{\"StreamARN\":\"" ARN "\"}"},
		{"\"x\\", "{\"StreamName\":\"\\\"x\\\\\"}"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct service s;
		struct asked a;

		SERVICE(&s, replies);
		asked_init(&a, &s, DESCRIBE, cases[i].text);
		asked_run(&a);
		service_stop_loop(&s);
		assert_int_equal(a.rc, 0);
		assert_int_equal(a.streams->len, 1);
		assert_string_equal(name_of(&a, 0), "door");
		assert_string_equal(service_seen(&s, 0)->path,
				    "/describeStream");
		assert_string_equal(service_seen(&s, 0)->body, cases[i].body);
		asked_release(&a);
		service_release(&s);
	}
}

static void test_list_fragments(void **state)
{
	static const struct reply replies[] = {ENDPOINT, OK(PAGE)};
	struct service s;
	struct asked a, b;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_run(&a);
	asked_init(&b, &s, LIST_FRAGMENTS, "after");
	asked_run(&b);
	service_stop_loop(&s);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.n_fragments, 1);
	assert_string_equal(a.first.number, NUMBER);
	assert_int_equal(a.first.size_bytes, 7);
	assert_int_equal(a.first.length_ms, 8);
	assert_int_equal(a.first.producer_ms, 1500000000000);
	assert_string_equal(a.token, "after");
	/* The endpoint is asked for once. */
	assert_int_equal(s.seen->len, 3);
	assert_string_equal(service_seen(&s, 0)->path, "/getDataEndpoint");
	assert_string_equal(service_seen(&s, 0)->body,
			    "{\"StreamARN\":\"" ARN
			    "\",\"APIName\":\"LIST_FRAGMENTS\"}");
	assert_string_equal(service_seen(&s, 1)->path, "/listFragments");
	/* Whole seconds, outwards. */
	assert_string_equal(service_seen(&s, 1)->body,
			    "{\"StreamARN\":\"" ARN
			    "\",\"MaxResults\":1000,\"FragmentSelector\":"
			    "{\"FragmentSelectorType\":\"PRODUCER_TIMESTAMP\","
			    "\"TimestampRange\":{\"StartTimestamp\":1500000000,"
			    "\"EndTimestamp\":1500003601}}}");
	assert_true(g_str_has_suffix(service_seen(&s, 2)->body,
				     ",\"NextToken\":\"after\"}"));
	asked_release(&a);
	asked_release(&b);
	service_release(&s);
}

static void test_media(void **state)
{
	static const struct reply replies[] = {ENDPOINT, OK("matroska")};
	struct service s;
	struct asked a;

	SERVICE(&s, replies);
	asked_init(&a, &s, MEDIA, NULL);
	asked_run(&a);
	service_stop_loop(&s);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.body->str, "matroska");
	assert_string_equal(service_seen(&s, 0)->body,
			    "{\"StreamARN\":\"" ARN
			    "\",\"APIName\":\"GET_MEDIA_FOR_FRAGMENT_LIST\"}");
	assert_string_equal(service_seen(&s, 1)->path,
			    "/getMediaForFragmentList");
	assert_string_equal(service_seen(&s, 1)->body,
			    "{\"StreamARN\":\"" ARN
			    "\",\"Fragments\":[\"" NUMBER "\",\"2\"]}");
	asked_release(&a);
	service_release(&s);
}

/* Data calls go to the override and ask nobody; its path is kept. */
static void test_override(void **state)
{
	static const struct reply replies[] = {OK(PAGE)};
	struct service s;
	struct asked a;

	service_prepare(&s, replies, G_N_ELEMENTS(replies));
	s.settings.data_url = g_strdup_printf("http://127.0.0.1:%d/prefix/",
					      s.server->port);
	service_start(&s);
	asked_init(&a, &s, LIST_FRAGMENTS, NULL);
	asked_run(&a);
	service_stop_loop(&s);
	assert_int_equal(a.rc, 0);
	assert_int_equal(s.seen->len, 1);
	assert_string_equal(service_seen(&s, 0)->path, "/prefix/listFragments");
	asked_release(&a);
	service_release(&s);
}

static void test_signed(void **state)
{
	static const struct reply replies[] = {OK("{}")};
	struct service s;
	struct asked a;
	const char *head;

	SERVICE(&s, replies);
	asked_init(&a, &s, LIST_STREAMS, NULL);
	asked_run(&a);
	service_stop_loop(&s);
	head = service_seen(&s, 0)->head;
	assert_true(g_str_has_prefix(head, "POST /listStreams HTTP/1.1\r\n"));
	assert_non_null(strstr(head, "\r\nAuthorization: AWS4-HMAC-SHA256 "
				     "Credential=AKID/"));
	assert_non_null(strstr(head, "/us-west-2/kinesisvideo/aws4_request,"));
	assert_non_null(strstr(head, "SignedHeaders=content-type;host;"
				     "x-amz-date,"));
	assert_non_null(strstr(head, "\r\nContent-Type: application/json\r\n"));
	asked_release(&a);
	service_release(&s);
}

static void test_bad_settings(void **state)
{
	static const struct reply replies[] = {OK("{}")};
	struct net_loop_options o = {0};
	struct kvs_client *c = NULL;
	struct service s;

	service_prepare(&s, replies, G_N_ELEMENTS(replies));
	assert_int_equal(net_loop_new(&o, &s.loop), 0);
	s.settings.data_url = g_strdup("https://user@example.com");
	assert_int_equal(kvs_client_new(s.loop, &s.settings, &s.clock,
					service_random, &c),
			 -EINVAL);
	assert_null(c);
	kvs_client_free(NULL);
	service_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_streams),
		cmocka_unit_test(test_list_streams_all),
		cmocka_unit_test(test_list_streams_without_end),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_list_fragments),
		cmocka_unit_test(test_media),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_bad_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
