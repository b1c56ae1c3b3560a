#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "message/envelope.h"
#include "message_model.h"

static void join(const struct envelope *e, struct strbuf *out)
{
	strbuf_reset(out);
	for (size_t i = 0; i < e->rcpt_count; i++)
		strbuf_addf(out, "%s%s", i ? " " : "", e->rcpt[i].address);
}

static void test_init(void **state)
{
	struct arena *a = arena_new();
	struct envelope e;

	(void)state;
	memset(&e, 0xff, sizeof(e));
	envelope_init(&e, a);
	assert_string_equal(e.sender, "");
	assert_null(e.envid);
	assert_int_equal(e.rcpt_count, 0);
	assert_int_equal(e.body, BODY_7BIT);
	assert_int_equal(e.size, 0);
	assert_false(e.utf8);
	arena_free(a);
}

static void test_add(void **state)
{
	struct arena *a = arena_new();
	struct envelope e;
	char address[] = "one@example.org", from[] = "root";

	(void)state;
	envelope_init(&e, a);
	assert_true(envelope_add(&e, address, from));
	memset(address, 'x', 3);	/* copies were taken */
	memset(from, 'x', 4);
	assert_string_equal(e.rcpt[0].address, "one@example.org");
	assert_string_equal(e.rcpt[0].orcpt, "root");
	assert_int_equal(e.rcpt[0].notify, 0);
	assert_false(envelope_add(&e, "ONE@Example.ORG", NULL));
	assert_true(envelope_add(&e, "one@example.com", NULL));
	assert_null(e.rcpt[1].orcpt);
	assert_int_equal(e.rcpt_count, 2);
	arena_free(a);
}

static void test_exclude(void **state)
{
	static const struct {
		const char *all, *others, *domain, *left;
	} cases[] = {
		{ "a@x b@x c@x", "b@x", NULL, "a@x c@x" },
		{ "a@x b@x", "B@X A@x", NULL, "" },
		{ "a@x", "", NULL, "a@x" },
		{ "", "a@x", NULL, "" },
		{ "joe joe@x a@y", "joe", NULL, "joe@x a@y" },
		{ "joe joe@x a@y", "joe", "x", "a@y" },
		{ "joe jane", "joe@x", "x", "jane" },
		{ "joe jane", "joe@x", NULL, "joe jane" },
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct arena *a = arena_new();
		struct envelope e, others;
		struct strbuf left = STRBUF_INIT(1000);

		envelope_init(&e, a);
		envelope_init(&others, a);
		envelope_add_words(&e, &cases[n].all, 1, NULL);
		envelope_add_words(&others, &cases[n].others, 1, NULL);
		envelope_exclude(&e, &others, cases[n].domain);
		join(&e, &left);
		assert_string_equal(left.buf, cases[n].left);
		assert_true(envelope_add(&e, "new@x", NULL));
		strbuf_release(&left);
		arena_free(a);
	}
}

/* With so many that they are looked up by an index: it is made anew. */
static void test_exclude_from_many(void **state)
{
	struct arena *a = arena_new();
	struct envelope e, others;

	(void)state;
	envelope_init(&e, a);
	envelope_init(&others, a);
	for (int i = 0; i < 200; i++) {
		envelope_add(&e, arena_printf(a, "u%d@x", i), NULL);
		if (i % 2)
			envelope_add(&others, arena_printf(a, "U%d@x", i), NULL);
	}
	envelope_exclude(&e, &others, NULL);
	assert_int_equal(e.rcpt_count, 100);
	for (int i = 0; i < 200; i++)
		assert_int_equal(envelope_add(&e, arena_printf(a, "u%d@X", i), NULL), i % 2);
	assert_int_equal(e.rcpt_count, 200);
	arena_free(a);
}

/* Around the number at which the search changes, every address is found again. */
static void test_add_counts(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 300; n += n < 40 ? 1 : 23) {
		struct arena *a = arena_new();
		struct envelope e;
		char address[64];

		envelope_init(&e, a);
		for (unsigned i = 0; i < n; i++) {
			snprintf(address, sizeof(address), "user%u@example.org", i);
			assert_true(envelope_add(&e, address, NULL));
		}
		for (unsigned i = 0; i < n; i++) {
			snprintf(address, sizeof(address), "USER%u@EXAMPLE.org", i);
			assert_false(envelope_add(&e, address, NULL));
			assert_int_equal(strncmp(e.rcpt[i].address, "user", 4), 0);
		}
		assert_int_equal(e.rcpt_count, n);
		arena_free(a);
	}
}

/* 100,000 recipients twice: seconds if each were compared with each. */
static void test_add_very_many(void **state)
{
	struct arena *a = arena_new();
	struct envelope e;
	char address[64];

	(void)state;
	envelope_init(&e, a);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 100000; i++) {
			snprintf(address, sizeof(address), "u%u@example%u.org", i, i % 7);
			assert_int_equal(envelope_add(&e, address, NULL), round == 0);
		}
	}
	assert_int_equal(e.rcpt_count, 100000);
	assert_string_equal(e.rcpt[99999].address, "u99999@example4.org");
	arena_free(a);
}

/* A copy by value goes its own way. */
static void test_copy_of_envelope(void **state)
{
	struct arena *a = arena_new();
	struct envelope e, other;
	char address[64];

	(void)state;
	envelope_init(&e, a);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(address, sizeof(address), "u%u@example.org", i);
		assert_true(envelope_add(&e, address, NULL));
	}
	other = e;
	other.rcpt_count = 20;
	other.rcpt_alloc = 20;
	assert_true(envelope_add(&e, "new@example.org", NULL));
	assert_true(envelope_add(&other, "new@example.org", NULL));
	assert_true(envelope_add(&other, "u30@example.org", NULL));
	assert_false(envelope_add(&other, "u3@example.org", NULL));
	assert_false(envelope_add(&e, "u30@example.org", NULL));
	assert_int_equal(e.rcpt_count, 51);
	assert_int_equal(other.rcpt_count, 22);
	arena_free(a);
}

static const struct {
	const char *word[4];
	const char *rcpt;
	unsigned bad;
} word_cases[] = {
	{ { "a@x" }, "a@x", 0 },
	{ { "a@x,b@x" }, "a@x b@x", 0 },
	{ { "A B <a@x>" }, "a@x", 0 },
	{ { "<a@x>" }, "a@x", 0 },
	{ { "f: a@x, b@x;" }, "a@x b@x", 0 },
	{ { "a@x b@x" }, "a@x b@x", 0 },
	{ { "a@x", "b@x", "A@X" }, "a@x b@x", 0 },
	{ { "", "a@x" }, "a@x", 0 },
	{ { "" }, "", 0 },
	{ { "root" }, "root", 0 },
	{ { "-dash@x" }, "-dash@x", 0 },
	{ { "\"john doe\"@x" }, "\"john doe\"@x", 0 },
	{ { "<>" }, "", 1 },
	{ { "bad@@x", "a@x" }, "a@x", 1 },
	{ { "bad@@x", "a@x", "also@" }, "a@x", 2 },
	{ { "a@x b@@x c@x" }, "a@x c@x", 1 },
	{ { "root b@@x c@x" }, "root c@x", 1 },
	{ { "John Doe <a@@b> c@x" }, "c@x", 1 },
	{ { "a@x, \"unbalanced, c@x" }, "a@x c@x", 1 },
	{ { "(open a@x" }, "a@x", 1 },
	{ { "<a@x b@x" }, "b@x", 1 },
	{ { "a@x b@x>" }, "a@x", 1 },
	{ { "a@x <b@x> c@x> d@x" }, "b@x d@x", 1 },
	{ { "f: a@x, b@@x; c@x" }, "a@x c@x", 1 },
	{ { "f: a@x, b@x" }, "b@x", 1 },
	{ { "a@x;b@@x;c@x" }, "a@x c@x", 1 },
	{ { "bad@@x <a@x>" }, "a@x", 0 },
	{ { "a@x>\r\nRCPT TO:<b@x" }, "", 1 },
	{ { "a@x\nRCPT TO:<b@x>" }, "a@x", 1 },
	{ { "a@x\nBcc: b@x" }, "a@x", 1 },
	{ { "a@x\x01" }, "", 1 },
	{ { "a@x", "=?utf-8?q?x?=" }, "a@x", 1 },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(word_cases); i++) {
		struct arena *a = arena_new();
		struct strbuf out = STRBUF_INIT(1000);
		struct envelope e;
		size_t n = 0;

		while (n < 4 && word_cases[i].word[n])
			n++;
		envelope_init(&e, a);
		envelope_add_words(&e, word_cases[i].word, n, NULL);
		join(&e, &out);
		if (e.unsendable_n != word_cases[i].bad ||
		    strcmp(out.buf, word_cases[i].rcpt) != 0)
			fail_msg("case %zu: %zu '%s'", i, e.unsendable_n, out.buf);
		for (size_t k = 0; k < e.unsendable_n; k++) {
			assert_int_equal(e.unsendable[k].why->exit, EX_USAGE);
			assert_string_equal(e.unsendable[k].why->status, "5.1.3");
		}
		strbuf_release(&out);
		arena_free(a);
	}
}

/* Every bad word is named, with the option that it belongs to. */
static void test_words_named(void **state)
{
	static const char *const words[] = { "one@@x", "good@x", "two@", "three<@x y@x" };
	struct arena *a = arena_new();
	struct envelope e;
	struct error err, nouser;

	(void)state;
	envelope_init(&e, a);
	envelope_add_words(&e, words, 4, "--to");
	assert_int_equal(e.rcpt_count, 2);
	assert_string_equal(e.unsendable[0].address, "one@@x");
	assert_string_equal(e.unsendable[0].why->text, "--to: address 'one@@x': two '@'");
	assert_string_equal(e.unsendable[2].address, "three<@x");
	assert_non_null(strstr(e.unsendable[2].why->text, "'three<@x y@x'"));

	/* all of them in one, with the exit code that counts */
	assert_int_equal(envelope_nobody(&e, &err), -1);
	assert_int_equal(err.exit, EX_USAGE);
	assert_non_null(strstr(err.text, "one@@x"));
	assert_non_null(strstr(err.text, "two@"));
	assert_non_null(strstr(err.text, "three<@x"));
	assert_null(strstr(err.text, "good@x"));
	error_set(&nouser, FAULT_RECIPIENT_INCOMPLETE, "nobody");
	envelope_set_aside(&e, "four", &nouser);
	assert_int_equal(envelope_nobody(&e, &err), -1);
	assert_int_equal(err.exit, EX_NOUSER);
	assert_int_equal(strncmp(err.text, "nobody; --to: address 'one@@x'", 30), 0);
	assert_int_equal(envelope_nobody(&e, NULL), -1);
	arena_free(a);
}

static const struct {
	const char *header, *rcpt;
} header_cases[] = {
	{ "To: \"Doe, John\" <q1@x>, \"john doe\"@x, q3@x (a, comment), (c) q4@x\n",
	  "q1@x \"john doe\"@x q3@x q4@x" },
	{ "To: t@x\nCc: c@x\nBcc: b@x\n", "t@x c@x b@x" },
	{ "BCC: b@x\nto: t@x\n", "b@x t@x" },
	{ "To : t@x\ntO: u@x\nTo:\n v@x,\n\tw@x\n", "t@x u@x v@x w@x" },
	{ "To: t@x\nTo: u@x\nCc: T@X\n", "t@x u@x" },
	{ "To: undisclosed-recipients:;\nBcc: b@x\n", "b@x" },
	{ "To: undisclosed-recipients:;\n", "" },
	{ "To:\nCc: \n", "" },
	{ "From: f@x\nReply-To: r@x\nSender: s@x\nApparently-To: a@x\nX-To: y@x\n", "" },
	{ "To: f: a@x, b@x;, c@x\n", "a@x b@x c@x" },
	{ "Subject: x\n\nTo: body@x\n", "" },
	{ "Resent-To: r@x\nTo: t@x\n", "r@x" },
	{ "To: t@x\nResent-Bcc: r@x\nCc: c@x\n", "r@x" },
	{ "Resent-Cc: \nTo: t@x\n", "" },
	{ "Resent-From: f@x\nResent-Date: x\nTo: t@x\n", "t@x" },
	{ "Resent-To: a@x\nResent-Cc: b@x\nResent-Bcc: c@x\nResent-From: f@x\nTo: t@x\n",
	  "a@x b@x c@x" },
	{ "Resent-To: a@x\nResent-To: b@x\nTo: t@x\n", "a@x b@x" },
	/* two blocks: with other fields between them, or side by side */
	{ "Resent-To: a@x\nReceived: x\nResent-To: b@x\nTo: t@x\n", "a@x" },
	{ "Resent-From: f@x\nResent-To: a@x\nResent-From: g@x\nResent-To: b@x\n", "a@x" },
	{ "Resent-Date: 1\nResent-To: a@x\nResent-Date: 2\nResent-To: b@x\n", "a@x" },
	{ "Resent-From: f@x\nReceived: x\nResent-To: b@x\nResent-Cc: c@x\nTo: t@x\n", "b@x c@x" },
	{ "Resent-From: f@x\nResent-Reply-To: q@x\nResent-To: a@x\nTo: t@x\n", "a@x" },
};

static struct message *read_header(const char *text)
{
	struct error err;

	return model_read(text, strlen(text), 0, &(struct message_options){ 0 }, &err);
}

static void test_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(header_cases); i++) {
		struct message *m = read_header(header_cases[i].header);
		struct strbuf out = STRBUF_INIT(1000);
		struct envelope e;
		struct error err = { 0 };

		envelope_init(&e, m->arena);
		int rc = envelope_add_header(&e, m, &err);

		join(&e, &out);
		if (rc || strcmp(out.buf, header_cases[i].rcpt) != 0)
			fail_msg("case %zu: %d '%s' %s", i, rc, out.buf, err.text);
		strbuf_release(&out);
		message_free(m);
	}
}

/* Words and header are joined, and what is in both goes out once. */
static void test_union(void **state)
{
	static const char *const words[] = { "x@y", "C@x" };
	struct message *m = read_header("To: t@x\nCc: c@x\nBcc: b@x\n");
	struct strbuf out = STRBUF_INIT(1000);
	struct envelope e;
	struct error err;

	(void)state;
	envelope_init(&e, m->arena);
	envelope_add_words(&e, words, 2, NULL);
	assert_int_equal(envelope_add_header(&e, m, &err), 0);
	join(&e, &out);
	assert_string_equal(out.buf, "x@y C@x t@x b@x");
	strbuf_release(&out);
	message_free(m);
}

static void test_bad_header(void **state)
{
	static const struct {
		const char *header, *name;
	} bad[] = {
		{ "Cc: foo@@bar, @x\n", "Cc" },
		{ "to: <a@x\n", "To" },
		{ "Bcc: \"a@x\n", "Bcc" },
		{ "Resent-To: a@\nTo: b@x\n", "Resent-To" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct message *m = read_header(bad[i].header);
		struct envelope e;
		struct error err;

		envelope_init(&e, m->arena);
		assert_int_equal(envelope_add_header(&e, m, &err), -1);
		assert_int_equal(err.exit, EX_DATAERR);
		assert_non_null(strstr(err.text, bad[i].name));
		assert_int_equal(e.rcpt_count, 0);
		message_free(m);
	}
}

/* The others are recipients, wherever the bad ones stand. */
static void test_bad_among_good(void **state)
{
	struct message *m = read_header("To: a@x, foo@@bar; f: b@x, (c <, y@;\nCc: d e, \"f@z\n"
					"Bcc: c@x, <g@h\n");
	struct envelope e;
	struct error err;

	(void)state;
	envelope_init(&e, m->arena);
	assert_int_equal(envelope_add_header(&e, m, &err), 0);
	assert_int_equal(e.rcpt_count, 3);
	assert_string_equal(e.rcpt[2].address, "c@x");
	assert_int_equal(e.unsendable_n, 6);
	assert_string_equal(e.unsendable[0].address, "foo@@bar");
	assert_string_equal(e.unsendable[3].address, "d e");
	assert_string_equal(e.unsendable[5].address, "<g@h");
	assert_int_equal(e.unsendable[5].why->exit, EX_DATAERR);
	assert_string_equal(e.unsendable[5].why->text,
			    "header field 'Bcc': address '<g@h': unbalanced '<'");
	message_free(m);
}

/* A field that does not count cannot stop the message. */
static void test_bad_field_that_does_not_count(void **state)
{
	struct message *m = read_header("Resent-To: a@x\nTo: bad@@x\nReply-To: <<\n");
	struct envelope e;
	struct error err;

	(void)state;
	envelope_init(&e, m->arena);
	assert_int_equal(envelope_add_header(&e, m, &err), 0);
	assert_int_equal(e.rcpt_count, 1);
	message_free(m);
}

static void test_describe(void **state)
{
	static const struct {
		const char *header, *text;
	} shown[] = {
		{ "To: undisclosed-recipients:;\n", "To: undisclosed-recipients:;, no Cc, no Bcc" },
		{ "Subject: x\n", "no To, no Cc, no Bcc" },
		{ "cc: a@x,\n b@x\nBcc:\n", "no To, Cc: a@x, b@x, Bcc: " },
		{ "To: \x1b[31m\n", "To: \\x1B[31m, no Cc, no Bcc" },
		{ "To: 1234567890123456789012345678901234567890123456789012345678\xc3\xbc@x\n",
		  "To: 1234567890123456789012345678901234567890123456789012345678\xc3\xbc..., "
		  "no Cc, no Bcc" },
		{ "To: 12345678901234567890123456789012345678901234567890123456789\xc3\xbc@x\n",
		  "To: 12345678901234567890123456789012345678901234567890123456789..., "
		  "no Cc, no Bcc" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		struct message *m = read_header(shown[i].header);
		struct envelope e;

		envelope_init(&e, m->arena);
		assert_string_equal(envelope_describe_header(&e, m), shown[i].text);
		message_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_counts),
		cmocka_unit_test(test_exclude),
		cmocka_unit_test(test_exclude_from_many),
		cmocka_unit_test(test_add_very_many),
		cmocka_unit_test(test_copy_of_envelope),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_named),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_union),
		cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_bad_among_good),
		cmocka_unit_test(test_bad_field_that_does_not_count),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
