#include "config.h"
#include "smtp/reply.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "message/envelope.h"
#include "net/wire.h"
#include "smtp/veil.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/text.h"

#define OUT_OF_PLACE "out of place: "
#define HIDDEN_CODE 334		/* the code whose text may hold a secret, and may be long */

static const struct stage_text {
	const char *name, *awaited;
	const char *open, *close;	/* around the subject in texts */
} stage_table[] = {
#define S(id, name, open, close, timeout) { name, "the reply to " name, open, close },
	STAGES(S)
#undef S
};

const char *stage_name(enum stage stage)
{
	return stage_table[stage].name;
}

const char *stage_awaited(enum stage stage)
{
	return stage == STAGE_GREETING ? "the greeting" :
		stage == STAGE_COMMAND ? "the reply to the command" : stage_table[stage].awaited;
}

/* --- from a reply to a fault -------------------------------------- */

#define AT(stage) (1U << (stage))
#define ANYWHERE (~0U)
#define HELLOS (AT(STAGE_GREETING) | AT(STAGE_EHLO) | AT(STAGE_LHLO) | AT(STAGE_HELO))
#define CHUNK (AT(STAGE_BDAT) | AT(STAGE_CHUNK))
#define CONTENT (AT(STAGE_DATA) | AT(STAGE_DOT) | CHUNK)

/*
 * The one table of ends (doc/protocol.md#replies). The first row that fits
 * decides. status is what stands behind the class digit, "7." any status of
 * that subject.
 */
struct verdict {
	unsigned stages;
	int class, code;	/* code 0 = any of the class */
	char status[6];		/* "" = any or none */
	enum fault fault;	/* its status counts when the server gave none */
};

static const struct verdict verdicts[] = {
	{ AT(STAGE_AUTH), 4, 432, "", FAULT_PASSWORD_OVER },
	{ ANYWHERE, 4, 421, "", FAULT_SERVER_CLOSES },
	{ AT(STAGE_AUTH), 4, 0, "", FAULT_AUTH_LATER },
	{ AT(STAGE_STARTTLS), 4, 0, "", FAULT_STARTTLS_LATER },
	{ ANYWHERE, 4, 0, "", FAULT_REFUSED_FOR_NOW },

	{ AT(STAGE_AUTH), 5, 500, "", FAULT_RESPONSE_TOO_LONG },
	{ AT(STAGE_AUTH), 5, 501, "", FAULT_RESPONSE_REFUSED },
	{ AT(STAGE_AUTH), 5, 503, "", FAULT_OUT_OF_SEQUENCE },
	{ AT(STAGE_AUTH), 5, 502, "", FAULT_MECHANISM_UNKNOWN },
	{ AT(STAGE_AUTH), 5, 504, "", FAULT_MECHANISM_UNKNOWN },
	/* Google: sign in by the browser first; Microsoft: no passwords any more */
	{ AT(STAGE_AUTH), 5, 0, "7.14", FAULT_BROWSER_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "7.30", FAULT_OAUTH_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "7.139", FAULT_OAUTH_WANTED },
	{ AT(STAGE_AUTH), 5, 525, "", FAULT_ACCOUNT_DISABLED },
	{ AT(STAGE_AUTH), 5, 534, "", FAULT_MECHANISM_WEAK },
	{ AT(STAGE_AUTH), 5, 538, "", FAULT_TLS_WANTED },
	{ ANYWHERE, 5, 530, "", FAULT_SIGN_IN_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "", FAULT_PASSWORD_REFUSED },
	{ AT(STAGE_GREETING), 5, 0, "", FAULT_SERVER_REFUSED },
	{ HELLOS, 5, 0, "", FAULT_NAME_REFUSED },
	{ AT(STAGE_STARTTLS), 5, 0, "", FAULT_STARTTLS_REFUSED },
	{ AT(STAGE_XCLIENT) | AT(STAGE_XFORWARD), 5, 550, "", FAULT_XCLIENT_REFUSED },
	/* RFC 7293: owner changed, domain's owner changed, cannot be told */
	{ AT(STAGE_RCPT), 5, 550, "7.17", FAULT_RECIPIENT_UNKNOWN },
	{ AT(STAGE_RCPT), 5, 550, "7.18", FAULT_RECIPIENT_UNKNOWN },
	{ AT(STAGE_RCPT), 5, 550, "7.19", FAULT_RECIPIENT_OWNER },
	/* RFC 6710: priority too low, message too large for it; RFC 4865: quota of held mail */
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 0, "7.15", FAULT_PRIORITY },
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 552, "7.", FAULT_PRIORITY },
	/* RFC 8689: REQUIRETLS cannot be kept further on */
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 0, "7.30", FAULT_REQUIRETLS },
	/* RFC 4141: the parameter is not supported */
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 504, "", FAULT_CONVERSION },
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 0, "7.", FAULT_POLICY },

	{ AT(STAGE_RCPT), 5, 550, "", FAULT_RECIPIENT_UNKNOWN },
	{ AT(STAGE_RCPT), 5, 551, "", FAULT_RECIPIENT_MOVED },
	{ AT(STAGE_RCPT), 5, 553, "", FAULT_RECIPIENT_SYNTAX },
	{ AT(STAGE_RCPT), 5, 0, "1.1", FAULT_RECIPIENT_UNKNOWN },
	{ AT(STAGE_RCPT), 5, 0, "1.2", FAULT_RECIPIENT_UNKNOWN },
	{ AT(STAGE_RCPT), 5, 0, "1.3", FAULT_RECIPIENT_SYNTAX },
	{ AT(STAGE_RCPT), 5, 0, "1.6", FAULT_RECIPIENT_MOVED },
	{ AT(STAGE_RCPT), 5, 0, "1.10", FAULT_RECIPIENT_NO_MAIL },
	{ AT(STAGE_RCPT), 5, 556, "", FAULT_RECIPIENT_NO_MAIL },
	{ AT(STAGE_RCPT), 5, 552, "", FAULT_MAILBOX_FULL },
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 501, "", FAULT_PARAMETER },
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 5, 555, "", FAULT_PARAMETER },
	{ AT(STAGE_MAIL) | CONTENT, 5, 552, "", FAULT_TOO_LARGE },
	{ CHUNK, 5, 503, "", FAULT_OUT_OF_SEQUENCE },
	{ AT(STAGE_BURL), 5, 0, "7.", FAULT_POLICY },
	{ AT(STAGE_BURL), 5, 0, "6.6", FAULT_URL_UNREADABLE },
	{ AT(STAGE_MAIL), 5, 0, "1.8", FAULT_SENDER_DOMAIN },
	{ AT(STAGE_MAIL), 5, 550, "", FAULT_SENDER_REFUSED },
	{ AT(STAGE_MAIL), 5, 553, "", FAULT_SENDER_REFUSED },
	{ ANYWHERE, 5, 0, "", FAULT_REFUSED },

	/* the channel closes, and says no more about the message (RFC 5321, 4.2.3) */
	{ ANYWHERE, 0, 221, "", FAULT_CONNECTION_LOST },
	/* good news that was not asked for */
	{ ANYWHERE, 0, 0, "", FAULT_PROTOCOL },
};

/*
 * What a reply says more exactly than its code. The exit code is that of the
 * verdict all the same, and so is the status. Words are looked for in any
 * case; class 0 and code 0 are any. The first row that fits decides.
 */
static const struct detail {
	unsigned stages;
	int class, code;
	char status[6], words[36];	/* "" = any */
	enum fault fault;
} details[] = {
	{ AT(STAGE_AUTH), 5, 0, "", "SmtpClientAuthentication", FAULT_OAUTH_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "", "basic authentication is disabled", FAULT_OAUTH_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "", "gsmtp", FAULT_APP_PASSWORD_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "", "application-specific password", FAULT_APP_PASSWORD_WANTED },
	{ AT(STAGE_AUTH), 5, 0, "", "app password", FAULT_APP_PASSWORD_WANTED },
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 0, 0, "", "helo", FAULT_NAME_REFUSED },
	{ AT(STAGE_MAIL) | AT(STAGE_RCPT), 0, 0, "", "ehlo", FAULT_NAME_REFUSED },
	/* our own service, of a user by the caller's credentials: server/caller.h */
	{ AT(STAGE_MAIL), 5, 550, "7.1", " may not submit mail", FAULT_USER_NOT_ALLOWED },
	{ AT(STAGE_MAIL), 0, 0, "", "Domain not found", FAULT_SENDER_DOMAIN },
	{ AT(STAGE_MAIL), 0, 0, "1.8", "", FAULT_SENDER_DOMAIN },
	{ AT(STAGE_RCPT) | CONTENT, 0, 0, "2.2", "", FAULT_MAILBOX_FULL },
	{ AT(STAGE_RCPT), 0, 0, "", "sender", FAULT_SENDER_REFUSED },
	{ AT(STAGE_RCPT), 0, 0, "", "relay", FAULT_RELAY_DENIED },
	{ AT(STAGE_RCPT) | CONTENT, 4, 0, "", "greylist", FAULT_GREYLISTED },
	{ AT(STAGE_RCPT) | CONTENT, 4, 0, "", "graylist", FAULT_GREYLISTED },
	{ AT(STAGE_RCPT), 0, 0, "", "list", FAULT_LISTED },
	{ AT(STAGE_RCPT) | CONTENT, 4, 450, "7.1", "", FAULT_GREYLISTED },
	{ AT(STAGE_RCPT), 4, 450, "2.0", "", FAULT_GREYLISTED },
};

/* Does status ("5.1.1") fit the pattern ("1.1", or "7." for all of that subject)? */
static bool status_fits(const char *pattern, const char *status)
{
	size_t n = strlen(pattern);

	if (!*status)
		return false;
	if (pattern[n - 1] == '.')
		return strncmp(status + 2, pattern, n) == 0;
	return strcmp(status + 2, pattern) == 0;
}

static const struct verdict *judge(const struct reply *r, enum stage stage)
{
	const struct verdict *v = verdicts;
	int class = reply_class(r) < 4 ? 0 : reply_class(r);

	while (!(v->stages & AT(stage)) || v->class != class ||
	       (v->code && v->code != r->code) ||
	       (*v->status && !status_fits(v->status, r->status)))
		v++;
	return v;
}

/* Those that say little; the others are exact, whatever the words are. */
static bool is_broad(enum fault fault)
{
	static const enum fault broad[] = {
		FAULT_PASSWORD_REFUSED, FAULT_MECHANISM_WEAK, FAULT_SENDER_REFUSED, FAULT_POLICY,
		FAULT_RECIPIENT_UNKNOWN, FAULT_RECIPIENT_SYNTAX, FAULT_TOO_LARGE, FAULT_REFUSED,
		FAULT_REFUSED_FOR_NOW, FAULT_CONVERSION,
	};

	for (size_t i = 0; i < ARRAY_LEN(broad); i++) {
		if (broad[i] == fault)
			return true;
	}
	return false;
}

static enum fault look_closer(const struct reply *r, enum stage stage, const char *words,
			      enum fault fault)
{
	for (size_t i = 0; is_broad(fault) && i < ARRAY_LEN(details); i++) {
		const struct detail *d = &details[i];

		if (d->stages & AT(stage) && (!d->class || d->class == reply_class(r)) &&
		    (!d->code || d->code == r->code) &&
		    (!*d->status || status_fits(d->status, r->status)) &&
		    (!*d->words || strcasestr(words, d->words)))
			return d->fault;
	}
	return fault;
}

int reply_error_about(const struct reply *r, enum stage stage, const char *subject,
		      struct error *err)
{
	const struct verdict *v = judge(r, stage);
	const struct stage_text *t = &stage_table[stage];
	struct strbuf words = STRBUF_INIT(REPLY_TOTAL_MAX * 4);
	/* RFC 2034, section 4: no status in the greeting and in replies to EHLO */
	bool own = r->status[0] && v->class != 0 && !(HELLOS & AT(stage));

	reply_text(r, &words);
	error_set_status(err, v->fault, own ? r->status : fault_rows[v->fault].status,
			 "%s%s%s%s: %s%d%s%s%s%s", t->name, subject ? t->open : "",
			 subject ? subject : "", subject ? t->close : "",
			 v->class ? "" : OUT_OF_PLACE, r->code, r->status[0] ? " " : "",
			 r->status, words.len ? " " : "", words.buf);
	err->reply = r->code;
	error_mark_words(err, strlen(t->name) + strlen(": ") +
			 (v->class ? 0 : strlen(OUT_OF_PLACE)) +
			 (subject ? strlen(t->open) + strlen(subject) + strlen(t->close) : 0));
	if (v->class)
		err->fault = look_closer(r, stage, words.buf, v->fault);
	strbuf_release(&words);
	return -1;
}

int reply_error(const struct reply *r, enum stage stage, struct error *err)
{
	return reply_error_about(r, stage, NULL, err);
}

/* --- reading ----------------------------------------------------------- */

void reply_release(struct reply *r)
{
	strvec_release(&r->lines);
	r->code = 0;
	r->status[0] = '\0';
}

bool reply_taken(const struct reply *r)
{
	return r->code / 10 == 25;
}

bool reply_decides(const struct reply *r)
{
	return reply_taken(r) || (r->code >= 400 && r->code != 421);
}

int reply_class(const struct reply *r)
{
	return r->code / 100;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 1*3DIGIT, at most what is left; its length or 0 */
static size_t digits(const char *s)
{
	size_t n = 0;

	while (n < 4 && is_digit(s[n]))
		n++;
	return n <= 3 ? n : 0;
}

/*
 * status-code = ("2" / "4" / "5") "." 1*3DIGIT "." 1*3DIGIT, then a space or
 * the end (RFC 2034, section 4); its class is that of the reply code.
 * Returns its length, 0 if there is none that can be used.
 */
static size_t status_length(const char *s, int class)
{
	if (class == 3 || s[0] != '0' + class || s[1] != '.')
		return 0;
	size_t subject = digits(s + 2);

	if (!subject || s[2 + subject] != '.')
		return 0;
	size_t detail = digits(s + 3 + subject), n = 3 + subject + detail;

	return detail && (s[n] == '\0' || s[n] == ' ') ? n : 0;
}

void reply_text(const struct reply *r, struct strbuf *out)
{
	for (size_t i = 0; i < r->lines.n; i++) {
		const char *s = r->lines.v[i];

		s += status_length(s, reply_class(r));
		while (*s == ' ')
			s++;
		if (i)
			strbuf_addstr(out, " / ");
		text_escape_add(out, s, strlen(s));
	}
}

static void note_hidden(struct wire *w, const struct strbuf *line)
{
	struct strbuf shown = STRBUF_INIT(REPLY_TOTAL_MAX);

	if (strncmp(line->buf, "334", 3) == 0)
		strbuf_addf(&shown, "334 <%zu octets hidden>", line->len > 4 ? line->len - 4 : 0);
	else
		strbuf_add(&shown, line->buf, line->len);
	wire_note(w, WIRE_IN, shown.buf);
	strbuf_release(&shown);
}

/* A URL that is shown back has a token that is good for the message (RFC 4467, section 3). */
static void hide_token(struct strbuf *line)
{
	static const char name[] = "urlauth=", hidden[] = "<hidden>";
	struct strbuf rest = STRBUF_INIT(REPLY_TOTAL_MAX);

	for (size_t at = 0; at + sizeof(name) - 1 <= line->len; at++) {
		if (strncasecmp(line->buf + at, name, sizeof(name) - 1) != 0)
			continue;
		at += sizeof(name) - 1;
		size_t end = at + strcspn(line->buf + at, " \t");

		strbuf_reset(&rest);
		strbuf_add(&rest, line->buf + end, line->len - end);
		strbuf_truncate(line, at);
		strbuf_addstr(line, hidden);
		strbuf_add(line, rest.buf, rest.len);
	}
	strbuf_release(&rest);
}

static int no_reply(const struct deadline *d, const struct strbuf *line, struct error *err)
{
	struct strbuf words = STRBUF_INIT(800);

	text_escape_add(&words, line->buf, line->len < 200 ? line->len : 200);
	error_set(err, FAULT_NOT_SMTP, "unparsable line instead of %s: '%s'", d->what,
		  words.buf);
	strbuf_release(&words);
	/* a TLS record (RFC 8446, section 5.1): alert 21 or handshake 22, version 3.x */
	if (line->len > 2 && (line->buf[0] == 0x15 || line->buf[0] == 0x16) && line->buf[1] == 3) {
		error_turn(err, FAULT_TLS_SPOKEN);
		error_append(err, ": the server speaks TLS from the start: use tls = implicit");
	}
	return -1;
}

/*
 * reply-line = code [ ( "-" / SP ) text ], code = %x32-35 2DIGIT (RFC 5321,
 * section 4.2). Returns the code, 0 if the line is none.
 */
static int line_code(const struct strbuf *line)
{
	const char *s = line->buf;

	if (line->len < 3 || s[0] < '2' || s[0] > '5' || !is_digit(s[1]) || !is_digit(s[2]))
		return 0;
	if (line->len > 3 && s[3] != ' ' && s[3] != '-')
		return 0;
	return (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
}

/* Cuts what is too long, and makes a C string of any octets. */
static void tidy(struct strbuf *line, int code, size_t max)
{
	if (code != HIDDEN_CODE)
		strbuf_truncate(line, max ? max : REPLY_LINE_MAX);
	for (char *nul = line->buf; line->len && (nul = memchr(nul, '\0', line->len -
							       (size_t)(nul - line->buf)));)
		*nul = '?';
}

/* Takes one line into out: 1 more to come, 0 it was the last, -1. */
static int take_line(struct strbuf *line, const struct deadline *d, size_t *total,
		     struct reply *out, struct error *err)
{
	int code = line_code(line);

	if (!code || (out->code && out->code / 100 != code / 100))
		return no_reply(d, line, err);
	if (out->code && out->code != code)
		return error_set(err, FAULT_PROTOCOL, "the lines of %s bear the codes %d and %d",
				 d->what, out->code, code);
	tidy(line, code, out->line_max);
	*total += line->len;
	bool more = line->len > 3 && line->buf[3] == '-';
	const char *text = line->len > 3 ? line->buf + 4 : "";

	if (out->lines.n == 0) {
		size_t n = status_length(text, code / 100);

		memcpy(out->status, text, n);
		out->status[n] = '\0';
	}
	out->code = code;
	strvec_add(&out->lines, text);
	if (*total > REPLY_TOTAL_MAX || strvec_overflow(&out->lines))
		return error_set(err, FAULT_PROTOCOL, "%s is too long (limits: %d lines, "
				 "%d octets)", d->what, REPLY_LINES_MAX, REPLY_TOTAL_MAX);
	return more;
}

/*
 * What was said in confidence is not shown when it comes back. Code and status
 * tell what to do and stay; a challenge is answered, and never shown.
 */
static void hide_said(const struct veil *veil, struct strbuf *line)
{
	const int code = line_code(line);
	const size_t from = !code || line->len < 4 ? 0 :
		4 + status_length(line->buf + 4, code / 100);

	if (code != HIDDEN_CODE)
		veil_apply(veil, line, from);
}

int reply_read(struct wire *w, const struct deadline *d, bool hidden, struct reply *out,
	       struct error *err)
{
	struct strbuf line = STRBUF_SECRET(REPLY_TOTAL_MAX);
	size_t total = 0;
	int more;

	hidden = hidden || out->veil;

	reply_release(out);
	strvec_init(&out->lines, REPLY_LINES_MAX);
	wire_hide_lines(w, hidden);
	do {
		bool cut;
		const int got = wire_read_line(w, &line, &cut, d, err);

		if (got > 0)
			hide_said(out->veil, &line);
		if (got > 0 && hidden)
			hide_token(&line);
		if (got == 0)
			more = error_set(err, FAULT_CONNECTION_LOST, "connection closed by the "
					 "server while waiting for %s", d->what);
		else
			more = got < 0 ? -1 : take_line(&line, d, &total, out, err);
		if (got > 0 && hidden)
			note_hidden(w, &line);
	} while (more > 0);
	wire_hide_lines(w, false);
	strbuf_release(&line);
	if (more < 0)
		reply_release(out);
	return more;
}

/* --- what faults and enhanced status codes mean ------------------------------------- */

/* What the fault says goes before what its number says. */
static const struct {
	enum fault fault;
	char meaning[84];
} fault_meanings[] = {
	{ FAULT_BROWSER_WANTED, "sign in by a browser first, or use an app password or OAuth2" },
	{ FAULT_OAUTH_WANTED, "passwords are switched off: use OAuth2, auth = XOAUTH2" },
	{ FAULT_APP_PASSWORD_WANTED, "an app password is wanted, or OAuth2" },
	{ FAULT_MECHANISM_WEAK, "this way to sign in is too weak for the server" },
	{ FAULT_NAME_REFUSED, "if it is our name that is not liked, set 'domain' to the full "
	  "name of this host" },
	{ FAULT_GREYLISTED, "greylisting, as it seems: the same again in some minutes" },
	{ FAULT_REQUIRETLS, "TLS on the whole way cannot be kept further on" },
};

/* What stands behind the class digit. */
static const struct {
	char status[6], meaning[60];
} meanings[] = {
	{ "1.7", "the sender's address is not valid" },
	{ "1.8", "the sender's domain does not exist" },
	{ "1.10", "the recipient's domain takes no mail" },
	{ "2.1", "the mailbox is disabled" },
	{ "2.2", "the mailbox is full" },
	{ "4.7", "it was on its way for too long" },
	{ "5.3", "too many recipients" },
	{ "6.3", "it would have to be converted, which the server does not do" },
	{ "6.7", "an address that is not ASCII is not taken" },
	{ "6.8", "the server would have to answer in UTF-8" },
	{ "6.9", "UTF-8 in the header is not taken" },
	{ "7.1", "it is against the server's rules" },
	{ "7.8", "user name or password is wrong" },
	{ "7.10", "it has to be encrypted: use TLS" },
	{ "7.11", "this way to sign in needs TLS" },
	{ "7.12", "the password has to be set anew" },
	{ "7.13", "the account is disabled" },
	{ "7.15", "the priority is too low at the moment" },
	{ "7.18", "the recipient's domain has another owner now" },
	{ "7.19", "nobody can tell whether the mailbox has the same owner" },
	{ "7.20", "no DKIM signature is valid" },
	{ "7.21", "no DKIM signature is acceptable" },
	{ "7.22", "no DKIM signature is that of the author's domain" },
	{ "7.23", "SPF does not allow this server for the sender's domain" },
	{ "7.24", "SPF of the sender's domain cannot be evaluated" },
	{ "7.25", "the server's address has no name in DNS" },
	{ "7.26", "several checks of who sent it have failed" },
	{ "7.27", "the sender's domain takes no mail" },
};

/*
 * RFC 4865 (quota of held messages), RFC 6710 and RFC 7293 mean different
 * things by 7.16 and 7.17; 7.14 is RFC 4468's, when there is a URL.
 */
static const char *by_extension(const char *status, const struct envelope *e)
{
	const bool sixteen = strcmp(status, "7.16") == 0;
	bool rrvs = false;

	if (strcmp(status, "7.14") == 0)
		return e->burl ? "the server is not trusted by the one that has the text" : NULL;
	if (!sixteen && strcmp(status, "7.17") != 0)
		return NULL;
	for (size_t i = 0; i < e->rcpt_count; i++)
		rrvs = rrvs || e->rcpt[i].rrvs;
	if (e->ext.hold != HOLD_NONE)
		return "too much is being held for later";
	if (sixteen && e->ext.priority_given)
		return "it is too large for its priority";
	if (!sixteen && rrvs)
		return "the mailbox has another owner now";
	return NULL;
}

const char *reply_meaning(const struct error *err, const struct envelope *e)
{
	const char *status = err->status;

	for (size_t i = 0; i < ARRAY_LEN(fault_meanings); i++) {
		if (fault_meanings[i].fault == err->fault)
			return fault_meanings[i].meaning;
	}
	/* 4.7.1 is everything from greylisting to a name that DNS does not know now */
	if (strlen(status) < 3 || strcmp(status, "4.7.1") == 0 ||
	    (status[0] != '4' && status[0] != '5'))
		return NULL;
	status += 2;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (strcmp(meanings[i].status, status) == 0)
			return meanings[i].meaning;
	}
	return e ? by_extension(status, e) : NULL;
}
