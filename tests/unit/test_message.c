#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message_model.h"
#include "util/fs.h"
#include "util/xalloc.h"

enum { DOTS = 1, WIRE = 2 };

/* A string literal with its length, so that NULs count. */
#define S(s) s, sizeof(s) - 1

static const struct {
	const char *in;
	size_t len;
	unsigned flags;
	const char *header;	/* the fields, one behind the other */
	const char *body;	/* on the wire */
	unsigned ignored;
} cases[] = {
	/* the header's end (doc/sendmail.md#message) */
	{ S(""), 0, "", "", 0 },
	{ S("\n"), 0, "", "", 0 },
	{ S("A: b\n"), 0, "A: b\r\n", "", 0 },
	{ S("A: b"), 0, "A: b\r\n", "", 0 },
	{ S("A: b\n\n"), 0, "A: b\r\n", "", 0 },
	{ S("A: b\n\nx"), 0, "A: b\r\n", "x\r\n", 0 },
	{ S("A: b\n\n\nx\n\n"), 0, "A: b\r\n", "\r\nx\r\n\r\n", 0 },
	{ S("hello world\n"), 0, "", "hello world\r\n", 0 },
	{ S(" A: b\n\nx\n"), 0, "", " A: b\r\n\r\nx\r\n", 0 },
	{ S("A: b\nno field\nC: d\n"), 0, "A: b\r\n", "no field\r\nC: d\r\n", 0 },
	{ S("A: b\n c\n\td\n\nx\n"), 0, "A: b\r\n c\r\n\td\r\n", "x\r\n", 0 },
	{ S("A : b\nC\t:d\n\n"), 0, "A : b\r\nC\t:d\r\n", "", 0 },
	{ S("A: b\n: c\n"), 0, "A: b\r\n", ": c\r\n", 0 },
	{ S("A:\n\n"), 0, "A:\r\n", "", 0 },
	{ S("A: b\n \nC: d\n\n"), 0, "A: b\r\n \r\nC: d\r\n", "", 0 },
	{ S("\xc3\xbc: b\n"), 0, "", "\xc3\xbc: b\r\n", 0 },
	/* line ends (5.2) */
	{ S("A: b\r\nC: d\n\r\none\r\ntwo\n"), 0, "A: b\r\nC: d\r\n", "one\r\ntwo\r\n", 0 },
	{ S("A: b\r\r\nC: d\r\r\r\n\r\r\nx\r\r\n"), 0, "A: b\r\nC: d\r\n", "x\r\n", 0 },
	{ S("Subject: a\rX: b\n\n"), 0, "Subject: a X: b\r\n", "", 0 },
	{ S("Subject: a\r\rBcc: x\r\n\r\n"), 0, "Subject: a  Bcc: x\r\n", "", 0 },
	{ S("A: b\n\rC: d\n\n"), 0, "A: b\r\n C: d\r\n", "", 0 },
	{ S("A: b\r"), 0, "A: b\r\n", "", 0 },
	{ S("\na\rb"), 0, "", "a\r\nb\r\n", 0 },
	{ S("\na\r\rb\r"), 0, "", "a\r\n\r\nb\r\n", 0 },
	{ S("\na\n\rb\n"), 0, "", "a\r\n\r\nb\r\n", 0 },
	{ S("\na\r\n\n\r\n\r\r\n"), 0, "", "a\r\n\r\n\r\n\r\n", 0 },
	/* NUL (5.2) */
	{ S("A\0: b\0\n\0\n\0x\0\n\0"), 0, "A: b\r\n", "x\r\n", 0 },
	{ S("A: b\r\0\n\r\0\na\r\0\nb\0\r\n"), 0, "A: b\r\n", "a\r\nb\r\n", 0 },
	{ S("\n\0\0"), 0, "", "", 0 },
	{ S("\n.\0\nx\n"), 0, "", ".\r\nx\r\n", 0 },
	/* the lone dot (5.1) */
	{ S("A: b\n\nx\n.\ny\n"), 0, "A: b\r\n", "x\r\n", 2 },
	{ S("A: b\n\nx\r\n.\r\ny\r\n"), 0, "A: b\r\n", "x\r\n", 3 },
	{ S("\nx\n.\r\r\n123"), 0, "", "x\r\n", 3 },
	{ S("\nx\n."), 0, "", "x\r\n", 0 },
	{ S("\nx\n.\r"), 0, "", "x\r\n", 0 },
	{ S("\nx\n.\n"), 0, "", "x\r\n", 0 },
	{ S("\n.\nabc"), 0, "", "", 3 },
	{ S("A: b\n.\nC: d\n\n"), 0, "A: b\r\n", "", 6 },
	{ S("A: b\n."), 0, "A: b\r\n", "", 0 },
	{ S(".\nabc"), 0, "", "", 3 },
	{ S("."), 0, "", "", 0 },
	{ S("\nx\n..\n.y\n. \n"), 0, "", "x\r\n..\r\n.y\r\n. \r\n", 0 },
	{ S("\nx\r.\ry\n"), 0, "", "x\r\n.\r\ny\r\n", 0 },
	{ S("\nx\r.\ny\n"), 0, "", "x\r\n.\r\ny\r\n", 0 },
	{ S("\nx\n.\ry\n"), 0, "", "x\r\n.\r\ny\r\n", 0 },
	{ S("\nx\n.\ny\n"), DOTS, "", "x\r\n.\r\ny\r\n", 0 },
	{ S("A: b\n.\nx"), DOTS, "A: b\r\n", ".\r\nx\r\n", 0 },
	{ S("A: b\r\n\r\nx\r\n.\r\n"), WIRE, "A: b\r\n", "x\r\n.\r\n", 0 },
	/* mbox lines (5.3) */
	{ S("From a@b Thu Jan  1 00:00:00 1970\nA: b\n\nx\n"), 0, "A: b\r\n", "x\r\n", 0 },
	{ S(">From a\r\n>>>From b\r\nA: b\r\n\r\n"), 0, "A: b\r\n", "", 0 },
	{ S("From a\n\nFrom b\n"), 0, "", "From b\r\n", 0 },
	{ S("A: b\nFrom c\nD: e\n"), 0, "A: b\r\n", "From c\r\nD: e\r\n", 0 },
	{ S("A: b\n>From c 1:2\n"), 0, "A: b\r\n", ">From c 1:2\r\n", 0 },
	{ S("From: a\n\n"), 0, "From: a\r\n", "", 0 },
	{ S("From : a\n\n"), 0, "From : a\r\n", "", 0 },
	{ S("From\n"), 0, "", "From\r\n", 0 },
	{ S("FROM a\n"), 0, "", "FROM a\r\n", 0 },
	{ S(">\n"), 0, "", ">\r\n", 0 },
	{ S("From a"), 0, "", "", 0 },
	{ S("From a\r\nA: b\r\n\r\n"), WIRE, "", "From a\r\nA: b\r\n\r\n", 0 },
};

static struct message_options options(unsigned flags)
{
	return (struct message_options){ .dots_ignored = flags & DOTS, .wire = flags & WIRE };
}

static void write_body(const struct message *m, struct strbuf *out)
{
	struct edits e;

	edits_init(&e, m->arena, m);
	for (size_t i = 0; i < e.n; i++)
		edits_drop(&e, i);
	const char *wrong = model_write(m, &e, WRITER_PLAIN, 4096, out);

	if (wrong)
		fail_msg("%s", wrong);
	strbuf_consume(out, 2);	/* the empty line */
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 0; piece < 6; piece++) {
			struct strbuf out = STRBUF_INIT(100000);
			struct message_options opt = options(cases[i].flags);
			struct error err;
			struct message *m = model_read(cases[i].in, cases[i].len, piece,
						       &opt, &err);

			for (size_t k = 0; k < m->header.n; k++)
				strbuf_addstr(&out, m->header.field[k].text);
			if (strcmp(out.buf, cases[i].header) != 0)
				fail_msg("case %zu: header '%s'", i, out.buf);
			strbuf_reset(&out);
			write_body(m, &out);
			if (out.len != strlen(cases[i].body) ||
			    memcmp(out.buf, cases[i].body, out.len))
				fail_msg("case %zu: body '%s'", i, out.buf);
			if (m->ignored != cases[i].ignored)
				fail_msg("case %zu: %u ignored", i, (unsigned)m->ignored);
			strbuf_release(&out);
			message_free(m);
		}
	}
}

/* Every case against the model, for all ways of cutting it in equal pieces. */
static void test_cases_by_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned flags = 0; flags < 4; flags++) {
			struct message_options opt = options(flags);

			for (size_t piece = 1; piece <= cases[i].len + 1; piece++) {
				const char *wrong = model_check(cases[i].in, cases[i].len, piece,
								15 + piece, &opt);

				if (wrong)
					fail_msg("case %zu flags %u: %s", i, flags, wrong);
			}
		}
	}
}

/* All inputs of up to six octets from those that matter. */
static void test_all_short_inputs(void **state)
{
	static const char alphabet[] = { '\n', '\r', '.', '\0', 'a', ':' };
	const size_t base = sizeof(alphabet);
	char text[6];

	(void)state;
	for (size_t len = 0, count = 1; len <= 5; len++, count *= base) {
		for (size_t number = 0; number < count; number++) {
			size_t rest = number;
			struct message_options opt = options(number % 3 == 0 ? DOTS : 0);

			for (size_t i = 0; i < len; i++, rest /= base)
				text[i] = alphabet[rest % base];
			const char *wrong = model_check(text, len, 1 + number % 2, 16, &opt);

			if (wrong)
				fail_msg("number %zu of length %zu: %s", number, len, wrong);
		}
	}
}

/* Each of seven lines ends in one of three ways: the data are the same. */
static void test_line_end_mixes(void **state)
{
	static const char *const lines[] = { "A: b", " c", "D: e", "", "x", "", "..y" };
	static const char *const ends[] = { "\n", "\r\n", "\r\r\n" };

	(void)state;
	for (unsigned mix = 0; mix < 2187; mix++) {
		struct strbuf in = STRBUF_INIT(1000), out = STRBUF_INIT(1000);
		struct message_options opt = { 0 };
		struct error err;
		struct edits e;
		unsigned rest = mix;

		for (size_t i = 0; i < ARRAY_LEN(lines); i++, rest /= 3) {
			strbuf_addstr(&in, lines[i]);
			strbuf_addstr(&in, ends[rest % 3]);
		}
		struct message *m = model_read(in.buf, in.len, mix % 5, &opt, &err);

		edits_init(&e, m->arena, m);
		assert_null(model_write(m, &e, WRITER_PLAIN, 100, &out));
		assert_string_equal(out.buf, "A: b\r\n c\r\nD: e\r\n\r\nx\r\n\r\n..y\r\n");
		assert_int_equal(m->body_canonical, mix / 81 == 1 + 3 + 9);
		message_free(m);
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

static void test_facts(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		bool body_8bit, header_8bit, header_utf8, had_nul, canonical;
		unsigned longest, size;
	} facts[] = {
		{ S("A: b\n\nxyz\n"), false, false, false, false, false, 3, 5 },
		{ S("A: b\r\n\r\nxyz\r\n\r\n"), false, false, false, false, true, 3, 7 },
		{ S("A: \xc3\xbc\n\nx"), false, true, true, false, false, 1, 3 },
		{ S("A: \xfc\n\nx"), false, true, false, false, false, 1, 3 },
		{ S("A: \xc3\xbc\nB: \xc3\n\n"), false, true, false, false, true, 0, 0 },
		{ S("A: b\n\n\xc3\xbc\r\n"), true, false, false, false, true, 2, 4 },
		{ S("A: b\0\n\nx\r\n"), false, false, false, true, true, 1, 3 },
		{ S("A: b\n\nx\0\r\n"), false, false, false, true, false, 1, 3 },
		{ S("A: b\n\nx\r\n.\r\n\xff\0"), false, false, false, false, true, 1, 3 },
		{ S("A: b\n\nxy\rx\r\n"), false, false, false, false, false, 2, 7 },
		{ S("A: b\n\nx\r\nlast"), false, false, false, false, false, 4, 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		struct message_options opt = { 0 };
		struct error err;
		struct message *m = model_read(facts[i].in, facts[i].len, i % 4, &opt, &err);

		if (m->body_8bit != facts[i].body_8bit || m->header_8bit != facts[i].header_8bit ||
		    m->header_utf8 != facts[i].header_utf8 || m->had_nul != facts[i].had_nul ||
		    m->body_canonical != facts[i].canonical ||
		    m->longest_line != facts[i].longest || m->body_size != facts[i].size)
			fail_msg("facts %zu", i);
		message_free(m);
	}
}

/* An octet above 127 is found at each offset, whatever the alignment. */
static void test_8bit_at_each_offset(void **state)
{
	char text[200];

	(void)state;
	for (size_t at = 1; at < sizeof(text); at++) {
		struct message_options opt = { 0 };
		struct error err;

		memset(text, 'x', sizeof(text));
		text[0] = '\n';
		text[at] = (char)0x80;
		struct message *m = model_read(text, sizeof(text), 0, &opt, &err);

		assert_true(m->body_8bit);
		message_free(m);
		m = model_read(text, at, 0, &opt, &err);
		assert_false(m->body_8bit);
		message_free(m);
	}
}

static void test_fields(void **state)
{
	static const char text[] = "to : a@x\nSUBJECT: b\n c\nX-Other:d\nResent-BCC: e@x\n\n";
	struct message_options opt = { 0 };
	struct error err;
	struct message *m = model_read(text, strlen(text), 0, &opt, &err);

	(void)state;
	assert_int_equal(m->header.n, 4);
	assert_int_equal(m->header.field[0].id, HEADER_TO);
	assert_int_equal(m->header.field[0].value, 4);
	assert_int_equal(m->header.field[1].id, HEADER_SUBJECT);
	assert_string_equal(m->header.field[1].text, "SUBJECT: b\r\n c\r\n");
	assert_int_equal(m->header.field[1].len, 16);
	assert_int_equal(m->header.field[2].id, HEADER_OTHER);
	assert_string_equal(m->header.field[2].text + m->header.field[2].value, "d\r\n");
	assert_int_equal(m->header.field[3].id, HEADER_RESENT_BCC);
	message_free(m);
}

static void test_many_fields(void **state)
{
	struct strbuf in = STRBUF_INIT(MESSAGE_HEADER_MAX);
	struct message_options opt = { 0 };
	struct error err;

	(void)state;
	for (int i = 0; i < 20000; i++)
		strbuf_addf(&in, "X-%d: v\n", i);
	struct message *m = model_read(in.buf, in.len, 1009, &opt, &err);

	assert_int_equal(m->header.n, 20000);
	assert_string_equal(m->header.field[0].text, "X-0: v\r\n");
	assert_string_equal(m->header.field[19999].text, "X-19999: v\r\n");
	message_free(m);
	strbuf_release(&in);
}

/* A header of n canonical octets: one long field, or many folded lines. */
static void make_header(struct strbuf *in, size_t n, bool folded)
{
	strbuf_reset(in);
	strbuf_addstr(in, "A: b\n");
	for (size_t left = n - 6; left;) {
		size_t line = folded && left > 2000 ? 1000 : left;

		strbuf_addstr(in, folded ? " " : "C:");
		for (size_t i = folded ? 3 : 4; i < line; i++)
			strbuf_addch(in, 'x');
		strbuf_addch(in, '\n');
		left -= line;
	}
	strbuf_addstr(in, "\nbody");
}

static void test_header_limit(void **state)
{
	struct strbuf in = STRBUF_INIT(4 * MESSAGE_HEADER_MAX);
	struct message_options opt = { 0 };

	(void)state;
	for (int form = 0; form < 2; form++) {
		for (int above = -1; above <= 1; above++) {
			make_header(&in, MESSAGE_HEADER_MAX + (size_t)(above + 1) - 1, form);
			for (size_t piece = 0; piece < 3 * 65521; piece += 65521) {
				struct error err = { 0 };
				struct message *m = model_read(in.buf, in.len, piece, &opt, &err);

				assert_int_equal(m == NULL, above == 1);
				assert_int_equal(err.exit, m ? 0 : EX_DATAERR);
				assert_true(!m || m->body_size == 6);
				message_free(m);
			}
		}
	}
	strbuf_release(&in);
}

/* Who starts the program may send more; what is no field is known as soon as before. */
static void test_large_header(void **state)
{
	const size_t size = 3 * MESSAGE_HEADER_MAX + 1000;
	struct strbuf in = STRBUF_INIT(2 * size);
	struct message_options opt = { .large_header = true };

	(void)state;
	for (int form = 0; form < 2; form++) {
		make_header(&in, size, form);
		for (size_t piece = 0; piece < 3 * 65521; piece += 65521) {
			struct error err = { 0 };
			struct message *m = model_read(in.buf, in.len, piece, &opt, &err);

			assert_non_null(m);
			assert_int_equal(m->header.n, form ? 1 : 2);
			assert_int_equal(m->header.field[0].len +
					 (form ? 0 : m->header.field[1].len), size);
			assert_int_equal(m->body_size, 6);
			message_free(m);
		}
	}
	strbuf_reset(&in);
	while (in.len < size)
		strbuf_addstr(&in, "no field ");
	struct error err = { 0 };
	struct message *m = model_read(in.buf, in.len, 65521, &opt, &err);

	assert_non_null(m);
	assert_int_equal(m->header.n, 0);
	assert_int_equal(m->body_start, 0);
	message_free(m);
	strbuf_release(&in);
}

/* First lines around the limit: a body may begin with a line of any length. */
static void test_long_first_line(void **state)
{
	static const struct {
		const char *prefix;
		int exit;
		bool body;
	} forms[] = {
		{ "text without a colon ", 0, true },
		{ "name", 0, true },
		{ "A: b\nname", 0, true },
		{ "A:", EX_DATAERR, false },
		{ "A: b\n folded ", EX_DATAERR, false },
		{ "From a", 0, false },
		{ "From a\n>From b", 0, false },
	};
	static const size_t lengths[] = {
		MESSAGE_HEADER_MAX - 3, MESSAGE_HEADER_MAX + 2, 2 * MESSAGE_HEADER_MAX + 50000,
	};
	struct message_options opt = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
			const size_t n = lengths[k];
			struct strbuf in = STRBUF_INIT(4 * MESSAGE_HEADER_MAX);

			strbuf_addstr(&in, forms[i].prefix);
			while (in.len < n)
				strbuf_addch(&in, 'x');
			size_t line = in.len;

			strbuf_addstr(&in, "\nC: d\n\nend\n");
			for (size_t piece = 0; piece < 3 * 99991; piece += 99991) {
				struct error err = { 0 };
				struct message *m = model_read(in.buf, in.len, piece, &opt, &err);

				assert_int_equal(err.exit, n > MESSAGE_HEADER_MAX || m == NULL ?
					forms[i].exit : 0);
				if (m && forms[i].body) {
					assert_true(m->longest_line + 10 > line);
					assert_true(m->body_size > line);
				}
				if (m && !forms[i].body && !forms[i].exit) {
					assert_int_equal(m->header.n, 1);
					assert_int_equal(m->body_size, 5);
				}
				message_free(m);
			}
			const char *wrong = model_check(in.buf, in.len, 70001, 4096, &opt);

			if (wrong)
				fail_msg("form %zu: %s", i, wrong);
			strbuf_release(&in);
		}
	}
}

/* No line is cut, changed or lost for its length, in header and body. */
static void test_long_lines(void **state)
{
	static const size_t lengths[] = {
		997, 998, 999, 1000, 2047, 2048, 2049, 4095, 4096, 4097, 65535, 65536, 65537,
		1000000, 1024 * 1024 + 1,
	};
	struct message_options opt = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct strbuf in = STRBUF_INIT(4 * MESSAGE_HEADER_MAX);
		struct error err;

		strbuf_addstr(&in, "X: ");
		for (size_t k = 3; k < lengths[i] && lengths[i] <= 1000000; k++)
			strbuf_addch(&in, 'h');
		strbuf_addstr(&in, "\nTo: a@x\n\n.");
		for (size_t k = 1; k < lengths[i]; k++)
			strbuf_addch(&in, 'b');
		strbuf_addstr(&in, "\n.b\n");
		struct message *m = model_read(in.buf, in.len, 4096, &opt, &err);

		assert_int_equal(m->longest_line, lengths[i]);
		assert_int_equal(m->header.n, 2);
		assert_true(lengths[i] > 1000000 || m->header.field[0].len == lengths[i] + 2);
		assert_int_equal(m->header.field[1].id, HEADER_TO);
		message_free(m);
		const char *wrong = model_check(in.buf, in.len, 65536, 65536, &opt);

		if (wrong)
			fail_msg("length %zu: %s", lengths[i], wrong);
		strbuf_release(&in);
	}
}

/* Random octets from few kinds, long enough to cross blocks. */
static void test_random(void **state)
{
	static const char kinds[] = "aaaaaaaaaaaaaaaaaaaaaaaa\n\r..\0\xc3:";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 60; round++) {
		size_t n = (size_t)round * 37;
		char *text = xmalloc(n + 1);
		struct message_options opt = options((unsigned)round % 4);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525U + 1013904223U;
			text[i] = kinds[(seed >> 16) % (sizeof(kinds) - 1)];
		}
		if (n)
			text[0] = '\n';
		for (size_t piece = 1; piece < 40; piece += 3) {
			const char *wrong = model_check(text, n, piece, 15 + piece, &opt);

			if (wrong)
				fail_msg("round %d: %s", round, wrong);
		}
		xfree(text);
	}
}

/*
 * Regular lines with one odd octet, or none, at each offset: what is passed in
 * wide steps and what is looked at must give the same.
 */
static void test_one_odd_octet(void **state)
{
	static const char odd[] = { '\r', '\n', '\0', '.', (char)0x80 };
	static const char *const ends[] = { "\n", "\r\n" };
	static const size_t widths[] = { 0, 1, 14, 15, 16, 61, 62, 63, 64, 150 };
	char text[420];

	(void)state;
	for (size_t kind = 0; kind < ARRAY_LEN(ends) * ARRAY_LEN(widths); kind++) {
		const char *end = ends[kind % 2];
		size_t width = widths[kind / 2], line = width + strlen(end);

		for (size_t at = 0; at < sizeof(text); at++) {
			struct message_options opt = options(at % 2 ? DOTS : 0);

			for (size_t i = 0; i < sizeof(text); i++)
				text[i] = i % line < width ? 'x' : end[i % line - width];
			text[0] = '\n';
			text[at] = odd[(at / 2 + kind) % sizeof(odd)];
			if (at > 300)
				text[at - 200] = odd[at % sizeof(odd)];
			const char *wrong = model_check(text, sizeof(text), 1 + at % 97,
							16 + at * 7 % 300, &opt);

			if (wrong)
				fail_msg("kind %zu at %zu: %s", kind, at, wrong);
		}
	}
}

/* A file with that text whose offset is "at". */
static int file_with(const char *text, size_t n, off_t at)
{
	struct error err;
	int fd;

	assert_int_equal(fs_temp_file(&fd, &err), 0);
	assert_int_equal(fs_write_all(fd, text, n), 0);
	assert_int_equal(lseek(fd, at, SEEK_SET), at);
	return fd;
}

static void test_file(void **state)
{
	static const char text[] = "skipped\nA: b\n\nx\n.\nrest";
	struct message_options opt = { 0 };
	int fd = file_with(text, strlen(text), 8);
	struct message *m = NULL;
	struct error err;
	struct strbuf out = STRBUF_INIT(100000);

	(void)state;
	assert_int_equal(message_read_fd(fd, &opt, &m, &err), 0);
	assert_int_equal(m->header.n, 1);
	assert_string_equal(m->header.field[0].text, "A: b\r\n");
	assert_int_equal(m->ignored, 4);
	write_body(m, &out);
	assert_string_equal(out.buf, "x\r\n");
	message_free(m);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)strlen(text));
	strbuf_release(&out);
	close(fd);
}

/* Files around the block size give what the same octets give when pushed. */
static void test_file_sizes(void **state)
{
	static const size_t sizes[] = { 1, 65535, 65536, 65537, 131072, 300000 };
	char *text = xmalloc(300000);

	(void)state;
	memcpy(text, "A: b\n\n", 6);
	for (size_t i = 6; i < 300000; i++)
		text[i] = i % 71 ? 'x' : '\n';
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t lone = 0; lone < 2; lone++) {
			struct message_options opt = { 0 };
			struct message *m = NULL;
			struct error err;

			if (lone && sizes[i] > 70000)
				memcpy(text + 65535, "\n.\n", 3);
			int fd = file_with(text, sizes[i], 0);
			struct message *pushed = model_read(text, sizes[i], 999, &opt, &err);

			assert_int_equal(message_read_fd(fd, &opt, &m, &err), 0);
			assert_null(model_same(m, pushed));
			message_free(m);
			message_free(pushed);
			close(fd);
		}
		memset(text + 65535, 'x', 3);
	}
	xfree(text);
}

static void test_empty_file(void **state)
{
	struct message_options opt = { 0 };
	int fd = file_with("", 0, 0);
	struct message *m = NULL;
	struct error err;

	(void)state;
	assert_int_equal(message_read_fd(fd, &opt, &m, &err), 0);
	assert_int_equal(m->header.n, 0);
	assert_int_equal(m->body_size, 0);
	message_free(m);
	close(fd);
}

static void write_slowly(int fd, const char *text, size_t n, size_t piece)
{
	while (n) {
		size_t len = n < piece ? n : piece;

		if (fs_write_all(fd, text, len))
			_exit(1);
		if (piece < 1000)
			usleep(1000);
		text += len;
		n -= len;
	}
	_exit(0);
}

/* From a child through a pipe; the read end may be one that does not block. */
static int read_from_child(const char *text, size_t n, size_t piece, int flags,
			   struct message **m, struct error *err)
{
	struct message_options opt = { 0 };
	int pipes[2], status;

	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		close(pipes[0]);
		write_slowly(pipes[1], text, n, piece);
	}
	close(pipes[1]);
	assert_int_equal(fcntl(pipes[0], F_SETFL, flags), 0);
	int rc = message_read_fd(pipes[0], &opt, m, err);

	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);	/* it could write all of it */
	return rc;
}

static void test_pipe(void **state)
{
	static const char text[] = "A: b\r\n c\r\n\r\nbody\r\n.\r\nrest\r\n";
	struct message *m = NULL;
	struct error err;

	(void)state;
	for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		assert_int_equal(read_from_child(text, strlen(text), 1, flags, &m, &err), 0);
		assert_string_equal(m->header.field[0].text, "A: b\r\n c\r\n");
		assert_int_equal(m->body_size, 6);
		assert_int_equal(m->ignored, 6);
		message_free(m);
	}
}

/* More than memory holds; and a header too large, of which all is read all the same. */
static void test_large_pipe(void **state)
{
	const size_t n = 3 * 1024 * 1024;
	char *text = xmalloc(n);
	struct message *m = NULL;
	struct error err;

	(void)state;
	memset(text, 'x', n);
	memcpy(text, "A: b\n\n", 6);
	for (size_t i = 70; i < n; i += 70)
		text[i] = '\n';
	assert_int_equal(read_from_child(text, n, n, 0, &m, &err), 0);
	struct message_options opt = { 0 };
	struct message *pushed = model_read(text, n, 0, &opt, &err);

	assert_null(model_same(m, pushed));
	message_free(m);
	message_free(pushed);
	memset(text + 4, 'x', n - 4);
	m = NULL;
	assert_int_equal(read_from_child(text, n, n, 0, &m, &err), -1);
	assert_int_equal(err.exit, EX_DATAERR);
	assert_null(m);
	xfree(text);
}

static void test_unreadable(void **state)
{
	struct message_options opt = { 0 };
	struct message *m = NULL;
	struct error err;
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(message_read_fd(fd, &opt, &m, &err), -1);
	assert_int_equal(err.exit, EX_NOINPUT);
	assert_null(m);
	close(fd);
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(message_read_fd(fd, &opt, &m, &err), -1);
	assert_int_equal(err.exit, EX_NOINPUT);
	close(fd);
}

static void test_reader_given_up(void **state)
{
	struct message_options opt = { 0 };
	struct error err;
	struct message_reader *r = message_reader_new(&opt);

	(void)state;
	assert_int_equal(message_reader_push(r, "A: b\nC: d\n\nx", 12, &err), 0);
	message_reader_free(r);
	r = message_reader_new(&opt);
	assert_int_equal(message_reader_push(r, "A: b\nC: d\nE", 11, &err), 0);
	assert_int_equal(message_reader_push(r, "", 0, &err), 0);
	message_reader_free(r);
	message_reader_free(NULL);
	message_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_cases_by_model),
		cmocka_unit_test(test_all_short_inputs),
		cmocka_unit_test(test_line_end_mixes),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_8bit_at_each_offset),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_header_limit),
		cmocka_unit_test(test_large_header),
		cmocka_unit_test(test_long_first_line),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_one_odd_octet),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_sizes),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_large_pipe),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_reader_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
