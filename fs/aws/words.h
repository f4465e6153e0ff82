/* SPDX-License-Identifier: MIT */
/*
 * words: a line split into words as the AWS CLI splits it, which is Python's
 * shlex.split(): words end at blanks, '...' is as it stands, in "..." a
 * backslash quotes '"' and '\', outside of quotes anything.  Unlike a shell's
 * (and g_shell_parse_argv()'s) there are no comments, and "\$" keeps its
 * backslash.  Pure; any thread.
 */
#ifndef KVSFS_AWS_WORDS_H
#define KVSFS_AWS_WORDS_H

/*
 * NULL-terminated, to be freed with aws_words_free(); NULL where a quote is not
 * closed or a backslash quotes nothing.
 */
char **aws_words(const char *line);
/* Wipes: an argument may be a secret.  NULL is fine. */
void aws_words_free(char **words);

#endif
