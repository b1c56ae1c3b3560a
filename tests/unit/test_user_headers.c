#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "message_model.h"
#include "prepare/prepare.h"
#include "prepare/user_headers.h"
#include "util/arena.h"
#include "util/error.h"

#define MAX 12

static struct arena *arena;
static struct account account;

static int setup(void **state)
{
	static const char *const from[] = { "jo@example.org", NULL };

	(void)state;
	setenv("LC_ALL", "C", 1);
	arena = arena_new();
	account = (struct account){ .name = "a", .from = from,
				     .compose = { .max_header_length = 78 } };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct message *message_of(const char *text)
{
	const struct message_options opt = { .dots_ignored = true };
	struct error err;
	struct message *m = model_read(text, strlen(text), 0, &opt, &err);

	assert_non_null(m);
	return m;
}

/* "+Name: value", "=Name: value", "-Name", separated by '|'. */
static void parse_fields(struct compose_request *req, const char *text)
{
	char *s = arena_strdup(arena, text);

	req->field = arena_calloc(arena, MAX, sizeof(*req->field));
	while (s && *s) {
		char *bar = strchr(s, '|'), *colon;

		if (bar)
			*bar++ = '\0';
		struct field_request *f = &req->field[req->field_n++];

		colon = strstr(s, ": ");
		f->change = *s == '+' ? FIELD_ADD : *s == '=' ? FIELD_SET : FIELD_DELETE;
		f->name = arena_strndup(arena, s + 1,
					colon ? (size_t)(colon - s - 1) : strlen(s + 1));
		f->value = colon ? colon + 2 : NULL;
		f->option = "--opt";
		s = bar;
	}
}

static const char *header_text(const struct message *m)
{
	char *text = arena_strdup(arena, "");

	for (size_t i = 0; i < m->header.n; i++)
		text = arena_printf(arena, "%s%s", text, m->header.field[i].text);
	return text;
}

#define OLD "Received: x\nSubject: old\nX-A: 1\nx-a: 2\n\nbody\n"

static void test_apply(void **state)
{
	static const struct { const char *fields, *want; } cases[] = {
		{ "+X-B: 1", "Received: x\r\nSubject: old\r\nX-A: 1\r\nx-a: 2\r\nX-B: 1\r\n" },
		{ "+X-B: 1|+X-B: 2",
		  "Received: x\r\nSubject: old\r\nX-A: 1\r\nx-a: 2\r\nX-B: 1\r\nX-B: 2\r\n" },
		{ "=X-A: 3", "Received: x\r\nSubject: old\r\nX-A: 3\r\n" },
		{ "=X-B: 3", "Received: x\r\nSubject: old\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\n" },
		{ "=X-A: 3|=X-A: 4", "Received: x\r\nSubject: old\r\nX-A: 4\r\n" },
		{ "-X-A", "Received: x\r\nSubject: old\r\n" },
		{ "-X-A|+X-A: 5", "Received: x\r\nSubject: old\r\nX-A: 5\r\n" },
		{ "-X-Nobody", "Received: x\r\nSubject: old\r\nX-A: 1\r\nx-a: 2\r\n" },
		{ "=Subject: new", "Received: x\r\nSubject: new\r\nX-A: 1\r\nx-a: 2\r\n" },
		{ "-Subject|+Subject: new",
		  "Received: x\r\nX-A: 1\r\nx-a: 2\r\nSubject: new\r\n" },
		{ "-Received|-Subject|-X-A", "" },
		{ "", "Received: x\r\nSubject: old\r\nX-A: 1\r\nx-a: 2\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message *m = message_of(OLD);
		struct compose_request req = { 0 };
		struct error err = { .exit = 0 };

		parse_fields(&req, cases[i].fields);
		assert_int_equal(user_headers_check(&req, &err), 0);
		if (user_headers_apply(m, &req, NULL, 0, &err) < 0)
			fail_msg("%s: %s", cases[i].fields, err.text);
		assert_string_equal(header_text(m), cases[i].want);
		message_free(m);
	}
}

static void test_twice(void **state)
{
	static const char *const cases[] = { "+Subject: x", "+subject: x", "+Date: a|+Date: b",
		"+References: <a@b>|+References: <c@d>", "=From: a@b|+From: c@d" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message *m = message_of(OLD);
		struct compose_request req = { 0 };
		struct error err = { .exit = 0 };

		parse_fields(&req, cases[i]);
		assert_int_equal(user_headers_apply(m, &req, NULL, 0, &err), -1);
		assert_int_equal(err.exit, EX_USAGE);
		assert_non_null(strstr(err.text, "--set-header"));
		assert_string_equal(header_text(m),
				    "Received: x\r\nSubject: old\r\nX-A: 1\r\nx-a: 2\r\n");
		message_free(m);
	}
}

/* What the header holds is known anew. */
static void test_facts(void **state)
{
	static const struct { const char *fields; bool eight, utf8; } cases[] = {
		{ "+X: a", false, false }, { "+X: \xc3\xbc", true, true },
		{ "+X: \xfc", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message *m = message_of(OLD);
		struct compose_request req = { 0 };
		struct error err;

		parse_fields(&req, cases[i].fields);
		assert_int_equal(user_headers_apply(m, &req, NULL, 0, &err), 0);
		assert_int_equal(m->header_8bit, cases[i].eight);
		assert_int_equal(m->header_utf8, cases[i].utf8);
		req.field_n = 0;
		parse_fields(&req, "-X");
		assert_int_equal(user_headers_apply(m, &req, NULL, 0, &err), 0);
		assert_false(m->header_8bit);
		message_free(m);
	}
}

/* The fields of recipients of a new message. */
static void test_recipients(void **state)
{
	static const struct {
		const char *to, *cc, *bcc, *word;
		const char *want;
	} cases[] = {
		{ "a@x", NULL, NULL, NULL, "To: a@x\r\n" },
		{ "a@x b@x;c@x", NULL, NULL, NULL, "To: a@x, b@x, c@x\r\n" },
		{ "J. R. Doe <a@x>", "b@x (Joe)", "c@x", "d@x",
		  "To: \"J. R. Doe\" <a@x>\r\nCc: Joe <b@x>\r\n" },
		{ NULL, NULL, "c@x", "d@x", "To: undisclosed-recipients:;\r\n" },
		{ NULL, NULL, NULL, "d@x, \"E, F\" <e@x>", "To: d@x, \"E, F\" <e@x>\r\n" },
		{ NULL, NULL, NULL, NULL, "To: undisclosed-recipients:;\r\n" },
		{ NULL, "a@x", NULL, NULL, "Cc: a@x\r\n" },
		{ "Friends: a@x, B <b@x>;", NULL, NULL, NULL, "To: Friends: a@x, B <b@x>;\r\n" },
		{ "J\xc3\xb6rg <a@x>", NULL, NULL, NULL,
		  "To: =?utf-8?B?SsO2cmc=?= <a@x>\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address_request list[3];
		struct compose_request req = { .compose = true, .address = list };
		const char *given[] = { cases[i].to, cases[i].cc, cases[i].bcc };
		struct message *m = message_of("MIME-Version: 1.0\n\n");
		struct error err = { .exit = 0 };

		for (enum visible v = VISIBLE_TO; v <= VISIBLE_BCC; v++) {
			if (given[v])
				list[req.address_n++] = (struct address_request){ v, given[v] };
		}
		if (user_headers_apply(m, &req, &cases[i].word, cases[i].word ? 1 : 0, &err) < 0)
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(header_text(m),
				    arena_printf(arena, "%sMIME-Version: 1.0\r\n", cases[i].want));
		message_free(m);
	}
}

static void test_envelope(void **state)
{
	struct address_request list[] = { { VISIBLE_TO, "A <a@x>, b@x" },
					  { VISIBLE_BCC, "A@x c@x" }, { VISIBLE_CC, "d@@x" } };
	struct compose_request req = { .compose = true, .address = list, .address_n = 2 };
	struct envelope e;

	(void)state;
	envelope_init(&e, arena);
	user_headers_recipients(&e, &req);
	assert_int_equal(e.rcpt_count, 3);
	assert_string_equal(e.rcpt[2].address, "c@x");
	req.address_n = 3;
	user_headers_recipients(&e, &req);
	assert_int_equal(e.unsendable_n, 1);
	assert_string_equal(e.unsendable[0].address, "d@@x");
	assert_string_equal(e.unsendable[0].why->text, "--cc: address 'd@@x': two '@'");
}

/* Runs the last step for a sender; the header, NULL on failure. */
static const char *finish(struct compose_request *req, const char *text, const char *sender,
			  const char **warning, struct error *err)
{
	const struct prepare_options opt = { .full_name = "Jo" };
	struct message *m = message_of(text);
	struct envelope e;
	const char *out = NULL;

	envelope_init(&e, arena);
	e.sender = sender;
	*warning = NULL;
	if (user_headers_apply(m, req, NULL, 0, err) == 0 &&
	    user_headers_finish(m, req, &account, &e, &opt, warning, err) == 0)
		out = header_text(m);
	/* texts and warning live in the message's arena */
	*warning = *warning ? arena_strdup(arena, *warning) : NULL;
	message_free(m);
	return out;
}

static void test_receipts(void **state)
{
	static const struct {
		const char *text, *address, *sender, *want;
		bool warns;
	} cases[] = {
		{ "From: a@x\n\n", NULL, "a@x", "a@x", false },
		{ "From: A <A@x>\n\n", NULL, "a@x", "A@x", false },
		{ "From: a@x\n\n", NULL, "b@x", "a@x", true },
		{ "From: a@x\n\n", "c@x", "a@x", "c@x", true },
		{ "From: a@x\n\n", "A <a@x>", "a@x", "A <a@x>", false },
		{ "From: a@x\n\n", "a@x, b@x", "a@x", "a@x, b@x", true },
		{ "\n", NULL, "s@x", "s@x", false },
		{ "\n", NULL, "", "jo@example.org", true },
		{ "From: a@@x\n\n", NULL, "s@x", "s@x", false },
		{ "Disposition-Notification-To: old@x\nFrom: a@x\n\n", NULL, "a@x", "a@x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct compose_request req = { .read_receipt = { true, cases[i].address } };
		const char *warning;
		struct error err = { .exit = 0 };
		const char *got = finish(&req, cases[i].text, cases[i].sender, &warning, &err);
		const char *want = arena_printf(arena, "Disposition-Notification-To: %s\r\n",
						cases[i].want);

		if (!got || !strstr(got, want) || strstr(got, "old@x"))
			fail_msg("%zu: %s", i, got ? got : err.text);
		assert_int_equal(warning != NULL, cases[i].warns);
	}
}

static void test_receipt_refused(void **state)
{
	struct compose_request req = { .read_receipt = { true, NULL } };
	const char *warning;
	struct error err = { .exit = 0 };

	(void)state;
	assert_null(finish(&req, "Content-Type: multipart/report;\n "
			   "report-type=disposition-notification; boundary=x\n\n", "a@x",
			   &warning, &err));
	assert_int_equal(err.exit, EX_DATAERR);
	account.set_msgid_header = SET_HEADER_OFF;
	assert_null(finish(&req, "From: a@x\n\n", "a@x", &warning, &err));
	assert_non_null(strstr(err.text, "Message-ID"));
	assert_non_null(finish(&req, "From: a@x\nMessage-ID: <1@x>\n\n", "a@x", &warning, &err));
}

/* Several authors and no sender: the first one. */
static void test_sender(void **state)
{
	static const struct { const char *fields, *want; } cases[] = {
		{ "=From: a@x, b@x", "From: a@x, b@x\r\nSender: a@x\r\n" },
		{ "=From: a@x", "From: a@x\r\n" },
		{ "=From: a@x, b@x|=Sender: c@x", "From: a@x, b@x\r\nSender: c@x\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct compose_request req = { 0 };
		const char *warning;
		struct error err = { .exit = 0 };

		parse_fields(&req, cases[i].fields);
		assert_string_equal(user_headers_from(&req), strchr(cases[i].want, ':') + 2 ?
				    req.field[0].value : NULL);
		assert_string_equal(finish(&req, "\n", "a@x", &warning, &err), cases[i].want);
	}
	struct compose_request none = { 0 };

	assert_null(user_headers_from(&none));
}

static void test_importance(void **state)
{
	static const struct { const char *importance; bool all; const char *want; } cases[] = {
		{ "low", false, "Importance: low\r\n" },
		{ "high", true,
		  "Importance: high\r\nX-Priority: 1\r\nX-MSMail-Priority: High\r\n" },
		{ "normal", true,
		  "Importance: normal\r\nX-Priority: 3\r\nX-MSMail-Priority: Normal\r\n" },
		{ "low", true, "Importance: low\r\nX-Priority: 5\r\nX-MSMail-Priority: Low\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct compose_request req = { .importance = cases[i].importance };
		const char *warning;
		struct error err;

		account.compose.importance_all = cases[i].all;
		assert_string_equal(finish(&req, "\n", "a@x", &warning, &err), cases[i].want);
		/* what is there is replaced */
		const char *old = finish(&req, "IMPORTANCE: x\n\n", "a@x", &warning, &err);

		assert_string_equal(old, cases[i].want);
	}
}

/* Only fields of options are encoded and folded; the others stay octet for octet. */
static void test_form(void **state)
{
	struct compose_request req = { 0 };
	const char *warning;
	struct error err = { .exit = 0 };
	const char *old = "X-Old: raw \xc3\xbc  and a line that is quite a bit longer than the "
			  "width of the lines that are made\r\n";

	(void)state;
	parse_fields(&req, "+X-New: raw \xc3\xbc|+X-Word: =?x?q?y?=|+X-Long: a word and then "
		     "some more of them, so that the line gets longer than a line may be");
	assert_string_equal(finish(&req, arena_printf(arena, "%s\n", old), "a@x", &warning, &err),
			    arena_printf(arena, "%sX-New: raw =?utf-8?B?w7w=?=\r\n"
					 "X-Word: =?utf-8?B?PT94P3E/eT89?=\r\n"
					 "X-Long: a word and then some more of them, so that the "
					 "line gets longer than a\r\n line may be\r\n", old));
}

static void test_strict(void **state)
{
	static const struct { const char *text; bool good; } cases[] = {
		{ "Subject: a\nSubject: b\n\n", false }, { "From: a@x\nFROM: a@x\n\n", false },
		{ "References: <a@b>\nReferences: <c@d>\n\n", false },
		{ "X: a\nX: b\nReceived: c\nReceived: d\n\n", true },
		{ "Resent-To: a@x\nResent-To: b@x\n\n", true }, { "\n", true },
		{ "Subject: a\n\nSubject: b\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct compose_request req = { 0 };
		const char *warning;
		struct error err = { .exit = 0 };

		account.compose.strict_headers = true;
		assert_int_equal(finish(&req, cases[i].text, "a@x", &warning, &err) != NULL,
				 cases[i].good);
		assert_int_equal(err.exit, cases[i].good ? 0 : EX_DATAERR);
		account.compose.strict_headers = false;
		assert_non_null(finish(&req, cases[i].text, "a@x", &warning, &err));
	}
}

static void test_references(void **state)
{
	(void)state;
	for (size_t n = 1; n < 15; n++) {
		char *ids = arena_strdup(arena, ""), *want = ids;
		struct message *m = message_of("\n");
		struct field_request field = { FIELD_SET, "References", NULL, "--references" };
		struct compose_request req = { .compose = true, .field = &field, .field_n = 1 };
		struct error err;

		for (size_t i = 0; i < n; i++) {
			ids = arena_printf(arena, "%s%s<%zu@x>", ids, i ? " " : "", i);
			if (i == 0 || i + 9 >= n)
				want = arena_printf(arena, "%s%s<%zu@x>", want, i ? " " : "", i);
		}
		field.value = ids;
		assert_int_equal(user_headers_apply(m, &req, NULL, 0, &err), 0);
		assert_non_null(strstr(header_text(m),
				       arena_printf(arena, "References: %s\r\n", want)));
		message_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_apply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_facts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_envelope, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receipts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receipt_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sender, setup, teardown),
		cmocka_unit_test_setup_teardown(test_importance, setup, teardown),
		cmocka_unit_test_setup_teardown(test_form, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strict, setup, teardown),
		cmocka_unit_test_setup_teardown(test_references, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
