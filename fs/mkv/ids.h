/* SPDX-License-Identifier: MIT */
/*
 * ids: the Matroska elements that have a name here (RFC 9559; those of the
 * EBML header, Void and CRC-32 are RFC 8794's), and at which level an element
 * starts.  Everything else is passed on without being understood.
 */
#ifndef KVSFS_MKV_IDS_H
#define KVSFS_MKV_IDS_H

#include <stdint.h>

enum mkv_id {
	/* level 0 */
	MKV_EBML = 0x1a45dfa3,
	MKV_SEGMENT = 0x18538067,

	/* anywhere */
	MKV_VOID = 0xec,
	MKV_CRC32 = 0xbf,

	/* in EBML */
	MKV_EBML_VERSION = 0x4286,
	MKV_EBML_READ_VERSION = 0x42f7,
	MKV_EBML_MAX_ID_LENGTH = 0x42f2,
	MKV_EBML_MAX_SIZE_LENGTH = 0x42f3,
	MKV_DOC_TYPE = 0x4282,
	MKV_DOC_TYPE_VERSION = 0x4287,
	MKV_DOC_TYPE_READ_VERSION = 0x4285,

	/* level 1 */
	MKV_SEEK_HEAD = 0x114d9b74,
	MKV_INFO = 0x1549a966,
	MKV_TRACKS = 0x1654ae6b,
	MKV_CLUSTER = 0x1f43b675,
	MKV_CUES = 0x1c53bb6b,
	MKV_ATTACHMENTS = 0x1941a469,
	MKV_CHAPTERS = 0x1043a770,
	MKV_TAGS = 0x1254c367,

	/* in Cluster */
	MKV_TIMESTAMP = 0xe7,
	MKV_POSITION = 0xa7,
	MKV_PREV_SIZE = 0xab,
	MKV_SIMPLE_BLOCK = 0xa3,
	MKV_BLOCK_GROUP = 0xa0,

	/* in BlockGroup */
	MKV_BLOCK = 0xa1,
	MKV_BLOCK_DURATION = 0x9b,
	MKV_REFERENCE_BLOCK = 0xfb,

	/* in SeekHead */
	MKV_SEEK = 0x4dbb,
	MKV_SEEK_ID = 0x53ab,
	MKV_SEEK_POSITION = 0x53ac,

	/* in Info */
	MKV_TIMESTAMP_SCALE = 0x2ad7b1,
	MKV_DURATION = 0x4489,
	MKV_DATE_UTC = 0x4461,
	MKV_TITLE = 0x7ba9,
	MKV_MUXING_APP = 0x4d80,
	MKV_WRITING_APP = 0x5741,
	MKV_SEGMENT_UUID = 0x73a4,

	/* in Tracks */
	MKV_TRACK_ENTRY = 0xae,
	MKV_TRACK_NUMBER = 0xd7,
	MKV_TRACK_UID = 0x73c5,
	MKV_TRACK_TYPE = 0x83,
	MKV_FLAG_DEFAULT = 0x88,
	MKV_FLAG_FORCED = 0x55aa,
	MKV_FLAG_LACING = 0x9c,
	MKV_DEFAULT_DURATION = 0x23e383,
	MKV_NAME = 0x536e,
	MKV_LANGUAGE = 0x22b59c,
	MKV_CODEC_ID = 0x86,
	MKV_CODEC_PRIVATE = 0x63a2,
	MKV_CODEC_NAME = 0x258688,
	MKV_VIDEO = 0xe0,
	MKV_AUDIO = 0xe1,
	MKV_SAMPLING_FREQUENCY = 0xb5,
	MKV_CHANNELS = 0x9f,
	MKV_BIT_DEPTH = 0x6264,
	MKV_CODEC_DELAY = 0x56aa,
	MKV_SEEK_PRE_ROLL = 0x56bb,
	MKV_CONTENT_ENCODINGS = 0x6d80,

	/* in Cues */
	MKV_CUE_POINT = 0xbb,
	MKV_CUE_TIME = 0xb3,
	MKV_CUE_TRACK_POSITIONS = 0xb7,
	MKV_CUE_TRACK = 0xf7,
	MKV_CUE_CLUSTER_POSITION = 0xf1,

	/* in Chapters */
	MKV_EDITION_ENTRY = 0x45b9,
	MKV_EDITION_UID = 0x45bc,
	MKV_EDITION_FLAG_DEFAULT = 0x45db,
	MKV_CHAPTER_ATOM = 0xb6,
	MKV_CHAPTER_UID = 0x73c4,
	MKV_CHAPTER_TIME_START = 0x91,
	MKV_CHAPTER_DISPLAY = 0x80,
	MKV_CHAP_STRING = 0x85,
	MKV_CHAP_LANGUAGE = 0x437c,

	/* in Tags */
	MKV_TAG = 0x7373,
	MKV_TARGETS = 0x63c0,
	MKV_TAG_TRACK_UID = 0x63c5,
	MKV_SIMPLE_TAG = 0x67c8,
	MKV_TAG_NAME = 0x45a3,
	MKV_TAG_STRING = 0x4487,
};

/*
 * 0 or 1 for an element that can only start at that level, so that it ends
 * what is of unknown size and deeper; -1 for every other.
 */
static inline int mkv_id_level(uint32_t id)
{
	switch (id) {
	case MKV_EBML:
	case MKV_SEGMENT:
		return 0;
	case MKV_SEEK_HEAD:
	case MKV_INFO:
	case MKV_TRACKS:
	case MKV_CLUSTER:
	case MKV_CUES:
	case MKV_ATTACHMENTS:
	case MKV_CHAPTERS:
	case MKV_TAGS:
		return 1;
	default:
		return -1;
	}
}

#endif
