/*
 * Many patterns of address_match() as one: which of them does a text match?
 *
 * What stands before the first '*' or '?' of a pattern and what stands behind
 * the last one must be in the text; patterns are found by these two, so that
 * what a text costs depends on how many lengths of them there are, and hardly
 * on the number of patterns. Patterns are not copied: they live as long as
 * the set. One of which nothing but the arena is set is empty.
 */
#ifndef MESSAGE_PATTERNS_H
#define MESSAGE_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/strmap.h"

struct arena;
struct patterns_bucket;
struct patterns_shape;

struct patterns {
	struct arena *arena;
	struct strmap map;			/* both ends of a pattern: its bucket */
	struct patterns_bucket *bucket;		/* patterns that end alike */
	size_t bucket_n, bucket_alloc;
	struct patterns_shape *shape;		/* lengths of their ends */
	size_t shape_n, shape_alloc;
	char *key;				/* room for what is looked up */
	size_t key_room;
	size_t n;				/* patterns */
};

/* Adds a pattern; they are numbered from 0 as they come. */
void patterns_add(struct patterns *p, const char *pattern);

/* Adds a list that ends with NULL, and may be NULL. */
void patterns_add_all(struct patterns *p, const char *const *list);

/*
 * Does text match a pattern with that number or a higher one? Then the lowest
 * goes to *number_out, which may be NULL.
 */
bool patterns_find(struct patterns *p, const char *text, size_t from, size_t *number_out);

#endif
