/* SPDX-License-Identifier: MIT */
#include "fs/archive/slack.h"

#include <glib.h>

/* Kept free above what the calibrating fragment needed. */
#define SPARE_BYTES 2048
/* A Void element has at least an ID and a size. */
#define VOID_MIN_BYTES 2
/* A file that grew ends at a multiple of this. */
#define GROWN_ALIGN_BYTES 4096

static const int64_t steps[] = {4 << 10, 64 << 10, 2 << 20};

int64_t slack_for(int64_t listed_bytes, int64_t content_bytes)
{
	int64_t excess = content_bytes - listed_bytes + SPARE_BYTES;

	return slack_above(excess - 1);
}

int64_t slack_above(int64_t slack_bytes)
{
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (steps[i] > slack_bytes)
			return steps[i];
	return steps[G_N_ELEMENTS(steps) - 1];
}

bool slack_fits(int64_t content_bytes, int64_t file_bytes)
{
	return content_bytes == file_bytes ||
	       content_bytes + VOID_MIN_BYTES <= file_bytes;
}

int64_t slack_grown(int64_t content_bytes)
{
	int64_t need = content_bytes + VOID_MIN_BYTES;

	return (need + GROWN_ALIGN_BYTES - 1) / GROWN_ALIGN_BYTES *
	       GROWN_ALIGN_BYTES;
}
