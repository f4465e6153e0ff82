/* SPDX-License-Identifier: MIT */
#include "fs/mkv/identity.h"

#include "fs/mkv/ids.h"
#include "fs/mkv/tags.h"

#include <glib.h>
#include <string.h>

/* 9999-12-31T23:59:59 is 253402300799: no time of the service is longer. */
#define SECONDS_MAX    253402300799
#define ERROR_ID_MAX   999999
#define RATE_MAX       768000
#define CHANNELS_MAX   16
#define MIME_MAX_BYTES 255 /* of a user tag's value the service takes 256 */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A decimal number that is all of s and not above max. */
static bool read_number(struct ebml_span s, int64_t max, int64_t *ret_value)
{
	int64_t value = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.at[i]))
			return false;
		value = value * 10 + (s.at[i] - '0');
		if (value > max)
			return false;
	}
	*ret_value = value;
	return true;
}

static void set_number(struct mkv_document *doc, struct ebml_span value)
{
	doc->number[0] = '\0';
	if (!value.n || value.n > MKV_NUMBER_MAX)
		return;
	for (size_t i = 0; i < value.n; i++)
		if (!is_digit(value.at[i]))
			return;
	memcpy(doc->number, value.at, value.n);
	doc->number[value.n] = '\0';
}

/* "1511852109.126": seconds, by digits since a double would be off by one. */
static void set_time(int64_t *ms, struct ebml_span value)
{
	const uint8_t *dot = value.n ? memchr(value.at, '.', value.n) : NULL;
	struct ebml_span whole = value, part = {value.at, 0};
	int64_t seconds, thousandths = 0;

	if (dot) {
		whole.n = (size_t)(dot - value.at);
		part = (struct ebml_span){dot + 1, value.n - whole.n - 1};
	}
	if (!read_number(whole, SECONDS_MAX, &seconds))
		return;
	for (size_t i = 0; i < part.n; i++)
		if (!is_digit(part.at[i]))
			return;
	for (size_t i = 0; i < 3; i++)
		thousandths = thousandths * 10 +
			      (i < part.n ? part.at[i] - '0' : 0);
	if (part.n > 3 && part.at[3] >= '5')
		thousandths++;
	*ms = seconds * 1000 + thousandths;
}

/* For a log line: whole characters only, none that moves the cursor. */
static void set_text(char out[MKV_ERROR_TEXT_BYTES], struct ebml_span value)
{
	size_t n = MIN(value.n, MKV_ERROR_TEXT_BYTES - 1);
	const char *end;

	memcpy(out, value.at, n);
	out[n] = '\0';
	if (!g_utf8_validate(out, (gssize)n, &end))
		out[end - out] = '\0';
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

static void set_error_id(struct mkv_document *doc, struct ebml_span value)
{
	int64_t id;

	doc->has_error = true;
	if (read_number(value, ERROR_ID_MAX, &id))
		doc->error_id = (int)id;
}

static void set_error_code(struct mkv_document *doc, struct ebml_span value)
{
	doc->has_error = true;
	set_text(doc->error_code, value);
}

/* The model says integer; a name is as welcome. */
static void set_exception_code(struct mkv_document *doc, struct ebml_span value)
{
	int64_t id;

	if (read_number(value, ERROR_ID_MAX, &id))
		set_error_id(doc, value);
	else
		set_error_code(doc, value);
}

static void set_error_message(struct mkv_document *doc, struct ebml_span value)
{
	doc->has_error = true;
	set_text(doc->error_message, value);
}

static void set_server_time(struct mkv_document *doc, struct ebml_span value)
{
	set_time(&doc->server_ms, value);
}

static void set_producer_time(struct mkv_document *doc, struct ebml_span value)
{
	set_time(&doc->producer_ms, value);
}

#define AWS "AWS_KINESISVIDEO_"

static const struct {
	const char *name;
	void (*set)(struct mkv_document *doc, struct ebml_span value);
} known_tags[] = {
	{AWS "FRAGMENT_NUMBER", set_number},
	{AWS "SERVER_TIMESTAMP", set_server_time},
	{AWS "SERVER_SIDE_TIMESTAMP", set_server_time},
	{AWS "PRODUCER_TIMESTAMP", set_producer_time},
	{AWS "PRODUCER_SIDE_TIMESTAMP", set_producer_time},
	{AWS "ERROR_ID", set_error_id},
	{AWS "ERROR_CODE", set_error_code},
	{AWS "EXCEPTION_ERROR_CODE", set_exception_code},
	{AWS "EXCEPTION_MESSAGE", set_error_message},
};

/* The parameter of a MIME type: digits after ";name=". */
static unsigned mime_number(const char *mime, const char *name, unsigned max)
{
	g_auto(GStrv) parts = g_strsplit(mime, ";", -1);
	size_t n = strlen(name);

	for (char **part = parts; *part; part++) {
		const char *p = g_strstrip(*part);
		int64_t value;

		if (g_ascii_strncasecmp(p, name, n) || p[n] != '=')
			continue;
		struct ebml_span digits = {(const uint8_t *)p + n + 1,
					   strlen(p + n + 1)};

		if (read_number(digits, max, &value))
			return (unsigned)value;
	}
	return 0;
}

static int read_mime(struct ebml_span tag, struct ebml_span value,
		     struct mkv_l16 *l16)
{
	g_autofree char *mime = NULL;
	struct mkv_l16 found = {.present = true};
	int rc;

	if (value.n > MIME_MAX_BYTES)
		return 0;
	mime = g_strndup((const char *)value.at, value.n);
	if (g_ascii_strncasecmp(mime, "audio/L16", 9) ||
	    (mime[9] && mime[9] != ';'))
		return 0;
	rc = mkv_tag_track_uid(tag, &found.track_uid);
	if (rc < 0)
		return rc;
	found.rate = mime_number(mime, "rate", RATE_MAX);
	found.channels = mime_number(mime, "channels", CHANNELS_MAX);
	*l16 = found;
	return 0;
}

static int read_tag(struct ebml_span tag, struct mkv_document *doc,
		    struct mkv_l16 *l16)
{
	struct ebml_span rest = tag;
	struct mkv_simple_tag simple;
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&rest, &e)) > 0) {
		if (e.id != MKV_SIMPLE_TAG)
			continue;
		rc = mkv_simple_tag_read(e.body, &simple);
		if (!rc && ebml_string_is(simple.name, "MimeType"))
			rc = read_mime(tag, simple.value, l16);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < G_N_ELEMENTS(known_tags); i++)
			if (ebml_string_is(simple.name, known_tags[i].name))
				known_tags[i].set(doc, simple.value);
	}
	return rc;
}

int mkv_identity_read(struct ebml_span tags, struct mkv_document *doc,
		      struct mkv_l16 *l16)
{
	struct ebml_element e;
	int rc;

	while ((rc = ebml_next(&tags, &e)) > 0) {
		if (e.id == MKV_TAG)
			rc = read_tag(e.body, doc, l16);
		if (rc < 0)
			return rc;
	}
	return rc;
}
