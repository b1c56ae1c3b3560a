/*
 * Numbers by name, for lists that are too long to be walked for every name.
 *
 * ASCII case is ignored, unless the map is exact. The names are not copied:
 * they live as long as the map. One of which nothing but the arena and exact
 * is set is empty.
 */
#ifndef UTIL_STRMAP_H
#define UTIL_STRMAP_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct strmap_slot;

struct strmap {
	struct arena *arena;	/* the map lives there */
	struct strmap_slot *slot;
	size_t size;		/* a power of two, or 0 */
	size_t n;
	bool exact;		/* letters differ by their case */
};

/* Adds the name; false if it is there already, and then nothing changes. */
bool strmap_add(struct strmap *m, const char *name, size_t value);

/* Is the name there? Then its value goes to *value_out, which may be NULL. */
bool strmap_find(const struct strmap *m, const char *name, size_t *value_out);

#endif
