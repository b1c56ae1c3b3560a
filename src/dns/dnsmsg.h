/*
 * Messages of the domain name system (RFC 1035, 2782, 3596): one question
 * out, one strictly read answer in. Knows no sockets.
 *
 * Only the answer section counts, and of it the chain of CNAME records that
 * begins at the name asked for and the records at its end. A name in it that
 * no host can have (octets but letters, digits, '-', '_') makes its record
 * worthless, and it is left out. Compression pointers must point backwards,
 * so that reading ends.
 */
#ifndef DNS_DNSMSG_H
#define DNS_DNSMSG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

#define DNS_NAME_TEXT 256	/* octets that the text of a name needs, with NUL */
#define DNS_QUERY_MAX 512

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_MX = 15, DNS_AAAA = 28, DNS_SRV = 33,
		DNS_TLSA = 52 };

enum dns_code { DNS_OK = 0, DNS_SERVER_FAILED = 2, DNS_NO_NAME = 3, DNS_REFUSED = 5 };

struct dns_record {
	unsigned priority, weight, port;	/* MX: priority only */
	unsigned usage, selector, matching;	/* TLSA (RFC 6698), with data */
	unsigned char *data;			/* freed with the answer; NULL for others */
	size_t data_n;
	char target[DNS_NAME_TEXT];		/* MX, SRV; "" is the root, "no service" */
	union {
		struct in_addr in;
		struct in6_addr in6;
	} address;
};

struct dns_answer {
	unsigned code;			/* enum dns_code or another RCODE */
	bool truncated;			/* to be asked for again by TCP */
	bool authentic;			/* the AD bit */
	bool aliased;			/* canonical is not the name asked for */
	char canonical[DNS_NAME_TEXT];	/* at the end of the CNAME chain */
	struct dns_record *v;
	size_t n;
};

/*
 * Writes a question with recursion desired; the number of octets, or -1 when
 * name is none (empty or long labels, more than 253 octets).
 */
ATTR_CHECK int dns_question(const char *name, enum dns_type type, unsigned id,
			    unsigned char out[DNS_QUERY_MAX]);

/*
 * Reads what came back. -1: it is not the answer to this question, or is
 * malformed; *out is untouched then, else to be released.
 */
ATTR_CHECK int dns_answer_read(const unsigned char *data, size_t n, const char *name,
			       enum dns_type type, unsigned id, struct dns_answer *out);

void dns_answer_release(struct dns_answer *a);

/* The n octets of a TLSA record's data into *out; out->data stays NULL when they are too few. */
void dns_tlsa_read(const unsigned char *p, size_t n, struct dns_record *out);

#endif
