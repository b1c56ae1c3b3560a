/*
 * The parameters of MAIL and RCPT as a server reads them (RFC 5321, section
 * 4.1.2): the grammar of each RFC to the letter, then the same readers that
 * settings and options go through (message/request.h), into the envelope. So
 * what a client of ours writes (smtp/ext/) is what is read here, and what was
 * read can be written again for the next server.
 */
#ifndef MESSAGE_PARAMS_H
#define MESSAGE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message/envelope.h"
#include "util/attr.h"

struct error;

struct params_reading {
	bool announced[EXT_COUNT];	/* by the server: others are unknown */
	int64_t now;			/* datetime_now(): what intervals count from */
	unsigned hold_max;		/* seconds; of FUTURERELEASE */
	unsigned by_min;		/* seconds; of DELIVERBY with mode R */
};

/*
 * Reads what stands behind the path of MAIL: "" or blanks and words. The
 * sender is in the envelope, which is of no use after a failure. SIZE= above
 * 64 bits is UINT64_MAX. On failure err->reply is the reply code: 555 for
 * what is unknown or not announced, 501 for a bad value, what was given twice
 * and what does not go together; err->status is 5.5.4.
 */
ATTR_CHECK int params_read_mail(const struct params_reading *p, const char *text,
				struct envelope *e, struct error *err);

/*
 * The same for RCPT, into *r, whose strings live in e->arena; UTF-8 only where
 * MAIL had SMTPUTF8.
 */
ATTR_CHECK int params_read_rcpt(const struct params_reading *p, const char *text,
				const struct envelope *e, struct recipient *r, struct error *err);

#endif
