/*
 * What the command line says about the message itself: parts and header
 * fields. Plain data, filled by cli/, read by mime/compose.c and
 * prepare/user_headers.c. A zeroed one asks for nothing.
 */
#ifndef MIME_COMPOSE_REQUEST_H
#define MIME_COMPOSE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "mime/part_spec.h"

enum field_change { FIELD_ADD, FIELD_SET, FIELD_DELETE };

/* One change to the header; option is for errors: "--header". */
struct field_request {
	enum field_change change;
	const char *name, *value;
	const char *option;
};

/* Who the message goes to, in the order of the fields. */
enum visible { VISIBLE_TO, VISIBLE_CC, VISIBLE_BCC, VISIBLE_COUNT };

struct address_request {
	enum visible place;
	const char *text;	/* an address list */
};

/* A receipt: asked for, and where it is to go (NULL = to the author). */
struct receipt_request {
	bool wanted;
	const char *address;
};

struct compose_request {
	bool compose;			/* --compose: the message is made of options */
	bool resend;			/* --resend: the one on standard input goes on to others */
	bool no_body;			/* --no-body */
	const char *charset;		/* of the text; NULL = to be found out */
	struct part_spec *part;
	size_t part_n, part_alloc;
	struct field_request *field;
	size_t field_n, field_alloc;
	struct address_request *address;
	size_t address_n, address_alloc;
	const char *importance;		/* low, normal, high */
	struct receipt_request read_receipt, return_receipt;
	const char *disposition_options;	/* only with read_receipt */
	const char *needs_compose;	/* the first option given that makes sense only with it */
};

#endif
