#include "config.h"
#include "smtp/content.h"

#include <string.h>

#include "message/edits.h"
#include "message/envelope.h"
#include "message/result.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/outcome.h"
#include "smtp/session.h"
#include "smtp/transaction.h"

#define FLIGHT_MAX ((uint64_t)64 * 1024)	/* octets of a message that goes along with MAIL */
#define FLIGHT_QUIT_RCPT 100	/* every server takes so many (RFC 5321, section 4.5.3.1.8) */

/* How the content goes out. */
enum plan {
	PLAN_FLIGHT,		/* BDAT in one group with MAIL and RCPT */
	PLAN_BDAT,		/* BDAT when the replies to RCPT are known */
	PLAN_DATA
};

/* QUIT may go with the content when nothing can be left to do. */
static int put_quit(struct transaction *t, bool now, struct error *err)
{
	struct session *s = t->s;

	if (!now || !t->opt->last || !session_has(s, EXT_PIPELINING))
		return 0;
	struct deadline d = session_deadline(s, STAGE_QUIT);

	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, "QUIT");
	s->dead = s->quit_sent = true;
	return command_send(s->wire, &s->line, &d, err);
}

/* Nothing of this transaction is wanted any more: RSET, which is answered with 2xx or else. */
static void abandon(struct transaction *t)
{
	struct session *s = t->s;
	struct error ignored;

	if (s->dead)
		return;
	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, "RSET");
	if (session_command(s, STAGE_RSET, &ignored) < 0 || reply_class(&s->reply) != 2)
		s->dead = true;
}

/* LMTP (RFC 2033, section 4.2): one reply for each that stands, in order. */
static void lmtp_replies(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;

	for (size_t k = 0; k < t->rcpt_count; k++) {
		size_t i = t->rcpt[k].index;

		if (t->rcpt[k].state != STANDING)
			continue;
		if (session_reply(s, STAGE_DOT, &err) < 0) {
			pipeline_break(&t->pipe, &err);
			return;
		}
		outcome_note_reply(t, &s->reply);
		if (reply_class(&s->reply) == 2) {
			outcome_accept(t, i, &s->reply);
		} else {
			reply_error_about(&s->reply, STAGE_DOT, t->e->rcpt[i].address, &err);
			result_set_error(t->result, i, &err);
		}
		if (s->reply.code == 421) {
			reply_error(&s->reply, STAGE_DOT, &err);
			outcome_fail_open(t, &err);
			return;
		}
	}
}

static void final_replies(struct transaction *t, enum stage stage)
{
	struct error err;

	if (t->s->protocol == SESSION_LMTP)
		lmtp_replies(t);
	else if (session_reply(t->s, stage, &err) < 0)
		pipeline_break(&t->pipe, &err);
	else
		outcome_finish(t, stage, &t->s->reply);
}

/* The server spoke while the content was being sent: a refusal, or nonsense. */
static void interrupted(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct error err;

	if (session_reply(s, stage, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return;
	}
	s->dead = true;
	reply_error(&s->reply, stage, &err);
	if (reply_class(&s->reply) == 2)
		error_set(&err, EX_PROTOCOL, "5.5.0", "the server answered %d before the message "
			  "was sent", s->reply.code);
	outcome_note_reply(t, &s->reply);
	outcome_fail_standing(t, &err);
}

/* The content behind DATA's 354 or a BDAT command, QUIT with it, and the replies. */
static void send_content(struct transaction *t, enum data_form form)
{
	const enum stage stage = form == DATA_LINES ? STAGE_DOT : STAGE_BDAT;
	struct error err;
	enum data_end end = data_put(t->s, t->m, t->edits, form, true, &err);

	if (end == DATA_SENT)
		end = put_quit(t, t->left == 0, &err) < 0 ? DATA_FAILED : data_flush(t->s, &err);
	if (end == DATA_ANSWERED) {
		interrupted(t, stage);
	} else if (end == DATA_FAILED) {
		pipeline_break(&t->pipe, &err);
	} else {
		t->sent = true;
		final_replies(t, stage);
	}
}

static void add_bdat(struct transaction *t, struct strbuf *line)
{
	strbuf_reset(line);
	strbuf_addstr(line, "BDAT ");
	command_add_number(line, edits_wire_size(t->edits, t->m));
	strbuf_addstr(line, " LAST");
}

/* BDAT after the replies to RCPT: one chunk, its size is known. */
static void send_bdat(struct transaction *t)
{
	struct session *s = t->s;
	struct deadline d = session_deadline(s, STAGE_BDAT);
	struct error err;

	add_bdat(t, &s->line);
	if (command_send(s->wire, &s->line, &d, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return;
	}
	send_content(t, DATA_CHUNK);
	/* RFC 3030, section 2: after a refused chunk nothing but RSET is right */
	s->need_reset = reply_class(&s->reply) != 2;
}

/* DATA was sent with RCPT and nobody stands: a 354 is answered with the dot alone. */
static void dot_alone(struct transaction *t)
{
	struct session *s = t->s;
	struct error ignored;

	if (reply_class(&s->reply) != 3)
		return;
	strbuf_reset(&s->line);
	strbuf_addch(&s->line, '.');
	/* an LMTP server that says 354 here will say nothing after the dot */
	if (s->protocol == SESSION_LMTP || session_command(s, STAGE_DOT, &ignored) < 0)
		s->dead = true;
}

/* The reply to DATA is the session's last one. */
static void after_data(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;

	if (t->standing == 0) {
		dot_alone(t);
	} else if (reply_class(&s->reply) == 3 && wire_unread_now(s->wire) > 0) {
		interrupted(t, STAGE_DOT);
	} else if (reply_class(&s->reply) == 3) {
		send_content(t, DATA_LINES);
	} else {
		outcome_note_reply(t, &s->reply);
		reply_error(&s->reply, STAGE_DATA, &err);
		outcome_fail_standing(t, &err);
		s->need_reset = true;
		if (reply_class(&s->reply) == 2)
			s->dead = true;
	}
}

static void ask_data(struct transaction *t)
{
	struct error err;

	strbuf_reset(&t->s->line);
	strbuf_addstr(&t->s->line, "DATA");
	if (pipeline_add(&t->pipe, STAGE_DATA, 0, 0, false, &err) < 0)
		pipeline_break(&t->pipe, &err);
	pipeline_finish(&t->pipe);
	if (!t->pipe.broken)
		after_data(t);
}

/* One reply more, or none: the session is over, so how it ends does not matter. */
static int further_reply(struct session *s)
{
	struct deadline d = session_deadline(s, STAGE_QUIT);
	struct reply reply = REPLY_INIT;
	struct error ignored;
	int code = reply_read(s->wire, &d, &reply, &ignored) < 0 ? 0 : reply.code;

	reply_release(&reply);
	return code;
}

/*
 * More replies than commands: one of them answered something else, and the
 * 250 may not be the message's. QUIT went along with the data, so its reply
 * costs no round trip; a server that says something else than 221 to it says
 * nothing after that.
 */
static bool miscounted(const struct transaction *t, struct error *err)
{
	struct session *s = t->s;

	if (!s->quit_sent && wire_unread_now(s->wire) <= 0)
		return false;
	int code = further_reply(s);

	if (code == 0 || code == 221 || code == 421)
		return false;
	if (s->quit_sent && further_reply(s) == 0)
		return false;
	error_set(err, EX_PROTOCOL, "5.5.0", "the server sent more replies than it got commands");
	return true;
}

/* MAIL, RCPT.., BDAT LAST, QUIT in one write; then all replies. */
static void send_flight(struct transaction *t)
{
	struct session *s = t->s;
	struct pipeline *p = &t->pipe;
	struct error err;
	/* not where another try without DSN's parameters may be needed */
	bool quit = t->left == 0 && t->rcpt_count <= FLIGHT_QUIT_RCPT && !t->dsn_used &&
		!(session_has(s, EXT_DSN) && extensions[EXT_DSN].wanted(s, t->e));
	enum data_end end;

	add_bdat(t, &s->line);
	if (pipeline_add(p, STAGE_BDAT, 0, 0, false, &err) < 0)
		pipeline_break(p, &err);
	if (p->broken)
		return;
	end = data_put(s, t->m, t->edits, DATA_CHUNK, false, &err);
	if (end == DATA_FAILED) {
		pipeline_break(p, &err);
		return;
	}
	if (end == DATA_SENT && put_quit(t, quit, &err) == 0)
		t->sent = data_flush(s, &err) == DATA_SENT;
	pipeline_finish(p);
	if (p->broken)
		return;
	if (t->standing && reply_class(&s->reply) == 2 && miscounted(t, &err))
		pipeline_break(p, &err);
	else if (t->standing)
		outcome_finish(t, STAGE_BDAT, &s->reply);
	s->need_reset = reply_class(&s->reply) != 2 && t->standing;
	s->dead = s->dead || !t->sent;	/* half a chunk: no command would be seen as one */
}

static enum plan choose_plan(const struct transaction *t)
{
	const struct session *s = t->s;

	if (!session_has(s, EXT_CHUNKING))
		return PLAN_DATA;
	if (session_has(s, EXT_PIPELINING) && s->protocol != SESSION_LMTP &&
	    !t->opt->strict_recipients && edits_wire_size(t->edits, t->m) <= FLIGHT_MAX)
		return PLAN_FLIGHT;
	return PLAN_BDAT;
}

/* One refusal ends it for all. */
static void refuse_all(struct transaction *t)
{
	struct error err = t->refusal;

	error_prefix(&err, "not sent, as another recipient was refused");
	abandon(t);
	outcome_fail_standing(t, &err);
	outcome_fail_open(t, &err);
}

void content_send(struct transaction *t)
{
	enum plan plan = choose_plan(t);
	bool strict = t->opt->strict_recipients;

	if (plan == PLAN_FLIGHT) {
		send_flight(t);
	} else if (plan == PLAN_DATA && !strict && session_has(t->s, EXT_PIPELINING)) {
		ask_data(t);
	} else {
		pipeline_finish(&t->pipe);
		if (t->pipe.broken || t->mail_refused)
			return;
		if (strict && t->refusal.exit)
			refuse_all(t);
		else if (t->standing == 0)
			abandon(t);
		else if (plan == PLAN_BDAT)
			send_bdat(t);
		else
			ask_data(t);
		return;
	}
	if (!t->pipe.broken && !t->mail_refused && t->standing == 0)
		abandon(t);
}
