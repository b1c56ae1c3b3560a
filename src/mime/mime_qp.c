#include "config.h"
#include "mime/mime_qp.h"

#include "util/text.h"

bool mime_qp_push(struct mime_qp *q, char c, char *out)
{
	const int digit = text_hex_value(c);

	*out = c;
	if (q->n == 0 && c == '=') {
		q->n = 1;
		return false;
	}
	if (q->n == 0)
		return true;
	if (c == '\r')			/* of a soft line break: the LF ends it */
		return false;
	if (digit < 0 || q->n == 2) {
		*out = (char)(text_hex_value(q->first) * 16 + digit);
		q->n = 0;
		return digit >= 0;
	}
	q->first = c;
	q->n = 2;
	return false;
}
