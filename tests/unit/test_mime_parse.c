#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "mime/mime_parse.h"
#include "util/attr.h"
#include "util/strbuf.h"

#define CT "Content-Type: "
#define CTE "Content-Transfer-Encoding: "
#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct {
	const char *header;
	enum mime_place place;
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool text, fault;
	const char *boundary;
} cases[] = {
	{ "", MIME_PLACE_MESSAGE, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ "", MIME_PLACE_PART, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ "", MIME_PLACE_DIGEST, MIME_MESSAGE, MIME_7BIT, false, false, "" },
	{ "", MIME_PLACE_PHANTOM, MIME_RIGID, MIME_7BIT, true, false, "" },
	{ CT "TEXT/Html\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "text/plain\r\n", MIME_PLACE_DIGEST, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "image/png\r\n", 0, MIME_LEAF, MIME_7BIT, false, false, "" },
	{ CT "(a(b;)) image (c) / (d) png (e)\r\n", 0, MIME_LEAF, MIME_7BIT, false, false, "" },
	/* what cannot be read is text */
	{ CT "text\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "image/\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "\xff/x\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ "Content-Type : image/png\r\n", 0, MIME_LEAF, MIME_7BIT, false, false, "" },
	/* encodings */
	{ CTE "8BIT\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE " (x) binary (y)\r\n", 0, MIME_LEAF, MIME_BINARY, true, false, "" },
	{ CTE "\r\n base64\r\n", 0, MIME_LEAF, MIME_BASE64, true, false, "" },
	{ CTE "Quoted-Printable\r\n", 0, MIME_LEAF, MIME_QUOTED_PRINTABLE, true, false, "" },
	/* as they are really written */
	{ CTE "8-bit\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "8bit;\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "base64; charset=utf-8\r\n", 0, MIME_LEAF, MIME_BASE64, true, false, "" },
	{ CTE "\"quoted-printable\"\r\n", 0, MIME_LEAF, MIME_QUOTED_PRINTABLE, true, false, "" },
	{ CTE "\"base64\r\n", 0, MIME_LEAF, MIME_BASE64, true, false, "" },
	{ CTE "UTF-8\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "none\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "7bit 8bit\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "base64 8bit\r\n", 0, MIME_LEAF, MIME_8BIT, true, false, "" },
	{ CTE "x-uuencode\r\n", 0, MIME_LEAF, MIME_UNKNOWN, true, false, "" },
	{ CTE "x-yenc;\r\n", 0, MIME_LEAF, MIME_UNKNOWN, true, false, "" },
	/* of two the first counts, but for a type that says more */
	{ CTE "base64\r\n" CTE "BASE64\r\n", 0, MIME_LEAF, MIME_BASE64, true, false, "" },
	{ CT "multipart/x; boundary=a\r\n" CT "multipart/x; boundary=a\r\n", 0, MIME_MULTIPART,
	  MIME_7BIT, false, false, "a" },
	{ CTE "base64\r\n" CTE "7bit\r\n", 0, MIME_LEAF, MIME_BASE64, true, false, "" },
	{ CTE "7bit\r\n" CTE "base64\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "text/plain\r\n" CT "image/png\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "image/png\r\n" CT "text/plain\r\n", 0, MIME_LEAF, MIME_7BIT, false, false, "" },
	{ CT "multipart/x; boundary=a\r\n" CT "image/png\r\n", 0, MIME_MULTIPART, MIME_7BIT, false,
	  false, "a" },
	{ CT "text/html\r\n" CT "multipart/x; boundary=a\r\n", 0, MIME_MULTIPART, MIME_7BIT, false,
	  false, "a" },
	{ CT "multipart/x\r\n" CT "multipart/y; boundary=a\r\n", 0, MIME_MULTIPART, MIME_7BIT,
	  false, false, "a" },
	{ CT "multipart/x; boundary=ab\r\n" CT "multipart/y; boundary=c\r\n", 0, MIME_MULTIPART,
	  MIME_7BIT, false, false, "ab" },
	{ CT "text/html\r\n" CT "multipart/x\r\n", 0, MIME_LEAF, MIME_7BIT, true, false, "" },
	{ CT "multipart/x; boundary=ab\r\n" CT "multipart/signed; boundary=c\r\n", 0, MIME_SEALED,
	  MIME_7BIT, false, false, "" },
	{ CT "text/plain\r\n" CT "message/rfc822\r\n", 0, MIME_MESSAGE,
	  MIME_7BIT, false, false, "" },
	/* kinds */
	{ CT "multipart/signed; boundary=a\r\n", 0, MIME_SEALED, MIME_7BIT, false, false, "" },
	{ CT "multipart/ENCRYPTED\r\n", 0, MIME_SEALED, MIME_7BIT, false, false, "" },
	{ CT "application/pkcs7-mime\r\n", 0, MIME_LEAF, MIME_7BIT, false, false, "" },
	{ CT "message/rfc822\r\n", 0, MIME_MESSAGE, MIME_7BIT, false, false, "" },
	{ CT "message/news\r\n", 0, MIME_MESSAGE, MIME_7BIT, false, false, "" },
	{ CT "message/rfc822\r\n" CTE "base64\r\n", 0, MIME_LEAF, MIME_BASE64, false, false, "" },
	{ CT "message/partial\r\n", 0, MIME_SEALED, MIME_7BIT, false, false, "" },
	{ CT "message/delivery-status\r\n", 0, MIME_RIGID, MIME_7BIT, false, false, "" },
	{ CT "message/external-body\r\n", 0, MIME_EXTERNAL, MIME_7BIT, false, false, "" },
	{ CT "message/global\r\n", 0, MIME_LEAF, MIME_7BIT, false, false, "" },
	/* boundaries */
	{ CT "multipart/mixed; boundary=a\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false, "a" },
	{ CT "multipart/mixed; BOUNDARY=\"a b\"\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false,
	  "a b" },
	{ CT "multipart/mixed;\r\n\tboundary = a\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false,
	  "a" },
	{ CT "multipart/x; a=\"; boundary=z\"; boundary=\"a;\\\"b\" junk\r\n", 0, MIME_MULTIPART,
	  MIME_7BIT, false, false, "a;\"b" },
	{ CT "multipart/x (; boundary=z); charset=x; boundary=a;\r\n", 0, MIME_MULTIPART, MIME_7BIT,
	  false, false, "a" },
	{ CT "multipart/x; boundary=" SEVENTY "\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false,
	  SEVENTY },
	{ CT "multipart/x; boundary=a\r\n" CTE "base64\r\n", 0, MIME_MULTIPART, MIME_BASE64, false,
	  false, "a" },
	{ CT "multipart/x; boundary=\"a \"\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false, "a" },
	{ CT "multipart/x; boundary=a b\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false, "a b" },
	{ CT "multipart/x; boundary=" SEVENTY SEVENTY "\r\n", 0, MIME_MULTIPART, MIME_7BIT, false,
	  false, SEVENTY SEVENTY },
	{ CT "multipart/x; boundary=a; boundary=b\r\n", 0, MIME_MULTIPART, MIME_7BIT, false, false,
	  "a" },
	/* faults */
	{ CT "multipart/x\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary=\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary=\"\"\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary=\" \"\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary=\xc3\xbc\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary=" SEVENTY SEVENTY SEVENTY SEVENTY
	  "\r\n", 0, MIME_RIGID, MIME_7BIT,
	  false, true, "" },
	{ CT "multipart/x; boundary*=us-ascii''a\r\n", 0, MIME_RIGID, MIME_7BIT, false, true, "" },
	{ CT "multipart/x; boundary*0=a; boundary=a\r\n", 0, MIME_RIGID, MIME_7BIT, false, true,
	  "" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mime_entity e;

		mime_parse_header(cases[i].header, strlen(cases[i].header), cases[i].place, &e);
		if (e.kind != cases[i].kind || e.encoding != cases[i].encoding ||
		    e.text != cases[i].text || (e.fault != NULL) != cases[i].fault ||
		    strcmp(e.boundary, cases[i].boundary) != 0)
			fail_msg("case %zu: kind %d, encoding %d, text %d, boundary '%s', %s", i,
				 e.kind, e.encoding, e.text, e.boundary,
				 	e.fault ? e.fault : "no fault");
		assert_int_equal(e.boundary_len, strlen(cases[i].boundary));
	}
}

static void test_flags(void **state)
{
	static const char all[] = "mime-version: 1.0\r\n" CT "multipart/digest; boundary=a\r\n"
				  CTE "8bit\r\n";
	struct mime_entity e;

	(void)state;
	mime_parse_header(all, sizeof(all) - 1, MIME_PLACE_MESSAGE, &e);
	assert_true(e.has_version && e.has_type && e.has_encoding && e.digest && !e.global);
	mime_parse_header("X: y\r\n", 6, MIME_PLACE_PART, &e);
	assert_false(e.has_version || e.has_type || e.has_encoding || e.digest || e.global);
	mime_parse_header(CT "message/global-headers\r\n", sizeof(CT "message/global-headers\r\n")
		- 1,
			  MIME_PLACE_PART, &e);
	assert_true(e.global);
	assert_int_equal(e.place, MIME_PLACE_PART);
}

static void test_fields(void **state)
{
	static const char text[] = "From me\r\nA: b\r\n c\r\n\td\r\nB :x\r\nC:";
	struct mime_field f;
	size_t at = 0;

	(void)state;
	assert_true(mime_field_next(text, sizeof(text) - 1, &at, &f));
	assert_int_equal(f.name, 0);
	assert_int_equal(f.len, 9);
	assert_true(mime_field_next(text, sizeof(text) - 1, &at, &f));
	assert_int_equal(f.len, strlen("A: b\r\n c\r\n\td\r\n"));
	assert_int_equal(f.value, 2);
	assert_true(mime_field_is(&f, "a"));
	assert_false(mime_field_is(&f, "ab"));
	assert_true(mime_field_next(text, sizeof(text) - 1, &at, &f));
	assert_true(mime_field_is(&f, "B"));
	assert_int_equal(f.value, 3);
	assert_true(mime_field_next(text, sizeof(text) - 1, &at, &f));
	assert_int_equal(f.len, 2);
	assert_false(mime_field_next(text, sizeof(text) - 1, &at, &f));
	assert_int_equal(at, sizeof(text) - 1);
}

/* Each parameter as name|value, read without regard to the letter of the RFC. */
static const struct {
	const char *value, *params;
} params[] = {
	{ "text/plain", "" },
	{ "text/plain;", "|." },
	{ "a/b; x=y", "x|y." },
	{ "a/b; x = \"y;z\" ;k=v w ", "x|y;z.k|v w." },
	{ "a/b; x=\"a\\\"b\"; y=\"c", "x|a\"b.y|c." },
	{ "a/b; file=a (1).pdf; z", "file|a (1).pdf.z|." },
	{ "a/b (;x=1); (c) y (d) = 2", "y|2." },
	{ "a/b; x=\"p\r\n q\"", "x|p q." },
	{ "a/b; x=\"", "x|." },
	{ "a/b; =y;;", "|y.|.|." },
};

static void test_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		const char *end = params[i].value + strlen(params[i].value);
		const char *p = mime_param_first(params[i].value, end);
		struct strbuf out = STRBUF_INIT(1000);
		struct mime_param param;

		while (mime_param_next(&p, end, &param)) {
			strbuf_add(&out, param.name, param.name_len);
			strbuf_addch(&out, '|');
			mime_param_value(&param, &out);
			strbuf_addch(&out, '.');
		}
		assert_string_equal(out.buf, params[i].params);
		strbuf_release(&out);
	}
}

/* No octet behind the end is read: each prefix in memory of its own size. */
static void test_prefixes(void **state)
{
	static const char text[] = CT
		"multipart/mixed; (a \\) x) boundary=\"a\\\"b\"; name=\"\xc3\xbc\"\r\n"
				   CTE "(x) 8bit\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = test_malloc(n + 1);
		struct mime_entity e;

		memcpy(copy, text, n);
		copy[n] = '!';
		mime_parse_header(copy, n, MIME_PLACE_MESSAGE, &e);
		assert_true(e.boundary_len <= MIME_BOUNDARY_MAX);
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
