/*
 * Inside the configuration: what accounts.c and config_*.c share. For conf/
 * only.
 *
 * Files are read into sections, each a list of assignments that point into
 * the file's text; then each account is made: defaults of the table, the
 * file's defaults, base accounts, its own assignments, overrides. The texts
 * may hold secrets, so they are overwritten when the configuration goes.
 *
 * A config_file is what one file and those that it includes say together;
 * each of them is a part of it.
 */
#ifndef CONF_CONFIG_PARTS_H
#define CONF_CONFIG_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/listen.h"
#include "conf/settings.h"
#include "util/attr.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/strvec.h"

struct arena;
struct error;
struct rewrite_map;
struct setting;

enum origin { ORIGIN_FILE, ORIGIN_OPTION, ORIGIN_ENVIRONMENT };

/* One setting as written. */
struct assignment {
	struct assignment *next;
	const struct setting *row;
	char *value;		/* without quotes */
	char *text;		/* a secret as it is written, until it is forgotten; else NULL */
	size_t text_n;
	const char *place;	/* file that line is in */
	unsigned line;
	bool expand;		/* ${VAR} is to be replaced */
	bool from_file;		/* it is "@PATH": the file's first line is the value */
};

struct assignments {
	struct assignment *first, *last;
};

/* One [account], [listen], or what stands for it. */
struct section {
	struct section *next;
	struct config_file *file;
	enum setting_scope scope;
	const char *name;
	const char *place;		/* file that line is in */
	unsigned line;
	char **base;			/* names of the base accounts, NULL at the end */
	struct assignments own;
	const struct assignment *defaults_end;	/* msmtp: the last default before the account */
	bool entered;			/* while its bases are followed */
	bool shadowed;			/* a user's account has the same name */
	struct account account;		/* one of the two is filled, by scope */
	struct listen_settings listen;
};

/* One text of a config_file. */
struct config_part {
	struct config_part *next;
	const char *name;
	struct strbuf text;
	bool holds_secret;
	bool reading;			/* it, or one that it includes, is being read */
	dev_t dev;
	ino_t ino;
};

struct config_file {
	struct config_file *next;
	const char *name;
	enum origin origin;
	bool system;			/* of the machine, not of the user */
	bool classic;
	struct config_part *part, *part_last;
	struct rewrite_map *rewrite;	/* NULL = it has none */
	struct assignments defaults;
	struct section *current;	/* while it is read; NULL in the defaults */
	bool begun;			/* a section has been seen in the part being read */
	struct section *first, *last;
	struct section **section;	/* the same by their numbers */
	size_t count, alloc;
	struct strmap names[2];		/* their numbers, by scope */
	struct account prototype;	/* table and defaults so far applied */
};

/* A line that eval made; overwritten with the rest. */
struct config_line {
	struct config_line *next;
	struct strbuf text;
};

struct config {
	struct arena *arena;
	struct config_file *file, *file_last;	/* the user's first */
	bool reading_system;			/* the files that are added are the machine's */
	bool chosen;				/* -C by whoever may give any option */
	struct config_line *lines;
	struct assignments options[2];		/* by scope */
	struct section **account;		/* visible ones, in order */
	size_t account_n;
	struct strmap account_names;		/* their numbers */
	struct strmap base_names;		/* accounts that others stand on */
	struct section *made_listener;
	const struct rewrite_map **rewrite;	/* of all files, NULL at the end; NULL = none */
	struct strbuf searched;
	void (*problem)(void *ctx, const struct error *err);	/* see struct config_request */
	void *problem_ctx;
	struct strvec told;			/* mistakes */
	struct strvec denied;			/* files that are there and may not be read */
};

/* --- accounts.c ------------------------------------------------------------ */

/* Overwrites the secrets of an account. */
void config_forget(struct account *a);

/* Tells a mistake to whoever wants to hear of all: 0, and reading goes on; else -1. */
ATTR_CHECK int config_problem(struct config *c, const struct error *err);

/* --- config_files.c ------------------------------------------------------- */

/* A file without text yet, put behind the others. */
struct config_file *config_file_add(struct config *c, const char *name, enum origin origin);

/* Finds and reads the files of the request, with their sections. */
ATTR_CHECK int config_files_read(struct config *c, const struct config_request *req,
				 struct error *err);

/* Reads n octets of text as the first part of f, which bears its name. */
ATTR_CHECK int config_text_read(struct config *c, struct config_file *f, const char *text,
				size_t n, struct error *err);

/*
 * Reads every *.conf of folder that the caller may read, in lexical order, as
 * parts of f; of a system file of their own when f is NULL or in msmtp's
 * syntax.
 */
ATTR_CHECK int config_folder_read(struct config *c, struct config_file *f, const char *folder,
				  struct error *err);

/*
 * Reads what "include = VALUE" in part `from` of f names: a file, or those
 * that a pattern matches, in lexical order. Relative paths begin where
 * `from` lies.
 */
ATTR_CHECK int config_include(struct config *c, struct config_file *f,
			      const struct config_part *from, const char *value,
			      struct error *err);

/* --- config_sections.c ---------------------------------------------------- */

/* Reads a part of f into sections. The first may be of either form, the others are ini. */
ATTR_CHECK int config_sections_read(struct config *c, struct config_file *f,
				    struct config_part *part, struct error *err);

/* A new section of f, put behind its others. */
struct section *config_section_add(struct config *c, struct config_file *f,
				   enum setting_scope scope, const char *name);

/* The section of f with that name; NULL if there is none. */
struct section *config_section_find(const struct config_file *f, enum setting_scope scope,
				    const char *name);

/* Puts an assignment behind the others; value is borrowed. */
struct assignment *config_assign(struct config *c, struct assignments *list,
				 const struct setting *row, char *value);

/* "key 'x': unknown", with the nearest key or the section it belongs to; returns -1. */
int config_unknown_key(enum setting_scope scope, const char *key, struct error *err);

/* --- config_env.c ---------------------------------------------------------- */

/* An account and a listener of MSUBMIT_*, when any such variable is set. */
ATTR_CHECK int config_env_read(struct config *c, struct error *err);

/* The first line of the file that "@PATH" names; the result lives in a. */
ATTR_CHECK int config_env_file(struct arena *a, const char *value, const char **out,
			       struct error *err);

/* Replaces ${NAME} by the environment's value, $${ by ${; the result lives in a. */
ATTR_CHECK int config_env_expand(struct arena *a, const char *value, const char **out,
				 struct error *err);

/*
 * Replaces msmtp's %U, %H, %C and %M by login name, host name, canonical host
 * name and /etc/mailname, and %D by the domain of the host; the result lives
 * in a.
 */
ATTR_CHECK int config_env_patterns(struct arena *a, const char *value, const char **out,
				   struct error *err);

/* --- config_resolve.c ------------------------------------------------------ */

/* Fills every account and listener of every file. */
ATTR_CHECK int config_resolve(struct config *c, struct error *err);

/* Fills a listener that no file has. */
ATTR_CHECK int config_resolve_listener(struct config *c, struct section *s, struct error *err);

/*
 * What gave an account the value of row, in its section, its bases or the
 * defaults; NULL when nothing there did.
 */
const struct assignment *config_assignment(const struct config *c, const struct section *s,
					   const struct setting *row);

/* The account that section s names as its base; NULL if there is none. */
struct section *config_base(const struct config *c, const struct section *s, const char *name);

/* Does one of the assignments to an account say where mail goes: host, socket or mx? */
bool config_names_server(const struct assignments *list);

#endif
