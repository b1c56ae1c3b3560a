#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena_state.h"
#include "mime/mime_type.h"
#include "util/arena.h"
#include "util/attr.h"

static char folder[] = "/tmp/msubmit-type-XXXXXX";

static void test_valid(void **state)
{
	static const char *const good[] = { "a/b", "application/vnd.x-y+zip", "x/1.2_3" };
	static const char *const bad[] = { "", "a", "a/", "/b", "a/b/c", "A/b", "a/b c", "a/b;c",
		"a/b\r\nX: y", "a/\xc3\xbc" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(mime_type_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mime_type_valid(bad[i]));
}

static void test_globs(void **state)
{
	static const char text[] =
		"# comment\n"
		"50:text/plain:*.txt\n"
		"50:application/x-tar:*.tar\n"
		"50:application/gzip:*.gz\n"
		"50:application/x-compressed-tar:*.tar.gz\n"
		"60:text/x-heavy:*.h\n"
		"50:text/x-light:*.h\n"
		"50:text/x-c++src:*.C:cs\n"
		"50:text/x-csrc:*.c\n"
		"50:text/x-makefile:makefile\n"
		"10:text/x-readme:readme*\n"
		"50:application/x-flags:*.fl:cs,other\n"
		"no weight\n"
		"50:\n"
		"50:text/x-nothing\n"
		"50:broken:*.brk\n"
		"50:bro/ken\x01:*.brk\n"
		"50:TEXT/Upper:*.UP\n"
		"50:text/x-last:*.last";
	static const struct { const char *name, *want; } cases[] = {
		{ "a.txt", "text/plain" }, { "A.TXT", "text/plain" },
		{ "a.tar", "application/x-tar" },
		{ "a.tar.gz", "application/x-compressed-tar" }, { "a.gz", "application/gzip" },
		{ "a.h", "text/x-heavy" }, { "a.c", "text/x-csrc" }, { "a.C", "text/x-c++src" },
		{ "Makefile", "text/x-makefile" }, { "README.txt", "text/plain" },
		{ "README", "text/x-readme" }, { "a.fl", "application/x-flags" }, { "a.FL", NULL },
		{ "a.brk", NULL }, { "a.up", "text/upper" }, { "a.last", "text/x-last" },
		{ "", NULL }, { "txt", NULL }, { "a.txt.x", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_same(cases[i].name,
			    mime_type_in_globs(*state, text, sizeof(text) - 1, cases[i].name),
			    cases[i].want);
	assert_null(mime_type_in_globs(*state, "", 0, "a.txt"));
}

static void test_table(void **state)
{
	static const char text[] =
		"# type extensions\n"
		"text/plain\t\t\ttxt asc  text\n"
		"text/nothing\n"
		"Image/PNG png\r\n"
		"application/x-y yy # zz\n"
		"bad bad\n"
		"  \n"
		"text/x-last last";
	static const struct { const char *name, *want; } cases[] = {
		{ "a.txt", "text/plain" }, { "a.TEXT", "text/plain" }, { "a.b.asc", "text/plain" },
		{ "a.png", "image/png" }, { "a.yy", "application/x-y" }, { "a.zz", NULL },
		{ "a.bad", NULL }, { "a.last", "text/x-last" }, { "txt", NULL }, { ".txt", NULL },
		{ "a.", NULL }, { "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_same(cases[i].name,
			    mime_type_in_table(*state, text, sizeof(text) - 1, cases[i].name),
			    cases[i].want);
}

/* A line that is too long is passed over, not cut. */
static void test_long_lines(void **state)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	memcpy(text, "50:text/x-long:*.", 17);
	memcpy(text + 4000, "\n50:text/x-short:*.s\n", 21);
	assert_same("long", mime_type_in_globs(*state, text, 4021, "a.s"), "text/x-short");
	assert_null(mime_type_in_globs(*state, text, 4000, "a.x"));
}

static void write_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void make_folder(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* The user's folder first, then the system's, then what we know ourselves. */
static void test_folders(void **state)
{
	char path[200];

	assert_non_null(mkdtemp(folder));
	make_folder("own");
	make_folder("own/mime");
	make_folder("sys");
	make_folder("sys/mime");
	write_file("own/mime/globs2", "50:text/x-own:*.one\n");
	write_file("sys/mime/globs2", "90:text/x-sys:*.one\n50:text/x-two:*.two\n"
				      "50:multipart/mixed:*.multi\n");
	snprintf(path, sizeof(path), "%s/own", folder);
	setenv("XDG_DATA_HOME", path, 1);
	snprintf(path, sizeof(path), "relative:/nonexistent:%s/sys", folder);
	setenv("XDG_DATA_DIRS", path, 1);
	assert_same("one", mime_type_of_name(*state, "a.one"), "text/x-own");
	assert_same("two", mime_type_of_name(*state, "a.two"), "text/x-two");
	assert_same("multi", mime_type_of_name(*state, "a.multi"), NULL);
	assert_same("pdf", mime_type_of_name(*state, "a.pdf"), "application/pdf");
	assert_same("none", mime_type_of_name(*state, "a.nobody-knows"), NULL);
	/* a folder instead of a file, and a relative one: no answer, no harm */
	make_folder("own/x");
	make_folder("own/x/mime");
	make_folder("own/x/mime/globs2");
	snprintf(path, sizeof(path), "%s/own/x", folder);
	setenv("XDG_DATA_HOME", path, 1);
	assert_same("two", mime_type_of_name(*state, "a.two"), "text/x-two");
	setenv("XDG_DATA_HOME", "", 1);
	setenv("XDG_DATA_DIRS", "/nonexistent", 1);
	assert_same("jpg", mime_type_of_name(*state, "A.JPG"), "image/jpeg");
}

#define PDF "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0"

/* The same answers with libmagic and without, but where only octets can tell. */
static void test_both(void **state)
{
	static const struct {
		const char *name, *data;
		size_t n;
		const char *with, *without;
	} cases[] = {
		{ "x.pdf", PDF, sizeof(PDF) - 1, "application/pdf", "application/pdf" },
		{ "noname", PDF, sizeof(PDF) - 1, "application/pdf", MIME_TYPE_OCTETS },
		{ "wrong.txt", PNG, sizeof(PNG) - 1, "image/png", "text/plain" },
		{ "x.txt", "int main(void)\n{\n\treturn 0;\n}\n", 30, "text/plain",
		  "text/plain" },
		{ "x.txt", "\xc3\xa9\n\xc3", 4, "text/plain", "text/plain" },
		{ "x.csv", "a line\nand another\n", 19, "text/csv", "text/csv" },
		{ "x.png", "it is text\n", 11, "text/plain", "image/png" },
		{ "x.patch", "a line\n", 7, "text/x-diff", "text/x-diff" },
		{ "x.eml", "From: a@b\nSubject: x\n\nText\n", 27, "message/rfc822",
		  "message/rfc822" },
		{ "x", "Received: by x\nFrom: a@b\nSubject: x\n\nText\n", 42, "text/plain",
		  MIME_TYPE_OCTETS },
		{ "x.pdf", "", 0, "application/pdf", "application/pdf" },
		{ "empty", "", 0, MIME_TYPE_OCTETS, MIME_TYPE_OCTETS },
		{ "x", "\0\1\2\3\4", 5, MIME_TYPE_OCTETS, MIME_TYPE_OCTETS },
	};
	const bool there = mime_magic_type(*state, PDF, sizeof(PDF) - 1) != NULL;

	setenv("XDG_DATA_HOME", "/nonexistent", 1);
	setenv("XDG_DATA_DIRS", "/nonexistent", 1);
	if (access("/etc/mime.types", R_OK) == 0)
		print_message("# /etc/mime.types is there\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_same(cases[i].name,
			    mime_type_of(*state, cases[i].name, cases[i].data, cases[i].n),
			    there ? cases[i].with : cases[i].without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_valid, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_globs, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_table, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_long_lines, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_folders, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_both, arena_setup, arena_teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (folder[sizeof(folder) - 2] != 'X' && system(command) != 0)
		print_message("# %s stays\n", folder);
	return failed;
}
