#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/smtpd.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"

#define SHA512 "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5kn" \
	"V8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"
#define SHA256 "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"
#define BLF "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
#define YES "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01"

static const char text[] =
	"# users of the tests\n"
	"\n"
	"bare:" SHA512 "\n"
	"sha512:{SHA512-CRYPT}" SHA512 "\n"
	"sha256:{SHA256-CRYPT}" SHA256 "\n"
	"blf:{BLF-CRYPT}" BLF "\n"
	"crypt:{crypt}" YES "\n"
	"des:{CRYPT}abNANd1rDfiNc\n"
	"passwd:" SHA512 ":1000:1000::/home/x:/bin/sh\n"
	"plain:{PLAIN}secret\n"
	"colon:{plain}se:cret\n"
	"crlf:{PLAIN}secret\r\n"
	"umlaut:{SHA512-CRYPT}$6$rounds=1000$x$.zeaToU/B50nxlzklljjBgMM014UOhX9eVsa19o.uZZ2KYqSNX"
	"siLOV5KqHQleguPC67RAAGwYlvc/VtE6DRf/\n"
	"twice:{PLAIN}first\n"
	"twice:{PLAIN}second\n"
	"wrongkind:{SHA256-CRYPT}" SHA512 "\n"
	"unknown:{ROT13}frperg\n"
	"open:{PLAIN\n"
	"empty:\n"
	"emptyplain:{PLAIN}\n"
	"emptycrypt:{CRYPT}\n"
	"star0:*0\n"
	"star1:*1\n"
	"locked:!\n"
	"salt:$6$saltsalt$\n"
	"short:ab\n"
	"#hash:{PLAIN}secret\n"
	"user@example.org:{PLAIN}secret\n"
	"joel:{PLAIN}other\n"
	"joe:{PLAIN}secret\n"
	"last:{PLAIN}secret";

static char path[64];

static void write_file(const char *content, size_t n, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/msubmit-auth-XXXXXX");
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	close(fd);
	write_file(text, sizeof(text) - 1, 0600);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static int check_octets(const char *user, const char *password, size_t len, struct error *err)
{
	struct auth_login login = { 0 };

	secret_set(&login.user, user, strlen(user));
	secret_set(&login.password, password, len);
	int rc = auth_check(path, &login, err);

	auth_login_release(&login);
	assert_false(secret_is_set(&login.user));
	assert_false(secret_is_set(&login.password));
	return rc;
}

static int check(const char *user, const char *password, struct error *err)
{
	return check_octets(user, password, strlen(password), err);
}

enum verdict { ACCEPTED, REFUSED, FAULT };

static const struct {
	const char *user, *password;
	enum verdict verdict;
} cases[] = {
	{ "bare", "secret", ACCEPTED },
	{ "bare", "secreT", REFUSED },
	{ "bare", "secre", REFUSED },
	{ "bare", "secret ", REFUSED },
	{ "bare", SHA512, REFUSED },
	{ "sha512", "secret", ACCEPTED },
	{ "sha512", "", REFUSED },
	{ "sha256", "secret", ACCEPTED },
	{ "sha256", "x", REFUSED },
	{ "blf", "secret", ACCEPTED },
	{ "blf", "x", REFUSED },
	{ "crypt", "secret", ACCEPTED },
	{ "crypt", "x", REFUSED },
	{ "des", "secret", ACCEPTED },
	{ "des", "Secret", REFUSED },
	{ "passwd", "secret", ACCEPTED },
	{ "plain", "secret", ACCEPTED },
	{ "plain", "secretx", REFUSED },
	{ "plain", "secre", REFUSED },
	{ "plain", "s", REFUSED },
	{ "plain", "", REFUSED },
	{ "colon", "se:cret", ACCEPTED },
	{ "colon", "se", REFUSED },
	{ "crlf", "secret", ACCEPTED },
	{ "umlaut", "p\xc3\xa4ssw\xc3\xb6rd", ACCEPTED },
	{ "twice", "first", ACCEPTED },
	{ "twice", "second", REFUSED },
	{ "wrongkind", "secret", FAULT },
	{ "unknown", "secret", FAULT },
	{ "open", "{PLAIN", REFUSED },
	{ "empty", "", REFUSED },
	{ "empty", "x", REFUSED },
	{ "emptyplain", "", REFUSED },
	{ "emptycrypt", "", REFUSED },
	{ "star0", "x", REFUSED },
	{ "star1", "x", REFUSED },
	{ "locked", "x", REFUSED },
	{ "locked", "", REFUSED },
	{ "salt", "secret", REFUSED },
	{ "short", "secret", REFUSED },
	{ "#hash", "secret", REFUSED },
	{ "hash", "secret", REFUSED },
	{ "# users of the tests", "x", REFUSED },
	{ "user@example.org", "secret", ACCEPTED },
	{ "joe", "secret", ACCEPTED },
	{ "joe", "other", REFUSED },
	{ "joel", "other", ACCEPTED },
	{ "last", "secret", ACCEPTED },
	{ "las", "secret", REFUSED },
	{ "lastt", "secret", REFUSED },
	{ "LAST", "secret", REFUSED },
	{ "plain:{PLAIN}secret\ncolon", "x", REFUSED },
	{ "nobody", "secret", REFUSED },
	{ "msubmit.nobody", "", REFUSED },
};

static void test_passwords(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = { 0 };
		int rc = check(cases[i].user, cases[i].password, &err);
		enum verdict verdict = rc == 0 ? ACCEPTED : err.exit == EX_NOPERM ? REFUSED : FAULT;

		if (verdict != cases[i].verdict)
			fail_msg("user '%s', password '%s': %s", cases[i].user, cases[i].password,
				 err.text);
		if (verdict == REFUSED) {
			assert_int_equal(err.reply, 535);
			assert_string_equal(err.status, "5.7.8");
		}
		assert_null(strstr(err.text, "secret"));
	}
}

/* The time of crypt(3) grows with the password; libcrypt refuses above 512. */
static void test_long_passwords(void **state)
{
	char password[600];
	struct error err;

	(void)state;
	memset(password, 'x', sizeof(password));
	assert_int_equal(check_octets("bare", password, 600, &err), -1);
	assert_int_equal(err.exit, EX_NOPERM);
	assert_int_equal(check_octets("plain", password, 600, &err), -1);
	assert_int_equal(err.exit, EX_NOPERM);
}

static void test_file_faults(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(auth_check_file(path, &err), 0);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(auth_check_file(path, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(check("plain", "secret", &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check("plain", "secret", &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_int_equal(auth_check_file(path, &err), -1);
	setup(state);
}

static void test_odd_files(void **state)
{
	struct error err;

	(void)state;
	write_file("", 0, 0600);
	assert_int_equal(auth_check_file(path, &err), 0);
	assert_int_equal(check("plain", "secret", &err), -1);
	assert_int_equal(err.exit, EX_NOPERM);
	write_file("\n", 1, 0600);
	assert_int_equal(check("plain", "secret", &err), -1);
	write_file("plain", 5, 0600);
	assert_int_equal(check("plain", "secret", &err), -1);
	write_file("plain:", 6, 0600);
	assert_int_equal(check("plain", "secret", &err), -1);
	write_file("\r", 1, 0600);
	assert_int_equal(check("plain", "secret", &err), -1);
	/* a NUL ends the hash, and does not hide the lines behind it */
	write_file("a:{PLAIN}x\0y\nb:{PLAIN}z\n", 24, 0600);
	assert_int_equal(check("b", "z", &err), 0);
	assert_int_equal(check_octets("a", "x\0y", 3, &err), -1);
	unlink(path);
	setup(state);
}

#define S(literal) literal, sizeof(literal) - 1

static const struct {
	const char *message;
	size_t len;
	const char *user, *password;	/* NULL: refused */
	int reply;
} plain_cases[] = {
	{ S("\0joe\0secret"), "joe", "secret", 0 },
	{ S("joe\0joe\0secret"), "joe", "secret", 0 },
	{ S("\0joe\0s"), "joe", "s", 0 },
	{ S("ann\0joe\0secret"), NULL, NULL, 535 },
	{ S("jo\0joe\0secret"), NULL, NULL, 535 },
	{ S("joex\0joe\0secret"), NULL, NULL, 535 },
	{ S(""), NULL, NULL, 501 },
	{ S("\0"), NULL, NULL, 501 },
	{ S("\0\0"), NULL, NULL, 501 },
	{ S("joe"), NULL, NULL, 501 },
	{ S("\0joe"), NULL, NULL, 501 },
	{ S("\0joe\0"), NULL, NULL, 501 },
	{ S("\0\0secret"), NULL, NULL, 501 },
	{ S("\0joe\0sec\0ret"), NULL, NULL, 501 },
	{ S("\0joe\0secret\0"), NULL, NULL, 501 },
	{ S("a\0b\0c\0d"), NULL, NULL, 501 },
};

static void test_parse_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain_cases); i++) {
		struct strbuf message = STRBUF_INIT(1000);
		struct auth_login login = { 0 };
		struct error err = { 0 };

		strbuf_add(&message, plain_cases[i].message, plain_cases[i].len);
		int rc = auth_parse_plain(&message, &login, &err);

		assert_int_equal(rc, plain_cases[i].user ? 0 : -1);
		assert_int_equal(err.reply, plain_cases[i].reply);
		if (rc == 0) {
			assert_string_equal(login.user.data, plain_cases[i].user);
			assert_string_equal(login.password.data, plain_cases[i].password);
		} else {
			assert_false(secret_is_set(&login.user));
			assert_string_equal(err.status,
					    plain_cases[i].reply == 535 ? "5.7.8" : "5.5.2");
		}
		auth_login_release(&login);
		strbuf_release(&message);
	}
}

static int parse_name_of(size_t n)
{
	struct strbuf message = STRBUF_INIT(1000);
	struct auth_login login = { 0 };
	struct error err;

	strbuf_addch(&message, '\0');
	for (size_t i = 0; i < n; i++)
		strbuf_addch(&message, 'u');
	strbuf_add(&message, "\0p", 2);
	int plain = auth_parse_plain(&message, &login, &err);

	strbuf_truncate(&message, n + 1);
	strbuf_consume(&message, 1);
	assert_int_equal(auth_set_user(&login, &message, &err), plain);
	auth_login_release(&login);
	strbuf_release(&message);
	return plain;
}

static void test_name_limit(void **state)
{
	(void)state;
	assert_int_equal(parse_name_of(0), -1);
	assert_int_equal(parse_name_of(1), 0);
	assert_int_equal(parse_name_of(AUTH_NAME_MAX - 1), 0);
	assert_int_equal(parse_name_of(AUTH_NAME_MAX), 0);
	assert_int_equal(parse_name_of(AUTH_NAME_MAX + 1), -1);
}

static void test_set_fields(void **state)
{
	struct strbuf field = STRBUF_INIT(100);
	struct auth_login login = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(auth_set_user(&login, &field, &err), -1);
	assert_int_equal(auth_set_password(&login, &field, &err), -1);
	assert_int_equal(err.reply, 501);
	strbuf_add(&field, "a\0b", 3);
	assert_int_equal(auth_set_user(&login, &field, &err), -1);
	assert_int_equal(auth_set_password(&login, &field, &err), -1);
	strbuf_truncate(&field, 1);
	assert_int_equal(auth_set_user(&login, &field, &err), 0);
	assert_int_equal(auth_set_password(&login, &field, &err), 0);
	assert_string_equal(login.user.data, "a");
	assert_string_equal(login.password.data, "a");
	auth_login_release(&login);
	strbuf_release(&field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_long_passwords),
		cmocka_unit_test(test_file_faults),
		cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_parse_plain),
		cmocka_unit_test(test_name_limit),
		cmocka_unit_test(test_set_fields),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
