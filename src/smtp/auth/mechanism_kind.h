/*
 * What the kinds of mechanisms share: for mechanism.c, mechanism_gsasl.c and
 * mechanism_oauth.c only.
 */
#ifndef SMTP_AUTH_MECHANISM_KIND_H
#define SMTP_AUTH_MECHANISM_KIND_H

#include "smtp/auth/mechanism.h"

struct exchange {
	const struct mechanism *mechanism;
	const struct mechanism_input *in;
	unsigned steps;		/* taken before this one */
	bool complete;
	bool stale;		/* see exchange_stale() */
	char detail[MECHANISM_DETAIL];	/* see exchange_detail() */
	void *state;		/* of the kind */
};

struct mechanism_kind {
	int (*start)(struct exchange *x, struct error *err);	/* NULL = nothing to do */
	int (*step)(struct exchange *x, const char *in, size_t n, struct strbuf *out,
		    struct error *err);
	void (*finish)(struct exchange *x);			/* NULL = nothing to do */
};

extern const struct mechanism_kind mechanism_gsasl, mechanism_oauthbearer, mechanism_xoauth2;

#endif
