#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cli/options.h"
#include "smtp/probe.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"

#define WORDS_MAX 8

struct parsed {
	struct arena *arena;
	struct invocation inv;
	struct error err;
	int rc;
};

static struct parsed parse(const char *const *words)
{
	struct parsed p = { .arena = arena_new() };
	char *argv[WORDS_MAX + 2] = { (char *)"msubmit" };
	int argc = 1;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	p.rc = options_parse(&p.inv, p.arena, argc, argv, &p.err);
	return p;
}

#define words(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct {
	const char *word;
	enum probe_id id;
	const char *arg;
} commands[] = {
	{ "--vrfy=a b", PROBE_VRFY, "a b" }, { "--verify=a", PROBE_VRFY, "a" },
	{ "--expn=l", PROBE_EXPN, "l" }, { "--expand=l", PROBE_EXPN, "l" },
	{ "--smtp-help", PROBE_HELP, NULL }, { "--smtp-help=MAIL", PROBE_HELP, "MAIL" },
	{ "--noop", PROBE_NOOP, NULL }, { "--rset", PROBE_RSET, NULL },
	{ "--etrn=@a.example", PROBE_ETRN, "@a.example" },
	{ "--rmqs=#q", PROBE_ETRN, "#q" }, { "--atrn", PROBE_ATRN, NULL },
	{ "--atrn=a.example,b.example", PROBE_ATRN, "a.example,b.example" },
	{ "--smtp-command=XA b", PROBE_RAW, "XA b" },
};

static void test_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct parsed p = parse(words(commands[i].word));

		assert_int_equal(p.rc, 0);
		assert_int_equal(p.inv.command, COMMAND_SMTP);
		assert_int_equal(p.inv.probes, 1);
		assert_int_equal(p.inv.probe[0].id, commands[i].id);
		if (commands[i].arg)
			assert_string_equal(p.inv.probe[0].arg, commands[i].arg);
		else
			assert_null(p.inv.probe[0].arg);
		arena_free(p.arena);
	}
}

/* With a value it is the setting of that name. */
static void test_rset(void **state)
{
	(void)state;
	struct parsed p = parse(words("--rset=never", "a@example.org"));

	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.command, COMMAND_SEND);
	assert_int_equal(p.inv.probes, 0);
	assert_string_equal(p.inv.override[0].key, "rset");
	assert_string_equal(p.inv.override[0].value, "never");
	arena_free(p.arena);
}

static void test_order(void **state)
{
	(void)state;
	struct parsed p = parse(words("--vrfy=1", "--noop", "--vrfy=2", "--expn", "3", "--vrfy=4"));
	static const char *const args[] = { "1", NULL, "2", "3", "4" };

	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.probes, ARRAY_LEN(args));
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		if (args[i])
			assert_string_equal(p.inv.probe[i].arg, args[i]);
		else
			assert_int_equal(p.inv.probe[i].id, PROBE_NOOP);
	}
	arena_free(p.arena);
}

static const char *const refused[][WORDS_MAX] = {
	{ "--vrfy" }, { "--vrfy=" }, { "--vrfy=a\nb" }, { "--noop=x" }, { "--etrn=a b" },
	{ "--etrn=" }, { "--atrn=," }, { "--smtp-command=DATA" }, { "--smtp-command=" },
	{ "--smtp-command=NOOP\r\nRSET" },
	{ "--vrfy=a", "b@example.org" }, { "--vrfy=a", "-t" }, { "--vrfy=a", "--serverinfo" },
	{ "--vrfy=a", "-bp" }, { "-bd", "--noop" },
	{ "--smtp-command=X", "--etrn=a.example", "-t" },
	{ "--verify-with=mail", "--vrfy=a" }, { "--terminal=maybe", "b@example.org" },
	{ "--track-query" }, { "--track-query=all", "b@example.org" },
	{ "--track-query=all", "--noop" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct parsed p = parse(refused[i]);

		if (p.rc != -1 || p.err.exit != EX_USAGE)
			fail_msg("%s: %d", refused[i][0], p.rc);
		arena_free(p.arena);
	}
}

/* In front of a message only raw commands make sense. */
static void test_with_message(void **state)
{
	(void)state;
	struct parsed p = parse(words("--smtp-command=XA", "b@example.org"));

	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.command, COMMAND_SEND);
	assert_int_equal(p.inv.probes, 1);
	arena_free(p.arena);
}

/* A web program that passes text on to "sendmail" must not choose commands. */
static void test_untrusted(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	char *argv[] = { (char *)"/usr/sbin/sendmail", (char *)"--smtp-command=NOOP", NULL };
	struct invocation inv;
	struct error err;

	assert_int_equal(options_parse(&inv, a, 2, argv, &err), -1);
	assert_int_equal(err.exit, EX_USAGE);
	arena_free(a);
}

/* The value that a key gets on the command line, by the last word that sets it. */
static const char *override(const struct parsed *p, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < p->inv.request.config.override_n; i++) {
		if (strcmp(p->inv.request.config.override[i].key, key) == 0)
			value = p->inv.request.config.override[i].value;
	}
	return value;
}

static void test_settings(void **state)
{
	(void)state;
	static const char *const modes[][2] = {
		{ "--terminal=only", "send" }, { "--terminal=OR", "soml" },
		{ "--terminal=and", "saml" }, { "--terminal=off", "mail" }
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct parsed p = parse(words(modes[i][0], "b@example.org"));

		assert_int_equal(p.rc, 0);
		assert_string_equal(override(&p, "send_mode"), modes[i][1]);
		arena_free(p.arena);
	}
	struct parsed p = parse(words("--xclient=ADDR=1.2.3.4 NAME=x", "--xclient-login=a \"b\\",
				      "--xclient-helo", "h", "b@example.org"));

	assert_int_equal(p.rc, 0);
	assert_string_equal(override(&p, "xclient"),
			    "ADDR=1.2.3.4 NAME=x \"login=a \\\"b\\\\\" helo=h");
	arena_free(p.arena);
}

static void test_flags(void **state)
{
	(void)state;
	struct parsed p = parse(words("--strict-verify", "--verify-with=RCPT", "--vrfy=a"));

	assert_int_equal(p.rc, 0);
	assert_true(p.inv.strict_verify);
	assert_true(p.inv.verify_with_rcpt);
	arena_free(p.arena);
	p = parse(words("--query-track=1@x"));
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.command, COMMAND_TRACK_QUERY);
	assert_string_equal(p.inv.subject, "1@x");
	arena_free(p.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands), cmocka_unit_test(test_rset),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_with_message),
		cmocka_unit_test(test_untrusted), cmocka_unit_test(test_settings),
		cmocka_unit_test(test_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
