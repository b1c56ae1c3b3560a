/*
 * command:ARGV - each message is handed to a program, which takes it for good
 * or says why not; and on_message, which judges it before another delivery
 * gets it. Both need the message whole: a program that looked at half of one
 * would have to be believed.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "deliver/deliver_kinds.h"
#include "deliver/kept.h"
#include "deliver/program.h"
#include "message/ident.h"
#include "message/result.h"
#include "server/delivery.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

enum { ID_LEN = 16, REPLY_MAX = 200 };

struct command {
	struct delivery delivery;
	struct program program;
	struct delivery *next;		/* who gets what the program lets pass; NULL = itself */
	struct arena *arena;		/* of the transaction */
	const char *id;
	struct delivery_client client;
	const struct envelope *envelope;
	struct kept message;
};

static int command_begin(struct delivery *d, const struct delivery_client *client,
			 const struct envelope *e, const char **id_out, struct error *err)
{
	struct command *c = (struct command *)d;

	arena_free(c->arena);
	c->arena = arena_new();
	c->client = *client;
	c->envelope = e;
	if (kept_begin(&c->message, err) < 0)
		return -1;
	c->id = ident_random(c->arena, ID_LEN);
	if (c->next && c->next->ops->begin(c->next, client, e, &c->id, err) < 0) {
		kept_release(&c->message);
		return -1;
	}
	*id_out = c->id;
	return 0;
}

static int command_write(struct delivery *d, const char *data, size_t n, struct error *err)
{
	struct command *c = (struct command *)d;

	if (kept_write(&c->message, data, n, err) < 0)
		return -1;
	return c->next ? c->next->ops->write(c->next, data, n, err) : 0;
}

static void command_abandon(struct delivery *d)
{
	struct command *c = (struct command *)d;

	if (c->next)
		c->next->ops->abandon(c->next);
	kept_release(&c->message);
}

static int ask(struct command *c, struct error *err)
{
	const struct program_event event = { .id = c->id, .client = &c->client,
					     .envelope = c->envelope, .message = &c->message };

	if (kept_finish(&c->message, err) < 0)
		return -1;
	return program_run(&c->program, &event, err);
}

static void command_commit(struct delivery *d, struct result *result)
{
	struct command *c = (struct command *)d;
	struct strbuf text = STRBUF_INIT(REPLY_MAX);
	struct error err;
	const int answer = ask(c, &err);

	kept_release(&c->message);
	if (answer == 0 && c->next) {
		c->next->ops->commit(c->next, result);
	} else {
		if (c->next)
			c->next->ops->abandon(c->next);
		/* the client is not told that it is thrown away */
		strbuf_addf(&text, "accepted as %s", c->id);
		delivery_settle(result, answer < 0 ? NULL : text.buf, &err);
		if (answer > 0)
			result_note(result, "discarded by %s", c->program.key);
	}
	strbuf_release(&text);
}

/* --- what the program does not see ------------------------------------------------ */

static int command_mail(struct delivery *d, const struct delivery_client *client,
			const struct envelope *e, struct delivery_reply *reply)
{
	struct delivery *next = ((struct command *)d)->next;

	return next && next->ops->mail ? next->ops->mail(next, client, e, reply) : 0;
}

static int command_rcpt(struct delivery *d, const struct delivery_client *client,
			const struct envelope *e, const struct recipient *r,
			struct delivery_reply *reply)
{
	struct delivery *next = ((struct command *)d)->next;

	return next && next->ops->rcpt ? next->ops->rcpt(next, client, e, r, reply) : 0;
}

static int command_answer(struct delivery *d, struct delivery_reply *reply)
{
	struct delivery *next = ((struct command *)d)->next;

	return next->ops->answer(next, reply);
}

static void command_reset(struct delivery *d)
{
	struct command *c = (struct command *)d;

	kept_release(&c->message);
	if (c->next && c->next->ops->reset)
		c->next->ops->reset(c->next);
	arena_free(c->arena);
	c->arena = NULL;
}

static void command_end(struct delivery *d)
{
	struct delivery *next = ((struct command *)d)->next;

	if (next && next->ops->end)
		next->ops->end(next);
}

static int command_idle(struct delivery *d, bool leaving)
{
	struct delivery *next = ((struct command *)d)->next;

	return next && next->ops->idle ? next->ops->idle(next, leaving) : -1;
}

static void command_free(struct delivery *d)
{
	struct command *c = (struct command *)d;

	command_reset(d);
	delivery_free(c->next);
	xfree(c);
}

static const struct delivery_ops command_ops = {
	.mail = command_mail, .rcpt = command_rcpt, .answer = command_answer,
	.begin = command_begin, .write = command_write, .commit = command_commit,
	.abandon = command_abandon, .reset = command_reset, .end = command_end,
	.idle = command_idle, .free = command_free,
};

static struct delivery *make_command(const struct deliver_request *r, const char *key,
				     const char *const *argv, struct delivery *next)
{
	struct command *c = xcalloc(1, sizeof(*c));

	*c = (struct command){
		.delivery = { .final = true }, .next = next,
		.program = { .key = key, .argv = argv, .seconds = r->hook_timeout },
		.message = KEPT_INIT,
	};
	if (next)
		c->delivery = *next;
	c->delivery.ops = &command_ops;
	return &c->delivery;
}

int deliver_to_command(const struct deliver_request *r, const char *place, struct delivery **out,
		       struct error *err)
{
	const char *const *argv = NULL;

	if (deliver_split(r, place, &argv, err) < 0)
		return -1;
	*out = make_command(r, r->key, argv, NULL);
	return 0;
}

struct delivery *deliver_behind_hook_take(const struct deliver_request *r, struct delivery *next)
{
	return make_command(r, "on_message", r->on_message, next);
}
