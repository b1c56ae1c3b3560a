/* The commands of the listener's clients: what EHLO offers, handlers, the table. */
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
#include "message/params.h"
#include "net/wire.h"
#include "server/caller.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/text.h"

enum {
	ANY_STATE = SMTPD_START | SMTPD_READY | SMTPD_MAIL | SMTPD_RCPT | SMTPD_BDAT | SMTPD_FAILED,
	RCPT_DEFAULT = 1000, MESSAGES_DEFAULT = 1000,
	LIMIT_MAX = 999999,	/* that LIMITS can tell */
	HOLD_DEFAULT = 30 * 24 * 3600
};

/* Flags of a row. */
enum {
	NO_ARGUMENT = 1, IN_CLEAR = 2, SMTP_ONLY = 4, LMTP_ONLY = 8,
	ENVELOPE = 16		/* what is held need not be answered before */
};

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

/* --- what is offered ------------------------------------------------------ */

static bool offers_starttls(const struct smtpd *s)
{
	return s->options->set.server_cert && !s->tls && !s->local;
}

/* What only a place can keep that sends the message on. */
static bool relays(const struct smtpd *s)
{
	return !s->delivery->final;
}

static bool relays_in_secret(const struct smtpd *s)
{
	return relays(s) && (s->tls || s->local);
}

static bool holds(const struct smtpd *s)
{
	return s->delivery->holds;
}

static bool keeps_octets(const struct smtpd *s)
{
	return s->delivery->exact;
}

static unsigned rcpt_max(const struct smtpd *s)
{
	return s->options->set.max_rcpt ? s->options->set.max_rcpt : RCPT_DEFAULT;
}

static unsigned messages_max(const struct smtpd *s)
{
	return s->options->set.max_messages ? s->options->set.max_messages : MESSAGES_DEFAULT;
}

static unsigned hold_max(const struct smtpd *s)
{
	return s->options->set.max_hold ? s->options->set.max_hold : HOLD_DEFAULT;
}

static void add_size(const struct smtpd *s, struct strbuf *out)
{
	strbuf_addf(out, " %" PRIu64, s->options->set.message_size_limit);
}

static void add_mechanisms(const struct smtpd *s, struct strbuf *out)
{
	strbuf_addch(out, ' ');
	signin_mechanisms(s, out);
}

static void add_limits(const struct smtpd *s, struct strbuf *out)
{
	if (rcpt_max(s) <= LIMIT_MAX)
		strbuf_addf(out, " RCPTMAX=%u", rcpt_max(s));
	strbuf_addf(out, " MAILMAX=%u", messages_max(s));
}

static void add_hold(const struct smtpd *s, struct strbuf *out)
{
	char at[DATETIME_UTC_SIZE];

	strbuf_addf(out, " %u %s", hold_max(s),
		    datetime_utc(at, datetime_now() + (int64_t)hold_max(s) * 1000));
}

/* In the order of EHLO's lines; without 'when' always. */
static const struct offer {
	const char *keyword;
	enum extension_id id;		/* EXT_COUNT: no parameter depends on it */
	bool (*when)(const struct smtpd *);
	void (*args)(const struct smtpd *, struct strbuf *);
} offers[] = {
	{ .keyword = "PIPELINING", .id = EXT_PIPELINING },
	{ .keyword = "SIZE", .id = EXT_SIZE, .args = add_size },
	{ .keyword = "8BITMIME", .id = EXT_8BITMIME },
	{ .keyword = "SMTPUTF8", .id = EXT_SMTPUTF8 },
	{ .keyword = "STARTTLS", .id = EXT_STARTTLS, .when = offers_starttls },
	{ .keyword = "AUTH", .id = EXT_AUTH, .when = smtpd_offers_auth, .args = add_mechanisms },
	{ .keyword = "CHUNKING", .id = EXT_CHUNKING },
	{ .keyword = "BINARYMIME", .id = EXT_BINARYMIME, .when = keeps_octets },
	{ .keyword = "DSN", .id = EXT_DSN, .when = relays },
	{ .keyword = "REQUIRETLS", .id = EXT_REQUIRETLS, .when = relays_in_secret },
	{ .keyword = "MT-PRIORITY", .id = EXT_MT_PRIORITY, .when = relays },
	{ .keyword = "DELIVERBY", .id = EXT_DELIVERBY, .when = relays },
	{ .keyword = "FUTURERELEASE", .id = EXT_FUTURERELEASE, .when = holds, .args = add_hold },
	{ .keyword = "RRVS", .id = EXT_RRVS, .when = relays },
	{ .keyword = "LIMITS", .id = EXT_LIMITS, .args = add_limits },
	{ .keyword = "HELP", .id = EXT_COUNT },
	{ .keyword = "ENHANCEDSTATUSCODES", .id = EXT_ENHANCEDSTATUSCODES },
};

static void run_ehlo(struct smtpd *s, const char *arg)
{
	const size_t last = ARRAY_LEN(offers) - 1;

	if (!greet(s, arg, true))
		return;
	smtpd_reply_line(s, 250, '-', "%s", smtpd_name(s));
	for (size_t i = 0; i <= last; i++) {
		struct strbuf args = STRBUF_INIT(512);

		if (!offers[i].when || offers[i].when(s)) {
			if (offers[i].args)
				offers[i].args(s, &args);
			smtpd_reply_line(s, 250, i < last ? '-' : ' ', "%s%s", offers[i].keyword,
					 args.buf);
		}
		strbuf_release(&args);
	}
}

/* For the parameters; after HELO there are none. */
static struct params_reading announced(const struct smtpd *s)
{
	struct params_reading p = { .now = datetime_now(), .hold_max = hold_max(s) };

	for (size_t i = 0; s->esmtp && i < ARRAY_LEN(offers); i++)
		if (offers[i].id < EXT_COUNT)
			p.announced[offers[i].id] = !offers[i].when || offers[i].when(s);
	return p;
}

/* --- odds and ends -------------------------------------------------------- */

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
	const struct listen_settings *set = &s->options->set;
	const struct delivery_ops *ops = s->delivery->ops;
	struct delivery_reply reply;

	if (!*arg)
		smtpd_reply(s, 501, "5.5.4", "VRFY needs an address");
	else if (set->vrfy_aliases && ops->verify && (!set->auth_required || smtpd_proven(s)) &&
		 ops->verify(s->delivery, arg, &reply) == 0)
		smtpd_reply(s, reply.code, reply.status, "%s", reply.text);
	else
		smtpd_reply(s, 252, "2.5.2", "addresses are not verified here; send the message");
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

/* With the domain of this server, unless the delivery knows a better one. */
static const char *complete_address(struct smtpd *s, const struct mailbox *box)
{
	return s->delivery->completes ? box->address :
		address_format(s->arena, box->local, smtpd_name(s));
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
		return complete_address(s, &box);
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
	if (s->envelope.utf8 || text_is_ascii(address, strlen(address)))
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

/* What the kernel says of a client by a local socket decides, and counts. */
static bool caller_may(struct smtpd *s, const char *sender)
{
	const struct listen_settings *set = &s->options->set;
	struct error err;

	if (!s->caller || (caller_may_submit(set, s->caller, &err) == 0 &&
			   caller_may_send_as(set, s->caller, sender, &err) == 0 &&
			   caller_count(s->options->rates, s->caller, clock_ms(), &err) == 0))
		return true;
	smtpd_reply_error(s, error_is_temporary(&err) ? 450 : 550, &err);
	smtpd_log(s, "result=refused reason='%s'", err.text);
	return false;
}

/*
 * RFC 4954, section 5: who is not known may not say on whose behalf he sends,
 * and a local user on nobody's but of those as whom he may send.
 */
static bool may_say_who(const struct smtpd *s, const char *who)
{
	struct error ignored;

	if (s->caller)
		return caller_may_send_as(&s->options->set, s->caller, who, &ignored) == 0;
	return smtpd_proven(s) || s->local;
}

static void mail(struct smtpd *s, const char *arg)
{
	const struct params_reading reading = announced(s);
	struct envelope *e = &s->envelope;
	const char *rest;
	struct error err;

	e->sender = parse_path(s, arg, "FROM:", ADDRESS_NULL, &rest, &err);
	if (!e->sender) {
		refuse_path(s, &err, "5.1.7");
	} else if (params_read_mail(&reading, rest, e, &err) < 0) {
		smtpd_reply_error(s, err.reply, &err);
	} else if (!needs_utf8(s, e->sender) && fits_size(s, e->size) &&
		   caller_may(s, e->sender)) {
		if (e->ext.mail_auth && !may_say_who(s, e->ext.mail_auth))
			e->ext.mail_auth = "";
		smtpd_take_sender(s);
	}
}

static void run_mail(struct smtpd *s, const char *arg)
{
	if (s->options->set.auth_required && !smtpd_proven(s) && !s->stdio) {
		smtpd_reply(s, 530, "5.7.0", "sign in first");
		return;
	}
	if (s->mails >= messages_max(s)) {
		smtpd_reply(s, 421, "4.5.3", "no more than %u messages a session",
			    messages_max(s));
		smtpd_end(s, NULL);
		return;
	}
	s->mails++;
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

/* false: refused before anybody was asked. */
static bool rcpt(struct smtpd *s, const char *arg)
{
	const struct params_reading reading = announced(s);
	struct recipient r = { .source = RCPT_SOURCE_ARGUMENT };
	const char *rest;
	struct error err;

	if (s->rcpt_accepted + s->held_n >= rcpt_max(s))
		smtpd_answer_held(s);
	if (s->rcpt_accepted >= rcpt_max(s)) {
		smtpd_reply(s, 452, "4.5.3", "no more than %u recipients a message", rcpt_max(s));
		return false;
	}
	const char *address = parse_path(s, arg, "TO:", 0, &rest, &err);

	if (!address || !*address) {
		if (address)
			error_set(&err, FAULT_ADDRESS_SYNTAX, "the recipient is empty");
		refuse_path(s, &err, "5.1.3");
		return false;
	}
	if (params_read_rcpt(&reading, rest, &s->envelope, &r, &err) < 0) {
		smtpd_reply_error(s, err.reply, &err);
		return false;
	}
	if (needs_utf8(s, address) || !wants_domain(s, address))
		return false;
	r.address = address;
	smtpd_take_recipient(s, &r);
	return true;
}

static void run_rcpt(struct smtpd *s, const char *arg)
{
	if (!rcpt(s, arg))
		s->refused_rcpt = true;
}

/* A transaction without recipients has no content. */
void smtpd_refuse_content(struct smtpd *s)
{
	if (s->refused_rcpt && !s->lmtp)
		smtpd_reply(s, 554, "5.5.1", "no valid recipients");
	else
		smtpd_reply(s, 503, "5.5.1", "send RCPT first");
}

static void run_data(struct smtpd *s, const char *arg)
{
	(void)arg;
	if (s->state != SMTPD_RCPT)
		smtpd_refuse_content(s);
	else if (s->envelope.body == BODY_BINARYMIME)
		smtpd_reply(s, 503, "5.5.1", "BODY=BINARYMIME goes with BDAT");
	else
		receive_data(s);
}

/* bdat-cmd = "BDAT" SP chunk-size [SP "LAST"]   (RFC 3030, section 2) */
static void run_bdat(struct smtpd *s, const char *arg)
{
	uint64_t size;
	const size_t digits = text_decimal(arg, &size);
	const char *rest = arg + digits + strspn(arg + digits, " ");
	const bool last = strcasecmp(rest, "LAST") == 0;

	if (!digits || (*rest && (!last || arg[digits] != ' '))) {
		/* nobody knows how many octets of content come now */
		smtpd_reply(s, 501, "5.5.4", "the form is BDAT size, or BDAT size LAST");
		smtpd_end(s, NULL);
		return;
	}
	receive_chunk(s, size, last);
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
	{ "EHLO", ANY_STATE, IN_CLEAR | SMTP_ONLY, .handler = run_ehlo },
	{ "HELO", ANY_STATE, SMTP_ONLY, .handler = run_helo },
	{ "LHLO", ANY_STATE, IN_CLEAR | LMTP_ONLY, .handler = run_ehlo },
	{ "MAIL", SMTPD_READY, 0, .handler = run_mail, .order = "a transaction is open already" },
	{ "RCPT", SMTPD_MAIL | SMTPD_RCPT, ENVELOPE, .handler = run_rcpt,
	  .order = "send MAIL first" },
	{ "DATA", SMTPD_MAIL | SMTPD_RCPT, NO_ARGUMENT, .handler = run_data,
	  .order = "send MAIL and RCPT first" },
	{ "BDAT", ANY_STATE, IN_CLEAR | ENVELOPE, .handler = run_bdat },
	{ "RSET", ANY_STATE, NO_ARGUMENT, .handler = run_rset },
	{ "NOOP", ANY_STATE, IN_CLEAR, .reply = { 250, "2.0.0", "ok" } },
	{ "QUIT", ANY_STATE, IN_CLEAR | NO_ARGUMENT, .handler = run_quit },
	{ "VRFY", ANY_STATE, 0, .handler = run_vrfy },
	{ "HELP", ANY_STATE, 0, .reply = { 214, "2.0.0",
	  "EHLO HELO LHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT" } },
	{ "STARTTLS", SMTPD_READY, IN_CLEAR | NO_ARGUMENT, .handler = run_starttls,
	  .order = "not within a transaction" },
	{ "AUTH", SMTPD_READY, 0, .handler = signin_run, .order = "not within a transaction" },
	{ "EXPN", ANY_STATE, 0, .reply = MISSING },
	{ "ETRN", ANY_STATE, 0, .reply = MISSING },
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

	if (!command || !(command->flags & ENVELOPE))
		smtpd_answer_held(s);
	if (s->spoilt)
		smtpd_reset(s);
	if (!command || command->flags & (s->lmtp ? SMTP_ONLY : LMTP_ONLY))
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
