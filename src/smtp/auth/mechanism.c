#include "config.h"
#include "smtp/auth/mechanism.h"

#include <strings.h>

#include "util/error.h"
#include "util/xalloc.h"

#define AS MECHANISM_AUTHZID
#define PASSWORD MECHANISM_PASSWORD
#define TOKEN (MECHANISM_TOKEN | MECHANISM_READABLE | MECHANISM_INITIAL | MECHANISM_ONE_ROUND)
#define TICKET (MECHANISM_TICKET | MECHANISM_INITIAL | MECHANISM_PROOF | AS)
#define PREPARED MECHANISM_PREPARED
#define SCRAM (MECHANISM_PASSWORD | MECHANISM_INITIAL | MECHANISM_PROOF | AS | PREPARED)
#define BOUND (SCRAM | MECHANISM_BINDING)

/* In order of preference (doc/protocol.md#mechanisms), never in the server's order. */
const struct mechanism mechanisms[] = {
	{ "EXTERNAL", MECHANISM_CERTIFICATE | MECHANISM_INITIAL | MECHANISM_ONE_ROUND | AS,
	  &mechanism_gsasl },
	{ "GSSAPI", TICKET, &mechanism_gsasl },
	{ "GS2-KRB5", TICKET, &mechanism_gsasl },
	{ "OAUTHBEARER", TOKEN | AS, &mechanism_oauthbearer },
	{ "XOAUTH2", TOKEN, &mechanism_xoauth2 },
	{ "SCRAM-SHA-256-PLUS", BOUND, &mechanism_gsasl },
	{ "SCRAM-SHA-1-PLUS", BOUND, &mechanism_gsasl },
	{ "SCRAM-SHA-256", SCRAM, &mechanism_gsasl },
	{ "SCRAM-SHA-1", SCRAM, &mechanism_gsasl },
	{ "PLAIN", PASSWORD | MECHANISM_READABLE | MECHANISM_INITIAL | MECHANISM_ONE_ROUND | AS,
	  &mechanism_gsasl },
	{ "LOGIN", PASSWORD | MECHANISM_READABLE, &mechanism_gsasl },
	{ "CRAM-MD5", PASSWORD | MECHANISM_LEGACY | PREPARED, &mechanism_gsasl },
	{ "DIGEST-MD5",
	  PASSWORD | MECHANISM_LEGACY | MECHANISM_PROOF | AS | MECHANISM_UNQUOTED,
	  &mechanism_gsasl },
	{ "NTLM", PASSWORD | MECHANISM_LEGACY | MECHANISM_INITIAL, &mechanism_gsasl },
	{ "ANONYMOUS", MECHANISM_NAMED | MECHANISM_INITIAL | MECHANISM_ONE_ROUND,
	  &mechanism_gsasl },
};

const size_t mechanism_count = ARRAY_LEN(mechanisms);

const struct mechanism *mechanism_find(const char *name)
{
	for (size_t i = 0; i < mechanism_count; i++) {
		if (strcasecmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	}
	return NULL;
}

unsigned mechanism_strength(const struct mechanism *m)
{
	if (m->flags & (MECHANISM_BINDING | MECHANISM_CERTIFICATE))
		return 3;
	if ((m->flags & MECHANISM_PROOF) && !(m->flags & MECHANISM_LEGACY))
		return 2;
	return m->flags & MECHANISM_READABLE ? 1 : 0;
}

int exchange_new(const struct mechanism *m, const struct mechanism_input *in,
		 struct exchange **out, struct error *err)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->mechanism = m;
	x->in = in;
	if (m->kind->start && m->kind->start(x, err) < 0) {
		exchange_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

int exchange_step(struct exchange *x, const char *in, size_t n, struct strbuf *out,
		  struct error *err)
{
	if (x->mechanism->kind->step(x, in, n, out, err) < 0)
		return error_prefix(err, "AUTH %s", x->mechanism->name);
	x->steps++;
	return 0;
}

bool exchange_shown(const struct exchange *x)
{
	const unsigned flags = x->mechanism->flags;
	const unsigned proof = MECHANISM_PASSWORD | MECHANISM_PROOF;

	return x->complete || ((flags & proof) == proof &&
			       x->steps >= (flags & MECHANISM_INITIAL ? 2 : 1));
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->mechanism->kind->finish)
		x->mechanism->kind->finish(x);
	xfree(x);
}
