/* SPDX-License-Identifier: MIT */
/*
 * AWS's own vectors, read in place; skipped where they are not there.
 *
 * `test_sigv4_vectors --sign DIR` signs DIR/request.txt as DIR/context.json
 * says and prints what it made, for tests/mount/test_aws_settings.py.
 */
#include "fs/aws/credentials.h"
#include "fs/aws/sigv4.h"
#include "fs/base/utc.h"

#include <glib.h>
#include <json-c/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define VECTORS_MIN 38 /* fewer: the folder was read wrongly */

struct message {
	char *text, *method, *path, *query, *body;
	GArray *headers; /* struct sigv4_header, into text */
};

static void message_clear(struct message *m)
{
	for (guint i = 0; m->headers && i < m->headers->len; i++) {
		struct sigv4_header *h = &g_array_index(m->headers,
							struct sigv4_header, i);

		g_free((char *)(uintptr_t)h->name);
		g_free((char *)(uintptr_t)h->value);
	}
	g_clear_pointer(&m->headers, g_array_unref);
	g_free(m->text);
	g_free(m->method);
	g_free(m->path);
	g_free(m->query);
}

/* "GET /a b?x=y HTTP/1.1": a target may hold spaces. */
static void parse_request_line(struct message *m, char *line)
{
	char *target = strchr(line, ' '), *version, *query;

	assert_non_null(target);
	version = strrchr(target + 1, ' ');
	assert_non_null(version);
	*target++ = *version = '\0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	m->method = g_strdup(line);
	m->path = g_strdup(target);
	m->query = g_strdup(query ? query : "");
}

static void add_header_line(struct message *m, const char *line)
{
	struct sigv4_header h, *last;
	const char *colon = strchr(line, ':');

	if (*line == ' ') { /* folded: goes on with the value before */
		char *joined;

		assert_true(m->headers->len > 0);
		last = &g_array_index(m->headers, struct sigv4_header,
				      m->headers->len - 1);
		joined = g_strconcat(last->value, "\n", line, NULL);
		g_free((char *)(uintptr_t)last->value);
		last->value = joined;
		return;
	}
	assert_non_null(colon);
	h.name = g_strndup(line, (size_t)(colon - line));
	h.value = g_strdup(colon + 1);
	g_array_append_val(m->headers, h);
}

static void parse_message(const char *dir, const char *name, struct message *m)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	char *line;

	memset(m, 0, sizeof(*m));
	assert_true(g_file_get_contents(path, &m->text, NULL, NULL));
	m->headers = g_array_new(FALSE, FALSE, sizeof(struct sigv4_header));
	m->body = m->text;
	line = strsep(&m->body, "\n");
	parse_request_line(m, line);
	while (m->body && (line = strsep(&m->body, "\n")) && *line)
		add_header_line(m, line);
	if (!m->body)
		m->body = m->text + strlen(m->text); /* "" */
}

struct context {
	json_object *root;
	struct aws_credentials credentials;
	struct sigv4_scope scope;
};

static const char *text(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v)
						     : NULL;
}

static bool flag(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	       json_object_get_boolean(v);
}

static void read_context(const char *dir, struct context *c)
{
	g_autofree char *path = g_build_filename(dir, "context.json", NULL);
	json_object *keys;
	struct utc t = {0};

	c->root = json_object_from_file(path);
	assert_non_null(c->root);
	assert_true(json_object_object_get_ex(c->root, "credentials", &keys));
	c->credentials = (struct aws_credentials){
		.access_key_id = (char *)(uintptr_t)text(keys, "access_key_id"),
		.secret_access_key =
			(char *)(uintptr_t)text(keys, "secret_access_key"),
		.session_token = (char *)(uintptr_t)text(keys, "token"),
	};
	c->scope = (struct sigv4_scope){
		.region = text(c->root, "region"),
		.service = text(c->root, "service"),
		.normalize_path = flag(c->root, "normalize"),
		.omit_session_token = flag(c->root, "omit_session_token"),
		.sign_body_header = flag(c->root, "sign_body"),
	};
	assert_int_equal(sscanf(text(c->root, "timestamp"),
				"%d-%d-%dT%d:%d:%dZ", &t.year, &t.month, &t.day,
				&t.hour, &t.minute, &t.second),
			 6);
	assert_true(utc_to_ms(&t, &c->scope.now_ms));
}

static void sign_dir(const char *dir, struct message *m,
		     struct sigv4_result *result)
{
	struct context c;
	struct sigv4_request request;

	read_context(dir, &c);
	parse_message(dir, "request.txt", m);
	request = (struct sigv4_request){
		.method = m->method,
		.path = m->path,
		.query = m->query,
		.headers =
			(const struct sigv4_header *)(void *)m->headers->data,
		.n_headers = m->headers->len,
		.body = m->body,
		.body_bytes = strlen(m->body),
	};
	assert_int_equal(sigv4_sign(&request, &c.scope, &c.credentials, result),
			 0);
	json_object_put(c.root);
}

static void same_as_file(const char *dir, const char *name, const char *made)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *expected = NULL;

	assert_true(g_file_get_contents(path, &expected, NULL, NULL));
	if (strcmp(made, expected))
		fail_msg("%s: '%s'", path, made);
}

/* What the signed request has and the request has not is what was added. */
static void same_headers_added(const char *dir, const struct message *request,
			       const struct sigv4_result *result)
{
	struct message signed_request;
	guint n = 0;

	parse_message(dir, "header-signed-request.txt", &signed_request);
	for (guint i = 0; i < signed_request.headers->len; i++) {
		const struct sigv4_header *h = &g_array_index(
			signed_request.headers, struct sigv4_header, i);
		g_autofree char *line = g_strdup_printf("%s: %s", h->name,
							h->value);

		for (guint k = 0; k < result->header_lines->len; k++)
			n += !g_ascii_strcasecmp(
				line, result->header_lines->pdata[k]);
	}
	assert_int_equal(n, result->header_lines->len);
	assert_int_equal(n + request->headers->len,
			 signed_request.headers->len);
	message_clear(&signed_request);
}

static void aws_vectors(void **state)
{
	const char *shared = g_getenv("KVSFS_SHARED");
	g_autofree char *top = g_build_filename(shared ? shared : "../shared",
						"data", "sigv4", NULL);
	GDir *d = g_dir_open(top, 0, NULL);
	const char *name;
	int n = 0;

	if (!d) {
		print_message("%s is not here: AWS's vectors were not run\n",
			      top);
		/* skip() jumps: nothing may be held. */
		g_clear_pointer(&top, g_free);
		skip();
	}
	while ((name = g_dir_read_name(d))) {
		g_autofree char *dir = g_build_filename(top, name, NULL);
		struct message m;
		struct sigv4_result r;

		sign_dir(dir, &m, &r);
		same_as_file(dir, "header-canonical-request.txt",
			     r.canonical_request);
		same_as_file(dir, "header-string-to-sign.txt",
			     r.string_to_sign);
		same_as_file(dir, "header-signature.txt", r.signature);
		same_headers_added(dir, &m, &r);
		sigv4_result_release(&r);
		message_clear(&m);
		n++;
	}
	g_dir_close(d);
	print_message("%d vectors\n", n);
	assert_true(n >= VECTORS_MIN);
}

static int sign_and_print(const char *dir)
{
	struct message m;
	struct sigv4_result r;

	sign_dir(dir, &m, &r);
	printf("%s\n", r.canonical_request);
	for (guint i = 0; i < r.header_lines->len; i++)
		printf("%s\n", (const char *)r.header_lines->pdata[i]);
	sigv4_result_release(&r);
	message_clear(&m);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(aws_vectors)};

	if (argc == 3 && !strcmp(argv[1], "--sign"))
		return sign_and_print(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
