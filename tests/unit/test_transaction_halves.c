/* A transaction in two halves: the envelope first, and the next one behind the content. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp_peer.h"

#define PIPE "\n250-PIPELINING\n250 SIZE"
#define PLAIN "\n250 SIZE"
#define FULL "\n250-PIPELINING\n250-DSN\n250-CHUNKING\n250 SIZE"
#define TEXT "Subject: x\n\nbody\n"
#define DATA_TEXT "Subject: x\r\n\r\nbody\r\n.\r\n"	/* 20 octets and the dot */
#define CHUNK_TEXT "BDAT 20 LAST\r\nSubject: x\r\n\r\nbody\r\n"

static const struct transaction_options plain_options = { .repeat = false };

static struct peer *prepare(const char *keywords, const char *const *addresses)
{
	struct peer *p = peer_new();

	p->account.chunking = CHUNKING_AUTO;
	peer_recipients(p, addresses);
	peer_message(p, TEXT, strlen(TEXT));
	peer_greeted(p, keywords);
	return p;
}

#define ready(keywords, ...) prepare(keywords, (const char *const[]){ __VA_ARGS__, NULL })

/* One whose message is not there yet. */
static struct transaction *begin(struct peer *p)
{
	return transaction_new(&p->session, &p->envelope, NULL, NULL, &plain_options, &p->result,
			       &p->why);
}

static void add(struct peer *p, const char *address)
{
	assert_true(envelope_add(&p->envelope, address, NULL));
	result_grow(&p->result);
}

static enum transaction_next deliver(struct peer *p, struct transaction *t)
{
	transaction_set_message(t, p->message, &p->edits);
	const enum transaction_next next = transaction_deliver(t);

	transaction_free(t);
	return next;
}

/* --- recipients one after the other, the content when they are known ------------- */

static void one_by_one(const char *keywords)
{
	struct peer *p = ready(keywords, "b@example.org");

	script(p, "C: MAIL FROM:<a@example.org> SIZE=20\r\n", "S: 250 2.1.0 ok",
	       "C: RCPT TO:<b@example.org>\r\n", "S: 250 2.1.5 ok",
	       "C: RCPT TO:<c@example.org>\r\n", "S: 550 5.1.1 no such user",
	       "C: RCPT TO:<d@example.org>\r\n", "S: 250 2.1.5 ok",
	       "C: DATA\r\n", "S: 354 go", "C: " DATA_TEXT, "S: 250 2.0.0 queued");
	struct transaction *t = begin(p);

	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	assert_true(transaction_stands(t, 0));
	add(p, "c@example.org");
	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	assert_false(transaction_stands(t, 1));
	assert_outcome(p, 1, OUTCOME_REFUSED, EX_NOUSER, "5.1.1");
	add(p, "d@example.org");
	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	assert_true(transaction_stands(t, 2));
	assert_int_equal(deliver(p, t), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_int_equal(p->result.rcpt[2].outcome, OUTCOME_ACCEPTED);
	assert_string_equal(p->written.buf,
			    "MAIL FROM:<a@example.org> SIZE=20\r\nRCPT TO:<b@example.org>\r\n"
			    "RCPT TO:<c@example.org>\r\nRCPT TO:<d@example.org>\r\nDATA\r\n"
			    DATA_TEXT);
	assert_false(p->session.dead);
	peer_free(p);
}

static void test_one_by_one(void **state)
{
	(void)state;
	one_by_one(PIPE);
	one_by_one(PLAIN);
}

static void test_abandoned(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: RSET\r\n",
	       "S: 250 ok");
	struct transaction *t = begin(p);

	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	transaction_abandon(t);
	transaction_abandon(t);		/* nothing is left of it */
	transaction_free(t);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_NONE);
	assert_non_null(strstr(p->written.buf, "RSET\r\n"));
	assert_null(strstr(strstr(p->written.buf, "RSET\r\n") + 1, "RSET"));
	assert_false(p->session.dead);
	peer_free(p);
}

static void test_mail_refused(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 550 5.7.1 not you", "S: 503 5.5.1 no");
	struct transaction *t = begin(p);

	assert_true(transaction_ask(t, false));
	assert_false(transaction_replies(t));
	assert_int_equal(deliver(p, t), TRANSACTION_DONE);
	assert_outcome(p, 0, OUTCOME_REFUSED, EX_NOPERM, "5.7.1");
	assert_null(strstr(p->written.buf, "DATA"));
	peer_free(p);
}

/* What may be left out of MAIL is, before anybody has to know the content. */
static void test_mail_without_size(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 555 5.5.4 SIZE?", "S: 503 5.5.1 no",
	       "C: MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n", "S: 250 ok",
	       "S: 250 ok", "C: DATA\r\n", "S: 354 go", "C: " DATA_TEXT, "S: 250 2.0.0 queued");
	struct transaction *t = begin(p);

	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	assert_true(transaction_stands(t, 0));
	assert_int_equal(deliver(p, t), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	peer_free(p);
}

/* The same of RCPT, in the same transaction: the others stand already. */
static void test_rcpt_without_dsn(void **state)
{
	(void)state;
	struct peer *p = ready(FULL, "b@example.org", "c@example.org");

	p->envelope.rcpt[1].notify = DSN_NOTIFY_NEVER;
	script(p, "C: NOTIFY=NEVER ORCPT=rfc822;c@example.org\r\n", "S: 250 ok", "S: 250 ok",
	       "S: 555 5.5.4 NOTIFY?", "C: RCPT TO:<c@example.org>\r\n", "S: 250 ok",
	       "C: DATA\r\n", "S: 354 go", "C: " DATA_TEXT, "S: 250 2.0.0 queued");
	struct transaction *t = begin(p);

	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	assert_true(transaction_stands(t, 0));
	assert_true(transaction_stands(t, 1));
	assert_int_equal(deliver(p, t), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_int_equal(p->result.rcpt[1].outcome, OUTCOME_ACCEPTED);
	peer_free(p);
}

static void test_lost_in_between(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "S: 421 4.3.2 bye",
	       "END");
	struct transaction *t = begin(p);

	assert_true(transaction_ask(t, false));
	assert_true(transaction_replies(t));
	add(p, "c@example.org");
	(void)transaction_ask(t, false);
	assert_false(transaction_replies(t));
	assert_int_equal(p->result.rcpt[1].outcome, OUTCOME_DEFERRED);
	assert_int_equal(deliver(p, t), TRANSACTION_DONE);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.3.2");
	assert_false(p->result.unknown);
	peer_free(p);
}

/* --- the next one behind the content ------------------------------------------------ */

struct second {
	struct peer *p;
	struct transaction *t;
	struct envelope envelope;
	struct result result;
	struct error why;
	const char *line;		/* instead of a transaction */
};

static bool put_second(void *ctx)
{
	struct second *n = ctx;
	struct peer *p = n->p;
	const struct deadline d = session_deadline(&p->session, STAGE_RSET);
	struct error err;

	if (n->line)
		return wire_put(p->wire, n->line, strlen(n->line), NULL, &d, &err) == 0;
	envelope_init(&n->envelope, p->arena);
	n->envelope.sender = "x@example.org";
	n->envelope.size = p->envelope.size;
	assert_true(envelope_add(&n->envelope, "y@example.org", NULL));
	result_init(&n->result, p->arena, 1);
	n->t = transaction_new(&p->session, &n->envelope, p->message, &p->edits, &plain_options,
			       &n->result, &n->why);
	return transaction_ask(n->t, true);
}

static enum transaction_next run_first(struct peer *p, struct second *n)
{
	const struct transaction_options opt = { .behind = put_second, .behind_ctx = n };

	n->p = p;
	return transaction_run(&p->session, &p->envelope, p->message, &p->edits, &opt, &p->result,
			       &p->why);
}

static void finish(struct second *n)
{
	transaction_free(n->t);
	peer_free(n->p);
}

#define FIRST "C: RCPT TO:<b@example.org>\r\nDATA\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go"
#define BEHIND "MAIL FROM:<x@example.org> SIZE=20\r\nRCPT TO:<y@example.org>\r\nDATA\r\n"

static void test_behind(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");
	struct second n = { .t = NULL };
	const unsigned waits = memory_waits(p->stream), writes = memory_writes(p->stream);

	script(p, FIRST, "C: " DATA_TEXT BEHIND, "S: 250 2.0.0 one", "S: 250 ok", "S: 250 ok",
	       "S: 354 go", "C: " DATA_TEXT, "S: 250 2.0.0 two");
	assert_int_equal(run_first(p, &n), TRANSACTION_DONE);
	assert_string_equal(p->result.reply_text, "250 2.0.0 one");
	assert_int_equal(n.result.rcpt[0].outcome, OUTCOME_NONE);
	assert_true(transaction_replies(n.t));
	assert_true(transaction_in_step(n.t));
	assert_int_equal(transaction_deliver(n.t), TRANSACTION_DONE);
	assert_int_equal(n.result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_string_equal(n.result.reply_text, "250 2.0.0 two");
	/* the group, the content with the next group, its content: one wait for each */
	assert_int_equal(memory_writes(p->stream) - writes, 3);
	assert_in_range(memory_waits(p->stream) - waits, 0, 3);
	finish(&n);
}

/* The first one is refused at its end: that is no word on the second one. */
static void test_behind_a_refusal(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");
	struct second n = { .t = NULL };

	script(p, FIRST, "C: " DATA_TEXT BEHIND, "S: 554 5.6.0 no", "S: 250 ok", "S: 250 ok",
	       "S: 354 go", "C: " DATA_TEXT, "S: 250 2.0.0 two");
	assert_int_equal(run_first(p, &n), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_REFUSED);
	assert_true(transaction_replies(n.t));
	assert_true(transaction_in_step(n.t));
	assert_int_equal(transaction_deliver(n.t), TRANSACTION_DONE);
	assert_int_equal(n.result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	finish(&n);
}

/* The message is answered twice: each reply is taken for that to the command behind. */
static void test_behind_out_of_step(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");
	struct second n = { .t = NULL };

	script(p, FIRST, "C: " DATA_TEXT BEHIND, "S: 250 2.0.0 one", "S: 554 5.7.1 or not",
	       "S: 250 ok", "S: 250 ok", "S: 354 go");
	assert_int_equal(run_first(p, &n), TRANSACTION_DONE);
	(void)transaction_replies(n.t);
	assert_false(transaction_in_step(n.t));
	finish(&n);
}

/* With chunks DATA is not in the group, and RSET is: a refused chunk wants it. */
static void test_behind_chunks(void **state)
{
	(void)state;
	struct peer *p = prepare(FULL, (const char *const[]){ "b@example.org", NULL });
	struct second n = { .t = NULL };

	p->account.chunking = CHUNKING_ON;
	p->session.chunk_once = true;
	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok",
	       "C: " CHUNK_TEXT "RSET\r\nMAIL FROM:<x@example.org> SIZE=20\r\n"
	       "RCPT TO:<y@example.org>\r\n", "S: 554 5.6.0 no", "S: 250 ok", "S: 250 ok",
	       "S: 250 ok", "C: " CHUNK_TEXT, "S: 250 2.0.0 two", "C: RSET\r\n", "S: 250 ok");
	assert_int_equal(run_first(p, &n), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_REFUSED);
	assert_true(transaction_replies(n.t));
	assert_true(transaction_in_step(n.t));
	assert_int_equal(transaction_deliver(n.t), TRANSACTION_DONE);
	assert_int_equal(n.result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	finish(&n);
}

/* Nothing of the second one has gone out when the first one's end is not known. */
static void test_lost_with_two(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");
	struct second n = { .t = NULL };

	script(p, FIRST, "C: " DATA_TEXT BEHIND, "END");
	assert_int_equal(run_first(p, &n), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_DEFERRED);
	assert_true(p->result.unknown);
	assert_true(p->session.dead);
	assert_int_equal(n.result.rcpt[0].outcome, OUTCOME_NONE);
	assert_false(transaction_in_step(n.t));
	assert_false(n.result.unknown);
	finish(&n);
}

/* What stands behind the dot is not read for a second reply to the message. */
static void test_line_behind(void **state)
{
	(void)state;
	struct peer *p = ready(PIPE, "b@example.org");
	struct second n = { .line = "RSET\r\n" };
	struct error err;

	script(p, FIRST, "C: " DATA_TEXT "RSET\r\n", "S: 250 2.0.0 one", "S: 503 5.5.1 no");
	assert_int_equal(run_first(p, &n), TRANSACTION_DONE);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_int_equal(session_reply(&p->session, STAGE_RSET, &err), 0);
	assert_int_equal(p->session.reply.code, 503);
	finish(&n);
}

/* A message that is to have another transaction lets nobody go in between. */
static void test_nothing_between(void **state)
{
	(void)state;
	struct peer *p = ready("\n250-PIPELINING\n250-LIMITS RCPTMAX=1\n250 SIZE",
			       "b@example.org", "c@example.org");
	struct second n = { .line = "RSET\r\n" };

	script(p, FIRST, "C: " DATA_TEXT, "S: 250 2.0.0 one");
	assert_int_equal(run_first(p, &n), TRANSACTION_AGAIN);
	assert_null(strstr(p->written.buf, "RSET"));
	finish(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_mail_refused),
		cmocka_unit_test(test_mail_without_size),
		cmocka_unit_test(test_rcpt_without_dsn),
		cmocka_unit_test(test_lost_in_between),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_behind_a_refusal),
		cmocka_unit_test(test_behind_out_of_step),
		cmocka_unit_test(test_behind_chunks),
		cmocka_unit_test(test_lost_with_two),
		cmocka_unit_test(test_line_behind),
		cmocka_unit_test(test_nothing_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
