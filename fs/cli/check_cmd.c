/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <glib.h>
#include <stdio.h>

#include "cache/store.h"
#include "fs/aws/profiles.h"
#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/cli/cache_place.h"
#include "fs/cli/check.h"
#include "fs/cli/command.h"
#include "fs/cli/log.h"
#include "fs/cli/service.h"
#include "fs/fuse/mount.h"
#include "fs/kvs/kvs.h"
#include "fs/net/loop.h"

static uint32_t any_number(void)
{
	return g_random_int();
}

/* ---- what this machine alone can tell ----------------------------------- */

static const char *absent(const char *path)
{
	return g_file_test(path, G_FILE_TEST_EXISTS) ? "" : " (not there)";
}

/* false: nothing can be asked of anybody. */
static bool check_config(struct check *c, bool *ret_region)
{
	g_autofree char *error = NULL;
	g_autofree char *unused = NULL;
	g_autofree char *config = NULL;
	g_autofree char *credentials = NULL;
	int rc = service_settings(c->o, NULL, &c->settings, &error);

	*ret_region = rc == 0;
	/* Credentials may be there all the same. */
	if (rc == -ENOENT)
		rc = service_settings(c->o, "us-east-1", &c->settings, &unused);
	if (rc) {
		report_add(c->report, "config", REPORT_FAIL, -1, NULL, "%s",
			   error);
		return false;
	}
	aws_profiles_paths(c->settings->environ, &credentials, &config);
	report_add(c->report, "config", REPORT_OK, -1, NULL,
		   "%s%s and %s%s, profile '%s'", config, absent(config),
		   credentials, absent(credentials), c->settings->profile);
	return true;
}

static void check_region(struct check *c, bool known)
{
	const struct aws_settings *s = c->settings;

	if (!known)
		report_add(c->report, "region", REPORT_FAIL, -1,
			   "give --region, set AWS_REGION, or put 'region = "
			   "...' into the profile",
			   "no region is named");
	else
		report_add(c->report, "region", REPORT_OK, -1, NULL,
			   "%s, says %s; endpoint %s%s", s->region,
			   s->region_source, s->control_url,
			   s->override_url ? ", as you said" : "");
}

static void check_fuse(struct check *c)
{
	g_autofree char *error = NULL;

	if (fuse_mount_try(&error))
		report_add(c->report, "FUSE", REPORT_FAIL, -1, NULL, "%s",
			   error);
	else
		report_add(c->report, "FUSE", REPORT_OK, -1, NULL,
			   "a mount can be made");
}

static void check_cache(struct check *c)
{
	const struct store_options o = {
		.budget_bytes = c->o->cache_size_bytes,
		.min_free_ratio = c->o->cache_min_free_ratio,
		.clock = &clock_system,
	};
	struct cache_place *p;
	g_autofree char *error = NULL;

	if (cache_place_open(c->o->cache_dir, &o, &p, &error)) {
		report_add(c->report, "cache", REPORT_FAIL, -1,
			   "name another with --cache-dir", "%s", error);
		return;
	}
	report_add(c->report, "cache", REPORT_OK, -1, NULL, "%s can be used%s",
		   c->o->cache_dir, p->adopted ? "; it is not there yet" : "");
	/* Looking makes nothing. */
	p->remove = true;
	cache_place_close(p);
}

/* ---- what the service says ---------------------------------------------- */

static bool connect_client(struct check *c)
{
	const struct aws_settings *s = c->settings;
	g_autofree char *agent = aws_settings_agent(s, SERVICE_USER_AGENT);
	const struct net_loop_options net = {.ca_bundle = s->ca_bundle,
					     .user_agent = agent,
					     .proxy = s->proxy,
					     .no_proxy = s->no_proxy};

	if (net_loop_new(&net, &c->loop) == 0 &&
	    kvs_client_new(c->loop, s, &clock_system, any_number, &c->client) ==
		    0)
		return true;
	report_add(c->report, "network", REPORT_FAIL, -1, NULL,
		   "no thread can be started");
	return false;
}

static void check_service(struct check *c, bool region)
{
	bool keys = check_keys(c);
	bool place = false;

	check_region(c, region);
	if (region)
		place = check_place(c);
	if (keys && place)
		check_api(c);
	else
		check_api_skip(c, !region  ? "the region is not known"
				  : !place ? "the service is out of reach"
					   : "there are no credentials");
}

static int run(const struct options *o)
{
	struct check c = {.o = o, .report = report_new(o->json, stdout)};
	bool region;

	if (!check_config(&c, &region))
		check_api_skip(&c, "the configuration cannot be used");
	else if (connect_client(&c))
		check_service(&c, region);
	if (c.loop)
		net_loop_stop(c.loop);
	kvs_client_free(c.client);
	net_loop_free(c.loop);
	aws_settings_free(c.settings);
	g_free(c.name);
	g_free(c.arn);
	check_fuse(&c);
	check_cache(&c);
	return report_end(c.report);
}

int check_command(int argc, char **argv)
{
	g_auto(GStrv) environ = g_get_environ();
	g_autofree char *error = NULL;
	struct options *o;
	int status = 0;

	if (options_parse(OPTIONS_CHECK, argc, argv, environ, &o, &error)) {
		log_fail("%s", error);
		return 1;
	}
	log_init((enum log_level)o->log_level);
	service_keep_secrets();
	if (o->help) {
		puts("kvsfs check [options] [STREAM]\n\n"
		     "Would a mount work?  One line for each thing it needs, "
		     "in "
		     "the order in which\nthey fail, and what to do.  Exits 0 "
		     "only if it would.  Costs some listings and\none "
		     "fragment.\n");
		options_print(OPTIONS_CHECK, stdout);
	} else {
		status = run(o);
	}
	options_free(o);
	return status;
}
