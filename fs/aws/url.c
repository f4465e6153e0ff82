/* SPDX-License-Identifier: MIT */
#include "fs/aws/url.h"

#include <glib.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define HOST_MAX_BYTES 300 /* a DNS name has 253, then a port */
#define PATH_MAX_BYTES 1024

static bool is_one_of(char c, const char *others)
{
	return g_ascii_isalnum(c) || (c && strchr(others, c));
}

/* How much of text is a host: a name, an IPv4 or a bracketed IPv6 address. */
static size_t host_length(const char *text)
{
	size_t n = 0;

	if (*text == '[') {
		n = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
		return n > 2 && text[n] == ']' ? n + 1 : 0;
	}
	if (!g_ascii_isalnum(*text))
		return 0;
	while (is_one_of(text[n], ".-_"))
		n++;
	return n;
}

/* How much of text is ":port"; 0 also where that is impossible. */
static size_t port_length(const char *text)
{
	size_t n = strspn(text + 1, "0123456789");
	int port = 0;

	if (n < 1 || n > 5)
		return 0;
	for (size_t i = 1; i <= n; i++)
		port = port * 10 + (text[i] - '0');
	return port >= 1 && port <= 65535 ? n + 1 : 0;
}

static bool is_path(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	if (strlen(path) > PATH_MAX_BYTES)
		return false;
	for (char **p = parts; *p; p++) {
		if (!strcmp(*p, ".") || !strcmp(*p, ".."))
			return false;
		for (const char *c = *p; *c; c++)
			if (!is_one_of(*c, "-_.~"))
				return false;
		/* Only the first and the last may be empty. */
		if (!**p && p > parts && p[1])
			return false;
	}
	return true;
}

bool aws_url_is_local(const char *host)
{
	g_autofree char *bare = g_strdup(host);
	struct in6_addr six;
	struct in_addr four;

	if (*bare == '[')
		g_strdelimit(bare, "[]", ' ');
	g_strstrip(bare);
	if (inet_pton(AF_INET, bare, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, bare, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	/* curl takes this name for the loopback without asking DNS. */
	return !g_ascii_strcasecmp(bare, "localhost");
}

int aws_url_parse(const char *text, struct aws_url **ret_url)
{
	bool tls = g_str_has_prefix(text, "https://");
	g_autofree char *bare = NULL;
	struct aws_url *u;
	size_t n, port;

	if (!tls && !g_str_has_prefix(text, "http://"))
		return -EINVAL;
	text += strlen(tls ? "https://" : "http://");
	n = host_length(text);
	if (n == 0 || n > HOST_MAX_BYTES)
		return -EINVAL;
	bare = g_strndup(text, n);
	if (text[n] == ':') {
		port = port_length(text + n);
		if (port == 0)
			return -EINVAL;
		n += port;
	}
	if ((text[n] && text[n] != '/') || !is_path(text + n))
		return -EINVAL;
	u = g_new(struct aws_url, 1);
	*u = (struct aws_url){
		.tls = tls,
		.local = aws_url_is_local(bare),
		.host = g_strndup(text, n),
		.path = g_strdup(text + n),
	};
	if (g_str_has_suffix(u->path, "/"))
		u->path[strlen(u->path) - 1] = '\0';
	*ret_url = u;
	return 0;
}

void aws_url_free(struct aws_url *u)
{
	if (!u)
		return;
	g_free(u->host);
	g_free(u->path);
	g_free(u);
}

char *aws_url_join(const struct aws_url *u, const char *path)
{
	return g_strconcat(u->tls ? "https://" : "http://", u->host, u->path,
			   path, NULL);
}
