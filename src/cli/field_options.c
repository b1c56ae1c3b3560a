#include "config.h"
#include "cli/field_options.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/option_compose.h"
#include "message/address.h"
#include "message/ident.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define IDS_MAX ((size_t)256 * 1024)

FIELD_READER(field_read_word)
{
	struct strbuf list = STRBUF_INIT(1024);
	int rc = -1;

	(void)a;
	for (size_t i = 0; words[i]; i++) {
		if (strcasecmp(words[i], value) == 0) {
			*out = words[i];
			rc = 0;
		}
		strbuf_addf(&list, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	if (rc < 0)
		error_set(err, FAULT_USAGE, "'%s' is not %s", value, list.buf);
	strbuf_release(&list);
	return rc;
}

FIELD_READER(field_read_addresses)
{
	struct address_list list;

	(void)words;
	if (address_parse_list(a, value, strlen(value), 0, &list, err) < 0) {
		error_recast(err, FAULT_USAGE);
		return -1;
	}
	if (list.n == 0)
		return error_set(err, FAULT_USAGE, "'%s' is no address", value);
	*out = value;
	return 0;
}

/* date-time of RFC 5322, section 3.3, as mail has it. */
static bool is_mail_date(const char *value)
{
	struct tm t = { 0 };
	const char *comma = strchr(value, ',');
	const char *end = strptime(value, comma ? "%a, %d %b %Y %H:%M:%S %z" :
						  "%d %b %Y %H:%M:%S %z", &t);
	size_t len = strlen(value);

	return end && !*end && len > 5 && strchr("+-", value[len - 5]) &&
	       strspn(value + len - 4, "0123456789") == 4;
}

static FIELD_READER(read_moment)
{
	struct datetime when;

	(void)words;
	*out = value;
	if (is_mail_date(value))
		return 0;
	if (datetime_parse(value, datetime_now(), &when, err) < 0)
		return -1;
	*out = ident_date(a, (time_t)(when.ms / 1000));
	return 0;
}

/*
 * msg-id = "<" id-left "@" id-right ">" (RFC 5322, section 3.6.4), without
 * the blanks and quoted strings of old; the brackets may be left out.
 */
static const char *read_id(struct arena *a, const char *word, size_t len)
{
	if (len > 2 && word[0] == '<' && word[len - 1] == '>') {
		word++;
		len -= 2;
	}
	const char *at = memchr(word, '@', len);

	if (!at || at == word || at + 1 == word + len ||
	    memchr(at + 1, '@', (size_t)(word + len - at - 1)))
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (strchr("<>()\",;:\\ \t", word[i]) || (unsigned char)word[i] > 126)
			return NULL;
	}
	return arena_printf(a, "<%.*s>", (int)len, word);
}

static FIELD_READER(read_ids)
{
	struct strbuf list = STRBUF_INIT(IDS_MAX);
	const char *p = value + strspn(value, " \t,");
	int rc = 0;

	(void)words;
	while (rc == 0 && *p) {
		size_t len = strcspn(p, " \t,");
		const char *id = read_id(a, p, len);

		if (!id)
			rc = error_set(err, FAULT_USAGE, "'%.*s' is not a Message-ID such as "
				       "<1234@example.org>", (int)len, p);
		else
			strbuf_addf(&list, "%s%s", list.len ? " " : "", id);
		p += len;
		p += strspn(p, " \t,");
	}
	if (rc == 0 && (!list.len || strbuf_overflow(&list)))
		rc = error_set(err, FAULT_USAGE, "'%.100s' is no list of Message-IDs", value);
	if (rc == 0)
		*out = arena_strdup(a, list.buf);
	strbuf_release(&list);
	return rc;
}

static FIELD_READER(read_one_id)
{
	if (read_ids(a, value, words, out, err) < 0)
		return -1;
	return strchr(*out, ' ') ? error_set(err, FAULT_USAGE, "'%s' is more than one "
					     "Message-ID", value) : 0;
}

/* One "attribute=importance,value[,value]..."; its length, 0 when it is none. */
static size_t parameter_len(const char *p)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "!#$%&'*+-.^_`{|}~";
	const char *start = p;
	size_t name = strspn(p, token);

	if (!name || p[name] != '=')
		return 0;
	p += name + 1;
	if (strncasecmp(p, "required,", 9) != 0 && strncasecmp(p, "optional,", 9) != 0)
		return 0;
	p += 8;
	while (*p == ',') {
		size_t len = strcspn(p + 1, ",;");

		if (!len)
			return 0;
		p += len + 1;
	}
	return (size_t)(p - start);
}

FIELD_READER(field_read_disposition)
{
	const char *p = value;

	(void)a, (void)words;
	for (;;) {
		size_t len = parameter_len(p);

		if (!len || (p[len] && p[len] != ';'))
			return error_set(err, FAULT_USAGE, "'%s' is not "
					 "ATTRIBUTE=required|optional,VALUE[;...]", value);
		p += len;
		if (!*p)
			break;
		p += 1 + strspn(p + 1, " \t");
	}
	*out = value;
	return 0;
}

const struct field_option *field_option(size_t id)
{
	static const char *const priorities[] = { "non-urgent", "normal", "urgent", NULL };
	static const char *const sensitivities[] = { "Personal", "Private",
						     "Company-Confidential", NULL };
	static const char *const automatic[] = { "auto-generated", "auto-replied", "no", NULL };
	static const struct field_option options[FIELD_OPTION_COUNT] = {
		[FIELD_SUBJECT] = { "Subject", NULL, NULL },
		[FIELD_REPLY_TO] = { "Reply-To", field_read_addresses, NULL },
		[FIELD_IN_REPLY_TO] = { "In-Reply-To", read_ids, NULL },
		[FIELD_REFERENCES] = { "References", read_ids, NULL },
		[FIELD_DATE] = { "Date", read_moment, NULL },
		[FIELD_MESSAGE_ID] = { "Message-ID", read_one_id, NULL },
		[FIELD_PRIORITY] = { "Priority", field_read_word, priorities },
		[FIELD_SENSITIVITY] = { "Sensitivity", field_read_word, sensitivities },
		[FIELD_EXPIRES] = { "Expires", read_moment, NULL },
		[FIELD_REPLY_BY] = { "Reply-By", read_moment, NULL },
		[FIELD_DEFERRED] = { "Deferred-Delivery", read_moment, NULL },
		[FIELD_AUTO_SUBMITTED] = { "Auto-Submitted", field_read_word, automatic },
	};

	return &options[id];
}
