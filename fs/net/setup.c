/* SPDX-License-Identifier: MIT */
#include "fs/net/internal.h"

/* curl reads a socket at most this much at a time; 16 KiB is its default. */
#define BUFFER_BYTES 524288L

/* The first option that is refused fails the request; none is ignored. */
#define SET(r, option, value)                                            \
	do {                                                             \
		if (!(r)->setup)                                         \
			(r)->setup = curl_easy_setopt((r)->easy, option, \
						      value);            \
	} while (0)

static void add_header(struct net_request *r, const char *line)
{
	struct curl_slist *longer = curl_slist_append(r->headers, line);

	if (longer)
		r->headers = longer;
	else
		r->setup = CURLE_OUT_OF_MEMORY;
}

static void set_message(struct net_request *r,
			const struct net_request_spec *spec)
{
	bool post = !g_strcmp0(spec->method, "POST");

	/* Without this curl waits a second for "100 Continue" before it sends
	   a large body. */
	add_header(r, "Expect:");
	for (size_t i = 0; spec->headers && spec->headers[i]; i++)
		add_header(r, spec->headers[i]);
	SET(r, CURLOPT_HTTPHEADER, r->headers);
	if (post || spec->body_bytes > 0) {
		r->body = g_memdup2(spec->body, spec->body_bytes);
		r->body_bytes = spec->body_bytes;
		SET(r, CURLOPT_POST, 1L);
		SET(r, CURLOPT_POSTFIELDS, r->body ? r->body : "");
		SET(r, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)spec->body_bytes);
	}
	if (!post && g_strcmp0(spec->method, "GET") != 0)
		SET(r, CURLOPT_CUSTOMREQUEST, spec->method);
}

/* Whatever the environment says, which curl would look at by itself. */
static void set_proxy(struct net_request *r,
		      const struct net_request_spec *spec)
{
	const struct net_loop *l = r->loop;
	bool proxied = l->proxy && !spec->direct &&
		       g_str_has_prefix(spec->url, "https://");

	SET(r, CURLOPT_PROXY, proxied ? l->proxy : "");
	SET(r, CURLOPT_NOPROXY, l->no_proxy ? l->no_proxy : "");
	if (proxied && l->ca_bundle)
		SET(r, CURLOPT_PROXY_CAINFO, l->ca_bundle);
}

static void set_transport(struct net_request *r)
{
	const struct net_loop *l = r->loop;

	SET(r, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(r, CURLOPT_FOLLOWLOCATION, 0L);
	/* What is signed is what is sent. */
	SET(r, CURLOPT_PATH_AS_IS, 1L);
	/* KVS gives each connection 25 MB/s; HTTP/2 would have all calls of a
	   stream share one. */
	SET(r, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(r, CURLOPT_NOSIGNAL, 1L);
	SET(r, CURLOPT_TCP_NODELAY, 1L);
	SET(r, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(r, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	SET(r, CURLOPT_CONNECTTIMEOUT_MS, (long)l->connect_timeout_ms);
	SET(r, CURLOPT_SHARE, l->share);
	SET(r, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (l->ca_bundle)
		SET(r, CURLOPT_CAINFO, l->ca_bundle);
	if (l->user_agent)
		SET(r, CURLOPT_USERAGENT, l->user_agent);
}

void net_request_setup(struct net_request *r,
		       const struct net_request_spec *spec)
{
	r->easy = curl_easy_init();
	if (!r->easy) {
		r->setup = CURLE_OUT_OF_MEMORY;
		return;
	}
	SET(r, CURLOPT_URL, spec->url);
	SET(r, CURLOPT_PRIVATE, r);
	SET(r, CURLOPT_ERRORBUFFER, r->error);
	SET(r, CURLOPT_HEADERFUNCTION, net_request_on_header);
	SET(r, CURLOPT_HEADERDATA, r);
	SET(r, CURLOPT_WRITEFUNCTION, net_request_on_body);
	SET(r, CURLOPT_WRITEDATA, r);
	set_transport(r);
	set_proxy(r, spec);
	set_message(r, spec);
}
