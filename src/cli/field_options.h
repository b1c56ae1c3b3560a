/*
 * Header fields that have an option of their own, and the readers of their
 * values. EX_USAGE 5.5.4 says what is wanted, not which option.
 */
#ifndef CLI_FIELD_OPTIONS_H
#define CLI_FIELD_OPTIONS_H

#include <stddef.h>

#include "util/attr.h"

struct arena;
struct error;

/* What the value is to be; *out is how it is written. words: those allowed, NULL at the end. */
#define FIELD_READER(name) \
	ATTR_CHECK int name(struct arena *a, const char *value, const char *const *words, \
			    const char **out, struct error *err)

struct field_option {
	const char *name;	/* of the field */
	int (*read)(struct arena *, const char *value, const char *const *words,
		    const char **out, struct error *);
	const char *const *words;
};

/* The row of FIELD_SUBJECT and so on (option_compose.h). */
const struct field_option *field_option(size_t id);

FIELD_READER(field_read_word);		/* one of the words */
FIELD_READER(field_read_addresses);	/* an address list */
FIELD_READER(field_read_disposition);	/* RFC 8098, section 2.2 */

#endif
