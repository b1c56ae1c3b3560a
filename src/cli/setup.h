/*
 * The account that --configure makes: where it goes, what it is called, and
 * its text. For cmd_configure.c.
 */
#ifndef CLI_SETUP_H
#define CLI_SETUP_H

#include <stdbool.h>

#include "setup/discover.h"
#include "util/attr.h"
#include "util/secret.h"
#include "util/strbuf.h"

struct account;
struct arena;
struct config;
struct config_append;
struct error;
struct invocation;

struct setup {
	const struct invocation *inv;
	struct arena *arena;
	struct found_address who;
	struct config_append *file;	/* where the account goes */
	bool system;			/* that is the file of the whole host */
	const char *name;		/* of the account */
	struct config *base_config;	/* the options of the command line alone */
	const struct account *base;
	struct found_server server;
	struct secret secret, token;	/* to sign in with; unset = the account knows itself */
	const char *secret_path;	/* where the secret is to be kept; NULL = nowhere */
	struct strbuf text;		/* the section */
};

/* Was the setting given on the command line? */
bool setup_has(const struct setup *s, const char *key);

/*
 * Chooses file and name. EX_CONFIG when the file has an account of that name
 * or for that address, or cannot be read; EX_CANTCREAT when nothing can be
 * written there.
 */
ATTR_CHECK int setup_place(struct setup *s, struct error *err);

/* The account of the options alone, for the search. EX_USAGE for what makes no sense here. */
ATTR_CHECK int setup_base(struct setup *s, struct error *err);

/* A path for the secret that nothing has yet; into s->secret_path. */
ATTR_CHECK int setup_secret_path(struct setup *s, struct error *err);

/* The section into s->text, from all of the above. */
ATTR_CHECK int setup_text(struct setup *s, struct error *err);

#endif
