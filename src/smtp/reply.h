/*
 * Replies (RFC 5321, section 4.2; RFC 2034): read strictly, judged by code.
 *
 * A line is three digits 2-5 0-9 0-9, then '-' or ' ' or the end. Lines over
 * line_max are cut (334: 64 KiB), more than REPLY_LINES_MAX lines or
 * REPLY_TOTAL_MAX octets, a line of another form, or lines of which not all
 * bear one code (RFC 5321, section 4.2.1) are EX_PROTOCOL: the session is over,
 * never skipped.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/strbuf.h"
#include "util/strvec.h"

struct deadline;
struct envelope;
struct error;
struct veil;
struct wire;

#define REPLY_LINE_MAX 4096		/* where nothing else is said */
#define REPLY_LINES_MAX 512
#define REPLY_TOTAL_MAX 65536

/*
 * Where in the session a reply belongs: its name in texts, what stands around
 * the subject of the command there, and the one of the account's timeouts that
 * is its limit. CHUNK is a BDAT that is not the last.
 */
#define STAGES(S) \
	S(GREETING, "greeting", " ", "", greeting) \
	S(EHLO, "EHLO", " ", "", helo) \
	S(LHLO, "LHLO", " ", "", helo) \
	S(HELO, "HELO", " ", "", helo) \
	S(STARTTLS, "STARTTLS", " ", "", starttls) \
	S(AUTH, "AUTH", " ", "", auth) \
	S(MAIL, "MAIL FROM", " <", ">", mail) \
	S(RCPT, "RCPT TO", " <", ">", rcpt) \
	S(XCLIENT, "XCLIENT", " ", "", helo) \
	S(XFORWARD, "XFORWARD", " ", "", mail) \
	S(DATA, "DATA", " ", "", data_init) \
	S(DOT, "the final dot", " for <", ">", data_done) \
	S(BDAT, "BDAT", " for <", ">", data_done) \
	S(CHUNK, "BDAT", " ", "", data_xfer) \
	S(BURL, "BURL", " ", "", data_done) \
	S(RSET, "RSET", " ", "", rset) \
	S(NOOP, "NOOP", " ", "", rset) \
	S(QUIT, "QUIT", " ", "", quit) \
	S(COMMAND, "command", " ", "", mail)

enum stage {
#define S(id, name, open, close, timeout) STAGE_##id,
	STAGES(S)
#undef S
	STAGE_COUNT
};

struct reply {
	int code;		/* 0 = none yet */
	char status[12];	/* enhanced status of the first line, "" if none usable */
	struct strvec lines;	/* texts behind the code, enhanced status kept */
	size_t line_max;	/* octets of a line that are kept; stays; 0 = REPLY_LINE_MAX */
	const struct veil *veil;	/* what is not to be seen in it; stays; NULL = nothing */
};

#define REPLY_INIT { .lines = STRVEC_INIT(REPLY_LINES_MAX) }

void reply_release(struct reply *r);

/*
 * Reads one reply. EX_TEMPFAIL 4.4.2 when the connection is closed or the
 * deadline passes, EX_PROTOCOL 5.5.0 when it is no reply. hidden (AUTH, BURL):
 * the transcript shows how long a challenge is, not what it says; the token of
 * a URL is cut out of the reply. The words of out->veil are replaced in all
 * that is no challenge, before anybody sees it.
 */
ATTR_CHECK int reply_read(struct wire *w, const struct deadline *d, bool hidden, struct reply *out,
			  struct error *err);

/* 2, 3, 4 or 5. */
int reply_class(const struct reply *r);

/* Does it say that the message was taken? 250 and its kind (RFC 5321, section 4.2.3). */
bool reply_taken(const struct reply *r);

/*
 * Does it say, to the end of the content, what has become of the message? It
 * was taken (250 and its kind) or not (4xx, 5xx); not that the server goes
 * (221, 421), nor what belongs elsewhere.
 */
bool reply_decides(const struct reply *r);

/* The text of all lines in one, separated by " / ", without enhanced status; appended, escaped. */
void reply_text(const struct reply *r, struct strbuf *out);

/*
 * Turns a reply that is not the one hoped for into an error, by the table of
 * stage and code (doc/protocol.md#replies): exit code, enhanced status (invented when
 * the server gave none) and text "STAGE WORDS: 550 5.1.1 text". Returns -1.
 */
int reply_error(const struct reply *r, enum stage stage, struct error *err);

/* The same with what the command was about: "RCPT TO <a@example.org>: 550 ...". NULL = nothing. */
int reply_error_about(const struct reply *r, enum stage stage, const char *subject,
		      struct error *err);

/* "MAIL FROM", "the final dot": for texts. */
const char *stage_name(enum stage stage);

/* "the reply to MAIL FROM": what a deadline of that stage waits for. */
const char *stage_awaited(enum stage stage);

/*
 * What a server's refusal means, in words for the user, where its own may
 * leave that open: by the fault, else by the enhanced status (RFC 3463, 5248,
 * 7372, 7505 and those of extensions). "the mailbox is full" for 4.2.2; NULL
 * when nothing more is to be said. 7.14, 7.16 and 7.17 mean something else
 * with each extension, so e tells what was asked for; it may be NULL.
 */
const char *reply_meaning(const struct error *err, const struct envelope *e);

#endif
