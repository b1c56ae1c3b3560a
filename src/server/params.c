#include "config.h"
#include "server/params.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "util/error.h"

enum { SIZE_DIGITS_MAX = 20 };

struct param {
	const char *keyword;
	int (*parse)(struct mail_params *, const char *value, size_t len);
	bool has_value;
	unsigned seen;		/* its bit among those already given */
};

/* size-value = 1*20DIGIT, which may be more than 64 bits hold */
static int parse_size(struct mail_params *params, const char *value, size_t len)
{
	uint64_t size = 0;
	bool huge = false;

	if (len > SIZE_DIGITS_MAX)
		return -1;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char)value[i] - (unsigned)'0';

		if (digit > 9)
			return -1;
		huge |= __builtin_mul_overflow(size, 10U, &size);
		huge |= __builtin_add_overflow(size, digit, &size);
	}
	params->size = huge ? UINT64_MAX : size;
	return 0;
}

static int parse_body(struct mail_params *params, const char *value, size_t len)
{
	params->body_8bit = len == 8 && strncasecmp(value, "8BITMIME", len) == 0;
	return params->body_8bit || (len == 4 && strncasecmp(value, "7BIT", len) == 0) ? 0 : -1;
}

static int parse_utf8(struct mail_params *params, const char *value, size_t len)
{
	(void)value;
	(void)len;
	params->utf8 = true;
	return 0;
}

/*
 * xtext = *( %d33-42 / %d44-60 / %d62-126 / "+" 2HEXDIG )   (RFC 3461, 4;
 * the digits in upper case). Printable ASCII was checked before.
 */
static int parse_auth(struct mail_params *params, const char *value, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	(void)params;
	for (size_t i = 0; i < len; i++) {
		if (value[i] != '+')
			continue;
		if (len - i < 3 || !strchr(hex, value[i + 1]) || !strchr(hex, value[i + 2]))
			return -1;
		i += 2;
	}
	return 0;
}

static const struct param mail_table[] = {
	{ "SIZE", parse_size, true, 1 },
	{ "BODY", parse_body, true, 2 },
	{ "SMTPUTF8", parse_utf8, false, 4 },
	{ "AUTH", parse_auth, true, 8 },
};

static int refuse(struct error *err, int reply, const char *text, const char *word, int len)
{
	error_set(err, FAULT_PARAMETER, "%s '%.*s'", text, len, word);
	err->reply = reply;
	return -1;
}

static const struct param *find(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(mail_table); i++) {
		const char *keyword = mail_table[i].keyword;

		if (strlen(keyword) == len && strncasecmp(keyword, word, len) == 0)
			return &mail_table[i];
	}
	return NULL;
}

/*
 * esmtp-param   = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value   = 1*(%d33-60 / %d62-126)
 */
static int parse_word(struct mail_params *params, const char *word, size_t len, unsigned *seen,
		      struct error *err)
{
	const char *equals = memchr(word, '=', len);
	size_t name = equals ? (size_t)(equals - word) : len;
	const struct param *param = find(word, name);

	if (!param || (param->parse == parse_auth && !params->auth_announced))
		return refuse(err, 555, "unknown parameter", word, (int)name);
	if (*seen & param->seen)
		return refuse(err, 501, "parameter given twice:", word, (int)name);
	*seen |= param->seen;
	size_t value_len = equals ? len - name - 1 : 0;

	if (param->has_value != (value_len > 0) || (equals && !value_len) ||
	    param->parse(params, equals ? equals + 1 : "", value_len) < 0)
		return refuse(err, 501, "bad value of parameter", word, (int)name);
	return 0;
}

int params_mail(const char *text, struct mail_params *params, struct error *err)
{
	struct mail_params found = { .auth_announced = params->auth_announced };
	unsigned seen = 0;

	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > 126)
			return refuse(err, 501, "no printable ASCII in parameters:", p, 1);
	while (*(text += strspn(text, " "))) {
		size_t len = strcspn(text, " ");

		if (parse_word(&found, text, len, &seen, err) < 0)
			return -1;
		text += len;
	}
	*params = found;
	return 0;
}

int params_rcpt(const char *text, struct error *err)
{
	text += strspn(text, " ");
	return *text ? refuse(err, 555, "unknown parameter", text, (int)strcspn(text, " =")) : 0;
}
