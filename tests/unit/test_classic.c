#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/rcfile.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* What the reader reports, one event a line: "3[account a]", "4 key=value". */
static struct strbuf events;
static char evaluated[200];	/* what the next eval prints */

static int setup(void **state)
{
	(void)state;
	strbuf_init(&events, 1 << 24);
	snprintf(evaluated, sizeof(evaluated), "user joe");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_release(&events);
	return 0;
}

static int note_section(void *ctx, char *heading, unsigned line, struct error *err)
{
	(void)ctx;
	if (strcmp(heading, "account refuse") == 0)
		return error_set(err, FAULT_CONFIG, "refused");
	strbuf_addf(&events, "%u[%s]\n", line, heading);
	return 0;
}

static int note_setting(void *ctx, const char *key, char *value, unsigned line,
			struct error *err)
{
	(void)ctx;
	if (strcmp(key, "bad") == 0)
		return error_set(err, FAULT_CONFIG, "key 'bad': refused");
	strbuf_addf(&events, "%u %s=", line, key);
	strbuf_addstr(&events, classic_unquote(value));
	strbuf_addch(&events, '\n');
	return 0;
}

static int note_eval(void *ctx, const char *command, char **line_out, struct error *err)
{
	static char line[sizeof(evaluated)];	/* the reader puts NULs into it */

	(void)ctx;
	strbuf_addf(&events, "run %s\n", command);
	if (strcmp(command, "false") == 0)
		return error_set(err, FAULT_CONFIG, "ended with status 1");
	memcpy(line, evaluated, sizeof(line));
	*line_out = line;
	return 0;
}

static int read_text(const char *text, size_t len, bool with_eval, struct error *err)
{
	const struct rcfile_handler h = {
		.section = note_section, .setting = note_setting,
		.eval = with_eval ? note_eval : NULL, .name = "rc",
	};
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	strbuf_reset(&events);
	int rc = classic_read(copy, len, &h, err);

	xfree(copy);
	return rc;
}

static void expect(const char *text, const char *wanted)
{
	struct error err = { .exit = 0 };

	if (read_text(text, strlen(text), true, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	assert_string_equal(events.buf, wanted);
}

static void expect_error(const char *text, size_t len, const char *wanted)
{
	struct error err = { .exit = 0 };

	if (read_text(text, len, true, &err) == 0)
		fail_msg("'%s' was taken", text);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_string_equal(err.text, wanted);
}

static const char *const readable[][2] = {
	{"", ""},
	{"\n \n\t\n", ""},
	{"# a\n  # b\n", ""},
	{"defaults\n", "1[defaults]\n"},
	{"account a", "1[account a]\n"},
	{"account a:b", "1[account a:b]\n"},
	{"account  a : b , c \n", "1[account  a : b , c]\n"},
	{"account default : x\r\n", "1[account default : x]\n"},
	{"defaults\nport 25\n", "1[defaults]\n2 port=25\n"},
	{"account a\n  host \t h \t\nuser x y\n", "1[account a]\n2 host=h\n3 user=x y\n"},
	{"account a\ntls\ntls \n", "1[account a]\n2 tls=\n3 tls=\n"},
	/* '#' is a comment at the start of a line only; ';' never is */
	{"account a\npassword a#b # c ; d\n", "1[account a]\n2 password=a#b # c ; d\n"},
	{"account a\npassword #x\n", "1[account a]\n2 password=#x\n"},
	{"account a\n;key x\n", "1[account a]\n2 ;key=x\n"},
	/* quotes: only a pair around the whole, nothing is escaped */
	{"account a\nuser \" x \"\n", "1[account a]\n2 user= x \n"},
	{"account a\nuser \"a\"b\"\n", "1[account a]\n2 user=a\"b\n"},
	{"account a\nuser \"a\\\"\n", "1[account a]\n2 user=a\\\n"},
	{"account a\nuser \"a\nuser a\"\nuser \"\nuser \"\"\n",
	 "1[account a]\n2 user=\"a\n3 user=a\"\n4 user=\"\n5 user=\n"},
	{"account a\nuser 'x'\n", "1[account a]\n2 user='x'\n"},
	/* settings before any account: the account is called default */
	{"host h\nport 25\n", "1[account default]\n1 host=h\n2 port=25\n"},
	{"host h\naccount b\n", "1[account default]\n1 host=h\n2[account b]\n"},
	{"\xef\xbb\xbf"
	 "account a\n",
	 "1[account a]\n"},
	{"accounts a\n", "1[account default]\n1 accounts=a\n"},
	{"default\n", "1[account default]\n1 default=\n"},
	{"host =x\n", "1[account default]\n1 host==x\n"},
	{"account a\nhost h", "1[account a]\n2 host=h\n"},
	{"account a\r\nhost h\r\n", "1[account a]\n2 host=h\n"},
	/* eval */
	{"account a\neval echo x\nport 25\n", "1[account a]\nrun echo x\n2 user=joe\n3 port=25\n"},
	{"eval x y\n", "run x y\n1[account default]\n1 user=joe\n"},
	{"eval \"x y\"\n", "run x y\n1[account default]\n1 user=joe\n"},
};

static void lines_become_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readable); i++)
		expect(readable[i][0], readable[i][1]);
}

static void eval_may_give_any_line(void **state)
{
	static const char *const cases[][2] = {
		{"account b : c", "run x\n1[account b : c]\n"},
		{"defaults", "run x\n1[defaults]\n"},
		{"", "run x\n"},
		{"# comment", "run x\n"},
		{"  user  \"a b\"  ", "run x\n1[account default]\n1 user=a b\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(evaluated, sizeof(evaluated), "%s", cases[i][0]);
		expect("eval x\n", cases[i][1]);
	}
	snprintf(evaluated, sizeof(evaluated), "eval y");
	expect_error("\neval x\n", 8, "rc:2: key 'eval': not allowed here");
	snprintf(evaluated, sizeof(evaluated), "bad");
	expect_error("\neval x\n", 8, "rc:2: key 'bad': refused");
}

static void eval_can_be_forbidden(void **state)
{
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(read_text("eval x\n", 7, false, &err), -1);
	assert_string_equal(err.text, "rc:1: key 'eval': not allowed here");
	assert_string_equal(events.buf, "");
}

static void errors_name_the_line(void **state)
{
	(void)state;
	expect_error("account a\nbad x\nuser y\n", 23, "rc:2: key 'bad': refused");
	assert_string_equal(events.buf, "1[account a]\n");
	expect_error("# c\n\naccount refuse\n", 20, "rc:3: refused");
	expect_error("# c\naccount a\nhost = x\n", 23, "rc:3: the line is of the ini form, but "
		     "line 2 makes this msmtp's syntax: begin the file with '[account NAME]', or "
		     "write 'key value'");
	expect_error("host a\nhost=x\n", 14, "rc:2: the line is of the ini form, but line 1 makes "
		     "this msmtp's syntax: begin the file with '[account NAME]', or write "
		     "'key value'");
	expect_error("eval\n", 5, "rc:1: key 'eval': needs a command");
	expect_error("eval \"\"\n", 8, "rc:1: key 'eval': needs a command");
	expect_error("eval false\n", 11, "rc:1: key 'eval': ended with status 1");
	expect_error("user a\0b\n", 9, "rc:1: the line holds a NUL octet");
	expect_error("\n\n\0", 3, "rc:3: the line holds a NUL octet");
}

static void long_arguments(void **state)
{
	static const size_t sizes[] = { 199, 200, 500, 4096, 65535, 65536 };
	static char text[70000], wanted[70000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int n = (int)sizes[i];

		snprintf(text, sizeof(text), "account a\nuser %0*d\nport 1\n", n, 7);
		snprintf(wanted, sizeof(wanted), "1[account a]\n2 user=%0*d\n3 port=1\n", n, 7);
		expect(text, wanted);
	}
	snprintf(text, sizeof(text), "account a\nuser %065537d\n", 7);
	expect_error(text, strlen(text), "rc:2: the argument is longer than 65536 octets");
}

static void every_octet_survives(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[40], wanted[40];

		if (c == '\n')
			continue;
		snprintf(text, sizeof(text), "account a\nuser a%cb\nport 1\n", c);
		snprintf(wanted, sizeof(wanted), "1[account a]\n2 user=a%cb\n3 port=1\n", c);
		expect(text, wanted);
	}
}

static void every_cut_is_safe(void **state)
{
	static const char text[] = "\xef\xbb\xbf# c\r\ndefaults\nport \"25\"\naccount a : b\n"
				   "eval echo x\n\"\nuser \" x\"";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct error err = { .exit = 0 };

		if (read_text(text, n, true, &err) < 0)
			assert_int_equal(strncmp(err.text, "rc:", 3), 0);
		else
			assert_int_equal(err.exit, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_become_events, setup, teardown),
		cmocka_unit_test_setup_teardown(eval_may_give_any_line, setup, teardown),
		cmocka_unit_test_setup_teardown(eval_can_be_forbidden, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_name_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(long_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(every_octet_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(every_cut_is_safe, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
