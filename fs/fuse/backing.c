/* SPDX-License-Identifier: MIT */
#include "fs/fuse/backing.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>

/* Headers before 6.9 (Debian 12 has 6.1) lack these. */
#define INIT_EXT	 (UINT32_C(1) << 30)
#define INIT_PASSTHROUGH (UINT32_C(1) << (37 - 32)) /* in flags2 */
#define INIT_DIRECT_MMAP (UINT32_C(1) << (36 - 32)) /* likewise; Linux 6.6 */
#define OPEN_PASSTHROUGH (UINT32_C(1) << 7)

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define IOC_BACKING_OPEN  _IOW(FUSE_DEV_IOC_MAGIC, 1, struct backing_map)
#define IOC_BACKING_CLOSE _IOW(FUSE_DEV_IOC_MAGIC, 2, uint32_t)

struct open_reply {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

static_assert(sizeof(struct backing_init) == sizeof(struct fuse_init_out),
	      "protocol");
static_assert(sizeof(struct open_reply) == sizeof(struct fuse_open_out),
	      "protocol");

void backing_ask(struct backing_init *init, bool passthrough)
{
	init->flags |= INIT_EXT;
	init->flags2 |= INIT_DIRECT_MMAP;
	if (!passthrough)
		return;
	init->flags2 |= INIT_PASSTHROUGH;
	/* On files of file systems that are not stacked themselves. */
	init->max_stack_depth = 1;
}

int backing_open(int device, int fd)
{
	struct backing_map map = {.fd = fd};
	int id = ioctl(device, IOC_BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

void backing_close(int device, int id)
{
	uint32_t arg = (uint32_t)id;

	/* It fails only where the mount and all its ids are gone. */
	ioctl(device, IOC_BACKING_CLOSE, &arg);
}

int backing_reply_open(fuse_req_t req, uint64_t fh, int id)
{
	struct open_reply reply = {
		.fh = fh,
		.open_flags = id ? OPEN_PASSTHROUGH : FOPEN_KEEP_CACHE,
		.backing_id = id,
	};
	struct iovec iov = {&reply, sizeof(reply)};

	return fuse_reply_iov(req, &iov, 1);
}
