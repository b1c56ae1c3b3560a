/*
 * One leaf of a message that is written: for compose.c only.
 */
#ifndef MIME_COMPOSE_PART_H
#define MIME_COMPOSE_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "mime/compose.h"
#include "util/attr.h"
#include "util/strbuf.h"

struct message_reader;
struct spool;

#define COMPOSE_BLOCK ((size_t)64 * 1024)
#define COMPOSE_OUT_MAX (16 * COMPOSE_BLOCK)

enum { BOUNDARY_MIXED, BOUNDARY_ALTERNATIVE, BOUNDARY_RELATED, BOUNDARY_COUNT };

/* A message that is being written. */
struct compose {
	struct arena *arena;
	const struct compose_request *req;
	const struct compose_options *opt;
	const char *locale_charset;	/* NULL = tells nothing */
	const char *boundary[BOUNDARY_COUNT];
	struct message_reader *reader;
	struct strbuf out;		/* not yet given to the reader */
};

/* Is the part what comes on standard input? */
ATTR_PURE bool compose_is_input(const struct part_spec *spec);

/* "--attach" and the like, for errors. */
const char *compose_option(enum part_role role);

/*
 * Opens the part's file for reading; the descriptor. EX_NOINPUT names option
 * and file. Standard input is 0, and not to be closed.
 */
ATTR_CHECK int compose_open(const struct part_spec *spec, struct error *err);

/*
 * Reads the text of a part into a new spool, to be freed by the caller, and
 * converts it to UTF-8 where its charset is known: *charset_out is what it is
 * in then.
 */
ATTR_CHECK int compose_load_text(struct compose *c, const struct part_spec *spec,
				 struct spool **out, const char **charset_out,
				 struct error *err);

/* Writes header and content of a text part that was loaded. */
ATTR_CHECK int compose_text(struct compose *c, const struct part_spec *spec,
			    const struct spool *text, const char *charset, struct error *err);

/* Reads a file and writes it as a part: an object, an attachment, a message. */
ATTR_CHECK int compose_file(struct compose *c, const struct part_spec *spec, struct error *err);

#endif
