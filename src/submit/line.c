#include "config.h"
#include "submit/line.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "submit/attempt.h"
#include "submit/memory.h"
#include "submit/session_open.h"
#include "submit/silent.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/xalloc.h"

/* The reply to RSET behind a dot comes with that to the message, if it comes. */
#define ANSWER_MS 2000
/* Another one behind a refusal of it would have been its own. */
#define FURTHER_MS 200

struct line {
	struct arena *arena;		/* of the session and of what led to it */
	struct session_opening o;
	struct server_list targets;
	bool open;
	const struct account *account;	/* whose it is; NULL = nobody's */
	char *domain, *sender;		/* in arena; NULL = none, any */
	const struct account *direct_of;
	struct account direct;
	unsigned messages;		/* on this connection, with the one under way */
	int64_t used_ms;		/* when the last one ended */
	enum { BEHIND_UNKNOWN, BEHIND_SERVED, BEHIND_NOT } behind;
	bool over;			/* no further message on this connection */
	struct attempt *ahead;
	struct silent_list silent;
};

struct line *line_new(void)
{
	return xcalloc(1, sizeof(struct line));
}

static void drop_ahead(struct line *l)
{
	if (!l->ahead)
		return;
	/* the server waits for its content, and gets none */
	l->o.session.dead = true;
	attempt_drop(l->ahead);
	l->ahead = NULL;
}

void line_close(struct line *l)
{
	drop_ahead(l);
	if (l->open) {
		session_quit(&l->o.session, false);
		session_opening_close(&l->o);
	}
	host_addresses_release(&l->o.addresses);
	arena_free(l->arena);
	*l = (struct line){ .silent = l->silent };
}

void line_free(struct line *l)
{
	if (!l)
		return;
	line_close(l);
	silent_release(&l->silent);
	xfree(l);
}

int line_idle_ms(const struct line *l)
{
	if (!l->open || !l->account->reuse.idle)
		return -1;
	const int64_t left = l->used_ms +
		(int64_t)l->account->reuse.idle * 1000 - clock_ms();

	return left > 0 ? (int)left : 0;
}

const struct account *line_direct(struct line *l, const struct account *a)
{
	if (l->direct_of != a) {
		line_close(l);
		l->direct = attempt_direct_account(a);
		l->direct_of = a;
	}
	return &l->direct;
}

/* --- which messages may have it ------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcasecmp(a, b) == 0 : a == b;
}

/* Is there no room for one more message? That of the one whose envelope is out is taken. */
static bool is_full(const struct line *l)
{
	const unsigned own = l->account->reuse.messages;
	const struct session *s = &l->o.session;

	return (own && l->messages >= own) ||
		(s->mail_max && !l->ahead && s->mail_count >= s->mail_max);
}

/* Nothing was said that nobody asked for, not even good-bye. */
static bool is_quiet(struct line *l)
{
	return wire_unread_now(l->o.wire) == 0;
}

static bool may_be_used(struct line *l)
{
	struct session *s = &l->o.session;

	return l->open && !l->over && !s->dead && !is_full(l) &&
		(l->ahead || (line_idle_ms(l) != 0 && is_quiet(l)));
}

struct session_opening *line_take(struct line *l, const struct account *a, const char *mx_domain,
				  const char *sender, bool *open_out)
{
	const bool own = l->account == a && same_text(l->domain, mx_domain) &&
		same_text(l->sender, sender);

	*open_out = own && may_be_used(l);
	if (*open_out) {
		l->messages++;
		return &l->o;
	}
	const struct account *direct_of = a == &l->direct ? l->direct_of : NULL;
	const struct account direct = l->direct;

	line_close(l);
	l->direct_of = direct_of;
	l->direct = direct;
	l->account = a;
	l->arena = l->o.arena = arena_new();
	l->domain = mx_domain ? arena_strdup(l->arena, mx_domain) : NULL;
	l->sender = sender ? arena_strdup(l->arena, sender) : NULL;
	return &l->o;
}

void line_opened(struct line *l)
{
	const struct server *to = &l->o.target;

	drop_ahead(l);
	l->open = true;
	l->over = false;
	l->messages = 1;
	l->behind = memory_dot_is_last(l->account, to->host, to->port) ? BEHIND_NOT :
		BEHIND_UNKNOWN;
}

bool line_keep(struct line *l)
{
	const struct session *s = &l->o.session;

	l->used_ms = clock_ms();
	if (s->dead || s->xclient_sent || s->domain_max || s->transid ||
	    (s->need_reset && s->account->rset == RSET_NEVER) || l->over ||
	    is_full(l)) {
		line_leave(l);
		return false;
	}
	return true;
}

void line_leave(struct line *l)
{
	drop_ahead(l);
	l->open = false;
}

struct server_list *line_targets(struct line *l)
{
	return &l->targets;
}

bool line_has_room(const struct line *l)
{
	const struct session *s = &l->o.session;

	return !is_full(l) && !s->xclient_sent && !s->domain_max;
}

/* --- behind the dot ---------------------------------------------------------------------- */

/*
 * Dovecot's submission service (2.3) serves RSET behind a dot, but its process
 * ends at MAIL there, with the reply to the message before unsaid: so it is
 * known by its greeting, or by BURL, which hardly anybody else has.
 */
static bool is_dovecot(const struct session *s)
{
	return s->dovecot || session_has(s, EXT_BURL);
}

bool line_may_follow(const struct line *l)
{
	const struct session *s = &l->o.session;
	const struct account *a = s->account;

	return l->behind != BEHIND_NOT && !l->over && session_has(s, EXT_PIPELINING) &&
		s->protocol == SESSION_ESMTP && a->rset != RSET_NEVER &&
		a->pipelining != PIPELINING_FIRST_NO && !a->cmd.xforward && !a->checkpoint &&
		a->cmd.send_mode == SEND_MODE_MAIL && !is_dovecot(s);
}

bool line_serves_behind(const struct line *l)
{
	return l->behind == BEHIND_SERVED;
}

bool line_put_reset(struct line *l)
{
	struct session *s = &l->o.session;
	const struct deadline d = session_deadline(s, STAGE_RSET);
	struct error err;

	session_line(s, "RSET", NULL);
	s->need_reset = false;
	return command_send(s->wire, &s->line, false, &d, &err) == 0;
}

void line_serve_alone(struct line *l)
{
	l->behind = BEHIND_NOT;
}

void line_note_alone(struct line *l)
{
	l->behind = BEHIND_NOT;
	l->over = true;
	memory_note_dot_is_last(l->account, l->o.target.host, l->o.target.port);
}

/* RSET was refused, or something else was: then the reply to RSET comes behind it. */
static enum line_step after_refusal(struct line *l)
{
	if (session_hears(&l->o.session, FURTHER_MS)) {
		l->o.session.dead = true;
		return LINE_OUT_OF_STEP;
	}
	line_note_alone(l);
	return LINE_IN_STEP;
}

enum line_step line_read_reset(struct line *l)
{
	struct session *s = &l->o.session;
	struct error err;

	if (!session_hears(s, ANSWER_MS)) {
		line_note_alone(l);
		return LINE_LOST;
	}
	if (session_reply(s, STAGE_RSET, &err) < 0) {
		if (err.exit == EX_PROTOCOL)
			return LINE_OUT_OF_STEP;
		line_note_alone(l);
		return LINE_LOST;
	}
	if (s->dead || s->reply.code == 221) {
		l->over = true;
		return LINE_LOST;
	}
	if (reply_class(&s->reply) != 2)
		return after_refusal(l);
	l->behind = BEHIND_SERVED;
	return LINE_IN_STEP;
}

enum line_step line_confirm(struct line *l, bool sure)
{
	struct session *s = &l->o.session;
	struct error err;

	if (session_say(s, STAGE_RSET, "RSET", &err) < 0)
		return err.exit == EX_PROTOCOL ? LINE_OUT_OF_STEP : LINE_LOST;
	s->need_reset = false;
	if (reply_class(&s->reply) == 2 && (sure || !session_hears(s, FURTHER_MS)))
		return LINE_IN_STEP;
	const bool bye = s->reply.code == 421 || s->reply.code == 221;

	s->dead = true;
	return bye ? LINE_LOST : LINE_OUT_OF_STEP;
}

struct attempt **line_ahead(struct line *l)
{
	return &l->ahead;
}

struct silent_list *line_silent(struct line *l)
{
	return &l->silent;
}
