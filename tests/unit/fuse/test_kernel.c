/* SPDX-License-Identifier: MIT */
/* What is made of what the kernel says of itself. */
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fs/fuse/internal.h"
#include "fs/fuse/mountinfo.h"

static void releases_that_drop_a_listing(void **state)
{
	static const struct {
		const char *release;
		bool drops;
	} cases[] = {
		{"5.15.0-91-generic", true},
		{"6.1.0-18-amd64", true},
		{"6.8.12", true},
		{"6.9.0", false},
		{"6.9-rc1", false},
		{"6.10.3", false},
		{"6.12.48+deb13-amd64", false},
		{"6.13.0", true},
		{"6.90.1", true},
		{"7.9.0", true},
		{"7.10.0", true},
		{"16.9.0", true},
		/* Not known: then nothing is kept. */
		{"", false},
		{"6", false},
		{"linux-6.1", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		if (init_kernel_drops_dirs(cases[i].release) != cases[i].drops)
			fail_msg("%s", cases[i].release);
}

#define INFO                                                                 \
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"            \
	"30 22 0:5 / /proc rw,nosuid - proc proc rw\n"                       \
	"41 22 0:40 / /mnt/video rw,nosuid shared:20 master:3 - fuse.kvsfs " \
	"front-door rw,user_id=0\n"                                          \
	"42 22 0:41 / /mnt/a\\040b\\134c ro - fuse.kvsfs a\\040b ro\n"       \
	"43 22 0:42 / /mnt/twice rw - fuse.sshfs host: rw\n"                 \
	"44 43 0:43 / /mnt/twice rw - tmpfs none rw\n"                       \
	"45 22 0:44 /mnt/root /mnt/bind rw - ext4 /dev/sda1 rw\n"

static void types_of_mounts(void **state)
{
	static const struct {
		const char *text, *path, *type;
	} cases[] = {
		{INFO, "/", "ext4"},
		{INFO, "/proc", "proc"},
		/* Optional fields before the dash. */
		{INFO, "/mnt/video", "fuse.kvsfs"},
		/* A space and a backslash in the path. */
		{INFO, "/mnt/a b\\c", "fuse.kvsfs"},
		/* The last is on top. */
		{INFO, "/mnt/twice", "tmpfs"},
		/* Its own path, not that of what is shown there. */
		{INFO, "/mnt/bind", "ext4"},
		{INFO, "/mnt/root", NULL},
		{INFO, "/mnt", NULL},
		{INFO, "/mnt/video/", NULL},
		{INFO, "/mnt/vide", NULL},
		{INFO, "rw", NULL},
		{"", "/", NULL},
		{"\n\n", "/", NULL},
		{"22 1 8:1 / /", "/", NULL},
		{"22 1 8:1 / / rw", "/", NULL},
		{"22 1 8:1 / / rw -", "/", NULL},
		{"22 1 8:1 / / rw - ext4", "/", "ext4"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *type = mountinfo_type(cases[i].text,
						       cases[i].path);

		if (g_strcmp0(type, cases[i].type) != 0)
			fail_msg("%s: %s", cases[i].path, type ?: "none");
	}
}

/* Half of the smaller one that there is; never more than what was wanted. */
static void deadlines_within_the_kernels(void **state)
{
	static const struct {
		int64_t wanted_ms, default_s, max_s, want_ms;
	} cases[] = {
		{60000, 0, 0, 60000},	      {60000, 30, 0, 15000},
		{60000, 0, 30, 15000},	      {60000, 60, 30, 15000},
		{60000, 30, 60, 15000},	      {60000, 600, 600, 60000},
		{60000, 120, 0, 60000},	      {60000, 119, 0, 59500},
		{1000, 30, 30, 1000},	      {60000, 1, 0, 500},
		{60000, -1, -1, 60000},	      {60000, 65535, 65535, 60000},
		{INT64_MAX, 0, 0, INT64_MAX},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(check_deadline_ms(cases[i].wanted_ms,
						   cases[i].default_s,
						   cases[i].max_s),
				 cases[i].want_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_that_drop_a_listing),
		cmocka_unit_test(types_of_mounts),
		cmocka_unit_test(deadlines_within_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
