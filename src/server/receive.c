/*
 * DATA: 354, the message through indata_push() into the delivery with its
 * trace fields on top (RFC 5321, section 4.4), and the verdict.
 */
#include "config.h"
#include "server/smtpd.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "message/ident.h"
#include "net/wire.h"
#include "server/listener.h"
#include "util/strbuf.h"

/* --- lines of the client ------------------------------------------------------------ */

/* The octets from p on that mean nothing but themselves. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '\r' && p[i] != '\n' && p[i] != '\0')
		i++;
	return i;
}

static void line_end(struct indata *in, bool bare, struct strbuf *out)
{
	strbuf_add(out, "\r\n", 2);
	in->bare_lf |= bare;
	in->after_lf = bare;
	in->state = INDATA_LINE;
}

/* One octet within a line. */
static void text(struct indata *in, char c, struct strbuf *out)
{
	if (c == '\n') {
		line_end(in, true, out);
		return;
	}
	in->state = c == '\r' ? INDATA_CR : INDATA_TEXT;
	if (c == '\0')
		in->nul = true;
	else if (c != '\r')
		strbuf_addch(out, c);
}

static void after_cr(struct indata *in, char c, struct strbuf *out)
{
	if (c == '\n') {
		line_end(in, false, out);
		return;
	}
	/* the CR taken before was not that of a line end */
	strbuf_addch(out, ' ');
	in->bare_cr = true;
	text(in, c, out);
}

/* A dot and CRLF on a line that began behind CRLF is the end; behind LF it is an empty line. */
static void after_dot_cr(struct indata *in, char c, struct strbuf *out)
{
	if (c == '\n' && !in->after_lf)
		in->state = INDATA_DONE;
	else
		after_cr(in, c, out);
}

static void one_octet(struct indata *in, char c, struct strbuf *out)
{
	switch (in->state) {
	case INDATA_LINE:
		if (c == '.')
			in->state = INDATA_DOT;
		else
			text(in, c, out);
		break;
	case INDATA_DOT:
		if (c == '\r')
			in->state = INDATA_DOT_CR;
		else
			text(in, c, out);
		break;
	case INDATA_DOT_CR:
		after_dot_cr(in, c, out);
		break;
	case INDATA_CR:
		after_cr(in, c, out);
		break;
	case INDATA_TEXT:
	case INDATA_DONE:
		text(in, c, out);
		break;
	}
}

size_t indata_push(struct indata *in, const char *data, size_t n, struct strbuf *out)
{
	size_t before = out->len;
	size_t i = 0;

	while (i < n && in->state != INDATA_DONE) {
		if (in->state == INDATA_TEXT) {
			size_t run = plain_run(data + i, n - i);

			strbuf_add(out, data + i, run);
			i += run;
			if (i == n)
				break;
		}
		one_octet(in, data[i++], out);
	}
	in->size += out->len - before;
	return i;
}

enum { PIECE_MAX = 32768, TRACE_MAX = 16384, LOGGED_RCPT_MAX = 20 };

/* One message on its way in. */
struct incoming {
	struct indata in;
	const char *id;
	struct error error;	/* exit 0: it is being stored; else why not */
};

static void add_received(struct smtpd *s, const char *id, struct strbuf *out)
{
	const struct envelope *e = &s->envelope;

	strbuf_addf(out, "Received: from %s ([%s%s])\r\n\tby %s (msubmit)\r\n", s->helo.buf,
		    strchr(s->peer, ':') ? "IPv6:" : "", s->peer, smtpd_name(s));
	/* "with" of RFC 3848 and RFC 6531, section 4.3 */
	strbuf_addf(out, "\twith %s%s%s id %s", s->utf8 ? "UTF8SMTP" : s->esmtp ? "ESMTP" : "SMTP",
		    s->tls ? "S" : "", smtpd_signed_in(s) ? "A" : "", id);
	if (e->rcpt_count == 1)
		strbuf_addf(out, "\r\n\tfor <%s>", e->rcpt[0].address);
	strbuf_addf(out, ";\r\n\t%s\r\n", ident_date(s->arena, time(NULL)));
}

/* Gives up storing; the rest of the message is still read. */
static void give_up(struct smtpd *s, struct incoming *m, const struct error *why)
{
	s->delivery->ops->abandon(s->delivery);
	m->error = *why;
}

static void store(struct smtpd *s, struct incoming *m, const char *data, size_t n)
{
	struct error err;

	if (!m->error.exit && s->delivery->ops->write(s->delivery, data, n, &err) < 0)
		give_up(s, m, &err);
}

/*
 * The fields of a final delivery: where it came from, for whom, and how. The
 * folder takes the mail of all recipients, so who they were is kept here.
 */
static void store_trace(struct smtpd *s, struct incoming *m)
{
	const struct envelope *e = &s->envelope;
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);

	strbuf_addf(&trace, "Return-Path: <%s>\r\n", e->sender);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		strbuf_addf(&trace, "Delivered-To: %s\r\n", e->rcpt[i].address);
		store(s, m, trace.buf, trace.len);
		strbuf_reset(&trace);
	}
	add_received(s, m->id, &trace);
	store(s, m, trace.buf, trace.len);
	strbuf_release(&trace);
}

static void check_size(struct smtpd *s, struct incoming *m)
{
	uint64_t limit = s->options->set.message_size_limit;
	struct error err;

	if (m->error.exit || !limit || m->in.size <= limit)
		return;
	error_set(&err, FAULT_TOO_LARGE, "message is larger than %" PRIu64 " octets",
		  limit);
	give_up(s, m, &err);
}

/* Reads to the end of data; false when the client did not get that far. */
static bool read_message(struct smtpd *s, struct incoming *m)
{
	struct strbuf clean = STRBUF_INIT(2 * PIECE_MAX + 4);
	const char *data;
	size_t n;

	while (m->in.state != INDATA_DONE && smtpd_wait_input(s, true, &data, &n)) {
		strbuf_reset(&clean);
		n = indata_push(&m->in, data, n < PIECE_MAX ? n : PIECE_MAX, &clean);
		wire_consume(s->wire, n);
		check_size(s, m);
		store(s, m, clean.buf, clean.len);
	}
	strbuf_release(&clean);
	return m->in.state == INDATA_DONE;
}

/* What the form of the message itself is refused for; 0 = nothing. */
static int check_form(const struct smtpd *s, const struct indata *in, struct error *err)
{
	if (in->nul) {
		error_set(err, FAULT_MESSAGE, "the message holds NUL octets");
		return 554;
	}
	if (s->options->set.strict && (in->bare_lf || in->bare_cr)) {
		error_set(err, FAULT_BARE_LINE_END,
			  "lines end with CRLF: the message holds a bare %s",
			  in->bare_lf ? "LF" : "CR");
		return 550;
	}
	return 0;
}

static int storage_code(const struct error *err)
{
	if (err->fault == FAULT_TOO_LARGE)
		return 552;
	return err->fault == FAULT_DISK_FULL ? 452 : 451;
}

static void log_message(struct smtpd *s, const struct incoming *m, int code)
{
	const struct envelope *e = &s->envelope;
	struct strbuf rcpts = STRBUF_INIT(4096);

	for (size_t i = 0; i < e->rcpt_count && i < LOGGED_RCPT_MAX; i++)
		strbuf_addf(&rcpts, "%s<%s>", i ? "," : "", e->rcpt[i].address);
	smtpd_log(s, "from=<%s> recipients=%zu to=%s size=%" PRIu64 " id=%s reply=%d result=%s",
		  e->sender, e->rcpt_count, rcpts.buf, m->in.size, m->id, code,
		  code == 250 ? "stored" : m->error.text);
	strbuf_release(&rcpts);
}

/* The reply to the dot: 250 only behind a commit. */
static void conclude(struct smtpd *s, struct incoming *m)
{
	struct error err;
	int code = check_form(s, &m->in, &err);

	if (code && !m->error.exit)
		give_up(s, m, &err);
	else if (code)
		m->error = err;
	else if (!m->error.exit && s->delivery->ops->commit(s->delivery, &err) < 0)
		m->error = err;
	if (!m->error.exit)
		code = 250;
	else if (!code)
		code = storage_code(&m->error);
	log_message(s, m, code);
	if (code == 250)
		smtpd_reply(s, 250, "2.0.0", "stored as %s", m->id);
	else if (code / 10 == 45)	/* what is wrong with our disk is for the log */
		smtpd_reply(s, code, m->error.status, "cannot store the message, try again later");
	else
		smtpd_reply_error(s, code, &m->error);
	s->messages += code == 250;
}

void receive_data(struct smtpd *s)
{
	struct incoming m = { .id = "" };
	struct error err;

	if (s->delivery->ops->begin(s->delivery, &m.id, &err) < 0) {
		smtpd_log(s, "from=<%s> result=%s", s->envelope.sender, err.text);
		smtpd_reply(s, storage_code(&err), err.status,
			    "cannot store messages, try again later");
		smtpd_reset(s);
		return;
	}
	smtpd_reply(s, 354, NULL, "end with a line that holds a dot only");
	store_trace(s, &m);
	if (read_message(s, &m))
		conclude(s, &m);
	else if (!m.error.exit)
		s->delivery->ops->abandon(s->delivery);
	smtpd_reset(s);
}
