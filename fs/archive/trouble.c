/* SPDX-License-Identifier: MIT */
/*
 * trouble: what a failure is to users of files, and what the log says of it.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <errno.h>

#include "fs/archive/internal.h"

/* That the service is silent is said again after so long. */
#define SILENT_AGAIN_MS 60000

int archive_errno(int kvs_rc)
{
	switch (kvs_rc) {
	case 0:
	case -ENOENT:
	case -EACCES:
	case -ETIMEDOUT:
	case -EINTR:
		return kvs_rc;
	case -EBUSY: /* throttled past the deadline */
		return -ETIMEDOUT;
	case -ERANGE: /* outside of the retention period: nothing there */
		return -ENOENT;
	default:
		return -EIO;
	}
}

void archive_log_error(const struct stream_state *st, const char *what,
		       const char *number, const struct kvs_error *e)
{
	if (e->rc == -ECANCELED || atomic_load(&st->a->closing))
		return;
	g_warning("%s: stream %s%s%s: %s%s%s%s%s%s", what, st->name,
		  number ? ", fragment " : "", number ? number : "", e->message,
		  *e->name ? " (" : "", e->name, *e->name ? ")" : "",
		  *e->request_id ? ", request id " : "", e->request_id);
}

bool archive_may_say(const struct archive *a, int64_t again_ms,
		     int64_t *said_ms)
{
	int64_t now_ms = clock_monotonic_ms(a->o.clock);

	if (*said_ms && now_ms - *said_ms < again_ms)
		return false;
	*said_ms = now_ms;
	return true;
}

void archive_say_silent(struct archive *a)
{
	if (archive_may_say(a, SILENT_AGAIN_MS, &a->said_silent_ms))
		g_warning("the service does not answer: folders are shown as "
			  "they were listed last");
}
