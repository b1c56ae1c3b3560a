/*
 * Addresses: the one parser for command-line words, header fields, aliases
 * and the listener's paths (RFC 5322 with obsolete forms; RFC 5321, section
 * 4.1.2; UTF-8 as in RFC 6532).
 *
 * Accepted: mailbox lists, groups, comments (nested), display names quoted
 * or not, quoted local parts, routes (dropped), address literals, a trailing
 * dot of the domain (dropped), folded white space, dots anywhere in a local
 * part. What stands in front of <address> is a name, whatever characters it
 * has, and a group is one that a ';' ends. Refused: anything with
 * CR, LF, NUL or other controls in the address itself, unbalanced brackets,
 * quotes or comments, empty local parts or domains, invalid UTF-8. What
 * stands in "local" and "domain" is clean for the wire. All strings live in
 * the given arena.
 */
#ifndef MESSAGE_ADDRESS_H
#define MESSAGE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct error;
struct strbuf;

struct mailbox {
	const char *name;	/* display name, unquoted, blanks folded; NULL = none */
	const char *comment;	/* text of the last comment: the old form of a name; NULL = none */
	const char *local;	/* local part, unquoted */
	const char *domain;	/* NULL when the address has none; literals keep [ ] */
	const char *address;	/* local@domain with quotes only where needed; "" = null path <> */
	size_t local_end;	/* offset in the parsed text just behind the local part */
	size_t start, end;	/* the address without brackets: [start, end) in the text */
	bool angle;		/* it stands in brackets */
	bool odd_name;		/* the name is no phrase as it stands: it should be quoted */
	bool odd_address;	/* the text has quotes around the whole address */
	size_t name_start, name_end;	/* with brackets: the phrase, or where it would go */
	size_t comment_start, comment_end;	/* that comment with its ( ); 0, 0 = none */
};

/* What stands in a list and is no address. */
struct address_fault {
	const char *text;	/* as it stands there, printable, perhaps shortened */
	const char *why;	/* "address 'bad@@x': two '@'" */
};

struct address_list {
	struct mailbox *box;
	size_t n;
	struct address_fault *bad;	/* with ADDRESS_REST: what was left out */
	size_t bad_n;
	bool had_group;		/* also an empty one ("undisclosed-recipients:;") */
};

enum {
	ADDRESS_BLANKS = 1,	/* white space and ';' between bare addresses separate them too */
	ADDRESS_NULL = 2,	/* "<>" is an address (null reverse-path) */
	ADDRESS_ROUTE_WORDS = 4,	/* stop after one address: for paths */
	ADDRESS_REST = 16,	/* what is no address is left out, and the list goes on */
	ADDRESS_SEMICOLONS = 8	/* ';' separates as ',' does: a habit of some writers */
};

/*
 * Parses a whole address list of len octets; an empty one gives n = 0.
 * On failure (EX_DATAERR, 5.1.3) the text names the broken piece and why.
 */
ATTR_CHECK int address_parse_list(struct arena *a, const char *text, size_t len, unsigned flags,
				  struct address_list *out, struct error *err);

/*
 * Parses exactly one address: "a@b", "<a@b>", "Name <a@b>"; with ADDRESS_NULL
 * also "" and "<>". Two or none: EX_DATAERR.
 */
ATTR_CHECK int address_parse_one(struct arena *a, const char *text, unsigned flags,
				 struct mailbox *out, struct error *err);

/* local@domain, quoted only where RFC 5321 demands; domain may be NULL. */
const char *address_format(struct arena *a, const char *local, const char *domain);

/* Do two addresses name the same mailbox for us (ASCII case ignored)? */
ATTR_PURE bool address_equal(const char *x, const char *y);

/* The part behind the last '@' outside quotes; NULL when there is none. */
const char *address_domain(const char *address);

/* Does address match pattern ('*' any octets, '?' one; ASCII case ignored)? */
ATTR_PURE bool address_match(const char *pattern, const char *address);

/* The first pattern of a list (ends with NULL, may be NULL) that it matches; NULL if none. */
ATTR_PURE const char *address_match_any(const char *const *patterns, const char *address);

/*
 * A display name as RFC 5322 wants it in front of <...>: as it is when made
 * of atoms, else a quoted-string, else (non-ASCII) RFC 2047 encoded words.
 * CR, LF and other controls become blanks.
 */
const char *address_phrase(struct arena *a, const char *name);

/* Can the domain stand in an envelope (LDH or UTF-8 labels, literal)? */
ATTR_PURE bool address_domain_valid(const char *domain);

/*
 * International domain names (RFC 5890, 5891): U-labels to A-labels by
 * libidn2 (non-transitional, UTS 46), which is loaded when a name that is
 * not ASCII is met.
 */

/* domain in ASCII form; itself when it is ASCII already. EX_DATAERR 5.1.2 if it has none. */
ATTR_CHECK int idna_to_ascii(struct arena *a, const char *domain, const char **out,
			     struct error *err);

/* The whole address with its domain in ASCII form; the local part is not touched. */
ATTR_CHECK int idna_address(struct arena *a, const char *address, const char **out,
			    struct error *err);

/* Appends "libidn2 2.3.3"; -1 if it cannot be loaded. */
ATTR_CHECK int idna_library_version(struct strbuf *out, struct error *err);

#endif
