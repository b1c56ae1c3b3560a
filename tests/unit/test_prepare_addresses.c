#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf_scratch.h"
#include "message/header.h"
#include "prepare/rewriter.h"
#include "util/arena.h"

static struct arena *arena;
static struct config *config;

static int setup(void **state)
{
	arena = arena_new();
	return scratch_setup(state);
}

static int teardown(void **state)
{
	config_free(config);
	config = NULL;
	arena_free(arena);
	return scratch_teardown(state);
}

static const char *completing(void *ctx)
{
	return ctx;
}

/* The rules of most cases. */
#define RULES "[rewrite]\nroot = ops@r.example\njoe@own.example = Joe Doe <joe@r.example>\n" \
	"@old.example = @new.example\njo = \"Doe, J.\" <jo@r.example>\n" \
	"ju = J\xc3\xbc <ju@r.example>\n"

static struct address_job job_of(const char *settings)
{
	const char *text = arena_printf(arena, "[account default]\nhost = h\n%s", settings);
	struct config_request req = { .file = scratch_file("rc", text, 0600) };
	struct address_job j = { .arena = arena, .domain = completing,
				 .ctx = (void *)(uintptr_t)"d.example" };
	struct error err = { .exit = 0 };

	config_free(config);
	config = NULL;
	if (config_load(&req, &config, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	j.account = config_default(config);
	if (rewriter_open(arena, j.account, &j.rewriter, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	return j;
}

static struct header_field field_of(const char *line)
{
	struct header_field f = { .text = arena_printf(arena, "%s\r\n", line) };
	size_t name = header_field_start(f.text, strlen(f.text), &f.value);

	assert_true(name > 0);
	f.len = strlen(f.text);
	f.id = header_find_id(f.text, name);
	return f;
}

/* The field as it is written then, without its end; *done_out what is told of it. */
static const char *settled(const struct address_job *j, const char *line,
			   struct addressed *done_out)
{
	struct header_field f = field_of(line);
	struct addressed done = rewriter_field(j, &f);

	if (done_out)
		*done_out = done;
	if (!done.text)
		return line;
	size_t len = strlen(done.text);

	assert_true(len > 2 && strcmp(done.text + len - 2, "\r\n") == 0);
	return arena_strndup(arena, done.text, len - 2);
}

/* {field, what it becomes; NULL = it stays} */
static const char *const cases[][2] = {
	/* the address alone changes */
	{ "From: root", "From: ops@r.example" }, { "From:root", "From:ops@r.example" },
	{ "from : root@localhost ", "from : ops@r.example " },
	{ "From: <root>", "From: <ops@r.example>" },
	{ "From: The Root <root>", "From: The Root <ops@r.example>" },
	{ "From: \"Root, The\"  <root@localhost>", "From: \"Root, The\"  <ops@r.example>" },
	{ "From: Caf\xe9 <root>", "From: Caf\xe9 <ops@r.example>" },
	{ "From: =?utf-8?q?J=C3=B6?= <root>", "From: =?utf-8?q?J=C3=B6?= <ops@r.example>" },
	{ "From: a@b", NULL }, { "From: Root <root@x.example>", NULL },
	{ "From: joe.x@old.example", "From: joe.x@new.example" },
	{ "From: \"j x\"@OLD.example", "From: \"j x\"@new.example" },
	{ "From: \"root\"@localhost", "From: ops@r.example" },
	{ "To: root, a@b,\r\n  <root> , \"x\" <root>", "To: ops@r.example, a@b,\r\n  "
	  "<ops@r.example> , \"x\" <ops@r.example>" },
	{ "To: crew: root, joe; , root",
	  "To: crew: ops@r.example, joe@d.example; , ops@r.example" },
	{ "Cc: undisclosed-recipients:;", NULL },
	/* comments stay, also within the address */
	{ "To: root (the (one) root)", "To: ops@r.example (the (one) root)" },
	{ "To: (a) root (b) , (c) a@b", "To: (a) ops@r.example (b) , (c) a@b" },
	{ "To: root (c) @ (d) localhost", "To: ops@r.example (c) (d)" },
	{ "To: <root(c\\))@localhost>", "To: <ops@r.example (c\\))>" },
	{ "To: \"(no)\"(yes)@old.example", "To: \"(no)\"@new.example (yes)" },
	{ "To: <@relay.example:root@localhost>", "To: <@relay.example:ops@r.example>" },
	/* in From an old name becomes one of today, when its address is rewritten */
	{ "From: root (Cron Daemon)", "From: \"Cron Daemon\" <ops@r.example>" },
	{ "From: root@localhost  (Cron Daemon) ", "From: \"Cron Daemon\" <ops@r.example> " },
	{ "From: (Cron Daemon) root", "From: \"Cron Daemon\" <ops@r.example>" },
	{ "From: root\r\n (Cron\r\n Daemon)", "From: \"Cron Daemon\" <ops@r.example>" },
	{ "From: root (Cron \"x\" \\(y\\))", "From: \"Cron \\\"x\\\" (y)\" <ops@r.example>" },
	{ "From: root (a) (b)", "From: \"b\" <ops@r.example> (a)" },
	{ "From: root (J\xc3\xb6)", "From: =?utf-8?B?SsO2?= <ops@r.example>" },
	{ "From: root (=?utf-8?Q?J=C3=B6?=)", "From: =?utf-8?Q?J=C3=B6?= <ops@r.example>" },
	{ "From: root (=?utf-8?Q?J,=C3=B6?=)", "From: ops@r.example (=?utf-8?Q?J,=C3=B6?=)" },
	{ "From: root ()", "From: ops@r.example ()" },
	{ "From: root(c)@localhost", "From: ops@r.example (c)" },
	{ "From: <root> (Cron Daemon)", "From: <ops@r.example> (Cron Daemon)" },
	{ "From: root (Cron Daemon), a@b (C)", "From: \"Cron Daemon\" <ops@r.example>, a@b (C)" },
	{ "From: cron (Cron Daemon)", "From: cron@d.example (Cron Daemon)" },
	{ "Sender: root (Cron Daemon)", "Sender: ops@r.example (Cron Daemon)" },
	/* a rule with a name */
	{ "From: joe@own.example", "From: Joe Doe <joe@r.example>" },
	{ "From: <joe@own.example>", "From: Joe Doe <joe@r.example>" },
	{ "From: J <joe@own.example>", "From: Joe Doe <joe@r.example>" },
	{ "From: \"J\" (x) Q <joe@own.example> (y)", "From: Joe Doe <joe@r.example> (y)" },
	{ "From: joe@own.example (J)", "From: Joe Doe <joe@r.example>" },
	{ "To: joe@own.example (J), a@b", "To: Joe Doe <joe@r.example> (J), a@b" },
	{ "To: jo, J <jo>", "To: \"Doe, J.\" <jo@r.example>, \"Doe, J.\" <jo@r.example>" },
	{ "To: J\r\n <jo>", "To: \"Doe, J.\"\r\n <jo@r.example>" },
	{ "Reply-To: ju", "Reply-To: =?utf-8?B?SsO8?= <ju@r.example>" },
	{ "From: a@b <joe@own.example>", "From: Joe Doe <joe@r.example>" },
	/* all fields that hold addresses */
	{ "Resent-From: root", "Resent-From: ops@r.example" },
	{ "Resent-Sender: root", "Resent-Sender: ops@r.example" },
	{ "Resent-To: root", "Resent-To: ops@r.example" },
	{ "Resent-Cc: root", "Resent-Cc: ops@r.example" },
	/* without rule: completed, else octet for octet */
	{ "From: cron", "From: cron@d.example" }, { "To: Me <me>", "To: Me <me@d.example>" },
	{ "To: cron@localhost", NULL },
	/* international domains */
	{ "From: jo@b\xc3\xbc.example", NULL },
};

static void fields_are_settled(void **state)
{
	struct address_job j = job_of(RULES);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *want = cases[i][1] ? cases[i][1] : cases[i][0];
		struct addressed done;
		const char *got = settled(&j, cases[i][0], &done);

		if (strcmp(got, want) != 0)
			fail_msg("'%s' becomes '%s', not '%s'", cases[i][0], got, want);
		assert_false(done.unreadable);
		assert_true((done.text != NULL) == (cases[i][1] != NULL));
	}
}

static void what_is_told(void **state)
{
	struct address_job j = job_of(RULES);
	struct addressed done;

	(void)state;
	settled(&j, "From: root", &done);
	assert_true(done.rewritten);
	settled(&j, "From: cron", &done);
	assert_non_null(done.text);
	assert_false(done.rewritten);
	settled(&j, "From: root <", &done);
	assert_true(done.unreadable);
	assert_null(done.text);
	settled(&j, "To: root@@localhost, root", &done);
	assert_true(done.unreadable);
	assert_null(done.text);
}

static void plain_values(void **state)
{
	static const char *const values[][2] = {
		{ "From: root (Cron\r\n Daemon)", "root@d.example (Cron Daemon)" },
		{ "From:  Root <root@localhost> ", "Root <root@localhost>" },
		{ "From: root <", "root <" }, { "From:", "" },
	};
	struct address_job j = job_of(RULES);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct header_field f = field_of(values[i][0]);

		assert_string_equal(rewriter_field_plain(&j, &f), values[i][1]);
	}
}

static void classes(void **state)
{
	static const struct { const char *classes, *field, *want; } rows[] = {
		{ "header_sender", "From: root", "From: o@r" },
		{ "header_sender", "Resent-From: root", "Resent-From: o@r" },
		{ "header_sender", "To: root", "To: root@d.example" },
		{ "header_sender", "Resent-To: root", "Resent-To: root@d.example" },
		{ "header_recipient", "To: root", "To: o@r" },
		{ "header_recipient", "Cc: root", "Cc: o@r" },
		{ "header_recipient", "Reply-To: root", "Reply-To: root@d.example" },
		{ "from", "From: root", "From: o@r" },
		{ "from", "Sender: root", "Sender: root@d.example" },
		{ "sender, cc", "Sender: root", "Sender: o@r" },
		{ "sender, cc", "Cc: root", "Cc: o@r" },
		{ "reply_to", "Reply-To: root", "Reply-To: o@r" },
		{ "to", "To: root", "To: o@r" }, { "to", "Cc: root", "Cc: root@d.example" },
		{ "resent", "Resent-Cc: root", "Resent-Cc: o@r" },
		{ "resent", "From: root (x)", "From: root@d.example (x)" },
		{ "envelope_sender, envelope_recipient", "From: root", "From: root@d.example" },
		{ "", "From: root", "From: root@d.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address_job j = job_of(arena_printf(arena, "rewrite_classes = %s\n"
							   "[rewrite]\nroot = o@r\n",
							   rows[i].classes));

		assert_string_equal(settled(&j, rows[i].field, NULL), rows[i].want);
	}
}

static void names_of_from(void **state)
{
	static const char *const rows[][2] = {
		{ "From: a@b", "From: The Host <a@b>" }, { "From: <a@b>", "From: The Host <a@b>" },
		{ "From: A B <a@b>", "From: The Host <a@b>" },
		{ "From: a@b (A)", "From: The Host <a@b>" },
		{ "From: cron (Cron Daemon)", "From: The Host <cron@d.example>" },
		{ "From: Cron <cron>", "From: The Host <cron@d.example>" },
		{ "From: root (Cron)", "From: The Host <ops@r.example>" },
		{ "From: Root <root>", "From: The Host <ops@r.example>" },
		{ "From: J <joe@own.example>", "From: Joe Doe <joe@r.example>" },
		{ "From: A <a@b>, C <c@d>", "From: A <a@b>, C <c@d>" },
		{ "To: A <a@b>", "To: A <a@b>" }, { "Sender: a@b", "Sender: a@b" },
		{ "From: x: a@b;", "From: x: The Host <a@b>;" }, { "From: x:;", "From: x:;" },
	};
	struct address_job j = job_of("from_name = The Host\n" RULES);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(settled(&j, rows[i][0], NULL), rows[i][1]);
	j = job_of("from_name = \"J\xc3\xb6, %x\"\n");
	assert_string_equal(settled(&j, "From: a@b", NULL),
			    "From: =?utf-8?B?SsO2LCAleA==?= <a@b>");
	j = job_of("qualify = off\nfrom_name = X\n");
	assert_string_equal(settled(&j, "From: cron", NULL), "From: X <cron>");
}

/* A rule for an international domain fits both its forms. */
static void international_domains(void **state)
{
	struct address_job j = job_of("[rewrite]\n@b\xc3\xbc.example = @c\xc3\xb6.example\n"
				      "j\xc3\xb6 = Jo <j\xc3\xb6@x.example>\n");

	(void)state;
	assert_string_equal(settled(&j, "From: a@xn--b-eha.example, a@B\xc3\x9c.example", NULL),
			    "From: a@xn--c-1ga.example, a@xn--c-1ga.example");
	assert_string_equal(settled(&j, "From: j\xc3\xb6", NULL),
			    "From: Jo <j\xc3\xb6@x.example>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fields_are_settled, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(plain_values, setup, teardown),
		cmocka_unit_test_setup_teardown(classes, setup, teardown),
		cmocka_unit_test_setup_teardown(names_of_from, setup, teardown),
		cmocka_unit_test_setup_teardown(international_domains, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
