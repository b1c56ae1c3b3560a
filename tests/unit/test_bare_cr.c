#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "message_model.h"

static const char head[] = "Subject: x\r\nX-Y: a\r\n b\r\n";

/* The same octet by octet: line ends are CRLF, no NUL, "with" for each other CR. */
static void model_respell(const char *p, size_t n, char with, struct strbuf *out)
{
	size_t cr = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && p[i] == '\0')
			continue;
		if (i < n && p[i] == '\r') {
			cr++;
			continue;
		}
		for (; cr && (i == n || p[i] != '\n'); cr--)
			strbuf_addch(out, with);
		cr = 0;
		if (i < n && p[i] == '\n')
			strbuf_addstr(out, "\r\n");
		else if (i < n)
			strbuf_addch(out, p[i]);
	}
}

static void write_out(const struct message *m, struct strbuf *out)
{
	struct edits edits;
	struct writer *w;
	char block[4096];
	struct error err;
	ssize_t n;

	edits_init(&edits, m->arena, m);
	w = writer_new(m, &edits, WRITER_PLAIN);
	while ((n = writer_read(w, block, sizeof(block), &err)) > 0)
		strbuf_add(out, block, (size_t)n);
	assert_int_equal(n, 0);
	writer_free(w);
}

static void check(const char *body, size_t n)
{
	static const struct message_options opt = { .dots_ignored = true };
	struct strbuf in = STRBUF_INIT(MODEL_MAX);

	strbuf_addf(&in, "%s\r\n", head);
	strbuf_add(&in, body, n);
	for (const char *with = " \r"; *with; with++) {
		struct strbuf want = STRBUF_INIT(MODEL_MAX), got = STRBUF_INIT(MODEL_MAX);
		struct message *out = NULL;
		struct error err;
		struct message *m = model_read(in.buf, in.len, 0, &opt, &err);

		assert_non_null(m);
		assert_int_equal(message_respell_cr(m, *with, &out, &err), 0);
		assert_int_equal(out->header.n, m->header.n);
		assert_int_equal(out->body_cr, false);
		strbuf_addf(&want, "%s\r\n", head);
		model_respell(body, n, *with, &want);
		/* a last line end is added to text, and to text only */
		if (!out->body_binary && n && want.buf[want.len - 1] != '\n')
			strbuf_addstr(&want, "\r\n");
		write_out(out, &got);
		if (got.len != want.len || memcmp(got.buf, want.buf, got.len) != 0)
			fail_msg("%zu octets with %d: %zu became %zu", n, *with, want.len, got.len);
		if (*with == '\r' && m->body_cr)
			assert_true(out->body_binary);
		strbuf_release(&want);
		strbuf_release(&got);
		message_free(out);
		message_free(m);
	}
	strbuf_release(&in);
}

static void test_short(void **state)
{
	static const struct { const char *text; size_t n; } cases[] = {
		{ "", 0 }, { "a", 1 }, { "a\rb\n", 4 }, { "\r", 1 }, { "a\r", 2 }, { "\r\n", 2 },
		{ "\r\r\nx", 4 }, { "a\r\0\nb", 5 }, { "a\r\0b", 4 }, { ".\r.\n.\n", 6 },
		{ "From x\ry\n", 9 }, { "\r\r\r", 3 }, { "a: b\r\n\r\n", 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(cases[i].text, cases[i].n);
}

/* All texts of six octets of these four kinds. */
static void test_all_mixes(void **state)
{
	static const char octets[] = { '\r', '\n', '\0', 'a' };
	char text[6];

	(void)state;
	for (unsigned mix = 0; mix < 1U << 12; mix++) {
		for (unsigned i = 0; i < sizeof(text); i++)
			text[i] = octets[mix >> 2 * i & 3];
		check(text, sizeof(text));
	}
}

/* Runs of CRs across every boundary there is, in memory and in a file. */
static void test_large(void **state)
{
	struct strbuf text = STRBUF_INIT(MODEL_MAX);
	unsigned seed = 4711;

	(void)state;
	while (text.len < 3 * SPOOL_MEMORY) {
		seed = seed * 1103515245 + 12345;
		for (unsigned i = seed >> 16 & 7; i; i--)
			strbuf_addch(&text, '\r');
		strbuf_addstr(&text, seed & 1 << 20 ? "\n" : "text");
	}
	check(text.buf, text.len);
	check(text.buf, 8192 - 3);
	strbuf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_all_mixes),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
