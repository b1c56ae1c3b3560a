/* DATA and BDAT: what comes between MAIL's envelope and the verdict. */
#include "config.h"
#include "server/smtpd.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "message/ident.h"
#include "message/result.h"
#include "net/wire.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "util/arena.h"
#include "util/text.h"

enum {
	WHOLE_MAX = 65536,	/* a chunk that is kept till its envelope is answered for */
	PIECE_MAX = 32768, TRACE_MAX = 16384,
	LOGGED_RCPT_MAX = 20, LOGGED_OCTETS = 2048,	/* of recipients in the log */
	HOPS_MAX = 50,			/* Received fields: more are a loop */
	HEADER_LINES_MAX = 10000, HEADER_MAX = 1024 * 1024
};

/* --- lines of the client ------------------------------------------------------------- */

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
	in->lf_only &= bare;
	in->state = in->chunked ? INDATA_TEXT : INDATA_LINE;
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
		else if (c == '\n' && in->lf_only)
			in->state = INDATA_DONE;
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

void indata_finish(struct indata *in, struct strbuf *out)
{
	const size_t before = out->len;

	if (in->state == INDATA_CR) {
		in->bare_cr = true;
		strbuf_addch(out, ' ');
		in->last = ' ';
	}
	if (in->last && in->last != '\n')
		strbuf_add(out, "\r\n", 2);
	in->size += out->len - before;
	in->state = INDATA_DONE;
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
	if (out->len > before)
		in->last = out->buf[out->len - 1];
	return i;
}

/* --- the message --------------------------------------------------------------------- */

/* The header on its way: how long it is, and how many servers it has seen. */
struct header_watch {
	bool done;
	size_t column;		/* in the line, as far as it matters */
	size_t octets;
	unsigned lines, received;
	char name[sizeof("received:") - 1];
};

/* One message on its way in. */
struct incoming {
	struct indata in;
	struct header_watch header;
	const char *id;
	bool open;		/* the delivery waits for more */
	struct error error;	/* exit 0: it is being taken; else why not */
};

static void add_received(struct smtpd *s, const char *id, struct strbuf *out)
{
	const struct envelope *e = &s->envelope;
	const char *protocol = s->lmtp ? "LMTP" : e->utf8 ? "SMTP" : s->esmtp ? "ESMTP" : "SMTP";

	strbuf_addf(out, "Received: from %s ", s->helo.len ? s->helo.buf : "localhost");
	if (s->uid >= 0)
		strbuf_addf(out, "(local, uid %ld)", s->uid);
	else if (s->local)
		strbuf_addstr(out, "(local)");
	else
		strbuf_addf(out, "([%s%s])", strchr(s->peer, ':') ? "IPv6:" : "", s->peer);
	/* "with" of RFC 3848 and RFC 6531, section 4.3 */
	strbuf_addf(out, "\r\n\tby %s (msubmit)\r\n\twith %s%s%s%s id %s", smtpd_name(s),
		    e->utf8 ? "UTF8" : "", protocol, s->tls ? "S" : "",
		    smtpd_signed_in(s) ? "A" : "", id);
	if (e->rcpt_count == 1)
		strbuf_addf(out, "\r\n\tfor <%s>", e->rcpt[0].address);
	strbuf_addf(out, ";\r\n\t%s\r\n", ident_date(s->arena, time(NULL)));
}

/* Gives up storing; the rest of the message is still read. */
static void give_up(struct smtpd *s, const struct error *why)
{
	if (s->content->open)
		s->delivery->ops->abandon(s->delivery);
	s->content->open = false;
	if (!s->content->error.exit)
		s->content->error = *why;
}

static void watch_line_end(struct header_watch *h)
{
	h->done = h->column == 0;
	h->lines++;
	h->received += h->column >= sizeof(h->name) &&
		strncasecmp(h->name, "received:", sizeof(h->name)) == 0;
	h->column = 0;
}

static void watch_header(struct header_watch *h, const char *data, size_t n)
{
	for (size_t i = 0; i < n && !h->done; i++) {
		h->octets++;
		if (data[i] == '\n')
			watch_line_end(h);
		else if (data[i] != '\r' && h->column < sizeof(h->name))
			h->name[h->column++] = data[i];
	}
}

/* What makes a message one that is not read any further. */
static int check_limits(const struct smtpd *s, struct error *err)
{
	const struct incoming *m = s->content;
	const uint64_t limit = s->options->set.message_size_limit;

	if (limit && m->in.size > limit)
		return error_set(err, FAULT_TOO_LARGE, "message is larger than %" PRIu64 " octets",
				 limit);
	if (m->header.received > HOPS_MAX)
		return error_set(err, FAULT_MX_LOOP, "more than %d servers have passed the "
				 "message on: a loop", HOPS_MAX);
	if (m->header.octets > HEADER_MAX || m->header.lines > HEADER_LINES_MAX)
		return error_set(err, FAULT_MESSAGE, "the header is too long");
	return 0;
}

static void store(struct smtpd *s, const char *data, size_t n)
{
	struct error err;

	if (!s->content->open)
		return;
	if (check_limits(s, &err) < 0 || s->delivery->ops->write(s->delivery, data, n, &err) < 0)
		give_up(s, &err);
}

/*
 * How it came here; of a final delivery also where it came from and for whom:
 * a folder takes the mail of all recipients, so who they were is kept here.
 */
static void store_trace(struct smtpd *s)
{
	const struct envelope *e = &s->envelope;
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);

	if (s->delivery->final)
		strbuf_addf(&trace, "Return-Path: <%s>\r\n", e->sender);
	for (size_t i = 0; s->delivery->final && i < e->rcpt_count; i++) {
		strbuf_addf(&trace, "Delivered-To: %s\r\n", e->rcpt[i].address);
		store(s, trace.buf, trace.len);
		strbuf_reset(&trace);
	}
	add_received(s, s->content->id, &trace);
	store(s, trace.buf, trace.len);
	strbuf_release(&trace);
}

/* Opens the delivery and stores the trace fields; a failure is in the content's error. */
static void begin_content(struct smtpd *s)
{
	const struct delivery_client client = smtpd_client(s);
	struct incoming *m = arena_alloc(s->arena, sizeof(*m));
	struct error err;

	*m = (struct incoming){ .id = "", .in = { .lf_only = s->lf_only } };
	s->content = m;
	s->begun = true;
	if (s->delivery->ops->begin(s->delivery, &client, &s->envelope, &m->id, &err) < 0) {
		smtpd_log(s, "from=<%s> result=%s", s->envelope.sender, err.text);
		m->error = err;
		return;
	}
	m->open = true;
	store_trace(s);
}

void receive_reset(struct smtpd *s)
{
	if (s->content && s->content->open)
		s->delivery->ops->abandon(s->delivery);
	s->content = NULL;
}

/* A piece of what the client sends; how many octets of it were taken. */
static size_t take_piece(struct smtpd *s, const char *data, size_t n)
{
	struct incoming *m = s->content;
	struct strbuf clean = STRBUF_INIT(2 * PIECE_MAX + 4);

	if (n > PIECE_MAX)
		n = PIECE_MAX;
	if (s->envelope.body == BODY_BINARYMIME) {
		strbuf_add(&clean, data, n);
		m->in.size += n;
	} else {
		n = indata_push(&m->in, data, n, &clean);
	}
	watch_header(&m->header, clean.buf, clean.len);
	store(s, clean.buf, clean.len);
	strbuf_release(&clean);
	return n;
}

/* Is the form of the message itself what it must be? */
static int check_form(const struct smtpd *s, const struct indata *in, struct error *err)
{
	if (in->nul)
		return error_set(err, FAULT_MESSAGE, "the message holds NUL octets");
	if (s->options->set.strict && (in->bare_lf || in->bare_cr))
		return error_set(err, FAULT_BARE_LINE_END,
				 "lines end with CRLF: the message holds a bare %s",
				 in->bare_lf ? "LF" : "CR");
	return 0;
}

static void log_message(struct smtpd *s, const struct delivery_reply *reply)
{
	const struct envelope *e = &s->envelope;
	const struct incoming *m = s->content;
	struct strbuf rcpts = STRBUF_INIT(LOGGED_OCTETS);

	for (size_t i = 0; i < e->rcpt_count && i < LOGGED_RCPT_MAX; i++) {
		if (strbuf_overflow(&rcpts))
			break;
		strbuf_addf(&rcpts, "%s<%s>", i ? "," : "", e->rcpt[i].address);
	}
	smtpd_log(s, "from=<%s> recipients=%zu to=%s size=%" PRIu64 " id=%s reply=%d result=%s",
		  e->sender, e->rcpt_count, rcpts.buf, m->in.size, m->id, reply->code,
		  m->error.exit ? m->error.text : reply->text);
	strbuf_release(&rcpts);
}

/* One reply for all, or with LMTP one for each RCPT that was accepted (RFC 2033, section 4.2). */
static void reply_result(struct smtpd *s, const struct result *result)
{
	struct delivery_reply reply;

	delivery_reply_all(&reply, result);
	log_message(s, &reply);
	s->messages += reply.code / 100 == 2;
	if (!s->lmtp)
		smtpd_reply(s, reply.code, reply.status, "%s", reply.text);
	for (size_t i = 0; s->lmtp && i < s->rcpt_accepted; i++) {
		delivery_reply_one(&reply, result, s->accepted[i]);
		smtpd_reply(s, reply.code, reply.status, "%s", reply.text);
	}
}

/* Whoever was refused when all of it was there is no recipient any more. */
static void keep_accepted(struct smtpd *s, struct result *result)
{
	struct envelope *e = &s->envelope;
	size_t *place = arena_calloc(s->arena, e->rcpt_count + 1, sizeof(*place)), n = 0;

	for (size_t k = 0; k < s->rcpt_accepted; k++)
		place[s->accepted[k]] = 1;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!place[i])
			continue;
		place[i] = n;
		e->rcpt[n] = e->rcpt[i];
		result->rcpt[n++] = result->rcpt[i];
	}
	e->rcpt_count = result->rcpt_count = n;
	e->index = NULL;
	for (size_t k = 0; k < s->rcpt_accepted; k++)
		s->accepted[k] = place[s->accepted[k]];
	result_settle(result);
}

/* To a chunk without recipients; with LMTP the last one has a reply for each of them. */
static void say_for_nobody(struct smtpd *s, bool last)
{
	if (s->state & (SMTPD_START | SMTPD_READY))
		smtpd_reply(s, 503, "5.5.1", "send MAIL and RCPT first");
	else if (!s->lmtp || !last)
		smtpd_refuse_content(s);
}

/* The reply to the end of data: 2xx only behind a commit. */
static void conclude(struct smtpd *s)
{
	struct incoming *m = s->content;
	struct result result;
	struct error err;

	result_init(&result, s->arena, s->envelope.rcpt_count);
	if (m->open && (check_limits(s, &err) < 0 || check_form(s, &m->in, &err) < 0))
		give_up(s, &err);
	if (m->error.exit) {
		delivery_settle(&result, NULL, &m->error);
	} else {
		m->open = false;
		s->delivery->ops->commit(s->delivery, &result);
		result_settle(&result);
	}
	if (smtpd_holds(s)) {
		smtpd_answer_held(s);
		keep_accepted(s, &result);
	}
	if (!m->error.exit)
		m->error = result.error;
	if (s->rcpt_accepted)
		reply_result(s, &result);
	else
		say_for_nobody(s, true);
	smtpd_reset(s);
}

static void reply_failure(struct smtpd *s)
{
	struct delivery_reply reply;

	delivery_reply_error(&reply, &s->content->error);
	smtpd_reply(s, reply.code, reply.status, "%s", reply.text);
}

/* --- DATA ---------------------------------------------------------------------------- */

void receive_data(struct smtpd *s)
{
	const char *data;
	size_t n;

	begin_content(s);
	if (!s->content->open) {
		reply_failure(s);
		smtpd_reset(s);
		return;
	}
	smtpd_reply(s, 354, NULL, "end with a line that holds a dot only");
	s->limit = deadline_in(s->options->set.message_timeout, "the message");
	while (s->content->in.state != INDATA_DONE && smtpd_wait_input(s, true, &data, &n))
		wire_consume(s->wire, take_piece(s, data, n));
	if (s->content->in.state == INDATA_DONE) {
		s->lf_only = s->content->in.lf_only;
		conclude(s);
	} else {
		smtpd_reset(s);
	}
}

/* --- BDAT (RFC 3030) ----------------------------------------------------------------- */

/* Exactly size octets: kept, taken, or thrown away. false when the client has gone. */
static bool read_chunk(struct smtpd *s, uint64_t size)
{
	const char *data;
	size_t n;

	s->limit = deadline_in(s->options->set.message_timeout, "the chunk");
	while (size > 0 && smtpd_wait_input(s, true, &data, &n)) {
		if (n > size)
			n = (size_t)size;
		if (s->kept_chunk)
			strbuf_add(s->kept_chunk, data, n);
		else if (s->content)
			n = take_piece(s, data, n);
		wire_consume(s->wire, n);
		size -= n;
	}
	return size == 0;
}

/* A chunk that is not wanted: its octets are no commands all the same. */
static void refuse_chunk(struct smtpd *s, uint64_t size, bool last)
{
	const enum smtpd_state state = s->state;

	receive_reset(s);
	if (!read_chunk(s, size))
		return;
	if (s->options->set.require_tls && !s->tls)
		smtpd_reply(s, 530, "5.7.0", "send STARTTLS first");
	else if (state == SMTPD_FAILED)
		smtpd_reply(s, 503, "5.5.1", "the chunk before was refused");
	else
		say_for_nobody(s, last);
	if (last)
		smtpd_reset(s);
	else if (state != SMTPD_START && state != SMTPD_READY)
		s->state = SMTPD_FAILED;
}

static void begin_chunks(struct smtpd *s)
{
	begin_content(s);
	s->content->in.chunked = true;
	s->content->in.state = INDATA_TEXT;
	s->content->in.lf_only = false;
	s->state = SMTPD_BDAT;
}

static void end_chunks(struct smtpd *s)
{
	struct strbuf end = STRBUF_INIT(4);

	if (s->envelope.body != BODY_BINARYMIME)
		indata_finish(&s->content->in, &end);
	store(s, end.buf, end.len);
	strbuf_release(&end);
	conclude(s);
}

/* What the client has sent in one go: read whole, then envelope and content are one. */
static void take_whole(struct smtpd *s, const struct strbuf *text)
{
	if (smtpd_holds(s)) {
		for (size_t i = 0; i < s->held_n; i++)
			(void)envelope_add_as(&s->envelope, s->held[i].address, NULL,
					      &s->held[i]);
	} else if (s->spoilt) {
		smtpd_reset(s);
	}
	if (!smtpd_holds(s) && s->state != SMTPD_RCPT) {
		say_for_nobody(s, true);
		smtpd_reset(s);
		return;
	}
	begin_chunks(s);
	for (size_t done = 0; done < text->len;)
		done += take_piece(s, text->buf + done, text->len - done);
	end_chunks(s);
}

static void receive_whole(struct smtpd *s, uint64_t size)
{
	struct strbuf text = STRBUF_INIT(WHOLE_MAX);

	s->kept_chunk = &text;
	const bool read = read_chunk(s, size);

	s->kept_chunk = NULL;
	if (read)
		take_whole(s, &text);
	strbuf_release(&text);
}

void receive_chunk(struct smtpd *s, uint64_t size, bool last)
{
	if (s->sender_held && s->held_n && last && size <= WHOLE_MAX) {
		receive_whole(s, size);
		return;
	}
	smtpd_answer_held(s);
	if (s->spoilt)
		smtpd_reset(s);
	if (!(s->state & (SMTPD_RCPT | SMTPD_BDAT))) {
		refuse_chunk(s, size, last);
		return;
	}
	if (s->state == SMTPD_RCPT)
		begin_chunks(s);
	if (!read_chunk(s, size))
		return;
	if (last) {
		end_chunks(s);
	} else if (s->content->error.exit) {
		reply_failure(s);
		s->state = SMTPD_FAILED;
		receive_reset(s);
	} else {
		smtpd_reply(s, 250, "2.0.0", "%" PRIu64 " octets taken", size);
	}
}
