/*
 * The tables of settings: one row is one key. From them come the readers of
 * both rc syntaxes, the --key=value options, --help, --print-config and the
 * check of the manual.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"
#include "util/text.h"

struct account;
struct arena;
struct envelope;
struct error;
struct strbuf;

enum setting_type {
	SETTING_STRING,		/* const char * */
	SETTING_UINT,		/* unsigned; min, max */
	SETTING_SIZE,		/* uint64_t; suffix K, M, G */
	SETTING_TIME,		/* unsigned seconds; suffix s, m, h, d; "off" = 0 */
	SETTING_BOOL,		/* bool; on, off, yes, no, true, false, 1, 0 */
	SETTING_ENUM,		/* int-sized enum; names[] */
	SETTING_LIST,		/* const char *const *; separated by commas */
	SETTING_WORDS,		/* const char *const *; separated by commas or blanks */
	SETTING_ARGV,		/* const char *const *; words, '...' and "..." quote, no shell */
	SETTING_SECRET,		/* struct secret */
	SETTING_SPECIAL,	/* set() does it */
	SETTING_ALIAS		/* of the key alias_of; names[] are its values, NULL = no effect */
};

enum {
	SETTING_SECRET_FLAG = 1,	/* never printed; its file must be private */
	SETTING_PATH = 2,		/* ~/ and $HOME/ are expanded */
	SETTING_DEPRECATED = 4,		/* read, not offered in --help and the example */
	SETTING_NO_OPTION = 8,		/* not on the command line (secrets) */
	SETTING_CLASSIC = 16,		/* msmtp's spelling of another key: never printed back */
	SETTING_SWITCH = 32,		/* given without a value it means "on" */
	SETTING_RAW = 64,		/* taken as written: quotes and ${VAR} are the shell's */
	SETTING_BROAD = 128,		/* sets several fields: goes before others of its section */
	SETTING_URL = 256,		/* of a proxy; a secret in it: as SECRET_FLAG, NO_OPTION */
	SETTING_FILE_ONLY = 512,	/* the administrator's to say: no option */
	SETTING_LONG = 1024,		/* one of the long names of -O as well */
	SETTING_LINES = 2048,		/* PEM: the value may have line ends */
	SETTING_COMMAND = 4096		/* without a shell: what only one understands is refused */
};

enum setting_scope { SCOPE_ACCOUNT, SCOPE_LISTEN };

/*
 * Who may give a setting or an option on the command line. Web programs pass
 * text on to "sendmail" that they did not check: called by that name, what
 * decides where mail goes, how it is protected and what is read, written or
 * printed is the owner's, who has the configuration for it. So is a row that
 * says nothing.
 */
enum who {
	WHO_OWNER,		/* called as msubmit or msmtp */
	WHO_OWNER_FIRST,	/* called as msubmit, and before the first address: names a file
				   that is written or goes along, or a program */
	WHO_ANYONE,		/* sendmail's options, and what changes this one message only */
	WHO_NO_FILE		/* the same, but a value that names a file is WHO_OWNER_FIRST */
};

/* "anyone", "no-file", "owner", "owner-first", as the lists print it. */
const char *who_name(enum who who);

/*
 * A row holds its texts, and no pointer: what the loader would have to
 * write into costs each process the pages of the whole table. A text that is
 * empty is not there, but see SETTING_EMPTY.
 */
struct setting {
	char key[26];			/* with '_'; the option is --key with '-' */
	char classic_def[10];		/* default of msmtp's syntax where it differs */
	char def[44];			/* default of the ini form */
	uint16_t code;			/* of what its type does not do; 0 = nothing */
	enum who who;			/* may give it on the command line */
	enum setting_type type;
	unsigned flags;
	unsigned offset;		/* of the field in struct account or listen_settings */
	uint64_t min, max;		/* of numbers; max 0 = no limit */
	struct name_value names[9];	/* ends with NAMES_END, when there are any */
	char alias_of[24];		/* SETTING_ALIAS: the key that it stands for */
	char arg[44];			/* "number", "path": for --help; else it is its names */
	char help[80];			/* one line */
};

/* A default that is the empty text, unlike none. */
#define SETTING_EMPTY "\n"

/* What a key does that its type does not do. Not all have all. */
struct setting_code {
	/* SETTING_SPECIAL: sets and prints; target is the struct. Of lists: refuses a read one;
	   of strings: refuses what is read next. */
	int (*set)(void *target, const struct setting *, struct arena *, const char *value,
		   struct error *);
	void (*print)(const void *target, const struct setting *, struct strbuf *);
	/* Of lists: refuses one word of it. */
	int (*check)(const struct setting *, const char *word, struct error *);
	/* Of what is asked of the server: its grammar (message/request.h). The text is kept. */
	int (*read)(const char *text, int64_t now, struct envelope *, struct error *);
};

/* The code of a row, of which all is NULL where the type does all. */
const struct setting_code *setting_code(const struct setting *s);

/* The words that its value may be, or may be beside others; NULL if there are none. */
const struct name_value *setting_names(const struct setting *s);

/* The default of the ini form, or of msmtp's syntax; NULL if it is not set. */
const char *setting_default(const struct setting *s, bool classic);

/* Where a walk over all rows of a scope stands; begins zeroed. */
struct setting_walk {
	size_t table, row;
};

/* The next row of the walk; NULL behind the last. With headings of --help, whose key is "". */
const struct setting *settings_next(enum setting_scope scope, struct setting_walk *w);
const struct setting *settings_next_line(enum setting_scope scope, struct setting_walk *w);

/* The row of key ('-' and '_' alike, any case); NULL if there is none. */
const struct setting *setting_find(enum setting_scope scope, const char *key);

/* The row that an alias stands for, NULL when it has no effect; of others, itself. */
const struct setting *setting_meant(const struct setting *s);

/* What a word of other programs is called here, NULL if it is none such. */
const char *setting_foreign(const char *key);

/* The key nearest to a misspelt one, or to another program's; NULL if none is near. */
const char *setting_nearest(enum setting_scope scope, const char *key);

/*
 * Sets the field of target (struct account or listen_settings) from text;
 * strings go to arena a. The error (EX_CONFIG) begins "key 'x': ..." and
 * never holds a secret.
 */
ATTR_CHECK int setting_set(void *target, const struct setting *s, struct arena *a,
			   const char *value, struct error *err);

/*
 * Appends the value as the ini form would have it; a secret as "(hidden)" or
 * "". Nothing for a key of msmtp that is another one's spelling.
 */
void setting_print(const void *target, const struct setting *s, struct strbuf *out);

/* Appends a C string, as ini_unquote() takes it apart; expands: "${" becomes "$${". */
void setting_add_quoted(struct strbuf *out, const char *v, bool expands);

/* Appends a word of a SETTING_ARGV so that it comes back, quoted where it must be. */
void setting_add_word(struct strbuf *out, const char *v);

/*
 * What the account asks of the server: every row with a reader that is set
 * is read into the envelope. EX_USAGE where two of them contradict each other.
 */
ATTR_CHECK int settings_read_requests(const struct account *a, int64_t now, struct envelope *e,
				      struct error *err);

/* Fills target with the defaults: of the ini form, or of msmtp's syntax. */
void settings_defaults(enum setting_scope scope, void *target, struct arena *a, bool classic);

#endif
