#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xml.h"

static struct strbuf events;	/* "<name a=b>" and "text/" */
static const char *stop_at;
static struct error failure;

static int setup(void **state)
{
	(void)state;
	strbuf_init(&events, 1 << 20);
	stop_at = NULL;
	failure = (struct error){ .exit = 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_release(&events);
	return 0;
}

static int begin(void *ctx, unsigned depth, const char *name, const char *const *attr,
		 struct error *err)
{
	assert_string_equal(ctx, "context");
	strbuf_addf(&events, "<%u%s", depth, name);
	if (xml_attribute(attr, "a"))
		strbuf_addf(&events, " a=%s", xml_attribute(attr, "a"));
	strbuf_addch(&events, '>');
	return stop_at && strcmp(stop_at, name) == 0 ?
		error_set(err, FAULT_MESSAGE, "stopped") : 0;
}

static int end(void *ctx, unsigned depth, const char *name, const char *text, struct error *err)
{
	assert_string_equal(ctx, "context");
	(void)err, (void)name;
	strbuf_addf(&events, "%s/%u", text, depth);
	return 0;
}

static int read_text(const char *text, size_t n)
{
	static char context[] = "context";
	const struct xml_handler h = { .begin = begin, .end = end, .ctx = context };

	strbuf_reset(&events);
	return xml_read(text, n, &h, &failure);
}

static void skip_without_library(void)
{
	if (xml_load(&failure) < 0)
		skip();
}

static void elements_come_with_their_own_text(void **state)
{
	static const struct {
		const char *text, *events;
	} cases[] = {
		{ "<x/>", "<1x>/1" },
		{ "<?xml version='1.0'?><x a='1' b='2'> t </x>\n", "<1x a=1>t/1" },
		{ "<x>a<y>b</y>c</x>", "<1x><2y>b/2ac/1" },
		{ "<x>&lt;&amp;&#65;</x>", "<1x><&A/1" },
		{ "<x><![CDATA[<y>]]></x>", "<1x><y>/1" },
		{ "<x><!-- <y> --></x>", "<1x>/1" },
		{ "<?xml version='1.0' encoding='ISO-8859-1'?><x>\xe9</x>", "<1x>\xc3\xa9/1" },
	};

	(void)state;
	skip_without_library();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (read_text(cases[i].text, strlen(cases[i].text)) < 0)
			fail_msg("%s: %s", cases[i].text, failure.text);
		assert_string_equal(events.buf, cases[i].events);
	}
}

static void what_is_no_xml_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "x", "<x>", "</x>", "<x></y>", "<x/><y/>", "<x a=1/>", "<x>&y;</x>",
		"<x>\x01</x>", "<x>\xff</x>", "<?xml version='1.0' encoding='none'?><x/>",
		"<!DOCTYPE x><x/>", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>",
		"<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>"
	};

	(void)state;
	skip_without_library();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (read_text(bad[i], strlen(bad[i])) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(failure.exit, EX_DATAERR);
		assert_non_null(strstr(failure.text, "line "));
	}
	assert_int_equal(read_text("<x>\0</x>", 8), -1);
}

static void add_times(struct strbuf *out, const char *s, unsigned n)
{
	while (n--)
		strbuf_addstr(out, s);
}

static void limits_hold(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	(void)state;
	skip_without_library();
	for (unsigned depth = 32; depth <= 33; depth++) {
		strbuf_reset(&text);
		add_times(&text, "<x>", depth);
		add_times(&text, "</x>", depth);
		assert_int_equal(read_text(text.buf, text.len), depth == 32 ? 0 : -1);
	}
	for (unsigned n = 9999; n <= 10000; n++) {
		strbuf_reset(&text);
		strbuf_addstr(&text, "<r>");
		add_times(&text, "<x/>", n);
		strbuf_addstr(&text, "</r>");
		assert_int_equal(read_text(text.buf, text.len), n == 9999 ? 0 : -1);
	}
	for (unsigned n = 4096; n <= 4097; n++) {
		strbuf_reset(&text);
		strbuf_addstr(&text, "<r>");
		add_times(&text, "x", n);
		strbuf_addstr(&text, "</r>");
		assert_int_equal(read_text(text.buf, text.len), n == 4096 ? 0 : -1);
	}
	strbuf_release(&text);
}

static void a_handler_ends_the_reading(void **state)
{
	(void)state;
	skip_without_library();
	stop_at = "y";
	assert_int_equal(read_text("<x><y><z/></y></x", 17), -1);
	assert_string_equal(failure.text, "stopped");
	assert_string_equal(events.buf, "<1x><2y>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(elements_come_with_their_own_text, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_xml_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_ends_the_reading, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
