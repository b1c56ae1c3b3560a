#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/smtpd.h"
#include "util/attr.h"
#include "util/strbuf.h"

enum { LF = 1, CR = 2, NUL = 4, ALL_FLAGS = 7 };

struct expected {
	char out[4096];
	size_t len;
	size_t taken;
	bool done;
	unsigned flags;
};

/*
 * A second opinion that sees the whole input at once. The end is the first
 * CRLF.CRLF of the input with the CRLF of the command in front of it; what
 * is before it is cut into lines at CRLF and LF, and the first dot of each
 * line goes.
 */
static void model(const char *data, size_t n, struct expected *e)
{
	char whole[4096] = "\r\n";
	bool start = true;

	memcpy(whole + 2, data, n);
	const char *end = memmem(whole, n + 2, "\r\n.\r\n", 5);

	memset(e, 0, sizeof(*e));
	e->done = end != NULL;
	e->taken = end ? (size_t)(end - whole) + 3 : n;
	size_t text = end ? (size_t)(end - whole) : n;

	for (size_t i = 0; i < text; i++) {
		char next = i + 1 < n ? data[i + 1] : 'x';

		if (start && data[i] == '.') {
			start = false;
			continue;
		}
		start = false;
		if (data[i] == '\r' && next == '\n') {
			continue;
		} else if (data[i] == '\n') {
			e->out[e->len++] = '\r';
			e->out[e->len++] = '\n';
			start = true;
			if (i == 0 || data[i - 1] != '\r')
				e->flags |= LF;
		} else if (data[i] == '\r') {
			if (i + 1 == n)		/* what it is only the next octet tells */
				continue;
			e->out[e->len++] = ' ';
			e->flags |= CR;
		} else if (data[i] == '\0') {
			e->flags |= NUL;
		} else {
			e->out[e->len++] = data[i];
		}
	}
}

static unsigned flags_of(const struct indata *in)
{
	return (in->bare_lf ? LF : 0U) | (in->bare_cr ? CR : 0U) | (in->nul ? NUL : 0U);
}

/* Feeds data in pieces: a cut behind octet i where bit i of cuts is set. */
static void feed(const char *data, size_t n, uint64_t cuts, const struct expected *e)
{
	struct strbuf out = STRBUF_INIT(sizeof(e->out));
	struct indata in;
	size_t taken = 0, from = 0;

	in = (struct indata){ .state = INDATA_LINE };
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && (i >= 64 || !(cuts >> i & 1)))
			continue;
		taken += indata_push(&in, data + from, i + 1 - from, &out);
		from = i + 1;
		if (in.state == INDATA_DONE)
			break;
		assert_int_equal(taken, from);
	}
	assert_int_equal(in.state == INDATA_DONE, e->done);
	assert_int_equal(taken, e->taken);
	assert_int_equal(out.len, e->len);
	assert_memory_equal(out.buf, e->out, e->len);
	assert_int_equal(flags_of(&in), e->flags);
	assert_int_equal(in.size, e->len);
	assert_false(strbuf_overflow(&out));
	strbuf_release(&out);
}

#define S(text) text, sizeof(text) - 1

static const struct {
	const char *in;
	size_t in_len;
	const char *out;
	size_t out_len;
	bool done;
	unsigned flags;
	const char *rest;	/* what is left for the commands */
} cases[] = {
	{ S(".\r\n"), S(""), true, 0, "" },
	{ S("a\r\n.\r\n"), S("a\r\n"), true, 0, "" },
	{ S("a\r\n.\r\nQUIT\r\n"), S("a\r\n"), true, 0, "QUIT\r\n" },
	{ S("\r\n.\r\n.\r\n"), S("\r\n"), true, 0, ".\r\n" },
	{ S("..\r\n.\r\n"), S(".\r\n"), true, 0, "" },
	{ S(".a\r\n.\r\n"), S("a\r\n"), true, 0, "" },
	{ S("..a\r\n...\r\n.\r\n"), S(".a\r\n..\r\n"), true, 0, "" },
	{ S("a.\r\n.\r\n"), S("a.\r\n"), true, 0, "" },
	{ S("a\r\n"), S("a\r\n"), false, 0, "" },
	{ S("a\r\n."), S("a\r\n"), false, 0, "" },
	{ S("a\r\n.\r"), S("a\r\n"), false, 0, "" },
	{ S("a\n.\n"), S("a\r\n\r\n"), false, LF, "" },
	{ S("a\n.\r\n.\r\n"), S("a\r\n\r\n"), true, LF, "" },
	{ S("a\n..b\r\n.\r\n"), S("a\r\n.b\r\n"), true, LF, "" },
	{ S("a\r.\r\n.\r\n"), S("a .\r\n"), true, CR, "" },
	{ S("a\r\r\n.\r\n"), S("a \r\n"), true, CR, "" },
	{ S("a\r\n.\r\r\n.\r\n"), S("a\r\n \r\n"), true, CR, "" },
	{ S("a\0b\r\n.\r\n"), S("ab\r\n"), true, NUL, "" },
	{ S("a\r\n.\0\r\n.\r\n"), S("a\r\n\r\n"), true, NUL, "" },
	{ S("a\r\n\0.\r\n.\r\n"), S("a\r\n.\r\n"), true, NUL, "" },
	{ S("a\r\0\n.\r\n.\r\n"), S("a \r\n\r\n"), true, LF | CR | NUL, "" },
	{ S("\xc3\xa4\xff\r\n.\r\n"), S("\xc3\xa4\xff\r\n"), true, 0, "" },
};

static void test_cases_in_all_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct expected e = { .len = cases[i].out_len, .done = cases[i].done,
				      .flags = cases[i].flags,
				      .taken = cases[i].in_len - strlen(cases[i].rest) };

		memcpy(e.out, cases[i].out, e.len);
		assert_in_range(cases[i].in_len, 1, 16);
		for (uint64_t cuts = 0; cuts < 1ULL << (cases[i].in_len - 1); cuts++)
			feed(cases[i].in, cases[i].in_len, cuts, &e);
	}
}

/* Every input of up to seven octets over the letters that matter, whole and octet by octet. */
static void test_all_short_inputs(void **state)
{
	static const char letters[] = { '\r', '\n', '.', 'a', '\0' };
	struct expected e;
	char data[8];

	(void)state;
	for (size_t n = 1; n <= 7; n++) {
		size_t count = 1;

		for (size_t i = 0; i < n; i++)
			count *= sizeof(letters);
		for (size_t number = 0; number < count; number++) {
			size_t rest = number;

			for (size_t i = 0; i < n; i++, rest /= sizeof(letters))
				data[i] = letters[rest % sizeof(letters)];
			model(data, n, &e);
			feed(data, n, 0, &e);
			feed(data, n, UINT64_MAX, &e);
		}
	}
}

/* What other servers took for the end of data; between them stands a forged transaction. */
static const struct {
	const char *text;
	size_t len;
} spellings[] = {
	{ S("\n.\n") }, { S("\n.\r\n") }, { S("\r\n.\n") }, { S("\r.\r") }, { S("\r.\r\n") },
	{ S("\r\n.\r") }, { S("\n.\r") }, { S("\r.\n") }, { S("\r\n\0.\r\n") },
	{ S("\r\n.\0\r\n") },
	{ S("\r\r\n.\r\r\n") }, { S("\r\n.\r\r\n") }, { S("\n\n.\r\n") }, { S("\r\0\n.\r\n") },
	{ S("\r\n.\r\0\n") }, { S("\r\n . \r\n") },
};

static void test_spellings_of_the_end(void **state)
{
	static const char forged[] = "MAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.org>\r\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		struct strbuf in = STRBUF_INIT(1000);
		struct expected e;

		strbuf_addstr(&in, "Subject: x\r\n\r\nbody");
		strbuf_add(&in, spellings[i].text, spellings[i].len);
		strbuf_addstr(&in, forged);
		size_t before = in.len;

		strbuf_addstr(&in, ".\r\nNOOP\r\n");
		model(in.buf, in.len, &e);
		assert_true(e.done);
		assert_int_equal(e.taken, before + 3);	/* only the true end ends it */
		feed(in.buf, in.len, 0, &e);
		for (size_t cut = 0; cut < 64; cut++)
			feed(in.buf, in.len, 1ULL << cut, &e);
		strbuf_release(&in);
	}
}

static void test_nul_at_every_offset(void **state)
{
	static const char text[] = "Subject: x\r\n\r\n..body\r\n.\r\n";
	size_t n = sizeof(text) - 1;

	(void)state;
	for (size_t at = 0; at < n; at++) {
		char data[sizeof(text) + 8];
		struct expected e;

		/* behind the damaged text a true end follows in any case */
		memcpy(data, text, at);
		data[at] = '\0';
		memcpy(data + at + 1, text + at, n - at);
		memcpy(data + n + 1, "\r\n.\r\n", 5);
		model(data, n + 6, &e);
		assert_true(e.done);
		assert_true(e.flags & NUL);
		feed(data, n + 6, UINT64_MAX, &e);
		feed(data, n + 6, 0, &e);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 16;
}

/* Canonical text of n octets or a few more, rich in dots and line ends. */
static void make_text(struct strbuf *out, size_t n, uint32_t *seed)
{
	static const char letters[] = "..ab \xff";

	while (out->len < n) {
		if (next_random(seed) % 4 == 0)
			strbuf_add(out, "\r\n", 2);
		else
			strbuf_addch(out, letters[next_random(seed) % (sizeof(letters) - 1)]);
	}
	strbuf_add(out, "\r\n", 2);
}

static void stuff(const struct strbuf *text, struct strbuf *out)
{
	for (size_t i = 0; i < text->len; i++) {
		if (text->buf[i] == '.' && (i == 0 || text->buf[i - 1] == '\n'))
			strbuf_addch(out, '.');
		strbuf_addch(out, text->buf[i]);
	}
	strbuf_add(out, ".\r\n", 3);
}

static void test_unstuff_of_stuff(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t round = 0; round < 500; round++) {
		struct strbuf text = STRBUF_INIT(1000), wire = STRBUF_INIT(3000);
		struct expected e = { .done = true };

		make_text(&text, next_random(&seed) % 60, &seed);
		stuff(&text, &wire);
		e.taken = wire.len;
		e.len = text.len;
		memcpy(e.out, text.buf, text.len);
		feed(wire.buf, wire.len, 0, &e);
		for (size_t cut = 0; cut < 64; cut++)
			feed(wire.buf, wire.len, 1ULL << cut, &e);
		feed(wire.buf, wire.len, UINT64_MAX, &e);
		strbuf_release(&text);
		strbuf_release(&wire);
	}
}

/* The room that the header of the module asks for is enough, and all of it may be needed. */
static void test_room(void **state)
{
	char lfs[64];
	struct strbuf out = STRBUF_INIT(2 * sizeof(lfs) + 4);
	struct indata in;

	(void)state;
	memset(lfs, '\n', sizeof(lfs));
	in = (struct indata){ .state = INDATA_LINE };
	assert_int_equal(indata_push(&in, lfs, sizeof(lfs), &out), sizeof(lfs));
	assert_int_equal(out.len, 2 * sizeof(lfs));
	assert_false(strbuf_overflow(&out));
	assert_int_equal(in.size, out.len);
	strbuf_reset(&out);
	assert_int_equal(indata_push(&in, "\r", 1, &out), 1);
	assert_int_equal(out.len, 0);
	memset(lfs, '\r', sizeof(lfs));
	assert_int_equal(indata_push(&in, lfs, sizeof(lfs), &out), sizeof(lfs));
	assert_int_equal(out.len, sizeof(lfs));
	strbuf_release(&out);
}

static void test_nothing_after_the_end(void **state)
{
	struct strbuf out = STRBUF_INIT(100);
	struct indata in;

	(void)state;
	in = (struct indata){ .state = INDATA_LINE };
	assert_int_equal(indata_push(&in, S(".\r\n"), &out), 3);
	assert_int_equal(in.state, INDATA_DONE);
	assert_int_equal(indata_push(&in, S("MAIL\r\n"), &out), 0);
	assert_int_equal(out.len, 0);
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_in_all_pieces),
		cmocka_unit_test(test_all_short_inputs),
		cmocka_unit_test(test_spellings_of_the_end),
		cmocka_unit_test(test_nul_at_every_offset),
		cmocka_unit_test(test_unstuff_of_stuff),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_nothing_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
