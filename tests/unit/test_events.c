#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/events.h"
#include "cli/options.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strvec.h"

/* An invocation that wants to see something, and a pipe in place of a descriptor. */
struct watch {
	struct invocation inv;
	struct events *events;
	int reader, writer;
	int saved;			/* stderr, -1 while it is its own */
	char got[16384];
};

static void watch_open(struct watch *w, bool verbose, bool events)
{
	int fds[2];
	struct error err;

	memset(w, 0, sizeof(*w));
	fflush(NULL);
	assert_int_equal(pipe(fds), 0);
	w->reader = fds[0];
	w->writer = fds[1];
	w->saved = -1;
	w->inv.name = "msubmit";
	w->inv.verbose = verbose;
	w->inv.events_fd = events ? w->writer : -1;
	if (verbose) {
		w->saved = dup(STDERR_FILENO);
		dup2(w->writer, STDERR_FILENO);
	}
	assert_int_equal(events_open(&w->inv, &w->events, &err), 0);
}

/* What was written, when all of it is. */
static const char *watch_close(struct watch *w)
{
	size_t have = 0;
	ssize_t part;

	events_free(w->events);
	if (w->saved >= 0) {
		dup2(w->saved, STDERR_FILENO);
		close(w->saved);
	}
	close(w->writer);
	while ((part = read(w->reader, w->got + have, sizeof(w->got) - 1 - have)) > 0)
		have += (size_t)part;
	close(w->reader);
	w->got[have] = '\0';
	return w->got;
}

static const char *traced(enum wire_direction direction, const char *text, size_t n)
{
	static struct watch w;

	watch_open(&w, true, false);
	events_options(w.events).trace(w.events, direction, text, n);
	return watch_close(&w);
}

static void each_line_has_its_arrow(void **state)
{
	(void)state;
	assert_string_equal(traced(WIRE_OUT, "EHLO x", 6), "--> EHLO x\n");
	assert_string_equal(traced(WIRE_IN, "250 ok", 6), "<-- 250 ok\n");
	assert_string_equal(traced(WIRE_IN, "", 0), "<-- \n");
	assert_string_equal(traced(WIRE_NOTE_OUT, "(x)", 3), "--> (x)\n");
	assert_string_equal(traced(WIRE_NOTE_IN, "(y)", 3), "<-- (y)\n");
	assert_string_equal(traced(WIRE_IN, "250 ok and more", 6), "<-- 250 ok\n");
}

static void what_a_server_says_does_nothing_to_a_terminal(void **state)
{
	(void)state;
	assert_string_equal(traced(WIRE_IN, "250 \033[2J\a", 9), "<-- 250 \\x1B[2J\\x07\n");
	assert_string_equal(traced(WIRE_IN, "a\r\n--> QUIT", 11), "<-- a\\x0D\\x0A--> QUIT\n");
	assert_string_equal(traced(WIRE_IN, "a\0b", 3), "<-- a\\x00b\n");
	assert_string_equal(traced(WIRE_IN, "\xff\xc3\xbc\xc2\x9b", 5),
			    "<-- \\xFF\xc3\xbc\\xC2\\x9B\n");
	assert_string_equal(traced(WIRE_OUT, "%s%n", 4), "--> %s%n\n");
}

static void long_lines_are_whole(void **state)
{
	char line[2000];

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(strlen(traced(WIRE_IN, line, sizeof(line))), 4 + sizeof(line) + 1);
}

/* Nobody asked: no function is called, so nothing is paid for. */
static void nobody_listens(void **state)
{
	struct watch w;

	(void)state;
	watch_open(&w, false, false);
	assert_null(events_options(w.events).trace);
	assert_null(events_options(w.events).observer->connected);
	assert_null(events_options(w.events).observer->secured);
	assert_string_equal(watch_close(&w), "");
}

/* A reader that went away does not end the attempt. */
static void nobody_reads(void **state)
{
	struct watch w;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	watch_open(&w, false, true);
	close(w.reader);
	w.reader = dup(STDIN_FILENO);
	wire_trace_fn *trace = events_options(w.events).trace;

	trace(w.events, WIRE_IN, "250 ok", 6);
	trace(w.events, WIRE_IN, "250 ok", 6);
	assert_null(events_options(w.events).trace);	/* nothing more is written */
	events_free(w.events);
	close(w.writer);
	close(w.reader);
}

/* The member that follows "time": the rest of the line. */
static const char *behind_time(const char *line)
{
	const char *time = strstr(line, "\"time\":");

	assert_non_null(time);
	return time + strcspn(time, ",}");
}

static void lines_are_json(void **state)
{
	struct strvec chain = STRVEC_INIT(10);
	struct watch w;

	(void)state;
	watch_open(&w, false, true);
	const struct observer *o = events_options(w.events).observer;

	o->connected(o->ctx, "mail.example.org:587", "192.0.2.1");
	assert_int_equal(strncmp(watch_close(&w), "{\"event\":\"connection\",\"time\":", 29), 0);
	assert_string_equal(behind_time(w.got),
			    ",\"server\":\"mail.example.org:587\",\"address\":\"192.0.2.1\"}\n");

	watch_open(&w, false, true);
	o = events_options(w.events).observer;
	struct error refused;

	error_set(&refused, FAULT_CONNECT_REFUSED, "no");
	o->failed(o->ctx, "a:1", &refused);
	assert_string_equal(behind_time(watch_close(&w)), ",\"server\":\"a:1\",\"text\":\"no\","
			    "\"fault\":\"connect-refused\"}\n");
	assert_non_null(strstr(w.got, "\"event\":\"connection-failed\""));

	watch_open(&w, false, true);
	o = events_options(w.events).observer;
	o->closed(o->ctx);
	assert_string_equal(behind_time(watch_close(&w)), "}\n");
	assert_non_null(strstr(w.got, "\"event\":\"closed\""));

	watch_open(&w, false, true);
	events_options(w.events).trace(w.events, WIRE_NOTE_IN, "TLS: x", 6);
	assert_string_equal(behind_time(watch_close(&w)), ",\"line\":\"TLS: x\"}\n");
	assert_non_null(strstr(w.got, "\"event\":\"note\""));

	watch_open(&w, false, true);
	o = events_options(w.events).observer;
	strvec_add(&chain, "A\n");
	strvec_add(&chain, "B\n");
	o->secured(o->ctx, "TLS1.3", true, &chain);
	strvec_release(&chain);
	assert_string_equal(behind_time(watch_close(&w)),
			    ",\"description\":\"TLS1.3\",\"verified\":true,"
			    "\"chain\":[\"A\\u000A\",\"B\\u000A\"]}\n");

	watch_open(&w, false, true);
	events_options(w.events).trace(w.events, WIRE_OUT, "MAIL FROM:<\"a\"@x>\x01", 18);
	assert_string_equal(behind_time(watch_close(&w)),
			    ",\"line\":\"MAIL FROM:<\\\"a\\\"@x>\\u0001\"}\n");
	assert_non_null(strstr(w.got, "\"event\":\"command\""));
}

/* --trace-tls alone: nothing of the dialogue. */
static void records_are_shown(void **state)
{
	struct watch w;

	(void)state;
	watch_open(&w, false, false);
	assert_null(events_options(w.events).observer->tls_trace);
	watch_close(&w);
	watch_open(&w, true, false);
	w.inv.verbose = false;
	w.inv.trace_tls = true;
	events_free(w.events);
	struct error err;

	assert_int_equal(events_open(&w.inv, &w.events, &err), 0);
	assert_null(events_options(w.events).trace);
	const struct observer *o = events_options(w.events).observer;

	o->tls_trace(o->ctx, WIRE_IN, "TLS record: alert, 2 octets", 27);
	assert_string_equal(watch_close(&w), "<-- TLS record: alert, 2 octets\n");
}

/* A character that lies across two blocks is told with the second. */
static void text_has_whole_characters(void **state)
{
	struct watch w;
	struct error err;
	struct events *alone;

	(void)state;
	watch_open(&w, false, true);
	assert_null(events_options(w.events).observer->text);
	events_free(w.events);
	w.inv.events_text = true;
	assert_int_equal(events_open(&w.inv, &w.events, &err), 0);
	const struct observer *o = events_options(w.events).observer;

	o->text(o->ctx, "a\xc3", 2);
	o->text(o->ctx, "\xbc" "b\xf0\x9f\x98", 5);
	o->text(o->ctx, "\x80", 1);
	o->text(o->ctx, "\xe2\x82", 2);
	o->transfer(o->ctx, 10, 10);
	watch_close(&w);
	static const char *const pieces[] = {
		"\"text\":\"a\"}", ("\"text\":\"\xc3\xbc" "b\"}"), "\"text\":\"\xf0\x9f\x98\x80\"}",
		"\"text\":\"\\uFFFD", "\"octets\":10"
	};
	const char *at = w.got;

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		at = strstr(at, pieces[i]);
		if (!at)
			fail_msg("no %s in %s", pieces[i], w.got);
	}
	w.inv.events_fd = -1;
	assert_int_equal(events_open(&w.inv, &alone, &err), -1);
	assert_int_equal(err.exit, EX_USAGE);
}

/* A transfer of a thousand blocks in no time: first, perhaps a few, and the last. */
static void transfers_are_told_now_and_then(void **state)
{
	struct watch w;
	size_t lines = 0;

	(void)state;
	watch_open(&w, false, true);
	const struct observer *o = events_options(w.events).observer;

	for (uint64_t i = 1; i <= 1000; i++)
		o->transfer(o->ctx, i * 65536, 65536000);
	for (const char *s = watch_close(&w); *s; s++)
		lines += *s == '\n';
	assert_true(lines >= 2 && lines < 100);
	assert_non_null(strstr(w.got, "\"octets\":65536000,\"total\":65536000}"));
}

/* --progress: what is shown of a transfer is wiped when it is done. */
static void the_meter_comes_and_goes(void **state)
{
	int fds[2], saved = dup(STDERR_FILENO);
	struct invocation inv = { .name = "msubmit", .events_fd = -1, .progress = true };
	struct events *events;
	struct error err;
	char got[1024];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	assert_int_equal(events_open(&inv, &events, &err), 0);
	const struct observer *o = events_options(events).observer;

	o->transfer(o->ctx, 1 << 20, 4 << 20);
	o->transfer(o->ctx, 2 << 20, 4 << 20);	/* too soon for another look */
	o->transfer(o->ctx, 4 << 20, 4 << 20);
	events_free(events);
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t n = read(fds[0], got, sizeof(got) - 1);

	close(fds[0]);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "\rmsubmit: 1.0 of 4.0 MiB, 25 %\r\033[K");
}

static void recipients_and_the_end(void **state)
{
	struct arena *a = arena_new();
	struct envelope e;
	struct result r;
	struct error refused;
	struct watch w;

	(void)state;
	envelope_init(&e, a);
	envelope_add(&e, "b@example.org", NULL);
	envelope_add(&e, "c@example.org", NULL);
	result_init(&r, a, 2);
	error_set(&refused, FAULT_RECIPIENT_UNKNOWN, "RCPT TO: 550 no");
	refused.reply = 550;
	r.rcpt[0].outcome = OUTCOME_ACCEPTED;
	result_set_error(&r, 1, &refused);
	result_settle(&r);
	watch_open(&w, false, true);
	events_result(w.events, &e, &r);
	watch_close(&w);
	assert_non_null(strstr(w.got, "\"address\":\"b@example.org\",\"outcome\":\"accepted\""));
	assert_non_null(strstr(w.got, "\"address\":\"c@example.org\",\"outcome\":\"refused\","
				      "\"code\":550,\"status\":\"5.1.1\""));
	assert_non_null(strstr(w.got, "\"outcome\":\"refused\",\"exit\":67,"));
	arena_free(a);
}

static void what_failed_before_has_an_end_too(void **state)
{
	struct error err;
	struct watch w;

	(void)state;
	error_set(&err, FAULT_NO_ACCOUNT, "no account");
	watch_open(&w, false, true);
	events_failure(w.events, &err);
	assert_string_equal(behind_time(watch_close(&w)),
			    ",\"outcome\":\"failed\",\"exit\":78,\"text\":\"no account\","
			    "\"fault\":\"no-account\"}\n");
}

static void a_closed_descriptor_is_refused(void **state)
{
	struct invocation inv = { .name = "msubmit", .events_fd = 999 };
	struct events *events;
	struct error err;

	(void)state;
	assert_int_equal(events_open(&inv, &events, &err), -1);
	assert_int_equal(err.exit, EX_USAGE);
	assert_non_null(strstr(err.text, "999"));
}

static void the_trace_file_is_private(void **state)
{
	char folder[] = "/tmp/msubmit-events.XXXXXX", path[64], link[64];
	struct invocation inv = { .name = "msubmit", .events_fd = -1, .trace_file = path };
	struct events *events;
	struct error err;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/trace", folder);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(events_open(&inv, &events, &err), 0);
	events_options(events).trace(events, WIRE_OUT, "QUIT", 4);
	events_free(events);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, strlen("--> QUIT\n"));
	assert_int_equal(symlink(path, link), 0);
	inv.trace_file = link;
	assert_int_equal(events_open(&inv, &events, &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	unlink(link);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_has_its_arrow),
		cmocka_unit_test(what_a_server_says_does_nothing_to_a_terminal),
		cmocka_unit_test(long_lines_are_whole),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(lines_are_json),
		cmocka_unit_test(records_are_shown),
		cmocka_unit_test(text_has_whole_characters),
		cmocka_unit_test(transfers_are_told_now_and_then),
		cmocka_unit_test(the_meter_comes_and_goes),
		cmocka_unit_test(recipients_and_the_end),
		cmocka_unit_test(what_failed_before_has_an_end_too),
		cmocka_unit_test(a_closed_descriptor_is_refused),
		cmocka_unit_test(the_trace_file_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
