#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mime/mime_encode.h"
#include "util/base64.h"

#include "mime_model.h"

#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN
#define UE "\xc3\xbc"

static const struct {
	enum mime_transfer kind;
	const char *in, *out;
} cases[] = {
	{ MIME_COPY, "a\r\n\xff", "a\r\n\xff" },
	{ MIME_TO_QP, "", "" },
	{ MIME_TO_QP, "a\r\n", "a\r\n" },
	{ MIME_TO_QP, "\r\n\r\n", "\r\n\r\n" },
	{ MIME_TO_QP, "a=b" UE "\x7f\x01", "a=3Db=C3=BC=7F=01" },
	/* blanks at the end of a line */
	{ MIME_TO_QP, "a \r\nb\t\r\n \r\n", "a=20\r\nb=09\r\n=20\r\n" },
	{ MIME_TO_QP, "a  \r\n", "a =20\r\n" },
	{ MIME_TO_QP, "a b\tc ", "a b\tc=20" },
	/* what others could take for their own at the beginning of a line */
	{ MIME_TO_QP, ".\r\n..x\r\nx.\r\n", "=2E\r\n=2E.x\r\nx.\r\n" },
	{ MIME_TO_QP, "From me\r\nFrom\r\nFro m\r\n From \r\n",
	  "=46rom me\r\nFrom\r\nFro m\r\n From=20\r\n" },
	{ MIME_TO_QP, "From ", "=46rom=20" },
	{ MIME_TO_QP, "FFrom \r\nF\r\nF", "FFrom=20\r\nF\r\nF" },
	{ MIME_TO_QP, "--b\r\n-\r\n-b\r\n---\r\n-", "=2D-b\r\n-\r\n-b\r\n=2D--\r\n-" },
	/* soft line breaks */
	{ MIME_TO_QP, SEVENTY "12345", SEVENTY "12345" },
	{ MIME_TO_QP, SEVENTY "123456", SEVENTY "12345=\r\n6" },
	{ MIME_TO_QP, SEVENTY "1234 ", SEVENTY "1234=\r\n=20" },
	{ MIME_TO_QP, SEVENTY "12345 x", SEVENTY "12345=\r\n x" },
	{ MIME_TO_QP, SEVENTY "12" UE "x", SEVENTY "12=\r\n=C3=BCx" },
	{ MIME_TO_QP, SEVENTY UE, SEVENTY "=\r\n=C3=BC" },
	{ MIME_TO_QP, SEVENTY "\xbc", SEVENTY "=BC" },
	{ MIME_TO_QP, SEVENTY "12345From x", SEVENTY "12345=\r\n=46rom x" },
	{ MIME_TO_QP, SEVENTY "12345--x", SEVENTY "12345=\r\n=2D-x" },
	{ MIME_TO_QP, SEVENTY "12345.", SEVENTY "12345=\r\n=2E" },
	{ MIME_TO_BASE64, "", "" },
	{ MIME_TO_BASE64, "a\r\n", "YQ0K" },
	{ MIME_TO_BASE64, TEN TEN TEN TEN TEN "0123456",
	  "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2" },
	{ MIME_TO_BASE64, TEN TEN TEN TEN TEN "01234567",
	  "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\nNw==" },
	{ MIME_WRAP_BASE64, "YQ\r\n0K \tab==\r\n", "YQ0Kab==" },
	{ MIME_WRAP_BASE64, SEVENTY "1234567", SEVENTY "123456\r\n7" },
	{ MIME_WRAP_QP, "a=\r\nb=41 \r\n", "a=\r\nb=41 \r\n" },
	{ MIME_SPLIT, "a\r\n\xff", "a\r\n\xff" },
	{ MIME_FILLER, "a\r\n" UE "z\xff", "a\r\n??z?" },
};

static void encode(enum mime_transfer kind, const char *in, size_t n, size_t piece,
		   struct strbuf *out)
{
	struct mime_encoder e;

	mime_encoder_init(&e, kind);
	for (size_t at = 0; at < n; at += piece)
		mime_encoder_push(&e, in + at, piece < n - at ? piece : n - at, out);
	mime_encoder_finish(&e, out);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t piece = 1; piece <= n + 1; piece++) {
			struct strbuf out = STRBUF_INIT(10000);

			encode(cases[i].kind, cases[i].in, n, piece, &out);
			if (strcmp(out.buf, cases[i].out) != 0)
				print_error("case %zu, pieces of %zu: %s\n", i, piece, out.buf);
			assert_string_equal(out.buf, cases[i].out);
			strbuf_release(&out);
		}
	}
}

/* A generator of octets that likes the awkward ones. */
static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 16) % n;
}

static size_t make_text(char *out, size_t max)
{
	static const char *const bits[] = {
		"\r\n", " ", "\t", "=", ".", "-", "--", "From ", "F", "word", UE, "\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "\xff", "\x80", "a long word of text with blanks in it ", "  ",
	};
	size_t n = 0;

	while (n + 64 < max) {
		const char *bit = bits[rnd(ARRAY_LEN(bits))];

		memcpy(out + n, bit, strlen(bit));
		n += strlen(bit);
	}
	return n;
}

static void test_qp_back(void **state)
{
	char text[2000];

	(void)state;
	for (seed = 0; seed < 300; seed++) {
		uint32_t keep = seed;
		size_t n = make_text(text, 64 + seed * 6 % (sizeof(text) - 64));
		struct strbuf one = STRBUF_INIT(100000), two = STRBUF_INIT(100000),
			back = STRBUF_INIT(100000);

		encode(MIME_TO_QP, text, n, n + 1, &one);
		encode(MIME_TO_QP, text, n, 1 + keep % 7, &two);
		assert_string_equal(one.buf, two.buf);
		assert_true(mime_model_qp(one.buf, one.len, &back));
		assert_int_equal(back.len, n);
		assert_memory_equal(back.buf, text, n);
		assert_null(strstr(one.buf, "\n--"));
		assert_null(strstr(one.buf, "\n."));
		assert_null(strstr(one.buf, "\nFrom "));
		assert_true(mime_model_longest(one.buf, one.len) <= 76);
		strbuf_release(&one);
		strbuf_release(&two);
		strbuf_release(&back);
		seed = keep;
	}
}

static void test_base64_back(void **state)
{
	char text[1000];

	(void)state;
	for (size_t n = 0; n < 200; n++) {
		struct strbuf out = STRBUF_INIT(100000), joined = STRBUF_INIT(100000),
			back = STRBUF_INIT(100000);

		for (size_t i = 0; i < n; i++)
			text[i] = (char)(i * 7 + n);
		encode(MIME_TO_BASE64, text, n, 1 + n % 60, &out);
		assert_true(mime_model_longest(out.buf, out.len) <= 76);
		for (size_t i = 0; i < out.len; i++)
			if (out.buf[i] != '\r' && out.buf[i] != '\n')
				strbuf_addch(&joined, out.buf[i]);
		assert_int_equal(base64_decode(&back, joined.buf, joined.len), 0);
		assert_int_equal(back.len, n);
		assert_memory_equal(back.buf, text, n);
		strbuf_release(&out);
		strbuf_release(&joined);
		strbuf_release(&back);
	}
}

/* Long lines of quoted-printable: no escape is cut, and the content stays. */
static void test_wrap_qp(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 6; shift++) {
		struct strbuf in = STRBUF_INIT(100000), out = STRBUF_INIT(100000),
			plain = STRBUF_INIT(100000);

		for (size_t i = 0; i < shift; i++)
			strbuf_addch(&in, 'x');
		for (size_t i = 0; i < 1000; i++)
			strbuf_addstr(&in, i % 3 ? "=C3=BC" : "a");
		strbuf_addstr(&in, "=\r\nend\r\n");
		encode(MIME_WRAP_QP, in.buf, in.len, 1 + shift, &out);
		assert_true(mime_model_longest(out.buf, out.len) <= MESSAGE_LINE_MAX);
		for (char *p; (p = strstr(out.buf, "=\r\n"));) {
			strbuf_add(&plain, out.buf, (size_t)(p - out.buf));
			strbuf_consume(&out, (size_t)(p - out.buf) + 3);
		}
		strbuf_addstr(&plain, out.buf);
		*strstr(in.buf, "=\r\n") = '\0';
		assert_memory_equal(plain.buf, in.buf, strlen(in.buf));
		assert_string_equal(plain.buf + strlen(in.buf), "end\r\n");
		strbuf_release(&in);
		strbuf_release(&out);
		strbuf_release(&plain);
	}
}

/* Lines of 996 to 1000 octets before a character of one to four. */
static void test_split(void **state)
{
	static const char *const chars[] = { "z", UE, "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(chars); c++) {
		for (size_t before = 990; before < 1002; before++) {
			struct strbuf in = STRBUF_INIT(100000), out = STRBUF_INIT(100000);
			const size_t len = strlen(chars[c]);

			for (size_t i = 0; i < before; i++)
				strbuf_addch(&in, 'a');
			strbuf_addstr(&in, chars[c]);
			encode(MIME_SPLIT, in.buf, in.len, 97, &out);
			const char *cut = strstr(out.buf, "\r\n ");

			if (before + len <= 998) {
				assert_string_equal(out.buf, in.buf);
			} else {
				size_t at = (size_t)(cut - out.buf);

				assert_non_null(cut);
				assert_int_equal(at, before <= 998 ? before : 998);
				assert_string_equal(cut + 3, in.buf + at);
			}
			strbuf_release(&in);
			strbuf_release(&out);
		}
	}
	/* octets that are no characters are cut, too */
	struct strbuf in = STRBUF_INIT(100000), out = STRBUF_INIT(100000);

	for (size_t i = 0; i < 3000; i++)
		strbuf_addch(&in, '\x80');
	encode(MIME_SPLIT, in.buf, in.len, 1000, &out);
	assert_int_equal(mime_model_longest(out.buf, out.len), 998);
	strbuf_release(&in);
	strbuf_release(&out);
}

static void test_count(void **state)
{
	(void)state;
	assert_int_equal(mime_count_escapes("a b\tc\r\n", 7), 0);
	assert_int_equal(mime_count_escapes("=" UE "\x01\x7f\0", 6), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_qp_back),
		cmocka_unit_test(test_base64_back),
		cmocka_unit_test(test_wrap_qp),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
