#include "config.h"
#include "smtp/extensions.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/request.h"
#include "smtp/auth/auth.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

#define ARGUMENTS_MAX 128

/* --- rows whose hooks are elsewhere or that have none; ext/ has the others ------- */

const struct extension ext_AUTH = {
	.keyword = "AUTH", .option = "mail_auth", .params = "AUTH",
	.parse = auth_parse, .after_ehlo = auth_after_ehlo,
	.mail_params = auth_mail_params, .mail_octets = 500
};

const struct extension ext_ENHANCEDSTATUSCODES = { .keyword = "ENHANCEDSTATUSCODES" };
const struct extension ext_PIPELINING = { .keyword = "PIPELINING", .remembered = true };
const struct extension ext_CHUNKING = { .keyword = "CHUNKING", .remembered = true };
const struct extension ext_PIPECONNECT = { .keyword = "PIPECONNECT" };
const struct extension ext_X_PIPE_CONNECT = { .keyword = "X_PIPE_CONNECT" };
const struct extension ext_XFORWARD = { .keyword = "XFORWARD" };

/*
 * PRDR (an expired draft; Exim and others): an answer per recipient after
 * the content, over SMTP. Asked for when there is more than one recipient.
 */
bool prdr_used(const struct session *s, const struct envelope *e)
{
	return session_has(s, EXT_PRDR) && s->account->ext.prdr && e->rcpt_count > 1 &&
		s->protocol == SESSION_ESMTP;
}

static void prdr_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out)
{
	if (prdr_used(s, e))
		strbuf_addstr(out, " PRDR");
}

const struct extension ext_PRDR = {
	.keyword = "PRDR", .option = "prdr", .level = LEVEL_TRY,
	.params = "PRDR", .mail_params = prdr_mail_params, .mail_octets = 5
};

#define ROW(id) [EXT_##id] = &ext_##id,
const struct extension *const extensions[EXT_COUNT] = { EXTENSIONS(ROW) };

static const struct name_value levels[] = {
	{ "-", LEVEL_FIXED }, { "try", LEVEL_TRY }, { "downgrade", LEVEL_DOWNGRADE },
	{ "local", LEVEL_LOCAL }, { "require", LEVEL_REQUIRE }, NAMES_END
};

const char *extensions_level_name(enum ext_level level)
{
	return names_name(levels, (int)level);
}

/* --- what the account says about extensions ---------------------------- */

/* Case does not count, and "-" is "_". */
static bool same_name(const char *row, const char *name, size_t len)
{
	while (len && *row && text_fold(*row) == text_fold(*name)) {
		row++;
		name++;
		len--;
	}
	return len == 0 && !*row;
}

/* Is name (of len octets) the extension's keyword or the key that asks for it? */
static bool is_named(enum extension_id id, const char *name, size_t len)
{
	const struct extension *x = extensions[id];

	return same_name(x->keyword, name, len) || (x->option && same_name(x->option, name, len));
}

static bool in_list(const char *const *list, enum extension_id id)
{
	for (; list && *list; list++) {
		if (is_named(id, *list, strlen(*list)))
			return true;
	}
	return false;
}

/* May the extension be used at all, as far as the account says? */
static bool enabled(const struct session *s, enum extension_id id)
{
	const struct account *a = s->account;

	if ((id == EXT_PIPELINING && !a->pipelining) || (id == EXT_BINARYMIME && !a->binarymime) ||
	    (id == EXT_CHUNKING && (!a->chunking || !a->chunk_size)) ||
	    (id == EXT_LIMITS && !a->ext.limits) || (s->opt.without && s->opt.without[id]))
		return false;
	return !in_list(a->disable_extensions, id);
}

/* "NAME:LEVEL", the last one that is about the extension. */
static enum ext_level policy(const struct account *a, enum extension_id id)
{
	int level = (int)extensions[id]->level;

	for (const char *const *p = a->ext.policy; p && *p; p++) {
		const char *colon = strrchr(*p, ':');

		if (colon && is_named(id, *p, (size_t)(colon - *p)))
			(void)names_find(levels, colon + 1, &level);
	}
	return (enum ext_level)level;
}

enum ext_level extensions_level(const struct session *s, const struct envelope *e,
				enum extension_id id)
{
	enum ext_level level = policy(s->account, id);
	enum ext_level least = extensions[id]->floor ? extensions[id]->floor(s, e) : LEVEL_FIXED;

	return level > least ? level : least;
}

/* No level may be chosen for what the account has other keys for. */
static int check_name(const char *key, const char *name, size_t len, struct error *err)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		const struct extension *x = extensions[id];

		if (!is_named((enum extension_id)id, name, len))
			continue;
		if (x->level == LEVEL_FIXED && !(x->mail_params && strcmp(key, "force_ext") == 0))
			return error_set(err, FAULT_CONFIG, "key '%s': nothing can be said "
					 "about %s here", key, x->keyword);
		return 0;
	}
	return error_set(err, FAULT_CONFIG, "key '%s': '%.*s' is no extension: see "
			 "'msubmit --list-extensions'", key, (int)len, name);
}

int extensions_check_account(const struct account *a, struct error *err)
{
	for (const char *const *p = a->ext.policy; p && *p; p++) {
		if (check_name("ext_policy", *p, strcspn(*p, ":"), err) < 0)
			return -1;
	}
	for (const char *const *p = a->ext.force_ext; p && *p; p++) {
		if (check_name("force_ext", *p, strlen(*p), err) < 0)
			return -1;
	}
	return xclient_check_account(a, err);
}

/* --- what the server announces ------------------------------------------ */

static void note(struct session *s, enum extension_id id, const char *arguments)
{
	struct strvec words = STRVEC_INIT(ARGUMENTS_MAX);

	if (!enabled(s, id))
		return;
	s->announced[id] = true;
	if (!extensions[id]->parse)
		return;
	strvec_split(&words, arguments, " \t");
	extensions[id]->parse(s, &words);
	strvec_release(&words);
}

/*
 * ehlo-line = ehlo-keyword *( SP ehlo-param ); keyword = (ALPHA / DIGIT)
 * *(ALPHA / DIGIT / "-") (RFC 5321, section 4.1.1.1). "=" ends a keyword as
 * well, for old servers' "AUTH=PLAIN".
 */
void extensions_parse_line(struct session *s, const char *line)
{
	size_t n = strcspn(line, " \t=");

	for (int id = 0; id < EXT_COUNT; id++) {
		const char *keyword = extensions[id]->keyword;

		if (text_fold(line[0]) != text_fold(keyword[0]) ||
		    strncasecmp(line, keyword, n) != 0 || keyword[n] != '\0')
			continue;
		if (line[n] != '=' || id == EXT_AUTH)
			note(s, (enum extension_id)id, line[n] ? line + n + 1 : "");
		return;
	}
}

/* The announced line of that keyword, from behind it; NULL if there is none. */
static const char *find_line(const struct session *s, const char *keyword, size_t len)
{
	for (size_t i = 0; i < s->keywords.n; i++) {
		const char *line = s->keywords.v[i];

		if (strncasecmp(line, keyword, len) == 0 && strchr(" \t", line[len]))
			return line + len + strspn(line + len, " \t");
	}
	return NULL;
}

const char *extensions_arguments(const struct session *s, enum extension_id id)
{
	const char *keyword = extensions[id]->keyword;

	return s->announced[id] ? find_line(s, keyword, strlen(keyword)) : NULL;
}

bool extensions_announced(const struct session *s, const char *keyword, size_t len)
{
	for (const char *const *off = s->account->disable_extensions; off && *off; off++) {
		if (strncasecmp(*off, keyword, len) == 0 && !(*off)[len])
			return false;
	}
	return find_line(s, keyword, len) != NULL;
}

void extensions_forget(struct session *s)
{
	memset(s->announced, 0, sizeof(s->announced));
	s->size_limit = 0;
	s->rcpt_max = s->mail_max = s->domain_max = 0;
	s->server_name[0] = '\0';
	strvec_release(&s->mechanisms);
	strvec_release(&s->keywords);
}

enum ehlo_next extensions_after_ehlo(struct session *s, struct error *err)
{
	for (int id = 0; s->account->ext.force_ext && id < EXT_COUNT; id++)
		s->announced[id] |= in_list(s->account->ext.force_ext, (enum extension_id)id);
	for (int id = 0; id < EXT_COUNT; id++) {
		if (!extensions[id]->after_ehlo)
			continue;
		enum ehlo_next next = extensions[id]->after_ehlo(s, err);

		if (next != EHLO_CONTINUE)
			return next;
	}
	return EHLO_CONTINUE;
}

/* --- what the envelope asks for ------------------------------------------ */

static const char *value_of(const struct envelope *e, const struct extension *x)
{
	return *(const char *const *)(const void *)((const char *)e + x->value);
}

/* Does the envelope ask for it, where no hook tells? */
static bool asked(const struct envelope *e, enum extension_id id)
{
	const struct extension *x = extensions[id];

	return x->value ? value_of(e, x) != NULL : e->ext.asked[id];
}

static bool wanted(const struct session *s, const struct envelope *e, enum extension_id id)
{
	return extensions[id]->wanted ? extensions[id]->wanted(s, e) : asked(e, id);
}

static int check_missing(const struct session *s, const struct envelope *e,
			 enum extension_id id, struct error *err)
{
	const struct extension *x = extensions[id];

	if (s->announced[id] || !wanted(s, e, id) || extensions_level(s, e, id) != LEVEL_REQUIRE)
		return 0;
	error_set_status(err, FAULT_EXTENSION_MISSING,
			 x->status ? x->status : fault_rows[FAULT_EXTENSION_MISSING].status,
			 "%s does not offer %s, which is required",
			 s->server_name[0] ? s->server_name : "the server", x->keyword);
	if (x->option)
		error_append(err, " by '%s'", x->option);
	return session_named(s, err);
}

int extensions_check(const struct session *s, const struct envelope *e, struct error *err)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (extensions[id]->check && extensions[id]->check(s, e, err) < 0)
			return -1;
		if (check_missing(s, e, (enum extension_id)id, err) < 0)
			return -1;
	}
	return 0;
}

int extensions_check_rcpt(const struct session *s, const struct envelope *e,
			  const struct recipient *r, struct error *err)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (extensions[id]->rcpt_check && extensions[id]->rcpt_check(s, e, r, err) < 0)
			return -1;
	}
	return 0;
}

bool extensions_missing(const struct session *s, const struct envelope *e)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (!s->announced[id] && enabled(s, (enum extension_id)id) &&
		    wanted(s, e, (enum extension_id)id))
			return true;
	}
	return false;
}

void extensions_left_out(const struct session *s, const struct envelope *e, struct strvec *out)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (extensions[id]->level != LEVEL_FIXED && !s->announced[id] &&
		    wanted(s, e, (enum extension_id)id))
			strvec_add(out, extensions[id]->keyword);
	}
}

/* The parameter of a row without hooks, " KEY" or " KEY=value". */
static void add_param(const struct extension *x, const struct envelope *e, struct strbuf *out)
{
	strbuf_addf(out, " %s%s", x->params, x->value ? "=" : "");
	if (x->xtext)
		xtext_add(out, value_of(e, x));
	else if (x->value)
		strbuf_addstr(out, value_of(e, x));
}

/* Appends what the row says on MAIL or, r not NULL, on RCPT. */
static void add_params(const struct session *s, const struct envelope *e,
		       const struct recipient *r, enum extension_id id, struct strbuf *out)
{
	const struct extension *x = extensions[id];

	if (r && x->rcpt_params)
		x->rcpt_params(s, e, r, out);
	else if (!r && x->mail_params)
		x->mail_params(s, e, out);
	else if (!r && !x->rcpt_params && asked(e, id))
		add_param(x, e, out);
}

/* Does the row say something about this command? */
static bool has_params(const struct session *s, const struct envelope *e,
		       const struct recipient *r, enum extension_id id)
{
	struct strbuf params = STRBUF_INIT(8192);

	add_params(s, e, r, id, &params);
	bool has = params.len > 0;

	strbuf_release(&params);
	return has;
}

/* May this row be left out of the command after all? */
static bool is_droppable(struct session *s, const struct envelope *e, const struct recipient *r,
			 enum extension_id id)
{
	if (!s->announced[id] || !extensions[id]->option ||
	    extensions_level(s, e, id) == LEVEL_REQUIRE || !has_params(s, e, r, id))
		return false;
	if (!r || !extensions[id]->rcpt_check)
		return true;
	s->announced[id] = false;
	bool fine = extensions[id]->rcpt_check(s, e, r, NULL) == 0;

	s->announced[id] = true;
	return fine;
}

bool extensions_droppable(struct session *s, const struct envelope *e, const struct recipient *r)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (is_droppable(s, e, r, (enum extension_id)id))
			return true;
	}
	return false;
}

/* SIZE is told without being asked for: it goes only when nothing else can. */
bool extensions_give_up(struct session *s, const struct envelope *e, const struct recipient *r)
{
	bool any = false;

	for (int id = 0; id < EXT_COUNT; id++) {
		if (is_droppable(s, e, r, (enum extension_id)id)) {
			session_give_up(s, (enum extension_id)id);
			any = true;
		}
	}
	if (!any && !r && s->announced[EXT_SIZE] && e->size) {
		session_give_up(s, EXT_SIZE);
		any = true;
	}
	return any;
}

/* --- parameters that the user adds ------------------------------------------ */

/*
 * KEYWORD[@EHLONAME][=VALUE], sent only when the server has announced a keyword
 * of that name; the octets by which they lengthen the command.
 */
static size_t add_own(const struct session *s, const char *const *list, struct strbuf *out)
{
	const size_t before = out->len;

	for (; list && *list; list++) {
		const char *ehlo, *value;
		size_t name, ehlo_len;

		if (request_param(*list, &name, &ehlo, &ehlo_len, &value, NULL) < 0 ||
		    !extensions_announced(s, ehlo, ehlo_len))
			continue;
		strbuf_addch(out, ' ');
		strbuf_add(out, *list, name);
		if (value)
			strbuf_addf(out, "=%s", value);
	}
	return out->len - before;
}

/* Does a row of the table send a parameter of that name? Its keyword then. */
static const char *sent_by(const char *name, size_t len)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		const char *p = extensions[id]->params;

		while (p && *p) {
			size_t n = strcspn(p, " ");

			if (n == len && strncasecmp(p, name, n) == 0)
				return extensions[id]->keyword;
			p += n + strspn(p + n, " ");
		}
	}
	return NULL;
}

static int check_own(const char *key, const char *const *list, struct error *err)
{
	for (; list && *list; list++) {
		const char *ehlo, *value, *keyword;
		size_t name, ehlo_len;

		if (request_param(*list, &name, &ehlo, &ehlo_len, &value, err) < 0) {
			error_recast(err, FAULT_CONFIG);
			return error_prefix(err, "key '%s'", key);
		}
		keyword = sent_by(*list, name);
		if (keyword)
			return error_set(err, FAULT_CONFIG, "key '%s': '%.*s' belongs to %s, "
					 "which has keys of its own", key, (int)name, *list,
					 keyword);
	}
	return 0;
}

int params_check(const struct account *a, struct error *err)
{
	if (check_own("mail_param", a->ext.mail_param, err) < 0)
		return -1;
	return check_own("rcpt_param", a->ext.rcpt_param, err);
}

size_t extensions_params(const struct session *s, const struct envelope *e,
			 const struct recipient *r, struct strbuf *out)
{
	size_t octets = 0;

	for (int id = 0; id < EXT_COUNT; id++) {
		size_t before = out->len;

		if (s->announced[id])
			add_params(s, e, r, (enum extension_id)id, out);
		if (out->len != before)
			octets += r ? extensions[id]->rcpt_octets : extensions[id]->mail_octets;
	}
	return octets + add_own(s, r ? s->account->ext.rcpt_param : s->account->ext.mail_param,
				out);
}
