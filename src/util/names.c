#include "config.h"
#include "util/names.h"

#include <string.h>
#include <strings.h>

#define MAX_LEN 63	/* longer words are not compared letter by letter */

int names_find(const struct name_value *table, const char *name, int *value_out)
{
	for (; table->name; table++) {
		if (strcasecmp(table->name, name) == 0) {
			*value_out = table->value;
			return 0;
		}
	}
	return -1;
}

const char *names_name(const struct name_value *table, int value)
{
	for (; table->name; table++) {
		if (table->value == value)
			return table->name;
	}
	return NULL;
}

static char fold(char c)
{
	if (c == '-')
		return '_';
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Damerau's distance with three rows: before[], last[] and now[]. */
unsigned names_distance(const char *a, const char *b, unsigned limit)
{
	unsigned before[MAX_LEN + 1] = { 0 }, last[MAX_LEN + 1], now[MAX_LEN + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > MAX_LEN || lb > MAX_LEN)
		return limit + 1;
	for (size_t j = 0; j <= lb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned same = fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1;

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + same);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		memcpy(before, last, sizeof(last));
		memcpy(last, now, sizeof(now));
	}
	return least(last[lb], limit + 1);
}
