/* SPDX-License-Identifier: MIT */
#include "fs/aws/settings.h"
#include "tests/unit/aws/home.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define FIPS_ENV "AWS_USE_FIPS_ENDPOINT=true "
#define DUAL_ENV "AWS_USE_DUALSTACK_ENDPOINT=True "
#define SERVICES                                                       \
	"[services s]\nkinesis_video =\n  endpoint_url = https://sv\n" \
	"kinesis_video_archived_media =\n  endpoint_url = https://sd\n"
#define US "AWS_REGION=us-west-2 "

/* What is expected: NULL is none; error: a piece of the sentence. */
struct want {
	const char *error, *profile, *region, *control, *data, *override;
};

static const struct {
	struct aws_overrides o;
	const char *env, *config, *credentials;
	struct want want;
} cases[] = {
	/* region: option, AWS_REGION, AWS_DEFAULT_REGION, the profile */
	{{.region = "eu-west-1"},
	 "AWS_REGION=us-east-1",
	 NULL,
	 NULL,
	 {NULL, "default", "eu-west-1",
	  "https://kinesisvideo.eu-west-1.amazonaws.com", NULL, NULL}},
	{{NULL},
	 "AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-2",
	 "[default]\nregion = eu-west-3",
	 NULL,
	 {.region = "us-east-1"}},
	{{NULL},
	 "AWS_REGION= AWS_DEFAULT_REGION=us-east-2",
	 "[default]\nregion = eu-west-3",
	 NULL,
	 {.region = "us-east-2"}},
	{{NULL},
	 "",
	 "[default]\nregion = eu-west-3",
	 NULL,
	 {.region = "eu-west-3"}},
	{{NULL},
	 "",
	 "[default]\nregion = eu-west-3",
	 "[default]\nregion = eu-west-2",
	 {.region = "eu-west-2"}},
	{{NULL}, "", NULL, NULL, {.error = "no region: give --region"}},
	{{.region = "us west"}, "", NULL, NULL, {.error = "'us west' is no"}},
	{{.region = "a.evil.com/"}, "", NULL, NULL, {.error = "is no region"}},
	{{NULL},
	 "",
	 "[default]\nregion = us-west-2 # home",
	 NULL,
	 {.error = "'us-west-2 # home' is no region"}},
	{{NULL},
	 "",
	 "[default]\nregion = a\n  b",
	 NULL,
	 {.error = "'a b' is no region"}},

	/* profile: option, AWS_PROFILE, AWS_DEFAULT_PROFILE, default */
	{{.profile = "x"},
	 US "AWS_PROFILE=y",
	 "[profile x]\n[profile y]",
	 NULL,
	 {.profile = "x", .region = "us-west-2"}},
	{{NULL},
	 US "AWS_PROFILE=y AWS_DEFAULT_PROFILE=z",
	 NULL,
	 "[y]\n[z]",
	 {.profile = "y", .region = "us-west-2"}},
	{{NULL},
	 US "AWS_PROFILE= AWS_DEFAULT_PROFILE=z",
	 "[profile z]",
	 NULL,
	 {.profile = "z", .region = "us-west-2"}},
	{{.profile = "x"},
	 US,
	 NULL,
	 NULL,
	 {.error = "no profile 'x': @/.aws/cre"}},
	{{.profile = "x"}, US, "[x]", NULL, {.error = "no [profile x]"}},
	{{.profile = "default"},
	 US,
	 NULL,
	 NULL,
	 {.error = "config no [default]"}},
	{{NULL},
	 US "AWS_PROFILE=x AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b",
	 NULL,
	 NULL,
	 {.error = "no profile 'x'"}},

	/* where the files are */
	{{NULL},
	 "AWS_CONFIG_FILE=~/.aws/credentials",
	 NULL,
	 "[default]\nregion = us-east-2",
	 {.region = "us-east-2"}},
	{{.profile = "p"},
	 US "AWS_SHARED_CREDENTIALS_FILE=@/.aws/config",
	 "[p]",
	 NULL,
	 {.profile = "p", .region = "us-west-2"}},
	{{NULL},
	 US "AWS_CONFIG_FILE=/dev/null",
	 "nonsense",
	 NULL,
	 {.region = "us-west-2"}},
	{{NULL},
	 US,
	 "[default]\nnonsense",
	 NULL,
	 {.error = "/.aws/config:2: "}},
	{{NULL}, US, NULL, "nonsense", {.error = "/.aws/credentials:1: "}},
	{{NULL},
	 US "AWS_CONFIG_FILE=@",
	 NULL,
	 NULL,
	 {.error = "Is a directory"}},

	/* hosts */
	{{NULL},
	 US FIPS_ENV,
	 NULL,
	 NULL,
	 {.region = "us-west-2",
	  .control = "https://kinesisvideo-fips.us-west-2.amazonaws.com"}},
	{{NULL},
	 US DUAL_ENV,
	 NULL,
	 NULL,
	 {.region = "us-west-2",
	  .control = "https://kinesisvideo.us-west-2.api.aws"}},
	{{NULL},
	 US,
	 "[default]\nuse_fips_endpoint = TRUE\nuse_dualstack_endpoint = true",
	 NULL,
	 {.region = "us-west-2",
	  .control = "https://kinesisvideo-fips.us-west-2.api.aws"}},
	{{NULL},
	 US "AWS_USE_FIPS_ENDPOINT=false",
	 "[default]\nuse_fips_endpoint = true",
	 NULL,
	 {.region = "us-west-2",
	  .control = "https://kinesisvideo.us-west-2.amazonaws.com"}},
	{{NULL},
	 US "AWS_USE_FIPS_ENDPOINT=yes",
	 NULL,
	 NULL,
	 {.error = "AWS_USE_FIPS_ENDPOINT is 'yes': say true or false"}},
	{{.region = "cn-north-1"},
	 "",
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo.cn-north-1.amazonaws.com.cn"}},
	{{.region = "cn-northwest-1"},
	 DUAL_ENV,
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo.cn-northwest-1."
		     "api.amazonwebservices.com.cn"}},
	{{.region = "us-gov-west-1"},
	 "",
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo-fips.us-gov-west-1.amazonaws.com"}},
	{{.region = "us-gov-east-1"},
	 FIPS_ENV DUAL_ENV,
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo-fips.us-gov-east-1.api.aws"}},
	{{.region = "us-gov-west-1"},
	 DUAL_ENV,
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo.us-gov-west-1.api.aws"}},
	{{.region = "us-isob-east-1"},
	 "",
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo.us-isob-east-1.sc2s.sgov.gov"}},

	/* overrides, from the strongest down */
	{{.endpoint_url = "https://o:8080/"},
	 US
	 "AWS_ENDPOINT_URL_KINESIS_VIDEO=https://e AWS_ENDPOINT_URL=https://g",
	 NULL,
	 NULL,
	 {.control = "https://o:8080", .override = "https://o:8080"}},
	{{NULL},
	 US
	 "AWS_ENDPOINT_URL_KINESIS_VIDEO=https://e AWS_ENDPOINT_URL=https://g",
	 NULL,
	 NULL,
	 {.control = "https://e", .override = "https://e"}},
	{{NULL},
	 US "AWS_ENDPOINT_URL=https://g",
	 "[default]\nservices = s\nendpoint_url = https://p\n" SERVICES,
	 NULL,
	 {.control = "https://g", .override = "https://g"}},
	{{NULL},
	 US,
	 "[default]\nservices = s\nendpoint_url = https://p\n" SERVICES,
	 NULL,
	 {.control = "https://sv",
	  .data = "https://sd",
	  .override = "https://sv"}},
	{{NULL},
	 US,
	 "[default]\nservices = t\nendpoint_url = https://p\n"
	 "[services t]\ns3 =\n  endpoint_url = http://s3\n",
	 NULL,
	 {.control = "https://p", .override = "https://p"}},
	{{NULL},
	 US,
	 "[default]\nservices = t\n",
	 NULL,
	 {.error =
		  "names services 't', but @/.aws/config has no [services t]"}},

	/* the data plane's own */
	{{.endpoint_url = "https://o"},
	 US "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA=https://d/",
	 NULL,
	 NULL,
	 {.control = "https://o",
	  .data = "https://d",
	  .override = "https://o"}},
	{{.endpoint_url = "https://o"},
	 US,
	 "[default]\nservices = s\n" SERVICES,
	 NULL,
	 {.control = "https://o", .override = "https://o"}},
	{{NULL},
	 US "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA=https://d",
	 NULL,
	 NULL,
	 {.control = "https://kinesisvideo.us-west-2.amazonaws.com",
	  .data = "https://d",
	  .override = "https://d"}},

	/* all of them ignored, but for the option */
	{{NULL},
	 US
	 "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true AWS_ENDPOINT_URL=https://g "
	 "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA=https://d",
	 "[default]\nservices = s\nendpoint_url = https://p\n" SERVICES,
	 NULL,
	 {.control = "https://kinesisvideo.us-west-2.amazonaws.com"}},
	{{.endpoint_url = "https://o"},
	 US "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA=https://d",
	 "[default]\nignore_configured_endpoint_urls = true",
	 NULL,
	 {.control = "https://o", .override = "https://o"}},

	/* plain http: to this machine and nowhere else */
	{{.endpoint_url = "http://localhost:80"},
	 US,
	 NULL,
	 NULL,
	 {.control = "http://localhost:80", .override = "http://localhost:80"}},
	{{.endpoint_url = "http://127.9.0.1"},
	 US,
	 NULL,
	 NULL,
	 {.control = "http://127.9.0.1", .override = "http://127.9.0.1"}},
	{{.endpoint_url = "http://[::1]:1"},
	 US,
	 NULL,
	 NULL,
	 {.control = "http://[::1]:1", .override = "http://[::1]:1"}},
	{{.endpoint_url = "http://localhost.example.com"},
	 US,
	 NULL,
	 NULL,
	 {.error = "plain http would show"}},
	{{.endpoint_url = "http://10.0.0.1"}, US, NULL, NULL, {.error = "pla"}},
	{{.endpoint_url = "http://128.0.0.1"},
	 US,
	 NULL,
	 NULL,
	 {.error = "plain"}},

	/* impossible ones */
	{{.endpoint_url = "https://o"},
	 US FIPS_ENV,
	 NULL,
	 NULL,
	 {.error = "FIPS"}},
	{{NULL},
	 US DUAL_ENV "AWS_ENDPOINT_URL=https://g",
	 NULL,
	 NULL,
	 {.error = "AWS_ENDPOINT_URL and a dual-stack endpoint exclude"}},
	{{.endpoint_url = "localhost:80"},
	 US,
	 NULL,
	 NULL,
	 {.error = "--endpoi"}},
	{{.endpoint_url = "ftp://h"},
	 US,
	 NULL,
	 NULL,
	 {.error = "'ftp://h': say"}},
	{{.endpoint_url = "http://"},
	 US,
	 NULL,
	 NULL,
	 {.error = "--endpoint-url"}},
	{{.endpoint_url = "http://h?q"},
	 US,
	 NULL,
	 NULL,
	 {.error = "http://h?q"}},
	{{.endpoint_url = "http://h#f"},
	 US,
	 NULL,
	 NULL,
	 {.error = "http://h#f"}},
	{{.endpoint_url = "http://a b"},
	 US,
	 NULL,
	 NULL,
	 {.error = "'http://a b'"}},
	{{.endpoint_url = "http://h:x"},
	 US,
	 NULL,
	 NULL,
	 {.error = "http://h:x"}},
	{{.endpoint_url = "http://u:hush@h"},
	 US,
	 NULL,
	 NULL,
	 {.error = "a user"}},
	{{NULL},
	 US "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA=d",
	 NULL,
	 NULL,
	 {.error = "KINESIS_VIDEO_ARCHIVED_MEDIA is 'd'"}},
};

static void same(size_t i, const char *what, const char *got, const char *want)
{
	if (g_strcmp0(got, want))
		fail_msg("case %zu, %s: %s, not %s", i, what,
			 got ? got : "(none)", want ? want : "(none)");
}

static void check_case(size_t i, struct home *h)
{
	const struct want *w = &cases[i].want;
	struct aws_settings *s = NULL;
	g_autofree char *error = NULL;
	int rc = aws_settings_load(&cases[i].o, h->env, &s, &error);

	if (w->error) {
		g_auto(GStrv) parts = g_strsplit(w->error, "@", -1);
		g_autofree char *piece = g_strjoinv(h->dir, parts);

		assert_int_equal(rc, g_str_has_prefix(w->error, "no region")
					     ? -ENOENT
					     : -EINVAL);
		assert_null(s);
		if (!strstr(error, piece) || strchr(error, '\n') ||
		    strstr(error, "hush"))
			fail_msg("case %zu: %s", i, error);
		return;
	}
	if (rc)
		fail_msg("case %zu: %s", i, error);
	if (w->profile)
		same(i, "profile", s->profile, w->profile);
	if (w->region)
		same(i, "region", s->region, w->region);
	if (w->control) {
		same(i, "control", s->control_url, w->control);
		same(i, "data", s->data_url, w->data);
		same(i, "override", s->override_url, w->override);
	}
	assert_int_equal(s->profile_explicit, cases[i].o.profile != NULL);
	aws_settings_free(s);
}

static void table(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct home h;

		home_open(&h);
		home_write(h.config, cases[i].config);
		home_write(h.credentials, cases[i].credentials);
		home_setenv(&h, cases[i].env);
		check_case(i, &h);
		home_close(&h);
	}
}

/* The rest: proxy, attempts, application.  error: a piece of the sentence. */
static const struct {
	const char *env, *config;
	const char *proxy, *no_proxy, *agent, *region_source, *error;
	int attempts;
} others[] = {
	{US, NULL, NULL, NULL, "k/1", "AWS_REGION", NULL, 0},
	{"", "[default]\nregion = a", NULL, NULL, "k/1", "the profile", NULL,
	 0},
	{US "HTTPS_PROXY=http://p:1 NO_PROXY=a,b", NULL, "http://p:1", "a,b",
	 "k/1", NULL, NULL, 0},
	{US "HTTPS_PROXY=p:1 https_proxy=socks5h://q no_proxy=c NO_PROXY=d",
	 NULL, "socks5h://q", "c", "k/1", NULL, NULL, 0},
	{US "HTTP_PROXY=h ALL_PROXY=a http_proxy=h", NULL, NULL, NULL, "k/1",
	 NULL, NULL, 0},
	{US "HTTPS_PROXY=ftp://hush", NULL, NULL, NULL, NULL, NULL,
	 "HTTPS_PROXY is no proxy's address", 0},
	{US "HTTPS_PROXY=http://", NULL, NULL, NULL, NULL, NULL, "HTTPS_PROX",
	 0},
	{US "AWS_MAX_ATTEMPTS=3", "[default]\nmax_attempts = 4", NULL, NULL,
	 "k/1", NULL, NULL, 3},
	{US, "[default]\nmax_attempts = 4", NULL, NULL, "k/1", NULL, NULL, 4},
	{US "AWS_MAX_ATTEMPTS=0", NULL, NULL, NULL, NULL, NULL,
	 "AWS_MAX_ATTEMPTS is '0'", 0},
	{US, "[default]\nmax_attempts = some", NULL, NULL, NULL, NULL,
	 "max_attempts is 'some'", 0},
	{US "AWS_SDK_UA_APP_ID=my/app", NULL, NULL, NULL, "k/1 app/my-app",
	 NULL, NULL, 0},
	{US, "[default]\nsdk_ua_app_id = x y", NULL, NULL, "k/1 app/x-y", NULL,
	 NULL, 0},
};

static void check_other(size_t i, struct home *h)
{
	const struct aws_overrides none = {0};
	struct aws_settings *s = NULL;
	g_autofree char *error = NULL, *agent = NULL;

	if (aws_settings_load(&none, h->env, &s, &error)) {
		if (!others[i].error || !strstr(error, others[i].error) ||
		    strstr(error, "hush"))
			fail_msg("other %zu: %s", i, error);
		return;
	}
	agent = aws_settings_agent(s, "k/1");
	same(i, "agent", agent, others[i].agent);
	same(i, "proxy", s->proxy, others[i].proxy);
	same(i, "no_proxy", s->no_proxy, others[i].no_proxy);
	if (others[i].region_source)
		same(i, "source", s->region_source, others[i].region_source);
	assert_int_equal(s->max_attempts, others[i].attempts);
	aws_settings_free(s);
}

static void other_table(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		struct home h;

		home_open(&h);
		home_write(h.config, others[i].config);
		home_setenv(&h, others[i].env);
		check_other(i, &h);
		home_close(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(other_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
