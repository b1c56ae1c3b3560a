#include "config.h"
#include "tls/tls.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "tls/truststore.h"
#include "util/clock.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* --- the library -------------------------------------------------------------------- */

DYNLIB_NOTE(gnutls,
	    "[{\"feature\":\"tls\",\"description\":\"TLS (STARTTLS and implicit)\","
	    "\"priority\":\"recommended\",\"soname\":[\"" GNUTLS_SONAME "\"]}]");

struct gnutls_api gtls;
struct gnutls_rare_api gtls_rare;

static const struct dynlib_symbol symbols[] = {
#define GNUTLS_SYMBOL(entry) { "gnutls_" #entry, &gtls.entry },
	GNUTLS_API(GNUTLS_SYMBOL)
#undef GNUTLS_SYMBOL
	{ "gnutls_free", &gtls.free_memory },
};

static const struct dynlib_symbol rare_symbols[] = {
#define GNUTLS_SYMBOL(entry) { "gnutls_" #entry, &gtls_rare.entry },
	GNUTLS_RARE_API(GNUTLS_SYMBOL)
#undef GNUTLS_SYMBOL
};

int gnutls_api_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, GNUTLS_SONAME, "libgnutls30", symbols, ARRAY_LEN(symbols), err);
}

int gnutls_rare_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, GNUTLS_SONAME, "libgnutls30", rare_symbols,
			   ARRAY_LEN(rare_symbols), err);
}

/*
 * No %COMPAT: it switches the extended master secret off, and channel bindings
 * with it. %PROFILE_MEDIUM is 2048 bits of RSA and Diffie-Hellman, and no SHA-1.
 */
static const char default_priorities[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%PROFILE_MEDIUM";

enum {
	RECORDS_AT_ONCE = 4,		/* made before they go down in one write */
	OUT_MAX = 1024 * 1024,		/* far above those records and any flight of a handshake */
	WARNINGS_MAX = 16,
	PRIORITIES_MAX = 128 * 1024,
	ALPN_MAX = 8,			/* of the library */
};

static const struct stream_ops tls_ops;

static const char *peer(const struct tls *t)
{
	return t->server ? "client" : "server";
}

/* --- octets between GnuTLS and the lower stream ------------------------- */

/*
 * GnuTLS's output is only gathered here, so each flight is one write, and the
 * library never sees a write that cannot go on: a record is taken as a whole,
 * even where a key update falls between.
 */
static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t n)
{
	struct tls *t = ptr;

	tls_trace_octets(t, false, data, n);
	strbuf_add(&t->out, data, n);
	if (!strbuf_overflow(&t->out))
		return (ssize_t)n;
	error_set(&t->fault, FAULT_BUG, "the TLS library has too much to send");
	gtls.transport_set_errno(t->session, EIO);
	return -1;
}

/* Moves what the lower stream takes now; whether all of it went shows in blocked(). */
static int flush(struct tls *t, struct error *err)
{
	while (t->out_sent < t->out.len) {
		ssize_t done = stream_write(t->stream.lower, t->out.buf + t->out_sent,
					    t->out.len - t->out_sent, err);

		if (done == STREAM_AGAIN)
			return 0;
		if (done < 0)
			return -1;
		t->out_sent += (size_t)done;
	}
	strbuf_reset(&t->out);
	t->out_sent = 0;
	return 0;
}

static bool blocked(const struct tls *t)
{
	return t->out_sent < t->out.len;
}

/* What we say may find the connection closed, and what the peer said before still tell why. */
static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t n)
{
	struct tls *t = ptr;
	struct error unsent = { 0 };
	bool lost = flush(t, &unsent) < 0;
	ssize_t done = stream_read(t->stream.lower, data, n, &t->fault);

	if (lost && done <= 0) {
		t->fault = unsent;
		done = -1;
	}
	if (done < 0) {
		gtls.transport_set_errno(t->session, done == STREAM_AGAIN ? EAGAIN : EIO);
		return -1;
	}
	t->ended |= done == 0;
	tls_trace_octets(t, true, data, (size_t)done);
	for (ssize_t i = 0; i < done && t->first_count < sizeof(t->first); i++)
		t->first[t->first_count++] = ((const unsigned char *)data)[i];
	return done;
}

/* --- what went wrong ---------------------------------------------------- */

/* The content types of RFC 8446, section 5.1, from change_cipher_spec to heartbeat. */
static bool is_record(const struct tls *t)
{
	return t->first_count > 0 && t->first[0] >= 20 && t->first[0] <= 24;
}

/* An SMTP server greets with three digits (RFC 5321, section 4.2). */
static bool is_clear_text(const struct tls *t)
{
	return t->first_count == sizeof(t->first) && isdigit(t->first[0]) &&
	       isdigit(t->first[1]) && isdigit(t->first[2]);
}

static int not_tls(const struct tls *t, struct error *err)
{
	if (!t->settings)
		return error_set(err, FAULT_NOT_TLS, "the client does not speak TLS");
	if (!is_clear_text(t))
		return error_set(err, FAULT_NOT_TLS,
				 "server on port %u does not speak TLS", t->settings->port);
	if (t->settings->starttls)
		return error_set(err, FAULT_TLS,
				 "server on port %u sent clear text where TLS should begin",
				 t->settings->port);
	return error_set(err, FAULT_SMTP_SPOKEN,
			 "server on port %u speaks plain SMTP: use tls = starttls",
			 t->settings->port);
}

/* TLS 1.3, section 6.2: what some alerts mean to a client, and how the user is told. */
static const struct {
	gnutls_alert_description_t alert;
	enum fault fault;
	const char *hint;
} alerts[] = {
	{ GNUTLS_A_CERTIFICATE_REQUIRED, FAULT_OUR_CERTIFICATE_WANTED,
	  ": it wants a certificate, set tls_cert_file and tls_key_file" },
	{ GNUTLS_A_BAD_CERTIFICATE, FAULT_OUR_CERTIFICATE_REFUSED,
	  ": it does not accept the certificate of tls_cert_file" },
	{ GNUTLS_A_CERTIFICATE_UNKNOWN, FAULT_OUR_CERTIFICATE_REFUSED,
	  ": it does not accept the certificate" },
	{ GNUTLS_A_UNKNOWN_CA, FAULT_OUR_CA_UNKNOWN,
	  ": it does not know the CA of the certificate" },
	{ GNUTLS_A_CERTIFICATE_EXPIRED, FAULT_OUR_CERTIFICATE_EXPIRED, "" },
	{ GNUTLS_A_PROTOCOL_VERSION, FAULT_TLS_VERSION_REFUSED,
	  ": it has no TLS version that is allowed here, see tls_priorities" },
	{ GNUTLS_A_HANDSHAKE_FAILURE, FAULT_TLS_NO_CIPHER,
	  ": perhaps it has no cipher that is allowed here, see tls_priorities, or wants a "
	  "certificate" },
	{ GNUTLS_A_NO_APPLICATION_PROTOCOL, FAULT_TLS_ALERT,
	  ": it has no protocol of that name, see tls_alpn" },
};

static int alert_error(const struct tls *t, struct error *err)
{
	gnutls_alert_description_t alert = gtls.alert_get(t->session);
	const char *name = gtls.alert_get_name(alert), *hint = "";
	enum fault fault = FAULT_TLS_ALERT;

	for (size_t i = 0; !t->server && i < ARRAY_LEN(alerts); i++) {
		if (alerts[i].alert == alert) {
			fault = alerts[i].fault;
			hint = alerts[i].hint;
		}
	}
	return error_set(err, fault, "the %s ended TLS with the alert '%s' (%u)%s", peer(t),
			 name ? name : "unknown", (unsigned)alert, hint);
}

/* Every failure of the library becomes an error here; the stream is dead from then on. */
static int tls_fail(struct tls *t, int code, const char *doing, struct error *err)
{
	t->dead = true;
	strbuf_reset(&t->out);
	if (t->fault.exit)
		*err = t->fault;
	else if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		alert_error(t, err);
	else if (code == GNUTLS_E_PREMATURE_TERMINATION || t->ended)
		error_set(err, FAULT_CONNECTION_LOST, "connection closed by the %s %s", peer(t),
			  doing);
	else if (code == GNUTLS_E_REHANDSHAKE)
		error_set(err, FAULT_TLS,
			  "the %s wants to renegotiate TLS, which is refused", peer(t));
	else	/* nothing came to an end: what came is wrong */
		error_set(err, FAULT_TLS, "TLS failed %s: %s", doing,
			  gtls.strerror(code));
	t->fault = *err;
	return -1;
}

static const char in_handshake[] = "during the TLS handshake";
static const char in_session[] = "in the middle of the session";

/* Codes of the library that deserve more than its own words. */
static void explain(struct tls *t, int code)
{
	if (t->fault.exit)
		return;
	if (t->first_count && !is_record(t))
		not_tls(t, &t->fault);
	else if (code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
		error_set(&t->fault, FAULT_TLS_VERSION,
			  "the %s has no TLS version that is allowed here%s", peer(t),
			  t->server ? "" : " (see tls_priorities)");
	else if (code == GNUTLS_E_DH_PRIME_UNACCEPTABLE)
		error_set(&t->fault, FAULT_TLS,
			  "the Diffie-Hellman prime of the %s is too short (for an old server: "
			  "tls_min_dh_prime_bits = 1024)", peer(t));
}

static int handshake_fail(struct tls *t, int code, struct error *err)
{
	explain(t, code);
	/* the alert tells the peer's administrator why; nothing waits for it */
	gtls.alert_send_appropriate(t->session, code);
	struct error ignored;

	if (flush(t, &ignored) < 0)
		strbuf_reset(&t->out);
	return tls_fail(t, code, in_handshake, err);
}

/* --- the stream --------------------------------------------------------- */

static int dead(const struct tls *t, struct error *err)
{
	*err = t->fault;
	return -1;
}

static bool is_again(ssize_t code)
{
	return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static ssize_t tls_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	struct tls *t = (struct tls *)s;

	if (t->dead)
		return dead(t, err);
	ssize_t got = gtls.record_recv(t->session, buf, n);

	if (got >= 0)
		return got;
	if (got == GNUTLS_E_WARNING_ALERT_RECEIVED && ++t->warnings <= WARNINGS_MAX)
		return STREAM_AGAIN;
	return is_again(got) ? STREAM_AGAIN
			     : tls_fail(t, (int)got, in_session, err);
}

/*
 * As flush(), in a session: what cannot be sent is the end of writing, and
 * what the peer said before it went can be read still (a server may answer
 * 552 amid the data, and close).
 */
static int send_out(struct tls *t, struct error *err)
{
	if (!t->unwritable.exit && flush(t, &t->unwritable) == 0)
		return 0;
	strbuf_reset(&t->out);
	t->out_sent = 0;
	*err = t->unwritable;
	return -1;
}

/* Accepted octets are records in t->out; they go down here, or while something is waited for. */
static ssize_t tls_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	struct tls *t = (struct tls *)s;
	const char *data = buf;
	size_t taken = 0;

	if (t->dead)
		return dead(t, err);
	if (send_out(t, err) < 0)
		return -1;
	if (blocked(t))
		return STREAM_AGAIN;
	for (int i = 0; i < RECORDS_AT_ONCE && taken < n; i++) {
		ssize_t put = gtls.record_send(t->session, data + taken, n - taken);

		if (put < 0)
			return tls_fail(t, (int)put, in_session, err);
		taken += (size_t)put;
	}
	return send_out(t, err) < 0 ? -1 : (ssize_t)taken;
}

/* Nothing can be sent, so nothing more will come: is what came before read to its end? */
static int still_there(const struct tls *t, int events)
{
	const struct deadline now = { .at = 1, .what = "what the peer has said" };
	struct error nothing;

	if (!(events & STREAM_IN))
		return -1;
	if (gtls.record_check_pending(t->session) > 0)
		return STREAM_IN;
	return stream_wait(t->stream.lower, STREAM_IN, &now, &nothing) > 0 ? STREAM_IN : -1;
}

static int tls_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	struct tls *t = (struct tls *)s;

	for (;;) {
		if (t->dead)
			return dead(t, err);
		if (send_out(t, err) < 0)
			return still_there(t, events);
		int ready = events & STREAM_OUT && !blocked(t) ? STREAM_OUT : 0;

		if (events & STREAM_IN && gtls.record_check_pending(t->session) > 0)
			ready |= STREAM_IN;
		if (ready)
			return ready;
		ready = stream_wait(t->stream.lower,
				    (blocked(t) ? STREAM_OUT : 0) | (events & STREAM_IN), d, err);
		if (ready < 0 || (ready & events & STREAM_IN))
			return ready < 0 ? -1 : STREAM_IN;
	}
}

static void tls_close(struct stream *s)
{
	struct tls *t = (struct tls *)s;
	struct error ignored;

	if (!t->dead) {
		(void)gtls.bye(t->session, GNUTLS_SHUT_WR);
		if (flush(t, &ignored) < 0)
			t->dead = true;
	}
	if (!blocked(t))	/* else the end would overtake what is still to be sent */
		stream_close(t->stream.lower);
}

/* Frees all but the lower stream. */
static void tls_drop(struct tls *t)
{
	tls_resume_drop(t);
	if (t->session)
		gtls.deinit(t->session);
	if (t->credentials)
		gtls.certificate_free_credentials(t->credentials);
	truststore_free(t->trust);
	tls_crl_release(t);
	strbuf_release(&t->out);
	xfree(t);
}

/* What is to be resumed must have ended well: many servers forget it otherwise. */
static void tls_free(struct stream *s)
{
	struct stream *lower = s->lower;
	struct tls *t = (struct tls *)s;
	struct error ignored;

	if (t->resume && !t->dead) {
		tls_resume_save(t);
		(void)gtls.bye(t->session, GNUTLS_SHUT_WR);
		t->dead = flush(t, &ignored) < 0;
	}
	tls_drop((struct tls *)s);
	stream_free(lower);
}

static const struct stream_ops tls_ops = {
	.name = "tls",
	.read = tls_read,
	.write = tls_write,
	.wait = tls_wait,
	.close = tls_close,
	.free = tls_free,
};

bool tls_is(const struct stream *s)
{
	return s && s->ops == &tls_ops;
}

/* --- setting up --------------------------------------------------------- */

/* "cannot do what: the library's words", EX_SOFTWARE. */
static int library_error(int code, const char *what, struct error *err)
{
	return error_set(err, FAULT_BUG, "TLS library: %s: %s", what,
			 gtls.strerror(code));
}

/* Behind the priorities of the user, so that it holds whatever they are. */
static const char only_tls13[] = ":-VERS-TLS1.2:-VERS-TLS1.1:-VERS-TLS1.0";

static int set_priorities(struct tls *t, const char *priorities, bool new_only,
			  struct error *err)
{
	struct strbuf all = STRBUF_INIT(PRIORITIES_MAX);
	const char *bad = NULL;

	strbuf_addstr(&all, priorities ? priorities : default_priorities);
	if (new_only)
		strbuf_addstr(&all, only_tls13);
	int code = gtls.priority_set_direct(t->session, all.buf, &bad), rc = 0;

	if (code == GNUTLS_E_INVALID_REQUEST && bad && *bad)
		rc = error_set(err, FAULT_CONFIG, "tls_priorities: '%s' is wrong from '%s'",
			       all.buf, bad);
	else if (code < 0)
		rc = error_set(err, FAULT_CONFIG, "tls_priorities: '%s': %s", all.buf,
			       gtls.strerror(code));
	strbuf_release(&all);
	return rc;
}

static int tls_new(struct stream *lower, unsigned flags, struct tls **out, struct error *err)
{
	if (gnutls_api_load(err) < 0)
		return -1;
	struct tls *t = xcalloc(1, sizeof(*t));

	t->stream = (struct stream){ &tls_ops, lower };
	t->server = flags & GNUTLS_SERVER;
	strbuf_init(&t->out, OUT_MAX);
	int code = gtls.init(&t->session, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	if (code >= 0)
		code = gtls.certificate_allocate_credentials(&t->credentials);
	if (code >= 0)
		code = gtls.credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->credentials);
	if (code < 0) {
		tls_drop(t);
		return library_error(code, "cannot make a session", err);
	}
	gtls.session_set_ptr(t->session, t);
	gtls.transport_set_ptr(t->session, t);
	gtls.transport_set_push_function(t->session, push);
	gtls.transport_set_pull_function(t->session, pull);
	*out = t;
	return 0;
}

static int handshake(struct tls *t, const struct deadline *d, struct error *err)
{
	for (;;) {
		int code = gtls.handshake(t->session);

		if (code < 0 && is_again(code)) {
			int events = STREAM_IN | (blocked(t) ? STREAM_OUT : 0);

			if (stream_wait(t->stream.lower, events, d, err) < 0)
				return -1;
			continue;
		}
		if (code == GNUTLS_E_WARNING_ALERT_RECEIVED && ++t->warnings <= WARNINGS_MAX)
			continue;
		if (code < 0)
			return handshake_fail(t, code, err);
		if (flush(t, &t->fault) < 0)
			return tls_fail(t, GNUTLS_E_PUSH_ERROR, in_handshake, err);
		return 0;
	}
}

/* --- client ------------------------------------------------------------- */

/*
 * RFC 6066, section 3: a host name without trailing dot, and no addresses.
 * Servers on GnuTLS (Debian's Exim, Courier) break off at anything else.
 */
static int set_server_name(struct tls *t, const char *host, struct error *err)
{
	static const char letters_digits_hyphen[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
	unsigned char address[16];
	size_t n = strlen(host);

	if (n && host[n - 1] == '.')
		n--;
	if (tls_parse_address(host, address) || n == 0 ||
	    host[strspn(host, letters_digits_hyphen)])
		return 0;
	int code = gtls.server_name_set(t->session, GNUTLS_NAME_DNS, host, n);

	return code < 0 ? library_error(code, "cannot set the server's name", err) : 0;
}

/*
 * ProtocolName = opaque <1..255> (RFC 7301, section 3.1); the library takes
 * fewer. A server that does not know ALPN goes on without.
 */
static int set_alpn(struct tls *t, const char *const *names, struct error *err)
{
	gnutls_datum_t list[ALPN_MAX];
	unsigned n = 0;

	if (!names || !names[0])
		return 0;
	if (gnutls_rare_load(err) < 0)
		return -1;
	for (; names[n]; n++) {
		if (n == ALPN_MAX)
			return error_set(err, FAULT_CONFIG, "tls_alpn: more than %d protocols",
					 ALPN_MAX);
		list[n] = (gnutls_datum_t){ (unsigned char *)(uintptr_t)names[n],
					    (unsigned)strlen(names[n]) };
	}
	int code = gtls_rare.alpn_set_protocols(t->session, list, n, 0);

	return code < 0 ? error_set(err, FAULT_CONFIG, "tls_alpn: %s", gtls.strerror(code)) : 0;
}

static int client_prepare(struct tls *t, struct error *err)
{
	const struct tls_client *s = t->settings;

	if (set_priorities(t, s->priorities, s->only_tls13, err) < 0 ||
	    set_server_name(t, s->host, err) < 0 || set_alpn(t, s->alpn, err) < 0 ||
	    tls_load_client(t, err) < 0)
		return -1;
	if (s->min_dh_prime_bits)
		gtls.dh_set_prime_bits(t->session, s->min_dh_prime_bits);
	if (tls_verify_prepare(t, err) < 0)
		return -1;
	if (s->cache)
		tls_resume_prepare(t);
	return 0;
}

/* No session is used whose peer was not looked at, whatever the library did. */
static int client_finish(struct tls *t, struct error *err)
{
	const struct tls_client *s = t->settings;

	if (t->resume)
		tls_resume_started(t);
	if (t->verified || t->pinned)
		return 0;
	if (!s->verify && !s->fingerprint && !s->pins && !s->tlsa_n)
		return 0;
	return error_set(err, FAULT_CERTIFICATE, "the certificate of %s was not verified",
			 s->host);
}

int tls_connect(struct stream *lower, const struct tls_client *settings, const struct deadline *d,
		struct stream **out, struct error *err)
{
	/*
	 * One key share: a second one is made for nothing with nearly all servers.
	 * Our certificate is chosen by the user, not by the server's list of CAs.
	 * Tickets are for resumption, which a process for one message has no use for.
	 */
	const unsigned flags = GNUTLS_CLIENT | GNUTLS_KEY_SHARE_TOP | GNUTLS_FORCE_CLIENT_CERT |
			       (settings->cache ? 0 : GNUTLS_NO_TICKETS);
	struct tls *t;

	if (tls_new(lower, flags, &t, err) < 0)
		return -1;
	t->settings = settings;
	int rc = tls_trace_begin(t, settings->trace, settings->trace_ctx, err);

	if (rc == 0)
		rc = client_prepare(t, err);
	if (rc == 0) {
		rc = handshake(t, d, err);
		if (rc < 0)
			tls_resume_refused(t, err);
	}
	if (rc < 0 || client_finish(t, err) < 0) {
		tls_drop(t);
		return -1;
	}
	t->settings = NULL;
	truststore_free(t->trust);
	t->trust = NULL;
	tls_crl_release(t);
	*out = &t->stream;
	return 0;
}

/* --- server ------------------------------------------------------------- */

/* Clients without a certificate of these authorities get no session. */
static int ask_for_certificate(struct tls *t, const char *client_ca, struct error *err)
{
	if (!client_ca)
		return 0;
	if (gnutls_rare_load(err) < 0)
		return -1;
	if (gtls_rare.certificate_set_x509_trust_file(t->credentials, client_ca,
						      GNUTLS_X509_FMT_PEM) <= 0)
		return error_set(err, FAULT_CONFIG, "no certificate of an authority in '%s'",
				 client_ca);
	gtls_rare.certificate_server_set_request(t->session, GNUTLS_CERT_REQUIRE);
	return 0;
}

static int check_client(struct tls *t, const char *client_ca, struct error *err)
{
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned status = 0;

	if (!client_ca)
		return 0;
	if (gtls.certificate_verify_peers(t->session, &purpose, 1, &status) < 0 || status)
		return error_set(err, FAULT_CERTIFICATE, "the certificate of the client is none "
				 "of ours");
	t->verified = true;
	return 0;
}

static int load_server(struct tls *t, const struct tls_server *settings, struct error *err)
{
	return tls_load_pair(t, settings->cert_file, settings->key_file, err) < 0 ? -1 :
		ask_for_certificate(t, settings->client_ca, err);
}

int tls_server_check(const struct tls_server *settings, struct error *err)
{
	struct tls *t;

	if (tls_new(NULL, GNUTLS_SERVER, &t, err) < 0)
		return -1;
	const int rc = load_server(t, settings, err);

	tls_drop(t);
	return rc;
}

int tls_accept(struct stream *lower, const struct tls_server *settings, const struct deadline *d,
	       struct stream **out, struct error *err)
{
	struct tls *t;

	if (tls_new(lower, GNUTLS_SERVER, &t, err) < 0)
		return -1;
	if (set_priorities(t, NULL, false, err) < 0 ||
	    load_server(t, settings, err) < 0 || handshake(t, d, err) < 0 ||
	    check_client(t, settings->client_ca, err) < 0) {
		tls_drop(t);
		return -1;
	}
	*out = &t->stream;
	return 0;
}
