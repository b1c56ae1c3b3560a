/*
 * A whole session and one transaction against a server that says anything:
 * greeting, EHLO, AUTH, MAIL and the rest. No reply may make it say
 * something it was not asked to, and without a 2xx nobody has the message.
 *
 * First octet: the size of the pieces; second: bits of the account; then
 * what the server says, with FF where it waits for a line of ours.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/result.h"
#include "../unit/memory_stream.h"
#include "net/stream.h"
#include "net/wire.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static int give(void *ctx, enum credential kind, struct secret *out, struct error *err)
{
	(void)ctx;
	(void)kind;
	(void)err;
	secret_set(out, "sesame", 6);
	return 0;
}

static struct message *make_message(void)
{
	static const char text[] = "Subject: x\n\n.body\n";
	static const struct message_options options = { .dots_ignored = true };
	struct message_reader *reader = message_reader_new(&options);
	struct message *m = NULL;
	struct error err;

	require(message_reader_push(reader, text, sizeof(text) - 1, &err) == 0);
	require(message_reader_finish(reader, &m, &err) == 0);
	return m;
}

static void transact(struct session *s, struct arena *arena, bool lone)
{
	struct message *m = make_message();
	struct edits edits;
	struct envelope e;
	struct result result;
	struct error why;
	struct transaction_options opt = { .strict_recipients = false };

	envelope_init(&e, arena);
	e.sender = "a@example.org";
	envelope_add(&e, "b@example.org", NULL);
	if (!lone)
		envelope_add(&e, "c@example.org", "d@example.org");
	edits_init(&edits, arena, m);
	e.size = edits_wire_size(&edits, m);
	result_init(&result, arena, e.rcpt_count);
	for (int i = 0; i < 3; i++)
		transaction_run(s, &e, m, &edits, &opt, &result, &why);
	for (size_t i = 0; i < result.rcpt_count; i++) {
		const struct rcpt_result *r = &result.rcpt[i];

		require(r->outcome != OUTCOME_ACCEPTED || r->error.reply / 100 == 2);
		require(r->outcome == OUTCOME_NONE || r->outcome == OUTCOME_ACCEPTED ||
			(r->error.exit != 0 && r->error.text[0]));
	}
	message_free(m);
}

static void speak(struct stream *stream, const uint8_t *data, size_t size)
{
	while (size) {
		const uint8_t *pause = memchr(data, 0xff, size);
		size_t n = pause ? (size_t)(pause - data) : size;

		if (n)
			memory_say_bytes(stream, data, n);
		if (pause)
			memory_await(stream, "\r\n");
		data += pause ? n + 1 : n;
		size -= pause ? n + 1 : n;
	}
	memory_end(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct strbuf written = STRBUF_INIT(16 * 1024 * 1024);
	struct stream *stream = memory_new(&written);
	uint8_t bits = data[1];
	struct account account = {
		.name = "fuzz", .pipelining = bits & 1,
		.chunking = bits & 2 ? CHUNKING_ON : CHUNKING_OFF,
		.protocol = bits & 4 ? PROTOCOL_LMTP : PROTOCOL_SMTP, .tls = { .mode = TLS_OFF },
		.auth = { .user = bits & 8 ? "user" : NULL, .password_fd = -1,
			  .plaintext = bits & 16 ? AUTH_PLAINTEXT_ALWAYS : AUTH_PLAINTEXT_TLS,
			  .token_file = bits & 32 ? "x" : NULL, .scram_min_iterations = 1000000 },
	};
	struct session_options opt = { .account = &account, .host = "h.example", .port = 587,
		.credential = give, .ehlo_name = "me.example" };
	struct arena *arena = arena_new();
	struct session s;
	struct error err;
	enum session_retry retry;

	speak(stream, data + 2, size - 2);
	memory_read_max(stream, data[0]);
	struct wire *wire = wire_new_take(stream);

	if (session_open(&s, wire, &opt, false, &retry, &err) == 0)
		transact(&s, arena, bits & 64);
	session_quit(&s, true);
	require(memmem(written.buf, written.len, "sesame", 6) == NULL);
	session_release(&s);
	wire_free(wire);
	arena_free(arena);
	strbuf_release(&written);
	return 0;
}
