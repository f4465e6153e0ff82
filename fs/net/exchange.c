/* SPDX-License-Identifier: MIT */
#include "fs/net/exchange.h"

#include <errno.h>
#include <string.h>

#include "fs/net/internal.h"

struct exchange {
	struct net_loop *loop;
	const struct net_request_spec *spec;
	struct net_answer *answer;
	size_t max_bytes;

	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done; /* lock */
	int rc;	   /* lock */
};

static int on_body(void *user, const struct net_response *r, const void *bytes,
		   size_t n)
{
	struct exchange *x = user;
	struct net_answer *a = x->answer;

	if (n > x->max_bytes - a->n)
		return -EFBIG;
	memcpy(a->bytes + a->n, bytes, n);
	a->n += n;
	return 0;
}

static void on_done(void *user, int rc, const struct net_response *r,
		    const char *text)
{
	struct exchange *x = user;
	const struct net_head *h =
		(const void *)((const char *)r -
			       G_STRUCT_OFFSET(struct net_head, response));
	auto_unlock pthread_mutex_t *held = base_lock(&x->lock);

	x->answer->http_status = r->http_status;
	x->answer->server_date_ms = r->server_date_ms;
	x->answer->head = net_head_copy(h->lines);
	x->answer->bytes[x->answer->n] = '\0';
	if (rc)
		x->answer->text = g_strdup(text && *text ? text
							 : g_strerror(-rc));
	x->rc = rc;
	x->done = true;
	pthread_cond_signal(&x->over);
}

static void start(void *arg)
{
	static const struct net_request_ops ops = {on_body, on_done};
	struct exchange *x = arg;

	net_request_start(x->loop, x->spec, &ops, x);
}

int net_exchange(struct net_loop *l, const struct net_request_spec *spec,
		 size_t max_bytes, struct net_answer *ret_answer)
{
	struct exchange x = {
		.loop = l,
		.spec = spec,
		.answer = ret_answer,
		.max_bytes = max_bytes,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.over = PTHREAD_COND_INITIALIZER,
	};

	*ret_answer = (struct net_answer){.server_date_ms = -1};
	/* All of it at once: what outgrows its room leaves a copy behind. */
	ret_answer->bytes = g_malloc(max_bytes + 1);
	ret_answer->bytes[0] = '\0';
	/* What is posted is run, and what it starts is ended with the loop. */
	if (!net_loop_post(l, start, &x)) {
		ret_answer->text = g_strdup("The network loop ended");
		return -ECANCELED;
	}
	pthread_mutex_lock(&x.lock);
	while (!x.done)
		pthread_cond_wait(&x.over, &x.lock);
	pthread_mutex_unlock(&x.lock);
	return x.rc;
}

void net_answer_release(struct net_answer *a)
{
	if (a->bytes)
		explicit_bzero(a->bytes, a->n);
	g_clear_pointer(&a->bytes, g_free);
	g_clear_pointer(&a->head, g_ptr_array_unref);
	g_clear_pointer(&a->text, g_free);
}

const char *net_answer_header(const struct net_answer *a, const char *name)
{
	return a->head ? net_head_find(a->head, name) : NULL;
}
