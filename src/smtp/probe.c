#include "config.h"
#include "smtp/probe.h"

#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

enum { ARGUMENT_MAX = COMMAND_MAX - 2, DOMAIN_MAX = 255, NAME_LIMIT = 1024 };

/* Which lines the user is shown. */
enum show {
	SHOW_REPLY,	/* code and text of each line */
	SHOW_TEXT,	/* the text of each line: a list, a page */
	SHOW_SUBJECT	/* what was asked, and the text */
};

/* What a code means; code 0 ends the list. No fault: the answer that was hoped for. */
struct meaning {
	int code;
	enum fault fault;
	const char *note;	/* what the user should know though it is good news */
};

static const struct meaning address_codes[] = {
	{ 250, FAULT_NONE, NULL },
	{ 251, FAULT_NONE, NULL },
	{ 252, FAULT_NONE, "the server cannot tell, but would try to deliver" },
	{ 550, FAULT_RECIPIENT_UNKNOWN, NULL }, { 551, FAULT_RECIPIENT_MOVED, NULL },
	{ 553, FAULT_RECIPIENT_SYNTAX, NULL },
	{ 0, FAULT_NONE, NULL }
};

static const struct meaning help_codes[] = {
	{ 211, FAULT_NONE, NULL }, { 214, FAULT_NONE, NULL }, { 0, FAULT_NONE, NULL }
};

static const struct meaning simple_codes[] = {
	{ 250, FAULT_NONE, NULL }, { 0, FAULT_PROTOCOL, NULL }
};

static const struct meaning etrn_codes[] = {
	{ 250, FAULT_NONE, NULL }, { 251, FAULT_NONE, NULL }, { 252, FAULT_NONE, NULL },
	{ 253, FAULT_NONE, NULL },
	{ 458, FAULT_SERVICE_LATER, NULL }, { 459, FAULT_NOT_ALLOWED, NULL },
	{ 0, FAULT_NONE, NULL }
};

static const struct meaning atrn_codes[] = {
	{ 250, FAULT_NONE, NULL },
	{ 453, FAULT_NONE, "the server has no mail for us" },
	{ 450, FAULT_NOT_ALLOWED, NULL }, { 451, FAULT_SERVICE_LATER, NULL },
	{ 0, FAULT_NONE, NULL }
};

/* --- arguments ------------------------------------------------------------ */

static int check_string(const char *arg, struct error *err)
{
	return arg && *arg ? 0 : error_set(err, FAULT_USAGE, "the argument is empty");
}

static int check_any(const char *arg, struct error *err)
{
	return arg ? check_string(arg, err) : 0;
}

/* What follows these on the line are no commands any more, and we would go on with commands. */
static const char *const raw_refused[] = { "STARTTLS", "DATA", "BDAT", "BURL" };

static int check_raw(const char *arg, struct error *err)
{
	size_t n = arg ? strcspn(arg, " ") : 0;

	if (n == 0)
		return error_set(err, FAULT_USAGE, "the command is empty");
	for (size_t i = 0; i < ARRAY_LEN(raw_refused); i++) {
		if (strncasecmp(arg, raw_refused[i], n) == 0 && !raw_refused[i][n])
			return error_set(err, FAULT_USAGE, "%s cannot be sent as a raw "
					 "command", raw_refused[i]);
	}
	return 0;
}

static int check_domain(const char *text, size_t n, struct error *err)
{
	char domain[DOMAIN_MAX + 1];

	if (n > 0 && n <= DOMAIN_MAX) {
		memcpy(domain, text, n);
		domain[n] = '\0';
		if (text_is_ascii(domain, n) && address_domain_valid(domain))
			return 0;
	}
	return error_set(err, FAULT_USAGE, "'%.*s' is no domain", (int)n, text);
}

/* etrn = "ETRN" SP [ "@" / "#" ] node (RFC 1985, section 5.3); a queue's name is any word */
static int check_node(const char *arg, struct error *err)
{
	if (arg && *arg == '#' && arg[1] && !strchr(arg, ' ') && text_is_ascii(arg, strlen(arg)))
		return 0;
	if (!arg || !*arg || *arg == '#')
		return error_set(err, FAULT_USAGE, "give HOST, @DOMAIN or #QUEUE");
	arg += *arg == '@';
	return check_domain(arg, strlen(arg), err);
}

/* atrn = "ATRN" [ SP domain *( "," domain ) ] (RFC 2645, section 5.2.1) */
static int check_domains(const char *arg, struct error *err)
{
	for (; arg && *arg; arg++) {
		size_t n = strcspn(arg, ",");

		if (check_domain(arg, n, err) < 0)
			return -1;
		arg += n;
		if (!*arg)
			return 0;
		if (!arg[1])
			break;
	}
	return arg ? error_set(err, FAULT_USAGE, "a domain is missing") : 0;
}

/* --- the table ------------------------------------------------------------ */

/* The one table of single commands (RFC 5321, 4.1.1; RFC 1985; RFC 2645). */
static const struct row {
	const char *verb;
	enum stage stage;	/* whose time limit it has */
	bool announced;		/* EHLO must have the verb as keyword */
	bool utf8;		/* takes the word SMTPUTF8 (RFC 6531, section 3.7.4.2) */
	bool quoted;		/* the argument is a string: quoted where it needs it */
	enum show show;
	unsigned port;
	int (*check)(const char *arg, struct error *err);
	const struct meaning *codes;	/* NULL: by class */
} table[PROBE_COUNT] = {
	[PROBE_RAW] = { "", STAGE_COMMAND, false, false, false, SHOW_REPLY, 0, check_raw, NULL },
	[PROBE_VRFY] = { "VRFY", STAGE_COMMAND, false, true, true,
		SHOW_SUBJECT, 0, check_string, address_codes },
	[PROBE_EXPN] = { "EXPN", STAGE_COMMAND, false, true, true,
		SHOW_TEXT, 0, check_string, address_codes },
	[PROBE_HELP] = { "HELP", STAGE_COMMAND, false, false, false,
		SHOW_TEXT, 0, check_any, help_codes },
	[PROBE_NOOP] = { "NOOP", STAGE_NOOP, false, false, false,
		SHOW_REPLY, 0, check_any, simple_codes },
	[PROBE_RSET] = { "RSET", STAGE_RSET, false, false, false,
		SHOW_REPLY, 0, check_any, simple_codes },
	[PROBE_ETRN] = { "ETRN", STAGE_COMMAND, true, false, false,
		SHOW_SUBJECT, 25, check_node, etrn_codes },
	[PROBE_ATRN] = { "ATRN", STAGE_COMMAND, true, false, false,
		SHOW_REPLY, 366, check_domains, atrn_codes },
};

/* --- what is sent ------------------------------------------------------------ */

const char *probe_name(const struct probe_request *p)
{
	return *table[p->id].verb ? table[p->id].verb : "command";
}

unsigned probe_port(const struct probe_request *p)
{
	return table[p->id].port;
}

int probe_check(const struct probe_request *p, struct error *err)
{
	const struct row *row = &table[p->id];
	size_t n = p->arg ? strlen(p->arg) : 0;

	if (n && text_has_control(p->arg, n))
		return error_set(err, FAULT_USAGE, "%s: the argument holds a line end or "
				 "another control character", probe_name(p));
	if (strlen(row->verb) + 1 + n > ARGUMENT_MAX)
		return error_set(err, FAULT_USAGE, "%s: the argument is longer than a "
				 "command may be", probe_name(p));
	if (row->check(p->arg, err) < 0)
		return error_prefix(err, "%s", probe_name(p));
	return 0;
}

/*
 * String = Atom / Quoted-string (RFC 5321, section 4.1.2). Servers take a
 * bare mailbox as well; only what has a blank or a quote in it is quoted.
 */
static void add_string(struct strbuf *line, const char *arg)
{
	size_t n = strlen(arg);

	if ((n > 1 && arg[0] == '"' && arg[n - 1] == '"') || strchr(arg, '@') ||
	    !strpbrk(arg, " \"\\")) {
		strbuf_addstr(line, arg);
		return;
	}
	text_quote_add(line, arg);
}

/* --- one command ---------------------------------------------------------- */

static void build(struct session *s, const struct probe_request *p, bool utf8)
{
	const struct row *row = &table[p->id];
	struct strbuf *line = &s->line;

	strbuf_reset(line);
	strbuf_addstr(line, row->verb);
	if (p->arg && *row->verb)
		strbuf_addch(line, ' ');
	if (p->arg && row->quoted)
		add_string(line, p->arg);
	else if (p->arg)
		strbuf_addstr(line, p->arg);
	if (utf8)
		strbuf_addstr(line, " SMTPUTF8");
}

/* X.6.8: the answer is in UTF-8, and the server wants to hear that we can read it. */
static bool wants_utf8(const struct session *s)
{
	return (s->reply.code == 252 || s->reply.code == 550) &&
		strcmp(s->reply.status + (s->reply.status[0] ? 1 : 0), ".6.8") == 0;
}

static int ask(struct session *s, const struct probe_request *p, struct error *err)
{
	const struct row *row = &table[p->id];
	bool foreign = p->arg && !text_is_ascii(p->arg, strlen(p->arg));
	bool can = row->utf8 && session_has(s, EXT_SMTPUTF8);

	if (row->announced && !extensions_announced(s, row->verb, strlen(row->verb))) {
		error_set(err, FAULT_EXTENSION_MISSING, "%s does not offer %s",
			  s->server_name, row->verb);
		return session_named(s, err);
	}
	if (foreign && !can) {
		error_set(err, FAULT_UTF8_MISSING, "%s: '%s' needs SMTPUTF8, which "
			  "%s does not offer", probe_name(p), p->arg, s->server_name);
		return session_named(s, err);
	}
	build(s, p, foreign);
	if (session_command(s, row->stage, err) < 0)
		return -1;
	if (foreign || !can || s->dead || !wants_utf8(s))
		return 0;
	build(s, p, true);
	return session_command(s, row->stage, err);
}

/* --- the reply ------------------------------------------------------------ */

#define TAB_STOP 8

/* Printable, with blanks for tabs: servers lay out their help with them. */
static void add_text(struct strbuf *out, const char *text)
{
	size_t column = 0;

	for (;; text++) {
		const size_t n = strcspn(text, "\t"), before = out->len;

		text_escape_add(out, text, n);
		column += out->len - before;
		text += n;
		if (!*text)
			return;
		do
			strbuf_addch(out, ' ');
		while (++column % TAB_STOP);
	}
}

/* Behind the enhanced status, where that stands in front. */
static const char *words_of(const struct reply *r, size_t i)
{
	const char *text = r->lines.v[i];

	if (r->status[0] && strncmp(text, r->status, strlen(r->status)) == 0) {
		text += strlen(r->status);
		text += strspn(text, " ");
	}
	return text;
}

static void show(const struct reply *r, const struct probe_request *p,
		 const struct probe_options *opt, struct strbuf *out)
{
	enum show how = table[p->id].show;

	for (size_t i = 0; i < r->lines.n; i++) {
		const char *text = how == SHOW_REPLY ? r->lines.v[i] : words_of(r, i);

		if (opt->answer)
			strvec_add(&opt->answer->lines, words_of(r, i));
		if (how == SHOW_REPLY)
			strbuf_addf(out, "%d ", r->code);
		if (how == SHOW_SUBJECT) {
			text_escape_add(out, p->arg, strlen(p->arg));
			strbuf_addstr(out, ": ");
		}
		add_text(out, text);
		strbuf_addch(out, '\n');
	}
	if (opt->answer) {
		opt->answer->code = r->code;
		memcpy(opt->answer->status, r->status, sizeof(r->status));
	}
}

/* "VRFY 'joe'"; of a raw command the verb only: what follows may be a secret. */
static void add_name(struct strbuf *out, const struct probe_request *p)
{
	size_t n = p->arg ? p->id == PROBE_RAW ? strcspn(p->arg, " ") : strlen(p->arg) : 0;

	strbuf_addstr(out, probe_name(p));
	if (p->arg)
		strbuf_addf(out, " '%.*s'", (int)n, p->arg);
}

/* "VRFY 'joe': 550 5.1.1 no such user" */
static int probe_refused(const struct session *s, const struct probe_request *p,
		   enum fault fault, struct error *err)
{
	const struct reply *r = &s->reply;
	struct strbuf words = STRBUF_INIT(REPLY_TOTAL_MAX * 4);
	/* what the code means to us goes before the class of the server's status */
	bool own = r->status[0] == fault_rows[fault].status[0];

	reply_text(r, &words);
	struct strbuf name = STRBUF_INIT(NAME_LIMIT);

	add_name(&name, p);
	error_set_status(err, fault, own ? r->status : fault_rows[fault].status, "%s: %d%s%s%s%s",
			 name.buf, r->code, r->status[0] ? " " : "", r->status,
			 words.len ? " " : "", words.buf);
	err->reply = r->code;
	strbuf_release(&words);
	strbuf_release(&name);
	return -1;
}

/* What no row of the command tells: 530, then by class. */
static int by_class(const struct session *s, const struct probe_request *p, enum fault otherwise,
		    struct error *err)
{
	const struct reply *r = &s->reply;
	int class = reply_class(r);

	if (!table[p->id].codes && class <= 3)
		return 0;
	return probe_refused(s, p, r->code == 530 ? FAULT_SIGN_IN_WANTED :
			     class == 4 ? FAULT_REFUSED_FOR_NOW :
			     otherwise || class <= 3 ? FAULT_PROTOCOL : FAULT_REFUSED, err);
}

static int judge_probe(const struct session *s, const struct probe_request *p,
		 const struct probe_options *opt, struct strbuf *note, struct error *err)
{
	const struct meaning *m = table[p->id].codes;

	while (m && m->code && m->code != s->reply.code)
		m++;
	if (!m || !m->code)
		return by_class(s, p, m ? m->fault : FAULT_NONE, err);
	if (m->fault)
		return probe_refused(s, p, m->fault, err);
	if (s->reply.code == 252 && opt->strict && m->note) {
		probe_refused(s, p, FAULT_REFUSED_FOR_NOW, err);
		return error_append(err, " (%s)", m->note);
	}
	if (m->note) {
		add_name(note, p);
		strbuf_addf(note, ": %s", m->note);
	}
	return 0;
}

/* --- VRFY by way of RCPT --------------------------------------------------- */

/* Was VRFY no answer: cannot tell, or no such command? */
static bool told_nothing(const struct session *s)
{
	const int code = s->reply.code;

	return !s->dead && (code == 252 || code == 500 || code == 502 || code == 504);
}

static int step(struct session *s, enum stage stage, const char *words, const char *address,
		struct error *err)
{
	if (session_say(s, stage, words, err) < 0)
		return -1;
	return reply_class(&s->reply) == 2 ? 0 : reply_error_about(&s->reply, stage, address, err);
}

/* MAIL with the null path, RCPT, and nothing of it stays. */
static int ask_rcpt(struct session *s, const struct probe_request *p,
		    const struct probe_options *opt, struct strbuf *out, struct error *err)
{
	struct arena *a = arena_new();
	struct mailbox box;
	struct error ignored;
	int rc = address_parse_one(a, p->arg, 0, &box, err);

	if (rc == 0)
		rc = step(s, STAGE_MAIL, "MAIL FROM:<>", NULL, err);
	if (rc == 0) {
		rc = step(s, STAGE_RCPT, arena_printf(a, "RCPT TO:<%s>", box.address),
			  box.address, err);
		if (rc == 0)
			show(&s->reply, p, opt, out);
		if (!s->dead && step(s, STAGE_RSET, "RSET", NULL, &ignored) < 0)
			s->dead = true;
	}
	arena_free(a);
	return rc;
}

int probe_run(struct session *s, const struct probe_request *p, const struct probe_options *opt,
	      struct strbuf *out, struct strbuf *note, bool *last_out, struct error *err)
{
	*last_out = false;
	if (ask(s, p, err) < 0) {
		*last_out = table[p->id].announced;
		return -1;
	}
	if (p->id == PROBE_VRFY && opt->with_rcpt && told_nothing(s))
		return ask_rcpt(s, p, opt, out, err);
	if (judge_probe(s, p, opt, note, err) < 0) {
		/* RFC 1985, section 5.2: such a server is not to be asked again */
		*last_out = p->id == PROBE_ETRN && reply_class(&s->reply) == 5;
		return -1;
	}
	show(&s->reply, p, opt, out);
	if (s->reply.code == 221)	/* the user's own QUIT */
		s->dead = true;
	return 0;
}

int probe_reversed(struct session *s, const struct probe_request *p, bool *reversed_out,
		   struct error *err)
{
	*reversed_out = p->id == PROBE_ATRN && s->reply.code == 250 && !s->dead;
	if (!*reversed_out || wire_unread_now(s->wire) <= 0)
		return 0;
	s->dead = true;
	return error_set(err, FAULT_PROTOCOL, "the server spoke after ATRN before it was "
			 "greeted");
}
