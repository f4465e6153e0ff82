/* SPDX-License-Identifier: MIT */
/*
 * pin: a chunk for a reader that does not come here for each read.
 */
#include "fs/archive/ahead.h"

static int find(struct archive *a, int64_t fragment,
		struct store_chunk **ret_chunk)
{
	struct fragment f;
	struct store_key key = {.raw = a->o.raw};
	int rc = archive_fragment(a, fragment, &f);

	if (rc == -ENOENT || (rc == 0 && archive_expired(a, &f)))
		return -ESTALE;
	/* Readers of a file that grew come here until the kernel is told. */
	if (rc < 0 || f.file_bytes < 0 || resized_untold(a, &f))
		return -ENOENT;
	key.stream = f.stream;
	key.number = f.number;
	return store_get(a->store, &key, f.file_bytes, ret_chunk) < 0 ? -ENOENT
								      : 0;
}

int archive_pin(struct archive *a, int64_t fragment,
		struct store_chunk **ret_chunk)
{
	int rc = find(a, fragment, ret_chunk);

	/* No read of it will tell that it was read. */
	if (rc == 0)
		ahead_hit(a, fragment);
	return rc;
}

void archive_touch(struct archive *a, int64_t fragment)
{
	struct store_chunk *c = NULL;

	/* To be got is to be used. */
	if (find(a, fragment, &c) == 0)
		store_chunk_unref(c);
}

int archive_sample(struct archive *a)
{
	return store_sample(a->store);
}
