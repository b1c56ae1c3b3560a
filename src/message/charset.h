/*
 * Character sets: that of the caller's locale, and conversion to UTF-8 by
 * iconv(3). The locale of the process is not changed: dates and numbers stay
 * those of the C locale.
 */
#ifndef MESSAGE_CHARSET_H
#define MESSAGE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct error;
struct spool;
struct strbuf;

/* The label of text in a charset that nobody knows (RFC 1428). */
#define CHARSET_UNKNOWN "unknown-8bit"

/* Is it a name that can stand in a header (RFC 2978, section 2.3)? */
ATTR_PURE bool charset_name_valid(const char *name);

/* Can the C library convert from it? */
bool charset_known(const char *name);

/*
 * The charset of LC_ALL, LC_CTYPE or LANG, when it is one that text can be in
 * besides UTF-8; NULL when it is ASCII or UTF-8, or the locale is not known.
 * What it was at the first call counts.
 */
const char *charset_of_locale(void);

/*
 * Appends what is in the one spool to the other, in UTF-8; charset must be
 * known. EX_DATAERR 5.6.0 with the offset of octets that are not valid in it;
 * errors of the spools.
 */
ATTR_CHECK int charset_convert(const struct spool *in, const char *charset, struct spool *out,
			       struct error *err);

/* Can text that is ASCII go out in it as it is (RFC 2046, section 4.1.2)? */
bool charset_keeps_ascii(const char *name);

/*
 * Appends n octets of UTF-8 in that charset, complete in itself: -1 when it
 * lacks one of the characters or is not known.
 */
ATTR_CHECK int charset_encode(const char *text, size_t n, const char *charset,
			      struct strbuf *out);

/* The same from the one spool to the other: 1; 0 when it cannot be; -1 and errors of the spools. */
ATTR_CHECK int charset_encode_spool(const struct spool *in, const char *charset,
				    struct spool *out, struct error *err);

/*
 * The text in UTF-8: itself if it is valid UTF-8, else converted from charset;
 * NULL when it is not valid in that either, or charset is NULL.
 */
const char *charset_text(struct arena *a, const char *text, const char *charset);

#endif
