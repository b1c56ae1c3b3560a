#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp/ext/ext.h"
#include "smtp_peer.h"

#define PIPED "\n250-PIPELINING\n250 CHUNKING"
#define ALONE "\n250 CHUNKING"
#define TEXT "Subject: x\n\n0123456\n0123456\n0123456\n0123456\n"
#define HEAD "Subject: x\r\n\r\n"				/* 14 octets */
#define WIRE_TEXT HEAD "0123456\r\n0123456\r\n0123456\r\n0123456\r\n"	/* 50 octets */

static struct peer *prepare(const char *keywords, uint64_t chunk, unsigned window,
			    const char *const *addresses)
{
	struct peer *p = peer_new();

	p->account.chunk_size = chunk;
	p->account.chunk_window = window;
	peer_recipients(p, addresses);
	peer_message(p, TEXT, strlen(TEXT));
	peer_greeted(p, keywords);
	return p;
}

#define ready(keywords, chunk, window, ...) \
	prepare(keywords, chunk, window, (const char *const[]){ __VA_ARGS__, NULL })

static void accepted(struct peer *p, size_t i)
{
	if (p->result.rcpt[i].outcome != OUTCOME_ACCEPTED)
		fail_msg("recipient %zu: %s", i, p->result.rcpt[i].error.text);
}

/* --- cutting ------------------------------------------------------------ */

/* Every size of chunks: commands and octets, told and sent, agree. */
static void test_sizes(void **state)
{
	(void)state;
	const size_t size = strlen(WIRE_TEXT);

	for (size_t chunk = 1; chunk <= size + 1; chunk++) {
		struct peer *p = ready(PIPED, chunk, 1000, "b@example.org");
		struct strbuf want = STRBUF_INIT(65536);

		script(p, "C: MAIL", "S: 250 ok", "S: 250 ok", "C: LAST\r\n");
		strbuf_addstr(&want, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n");
		for (size_t at = 0; at < size; at += chunk) {
			size_t n = size - at < chunk ? size - at : chunk;

			strbuf_addf(&want, "BDAT %zu%s\r\n", n, at + n == size ? " LAST" : "");
			strbuf_add(&want, &WIRE_TEXT[at], n);
			script(p, "S: 250 ok");
		}
		strbuf_addstr(&want, "RSET\r\n");
		script(p, "C: RSET\r\n", "S: 250 ok");
		assert_int_equal(peer_run(p), TRANSACTION_DONE);
		assert_string_equal(p->written.buf, want.buf);
		accepted(p, 0);
		assert_false(p->session.dead);
		assert_false(p->session.need_reset);
		strbuf_release(&want);
		peer_free(p);
	}
}

/* No more than the window are under way; without PIPELINING it is one. */
static void test_window(void **state)
{
	(void)state;
	struct peer *p = ready(PIPED, 20, 2, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok",
	       "C: BDAT 20\r\n", "C: BDAT 20\r\n", "S: 250 one", "C: BDAT 10 LAST\r\n",
	       "S: 250 two", "S: 250 three");
	peer_run(p);
	accepted(p, 0);
	assert_string_equal(p->result.reply_text, "250 three");
	peer_free(p);

	p = ready(PIPED, 20, 2, "b@example.org");
	/* the third is not sent before the first was answered */
	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n",
	       "S: 250 never");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.4.2");
	assert_null(strstr(p->written.buf, "LAST"));
	peer_free(p);

	p = ready(ALONE, 20, 4, "b@example.org");
	script(p, "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok", "C: RCPT TO:<b@example.org>\r\n",
	       "S: 250 ok", "C: BDAT 20\r\n", "C: 012\r\n", "S: 250 ok");
	peer_run(p);
	assert_null(strstr(p->written.buf, "LAST"));
	peer_free(p);
}

/* --- refusals ------------------------------------------------------------- */

/* The first refusal counts, nothing more is sent, and all replies are counted off. */
static void test_refused(void **state)
{
	(void)state;
	struct peer *p = ready(PIPED, 20, 2, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: BDAT 20\r\n",
	       "C: BDAT 20\r\n", "S: 552 5.3.4 too much", "S: 503 5.5.1 no transaction");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, EX_UNAVAILABLE, "5.3.4");
	assert_null(strstr(p->written.buf, "LAST"));
	assert_false(p->session.dead);
	assert_true(p->session.need_reset);
	assert_string_equal(p->result.reply_text, "552 5.3.4 too much");
	peer_free(p);
}

static void test_refused_temporarily(void **state)
{
	(void)state;
	struct peer *p = ready(PIPED, 20, 9, "b@example.org");

	/* all are under way already: LAST has a reply as well, which is not the message's */
	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n",
	       "S: 250 ok", "S: 451 4.3.0 later", "S: 250 what?");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.3.0");
	assert_true(p->session.need_reset);
	assert_false(p->session.dead);
	peer_free(p);
}

/* What the server says to the first chunk, in one and in several; who has to go with DATA. */
static void test_bdat_unknown(void **state)
{
	(void)state;
	static const struct {
		const char *said;
		uint64_t chunk;
		bool data_only, repeated;
	} cases[] = {
		{ "S: 502 5.5.2 not known", 100, false, true },
		{ "S: 500 5.5.1 what", 100, false, true },
		{ "S: 503 5.5.1 not now", 100, false, true },
		{ "S: 504 5.5.4 no", 100, false, true },
		{ "S: 502 5.5.2 not known\n500 what\n500 what", 20, false, true },
		{ "S: 503 5.5.1 not now", 20, false, true },
		{ "S: 554 5.6.0 no", 100, false, false },
		{ "S: 451 4.3.0 later", 20, false, false },
		{ "S: 250 ok\n503 5.5.1 not now", 20, false, false },
		{ "S: 502 5.5.2 not known", 100, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = ready(ALONE, cases[i].chunk, 1, "b@example.org");

		p->session.announced[EXT_CHUNKING] = !cases[i].data_only;
		print_message("%zu %s\n", i, cases[i].said);
		script(p, "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok",
		       "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok",
		       cases[i].data_only ? "C: DATA\r\n" : "C: BDAT", cases[i].said);
		enum transaction_next next = peer_run(p);

		assert_int_equal(next, cases[i].repeated ? TRANSACTION_REPEAT : TRANSACTION_DONE);
		assert_int_equal(p->session.given_up[EXT_CHUNKING], cases[i].repeated);
		assert_int_equal(p->result.rcpt[0].outcome == OUTCOME_NONE, cases[i].repeated);
		/* the octets of the chunk may have been taken for commands: not a word more */
		if (cases[i].repeated)
			assert_true(p->session.dead);
		assert_int_equal(p->result.note_n == 1, cases[i].repeated);
		peer_free(p);
	}
}

/* The first reply was for the chunk, and the second one is the message's. */
static void test_answered_twice(void **state)
{
	(void)state;
	static const struct {
		const char *second;
		int exit;
	} cases[] = {
		{ "S: 250 2.0.0 queued", 0 }, { "S: 554 5.7.1 refused", EX_PROTOCOL },
		{ "S: 451 4.3.0 later", EX_PROTOCOL }, { "S: hello", EX_PROTOCOL },
		{ "S: 221 bye", 0 }, { "S: 421 bye", 0 }, { "END", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = ready(PIPED, 100, 1, "b@example.org");

		print_message("%s\n", cases[i].second);
		/* late: only who waits for the reply to another command sees it */
		script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n",
		       "S: 250 last chunk", "C: RSET\r\n", cases[i].second);
		peer_run(p);
		assert_int_equal(p->result.rcpt[0].error.exit, cases[i].exit);
		assert_int_equal(p->result.unknown, cases[i].exit != 0);
		peer_free(p);
	}
}

/* Nobody can know, but what to try is said. */
static void test_silent(void **state)
{
	(void)state;
	static const uint64_t chunks[] = { 20, 100 };

	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		struct peer *p = ready(PIPED, chunks[i], 4, "b@example.org");

		script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n");
		peer_run(p);
		assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.4.2");
		assert_says(p->result.rcpt[0].error.text, "chunking = off");
		assert_says(p->result.rcpt[0].error.text, "may have been accepted");
		peer_free(p);
	}
}

/* auto: where it is of use. */
static void test_auto(void **state)
{
	(void)state;
	static const struct {
		enum chunking chunking;
		uint64_t chunk;
		const char *keywords;
		const char *mail, *then;
	} cases[] = {
		{ CHUNKING_AUTO, 50, PIPED, "", "DATA\r\n" },
		{ CHUNKING_AUTO, 49, PIPED, "", "BDAT 49\r\n" },
		{ CHUNKING_ON, 50, PIPED, "", "BDAT 50 LAST\r\n" },
		{ CHUNKING_AUTO, 49, "\n250 PIPELINING", "", "DATA\r\n" },
		{ CHUNKING_AUTO, 90, "\n250-PIPELINING\n250-CHUNKING\n250 BINARYMIME",
		  " BODY=BINARYMIME", "BDAT 50 LAST\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = ready(cases[i].keywords, cases[i].chunk, 4, "b@example.org");

		print_message("%zu\n", i);
		p->account.chunking = cases[i].chunking;
		if (*cases[i].mail)
			p->envelope.body = BODY_BINARYMIME;
		script(p, "C: MAIL", "S: 250 ok", "S: 250 ok", "C: nothing");
		peer_run(p);
		assert_says(p->written.buf, cases[i].mail);
		assert_says(p->written.buf, cases[i].then);
		peer_free(p);
	}
}

static void test_lost(void **state)
{
	(void)state;
	struct peer *p = ready(PIPED, 20, 1, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: BDAT 20\r\n",
	       "END");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.4.2");
	assert_false(p->result.unknown);	/* LAST was never said */
	peer_free(p);
}

static void test_421(void **state)
{
	(void)state;
	struct peer *p = ready(PIPED, 20, 1, "b@example.org");

	script(p, "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: BDAT 20\r\n",
	       "S: 421 4.3.2 bye");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.3.2");
	assert_true(p->session.dead);
	peer_free(p);
}

/* --- LMTP ----------------------------------------------------------------- */

static struct peer *lmtp(const char *keywords, const char *const *addresses)
{
	struct peer *p = peer_new();
	struct strbuf reply = STRBUF_INIT(4096);

	p->account.protocol = PROTOCOL_LMTP;
	envelope_init(&p->envelope, p->arena);
	p->envelope.sender = "a@example.org";
	for (; *addresses; addresses++)
		(void)!envelope_add(&p->envelope, *addresses, NULL);
	envelope_repeat(&p->envelope);
	result_init(&p->result, p->arena, p->envelope.rcpt_count);
	peer_message(p, TEXT, strlen(TEXT));
	strbuf_addf(&reply, "S: 250-peer%s", keywords);
	script(p, "S: 220 peer", "C: LHLO client.example.org\r\n", reply.buf);
	strbuf_release(&reply);
	assert_int_equal(peer_open(p), 0);
	strbuf_reset(&p->written);
	return p;
}

#define lmtp_ready(keywords, ...) lmtp(keywords, (const char *const[]){ __VA_ARGS__, NULL })

/* What the server says to the message; the outcome of each of two recipients. */
static const struct {
	const char *name;
	const char *said[5];
	int exit[2];
} counts[] = {
	{ "two", { "S: 250 ok", "S: 452 4.2.2 full", "S: 221 bye" }, { 0, EX_TEMPFAIL } },
	{ "two, silent end", { "S: 250 ok", "S: 250 ok", "END" }, { 0, 0 } },
	{ "one, then 221", { "S: 250 ok", "S: 221 bye" }, { 0, EX_TEMPFAIL } },
	{ "none", { "S: 221 bye" }, { EX_TEMPFAIL, EX_TEMPFAIL } },
	{ "one, then 220", { "S: 250 ok", "S: 220 hi" }, { 0, EX_PROTOCOL } },
	{ "one, then the end", { "S: 250 ok", "END" }, { 0, EX_TEMPFAIL } },
	{ "one, then nothing", { "S: 452 4.2.2 full" }, { EX_TEMPFAIL, EX_TEMPFAIL } },
	{ "three", { "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 221 bye" },
	  { EX_PROTOCOL, EX_PROTOCOL } },
	{ "three, one bad", { "S: 250 ok", "S: 550 no", "S: 250 ok", "S: 221 bye" },
	  { EX_PROTOCOL, EX_PROTOCOL } },
	{ "421", { "S: 250 ok", "S: 421 bye" }, { 0, EX_TEMPFAIL } },
	{ "garbage", { "S: 250 ok", "S: hello" }, { 0, EX_PROTOCOL } },
};

static void test_lmtp_counts(void **state)
{
	(void)state;
	for (size_t c = 0; c < 2 * ARRAY_LEN(counts); c++) {
		bool chunked = c >= ARRAY_LEN(counts);
		size_t i = c % ARRAY_LEN(counts);
		struct peer *p = lmtp_ready("\n250-CHUNKING\n250 PIPELINING", "b@example.org",
					    "c@example.org");

		print_message("%s%s\n", counts[i].name, chunked ? " chunked" : "");
		p->session.announced[EXT_CHUNKING] = chunked;
		script(p, "C: MAIL", "S: 250 ok", "S: 250 ok", "S: 250 ok");
		if (!chunked)
			script(p, "S: 354 go");
		script(p, chunked ? "C: LAST\r\n" : "C: \r\n.\r\n");
		for (size_t k = 0; counts[i].said[k]; k++)
			script(p, counts[i].said[k]);
		peer_run(p);
		for (size_t k = 0; k < 2; k++)
			assert_int_equal(p->result.rcpt[k].error.exit, counts[i].exit[k]);
		peer_free(p);
	}
}

static void test_lmtp_no_last_for_nobody(void **state)
{
	(void)state;
	struct peer *p = lmtp_ready(PIPED, "b@example.org");

	script(p, "C: MAIL", "S: 250 ok", "S: 550 5.1.1 no", "C: RSET\r\n", "S: 250 ok");
	peer_run(p);
	assert_null(strstr(p->written.buf, "BDAT"));
	assert_outcome(p, 0, OUTCOME_REFUSED, EX_NOUSER, "5.1.1");
	peer_free(p);
}

/* A chunk is refused while LAST is under way: nobody says how many replies there will be. */
static void test_lmtp_chunk_refused(void **state)
{
	(void)state;
	struct peer *p = lmtp_ready(PIPED, "b@example.org", "c@example.org");

	p->account.chunk_size = 40;
	script(p, "C: MAIL", "S: 250 ok", "S: 250 ok", "S: 250 ok", "C: LAST\r\n",
	       "S: 452 4.3.1 disk full");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.3.1");
	assert_outcome(p, 1, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.3.1");
	assert_true(p->session.dead);
	peer_free(p);
}

static void test_lmtp_duplicates(void **state)
{
	(void)state;
	struct peer *p = lmtp_ready("\n250 PIPELINING", "b@example.org", "c@example.org",
				    "b@example.org");

	assert_int_equal(p->envelope.rcpt_count, 3);
	script(p, "C: MAIL", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go",
	       "C: \r\n.\r\n",
	       "S: 452 4.2.2 once", "S: 250 twice", "S: 250 c", "S: 221 bye");
	peer_run(p);
	/* one of the two copies is not there */
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.2.2");
	accepted(p, 1);
	accepted(p, 2);
	peer_free(p);
}

/* --- BURL ------------------------------------------------------------------- */

#define URL "imap://ann@example.org/x;uid=1;urlauth=submit+ann:internal:0123456789abcdef"

static void test_burl(void **state)
{
	(void)state;
	static const struct burl_part parts[] = {
		{ NULL, NULL, 0 }, { URL, NULL, 0 }, { NULL, "end\r\n", 5 },
	};
	static const struct burl all = { parts, 3 }, one = { parts + 1, 1 };
	struct peer *p = ready("\n250-PIPELINING\n250-CHUNKING\n250 BURL imap", 20, 9,
			       "b@example.org");

	p->session.encrypted = p->session.authenticated = true;
	p->envelope.burl = &all;
	script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 250 1",
	       "S: 250 2", "S: 250 3", "S: 250 fetched", "S: 250 2.6.0 taken");
	peer_run(p);
	accepted(p, 0);
	assert_non_null(strstr(p->written.buf, "BDAT 20\r\n" HEAD "012345BDAT 20\r\n6\r\n"));
	assert_non_null(strstr(p->written.buf, "BURL " URL "\r\nBDAT 5 LAST\r\nend\r\n"));
	assert_null(strstr(p->transcript.buf, "0123456789abcdef"));
	peer_free(p);

	p = ready("\n250-PIPELINING\n250 BURL imap", 20, 9, "b@example.org");
	p->session.encrypted = p->session.authenticated = true;
	p->envelope.burl = &one;
	script(p, "C: b@example.org>\r\n", "S: 250 ok", "S: 250 ok", "C: LAST\r\n",
	       "S: 554 5.6.6 gone: " URL " sorry");
	peer_run(p);
	assert_outcome(p, 0, OUTCOME_REFUSED, EX_NOINPUT, "5.6.6");
	assert_null(strstr(p->result.rcpt[0].error.text, "0123456789abcdef"));
	assert_null(strstr(p->transcript.buf, "0123456789abcdef"));
	assert_says(p->result.rcpt[0].error.text, "sorry");
	peer_free(p);
}

/* What the session is, and whether a URL may go out in it. */
static void test_burl_checks(void **state)
{
	(void)state;
	static const struct burl_part parts[] = { { NULL, NULL, 0 }, { URL, NULL, 0 } };
	static const struct burl mixed = { parts, 2 }, alone = { parts + 1, 1 };
	static const struct {
		const char *keywords;
		bool tls, auth, mixed;
		const char *status;	/* NULL = it may */
	} cases[] = {
		{ "\n250 BURL imap", true, true, false, NULL },
		{ "\n250 BURL imap://example.org", true, true, false, NULL },
		{ "\n250 BURL x imap", true, true, false, NULL },
		{ "\n250 BURL imap", false, true, false, "5.7.10" },
		{ "\n250 BURL imap", true, false, false, "5.7.0" },
		{ "\n250 SIZE", true, true, false, "5.3.3" },
		{ "\n250 BURL", true, true, false, "5.3.3" },
		{ "\n250 BURL imapx", true, true, false, "5.3.3" },
		{ "\n250 BURL imap", true, true, true, "5.3.3" },
		{ "\n250-CHUNKING\n250 BURL imap", true, true, true, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = ready(cases[i].keywords, 20, 9, "b@example.org");
		struct error err = { .exit = 0 };

		print_message("%zu\n", i);
		p->session.encrypted = cases[i].tls;
		p->session.authenticated = cases[i].auth;
		p->envelope.burl = cases[i].mixed ? &mixed : &alone;
		assert_true(ext_BURL.wanted(&p->session, &p->envelope));
		int rc = ext_BURL.check(&p->session, &p->envelope, &err);

		assert_int_equal(rc, cases[i].status ? -1 : 0);
		if (cases[i].status)
			assert_string_equal(err.status, cases[i].status);
		peer_free(p);
	}
}

static void test_burl_mask(void **state)
{
	(void)state;
	static const struct {
		const char *url, *want;
	} cases[] = {
		{ URL, "imap://example.org/<75 octets hidden>" },
		{ "imap://a:b@c@h/x", "imap://h/<16 octets hidden>" },
		{ "imap://h", "imap://h/<8 octets hidden>" },
		{ "data:,secret", "data:///<12 octets hidden>" },
		{ "imap://h?x@y", "imap://h/<12 octets hidden>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(4096);

		burl_mask(cases[i].url, &out);
		assert_string_equal(out.buf, cases[i].want);
		strbuf_release(&out);
	}
}

/* --- CHECKPOINT --------------------------------------------------------------- */

struct resumed {
	struct checkpoint point;
	bool standing[4];
};

static enum transaction_next run_with(struct peer *p, struct resumed *r)
{
	struct transaction_options opt = { .checkpoint = &r->point, .repeat = p->repeat };

	return transaction_run(&p->session, &p->envelope, p->message, &p->edits, &opt, &p->result,
			       &p->why);
}

/* The reply to MAIL of the second connection, and what must follow it. */
static const struct {
	const char *reply;
	const char *keywords;
	const char *then;	/* expected on the wire behind MAIL */
} resumes[] = {
	{ "S: 355 23 is where you stopped", "\n250-PIPELINING\n250 CHECKPOINT",
	  "DATA\r\n0123456\r\n0123456\r\n0123456\r\n.\r\n" },
	{ "S: 355 20 octets", "\n250-CHUNKING\n250 CHECKPOINT",
	  "BDAT 30 LAST\r\n6\r\n0123456\r\n0123456\r\n0123456\r\n" },
	{ "S: 355 50", "\n250-CHUNKING\n250 CHECKPOINT", "BDAT 0 LAST\r\n" },
	{ "S: 355 0 none", "\n250 CHECKPOINT", "DATA\r\n" WIRE_TEXT ".\r\n" },
	/* of no use: not a line start, more than there is, no number */
	{ "S: 355 20 octets", "\n250 CHECKPOINT", "RSET\r\n" },
	{ "S: 355 51 octets", "\n250-CHUNKING\n250 CHECKPOINT", "RSET\r\n" },
	{ "S: 355 99999999999999999999999 octets", "\n250 CHECKPOINT", "RSET\r\n" },
	{ "S: 355 -1 octets", "\n250 CHECKPOINT", "RSET\r\n" },
	{ "S: 355 x", "\n250 CHECKPOINT", "RSET\r\n" },
	{ "S: 250 ok", "\n250 CHECKPOINT", "RCPT TO:<b@example.org>\r\n" },
};

static void test_resume(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(resumes); i++) {
		struct resumed r = { .point = { .id = "<1@x>", .spare = "<2@x>", .resume = true },
			.standing = { true, false } };
		struct peer *p = ready(resumes[i].keywords, 1024, 1, "b@example.org",
				       "c@example.org");
		const char *mail = "MAIL FROM:<a@example.org> TRANSID=<1@x>\r\n";

		print_message("%s\n", resumes[i].reply);
		r.point.standing = r.standing;
		/* the server refused c in the first place */
		p->result.rcpt[1].outcome = OUTCOME_REFUSED;
		script(p, "C: TRANSID=<1@x>\r\n", resumes[i].reply);
		if (strncmp(resumes[i].then, "DATA", 4) == 0)
			script(p, "C: DATA\r\n", "S: 354 go");
		run_with(p, &r);
		assert_memory_equal(p->written.buf, mail, strlen(mail));
		assert_true(p->written.len >= strlen(mail) + strlen(resumes[i].then));
		assert_memory_equal(p->written.buf + strlen(mail), resumes[i].then,
				    strlen(resumes[i].then));
		peer_free(p);
	}
}

static void test_interrupted(void **state)
{
	(void)state;
	struct resumed r = { .point = { .id = "<1@x>" } };
	struct peer *p = ready("\n250-PIPELINING\n250-CHUNKING\n250 CHECKPOINT", 20, 1,
			       "b@example.org", "c@example.org", "d@example.org");

	r.point.standing = r.standing;
	script(p, "C: RCPT TO:<d@example.org>\r\n", "S: 250 ok", "S: 250 ok", "S: 550 5.1.1 no",
	       "S: 250 ok", "C: BDAT 20\r\n", "S: 250 ok", "FAIL");
	assert_int_equal(run_with(p, &r), TRANSACTION_RESUME);
	assert_true(r.point.resume);
	assert_true(r.standing[0]);
	assert_false(r.standing[1]);
	assert_true(r.standing[2]);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_NONE);
	assert_outcome(p, 1, OUTCOME_REFUSED, EX_NOUSER, "5.1.1");
	assert_int_equal(p->why.exit, EX_TEMPFAIL);
	assert_null(strstr(p->written.buf, "QUIT"));
	peer_free(p);
}

static void test_not_worth_it(void **state)
{
	(void)state;
	struct resumed r = { .point = { .id = "<1@x>" } };
	struct peer *p = ready("\n250-CHUNKING\n250 CHECKPOINT", 20, 1, "b@example.org");

	r.point.standing = r.standing;
	p->account.checkpoint_min = 51;
	p->repeat = true;
	script(p, "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok", "FAIL");
	assert_int_equal(run_with(p, &r), TRANSACTION_DONE);
	assert_outcome(p, 0, OUTCOME_DEFERRED, EX_TEMPFAIL, "4.4.2");
	peer_free(p);
}

/* --- BINARYMIME ---------------------------------------------------------------- */

/* What is read as binary: octets that must come out, and whether they are. */
static void test_binary_input(void **state)
{
	(void)state;
#define BODY(text) text, sizeof(text) - 1
	static const struct {
		const char *body;
		size_t len;
		bool binary;
	} cases[] = {
		{ BODY("text\r\n"), false },
		{ BODY(""), false },
		{ BODY("no end"), true },
		{ BODY("a\0b\r\n"), true },
		{ BODY("a\rb\r\n"), true },
		{ BODY("a\nb\r\n"), true },
		{ BODY(".\r\n.\r\n"), false },
		{ BODY("\xff\r\n"), false },
		{ BODY("\r"), true },
		{ BODY("\n.\n"), true },
	};
	static const struct message_options options = { .binary = true };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 1; piece < 20; piece++) {
			struct message_reader *reader = message_reader_new(&options);
			struct strbuf all = STRBUF_INIT(4096), got = STRBUF_INIT(4096);
			struct peer *p = ready(ALONE, 7, 1, "b@example.org");
			struct error err;

			message_free(p->message);
			strbuf_addstr(&all, "Subject: x\r\n\r\n");
			strbuf_add(&all, cases[i].body, cases[i].len);
			for (size_t at = 0; at < all.len; at += piece)
				assert_int_equal(message_reader_push(
					reader, all.buf + at,
					all.len - at < piece ? all.len - at : piece, &err), 0);
			assert_int_equal(message_reader_finish(reader, &p->message, &err), 0);
			assert_int_equal(p->message->body_binary, cases[i].binary);
			edits_init(&p->edits, p->arena, p->message);
			assert_int_equal(edits_wire_size(&p->edits, p->message), all.len);
			script(p, "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok");
			for (size_t at = 0; at < all.len; at += 7)
				script(p, "C: BDAT", "S: 250 ok");
			peer_run(p);
			accepted(p, 0);
			const char *at = strstr(p->written.buf, "BDAT"),
				*end = p->written.buf + p->written.len;

			while (at < end) {
				size_t n = (size_t)strtoul(at + 5, NULL, 10);

				at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
				strbuf_add(&got, at, n);
				at += n;
			}
			assert_int_equal(got.len, all.len);
			assert_memory_equal(got.buf, all.buf, all.len);
			strbuf_release(&all);
			strbuf_release(&got);
			peer_free(p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_window),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_refused_temporarily),
		cmocka_unit_test(test_bdat_unknown), cmocka_unit_test(test_answered_twice),
		cmocka_unit_test(test_silent), cmocka_unit_test(test_auto),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_421), cmocka_unit_test(test_lmtp_counts),
		cmocka_unit_test(test_lmtp_no_last_for_nobody),
		cmocka_unit_test(test_lmtp_chunk_refused),
		cmocka_unit_test(test_lmtp_duplicates), cmocka_unit_test(test_burl),
		cmocka_unit_test(test_burl_checks), cmocka_unit_test(test_burl_mask),
		cmocka_unit_test(test_resume), cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_not_worth_it), cmocka_unit_test(test_binary_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
