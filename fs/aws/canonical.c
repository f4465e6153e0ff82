/* SPDX-License-Identifier: MIT */
#include "fs/aws/canonical.h"

#include <stdlib.h>
#include <string.h>

static void append_byte(GString *out, unsigned char c, const char *also_kept)
{
	if (g_ascii_isalnum(c) || (c && strchr("-_.~", c)) ||
	    (c && strchr(also_kept, c)))
		g_string_append_c(out, (char)c);
	else
		g_string_append_printf(out, "%%%02X", c);
}

static bool is_dot(const char *segment)
{
	return !strcmp(segment, ".");
}

static bool is_dotdot(const char *segment)
{
	return !strcmp(segment, "..");
}

/* RFC 3986 §5.2.4, and runs of slashes become one. */
static char *normalized(const char *path)
{
	g_auto(GStrv) segments = g_strsplit(path, "/", -1);
	g_autoptr(GPtrArray) kept = g_ptr_array_new();
	GString *out = g_string_new(NULL);
	const char *last = "";

	for (char **s = segments; *s; s++) {
		last = *s;
		if (is_dotdot(*s) && kept->len)
			g_ptr_array_remove_index(kept, kept->len - 1);
		else if (**s && !is_dot(*s) && !is_dotdot(*s))
			g_ptr_array_add(kept, *s);
	}
	for (guint i = 0; i < kept->len; i++)
		g_string_append_printf(out, "/%s",
				       (const char *)kept->pdata[i]);
	if (!*last || is_dot(last) || is_dotdot(last))
		g_string_append_c(out, '/');
	return g_string_free(out, FALSE);
}

char *aws_canonical_path(const char *path, bool normalize)
{
	g_autofree char *clean = normalize ? normalized(path) : g_strdup(path);
	GString *out = g_string_new(NULL);

	for (const char *p = clean; *p; p++)
		append_byte(out, (unsigned char)*p, "/");
	if (!out->len)
		g_string_append_c(out, '/');
	return g_string_free(out, FALSE);
}

/* Decoded and encoded again, so that %7e and %7E and ~ are one. */
static char *reencoded(const char *s, size_t n)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '%' && i + 2 < n && g_ascii_isxdigit(s[i + 1]) &&
		    g_ascii_isxdigit(s[i + 2])) {
			c = (unsigned char)(g_ascii_xdigit_value(s[i + 1]) *
						    16 +
					    g_ascii_xdigit_value(s[i + 2]));
			i += 2;
		}
		append_byte(out, c, "");
	}
	return g_string_free(out, FALSE);
}

struct pair {
	char *name, *value;
	size_t order; /* in the request; decides between equals */
};

static void pair_clear(gpointer p)
{
	struct pair *pair = p;

	g_free(pair->name);
	g_free(pair->value);
}

static gint by_name_then_value(gconstpointer a, gconstpointer b)
{
	const struct pair *x = a, *y = b;
	int rc = strcmp(x->name, y->name);

	return rc ? rc : strcmp(x->value, y->value);
}

static gint by_name_then_order(gconstpointer a, gconstpointer b)
{
	const struct pair *x = a, *y = b;
	int rc = strcmp(x->name, y->name);

	return rc ? rc : (x->order > y->order) - (x->order < y->order);
}

static GArray *pairs_new(void)
{
	GArray *pairs = g_array_new(FALSE, TRUE, sizeof(struct pair));

	g_array_set_clear_func(pairs, pair_clear);
	return pairs;
}

char *aws_canonical_query(const char *query)
{
	g_auto(GStrv) parts = g_strsplit(query, "&", -1);
	g_autoptr(GArray) pairs = pairs_new();
	GString *out = g_string_new(NULL);

	for (char **p = parts; *p; p++) {
		size_t name_n = strcspn(*p, "=");
		const char *value = *p + name_n + ((*p)[name_n] == '=');
		struct pair pair = {
			.name = reencoded(*p, name_n),
			.value = reencoded(value, strlen(value)),
		};

		if (**p)
			g_array_append_val(pairs, pair);
		else
			pair_clear(&pair);
	}
	g_array_sort(pairs, by_name_then_value);
	for (guint i = 0; i < pairs->len; i++) {
		const struct pair *p = &g_array_index(pairs, struct pair, i);

		g_string_append_printf(out, "%s%s=%s", i ? "&" : "", p->name,
				       p->value);
	}
	return g_string_free(out, FALSE);
}

/* Trimmed, and runs of white space (folded lines included) are one space. */
static char *trimmed(const char *value)
{
	GString *out = g_string_new(NULL);
	bool gap = false;

	for (; *value; value++) {
		if (g_ascii_isspace(*value)) {
			gap = true;
			continue;
		}
		if (gap && out->len)
			g_string_append_c(out, ' ');
		gap = false;
		g_string_append_c(out, *value);
	}
	return g_string_free(out, FALSE);
}

void aws_canonical_headers(const struct sigv4_header *headers, size_t n,
			   GString *lines, GString *names)
{
	g_autoptr(GArray) pairs = pairs_new();
	const char *previous = NULL;

	for (size_t i = 0; i < n; i++) {
		struct pair pair = {
			.name = g_ascii_strdown(headers[i].name, -1),
			.value = trimmed(headers[i].value),
			.order = i,
		};

		g_array_append_val(pairs, pair);
	}
	g_array_sort(pairs, by_name_then_order);
	for (guint i = 0; i < pairs->len; i++) {
		const struct pair *p = &g_array_index(pairs, struct pair, i);

		if (previous && !strcmp(previous, p->name)) {
			g_string_append_printf(lines, ",%s", p->value);
			continue;
		}
		g_string_append_printf(lines, "%s%s:%s", previous ? "\n" : "",
				       p->name, p->value);
		g_string_append_printf(names, "%s%s", previous ? ";" : "",
				       p->name);
		previous = p->name;
	}
	if (previous)
		g_string_append_c(lines, '\n');
}
