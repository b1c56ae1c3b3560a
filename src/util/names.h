/*
 * Tables of names and values, and the nearest name to a misspelt one.
 */
#ifndef UTIL_NAMES_H
#define UTIL_NAMES_H

#include <stddef.h>

struct name_value {
	const char *name;
	int value;
};

/*
 * The value of name (ASCII case ignored) in a table that ends with a NULL
 * name: 0 and *value_out, or -1.
 */
int names_find(const struct name_value *table, const char *name, int *value_out);

/* The first name of value; NULL if the table has none. */
const char *names_name(const struct name_value *table, int value);

/*
 * How far two spellings are apart: the number of letters to insert, drop,
 * change or swap; '-' and '_' and the cases are the same. A result above
 * limit is reported as limit + 1.
 */
unsigned names_distance(const char *a, const char *b, unsigned limit);

#endif
