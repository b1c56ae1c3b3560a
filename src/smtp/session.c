/*
 * A session from greeting to QUIT.
 *
 * EHLO, with HELO where doc/protocol.md#helo allows it, and LHLO
 * (RFC 5321, section 4.1.1.1; RFC 2033, section 4.1).
 *
 * A HELO session has no extensions, so it is only used when nothing needs
 * one: not TLS, not AUTH, not the envelope. A temporary refusal of EHLO
 * never leads to HELO, or it could be used to strip TLS and AUTH.
 */
#include "config.h"
#include "smtp/session.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "net/wire.h"
#include "smtp/auth/auth.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp/veil.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* --- EHLO before the greeting ------------------------------------------------------- */

/* NULL: nobody wants it, or LMTP, where nobody offers it. */
static const struct early_memory *memory(const struct session *s)
{
	return s->protocol == SESSION_ESMTP ? s->opt.early : NULL;
}

/* Puts EHLO into the wire, to go out before the greeting is read; false: it is not to. */
static bool early_hello(struct session *s)
{
	const struct early_memory *m = memory(s);
	struct deadline d = session_deadline(s, STAGE_EHLO);
	struct error unfit;

	if (!m || !m->invited(m->ctx))
		return false;
	session_line(s, "EHLO", s->opt.ehlo_name);
	return command_send(s->wire, &s->line, false, &d, &unfit) == 0;
}

/* The first EHLO of the connection was answered: keeps whether the server invites. */
static void early_note(const struct session *s)
{
	const struct early_memory *m = memory(s);

	if (m)
		m->note(m->ctx, session_has(s, EXT_PIPELINING) &&
			(session_has(s, EXT_PIPECONNECT) || session_has(s, EXT_X_PIPE_CONNECT)));
}

/*
 * EHLO went ahead, and no session came of it, by err. True when that may be
 * why: the server refused, hung up or left it unanswered. Then it is forgotten
 * that it had invited.
 */
static bool early_refused(const struct session *s, const struct error *err)
{
	const struct early_memory *m = memory(s);

	const bool refused = err->fault == FAULT_TIMEOUT ||
		(s->reply.code && reply_class(&s->reply) != 2);

	if (!m || (!refused && wire_unread_now(s->wire) >= 0))
		return false;
	m->note(m->ctx, false);
	return true;
}

/* --- EHLO --------------------------------------------------------------------------- */

/* Takes the first word of the last reply as the name of the server; who says more is known. */
static void ehlo_note_name(struct session *s)
{
	const char *text = s->reply.lines.n ? s->reply.lines.v[0] : "";

	text_escape(s->server_name, sizeof(s->server_name), text, strcspn(text, " "));
	s->dovecot |= strstr(text, " Dovecot ") != NULL;
}

static bool may_use_helo(const struct session *s)
{
	return s->protocol != SESSION_LMTP && !s->opt.needs_extensions && !s->authenticated &&
		(!starttls_wanted(s) || (s->account->tls.mode == TLS_MAY && !s->opt.keep_tls)) &&
		!auth_wanted(s);
}

static int say_hello(struct session *s, enum stage stage, bool said, struct error *err)
{
	if (said)
		return session_reply(s, stage, err);
	session_line(s, stage_name(stage), s->opt.ehlo_name);
	return session_command(s, stage, err);
}

/* RFC 2033, section 5, demands them of a server; it works without. */
static int look_for_demanded(const struct session *s, struct error *err)
{
	static const enum extension_id demanded[] = { EXT_PIPELINING, EXT_ENHANCEDSTATUSCODES };

	for (size_t i = 0; s->protocol == SESSION_LMTP && i < ARRAY_LEN(demanded); i++) {
		const char *name = extensions[demanded[i]]->keyword;

		if (session_has(s, demanded[i]))
			continue;
		wire_note(s->wire, WIRE_NOTE_IN,
			  arena_printf(s->arena, "(no %s, which LMTP demands)", name));
		if (s->account->lmtp_required && !s->opt.info_only)
			return error_set(err, FAULT_EXTENSION_MISSING, "the server does not offer "
					 "%s, which LMTP demands (RFC 2033), and lmtp_required = "
					 "on", name);
	}
	return 0;
}

/*
 * ehlo-ok-rsp = "250-" domain [SP greet] CRLF *("250-" ehlo-line CRLF)
 *               "250" SP ehlo-line CRLF          (RFC 5321, section 4.1.1.1)
 * The first line is never a keyword, even if it looks like one.
 */
static int take_lines(struct session *s, struct error *err)
{
	ehlo_note_name(s);
	for (size_t i = 1; i < s->reply.lines.n; i++) {
		strvec_add(&s->keywords, s->reply.lines.v[i]);
		extensions_parse_line(s, s->reply.lines.v[i]);
	}
	return look_for_demanded(s, err);
}

static int helo(struct session *s, struct error *err)
{
	s->protocol = SESSION_SMTP;
	if (say_hello(s, STAGE_HELO, false, err) < 0)
		return -1;
	if (reply_class(&s->reply) != 2)
		return reply_error(&s->reply, STAGE_HELO, err);
	ehlo_note_name(s);
	return 0;
}

/*
 * Greets the server and notes what it announces. said: EHLO went ahead of the
 * greeting, and its reply is due. *retry_out is set when the server dropped
 * the connection instead of answering EHLO and a new one with HELO may be
 * tried.
 */
static int ehlo_greet(struct session *s, bool helo_only, bool said, enum session_retry *retry_out,
		      struct error *err)
{
	enum stage stage = s->protocol == SESSION_LMTP ? STAGE_LHLO : STAGE_EHLO;

	observer_step(s->opt.observer, STEP_EHLO, s);
	if ((helo_only || !s->account->ext.esmtp) && may_use_helo(s))
		return helo(s, err);
	if (!s->account->ext.esmtp)
		return error_set(err, FAULT_CONFIG, "'esmtp = off' leaves no way to start "
				 "TLS, to sign in or to speak LMTP");
	if (say_hello(s, stage, said, err) < 0) {
		/* a connection that was dropped: not silence, not garbage, not half a reply */
		if (s->dead && err->exit == EX_TEMPFAIL && wire_unread(s->wire) == 0 &&
		    wire_unread_now(s->wire) < 0 && may_use_helo(s))
			*retry_out = SESSION_RETRY_HELO;
		return -1;
	}
	/* some servers refuse a second EHLO after AUTH: what they said first stands */
	if (s->authenticated && reply_class(&s->reply) == 5)
		return 0;
	if (reply_class(&s->reply) == 2) {
		extensions_forget(s);
		return take_lines(s, err);
	}
	if (reply_class(&s->reply) == 5 && !said && may_use_helo(s))
		return helo(s, err);
	reply_error(&s->reply, stage, err);
	if (reply_class(&s->reply) == 5 && stage == STAGE_EHLO)
		error_append(err, " (and HELO is not enough: TLS, AUTH or an extension is needed)");
	return -1;
}

#define GREETINGS_MAX 5		/* EHLO: in clear, after TLS, XCLIENT, AUTH, one to spare */
#define SILENT_MAX 3		/* seconds without a greeting on the port of TLS */
#define KEYWORDS_MAX REPLY_LINES_MAX
#define MECHANISMS_MAX 64

static const size_t stage_timeout[] = {
#define S(id, name, open, close, timeout) offsetof(struct timeouts, timeout),
	STAGES(S)
#undef S
};

/* RFC 8314, section 3.3: that port begins with TLS, and who does so waits for us. */
static bool waits_for_tls(const struct session *s)
{
	const unsigned submissions = 465;

	return s->opt.port == submissions && !s->encrypted && !s->local;
}

struct deadline session_deadline(const struct session *s, enum stage stage)
{
	const char *timeouts = (const char *)&s->account->timeouts;
	const unsigned last = s->account->timeouts.data_done;
	unsigned seconds;

	memcpy(&seconds, timeouts + stage_timeout[stage], sizeof(seconds));
	/* whatever the limit is, and where there is none: both ends would wait for ever */
	if (stage == STAGE_GREETING && waits_for_tls(s) && (!seconds || seconds > SILENT_MAX))
		seconds = SILENT_MAX;
	if (s->patient && seconds && (!last || seconds < last))
		seconds = last;
	if (s->hasty && (!seconds || seconds > GROUP_SECONDS))
		seconds = GROUP_SECONDS;
	return deadline_in(seconds, stage_awaited(stage));
}

bool session_has(const struct session *s, enum extension_id id)
{
	return s->announced[id];
}

void session_give_up(struct session *s, enum extension_id id)
{
	s->announced[id] = false;
	s->given_up[id] = true;
}

void session_note(const struct session *s, const char *text)
{
	wire_note(s->wire, WIRE_NOTE_OUT, text);
}

int session_reply(struct session *s, enum stage stage, struct error *err)
{
	struct deadline d = session_deadline(s, stage);
	const bool hidden = stage == STAGE_AUTH || stage == STAGE_BURL;
	int rc = reply_read(s->wire, &d, hidden, &s->reply, err);

	if (rc < 0 || s->reply.code == 421)
		s->dead = true;
	return rc;
}

int session_named(const struct session *s, struct error *err)
{
	err->named = s->opt.host && strcasecmp(s->server_name, s->opt.host) == 0;
	return -1;
}

int session_quiet(struct session *s, struct error *err)
{
	if (wire_unread_now(s->wire) <= 0)
		return 0;
	if (session_reply(s, STAGE_COMMAND, err) < 0)
		return -1;
	if (s->reply.code == 421)
		return 1;
	s->dead = true;
	struct strbuf words = STRBUF_INIT(REPLY_TOTAL_MAX * 4);

	reply_text(&s->reply, &words);
	error_set(err, FAULT_PROTOCOL, "the server sent a reply that nobody asked for: "
		  "%d %s", s->reply.code, words.buf);
	strbuf_release(&words);
	return -1;
}

void session_line(struct session *s, const char *words, const char *further)
{
	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, words);
	if (further)
		strbuf_addch(&s->line, ' ');
	strbuf_addstr(&s->line, further ? further : "");
}

int session_say(struct session *s, enum stage stage, const char *words, struct error *err)
{
	session_line(s, words, NULL);
	return session_command(s, stage, err);
}

int session_command(struct session *s, enum stage stage, struct error *err)
{
	struct deadline d = session_deadline(s, stage);
	int early = session_quiet(s, err);

	if (early)
		return early < 0 ? -1 : 0;
	if (command_send(s->wire, &s->line, session_has(s, EXT_SMTPUTF8), &d, err) < 0)
		return -1;
	return session_reply(s, stage, err);
}

enum { AT_ONCE_MS = 2, GOODBYE_MS = 200 };

static bool comes_within(struct session *s, int milliseconds, char *first_out)
{
	const struct deadline d = { .at = clock_ms() + milliseconds, .what = "the reply to QUIT" };
	struct error ignored;
	const char *data;
	size_t n;

	if (wire_peek(s->wire, &data, &n, &d, &ignored) < 0 || n == 0)
		return false;
	*first_out = data[0];
	return true;
}

bool session_hears(struct session *s, int milliseconds)
{
	char first;

	return comes_within(s, milliseconds, &first);
}

int session_stray(struct session *s)
{
	struct error ignored;

	if (s->dead || !session_hears(s, AT_ONCE_MS))
		return 0;
	const int rc = session_reply(s, STAGE_QUIT, &ignored);

	s->dead = true;
	return rc == 0 ? s->reply.code : 0;
}

/*
 * What comes at once behind QUIT: a refusal that another reply follows was
 * one too many, and about what went before; a single one is QUIT's own, which
 * says nothing. Its code, or 0.
 */
static int stray_refusal(struct session *s, const struct deadline *d)
{
	struct error ignored;
	char first;

	if (!comes_within(s, AT_ONCE_MS, &first) || (first != '4' && first != '5') ||
	    reply_read(s->wire, d, false, &s->reply, &ignored) < 0)
		return 0;
	const int code = s->reply.code;

	return comes_within(s, GOODBYE_MS, &first) ? code : 0;
}

int session_quit(struct session *s, bool wait)
{
	struct deadline d = session_deadline(s, STAGE_QUIT);
	struct error ignored;
	int code = 0;

	if (s->dead)
		return 0;
	s->dead = true;
	if (wire_unread_now(s->wire) > 0 &&
	    reply_read(s->wire, &d, false, &s->reply, &ignored) == 0)
		code = s->reply.code;
	session_line(s, "QUIT", NULL);
	/* the end is the end, polite or not */
	if (command_send(s->wire, &s->line, false, &d, &ignored) == 0 &&
	    wire_flush(s->wire, &d, &ignored) == 0) {
		if (wait)
			(void)!reply_read(s->wire, &d, false, &s->reply, &ignored);
		else if (!code)
			code = stray_refusal(s, &d);
	}
	return code == 221 || code == 421 ? 0 : code;
}

/* A server that waits for a handshake says nothing, until it gives up. */
static int hint_at_tls(const struct session *s, struct error *err)
{
	const bool silent = err->fault == FAULT_TIMEOUT || err->fault == FAULT_CONNECTION_LOST;

	if (waits_for_tls(s) && silent)
		error_append(err, " (port %u speaks TLS from the start: use tls = implicit)",
			     s->opt.port);
	return -1;
}

/* The server's name is all that the greeting tells (RFC 5321, section 4.2). */
static int greeting(struct session *s, struct error *err)
{
	observer_step(s->opt.observer, STEP_GREETING, s);
	if (session_reply(s, STAGE_GREETING, err) < 0)
		return hint_at_tls(s, err);
	if (reply_class(&s->reply) != 2)
		return reply_error(&s->reply, STAGE_GREETING, err);
	ehlo_note_name(s);
	return 0;
}

/* The greeting, and EHLO before or behind it. */
static int open_with_ehlo(struct session *s, bool helo_only, enum session_retry *retry_out,
			  struct error *err)
{
	const bool early = !helo_only && early_hello(s);

	if (greeting(s, err) == 0 && ehlo_greet(s, helo_only, early, retry_out, err) == 0) {
		early_note(s);
		return 0;
	}
	if (early && early_refused(s, err))
		*retry_out = SESSION_RETRY_GREETED;
	return -1;
}

static int hello(struct session *s, bool helo_only, enum session_retry *retry_out,
		 struct error *err)
{
	for (int i = 0; i < GREETINGS_MAX; i++) {
		int rc = i == 0 ? open_with_ehlo(s, helo_only, retry_out, err) :
			ehlo_greet(s, helo_only, false, retry_out, err);

		if (rc < 0)
			return -1;
		enum ehlo_next next = extensions_after_ehlo(s, err);

		if (next != EHLO_AGAIN)
			return next == EHLO_FAILED ? -1 : 0;
		if (!s->authenticated)
			extensions_forget(s);
	}
	return error_set(err, FAULT_BUG, "the session does not get beyond EHLO");
}

int session_open(struct session *s, struct wire *wire, const struct session_options *opt,
		 bool helo_only, enum session_retry *retry_out, struct error *err)
{
	*s = (struct session){ .wire = wire, .opt = *opt, .account = opt->account,
		.reply = REPLY_INIT, .mechanisms = STRVEC_INIT(MECHANISMS_MAX),
		.keywords = STRVEC_INIT(KEYWORDS_MAX),
		.clear_keywords = STRVEC_INIT(KEYWORDS_MAX),
		.line = STRBUF_INIT(COMMAND_BUFFER_MAX) };
	s->arena = s->domains.arena = arena_new();
	s->reply.line_max = opt->account->reply_max;
	s->local = opt->account->socket != NULL;
	s->protocol = opt->account->protocol == PROTOCOL_LMTP ? SESSION_LMTP : SESSION_ESMTP;
	s->encrypted = tls_is(wire_stream(wire));
	s->verified = s->encrypted && tls_authenticated(wire_stream(wire));
	*retry_out = SESSION_RETRY_NOT;
	if (hello(s, helo_only, retry_out, err) == 0)
		return 0;
	session_quit(s, true);
	return -1;
}

void session_release(struct session *s)
{
	strvec_release(&s->mechanisms);
	strvec_release(&s->keywords);
	strvec_release(&s->clear_keywords);
	reply_release(&s->reply);
	s->reply.veil = NULL;
	veil_free(s->veil);
	s->veil = NULL;
	strbuf_release(&s->line);
	arena_free(s->arena);
	s->arena = NULL;
}

/* --- who is told -------------------------------------------------------------------- */

#define NOTE_MAX 1024
#define CHAIN_MAX 100

void observer_secured(const struct observer *o, struct wire *w)
{
	const struct stream *tls = wire_stream(w);
	struct strbuf text = STRBUF_INIT(NOTE_MAX);

	strbuf_addstr(&text, "TLS: ");
	tls_describe(tls, &text);
	wire_note(w, WIRE_NOTE_IN, text.buf);
	if (o && o->secured) {
		struct strvec chain = STRVEC_INIT(CHAIN_MAX);

		tls_add_peer_chain(tls, &chain);
		o->secured(o->ctx, text.buf + sizeof("TLS: ") - 1, tls_authenticated(tls), &chain);
		strvec_release(&chain);
	}
	strbuf_release(&text);
}

void observer_step(const struct observer *o, enum session_step step, const struct session *s)
{
	if (o && o->step)
		o->step(o->ctx, step, s);
}
