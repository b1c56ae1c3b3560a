/*
 * Where is the message? Asks the tracking server of the host that took it,
 * and those that it was handed on to (RFC 3887, 3886).
 */
#ifndef TRACK_TRACK_H
#define TRACK_TRACK_H

#include "util/attr.h"

struct account;
struct attempt_options;
struct error;
struct strbuf;

struct track_query {
	const char *server;	/* host that took it */
	unsigned port;		/* 0: what SRV says (_mtqp._tcp), else 1038 */
	const char *envid;	/* as it went out in ENVID= */
	const char *secret;	/* in base64 */
};

/*
 * Appends one printable line per recipient to out. 0: every one has got it;
 * EX_TEMPFAIL 4.4.7: some are still on their way; EX_UNAVAILABLE 5.0.0: some
 * will not get it; else no server could be asked, or does not know it. What
 * could be learned is in out in any case.
 */
ATTR_CHECK int track_query(const struct account *a, const struct attempt_options *opt,
			   const struct track_query *query, struct strbuf *out,
			   struct error *err);

#endif
