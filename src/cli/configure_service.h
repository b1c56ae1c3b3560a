/*
 * --configure for a whole machine: the account goes to the service, and every
 * user gets one that leads there.
 *
 * Two files: SYSCONFDIR/msubmit/msubmit.conf, which root and the service read,
 * has the server and the sign-in; SYSCONFDIR/msmtprc, which everybody reads,
 * has via = service and what makes a message. An account that stands in one of
 * them already is not written there again, so that a second run mends what is
 * missing and changes nothing else.
 */
#ifndef CLI_CONFIGURE_SERVICE_H
#define CLI_CONFIGURE_SERVICE_H

#include <stdbool.h>

#include "setup/machine.h"
#include "util/strbuf.h"

struct arena;
struct config;
struct config_append;
struct error;
struct invocation;
struct secret;

struct service_setup {
	const struct invocation *inv;
	struct arena *arena;
	const char *address;
	struct config_append *users;	/* the file of all users */
	struct config_append *own;	/* that of the service */
	const char *name;		/* of the account in both */
	bool in_users, in_own;		/* it stands there already */
	struct strbuf text;		/* for users */
	struct machine machine;
};

/*
 * Opens both files and chooses the name. 1; 0 where all stays as without a
 * service: the file of all users is in msmtp's syntax, or --via=direct was
 * given. EX_CONFIG when an account is in the way.
 */
ATTR_CHECK int service_setup_open(struct service_setup *s, struct error *err);
void service_setup_close(struct service_setup *s);

/* Does the key belong to the account of the service? Of users? Some belong to both. */
bool service_setup_is_own(const char *key);
bool service_setup_is_users(const char *key);

/* The account of users into s->text; domain: default_domain, NULL for none. */
ATTR_CHECK int service_setup_text(struct service_setup *s, const char *from, const char *domain,
				  struct error *err);

/* What stands in front of the first account in the service's file: the listener. */
const char *service_setup_head(const struct service_setup *s);

/*
 * Makes user and folders, writes what is not there yet (own_text with its
 * secret, which may be unset; s->text) and starts the service.
 */
ATTR_CHECK int service_setup_write(struct service_setup *s, const struct strbuf *own_text,
				   const char *secret_name, const struct secret *secret,
				   struct error *err);

#endif
