/*
 * What the tests of src/smtp share: a scripted server behind a wire, an
 * account with the defaults that matter, a message, an envelope, a result.
 */
#ifndef TESTS_UNIT_SMTP_PEER_H
#define TESTS_UNIT_SMTP_PEER_H

#include <string.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/result.h"
#include "memory_stream.h"
#include "net/stream.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

struct peer {
	struct strbuf written, transcript;
	struct stream *stream;
	struct wire *wire;
	struct account account;
	struct session_options opt;
	struct session session;
	struct arena *arena;
	struct message *message;
	struct edits edits;
	struct envelope envelope;
	struct result result;
	bool repeat;		/* this is the repeat already */
	struct error why;	/* of the last transaction that is to be repeated */
	struct error err;
	enum session_retry retry;
	unsigned fetched;	/* credentials asked for */
	const char *password, *token;
	const char *next_token;	/* what the second call gives */
	bool ticket;		/* of Kerberos */
};

static inline void peer_trace(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	struct peer *p = ctx;

	strbuf_addstr(&p->transcript, direction == WIRE_IN || direction == WIRE_NOTE_IN ?
			"S: " : "C: ");
	strbuf_add(&p->transcript, text, n);
	strbuf_addch(&p->transcript, '\n');
}

static inline int peer_credential(void *ctx, enum credential kind, struct secret *out,
				  struct error *err)
{
	struct peer *p = ctx;
	const char *value = kind == CREDENTIAL_TOKEN ? p->token : p->password;

	if (kind == CREDENTIAL_TICKET)
		return p->ticket ? 0 : -1;
	p->fetched++;
	if (kind == CREDENTIAL_TOKEN && p->next_token && p->fetched > 1)
		value = p->next_token;
	if (!value)
		return error_set(err, FAULT_CONFIG, "no secret");
	secret_set(out, value, strlen(value));
	return 0;
}

static inline struct peer *peer_new(void)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	strbuf_init(&p->written, 64 * 1024 * 1024);
	strbuf_init(&p->transcript, 64 * 1024 * 1024);
	p->stream = memory_new(&p->written);
	p->wire = wire_new_take(p->stream);
	wire_set_trace(p->wire, peer_trace, p);
	p->arena = arena_new();
	p->account = (struct account){ .name = "test", .pipelining = PIPELINING_YES,
		.chunking = CHUNKING_ON, .chunk_size = 1024 * 1024, .chunk_window = 4,
		.binarymime = true, .ext = { .esmtp = true, .limits = true, .tls_required = true },
		.tls = { .mode = TLS_OFF, .certcheck = true },
		.auth = { .scram_min_iterations = 4096, .password_fd = -1, .mutual = true },
		.timeouts = { .greeting = 60, .helo = 60, .starttls = 60, .auth = 60, .mail = 60,
			.rcpt = 60, .data_init = 60, .data_xfer = 60, .data_done = 60,
			.rset = 60, .quit = 60 } };
	p->opt = (struct session_options){ .account = &p->account, .host = "mail.example.org",
		.port = 587, .credential = peer_credential, .credential_ctx = p,
		.ehlo_name = "client.example.org" };
	return p;
}

static inline void peer_free(struct peer *p)
{
	session_release(&p->session);
	message_free(p->message);
	wire_free(p->wire);
	strbuf_release(&p->written);
	strbuf_release(&p->transcript);
	arena_free(p->arena);
	xfree(p);
}

/*
 * The dialogue: "S: ..." is said with CRLF (lines within it are separated by
 * "\n"), "C: ..." must have been written before what follows is said, "END"
 * and "FAIL" end the connection. Ends with NULL.
 */
static inline void peer_script(struct peer *p, const char *const *lines)
{
	for (; *lines; lines++) {
		const char *text = *lines + 3;

		if (strcmp(*lines, "END") == 0) {
			memory_end(p->stream);
		} else if (strcmp(*lines, "FAIL") == 0) {
			memory_fail(p->stream);
		} else if (strncmp(*lines, "C: ", 3) == 0) {
			memory_await(p->stream, text);
		} else {
			struct strbuf say = STRBUF_INIT(1024 * 1024);

			for (; *text; text++)
				strbuf_add(&say, *text == '\n' ? "\r\n" : text,
					   *text == '\n' ? 2 : 1);
			strbuf_addstr(&say, "\r\n");
			memory_say_bytes(p->stream, say.buf, say.len);
			strbuf_release(&say);
		}
	}
}

#define script(p, ...) peer_script(p, (const char *const[]){ __VA_ARGS__, NULL })

static inline int peer_open(struct peer *p)
{
	return session_open(&p->session, p->wire, &p->opt, false, &p->retry, &p->err);
}

/* A session that has been greeted, with those EHLO lines ("\n250-SIZE\n250 DSN", "" = none). */
static inline void peer_greeted(struct peer *p, const char *keywords)
{
	struct strbuf reply = STRBUF_INIT(4096);

	strbuf_addf(&reply, "S: 250%speer.example.org%s", *keywords ? "-" : " ", keywords);
	script(p, "S: 220 peer.example.org ESMTP", "C: EHLO client.example.org\r\n", reply.buf);
	strbuf_release(&reply);
	assert_int_equal(peer_open(p), 0);
	strbuf_reset(&p->written);
	strbuf_reset(&p->transcript);
}

static inline void peer_message(struct peer *p, const char *text, size_t n)
{
	static const struct message_options options = { .dots_ignored = true };
	struct message_reader *reader = message_reader_new(&options);

	assert_int_equal(message_reader_push(reader, text, n, &p->err), 0);
	assert_int_equal(message_reader_finish(reader, &p->message, &p->err), 0);
	edits_init(&p->edits, p->arena, p->message);
	p->envelope.size = edits_wire_size(&p->edits, p->message);
}

/* The envelope from a@example.org to those addresses, and an empty result for it. */
static inline void peer_recipients(struct peer *p, const char *const *addresses)
{
	envelope_init(&p->envelope, p->arena);
	p->envelope.sender = "a@example.org";
	for (; *addresses; addresses++)
		assert_true(envelope_add(&p->envelope, *addresses, NULL));
	result_init(&p->result, p->arena, p->envelope.rcpt_count);
}

#define recipients(p, ...) peer_recipients(p, (const char *const[]){ __VA_ARGS__, NULL })

/* A session with one recipient that is only data: nothing is sent. */
static inline struct peer *peer_bare(void)
{
	struct peer *p = peer_new();

	p->session = (struct session){ .wire = p->wire, .account = &p->account,
		.reply = REPLY_INIT, .mechanisms = STRVEC_INIT(64), .keywords = STRVEC_INIT(64),
		.clear_keywords = STRVEC_INIT(64), .line = STRBUF_INIT(COMMAND_BUFFER_MAX) };
	recipients(p, "b@example.org");
	return p;
}

static inline enum transaction_next peer_run(struct peer *p)
{
	const struct transaction_options opt = {
		.strict_recipients = p->account.refused_recipients == PARTIAL_REFUSE,
		.repeat = p->repeat };

	return transaction_run(&p->session, &p->envelope, p->message, &p->edits, &opt, &p->result,
			       &p->why);
}

#define assert_outcome(p, i, what, exit_code, stat) do { \
	assert_int_equal((p)->result.rcpt[i].outcome, what); \
	assert_int_equal((p)->result.rcpt[i].error.exit, exit_code); \
	assert_string_equal((p)->result.rcpt[i].error.status, stat); \
} while (0)

#define assert_says(text, words) do { \
	if (!strstr(text, words)) \
		fail_msg("'%s' does not say '%s'", text, words); \
} while (0)

#endif
