/* SPDX-License-Identifier: MIT */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/kvs/internal.h"

#include <errno.h>
#include <inttypes.h>

/*
 * Date has whole seconds, and the answer was made somewhere between sending
 * and receiving: what is nearer than this to what is known already is noise,
 * and following it would make time go backwards.
 */
#define CLOCK_NOISE_MS 2000

static void at_end(void *arg)
{
	struct kvs_client *c = arg;

	kvs_calls_end(c);
}

static void endpoint_free(void *e)
{
	kvs_endpoint_free(e);
}

int kvs_client_new(struct net_loop *loop, const struct aws_settings *settings,
		   const struct clock *clock, uint32_t (*random)(void),
		   struct kvs_client **ret_client)
{
	struct kvs_client *c = g_new0(struct kvs_client, 1);
	int rc;

	c->loop = loop;
	c->settings = settings;
	c->clock = clock;
	c->random = random;
	c->endpoints = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					     endpoint_free);
	rc = aws_url_parse(settings->control_url, &c->control);
	if (!rc && settings->data_url)
		rc = aws_url_parse(settings->data_url, &c->data);
	if (!rc)
		rc = kvs_keys_init(c);
	if (rc) {
		kvs_client_free(c);
		return rc;
	}
	net_loop_at_end(loop, at_end, c);
	*ret_client = c;
	return 0;
}

void kvs_client_free(struct kvs_client *c)
{
	if (!c)
		return;
	g_hash_table_unref(c->endpoints);
	aws_url_free(c->control);
	aws_url_free(c->data);
	creds_keeper_free(c->keeper);
	g_free(c);
}

int64_t kvs_now_ms(const struct kvs_client *c)
{
	return clock_realtime_ms(c->clock) + c->clock_offset_ms;
}

int64_t kvs_silent_ms(const struct kvs_client *c)
{
	if (c->unreachable)
		return INT64_MAX;
	if (c->requests == 0)
		return 0;
	return clock_monotonic_ms(c->clock) - c->spoken_ms;
}

void kvs_client_asks(struct kvs_client *c)
{
	if (c->requests++ == 0)
		c->spoken_ms = clock_monotonic_ms(c->clock);
}

void kvs_client_hears(struct kvs_client *c)
{
	c->spoken_ms = clock_monotonic_ms(c->clock);
	c->unreachable = false;
}

void kvs_client_learn_clock(struct kvs_client *c, int64_t sent_ms,
			    int64_t received_ms, int64_t date_ms)
{
	int64_t taken_ms = received_ms - sent_ms;
	int64_t offset_ms = date_ms + 500 - (sent_ms + taken_ms / 2);

	/* The local clock was set meanwhile. */
	if (taken_ms < 0)
		return;
	if (ABS(offset_ms - c->clock_offset_ms) > CLOCK_NOISE_MS + taken_ms / 2)
		c->clock_offset_ms = offset_ms;
	creds_keeper_set_clock(c->keeper, c->clock_offset_ms);
}

void kvs_client_tell_skew(struct kvs_client *c)
{
	int64_t behind_ms = c->clock_offset_ms;

	if (c->skew_told)
		return;
	c->skew_told = true;
	g_warning("this machine's clock is %" PRId64 " s %s: the service "
		  "refused a signature for it; its own clock is used from now "
		  "on; set this one ('timedatectl set-ntp true')",
		  ABS(behind_ms) / 1000, behind_ms > 0 ? "slow" : "fast");
}
