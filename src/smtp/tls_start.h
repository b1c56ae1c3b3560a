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

struct account;
struct deadline;
struct error;
struct stream;

struct tls_start {
	const struct account *account;
	const char *host;		/* as connected to, ASCII */
	const char *domain;		/* the certificate may have this name; NULL = none */
	unsigned port;
	bool starttls;			/* for hints in errors */
	bool unverified;		/* TLS is better than none: tls = may */
	credential_fn *credential;
	void *credential_ctx;
	const struct observer *observer;	/* NULL = nobody watches */
};

/* As tls_connect(); EX_TEMPFAIL 4.7.5 too when tls_dane = must and there is nothing to it. */
ATTR_CHECK int tls_start(struct stream *lower, const struct tls_start *what,
			 const struct deadline *d, struct stream **out, struct error *err);

/*
 * Must this server speak TLS, whatever the account says? 1: by its TLSA
 * records (RFC 7672, section 2.2); 0; -1: that cannot be found out now.
 */
ATTR_CHECK int tls_start_is_mandatory(const struct tls_start *what, const struct deadline *d,
				      struct error *err);

#endif
