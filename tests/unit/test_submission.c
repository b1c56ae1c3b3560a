#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "message/header.h"
#include "message/message.h"
#include "prepare/rewriter.h"
#include "submit/submission.h"
#include "util/arena.h"
#include "util/error.h"

static const char accounts[] =
	"[account default]\nhost = h\nfrom = me@own.example\ndefault_domain = own.example\n"
	"[account work]\nhost = w\nfrom = *@work.example\ndsn_notify = failure\n"
	"dsn_return = headers\ndefault_domain = work.example\nalways_bcc = copy@work.example\n"
	"[account closed]\nhost = c\ndeny_users = *\n";

static struct config *config;
static struct submission s;
static struct error err;
static unsigned notes;

static int setup(void **state)
{
	struct error failure;

	(void)state;
	notes = 0;
	err = (struct error){ .exit = 0 };
	if (config_load_text("rc", accounts, strlen(accounts), &config, &failure) < 0)
		fail_msg("%s", failure.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	submission_release(&s);
	s = (struct submission){ .request = NULL };
	config_free(config);
	return 0;
}

static void count_note(void *ctx, const char *text)
{
	(void)ctx;
	assert_non_null(strstr(text, "single dot"));
	notes++;
}

static const struct submission_observer counters = { count_note, NULL };

static void begin(const struct submission_request *r, const struct submission_observer *l)
{
	submission_init(&s, r, l);
	s.config = config;
}

static struct message *message_of(const char *text)
{
	const struct message_options opt = { .wire = true };
	struct message_reader *r = message_reader_new(&opt);
	struct message *m = NULL;

	if (message_reader_push(r, text, strlen(text), &err) < 0 ||
	    message_reader_finish(r, &m, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

static void assert_recipient(size_t i, const char *address)
{
	assert_true(i < s.envelope.rcpt_count);
	assert_string_equal(s.envelope.rcpt[i].address, address);
}

/* Standard input is a pipe with that text, which has ended. */
static void type(const char *text)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
}

/* What a listener or a queue has: a message and an envelope, no words and no standard input. */
static void test_given(void **state)
{
	const struct submission_request r = { .sender = "a@work.example" };

	(void)state;
	type("To: nobody@x.example\n\nnot to be read\n");
	begin(&r, NULL);
	s.message = message_of("Subject: x\r\n\r\nbody\r\n");
	envelope_add(&s.envelope, "one@x.example", "rfc822;alias@x.example");
	envelope_add(&s.envelope, "two@x.example", NULL);
	s.envelope.rcpt[0].notify = 8;
	s.envelope.envid = "id1";
	s.envelope.ret = 7;
	if (submission_prepare(&s, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(s.account->name, "work");
	assert_string_equal(s.envelope.sender, "a@work.example");
	assert_int_equal(s.envelope.rcpt_count, 3);
	assert_recipient(0, "one@x.example");
	assert_string_equal(s.envelope.rcpt[0].orcpt, "rfc822;alias@x.example");
	assert_int_equal(s.envelope.rcpt[0].notify, 8);
	assert_recipient(1, "two@x.example");
	assert_int_equal(s.envelope.rcpt[1].notify, s.account->dsn_notify);
	assert_recipient(2, "copy@work.example");
	assert_string_equal(s.envelope.envid, "id1");
	assert_int_equal(s.envelope.ret, 7);
	assert_false(s.input_read);
	assert_true(s.envelope.size > 0);
	assert_null(s.loaded);
}

/* The message names recipient and account; what stands behind the dot is told. */
static void test_read(void **state)
{
	const struct submission_request r = { .read_recipients = true };

	(void)state;
	type("From: b@work.example\nTo: one@x.example\n\nbody\n.\nmore\n");
	begin(&r, &counters);
	if (submission_prepare(&s, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(s.account->name, "work");
	assert_recipient(0, "one@x.example");
	assert_int_equal(s.envelope.rcpt[0].notify, s.account->dsn_notify);
	assert_int_equal(s.envelope.ret, s.account->dsn_return);
	assert_int_equal(notes, 1);
	assert_true(s.input_read);
}

/* Requests of the command line go before those of the account. */
static void test_requests(void **state)
{
	const char *word[] = { "one@x.example" };
	const struct submission_request r = {
		.account = "work", .sender = "c@work.example", .word = word, .words = 1,
		.dsn_notify = 2, .dsn_ret = 1, .envid = "mine",
	};

	(void)state;
	begin(&r, NULL);
	s.message = message_of("\r\n");
	s.envelope.envid = "other";
	s.envelope.ret = 7;
	if (submission_prepare(&s, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(s.envelope.rcpt[0].notify, 2);
	assert_int_equal(s.envelope.ret, 1);
	assert_string_equal(s.envelope.envid, "mine");
}

/* Where nobody is left, nothing is read or chosen; else the others get it. */
static void test_bad_words(void **state)
{
	const char *word[] = { "a@@b", "<", "good@x.example" };
	struct submission_request r = { .account = "work", .word = word, .words = 2 };

	(void)state;
	begin(&r, NULL);
	assert_int_equal(submission_prepare(&s, &err), -1);
	assert_int_equal(err.exit, EX_USAGE);
	assert_true(s.refused);
	assert_false(s.input_read);
	assert_null(s.account);
	assert_int_equal(s.envelope.unsendable_n, 2);
	assert_non_null(strstr(err.text, "a@@b"));
	submission_release(&s);

	r.words = 3;
	begin(&r, NULL);
	s.message = message_of("\r\n");
	if (submission_prepare(&s, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(s.refused);
	assert_int_equal(s.envelope.rcpt_count, 2);	/* always_bcc */
	assert_int_equal(s.envelope.unsendable_n, 2);
}

static void test_not_allowed(void **state)
{
	const char *word[] = { "one@x.example" };
	const struct submission_request r = { .account = "closed", .word = word, .words = 1 };

	(void)state;
	begin(&r, NULL);
	s.message = message_of("\r\n");
	assert_int_equal(submission_prepare(&s, &err), -1);
	assert_int_equal(err.exit, EX_NOPERM);
	assert_string_equal(s.account->name, "closed");
	assert_null(s.envelope.orig_sender);
}

static void test_account(void **state)
{
	const struct submission_request r = { .sender = "d@work.example", .explain = true };
	const struct submission_request none = { .account = "nil" };
	const struct submission_request no_file = { .config.file = "/nowhere/rc" };

	(void)state;
	begin(&r, NULL);
	assert_int_equal(submission_account(&s, &err), 0);
	assert_string_equal(s.account->name, "work");
	assert_int_equal(s.explain.n, 1);
	submission_release(&s);

	begin(&none, NULL);
	assert_int_equal(submission_account(&s, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_ptr_equal(s.config, config);
	submission_release(&s);

	submission_init(&s, &no_file, NULL);
	assert_int_equal(submission_account(&s, &err), -1);
	assert_null(s.config);
}

/* The envelope of the submission stays as it is, unless it is the one to be filled. */
static void test_expand(void **state)
{
	const struct submission_request r = { .account = "default" };
	struct envelope e;

	(void)state;
	begin(&r, NULL);
	assert_int_equal(submission_account(&s, &err), 0);
	assert_int_equal(submission_expand(&s, "joe", &e, &err), 0);
	assert_int_equal(e.rcpt_count, 1);
	assert_string_equal(e.rcpt[0].address, "joe@own.example");
	assert_string_equal(e.sender, "");
	assert_int_equal(s.envelope.rcpt_count, 0);
	assert_int_equal(submission_expand(&s, "a@@b", &e, &err), -1);
	assert_string_equal(e.rcpt[0].address, "joe@own.example");

	s.envelope.sender = "me@own.example";
	assert_int_equal(submission_expand(&s, "ann", &s.envelope, &err), 0);
	assert_recipient(0, "ann@own.example");
	assert_string_equal(s.envelope.sender, "me@own.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_given, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_account, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
