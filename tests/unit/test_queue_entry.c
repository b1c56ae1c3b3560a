#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "arena_state.h"
#include "queue/entry.h"
#include "util/error.h"
#include "util/strbuf.h"

/* --- there and back ------------------------------------------------------------- */

static void fill_ext(struct ext_request *x)
{
	*x = (struct ext_request){
		.by = BY_RETURN, .by_trace = true, .by_ms = 1700000009000, .hold = HOLD_UNTIL,
		.hold_ms = 1700000008000, .priority_given = true, .priority = -4,
		.requiretls = true, .solicit = "net.example:ADV", .mtrk = "YWJj",
		.mtrk_secret = "eHl6", .mtrk_timeout = 86400, .features = "(& (color=grey))",
		.submitter = "s@example.org", .mail_auth = "",
	};
	x->asked[EXT_PRDR] = x->asked[EXT_CONPERM] = true;
}

static void fill(struct entry *e)
{
	struct envelope v;
	struct rcpt_result r = { .outcome = OUTCOME_DEFERRED };
	static const struct recipient like = {
		.notify = DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, .source = RCPT_SOURCE_BCC,
		.blind = true, .bcc = true, .rrvs = true, .rrvs_continue = true, .rrvs_ms = 77000,
		.original = "root",
	};

	envelope_init(&v, arena);
	v.sender = "a@example.org";
	v.orig_sender = "login name";
	v.envid = "QQ 100%";
	v.ret = DSN_RET_HDRS;
	v.body = BODY_8BITMIME;
	v.utf8 = v.header_utf8 = true;
	fill_ext(&v.ext);
	envelope_add_as(&v, "b@example.org", "rfc822;root", &like);
	envelope_add(&v, "\"<c d>\"@example.org", NULL);
	entry_init(e, arena);
	entry_set_envelope(e, &v);
	e->arrival_ms = 1700000000123;
	e->next_ms = 1700000060000;
	e->expires_ms = 1700400000000;
	e->last_ms = e->unknown_ms = 1700000001000;
	e->warned_ms = 1700000002000;
	e->attempts = 3;
	e->held = e->binary = e->no_files = true;
	e->uid = 1000;
	e->account = "work";
	e->config_file = "/home/a b/50%\n.rc";
	e->message_id = "<1@example.org>";
	entry_add_setting(e, "host", "mx.example.org");
	entry_add_setting(e, "domain", "a=b\nc");
	e->message_size = 5;
	e->message_sum = entry_sum(ENTRY_SUM_INIT, "x\r\ny\n", 5);
	error_set_status(&r.error, FAULT_GREYLISTED, "4.7.1", "the server says: 451 4.7.1 later");
	r.error.reply = 451;
	error_mark_words(&r.error, strlen("the server says: "));
	entry_set_result(e, 0, &r, "mx.example.org:25", 1700000001500);
}

static void check_rcpts(const struct entry *e)
{
	const struct recipient *r = e->envelope.rcpt;

	assert_int_equal(e->envelope.rcpt_count, 2);
	assert_string_equal(r[0].address, "b@example.org");
	assert_same("orcpt", r[0].orcpt, "rfc822;root");
	assert_same("original", r[0].original, "root");
	assert_int_equal(r[0].notify, DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY);
	assert_int_equal(r[0].source, RCPT_SOURCE_BCC);
	assert_true(r[0].blind && r[0].bcc && r[0].rrvs && r[0].rrvs_continue);
	assert_int_equal(r[0].rrvs_ms, 77000);
	assert_string_equal(r[1].address, "\"<c d>\"@example.org");
	assert_false(r[1].orcpt || r[1].notify || r[1].blind || r[1].rrvs);
	assert_int_equal(e->rcpt[0].outcome, OUTCOME_DEFERRED);
	assert_int_equal(e->rcpt[0].at_ms, 1700000001500);
	assert_int_equal(e->rcpt[0].fault, FAULT_GREYLISTED);
	assert_int_equal(e->rcpt[0].exit, EX_TEMPFAIL);
	assert_int_equal(e->rcpt[0].code, 451);
	assert_same("status", e->rcpt[0].status, "4.7.1");
	assert_same("words", e->rcpt[0].words, "451 4.7.1 later");
	assert_same("text", e->rcpt[0].text, "the server says: 451 4.7.1 later");
	assert_same("server", e->rcpt[0].server, "mx.example.org:25");
	assert_int_equal(e->rcpt[1].outcome, OUTCOME_NONE);
	assert_null(e->rcpt[1].text);
}

static void check_ext(const struct ext_request *x)
{
	assert_int_equal(x->by, BY_RETURN);
	assert_int_equal(x->by_ms, 1700000009000);
	assert_int_equal(x->hold, HOLD_UNTIL);
	assert_int_equal(x->hold_ms, 1700000008000);
	assert_true(x->by_trace && x->priority_given && x->requiretls);
	assert_int_equal(x->priority, -4);
	assert_int_equal(x->mtrk_timeout, 86400);
	assert_same("solicit", x->solicit, "net.example:ADV");
	assert_same("mtrk", x->mtrk, "YWJj");
	assert_same("mtrk_secret", x->mtrk_secret, "eHl6");
	assert_same("features", x->features, "(& (color=grey))");
	assert_same("submitter", x->submitter, "s@example.org");
	assert_same("mail_auth", x->mail_auth, "");
	for (int id = 0; id < EXT_COUNT; id++)
		assert_int_equal(x->asked[id], id == EXT_PRDR || id == EXT_CONPERM);
}

static void test_there_and_back(void **state)
{
	struct strbuf out = STRBUF_INIT(2 * ENTRY_ENVELOPE_MAX), again = out;
	struct entry e, back;
	struct error err;
	size_t size = 0;

	(void)state;
	fill(&e);
	assert_int_equal(entry_write(&e, &out, &err), 0);
	assert_int_equal(entry_head_size(out.buf, ENTRY_LINE_SIZE, &size, &err), 0);
	assert_int_equal(size, out.len);
	assert_int_equal(e.message_start, out.len);
	assert_int_equal(entry_parse(out.buf, out.len, arena, &back, &err), 0);
	assert_int_equal(back.message_start, out.len);
	assert_int_equal(back.message_size, 5);
	assert_int_equal(back.message_sum, e.message_sum);
	assert_int_equal(back.arrival_ms, e.arrival_ms);
	assert_int_equal(back.next_ms, e.next_ms);
	assert_int_equal(back.expires_ms, e.expires_ms);
	assert_int_equal(back.last_ms, e.last_ms);
	assert_int_equal(back.unknown_ms, e.unknown_ms);
	assert_int_equal(back.warned_ms, e.warned_ms);
	assert_int_equal(back.attempts, 3);
	assert_true(back.held && back.binary && back.no_files);
	assert_int_equal(back.uid, 1000);
	assert_same("account", back.account, "work");
	assert_same("config", back.config_file, e.config_file);
	assert_same("message-id", back.message_id, "<1@example.org>");
	assert_int_equal(back.setting_n, 2);
	assert_same("setting", back.setting[1].key, "domain");
	assert_same("setting", back.setting[1].value, "a=b\nc");
	assert_same("sender", back.envelope.sender, "a@example.org");
	assert_same("orig-sender", back.envelope.orig_sender, "login name");
	assert_same("envid", back.envelope.envid, "QQ 100%");
	assert_int_equal(back.envelope.ret, DSN_RET_HDRS);
	assert_int_equal(back.envelope.body, BODY_8BITMIME);
	assert_true(back.envelope.utf8 && back.envelope.header_utf8);
	check_ext(&back.envelope.ext);
	check_rcpts(&back);
	assert_int_equal(entry_write(&back, &again, &err), 0);
	assert_int_equal(again.len, out.len);
	assert_memory_equal(again.buf, out.buf, out.len);
	strbuf_release(&out);
	strbuf_release(&again);
}

/* Everything that asks for nothing takes no line. */
static void test_plain(void **state)
{
	struct strbuf out = STRBUF_INIT(4096);
	struct envelope v;
	struct entry e, back;
	struct error err;

	(void)state;
	envelope_init(&v, arena);
	v.sender = "";
	envelope_add(&v, "b@example.org", NULL);
	entry_init(&e, arena);
	entry_set_envelope(&e, &v);
	e.arrival_ms = 1;
	e.account = "default";
	assert_int_equal(entry_write(&e, &out, &err), 0);
	assert_string_equal(out.buf + ENTRY_LINE_SIZE,
			    "arrival 1\naccount default\nsender \nrcpt b@example.org\n");
	assert_int_equal(entry_parse(out.buf, out.len, arena, &back, &err), 0);
	assert_same("sender", back.envelope.sender, "");
	assert_null(back.envelope.ext.mail_auth);
	assert_int_equal(entry_open(&back), 1);
	strbuf_release(&out);
}

/* --- octets that are not as they were written -------------------------------------- */

/* First line of that version and that envelope, with sums that are right. */
static void seal_as(struct strbuf *out, int version, const char *envelope)
{
	const size_t n = strlen(envelope);
	char line[ENTRY_LINE_SIZE + 1];
	uint64_t sum;

	snprintf(line, sizeof(line), "msubmit-queue %03d %010zu %019d %016d ", version, n, 0,
		 0);
	sum = entry_sum(ENTRY_SUM_INIT, line, strlen(line) - 1);
	sum = entry_sum(sum, envelope, n);
	strbuf_addf(out, "%s%016llx\n%s", line, (unsigned long long)sum, envelope);
}

static void seal(struct strbuf *out, const char *envelope)
{
	seal_as(out, ENTRY_VERSION_FIRST, envelope);
}

#define HEAD "arrival 1\naccount x\nsender a@b\n"

static const struct {
	const char *envelope;
	bool good;
} texts[] = {
	{ HEAD "rcpt c@d\n", true },
	{ HEAD "rcpt c@d\nrcpt e@f\nblind\n", true },
	{ HEAD "rcpt \"c d\"@d\n", true },
	{ HEAD "config /a%0Ab%25\nrcpt c@d\n", true },
	{ HEAD "rcpt c@d\nblind\nblind\n", false },	/* twice */
	{ HEAD "attempts 0\nrcpt c@d\n", false },	/* never written */
	{ HEAD "attempts 01\nrcpt c@d\n", false },
	{ HEAD "attempts 1x\nrcpt c@d\n", false },
	{ HEAD "attempts 1000000001\nrcpt c@d\n", false },
	{ HEAD "uid 4294967295\nrcpt c@d\n", true },
	{ HEAD "uid 4294967296\nrcpt c@d\n", false },
	{ HEAD "next 253402300799999\nrcpt c@d\n", true },
	{ HEAD "next 253402300800000\nrcpt c@d\n", false },
	{ HEAD "next 99999999999999999999\nrcpt c@d\n", false },
	{ HEAD "held yes\nrcpt c@d\n", false },
	{ HEAD "next\nrcpt c@d\n", false },
	{ HEAD "ret full\nrcpt c@d\n", true },
	{ HEAD "ret none\nrcpt c@d\n", false },
	{ HEAD "asked NOSUCH\nrcpt c@d\n", false },
	{ HEAD "setting host\nrcpt c@d\n", false },
	{ HEAD "setting =x\nrcpt c@d\n", false },
	{ HEAD "bogus 1\nrcpt c@d\n", false },
	{ HEAD "envid a%0Db\nrcpt c@d\n", false },	/* would go into a command */
	{ HEAD "envid a%41\nrcpt c@d\n", false },	/* never written so */
	{ HEAD "envid a%\nrcpt c@d\n", false },
	{ HEAD "config a%00\nrcpt c@d\n", false },
	{ HEAD "rcpt c@d> NOTIFY=NEVER\n", false },
	{ HEAD "rcpt c d@e\n", false },
	{ HEAD "rcpt \"c@d\n", false },
	{ HEAD "rcpt \n", false },
	{ HEAD "rcpt c@d\nfault no-such-fault\n", false },
	{ HEAD "rcpt c@d\nstatus 4.1000.1000.1\n", false },
	{ HEAD "rcpt c@d\nnext 5\n", false },		/* not of a recipient */
	{ HEAD "blind\nrcpt c@d\n", false },		/* of no recipient */
	{ HEAD, false },				/* nobody to send to */
	{ "arrival 1\naccount x\nrcpt c@d\n", false },
	{ "arrival 1\nsender a@b\nrcpt c@d\n", false },
	{ "account x\nsender a@b\nrcpt c@d\n", false },
	{ HEAD "rcpt c@d", false },			/* no line end */
	{ HEAD "\nrcpt c@d\n", false },
	{ "", false },
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct strbuf out = STRBUF_INIT(4096);
		struct error err = { .exit = 0 };
		struct entry e;

		seal(&out, texts[i].envelope);
		const int rc = entry_parse(out.buf, out.len, arena, &e, &err);

		if ((rc == 0) != texts[i].good)
			fail_msg("%s: %s", texts[i].envelope, rc == 0 ? "taken" : err.text);
		if (rc < 0)
			assert_int_equal(err.fault, FAULT_QUEUE_DAMAGED);
		strbuf_release(&out);
	}
}

/* No octet can change, and none can be missing, without being noticed. */
static void test_every_octet(void **state)
{
	struct strbuf out = STRBUF_INIT(4096);
	struct error err;
	struct entry e;

	(void)state;
	seal(&out, HEAD "rcpt c@d\n");
	for (size_t i = 0; i < out.len; i++) {
		assert_int_equal(entry_parse(out.buf, i, arena, &e, &err), -1);
		for (int bit = 0; bit < 8; bit++) {
			out.buf[i] ^= (char)(1 << bit);
			assert_int_equal(entry_parse(out.buf, out.len, arena, &e, &err), -1);
			out.buf[i] ^= (char)(1 << bit);
		}
	}
	assert_int_equal(entry_parse(out.buf, out.len, arena, &e, &err), 0);
	strbuf_release(&out);
}

/* One of a later version is not damaged. */
static void test_version(void **state)
{
	static const char later[] = "msubmit-queue 003 whatever this may say";
	struct error err;
	struct entry e;
	size_t size;

	(void)state;
	assert_int_equal(entry_head_size(later, strlen(later), &size, &err), -1);
	assert_int_equal(err.fault, FAULT_QUEUE_VERSION);
	assert_int_equal(entry_parse(later, strlen(later), arena, &e, &err), -1);
	assert_int_equal(err.fault, FAULT_QUEUE_VERSION);
}

/* Who knows the first version only can still read what needs no more. */
static void test_first_that_will_do(void **state)
{
	static const char *const keys[] = {
		"held-since 7\n", "undo-until 7\n", "notices 5\n", "transid <a@b>\n", "standing\n",
	};
	struct error err;
	struct entry e;

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(keys); i++) {
		const char *key = i < ARRAY_LEN(keys) ? keys[i] : "";
		struct strbuf out = STRBUF_INIT(4096), again = STRBUF_INIT(4096), text = out;

		const bool of_rcpt = strcmp(key, "standing\n") == 0;

		strbuf_addf(&text, "arrival 1\n%saccount x\n%ssender a@b\nrcpt c@d\n%s",
			    i < 3 ? key : "", i == 3 ? key : "", of_rcpt ? key : "");
		seal_as(&out, ENTRY_VERSION_FIRST, text.buf);
		assert_int_equal(entry_parse(out.buf, out.len, arena, &e, &err), *key ? -1 : 0);
		if (*key)
			assert_int_equal(err.fault, FAULT_QUEUE_DAMAGED);
		strbuf_reset(&out);
		seal_as(&out, ENTRY_VERSION, text.buf);
		assert_int_equal(entry_parse(out.buf, out.len, arena, &e, &err), 0);
		assert_int_equal(e.held_ms, i == 0 ? 7 : 0);
		assert_int_equal(e.undo_ms, i == 1 ? 7 : 0);
		assert_int_equal(e.notices, i == 2 ? 5 : 0);
		assert_same("transid", e.transid, i == 3 ? "<a@b>" : NULL);
		assert_int_equal(e.rcpt[0].standing, of_rcpt);
		assert_int_equal(entry_write(&e, &again, &err), 0);
		assert_memory_equal(again.buf, *key ? "msubmit-queue 002 " : "msubmit-queue 001 ",
				    18);
		assert_string_equal(again.buf + ENTRY_LINE_SIZE, text.buf);
		strbuf_release(&out);
		strbuf_release(&again);
		strbuf_release(&text);
	}
}

static void test_results(void **state)
{
	struct error err;
	struct entry e;

	(void)state;
	fill(&e);
	assert_int_equal(entry_open(&e), 2);
	entry_error(&e, 0, &err);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_int_equal(err.reply, 451);
	assert_string_equal(err.status, "4.7.1");
	entry_error(&e, 1, &err);
	assert_int_equal(err.exit, 0);
	e.rcpt[0].outcome = OUTCOME_REFUSED;
	e.rcpt[1].outcome = OUTCOME_ACCEPTED;
	assert_int_equal(entry_open(&e), 0);
}

/* Noted at the same length, whatever was known of the recipient before. */
static void test_mark_done(void **state)
{
	struct strbuf out = STRBUF_INIT(2 * ENTRY_ENVELOPE_MAX);
	struct entry e, back;
	struct error err;

	(void)state;
	fill(&e);
	assert_int_equal(entry_write(&e, &out, &err), 0);
	const size_t n = out.len;

	assert_false(entry_mark_done(&e, out.buf, n));
	e.rcpt[0].outcome = OUTCOME_ACCEPTED;
	assert_true(entry_mark_done(&e, out.buf, n));
	assert_false(entry_mark_done(&e, out.buf, n));
	assert_int_equal(entry_parse(out.buf, n, arena, &back, &err), 0);
	assert_int_equal(back.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_int_equal(back.rcpt[1].outcome, OUTCOME_NONE);
	assert_int_equal(entry_open(&back), 1);
	e.rcpt[1].outcome = OUTCOME_ACCEPTED;
	assert_true(entry_mark_done(&e, out.buf, n));
	assert_int_equal(entry_parse(out.buf, n, arena, &back, &err), 0);
	assert_int_equal(entry_open(&back), 0);
	assert_int_equal(back.message_start, n);
	strbuf_release(&out);
}

/* Known values of FNV-1a, and the same by pieces. */
static void test_sum(void **state)
{
	(void)state;
	assert_true(entry_sum(ENTRY_SUM_INIT, "a", 1) == 0xaf63dc4c8601ec8cULL);
	assert_true(entry_sum(ENTRY_SUM_INIT, "foobar", 6) == 0x85944171f73967e8ULL);
	assert_true(entry_sum(entry_sum(ENTRY_SUM_INIT, "foo", 3), "bar", 3) ==
		    0x85944171f73967e8ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_plain, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_texts, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_every_octet, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_version, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_first_that_will_do, arena_setup,
						arena_teardown),
		cmocka_unit_test_setup_teardown(test_results, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_mark_done, arena_setup, arena_teardown),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
