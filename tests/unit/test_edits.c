#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "message_model.h"

static const char text[] = "From: a@example.org\n"
			   "To: b@example.org,\n c@example.org\n"
			   "Bcc: d@example.org\n"
			   "Subject: x\n\nbody\n";

struct fixture {
	struct message *m;
	struct edits e;
	struct error err;
	struct strbuf out;
};

static int setup(void **state)
{
	static struct fixture f;

	f.m = model_read(text, strlen(text), 0, &(struct message_options){ 0 }, &f.err);
	edits_init(&f.e, f.m->arena, f.m);
	strbuf_init(&f.out, 10 * 1024 * 1024);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	strbuf_release(&f->out);
	message_free(f->m);
	return 0;
}

static void expect(struct fixture *f, const char *header)
{
	strbuf_reset(&f->out);
	edits_write_header(&f->e, f->m, &f->out);
	assert_string_equal(f->out.buf, header);
	assert_int_equal(edits_wire_size(&f->e, f->m), strlen(header) + 6);
}

static void test_no_change(void **state)
{
	expect(*state, "From: a@example.org\r\nTo: b@example.org,\r\n c@example.org\r\n"
		       "Bcc: d@example.org\r\nSubject: x\r\n\r\n");
}

static void test_drop(void **state)
{
	struct fixture *f = *state;

	edits_drop(&f->e, 2);
	expect(f, "From: a@example.org\r\nTo: b@example.org,\r\n c@example.org\r\n"
		  "Subject: x\r\n\r\n");
	edits_drop(&f->e, 1);	/* with its folded lines */
	edits_drop(&f->e, 1);
	expect(f, "From: a@example.org\r\nSubject: x\r\n\r\n");
	edits_drop(&f->e, 0);
	edits_drop(&f->e, 3);
	expect(f, "\r\n");
}

static void test_replace(void **state)
{
	struct fixture *f = *state;
	char mine[] = "From: z@example.org\r\n";

	edits_replace(&f->e, 0, mine);
	memset(mine, 'x', sizeof(mine) - 1);	/* a copy was taken */
	edits_replace(&f->e, 3, "Subject: first\r\n second\r\n\tthird\r\n");
	edits_drop(&f->e, 1);
	edits_drop(&f->e, 2);
	expect(f, "From: z@example.org\r\nSubject: first\r\n second\r\n\tthird\r\n\r\n");
	edits_replace(&f->e, 0, "From: y@example.org\r\n");	/* the last one counts */
	expect(f, "From: y@example.org\r\nSubject: first\r\n second\r\n\tthird\r\n\r\n");
	edits_drop(&f->e, 0);
	expect(f, "Subject: first\r\n second\r\n\tthird\r\n\r\n");
}

/* Whatever the text holds, one field goes in and one field comes out. */
static void test_replace_stays_one_field(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "A: b", "A: b\r\n" },
		{ "A: b\n", "A: b\r\n" },
		{ "A: b\r", "A: b\r\n" },
		{ "A: b\r\n\r\n", "A: b\r\n" },
		{ "A: b\r\n\r\nbody", "A: b    body\r\n" },
		{ "A: b\r\nBcc: x\r\n", "A: b  Bcc: x\r\n" },
		{ "A: b\nBcc: x\r\n", "A: b Bcc: x\r\n" },
		{ "A: b\rBcc: x\r\n", "A: b Bcc: x\r\n" },
		{ "A: b\n c\r\n", "A: b  c\r\n" },
		{ "A: b\r\n c\r\r\n d", "A: b\r\n c \r\n d\r\n" },
		{ "A: b\r\n \r\n\r\nx", "A: b\r\n     x\r\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 1; i < 4; i++)
		edits_drop(&f->e, i);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		edits_replace(&f->e, 0, cases[i].text);
		strbuf_reset(&f->out);
		edits_write_header(&f->e, f->m, &f->out);
		strbuf_truncate(&f->out, f->out.len - 2);
		assert_string_equal(f->out.buf, cases[i].wanted);
	}
}

static void test_add(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 1; i < 4; i++)
		edits_drop(&f->e, i);
	assert_int_equal(edits_add(&f->e, "Date", "today", &f->err), 0);
	expect(f, "Date: today\r\nFrom: a@example.org\r\n\r\n");
	assert_int_equal(edits_add(&f->e, "Message-ID", "<1@example.org>", &f->err), 0);
	assert_int_equal(edits_add(&f->e, "X-Empty", "", &f->err), 0);
	expect(f, "Date: today\r\nMessage-ID: <1@example.org>\r\nX-Empty: \r\n"
		  "From: a@example.org\r\n\r\n");
}

static void test_add_many(void **state)
{
	struct fixture *f = *state;
	char name[32];
	const char *at;

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "X-%d", i);
		assert_int_equal(edits_add(&f->e, name, "v", &f->err), 0);
	}
	assert_int_equal(f->e.added_n, 1000);
	edits_write_header(&f->e, f->m, &f->out);
	at = f->out.buf;
	for (int i = 0; i < 1000; i++) {	/* in their order */
		snprintf(name, sizeof(name), "X-%d: v\r\n", i);
		assert_int_equal(strncmp(at, name, strlen(name)), 0);
		at += strlen(name);
	}
	assert_int_equal(strncmp(at, "From:", 5), 0);
	assert_int_equal(edits_wire_size(&f->e, f->m), f->out.len + 6);
}

static void test_add_refuses(void **state)
{
	static const char *const cases[][2] = {
		{ "", "v" }, { "a b", "v" }, { "a:b", "v" }, { "a\r", "v" }, { "a\n", "v" },
		{ "\xc3\xbc", "v" }, { "a\x7f", "v" }, { "a\t", "v" },
		{ "X", "a\rb" }, { "X", "a\nb" }, { "X", "a\r\n b" }, { "X", "a\r\nBcc: x" },
		{ "X", "\n" }, { "X", "a\r" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(edits_add(&f->e, cases[i][0], cases[i][1], &f->err), -1);
		assert_int_equal(f->err.exit, EX_DATAERR);
		assert_string_equal(f->err.status, "5.6.0");
	}
	assert_int_equal(f->e.added_n, 0);
}

static void test_message_without_header(void **state)
{
	struct fixture *f = *state;
	struct message *m = model_read("just text", 9, 0, &(struct message_options){ 0 }, &f->err);
	struct edits e;

	edits_init(&e, m->arena, m);
	assert_int_equal(edits_wire_size(&e, m), 2 + 11);
	assert_int_equal(edits_add(&e, "From", "a@example.org", &f->err), 0);
	edits_write_header(&e, m, &f->out);
	assert_string_equal(f->out.buf, "From: a@example.org\r\n\r\n");
	message_free(m);
}

static void test_next(void **state)
{
	struct fixture *f = *state;
	const char *field;
	size_t at = 0, len, n = 0;

	edits_drop(&f->e, 0);
	assert_int_equal(edits_add(&f->e, "Date", "x", &f->err), 0);
	assert_int_equal(edits_add(&f->e, "Y", "z", &f->err), 0);
	edits_replace(&f->e, 3, "Subject: new");
	while ((field = edits_next(&f->e, f->m, &at, &len))) {
		static const char *const want[] = { "Date: x\r\n", "Y: z\r\n",
			"To: b@example.org,\r\n c@example.org\r\n", "Bcc: d@example.org\r\n",
			"Subject: new\r\n" };

		assert_int_equal(len, strlen(want[n]));
		assert_memory_equal(field, want[n], len);
		n++;
		if (n == 2)
			edits_set_text(&f->e, at, "Y: other\r\n");
		if (n == 4)
			edits_set_text(&f->e, at, "Bcc: other\r\n");
	}
	assert_int_equal(n, 5);
	expect(f, "Date: x\r\nY: other\r\nTo: b@example.org,\r\n c@example.org\r\n"
	       "Bcc: other\r\nSubject: new\r\n\r\n");
}

/* A copy may be changed; the first stays as it is. */
static void test_copy(void **state)
{
	struct fixture *f = *state;
	struct edits copy;
	size_t at = 0, len;

	assert_int_equal(edits_add(&f->e, "Date", "x", &f->err), 0);
	edits_copy(&copy, &f->e, f->m->arena);
	edits_drop(&copy, 0);
	assert_non_null(edits_next(&copy, f->m, &at, &len));
	edits_set_text(&copy, at, "Date: y\r\n");
	assert_int_equal(edits_add(&copy, "Z", "z", &f->err), 0);
	expect(f, "Date: x\r\nFrom: a@example.org\r\nTo: b@example.org,\r\n c@example.org\r\n"
	       "Bcc: d@example.org\r\nSubject: x\r\n\r\n");
	f->e = copy;
	expect(f, "Date: y\r\nZ: z\r\nTo: b@example.org,\r\n c@example.org\r\n"
	       "Bcc: d@example.org\r\nSubject: x\r\n\r\n");
}

static void test_header_8bit(void **state)
{
	struct fixture *f = *state;
	static const char raw[] = "A: b\nSubject: \xc3\xbc\n\n";
	struct message *m = model_read(raw, strlen(raw),
		0, &(struct message_options){ 0 }, &f->err);
	struct edits e;

	assert_false(edits_header_8bit(&f->e, f->m));
	edits_replace(&f->e, 1, "To: \xc3\xbc");
	assert_true(edits_header_8bit(&f->e, f->m));
	edits_drop(&f->e, 1);
	assert_false(edits_header_8bit(&f->e, f->m));
	assert_int_equal(edits_add(&f->e, "X", "\xff", &f->err), 0);
	assert_true(edits_header_8bit(&f->e, f->m));

	edits_init(&e, m->arena, m);
	assert_true(edits_header_8bit(&e, m));
	edits_replace(&e, 1, "Subject: x");
	assert_false(edits_header_8bit(&e, m));
	message_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace_stays_one_field, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_without_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_8bit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
