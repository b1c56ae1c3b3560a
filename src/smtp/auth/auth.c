#include "config.h"
#include "smtp/auth/auth.h"

#include <stdio.h>
#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/request.h"
#include "net/wire.h"
#include "smtp/auth/mechanism.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "smtp/veil.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/secret.h"

#define ROUNDS_MAX 16		/* challenges of one mechanism; GSSAPI needs three */
#define BINDING_MAX 1024
#define SECRET_MAX (1024 * 1024)	/* octets of a response; tokens go up to 64 KiB */

/* One sign-in: secrets are fetched once, whatever number of mechanisms is tried. */
struct sign_in {
	struct session *s;
	struct auth_choice choice;
	struct secret password, token;
	bool stale, renewed;			/* the token is not valid; there was a second one */
	struct strbuf exporter, unique;		/* channel bindings, base64 */
	bool next_binding;			/* the server has refused the first of them */
	struct strbuf response;			/* of the mechanism, octets */
	struct strbuf coded;			/* the same in base64 */
};

/* --- does it have to be? ----------------------------------------------- */

/* A client certificate alone is used for EXTERNAL where that is offered. */
static bool certificate_only(const struct session *s)
{
	const struct account *a = s->account;

	return a->auth.mode == AUTH_AUTO && (a->tls.cert_file || a->tls.pkcs12_file) &&
		!a->auth.user && !auth_has_token(&a->auth);
}

bool auth_wanted(const struct session *s)
{
	const struct auth_settings *a = &s->account->auth;

	if (s->opt.info_only || s->authenticated || a->mode == AUTH_OFF)
		return false;
	if (a->mode == AUTH_TRY)
		return false;
	return a->mode != AUTH_AUTO || a->user || auth_has_token(a);
}

/* Is it a reply to those whom the server does not know? */
static bool is_to_strangers(const struct reply *r, enum fault fault)
{
	static const int codes[] = { 530, 550, 551, 553, 554, 571 };
	/* RFC 3463: the subjects of address and mailbox */
	const bool mailbox = r->status[0] && (strncmp(r->status + 1, ".1.", 3) == 0 ||
					      strncmp(r->status + 1, ".2.", 3) == 0);

	if (fault == FAULT_RELAY_DENIED)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(codes) && !mailbox; i++) {
		if (codes[i] == r->code)
			return true;
	}
	return false;
}

void auth_explain_refusal(const struct session *s, const struct reply *r, struct error *err)
{
	const struct account *a = s->account;
	const bool off = a->auth.mode == AUTH_OFF;

	/* "off" is the default of msmtp's syntax alone */
	if (s->authenticated || !session_has(s, EXT_AUTH) || a->net.mx || (off && !a->classic) ||
	    a->auth.user || auth_has_token(&a->auth) || !is_to_strangers(r, err->fault))
		return;
	error_append(err, " (nobody signed in: set %s)", off ? "'auth = on' and 'user'" : "'user'");
}

/* "AUTH" *( SP mechanism ); a second line, or an old "AUTH=", adds to it */
void auth_parse(struct session *s, const struct strvec *args)
{
	for (size_t i = 0; i < args->n; i++) {
		if (!strvec_has(&s->mechanisms, args->v[i]))
			strvec_add(&s->mechanisms, args->v[i]);
	}
}

/* "AUTH=" xtext / "AUTH=<>" (RFC 4954, section 5): announced is enough, used or not */
void auth_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	(void)s;
	if (!e->ext.mail_auth)
		return;
	strbuf_addstr(out, " AUTH=");
	if (e->ext.mail_auth[0])
		xtext_add(out, e->ext.mail_auth);
	else
		strbuf_addstr(out, "<>");
}

/* --- one mechanism ----------------------------------------------------- */

static void get_binding(const struct sign_in *g, bool unique, struct strbuf *out)
{
	struct strbuf raw = STRBUF_SECRET(BINDING_MAX);

	if (tls_channel_binding(wire_stream(g->s->wire), unique, &raw) == 0)
		base64_encode(out, raw.buf, raw.len);
	strbuf_release_secret(&raw);
}

/* The bindings that this TLS version has: tls-unique up to 1.2, tls-exporter (RFC 9266). */
static void get_bindings(struct sign_in *g)
{
	const enum channel_binding wanted = g->s->account->auth.channel_binding;

	if (!tls_is(wire_stream(g->s->wire)) || wanted == BINDING_OFF)
		return;
	if (wanted != BINDING_TLS_EXPORTER)
		get_binding(g, true, &g->unique);
	if (wanted != BINDING_TLS_UNIQUE)
		get_binding(g, false, &g->exporter);
	g->choice.bound = g->unique.len || g->exporter.len;
}

/* tls-unique goes first where there is one: all servers that bind to TLS 1.2 know it. */
static bool is_unique(const struct sign_in *g)
{
	return g->unique.len && !g->next_binding;
}

static const char *binding_name(const struct sign_in *g)
{
	return is_unique(g) ? "tls-unique" : "tls-exporter";
}

/*
 * The server has refused a binding before it has seen any proof, so it was
 * not the password (Cyrus SASL knows tls-unique alone, which TLS 1.3 has
 * not): is there another one? Without one it goes on without a binding,
 * unless the account demands one.
 */
static bool another_binding(struct sign_in *g)
{
	const struct session *s = g->s;

	if (is_unique(g) && g->exporter.len) {
		g->next_binding = true;
		return true;
	}
	if (s->account->auth.channel_binding != BINDING_AUTO) {
		auth_choice_raise(&g->choice, AUTH_MINIMUM_SCRAM_PLUS,
				  "the server refuses what 'channel_binding' names");
		return false;
	}
	g->choice.bound = false;
	session_note(s, "(the server refuses the channel binding: it goes on without)");
	return false;
}

static int fetch(struct sign_in *g, enum credential kind, struct secret *secret, struct error *err)
{
	const struct session_options *o = &g->s->opt;

	if (secret_is_set(secret))
		return 0;
	if (!o->credential)
		return error_set(err, FAULT_NO_PASSWORD, "no password or token is configured");
	return o->credential(o->credential_ctx, kind, secret, err);
}

/* Cyrus's lmtpd and its tickets are those of the service lmtp. */
static const char *service_of(const struct session *s)
{
	const char *name = s->account->auth.service;

	if (name && *name && strcmp(name, "auto") != 0)
		return name;
	return s->protocol == SESSION_LMTP ? "lmtp" : "smtp";
}

/* --- what the server is not to be seen to say back ------------------------------ */

#define PIECE_LEAST 12		/* shorter ones are names, and words of every reply */

static bool is_ours(const struct sign_in *g, const char *s, size_t n)
{
	const struct auth_settings *a = &g->s->account->auth;
	const char *const known[] = { a->user, a->authzid, a->realm, g->s->opt.host };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i] && strlen(known[i]) == n && memcmp(known[i], s, n) == 0)
			return true;
	}
	return false;
}

/* Of "user=joe^Aauth=Bearer TOKEN" the token, of "joe 3f9a..." what proves the password. */
static void hide_pieces(struct sign_in *g, const char *s, size_t n)
{
	static const char ends[] = " ,\001";

	for (const char *p = s, *end = s + n; p < end; p++) {
		size_t k = 0;

		while (p + k < end && p[k] && !strchr(ends, p[k]))
			k++;
		const char *value = memchr(p, '=', k);
		const size_t name = value && k > PIECE_LEAST ? (size_t)(value - p) + 1 : 0;

		if (k - name >= PIECE_LEAST && !is_ours(g, p + name, k - name))
			veil_add(g->s->veil, p + name, k - name);
		p += k;
	}
}

/* The response as it is and as it is sent; a name alone is no secret. */
static void hide_response(struct sign_in *g)
{
	veil_add(g->s->veil, g->coded.buf, g->coded.len);
	if (!is_ours(g, g->response.buf, g->response.len))
		veil_add_whole(g->s->veil, g->response.buf, g->response.len);
	hide_pieces(g, g->response.buf, g->response.len);
}

static void hide_secret(struct sign_in *g, const struct secret *secret)
{
	if (secret_is_set(secret))
		veil_add(g->s->veil, secret->data, secret->len);
}

static int make_input(struct sign_in *g, const struct mechanism *m, struct mechanism_input *in,
		      struct error *err)
{
	const struct auth_settings *a = &g->s->account->auth;

	*in = (struct mechanism_input){
		.user = a->user, .authzid = a->authzid, .realm = a->realm,
		.ntlmdomain = a->ntlmdomain, .host = g->s->opt.host,
		.service = service_of(g->s),
		.port = g->s->opt.port, .scram_min_iterations = a->scram_min_iterations,
	};
	/* of two the library prefers the exporter, so it hears of one only */
	if (is_unique(g))
		in->cb_unique = g->unique.buf;
	else if (g->exporter.len)
		in->cb_exporter = g->exporter.buf;
	if (m->flags & MECHANISM_PASSWORD) {
		if (!a->user)
			return error_set(err, FAULT_CONFIG, "AUTH %s needs 'user'", m->name);
		if (fetch(g, CREDENTIAL_PASSWORD, &g->password, err) < 0)
			return -1;
		in->secret = g->password.data;
	} else if (m->flags & MECHANISM_TOKEN) {
		if (fetch(g, CREDENTIAL_TOKEN, &g->token, err) < 0)
			return -1;
		in->secret = g->token.data;
	}
	hide_secret(g, &g->password);
	hide_secret(g, &g->token);
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
		return error_set_status(err, FAULT_ARGUMENT, "5.5.6",
					"a response to AUTH is too long");
	base64_encode(&g->coded, g->response.buf, g->response.len);
	hide_response(g);
	return 0;
}

/* The coded response behind open, and the reply to it. */
static int send_response(struct sign_in *g, const char *open, const char *coded, size_t n,
			 struct error *err)
{
	struct deadline d = session_deadline(g->s, STAGE_AUTH);

	if (command_send_secret(g->s->wire, open, coded, n, &d, err) == 0)
		return session_reply(g->s, STAGE_AUTH, err);
	g->s->dead = true;
	return -1;
}

/* AUTH itself, with the initial response where there is one and it fits (RFC 4954, section 4). */
static int send_auth(struct sign_in *g, const struct mechanism *m, bool initial, struct error *err)
{
	const bool empty = g->coded.len == 0;

	session_line(g->s, "AUTH", m->name);
	if (!initial)
		return session_command(g->s, STAGE_AUTH, err);
	int early = session_quiet(g->s, err);

	if (early)
		return early < 0 ? -1 : 0;
	strbuf_addch(&g->s->line, ' ');
	return send_response(g, g->s->line.buf, empty ? "=" : g->coded.buf,
			     empty ? 1 : g->coded.len, err);
}

/* "*" and the 501 for it, after which err still says why (RFC 4954, section 4). */
static enum auth_verdict cancel(struct sign_in *g)
{
	struct error ignored;

	if (g->s->dead)
		return AUTH_FAILED;
	if (session_say(g->s, STAGE_AUTH, "*", &ignored) < 0)
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
	return error_set(err, FAULT_RESPONSE_REFUSED, "AUTH: the server's challenge is not base64");
}

/* One challenge and its answer; pending: the response that had to wait for this 334. */
static int answer(struct sign_in *g, struct exchange *x, bool pending, struct error *err)
{
	struct strbuf challenge = STRBUF_SECRET(REPLY_TOTAL_MAX);
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
	return send_response(g, "", g->coded.buf, g->coded.len, err);
}

/* The last reply to AUTH; said: enum auth_said. */
static enum auth_verdict judge(struct sign_in *g, const struct mechanism *m,
			       const struct exchange *x, unsigned said, struct error *err)
{
	const struct reply *r = &g->s->reply;
	bool proved = !(m->flags & MECHANISM_PROOF) || x->complete;

	if (r->code == 235 && (proved || !g->s->account->auth.mutual))
		return AUTH_DONE;
	if (r->code == 235) {
		error_set(err, FAULT_SERVER_UNPROVEN, "AUTH %s: the server did not prove %s",
			  m->name, m->flags & MECHANISM_TICKET ? "who it is"
							       : "that it knows the password");
		return AUTH_FAILED;
	}
	struct strbuf detail = STRBUF_SECRET(MECHANISM_DETAIL * 2);

	strbuf_addstr(&detail, x->detail);
	veil_apply(g->s->veil, &detail, 0);
	auth_explain(g->s, r, m, said, detail.buf, err);
	strbuf_release(&detail);
	/* some servers give no reason */
	g->stale = x->stale || (r->code == 535 && !*x->detail);
	if ((m->flags & MECHANISM_BINDING) && !(said & SAID_ALL) && auth_means_binding(r->code)) {
		error_turn(err, FAULT_MECHANISM_UNKNOWN);
		error_append(err, " (channel binding %s)", binding_name(g));
		return AUTH_UNBOUND;
	}
	return auth_judge_code(r->code, said);
}

/* The dialogue after the exchange is made: "AUTH", challenges, the last reply. */
static enum auth_verdict run(struct sign_in *g, const struct mechanism *m, struct exchange *x,
			     bool want_initial, struct error *err)
{
	bool first = (m->flags & MECHANISM_INITIAL) != 0, initial = false;
	const struct reply *r = &g->s->reply;

	if (first && respond(g, x, NULL, 0, err) < 0)
		return AUTH_NEXT;	/* nothing was sent yet */
	const size_t line = strlen("AUTH ") + strlen(m->name) + 1 + g->coded.len + 2;

	initial = first && want_initial &&
		(line <= COMMAND_MAX ||
		 g->s->account->auth.initial_response == AUTH_INITIAL_ALWAYS);
	if (send_auth(g, m, initial, err) < 0)
		return AUTH_FAILED;
	bool pending = first && !initial;

	for (int round = 0; r->code == 334; round++) {
		if (round == ROUNDS_MAX) {
			error_set(err, FAULT_PROTOCOL, "AUTH %s: the server does not come "
				  "to an end", m->name);
			return cancel(g);
		}
		/* nothing in it: a server that has not looked at the initial response */
		if (round == 0 && initial && !(m->flags & MECHANISM_TICKET) &&
		    r->lines.n == 1 && !*r->lines.v[0])
			pending = true;
		if (answer(g, x, pending, err) < 0)
			return err->fault == FAULT_NO_MECHANISM ? AUTH_NEXT : AUTH_FAILED;
		pending = false;
	}
	return judge(g, m, x, (initial ? SAID_INITIAL : 0U) |
		     (!pending && exchange_shown(x) ? SAID_ALL : 0U), err);
}

static enum auth_verdict try_once(struct sign_in *g, const struct mechanism *m, bool initial,
			     struct error *err)
{
	struct mechanism_input in;
	struct exchange *x = NULL;

	if (make_input(g, m, &in, err) < 0)
		return AUTH_FAILED;
	if (exchange_new(m, &in, &x, err) < 0)
		return err->exit == EX_CONFIG ? AUTH_FAILED : AUTH_NEXT;
	enum auth_verdict verdict = run(g, m, x, initial, err);

	exchange_free(x);
	g->choice.unprepared = g->choice.unprepared ||
		(verdict == AUTH_NEXT && err->fault == FAULT_NO_MECHANISM);
	return verdict == AUTH_NEXT && g->s->dead ? AUTH_FAILED : verdict;
}

/* Asks once for another token; false when there is none, and then err says so too. */
static bool renew_token(struct sign_in *g, const struct mechanism *m, struct error *err)
{
	struct secret old = g->token;
	struct error ignored;
	bool other = false;

	if (!(m->flags & MECHANISM_TOKEN) || !g->stale || g->renewed || g->s->dead ||
	    !auth_token_from_command(&g->s->account->auth))
		return false;
	g->renewed = true;
	g->token = (struct secret){ 0 };
	if (fetch(g, CREDENTIAL_TOKEN, &g->token, &ignored) == 0)
		other = strcmp(g->token.data, old.data) != 0;
	if (!other)
		error_append(err, " (asked again, the command gave no other)");
	secret_release(&old);
	return other;
}

static enum auth_verdict try_mechanism(struct sign_in *g, const struct mechanism *m,
				       struct error *err)
{
	bool want_initial = g->s->account->auth.initial_response != AUTH_INITIAL_NEVER;
	enum auth_verdict verdict = try_once(g, m, want_initial, err);

	if (verdict == AUTH_WITHOUT_INITIAL && !g->s->dead)
		verdict = try_once(g, m, false, err);
	if (verdict == AUTH_REFUSED && renew_token(g, m, err))
		verdict = try_once(g, m, want_initial, err);
	if (m->flags & MECHANISM_BINDING) {
		g->choice.bound_used = true;
		g->s->binding = verdict == AUTH_UNBOUND ? "refused" : binding_name(g);
	}
	if (verdict == AUTH_DONE) {
		g->s->authenticated = true;
		g->s->mechanism = m->name;
		auth_remember(g->s, m);
	}
	return verdict;
}

static enum auth_verdict try_bindings(struct sign_in *g, const struct mechanism *m,
				      struct error *err)
{
	enum auth_verdict verdict = try_mechanism(g, m, err);

	while (verdict == AUTH_UNBOUND && !g->s->dead && another_binding(g))
		verdict = try_mechanism(g, m, err);
	return verdict == AUTH_UNBOUND ? AUTH_NEXT : verdict;
}

/* --- all of it --------------------------------------------------------- */

/*
 * 432: PLAIN lets the server see the password, so that it can store it in the
 * form that the mechanism needs (RFC 4954, section 6).
 */
static bool transition(struct sign_in *g, struct error *err)
{
	const struct mechanism *plain = mechanism_find("PLAIN");
	const struct session *s = g->s;

	return s->account->auth.transition && s->verified && !s->dead &&
		strvec_has(&s->mechanisms, plain->name) &&
		mechanism_strength(plain) >= (unsigned)s->account->auth.minimum &&
		try_mechanism(g, plain, err) == AUTH_DONE;
}

/* Does the verdict leave something to try? */
static bool another(struct sign_in *g, const struct mechanism *m, enum auth_verdict verdict)
{
	if (verdict == AUTH_STRONGER)
		auth_choice_raise(&g->choice, mechanism_strength(m) + 1,
				  "the server wants a stronger one");
	return !g->s->dead && (verdict == AUTH_NEXT || verdict == AUTH_STRONGER ||
			       (verdict == AUTH_REFUSED && g->s->account->auth.retry));
}

static int sign_in(struct sign_in *g, struct error *err)
{
	bool tried = false;

	for (size_t i = 0; i < mechanism_count; i++) {
		const struct mechanism *m = &mechanisms[i];

		if (!strvec_has(&g->s->mechanisms, m->name) || auth_hindrance(&g->choice, m))
			continue;
		enum auth_verdict verdict = try_bindings(g, m, err);

		if (verdict == AUTH_TRANSITION)
			return transition(g, err) ? 0 : -1;
		if (!another(g, m, verdict))
			return verdict == AUTH_DONE ? 0 : -1;
		tried = true;
	}
	return tried ? -1 : auth_nothing_usable(&g->choice, err);
}

static int authenticate(struct session *s, struct error *err)
{
	struct sign_in g = { .s = s, .exporter = STRBUF_SECRET(2 * BINDING_MAX),
		.unique = STRBUF_SECRET(2 * BINDING_MAX), .response = STRBUF_SECRET(SECRET_MAX),
		.coded = STRBUF_SECRET(2 * SECRET_MAX) };

	if (auth_choice_begin(&g.choice, s, err) < 0)
		return -1;
	if (!s->veil)
		s->reply.veil = s->veil = veil_new();
	get_bindings(&g);
	int rc = sign_in(&g, err);

	if (rc == 0) {
		s->reply.veil = NULL;
		veil_free(s->veil);
		s->veil = NULL;
	}
	secret_release(&g.password);
	secret_release(&g.token);
	strbuf_release_secret(&g.exporter);
	strbuf_release_secret(&g.unique);
	strbuf_release_secret(&g.response);
	strbuf_release_secret(&g.coded);
	return rc;
}

/* A client certificate is in use, nothing else is configured, and the server has EXTERNAL. */
static bool certificate_wanted(const struct session *s)
{
	return certificate_only(s) && session_has(s, EXT_AUTH) &&
		strvec_has(&s->mechanisms, "EXTERNAL") && tls_is(wire_stream(s->wire)) &&
		tls_sent_certificate(wire_stream(s->wire));
}

/* auth = try: a message goes all the same, but not to a server that is not what it seems. */
static bool goes_without(const struct session *s, const struct error *err)
{
	return s->account->auth.mode == AUTH_TRY && !s->dead && err->exit != EX_PROTOCOL;
}

enum ehlo_next auth_after_ehlo(struct session *s, struct error *err)
{
	bool may = !s->opt.info_only && !s->authenticated &&
		(s->account->auth.mode == AUTH_TRY || certificate_wanted(s));
	int rc = -1;

	if (!auth_wanted(s) && !may)
		return EHLO_CONTINUE;
	observer_step(s->opt.observer, STEP_AUTH, s);
	if (!session_has(s, EXT_AUTH))
		error_set(err, s->encrypted ? FAULT_NO_AUTH : FAULT_NO_AUTH_IN_CLEAR,
			  "no way to sign in: the server does not offer AUTH%s",
			  s->encrypted ? "" : " without TLS");
	else
		rc = authenticate(s, err);
	if (rc < 0 && !goes_without(s, err))
		return EHLO_FAILED;
	if (rc < 0) {
		wire_note(s->wire, WIRE_NOTE_OUT, err->text);
		return EHLO_CONTINUE;
	}
	/* some servers announce DSN and SMTPUTF8 only to those who have signed in */
	return s->opt.envelope && extensions_missing(s, s->opt.envelope) ? EHLO_AGAIN
		: EHLO_CONTINUE;
}
