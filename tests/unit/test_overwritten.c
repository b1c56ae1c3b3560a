#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/accounts.h"
#include "conf_scratch.h"
#include "import/import.h"
#include "net/proxy.h"
#include "secrets/credentials.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "smtp/auth/mechanism.h"
#include "smtp_peer.h"
#include "util/secret.h"

/*
 * Secrets are overwritten before their memory is given back, wherever they
 * have been. The function that does it is replaced by one that looks first.
 */

#define PASSWORD "correct-horse-battery-staple"

static const struct deadline soon = { .seconds = 30, .what = "the peer" };
static const char *watched = PASSWORD;
static unsigned times;		/* that memory which held it was overwritten */
static struct error failure;

void __explicit_bzero_chk(void *memory, size_t n, size_t room);

/* What is called where the library knows the size of buffers. */
void __explicit_bzero_chk(void *memory, size_t n, size_t room)
{
	/* the compiler knows of the real one that it only writes */
	const void *volatile before = memory;

	(void)room;
	if (memmem(before, n, watched, strlen(watched)))
		times++;
	memset(memory, 0, n);
	__asm__ volatile("" : : "r"(memory) : "memory");
}

void explicit_bzero(void *memory, size_t n)
{
	__explicit_bzero_chk(memory, n, n);
}

static void watch(const char *text)
{
	watched = text;
	times = 0;
}

static int setup(void **state)
{
	failure = (struct error){ .exit = 0 };
	watch(PASSWORD);
	return scratch_setup(state);
}

static void buffers(void **state)
{
	struct strbuf b = STRBUF_INIT(1000);
	struct secret s = { .data = NULL };

	(void)state;
	strbuf_addstr(&b, PASSWORD);
	strbuf_release_secret(&b);
	assert_int_equal(times, 1);
	strbuf_release_secret(&b);
	assert_int_equal(times, 1);
	times = 0;
	secret_set(&s, PASSWORD, strlen(PASSWORD));
	secret_set(&s, PASSWORD, strlen(PASSWORD));
	assert_int_equal(times, 1);
	secret_release(&s);
	assert_int_equal(times, 2);
}

/* One that is marked leaves nothing where it was before it grew, however it is released. */
static void grown_buffers(void **state)
{
	struct strbuf b = STRBUF_SECRET(10000);

	(void)state;
	strbuf_addstr(&b, PASSWORD);
	for (unsigned i = 1; i <= 3; i++) {
		const size_t alloc = b.alloc;

		while (b.alloc == alloc)
			strbuf_addch(&b, 'x');
		assert_int_equal(times, i);
		assert_memory_equal(b.buf, PASSWORD, strlen(PASSWORD));
		assert_int_equal(strlen(b.buf), b.len);
	}
	strbuf_release(&b);
	assert_int_equal(times, 4);
	strbuf_addstr(&b, PASSWORD);	/* and still when it is used again */
	strbuf_release(&b);
	assert_int_equal(times, 5);
}

/* Both the line and the buffer of the connection. */
static void commands(void **state)
{
	struct strbuf written = STRBUF_INIT(10000);
	struct wire *w = wire_new_take(memory_new(&written));

	(void)state;
	assert_int_equal(command_send_secret(w, "AUTH PLAIN ", PASSWORD, strlen(PASSWORD), &soon,
					     &failure), 0);
	assert_int_equal(times, 1);
	assert_int_equal(wire_flush(w, &soon, &failure), 0);
	assert_int_equal(times, 2);
	assert_non_null(strstr(written.buf, PASSWORD));
	/* what was never sent is no less a secret */
	assert_int_equal(wire_put(w, PASSWORD, strlen(PASSWORD), "[hidden]", &soon, &failure), 0);
	wire_free(w);
	assert_int_equal(times, 3);
	strbuf_release(&written);
}

static void proxies(void **state)
{
	struct strbuf written = STRBUF_INIT(10000);
	struct secret password = { .data = NULL };
	struct proxy_request r = { .host = "mail.example.org", .port = 465, .user = "joe",
				  .password = &password };
	static const char *const texts[] = {
		"joe:" PASSWORD,
		/* the same in base64, in the request */
		"am9lOmNvcnJlY3QtaG9yc2UtYmF0dGVyeS1zdGFwbGU=",
	};

	(void)state;
	secret_set(&password, PASSWORD, strlen(PASSWORD));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct stream *s = memory_new(&written);

		memory_say(s, "HTTP/1.1 200 OK\r\n\r\n");
		watch(texts[i]);
		assert_int_equal(proxy_connect(PROXY_HTTP, s, &r, &soon, &failure), 0);
		assert_int_equal(times, 1);
		stream_free(s);
	}
	secret_release(&password);
	strbuf_release(&written);
}

/* Also those of a file that are somebody else's: the piece that was read, and the whole. */
static void files(void **state)
{
	struct secret out = { .data = NULL };
	bool found = false;
	const char *path = scratch_file("netrc", "machine h login other password " PASSWORD "\n"
					"machine h login u password p\n", 0600);

	(void)state;
	assert_int_equal(netrc_password(path, true, "h", "u", &out, &found, &failure), 0);
	assert_string_equal(out.data, "p");
	assert_int_equal(times, 3);	/* and the entry that was not ours */
	secret_release(&out);
}

static void from(struct account *a)
{
	struct secret out = { .data = NULL };

	times = 0;
	if (credentials_password(a, false, &out, &failure) < 0)
		fail_msg("%s", failure.text);
	assert_int_equal(times, 2);	/* the piece that was read, and the whole */
	secret_release(&out);
	assert_int_equal(times, 3);
}

static void sources(void **state)
{
	static const char *const command[] = { "echo", PASSWORD, NULL };
	struct account a = { .name = "work", .host = "h", .auth = { .user = "joe",
			     .password_fd = -1, .password_command = command,
			     .command_timeout = 60 } };

	(void)state;
	from(&a);
	a.auth.password_command = NULL;
	a.auth.password_file = scratch_file("password", PASSWORD "\n", 0600);
	from(&a);
}

/* "abcd efgh ..." without its blanks: what stands behind the new end goes too. */
static void shortened(void **state)
{
	struct account a = { .name = "work", .host = "smtp.gmail.com", .auth = { .user = "joe",
			     .password_fd = -1, .strip_spaces = STRIP_SPACES_AUTO } };
	struct secret out = { .data = NULL };

	(void)state;
	secret_set(&a.auth.password, "abcd efgh ijkl mnop", 19);
	watch("nop");
	assert_int_equal(credentials_password(&a, false, &out, &failure), 0);
	assert_string_equal(out.data, "abcdefghijklmnop");
	assert_int_equal(times, 1);
	secret_release(&out);
	secret_release(&a.auth.password);
}

/* The text of the file, as soon as there is an account that has it; and the account. */
static void configurations(void **state)
{
	static const struct {
		const char *text;
		unsigned accounts;
	} table[] = {
		{ "[account default]\nhost = h\npassword = " PASSWORD "\n", 1 },
		{ "[account default]\nhost = h\npassword = \"a\\\"" PASSWORD "\"\n", 1 },
		{ "[defaults]\npassword = " PASSWORD "\n[account a]\nhost = h\n"
		  "[account b : a]\nport = 26\n", 3 },
		{ "account default\nhost h\npassword \"" PASSWORD "\"\n", 1 },
	};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		times = 0;
		assert_int_equal(config_load_text("made", table[i].text, strlen(table[i].text), &c,
						  &failure), 0);
		assert_true(times >= 1);
		assert_string_equal(config_nth(c, 0)->auth.password.data +
				    (i == 1 ? strlen("a\"") : 0), PASSWORD);
		times = 0;
		config_free(c);
		assert_int_equal(times, table[i].accounts);
	}
}

static void imports(void **state)
{
	struct import_result result;
	const struct import_request req = { .path = scratch_file("msmtprc", "account default\n"
					    "host h\npassword " PASSWORD "\n", 0600),
					    .folder = "/F" };

	(void)state;
	assert_int_equal(import_read(&req, &result, &failure), 0);
	times = 0;
	import_release(&result);
	assert_true(times >= 2);
	assert_null(strstr(failure.text, PASSWORD));
}

/* libgsasl's answer, our copy of it, the password itself; both of them for the veil. */
static void signing_in(void **state)
{
	struct peer *p = peer_new();
	unsigned before;

	(void)state;
	p->account.auth.user = "user";
	p->account.auth.plaintext = AUTH_PLAINTEXT_ALWAYS;
	p->password = PASSWORD;
	script(p, "S: 220 hi", "C: EHLO client.example.org\r\n", "S: 250-mx\n250 AUTH PLAIN",
	       "C: AUTH PLAIN ", "S: 235 2.7.0 ok");
	before = times;
	if (peer_open(p) < 0)
		fail_msg("%s", p->err.text);
	assert_true(p->session.authenticated);
	assert_int_equal(times - before, 5);
	peer_free(p);
}

static void sign_in_of_others(void **state)
{
	struct auth_login login = { 0 };
	struct strbuf text = STRBUF_INIT(1000);
	const char *path = scratch_file("users", "joe:{PLAIN}" PASSWORD "\n", 0600);

	(void)state;
	strbuf_add(&text, "\0joe\0" PASSWORD, 5 + strlen(PASSWORD));
	assert_int_equal(auth_parse_plain(&text, &login, &failure), 0);
	times = 0;
	assert_int_equal(auth_check(path, &login, &failure), 0);
	assert_int_equal(times, 2);	/* the piece that was read, and the whole */
	auth_login_release(&login);
	assert_int_equal(times, 3);
	strbuf_release(&text);
}

/* A line with a password that is too long to be looked at. */
static void lines_of_clients(void **state)
{
	const struct server_options options = { .set.auth_file = "/nowhere",
						.set.auth_plain_loopback = true };
	struct strbuf written = STRBUF_INIT(100000), said = STRBUF_INIT(100000);
	struct stream *s = memory_new(&written);
	static const struct delivery_ops none;
	struct delivery nowhere = { .ops = &none };
	struct smtpd session;

	(void)state;
	strbuf_addstr(&said, "EHLO c\r\nAUTH PLAIN " PASSWORD);
	while (said.len < SMTPD_AUTH_LINE_MAX + 100)
		strbuf_addch(&said, 'A');
	strbuf_addstr(&said, "\r\n");
	memory_say(s, said.buf);
	memory_end(s);
	smtpd_init_take(&session, &options, wire_new_take(s), &nowhere, "127.0.0.1");
	(void)!smtpd_run(&session, &failure);
	assert_non_null(strstr(written.buf, "500 5.5.6"));
	times = 0;
	smtpd_release(&session);
	assert_int_equal(times, 1);
	strbuf_release(&written);
	strbuf_release(&said);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buffers, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(grown_buffers, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(commands, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(proxies, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(files, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(sources, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(shortened, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(configurations, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(imports, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(signing_in, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(sign_in_of_others, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(lines_of_clients, setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
