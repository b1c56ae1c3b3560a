#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena_state.h"
#include "conf/account.h"
#include "message/edits.h"
#include "message/message.h"
#include "message/result.h"
#include "message_model.h"
#include "queue/queue.h"
#include "queue/schedule.h"
#include "util/clock.h"
#include "util/error.h"

static char folder[64];
static struct queue queue;

static int setup(void **state)
{
	struct error err;

	arena_setup(state);
	strcpy(folder, "/tmp/msubmit-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(queue_open(&queue, folder, true, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	queue_close(&queue);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	return arena_teardown(state);
}

static struct message *read_text(const char *text)
{
	const struct message_options opt = { .dots_ignored = true };
	struct error err;
	struct message *m = model_read(text, strlen(text), 0, &opt, &err);

	assert_non_null(m);
	return m;
}

static void fill(struct entry *e, const char *to)
{
	struct envelope v;

	envelope_init(&v, arena);
	v.sender = "a@example.org";
	envelope_add(&v, to, NULL);
	entry_init(e, arena);
	entry_set_envelope(e, &v);
	e->arrival_ms = datetime_now();
	e->account = "default";
}

static int add(const char *text, uint64_t max, struct entry *e, struct error *err)
{
	struct message *m = read_text(text);
	struct edits edits;

	edits_init(&edits, arena, m);
	fill(e, "b@example.org");
	int rc = queue_add(&queue, e, m, &edits, max, err);

	message_free(m);
	return rc;
}

static const char *path_of(const char *where, const char *id)
{
	return arena_printf(arena, "%s/%s/%s", folder, *where ? where : id + ENTRY_ID_LEN - 2, id);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* --- what was added can be read ------------------------------------------------------ */

static void test_add(void **state)
{
	struct queue_claim c, other;
	struct message *m = NULL;
	struct entry e;
	struct error err;

	(void)state;
	assert_int_equal(add("A: b\n\nFrom x\n.\n", 0, &e, &err), 0);
	assert_true(queue_is_id(e.id));
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), 1);
	assert_string_equal(c.entry.envelope.rcpt[0].address, "b@example.org");
	assert_int_equal(queue_claim(&queue, e.id, &other, &err), 0);	/* it is ours */
	assert_int_equal(queue_message(&c, &m, &err), 0);
	assert_int_equal(m->header.n, 1);
	assert_int_equal(m->body_size, strlen("From x\r\n.\r\n"));
	message_free(m);
	c.entry.attempts = 7;
	c.entry.next_ms = datetime_now() + 60000;
	assert_int_equal(queue_update(&c, &err), 0);
	assert_int_equal(queue_claim(&queue, e.id, &other, &err), 0);	/* the new one, too */
	queue_release(&c);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), 1);
	assert_int_equal(c.entry.attempts, 7);
	assert_true(c.due_ms > datetime_now());
	assert_int_equal(queue_message(&c, &m, &err), 0);
	message_free(m);
	assert_int_equal(queue_remove(&c, &err), 0);
	queue_release(&c);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), 0);	/* it is gone */
	assert_int_equal(queue_claim(&queue, "../../etc/passwd", &c, &err), 0);
}

/* A block and more: what is written first is filled in last. */
static void test_large(void **state)
{
	const size_t n = 300 * 1000;
	char *text = arena_alloc(arena, n + 1);
	struct queue_claim c;
	struct message *m = NULL;
	struct entry e;
	struct error err;

	(void)state;
	memset(text, 'x', n);
	memcpy(text, "A: b\n\n", 6);
	for (size_t i = 70; i < n; i += 70)
		text[i] = '\n';
	assert_int_equal(add(text, 0, &e, &err), 0);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), 1);
	assert_int_equal(queue_message(&c, &m, &err), 0);
	assert_true(m->body_size > n);
	message_free(m);
	c.entry.held = true;
	assert_int_equal(queue_update(&c, &err), 0);
	assert_int_equal(queue_message(&c, &m, &err), 0);
	message_free(m);
	queue_release(&c);
}

/* --- what is damaged is kept ----------------------------------------------------------- */

static void test_damage(void **state)
{
	struct queue_claim c;
	struct message *m = NULL;
	struct entry e;
	struct error err;

	(void)state;
	assert_int_equal(add("A: b\n\nx\n", 0, &e, &err), 0);
	flip(path_of("", e.id), 90);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), -1);
	assert_int_equal(err.fault, FAULT_QUEUE_DAMAGED);
	assert_int_equal(access(path_of("corrupt", e.id), F_OK), 0);
	assert_int_equal(access(path_of("", e.id), F_OK), -1);

	assert_int_equal(add("A: b\n\nx\n", 0, &e, &err), 0);
	flip(path_of("", e.id), (off_t)e.message_start + 3);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), 1);
	assert_int_equal(queue_message(&c, &m, &err), -1);
	assert_int_equal(err.fault, FAULT_QUEUE_DAMAGED);
	queue_release(&c);
	assert_int_equal(access(path_of("corrupt", e.id), F_OK), 0);

	assert_int_equal(add("A: b\n\nx\n", 0, &e, &err), 0);
	assert_int_equal(truncate(path_of("", e.id), (off_t)e.message_start + 3), 0);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), -1);
	assert_int_equal(access(path_of("corrupt", e.id), F_OK), 0);

	assert_int_equal(add("A: b\n\nx\n", 0, &e, &err), 0);
	flip(path_of("", e.id), 16);	/* "001" */
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), -1);
	assert_int_equal(err.fault, FAULT_QUEUE_VERSION);
	assert_int_equal(access(path_of("", e.id), F_OK), 0);

	assert_int_equal(add("A: b\n\nx\n", 0, &e, &err), 0);
	assert_int_equal(chmod(path_of("", e.id), 0666), 0);
	assert_int_equal(queue_claim(&queue, e.id, &c, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_int_equal(access(path_of("", e.id), F_OK), 0);
}

/* --- how much there may be -------------------------------------------------------------- */

static int count(void *ctx, const struct queue_item *item)
{
	assert_true(queue_is_id(item->id));
	++*(unsigned *)ctx;
	return 0;
}

static void test_room(void **state)
{
	unsigned n = 0;
	struct queue_claim c;
	struct entry first, e;
	struct error err;

	(void)state;
	assert_int_equal(add("A: b\n\nx\n", 500, &first, &err), 0);
	while (add("A: b\n\nx\n", 500, &e, &err) == 0)
		assert_true(++n < 10);
	assert_int_equal(err.fault, FAULT_QUEUE_FULL);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(e.id, "");
	assert_int_equal(queue_claim(&queue, first.id, &c, &err), 1);
	assert_int_equal(queue_remove(&c, &err), 0);
	queue_release(&c);
	assert_int_equal(add("A: b\n\nx\n", 500, &e, &err), 0);
	/* what is not counted is found by looking through all */
	assert_int_equal(unlinkat(queue.store.fd, "usage", 0), 0);
	n = 0;
	assert_int_equal(queue_each(&queue, count, &n, &err), 0);
	assert_true(n > 0);
	assert_int_equal(add("A: b\n\nx\n", 500, &e, &err), -1);
}

/* --- what a failure means ------------------------------------------------------------------ */

static const struct {
	enum fault fault;
	enum verdict verdict, direct;	/* with a smarthost, and without */
	bool kept;
} verdicts[] = {
	{ FAULT_CONNECT_REFUSED, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_DNS, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_NO_HOST, VERDICT_ROUTE, VERDICT_FAILED, true },
	{ FAULT_PASSWORD_REFUSED, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_NO_AUTH, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_NO_STARTTLS, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_CERTIFICATE_PIN, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_SERVER_REFUSED, VERDICT_ROUTE, VERDICT_FAILED, true },
	{ FAULT_NOT_SMTP, VERDICT_ROUTE, VERDICT_ROUTE, true },
	{ FAULT_GREYLISTED, VERDICT_LATER, VERDICT_LATER, true },
	{ FAULT_REFUSED_FOR_NOW, VERDICT_LATER, VERDICT_LATER, true },
	{ FAULT_CONFIG, VERDICT_HERE, VERDICT_HERE, false },
	{ FAULT_NO_PASSWORD, VERDICT_HERE, VERDICT_HERE, false },
	{ FAULT_USER_NOT_ALLOWED, VERDICT_HERE, VERDICT_HERE, false },
	{ FAULT_COMMAND_SLOW, VERDICT_HERE, VERDICT_HERE, true },
	{ FAULT_INTERRUPTED, VERDICT_ROUTE, VERDICT_ROUTE, false },
	{ FAULT_RECIPIENT_UNKNOWN, VERDICT_FAILED, VERDICT_FAILED, false },
	{ FAULT_POLICY, VERDICT_FAILED, VERDICT_FAILED, false },
	{ FAULT_TOO_LARGE, VERDICT_FAILED, VERDICT_FAILED, false },
	{ FAULT_EXTENSION_MISSING, VERDICT_FAILED, VERDICT_FAILED, false },
	{ FAULT_HOLD_HERE, VERDICT_LATER, VERDICT_LATER, true },
	{ FAULT_CONVERSION, VERDICT_FAILED, VERDICT_FAILED, false },
};

static void test_verdicts(void **state)
{
	const struct account smarthost = { .name = "x" }, direct = { .net = { .mx = true } };
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(schedule_verdict(&smarthost, &err), VERDICT_DONE);
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		error_set(&err, verdicts[i].fault, "x");
		if (schedule_verdict(&smarthost, &err) != verdicts[i].verdict ||
		    schedule_verdict(&direct, &err) != verdicts[i].direct ||
		    schedule_keeps(&smarthost, &err) != verdicts[i].kept)
			fail_msg("%s", fault_rows[verdicts[i].fault].name);
	}
}

/* --- when ------------------------------------------------------------------------------------ */

static void test_times(void **state)
{
	static const unsigned minutes[] = { 1, 1, 2, 5, 10, 20, 40, 80, 120, 180, 180, 180 };
	const struct account a = { .name = "x" };
	struct result r;
	struct entry e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(minutes); i++)
		assert_int_equal(schedule_delay(i), minutes[i] * 60);
	fill(&e, "b@example.org");
	e.expires_ms = e.arrival_ms + 2 * 86400 * 1000;
	for (int unknown = 0; unknown < 2; unknown++) {
		result_init(&r, arena, 1);
		error_set(&r.rcpt[0].error, FAULT_CONNECTION_LOST, "lost");
		r.rcpt[0].outcome = OUTCOME_DEFERRED;
		r.unknown = unknown;
		e.attempts = 0;
		schedule_note(&e, &a, &r, NULL, 5, 1000000);
		const int64_t wait = unknown ? 600000 : 60000;

		assert_in_range(e.next_ms, 1000000 + wait, 1000000 + wait + wait / 10);
		assert_int_equal(e.attempts, 1);
		assert_int_equal(e.last_ms, 5);
		assert_int_equal(e.unknown_ms, unknown ? 1000000 : 0);
		assert_int_equal(e.rcpt[0].outcome, OUTCOME_DEFERRED);
	}
	assert_false(schedule_expire(&e, e.expires_ms - 1));
	assert_true(schedule_expire(&e, e.expires_ms));
	assert_int_equal(e.rcpt[0].outcome, OUTCOME_REFUSED);
	assert_string_equal(e.rcpt[0].text, "not delivered in 2 days: lost");
	assert_string_equal(e.rcpt[0].status, "5.4.7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test_setup_teardown(test_times, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
