/*
 * Single commands to the server (--vrfy, --etrn, --smtp-command...), by themselves or
 * before a message.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/events.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/listen.h"
#include "conf/settings.h"
#include "deliver/deliver.h"
#include "net/socket.h"
#include "net/wire.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "smtp/probe.h"
#include "smtp/reply.h"
#include "smtp/session.h"
#include "submit/attempt.h"
#include "submit/submission.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)
#define NOTE_MAX 4096

/* The commands of one session, and what became of them. */
struct commands {
	const struct invocation *inv;
	struct submission submission;	/* account and configuration; of raw_commands_run() none */
	struct server_options reversed;
	struct error worst;	/* exit 0: all is well */
};

/* --- the reversed session -------------------------------------------------- */

static void log_message(void *ctx, const char *line)
{
	report_line(ctx, "%s", line);
}

/* What is known of the other side before it is asked to turn round. */
static int prepare_reversed(struct commands *c, const struct probe_request *p, struct error *err)
{
	struct account a = *c->submission.account;
	const struct listen_settings *l = config_listen(c->submission.config, NULL);
	struct server_options *r = &c->reversed;

	if (p->arg && setting_set(&a, setting_find(SCOPE_ACCOUNT, "atrn_domains"),
				  c->submission.arena, p->arg, err) < 0)
		return -1;
	r->domains = a.cmd.atrn_domains;
	r->set.server_name = a.domain && strcmp(a.domain, "auto") != 0 ? a.domain : NULL;
	r->set.message_size_limit = l ? l->message_size_limit : 0;
	r->log = c->inv->verbose ? log_message : NULL;
	r->log_ctx = (void *)c->inv;
	const struct deliver_request place = {
		.deliver = a.cmd.atrn_deliver ? a.cmd.atrn_deliver : l ? l->deliver : NULL,
		.key = "atrn_deliver", .server_name = r->set.server_name,
		.arena = c->submission.arena, .config = c->submission.config,
		.config_request = &c->inv->request.config,
	};

	return deliver_open(&place, &r->delivery, err);
}

static int serve_reversed(struct commands *c, struct session *s, struct error *err)
{
	static const struct deadline none = { .at = 0 };
	struct strbuf text = STRBUF_INIT(NOTE_MAX);
	unsigned messages = 0;
	char peer[128];

	socket_peer_name(wire_stream(s->wire), peer, sizeof(peer));
	wire_set_limit(s->wire, none);
	s->dead = true;		/* there is nobody left to say QUIT to */
	int rc = atrn_run(&c->reversed, s->wire, s->encrypted, peer, &messages, err);

	strbuf_addf(&text, c->inv->json ? "{\"command\":\"ATRN\",\"messages\":%u%s}\n" :
		    "%u message%s received\n", messages,
		    messages == 1 || c->inv->json ? "" : "s");
	if (report_output(c->inv, text.buf) != EX_OK && rc == 0)
		rc = error_set(err, FAULT_IO, "cannot tell how many messages came");
	strbuf_release(&text);
	return rc < 0 ? error_prefix(err, "after ATRN") : 0;
}

/* --- one after the other --------------------------------------------------- */

static int show(const struct invocation *inv, const struct strbuf *out, const struct strbuf *note,
		struct error *err)
{
	if (note->len)
		report_line(inv, "%s", note->buf);
	if (out->len && report_output(inv, out->buf) != EX_OK)
		return error_set(err, FAULT_IO, "cannot write to standard output");
	return 0;
}

/* One object for each command, on a line of its own; of a raw one no argument: it may be secret. */
static void add_probe_json(struct strbuf *out, const struct probe_request *p,
		     const struct probe_answer *a, const char *note, const struct error *err)
{
	struct json j = { .out = out };
	const int code = err ? err->reply : a->code;
	const char *status = err ? err->status : a->status;

	json_begin(&j, NULL, '{');
	if (p->id == PROBE_RAW)
		json_octets(&j, "command", p->arg, strcspn(p->arg, " "));
	else
		json_string(&j, "command", probe_name(p));
	json_string(&j, "argument", p->id == PROBE_RAW ? NULL : p->arg);
	json_number(&j, "exit", err ? err->exit : 0);
	if (code)
		json_number(&j, "code", code);
	else
		json_string(&j, "code", NULL);
	json_string(&j, "status", *status ? status : NULL);
	json_begin(&j, "lines", '[');
	for (size_t i = 0; i < a->lines.n; i++)
		json_string(&j, NULL, a->lines.v[i]);
	json_end(&j, ']');
	json_string(&j, "note", *note ? note : NULL);
	json_string(&j, "text", err ? err->text : NULL);
	json_string(&j, "fault", err ? fault_rows[err->fault].name : NULL);
	json_end(&j, '}');
	strbuf_addch(out, '\n');
}

/* The object instead of what would be shown, and the note in it; a failure is told besides. */
static int show_json(struct commands *c, const struct probe_request *p,
		     const struct probe_answer *a, const struct strbuf *note,
		     const struct error *failure, struct error *err)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	const struct strbuf none = STRBUF_INIT(0);

	add_probe_json(&out, p, a, note->len ? note->buf : "", failure);
	int rc = show(c->inv, &out, &none, err);

	strbuf_release(&out);
	return rc;
}

static int run_one(struct commands *c, struct session *s, const struct probe_request *p,
		   bool *last, struct error *err)
{
	struct probe_answer answer = { .lines = STRVEC_INIT(REPLY_LINES_MAX) };
	const struct probe_options opt = { .strict = c->inv->strict_verify, .answer = &answer,
					   .with_rcpt = c->inv->verify_with_rcpt };
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX), note = STRBUF_INIT(NOTE_MAX);
	bool reversed = false;
	struct error unwritten;
	int rc = probe_run(s, p, &opt, &out, &note, last, err);

	if (c->inv->json && show_json(c, p, &answer, &note, rc < 0 ? err : NULL, &unwritten) < 0 &&
	    rc == 0) {
		*err = unwritten;
		rc = -1;
	} else if (rc == 0 && !c->inv->json) {
		rc = show(c->inv, &out, &note, err);
	}
	if (rc == 0)
		rc = probe_reversed(s, p, &reversed, err);
	if (rc == 0 && reversed)
		rc = serve_reversed(c, s, err);
	strbuf_release(&out);
	strbuf_release(&note);
	strvec_release(&answer.lines);
	return rc;
}

/* A server that said "go on" to a raw command waits for something that is not QUIT. */
static void end_raw(struct session *s)
{
	if (reply_class(&s->reply) == 3)
		s->dead = true;
}

static int run_all(void *ctx, struct session *s, struct error *err)
{
	struct commands *c = ctx;
	bool given_up[PROBE_COUNT] = { false };

	(void)err;
	for (size_t i = 0; i < c->inv->probes; i++) {
		const struct probe_request *p = &c->inv->probe[i];
		struct error failure;

		if (given_up[p->id])
			continue;
		if (s->dead) {
			error_set(&failure, FAULT_CONNECTION_LOST, "%s was not asked: the "
				  "session is over", probe_name(p));
			report_worst(c->inv, &failure, &c->worst);
			break;
		}
		if (run_one(c, s, p, &given_up[p->id], &failure) < 0)
			report_worst(c->inv, &failure, &c->worst);
	}
	end_raw(s);
	return 0;
}

int raw_commands_run(void *ctx, struct session *s, struct error *err)
{
	const struct invocation *inv = ctx;
	struct commands c = { .inv = inv };
	bool last;

	for (size_t i = 0; i < inv->probes; i++) {
		if (s->dead)
			return error_set(err, FAULT_CONNECTION_LOST,
					 "a raw command has ended the session");
		if (run_one(&c, s, &inv->probe[i], &last, err) < 0)
			return -1;
	}
	if (reply_class(&s->reply) == 3 && inv->probes) {
		s->dead = true;
		return error_set(err, FAULT_PROTOCOL, "the server waits for more of a raw "
				 "command: no message can follow");
	}
	return 0;
}

/* --- the command ----------------------------------------------------------- */

/* The account, at the port of these commands where it has none of its own. */
static void choose_port(const struct invocation *inv, struct account *copy)
{
	for (size_t i = 0; i < inv->probes && !copy->port && !copy->socket; i++)
		copy->port = probe_port(&inv->probe[i]);
}

static int prepare_commands(struct commands *c, struct error *err)
{
	for (size_t i = 0; i < c->inv->probes; i++) {
		const struct probe_request *p = &c->inv->probe[i];

		if (p->id != PROBE_ATRN)
			continue;
		if (i + 1 < c->inv->probes)
			return error_set(err, FAULT_USAGE, "--atrn must be the last command");
		return prepare_reversed(c, p, err);
	}
	return 0;
}

static int run_commands(struct commands *c, struct events *events, struct error *err)
{
	const struct attempt_options opt = events_options(events);
	struct account copy;

	if (submission_account(&c->submission, err) < 0)
		return -1;
	copy = *c->submission.account;
	choose_port(c->inv, &copy);
	if (prepare_commands(c, err) < 0)
		return -1;
	return submit_session(&copy, &opt, run_all, c, err);
}

int cmd_smtp(const struct invocation *inv)
{
	struct commands c = { .inv = inv };
	struct events *events = NULL;
	struct error err;

	submission_init(&c.submission, &inv->request, NULL);
	if (events_open(inv, &events, &err) < 0 || run_commands(&c, events, &err) < 0) {
		const struct report r = { .inv = inv, .error = &err };

		if (inv->json)
			(void)report_json(&r);
		report_worst(inv, &err, &c.worst);
	}
	events_free(events);
	delivery_free(c.reversed.delivery);
	submission_release(&c.submission);
	return c.worst.exit;
}
