#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_parts.h"
#include "conf/settings.h"
#include "conf_scratch.h"
#include "util/secret.h"
#include "util/strbuf.h"

/* Configurations of several files: include, msmtprc.d, inherit, "@PATH". */

static struct config *config;
static struct error failure;

static int setup(void **state)
{
	config = NULL;
	failure = (struct error){ .exit = 0 };
	if (scratch_setup(state) < 0)
		return -1;
	assert_int_equal(mkdir(scratch_path("d"), 0700), 0);
	return 0;
}

static int teardown(void **state)
{
	config_free(config);
	return scratch_teardown(state);
}

static int try(const char *text)
{
	struct config_request req = { .file = scratch_file("rc", text, 0600) };

	config_free(config);
	config = NULL;
	return config_load(&req, &config, &failure);
}

static void load(const char *text)
{
	if (try(text) < 0)
		fail_msg("'%s': %s", text, failure.text);
}

/* The error without the scratch folder, wherever it stands in the text. */
static void load_fails(const char *text, const char *wanted)
{
	char shown[2048];
	size_t n = 0, len = strlen(scratch);

	if (try(text) == 0)
		fail_msg("'%s' was taken", text);
	assert_int_equal(failure.exit, EX_CONFIG);
	for (const char *p = failure.text; *p; ) {
		if (strncmp(p, scratch, len) == 0 && p[len] == '/')
			p += len + 1;
		else
			shown[n++] = *p++;
	}
	shown[n] = '\0';
	if (strcmp(shown, wanted) != 0)
		fail_msg("'%s': '%s' instead of '%s'", text, shown, wanted);
}

static const struct account *get(const char *name)
{
	const struct account *a = config_account(config, name);

	if (!a)
		fail_msg("there is no account '%s'", name);
	return a;
}

static void expect(const char *name, const char *key, const char *wanted, const char *origin)
{
	struct strbuf out = STRBUF_INIT(1 << 20);
	const char *from = config_origin(config, get(name), key);

	setting_print(get(name), setting_find(SCOPE_ACCOUNT, key), &out);
	if (strcmp(out.buf, wanted) != 0)
		fail_msg("%s of '%s' is '%s', not '%s'", key, name, out.buf, wanted);
	strbuf_release(&out);
	if (strncmp(from, scratch, strlen(scratch)) == 0)
		from += strlen(scratch) + 1;
	if (strcmp(from, origin) != 0)
		fail_msg("%s of '%s' comes from '%s', not '%s'", key, name, from, origin);
}

/* --- include ---------------------------------------------------------------------- */

static void included_text_counts_where_it_stands(void **state)
{
	(void)state;
	scratch_file("d/a", "[account a]\nhost = a.example\nport = 26\n[defaults]\nuser = d\n",
		     0600);
	scratch_file("b", "\n[account b : a]\nhost = b.example\n", 0600);
	load("include = d/a\n\n[account own : b]\nfrom = own@example\n[defaults]\n"
	     "include = \"b\"\ndomain = x.example\n");
	expect("a", "host", "a.example", "d/a:2");
	expect("a", "domain", "x.example", "rc:7");
	expect("b", "port", "26", "d/a:3");
	expect("b", "host", "b.example", "b:3");
	expect("own", "host", "b.example", "b:3");
	expect("own", "user", "d", "d/a:5");
	assert_string_equal(get("b")->file, scratch_path("b"));
	assert_int_equal(get("b")->line, 2);
	assert_string_equal(get("own")->file, scratch_path("rc"));
	assert_ptr_equal(config_nth(config, 0), get("a"));	/* in the order of the text */
	assert_ptr_equal(config_nth(config, 1), get("own"));
	assert_ptr_equal(config_nth(config, 2), get("b"));
	assert_has(config_searched(config), "/rc (read), ");
	assert_has(config_searched(config), "/d/a (read), ");
}

static void paths_of_included_files(void **state)
{
	char text[400];

	(void)state;
	scratch_file("d/one", "include = two\n", 0600);		/* beside the file that names it */
	scratch_file("d/two", "include = ../three\n", 0600);
	scratch_file("three", "[account a]\nhost = h\n", 0600);
	load("include = d/one\n");
	expect("a", "host", "h", "d/../three:2");
	load("include = ~/three\n");
	expect("a", "host", "h", "three:2");
	snprintf(text, sizeof(text), "include = %s\n", scratch_path("three"));
	load(text);
	setenv("E_WHERE", "three", 1);
	load("include = ${E_WHERE}\n");
	expect("a", "host", "h", "three:2");
}

static void patterns_in_lexical_order(void **state)
{
	(void)state;
	scratch_file("d/20-b.conf", "[defaults]\nuser = b\n[account b]\n", 0600);
	scratch_file("d/10-a.conf", "[defaults]\nuser = a\ndomain = a.example\n[account a]\n",
		     0600);
	scratch_file("d/Z.conf", "[account Z]\n", 0600);
	scratch_file("d/.hidden.conf", "[account h]\n", 0600);
	scratch_file("d/c.txt", "[account c]\n", 0600);
	load("include = d/*.conf\n");
	expect("a", "user", "b", "d/20-b.conf:2");
	expect("b", "domain", "a.example", "d/10-a.conf:3");
	assert_string_equal(config_nth(config, 0)->name, "a");
	assert_string_equal(config_nth(config, 1)->name, "b");
	assert_string_equal(config_nth(config, 2)->name, "Z");
	assert_null(config_nth(config, 3));
	load("include = d/*.none\n[account x]\n");	/* nothing to include is no fault */
	assert_string_equal(config_nth(config, 0)->name, "x");
}

/* {text of rc, of a, of b, error} */
static const char *const wrong[][4] = {
	{"include = nowhere\n", "", "",
	 "rc:1: key 'include': cannot open nowhere: No such file or directory"},
	{"include = d\n", "", "", "rc:1: key 'include': cannot open d: Is a directory"},
	{"include =\n", "", "", "rc:1: key 'include': needs the name of a file"},
	{"include = \"a\n", "", "", "rc:1: key 'include': no closing quote"},
	{"include = ${MSUBMIT_TEST_UNSET}\n", "", "",
	 "rc:1: key 'include': environment variable 'MSUBMIT_TEST_UNSET' is not set"},
	{"[account x]\ninclude = a\n", "", "", "rc:2: key 'include': stands in a section; put it "
	 "above all sections or into [defaults]"},
	{"include = rc\n", "", "", "rc:1: key 'include': rc includes itself: a loop"},
	{"include = a\n", "include = b\n", "include = a\n",
	 "rc:1: a:1: b:1: key 'include': a includes itself: a loop"},
	{"include = a\n", "[account x]\n\nhots = y\n", "",
	 "rc:1: a:3: key 'hots': unknown; did you mean 'host'?"},
	{"include = a\n", "account x\nhost y\n", "",
	 "rc:1: a must be in the ini form: a line '[account NAME]', then 'key = value'"},
	{"account x\ninclude a\n", "", "", "rc:2: key 'include': unknown"},
	{"include = a\n[account x]\n", "\n[account x]\n", "",
	 "rc:2: account 'x' was already defined in a:2"},
	{"[account x]\n[defaults]\ninclude = a\n", "[account x]\n", "",
	 "rc:3: a:1: account 'x' was already defined in rc:1"},
	{"include = a\ninclude = a\n", "[account x]\n", "",
	 "rc:2: a:1: account 'x' was already defined in a:1"},
	{"include = a\nhost = h\n", "[account x]\n", "",
	 "rc:2: key 'host': stands above any section; put '[account default]' or '[defaults]' in "
	 "front of it"},
	{"[defaults]\ninclude = a\n", "host = h\n", "",
	 "rc:2: a:1: key 'host': stands above any section; put '[account default]' or "
	 "'[defaults]' in front of it"},
	{"include = a\n", "[account x]\nport = 0\n", "",
	 "a:2: key 'port': '0' is out of range: from 1 to 65535"},
	{"include = a\n", "[account x : y]\n", "", "a:1: account 'x': there is no account 'y'"},
};

static void wrong_includes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		scratch_file("a", wrong[i][1], 0600);
		scratch_file("b", wrong[i][2], 0600);
		load_fails(wrong[i][0], wrong[i][3]);
	}
}

static void not_deeper_than_ten(void **state)
{
	char name[20], text[40];

	(void)state;
	for (int i = 0; i < 11; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		snprintf(text, sizeof(text), i < 10 ? "include = f%d\n" : "[account last]\n",
			 i + 1);
		scratch_file(name, text, 0600);
	}
	load("include = f1\n");		/* rc, f1 ... f10 */
	assert_non_null(get("last"));
	assert_int_equal(try("include = f0\n"), -1);
	assert_has(failure.text, "f10: more than 10 files deep");
}

static void included_files_must_be_private_too(void **state)
{
	(void)state;
	scratch_file("a", "[account a]\npassword = x\n", 0644);
	assert_int_equal(try("include = a\n"), -1);
	assert_has(failure.text, "/a holds a secret and others may read it (mode 0644)");
	scratch_file("a", "[account a]\npassword = x\n", 0600);
	load("include = a\n");
	scratch_file("a", "[account a]\nhost = x\n", 0646);
	assert_int_equal(try("include = a\n"), -1);
	assert_has(failure.text, "/a can be changed by anybody (mode 0646)");
	/* the secret is in a: rc may be read by others */
	scratch_file("a", "[account a]\npassword = x\n", 0600);
	struct config_request req = { .file = scratch_file("rc", "include = a\n", 0644) };

	config_free(config);
	config = NULL;
	assert_int_equal(config_load(&req, &config, &failure), 0);
	assert_string_equal(get("a")->auth.password.data, "x");
}

/* --- msmtprc.d ---------------------------------------------------------------------- */

/* As the search would read a user's file, the machine's, and the folder d. */
static int system_files(const char *user, const char *system)
{
	const struct config_request none = { .no_files = true };
	struct config_file *f = NULL;

	config_free(config);
	config = NULL;
	assert_int_equal(config_load(&none, &config, &failure), 0);
	if (user) {
		f = config_file_add(config, "user", ORIGIN_FILE);
		if (config_text_read(config, f, user, strlen(user), &failure) < 0)
			return -1;
	}
	config->reading_system = true;
	f = system ? config_file_add(config, "system", ORIGIN_FILE) : NULL;
	if (f && config_text_read(config, f, system, strlen(system), &failure) < 0)
		return -1;
	if (config_folder_read(config, f, scratch_path("d"), &failure) < 0)
		return -1;
	return config_resolve(config, &failure);
}

static void folder_of_the_machine(void **state)
{
	(void)state;
	scratch_file("d/20.conf", "[account b : a]\n[defaults]\nuser = u\n", 0644);
	scratch_file("d/10.conf", "[account a]\nhost = a\npassword = x\n", 0600);
	scratch_file("d/30", "[account no]\n", 0644);
	assert_int_equal(system_files("[account b]\nhost = mine\n",
				      "[account s : b]\n[defaults]\nport = 26\n"), 0);
	expect("a", "port", "26", "system:3");
	expect("s", "host", "a", "d/10.conf:2");	/* not the user's b */
	expect("s", "user", "u", "d/20.conf:3");
	expect("b", "host", "mine", "user:2");		/* the user's hides the machine's */
	/* within the machine's files a base hands on its password */
	assert_string_equal(get("s")->auth.password.data, "x");
	assert_null(config_account(config, "no"));
	assert_has(config_searched(config), "/d/10.conf (read), ");
}

static void folder_without_a_file_or_with_a_classic_one(void **state)
{
	(void)state;
	scratch_file("d/a.conf", "[account a : s]\n[defaults]\nuser = u\n", 0600);
	scratch_file("d/b.conf", "[account b : a]\n", 0600);
	assert_int_equal(system_files(NULL, "account s\nhost s\npassword x\n"), 0);
	expect("b", "host", "s", "system:2");
	expect("b", "user", "u", "d/a.conf:3");
	assert_string_equal(get("b")->auth.password.data, "x");
	assert_null(get("s")->auth.user);
	scratch_file("d/a.conf", "[account a]\nhost = h\n", 0600);
	assert_int_equal(system_files(NULL, NULL), 0);
	expect("b", "host", "h", "d/a.conf:2");
	/* a user's account does not get the machine's secrets */
	scratch_file("d/a.conf", "[account a]\nhost = h\npassword = x\n", 0600);
	assert_int_equal(system_files("[account mine : a]\n", NULL), 0);
	expect("mine", "host", "h", "d/a.conf:2");
	assert_false(secret_is_set(&get("mine")->auth.password));
}

static void folder_faults(void **state)
{
	(void)state;
	scratch_file("d/a.conf", "[account s]\n", 0600);
	assert_int_equal(system_files(NULL, "\n[account s]\n"), -1);
	assert_has(failure.text, "/d/a.conf:1: account 's' was already defined in system:2");
	assert_int_equal(system_files(NULL, "account s\n"), -1);
	assert_has(failure.text, "/d/a.conf:1: account 's' was already defined in system:1");
	assert_int_equal(system_files("[account s]\n", NULL), 0);
	scratch_file("d/b.conf", "[account s]\n", 0600);
	assert_int_equal(system_files(NULL, NULL), -1);
	assert_has(failure.text, "/d/b.conf:1: account 's' was already defined in ");
	assert_has(failure.text, "/d/a.conf:1");
	scratch_file("d/b.conf", "account c\n", 0600);
	assert_int_equal(system_files(NULL, NULL), -1);
	assert_has(failure.text, "/d/b.conf must be in the ini form");
	scratch_file("d/b.conf", "[account c]\npassword = x\n", 0604);
	assert_int_equal(system_files(NULL, NULL), -1);
	assert_has(failure.text, "/d/b.conf holds a secret and others may read it");
	unlink(scratch_path("d/b.conf"));
	assert_int_equal(chmod(scratch_path("d"), 0777), 0);
	assert_int_equal(system_files(NULL, NULL), -1);
	assert_has(failure.text, geteuid() == 0 ?
		   "/d can be changed by others (mode 0777)" :
		   "/d can be changed by anybody (mode 0777)");
	assert_int_equal(chmod(scratch_path("d"), 0700), 0);
	if (geteuid() != 0) {	/* what the caller may not read is not for the caller */
		assert_int_equal(chmod(scratch_path("d/a.conf"), 0), 0);
		assert_int_equal(system_files(NULL, NULL), 0);
		assert_has(config_searched(config), "/d/a.conf (Permission denied)");
	}
	unlink(scratch_path("d/a.conf"));
	assert_int_equal(system_files(NULL, NULL), 0);
	assert_has(config_searched(config), "/d/*.conf (none)");
}

/* --- inherit ------------------------------------------------------------------------ */

static void inherit_is_a_base(void **state)
{
	(void)state;
	load("[account a]\ninherit = t, u\nuser = own\n[account t]\nhost = t\nuser = t\n"
	     "[account u]\nhost = u\n[account b]\ninherit = \"t\"\n");
	expect("a", "host", "u", "rc:8");
	expect("a", "user", "own", "rc:3");
	expect("b", "user", "t", "rc:6");
	load_fails("[account a : b]\ninherit = c\n",
		   "rc:2: key 'inherit': account 'a' has its bases already");
	load_fails("[account a]\ninherit = b\ninherit = c\n",
		   "rc:3: key 'inherit': account 'a' has its bases already");
	load_fails("[defaults]\ninherit = a\n",
		   "rc:2: key 'inherit': belongs to a section [account NAME]");
	load_fails("inherit = a\n", "rc:1: key 'inherit': belongs to a section [account NAME]");
	load_fails("[listen l]\ninherit = a\n",
		   "rc:2: key 'inherit': belongs to a section [account NAME]");
	load_fails("[account a]\ninherit = \n", "rc:2: section 'a': a name is missing behind ':'");
	load_fails("[account a]\ninherit = none\n",
		   "rc:1: account 'a': there is no account 'none'");
	load_fails("account a\ninherit b\n", "rc:2: key 'inherit': unknown");
}

static void inherit_from_the_machine(void **state)
{
	(void)state;
	assert_int_equal(system_files("[account me]\ninherit = t\nuser = me\n",
				      "[account t]\nhost = relay\npassword = secret\n"), 0);
	expect("me", "host", "relay", "system:2");
	assert_false(secret_is_set(&get("me")->auth.password));
}

/* --- values in files ------------------------------------------------------------------ */

static void values_from_files(void **state)
{
	char text[400];

	(void)state;
	scratch_file("host", "mail.example:26\r\nmore\n", 0644);
	scratch_file("user", "joe", 0644);
	scratch_file("none", "", 0644);
	snprintf(text, sizeof(text), "[account a]\nhost = @%s\nuser = @~/user\nauthzid = @~/none\n"
		 "from = @/x@y.example\npassword = @~/user\npassword_command = @~/user\n"
		 "passwordeval = @~/user\ndomain = @user\n", scratch_path("host"));
	assert_int_equal(try(text), -1);	/* from: there is no such file */
	assert_has(failure.text,
		   "rc:5: key 'from': cannot open /x@y.example: No such file or directory");
	char *from = strstr(text, "@/x@");

	memcpy(from, "\"*\"@", 4);
	load(text);
	expect("a", "host", "mail.example", "rc:2");
	expect("a", "port", "26", "rc:2");
	expect("a", "user", "joe", "rc:3");
	expect("a", "authzid", "", "rc:4");
	assert_string_equal(get("a")->auth.password.data, "@~/user");
	expect("a", "password_command", "@~/user", "rc:7");
	expect("a", "passwordeval", "@~/user", "rc:8");
	expect("a", "domain", "@user", "rc:9");
	load("[account a]\nuser = \"@~/user\"\nfrom = \"@/x\"\n");	/* in quotes: itself */
	expect("a", "user", "@~/user", "rc:2");
	expect("a", "from", "@/x", "rc:3");
	load("account a\nuser @~/user\n");	/* msmtp has no such thing */
	expect("a", "user", "@~/user", "rc:2");
	scratch_bytes("zero", "a\0b", 3, 0644);
	assert_int_equal(try("[account a]\nuser = @~/zero\n"), -1);
	assert_has(failure.text, "/zero holds a NUL octet");
	assert_int_equal(try("[account a]\nport = @~/user\n"), -1);
	assert_has(failure.text, "rc:2: key 'port': 'joe' is not a number");
}

static void text_is_loaded_like_a_file(void **state)
{
	static const char good[] = "[account a]\nhost = h\n", bad[] = "[account a]\nport = x\n";

	(void)state;
	assert_int_equal(config_load_text("made", good, strlen(good), &config, &failure), 0);
	expect("a", "host", "h", "made:2");
	config_free(config);
	config = NULL;
	assert_int_equal(config_load_text("made", bad, strlen(bad), &config, &failure), -1);
	assert_has(failure.text, "made:2: key 'port': 'x' is not a number");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(included_text_counts_where_it_stands), CASE(paths_of_included_files),
		CASE(patterns_in_lexical_order), CASE(wrong_includes), CASE(not_deeper_than_ten),
		CASE(included_files_must_be_private_too), CASE(folder_of_the_machine),
		CASE(folder_without_a_file_or_with_a_classic_one), CASE(folder_faults),
		CASE(inherit_is_a_base), CASE(inherit_from_the_machine), CASE(values_from_files),
		CASE(text_is_loaded_like_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
