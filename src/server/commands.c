/* The commands of the listener's clients: parameters, handlers, the table. */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "net/wire.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/text.h"

struct mail_params {
	bool auth_announced;	/* in: AUTH= is allowed */
	bool utf8;		/* SMTPUTF8 */
	uint64_t size;		/* SIZE=, 0 = not told; UINT64_MAX = more than fits */
};

/* --- parameters of MAIL and RCPT ---------------------------------------------------- */

/*
 * RFC 5321, section 4.1.1.11: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8
 * (RFC 6531), and AUTH (RFC 4954, section 5), whose value is checked and then
 * not used. One table; what is not in it, or was not announced, is 555 5.5.4.
 */

enum { SIZE_DIGITS_MAX = 20 };

struct param {
	const char *keyword;
	int (*parse)(struct mail_params *, const char *value, size_t len);
	bool has_value;
};

/* size-value = 1*20DIGIT; what is more than 64 bits hold is UINT64_MAX */
static int parse_size(struct mail_params *params, const char *value, size_t len)
{
	if (len > SIZE_DIGITS_MAX || strspn(value, "0123456789") < len)
		return -1;
	params->size = strtoull(value, NULL, 10);
	return 0;
}

static int parse_body(struct mail_params *params, const char *value, size_t len)
{
	(void)params;
	return text_same(value, len, "8BITMIME") || text_same(value, len, "7BIT") ? 0 : -1;
}

static int parse_utf8(struct mail_params *params, const char *value, size_t len)
{
	(void)value;
	(void)len;
	params->utf8 = true;
	return 0;
}

/*
 * xtext = *( %d33-42 / %d44-60 / %d62-126 / "+" 2HEXDIG )   (RFC 3461, 4;
 * the digits in upper case). Printable ASCII was checked before.
 */
static int parse_auth(struct mail_params *params, const char *value, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	(void)params;
	for (size_t i = 0; i < len; i++) {
		if (value[i] != '+')
			continue;
		if (len - i < 3 || !strchr(hex, value[i + 1]) || !strchr(hex, value[i + 2]))
			return -1;
		i += 2;
	}
	return 0;
}

static const struct param mail_table[] = {
	{ "SIZE", parse_size, true }, { "BODY", parse_body, true },
	{ "SMTPUTF8", parse_utf8, false }, { "AUTH", parse_auth, true },
};

static int refuse_param(struct error *err, int reply, const char *text, const char *word, int len)
{
	error_set(err, FAULT_PARAMETER, "%s '%.*s'", text, len, word);
	err->reply = reply;
	return -1;
}

static const struct param *find_param(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(mail_table); i++) {
		if (text_same(word, len, mail_table[i].keyword))
			return &mail_table[i];
	}
	return NULL;
}

/*
 * esmtp-param   = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value   = 1*(%d33-60 / %d62-126)
 */
static int parse_word(struct mail_params *params, const char *word, size_t len, unsigned *seen,
		      struct error *err)
{
	const char *equals = memchr(word, '=', len);
	size_t name = equals ? (size_t)(equals - word) : len;
	const struct param *param = find_param(word, name);

	if (!param || (param->parse == parse_auth && !params->auth_announced))
		return refuse_param(err, 555, "unknown parameter", word, (int)name);
	const unsigned bit = 1U << (param - mail_table);

	if (*seen & bit)
		return refuse_param(err, 501, "parameter given twice:", word, (int)name);
	*seen |= bit;
	size_t value_len = equals ? len - name - 1 : 0;

	if (param->has_value != (value_len > 0) || (equals && !value_len) ||
	    param->parse(params, equals ? equals + 1 : "", value_len) < 0)
		return refuse_param(err, 501, "bad value of parameter", word, (int)name);
	return 0;
}

/*
 * Parses what stands behind the path of MAIL: "" or blanks and words. On
 * failure err->reply is the reply code (501, 555), err->status its status.
 */
static int params_mail(const char *text, struct mail_params *params, struct error *err)
{
	unsigned seen = 0;

	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > 126)
			return refuse_param(err, 501, "no printable ASCII in parameters:", p, 1);
	while (*(text += strspn(text, " "))) {
		size_t len = strcspn(text, " ");

		if (parse_word(params, text, len, &seen, err) < 0)
			return -1;
		text += len;
	}
	return 0;
}

enum {
	ANY_STATE = SMTPD_START | SMTPD_READY | SMTPD_MAIL | SMTPD_RCPT,
	RCPT_DEFAULT = 1000
};

/* Flags of a row. */
enum { NO_ARGUMENT = 1, IN_CLEAR = 2 };

struct command {
	const char *verb;
	unsigned states;
	unsigned flags;
	void (*handler)(struct smtpd *, const char *arg);
	const char *order;	/* text of 503 when the state is another, after EHLO */
	struct {		/* where there is no handler */
		int code;
		const char *status, *text;
	} reply;
};

/* --- greeting and odds and ends ------------------------------------------- */

/*
 * ehlo = "EHLO" SP ( Domain / address-literal ); what stands in trace fields
 * is held to the letters of both, and the underscores of real host names.
 */
static bool host_name_fits(const char *name)
{
	static const char others[] = "-._:[]";
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr(others, name[i]))
			return false;
	return i > 0 && i <= 255;
}

static bool greet(struct smtpd *s, const char *arg, bool esmtp)
{
	if (!host_name_fits(arg)) {
		smtpd_reply(s, 501, "5.5.4", "give the name of your host or its [address]");
		return false;
	}
	strbuf_reset(&s->helo);
	strbuf_addstr(&s->helo, arg);
	s->esmtp = esmtp;
	s->state = SMTPD_READY;
	smtpd_reset(s);
	return true;
}

static void run_helo(struct smtpd *s, const char *arg)
{
	if (greet(s, arg, false))
		smtpd_reply_line(s, 250, ' ', "%s", smtpd_name(s));
}

static void run_ehlo(struct smtpd *s, const char *arg)
{
	if (!greet(s, arg, true))
		return;
	smtpd_reply_line(s, 250, '-', "%s", smtpd_name(s));
	smtpd_reply_line(s, 250, '-', "PIPELINING");
	smtpd_reply_line(s, 250, '-', "SIZE %" PRIu64, s->options->set.message_size_limit);
	smtpd_reply_line(s, 250, '-', "8BITMIME");
	smtpd_reply_line(s, 250, '-', "SMTPUTF8");
	if (s->options->set.server_cert && !s->tls)
		smtpd_reply_line(s, 250, '-', "STARTTLS");
	if (smtpd_offers_auth(s))
		smtpd_reply_line(s, 250, '-', "AUTH %s", SIGNIN_MECHANISMS);
	smtpd_reply_line(s, 250, ' ', "ENHANCEDSTATUSCODES");
}

static void run_rset(struct smtpd *s, const char *arg)
{
	(void)arg;
	smtpd_reset(s);
	smtpd_reply(s, 250, "2.0.0", "ok");
}

static void run_quit(struct smtpd *s, const char *arg)
{
	(void)arg;
	smtpd_reply(s, 221, "2.0.0", "%s closing the connection", smtpd_name(s));
	smtpd_end(s, NULL);
}

static void run_vrfy(struct smtpd *s, const char *arg)
{
	if (*arg)
		smtpd_reply(s, 252, "2.5.2", "addresses are not verified here; send the message");
	else
		smtpd_reply(s, 501, "5.5.4", "VRFY needs an address");
}

/* A browser was led here by somebody's page: what follows is not to be read as commands. */
static void run_http(struct smtpd *s, const char *arg)
{
	(void)arg;
	smtpd_reply(s, 421, "4.7.0", "this is a mail server");
	smtpd_log(s, "result=closed reason='HTTP request'");
	smtpd_end(s, NULL);
}

/* --- MAIL and RCPT -------------------------------------------------------- */

/*
 * The end of the path at p: behind the '>' that is not within quotes; NULL if
 * there is none. Without brackets (not when strict) it ends at a blank.
 *
 * Path = "<" [ A-d-l ":" ] Mailbox ">"   (RFC 5321, section 4.1.2)
 */
static const char *path_end(const char *p, bool strict)
{
	bool bracket = *p == '<', quoted = false;

	if (!bracket && strict)
		return NULL;
	for (; *p; p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (bracket && *p == '>')
			return p + 1;
		else if (!bracket && *p == ' ')
			return p;
		else if (strict && strchr(" \t(", *p))
			return NULL;
	}
	return bracket || quoted ? NULL : p;
}

/*
 * Reads "FROM:<path>" or "TO:<path>" and *rest_out behind it. The address,
 * with a domain unless it is that of a postmaster, or NULL and err.
 */
static const char *parse_path(struct smtpd *s, const char *arg, const char *keyword,
			      unsigned flags, const char **rest_out, struct error *err)
{
	bool strict = s->options->set.strict;
	size_t len = strlen(keyword);
	const char *end = NULL;
	struct mailbox box;

	if (strncasecmp(arg, keyword, len) == 0) {
		arg += len + (strict ? 0 : strspn(arg + len, " "));
		end = path_end(arg, strict);
	}
	if (!end || end == arg || (*end && *end != ' ')) {
		error_set(err, FAULT_ARGUMENT, "the form is %s<local@domain>%s", keyword,
			  strict && *arg == ' ' ? ", no blank in it; strict = off takes it" : "");
		return NULL;
	}
	*rest_out = end;
	if (address_parse_one(s->arena, arena_strndup(s->arena, arg, (size_t)(end - arg)), flags,
			      &box, err) < 0)
		return NULL;
	if (!*box.address || (!(flags & ADDRESS_NULL) && !box.domain &&
			      strcasecmp(box.local, "postmaster") == 0))
		return box.address;
	if (!box.domain && !strict)
		return address_format(s->arena, box.local, smtpd_name(s));
	if (box.domain && address_domain_valid(box.domain))
		return box.address;
	error_set(err, FAULT_ADDRESS_SYNTAX, "the address needs a %sdomain",
		  box.domain ? "valid " : "");
	return NULL;
}

/* Syntax errors of the address itself bear the status of its side. */
static void refuse_path(struct smtpd *s, const struct error *err, const char *status)
{
	bool form = err->fault == FAULT_ARGUMENT;

	smtpd_reply(s, 501, form ? "5.5.4" : status, "%s", err->text);
}

/* RFC 6531, section 3.5: such an address needs the parameter. */
static bool needs_utf8(struct smtpd *s, const char *address)
{
	if (s->utf8 || text_is_ascii(address, strlen(address)))
		return false;
	smtpd_reply(s, 553, "5.6.7", "an address outside ASCII needs SMTPUTF8");
	return true;
}

static bool fits_size(struct smtpd *s, uint64_t size)
{
	uint64_t limit = s->options->set.message_size_limit;

	if (!limit || size <= limit)
		return true;
	smtpd_reply(s, 552, "5.3.4", "messages may have %" PRIu64 " octets", limit);
	return false;
}

static void mail(struct smtpd *s, const char *arg)
{
	struct mail_params params = { .auth_announced = smtpd_offers_auth(s) };
	const char *rest;
	struct error err;
	const char *sender = parse_path(s, arg, "FROM:", ADDRESS_NULL, &rest, &err);

	if (!sender) {
		refuse_path(s, &err, "5.1.7");
	} else if (params_mail(rest, &params, &err) < 0) {
		smtpd_reply_error(s, err.reply, &err);
	} else {
		s->utf8 = params.utf8;
		if (needs_utf8(s, sender) || !fits_size(s, params.size))
			return;
		s->envelope.sender = sender;
		if (smtpd_take_sender(s))
			s->state = SMTPD_MAIL;
	}
}

static void run_mail(struct smtpd *s, const char *arg)
{
	if (s->options->set.auth_required && !smtpd_signed_in(s)) {
		smtpd_reply(s, 530, "5.7.0", "sign in first");
		return;
	}
	mail(s, arg);
	if (s->state != SMTPD_MAIL)	/* nothing of a refused MAIL stays */
		smtpd_reset(s);
}

/* Mail that was asked for by domain is for that domain (RFC 2645, section 5.2.1). */
static bool wants_domain(struct smtpd *s, const char *address)
{
	const char *const *d = s->options->domains;
	const char *at = strrchr(address, '@');

	if (!d || (!at && strcasecmp(address, "postmaster") == 0))
		return true;
	for (; at && *d; d++) {
		if (strcasecmp(at + 1, *d) == 0)
			return true;
	}
	smtpd_reply(s, 550, "5.7.1", "mail for that domain was not asked for");
	return false;
}

static bool rcpt(struct smtpd *s, const char *arg)
{
	unsigned most = s->options->set.max_rcpt ? s->options->set.max_rcpt : RCPT_DEFAULT;
	const char *rest;
	struct error err;

	if (s->rcpt_accepted >= most) {
		smtpd_reply(s, 452, "4.5.3", "no more than %u recipients a message", most);
		return false;
	}
	const char *address = parse_path(s, arg, "TO:", 0, &rest, &err);

	if (!address || !*address) {
		if (address)
			error_set(&err, FAULT_ADDRESS_SYNTAX, "the recipient is empty");
		refuse_path(s, &err, "5.1.3");
		return false;
	}
	rest += strspn(rest, " ");
	if (*rest) {	/* RCPT has no parameters yet */
		refuse_param(&err, 555, "unknown parameter", rest, (int)strcspn(rest, " ="));
		smtpd_reply_error(s, err.reply, &err);
		return false;
	}
	if (needs_utf8(s, address) || !wants_domain(s, address))
		return false;
	const struct recipient recipient = { .address = address };

	if (!smtpd_take_recipient(s, &recipient))
		return false;
	(void)envelope_add_as(&s->envelope, address, NULL, &recipient);	/* one told twice is one */
	s->rcpt_accepted++;
	return true;
}

static void run_rcpt(struct smtpd *s, const char *arg)
{
	if (rcpt(s, arg))
		s->state = SMTPD_RCPT;
	else
		s->refused_rcpt = true;
}

static void run_data(struct smtpd *s, const char *arg)
{
	(void)arg;
	if (s->state == SMTPD_RCPT)
		receive_data(s);
	else if (s->refused_rcpt)
		smtpd_reply(s, 554, "5.5.1", "no valid recipients");
	else
		smtpd_reply(s, 503, "5.5.1", "send RCPT first");
}

/* --- STARTTLS ------------------------------------------------------------- */

static void run_starttls(struct smtpd *s, const char *arg)
{
	struct error ignored;

	(void)arg;
	if (s->tls) {
		smtpd_reply(s, 503, "5.5.1", "TLS is active already");
	} else if (!s->options->set.server_cert) {
		smtpd_reply(s, 502, "5.5.1", "STARTTLS is not offered");
	} else if (wire_unread_now(s->wire) > 0) {
		smtpd_reply(s, 501, "5.5.1", "pipelining after STARTTLS");
		smtpd_log(s, "result=closed reason='data before TLS'");
		smtpd_end(s, NULL);
	} else if (fs_check_readable(s->options->set.server_cert, &ignored) < 0 ||
		   fs_check_readable(s->options->set.server_key, &ignored) < 0) {
		smtpd_log(s, "result='cannot read certificate or key'");
		smtpd_reply(s, 454, "4.7.0", "TLS is not available now");
	} else {
		smtpd_reply(s, 220, "2.0.0", "ready to start TLS");
		smtpd_flush(s);
		if (!s->ended && smtpd_start_tls(s))
			smtpd_log(s, "result=tls");
	}
}

/* --- the table ------------------------------------------------------------ */

#define MISSING { 502, "5.5.1", "command not implemented" }

static const struct command table[] = {
	{ "EHLO", ANY_STATE, IN_CLEAR, .handler = run_ehlo },
	{ "HELO", ANY_STATE, 0, .handler = run_helo },
	{ "MAIL", SMTPD_READY, 0, .handler = run_mail, .order = "a transaction is open already" },
	{ "RCPT", SMTPD_MAIL | SMTPD_RCPT, 0, .handler = run_rcpt, .order = "send MAIL first" },
	{ "DATA", SMTPD_MAIL | SMTPD_RCPT, NO_ARGUMENT, .handler = run_data,
	  .order = "send MAIL and RCPT first" },
	{ "RSET", ANY_STATE, NO_ARGUMENT, .handler = run_rset },
	{ "NOOP", ANY_STATE, IN_CLEAR, .reply = { 250, "2.0.0", "ok" } },
	{ "QUIT", ANY_STATE, IN_CLEAR | NO_ARGUMENT, .handler = run_quit },
	{ "VRFY", ANY_STATE, 0, .handler = run_vrfy },
	{ "HELP", ANY_STATE, 0, .reply = { 214, "2.0.0",
	  "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT" } },
	{ "STARTTLS", SMTPD_READY, IN_CLEAR | NO_ARGUMENT, .handler = run_starttls,
	  .order = "not within a transaction" },
	{ "AUTH", SMTPD_READY, 0, .handler = signin_run, .order = "not within a transaction" },
	{ "EXPN", ANY_STATE, 0, .reply = MISSING },
	{ "ETRN", ANY_STATE, 0, .reply = MISSING },
	{ "BDAT", ANY_STATE, 0, .reply = MISSING },
	{ "TURN", ANY_STATE, 0, .reply = MISSING },
	{ "SEND", ANY_STATE, 0, .reply = MISSING },
	{ "SOML", ANY_STATE, 0, .reply = MISSING },
	{ "SAML", ANY_STATE, 0, .reply = MISSING },
	{ "GET", ANY_STATE, IN_CLEAR, .handler = run_http },
	{ "POST", ANY_STATE, IN_CLEAR, .handler = run_http },
	{ "PUT", ANY_STATE, IN_CLEAR, .handler = run_http },
	{ "HEAD", ANY_STATE, IN_CLEAR, .handler = run_http },
	{ "OPTIONS", ANY_STATE, IN_CLEAR, .handler = run_http },
	{ "CONNECT", ANY_STATE, IN_CLEAR, .handler = run_http },
};

static const struct command *find_command(const char *verb, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (text_same(verb, len, table[i].verb))
			return &table[i];
	return NULL;
}

bool commands_is_auth(const struct strbuf *line)
{
	return line->len >= 5 && strncasecmp(line->buf, "AUTH ", 5) == 0;
}

void commands_run(struct smtpd *s)
{
	struct strbuf *line = &s->line;

	while (line->len && line->buf[line->len - 1] == ' ')
		strbuf_truncate(line, line->len - 1);
	size_t len = strcspn(line->buf, " ");
	const struct command *command = find_command(line->buf, len);
	const char *arg = line->buf + len + strspn(line->buf + len, " ");

	if (!command)
		smtpd_reply(s, 500, "5.5.2", "unknown command");
	else if (s->options->set.require_tls && !s->tls && !(command->flags & IN_CLEAR))
		smtpd_reply(s, 530, "5.7.0", "send STARTTLS first");
	else if ((command->flags & NO_ARGUMENT) && *arg)
		smtpd_reply(s, 501, "5.5.4", "%s takes no argument", command->verb);
	else if (!(command->states & s->state))
		smtpd_reply(s, 503, "5.5.1", "%s", s->state == SMTPD_START ?
			    "send EHLO or HELO first" : command->order);
	else if (command->handler)
		command->handler(s, arg);
	else
		smtpd_reply(s, command->reply.code, command->reply.status, "%s",
			    command->reply.text);
}
