/*
 * The two syntaxes of rc files: sections and settings, in file order, with
 * their lines. Texts are read in place.
 *
 * Strings are parts of the text that is read (it is changed: NULs are put
 * behind them) and stay valid as long as it does. Values are handed over as
 * written, but for blanks around them: quotes are the receiver's, because
 * their meaning depends on the key. In both a byte order mark, CRLF and a
 * missing last line end are taken; NUL octets and values over 64 KiB are
 * refused.
 */
#ifndef CONF_RCFILE_H
#define CONF_RCFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct error;

struct rcfile_handler {
	/* "defaults", "account NAME", "account NAME : BASE, BASE", "listen NAME", "rewrite" */
	int (*section)(void *ctx, char *heading, unsigned line, struct error *err);
	int (*setting)(void *ctx, const char *key, char *value, unsigned line,
		       struct error *err);
	/*
	 * Are the lines of the section "LEFT = RIGHT" with a left side that is no
	 * key? Then pair() gets them. NULL = never.
	 */
	bool (*has_pairs)(void *ctx);
	int (*pair)(void *ctx, const char *left, const char *right, unsigned line,
		    struct error *err);
	/*
	 * msmtp's eval: runs a command and hands back the first line it prints,
	 * valid as long as the text. NULL = not allowed here.
	 */
	int (*eval)(void *ctx, const char *command, char **line_out, struct error *err);
	/* NULL: the first error is the end. Else it is told, and 0 goes on with the next line. */
	int (*problem)(void *ctx, const struct error *err);
	void *ctx;
	const char *name;	/* of the file, for "FILE:LINE: " in front of errors */
};

/* Longest value, quotes included. */
#define RCFILE_VALUE_MAX 65536

/* The lines of a text; *end is NUL. */
struct rcfile_lines {
	char *next, *end;
	unsigned number;	/* of the last line that was given */
};

/* 1 and the next line, without its LF; 0 behind the last; -1: it holds a NUL octet (EX_CONFIG). */
ATTR_CHECK int rcfile_line(struct rcfile_lines *l, char **line_out, struct error *err);

/*
 * The ini form, read by libinih through a reader of our own.
 *
 * The library of the distribution cuts lines at 200 octets, keys at 49, and
 * values at " ;", and knows no line numbers. So it is handed stand-ins: the
 * value of a setting and the name of a section stay here, whole. Lines are
 * "[section]", "key = value", comments (first octet that is not blank is
 * '#' or ';') or empty. There are no comments behind a value and no
 * continuation lines, but behind "key = @inline" the blocks of PEM that are
 * the value of the key; their lines end in LF. Lines that are none of the
 * above are refused.
 */

/* Does the text look like the ini form? Its first significant line tells; nothing is ini too. */
bool ini_detect(const char *text, size_t len);

/*
 * Reads len octets of text (text[len] is NUL and the text is changed) and
 * reports to h. Stops at the first error (EX_CONFIG), with file and line,
 * that h->problem does not take.
 */
ATTR_CHECK int ini_read(char *text, size_t len, const struct rcfile_handler *h,
			struct error *err);

/*
 * Takes the double quotes off a value that is in them, and its C escapes, in
 * place. EX_CONFIG when the closing quote is missing, text follows it, or an
 * escape is unknown or stands for NUL.
 */
ATTR_CHECK int ini_unquote(char *value, struct error *err);

/* Is the whole value in one pair of double quotes, as ini_unquote() takes it apart? */
bool ini_is_quoted(const char *value);

/*
 * msmtp's own syntax: a line is a command and its argument, "account" and
 * "defaults" begin sections, '#' begins a comment line. Settings before any
 * section belong to the account "default". An argument in double quotes is
 * taken without them; nothing is escaped. "eval COMMAND" stands for the
 * first line that the command prints.
 */

/*
 * Reads len octets of text (text[len] is NUL and the text is changed) and
 * reports to h. Stops at the first error (EX_CONFIG), with file and line.
 */
ATTR_CHECK int classic_read(char *text, size_t len, const struct rcfile_handler *h,
			    struct error *err);

/* The value without the double quotes it is in, if it is in such; in place. */
char *classic_unquote(char *value);

#endif
