/* SPDX-License-Identifier: MIT */
#include "fs/aws/config.h"

#include "fs/base/base.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

/* Far above any real file; a device named by mistake must not fill memory. */
#define FILE_MAX_BYTES ((size_t)1 << 20)

struct aws_config {
	/* "TYPE NAME" -> GHashTable of key, or "key\nnested", -> value */
	GHashTable *sections;
};

struct parser {
	struct aws_config *config;
	enum aws_config_kind kind;
	const char *path;
	unsigned line;
	GHashTable *section; /* borrowed from config, or NULL */
	char *key;	     /* what deeper lines belong to, or NULL */
	size_t key_indent;
};

static void wipe_free(gpointer p)
{
	OPENSSL_cleanse(p, strlen(p));
	g_free(p);
}

static int complain(const struct parser *p, const char *what, char **ret_error)
{
	*ret_error = g_strdup_printf("%s:%u: %s", p->path, p->line, what);
	return -EINVAL;
}

/* "profile NAME" whatever the file calls it; NULL: unbalanced quotes. */
static char *section_name(const struct parser *p, const char *header)
{
	g_auto(GStrv) words = NULL;
	int n = 0;

	if (p->kind == AWS_CREDENTIALS_FILE)
		return g_strconcat("profile ", header, NULL);
	if (!g_shell_parse_argv(header, &n, &words, NULL))
		return NULL;
	if (n == 1 && !strcmp(words[0], "default"))
		return g_strdup("profile default");
	/* More words, unquoted, name nothing: botocore skips such sections. */
	return n == 2 ? g_strjoinv(" ", words) : g_strdup(header);
}

/* The ']' that ends the header; a quoted one does not. */
static char *header_end(char *s)
{
	char quote = 0;

	for (; *s; s++) {
		if (*s == quote)
			quote = 0;
		else if (!quote && (*s == '"' || *s == '\''))
			quote = *s;
		else if (!quote && *s == ']')
			return s;
	}
	return NULL;
}

static int parse_section(struct parser *p, char *text, char **ret_error)
{
	char *end = header_end(text);
	g_autofree char *name = NULL;

	if (!end)
		return complain(p, "a section's name has no ']'", ret_error);
	*end = '\0';
	text = g_strstrip(text + 1);
	name = *text ? section_name(p, text) : NULL;
	if (!name)
		return complain(p, "a section's name cannot be read",
				ret_error);
	p->section = g_hash_table_lookup(p->config->sections, name);
	if (!p->section) {
		p->section = g_hash_table_new_full(g_str_hash, g_str_equal,
						   g_free, wipe_free);
		g_hash_table_insert(p->config->sections, g_steal_pointer(&name),
				    p->section);
	}
	g_clear_pointer(&p->key, g_free);
	return 0;
}

static int parse_pair(struct parser *p, char *text, char **ret_error)
{
	char *mark = strpbrk(text, "=:");

	if (!mark || mark == text)
		return complain(p, "expected 'key = value' or '[section]'",
				ret_error);
	if (!p->section)
		return complain(p, "a key before the first [section]",
				ret_error);
	*mark = '\0';
	g_free(p->key);
	p->key = g_ascii_strdown(g_strchomp(text), -1);
	g_hash_table_insert(p->section, g_strdup(p->key),
			    g_strdup(g_strchug(mark + 1)));
	return 0;
}

/* A line deeper than its key. */
static int parse_deeper(struct parser *p, char *text, char **ret_error)
{
	const char *so_far = g_hash_table_lookup(p->section, p->key);
	char *mark = strchr(text, '=');

	if (*so_far) {
		g_hash_table_insert(p->section, g_strdup(p->key),
				    g_strconcat(so_far, "\n", text, NULL));
		return 0;
	}
	if (!mark || mark == text)
		return complain(p, "expected an indented 'key = value'",
				ret_error);
	*mark = '\0';
	g_hash_table_insert(p->section,
			    g_strconcat(p->key, "\n", g_strchomp(text), NULL),
			    g_strdup(g_strchug(mark + 1)));
	return 0;
}

static int parse_line(struct parser *p, char *line, char **ret_error)
{
	size_t indent = strspn(line, " \t\v\f\r");
	char *text = g_strchomp(line + indent);

	if (!*text || *text == '#' || *text == ';')
		return 0;
	if (p->key && indent > p->key_indent)
		return parse_deeper(p, text, ret_error);
	p->key_indent = indent;
	if (*text == '[')
		return parse_section(p, text, ret_error);
	return parse_pair(p, text, ret_error);
}

static struct aws_config *config_new(void)
{
	struct aws_config *c = g_new0(struct aws_config, 1);

	c->sections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					    (GDestroyNotify)g_hash_table_unref);
	return c;
}

void aws_config_free(struct aws_config *c)
{
	if (!c)
		return;
	g_hash_table_unref(c->sections);
	g_free(c);
}

/* A NUL would hide the rest of the file. */
static int refuse_nul(struct parser *p, const char *text, size_t n,
		      char **ret_error)
{
	const char *nul = memchr(text, '\0', n);

	if (!nul)
		return 0;
	for (; text < nul; text++)
		p->line += *text == '\n';
	return complain(p, "a NUL byte: this is no text file", ret_error);
}

int aws_config_parse(const char *text, size_t n, const char *path,
		     enum aws_config_kind kind, struct aws_config **ret_config,
		     char **ret_error)
{
	struct parser p = {.kind = kind, .path = path, .line = 1};
	char *copy, *rest, *line;
	int rc;

	if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		/* Windows editors put a byte order mark first. */
		text += 3;
		n -= 3;
	}
	rc = refuse_nul(&p, text, n, ret_error);
	if (rc)
		return rc;
	p.config = config_new();
	copy = rest = g_strndup(text, n);
	for (; rc == 0 && (line = strsep(&rest, "\n")); p.line++)
		rc = parse_line(&p, line, ret_error);
	OPENSSL_cleanse(copy, n);
	g_free(copy);
	g_free(p.key);
	if (rc) {
		aws_config_free(p.config);
		return rc;
	}
	*ret_config = p.config;
	return 0;
}

/* All of fd into buf, which has room for FILE_MAX_BYTES + 1; or -errno. */
static ssize_t read_all(int fd, char *buf)
{
	size_t have = 0;

	while (have <= FILE_MAX_BYTES) {
		ssize_t n = read(fd, buf + have, FILE_MAX_BYTES + 1 - have);

		if (n == 0)
			return (ssize_t)have;
		if (n > 0)
			have += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return -EFBIG;
}

int aws_config_read(const char *path, enum aws_config_kind kind,
		    struct aws_config **ret_config, char **ret_error)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	g_autofree char *buf = NULL;
	ssize_t n;
	int rc;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return aws_config_parse("", 0, path, kind, ret_config,
					ret_error);
	if (fd < 0) {
		*ret_error = g_strdup_printf("%s: %s", path, g_strerror(errno));
		return -EINVAL;
	}
	buf = g_malloc(FILE_MAX_BYTES + 1);
	n = read_all(fd, buf);
	if (n < 0) {
		*ret_error = g_strdup_printf("%s: %s", path,
					     g_strerror((int)-n));
		rc = -EINVAL;
	} else {
		rc = aws_config_parse(buf, (size_t)n, path, kind, ret_config,
				      ret_error);
	}
	OPENSSL_cleanse(buf, FILE_MAX_BYTES + 1);
	return rc;
}

static GHashTable *find_section(const struct aws_config *c, const char *type,
				const char *name)
{
	g_autofree char *full = g_strconcat(type, " ", name, NULL);

	return g_hash_table_lookup(c->sections, full);
}

bool aws_config_has(const struct aws_config *c, const char *type,
		    const char *name)
{
	return find_section(c, type, name) != NULL;
}

const char *aws_config_get(const struct aws_config *c, const char *type,
			   const char *name, const char *key,
			   const char *nested)
{
	GHashTable *section = find_section(c, type, name);
	g_autofree char *full = nested ? g_strconcat(key, "\n", nested, NULL)
				       : g_strdup(key);
	const char *value = section ? g_hash_table_lookup(section, full) : NULL;

	return value && *value ? value : NULL;
}
