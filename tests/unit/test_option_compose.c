#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arena_state.h"
#include "cli/options.h"
#include "mime/compose.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"

#define MAX_WORDS 24

/* argv from words separated by '|'. */
static int parse(const char *line, struct invocation *inv, struct error *err)
{
	char **argv = arena_calloc(arena, MAX_WORDS + 1, sizeof(*argv));
	int argc = 0;

	for (char *s = arena_strdup(arena, line); s;) {
		char *bar = strchr(s, '|');

		if (bar)
			*bar++ = '\0';
		assert_true(argc < MAX_WORDS);
		argv[argc++] = s;
		s = bar;
	}
	return options_parse(inv, arena, argc, argv, err);
}

/* Options and the field that comes of them. */
static void test_fields(void **state)
{
	static const struct { const char *option, *name, *value; } cases[] = {
		{ "--header=X-Foo: a b", "X-Foo", "a b" },
		{ "--header|X-Foo :a: b", "X-Foo", "a: b" },
		{ "--header=X-Foo:", "X-Foo", "" }, { "--set-header=Subject: x", "Subject", "x" },
		{ "--delete-header=X-Foo", "X-Foo", NULL },
		{ "--reply-to=Jo <a@x>, b@y", "Reply-To", "Jo <a@x>, b@y" },
		{ "--in-reply-to=<1@x>", "In-Reply-To", "<1@x>" },
		{ "--in-reply-to=1@x", "In-Reply-To", "<1@x>" },
		{ "--references=<1@x> <2@x>,3@x", "References", "<1@x> <2@x> <3@x>" },
		{ "--message-id=a.b@x.example", "Message-ID", "<a.b@x.example>" },
		{ "--date=2025-03-04T10:20:30Z", "Date", "Tue, 04 Mar 2025 10:20:30 +0000" },
		{ "--date=Tue, 04 Mar 2025 10:20:30 +0100", "Date",
		  "Tue, 04 Mar 2025 10:20:30 +0100" },
		{ "--date=4 Mar 2025 10:20:30 -0130", "Date", "4 Mar 2025 10:20:30 -0130" },
		{ "--expires=@0", "Expires", "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ "--reply-by=2025-03-04T10:20:30+01:00", "Reply-By",
		  "Tue, 04 Mar 2025 09:20:30 +0000" },
		{ "--deferred-delivery=2025-03-04 10:20:30Z", "Deferred-Delivery",
		  "Tue, 04 Mar 2025 10:20:30 +0000" },
		{ "--priority=URGENT", "Priority", "urgent" },
		{ "--sensitivity=company-confidential", "Sensitivity", "Company-Confidential" },
		{ "--auto-submitted=auto-generated", "Auto-Submitted", "auto-generated" },
		{ "--compose|--subject=gr\xc3\xbcn", "Subject", "gr\xc3\xbcn" },
	};

	(void)state;
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct invocation inv;
		struct error err = { .exit = 0 };
		const char *line = arena_printf(arena, "sendmail|%s|a@x", cases[i].option);

		if (parse(line, &inv, &err) < 0)
			fail_msg("%s: %s", line, err.text);
		assert_int_equal(inv.request.compose.field_n, 1);
		const struct field_request *f = &inv.request.compose.field[0];

		if (strcmp(f->name, cases[i].name) != 0 || !f->value != !cases[i].value ||
		    (f->value && strcmp(f->value, cases[i].value) != 0))
			fail_msg("%s: '%s: %s'", line, f->name, f->value ? f->value : "-");
		assert_int_equal(inv.request.words, 1);
	}
}

static void test_refused(void **state)
{
	static const struct { const char *line, *says; } cases[] = {
		/* line ends and other controls, whichever option it is */
		{ "msubmit|--compose|--subject=a\nBcc: x@y|a@x", "--subject" },
		{ "msubmit|--compose|--to=a@x\r\nX: y", "--to" },
		{ "msubmit|--compose|--cc=a@x\rb", "--cc" },
		{ "msubmit|--compose|--bcc=a@x\nb", "--bcc" },
		{ "msubmit|--header=X: a\r\nBcc: b|a@x", "--header" },
		{ "msubmit|--header=X\r\nBcc: b|a@x", "--header" },
		{ "msubmit|--set-header=X: a\nb|a@x", "--set-header" },
		{ "msubmit|--delete-header=X\n|a@x", "--delete-header" },
		{ "msubmit|--reply-to=a@x\nb|a@x", "--reply-to" },
		{ "msubmit|--message-id=<a@x>\nX: y|a@x", "--message-id" },
		{ "msubmit|--date=now\nX: y|a@x", "--date" },
		{ "msubmit|--read-receipt=a@x\nX: y|a@x", "--read-receipt" },
		{ "msubmit|--read-receipt|--disposition-options=a=required,b\nc|a@x",
		  "--disposition-options" },
		{ "msubmit|--charset=a\nb|a@x", "--charset" },
		{ "msubmit|--compose|--attach=a\nb|a@x", "--attach" },
		{ "msubmit|--header=X: a\x01|a@x", "control character" },
		/* names and values */
		{ "msubmit|--header=X|a@x", "'Name: value'" },
		{ "msubmit|--header=: x|a@x", "not the name" },
		{ "msubmit|--header=X Y: x|a@x", "not the name" },
		{ "msubmit|--header=X\xc3\xbc: x|a@x", "not the name" },
		{ "msubmit|--delete-header=X:|a@x", "not the name" },
		{ "msubmit|--header=Bcc: b@x|a@x", "secret" },
		{ "msubmit|--set-header=bcc : b@x|a@x", "secret" },
		{ "msubmit|--header=Resent-Bcc: b@x|a@x", "secret" },
		{ "msubmit|--header=Return-Path: <b@x>|a@x", "give -f" },
		{ "msubmit|--set-header=Content-Length: 5|a@x", "no meaning" },
		{ "msubmit|--reply-to=a@@b|a@x", "--reply-to" },
		{ "msubmit|--reply-to=|a@x", "--reply-to" },
		{ "msubmit|--return-path=x@@y|a@x", "--return-path" },
		{ "msubmit|--in-reply-to=abc|a@x", "not a Message-ID" },
		{ "msubmit|--in-reply-to=|a@x", "--in-reply-to" },
		{ "msubmit|--message-id=<a@b@c>|a@x", "not a Message-ID" },
		{ "msubmit|--message-id=<a@x> <b@x>|a@x", "more than one" },
		{ "msubmit|--message-id=<@x>|a@x", "not a Message-ID" },
		{ "msubmit|--message-id=<a@>|a@x", "not a Message-ID" },
		{ "msubmit|--date=yesterday|a@x", "--date" },
		{ "msubmit|--date=Tue, 04 Mar 2025 10:20:30|a@x", "--date" },
		{ "msubmit|--importance=very|a@x", "low, normal or high" },
		{ "msubmit|--priority=high|a@x", "non-urgent, normal or urgent" },
		{ "msubmit|--sensitivity=secret|a@x", "Company-Confidential" },
		{ "msubmit|--auto-submitted=yes|a@x", "auto-generated" },
		{ "msubmit|--read-receipt=x@@|a@x", "--read-receipt" },
		{ "msubmit|--disposition-options=a=required,b|a@x", "needs --read-receipt" },
		{ "msubmit|--read-receipt|--disposition-options=a|a@x", "ATTRIBUTE" },
		{ "msubmit|--read-receipt|--disposition-options=a=must,b|a@x", "ATTRIBUTE" },
		{ "msubmit|--read-receipt|--disposition-options=a=required,|a@x", "ATTRIBUTE" },
		{ "msubmit|--read-receipt|--disposition-options=a=required,b;|a@x", "ATTRIBUTE" },
		/* what does not go together */
		{ "msubmit|--to=a@x", "--compose or --resend" },
		{ "msubmit|--subject=x|a@x", "--subject needs --compose" },
		{ "msubmit|--body=x|a@x", "--body needs --compose" },
		{ "msubmit|--attach=/dev/null|a@x", "--attach needs --compose" },
		{ "msubmit|--compose|--resend|--to=a@x", "do not go together" },
		{ "msubmit|--compose|--to=a@x|-t", "-t does not go with --compose" },
		{ "msubmit|--resend|--to=a@x|-t", "-t does not go with --resend" },
		{ "msubmit|--compose|--to=a@x|--burl=imap://x/y", "--burl" },
		{ "msubmit|--header=X: y|--burl=imap://x/y|a@x", "do not go with --burl" },
		{ "msubmit|--read-receipt|--burl=imap://x/y|a@x", "do not go with --burl" },
		{ "msubmit|--compose|--to=a@x|-bv", "another command" },
		{ "msubmit|--compose|--to=a@x|--header=To: b@x", "give --to" },
		{ "msubmit|--compose|--to=a@x|--header=Content-Type: text/html", "type=" },
		{ "msubmit|--compose|--to=a@x|--delete-header=MIME-Version", "always there" },
		{ "msubmit|--compose|--to=a@x|--body=a|--body=b", "twice" },
		{ "msubmit|--compose|--to=a@x|--body=a|--no-body", "--no-body" },
		{ "msubmit|--compose|--to=a@x|--html=-|--attach=-", "twice" },
		{ "msubmit|--compose|--to=a@x|--related=/etc/passwd", "--html" },
		{ "msubmit|--compose|--to=a@x|--body=@", "empty" },
		{ "msubmit|--compose|--to=a@x|--attach=/etc/passwd,foo", "KEY=VALUE" },
		{ "msubmit|--compose|--to=a@x|--charset=x-none", "--charset" },
		/* a web program's text must not choose a file */
		{ "sendmail|--compose|--to=a@x|--attach=/etc/passwd", "when called as 'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--body-file=/etc/passwd", "'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--body=@/etc/passwd", "'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--html=/etc/passwd", "'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--inline=/etc/passwd", "'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--related=/etc/passwd", "'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--calendar=/etc/passwd", "'sendmail'" },
		{ "sendmail|--compose|--to=a@x|--attach-message=/etc/passwd", "'sendmail'" },
		{ "msubmit|--compose|a@x|--attach=/etc/passwd", "before the first address" },
		{ "msubmit|--compose|a@x|--body-file=/etc/passwd", "before the first address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct invocation inv;
		struct error err = { .exit = 0 };

		if (parse(cases[i].line, &inv, &err) == 0)
			fail_msg("'%s' is taken", cases[i].line);
		if (err.exit != EX_USAGE || !strstr(err.text, cases[i].says))
			fail_msg("'%s': %d, %s", cases[i].line, err.exit, err.text);
	}
}

/* Files that cannot be read are named before anything is read: 66. */
static void test_no_file(void **state)
{
	static const struct { const char *option, *says; } cases[] = {
		{ "--attach=/nonexistent/x", "--attach: cannot read '/nonexistent/x': No such" },
		{ "--body-file=/nonexistent", "--body-file: cannot read '/nonexistent'" },
		{ "--body=@/nonexistent", "cannot read '/nonexistent'" },
		{ "--html=/", "--html: cannot read '/': Is a directory" },
		{ "--attach=/tmp", "Is a directory" },
		{ "--attach=/dev/zero", "no regular file" },
		{ "--attach-message=/dev/null",
		  "--attach-message: '/dev/null' is no regular file" },
		{ "--calendar=/nonexistent", "--calendar" },
		{ "--inline=/nonexistent", "--inline" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct invocation inv;
		struct error err = { .exit = 0 };

		if (parse(arena_printf(arena, "msubmit|--compose|%s|a@x", cases[i].option), &inv,
			  &err) == 0)
			fail_msg("'%s' is taken", cases[i].option);
		if (err.exit != EX_NOINPUT || !strstr(err.text, cases[i].says))
			fail_msg("'%s': %d, %s", cases[i].option, err.exit, err.text);
	}
}

static void test_request(void **state)
{
	struct invocation inv;
	struct error err;

	(void)state;
	assert_int_equal(parse("msubmit|--compose|--to=a@x|--to=b@x|--cc|c@x|--bcc=d@x|--body=text"
			       "|--read-receipt|--return-receipt=r@x|--importance=HIGH"
			       "|--charset=iso-8859-1|--attach=-,name=x|--return-path=s@x", &inv,
			       &err), 0);
	assert_true(inv.request.compose.compose && !inv.request.compose.resend);
	assert_int_equal(inv.request.compose.address_n, 4);
	assert_int_equal(inv.request.compose.address[1].place, VISIBLE_TO);
	assert_string_equal(inv.request.compose.address[2].text, "c@x");
	assert_int_equal(inv.request.compose.address[3].place, VISIBLE_BCC);
	assert_int_equal(inv.request.compose.part_n, 2);
	assert_string_equal(inv.request.compose.part[0].text, "text");
	assert_string_equal(inv.request.compose.part[1].name, "x");
	assert_true(inv.request.compose.read_receipt.wanted);
	assert_null(inv.request.compose.read_receipt.address);
	assert_string_equal(inv.request.compose.return_receipt.address, "r@x");
	assert_string_equal(inv.request.compose.importance, "high");
	assert_string_equal(inv.request.sender, "s@x");
	assert_string_equal(inv.request.compose.charset, "iso-8859-1");
	assert_int_equal(parse("msubmit|--solicitation=org.example:x|a@x", &inv, &err), 0);
	assert_string_equal(inv.override[0].key, "solicit");
	assert_int_equal(parse("msubmit|--reply-to=original|a@x", &inv, &err), 0);
	assert_string_equal(inv.override[0].key, "reply_to");
	assert_int_equal(inv.request.compose.field_n, 0);
	/* more of each than there is room for at first */
	assert_int_equal(parse("msubmit|--header=A: 1|--header=B: 2|--header=C: 3|--header=D: 4"
			       "|--header=E: 5|--header=F: 6|--header=G: 7|--header=H: 8"
			       "|--header=I: 9|--header=J: 10|a@x", &inv, &err), 0);
	assert_int_equal(inv.request.compose.field_n, 10);
	assert_string_equal(inv.request.compose.field[0].name, "A");
	assert_string_equal(inv.request.compose.field[9].value, "10");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_refused, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_no_file, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_request, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
