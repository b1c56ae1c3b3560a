/* The client of the Message Tracking Query Protocol, and what its server answers. */
#include "config.h"
#include "track/track.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "mime/mime_parse.h"
#include "net/wire.h"
#include "smtp/tls_start.h"
#include "util/arena.h"
#include "util/base64.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

enum { LINE_MAX_OCTETS = 998, COMMAND_OCTETS = 998 };

static const char track_path[] = "/track/";

/* --- answers -------------------------------------------------------------- */

static struct deadline reply_deadline(const struct mtqp *m)
{
	return deadline_in(m->account->timeouts.mail, "the answer of the tracking server");
}

static int protocol_error(struct mtqp *m, const char *what, struct error *err)
{
	struct strbuf shown = STRBUF_INIT(4 * LINE_MAX_OCTETS);

	m->dead = true;
	text_escape_add(&shown, m->line.buf, m->line.len < 200 ? m->line.len : 200);
	error_set(err, FAULT_PROTOCOL, "%s: '%s'", what, shown.buf);
	strbuf_release(&shown);
	return -1;
}

static int read_line(struct mtqp *m, struct error *err)
{
	struct deadline d = reply_deadline(m);
	bool cut = false;
	int got = wire_read_line(m->wire, &m->line, &cut, &d, err);

	if (got > 0 && !cut && !memchr(m->line.buf, '\0', m->line.len))
		return 0;
	m->dead = true;
	if (got > 0)
		return protocol_error(m, "the tracking server sent a line that is none", err);
	if (got == 0)
		error_set(err, FAULT_CONNECTION_LOST, "connection closed by the server while "
			  "waiting for %s", d.what);
	return -1;
}

/*
 * response = status *( "/" info ) [ SP text ] (RFC 3887, section 2.3)
 */
static const struct status {
	const char *word;
	enum fault fault;	/* FAULT_NONE = good */
	bool more;		/* lines follow */
} statuses[] = {
	{ "+OK+", FAULT_NONE, true }, { "+OK", FAULT_NONE, false },
	{ "-TEMP", FAULT_SERVICE_LATER, false }, { "-ERR", FAULT_SERVICE_REFUSED, false },
	{ "-BAD", FAULT_PROTOCOL, false },
};

/* What the words behind a failure say more exactly. */
static const struct {
	const char *info;
	enum fault fault;
} infos[] = {
	{ "admin", FAULT_SERVER_CLOSES }, { "unavailable", FAULT_SERVER_CLOSES },
	{ "noinfo", FAULT_NOT_TRACKED }, { "insecure", FAULT_PASSWORD_REFUSED },
	{ "tls-required", FAULT_TRACKING_IN_CLEAR }, { "bad-fqdn", FAULT_PROTOCOL },
	{ "unsupported", FAULT_PROTOCOL }, { "tls-in-progress", FAULT_PROTOCOL },
};

static const struct status *find_status(const struct mtqp *m)
{
	size_t n = strcspn(m->line.buf, "/ ");

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (text_same(m->line.buf, n, statuses[i].word))
			return &statuses[i];
	}
	return NULL;
}

/* Is that one of the info words of the last line? */
static bool has_info(const struct mtqp *m, const char *info)
{
	const char *p = m->line.buf + strcspn(m->line.buf, "/ ");

	while (*p == '/') {
		size_t n = strcspn(++p, "/ ");

		if (text_same(p, n, info))
			return true;
		p += n;
	}
	return false;
}

static int refused(const struct mtqp *m, const struct status *s, const char *what,
		   struct error *err)
{
	enum fault fault = s->fault;

	for (size_t i = 0; fault != FAULT_PROTOCOL && i < ARRAY_LEN(infos); i++) {
		if (has_info(m, infos[i].info))
			fault = infos[i].fault;
	}
	return error_set(err, fault, "%s: %s", what, m->line.buf);
}

/* One answer: 0 when it is good and over, 1 when its lines follow, -1. */
static int read_answer(struct mtqp *m, const char *what, struct error *err)
{
	if (read_line(m, err) < 0)
		return -1;
	const struct status *s = find_status(m);

	if (!s)
		return protocol_error(m, "this is no answer of a tracking server", err);
	return s->fault ? refused(m, s, what, err) : s->more;
}

/* The lines behind "+OK+" up to the dot, appended with CRLF and without doubled dots. */
static int read_lines(struct mtqp *m, struct strbuf *out, struct error *err)
{
	for (;;) {
		if (read_line(m, err) < 0)
			return -1;
		if (strcmp(m->line.buf, ".") == 0)
			return 0;
		strbuf_addstr(out, m->line.buf + (m->line.buf[0] == '.'));
		strbuf_addstr(out, "\r\n");
		if (strbuf_overflow(out)) {
			m->dead = true;
			return error_set(err, FAULT_PROTOCOL, "the answer of the tracking "
					 "server is too long");
		}
	}
}

/* --- commands ------------------------------------------------------------- */

static int send_line(struct mtqp *m, struct strbuf *line, const char *shown, struct error *err)
{
	struct deadline d = reply_deadline(m);
	int rc;

	if (wire_unread_now(m->wire) > 0) {
		m->dead = true;
		return error_set(err, FAULT_PROTOCOL,
				 "the tracking server said something that nobody asked for");
	}
	if (line->len > COMMAND_OCTETS || text_has_control(line->buf, line->len) ||
	    !text_is_ascii(line->buf, line->len))
		return error_set(err, FAULT_ARGUMENT, "cannot ask the tracking server: the "
				 "line is too long or not plain");
	strbuf_addstr(line, "\r\n");
	rc = wire_put(m->wire, line->buf, line->len, shown, &d, err);
	m->dead = m->dead || rc < 0;
	return rc;
}

/* greeting = "+OK" [ "+" ] "/MTQP" ...; its lines are options, folded as header fields are */
static int greeting(struct mtqp *m, struct error *err)
{
	struct strbuf options = STRBUF_INIT(MTQP_ANSWER_MAX);
	int more = read_answer(m, "the tracking server", err);

	if (more < 0)
		return -1;
	if (!has_info(m, "MTQP"))
		return protocol_error(m, "this is no tracking server", err);
	int rc = more ? read_lines(m, &options, err) : 0;

	m->tls_offered = false;
	for (const char *p = options.buf; rc == 0 && *p; p += strcspn(p, "\n") + 1)
		m->tls_offered |= text_same(p, strcspn(p, " \t\r"), "STARTTLS");
	strbuf_release(&options);
	return rc;
}

static int upgrade(struct stream *lower, void *ctx, struct stream **out, struct error *err)
{
	const struct mtqp *m = ctx;
	struct deadline d = deadline_in(m->account->timeouts.starttls, "the TLS handshake");
	const struct session_options what = {
		.account = m->account, .host = m->host, .port = m->port,
	};

	return tls_start(lower, &what, TLS_AFTER_STARTTLS, &d, out, err);
}

/* What was heard in clear counts for nothing: after the handshake comes a new greeting. */
static int start_tls(struct mtqp *m, struct error *err)
{
	struct strbuf line = STRBUF_INIT(COMMAND_OCTETS + 2);
	int rc;

	strbuf_addf(&line, "STARTTLS %s", m->host);
	rc = send_line(m, &line, NULL, err);
	strbuf_release(&line);
	if (rc == 0)
		rc = read_answer(m, "STARTTLS", err);
	if (rc > 0)
		rc = protocol_error(m, "STARTTLS has more of an answer than it can have", err);
	if (rc < 0)
		return -1;
	m->dead = true;
	if (wire_unread_now(m->wire) < 0)
		return error_set(err, FAULT_CONNECTION_LOST, "connection closed by the tracking "
				 "server before the TLS handshake");
	if (wire_upgrade(m->wire, upgrade, m, err) < 0)
		return -1;
	m->dead = false;
	m->encrypted = true;
	return greeting(m, err);
}

int mtqp_open(struct mtqp *m, struct wire *wire, const struct account *a, const char *host,
	      unsigned port, struct error *err)
{
	enum mtqp_tls tls = a->cmd.mtqp_tls;

	*m = (struct mtqp){ .wire = wire, .account = a, .host = host, .port = port };
	strbuf_init(&m->line, LINE_MAX_OCTETS);
	if (greeting(m, err) < 0)
		return -1;
	if (tls == MTQP_TLS_OFF || (tls == MTQP_TLS_TRY && !m->tls_offered))
		return 0;
	if (!m->tls_offered)
		return error_set(err, FAULT_NO_STARTTLS, "the tracking server does not "
				 "offer STARTTLS: the secret is not sent in clear text; if you "
				 "must, set 'mtqp_tls = try'");
	return start_tls(m, err);
}

/* TRACK SP envid SP secret; RFC 3887 has the envid bare in its grammar, in "<>" in examples. */
static int send_track(struct mtqp *m, const char *open, const char *envid, const char *close,
	       const char *secret, struct error *err)
{
	struct strbuf line = STRBUF_INIT(4 * COMMAND_OCTETS), shown = STRBUF_INIT(COMMAND_OCTETS);

	strbuf_addf(&line, "TRACK %s%s%s %s", open, envid, close, secret);
	strbuf_addf(&shown, "TRACK %s%s%s <%zu octets hidden>", open, envid, close,
		    strlen(secret));
	int rc = send_line(m, &line, shown.buf, err);

	strbuf_release_secret(&line);
	strbuf_release(&shown);
	return rc < 0 ? -1 : read_answer(m, envid, err);
}

/* Can that be asked for: an envid of printable ASCII, a secret in base64? EX_USAGE. */
static int check_words(const char *envid, const char *secret, struct error *err)
{
	struct strbuf octets = STRBUF_SECRET(COMMAND_OCTETS);
	size_t n = strlen(envid);
	int bad = base64_decode(&octets, secret, strlen(secret)) < 0 || octets.len == 0;

	strbuf_release_secret(&octets);
	if (n == 0 || strchr(envid, ' ') || text_has_control(envid, n) || !text_is_ascii(envid, n))
		return error_set(err, FAULT_USAGE, "'%s' is no envelope identifier", envid);
	if (bad)
		return error_set(err, FAULT_USAGE, "the secret of %s is not in base64",
				 envid);
	return 0;
}

int mtqp_track(struct mtqp *m, const char *envid, const char *secret, struct strbuf *answer,
	       struct error *err)
{
	if (check_words(envid, secret, err) < 0)
		return -1;
	int more = send_track(m, "", envid, "", secret, err);

	if (more < 0 && !m->dead && has_info(m, "noinfo"))
		more = send_track(m, "<", envid, ">", secret, err);
	if (more < 0)
		return -1;
	return more ? read_lines(m, answer, err) : 0;
}

void mtqp_close(struct mtqp *m)
{
	struct deadline d = deadline_in(m->account->timeouts.quit, "the tracking server");
	struct strbuf line = STRBUF_INIT(16);
	struct error ignored;

	strbuf_addstr(&line, "QUIT");
	if (!m->dead && send_line(m, &line, NULL, &ignored) == 0 &&
	    wire_flush(m->wire, &d, &ignored) < 0)
		m->dead = true;
	strbuf_release(&line);
	strbuf_release(&m->line);
	m->dead = true;
}

/* --- what is asked for ---------------------------------------------------- */

/* The octets that a part of the URI stands for; NULL when it has a wrong %XX. */
static const char *unescape(struct arena *a, const char *s, size_t n)
{
	char *out = arena_strndup(a, s, n);

	return text_percent_decode(out) ? out : NULL;
}

/* host [ ":" port ], the host of letters, digits, '.', '-' or an address in brackets */
static bool read_host(struct arena *a, const char *text, size_t n, struct mtqp_uri *out)
{
	size_t host = text[0] == '[' ? strcspn(text, "]/") + 1 : strcspn(text, ":/");

	if (host == 0 || host > n || (host < n && text[host] != ':'))
		return false;
	const long port = host < n ? text_port(text + host + 1, n - host - 1) : 0;

	out->host = arena_strndup(a, text, host);
	out->port = (unsigned)port;
	return (host == n || port > 0) && !text_has_control(text, host) &&
		!memchr(text, ' ', host);
}

int mtqp_parse_uri(struct arena *a, const char *text, struct mtqp_uri *out, struct error *err)
{
	static const char scheme[] = "mtqp://";
	struct mtqp_uri uri = { .host = NULL };
	bool fits = strncasecmp(text, scheme, strlen(scheme)) == 0;
	const char *host = text + (fits ? strlen(scheme) : 0);
	const char *path = host + strcspn(host, "/");

	if (fits)
		fits = read_host(a, host, (size_t)(path - host), &uri) &&
			strncasecmp(path, track_path, strlen(track_path)) == 0;
	if (fits) {
		const char *envid = path + strlen(track_path), *slash = strchr(envid, '/');

		uri.envid = slash ? unescape(a, envid, (size_t)(slash - envid)) : NULL;
		uri.secret = slash ? unescape(a, slash + 1, strlen(slash + 1)) : NULL;
		fits = uri.envid && uri.secret;
	}
	if (!fits)
		return error_set(err, FAULT_USAGE,
				 "the form is mtqp://HOST[:PORT]/track/ENVID/SECRET");
	if (check_words(uri.envid, uri.secret, err) < 0)
		return -1;
	*out = uri;
	return 0;
}

/* --- what the answer says ----------------------------------------------------------- */

#define VALUE_MAX 1024

static const struct name_value actions[] = {
	{ "unknown", TRACK_UNKNOWN }, { "failed", TRACK_FAILED }, { "delayed", TRACK_DELAYED },
	{ "delivered", TRACK_DELIVERED }, { "expanded", TRACK_EXPANDED },
	{ "relayed", TRACK_RELAYED }, { "transferred", TRACK_TRANSFERRED },
	{ "opaque", TRACK_OPAQUE }, NAMES_END
};

const char *track_action_name(enum track_action action)
{
	return names_name(actions, (int)action);
}

/* A run of octets of the answer. */
struct span {
	const char *text;
	size_t len;
};

/* The length up to the empty line, or all; *rest_out is what lies behind it. */
static size_t up_to_empty(const struct span *s, struct span *rest_out)
{
	const char *end = memmem(s->text, s->len, "\r\n\r\n", 4);
	size_t n = end ? (size_t)(end - s->text) + 2 : s->len;
	size_t skip = end ? n + 2 : s->len;

	if (s->len >= 2 && memcmp(s->text, "\r\n", 2) == 0) {	/* empty at once */
		n = 0;
		skip = 2;
	}
	*rest_out = (struct span){ s->text + skip, s->len - skip };
	return n;
}

/* The value of the first such field, unfolded, comments in front passed; NULL if there is none. */
static const char *field_value(struct arena *a, const struct span *group, const char *name)
{
	struct strbuf value = STRBUF_INIT(VALUE_MAX);
	struct mime_field f;
	const char *found = NULL;

	for (size_t at = 0; !found && mime_field_next(group->text, group->len, &at, &f);) {
		if (!mime_field_is(&f, name))
			continue;
		const char *end = f.text + f.len;
		const char *p = mime_skip_cfws(f.text + f.value, end);

		for (; p < end; p++) {
			if (*p != '\r' && *p != '\n' && *p != '\0')
				strbuf_addch(&value, *p);
		}
		while (value.len && strchr(" \t", value.buf[value.len - 1]))
			strbuf_truncate(&value, value.len - 1);
		found = value.len ? arena_strndup(a, value.buf, value.len) : NULL;
	}
	strbuf_release(&value);
	return found;
}

/* "rfc822; joe@example.org", "dns; mx.example.org": what stands behind the type. */
static const char *typed_value(struct arena *a, const struct span *group, const char *name)
{
	const char *value = field_value(a, group, name);
	const char *semicolon = value ? strchr(value, ';') : NULL;

	if (!semicolon)
		return value;
	return semicolon + 1 + strspn(semicolon + 1, " \t");
}

static enum track_action read_action(const char *text)
{
	int action = TRACK_UNKNOWN;
	char word[32];
	size_t n = text ? strcspn(text, " \t(;") : 0;

	if (n == 0 || n >= sizeof(word))
		return TRACK_UNKNOWN;
	memcpy(word, text, n);
	word[n] = '\0';
	(void)names_find(actions, word, &action);
	return (enum track_action)action;
}

static void read_recipient(struct arena *a, const struct span *group, const char *reporting,
			  struct track_report *out)
{
	struct track_recipient r = {
		.address = typed_value(a, group, "Final-Recipient"),
		.action = read_action(field_value(a, group, "Action")),
		.status = field_value(a, group, "Status"),
		.reporting_mta = reporting,
		.remote_mta = typed_value(a, group, "Remote-MTA"),
		.will_retry_until = field_value(a, group, "Will-Retry-Until"),
	};

	if (!r.address)
		r.address = typed_value(a, group, "Original-Recipient");
	if (!r.address || out->n == MTQP_RECIPIENTS_MAX)
		return;
	out->v = arena_grow(a, out->v, out->n, &out->alloc, sizeof(*out->v));
	out->v[out->n++] = r;
}

/*
 * tracking-status-content = per-message-fields 1*( CRLF per-recipient-fields )
 * (RFC 3886, section 3)
 */
static void read_status(struct arena *a, struct span body, struct track_report *out)
{
	const char *reporting = NULL;
	bool first = true;

	while (body.len) {
		struct span rest, group = { body.text, 0 };

		group.len = up_to_empty(&body, &rest);
		body = rest;
		if (group.len == 0)
			continue;
		if (first)
			reporting = typed_value(a, &group, "Reporting-MTA");
		else
			read_recipient(a, &group, reporting, out);
		first = false;
	}
}

static bool is_status(struct arena *a, const struct span *header)
{
	static const char type[] = "message/tracking-status";
	const char *value = field_value(a, header, "Content-Type");

	return value && strncasecmp(value, type, strlen(type)) == 0 &&
		strchr(" \t;(", value[strlen(type)]);
}

/* Is that line a delimiter of the multipart (RFC 2046, section 5.1.1)? */
static bool is_delimiter(const char *line, size_t len, const struct mime_entity *top)
{
	const size_t n = top->boundary_len + 2;

	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	return len >= n && memcmp(line, "--", 2) == 0 &&
		memcmp(line + 2, top->boundary, n - 2) == 0 &&
		(len == n || (len == n + 2 && memcmp(line + n, "--", 2) == 0));
}

static void read_part(struct arena *a, struct span part, struct track_report *out)
{
	struct span body, header = { part.text, 0 };

	header.len = up_to_empty(&part, &body);
	if (is_status(a, &header))
		read_status(a, body, out);
}

/* Each part between two delimiters; what stands before the first is none. */
static void read_parts(struct arena *a, const struct mime_entity *top, struct span body,
		       struct track_report *out)
{
	const char *start = NULL, *p = body.text, *end = body.text + body.len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *next = lf ? lf + 1 : end;

		if (is_delimiter(p, (size_t)(next - p), top)) {
			if (start)
				read_part(a, (struct span){ start, (size_t)(p - start) }, out);
			start = next;
		}
		p = next;
	}
	if (start && start < end)	/* the last delimiter is missing */
		read_part(a, (struct span){ start, (size_t)(end - start) }, out);
}

void track_report_read(struct arena *a, const char *text, size_t len, struct track_report *out)
{
	struct span body, all = { text, len }, header = { text, 0 };
	struct mime_entity top;

	*out = (struct track_report){ .v = NULL };
	header.len = up_to_empty(&all, &body);
	mime_parse_header(header.text, header.len, MIME_PLACE_MESSAGE, &top);
	if (top.kind == MIME_MULTIPART)
		read_parts(a, &top, body, out);
	else
		read_part(a, all, out);
}
