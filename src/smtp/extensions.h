/*
 * The table of extensions and the loops over it.
 *
 * All knowledge of an extension is its row, with the hooks that it needs
 * beside it in smtp/ext/ when it has real work. EXTENSIONS in message/envelope.h
 * lists the rows and says what their order means.
 *
 * A new one is its place in that list, its row, and, when there is a key for
 * it, a row in conf/settings_delivery.c: an extension that is a word on MAIL
 * for a key that is on or off needs no more, as its setting is the place in
 * ext.asked (see CONPERM). A value has a field in struct ext_settings, a
 * reader in message/request.h that the setting's row names, and a field in
 * struct ext_request; the row's hooks then have a file in smtp/ext/.
 */
#ifndef SMTP_EXTENSIONS_H
#define SMTP_EXTENSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "message/envelope.h"
#include "util/attr.h"

struct account;
struct envelope;
struct error;
struct recipient;
struct session;
struct strbuf;
struct strvec;

/*
 * What happens when the envelope asks for an extension that the server does
 * not offer (doc/protocol.md#levels). FIXED: the account has nothing to say about it.
 */
enum ext_level { LEVEL_FIXED, LEVEL_TRY, LEVEL_DOWNGRADE, LEVEL_LOCAL, LEVEL_REQUIRE };

enum ehlo_next { EHLO_CONTINUE, EHLO_AGAIN, EHLO_FAILED };

struct extension {
	const char *keyword;
	const char *option;		/* the key that asks for it, where that is another name */
	enum ext_level level;		/* the default */
	bool remembered;		/* a server that cannot do it is spared it for a day */
	const char *status;		/* when it is required and missing; NULL = 5.3.3 */
	/*
	 * Names of its parameters of MAIL and RCPT. Without hooks for them it is
	 * one of MAIL, without value, for ext.asked of the envelope.
	 */
	const char *params;
	/*
	 * Where struct envelope has the value of that parameter of MAIL, a string that
	 * asks for it when it is not NULL; 0: there is none. Without hooks it is sent as
	 * it is, or as xtext.
	 */
	size_t value;
	bool xtext;
	/* Octets by which its parameters raise the limit of the command line (A5). */
	size_t mail_octets, rcpt_octets;
	/* Takes the words behind the keyword; bad ones are ignored. */
	void (*parse)(struct session *, const struct strvec *args);
	/* Work to do after EHLO; AGAIN forgets all and greets anew. Runs announced or not. */
	enum ehlo_next (*after_ehlo)(struct session *, struct error *);
	/*
	 * Does the envelope ask for it? Then EHLO is sent once more after AUTH.
	 * Without the hook: does ext.asked of the envelope?
	 */
	bool (*wanted)(const struct session *, const struct envelope *);
	/* The level below which the account cannot go; NULL = none. */
	enum ext_level (*floor)(const struct session *, const struct envelope *);
	/* Before MAIL, announced or not: may the envelope go? */
	int (*check)(const struct session *, const struct envelope *, struct error *);
	/* Appends " KEY=value"; only when announced. */
	void (*mail_params)(const struct session *, const struct envelope *, struct strbuf *);
	void (*rcpt_params)(const struct session *, const struct envelope *,
			    const struct recipient *, struct strbuf *);
	/* Before RCPT, announced or not: may this recipient be asked for? */
	int (*rcpt_check)(const struct session *, const struct envelope *,
			  const struct recipient *, struct error *);
};

#define EXTENSION_ROW(id) extern const struct extension ext_##id;
EXTENSIONS(EXTENSION_ROW)

extern const struct extension *const extensions[EXT_COUNT];

/* Notes one EHLO line ("SIZE 1000"); unknown keywords are kept for --serverinfo only. */
void extensions_parse_line(struct session *s, const char *line);

/*
 * What stands behind the keyword in the server's announcement, "" for
 * nothing; NULL when it is not announced (forced ones too).
 */
const char *extensions_arguments(const struct session *s, enum extension_id id);

/* Has the server announced that keyword (of len octets), known here or not? */
bool extensions_announced(const struct session *s, const char *keyword, size_t len);

/* Forgets all that was announced. */
void extensions_forget(struct session *s);

/* Runs the after_ehlo hooks in order until one does not continue. */
enum ehlo_next extensions_after_ehlo(struct session *s, struct error *err);

/* Are the names of ext_policy and force_ext those of extensions? EX_CONFIG. */
ATTR_CHECK int extensions_check_account(const struct account *a, struct error *err);

/* The level of an extension for this envelope. */
enum ext_level extensions_level(const struct session *s, const struct envelope *e,
				enum extension_id id);

/*
 * Appends the keywords of the extensions that the envelope asks for and that
 * will be left out, because they are not offered.
 */
void extensions_left_out(const struct session *s, const struct envelope *e, struct strvec *out);

/*
 * The server stumbled over parameters of MAIL or (r not NULL) RCPT: gives up
 * those of them that may be left out. False when there are none.
 */
bool extensions_give_up(struct session *s, const struct envelope *e, const struct recipient *r);

/* Would it give up any? */
bool extensions_droppable(struct session *s, const struct envelope *e, const struct recipient *r);

/* "try", "downgrade", "local", "require"; "-" for FIXED. */
const char *extensions_level_name(enum ext_level level);

/* Runs every check; first, whether something that is required is missing. */
ATTR_CHECK int extensions_check(const struct session *s, const struct envelope *e,
				struct error *err);

/* Is an extension that the envelope asks for not announced (and not switched off)? */
bool extensions_missing(const struct session *s, const struct envelope *e);

/* Runs every check of one recipient. */
ATTR_CHECK int extensions_check_rcpt(const struct session *s, const struct envelope *e,
				     const struct recipient *r, struct error *err);

/*
 * Parameters of MAIL or (r not NULL) RCPT from the announced rows, in the order of
 * doc/protocol.md#parameters. Returns the octets by which they raise the limit of the
 * command line.
 */
size_t extensions_params(const struct session *s, const struct envelope *e,
			 const struct recipient *r, struct strbuf *out);

/* Is PRDR asked for in this session? */
bool prdr_used(const struct session *s, const struct envelope *e);

/* Are mail_param and rcpt_param well-formed, and none that an extension sends? EX_CONFIG. */
ATTR_CHECK int params_check(const struct account *a, struct error *err);


#endif
