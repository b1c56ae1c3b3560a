#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deliver/deliver.h"
#include "memory_stream.h"
#include "net/stream.h"
#include "net/wire.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "util/error.h"
#include "util/strbuf.h"

#define CONTENT "Subject: x\r\n\r\nbody\r\n.\r\n"
#define BEGIN "EHLO a\r\nMAIL FROM:<>\r\n"

static char folder[] = "/tmp/msubmit-reversed-XXXXXX";
static char deliver[sizeof(folder) + 16];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(deliver, sizeof(deliver), "maildir:%s/box", folder);
	return 0;
}

/* Files in box/NAME; they are removed. */
static unsigned empty(const char *name)
{
	char path[sizeof(folder) + 600];
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/box/%s", folder, name);
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/box/%s/%s", folder, name, e->d_name);
		assert_int_equal(unlink(path), 0);
		n++;
	}
	closedir(dir);
	return n;
}

static int teardown(void **state)
{
	static const char *const names[] = { "box/tmp", "box/new", "box/cur", "box", "" };
	char path[sizeof(folder) + 600];

	(void)state;
	empty("tmp");
	empty("new");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)rmdir(path);
	}
	return 0;
}

static const char *const two[] = { "example.org", "Example.NET", NULL };

static const struct {
	const char *const *domains;
	const char *input;
	bool end;		/* the peer closes behind it */
	int exit;		/* 0: it ends well */
	unsigned messages;
	const char *reply, *no_reply;
} sessions[] = {
	{ two, "EHLO a\r\nQUIT\r\n", true, 0, 0, "221 ", "250-AUTH" },
	{ two, "EHLO a\r\nSTARTTLS\r\nAUTH PLAIN AGEAYg==\r\nQUIT\r\n", true, 0, 0, "\r\n50",
	  "220 2" },
	{ two, BEGIN "RCPT TO:<b@EXAMPLE.org>\r\nDATA\r\n" CONTENT "QUIT\r\n", true,
	  0, 1, "250 2.0.0 stored", "550 5" },
	{ two, BEGIN "RCPT TO:<b@example.net>\r\nDATA\r\n" CONTENT
	  "MAIL FROM:<a@x.example>\r\nRCPT TO:<postmaster>\r\nDATA\r\n" CONTENT "QUIT\r\n", true,
	  0, 2, "221 ", "550 5" },
	{ two, BEGIN "RCPT TO:<b@sub.example.org>\r\nDATA\r\nQUIT\r\n", true, 0, 0,
	  "550 5.7.1", "354" },
	{ two, BEGIN "RCPT TO:<\"b@example.org\"@x.example>\r\nQUIT\r\n", true, 0,
	  0, "550 5.7.1", "250 2.1.5" },
	{ NULL, BEGIN "RCPT TO:<b@any.example>\r\nDATA\r\n" CONTENT "QUIT\r\n",
	  true, 0, 1, "250 2.0.0 stored", "550 5" },
	/* strict: a bare LF in what comes from elsewhere is no line end */
	{ NULL, BEGIN "RCPT TO:<b@any.example>\r\nDATA\r\nx\ny\r\n.\r\nQUIT\r\n",
	  true, 0, 0, "550 5.5.2", "250 2.0.0 stored" },
	{ two, BEGIN "RCPT TO:<b@example.org>\r\nDATA\r\nSubject: x\r\n", true,
	  EX_TEMPFAIL, 0, "354", "250 2.0.0" },
	{ two, BEGIN "RCPT TO:<b@example.org>\r\nDATA\r\n" CONTENT, true,
	  EX_TEMPFAIL, 1, "250 2.0.0 stored", "221 " },
	{ two, "", true, EX_TEMPFAIL, 0, "220 home.example.org ESMTP", "250" },
};

static int open_place(const char *text, struct delivery **out, struct error *err)
{
	const struct deliver_request r = { .deliver = text, .key = "atrn_deliver",
					   .server_name = "home.example.org" };

	return deliver_open(&r, out, err);
}

static void test_sessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		struct server_options opt = {
			.set.server_name = "home.example.org", .domains = sessions[i].domains,
		};
		struct strbuf written = STRBUF_INIT(65536);
		struct stream *stream = memory_new(&written);
		struct wire *wire = wire_new_take(stream);
		unsigned messages = 99;
		struct error err = { .exit = 0 };

		memory_say(stream, sessions[i].input);
		if (sessions[i].end)
			memory_end(stream);
		assert_int_equal(open_place(deliver, &opt.delivery, &err), 0);
		int rc = atrn_run(&opt, wire, false, "192.0.2.1", &messages, &err);

		if (rc != (sessions[i].exit ? -1 : 0) || err.exit != sessions[i].exit)
			fail_msg("%zu: %d %s", i, err.exit, err.text);
		assert_int_equal(messages, sessions[i].messages);
		assert_int_equal(empty("new"), sessions[i].messages);
		assert_int_equal(empty("tmp"), 0);
		assert_non_null(strstr(written.buf, sessions[i].reply));
		assert_null(strstr(written.buf, sessions[i].no_reply));
		delivery_free(opt.delivery);
		wire_free(wire);
		strbuf_release(&written);
	}
}

static void test_settings(void **state)
{
	(void)state;
	static const char *const bad[] = { NULL, "", "maildir:", "mbox:/x", "Maildir" };
	struct delivery *d = NULL;
	struct error err;

	assert_int_equal(open_place(deliver, &d, &err), 0);
	delivery_free(d);
	d = NULL;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(open_place(bad[i], &d, &err), -1);
		assert_int_equal(err.exit, EX_CONFIG);
		assert_non_null(strstr(err.text, "'atrn_deliver'"));
	}
	assert_int_equal(open_place("maildir:/nonexistent/msubmit/box", &d, &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_null(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions), cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
