#include "config.h"
#include "smtp/ahead.h"

#include <string.h>

#include "conf/account.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/ehlo.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strvec.h"

static enum ahead_phase phase(const struct session *s)
{
	return s->encrypted ? AHEAD_TLS : AHEAD_CLEAR;
}

static const struct ahead_memory *memory(const struct session *s)
{
	const struct ahead_memory *m = s->opt.memory;

	return m && s->account->pipe_connect && s->protocol == SESSION_ESMTP ? m : NULL;
}

static bool invited(const struct session *s)
{
	return session_has(s, EXT_PIPELINING) &&
		(session_has(s, EXT_PIPECONNECT) || session_has(s, EXT_X_PIPE_CONNECT));
}

/* What was announced is what these lines say. */
static int announce(struct session *s, const struct strvec *lines, struct error *err)
{
	extensions_forget(s);
	for (size_t i = 0; i < lines->n; i++) {
		strvec_add(&s->keywords, lines->v[i]);
		if (extensions_parse_line(s, lines->v[i], err) < 0)
			return -1;
	}
	return 0;
}

static int put_hello(struct session *s, struct error *err)
{
	struct deadline d = session_deadline(s, STAGE_EHLO);

	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, "EHLO ");
	strbuf_addstr(&s->line, s->opt.ehlo_name);
	return command_send(s->wire, &s->line, &d, err);
}

bool ahead_hello(struct session *s, bool greeting)
{
	const struct ahead_memory *m = memory(s);
	struct strvec lines = STRVEC_INIT(REPLY_LINES_MAX);
	struct error ignored;
	if (!m || s->opt.cautious || !s->opt.message_follows || s->authenticated ||
	    !m->recall(m->ctx, phase(s), &lines)) {
		strvec_release(&lines);
		return false;
	}
	bool gone = announce(s, &lines, &ignored) == 0 && invited(s) &&
		put_hello(s, &ignored) == 0;

	strvec_release(&lines);
	if (!gone) {
		extensions_forget(s);
		return false;
	}
	if (greeting)
		ahead_expect(s, STAGE_GREETING);
	ahead_expect(s, STAGE_EHLO);
	return true;
}

void ahead_expect(struct session *s, enum stage stage)
{
	s->ahead[s->ahead_n++] = stage;
}

/* Once more, in a new connection, and nothing ahead of anything. */
static enum ahead_verdict not_so(struct session *s)
{
	const struct ahead_memory *m = memory(s);

	if (m && !s->again)
		m->forget(m->ctx);
	s->again = true;
	return AHEAD_FAILED;
}

void ahead_lost(struct session *s, enum stage stage)
{
	/* some servers hang up on clients that speak first */
	if ((stage == STAGE_GREETING || stage == STAGE_EHLO) && memory(s) && !s->opt.cautious &&
	    wire_unread_now(s->wire) < 0)
		(void)not_so(s);
}

static bool same_lines(const struct strvec *a, const struct strvec *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	}
	return true;
}

/* The lines behind the first, which is the server's name. */
static enum ahead_verdict take_hello(struct session *s, const struct reply *r, struct error *err)
{
	struct strvec lines = STRVEC_INIT(REPLY_LINES_MAX);
	enum ahead_verdict verdict = AHEAD_FINE;

	for (size_t i = 1; i < r->lines.n; i++)
		strvec_add(&lines, r->lines.v[i]);
	ehlo_note_name(s);
	if (!same_lines(&lines, &s->keywords)) {
		verdict = announce(s, &lines, err) < 0 ? AHEAD_FAILED : AHEAD_CHANGED;
		ehlo_note_name(s);
		if (!invited(s) && memory(s))
			memory(s)->forget(memory(s)->ctx);
	}
	ahead_remember(s);
	strvec_release(&lines);
	return verdict;
}

enum ahead_verdict ahead_take(struct session *s, enum stage stage, const struct reply *r,
			      struct error *err)
{
	if (reply_class(r) != 2) {
		reply_error(r, stage, err);
		return not_so(s);
	}
	if (stage == STAGE_EHLO)
		return take_hello(s, r, err);
	ehlo_note_name(s);
	return AHEAD_FINE;
}

int ahead_settle(struct session *s, struct error *err)
{
	for (unsigned i = 0; i < s->ahead_n; i++) {
		enum stage stage = s->ahead[i];

		if (session_reply(s, stage, err) < 0) {
			ahead_lost(s, stage);
			return -1;
		}
		if (ahead_take(s, stage, &s->reply, err) == AHEAD_FAILED)
			return -1;
	}
	s->ahead_n = 0;
	return 0;
}

void ahead_remember(struct session *s)
{
	const struct ahead_memory *m = memory(s);

	if (m && !s->authenticated && invited(s))
		m->remember(m->ctx, phase(s), &s->keywords);
}
