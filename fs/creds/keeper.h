/* SPDX-License-Identifier: MIT */
/*
 * keeper: credentials that stay good for as long as somebody uses them.
 *
 * One thread of its own resolves them, one resolution at a time: at the first
 * use, before they expire (while they are used: what nobody uses is left to
 * lapse, and fetched at the next use), when the profile files have changed, and
 * when the service refuses them.  A failure is told to those who wait and not
 * tried again for a second, then two, up to ten; while the old ones are good
 * they are used on, and the log says once that they could not be renewed.
 *
 * All functions but creds_keeper_new() and _free() are for the network loop's
 * thread, and so is settled().
 */
#ifndef KVSFS_CREDS_KEEPER_H
#define KVSFS_CREDS_KEEPER_H

#include <stdint.h>

struct aws_credentials;
struct aws_settings;
struct clock;
struct creds_keeper;
struct net_loop;

struct creds_keeper_options { /* all borrowed */
	struct net_loop *loop;
	const struct aws_settings *settings;
	const struct clock *clock;
	/*
	 * Those who wait may go on (rc 0), or have failed, with a sentence:
	 * -EACCES, or -ETIMEDOUT where a service did not answer.
	 */
	void (*settled)(void *user, int rc, const char *error);
	void *user;
};

/* Starts the thread; asks nobody yet.  0 or -EAGAIN. */
int creds_keeper_new(const struct creds_keeper_options *o,
		     struct creds_keeper **ret_keeper);
/* After net_loop_stop().  NULL is fine. */
void creds_keeper_free(struct creds_keeper *k);

/*
 * Good ones, the keeper's until the loop's next step, and which they are; or
 * NULL: settled() will be called.
 */
const struct aws_credentials *creds_keeper_get(struct creds_keeper *k,
					       unsigned *ret_serial);
/* The service does not take those: they are resolved anew at the next use. */
void creds_keeper_drop(struct creds_keeper *k, unsigned serial);
/* The service's clock less this machine's. */
void creds_keeper_set_clock(struct creds_keeper *k, int64_t offset_ms);

#endif
