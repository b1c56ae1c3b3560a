#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf_scratch.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"

static struct arena *arena;
static struct invocation inv;
static struct account account;
static struct envelope envelope;
static struct result result;
static struct report report;
static struct strbuf text = STRBUF_INIT(16 << 20);

/* Three recipients: accepted, refused, deferred. */
static int setup(void **state)
{
	static const char *const addresses[] = { "a@x", "b@x", "c@x" };

	if (scratch_setup(state))
		return -1;
	arena = arena_new();
	inv = (struct invocation){ .arena = arena, .name = "sendmail" };
	account = (struct account){ .name = "work", .host = "mail.example", .syslog = -1,
				    .logfile_time_format = "T" };
	account.logfile = scratch_path("log");
	unlink(account.logfile);
	envelope_init(&envelope, arena);
	envelope.sender = "me@own.example";
	envelope.size = 99;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		envelope_add(&envelope, addresses[i], NULL);
	result_init(&result, arena, ARRAY_LEN(addresses));
	result.server = "mail.example:587";
	result.address = "192.0.2.1";
	result.reply_text = "250 2.0.0 queued as 4711";
	result.rcpt[0].outcome = OUTCOME_ACCEPTED;
	result.rcpt[0].error.reply = 250;
	memcpy(result.rcpt[0].error.status, "2.0.0", 6);
	struct error err;

	error_set(&err, FAULT_RECIPIENT_UNKNOWN, "RCPT TO <b@x>: 550 5.1.1 no \"such\" user");
	err.reply = 550;
	error_mark_words(&err, strlen("RCPT TO <b@x>: "));
	error_prefix(&err, "mail.example:587");		/* they move with it */
	result_set_error(&result, 1, &err);
	error_set_status(&err, FAULT_REFUSED_FOR_NOW, "4.2.2", "RCPT TO <c@x>: 452 4.2.2 full");
	err.reply = 452;
	error_mark_words(&err, strlen("RCPT TO <c@x>: "));
	result_set_error(&result, 2, &err);
	result_settle(&result);
	report = (struct report){ .inv = &inv, .account = &account, .envelope = &envelope,
				  .result = &result, .message_id = "<id@x>", .attempt = 2,
				  .orig_sender = "root", .queue_id = "4B1C", .milliseconds = 1234 };
	return 0;
}

static int teardown(void **state)
{
	arena_free(arena);
	strbuf_release(&text);
	return scratch_teardown(state);
}

static const char *logged(void)
{
	struct error err;

	unlink(account.logfile);
	report_log(&report);
	int fd = fs_open_read(account.logfile);

	assert_true(fd >= 0);
	strbuf_reset(&text);
	assert_int_equal(fs_read_fd(fd, "log", &text, &err), 0);
	close(fd);
	return text.buf;
}

static const char *uid(void)
{
	return arena_printf(arena, "%lu", (unsigned long)getuid());
}

static void key_values(void **state)
{
	(void)state;
	account.report.log_format = LOG_FORMAT_KEY_VALUE;
	assert_string_equal(logged(), arena_printf(arena,
		"T id=4B1C msgid=<id@x> uid=%s from=me@own.example orig_from=root to=a@x "
		"account=work host=mail.example:587 addr=192.0.2.1 tls=off code=250 dsn=2.0.0 "
		"reply=\"250 2.0.0 queued as 4711\" delay=1.234 attempt=2 exitcode=EX_OK "
		"status=accepted\n"
		"T id=4B1C msgid=<id@x> uid=%s from=me@own.example orig_from=root to=b@x "
		"account=work host=mail.example:587 addr=192.0.2.1 tls=off code=550 dsn=5.1.1 "
		"reply=\"550 5.1.1 no \\x22such\\x22 user\" "
		"error=\"mail.example:587: RCPT TO <b@x>: 550 5.1.1 no \\x22such\\x22 user\" "
		"delay=1.234 attempt=2 "
		"exitcode=EX_NOUSER status=refused\n"
		"T id=4B1C msgid=<id@x> uid=%s from=me@own.example orig_from=root to=c@x "
		"account=work host=mail.example:587 addr=192.0.2.1 tls=off code=452 dsn=4.2.2 "
		"reply=\"452 4.2.2 full\" error=\"RCPT TO <c@x>: 452 4.2.2 full\" "
		"delay=1.234 attempt=2 "
		"exitcode=EX_TEMPFAIL status=deferred\n", uid(), uid(), uid()));
}

static void json_lines(void **state)
{
	(void)state;
	account.report.log_format = LOG_FORMAT_JSON;
	report.queue_id = NULL;
	const char *got = logged();
	const char *second = strchr(got, '\n');

	assert_int_equal(strncmp(got, "{\"time\":\"20", 11), 0);
	assert_non_null(second);
	second = strstr(second + 1, "Z\",");
	assert_non_null(second);
	const char *wanted = arena_printf(arena,
		"Z\",\"id\":null,\"msgid\":\"<id@x>\",\"uid\":%s,\"from\":\"me@own.example\","
		"\"orig_from\":\"root\",\"to\":\"b@x\",\"account\":\"work\","
		"\"host\":\"mail.example:587\",\"addr\":\"192.0.2.1\",\"tls\":\"off\","
		"\"auth\":null,\"code\":550,\"dsn\":\"5.1.1\","
		"\"reply\":\"550 5.1.1 no \\\"such\\\" user\","
		"\"error\":\"mail.example:587: RCPT TO <b@x>: 550 5.1.1 no \\\"such\\\" user\","
		"\"delay\":1.234,"
		"\"attempt\":2,\"exitcode\":\"EX_NOUSER\",\"status\":\"refused\"}\n", uid());

	assert_int_equal(strncmp(second, wanted, strlen(wanted)), 0);
}

/* The line that msmtp writes, then what became of each recipient. */
static void msmtp_and_several_ends(void **state)
{
	(void)state;
	const char *got = logged();

	static const char begin[] = "T host=mail.example:587 tls=off auth=off from=me@own.example "
				    "recipients=a@x,b@x,c@x mailsize=99 smtpstatus=550 "
				    "smtpmsg='550 5.1.1 no \"such\" user' ";

	assert_int_equal(strncmp(got, begin, strlen(begin)), 0);
	assert_non_null(strstr(got, " exitcode=EX_NOUSER account=work addr=192.0.2.1 msgid=<id@x> "
			       "delay=1.234 id=4B1C uid="));
	assert_non_null(strstr(got, " orig_from=root dsn=5.1.1 attempt=2 status=refused\n"));
	assert_non_null(strstr(got, "\nT to=a@x status=accepted code=250 dsn=2.0.0 "
			       "reply='250 2.0.0 queued as 4711' account=work msgid=<id@x> "
			       "id=4B1C\n"));
	assert_non_null(strstr(got, "\nT to=c@x status=deferred code=452 dsn=4.2.2 "));
	/* one end for all is one line */
	result.rcpt[1] = result.rcpt[2] = result.rcpt[0];
	result_settle(&result);
	got = logged();
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	assert_non_null(strstr(got, " exitcode=EX_OK "));
	assert_null(strstr(got, " dsn="));
}

static void sender_before_rewriting(void **state)
{
	static const struct { const char *was, *is, *wanted; } cases[] = {
		{ "root", "me@own.example", " orig_from=root " },
		{ "me@own.example", "me@own.example", NULL },
		{ NULL, "me@own.example", NULL },
		{ "", "me@own.example", " orig_from=<> " },
		{ "", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		report.orig_sender = cases[i].was;
		envelope.sender = cases[i].is;
		const char *got = logged();

		if (cases[i].wanted)
			assert_non_null(strstr(got, cases[i].wanted));
		else
			assert_null(strstr(got, "orig_from"));
	}
}

/* Nothing was tried: one line, or one for each recipient, with the same keys. */
static void never_tried(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, FAULT_CONFIG, "no password = none");
	report.result = NULL;
	report.error = &err;
	report.attempt = 0;
	account.report.log_format = LOG_FORMAT_KEY_VALUE;
	const char *got = logged();

	assert_non_null(strstr(got, " to=c@x account=work host=mail.example dsn=5.3.5 "
			       "error=\"no password = none\" exitcode=EX_CONFIG status=failed\n"));
	assert_null(strstr(got, "delay="));
	envelope.rcpt_count = 0;
	got = logged();
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	assert_null(strstr(got, " to="));
}

/* Thrown away as the account says: no failure, and no attempt. */
static void discarded(void **state)
{
	(void)state;
	result_init(&result, arena, result.rcpt_count);
	for (size_t i = 0; i < result.rcpt_count; i++)
		result.rcpt[i].outcome = OUTCOME_ACCEPTED;
	result_settle(&result);
	report.discarded = true;
	report.attempt = 0;
	assert_non_null(strstr(logged(), " exitcode=EX_OK account=work msgid=<id@x> id=4B1C "));
	assert_non_null(strstr(text.buf, " status=discarded\n"));
	account.report.log_format = LOG_FORMAT_KEY_VALUE;
	assert_non_null(strstr(logged(), " to=c@x account=work host=mail.example exitcode=EX_OK "
			       "status=discarded\n"));
	account.report.log_format = LOG_FORMAT_JSON;
	assert_non_null(strstr(logged(), "\"code\":null,\"dsn\":null,\"reply\":null,"));
	assert_int_equal(report_end(&report), 0);
}

/* Whatever anybody says, a line stays a line, and a value a value. */
static void lines_cannot_be_forged(void **state)
{
	static const enum log_format formats[] = { LOG_FORMAT_MSMTP, LOG_FORMAT_KEY_VALUE,
						   LOG_FORMAT_JSON };
	static const char evil[] = "250 x\r\nT id=1 status=accepted \" ' \033[1m \xff";

	(void)state;
	result.reply_text = evil;
	report.message_id = evil;
	report.orig_sender = evil;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		account.report.log_format = formats[i];
		const char *got = logged();
		size_t lines = 0;

		for (const char *p = got; *p; p++) {
			lines += *p == '\n';
			assert_true(*p == '\n' || (unsigned char)*p >= 32);
		}
		assert_int_equal(lines, formats[i] == LOG_FORMAT_MSMTP ? 4 : 3);
		assert_null(strstr(got, "\nT id=1"));
		if (formats[i] == LOG_FORMAT_KEY_VALUE)
			assert_non_null(strstr(got, "accepted \\x22 ' \\x1B[1m \\xFF\""));
	}
}

static void beside_the_sending(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, FAULT_CONFIG, "on_failure: command 'x' ended with status 1");
	unlink(account.logfile);
	report_log_aside(&report, &err);
	int fd = fs_open_read(account.logfile);

	assert_true(fd >= 0);
	strbuf_reset(&text);
	assert_int_equal(fs_read_fd(fd, "log", &text, &err), 0);
	close(fd);
	assert_string_equal(text.buf, "T id=4B1C msgid=<id@x> account=work "
			    "warning=\"on_failure: command 'x' ended with status 1\"\n");
	account.logfile = NULL;
	report_log_aside(&report, &err);
	report.account = NULL;
	report_log_aside(&report, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(key_values, setup, teardown),
		cmocka_unit_test_setup_teardown(json_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(msmtp_and_several_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(sender_before_rewriting, setup, teardown),
		cmocka_unit_test_setup_teardown(never_tried, setup, teardown),
		cmocka_unit_test_setup_teardown(discarded, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_cannot_be_forged, setup, teardown),
		cmocka_unit_test_setup_teardown(beside_the_sending, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
