/*
 * The answers to MAIL and RCPT. A delivery may hold them (DELIVERY_HELD):
 * then they are given when something else is to be said, or when the client
 * has nothing more to say without them, so that a group of the client is one
 * group for the next server as well.
 */
#include "config.h"
#include "server/smtpd.h"

#include "message/envelope.h"
#include "server/delivery.h"
#include "util/arena.h"

bool smtpd_holds(const struct smtpd *s)
{
	return s->sender_held || s->held_n;
}

/* The answer for a sender, or for a recipient; nothing else logs a refusal. */
static bool say_taken(struct smtpd *s, int rc, const char *rcpt, const struct delivery_reply *reply)
{
	if (rc < 0)
		smtpd_log(s, "from=<%s>%s%s%s result=refused reason='%d %s %s'",
			  s->envelope.sender, rcpt ? " to=<" : "", rcpt ? rcpt : "",
			  rcpt ? ">" : "", reply->code, reply->status, reply->text);
	smtpd_reply(s, reply->code, reply->status, "%s", reply->text);
	return rc == 0;
}

/* One told twice is one; with LMTP it is answered for twice. */
static void add_recipient(struct smtpd *s, const struct recipient *r)
{
	struct envelope *e = &s->envelope;

	(void)envelope_add_as(e, r->address, NULL, r);
	s->accepted = arena_grow(s->arena, s->accepted, s->rcpt_accepted, &s->accepted_alloc,
				 sizeof(*s->accepted));
	s->accepted[s->rcpt_accepted++] = envelope_place(e, r->address);
	s->state = SMTPD_RCPT;
}

static void sender_default(struct delivery_reply *reply)
{
	delivery_say(reply, 250, "2.1.0", "sender ok");
}

static void recipient_default(struct delivery_reply *reply)
{
	delivery_say(reply, 250, "2.1.5", "recipient ok");
}

static void say_recipient(struct smtpd *s, int rc, const struct recipient *r,
			  const struct delivery_reply *reply)
{
	if (say_taken(s, rc, r->address, reply))
		add_recipient(s, r);
	else
		s->refused_rcpt = true;
}

void smtpd_take_sender(struct smtpd *s)
{
	const struct delivery_client client = smtpd_client(s);
	struct delivery_reply reply;
	int rc = 0;

	sender_default(&reply);
	if (s->delivery->ops->mail)
		rc = s->delivery->ops->mail(s->delivery, &client, &s->envelope, &reply);
	s->begun = true;
	s->sender_held = rc == DELIVERY_HELD;
	if (s->sender_held || say_taken(s, rc, NULL, &reply))
		s->state = SMTPD_MAIL;
}

static void hold(struct smtpd *s, const struct recipient *r)
{
	s->held = arena_grow(s->arena, s->held, s->held_n, &s->held_alloc, sizeof(*s->held));
	s->held[s->held_n++] = *r;
}

void smtpd_take_recipient(struct smtpd *s, const struct recipient *r)
{
	const struct delivery_client client = smtpd_client(s);
	struct delivery_reply reply;
	int rc = 0;

	recipient_default(&reply);
	if (s->delivery->ops->rcpt)
		rc = s->delivery->ops->rcpt(s->delivery, &client, &s->envelope, r, &reply);
	if (rc == DELIVERY_HELD)
		hold(s, r);
	else
		say_recipient(s, rc, r, &reply);
}

/* false: the sender was refused. */
static bool answer_sender(struct smtpd *s)
{
	struct delivery_reply reply;

	sender_default(&reply);
	const int rc = s->delivery->ops->answer(s->delivery, &reply);

	return say_taken(s, rc, NULL, &reply);
}

void smtpd_answer_held(struct smtpd *s)
{
	struct delivery_reply reply;

	if (s->answering || !smtpd_holds(s))
		return;
	s->answering = true;
	s->spoilt = s->sender_held && !answer_sender(s);
	for (size_t i = 0; i < s->held_n; i++) {
		if (s->spoilt) {
			smtpd_reply(s, 503, "5.5.1", "send MAIL first");
			continue;
		}
		recipient_default(&reply);
		const int rc = s->delivery->ops->answer(s->delivery, &reply);

		say_recipient(s, rc, &s->held[i], &reply);
	}
	s->sender_held = s->answering = false;
	s->held_n = 0;
	if (s->spoilt)
		s->state = SMTPD_READY;
}
