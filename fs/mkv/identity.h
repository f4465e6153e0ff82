/* SPDX-License-Identifier: MIT */
/*
 * identity: which fragment a document is, or which error it stands for, from
 * the SimpleTags before its Cluster.  Pure; any thread.
 */
#ifndef KVSFS_MKV_IDENTITY_H
#define KVSFS_MKV_IDENTITY_H

#include "fs/mkv/ebml.h"
#include "fs/mkv/head.h"
#include "fs/mkv/reader.h"

/*
 * Add to *doc and *l16 what a Tags element says; what it does not say stays.  A
 * value that is not what its name promises counts as absent.  0 or -EBADMSG.
 */
int mkv_identity_read(struct ebml_span tags, struct mkv_document *doc,
		      struct mkv_l16 *l16);

#endif
