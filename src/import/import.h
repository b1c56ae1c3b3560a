/*
 * Settings of other programs become accounts: msmtp (its own syntax), sSMTP
 * with its revaliases, esmtp, dma with its auth.conf, nullmailer's folder,
 * Postfix's main.cf with the maps in text form that it names.
 *
 * What is foreign is only read, and nothing in it is run. What cannot be
 * said in our words becomes a note that names file, line and key; so does
 * what means something else here. The result is text in the ini form that
 * has been read back. Passwords are never part of it: each becomes a file of
 * its own, as do aliases.
 */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/strbuf.h"
#include "util/strvec.h"

struct error;

struct import_request {
	const char *path;	/* the foreign file, or the folder it is in */
	const char *type;	/* "postfix", "dma" ...; NULL = by its name and content */
	const char *output;	/* absolute path the text is meant for; NULL = not known */
	const char *folder;	/* without output: where its further files are said to lie */
};

/* A file that the text refers to. */
struct import_file {
	struct import_file *next;
	const char *path;
	const char *content;
	size_t len;
	bool secret;
};

struct import_result {
	struct strbuf text;	/* the configuration */
	struct strvec notes;	/* "FILE:LINE: KEY: why", one line each, printable */
	struct import_file *files;
	bool has_commands;	/* in which there may be secrets too */
	struct import *private;
};

/*
 * Reads the foreign configuration. EX_NOINPUT when it cannot be opened,
 * EX_DATAERR when it is none of those known or against its own syntax,
 * EX_CONFIG when it names no way to a server, EX_SOFTWARE when the text made
 * of it cannot be read back. out is to be released in every case; after
 * EX_CONFIG its notes tell what was found.
 */
ATTR_CHECK int import_read(const struct import_request *req, struct import_result *out,
			   struct error *err);

/* Overwrites and frees what it holds. */
void import_release(struct import_result *r);

#endif
