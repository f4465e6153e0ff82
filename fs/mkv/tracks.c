/* SPDX-License-Identifier: MIT */
#include "fs/mkv/tracks.h"

#include "fs/mkv/ids.h"

#include <string.h>

/* What Amazon Connect sends where its MimeType tag is missing. */
#define CONNECT_RATE	 8000
#define CONNECT_CHANNELS 1
#define L16_BITS	 16

struct track {
	uint64_t uid;
	struct ebml_span codec_id, name, codec_private;
	bool has_audio;
	double rate; /* of Audio; 0 where not said */
	uint64_t channels;
};

static int read_audio(struct ebml_span audio, struct track *t)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&audio, &e)) > 0) {
		if (e.id == MKV_SAMPLING_FREQUENCY)
			rc = ebml_float(e.body, &t->rate);
		else if (e.id == MKV_CHANNELS)
			rc = ebml_uint(e.body, &t->channels);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int read_track(struct ebml_span entry, struct track *t)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&entry, &e)) > 0) {
		switch (e.id) {
		case MKV_TRACK_UID:
			rc = ebml_uint(e.body, &t->uid);
			break;
		case MKV_CODEC_ID:
			t->codec_id = ebml_string(e.body);
			break;
		case MKV_NAME:
			t->name = ebml_string(e.body);
			break;
		case MKV_CODEC_PRIVATE:
			t->codec_private = e.body;
			break;
		case MKV_AUDIO:
			t->has_audio = true;
			rc = read_audio(e.body, t);
			break;
		default:
			break;
		}
		if (rc < 0)
			return rc;
	}
	return rc;
}

/*
 * Connect's mark where no tag tells: its own track names, an
 * AudioSpecificConfig of 11 90 (48 kHz stereo, which a call is not) and no
 * Audio master, which a track that was muxed as AAC has.
 */
static bool looks_like_connect(const struct track *t)
{
	static const uint8_t config[] = {0x11, 0x90};

	return !t->has_audio &&
	       (ebml_string_is(t->name, "AUDIO_FROM_CUSTOMER") ||
		ebml_string_is(t->name, "AUDIO_TO_CUSTOMER")) &&
	       t->codec_private.n == sizeof(config) &&
	       !memcmp(t->codec_private.at, config, sizeof(config));
}

static bool is_mislabelled(const struct track *t, const struct mkv_l16 *l16)
{
	if (!ebml_string_is(t->codec_id, "A_AAC"))
		return false;
	if (l16->present && (!l16->track_uid || l16->track_uid == t->uid))
		return true;
	return looks_like_connect(t);
}

static void put_l16(GByteArray *out, const struct track *t,
		    const struct mkv_l16 *l16)
{
	double rate = l16->rate ? l16->rate : t->rate;
	uint64_t channels = l16->channels ? l16->channels : t->channels;
	size_t audio;

	ebml_put_text(out, MKV_CODEC_ID, "A_PCM/INT/LIT");
	audio = ebml_open(out, MKV_AUDIO);
	ebml_put_float(out, MKV_SAMPLING_FREQUENCY,
		       rate > 0 ? rate : CONNECT_RATE);
	ebml_put_uint(out, MKV_CHANNELS,
		      channels ? channels : CONNECT_CHANNELS);
	ebml_put_uint(out, MKV_BIT_DEPTH, L16_BITS);
	ebml_close(out, audio);
}

static void put_element(GByteArray *out, const struct ebml_element *e,
			bool mislabelled)
{
	switch (e->id) {
	case MKV_CRC32:
	case MKV_VOID:
		return;
	case MKV_CODEC_ID:
	case MKV_CODEC_PRIVATE:
	case MKV_AUDIO:
	case MKV_CODEC_NAME:
		if (mislabelled)
			return;
		break;
	default:
		break;
	}
	if (e->id == MKV_CODEC_ID || e->id == MKV_NAME ||
	    e->id == MKV_LANGUAGE || e->id == MKV_CODEC_NAME)
		ebml_put_bytes(out, e->id, ebml_string(e->body));
	else
		g_byte_array_append(out, e->whole.at, (guint)e->whole.n);
}

static int write_track(GByteArray *out, struct ebml_span entry,
		       const struct mkv_l16 *l16)
{
	struct track track = {0};
	struct ebml_element e;
	bool mislabelled;
	size_t opened;
	int rc;

	rc = read_track(entry, &track);
	if (rc < 0)
		return rc;
	mislabelled = is_mislabelled(&track, l16);
	opened = ebml_open(out, MKV_TRACK_ENTRY);
	while ((rc = ebml_next(&entry, &e)) > 0)
		put_element(out, &e, mislabelled);
	if (mislabelled)
		put_l16(out, &track, l16);
	ebml_close(out, opened);
	return rc;
}

int mkv_tracks_write(GByteArray *out, const struct mkv_head *head)
{
	struct ebml_span rest = head->tracks;
	struct ebml_element e;
	size_t opened;
	int rc;

	if (!head->has_tracks)
		return 0;
	opened = ebml_open(out, MKV_TRACKS);
	while ((rc = ebml_next(&rest, &e)) > 0) {
		if (e.id == MKV_TRACK_ENTRY)
			rc = write_track(out, e.body, &head->l16);
		else if (e.id != MKV_CRC32 && e.id != MKV_VOID)
			g_byte_array_append(out, e.whole.at, (guint)e.whole.n);
		if (rc < 0)
			return rc;
	}
	ebml_close(out, opened);
	return rc;
}
