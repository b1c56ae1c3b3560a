#include "config.h"
#include "smtp/pipeline.h"

#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/xalloc.h"

/* Replies are taken when so many octets of them have come; more than any one reply. */
#define UNREAD_MAX (WIRE_INPUT_MAX / 4)

void pipeline_expect(struct pipeline *p, enum stage stage, size_t index)
{
	if (p->broken)
		return;
	if (p->head == p->count)
		p->head = p->count = 0;
	if (p->count == p->alloc) {
		p->alloc = p->alloc ? p->alloc * 2 : 16;
		p->queue = xrealloc(p->queue, p->alloc, sizeof(*p->queue));
	}
	p->queue[p->count++] = (struct pipeline_expected){ stage, index };
}

void pipeline_init(struct pipeline *p, struct session *s, pipeline_fn *fn, void *ctx)
{
	*p = (struct pipeline){ .session = s, .fn = fn, .ctx = ctx };
}

void pipeline_release(struct pipeline *p)
{
	xfree(p->queue);
	p->queue = NULL;
	p->head = p->count = p->alloc = 0;
}

void pipeline_break(struct pipeline *p, const struct error *err)
{
	if (p->broken)
		return;
	p->broken = p->lost = true;
	p->session->dead = true;
	p->error = *err;
}

/* Hands the reply in the session to its command. */
static void answer(struct pipeline *p, const struct pipeline_expected *what)
{
	struct reply *r = &p->session->reply;
	struct error err;

	p->fn(p->ctx, what, r);
	if (r->code == 421 && !p->broken) {
		/* RFC 5321, section 3.8: it answers all that is unanswered */
		reply_error(r, what->stage, &p->error);
		p->broken = true;
		p->session->dead = true;
	} else if (r->code == 221) {
		/* RFC 5321, section 4.2.3: the channel closes, whatever it was the answer to */
		reply_error(r, what->stage, &err);
		pipeline_break(p, &err);
	}
}

static void take_next_reply(struct pipeline *p)
{
	struct error err;

	if (session_reply(p->session, p->queue[p->head].stage, &err) < 0) {
		pipeline_break(p, &err);
		return;
	}
	p->head++;
	answer(p, &p->queue[p->head - 1]);
}

size_t pipeline_outstanding(const struct pipeline *p)
{
	return p->broken ? 0 : p->count - p->head;
}

/* Nothing may have been said before the first command of a group. */
static bool quiet(struct pipeline *p, enum stage stage, size_t index)
{
	struct error err;
	int early = session_quiet(p->session, &err);

	if (early < 0)
		pipeline_break(p, &err);
	else if (early)
		answer(p, &(const struct pipeline_expected){ stage, index });
	return early == 0;
}

/* What the server said before it went is still worth reading. */
static void put_line(struct pipeline *p, enum stage stage, const char *shown)
{
	struct session *s = p->session;
	struct deadline d = session_deadline(s, stage);
	struct error err;

	strbuf_add(&s->line, "\r\n", 2);
	if (wire_put(s->wire, s->line.buf, s->line.len, shown, &d, &err) == 0)
		return;
	if (!p->behind)
		pipeline_finish(p);
	pipeline_break(p, &err);
}

int pipeline_say(struct pipeline *p, enum stage stage, size_t extra, const char *shown,
		 struct error *err)
{
	if (command_check(&p->session->line, extra, false, err) < 0)
		return -1;
	if (!p->broken && (pipeline_outstanding(p) || quiet(p, stage, 0)))
		put_line(p, stage, shown);
	return 0;
}

int pipeline_add(struct pipeline *p, enum stage stage, size_t index, size_t extra,
		 struct error *err)
{
	struct session *s = p->session;

	if (command_check(&s->line, extra, session_has(s, EXT_SMTPUTF8), err) < 0)
		return -1;
	if (p->broken || (!pipeline_outstanding(p) && !p->behind && !quiet(p, stage, index)))
		return 0;
	pipeline_expect(p, stage, index);
	put_line(p, stage, NULL);
	while (!p->behind && pipeline_outstanding(p) && wire_unread(s->wire) > UNREAD_MAX)
		take_next_reply(p);
	if (!session_has(s, EXT_PIPELINING))
		pipeline_finish(p);
	return 0;
}

void pipeline_take(struct pipeline *p)
{
	if (pipeline_outstanding(p))
		take_next_reply(p);
}

void pipeline_take_ready(struct pipeline *p)
{
	while (pipeline_outstanding(p) && wire_unread_now(p->session->wire) > 0)
		take_next_reply(p);
}

void pipeline_finish(struct pipeline *p)
{
	while (pipeline_outstanding(p))
		take_next_reply(p);
}
