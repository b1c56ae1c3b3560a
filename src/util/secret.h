/*
 * A password or token: no printf can reach it by accident, and its memory is
 * overwritten when it is given back.
 */
#ifndef UTIL_SECRET_H
#define UTIL_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct secret {
	char *data;		/* NUL-terminated; NULL when not set */
	size_t len;
};

/* Replaces the content with a copy of n octets. */
void secret_set(struct secret *s, const char *data, size_t n);

/* Copies from to to. */
void secret_copy(struct secret *to, const struct secret *from);

/* Overwrites and frees; the secret is unset after that. */
void secret_release(struct secret *s);

bool secret_is_set(const struct secret *s);

#endif
