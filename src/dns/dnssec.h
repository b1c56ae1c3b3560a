/*
 * DNS records with the word of somebody who has validated them (RFC 4035):
 * libunbound with a trust anchor, or a resolver on this host that says so by
 * the AD bit (RFC 6840, section 5.8).
 */
#ifndef DNS_DNSSEC_H
#define DNS_DNSSEC_H

#include <stdbool.h>

#include "dns/dnsmsg.h"
#include "util/attr.h"

struct deadline;
struct validator;
struct error;

struct dnssec_source {
	bool trust_ad;			/* the AD bit; else libunbound */
	const char *resolver;		/* "ADDRESS[:PORT]"; NULL = the system's */
	const char *anchor;		/* file with the keys of the root; NULL = the system's */
};

/*
 * Makes ready for questions. EX_CONFIG when libunbound or a trust anchor is
 * missing. *out is the caller's.
 */
ATTR_CHECK int dnssec_open(const struct dnssec_source *source, struct validator **out,
			   struct error *err);

void dnssec_close(struct validator *s);	/* accepts NULL */

/*
 * Asks for A, AAAA (of which only the number counts) or TLSA. out->authentic:
 * the answer, or that there is none, is validated, aliases included; to be
 * released. EX_TEMPFAIL 4.4.3 when there is no answer, 4.7.5 when it is bogus.
 */
ATTR_CHECK int dnssec_ask(struct validator *s, const char *name, enum dns_type type,
			  const struct deadline *d, struct dns_answer *out, struct error *err);

#endif
