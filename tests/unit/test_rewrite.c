#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/rewrite.h"
#include "conf_scratch.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/strbuf.h"

static struct arena *arena;

static int setup(void **state)
{
	arena = arena_new();
	return scratch_setup(state);
}

static int teardown(void **state)
{
	arena_free(arena);
	return scratch_teardown(state);
}

/* The map of a text in the form of generic(5). */
static struct rewrite_map *parsed(const char *text)
{
	struct rewrite_map *map = rewrite_map_new(arena);
	struct error err = { .exit = 0 };

	if (rewrite_map_parse(map, "map", arena_strdup(arena, text), strlen(text), &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	return map;
}

/*
 * What maps make of an address; local domains are "here" and "here.example",
 * names are completed by "d.example". "-" if no rule fits.
 */
static const char *found(const struct rewrite_map *const *maps, const char *address)
{
	struct mailbox box;
	struct error err = { .exit = 0 };

	if (address_parse_one(arena, address, 0, &box, &err) < 0)
		fail_msg("'%s': %s", address, err.text);
	const struct rewrite_key key = {
		.local = box.local, .domain = box.domain ? box.domain : "d.example",
		.is_local = !box.domain || strcasecmp(box.domain, "here") == 0 ||
			    strcasecmp(box.domain, "here.example") == 0,
	};
	const struct rewrite_rule *rule = rewrite_find(maps, &key);

	if (!rule)
		return "-";
	address = address_format(arena, rule->local ? rule->local : box.local, rule->domain);
	return rule->name ? arena_printf(arena, "%s <%s>", rule->name, address) : address;
}

/* {rules, address, what it becomes} */
static const char *const cases[][3] = {
	{ "", "a@b", "-" }, { "x@y z@w\n", "a@b", "-" },
	/* whole addresses */
	{ "a@b c@d\n", "a@b", "c@d" }, { "a@b c@d", "a@b", "c@d" }, { "a@b c@d\r\n", "a@b", "c@d" },
	{ "A@B c@d\n", "a@b", "c@d" }, { "a@b C@d\n", "A@B", "C@d" },
	{ "a@b\t \tc@d \t\n", "a@b", "c@d" }, { "a@b c@d\n", "a@b.c", "-" },
	{ "a@b c@d\n", "a", "-" }, { "a@d.example c@d\n", "a", "c@d" },
	{ "\"a b\"@c d@e\n", "\"a b\"@c", "d@e" }, { "\"a\"@c d@e\n", "a@c", "d@e" },
	{ "a@c \"d e\"@f\n", "a@c", "\"d e\"@f" },
	{ "a@[192.0.2.1] c@d\n", "a@[192.0.2.1]", "c@d" },
	{ "a=b+c@d e@f\n", "a=b+c@d", "e@f" }, { "a@b. c@d\n", "a@b", "c@d" },
	/* local names */
	{ "root c@d\n", "root", "c@d" }, { "root c@d\n", "ROOT@here", "c@d" },
	{ "root c@d\n", "root@HERE.example", "c@d" }, { "root c@d\n", "root@there", "-" },
	{ "root c@d\n", "root@d.example", "-" }, { "\"o o\" c@d\n", "\"o o\"@here", "c@d" },
	/* whole domains */
	{ "@b @c\n", "a@b", "a@c" }, { "@b @c\n", "A.x@B", "A.x@c" }, { "@b x@c\n", "a@b", "x@c" },
	{ "@b @c\n", "a@x.b", "-" }, { "@d.example @c\n", "root", "root@c" },
	{ "@here @c\n", "root", "-" }, { "@b @c\n", "\"o o\"@b", "\"o o\"@c" },
	/* patterns */
	{ "*@b c@d\n", "x@b", "c@d" }, { "@*.b @d\n", "x@y.b", "x@d" }, { "@*.b @d\n", "x@b", "-" },
	{ "?@b c@d\n", "xy@b", "-" }, { "no*@* c@d\n", "nobody@x", "c@d" },
	{ "no*@* c@d\n", "nobody", "c@d" },
	{ "no* c@d\n", "nobody", "c@d" }, { "no* c@d\n", "nobody@here", "c@d" },
	{ "no* c@d\n", "nobody@x", "-" }, { "* c@d\n", "root", "c@d" },
	{ "* c@d\n", "root@here", "c@d" }, { "* c@d\n", "root@x", "-" },
	{ "*@* c@d\n", "root@x", "c@d" }, { "\"*\"@b c@d\n", "x@b", "-" },
	{ "\"*\"@b c@d\n", "*@b", "c@d" },
	/* precedence, whatever the order of the lines */
	{ "* p@x\n@here d@x\nroot n@x\nroot@here a@x\n", "root@here", "a@x" },
	{ "* p@x\n@here d@x\nroot n@x\n", "root@here", "n@x" },
	{ "* p@x\n@here d@x\n", "root@here", "d@x" }, { "* p@x\n", "root@here", "p@x" },
	{ "r* one@x\nro* two@x\n", "root", "one@x" }, { "ro* two@x\nr* one@x\n", "root", "two@x" },
	{ "*@b one@x\na@* two@x\n", "a@b", "one@x" },
	/* once only */
	{ "a@b c@d\nc@d e@f\n", "a@b", "c@d" }, { "a@b b@a\nb@a a@b\n", "a@b", "b@a" },
	/* display names */
	{ "a@b Ops <c@d>\n", "a@b", "Ops <c@d>" }, { "a@b \"O, P\" <c@d>\n", "a@b", "O, P <c@d>" },
	{ "a@b <c@d>\n", "a@b", "c@d" }, { "a@b c@d (Ops)\n", "a@b", "Ops <c@d>" },
	{ "a@b J\xc3\xb6 <c@d>\n", "a@b", "J\xc3\xb6 <c@d>" },
	{ "@b Ops <c@d>\n", "a@b", "Ops <c@d>" },
	/* the file */
	{ "# a@b x@y\n\n  # note\na@b c@d\n", "a@b", "c@d" }, { "a@b\n c@d\n", "a@b", "c@d" },
	{ "a@b\n\n# note\n\t c@d\n", "a@b", "c@d" }, { "a@b Ops\n <c@d>\n", "a@b", "Ops <c@d>" },
	{ "a@b c@d\ne@f g@h\n", "e@f", "g@h" },
	/* international domains */
	{ "@b\xc3\xbc.example @c\n", "a@xn--b-eha.example", "a@c" },
	{ "@b @b\xc3\xbc.example\n", "a@b", "a@xn--b-eha.example" },
	{ "j\xc3\xb6@b c@d\n", "j\xc3\xb6@b", "c@d" },
	{ "a@b j\xc3\xb6@d\n", "a@b", "j\xc3\xb6@d" },
};

static void addresses_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rewrite_map *const maps[] = { parsed(cases[i][0]), NULL };
		const char *got = found(maps, cases[i][1]);

		if (strcmp(got, cases[i][2]) != 0)
			fail_msg("'%s' of '%s': %s, not %s", cases[i][1], cases[i][0], got,
				 cases[i][2]);
	}
}

/* The higher precedence counts, in whatever map; then the first map. */
static void several_maps(void **state)
{
	const struct rewrite_map *const maps[] = {
		parsed("* one@x\nroot one@x\n@b one@x\n"),
		parsed("joe two@x\nroot two@x\na@b two@x\n@b two@x\nj* two@x\n"), parsed(""), NULL
	};

	(void)state;
	assert_string_equal(found(maps, "root"), "one@x");
	assert_string_equal(found(maps, "joe"), "two@x");
	assert_string_equal(found(maps, "jane"), "one@x");
	assert_string_equal(found(maps, "a@b"), "two@x");
	assert_string_equal(found(maps, "c@b"), "one@x");
	assert_string_equal(found(maps, "c@d"), "-");
}

/* {file, error} */
static const char *const wrong[][2] = {
	{ "a@b\n", "map:1: 'a@b': needs 'address', 'Name <address>' or '@domain'" },
	{ "\n\na@@b c@d\n", "map:3: 'a@@b': address 'a@@b'" },
	{ "a@b c\n", "map:1: 'a@b': 'c' has no domain" },
	{ "a@b c@d, e@f\n", "map:1: 'a@b': address 'c@d': more than one address" },
	{ "a@b g: c@d;\n", "a group" }, { "a@b <>\n", "empty address" }, { "a@b @\n", "map:1: " },
	{ "a@b @-x\n", "'-x' is not a domain" }, { "@x..y c@d\n", "'x..y' is not a domain" },
	{ "@ c@d\n", "is not a domain" }, { "a@b c@-d\n", "'-d' is not a domain" },
	{ "a@b Ops <c@d> x\n", "map:1: " }, { "<a@b> c@d\n", "map:1: '<a@b>': a name" },
	{ "a@b c@d\nx@y z@w\nA@B e@f\n", "map:3: 'A@B': stands in map:1 already" },
	{ "root a@b\nroot c@d\n", "map:2: 'root': stands in map:1 already" },
	{ "@b @c\n@B @d\n", "map:2: '@B': stands in map:1 already" },
	{ " a@b c@d\n", "map:1: the first line begins with a blank" },
	{ "a@b \001@c\n", "map:1: " },
	{ "a@b c@\xef\xbf\xbd.example\n", "map:1: " },
};

static void wrong_files_are_refused(void **state)
{
	struct error err = { .exit = 0 };
	char nul[] = "a@b c@d\nx@y \0z@w\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (rewrite_map_parse(rewrite_map_new(arena), "map",
				      arena_strdup(arena, wrong[i][0]), strlen(wrong[i][0]),
				      &err) == 0)
			fail_msg("'%s' was taken", wrong[i][0]);
		assert_int_equal(err.exit, EX_CONFIG);
		assert_has(err.text, wrong[i][1]);
	}
	assert_int_equal(rewrite_map_parse(rewrite_map_new(arena), "map", nul, sizeof(nul) - 1,
					   &err), -1);
	assert_has(err.text, "map:2: the line holds a NUL octet");
}

static void files_that_cannot_be_read(void **state)
{
	struct rewrite_map *map = rewrite_map_new(arena);
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(rewrite_map_read(map, scratch_path("none"), &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_has(err.text, "cannot open rewrite_map ");
	assert_int_equal(rewrite_map_read(map, scratch_file("map", "a@b\n", 0644), &err), -1);
	assert_has(err.text, "/map:1: ");
	/* what was read does not hang on the text of the file */
	map = rewrite_map_new(arena);
	assert_int_equal(rewrite_map_read(map, scratch_file("map", "a@b c@d\n@x @y\n* n@z\n", 0644),
					  &err), 0);
	const struct rewrite_map *const maps[] = { map, NULL };

	assert_string_equal(found(maps, "a@b"), "c@d");
	assert_string_equal(found(maps, "a@x"), "a@y");
	assert_string_equal(found(maps, "root"), "n@z");
}

/* Many rules are found as fast as few, and all of them. */
static void many_rules(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 22);

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		strbuf_addf(&text, "user%u@b.example new%u@c.example\n", i * 7919 % 20000,
			    i * 7919 % 20000);
	const struct rewrite_map *const maps[] = { parsed(text.buf), NULL };

	for (unsigned i = 0; i < 20000; i++)
		assert_string_equal(found(maps, arena_printf(arena, "user%u@b.example", i)),
				    arena_printf(arena, "new%u@c.example", i));
	assert_string_equal(found(maps, "user20000@b.example"), "-");
	strbuf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found),
		cmocka_unit_test(several_maps),
		cmocka_unit_test(wrong_files_are_refused),
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(many_rules),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
