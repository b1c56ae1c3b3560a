#include "config.h"
#include "util/json.h"

#include <inttypes.h>
#include <string.h>

#include "util/strbuf.h"
#include "util/text.h"

static void escape(struct strbuf *out, const char *s, size_t n)
{
	strbuf_addch(out, '"');
	while (n) {
		size_t len = text_utf8_char(s, n);
		unsigned char c = (unsigned char)*s;

		if (len == 0)
			strbuf_addstr(out, "\\uFFFD");
		else if (c < 0x20 || c == 0x7f)
			strbuf_addf(out, "\\u%04X", c);
		else if (c == '"' || c == '\\')
			strbuf_addf(out, "\\%c", c);
		else
			strbuf_add(out, s, len);
		s += len ? len : 1;
		n -= len ? len : 1;
	}
	strbuf_addch(out, '"');
}

static void begin_value(struct json *j, const char *key)
{
	if (j->comma)
		strbuf_addch(j->out, ',');
	j->comma = true;
	if (key) {
		escape(j->out, key, strlen(key));
		strbuf_addch(j->out, ':');
	}
}

void json_begin(struct json *j, const char *key, char bracket)
{
	begin_value(j, key);
	strbuf_addch(j->out, bracket);
	j->comma = false;
}

void json_end(struct json *j, char bracket)
{
	strbuf_addch(j->out, bracket);
	j->comma = true;
}

void json_octets(struct json *j, const char *key, const char *value, size_t n)
{
	begin_value(j, key);
	escape(j->out, value, n);
}

void json_string(struct json *j, const char *key, const char *value)
{
	if (value)
		json_octets(j, key, value, strlen(value));
	else
		json_raw(j, key, "null");
}

void json_number(struct json *j, const char *key, int64_t value)
{
	begin_value(j, key);
	strbuf_addf(j->out, "%" PRId64, value);
}

void json_raw(struct json *j, const char *key, const char *value)
{
	begin_value(j, key);
	strbuf_addstr(j->out, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	json_raw(j, key, value ? "true" : "false");
}
