#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/account.h"
#include "conf/settings.h"
#include "message/envelope.h"
#include "message/request.h"
#include "util/arena.h"
#include "util/error.h"

#define NOW INT64_C(1700000000000)	/* 2023-11-14T22:13:20Z */

static void check_error(const struct error *err)
{
	assert_int_equal(err->exit, EX_USAGE);
	assert_int_equal(err->status[0], '5');
	assert_true(err->text[0]);
}

static void test_deliver_by(void **state)
{
	static const struct {
		const char *text;
		enum by_mode mode;	/* BY_NONE: refused */
		bool trace;
		int64_t seconds;
	} table[] = {
		{ "3600;R", BY_RETURN, false, 3600 }, { "3600;r", BY_RETURN, false, 3600 },
		{ "3600;RT", BY_RETURN, true, 3600 }, { "3600;NT", BY_NOTIFY, true, 3600 },
		{ "3600;nt", BY_NOTIFY, true, 3600 }, { "3600", BY_NOTIFY, false, 3600 },
		{ "3600;", BY_NOTIFY, false, 3600 }, { "3600;T", BY_NOTIFY, true, 3600 },
		{ "2h;N", BY_NOTIFY, false, 7200 }, { "now+2h;R", BY_RETURN, false, 7200 },
		{ "2023-11-14T22:13:30Z;R", BY_RETURN, false, 10 },
		{ "@1700000001;R", BY_RETURN, false, 1 },
		{ "1;R", BY_RETURN, false, 1 }, { "0;N", BY_NOTIFY, false, 0 },
		{ "-999999999;N", BY_NOTIFY, false, -999999999 },
		{ "999999999;R", BY_RETURN, false, 999999999 },
		{ "0;R", BY_NONE, false, 0 }, { "-1;R", BY_NONE, false, 0 },
		{ "@1;R", BY_NONE, false, 0 },
		{ "3600;X", BY_NONE, false, 0 }, { "3600;TR", BY_NONE, false, 0 },
		{ "3600;RN", BY_NONE, false, 0 }, { "3600;R;T", BY_NONE, false, 0 },
		{ "3600 ;R", BY_NONE, false, 0 }, { ";R", BY_NONE, false, 0 },
		{ "", BY_NONE, false, 0 },
		{ "R", BY_NONE, false, 0 }, { "@9999999999;N", BY_NONE, false, 0 },
		{ "@-9999999999;N", BY_NONE, false, 0 },
		{ "11111111111111111111111111111111111111111111111111111111111111111;R", BY_NONE,
		  false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct envelope e = { .ext.by = BY_NONE };
		struct error err;
		int rc = request_deliver_by(table[i].text, NOW, &e, &err);

		print_message("%s\n", table[i].text);
		assert_int_equal(rc, table[i].mode == BY_NONE ? -1 : 0);
		assert_int_equal(e.ext.by, table[i].mode);
		if (rc < 0) {
			check_error(&err);
			continue;
		}
		assert_int_equal(e.ext.by_trace, table[i].trace);
		assert_true(e.ext.by_ms == NOW + table[i].seconds * 1000);
	}
}

static void test_hold(void **state)
{
	static const struct {
		const char *text;
		enum hold hold;
		int64_t seconds;
	} table[] = {
		{ "1", HOLD_FOR, 1 }, { "2h", HOLD_FOR, 7200 }, { "now+2h", HOLD_FOR, 7200 },
		{ "2023-11-14T22:13:30Z", HOLD_UNTIL, 10 }, { "@1700000000", HOLD_UNTIL, 0 },
		{ "@1", HOLD_UNTIL, -1699999999 },	/* passed: for others to notice */
		{ "999999999", HOLD_FOR, 999999999 }, { "0", HOLD_NONE, 0 },
		{ "-5m", HOLD_NONE, 0 },
		{ "@2700000000", HOLD_NONE, 0 }, { "", HOLD_NONE, 0 }, { "x", HOLD_NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct envelope e = { .ext.hold = HOLD_NONE }, other = e;
		struct error err;
		int rc = request_hold_until(table[i].text, NOW, &e, &err);

		print_message("%s\n", table[i].text);
		assert_int_equal(rc, table[i].hold == HOLD_NONE ? -1 : 0);
		assert_int_equal(e.ext.hold, table[i].hold);
		assert_int_equal(request_hold_for(table[i].text, NOW, &other, &err),
				 table[i].hold == HOLD_FOR ? 0 : -1);
		if (rc < 0)
			check_error(&err);
		else
			assert_true(e.ext.hold_ms == NOW + table[i].seconds * 1000);
	}
}

static void test_priority(void **state)
{
	static const struct {
		const char *text;
		int value;	/* 99: refused */
	} table[] = {
		{ "0", 0 }, { "9", 9 }, { "-9", -9 }, { "-1", -1 }, { "4", 4 }, { "urgent", 4 },
		{ "URGENT", 4 }, { "normal", 0 }, { "non-urgent", -4 }, { "deferred", -4 },
		{ "routine", -2 }, { "priority", 0 }, { "immediate", 2 }, { "flash", 4 },
		{ "override", 6 }, { "10", 99 }, { "-10", 99 }, { "+1", 99 },
		{ "-0", 99 }, { "00", 99 },
		{ "", 99 }, { "-", 99 }, { "--1", 99 }, { "1 ", 99 }, { " 1", 99 }, { "a", 99 },
		{ "1.0", 99 }, { "flash ", 99 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct envelope e = { .ext.priority = 99 };
		struct error err;
		int rc = request_mt_priority(table[i].text, NOW, &e, &err);

		print_message("%s\n", table[i].text);
		assert_int_equal(rc, table[i].value == 99 ? -1 : 0);
		assert_int_equal(e.ext.priority, table[i].value);
		assert_int_equal(e.ext.priority_given, rc == 0);
		if (rc < 0)
			check_error(&err);
	}
}

static void test_rrvs(void **state)
{
	static const struct {
		const char *text;
		int kind;	/* 0 refused, 1 R, 2 C */
	} table[] = {
		{ "2023-11-14T22:13:20Z", 1 }, { "2023-11-14T22:13:20Z;R", 1 },
		{ "2023-11-14T22:13:20Z;C", 2 }, { "2023-11-14T23:13:20+01:00;c", 2 },
		{ "@1700000000", 1 }, { "now", 1 }, { "2023-11-14T22:13:20Z;", 1 },
		{ "2023-11-14T22:13:20Z;X", 0 }, { "2023-11-14T22:13:20Z;CR", 0 }, { ";C", 0 },
		{ "", 0 }, { "2023-11-14;C", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct recipient r = { .address = "x" };
		struct envelope e = { .rcpt = &r, .rcpt_count = 1 };
		struct error err;
		int rc = request_rrvs(table[i].text, NOW, &e, &err);

		print_message("%s\n", table[i].text);
		assert_int_equal(rc, table[i].kind ? 0 : -1);
		assert_int_equal(r.rrvs, table[i].kind != 0);
		assert_int_equal(r.rrvs_continue, table[i].kind == 2);
		assert_string_equal(r.address, "x");
		if (rc == 0)
			assert_true(r.rrvs_ms == NOW);
	}
}

static void test_solicit(void **state)
{
	static const char *const table[][2] = {
		{ "org.example:ADV", "org.example:ADV" }, { "a", "a" }, { "a,b", "a,b" },
		{ "a, b ,\tc", "a,b,c" }, { "a (one), b (two (nested))", "a,b" },
		{ "a\r\n ,b", "a,b" }, { "a(\\))b", "ab" }, { "Z9.-_:", "Z9.-_:" },
		{ "", NULL }, { ",", NULL }, { "a,", NULL }, { ",a", NULL }, { "a,,b", NULL },
		{ "1a", NULL }, { ".a", NULL }, { "a;b", NULL }, { "a(b", NULL }, { "a=b", NULL },
		{ "\xc3\xa4", NULL }, { "a*", NULL },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct envelope e = { .arena = a };
		struct error err;
		int rc = request_solicit(table[i][0], NOW, &e, &err);
		const char *got = e.ext.solicit;

		print_message("%s\n", table[i][0]);
		assert_int_equal(got == NULL, table[i][1] == NULL);
		assert_int_equal(rc, got ? 0 : -1);
		if (got)
			assert_string_equal(got, table[i][1]);
	}
	arena_free(a);
}

static void test_solicit_length(void **state)
{
	struct arena *a = arena_new();
	struct envelope e = { .arena = a };
	struct error err;
	char text[1003];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t n = 999; n <= 1001; n++) {
		text[n] = '\0';
		assert_int_equal(request_solicit(text, NOW, &e, &err), n <= 1000 ? 0 : -1);
		text[n] = 'a';
	}
	arena_free(a);
}

static void test_track(void **state)
{
	static const struct {
		const char *text;
		long seconds;	/* -1: refused */
	} table[] = {
		{ "on", 0 }, { "yes", 0 }, { "ON", 0 }, { "1", 1 }, { "10d", 864000 },
		{ "@1700000005", 5 }, { "999999999", 999999999 }, { "0", -1 }, { "-1", -1 },
		{ "", -1 },
		{ "maybe", -1 }, { "@1", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct envelope e = { .ext.mtrk_timeout = 77 };
		struct error err;
		int rc = request_track(table[i].text, NOW, &e, &err);

		print_message("%s\n", table[i].text);
		assert_int_equal(rc, table[i].seconds < 0 ? -1 : 0);
		assert_int_equal(e.ext.mtrk_timeout, table[i].seconds < 0 ? 77 :
				 (unsigned)table[i].seconds);
	}
}

static void test_param(void **state)
{
	static const struct {
		const char *text, *name, *ehlo, *value;	/* name NULL: refused */
	} table[] = {
		{ "XVERP", "XVERP", "XVERP", NULL }, { "X-FOO=a,b", "X-FOO", "X-FOO", "a,b" },
		{ "9X=~", "9X", "9X", "~" }, { "XID@X-R=7", "XID", "X-R", "7" },
		{ "XID@XR", "XID", "XR", NULL }, { "X=\xc3\xbc", "X", "X", "\xc3\xbc" },
		{ "", NULL, NULL, NULL }, { "=", NULL, NULL, NULL }, { "X=", NULL, NULL, NULL },
		{ "-X", NULL, NULL, NULL }, { "X Y", NULL, NULL, NULL },
		{ "X=a b", NULL, NULL, NULL },
		{ "X=a=b", NULL, NULL, NULL }, { "X=a\x01", NULL, NULL, NULL },
		{ "X=a\r\nRSET", NULL, NULL, NULL }, { "X=\x7f", NULL, NULL, NULL },
		{ "X=\xff", NULL, NULL, NULL }, { "X@", NULL, NULL, NULL },
		{ "@X", NULL, NULL, NULL },
		{ "X@Y@Z", NULL, NULL, NULL }, { "X_Y", NULL, NULL, NULL },
		{ "X\xc3\xbc", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *ehlo = NULL, *value = NULL;
		size_t name = 0, ehlo_len = 0;
		struct error err;
		int rc = request_param(table[i].text, &name, &ehlo, &ehlo_len, &value, &err);

		print_message("%s\n", table[i].text);
		assert_int_equal(rc, table[i].name ? 0 : -1);
		if (rc < 0) {
			check_error(&err);
			continue;
		}
		assert_int_equal(name, strlen(table[i].name));
		assert_memory_equal(table[i].text, table[i].name, name);
		assert_int_equal(ehlo_len, strlen(table[i].ehlo));
		assert_memory_equal(ehlo, table[i].ehlo, ehlo_len);
		assert_int_equal(value != NULL, table[i].value != NULL);
		if (value)
			assert_string_equal(value, table[i].value);
	}
}

static void test_notify(void **state)
{
	static const struct {
		const char *text;
		unsigned bits;
	} table[] = {
		{ "never", DSN_NOTIFY_NEVER }, { "success", DSN_NOTIFY_SUCCESS },
		{ "failure", DSN_NOTIFY_FAILURE }, { "delay", DSN_NOTIFY_DELAY },
		{ "Success,FAILURE", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE },
		{ "delay,success,failure",
		  DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY },
		{ "delay,delay", DSN_NOTIFY_DELAY }, { "never,never", DSN_NOTIFY_NEVER },
		{ "never,delay", 0 }, { "", 0 }, { ",", 0 }, { "delay,", 0 }, { ",delay", 0 },
		{ "delay success", 0 }, { "succes", 0 }, { "successs", 0 },
	};

	struct arena *a = arena_new();
	struct envelope e;
	struct error err;
	char text[100];

	(void)state;
	envelope_init(&e, a);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		print_message("%s\n", table[i].text);
		snprintf(text, sizeof(text), "b@example.org,notify=%s", table[i].text);
		int rc = request_recipient(&e, text, NOW, &err);

		assert_int_equal(rc, table[i].bits ? 0 : -1);
		if (rc == 0)
			assert_int_equal(e.rcpt[0].notify, table[i].bits);
		(void)envelope_take_recipients(&e);
	}
	arena_free(a);
}

static void test_recipient(void **state)
{
	static const struct {
		const char *text, *address, *orcpt;
		unsigned notify;
		int64_t since;	/* 0: no rrvs */
	} table[] = {
		{ "b@example.org", "b@example.org", NULL, 0, 0 },
		{ "Joe <b@example.org>", "b@example.org", NULL, 0, 0 },
		{ "\"a,b\"@example.org,notify=never", "\"a,b\"@example.org", NULL,
		  DSN_NOTIFY_NEVER, 0 },
		{ "\"Doe, Joe\" <b@example.org>,notify=delay", "b@example.org", NULL,
		  DSN_NOTIFY_DELAY, 0 },
		{ "b@example.org,notify=success,failure", "b@example.org", NULL,
		  DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE, 0 },
		{ "b@example.org,NOTIFY=success,orcpt=old@example.net,rrvs=2023-11-14T22:13:20Z;C",
		  "b@example.org", "old@example.net", DSN_NOTIFY_SUCCESS, NOW },
		{ "b@example.org,rrvs=@1700000000,notify=success,delay", "b@example.org", NULL,
		  DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY, NOW },
		{ "b@example.org,orcpt=rfc822;x+y@example.net", "b@example.org",
		  "x+y@example.net", 0, 0 },
		{ "root", "root", NULL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct arena *a = arena_new();
		struct envelope e;
		struct error err;

		print_message("%s\n", table[i].text);
		envelope_init(&e, a);
		assert_int_equal(request_recipient(&e, table[i].text, NOW, &err), 0);
		assert_int_equal(e.rcpt_count, 1);
		const struct recipient *r = &e.rcpt[0];

		assert_string_equal(r->address, table[i].address);
		assert_int_equal(r->orcpt != NULL, table[i].orcpt != NULL);
		if (r->orcpt)
			assert_string_equal(r->orcpt, table[i].orcpt);
		assert_int_equal(r->notify, table[i].notify);
		assert_int_equal(r->rrvs, table[i].since != 0);
		assert_true(r->rrvs_ms == table[i].since);
		arena_free(a);
	}
}

static void test_recipient_refused(void **state)
{
	static const char *const table[] = {
		",", "a@b,", "a@b,x", "a@b,x=1", "a@b,notify", "a@b,notify=",
		"a@b,notify=never,success", "a@b,notify=often", "a@b,orcpt=", "a@b,orcpt=rfc822;",
		"a@b,orcpt=\xc3\xbc", "a@b,rrvs=", "a@b,rrvs=then", "a@b,notify=delay,,orcpt=x",
		"a@b,c@d", "a@b,orcpt=x\ny", "a@,notify=often",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct arena *a = arena_new();
		struct envelope e;
		struct error err;

		print_message("%s\n", table[i]);
		envelope_init(&e, a);
		assert_int_equal(request_recipient(&e, table[i], NOW, &err), -1);
		assert_int_equal(err.exit, EX_USAGE);
		assert_int_equal(e.rcpt_count, 0);
		arena_free(a);
	}
}

/* What is no address is one that nothing is sent to. */
static void test_recipient_unsendable(void **state)
{
	static const char *const table[] = {
		"", "a@b c@d", "a@,notify=delay", "\"a@b,notify=delay", "<a@b,notify=delay",
		"a\r\nb@c,notify=delay",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct arena *a = arena_new();
		struct envelope e;
		struct error err;

		print_message("%s\n", table[i]);
		envelope_init(&e, a);
		assert_int_equal(request_recipient(&e, table[i], NOW, &err), 0);
		assert_int_equal(e.rcpt_count, 0);
		assert_int_equal(e.unsendable_n, 1);
		assert_int_equal(e.unsendable[0].why->exit, EX_USAGE);
		assert_null(strpbrk(e.unsendable[0].address, "\r\n"));
		arena_free(a);
	}
}

/* Named twice: the first one counts. */
static void test_recipient_twice(void **state)
{
	struct arena *a = arena_new();
	struct envelope e;
	struct error err;

	(void)state;
	envelope_init(&e, a);
	assert_int_equal(request_recipient(&e, "a@b,notify=delay", NOW, &err), 0);
	assert_int_equal(request_recipient(&e, "A@B,notify=success", NOW, &err), 0);
	assert_int_equal(e.rcpt_count, 1);
	assert_int_equal(e.rcpt[0].notify, DSN_NOTIFY_DELAY);
	arena_free(a);
}

static void test_check(void **state)
{
	static const struct {
		const char *key, *value;
		bool good;
	} table[] = {
		{ "deliver_by", "1h;R", true }, { "deliver_by", "x", false },
		{ "hold_for", "1h", true }, { "hold_for", "2050-01-01T00:00:00Z", false },
		{ "hold_until", "1h", true }, { "hold_until", "2050-01-01T00:00:00Z", true },
		{ "hold_until", "x", false }, { "mt_priority", "5", true },
		{ "mt_priority", "x", false },
		{ "rrvs", "@0;C", true }, { "rrvs", "@0;D", false }, { "solicit", "a:b", true },
		{ "solicit", "1", false }, { "track", "on", true }, { "track", "x", false },
		{ "submitter", "auto", true }, { "submitter", "a@b.c", true },
		{ "submitter", "a", false },
		{ "submitter", "a@b.c, d@e.f", false }, { "submitter", "\xc3\xbc@b.c", false },
		{ "mail_auth", "<>", true }, { "mail_auth", "a@b.c", true },
		{ "mail_auth", "auto", false },
		{ "content_convert", "ANY", true }, { "content_convert", "a\x01", false },
		{ "content_features", "\xc3\xbc", false },
	};

	struct account account = { .name = NULL };
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct error err;

		print_message("%s = %s\n", table[i].key, table[i].value);
		assert_int_equal(setting_set(&account, setting_find(SCOPE_ACCOUNT, table[i].key), a,
					     table[i].value, &err), table[i].good ? 0 : -1);
	}
	arena_free(a);
}

/* All that is asked for one recipient goes to another, but what it is asked by. */
static void test_add_as(void **state)
{
	struct arena *a = arena_new();
	const struct recipient like = { .address = "x@y", .notify = DSN_NOTIFY_DELAY, .rrvs = true,
					.rrvs_continue = true, .rrvs_ms = NOW };
	struct recipient with = like;
	struct envelope e;

	(void)state;
	with.orcpt = "own@z";
	envelope_init(&e, a);
	assert_true(envelope_add_as(&e, "a@b", "o@p", &like));
	assert_true(envelope_add_as(&e, "c@d", "o@p", &with));
	assert_false(envelope_add_as(&e, "A@b", "q@r", &with));
	assert_true(envelope_add_as(&e, "e@f", NULL, &e.rcpt[1]));
	assert_string_equal(e.rcpt[0].address, "a@b");
	assert_string_equal(e.rcpt[0].orcpt, "o@p");
	assert_string_equal(e.rcpt[1].orcpt, "own@z");
	assert_string_equal(e.rcpt[2].orcpt, "own@z");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(e.rcpt[i].notify, DSN_NOTIFY_DELAY);
		assert_true(e.rcpt[i].rrvs && e.rcpt[i].rrvs_continue && e.rcpt[i].rrvs_ms == NOW);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deliver_by), cmocka_unit_test(test_hold),
		cmocka_unit_test(test_priority), cmocka_unit_test(test_rrvs),
		cmocka_unit_test(test_solicit), cmocka_unit_test(test_solicit_length),
		cmocka_unit_test(test_track), cmocka_unit_test(test_param),
		cmocka_unit_test(test_notify), cmocka_unit_test(test_recipient),
		cmocka_unit_test(test_recipient_refused), cmocka_unit_test(test_recipient_twice),
		cmocka_unit_test(test_recipient_unsendable), cmocka_unit_test(test_recipient_twice),
		cmocka_unit_test(test_check), cmocka_unit_test(test_add_as),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
