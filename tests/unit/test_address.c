#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "arena_state.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define BLANKS ADDRESS_BLANKS
#define NULLS ADDRESS_NULL
#define ONE ADDRESS_ROUTE_WORDS

/* All addresses of the text with '|' between them, or "error: TEXT". */
static char *addresses(struct arena *a, const char *text, size_t len, unsigned flags)
{
	struct address_list list = { 0 };
	struct error err = { 0 };
	struct strbuf out = STRBUF_INIT(1 << 20);

	if (address_parse_list(a, text, len, flags, &list, &err) < 0) {
		assert_int_equal(err.exit, EX_DATAERR);
		assert_string_equal(err.status, "5.1.3");
		strbuf_addf(&out, "error: %s", err.text);
	}
	for (size_t i = 0; i < list.n; i++)
		strbuf_addf(&out, "%s%s", i ? "|" : "", list.box[i].address);
	char *s = arena_strdup(a, out.buf);

	strbuf_release(&out);
	return s;
}

struct list_case {
	const char *text;
	unsigned flags;
	const char *want;
};

static void run_cases(struct arena *a, const struct list_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *got = addresses(a, c[i].text, strlen(c[i].text), c[i].flags);

		if (strcmp(got, c[i].want) != 0)
			fail_msg("'%s': got '%s', not '%s'", c[i].text, got, c[i].want);
	}
}

static void test_list(void **state)
{
	static const struct list_case cases[] = {
		{ "", 0, "" },
		{ "  \t ", 0, "" },
		{ ",, ,", 0, "" },
		{ "(only a comment)", 0, "" },
		{ "a@b", 0, "a@b" },
		{ "a@x,b@x", 0, "a@x|b@x" },
		{ ",a@x,,b@x,", 0, "a@x|b@x" },
		{ "a@x\r\n", 0, "a@x" },
		{ "a@x,\r\n b@y,\r\n\tc@z\r\n", 0, "a@x|b@y|c@z" },
		{ "<a@x>", 0, "a@x" },
		{ "< a @ x >", 0, "a@x" },
		{ "A B <a@x>", 0, "a@x" },
		{ "A B <a@x>, c@d", 0, "a@x|c@d" },
		{ "J. R. \"Bob\" Doe <a@x>", 0, "a@x" },
		{ "\"Doe, John\" <q1@x>, \"john doe\"@x, q3@x (a, comment), (c) q4@x", 0,
		  "q1@x|\"john doe\"@x|q3@x|q4@x" },
		{ "a@b (comment)", 0, "a@b" },
		{ "(a(b(c)d)e)a@b(f)", 0, "a@b" },
		{ "a(1)@(2)b(3).(4)c(5)", 0, "a@b.c" },
		{ "a . b @ c . d", 0, "a.b@c.d" },
		{ "a@b (a \\) b), c@d", 0, "a@b|c@d" },
		{ "\"john\"@x", 0, "john@x" },
		{ "\"a@b\"@x", 0, "\"a@b\"@x" },
		{ "\"a\\\"b\\\\c\"@x", 0, "\"a\\\"b\\\\c\"@x" },
		{ "\"j\\ohn\".doe@x", 0, "john.doe@x" },
		{ "\"a..b\"@x", 0, "\"a..b\"@x" },
		{ "\".a\"@x", 0, "\".a\"@x" },
		{ "\"a.\"@x", 0, "\"a.\"@x" },
		{ "\"a>\"@x", 0, "\"a>\"@x" },
		{ "<@r:a@b>", 0, "a@b" },
		{ "<@r,@s:a@b>", 0, "a@b" },
		{ "< ,, @r.x , @s : a@b >", 0, "a@b" },
		{ "a@x.", 0, "a@x" },
		{ "<a@x.>", 0, "a@x" },
		{ "a@x. , b@y.", 0, "a@x|b@y" },
		{ "a@x.(c)", 0, "a@x" },
		{ "a@[192.0.2.1]", 0, "a@[192.0.2.1]" },
		{ "a@[ 192.0.2.1 ]", 0, "a@[192.0.2.1]" },
		{ "a@[\r\n 192.0.2.1]", 0, "a@[192.0.2.1]" },
		{ "a@[IPv6:2001:db8::1]", 0, "a@[IPv6:2001:db8::1]" },
		{ "a@[ipv6:::1]", 0, "a@[ipv6:::1]" },
		{ "a@[IPv6:::ffff:192.0.2.1]", 0, "a@[IPv6:::ffff:192.0.2.1]" },
		{ "a@[x400:c=de]", 0, "a@[x400:c=de]" },
		{ "a%b@x, h!a, a+b/c=d@x", 0, "a%b@x|h!a|a+b/c=d@x" },
		{ "root", 0, "root" },
		{ "-dash@x", 0, "-dash@x" },
		{ "Root (Cron Daemon) <root>", 0, "root" },
		{ "a@my_host.example", 0, "a@my_host.example" },
		{ "j\303\266rg@b\303\274cher.example", 0, "j\303\266rg@b\303\274cher.example" },
		{ "J\303\266rg \303\234 <a@x>", 0, "a@x" },
		{ "J\366rg (caf\351) <a@x>", 0, "a@x" },
		{ "\"\033$B\033(B\" <a@x>", 0, "a@x" },
		{ "a@x <a@x>", 0, "a@x" },
		{ "'a@x' <a@x>, 'b@x'<b@x>", 0, "a@x|b@x" },
		{ "'a@x.y' <a@x>", BLANKS, "a@x" },
		{ "c@z 'a@x.y' <a@x> d@w", BLANKS, "c@z|a@x|d@w" },
		{ "a@ <b@y>, <c@z>", 0, "b@y|c@z" },
		{ "a@x!y\r\n <b@y>", 0, "b@y" },
		{ "a@x; b@y ;G: c@z; d@w", ADDRESS_SEMICOLONS, "a@x|b@y|c@z|d@w" },
		{ "\"A; B\" <a@x>; C (;) <c@z>;", ADDRESS_SEMICOLONS, "a@x|c@z" },
		{ "joe@x <jim@y>, k@z", 0, "jim@y|k@z" },
		{ "\"\" <a@x>", 0, "a@x" },
		{ ".a@x, a.@x, <a..b@x>", 0, "\".a\"@x|\"a.\"@x|\"a..b\"@x" },
		{ "a..@x b...c", BLANKS, "\"a..\"@x|\"b...c\"" },
		{ "\"a@b.c\", <\"d@e\">, \"a b\"", 0, "a@b.c|d@e|\"a b\"" },
		{ "=?utf-8?q?b?=@x", 0, "=?utf-8?q?b?=@x" },
		{ "$(id)@x", 0, "$@x" },
		{ "${HOME}@x, `id`@x, %s@x", 0, "${HOME}@x|`id`@x|%s@x" },
	};

	run_cases(*state, cases, ARRAY_LEN(cases));
}

/* What stands in front of <address> is a name. */
static void test_odd_names(void **state)
{
	static const struct list_case cases[] = {
		{ "Foo [bar] <a@b>, c@d", 0, "a@b|c@d" },
		{ "[Sales] Jane <a@b>", 0, "a@b" },
		{ "Jane [Sales] <a@b>; c@d e@f", BLANKS, "a@b|c@d|e@f" },
		{ "5\" disk <a@b>, c@d", 0, "a@b|c@d" },
		{ "5\" disk <a@b>, \"D, J\" <c@d>", 0, "error: address '5\" disk <a@b>, \"D': "
		  "text next to a quoted string" },
		{ "a) <a@b>, (b <c@d>, e (f) <e@f>", 0, "a@b|c@d|e@f" },
		{ "\\o/ <a@b>, ]x[ <c@d>, : <e@f>", 0, "a@b|c@d|e@f" },
		{ "'a@x' c <b@y>, a@home [x] <c@z>, d@e f@g <h@i>", 0, "b@y|c@z|h@i" },
		{ "Shop: News <a@x>, b@y", 0, "a@x|b@y" },
		{ "Shop: News <a@x>, b@y;", 0, "a@x|b@y" },
		{ "f: g: Re: <a@x>, b@y;", 0, "a@x|b@y" },
		{ "Jane \r\n [x]\r\n <a@x>", 0, "a@x" },
		{ "M\303\274ller, J\303\266rg <a@x>, b@y", 0, "a@x|b@y" },
		{ "M\374ller, J\366rg <a@x>", 0, "a@x" },
		{ "M\303\274ller, J\303\266rg <a@x>", BLANKS, "a@x" },
		{ "van der Berg, Jan, Jr., PhD <a@x>", 0, "a@x" },
		{ "=?utf-8?Q?a,b@x?= <c@y>", 0, "c@y" },
		{ "b@y, M\303\274ller, <a@x>", 0, "b@y|M\303\274ller|a@x" },
		{ "M\303\274ller, b@y, J <a@x>", 0, "M\303\274ller|b@y|a@x" },
		{ "root, Joe <a@x>", 0, "root|a@x" },	/* a local name */
		{ "A <a@x><b@y>", 0, "error: address 'A <a@x><b@y>': unbalanced '<'" },
		{ "A [x] <a@x> b", 0, "error: address 'A [x] <a@x> b': '[' outside a domain "
		  "(a display name with it must be quoted)" },
	};
	struct address_list list;

	run_cases(*state, cases, ARRAY_LEN(cases));
	assert_int_equal(address_parse_list(*state, "A \"[b]\" [c] <d@e>", 17, 0, &list, NULL), 0);
	assert_true(list.box[0].odd_name);
	assert_string_equal(list.box[0].name, "A [b] [c]");
	assert_int_equal(list.box[0].name_start, 0);
	assert_int_equal(list.box[0].name_end, 11);
}

static void test_groups(void **state)
{
	static const struct list_case cases[] = {
		{ "friends: a@b, c@d;", 0, "a@b|c@d" },
		{ "f: a@x, b@x; , c@y", 0, "a@x|b@x|c@y" },
		{ "f: a@x; (c), b@y", 0, "a@x|b@y" },
		{ "My \"best, \" friends : ,A <a@x>,, ;", 0, "a@x" },
		{ "undisclosed-recipients:;", 0, "" },
		{ "undisclosed-recipients: (nobody) ;, a@x", 0, "a@x" },
		{ "undisclosed-recipients:", 0, "" },
		{ "f:;g:;", 0,
		  "error: address 'f:;g:': no comma in front of the next address" },
		{ "f:;g:;", BLANKS, "" },
		{ "f:a@x; g:b@x;", BLANKS, "a@x|b@x" },
		{ "f:a@x;b@y", BLANKS, "a@x|b@y" },
		{ "a@x, f: b@x", 0, "error: address 'f: b@x': group without ';'" },
		{ "mailto:a@x", 0, "error: address 'mailto:a@x': group without ';'" },
		{ "f: g: a@x;;", 0, "error: address 'g: a@x': group inside a group" },
		{ ": a@x;", 0, "error: address ': a@x': group without a name" },
		{ "f: a@x b@x;", 0,
		  "error: address 'a@x b@x': no comma in front of the next address" },
		{ "f: a@x; b@y", 0,
		  "error: address 'a@x; b@y': no comma in front of the next address" },
		{ "f: <a@x;", 0, "error: address '<a@x': unbalanced '<'" },
	};
	struct address_list list;
	struct error err = { 0 };

	assert_int_equal(address_parse_list(*state, "u:;", 3, 0, &list, &err), 0);
	assert_true(list.had_group);
	assert_int_equal(list.n, 0);
	assert_int_equal(address_parse_list(*state, "u@x", 3, 0, &list, &err), 0);
	assert_false(list.had_group);
	run_cases(*state, cases, ARRAY_LEN(cases));
}

static void test_blanks(void **state)
{
	static const struct list_case cases[] = {
		{ "a@x b@x", BLANKS, "a@x|b@x" },
		{ "a@x\nb@x\r\nc@x\rd@x\te@x", BLANKS, "a@x|b@x|c@x|d@x|e@x" },
		{ " a@x;b@x; c@x ;", BLANKS, "a@x|b@x|c@x" },
		{ "root admin", BLANKS, "root|admin" },
		{ "root a@x admin", BLANKS, "root|a@x|admin" },
		{ "a@x. b@y.", BLANKS, "a@x|b@y" },
		{ "<a@x> <b@x>", BLANKS, "a@x|b@x" },
		{ "a@x A B <b@x>", BLANKS, "a@x|b@x" },
		{ "a@x (one) b@x (two)", BLANKS, "a@x|b@x" },
		{ "\"a b\"@x c@x", BLANKS, "\"a b\"@x|c@x" },
		{ "a@x <b@y>", BLANKS, "b@y" },
		{ "<a@x><b@x>", BLANKS,
		  "error: address '<a@x><b@x>': unbalanced '<'" },
		{ "a@x b@x", 0, "error: address 'a@x b@x': no comma in front of the next address" },
		{ "root admin", 0, "error: address 'root admin': blank in the local part "
		  "(quote it, or put a comma in between)" },
		{ "john doe@x", 0, "error: address 'john doe@x': blank in the local part "
		  "(quote it, or put a comma in between)" },
		{ "a@x;b@x", 0, "error: address 'a@x': ';' outside a group" },
		{ ";a@x", 0, "error: address '': ';' outside a group" },
		{ "bad@@x a@x", BLANKS, "error: address 'bad@@x': two '@'" },
	};

	run_cases(*state, cases, ARRAY_LEN(cases));
}

static void test_refused(void **state)
{
	static const struct list_case cases[] = {
		{ "bad@@x", 0, "error: address 'bad@@x': two '@'" },
		{ "foo@@bar, good@x", 0, "error: address 'foo@@bar': two '@'" },
		{ "good@x, foo@@bar", 0, "error: address 'foo@@bar': two '@'" },
		{ "a@b@c", 0, "error: address 'a@b@c': two '@'" },
		{ "<a@b@c>", 0, "error: address '<a@b@c>': two '@'" },
		{ "a@", 0, "error: address 'a@': empty domain or label" },
		{ "<a@>", 0, "error: address '<a@>': empty domain or label" },
		{ "a@.", 0, "error: address 'a@.': empty domain or label" },
		{ "a@x..y", 0, "error: address 'a@x..y': empty domain or label" },
		{ "a@x..", 0, "error: address 'a@x..': empty domain or label" },
		{ "a@.x", 0, "error: address 'a@.x': empty domain or label" },
		{ "@x", 0, "error: address '@x': empty local part" },
		{ "<@x>", 0, "error: address '<@x>': empty local part" },
		{ "@r:a@b", 0, "error: address '@r:a@b': empty local part" },
		{ "<@r a@b>", 0, "error: address '<@r a@b>': route without ':'" },
		{ "<@r:>", 0, "error: address '<@r:>': empty address" },
		{ "\"\"@x", 0, "error: address '\"\"@x': empty local part" },
		{ "<>", 0, "error: address '<>': empty address" },
		{ "N <>", 0, "error: address 'N <>': empty address" },
		{ "<<a@b>>", 0, "error: address '<<a@b>>': unbalanced '<'" },
		{ "<a@b", 0, "error: address '<a@b': unbalanced '<'" },
		{ "<", 0, "error: address '<': unbalanced '<'" },
		{ "<a@b, c@d>", 0, "error: address '<a@b': unbalanced '<'" },
		{ "a@b>", 0, "error: address 'a@b>': unbalanced '>'" },
		{ ">", 0, "error: address '>': unbalanced '>'" },
		{ "a@b)", 0, "error: address 'a@b)': unbalanced ')'" },
		{ ")", 0, "error: address ')': unbalanced ')'" },
		{ "a@b (c", 0, "error: address 'a@b (c': unbalanced '('" },
		{ "a@b ((c)", 0, "error: address 'a@b ((c)': unbalanced '('" },
		{ "a@b (c\\)", 0, "error: address 'a@b (c\\)': unbalanced '('" },
		{ "(", 0, "error: address '(': unbalanced '('" },
		{ "(\\", 0, "error: address '(\\': unbalanced '('" },
		{ "\"a@b", 0, "error: address '\"a@b': unbalanced '\"'" },
		{ "\"a\\\"", 0, "error: address '\"a\\\"': unbalanced '\"'" },
		{ "\"a\\", 0, "error: address '\"a\\': unbalanced '\"'" },
		{ "\"", 0, "error: address '\"': unbalanced '\"'" },
		{ "a@[1.2.3.4", 0, "error: address 'a@[1.2.3.4': unbalanced '['" },
		{ "a@1]", 0, "error: address 'a@1]': unbalanced ']'" },
		{ "a\\b@x", 0, "error: address 'a\\b@x': backslash outside quotes" },
		{ "\"a\"b@x", 0, "error: address '\"a\"b@x': text next to a quoted string" },
		{ "\"a\"b@x", BLANKS, "error: address '\"a\"b@x': text next to a quoted string" },
		{ ".", 0, "error: address '.': nothing but dots" },
		{ "<..@x>", 0, "error: address '<..@x>': nothing but dots" },
		{ "=?utf-8?q?b=40x?=", 0,
		  "error: address '=?utf-8?q?b=40x?=': an encoded word is no address" },
		{ "<=?utf-8?q?b?=>", BLANKS,
		  "error: address '<=?utf-8?q?b?=>': an encoded word is no address" },
		{ "\"a@b@c\"", 0, "error: address '\"a@b@c\"': a quoted text is no address" },
		{ "\"Joe <a@b>\"", 0,
		  "error: address '\"Joe <a@b>\"': a quoted text is no address" },
		{ "<a b@x>", 0, "error: address '<a b@x>': blank in the local part "
		  "(quote it, or put a comma in between)" },
		{ "<a b@x>", BLANKS,
		  "error: address '<a b@x>': blank in the local part (quote it)" },
		{ "a@x y@z", 0, "error: address 'a@x y@z': no comma in front of the next address" },
		{ "<a@x> b", 0, "error: address '<a@x> b': no comma in front of the next address" },
		{ "'a@x'", 0,
		  "error: address ''a@x'': character in the domain that no domain has" },
		{ "'a@x', <b@y>", 0,
		  "error: address ''a@x'': character in the domain that no domain has" },
		{ "a@x b@y", ADDRESS_SEMICOLONS,
		  "error: address 'a@x b@y': no comma in front of the next address" },
		{ "a@b!c", 0,
		  "error: address 'a@b!c': character in the domain that no domain has" },
		{ "a@x|y", 0,
		  "error: address 'a@x|y': character in the domain that no domain has" },
		{ "a@\"x\"", 0, "error: address 'a@\"x\"': empty domain or label" },
		{ "a\001b@x", 0, "error: address 'a\\x01b@x': control character" },
		{ "a@x\177", 0, "error: address 'a@x\\x7F': control character" },
		{ "\"a\001b\"@x", 0, "error: address '\"a\\x01b\"@x': control character" },
		{ "\"a\tb\"@x", 0, "error: address '\"a\\x09b\"@x': control character" },
		{ "a@[1\001]", 0, "error: address 'a@[1\\x01]': control character" },
		{ "a\377@x", 0, "error: address 'a\\xFF@x': invalid UTF-8" },
		{ "a@x\303", 0, "error: address 'a@x\\xC3': invalid UTF-8" },
		{ "a\355\240\200@x", 0, "error: address 'a\\xED\\xA0\\x80@x': invalid UTF-8" },
	};

	run_cases(*state, cases, ARRAY_LEN(cases));
}

/* Nothing that could begin a new line on the wire comes through. */
static void test_injection(void **state)
{
	static const struct list_case cases[] = {
		{ "a@x>\r\nRCPT TO:<b@x", BLANKS, "error: address 'a@x>': unbalanced '>'" },
		{ "a@x\r\nRCPT TO:<b@x>", BLANKS,
		  "error: address 'RCPT TO:<b@x>': group without ';'" },
		{ "a@x\r\nRCPT TO:<b@x>", 0, "error: address 'a@x': control character" },
		{ "a@x\nb@x", 0, "error: address 'a@x': control character" },
		{ "a@x\rb@x", 0, "error: address 'a@x': control character" },
		{ "a@x\r\nb@x", 0, "error: address 'a@x': control character" },
		{ "<a@x\r\n>", 0, "error: address '<a@x': control character" },
		{ "\"a\r\nb\"@x", 0, "error: address '\"a': control character" },
		{ "\"a\r\nb\"@x", BLANKS, "error: address '\"a': control character" },
		{ "\"a\nb\"@x", BLANKS, "error: address '\"a': control character" },
		{ "\"a\\\nb\"@x", BLANKS, "error: address '\"a\\': control character" },
		{ "\"a\\\rb\"@x", 0, "error: address '\"a\\': control character" },
		{ "(a\nb) c@x", 0, "error: address '(a': control character" },
		{ "a@[x:\n]", BLANKS, "error: address 'a@[x:': control character" },
	};
	static const char nul[] = "a\0b@x", quoted_nul[] = "\"a\0b\"@x", escaped[] = "\"a\\\0b\"@x";
	static const char domain_nul[] = "a@x\0.y";

	run_cases(*state, cases, ARRAY_LEN(cases));
	assert_string_equal(addresses(*state, nul, sizeof(nul) - 1, 0),
			    "error: address 'a': control character");
	assert_string_equal(addresses(*state, quoted_nul, sizeof(quoted_nul) - 1, 0),
			    "error: address '\"a': control character");
	assert_string_equal(addresses(*state, escaped, sizeof(escaped) - 1, 0),
			    "error: address '\"a\\': control character");
	assert_string_equal(addresses(*state, domain_nul, sizeof(domain_nul) - 1, BLANKS),
			    "error: address 'a@x': control character");
	/* folding inside quotes is legal and vanishes; the blank stays */
	assert_string_equal(addresses(*state, "\"a\r\n b\"@x", 9, 0), "\"a b\"@x");
}

static void check_clean(struct arena *a, const char *text, size_t len)
{
	struct address_list list;
	struct error err = { 0 };

	if (address_parse_list(a, text, len, BLANKS, &list, &err) < 0) {
		assert_int_equal(err.exit, EX_DATAERR);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		const char *s = list.box[i].address;

		assert_false(text_has_control(s, strlen(s)));
		assert_true(text_is_utf8(s, strlen(s)));
	}
}

/* A control or special octet at any place gives an error or a clean address. */
static void test_every_octet(void **state)
{
	static const char *const base[] = {
		"a.b@c.d", "\"q s\"@c.d", "N <a@b.c> (x)", "a@[1.2.3.4]", "g: a@b;",
	};

	for (size_t k = 0; k < ARRAY_LEN(base); k++) {
		size_t len = strlen(base[k]);

		for (size_t at = 0; at <= len; at++) {
			for (int c = 0; c < 256; c++) {
				char *text = arena_alloc(*state, len + 1);

				memcpy(text, base[k], at);
				text[at] = (char)c;
				memcpy(text + at + 1, base[k] + at, len - at);
				check_clean(*state, text, len + 1);
			}
		}
	}
}

static void test_details(void **state)
{
	static const struct {
		const char *text, *name, *comment, *local, *domain;
	} cases[] = {
		{ "a@b", NULL, NULL, "a", "b" },
		{ "<root>", NULL, NULL, "root", NULL },
		{ "root (Cron Daemon)", NULL, "Cron Daemon", "root", NULL },
		{ "(first) a@b (second\r\n (inner) x\\)y)", NULL, "second (inner) x)y", "a", "b" },
		{ "(first) a@b", NULL, "first", "a", "b" },
		{ "A  B.\tC <a@b>", "A B. C", NULL, "a", "b" },
		{ "A(x)B <a@b>", "A B", "x", "a", "b" },
		{ "\"Doe, \\\"J\\\"\" Jr. <a@b>", "Doe, \"J\" Jr.", NULL, "a", "b" },
		{ "\"Doe,\r\n\tJohn\" <a@b>", "Doe, John", NULL, "a", "b" },
		{ "\" \" <a@b>", NULL, NULL, "a", "b" },
		{ "\"x\001y\" <a@b>", "x y", NULL, "a", "b" },
		{ "=?utf-8?Q?J=C3=B6rg?= <a@b>", "=?utf-8?Q?J=C3=B6rg?=", NULL, "a", "b" },
		{ "J\303\266rg <a@b>", "J\303\266rg", NULL, "a", "b" },
		{ "a@b <c@d>", "a@b", NULL, "c", "d" },
		{ "\"j d\"@[192.0.2.1]", NULL, NULL, "j d", "[192.0.2.1]" },
		{ "a@b ()", NULL, NULL, "a", "b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address_list list;
		struct error err = { 0 };
		const char *text = cases[i].text;

		if (address_parse_list(*state, text, strlen(text), 0, &list, &err) < 0)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(list.n, 1);
		const char *got[] = { list.box->name, list.box->comment, list.box->local,
				      list.box->domain };
		const char *want[] = { cases[i].name, cases[i].comment, cases[i].local,
				       cases[i].domain };

		for (size_t k = 0; k < ARRAY_LEN(got); k++) {
			if (!got[k] != !want[k] || (got[k] && strcmp(got[k], want[k]) != 0))
				fail_msg("'%s' part %zu: '%s', not '%s'", text, k,
					 got[k] ? got[k] : "-", want[k] ? want[k] : "-");
		}
	}
}

static void test_comment_per_address(void **state)
{
	static const char text[] = "(x), a@b, (y) c@d, e@f (z), g: (u) ; , h@i";
	static const char *const want[] = { NULL, "y", "z", NULL };
	struct address_list list;
	struct error err = { 0 };

	assert_int_equal(address_parse_list(*state, text, strlen(text), 0, &list, &err), 0);
	assert_int_equal(list.n, ARRAY_LEN(want));
	for (size_t i = 0; i < list.n; i++) {
		if (want[i])
			assert_string_equal(list.box[i].comment, want[i]);
		else
			assert_null(list.box[i].comment);
	}
}

/* The text with "@D" put in behind each local part that has no domain. */
static void test_offsets(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "root", "root@D" },
		{ " root (Cron Daemon)\r\n", " root@D (Cron Daemon)\r\n" },
		{ "\"Cron \\\" x\" (c) < root (d) >,\r\n a@b, (x) \"q r\" , z",
		  "\"Cron \\\" x\" (c) < root@D (d) >,\r\n a@b, (x) \"q r\"@D , z@D" },
		{ "g: a, <b>;", "g: a@D, <b@D>;" },
		{ "a . b (c)", "a . b@D (c)" },
		{ "<@r:a>", "<@r:a@D>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address_list list;
		struct error err = { 0 };
		struct strbuf out = STRBUF_INIT(1000);
		const char *text = cases[i].text;
		size_t from = 0;

		assert_int_equal(address_parse_list(*state, text, strlen(text), 0, &list, &err), 0);
		for (size_t k = 0; k < list.n; k++) {
			if (list.box[k].domain)
				continue;
			strbuf_add(&out, text + from, list.box[k].local_end - from);
			strbuf_addstr(&out, "@D");
			from = list.box[k].local_end;
		}
		strbuf_addstr(&out, text + from);
		assert_string_equal(out.buf, cases[i].want);
		strbuf_release(&out);
	}
}

static void test_extent(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "a@b", "a@b" }, { " a @ b ", "a @ b" }, { "N <a@b>", "a@b" },
		{ "<@r:a@b.>", "a@b." }, { "a@b. ", "a@b." }, { "x <root>", "root" },
		{ "a@[ 1.2.3.4 ] (c)", "a@[ 1.2.3.4 ]" }, { "<\"a b\"@x (c)>", "\"a b\"@x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mailbox box;
		struct error err = { 0 };

		assert_int_equal(address_parse_one(*state, cases[i].text, 0, &box, &err), 0);
		assert_int_equal(box.end - box.start, strlen(cases[i].want));
		assert_memory_equal(cases[i].text + box.start, cases[i].want, box.end - box.start);
	}
}

/* Where name, address and comment stand: {text, name or "-", comment or "-"} */
static void test_places(void **state)
{
	static const char *const cases[][3] = {
		{ "a@b", "-", "-" }, { "<a@b>", "", "-" }, { "N <a@b>", "N", "-" },
		{ " \"N, M\" O  <a@b>", "\"N, M\" O", "-" }, { "N (x) M <a@b>", "N (x) M", "(x)" },
		{ "a@b <c@d>", "a@b", "-" }, { "root (Cron Daemon)", "-", "(Cron Daemon)" },
		{ "(C (d)) root", "-", "(C (d))" }, { "root (a) (b)", "-", "(b)" },
		{ "<root> (x)", "", "(x)" }, { "root(x)@y", "-", "(x)" },
		{ "a.b <@r:c@d>", "a.b", "-" }, { "'a@b'  <c@d>", "'a@b'", "-" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = cases[i][0];
		struct mailbox box;
		struct error err = { 0 };

		assert_int_equal(address_parse_one(*state, text, 0, &box, &err), 0);
		assert_true(box.angle == (strcmp(cases[i][1], "-") != 0));
		if (box.angle)
			assert_string_equal(arena_strndup(*state, text + box.name_start,
							  box.name_end - box.name_start),
					    cases[i][1]);
		if (box.angle && box.name_start == box.name_end)
			assert_int_equal(text[box.name_start], '<');
		if (strcmp(cases[i][2], "-") == 0)
			assert_int_equal(box.comment_end, 0);
		else
			assert_string_equal(arena_strndup(*state, text + box.comment_start,
							  box.comment_end - box.comment_start),
					    cases[i][2]);
	}
}

static void test_one(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		const char *want, *why;
	} cases[] = {
		{ "a@b", 0, "a@b", NULL },
		{ "<a@b>", 0, "a@b", NULL },
		{ "N N <s@y>", 0, "s@y", NULL },
		{ "root", 0, "root", NULL },
		{ "", NULLS, "", NULL },
		{ "<>", NULLS, "", NULL },
		{ " < (none) > ", NULLS, "", NULL },
		{ "", 0, NULL, "address '': no address" },
		{ "  ", NULLS, NULL, "address '': no address" },
		{ "<>", 0, NULL, "address '<>': empty address" },
		{ "s@y, t@y", 0, NULL, "address 's@y': more than one address" },
		{ "s@y t@y", BLANKS, NULL, "address 's@y t@y': more than one address" },
		{ "g: a@b;", 0, NULL, "address 'g: a@b': a group where one address is wanted" },
		{ "g:;", 0, NULL, "address 'g:': a group where one address is wanted" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mailbox box = { .address = "untouched" };
		struct error err = { 0 };
		int rc = address_parse_one(*state, cases[i].text, cases[i].flags, &box, &err);

		assert_int_equal(rc, cases[i].want ? 0 : -1);
		if (cases[i].want) {
			assert_string_equal(box.address, cases[i].want);
			assert_int_equal(err.exit, 0);
		} else {
			assert_string_equal(err.text, cases[i].why);
			assert_string_equal(box.address, "untouched");
			assert_int_equal(err.exit, EX_DATAERR);
		}
	}
}

/* A path: what follows the one address is not looked at. */
static void test_path(void **state)
{
	static const struct { const char *text, *want; size_t end; } cases[] = {
		{ "<a@b> SIZE=100 BODY=8BITMIME", "a@b", 4 },
		{ "<a@b>(", "a@b", 4 },
		{ "<> RET=HDRS", "", 1 },
		{ "<@r,@s:a@b>", "a@b", 10 },
		{ "a@b SIZE=1", "a@b", 3 },
		{ "root SIZE=1", "root", 4 },
		{ "<Postmaster>", "Postmaster", 11 },
		{ "<\"a>b\"@x> X", "\"a>b\"@x", 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address_list list;
		struct error err = { 0 };

		if (address_parse_list(*state, cases[i].text, strlen(cases[i].text), ONE | NULLS,
				       &list, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(list.n, 1);
		assert_string_equal(list.box->address, cases[i].want);
		assert_int_equal(list.box->end, cases[i].end);
	}
}

static void test_null_in_list(void **state)
{
	assert_string_equal(addresses(*state, "a@b, <>, c@d", 12, NULLS), "a@b||c@d");
}

static void test_error_is_cut(void **state)
{
	char text[400];
	struct address_list list;
	struct error err = { 0 };

	memset(text, 'x', sizeof(text));
	text[0] = '<';
	assert_int_equal(address_parse_list(*state, text, sizeof(text), 0, &list, &err), -1);
	assert_int_equal(strlen(err.text),
			 strlen("address '") + 60 + strlen("...': unbalanced '<'"));
	/* 59 octets, then characters of two: none is cut in half */
	for (size_t i = 60; i < sizeof(text); i += 2)
		memcpy(text + i - 1, "\303\266", 2);
	assert_int_equal(address_parse_list(*state, text, sizeof(text) - 1, 0, &list, &err), -1);
	assert_null(strstr(err.text, "\\x"));
}

/* Limits n-1, n, n+1 of the whole address; quoting counts. */
static void test_length(void **state)
{
	for (size_t n = 997; n <= 1003; n++) {
		struct address_list list;
		struct error err = { 0 };
		char *text = arena_alloc(*state, n + 1);

		memset(text, 'l', n);
		memcpy(text + n - 2, "@x", 2);
		int rc = address_parse_list(*state, text, n, 0, &list, &err);

		assert_int_equal(rc, n <= 1000 ? 0 : -1);
		memset(text, 'd', n);
		memcpy(text, "l@", 2);
		assert_int_equal(address_parse_list(*state, text, n, 0, &list, &err),
				 n <= 1000 ? 0 : -1);
	}
}

/* Sizes at which anything but linear time would be felt. */
static void test_large(void **state)
{
	static const char *const units[] = { "a@b.c,", "<a@b.c>,", "N N <a@b.c>, ", "a@b.c(x), " };
	struct error err = { 0 };
	struct address_list list;

	for (size_t k = 0; k < ARRAY_LEN(units); k++) {
		struct strbuf text = STRBUF_INIT(1 << 24);

		for (int i = 0; i < 100000; i++)
			strbuf_addstr(&text, units[k]);
		struct arena *a = arena_new();

		assert_int_equal(address_parse_list(a, text.buf, text.len, 0, &list, &err), 0);
		assert_int_equal(list.n, 100000);
		assert_string_equal(list.box[99999].address, "a@b.c");
		assert_int_equal(text.buf[list.box[99999].start], 'a');
		arena_free(a);
		strbuf_release(&text);
	}
	static const char *const fill[] = { "(", ")", "\"", "\\", "<", "@", ".", "a.", "a ", "a",
					    ",", ":", ";", "[", "\r\n ", "()", "\"\"",
					    "a:;,", "(\\" };

	for (size_t k = 0; k < ARRAY_LEN(fill); k++) {
		for (unsigned flags = 0; flags < 8; flags++) {
			struct strbuf text = STRBUF_INIT(1 << 20);
			struct arena *a = arena_new();

			while (text.len < 65536)
				strbuf_addstr(&text, fill[k]);
			int rc = address_parse_list(a, text.buf, text.len, flags, &list, &err);

			assert_true(rc == 0 || err.exit == EX_DATAERR);
			arena_free(a);
			strbuf_release(&text);
		}
	}
	(void)state;
}

/* 65,536 nested comments are no problem, one more ')' is. */
static void test_deep_comment(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	for (int i = 0; i < 65536; i++)
		strbuf_addch(&text, '(');
	for (int i = 0; i < 65536; i++)
		strbuf_addch(&text, ')');
	strbuf_addstr(&text, "a@b");
	assert_string_equal(addresses(*state, text.buf, text.len, 0), "a@b");
	text.buf[0] = ' ';
	assert_non_null(strstr(addresses(*state, text.buf, text.len, 0), "unbalanced ')'"));
	strbuf_release(&text);
}

/* What format() gives, the parser reads as the same address. */
static void test_format(void **state)
{
	static const struct { const char *local, *domain, *want; } cases[] = {
		{ "a", "b", "a@b" }, { "a.b", NULL, "a.b" }, { "a b", "x", "\"a b\"@x" },
		{ "a..b", "x", "\"a..b\"@x" }, { ".a", "x", "\".a\"@x" }, { "a.", "x", "\"a.\"@x" },
		{ "a\"\\b", "x", "\"a\\\"\\\\b\"@x" }, { "a@b", "x", "\"a@b\"@x" },
		{ "a,b", NULL, "\"a,b\"" }, { "\303\266", "x", "\303\266@x" },
		{ "(c)", "x", "\"(c)\"@x" }, { "a", "[1.2.3.4]", "a@[1.2.3.4]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = address_format(*state, cases[i].local, cases[i].domain);
		struct mailbox box;
		struct error err = { 0 };

		assert_string_equal(got, cases[i].want);
		assert_int_equal(address_parse_one(*state, got, 0, &box, &err), 0);
		assert_string_equal(box.local, cases[i].local);
		assert_string_equal(box.address, cases[i].want);
	}
	assert_string_equal(address_format(*state, "", "x"), "\"\"@x");
}

static void test_equal_and_domain(void **state)
{
	static const struct { const char *address, *want; } cases[] = {
		{ "a@b", "b" }, { "root", NULL }, { "\"a@b\"@x", "x" }, { "\"a@b\"", NULL },
		{ "\"a\\\"@b\"@x", "x" }, { "", NULL }, { "a@[x:y@z]", "[x:y@z]" },
		{ "a@[IPv6:::1]", "[IPv6:::1]" }, { "a@", "" }, { "a@b@c", "c" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = address_domain(cases[i].address);

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
	}
	assert_true(address_equal("Joe@Example.ORG", "joe@example.org"));
	assert_false(address_equal("joe@example.org", "joe@example.or"));
	assert_false(address_equal("joe", "joe@x"));
	(void)state;
}

static void test_match(void **state)
{
	static const struct { const char *pattern, *address; bool want; } cases[] = {
		{ "a@b", "a@b", true }, { "A@b", "a@B", true }, { "a@b", "a@bc", false },
		{ "*@b", "a@b", true }, { "*@b", "@b", true }, { "*@b", "a@c", false },
		{ "*", "", true }, { "", "", true }, { "", "a", false }, { "a", "", false },
		{ "?@b", "a@b", true }, { "?@b", "@b", false }, { "?@b", "aa@b", false },
		{ "a*b*c", "aXbYc", true }, { "a*b*c", "aXcYb", false }, { "a**", "a", true },
		{ "*.example.org", "a@x.EXAMPLE.org", true }, { "*ab", "aab", true },
		{ "*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false }, { "**?", "", false },
		{ "[ab]@x", "a@x", false }, { "a\\*", "a*", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (address_match(cases[i].pattern, cases[i].address) != cases[i].want)
			fail_msg("'%s' '%s'", cases[i].pattern, cases[i].address);
	}
	(void)state;
}

static void test_phrase(void **state)
{
	static const struct { const char *name, *want; } cases[] = {
		{ "Joe Doe", "Joe Doe" }, { "root", "root" }, { "O'Brien + Co", "O'Brien + Co" },
		{ "J. R. \"Bob\" Tester", "\"J. R. \\\"Bob\\\" Tester\"" },
		{ "Doe, John", "\"Doe, John\"" }, { "a@b", "\"a@b\"" }, { "(x)", "\"(x)\"" },
		{ "back\\slash", "\"back\\\\slash\"" }, { "", "\"\"" }, { " a", "\" a\"" },
		{ "a  b", "\"a  b\"" }, { "a ", "\"a \"" }, { "a\r\nBcc: x", "\"a  Bcc: x\"" },
		{ "a\nb", "a b" }, { "a\177b\tc", "a b c" },
		{ "J\303\266rg", "=?utf-8?B?SsO2cmc=?=" },
		{ "J\303\266rgen", "=?utf-8?Q?J=C3=B6rgen?=" },
		{ "J\303\266rg\nBcc: x", "=?utf-8?Q?J=C3=B6rg_Bcc=3A_x?=" },
		{ "\303\244\303\266\303\274", "=?utf-8?B?w6TDtsO8?=" },
		{ "J\366rgen", "=?unknown-8bit?Q?J=F6rgen?=" },
		{ "=?utf-8?Q?J=C3=B6rg?=", "=?utf-8?Q?J=C3=B6rg?=" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = address_phrase(*state, cases[i].name);
		struct mailbox box;
		struct error err = { 0 };

		assert_string_equal(got, cases[i].want);
		const char *full = arena_printf(*state, "%s <a@b>", got);

		assert_int_equal(address_parse_one(*state, full, 0, &box, &err), 0);
		assert_string_equal(box.address, "a@b");
	}
}

static void test_domain_valid(void **state)
{
	static const char *const good[] = {
		"a", "a.b", "x-y.example", "3com.example", "1.2.3.4", "b\303\274cher.example",
		"[192.0.2.1]", "[IPv6:::1]", "[IPv6:2001:db8::192.0.2.1]", "[tag:x]", "[a-b:!~]",
		"xn--bcher-kva.example",
	};
	static const char *const bad[] = {
		"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "a b", "a@b", "a\nb",
		"a\tb",
		"a/b", "\377", "a\302\205b", "[", "[]", "[1.2.3]", "[1.2.3.4.5]", "[256.1.1.1]",
		"[01.2.3.4", "[IPv6:]", "[IPv6:1.2.3.4]", "[IPv6:::g]", "[::1]", "[tag:]", "[:x]",
		"[-:x]", "[a-:x]", "[t:a[b]", "[t:a b]", "[t:a\\b]", "[t:\303\266]", "[1.2.3.4]x",
		"a\"b", "a<b>", "a;b",
	};
	char label[300];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!address_domain_valid(good[i]))
			fail_msg("'%s' refused", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (address_domain_valid(bad[i]))
			fail_msg("'%s' accepted", bad[i]);
	}
	for (size_t n = 62; n <= 64; n++) {
		memset(label, 'a', n);
		label[n] = '\0';
		assert_int_equal(address_domain_valid(label), n <= 63);
	}
	for (size_t n = 254; n <= 256; n++) {
		for (size_t i = 0; i < n; i++)
			label[i] = i % 10 == 9 ? '.' : 'a';
		label[n] = '\0';
		assert_int_equal(address_domain_valid(label), n <= 255);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_odd_names, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_groups, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_blanks, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_refused, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_injection, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_every_octet, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_details, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_comment_per_address, arena_setup,
						arena_teardown),
		cmocka_unit_test_setup_teardown(test_offsets, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_extent, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_places, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_one, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_path, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_null_in_list, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_error_is_cut, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_length, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_large, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_deep_comment, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_format, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_equal_and_domain, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_match, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_phrase, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_domain_valid, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
