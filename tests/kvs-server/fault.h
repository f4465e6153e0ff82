/* SPDX-License-Identifier: MIT */
/*
 * fault: what is to go wrong, for how many calls of which API and stream.
 *
 * Faults are kept in the order in which they were set; a call takes all that
 * match it, each losing one of its lives.  Any thread.
 */
#ifndef KVS_SERVER_FAULT_H
#define KVS_SERVER_FAULT_H

#include <json-c/json.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvs-server/buf.h"
#include "tests/kvs-server/stats.h"

enum fault_kind {
	FAULT_ERROR,
	FAULT_THROTTLE,
	FAULT_HANGUP,
	FAULT_DELAY,
	FAULT_NOT_JSON,
	FAULT_TRUNCATED_JSON,
	FAULT_HUGE_JSON,
	FAULT_BAD_NUMBER,
	FAULT_BAD_SIZE,
	FAULT_BAD_LENGTH,
	FAULT_BAD_TIME,
	FAULT_BAD_NAME,
	FAULT_EMPTY_PAGE,
	FAULT_ENDPOINT,
	FAULT_CUT,
	FAULT_STALL,
	FAULT_MISSING,
	FAULT_NOT_FOUND,
	FAULT_IN_BAND,
	FAULT_DUPLICATE,
	FAULT_GARBAGE,
	FAULT_KINDS
};

struct fault {
	uint64_t id;
	enum fault_kind kind;
	enum api api;	/* API_COUNT: any */
	char *stream;	/* or NULL: any */
	int64_t lives;	/* -1: until cleared */
	int64_t status; /* FAULT_ERROR */
	char *name, *message;
	char *value;	/* bad-*, endpoint, connection */
	char *number;	/* the fragment that is meant, or NULL: all */
	char *header;	/* error: amzn, amz, body */
	int64_t bytes;	/* cut, stall, huge */
	int64_t ms;	/* delay */
	int64_t code;	/* in-band */
	int64_t index;	/* in the answer; -1 all */
	bool clean;	/* cut: the chunked body ends as if whole */
	bool exception; /* in-band: that spelling */
	bool has_exception;
	bool stop; /* in-band: nothing follows */
};

struct faults {
	pthread_mutex_t lock;
	struct fault *list;
	size_t n;
	uint64_t last_id;
	uint64_t released; /* stalled bodies with an id up to here go on */
};

void faults_init(struct faults *f);
void faults_free(struct faults *f);
/* 0 and the id, or -EINVAL and a sentence to free(). */
int faults_add(struct faults *f, json_object *json, uint64_t *ret_id,
	       char **ret_error);
/* id 0: all; stalled bodies go on. */
void faults_clear(struct faults *f, uint64_t id);
void faults_release(struct faults *f);
bool faults_released(struct faults *f, uint64_t id);
void faults_json(struct faults *f, struct buf *b);

/* What a call got: one of each kind at most. */
struct struck {
	struct fault *by[FAULT_KINDS];
};
void faults_strike(struct faults *f, enum api api, const char *stream,
		   struct struck *ret);
void struck_free(struct struck *s);
/* Whether the i-th fragment of an answer, with that number, is meant. */
bool fault_meets(const struct fault *f, int64_t i, const char *number);

#endif
