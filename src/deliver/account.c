/*
 * account:NAME, queue:NAME, lmtp:PLACE - each message goes the way of one of
 * the command line: the same rules for its sender, its recipients and its
 * header, by the same steps (submit/submission.h). Through, the next server
 * is asked at MAIL and RCPT, and the client hears its replies; into the
 * queue, the message is synced to disk before he hears 250.
 *
 * Some have it and others do not, and an SMTP client hears one reply: who is
 * left waits in the queue, and who is refused is told of by a bounce from
 * there. Where there is no queue the reply says who has not got it.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "deliver/deliver_kinds.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/result.h"
#include "queue/arrival.h"
#include "queue/keep.h"
#include "queue/queue.h"
#include "server/delivery.h"
#include "submit/relay.h"
#include "submit/submission.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	ID_LEN = 16,
	TEXT_MAX = 1024
};

/* One recipient of the client, and those whom the account makes of him. */
struct asked {
	const char *address;		/* the client's, borrowed as the envelope is */
	size_t *target;			/* places in the submission's envelope */
	size_t n;
	const char *words;		/* that have taken him; NULL = ours */
	struct error error;		/* he is refused; exit 0 = he is not */
};

struct through {
	struct delivery delivery;
	struct submission_request request;
	const struct config *config;
	struct config *own_config;	/* the same, where it is nobody else's */
	const struct arrival *arrival;	/* is told of what came into the queue; NULL = nobody is */
	bool queue_only;		/* nobody is asked, all of it goes into the queue */
	struct relay *relay;		/* of the account used last; NULL = none */
	const struct account *relay_account;

	/* of the transaction; submission.arena is NULL while there is none */
	struct submission submission;
	struct delivery_client client;
	struct result result;		/* of the recipients in the submission's envelope */
	bool *owed;			/* of these: somebody was told that he gets it */
	size_t owed_n, owed_alloc;
	struct asked *asked;		/* in the order of the client's envelope */
	size_t asked_n, asked_alloc;
	struct strmap asked_map;	/* of their addresses */
	struct asked *held;		/* as the client has named them, not yet answered for */
	size_t held_n, held_alloc, answered;
	bool sender_held;		/* nor is MAIL */
	bool at_once;			/* ... when the content was sent, and judged then */
	bool all_asked;			/* the next server has heard of all that is held */
	struct error sender_error;	/* MAIL was refused; exit 0 = it was not */
	struct message_reader *reader;
	const char *id;
	int64_t begun_ms;
};

static bool under_way(const struct through *t)
{
	return t->submission.arena;
}

static void through_reset(struct delivery *d)
{
	struct through *t = (struct through *)d;

	if (t->relay)
		relay_abandon(t->relay);
	message_reader_free(t->reader);
	if (under_way(t))
		submission_release(&t->submission);
	t->submission = (struct submission){ .arena = NULL };
	t->reader = NULL;
	t->owed = NULL;
	t->asked = t->held = NULL;
	t->asked_map = (struct strmap){ .arena = NULL };
	t->owed_n = t->owed_alloc = t->asked_n = t->asked_alloc = t->held_n = t->held_alloc = 0;
	t->answered = 0;
	t->sender_held = t->all_asked = t->at_once = false;
	t->sender_error.exit = 0;
}

/* --- MAIL ------------------------------------------------------------------------- */

/* What the client has said with MAIL, as if it had been said on the command line. */
static int begin_submission(struct through *t, const struct envelope *e, struct error *err)
{
	struct submission *s = &t->submission;

	t->request.sender = e->sender;
	/* who works with others' mail makes no fields; nor has a client of another user our name */
	t->request.gateway = t->client.lmtp;
	t->request.full_name = t->client.uid == (long)getuid() ? NULL : "";
	submission_init(s, &t->request, NULL);
	s->config = t->config;
	s->envelope.body = e->body;
	s->envelope.utf8 = e->utf8;
	s->envelope.ret = e->ret;
	s->envelope.envid = e->envid;
	s->envelope.size = e->size;
	s->envelope.ext = e->ext;
	return submission_begin(s, err);
}

/* The next server is that of the account; a session with another one is of no use. */
static void find_relay(struct through *t)
{
	const struct account *a = t->submission.account;

	if (t->relay && t->relay_account != a) {
		relay_free(t->relay);
		t->relay = NULL;
	}
	if (!t->relay)
		t->relay = relay_new(a);
	t->relay_account = a;
	relay_begin(t->relay, &t->submission.envelope, &t->result);
}

static int through_mail(struct delivery *d, const struct delivery_client *client,
			const struct envelope *e, struct delivery_reply *reply)
{
	struct through *t = (struct through *)d;
	struct error err;

	through_reset(d);
	t->client = *client;
	t->begun_ms = datetime_now();
	if (begin_submission(t, e, &err) < 0) {
		delivery_reply_error(reply, &err);
		through_reset(d);
		return -1;
	}
	result_init(&t->result, t->submission.arena, 0);
	t->asked_map.arena = t->submission.arena;
	if (t->queue_only)
		return 0;
	find_relay(t);
	t->sender_held = true;
	return DELIVERY_HELD;
}

/* --- RCPT ------------------------------------------------------------------------- */

/* The place of one of those that stand for a recipient; he may be there already, by another. */
static size_t add_target(struct through *t, const struct recipient *r)
{
	struct envelope *e = &t->submission.envelope;
	const size_t known = envelope_place(e, r->address);

	if (known < e->rcpt_count)
		return known;
	(void)envelope_add_as(e, r->address, NULL, r);
	t->owed = arena_grow(t->submission.arena, t->owed, t->owed_n, &t->owed_alloc,
			     sizeof(*t->owed));
	t->owed[t->owed_n++] = false;
	if (t->queue_only)
		result_grow(&t->result);
	return known;
}

/* One more of the client's envelope. He gets it, as the client is told, or has an error. */
static void take(struct through *t, const struct asked *one)
{
	for (size_t i = 0; i < one->n && !one->error.exit; i++)
		t->owed[one->target[i]] = true;
	if (!strmap_add(&t->asked_map, one->address, t->asked_n))
		return;
	t->asked = arena_grow(t->submission.arena, t->asked, t->asked_n, &t->asked_alloc,
			      sizeof(*t->asked));
	t->asked[t->asked_n++] = *one;
}

static int through_rcpt(struct delivery *d, const struct delivery_client *client,
			const struct envelope *e, const struct recipient *r,
			struct delivery_reply *reply)
{
	struct through *t = (struct through *)d;
	struct arena *a = t->submission.arena;
	struct asked one = { .address = r->address };
	struct envelope made = { .rcpt_count = 0 };

	(void)client;
	(void)e;
	if (submission_settle(&t->submission, r, &made, &one.error) < 0)
		made.rcpt_count = 0;
	one.target = arena_calloc(a, made.rcpt_count + 1, sizeof(*one.target));
	for (; one.n < made.rcpt_count; one.n++)
		one.target[one.n] = add_target(t, &made.rcpt[one.n]);
	if (!t->queue_only) {
		t->held = arena_grow(a, t->held, t->held_n, &t->held_alloc, sizeof(*t->held));
		t->held[t->held_n++] = one;
		return DELIVERY_HELD;
	}
	if (!one.error.exit) {
		take(t, &one);
		return 0;
	}
	delivery_reply_error(reply, &one.error);
	return -1;
}

/* --- VRFY ------------------------------------------------------------------------- */

static bool is_alias(const struct envelope *e)
{
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (e->rcpt[i].orcpt)
			return true;
	}
	return e->discard;
}

/* "<ann@x.example> <bob@x.example>", as far as there is room; of nobody the word. */
static void say_who(const struct envelope *e, const char *word, struct delivery_reply *reply)
{
	struct strbuf text = STRBUF_INIT(2 * DELIVERY_TEXT_MAX);

	for (size_t i = 0; i < e->rcpt_count && !strbuf_overflow(&text); i++)
		strbuf_addf(&text, "%s<%s>", i ? " " : "", e->rcpt[i].address);
	delivery_say(reply, 250, "2.1.5", "%s", text.len ? text.buf : word);
	strbuf_release(&text);
}

/* A name of the alias file; of others nothing is known but that they look like addresses. */
static int through_verify(struct delivery *d, const char *word, struct delivery_reply *reply)
{
	const struct through *t = (const struct through *)d;
	struct submission_request request = t->request;
	struct submission s;
	struct envelope made = { .rcpt_count = 0 };
	struct error ignored;
	int rc = -1;

	request.sender = "";
	submission_init(&s, &request, NULL);
	s.config = t->config;
	if (submission_begin(&s, &ignored) == 0 &&
	    submission_expand(&s, word, &made, &ignored) == 0 && is_alias(&made)) {
		say_who(&made, word, reply);
		rc = 0;
	}
	submission_release(&s);
	return rc;
}

/* --- what the next server says to them --------------------------------------------- */

static bool has_it(const struct rcpt_result *r)
{
	return r->outcome == OUTCOME_ACCEPTED || r->outcome == OUTCOME_QUEUED;
}

/* What it has said is what the client hears. */
static void say_words(const char *words, struct delivery_reply *reply)
{
	if (words)
		(void)delivery_pass_on(reply, words, strlen(words));
}

/* All that is held, in one group. */
static void ask_all(struct through *t)
{
	struct error err;

	if (t->all_asked || t->at_once || t->sender_error.exit)
		return;
	t->all_asked = true;
	if (relay_ask(t->relay, &err) < 0)
		t->sender_error = err;
}

/* What the next server thinks of him; known as far as the session came, if all went at once. */
static bool is_taken(const struct through *t, size_t at)
{
	const struct rcpt_result *r = &t->result.rcpt[at];

	if (!t->at_once)
		return relay_takes(t->relay, at);
	return r->rcpt_reply || has_it(r) || t->result.unknown;
}

/* He is taken when one is who stands for him; or nobody does, as the account wants it. */
static void settle_held(const struct through *t, struct asked *one)
{
	const struct error *why = NULL;
	bool taken = !one->n;

	for (size_t i = 0; i < one->n; i++) {
		const size_t at = one->target[i];

		if (is_taken(t, at)) {
			one->words = t->result.rcpt[at].rcpt_reply;
			taken = true;
		} else {
			why = &t->result.rcpt[at].error;
		}
	}
	if (!taken)
		one->error = *why;
}

static int answer_recipient(struct through *t, struct asked *one, struct delivery_reply *reply)
{
	if (!t->at_once)
		settle_held(t, one);
	if (one->error.exit) {
		delivery_reply_error(reply, &one->error);
		return -1;
	}
	say_words(one->words, reply);
	if (!t->at_once)
		take(t, one);
	return 0;
}

static int through_answer(struct delivery *d, struct delivery_reply *reply)
{
	struct through *t = (struct through *)d;
	int rc;

	ask_all(t);
	if (t->sender_error.exit) {
		delivery_reply_error(reply, &t->sender_error);
		return -1;
	}
	if (t->sender_held) {
		say_words(t->result.mail_reply, reply);
		t->sender_held = false;
		rc = 0;
	} else {
		rc = answer_recipient(t, &t->held[t->answered++], reply);
	}
	if (t->answered == t->held_n)
		t->all_asked = false;
	return rc;
}

/* --- the content ------------------------------------------------------------------ */

static int through_begin(struct delivery *d, const struct delivery_client *client,
			 const struct envelope *e, const char **id_out, struct error *err)
{
	struct through *t = (struct through *)d;
	const struct message_options opt = { .wire = true, .dots_ignored = true,
					     .binary = e->body == BODY_BINARYMIME };

	(void)client;
	if (!under_way(t))
		return error_set(err, FAULT_BUG, "a message without a sender");
	t->reader = message_reader_new(&opt);
	t->id = ident_random(t->submission.arena, ID_LEN);
	*id_out = t->id;
	return 0;
}

static int through_write(struct delivery *d, const char *data, size_t n, struct error *err)
{
	return message_reader_push(((struct through *)d)->reader, data, n, err);
}

static void through_abandon(struct delivery *d)
{
	struct through *t = (struct through *)d;

	message_reader_free(t->reader);
	t->reader = NULL;
	if (t->relay)
		relay_abandon(t->relay);
}

/* Where it came by stands above what is added (RFC 5321, section 4.4): our field is the first. */
static void put_trace_first(struct submission *s)
{
	struct edits *e = &s->edits;
	const struct header_field *f = s->message->header.field;

	if (!s->message->header.n || f->id != HEADER_RECEIVED || e->field[0].drop ||
	    e->field[0].text || !e->added_n)
		return;
	e->added = arena_grow(e->arena, e->added, e->added_n, &e->added_alloc, sizeof(*e->added));
	memmove(e->added + 1, e->added, e->added_n++ * sizeof(*e->added));
	e->added[0] = arena_strndup(e->arena, f->text, f->len);
	edits_drop(e, 0);
}

/* The message as the account wants it. */
static int finish_message(struct through *t, struct error *err)
{
	struct submission *s = &t->submission;
	struct message_reader *reader = t->reader;

	t->reader = NULL;
	if (message_reader_finish(reader, &s->message, err) < 0)
		return -1;
	if (submission_finish(s, err) < 0)
		return -1;
	put_trace_first(s);
	return 0;
}

/* --- what has come of it ------------------------------------------------------------ */

/* Those who were refused at RCPT, and the client knows, are no recipients any more. */
static void drop_refused(struct through *t)
{
	struct envelope *e = &t->submission.envelope;
	size_t *place = arena_calloc(t->submission.arena, e->rcpt_count + 1, sizeof(*place));
	size_t n = 0;

	for (size_t i = 0; i < e->rcpt_count; i++) {
		place[i] = n;
		if (i < t->owed_n && !t->owed[i])
			continue;
		e->rcpt[n] = e->rcpt[i];
		t->result.rcpt[n++] = t->result.rcpt[i];
	}
	e->rcpt_count = t->result.rcpt_count = n;
	e->index = NULL;
	for (size_t i = 0; i < t->asked_n; i++) {
		for (size_t k = 0; k < t->asked[i].n; k++)
			t->asked[i].target[k] = place[t->asked[i].target[k]];
	}
}

/* Into the queue: all, or, behind a try, who has not got it, to be sent to or told of. */
static int keep(struct through *t, bool tried, struct error *err)
{
	const struct submission *s = &t->submission;
	const struct keep_request r = {
		.submission = s, .result = &t->result, .tried = tried, .tell = tried,
		.hold = !tried,
		.begun_ms = t->begun_ms, .message_id = submission_message_id(s),
	};
	struct queue q = QUEUE_INIT;
	const char *id = NULL;
	int rc = -1;

	if (!keep_possible(s))
		return error_set(err, FAULT_QUEUE_FULL, "there is no queue for such messages");
	if (queue_open(&q, s->account->queue.dir, true, err) == 0)
		rc = keep_submission(&q, &r, &id, err);
	queue_close(&q);
	if (rc > 0 && t->arrival)
		arrival_tell(t->arrival, id);
	if (rc > 0 && !tried)
		t->result.reply_text = arena_printf(s->arena, "queued as %s", id);
	return rc;
}

/* There is no queue: the client is told who has it not, and that the others have it. */
static void say_partly(struct through *t, const struct error *why)
{
	const struct envelope *e = &t->submission.envelope;
	const struct error *first = NULL;
	struct error err;
	size_t at = 0;

	for (size_t i = 0; i < t->result.rcpt_count; i++) {
		const struct rcpt_result *r = &t->result.rcpt[i];

		if (has_it(r) || (first && r->outcome == OUTCOME_REFUSED))
			continue;
		first = &r->error;
		at = i;
	}
	error_set_status(&err, error_is_temporary(first) ? FAULT_REFUSED_FOR_NOW : FAULT_REFUSED,
			 error_is_temporary(first) ? "4.3.0" : "5.3.0", "others have the message, "
			 "<%s> has not: %s (%s)", e->rcpt[at].address, first->text, why->text);
	for (size_t i = 0; i < t->result.rcpt_count; i++)
		result_set_error(&t->result, i, &err);
}

/* Some have it: sees to the others, for a client that hears one reply. */
static void share_out(struct through *t)
{
	struct error err;

	if (keep(t, true, &err) <= 0) {
		say_partly(t, &err);
		return;
	}
	for (size_t i = 0; i < t->result.rcpt_count; i++)
		if (!has_it(&t->result.rcpt[i]))
			t->result.rcpt[i].outcome = OUTCOME_QUEUED;
}

/* A recipient of the client has it when all have it who stand for him. */
static void answer_one(const struct through *t, const struct asked *asked, struct rcpt_result *out)
{
	out->outcome = OUTCOME_ACCEPTED;
	if (asked->error.exit) {
		out->error = asked->error;
		out->outcome = error_is_temporary(&out->error) ? OUTCOME_DEFERRED :
			OUTCOME_REFUSED;
		return;
	}
	for (size_t i = 0; i < asked->n; i++) {
		const struct rcpt_result *r = &t->result.rcpt[asked->target[i]];

		if (has_it(out) || (!has_it(r) && r->outcome > out->outcome))
			*out = *r;
	}
}

static void answer(struct through *t, struct result *result)
{
	for (size_t i = 0; i < result->rcpt_count; i++)
		if (i < t->asked_n)
			answer_one(t, &t->asked[i], &result->rcpt[i]);
	result->reply_text = t->result.reply_text;
	result->server = t->result.server;
	result->address = t->result.address;
	result->tls = t->result.tls;
	result->mechanism = t->result.mechanism;
	result->unknown = t->result.unknown;
	result_settle(result);
}

/* Envelope and content have gone as one: what was said to whom. */
static void judge_all(struct through *t)
{
	const struct result *r = &t->result;
	bool begun = !r->rcpt_count || r->mail_reply || r->unknown;

	for (size_t i = 0; i < r->rcpt_count; i++)
		begun |= has_it(&r->rcpt[i]);
	if (!begun)
		t->sender_error = r->rcpt[0].error;
	for (size_t i = 0; i < t->held_n; i++) {
		settle_held(t, &t->held[i]);
		take(t, &t->held[i]);
	}
}

static void send_message(struct through *t)
{
	t->at_once = t->sender_held;
	relay_deliver(t->relay, t->submission.message, &t->submission.edits);
	if (t->at_once)
		judge_all(t);
	drop_refused(t);
}

static void through_commit(struct delivery *d, struct result *result)
{
	struct through *t = (struct through *)d;
	const struct submission *s = &t->submission;
	struct error err;
	size_t having = 0;
	int rc = finish_message(t, &err);

	if (rc == 0 && t->queue_only) {
		while (t->result.rcpt_count < s->envelope.rcpt_count)
			result_grow(&t->result);
		drop_refused(t);
		/* all of them were aliases of nobody: it is thrown away, as they say */
		rc = s->envelope.rcpt_count ? keep(t, false, &err) : 0;
	} else if (rc == 0) {
		send_message(t);
	}
	if (rc < 0) {
		through_abandon(d);
		delivery_settle(result, NULL, &err);
		return;
	}
	for (size_t i = 0; i < t->result.rcpt_count; i++)
		having += has_it(&t->result.rcpt[i]);
	if (having && having < t->result.rcpt_count && !t->client.lmtp)
		share_out(t);
	answer(t, result);
}

/* --- opening ------------------------------------------------------------------------ */

/* The session with the next server is for the next client as well. */
static int through_idle(struct delivery *d, bool leaving)
{
	struct through *t = (struct through *)d;

	return t->relay ? relay_idle(t->relay, leaving) : -1;
}

static void through_free(struct delivery *d)
{
	struct through *t = (struct through *)d;

	through_reset(d);
	relay_free(t->relay);
	config_free(t->own_config);
	xfree(t);
}

static const struct delivery_ops through_ops = {
	.verify = through_verify,
	.mail = through_mail, .rcpt = through_rcpt, .answer = through_answer,
	.begin = through_begin, .write = through_write, .commit = through_commit,
	.abandon = through_abandon, .reset = through_reset, .idle = through_idle,
	.free = through_free,
};

static struct through *make(const struct deliver_request *r)
{
	struct through *t = xcalloc(1, sizeof(*t));

	t->delivery = (struct delivery){ .ops = &through_ops, .completes = true,
					 .exact = true };
	if (r->config_request)
		t->request.config = *r->config_request;
	if (r->arena) {
		/* once, and not for each message */
		t->request.config.file = keep_whole_path(r->arena, t->request.config.file);
		t->request.config.file_whole = true;
	}
	t->config = r->config;
	t->arrival = r->arrival;
	return t;
}

/* The account that is named, or any: then each message chooses its own. */
static int find_account(const struct deliver_request *r, const char *name, struct error *err)
{
	if (r->config && (name ? config_account(r->config, name) : config_nth(r->config, 0)))
		return 0;
	return error_set(err, FAULT_NO_ACCOUNT, "key '%s': there is no account%s%s", r->key,
			 name ? " " : "", name ? name : "");
}

static int open_account(const struct deliver_request *r, const char *name, bool queue_only,
			struct delivery **out, struct error *err)
{
	if (find_account(r, name, err) < 0)
		return -1;
	struct through *t = make(r);

	t->request.account = name;
	t->queue_only = t->delivery.holds = queue_only;
	*out = &t->delivery;
	return 0;
}

int deliver_to_account(const struct deliver_request *r, const char *place, struct delivery **out,
		       struct error *err)
{
	return open_account(r, place, false, out, err);
}

int deliver_to_queue(const struct deliver_request *r, const char *place, struct delivery **out,
		     struct error *err)
{
	struct queue q = QUEUE_INIT;
	const struct account *a;

	if (open_account(r, place, true, out, err) < 0)
		return -1;
	/* what can be known to be wrong with it is known before the first client comes */
	a = place ? config_account(r->config, place) : config_default(r->config);
	if (!a || queue_open(&q, a->queue.dir, true, err) == 0) {
		queue_close(&q);
		return 0;
	}
	delivery_free(*out);
	*out = NULL;
	return -1;
}

/* HOST:PORT or the path of a socket: an account made of it. */
int deliver_to_lmtp(const struct deliver_request *r, const char *place, struct delivery **out,
		    struct error *err)
{
	const char *colon = strrchr(place, ':');
	const bool local = *place == '/';
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	int rc = -1;

	if (text_has_control(place, strlen(place)) || strpbrk(place, "\"\\ ") ||
	    (!local && (!colon || colon == place || text_port(colon + 1, strlen(colon + 1)) < 1)))
		return error_set(err, FAULT_CONFIG, "key '%s': '%s' is none of lmtp:HOST:PORT and "
				 "lmtp:/PATH", r->key, place);
	strbuf_addstr(&text, "[account lmtp]\nprotocol = lmtp\nauth = off\n"
		       "from_override = any\naliases =\n");
	if (local)
		strbuf_addf(&text, "socket = %s\ntls = off\n", place);
	else
		strbuf_addf(&text, "host = %.*s\nport = %s\ntls = may\n", (int)(colon - place),
			    place, colon + 1);
	struct through *t = make(r);

	t->request.account = "lmtp";
	/* no queue can come by this account again */
	t->request.config = (struct config_request){ .text = "" };
	if (!strbuf_overflow(&text))
		rc = config_load_text(r->key, text.buf, text.len, &t->own_config, err);
	else
		error_set(err, FAULT_CONFIG, "key '%s': too long", r->key);
	t->config = t->own_config;
	strbuf_release(&text);
	*out = &t->delivery;
	if (rc == 0)
		return 0;
	delivery_free(*out);
	*out = NULL;
	return -1;
}
