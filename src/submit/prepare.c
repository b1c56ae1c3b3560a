#include "config.h"
#include "submit/prepare.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "conf/aliases.h"
#include "message/address.h"
#include "message/envelope.h"
#include "message/idna.h"
#include "submit/explain.h"
#include "submit/route.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strvec.h"
#include "util/text.h"

#define EXPANSION_MAX 100000	/* recipients one envelope may grow to by aliases */

/*
 * A local name becomes an address. Without any domain: "postmaster" goes as
 * it is (RFC 5321, section 4.1.1.3), so does all where the account asks for
 * bare names; the rest has nobody to go to.
 */
static int qualify(struct envelope *e, const struct account *a, const char *name,
		   const char **out, struct error *err)
{
	const char *domain = a->qualify ? route_domain(e->arena, a) : NULL;

	if (domain) {
		*out = arena_printf(e->arena, "%s@%s", name, domain);
		return 0;
	}
	if (a->qualify && strcasecmp(name, "postmaster") != 0)
		return error_set(err, EX_NOUSER, "5.1.3",
				 "'%s' has no alias, and no domain is known to complete it: "
				 "set default_domain", name);
	*out = name;
	return 0;
}

/* What an alias says, as an address list like any other. */
static int add_alias(struct envelope *e, const struct account *a, const char *target,
		     const char *orcpt, const struct recipient *like, struct error *err)
{
	struct address_list list;

	if (address_parse_list(e->arena, target, strlen(target), 0, &list, err) < 0) {
		err->exit = EX_CONFIG;
		return error_prefix(err, "%s: alias of '%s'", a->aliases, orcpt);
	}
	for (size_t i = 0; i < list.n; i++) {
		const char *address = list.box[i].address;

		if (!list.box[i].domain && qualify(e, a, address, &address, err) < 0)
			return -1;
		explain_note(e->explain, "recipient '%s': alias of '%s' in %s", address, orcpt,
			     a->aliases);
		envelope_add_as(e, address, strcmp(address, orcpt) == 0 ? NULL : orcpt, like);
	}
	return 0;
}

static void add_completed(struct envelope *e, const char *name, const char *address,
			  const struct recipient *like)
{
	if (strcmp(name, address) != 0)
		explain_note(e->explain, "recipient '%s': '%s', completed with the domain of the "
			     "account", address, name);
	envelope_add_as(e, address, NULL, like);
}

/*
 * One recipient without domain: aliases, then qualification. Where the name
 * needs quotes in an address, the file has it without or in its own.
 */
static int add_local(struct envelope *e, const struct account *a, const struct aliases *aliases,
		     const struct recipient *like, struct error *err)
{
	const char *const name = like->address;
	struct strvec targets = STRVEC_INIT(EXPANSION_MAX);
	const char *orcpt = name;
	struct mailbox box;
	int rc = 0;

	if (address_parse_one(e->arena, name, 0, &box, err) < 0)
		return -1;
	if (aliases)
		rc = aliases_expand(aliases, box.local, &targets, err);
	if (rc == 0 && targets.n == 0)
		strvec_add(&targets, name);
	/* the name as it was asked for, if it can be completed at all */
	struct error none;

	(void)!qualify(e, a, name, &orcpt, &none);
	for (size_t i = 0; rc == 0 && i < targets.n; i++) {
		const char *address = targets.v[i];

		if (strcasecmp(address, name) != 0 && strcasecmp(address, box.local) != 0)
			rc = add_alias(e, a, address, orcpt, like, err);
		else if ((rc = qualify(e, a, name, &address, err)) == 0)
			add_completed(e, name, address, like);
	}
	strvec_release(&targets);
	return rc;
}

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

static bool has_local_name(const struct envelope *e)
{
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!address_domain(e->rcpt[i].address))
			return true;
	}
	return false;
}

/* Takes all recipients out; the same, or others, may be added then. */
static struct envelope empty_list(struct envelope *e)
{
	struct envelope old = *e;

	e->rcpt = NULL;
	e->rcpt_count = e->rcpt_alloc = 0;
	e->index = NULL;
	return old;
}

static int expand_all(struct envelope *e, const struct account *a, struct error *err)
{
	struct aliases *aliases = NULL;
	int rc = 0;

	if (a->aliases && aliases_load(a->aliases, &aliases, err) < 0)
		return -1;
	const struct envelope old = empty_list(e);

	for (size_t i = 0; rc == 0 && i < old.rcpt_count; i++) {
		const struct recipient *r = &old.rcpt[i];

		if (address_domain(r->address))
			envelope_add_as(e, r->address, NULL, r);
		else
			rc = add_local(e, a, aliases, r, err);
	}
	aliases_free(aliases);
	return rc;
}

static bool all_ascii(const struct envelope *e)
{
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!text_is_ascii(e->rcpt[i].address, strlen(e->rcpt[i].address)))
			return false;
	}
	return true;
}

/* Two spellings of a domain may turn out to be one: then the address is used once. */
static int internationalise_all(struct envelope *e, struct error *err)
{
	if (all_ascii(e))
		return 0;
	const struct envelope old = empty_list(e);

	for (size_t i = 0; i < old.rcpt_count; i++) {
		const char *address = old.rcpt[i].address;

		if (internationalise(e, &address, err) < 0)
			return error_prefix(err, "recipient");
		envelope_add_as(e, address, NULL, &old.rcpt[i]);
	}
	return 0;
}

int prepare_envelope(struct envelope *e, const struct account *a, struct error *err)
{
	if (has_local_name(e) && expand_all(e, a, err) < 0)
		return -1;
	if (internationalise(e, &e->sender, err) < 0)
		return error_prefix(err, "sender");
	return internationalise_all(e, err);
}
