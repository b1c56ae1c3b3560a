#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <strings.h>

#include "conf/aliases.h"
#include "conf_scratch.h"
#include "util/strbuf.h"
#include "util/strvec.h"

static bool is_here(void *ctx, const char *domain)
{
	assert_ptr_equal(ctx, &is_here);
	return strcasecmp(domain, "here") == 0;
}

static struct aliases *load(const char *text)
{
	struct aliases *a = NULL;
	struct error err = { .exit = 0 };

	if (aliases_load(scratch_file("aliases", text, 0644), &a, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	return a;
}

/* {file, name, what it becomes} */
static const char *const cases[][3] = {
	{ "", "root", "" },
	{ "root: a@b\n", "root", "a@b" }, { "root: a@b", "root", "a@b" },
	{ "root: a@b\r\n", "root", "a@b" }, { "ROOT: a@b\n", "root", "a@b" },
	{ "root: a@b\n", "Root", "a@b" }, { "root : a@b\n", "root", "a@b" },
	{ "root:a@b\n", "root", "a@b" }, { "root: a@b\n", "cron", "" },
	{ "root: a@b, c@d ,e@f\n", "root", "a@b c@d e@f" },
	{ "root: a@b,\n c@d,\n\te@f\n", "root", "a@b c@d e@f" },
	{ "root: a@b\n c@d\n", "root", "a@b c@d" },
	{ "root:\n a@b\n", "root", "a@b" },
	{ "root: a@b,\n# note\n\n c@d # note\nx: y@z\n", "root", "a@b c@d" },
	{ "root: a@b,,c@d,\n", "root", "a@b c@d" },
	{ "# root: x@y\nroot: a@b # c@d\n", "root", "a@b" },
	{ "root: a#b@c\n", "root", "a#b@c" },
	{ "root: \"a # b\"@c\n", "root", "\"a # b\"@c" },
	{ "root: \"a, b\"@c, d@e\n", "root", "\"a, b\"@c d@e" },
	{ "root: Joe <a@b>, \"X, Y\" <c@d>\n", "root", "a@b c@d" },
	{ "\"odd name\": a@b\n", "odd name", "a@b" }, { "\"odd\" : a@b\n", "odd", "a@b" },
	/* through several names */
	{ "root: joe\njoe: a@b\n", "root", "a@b" },
	{ "root: joe, jane\njoe: a@b\njane: a@b, c@d\n", "root", "a@b c@d" },
	{ "root: joe\n", "root", "joe" },
	{ "root: joe, joe, A@B, a@b\n", "root", "joe A@B" },
	{ "a: b, c\nb: d\nc: d\nd: x@y\n", "a", "x@y" },
	/* the name itself stays */
	{ "root: root, a@b\n", "root", "root a@b" }, { "root: \\root, a@b\n", "root", "root a@b" },
	{ "joe: \\root\nroot: a@b\n", "joe", "root" }, { "root: Root\n", "root", "Root" },
	/* default */
	{ "default: a@b\n", "joe", "a@b" }, { "default: a@b\njoe: c@d\n", "joe", "c@d" },
	{ "root: joe\ndefault: a@b\n", "root", "a@b" },
	{ "default: admin\n", "joe", "admin" }, { "default: admin\nadmin: a@b\n", "joe", "a@b" },
	{ "default: \\admin\nadmin: a@b\n", "joe", "admin" },
	{ "*: a@b\n", "joe", "a@b" }, { "*: a@b\njoe: c@d\n", "joe", "c@d" },
	{ "*: a@b\ndefault: c@d\n", "joe", "c@d" }, { "*: admin\n", "joe", "admin" },
	{ "root: joe\n*: a@b\n", "root", "a@b" },
	/* a name in a domain of this host is a name; if it has no entry it stays as it is */
	{ "root: joe@here\njoe: a@b\n", "root", "a@b" },
	{ "root: joe@HERE, x@y\n", "root", "joe@HERE x@y" },
	{ "root: joe@there\njoe: a@b\n", "root", "joe@there" },
	{ "root: root@here, a@b\n", "root", "root@here a@b" },
	{ "root: joe@here\ndefault: a@b\n", "root", "a@b" },
	{ "root: \\joe@here\njoe: a@b\n", "root", "joe@here" },
	/* what is not asked for does not matter */
	{ "list: |/bin/cat\nroot: a@b\n", "root", "a@b" },
	/* thrown away: nobody is left, or the others */
	{ "a: /dev/null\n", "a", "!" }, { "a: \"/dev/null\"\n", "a", "!" },
	{ "a: b\nb: /dev/null\n", "a", "!" }, { "a: /dev/null, c@d\n", "a", "c@d!" },
	{ "*: /dev/null\n", "joe", "!" }, { "a: :blackhole:\n", "a", "!" },
	/* lines that are passed over, with what goes on with them: the first of two counts */
	{ "root: a@b\nx: y\nx: z\nx: |w\n", "root", "a@b" }, { "x: a@b\nx: c@d\n", "x", "a@b" },
	{ "x: a@b\nX: c@d,\n e@f\ny: g@h\n", "x", "a@b" }, { "oops\n e@f\nx: a@b\n", "x", "a@b" },
	{ "x: a@b\noops\n e@f\n", "x", "a@b" }, { " e@f\n g@h\nx: a@b\n", "x", "a@b" },
	{ "\"root: a@b\n: c@d\nx: a@b,\n c@d\n", "x", "a@b c@d" },
	{ "bad: <<>>\nroot: a@b\n", "root", "a@b" }, { "x: x1\nx1: x\nroot: a@b\n", "root", "a@b" },
};

static void names_are_expanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct aliases *a = load(cases[i][0]);
		bool discarded;
		struct strvec out = STRVEC_INIT(1000);
		struct strbuf text = STRBUF_INIT(1000);
		struct error err = { .exit = 0 };

		if (aliases_expand(a, cases[i][1], is_here, (void *)&is_here, &out, &discarded,
				   &err) < 0)
			fail_msg("'%s': %s", cases[i][0], err.text);
		for (size_t k = 0; k < out.n; k++)
			strbuf_addf(&text, "%s%s", k ? " " : "", out.v[k]);
		strbuf_addstr(&text, discarded ? "!" : "");
		assert_string_equal(text.buf, cases[i][2]);
		strbuf_release(&text);
		strvec_release(&out);
		aliases_free(a);
	}
}

/* {file, name, part of the error} */
static const char *const failing[][3] = {
	{ "a: b\nb: a\n", "a", "aliases:1: alias 'a': leads back to itself" },
	{ "a: b\nb: c\nc: b\n", "a", "aliases:2: alias 'b': leads back to itself" },
	{ "\na: |/bin/cat\n", "a", "aliases:2: alias 'a': '|/bin/cat' is a command" },
	{ "a: \"|cat x\"\n", "a", "is a command" }, { "a: /var/mail/x\n", "a", "is a command" },
	{ "a: \"/var/mail/x y\"\n", "a", "is a command" },
	{ "a: :include:list\n", "a", "':include:list' is not an absolute path" },
	{ "a: :include:\n", "a", "is not an absolute path" },
	{ "a: x@y, :INCLUDE:/nonexistent/list\n", "a",
	  "aliases:1: alias 'a': cannot open /nonexistent/list" },
	{ "a: \":include: /nonexistent/li st\"\n", "a", "cannot open /nonexistent/li st:" },
	{ "a: :include:/dev/null\n", "a", "/dev/null is no regular file" },
	{ "*: |x\n", "joe", "alias '*'" },
	{ "r: a\na: |x\n", "r", "aliases:2: alias 'a'" },
	{ "a:\n", "a", "alias 'a': no address behind the name" }, { "a: ,\n", "a", "no address" },
	{ "a: x@y z@w\n", "a", "alias 'a'" }, { "a: x@\n", "a", "alias 'a'" },
	{ "a: \\\n", "a", "alias 'a'" }, { "default: |x\n", "joe", "alias 'default'" },
	{ "a: \001@b\n", "a", "alias 'a'" },
};

static void wrong_targets_fail_when_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(failing); i++) {
		struct aliases *a = load(failing[i][0]);
		bool discarded;
		struct strvec out = STRVEC_INIT(1000);
		struct error err = { .exit = 0 };

		if (aliases_expand(a, failing[i][1], NULL, NULL, &out, &discarded, &err) == 0)
			fail_msg("'%s' was taken", failing[i][0]);
		assert_int_equal(err.exit, EX_NOUSER);
		assert_has(err.text, failing[i][2]);
		strvec_release(&out);
		aliases_free(a);
	}
}

/* What is wrong with a target is said, and the others are used. */
static void wrong_targets_leave_the_others(void **state)
{
	struct aliases *a = load("a: x@y, |cat, /var/mail/a, z@w, b\nb: a, :include:list, u@v\n");
	bool discarded;
	struct strvec out = STRVEC_INIT(1000);
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(aliases_expand(a, "a", NULL, NULL, &out, &discarded, &err), -1);
	assert_has(err.text, "aliases:1: alias 'a': '|cat' is a command");
	assert_int_equal(out.n, 3);
	assert_string_equal(out.v[0], "x@y");
	assert_string_equal(out.v[1], "z@w");
	assert_string_equal(out.v[2], "u@v");
	strvec_release(&out);
	aliases_free(a);
}

static void wrong_lines_are_told(void **state)
{
	static const char *const texts[][2] = {
		{"root\n", "aliases:1: the line is not 'name: address, ...'"},
		{": a@b\n", "aliases:1: the line is not"},
		{"\"root: a@b\n", "aliases:1: the line"},
		{"\"root\" a@b\n", "aliases:1: the line is not"},
		{"# x\n a@b\n", "aliases:2: the first line begins with a blank"},
		{"a: b@c\nA: d@e\n", "aliases:2: the name 'A' stands in the file twice: line 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct aliases *a = load(texts[i][0]);

		assert_int_equal(aliases_warnings(a)->n, 1);
		assert_has(aliases_warnings(a)->v[0], texts[i][1]);
		aliases_free(a);
	}
	struct aliases *a = load("a: b@c\n d@e\n\n# x\nb: |cat\n");

	assert_int_equal(aliases_warnings(a)->n, 0);
	aliases_free(a);
}

static void files_that_cannot_be_read(void **state)
{
	struct aliases *a = NULL;
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(aliases_load(scratch_path("none"), &a, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_has(err.text, "cannot open aliases");
	assert_int_equal(aliases_load(scratch, &a, &err), -1);
	assert_int_equal(aliases_load(scratch_bytes("nul", "a: b@c\nd\0: e\n", 13, 0644), &a, &err),
			 0);
	assert_has(aliases_warnings(a)->v[0], "nul:2: the line holds a NUL octet");
	aliases_free(a);
	aliases_free(NULL);
}

/* n names, each of which leads to the next, the last to an address */
static int chain(unsigned n, struct error *err)
{
	struct strbuf text = STRBUF_INIT(1 << 16);
	bool discarded;
	struct strvec out = STRVEC_INIT(10);

	for (unsigned i = 0; i < n; i++)
		strbuf_addf(&text, "n%u: n%u\n", i, i + 1);
	strbuf_addf(&text, "n%u: x@y\n", n);
	struct aliases *a = load(text.buf);
	int rc = aliases_expand(a, "n0", NULL, NULL, &out, &discarded, err);

	if (rc == 0) {
		assert_int_equal(out.n, 1);
		assert_string_equal(out.v[0], "x@y");
	}
	strbuf_release(&text);
	strvec_release(&out);
	aliases_free(a);
	return rc;
}

static void ten_levels(void **state)
{
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(chain(9, &err), 0);
	assert_int_equal(chain(10, &err), 0);
	assert_int_equal(chain(11, &err), -1);
	assert_has(err.text, "more than 10 names deep");
}

static void results_are_bounded_and_added(void **state)
{
	struct aliases *a = load("root: a@b, c@d\n");
	bool discarded;
	struct strvec out = STRVEC_INIT(2);
	struct error err = { .exit = 0 };

	(void)state;
	strvec_add(&out, "A@B");
	assert_int_equal(aliases_expand(a, "root", NULL, NULL, &out, &discarded, &err), 0);
	assert_int_equal(out.n, 2);
	assert_string_equal(out.v[0], "A@B");
	assert_int_equal(aliases_expand(a, "joe", NULL, NULL, &out, &discarded, &err), 0);
	assert_int_equal(out.n, 2);
	aliases_free(a);
	a = load("joe: e@f\n");
	assert_int_equal(aliases_expand(a, "joe", NULL, NULL, &out, &discarded, &err), -1);
	assert_has(err.text, "too many addresses");
	strvec_release(&out);
	aliases_free(a);
}

/* {include file, what it becomes, or part of the error behind a '!'} */
static const char *const includes[][2] = {
	{ "a@b\nc@d\n", "a@b c@d x@y" }, { "a@b, c@d,e@f", "a@b c@d e@f x@y" },
	{ "# note\n\n  a@b # note\r\n\tjoe\n", "a@b j@k x@y" }, { "", "x@y" },
	{ "Joe <a@b>, \"X, Y\" <c@d>\n\"o, o\"@b\n", "a@b c@d \"o, o\"@b x@y" },
	{ "nobody\n", "nobody x@y" }, { "\\joe\n", "joe x@y" },
	{ "list\n", "list x@y" },	/* the name itself, as in an entry */
	{ "a@b\n|/bin/cat\n", "!/inc:2: '|/bin/cat' is a command or a file" },
	{ "/var/mail/x\n", "!aliases:1: alias 'list': " },
	{ "a@@b\n", "!/inc:1: address 'a@@b'" },
	{ "loop\n", "!leads back to itself" },
	{ ":include:inc\n", "!is not an absolute path" },
};

static void included_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(includes); i++) {
		char text[512];
		bool discarded;
		struct strvec out = STRVEC_INIT(1000);
		struct strbuf got = STRBUF_INIT(1000);
		struct error err = { .exit = 0 };

		snprintf(text, sizeof(text), "list: :include:%s, x@y\njoe: j@k\nloop: list\n",
			 scratch_file("inc", includes[i][0], 0644));
		struct aliases *a = load(text);
		int rc = aliases_expand(a, "list", NULL, NULL, &out, &discarded, &err);

		for (size_t k = 0; k < out.n; k++)
			strbuf_addf(&got, "%s%s", k ? " " : "", out.v[k]);
		if (*includes[i][1] == '!') {
			assert_int_equal(rc, -1);
			assert_int_equal(err.exit, EX_NOUSER);
			assert_has(err.text, includes[i][1] + 1);
		} else if (rc < 0) {
			fail_msg("'%s': %s", includes[i][0], err.text);
		} else {
			assert_string_equal(got.buf, includes[i][1]);
		}
		strbuf_release(&got);
		strvec_release(&out);
		aliases_free(a);
	}
}

/* Its expansion of ":include:" of path; the error's text. */
static const char *include_error(const char *path, struct error *err)
{
	char text[512];
	bool discarded;
	struct strvec out = STRVEC_INIT(1000);

	snprintf(text, sizeof(text), "list: :include:%s\n", path);
	struct aliases *a = load(text);

	assert_int_equal(aliases_expand(a, "list", NULL, NULL, &out, &discarded, err), -1);
	assert_int_equal(err->exit, EX_NOUSER);
	strvec_release(&out);
	aliases_free(a);
	return err->text;
}

static void included_files_are_trusted_ones(void **state)
{
	struct error err = { .exit = 0 };
	struct strbuf big = STRBUF_INIT(4 << 20);
	const char *path;
	char self[512];

	(void)state;
	assert_has(include_error(scratch_file("inc", "a@b\n", 0666), &err), "chmod go-w");
	assert_has(include_error(scratch_file("inc", "a@b\n", 0664), &err), "mode 0664");
	assert_has(include_error(scratch_bytes("inc", "a@b\0\n", 5, 0644), &err), "inc:1: the line "
		   "holds a NUL");
	for (unsigned i = 0; i < 100000; i++)
		strbuf_addstr(&big, "# sixteen octets\n");
	(void)include_error(scratch_file("inc", big.buf, 0644), &err);
	strbuf_release(&big);
	/* one that includes itself ends */
	path = scratch_path("inc");
	snprintf(self, sizeof(self), ":include:%s\n", path);
	assert_has(include_error(scratch_file("inc", self, 0644), &err), "too deep or too often");
	snprintf(self, sizeof(self), ":include:%s, :include:%s\n", path, path);
	assert_has(include_error(scratch_file("inc", self, 0644), &err), "too deep or too often");
	if (getuid() == 0) {
		path = scratch_file("inc", "a@b\n", 0644);
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_has(include_error(path, &err), "belongs to user 12345");
	}
}

/* many lines that go on must not cost their square */
static void long_lists(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 22);
	bool discarded;
	struct strvec out = STRVEC_INIT(100000);
	struct error err = { .exit = 0 };

	(void)state;
	strbuf_addstr(&text, "all:");
	for (unsigned i = 0; i < 3000; i++)
		strbuf_addf(&text, "\n  user%u@example.org,   # number %u", i, i);
	struct aliases *a = load(text.buf);

	assert_int_equal(aliases_expand(a, "all", NULL, NULL, &out, &discarded, &err), 0);
	assert_int_equal(out.n, 3000);
	assert_string_equal(out.v[2999], "user2999@example.org");
	strbuf_release(&text);
	strvec_release(&out);
	aliases_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_expanded),
		cmocka_unit_test(wrong_targets_fail_when_used),
		cmocka_unit_test(wrong_targets_leave_the_others),
		cmocka_unit_test(wrong_lines_are_told),
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(ten_levels),
		cmocka_unit_test(results_are_bounded_and_added),
		cmocka_unit_test(included_files),
		cmocka_unit_test(included_files_are_trusted_ones),
		cmocka_unit_test(long_lists),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
