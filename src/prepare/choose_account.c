#include "config.h"
#include "prepare/choose_account.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/local_domains.h"
#include "conf/public_domains.h"
#include "message/address.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/patterns.h"
#include "prepare/explain.h"
#include "prepare/rewriter.h"
#include "util/arena.h"
#include "util/error.h"

/* The account's own address: the first of 'from' that is no pattern. */
static const char *plain_from(const struct account *a)
{
	for (const char *const *f = a->from; f && *f; f++) {
		if (!strpbrk(*f, "*?"))
			return *f;
	}
	return NULL;
}

static bool owns(const struct account *a, const char *address)
{
	return address_match_any(a->from, address) != NULL;
}

static bool takes_all(const struct account *a, const struct envelope *e)
{
	struct patterns set = { .arena = arena_new() };
	bool all = e->rcpt_count > 0;

	patterns_add_all(&set, a->match_to);
	for (size_t i = 0; all && i < e->rcpt_count; i++)
		all = patterns_find(&set, e->rcpt[i].address, 0, NULL);
	arena_free(set.arena);
	return all;
}

/* --- why, for those who ask -------------------------------------------------- */

/* "FILE:LINE" of a key of the account. */
static const char *origin(const struct account_choice *req, const struct account *a,
			  const char *key)
{
	return req->config ? config_origin(req->config, a, key) : "configuration";
}

/* The account was chosen by a pattern of its key, which fits word. */
static void note_match(const struct account_choice *req, const struct account *a, const char *key,
		       const char *pattern, const char *what, const char *word)
{
	if (req->explain)
		explain_account(req->explain, a->name,
				arena_printf(req->explain->arena,
					     "'%s' of its '%s' (%s) fits %s '%s'", pattern, key,
					     origin(req, a, key), what, word));
}

/* --- the account --------------------------------------------------------------- */

static const struct account *find_by_recipients(const struct account_choice *req)
{
	const struct envelope *e = req->envelope;
	const struct account *a;

	for (size_t i = 0; e && (a = config_nth(req->config, i)) != NULL; i++) {
		if (!a->match_to || !takes_all(a, e))
			continue;
		note_match(req, a, "match_to", address_match_any(a->match_to, e->rcpt[0].address),
			   e->rcpt_count > 1 ? "as others fit all recipients, recipient" :
			   "the recipient", e->rcpt[0].address);
		return a;
	}
	return NULL;
}

/* The login name is looked up only where an account asks for it. */
static const struct account *find_by_user(const struct account_choice *req)
{
	struct arena *scratch = NULL;
	const char *login = NULL, *pattern;
	const struct account *a, *found = NULL;

	for (size_t i = 0; !found && (a = config_nth(req->config, i)) != NULL; i++) {
		if (!a->match_user)
			continue;
		if (!login) {
			scratch = arena_new();
			login = ident_login(scratch);
		}
		pattern = address_match_any(a->match_user, login);
		if (!pattern)
			continue;
		note_match(req, a, "match_user", pattern, "the user", login);
		found = a;
	}
	arena_free(scratch);
	return found;
}

static const struct account *find_owner(const struct account_choice *req, const char *what,
					const char *address)
{
	const struct account *a;

	for (size_t i = 0; address && *address && (a = config_nth(req->config, i)) != NULL; i++) {
		if (!owns(a, address))
			continue;
		note_match(req, a, "from", address_match_any(a->from, address), what, address);
		return a;
	}
	return NULL;
}

/* What is put behind an '@' is no address that a parser has seen: it is looked at here. */
static int check_account(const struct account *a, struct error *err)
{
	if (!a->host && !a->socket && !a->net.mx)
		return error_set(err, FAULT_NO_SERVER_SET,
				 "account '%s' has neither 'host' nor 'socket'", a->name);
	if (a->default_domain && !address_domain_valid(a->default_domain))
		return error_set(err, FAULT_CONFIG,
				 "account '%s': default_domain '%s' is not a domain", a->name,
				 a->default_domain);
	if (a->maildomain && !address_domain_valid(a->maildomain))
		return error_set(err, FAULT_CONFIG,
				 "account '%s': maildomain '%s' is not a domain", a->name,
				 a->maildomain);
	return 0;
}

/* Why no account fits: where we looked, and which there are. */
static int no_account(const struct config *c, const char *name, struct error *err)
{
	const struct account *a;

	if (name)
		error_set(err, FAULT_NO_ACCOUNT, "no account '%s': tried %s", name,
			  config_searched(c));
	else
		error_set(err, FAULT_NO_ACCOUNT, "no account: tried %s", config_searched(c));
	for (size_t i = 0; (a = config_nth(c, i)) != NULL; i++)
		error_append(err, "%s%s", i ? ", " : "; accounts: ", a->name);
	if (name)
		return -1;
	return error_append(err, config_nth(c, 0) ?
			    "; write [account default : NAME], or use -a NAME" :
			    "; 'msubmit --configure ADDRESS' writes one (as root: for all users "
			    "of the machine), or give --host=NAME");
}

/* What may choose the account: words of account_match. */
static const struct account *by_envelope(const struct account_choice *req)
{
	return find_owner(req, "the sender given", req->sender);
}

static const struct account *by_header(const struct account_choice *req)
{
	return find_owner(req, "the From field's", req->header_from);
}

static const struct account *by_default(const struct account_choice *req)
{
	const struct account *a = config_default(req->config);

	if (a)
		explain_account(req->explain, a->name, !config_nth(req->config, 1) ?
				"there is no other" : "no account fits the sender, the From field, "
				"the recipients or the user, so it is the default");
	return a;
}

static const struct {
	const char *word;
	const struct account *(*find)(const struct account_choice *);
} criteria[] = {
	{ "envelope", by_envelope }, { "header", by_header },
	{ "recipients", find_by_recipients }, { "user", find_by_user }, { "default", by_default },
};

/* The order is that of the first account, as it can be only one. */
static const struct account *find_matching(const struct account_choice *req)
{
	const struct account *first = config_nth(req->config, 0), *found = NULL;

	for (const char *const *w = first ? first->account_match : NULL; w && *w && !found; w++) {
		for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
			if (strcasecmp(*w, criteria[i].word) == 0)
				found = criteria[i].find(req);
		}
	}
	return found;
}

int choose_account(const struct account_choice *req, const struct account **out,
		   struct error *err)
{
	const struct account *found = req->account ? config_account(req->config, req->account) :
						     find_matching(req);

	if (!found)
		return no_account(req->config, req->account, err);
	if (req->account)
		explain_account(req->explain, found->name, "by option -a");
	if (check_account(found, err) < 0)
		return -1;
	*out = found;
	return 0;
}

bool choose_account_from(struct arena *a, const struct account *account, struct mailbox *out)
{
	const char *from = plain_from(account);

	return from && address_parse_one(a, from, 0, out, NULL) == 0;
}

const char *choose_account_own(struct arena *a, const struct account *account)
{
	struct mailbox box;

	return !account->default_domain && choose_account_from(a, account, &box) &&
	       public_domain(box.domain) ? box.address : NULL;
}

const char *choose_account_domain(struct arena *a, const struct account *account)
{
	const char *domain = account->default_domain;
	struct mailbox box;

	if (domain)
		return domain;
	if (choose_account_from(a, account, &box) && box.domain)
		return public_domain(box.domain) ? NULL : box.domain;
	domain = account->maildomain;
	if (!domain || public_domain(domain))
		domain = ident_mailname(a);
	if (!domain || public_domain(domain))
		domain = ident_host(a);
	return public_domain(domain) ? NULL : domain;
}

/* Does the address belong to this host rather than to a domain of mail? */
static bool is_local(struct arena *a, const struct account *account, const char *address)
{
	const char *domain = address_domain(address);

	return local_domains_has(local_domains_own(a), domain) ||
	       local_domains_has(local_domains_new(a, account), domain);
}

/*
 * A bare name goes to a server only where the account does not complete
 * addresses, and in msmtp's syntax only when somebody asked for it.
 */
static int qualify(struct arena *a, const struct account *account, bool asked,
		   const char *address, const char **out, struct error *err)
{
	const bool bare = !account->qualify && (asked || !account->classic);

	if (!*address || address_domain(address) || bare) {
		*out = address;
		return 0;
	}
	const char *domain = account->qualify ? choose_account_domain(a, account) : NULL;
	const char *own = account->qualify ? choose_account_own(a, account) : NULL;

	if (!domain && !own)
		return error_set(err, FAULT_SENDER_INCOMPLETE,
				 "no domain is known to complete the sender '%s': "
				 "set 'from' or default_domain", address);
	*out = domain ? arena_printf(a, "%s@%s", address, domain) : own;
	return 0;
}

const char *choose_account_stand_in(struct arena *a, const struct account *account,
				    const char *address)
{
	const char *from = plain_from(account);

	return from && account->from_override != FROM_OVERRIDE_ANY &&
	       !owns(account, address) && is_local(a, account, address) ? from : NULL;
}

/* What a rule makes of the sender; NULL if none fits. */
static const char *rewritten(const struct account_choice *req, const char *sender)
{
	const struct rewrite_rule *rule;
	const char *made = rewriter_apply(req->rewriter, REWRITE_ENVELOPE_SENDER, sender, &rule);

	if (made)
		explain_note(req->explain, "sender '%s': '%s', rewritten by the rule for '%s' "
			     "(%s:%u)", made, sender, rule->left, rule->file, rule->line);
	return made;
}

/* The account's own sender, with what rules make of it. */
static const char *own_sender(const struct account_choice *req, const char *from)
{
	const char *made = rewritten(req, from);

	return made ? made : from;
}

/* A sender that may be kept: a rule goes before from_override = own-domain. */
static const char *keep_sender(struct arena *a, const struct account *account,
			       const struct account_choice *req, const char *sender)
{
	const char *made = rewritten(req, sender), *from;

	if (made)
		return made;
	from = choose_account_stand_in(a, account, sender);
	if (from) {
		if (req->explain)
			explain_note(req->explain, "sender '%s': 'from' of the account (%s), in "
				     "place of '%s', which belongs to this host (from_override = "
				     "own-domain)", from, origin(req, account, "from"),
				     sender);
		return own_sender(req, from);
	}
	explain_note(req->explain, "sender '%s': %s", sender, !req->sender ? "the login name, as "
		     "neither -f nor 'from' is given" : req->sender_is_header ? "the From field, "
		     "as read_envelope_from asks" : "as -f says");
	return sender;
}

/* Which of all that may be a sender it is, and why: see doc/sendmail.md#sender. */
static const char *pick_sender(struct arena *a, const struct account *account,
			       const struct account_choice *req, const char **asked_out)
{
	const char *from = plain_from(account), *sender = req->sender;
	struct explain *x = req->explain;

	*asked_out = sender;
	if (sender && !*sender) {
		explain_note(x, "sender <>: as -f says");
		return sender;
	}
	if (from && (!sender || account->from_override == FROM_OVERRIDE_NO)) {
		if (x)
			explain_note(x, "sender '%s': 'from' of the account (%s)%s", from,
				     origin(req, account, "from"), sender ?
				     ", which from_override = no puts before the one given" : "");
		return own_sender(req, from);
	}
	if (!sender)
		*asked_out = sender = address_format(a, ident_login(a), NULL);
	return keep_sender(a, account, req, sender);
}

int choose_account_sender(struct arena *a, const struct account *account,
			  const struct account_choice *req, const char **out,
			  const char **asked_out, struct error *err)
{
	const char *asked, *sender = pick_sender(a, account, req, &asked);
	struct mailbox box;

	/* 'from' is text of the configuration: it passes the same parser */
	if (address_parse_one(a, sender, ADDRESS_NULL, &box, err) < 0) {
		error_recast(err, FAULT_CONFIG);
		return error_prefix(err, "account '%s': envelope sender", account->name);
	}
	if (qualify(a, account, req->sender || plain_from(account), box.address, out, err) < 0)
		return -1;
	if (strcmp(*out, box.address) != 0)
		explain_note(req->explain, "sender '%s': completed with the domain of the account",
			     *out);
	if (asked_out)
		*asked_out = asked;
	return 0;
}

/* --- who may send ------------------------------------------------------------- */

/* The groups that the process has, which nobody can add to by himself. */
static bool any_group_matches(struct arena *a, const char *const *patterns)
{
	if (!patterns)
		return false;
	int n = getgroups(0, NULL);
	gid_t *list = arena_calloc(a, n > 0 ? (size_t)n : 1, sizeof(*list));
	bool matches = address_match_any(patterns, ident_group(a, getgid()));

	n = getgroups(n, list);
	for (int i = 0; i < n && !matches; i++)
		matches = address_match_any(patterns, ident_group(a, list[i]));
	return matches;
}

int permission_check(const struct account *a, struct error *err)
{
	const struct permission_settings *p = &a->permission;
	struct arena *scratch;
	bool allowed = !p->allow_users && !p->allow_groups;
	int rc = 0;

	if (allowed && !p->deny_users)
		return 0;
	scratch = arena_new();
	const char *login = ident_login(scratch);

	allowed = allowed || address_match_any(p->allow_users, login) ||
		  any_group_matches(scratch, p->allow_groups);
	if (!allowed || address_match_any(p->deny_users, login))
		rc = error_set(err, FAULT_USER_NOT_ALLOWED, "user %s may not submit mail", login);
	arena_free(scratch);
	return rc;
}
