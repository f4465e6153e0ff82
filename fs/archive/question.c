/* SPDX-License-Identifier: MIT */
#include "fs/archive/internal.h"

/* Nobody is there: so long is a try for a question that can do without. */
#define UNREACHABLE_MS 1500
/*
 * Connected, and yet not a word: as good as nobody there.  Refusals for too
 * many calls are words: that listing gets on, and half of it is no answer.
 */
#define SILENT_MS     5000
#define LOOK_AGAIN_MS 500

struct question *question_new(struct archive *a, archive_ticket t,
			      void (*begin)(struct question *q), void *user)
{
	struct question *q = g_new0(struct question, 1);

	q->a = a;
	q->ticket = t;
	q->begin = begin;
	q->user = user;
	q->refs = 1;
	return q;
}

struct question *question_ref(struct question *q)
{
	q->refs++;
	return q;
}

void question_unref(struct question *q)
{
	if (--q->refs == 0)
		g_free(q);
}

/* From here on nobody else answers it; the table's reference is dropped. */
static bool settle(struct question *q)
{
	if (q->answered)
		return false;
	q->answered = true;
	if (q->patience)
		net_timer_cancel(g_steal_pointer(&q->patience));
	g_hash_table_remove(q->a->questions, &q->ticket);
	return true;
}

/* Listed, and yet never found: to who reads that is not "no such file". */
static int reader_errno(int rc)
{
	return rc == -ENODATA ? -EIO : rc;
}

void question_answer(struct question *q, int rc)
{
	question_ref(q);
	if (settle(q)) {
		if (q->chunk_fn)
			q->chunk_fn(q->user, rc, NULL);
		else if (q->read_fn)
			q->read_fn(q->user, reader_errno(rc), NULL, 0);
		else
			q->fn(q->user, reader_errno(rc));
	}
	question_unref(q);
}

void question_answer_chunk(struct question *q, struct store_chunk *chunk)
{
	question_ref(q);
	if (settle(q))
		q->chunk_fn(q->user, 0, chunk);
	question_unref(q);
}

void question_answer_piece(struct question *q,
			   const struct archive_piece *piece)
{
	question_ref(q);
	if (settle(q))
		q->read_fn(q->user, 0, piece, 1);
	question_unref(q);
}

static void patience_over(void *arg)
{
	struct question *q = arg;

	q->patience = NULL;
	question_answer(q, 0);
}

static void look_for_a_word(void *arg)
{
	struct question *q = arg;
	int64_t silent_ms = kvs_silent_ms(q->a->kvs);

	q->patience = NULL;
	if (silent_ms < SILENT_MS) {
		q->patience = net_timer_start(q->a->loop, LOOK_AGAIN_MS,
					      look_for_a_word, q);
		return;
	}
	archive_say_silent(q->a);
	question_answer(q, 0);
}

void question_patience_silent(struct question *q)
{
	if (!q->answered && !q->patience)
		q->patience = net_timer_start(q->a->loop, UNREACHABLE_MS,
					      look_for_a_word, q);
}

void question_patience(struct question *q, int64_t ms)
{
	if (!q->answered && !q->patience)
		q->patience = net_timer_start(q->a->loop, ms, patience_over, q);
}

static bool cancelled_before(struct archive *a, archive_ticket t)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(a->cancelled); i++) {
		if (a->cancelled[i] == t) {
			a->cancelled[i] = 0;
			return true;
		}
	}
	return false;
}

static void register_and_begin(void *arg)
{
	struct question *q = arg;
	struct archive *a = q->a;

	/* The table holds the reference that question_ask() gave. */
	g_hash_table_insert(a->questions, &q->ticket, q);
	if (atomic_load(&a->closing)) {
		question_answer(q, -EIO);
		return;
	}
	if (cancelled_before(a, q->ticket)) {
		question_answer(q, -EINTR);
		return;
	}
	question_ref(q);
	q->begin(q);
	question_unref(q);
}

void question_ask(struct question *q)
{
	net_loop_post(q->a->loop, register_and_begin, q);
}

struct cancel {
	struct archive *a;
	archive_ticket ticket;
};

static void cancel_here(void *arg)
{
	g_autofree struct cancel *c = arg;
	struct archive *a = c->a;
	struct question *q = g_hash_table_lookup(a->questions, &c->ticket);

	if (q) {
		question_ref(q);
		question_answer(q, -EINTR);
		if (q->read_fn || q->chunk_fn)
			read_given_up(q);
		question_unref(q);
		return;
	}
	/*
	 * Either it has been answered, or an interrupt overtook it on its way
	 * here: the last few are remembered, so that the second kind is not
	 * lost.
	 */
	a->cancelled[a->n_cancelled++ % G_N_ELEMENTS(a->cancelled)] = c->ticket;
}

archive_ticket archive_ticket_new(struct archive *a)
{
	return atomic_fetch_add(&a->next_ticket, 1) + 1;
}

void archive_cancel(struct archive *a, archive_ticket t)
{
	struct cancel *c = g_new(struct cancel, 1);

	c->a = a;
	c->ticket = t;
	net_loop_post(a->loop, cancel_here, c);
}

void questions_answer_all(struct archive *a, int rc)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	GHashTableIter it;
	void *q;

	g_hash_table_iter_init(&it, a->questions);
	while (g_hash_table_iter_next(&it, NULL, &q))
		g_ptr_array_add(all, question_ref(q));
	for (guint i = 0; i < all->len; i++) {
		question_answer(all->pdata[i], rc);
		question_unref(all->pdata[i]);
	}
}

void waiters_add(GPtrArray **waiters, struct question *q)
{
	if (!*waiters)
		*waiters = g_ptr_array_new();
	g_ptr_array_add(*waiters, question_ref(q));
}

void waiters_answer(GPtrArray **waiters, int rc)
{
	GPtrArray *all = g_steal_pointer(waiters);

	if (!all)
		return;
	for (guint i = 0; i < all->len; i++) {
		question_answer(all->pdata[i], rc);
		question_unref(all->pdata[i]);
	}
	g_ptr_array_unref(all);
}
