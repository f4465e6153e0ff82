/* SPDX-License-Identifier: MIT */
/*
 * void: turns an element into a Void of the same size where it lies.  The head
 * alone is mkv_void_head(), in reader.h, because the caller pads with it too.
 */
#ifndef KVSFS_MKV_VOID_H
#define KVSFS_MKV_VOID_H

#include <stddef.h>
#include <stdint.h>

/* n >= 2, as every element is.  Its payload becomes zeros. */
void mkv_void_in_place(uint8_t *element, size_t n);

#endif
