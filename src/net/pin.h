/*
 * A pin in text: which key or certificate a server must have.
 */
#ifndef NET_PIN_H
#define NET_PIN_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

#define PIN_OCTETS 32		/* SHA-256 */

struct pin {
	bool key;			/* of the public key (SPKI), not of the certificate */
	const char *file;		/* "file:PATH": it is in there; points into text */
	unsigned char hash[PIN_OCTETS];	/* without file */
};

/*
 * pin = "spki-sha256:" base64 / "cert-sha256:" hex / "file:" path
 * The first is the SHA-256 of the SubjectPublicKeyInfo (RFC 7469, section
 * 2.4), whose padding may be left out. -1 when text is none of them.
 */
ATTR_CHECK int pin_parse(const char *text, struct pin *out);

/* Pairs of hex digits, with or without ':' between; the number of octets or -1. */
int pin_hex(const char *text, unsigned char *out, size_t room);

#endif
