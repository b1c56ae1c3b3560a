#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mime/mime_header.h"
#include "util/attr.h"
#include "util/strbuf.h"
#include "util/text.h"

#define UE "\xc3\xbc"

static const struct {
	const char *in, *out;
	unsigned left;
} cases[] = {
	/* ASCII is not looked at */
	{ "Subject: =?x?y?=  b\r\n  c \r\n", "Subject: =?x?y?=  b\r\n  c \r\n", 0 },
	{ "From: a <b@@c\r\n", "From: a <b@@c\r\n", 0 },
	/* unstructured */
	{ "Subject: gr" UE "n\r\n", "Subject: =?utf-8?B?Z3LDvG4=?=\r\n", 0 },
	{ "X-Any: a long text of words and then gr" UE "n at last\r\n",
	  "X-Any: a long text of words and then =?utf-8?B?Z3LDvG4=?= at last\r\n", 0 },
	{ "Subject: gr\xfcn\r\n", "Subject: =?iso-8859-1?Q?gr=FCn?=\r\n", 0 },
	{ "Subject: (" UE ") x\r\n", "Subject: =?utf-8?B?KMO8KQ==?= x\r\n", 0 },
	/* display names and comments */
	{ "From: J" UE "rg Test Name <j@x.example>\r\n",
	  "From: =?utf-8?Q?J=C3=BCrg_Test_Name?= <j@x.example>\r\n", 0 },
	{ "From: \"Test, J" UE "rg Na\\\"me\" <j@x.example>\r\n",
	  "From: =?utf-8?Q?Test=2C_J=C3=BCrg_Na=22me?= <j@x.example>\r\n", 0 },
	{ "From: J\xfcrg Testname <j@x.example>\r\n",
	  "From: =?iso-8859-1?Q?J=FCrg_Testname?= <j@x.example>\r\n", 0 },
	{ "To: j@x.example (J" UE "rg (Test) Name)\r\n",
	  "To: j@x.example (=?utf-8?Q?J=C3=BCrg_=28Test=29_Name?=)\r\n", 0 },
	{ "To: \"A. B\" <a@x.example>,\r\n J" UE "rg Testname <j@x.example>,\r\n c@x.example\r\n",
	  "To: \"A. B\" <a@x.example>,\r\n =?utf-8?Q?J=C3=BCrg_Testname?= <j@x.example>,\r\n"
	  " c@x.example\r\n",
	  0 },
	{ "Cc: Leute aus K" UE "ln: a@x.example, b@x.example;\r\n",
	  "Cc: =?utf-8?Q?Leute_aus_K=C3=BCln?=: a@x.example, b@x.example;\r\n", 0 },
	{ "To: J. " UE "ber Testname <j@x.example>\r\n",
	  "To: =?utf-8?Q?J=2E_=C3=BCber_Testname?= <j@x.example>\r\n", 0 },
	/* encoded words that are there stay; the blank between them and ours is kept in ours */
	{ "To: =?utf-8?Q?A?= " UE "ber Testname <j@x.example>\r\n",
	  "To: =?utf-8?Q?A?= =?utf-8?Q?_=C3=BCber_Testname?= <j@x.example>\r\n", 0 },
	{ "To: " UE "ber Testname =?utf-8?Q?A?= <j@x.example>\r\n",
	  "To: =?utf-8?Q?=C3=BCber_Testname_?= =?utf-8?Q?A?= <j@x.example>\r\n", 0 },
	/* domains, and what has no ASCII form */
	{ "To: j@b" UE "cher.example, k@x.example\r\n",
	  "To: j@xn--bcher-kva.example, k@x.example\r\n", 0 },
	{ "To: K <\"j x\"@b" UE "cher.example>\r\n", "To: K <\"j x\"@xn--bcher-kva.example>\r\n",
	  0 },
	{ "To: j" UE "@x.example\r\n", "To: j" UE "@x.example\r\n", 1 },
	{ "To: j@b\xfc" "cher.example\r\n", "To: j@b\xfc" "cher.example\r\n", 1 },
	/* nobody writes to those of trace fields: they are never left */
	{ "Delivered-To: j" UE "@b\xfc" "cher.example\r\n",
	  "Delivered-To: j?@b?cher.example\r\n", 0 },
	{ "X-Original-To: J\xfcrgen Test <j" UE UE "\xfc@x>\r\n",
	  "X-Original-To: =?iso-8859-1?Q?J=FCrgen_Test?= <j???@x>\r\n", 0 },
	{ "To: J" UE "rg Testname <j" UE "@x.example>\r\n",
	  "To: =?utf-8?Q?J=C3=BCrg_Testname?= <j" UE "@x.example>\r\n", 1 },
	{ "To: " UE "\r\n", "To: " UE "\r\n", 1 },
	/* an address list that cannot be read is text */
	{ "To: J" UE "rg Testname <j@\r\n", "To: =?utf-8?B?SsO8cmc=?= Testname <j@\r\n", 0 },
	/* other structured fields */
	{ "Date: 1 Jan 2026 00:00:00 +0100 (Z" UE "rich time)\r\n",
	  "Date: 1 Jan 2026 00:00:00 +0100 (=?utf-8?Q?Z=C3=BCrich_time?=)\r\n", 0 },
	{ "Message-ID: <a" UE "@x>\r\n", "Message-ID: <a?@x>\r\n", 0 },
	{ "Received: from " UE " (x)\r\n", "Received: from ? (x)\r\n", 0 },
	{ "References: <" UE UE "@x> <\xfc\xfc@\xe6\x97\xa5\xe6@x>\r\n",
	  "References: <??@x> <??@??@x>\r\n", 0 },
	{ "Received: from x (" UE "ber Testname) by y\r\n",
	  "Received: from x (=?utf-8?Q?=C3=BCber_Testname?=) by y\r\n", 0 },
	{ "Keywords: gr" UE "nes Gras, b\r\n", "Keywords: =?utf-8?Q?gr=C3=BCnes_Gras?=, b\r\n", 0 },
	/* a quote that nothing closes is text, and so is all behind it */
	{ "Keywords: " UE " \"b c\r\n", "Keywords: =?utf-8?B?w7wgImIgYw==?=\r\n", 0 },
	{ "Keywords: " UE " \"b\\\"\r\n", "Keywords: =?utf-8?B?w7wgImJcIg==?=\r\n", 0 },
	{ "Keywords: " UE " \"\r\n", "Keywords: =?utf-8?B?w7wgIg==?=\r\n", 0 },
	{ "Keywords: " UE " \"b\\c\"\r\n", "Keywords: =?utf-8?B?w7wgYmM=?=\r\n", 0 },
	{ "List-Id: gr" UE "nes Gras <g.x>\r\n",
	  "List-Id: =?utf-8?Q?gr=C3=BCnes_Gras?= <g.x>\r\n", 0 },
	{ "List-Id: x <" UE ".x>\r\n", "List-Id: x <?.x>\r\n", 0 },
	{ "List-Unsubscribe: <https://x.example/?" UE ">\r\n",
	  "List-Unsubscribe: <https://x.example/?%C3%BC>\r\n", 0 },
	/* parameters */
	{ "Content-Type: text/plain; name=\"\xc3\x9c" "ber.txt\"; charset=utf-8\r\n",
	  "Content-Type: text/plain;\r\n name*=utf-8''%C3%9Cber.txt; charset=utf-8\r\n", 0 },
	{ "Content-Disposition: attachment; filename=\xc3\x9c" "ber uns (1).txt\r\n",
	  "Content-Disposition: attachment;\r\n filename*=utf-8''%C3%9Cber%20uns%20%281%29.txt\r\n",
	  0 },
	{ "Content-Disposition: attachment; filename=\"\xdc" "ber.txt\"\r\n",
	  "Content-Disposition: attachment;\r\n filename*=iso-8859-1''%DCber.txt\r\n", 0 },
	/* the extended form that is there is the better one */
	{ "Content-Disposition: attachment; filename=\"" UE
	  "\"; filename*=UTF-8''%C3%BC; size=1\r\n",
	  "Content-Disposition: attachment; filename*=UTF-8''%C3%BC; size=1\r\n", 0 },
	{ "Content-Disposition: attachment; filename*=UTF-8''" UE "\r\n",
	  "Content-Disposition: attachment; filename*=UTF-8''%C3%BC\r\n", 0 },
	{ "Content-Type: text/plain (Gr" UE "n and so on); x=y\r\n",
	  "Content-Type: text/plain (=?utf-8?Q?Gr=C3=BCn_and_so_on?=); x=y\r\n", 0 },
	{ "Content-Type: " UE "/x\r\n", "Content-Type: ?/x\r\n", 0 },
	/* long ones in pieces, cut between characters */
	{ "Content-Disposition: attachment; filename=\"" UE UE UE UE UE UE UE UE UE UE UE UE UE
	  "a.txt\"\r\n",
	  "Content-Disposition: attachment;\r\n"
	  " filename*0*=utf-8''%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC;\r\n"
	  " filename*1*=%C3%BC%C3%BC%C3%BC%C3%BCa.txt\r\n", 0 },
	/* no field at all */
	{ "From " UE "\r\n", "From =?utf-8?B?w7w=?=\r\n", 0 },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(10000);
		unsigned left = mime_header_encode(&out, cases[i].in, strlen(cases[i].in),
						      "iso-8859-1", 0);

		if (strcmp(out.buf, cases[i].out) != 0)
			print_error("case %zu:\n%s", i, out.buf);
		assert_string_equal(out.buf, cases[i].out);
		assert_int_equal(left, cases[i].left);
		assert_int_equal(text_is_ascii(out.buf, out.len), left == 0);
		strbuf_release(&out);
	}
}

/* Whatever is cut off: no octet behind the end, and ASCII unless it says something else. */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t n = 0; n < strlen(cases[i].in); n++) {
			char *copy = test_malloc(n + 1);
			struct strbuf out = STRBUF_INIT(10000);

			memcpy(copy, cases[i].in, n);
			copy[n] = '"';
			unsigned left = mime_header_encode(&out, copy, n, "iso-8859-1", 0);

			assert_true(left || text_is_ascii(out.buf, out.len));
			strbuf_reset(&out);
			assert_false(mime_header_encode(&out, copy, n, "iso-8859-1",
							MIME_HEADER_ASCII));
			assert_true(text_is_ascii(out.buf, out.len));
			strbuf_release(&out);
			test_free(copy);
		}
	}
}

/* No line of encoded words is longer than 76 octets (RFC 2047, section 2). */
static void test_long(void **state)
{
	static const char *const fields[] = { "Subject: ", "To: ", "Keywords: ", "Comments: x " };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct strbuf in = STRBUF_INIT(10000), out = STRBUF_INIT(100000);

		strbuf_addstr(&in, fields[i]);
		for (size_t k = 0; k < 200; k++)
			strbuf_addstr(&in, k % 3 ? UE "ber " : "Land ");
		strbuf_addstr(&in, "<a@x.example>\r\n");
		assert_int_equal(mime_header_encode(&out, in.buf, in.len, "x", 0), 0);
		for (char *p = out.buf, *end; *p; p = end + 2) {
			end = strstr(p, "\r\n");
			assert_non_null(end);
			assert_true(end - p <= 76 + (*p != ' ' || end[2] == '\0' ? 20 : 0));
			assert_true(p == out.buf || *p == ' ');
		}
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* Of our own making: also what only looks like an encoded word, where one would be read. */
static void test_own(void **state)
{
	static const struct { const char *in, *out; } own[] = {
		{ "Subject: plain\r\n", "Subject: plain\r\n" },
		{ "Subject: gr" UE "n\r\n", "Subject: =?utf-8?B?Z3LDvG4=?=\r\n" },
		{ "Subject: =?x?q?y?=\r\n", "Subject: =?utf-8?B?PT94P3E/eT89?=\r\n" },
		{ "X-Any:  a =?b\r\n", "X-Any:  =?utf-8?B?YSA9P2I=?=\r\n" },
		{ "Subject: what = ? and =x?\r\n", "Subject: what = ? and =x?\r\n" },
		{ "To: =?x?q?y?= <a@x>\r\n", "To: =?x?q?y?= <a@x>\r\n" },
		{ "Message-ID: <=?x?q?y?=@x>\r\n", "Message-ID: <=?x?q?y?=@x>\r\n" },
		{ "Subject:\r\n", "Subject:\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		struct strbuf out = STRBUF_INIT(10000);

		assert_int_equal(mime_header_encode(&out, own[i].in, strlen(own[i].in),
						    "iso-8859-1", MIME_HEADER_OWN), 0);
		assert_string_equal(out.buf, own[i].out);
		strbuf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
