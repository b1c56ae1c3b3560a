#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp/pipeline.h"
#include "smtp_peer.h"

#define SEEN_MAX 32

struct group {
	struct peer *peer;
	struct pipeline pipe;
	size_t seen;
	struct pipeline_expected what[SEEN_MAX];
	int code[SEEN_MAX];
	int stop_at;		/* code on which the function breaks the group; 0 = none */
};

static void take(void *ctx, const struct pipeline_expected *what, const struct reply *r)
{
	struct group *g = ctx;

	if (g->seen < SEEN_MAX) {
		g->what[g->seen] = *what;
		g->code[g->seen] = r->code;
	}
	g->seen++;
	if (g->stop_at && r->code == g->stop_at) {
		struct error err;

		error_set(&err, FAULT_PROTOCOL, "stopped");
		pipeline_break(&g->pipe, &err);
	}
}

static void begin(struct group *g, const char *keywords)
{
	*g = (struct group){ .peer = peer_new() };
	peer_greeted(g->peer, keywords);
	pipeline_init(&g->pipe, &g->peer->session, take, g);
}

static void end(struct group *g)
{
	pipeline_release(&g->pipe);
	peer_free(g->peer);
}

static void add(struct group *g, enum stage stage, size_t index, const char *line)
{
	strbuf_reset(&g->peer->session.line);
	strbuf_addstr(&g->peer->session.line, line);
	assert_int_equal(pipeline_add(&g->pipe, stage, index, 0, &g->peer->err), 0);
}

static void test_order(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "\n250 PIPELINING");
	script(g.peer, "C: A\r\nB\r\nC\r\n", "S: 250 a", "S: 550 b", "S: 354 c");
	add(&g, STAGE_MAIL, 7, "A");
	add(&g, STAGE_RCPT, 8, "B");
	add(&g, STAGE_DATA, 9, "C");
	assert_int_equal(g.seen, 0);
	assert_int_equal(g.peer->written.len, 0);	/* one write for all */
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, 3);
	assert_int_equal(g.what[0].stage, STAGE_MAIL);
	assert_int_equal(g.what[1].index, 8);
	assert_int_equal(g.what[2].stage, STAGE_DATA);
	assert_int_equal(g.code[0], 250);
	assert_int_equal(g.code[1], 550);
	assert_int_equal(g.code[2], 354);
	assert_false(g.pipe.broken);
	pipeline_finish(&g.pipe);		/* nothing is due any more */
	assert_int_equal(g.seen, 3);
	end(&g);
}

static void test_second_group(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "\n250 PIPELINING");
	for (size_t i = 0; i < 50; i++) {
		script(g.peer, "C: A\r\nB\r\n", "S: 250 a", "S: 250 b");
		add(&g, STAGE_MAIL, i, "A");
		add(&g, STAGE_RCPT, i, "B");
		pipeline_finish(&g.pipe);
	}
	assert_int_equal(g.seen, 100);
	assert_true(g.pipe.alloc <= 16);	/* the queue is used again */
	end(&g);
}

static void test_without_pipelining(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "");
	script(g.peer, "C: A\r\n", "S: 250 a", "C: B\r\n", "S: 250 b");
	add(&g, STAGE_MAIL, 0, "A");
	assert_int_equal(g.seen, 1);
	add(&g, STAGE_RCPT, 0, "B");
	assert_int_equal(g.seen, 2);
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, 2);
	end(&g);
}

static void test_421(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "\n250 PIPELINING");
	script(g.peer, "C: C\r\n", "S: 250 a", "S: 421 4.3.2 bye", "S: 250 c");
	add(&g, STAGE_MAIL, 0, "A");
	add(&g, STAGE_RCPT, 0, "B");
	add(&g, STAGE_RCPT, 1, "C");
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, 2);		/* the 421 itself is told, the third never */
	assert_true(g.pipe.broken);
	assert_false(g.pipe.lost);
	assert_int_equal(g.pipe.error.exit, 75);
	assert_string_equal(g.pipe.error.status, "4.3.2");
	assert_true(g.peer->session.dead);
	size_t written = g.peer->written.len;

	add(&g, STAGE_RCPT, 2, "D");		/* nothing goes out any more */
	pipeline_finish(&g.pipe);
	assert_int_equal(g.peer->written.len, written);
	end(&g);
}

static const struct {
	const char *step;
	int exit;
	const char *text;
} losses[] = {
	{ "END", 75, "connection closed by the server while waiting for the reply to RCPT TO" },
	{ "FAIL", 75, "connection lost" },
	{ "S: what?", 76, "unparsable line instead of the reply to RCPT TO: 'what?'" },
	{ "C: never", 75, "timeout after 60 s waiting for the reply to RCPT TO" },
};

static void test_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
		struct group g;

		begin(&g, "\n250 PIPELINING");
		script(g.peer, "C: B\r\n", "S: 250 a", losses[i].step, "S: 250 b");
		add(&g, STAGE_MAIL, 0, "A");
		add(&g, STAGE_RCPT, 0, "B");
		pipeline_finish(&g.pipe);
		assert_int_equal(g.seen, 1);
		assert_true(g.pipe.broken);
		assert_true(g.pipe.lost);
		assert_int_equal(g.pipe.error.exit, losses[i].exit);
		assert_says(g.pipe.error.text, losses[i].text);
		assert_true(g.peer->session.dead);
		end(&g);
	}
}

static void test_early(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "\n250 PIPELINING");
	script(g.peer, "S: 250 nobody asked");
	add(&g, STAGE_MAIL, 0, "A");
	assert_true(g.pipe.broken);
	assert_int_equal(g.pipe.error.exit, 76);
	assert_int_equal(g.seen, 0);
	assert_int_equal(g.peer->written.len, 0);
	end(&g);

	begin(&g, "\n250 PIPELINING");
	script(g.peer, "S: 421 idle");
	add(&g, STAGE_MAIL, 5, "A");
	assert_true(g.pipe.broken);
	assert_int_equal(g.seen, 1);		/* it counts as the reply */
	assert_int_equal(g.what[0].index, 5);
	assert_int_equal(g.code[0], 421);
	assert_int_equal(g.peer->written.len, 0);
	end(&g);
}

/* A command that is not fit to be sent disturbs no other. */
static void test_unfit(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "\n250 PIPELINING");
	script(g.peer, "C: A\r\nC\r\n", "S: 250 a", "S: 251 c");
	add(&g, STAGE_MAIL, 0, "A");
	strbuf_reset(&g.peer->session.line);
	strbuf_addstr(&g.peer->session.line, "B\r\nX");
	assert_int_equal(pipeline_add(&g.pipe, STAGE_RCPT, 1, 0, &g.peer->err), -1);
	assert_int_equal(g.peer->err.exit, 65);
	assert_false(g.pipe.broken);
	add(&g, STAGE_RCPT, 2, "C");
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, 2);
	assert_int_equal(g.what[1].index, 2);
	assert_int_equal(g.code[1], 251);
	end(&g);
}

static void test_broken_from_outside(void **state)
{
	(void)state;
	struct group g;

	begin(&g, "\n250 PIPELINING");
	g.stop_at = 550;
	script(g.peer, "C: C\r\n", "S: 250 a", "S: 550 b", "S: 250 c");
	add(&g, STAGE_MAIL, 0, "A");
	add(&g, STAGE_RCPT, 0, "B");
	add(&g, STAGE_RCPT, 1, "C");
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, 2);
	assert_string_equal(g.pipe.error.text, "stopped");
	assert_true(g.peer->session.dead);
	end(&g);
}

/* Replies that are there although the commands could not all be written. */
static void test_write_fails(void **state)
{
	(void)state;
	struct group g;
	char line[501];

	begin(&g, "\n250 PIPELINING");
	memset(line, 'x', 500);
	line[500] = '\0';
	script(g.peer, "C: A\r\n", "S: 552 5.3.4 no", "END");
	memory_write_max(g.peer->stream, 100);
	memory_write_fail(g.peer->stream, 5000);
	add(&g, STAGE_MAIL, 0, "A");
	for (size_t i = 0; i < 2000; i++)
		add(&g, STAGE_RCPT, i, line);
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, 1);
	assert_int_equal(g.code[0], 552);
	assert_true(g.pipe.broken);
	assert_true(g.pipe.lost);
	assert_int_equal(g.pipe.error.exit, 75);
	end(&g);
}

/*
 * A server that takes no more commands until its replies are read, and
 * replies that are far more than the commands: nobody waits for the other
 * for ever, and all are counted.
 */
static void test_no_deadlock(void **state)
{
	(void)state;
	enum { COUNT = 30000 };
	struct group g;
	struct strbuf reply = STRBUF_INIT(1000);

	begin(&g, "\n250 PIPELINING");
	strbuf_addstr(&reply, "250 ");
	while (reply.len < 300)
		strbuf_addch(&reply, 'x');
	strbuf_addstr(&reply, "\r\n");
	memory_write_window(g.peer->stream, 4096);
	memory_await(g.peer->stream, "R0\r\n");
	for (size_t i = 0; i < COUNT; i++)
		memory_say_bytes(g.peer->stream, reply.buf, reply.len);
	for (size_t i = 0; i < COUNT; i++) {
		char line[32];

		snprintf(line, sizeof(line), "R%zu", i);
		add(&g, STAGE_RCPT, i, line);
		assert_true(wire_unread(g.peer->wire) <= WIRE_INPUT_MAX + 65536);
	}
	pipeline_finish(&g.pipe);
	assert_int_equal(g.seen, COUNT);
	assert_false(g.pipe.broken);
	strbuf_release(&reply);
	end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_second_group),
		cmocka_unit_test(test_without_pipelining),
		cmocka_unit_test(test_421),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_broken_from_outside),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_no_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
