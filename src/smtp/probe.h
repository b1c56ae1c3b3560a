/*
 * Commands that are sent for their own sake: VRFY, EXPN, HELP, NOOP, RSET
 * (RFC 5321, section 4.1.1), ETRN (RFC 1985), ATRN (RFC 2645), and raw ones
 * of the user's. One table says what each needs and what its replies mean.
 *
 * An argument cannot become a second command: CR, LF and all other controls
 * are refused before anything is sent, and once more by smtp/command.h.
 */
#ifndef SMTP_PROBE_H
#define SMTP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/strvec.h"

struct error;
struct session;
struct strbuf;

enum probe_id {
	PROBE_RAW, PROBE_VRFY, PROBE_EXPN, PROBE_HELP, PROBE_NOOP, PROBE_RSET, PROBE_ETRN,
	PROBE_ATRN, PROBE_COUNT
};

struct probe_request {
	enum probe_id id;
	const char *arg;	/* NULL = none */
};

/* What a server has answered to one: texts without code and enhanced status. */
struct probe_answer {
	int code;
	char status[12];	/* "" = none */
	struct strvec lines;
};

struct probe_options {
	bool strict;		/* a 252 of VRFY or EXPN is EX_TEMPFAIL */
	bool with_rcpt;		/* VRFY that leads to nothing: MAIL and RCPT say it */
	struct probe_answer *answer;	/* gets what counts as the answer; NULL = not wanted */
};

/*
 * Can it be sent at all? EX_USAGE 5.5.4: CR, LF or another control, an
 * argument that is too long or no domain where one is wanted, a raw command
 * that would change what the line carries (STARTTLS, DATA, BDAT).
 */
ATTR_CHECK int probe_check(const struct probe_request *p, struct error *err);

/* "VRFY", and for a raw command its own verb as far as it is letters. */
const char *probe_name(const struct probe_request *p);

/* Is it the verb of a command that can be sent so, of the n octets of verb (any case)? */
bool probe_is_verb(const char *verb, size_t n);

/* The port it is for when the account has none: 25, of ATRN 366; 0 = the account's usual one. */
unsigned probe_port(const struct probe_request *p);

/*
 * Sends it and judges the reply, which stays in s->reply. Appends to out, one
 * line each and printable, what the server said, and to note what the user
 * should know besides. -1 and err for a refusal: EX_UNAVAILABLE 5.3.3 when
 * the server does not offer it, else by the table. *last_out: no use in
 * asking on with this command.
 */
ATTR_CHECK int probe_run(struct session *s, const struct probe_request *p,
			 const struct probe_options *opt, struct strbuf *out, struct strbuf *note,
			 bool *last_out, struct error *err);

/* Has the reply to ATRN turned the roles round? EX_PROTOCOL when the peer spoke on. */
ATTR_CHECK int probe_reversed(struct session *s, const struct probe_request *p, bool *reversed_out,
			      struct error *err);

#endif
