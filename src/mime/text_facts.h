/*
 * What a text holds, and its lines in canonical form (RFC 2046, section
 * 4.1.1). Line ends are those of message.h: LF, CRLF, any run of CRs before
 * LF, a CR by itself.
 */
#ifndef MIME_TEXT_FACTS_H
#define MIME_TEXT_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct error;
struct spool;
struct strbuf;

struct text_facts {
	uint64_t octets;
	uint64_t escapes;	/* what quoted-printable has to escape */
	uint64_t longest;	/* line, without its end */
	bool eight_bit, utf8;	/* octets above 127; all of it is valid UTF-8 */
	bool nul;
	bool control;		/* control characters that no text has */
	bool odd_ends;		/* several kinds of line ends, or CRs by themselves */
};

/* Reads the spool from offset on. Errors of the spool. */
ATTR_CHECK int text_facts_read(const struct spool *s, uint64_t offset, struct text_facts *out,
			       struct error *err);

/* CRs that may belong to a line end; begins zeroed. */
struct text_lines {
	size_t cr;
};

/* Appends what n more octets become; at most 2 * n + 32 KiB. */
void text_lines_push(struct text_lines *l, const char *data, size_t n, struct strbuf *out);

/* The end of the text: CRs that were held back are line ends. */
void text_lines_finish(struct text_lines *l, struct strbuf *out);

/* Does the word occur in the spool? word has at most 100 octets. Errors of the spool. */
ATTR_CHECK int text_has_word(const struct spool *s, const char *word, bool *out,
			     struct error *err);

#endif
