#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <string.h>

#include "arena_state.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"

static int library_loaded(void)
{
	void *lib = dlopen(IDN2_SONAME, RTLD_LAZY | RTLD_NOLOAD);

	if (lib)
		dlclose(lib);
	return lib != NULL;
}

/* ASCII is handed back itself, and the library is not even loaded. Runs first. */
static void test_ascii(void **state)
{
	static const char *const names[] = {
		"example.org", "", "[192.0.2.1]", "xn--bcher-kva.example", "UPPER.example", "a_b",
	};
	struct error err = { 0 };
	const char *out = NULL;

	if (library_loaded())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(idna_to_ascii(*state, names[i], &out, &err), 0);
		assert_ptr_equal(out, names[i]);
		assert_int_equal(idna_address(*state, names[i], &out, &err), 0);
		assert_ptr_equal(out, names[i]);
	}
	assert_false(library_loaded());
}

static void test_names(void **state)
{
	static const struct { const char *domain, *want; } cases[] = {
		{ "b\303\274cher.example", "xn--bcher-kva.example" },
		{ "B\303\234CHER.Example", "xn--bcher-kva.example" },
		{ "bu\314\210cher.example", "xn--bcher-kva.example" },	/* not NFC */
		{ "stra\303\237e.example", "xn--strae-oqa.example" },	/* non-transitional */
		{ "\344\276\213\345\255\220.\346\265\213\350\257\225", "xn--fsqu00a.xn--0zwm56d" },
		{ "b\303\274cher\343\200\202example", "xn--bcher-kva.example" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = { 0 };
		const char *out = NULL;

		if (idna_to_ascii(*state, cases[i].domain, &out, &err) < 0) {
			if (err.exit == EX_CONFIG)
				skip();	/* the library is not on this machine */
			fail_msg("'%s': %s", cases[i].domain, err.text);
		}
		assert_string_equal(out, cases[i].want);
	}
}

/* Mapping must not bring forth what would end a path or begin a new one. */
static void test_refused(void **state)
{
	static const char *const names[] = {
		"a\357\274\240b.example",	/* wide '@' */
		"a\357\274\236b.example",	/* wide '>' */
		"a\357\274\234b.example",	/* wide '<' */
		"\303\274 b.example", "\303\274>b.example", "\303\274\r\nb.example",
		"\303\274..example", ".\303\274", "-\303\274", "\303\274_b.example",
		"\377.example", "\303.example", "a\342\200\213", "[\303\274]", "\303\274@x",
		"\342\200\256a.example", "\304\212_\302\205",
	};
	char label[400] = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct error err = { 0 };
		const char *out = NULL;
		int rc = idna_to_ascii(*state, names[i], &out, &err);

		if (rc == 0) {
			/* mapped away to something harmless is fine */
			if (!address_domain_valid(out))
				fail_msg("'%s' became '%s'", names[i], out);
			continue;
		}
		if (err.exit == EX_CONFIG)
			skip();
		assert_int_equal(err.exit, EX_DATAERR);
		assert_string_equal(err.status, "5.1.2");
		assert_null(out);
		assert_non_null(strstr(err.text, "has no ASCII form"));
		assert_null(strchr(err.text, '\n'));
	}
	for (int i = 0; i < 100; i++)
		memcpy(label + 2 * i, "\303\274", 2);
	struct error err = { 0 };
	const char *out = NULL;

	assert_int_equal(idna_to_ascii(*state, label, &out, &err), -1);
	assert_int_equal(err.exit, EX_DATAERR);
}

static void test_address(void **state)
{
	static const struct { const char *address, *want; } cases[] = {
		{ "bob@b\303\274cher.example", "bob@xn--bcher-kva.example" },
		{ "j\303\266rg@b\303\274cher.example", "j\303\266rg@xn--bcher-kva.example" },
		{ "j\303\266rg@example.org", "j\303\266rg@example.org" },
		{ "j\303\266rg", "j\303\266rg" },
		{ "\"a@\303\266\"@b\303\274cher.example", "\"a@\303\266\"@xn--bcher-kva.example" },
		{ "\"a@\303\266\"@x", "\"a@\303\266\"@x" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = { 0 };
		const char *out = NULL;

		if (idna_address(*state, cases[i].address, &out, &err) < 0) {
			if (err.exit == EX_CONFIG)
				skip();
			fail_msg("'%s': %s", cases[i].address, err.text);
		}
		assert_string_equal(out, cases[i].want);
	}
	struct error err = { 0 };
	const char *out = NULL;

	assert_int_equal(idna_address(*state, "a@\303\274..x", &out, &err), -1);
	assert_null(out);
	assert_int_equal(err.exit, EX_DATAERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ascii, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_names, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_refused, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_address, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
