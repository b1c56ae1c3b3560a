#include "config.h"
#include "queue/bounce.h"

#include <assert.h>
#include <string.h>

#include "conf/local_domains.h"
#include "message/address.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/writer.h"
#include "mime/mime_parse.h"
#include "queue/bounce_private.h"
#include "queue/entry.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/once.h"
#include "util/text.h"

#define BLOCK ((size_t)16 * 1024)
#define TOKEN 24		/* characters of the boundary behind "=_" */
#define LINE_WANTED 78
#define VALUE_MAX 100		/* octets of a parameter that is looked at */
#define NOTICE_FIELD "X-Msubmit-Notice"

/* --- who is told --------------------------------------------------------------- */

bool bounce_expired(const struct bounce *b, size_t i)
{
	const struct entry *e = b->entry;
	const struct ext_request *x = &e->envelope.ext;

	return entry_rcpt_open(e, i) &&
		((e->expires_ms && b->now_ms >= e->expires_ms) ||
		 (x->by == BY_RETURN && b->now_ms >= x->by_ms));
}

/* Has recipient i come to that end? */
static bool is_of_kind(const struct bounce *b, size_t i)
{
	const struct entry_rcpt *s = &b->entry->rcpt[i];

	switch (b->kind) {
	case BOUNCE_FAILED:
		return (s->outcome == OUTCOME_REFUSED && !s->told) || bounce_expired(b, i);
	case BOUNCE_DELAYED:
	case BOUNCE_PAUSED:
		return entry_rcpt_open(b->entry, i) && !bounce_expired(b, i);
	case BOUNCE_RELAYED:
	case BOUNCE_DELIVERED:
		return s->outcome == OUTCOME_ACCEPTED;
	}
	return false;
}

/* By RFC 3461, section 4.1, and for DELIVERBY with notice RFC 2852, section 4.1.4. */
static bool is_asked_for(const struct bounce *b, size_t i)
{
	static const struct {
		unsigned notify;
		bool unasked;		/* also when NOTIFY is not given */
	} rules[] = {
		[BOUNCE_FAILED] = { DSN_NOTIFY_FAILURE, true },
		[BOUNCE_DELAYED] = { DSN_NOTIFY_DELAY, true },
		[BOUNCE_RELAYED] = { DSN_NOTIFY_SUCCESS, false },
		[BOUNCE_DELIVERED] = { DSN_NOTIFY_SUCCESS, false },
		[BOUNCE_PAUSED] = { 0, false },
	};
	const unsigned notify = b->entry->envelope.rcpt[i].notify;
	const struct ext_request *x = &b->entry->envelope.ext;
	const bool late = b->kind == BOUNCE_DELAYED && b->now_ms >= x->by_ms;

	if (notify & DSN_NOTIFY_NEVER)
		return false;
	if (x->by == BY_NOTIFY && (late || b->kind == BOUNCE_RELAYED))
		return true;
	return notify ? (notify & rules[b->kind].notify) != 0 : rules[b->kind].unasked;
}

bool bounce_about(const struct bounce *b, size_t i)
{
	if ((b->only && !b->only[i]) || !is_of_kind(b, i))
		return false;
	return b->to || (*b->entry->envelope.sender && is_asked_for(b, i));
}

size_t bounce_count(const struct bounce *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->entry->envelope.rcpt_count; i++)
		n += bounce_about(b, i);
	return n;
}

/* Is it multipart/report of one of these kinds (RFC 6522, RFC 3464, RFC 8098)? */
static bool is_report(const struct message *m)
{
	static const char type[] = "multipart/report";
	static const char *const kinds[] = {
		"delivery-status", "global-delivery-status", "disposition-notification",
		"global-disposition-notification"
	};
	const struct header_field *f = header_find(&m->header, HEADER_CONTENT_TYPE);
	struct strbuf value = STRBUF_INIT(VALUE_MAX);
	struct mime_param param;
	bool report = false;

	if (!f || header_find(&m->header, HEADER_RESENT_FROM))
		return false;
	const char *end = f->text + f->len, *p = mime_skip_cfws(f->text + f->value, end);
	const size_t n = strlen(type);

	if ((size_t)(end - p) <= n || !text_same(p, n, type) || !strchr(" \t\r;(", p[n]))
		return false;
	for (p = mime_param_first(p, end); !report && mime_param_next(&p, end, &param);) {
		if (!text_same(param.name, param.name_len, "report-type"))
			continue;
		strbuf_reset(&value);
		mime_param_value(&param, &value);
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			report |= text_same(value.buf, value.len, kinds[i]);
	}
	strbuf_release(&value);
	return report;
}

enum bounce_way bounce_way(const struct entry *e, const struct message *original)
{
	if (!*e->envelope.sender || is_report(original))
		return BOUNCE_TO_NOBODY;
	const char *domain = address_domain(e->envelope.sender);

	return domain && !local_domain_is_bare(domain) ? BOUNCE_TO_SENDER : BOUNCE_TO_USER;
}

bool bounce_is_notice(const struct message *original)
{
	for (size_t i = 0; i < original->header.n; i++) {
		if (header_is(original->header.field[i].text, NOTICE_FIELD))
			return true;
	}
	return false;
}

bool bounce_notice_due(struct bounce *b, unsigned interval, struct error *trouble)
{
	const struct entry *e = b->entry;
	struct strbuf cause = STRBUF_INIT(BLOCK);

	strbuf_addf(&cause, "notice\n%s", b->to);
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		const struct entry_rcpt *s = &e->rcpt[i];

		if (!bounce_about(b, i))
			continue;
		strbuf_addf(&cause, "\n%s\n%s", s->server ? s->server : "",
			    s->status ? s->status : "");
		break;
	}
	const bool due = once_due(&cause, interval, &b->suppressed, trouble);

	strbuf_release(&cause);
	return due;
}

bool bounce_is_late(const struct entry *e, unsigned seconds, int64_t now_ms)
{
	const struct ext_request *x = &e->envelope.ext;

	if (e->warned_ms || !entry_open(e))
		return false;
	return (seconds && now_ms >= e->arrival_ms + (int64_t)seconds * 1000) ||
		(x->by == BY_NOTIFY && now_ms >= x->by_ms);
}

static const char *host_name(const struct bounce *b)
{
	return b->host && address_domain_valid(b->host) ? b->host : "localhost";
}

const char *bounce_address(const struct bounce *b, struct arena *a)
{
	const char *sender = b->entry->envelope.sender;

	if (b->to)
		return b->to;
	return address_domain(sender) ? sender : arena_printf(a, "%s@%s", sender, host_name(b));
}

const char *bounce_server(const struct bounce *b, size_t i, struct arena *a)
{
	const struct entry_rcpt *s = &b->entry->rcpt[i];
	const char *port = s->server ? strrchr(s->server, ':') : NULL;

	if (!s->server || !s->code)
		return NULL;
	if (*s->server == '/' || !port || port == s->server ||
	    text_port(port + 1, strlen(port + 1)) < 0)
		return s->server;
	return arena_strndup(a, s->server, (size_t)(port - s->server));
}

/* --- fields ----------------------------------------------------------------------- */

void bounce_add_clean(struct strbuf *out, const char *s, size_t n, bool utf8)
{
	while (n) {
		const size_t whole = text_utf8_char(s, n), take = whole ? whole : 1;
		const unsigned char c = (unsigned char)*s;

		if (whole > 1 ? utf8 : c >= ' ' && c < 127)
			strbuf_add(out, s, take);
		else
			strbuf_addch(out, c == '\t' ? ' ' : '?');
		s += take;
		n -= take;
	}
}

void bounce_add_field(struct strbuf *out, const char *name, const char *value, bool utf8)
{
	struct strbuf raw = STRBUF_INIT(BOUNCE_OUT_MAX);

	strbuf_addf(&raw, "%s: ", name);
	bounce_add_clean(&raw, value, strlen(value), utf8);
	while (raw.len && raw.buf[raw.len - 1] == ' ')
		strbuf_truncate(&raw, raw.len - 1);
	strbuf_addstr(&raw, "\r\n");
	if (header_fold_to(out, raw.buf, raw.len, LINE_WANTED, NULL) < 0 &&
	    header_fold(out, raw.buf, raw.len, HEADER_GAPS_ANYWHERE, NULL) < 0)
		strbuf_add(out, raw.buf, raw.len);
	strbuf_release(&raw);
}

/* "<" and ">" around printable ASCII without blanks: fit for a field of ours */
static bool is_message_id(const char *s)
{
	const size_t n = s ? strlen(s) : 0;

	return n > 2 && n < LINE_WANTED * 10 && s[0] == '<' && s[n - 1] == '>' &&
		text_is_ascii(s, n) && !text_has_control(s, n) && !strchr(s, ' ') &&
		strchr(s, '>') == s + n - 1;
}

static void add_header(struct composer *c, const char *report, bool eight)
{
	static const char *const subjects[] = {
		[BOUNCE_FAILED] = "Undelivered mail: your message could not be delivered",
		[BOUNCE_DELAYED] = "Delayed mail: your message is still being tried",
		[BOUNCE_RELAYED] = "Relayed mail: your message was handed over",
		[BOUNCE_DELIVERED] = "Delivered mail: your message has arrived",
		[BOUNCE_PAUSED] = "Account paused: all its mail waits",
	};
	struct strbuf *out = &c->out;
	const struct bounce *b = c->b;
	const char *id = b->entry->message_id;

	strbuf_addf(out, "Date: %s\r\n", ident_date(c->arena, (time_t)(b->now_ms / 1000)));
	strbuf_addf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", c->host);
	bounce_add_field(out, "To", bounce_address(b, c->arena), true);
	strbuf_addf(out, "Subject: %s\r\n", b->to && b->kind != BOUNCE_PAUSED ?
		    "Undelivered mail: nobody else can be told" :
		    subjects[b->kind]);
	strbuf_addf(out, "Message-ID: %s\r\n", ident_message_id(c->arena, c->host));
	if (is_message_id(id)) {
		bounce_add_field(out, "In-Reply-To", id, false);
		bounce_add_field(out, "References", id, false);
	}
	strbuf_addstr(out, "Auto-Submitted: auto-replied\r\n");
	if (b->to)
		strbuf_addstr(out, NOTICE_FIELD ": 1\r\n");
	strbuf_addf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=%s;\r\n"
		    " boundary=\"%s\"\r\n", report, c->boundary);
	if (eight)
		strbuf_addstr(out, "Content-Transfer-Encoding: 8bit\r\n");
	strbuf_addstr(out, "\r\n");
}

/* --- parts -------------------------------------------------------------------------- */

enum coding { CODING_7BIT, CODING_8BIT, CODING_QP, CODING_BASE64 };

static const struct {
	const char *name;
	enum mime_transfer transfer;
} codings[] = {
	[CODING_7BIT] = { "7bit", MIME_COPY }, [CODING_8BIT] = { "8bit", MIME_COPY },
	[CODING_QP] = { "quoted-printable", MIME_TO_QP },
	[CODING_BASE64] = { "base64", MIME_TO_BASE64 },
};

/* What is in a part, and how. */
struct part {
	const char *type, *description;
	enum coding coding;
};

struct parts {
	struct part text, status, original;
	struct edits edits;		/* of the original */
};

/*
 * Octets above 127 in an entity that has to be in ASCII for a way without
 * SMTPUTF8: encoded, as RFC 6533, section 4, allows for these types. Where
 * the recipient's address needs SMTPUTF8 anyway, nothing has to be.
 */
static enum coding utf8_coding(const struct composer *c, enum coding coding)
{
	const char *to = bounce_address(c->b, c->arena);

	return text_is_ascii(to, strlen(to)) ? coding : CODING_8BIT;
}

/* The message without Bcc, and with lines that can be sent. */
static void edit_original(struct composer *c, struct edits *edits)
{
	const struct message *m = c->b->original;
	struct strbuf folded = STRBUF_INIT(2 * MESSAGE_HEADER_MOST);

	edits_init(edits, c->arena, m);
	for (size_t i = 0; i < m->header.n; i++) {
		const struct header_field *f = &m->header.field[i];

		if (header_flags(f->id) & HEADER_BLIND) {
			edits_drop(edits, i);
		} else if (header_fold_needed(f->text, f->len)) {
			strbuf_reset(&folded);
			if (header_fold(&folded, f->text, f->len, HEADER_GAPS_ANYWHERE, NULL) == 0)
				edits_replace(edits, i, folded.buf);
		}
	}
	strbuf_release(&folded);
}

/*
 * RET counts for failures alone (RFC 3461, section 4.3); what asked for
 * REQUIRETLS goes back without its content (RFC 8689, section 5), and so does
 * what no server takes with DATA.
 */
static bool is_whole(const struct bounce *b, const struct edits *edits)
{
	const struct message *m = b->original;
	const struct envelope *e = &b->entry->envelope;

	return b->kind == BOUNCE_FAILED && e->ret != DSN_RET_HDRS && !e->ext.requiretls &&
		!m->body_binary && m->longest_line <= MESSAGE_LINE_MAX &&
		(!b->size_limit || edits_wire_size(edits, m) <= b->size_limit);
}

/* The types of RFC 6533 where there is UTF-8 in what has to be ASCII otherwise. */
static void choose_original(struct composer *c, struct part *p)
{
	const struct message *m = c->b->original;
	const bool utf8 = m->header_8bit && m->header_utf8;

	p->description = c->whole ? "Message" : "Header of the message";
	p->coding = CODING_7BIT;
	if (utf8) {
		p->type = c->whole ? "message/global" : "message/global-headers";
		p->coding = utf8_coding(c, c->whole && m->body_8bit ? CODING_BASE64 : CODING_QP);
	} else if (c->whole) {
		p->type = "message/rfc822";
		if (m->header_8bit || m->body_8bit)
			p->coding = CODING_8BIT;
	} else {
		p->type = "text/rfc822-headers";
		if (m->header_8bit)
			p->coding = CODING_QP;
	}
}

static bool is_utf8_address(const char *s)
{
	return s && !text_is_ascii(s, strlen(s)) && text_is_utf8(s, strlen(s));
}

static bool has_utf8_address(const struct bounce *b)
{
	for (size_t i = 0; i < b->entry->envelope.rcpt_count; i++) {
		const struct recipient *r = &b->entry->envelope.rcpt[i];

		if (bounce_about(b, i) &&
		    (is_utf8_address(r->address) || is_utf8_address(r->orcpt)))
			return true;
	}
	return false;
}

static void choose_parts(struct composer *c, struct parts *p, const struct strbuf *text)
{
	p->text = (struct part){ "text/plain; charset=utf-8", "Notification",
				 text_is_ascii(text->buf, text->len) ? CODING_7BIT : CODING_QP };
	p->status = c->utf8 ?
		(struct part){ "message/global-delivery-status", "Delivery report",
			       utf8_coding(c, CODING_QP) } :
		(struct part){ "message/delivery-status", "Delivery report", CODING_7BIT };
	choose_original(c, &p->original);
}

int bounce_put(struct composer *c, const char *data, size_t n, struct error *err)
{
	while (n) {
		const size_t take = n < BLOCK ? n : BLOCK;

		mime_encoder_push(&c->encoder, data, take, &c->out);
		if (message_reader_take(c->reader, &c->out, BLOCK, err) < 0)
			return -1;
		data += take;
		n -= take;
	}
	return 0;
}

static void begin_part(struct composer *c, const struct part *p)
{
	strbuf_addf(&c->out, "--%s\r\nContent-Type: %s\r\nContent-Description: %s\r\n"
		    "Content-Transfer-Encoding: %s\r\n\r\n", c->boundary, p->type, p->description,
		    codings[p->coding].name);
	mime_encoder_init(&c->encoder, codings[p->coding].transfer);
}

/* The line end in front of a delimiter belongs to it. */
static void end_part(struct composer *c)
{
	mime_encoder_finish(&c->encoder, &c->out);
	strbuf_addstr(&c->out, "\r\n");
}

static int put_header(struct composer *c, const struct edits *edits, struct error *err)
{
	struct strbuf header = STRBUF_INIT(4 * MESSAGE_HEADER_MOST);

	edits_write_header(edits, c->b->original, &header);
	assert(header.len >= 2);
	int rc = bounce_put(c, header.buf, header.len - 2, err);

	strbuf_release(&header);
	return rc;
}

static int put_original(struct composer *c, const struct edits *edits, struct error *err)
{
	struct writer *w;
	char block[BLOCK];
	ssize_t n;
	int rc = 0;

	if (!c->whole)
		return put_header(c, edits, err);
	w = writer_new(c->b->original, edits, WRITER_PLAIN);
	while (rc == 0 && (n = writer_read(w, block, sizeof(block), err)) != 0)
		rc = n < 0 ? -1 : bounce_put(c, block, (size_t)n, err);
	writer_free(w);
	return rc;
}

static int write_parts(struct composer *c, const struct parts *p, const struct strbuf *text,
		       struct error *err)
{
	begin_part(c, &p->text);
	if (bounce_put(c, text->buf, text->len, err) < 0)
		return -1;
	end_part(c);
	begin_part(c, &p->status);
	if (bounce_write_status(c, err) < 0)
		return -1;
	end_part(c);
	begin_part(c, &p->original);
	if (put_original(c, &p->edits, err) < 0)
		return -1;
	end_part(c);
	strbuf_addf(&c->out, "--%s--\r\n", c->boundary);
	return message_reader_take(c->reader, &c->out, 0, err);
}

int bounce_compose(const struct bounce *b, struct message **out, struct error *err)
{
	static const struct message_options input = { .dots_ignored = true, .wire = true };
	struct composer c = { .b = b, .arena = arena_new(), .host = host_name(b),
			      .out = STRBUF_INIT(BOUNCE_OUT_MAX),
			      .field = STRBUF_INIT(BOUNCE_OUT_MAX) };
	struct strbuf text = STRBUF_INIT(BOUNCE_OUT_MAX);
	struct parts p;

	c.boundary = arena_printf(c.arena, "=_%s", ident_random(c.arena, TOKEN));
	c.reader = message_reader_new(&input);
	c.utf8 = has_utf8_address(b);
	edit_original(&c, &p.edits);
	c.whole = is_whole(b, &p.edits);
	bounce_write_text(&c, &text);
	choose_parts(&c, &p, &text);
	add_header(&c, p.status.type + strlen("message/"), p.status.coding == CODING_8BIT ||
		   p.original.coding == CODING_8BIT);
	int rc = write_parts(&c, &p, &text, err);

	if (rc == 0)
		rc = message_reader_finish(c.reader, out, err);
	else
		message_reader_free(c.reader);
	strbuf_release(&text);
	strbuf_release(&c.out);
	strbuf_release(&c.field);
	arena_free(c.arena);
	return rc;
}

static void fill_envelope(const struct bounce *b, const struct message *bounce,
			  struct envelope *e)
{
	const struct ext_request *x = &b->entry->envelope.ext;
	const char *to = bounce_address(b, e->arena);
	struct edits none;

	edits_init(&none, e->arena, bounce);
	e->sender = "";
	envelope_add(e, to, NULL);
	e->utf8 = !text_is_ascii(to, strlen(to)) || bounce->header_8bit;
	e->header_utf8 = bounce->header_8bit;
	e->body = bounce->body_8bit || e->utf8 ? BODY_8BITMIME : BODY_7BIT;
	e->size = edits_wire_size(&none, bounce);
	e->ext.priority_given = x->priority_given;
	e->ext.priority = x->priority;
	e->ext.requiretls = x->requiretls;
}

void bounce_entry(const struct bounce *b, const struct message *bounce, unsigned lifetime,
		  struct arena *a, struct entry *out)
{
	const struct header_field *id = header_find(&bounce->header, HEADER_MESSAGE_ID);
	const struct entry *e = b->entry;
	struct envelope envelope;

	envelope_init(&envelope, a);
	fill_envelope(b, bounce, &envelope);
	entry_init(out, a);
	entry_set_envelope(out, &envelope);
	out->arrival_ms = b->now_ms;
	out->expires_ms = b->now_ms + (int64_t)lifetime * 1000;
	out->uid = e->uid;
	out->account = e->account;
	out->config_file = e->config_file;
	out->no_files = e->no_files;
	for (size_t i = 0; i < e->setting_n; i++)
		entry_add_setting(out, e->setting[i].key, e->setting[i].value);
	out->message_id = id ? header_value(a, id) : NULL;
}
