#include "config.h"
#include "conf/local_domains.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/config_parts.h"
#include "message/address.h"
#include "message/ident.h"
#include "message/patterns.h"
#include "util/arena.h"
#include "util/error.h"

struct local_domains {
	struct arena *arena;
	const char **own;		/* items that mean this host; NULL at the end */
	struct patterns others;
	const char *host, *told;	/* the system's word, and $HOSTNAME; NULL at first */
};

static const char *const own[] = { "localhost", "%H", "%H.%D", NULL };

static struct local_domains *make(struct arena *a, const char *const *items)
{
	struct local_domains *l = arena_alloc(a, sizeof(*l));
	size_t n = 0, own_n = 0;

	while (items && items[n])
		n++;
	l->arena = l->others.arena = a;
	l->own = arena_calloc(a, n + 1, sizeof(*l->own));
	for (size_t i = 0; i < n; i++) {
		if (strchr(items[i], '%') || strcasecmp(items[i], "localhost") == 0)
			l->own[own_n++] = items[i];
		else
			patterns_add(&l->others, items[i]);
	}
	return l;
}

struct local_domains *local_domains_new(struct arena *a, const struct account *account)
{
	return make(a, account->rewrite.local_domains);
}

struct local_domains *local_domains_own(struct arena *a)
{
	return make(a, own);
}

bool local_domain_is_localhost(const char *domain)
{
	return strncasecmp(domain, "localhost", 9) == 0 && (!domain[9] || domain[9] == '.');
}

/* Does the name end in a domain that installers write where there is none? */
static bool is_made_up(const char *domain)
{
	const char *dot = strchr(domain, '.');

	return dot && strcasecmp(dot, ".localdomain") == 0;
}

/* The name or its first label. */
static bool is_name(const char *host, const char *domain)
{
	size_t label = strcspn(host, ".");

	return strcasecmp(host, domain) == 0 ||
	       (strlen(domain) == label && strncasecmp(host, domain, label) == 0);
}

static void look_up(struct local_domains *l)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (l->host)
		return;
	if (gethostname(name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	const char *told = secure_getenv("HOSTNAME");

	l->host = arena_strdup(l->arena, name);
	l->told = told && *told ? told : l->host;
}

static bool is_host(struct local_domains *l, const char *domain)
{
	look_up(l);
	return is_name(l->host, domain) || is_name(l->told, domain);
}

/* The full name begins with the name known here: no other domain is worth a question. */
static bool is_full(struct local_domains *l, const char *host, const char *domain)
{
	const char *full;
	size_t n = strlen(host);

	if (is_made_up(domain))
		n = strcspn(host, ".");
	else if (strchr(host, '.'))
		return strcasecmp(host, domain) == 0;
	if (strncasecmp(host, domain, n) != 0 || domain[n] != '.')
		return false;
	if (is_made_up(domain))
		return true;
	full = ident_host(l->arena);
	return full && strcasecmp(full, domain) == 0;
}

static bool is_full_name(struct local_domains *l, const char *domain)
{
	look_up(l);
	return is_full(l, l->host, domain) || is_full(l, l->told, domain);
}

static bool matches(struct local_domains *l, const char *item, const char *domain)
{
	struct error unknown;

	if (strcasecmp(item, "localhost") == 0)
		return local_domain_is_localhost(domain);
	if (strcmp(item, "%H") == 0)
		return is_host(l, domain);
	if (strcmp(item, "%H.%D") == 0)
		return is_full_name(l, domain);
	return config_env_patterns(l->arena, item, &item, &unknown) == 0 &&
	       address_match(item, domain);
}

bool local_domains_has(struct local_domains *l, const char *domain)
{
	if (!domain)
		return true;
	if (patterns_find(&l->others, domain, 0, NULL))
		return true;
	for (const char **item = l->own; *item; item++) {
		if (matches(l, *item, domain))
			return true;
	}
	return false;
}

bool local_domain_is_bare(const char *domain)
{
	return !domain || local_domain_is_localhost(domain) || is_made_up(domain) ||
		(*domain != '[' && !strchr(domain, '.'));
}
