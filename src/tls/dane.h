/*
 * DANE for SMTP: which TLSA records hold for a server (RFC 7672, 6698, 7671).
 *
 * Only validated answers count. Addresses come first: where they are not
 * secure, TLSA is not asked for (RFC 7672, section 2.2.2). The comparison
 * with the certificate is tls/tls.h's.
 */
#ifndef TLS_DANE_H
#define TLS_DANE_H

#include <stddef.h>

#include "dns/dnssec.h"
#include "tls/tls.h"
#include "util/attr.h"

enum dane_state {
	DANE_ABSENT,		/* not secure, or proven not to be there */
	DANE_UNUSABLE,		/* there, but none that can be used: TLS is mandatory */
	DANE_USABLE		/* TLS and a record that fits are mandatory */
};

struct dane {
	enum dane_state state;
	char base[DNS_NAME_TEXT];	/* TLSA base domain: SNI, and a name that will do */
	struct tlsa *records;		/* the usable ones */
	size_t n;
	struct dns_answer answer;	/* holds their data */
};

/*
 * The records of host and port. EX_TEMPFAIL when DNS gives no answer or a
 * bogus one: then the server must not be used; EX_CONFIG as dnssec_open().
 * *out is to be released.
 */
ATTR_CHECK int dane_lookup(const struct dnssec_source *source, const char *host, unsigned port,
			   const struct deadline *d, struct dane *out, struct error *err);

void dane_release(struct dane *d);

#endif
