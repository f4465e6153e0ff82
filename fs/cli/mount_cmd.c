/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"

#include "fs/cli/command.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "fs/archive/archive.h"
#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/cli/cache_place.h"
#include "fs/cli/daemon.h"
#include "fs/cli/log.h"
#include "fs/cli/options.h"
#include "fs/cli/service.h"
#include "fs/creds/plan.h"
#include "fs/fuse/mount.h"
#include "fs/view/tree.h"

/* What cannot be cached on disk, and readahead, of all readers together. */
#define MEMORY_BYTES (INT64_C(64) << 20)

struct mounting {
	const struct options *o;
	int ready_fd; /* for daemon_ready(), or -1 */
	struct aws_settings *settings;
	struct cache_place *place;
	struct archive *archive;
	struct tree *tree;
	struct fuse_mount *mount;
};

static uint32_t any_number(void)
{
	return g_random_int();
}

/* On a thread of the mount, once the kernel has it. */
static void ready(void *user)
{
	struct mounting *m = user;

	if (m->ready_fd >= 0 && daemon_ready(m->ready_fd) < 0) {
		g_warning("who asked for the mount is gone: unmounting");
		kill(getpid(), SIGTERM);
		return;
	}
	g_message("%s is mounted at %s", m->o->stream, m->o->mountpoint);
	sd_notifyf(0, "READY=1\nSTATUS=%s at %s", m->o->stream,
		   m->o->mountpoint);
}

/* Region, endpoint and who signs, as far as this machine alone can tell. */
static int find_settings(struct mounting *m, char **ret_error)
{
	struct creds_plan *plan;
	int rc = service_settings(m->o, NULL, &m->settings, ret_error);

	if (!rc)
		rc = creds_plan_make(m->settings, &plan, ret_error);
	if (!rc)
		creds_plan_free(plan);
	return rc;
}

static int open_archive(struct mounting *m, char **ret_error)
{
	const struct options *o = m->o;
	const struct store_options store = {
		.budget_bytes = o->cache_size_bytes,
		.min_free_ratio = o->cache_min_free_ratio,
		.clock = &clock_system,
	};
	const struct archive_options archive = {
		.stream = o->stream,
		.axis = (enum catalog_axis)o->timestamps,
		.raw = o->raw,
		.metadata_ttl_ms = o->metadata_ttl_ms,
		.timeout_ms = fuse_mount_deadline_ms(o->timeout_ms),
		.slack_bytes = o->slack_bytes,
		.media_calls_per_s = o->media_calls_per_s,
		.media_fragments_per_s = o->media_fragments_per_s,
		.list_points_per_s = o->list_points_per_s,
		.media_connections = (int)o->media_connections,
		.memory_bytes = MEMORY_BYTES,
		.readahead_bytes = o->readahead_bytes,
		.clock = &clock_system,
		.random = any_number,
		.user_agent = SERVICE_USER_AGENT,
	};
	int rc;

	rc = cache_place_open_or_memory(o->cache_dir, &store, &m->place,
					ret_error);
	if (rc)
		return rc;
	return archive_open(&archive, m->settings, m->place->index,
			    m->place->catalog, m->place->store, &m->archive,
			    ret_error);
}

static int make_mount(struct mounting *m, const struct fuse_mount_options *f,
		      char **ret_error)
{
	const struct tree_options tree = {
		.view = (enum tree_view)m->o->view,
		.bucket = (enum tree_bucket)m->o->bucket,
		.axis = (enum catalog_axis)m->o->timestamps,
		.uid = (uid_t)m->o->uid,
		.gid = (gid_t)m->o->gid,
		.umask = (mode_t)m->o->umask,
		.metadata_ttl_ms = m->o->metadata_ttl_ms,
		.clock = !m->o->no_clock,
	};
	int rc;

	rc = fuse_mount_check(f, ret_error);
	if (rc)
		return rc;
	rc = find_settings(m, ret_error);
	if (rc || m->o->pretend)
		return rc;
	/* Only from here on is anything written. */
	rc = open_archive(m, ret_error);
	if (rc)
		return rc;
	m->tree = tree_new(m->archive, &tree);
	return fuse_mount_new(m->archive, m->tree, f, &m->mount, ret_error);
}

/* The reverse of how it was made; what still waits is answered first. */
static void take_down(struct mounting *m)
{
	if (m->mount)
		fuse_mount_unmount(m->mount);
	archive_close(m->archive);
	if (m->mount)
		fuse_mount_free(m->mount);
	if (m->tree)
		tree_free(m->tree);
	cache_place_close(m->place);
	aws_settings_free(m->settings);
}

static int serve(const struct options *o, int ready_fd)
{
	struct mounting m = {.o = o, .ready_fd = ready_fd};
	g_autofree const char **fuse_options = NULL;
	struct fuse_mount_options f = {
		.mountpoint = o->mountpoint,
		.source = o->stream,
		.allow_other = o->allow_other,
		.io = (enum fuse_io)o->io,
		.metadata_ttl_ms = o->metadata_ttl_ms,
		.ready = ready,
		.user = &m,
	};
	g_autofree char *error = NULL;
	int rc;

	fuse_options = g_new0(const char *, o->fuse_options->len + 1);
	for (guint i = 0; i < o->fuse_options->len; i++)
		fuse_options[i] = o->fuse_options->pdata[i];
	f.fuse_options = fuse_options;

	rc = make_mount(&m, &f, &error);
	if (rc) {
		log_fail("%s", error);
		/* A mistyped name leaves nothing behind. */
		if (m.place)
			m.place->remove = true;
	} else if (m.mount) {
		rc = fuse_mount_serve(m.mount);
		if (rc)
			g_critical("the mount at %s ended: %s", o->mountpoint,
				   g_strerror(-rc));
		sd_notify(0, "STOPPING=1");
	}
	take_down(&m);
	return rc ? 1 : 0;
}

static int run(const struct options *o)
{
	int fd = -1, status, rc;

	if (o->foreground || o->pretend)
		return serve(o, -1);
	rc = daemon_fork(&fd, &status);
	if (rc > 0)
		return status;
	if (rc < 0) {
		log_fail("no process can be started: %s", g_strerror(-rc));
		return 1;
	}
	return serve(o, fd);
}

static void help(void)
{
	puts("kvsfs mount [options] STREAM MOUNTPOINT\n\n"
	     "STREAM is a stream's name or ARN, 'PREFIX*' or '*' (a folder "
	     "for each).\n"
	     "Each option is also -o name=value; libfuse's own go in -o lists "
	     "too.\n");
	options_print(OPTIONS_MOUNT, stdout);
}

static int mount_as(enum options_command command, int argc, char **argv)
{
	g_auto(GStrv) environ = g_get_environ();
	g_autofree char *error = NULL;
	struct options *o;
	int status = 0;

	if (options_parse(command, argc, argv, environ, &o, &error)) {
		log_fail("%s", error);
		return 1;
	}
	log_init((enum log_level)o->log_level);
	service_keep_secrets();
	if (o->help)
		help();
	else
		status = run(o);
	options_free(o);
	return status;
}

int mount_command(int argc, char **argv)
{
	return mount_as(OPTIONS_MOUNT, argc, argv);
}

int mount_helper_command(int argc, char **argv)
{
	return mount_as(OPTIONS_MOUNT_HELPER, argc, argv);
}
