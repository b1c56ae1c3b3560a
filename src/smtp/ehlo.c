#include "config.h"
#include "smtp/ehlo.h"

#include <string.h>

#include "conf/account.h"
#include "net/wire.h"
#include "smtp/auth/auth.h"
#include "smtp/ext/ext.h"
#include "smtp/observer.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/text.h"

void ehlo_note_name(struct session *s)
{
	const char *text = s->reply.lines.n ? s->reply.lines.v[0] : "";

	text_escape(s->server_name, sizeof(s->server_name), text, strcspn(text, " "));
}

static bool may_use_helo(const struct session *s)
{
	return s->protocol != SESSION_LMTP && !s->opt.needs_extensions && !s->authenticated &&
		(!starttls_wanted(s) || s->account->tls.mode == TLS_MAY) && !auth_wanted(s);
}

static int say(struct session *s, enum stage stage, bool said, struct error *err)
{
	if (said)
		return session_reply(s, stage, err);
	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, stage_name(stage));
	strbuf_addch(&s->line, ' ');
	strbuf_addstr(&s->line, s->opt.ehlo_name);
	return session_command(s, stage, err);
}

/* RFC 2033, section 5, demands them of a server; it works without. */
static void note_missing(struct session *s)
{
	if (s->protocol != SESSION_LMTP)
		return;
	if (!session_has(s, EXT_PIPELINING))
		wire_note(s->wire, WIRE_IN, "(no PIPELINING, which LMTP demands)");
	if (!session_has(s, EXT_ENHANCEDSTATUSCODES))
		wire_note(s->wire, WIRE_IN, "(no ENHANCEDSTATUSCODES, which LMTP demands)");
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
		if (extensions_parse_line(s, s->reply.lines.v[i], err) < 0)
			return -1;
	}
	note_missing(s);
	return 0;
}

static int helo(struct session *s, struct error *err)
{
	s->protocol = SESSION_SMTP;
	if (say(s, STAGE_HELO, false, err) < 0)
		return -1;
	if (reply_class(&s->reply) != 2)
		return reply_error(&s->reply, STAGE_HELO, err);
	ehlo_note_name(s);
	return 0;
}

int ehlo_greet(struct session *s, bool helo_only, bool said, enum session_retry *retry_out,
	       struct error *err)
{
	enum stage stage = s->protocol == SESSION_LMTP ? STAGE_LHLO : STAGE_EHLO;

	observer_step(s->opt.observer, STEP_EHLO, s);
	if ((helo_only || !s->account->ext.esmtp) && may_use_helo(s))
		return helo(s, err);
	if (!s->account->ext.esmtp)
		return error_set(err, FAULT_CONFIG, "'esmtp = off' leaves no way to start "
				 "TLS, to sign in or to speak LMTP");
	if (say(s, stage, said, err) < 0) {
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
