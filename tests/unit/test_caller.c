#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/listen.h"
#include "server/caller.h"
#include "smtpd_run.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

static struct arena *shared;
static const char *const groups[] = { "www-data", "mail", NULL };
static const struct caller www = { .uid = 33, .pid = 7, .user = "www-data", .groups = groups };

/* --- who it is -------------------------------------------------------------------- */

static void peer_of_a_local_socket(void **state)
{
	struct arena *a = arena_new();
	struct strbuf text = STRBUF_INIT(4096);
	const struct passwd *pw = getpwuid(getuid());
	struct caller w;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_true(caller_read(fd[0], true, a, &w));
	assert_int_equal(w.uid, getuid());
	assert_int_equal(w.pid, getpid());
	if (pw)
		assert_string_equal(w.user, pw->pw_name);
	assert_non_null(w.groups[0]);
	assert_string_equal(w.program, "test_caller");
	assert_non_null(strstr(w.exe, "test_caller"));
	caller_describe(&w, &text);
	assert_non_null(strstr(text.buf, " program=test_caller exe=/"));
	strbuf_release(&text);
	close(fd[0]);
	close(fd[1]);
	arena_free(a);
}

static void nobody_on_tcp(void **state)
{
	struct arena *a = arena_new();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct caller w;

	(void)state;
	assert_false(caller_read(fd, true, a, &w));
	assert_false(caller_read(-1, true, a, &w));
	close(fd);
	arena_free(a);
}

/* A process calls itself what it likes. */
static void names_are_escaped(void **state)
{
	struct strbuf text = STRBUF_INIT(4096);
	const struct caller w = { .uid = 1, .user = "x", .program = "a\nuid=0 user=root\x1b" };

	(void)state;
	caller_describe(&w, &text);
	assert_null(strchr(text.buf, '\n'));
	assert_null(strchr(text.buf, '\x1b'));
	assert_null(strstr(text.buf, " exe="));
	strbuf_release(&text);
}

/* --- what he may -------------------------------------------------------------------- */

#define LIST(...) (const char *const[]){ __VA_ARGS__, NULL }

static bool may_submit(const struct listen_settings *set)
{
	struct error err = { .exit = 0 };
	const int rc = caller_may_submit(set, &www, &err);

	if (rc < 0) {
		assert_int_equal(err.exit, EX_NOPERM);
		assert_string_equal(err.status, "5.7.1");
		assert_string_equal(err.text, "user www-data may not submit mail");
	}
	return rc == 0;
}

static void users_and_groups(void **state)
{
	(void)state;
	assert_true(may_submit(&(struct listen_settings){ 0 }));
	assert_true(may_submit(&(struct listen_settings){ .allow_users = LIST("root", "www-*") }));
	assert_false(may_submit(&(struct listen_settings){ .allow_users = LIST("root") }));
	assert_true(may_submit(&(struct listen_settings){ .allow_groups = LIST("mail") }));
	assert_false(may_submit(&(struct listen_settings){ .allow_groups = LIST("adm") }));
	assert_true(may_submit(&(struct listen_settings){ .allow_users = LIST("root"),
							  .allow_groups = LIST("mail") }));
	assert_false(may_submit(&(struct listen_settings){ .deny_users = LIST("www-data") }));
	assert_false(may_submit(&(struct listen_settings){ .allow_users = LIST("*"),
							   .deny_users = LIST("www-data") }));
	assert_true(may_submit(&(struct listen_settings){ .deny_users = LIST("root") }));
}

static bool may_be(const char *const *maps, const char *sender)
{
	const struct listen_settings set = { .local_login_sender_maps = maps };
	struct error err = { .exit = 0 };
	const int rc = caller_may_send_as(&set, &www, sender, &err);

	if (rc < 0)
		assert_non_null(strstr(err.text, "user www-data may not submit mail as <"));
	return rc == 0;
}

static void senders(void **state)
{
	(void)state;
	assert_true(may_be(NULL, "a@example.org"));
	assert_true(may_be(LIST("root=*"), "a@example.org"));
	assert_true(may_be(LIST("www-data=*@shop.example"), "a@shop.example"));
	assert_false(may_be(LIST("www-data=*@shop.example"), "a@example.org"));
	assert_true(may_be(LIST("www-data=a@x.example", "www-*=b@x.example"), "b@x.example"));
	assert_false(may_be(LIST("www-data=*@shop.example"), ""));
	assert_true(may_be(LIST("www-data=<>"), ""));
	assert_true(may_be(LIST("www-data=*"), ""));
	assert_true(may_be(NULL, ""));
}

/* Of a container of a user's, whose ids have no names. */
static void owners(void **state)
{
	static const char *const deny[] = { "root", NULL };
	static const char *const maps[] = { "root=root@x.example", NULL };
	const struct listen_settings denies = { .deny_users = deny };
	const struct listen_settings binds = { .local_login_sender_maps = maps };
	struct arena *a = arena_new();
	char path[] = "/tmp/msubmit-test-XXXXXX";
	struct caller w = { .uid = 4000000010, .user = "uid4000000010" };
	const int fd = mkstemp(path);
	struct error err;

	(void)state;
	assert_true(dprintf(fd, "nobody-there:1:2\n:\nx:y:z\nroot:4000000000:10\n"
			    "0:4000000010:5\nlast") > 0);
	assert_false(caller_owner(path, 4000000015, a, &w));
	assert_false(caller_owner(path, 0, a, &w));
	assert_false(caller_owner("/dev/null/x", 4000000010, a, &w));
	assert_null(w.owner_name);
	assert_int_equal(caller_may_submit(&denies, &w, &err), 0);
	assert_true(caller_owner(path, 4000000009, a, &w));
	assert_true(caller_owner(path, 4000000010, a, &w));
	assert_string_equal(w.owner_name, "root");
	assert_int_equal(w.owner, 0);
	assert_int_equal(caller_may_submit(&denies, &w, &err), -1);
	assert_int_equal(caller_may_send_as(&binds, &w, "other@x.example", &err), -1);
	assert_int_equal(caller_may_send_as(&binds, &w, "root@x.example", &err), 0);
	unlink(path);
	close(fd);
	arena_free(a);
}

/* --- how much ------------------------------------------------------------------------ */

static bool count(struct caller_rates *r, uid_t uid, long long now)
{
	const struct caller w = { .uid = uid, .user = "u" };
	struct error err = { .exit = 0 };
	const int rc = caller_count(r, &w, now, &err);

	if (rc < 0) {
		assert_int_equal(err.exit, EX_TEMPFAIL);
		assert_string_equal(err.status, "4.7.1");
	}
	return rc == 0;
}

static void rate(void **state)
{
	const struct listen_settings set = { .user_rate = 3, .user_rate_time = 60 };
	struct caller_rates *r = caller_rates_new(&set, NULL, shared);

	(void)state;
	assert_non_null(r);
	for (int i = 0; i < 3; i++)
		assert_true(count(r, 33, 1000));
	assert_false(count(r, 33, 1000));
	assert_false(count(r, 33, 20999));	/* what was refused has cost nothing */
	assert_true(count(r, 0, 1000));		/* others have their own */
	assert_true(count(r, 33, 21000));
	assert_false(count(r, 33, 21001));
	for (int i = 0; i < 3; i++)
		assert_true(count(r, 33, 1000000));
	assert_false(count(r, 33, 1000000));
}

static bool count_of_container(struct caller_rates *r, uid_t uid)
{
	const struct caller w = { .uid = uid, .user = "u", .owner_name = "www-data", .owner = 33 };
	struct error err;

	return caller_count(r, &w, 1000, &err) == 0;
}

/* Whoever has a thousand ids has one rate; and new settings do not forget it. */
static void rate_goes_on(void **state)
{
	struct listen_settings set = { .user_rate = 3, .user_rate_time = 60 };
	struct arena *a = arena_new();
	struct caller_rates *r = caller_rates_new(&set, NULL, a), *next;

	(void)state;
	assert_true(count(r, 33, 1000));
	assert_true(count_of_container(r, 100001));
	set.user_rate = 4;
	next = caller_rates_new(&set, r, a);
	assert_true(count_of_container(next, 100002));
	assert_false(count_of_container(r, 100003));
	assert_false(count(r, 33, 1000));
	assert_true(count(next, 34, 1000));
	arena_free(a);
}

static void no_rate(void **state)
{
	const struct listen_settings set = { .user_rate = 0 };

	(void)state;
	assert_null(caller_rates_new(&set, NULL, shared));
	assert_true(count(NULL, 33, 0));
}

/* More users than there is room for: those who owe nothing make place, the others stay. */
static void many_users(void **state)
{
	const struct listen_settings set = { .user_rate = 1, .user_rate_time = 60 };
	struct caller_rates *r = caller_rates_new(&set, NULL, shared);

	(void)state;
	for (uid_t uid = 0; uid < 4096; uid++)
		assert_true(count(r, uid, 1000));
	assert_false(count(r, 5000, 1000));
	assert_false(count(r, 17, 1000));
	assert_true(count(r, 5000, 61000));
	assert_false(count(r, 5000, 61000));
}

/* The workers count in the same place. */
static void workers_share_it(void **state)
{
	const struct listen_settings set = { .user_rate = 5, .user_rate_time = 60 };
	struct caller_rates *r = caller_rates_new(&set, NULL, shared);
	int status, sent = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		const pid_t pid = fork();

		if (pid == 0) {
			const struct caller w = { .uid = 33, .user = "u" };
			struct error err;

			_exit(caller_count(r, &w, 1000, &err) == 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		sent += WEXITSTATUS(status);
	}
	assert_int_equal(sent, 5);
}

/* --- in a session ---------------------------------------------------------------------- */

static void session_of(struct run *r, const struct caller *who, const char *input)
{
	struct stream *peer = memory_new(&r->written);
	struct smtpd s;

	strbuf_reset(&r->written);
	memory_say_bytes(peer, input, strlen(input));
	memory_end(peer);
	smtpd_init_take(&s, &r->opt, wire_new_take(peer), &r->store.delivery, "local");
	s.caller = who;
	r->rc = smtpd_run(&s, &r->err);
	smtpd_release(&s);
}

#define SENDING HELLO TO "DATA\r\n" BODY

static void asked_at_mail(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	session_of(&r, &www, SENDING);
	assert_string_equal(codes(&r), "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0");
	assert_non_null(strstr(r.log.buf, " uid=33 login=www-data "));
	r.opt.set.deny_users = LIST("www-data");
	session_of(&r, &www, SENDING "QUIT\r\n");
	assert_non_null(strstr(r.written.buf,
			       "\r\n550 5.7.1 user www-data may not submit mail\r\n503 "));
	assert_int_equal(r.store.messages.n, 1);
	/* nobody that the kernel knows */
	session_of(&r, NULL, SENDING);
	assert_int_equal(r.store.messages.n, 2);
	r.opt.set.deny_users = NULL;
	r.opt.set.local_login_sender_maps = LIST("www-data=*@shop.example");
	session_of(&r, &www, SENDING);
	assert_non_null(strstr(r.written.buf, "\r\n550 5.7.1 user www-data may not submit mail "
			       "as <a@x.example>\r\n"));
	assert_int_equal(r.store.messages.n, 2);
	run_release(&r);
}

static void counted_at_mail(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.user_rate = 1;
	r.opt.set.user_rate_time = 3600;
	r.opt.rates = caller_rates_new(&r.opt.set, NULL, shared);
	session_of(&r, &www, SENDING TO "DATA\r\n" BODY);
	assert_non_null(strstr(r.written.buf, "\r\n450 4.7.1 user www-data has sent 1 messages "
			       "within 3600 s"));
	assert_int_equal(r.store.messages.n, 1);
	run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_of_a_local_socket),
		cmocka_unit_test(nobody_on_tcp),
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(users_and_groups),
		cmocka_unit_test(senders),
		cmocka_unit_test(owners),
		cmocka_unit_test(rate),
		cmocka_unit_test(rate_goes_on),
		cmocka_unit_test(no_rate),
		cmocka_unit_test(many_users),
		cmocka_unit_test(workers_share_it),
		cmocka_unit_test(asked_at_mail),
		cmocka_unit_test(counted_at_mail),
	};

	shared = arena_new();
	const int failed = cmocka_run_group_tests_name("caller", tests, NULL, NULL);

	arena_free(shared);
	return failed;
}
