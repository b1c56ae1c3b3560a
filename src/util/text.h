/*
 * Octets made fit to be shown, small questions about ASCII and UTF-8, names.
 *
 * Everything that a server, a user or a file said passes through
 * text_escape() before it reaches a terminal, a log or an error text:
 * control characters, bidirectional controls and invalid UTF-8 become \xHH.
 */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "util/attr.h"

struct strbuf;

/*
 * Writes the n octets of s to out (room octets, NUL included, room > 0),
 * escaped and never cut inside an escape or a character. Returns the length
 * that would have been needed without the NUL, as snprintf() does.
 */
size_t text_escape(char *out, size_t room, const char *s, size_t n);

/* Appends the n octets of s, escaped. */
void text_escape_add(struct strbuf *out, const char *s, size_t n);

/* Appends s as a quoted-string: in quotes, with a backslash before those and backslashes in it. */
void text_quote_add(struct strbuf *out, const char *s);

/* Length (1-4) of the valid UTF-8 character at s, 0 if there is none. */
size_t text_utf8_char(const char *s, size_t n);

/* Are all n octets valid UTF-8 (shortest form, no surrogates)? */
ATTR_PURE bool text_is_utf8(const char *s, size_t n);

/* Is what comes in pieces UTF-8? Begins zeroed; yes if bad is not set and n is 0 in the end. */
struct text_utf8 {
	char tail[4];		/* octets of a character that lies across two pieces */
	size_t n;
	bool bad;
};

void text_utf8_push(struct text_utf8 *u, const char *data, size_t n);

/* Are all n octets below 128? */
ATTR_PURE bool text_is_ascii(const char *s, size_t n);

/* Is there a control character (0-31, 127) among the n octets? */
ATTR_PURE bool text_has_control(const char *s, size_t n);

/* WSP of RFC 5234: what is a blank inside of a line. */
static inline bool text_is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* WSP, or the CR of a line end: what is a blank in a line of a file. */
static inline bool text_is_space(char c)
{
	return text_is_wsp(c) || c == '\r';
}

/* WSP, CR or LF: the octets of folding white space (RFC 5322, section 3.2.2). */
static inline bool text_is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of a hexadecimal digit in either case; -1 = it is none. */
ATTR_PURE int text_hex_value(char c);

/* The digits that s begins with, their number; 0 when there are none or too many for *out. */
size_t text_decimal(const char *s, uint64_t *out);

/* Are the n octets of s that word, but for ASCII case? */
static inline bool text_same(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

/* Puts octets for %XX in place; false when one is wrong or stands for NUL. */
bool text_percent_decode(char *s);

/*
 * The line at *at, cut off in place without its LF or CRLF; *at goes behind
 * it. NULL when *at is end, where a NUL must stand.
 */
char *text_line(char **at, char *end);

/* The number of a port, 1*5DIGIT and nothing else in the n octets; -1 = it is none. */
ATTR_PURE long text_port(const char *s, size_t n);

/* FNV-1a of s in ASCII lower case, for tables of names: equal where strcasecmp() is. */
ATTR_PURE size_t text_hash(const char *s);

/* ASCII lower case, and "_" for "-": how names of keys and options are compared. */
static inline char text_fold(char c)
{
	return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ASCII lower case in place. */
void text_lower(char *s);

/* --- tables of names and values, and the nearest name to a misspelt one ------ */

/* Holds its name, so that the loader has nothing to write into such a table. */
struct name_value {
	char name[26];
	int16_t value;
};

/* The row behind the last. */
#define NAMES_END { "", INT16_MIN }

static inline bool names_is_end(const struct name_value *n)
{
	return n->value == INT16_MIN;
}

/*
 * The value of name (ASCII case ignored) in a table that ends with
 * NAMES_END: 0 and *value_out, or -1.
 */
int names_find(const struct name_value *table, const char *name, int *value_out);

/* The first name of value; NULL if the table has none. */
const char *names_name(const struct name_value *table, int value);

/*
 * How far two spellings are apart: the number of letters to insert, drop,
 * change or swap; '-' and '_' and the cases are the same. A result above
 * limit is reported as limit + 1.
 */
unsigned names_distance(const char *a, const char *b, unsigned limit);

#endif
