/*
 * Numbers by name, for lists that are too long to be walked for every name.
 *
 * ASCII case is ignored. The names are not copied: they live as long as the
 * map. A zeroed map is empty; strmap_release() makes it so again.
 */
#ifndef UTIL_STRMAP_H
#define UTIL_STRMAP_H

#include <stdbool.h>
#include <stddef.h>

struct strmap_slot;

struct strmap {
	struct strmap_slot *slot;
	size_t size;		/* a power of two, or 0 */
	size_t n;
};

/* Adds the name; false if it is there already, and then nothing changes. */
bool strmap_add(struct strmap *m, const char *name, size_t value);

/* Is the name there? Then its value goes to *value_out, which may be NULL. */
bool strmap_find(const struct strmap *m, const char *name, size_t *value_out);

/* Frees the map, not the names. */
void strmap_release(struct strmap *m);

#endif
