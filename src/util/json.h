/*
 * JSON (RFC 8259) written piece by piece into a strbuf.
 *
 * The writer sets the commas. Strings are escaped; octets that are no UTF-8
 * become U+FFFD, so the result is always valid.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

struct json {
	struct strbuf *out;
	bool comma;		/* something stands before the next value */
};

/* Begins and ends an object or array; key is NULL at the top and in arrays. */
void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);

/* Members (or elements, with key NULL); a NULL string becomes null. */
void json_string(struct json *j, const char *key, const char *value);
void json_octets(struct json *j, const char *key, const char *value, size_t n);
void json_number(struct json *j, const char *key, int64_t value);
/* value is JSON already: a number as text. */
void json_raw(struct json *j, const char *key, const char *value);
void json_bool(struct json *j, const char *key, bool value);

#endif
