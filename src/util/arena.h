/*
 * Memory that is given back all at once.
 *
 * One arena per lifetime: configuration, message, session. Strings taken
 * from input live in the arena of what they describe and are never freed
 * singly. In sanitizer builds each allocation is its own malloc, so that an
 * access past its end is found.
 */
#ifndef UTIL_ARENA_H
#define UTIL_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct strbuf;

/* A new, empty arena; never NULL. */
struct arena *arena_new(void);

/* Frees the arena and all that was taken from it; accepts NULL. */
void arena_free(struct arena *a);

/* Zeroed memory of size octets, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* Zeroed memory for count objects of size octets; never NULL. */
void *arena_calloc(struct arena *a, size_t count, size_t size);

/*
 * Room for one element more in a list of n, each of size octets, that has room
 * for *alloc (0: there is no list yet). Returns the list as it is, or a copy
 * of twice the room, which *alloc then says; never NULL. What is behind the
 * n elements of a copy is zeroed.
 */
void *arena_grow(struct arena *a, void *list, size_t n, size_t *alloc, size_t size);

/* Copies of a string, of n octets (a NUL is added), of a formatted string. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
ATTR_PRINTF(2, 3) char *arena_printf(struct arena *a, const char *fmt, ...);

/* A copy of the string that b holds; b is released. */
char *arena_take(struct arena *a, struct strbuf *b);

#endif
