/*
 * The lexical half of the address parser (private to message/address*.c):
 * cursor, white space, comments, quoted strings, and the error texts.
 *
 * Words are collected as pieces, offsets into the text; nothing is copied.
 * Each function leaves the cursor behind what it has read; those that can
 * fail fill the error (EX_DATAERR, 5.1.3) and return -1.
 */
#ifndef MESSAGE_ADDRESS_LEX_H
#define MESSAGE_ADDRESS_LEX_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "util/attr.h"
#include "util/strbuf.h"

struct arena;
struct error;
struct mailbox;

enum address_piece_kind { PIECE_ATOM, PIECE_QUOTED, PIECE_DOT };

struct address_piece {
	size_t start, end;
	enum address_piece_kind kind;
	bool gap;	/* CFWS stands before it */
	bool blank;	/* ... with white space in it */
};

struct address_parser {
	struct arena *arena;
	struct error *err;
	const char *text;
	size_t len, pos;
	unsigned flags;

	struct address_piece *piece;	/* words of the element being read */
	size_t piece_n, piece_alloc;
	struct mailbox *box;	/* what was found so far */
	size_t box_n, box_alloc;
	struct address_fault *bad;	/* what was left out */
	size_t bad_n, bad_alloc;
	struct strbuf word;	/* scratch */

	size_t item;		/* where the element began, for error texts */
	size_t gap_end;		/* end of the CFWS read last */
	bool gap_blank;		/* white space was in it */
	size_t comment, comment_end;	/* last comment of this element; end 0 = none */
	bool ready;		/* an element may begin here */
	bool in_group, had_group;
	size_t semicolon;	/* the next ';', len = none; 0 = not looked for */
	bool open_quote, open_comment;	/* one was met that nothing closes */
	size_t group, group_first;	/* where it began; number of its first mailbox */
};

/* The octet at the cursor, -1 at the end of the text. */
ATTR_PURE int address_peek(const struct address_parser *p);

/* "address 'bad@@x': WHY", with the element up to where the next one begins. */
int address_fail(struct address_parser *p, const char *why);

/* The octet at the cursor cannot stand there. */
int address_fail_here(struct address_parser *p);

/*
 * The offset behind what stands at offset i: a quoted string or comment that
 * is closed, else one octet. Remembers what nothing closes, so that it is
 * not looked for again.
 */
size_t address_behind(struct address_parser *p, size_t i);

/*
 * Does a ';' end the group whose ':' is at the cursor? Else it is no group,
 * but for "undisclosed-recipients:", which is often written so.
 */
bool address_closes_group(struct address_parser *p);

/* Length of the CRLF at the cursor if it folds the text or ends it, else 0. */
ATTR_PURE size_t address_fold_len(const struct address_parser *p);

/* Skips comments and white space; remembers the last comment. */
ATTR_CHECK int address_skip_cfws(struct address_parser *p);

/* Skips octets that may stand in an atom; perhaps none. */
void address_skip_atom(struct address_parser *p);

/* Reads words, dots and CFWS, as pieces, up to the octet that is none of these. */
ATTR_CHECK int address_collect(struct address_parser *p);

/* Does c separate elements of this list? */
ATTR_PURE bool address_ends_element(const struct address_parser *p, char c);

/*
 * The '<' of the element that begins at start, in front of which only a name
 * stands, whatever characters it has; 0 if there is none. The name may hold
 * commas where nothing between them could be an address. The cursor is moved.
 */
size_t address_find_angle(struct address_parser *p, size_t start);

/* Longest address that is handed to a server (doc/sendmail.md#recipients). */
#define ADDRESS_MAX ((size_t)1000)

/* atext of RFC 5322, section 3.2.3, and any octet of UTF-8 (RFC 6532, section 3.2). */
static inline bool address_char_atext(unsigned char c)
{
	return isalnum(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

#endif
