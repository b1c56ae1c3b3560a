/* Mechanisms that libgsasl does. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "smtp/auth/gsasl_api.h"
#include "smtp/auth/mechanism.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* --- the library -------------------------------------------------------------------- */

DYNLIB_NOTE(gsasl, "[{\"feature\":\"auth\",\"description\":\"SMTP authentication\","
	    "\"priority\":\"recommended\",\"soname\":[\"" GSASL_SONAME "\"]}]");

struct gsasl_api gs;

int gsasl_api_load(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
#define GSASL_SYMBOL(name) { "gsasl_" #name, &gs.name },
		GSASL_API(GSASL_SYMBOL)
#undef GSASL_SYMBOL
	};

	return dynlib_load(&handle, GSASL_SONAME, "libgsasl18", symbols, ARRAY_LEN(symbols), err);
}

int gsasl_library_version(struct strbuf *out, struct error *err)
{
	if (gsasl_api_load(err) < 0)
		return -1;
	strbuf_addf(out, "libgsasl %s", gs.check_version(NULL));
	return 0;
}

#define CHALLENGE_MAX ((size_t)128 * 1024)
#define NTLM_NAME_MAX ((size_t)4096)

static Gsasl *library;	/* one for the life of the process */

static int library_open(struct error *err)
{
	if (gsasl_api_load(err) < 0)
		return -1;
	if (library)
		return 0;
	int rc = gs.init(&library);

	if (rc != GSASL_OK)
		return error_set(err, FAULT_BUG, "libgsasl: %s", gs.strerror(rc));
	return 0;
}

static void set(Gsasl_session *session, Gsasl_property property, const char *value)
{
	if (value)
		(void)gs.property_set(session, property, value);
}

/*
 * Prepared by SASLprep, as RFC 4954 (section 4) wants it of both sides; a
 * name that cannot be goes as it is, and the server decides.
 */
static void set_authzid(Gsasl_session *session, const char *name)
{
	char *prepared = NULL;

	if (name && !text_is_ascii(name, strlen(name)) &&
	    gs.saslprep(name, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		prepared = NULL;
	set(session, GSASL_AUTHZID, prepared ? prepared : name);
	if (prepared)
		gs.free(prepared);
}

/*
 * The library takes NTLM's domain from behind the "@" of the user alone (its
 * realm becomes the workstation), and cuts an address there in any case.
 */
static void set_ntlm_user(Gsasl_session *session, const struct mechanism_input *in)
{
	struct strbuf name = STRBUF_INIT(NTLM_NAME_MAX);

	strbuf_add(&name, in->user, strcspn(in->user, "@"));
	strbuf_addf(&name, "@%s", in->ntlmdomain);
	set(session, GSASL_AUTHID, name.buf);
	strbuf_release(&name);
}

static int start(struct exchange *x, struct error *err)
{
	const struct mechanism_input *in = x->in;
	const char *name = x->mechanism->name;
	Gsasl_session *session = NULL;

	if (library_open(err) < 0)
		return -1;
	int rc = gs.client_start(library, name, &session);

	if (rc != GSASL_OK)
		return error_set(err, FAULT_NO_MECHANISM, "AUTH %s: libgsasl: %s", name,
				 gs.strerror(rc));
	x->state = session;
	const bool ntlm = strcmp(name, "NTLM") == 0;

	if (ntlm && in->ntlmdomain && *in->ntlmdomain && in->user)
		set_ntlm_user(session, in);
	else
		set(session, GSASL_AUTHID, in->user);
	set_authzid(session, in->authzid);
	set(session, GSASL_PASSWORD, in->secret);
	set(session, GSASL_SERVICE, in->service);
	set(session, GSASL_HOSTNAME, in->host);
	set(session, GSASL_REALM, ntlm ? NULL : in->realm);
	if (x->mechanism->flags & MECHANISM_NAMED)	/* ANONYMOUS: who it is, for the log */
		set(session, GSASL_ANONYMOUS_TOKEN, in->user ? in->user : "");
	if (x->mechanism->flags & MECHANISM_BINDING) {
		/* of two the library prefers the exporter: the caller gives the right one */
		set(session, GSASL_CB_TLS_EXPORTER, in->cb_exporter);
		set(session, GSASL_CB_TLS_UNIQUE, in->cb_unique);
	}
	return 0;
}

/*
 * server-first-message = [reserved-mext ","] nonce "," salt ","
 *                        iteration-count ["," extensions]
 * iteration-count = "i=" posit-number              (RFC 5802, section 7)
 * The library checks the nonce and takes any count.
 */
static int check_iterations(const struct exchange *x, const char *in, size_t n, struct error *err)
{
	const char *end = in + n, *p = in;
	unsigned long count = 0;

	while (p && (end - p < 2 || memcmp(p, "i=", 2) != 0)) {
		p = memchr(p, ',', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	for (p = p ? p + 2 : end; p < end && *p >= '0' && *p <= '9'; p++) {
		if (count <= SCRAM_ITERATIONS_MAX)
			count = count * 10 + (unsigned long)(*p - '0');
	}
	if (p < end && *p != ',')
		count = 0;
	if (count == 0)
		return error_set(err, FAULT_RESPONSE_REFUSED,
				 "the server sent no iteration count");
	if (count > SCRAM_ITERATIONS_MAX)
		return error_set(err, FAULT_MECHANISM_WEAK, "the server wants more than %u "
				 "iterations", SCRAM_ITERATIONS_MAX);
	if (count < x->in->scram_min_iterations)
		return error_set(err, FAULT_MECHANISM_WEAK, "the server stores the password with "
				 "%lu iterations only, fewer than scram_min_iterations = %u",
				 count, x->in->scram_min_iterations);
	return 0;
}

static int failed(const struct exchange *x, int rc, struct error *err)
{
	const unsigned flags = x->mechanism->flags;
	bool first = x->steps == 0;

	/* its tables are those of Unicode 3.2, and right passwords may be newer */
	if (rc == GSASL_SASLPREP_ERROR)
		return error_set(err, FAULT_NO_MECHANISM, "user name or password has a character "
				 "that SASLprep does not know (newer than Unicode 3.2)");
	if (rc == GSASL_AUTHENTICATION_ERROR && (flags & MECHANISM_PROOF) && !first)
		return error_set(err, FAULT_SERVER_UNPROVEN,
				 "the server could not prove that it knows the password");
	/* tickets expire, and the server that gives them may be out of reach */
	if ((flags & MECHANISM_TICKET) && first)
		return error_set(err, FAULT_NO_TICKET, "no valid ticket for %s/%s (see klist and "
				 "kinit; libgsasl: %s)", x->in->service, x->in->host,
				 gs.strerror(rc));
	if (flags & MECHANISM_TICKET)
		return error_set(err, FAULT_SERVER_UNPROVEN, "the server could not prove who it "
				 "is (libgsasl: %s)", gs.strerror(rc));
	return error_set(err, FAULT_RESPONSE_REFUSED, "libgsasl: %s", gs.strerror(rc));
}

/*
 * The library takes the first realm of a DIGEST-MD5 challenge, whatever it
 * was told: so the account's own is put in front of the server's.
 * realm = "realm" "=" <"> realm-value <">              (RFC 2831, section 2.1.1)
 */
static void add_realm(struct strbuf *challenge, const char *realm, const char *in, size_t n)
{
	strbuf_addstr(challenge, "realm=");
	text_quote_add(challenge, realm);
	strbuf_addch(challenge, ',');
	strbuf_add(challenge, in, n);
}

static int call_library(struct exchange *x, const char *in, size_t n, char **answer,
			size_t *length)
{
	struct strbuf challenge = STRBUF_INIT(CHALLENGE_MAX);

	if (x->steps > 0 || !x->in->realm || strcmp(x->mechanism->name, "DIGEST-MD5") != 0)
		return gs.step(x->state, in, n, answer, length);
	add_realm(&challenge, x->in->realm, in, n);
	int rc = gs.step(x->state, challenge.buf, challenge.len, answer, length);

	strbuf_release(&challenge);
	return rc;
}

static int step(struct exchange *x, const char *in, size_t n, struct strbuf *out,
		struct error *err)
{
	bool scram = strncmp(x->mechanism->name, "SCRAM-", 6) == 0;
	char *answer = NULL;
	size_t length = 0;

	/* the library would say it all once more */
	if (x->complete)
		return error_set(err, FAULT_RESPONSE_REFUSED,
				 "the server does not come to an end");
	if (scram && x->steps == 1 && check_iterations(x, in, n, err) < 0)
		return -1;
	int rc = call_library(x, in, n, &answer, &length);

	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return failed(x, rc, err);
	strbuf_add(out, answer, length);
	if (answer)
		explicit_bzero(answer, length);
	gs.free(answer);
	x->complete = rc == GSASL_OK;
	return 0;
}

static void finish(struct exchange *x)
{
	if (x->state)
		gs.finish(x->state);
	x->state = NULL;
}

const struct mechanism_kind mechanism_gsasl = { start, step, finish };
