#include "config.h"
#include "smtp/early.h"

#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/error.h"

/* NULL: nobody wants it, or LMTP, where nobody offers it. */
static const struct early_memory *memory(const struct session *s)
{
	return s->protocol == SESSION_ESMTP ? s->opt.early : NULL;
}

bool early_hello(struct session *s)
{
	const struct early_memory *m = memory(s);
	struct deadline d = session_deadline(s, STAGE_EHLO);
	struct error unfit;

	if (!m || !m->invited(m->ctx))
		return false;
	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, "EHLO ");
	strbuf_addstr(&s->line, s->opt.ehlo_name);
	return command_send(s->wire, &s->line, &d, &unfit) == 0;
}

void early_note(const struct session *s)
{
	const struct early_memory *m = memory(s);

	if (m)
		m->note(m->ctx, session_has(s, EXT_PIPELINING) &&
			(session_has(s, EXT_PIPECONNECT) || session_has(s, EXT_X_PIPE_CONNECT)));
}

bool early_refused(const struct session *s)
{
	const struct early_memory *m = memory(s);

	const bool refused = s->reply.code && reply_class(&s->reply) != 2;

	if (!m || (!refused && wire_unread_now(s->wire) >= 0))
		return false;
	m->note(m->ctx, false);
	return true;
}
