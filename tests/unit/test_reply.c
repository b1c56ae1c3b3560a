#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "memory_stream.h"
#include "net/stream.h"
#include "net/wire.h"
#include "smtp/reply.h"
#include "util/error.h"

static const struct deadline soon = { .seconds = 60, .what = "the reply to MAIL FROM" };

struct reader {
	struct stream *peer;
	struct wire *wire;
	struct reply reply;
	struct error err;
};

static void begin(struct reader *r, const void *data, size_t n)
{
	*r = (struct reader){ .peer = memory_new(NULL), .reply = REPLY_INIT };
	r->wire = wire_new_take(r->peer);
	memory_say_bytes(r->peer, data, n);
}

static void end(struct reader *r)
{
	reply_release(&r->reply);
	wire_free(r->wire);
}

static int read_one(struct reader *r, bool hidden)
{
	return reply_read(r->wire, &soon, hidden, &r->reply, &r->err);
}

/* --- good ones ----------------------------------------------------------- */

#define OCTETS(literal) literal, sizeof(literal) - 1

static const struct {
	const char *data;
	size_t n;
	int code;
	const char *status;
	size_t lines;
	const char *text;
} good[] = {
	{ OCTETS("250 ok\r\n"), 250, "", 1, "ok" },
	{ OCTETS("250 ok\n"), 250, "", 1, "ok" },
	{ OCTETS("250\r\n"), 250, "", 1, "" },
	{ OCTETS("250 \r\n"), 250, "", 1, "" },
	{ OCTETS("334\r\n"), 334, "", 1, "" },
	{ OCTETS("250-\r\n250 \r\n"), 250, "", 2, " / " },
	{ OCTETS("250-a\r\n250-b\r\n250 c\r\n"), 250, "", 3, "a / b / c" },
	{ OCTETS("250-a\n250 b\r\n"), 250, "", 2, "a / b" },
	{ OCTETS("299 x\r\n"), 299, "", 1, "x" },
	{ OCTETS("599 x\r\n"), 599, "", 1, "x" },
	{ OCTETS("200 x\r\n"), 200, "", 1, "x" },
	{ OCTETS("550 5.1.1 no such user\r\n"), 550, "5.1.1", 1, "no such user" },
	{ OCTETS("550 5.1.1\r\n"), 550, "5.1.1", 1, "" },
	{ OCTETS("550-5.1.1 no\r\n550 5.1.1 such user\r\n"), 550, "5.1.1", 2, "no / such user" },
	{ OCTETS("550-5.1.1 no\r\n550 5.7.1 such user\r\n"), 550, "5.1.1", 2, "no / such user" },
	{ OCTETS("550 5.123.456 x\r\n"), 550, "5.123.456", 1, "x" },
	{ OCTETS("550 5.1234.1 x\r\n"), 550, "", 1, "5.1234.1 x" },
	{ OCTETS("550 5.1.1234 x\r\n"), 550, "", 1, "5.1.1234 x" },
	{ OCTETS("550 5.1.1x\r\n"), 550, "", 1, "5.1.1x" },
	{ OCTETS("550 5..1 x\r\n"), 550, "", 1, "5..1 x" },
	{ OCTETS("550 5.1. x\r\n"), 550, "", 1, "5.1. x" },
	{ OCTETS("550 4.1.1 other class\r\n"), 550, "", 1, "4.1.1 other class" },
	{ OCTETS("250 2.1.5 ok\r\n"), 250, "2.1.5", 1, "ok" },
	{ OCTETS("354 3.0.0 no status in 3xx\r\n"), 354, "", 1, "3.0.0 no status in 3xx" },
	{ OCTETS("250 a\0b\r\n"), 250, "", 1, "a?b" },
	{ OCTETS("250 \0\0\r\n"), 250, "", 1, "??" },
	{ OCTETS("250 a\x1b[2Jb\r\n"), 250, "", 1, "a\\x1B[2Jb" },
	{ OCTETS("250 a\rb\r\n"), 250, "", 1, "a\\x0Db" },
	{ OCTETS("250 gr\xc3\xbc\xc3\x9f\r\n"), 250, "", 1, "gr\xc3\xbc\xc3\x9f" },
	{ OCTETS("250 gr\xfc\r\n"), 250, "", 1, "gr\\xFC" },
};

static void check_good(size_t i, size_t piece, bool hidden)
{
	struct reader r;
	struct strbuf text = STRBUF_INIT(65536);

	begin(&r, good[i].data, good[i].n);
	memory_read_max(r.peer, piece);
	if (read_one(&r, hidden) < 0)
		fail_msg("%zu: %s", i, r.err.text);
	assert_int_equal(r.reply.code, good[i].code);
	assert_string_equal(r.reply.status, good[i].status);
	assert_int_equal(r.reply.lines.n, good[i].lines);
	reply_text(&r.reply, &text);
	assert_string_equal(text.buf, good[i].text);
	assert_int_equal(wire_unread(r.wire), 0);
	strbuf_release(&text);
	end(&r);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t piece = 0; piece <= good[i].n; piece++) {
			check_good(i, piece, false);
			check_good(i, piece, true);
		}
	}
}

/* Each reply ends where it ends: the next one is untouched. */
static void test_in_a_row(void **state)
{
	(void)state;
	for (size_t piece = 0; piece < 12; piece++) {
		struct reader r;

		begin(&r, OCTETS("250-a\r\n250 b\r\n550 5.1.1 c\r\n354\r\n"));
		memory_read_max(r.peer, piece);
		static const int codes[] = { 250, 550, 354 };

		for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
			assert_int_equal(read_one(&r, piece % 2), 0);
			assert_int_equal(r.reply.code, codes[i]);
		}
		assert_string_equal(r.reply.status, "");
		end(&r);
	}
}

/* --- bad ones ------------------------------------------------------------ */

static const struct {
	const char *data;
	size_t n;
	const char *text;
} bad[] = {
	{ OCTETS("\r\n"), "unparsable line instead of the reply to MAIL FROM: ''" },
	{ OCTETS("25\r\n"), "'25'" },
	{ OCTETS("2500 x\r\n"), "'2500 x'" },
	{ OCTETS("250x\r\n"), "'250x'" },
	{ OCTETS("250\tx\r\n"), "'250\\x09x'" },
	{ OCTETS("150 x\r\n"), "'150 x'" },
	{ OCTETS("600 x\r\n"), "'600 x'" },
	{ OCTETS("2a0 x\r\n"), "'2a0 x'" },
	{ OCTETS("25a x\r\n"), "'25a x'" },
	{ OCTETS(" 250 x\r\n"), "' 250 x'" },
	{ OCTETS("\0" "250 x\r\n"), "'\\x00250 x'" },
	{ OCTETS("HTTP/1.1 400 Bad Request\r\n"), "'HTTP/1.1 400 Bad Request'" },
	{ OCTETS("250-a\r\n550 b\r\n"), "'550 b'" },
	{ OCTETS("250-a\r\nb\r\n"), "'b'" },
	{ OCTETS("250-a\r\n\r\n250 b\r\n"), "''" },
	{ OCTETS("\x16\x03\x03\x00\x01\x00\n"), "'\\x16\\x03\\x03\\x00\\x01\\x00'" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (size_t piece = 0; piece < 4; piece++) {
			struct reader r;

			begin(&r, bad[i].data, bad[i].n);
			memory_read_max(r.peer, piece);
			assert_int_equal(read_one(&r, piece & 1), -1);
			assert_int_equal(r.err.exit, EX_PROTOCOL);
			assert_string_equal(r.err.status, "5.5.0");
			if (!strstr(r.err.text, bad[i].text))
				fail_msg("%s", r.err.text);
			assert_int_equal(r.reply.code, 0);
			end(&r);
		}
	}
}

static void test_ends(void **state)
{
	(void)state;
	static const char *const said[] = { "while waiting for the reply to MAIL FROM",
					    "connection lost", "timeout after 60 s" };
	static const char *const parts[] = { "", "2", "250", "250 o", "250-ok\r\n", "250 ok\r" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (int how = 0; how < 6; how++) {
			struct reader r;

			begin(&r, parts[i], strlen(parts[i]));
			if (!*parts[i]) {	/* an empty step would say "end" */
				wire_free(r.wire);
				r.peer = memory_new(NULL);
				r.wire = wire_new_take(r.peer);
			}
			if (how % 3 == 0)
				memory_end(r.peer);
			else if (how % 3 == 1)
				memory_fail(r.peer);
			assert_int_equal(read_one(&r, how >= 3), -1);
			assert_int_equal(r.err.exit, EX_TEMPFAIL);
			assert_string_equal(r.err.status, "4.4.2");
			assert_non_null(strstr(r.err.text, said[how % 3]));
			end(&r);
		}
	}
}

/* --- limits -------------------------------------------------------------- */

static void add_line(struct strbuf *out, const char *head, size_t n)
{
	strbuf_addstr(out, head);
	for (size_t i = strlen(head); i < n; i++)
		strbuf_addch(out, 'x');
	strbuf_addstr(out, "\r\n");
}

static void test_line_length(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		size_t n, kept, max;
	} table[] = {
		{ "250 ", 513, 512, 512 },
		{ "334 ", 513, 513, 512 },
		{ "250 ", 2 * REPLY_LINE_MAX, 2 * REPLY_LINE_MAX, REPLY_TOTAL_MAX },
		{ "250 ", REPLY_TOTAL_MAX + 1, REPLY_TOTAL_MAX, REPLY_TOTAL_MAX },
		{ "250 ", REPLY_LINE_MAX - 1, REPLY_LINE_MAX - 1, 0 },
		{ "250 ", REPLY_LINE_MAX, REPLY_LINE_MAX, 0 },
		{ "250 ", REPLY_LINE_MAX + 1, REPLY_LINE_MAX, 0 },
		{ "250 ", REPLY_TOTAL_MAX, REPLY_LINE_MAX, 0 },
		{ "250 ", 10 * REPLY_TOTAL_MAX, REPLY_LINE_MAX, 0 },
		{ "334 ", REPLY_LINE_MAX + 1, REPLY_LINE_MAX + 1, 0 },
		{ "334 ", REPLY_TOTAL_MAX, REPLY_TOTAL_MAX, 0 },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(table); i++) {
		struct strbuf data = STRBUF_INIT(2 * 1024 * 1024);
		struct reader r;
		size_t k = i / 2;

		add_line(&data, table[k].head, table[k].n);
		strbuf_addstr(&data, "221 next\r\n");
		begin(&r, data.buf, data.len);
		r.reply.line_max = table[k].max;
		assert_int_equal(read_one(&r, i & 1), 0);
		assert_int_equal(strlen(r.reply.lines.v[0]), table[k].kept - 4);
		assert_int_equal(read_one(&r, i & 1), 0);
		assert_int_equal(r.reply.code, 221);
		strbuf_release(&data);
		end(&r);
	}
}

static void test_size(void **state)
{
	(void)state;
	static const struct {
		size_t lines, length;
		bool good;
	} table[] = {
		{ REPLY_LINES_MAX - 1, 10, true }, { REPLY_LINES_MAX, 10, true },
		{ REPLY_LINES_MAX + 1, 10, false }, { 20 * REPLY_LINES_MAX, 10, false },
		{ 16, 4096, true }, { 17, 4096, false }, { 16, 8192, true }, { 17, 8192, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct strbuf data = STRBUF_INIT(2 * 1024 * 1024);
		struct reader r;

		for (size_t k = 0; k + 1 < table[i].lines; k++)
			add_line(&data, "250-", table[i].length);
		add_line(&data, "250 ", table[i].length);
		begin(&r, data.buf, data.len);
		assert_int_equal(read_one(&r, false), table[i].good ? 0 : -1);
		if (table[i].good) {
			assert_int_equal(r.reply.lines.n, table[i].lines);
		} else {
			assert_int_equal(r.err.exit, EX_PROTOCOL);
			assert_non_null(strstr(r.err.text, "too long"));
		}
		strbuf_release(&data);
		end(&r);
	}
}

/* --- the table of ends --------------------------------------------------- */

static const struct {
	enum stage stage;
	int code;
	const char *line;
	int exit;
	const char *status, *text;
} verdicts[] = {
	{ STAGE_GREETING, 554, "no", 69, "5.3.2", "greeting: 554 no" },
	{ STAGE_GREETING, 554, "5.7.1 no", 69, "5.3.2", "greeting: 554 5.7.1 no" },
	{ STAGE_GREETING, 421, "", 75, "4.3.2", "greeting: 421" },
	{ STAGE_EHLO, 500, "what", 69, "5.3.2", "EHLO: 500 what" },
	{ STAGE_LHLO, 500, "what", 69, "5.3.2", "LHLO: 500 what" },
	{ STAGE_HELO, 450, "x", 75, "4.0.0", "HELO: 450 x" },
	{ STAGE_STARTTLS, 454, "x", 75, "4.7.0", "STARTTLS: 454 x" },
	{ STAGE_STARTTLS, 501, "x", 69, "5.7.0", "STARTTLS: 501 x" },
	{ STAGE_AUTH, 432, "x", 77, "4.7.12", "AUTH PLAIN: 432 x" },
	{ STAGE_AUTH, 454, "x", 75, "4.7.0", "" },
	{ STAGE_AUTH, 500, "x", 77, "5.5.6", "" },
	{ STAGE_AUTH, 501, "x", 76, "5.5.2", "" },
	{ STAGE_AUTH, 503, "x", 76, "5.5.1", "" },
	{ STAGE_AUTH, 504, "x", 77, "5.5.4", "" },
	{ STAGE_AUTH, 525, "x", 77, "5.7.13", "" },
	{ STAGE_AUTH, 530, "x", 77, "5.7.0", "" },
	{ STAGE_AUTH, 534, "x", 77, "5.7.9", "" },
	{ STAGE_AUTH, 535, "x", 77, "5.7.8", "" },
	{ STAGE_AUTH, 538, "x", 77, "5.7.11", "" },
	{ STAGE_AUTH, 554, "x", 77, "5.7.8", "" },
	{ STAGE_MAIL, 550, "x", 69, "5.0.0", "MAIL FROM <PLAIN>: 550 x" },
	{ STAGE_MAIL, 550, "5.7.1 x", 77, "5.7.1", "" },
	{ STAGE_MAIL, 550, "5.1.8 x", 69, "5.1.8", "" },
	{ STAGE_MAIL, 530, "x", 77, "5.7.0", "" },
	{ STAGE_MAIL, 555, "x", 69, "5.5.4", "" },
	{ STAGE_MAIL, 552, "x", 69, "5.3.4", "" },
	{ STAGE_MAIL, 451, "4.7.1 x", 75, "4.7.1", "" },
	{ STAGE_MAIL, 250, "x", 76, "5.5.0", "MAIL FROM <PLAIN>: out of place: 250 x" },
	{ STAGE_RCPT, 550, "x", 67, "5.1.1", "RCPT TO <PLAIN>: 550 x" },
	{ STAGE_RCPT, 550, "5.7.1 x", 77, "5.7.1", "" },
	{ STAGE_RCPT, 550, "5.2.1 x", 67, "5.2.1", "" },
	{ STAGE_RCPT, 551, "x", 67, "5.1.6", "" },
	{ STAGE_RCPT, 553, "x", 67, "5.1.3", "" },
	{ STAGE_RCPT, 554, "5.1.1 x", 67, "5.1.1", "" },
	{ STAGE_RCPT, 554, "5.1.2 x", 67, "5.1.2", "" },
	{ STAGE_RCPT, 501, "5.1.3 x", 67, "5.1.3", "" },
	{ STAGE_RCPT, 554, "5.1.6 x", 67, "5.1.6", "" },
	{ STAGE_RCPT, 554, "5.1.10 x", 68, "5.1.10", "" },
	{ STAGE_RCPT, 556, "x", 68, "5.1.10", "" },
	{ STAGE_RCPT, 554, "5.1.11 x", 69, "5.1.11", "" },
	{ STAGE_RCPT, 552, "x", 69, "5.2.2", "" },
	{ STAGE_RCPT, 554, "x", 69, "5.0.0", "" },
	{ STAGE_RCPT, 530, "x", 77, "5.7.0", "" },
	{ STAGE_RCPT, 450, "4.1.1 x", 75, "4.1.1", "" },
	{ STAGE_RCPT, 452, "x", 75, "4.0.0", "" },
	{ STAGE_DATA, 554, "5.7.1 x", 69, "5.7.1", "DATA PLAIN: 554 5.7.1 x" },
	{ STAGE_DATA, 250, "x", 76, "5.5.0", "" },
	{ STAGE_DOT, 552, "x", 69, "5.3.4", "the final dot for <PLAIN>: 552 x" },
	{ STAGE_DOT, 554, "x", 69, "5.0.0", "" },
	{ STAGE_DOT, 354, "x", 76, "5.5.0", "" },
	{ STAGE_BDAT, 503, "x", 76, "5.5.1", "BDAT for <PLAIN>: 503 x" },
	{ STAGE_BDAT, 421, "4.4.5 x", 75, "4.4.5", "" },
	{ STAGE_RSET, 500, "x", 69, "5.0.0", "RSET PLAIN: 500 x" },
};

/* What a reply is about, beyond its exit code, which stays. */
static const struct {
	enum stage stage;
	int code;
	const char *line;
	enum fault fault;
	int exit;
} faults[] = {
	{ STAGE_GREETING, 554, "no", FAULT_SERVER_REFUSED, 69 },
	{ STAGE_EHLO, 550, "bad name", FAULT_NAME_REFUSED, 69 },
	{ STAGE_AUTH, 535, "5.7.8 no", FAULT_PASSWORD_REFUSED, 77 },
	{ STAGE_AUTH, 535, "5.7.139 no", FAULT_OAUTH_WANTED, 77 },
	{ STAGE_AUTH, 535, "SMTPClientAuthentication is off", FAULT_OAUTH_WANTED, 77 },
	{ STAGE_AUTH, 550, "5.7.30 no passwords", FAULT_OAUTH_WANTED, 77 },
	{ STAGE_AUTH, 534, "5.7.14 please log in", FAULT_BROWSER_WANTED, 77 },
	{ STAGE_AUTH, 534, "5.7.9 weak", FAULT_MECHANISM_WEAK, 77 },
	{ STAGE_AUTH, 534, "5.7.9 Application-Specific password", FAULT_APP_PASSWORD_WANTED, 77 },
	{ STAGE_AUTH, 501, "5.7.139 no", FAULT_RESPONSE_REFUSED, 76 },
	{ STAGE_MAIL, 550, "no", FAULT_SENDER_REFUSED, 69 },
	{ STAGE_MAIL, 450, "4.1.8 Domain not found", FAULT_SENDER_DOMAIN, 75 },
	{ STAGE_RCPT, 550, "5.1.1 no", FAULT_RECIPIENT_UNKNOWN, 67 },
	{ STAGE_RCPT, 550, "no RELAY here", FAULT_RELAY_DENIED, 67 },
	{ STAGE_RCPT, 554, "5.7.1 Relay access denied", FAULT_RELAY_DENIED, 77 },
	{ STAGE_RCPT, 550, "5.7.1 sender refused", FAULT_SENDER_REFUSED, 77 },
	{ STAGE_RCPT, 450, "4.7.1 later", FAULT_GREYLISTED, 75 },
	{ STAGE_RCPT, 451, "Greylisted", FAULT_GREYLISTED, 75 },
	{ STAGE_RCPT, 554, "5.7.1 on a blocklist", FAULT_LISTED, 77 },
	{ STAGE_RCPT, 452, "4.2.2 full", FAULT_MAILBOX_FULL, 75 },
	{ STAGE_RCPT, 451, "x", FAULT_REFUSED_FOR_NOW, 75 },
	{ STAGE_RCPT, 421, "4.7.1 greylisted", FAULT_SERVER_CLOSES, 75 },
	{ STAGE_RCPT, 530, "5.7.0 sender must sign in", FAULT_SIGN_IN_WANTED, 77 },
	{ STAGE_AUTH, 501, "5.5.2 cannot decode - gsmtp", FAULT_RESPONSE_REFUSED, 76 },
	{ STAGE_RCPT, 354, "relay", FAULT_PROTOCOL, 76 },
	{ STAGE_DOT, 552, "5.2.2 full", FAULT_MAILBOX_FULL, 69 },
	{ STAGE_DOT, 552, "x", FAULT_TOO_LARGE, 69 },
};

static void test_reply_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct strbuf data = STRBUF_INIT(200);
		struct reader r;

		strbuf_addf(&data, "%d %s\r\n", faults[i].code, faults[i].line);
		begin(&r, data.buf, data.len);
		assert_int_equal(read_one(&r, false), 0);
		reply_error_about(&r.reply, faults[i].stage, "relay@sender.list", &r.err);
		if (r.err.fault != faults[i].fault || r.err.exit != faults[i].exit)
			fail_msg("%s: %s, exit %d", r.err.text, fault_rows[r.err.fault].name,
				 r.err.exit);
		strbuf_release(&data);
		end(&r);
	}
}

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct strbuf data = STRBUF_INIT(200);
		struct reader r;
		bool bare = verdicts[i].stage < STAGE_AUTH;

		strbuf_addf(&data, "%d %s\r\n", verdicts[i].code, verdicts[i].line);
		begin(&r, data.buf, data.len);
		assert_int_equal(read_one(&r, false), 0);
		assert_int_equal(bare ? reply_error(&r.reply, verdicts[i].stage, &r.err)
				 : reply_error_about(&r.reply, verdicts[i].stage, "PLAIN", &r.err),
				 -1);
		if (r.err.exit != verdicts[i].exit ||
		    strcmp(r.err.status, verdicts[i].status) != 0 ||
		    !strstr(r.err.text, verdicts[i].text))
			fail_msg("%zu: %d %s %s", i, r.err.exit, r.err.status, r.err.text);
		assert_int_equal(r.err.reply, verdicts[i].code);
		strbuf_release(&data);
		end(&r);
	}
}

/* Every code at every stage has an end, and 4xx is the only temporary one (but for 432). */
static void test_every_code(void **state)
{
	(void)state;
	struct reply r = REPLY_INIT;

	strvec_add(&r.lines, "words");
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		for (r.code = 200; r.code < 600; r.code++) {
			struct error err = { 0 };

			assert_int_equal(reply_error(&r, (enum stage)stage, &err), -1);
			assert_in_range(err.exit, 64, 78);
			const bool closes = r.code == 221;	/* the channel does */

			assert_int_equal(error_is_temporary(&err), r.code / 100 == 4 || closes);
			if (r.code / 100 == 4 && r.code != 432)
				assert_int_equal(err.exit, EX_TEMPFAIL);
			if (r.code < 400 && !closes)
				assert_int_equal(err.exit, EX_PROTOCOL);
			assert_int_equal(strlen(err.status) >= 5, 1);
		}
		assert_non_null(stage_name((enum stage)stage));
		assert_non_null(stage_awaited((enum stage)stage));
	}
	reply_release(&r);
}

static void test_long_text(void **state)
{
	(void)state;
	struct strbuf data = STRBUF_INIT(100000);
	struct reader r;

	for (int i = 0; i < 15; i++)
		add_line(&data, "550-5.1.1 ", 4000);
	add_line(&data, "550 5.1.1 ", 4000);
	begin(&r, data.buf, data.len);
	assert_int_equal(read_one(&r, false), 0);
	assert_int_equal(reply_error(&r.reply, STAGE_RCPT, &r.err), -1);
	assert_int_equal(strlen(r.err.text), sizeof(r.err.text) - 1);
	assert_string_equal(r.err.text + sizeof(r.err.text) - 4, "...");
	strbuf_release(&data);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_in_a_row),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_reply_faults),
		cmocka_unit_test(test_every_code),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
