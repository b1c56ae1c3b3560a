#include "config.h"
#include "util/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "util/xalloc.h"

/* Shared by all empty buffers; only ever holds a NUL. */
char strbuf_empty[1] = "";

void strbuf_init(struct strbuf *b, size_t limit)
{
	*b = (struct strbuf)STRBUF_INIT(limit);
}

void strbuf_release(struct strbuf *b)
{
	const bool secret = b->secret;

	if (b->alloc && secret)
		explicit_bzero(b->buf, b->alloc);
	if (b->alloc)
		xfree(b->buf);
	strbuf_init(b, b->limit);
	b->secret = secret;
}

void strbuf_release_secret(struct strbuf *b)
{
	const bool secret = b->secret;

	b->secret = true;
	strbuf_release(b);
	b->secret = secret;
}

void strbuf_reset(struct strbuf *b)
{
	strbuf_truncate(b, 0);
	b->overflow = false;
}

void strbuf_truncate(struct strbuf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->buf[len] = '\0';
	}
}

/* Where realloc() moves octets it leaves them behind as well. */
static void move(struct strbuf *b, size_t size)
{
	char *old = b->alloc ? b->buf : NULL;

	b->buf = xrealloc(b->secret ? NULL : old, size, 1);
	if (old && b->secret) {
		memcpy(b->buf, old, b->len);
		explicit_bzero(old, b->alloc);
		xfree(old);
	}
	b->buf[b->len] = '\0';
	b->alloc = size;
}

char *strbuf_reserve(struct strbuf *b, size_t n)
{
	if (n > b->limit - b->len) {
		b->overflow = true;
		return NULL;
	}
	size_t need = b->len + n + 1;

	if (need > b->alloc) {
		size_t grown = b->alloc + b->alloc / 2 + 64;

		if (grown < need)
			grown = need;
		move(b, grown);
	}
	return b->buf + b->len;
}

void strbuf_commit(struct strbuf *b, size_t n)
{
	assert(n <= b->limit - b->len && (n == 0 || b->len + n < b->alloc));
	if (n) {
		b->len += n;
		b->buf[b->len] = '\0';
	}
}

void strbuf_add(struct strbuf *b, const void *data, size_t n)
{
	char *room = n ? strbuf_reserve(b, n) : NULL;

	if (room) {
		memcpy(room, data, n);
		strbuf_commit(b, n);
	}
}

void strbuf_addch(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_addstr(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *room = n > 0 ? strbuf_reserve(b, (size_t)n) : NULL;

	if (room) {
		vsnprintf(room, (size_t)n + 1, fmt, again);
		strbuf_commit(b, (size_t)n);
	}
	va_end(again);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(b, fmt, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *b, size_t n)
{
	assert(n <= b->len);
	if (n) {
		memmove(b->buf, b->buf + n, b->len - n);
		strbuf_truncate(b, b->len - n);
	}
}

bool strbuf_overflow(const struct strbuf *b)
{
	return b->overflow;
}

char *strbuf_detach(struct strbuf *b)
{
	char *s = b->alloc ? b->buf : xstrdup("");

	strbuf_init(b, b->limit);
	return s;
}
