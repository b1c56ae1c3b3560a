#include "config.h"
#include "util/secret.h"

#include <string.h>

#include "util/xalloc.h"

void secret_set(struct secret *s, const char *data, size_t n)
{
	char *copy = xstrndup(data, n);

	secret_release(s);
	s->data = copy;
	s->len = n;
}

void secret_copy(struct secret *to, const struct secret *from)
{
	if (from->data)
		secret_set(to, from->data, from->len);
	else
		secret_release(to);
}

void secret_release(struct secret *s)
{
	if (s->data)
		explicit_bzero(s->data, s->len);
	xfree(s->data);
	*s = (struct secret){ 0 };
}

bool secret_is_set(const struct secret *s)
{
	return s->data != NULL;
}
