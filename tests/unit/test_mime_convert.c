#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mime/mime_header.h"
#include "mime/mime_walk.h"

#include "mime_model.h"

#define UE "\xc3\xbc"
#define MIME "MIME-Version: 1.0\r\n"
#define CT "Content-Type: "
#define CTE "Content-Transfer-Encoding: "
#define MIXED(b) CT "multipart/mixed; boundary=" b "\r\n"
#define QP CTE "quoted-printable\r\n"
#define B64 CTE "base64\r\n"

/* For a server without 8BITMIME; an empty result: nothing to do. */
static const struct {
	const char *in, *out;
	int exit;
	const char *status;
} cases[] = {
	{ "Subject: x\r\n\r\nabc\r\n", "", 0, NULL },
	/* one leaf */
	{ MIME CT "text/plain; charset=utf-8\r\n" CTE "8bit\r\n\r\nT" UE "r and text\r\n",
	  MIME CT "text/plain; charset=utf-8\r\n" QP "\r\nT=C3=BCr and text\r\n", 0, NULL },
	{ MIME CT "text/plain; charset=utf-8\r\n\r\n" UE "\r\n",
	  MIME CT "text/plain; charset=utf-8\r\n" B64 "\r\nw7wNCg==\r\n", 0, NULL },
	{ "Subject: x\r\n\r\nT" UE "r and more text\r\n",
	  "Subject: x\r\nMIME-Version: 1.0\r\n" CT "text/plain; charset=utf-8\r\n" QP
	  "\r\nT=C3=BCr and more text\r\n", 0, NULL },
	{ "\r\nT\xfcr and text\r\n",
	  "MIME-Version: 1.0\r\n" CT "text/plain; charset=unknown-8bit\r\n" QP
	  "\r\nT=FCr and text\r\n", 0, NULL },
	/* UTF-8 that ends within a character */
	{ "\r\nText and text " UE "\xc3\r\n",
	  "MIME-Version: 1.0\r\n" CT "text/plain; charset=unknown-8bit\r\n" QP
	  "\r\nText and text =C3=BC=C3\r\n", 0, NULL },
	{ CT "image/png\r\ncontent-transfer-encoding: binary\r\n" MIME "\r\n\xff\r\n.\r\n",
	  CT "image/png\r\ncontent-transfer-encoding: base64\r\n" MIME "\r\n/w0KLg0K\r\n", 0,
	  NULL },
	/* the fraction that decides: one octet in six */
	{ MIME CT "text/x\r\n\r\n12345678" UE "\r\n",
	  MIME CT "text/x\r\n" B64 "\r\nMTIzNDU2NzjDvA0K\r\n", 0, NULL },
	{ MIME CT "text/x\r\n\r\n123456789" UE "\r\n",
	  MIME CT "text/x\r\n" QP "\r\n123456789=C3=BC\r\n", 0, NULL },
	/* a tree: preamble, leaves, epilogue; nothing else changes */
	{ MIME CT "multipart/mixed;\r\n boundary=\"a b\"\r\n" CTE "8bit\r\n\r\npre" UE
	  "\r\n--a b\r\n\r\nasc\r\n"
	  "--a b \t\r\n" CT "text/plain\r\n" CTE "8bit\r\n\r\nT" UE
	  "r and more text\r\n--a b--\r\nepi" UE,
	  MIME CT "multipart/mixed;\r\n boundary=\"a b\"\r\n" CTE
	  "7bit\r\n\r\npre??\r\n--a b\r\n\r\nasc\r\n"
	  "--a b \t\r\n" CT "text/plain\r\n" QP
	  "\r\nT=C3=BCr and more text\r\n--a b--\r\nepi??\r\n",
	  0, NULL },
	/* the line end before a delimiter is the delimiter's */
	{ MIXED("b") "\r\n--b\r\n" CT "image/x\r\n\r\n\xff\r\n--b\r\n" CT
	  "image/x\r\n\r\n\xff\r\n\r\n--b--\r\n",
	  MIXED("b") "\r\n--b\r\n" CT "image/x\r\n" B64 "\r\n/w==\r\n--b\r\n" CT "image/x\r\n" B64
	  "\r\n/w0K\r\n--b--\r\n", 0, NULL },
	{ MIXED("b") "\r\n--b\r\n\r\nText " UE " \r\n--b--",
	  MIXED("b") "\r\n--b\r\n" B64 "\r\nVGV4dCDDvCA=\r\n--b--\r\n", 0, NULL },
	{ MIXED("b") "\r\n--b\r\n\r\nText and text " UE " \r\n--b--",
	  MIXED("b") "\r\n--b\r\n" QP "\r\nText and text =C3=BC=20\r\n--b--\r\n", 0, NULL },
	/* an 8bit label on what is ASCII */
	{ MIXED("b") "\r\n--b\r\n" CTE "8bit\r\n\r\nx\r\n--b\r\n" CTE "binary\r\n\r\n" UE
	  "123456789012\r\n--b--\r\n",
	  MIXED("b") "\r\n--b\r\n" CTE "7bit\r\n\r\nx\r\n--b\r\n" QP
	  "\r\n=C3=BC123456789012\r\n--b--\r\n",
	  0, NULL },
	/* a boundary that is the beginning of another one, both ways */
	{ MIXED("ab") "\r\n--ab\r\n" MIXED("abc") "\r\n--abc\r\n\r\nT" UE
	  "r and text\r\n--abd\r\n--abc--\r\n--ab--\r\n",
	  MIXED("ab") "\r\n--ab\r\n" MIXED("abc") "\r\n--abc\r\n" QP
	  "\r\nT=C3=BCr and text\r\n=2D-abd\r\n--abc--\r\n--ab--\r\n", 0, NULL },
	{ MIXED("abc") "\r\n--abc\r\n" MIXED("ab") "\r\n--ab\r\n\r\nT" UE
	  "r and text\r\n--ab--\r\n--abc--\r\n",
	  MIXED("abc") "\r\n--abc\r\n" MIXED("ab") "\r\n--ab\r\n" QP
	  "\r\nT=C3=BCr and text\r\n--ab--\r\n--abc--\r\n", 0, NULL },
	/* an outer delimiter ends inner parts, in a header as well */
	{ MIXED("a") "\r\n--a\r\n" MIXED("b") "\r\n--b\r\nX: y\r\n--a\r\n\r\nT" UE
	  "r and more text\r\n",
	  MIXED("a") "\r\n--a\r\n" MIXED("b") "\r\n--b\r\nX: y\r\n--a\r\n" QP
	  "\r\nT=C3=BCr and more text\r\n", 0, NULL },
	/* the last line end is that of the delimiter that is missing */
	{ MIXED("a") "\r\n--a\r\n" CT "image/x\r\n\r\n\xff\r\n",
	  MIXED("a") "\r\n--a\r\n" CT "image/x\r\n" B64 "\r\n/w==\r\n", 0, NULL },
	/* behind the last delimiter the same line is text */
	{ MIXED("b") "\r\n--b\r\n\r\nT" UE "r and more text\r\n--b--\r\n--b\r\n\r\n" UE "\r\n",
	  MIXED("b") "\r\n--b\r\n" QP "\r\nT=C3=BCr and more text\r\n--b--\r\n--b\r\n\r\n??\r\n",
	  0, NULL },
	/* a part whose header has no end */
	{ MIXED("b") "\r\n--b\r\nno field " UE " at all\r\n--b--\r\n",
	  MIXED("b") "\r\n--b\r\n" QP "\r\nno field =C3=BC at all\r\n--b--\r\n", 0, NULL },
	/* messages inside */
	{ MIME CT "message/rfc822\r\n" CTE "8bit\r\n\r\nFrom me\r\nSubject: y\r\n\r\nT" UE
	  "r and more text\r\n",
	  MIME CT "message/rfc822\r\n" CTE "7bit\r\n\r\nFrom me\r\nSubject: y\r\n" MIME
	  CT "text/plain; charset=utf-8\r\n" QP "\r\nT=C3=BCr and more text\r\n", 0, NULL },
	{ CT "multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n" MIME CT "text/x\r\n\r\n" UE
	  "\r\n--d\r\n\r\nA: b\r\n\r\n\r\n--d--\r\n",
	  CT "multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n" MIME CT "text/x\r\n" B64
	  "\r\nw7w=\r\n--d\r\n\r\nA: b\r\n\r\n\r\n--d--\r\n", 0, NULL },
	{ CT "message/global\r\n\r\nSubject: " UE "\r\n\r\n",
	  CT "message/global\r\n" MIME B64 "\r\nU3ViamVjdDogw7wNCg0K\r\n", 0, NULL },
	{ CT "message/external-body\r\n\r\n" CT "text/plain; name=\"" UE "\"\r\n\r\nx\r\n",
	  CT "message/external-body\r\n\r\n" CT "text/plain;\r\n name*=utf-8''%C3%BC\r\n\r\nx\r\n",
	  0, NULL },
	/* header fields of parts */
	{ MIXED("b") "\r\n--b\r\nContent-Description: gr" UE "n\r\n\r\nx\r\n--b--\r\n",
	  MIXED("b") "\r\n--b\r\nContent-Description: =?utf-8?B?Z3LDvG4=?=\r\n\r\nx\r\n--b--\r\n",
	  0, NULL },
	/* signed and encrypted parts: only what is around them */
	{ MIXED("m") "\r\n" UE "\r\n--m\r\n" CT
	  "multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n a\r\n--s--\r\n--m--\r\n",
	  MIXED("m") "\r\n??\r\n--m\r\n" CT
	  "multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n a\r\n--s--\r\n--m--\r\n",
	  0, NULL },
	{ CT "multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n" UE "\r\n--s--\r\n", NULL,
	  EX_UNAVAILABLE,
	  "5.6.3" },
	{ MIXED("m") "\r\n--m\r\n" CT "multipart/encrypted\r\n\r\n" UE "\r\n--m--\r\n", NULL,
	  EX_UNAVAILABLE, "5.6.3" },
	{ CT "application/pkcs7-mime\r\n" CTE "8bit\r\n\r\n\xff\r\n",
	  CT "application/pkcs7-mime\r\n" B64 MIME "\r\n/w0K\r\n", 0, NULL },
	/* what must not be encoded */
	{ CT "message/partial\r\n\r\n" UE "\r\n", NULL, EX_UNAVAILABLE, "5.6.3" },
	/* ... and what nobody would decode: a report, the body of a phantom */
	{ CT "message/delivery-status\r\n" CTE "8bit\r\n\r\nx: " UE "\r\n",
	  CT "message/delivery-status\r\n" CTE "7bit\r\n" MIME "\r\nx: ??\r\n", 0, NULL },
	{ CT "message/external-body\r\n\r\n\r\n" UE "\r\n",
	  CT "message/external-body\r\n\r\n\r\n??\r\n", 0, NULL },
	/* other types that should not be encoded, and encodings that nobody knows */
	{ CT "message/x-other\r\n\r\nx: " UE "\r\n",
	  CT "message/x-other\r\n" MIME B64 "\r\neDogw7wNCg==\r\n", 0, NULL },
	{ CT "message/x-other\r\n\r\nx\r\n", "", 0, NULL },
	{ CTE "x-uuencode\r\n\r\n" UE "\r\n",
	  B64 MIME CT "text/plain; charset=utf-8\r\n\r\nw7wNCg==\r\n", 0, NULL },
	/* what is not what it says */
	{ B64 "\r\n" UE "\r\n",
	  B64 MIME CT "text/plain; charset=utf-8\r\n\r\nw7wNCg==\r\n", 0, NULL },
	{ MIXED("m") "\r\n--m\r\n" QP "\r\n=41" UE "\r\n--m--\r\n",
	  MIXED("m") "\r\n--m\r\n" QP "\r\n=41=C3=BC\r\n--m--\r\n", 0, NULL },
	{ CTE "8bit;\r\n" MIME CT "text/x\r\n\r\n123456789" UE "\r\n",
	  QP MIME CT "text/x\r\n\r\n123456789=C3=BC\r\n", 0, NULL },
	{ CT "multipart/mixed\r\n\r\n--b\r\n\r\n" UE "\r\n--b--\r\n",
	  MIME CT "text/plain; charset=utf-8\r\n" QP
	  "\r\n=2D-b\r\n\r\n=C3=BC\r\n=2D-b--\r\n", 0, NULL },
	{ MIXED("b") "\r\n--c\r\n\r\nwords and \xfc\r\n",
	  MIME CT "text/plain; charset=unknown-8bit\r\n" QP
	  "\r\n=2D-c\r\n\r\nwords and =FC\r\n", 0, NULL },
	{ MIXED("m") "\r\n--m\r\n" CT "multipart/x\r\n" CTE "8bit\r\nX: y\r\n\r\nsome words and " UE
	  "\r\n--m--\r\n",
	  MIXED("m") "\r\n--m\r\n" QP "X: y\r\n" CT "text/plain; charset=utf-8\r\n"
	  "\r\nsome words and =C3=BC\r\n--m--\r\n", 0, NULL },
	{ CT "text/x\r\n" CT "text/x\r\n\r\n" UE "\r\n",
	  CT "text/x\r\n" CT "text/x\r\n" MIME B64 "\r\nw7wNCg==\r\n", 0, NULL },
	{ CT "text/x\r\n" CT "image/y\r\n\r\nsome words and " UE "\r\n",
	  CT "text/x\r\n" CT "image/y\r\n" MIME QP "\r\nsome words and =C3=BC\r\n", 0, NULL },
	{ CTE "7bit\r\n" CTE "8bit\r\n\r\n" UE "\r\n",
	  B64 B64 MIME CT "text/plain; charset=utf-8\r\n\r\nw7wNCg==\r\n", 0, NULL },
	{ CT "text/x\r\n" MIXED("b") "\r\n--b\r\n\r\nsome words and " UE "\r\n--b--\r\n",
	  CT "text/x\r\n" MIXED("b") "\r\n--b\r\n" QP "\r\nsome words and =C3=BC\r\n--b--\r\n",
	  0, NULL },
	{ MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b\r\n\r\nsome words and " UE "\r\n--b--\r\n",
	  MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b\r\n" QP
	  "\r\nsome words and =C3=BC\r\n--b--\r\n", 0, NULL },
	/* ... does no harm where nothing is to be done */
	{ MIXED("b") "\r\n" UE "\r\n--b\r\n" CT "multipart/mixed\r\n\r\n--c\r\n\r\nx\r\n--b--\r\n",
	  MIXED("b") "\r\n??\r\n--b\r\n" CT "multipart/mixed\r\n\r\n--c\r\n\r\nx\r\n--b--\r\n", 0,
	  NULL },
};

static const struct message_options as_is = { .dots_ignored = true };
static const struct mime_options seven = { .seven_bit = true, .headers = true,
					   .charset = "unknown-8bit" };

static int convert(const struct message *m, const struct mime_options *opt, struct strbuf *out,
		   struct mime_report *report, struct error *err)
{
	struct message *made = NULL;
	struct edits e;

	edits_init(&e, m->arena, m);
	if (mime_convert(m, &e, opt, &made, report, err) < 0)
		return -1;
	if (made) {
		edits_init(&e, made->arena, made);
		mime_model_write(made, &e, out);
		assert_int_equal(out->len, edits_wire_size(&e, made));
	}
	message_free(made);
	return 0;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(MODEL_MAX);
		struct mime_report report;
		struct error err = { 0 };
		struct message *m = model_read(cases[i].in, strlen(cases[i].in), 0, &as_is, &err);
		struct message *made;
		int rc = convert(m, &seven, &out, &report, &err);

		if ((rc == 0) != (cases[i].exit == 0) || (rc == 0 && strcmp(out.buf, cases[i].out)
			!= 0))
			print_error("case %zu: %d %s\n%s", i, rc, rc ? err.text : "", out.buf);
		assert_int_equal(rc, cases[i].exit ? -1 : 0);
		if (rc == 0) {
			assert_string_equal(out.buf, cases[i].out);
		} else {
			assert_int_equal(err.exit, cases[i].exit);
			assert_string_equal(err.status, cases[i].status);
		}
		assert_null(mime_model_check(m, &seven, &made));
		message_free(made);
		message_free(m);
		strbuf_release(&out);
	}
}

/* The same with line feeds alone, and with the message in pieces in the spool. */
static void test_line_feeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);
		struct mime_report report;
		struct error err = { 0 };

		for (const char *p = cases[i].in; *p; p++)
			if (*p != '\r')
				strbuf_addch(&in, *p);
		struct message *m = model_read(in.buf, in.len, 1 + i % 5, &as_is, &err);

		if (convert(m, &seven, &out, &report, &err) == 0)
			assert_string_equal(out.buf, cases[i].out);
		message_free(m);
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

static void fill(struct strbuf *out, const char *what, size_t times)
{
	while (times--)
		strbuf_addstr(out, what);
}

static int run(const struct strbuf *in, const struct mime_options *opt, struct strbuf *out,
	       struct error *err)
{
	struct mime_report report;
	struct message *m = model_read(in->buf, in->len, 0, &as_is, err), *made;
	int rc = convert(m, opt, out, &report, err);

	assert_null(mime_model_check(m, opt, &made));
	message_free(made);
	message_free(m);
	return rc;
}

/* A delimiter at each place around the end of a block. */
static void test_block_edges(void **state)
{
	static const char end[] = "\r\n--edge\r\n" QP "\r\nT=C3=BCr and more text\r\n--edge--\r\n";

	(void)state;
	for (size_t pad = 65536 - 120; pad < 65536 + 20; pad++) {
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);
		struct error err;

		strbuf_addstr(&in, MIXED("edge") "\r\n--edge\r\n" CT "image/x\r\n\r\n");
		fill(&in, "x\r\n", pad / 3 - 20);
		fill(&in, "y", pad % 3 + 1);
		strbuf_addstr(&in, "\r\n--edge\r\n\r\nT" UE "r and more text\r\n--edge--\r\n");
		assert_int_equal(run(&in, &seven, &out, &err), 0);
		assert_string_equal(out.buf + out.len - strlen(end), end);
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* A line larger than any buffer, as a header field, as text and behind a delimiter. */
static void test_huge_lines(void **state)
{
	struct mime_options opt = { .lines = MIME_LINES_ENCODE, .charset = "x" };

	(void)state;
	for (size_t n = 131000; n < 131100; n += 9) {
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX),
			text = STRBUF_INIT(MODEL_MAX), back = STRBUF_INIT(MODEL_MAX);
		struct error err;

		fill(&text, "x", n);
		fill(&text, "--b", 3);
		strbuf_addstr(&text, "\r\n");
		strbuf_addstr(&in, CT "text/x\r\n" MIME "\r\n");
		strbuf_add(&in, text.buf, text.len);
		assert_int_equal(run(&in, &opt, &out, &err), 0);
		assert_memory_equal(out.buf, CT "text/x\r\n" MIME QP "\r\n", strlen(CT
			"text/x\r\n" MIME QP "\r\n"));
		strbuf_consume(&out, strlen(CT "text/x\r\n" MIME QP "\r\n"));
		assert_true(mime_model_qp(out.buf, out.len, &back));
		assert_string_equal(back.buf, text.buf);
		strbuf_reset(&in);
		strbuf_reset(&out);
		strbuf_addstr(&in, MIXED("b") "\r\n--b\r\nX:");
		fill(&in, " word", n / 5);
		strbuf_addstr(&in, "\r\n\r\nx\r\n--b");
		fill(&in, " ", 500);
		strbuf_addstr(&in, "\t\r\n\r\ny\r\n--b--");
		fill(&in, " ", 1500);
		strbuf_addstr(&in, "\r\nz");
		assert_int_equal(run(&in, &opt, &out, &err), 0);
		assert_non_null(strstr(out.buf, "\r\n--b--\r\nz\r\n"));
		assert_true(mime_model_longest(out.buf, out.len) <= MESSAGE_LINE_MAX);
		strbuf_release(&in);
		strbuf_release(&out);
		strbuf_release(&text);
		strbuf_release(&back);
	}
}

static void test_long_lines(void **state)
{
	static const struct {
		const char *head;
		const char *unit;
		enum mime_lines lines;
		const char *found;
	} rows[] = {
		{ "\r\n", "word ", MIME_LINES_ENCODE, "charset=us-ascii\r\n" QP
		  "\r\nword word" },
		{ "\r\n", UE, MIME_LINES_ENCODE, "charset=utf-8\r\n" B64 "\r\nw7z" },
		{ CT "text/x\r\n" CTE "8bit\r\n\r\n", "some words and " UE " ", MIME_LINES_ENCODE,
		  "\r\nsome words and =C3=BC " },
		{ CT "image/x\r\n\r\n", "word ", MIME_LINES_ENCODE, "\r\nd29yZCB3b3Jk" },
		{ CT "image/x\r\n\r\n", "word ", MIME_LINES_SPLIT, "\r\nd29yZCB3b3Jk" },
		{ B64 "\r\n", "QUJD", MIME_LINES_ENCODE, "QUJD\r\nQUJDQU" },
		{ QP "\r\n", "=41b", MIME_LINES_ENCODE, "=\r\n" },
		{ QP "\r\n", "=41b", MIME_LINES_SPLIT, "=\r\n" },
		{ "\r\n", UE, MIME_LINES_SPLIT, UE "\r\n " UE },
		{ "\r\n", "word ", MIME_LINES_SPLIT, "word\r\n word word" },
		/* lines that nobody can encode, or that are not what they are said to be */
		{ B64 "\r\n", "word ", MIME_LINES_ENCODE, "word word\r\n word" },
		{ B64 "\r\n", "word.", MIME_LINES_ENCODE, "wor\r\n d." },
		{ CT "message/delivery-status\r\n\r\nA: ", "word ", MIME_LINES_ENCODE,
		  "word\r\n word" },
		{ CTE "8bit;\r\n\r\n", "word ", MIME_LINES_ENCODE, QP },
		{ "\r\n", "word ", MIME_LINES_PASS, "" },
		{ CTE "x-uue\r\n\r\n", "x", MIME_LINES_ENCODE, "xx\r\n xx" },
		{ CTE "x-uue\r\n\r\n", "x", MIME_LINES_SPLIT, "xx\r\n xx" },
		{ CT "multipart/mixed\r\n\r\n", "x", MIME_LINES_ENCODE, "xx\r\n xx" },
		{ MIXED("b") "\r\n--b\r\n\r\nx\r\n--b--\r\n", "--b ", MIME_LINES_ENCODE,
		  "--b --b\r\n --b --b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct mime_options opt = { .lines = rows[i].lines,
			.charset = "unknown-8bit" };
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);
		struct error err;

		strbuf_addstr(&in, rows[i].head);
		fill(&in, rows[i].unit, 1200);
		assert_int_equal(run(&in, &opt, &out, &err), 0);
		if (!strstr(out.buf, rows[i].found))
			print_error("row %zu: %s\n", i, out.buf);
		assert_non_null(strstr(out.buf, rows[i].found));
		assert_true(mime_model_longest(out.buf, out.len) <= MESSAGE_LINE_MAX);
		assert_int_equal(out.len == 0, *rows[i].found == '\0');
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* What is signed, and a piece of a message, keeps them: a server may take them. */
static void test_long_lines_sealed(void **state)
{
	static const char *const heads[] = { CT "multipart/signed; boundary=s\r\n\r\n",
					     CT "multipart/encrypted\r\n\r\n",
					     CT "message/partial\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(heads); i++) {
		const struct mime_options opt = { .charset = "unknown-8bit",
			.lines = i % 2 ? MIME_LINES_ENCODE : MIME_LINES_SPLIT };
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);
		struct error err;

		strbuf_addstr(&in, heads[i / 2]);
		fill(&in, "x", 1200);
		strbuf_addstr(&in, "\r\n");
		assert_int_equal(run(&in, &opt, &out, &err), 0);
		assert_true(out.len == 0 || strcmp(out.buf, in.buf) == 0);
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* 998 octets are fine. */
static void test_limit(void **state)
{
	const struct mime_options opt = { .lines = MIME_LINES_ENCODE, .charset = "x" };

	(void)state;
	for (size_t n = 996; n < 1001; n++) {
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);
		struct error err;

		strbuf_addstr(&in, MIXED("b") "\r\n--b\r\n\r\n");
		fill(&in, "a", n);
		strbuf_addstr(&in, "\r\n--b--\r\n");
		assert_int_equal(run(&in, &opt, &out, &err), 0);
		assert_int_equal(out.len > 0, n > 998);
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* depth multiparts inside each other, or so many parts beside each other. */
static void make_tree(struct strbuf *in, size_t depth, size_t parts)
{
	strbuf_addstr(in, "Subject: x\r\n");
	for (size_t i = 0; i < depth; i++)
		strbuf_addf(in, CT "multipart/mixed; boundary=b%zu\r\n\r\n--b%zu\r\n", i, i);
	for (size_t i = 1; i < parts; i++)
		strbuf_addstr(in, "\r\nx\r\n--b0\r\n");
	strbuf_addstr(in, "\r\n" UE "\r\n");
}

static void test_limits(void **state)
{
	static const struct {
		size_t depth, parts;
		int rc;
	} rows[] = { { 98, 1, 0 }, { 99, 1, 0 }, { 100, 1, 0 }, { 1000, 1, 0 },
		     { 1, MIME_PARTS_MAX - 1, 0 }, { 1, MIME_PARTS_MAX, -1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);
		struct error err;

		make_tree(&in, rows[i].depth, rows[i].parts);
		assert_int_equal(run(&in, &seven, &out, &err), rows[i].rc);
		if (rows[i].rc == 0 && rows[i].depth > 99)
			assert_non_null(strstr(out.buf, "charset=utf-8\r\n" CTE));
		else if (rows[i].rc == 0)
			assert_non_null(strstr(out.buf, "\r\n" B64 "\r\nw7w=\r\n"));
		else
			assert_string_equal(err.status, "5.6.0");
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* Without anything to do the report tells what is there, and nothing is changed. */
static void test_report(void **state)
{
	static const struct {
		const char *in;
		bool headers, part, changed, left;
	} rows[] = {
		{ "Subject: " UE "\r\n\r\nx\r\n", false, false, false, 0 },
		{ "Subject: " UE "\r\n\r\nx\r\n", true, false, true, 0 },
		{ MIXED("b") "\r\n--b\r\nX: " UE "\r\n\r\n" UE "\r\n--b--\r\n", false, true,
		  false, 0 },
		{ MIXED("b") "\r\n--b\r\nX: " UE "\r\n\r\n" UE "\r\n--b--\r\n", true, true, true,
		  0 },
		{ MIXED("b") "\r\n--b\r\n\r\n" UE "\r\n--b--\r\n", true, false, false, 0 },
		{ MIXED("b") "\r\n--b\r\nContent-ID: <" UE ">\r\n\r\nx\r\n--b--\r\n", true, true,
		  true, 0 },
		{ CT "message/rfc822\r\n\r\nTo: " UE "@x\r\n\r\n", true, true, true,
		  true },
		/* a sealed part is not looked into */
		{ CT "multipart/signed; boundary=b\r\n\r\n--b\r\nX: " UE "\r\n\r\n--b--\r\n",
		  true, false,
		  false, 0 },
		{ CT "message/global\r\n\r\nX: " UE "\r\n\r\n", true, false, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct mime_options opt = { .headers = rows[i].headers, .charset = "x" };
		struct strbuf out = STRBUF_INIT(MODEL_MAX);
		struct mime_report report;
		struct error err;
		struct message *m = model_read(rows[i].in, strlen(rows[i].in), 0, &as_is, &err);

		assert_int_equal(convert(m, &opt, &out, &report, &err), 0);
		if (report.part_header_8bit != rows[i].part || report.left != rows[i].left ||
		    (out.len > 0) != rows[i].changed)
			fail_msg("row %zu: part %d, left %u\n%s", i, report.part_header_8bit,
				report.left,
				 out.buf);
		message_free(m);
		strbuf_release(&out);
	}
}

/* Binary content for a server that takes 8-bit text only. */
static void test_binary(void **state)
{
	static const struct message_options taken = { .binary = true };
	static const struct mime_options text = { .binary = true, .lines = MIME_LINES_ENCODE,
						  .charset = "x" };
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
#define IN(s) s, sizeof(s) - 1
		{ IN(CT "x/y\r\n" MIME "\r\na\0\r\n"), CT "x/y\r\n" MIME B64 "\r\nYQANCg==\r\n" },
		{ IN(CT "x/y\r\n" MIME "\r\na\n"), CT "x/y\r\n" MIME B64 "\r\nYQo=\r\n" },
		{ IN(CT "x/y\r\n" MIME "\r\n\r\r\n\n"), CT "x/y\r\n" MIME B64 "\r\nDQ0KCg==\r\n" },
		{ IN(CT "text/y\r\n" MIME CTE "binary\r\n\r\na\rb"),
		  CT "text/y\r\n" MIME B64 "\r\nYQ1i\r\n" },
		{ IN(MIXED("b") CTE "binary\r\n\r\nx\0\n\r\n--b\r\n" CTE
		  "binary\r\n\r\ntext\r\n--b\r\n"
		     CT "x/y\r\n" CTE "binary\r\n\r\n--b\n\0--b--\r\n--b--"),
		  MIXED("b") CTE "8bit\r\n" MIME "\r\nx?\r\n\r\n--b\r\n" CTE
		  "8bit\r\n\r\ntext\r\n--b\r\n"
		  CT "x/y\r\n" B64 "\r\nLS1iCgAtLWItLQ==\r\n--b--\r\n" },
		/* what is no base64 is content as any other; bare line ends are nothing in it */
		{ IN(B64 CT "x/y\r\n" MIME "\r\nYQ=\0=\r\n"),
		  B64 CT "x/y\r\n" MIME "\r\nWVE9AD0NCg==\r\n" },
		{ IN(B64 CT "x/y\r\n" MIME "\r\nYWFh\nYQ==\n"),
		  B64 CT "x/y\r\n" MIME "\r\nYWFhYQ==\r\n" },
		{ IN(CT "multipart/signed\r\n\r\n\0\r\n"), NULL },
		{ IN(MIXED("b") "\r\n--b\r\nX: a\rb\r\n\r\n\0\r\n--b--\r\n"),
		  MIXED("b") "\r\n--b\r\nX: a b\r\n" B64 "\r\nAA==\r\n--b--\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 0; piece < 4; piece++) {
			struct strbuf out = STRBUF_INIT(MODEL_MAX);
			struct mime_report report;
			struct error err;
			struct message *m = model_read(rows[i].in, rows[i].len,
				piece, &taken, &err);
			int rc;

			assert_true(m->body_binary);
			rc = convert(m, &text, &out, &report, &err);
			assert_int_equal(rc, rows[i].out ? 0 : -1);
			if (rc == 0)
				assert_string_equal(out.buf, rows[i].out);
			message_free(m);
			strbuf_release(&out);
		}
	}
}

/* Edits are in what comes out, and the message itself is as before. */
static void test_edits(void **state)
{
	static const char in[] = "Bcc: x@y\r\nSubject: x\r\n\r\nT" UE "r and more text\r\n";
	struct strbuf out = STRBUF_INIT(MODEL_MAX), before = STRBUF_INIT(MODEL_MAX);
	struct mime_report report;
	struct error err;
	struct edits e, none;
	struct message *m = model_read(in, sizeof(in) - 1, 0, &as_is, &err), *made = NULL;

	(void)state;
	edits_init(&e, m->arena, m);
	edits_drop(&e, 0);
	assert_int_equal(edits_add(&e, "Date", "now", &err), 0);
	mime_model_write(m, &e, &before);
	assert_int_equal(mime_convert(m, &e, &seven, &made, &report, &err), 0);
	edits_init(&none, made->arena, made);
	mime_model_write(made, &none, &out);
	assert_string_equal(out.buf, "Date: now\r\nSubject: x\r\n" MIME CT
		"text/plain; charset=utf-8\r\n" QP
			    "\r\nT=C3=BCr and more text\r\n");
	assert_false(made->body_8bit || made->header_8bit);
	strbuf_reset(&out);
	mime_model_write(m, &e, &out);
	assert_string_equal(out.buf, before.buf);
	strbuf_release(&out);
	strbuf_release(&before);
	message_free(made);
	message_free(m);
}

/* More than fits into memory: through the temporary file, octet for octet. */
static void test_large(void **state)
{
	struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX),
		back = STRBUF_INIT(MODEL_MAX);
	struct error err;
	const char *head = CT "text/x\r\n" MIME QP "\r\n";

	(void)state;
	strbuf_addstr(&in, CT "text/x\r\n" MIME "\r\n");
	size_t start = in.len;

	for (size_t i = 0; i < 60000; i++)
		strbuf_addf(&in, "Line %zu has an umlaut (" UE ") and a blank at its end \r\n", i);
	assert_int_equal(run(&in, &seven, &out, &err), 0);
	assert_memory_equal(out.buf, head, strlen(head));
	assert_true(mime_model_qp(out.buf + strlen(head), out.len - strlen(head), &back));
	assert_int_equal(back.len, in.len - start);
	assert_memory_equal(back.buf, in.buf + start, back.len);
	strbuf_release(&in);
	strbuf_release(&out);
	strbuf_release(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_line_feeds),
		cmocka_unit_test(test_block_edges),
		cmocka_unit_test(test_huge_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_long_lines_sealed),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
