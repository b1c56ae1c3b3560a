/* Parameters of header fields, in ASCII (RFC 2231). */
#include "config.h"
#include "mime/mime_header_private.h"

#include <string.h>
#include <strings.h>

#include "mime/mime_header.h"
#include "mime/mime_param.h"
#include "mime/mime_parse.h"
#include "util/strbuf.h"
#include "util/text.h"

#define NAME_MAX_EXTENDED ((size_t)40)	/* longer ones leave no room for a value */

/* Is there a name*= or name*0= besides name=? Readers take that one. */
static bool has_extended(const char *p, const char *end, const struct mime_param *plain)
{
	struct mime_param param;

	while (mime_param_next(&p, end, &param)) {
		if (param.name_len > plain->name_len && param.name[plain->name_len] == '*' &&
		    strncasecmp(param.name, plain->name, plain->name_len) == 0)
			return true;
	}
	return false;
}

static void put_param(struct downgrade *d, const struct mime_param *param, const char *first,
		      const char *end)
{
	const size_t len = (size_t)(param->end - param->start);
	struct strbuf value = STRBUF_INIT(len);

	if (param->name_len && param->name_len <= NAME_MAX_EXTENDED &&
	    !memchr(param->name, '*', param->name_len) &&
	    !text_is_ascii(param->value, param->value_len)) {
		if (!has_extended(first, end, param)) {
			mime_param_value(param, &value);
			strbuf_addch(d->out, ';');
			mime_param_extended(d->out, param->name, param->name_len, value.buf,
					    value.len, d->charset);
		}
	} else {
		strbuf_addch(d->out, ';');
		downgrade_percent(d, param->start, len);
	}
	strbuf_release(&value);
}

void downgrade_params(struct downgrade *d, const char *value, size_t n)
{
	const char *end = value + n, *first = mime_param_first(value, end), *p = first;
	struct mime_param param;

	while (value < first) {		/* the type itself; it may have comments */
		const char *stop = memchr(value, '(', (size_t)(first - value));

		stop = stop ? stop : first;
		downgrade_leave(d, value, (size_t)(stop - value), MIME_HEADER_OTHER);
		value = stop < first ? mime_skip_comment(stop, first) : first;
		downgrade_comment(d, stop, value);
	}
	while (mime_param_next(&p, end, &param))
		put_param(d, &param, first, end);
}
