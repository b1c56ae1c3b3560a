#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>

#include "arena_state.h"
#include "cli/local_mail.h"
#include "cli/mbox.h"
#include "conf_scratch.h"
#include "message/message.h"
#include "message_model.h"
#include "util/strbuf.h"

static struct strbuf where;

static struct message *read_text(const char *text)
{
	static const struct message_options wire = { .dots_ignored = true, .wire = true };
	struct error err;
	struct message *m = model_read(text, strlen(text), 0, &wire, &err);

	assert_non_null(m);
	return m;
}

static int deliver(uid_t uid, struct error *err)
{
	struct message *m = read_text("Subject: x\r\n\r\nFrom here\r\n>From there\r\n.\r\n");

	strbuf_reset(&where);
	int rc = local_mail_deliver(uid, m, &where, err);

	message_free(m);
	return rc;
}

static void make_folder(const char *name)
{
	assert_int_equal(mkdir(scratch_path(name), 0700), 0);
}

static size_t count_files(const char *name)
{
	DIR *d = opendir(scratch_path(name));
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static const char *read_file(const char *name)
{
	struct strbuf text = STRBUF_INIT(65536);
	struct error err;

	assert_int_equal(fs_read_file(scratch_path(name), FS_OWN | FS_PRIVATE, &text, &err), 0);
	return arena_take(arena, &text);
}

static void assert_where(const char *name)
{
	assert_string_equal(where.buf, scratch_path(name));
}

static int setup(void **state)
{
	strbuf_init(&where, 4096);
	scratch_setup(state);
	return arena_setup(state);
}

static int teardown(void **state)
{
	strbuf_release(&where);
	arena_teardown(state);
	return scratch_teardown(state);
}

/* The first place that is there, in the order in which they are written down. */
static void test_places(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(deliver(geteuid(), &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_non_null(strstr(err.text, "neither Maildir nor Mail"));
	assert_string_equal(where.buf, "");
	make_folder("Maildir");
	assert_int_equal(deliver(geteuid(), &err), -1);
	make_folder("Mail");
	assert_int_equal(deliver(geteuid(), &err), 0);
	assert_where("Mail/bounces");
	make_folder("Mail/inbox");
	make_folder("Mail/inbox/new");
	assert_int_equal(deliver(geteuid(), &err), 0);
	assert_where("Mail/inbox");
	assert_int_equal(count_files("Mail/inbox/new"), 1);
	make_folder("Mail/new");
	assert_int_equal(deliver(geteuid(), &err), 0);
	assert_where("Mail");
	make_folder("Maildir/new");
	assert_int_equal(deliver(geteuid(), &err), 0);
	assert_where("Maildir");
	assert_int_equal(count_files("Maildir/new"), 1);
	assert_int_equal(count_files("Maildir/tmp"), 0);
}

static void test_mbox(void **state)
{
	static const char body[] = "Subject: x\n\n>From here\n>>From there\n.\n";
	struct error err;

	(void)state;
	make_folder("Mail");
	assert_int_equal(deliver(geteuid(), &err), 0);
	assert_int_equal(deliver(geteuid(), &err), 0);
	const char *text = read_file("Mail/bounces");
	const char *second = strstr(text, "\n\nFrom MAILER-DAEMON ");

	assert_int_equal(strncmp(text, "From MAILER-DAEMON ", 19), 0);
	assert_non_null(second);
	assert_string_equal(strchr(second + 2, '\n') + 1, body);
	assert_int_equal(strncmp(strchr(text, '\n') + 1, body, strlen(body)), 0);
}

static void test_refused(void **state)
{
	struct error err;

	(void)state;
	make_folder("Mail");
	assert_int_equal(deliver(geteuid() + 1, &err), -1);
	assert_non_null(strstr(err.text, "is not ours"));
	scratch_file("other", "text", 0600);
	assert_int_equal(symlink("../other", scratch_path("Mail/bounces")), 0);
	assert_int_equal(deliver(geteuid(), &err), -1);
	assert_string_equal(read_file("other"), "text");
	assert_int_equal(unlink(scratch_path("Mail/bounces")), 0);
	assert_int_equal(link(scratch_path("other"), scratch_path("Mail/bounces")), 0);
	assert_int_equal(deliver(geteuid(), &err), -1);
	assert_string_equal(read_file("other"), "text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mbox, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests_name("local_mail", tests, NULL, NULL);
}
