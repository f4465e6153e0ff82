/* SPDX-License-Identifier: MIT */
/*
 * check_keys: who signs, and for how long.
 */
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "fs/aws/credentials.h"
#include "fs/aws/settings.h"
#include "fs/base/clock.h"
#include "fs/cli/check.h"
#include "fs/kvs/kvs.h"

/* So much of a key's id tells which it is, and no more is shown. */
#define ID_END 4

struct keys {
	struct check_call call;
	char *provider, *source, *id_end;
	int64_t expires_ms;
};

static void on_keys(void *user, const struct kvs_error *e,
		    const struct aws_credentials *found)
{
	struct keys *k = user;

	if (found) {
		size_t n = strlen(found->access_key_id);

		k->provider = g_strdup(found->provider);
		k->source = g_strdup(found->source);
		k->id_end = g_strdup(found->access_key_id +
				     (n > 2 * ID_END ? n - ID_END : n));
		k->expires_ms = found->expires_ms;
	}
	check_call_done(&k->call, e);
}

static void start(struct check_call *call)
{
	kvs_get_credentials(call->check->client, 2 * CHECK_DEADLINE_MS, on_keys,
			    call);
}

/* Nobody renews what stands in an environment. */
static bool lasts(const struct keys *k)
{
	return strcmp(k->provider, "env") || k->expires_ms == INT64_MAX;
}

static char *until(const struct keys *k)
{
	int64_t left_ms = k->expires_ms - clock_realtime_ms(&clock_system);
	g_autoptr(GDateTime) t = NULL;
	g_autofree char *when = NULL;

	if (k->expires_ms == INT64_MAX)
		return g_strdup("not known to expire");
	t = g_date_time_new_from_unix_utc(k->expires_ms / 1000);
	when = t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : NULL;
	return g_strdup_printf("good until %s, for %" PRId64 " min%s",
			       when ? when : "?", left_ms / 60000,
			       lasts(k) ? ", and renewed before" : "");
}

bool check_keys(struct check *c)
{
	struct keys k = {.call.start = start};
	g_autofree char *good = NULL;
	bool ok;

	check_call_run(c, &k.call);
	ok = k.call.answer.rc == 0 && k.provider;
	if (ok) {
		good = until(&k);
		report_add(c->report, "credentials",
			   lasts(&k) ? REPORT_OK : REPORT_WARN,
			   k.call.answer.took_ms,
			   lasts(&k) ? NULL
				     : "nobody renews the environment of a "
				       "running mount: name a profile instead",
			   "from %s (%s), access key ...%s, %s", k.source,
			   k.provider, k.id_end, good);
	} else {
		report_add(c->report, "credentials", REPORT_FAIL,
			   k.call.answer.took_ms, NULL, "%s",
			   k.call.answer.message);
	}
	check_answer_release(&k.call.answer);
	g_free(k.provider);
	g_free(k.source);
	g_free(k.id_end);
	return ok;
}
