/* SPDX-License-Identifier: MIT */
/*
 * movie_marks: what a movie's header says about its time: Cues and chapters.
 * Room is for what was listed; what turned out to be of no use is left out.
 * Pure; any thread.
 */
#ifndef KVSFS_VIEW_MOVIE_MARKS_H
#define KVSFS_VIEW_MOVIE_MARKS_H

#include "fs/view/movie_layout.h"

/* For how many Cues there is room; of a layout whose slots are settled. */
size_t movie_marks_cues_room(const struct movie_layout *l);
/* How long the header is; n_cues_room, title and clock are set. */
int64_t movie_marks_head_bytes(const struct movie_layout *l);

#endif
