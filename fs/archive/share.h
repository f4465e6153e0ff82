/* SPDX-License-Identifier: MIT */
/*
 * share: how much one GetMediaForFragmentList call should ask for.  Pure
 * arithmetic; any thread.
 *
 * A stream has a few connections, each as fast as the service makes it
 * (25 MB/s), and a few calls a second (5): what is asked for at once has to
 * keep all connections busy with the calls there are, and yet leave one free
 * soon for whoever comes next.
 */
#ifndef KVSFS_ARCHIVE_SHARE_H
#define KVSFS_ARCHIVE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct share_of {
	/* Queued, and still to come in calls under way. */
	int64_t bytes;
	bool more;		     /* as soon as readers get on */
	int connections;	     /* 0: no limit */
	double calls, fragments_max; /* a second; 0: no limit */
	double bytes_s;		     /* of one connection, as measured */
};

struct share {
	int64_t bytes;
	unsigned fragments;
};

struct share share_of(const struct share_of *of);

#endif
