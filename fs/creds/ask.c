/* SPDX-License-Identifier: MIT */
#include "fs/creds/internal.h"

#include <errno.h>
#include <poll.h>

/* botocore's for metadata services, and enough for a throttle to pass. */
#define PAUSE_MS	1000
#define QUOTE_MAX_BYTES 200
/* Less is the Date header's whole seconds and the way there. */
#define SKEW_MIN_MS 120000

int64_t creds_now_ms(const struct creds_context *x)
{
	return clock_realtime_ms(x->clock) + atomic_load(x->clock_offset_ms);
}

int creds_pause(struct creds_context *x, int64_t ms)
{
	struct pollfd p = {.fd = x->stop_fd, .events = POLLIN};

	/* A signal only makes the pause shorter. */
	return poll(&p, 1, (int)ms) > 0 ? -ECANCELED : 0;
}

bool creds_is_busy(int http_status)
{
	return http_status == 429 || http_status >= 500;
}

static bool worth_another_try(int rc, int status)
{
	if (rc)
		return rc == -EHOSTUNREACH || rc == -ECONNREFUSED ||
		       rc == -ECONNRESET || rc == -ETIMEDOUT;
	return creds_is_busy(status);
}

/*
 * Whether what it hands out has expired is for the service's clock to say: by
 * this machine's, where that is wrong, it might have been from the beginning.
 */
static void learn_clock(struct creds_context *x, const struct net_answer *a)
{
	int64_t behind_ms = a->server_date_ms - creds_now_ms(x);

	if (a->server_date_ms >= 0 && ABS(behind_ms) >= SKEW_MIN_MS)
		atomic_fetch_add(x->clock_offset_ms, behind_ms);
}

int creds_ask(struct creds_context *x, const struct creds_request *r,
	      struct net_answer *a)
{
	const struct net_request_spec spec = {
		.method = r->method,
		.url = r->url,
		.headers = r->headers,
		.body = r->body,
		.body_bytes = r->body ? strlen(r->body) : 0,
		.deadline_ms = r->timeout_ms,
		.direct = r->direct,
	};
	int rc;

	for (int left = r->attempts;;) {
		rc = net_exchange(x->loop, &spec, CREDS_ANSWER_MAX_BYTES, a);
		learn_clock(x, a);
		if (--left <= 0 || !worth_another_try(rc, a->http_status) ||
		    creds_pause(x, PAUSE_MS))
			return rc;
		net_answer_release(a);
	}
}

int creds_fail(int rc, char **ret_error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	*ret_error = g_strdup_vprintf(format, ap);
	va_end(ap);
	return rc;
}

int creds_fail_silent(int rc, const struct net_answer *a, char **ret_error,
		      const char *who, const char *url)
{
	return creds_fail(rc == -ECANCELED ? rc : -ETIMEDOUT, ret_error,
			  "%s %s did not answer: %s", who, url, a->text);
}

char *creds_quote(const char *text, size_t n)
{
	g_autofree char *copy = g_strndup(text, MIN(n, QUOTE_MAX_BYTES));

	for (char *c = copy; *c; c++)
		if (!g_ascii_isprint(*c))
			*c = ' ';
	return g_strdup(g_strstrip(copy));
}
