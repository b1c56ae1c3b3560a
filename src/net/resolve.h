/*
 * From the name of a host to its addresses, in the order to try them.
 *
 * A numeric address costs no resolver. A name goes to getaddrinfo(), in a
 * thread of its own so that a dead name server cannot hold us beyond the
 * deadline. The order is getaddrinfo()'s (RFC 6724) with the families
 * interleaved (RFC 8305, section 4): a dead IPv6 costs one attempt, not all.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "util/attr.h"

struct deadline;
struct error;

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to;
	socklen_t len;
};

struct host_addresses {
	struct address *v;
	size_t n;
};

/*
 * Fills *out (host_addresses_release() it). host may be an IPv6 address in
 * brackets. EX_NOHOST 5.1.2 when the name does not exist or has no address
 * of the family; EX_TEMPFAIL 4.4.3 for trouble with DNS.
 */
ATTR_CHECK int resolve_host(const char *host, unsigned port, int family, const struct deadline *d,
			    struct host_addresses *out, struct error *err);

void host_addresses_release(struct host_addresses *list);

/* Puts the families in turn, the first one first, and keeps the order within each. */
void host_addresses_interleave(struct host_addresses *list);

/* Puts the first address of the family in front, where there is one; the others in turn. */
void host_addresses_prefer(struct host_addresses *list, int family);

/* Takes the address at i, which is below n, out of the list. */
void host_addresses_drop(struct host_addresses *list, size_t i);

/* host without the brackets of an IPv6 address; xfree() it. */
char *address_bare_host(const char *host);

void address_set_port(struct address *a, unsigned port);

/* IPv4 or IPv6 as inet_pton() reads them; a scope ("%eth0") is for resolve_host(). */
bool address_from_text(const char *host, unsigned port, struct address *out);

/* The same for "ADDRESS[:PORT]" or "[IPv6][:PORT]"; port: where none is given. */
bool address_from_server(const char *text, unsigned port, struct address *out);

/* Fills err for a getaddrinfo() code (errno_now: errno for EAI_SYSTEM) and returns -1. */
int resolve_error(const char *host, int code, int errno_now, struct error *err);

/* The numeric address, written to out (ADDRESS_TEXT octets do). */
#define ADDRESS_TEXT INET6_ADDRSTRLEN
void address_text(const struct sockaddr *a, char *out, size_t room);

#endif
