/* SPDX-License-Identifier: MIT */
#include "fs/mkv/sink.h"

#include <glib.h>

int mkv_sink_flush(struct mkv_sink *s)
{
	const uint8_t *run = s->run;
	size_t n = s->run_n;

	s->run = NULL;
	s->run_n = 0;
	return n ? s->data(s->user, run, n) : 0;
}

int mkv_sink_pass(struct mkv_sink *s, const uint8_t *bytes, size_t n)
{
	if (!s->run_n || bytes != s->run + s->run_n) {
		int rc = mkv_sink_flush(s);

		if (rc < 0)
			return rc;
		s->run = bytes;
	}
	s->run_n += n;
	return 0;
}

int mkv_sink_write(struct mkv_sink *s, const uint8_t *bytes, size_t n)
{
	int rc = mkv_sink_flush(s);

	return rc < 0 || !n ? rc : s->data(s->user, bytes, n);
}

int mkv_sink_zeros(struct mkv_sink *s, uint64_t n)
{
	static const uint8_t zeros[16384];

	while (n) {
		size_t part = MIN(n, sizeof(zeros));
		int rc = mkv_sink_write(s, zeros, part);

		if (rc < 0)
			return rc;
		n -= part;
	}
	return 0;
}
