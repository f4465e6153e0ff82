/* SPDX-License-Identifier: MIT */
#include "fs/cli/fuse_options.h"

#include <glib.h>
#include <string.h>

/*
 * Of libfuse's and the kernel's names (mount.fuse3(8)) those that make sense
 * for a read-only tree whose size of reads is settled in INIT.
 */
static const char *const passed[] = {
	"allow_root", "auto_unmount", "default_permissions",
	"nosuid",     "suid",	      "nodev",
	"dev",	      "noexec",	      "exec",
	"noatime",    "atime",	      "nodiratime",
	"diratime",   "ro",	      "context",
	"fscontext",  "defcontext",   "rootcontext",
};

/*
 * Of mount(8), fstab(5) and systemd.mount(5).  rw is what mount(8) says unless
 * told otherwise; the tree is read-only all the same.
 */
static const char *const ignored[] = {
	"rw",	       "defaults",	"auto",	    "noauto",	  "user",
	"nouser",      "users",		"owner",    "group",	  "nofail",
	"fail",	       "_netdev",	"_rnetdev", "relatime",	  "norelatime",
	"strictatime", "nostrictatime", "lazytime", "nolazytime", "async",
	"loud",	       "silent",	"comment",  "nonempty",
};

static bool is_in(const char *text, size_t n, const char *const *names,
		  size_t n_names)
{
	for (size_t i = 0; i < n_names; i++)
		if (strlen(names[i]) == n && !strncmp(names[i], text, n))
			return true;
	return false;
}

enum fuse_option fuse_option_kind(const char *text)
{
	size_t n = strcspn(text, "=");

	if (is_in(text, n, passed, G_N_ELEMENTS(passed)))
		return FUSE_OPTION_PASS;
	if (is_in(text, n, ignored, G_N_ELEMENTS(ignored)))
		return FUSE_OPTION_IGNORE;
	/* Comments for other programs (mount(8): "x-" and "X-"). */
	if (g_str_has_prefix(text, "x-") || g_str_has_prefix(text, "X-"))
		return FUSE_OPTION_IGNORE;
	return FUSE_OPTION_UNKNOWN;
}

const char *const *fuse_option_names(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(passed);
	return passed;
}
