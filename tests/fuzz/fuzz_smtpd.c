#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../unit/memory_stream.h"
#include "message/envelope.h"
#include "net/wire.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What has to hold is checked here, in all builds. */
#define MUST(condition) do { if (!(condition)) abort(); } while (0)

struct sink {
	struct delivery delivery;
	bool open, binary;
	char last;		/* octet before */
	size_t stored;
};

static int sink_begin(struct delivery *d, const struct delivery_client *client,
		      const struct envelope *e, const char **id_out, struct error *err)
{
	struct sink *s = (struct sink *)d;

	(void)client;
	(void)err;
	MUST(!s->open && e->rcpt_count > 0);
	MUST(e->body != BODY_BINARYMIME || d->exact);
	s->binary = e->body == BODY_BINARYMIME;
	s->open = true;
	s->last = '\n';
	*id_out = "ID";
	return 0;
}

/* Canonical octets only, however they are cut. */
static int sink_write(struct delivery *d, const char *data, size_t n, struct error *err)
{
	struct sink *s = (struct sink *)d;

	(void)err;
	MUST(s->open);
	for (size_t i = 0; i < n && !s->binary; i++) {
		MUST(data[i] != '\0');
		MUST((data[i] == '\n') == (s->last == '\r'));
		s->last = data[i];
	}
	return 0;
}

static void sink_commit(struct delivery *d, struct result *result)
{
	struct sink *s = (struct sink *)d;

	MUST(s->open && (s->binary || s->last == '\n'));
	s->open = false;
	s->stored++;
	delivery_settle(result, "stored as ID", NULL);
}

static void sink_abandon(struct delivery *d)
{
	struct sink *s = (struct sink *)d;

	MUST(s->open);
	s->open = false;
}

static const struct delivery_ops sink_ops = {
	.begin = sink_begin, .write = sink_write, .commit = sink_commit, .abandon = sink_abandon,
};

/* Lines of three digits, a separator and printable text, CRLF, none too long. */
static void check_replies(const struct strbuf *out, size_t stored, bool lmtp)
{
	const char *p = out->buf, *end = out->buf + out->len;
	size_t accepted = 0;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		MUST(lf && lf - p >= 5 && lf - p <= 512 && lf[-1] == '\r');
		MUST(p[0] >= '2' && p[0] <= '5' && (p[3] == ' ' || p[3] == '-'));
		for (const char *q = p; q < lf - 1; q++)
			MUST(*q >= ' ' && *q <= '~');
		accepted += strncmp(p, "250 2.0.0 stored", 16) == 0;
		p = lf + 1;
	}
	MUST(lmtp ? accepted >= stored : accepted == stored);
}

/* A dot that ends a line, or the word that ends chunks. */
static size_t ends_of_data(const char *text, bool lf)
{
	size_t count = 0;

	for (; *text; text++)
		count += strncmp(text, ".\r\n", 3) == 0 || strncasecmp(text, "LAST", 4) == 0 ||
			(lf && strncmp(text, ".\n", 2) == 0);
	return count;
}

/* The first octet chooses the settings, the second kind of session and size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 65536)
		return 0;
	const bool lmtp = (data[1] & 64) != 0, stdio = (data[1] & 32) != 0;
	struct sink sink = { .delivery = { &sink_ops, .final = (data[1] & 16) != 0,
					   .holds = true, .exact = (data[1] & 128) != 0 } };
	struct strbuf out = STRBUF_INIT((size_t)1 << 24);
	const struct server_options opt = {
		.set.server_name = "srv.example",
		.set.strict = (data[0] & 1) != 0,
		.set.auth_plain_loopback = (data[0] & 2) != 0,
		.set.auth_file = data[0] & 4 ? "/nonexistent/auth" : NULL,
		.set.auth_required = (data[0] & 8) != 0,
		.set.require_tls = (data[0] & 16) != 0,
		.set.server_cert = data[0] & 32 ? "/nonexistent/cert" : NULL,
		.set.server_key = data[0] & 32 ? "/nonexistent/key" : NULL,
		.set.message_size_limit = data[0] & 64 ? 100 : 0,
		.set.max_rcpt = data[0] & 128 ? 2 : 0,
		.set.helo_required = !stdio,
		.set.lmtp = lmtp,
	};
	/* the search for ends of data reads strings; one NUL more changes no session */
	char *text = xcalloc(size - 1, 1);
	struct stream *peer = memory_new(&out);
	struct smtpd s;
	struct error err;

	memcpy(text, data + 2, size - 2);
	memory_say_bytes(peer, text, size - 2);
	memory_end(peer);
	memory_read_max(peer, data[1] & 15);
	smtpd_init_take(&s, &opt, wire_new_take(peer), &sink.delivery, "127.0.0.1");
	s.pause_ms = 0;
	s.stdio = s.local = s.lf_only = stdio;
	(void)!smtpd_run(&s, &err);
	smtpd_release(&s);
	MUST(!sink.open);
	check_replies(&out, sink.stored, lmtp);
	if (!memchr(text, '\0', size - 2))
		MUST(sink.stored <= ends_of_data(text, stdio));
	strbuf_release(&out);
	xfree(text);
	return 0;
}
