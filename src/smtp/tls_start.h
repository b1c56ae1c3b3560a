/*
 * TLS as the account wants it, on a stream to the server: DANE's records are
 * looked up where it asks for them, the passphrase of the client's key when
 * the key turns out to need one; then the handshake (tls/tls.h). The one way
 * to TLS for implicit TLS and STARTTLS.
 */
#ifndef SMTP_TLS_START_H
#define SMTP_TLS_START_H

#include <stdbool.h>

#include "smtp/session.h"
#include "util/attr.h"

struct deadline;
struct error;
struct stream;

enum tls_start {
	TLS_FROM_START,		/* nothing was said in clear */
	TLS_AFTER_STARTTLS,
	TLS_UNVERIFIED		/* ... and any certificate is better than clear text */
};

/*
 * As tls_connect(), by account, host, tls_domain, port, credential and observer
 * of o. EX_TEMPFAIL 4.7.5 too when tls_dane = must and there is nothing to it.
 */
ATTR_CHECK int tls_start(struct stream *lower, const struct session_options *o,
			 enum tls_start how, const struct deadline *d, struct stream **out,
			 struct error *err);

/*
 * Must this server speak TLS, whatever the account says? 1: by its TLSA
 * records (RFC 7672, section 2.2); 0; -1: that cannot be found out now.
 */
ATTR_CHECK int tls_start_is_mandatory(const struct session_options *o, const struct deadline *d,
				      struct error *err);

#endif
