/* SPDX-License-Identifier: MIT */
/*
 * report: what was checked, one line a step, for people or as JSON.
 *
 * One thread.
 */
#ifndef KVSFS_CLI_REPORT_H
#define KVSFS_CLI_REPORT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum report_status {
	REPORT_OK,
	REPORT_WARN, /* a mount works, but */
	REPORT_FAIL, /* no mount would work */
	REPORT_SKIP, /* could not be checked, for what failed before */
};

struct report;

/* For people each line is printed at once, JSON at the end. */
struct report *report_new(bool json, FILE *out);

/*
 * cure: what to do, a sentence, or NULL.  took_ms: how long it took, -1 where
 * that says nothing.
 */
void report_add(struct report *r, const char *step, enum report_status status,
		int64_t took_ms, const char *cure, const char *format, ...)
	G_GNUC_PRINTF(6, 7);

/* The action was refused: a policy follows at the end. */
void report_missing_action(struct report *r, const char *action);
/* What that policy is for: the ARN, which may have '*' in it, of the stream;
 * streams are listed, too. */
void report_policy_for(struct report *r, const char *resource, bool lists);

/* The verdict, and the policy where an action is missing; frees it.  What to
 * exit with: 0, or 1 where a step has failed. */
int report_end(struct report *r);

#endif
