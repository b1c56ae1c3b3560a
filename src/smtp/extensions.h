/*
 * The table of extensions and the loops over it.
 *
 * All knowledge of an extension is its row, and its ext_*.c when it has real
 * work. Order in the table is the order in which after_ehlo hooks run:
 * STARTTLS, then AUTH, then the rest.
 */
#ifndef SMTP_EXTENSIONS_H
#define SMTP_EXTENSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct envelope;
struct error;
struct recipient;
struct session;
struct strbuf;
struct strvec;

enum extension_id {
	EXT_STARTTLS, EXT_AUTH, EXT_SIZE, EXT_8BITMIME, EXT_SMTPUTF8, EXT_DSN,
	EXT_ENHANCEDSTATUSCODES, EXT_PIPELINING, EXT_CHUNKING, EXT_LIMITS, EXT_COUNT
};

enum ehlo_next { EHLO_CONTINUE, EHLO_AGAIN, EHLO_FAILED };

struct extension {
	const char *keyword;
	/* Octets by which its parameters raise the limit of the command line (A5). */
	size_t mail_octets, rcpt_octets;
	/* Takes the words behind the keyword; bad ones are ignored or an error. */
	int (*parse)(struct session *, const struct strvec *args, struct error *);
	/* Work to do after EHLO; AGAIN forgets all and greets anew. Runs announced or not. */
	enum ehlo_next (*after_ehlo)(struct session *, struct error *);
	/* Does the envelope ask for it? Then EHLO is sent once more after AUTH. */
	bool (*wanted)(const struct session *, const struct envelope *);
	/* Before MAIL, announced or not: may the envelope go? */
	int (*check)(const struct session *, const struct envelope *, struct error *);
	/* Appends " KEY=value"; only when announced. */
	void (*mail_params)(const struct session *, const struct envelope *, struct strbuf *);
	void (*rcpt_params)(const struct session *, const struct envelope *,
			    const struct recipient *, struct strbuf *);
};

extern const struct extension extensions[EXT_COUNT];

/* Notes one EHLO line ("SIZE 1000"); unknown keywords are kept for --serverinfo only. */
ATTR_CHECK int extensions_parse_line(struct session *s, const char *line, struct error *err);

/* Forgets all that was announced. */
void extensions_forget(struct session *s);

/* Runs the after_ehlo hooks in order until one does not continue. */
enum ehlo_next extensions_after_ehlo(struct session *s, struct error *err);

/* Runs every check. */
ATTR_CHECK int extensions_check(const struct session *s, const struct envelope *e,
				struct error *err);

/* Is an extension that the envelope asks for not announced (and not switched off)? */
bool extensions_missing(const struct session *s, const struct envelope *e);

/*
 * Parameters of MAIL and RCPT from the announced rows, in the order of
 * protocol.md A5. Returns the octets by which they raise the limit of the
 * command line.
 */
size_t extensions_mail_params(const struct session *s, const struct envelope *e,
			      struct strbuf *out);
size_t extensions_rcpt_params(const struct session *s, const struct envelope *e,
			      const struct recipient *r, struct strbuf *out);

/* xtext (RFC 3461, section 4), appended. */
void xtext_add(struct strbuf *out, const char *s);

#endif
