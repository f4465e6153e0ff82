/* SPDX-License-Identifier: MIT */
#include "fs/archive/share.h"

#include <glib.h>

#include "fs/kvs/kvs.h"

/*
 * A call lasts this long at most where there is enough to ask for: with five
 * connections one is free every 0.2 s or so for a reader that comes new.
 */
#define CALL_S 1.1
/* Even so it is no less, which a slow line takes long for, nor more. */
#define CALL_MIN_BYTES (INT64_C(1) << 20)
#define CALL_MAX_BYTES (INT64_C(28) << 20)
/* Without a limit of connections there are still not more than this. */
#define CONNECTIONS 16

static double most_bytes(const struct share_of *of)
{
	return CLAMP(of->bytes_s * CALL_S, CALL_MIN_BYTES, CALL_MAX_BYTES);
}

/* With fewer bytes in each, the calls of a second leave connections idle. */
static double least_bytes(const struct share_of *of, int connections)
{
	if (!of->more || of->calls <= 0)
		return CALL_MIN_BYTES;
	return of->bytes_s * connections / of->calls;
}

static double most_fragments(const struct share_of *of, int connections)
{
	double calls = of->calls > 0 ? of->calls : connections;

	if (of->fragments_max <= 0)
		return KVS_MEDIA_MAX;
	return CLAMP(of->fragments_max / calls, 1, KVS_MEDIA_MAX);
}

struct share share_of(const struct share_of *of)
{
	int connections = of->connections > 0 ? of->connections : CONNECTIONS;
	double most = most_bytes(of);
	double even = (double)of->bytes / connections;

	return (struct share){
		.bytes = (int64_t)CLAMP(
			even, MIN(least_bytes(of, connections), most), most),
		.fragments = (unsigned)most_fragments(of, connections),
	};
}
