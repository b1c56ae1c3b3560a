#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "cli/options.h"
#include "conf/account.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define MAX_WORDS 24

/* argv from words separated by '|'. */
struct parsed {
	struct arena *arena;
	char *text;
	char *argv[MAX_WORDS + 1];
	int argc;
	struct invocation inv;
	struct error err;
	int rc;
};

static void parse(struct parsed *p, const char *line)
{
	memset(p, 0, sizeof(*p));
	p->arena = arena_new();
	p->text = xstrdup(line);
	for (char *s = p->text; s; ) {
		char *bar = strchr(s, '|');

		if (bar)
			*bar++ = '\0';
		assert_true(p->argc < MAX_WORDS);
		p->argv[p->argc++] = s;
		s = bar;
	}
	p->rc = options_parse(&p->inv, p->arena, p->argc, p->argv, &p->err);
}

static void release(struct parsed *p)
{
	arena_free(p->arena);
	xfree(p->text);
}

static void test_good_command_lines(void **state)
{
	static const struct {
		const char *line;
		enum command command;
		size_t words;
		const char *sender;
		bool t, i;
	} cases[] = {
		{ "sendmail|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-t|-i", COMMAND_SEND, 0, NULL, true, true },
		{ "sendmail|-ti", COMMAND_SEND, 0, NULL, true, true },
		{ "sendmail|-it", COMMAND_SEND, 0, NULL, true, true },
		{ "sendmail|-oi|a@x", COMMAND_SEND, 1, NULL, false, true },
		{ "sendmail|-o|i|a@x", COMMAND_SEND, 1, NULL, false, true },
		{ "sendmail|-oitrue|a@x", COMMAND_SEND, 1, NULL, false, true },
		{ "sendmail|-oifalse|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-i|-oiF|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-i|-oino|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-i|-oi0|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-oit|a@x", COMMAND_SEND, 1, NULL, false, true },
		{ "sendmail|-O|IgnoreDots=True|a@x", COMMAND_SEND, 1, NULL, false, true },
		{ "sendmail|-OIgnoreDots=false|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-fs@y|a@x", COMMAND_SEND, 1, "s@y", false, false },
		{ "sendmail|-f|s@y|a@x", COMMAND_SEND, 1, "s@y", false, false },
		{ "sendmail|-r|s@y|a@x", COMMAND_SEND, 1, "s@y", false, false },
		{ "sendmail|-f||a@x", COMMAND_SEND, 1, "", false, false },
		{ "sendmail|-f<>|a@x", COMMAND_SEND, 1, "", false, false },
		{ "sendmail|-f|<>|a@x", COMMAND_SEND, 1, "", false, false },
		{ "sendmail|-f|N N <s@y>|a@x", COMMAND_SEND, 1, "s@y", false, false },
		{ "sendmail|-f|root|a@x", COMMAND_SEND, 1, "root", false, false },
		{ "sendmail|-fa@x|-fb@x|c@x", COMMAND_SEND, 1, "b@x", false, false },
		{ "sendmail|a@x|-f|s@y", COMMAND_SEND, 1, "s@y", false, false },
		{ "sendmail|--|-dash@x|-t", COMMAND_SEND, 2, NULL, false, false },
		{ "sendmail|-tif|s@y", COMMAND_SEND, 0, "s@y", true, true },
		{ "sendmail|-bm|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-bp", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "sendmail|-b|p", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "sendmail|-bpc", COMMAND_QUEUE_COUNT, 0, NULL, false, false },
		{ "sendmail|-bi", COMMAND_ALIASES, 0, NULL, false, false },
		{ "sendmail|-I", COMMAND_ALIASES, 0, NULL, false, false },
		{ "sendmail|-bv|a@x", COMMAND_VERIFY, 1, NULL, false, false },
		{ "sendmail|-bd", COMMAND_SERVE, 0, NULL, false, false },
		{ "sendmail|-bh", COMMAND_NOTHING, 0, NULL, false, false },
		{ "sendmail|-q", COMMAND_QUEUE_RUN, 0, NULL, false, false },
		{ "sendmail|-q30m", COMMAND_QUEUE_RUN, 0, NULL, false, false },
		{ "sendmail|-qf", COMMAND_QUEUE_RUN, 0, NULL, false, false },
		{ "sendmail|-bd|-q1h", COMMAND_SERVE, 0, NULL, false, false },
		{ "sendmail|-bV", COMMAND_VERSION, 0, NULL, false, false },
		{ "sendmail|-d0.1", COMMAND_VERSION, 0, NULL, false, false },
		{ "sendmail|-d0.1|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|a@x|-d0.1", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-d0.1|-t", COMMAND_SEND, 0, NULL, true, false },
		{ "sendmail|-d0.1|-d1", COMMAND_SEND, 0, NULL, false, false },
		{ "sendmail|-d0.1|-bp", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "sendmail|--version", COMMAND_VERSION, 0, NULL, false, false },
		{ "sendmail|--help", COMMAND_HELP, 0, NULL, false, false },
		{ "/usr/bin/mailq", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "mailq|-v|-Ac", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "mailq|-qRsite", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "smtpd|-q30m", COMMAND_SERVE, 0, NULL, false, false },
		{ "rsmtp|-bp", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "rsmtp|--version", COMMAND_VERSION, 0, NULL, false, false },
		{ "newaliases", COMMAND_ALIASES, 0, NULL, false, false },
		{ "newaliases|-bp", COMMAND_QUEUE_LIST, 0, NULL, false, false },
		{ "smtpd", COMMAND_SERVE, 0, NULL, false, false },
		{ "hoststat", COMMAND_NOTHING, 0, NULL, false, false },
		{ "runq", COMMAND_QUEUE_RUN, 0, NULL, false, false },
		{ "rmail|a@x", COMMAND_SEND, 1, NULL, false, true },
		{ "anything|a@x", COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-Ac|-Am|-B8BITMIME|-em|-oem|-odb|-odi|-om|-oo|-oQ/x|-G|-h5|-Ltag|a@x",
		  COMMAND_SEND, 1, NULL, false, false },
		{ "sendmail|-m|-MXv|-n|-OFoo=1|-pX|-s|-U|-v|-x|-X/f|-c|-T5m|-E|-J|-D/f|a@x",
		  COMMAND_SEND, 1, NULL, false, false },
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct parsed p;

		parse(&p, cases[n].line);
		if (p.rc != 0)
			fail_msg("%s: %s", cases[n].line, p.err.text);
		if (p.inv.command != cases[n].command)
			fail_msg("%s: command %d", cases[n].line, (int)p.inv.command);
		assert_int_equal(p.inv.request.words, cases[n].words);
		assert_int_equal(p.inv.request.read_recipients, cases[n].t);
		assert_int_equal(p.inv.request.dots_ignored, cases[n].i);
		if (cases[n].sender)
			assert_string_equal(p.inv.request.sender, cases[n].sender);
		else
			assert_null(p.inv.request.sender);
		release(&p);
	}
}

static void test_bad_command_lines(void **state)
{
	static const struct { const char *line, *text;
	} cases[] = {
		{"sendmail|-Z", "'-Z'"},
		{"sendmail|-tZ", "'-Z'"},
		{"sendmail|-w", "'-w'"},
		{"sendmail|-", "'-'"},
		{"sendmail|--bogus", "--bogus"},
		{"sendmail|--hots=x|a@x", "--host"},
		{"sendmail|-f", "argument"},
		{"sendmail|-F", "argument"},
		{"sendmail|-o", "argument"},
		{"sendmail|-f|s@y, t@y|a@x", "-f"},
		{"sendmail|-f|bad@@x|a@x", "-f"},
		{"sendmail|-f|a\r\nb@x|a@x", "-f"},
		{"sendmail|-BFOO|a@x", "FOO"},
		{"sendmail|-Nbogus|a@x", "bogus"},
		{"sendmail|-Nnever,delay|a@x", "never"},
		{"sendmail|-N|a@x", "a@x"},
		{"sendmail|-Rbogus|a@x", "bogus"},
		{"sendmail|-V||a@x", "1 to 100"},
		{"sendmail|-Va\tb|a@x", "printable"},
		{"sendmail|-b", "-b"},
		{"sendmail|-bX", "-bX"},
		{"sendmail|-bt", "-bt"},
		{"sendmail|-bs|-t", "-bs"},
		{"sendmail|-bS", "-bS"},
		{"sendmail|-ba", "-ba"},
		{"sendmail|-bz", "-bz"},
		{"sendmail|-Q", "'-Q'"},
		{"sendmail|-Sx", "'-S'"},
		{"sendmail|-XV|a@x", "VERP"},
		{"sendmail|-ez|a@x", "error modes"},
		{"sendmail|-oez|a@x", "error modes"},
		{"sendmail|a@x|-C|/etc/passwd", "-C"},
		{"sendmail|-bp|a@x", "addresses"},
		{"mailq|a@x", "addresses"},
		{"sendmail|-q|a@x", "addresses"},
		{"sendmail|-q|-t", "-t"},
		{"sendmail|-bv|-t", "-t"},
		{"rsmtp", "rsmtp"},
		{"rsmtp|a@x", "rsmtp"},
		{"sendmail|--rcpt=a@x|-C|/etc/passwd", "-C"},
		{"msubmit|--rcpt=a@x|--trace=/tmp/x", "--trace"},
		{"sendmail|-b|a@x", "-ba@x"},
		{"sendmail|-bP", "-bpc"},
		{"msubmit|--exclude-args|a@x", "needs -t"},
		{"msubmit|-t|--exclude-args|--rcpt=a@x", "no --rcpt"},
		{"sendmail|-Orequiretls=yes|a@x", "-O requiretls is not taken"},
		{"sendmail|-t|-4", "-4 is not taken"},
		{"msmtp|--logfile=x|a@x", "--logfile is not taken"},
		{"msubmit|a@x|--tls-key-passwordeval=x", "must stand before"},
		{"msubmit|--version|-t", "--version takes neither"},
		{"msubmit|--help|a@x", "--help takes neither"},
		{"sendmail|--password=x|a@x", "--password-file"},
		{"msubmit|--host", "argument"},
		{"sendmail|--host=h|a@x", "not taken when called as 'sendmail'"},
		{"sendmail|--host|h|a@x", "--host"},
		{"/usr/lib/sendmail|--proxy=socks5://h|a@x", "--proxy"},
		{"send-mail|--tls-certcheck=off|a@x", "--tls-certcheck"},
		{"sendmail|--tls=off|a@x", "--tls"},
		{"sendmail|--user=u|a@x", "--user"},
		{"sendmail|--drop|a@x", "not taken when called as 'sendmail'"},
		{"sendmail|--drop=off|a@x", "--drop"},
		{"sendmail|--redirect-to=b@x|a@x", "--redirect-to"},
		{"sendmail|--redirect-except=*|a@x", "--redirect-except"},
		{"sendmail|--always-bcc=b@x|a@x", "--always-bcc"},
		{"sendmail|--rewrite-map=/x|a@x", "--rewrite-map"},
		{"sendmail|--password-file=/x|a@x", "--password-file"},
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct parsed p;

		parse(&p, cases[n].line);
		if (p.rc == 0)
			fail_msg("%s was taken", cases[n].line);
		assert_int_equal(p.err.exit, EX_USAGE);
		if (!strstr(p.err.text, cases[n].text))
			fail_msg("%s: '%s' does not name '%s'", cases[n].line, p.err.text,
				 cases[n].text);
		assert_null(strchr(p.err.text, '\n'));
		release(&p);
	}
}

static void assert_override(const struct invocation *inv, const char *key, const char *value)
{
	for (size_t i = 0; i < inv->request.config.override_n; i++) {
		if (strcmp(inv->request.config.override[i].key, key) == 0) {
			assert_string_equal(inv->request.config.override[i].value, value);
			return;
		}
	}
	fail_msg("no override of %s", key);
}

static void test_settings_as_options(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p,
	      "msubmit|--host=h|--port|25|--tls-trust-file=/x|--tls|--auth=off|-4|--syslog|a@x");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.request.config.override_n, 7);
	assert_override(&p.inv, "host", "h");
	assert_override(&p.inv, "port", "25");
	assert_override(&p.inv, "tls_trust_file", "/x");
	assert_override(&p.inv, "tls", "on");
	assert_override(&p.inv, "auth", "off");
	assert_override(&p.inv, "address_family", "ipv4");
	assert_override(&p.inv, "syslog", "on");
	assert_int_equal(p.inv.request.words, 1);
	release(&p);
}

static void test_long_names(void **state)
{
	static const char *const cases[][3] = {
		{ "sendmail|-OSMTPUTF8=yes", "smtputf8_downgrade", "never" },
		{ "sendmail|-Osmtputf8=no", "smtputf8_downgrade", "always" },
		{ "sendmail|-Osmtputf8=auto", "smtputf8_downgrade", "auto" },
		{ "msubmit|-Orequiretls=yes", "requiretls", "yes" },
		{ "sendmail|-Odeliverby=60", "deliver_by", "60" },
		{ "sendmail|-OMT-Priority=4", "mt_priority", "4" },
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct parsed p;
		char line[100];

		snprintf(line, sizeof(line), "%s|a@x", cases[n][0]);
		parse(&p, line);
		assert_int_equal(p.rc, 0);
		assert_override(&p.inv, cases[n][1], cases[n][2]);
		release(&p);
	}
}

/* More overrides than the first block of memory holds. */
static void test_many_settings(void **state)
{
	struct parsed p;
	struct strbuf line = STRBUF_INIT(10000);

	(void)state;
	strbuf_addstr(&line, "msubmit");
	for (int i = 0; i < 20; i++)
		strbuf_addf(&line, "|--port=%d", i + 1);
	parse(&p, line.buf);
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.request.config.override_n, 20);
	assert_string_equal(p.inv.request.config.override[19].value, "20");
	assert_string_equal(p.inv.request.config.override[0].value, "1");
	release(&p);
	strbuf_release(&line);
}

static void test_notify_and_ret(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "sendmail|-N|success,FAILURE|-Rhdrs|-V|id 1|-F||a@x");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.inv.request.dsn_notify, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE);
	assert_int_equal(p.inv.request.dsn_ret, DSN_RET_HDRS);
	assert_string_equal(p.inv.request.envid, "id 1");
	assert_string_equal(p.inv.request.full_name, "");
	release(&p);
	parse(&p, "sendmail|-N|never|-R|FULL|a@x");
	assert_int_equal(p.inv.request.dsn_notify, DSN_NOTIFY_NEVER);
	assert_int_equal(p.inv.request.dsn_ret, DSN_RET_FULL);
	release(&p);
}

static void test_envid_length(void **state)
{
	char line[300];
	struct parsed p;

	(void)state;
	for (int n = 99; n <= 101; n++) {
		snprintf(line, sizeof(line), "sendmail|-V%0*d|a@x", n, 1);
		parse(&p, line);
		assert_int_equal(p.rc, n <= 100 ? 0 : -1);
		release(&p);
	}
}

/* Published injections by web programs: no option may name a file to be written. */
static void test_injections(void **state)
{
	static const char *const lines[] = {
		"sendmail|-t|-i|-fattacker@x -oQ/tmp -X/tmp/shell.php",
		"sendmail|-t|-i|-f\"attacker\\\" -oQ/tmp -X/tmp/shell.php x\"@y",
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(lines); n++) {
		struct parsed p;

		parse(&p, lines[n]);
		assert_int_equal(p.inv.request.config.override_n, 0);
		assert_null(p.inv.request.config.file);
		release(&p);
	}
}

/* For a command that does the same to other recipients: nothing that names any. */
static void test_options_are_kept(void **state)
{
	static const struct { const char *line, *kept; } cases[] = {
		{ "sendmail|a@x", "" },
		{ "sendmail|-t", "" }, { "sendmail|-ti", "-i" }, { "sendmail|-it", "-i" },
		{ "sendmail|-itv|a@x", "-iv" }, { "sendmail|-tf|s@t.example", "-f s@t.example" },
		{ "sendmail|-tfs@t", "-fs@t" }, { "sendmail|-oit|-t", "-oit" },
		{ "sendmail|-tt", "" }, { "sendmail|-F|-t|a@x", "-F -t" },
		{ "msubmit|--account=work|a@x|--host|h", "--account=work --host h" },
		{ "msubmit|--rcpt|a@x|-i|--rcpt=b@x,notify=never", "-i" },
		{ "msubmit|--read-recipients|--exclude-args|a@x", "" },
		{ "msubmit|-i|--|-t|a@x", "-i" },
		{ "msubmit|--compose|--to=a@x|--subject|s t|-i", "-i" },
		{ "msubmit|-t|--header|X-A: b|--return-path=s@t.example|-v",
		  "--return-path=s@t.example -v" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf kept = STRBUF_INIT(1000);
		struct parsed p;

		parse(&p, cases[i].line);
		for (size_t k = 0; k < p.inv.option_words; k++)
			strbuf_addf(&kept, "%s%s", k ? " " : "", p.inv.option_word[k]);
		if (strcmp(kept.buf, cases[i].kept) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].line, kept.buf, cases[i].kept);
		assert_string_equal(p.inv.program, p.argv[0]);
		strbuf_release(&kept);
		release(&p);
	}
}

/* It counts for what is wrong with the command line itself, wherever it stands in front of "--". */
static void test_error_format(void **state)
{
	static const struct { const char *line; int format; } cases[] = {
		{ "msubmit|a@x", ERROR_FORMAT_TEXT },
		{ "msubmit|--error-format=smtp|a@x", ERROR_FORMAT_SMTP },
		{ "msubmit|--error-format|json|--bogus", ERROR_FORMAT_JSON },
		{ "msubmit|--bogus|--error-format=json", ERROR_FORMAT_JSON },
		{ "msubmit|--bogus|a@x|--error-format|smtp", ERROR_FORMAT_SMTP },
		{ "msubmit|--bogus|--error-format", ERROR_FORMAT_TEXT },
		{ "msubmit|--bogus|--error-formats=smtp", ERROR_FORMAT_TEXT },
		{ "msubmit|--bogus|--|--error-format=smtp", ERROR_FORMAT_TEXT },
		{ "msubmit|--error-format=smtp|--error-format=dsn", ERROR_FORMAT_DSN },
		{ "msubmit|--error-format=smtp|--error-format=xml", ERROR_FORMAT_SMTP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p;

		parse(&p, cases[i].line);
		assert_int_equal(p.inv.error_format, cases[i].format);
		release(&p);
	}
}

static void test_tag_is_printable(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "sendmail|-L|a\nb\x7f|a@x");
	assert_string_equal(p.inv.syslog_tag, "a b ");
	release(&p);
}

static void test_help_names_every_option(void **state)
{
	struct strbuf help = STRBUF_INIT(1 << 20), list = STRBUF_INIT(1 << 20);
	struct error err;

	(void)state;
	assert_int_equal(options_help(&help, "all", &err), 0);
	options_list(&list);
	assert_false(strbuf_overflow(&help));
	for (char *s = list.buf, *end; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		char *who = strchr(s, '\t');

		*end = '\0';
		assert_true(strncmp(who, "\tanyone\t", 8) == 0 ||
			    strncmp(who, "\tno-file\t", 9) == 0 || strncmp(who, "\towner", 6) == 0);
		const bool key = strstr(who, "\tkey") != NULL;	/* old ones are not in --help */

		*who = '\0';
		if (!key && !strstr(help.buf, s))
			fail_msg("%s is not in --help", s);
	}
	assert_non_null(strstr(help.buf, "--tls-trust-file="));
	assert_null(strstr(help.buf, "--password="));
	strbuf_release(&help);
	strbuf_release(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_command_lines),
		cmocka_unit_test(test_bad_command_lines),
		cmocka_unit_test(test_settings_as_options),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_many_settings),
		cmocka_unit_test(test_notify_and_ret),
		cmocka_unit_test(test_envid_length),
		cmocka_unit_test(test_injections),
		cmocka_unit_test(test_options_are_kept),
		cmocka_unit_test(test_error_format),
		cmocka_unit_test(test_tag_is_printable),
		cmocka_unit_test(test_help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
