/* SPDX-License-Identifier: MIT */
/*
 * sts_answer: what STS answers, as XML.  Pure; any thread.
 *
 * Source: docs.aws.amazon.com STS API reference, AssumeRole and "Common
 * errors"; the query protocol of botocore's parsers.py.
 */
#ifndef KVSFS_CREDS_STS_ANSWER_H
#define KVSFS_CREDS_STS_ANSWER_H

#include <stddef.h>

enum sts_member {
	STS_ID,
	STS_SECRET,
	STS_TOKEN,
	STS_EXPIRATION,
	STS_CODE, /* of an error */
	STS_MESSAGE,
	STS_REQUEST_ID,
	STS_MEMBERS
};

struct sts_answer {
	char *values[STS_MEMBERS]; /* NULL where absent */
};

/* 0, or -EPROTO: no XML, or not all of it.  Release it in either case. */
int sts_answer_read(const char *xml, size_t n, struct sts_answer *ret_answer);
/* Wipes. */
void sts_answer_release(struct sts_answer *a);

#endif
