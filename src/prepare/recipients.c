#include "config.h"
#include "prepare/recipients.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "conf/aliases.h"
#include "conf/local_domains.h"
#include "message/address.h"
#include "message/envelope.h"
#include "message/patterns.h"
#include "prepare/choose_account.h"
#include "prepare/explain.h"
#include "prepare/rewriter.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strvec.h"
#include "util/text.h"

#define WARNINGS_MAX 10		/* of one file of aliases */
#define EXPANSION_MAX 100000	/* recipients one envelope may grow to by aliases */

struct job {
	struct envelope *envelope;
	const struct account *account;
	struct rewriter *rewriter;
	struct local_domains *local;
	struct aliases *aliases;	/* NULL = none; read when first needed */
	bool loaded;
	struct envelope discarded;	/* recipients whose mail is thrown away */
};

static bool is_local_name(void *ctx, const char *domain)
{
	return local_domains_has(((const struct job *)ctx)->local, domain);
}

/*
 * A local name becomes an address. Without any domain it goes to the account's
 * own; "postmaster" goes as it is (RFC 5321, section 4.1.1.3), so does all
 * where the account asks for bare names; the rest has nobody to go to.
 */
static int qualify_recipient(const struct job *j, const struct mailbox *box, const char **out,
		   struct error *err)
{
	const struct account *a = j->account;
	struct arena *arena = j->envelope->arena;
	const char *domain = a->qualify ? choose_account_domain(arena, a) : NULL;
	const char *own = a->qualify ? choose_account_own(arena, a) : NULL;

	*out = box->address;
	if (domain)
		*out = address_format(arena, box->local, domain);
	else if (own)
		*out = own;
	else if (a->qualify && (box->domain || strcasecmp(box->local, "postmaster") != 0))
		return error_set(err, FAULT_RECIPIENT_INCOMPLETE,
				 "%s: no alias and no default_domain to complete it",
				 box->address);
	return 0;
}

/* One address at the end of its way: rewritten, or completed where it must be. */
static int settle_recipient(struct job *j, const struct mailbox *box, const char **out,
			    struct error *err)
{
	struct explain *x = j->envelope->explain;
	const struct rewrite_rule *rule = rewriter_find(j->rewriter, REWRITE_ENVELOPE_RECIPIENT,
							box->local, box->domain);

	*out = box->address;
	if (rule) {
		*out = rewriter_address(j->envelope->arena, rule, box->local);
		explain_note(x, "recipient '%s': '%s', rewritten by the rule for '%s' (%s:%u)",
			     *out, box->address, rule->left, rule->file, rule->line);
		return 0;
	}
	if (box->domain && !(local_domain_is_bare(box->domain) && is_local_name(j, box->domain)))
		return 0;
	if (qualify_recipient(j, box, out, err) < 0)
		return -1;
	const char *own = j->account->qualify ?
		choose_account_own(j->envelope->arena, j->account) : NULL;

	if (own) {
		j->envelope->to_own = own;
		explain_note(x, "recipient '%s': '%s', a name of this host that nobody has in the "
			     "domain of the account (see aliases, default_domain)", *out,
			     box->address);
	} else if (strcmp(*out, box->address) != 0) {
		explain_note(x, "recipient '%s': '%s', completed with the domain of the account",
			     *out, box->address);
	}
	return 0;
}

/* What the recipient is in the end, with the name that it had at first. */
static int add_settled(struct job *j, const char *address, const char *orcpt,
		       const struct recipient *like, struct error *err)
{
	struct recipient named = *like;
	struct mailbox box;

	if (address_parse_one(j->envelope->arena, address, 0, &box, err) < 0 ||
	    settle_recipient(j, &box, &address, err) < 0)
		return -1;
	if (strcmp(address, like->address) != 0 && !named.original)
		named.original = like->address;
	envelope_add_as(j->envelope, address, strcasecmp(address, orcpt) == 0 ? NULL : orcpt,
			&named);
	return 0;
}

/* ORCPT is the address as it was asked for, completed where it can be. */
static const char *original_of(const struct job *j, const struct mailbox *box)
{
	const char *orcpt;

	if (box->domain || choose_account_own(j->envelope->arena, j->account) ||
	    qualify_recipient(j, box, &orcpt, NULL) < 0)
		return box->address;
	return orcpt;
}

static void warn(struct job *j, const char *text)
{
	explain_note(j->envelope->explain, "aliases: %s", text);
	envelope_warn(j->envelope, text);
}

/* What is wrong with the file hinders nobody: one that cannot be read is as none. */
static void load_aliases(struct job *j)
{
	struct error unreadable;

	if (j->loaded || !j->account->aliases)
		return;
	j->loaded = true;
	if (aliases_load(j->account->aliases, &j->aliases, &unreadable) < 0) {
		j->aliases = NULL;
		warn(j, unreadable.text);
		return;
	}
	const struct strvec *w = aliases_warnings(j->aliases);

	for (size_t i = 0; i < w->n && i < WARNINGS_MAX; i++)
		warn(j, w->v[i]);
	if (w->n > WARNINGS_MAX)
		warn(j, "and more such lines: --check shows them");
}

/* What the aliases say of a local name; discarded: they say "nobody" as well. */
static int look_up(struct job *j, const char *name, struct strvec *targets, bool *discarded,
		   struct error *err)
{
	load_aliases(j);
	return j->aliases ? aliases_expand(j->aliases, name, is_local_name, j, targets, discarded,
					   err) : 0;
}

static int add_targets(struct job *j, const struct strvec *targets, const char *orcpt,
		       const struct recipient *like, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < targets->n; i++) {
		explain_note(j->envelope->explain, "recipient '%s': alias of '%s' in %s",
			     targets->v[i], orcpt, j->account->aliases);
		rc = add_settled(j, targets->v[i], orcpt, like, err);
	}
	return rc;
}

static int add_recipient(struct job *j, const struct recipient *like, struct error *err)
{
	struct strvec targets = STRVEC_INIT(EXPANSION_MAX);
	struct mailbox box;
	struct error wrong;
	bool discarded = false;
	int rc = 0;

	if (address_parse_one(j->envelope->arena, like->address, 0, &box, err) < 0)
		return -1;
	if (!box.domain || is_local_name(j, box.domain))
		rc = look_up(j, box.local, &targets, &discarded, err);
	const char *orcpt = original_of(j, &box);

	if (rc < 0)	/* the other targets of the name are good all the same */
		(void)!add_targets(j, &targets, orcpt, like, &wrong);
	else if (targets.n)
		rc = add_targets(j, &targets, orcpt, like, err);
	else if (!discarded)
		rc = add_settled(j, like->address, orcpt, like, err);
	if (discarded) {
		explain_note(j->envelope->explain, "recipient '%s': thrown away, as %s says",
			     orcpt, j->account->aliases);
		envelope_add_as(&j->discarded, orcpt, NULL, like);
	}
	strvec_release(&targets);
	return rc;
}

/* Is there any recipient that may not stay as it is? The host's name is not asked for in vain. */
static bool is_needed(struct job *j)
{
	const struct envelope *e = j->envelope;

	if (rewriter_does(j->rewriter, REWRITE_ENVELOPE_RECIPIENT))
		return true;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		const char *domain = address_domain(e->rcpt[i].address);

		if ((j->account->aliases || local_domain_is_bare(domain)) &&
		    is_local_name(j, domain))
			return true;
	}
	return false;
}

static int expand_all(struct job *j, const struct envelope *old, struct error *err)
{
	struct envelope *e = j->envelope;
	struct error why;

	for (size_t i = 0; i < old->rcpt_count; i++) {
		if (add_recipient(j, &old->rcpt[i], &why) == 0)
			continue;
		explain_note(e->explain, "recipient '%s': left out: %s", old->rcpt[i].address,
			     why.text);
		envelope_set_aside(e, old->rcpt[i].address, &why);
	}
	if (e->rcpt_count)
		return 0;
	if (!j->discarded.rcpt_count)
		return envelope_nobody(e, err);
	e->discard = true;
	for (size_t i = 0; i < j->discarded.rcpt_count; i++)
		envelope_add_as(e, j->discarded.rcpt[i].address, NULL, &j->discarded.rcpt[i]);
	return 0;
}

static int expand(struct envelope *e, const struct account *a, struct rewriter *rewriter,
		  struct error *err)
{
	struct job j = { .envelope = e, .account = a, .rewriter = rewriter,
			 .local = local_domains_new(e->arena, a) };

	if (!is_needed(&j))
		return 0;
	const struct envelope old = envelope_take_recipients(e);

	envelope_init(&j.discarded, e->arena);
	int rc = old.rcpt_count ? expand_all(&j, &old, err) : 0;

	aliases_free(j.aliases);
	return rc;
}

/* --- redirect_to and always_bcc --------------------------------------------------------- */

/*
 * Puts redirect_to in place of all recipients that no pattern of
 * redirect_except fits; e->redirected lists those that went.
 */
static void redirect(struct envelope *e, const struct account *a)
{
	if (!a->redirect.to || e->discard)
		return;
	const struct envelope old = envelope_take_recipients(e);
	const char **went = arena_calloc(e->arena, old.rcpt_count + 1, sizeof(*went));
	struct patterns except = { .arena = e->arena };
	size_t n = 0;

	patterns_add_all(&except, a->redirect.except);

	for (size_t i = 0; i < old.rcpt_count; i++) {
		struct recipient r = old.rcpt[i];

		if (patterns_find(&except, r.address, 0, NULL)) {
			envelope_add_as(e, r.address, NULL, &r);
			e->redirected_part = true;
			continue;
		}
		went[n++] = r.address;
		if (!r.original)
			r.original = r.address;
		for (const char *const *to = a->redirect.to; *to; to++) {
			explain_note(e->explain, "recipient '%s': in place of '%s' (redirect_to)",
				     *to, r.address);
			envelope_add_as(e, *to, r.address, &r);
		}
	}
	e->redirected = n ? went : NULL;
}

void recipients_add_copies(struct envelope *e, const struct account *a)
{
	bool reports = false;

	if (!a->redirect.always_bcc)
		return;
	if (e->discard)		/* the copy is wanted all the same */
		(void)envelope_take_recipients(e);
	e->discard = false;
	for (size_t i = 0; i < e->rcpt_count; i++)
		reports = reports || e->rcpt[i].notify;
	for (const char *const *to = a->redirect.always_bcc; *to; to++) {
		if (!envelope_add(e, *to, NULL))
			continue;
		struct recipient *r = &e->rcpt[e->rcpt_count - 1];

		explain_note(e->explain, "recipient '%s': a copy (always_bcc)", *to);
		r->source = RCPT_SOURCE_ADDED;
		r->notify = reports ? DSN_NOTIFY_NEVER : 0;
	}
}

/* --- domains ---------------------------------------------------------------------------- */

/* Domains in ASCII form; a local part beyond ASCII needs SMTPUTF8. */
static int internationalise(struct envelope *e, const char **address, struct error *err)
{
	size_t len = strlen(*address);

	if (text_is_ascii(*address, len))
		return 0;
	if (idna_address(e->arena, *address, address, err) < 0)
		return -1;
	if (!text_is_ascii(*address, strlen(*address)))
		e->utf8 = true;
	return 0;
}

/* Two spellings of a domain may turn out to be one: then the address is used once. */
static int internationalise_all(struct envelope *e, struct error *err)
{
	bool ascii = true;

	for (size_t i = 0; i < e->rcpt_count && ascii; i++)
		ascii = text_is_ascii(e->rcpt[i].address, strlen(e->rcpt[i].address));
	if (ascii)
		return 0;
	const struct envelope old = envelope_take_recipients(e);
	struct error why;

	for (size_t i = 0; i < old.rcpt_count; i++) {
		const char *address = old.rcpt[i].address;

		if (internationalise(e, &address, &why) == 0) {
			envelope_add_as(e, address, NULL, &old.rcpt[i]);
			continue;
		}
		error_prefix(&why, "recipient");
		envelope_set_aside(e, address, &why);
	}
	return e->rcpt_count ? 0 : envelope_nobody(e, err);
}

int recipients_settle(struct envelope *e, const struct account *a, struct rewriter *rewriter,
		      struct error *err)
{
	if (expand(e, a, rewriter, err) < 0)
		return -1;
	redirect(e, a);
	if (internationalise(e, &e->sender, err) < 0)
		return error_prefix(err, "sender");
	return internationalise_all(e, err);
}
