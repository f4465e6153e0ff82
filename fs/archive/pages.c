/* SPDX-License-Identifier: MIT */
/*
 * pages: ListFragments, page after page, into the catalog.
 */
#define G_LOG_DOMAIN "kvsfs"
#include <string.h>

#include "fs/archive/internal.h"
#include "fs/base/utc.h"
#include "fs/net/retry.h"

/*
 * A listing that never ends is a fault of the service: 10,000 pages hold ten
 * million fragments, more than any bucket (5 a second for a day: 432,000).
 */
#define PAGES_MAX 10000

struct listing {
	struct stream_state *st;
	struct list_range r;
	list_fn fn;
	void *arg;
	struct kvs_call *call;
	struct net_timer *timer;
	char *token;
	int64_t as_of_ms;
	int64_t asked_ms, deadline_ms; /* of a page; monotonic */
	unsigned refused;	       /* times, that page */
	unsigned pages;
	bool was_known; /* though perhaps not fresh */
	int rc;
};

static void ask_page(void *arg);

static void listing_free(struct listing *l)
{
	g_free(l->token);
	g_free(l);
}

static void listing_finish(void *arg)
{
	struct listing *l = arg;
	list_fn fn = l->fn;
	void *fn_arg = l->arg;
	/* The catalog's errno is none of those that users know. */
	int rc = l->rc < 0 && l->rc != -EAGAIN ? archive_errno(l->rc) : l->rc;

	fresh_tell(l->st);
	g_ptr_array_remove_fast(l->st->listings, l);
	state_listed(l->st->a);
	listing_free(l);
	fn(fn_arg, rc);
}

/* One part of a range speaks for all. */
static bool may_say(const struct listing *l)
{
	bool said = l->r.failed && *l->r.failed;

	if (l->r.failed)
		*l->r.failed = true;
	return !said;
}

static void say_unwritable(const struct listing *l)
{
	if (may_say(l))
		g_warning("stream %s: the catalog cannot be written: %s",
			  l->st->name, g_strerror(-l->rc));
}

static void last_page(void *arg)
{
	struct listing *l = arg;

	if (l->rc < 0)
		say_unwritable(l);
	listing_finish(l);
}

static void page_written(void *arg, int rc)
{
	struct listing *l = arg;

	if (rc < 0)
		l->rc = rc;
	archive_pay(l->st->a, last_page, l);
}

static void next_page(void *arg)
{
	struct listing *l = arg;

	if (atomic_load(&l->st->a->closing))
		return; /* pages_free() */
	if (l->rc < 0) {
		say_unwritable(l);
		listing_finish(l);
		return;
	}
	fresh_tell(l->st);
	if (l->r.more && l->pages == 1)
		l->r.more(l->arg, l);
	else
		ask_page(l);
}

static void page_kept(void *arg, int rc)
{
	struct listing *l = arg;

	l->rc = rc;
	archive_pay(l->st->a, next_page, l);
}

/* What was wrong with our clock when the listing began must not stay. */
static int64_t not_ahead(struct listing *l, int64_t t_ms)
{
	int64_t now_ms = archive_now_ms(l->st->a);

	return t_ms - now_ms > CATALOG_AHEAD_MS ? now_ms : t_ms;
}

static bool known_at_all(const struct listing *l)
{
	enum catalog_knowledge k;

	return l->r.known &&
	       catalog_knowledge(l->st->a->catalog, l->st->id, l->r.axis,
				 l->r.start_ms, l->r.end_ms, &k) == 0 &&
	       k != CATALOG_UNKNOWN;
}

/* The last write of a listing; more: there was another page we leave. */
static void put_last(struct listing *l, const struct fragment *rows, size_t n,
		     bool more)
{
	struct catalog_listing c = {.stream = l->st->id,
				    .fragments = rows,
				    .n = n,
				    .axis = l->r.axis,
				    .as_of_ms = not_ahead(l, l->as_of_ms),
				    .mark_ms = not_ahead(l, l->r.mark_ms)};

	/* What was known at first and is not now was trimmed meanwhile, and
	   our first pages with it. */
	if (l->r.known && !more && l->pages && l->was_known &&
	    !known_at_all(l)) {
		if (may_say(l))
			g_warning("stream %s: the catalog was trimmed while it "
				  "was listed into: its share of the cache is "
				  "too small",
				  l->st->name);
		l->rc = -EIO;
		listing_finish(l);
		return;
	}
	if (l->r.known && !more) {
		c.known_start_ms = l->r.start_ms;
		c.known_end_ms = l->r.end_ms;
	}
	l->rc = more ? 1 : 0;
	archive_owe(l->st->a);
	catalog_put_listing(l->st->a->catalog, &c, page_written, l);
}

static struct fragment *rows_of(struct listing *l,
				const struct kvs_fragment *in, size_t n)
{
	struct fragment *rows = g_new0(struct fragment, n);

	for (size_t i = 0; i < n; i++) {
		rows[i].stream = l->st->id;
		g_strlcpy(rows[i].number, in[i].number, sizeof(rows[i].number));
		rows[i].producer_ms = in[i].producer_ms;
		rows[i].server_ms = in[i].server_ms;
		rows[i].length_ms = in[i].length_ms;
		rows[i].size_bytes = in[i].size_bytes;
	}
	return rows;
}

static void listing_failed(struct listing *l, const struct kvs_error *e)
{
	if (e->rc == -ERANGE && !l->r.mark_ms) {
		/* outside of the retention: nothing is there */
		put_last(l, NULL, 0, false);
		return;
	}
	if (may_say(l))
		archive_log_error(l->st, "cannot list fragments", NULL, e);
	/* "Up to now" is never outside: nothing was learnt, no mark moves. */
	l->rc = e->rc == -ERANGE ? -EAGAIN : archive_errno(e->rc);
	listing_finish(l);
}

static void take_times(const struct listing *l, const struct fragment *rows,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t t_ms = catalog_time_ms(l->r.axis, &rows[i]);

		if (t_ms >= l->r.start_ms && t_ms < l->r.end_ms)
			g_array_append_val(l->r.times_ms, t_ms);
	}
}

/* Throttled: again at the rate that is left. */
static bool ask_again(struct listing *l)
{
	struct archive *a = l->st->a;
	int64_t delay_ms = retry_delay_ms(l->refused++, a->o.random());

	if (clock_monotonic_ms(a->o.clock) + delay_ms >= l->deadline_ms)
		return false;
	l->timer = net_timer_start(a->loop, delay_ms, ask_page, l);
	return true;
}

static void page_arrived(void *user, const struct kvs_error *e,
			 const struct kvs_fragment *fragments, size_t n,
			 const char *next_token)
{
	struct listing *l = user;
	g_autofree struct fragment *rows = NULL;

	l->call = NULL;
	quota_list_done(l->st, e, l->asked_ms);
	archive_learn_clock(l->st->a);
	if (e->rc == -EBUSY && ask_again(l))
		return;
	if (e->rc < 0) {
		listing_failed(l, e);
		return;
	}
	l->refused = 0;
	rows = rows_of(l, fragments, n);
	if (l->r.times_ms && l->pages == 0)
		take_times(l, rows, n);
	if (!next_token || l->r.first_page_only) {
		put_last(l, rows, n, next_token != NULL);
		return;
	}
	if (++l->pages >= PAGES_MAX || g_strcmp0(next_token, l->token) == 0) {
		listing_failed(l, &(struct kvs_error){
					  .rc = -EPROTO,
					  .name = "",
					  .request_id = e->request_id,
					  .message = "the listing has no end"});
		return;
	}
	/*
	 * Waited for: a page that could not be kept must not be called known
	 * with the rest, and a fast service must not fill our memory.
	 */
	g_free(l->token);
	l->token = g_strdup(next_token);
	archive_owe(l->st->a);
	catalog_put_listing(l->st->a->catalog,
			    &(struct catalog_listing){.stream = l->st->id,
						      .fragments = rows,
						      .n = n},
			    page_kept, l);
}

static void ask_page(void *arg)
{
	struct listing *l = arg;
	struct archive *a = l->st->a;
	int64_t oldest_ms = archive_now_ms(a) - l->st->retention_ms;
	/* Both ends are inclusive and whole seconds are asked for; what that
	   brings in excess is in the catalog all the same. */
	struct kvs_list_query q = {
		.arn = l->st->arn,
		.axis = l->r.axis == CATALOG_SERVER ? KVS_SERVER_TIME
						    : KVS_PRODUCER_TIME,
		.start_ms = utc_floor(MAX(l->r.start_ms, oldest_ms), 1000),
		.end_ms = utc_floor(l->r.end_ms + 999, 1000),
		.max_results = l->r.max_results,
		.next_token = l->token,
	};
	int64_t wait_ms;

	l->timer = NULL;
	if (l->r.failed && *l->r.failed) {
		l->rc = -EIO; /* it has ended with another's errno */
		listing_finish(l);
		return;
	}
	if (q.start_ms >= q.end_ms) {
		put_last(l, NULL, 0, false);
		return;
	}
	wait_ms = quota_list(l->st, q.max_results);
	if (wait_ms > 0) {
		l->timer = net_timer_start(a->loop, wait_ms, ask_page, l);
		return;
	}
	l->asked_ms = clock_monotonic_ms(a->o.clock);
	if (!l->refused)
		l->deadline_ms = l->asked_ms + a->o.timeout_ms;
	l->call = kvs_list_fragments(a->kvs, &q,
				     MAX(l->deadline_ms - l->asked_ms, 1),
				     page_arrived, l);
}

int64_t list_as_of_ms(struct stream_state *st)
{
	int64_t as_of_ms = archive_now_ms(st->a);
	struct catalog_stream row;

	/*
	 * Our idea of server time is corrected by Date headers, by up to a
	 * second backwards: a listing is never older than its chain.
	 */
	if (catalog_stream_get(st->a->catalog, st->id, &row) == 0) {
		as_of_ms = MAX(as_of_ms, row.chain_ms);
		catalog_stream_release(&row);
	}
	return as_of_ms;
}

void list_pages(struct stream_state *st, const struct list_range *r, list_fn fn,
		void *arg)
{
	struct listing *l = g_new0(struct listing, 1);

	l->st = st;
	l->r = *r;
	l->fn = fn;
	l->arg = arg;
	l->as_of_ms = r->as_of_ms ? r->as_of_ms : list_as_of_ms(st);
	l->was_known = known_at_all(l);
	g_ptr_array_add(st->listings, l);
	ask_page(l);
}

void list_go_on(struct listing *l)
{
	ask_page(l);
}

void list_drop(struct listing *l)
{
	g_ptr_array_remove_fast(l->st->listings, l);
	listing_free(l);
}

/* ---- closing ------------------------------------------------------------ */

void pages_stop(struct stream_state *st)
{
	for (guint i = 0; i < st->listings->len; i++) {
		struct listing *l = st->listings->pdata[i];

		if (l->call)
			kvs_call_cancel(g_steal_pointer(&l->call));
		if (l->timer)
			net_timer_cancel(g_steal_pointer(&l->timer));
	}
}

void pages_free(struct stream_state *st)
{
	for (guint i = 0; i < st->listings->len; i++)
		listing_free(st->listings->pdata[i]);
	g_ptr_array_unref(st->listings);
}
