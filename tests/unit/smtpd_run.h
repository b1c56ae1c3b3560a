/*
 * A session of server/smtpd in memory, with a place that keeps the messages
 * in memory as well. Include behind cmocka.h.
 */
#ifndef TESTS_SMTPD_RUN_H
#define TESTS_SMTPD_RUN_H

#include <stdio.h>
#include <string.h>

#include "memory_stream.h"
#include "message/envelope.h"
#include "message/result.h"
#include "net/wire.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"

/* --- a place that keeps messages in memory -------------------------------- */

struct store {
	struct delivery delivery;
	struct strbuf current;
	struct strvec messages;		/* stored ones; they hold no NUL */
	bool open;
	int begun;
	enum fault fail_fault;		/* with it the next step of kind fail_at fails */
	int fail_at;
	const char *full;		/* with it in their address they do not get it; LMTP */
	const struct envelope *envelope;
};

enum { FAIL_NEVER, FAIL_BEGIN, FAIL_WRITE, FAIL_COMMIT };

static int maybe_fail(const struct store *s, int step, struct error *err)
{
	if (s->fail_at != step)
		return 0;
	return error_set(err, s->fail_fault, "scripted: /secret/path is full");
}

static int store_begin(struct delivery *d, const struct delivery_client *client,
		       const struct envelope *e, const char **id_out, struct error *err)
{
	(void)client;
	struct store *s = (struct store *)d;

	s->envelope = e;
	assert_false(s->open);
	if (maybe_fail(s, FAIL_BEGIN, err) < 0)
		return -1;
	s->open = true;
	s->begun++;
	strbuf_reset(&s->current);
	*id_out = "ID";
	return 0;
}

static int store_write(struct delivery *d, const char *data, size_t n, struct error *err)
{
	struct store *s = (struct store *)d;

	assert_true(s->open);
	/* the trace fields come first and go well */
	if (s->current.len > 0 && strstr(s->current.buf, "Received:") &&
	    maybe_fail(s, FAIL_WRITE, err) < 0)
		return -1;
	strbuf_add(&s->current, data, n);
	assert_false(strbuf_overflow(&s->current));
	return 0;
}

static void store_commit(struct delivery *d, struct result *result)
{
	struct store *s = (struct store *)d;
	struct error err;

	assert_true(s->open);
	s->open = false;
	if (maybe_fail(s, FAIL_COMMIT, &err) < 0) {
		delivery_settle(result, NULL, &err);
		return;
	}
	assert_null(memchr(s->current.buf, '\0', s->current.len));
	strvec_add(&s->messages, s->current.buf);
	delivery_settle(result, "stored as ID", NULL);
	for (size_t i = 0; s->full && i < result->rcpt_count; i++) {
		if (!strstr(s->envelope->rcpt[i].address, s->full))
			continue;
		error_set(&result->rcpt[i].error, FAULT_NO_READER, "over quota");
		result->rcpt[i].outcome = OUTCOME_REFUSED;
	}
}

static void store_abandon(struct delivery *d)
{
	struct store *s = (struct store *)d;

	assert_true(s->open);
	s->open = false;
}

static const struct delivery_ops store_ops = {
	.begin = store_begin, .write = store_write, .commit = store_commit,
	.abandon = store_abandon,
};

/* --- a session in memory -------------------------------------------------- */

struct run {
	struct server_options opt;
	struct store store;
	struct strbuf written, log;
	struct error err;
	int rc;
	unsigned writes;
	size_t read_max;
	bool stutter;
};

static void keep_log(void *ctx, const char *line)
{
	struct strbuf *log = ctx;

	strbuf_addf(log, "%s\n", line);
}

ATTR_UNUSED static void run_release(struct run *r)
{
	strbuf_release(&r->written);
	strbuf_release(&r->log);
	strbuf_release(&r->store.current);
	strvec_release(&r->store.messages);
}

ATTR_UNUSED static void run_init(struct run *r)
{
	*r = (struct run){ .opt.set = { .server_name = "srv.example", .strict = STRICT_ON,
				       .helo_required = true,
				       .message_size_limit = 100000 },
			   .store.delivery = { &store_ops, .final = true } };
	strbuf_init(&r->written, 1 << 26);
	strbuf_init(&r->log, 1 << 20);
	strbuf_init(&r->store.current, 1 << 22);
	strvec_init(&r->store.messages, 1000);
	r->opt.log = keep_log;
	r->opt.log_ctx = &r->log;
}

ATTR_UNUSED static void renew(struct run *r)
{
	run_release(r);
	run_init(r);
}

/* The whole session with that input, then the end of the stream. */
ATTR_UNUSED static void run_bytes(struct run *r, const char *input, size_t n)
{
	struct stream *peer = memory_new(&r->written);
	struct smtpd s;

	strbuf_reset(&r->written);
	memory_say_bytes(peer, input, n);
	memory_end(peer);
	memory_read_max(peer, r->read_max);
	if (r->stutter)
		memory_stutter(peer);
	smtpd_init_take(&s, &r->opt, wire_new_take(peer), &r->store.delivery, "127.0.0.1");
	s.pause_ms = 0;
	r->err = (struct error){ 0 };
	r->rc = smtpd_run(&s, &r->err);
	r->writes = memory_writes(peer);
	assert_false(r->store.open);
	smtpd_release(&s);
}

ATTR_UNUSED static void run(struct run *r, const char *input)
{
	run_bytes(r, input, strlen(input));
}

/* The reply codes with their enhanced codes, in one line: "220 250 250 2.1.0 ...". */
ATTR_UNUSED static const char *codes(const struct run *r)
{
	static struct strbuf out = STRBUF_INIT(100000);
	const char *p = r->written.buf;

	strbuf_reset(&out);
	while (*p) {
		const char *end = strstr(p, "\r\n");
		unsigned a, b, c;
		int used = 0;

		assert_non_null(end);
		assert_true(end - p >= 4 && end - p <= 510);
		for (const char *q = p; q < end; q++)
			assert_true(*q >= ' ' && *q <= '~');
		if (p[3] == ' ') {
			strbuf_addf(&out, "%s%.3s", out.len ? " " : "", p);
			if (sscanf(p + 4, "%1u.%1u.%2u%n", &a, &b, &c, &used) == 3 && used &&
			    p[4 + used] == ' ')
				strbuf_addf(&out, "/%u.%u.%u", a, b, c);
		}
		p = end + 2;
	}
	return out.len ? out.buf : "";
}

ATTR_UNUSED static size_t count_of(const char *text, const char *word)
{
	const size_t len = strlen(word);
	size_t n = 0;

	/* strstr() of AddressSanitizer looks for the end of the text each time */
	for (const char *p = text; *p; p++)
		n += *p == *word && strncmp(p, word, len) == 0;
	return n;
}

#define HELLO "EHLO me.example\r\n"
#define TO "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
#define BODY "Subject: hi\r\n\r\nbody\r\n.\r\n"

#endif
