/*
 * Why something failed.
 *
 * A function that can fail returns 0 or -1 and takes struct error * as its
 * last parameter: untouched on success, complete on failure. The lowest
 * layer says what happened; a layer above may put in front what it alone
 * knows. A server's refusal and a local fault are the same type. What kind of
 * failure it is says the fault (util/fault.h), never the text. The text is
 * one printable line, lower case, without full stop; it ends in "..." when
 * it was cut. No allocation, no ownership.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

#include "util/attr.h"
#include "util/fault.h"

#define ERROR_ALSO_MAX 8

struct error {
	enum fault fault;	/* what has happened; FAULT_NONE = no error */
	enum fault also[ERROR_ALSO_MAX];	/* what besides; FAULT_NONE ends it */
	bool named;		/* the text says which server it is about */
	int exit;		/* sysexits code; 0 = no error */
	char status[12];	/* enhanced status: 4.x.x = try again, 5.x.x = do not */
	int reply;		/* server's reply code, 0 when the fault is ours */
	unsigned short words, words_n;	/* where its bare words stand in text: error_words() */
	char text[1024];	/* one printable line */
};

/*
 * Fills err and returns -1; exit code and status are those of the fault.
 * Unprintable octets of the text are escaped.
 */
ATTR_PRINTF(3, 4)
int error_set(struct error *err, enum fault fault, const char *fmt, ...);

/* As error_set(), with another enhanced status: a server's, or a more exact one. */
ATTR_PRINTF(4, 5)
int error_set_status(struct error *err, enum fault fault, const char *status, const char *fmt,
		     ...);

/*
 * As error_set() with errno's text behind ": "; keeps errno. FAULT_FILE
 * becomes FAULT_FILE_MISSING or FAULT_FILE_DENIED where errno says so.
 */
ATTR_PRINTF(3, 4)
int error_errno(struct error *err, enum fault fault, const char *fmt, ...);

/*
 * Says that for us it is another fault: what cannot be parsed is a wrong
 * setting when it stood in the configuration. Text and status stay, and so
 * does the fault when it has the same exit code: it is the more exact one.
 */
void error_recast(struct error *err, enum fault fault);

/*
 * Says that it is that fault, with its exit code and status: for who knows
 * more than who wrote the text, which stays. Returns -1.
 */
int error_turn(struct error *err, enum fault fault);

/* Notes another fault beside the first one; what is noted already is not noted twice. */
void error_also(struct error *err, enum fault fault);

/* Is it that fault, or one of those beside it? */
bool error_is(const struct error *err, enum fault fault);

/*
 * The bare words of the server's reply, "550 5.1.1 no such user": not
 * terminated, *n_out octets of text; NULL when the fault is ours.
 */
const char *error_words(const struct error *err, size_t *n_out);

/* Says that they begin at that octet of text and go on to its end. */
void error_mark_words(struct error *err, size_t at);

/* Puts "PREFIX: " in front of the text and returns -1. */
ATTR_PRINTF(2, 3)
int error_prefix(struct error *err, const char *fmt, ...);

/* Puts text behind what is there and returns -1. */
ATTR_PRINTF(2, 3)
int error_append(struct error *err, const char *fmt, ...);

/* What is to be tried next: as fault_next(), and later at least for what is temporary. */
enum next error_next(const struct error *err, enum phase phase);

/* Is it worth trying again later? True for enhanced status 4.x.x. */
int error_is_temporary(const struct error *err);

#endif
