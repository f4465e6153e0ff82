/* SPDX-License-Identifier: MIT */
/*
 * resolve: from settings to credentials: makes a plan, then asks whom it names.
 *
 * Blocks, for a minute at most (each service has its own deadline); any thread
 * but the network loop's.
 */
#ifndef KVSFS_CREDS_RESOLVE_H
#define KVSFS_CREDS_RESOLVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct aws_credentials;
struct aws_settings;
struct clock;
struct net_loop;

/* Borrowed by whoever resolves. */
struct creds_context {
	struct net_loop *loop;
	const struct aws_settings *settings;
	const struct clock *clock;
	/* The service's clock less this machine's; learnt here, too. */
	_Atomic int64_t *clock_offset_ms;
	int stop_fd; /* readable: end what goes on; -1: nobody will */
	/* It has succeeded before: what does not answer now is in trouble, not
	   absent. */
	bool succeeded;
};

/*
 * 0; or a sentence (g_free()) that says who was asked, what was wrong and how
 * to mend it, with -EACCES, or -ETIMEDOUT where a service did not answer, or
 * -ECANCELED.
 */
int creds_resolve(struct creds_context *x,
		  struct aws_credentials **ret_credentials, char **ret_error);

#endif
