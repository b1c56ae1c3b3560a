#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_write.h"
#include "conf_scratch.h"
#include "util/secret.h"
#include "util/strbuf.h"

static struct strbuf text;
static struct config *config;
static struct error failure;

static int setup(void **state)
{
	strbuf_init(&text, 1 << 20);
	config = NULL;
	failure = (struct error){ .exit = 0 };
	return scratch_setup(state);
}

static int teardown(void **state)
{
	strbuf_release(&text);
	config_free(config);
	return scratch_teardown(state);
}

static void heading(bool classic, const char *name)
{
	if (config_write_heading(&text, classic, name, &failure) < 0)
		fail_msg("%s", failure.text);
}

static void setting(bool classic, const char *key, const char *value)
{
	if (config_write_setting(&text, classic, key, value, &failure) < 0)
		fail_msg("%s: %s", key, failure.text);
}

/* What the reader makes of the text: its account "one". */
static const struct account *read_back(void)
{
	const struct config_request req = {
		.file = scratch_bytes("rc", text.buf, text.len, 0600)
	};
	const struct account *a;

	config_free(config);
	config = NULL;
	if (config_load(&req, &config, &failure) < 0)
		fail_msg("%s\n%s", failure.text, text.buf);
	a = config_account(config, "one");
	assert_non_null(a);
	return a;
}

static void begin(bool classic)
{
	strbuf_reset(&text);
	heading(classic, "one");
	setting(classic, "host", "mail.example.org");
}

/* --- the text ------------------------------------------------------------------------ */

static void a_file_looks_as_by_hand(void **state)
{
	(void)state;
	config_write_comment(&text, "made for you\n\nby a program\x07");
	heading(false, NULL);
	setting(false, "tls", "starttls");
	heading(false, "work");
	setting(false, "HOST", "mail.example.org");
	setting(false, "tls-trust-file", "/etc/ssl/ca.pem");
	assert_string_equal(text.buf,
			    "# made for you\n#\n# by a program\\x07\n\n[defaults]\ntls = starttls\n"
			    "\n[account work]\nhost = mail.example.org\n"
			    "tls_trust_file = /etc/ssl/ca.pem\n");
	strbuf_reset(&text);
	heading(true, NULL);
	setting(true, "tls", "on");
	heading(true, "work");
	setting(true, "host", "mail.example.org");
	assert_string_equal(text.buf, "defaults\ntls on\n\naccount work\nhost mail.example.org\n");
}

static void names_that_no_reader_takes_are_refused(void **state)
{
	static const char *const bad[] = {
		"", " a", "a ", "\ta", "a:b", "a,b", "a]b", "[a", "a\nb", "a\rb", "a\x7f"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (int classic = 0; classic < 2; classic++) {
			assert_int_equal(config_write_heading(&text, classic, bad[i], &failure),
					 -1);
			assert_int_equal(failure.exit, EX_CONFIG);
			assert_has(failure.text, "account name '");
			assert_int_equal(text.len, 0);
		}
	}
}

static void values_are_judged_by_their_key(void **state)
{
	static const struct {
		const char *key, *value, *text;
	} bad[] = {
		{ "prot", "25", "did you mean 'port'?" },
		{ "port", "99999", "key 'port': '99999' is out of range" },
		{ "tls", "perhaps", "key 'tls': 'perhaps' is not one of" },
		{ "user", "a\nb", "key 'user': the value holds a line end" },
		{ "user", "a\rb", "key 'user': the value holds a line end" },
		{ "password_command", "echo \"a", "key 'password_command': no closing quote" },
		{ "password_command", "~/get", "key 'password_command': '~/get': no shell here" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		strbuf_reset(&text);
		strbuf_addstr(&text, "kept\n");
		assert_int_equal(config_write_setting(&text, false, bad[i].key, bad[i].value,
						      &failure), -1);
		assert_int_equal(failure.exit, EX_CONFIG);
		assert_has(failure.text, bad[i].text);
		assert_string_equal(text.buf, "kept\n");
	}
}

static void what_a_form_cannot_say_is_refused(void **state)
{
	(void)state;
	assert_int_equal(config_write_setting(&text, true, "password", "s3cret\nx", &failure), -1);
	assert_has(failure.text, "key 'password': a line end");
	assert_lacks(failure.text, "s3cret");
	setting(false, "password", "s3cret\nx");
	assert_string_equal(text.buf, "password = \"s3cret\\012x\"\n");
}

static void a_value_too_long_is_refused(void **state)
{
	static char value[65536 + 2];

	(void)state;
	memset(value, 'a', sizeof(value) - 1);
	assert_int_equal(config_write_setting(&text, false, "user", value, &failure), -1);
	assert_has(failure.text, "65536");
	assert_int_equal(text.len, 0);
	value[65536] = '\0';
	begin(false);
	setting(false, "user", value);
	assert_string_equal(read_back()->auth.user, value);
}

/* --- there and back -------------------------------------------------------------------- */

static const char *const words[] = {
	"plain", "two words", " blanks at both ends ", "\"quoted\"", "a \"quote\" inside",
	"\"begins", "ends\"", "back\\slash", "\\n", "tab\tinside", "\ttab first", "# no comment",
	"; neither", "a ; b # c", "${HOME}", "$${HOME}", "$$${", "${", "$", "cost $5", "a=b",
	"[x]", "\\\"", "'single'", "%s %U", "\xc3\xa9t\xc3\xa9", "\xff\xfe", "\x01\x1b[0m\x7f",
	"a\fb", "\fa\v", "trailing\\", "account x", "\"a\" b \"c\"", "\\101", "=", "on"
};

static void every_string_comes_back(void **state)
{
	(void)state;
	for (int classic = 0; classic < 2; classic++) {
		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			begin(classic);
			setting(classic, "user", words[i]);
			setting(classic, "password", words[i]);
			const struct account *a = read_back();

			assert_string_equal(a->auth.user, words[i]);
			assert_string_equal(a->auth.password.data, words[i]);
		}
	}
}

static void every_octet_comes_back(void **state)
{
	(void)state;
	for (int classic = 0; classic < 2; classic++) {
		for (unsigned c = 1; c < 256; c++) {
			const char value[][4] = {
				{ 'a', (char)c, 'b' }, { (char)c, 'a' },
				{ 'a', (char)c }, { (char)c }
			};

			for (size_t i = 0; c != '\n' && c != '\r' && i < ARRAY_LEN(value); i++) {
				begin(classic);
				setting(classic, "user", value[i]);
				assert_string_equal(read_back()->auth.user, value[i]);
			}
		}
	}
}

static void lists_come_back(void **state)
{
	static const struct {
		const char *value, *item[3];
	} lists[] = {
		{ "a@x, *@y", { "a@x", "*@y" } },
		{ "\"a, b\"@x, c@y", { "\"a, b\"@x", "c@y" } },
		{ "c@y, \"a, b\"", { "c@y", "\"a, b\"" } },
		{ "\"a, b\"", { "\"a, b\"" } },
		{ "a${b}@x", { "a${b}@x" } },
	};

	(void)state;
	for (int classic = 0; classic < 2; classic++) {
		for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
			begin(classic);
			setting(classic, "from", lists[i].value);
			const struct account *a = read_back();

			for (size_t n = 0; lists[i].item[n]; n++)
				assert_string_equal(a->from[n], lists[i].item[n]);
		}
	}
}

static void commands_come_back(void **state)
{
	static const char command[] = "pass \"my mail\" '${x}' a\\ b";
	static const char shell[] = "\"pass\" show mail | head -1; echo \"${x}\"";

	(void)state;
	for (int classic = 0; classic < 2; classic++) {
		begin(classic);
		setting(classic, "password_command", command);
		const char *const *argv = read_back()->auth.password_command;

		assert_string_equal(argv[0], "pass");
		assert_string_equal(argv[1], "my mail");
		assert_string_equal(argv[2], "${x}");
		assert_string_equal(argv[3], "a b");
		assert_null(argv[4]);
		begin(classic);
		setting(classic, "passwordeval", shell);
		assert_string_equal(read_back()->auth.passwordeval, shell);
	}
}

/* What begins with a quote, or blanks, stands in quotes of its own. */
static void commands_in_quotes_come_back(void **state)
{
	static const char *const shell[] = {
		"\"my prog\"", " echo 1\t", "echo\f1", "\"a\" \"b\"", "\\\"",
	};

	(void)state;
	begin(false);
	setting(false, "password_command", "\"/a b/get\"");
	const char *const *argv = read_back()->auth.password_command;

	assert_string_equal(argv[0], "/a b/get");
	assert_null(argv[1]);
	for (size_t i = 0; i < ARRAY_LEN(shell); i++) {
		begin(false);
		setting(false, "passwordeval", shell[i]);
		assert_string_equal(read_back()->auth.passwordeval, shell[i]);
	}
}

static void nothing_comes_back_as_nothing(void **state)
{
	(void)state;
	for (int classic = 0; classic < 2; classic++) {
		begin(classic);
		setting(classic, "user", "me");
		setting(classic, "user", "");
		assert_null(read_back()->auth.user);
	}
	assert_int_equal(config_write_setting(&text, true, "tls", "", &failure), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_looks_as_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_no_reader_takes_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(values_are_judged_by_their_key, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_form_cannot_say_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_value_too_long_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(every_string_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(every_octet_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_in_quotes_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_comes_back_as_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
