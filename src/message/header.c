#include "config.h"
#include "message/header.h"

#include <string.h>
#include <strings.h>

#include "util/arena.h"

#define RESENT(flags) (HEADER_RESENT | (flags))

static const struct {
	const char *name;
	unsigned flags;
} table[HEADER_ID_COUNT] = {
	[HEADER_OTHER] = { "", 0 },
	[HEADER_FROM] = { "From", HEADER_ADDRESS | HEADER_SINGLE },
	[HEADER_SENDER] = { "Sender", HEADER_ADDRESS | HEADER_SINGLE },
	[HEADER_REPLY_TO] = { "Reply-To", HEADER_ADDRESS | HEADER_SINGLE },
	[HEADER_TO] = { "To", HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_SINGLE },
	[HEADER_CC] = { "Cc", HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_SINGLE },
	[HEADER_BCC] = { "Bcc", HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_BLIND | HEADER_SINGLE },
	[HEADER_DATE] = { "Date", HEADER_SINGLE },
	[HEADER_MESSAGE_ID] = { "Message-ID", HEADER_SINGLE },
	[HEADER_SUBJECT] = { "Subject", HEADER_SINGLE },
	[HEADER_RETURN_PATH] = { "Return-Path", HEADER_DROP },
	[HEADER_CONTENT_LENGTH] = { "Content-Length", HEADER_DROP },
	[HEADER_MIME_VERSION] = { "MIME-Version", HEADER_SINGLE },
	[HEADER_CONTENT_TYPE] = { "Content-Type", HEADER_SINGLE },
	[HEADER_CONTENT_TRANSFER_ENCODING] = { "Content-Transfer-Encoding", HEADER_SINGLE },
	[HEADER_RESENT_FROM] = { "Resent-From", RESENT(HEADER_ADDRESS) },
	[HEADER_RESENT_SENDER] = { "Resent-Sender", RESENT(HEADER_ADDRESS) },
	[HEADER_RESENT_TO] = { "Resent-To", RESENT(HEADER_ADDRESS | HEADER_RECIPIENT) },
	[HEADER_RESENT_CC] = { "Resent-Cc", RESENT(HEADER_ADDRESS | HEADER_RECIPIENT) },
	[HEADER_RESENT_BCC] = { "Resent-Bcc",
				RESENT(HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_BLIND) },
	[HEADER_RESENT_DATE] = { "Resent-Date", RESENT(0) },
	[HEADER_RESENT_MESSAGE_ID] = { "Resent-Message-ID", RESENT(0) },
	[HEADER_RECEIVED] = { "Received", 0 },
	[HEADER_IN_REPLY_TO] = { "In-Reply-To", HEADER_SINGLE },
	[HEADER_REFERENCES] = { "References", HEADER_SINGLE },
};

unsigned header_flags(enum header_id id)
{
	return table[id].flags;
}

const char *header_name(enum header_id id)
{
	return table[id].name;
}

enum header_id header_find_id(const char *name, size_t len)
{
	for (int id = HEADER_OTHER + 1; len && id < HEADER_ID_COUNT; id++) {
		const char *known = table[id].name;

		/* the first letter settles most; bit 5 is the case of letters */
		if (((known[0] ^ name[0]) & ~0x20) == 0 && strlen(known) == len &&
		    strncasecmp(known, name, len) == 0)
			return (enum header_id)id;
	}
	return HEADER_OTHER;
}

/* field-name = 1*ftext; ftext = %d33-57 / %d59-126 (RFC 5322, section 3.6.8) */
bool header_name_valid(const char *name)
{
	for (const char *p = name; *p; p++) {
		if (*p <= ' ' || *p >= 127 || *p == ':')
			return false;
	}
	return *name != '\0';
}

const struct header_field *header_find(const struct header *h, enum header_id id)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id == id)
			return &h->field[i];
	}
	return NULL;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *header_value(struct arena *a, const struct header_field *field)
{
	char *value = arena_alloc(a, field->len - field->value + 1);
	size_t n = 0;

	for (size_t i = field->value; i < field->len; i++) {
		char c = field->text[i];

		if (c == '\r' || c == '\n' || (n == 0 && is_blank(c)))
			continue;
		value[n++] = c;
	}
	while (n && is_blank(value[n - 1]))
		n--;
	value[n] = '\0';
	return value;
}

/*
 * optional-field = field-name ":" unstructured CRLF, field-name = 1*ftext,
 * ftext = %d33-57 / %d59-126 (RFC 5322, section 3.6.8); blanks before the
 * colon are obsolete (section 4.5).
 */
size_t header_field_start(const char *line, size_t len, size_t *value_out)
{
	size_t name = 0;

	while (name < len && line[name] > 32 && line[name] < 127 && line[name] != ':')
		name++;
	size_t colon = name;

	while (colon < len && is_blank(line[colon]))
		colon++;
	if (name == 0 || colon == len || line[colon] != ':')
		return 0;
	*value_out = colon + 1;
	return name;
}
