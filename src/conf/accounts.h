/*
 * All accounts and listeners, from files, environment and command line.
 *
 * Files, the first that exists of each kind: the one of -C alone; else
 * /etc/msmtprc and /etc/msmtprc.d, then $XDG_CONFIG_HOME/msmtp/config or
 * ~/.msmtprc (user over system, as in msmtp). "include = FILE" reads further
 * ones in their place. Each may be in ini form or in msmtp's syntax, told
 * by its first significant line. Without any file MSUBMIT_* make an account.
 * The order of precedence: command line, account, base account, defaults.
 */
#ifndef CONF_ACCOUNTS_H
#define CONF_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct account;
struct config;
struct error;
struct listen_settings;
struct strbuf;

struct config_override {
	const char *key;	/* as in the settings table */
	const char *value;
};

struct config_request {
	const char *file;	/* -C; NULL = search */
	bool file_whole;	/* ... as realpath(3) has it */
	const char *text;	/* ... and what it holds, text_n octets; NULL = it is read */
	size_t text_n;
	/*
	 * ... by who only calls sendmail: it must be root's, and for root below
	 * /etc (EX_USAGE); errors show nothing of what it holds
	 */
	bool as_sendmail;
	const struct config_override *override;	/* --key=value, for every account */
	size_t override_n;
	/*
	 * NULL: the first mistake is the end. Else called for each mistake in
	 * the files, and reading goes on; what was read is good for
	 * config_warn() at most, and config_load() fails only where it cannot
	 * read at all.
	 */
	void (*problem)(void *ctx, const struct error *err);
	void *problem_ctx;
	bool no_files;		/* options only (--host given and no -C, -a), as in msmtp */
};

/*
 * Reads everything. Errors (EX_CONFIG) say "FILE:LINE: key 'x': what" and
 * suggest the nearest key. A file with a secret that others can read is
 * refused with the chmod to run.
 */
ATTR_CHECK int config_load(const struct config_request *req, struct config **out,
			   struct error *err);

/* The same of n octets of text, as if they were the file `name` and the only one. */
ATTR_CHECK int config_load_text(const char *name, const char *text, size_t n,
				struct config **out, struct error *err);
void config_free(struct config *c);

/*
 * The port to connect to: the account's own; else 24 for LMTP; else 465 with
 * TLS from the first byte; else 587, in msmtp's syntax 25.
 */
unsigned account_port(const struct account *a);

/* Account by name; NULL if there is none. */
const struct account *config_account(const struct config *c, const char *name);

/* The account "default", else the only one there is; NULL if there is none. */
const struct account *config_default(const struct config *c);

/*
 * The i-th account, those of the user's file first, each in file order; NULL
 * behind the last.
 */
const struct account *config_nth(const struct config *c, size_t i);

/* Listener by name (NULL: the first, or one made of defaults and overrides); NULL if none. */
const struct listen_settings *config_listen(const struct config *c, const char *name);

/* One that no section is for: defaults, and what the command line says. */
const struct listen_settings *config_listen_plain(const struct config *c);

/* The i-th listener of the first file that has any; NULL = there are no more. */
const struct listen_settings *config_listen_nth(const struct config *c, size_t i);

/* "~/.msmtprc (HOME unset), /etc/msmtprc (read)": for errors. */
const char *config_searched(const struct config *c);

/* The i-th source that was read: a file's path, "environment", "command line"; NULL at the end. */
const char *config_file_name(const struct config *c, size_t i);

/* The i-th file that is there and may not be read, "PATH (why)"; NULL at the end. */
const char *config_file_denied(const struct config *c, size_t i);

/* Where a setting of an account came from: "FILE:LINE", "default", "option", "environment". */
const char *config_origin(const struct config *c, const struct account *a, const char *key);

/* "FILE:LINE: key 'tls_pin' is not used: 'tls = off'"; text is gone afterwards. */
typedef void config_warn_fn(void *ctx, const struct account *a, const char *text);

/*
 * Tells what can be read and comes to nothing, of one account (NULL: of all,
 * and how they are chosen). Only what an account's own section says is judged:
 * what it takes over is meant for others, too.
 */
void config_warn(const struct config *c, const struct account *only, config_warn_fn *fn, void *ctx);

#endif
