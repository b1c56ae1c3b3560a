#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf_scratch.h"
#include "secrets/credentials.h"
#include "util/secret.h"

/* {text, host, user, password or NULL} */
static const char *const cases[][4] = {
	{"", "h", "u", NULL},
	{"machine h login u password p", "h", "u", "p"},
	{"machine h login u password p\n", "H", "u", "p"},
	{"machine h login u password p\n", "h", "U", NULL},
	{"machine h login u password p\n", "x", "u", NULL},
	{"machine h login u password p\n", "h", NULL, "p"},
	{"machine h\n\tlogin u\n\tpassword p\n", "h", "u", "p"},
	{"machine h password p login u", "h", "u", "p"},
	{"machine h password p login x", "h", "u", NULL},
	{"machine h password p", "h", "u", "p"},
	{"machine h login u account a password p", "h", "u", "p"},
	{"machine h login x password 1\nmachine h login u password 2", "h", "u", "2"},
	{"machine h login u password 1\nmachine h login u password 2", "h", "u", "1"},
	{"machine h login u\nmachine h login u password 2", "h", "u", "2"},
	{"machine x login u password 1 default login u password 2", "h", "u", "2"},
	{"default login u password 2\nmachine h login u password 1", "h", "u", "2"},
	{"default password p", "h", "u", "p"},
	{"machine x login u password 1", "h", "u", NULL},
	{"machine h.example login u password 1", "h.example.evil", "u", NULL},
	{"machine h.example.evil login u password 1", "h.example", "u", NULL},
	/* words */
	{"machine h login \"a b\" password \"p \\\" q\"", "h", "a b", "p \" q"},
	{"machine h login a\\ b password p\\\\q", "h", "a b", "p\\q"},
	{"machine h login u password #x", "h", "u", "#x"},
	{"machine h login u password \"open", "h", "u", "open"},
	{"machine h login u password \"\"", "h", "u", NULL},
	{"machine h login u password a\"b", "h", "u", "a\"b"},
	{"machine machine login login password password", "machine", "login", "password"},
	{"machine h login u password \xc3\xa4\xff", "h", "u", "\xc3\xa4\xff"},
	/* comments and macros */
	{"# machine h login u password 1\nmachine h login u password 2", "h", "u", "2"},
	{"machine h # note\nlogin u # note\npassword p", "h", "u", "p"},
	{"macdef init\nmachine h login u password 1\n\nmachine h login u password 2", "h", "u",
	 "2"},
	{"machine h login u password p\nmacdef x\ncd /\n", "h", "u", "p"},
	{"macdef x\nmachine h login u password 1", "h", "u", NULL},
	/* ends too early */
	{"machine", "h", "u", NULL},
	{"machine h login", "h", "u", NULL},
	{"machine h login u password", "h", "u", NULL},
	{"machine h login u", "h", "u", NULL},
	{"machine h login u password p foo", "h", "u", "p"},
	{"machine h foo bar login u password p", "h", "u", "p"},
	{"\r\nmachine h\r\nlogin u\r\npassword p\r\n", "h", "u", "p"},
};

static void entries_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secret out = { .data = NULL };
		const char *const *c = cases[i];
		bool found = netrc_find(c[0], strlen(c[0]), c[1], c[2], &out);

		if (found != (c[3] != NULL))
			fail_msg("'%s': found %d", c[0], found);
		if (found)
			assert_string_equal(out.data, c[3]);
		else
			assert_null(out.data);
		secret_release(&out);
	}
}

static void nul_octets_are_no_passwords(void **state)
{
	static const char text[] = "machine h login u password a\0b\n";
	struct secret out = { .data = NULL };

	(void)state;
	assert_false(netrc_find(text, sizeof(text) - 1, "h", "u", &out));
}

static void every_cut_is_safe(void **state)
{
	static const char text[] = "macdef x\ny\n\ndefault login \"a\\\"\" machine h # c\n"
				   "login u password \"p q\" account \\x";
	struct secret out = { .data = NULL };

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = xmalloc(n + 1);

		memcpy(copy, text, n);
		(void)netrc_find(copy, n, "h", "u", &out);
		xfree(copy);
	}
	assert_string_equal(out.data, "p q");
	secret_release(&out);
}

static int look(const char *path, bool must_exist, struct secret *out, bool *found,
		struct error *err)
{
	return netrc_password(path, must_exist, "h", "u", out, found, err);
}

static void files_that_are_not_there(void **state)
{
	struct secret out = { .data = NULL };
	struct error err = { .exit = 0 };
	bool found = true;

	(void)state;
	assert_int_equal(look(scratch_path("none"), false, &out, &found, &err), 0);
	assert_false(found);
	assert_int_equal(look(scratch_path("none"), true, &out, &found, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_has(err.text, "none: No such file");
}

static void files_must_be_private_to_count(void **state)
{
	struct secret out = { .data = NULL };
	struct error err = { .exit = 0 };
	bool found = false;
	const char *path = scratch_file("rc", "machine h login u password hunter2\n", 0600);

	(void)state;
	assert_int_equal(look(path, false, &out, &found, &err), 0);
	assert_true(found);
	assert_string_equal(out.data, "hunter2");
	secret_release(&out);
	path = scratch_file("rc", "machine h login u password hunter2\n", 0644);
	assert_int_equal(look(path, false, &out, &found, &err), -1);
	assert_has(err.text, "chmod 600");
	assert_lacks(err.text, "hunter2");
	assert_null(out.data);
	/* but one that has nothing for us does no harm */
	path = scratch_file("rc", "machine x login u password hunter2\n", 0644);
	assert_int_equal(look(path, false, &out, &found, &err), 0);
	assert_false(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found),
		cmocka_unit_test(nul_octets_are_no_passwords),
		cmocka_unit_test(every_cut_is_safe),
		cmocka_unit_test_setup_teardown(files_that_are_not_there, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(files_must_be_private_to_count, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
