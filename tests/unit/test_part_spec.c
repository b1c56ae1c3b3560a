#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arena_state.h"
#include "mime/compose.h"
#include "util/arena.h"
#include "util/error.h"

static void test_good(void **state)
{
	static const struct {
		enum part_role role;
		const char *value;
		struct part_spec want;
	} cases[] = {
		{ PART_ATTACHMENT, "a.pdf", { .path = "a.pdf" } },
		{ PART_ATTACHMENT, "-", { .path = "-" } },
		{ PART_ATTACHMENT, "/x y/a b.pdf", { .path = "/x y/a b.pdf" } },
		{ PART_ATTACHMENT, "a.pdf,type=Application/PDF",
		  { .path = "a.pdf", .type = "application/pdf" } },
		{ PART_ATTACHMENT, "a;type=a/b;name=x y.z",
		  { .path = "a", .type = "a/b", .name = "x y.z" } },
		{ PART_ATTACHMENT, "a,filename=n;cid=l@x.example,Description=A text",
		  { .path = "a", .name = "n", .cid = "l@x.example", .description = "A text" } },
		{ PART_ATTACHMENT, "a\\,b\\;c\\\\d,name=e\\,f",
		  { .path = "a,b;c\\d", .name = "e,f" } },
		{ PART_ATTACHMENT, "a\\", { .path = "a\\" } },
		{ PART_ATTACHMENT, "a=b", { .path = "a=b" } },
		{ PART_ATTACHMENT, "a,name=b=c", { .path = "a", .name = "b=c" } },
		{ PART_ATTACHMENT, "a,type=text/plain;charset=koi8-r",
		  { .path = "a", .type = "text/plain", .charset = "koi8-r" } },
		{ PART_ATTACHMENT, "a,encoding=QP", { .path = "a", .encoding = PART_QP } },
		{ PART_ATTACHMENT, "a,encoding=base64,encoding=7bit",
		  { .path = "a", .encoding = PART_7BIT } },
		{ PART_ATTACHMENT, "a,disposition=Inline",
		  { .path = "a", .inline_given = true, .inline_wanted = true } },
		{ PART_ATTACHMENT, "a,disposition=attachment,description=",
		  { .path = "a", .inline_given = true } },
		{ PART_ATTACHMENT, "a,type=message/rfc822",
		  { .path = "a", .type = "message/rfc822" } },
		{ PART_TEXT, "a,charset=utf-8", { .path = "a", .charset = "utf-8" } },
		{ PART_CALENDAR, "a,name=i.ics", { .path = "a", .name = "i.ics" } },
		{ PART_MESSAGE, "a,name=m.eml", { .path = "a", .name = "m.eml" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_spec got;
		struct error err = { .exit = 0 };

		if (part_spec_parse(*state, cases[i].role, cases[i].value, &got, &err) < 0)
			fail_msg("%s: %s", cases[i].value, err.text);
		assert_int_equal(got.role, cases[i].role);
		assert_same(cases[i].value, got.path, cases[i].want.path);
		assert_same(cases[i].value, got.type, cases[i].want.type);
		assert_same(cases[i].value, got.name, cases[i].want.name);
		assert_same(cases[i].value, got.charset, cases[i].want.charset);
		assert_same(cases[i].value, got.description, cases[i].want.description);
		assert_same(cases[i].value, got.cid, cases[i].want.cid);
		assert_int_equal(got.encoding, cases[i].want.encoding);
		assert_int_equal(got.inline_given, cases[i].want.inline_given);
		assert_int_equal(got.inline_wanted, cases[i].want.inline_wanted);
	}
}

static void test_bad(void **state)
{
	static const struct {
		enum part_role role;
		const char *value, *says;
	} cases[] = {
		{ PART_ATTACHMENT, "", "empty" }, { PART_ATTACHMENT, ",type=a/b", "empty" },
		{ PART_ATTACHMENT, "a,b.txt", "'b.txt' is not KEY=VALUE" },
		{ PART_ATTACHMENT, "a,", "KEY=VALUE" },
		{ PART_ATTACHMENT, "a,,name=b", "KEY=VALUE" },
		{ PART_ATTACHMENT, "a,size=5", "'size' is none of type" },
		{ PART_ATTACHMENT, "a,=5", "none of" },
		{ PART_ATTACHMENT, "a,type=pdf", "'pdf' is not TYPE/SUBTYPE" },
		{ PART_ATTACHMENT, "a,type=/b", "TYPE/SUBTYPE" },
		{ PART_ATTACHMENT, "a,type=a/", "TYPE/SUBTYPE" },
		{ PART_ATTACHMENT, "a,type=a/b c", "TYPE/SUBTYPE" },
		{ PART_ATTACHMENT, "a,type=a/b\\; x=y", "TYPE/SUBTYPE" },
		{ PART_ATTACHMENT, "a,type=multipart/mixed", "cannot be attached" },
		{ PART_ATTACHMENT, "a,type=message/partial", "--attach-message" },
		{ PART_ATTACHMENT, "a,name=", "name" }, { PART_ATTACHMENT, "a,name=b/c", "name" },
		{ PART_ATTACHMENT, "a,name=b\nc", "control character" },
		{ PART_ATTACHMENT, "a,description=b\r\nX: y", "control character" },
		{ PART_ATTACHMENT, "a,disposition=hidden", "attachment or inline" },
		{ PART_ATTACHMENT, "a,encoding=uuencode", "base64" },
		{ PART_ATTACHMENT, "a,charset=", "charset" },
		{ PART_ATTACHMENT, "a,charset=x y", "charset" },
		{ PART_ATTACHMENT, "a,charset=UTF-8//IGNORE", "charset" },
		{ PART_ATTACHMENT, "a,cid=", "Content-ID" }, { PART_ATTACHMENT, "a,cid=@x", "cid" },
		{ PART_ATTACHMENT, "a,cid=x@", "cid" }, { PART_ATTACHMENT, "a,cid=x@y@z", "cid" },
		{ PART_ATTACHMENT, "a,cid=<x>", "cid" }, { PART_ATTACHMENT, "a,cid=x y", "cid" },
		{ PART_TEXT, "a,type=text/html", "'type' has no meaning here" },
		{ PART_TEXT, "a,cid=x", "no meaning" },
		{ PART_MESSAGE, "a,encoding=qp", "no meaning" },
		{ PART_MESSAGE, "a,charset=utf-8", "no meaning" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_spec got = { .path = "untouched" };
		struct error err = { .exit = 0 };

		if (part_spec_parse(*state, cases[i].role, cases[i].value, &got, &err) == 0)
			fail_msg("'%s' is taken", cases[i].value);
		assert_int_equal(err.exit, EX_USAGE);
		assert_string_equal(got.path, "untouched");
		if (!strstr(err.text, cases[i].says))
			fail_msg("'%s': %s", cases[i].value, err.text);
	}
}

static void test_base_name(void **state)
{
	(void)state;
	assert_string_equal(part_base_name("a"), "a");
	assert_string_equal(part_base_name("/a/b.c"), "b.c");
	assert_string_equal(part_base_name("../b"), "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_bad, arena_setup, arena_teardown),
		cmocka_unit_test(test_base_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
