#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/config_write.h"
#include "conf_scratch.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/result.h"
#include "smtp/auth/auth.h"
#include "submit/memory.h"
#include "track/track.h"
#include "util/arena.h"
#include "util/strbuf.h"

/*
 * What several processes write is written under a lock, by each of those who
 * write it: where there is no lock to be had, all stays as it was. What is
 * told to be kept is synced.
 */

static bool no_lock, no_sync;
static unsigned locked, synced;
static struct arena *arena;
static struct error failure;

int flock(int fd, int operation)
{
	locked++;
	if (no_lock) {
		errno = ENOLCK;
		return -1;
	}
	return (int)syscall(SYS_flock, fd, operation);
}

int fsync(int fd)
{
	synced++;
	if (no_sync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static int setup(void **state)
{
	no_lock = no_sync = false;
	locked = synced = 0;
	arena = arena_new();
	return scratch_setup(state);
}

static int teardown(void **state)
{
	arena_free(arena);
	return scratch_teardown(state);
}

/* The text of a file of the scratch folder, "" if there is none. */
static const char *text_of(const char *name)
{
	static struct strbuf text = STRBUF_INIT(1 << 20);
	struct error none;

	strbuf_reset(&text);
	(void)!fs_read_file(scratch_path(name), 0, &text, &none);
	return text.buf;
}

static void tracking(void **state)
{
	static const char file[] = "state/msubmit/tracking";
	struct envelope e;
	struct result r;

	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("state"), 1);
	envelope_init(&e, arena);
	envelope_add(&e, "a@example.org", NULL);
	e.envid = "id";
	e.ext.mtrk_secret = "c2VjcmV0";
	result_init(&r, arena, 1);
	r.rcpt[0].outcome = OUTCOME_ACCEPTED;
	no_lock = true;
	assert_int_equal(tracking_keep(&e, &r, &failure), -1);
	assert_has(failure.text, "cannot lock");
	assert_string_equal(text_of(file), "");
	no_lock = false;
	assert_int_equal(tracking_keep(&e, &r, &failure), 0);
	assert_has(text_of(file), "a@example.org");
	assert_int_equal(locked, 2);
	unsetenv("XDG_STATE_HOME");
}

static void mechanisms(void **state)
{
	static const char file[] = "state/msubmit/mechanisms";
	struct account a = { .auth = { .remember = true, .user = "joe" } };
	const struct auth_memory *m;

	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("state"), 1);
	m = memory_of_mechanism(arena, &a, "mail.example.org", 587);
	no_lock = true;
	m->remember(m->ctx, "PLAIN");
	assert_string_equal(text_of(file), "");
	no_lock = false;
	m->remember(m->ctx, "PLAIN");
	assert_string_equal(text_of(file), "PLAIN mail.example.org 587 joe\n");
	unsetenv("XDG_STATE_HOME");
}

static void configurations(void **state)
{
	struct config_append *w;
	const char *path = scratch_file("rc", "[account default]\nhost = h\n", 0600);

	(void)state;
	no_lock = true;
	assert_int_equal(config_append_open(path, 0600, &w, &failure), -1);
	assert_has(failure.text, "being changed by another program");
	no_lock = false;
	assert_int_equal(config_append_open(path, 0600, &w, &failure), 0);
	config_append_close(w);
}

static struct message *message(void)
{
	static const char text[] = "Subject: x\n\nbody\n";
	const struct message_options opt = { .dots_ignored = true };
	struct message_reader *reader = message_reader_new(&opt);
	struct message *m = NULL;

	assert_int_equal(message_reader_push(reader, text, strlen(text), &failure), 0);
	assert_int_equal(message_reader_finish(reader, &m, &failure), 0);
	return m;
}

/* What is there already stays whole, whatever goes wrong behind it. */
static void dead_letters(void **state)
{
	static const char before[] = "From x\nSubject: before\n\nbody\n";
	const struct rlimit little = { sizeof(before) + 20, RLIM_INFINITY };
	struct rlimit all;
	const struct error why = { .exit = EX_TEMPFAIL, .status = "4.0.0", .text = "why" };
	const struct account a = { .name = "default",
				   .report.dead_letter = scratch_file("dead", before, 0600) };
	const struct invocation inv = { .name = "msubmit", .quiet = true };
	struct message *m = message();
	const struct report r = { .inv = &inv, .account = &a, .message = m, .error = &why };

	(void)state;
	no_lock = true;
	report_keep(&r);
	assert_string_equal(text_of("dead"), before);
	no_lock = false;
	no_sync = true;
	report_keep(&r);
	assert_string_equal(text_of("dead"), before);
	no_sync = false;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	report_keep(&r);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_string_equal(text_of("dead"), before);
	synced = 0;
	report_keep(&r);
	assert_int_equal(synced, 1);
	assert_has(text_of("dead"), "Subject: x\n\nbody\n");
	/* a file that is new has a name to be synced, too */
	unlink(scratch_path("dead"));
	report_keep(&r);
	assert_int_equal(synced, 3);
	message_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tracking, setup, teardown),
		cmocka_unit_test_setup_teardown(mechanisms, setup, teardown),
		cmocka_unit_test_setup_teardown(configurations, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_letters, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
