/* SPDX-License-Identifier: MIT */
/*
 * check_place: from here to the service: its name, a connection, whose clock is
 * right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <netdb.h>
#include <string.h>

#include "fs/aws/settings.h"
#include "fs/aws/url.h"
#include "fs/base/clock.h"
#include "fs/cli/check.h"
#include "fs/net/exchange.h"

#define CONNECT_DEADLINE_MS 10000
#define ANSWER_MAX_BYTES    65536
/* Signatures may be 5 minutes off. */
#define SKEW_WARN_MS 60000

static int64_t now_ms(void)
{
	return clock_monotonic_ms(&clock_system);
}

/* Of "host:port" or "[address]:port", without the port. */
static char *bare_host(const char *host)
{
	size_t n = *host == '[' ? strcspn(host, "]") - 1 : strcspn(host, ":");

	return g_strndup(*host == '[' ? host + 1 : host, n);
}

/* 10/8, 172.16/12, 192.168/16: what a VPC endpoint's name leads to. */
static bool is_private(const struct addrinfo *a)
{
	const struct sockaddr_in *in = (const void *)a->ai_addr;
	uint32_t ip;

	if (a->ai_family != AF_INET)
		return false;
	ip = ntohl(in->sin_addr.s_addr);
	return ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8;
}

static bool check_dns(struct check *c, const char *host)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char first[NI_MAXHOST] = "?";
	int64_t began_ms = now_ms();
	unsigned n = 0;
	int rc = getaddrinfo(host, "443", &hints, &list);

	if (rc) {
		report_add(c->report, "DNS", REPORT_FAIL, now_ms() - began_ms,
			   "check the name server (/etc/resolv.conf), the "
			   "region, and in a VPC that DNS is switched on; "
			   "behind a proxy set HTTPS_PROXY",
			   "%s: %s", host, gai_strerror(rc));
		return false;
	}
	getnameinfo(list->ai_addr, list->ai_addrlen, first, sizeof(first), NULL,
		    0, NI_NUMERICHOST);
	for (const struct addrinfo *a = list; a; a = a->ai_next)
		n++;
	report_add(c->report, "DNS", REPORT_OK, now_ms() - began_ms, NULL,
		   "%s is %s%s%s", host, first, n > 1 ? " and others" : "",
		   is_private(list) ? ", a private address: a VPC endpoint"
				    : "");
	freeaddrinfo(list);
	return true;
}

static const char *connect_cure(int rc)
{
	switch (rc) {
	case -EKEYREJECTED:
		return "where something of your own stands in between, name "
		       "its certificates in AWS_CA_BUNDLE; else install "
		       "ca-certificates, and set the clock";
	case -ECONNREFUSED:
		return "nobody listens there: check --endpoint-url, or the "
		       "proxy";
	case -ETIMEDOUT:
		return "check route and firewall (port 443), the proxy, and "
		       "for a VPC endpoint its security group";
	default:
		return "check the network between here and there, and the "
		       "proxy";
	}
}

static void check_clock(struct check *c, int64_t date_ms)
{
	int64_t behind_ms = date_ms - clock_realtime_ms(&clock_system);

	if (date_ms >= 0)
		c->clock_offset_ms = behind_ms;
	if (date_ms < 0)
		report_add(c->report, "clock", REPORT_WARN, -1, NULL,
			   "the service did not say what time it is");
	else if (ABS(behind_ms) < SKEW_WARN_MS)
		report_add(c->report, "clock", REPORT_OK, -1, NULL,
			   "as the service's, to %" PRId64 " s",
			   ABS(behind_ms) / 1000);
	else
		report_add(c->report, "clock", REPORT_WARN, -1,
			   "set it: 'timedatectl set-ntp true'",
			   "%" PRId64 " s %s: a mount goes by the service's",
			   ABS(behind_ms) / 1000,
			   behind_ms > 0 ? "slow" : "fast");
}

/* Any answer will do, a refusal too: nothing is signed. */
static bool check_connection(struct check *c, const struct aws_url *url)
{
	g_autofree char *whole = aws_url_join(url, "/");
	const struct net_request_spec spec = {
		.method = "GET",
		.url = whole,
		.deadline_ms = CONNECT_DEADLINE_MS,
	};
	int64_t began_ms = now_ms();
	struct net_answer a;
	int rc = net_exchange(c->loop, &spec, ANSWER_MAX_BYTES, &a);
	int64_t took_ms = now_ms() - began_ms;

	if (rc && !a.http_status)
		report_add(c->report, "TLS", REPORT_FAIL, took_ms,
			   connect_cure(rc), "%s: %s", whole, a.text);
	else if (url->tls)
		report_add(c->report, "TLS", REPORT_OK, took_ms, NULL,
			   "%s answers, and is who it says%s%s", whole,
			   c->settings->ca_bundle ? ", by " : "",
			   c->settings->ca_bundle ? c->settings->ca_bundle
						  : "");
	else
		report_add(c->report, "TLS", REPORT_OK, took_ms, NULL,
			   "%s answers; it is this machine, and needs none",
			   whole);
	if (a.http_status)
		check_clock(c, a.server_date_ms);
	rc = a.http_status ? 0 : rc;
	net_answer_release(&a);
	return rc == 0;
}

bool check_place(struct check *c)
{
	struct aws_url *url = NULL;
	g_autofree char *host = NULL;
	bool ok = true;

	if (aws_url_parse(c->settings->control_url, &url)) {
		report_add(c->report, "DNS", REPORT_FAIL, -1,
			   "say https://HOST[:PORT]", "%s is no endpoint",
			   c->settings->control_url);
		return false;
	}
	host = bare_host(url->host);
	if (c->settings->proxy && url->tls)
		report_add(c->report, "DNS", REPORT_OK, -1, NULL,
			   "%s is looked up by the proxy of HTTPS_PROXY, if it "
			   "is not in NO_PROXY",
			   host);
	else
		ok = check_dns(c, host);
	if (ok)
		ok = check_connection(c, url);
	else
		report_add(c->report, "TLS", REPORT_SKIP, -1, NULL,
			   "the host is not known");
	aws_url_free(url);
	return ok;
}
