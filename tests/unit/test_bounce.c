#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena_state.h"
#include "message/edits.h"
#include "message/message.h"
#include "message/writer.h"
#include "queue/bounce.h"
#include "queue/entry.h"
#include "util/error.h"
#include "util/strbuf.h"

#define NOW 1700000600000
#define HEADER "From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\n" \
	"Bcc: secret@example.net\r\nMessage-ID: <1@example.org>\r\n"

/* --- helpers ------------------------------------------------------------------------ */

static struct message *message_of(const char *text, size_t n)
{
	static const struct message_options wire = { .dots_ignored = true, .wire = true };
	struct message_reader *r = message_reader_new(&wire);
	struct message *m = NULL;
	struct error err;

	assert_int_equal(message_reader_push(r, text, n, &err), 0);
	assert_int_equal(message_reader_finish(r, &m, &err), 0);
	return m;
}

/* An entry from a@example.org to so many recipients, r0@example.net and so on. */
static void begin_entry(struct entry *e, size_t n)
{
	struct envelope v;

	envelope_init(&v, arena);
	v.sender = "a@example.org";
	for (size_t i = 0; i < n; i++)
		envelope_add(&v, arena_printf(arena, "r%zu@example.net", i), NULL);
	entry_init(e, arena);
	entry_set_envelope(e, &v);
	e->arrival_ms = 1700000000123;
	e->expires_ms = 1700400000000;
	e->message_id = "<1@example.org>";
}

static void refuse(struct entry *e, size_t i, const char *words)
{
	struct entry_rcpt *s = &e->rcpt[i];

	*s = (struct entry_rcpt){
		.outcome = OUTCOME_REFUSED, .at_ms = 1700000300000,
		.fault = FAULT_RECIPIENT_UNKNOWN, .exit = 67, .code = 550, .status = "5.1.1",
		.text = "the server has said no",
		.words = words, .server = "mx.example.net:25"
	};
}

static struct bounce bounce_of(const struct entry *e, const struct message *m)
{
	return (struct bounce){ .entry = e, .original = m, .host = "client.example.org",
				.size_limit = 50000, .now_ms = NOW };
}

/* All of the notification, in the arena. */
static const char *compose(const struct bounce *b)
{
	struct strbuf all = STRBUF_INIT((size_t)1 << 26);
	struct edits none;
	struct message *m = NULL;
	struct error err;
	char block[4096];
	ssize_t n;

	assert_true(bounce_count(b) > 0);
	assert_int_equal(bounce_compose(b, &m, &err), 0);
	edits_init(&none, arena, m);
	struct writer *w = writer_new(m, &none, WRITER_PLAIN);

	while ((n = writer_read(w, block, sizeof(block), &err)) > 0)
		strbuf_add(&all, block, (size_t)n);
	assert_int_equal(n, 0);
	writer_free(w);
	message_free(m);
	return arena_take(arena, &all);
}

/* What is composed of recipient 0 refused with these words, and the message. */
static const char *compose_text(struct entry *e, const char *text)
{
	struct message *m = message_of(text, strlen(text));
	struct bounce b = bounce_of(e, m);
	const char *out = compose(&b);

	message_free(m);
	return out;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in\n%s", part, text);
}

/* No line is longer than SMTP allows, and none ends with anything but CRLF. */
static void assert_lines(const char *text)
{
	for (const char *p = text; *p;) {
		const char *end = strstr(p, "\r\n");

		assert_non_null(end);
		assert_true(end - p <= 998);
		assert_null(memchr(p, '\n', (size_t)(end - p)));
		p = end + 2;
	}
}

/* --- who is told ----------------------------------------------------------------------- */

/*
 * Which kinds somebody hears of who asked so: F failed, D delayed, S relayed and
 * delivered; nobody who asks hears that an account is paused (P).
 */
static const struct {
	unsigned notify;
	const char *kinds;
} table[] = {
	{ 0, "FD" },
	{ DSN_NOTIFY_NEVER, "" },
	{ DSN_NOTIFY_SUCCESS, "S" },
	{ DSN_NOTIFY_FAILURE, "F" },
	{ DSN_NOTIFY_DELAY, "D" },
	{ DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE, "SF" },
	{ DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY, "SD" },
	{ DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, "FD" },
	{ DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, "SFD" },
	{ DSN_NOTIFY_NEVER | DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, "" },
};

/* Which outcome is of which kind, before and after the time is over. */
static bool fits(enum outcome outcome, enum bounce_kind kind, bool expired)
{
	const bool open = outcome == OUTCOME_NONE || outcome == OUTCOME_DEFERRED;

	if (kind == BOUNCE_FAILED)
		return outcome == OUTCOME_REFUSED || (open && expired);
	if (kind == BOUNCE_DELAYED || kind == BOUNCE_PAUSED)
		return open && !expired;
	return outcome == OUTCOME_ACCEPTED;
}

static void try_notify(unsigned notify, const char *kinds, enum bounce_kind kind)
{
	static const enum outcome outcomes[] = {
		OUTCOME_NONE, OUTCOME_ACCEPTED, OUTCOME_DEFERRED, OUTCOME_REFUSED
	};
	struct message *m = message_of(HEADER "\r\nx\r\n", strlen(HEADER "\r\nx\r\n"));
	const bool asked = strchr(kinds, "FDPSS"[kind]) != NULL;
	struct entry e;

	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		for (int expired = 0; expired < 2; expired++) {
			begin_entry(&e, 2);
			struct bounce b = bounce_of(&e, m);
			const bool only[] = { false, true };

			b.kind = kind;
			b.now_ms = expired ? e.expires_ms : e.expires_ms - 1;
			e.envelope.rcpt[0].notify = notify;
			e.rcpt[0].outcome = outcomes[i];
			e.rcpt[1].outcome = OUTCOME_ACCEPTED;
			const bool fit = fits(outcomes[i], kind, expired);

			assert_int_equal(bounce_about(&b, 0), fit && asked);
			assert_int_equal(bounce_count(&b), fit && asked);
			/* somebody else is told whatever was asked for */
			b.to = "admin@example.org";
			assert_int_equal(bounce_about(&b, 0), fit);
			b.only = only;
			assert_false(bounce_about(&b, 0));
			b.to = NULL;
			b.only = NULL;
			e.rcpt[0].told = true;
			assert_int_equal(bounce_about(&b, 0),
					 fit && asked && outcomes[i] != OUTCOME_REFUSED);
			e.rcpt[0].told = false;
			e.envelope.sender = "";
			assert_false(bounce_about(&b, 0));
			assert_int_equal(bounce_count(&b), 0);
		}
	}
	message_free(m);
}

static void test_notify(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		for (enum bounce_kind kind = BOUNCE_FAILED; kind <= BOUNCE_DELIVERED; kind++)
			try_notify(table[i].notify, table[i].kinds, kind);
	}
}

static void test_deliver_by(void **state)
{
	struct entry e;
	struct message *m = message_of("\r\n", 2);

	(void)state;
	begin_entry(&e, 1);
	struct bounce b = bounce_of(&e, m);

	e.rcpt[0].outcome = OUTCOME_DEFERRED;
	e.envelope.rcpt[0].notify = DSN_NOTIFY_FAILURE;
	b.kind = BOUNCE_DELAYED;
	assert_false(bounce_about(&b, 0));
	e.envelope.ext.by = BY_NOTIFY;
	e.envelope.ext.by_ms = NOW + 1;
	assert_false(bounce_about(&b, 0));
	b.now_ms++;
	assert_true(bounce_about(&b, 0));
	e.envelope.rcpt[0].notify = DSN_NOTIFY_NEVER;
	assert_false(bounce_about(&b, 0));
	e.envelope.rcpt[0].notify = 0;
	b.kind = BOUNCE_RELAYED;
	assert_false(bounce_about(&b, 0));
	e.rcpt[0].outcome = OUTCOME_ACCEPTED;
	assert_true(bounce_about(&b, 0));
	e.rcpt[0].outcome = OUTCOME_DEFERRED;
	e.envelope.ext.by = BY_RETURN;
	b.kind = BOUNCE_FAILED;
	assert_true(bounce_about(&b, 0));
	assert_has(compose(&b), "\r\nStatus: 5.4.7\r\n");
	assert_has(compose(&b), "\r\nDeliver-By-Date: Tue, 14 Nov 2023 22:23:20 +0000\r\n");
	b.now_ms = NOW;
	assert_false(bounce_about(&b, 0));
	message_free(m);
}

static void check_way(const char *sender, const char *header, enum bounce_way want)
{
	const char *text = arena_printf(arena, "%s\r\nx\r\n", header);
	struct message *m = message_of(text, strlen(text));
	struct entry e;

	begin_entry(&e, 1);
	e.envelope.sender = sender;
	if (bounce_way(&e, m) != want)
		fail_msg("'%s', '%s': %d", sender, header, (int)bounce_way(&e, m));
	message_free(m);
}

static void test_way(void **state)
{
	static const char *const reports[] = {
		"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n",
		("CONTENT-TYPE: Multipart/Report;\r\n boundary=\"x\";\r\n"
		 " report-type=\"Delivery-Status\"\r\n"),
		"Content-Type: multipart/report (a) ; report-type=global-delivery-status\r\n",
		"Content-Type: multipart/report;report-type=disposition-notification\r\n",
	};
	static const char *const others[] = {
		"", "Content-Type: multipart/mixed; report-type=delivery-status\r\n",
		"Content-Type: multipart/report; report-type=feedback-report\r\n",
		"Content-Type: multipart/reporter; report-type=delivery-status\r\n",
		"Subject: multipart/report; report-type=delivery-status\r\n",
		("Resent-From: b@example.org\r\n"
		 "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		check_way("a@example.org", others[i], BOUNCE_TO_SENDER);
	for (size_t i = 0; i < ARRAY_LEN(reports); i++)
		check_way("a@example.org", reports[i], BOUNCE_TO_NOBODY);
	check_way("", "", BOUNCE_TO_NOBODY);
	check_way("root", "", BOUNCE_TO_USER);
	check_way("root@localhost", "", BOUNCE_TO_USER);
	check_way("root@laptop", "", BOUNCE_TO_USER);
	check_way("\"a@b\"", "", BOUNCE_TO_USER);
	check_way("\"a b\"@example.org", "", BOUNCE_TO_SENDER);
}

static void test_entry(void **state)
{
	struct entry e, made;
	struct message *m = message_of("\r\n", 2), *own = NULL;
	struct error err;

	(void)state;
	begin_entry(&e, 1);
	refuse(&e, 0, "550 no");
	e.envelope.ext.priority_given = e.envelope.ext.requiretls = true;
	e.envelope.ext.priority = 3;
	struct bounce b = bounce_of(&e, m);

	e.account = "work";
	e.config_file = "/etc/rc";
	e.uid = 1000;
	e.binary = e.held = true;
	entry_add_setting(&e, "port", "25");
	assert_int_equal(bounce_compose(&b, &own, &err), 0);
	bounce_entry(&b, own, 600, arena, &made);
	assert_int_equal(made.arrival_ms, NOW);
	assert_int_equal(made.expires_ms, NOW + 600000);
	assert_int_equal(made.next_ms, 0);
	assert_int_equal(made.attempts, 0);
	assert_int_equal(made.uid, 1000);
	assert_string_equal(made.account, "work");
	assert_string_equal(made.config_file, "/etc/rc");
	assert_int_equal(made.setting_n, 1);
	assert_string_equal(made.setting[0].key, "port");
	assert_false(made.held || made.binary || made.no_files);
	assert_has(compose(&b), "\r\nMessage-ID: <");
	assert_has(made.message_id, "@client.example.org>");
	assert_int_equal(made.rcpt[0].outcome, OUTCOME_NONE);
	struct envelope v = made.envelope;

	assert_string_equal(v.sender, "");
	assert_int_equal(v.rcpt_count, 1);
	assert_string_equal(v.rcpt[0].address, "a@example.org");
	assert_int_equal(v.rcpt[0].notify, 0);
	assert_int_equal(v.ret, DSN_RET_NONE);
	assert_int_equal(v.body, BODY_7BIT);
	assert_false(v.utf8);
	assert_int_equal(v.ext.priority, 3);
	assert_true(v.ext.priority_given && v.ext.requiretls);
	assert_int_equal(v.size, strlen(compose(&b)));
	b.to = "admin@example.org";
	bounce_entry(&b, own, 600, arena, &made);
	assert_string_equal(made.envelope.rcpt[0].address, "admin@example.org");
	b.to = NULL;
	e.envelope.sender = "root";
	bounce_entry(&b, own, 600, arena, &made);
	assert_string_equal(made.envelope.rcpt[0].address, "root@client.example.org");
	message_free(own);
	message_free(m);
}

static void test_late(void **state)
{
	struct entry e;

	(void)state;
	begin_entry(&e, 1);
	assert_false(bounce_is_late(&e, 60, e.arrival_ms + 59999));
	assert_true(bounce_is_late(&e, 60, e.arrival_ms + 60000));
	assert_false(bounce_is_late(&e, 0, e.arrival_ms + 60000000));
	e.envelope.ext.by = BY_NOTIFY;
	e.envelope.ext.by_ms = NOW;
	assert_false(bounce_is_late(&e, 0, NOW - 1));
	assert_true(bounce_is_late(&e, 0, NOW));
	e.warned_ms = NOW;
	assert_false(bounce_is_late(&e, 60, NOW));
	e.warned_ms = 0;
	e.rcpt[0].outcome = OUTCOME_ACCEPTED;
	assert_false(bounce_is_late(&e, 60, NOW));
}

/* --- what it says ---------------------------------------------------------------------- */

static void test_failed(void **state)
{
	static const char part[] =
		"Original-Envelope-Id: QQ 1+2\r\n"
		"Reporting-MTA: dns; client.example.org\r\n"
		"Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
		"X-Msubmit-Queue-ID: 0123456789abcdef\r\n"
		"\r\n"
		"Original-Recipient: rfc822; Root@Example.org\r\n"
		"Final-Recipient: rfc822; r0@example.net\r\n"
		"Action: failed\r\n"
		"Status: 5.1.1\r\n"
		"Remote-MTA: dns; mx.example.net\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
		"Last-Attempt-Date: Tue, 14 Nov 2023 22:18:20 +0000\r\n"
		"\r\n"
		"Final-Recipient: rfc822; r2@example.net\r\n"
		"Action: failed\r\n"
		"Status: 5.7.8\r\n"
		"Diagnostic-Code: X-msubmit; no password\r\n"
		"Last-Attempt-Date: Tue, 14 Nov 2023 22:15:00 +0000\r\n"
		"\r\n--=_";
	struct entry e;

	(void)state;
	begin_entry(&e, 3);
	e.envelope.envid = "QQ 1+2";
	strcpy(e.id, "0123456789abcdef");
	e.last_ms = 1700000100000;
	refuse(&e, 0, "550 5.1.1 no such user");
	e.envelope.rcpt[0].orcpt = "Root@Example.org";
	e.rcpt[2] = (struct entry_rcpt){ .outcome = OUTCOME_REFUSED, .status = "5.7.8",
					 .text = "no password", .server = "mx.example.net:25" };
	const char *out = compose_text(&e, HEADER "\r\nhello\r\n");

	assert_lines(out);
	assert_has(out, part);
	assert_has(out, "\r\nFrom: Mail Delivery System <MAILER-DAEMON@client.example.org>\r\n"
		   "To: a@example.org\r\n");
	assert_has(out, "\r\nIn-Reply-To: <1@example.org>\r\nReferences: <1@example.org>\r\n"
		   "Auto-Submitted: auto-replied\r\n");
	assert_has(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n");
	assert_has(out, "  <r0@example.net>\r\n"
		   "      mx.example.net said: 550 5.1.1 no such user\r\n");
	assert_has(out, "  <r2@example.net>\r\n      no password\r\n");
	assert_has(out, "Content-Type: message/rfc822\r\n");
	assert_has(out, "Subject: x\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n\r\n--=_");
	assert_lacks(out, "secret@");
	assert_lacks(out, "r1@");
	assert_lacks(out, "Will-Retry-Until");
	assert_lacks(out, "X-Msubmit-Notice");
}

static void test_other_kinds(void **state)
{
	struct entry e;
	struct message *m = message_of(HEADER "\r\nhello\r\n", strlen(HEADER "\r\nhello\r\n"));

	(void)state;
	begin_entry(&e, 2);
	struct bounce b = bounce_of(&e, m);

	refuse(&e, 0, "451 4.7.1 later");
	e.rcpt[0].outcome = OUTCOME_DEFERRED;
	e.rcpt[0].status = "4.7.1";
	e.rcpt[1] = (struct entry_rcpt){ .outcome = OUTCOME_DEFERRED, .status = "5.7.8",
					 .text = "the password is wrong" };
	b.kind = BOUNCE_DELAYED;
	const char *out = compose(&b);

	assert_has(out, "Action: delayed\r\nStatus: 4.7.1\r\nRemote-MTA: dns; mx.example.net\r\n"
		   "Diagnostic-Code: smtp; 451 4.7.1 later\r\n");
	assert_has(out, "Action: delayed\r\nStatus: 4.4.7\r\n"
		   "Diagnostic-Code: X-msubmit; the password is wrong\r\n"
		   "Will-Retry-Until: Sun, 19 Nov 2023 13:20:00 +0000\r\n");
	assert_has(out, "text/rfc822-headers\r\n");
	assert_has(out, "tried until Sun, 19 Nov 2023 13:20:00 +0000.\r\n");
	assert_lacks(out, "hello");
	e.rcpt[0] = (struct entry_rcpt){ .outcome = OUTCOME_ACCEPTED, .code = 250,
					 .status = "2.1.5", .words = "250 2.1.5 ok",
					 .server = "[2001:db8::7]:2525" };
	e.envelope.rcpt[0].notify = DSN_NOTIFY_SUCCESS;
	e.envelope.ret = DSN_RET_FULL;
	b.kind = BOUNCE_RELAYED;
	out = compose(&b);
	assert_has(out, "Action: relayed\r\nStatus: 2.1.5\r\nRemote-MTA: dns; [2001:db8::7]\r\n"
		   "Diagnostic-Code: smtp; 250 2.1.5 ok\r\n");
	assert_lacks(out, "hello");
	e.rcpt[0].server = "/run/lmtp";
	e.rcpt[0].words = NULL;
	b.kind = BOUNCE_DELIVERED;
	out = compose(&b);
	assert_has(out, "Action: delivered\r\nStatus: 2.1.5\r\n"
		   "Remote-MTA: x-unix; /run/lmtp\r\n\r\n--");
	message_free(m);
}

static void test_notice(void **state)
{
	struct entry e;
	struct message *m = message_of(HEADER "\r\nhello\r\n", strlen(HEADER "\r\nhello\r\n"));
	struct message *notice = NULL;
	struct error err;

	(void)state;
	begin_entry(&e, 1);
	refuse(&e, 0, "550 no");
	e.envelope.sender = "";
	struct bounce b = bounce_of(&e, m);

	assert_int_equal(bounce_count(&b), 0);
	b.to = "admin@example.org";
	assert_has(compose(&b), "\r\nTo: admin@example.org\r\n");
	assert_has(compose(&b), "from the null sender.");
	assert_int_equal(bounce_compose(&b, &notice, &err), 0);
	assert_false(bounce_is_notice(m));
	assert_true(bounce_is_notice(notice));
	message_free(notice);
	message_free(m);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void test_notice_due(void **state)
{
	char folder[] = "/tmp/msubmit-test-XXXXXX";
	struct entry e;
	struct message *m = message_of("\r\n", 2);
	struct error trouble;

	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_STATE_HOME", folder, 1);
	unsetenv("STATE_DIRECTORY");
	begin_entry(&e, 2);
	e.envelope.sender = "";
	refuse(&e, 1, "550 no");
	struct bounce b = bounce_of(&e, m);

	b.to = "admin@example.org";
	assert_true(bounce_notice_due(&b, 3600, &trouble));
	assert_int_equal(trouble.exit, 0);
	assert_int_equal(b.suppressed, 0);
	assert_lacks(compose(&b), "since you were told");
	assert_false(bounce_notice_due(&b, 3600, &trouble));
	e.envelope.rcpt[1].address = "other@example.net";
	assert_false(bounce_notice_due(&b, 3600, &trouble));
	e.rcpt[1].status = "5.7.1";
	assert_true(bounce_notice_due(&b, 3600, &trouble));
	e.rcpt[1].server = "mx2.example.net:25";
	assert_true(bounce_notice_due(&b, 3600, &trouble));
	assert_false(bounce_notice_due(&b, 3600, &trouble));
	b.to = "other@example.org";
	assert_true(bounce_notice_due(&b, 3600, &trouble));
	assert_true(bounce_notice_due(&b, 0, &trouble));
	b.suppressed = 2;
	assert_has(compose(&b), "This has happened 2 more times since you were told last.");
	message_free(m);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A status that is none, or does not suit the action, never goes out. */
static void test_status(void **state)
{
	static const struct {
		const char *status, *want;
	} rows[] = {
		{ "5.1.1", "5.1.1" }, { "4.4.7", "4.4.7" }, { "5.01.001", "5.1.1" },
		{ "5.123.999", "5.123.999" }, { NULL, "5.0.0" }, { "", "5.0.0" },
		{ "2.0.0", "5.0.0" },
		{ "5.1", "5.0.0" }, { "5.1.1.1", "5.0.0" }, { "5.1.1 x", "5.0.0" },
		{ "5.+1.1", "5.0.0" },
		{ "5. 1.1", "5.0.0" }, { "5.1.1234", "5.0.0" }, { "x", "5.0.0" },
		{ "5..1", "5.0.0" },
	};
	struct entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_entry(&e, 1);
		refuse(&e, 0, "550 no");
		e.rcpt[0].status = rows[i].status;
		assert_has(compose_text(&e, HEADER "\r\nx\r\n"),
			   arena_printf(arena, "\r\nStatus: %s\r\n", rows[i].want));
	}
}

/* --- octets of others ---------------------------------------------------------------------- */

static void test_hostile(void **state)
{
	static const char *const words[] = {
		"550 a\r\nX-Injected: yes", "550 a\nX-Injected: yes",
		"550 a\r\n\r\nX-Injected: yes",
		"550 a\rX-Injected: yes", "550 \x1b[31m\x07\x7f\tz",
		"550 \"open quote X-Injected: yes",
		"550 (open comment X-Injected: yes",
		"550 caf\xc3\xa9 \xff\xfe \xe2\x80\xae X-Injected: yes",
		"", " ", "550      \t\t     ", "--=_", "550 =?utf-8?q?x?=", "550 a\\",
	};
	struct entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		begin_entry(&e, 1);
		refuse(&e, 0, words[i]);
		e.rcpt[0].text = e.rcpt[0].server = words[i];
		e.envelope.envid = e.message_id = words[i];
		e.envelope.rcpt[0].orcpt = words[i];
		for (int k = 0; k < 2; k++) {
			const char *out = compose_text(&e, HEADER "\r\nx\r\n");

			assert_lines(out);
			assert_lacks(out, "\nX-Injected");
			assert_lacks(out, "\x1b");
			assert_lacks(out, "\xff");
			e.rcpt[0].code = 0;
			e.envelope.rcpt[0].address = words[i];
			e.envelope.sender = i % 2 && *words[i] ? words[i] : "a@example.org";
		}
	}
}

static void test_long(void **state)
{
	struct strbuf words = STRBUF_INIT(100000);
	struct entry e;

	(void)state;
	begin_entry(&e, 250);
	for (int i = 0; i < 3000; i++)
		strbuf_addstr(&words, "x");
	strbuf_addch(&words, '\0');
	for (size_t i = 0; i < 250; i++)
		refuse(&e, i, words.buf);
	const char *out = compose_text(&e, HEADER "\r\nx\r\n");

	assert_lines(out);
	assert_has(out, "and to 150 more");
	assert_has(out, "Final-Recipient: rfc822; r249@example.net\r\n");
	strbuf_reset(&words);
	for (int i = 0; i < 500; i++)
		strbuf_addstr(&words, "word ");
	begin_entry(&e, 1);
	refuse(&e, 0, words.buf);
	out = compose_text(&e, HEADER "\r\nx\r\n");
	for (const char *p = strstr(out, "Diagnostic-Code"); *p && strncmp(p, "Last-", 5) != 0;) {
		const char *end = strstr(p, "\r\n");

		assert_true(end - p <= 78);
		assert_true(end[-1] != ' ');
		p = end + 2;
	}
	strbuf_release(&words);
}

/* --- the third part --------------------------------------------------------------------------- */

static void check_third(const char *header, const char *body, enum dsn_ret ret, bool requiretls,
			uint64_t limit, const char *want, const char *coding)
{
	const char *text = arena_printf(arena, "%s\r\n%s", header, body);
	struct message *m = message_of(text, strlen(text));
	struct entry e;

	begin_entry(&e, 1);
	refuse(&e, 0, "550 no");
	e.envelope.ret = ret;
	e.envelope.ext.requiretls = requiretls;
	struct bounce b = bounce_of(&e, m);

	b.size_limit = limit;
	const char *out = compose(&b);

	assert_has(out, arena_printf(arena, "\r\nContent-Type: %s\r\n", want));
	assert_has(strstr(out, want),
		   arena_printf(arena, "\r\nContent-Transfer-Encoding: %s\r\n\r\n", coding));
	if (strcmp(coding, "8bit") == 0)
		assert_has(strstr(out, "Content-Type: multipart"),
			   "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--");
	assert_lines(out);
	assert_lacks(out, "secret@");
	if (strstr(want, "eaders"))
		assert_lacks(out, body);
	message_free(m);
}

static void test_third(void **state)
{
	const size_t size = strlen(HEADER "\r\nhello\r\n") - strlen("Bcc: secret@example.net\r\n");
	const char *line = arena_printf(arena, "%01000d\r\n", 1);

	(void)state;
	check_third(HEADER, "hello\r\n", DSN_RET_NONE, false, 0, "message/rfc822", "7bit");
	check_third(HEADER, "hello\r\n", DSN_RET_FULL, false, size, "message/rfc822", "7bit");
	check_third(HEADER, "hello\r\n", DSN_RET_FULL, false, size - 1, "text/rfc822-headers",
		    "7bit");
	check_third(HEADER, "hello\r\n", DSN_RET_HDRS, false, 0, "text/rfc822-headers", "7bit");
	check_third(HEADER, "hello\r\n", DSN_RET_FULL, true, 0, "text/rfc822-headers", "7bit");
	check_third(HEADER, line, DSN_RET_FULL, false, 0, "text/rfc822-headers", "7bit");
	check_third(HEADER, "caf\xc3\xa9\r\n", DSN_RET_FULL, false, 0, "message/rfc822", "8bit");
	check_third(HEADER "X: \xe9\r\n", "hello\r\n", DSN_RET_FULL, false, 0, "message/rfc822",
		    "8bit");
	check_third(HEADER "X: \xe9\r\n", "hello\r\n", DSN_RET_HDRS, false, 0,
		    "text/rfc822-headers", "quoted-printable");
	check_third(HEADER "X: \xc3\xa9\r\n", "hello\r\n", DSN_RET_FULL, false, 0,
		    "message/global", "quoted-printable");
	check_third(HEADER "X: \xc3\xa9\r\n", "caf\xc3\xa9\r\n", DSN_RET_FULL, false, 0,
		    "message/global", "base64");
	check_third(HEADER "X: \xc3\xa9\r\n", "hello\r\n", DSN_RET_HDRS, false, 0,
		    "message/global-headers", "quoted-printable");
	check_third(arena_printf(arena, HEADER "X: %01000d\r\n", 1), "hello\r\n", DSN_RET_FULL,
		    false, 0, "message/rfc822", "7bit");
	check_third("", "hello\r\n", DSN_RET_HDRS, false, 0, "text/rfc822-headers", "7bit");
}

static void test_utf8(void **state)
{
	struct entry e;

	(void)state;
	begin_entry(&e, 2);
	refuse(&e, 0, "550 5.1.1 caf\xc3\xa9");
	refuse(&e, 1, "550 5.1.1 no");
	e.envelope.rcpt[0].orcpt = "utf-8;j\xc3\xb6@example.net";
	const char *out = compose_text(&e, HEADER "\r\nx\r\n");

	assert_has(out, "report-type=global-delivery-status;\r\n");
	assert_has(out, "Content-Type: message/global-delivery-status\r\n"
		   "Content-Description: Delivery report\r\n"
		   "Content-Transfer-Encoding: quoted-printable\r\n");
	assert_has(out, "Original-Recipient: utf-8; j=C3=B6@example.net\r\n"
		   "Final-Recipient: rfc822; r0@example.net\r\n");
	assert_has(out, "Diagnostic-Code: smtp; 550 5.1.1 caf?\r\n");
	assert_has(out, "said: 550 5.1.1 caf=C3=A9");
	assert_lacks(out, "8bit");
	/* a sender who needs SMTPUTF8 has a way for it */
	e.envelope.sender = "\xc3\xa4@example.org";
	out = compose_text(&e, HEADER "Subject: \xc3\xa9\r\n\r\nx\r\n");
	assert_has(out, "\r\nTo: \xc3\xa4@example.org\r\n");
	assert_has(out, "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--=_");
	assert_has(out, "Original-Recipient: utf-8; j\xc3\xb6@example.net\r\n");
	assert_has(out, "Content-Type: message/global\r\n");
	assert_has(out, "Subject: \xc3\xa9\r\n");
	/* octets that are no UTF-8 are no address, either */
	e.envelope.sender = "a@example.org";
	e.envelope.rcpt[0].orcpt = "j\xf6@example.net";
	out = compose_text(&e, HEADER "\r\nx\r\n");
	assert_has(out, "Original-Recipient: rfc822; j?@example.net\r\n");
	assert_has(out, "report-type=delivery-status;\r\n");
}

/* A message that is larger than memory should be goes back whole where that is wanted. */
static void test_large(void **state)
{
	struct message_options wire = { .dots_ignored = true, .wire = true };
	struct message_reader *r = message_reader_new(&wire);
	struct message *m = NULL, *own = NULL;
	struct error err;
	struct entry e;
	char line[80];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line + 78, "\r\n", 2);
	assert_int_equal(message_reader_push(r, HEADER "\r\n", strlen(HEADER "\r\n"), &err), 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(message_reader_push(r, line, sizeof(line), &err), 0);
	assert_int_equal(message_reader_finish(r, &m, &err), 0);
	begin_entry(&e, 1);
	refuse(&e, 0, "550 no");
	struct bounce b = bounce_of(&e, m);

	b.size_limit = 0;
	assert_int_equal(bounce_compose(&b, &own, &err), 0);
	assert_true(own->body_size > 8000000);
	message_free(own);
	b.size_limit = 50000;
	assert_int_equal(bounce_compose(&b, &own, &err), 0);
	assert_true(own->body_size < 3000);
	message_free(own);
	message_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_notify, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_deliver_by, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_way, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_entry, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_late, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_failed, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_other_kinds, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_notice, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_notice_due, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_status, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_hostile, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_long, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_third, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_utf8, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_large, arena_setup, arena_teardown),
	};

	setenv("TZ", "UTC0", 1);
	return cmocka_run_group_tests_name("bounce", tests, NULL, NULL);
}
