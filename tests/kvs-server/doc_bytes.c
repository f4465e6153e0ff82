/* SPDX-License-Identifier: MIT */
/* The bytes of a document's pieces, made where they are read. */
#include "tests/kvs-server/media_impl.h"

#include <pthread.h>
#include <string.h>

#include "tests/kvs-server/grid.h"

#define PCM_HZ 8000

static uint32_t crc_table[256];
/* A quarter of a wave is not worth the trouble: one second of 1 Hz. */
static int16_t wave[PCM_HZ];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	/* A parabola is near enough to a sine, and needs no libm. */
	for (int i = 0; i < PCM_HZ; i++) {
		int half = PCM_HZ / 2;
		int64_t x = i % half, y = 4 * x * (half - x);
		int64_t v = 8000 * y / ((int64_t)half * half);

		wave[i] = (int16_t)(i < half ? v : -v);
	}
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
		crc_table[i] = c;
	}
}

uint32_t crc32_update(uint32_t crc, const uint8_t *p, size_t n)
{
	pthread_once(&once, make_tables);
	crc = ~crc;
	while (n--)
		crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
	return ~crc;
}

static uint64_t noise_word(uint64_t key, uint64_t word)
{
	/* Never a zero byte, so that no start code of H.264 can appear. */
	return hash64(key + word * 0x9E3779B97F4A7C15u) | 0x0101010101010101u;
}

static void noise(uint64_t key, uint64_t at, uint8_t *out, size_t n)
{
	while (n && at % 8) {
		*out++ = (uint8_t)(noise_word(key, at / 8) >> (8 * (at % 8)));
		at++;
		n--;
	}
	for (; n >= 8; n -= 8, at += 8, out += 8) {
		uint64_t w = noise_word(key, at / 8);

		memcpy(out, &w, 8);
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(noise_word(key, at / 8) >> (8 * i));
}

static void pcm(const struct piece *p, uint64_t at, uint8_t *out, size_t n)
{
	pthread_once(&once, make_tables);
	for (size_t i = 0; i < n; i++, at++) {
		uint64_t sample = p->key + at / 2;
		uint16_t v = (uint16_t)wave[sample * p->hz % PCM_HZ];

		/* The lowest bits are noise, or whole seconds were alike. */
		v ^= (uint16_t)(hash64(sample) & 7);
		out[i] = (uint8_t)(at % 2 ? v >> 8 : v);
	}
}

static void piece_read(const struct doc *d, const struct piece *p, uint64_t at,
		       uint8_t *out, size_t n)
{
	switch (p->type) {
	case PIECE_FIXED:
		memcpy(out, p->fixed + at, n);
		break;
	case PIECE_SMALL:
		memcpy(out, d->small.p + p->small + at, n);
		break;
	case PIECE_FILL:
		memset(out, (int)p->key, n);
		break;
	case PIECE_NOISE:
		noise(p->key, at, out, n);
		break;
	case PIECE_PCM:
		pcm(p, at, out, n);
		break;
	}
}

size_t doc_read(const struct doc *d, uint64_t at, void *out, size_t n)
{
	uint8_t *to = out;
	size_t done = 0;

	for (size_t i = 0; i < d->n_pieces && done < n; i++) {
		const struct piece *p = &d->pieces[i];

		if (at >= p->n) {
			at -= p->n;
			continue;
		}
		uint64_t have = p->n - at;
		size_t take = have < n - done ? (size_t)have : n - done;

		piece_read(d, p, at, to + done, take);
		done += take;
		at = 0;
	}
	return done;
}
