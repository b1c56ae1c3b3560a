#include "config.h"
#include "smtp/command.h"

#include <string.h>

#include "net/wire.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* The verb, for texts; the rest may be anything. */
static int refuse(const struct strbuf *line, const char *status, struct error *err,
		  const char *why)
{
	return error_set_status(err, FAULT_ARGUMENT, status, "cannot send %.*s: %s",
			 (int)strcspn(line->buf, " :"), line->buf, why);
}

int command_check(const struct strbuf *line, size_t extra, bool utf8, struct error *err)
{
	if (strbuf_overflow(line) || line->len + 2 > COMMAND_MAX + extra)
		return refuse(line, "5.5.4", err, "the line is longer than SMTP allows");
	if (text_has_control(line->buf, line->len))
		return refuse(line, "5.5.2", err, "control character in an argument");
	if (text_is_ascii(line->buf, line->len))
		return 0;
	if (!utf8)
		return refuse(line, "5.6.7", err, "character outside ASCII without SMTPUTF8");
	if (!text_is_utf8(line->buf, line->len))
		return refuse(line, "5.6.7", err, "invalid UTF-8");
	return 0;
}

int command_send(struct wire *w, struct strbuf *line, bool utf8, const struct deadline *d,
		 struct error *err)
{
	if (command_check(line, 0, utf8, err) < 0)
		return -1;
	strbuf_add(line, "\r\n", 2);
	return wire_put(w, line->buf, line->len, NULL, d, err);
}

int command_send_secret(struct wire *w, const char *open, const char *secret, size_t n,
			const struct deadline *d, struct error *err)
{
	struct strbuf line = STRBUF_SECRET(SIZE_MAX / 4), shown = STRBUF_INIT(COMMAND_MAX);
	int rc = -1;

	strbuf_addstr(&line, open);
	strbuf_add(&line, secret, n);
	strbuf_addf(&shown, "%s<%zu octets hidden>", open, n);
	if (text_has_control(line.buf, line.len) || !text_is_ascii(line.buf, line.len)) {
		error_set(err, FAULT_BUG, "a secret is not in base64");
	} else {
		strbuf_add(&line, "\r\n", 2);
		rc = wire_put(w, line.buf, line.len, shown.buf, d, err);
	}
	strbuf_release(&shown);
	strbuf_release_secret(&line);
	return rc;
}

void command_add_number(struct strbuf *line, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	strbuf_add(line, digits + at, sizeof(digits) - at);
}
