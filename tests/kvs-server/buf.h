/* SPDX-License-Identifier: MIT */
/*
 * buf: bytes that grow.
 *
 * The server has no answer to a machine without memory: it says so and aborts,
 * so nothing here fails.  Not locked; a buf belongs to one thread at a time.
 */
#ifndef KVS_SERVER_BUF_H
#define KVS_SERVER_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *p;
	size_t n, cap;
};

void buf_free(struct buf *b);
void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_fill(struct buf *b, uint8_t byte, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* s as a JSON string, quotes included; NULL gives null. */
void buf_json(struct buf *b, const char *s);
/* The text with a NUL after it; the caller frees it, b is empty again. */
char *buf_steal(struct buf *b);

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Owned by a scope. */
static inline void buf_freep(struct buf *b)
{
	buf_free(b);
}
void free_charp(char **p);
#define auto_buf  __attribute__((cleanup(buf_freep))) struct buf
#define auto_char __attribute__((cleanup(free_charp))) char

#endif
