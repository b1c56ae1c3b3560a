/*
 * Character classes that the address parser and formatter share.
 */
#ifndef MESSAGE_ADDRESS_CHAR_H
#define MESSAGE_ADDRESS_CHAR_H

#include <stdbool.h>
#include <string.h>

/* Longest address that is handed to a server (doc/sendmail.md#recipients). */
#define ADDRESS_MAX ((size_t)1000)

static inline bool address_char_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* atext of RFC 5322, section 3.2.3, and any octet of UTF-8 (RFC 6532, section 3.2). */
static inline bool address_char_atext(unsigned char c)
{
	return address_char_alnum(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

#endif
