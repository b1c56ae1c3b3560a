#include "config.h"
#include "submit/preview.h"

#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/request.h"
#include "smtp/extensions.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define LINE_LIMIT ((size_t)64 * 1024)
#define KEYWORDS_MAX 1000

/*
 * Those whose parameters come from what was asked for. The others are used
 * because a server offers them (PRDR, CHECKPOINT), which is not known here.
 */
static const enum extension_id asked_for[] = {
	EXT_SIZE, EXT_8BITMIME, EXT_BINARYMIME, EXT_CHUNKING, EXT_SMTPUTF8, EXT_REQUIRETLS,
	EXT_DSN, EXT_AUTH, EXT_MT_PRIORITY, EXT_DELIVERBY, EXT_FUTURERELEASE, EXT_MTRK,
	EXT_SUBMITTER, EXT_NO_SOLICITING, EXT_CONPERM, EXT_RRVS, EXT_SEND, EXT_SOML, EXT_SAML,
};

/* mail_param and rcpt_param go out with a server that has their keyword. */
static void announce_params(struct session *s, const char *const *list)
{
	for (; list && *list; list++) {
		const char *keyword, *value;
		size_t name, len;
		struct error ignored;

		if (request_param(*list, &name, &keyword, &len, &value, &ignored) == 0)
			strvec_add(&s->keywords, arena_strndup(s->arena, keyword, len));
	}
}

/* A session with a server that does not exist; what the account switches off stays off. */
static void assume(struct session *s, const struct account *a, struct arena *arena)
{

	*s = (struct session){ .account = a, .arena = arena, .encrypted = a->tls.mode != TLS_OFF,
			       .verified = a->tls.mode != TLS_OFF,
			       .local = a->socket != NULL, .authenticated = true,
			       .protocol = a->protocol == PROTOCOL_LMTP ? SESSION_LMTP :
					   a->ext.esmtp ? SESSION_ESMTP : SESSION_SMTP };
	s->opt.account = a;
	strvec_init(&s->mechanisms, KEYWORDS_MAX);
	strvec_init(&s->keywords, KEYWORDS_MAX);
	strbuf_init(&s->line, LINE_LIMIT);
	if (s->protocol == SESSION_SMTP)
		return;
	for (size_t i = 0; i < ARRAY_LEN(asked_for); i++)
		extensions_parse_line(s, extensions[asked_for[i]]->keyword);
	announce_params(s, a->ext.mail_param);
	announce_params(s, a->ext.rcpt_param);
}

static void add_commands(struct preview *p, const struct session *s)
{
	const struct envelope *e = &p->converted.envelope;
	const enum send_mode mode = send_mode(s, e);
	struct strbuf line = STRBUF_INIT(LINE_LIMIT);

	strbuf_addf(&line, "%s%s>", send_mode_open(mode), e->sender);
	if (mode == SEND_MODE_MAIL)
		extensions_params(s, e, NULL, &line);
	else
		send_mode_params(s, e, &line);
	strvec_add(&p->command, line.buf);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		strbuf_reset(&line);
		strbuf_addf(&line, "RCPT TO:<%s>", e->rcpt[i].address);
		if (mode == SEND_MODE_MAIL)
			extensions_params(s, e, &e->rcpt[i], &line);
		strvec_add(&p->command, line.buf);
	}
	strbuf_release(&line);
}

int preview_make(struct preview *p, const struct account *a, const struct message *m,
		 const struct edits *edits, const struct envelope *e, struct error *err)
{
	struct arena *arena = arena_new();
	struct session s;

	*p = (struct preview){ .converted = { .made = false } };
	strvec_init(&p->command, e->rcpt_count + 1);
	assume(&s, a, arena);
	int rc = convert_for_session(&p->converted, &s, m, edits, e, err);

	if (rc == 0)
		add_commands(p, &s);
	strvec_release(&s.mechanisms);
	strvec_release(&s.keywords);
	strbuf_release(&s.line);
	arena_free(arena);
	return rc;
}

void preview_release(struct preview *p)
{
	converted_release(&p->converted);
	strvec_release(&p->command);
}
