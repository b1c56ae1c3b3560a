#include "config.h"
#include "mime/text_facts.h"

#include <string.h>

#include "message/scan.h"
#include "message/spool.h"
#include "mime/mime_encode.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define BLOCK ((size_t)16 * 1024)
#define WORD_MAX_SEARCHED ((size_t)100)
#define CR_MAX ((size_t)16 * 1024)	/* more of them in a row are lines of their own */

enum { END_LF = 1, END_CRLF = 2, END_CR = 4 };	/* kinds of line ends */

struct reading {
	struct text_facts *facts;
	uint64_t line;		/* octets of the line that is open */
	uint64_t cr;		/* CRs behind it */
	unsigned ends;
	char tail[4];		/* octets of a character that is cut by the blocks */
	size_t tail_n;
};

/* BEL BS TAB LF VT FF CR SO SI ESC are found in text, terminal sequences included. */
static bool is_odd_control(unsigned char c)
{
	return c < 7 || (c > 15 && c < 32 && c != 27) || c == 127;
}

static void end_line(struct reading *r)
{
	if (r->line > r->facts->longest)
		r->facts->longest = r->line;
	r->line = 0;
}

static void take_octet(struct reading *r, unsigned char c)
{
	if (c == '\r') {
		r->cr++;
		return;
	}
	if (c == '\n') {
		r->ends |= r->cr == 0 ? END_LF : r->cr == 1 ? END_CRLF : END_CR;
		r->cr = 0;
		end_line(r);
		return;
	}
	if (r->cr) {
		r->ends |= END_CR;
		r->cr = 0;
		end_line(r);
	}
	r->line++;
	r->facts->nul = r->facts->nul || c == 0;
	r->facts->control = r->facts->control || is_odd_control(c);
}

/* Is it UTF-8? A character may lie across two blocks. */
static void check_utf8(struct reading *r, const char *data, size_t n)
{
	while (r->tail_n && n && r->facts->utf8) {
		r->tail[r->tail_n++] = *data++;
		n--;
		if (text_utf8_char(r->tail, r->tail_n))
			r->tail_n = 0;
		else if (r->tail_n == sizeof(r->tail))
			r->facts->utf8 = false;
	}
	while (n && r->facts->utf8) {
		size_t len = text_utf8_char(data, n);

		if (!len && n < sizeof(r->tail)) {
			memcpy(r->tail, data, n);
			r->tail_n = n;
			return;
		}
		r->facts->utf8 = len > 0;
		data += len;
		n -= len;
	}
}

int text_facts_read(const struct spool *s, uint64_t offset, struct text_facts *out,
		    struct error *err)
{
	struct text_facts facts = { .utf8 = true };
	struct reading r = { .facts = &facts };
	char block[BLOCK];

	while (offset < spool_size(s)) {
		ssize_t n = spool_read(s, offset, block, sizeof(block), err);

		if (n < 0)
			return -1;
		offset += (uint64_t)n;
		facts.octets += (uint64_t)n;
		facts.escapes += mime_count_escapes(block, (size_t)n);
		facts.eight_bit = facts.eight_bit || scan_8bit(block, (size_t)n);
		check_utf8(&r, block, (size_t)n);
		for (ssize_t i = 0; i < n; i++)
			take_octet(&r, (unsigned char)block[i]);
	}
	end_line(&r);
	r.ends |= r.cr ? END_CR : 0U;
	facts.odd_ends = r.ends & END_CR || r.ends == (END_LF | END_CRLF);
	facts.utf8 = facts.utf8 && r.tail_n == 0;
	*out = facts;
	return 0;
}

static void line_ends(struct text_lines *l, size_t n, struct strbuf *out)
{
	while (n--)
		strbuf_add(out, "\r\n", 2);
	l->cr = 0;
}

void text_lines_push(struct text_lines *l, const char *data, size_t n, struct strbuf *out)
{
	const char *end = data + n;

	while (data < end) {
		if (*data == '\r') {
			if (++l->cr == CR_MAX)
				line_ends(l, CR_MAX, out);
			data++;
			continue;
		}
		if (*data == '\n') {
			line_ends(l, 1, out);
			data++;
			continue;
		}
		line_ends(l, l->cr, out);
		const char *p = data;

		while (p < end && *p != '\r' && *p != '\n')
			p++;
		strbuf_add(out, data, (size_t)(p - data));
		data = p;
	}
}

void text_lines_finish(struct text_lines *l, struct strbuf *out)
{
	line_ends(l, l->cr, out);
}

int text_has_word(const struct spool *s, const char *word, bool *out, struct error *err)
{
	const size_t len = strlen(word);
	char block[BLOCK + WORD_MAX_SEARCHED];
	size_t kept = 0;

	*out = false;
	for (uint64_t at = 0; !*out && at < spool_size(s);) {
		ssize_t n = spool_read(s, at, block + kept, BLOCK, err);

		if (n < 0)
			return -1;
		at += (uint64_t)n;
		size_t have = kept + (size_t)n;

		*out = memmem(block, have, word, len) != NULL;
		kept = have < len - 1 ? have : len - 1;
		memmove(block, block + have - kept, kept);
	}
	return 0;
}
