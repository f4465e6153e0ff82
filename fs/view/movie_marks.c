/* SPDX-License-Identifier: MIT */
#include "fs/view/movie_marks.h"

#include <glib.h>
#include <string.h>

#include "fs/base/utc.h"

/* ---- Cues --------------------------------------------------------------- */

/*
 * One for each slot; beyond four hours of two-second fragments one for each six
 * seconds.  What lies between two Cues VLC fetches to find its place (with ten
 * seconds seven fragments of two, with six five), and a day's Cues are still
 * less than 400 KiB.
 */
#define CUES_OF_ALL_MAX 7200
#define CUE_STEP_MS	6000

typedef void (*slot_fn)(void *user, const struct movie_slot *s);

static bool is_lost(const struct movie_slot *s)
{
	return s->lost;
}

static bool is_left_out(const struct movie_slot *s)
{
	return s->left_out;
}

static size_t count_not(const struct movie_layout *l,
			bool (*out)(const struct movie_slot *s))
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += !out(&l->slots[i]);
	return n;
}

static size_t cues(const struct movie_layout *l,
		   bool (*out)(const struct movie_slot *s), slot_fn fn,
		   void *user)
{
	/* By what was listed: what is found out later moves no other Cue. */
	bool all = count_not(l, is_lost) <= CUES_OF_ALL_MAX;
	int64_t step = -1;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct movie_slot *s = &l->slots[i];
		int64_t its = (s->t_ms - l->base_ms) / CUE_STEP_MS;

		if (out(s) || (!all && its == step))
			continue;
		step = its;
		n++;
		if (fn)
			fn(user, s);
	}
	return n;
}

size_t movie_marks_cues_room(const struct movie_layout *l)
{
	return cues(l, is_lost, NULL, NULL);
}

/* ---- chapters ----------------------------------------------------------- */

static int64_t chapter_step_ms(int64_t duration_ms)
{
	if (duration_ms <= 20 * UTC_MINUTE_MS)
		return UTC_MINUTE_MS;
	if (duration_ms <= 3 * UTC_HOUR_MS)
		return 5 * UTC_MINUTE_MS;
	if (duration_ms <= 12 * UTC_HOUR_MS)
		return 15 * UTC_MINUTE_MS;
	return UTC_HOUR_MS; /* 168 in seven days; 43,200 hang mpv */
}

static void add_chapter(GArray *chapters, const struct movie_layout *l,
			int64_t wall_ms)
{
	struct mkv_chapter c = {.at_ms = wall_ms - l->base_ms};
	struct utc u = utc_from_ms(wall_ms);

	g_snprintf(c.name, sizeof(c.name), "%04d-%02d-%02d %02d:%02d UTC",
		   u.year, u.month, u.day, u.hour, u.minute);
	g_array_append_val(chapters, c);
}

/*
 * One for each step of UTC in which something was taken, where that begins.
 * What was listed counts, so that the header's length does not change.
 */
static GArray *chapters_of(const struct movie_layout *l)
{
	GArray *chapters = g_array_new(FALSE, FALSE,
				       sizeof(struct mkv_chapter));
	int64_t step_ms = chapter_step_ms(l->duration_ms);
	int64_t next_ms = INT64_MIN; /* the first step without a chapter */

	for (size_t i = 0; i < l->n; i++) {
		const struct movie_slot *s = &l->slots[i];
		int64_t t_ms = MAX(s->t_ms, next_ms);

		if (s->lost)
			continue;
		for (; t_ms == s->t_ms || t_ms < s->t_ms + s->length_ms;
		     t_ms = next_ms) {
			add_chapter(chapters, l, t_ms);
			next_ms = utc_floor(t_ms, step_ms) + step_ms;
		}
	}
	return chapters;
}

/* ---- the header --------------------------------------------------------- */

static struct mkv_movie_head head_of(const struct movie_layout *l,
				     const GArray *chapters)
{
	return (struct mkv_movie_head){
		.title = l->title,
		.date_ms = l->base_ms,
		.duration_ms = l->duration_ms,
		.slots_bytes = l->slots_bytes,
		.chapters = (const struct mkv_chapter *)chapters->data,
		.n_chapters = chapters->len,
		.cues_room = l->n_cues_room,
		.clock = l->clock,
	};
}

int64_t movie_marks_head_bytes(const struct movie_layout *l)
{
	g_autoptr(GArray) chapters = chapters_of(l);
	struct mkv_movie_head h = head_of(l, chapters);

	return mkv_movie_head_bytes(&h);
}

struct adding {
	const struct movie_layout *l;
	GArray *cues;
};

static void add_cue(void *user, const struct movie_slot *s)
{
	struct adding *a = user;
	struct mkv_cue cue = {s->t_ms - a->l->base_ms, s->at};

	g_array_append_val(a->cues, cue);
}

void movie_layout_write_head(const struct movie_layout *l,
			     const struct mkv_format *format, GByteArray *out)
{
	g_autoptr(GArray) chapters = chapters_of(l);
	g_autoptr(GArray)
		all = g_array_new(FALSE, FALSE, sizeof(struct mkv_cue));
	struct mkv_movie_head h = head_of(l, chapters);
	struct adding adding = {l, all};

	cues(l, is_left_out, add_cue, &adding);
	h.cues = (const struct mkv_cue *)all->data;
	h.n_cues = all->len;
	mkv_movie_head_write(&h, format, out);
}
