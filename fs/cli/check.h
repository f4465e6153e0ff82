/* SPDX-License-Identifier: MIT */
/*
 * check: what the files of `kvsfs check` share.  The main thread's alone; each
 * function blocks for as long as its step takes, and adds its lines to the
 * report.
 */
#ifndef KVSFS_CLI_CHECK_H
#define KVSFS_CLI_CHECK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/cli/options.h"
#include "fs/cli/report.h"

struct aws_settings;
struct kvs_client;
struct net_loop;

/* No step that asks the service takes longer. */
#define CHECK_DEADLINE_MS 20000

struct check {
	const struct options *o;
	struct report *report;
	struct aws_settings *settings;
	struct net_loop *loop;
	struct kvs_client *client;
	/* The stream that is looked at; NULL: none. */
	char *name, *arn;
	int64_t created_ms, retention_ms;
	int64_t clock_offset_ms; /* the service's clock less this machine's */
};

/* check_place.c: from here to the service: false: it cannot be reached. */
bool check_place(struct check *c);

/* check_keys.c */
bool check_keys(struct check *c);

/* check_api.c: every API that a mount asks, with the stream's facts. */
void check_api(struct check *c);
/* Each step of those is skipped, because of what. */
void check_api_skip(struct check *c, const char *why);

/* check_media.c: oldest and newest fragment, and the newest one's media. */
void check_media(struct check *c);

/* check_call.c: one call to the service, waited for. */

struct kvs_error;

/* What a call came to; free() with check_answer_release(). */
struct check_answer {
	int rc;
	int http_status;
	bool no_credentials;
	char *name, *request_id, *message;
	int64_t took_ms;
};
void check_answer_release(struct check_answer *a);

/*
 * Runs start(arg) on the loop's thread and waits until check_call_done() was
 * called there with the call's error, and the loop has nothing more to do with
 * it.
 */
struct check_call {
	struct check *check;
	void (*start)(struct check_call *call);
	struct check_answer answer;
	/* check_call.c's own */
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done; /* lock */
	int64_t began_ms;
};
void check_call_run(struct check *c, struct check_call *call);
void check_call_done(struct check_call *call, const struct kvs_error *e);

/* The line of a call that failed: what, and what to do. */
void check_call_failed(struct check *c, const char *api,
		       const struct check_answer *a);

#endif
