/*
 * The fields of a header while options change them: for user_headers.c.
 */
#ifndef PREPARE_FIELD_LIST_H
#define PREPARE_FIELD_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct header_field;
struct message;

struct field_list {
	struct arena *arena;
	struct header_field *v;
	size_t n, alloc;
	size_t at;		/* where the next new one goes */
};

/*
 * The fields of m; new ones go behind those that options have made before,
 * else in front of all or behind all.
 */
void field_list_init(struct field_list *l, const struct message *m, bool front);

/* The first field of that name (ASCII case ignored) from index on; n if there is none. */
size_t field_list_find(const struct field_list *l, const char *name, size_t from);

/* Puts in "name: value", which an option has made. */
void field_list_add(struct field_list *l, const char *name, const char *value);

/* The same in place of the first of that name; others of it are dropped. */
void field_list_set(struct field_list *l, const char *name, const char *value);

/* Drops all of that name from index on. */
void field_list_delete(struct field_list *l, const char *name, size_t from);

/* Makes the list m's header. */
void field_list_store(const struct field_list *l, struct message *m);

#endif
