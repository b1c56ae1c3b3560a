#include "config.h"
#include "deliver/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deliver/kept.h"
#include "message/envelope.h"
#include "server/delivery.h"
#include "util/error.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/strbuf.h"
#include "util/strvec.h"

enum {
	OUTPUT_MAX = 4096,		/* of what it prints, the rest is lost */
	VALUE_MAX = 65536,		/* a variable of its environment */
	VARIABLES_MAX = 32,
	REPLY_TEXT_MAX = 400
};
#define JSON_LIMIT ((size_t)64 * 1024 * 1024)

/* --- what it is told ------------------------------------------------------------- */

static void add_notify(struct json *j, unsigned notify)
{
	static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };

	json_begin(j, "notify", '[');
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (notify & 1U << i)
			json_string(j, NULL, names[i]);
	json_end(j, ']');
}

static void add_client(struct json *j, const struct delivery_client *c)
{
	json_begin(j, "client", '{');
	json_string(j, "address", c->peer);
	json_string(j, "helo", c->helo);
	json_string(j, "user", c->user);
	if (c->uid >= 0)
		json_number(j, "uid", c->uid);
	if (c->pid >= 0)
		json_number(j, "pid", c->pid);
	json_string(j, "protocol", c->lmtp ? "LMTP" : c->esmtp ? "ESMTP" : "SMTP");
	json_bool(j, "tls", c->tls);
	json_end(j, '}');
}

static void describe(const struct program_event *e, struct strbuf *out)
{
	static const char *const bodies[] = { "7BIT", "8BITMIME", "BINARYMIME" };
	static const char *const rets[] = { NULL, "FULL", "HDRS" };
	struct json j = { .out = out };

	json_begin(&j, NULL, '{');
	json_string(&j, "id", e->id);
	json_string(&j, "sender", e->envelope->sender);
	json_begin(&j, "recipients", '[');
	for (size_t i = 0; i < e->envelope->rcpt_count; i++) {
		const struct recipient *r = &e->envelope->rcpt[i];

		json_begin(&j, NULL, '{');
		json_string(&j, "address", r->address);
		json_string(&j, "orcpt", r->orcpt);
		add_notify(&j, r->notify);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_number(&j, "size", (int64_t)e->message->size);
	json_string(&j, "body", bodies[e->envelope->body]);
	json_bool(&j, "smtputf8", e->envelope->utf8);
	json_string(&j, "ret", rets[e->envelope->ret % ARRAY_LEN(rets)]);
	json_string(&j, "envid", e->envelope->envid);
	add_client(&j, e->client);
	json_end(&j, '}');
	strbuf_addch(out, '\n');
}

static void set(struct strvec *environment, const char *name, const char *value)
{
	struct strbuf text = STRBUF_INIT(VALUE_MAX);

	strbuf_addf(&text, "%s=%s", name, value ? value : "");
	if (!strbuf_overflow(&text))
		strvec_add(environment, text.buf);
	strbuf_release(&text);
}

/* A list that does not fit is not there at all: half of it would be taken for all. */
static void set_recipients(struct strvec *environment, const struct envelope *e)
{
	struct strbuf all = STRBUF_INIT(VALUE_MAX - 64);

	for (size_t i = 0; i < e->rcpt_count; i++)
		strbuf_addf(&all, "%s%s", i ? "\n" : "", e->rcpt[i].address);
	if (!strbuf_overflow(&all))
		set(environment, "RECIPIENTS", all.buf);
	if (e->rcpt_count)
		set(environment, "RECIPIENT", e->rcpt[0].address);
	strbuf_release(&all);
}

static void set_all(struct strvec *environment, const struct program_event *e)
{
	const struct delivery_client *c = e->client;
	char number[24];

	set(environment, "PATH", PROC_PATH);
	set(environment, "MSUBMIT_ENVELOPE", "/dev/fd/3");
	set(environment, "MESSAGE_ID", e->id);
	set(environment, "SENDER", e->envelope->sender);
	set_recipients(environment, e->envelope);
	(void)snprintf(number, sizeof(number), "%zu", e->envelope->rcpt_count);
	set(environment, "RECIPIENT_COUNT", number);
	(void)snprintf(number, sizeof(number), "%" PRIu64, e->message->size);
	set(environment, "SIZE", number);
	set(environment, "CLIENT_ADDRESS", c->peer);
	set(environment, "CLIENT_HELO", c->helo);
	set(environment, "CLIENT_USER", c->user);
	(void)snprintf(number, sizeof(number), "%ld", c->uid);
	set(environment, "CLIENT_UID", c->uid < 0 ? "" : number);
}

/* --- what it answers ------------------------------------------------------------------ */

/* Exit codes that are a refusal for good, with the status of the reply. */
static const struct {
	int exit;
	const char *status;
} refusals[] = {
	{ EX_DATAERR, "5.6.0" }, { EX_NOINPUT, "5.3.0" }, { EX_NOUSER, "5.1.1" },
	{ EX_NOHOST, "5.1.2" }, { EX_UNAVAILABLE, "5.3.0" }, { EX_PROTOCOL, "5.5.0" },
	{ EX_NOPERM, "5.7.1" },
};

/* The first line that is not empty, printable, without blanks around it. */
static void first_line(const struct strbuf *out, struct strbuf *line)
{
	const char *p = out->buf, *end = out->buf + out->len;

	while (p < end && (unsigned char)*p <= ' ')
		p++;
	for (; p < end && *p != '\n' && line->len < REPLY_TEXT_MAX; p++) {
		const char c = *p == '\r' || *p == '\t' ? ' ' : *p;

		strbuf_addch(line, c >= ' ' && c <= '~' ? c : '?');
	}
	while (line->len && line->buf[line->len - 1] == ' ')
		strbuf_truncate(line, line->len - 1);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * "550 5.7.1 text", "451 text", "550-5.7.1 text": a reply of its own, 4yz or
 * 5yz. 421 would end the session, and codes from x60 on are not SMTP's: they
 * mean 451 and 550, for whoever says such a thing does not say yes.
 */
static int reply_of(const char *line)
{
	if ((line[0] != '4' && line[0] != '5') || !is_digit(line[1]) || !is_digit(line[2]) ||
	    (line[3] && line[3] != ' ' && line[3] != '-'))
		return 0;
	const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');

	return code != 421 && line[1] <= '5' ? code : line[0] == '4' ? 451 : 550;
}

/* Is it an enhanced status of that class, and where does it end? */
static size_t status_of(const char *p, char class)
{
	unsigned a, b, c;
	int used = 0;

	return sscanf(p, "%1u.%3u.%3u%n", &a, &b, &c, &used) == 3 && p[0] == class &&
		(p[used] == ' ' || !p[used]) ? (size_t)used : 0;
}

static int say(const struct program *p, int code, const char *status, const char *text,
	       struct error *err)
{
	error_set_status(err, code / 100 == 4 ? FAULT_REFUSED_FOR_NOW : FAULT_REFUSED, status,
			 "%s: %d %s %s", p->key, code, status,
			 *text ? text : code / 100 == 4 ? "try again later" : "refused");
	err->reply = code;
	error_mark_words(err, strlen(p->key) + 2);
	return -1;
}

/* Its own reply. */
static int pass_on(const struct program *p, int code, const char *line, struct error *err)
{
	char status[12] = "5.0.0";
	const char *text = line + 3 + (line[3] != '\0');
	const size_t n = status_of(text, line[0]);

	status[0] = line[0];
	if (n && n < sizeof(status)) {
		memcpy(status, text, n);
		status[n] = '\0';
	}
	text += n;
	return say(p, code, status, text + strspn(text, " "), err);
}

/* full: there was more than is read, so that no words in what was read are no silence. */
static int judge(const struct program *p, int status, const char *line, bool full,
		 struct error *err)
{
	const int code = reply_of(line);

	if (code)
		return pass_on(p, code, line, err);
	if (full && !*line)
		return error_set(err, FAULT_COMMAND_FAILED, "%s: command '%s' prints more than %d "
				 "octets, and no words", p->key, p->argv[0], OUTPUT_MAX);
	if (status == 0)
		return strcmp(line, "discard") == 0;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (refusals[i].exit == status)
			return say(p, 550, refusals[i].status, line, err);
	}
	if (status == EX_TEMPFAIL)
		return say(p, 451, "4.3.0", line, err);
	return error_set(err, FAULT_COMMAND_FAILED, "%s: command '%s' ended with status %d%s%s",
			 p->key, p->argv[0], status, *line ? ": " : "", line);
}

int program_run(const struct program *p, const struct program_event *e, struct error *err)
{
	struct strbuf json = STRBUF_INIT(JSON_LIMIT), out = STRBUF_INIT(OUTPUT_MAX);
	struct strbuf line = STRBUF_INIT(REPLY_TEXT_MAX + 1);
	struct strvec environment = STRVEC_INIT(VARIABLES_MAX);
	struct proc_request r = { .argv = (char *const *)(void *)p->argv, .seconds = p->seconds,
				  .input = e->message->fd, .third = -1, .out = &out };
	int status = 0, rc;

	describe(e, &json);
	set_all(&environment, e);
	r.environment = environment.v;
	rc = proc_input(json.buf, json.len, &r.third, err);
	if (rc == 0)
		rc = proc_run(&r, &status, err) < 0 ? error_prefix(err, "%s", p->key) : 0;
	if (rc == 0) {
		first_line(&out, &line);
		rc = judge(p, status, line.buf, out.len == out.limit, err);
	}
	if (r.third >= 0)
		close(r.third);
	strbuf_release(&json);
	strbuf_release(&out);
	strbuf_release(&line);
	strvec_release(&environment);
	return rc;
}
