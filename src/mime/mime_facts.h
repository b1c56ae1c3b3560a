/*
 * The first of the two passes of mime_convert(): what each entity holds and
 * what is to be done to it. For mime_convert.c only.
 */
#ifndef MIME_MIME_FACTS_H
#define MIME_MIME_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mime/mime_convert.h"
#include "mime/mime_encode.h"
#include "mime/mime_parse.h"
#include "util/attr.h"

struct writer;

/* One entity; content is that of a leaf, or what is around the parts of a multipart. */
struct mime_fact {
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool text, global;
	bool message;			/* the header of a message, not of a part */
	bool has_version, has_type, has_encoding;
	bool header_8bit, header_long;
	bool content_8bit, content_long;
	bool binary, header_binary;	/* NUL, or CR and LF that are no line end */
	bool not_utf8;			/* content of a message that has no Content-Type */
	const char *fault;		/* of mime_entity */
	uint64_t octets, escapes;	/* of text */
	enum mime_transfer transfer;	/* what is to be done */
};

struct mime_facts {
	struct mime_fact *fact;
	size_t n;
	bool changed;		/* something is to be done to the message */
};

/*
 * Reads w to its end and decides; errors as in mime_convert.h. The facts are
 * to be released in any case.
 */
ATTR_CHECK int mime_facts_collect(struct mime_facts *facts, struct writer *w,
				  const struct mime_options *opt, struct mime_report *report,
				  struct error *err);
void mime_facts_release(struct mime_facts *facts);

/* The encoding that entity f must say it has; NULL = what it says is right. */
const char *mime_fact_encoding(const struct mime_fact *f, const struct mime_options *opt);

#endif
