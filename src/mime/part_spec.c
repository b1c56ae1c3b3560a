/* What an option says about one part: reads part_spec of compose.h. */
#include "config.h"
#include "mime/compose.h"

#include <string.h>
#include <strings.h>

#include "message/charset.h"
#include "mime/mime_type.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

#define CID_MAX 250

/* What a value may be of: bits of roles. */
#define ROLE(r) (1U << (r))
#define TEXTS (ROLE(PART_TEXT) | ROLE(PART_HTML) | ROLE(PART_CALENDAR))
#define FILES (ROLE(PART_RELATED) | ROLE(PART_INLINE) | ROLE(PART_ATTACHMENT))
#define MESSAGES ROLE(PART_MESSAGE)

const char *part_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int refuse(const char *key, const char *value, const char *want, struct error *err)
{
	return error_set(err, FAULT_USAGE, "%s: '%s' is not %s", key, value, want);
}

/* Parts in parts are ours to make, and a message has an option of its own. */
static int read_type(struct arena *a, struct part_spec *out, const char *value,
		     struct error *err)
{
	char *type = arena_strdup(a, value);

	text_lower(type);
	if (!mime_type_valid(type))
		return refuse("type", value, "TYPE/SUBTYPE", err);
	if (strncmp(type, "multipart/", 10) == 0)
		return error_set(err, FAULT_USAGE, "type: '%s' is made of other parts and "
				 "cannot be attached", value);
	if (strncmp(type, "message/", 8) == 0 && strcmp(type + 8, "rfc822") != 0)
		return error_set(err, FAULT_USAGE, "type: '%s' cannot be attached: use "
				 "--attach-message for a message", value);
	out->type = type;
	return 0;
}

static int read_name(struct arena *a, struct part_spec *out, const char *value,
		     struct error *err)
{
	(void)a;
	if (!*value || strchr(value, '/'))
		return refuse("name", value, "the name of a file", err);
	out->name = value;
	return 0;
}

static int read_disposition(struct arena *a, struct part_spec *out, const char *value,
			    struct error *err)
{
	(void)a;
	out->inline_given = true;
	out->inline_wanted = strcasecmp(value, "inline") == 0;
	if (!out->inline_wanted && strcasecmp(value, "attachment") != 0)
		return refuse("disposition", value, "attachment or inline", err);
	return 0;
}

static int read_encoding(struct arena *a, struct part_spec *out, const char *value,
			 struct error *err)
{
	static const struct name_value names[] = {
		{ "auto", PART_AUTO }, { "7bit", PART_7BIT }, { "8bit", PART_8BIT },
		{ "quoted-printable", PART_QP }, { "qp", PART_QP }, { "base64", PART_BASE64 },
		{ "binary", PART_BINARY }, NAMES_END
	};
	int encoding = PART_AUTO;

	(void)a;
	if (names_find(names, value, &encoding) < 0)
		return refuse("encoding", value,
			      "auto, 7bit, 8bit, quoted-printable, base64 or binary", err);
	out->encoding = (enum part_encoding)encoding;
	return 0;
}

static int read_charset(struct arena *a, struct part_spec *out, const char *value,
			struct error *err)
{
	(void)a;
	if (!charset_name_valid(value))
		return refuse("charset", value, "the name of a charset", err);
	out->charset = value;
	return 0;
}

static int read_description(struct arena *a, struct part_spec *out, const char *value,
			    struct error *err)
{
	(void)a, (void)err;
	out->description = *value ? value : NULL;
	return 0;
}

/*
 * What stands between < and > of a Content-ID (RFC 2045, section 7). The
 * "@" of a msg-id is not demanded: HTML texts are full of plain words.
 */
static int read_cid(struct arena *a, struct part_spec *out, const char *value, struct error *err)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "!#$%&'*+-/=?^_`{|}~.";
	size_t len = strlen(value);
	size_t left = strspn(value, chars);

	(void)a;
	if (left == 0 || len > CID_MAX ||
	    (value[left] && (value[left] != '@' || !value[left + 1] ||
			     left + 1 + strspn(value + left + 1, chars) != len)))
		return refuse("cid", value, "a Content-ID, such as logo or logo@example.org",
			      err);
	out->cid = value;
	return 0;
}

static const struct {
	const char *key;
	unsigned roles;
	int (*read)(struct arena *, struct part_spec *, const char *value, struct error *);
} keys[] = {
	{ "type", FILES, read_type },
	{ "name", FILES | MESSAGES | ROLE(PART_CALENDAR), read_name },
	{ "filename", FILES | MESSAGES | ROLE(PART_CALENDAR), read_name },
	{ "disposition", FILES | MESSAGES, read_disposition },
	{ "encoding", FILES | TEXTS, read_encoding },
	{ "charset", FILES | TEXTS, read_charset },
	{ "description", FILES | TEXTS | MESSAGES, read_description },
	{ "cid", FILES | MESSAGES, read_cid },
};

/* The piece at *p up to a separator, its backslashes taken away; *p is moved behind. */
static const char *take_piece(struct arena *a, const char **p)
{
	char *piece = arena_alloc(a, strlen(*p) + 1), *to = piece;
	const char *s = *p;

	for (; *s && *s != ',' && *s != ';'; s++) {
		if (*s == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*to = '\0';
	*p = *s ? s + 1 : NULL;
	return piece;
}

static int read_piece(struct arena *a, struct part_spec *out, const char *piece,
		      struct error *err)
{
	const char *equals = strchr(piece, '=');

	if (!equals)
		return error_set(err, FAULT_USAGE, "'%s' is not KEY=VALUE: write a comma or "
				 "semicolon that belongs to the name of the file as '\\,' or "
				 "'\\;'", piece);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t len = (size_t)(equals - piece);

		if (strlen(keys[i].key) == len && strncasecmp(keys[i].key, piece, len) == 0) {
			if (!(keys[i].roles & ROLE(out->role)))
				return error_set(err, FAULT_USAGE, "'%s' has no meaning "
						 "here", keys[i].key);
			return keys[i].read(a, out, equals + 1, err);
		}
	}
	return error_set(err, FAULT_USAGE, "'%.*s' is none of type, name, disposition, "
			 "encoding, charset, description, cid", (int)(equals - piece), piece);
}

int part_spec_parse(struct arena *a, enum part_role role, const char *value,
		    struct part_spec *out, struct error *err)
{
	struct part_spec spec = { .role = role };
	const char *p = value;

	spec.path = take_piece(a, &p);
	if (!*spec.path)
		return error_set(err, FAULT_USAGE, "the name of the file is empty");
	while (p) {
		const char *piece = take_piece(a, &p);

		if (text_has_control(piece, strlen(piece)))
			return error_set(err, FAULT_USAGE, "'%s' has a control character",
					 piece);
		if (read_piece(a, &spec, piece, err) < 0)
			return -1;
	}
	*out = spec;
	return 0;
}
