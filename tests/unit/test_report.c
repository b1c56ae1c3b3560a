#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <syslog.h>

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf_scratch.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/logsocket.h"
#include "util/strbuf.h"

/* What a test writes to a standard descriptor, by way of a file without a name. */
struct capture {
	int fd, saved, file;
};

static void capture_start(struct capture *c, int fd)
{
	char name[] = "/tmp/msubmit-capture-XXXXXX";

	fflush(NULL);
	c->fd = fd;
	c->saved = dup(fd);
	c->file = mkstemp(name);
	assert_true(c->saved >= 0 && c->file >= 0);
	unlink(name);
	assert_int_equal(dup2(c->file, fd), fd);
}

static struct strbuf captured = STRBUF_INIT(16 << 20);

static const char *capture_end(struct capture *c)
{
	struct error err;

	assert_int_equal(dup2(c->saved, c->fd), c->fd);
	close(c->saved);
	strbuf_reset(&captured);
	assert_int_equal(lseek(c->file, 0, SEEK_SET), 0);
	assert_int_equal(fs_read_fd(c->file, "captured", &captured, &err), 0);
	close(c->file);
	return captured.buf;
}

/* --- syslog: what is written there stays here ----------------------------------------- */

static char logged_line[4096];
static int logged_times, logged_priority;

void logsocket_send(const char *path, int priority, const char *ident, const char *line)
{
	(void)path;
	(void)ident;
	logged_times++;
	logged_priority = LOG_PRI(priority);
	snprintf(logged_line, sizeof(logged_line), "%s", line);
}

/* --- the world of a report --------------------------------------------------------- */

static struct arena *arena;
static struct account account;
static struct envelope envelope;
static struct result result;
static struct invocation inv;

static int setup(void **state)
{
	arena = arena_new();
	inv = (struct invocation){ .arena = arena, .name = "sendmail" };
	account = (struct account){ .name = "work", .host = "mail.example", .syslog = -1 };
	envelope_init(&envelope, arena);
	envelope.sender = "me@own.example";
	envelope.size = 1234;
	return scratch_setup(state);
}

static int teardown(void **state)
{
	arena_free(arena);
	strbuf_release(&captured);
	return scratch_teardown(state);
}

/* n recipients, r0@x and so on; all accepted until told otherwise. */
static void recipients(size_t n)
{
	for (size_t i = 0; i < n; i++)
		envelope_add(&envelope, arena_printf(arena, "r%zu@x", i), NULL);
	result_init(&result, arena, n);
	result.server = "mail.example:587";
	result.reply_text = "250 2.0.0 queued as 4711";
	for (size_t i = 0; i < n; i++)
		result.rcpt[i].outcome = OUTCOME_ACCEPTED;
}

static void refuse(size_t i, int exit, const char *status, const char *text)
{
	struct error err;

	error_set_status(&err, FAULT_REFUSED, status, "%s", text);
	err.exit = exit;
	err.reply = 500 + (int)i;
	result_set_error(&result, i, &err);
}

static struct report the_report(const char *message_id, long milliseconds)
{
	return (struct report){ .inv = &inv, .account = &account, .envelope = &envelope,
				.result = &result, .message_id = message_id, .attempt = 1,
				.milliseconds = milliseconds };
}

static int end_report(const char *message_id, long milliseconds)
{
	const struct report r = the_report(message_id, milliseconds);

	return report_end(&r);
}

/* The log of an attempt that was never made. */
static void log_failure(const struct account *a, const struct error *err)
{
	const struct report r = { .inv = &inv, .account = a, .error = err };

	report_log(&r);
}

/* Reports; what stands on standard error, and the exit code. */
static const char *reported(int *exit_out)
{
	struct capture c;

	result_settle(&result);
	capture_start(&c, STDERR_FILENO);
	*exit_out = end_report("<id@x>", 1234);
	return capture_end(&c);
}

/* --- lines ---------------------------------------------------------------------------- */

static const char *line_of(const char *text)
{
	struct capture c;

	capture_start(&c, STDERR_FILENO);
	report_line(&inv, "%s", text);
	return capture_end(&c);
}

static void lines_are_single_and_printable(void **state)
{
	static const char *const cases[][2] = {
		{ "all is well", "sendmail: all is well\n" },
		{ "", "sendmail: \n" },
		{ "one\ntwo", "sendmail: one\\x0Atwo\n" },
		{ "one\r\nmsubmit: two", "sendmail: one\\x0D\\x0Amsubmit: two\n" },
		{ "\033[31mred\033[0m", "sendmail: \\x1B[31mred\\x1B[0m\n" },
		{ "bell\a\x7f", "sendmail: bell\\x07\\x7F\n" },
		{ "gr\xc3\xbcn", "sendmail: gr\xc3\xbcn\n" },
		{ "bad\xff", "sendmail: bad\\xFF\n" },
		{ "\xc2\x85next", "sendmail: \\xC2\\x85next\n" },
		{ "\xe2\x80\xaetxt", "sendmail: \\xE2\\x80\\xAEtxt\n" },
		{ "100%s%n", "sendmail: 100%s%n\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(line_of(cases[i][0]), cases[i][1]);
	inv.name = "msubmit";
	assert_string_equal(line_of("x"), "msubmit: x\n");
	inv.quiet = true;
	assert_string_equal(line_of("x"), "");
}

static void long_lines_are_bounded(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 200000; i++)
		strbuf_addch(&text, i % 2 ? 'x' : '\x01');
	const char *got = line_of(text.buf);
	size_t len = strlen(got);

	assert_true(len <= 64 * 1024 + 1);
	assert_int_equal(strncmp(got, "sendmail: ", 10), 0);
	strbuf_release(&text);
}

/* The exit code tells all the same when nobody reads the text. */
static void nobody_listens(void **state)
{
	struct error err;
	int fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	error_set(&err, FAULT_CONNECT, "no answer");
	assert_int_equal(pipe(fds), 0);
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	int status = report_failure(&inv, &err);

	close(STDERR_FILENO);
	int closed = report_failure(&inv, &err);

	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(status, EX_TEMPFAIL);
	assert_int_equal(closed, EX_TEMPFAIL);
}

static void failures(void **state)
{
	struct capture c;
	struct error err;

	(void)state;
	error_set(&err, FAULT_CONFIG, "rc:3: key 'x': unknown");
	capture_start(&c, STDERR_FILENO);
	int status = report_failure(&inv, &err);

	assert_string_equal(capture_end(&c), "sendmail: rc:3: key 'x': unknown\n");
	assert_int_equal(status, EX_CONFIG);
	inv.quiet = true;
	capture_start(&c, STDERR_FILENO);
	status = report_failure(&inv, &err);
	assert_string_equal(capture_end(&c), "");
	assert_int_equal(status, EX_CONFIG);
}

static void output(void **state)
{
	struct capture out, errors;

	(void)state;
	capture_start(&out, STDOUT_FILENO);
	int status = report_output(&inv, "Mail queue is empty\n");

	assert_string_equal(capture_end(&out), "Mail queue is empty\n");
	assert_int_equal(status, EX_OK);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (full < 0)
		return;
	fflush(NULL);
	int saved = dup(STDOUT_FILENO);

	dup2(full, STDOUT_FILENO);
	capture_start(&errors, STDERR_FILENO);
	status = report_output(&inv, "x");
	const char *said = capture_end(&errors);

	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(full);
	assert_int_equal(status, EX_IOERR);
	assert_has(said, "sendmail: cannot write to standard output: ");
}

/* --- results -------------------------------------------------------------------------------- */

static void success_is_silent(void **state)
{
	int status;

	(void)state;
	recipients(3);
	assert_string_equal(reported(&status), "");
	assert_int_equal(status, EX_OK);
	/* a log that cannot be written changes nothing, and says nothing */
	account.logfile = "/nonexistent/log";
	assert_string_equal(reported(&status), "");
	assert_int_equal(status, EX_OK);
}

static void one_reason_is_said_once(void **state)
{
	struct error err;
	int status;

	(void)state;
	recipients(3);
	for (size_t i = 0; i < 3; i++)
		result.rcpt[i].outcome = OUTCOME_NONE;
	error_set(&err, FAULT_CONNECT, "cannot connect to mail.example:587");
	result_set_rest(&result, &err);
	assert_string_equal(reported(&status),
			    "sendmail: account 'work': cannot connect to mail.example:587\n");
	assert_int_equal(status, EX_TEMPFAIL);
}

static void each_refused_recipient_is_named(void **state)
{
	int status;

	(void)state;
	recipients(4);
	refuse(1, EX_NOUSER, "5.1.1", "RCPT TO <r1@x>: 550 no such user");
	refuse(3, EX_TEMPFAIL, "4.2.2", "RCPT TO <r3@x>: 452 full");
	assert_string_equal(reported(&status),
			    "sendmail: recipient 'r1@x' refused: RCPT TO <r1@x>: 550 no such user\n"
			    "sendmail: recipient 'r3@x' deferred: RCPT TO <r3@x>: 452 full "
			    "(the mailbox is full)\n"
			    "sendmail: the server took the message for 2 of 4 recipients\n");
	assert_int_equal(status, EX_NOUSER);
	inv.quiet = true;
	assert_string_equal(reported(&status), "");
	assert_int_equal(status, EX_NOUSER);
}

static void nobody_got_it(void **state)
{
	int status;

	(void)state;
	recipients(2);
	refuse(0, EX_TEMPFAIL, "4.2.2", "452 full");
	refuse(1, EX_TEMPFAIL, "4.2.2", "450 later");
	const char *said = reported(&status);

	assert_has(said, "'r0@x' deferred: 452 full (the mailbox is full)\n");
	assert_has(said, "'r1@x' deferred: 450 later (the mailbox is full)\n");
	assert_lacks(said, "took the message");
	assert_int_equal(status, EX_TEMPFAIL);
}

static void exit_codes_are_the_result_s(void **state)
{
	static const struct {
		int first, second, status;
		const char *first_status, *second_status;
	} cases[] = {
		{ EX_NOUSER, EX_TEMPFAIL, EX_NOUSER, "5.1.1", "4.2.2" },
		{ EX_TEMPFAIL, EX_NOUSER, EX_NOUSER, "4.2.2", "5.1.1" },
		{ EX_NOPERM, EX_NOUSER, EX_NOUSER, "5.7.1", "5.1.1" },
		{ EX_UNAVAILABLE, EX_TEMPFAIL, EX_UNAVAILABLE, "5.2.2", "4.2.2" },
		{ EX_TEMPFAIL, EX_TEMPFAIL, EX_TEMPFAIL, "4.2.2", "4.4.2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int status;

		envelope_init(&envelope, arena);
		envelope.sender = "";
		recipients(3);
		refuse(0, cases[i].first, cases[i].first_status, "one");
		refuse(2, cases[i].second, cases[i].second_status, "two");
		(void)reported(&status);
		assert_int_equal(status, cases[i].status);
	}
	/* an outcome that nobody explained is a bug, and never success */
	int status;

	recipients(1);
	result.rcpt[0].outcome = OUTCOME_REFUSED;
	result.outcome = OUTCOME_REFUSED;
	struct capture c;

	capture_start(&c, STDERR_FILENO);
	status = end_report(NULL, 0);
	(void)capture_end(&c);
	assert_int_equal(status, EX_SOFTWARE);
}

static bool at_terminal;

int isatty(int fd)
{
	return at_terminal && fd == STDERR_FILENO;
}

static void notes_are_for_those_who_look(void **state)
{
	int status;

	(void)state;
	recipients(2);
	result.rcpt[1].note = "251 2.1.5 will forward to <new@x>\r\nx";
	assert_string_equal(reported(&status), "");
	inv.verbose = true;
	assert_string_equal(reported(&status), "sendmail: recipient 'r1@x': 251 2.1.5 will forward "
			    "to <new@x>\\x0D\\x0Ax\n");
	assert_int_equal(status, EX_OK);
	inv.verbose = false;
	at_terminal = true;
	assert_has(reported(&status), "recipient 'r1@x': 251 2.1.5 will forward");
	assert_int_equal(status, EX_OK);
	at_terminal = false;
	assert_string_equal(reported(&status), "");
}

/* --- the log ------------------------------------------------- */

static const char *logged(void)
{
	struct error err;
	int fd = fs_open_read(account.logfile);

	assert_true(fd >= 0);
	strbuf_reset(&captured);
	assert_int_equal(fs_read_fd(fd, "log", &captured, &err), 0);
	close(fd);
	return captured.buf;
}

static void fresh_log(void)
{
	account.logfile = scratch_path("log");
	account.logfile_time_format = "T";
	unlink(account.logfile);
}

static void log_of_success(void **state)
{
	struct stat st;
	int status;

	(void)state;
	recipients(2);
	fresh_log();
	result.tls = "TLS1.3 AES-256-GCM";
	result.mechanism = "SCRAM-SHA-256";
	result.address = "192.0.2.1";
	account.auth.user = "jane";
	(void)reported(&status);
	assert_string_equal(logged(), arena_printf(arena,
		"T host=mail.example:587 tls=on auth=on user=jane from=me@own.example "
		"recipients=r0@x,r1@x mailsize=1234 smtpmsg='250 2.0.0 queued as 4711' "
		"exitcode=EX_OK account=work addr=192.0.2.1 cipher='TLS1.3 AES-256-GCM' "
		"mechanism=SCRAM-SHA-256 msgid=<id@x> delay=1.234 uid=%lu attempt=1 "
		"status=accepted\n", (unsigned long)getuid()));
	assert_int_equal(stat(account.logfile, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* the next one is added */
	(void)reported(&status);
	const char *text = logged(), *second = strchr(text, '\n');

	assert_non_null(second);
	assert_int_equal(strncmp(second + 1, "T host=", 7), 0);
}

static void log_of_failure(void **state)
{
	struct error err;
	int status;

	(void)state;
	recipients(1);
	result.rcpt[0].outcome = OUTCOME_NONE;
	result.reply_text = "550 5.1.1 no such user";
	envelope.sender = "";
	fresh_log();
	refuse(0, EX_NOUSER, "5.1.1", "RCPT TO <r0@x>: 550 5.1.1 no such user");
	error_mark_words(&result.rcpt[0].error, strlen("RCPT TO <r0@x>: "));
	(void)reported(&status);
	const char *text = logged();

	assert_has(text, " tls=off auth=off from=<> ");
	assert_has(text, " smtpstatus=500 smtpmsg='550 5.1.1 no such user' ");
	assert_has(text, " errormsg='RCPT TO <r0@x>: 550 5.1.1 no such user' exitcode=EX_NOUSER ");
	assert_lacks(text, "user=");
	/* quiet is for the terminal, not for the log */
	inv.quiet = true;
	fresh_log();
	(void)reported(&status);
	assert_has(logged(), "exitcode=EX_NOUSER");
	/* an attempt that was never made */
	fresh_log();
	error_set(&err, FAULT_CONFIG, "no password");
	log_failure(&account, &err);
	assert_string_equal(logged(), arena_printf(arena, "T host=mail.example errormsg='no "
			    "password' exitcode=EX_CONFIG account=work uid=%lu dsn=5.3.5 "
			    "status=failed\n", (unsigned long)getuid()));
	account.socket = "/run/lmtp";
	fresh_log();
	log_failure(&account, &err);
	assert_has(logged(), "host=/run/lmtp ");
}

static void log_that_cannot_be_written(void **state)
{
	int status;

	(void)state;
	recipients(1);
	refuse(0, EX_TEMPFAIL, "4.2.2", "452 full");
	account.logfile = "/nonexistent/log";
	const char *said = reported(&status);

	assert_has(said, "sendmail: cannot write the log /nonexistent/log: No such file");
	assert_has(said, "452 full");
	assert_int_equal(status, EX_TEMPFAIL);
}

/* Whatever a server says, it is one value of one line. */
static void log_cannot_be_forged(void **state)
{
	static const char *const cases[][2] = {
		{ "550 x", "smtpmsg='550 x' " },
		{ "550 x' exitcode=EX_OK y='", "smtpmsg=\"550 x' exitcode=EX_OK y='\" " },
		{ "550 x\" exitcode=EX_OK", "smtpmsg='550 x\" exitcode=EX_OK' " },
		{ "5'\" exitcode=EX_OK '\"", "smtpmsg='5\\x27\" exitcode=EX_OK \\x27\"' " },
		{ "'", "smtpmsg=\"'\" " }, { "\"", "smtpmsg='\"' " },
		{ "'\"", "smtpmsg='\\x27\"' " }, { "\"'", "smtpmsg='\"\\x27' " },
		{ "550\nT host=x", "smtpmsg='550\\x0AT host=x' " },
		{ "550\tx", "smtpmsg=550\\x09x " },
		{ "550 \xff\033", "smtpmsg='550 \\xFF\\x1B' " },
	};

	(void)state;
	recipients(1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int status;

		fresh_log();
		result.reply_text = cases[i][0];
		(void)reported(&status);
		const char *text = logged();

		assert_has(text, cases[i][1]);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	}
}

static void many_recipients_are_counted(void **state)
{
	int status;

	(void)state;
	recipients(100);
	fresh_log();
	(void)reported(&status);
	assert_has(logged(), ",r99@x mailsize=");
	envelope_init(&envelope, arena);
	envelope.sender = "";
	recipients(101);
	fresh_log();
	(void)reported(&status);
	assert_has(logged(), ",r99@x,(1 more)' mailsize=");
	assert_lacks(captured.buf, "r100@x");
}

static void time_in_front(void **state)
{
	int status;

	(void)state;
	recipients(1);
	fresh_log();
	account.logfile_time_format = NULL;
	(void)reported(&status);
	const char *text = logged();

	/* "Mar 04 10:20:30 host=" */
	assert_true(strlen(text) > 21 && text[3] == ' ' && text[6] == ' ' && text[9] == ':' &&
		    text[12] == ':' && text[15] == ' ');
	assert_int_equal(strncmp(text + 16, "host=", 5), 0);
	/* a format that gives nothing, or too much, leaves it out */
	fresh_log();
	account.logfile_time_format = "";
	(void)reported(&status);
	assert_int_equal(strncmp(logged(), "host=", 5), 0);
	char *big = arena_alloc(arena, 400);

	memset(big, 'x', 399);
	fresh_log();
	account.logfile_time_format = big;
	(void)reported(&status);
	assert_int_equal(strncmp(logged(), "host=", 5), 0);
}

/* Without an account only -oem asks for it, and only where nobody reads stderr. */
static void log_without_account(void **state)
{
	struct capture c;
	struct error err;

	(void)state;
	error_set(&err, FAULT_NO_ACCOUNT, "no account: tried '/x'");
	logged_times = 0;
	capture_start(&c, STDERR_FILENO);	/* a file, no terminal */
	log_failure(NULL, &err);
	assert_int_equal(logged_times, 0);
	inv.errors_mailed = true;
	log_failure(NULL, &err);
	assert_string_equal(capture_end(&c), "");
	assert_int_equal(logged_times, 1);
	assert_int_equal(logged_priority, LOG_ERR);
	assert_has(logged_line, "errormsg=\"no account: tried '/x'\" exitcode=EX_CONFIG uid=");
	log_failure(&account, &err);	/* it has syslog off */
	assert_int_equal(logged_times, 1);
	account.syslog = LOG_MAIL;
	log_failure(&account, &err);
	assert_int_equal(logged_times, 2);
	assert_has(logged_line, "account=work");
}

static void log_to_standard_output(void **state)
{
	struct capture c;
	int status;

	(void)state;
	recipients(1);
	account.logfile = "-";
	account.logfile_time_format = "T";
	result_settle(&result);
	capture_start(&c, STDOUT_FILENO);
	status = end_report(NULL, 5);
	const char *text = capture_end(&c);

	assert_int_equal(status, EX_OK);
	assert_int_equal(strncmp(text, "T host=mail.example:587 ", 24), 0);
	assert_has(text, " delay=0.005 uid=");
	assert_lacks(text, "msgid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_are_single_and_printable, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(failures, setup, teardown),
		cmocka_unit_test_setup_teardown(output, setup, teardown),
		cmocka_unit_test_setup_teardown(success_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(one_reason_is_said_once, setup, teardown),
		cmocka_unit_test_setup_teardown(each_refused_recipient_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_got_it, setup, teardown),
		cmocka_unit_test_setup_teardown(exit_codes_are_the_result_s, setup, teardown),
		cmocka_unit_test_setup_teardown(notes_are_for_those_who_look, setup, teardown),
		cmocka_unit_test_setup_teardown(log_of_success, setup, teardown),
		cmocka_unit_test_setup_teardown(log_of_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(log_that_cannot_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(log_cannot_be_forged, setup, teardown),
		cmocka_unit_test_setup_teardown(many_recipients_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(time_in_front, setup, teardown),
		cmocka_unit_test_setup_teardown(log_without_account, setup, teardown),
		cmocka_unit_test_setup_teardown(log_to_standard_output, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
