#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_parts.h"
#include "conf/listen.h"
#include "conf/settings.h"
#include "conf_scratch.h"
#include "util/arena.h"
#include "util/secret.h"
#include "util/strbuf.h"

static struct config *config;
static struct error failure;

static int setup(void **state)
{
	config = NULL;
	failure = (struct error){ .exit = 0 };
	return scratch_setup(state);
}

static int teardown(void **state)
{
	config_free(config);
	return scratch_teardown(state);
}

/* Options as "key=value" or "key", NULL at the end; 0 or -1 with failure filled. */
static int load_with(const char *file, bool no_files, const char *const *options)
{
	struct config_override override[20];
	struct config_request req = { .file = file, .no_files = no_files, .override = override };

	for (; options && *options; options++) {
		struct config_override *o = &override[req.override_n++];
		const char *equals = strchr(*options, '=');
		static char keys[20][64];
		char *key = keys[req.override_n - 1];

		snprintf(key, sizeof(keys[0]), "%.*s",
			 (int)(equals ? equals - *options : (long)strlen(*options)), *options);
		*o = (struct config_override){ .key = key, .value = equals ? equals + 1 : NULL };
	}
	config_free(config);
	config = NULL;
	return config_load(&req, &config, &failure);
}

static void load_options(const char *text, const char *const *options)
{
	if (load_with(scratch_file("rc", text, 0600), false, options) < 0)
		fail_msg("'%s': %s", text, failure.text);
}

static void load(const char *text)
{
	load_options(text, NULL);
}

/* The error of a file, without the folder in front. */
static void load_fails(const char *text, const char *wanted)
{
	if (load_with(scratch_file("rc", text, 0600), false, NULL) == 0)
		fail_msg("'%s' was taken", text);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_null(config);
	const char *at = strstr(failure.text, "/rc");

	assert_non_null(at);
	if (strcmp(at + 1, wanted) != 0)
		fail_msg("'%s': '%s' instead of '%s'", text, at + 1, wanted);
}

static const struct account *get(const char *name)
{
	const struct account *a = config_account(config, name);

	if (!a)
		fail_msg("there is no account '%s'", name);
	return a;
}

/* A setting of an account as it is printed. */
static void expect(const char *name, const char *key, const char *wanted)
{
	struct strbuf out = STRBUF_INIT(1 << 20);

	setting_print(get(name), setting_find(SCOPE_ACCOUNT, key), &out);
	if (strcmp(out.buf, wanted) != 0)
		fail_msg("%s of '%s' is '%s', not '%s'", key, name, out.buf, wanted);
	strbuf_release(&out);
}

static void expect_origin(const char *name, const char *key, const char *wanted)
{
	const char *origin = config_origin(config, get(name), key);
	const char *slash = strrchr(origin, '/');

	if (strcmp(slash ? slash + 1 : origin, wanted) != 0)
		fail_msg("%s of '%s' comes from '%s', not '%s'", key, name, origin, wanted);
}

/* --- the ini form ------------------------------------------------------------------------- */

static void sections_and_defaults(void **state)
{
	(void)state;
	load("[account work]\nhost = w.example.org\nuser = joe\n\n"
	     "[defaults]\ntls = implicit\nfrom = d@example.org\n"
	     "[account home]\nhost = h.example.org\nfrom = h@example.org\n");
	expect("work", "host", "w.example.org");
	expect("work", "tls", "implicit");	/* defaults count wherever they stand */
	expect("work", "port", "465");
	expect("work", "from", "d@example.org");
	expect("home", "from", "h@example.org");
	expect("home", "user", "");
	assert_string_equal(get("home")->name, "home");
	assert_int_equal(get("home")->line, 8);
	assert_string_equal(get("home")->file, scratch_path("rc"));
	assert_false(get("home")->classic);
	assert_ptr_equal(config_nth(config, 0), get("work"));
	assert_ptr_equal(config_nth(config, 1), get("home"));
	assert_null(config_nth(config, 2));
	assert_null(config_account(config, "Work"));
	assert_null(config_default(config));
}

static void inheritance(void **state)
{
	(void)state;
	load("[account default : top]\n"
	     "[account top : middle]\nuser = t\n"
	     "[account middle : base, extra]\nport = 26\n"
	     "[account base]\nhost = b\nport = 25\nuser = b\nfrom = b@x\n"
	     "[account extra]\nfrom = e@x\ndomain = e.x\n"
	     "[defaults]\nuser = d\ndomain = d.x\nauthzid = d\n");
	expect("default", "host", "b");
	expect("default", "user", "t");
	expect("default", "port", "26");
	expect("default", "from", "e@x");	/* of two bases the later one */
	expect("default", "domain", "e.x");
	expect("default", "authzid", "d");
	expect("extra", "host", "");
	assert_string_equal(config_default(config)->name, "default");
}

static void inheritance_takes_what_is_written_only(void **state)
{
	(void)state;
	load("[account a]\nhost = a\n[account b : a]\nqualify = off\n[account c : b, a]\n");
	expect("b", "qualify", "off");
	expect("c", "qualify", "off");	/* a says nothing of it */
}

static void loops_and_missing_bases(void **state)
{
	(void)state;
	load_fails("[account a : a]\n", "rc:1: account 'a': 'a' below it stands on it: a loop");
	load_fails("[account a : b]\n[account b : c]\n[account c : a]\n",
		   "rc:3: account 'c': 'a' below it stands on it: a loop");
	load_fails("[account x]\n[account a : b]\n[account b : b]\n",
		   "rc:3: account 'b': 'b' below it stands on it: a loop");
	load_fails("[account a : b]\n", "rc:1: account 'a': there is no account 'b'");
	load_fails("[account b]\n[account a : b, ]\n",
		   "rc:2: section 'a': a name is missing behind ':'");
	load_fails("[account a :]\n", "rc:1: section 'a': a name is missing behind ':'");
	/* two ways to the same base are no loop */
	load("[account a : b, c]\n[account b : d]\n[account c : d]\n[account d]\nhost = d\n");
	expect("a", "host", "d");
}

static void deep_and_wide_inheritance_ends(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 33; i++)
		strbuf_addf(&text, "[account a%d : a%d]\n", i, i + 1);
	strbuf_addstr(&text, "[account a33]\nhost = x\n");
	load(text.buf);
	expect("a0", "host", "x");
	strbuf_reset(&text);
	for (int i = 0; i < 40; i++)
		strbuf_addf(&text, "[account a%d : a%d]\n", i, i + 1);
	strbuf_addstr(&text, "[account a40]\nhost = x\n");
	load_fails(text.buf, "rc:34: account 'a33': 'a34' below it stands on too many others");
	strbuf_reset(&text);
	for (int i = 0; i < 30; i++)
		strbuf_addf(&text, "[account a%d : a%d, a%d]\n", i, i + 1, i + 1);
	strbuf_addstr(&text, "[account a30]\nhost = x\n");
	assert_int_equal(load_with(scratch_file("rc", text.buf, 0600), false, NULL), -1);
	assert_has(failure.text, "stands on too many others");
	strbuf_release(&text);
}

/* {text, error} */
static const char *const wrong[][2] = {
	{"host = x\n", "rc:1: key 'host': stands above any section; put '[account default]' or "
		       "'[defaults]' in front of it"},
	{"[account a]\nhots = x\n", "rc:2: key 'hots': unknown; did you mean 'host'?"},
	{"[account a]\nxyzzy = x\n", "rc:2: key 'xyzzy': unknown"},
	{"[account a]\nlisten = x\n",
	 "rc:2: key 'listen': unknown here: it belongs to a section [listen NAME]"},
	{"[listen a]\nhost = x\n",
	 "rc:2: key 'host': unknown here: it belongs to a section [account NAME]"},
	{"[listen a]\nlistn = x\n", "rc:2: key 'listn': unknown; did you mean 'listen'?"},
	{"[account a]\nport = 99999\n",
	 "rc:2: key 'port': '99999' is out of range: from 1 to 65535"},
	{"[defaults]\nport = x\n", "rc:2: key 'port': 'x' is not a number"},
	{"[account a]\n\nport = x\nhots = y\n", "rc:4: key 'hots': unknown; did you mean 'host'?"},
	{"[account a]\nport = x\nport = 25\n", "rc:2: key 'port': 'x' is not a number"},
	{"[account a]\n[account a]\n", "rc:2: account 'a' was already defined"},
	{"[account a]\n[account a : b]\n", "rc:2: account 'a' was already defined"},
	{"[listen a]\n[listen a]\n", "rc:2: listen 'a' was already defined"},
	{"[account]\n", "rc:1: 'account' needs a name without ':' and ','"},
	{"[account a,b]\n", "rc:1: 'account' needs a name without ':' and ','"},
	{"[account : b]\n", "rc:1: 'account' needs a name without ':' and ','"},
	{"[listen a : b]\n", "rc:1: 'listen' needs a name without ':' and ','"},
	{"[defaults x]\n", "rc:1: 'defaults' takes no name"},
	{"[acount a]\n", "rc:1: section 'acount a': must be [defaults], [account NAME], "
			 "[listen NAME] or [rewrite]"},
	{"[]\n", "rc:1: section '': must be [defaults], [account NAME], [listen NAME] or "
		 "[rewrite]"},
	{"[account a]\nhost x\n", "rc:2: the line is neither '[section]' nor 'key = value' "
	 "(line 1 makes this the ini form)"},
	{"[account a]\nuser = \"x\n", "rc:2: key 'user': no closing quote"},
	{"[account a]\nuser = \"x\" y\n",
	 "rc:2: key 'user': text behind the closing quote (write \\\" for a quote inside)"},
	{"[account a]\npassword = \"x\n", "rc:2: key 'password': no closing quote"},
	{"[account a]\nuser = \"a\\nb\"\n", "rc:2: key 'user': the value holds a line end"},
	{"[account a]\npassword_command = a 'b\n",
	 "rc:2: key 'password_command': no closing quote"},
	{"[account a]\ntls = onn\n",
	 "rc:2: key 'tls': 'onn' is not one of auto, starttls, implicit, may, off, on"},
	{"[account a]\nhost = h\nport = 25\nprotocol = lmtp\n",
	 "rc:1: account 'a': LMTP must not be spoken on port 25 (RFC 2033)"},
	{"[account a]\nhost = ${MSUBMIT_TEST_UNSET}x\n",
	 "rc:2: key 'host': environment variable 'MSUBMIT_TEST_UNSET' is not set"},
	{"[account a]\nhost = ${}\n", "rc:2: key 'host': '${' begins no variable '${NAME}' (write "
				      "'$${' for the text itself)"},
	{"[account a]\nhost = ${a\n", "rc:2: key 'host': '${' begins no variable '${NAME}' (write "
				      "'$${' for the text itself)"},
	{"[account a]\npassword_command = x ${1A}\n",
	 "rc:2: key 'password_command': '${' begins no variable '${NAME}' (write "
	 "'$${' for the text itself)"},
	{"[listen a]\nmax_rcpt = 0\n",
	 "rc:2: key 'max_rcpt': '0' is out of range: from 1 to 1000000"},
	{"account a\ndefaults\nport x\naccount b\n", "rc:3: key 'port': 'x' is not a number"},
	{"account a\ndefaults\nport x\n", "rc:3: key 'port': 'x' is not a number"},
	{"account a\nprotocol lmtp\nhost h\nport 25\n",
	 "rc:1: account 'a': LMTP must not be spoken on port 25 (RFC 2033)"},
	{"account a\nhots x\n", "rc:2: key 'hots': unknown; did you mean 'host'?"},
	{"account a : b\n", "rc:1: account 'b' is not defined above"},
	{"account a : a\n", "rc:1: account 'a' is not defined above"},
	{"account a\naccount a\n", "rc:2: account 'a' was already defined"},
	{"host x\naccount default\n", "rc:2: account 'default' was already defined"},
	{"account a\nport smtp\n", "rc:2: key 'port': 'smtp' is not a number"},
	{"account a\ntimeout\n",
	 "rc:2: key 'timeout': '' is not a number of seconds, or like 5m, 1h, 2d"},
	{"account a\neval exit 3\n", "rc:2: key 'eval': command '/bin/sh' ended with status 3"},
};

static void errors_name_file_line_and_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		load_fails(wrong[i][0], wrong[i][1]);
}

static void secrets_are_not_in_errors(void **state)
{
	(void)state;
	load_fails("[account a]\npassword = \"hunter2\n", "rc:2: key 'password': no closing quote");
	assert_lacks(failure.text, "hunter2");
}

static void values_of_the_ini_form(void **state)
{
	static const char *const cases[][2] = {
		{ "a ; b", "a ; b" }, { "a # b", "a # b" }, { "#a", "#a" }, { "\"a b \"", "a b " },
		{ "\"a\\\"b\\\\\"", "a\"b\\" }, { "a\"b", "a\"b" }, { "'a'", "'a'" },
		{ "a\\nb", "a\\nb" }, { "$x", "$x" }, { "${x", "${x" }, { "${HOME}", "${HOME}" },
		{ "p=q", "p=q" }, { "\xe4\xff", "\xe4\xff" }, { "\"\\xe4\\n\\r\"", "\xe4\n\r" },
		{ "abcd efgh ijkl mnop", "abcd efgh ijkl mnop" }, { "%U%H", "%U%H" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[200];

		snprintf(text, sizeof(text), "[account a]\npassword = %s\n", cases[i][0]);
		load(text);
		assert_string_equal(get("a")->auth.password.data, cases[i][1]);
	}
}

static void secrets_of_any_octets_and_length(void **state)
{
	static char text[70000], all[300];
	size_t n = 0;

	(void)state;
	for (int c = 1; c < 256; c++) {
		if (c != '\n' && c != '\r')
			all[n++] = (char)c;
	}
	snprintf(text, sizeof(text), "[account a]\npassword = x%sx\n", all);
	load(text);
	assert_int_equal(get("a")->auth.password.len, 255);
	assert_memory_equal(get("a")->auth.password.data + 1, all, 253);
	snprintf(text, sizeof(text), "account a\npassword x%sx\n", all);
	load(text);
	assert_memory_equal(get("a")->auth.password.data + 1, all, 253);
	snprintf(text, sizeof(text), "[account a]\noauth_token = %065536d\nhost = h\n", 7);
	load(text);
	assert_int_equal(get("a")->auth.token.len, 65536);
	expect("a", "host", "h");
}

static void variables_are_expanded(void **state)
{
	(void)state;
	setenv("E_HOST", "mail.example.org", 1);
	setenv("E_EMPTY", "", 1);
	setenv("E_TWO", "x y", 1);
	load("[account a]\nhost = ${E_HOST}:26\nuser = a${E_EMPTY}b$${E_HOST}\n"
	     "password = ${E_HOST}\npasswordeval = echo ${E_HOST}\n"
	     "password_command = get ${E_TWO} '${E_HOST}'\nfrom = \"${E_HOST}\", b@${E_HOST}\n");
	expect("a", "host", "mail.example.org");
	expect("a", "port", "26");
	expect("a", "user", "ab${E_HOST}");
	assert_string_equal(get("a")->auth.password.data, "${E_HOST}");
	expect("a", "passwordeval", "echo ${E_HOST}");
	expect("a", "password_command", "get \"x y\" mail.example.org");
	/* msmtp knows no variables */
	load("account a\nuser ${E_HOST}\n");
	expect("a", "user", "${E_HOST}");
}

static void keys_in_any_order_within_a_section(void **state)
{
	(void)state;
	load("[account a]\nconnect_timeout = 5\ntimeout = 60\n[account b]\ntimeout = 60\n"
	     "connect_timeout = 5\n[account c]\nport = 26\nhost = x:587\n"
	     "[account d]\ntls_starttls = off\ntls = on\n"
	     "[account e : a]\ntimeout = 7\n");
	expect("a", "connect_timeout", "5");
	expect("a", "mail_timeout", "60");
	expect("b", "connect_timeout", "5");
	expect("c", "port", "26");
	expect("d", "tls", "implicit");
	expect("e", "connect_timeout", "7");	/* nearer to the account than a's */
}

static void a_nearer_password_replaces_the_farther(void **state)
{
	(void)state;
	load("[defaults]\noauth_token = t\n[account a]\n[account b : a]\n");
	assert_string_equal(get("b")->auth.token.data, "t");
	load("[defaults]\npassword = x\n[account a]\npasswordeval = echo y\n"
	     "[account b : a]\npassword_file = /z\n[account c]\nuser = u\n"
	     "[account d]\nnetrc = /n\n");
	assert_false(secret_is_set(&get("a")->auth.password));
	expect("a", "passwordeval", "echo y");
	expect("b", "passwordeval", "");
	expect("b", "password_file", "/z");
	expect("c", "password", "(hidden)");
	expect("d", "password", "(hidden)");
	load_options("[account a]\npassword = x\n", (const char *const[]){"passwordeval=y", NULL});
	assert_false(secret_is_set(&get("a")->auth.password));
}

static void quotes_of_lists_and_commands(void **state)
{
	(void)state;
	load("[account a]\nfrom = \"a b\"@x, c@d\npassword_command = \"my prog\" \"a b\" c\n"
	     "passwordeval = \"my prog\" | head\n[account b]\nfrom = \"a@b, c@d\"\n"
	     "password_command = \"get \\\"a b\\\" c\"\npasswordeval = \"echo \\\"x\\\" | head\"\n"
	     "[account c]\npassword_command = \"'my prog'\"\n");
	assert_string_equal(get("a")->from[0], "\"a b\"@x");
	assert_string_equal(get("a")->from[1], "c@d");
	assert_string_equal(get("a")->auth.password_command[0], "my prog");
	assert_string_equal(get("a")->auth.password_command[1], "a b");
	expect("a", "passwordeval", "\"\\\"my prog\\\" | head\"");
	assert_string_equal(get("b")->from[1], "c@d");
	assert_string_equal(get("b")->auth.password_command[0], "get");
	assert_string_equal(get("b")->auth.password_command[1], "a b");
	assert_string_equal(get("b")->auth.password_command[2], "c");
	assert_string_equal(get("b")->auth.passwordeval, "echo \"x\" | head");
	assert_string_equal(get("c")->auth.password_command[0], "my prog");
	assert_null(get("c")->auth.password_command[1]);
	/* what is printed means the same again */
	expect("b", "password_command", "get \"a b\" c");
	expect("c", "password_command", "\"\\\"my prog\\\"\"");
}

static void the_only_account_is_the_default(void **state)
{
	(void)state;
	load("[account work]\nhost = w\n");
	assert_string_equal(config_default(config)->name, "work");
	load("[account work]\nhost = w\n[account default]\nhost = d\n");
	assert_string_equal(config_default(config)->host, "d");
	load("# nothing\n");
	assert_null(config_default(config));
	load("");
	assert_null(config_nth(config, 0));
}

static void aliases_only_where_they_are(void **state)
{
	(void)state;
	load("[account a]\nhost = h\n[account b]\naliases = /nowhere/aliases\n"
	     "[account c]\naliases =\n");
	if (access("/etc/aliases", F_OK) == 0)
		expect("a", "aliases", "/etc/aliases");
	else
		assert_null(get("a")->aliases);
	expect("b", "aliases", "/nowhere/aliases");	/* named: missing is an error later */
	assert_null(get("c")->aliases);
}

/* --- msmtp's syntax -------------------------------------------------------------------------- */

static void classic_file(void **state)
{
	(void)state;
	load("# comment\ndefaults\nport 587\ntls on\naccount freemail\nhost smtp.freemail.example\n"
	     "from joe_smith@freemail.example\nauth on\nuser joe.smith\n"
	     "passwordeval gpg2 --no-tty -q -d ~/.msmtp-password.gpg\n"
	     "account freemail2 : freemail\nfrom joey@freemail.example\n"
	     "account isp\nhost mail.isp.example\nfrom smithjoe@isp.example\nauth on\nuser 12345\n"
	     "account default : freemail\n");
	expect("default", "host", "smtp.freemail.example");
	expect("default", "port", "587");
	expect("default", "tls", "starttls");
	expect("default", "auth", "on");
	expect("freemail2", "from", "joey@freemail.example");
	expect("freemail2", "passwordeval", "gpg2 --no-tty -q -d ~/.msmtp-password.gpg");
	expect("isp", "user", "12345");
	expect("isp", "domain", "localhost");
	expect("isp", "passwordeval", "");
	assert_true(get("isp")->classic);
	assert_int_equal(get("isp")->timeouts.total, 0);
	assert_int_equal(get("isp")->syslog, -1);
	assert_null(get("isp")->aliases);
}

static void classic_system_file(void **state)
{
	(void)state;
	setenv("USER", "joe", 1);
	load("account default\nhost mail.oursite.example\nport 465\ntls on\ntls_starttls off\n"
	     "from %U@oursite.example\nallow_from_override off\nset_from_header on\nsyslog "
	     "LOG_MAIL\n");
	expect("default", "tls", "implicit");
	expect("default", "from", "joe@oursite.example");
	expect("default", "from_override", "no");
	expect("default", "set_from_header", "on");
	expect("default", "syslog", "LOG_MAIL");
}

static void classic_defaults_count_from_where_they_stand(void **state)
{
	(void)state;
	load("account a\nhost a\ndefaults\nport 26\nuser d\naccount b\nhost b\n"
	     "defaults\nport 27\naccount c : a\naccount d : b\n");
	expect("a", "port", "25");
	expect("a", "user", "");
	expect("b", "port", "26");
	expect("b", "user", "d");
	expect("c", "port", "27");
	expect("c", "host", "a");
	expect("d", "port", "27");	/* b only had it by default */
	expect_origin("a", "port", "default");
	expect_origin("b", "port", "rc:4");
	expect_origin("c", "port", "rc:9");
	expect_origin("c", "user", "rc:5");
}

static void classic_without_account(void **state)
{
	(void)state;
	load("host h\nfrom a@b\n");
	expect("default", "host", "h");
	assert_int_equal(get("default")->line, 1);
}

static void classic_values(void **state)
{
	(void)state;
	load("account a\nhost h\nuser \" a\\\"b \"\npassword \"x\"\ntls\nauth\nsyslog\n"
	     "undisclosed_recipients\nkeepbcc\nset_from_header\nlogfile ~/log\ntls_trust_file\n"
	     "tls_nocertcheck\npassword_command \"a b\" c\nTLS_STARTTLS OFF\n");
	expect("a", "user", "\" a\\\\\\\"b \"");
	assert_string_equal(get("a")->auth.password.data, "x");
	expect("a", "tls", "implicit");
	expect("a", "auth", "on");
	expect("a", "syslog", "LOG_USER");
	expect("a", "undisclosed_recipients", "on");
	expect("a", "remove_bcc_headers", "off");
	expect("a", "set_from_header", "auto");
	expect("a", "logfile", scratch_path("log"));
	expect("a", "tls_trust_file", "");
	expect("a", "tls_certcheck", "off");
	assert_string_equal(get("a")->auth.password_command[0], "a b");
}

static void classic_eval(void **state)
{
	(void)state;
	load("account a\neval echo host mail.example.org; echo port 99\neval printf 'user joe'\n");
	expect("a", "host", "mail.example.org");
	expect("a", "user", "joe");
	expect("a", "port", "25");
	load_fails("account a\neval printf 'user a\\0b'\n",
		   "rc:2: key 'eval': the command prints a NUL octet");
	load_fails("account a\neval echo eval echo x\n", "rc:2: key 'eval': not allowed here");
	load_fails("account a\neval true\nhots x\n",
		   "rc:3: key 'hots': unknown; did you mean 'host'?");
}

static void ports(void **state)
{
	static const struct {
		const char *text;
		unsigned port;
	} cases[] = {
		{ "[account a]\nhost = h\n", 587 }, { "[account a]\ntls = implicit\n", 465 },
		{ "[account a]\ntls = off\n", 587 }, { "[account a]\nprotocol = lmtp\n", 24 },
		{ "[account a]\nprotocol = lmtp\nhost = h:2003\n", 2003 },
		{ "[account a]\nhost = [::1]:25\n", 25 }, { "account a\nhost h\n", 25 },
		{ "account a\ntls on\n", 25 }, { "account a\ntls on\ntls_starttls off\n", 465 },
		{ "account a\ntls_starttls off\n", 25 }, { "account a\nprotocol lmtp\n", 24 },
		{ "account a\nport 26\n", 26 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		load(cases[i].text);
		if (account_port(get("a")) != cases[i].port)
			fail_msg("'%s': port %u", cases[i].text, account_port(get("a")));
	}
}

static void patterns_of_msmtp(void **state)
{
	(void)state;
	setenv("USER", "joe", 1);
	setenv("HOSTNAME", "box.example.org", 1);
	load("account a\nfrom x%Uy@%H%%q%\ndomain %H\naccount b\nfrom *@x\ndomain a%b\n");
	expect("a", "from", "xjoey@box.example.org%%q%");
	expect("a", "domain", "box.example.org");
	expect("b", "from", "*@x");
	expect("b", "domain", "a%b");
	load("[account a]\nfrom = %U@x, *@%H\n");
	expect("a", "from", "joe@x, *@box.example.org");
	unsetenv("USER");
	setenv("LOGNAME", "jane", 1);
	load("account a\nauto_from on\nmaildomain x.y\naccount b\nauto_from\nfrom z@z\n");
	expect("a", "from", "jane@x.y");
	expect("b", "from", "jane");
	setenv("LOGNAME", "ja\nne", 1);
	load_fails("account a\ndomain %U\n",
		   "rc:1: key 'domain': '%U' cannot be replaced: control characters");
	load_fails("account a\nfrom %U@x\n",
		   "rc:1: key 'from': '%U' cannot be replaced: control characters");
	if (access("/etc/mailname", R_OK) == 0) {
		load("account a\nfrom x@%M\n");
		assert_true(strlen(get("a")->from[0]) > 2 && !strchr(get("a")->from[0], '%'));
	} else {
		load_fails("account a\nfrom x@%M\n", "rc:1: key 'from': '%M' cannot be replaced: "
			   "no name in /etc/mailname");
	}
	unsetenv("HOSTNAME");
	load("account a\ndomain %H\naccount b\ndomain %C\n");
	assert_true(strlen(get("a")->domain) > 0 && !strchr(get("a")->domain, '%'));
	assert_true(strlen(get("b")->domain) > 0 && !strchr(get("b")->domain, '%'));
	setenv("USER", "joe", 1);
}

/* --- secrets and modes ----------------------------------------------------------------------- */

static const struct {
	const char *text;
	mode_t mode;
	const char *error;	/* NULL = taken */
} modes[] = {
	{ "[account a]\nhost = h\n", 0644, NULL }, { "[account a]\nhost = h\n", 0664, NULL },
	{ "[account a]\nhost = h\n", 0666, "run 'chmod o-w" },
	{ "[account a]\npassword = hunter2\n", 0600, NULL },
	{ "[account a]\npassword = hunter2\n", 0400, NULL },
	{ "[account a]\npassword = hunter2\n", 0604, "run 'chmod 600" },
	{ "[account a]\npassword = hunter2\n", 0604, "run 'chmod 600" },
	{ "[account a]\npassword = hunter2\n", 0620, "run 'chmod 600" },
	{ "[account a]\noauth_token = hunter2\n", 0644, "run 'chmod 600" },
	{ "[defaults]\npassword = hunter2\n", 0644, "run 'chmod 600" },
	{ "[account a]\npassword =\n", 0644, NULL },
	{ "[account a]\npassword_file = x\npasswordeval = y\n", 0644, NULL },
	{ "account a\npassword hunter2\n", 0644, "run 'chmod 600" },
	{ "account a\neval echo password hunter2\n", 0644, "run 'chmod 600" },
	{ "account a\npassword\n", 0644, NULL },
};

static void files_with_secrets_must_be_private(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		int rc = load_with(scratch_file("rc", modes[i].text, modes[i].mode), false, NULL);

		if ((rc < 0) != (modes[i].error != NULL))
			fail_msg("'%s' mode %o: %d %s", modes[i].text, (unsigned)modes[i].mode, rc,
				 failure.text);
		if (rc < 0) {
			assert_int_equal(failure.exit, EX_CONFIG);
			assert_has(failure.text, modes[i].error);
			assert_has(failure.text, scratch_path("rc"));
			assert_lacks(failure.text, "hunter2");
		}
	}
}

/* What -C names when the program is called as sendmail. */
static void only_files_of_root(void **state)
{
	const char *path = scratch_file("rc", "[account a]\n", 0644);
	struct config_request req = { .file = path, .as_sendmail = true };

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(config_load(&req, &config, &failure), -1);
		assert_int_equal(failure.exit, EX_USAGE);
		assert_has(failure.text, "not below /etc");
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	assert_int_equal(config_load(&req, &config, &failure), -1);
	assert_int_equal(failure.exit, EX_USAGE);
	assert_has(failure.text, path);
	assert_has(failure.text, "not root's");
	req.as_sendmail = false;
	assert_int_equal(config_load(&req, &config, &failure), 0);
}

/* What it holds is not for whoever calls sendmail. */
static void nothing_of_a_file_is_shown(void **state)
{
	struct config_request req = { .file = "/etc/passwd", .as_sendmail = true };

	(void)state;
	assert_int_equal(config_load(&req, &config, &failure), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, "/etc/passwd: no configuration that can be used");
	assert_lacks(failure.text, "root:");
	req.as_sendmail = false;
	assert_int_equal(config_load(&req, &config, &failure), -1);
	assert_has(failure.text, "/etc/passwd:1: ");
}

/* Whoever may write what root reads unasked is root. */
static void what_root_finds(void **state)
{
	static const struct { uid_t owner; mode_t mode; const char *error; } files[] = {
		{ 0, 0644, NULL }, { 65534, 0644, "belongs to user 65534" },
		{ 0, 0664, "can be changed by others" },
	};
	const char *path = scratch_file(".msmtprc", "[account a]\n", 0644);
	struct config_request req = { .file = NULL };

	(void)state;
	if (geteuid() != 0)
		skip();
	setenv("HOME", scratch, 1);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		assert_int_equal(chown(path, files[i].owner, 0), 0);
		assert_int_equal(chmod(path, files[i].mode), 0);
		assert_int_equal(config_load(&req, &config, &failure), files[i].error ? -1 : 0);
		if (files[i].error)
			assert_has(failure.text, files[i].error);
		config_free(config);
		config = NULL;
	}
	/* a home that sudo has kept */
	assert_int_equal(chown(scratch, 65534, 0), 0);
	int rc = config_load(&req, &config, &failure);

	assert_int_equal(chown(scratch, 0, 0), 0);
	assert_int_equal(rc, 0);
	assert_null(config_account(config, "a"));
	assert_non_null(strstr(config_searched(config), "/root/.msmtprc"));
}

static void files_that_cannot_be_read(void **state)
{
	(void)state;
	assert_int_equal(load_with(scratch_path("none"), false, NULL), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, "none: No such file or directory");
	assert_int_equal(load_with(scratch, false, NULL), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_int_equal(load_with("/dev/zero", false, NULL), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, "larger than");
	assert_int_equal(load_with(scratch_bytes("rc", "[account a]\nuser = a\0b\n", 23, 0600),
				   false, NULL), -1);
	assert_has(failure.text, "rc:2: the line holds a NUL octet");
}

/* --- where files are looked for ------------------------------------------------------------------
 */

static bool system_file(void)
{
	return access(SYSCONFDIR "/msmtprc", F_OK) == 0;
}

static void user_files(void **state)
{

	(void)state;
	assert_int_equal(mkdir(scratch_path(".config"), 0700), 0);
	assert_int_equal(mkdir(scratch_path(".config/msmtp"), 0700), 0);
	assert_int_equal(mkdir(scratch_path("xdg"), 0700), 0);
	assert_int_equal(mkdir(scratch_path("xdg/msmtp"), 0700), 0);
	scratch_file("xdg/msmtp/config", "account x\nhost x\n", 0600);
	scratch_file(".config/msmtp/config", "account c\nhost c\n", 0600);
	assert_int_equal(load_with(NULL, false, NULL), 0);
	expect("c", "host", "c");
	setenv("XDG_CONFIG_HOME", scratch_path("xdg"), 1);
	assert_int_equal(load_with(NULL, false, NULL), 0);
	expect("x", "host", "x");
	assert_null(config_account(config, "c"));
	scratch_file(".msmtprc", "account r\nhost r\n", 0600);
	assert_int_equal(load_with(NULL, false, NULL), 0);
	expect("r", "host", "r");
	assert_null(config_account(config, "x"));
	assert_has(config_searched(config), "/.msmtprc (read)");
	assert_lacks(config_searched(config), "xdg");
	assert_int_equal(load_with("~/.config/msmtp/config", false, NULL), 0);
	expect("c", "host", "c");
}

static void places_are_told(void **state)
{
	(void)state;
	if (system_file())
		skip();
	assert_int_equal(load_with(NULL, false, NULL), 0);
	assert_has(config_searched(config), "/.msmtprc (No such file or directory), ");
	assert_has(config_searched(config), "/.config/msmtp/config (No such file or directory), "
		   SYSCONFDIR "/msmtprc (No such file or directory)");
	assert_null(config_nth(config, 0));
	assert_null(config_default(config));
	scratch_file(".msmtprc", "account r\nhost r\n", 0600);
	if (geteuid() != 0) {
		assert_int_equal(chmod(scratch_path(".msmtprc"), 0), 0);
		assert_int_equal(load_with(NULL, false, NULL), 0);
		assert_has(config_searched(config), ".msmtprc (Permission denied)");
	}
}

/* Two files without touching /etc: as the search would have read them. */
static int two_files(const char *user, const char *system)
{
	const char *const texts[] = { user, system }, *const names[] = { "user", "system" };
	struct config_request none = { .no_files = true };

	config_free(config);
	config = NULL;
	assert_int_equal(config_load(&none, &config, &failure), 0);
	for (size_t i = 0; i < 2; i++) {
		config->reading_system = i == 1;

		struct config_file *f = config_file_add(config, names[i], ORIGIN_FILE);

		if (config_text_read(config, f, texts[i], strlen(texts[i]), &failure) < 0)
			return -1;
	}
	return config_resolve(config, &failure);
}

static void user_accounts_come_before_system_accounts(void **state)
{
	(void)state;
	assert_int_equal(
		two_files("[defaults]\nport = 26\n[account b]\nhost = ub\n",
			  "account a\nhost sa\naccount b\nhost sb\naccount default\nhost sd\n"),
		0);
	assert_string_equal(config_nth(config, 0)->host, "ub");
	assert_string_equal(config_nth(config, 1)->host, "sa");
	assert_string_equal(config_nth(config, 2)->host, "sd");
	assert_null(config_nth(config, 3));
	expect("b", "port", "26");
	expect("a", "port", "25");	/* a file's defaults are for that file */
	assert_string_equal(config_default(config)->host, "sd");
	assert_string_equal(config_default(config)->file, "system");
}

static void user_accounts_on_system_accounts(void **state)
{
	(void)state;
	assert_int_equal(two_files("[account mine : site]\nuser = u\n[account default : site]\n",
				   "[account site]\nhost = s\nuser = s\npassword = secret\n"), 0);
	expect("mine", "host", "s");
	expect("mine", "user", "u");
	expect("mine", "password", "");		/* secrets stay in their file */
	expect("default", "user", "s");
	expect_origin("mine", "host", "system:2");
	expect_origin("mine", "user", "user:2");
	/* the other way there is none */
	assert_int_equal(two_files("[account a]\n", "[account b : a]\n"), -1);
	assert_string_equal(failure.text, "system:1: account 'b': there is no account 'a'");
	assert_int_equal(two_files("[account b : a]\n[account a]\nhost = u\n",
				   "[account a]\nhost = s\n"), 0);
	expect("b", "host", "u");
}

/* --- options and environment ---------------------------------------------------------------------
 */

static void options_come_last(void **state)
{
	(void)state;
	load_options("[account a]\nhost = a\nport = 25\n[account b]\nhost = b\n",
		     (const char *const[]){ "port=2525", "tls-certcheck=off", "tls", NULL });
	expect("a", "port", "2525");
	expect("b", "port", "2525");
	expect("b", "tls_certcheck", "off");
	expect("a", "tls", "starttls");
	expect_origin("a", "port", "option");
	expect_origin("a", "host", "rc:2");
	expect_origin("a", "user", "default");
	load_options("[account a]\nhost = a:587\n", (const char *const[]){ "port=26", NULL });
	expect("a", "port", "26");
	load_options("[account a]\nuser = x\n", (const char *const[]){ "user=", NULL });
	expect("a", "user", "");
	load_options("[account a]\nuser = x\n", (const char *const[]){ "user=\"${HOME}\"", NULL });
	assert_string_equal(get("a")->auth.user, "\"${HOME}\"");	/* the shell's business */
}

static void wrong_options(void **state)
{
	static const char *const cases[][2] = {
		{ "port=x", "command line: key 'port': 'x' is not a number" },
		{ "hots=x", "command line: key 'hots': unknown; did you mean 'host'?" },
		{ "password=x", "command line: key 'password': not on the command line" },
		{ "oauth_token=x", "command line: key 'oauth_token': not on the command line" },
		{ "proxy=socks5://joe:secret@h", "command line: key 'proxy': not on the command" },
		{ "allow_users=joe", "command line: key 'allow_users': only in a configuration" },
		{ "max_clients=0", "command line: key 'max_clients': '0' is out of range" },
		{ "qualify=maybe", "command line: key 'qualify': 'maybe' is not one of on, off" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const options[] = { "host=h", cases[i][0], NULL };

		assert_int_equal(load_with(NULL, true, options), -1);
		assert_int_equal(failure.exit, EX_USAGE);
		assert_has(failure.text, cases[i][1]);
	}
}

static void options_alone_make_an_account(void **state)
{
	(void)state;
	scratch_file(".msmtprc", "account default\nhost file\nuser u\n", 0600);
	assert_int_equal(load_with(NULL, true, (const char *const[]){ "host=h:26", NULL }), 0);
	expect("default", "host", "h");
	expect("default", "port", "26");
	expect("default", "user", "");
	expect_origin("default", "host", "option");
	expect_origin("default", "port", "option");
	assert_null(get("default")->file);
	assert_int_equal(load_with(NULL, true, (const char *const[]){ "socket=/s", NULL }), 0);
	assert_string_equal(config_default(config)->socket, "/s");
	assert_int_equal(load_with(NULL, true, (const char *const[]){ "user=u", NULL }), 0);
	assert_null(config_default(config));
	/* a file without accounts still gives its defaults */
	load_options("[defaults]\nuser = d\n", (const char *const[]){ "host=h", NULL });
	expect("default", "user", "d");
	load_options("[account a]\n", (const char *const[]){ "host=h", NULL });
	assert_null(config_account(config, "default"));
	expect("a", "host", "h");
}

static void environment_makes_an_account(void **state)
{
	(void)state;
	if (system_file())
		skip();
	setenv("MSUBMIT_HOST", "mail.example.org", 1);
	setenv("MSUBMIT_PORT", "26", 1);
	setenv("MSUBMIT_PASSWORD_FILE", "~/pw", 1);
	setenv("MSUBMIT_USER", "\"${HOME}\"", 1);
	setenv("MSUBMIT_FROM", "a@b, *@c", 1);
	setenv("MSUBMIT_LISTEN", "127.0.0.1:0", 1);
	assert_int_equal(load_with(NULL, false, (const char *const[]){ "port=27", NULL }), 0);
	expect("default", "host", "mail.example.org");
	expect("default", "port", "27");
	expect("default", "password_file", scratch_path("pw"));
	assert_string_equal(get("default")->auth.user, "\"${HOME}\"");
	assert_string_equal(get("default")->from[1], "*@c");
	expect_origin("default", "host", "environment");
	expect_origin("default", "port", "option");
	expect_origin("default", "tls", "default");
	assert_null(get("default")->file);
	assert_string_equal(config_listen(config, NULL)->listen, "127.0.0.1:0");
	/* not beside a file, nor beside --host */
	scratch_file(".msmtprc", "account a\nuser f\n", 0600);
	assert_int_equal(load_with(NULL, false, NULL), 0);
	assert_null(config_account(config, "default"));
	unlink(scratch_path(".msmtprc"));
	assert_int_equal(load_with(NULL, true, (const char *const[]){ "host=h", NULL }), 0);
	expect("default", "port", "587");
}

static uid_t lent;	/* by how much the effective user is another */

uid_t geteuid(void)
{
	return (uid_t)syscall(SYS_geteuid) + lent;
}

/* A program that runs with another's rights is not configured by who called it. */
static void environment_of_another(void **state)
{
	(void)state;
	if (system_file())
		skip();
	setenv("MSUBMIT_HOST", "mail.example.org", 1);
	lent = 1;
	assert_int_equal(load_with(NULL, false, NULL), 0);
	lent = 0;
	assert_null(config_default(config));
	assert_int_equal(load_with(NULL, false, NULL), 0);
	assert_non_null(config_default(config));
	unsetenv("MSUBMIT_HOST");
}

static void wrong_environment(void **state)
{
	(void)state;
	if (system_file())
		skip();
	setenv("MSUBMIT_USER", "joe", 1);
	assert_int_equal(load_with(NULL, false, NULL), 0);
	assert_null(config_default(config));
	assert_has(config_searched(config), "environment (MSUBMIT_HOST unset)");
	assert_int_equal(load_with(NULL, false, (const char *const[]){ "host=h", NULL }), 0);
	expect("default", "user", "joe");
	setenv("MSUBMIT_HOSTT", "h", 1);
	assert_int_equal(load_with(NULL, false, NULL), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_string_equal(failure.text, "environment: MSUBMIT_HOSTT: unknown variable; did you "
			    "mean MSUBMIT_HOST?");
	unsetenv("MSUBMIT_HOSTT");
	setenv("MSUBMIT_PORT", "x", 1);
	setenv("MSUBMIT_HOST", "h", 1);
	assert_int_equal(load_with(NULL, false, NULL), -1);
	assert_string_equal(failure.text, "environment: key 'port': 'x' is not a number");
	setenv("MSUBMIT_PORT", "25", 1);
	setenv("MSUBMIT_PASSWORD", "hunter2", 1);
	assert_int_equal(load_with(NULL, false, NULL), 0);
	assert_string_equal(get("default")->auth.password.data, "hunter2");
	setenv("MSUBMIT_", "x", 1);
	assert_int_equal(load_with(NULL, false, NULL), -1);
	assert_has(failure.text, "MSUBMIT_: unknown variable");
}

static void origins(void **state)
{
	(void)state;
	load("[defaults]\nuser = d\nfrom = a@b\n[account base]\nhost = h:26\ntimeout = 5\n"
	     "[account a : base]\nfrom = c@d\nallow_from_override = off\nmail_timeout = 6\n");
	expect_origin("a", "user", "rc:2");
	expect_origin("a", "host", "rc:5");
	expect_origin("a", "port", "rc:5");
	expect_origin("a", "from", "rc:8");
	expect_origin("a", "from_override", "rc:9");
	expect_origin("a", "connect_timeout", "rc:6");
	expect_origin("a", "mail_timeout", "rc:10");
	expect_origin("a", "quit_timeout", "default");
	expect_origin("a", "total_timeout", "default");
	expect_origin("a", "nonsense", "default");
	expect_origin("base", "from", "rc:3");
	load("[account a]\nmail_timeout = 6\ntimeout = 5\n");
	expect_origin("a", "mail_timeout", "rc:2");
	expect_origin("a", "rcpt_timeout", "rc:3");
	struct account stranger = { .name = "x" };

	assert_string_equal(config_origin(config, &stranger, "host"), "default");
}

/* --- listeners
 * ------------------------------------------------------------------------------------- */

static void listeners(void **state)
{
	(void)state;
	load("[account a]\nhost = h\n[listen one]\nlisten = 127.0.0.1:1\nstrict = off\n"
	     "[listen two]\ndeliver = maildir:/m ; x\n");
	assert_string_equal(config_listen(config, NULL)->name, "one");
	assert_false(config_listen(config, "one")->strict);
	assert_string_equal(config_listen(config, "two")->deliver, "maildir:/m ; x");
	assert_string_equal(config_listen(config, "two")->listen, "127.0.0.1:2525");
	assert_null(config_listen(config, "three"));
	load_options("[listen one]\nmax_rcpt = 5\n",
		     (const char *const[]){ "listen=127.0.0.1:0", "host=h", NULL });
	assert_string_equal(config_listen(config, NULL)->listen, "127.0.0.1:0");
	assert_int_equal(config_listen(config, NULL)->max_rcpt, 5);
	expect("default", "host", "h");
	load("[account a]\n");
	assert_string_equal(config_listen(config, NULL)->listen, "127.0.0.1:2525");
	assert_null(config_listen(config, "default"));
	load_options("[account a]\n", (const char *const[]){ "deliver=maildir:/x", NULL });
	assert_string_equal(config_listen(config, NULL)->deliver, "maildir:/x");
}

static void too_many_sections(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 22);

	(void)state;
	for (int i = 0; i < 10001; i++)
		strbuf_addf(&text, "[account a%d]\n", i);
	load_fails(text.buf, "rc:10001: more than 10000 sections");
	strbuf_release(&text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sections_and_defaults), CASE(inheritance),
		CASE(inheritance_takes_what_is_written_only), CASE(loops_and_missing_bases),
		CASE(deep_and_wide_inheritance_ends), CASE(errors_name_file_line_and_key),
		CASE(secrets_are_not_in_errors), CASE(values_of_the_ini_form),
		CASE(secrets_of_any_octets_and_length), CASE(variables_are_expanded),
		CASE(keys_in_any_order_within_a_section),
		CASE(a_nearer_password_replaces_the_farther), CASE(quotes_of_lists_and_commands),
		CASE(the_only_account_is_the_default), CASE(aliases_only_where_they_are),
		CASE(classic_file), CASE(classic_system_file),
		CASE(classic_defaults_count_from_where_they_stand), CASE(classic_without_account),
		CASE(classic_values), CASE(classic_eval), CASE(ports), CASE(patterns_of_msmtp),
		CASE(files_with_secrets_must_be_private), CASE(only_files_of_root),
		CASE(nothing_of_a_file_is_shown), CASE(what_root_finds),
		CASE(files_that_cannot_be_read),
		CASE(user_files), CASE(places_are_told),
		CASE(user_accounts_come_before_system_accounts),
		CASE(user_accounts_on_system_accounts), CASE(options_come_last),
		CASE(wrong_options), CASE(options_alone_make_an_account),
		CASE(environment_makes_an_account), CASE(environment_of_another),
		CASE(wrong_environment), CASE(origins),
		CASE(listeners), CASE(too_many_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
