/*
 * Parameters of Content-Type and Content-Disposition, written as RFC 2045,
 * section 5.1, and RFC 2231 want them. All is appended to the field that the
 * buffer ends with; where a line would pass 76 octets, it is folded.
 */
#ifndef MIME_MIME_PARAM_H
#define MIME_MIME_PARAM_H

#include <stddef.h>

struct strbuf;

/*
 * Appends "; name=value": a token, a quoted string, or, for what is neither
 * printable ASCII nor fits into a line, the extended form. charset: of octets
 * that are no UTF-8.
 */
void mime_param_add(struct strbuf *out, const char *name, const char *value, const char *charset);

/*
 * Appends the extended form on lines of its own, behind a ';' that is there:
 * name*=charset''percent-encoded, or name*0*=..., name*1*=... (RFC 2231,
 * sections 3 and 4). No piece ends inside a character.
 */
void mime_param_extended(struct strbuf *out, const char *name, size_t name_len,
			 const char *value, size_t n, const char *charset);

#endif
