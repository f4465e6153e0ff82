/* SPDX-License-Identifier: MIT */
#include "fs/aws/settings.h"
#include "tests/unit/aws/home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define US "AWS_REGION=us-west-2 "

static void ca_bundle(void **state)
{
	static const struct {
		const char *env, *config, *bundle, *error;
	} bundles[] = {
		{US, NULL, NULL, NULL},
		{US "AWS_CA_BUNDLE=~/.aws/credentials", NULL,
		 "@/.aws/credentials", NULL},
		{US, "[default]\nca_bundle = ~/.aws/config", "@/.aws/config",
		 NULL},
		{US "AWS_CA_BUNDLE=/dev/null",
		 "[default]\nca_bundle = ~/.aws/config", "/dev/null", NULL},
		{US "AWS_CA_BUNDLE=@/none", NULL, NULL, "/none: No such file"},
		{US "AWS_CA_BUNDLE=@", NULL, NULL, ": Is a directory"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bundles); i++) {
		static const struct aws_overrides none;
		struct aws_settings *s = NULL;
		g_autofree char *error = NULL;
		struct home h;

		home_open(&h);
		home_write(h.config, bundles[i].config);
		home_write(h.credentials, "");
		home_setenv(&h, bundles[i].env);
		if (aws_settings_load(&none, h.env, &s, &error)) {
			assert_non_null(bundles[i].error);
			assert_non_null(strstr(error, bundles[i].error));
		} else {
			g_auto(GStrv) parts = g_strsplit(
				bundles[i].bundle ? bundles[i].bundle : "", "@",
				-1);
			g_autofree char *path = g_strjoinv(h.dir, parts);

			if (g_strcmp0(s->ca_bundle,
				      bundles[i].bundle ? path : NULL))
				fail_msg("case %zu: %s", i, s->ca_bundle);
			assert_null(bundles[i].error);
		}
		aws_settings_free(s);
		home_close(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ca_bundle)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
