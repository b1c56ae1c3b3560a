/*
 * A list of strings with an upper bound on their number.
 *
 * The list owns copies of its strings. v is NULL while the list is empty and
 * otherwise ends with a NULL pointer, so it can be handed to execv(). What
 * would pass the limit is not added and the list is marked, as in strbuf.
 */
#ifndef UTIL_STRVEC_H
#define UTIL_STRVEC_H

#include <stdbool.h>
#include <stddef.h>

struct strvec {
	char **v;
	size_t n;
	size_t alloc;
	size_t limit;
	bool overflow;
};

#define STRVEC_INIT(max) { .limit = (max) }

void strvec_init(struct strvec *list, size_t limit);

/* Frees the strings and the list; it may be used again. */
void strvec_release(struct strvec *list);

/* Appends a copy of s, or of its first len octets. */
void strvec_add(struct strvec *list, const char *s);
void strvec_addn(struct strvec *list, const char *s, size_t len);

/* Appends each word of s; words are separated by octets of seps. */
void strvec_split(struct strvec *list, const char *s, const char *seps);

/* Is there a string equal to s but for ASCII case? */
bool strvec_has(const struct strvec *list, const char *s);

/* Was anything refused? */
bool strvec_overflow(const struct strvec *list);

#endif
