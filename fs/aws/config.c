/* SPDX-License-Identifier: MIT */
#include "fs/aws/config.h"

#include "fs/aws/words.h"

#include <glib.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <string.h>

/* Of a section whose name is none: nobody can ask for it. */
#define NOBODY "\n"
/* Where a section keeps how it was written; no key is empty. */
#define HEADER ""
/* configparser's: its keys are in every other section, too. */
#define DEFAULTS "DEFAULT"

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
	size_t key_indent;   /* in characters */
	char *value;	     /* of key, as far as it has come */
	size_t value_bytes, value_room;
	unsigned blanks; /* lines since */
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

/* ---- text, as Python has it --------------------------------------------- */

static bool is_blank(gunichar c)
{
	return c == '\v' || (c >= 0x1c && c <= 0x1f) || c == 0x85 ||
	       g_unichar_isspace(c);
}

/* Past the blanks at its beginning; how many characters they are. */
static char *skip_blanks(char *s, size_t *ret_n)
{
	*ret_n = 0;
	while (*s && is_blank(g_utf8_get_char(s))) {
		s = g_utf8_next_char(s);
		++*ret_n;
	}
	return s;
}

/* In place: without blanks at either end. */
static char *strip(char *s)
{
	size_t unused;
	char *end;

	s = skip_blanks(s, &unused);
	end = s + strlen(s);
	while (end > s) {
		char *last = g_utf8_prev_char(end);

		if (!is_blank(g_utf8_get_char(last)))
			break;
		end = last;
	}
	*end = '\0';
	return s;
}

/* In place: "\r\n" and a lone "\r" end a line as "\n" does. */
static void one_kind_of_line_end(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\r' && s[1] == '\n')
			continue;
		*to++ = *s == '\r' ? '\n' : *s;
	}
	*to = '\0';
}

/* ---- values ------------------------------------------------------------- */

/* What outgrows its room is moved by hand: it may be a secret. */
static void value_append(struct parser *p, const char *text)
{
	size_t n = strlen(text);

	if (p->value_bytes + n >= p->value_room) {
		size_t room = 2 * (p->value_bytes + n) + 64;
		char *wider = g_malloc(room);

		memcpy(wider, p->value ? p->value : "", p->value_bytes + 1);
		if (p->value)
			wipe_free(p->value);
		p->value = wider;
		p->value_room = room;
	}
	memcpy(p->value + p->value_bytes, text, n + 1);
	p->value_bytes += n;
}

/* The lines of a value whose first one is empty are pairs. */
static void put_nested(struct parser *p)
{
	char *rest = p->value, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *mark = strchr(line, '=');

		if (!mark)
			continue; /* it is empty */
		*mark = '\0';
		g_hash_table_insert(
			p->section,
			g_strconcat(p->key, "\n", strip(line), NULL),
			g_strdup(strip(mark + 1)));
	}
	OPENSSL_cleanse(p->value, p->value_bytes);
}

/* The key is over. */
static void put_value(struct parser *p)
{
	if (p->key) {
		bool nested = p->value[0] == '\n';

		g_hash_table_insert(p->section, g_strdup(p->key),
				    g_strdup(nested ? "" : p->value));
		if (nested)
			put_nested(p);
	}
	g_clear_pointer(&p->key, g_free);
	g_clear_pointer(&p->value, wipe_free);
	p->value_bytes = 0;
	p->value_room = 0;
	p->blanks = 0;
}

/* ---- lines -------------------------------------------------------------- */

/* "TYPE NAME" whatever the file calls it. */
static char *section_name(const struct parser *p, const char *header)
{
	static const char *const types[] = {"profile", "sso-session",
					    "services"};
	char **words, *name = NULL;

	if (!strcmp(header, DEFAULTS))
		return g_strdup(header);
	if (p->kind == AWS_CREDENTIALS_FILE)
		return g_strconcat("profile ", header, NULL);
	if (!strcmp(header, "default"))
		return g_strdup("profile default");
	/* botocore looks at how it begins and at how many words it has. */
	words = aws_words(header);
	for (size_t i = 0; !name && words && i < G_N_ELEMENTS(types); i++)
		if (g_str_has_prefix(header, types[i]) &&
		    g_strv_length(words) == 2)
			name = g_strjoin(" ", types[i], words[1], NULL);
	aws_words_free(words);
	return name ? name : g_strdup(NOBODY);
}

static GHashTable *section_new(struct parser *p, const char *name)
{
	GHashTable *section = g_hash_table_new_full(g_str_hash, g_str_equal,
						    g_free, wipe_free);

	g_hash_table_insert(p->config->sections, g_strdup(name), section);
	return section;
}

static int parse_section(struct parser *p, char *text)
{
	g_autofree char *name = NULL;
	char *header = text + 1;

	put_value(p);
	*strrchr(header, ']') = '\0';
	name = section_name(p, header);
	p->section = g_hash_table_lookup(p->config->sections, name);
	if (!p->section)
		p->section = section_new(p, name);
	else if (strcmp(g_hash_table_lookup(p->section, HEADER), header))
		/* [default] and [profile default] are two, the last one wins;
		   only what has one name is one. */
		g_hash_table_remove_all(p->section);
	g_hash_table_insert(p->section, g_strdup(HEADER), g_strdup(header));
	return 0;
}

static int parse_pair(struct parser *p, char *text, char **ret_error)
{
	char *mark = strpbrk(text, "=:");

	put_value(p);
	if (!mark || mark == text)
		return complain(p, "expected 'key = value' or '[section]'",
				ret_error);
	if (!p->section)
		return complain(p, "a key before the first [section]",
				ret_error);
	*mark = '\0';
	p->key = g_ascii_strdown(strip(text), -1);
	value_append(p, strip(mark + 1));
	return 0;
}

/* A line deeper than its key. */
static int parse_deeper(struct parser *p, const char *text, char **ret_error)
{
	if ((!p->value_bytes || p->value[0] == '\n') && !strchr(text, '='))
		return complain(p, "expected an indented 'key = value'",
				ret_error);
	for (; p->blanks; p->blanks--)
		value_append(p, "\n");
	value_append(p, "\n");
	value_append(p, text);
	return 0;
}

static int parse_line(struct parser *p, char *line, char **ret_error)
{
	size_t indent;
	char *text = strip(skip_blanks(line, &indent));

	if (!*text)
		p->blanks++;
	if (!*text || *text == '#' || *text == ';')
		return 0;
	if (p->key && indent > p->key_indent)
		return parse_deeper(p, text, ret_error);
	p->key_indent = indent;
	/* NULL is not above anything. */
	if (*text == '[' && strrchr(text, ']') > text + 1)
		return parse_section(p, text);
	return parse_pair(p, text, ret_error);
}

/* ---- a text ------------------------------------------------------------- */

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

/* A NUL would hide the rest of the file; of what is not UTF-8 nobody knows
 * what it says. */
static int check_text(struct parser *p, const char *text, size_t n,
		      char **ret_error)
{
	const char *bad;

	if (g_utf8_validate_len(text, n, &bad))
		return 0;
	for (; text < bad; text++)
		p->line += *text == '\n';
	return complain(p,
			*bad ? "a byte that is not UTF-8"
			     : "a NUL byte: this is no text file",
			ret_error);
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
	rc = check_text(&p, text, n, ret_error);
	if (rc)
		return rc;
	p.config = config_new();
	copy = rest = g_strndup(text, n);
	one_kind_of_line_end(copy);
	for (; rc == 0 && (line = strsep(&rest, "\n")); p.line++)
		rc = parse_line(&p, line, ret_error);
	put_value(&p);
	OPENSSL_cleanse(copy, n);
	g_free(copy);
	if (rc) {
		aws_config_free(p.config);
		return rc;
	}
	*ret_config = p.config;
	return 0;
}

/* ---- questions ---------------------------------------------------------- */

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
	const char *value;

	/* Where the section has the key, the default's is hidden. */
	if (section && !g_hash_table_contains(section, key))
		section = g_hash_table_lookup(c->sections, DEFAULTS);
	value = section ? g_hash_table_lookup(section, full) : NULL;
	return value && *value ? value : NULL;
}
