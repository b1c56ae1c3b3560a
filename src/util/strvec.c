#include "config.h"
#include "util/strvec.h"

#include <string.h>
#include <strings.h>

#include "util/xalloc.h"

void strvec_init(struct strvec *list, size_t limit)
{
	*list = (struct strvec)STRVEC_INIT(limit);
}

void strvec_release(struct strvec *list)
{
	for (size_t i = 0; i < list->n; i++)
		xfree(list->v[i]);
	xfree(list->v);
	strvec_init(list, list->limit);
}

void strvec_addn(struct strvec *list, const char *s, size_t len)
{
	if (list->n >= list->limit) {
		list->overflow = true;
		return;
	}
	if (list->n + 1 >= list->alloc) {
		list->alloc += list->alloc / 2 + 8;
		list->v = xrealloc(list->v, list->alloc, sizeof(*list->v));
	}
	list->v[list->n++] = xstrndup(s, len);
	list->v[list->n] = NULL;
}

void strvec_add(struct strvec *list, const char *s)
{
	strvec_addn(list, s, strlen(s));
}

void strvec_split(struct strvec *list, const char *s, const char *seps)
{
	for (s += strspn(s, seps); *s; s += strspn(s, seps)) {
		size_t len = strcspn(s, seps);

		strvec_addn(list, s, len);
		s += len;
	}
}

bool strvec_has(const struct strvec *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcasecmp(list->v[i], s) == 0)
			return true;
	}
	return false;
}

bool strvec_overflow(const struct strvec *list)
{
	return list->overflow;
}
