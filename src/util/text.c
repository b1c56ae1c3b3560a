#include "config.h"
#include "util/text.h"

#include <ctype.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/strbuf.h"
#include "util/xalloc.h"

#define LETTERS_MAX 63	/* longer words are not compared letter by letter */

size_t text_utf8_char(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2
		: u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	/* RFC 3629, section 4: no overlong forms, surrogates, or above 10FFFF */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return len;
}

bool text_is_utf8(const char *s, size_t n)
{
	while (n) {
		size_t len = text_utf8_char(s, n);

		if (len == 0)
			return false;
		s += len;
		n -= len;
	}
	return true;
}

void text_utf8_push(struct text_utf8 *u, const char *data, size_t n)
{
	while (u->n && n && !u->bad) {
		u->tail[u->n++] = *data++;
		n--;
		if (text_utf8_char(u->tail, u->n))
			u->n = 0;
		else if (u->n == sizeof(u->tail))
			u->bad = true;
	}
	while (n && !u->bad) {
		size_t len = text_utf8_char(data, n);

		if (!len && n < sizeof(u->tail)) {
			memcpy(u->tail, data, n);
			u->n = n;
			return;
		}
		u->bad = len == 0;
		data += len;
		n -= len;
	}
}

bool text_is_ascii(const char *s, size_t n)
{
	const char *end = s + n;

#ifdef __SSE2__
	for (; end - s >= 64; s += 64) {
		const __m128i *p = (const __m128i *)(const void *)s;
		__m128i low = _mm_or_si128(_mm_loadu_si128(p), _mm_loadu_si128(p + 1));
		__m128i high = _mm_or_si128(_mm_loadu_si128(p + 2), _mm_loadu_si128(p + 3));

		if (_mm_movemask_epi8(_mm_or_si128(low, high)))
			return false;
	}
#endif
	for (; end - s >= 8; s += 8) {
		uint64_t word;

		memcpy(&word, s, sizeof(word));
		if (word & 0x8080808080808080U)
			return false;
	}
	for (; s < end; s++) {
		if (*s & 0x80)
			return false;
	}
	return true;
}

bool text_has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	}
	return false;
}

int text_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_percent_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		int high = text_hex_value(s[1]), low = high < 0 ? -1 : text_hex_value(s[2]);

		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high * 16 + low);
		s += 2;
	}
	*to = '\0';
	return true;
}

char *text_line(char **at, char *end)
{
	char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));

	if (line == end)
		return NULL;
	*at = stop ? stop + 1 : end;
	stop = stop ? stop : end;
	if (stop > line && stop[-1] == '\r')
		stop--;
	*stop = '\0';
	return line;
}

long text_port(const char *s, size_t n)
{
	long port = n > 0 && n <= 5 ? 0 : -1;

	for (size_t i = 0; port >= 0 && i < n; i++)
		port = s[i] >= '0' && s[i] <= '9' ? port * 10 + (s[i] - '0') : -1;
	return port <= 65535 ? port : -1;
}

size_t text_hash(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++) {
		h ^= (unsigned char)tolower((unsigned char)*s);
		h *= 16777619U;
	}
	return h;
}

void text_lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* C1 controls (80-9F), U+2028-202E and U+2066-2069 change how a line is shown. */
static bool deceives(const unsigned char *u, size_t len)
{
	if (len == 2)
		return u[0] == 0xc2 && u[1] < 0xa0;
	if (len != 3 || u[0] != 0xe2)
		return false;
	return (u[1] == 0x80 && u[2] >= 0xa8 && u[2] <= 0xae) ||
	       (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
}

/* Length of the piece at s that can be shown as it is; 0 if it cannot. */
static size_t showable(const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	size_t len = text_utf8_char(s, n);

	return len && !deceives((const unsigned char *)s, len) ? len : 0;
}

size_t text_escape(char *out, size_t room, const char *s, size_t n)
{
	size_t need = 0, done = 0;
	bool full = false;

	while (n) {
		char hex[5];
		size_t take = showable(s, n), put = take ? take : 4;

		if (!take)
			snprintf(hex, sizeof(hex), "\\x%02X", (unsigned char)*s);
		full = full || put >= room - done;
		if (!full) {
			memcpy(out + done, take ? s : hex, put);
			done += put;
		}
		need += put;
		s += take ? take : 1;
		n -= take ? take : 1;
	}
	out[done] = '\0';
	return need;
}

void text_escape_add(struct strbuf *out, const char *s, size_t n)
{
	if (n > SIZE_MAX / 4 - 1)
		return;
	char *room = xmalloc(4 * n + 1);

	strbuf_add(out, room, text_escape(room, 4 * n + 1, s, n));
	xfree(room);
}

void text_quote_add(struct strbuf *out, const char *s)
{
	strbuf_addch(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			strbuf_addch(out, '\\');
		strbuf_addch(out, *s);
	}
	strbuf_addch(out, '"');
}

/* --- names ------------------------------------------------------------------ */

int names_find(const struct name_value *table, const char *name, int *value_out)
{
	for (; !names_is_end(table); table++) {
		if (strcasecmp(table->name, name) == 0) {
			*value_out = table->value;
			return 0;
		}
	}
	return -1;
}

const char *names_name(const struct name_value *table, int value)
{
	for (; !names_is_end(table); table++) {
		if (table->value == value)
			return table->name;
	}
	return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Damerau's distance with three rows: before[], last[] and now[]. */
unsigned names_distance(const char *a, const char *b, unsigned limit)
{
	unsigned before[LETTERS_MAX + 1] = { 0 }, last[LETTERS_MAX + 1], now[LETTERS_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > LETTERS_MAX || lb > LETTERS_MAX)
		return limit + 1;
	for (size_t j = 0; j <= lb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned same = text_fold(a[i - 1]) == text_fold(b[j - 1]) ? 0 : 1;

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + same);
			if (i > 1 && j > 1 && text_fold(a[i - 1]) == text_fold(b[j - 2]) &&
			    text_fold(a[i - 2]) == text_fold(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		memcpy(before, last, sizeof(last));
		memcpy(last, now, sizeof(now));
	}
	return least(last[lb], limit + 1);
}

size_t text_decimal(const char *s, uint64_t *out)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; s[n] >= '0' && s[n] <= '9'; n++) {
		const unsigned digit = (unsigned)(s[n] - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	*out = value;
	return n;
}
