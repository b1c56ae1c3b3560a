/*
 * Inside --configure: the account that is being made, and its text. For
 * cli/cmd_configure.c and cli/configure_text.c only.
 */
#ifndef CLI_CONFIGURE_PRIVATE_H
#define CLI_CONFIGURE_PRIVATE_H

#include <stdbool.h>

#include "cli/configure_service.h"
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

#define SECTION_MAX ((size_t)1 << 20)

/* The account that is made: where it goes, what it is called, and its text. */
struct setup {
	const struct invocation *inv;
	struct arena *arena;
	struct found_address who;
	struct config_append *file;	/* where the account goes */
	bool system;			/* that is the file of the whole host */
	bool through;			/* the account is the service's; else this file has all */
	struct service_setup service;	/* ... and what users get */
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

/* The sender, as an option says it, or the address. */
const char *setup_from(const struct setup *s);

/* A path as a word of a shell: as it stands, with its "~", or whole and in single quotes. */
const char *setup_shell_word(struct arena *a, const char *path);

/* The section into s->text. EX_CONFIG for a value that cannot be written. */
ATTR_CHECK int setup_text(struct setup *s, struct error *err);

#endif
