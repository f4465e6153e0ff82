/* SPDX-License-Identifier: MIT */
/*
 * config: one of the AWS CLI's two profile files, parsed.
 *
 * The grammar is botocore's (Python's configparser): a line whose first
 * character is '#' or ';' is a comment and nothing else is; "key = value" or
 * "key: value", keys without case; a line indented deeper than its key goes on
 * with that key's value, and where the value is empty, such lines are nested
 * "key = value" pairs.  What is in [DEFAULT] is in every section.  Lines end as
 * Python's do (also by a lone CR), blanks are Unicode's, a section's name is
 * all up to the last ']' and, but for what quotes enclose in the config file,
 * every blank of it counts.  Text in values is never unquoted and never cut.
 *
 * Where it differs: what botocore refuses is taken here if it is a byte order
 * mark or a section or key that comes twice (merged, the last one wins, as
 * AWS's reference says); a NUL byte is refused here and not there.
 *
 * Immutable once read; any thread.  Values may be secrets: aws_config_free()
 * wipes them, and no message holds a piece of the file.
 *
 * Sources: docs.aws.amazon.com sdkref "Shared config and credentials files";
 * botocore configloader.py.
 */
#ifndef KVSFS_AWS_CONFIG_H
#define KVSFS_AWS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct aws_config;

enum aws_config_kind {
	AWS_CONFIG_FILE,      /* [default], [profile x], [services x] */
	AWS_CREDENTIALS_FILE, /* [x] is profile x */
};

/*
 * A file that does not exist is an empty one.  0, or -EINVAL with one sentence
 * that says file and line (g_free() it): unreadable, too large, a line that is
 * none of the above.
 */
int aws_config_read(const char *path, enum aws_config_kind kind,
		    struct aws_config **ret_config, char **ret_error);
/* The same from memory; path is for messages. */
int aws_config_parse(const char *text, size_t n, const char *path,
		     enum aws_config_kind kind, struct aws_config **ret_config,
		     char **ret_error);
void aws_config_free(struct aws_config *c);

/* type: "profile", "sso-session", "services".  Is there such a section? */
bool aws_config_has(const struct aws_config *c, const char *type,
		    const char *name);

/*
 * A value, or NULL where there is none or it is empty.  nested: the key of an
 * indented line below an empty key, or NULL.  Borrowed.
 */
const char *aws_config_get(const struct aws_config *c, const char *type,
			   const char *name, const char *key,
			   const char *nested);

#endif
