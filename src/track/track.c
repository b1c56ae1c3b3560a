#include "config.h"
#include "track/track.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "dns/dns.h"
#include "message/address.h"
#include "message/envelope.h"
#include "message/result.h"
#include "net/resolve.h"
#include "net/wire.h"
#include "submit/attempt.h"
#include "submit/connect.h"
#include "submit/server_list.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

enum { HOPS_MAX = 10 };

struct tracker {
	const struct account *account;
	const struct attempt_options *opt;
	const struct track_query *query;
	struct arena *arena;
	struct deadline whole;
	struct strvec asked;		/* hosts, each once */
	struct strbuf *out;
	bool delayed, failed;
};

/* --- the connection ------------------------------------------------------- */

/* RFC 2782; the host itself when there is no record, or nobody to ask for it. */
static void find_service(const struct tracker *t, struct server *target)
{
	const char *name = arena_printf(t->arena, "_mtqp._tcp.%s", target->host);
	struct dns_answer answer;
	struct address numeric;
	struct error ignored;
	struct deadline d = deadline_first(
		deadline_in(t->account->timeouts.connect, "the name server"), t->whole);
	const struct dns_record *best = NULL;

	target->port = MTQP_PORT;
	if (!strchr(target->host, '.') || address_from_text(target->host, 0, &numeric) ||
	    dns_ask(t->account->net.resolver, name, DNS_SRV, &d, &answer, &ignored) < 0)
		return;
	for (size_t i = 0; i < answer.n; i++) {
		const struct dns_record *r = &answer.v[i];

		if (*r->target && r->port && (!best || r->priority < best->priority))
			best = r;
	}
	if (best) {
		target->host = arena_strdup(t->arena, best->target);
		target->port = best->port;
	}
	dns_answer_release(&answer);
}

/* What the account demands of its own server's certificate says nothing about others. */
static const struct account *account_for(const struct tracker *t, const char *host,
					 struct account *foreign)
{
	if (t->account->host && strcasecmp(t->account->host, host) == 0)
		return t->account;
	*foreign = *t->account;
	foreign->tls.fingerprint = NULL;
	foreign->tls.pin = NULL;
	foreign->tls.cert_file = foreign->tls.key_file = foreign->tls.pkcs12_file = NULL;
	foreign->tls.host_override = NULL;
	return foreign;
}

static int open_wire(const struct tracker *t, const struct account *a,
		     const struct server *target, struct wire **out, struct error *err)
{
	struct host_addresses addresses = { .v = NULL };
	const struct connect_request request = {
		.account = a, .target = target, .addresses = &addresses, .whole = &t->whole,
	};
	struct stream *stream = NULL;
	int rc = connect_stream(&request, &stream, err);

	host_addresses_release(&addresses);
	if (rc < 0)
		return -1;
	*out = wire_new_take(stream);
	wire_set_limit(*out, t->whole);
	wire_set_trace(*out, t->opt->trace, t->opt->trace_ctx);
	return 0;
}

/* The certificate is to be that of host, whatever name DNS gave for the service. */
static int ask_server(const struct tracker *t, const char *host, unsigned port,
		      struct strbuf *answer, struct error *err)
{
	struct server target = { .host = host, .port = port, .mode = TLS_OFF };
	struct account foreign;
	const struct account *a = account_for(t, host, &foreign);
	struct wire *wire = NULL;
	struct mtqp m;

	if (idna_to_ascii(t->arena, host, &target.host, err) < 0)
		return -1;
	const char *name = target.host;

	if (!port)
		find_service(t, &target);
	if (open_wire(t, a, &target, &wire, err) < 0)
		return -1;
	int rc = mtqp_open(&m, wire, a, name, target.port, err);

	if (rc == 0)
		rc = mtqp_track(&m, t->query->envid, t->query->secret, answer, err);
	mtqp_close(&m);
	wire_free(wire);
	return rc;
}

/* --- what it says --------------------------------------------------------- */

static void add_text(struct strbuf *out, const char *before, const char *text)
{
	if (!text || !*text)
		return;
	strbuf_addstr(out, before);
	text_escape_add(out, text, strlen(text));
}

static void add_recipient(const struct tracker *t, const struct track_recipient *r,
			  const char *host)
{
	struct strbuf *out = t->out;

	add_text(out, "", t->query->envid);
	add_text(out, " ", r->address);
	strbuf_addf(out, ": %s", track_action_name(r->action));
	add_text(out, " ", r->status);
	add_text(out, ", ", r->reporting_mta ? r->reporting_mta : host);
	add_text(out, " to ", r->remote_mta);
	add_text(out, ", tries until ", r->will_retry_until);
	strbuf_addch(out, '\n');
}

/* Does the answer itself tell what became of the message at that host? */
static bool is_contained(const struct track_report *report, const char *mta)
{
	for (size_t i = 0; i < report->n; i++) {
		const char *by = report->v[i].reporting_mta;

		if (by && strcasecmp(by, mta) == 0)
			return true;
	}
	return false;
}

static void judge(struct tracker *t, const struct track_report *report,
		  const struct track_recipient *r, struct strvec *next)
{
	const char *mta = r->action == TRACK_TRANSFERRED ? r->remote_mta : NULL;

	if (r->action == TRACK_DELIVERED || r->action == TRACK_EXPANDED ||
	    r->action == TRACK_RELAYED || (mta && is_contained(report, mta)))
		return;
	if (r->action == TRACK_FAILED)
		t->failed = true;
	else if (!mta || t->asked.n + next->n >= HOPS_MAX || strvec_has(&t->asked, mta))
		t->delayed = true;
	else if (!strvec_has(next, mta))
		strvec_add(next, mta);
}

static int visit(struct tracker *t, const char *host, unsigned port, struct strvec *next,
		 struct error *err)
{
	struct strbuf answer = STRBUF_INIT(MTQP_ANSWER_MAX);
	struct track_report report;

	strvec_add(&t->asked, host);
	if (ask_server(t, host, port, &answer, err) < 0) {
		strbuf_release(&answer);
		return error_prefix(err, "%s", host);
	}
	track_report_read(t->arena, answer.buf, answer.len, &report);
	strbuf_release(&answer);
	for (size_t i = 0; i < report.n; i++) {
		add_recipient(t, &report.v[i], host);
		judge(t, &report, &report.v[i], next);
	}
	if (report.n == 0)
		return error_set(err, FAULT_PROTOCOL, "%s: the answer about %s names no "
				 "recipient", host, t->query->envid);
	return 0;
}

/* The message went on: those who have it are asked, as far as they can be. */
static void follow(struct tracker *t, struct strvec *next)
{
	struct error err;

	for (size_t i = 0; i < next->n; i++) {
		const char *host = arena_strdup(t->arena, next->v[i]);

		if (visit(t, host, 0, next, &err) == 0)
			continue;
		strbuf_addf(t->out, "%s: %s\n", t->query->envid, err.text);
		t->delayed = true;
	}
}

int track_query(const struct account *a, const struct attempt_options *opt,
		const struct track_query *query, struct strbuf *out, struct error *err)
{
	struct tracker t = { .account = a, .opt = opt, .query = query, .out = out,
			     .arena = arena_new(), .asked = STRVEC_INIT(HOPS_MAX),
			     .whole = deadline_in(a->timeouts.total, "the tracking servers") };
	struct strvec next = STRVEC_INIT(HOPS_MAX);

	t.whole.whole = true;
	int rc = visit(&t, query->server, query->port, &next, err);

	if (rc == 0)
		follow(&t, &next);
	if (rc == 0 && t.failed)
		rc = error_set(err, FAULT_DELIVERY_FAILED, "%s has failed for some recipients",
			       query->envid);
	else if (rc == 0 && t.delayed)
		rc = error_set(err, FAULT_ON_ITS_WAY, "%s is still on its way",
			       query->envid);
	strvec_release(&next);
	strvec_release(&t.asked);
	arena_free(t.arena);
	return rc;
}

/* --- the file of messages that can be asked for ------------------------------------- */

#define FILE_LIMIT ((size_t)16 * 1024 * 1024)
#define LINE_LIMIT ((size_t)1024 * 1024)
#define WORDS 5

static const char file[] = "tracking";

const char *tracking_path(struct arena *a)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX);
	const bool known = store_user_path(file, &path) == 0;
	const char *copy = arena_take(a, &path);

	return known ? copy : NULL;
}

/* --- lines ---------------------------------------------------------------- */

static void add_word(struct strbuf *out, const char *word)
{
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c <= ' ' || c == 127 || c == '%' || c == ',')
			strbuf_addf(out, "%%%02X", (unsigned)c);
		else
			strbuf_addch(out, *word);
	}
}

static void add_line(struct strbuf *out, const struct envelope *e, const struct result *r)
{
	const char *const words[] = { e->envid, e->ext.mtrk_secret, r->server ? r->server : "-" };
	char separator = ' ';

	strbuf_addf(out, "%lld", (long long)time(NULL));
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		strbuf_addch(out, ' ');
		add_word(out, words[i]);
	}
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome != OUTCOME_ACCEPTED)
			continue;
		strbuf_addch(out, separator);
		add_word(out, e->rcpt[i].address);
		separator = ',';
	}
	strbuf_addch(out, '\n');
}

/* The time at the beginning of a line, -1 if it has none. */
static long long line_time(const char *line)
{
	char *end;

	errno = 0;
	long long when = *line >= '0' && *line <= '9' ? strtoll(line, &end, 10) : -1;

	return when >= 0 && !errno && *end == ' ' ? when : -1;
}

static int hand_line(const char *line, int (*fn)(void *ctx, const struct tracking *), void *ctx)
{
	struct strvec words = STRVEC_INIT(WORDS + 1);
	long long when = line_time(line);
	int rc = 0;

	strvec_split(&words, line, " ");
	if (when >= 0 && words.n == WORDS && text_percent_decode(words.v[1]) &&
	    text_percent_decode(words.v[2]) && text_percent_decode(words.v[3])) {
		const struct tracking t = {
			.when = when, .envid = words.v[1], .secret = words.v[2],
			.server = words.v[3], .recipients = words.v[4],
		};
		rc = fn(ctx, &t);
	}
	strvec_release(&words);
	return rc;
}

/* --- the file ------------------------------------------------------------- */

int tracking_read(int (*fn)(void *ctx, const struct tracking *), void *ctx, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(FILE_LIMIT);
	struct store s = STORE_INIT;
	int rc = store_open_user(&s, false, err);

	if (rc == 0)
		rc = store_read(&s, file, FS_SECRET, &text, err);
	store_close(&s);
	for (char *line = text.buf, *end; rc == 0 && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rc = hand_line(line, fn, ctx);
	}
	strbuf_release_secret(&text);
	return rc;
}

/* Lines stand in the order of their times: what is too old is at the beginning. */
static size_t old_octets(const struct strbuf *text, long long oldest)
{
	const char *line = text->buf, *end;

	while ((end = strchr(line, '\n')) && line_time(line) >= 0 && line_time(line) < oldest)
		line = end + 1;
	return (size_t)(line - text->buf);
}

/* The store is locked. */
static int add(const struct store *s, const struct strbuf *line, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(FILE_LIMIT);
	int rc = store_read(s, file, FS_SECRET, &text, err);

	if (rc == 0) {
		strbuf_consume(&text, old_octets(&text, (long long)time(NULL) - TRACKING_KEEP));
		/* a line that was cut off must not swallow ours */
		if (text.len > 0 && text.buf[text.len - 1] != '\n')
			strbuf_addch(&text, '\n');
		strbuf_add(&text, line->buf, line->len);
		rc = strbuf_overflow(&text) ?
			error_set(err, FAULT_CANNOT_WRITE, "%s/%s is full", s->path, file) :
			store_write(s, file, 0600, STORE_REPLACE, text.buf, text.len, err);
	}
	strbuf_release_secret(&text);
	return rc;
}

int tracking_keep(const struct envelope *e, const struct result *r, struct error *err)
{
	struct strbuf line = STRBUF_SECRET(LINE_LIMIT);
	struct store s;
	int rc = store_open_user(&s, true, err);

	add_line(&line, e, r);
	if (rc == 0)
		rc = store_lock(&s, FS_LOCK_MS, err);
	if (rc == 0)
		rc = add(&s, &line, err);
	store_close(&s);
	strbuf_release_secret(&line);
	return rc;
}
