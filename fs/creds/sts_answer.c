/* SPDX-License-Identifier: MIT */
#include "fs/creds/sts_answer.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "fs/aws/credentials.h"

static const char *const names[STS_MEMBERS] = {
	[STS_ID] = "AccessKeyId",
	[STS_SECRET] = "SecretAccessKey",
	[STS_TOKEN] = "SessionToken",
	[STS_EXPIRATION] = "Expiration",
	[STS_CODE] = "Code",
	[STS_MESSAGE] = "Message",
	[STS_REQUEST_ID] = "RequestId",
};

static void on_text(GMarkupParseContext *context, const char *text, gsize n,
		    void *user, GError **error)
{
	const char *element = g_markup_parse_context_get_element(context);
	struct sts_answer *a = user;

	for (size_t i = 0; element && i < STS_MEMBERS; i++)
		if (!a->values[i] && !strcmp(names[i], element))
			a->values[i] = g_strndup(text, n);
}

int sts_answer_read(const char *xml, size_t n, struct sts_answer *ret_answer)
{
	static const GMarkupParser parser = {.text = on_text};
	GMarkupParseContext *c;
	bool ok;

	*ret_answer = (struct sts_answer){{NULL}};
	c = g_markup_parse_context_new(&parser, 0, ret_answer, NULL);
	ok = g_markup_parse_context_parse(c, xml, (gssize)n, NULL) &&
	     g_markup_parse_context_end_parse(c, NULL);
	g_markup_parse_context_free(c);
	return ok ? 0 : -EPROTO;
}

void sts_answer_release(struct sts_answer *a)
{
	for (size_t i = 0; i < STS_MEMBERS; i++)
		g_clear_pointer(&a->values[i], aws_wipe_free);
}
