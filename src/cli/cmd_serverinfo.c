/* --serverinfo: what the server announces, and its certificate. */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "cli/commands.h"
#include "cli/events.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "net/wire.h"
#include "smtp/auth/mechanism.h"
#include "smtp/extensions.h"
#include "smtp/probe.h"
#include "smtp/session.h"
#include "submit/attempt.h"
#include "submit/memory.h"
#include "submit/submission.h"
#include "tls/tls.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

#define OUTPUT_MAX ((size_t)1024 * 1024)
#define CHAIN_MAX 100

/* Does the program know what to do with the keyword of this EHLO line? */
static bool is_known(const char *line)
{
	size_t len = strcspn(line, " =");

	for (size_t i = 0; i < EXT_COUNT; i++) {
		const char *keyword = extensions[i]->keyword;

		if (strlen(keyword) == len && strncasecmp(keyword, line, len) == 0)
			return true;
	}
	return probe_is_verb(line, len);
}

static bool is_mechanism(const char *name)
{
	return mechanism_find(name) != NULL;
}

/* What is of no use to us has a mark. */
static void add_list(struct strbuf *out, const struct strvec *lines, bool (*of_use)(const char *),
		     const char *title)
{
	if (lines->n)
		strbuf_addf(out, "%s\n", title);
	for (size_t i = 0; i < lines->n; i++) {
		strbuf_addstr(out, of_use(lines->v[i]) ? "    " : "  - ");
		text_escape_add(out, lines->v[i], strlen(lines->v[i]));
		strbuf_addch(out, '\n');
	}
}

/* What is not used with it, as it announces and has not been able to do it. */
static void add_remembered(struct strbuf *out, const struct session *s)
{
	time_t until[EXT_COUNT] = { 0 };
	char when[DATETIME_UTC_SIZE];

	memory_recall_server(s->account, s->opt.host, s->opt.port, until);
	for (size_t i = 0; i < EXT_COUNT; i++) {
		if (until[i])
			strbuf_addf(out, "%s: not used until %s, as the server was not able to do "
				    "it\n", extensions[i]->keyword,
				    datetime_utc(when, (int64_t)until[i] * 1000));
	}
}

static void add_remembered_json(struct json *j, const struct session *s)
{
	time_t until[EXT_COUNT] = { 0 };

	memory_recall_server(s->account, s->opt.host, s->opt.port, until);
	json_begin(j, "not_used", '[');
	for (size_t i = 0; i < EXT_COUNT; i++) {
		if (!until[i])
			continue;
		json_begin(j, NULL, '{');
		json_string(j, "keyword", extensions[i]->keyword);
		json_number(j, "until", (int64_t)until[i]);
		json_end(j, '}');
	}
	json_end(j, ']');
}

/* What the server said and showed, in one page. */
static void describe(void *ctx, const struct session *s)
{
	struct strbuf *out = ctx;
	const struct stream *top = wire_stream(s->wire);

	strbuf_addf(out, "server %s, %s, port %u\n", s->server_name, s->opt.host, s->opt.port);
	if (tls_is(top)) {
		strbuf_addstr(out, "TLS: ");
		tls_describe(top, out);
		strbuf_addf(out, "\n%s\n", s->verified ? "certificate verified" :
						       "certificate NOT verified");
		tls_describe_certificate(top, out);
	} else {
		strbuf_addstr(out, "TLS: off\n");
	}
	add_list(out, &s->clear_keywords, is_known,
		 "extensions before TLS ('-': of no use to msubmit):");
	add_list(out, &s->keywords, is_known, s->encrypted ?
		 "extensions under TLS ('-': of no use to msubmit):" :
		 "extensions ('-': of no use to msubmit):");
	add_list(out, &s->mechanisms, is_mechanism, "ways to sign in:");
	if (s->size_limit)
		strbuf_addf(out, "largest message: %" PRIu64 " octets\n", s->size_limit);
	add_remembered(out, s);
}

static void add_keywords_json(struct json *j, const char *key, const struct strvec *lines)
{
	json_begin(j, key, '[');
	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->v[i];
		size_t len = strcspn(line, " =");

		json_begin(j, NULL, '{');
		json_octets(j, "keyword", line, len);
		json_string(j, "parameters", line[len] ? line + len + 1 : "");
		json_bool(j, "usable", is_known(line));
		json_end(j, '}');
	}
	json_end(j, ']');
}

/* "subject: CN=x" lines become members. */
static void add_certificate_json(struct json *j, const struct stream *top)
{
	struct strbuf text = STRBUF_INIT(OUTPUT_MAX);

	tls_describe_certificate(top, &text);
	json_begin(j, "certificate", '{');
	for (char *line = text.buf, *next; *line; line = next) {
		size_t len = strcspn(line, "\n");
		char *colon = strstr(line, ": ");

		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		if (!colon || colon > line + len)
			continue;
		*colon = '\0';
		json_string(j, line, colon + 2);
	}
	json_end(j, '}');
	strbuf_release(&text);
}

/* What the server sent, as PEM. */
static void add_chain_json(struct json *j, const struct stream *top)
{
	struct strvec chain = STRVEC_INIT(CHAIN_MAX);

	tls_add_peer_chain(top, &chain);
	json_begin(j, "chain", '[');
	for (size_t i = 0; i < chain.n; i++)
		json_string(j, NULL, chain.v[i]);
	json_end(j, ']');
	strvec_release(&chain);
}

static void describe_json(void *ctx, const struct session *s)
{
	struct strbuf tls = STRBUF_INIT(OUTPUT_MAX);
	struct json j = { .out = ctx };
	const struct stream *top = wire_stream(s->wire);

	json_begin(&j, NULL, '{');
	json_string(&j, "server", s->server_name);
	json_string(&j, "host", s->opt.host);
	json_number(&j, "port", s->opt.port);
	json_bool(&j, "verified", s->verified);
	if (tls_is(top)) {
		tls_describe(top, &tls);
		json_string(&j, "tls", tls.buf);
		add_certificate_json(&j, top);
		add_chain_json(&j, top);
	} else {
		json_string(&j, "tls", NULL);
	}
	add_keywords_json(&j, "extensions_before_tls", &s->clear_keywords);
	add_keywords_json(&j, "extensions", &s->keywords);
	json_begin(&j, "mechanisms", '[');
	for (size_t i = 0; i < s->mechanisms.n; i++) {
		json_begin(&j, NULL, '{');
		json_string(&j, "name", s->mechanisms.v[i]);
		json_bool(&j, "usable", is_mechanism(s->mechanisms.v[i]));
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_number(&j, "size_limit", (int64_t)s->size_limit);
	add_remembered_json(&j, s);
	json_end(&j, '}');
	strbuf_addch(ctx, '\n');
	strbuf_release(&tls);
}

static int ask_server(const struct invocation *inv, struct events *events, struct submission *s,
	       struct strbuf *out, struct error *err)
{
	const struct attempt_options opt = events_options(events);

	if (submission_account(s, err) < 0)
		return -1;
	return submit_info(s->account, &opt, inv->json ? describe_json : describe, out, err);
}

int cmd_serverinfo(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct events *events = NULL;
	struct submission s;
	struct error err;
	int status;

	submission_init(&s, &inv->request, NULL);
	if (events_open(inv, &events, &err) < 0 || ask_server(inv, events, &s, &out, &err) < 0) {
		const struct report r = { .inv = inv, .error = &err };

		if (inv->json)
			(void)report_json(&r);
		status = report_failure(inv, &err);
	} else {
		status = report_output(inv, out.buf);
	}
	strbuf_release(&out);
	events_free(events);
	submission_release(&s);
	return status;
}
