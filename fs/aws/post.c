/* SPDX-License-Identifier: MIT */
#include "fs/aws/post.h"

#include "fs/aws/credentials.h"
#include "fs/aws/sigv4.h"
#include "fs/aws/url.h"

#include <stdbool.h>

static int sign(const struct aws_post *p, const struct aws_credentials *c,
		struct sigv4_result *ret)
{
	g_autofree char *path = g_strconcat(p->url->path, p->path, NULL);
	const struct sigv4_header headers[] = {
		{"Host", p->url->host},
		{"Content-Type", p->content_type},
	};
	const struct sigv4_request request = {
		.method = "POST",
		.path = path,
		.query = "",
		.headers = headers,
		.n_headers = G_N_ELEMENTS(headers),
		.body = p->body,
		.body_bytes = p->body_bytes,
	};
	const struct sigv4_scope scope = {
		.region = p->region,
		.service = p->service,
		.now_ms = p->now_ms,
		.normalize_path = true,
	};

	return sigv4_sign(&request, &scope, c, ret);
}

GPtrArray *aws_post_headers(const struct aws_post *p,
			    const struct aws_credentials *credentials)
{
	struct sigv4_result result = {0};
	GPtrArray *lines;

	if (credentials && sign(p, credentials, &result))
		return NULL;
	lines = g_ptr_array_new_with_free_func((GDestroyNotify)aws_wipe_free);
	g_ptr_array_add(lines, g_strconcat("Host: ", p->url->host, NULL));
	g_ptr_array_add(lines,
			g_strconcat("Content-Type: ", p->content_type, NULL));
	if (credentials)
		g_ptr_array_extend_and_steal(
			lines, g_steal_pointer(&result.header_lines));
	g_ptr_array_add(lines, NULL);
	sigv4_result_release(&result);
	return lines;
}
