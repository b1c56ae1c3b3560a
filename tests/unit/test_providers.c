#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "conf/public_domains.h"
#include "net/https.h"
#include "setup/discover.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/xalloc.h"

static const struct found_address who = {
	.address = "joe@web.de", .local = "joe", .domain = "web.de"
};

static void domains_lead_to_their_provider(void **state)
{
	static const struct {
		const char *domain, *host;
	} cases[] = {
		{ "gmail.com", "smtp.gmail.com" }, { "GoogleMail.com", "smtp.gmail.com" },
		{ "hotmail.co.uk", "smtp-mail.outlook.com" },
		{ "live.com", "smtp-mail.outlook.com" },
		{ "yahoo.fr", "smtp.mail.yahoo.com" }, { "gmx.net", "mail.gmx.net" },
		{ "gmx.com", "mail.gmx.com" }, { "mac.com", "smtp.mail.me.com" },
		{ "t-online.de", "securesmtp.t-online.de" }, { "posteo.net", "posteo.de" },
		{ "mailbox.org", "smtp.mailbox.org" }, { "ya.ru", "smtp.yandex.com" },
		{ "example.org", NULL }, { "mygmail.com", NULL }, { "gmail.com.example.org", NULL },
		{ "x.gmail.com", NULL }, { "", NULL }, { "com", NULL }, { "*", NULL },
		{ "gmail.com googlemail.com", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct provider *p = provider_find(PROVIDER_DOMAIN, cases[i].domain);

		if (!p != !cases[i].host || (p && strcmp(p->host, cases[i].host) != 0))
			fail_msg("'%s' leads to %s", cases[i].domain, p ? p->host : "nothing");
	}
}

/* Whatever a provider calls its own is nobody's own. */
static void domains_are_public(void **state)
{
	static const char *const public[] = {
		"gmail.com", "GoogleMail.com", "hotmail.co.uk", "yahoo.se", "yahoo.co.jp",
		"gmx.net", "gmx.com.tr", "web.de", "t-online.de", "126.com", "aol.com", "posteo.us",
		"comcast.net", "adinet.com.uy", "verizon.net", "migadu.com", "etik.com",
	};
	static const char *const own[] = {
		NULL, "", " ", "com", "gmail", "x.gmail.com", "mygmail.com", "gmail.com ",
		"gmail.com googlemail.com", "example.org", "contoso.onmicrosoft.com",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(public); i++) {
		if (!public_domain(public[i]))
			fail_msg("%s is not known", public[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		assert_false(public_domain(own[i]));
}

static void hosts_of_mail_lead_to_their_provider(void **state)
{
	static const struct {
		const char *mx, *host;
	} cases[] = {
		{ "aspmx.l.google.com", "smtp.gmail.com" },
		{ "ALT1.ASPMX.L.GOOGLE.COM", "smtp.gmail.com" },
		{ "aspmx2.googlemail.com", "smtp.gmail.com" },
		{ "smtp.google.com", "smtp.gmail.com" },
		{ "x-org.mail.protection.outlook.com", "smtp.office365.com" },
		{ "x-org.a-v1.mx.microsoft", "smtp.office365.com" },
		{ "eur.olc.protection.outlook.com", "smtp-mail.outlook.com" },
		{ "in1-smtp.messagingengine.com", "smtp.fastmail.com" },
		{ "mx.zoho.eu", "smtppro.zoho.eu" }, { "mx1.mail.ovh.net", "ssl0.ovh.net" },
		{ "mx00.kundenserver.de", "smtp.ionos.de" },
		{ "smtpin.rzone.de", "smtp.strato.de" },
		{ "google.com.evil.example", NULL }, { "evilgoogle.com", NULL },
		{ "mail.example.org", NULL }, { "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct provider *p = provider_find(PROVIDER_MX, cases[i].mx);

		if (!p != !cases[i].host || (p && strcmp(p->host, cases[i].host) != 0))
			fail_msg("'%s' leads to %s", cases[i].mx, p ? p->host : "nothing");
	}
}

static const struct provider *by_host(const char *name)
{
	return provider_find(PROVIDER_HOST, name);
}

static void services_are_known_by_their_server(void **state)
{
	(void)state;
	assert_string_equal(by_host("SMTP.sendgrid.net")->name, "SendGrid");
	assert_string_equal(by_host("email-smtp.eu-west-1.amazonaws.com")->name,
			    "Amazon SES");
	assert_null(by_host("email-smtp.eu-west-1.amazonaws.com.evil.example"));
	assert_null(by_host("localhost"));
}

static void ways_are_ordered(void **state)
{
	struct arena *a = arena_new();
	struct found_server out[PROVIDER_WAYS];

	(void)state;
	const struct provider *p = provider_find(PROVIDER_DOMAIN, "web.de");

	assert_int_equal(provider_ways(p, a, &who, NULL, "s", out), 2);
	assert_int_equal(out[0].port, 465);
	assert_int_equal(out[0].mode, TLS_IMPLICIT);
	assert_string_equal(out[0].user, "joe");
	assert_string_equal(out[0].source, "s");
	assert_int_equal(out[1].port, 587);
	assert_int_equal(out[1].mode, TLS_STARTTLS);
	p = provider_find(PROVIDER_DOMAIN, "icloud.com");
	assert_int_equal(provider_ways(p, a, &who, NULL, "s", out), 1);
	assert_int_equal(out[0].port, 587);
	assert_null(out[0].user);
	p = provider_find(PROVIDER_DOMAIN, "proton.me");
	assert_int_equal(provider_ways(p, a, &who, NULL, "s", out), 1);
	assert_int_equal(out[0].port, 1025);
	assert_int_equal(provider_ways(by_host("email-smtp.x.amazonaws.com"), a, &who,
				       "email-smtp.x.amazonaws.com", "s", out), 2);
	assert_string_equal(out[0].host, "email-smtp.x.amazonaws.com");
	arena_free(a);
}

static void places_are_filled_in(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "%EMAILADDRESS%", "joe@web.de" }, { "%EMAILLOCALPART%", "joe" },
		{ "%EMAILDOMAIN%", "web.de" },
		{ "a%EMAILLOCALPART%b%EMAILDOMAIN%c", "ajoebweb.dec" },
		{ "joe", "joe" }, { "", "" }, { "%", NULL }, { "%EMAIL%", NULL },
		{ "%EMAILADDRESS", NULL }, { "100%", NULL }, { "%emailaddress%", NULL },
		{ "%%EMAILADDRESS%", NULL },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = found_server_fill_in(a, cases[i].text, &who);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("'%s' gives '%s'", cases[i].text, got ? got : "nothing");
	}
	arena_free(a);
}

static void only_plain_https_urls_have_a_host(void **state)
{
	static const struct {
		const char *url, *host;
		unsigned port;
	} cases[] = {
		{ "https://example.org/x", "example.org", 443 },
		{ "HTTPS://example.org", "example.org", 443 },
		{ "https://example.org:8443/x", "example.org", 8443 },
		{ "https://example.org?x", "example.org", 443 },
		{ "https://example.org#x", "example.org", 443 },
		{ "https://example.org:/x", "example.org", 443 },
		{ "http://example.org/", NULL, 0 }, { "file:///etc/passwd", NULL, 0 },
		{ "https://", NULL, 0 }, { "https:///x", NULL, 0 }, { "https:/x", NULL, 0 },
		{ "https://joe@example.org/", NULL, 0 }, { "https://a:b@example.org/", NULL, 0 },
		{ "https://[::1]/", NULL, 0 }, { "https://example.org:0/", NULL, 0 },
		{ "https://example.org:65536/", NULL, 0 }, { "https://example.org:+1/", NULL, 0 },
		{ "https://example.org:1x/", NULL, 0 }, { "https://:443/", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned port = 0;
		char *host = https_host(cases[i].url, &port);

		if (!host != !cases[i].host || (host && strcmp(host, cases[i].host) != 0))
			fail_msg("'%s' has host '%s'", cases[i].url, host ? host : "none");
		assert_int_equal(port, cases[i].port);
		xfree(host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_lead_to_their_provider),
		cmocka_unit_test(domains_are_public),
		cmocka_unit_test(hosts_of_mail_lead_to_their_provider),
		cmocka_unit_test(services_are_known_by_their_server),
		cmocka_unit_test(ways_are_ordered),
		cmocka_unit_test(places_are_filled_in),
		cmocka_unit_test(only_plain_https_urls_have_a_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
