/*
 * Inside the import: what import.c and the readers of the foreign formats
 * (import_msmtp.c, import_ssmtp.c ...) share. For import/ only.
 *
 * A reader takes its file apart into values ("key, value, line"), and a
 * table of rows says of each key what becomes of it: one of our keys,
 * nothing and why, or what the reader's own code makes of it together with
 * others. Strings live in the import's arena; texts that were read are
 * overwritten when it goes.
 */
#ifndef IMPORT_IMPORT_PARTS_H
#define IMPORT_IMPORT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/strvec.h"

struct arena;
struct error;
struct import_request;
struct import_result;
struct import_source;
struct import_value;
struct rewrite_map;

#define IMPORT_FILE_MAX (4 << 20)	/* octets of one foreign file */
#define IMPORT_VALUES_MAX 10000		/* settings of one foreign file */
#define IMPORT_ACCOUNTS_MAX 200

/* Why keys of a queue come to nothing. */
#define IMPORT_NO_QUEUE "no equivalent: the message is sent at once or fails"

/* A setting of ours; that of a password has the secret instead of the value. */
struct import_setting {
	struct import_setting *next;
	const char *key, *value;
	struct secret secret;
	const char *origin;		/* file that the secret was in */
};

struct import_account {
	struct import_account *next;
	const char *name;	/* NULL = [defaults] */
	const char *base;	/* names for "inherit", NULL = none */
	struct import_setting *first;
};

/* A text that was read. */
struct import_text {
	struct import_text *next;
	const char *name;
	struct strbuf text;
};

struct import {
	struct arena *arena;
	const char *program;		/* for the comment at the top */
	const char *source;		/* path of the main file */
	struct import_account *first;
	struct strbuf aliases;		/* lines of an aliases file to be made; empty = none */
	struct strbuf rewrite;		/* lines of [rewrite] */
	struct rewrite_map *rules;	/* the same, to judge them by */
	struct strvec lefts;		/* their left sides */
	const struct import_request *req;
	struct import_result *out;
	struct import_text *texts;
	bool full;			/* accounts were left out */
};

/* --- reading --------------------------------------------------------------- */

/*
 * Reads a file; *out is NULL when there is none and it is not needed.
 * EX_NOINPUT when it cannot be opened, EX_DATAERR when it holds NUL octets
 * or is too large.
 */
ATTR_CHECK int import_open(struct import *im, const char *path, bool needed,
			   struct import_text **out, struct error *err);

/* Lines of a text, one after the other. The text is changed. */
struct import_lines {
	char *next, *end;
	unsigned line;		/* of the line handed out last; from 1 */
	unsigned first;		/* of a logical line: its first; 0 behind the last */
};

void import_lines_init(struct import_lines *l, struct import_text *t);

/* The next line without its end, blanks in place; NULL behind the last. */
char *import_line(struct import_lines *l);

/* The next that says something, trimmed: neither empty nor begun by '#'. */
char *import_entry(struct import_lines *l);

/*
 * The next line of Postfix's files: comments and empty lines are left out,
 * lines that begin with a blank continue the one before. It is in out, NULL
 * behind the last.
 */
char *import_logical_line(struct import_lines *l, struct strbuf *out);

/* Cuts blanks off both ends. */
char *import_trim(char *s);

/* The first line of a file that need not be there, trimmed; NULL when it is empty or missing. */
ATTR_CHECK int import_first_line(struct import *im, const char *path, const char **out,
				 struct error *err);

/*
 * A host name, or the path of a file whose first line is one. NULL, with a
 * note of v, for a first line that is none: it may be of any file.
 */
ATTR_CHECK int import_host_name(const struct import_source *src, const struct import_value *v,
				const char **out, struct error *err);

/* The path of `name` beside the file `from`; name itself when it is absolute. */
const char *import_beside(struct import *im, const char *from, const char *name);

/* --- values and rows ------------------------------------------------------- */

struct import_value {
	struct import_value *next;
	const char *key, *value;
	const char *file;		/* NULL = that of the source */
	unsigned line;
};

/* What one foreign file says. */
struct import_source {
	struct import *im;
	const char *file;
	bool fold;			/* keys in any case */
	size_t count;			/* of values */
	struct import_value *first, *last;
	struct strmap keys;		/* their numbers */
	const struct import_value **latest;	/* by them: the last value of the key */
	size_t key_n, key_alloc;
};

/*
 * What becomes of a key, which may be a pattern with '*'. With `ours` its
 * value goes there, through convert() if that is set; with `why` alone it is
 * noted; with neither the reader looks for it itself.
 */
struct import_row {
	const char *key;
	const char *ours;
	const char *why;
	/* The value for `ours` in the arena; NULL and *why_out set when there is none. */
	const char *(*convert)(struct import *im, const char *value, const char **why_out);
};

/* Puts a value behind the others; value is borrowed. Too many are left out, with a note. */
void import_add(struct import_source *src, const char *key, const char *value, unsigned line);

/* The value last given to key, or NULL. */
const struct import_value *import_find(const struct import_source *src, const char *key);
const char *import_get(const struct import_source *src, const char *key);

/* Goes through all values by the table; sets go to account a, NULL = none are made. */
void import_apply(const struct import_source *src, const struct import_row *rows, size_t n,
		  struct import_account *a);

/* The row of key, NULL if there is none; patterns count when no row bears its name. */
const struct import_row *import_find_row(const struct import_row *rows, size_t n,
					 const char *key, bool fold);

/* --- results --------------------------------------------------------------- */

/* A name as that of an account: what a heading cannot hold is replaced. */
const char *import_name(struct import *im, const char *name);

/* The account of that name (NULL = the defaults, which come first), made when there is none. */
struct import_account *import_account(struct import *im, const char *name);

/* May there be one more account? If not, there is a note. */
bool import_has_room(const struct import_source *src);

/*
 * Sets one of our keys; what was set before is replaced. A value that the
 * key refuses becomes a note of the value v, if that is given, and is false.
 */
bool import_set(const struct import_source *src, const struct import_value *v,
		struct import_account *a, const char *key, const char *value);

/* The same where "%C", "%D" and "%M" mean what they mean here. */
bool import_set_own(const struct import_source *src, const struct import_value *v,
		    struct import_account *a, const char *key, const char *value);

/* import_set() of a formatted value. */
ATTR_PRINTF(5, 6)
bool import_setf(const struct import_source *src, const struct import_value *v,
		 struct import_account *a, const char *key, const char *fmt, ...);

/* A password: key is "password", "oauth_token", "proxy_password", "tls_key_password". */
void import_set_secret(struct import_account *a, const struct import_source *src,
		       const char *key, const char *value);

/* A rule for [rewrite], as in Postfix's generic(5). One that will not do is noted. */
void import_add_rule(const struct import_source *src, const struct import_value *v,
		     const char *left, const char *right);

/* What our key was set to; NULL if it was not. */
const char *import_value_of(const struct import_account *a, const char *key);

/* Something the user should know: "FILE:LINE: KEY: TEXT"; without v "FILE: TEXT". */
ATTR_PRINTF(3, 4)
void import_note(const struct import_source *src, const struct import_value *v,
		 const char *fmt, ...);

/* --- helpers for values ---------------------------------------------------- */

/* yes, true, on, 1 in any case. */
bool import_is_on(const char *value);

/* The number of a port or service; 0 if it is none. */
unsigned import_port(const char *name);

/* What a server, port and TLS of another program are here, with notes about it. */
struct import_way {
	const char *host;		/* may be in brackets */
	unsigned port;			/* 0 = ours */
	const char *tls;		/* value of our key tls */
	bool unverified;		/* the program does not look at the certificate */
	bool legacy_only;		/* without TLS it only uses mechanisms like CRAM-MD5 */
	bool no_plaintext;		/* without TLS it does not show the password */
	const struct import_value *about;	/* the value to name in notes */
};

/* Who signs in; NULL = nobody. */
struct import_login {
	const char *user, *password;
	const char *file;		/* that the password was in; NULL = that of the source */
};

/* Sets host, port and tls; user and password, and what is to be said of how they travel. */
void import_set_way(const struct import_source *src, struct import_account *a,
		    const struct import_way *way, const struct import_login *login);

/*
 * The certificate that the first key names, and its private key that the second does, if there
 * is one and it has a value: else both are in one file. "none" is none.
 */
void import_set_certificate(const struct import_source *src, struct import_account *a,
			    const char *cert_key, const char *private_key);

/* The sender where a program sends as LOGIN@DOMAIN; override = value of from_override. */
void import_set_login_sender(const struct import_source *src, struct import_account *a,
			     const char *domain, const char *override);

/* --- the foreign formats --------------------------------------------------- */

struct import_format {
	const char *type, *program;
	const char *name;		/* base name of its main file */
	const struct import_row *rows;	/* its keys; patterns do not tell it from others */
	size_t row_count;
	bool fold;			/* keys in any case */
	/* Does the line, up to its LF or NUL, look like its own, where the keys do not tell? */
	bool (*score)(const char *line);
	int (*read)(struct import *im, struct import_text *t, struct error *err);
};

extern const struct import_format import_msmtp, import_ssmtp, import_esmtp, import_dma,
	import_nullmailer, import_postfix;

#endif
