/* SPDX-License-Identifier: MIT */
#include "fs/cli/values.h"

#include <glib.h>
#include <math.h>
#include <string.h>

/* A longer word is no slip of the fingers. */
#define WORD_MAX 48

static char folded(char c)
{
	return c == '_' ? '-' : c;
}

bool value_same_name(const char *a, const char *b, size_t b_bytes)
{
	size_t i;

	for (i = 0; i < b_bytes; i++)
		if (!a[i] || folded(a[i]) != folded(b[i]))
			return false;
	return !a[i];
}

/*
 * Digits with an optional fraction and nothing else: strtod() alone takes
 * "inf", "0x10", signs and leading spaces.  The rest of text is in *ret_unit.
 */
static bool decimal(const char *text, double *ret_number, const char **ret_unit)
{
	size_t n = strspn(text, "0123456789");
	char *end;

	if (!n)
		return false;
	if (text[n] == '.')
		n += 1 + strspn(text + n + 1, "0123456789");

	g_autofree char *digits = g_strndup(text, n);
	double number = g_ascii_strtod(digits, &end);

	if (*end || !isfinite(number))
		return false;
	*ret_number = number;
	*ret_unit = text + n;
	return true;
}

/* As int64_t, where it fits: 2^53 keeps every integer exact. */
static bool whole(double number, int64_t *ret)
{
	if (number > (double)(INT64_C(1) << 53))
		return false;
	*ret = (int64_t)llround(number);
	return true;
}

bool value_bytes(const char *text, int64_t *ret_bytes)
{
	static const char letters[] = "KMGTP";
	double number;
	const char *unit, *letter = NULL;

	if (!decimal(text, &number, &unit))
		return false;
	if (*unit)
		letter = strchr(letters, g_ascii_toupper(*unit));
	if (letter) {
		number = ldexp(number, 10 * (int)(letter - letters + 1));
		unit++;
		if (*unit == 'i')
			unit++;
	}
	if (*unit == 'B')
		unit++;
	return !*unit && whole(number, ret_bytes);
}

bool value_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {
		{"", 1000},   {"ms", 1},      {"s", 1000},
		{"m", 60000}, {"h", 3600000}, {"d", 86400000},
	};
	double number;
	const char *unit;

	if (!decimal(text, &number, &unit))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (!strcmp(unit, units[i].unit))
			return whole(number * units[i].ms, ret_ms);
	return false;
}

bool value_ratio(const char *text, double *ret_ratio)
{
	double number;
	const char *unit;

	if (!decimal(text, &number, &unit))
		return false;
	if (!strcmp(unit, "%"))
		number /= 100;
	else if (*unit)
		return false;
	if (number >= 1)
		return false;
	*ret_ratio = number;
	return true;
}

bool value_number(const char *text, double *ret_number)
{
	const char *unit;
	double number;

	if (!decimal(text, &number, &unit) || *unit)
		return false;
	*ret_number = number;
	return true;
}

bool value_integer(const char *text, int base, int64_t min, int64_t max,
		   int64_t *ret_number)
{
	gint64 number;

	if (!g_ascii_string_to_signed(text, (guint)base, min, max, &number,
				      NULL))
		return false;
	*ret_number = number;
	return true;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < nb; j++) {
			bool same = folded(a[i]) == folded(b[j]);
			size_t change = diagonal + (same ? 0 : 1);
			size_t shift = MIN(row[j], row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = MIN(change, shift);
		}
	}
	return row[nb];
}

const char *value_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t length = strlen(word);
	/* Half of a word may be wrong in a short one, not in a long one. */
	size_t best_distance = MIN(length / 2, 4) + 1;

	if (length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (strlen(names[i]) > WORD_MAX)
			continue;
		d = distance(word, names[i]);
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}
