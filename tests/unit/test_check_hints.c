#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "check/check_private.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/error.h"

static const struct tls_facts certificate = {
	.pin = "spki-sha256:PIN=", .names = "a.example, b.example", .first_name = "a.example",
};
static const struct tls_facts nameless = { .pin = "spki-sha256:PIN=", .names = "" };

/* One failure, and what the advice must hold; NULL: there is none. */
struct one {
	const char *step;
	enum fault fault;
	int reply;
	struct hint_query facts;	/* the rest of the question */
	const char *wanted;
};

static const struct one cases[] = {
	/* connection */
	{ "connect", FAULT_CONNECT_REFUSED, 0,
	  { .port = 587 }, "nothing listens on port 587" },
	{ "connect", FAULT_CONNECT_REFUSED, 0,
	  { .port = 25 }, "port = 587" },
	{ "connect", FAULT_CONNECT_TIMEOUT, 0,
	  { .port = 25 }, "port 25 is blocked" },
	{ "connect", FAULT_CONNECT_TIMEOUT, 0,
	  { .port = 465 }, "firewall" },
	{ "connect", FAULT_NET_UNREACHABLE, 0,
	  { .address = "2001:db8::7" }, "ip route get 2001:db8::7" },
	{ "connect", FAULT_HOST_UNREACHABLE, 0,
	  { .host = "h" }, "ip route get h" },
	{ "connect", FAULT_CONNECT_DENIED, 0,
	  { .local = true }, "namei -l" },
	{ "connect", FAULT_CONNECT_REFUSED, 0,
	  { .local = true }, "nobody listens on the socket" },
	{ "connect", FAULT_SOCKET_MISSING, 0,
	  { .local = true, .service = true }, "msubmit --configure ADDRESS" },
	{ "sender", FAULT_USER_NOT_ALLOWED, 550,
	  { .local = true, .service = true }, "allow_users" },
	{ "connect", FAULT_SOURCE_ADDRESS, 0, { .port = 587 }, "source_ip" },
	{ "connect", FAULT_CONNECT_REFUSED, 0,
	  { .host = "h", .port = 587, .proxied = true }, "no_proxy = h" },
	/* names */
	{ "dns", FAULT_NO_HOST, 0, { .host = "h" }, "getent ahosts h" },
	{ "dns", FAULT_DNS, 0, { .host = "h" }, "resolv.conf" },
	{ "dns", FAULT_NO_SRV, 0, { 0 }, "host = NAME" },
	/* greeting, EHLO, STARTTLS */
	{ "greeting", FAULT_TLS_SPOKEN, 0, { 0 }, "tls = implicit" },
	{ "greeting", FAULT_NOT_SMTP, 0,
	  { .port = 80 }, "answers on port 80" },
	{ "greeting", FAULT_TIMEOUT, 0,
	  { .port = 465 }, "tls = implicit" },
	{ "greeting", FAULT_TIMEOUT, 0,
	  { .port = 587 }, "says nothing" },
	{ "greeting", FAULT_SERVER_CLOSES, 421, { 0 }, "try later" },
	{ "greeting", FAULT_SERVER_REFUSED, 554, { 0 }, "port 587" },
	{ "ehlo", FAULT_NAME_REFUSED, 550, { 0 }, "set 'domain'" },
	{ "starttls", FAULT_NO_STARTTLS, 0, { 0 }, "port = 465" },
	{ "starttls", FAULT_STARTTLS_LATER, 454, { 0 }, "its log" },
	/* TLS */
	{ "tls", FAULT_SMTP_SPOKEN, 0,
	  { .port = 587 }, "set 'tls = starttls'" },
	{ "tls", FAULT_TLS_VERSION, 0, { 0 },
	  "out of date" },
	{ "tls", FAULT_OUR_CERTIFICATE_WANTED, 0, { 0 }, "tls_cert_file" },
	{ "tls", FAULT_TRUST_FILE, 0, { 0 }, "ca-certificates" },
	/* certificate: every reason has its advice */
	{ "certificate", FAULT_CERTIFICATE_SELF_SIGNED, 0,
	  { .tls = &certificate }, "\ntls_pin = spki-sha256:PIN=\n" },
	{ "certificate", FAULT_CERTIFICATE_CA, 0,
	  { .tls = &certificate }, "update-ca-certificates" },
	{ "certificate", FAULT_CERTIFICATE_EXPIRED, 0, { .host = "h", .tls = &certificate },
	  "must renew it" },
	{ "certificate", FAULT_CERTIFICATE_NAME, 0, { .host = "h", .tls = &certificate },
	  "\ntls_host_override = a.example" },
	{ "certificate", FAULT_CERTIFICATE_NAME, 0,
	  { .tls = &nameless }, "no name that counts" },
	{ "certificate", FAULT_CERTIFICATE_NOT_YET, 0, { 0 },
	  "timedatectl" },
	{ "certificate", FAULT_CERTIFICATE_PIN, 0, { .tls = &certificate },
	  "confirms the new key" },
	{ "certificate", FAULT_CERTIFICATE_DANE, 0, { 0 },
	  "tls_dane = off" },
	/* sign-in */
	{ "sign-in", FAULT_PASSWORD_REFUSED, 535,
	  { .host = "smtp.gmail.com", .user = "joe@gmail.com" }, "app password" },
	{ "sign-in", FAULT_OAUTH_WANTED, 535,
	  { .user = "joe@example.org" }, "XOAUTH2" },
	{ "sign-in", FAULT_PASSWORD_REFUSED, 535, { .host = "smtp.office365.com" },
	  "Microsoft" },
	{ "sign-in", FAULT_PASSWORD_REFUSED, 535, { .host = "notgmail.com",
	  .user = "joe@example.org" }, "'joe@example.org' or its password is wrong" },
	{ "sign-in", FAULT_PASSWORD_REFUSED, 535, { .user = "joe" }, "whole mail address" },
	{ "sign-in", FAULT_MECHANISM_WEAK, 534, { .user = "joe" }, "auth_mechanisms" },
	{ "sign-in", FAULT_AUTH_LATER, 454, { 0 }, "try later" },
	{ "sign-in", FAULT_NO_AUTH, 0,
	  { .port = 25 }, "port = 587" },
	{ "sign-in", FAULT_NO_AUTH_IN_CLEAR, 0, { .port = 587 }, "tls = starttls" },
	{ "sign-in", FAULT_PASSWORD_REFUSED, 535,
	  { .host = "mail.example.org", .server_name = "smtp.gmail.com" }, "app password" },
	{ "sign-in", FAULT_APP_PASSWORD_WANTED, 535, { .user = "joe@example.org" },
	  "a password for this program" },
	{ "sign-in", FAULT_BROWSER_WANTED, 534, { .host = "smtp.gmail.com", .user = "joe@x" },
	  "sign in as 'joe@x' by the browser" },
	{ "sign-in", FAULT_NO_MECHANISM, 0, { 0 }, "auth_minimum" },
	/* envelope */
	{ "sender", FAULT_SIGN_IN_WANTED, 530, { 0 }, "set 'user'" },
	{ "sender", FAULT_SENDER_REFUSED, 550,
	  { .signed_in = true, .sender = "s@x", .user = "u" }, "'s@x' is no address that 'u'" },
	{ "sender", FAULT_SENDER_REFUSED, 550, { .sender = "" }, "mail from '<>'" },
	{ "recipient", FAULT_RELAY_DENIED, 554, { 0 }, "sign in" },
	{ "recipient", FAULT_RELAY_DENIED, 554,
	  { .signed_in = true, .to = "t@x", .user = "u" }, "not meant as a smarthost" },
	{ "recipient", FAULT_RECIPIENT_UNKNOWN, 550, { .to = "t@x" }, "'t@x'" },
	{ "recipient", FAULT_GREYLISTED, 450, { 0 }, "greylisting" },
	/* this host */
	{ "secret", FAULT_SECRET_MODE, 0, { 0 }, "run the command above" },
	{ "secret", FAULT_FILE_CONFINED, 0, { 0 }, "journalctl" },
	{ "secret", FAULT_COMMAND_FAILED, 0, { 0 },
	  "by hand" },
	{ "config", FAULT_CONFIG, 0, { 0 }, "--check-config" },
	/* everywhere, and nowhere */
	{ "recipient", FAULT_SERVER_CLOSES, 421, { 0 }, "try later" },
	{ "ehlo", FAULT_CONNECTION_LOST, 0, { 0 }, "its log" },
	{ "ehlo", FAULT_BUG, 0, { 0 }, NULL },
};

static void advice_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct one *c = &cases[i];
		struct arena *a = arena_new();
		struct hint_query q = c->facts;
		struct error err;

		/* the text says nothing: no hint may depend on it */
		error_set(&err, c->fault, "x");
		err.reply = c->reply;
		q.step = c->step;
		q.error = &err;
		const char *hint = check_hint(a, &q);

		if (!c->wanted ? hint != NULL : !hint || !strstr(hint, c->wanted))
			fail_msg("%s: %s: '%s', not '%s'", c->step, fault_rows[c->fault].name,
				 hint ? hint : "none",
				 c->wanted ? c->wanted : "none");
		arena_free(a);
	}
}

/* Reasons that come together are all answered, one only once, and no other's advice with them. */
static void certificate_collects(void **state)
{
	struct arena *a = arena_new();
	struct error err;
	const struct hint_query q = { .step = "certificate", .error = &err, .host = "h",
				      .tls = &certificate };

	(void)state;
	error_set(&err, FAULT_CERTIFICATE_EXPIRED, "x");
	error_also(&err, FAULT_CERTIFICATE_NAME);
	error_also(&err, FAULT_CERTIFICATE_SELF_SIGNED);
	const char *hint = check_hint(a, &q);

	assert_non_null(strstr(hint, "renew"));
	assert_non_null(strstr(hint, "tls_host_override"));
	assert_non_null(strstr(hint, "accept this key"));
	assert_null(strstr(hint, "OCSP"));
	assert_null(strstr(hint, "(unknown)"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advice_fits), cmocka_unit_test(certificate_collects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
