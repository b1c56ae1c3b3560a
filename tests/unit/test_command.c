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
#include "smtp/command.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

static const struct deadline soon = { .seconds = 60, .what = "the reply" };

struct line {
	const char *data;
	size_t n;
	bool utf8;
	const char *status;	/* "" = may be sent */
};

#define OCTETS(literal) literal, sizeof(literal) - 1

static const struct line lines[] = {
	{ OCTETS("NOOP"), false, "" },
	{ OCTETS(""), false, "" },
	{ OCTETS("MAIL FROM:<> SIZE=1"), false, "" },
	{ OCTETS("RCPT TO:<a@b>\r\nRCPT TO:<c@d>"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a@b>\nDATA"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a@b>\rDATA"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a\0@b>"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a@b>\0"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a\t@b>"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a\x7f@b>"), false, "5.5.2" },
	{ OCTETS("RCPT TO:<a\x1b@b>"), true, "5.5.2" },
	{ OCTETS("RCPT TO:<\xc3\xa9@b>"), false, "5.6.7" },
	{ OCTETS("RCPT TO:<\xc3\xa9@b>"), true, "" },
	{ OCTETS("RCPT TO:<\xe9@b>"), true, "5.6.7" },
	{ OCTETS("RCPT TO:<\xc0\x8d@b>"), true, "5.6.7" },	/* CR in a longer form */
	{ OCTETS("RCPT TO:<\xed\xa0\x80@b>"), true, "5.6.7" },
	{ OCTETS("RCPT TO:<\xc3\xa9@b>\r\n"), true, "5.5.2" },
};

static void test_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct strbuf line = STRBUF_INIT(COMMAND_BUFFER_MAX);
		struct error err = { 0 };

		strbuf_add(&line, lines[i].data, lines[i].n);
		int rc = command_check(&line, 0, lines[i].utf8, &err);

		assert_int_equal(rc, *lines[i].status ? -1 : 0);
		assert_string_equal(err.status, lines[i].status);
		assert_int_equal(err.exit, *lines[i].status ? EX_DATAERR : 0);
		strbuf_release(&line);
	}
}

/* Each octet by itself, at each end and in the middle. */
static void test_each_octet(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 5; at++) {
			struct strbuf line = STRBUF_INIT(COMMAND_BUFFER_MAX);
			struct error err;
			char text[] = "VERBS";

			text[at] = (char)c;
			strbuf_add(&line, text, 5);
			assert_int_equal(command_check(&line, 0, false, &err),
					 c >= 32 && c < 127 ? 0 : -1);
			strbuf_release(&line);
		}
	}
}

static void test_length(void **state)
{
	(void)state;
	static const struct {
		size_t n, extra;
		int rc;
	} table[] = {
		{ 509, 0, 0 }, { 510, 0, 0 }, { 511, 0, -1 }, { 512, 0, -1 }, { 5000, 0, -1 },
		{ 535, 26, 0 }, { 536, 26, 0 }, { 537, 26, -1 }, { 100000, 1000000, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct strbuf line = STRBUF_INIT(COMMAND_BUFFER_MAX);
		struct error err;

		for (size_t k = 0; k < table[i].n; k++)
			strbuf_addch(&line, 'x');
		assert_int_equal(command_check(&line, table[i].extra, false, &err), table[i].rc);
		if (table[i].rc < 0)
			assert_string_equal(err.status, "5.5.4");
		strbuf_release(&line);
	}
}

/* --- sending ------------------------------------------------------------- */

struct sender {
	struct strbuf written, seen;
	struct wire *wire;
	struct error err;
};

static void trace(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	struct sender *s = ctx;

	assert_int_equal(direction, WIRE_OUT);
	strbuf_add(&s->seen, text, n);
	strbuf_addch(&s->seen, '\n');
}

static void begin(struct sender *s)
{
	*s = (struct sender){ .written = STRBUF_INIT(1024 * 1024),
		.seen = STRBUF_INIT(1024 * 1024) };
	s->wire = wire_new_take(memory_new(&s->written));
	wire_set_trace(s->wire, trace, s);
}

static void end(struct sender *s)
{
	wire_free(s->wire);
	strbuf_release(&s->written);
	strbuf_release(&s->seen);
}

static void test_send(void **state)
{
	(void)state;
	struct sender s;
	struct strbuf line = STRBUF_INIT(COMMAND_BUFFER_MAX);

	begin(&s);
	strbuf_addstr(&line, "NOOP");
	assert_int_equal(command_send(s.wire, &line, false, &soon, &s.err), 0);
	assert_int_equal(s.written.len, 0);	/* until a reply is wanted */
	assert_int_equal(wire_flush(s.wire, &soon, &s.err), 0);
	assert_string_equal(s.written.buf, "NOOP\r\n");
	assert_string_equal(s.seen.buf, "NOOP\n");
	strbuf_reset(&line);
	strbuf_addstr(&line, "NOOP\r\nQUIT");
	assert_int_equal(command_send(s.wire, &line, false, &soon, &s.err), -1);
	assert_int_equal(wire_unsent(s.wire), 0);
	assert_non_null(strstr(s.err.text, "cannot send NOOP"));
	strbuf_release(&line);
	end(&s);
}

static void test_secret(void **state)
{
	(void)state;
	static const struct {
		const char *open, *secret, *seen;
	} table[] = {
		{ "AUTH PLAIN ", "AHRpbQB0YW5zdGFhZnRhbnN0YWFm",
		  "AUTH PLAIN <28 octets hidden>\n" },
		{ "", "cGVuY2ls", "<8 octets hidden>\n" },
		{ "", "", "<0 octets hidden>\n" },
		{ "AUTH EXTERNAL ", "=", "AUTH EXTERNAL <1 octets hidden>\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct sender s;
		struct strbuf sent = STRBUF_INIT(1000);

		begin(&s);
		assert_int_equal(command_send_secret(s.wire, table[i].open, table[i].secret,
						     strlen(table[i].secret), &soon, &s.err), 0);
		assert_int_equal(wire_flush(s.wire, &soon, &s.err), 0);
		strbuf_addf(&sent, "%s%s\r\n", table[i].open, table[i].secret);
		assert_string_equal(s.written.buf, sent.buf);
		assert_string_equal(s.seen.buf, table[i].seen);
		strbuf_release(&sent);
		end(&s);
	}
}

/* Longer than any command: the exchange knows no limit of 512 octets. */
static void test_long_secret(void **state)
{
	(void)state;
	struct sender s;
	struct strbuf secret = STRBUF_INIT(100000);

	begin(&s);
	while (secret.len < 90000)
		strbuf_addch(&secret, 'A');
	assert_int_equal(command_send_secret(s.wire, "", secret.buf, secret.len, &soon, &s.err), 0);
	assert_int_equal(wire_flush(s.wire, &soon, &s.err), 0);
	assert_int_equal(s.written.len, 90002);
	assert_string_equal(s.seen.buf, "<90000 octets hidden>\n");
	strbuf_release(&secret);
	end(&s);
}

static void test_bad_secret(void **state)
{
	(void)state;
	static const char *const secrets[] = { "a\r\nb", "a\nb", "\x01", "\xff" };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		struct sender s;

		begin(&s);
		assert_int_equal(command_send_secret(s.wire, "", secrets[i], strlen(secrets[i]),
						     &soon,
						     &s.err), -1);
		assert_int_equal(s.err.exit, EX_SOFTWARE);
		assert_null(strstr(s.err.text, secrets[i]));
		assert_int_equal(wire_unsent(s.wire), 0);
		end(&s);
	}
}

static void test_number(void **state)
{
	(void)state;
	static const uint64_t numbers[] = { 0, 1, 9, 10, 99, 100, 65536, 4294967295u, 4294967296u,
		10000000000000000000u, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct strbuf line = STRBUF_INIT(100);
		char expected[32];

		snprintf(expected, sizeof(expected), "x%llu", (unsigned long long)numbers[i]);
		strbuf_addch(&line, 'x');
		command_add_number(&line, numbers[i]);
		assert_string_equal(line.buf, expected);
		strbuf_release(&line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_each_octet),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_long_secret),
		cmocka_unit_test(test_bad_secret),
		cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
