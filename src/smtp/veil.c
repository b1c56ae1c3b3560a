#include "config.h"
#include "smtp/veil.h"

#include <stdbool.h>
#include <string.h>

#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define ENOUGH 12		/* octets of a word that are hidden without the rest */
#define LONG 16			/* from so many on */
#define SHORT 4			/* fewer are hidden where they are a word of their own */

struct word {
	struct secret text;
	size_t least;		/* octets of it that make a match */
};

struct veil {
	struct word *word;
	size_t n, alloc;
};

struct veil *veil_new(void)
{
	return xcalloc(1, sizeof(struct veil));
}

void veil_free(struct veil *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++)
		secret_release(&v->word[i].text);
	xfree(v->word);
	xfree(v);
}

static void add(struct veil *v, const char *word, size_t n, size_t least)
{
	for (size_t i = 0; i < v->n; i++) {
		struct word *w = &v->word[i];

		if (w->text.len != n || memcmp(w->text.data, word, n) != 0)
			continue;
		if (least < w->least)
			w->least = least;
		return;
	}
	if (n == 0)
		return;
	if (v->n == v->alloc) {
		v->alloc = v->alloc ? 2 * v->alloc : 8;
		v->word = xrealloc(v->word, v->alloc, sizeof(*v->word));
	}
	v->word[v->n] = (struct word){ .least = least };
	secret_set(&v->word[v->n++].text, word, n);
}

void veil_add(struct veil *v, const char *word, size_t n)
{
	add(v, word, n, n < LONG ? n : ENOUGH);
}

void veil_add_whole(struct veil *v, const char *word, size_t n)
{
	add(v, word, n, n);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_inside_word(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

static bool stands_alone(const struct strbuf *line, size_t at, size_t n)
{
	return (at == 0 || !is_inside_word(line->buf[at - 1])) &&
	       (at + n == line->len || !is_inside_word(line->buf[at + n]));
}

/* How many octets there are a word, or enough of it; 0 = none. */
static size_t hidden_at(const struct veil *v, const struct strbuf *line, size_t at)
{
	const char *s = line->buf + at;
	const size_t n = line->len - at;
	size_t most = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct word *w = &v->word[i];
		size_t k = 0;

		while (k < n && k < w->text.len && lower(s[k]) == lower(w->text.data[k]))
			k++;
		if (k >= w->least && k > most && (k >= SHORT || stands_alone(line, at, k)))
			most = k;
	}
	return most;
}

void veil_apply(const struct veil *v, struct strbuf *line, size_t from)
{
	static const char instead[] = "<hidden>";
	struct strbuf shown = STRBUF_SECRET(line->limit);
	bool any = false;

	if (!v || from >= line->len)
		return;
	strbuf_add(&shown, line->buf, from);
	for (size_t at = from; at < line->len;) {
		const size_t n = hidden_at(v, line, at);

		if (n)
			strbuf_addstr(&shown, instead);
		else
			strbuf_addch(&shown, line->buf[at]);
		any = any || n;
		at += n ? n : 1;
	}
	if (any) {
		explicit_bzero(line->buf, line->len);
		strbuf_reset(line);
		strbuf_add(line, shown.buf, shown.len);
	}
	strbuf_release(&shown);
}
