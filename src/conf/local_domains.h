/*
 * The domains whose addresses are names on this host (local_domains).
 *
 * Items are patterns; "localhost" stands for "localhost.anything" too. %H is
 * the host's name, also without its domain; "%H.%D" its full name, and the
 * name in "localdomain". The resolver is asked for the full name only when a
 * domain could be it.
 */
#ifndef CONF_LOCAL_DOMAINS_H
#define CONF_LOCAL_DOMAINS_H

#include <stdbool.h>

struct account;
struct arena;
struct local_domains;

/* Those of an account; lives in arena a. */
struct local_domains *local_domains_new(struct arena *a, const struct account *account);

/* The same for the names of this host alone, whatever the account says. */
struct local_domains *local_domains_own(struct arena *a);

/* Is an address with that domain a local name? Without domain (NULL) it is. */
bool local_domains_has(struct local_domains *l, const char *domain);

/* Is it a name that every host has: localhost, or one below it? */
bool local_domain_is_localhost(const char *domain);

/* Can nobody else know the domain: localhost, NAME.localdomain, or a name without a dot? */
bool local_domain_is_bare(const char *domain);

#endif
