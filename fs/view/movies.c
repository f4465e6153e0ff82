/* SPDX-License-Identifier: MIT */
#include "fs/view/movies.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fs/base/base.h"
#include "fs/view/lru.h"

/* A day of two-second fragments is 1.4 MiB and its header 0.3: several of them
   are read at once before one has to be laid out again (some 20 ms). */
#define LAYOUTS_MAX_BYTES (16 << 20)
/* A plan of two-second video is some hundred bytes, of audio blocks in Clusters
   of their own ten times that. */
#define PLANS_MAX_BYTES (2 << 20)

struct movie {
	_Atomic int refs;
	struct movies *all;
	struct movie_recipe recipe;
	struct movie_layout *layout;

	/* all->lock guards that they are set once */
	struct mkv_format *format;
	GBytes *head;
	bool said; /* all->lock */
};

/* What the kernel knows. */
struct known {
	struct movie_recipe recipe;
	uint64_t lookups;
	bool spoilt;
};

struct plan_key {
	uint64_t node;
	uint64_t slot;
};

struct movies {
	pthread_mutex_t lock; /* guards the rest; nothing is called under it */
	GHashTable *known;    /* node -> struct known */
	struct lru *layouts;  /* node -> struct movie */
	GHashTable *by_range; /* struct movie_range -> one of these */
	struct lru *plans;    /* struct plan_key -> struct mkv_slot or NULL */
};

/* ---- recipes ------------------------------------------------------------ */

void movie_recipe_release(struct movie_recipe *r)
{
	g_clear_pointer(&r->out, g_array_unref);
}

static struct movie_recipe recipe_ref(const struct movie_recipe *r)
{
	struct movie_recipe copy = *r;

	if (copy.out)
		g_array_ref(copy.out);
	return copy;
}

static void known_free(void *p)
{
	struct known *k = p;

	movie_recipe_release(&k->recipe);
	g_free(k);
}

/* ---- movies ------------------------------------------------------------- */

const struct movie_layout *movie_layout(const struct movie *m)
{
	return m->layout;
}

const struct movie_recipe *movie_recipe(const struct movie *m)
{
	return &m->recipe;
}

struct movie *movie_ref(struct movie *m)
{
	atomic_fetch_add(&m->refs, 1);
	return m;
}

void movie_unref(struct movie *m)
{
	if (!m || atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	movie_recipe_release(&m->recipe);
	movie_layout_free(m->layout);
	mkv_format_free(m->format);
	g_clear_pointer(&m->head, g_bytes_unref);
	g_free(m);
}

/* Out of the table of layouts. */
static void movie_evicted(void *p)
{
	struct movie *m = p;
	GHashTable *by_range = m->all->by_range;

	if (g_hash_table_lookup(by_range, &m->recipe.range) == m)
		g_hash_table_remove(by_range, &m->recipe.range);
	movie_unref(m);
}

const struct mkv_format *movie_format(struct movie *m)
{
	auto_unlock pthread_mutex_t *held = base_lock(&m->all->lock);

	return m->format;
}

GBytes *movie_head(struct movie *m)
{
	auto_unlock pthread_mutex_t *held = base_lock(&m->all->lock);

	return m->head;
}

bool movie_says(struct movie *m)
{
	auto_unlock pthread_mutex_t *held = base_lock(&m->all->lock);
	bool first = !m->said;

	m->said = true;
	return first;
}

void movie_set_format(struct movie *m, struct mkv_format *format)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(GBytes) head = NULL;
	pthread_mutex_t *held;

	movie_layout_write_head(m->layout, format, out);
	head = g_byte_array_free_to_bytes(g_steal_pointer(&out));
	held = base_lock(&m->all->lock);
	if (!m->format) {
		m->format = g_steal_pointer(&format);
		m->head = g_steal_pointer(&head);
	}
	pthread_mutex_unlock(held);
	mkv_format_free(format);
}

/* ---- the tables --------------------------------------------------------- */

static guint key_hash(gconstpointer p)
{
	const struct plan_key *k = p;

	return (guint)((k->node ^ k->slot * UINT64_C(0x9e3779b97f4a7c15)) >> 7);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct plan_key *x = a, *y = b;

	return x->node == y->node && x->slot == y->slot;
}

static guint range_hash(gconstpointer p)
{
	const struct movie_range *r = p;

	return (guint)(((uint64_t)r->start_ms * UINT64_C(31) +
			(uint64_t)r->end_ms * UINT64_C(7) + r->stream) >>
		       3);
}

static gboolean range_equal(gconstpointer a, gconstpointer b)
{
	const struct movie_range *x = a, *y = b;

	return x->stream == y->stream && x->start_ms == y->start_ms &&
	       x->end_ms == y->end_ms && x->reach == y->reach;
}

static void slot_unref(void *slot)
{
	mkv_slot_unref(slot);
}

struct movies *movies_new(void)
{
	struct movies *all = g_new0(struct movies, 1);

	pthread_mutex_init(&all->lock, NULL);
	all->known = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					   known_free);
	all->by_range = g_hash_table_new(range_hash, range_equal);
	all->layouts = lru_new(g_int64_hash, g_int64_equal, movie_evicted,
			       LAYOUTS_MAX_BYTES);
	all->plans = lru_new(key_hash, key_equal, slot_unref, PLANS_MAX_BYTES);
	return all;
}

void movies_free(struct movies *all)
{
	if (!all)
		return;
	lru_free(all->plans);
	lru_free(all->layouts);
	g_hash_table_unref(all->by_range);
	g_hash_table_unref(all->known);
	pthread_mutex_destroy(&all->lock);
	g_free(all);
}

static struct movie *movie_new(struct movies *all, const struct movie_recipe *r,
			       struct movie_layout *layout)
{
	struct movie *m = g_new0(struct movie, 1);

	m->refs = 1;
	m->all = all;
	m->recipe = recipe_ref(r);
	m->layout = layout;
	return m;
}

/* What the header will take counts from the beginning. */
static size_t cost_bytes(const struct movie *m)
{
	return sizeof(*m) + movie_layout_cost_bytes(m->layout) +
	       (size_t)m->layout->head_bytes;
}

/* The one of that node which is kept; under the lock. */
static struct movie *keep(struct movies *all, struct movie *m)
{
	struct movie *was = lru_get(all->layouts, &m->recipe.node);

	if (was) { /* somebody was faster, and may have its header */
		was->recipe.state = m->recipe.state;
		m = was;
	} else {
		lru_add(all->layouts, g_memdup2(&m->recipe.node, 8),
			movie_ref(m), cost_bytes(m));
	}
	g_hash_table_replace(all->by_range, &m->recipe.range, m);
	return movie_ref(m);
}

struct movie *movies_keep(struct movies *all, const struct movie_recipe *r,
			  struct movie_layout *layout)
{
	struct movie *m = movie_new(all, r, layout), *kept;
	pthread_mutex_t *held = base_lock(&all->lock);

	kept = keep(all, m);
	pthread_mutex_unlock(held);
	movie_unref(m);
	return kept;
}

static void count_lookup(struct movies *all, const struct movie_recipe *r)
{
	struct known *k = g_hash_table_lookup(all->known, &r->node);

	if (!k) {
		k = g_new0(struct known, 1);
		k->recipe = recipe_ref(r);
		g_hash_table_insert(all->known, &k->recipe.node, k);
	}
	k->lookups++;
	k->spoilt = false;
}

bool movies_show_again(struct movies *all, const struct movie_range *range,
		       const struct movie_state *state, int64_t alive_ms,
		       struct movie_recipe *ret_recipe)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	const struct movie *m = g_hash_table_lookup(all->by_range, range);
	const struct movie_state *s = m ? &m->recipe.state : NULL;

	if (!m || s->fragments != state->fragments ||
	    s->total_bytes != state->total_bytes ||
	    s->slack_bytes != state->slack_bytes || s->facts != state->facts ||
	    m->recipe.first_ms < alive_ms)
		return false;
	count_lookup(all, &m->recipe);
	*ret_recipe = m->recipe;
	ret_recipe->out = NULL;
	return true;
}

void movies_show(struct movies *all, const struct movie_recipe *r,
		 struct movie_layout *layout)
{
	pthread_mutex_t *held = base_lock(&all->lock);

	count_lookup(all, r);
	pthread_mutex_unlock(held);
	movie_unref(movies_keep(all, r, layout));
}

void movies_forget(struct movies *all, uint64_t node, uint64_t n)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	struct known *k = g_hash_table_lookup(all->known, &node);

	if (!k)
		return;
	k->lookups -= MIN(n, k->lookups);
	if (k->lookups == 0)
		g_hash_table_remove(all->known, &node);
}

static struct known *known_of(struct movies *all, uint64_t node)
{
	struct known *k = g_hash_table_lookup(all->known, &node);

	return k && !k->spoilt ? k : NULL;
}

int movies_get(struct movies *all, uint64_t node, struct movie **ret_movie,
	       struct movie_recipe *ret_recipe)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	struct known *k = known_of(all, node);
	struct movie *m = k ? lru_get(all->layouts, &node) : NULL;

	if (!k)
		return -ESTALE;
	*ret_movie = m ? movie_ref(m) : NULL;
	if (!m)
		*ret_recipe = recipe_ref(&k->recipe);
	return 0;
}

int movies_look(struct movies *all, uint64_t node,
		struct movie_recipe *ret_recipe)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	const struct known *k = known_of(all, node);

	if (!k)
		return -ESTALE;
	*ret_recipe = k->recipe;
	ret_recipe->out = NULL;
	return 0;
}

void movies_spoil(struct movies *all, uint64_t node)
{
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	struct known *k = g_hash_table_lookup(all->known, &node);

	if (k)
		k->spoilt = true;
}

/* ---- plans -------------------------------------------------------------- */

struct movie_plan movies_plan(struct movies *all, uint64_t node, size_t slot)
{
	const struct plan_key key = {node, slot};
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);
	struct movie_plan plan = {.known = lru_has(all->plans, &key)};
	struct mkv_slot *s = plan.known ? lru_get(all->plans, &key) : NULL;

	if (s)
		plan.slot = mkv_slot_ref(s);
	return plan;
}

void movies_set_plan(struct movies *all, uint64_t node, size_t slot,
		     struct mkv_slot *plan)
{
	const struct plan_key key = {node, slot};
	auto_unlock pthread_mutex_t *held = base_lock(&all->lock);

	if (lru_has(all->plans, &key))
		return;
	lru_add(all->plans, g_memdup2(&key, sizeof(key)),
		plan ? mkv_slot_ref(plan) : NULL,
		sizeof(key) + (plan ? mkv_slot_cost_bytes(plan) : 0));
}
