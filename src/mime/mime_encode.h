/*
 * Encoders for the content of a MIME entity (RFC 2045, section 6), fed with
 * canonical text in pieces of any size. What comes out does not depend on
 * the pieces.
 */
#ifndef MIME_MIME_ENCODE_H
#define MIME_MIME_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct error;
struct spool;
struct strbuf;

enum mime_transfer {
	MIME_COPY,		/* as it is */
	MIME_TO_QP,		/* lines of at most 76; nothing that a delimiter, a lone dot
				 * or an mbox could take for its own begins a line */
	MIME_TO_BASE64,		/* lines of 76; no line end behind the last */
	MIME_WRAP_QP,		/* is quoted-printable, but its lines are too long, or it has
				 * octets above 127 */
	MIME_WRAP_BASE64,	/* is base64, but its lines are too long */
	MIME_SPLIT,		/* lines of at most 998 octets: a CRLF before a blank, else CRLF
				 * and a blank between two characters. So fields are folded */
	MIME_FILLER		/* the same, and a '?' for each octet above 127 */
};

#define MIME_GROUP ((size_t)57)		/* octets of one line of base64 */
#define MIME_HELD ((size_t)128)		/* octets before the limit in which a blank is looked for */

struct mime_encoder {
	enum mime_transfer kind;
	size_t column;			/* octets of the output line so far */
	char blank;			/* a blank that may end a line */
	unsigned escape;		/* octets that an escape still has to get (MIME_WRAP_QP) */
	bool lines;			/* a line has been written (base64) */
	size_t held_n;
	char held[MIME_HELD];		/* octets not yet written */
};

void mime_encoder_init(struct mime_encoder *e, enum mime_transfer kind);

/* Appends what n more octets become; at most some 4 * n + 100. */
void mime_encoder_push(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out);

/* The end of the content. */
void mime_encoder_finish(struct mime_encoder *e, struct strbuf *out);

/* How many of n octets quoted-printable must escape; line ends and blanks count as none. */
ATTR_PURE uint64_t mime_count_escapes(const char *data, size_t n);

/*
 * What a text holds, and its lines in canonical form (RFC 2046, section
 * 4.1.1). Line ends are those of message.h: LF, CRLF, any run of CRs before
 * LF, a CR by itself.
 */

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
