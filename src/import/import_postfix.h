/*
 * Inside the import of Postfix's configuration: what main.cf says
 * (import_postfix.c) and the tables that it names (import_postfix_maps.c).
 */
#ifndef IMPORT_IMPORT_POSTFIX_H
#define IMPORT_IMPORT_POSTFIX_H

#include "import/import_parts.h"
#include "util/attr.h"

struct error;

/*
 * Finds who signs in at nexthop, with sender-dependent authentication for
 * that sender (or NULL). Nothing is filled when there is nobody.
 */
ATTR_CHECK int import_postfix_login(const struct import_source *src, const char *nexthop,
				    const char *sender, struct import_login *out,
				    struct error *err);

/* Accounts of sender_dependent_relayhost_maps, rules of the generic and canonical maps. */
ATTR_CHECK int import_postfix_tables(const struct import_source *src,
				     struct import_account *base, struct error *err);

/* Host and port of a nexthop. */
void import_postfix_nexthop(struct import *im, const char *nexthop, struct import_way *way);

/* Server, TLS, login, certificates for an account. */
void import_postfix_server(const struct import_source *src, struct import_account *a,
			   const struct import_value *about, const char *nexthop,
			   const struct import_login *login);

#endif
