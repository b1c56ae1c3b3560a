/*
 * Takes quoted-printable off a text (RFC 2045, section 6.7), in pieces of any
 * size, to see which octets it stands for.
 */
#ifndef MIME_MIME_QP_H
#define MIME_MIME_QP_H

#include <stdbool.h>

/* Begins zeroed. */
struct mime_qp {
	unsigned n;		/* characters of an escape that is not whole yet */
	char first;		/* its first digit */
};

/*
 * The octet that c completes goes to *out; false if there is none yet. Nothing
 * comes of a soft line break, nor of an escape that is none.
 */
bool mime_qp_push(struct mime_qp *q, char c, char *out);

#endif
