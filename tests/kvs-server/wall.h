/* SPDX-License-Identifier: MIT */
/*
 * wall: the server's idea of the time, and the writing of times.
 *
 * Signatures, Date headers, the growth of streams and retention all go by it.
 * It can be shifted, stopped and stepped while the server runs, so that no test
 * has to wait.  Any thread.
 */
#ifndef KVS_SERVER_WALL_H
#define KVS_SERVER_WALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct wall {
	pthread_mutex_t lock;
	int64_t offset_ms;
	bool frozen;
	int64_t frozen_ms;
};

void wall_init(struct wall *w);
int64_t wall_now_ms(struct wall *w);
void wall_set_ms(struct wall *w, int64_t now_ms);
void wall_advance(struct wall *w, int64_t ms);
void wall_freeze(struct wall *w, bool frozen);

int64_t mono_us(void);

/*
 * 2026-11-22T13:05:02.513Z, 2026-11-22, epoch milliseconds, "now", or a signed
 * span from now: -2h, +90s, -500ms, -3650d.
 */
bool time_parse(const char *s, int64_t now_ms, int64_t *ret_ms);
/* ISO 8601 in UTC with milliseconds. */
void time_iso(int64_t ms, char ret[40]);
/* yyyymmddThhmmssZ */
bool time_amz_parse(const char *s, int64_t *ret_ms);
void time_amz(int64_t ms, char ret[40]);
void time_http(int64_t ms, char ret[40]);
/* Epoch seconds as Java prints a double: 1.705489836421E9. */
void time_json(int64_t ms, char ret[40]);

#endif
