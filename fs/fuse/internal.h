/* SPDX-License-Identifier: MIT */
/*
 * internal: what the files of fuse share.
 *
 * A request is answered from whichever thread has the answer, exactly once;
 * after the question was put it may be gone at any moment.
 */
#ifndef KVSFS_FUSE_INTERNAL_H
#define KVSFS_FUSE_INTERNAL_H

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fs/fuse/mount.h"
#include "fs/fuse/notify.h"
#include "fs/fuse/opened.h"
#include "fs/fuse/seen.h"
#include "fs/view/tree.h"

struct fuse_mount {
	struct archive *a;
	struct tree *t;
	struct fuse_session *se;
	char *mountpoint; /* absolute */
	struct notify *notify;
	int64_t metadata_ttl_ms;
	void (*ready)(void *user);
	void *user;
	bool signals;

	/* The device: once closed its number may be another file's. */
	_Atomic bool closed;
	_Atomic int writing; /* replies that are being written */

	/* Set by INIT, before any other request. */
	bool may_not_open; /* the kernel can do without open() */
	bool cache_dirs;   /* and keeps listings correctly */

	enum fuse_io io_wanted;
	pthread_mutex_t io_lock; /* who is first decides */
	_Atomic enum fuse_io io; /* FUSE_IO_AUTO: nobody has opened yet */
	_Atomic bool init_answered;
	struct opened *opened; /* of FUSE_IO_PASSTHROUGH */
	struct seen *seen;     /* of FUSE_IO_NO_OPEN */
};

/* io.c: how files are opened, and what the daemon still hears of it */

/* Decides at the first call, which is when the first file is opened. */
enum fuse_io io_mode(struct fuse_mount *m);
/*
 * Of opens that the kernel does by itself nothing is heard here, and what is
 * opened all day would be evicted.  So the kernel keeps the attributes of what
 * it has read for a moment only: it asks for them when it opens the file after
 * that, and then the chunk is used.
 */
void io_was_read(struct fuse_mount *m, fuse_ino_t ino);
bool io_hidden(struct fuse_mount *m, fuse_ino_t ino);
bool io_asks_passthrough(const struct fuse_mount *m);
void io_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void io_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* init.c */
void init_connection(void *userdata, struct fuse_conn_info *conn);
/* Does this kernel drop a cached listing when it is told to? */
bool init_kernel_drops_dirs(const char *release);
/* The mount answers: what can only be set up now, then ready(). */
void init_mounted(struct fuse_mount *m);

/* check.c: the deadline, where the kernel's own limits are these; 0: none */
int64_t check_deadline_ms(int64_t wanted_ms, int64_t default_s, int64_t max_s);

/* ops.c, ops_dir.c */
extern const struct fuse_lowlevel_ops ops_table;
void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		 struct fuse_file_info *fi);
void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		     struct fuse_file_info *fi);
void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* reply.c */

/* A ticket for a question that an interrupt of the request cancels. */
archive_ticket reply_ticket(fuse_req_t req);
/* This thread's buffer of at least n bytes, good until the next call. */
void *reply_buffer(size_t n);
struct fuse_entry_param reply_entry(struct fuse_mount *m,
				    const struct tree_entry *e);
double reply_attr_seconds(struct fuse_mount *m, const struct tree_entry *e);
/* The bytes of all pieces, or the errno of reading them. */
void reply_pieces(fuse_req_t req, const struct archive_piece *pieces,
		  size_t n_pieces);
/* By the protocol of getxattr(2): size 0 asks for the length. */
void reply_xattr(fuse_req_t req, int rc, GBytes *value, size_t size);
/*
 * Reads and writes of the device in libfuse's stead: a reply whose bytes the
 * disk fails to give must still be a reply.
 */
int reply_hook(struct fuse_mount *m);
/* No reply is written from now on; those under way have been. */
void reply_close(struct fuse_mount *m);

/* message.c: what libfuse and fusermount3 say goes to the log, or is kept */
void message_begin(void);
/* What was said since, as one line; NULL: nothing. */
char *message_end(void);
void message_install(void);

#endif
