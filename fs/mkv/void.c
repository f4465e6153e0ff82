/* SPDX-License-Identifier: MIT */
#include "fs/mkv/void.h"

#include "fs/mkv/ebml.h"
#include "fs/mkv/ids.h"
#include "fs/mkv/reader.h"

#include <string.h>

size_t mkv_void_head(uint64_t total_bytes, uint8_t out[MKV_VOID_HEAD_MAX])
{
	unsigned n = 1;

	/*
	 * The narrowest size field whose payload fits; all ones would say
	 * "unknown".  Where a byte more of size field is a byte less of
	 * payload (129 = 1 + 2 + 126), the wider field says the smaller size.
	 */
	while (n < EBML_SIZE_MAX &&
	       total_bytes - 1 - n > (UINT64_C(1) << (7 * n)) - 2)
		n++;
	out[0] = MKV_VOID;
	ebml_store(out + 1, n, (total_bytes - 1 - n) | UINT64_C(1) << (7 * n));
	return 1 + n;
}

void mkv_void_in_place(uint8_t *element, size_t n)
{
	uint8_t head[MKV_VOID_HEAD_MAX];
	size_t head_n = mkv_void_head(n, head);

	memcpy(element, head, head_n);
	memset(element + head_n, 0, n - head_n);
}
