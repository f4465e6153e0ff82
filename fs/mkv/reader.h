/* SPDX-License-Identifier: MIT */
/*
 * reader: the body of GetMediaForFragmentList, pushed in as it arrives; out
 * come the bytes of each fragment's file.
 *
 * The body is a sequence of Matroska documents, one per fragment (EBML header,
 * Segment of unknown size, the producer's header verbatim, the service's Tags,
 * one Cluster of known or unknown size, whatever the producer sent before its
 * next Cluster).  A document whose Tags carry an error has no Cluster.
 *
 * In rewrite mode (the default) a document comes out as DESIGN section 2 says:
 * header written anew, Cluster timestamps rebased in place so that the first
 * is 0, Position, PrevSize and the Cluster's CRC-32 made Void, and after the
 * Cluster Cues, SeekHead and statistics Tags made Void.  In raw mode the bytes
 * come out as they were sent.  Either way every byte of a SimpleBlock or
 * BlockGroup is untouched.  Padding at the file's end is the caller's
 * (mkv_void_head()).
 *
 * Memory is bounded: only what precedes the first Cluster is held (at most
 * MKV_HEAD_MAX_BYTES); media flows through.
 *
 * One thread at a time per reader.  It never does I/O and never logs.
 */
#ifndef KVSFS_MKV_READER_H
#define KVSFS_MKV_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MKV_HEAD_MAX_BYTES   (8u << 20) /* CodecPrivate alone may be 1 MiB */
#define MKV_NUMBER_MAX	     128	/* digits of a fragment number */
#define MKV_ERROR_TEXT_BYTES 256

/*
 * What the Tags before the first Cluster say.  Both spellings are understood:
 * ..._SERVER_TIMESTAMP / ..._SERVER_SIDE_TIMESTAMP, ERROR_ID + ERROR_CODE /
 * EXCEPTION_ERROR_CODE + EXCEPTION_MESSAGE.  Valid during the callback only.
 */
struct mkv_document {
	char number[MKV_NUMBER_MAX + 1]; /* "" where there is no valid one */
	int64_t server_ms;		 /* -1 where absent */
	int64_t producer_ms;		 /* -1 where absent */
	bool has_cluster;
	bool has_error;
	int error_id;			       /* 0 where none */
	char error_code[MKV_ERROR_TEXT_BYTES]; /* e.g. FRAGMENT_NOT_FOUND */
	char error_message[MKV_ERROR_TEXT_BYTES];
};

struct mkv_reader_ops {
	/*
	 * A document's head is whole.  *ret_length_ms: the fragment's listed
	 * length for Info/Duration (0: leave Duration out).  Return 0 to get
	 * its data, 1 to have the document skipped (no data(), but end() is
	 * still called), or -errno to stop the reader for good.
	 */
	int (*begin)(void *user, const struct mkv_document *doc,
		     int64_t *ret_length_ms);
	/* Next n bytes of the file.  0 or -errno (stops the reader). */
	int (*data)(void *user, const void *bytes, size_t n);
	/* The document is complete.  0 or -errno. */
	int (*end)(void *user);
};

struct mkv_reader;

/* ops is copied; user must outlive the reader. */
struct mkv_reader *mkv_reader_new(const struct mkv_reader_ops *ops, bool raw,
				  void *user);
void mkv_reader_free(struct mkv_reader *r);

/*
 * Feed the next n bytes, cut anywhere.  0; -EBADMSG where they are not such a
 * sequence (a size over its limit, an element that does not fit its parent,
 * no EBML header where one must be); or what a callback returned.  After a
 * failure the reader stays failed.
 */
int mkv_reader_feed(struct mkv_reader *r, const void *bytes, size_t n);

/*
 * The body has ended.  Calls end() for the document that was open, where it
 * may end here.  0, or -EBADMSG where it ended inside an element.
 */
int mkv_reader_finish(struct mkv_reader *r);

/*
 * The head (ID and size) of a Void element that is total_bytes long with its
 * payload; total_bytes >= 2.  Writes at most 9 bytes to out and returns how
 * many; the total_bytes - n that follow are zeros.
 */
#define MKV_VOID_HEAD_MAX 9
size_t mkv_void_head(uint64_t total_bytes, uint8_t out[MKV_VOID_HEAD_MAX]);

#endif
