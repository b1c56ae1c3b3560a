#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "message/charset.h"
#include "message/rfc2047.h"
#include "util/attr.h"
#include "util/base64.h"
#include "util/strbuf.h"
#include "util/text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Decodes one encoded word at s; its length, 0 if there is none. Checks its form. */
static size_t decode_word(const char *s, struct strbuf *out)
{
	if (strncmp(s, "=?", 2) != 0)
		return 0;
	const char *kind = strchr(s + 2, '?');
	const char *end = kind && kind[1] && kind[2] == '?' ? strstr(kind + 3, "?=") : NULL;

	if (!end)
		return 0;
	size_t mark = out->len;

	assert_true(end + 2 - s <= 75);
	if (kind[1] == 'B') {
		assert_int_equal(base64_decode(out, kind + 3, (size_t)(end - kind - 3)), 0);
	} else {
		assert_int_equal(kind[1], 'Q');
		for (const char *c = kind + 3; c < end; c++) {
			assert_true(*c > ' ' && *c < 127 && *c != '?');
			if (*c == '=') {
				char hex[3] = { c[1], c[2], '\0' };

				strbuf_addch(out, (char)strtol(hex, NULL, 16));
				c += 2;
			} else {
				strbuf_addch(out, *c == '_' ? ' ' : *c);
			}
		}
	}
	/* each word holds whole characters */
	if (strncmp(s, "=?utf-8?", 8) == 0)
		assert_true(text_is_utf8(out->buf + mark, out->len - mark));
	else
		assert_memory_equal(s, "=?unknown-8bit?", 15);
	return (size_t)(end + 2 - s);
}

/* RFC 2047, section 6.2: blanks between encoded words vanish. */
static void decode(const char *s, struct strbuf *out)
{
	bool after_word = false;

	while (*s) {
		const char *start = s;

		while (is_blank(*s))
			s++;
		struct strbuf word = STRBUF_INIT(1 << 20);
		size_t len = decode_word(s, &word);

		if (!(len && after_word)) {
			for (const char *c = start; c < s; c++) {
				if (*c != '\r' && *c != '\n')
					strbuf_addch(out, *c);
			}
		}
		strbuf_add(out, word.buf, word.len);
		strbuf_release(&word);
		s += len;
		while (!len && *s && !is_blank(*s))
			strbuf_addch(out, *s++);
		after_word = len > 0;
	}
}

static void check_lines(const char *s, size_t column)
{
	for (; *s; s++) {
		if (*s == '\n') {
			column = 0;
			assert_true(s[1] == ' ');
		} else if (*s != '\r') {
			column++;
			assert_true(column <= 76);
		}
	}
}

static void test_encode(void **state)
{
	static const struct {
		const char *text;
		enum rfc2047_place place;
		const char *want;
	} cases[] = {
		{ "Keld J\303\270rn Simonsen", RFC2047_PHRASE,
		  "=?utf-8?Q?Keld_J=C3=B8rn_Simonsen?=" },
		{ "\343\201\202", RFC2047_TEXT, "=?utf-8?B?44GC?=" },
		{ "aaaa\303\244", RFC2047_TEXT, "=?utf-8?Q?aaaa=C3=A4?=" },	/* 2 of 6 */
		{ "aaa\303\244", RFC2047_TEXT, "=?utf-8?B?YWFhw6Q=?=" },	/* 2 of 5 */
		{ "a.b, c: d; e\303\244 fghi jklm", RFC2047_TEXT,
		  "=?utf-8?Q?a.b,_c:_d;_e=C3=A4_fghi_jklm?=" },
		{ "a.b, c: d; e\303\244 fghi jklm", RFC2047_PHRASE,
		  "=?utf-8?Q?a=2Eb=2C_c=3A_d=3B_e=C3=A4_fghi_jklm?=" },
		{ "abc (d) \"e\" \303\244 fghi", RFC2047_COMMENT,
		  "=?utf-8?Q?abc_=28d=29_=22e=22_=C3=A4_fghi?=" },
		{ "abc (d) \"e\" \303\244 fghi", RFC2047_TEXT,
		  "=?utf-8?Q?abc_(d)_\"e\"_=C3=A4_fghi?=" },
		{ "a=b_c?d abcdefgh", RFC2047_TEXT, "=?utf-8?Q?a=3Db=5Fc=3Fd_abcdefgh?=" },
		{ "caf\351", RFC2047_TEXT, "=?unknown-8bit?Q?caf=E9?=" },
		{ "abcdef\r\n ghi\n\303\244", RFC2047_TEXT, "=?utf-8?Q?abcdef_ghi=C3=A4?=" },
		{ "tab\there abcdef", RFC2047_TEXT, "=?utf-8?Q?tab=09here_abcdef?=" },
		{ "", RFC2047_TEXT, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(1000);

		rfc2047_encode(&out, cases[i].text, strlen(cases[i].text), cases[i].place, 0, NULL);
		assert_string_equal(out.buf, cases[i].want);
		strbuf_release(&out);
	}
	(void)state;
}

static void check_round_trip(const struct strbuf *text, size_t column)
{
	struct strbuf out = STRBUF_INIT(1 << 16), back = STRBUF_INIT(1 << 16);

	rfc2047_encode(&out, text->buf, text->len, RFC2047_PHRASE, column, NULL);
	if (column && column <= 76)
		check_lines(out.buf, column);
	if (column == 0)
		assert_null(strchr(out.buf, '\n'));
	decode(out.buf, &back);
	if (out.buf[0] == '\r')	/* began with a new line */
		strbuf_consume(&back, 1);
	assert_string_equal(back.buf, text->buf);
	strbuf_release(&out);
	strbuf_release(&back);
}

/* Any length and column: words within 75, lines within 76, and it reads back. */
static void test_round_trip(void **state)
{
	static const char *const unit[] = {
		"\303\244", "a\303\244bcdefg ", "\360\237\230\200", "\343\201\202 x",
		"abcdefghi\351", "  \303\244  ",
	};

	for (size_t k = 0; k < ARRAY_LEN(unit); k++) {
		struct strbuf text = STRBUF_INIT(1 << 16);

		for (int reps = 1; reps < 40; reps++) {
			strbuf_addstr(&text, unit[k]);
			for (size_t column = 0; column < 100; column += column < 40 ? 13 : 1)
				check_round_trip(&text, column);
		}
		strbuf_release(&text);
	}
	(void)state;
}

static void test_unstructured(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "plain text", "plain text" },
		{ "  spaces \t kept ", "  spaces \t kept " },
		{ "", "" },
		{ "Re: gr\303\274\303\237e an alle",
		  "Re: =?utf-8?B?Z3LDvMOfZQ==?= an alle" },
		{ "a \303\244 b \303\244 c", "a =?utf-8?B?w6QgYiDDpA==?= c" },
		{ "=?utf-8?Q?x?= plain", "=?utf-8?Q?x?= plain" },
		{ "=?utf-8?Q?x?= \303\244", "=?utf-8?Q?x?= =?utf-8?B?IMOk?=" },
		{ "\303\244 =?utf-8?Q?x?=", "=?utf-8?B?w6Qg?= =?utf-8?Q?x?=" },
		{ "\303\244 b =?utf-8?Q?x?=", "=?utf-8?B?w6Q=?= b =?utf-8?Q?x?=" },
		{ "=?utf-8?Q?x?= b \303\244", "=?utf-8?Q?x?= b =?utf-8?B?w6Q=?=" },
		{ "\303\244\r\n \303\244", "=?utf-8?B?w6Qgw6Q=?=" },
		{ "a\r\n b \303\244", "a\r\n b =?utf-8?B?w6Q=?=" },
		{ "caf\351 x", "=?unknown-8bit?Q?caf=E9?= x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(1000), back = STRBUF_INIT(1000);
		struct strbuf want = STRBUF_INIT(1000);

		rfc2047_encode_text(&out, cases[i].text, strlen(cases[i].text), 0,
				    "unknown-8bit");
		assert_string_equal(out.buf, cases[i].want);
		decode(out.buf, &back);
		decode(cases[i].text, &want);
		assert_string_equal(back.buf, want.buf);
		strbuf_release(&out);
		strbuf_release(&back);
		strbuf_release(&want);
	}
	(void)state;
}

static void test_unstructured_long(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20), out = STRBUF_INIT(1 << 20);
	struct strbuf back = STRBUF_INIT(1 << 20);

	for (int i = 0; i < 3000; i++)
		strbuf_addf(&text, "w\303\266rd%d ", i);
	strbuf_addstr(&text, "end");
	rfc2047_encode_text(&out, text.buf, text.len, strlen("Subject: "), "unknown-8bit");
	check_lines(out.buf, strlen("Subject: "));
	assert_true(text_is_ascii(out.buf, out.len));
	decode(out.buf, &back);
	assert_string_equal(back.buf, text.buf);
	strbuf_release(&text);
	strbuf_release(&out);
	strbuf_release(&back);
	(void)state;
}

/* --- another charset ---------------------------------------------------------------- */

#define BROKEN "S: =?utf-8?Q?=C3?= =?utf-8?Q?=4?= =?utf-8?Q?a b?= =?utf-8?X?a?= =?utf-8?Q\r\n"

static const struct { const char *charset, *in, *out; } recoded[] = {
	{ "iso-8859-1", "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= x\r\n",
	  "Subject: =?iso-8859-1?B?R3L832U=?= x\r\n" },
	{ "iso-8859-1", "Subject: =?UTF-8?b?R3LDvMOfZQ==?=\r\n",
	  "Subject: =?iso-8859-1?B?R3L832U=?=\r\n" },
	/* blanks between words are none of the text, others are */
	{ "latin1", "S: =?utf-8?Q?=C3=A4?=\r\n =?utf-8?Q?_=C3=B6?= =?utf-8?Q?=C3=BC?= y\r\n",
	  "S: =?latin1?B?5CD2/A==?= y\r\n" },
	/* a character that it has not: all of the run stays */
	{ "iso-8859-1", "S: =?utf-8?Q?=C3=A4?= =?utf-8?B?4oKs?= z\r\n",
	  "S: =?utf-8?Q?=C3=A4?= =?utf-8?B?4oKs?= z\r\n" },
	/* words of others, and what is no word or no UTF-8 */
	{ "iso-8859-1", "S: =?koi8-r?Q?=C3?= =?utf-8?Q?=C3=A4?=\r\n",
	  "S: =?koi8-r?Q?=C3?= =?iso-8859-1?B?5A==?=\r\n" },
	{ "iso-8859-1", BROKEN, BROKEN },
	{ "iso-8859-1", "S: =?=?utf-8?B?w6Q?= x =?", "S: =?=?utf-8?B?w6Q?= x =?" },
	{ "iso-8859-1", "S: plain\r\n", "S: plain\r\n" }, { "iso-8859-1", "", "" },
	{ NULL, "S: =?utf-8?Q?=C3=A4?=\r\n", "S: =?utf-8?Q?=C3=A4?=\r\n" },
	{ "no-such-charset", "S: =?utf-8?Q?=C3=A4?=\r\n", "S: =?utf-8?Q?=C3=A4?=\r\n" },
	/* with states: each word begins and ends in ASCII */
	{ "iso-2022-jp", "S: =?utf-8?B?5pel5pys6Kqe?=\r\n",
	  "S: =?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=\r\n" },
};

static void test_recode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recoded); i++) {
		struct strbuf field = STRBUF_INIT(1000);

		strbuf_addstr(&field, recoded[i].in);
		rfc2047_recode(&field, recoded[i].charset);
		assert_string_equal(field.buf, recoded[i].out);
		strbuf_release(&field);
	}
}

/* Long text: no line over 76 octets, no word over 75, and the same text comes out. */
static void test_recode_long(void **state)
{
	(void)state;
	for (size_t n = 1; n < 300; n++) {
		struct strbuf text = STRBUF_INIT(10000), field = STRBUF_INIT(100000);
		for (size_t i = 0; i < n; i++)
			strbuf_addstr(&text, i % 7 ? "\xc3\xa4" : "b");
		strbuf_addstr(&field, "Subject: ");
		rfc2047_encode(&field, text.buf, text.len, RFC2047_TEXT, 9, NULL);
		rfc2047_recode(&field, "iso-8859-1");
		for (const char *p = field.buf; *p; p += strcspn(p, "\n"), p += *p == '\n') {
			assert_true(strcspn(p, "\r") <= 76);
			const char *word = p + strspn(p, " ");

			assert_true(*word != '=' || strcspn(word, " \r") <= 75);
		}
		if (n > 1)
			assert_null(strstr(field.buf, "utf-8"));
		/* the octets of the words, put together, are the text in that charset */
		struct strbuf octets = STRBUF_INIT(10000), wanted = STRBUF_INIT(10000);

		assert_int_equal(charset_encode(text.buf, text.len, "iso-8859-1", &wanted), 0);
		for (const char *w = field.buf; (w = strstr(w, "?B?")) != NULL; w += 3)
			assert_int_equal(base64_decode(&octets, w + 3, strcspn(w + 3, "?")), 0);
		if (octets.len)
			assert_string_equal(octets.buf, wanted.buf);
		strbuf_release(&octets);
		strbuf_release(&wanted);
		strbuf_release(&text);
		strbuf_release(&field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recode),
		cmocka_unit_test(test_recode_long),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_unstructured),
		cmocka_unit_test(test_unstructured_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
