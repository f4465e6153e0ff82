/* SPDX-License-Identifier: MIT */
/*
 * config_file: a profile file as it is read.  It holds secrets: no copy of it
 * is left behind.
 */
#include "fs/aws/config.h"

#include "fs/base/base.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Far above any real file; a device named by mistake must not fill memory. */
#define FILE_MAX_BYTES	 ((size_t)64 << 20)
#define FILE_FIRST_BYTES 65536

/* Of room bytes, what is read of a file, which may turn out to be more. */
struct content {
	char *bytes;
	size_t n, room;
};

static void content_wipe(struct content *c)
{
	OPENSSL_cleanse(c->bytes, c->n);
	g_free(c->bytes);
}

static void content_grow(struct content *c)
{
	struct content wider = {.room = 4 * c->room, .n = c->n};

	wider.bytes = g_malloc(wider.room);
	memcpy(wider.bytes, c->bytes, c->n);
	content_wipe(c);
	*c = wider;
}

/* 0 or -errno */
static int read_all(int fd, struct content *c)
{
	while (c->n <= FILE_MAX_BYTES) {
		ssize_t n = read(fd, c->bytes + c->n, c->room - c->n);

		if (n == 0)
			return 0;
		if (n > 0)
			c->n += (size_t)n;
		else if (errno != EINTR)
			return -errno;
		if (c->n == c->room)
			content_grow(c);
	}
	return -EFBIG;
}

int aws_config_read(const char *path, enum aws_config_kind kind,
		    struct aws_config **ret_config, char **ret_error)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct content c = {.room = FILE_FIRST_BYTES};
	int rc;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return aws_config_parse("", 0, path, kind, ret_config,
					ret_error);
	if (fd < 0) {
		*ret_error = g_strdup_printf("%s: %s", path, g_strerror(errno));
		return -EINVAL;
	}
	c.bytes = g_malloc(c.room);
	rc = read_all(fd, &c);
	if (rc) {
		*ret_error = g_strdup_printf("%s: %s", path, g_strerror(-rc));
		rc = -EINVAL;
	} else {
		rc = aws_config_parse(c.bytes, c.n, path, kind, ret_config,
				      ret_error);
	}
	content_wipe(&c);
	return rc;
}
