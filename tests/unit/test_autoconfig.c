#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "setup/discover.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xml.h"

static const struct found_address who = {
	.address = "joe.doe@example.org", .local = "joe.doe", .domain = "example.org"
};

static struct arena *arena;
static struct found_server found[AUTOCONFIG_SERVERS];
static size_t found_n;
static struct strbuf note, text;
static struct error failure;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	found_n = 0;
	strbuf_init(&note, 4096);
	strbuf_init(&text, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	strbuf_release(&note);
	strbuf_release(&text);
	return 0;
}

static void need_library(void)
{
	if (xml_load(&failure) < 0)
		skip();
}

static int read_document(const char *inside)
{
	need_library();
	strbuf_reset(&text);
	strbuf_reset(&note);
	found_n = 99;
	strbuf_addf(&text, "<clientConfig version=\"1.1\">%s</clientConfig>", inside);
	return autoconfig_read(text.buf, text.len, arena, &who, "here", found, &found_n, &note,
			       &failure);
}

static void good(const char *inside)
{
	if (read_document(inside) < 0)
		fail_msg("%s: %s", inside, failure.text);
}

#define PROVIDER(s) "<emailProvider id='x'>" s "</emailProvider>"
#define SERVER(s) "<outgoingServer type='smtp'>" s "</outgoingServer>"
#define HOST "<hostname>smtp.example.net</hostname>"
#define P465 "<port>465</port><socketType>SSL</socketType>"
#define AUTH(s) "<authentication>" s "</authentication>"

static void servers_are_read(void **state)
{
	(void)state;
	good(PROVIDER("<domain>example.org</domain>"
		      SERVER(HOST P465 "<username>%EMAILLOCALPART%</username>"
			     AUTH("password-cleartext"))
		      SERVER(HOST "<port> 587\n</port><socketType>starttls</socketType>"
			     AUTH("OAuth2") "<new><port>1</port></new>")));
	assert_int_equal(found_n, 2);
	assert_string_equal(found[0].host, "smtp.example.net");
	assert_int_equal(found[0].port, 465);
	assert_int_equal(found[0].mode, TLS_IMPLICIT);
	assert_int_equal(found[0].auth, FOUND_AUTH_PASSWORD);
	assert_string_equal(found[0].user, "joe.doe");
	assert_string_equal(found[0].source, "here");
	assert_false(found[0].unproven);
	assert_int_equal(found[1].port, 587);
	assert_int_equal(found[1].mode, TLS_STARTTLS);
	assert_int_equal(found[1].auth, FOUND_AUTH_OAUTH2);
	assert_null(found[1].user);
	assert_string_equal(note.buf, "");
}

static void passwords_go_before_tokens(void **state)
{
	static const struct {
		const char *auth;
		size_t n;
		enum found_auth want;
	} cases[] = {
		{ "", 1, FOUND_AUTH_PASSWORD },
		{ AUTH("OAuth2") AUTH("password-cleartext"), 1, FOUND_AUTH_PASSWORD },
		{ AUTH("password-encrypted"), 1, FOUND_AUTH_PASSWORD },
		{ AUTH("plain"), 1, FOUND_AUTH_PASSWORD },
		{ AUTH("secure"), 1, FOUND_AUTH_PASSWORD },
		{ AUTH("OAuth2"), 1, FOUND_AUTH_OAUTH2 },
		{ AUTH("GSSAPI") AUTH("OAuth2"), 1, FOUND_AUTH_OAUTH2 },
		{ AUTH("GSSAPI"), 0, 0 }, { AUTH("none"), 0, 0 }, { AUTH(""), 0, 0 },
		{ AUTH("TLS-client-cert") AUTH("client-IP-address"), 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char inside[600];

		snprintf(inside, sizeof(inside), PROVIDER(SERVER(HOST P465 "%s")), cases[i].auth);
		good(inside);
		assert_int_equal(found_n, cases[i].n);
		if (found_n)
			assert_int_equal(found[0].auth, cases[i].want);
	}
}

static void servers_of_no_use_are_named(void **state)
{
	static const struct {
		const char *server, *note;
	} cases[] = {
		{ P465, "?:465: no host name" },
		{ "<hostname></hostname>" P465, "no host name" },
		{ "<hostname>a b</hostname>" P465, "no host name" },
		{ "<hostname>-x</hostname>" P465, "no host name" },
		{ "<hostname>[::1]</hostname>" P465, "no host name" },
		{ "<hostname>a/../b</hostname>" P465, "no host name" },
		{ "<hostname>a:465</hostname>" P465, "no host name" },
		{ "<hostname>%REALNAME%.net</hostname>" P465, "no host name" },
		{ HOST "<socketType>SSL</socketType>", "smtp.example.net:0: no port" },
		{ HOST "<port>0</port><socketType>SSL</socketType>", "no port" },
		{ HOST "<port>65536</port><socketType>SSL</socketType>", "no port" },
		{ HOST "<port>-1</port><socketType>SSL</socketType>", "no port" },
		{ HOST "<port>4 65</port><socketType>SSL</socketType>", "no port" },
		{ HOST "<port>000465</port><socketType>SSL</socketType>", "no port" },
		{ HOST "<port>25</port>", "no TLS" },
		{ HOST "<port>25</port><socketType>plain</socketType>", "no TLS" },
		{ HOST "<port>25</port><socketType>tls</socketType>", "no TLS" },
		{ HOST P465 "<username>%EMAILX%</username>", "only you know" },
		{ HOST P465 "<username></username>", "is none" },
		{ HOST P465 "<username>a&#10;b</username>", "is none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char inside[600];

		snprintf(inside, sizeof(inside), PROVIDER(SERVER("%s")), cases[i].server);
		good(inside);
		assert_int_equal(found_n, 0);
		if (!strstr(note.buf, cases[i].note))
			fail_msg("'%s': '%s'", cases[i].server, note.buf);
	}
}

static void only_outgoing_servers_of_the_first_provider_count(void **state)
{
	static const char *const none[] = {
		"", PROVIDER(""), SERVER(HOST P465), "<x>" SERVER(HOST P465) "</x>",
		PROVIDER("<incomingServer type='imap'>" HOST P465 "</incomingServer>"),
		PROVIDER("<outgoingServer>" HOST P465 "</outgoingServer>"),
		PROVIDER("<outgoingServer type='exchange'>" HOST P465 "</outgoingServer>"),
		PROVIDER("<x>" SERVER(HOST P465) "</x>"),
		PROVIDER("") PROVIDER(SERVER(HOST P465)),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		good(none[i]);
		assert_int_equal(found_n, 0);
	}
	good(PROVIDER(SERVER(HOST P465)) PROVIDER(SERVER(HOST P465)));
	assert_int_equal(found_n, 1);
	/* what a server lacks is not the one's before it */
	good(PROVIDER(SERVER(HOST P465) SERVER("<port>587</port>")));
	assert_int_equal(found_n, 1);
}

static void there_is_an_end_to_servers(void **state)
{
	struct strbuf inside = STRBUF_INIT(1 << 16);

	(void)state;
	strbuf_addstr(&inside, "<emailProvider>");
	for (int i = 0; i < AUTOCONFIG_SERVERS + 2; i++)
		strbuf_addstr(&inside, SERVER(HOST P465));
	strbuf_addstr(&inside, "</emailProvider>");
	good(inside.buf);
	assert_int_equal(found_n, AUTOCONFIG_SERVERS);
	assert_non_null(strstr(note.buf, "one too many"));
	strbuf_release(&inside);
}

static void other_documents_are_refused(void **state)
{
	static const char *const bad[] = { "<config/>", "<html/>", "<clientconfig/>", "" };

	(void)state;
	need_library();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(autoconfig_read(bad[i], strlen(bad[i]), arena, &who, "here", found,
						 &found_n, &note, &failure), -1);
		assert_int_equal(failure.exit, EX_DATAERR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(servers_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(passwords_go_before_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(servers_of_no_use_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(only_outgoing_servers_of_the_first_provider_count,
						setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_an_end_to_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(other_documents_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
