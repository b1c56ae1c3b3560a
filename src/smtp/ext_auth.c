#include "config.h"
#include "smtp/ext_auth.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "net/tls.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/mechanism.h"
#include "smtp/session.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/secret.h"

#define ROUNDS_MAX 16		/* challenges of one mechanism; GSSAPI needs three */
#define BINDING_MAX 1024
#define SECRET_MAX (1024 * 1024)	/* octets of a response; tokens go up to 64 KiB */

/* What a try of one mechanism leads to. */
enum verdict { AUTH_DONE, AUTH_FAILED, AUTH_NEXT, AUTH_WITHOUT_INITIAL };

/* One sign-in: secrets are fetched once, whatever number of mechanisms is tried. */
struct sign_in {
	struct session *s;
	struct secret password, token;
	struct strbuf exporter, unique;		/* channel bindings, base64; one at most is set */
	struct strbuf response;			/* of the mechanism, octets */
	struct strbuf coded;			/* the same in base64 */
};

/* --- does it have to be? ----------------------------------------------- */

static bool token_configured(const struct auth_settings *a)
{
	return secret_is_set(&a->token) || a->token_file || a->token_command;
}

static bool password_configured(const struct auth_settings *a)
{
	return secret_is_set(&a->password) || a->password_file || a->password_command ||
		a->passwordeval || a->password_fd >= 0 || a->password_credential;
}

/* A client certificate alone is used for EXTERNAL where that is offered. */
static bool certificate_only(const struct session *s)
{
	const struct account *a = s->account;

	return a->auth.mode == AUTH_AUTO && a->tls.cert_file && !a->auth.user &&
		!token_configured(&a->auth);
}

bool auth_wanted(const struct session *s)
{
	const struct auth_settings *a = &s->account->auth;

	if (s->opt.info_only || s->authenticated || a->mode == AUTH_OFF)
		return false;
	return a->mode != AUTH_AUTO || a->user || token_configured(a);
}

/* "AUTH" *( SP mechanism ); a second line, or an old "AUTH=", adds to it */
int auth_parse(struct session *s, const struct strvec *args, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < args->n; i++) {
		if (!strvec_has(&s->mechanisms, args->v[i]))
			strvec_add(&s->mechanisms, args->v[i]);
	}
	return 0;
}

/* --- which mechanism? -------------------------------------------------- */

/* May the server be shown the secret itself? */
static bool may_be_read(const struct session *s)
{
	const struct account *a = s->account;

	return s->verified || s->local || a->auth.plaintext == AUTH_PLAINTEXT_ALWAYS ||
		(s->encrypted && a->tls.allow_insecure_auth);
}

/* Not with the weaker form when the stronger one could be had (RFC 5802, section 6). */
static bool bound_form_offered(const struct sign_in *g, const struct mechanism *m)
{
	return (m->flags & MECHANISM_PROOF) && strncmp(m->name, "SCRAM-", 6) == 0 &&
		(g->exporter.len || g->unique.len) &&
		(strvec_has(&g->s->mechanisms, "SCRAM-SHA-1-PLUS") ||
		 strvec_has(&g->s->mechanisms, "SCRAM-SHA-256-PLUS"));
}

/* Does the account say by other means than a name that it wants m? NULL or why not. */
static const char *unwanted(const struct sign_in *g, const struct mechanism *m)
{
	const struct session *s = g->s;
	const struct auth_settings *a = &s->account->auth;

	if (m->flags & MECHANISM_NAMED)
		return "only when named in 'auth'";
	if ((m->flags & MECHANISM_LEGACY) && !s->account->classic)
		return "weak: only when named in 'auth'";
	if ((m->flags & MECHANISM_CERTIFICATE) &&
	    (!s->encrypted || !tls_is(wire_stream(s->wire)) ||
	     !tls_sent_certificate(wire_stream(s->wire)) || password_configured(a)))
		return "no client certificate in use";
	if ((m->flags & MECHANISM_TOKEN) && !token_configured(a))
		return "no token configured";
	if ((m->flags & MECHANISM_PASSWORD) &&
	    (!a->user || (token_configured(a) && !password_configured(a))))
		return a->user ? "no password configured" : "'user' is not set";
	if (!(m->flags & MECHANISM_BINDING) && bound_form_offered(g, m))
		return "its -PLUS form is to be used";
	return NULL;
}

/* NULL when m can be used here and now, else why not. */
static const char *hindrance(const struct sign_in *g, const struct mechanism *m)
{
	const struct auth_settings *a = &g->s->account->auth;
	const char *why = NULL;

	if (a->mode == AUTH_MECHANISM)
		why = strcasecmp(a->mechanism, m->name) == 0 ? NULL : "not the one named in 'auth'";
	else
		why = unwanted(g, m);
	if (why)
		return why;
	if ((m->flags & MECHANISM_BINDING) && !g->exporter.len && !g->unique.len)
		return "no channel binding";
	if ((m->flags & MECHANISM_READABLE) && !may_be_read(g->s))
		return g->s->encrypted ? "needs a verified certificate" : "needs TLS";
	return NULL;
}

/* "the server offers CRAM-MD5 (weak: ...), X (not known here)" */
static int nothing_usable(const struct sign_in *g, struct error *err)
{
	const struct strvec *offered = &g->s->mechanisms;
	struct strbuf list = STRBUF_INIT(2048);

	for (size_t i = 0; i < offered->n; i++) {
		const struct mechanism *m = mechanism_find(offered->v[i]);

		strbuf_addf(&list, "%s%s (%s)", i ? ", " : "", offered->v[i],
			    m ? hindrance(g, m) : "not known here");
	}
	error_set(err, EX_UNAVAILABLE, "5.7.4", "no way to sign in: the server offers %s",
		  list.len ? list.buf : "no mechanism");
	strbuf_release(&list);
	return -1;
}

/* The binding that this TLS version has: tls-unique for 1.2, tls-exporter for 1.3 (RFC 9266). */
static void get_bindings(struct sign_in *g)
{
	const struct stream *top = wire_stream(g->s->wire);
	struct strbuf raw = STRBUF_INIT(BINDING_MAX);

	if (!tls_is(top))
		return;
	if (tls_channel_binding(top, true, &raw) == 0)
		base64_encode(&g->unique, raw.buf, raw.len);
	else if (tls_channel_binding(top, false, &raw) == 0)
		base64_encode(&g->exporter, raw.buf, raw.len);
	strbuf_release_secret(&raw);
}

/* --- one mechanism ----------------------------------------------------- */

static int fetch(struct sign_in *g, enum credential kind, struct secret *secret, struct error *err)
{
	const struct session_options *o = &g->s->opt;

	if (secret_is_set(secret))
		return 0;
	if (!o->credential)
		return error_set(err, EX_CONFIG, "5.3.5", "no password or token is configured");
	return o->credential(o->credential_ctx, kind, secret, err);
}

static int make_input(struct sign_in *g, const struct mechanism *m, struct mechanism_input *in,
		      struct error *err)
{
	const struct auth_settings *a = &g->s->account->auth;

	*in = (struct mechanism_input){
		.user = a->user, .authzid = a->authzid, .realm = a->realm,
		.ntlmdomain = a->ntlmdomain, .host = g->s->opt.host, .service = "smtp",
		.port = g->s->opt.port, .scram_min_iterations = a->scram_min_iterations,
		.cb_exporter = g->exporter.len ? g->exporter.buf : NULL,
		.cb_unique = g->unique.len ? g->unique.buf : NULL,
	};
	if (m->flags & MECHANISM_PASSWORD) {
		if (!a->user)
			return error_set(err, EX_CONFIG, "5.3.5", "AUTH %s needs 'user'", m->name);
		if (fetch(g, CREDENTIAL_PASSWORD, &g->password, err) < 0)
			return -1;
		in->secret = g->password.data;
	} else if (m->flags & MECHANISM_TOKEN) {
		if (fetch(g, CREDENTIAL_TOKEN, &g->token, err) < 0)
			return -1;
		in->secret = g->token.data;
	}
	return 0;
}

/* The mechanism's next response, coded; "=" stands for an empty initial one. */
static int respond(struct sign_in *g, struct exchange *x, const char *in, size_t n,
		   struct error *err)
{
	strbuf_release_secret(&g->response);
	strbuf_release_secret(&g->coded);
	if (exchange_step(x, in, n, &g->response, err) < 0)
		return -1;
	if (strbuf_overflow(&g->response))
		return error_set(err, EX_DATAERR, "5.5.6", "a response to AUTH is too long");
	base64_encode(&g->coded, g->response.buf, g->response.len);
	return 0;
}

static int send_response(struct sign_in *g, const char *open, const char *coded, size_t n,
			 struct error *err)
{
	struct deadline d = session_deadline(g->s, STAGE_AUTH);

	if (command_send_secret(g->s->wire, open, coded, n, &d, err) == 0)
		return 0;
	g->s->dead = true;
	return -1;
}

/* AUTH itself, with the initial response where there is one and it fits (RFC 4954, section 4). */
static int send_auth(struct sign_in *g, const struct mechanism *m, bool initial, struct error *err)
{
	struct strbuf *line = &g->s->line;

	strbuf_reset(line);
	strbuf_addstr(line, "AUTH ");
	strbuf_addstr(line, m->name);
	if (!initial)
		return session_command(g->s, STAGE_AUTH, err);
	int early = session_quiet(g->s, err);

	if (early)
		return early < 0 ? -1 : 0;
	strbuf_addch(line, ' ');
	if (send_response(g, line->buf, g->coded.len ? g->coded.buf : "=",
			  g->coded.len ? g->coded.len : 1, err) < 0)
		return -1;
	return session_reply(g->s, STAGE_AUTH, err);
}

static bool fits_line(const struct sign_in *g, const struct mechanism *m)
{
	return strlen("AUTH ") + strlen(m->name) + 1 + g->coded.len + 2 <= COMMAND_MAX;
}

/* "*" and the 501 for it, after which err still says why (RFC 4954, section 4). */
static enum verdict cancel(struct sign_in *g)
{
	struct error ignored;

	if (g->s->dead)
		return AUTH_FAILED;
	strbuf_reset(&g->s->line);
	strbuf_addch(&g->s->line, '*');
	if (session_command(g->s, STAGE_AUTH, &ignored) < 0)
		return AUTH_FAILED;
	if (reply_class(&g->s->reply) == 2 || reply_class(&g->s->reply) == 3)
		g->s->dead = true;	/* it does not know what is going on: no more commands */
	return AUTH_FAILED;
}

/* challenge = "334" SP [base64] CRLF (RFC 4954, section 8) */
static int decode_challenge(const struct sign_in *g, struct strbuf *out, struct error *err)
{
	const struct reply *r = &g->s->reply;

	if (r->lines.n == 1 && base64_decode(out, r->lines.v[0], strlen(r->lines.v[0])) == 0)
		return 0;
	return error_set(err, EX_PROTOCOL, "5.5.2", "AUTH: the server's challenge is not base64");
}

/* One challenge and its answer; pending: the response that had to wait for this 334. */
static int answer(struct sign_in *g, struct exchange *x, bool pending, struct error *err)
{
	struct strbuf challenge = STRBUF_INIT(REPLY_TOTAL_MAX);
	int rc = 0;

	if (!pending) {
		rc = decode_challenge(g, &challenge, err);
		if (rc == 0)
			rc = respond(g, x, challenge.buf, challenge.len, err);
	}
	strbuf_release_secret(&challenge);
	if (rc < 0) {
		cancel(g);
		return -1;
	}
	if (send_response(g, "", g->coded.buf, g->coded.len, err) < 0)
		return -1;
	return session_reply(g->s, STAGE_AUTH, err);
}

/* Replies that allow another try; all others end the sign-in (protocol.md D1). */
static enum verdict refused(int code, bool initial)
{
	static const struct {
		int code;
		enum verdict with_initial, without;
	} table[] = {
		{ 500, AUTH_WITHOUT_INITIAL, AUTH_NEXT },
		{ 501, AUTH_WITHOUT_INITIAL, AUTH_FAILED },
		{ 504, AUTH_NEXT, AUTH_NEXT },
		{ 534, AUTH_NEXT, AUTH_NEXT },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].code == code)
			return initial ? table[i].with_initial : table[i].without;
	}
	return AUTH_FAILED;
}

static enum verdict judge(struct sign_in *g, const struct mechanism *m, const struct exchange *x,
			  bool initial, struct error *err)
{
	const struct reply *r = &g->s->reply;

	if (r->code == 235 && ((m->flags & MECHANISM_PROOF) == 0 || exchange_complete(x)))
		return AUTH_DONE;
	if (r->code == 235) {
		error_set(err, EX_PROTOCOL, "5.7.0", "AUTH %s: the server did not prove that it "
			  "knows the password", m->name);
		return AUTH_FAILED;
	}
	reply_error_about(r, STAGE_AUTH, m->name, err);
	if (*exchange_detail(x))
		error_append(err, " (token: %s)", exchange_detail(x));
	return refused(r->code, initial);
}

/* The dialogue after the exchange is made: "AUTH", challenges, the last reply. */
static enum verdict run(struct sign_in *g, const struct mechanism *m, struct exchange *x,
			bool want_initial, struct error *err)
{
	bool first = (m->flags & MECHANISM_INITIAL) != 0, initial = false;

	if (first && respond(g, x, NULL, 0, err) < 0)
		return AUTH_NEXT;	/* nothing was sent yet */
	initial = first && want_initial && fits_line(g, m);
	if (send_auth(g, m, initial, err) < 0)
		return AUTH_FAILED;
	bool pending = first && !initial;

	for (int round = 0; g->s->reply.code == 334; round++) {
		if (round == ROUNDS_MAX) {
			error_set(err, EX_PROTOCOL, "5.5.0", "AUTH %s: the server does not come "
				  "to an end", m->name);
			return cancel(g);
		}
		if (answer(g, x, pending, err) < 0)
			return AUTH_FAILED;
		pending = false;
	}
	return judge(g, m, x, initial, err);
}

static enum verdict try_once(struct sign_in *g, const struct mechanism *m, bool initial,
			     struct error *err)
{
	struct mechanism_input in;
	struct exchange *x = NULL;

	if (make_input(g, m, &in, err) < 0)
		return AUTH_FAILED;
	if (exchange_new(m, &in, &x, err) < 0)
		return err->exit == EX_CONFIG ? AUTH_FAILED : AUTH_NEXT;
	enum verdict verdict = run(g, m, x, initial, err);

	exchange_free(x);
	return verdict == AUTH_NEXT && g->s->dead ? AUTH_FAILED : verdict;
}

static enum verdict try_mechanism(struct sign_in *g, const struct mechanism *m, struct error *err)
{
	enum verdict verdict = try_once(g, m, true, err);

	if (verdict == AUTH_WITHOUT_INITIAL && !g->s->dead)
		verdict = try_once(g, m, false, err);
	if (verdict == AUTH_DONE) {
		g->s->authenticated = true;
		g->s->mechanism = m->name;
	}
	return verdict;
}

/* --- all of it --------------------------------------------------------- */

static int sign_in(struct sign_in *g, struct error *err)
{
	bool tried = false;

	for (size_t i = 0; i < mechanism_count; i++) {
		const struct mechanism *m = &mechanisms[i];

		if (!strvec_has(&g->s->mechanisms, m->name) || hindrance(g, m))
			continue;
		enum verdict verdict = try_mechanism(g, m, err);

		if (verdict != AUTH_NEXT)
			return verdict == AUTH_DONE ? 0 : -1;
		tried = true;
	}
	return tried ? -1 : nothing_usable(g, err);
}

static int authenticate(struct session *s, struct error *err)
{
	struct sign_in g = { .s = s, .exporter = STRBUF_INIT(2 * BINDING_MAX),
		.unique = STRBUF_INIT(2 * BINDING_MAX), .response = STRBUF_INIT(SECRET_MAX),
		.coded = STRBUF_INIT(2 * SECRET_MAX) };

	get_bindings(&g);
	int rc = sign_in(&g, err);

	secret_release(&g.password);
	secret_release(&g.token);
	strbuf_release_secret(&g.exporter);
	strbuf_release_secret(&g.unique);
	strbuf_release_secret(&g.response);
	strbuf_release_secret(&g.coded);
	return rc;
}

enum ehlo_next auth_after_ehlo(struct session *s, struct error *err)
{
	bool certificate = certificate_only(s) && !s->opt.info_only && !s->authenticated &&
		session_has(s, EXT_AUTH) && strvec_has(&s->mechanisms, "EXTERNAL") &&
		tls_is(wire_stream(s->wire)) && tls_sent_certificate(wire_stream(s->wire));

	if (!auth_wanted(s) && !certificate)
		return EHLO_CONTINUE;
	if (!session_has(s, EXT_AUTH)) {
		error_set(err, EX_UNAVAILABLE, "5.7.4", "no way to sign in: the server does not "
			  "offer AUTH%s", s->encrypted ? "" : " without TLS");
		return EHLO_FAILED;
	}
	if (authenticate(s, err) < 0)
		return EHLO_FAILED;
	/* some servers announce DSN and SMTPUTF8 only to those who have signed in */
	return s->opt.envelope && extensions_missing(s, s->opt.envelope) ? EHLO_AGAIN
		: EHLO_CONTINUE;
}
