#include "config.h"
#include "util/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

/* Replaces the text, escaped, and marks where it had to be cut. */
static void set_text(struct error *err, const char *raw, size_t len)
{
	size_t room = sizeof(err->text);
	size_t need = text_escape(err->text, room, raw, len);

	if (need >= room) {
		/* once more in less room, so that no character or escape is cut in half */
		text_escape(err->text, room - 3, raw, len);
		memcpy(err->text + strlen(err->text), "...", 4);
	}
}

/* The raw text may be twice what fits: escaping only makes it longer. */
ATTR_PRINTF(3, 0)
static size_t format(char *raw, size_t room, const char *fmt, va_list ap)
{
	int n = vsnprintf(raw, room, fmt, ap);

	if (n < 0)
		n = 0;
	return (size_t)n < room ? (size_t)n : room - 1;
}

static void set_head(struct error *err, enum fault fault, const char *status)
{
	err->fault = fault;
	err->exit = fault_exit(fault);
	err->reply = 0;
	err->words_n = 0;
	err->also[0] = FAULT_NONE;
	err->named = fault_names_host(fault);
	snprintf(err->status, sizeof(err->status), "%s", status);
}

ATTR_PRINTF(4, 0)
static int fill(struct error *err, enum fault fault, const char *status, const char *fmt,
		va_list ap)
{
	char raw[2 * sizeof(err->text)];
	/* what is formatted may stand in err itself */
	size_t len = format(raw, sizeof(raw), fmt, ap);

	set_head(err, fault, status);
	set_text(err, raw, len);
	return -1;
}

int error_set(struct error *err, enum fault fault, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, fault, fault_status(fault), fmt, ap);
	va_end(ap);
	return -1;
}

int error_set_status(struct error *err, enum fault fault, const char *status, const char *fmt,
		     ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, fault, status, fmt, ap);
	va_end(ap);
	return -1;
}

/* Why a file cannot be had. */
static enum fault exact(enum fault fault, int code)
{
	if (fault == FAULT_FILE && code == ENOENT)
		return FAULT_FILE_MISSING;
	return fault == FAULT_FILE && (code == EACCES || code == EPERM) ? FAULT_FILE_DENIED : fault;
}

int error_errno(struct error *err, enum fault fault, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	fault = exact(fault, saved);

	va_start(ap, fmt);
	fill(err, fault, fault_status(fault), fmt, ap);
	va_end(ap);
	errno = saved;
	return error_append(err, ": %s", strerror(saved));
}

void error_recast(struct error *err, enum fault fault)
{
	if (err->exit == fault_exit(fault))
		return;
	err->fault = fault;
	err->exit = fault_exit(fault);
}

int error_turn(struct error *err, enum fault fault)
{
	err->fault = fault;
	err->exit = fault_exit(fault);
	snprintf(err->status, sizeof(err->status), "%s", fault_status(fault));
	return -1;
}

void error_also(struct error *err, enum fault fault)
{
	size_t n = 0;

	while (n < ERROR_ALSO_MAX && err->also[n] != FAULT_NONE)
		n++;
	if (n == ERROR_ALSO_MAX || error_is(err, fault))
		return;
	err->also[n] = fault;
	if (n + 1 < ERROR_ALSO_MAX)
		err->also[n + 1] = FAULT_NONE;
}

bool error_is(const struct error *err, enum fault fault)
{
	if (err->fault == fault)
		return true;
	for (size_t i = 0; i < ERROR_ALSO_MAX && err->also[i] != FAULT_NONE; i++) {
		if (err->also[i] == fault)
			return true;
	}
	return false;
}

const char *error_words(const struct error *err, size_t *n_out)
{
	*n_out = err->words_n;
	return err->words_n ? err->text + err->words : NULL;
}

void error_mark_words(struct error *err, size_t at)
{
	const size_t len = strlen(err->text);

	err->words = (unsigned short)at;
	err->words_n = at < len ? (unsigned short)(len - at) : 0;
}

/* The text has become longer in front; when its end was cut, the words may be gone. */
static void move_words(struct error *err, size_t was)
{
	const size_t more = strlen(err->text) - was;

	if (err->words_n && strlen(err->text) >= was &&
	    err->words + more + err->words_n < sizeof(err->text) - 4)
		err->words = (unsigned short)(err->words + more);
	else
		err->words_n = 0;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
	char raw[3 * sizeof(err->text)];
	const size_t was = strlen(err->text);
	va_list ap;

	va_start(ap, fmt);
	size_t len = format(raw, sizeof(err->text), fmt, ap);
	va_end(ap);
	int more = snprintf(raw + len, sizeof(raw) - len, ": %s", err->text);

	if (more > 0)
		len += (size_t)more;
	set_text(err, raw, len);
	move_words(err, was);
	return -1;
}

int error_append(struct error *err, const char *fmt, ...)
{
	char raw[3 * sizeof(err->text)];
	size_t len = (size_t)snprintf(raw, sizeof(raw), "%s", err->text);
	va_list ap;

	va_start(ap, fmt);
	len += format(raw + len, sizeof(raw) - len, fmt, ap);
	va_end(ap);
	set_text(err, raw, len);
	return -1;
}

enum next error_next(const struct error *err, enum phase phase)
{
	enum next next = fault_next(err->fault, phase);

	return next == NEXT_NEVER && error_is_temporary(err) ? NEXT_LATER : next;
}

int error_is_temporary(const struct error *err)
{
	return err->status[0] == '4';
}
