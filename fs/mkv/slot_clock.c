/* SPDX-License-Identifier: MIT */
#include "fs/mkv/slot_clock.h"

#include <string.h>

#include "fs/base/utc.h"
#include "fs/mkv/ebml.h"
#include "fs/mkv/format.h"
#include "fs/mkv/ids.h"

#define SECOND_MS  1000
#define TEXT_CHARS 20 /* "2026-11-22 13:05:02Z" */

/*
 * BlockGroup { Block { track, time, flags, text }, BlockDuration }, each of
 * the same length, so that how many there are says how long they are.
 */
static void put_block(GByteArray *out, uint8_t track, int64_t relative,
		      int64_t duration, int64_t wall_ms)
{
	struct utc u = utc_from_ms(wall_ms);
	char text[64];
	uint8_t block[SLOT_CLOCK_BLOCK_BYTES] = {
		MKV_BLOCK_GROUP,	 0x80 | 30,    MKV_BLOCK,
		0x80 | (4 + TEXT_CHARS), 0x80 | track,
	};

	ebml_store(block + 5, 2, (uint64_t)relative);
	g_snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02dZ", u.year,
		   u.month, u.day, u.hour, u.minute, u.second);
	memcpy(block + 8, text, TEXT_CHARS);
	block[28] = MKV_BLOCK_DURATION & 0xff;
	block[29] = 0x80 | 2;
	ebml_store(block + 30, 2, (uint64_t)MIN(duration, UINT16_MAX));
	g_byte_array_append(out, block, sizeof(block));
}

bool slot_clock_write(uint8_t track, uint64_t scale_ns, int64_t wall_ms,
		      int64_t start_ms, int64_t end_ms, int64_t max_bytes,
		      GByteArray *out)
{
	const guint before = out->len;
	int64_t next_ms;

	for (int64_t t_ms = start_ms; t_ms < end_ms; t_ms = next_ms) {
		int64_t relative = mkv_ticks(t_ms - wall_ms, scale_ns);
		int64_t end;

		/* A block's time has 16 bits. */
		if (relative > INT16_MAX)
			break;
		if ((int64_t)(out->len - before) + SLOT_CLOCK_BLOCK_BYTES >
		    max_bytes) {
			g_byte_array_set_size(out, before);
			return false;
		}
		next_ms = MIN(utc_floor(t_ms, SECOND_MS) + SECOND_MS, end_ms);
		end = mkv_ticks(next_ms - wall_ms, scale_ns);
		put_block(out, track, relative, end - relative, t_ms);
	}
	return true;
}
