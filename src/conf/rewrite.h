/*
 * A map from addresses to others: what [rewrite] and the file of rewrite_map
 * say (the text form of Postfix's generic(5)).
 *
 * A rule is "LEFT RIGHT". LEFT, in the order of precedence:
 *   user@domain    that address
 *   user           that name in a local domain, or without domain
 *   @domain        every address of the domain
 *   a pattern with '*' or '?': with '@' it is for whole addresses ("@*.x" is
 *   "*@*.x"), without for local names; the first in file order
 * RIGHT is "address", "Name <address>", which gives a display name too, or
 * "@domain", which keeps the local part. Rules are applied once: what they
 * give is not looked up again. ASCII case makes no difference; domains are
 * compared in ASCII form.
 */
#ifndef CONF_REWRITE_H
#define CONF_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct error;
struct rewrite_map;

/* What a rule gives. */
struct rewrite_rule {
	const char *left, *right;	/* as written, but for %U and the like */
	const char *name;	/* display name; NULL = as it was */
	const char *local;	/* unquoted; NULL = as it was */
	const char *domain;	/* in ASCII form */
	const char *file;
	unsigned line;
};

/* What is looked up. */
struct rewrite_key {
	const char *local;	/* unquoted */
	const char *domain;	/* in ASCII form; else the one that completes it; or NULL */
	bool is_local;		/* it has none, or a local one */
};

/* An empty map in arena a. */
struct rewrite_map *rewrite_map_new(struct arena *a);

/*
 * Adds a rule; strings are copied. EX_CONFIG with "FILE:LINE: " when a side
 * is none of the above.
 */
ATTR_CHECK int rewrite_map_add(struct rewrite_map *map, const char *left, const char *right,
			       const char *file, unsigned line, struct error *err);

/*
 * To be called when all rules are in: makes the map ready to be searched.
 * EX_CONFIG when two rules have the same left side.
 */
ATTR_CHECK int rewrite_map_finish(struct rewrite_map *map, struct error *err);

/* Reads a file of rules, and finishes the map. EX_CONFIG, also for a missing file. */
ATTR_CHECK int rewrite_map_read(struct rewrite_map *map, const char *path, struct error *err);

/*
 * The same from len octets of text, which are changed and must live as long as
 * the map; text[len] is NUL. For a map without rules.
 */
ATTR_CHECK int rewrite_map_parse(struct rewrite_map *map, const char *name, char *text, size_t len,
				 struct error *err);

/* The i-th rule, in the order of precedence; NULL behind the last. */
const struct rewrite_rule *rewrite_nth(const struct rewrite_map *map, size_t i);

/*
 * The rule for key in maps (NULL at the end): the one with the highest
 * precedence, of equal ones that of the first map. NULL if there is none.
 */
const struct rewrite_rule *rewrite_find(const struct rewrite_map *const *maps,
					const struct rewrite_key *key);

#endif
