/*
 * The fields of a header while options change them. Each is found by its
 * name, however many there are.
 */
#ifndef PREPARE_FIELD_LIST_H
#define PREPARE_FIELD_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "message/header.h"
#include "util/strmap.h"

struct arena;
struct field_name;
struct message;

/* Where fields stand; each part is in order. */
enum field_part {
	PART_TOP,	/* put in front of everything */
	PART_BEFORE,	/* of the message, in front of new ones */
	PART_MADE,	/* new ones */
	PART_BEHIND,	/* of the message, behind them */
	PART_COUNT
};

struct listed_field {
	struct header_field field;
	struct listed_field *same;	/* the next of that name */
	bool behind;			/* in PART_BEHIND */
	bool gone;
};

struct field_list {
	struct arena *arena;
	struct {
		struct listed_field **v;
		size_t n, alloc;
	} part[PART_COUNT];
	struct strmap names;
	struct field_name *name;
	size_t name_n, name_alloc;
};

/*
 * The fields of m; new ones go behind those that options have made before,
 * else in front of all or behind all. What it needs is taken from m's arena.
 */
void field_list_init(struct field_list *l, const struct message *m, bool front);

/* The first field of that name (ASCII case ignored); NULL if there is none. */
struct header_field *field_list_find(struct field_list *l, const char *name);

/* Puts in "name: value", which an option has made. */
void field_list_add(struct field_list *l, const char *name, const char *value);

/* The same in front of everything, behind what came there before; it is not found afterwards. */
void field_list_add_top(struct field_list *l, const char *name, const char *value);

/* Drops all of that name. */
void field_list_delete(struct field_list *l, const char *name);

/* "name: value" in place of the first of that name, or added; others of it are dropped. */
void field_list_set(struct field_list *l, const char *name, const char *value);

/* Makes them the header of m. */
void field_list_apply(const struct field_list *l, struct message *m);

#endif
