/*
 * What the readers of both rc syntaxes report: sections and settings, in
 * file order, with their lines. For conf/ only.
 *
 * Strings are parts of the text that is read (it is changed: NULs are put
 * behind them) and stay valid as long as it does. Values are handed over as
 * written, but for blanks around them: quotes are the receiver's, because
 * their meaning depends on the key.
 */
#ifndef CONF_RCFILE_H
#define CONF_RCFILE_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
