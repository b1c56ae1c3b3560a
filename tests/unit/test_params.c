/* Parameters of MAIL and RCPT as a server reads them: message/params.h. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#include "message/params.h"
#include "message/request.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* 2026-01-01T00:00:00Z */
#define NOW INT64_C(1767225600000)

static struct params_reading all_announced(void)
{
	struct params_reading p = { .now = NOW, .hold_max = 864000, .by_min = 60 };

	memset(p.announced, true, sizeof(p.announced));
	return p;
}

static const char *string(const char *s)
{
	return s ? s : "-";
}

/* What is not as it is without parameters, in one line. */
static void describe_mail(const struct envelope *e, struct strbuf *out)
{
	const struct ext_request *x = &e->ext;

	if (e->size)
		strbuf_addf(out, "size=%" PRIu64 " ", e->size);
	if (e->body != BODY_7BIT)
		strbuf_addf(out, "body=%d ", (int)e->body);
	if (e->utf8)
		strbuf_addstr(out, "utf8 ");
	if (e->ret)
		strbuf_addf(out, "ret=%u ", e->ret);
	if (e->envid)
		strbuf_addf(out, "envid=%s ", e->envid);
	if (x->requiretls)
		strbuf_addstr(out, "requiretls ");
	if (x->priority_given)
		strbuf_addf(out, "priority=%d ", x->priority);
	if (x->by)
		strbuf_addf(out, "by=%d%s%+" PRId64 " ", (int)x->by, x->by_trace ? "T" : "",
			    (x->by_ms - NOW) / 1000);
	if (x->hold)
		strbuf_addf(out, "hold=%d%+" PRId64 " ", (int)x->hold, (x->hold_ms - NOW) / 1000);
	if (x->mail_auth)
		strbuf_addf(out, "auth=<%s> ", x->mail_auth);
	if (out->len)
		strbuf_truncate(out, out->len - 1);
}

static const struct {
	const char *text, *meaning;	/* or the reply code */
} mail_cases[] = {
	{ "", "" }, { "   ", "" },
	{ " SIZE=5", "size=5" }, { " size=00000000000000000005", "size=5" },
	{ " SIZE=18446744073709551616", "size=18446744073709551615" },
	{ " SIZE=000000000000000000005", "501" }, { " SIZE=", "501" }, { " SIZE", "501" },
	{ " SIZE=-1", "501" }, { " SIZE=5x", "501" }, { " SIZE=5 SIZE=5", "501" },
	{ " BODY=7BIT", "" }, { " body=8bitmime", "body=1" }, { " BODY=BINARYMIME", "body=2" },
	{ " BODY=8BIT", "501" }, { " BODY", "501" },
	{ " SMTPUTF8", "utf8" }, { " SMTPUTF8=", "501" }, { " SMTPUTF8=1", "501" },
	{ " RET=FULL ENVID=x", "ret=1 envid=x" }, { " ret=hdrs", "ret=2" }, { " RET=ALL", "501" },
	{ " ENVID=inv+2B2025-17", "envid=inv+2025-17" }, { " ENVID=a+3Db", "envid=a=b" },
	{ " ENVID=a+2b", "501" }, { " ENVID=a+", "501" }, { " ENVID=a+4", "501" },
	{ " ENVID=a+00b", "501" }, { " ENVID=a+0Ab", "501" }, { " ENVID=a+E4", "501" },
	{ " ENVID=a=b", "501" }, { " ENVID=", "501" },
	{ " REQUIRETLS", "requiretls" }, { " REQUIRETLS=yes", "501" },
	{ " MT-PRIORITY=-9", "priority=-9" }, { " MT-PRIORITY=0", "priority=0" },
	{ " MT-PRIORITY=6", "priority=6" }, { " MT-PRIORITY=+6", "501" },
	{ " MT-PRIORITY=-0", "501" }, { " MT-PRIORITY=10", "501" },
	{ " MT-PRIORITY=urgent", "501" },
	{ " BY=3600;R", "by=2+3600" }, { " BY=3600;nt", "by=1T+3600" }, { " BY=-5;N", "by=1-5" },
	{ " BY=+90;RT", "by=2T+90" }, { " BY=59;R", "501" }, { " BY=60;R", "by=2+60" },
	{ " BY=0;R", "501" }, { " BY=-5;R", "501" }, { " BY=3600", "501" }, { " BY=3600;", "501" },
	{ " BY=3600;X", "501" }, { " BY=3600;RTT", "501" }, { " BY=3600;TR", "501" },
	{ " BY=1000000000;N", "501" }, { " BY=999999999;N", "by=1+999999999" },
	{ " BY=2h;N", "501" }, { " BY=now;N", "501" }, { " BY=;N", "501" },
	{ " HOLDFOR=60", "hold=1+60" }, { " HOLDFOR=0", "501" }, { " HOLDFOR=-1", "501" },
	{ " HOLDFOR=2h", "501" }, { " HOLDFOR=864000", "hold=1+864000" },
	{ " HOLDFOR=864001", "501" },
	{ " HOLDUNTIL=2026-01-02T00:00:00Z", "hold=2+86400" },
	{ " HOLDUNTIL=2026-01-02T00:00:00z", "hold=2+86400" },
	{ " HOLDUNTIL=2026-01-02T00:00:00+01:00", "501" }, { " HOLDUNTIL=2026-01-02", "501" },
	{ " HOLDUNTIL=2026-13-02T00:00:00Z", "501" }, { " HOLDUNTIL=60", "501" },
	{ " HOLDUNTIL=2027-01-02T00:00:00Z", "501" },
	{ " HOLDFOR=60 HOLDUNTIL=2026-01-02T00:00:00Z", "501" },
	{ " HOLDFOR=600 BY=600;N", "501" }, { " BY=601;N HOLDFOR=600", "by=1+601 hold=1+600" },
	{ " AUTH=<>", "auth=<>" },
	{ " AUTH=ann+3Dhome@example.org", "auth=<ann=home@example.org>" },
	{ " AUTH=ann", "auth=<>" }, { " AUTH=a+3", "501" },
	{ " NOTIFY=NEVER", "555" }, { " X", "555" }, { " =5", "555" }, { " XAUTH=1", "555" },
	{ " SIZE=5\tX", "501" }, { " ENVID=\xc3\xa4", "501" }, { " \x7f", "501" },
};

static void test_mail(void **state)
{
	const struct params_reading p = all_announced();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		struct strbuf got = STRBUF_INIT(4096);
		struct arena *a = arena_new();
		struct envelope e;
		struct error err = { 0 };

		envelope_init(&e, a);
		e.sender = "ann@example.org";
		if (params_read_mail(&p, mail_cases[i].text, &e, &err) == 0)
			describe_mail(&e, &got);
		else
			strbuf_addf(&got, "%d", err.reply);
		if (strcmp(got.buf, mail_cases[i].meaning) != 0)
			fail_msg("'%s' means '%s'", mail_cases[i].text, got.buf);
		arena_free(a);
		strbuf_release(&got);
	}
}

static const struct {
	const char *text, *meaning;	/* "notify type address rrvs", or the reply code */
	bool utf8;
} rcpt_cases[] = {
	{ "", "0 - - -", false },
	{ " NOTIFY=NEVER", "1 - - -", false }, { " notify=Success,delay", "10 - - -", false },
	{ " NOTIFY=SUCCESS,FAILURE,DELAY", "14 - - -", false },
	{ " NOTIFY=NEVER,DELAY", "501", false }, { " NOTIFY=SUCCESS,", "501", false },
	{ " NOTIFY=", "501", false }, { " NOTIFY=X", "501", false },
	{ " ORCPT=rfc822;Bob@Example.net", "0 - Bob@Example.net -", false },
	{ " ORCPT=RFC822;a+2Bb@y", "0 - a+b@y -", false },
	{ " ORCPT=x400;/c+3Dus", "0 x400 /c=us -", false },
	{ " ORCPT=a@y", "501", false }, { " ORCPT=;a@y", "501", false },
	{ " ORCPT=rfc822;", "501", false }, { " ORCPT=rfc822;a+2bb", "501", false },
	{ " ORCPT=rf(c;a@y", "501", false },
	{ " ORCPT=utf-8;\\x{E4}@y", "0 - \xc3\xa4@y -", false },
	{ " ORCPT=utf-8;\\x{1F600}\\x{2B}\\x{5C}@y", "0 - \xf0\x9f\x98\x80+\\@y -", false },
	{ " ORCPT=utf-8;\\x{D800}@y", "501", false },
	{ " ORCPT=utf-8;\\x{110000}@y", "501", false },
	{ " ORCPT=utf-8;\\x{E4@y", "501", false }, { " ORCPT=utf-8;\\E4}@y", "501", false },
	{ " ORCPT=utf-8;\\x{}@y", "501", false }, { " ORCPT=utf-8;a+2Bb@y", "501", false },
	{ " ORCPT=utf-8;\\x{0A}@y", "501", false }, { " ORCPT=utf-8;\\x{00}@y", "501", false },
	{ " ORCPT=utf-8;\xc3\xa4@y", "501", false },
	{ " ORCPT=utf-8;\xc3\xa4@y", "0 - \xc3\xa4@y -", true },
	{ " ORCPT=utf-8;\xc3@y", "501", true },
	{ " RRVS=2024-02-29T12:00:00Z", "0 - - 2024-02-29T12:00:00Z", false },
	{ " RRVS=2024-02-29T13:00:00+01:00;C", "0 - - 2024-02-29T12:00:00Z;C", false },
	{ " RRVS=2024-02-29T12:00:00Z;r", "0 - - 2024-02-29T12:00:00Z", false },
	{ " RRVS=2024-02-29T12:00:00.5Z", "501", false },
	{ " RRVS=2024-02-30T12:00:00Z", "501", false },
	{ " RRVS=now", "501", false }, { " RRVS=2024-02-29T12:00:00Z;X", "501", false },
	{ " RRVS=2024-02-29T12:00:00Z;", "501", false },
	{ " NOTIFY=DELAY ORCPT=rfc822;a@y NOTIFY=DELAY", "501", false },
	{ " SIZE=5", "555", false }, { " RET=FULL", "555", false },
};

static void test_rcpt(void **state)
{
	const struct params_reading p = all_announced();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcpt_cases); i++) {
		struct strbuf got = STRBUF_INIT(4096);
		struct arena *a = arena_new();
		struct recipient r = { 0 };
		struct envelope e;
		struct error err = { 0 };
		char at[DATETIME_UTC_SIZE] = "-";

		envelope_init(&e, a);
		e.utf8 = rcpt_cases[i].utf8;
		if (params_read_rcpt(&p, rcpt_cases[i].text, &e, &r, &err) < 0) {
			strbuf_addf(&got, "%d", err.reply);
		} else {
			strbuf_addf(&got, "%u %s %s %s%s", r.notify, string(r.orcpt_type),
				    string(r.orcpt), r.rrvs ? datetime_utc(at, r.rrvs_ms) : "-",
				    r.rrvs_continue ? ";C" : "");
		}
		if (strcmp(got.buf, rcpt_cases[i].meaning) != 0)
			fail_msg("'%s' means '%s'", rcpt_cases[i].text, got.buf);
		arena_free(a);
		strbuf_release(&got);
	}
}

/* Limits of lengths: RFC 3461, sections 4.2 and 4.4. */
static void test_lengths(void **state)
{
	static const struct {
		const char *head;
		size_t max;
		bool rcpt;
	} cases[] = { { " ENVID=", 100, false }, { " ORCPT=rfc822;", 500 - 7, true } };
	const struct params_reading p = all_announced();

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct strbuf text = STRBUF_INIT(1000);
		struct arena *a = arena_new();
		struct recipient r = { 0 };
		struct envelope e;
		struct error err;

		envelope_init(&e, a);
		e.sender = "";
		strbuf_addstr(&text, cases[i / 2].head);
		for (size_t n = 0; n < cases[i / 2].max + i % 2; n++)
			strbuf_addch(&text, 'x');
		int rc = cases[i / 2].rcpt ? params_read_rcpt(&p, text.buf, &e, &r, &err) :
			params_read_mail(&p, text.buf, &e, &err);

		assert_int_equal(rc, i % 2 ? -1 : 0);
		arena_free(a);
		strbuf_release(&text);
	}
}

/* Without the extension each of them is unknown, whatever its value. */
static void test_not_announced(void **state)
{
	const struct params_reading none = { .now = NOW };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		struct arena *a = arena_new();
		struct envelope e;
		struct error err = { 0 };

		envelope_init(&e, a);
		e.sender = "";
		int rc = params_read_mail(&none, mail_cases[i].text, &e, &err);

		if (strcmp(mail_cases[i].text + strspn(mail_cases[i].text, " "), "") == 0)
			assert_int_equal(rc, 0);
		else
			assert_true(rc < 0 && (err.reply == 555 || err.reply == 501));
		assert_true(!e.envid && !e.size && !e.utf8 && !e.ext.by && !e.ext.hold);
		arena_free(a);
	}
}

/* No release time for a bounce (RFC 4865, section 5.3.1). */
static void test_hold_null_sender(void **state)
{
	const struct params_reading p = all_announced();
	struct arena *a = arena_new();
	struct envelope e;
	struct error err = { 0 };

	(void)state;
	envelope_init(&e, a);
	e.sender = "";
	assert_int_equal(params_read_mail(&p, " HOLDFOR=60", &e, &err), -1);
	assert_int_equal(err.reply, 501);
	assert_string_equal(err.status, "5.5.4");
	arena_free(a);
}

/* What one side writes the other reads. */
static void test_xtext(void **state)
{
	struct strbuf text = STRBUF_INIT(2000), back = STRBUF_INIT(2000);
	char all[256];

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	xtext_add(&text, all);
	assert_true(text_is_ascii(text.buf, text.len));
	assert_int_equal(xtext_decode(&back, text.buf), 0);
	assert_string_equal(back.buf, all);
	strbuf_release(&text);
	strbuf_release(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_not_announced),
		cmocka_unit_test(test_hold_null_sender),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
