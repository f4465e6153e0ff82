/* SPDX-License-Identifier: MIT */
/*
 * exchange: one small request and its whole answer, for a thread that may wait.
 *
 * Any thread but the loop's.  The answer may hold secrets: its memory is wiped
 * when it is released, and it is never moved while it grows.
 */
#ifndef KVSFS_NET_EXCHANGE_H
#define KVSFS_NET_EXCHANGE_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/net/loop.h"

struct net_answer {
	int http_status;	/* 0 where no answer came */
	int64_t server_date_ms; /* from Date; -1 where absent */
	char *bytes;		/* NUL-terminated; never NULL after rc 0 */
	size_t n;
	GPtrArray *head; /* for net_answer_header() */
	char *text;	 /* where rc is not 0: curl's sentence */
};

/*
 * Blocks until the answer is whole, or for spec's deadline.  0 (whatever the
 * status), or -errno as net_request_ops' done(); -EFBIG: more than max_bytes;
 * -ECANCELED: the loop is stopping.  Release *ret_answer in either case.
 */
int net_exchange(struct net_loop *l, const struct net_request_spec *spec,
		 size_t max_bytes, struct net_answer *ret_answer);
void net_answer_release(struct net_answer *a);

/* By case-insensitive name, borrowed, or NULL. */
const char *net_answer_header(const struct net_answer *a, const char *name);

#endif
