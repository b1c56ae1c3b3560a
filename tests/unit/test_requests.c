#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/result.h"
#include "prepare/requests.h"
#include "smtp/ext/ext.h"
#include "track/track.h"
#include "util/arena.h"
#include "util/base64.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

/* A message with its account and envelope. */
struct job {
	struct arena *arena;
	struct account account;
	struct envelope envelope;
	struct message *message;
	struct edits edits;
	struct error err;
	struct strbuf header;
};

static void job_open(struct job *j, const char *header)
{
	static const struct message_options opt = { .dots_ignored = true };
	struct message_reader *reader = message_reader_new(&opt);

	*j = (struct job){ .arena = arena_new(), .header = STRBUF_INIT(65536) };
	assert_int_equal(message_reader_push(reader, header, strlen(header), &j->err), 0);
	assert_int_equal(message_reader_push(reader, "\nbody\n", 6, &j->err), 0);
	assert_int_equal(message_reader_finish(reader, &j->message, &j->err), 0);
	envelope_init(&j->envelope, j->arena);
	j->envelope.sender = "a@example.org";
	envelope_add(&j->envelope, "b@example.org", NULL);
	edits_init(&j->edits, j->arena, j->message);
	j->account.ext.mt_priority_from_header = true;
	j->account.ext.esmtp = true;
}

static int job_apply(struct job *j)
{
	int rc = requests_apply(&j->edits, &j->envelope, j->message, &j->account, &j->err);

	strbuf_reset(&j->header);
	edits_write_header(&j->edits, j->message, &j->header);
	return rc;
}

static void job_close(struct job *j)
{
	strbuf_release(&j->header);
	message_free(j->message);
	arena_free(j->arena);
}

/* --- the header -------------------------------------------------------------- */

static const struct {
	const char *label;
	struct ext_settings ext;
	const char *header, *result;
} headers[] = {
	{ "nothing", { .esmtp = true }, "Subject: x\n", "Subject: x\r\n\r\n" },
	{ "solicitation", { .solicit = "a:B, c" }, "Subject: x\n",
	  "Solicitation: a:B,c\r\nSubject: x\r\n\r\n" },
	{ "solicitation replaced", { .solicit = "a:B" }, "Solicitation: c\nS: x\nsolicitation: d\n",
	  "Solicitation: a:B\r\nS: x\r\n\r\n" },
	{ "solicitation the same", { .solicit = "a:B" }, "S: x\nSolicitation:  a:B \n",
	  "S: x\r\nSolicitation:  a:B \r\n\r\n" },
	{ "solicitation twice", { .solicit = "a:B" }, "Solicitation: a:B\nSolicitation: a:B\n",
	  "Solicitation: a:B\r\n\r\n" },
	{ "convert", { .content_convert = "ANY", .content_features = "(a=b)",
		   .asked[EXT_CONPERM] = true },
	  "S: x\n", "Content-Convert: ANY\r\nContent-Features: (a=b)\r\nS: x\r\n\r\n" },
	{ "TLS-Required", { .esmtp = true }, "S: x\n",
	  "TLS-Required: No\r\nS: x\r\n\r\n" },
	{ "TLS-Required, there", { .esmtp = true }, "TLS-Required: No\nS: x\n",
	  "TLS-Required: No\r\nS: x\r\n\r\n" },
	{ "TLS-Required against it", { .requiretls = REQUIRETLS_TRY },
	  "S: x\n", "S: x\r\n\r\n" },
	{ "receipt", { .rrt_to_dsn = true }, "S: x\nReturn-Receipt-To: a@b\n", "S: x\r\n\r\n" },
	{ "receipt kept", { .esmtp = true }, "Return-Receipt-To: a@b\n",
	  "Return-Receipt-To: a@b\r\n\r\n" },
	{ "date", { .hold_until = "2050-01-01T00:00:00Z", .hold_sets_date = true },
	  "Date: Tue, 04 Mar 2025 10:20:30 +0100\nS: x\n",
	  "Date: Sat, 01 Jan 2050 00:00:00 +0000\r\nS: x\r\n\r\n" },
	{ "rrvs", { .rrvs = "2024-02-29T12:00:00Z", .rrvs_header = true },
	  "Require-Recipient-Valid-Since: old\n",
	  "Require-Recipient-Valid-Since: b@example.org; Thu, 29 Feb 2024 12:00:00 +0000\r\n\r\n" },
};

static size_t lines_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct job j;

		print_message("%s\n", headers[i].label);
		job_open(&j, headers[i].header);
		j.account.ext = headers[i].ext;
		j.account.ext.tls_required = strncmp(headers[i].label, "TLS-Required", 12) != 0;
		j.envelope.size = 1;
		if (job_apply(&j) < 0)
			fail_msg("%s", j.err.text);
		assert_string_equal(j.header.buf, headers[i].result);
		/* once the header has changed, the size is that of what goes out */
		bool changed = strlen(headers[i].result) != strlen(headers[i].header) + 2 +
			       lines_of(headers[i].header);

		if (changed)
			assert_true(j.envelope.size == edits_wire_size(&j.edits, j.message));
		job_close(&j);
	}
}

static const struct {
	const char *header, *submitter;		/* of RFC 4407, section 2; NULL = nobody */
} responsible[] = {
	{ "From: a@b\n", "a@b" }, { "From: Joe <a@b>\n", "a@b" }, { "From: a@b, c@d\n", NULL },
	{ "From: a\n", NULL }, { "From: <>\n", NULL }, { "S: x\n", NULL },
	{ "From:\nSender: \n", NULL },
	{ "From: a@b\nFrom: c@d\n", NULL }, { "From: a@b\nSender: c@d\n", "c@d" },
	{ "From: a@b\nSender: \n", "a@b" }, { "From: a@b\nSender: c@d\nSender: e@f\n", NULL },
	{ "From: a@b\nSender: broken\n", NULL }, { "Resent-From: r@s\nFrom: a@b\n", "r@s" },
	{ "Resent-From: r@s\nResent-Sender: t@u\nFrom: a@b\n", "t@u" },
	{ "Resent-Sender: t@u\nResent-From: r@s\nFrom: a@b\n", "t@u" },
	{ "Resent-From: r@s\nReceived: x\nResent-Sender: t@u\nFrom: a@b\n", "r@s" },
	{ "Resent-From: r@s\nReturn-Path: <x>\nResent-Sender: t@u\n", "r@s" },
	{ "Received: x\nResent-Sender: t@u\nFrom: a@b\n", "t@u" },
	{ "Resent-From: \nReceived: x\nResent-Sender: t@u\n", "t@u" },
	{ "Resent-From: r@s, t@u\nFrom: a@b\n", NULL }, { "Resent-Sender:\nFrom: a@b\n", "a@b" },
	{ "From: =?utf-8?q?=C3=BC?= <a@b>\n", "a@b" }, { "from : a@b\n", "a@b" },
	{ "From: a@b,\n c@d\n", NULL }, { "From:\n a@b\n", "a@b" },
};

static void test_submitter(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(responsible); i++) {
		struct job j;

		print_message("%s\n", responsible[i].header);
		job_open(&j, responsible[i].header);
		j.account.ext.submitter = "auto";
		assert_int_equal(job_apply(&j), 0);
		assert_int_equal(j.envelope.ext.submitter != NULL,
		  responsible[i].submitter != NULL);
		if (responsible[i].submitter)
			assert_string_equal(j.envelope.ext.submitter, responsible[i].submitter);
		job_close(&j);
	}
}

static const struct {
	const char *header;
	bool given;
	int value;
} priorities[] = {
	{ "MT-Priority: 3\n", true, 3 }, { "mt-priority:-9\n", true, -9 },
	{ "MT-Priority: 3\nMT-Priority: 3\n", false, 0 }, { "MT-Priority: flash\n", false, 0 },
	{ "MT-Priority: +3\n", false, 0 }, { "MT-Priority: 10\n", false, 0 },
	{ "MT-Priority:\n", false, 0 },
	{ "X-MT-Priority: 3\n", false, 0 }, { "MT-PriorityX: 3\n", false, 0 },
	{ "Priority: 3\n", false, 0 },
};

static void test_priority_of_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		struct job j;

		print_message("%s\n", priorities[i].header);
		job_open(&j, priorities[i].header);
		assert_int_equal(job_apply(&j), 0);
		assert_int_equal(j.envelope.ext.priority_given, priorities[i].given);
		assert_int_equal(j.envelope.ext.priority, priorities[i].value);
		job_close(&j);
		job_open(&j, priorities[i].header);
		j.account.ext.mt_priority = "-2";	/* the key wins over the field */
		assert_int_equal(job_apply(&j), 0);
		assert_int_equal(j.envelope.ext.priority, -2);
		job_close(&j);
	}
}

/* --- contradictions ------------------------------------------------------------- */

static const char *const bad_param[] = { "SIZE=1", NULL };
static const char *const bad_policy[] = { "color:try", NULL };

static const struct {
	const char *label;
	struct ext_settings ext;
	bool null_sender, two, tls_off;
	const char *header;
	int exit;
	const char *text;
} contradictions[] = {
	{ "hold, null sender", { .hold_for = "1h" }, true, false, false, "S: x\n", 64,
	  "null sender" },
	{ "both holds", { .hold_for = "1h", .hold_until = "2050-01-01T00:00:00Z" }, false, false,
	  false,
	  "S: x\n", 64, "together" },
	{ "by before hold", { .hold_for = "2h", .deliver_by = "1h" }, false, false, false,
	  "S: x\n", 64,
	  "later" },
	{ "rrvs header for two", { .rrvs = "@0", .rrvs_header = true }, false, true, false,
	  "S: x\n", 64,
	  "one recipient" },
	{ "requiretls, no tls", { .requiretls = REQUIRETLS_YES }, false, false, true, "S: x\n",
	  64, "TLS" },
	{ "conperm of nothing", { .asked[EXT_CONPERM] = true }, false, false, false, "S: x\n", 64,
	  "Content-Convert" },
	{ "convert what is signed", 
	  { .content_convert = "ANY", .asked[EXT_CONPERM] = true }, false, false, false,
	  "Content-Type: Multipart/Signed; boundary=x\n", 65, "signed" },
	{ "convert what is encrypted", 
	  { .content_convert = "ANY", .asked[EXT_CONPERM] = true }, false, false, false,
	  "Content-Type:\n application/pkcs7-mime\n", 65, "encrypted" },
	{ "submitter is not in the header", { .submitter = "x@y" }, false, false, false,
	  "From: a@b\n",
	  64, "a@b" },
	{ "parameter of ours", { .mail_param = bad_param }, false, false, false, "S: x\n", 78,
	  "SIZE" },
	{ "unknown name", { .policy = bad_policy }, false, false, false, "S: x\n", 78, "color" },
};

static void test_contradictions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contradictions); i++) {
		struct job j;

		print_message("%s\n", contradictions[i].label);
		job_open(&j, contradictions[i].header);
		j.account.ext = contradictions[i].ext;
		j.account.ext.tls_required = true;
		j.account.tls.mode = contradictions[i].tls_off ? TLS_OFF : TLS_AUTO;
		if (contradictions[i].null_sender)
			j.envelope.sender = "";
		if (contradictions[i].two)
			envelope_add(&j.envelope, "c@example.org", NULL);
		assert_int_equal(job_apply(&j), -1);
		assert_int_equal(j.err.exit, contradictions[i].exit);
		assert_non_null(strstr(j.err.text, contradictions[i].text));
		job_close(&j);
	}
}

/* --- recipients and ids ------------------------------------------------------------ */

static void test_recipients(void **state)
{
	struct job j;

	(void)state;
	job_open(&j, "Return-Receipt-To: a@b\n");
	envelope_add(&j.envelope, "c@example.org", NULL);
	j.envelope.rcpt[1].notify = DSN_NOTIFY_NEVER;
	j.envelope.rcpt[1].rrvs = true;		/* of --rcpt */
	j.envelope.rcpt[1].rrvs_ms = 5;
	j.account.ext.rrvs = "@7;C";
	j.account.ext.rrt_to_dsn = true;
	assert_int_equal(job_apply(&j), 0);
	assert_int_equal(j.envelope.rcpt[0].notify, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE);
	assert_int_equal(j.envelope.rcpt[1].notify, DSN_NOTIFY_NEVER);
	assert_true(j.envelope.rcpt[0].rrvs && j.envelope.rcpt[0].rrvs_continue);
	assert_true(j.envelope.rcpt[0].rrvs_ms == 7000);
	assert_true(j.envelope.rcpt[1].rrvs && !j.envelope.rcpt[1].rrvs_continue);
	assert_true(j.envelope.rcpt[1].rrvs_ms == 5);
	job_close(&j);
}

static void test_envid(void **state)
{
	struct job j, k;

	(void)state;
	job_open(&j, "S: x\n");
	assert_int_equal(job_apply(&j), 0);
	assert_null(j.envelope.envid);		/* nobody asked for a notice */
	j.envelope.rcpt[0].notify = DSN_NOTIFY_DELAY;
	assert_int_equal(job_apply(&j), 0);
	assert_non_null(j.envelope.envid);
	assert_true(strlen(j.envelope.envid) <= 38);
	assert_true(strspn(j.envelope.envid, "0123456789abcdefghijklmnopqrstuv.") ==
		    strlen(j.envelope.envid));
	job_open(&k, "S: x\n");
	k.envelope.rcpt[0].notify = DSN_NOTIFY_DELAY;
	assert_int_equal(job_apply(&k), 0);
	assert_string_not_equal(j.envelope.envid, k.envelope.envid);
	job_close(&k);
	job_open(&k, "S: x\n");
	k.envelope.rcpt[0].notify = DSN_NOTIFY_DELAY;
	k.envelope.envid = "own";
	assert_int_equal(job_apply(&k), 0);
	assert_string_equal(k.envelope.envid, "own");
	job_close(&k);
	job_close(&j);
}

/* --- tracking ------------------------------------------------------------------------- */

static char home[64];

static int make_home(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/msubmit-track-XXXXXX");
	if (!mkdtemp(home))
		return -1;
	setenv("XDG_STATE_HOME", home, 1);
	setenv("TZ", "UTC", 1);
	return 0;
}

static int remove_home(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/msubmit/tracking", home);
	unlink(path);
	snprintf(path, sizeof(path), "%s/msubmit", home);
	rmdir(path);
	return rmdir(home);
}

static void write_file(const char *text, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/msubmit", home);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/msubmit/tracking", home);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_mtrk(void **state)
{
	struct job j;
	struct strbuf octets = STRBUF_INIT(100), uri = STRBUF_INIT(1000);
	struct result r;

	(void)state;
	job_open(&j, "S: x\n");
	j.account.ext.track = "10d";
	j.envelope.envid = "local";
	assert_int_equal(job_apply(&j), 0);
	assert_int_equal(strlen(j.envelope.ext.mtrk), 27);
	assert_int_equal(j.envelope.ext.mtrk_timeout, 864000);
	assert_int_equal(base64_decode(&octets, j.envelope.ext.mtrk_secret,
				       strlen(j.envelope.ext.mtrk_secret)), 0);
	assert_int_equal(octets.len, 32);
	assert_true(strncmp(j.envelope.envid, "local@", 6) == 0 && strlen(j.envelope.envid) <= 100);
	result_init(&r, j.arena, 1);
	j.envelope.envid = "a/b@c?%";
	j.envelope.ext.mtrk_secret = "a/b+c=";
	r.server = "mail.example.org:587";
	mtrk_uri(&j.envelope, &r, &uri);
	assert_string_equal(uri.buf, "mtqp://mail.example.org/track/a%2Fb@c%3F%25/a%2Fb+c=");
	strbuf_reset(&uri);
	r.server = "[2001:db8::1]:587";
	mtrk_uri(&j.envelope, &r, &uri);
	assert_true(strncmp(uri.buf, "mtqp://[2001:db8::1]/track/", 27) == 0);
	strbuf_release(&octets);
	strbuf_release(&uri);
	job_close(&j);
}

/* Two of one alias: not to be tracked. */
static void test_mtrk_exploded(void **state)
{
	struct job j;

	(void)state;
	job_open(&j, "S: x\n");
	envelope_add(&j.envelope, "c@example.org", "all@example.org");
	j.account.ext.track = "on";
	assert_int_equal(job_apply(&j), 0);
	assert_non_null(j.envelope.ext.mtrk);
	job_close(&j);
	job_open(&j, "S: x\n");
	envelope_add(&j.envelope, "c@example.org", "all@example.org");
	envelope_add(&j.envelope, "d@example.org", "all@example.org");
	j.account.ext.track = "on";
	assert_int_equal(job_apply(&j), 0);
	assert_null(j.envelope.ext.mtrk);
	job_close(&j);
}

static int collect(void *ctx, const struct tracking *t)
{
	strbuf_addf(ctx, "%lld|%s|%s|%s|%s\n", t->when > 1600000000 ? 1 : t->when, t->envid,
		    t->secret, t->server, t->recipients);
	return 0;
}

static int stop(void *ctx, const struct tracking *t)
{
	(void)t;
	++*(int *)ctx;
	return 7;
}

static void keep(const char *envid, const char *server)
{
	struct job j;
	struct result r;

	job_open(&j, "S: x\n");
	envelope_add(&j.envelope, "c,c@example.org", NULL);
	envelope_add(&j.envelope, "d@example.org", NULL);
	result_init(&r, j.arena, 3);
	r.rcpt[0].outcome = r.rcpt[1].outcome = OUTCOME_ACCEPTED;
	r.rcpt[2].outcome = OUTCOME_REFUSED;
	r.server = server;
	j.envelope.envid = envid;
	j.envelope.ext.mtrk_secret = "c2VjcmV0";
	if (tracking_keep(&j.envelope, &r, &j.err) < 0)
		fail_msg("%s", j.err.text);
	job_close(&j);
}

static void test_tracking_file(void **state)
{
	struct strbuf seen = STRBUF_INIT(4096);
	struct error err;
	struct stat st;
	char path[128];
	int count = 0;

	(void)state;
	assert_int_equal(tracking_read(collect, &seen, &err), 0);	/* no file is no message */
	assert_string_equal(seen.buf, "");
	keep("1 %@x", "mail.example.org:25");
	keep("2@x", "/run/socket");
	snprintf(path, sizeof(path), "%s/msubmit/tracking", home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tracking_read(collect, &seen, &err), 0);
	assert_string_equal(seen.buf,
			    "1|1 %@x|c2VjcmV0|mail.example.org:25|b@example.org,c%2Cc@example.org\n"
			    "1|2@x|c2VjcmV0|/run/socket|b@example.org,c%2Cc@example.org\n");
	assert_int_equal(tracking_read(stop, &count, &err), 7);
	assert_int_equal(count, 1);
	strbuf_release(&seen);
}

/* What is no line is passed over, what was cut off too; a new line does not run into it. */
static void test_tracking_bad_lines(void **state)
{
	struct strbuf seen = STRBUF_INIT(4096);
	struct error err;
	char text[400];
	long long now = (long long)time(NULL);

	(void)state;
	snprintf(text, sizeof(text), "nonsense\n\n-5 a b c d\n%lld a%%00 b c d\n%lld a%%G1 b c d\n"
		 "%lld a b c\n%lld a b c d e\n%lldx a b c d\n%lld good b c d\n%lld cut b", now, now,
		 now, now, now, now, now);
	write_file(text, 0600);
	assert_int_equal(tracking_read(collect, &seen, &err), 0);
	assert_string_equal(seen.buf, "1|good|b|c|d\n");
	strbuf_reset(&seen);
	keep("new", "s:1");
	assert_int_equal(tracking_read(collect, &seen, &err), 0);
	assert_string_equal(seen.buf,
			    "1|good|b|c|d\n1|new|c2VjcmV0|s:1|b@example.org,c%2Cc@example.org\n");
	strbuf_release(&seen);
}

/* Old ones go when a new one comes. */
static void test_tracking_expiry(void **state)
{
	struct strbuf seen = STRBUF_INIT(4096);
	struct error err;
	char text[200];
	long long now = (long long)time(NULL);

	(void)state;
	snprintf(text, sizeof(text), "5 oldest b c d\n%lld old b c d\n%lld young b c d\n",
		 now - TRACKING_KEEP - 10, now - TRACKING_KEEP + 1000);
	write_file(text, 0600);
	keep("new", "s:1");
	assert_int_equal(tracking_read(collect, &seen, &err), 0);
	assert_string_equal(seen.buf,
			    "1|young|b|c|d\n1|new|c2VjcmV0|s:1|b@example.org,c%2Cc@example.org\n");
	strbuf_release(&seen);
}

static void test_tracking_mode(void **state)
{
	struct strbuf seen = STRBUF_INIT(4096);
	struct job j;
	struct result r;

	(void)state;
	write_file("1700000000 a b c d\n", 0644);
	job_open(&j, "S: x\n");
	assert_int_equal(tracking_read(collect, &seen, &j.err), -1);
	assert_int_equal(j.err.exit, EX_CONFIG);
	result_init(&r, j.arena, 1);
	j.envelope.envid = j.envelope.ext.mtrk_secret = "x";
	assert_int_equal(tracking_keep(&j.envelope, &r, &j.err), -1);
	assert_int_equal(j.err.exit, EX_CONFIG);
	job_close(&j);
	strbuf_release(&seen);
}

static void test_tracking_no_folder(void **state)
{
	struct job j;
	struct result r;

	(void)state;
	job_open(&j, "S: x\n");
	result_init(&r, j.arena, 1);
	j.envelope.envid = j.envelope.ext.mtrk_secret = "x";
	setenv("XDG_STATE_HOME", "/proc/self/none", 1);
	assert_int_equal(tracking_keep(&j.envelope, &r, &j.err), -1);
	assert_int_equal(j.err.exit, EX_CANTCREAT);
	setenv("XDG_STATE_HOME", home, 1);
	job_close(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers), cmocka_unit_test(test_submitter),
		cmocka_unit_test(test_priority_of_header), cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_recipients), cmocka_unit_test(test_envid),
		cmocka_unit_test(test_mtrk), cmocka_unit_test(test_mtrk_exploded),
		cmocka_unit_test(test_tracking_file), cmocka_unit_test(test_tracking_bad_lines),
		cmocka_unit_test(test_tracking_expiry), cmocka_unit_test(test_tracking_mode),
		cmocka_unit_test(test_tracking_no_folder),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
