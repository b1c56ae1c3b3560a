#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp_peer.h"

#define FULL "\n250-PIPELINING\n250-CHUNKING\n250-SIZE\n250 DSN"
#define PIPE "\n250-PIPELINING\n250 SIZE"
#define TEXT "Subject: x\n\nbody\n.dot\n"
#define WIRE_TEXT "Subject: x\r\n\r\nbody\r\n.dot\r\n"		/* 26 octets */
#define DOTTED_TEXT "Subject: x\r\n\r\nbody\r\n..dot\r\n.\r\n"

static struct peer *prepare(const char *keywords, const char *const *addresses)
{
	struct peer *p = peer_new();

	peer_recipients(p, addresses);
	peer_message(p, TEXT, strlen(TEXT));
	peer_greeted(p, keywords);
	return p;
}

#define ready(keywords, ...) prepare(keywords, (const char *const[]){ __VA_ARGS__, NULL })

static void accepted(struct peer *p, size_t i)
{
	if (p->result.rcpt[i].outcome != OUTCOME_ACCEPTED)
		fail_msg("recipient %zu: %s", i, p->result.rcpt[i].error.text);
	assert_int_equal(p->result.rcpt[i].error.exit, 0);
}

/* --- the groups, octet by octet ----------------------------------------- */

/* The content waits for the replies to RCPT, and QUIT is the caller's. */
static void test_chunked(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");
	unsigned writes = memory_writes(p->stream), waits = memory_waits(p->stream);

	script(p, "C: c@example.org>\r\n", "S: 250 2.1.0 ok", "S: 250 2.1.5 ok", "S: 250 2.1.5 ok",
	       "C: BDAT 26 LAST\r\n" WIRE_TEXT, "S: 250 2.6.0 queued as 77",
	       "C: RSET\r\n", "S: 250 ok");
	assert_int_equal(peer_run(p), TRANSACTION_DONE);
	assert_string_equal(p->written.buf,
			    "MAIL FROM:<a@example.org> SIZE=26\r\n"
			    "RCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\n"
			    "BDAT 26 LAST\r\n" WIRE_TEXT "RSET\r\n");
	assert_int_equal(memory_writes(p->stream) - writes, 3);
	assert_in_range(memory_waits(p->stream) - waits, 0, 3);
	accepted(p, 0);
	accepted(p, 1);
	assert_string_equal(p->result.rcpt[0].error.status, "2.6.0");
	assert_string_equal(p->result.reply_text, "250 2.6.0 queued as 77");
	assert_false(p->session.dead);
	assert_false(p->result.unknown);
	session_quit(&p->session, false);
	session_quit(&p->session, false);	/* is not sent twice */
	assert_string_equal(strstr(p->written.buf, "QUIT"), "QUIT\r\n");
	peer_free(p);
}

static void test_all_waits(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	recipients(p, "b@example.org");
	peer_message(p, TEXT, strlen(TEXT));
	script(p, "S: 220 hi", "C: EHLO client.example.org\r\n", "S: 250-peer" PIPE, "C: DATA\r\n",
	       "S: 250 ok", "S: 250 ok", "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
	assert_int_equal(peer_open(p), 0);
	peer_run(p);
	session_quit(&p->session, false);
	accepted(p, 0);
	assert_in_range(memory_waits(p->stream), 0, 4);
	assert_int_equal(memory_writes(p->stream), 4);
	peer_free(p);
}

static void test_data_pipelined(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");
	unsigned waits = memory_waits(p->stream), writes = memory_writes(p->stream);

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: \r\n.\r\n",
	       "S: 250 2.0.0 ok");
	peer_run(p);
	assert_string_equal(p->written.buf,
			    "MAIL FROM:<a@example.org> SIZE=26\r\nRCPT TO:<b@example.org>\r\n"
			    "DATA\r\n" DOTTED_TEXT);
	assert_in_range(memory_waits(p->stream) - waits, 0, 2);
	assert_int_equal(memory_writes(p->stream) - writes, 2);
	accepted(p, 0);
	peer_free(p);
}

static void test_one_by_one(void **state)
{
	(void)state;
	struct peer *p = ready("", "b@example.org", "c@example.org");

	script(p, "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok",
	       "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok",
	       "C: RCPT TO:<c@example.org>\r\n", "S: 251 will forward to <d@example.org>",
	       "C: DATA\r\n", "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	accepted(p, 1);
	assert_null(p->result.rcpt[0].note);
	assert_string_equal(p->result.rcpt[1].note, "251 will forward to <d@example.org>");
	assert_false(p->session.dead);
	assert_null(strstr(p->written.buf, "QUIT"));
	peer_free(p);
}

static void test_chunk_without_pipelining(void **state)
{
	(void)state;
	struct peer *p = ready("\n250 CHUNKING", "b@example.org");

	script(p, "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok",
	       "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok",
	       "C: BDAT 26 LAST\r\n" WIRE_TEXT, "S: 250 ok", "C: RSET\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	assert_false(p->session.dead);
	peer_free(p);
}

static void test_switched_off(void **state)
{
	(void)state;
	static const char *const off[] = { "chunking", "size", NULL };
	struct peer *p = peer_new();

	p->account.disable_extensions = off;
	recipients(p, "b@example.org");
	peer_message(p, TEXT, strlen(TEXT));
	peer_greeted(p, FULL);
	script(p, "C: MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n",
	       "S: 250 ok",
	       "S: 250 ok", "S: 354 go", "C: .\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	peer_free(p);
}

/* --- refusals ------------------------------------------------------------ */

struct ending {
	const char *label, *keywords;
	const char *mail, *rcpt, *data, *dot;
	enum outcome outcome;
	int exit;
	const char *status, *text;
};

static const struct ending endings[] = {
	{ "mail 5xx", PIPE, "550 no", "503 no", "503 no", NULL, OUTCOME_REFUSED, 69, "5.0.0",
	  "MAIL FROM <a@example.org>: 550 no" },
	{ "mail 5.7.1", PIPE, "553 5.7.1 not yours", "503 no", "503 no", NULL, OUTCOME_REFUSED, 77,
	  "5.7.1", "MAIL FROM <a@example.org>: 553 5.7.1 not yours" },
	{ "mail 530", PIPE, "530 sign in first", "503 no", "503 no", NULL, OUTCOME_REFUSED, 77,
	  "5.7.0", "530 sign in first" },
	{ "mail 4xx", PIPE, "451 later", "503 no", "503 no", NULL, OUTCOME_DEFERRED, 75, "4.0.0",
	  "451 later" },
	{ "mail 552", PIPE, "552 too big", "503 no", "503 no", NULL, OUTCOME_REFUSED, 69, "5.3.4",
	  "552 too big" },
	{ "rcpt 550", PIPE, "250 ok", "550 5.1.1 no such user", "503 no", NULL, OUTCOME_REFUSED, 67,
	  "5.1.1", "RCPT TO <b@example.org>: 550 5.1.1 no such user" },
	{ "rcpt 553", PIPE, "250 ok", "553 bad", "554 no", NULL, OUTCOME_REFUSED, 67, "5.1.3",
	  "553 bad" },
	{ "rcpt 551", PIPE, "250 ok", "551 5.1.6 try <b@e.example>", "554 no", NULL,
	  OUTCOME_REFUSED, 67, "5.1.6", "551 5.1.6 try <b@e.example>" },
	{ "rcpt 554", PIPE, "250 ok", "554 no", "554 no", NULL, OUTCOME_REFUSED, 69, "5.0.0",
	  "554 no" },
	{ "rcpt 554 5.1.2", PIPE, "250 ok", "554 5.1.2 no", "554 no", NULL, OUTCOME_REFUSED, 67,
	  "5.1.2", "554 5.1.2 no" },
	{ "rcpt 552", PIPE, "250 ok", "552 full", "554 no", NULL, OUTCOME_REFUSED, 69, "5.2.2",
	  "552 full" },
	{ "rcpt 556", PIPE, "250 ok", "556 null mx", "554 no", NULL, OUTCOME_REFUSED, 68, "5.1.10",
	  "556 null mx" },
	{ "rcpt 550 5.7.1", PIPE, "250 ok", "550 5.7.1 relaying denied", "554 no", NULL,
	  OUTCOME_REFUSED, 77, "5.7.1", "550 5.7.1 relaying denied" },
	{ "rcpt 452 first", PIPE, "250 ok", "452 too many", "554 no", NULL, OUTCOME_DEFERRED, 75,
	  "4.0.0", "452 too many" },
	{ "rcpt 450", PIPE, "250 ok", "450 4.2.1 later", "554 no", NULL, OUTCOME_DEFERRED, 75,
	  "4.2.1", "450 4.2.1 later" },
	{ "rcpt 3xx", PIPE, "250 ok", "354 what", "554 no", NULL, OUTCOME_REFUSED, 76, "5.5.0",
	  "out of place" },
	{ "data 5xx", PIPE, "250 ok", "250 ok", "554 5.6.0 no", NULL, OUTCOME_REFUSED, 69, "5.6.0",
	  "DATA: 554 5.6.0 no" },
	{ "data 4xx", PIPE, "250 ok", "250 ok", "452 4.3.1 later", NULL, OUTCOME_DEFERRED, 75,
	  "4.3.1", "DATA: 452 4.3.1 later" },
	{ "data 2xx", PIPE, "250 ok", "250 ok", "250 eh", NULL, OUTCOME_REFUSED, 76, "5.5.0",
	  "DATA: out of place: 250 eh" },
	{ "dot 5xx", PIPE, "250 ok", "250 ok", "354 go", "554 5.7.1 spam", OUTCOME_REFUSED, 69,
	  "5.7.1", "the final dot: 554 5.7.1 spam" },
	{ "dot 4xx", PIPE, "250 ok", "250 ok", "354 go", "451 later", OUTCOME_DEFERRED, 75, "4.0.0",
	  "the final dot: 451 later" },
	{ "dot 552", PIPE, "250 ok", "250 ok", "354 go", "552 big", OUTCOME_REFUSED, 69, "5.3.4",
	  "the final dot: 552 big" },
	{ "dot 221", PIPE, "250 ok", "250 ok", "354 go", "221 bye", OUTCOME_DEFERRED, 75, "4.4.2",
	  "may have been accepted" },
	{ "dot 2xx", PIPE, "250 ok", "250 ok", "354 go", "200 eh", OUTCOME_REFUSED, 76, "5.5.0",
	  "may have been accepted" },
	{ "dot 251", PIPE, "250 ok", "250 ok", "354 go", "251 forwarded", OUTCOME_ACCEPTED, 0,
	  "2.0.0", NULL },
	{ "dot 3xx", PIPE, "250 ok", "250 ok", "354 go", "354 go", OUTCOME_REFUSED, 76, "5.5.0",
	  "may have been accepted" },
	{ "bdat 5xx", FULL, "250 ok", "250 ok", NULL, "554 5.6.0 no", OUTCOME_REFUSED, 69, "5.6.0",
	  "BDAT: 554 5.6.0 no" },
	{ "bdat 221", FULL, "250 ok", "250 ok", NULL, "221 bye", OUTCOME_DEFERRED, 75, "4.4.2",
	  "may have been accepted" },
	{ "bdat all refused", FULL, "250 ok", "550 no", NULL, NULL,
	  OUTCOME_REFUSED, 67, "5.1.1", "RCPT TO <b@example.org>: 550 no" },
	{ "bdat mail refused", FULL, "451 later", "503 no", NULL, NULL, OUTCOME_DEFERRED, 75,
	  "4.0.0", "MAIL FROM <a@example.org>: 451 later" },
};

static void add_reply(struct strbuf *out, const char *text)
{
	strbuf_addstr(out, *text ? "\n" : "");
	strbuf_addstr(out, text);
}

static void test_endings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		const struct ending *t = &endings[i];
		const bool chunked = strcmp(t->keywords, FULL) == 0;
		struct peer *p = ready(t->keywords, "b@example.org");
		struct strbuf group = STRBUF_INIT(4096), dot = STRBUF_INIT(4096);

		print_message("%s\n", t->label);
		p->repeat = true;
		strbuf_addf(&group, "S: %s", t->mail);
		add_reply(&group, t->rcpt);
		if (t->data)
			add_reply(&group, t->data);
		strbuf_addf(&dot, "S: %s", t->dot ? t->dot : "250 reset");
		script(p, chunked ? "C: b@example.org>\r\n" : "C: DATA\r\n", group.buf,
		       !t->dot ? "C: RSET\r\n" : chunked ? "C: LAST\r\n" : "C: \r\n.\r\n",
		       dot.buf);
		peer_run(p);
		assert_outcome(p, 0, t->outcome, t->exit, t->status);
		if (t->text)
			assert_says(p->result.rcpt[0].error.text, t->text);
		assert_int_equal(p->result.unknown, t->text && strstr(t->text, "may have") != NULL);
		/* content only when a recipient stood */
		assert_int_equal(strstr(p->written.buf, ".dot") != NULL, t->dot != NULL);
		strbuf_release(&group);
		strbuf_release(&dot);
		peer_free(p);
	}
}

static void test_some_refused(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org", "d@example.org");

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 5.1.1 no b", "S: 450 4.2.1 c later",
	       "S: 250 ok",
	       "S: 354 go", "C: .\r\n", "S: 250 2.0.0 ok");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.2.1");
	accepted(p, 2);
	assert_says(p->written.buf, DOTTED_TEXT);
	peer_free(p);
}

static void test_dot_alone(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 no b", "S: 450 c later", "S: 354 go on",
	       "C: .\r\n", "S: 250 thanks for nothing", "C: RSET\r\n", "S: 250 ok");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.0.0");
	assert_says(p->written.buf, "DATA\r\n.\r\nRSET\r\n");
	assert_null(strstr(p->written.buf, "body"));
	assert_false(p->session.dead);
	peer_free(p);
}

static void test_strict(void **state)
{
	(void)state;
	static const char *const keywords[] = { FULL, PIPE, "" };

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		struct peer *p = ready(keywords[i], "b@example.org", "c@example.org",
				       "d@example.org");

		p->account.refused_recipients = PARTIAL_REFUSE;
		if (*keywords[i])
			script(p, "C: d@example.org>\r\n", "S: 250 ok", "S: 250 ok", "S: 550 no c",
			       "S: 250 ok", "C: RSET\r\n", "S: 250 ok");
		else
			script(p, "C: MAIL", "S: 250 ok", "C: b@example.org>\r\n", "S: 250 ok",
			       "C: c@example.org>\r\n", "S: 550 no c", "C: RSET\r\n", "S: 250 ok");
		peer_run(p);
		for (size_t k = 0; k < 3; k++)
			assert_outcome(p, k, OUTCOME_REFUSED, 67, "5.1.1");
		assert_says(p->result.rcpt[0].error.text,
			    "not sent, as another recipient was refused: "
			    "RCPT TO <c@example.org>: 550 no c");
		assert_null(strstr(p->written.buf, "DATA"));
		assert_null(strstr(p->written.buf, "BDAT"));
		assert_false(p->session.dead);
		peer_free(p);
	}
}

static void test_strict_all_well(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org");

	p->account.refused_recipients = PARTIAL_REFUSE;
	script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok",
	       "C: BDAT 26 LAST\r\n" WIRE_TEXT, "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	peer_free(p);
}

/* --- several transactions ------------------------------------------------ */

static const struct {
	const char *reply;
	bool left;	/* for another transaction */
} limits[] = {
	{ "452 too many recipients", true },
	{ "452 4.5.3 too many recipients", true },
	{ "452 4.2.2 mailbox full", false },
	{ "452 4.3.1 disk full", false },
	{ "552 5.5.3 too many", true },
	{ "552 too many recipients", true },
	{ "552 message size exceeds limit", false },
	{ "552 5.3.4 too large", false },
	{ "552 5.2.2 mailbox full", false },
	{ "451 4.5.3 odd", false },
};

static void test_too_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct peer *p = ready(PIPE, "b@example.org", "c@example.org");
		struct strbuf reply = STRBUF_INIT(200);

		print_message("%s\n", limits[i].reply);
		strbuf_addf(&reply, "S: %s", limits[i].reply);
		script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", reply.buf, "S: 354 go",
		       "C: .\r\n",
		       "S: 250 ok");
		peer_run(p);
		accepted(p, 0);
		if (limits[i].left) {
			assert_int_equal(p->result.rcpt[1].outcome, OUTCOME_NONE);
			script(p, "C: RCPT TO:<c@example.org>\r\nDATA\r\n", "S: 250 ok",
			       "S: 250 ok",
			       "S: 354 go", "C: .\r\n", "S: 250 ok");
			peer_run(p);
			accepted(p, 1);
		} else {
			assert_true(p->result.rcpt[1].outcome == OUTCOME_REFUSED ||
				    p->result.rcpt[1].outcome == OUTCOME_DEFERRED);
		}
		strbuf_release(&reply);
		peer_free(p);
	}
}

static void test_too_many_stops_asking(void **state)
{
	(void)state;
	struct peer *p = ready("", "b@example.org", "c@example.org", "d@example.org");

	script(p, "C: MAIL", "S: 250 ok", "C: b@example.org>\r\n", "S: 250 ok",
	       "C: c@example.org>\r\n",
	       "S: 452 too many", "C: DATA\r\n", "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	assert_int_equal(p->result.rcpt[1].outcome, OUTCOME_NONE);
	assert_int_equal(p->result.rcpt[2].outcome, OUTCOME_NONE);
	assert_null(strstr(p->written.buf, "d@example.org"));
	peer_free(p);
}

static void test_split(void **state)
{
	(void)state;
	struct peer *p = ready("\n250-PIPELINING\n250 LIMITS MAILMAX=50 RCPTMAX=2", "b@example.org",
			       "c@example.org", "d@example.org", "e@example.org", "f@example.org");
	static const size_t sizes[] = { 2, 4, 5 };

	p->account.max_recipients = 3;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		strbuf_reset(&p->written);
		script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok");
		if (i < 2)
			script(p, "S: 250 ok");
		script(p, "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
		peer_run(p);
		for (size_t k = 0; k < 5; k++)
			assert_int_equal(p->result.rcpt[k].outcome,
					 k < sizes[i] ? OUTCOME_ACCEPTED : OUTCOME_NONE);
	}
	peer_free(p);
}

static void test_own_limit(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	p->account.max_recipients = 1;
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 no", "S: 554 no", "C: RSET\r\n", "S: 250 ok",
	       "C: RCPT TO:<c@example.org>\r\nDATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go",
	       "C: \r\n.\r\n", "S: 250 ok");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	peer_run(p);
	accepted(p, 1);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	peer_free(p);
}

/* A chunk that was refused leaves the transaction open: RSET goes first (RFC 3030). */
static void test_reset_before_next(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");

	p->account.max_recipients = 1;
	script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 451 later",
	       "C: RSET\r\nMAIL FROM:<a@example.org> SIZE=26\r\nRCPT TO:<c@example.org>\r\n",
	       "S: 250 reset", "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 250 ok");
	assert_int_equal(peer_run(p), TRANSACTION_AGAIN);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.0.0");
	peer_run(p);
	accepted(p, 1);
	peer_free(p);
}

/* rset = never: not a word more here, the others want another session. */
static void test_reset_never(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	p->account.max_recipients = 1;
	p->account.rset = RSET_NEVER;
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 451 later");
	assert_int_equal(peer_run(p), TRANSACTION_NEW_SESSION);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.0.0");
	assert_outcome(p, 1, OUTCOME_NONE, 0, "");
	assert_false(p->session.dead);
	assert_null(strstr(p->written.buf, "RSET"));
	peer_free(p);
}

/* rset = always: also where there is nothing to be reset, but not before the first MAIL. */
static void test_reset_always(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	p->account.max_recipients = 1;
	p->account.rset = RSET_ALWAYS;
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: \r\n.\r\n", "S: 250 ok",
	       "C: RSET\r\nMAIL FROM:<a@example.org> SIZE=26\r\nRCPT TO:<c@example.org>\r\n",
	       "S: 250 reset", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
	assert_int_equal(peer_run(p), TRANSACTION_AGAIN);
	assert_null(strstr(p->written.buf, "RSET"));
	peer_run(p);
	accepted(p, 0);
	accepted(p, 1);
	peer_free(p);
}

static void test_reset_refused(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");

	p->repeat = true;
	p->account.max_recipients = 1;
	script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 451 later",
	       "C: RSET\r\n", "S: 502 what?", "S: 503 no", "S: 503 no");
	peer_run(p);
	peer_run(p);
	assert_outcome(p, 1, OUTCOME_REFUSED, 69, "5.0.0");
	assert_says(p->result.rcpt[1].error.text, "RSET: 502 what?");
	assert_true(p->session.dead);
	peer_free(p);
}

/* --- parameters ---------------------------------------------------------- */

static void test_dsn_dropped(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");

	p->envelope.ret = DSN_RET_HDRS;
	p->envelope.envid = "id 1";
	p->envelope.rcpt[0].notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;
	script(p, "C: MAIL FROM:<a@example.org> SIZE=26 RET=HDRS ENVID=id+201\r\n"
	       "RCPT TO:<b@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@example.org\r\n"
	       "RCPT TO:<c@example.org>\r\n", "S: 555 parameters?", "S: 503 no", "S: 503 no",
	       "C: MAIL FROM:<a@example.org> SIZE=26\r\nRCPT TO:<b@example.org>\r\n",
	       "S: 250 ok", "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	accepted(p, 1);
	peer_free(p);
}

static void test_dsn_dropped_at_rcpt(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");

	p->envelope.rcpt[1].notify = DSN_NOTIFY_NEVER;
	script(p, "C: NOTIFY=NEVER ORCPT=rfc822;c@example.org\r\n", "S: 250 ok", "S: 250 ok",
	       "S: 501 notify?", "C: LAST\r\n", "S: 250 ok", "C: RSET\r\n", "S: 250 ok",
	       "C: RCPT TO:<c@example.org>\r\n",
	       "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	accepted(p, 1);
	peer_free(p);
}

static void test_size_dropped(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "C: SIZE=26\r\n", "S: 555 size?", "S: 503 no", "S: 503 no",
	       "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go",
	       "C: .\r\n",
	       "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	peer_free(p);
}

/* What stays refused without any parameters is refused, and is not tried for ever. */
static void test_nothing_left_to_drop(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org");

	p->envelope.ret = DSN_RET_FULL;
	for (int i = 0; i < 3; i++)
		script(p, "C: b@example.org>", "S: 555 5.5.4 no", "S: 503 no");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 69, "5.5.4");
	peer_free(p);
}

static void test_pipelining_given_up(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 503 MAIL first", "S: 250 ok", "S: 354 go",
	       "C: .\r\n", "S: 250 ok",
	       "C: MAIL", "S: 250 ok", "C: b@example.org>\r\n", "S: 250 ok", "C: DATA\r\n",
	       "S: 354 go", "C: .\r\n", "S: 250 ok");
	peer_run(p);
	accepted(p, 0);
	accepted(p, 1);
	peer_free(p);
}

static void test_checks_before_mail(void **state)
{
	(void)state;
	struct peer *p = ready("\n250 SIZE 25", "b@example.org");

	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 69, "5.3.4");
	assert_says(p->result.rcpt[0].error.text, "message is 26 octets, server allows 25");
	assert_int_equal(p->written.len, 0);
	peer_free(p);
}

static void test_bad_addresses(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	p->envelope.rcpt[0].address = "x@y>\r\nRCPT TO:<evil@example.org";
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: \r\n.\r\n",
	       "S: 250 ok");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 65, "5.5.2");
	accepted(p, 1);
	assert_null(strstr(p->written.buf, "evil"));
	peer_free(p);

	p = ready(PIPE, "b@example.org");
	p->envelope.sender = "a\xc3\xa9@example.org";
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 65, "5.6.7");
	assert_int_equal(p->written.len, 0);
	peer_free(p);
}

/* --- lost connections ---------------------------------------------------- */

static void test_lost_before_content(void **state)
{
	(void)state;
	/* nothing was taken: once more, one command at a time, and then never again */
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 no", "END");
	assert_int_equal(peer_run(p), TRANSACTION_REPEAT);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	assert_int_equal(p->result.rcpt[1].outcome, OUTCOME_NONE);
	assert_true(p->session.given_up[EXT_PIPELINING]);
	assert_true(p->session.dead);
	peer_free(p);

	p = ready(PIPE, "b@example.org", "c@example.org");
	p->repeat = true;
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 no", "END");
	assert_int_equal(peer_run(p), TRANSACTION_DONE);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.4.2");
	assert_says(p->result.rcpt[1].error.text, "while waiting for the reply to RCPT TO");
	assert_null(strstr(p->result.rcpt[1].error.text, "may have been accepted"));
	assert_false(p->result.unknown);
	assert_true(p->session.dead);
	peer_free(p);
}

static void test_lost_after_dot(void **state)
{
	(void)state;
	static const char *const ends[] = { "END", "FAIL", "S: 25" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

		script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 550 no", "S: 354 go",
		       "C: .\r\n",
		       ends[i]);
		peer_run(p);
		assert_int_equal(p->result.rcpt[0].outcome,
				 i == 2 ? OUTCOME_REFUSED : OUTCOME_DEFERRED);
		assert_int_equal(p->result.rcpt[0].error.exit, i == 2 ? 76 : 75);
		assert_says(p->result.rcpt[0].error.text, "may have been accepted");
		assert_outcome(p, 1, OUTCOME_REFUSED, 67, "5.1.1");
		assert_true(p->result.unknown);
		peer_free(p);
	}
}

static void test_silence_after_dot(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.4.2");
	assert_says(p->result.rcpt[0].error.text, "timeout after 60 s waiting for the reply to the "
		    "final dot; the message may have been accepted");
	peer_free(p);
}

static void test_lost_after_last(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");

	script(p, "C: c@example.org>\r\n", "S: 250 ok", "S: 550 no", "S: 250 ok", "C: LAST\r\n",
	       "END");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.4.2");
	assert_says(p->result.rcpt[1].error.text, "may have been accepted");
	assert_true(p->result.unknown);
	peer_free(p);
}

/* Half of the group could not be written: nothing can have been accepted. */
static void test_write_fails(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org");

	p->repeat = true;
	memory_write_fail(p->stream, 60);
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.4.2");
	assert_null(strstr(p->result.rcpt[0].error.text, "may have been accepted"));
	assert_false(p->result.unknown);
	assert_true(p->session.dead);
	peer_free(p);
}

/* The server said why before it went: that counts, not the broken pipe. */
static void test_write_fails_with_reason(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org");

	memory_write_max(p->stream, 20);
	memory_write_fail(p->stream, 70);
	script(p, "C: MAIL", "S: 451 4.7.1 greylisted", "END");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.7.1");
	assert_says(p->result.rcpt[0].error.text, "451 4.7.1 greylisted");
	peer_free(p);
}

static void test_421(void **state)
{
	(void)state;
	/* at MAIL, in the middle, at the dot, unasked before MAIL */
	struct peer *p = ready(PIPE, "b@example.org", "c@example.org");

	script(p, "C: DATA\r\n", "S: 421 4.3.0 going down", "END");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.3.0");
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.3.0");
	assert_true(p->session.dead);
	peer_free(p);

	p = ready(PIPE, "b@example.org", "c@example.org", "d@example.org");
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 421 bye", "END");
	peer_run(p);
	for (size_t i = 0; i < 3; i++)
		assert_outcome(p, i, OUTCOME_DEFERRED, 75, "4.3.2");
	peer_free(p);

	p = ready(PIPE, "b@example.org");
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: .\r\n", "S: 421 bye",
	       "END");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.3.2");
	assert_says(p->result.rcpt[0].error.text, "may have been accepted");
	assert_true(p->result.unknown);
	assert_true(p->session.dead);
	peer_free(p);

	p = ready(PIPE, "b@example.org");
	script(p, "S: 421 idle too long", "END");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.3.2");
	assert_int_equal(p->written.len, 0);
	peer_free(p);
}

static void test_unasked_reply(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "S: 250 early");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 76, "5.5.0");
	assert_int_equal(p->written.len, 0);
	assert_true(p->session.dead);
	peer_free(p);
}

/* One reply too many: the 250 may not be the message's. */
static void test_miscounted(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org");

	script(p, "C: b@example.org>\r\n", "S: 250 ok\n250 ok", "C: LAST\r\n",
	       "S: 250 extra\n554 refused");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 76, "5.5.0");
	assert_true(p->result.unknown);
	peer_free(p);

	p = ready(FULL, "b@example.org");
	script(p, "C: b@example.org>\r\n", "S: 250 ok\n250 ok", "C: LAST\r\n",
	       "S: 250 taken\n421 bye");
	peer_run(p);
	accepted(p, 0);
	peer_free(p);
}

/* --- large messages ------------------------------------------------------ */

static struct peer *ready_large(const char *keywords, size_t size)
{
	struct peer *p = peer_new();
	struct strbuf text = STRBUF_INIT(size + 200);

	strbuf_addstr(&text, "Subject: large\n\n");
	while (text.len < size)
		strbuf_addstr(&text,
			      ".2345678901234567890123456789012345678901234567890123456789\n");
	strbuf_addstr(&text, "the end\n");
	recipients(p, "b@example.org");
	peer_message(p, text.buf, text.len);
	strbuf_release(&text);
	peer_greeted(p, keywords);
	return p;
}

static void test_large_chunk(void **state)
{
	(void)state;
	struct peer *p = ready_large("\n250-PIPELINING\n250 CHUNKING", 300000);

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: the end\r\n",
	       "S: 250 2.0.0 all of it");
	peer_run(p);
	accepted(p, 0);
	const char *bdat = strstr(p->written.buf, "BDAT ");
	size_t size = strtoul(bdat + 5, NULL, 10);

	assert_int_equal(size, p->envelope.size);
	assert_string_equal(strstr(bdat, "\r\n") + 2 + size, "RSET\r\n");
	peer_free(p);
}

static void test_refused_in_mid_transfer(void **state)
{
	(void)state;
	static const struct {
		const char *keywords, *command, *reply;
		int exit;
		const char *status, *text;
	} table[] = {
		{ "\n250 PIPELINING", "C: Subject", "S: 552 5.3.4 too large", 69, "5.3.4",
		  "the final dot: 552 5.3.4 too large" },
		{ "\n250 PIPELINING", "C: Subject", "S: 421 4.3.0 shutting down", 75, "4.3.0",
		  "421 4.3.0 shutting down" },
		{ "\n250 PIPELINING", "C: Subject", "S: 250 thanks", 76, "5.5.0",
		  "before the message "
		  "was sent" },
		{ "\n250 CHUNKING", "C: Subject", "S: 552 5.3.4 too large", 69, "5.3.4",
		  "BDAT: 552 5.3.4 too large" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = ready_large(table[i].keywords, 3000000);

		if (i < 3)
			script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go");
		else
			script(p, "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok");
		script(p, table[i].command, table[i].reply, "END");
		peer_run(p);
		assert_int_equal(p->result.rcpt[0].error.exit, table[i].exit);
		assert_string_equal(p->result.rcpt[0].error.status, table[i].status);
		assert_says(p->result.rcpt[0].error.text, table[i].text);
		assert_true(p->session.dead);
		assert_true(p->written.len < 1000000);
		/* a truncated message must not look like a whole one */
		assert_null(strstr(p->written.buf, "\r\n.\r\n"));
		assert_null(strstr(p->written.buf, "QUIT"));
		peer_free(p);
	}
}

static void test_many_recipients(void **state)
{
	(void)state;
	enum { COUNT = 10000 };
	struct peer *p = peer_new();
	struct strbuf replies = STRBUF_INIT(8 * 1024 * 1024);

	envelope_init(&p->envelope, p->arena);
	p->envelope.sender = "a@example.org";
	p->envelope.rcpt = arena_calloc(p->arena, COUNT, sizeof(struct recipient));
	p->envelope.rcpt_count = p->envelope.rcpt_alloc = COUNT;
	strbuf_addstr(&replies, "S: 250 ok");
	for (size_t i = 0; i < COUNT; i++) {
		p->envelope.rcpt[i].address = arena_printf(p->arena, "r%zu@example.org", i);
		strbuf_addf(&replies, "\n%s",
			    i % 100 == 7 ? "550 5.1.1 no" : "250 2.1.5 fine, that one "
			    "is known here and will get it, with a very long text to fill buffers");
	}
	result_init(&p->result, p->arena, COUNT);
	peer_message(p, TEXT, strlen(TEXT));
	peer_greeted(p, FULL);
	unsigned waits = memory_waits(p->stream);

	/* all replies to what was sent so far come while the client is writing */
	script(p, "C: r9999@example.org>\r\n", replies.buf, "C: LAST\r\n", "S: 250 2.0.0 taken");
	peer_run(p);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(p->result.rcpt[i].outcome,
				 i % 100 == 7 ? OUTCOME_REFUSED : OUTCOME_ACCEPTED);
	assert_in_range(memory_waits(p->stream) - waits, 0, 4);
	strbuf_release(&replies);
	peer_free(p);
}

/* --- LMTP ---------------------------------------------------------------- */

static struct peer *ready_lmtp(const char *keywords)
{
	struct peer *p = peer_new();
	struct strbuf reply = STRBUF_INIT(1000);

	p->account.protocol = PROTOCOL_LMTP;
	recipients(p, "b@example.org", "c@example.org", "d@example.org");
	peer_message(p, TEXT, strlen(TEXT));
	strbuf_addf(&reply, "S: 250-peer%s", keywords);
	script(p, "S: 220 lmtp", "C: LHLO client.example.org\r\n", reply.buf);
	strbuf_release(&reply);
	assert_int_equal(peer_open(p), 0);
	strbuf_reset(&p->written);
	return p;
}

static void test_lmtp(void **state)
{
	(void)state;
	static const char *const keywords[] = { PIPE, FULL };

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		struct peer *p = ready_lmtp(keywords[i]);

		if (i == 0)
			script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 550 5.1.1 no c",
			       "S: 250 ok",
			       "S: 354 go", "C: \r\n.\r\n");
		else	/* no BDAT LAST before it is known that somebody stands */
			script(p, "C: d@example.org>\r\n", "S: 250 ok", "S: 250 ok",
			       "S: 550 5.1.1 no c",
			       "S: 250 ok", "C: BDAT 26 LAST\r\n" WIRE_TEXT);
		script(p, "S: 452 4.2.2 <b@example.org> over quota",
		       "S: 250 2.0.0 <d@example.org> saved");
		peer_run(p);
		assert_outcome(p, 0, OUTCOME_DEFERRED, 75, "4.2.2");
		assert_says(p->result.rcpt[0].error.text,
			    "the final dot for <b@example.org>: 452 4.2.2 "
			    "<b@example.org> over quota");
		assert_outcome(p, 1, OUTCOME_REFUSED, 67, "5.1.1");
		accepted(p, 2);
		peer_free(p);
	}
}

static void test_lmtp_nobody(void **state)
{
	(void)state;
	struct peer *p = ready_lmtp(PIPE);

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 no", "S: 550 no", "S: 550 no", "S: 503 none",
	       "C: RSET\r\n", "S: 250 ok");
	peer_run(p);
	assert_outcome(p, 2, OUTCOME_REFUSED, 67, "5.1.1");
	assert_false(p->session.dead);
	peer_free(p);

	p = ready_lmtp(PIPE);		/* 354 is wrong: no reply would ever follow the dot */
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 550 no", "S: 550 no", "S: 550 no", "S: 354 go");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
	assert_true(p->session.dead);
	peer_free(p);

	p = ready_lmtp(FULL);
	script(p, "C: d@example.org>\r\n", "S: 250 ok", "S: 550 no", "S: 550 no", "S: 550 no",
	       "C: RSET\r\n", "S: 250 ok");
	peer_run(p);
	assert_null(strstr(p->written.buf, "BDAT"));
	peer_free(p);
}

static void test_lmtp_cut_short(void **state)
{
	(void)state;
	struct peer *p = ready_lmtp(PIPE);

	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go",
	       "C: \r\n.\r\n", "S: 250 saved", "END");
	peer_run(p);
	accepted(p, 0);
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.4.2");
	assert_outcome(p, 2, OUTCOME_DEFERRED, 75, "4.4.2");
	assert_true(p->result.unknown);
	peer_free(p);

	p = ready_lmtp(PIPE);
	script(p, "C: DATA\r\n", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go",
	       "C: \r\n.\r\n", "S: 250 saved", "S: 421 enough", "END");
	peer_run(p);
	accepted(p, 0);
	assert_outcome(p, 1, OUTCOME_DEFERRED, 75, "4.3.2");
	assert_outcome(p, 2, OUTCOME_DEFERRED, 75, "4.3.2");
	assert_true(p->result.unknown);
	peer_free(p);
}

/* However the replies are cut in pieces, the outcome is the same. */
static void test_pieces(void **state)
{
	(void)state;
	for (size_t n = 1; n < 40; n++) {
		struct peer *p = ready(FULL, "b@example.org", "c@example.org");

		memory_read_max(p->stream, n);
		memory_write_max(p->stream, n);
		memory_stutter(p->stream);
		script(p, "C: c@example.org>\r\n", "S: 250-2.1.0 ok\n250 2.1.0 really",
		       "S: 550-5.1.1 no\n550 5.1.1 b",
		       "S: 250 2.1.5 ok", "C: LAST\r\n", "S: 250 2.0.0 queued");
		peer_run(p);
		assert_outcome(p, 0, OUTCOME_REFUSED, 67, "5.1.1");
		assert_says(p->result.rcpt[0].error.text, "550 5.1.1 no / b");
		accepted(p, 1);
		peer_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_all_waits),
		cmocka_unit_test(test_data_pipelined),
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_chunk_without_pipelining),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_some_refused),
		cmocka_unit_test(test_dot_alone),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_strict_all_well),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_many_stops_asking),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_own_limit),
		cmocka_unit_test(test_reset_before_next),
		cmocka_unit_test(test_reset_never),
		cmocka_unit_test(test_reset_always),
		cmocka_unit_test(test_reset_refused),
		cmocka_unit_test(test_dsn_dropped),
		cmocka_unit_test(test_dsn_dropped_at_rcpt),
		cmocka_unit_test(test_size_dropped),
		cmocka_unit_test(test_nothing_left_to_drop),
		cmocka_unit_test(test_pipelining_given_up),
		cmocka_unit_test(test_checks_before_mail),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_lost_before_content),
		cmocka_unit_test(test_lost_after_dot),
		cmocka_unit_test(test_silence_after_dot),
		cmocka_unit_test(test_lost_after_last),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_write_fails_with_reason),
		cmocka_unit_test(test_421),
		cmocka_unit_test(test_unasked_reply),
		cmocka_unit_test(test_miscounted),
		cmocka_unit_test(test_large_chunk),
		cmocka_unit_test(test_refused_in_mid_transfer),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_lmtp_nobody),
		cmocka_unit_test(test_lmtp_cut_short),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
