#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "submit/service.h"
#include "util/error.h"

#define PATH "/run/msubmit/submit"
#define USUAL \
	"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n" \
	"24 21 0:22 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,mode=755\n" \
	"30 24 0:26 / /run/lock rw shared:6 - tmpfs tmpfs rw\n"

static const struct one {
	const char *mounts, *path, *wanted;
} cases[] = {
	{ USUAL, PATH, NULL },
	{ "", PATH, NULL },
	{ "no mounts at all\n\n1 2 3\n", PATH, NULL },
	/* /run itself below another /run */
	{ USUAL "90 24 0:50 / /run ro,nosuid - tmpfs tmpfs ro\n", PATH, "TemporaryFileSystem=" },
	/* the folder, and the socket */
	{ USUAL "91 24 0:22 /systemd/inaccessible/dir /run/msubmit ro - tmpfs tmpfs rw\n", PATH,
	  "InaccessiblePaths=" },
	{ USUAL "91 24 0:22 /systemd/inaccessible/sock /run/msubmit/submit ro - tmpfs tmpfs rw\n",
	  PATH, "InaccessiblePaths=" },
	{ USUAL "91 24 0:22 /systemd/inaccessible/dir /run ro - tmpfs tmpfs rw\n", PATH,
	  "InaccessiblePaths=" },
	{ USUAL "91 24 0:51 / /run/msubmit rw - tmpfs tmpfs rw\n", PATH,
	  "TemporaryFileSystem=, BindPaths=" },
	/* another folder, and one whose name begins alike */
	{ USUAL "91 24 0:22 /systemd/inaccessible/dir /run/msubmit2 ro - tmpfs tmpfs rw\n", PATH,
	  NULL },
	{ USUAL "91 24 0:22 /systemd/inaccessible/dir /root ro - tmpfs tmpfs rw\n", PATH, NULL },
	/* the socket elsewhere */
	{ USUAL "92 21 8:1 /tmp/systemd-private-1-x.service-y/tmp /tmp rw - ext4 /dev/sda1 rw\n",
	  "/tmp/submit", "PrivateTmp=" },
	{ USUAL "92 21 8:1 /tmp/systemd-private-1-x.service-y/tmp /tmp rw - ext4 /dev/sda1 rw\n",
	  PATH, NULL },
	{ USUAL "93 21 0:22 /systemd/inaccessible/dir /home ro - tmpfs tmpfs rw\n",
	  "/home/m/submit", "ProtectHome=" },
	{ USUAL "93 21 0:60 / /home ro - tmpfs tmpfs ro\n", "/home/m/submit", "ProtectHome=tmpfs" },
};

static void hidden_by(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[2048];

		(void)snprintf(text, sizeof(text), "%s", cases[i].mounts);
		const char *got = service_hidden_by(text, cases[i].path);

		if (!got != !cases[i].wanted || (got && strcmp(got, cases[i].wanted) != 0))
			fail_msg("case %zu: %s, not %s", i, got ? got : "nothing",
				 cases[i].wanted ? cases[i].wanted : "nothing");
	}
}

static void explained(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, FAULT_SOCKET_MISSING, "x");
	assert_int_equal(service_explain("/nonexistent/submit", &err), -1);
	assert_non_null(strstr(err.text, "x: the service is not running: as root '"));
	assert_non_null(strstr(err.text, service_manager()->start));
	assert_int_equal(err.exit, EX_TEMPFAIL);
	error_set(&err, FAULT_CONNECT_DENIED, "x");
	assert_int_equal(service_explain("/nonexistent/submit", &err), -1);
	assert_non_null(strstr(err.text, "namei -l /nonexistent/submit"));
	error_set(&err, FAULT_CONNECT_TIMEOUT, "x");
	assert_int_equal(service_explain("/nonexistent/submit", &err), -1);
	assert_string_equal(err.text, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hidden_by),
		cmocka_unit_test(explained),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
