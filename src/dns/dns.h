/*
 * Questions to a resolver: SRV and MX, and addresses where the account names
 * a resolver of its own (otherwise net/resolve.h and the system do that).
 *
 * A resolver is "ADDRESS[:PORT]" ("[IPv6]:PORT"); NULL stands for those in
 * /etc/resolv.conf, else 127.0.0.1. UDP on a connected socket with a random
 * identifier; TCP when the answer is cut off; the next resolver after five
 * seconds or a failure of the server, all of them twice. Nothing is cached.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "dns/dnsmsg.h"
#include "util/attr.h"

struct host_addresses;
struct deadline;
struct error;

/*
 * Asks for records of name; CNAMEs are followed, also where the resolver
 * leaves that to us. out->code is DNS_OK or DNS_NO_NAME (the name does not
 * exist); authentic only when the resolver is on this host. To be released.
 * EX_TEMPFAIL 4.4.3 when nobody answers, EX_CONFIG for a resolver that is no
 * address, EX_NOHOST 5.1.2 for a name that cannot be one.
 */
ATTR_CHECK int dns_ask(const char *resolver, const char *name, enum dns_type type,
		       const struct deadline *d, struct dns_answer *out, struct error *err);

/*
 * The addresses of host, as resolve_host() gives them: A and AAAA are asked
 * for at the same time (RFC 8305, section 3). Numeric ones need no resolver.
 */
ATTR_CHECK int dns_resolve(const char *resolver, const char *host, unsigned port, int family,
			   const struct deadline *d, struct host_addresses *out, struct error *err);

#endif
