/* SPDX-License-Identifier: MIT */
/* A cache that cannot be opened leaves the disk as it was. */
#include "fs/cli/cache_place.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/base/clock.h"

/* Less than the store takes: it is refused when the rest is there already. */
#define TOO_SMALL_BYTES 1

struct home {
	char *path;
};

static int setup(void **state)
{
	struct home *h = g_new0(struct home, 1);

	h->path = g_dir_make_tmp("kvsfs-place-XXXXXX", NULL);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct home *h = *state;
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", h->path);

	if (system(command) != 0)
		return -1;
	g_free(h->path);
	g_free(h);
	return 0;
}

static int entries(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	int n = 0;

	assert_non_null(dir);
	while (g_dir_read_name(dir))
		n++;
	return n;
}

static int place_open(const char *path, int64_t budget_bytes,
		      struct cache_place **ret_place)
{
	const struct store_options o = {.budget_bytes = budget_bytes,
					.clock = &clock_system};
	g_autofree char *error = NULL;
	int rc = cache_place_open(path, &o, ret_place, &error);

	if (rc)
		assert_non_null(error);
	return rc;
}

static void an_empty_directory_stays_empty(void **state)
{
	const struct home *h = *state;
	struct cache_place *p = NULL;

	assert_true(place_open(h->path, TOO_SMALL_BYTES, &p) < 0);
	assert_null(p);
	assert_int_equal(entries(h->path), 0);
}

static void folders_that_were_made_are_gone(void **state)
{
	const struct home *h = *state;
	g_autofree char *path = g_build_filename(h->path, "a", "b", NULL);
	struct cache_place *p = NULL;

	assert_true(place_open(path, TOO_SMALL_BYTES, &p) < 0);
	assert_int_equal(entries(h->path), 0);
}

static void a_cache_stays(void **state)
{
	const struct home *h = *state;
	struct cache_place *p = NULL;
	int n;

	assert_int_equal(place_open(h->path, 1 << 20, &p), 0);
	cache_place_close(p);
	n = entries(h->path);
	assert_true(n > 0);
	assert_true(place_open(h->path, TOO_SMALL_BYTES, &p) < 0);
	assert_int_equal(entries(h->path), n);
}

static void what_somebody_else_uses_stays(void **state)
{
	const struct home *h = *state;
	struct cache_place *p = NULL, *other = NULL;

	assert_int_equal(place_open(h->path, 1 << 20, &p), 0);
	assert_true(p->adopted);
	assert_int_equal(place_open(h->path, 1 << 20, &other), 0);
	assert_false(other->adopted);
	p->remove = true;
	cache_place_close(p);
	assert_true(entries(h->path) > 0);
	cache_place_close(other);
	assert_true(entries(h->path) > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_empty_directory_stays_empty),
		T(folders_that_were_made_are_gone),
		T(a_cache_stays),
		T(what_somebody_else_uses_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
