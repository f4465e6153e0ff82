/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/creds/keeper.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/base/base.h"
#include "fs/base/clock.h"
#include "fs/creds/resolve.h"
#include "fs/creds/stamps.h"
#include "fs/net/loop.h"

/* botocore renews 15 minutes before the end; keys of 20 s have no 15. */
#define RENEW_MAX_MS 900000
#define RENEW_SHARE  3
/* A renewal that brought nothing new, or failed, is tried again so soon. */
#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 60000
#define AGAIN_SHARE  4
/* A failure is not looked into again before 1, 2, 4, ... seconds. */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 10000
/* How often, while they are used, the profile files are looked at. */
#define LOOK_MS 5000

enum work {
	WORK_LOOK = 1, /* have the files changed? */
	WORK_WANT = 2, /* somebody waits */
	WORK_DROP = 4, /* what there was is no good */
};

struct creds_keeper {
	struct creds_keeper_options o;
	_Atomic int64_t clock_offset_ms;
	int stop_fd;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned work; /* lock */
	bool ending;   /* lock */
	bool used;     /* lock; since they were resolved */

	/* The network loop's thread alone. */
	struct aws_credentials *current;
	unsigned serial;
	bool asked; /* a settled() is owed */
	int64_t looked_ms;

	/* The keeper's thread alone. */
	struct creds_stamps stamps;
	int64_t renew_ms; /* monotonic; INT64_MAX: never */
	int64_t good_until_ms;
	char *key_id;	/* of what was resolved last */
	bool succeeded; /* ever */
	unsigned failures;
	int64_t failed_until_ms; /* monotonic */
	int failed_rc;
	char *failed_why;
};

static int64_t monotonic_ms(const struct creds_keeper *k)
{
	return clock_monotonic_ms(k->o.clock);
}

static int64_t now_ms(const struct creds_keeper *k)
{
	return clock_realtime_ms(k->o.clock) + atomic_load(&k->clock_offset_ms);
}

/* ---- the loop's side ---------------------------------------------------- */

struct outcome {
	struct creds_keeper *keeper;
	struct aws_credentials *credentials; /* or NULL */
	int rc;
	char *why;
};

static void outcome_free(struct outcome *r)
{
	aws_credentials_free(r->credentials);
	g_free(r->why);
	g_free(r);
}

static void install(void *arg)
{
	struct outcome *r = arg;
	struct creds_keeper *k = r->keeper;

	if (!r->rc) {
		aws_credentials_free(k->current);
		k->current = g_steal_pointer(&r->credentials);
		k->serial++;
	}
	k->asked = false;
	k->o.settled(k->o.user, r->rc, r->why);
	outcome_free(r);
}

static void poke(struct creds_keeper *k, unsigned work)
{
	auto_unlock pthread_mutex_t *held = base_lock(&k->lock);

	k->used = true;
	k->work |= work;
	pthread_cond_signal(&k->wake);
}

const struct aws_credentials *creds_keeper_get(struct creds_keeper *k,
					       unsigned *ret_serial)
{
	int64_t monotonic = monotonic_ms(k);

	if (!k->current || k->current->expires_ms <= now_ms(k)) {
		if (!k->asked)
			poke(k, WORK_WANT);
		k->asked = true;
		return NULL;
	}
	if (monotonic - k->looked_ms >= LOOK_MS) {
		k->looked_ms = monotonic;
		poke(k, WORK_LOOK);
	}
	*ret_serial = k->serial;
	return k->current;
}

void creds_keeper_drop(struct creds_keeper *k, unsigned serial)
{
	/* Others may have been resolved since those were used. */
	if (serial != k->serial || !k->current)
		return;
	aws_credentials_free(k->current);
	k->current = NULL;
	poke(k, WORK_DROP);
}

void creds_keeper_set_clock(struct creds_keeper *k, int64_t offset_ms)
{
	atomic_store(&k->clock_offset_ms, offset_ms);
}

/* ---- the keeper's own thread -------------------------------------------- */

static void tell(struct creds_keeper *k, struct aws_credentials *credentials,
		 int rc, const char *why)
{
	struct outcome *r = g_new(struct outcome, 1);

	*r = (struct outcome){k, credentials, rc, g_strdup(why)};
	if (!net_loop_post(k->o.loop, install, r))
		outcome_free(r);
}

/* When what could not be renewed is tried again, left_ms before its end. */
static int64_t again_ms(const struct creds_keeper *k, int64_t left_ms)
{
	return monotonic_ms(k) +
	       CLAMP(left_ms / AGAIN_SHARE, AGAIN_MIN_MS, AGAIN_MAX_MS);
}

static void succeeded(struct creds_keeper *k, struct aws_credentials *c)
{
	int64_t left_ms = c->expires_ms - now_ms(k);
	bool same = k->good_until_ms == c->expires_ms &&
		    !g_strcmp0(k->key_id, c->access_key_id);

	if (k->failures)
		g_message("credentials are there again, from %s", c->source);
	k->failures = 0;
	k->succeeded = true;
	k->good_until_ms = c->expires_ms;
	g_free(k->key_id);
	k->key_id = g_strdup(c->access_key_id);
	if (c->expires_ms == INT64_MAX)
		k->renew_ms = INT64_MAX;
	else if (same)
		k->renew_ms = again_ms(k, left_ms);
	else
		k->renew_ms = monotonic_ms(k) + left_ms -
			      MIN(left_ms / RENEW_SHARE, RENEW_MAX_MS);
	g_debug("credentials from %s", c->source);
	tell(k, c, 0, NULL);
}

static void failed(struct creds_keeper *k, int rc, char *why)
{
	int64_t left_ms = k->key_id ? k->good_until_ms - now_ms(k) : 0;
	int64_t wait_ms = BACKOFF_MIN_MS << MIN(k->failures, 10);

	if (left_ms > 0 && k->failures == 0)
		g_warning("credentials cannot be renewed; those there are are "
			  "used on, for %" PRId64 " s: %s",
			  left_ms / 1000, why);
	k->failures++;
	k->failed_until_ms = monotonic_ms(k) + MIN(wait_ms, BACKOFF_MAX_MS);
	k->failed_rc = rc;
	g_free(k->failed_why);
	k->failed_why = why;
	k->renew_ms = left_ms > 0 ? again_ms(k, left_ms) : INT64_MAX;
	tell(k, NULL, rc, why);
}

static void resolve(struct creds_keeper *k)
{
	struct creds_context x = {
		.loop = k->o.loop,
		.settings = k->o.settings,
		.clock = k->o.clock,
		.clock_offset_ms = &k->clock_offset_ms,
		.stop_fd = k->stop_fd,
		.succeeded = k->succeeded,
	};
	struct aws_credentials *c = NULL;
	char *why = NULL;
	int rc;

	creds_stamps_take(k->o.settings->environ, &k->stamps);
	rc = creds_resolve(&x, &c, &why);
	/* Who began to wait meanwhile waits for this. */
	pthread_mutex_lock(&k->lock);
	k->work &= ~(unsigned)(WORK_WANT | WORK_LOOK);
	k->used = false;
	pthread_mutex_unlock(&k->lock);
	if (rc)
		failed(k, rc, why);
	else
		succeeded(k, c);
}

static void work(struct creds_keeper *k, unsigned what, bool used)
{
	bool due = monotonic_ms(k) >= k->renew_ms;

	if (what & WORK_DROP) {
		/* Their end has come, whatever was promised. */
		g_clear_pointer(&k->key_id, g_free);
		k->renew_ms = INT64_MAX;
	}
	if (due && !used && !what) {
		k->renew_ms = INT64_MAX;
	} else if (what & WORK_WANT) {
		if (k->failures && monotonic_ms(k) < k->failed_until_ms &&
		    !creds_stamps_differ(k->o.settings->environ, &k->stamps))
			tell(k, NULL, k->failed_rc, k->failed_why);
		else
			resolve(k);
	} else if (due ||
		   ((what & WORK_LOOK) &&
		    creds_stamps_differ(k->o.settings->environ, &k->stamps))) {
		resolve(k);
	}
}

/* Until there is work or the end; lock is held. */
static void wait_for_work(struct creds_keeper *k)
{
	while (!k->work && !k->ending) {
		int64_t left_ms = k->renew_ms - monotonic_ms(k);
		struct timespec t;

		if (k->renew_ms == INT64_MAX) {
			pthread_cond_wait(&k->wake, &k->lock);
			continue;
		}
		if (left_ms <= 0)
			return;
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_sec += left_ms / 1000;
		t.tv_nsec += left_ms % 1000 * 1000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_sec++;
			t.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&k->wake, &k->lock, &t);
	}
}

static void *keeper_main(void *arg)
{
	struct creds_keeper *k = arg;

	pthread_setname_np(pthread_self(), "kvsfs-creds");
	pthread_mutex_lock(&k->lock);
	while (!k->ending) {
		unsigned what;
		bool used;

		wait_for_work(k);
		what = k->work;
		used = k->used;
		k->work = 0;
		if (k->ending)
			break;
		pthread_mutex_unlock(&k->lock);
		work(k, what, used);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static int start_thread(struct creds_keeper *k)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&k->thread, NULL, keeper_main, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void destroy(struct creds_keeper *k)
{
	base_closep(&k->stop_fd);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	aws_credentials_free(k->current);
	g_free(k->key_id);
	g_free(k->failed_why);
	g_free(k);
}

int creds_keeper_new(const struct creds_keeper_options *o,
		     struct creds_keeper **ret_keeper)
{
	struct creds_keeper *k = g_new0(struct creds_keeper, 1);
	pthread_condattr_t attributes;
	int rc;

	k->o = *o;
	k->renew_ms = INT64_MAX;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	k->stop_fd = eventfd(0, EFD_CLOEXEC);
	rc = k->stop_fd < 0 ? -errno : start_thread(k);
	if (rc) {
		destroy(k);
		return rc;
	}
	*ret_keeper = k;
	return 0;
}

void creds_keeper_free(struct creds_keeper *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->ending = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	eventfd_write(k->stop_fd, 1);
	pthread_join(k->thread, NULL);
	destroy(k);
}
