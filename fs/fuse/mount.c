/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/fuse/mount.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fuse/internal.h"

/* Workers only decode and answer from memory or disk; ten are plenty, and each
 * holds a buffer of a mebibyte once it was used. */
#define WORKERS_MAX 10
/* How long one look for requests takes while the notifier is ending. */
#define DRAIN_MS 20

/* ---- what the archive tells --------------------------------------------- */

static void on_added(void *user, const struct fragment *f)
{
	struct fuse_mount *m = user;
	struct tree_change c;

	tree_change_of(m->t, f, &c);
	notify_added(m->notify, &c);
}

static void on_resized(void *user, const struct fragment *f,
		       void (*told)(void *arg), void *arg)
{
	struct fuse_mount *m = user;
	struct tree_change c;

	tree_change_of(m->t, f, &c);
	tree_resized(m->t);
	notify_names(m->notify, &c); /* movies of it have another size, too */
	notify_resized(m->notify, c.file, told, arg);
}

/* Without its attributes the kernel looks its name up before it opens it. */
static void on_forgotten(void *user, int64_t id)
{
	struct fuse_mount *m = user;
	const struct fragment f = {.id = id};
	struct tree_change c;

	tree_change_of(m->t, &f, &c);
	notify_stale(m->notify, c.file);
}

static const struct archive_events events = {
	.fragment_forgotten = on_forgotten,
	.fragment_added = on_added,
	.fragment_resized = on_resized,
};

/* What the kernel does not have cached it answers ENOENT to: nothing lost. */

static void forget_node(void *user, uint64_t node)
{
	struct fuse_mount *m = user;

	fuse_lowlevel_notify_inval_inode(m->se, node, 0, 0);
}

static void forget_size(void *user, uint64_t node)
{
	struct fuse_mount *m = user;

	/* A negative offset leaves the pages alone. */
	fuse_lowlevel_notify_inval_inode(m->se, node, -1, 0);
}

static void forget_name(void *user, uint64_t parent, const char *name)
{
	struct fuse_mount *m = user;

	fuse_lowlevel_notify_inval_entry(m->se, parent, name, strlen(name));
}

static void on_mounted(void *user)
{
	init_mounted(user);
}

/* ---- begin -------------------------------------------------------------- */

static void add_option(struct fuse_args *args, const char *option)
{
	if (fuse_opt_add_arg(args, "-o") < 0 ||
	    fuse_opt_add_arg(args, option) < 0)
		g_error("no memory"); /* as GLib does for its own */
}

/* A value in a list of options: ',' and '\' are its own. */
static char *escaped(const char *value)
{
	GString *s = g_string_new(NULL);

	for (const char *c = value; *c; c++) {
		if (*c == ',' || *c == '\\')
			g_string_append_c(s, '\\');
		g_string_append_c(s, *c);
	}
	return g_string_free(s, FALSE);
}

static void add_options(struct fuse_args *args,
			const struct fuse_mount_options *o)
{
	g_autofree char *source = escaped(o->source ? o->source : "kvsfs");
	g_autofree char *named = g_strdup_printf("fsname=%s,subtype=kvsfs",
						 source);

	if (fuse_opt_add_arg(args, "kvsfs") < 0)
		g_error("no memory");
	add_option(args, named);
	add_option(args, "nosuid,nodev,noatime,default_permissions");
	if (o->allow_other)
		add_option(args, "allow_other");
	for (size_t i = 0; o->fuse_options && o->fuse_options[i]; i++)
		add_option(args, o->fuse_options[i]);
	/* Last: no option of the user's makes it writable. */
	add_option(args, "ro");
}

static int session_failed(char *said, char **ret_error)
{
	const char *option = said ? strstr(said, "`-o ") : NULL;

	if (option) {
		option += strlen("`-o ");
		*ret_error = g_strdup_printf(
			"the option \"%.*s\" is not known: see \"kvsfs mount "
			"--help\" and mount.fuse3(8)",
			(int)strcspn(option, "'"), option);
	} else {
		*ret_error =
			g_strdup_printf("libfuse refuses these options: %s",
					said ? said : "it does not say why");
	}
	g_free(said);
	return -EINVAL;
}

static int mount_failed(const char *mountpoint, char *said, char **ret_error)
{
	const char *how = said && strstr(said, "ermitted")
				  ? ": fusermount3 has to be setuid root (in a "
				    "container: --device /dev/fuse --cap-add "
				    "SYS_ADMIN)"
				  : "";

	*ret_error = g_strdup_printf("cannot mount on %s: %s%s", mountpoint,
				     said ? said : "fusermount3 failed", how);
	g_free(said);
	return -EPERM;
}

static int session_begin(struct fuse_mount *m,
			 const struct fuse_mount_options *o, char **ret_error)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char *said;
	int rc;

	add_options(&args, o);
	message_begin();
	m->se = fuse_session_new(&args, &ops_table, sizeof(ops_table), m);
	said = message_end();
	fuse_opt_free_args(&args);
	if (!m->se)
		return session_failed(said, ret_error);
	g_free(said);
	message_begin();
	rc = fuse_session_mount(m->se, m->mountpoint);
	said = message_end();
	if (rc != 0)
		return mount_failed(m->mountpoint, said, ret_error);
	g_free(said);
	rc = reply_hook(m);
	if (rc < 0)
		*ret_error = g_strdup_printf("libfuse: %s", g_strerror(-rc));
	return rc;
}

int fuse_mount_new(struct archive *a, struct tree *t,
		   const struct fuse_mount_options *o,
		   struct fuse_mount **ret_mount, char **ret_error)
{
	struct fuse_mount *m = g_new0(struct fuse_mount, 1);
	struct notify_kernel kernel = {
		.forget_node = forget_node,
		.forget_size = forget_size,
		.forget_name = forget_name,
		.mounted = on_mounted,
		.user = m,
	};
	int rc;

	m->a = a;
	m->t = t;
	m->metadata_ttl_ms = o->metadata_ttl_ms;
	m->io_wanted = o->io;
	pthread_mutex_init(&m->io_lock, NULL);
	m->ready = o->ready;
	m->user = o->user;
	m->mountpoint = realpath(o->mountpoint, NULL);
	if (!m->mountpoint) {
		rc = -errno;
		*ret_error = g_strdup_printf("%s: %s", o->mountpoint,
					     g_strerror(errno));
		goto fail;
	}
	message_install();
	rc = session_begin(m, o, ret_error);
	if (rc < 0)
		goto fail;
	m->notify = notify_new(&kernel);
	m->signals = fuse_set_signal_handlers(m->se) == 0;
	if (!m->notify || !m->signals) {
		rc = -EAGAIN;
		*ret_error = g_strdup("no thread or signal handler to be had");
		goto fail;
	}
	archive_set_events(a, &events, m);
	*ret_mount = m;
	return 0;
fail:
	fuse_mount_unmount(m);
	fuse_mount_free(m);
	return rc;
}

/* ---- serve -------------------------------------------------------------- */

static int loop(struct fuse_session *se)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int rc;

	fuse_loop_cfg_set_clone_fd(config, 0);
	fuse_loop_cfg_set_idle_threads(config, WORKERS_MAX);
	fuse_loop_cfg_set_max_threads(config, WORKERS_MAX);
	rc = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	/* The number of a signal is a reason to end, not a failure. */
	return MIN(rc, 0);
}

struct drain {
	struct fuse_session *se;
	struct fuse_buf buf;
};

static void serve_one(void *user)
{
	struct drain *d = user;
	struct pollfd p = {.fd = fuse_session_fd(d->se), .events = POLLIN};

	if (poll(&p, 1, DRAIN_MS) <= 0)
		return;
	if (!(p.revents & POLLIN) ||
	    fuse_session_receive_buf(d->se, &d->buf) <= 0)
		g_usleep(DRAIN_MS * 1000); /* unmounted: it ends by itself */
	else
		fuse_session_process_buf(d->se, &d->buf);
}

int fuse_mount_serve(struct fuse_mount *m)
{
	struct drain d = {.se = m->se};
	int rc = loop(m->se);

	/*
	 * The notifier may be in the kernel, behind a request that is in the
	 * queue: then that has to be served, or neither ever ends.
	 */
	fuse_session_reset(m->se);
	notify_stop(m->notify, serve_one, &d);
	free(d.buf.mem);
	return rc;
}

void fuse_mount_unmount(struct fuse_mount *m)
{
	if (!m->se)
		return;
	reply_close(m);
	fuse_session_unmount(m->se);
}

void fuse_mount_free(struct fuse_mount *m)
{
	if (!m)
		return;
	notify_free(m->notify);
	if (m->signals)
		fuse_remove_signal_handlers(m->se);
	if (m->se)
		fuse_session_destroy(m->se);
	opened_free(m->opened);
	seen_free(m->seen);
	pthread_mutex_destroy(&m->io_lock);
	free(m->mountpoint);
	g_free(m);
}
