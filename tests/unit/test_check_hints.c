#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "check/check_hints.h"
#include "tls/tls_facts.h"
#include "util/arena.h"
#include "util/error.h"

static const struct tls_facts certificate = {
	.pin = "spki-sha256:PIN=", .names = "a.example, b.example", .first_name = "a.example",
};
static const struct tls_facts nameless = { .pin = "spki-sha256:PIN=", .names = "" };

/* One failure, and what the advice must hold; NULL: there is none. */
struct one {
	const char *step;
	int exit, reply;
	const char *status, *text;
	struct hint_query facts;	/* the rest of the question */
	const char *wanted;
};

static const struct one cases[] = {
	/* connection */
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:587: 1.2.3.4: Connection refused",
	  { .port = 587 }, "nothing listens on port 587" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:25: 1.2.3.4: Connection refused",
	  { .port = 25 }, "port = 587" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:25: 1.2.3.4: no answer within 30 s",
	  { .port = 25 }, "port 25 is blocked" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:465: 1.2.3.4: no answer within 30 s",
	  { .port = 465 }, "firewall" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:587: ::1: Network is unreachable",
	  { .address = "2001:db8::7" }, "ip route get 2001:db8::7" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:587: 1.2.3.4: No route to host",
	  { .host = "h" }, "ip route get h" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to local socket '/x': Permission denied",
	  { .local = true }, "namei -l" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to local socket '/x': Connection refused",
	  { .local = true }, "nobody listens on the socket" },
	{ "connect", 75, 0, "4.4.1", "cannot connect to h:587: 1.2.3.4: Cannot assign requested "
	  "address", { .port = 587 }, "source_ip" },
	{ "connect", 75, 0, "4.4.1", "proxy p:1080: cannot connect to p:1080: Connection refused",
	  { .host = "h", .port = 587 }, "no_proxy = h" },
	/* names */
	{ "dns", 68, 0, "5.1.2", "host 'h' does not exist", { .host = "h" }, "getent ahosts h" },
	{ "dns", 75, 0, "4.4.3", "cannot look up host 'h': x", { .host = "h" }, "resolv.conf" },
	{ "dns", 68, 0, "5.1.2", "x has no SRV record for mail submission", { 0 }, "host = NAME" },
	/* greeting, EHLO, STARTTLS */
	{ "greeting", 76, 0, "5.5.0", "unparsable line instead of the greeting: '\\x15': the "
	  "server speaks TLS from the start: use tls = implicit", { 0 }, "tls = implicit" },
	{ "greeting", 76, 0, "5.5.0", "unparsable line instead of the greeting: 'HTTP'",
	  { .port = 80 }, "answers on port 80" },
	{ "greeting", 75, 0, "4.4.2", "timeout after 60 s waiting for the greeting",
	  { .port = 465 }, "tls = implicit" },
	{ "greeting", 75, 0, "4.4.2", "timeout after 60 s waiting for the greeting",
	  { .port = 587 }, "says nothing" },
	{ "greeting", 75, 421, "4.3.2", "greeting: 421 busy", { 0 }, "try later" },
	{ "greeting", 69, 554, "5.3.2", "greeting: 554 no", { 0 }, "port 587" },
	{ "ehlo", 69, 550, "5.0.0", "EHLO: 550 bad name", { 0 }, "set 'domain'" },
	{ "starttls", 69, 0, "5.7.10", "h does not offer STARTTLS", { 0 }, "port = 465" },
	{ "starttls", 75, 454, "4.7.0", "STARTTLS: 454 no", { 0 }, "its log" },
	/* TLS */
	{ "tls", 76, 0, "5.7.5", "server on port 587 speaks plain SMTP: use tls = starttls",
	  { .port = 587 }, "set 'tls = starttls'" },
	{ "tls", 76, 0, "5.7.5", "the server has no TLS version that is allowed here", { 0 },
	  "out of date" },
	{ "tls", 75, 0, "4.7.5", "the server ended TLS with the alert 'x' (116): it wants a "
	  "certificate, set tls_cert_file and tls_key_file", { 0 }, "tls_cert_file" },
	{ "tls", 72, 0, "5.3.5", "cannot open /x: Permission denied", { 0 }, "ca-certificates" },
	/* certificate: every reason has its advice */
	{ "certificate", 76, 0, "5.7.5", "it is self-signed and not trusted",
	  { .tls = &certificate }, "\ntls_pin = spki-sha256:PIN=\n" },
	{ "certificate", 76, 0, "5.7.5", "its CA 'CN=x' is not trusted",
	  { .tls = &certificate }, "update-ca-certificates" },
	{ "certificate", 76, 0, "5.7.5", "it has expired on 2020-01-01; its name does not match "
	  "(names: a.example)", { .host = "h", .tls = &certificate }, "must renew it" },
	{ "certificate", 76, 0, "5.7.5", "it has expired on 2020-01-01; its name does not match "
	  "(names: a.example)", { .host = "h", .tls = &certificate },
	  "\ntls_host_override = a.example" },
	{ "certificate", 76, 0, "5.7.5", "its name does not match (names: none)",
	  { .tls = &nameless }, "no name that counts" },
	{ "certificate", 76, 0, "5.7.5", "it is not valid before 2090-01-01", { 0 },
	  "timedatectl" },
	{ "certificate", 76, 0, "5.7.5", "it is x, and tls_pin wants y", { .tls = &certificate },
	  "confirms the new key" },
	{ "certificate", 75, 0, "4.7.5", "no TLSA record (DANE) fits the certificate", { 0 },
	  "tls_dane = off" },
	/* sign-in */
	{ "sign-in", 77, 535, "5.7.8", "AUTH: 535 5.7.8 bad credentials",
	  { .host = "smtp.gmail.com", .user = "joe@gmail.com" }, "app password" },
	{ "sign-in", 77, 535, "5.7.3", "AUTH: 535 5.7.139 SmtpClientAuthentication is disabled",
	  { .user = "joe@example.org" }, "XOAUTH2" },
	{ "sign-in", 77, 535, "5.7.8", "AUTH: 535 no", { .host = "smtp.office365.com" },
	  "Microsoft" },
	{ "sign-in", 77, 535, "5.7.8", "AUTH: 535 no", { .host = "notgmail.com",
	  .user = "joe@example.org" }, "'joe@example.org' or its password is wrong" },
	{ "sign-in", 77, 535, "5.7.8", "AUTH: 535 no", { .user = "joe" }, "whole mail address" },
	{ "sign-in", 77, 534, "5.7.9", "AUTH: 534 no", { .user = "joe" }, "auth_mechanisms" },
	{ "sign-in", 75, 454, "4.7.0", "AUTH: 454 no", { 0 }, "try later" },
	{ "sign-in", 69, 0, "5.7.4", "no way to sign in: the server does not offer AUTH",
	  { .port = 25 }, "port = 587" },
	{ "sign-in", 69, 0, "5.7.4", "no way to sign in: the server does not offer AUTH without "
	  "TLS", { .port = 587 }, "tls = starttls" },
	/* envelope */
	{ "sender", 77, 530, "5.7.0", "MAIL FROM: 530 no", { 0 }, "set 'user'" },
	{ "sender", 69, 550, "5.0.0", "MAIL FROM: 550 no",
	  { .signed_in = true, .sender = "s@x", .user = "u" }, "'s@x' is no address that 'u'" },
	{ "sender", 69, 550, "5.0.0", "MAIL FROM: 550 no", { .sender = "" }, "mail from '<>'" },
	{ "recipient", 77, 554, "5.7.1", "RCPT TO: 554 Relay access denied", { 0 }, "sign in" },
	{ "recipient", 77, 554, "5.7.1", "RCPT TO: 554 Relay access denied",
	  { .signed_in = true, .to = "t@x", .user = "u" }, "not meant as a smarthost" },
	{ "recipient", 67, 550, "5.1.1", "RCPT TO: 550 unknown", { .to = "t@x" }, "'t@x'" },
	{ "recipient", 75, 450, "4.2.0", "RCPT TO: 450 Greylisted", { 0 }, "greylisting" },
	/* this host */
	{ "secret", 78, 0, "5.3.5", "/x holds a secret and others may read it (mode 0644): run "
	  "'chmod 600 /x'", { 0 }, "run the command above" },
	{ "secret", 78, 0, "5.3.5", "cannot open /x: Permission denied (file mode allows it; "
	  "check AppArmor/SELinux: journalctl -k -g DENIED)", { 0 }, "journalctl" },
	{ "secret", 78, 0, "5.3.5", "password_command: command 'x' ended with status 1", { 0 },
	  "by hand" },
	{ "config", 78, 0, "5.3.5", "/x:1: key 'hots': unknown", { 0 }, "--check-config" },
	/* everywhere, and nowhere */
	{ "recipient", 75, 421, "4.3.2", "RCPT TO: 421 bye", { 0 }, "try later" },
	{ "ehlo", 75, 0, "4.4.2", "connection closed by the server", { 0 }, "its log" },
	{ "ehlo", 76, 0, "5.5.0", "the session does not get beyond EHLO", { 0 }, NULL },
};

static void advice_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct one *c = &cases[i];
		struct arena *a = arena_new();
		struct hint_query q = c->facts;
		struct error err;

		error_set_status(&err, FAULT_BUG, c->status, "%s", c->text);
		err.exit = c->exit;
		err.reply = c->reply;
		q.step = c->step;
		q.error = &err;
		const char *hint = check_hint(a, &q);

		if (!c->wanted ? hint != NULL : !hint || !strstr(hint, c->wanted))
			fail_msg("%s: %s: '%s', not '%s'", c->step, c->text, hint ? hint : "none",
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
	error_set(&err, FAULT_CERTIFICATE, "it has expired on 2020-01-01; its name does not match "
		  "(names: a.example); it is self-signed and not trusted");
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
