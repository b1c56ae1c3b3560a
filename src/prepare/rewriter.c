#include "config.h"
#include "prepare/rewriter.h"

#include <string.h>

#include "conf/account.h"
#include "conf/local_domains.h"
#include "message/address.h"
#include "message/idna.h"
#include "prepare/choose_account.h"
#include "util/arena.h"
#include "util/error.h"

struct rewriter {
	struct arena *arena;
	const struct account *account;
	const struct rewrite_map **maps;
	struct local_domains *local;
	const char *domain;		/* completes addresses; NULL = unknown */
	bool domain_known;
};

int rewriter_open(struct arena *a, const struct account *account, struct rewriter **out,
		  struct error *err)
{
	const struct rewrite_settings *set = &account->rewrite;
	struct rewriter *r;
	size_t n = 0;

	*out = NULL;
	while (set->maps && set->maps[n])
		n++;
	if (n == 0 && !set->map)
		return 0;
	r = arena_alloc(a, sizeof(*r));
	r->arena = a;
	r->account = account;
	r->local = local_domains_new(a, account);
	r->maps = arena_calloc(a, n + 2, sizeof(*r->maps));
	for (size_t i = 0; i < n; i++)
		r->maps[i] = set->maps[i];
	if (set->map) {
		struct rewrite_map *file = rewrite_map_new(a);

		if (rewrite_map_read(file, set->map, err) < 0)
			return -1;
		r->maps[n] = file;
	}
	*out = r;
	return 0;
}

bool rewriter_does(const struct rewriter *r, unsigned classes)
{
	return r && r->account->rewrite.classes & classes;
}

static const char *to_ascii(struct rewriter *r, const char *domain)
{

	return domain && idna_to_ascii(r->arena, domain, &domain, NULL) < 0 ? NULL : domain;
}

/* Looked up when first needed. */
static const char *completing_domain(struct rewriter *r)
{
	if (!r->domain_known) {
		r->domain_known = true;
		r->domain = to_ascii(r, choose_account_domain(r->arena, r->account));
	}
	return r->domain;
}

const struct rewrite_rule *rewriter_find(struct rewriter *r, unsigned class, const char *local,
					 const char *domain)
{
	struct rewrite_key key = { .local = local };

	if (!rewriter_does(r, class) || !*local)
		return NULL;
	key.domain = domain ? to_ascii(r, domain) : completing_domain(r);
	key.is_local = !domain || local_domains_has(r->local, domain);
	return rewrite_find((const struct rewrite_map *const *)r->maps, &key);
}

const char *rewriter_address(struct arena *a, const struct rewrite_rule *rule, const char *local)
{
	return address_format(a, rule->local ? rule->local : local, rule->domain);
}

const char *rewriter_apply(struct rewriter *r, unsigned class, const char *address,
			   const struct rewrite_rule **rule_out)
{
	struct mailbox box;

	if (!rewriter_does(r, class) || !*address ||
	    address_parse_one(r->arena, address, 0, &box, NULL) < 0)
		return NULL;
	const struct rewrite_rule *rule = rewriter_find(r, class, box.local, box.domain);

	if (!rule)
		return NULL;
	if (rule_out)
		*rule_out = rule;
	return rewriter_address(r->arena, rule, box.local);
}
