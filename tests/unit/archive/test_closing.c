/* SPDX-License-Identifier: MIT */
/* What ends while something else is still on its way. */
#include "world.h"

/* ---- a writer thread that is held up ------------------------------------ */

struct hold {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool in, let_go, out;
};

static int hold_writer(struct index_conn *conn, void *arg)
{
	struct hold *h = arg;

	pthread_mutex_lock(&h->lock);
	h->in = true;
	pthread_cond_broadcast(&h->changed);
	while (!h->let_go)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
	return 0;
}

static void writer_went_on(void *arg, int rc)
{
	struct hold *h = arg;

	pthread_mutex_lock(&h->lock);
	h->out = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void wait_for(struct hold *h, const bool *what)
{
	pthread_mutex_lock(&h->lock);
	while (!*what)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

static void hold_begin(struct hold *h, struct world *w)
{
	*h = (struct hold){.lock = PTHREAD_MUTEX_INITIALIZER,
			   .changed = PTHREAD_COND_INITIALIZER};
	index_post(w->ix, hold_writer, writer_went_on, h);
	wait_for(h, &h->in);
}

static void hold_end(struct hold *h)
{
	pthread_mutex_lock(&h->lock);
	h->let_go = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	wait_for(h, &h->out);
}

/* false: it was answered without a new download. */
static bool asks_again(struct world *w, int64_t id, struct reply *r)
{
	int count = 0;

	reply_init(r);
	archive_read(w->a, archive_ticket_new(w->a), id, 0, 100, read_in, r);
	while (!count && atomic_load(&fake.medias) == 1) {
		g_usleep(1000);
		pthread_mutex_lock(&r->lock);
		count = r->count;
		pthread_mutex_unlock(&r->lock);
	}
	if (!count)
		return true;
	assert_int_equal(reply_wait(r), -ETIMEDOUT);
	reply_release(r);
	return false;
}

/*
 * A fragment that is sealed after it was given up, when another download of it
 * has begun.
 */
static void test_sealed_after_it_was_given_up(void **state)
{
	struct world *w = *state;
	struct hold h;
	struct reply first, second;
	struct fragment f;

	w->timeout_ms = 1000;
	add_fragment(w->hour_ms + N_FRAGMENTS * STEP_MS,
		     w->hour_ms + N_FRAGMENTS * STEP_MS, 1000000, 0);
	ready(w);
	f = row(w, N_FRAGMENTS);
	atomic_store(&fake.hold_media, 1);
	reply_init(&first);
	/* To the end: that waits for the seal. */
	archive_read(w->a, archive_ticket_new(w->a), f.id, 0, 4 << 20, read_in,
		     &first);
	/* Its first half is there: so the cache has made room for it. */
	assert_int_equal(read_file(w, f.id, 0, 100, NULL), 0);
	hold_begin(&h, w);
	atomic_store(&fake.hold_media, 0);
	assert_int_equal(reply_wait(&first), -ETIMEDOUT);
	reply_release(&first);
	/* While the failure is remembered the answer comes at once. */
	while (!asks_again(w, f.id, &second))
		;
	hold_end(&h);
	assert_int_equal(reply_wait(&second), 0);
	reply_release(&second);
	assert_content(w, N_FRAGMENTS);
	close_archive(w);
}

/* ---- closing ------------------------------------------------------------ */

/* At every stage of a download: asked, arriving, making room, being sealed. */
static void test_close_while_fragments_land(void **state)
{
	enum {
		ROUNDS = 8,
		READS = 12
	};
	struct world *w = *state;
	struct reply r[READS];

	ready(w);
	for (guint round = 0; round < ROUNDS; round++) {
		for (guint i = 0; i < READS; i++) {
			reply_init(&r[i]);
			archive_read(w->a, archive_ticket_new(w->a),
				     row(w, 1 + round * READS + i).id, 0,
				     1 << 20, read_in, &r[i]);
		}
		if (round % 2)
			reply_wait(&r[round]);
		reopen(w);
		for (guint i = 0; i < READS; i++)
			reply_release(&r[i]);
	}
	close_archive(w);
}

static int write_nothing(struct index_conn *conn, void *arg)
{
	return 0;
}

/* Those who wait for sizes are answered and let go. */
static void test_close_while_it_calibrates(void **state)
{
	struct world *w = *state;
	struct reply r[2];

	open_archive(w);
	assert_int_equal(list_hour(w), 0);
	atomic_store(&fake.hold_media, 1);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		reply_init(&r[i]);
		archive_calibrate(w->a, archive_ticket_new(w->a), row(w, i).id,
				  reply_in, &r[i]);
	}
	while (!atomic_load(&fake.open_medias))
		assert_int_equal(index_run(w->ix, write_nothing, NULL), 0);
	close_archive(w);
	for (guint i = 0; i < G_N_ELEMENTS(r); i++) {
		assert_int_equal(reply_wait(&r[i]), -EIO);
		reply_release(&r[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sealed_after_it_was_given_up),
		T(test_close_while_fragments_land),
		T(test_close_while_it_calibrates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
