#include "config.h"
#include "tls/dane.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "util/xalloc.h"

enum { RELAY_PORT = 25, SHA256_OCTETS = 32, SHA512_OCTETS = 64, PREFIX_ROOM = 16 };

/*
 * RFC 7672, section 3.1.3: on port 25 a CA of the public kind means nothing.
 * Submission has always known its server by name, so the usages of RFC 6698
 * that add to the usual verification are of use there (RFC 8314, 5.3).
 */
static bool is_usable(const struct dns_record *r, unsigned port)
{
	if (r->usage > TLSA_DANE_EE || (port == RELAY_PORT && r->usage < TLSA_DANE_TA))
		return false;
	if (r->selector > TLSA_PUBLIC_KEY || r->matching > TLSA_SHA512)
		return false;
	return r->matching == TLSA_FULL || r->data_n == (r->matching == TLSA_SHA256 ?
							  SHA256_OCTETS : SHA512_OCTETS);
}

static void take_usable(struct dane *out, unsigned port)
{
	out->state = DANE_UNUSABLE;
	out->records = xcalloc(out->answer.n, sizeof(*out->records));
	for (size_t i = 0; i < out->answer.n; i++) {
		const struct dns_record *r = &out->answer.v[i];

		if (!is_usable(r, port))
			continue;
		out->state = DANE_USABLE;
		out->records[out->n++] = (struct tlsa){
			.usage = r->usage, .selector = r->selector, .matching = r->matching,
			.data = r->data, .n = r->data_n,
		};
	}
}

/* "_587._tcp.BASE"; 1: found, 0: there is nothing that counts, -1. */
static int ask_base(struct validator *s, const char *base, unsigned port, const struct deadline *d,
		    struct dane *out, struct error *err)
{
	char name[DNS_NAME_TEXT + PREFIX_ROOM];

	snprintf(name, sizeof(name), "_%u._tcp.%s", port, base);
	if (strlen(name) >= DNS_NAME_TEXT)
		return 0;
	if (dnssec_ask(s, name, DNS_TLSA, d, &out->answer, err) < 0)
		return error_prefix(err, "DANE");
	if (!out->answer.authentic || out->answer.n == 0) {
		dns_answer_release(&out->answer);
		return 0;
	}
	snprintf(out->base, sizeof(out->base), "%s", base);
	take_usable(out, port);
	return 1;
}

/* 1: the addresses are secure; *canonical then is the name behind all aliases. */
static int ask_addresses(struct validator *s, const char *host, const struct deadline *d,
			 char canonical[DNS_NAME_TEXT], struct error *err)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	bool found = false;

	for (size_t i = 0; !found && i < ARRAY_LEN(types); i++) {
		struct dns_answer a;

		if (dnssec_ask(s, host, types[i], d, &a, err) < 0)
			return error_prefix(err, "DANE");
		bool secure = a.authentic;

		found = a.n > 0;
		snprintf(canonical, DNS_NAME_TEXT, "%s", a.canonical);
		dns_answer_release(&a);
		if (!secure)
			return 0;
	}
	return found;
}

/* RFC 7672, section 2.2.3: the end of the aliases first, then the name itself. */
static int look_up(struct validator *s, const char *host, unsigned port, const struct deadline *d,
		   struct dane *out, struct error *err)
{
	char canonical[DNS_NAME_TEXT];
	int rc = ask_addresses(s, host, d, canonical, err);

	if (rc > 0 && strcmp(canonical, host) != 0)
		rc = ask_base(s, canonical, port, d, out, err);
	else if (rc > 0)
		return ask_base(s, host, port, d, out, err);
	else
		return rc;
	return rc == 0 ? ask_base(s, host, port, d, out, err) : rc;
}

static bool is_address(const char *host)
{
	unsigned char octets[16];

	return *host == '[' || inet_pton(AF_INET, host, octets) == 1 ||
	       inet_pton(AF_INET6, host, octets) == 1;
}

int dane_lookup(const struct dnssec_source *source, const char *host, unsigned port,
		const struct deadline *d, struct dane *out, struct error *err)
{
	struct dane found = { .state = DANE_ABSENT };
	char name[DNS_NAME_TEXT];
	struct validator *s = NULL;
	size_t n = strlen(host);
	int rc = 0;

	if (!is_address(host) && n && n < sizeof(name)) {
		snprintf(name, sizeof(name), "%s", host);
		if (name[n - 1] == '.')
			name[n - 1] = '\0';
		rc = dnssec_open(source, &s, err);
		if (rc == 0)
			rc = look_up(s, name, port, d, &found, err);
		dnssec_close(s);
	}
	if (rc < 0) {
		dane_release(&found);
		return -1;
	}
	*out = found;
	return 0;
}

void dane_release(struct dane *d)
{
	dns_answer_release(&d->answer);
	xfree(d->records);
	*d = (struct dane){ .state = DANE_ABSENT };
}
