#include "config.h"
#include "message/address_lex.h"

#include <string.h>

#include "message/address.h"
#include "util/error.h"
#include "util/text.h"
#include "util/xalloc.h"

/* How much of a broken address an error text shows. */
#define SHOWN 60

#define NAME_COMMAS 3	/* "Doe, John, Jr., PhD <a@b>" */

int address_peek(const struct address_parser *p)
{
	return p->pos < p->len ? (unsigned char)p->text[p->pos] : -1;
}

int address_fail(struct address_parser *p, const char *why)
{
	char shown[4 * SHOWN + 8];
	size_t end = p->pos > p->item ? p->pos : p->item;
	const char *more = "";

	const char *stop = p->flags & ADDRESS_BLANKS ? ",;\r\n \t" : ",;\r\n";

	while (end < p->len && end - p->item <= SHOWN && !strchr(stop, p->text[end]))
		end++;
	while (end > p->item && text_is_wsp(p->text[end - 1]))
		end--;
	if (end - p->item > SHOWN) {
		more = "...";
		end = p->item + SHOWN;
		while (end > p->item && ((unsigned char)p->text[end] & 0xc0) == 0x80)
			end--;
	}
	text_escape(shown, sizeof(shown), p->text + p->item, end - p->item);
	return error_set(p->err, FAULT_ADDRESS_SYNTAX, "address '%s%s': %s", shown, more, why);
}

int address_fail_here(struct address_parser *p)
{
	static const struct { char c; const char *why; } reasons[] = {
		{ '@', "two '@'" },
		{ '<', "unbalanced '<'" },
		{ '>', "unbalanced '>'" },
		{ ')', "unbalanced ')'" },
		{ '[', "'[' outside a domain (a display name with it must be quoted)" },
		{ ']', "unbalanced ']'" },
		{ '\\', "backslash outside quotes" },
		{ ';', "';' outside a group" },
		{ ':', "unexpected ':'" },
	};
	int c = address_peek(p);

	if (c >= 0 && (c < 0x20 || c == 0x7f))
		return address_fail(p, "control character");
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (c == reasons[i].c)
			return address_fail(p, reasons[i].why);
	}
	return address_fail(p, "no comma in front of the next address");
}

/* FWS = [*WSP CRLF] 1*WSP */
size_t address_fold_len(const struct address_parser *p)
{
	const char *s = p->text + p->pos;
	size_t left = p->len - p->pos;

	if (left < 2 || s[0] != '\r' || s[1] != '\n')
		return 0;
	return left == 2 || text_is_wsp(s[2]) || s[2] == '\r' ? 2 : 0;
}

static size_t blank_len(const struct address_parser *p)
{
	int c = address_peek(p);

	if (text_is_wsp((char)c))
		return 1;
	if (c != '\r' && c != '\n')
		return 0;
	return p->flags & ADDRESS_BLANKS ? 1 : address_fold_len(p);
}

/*
 * Octets that belong together at pos inside a comment or quoted string:
 * text, quoted-pair, folding. 0: one that may not stand there. Controls are
 * let through as obsolete forms have them; an address refuses them later.
 */
static size_t inner_len(const struct address_parser *p)
{
	char c = p->text[p->pos];

	if (c == '\r' || c == '\n')
		return address_fold_len(p);
	if (c != '\\' || p->pos + 1 == p->len)
		return c != '\0';
	return memchr("\r\n", p->text[p->pos + 1], 3) ? 0 : 2;
}

size_t address_behind(struct address_parser *p, size_t i)
{
	const char open = p->text[i], close = open == '(' ? ')' : open;
	bool *never = open == '(' ? &p->open_comment : &p->open_quote;
	size_t depth = 0, at = i;

	if ((open != '"' && open != '(') || *never)
		return i + 1;
	do {
		if (p->text[at] == '\\' && at + 1 < p->len)
			at++;
		else if (p->text[at] == close && at > i)
			depth--;
		else if (p->text[at] == open)
			depth++;
		at++;
	} while (depth && at < p->len);
	*never = depth > 0;
	return depth ? i + 1 : at;
}

bool address_closes_group(struct address_parser *p)
{
	size_t i = p->pos + 1;

	if (p->semicolon <= p->pos) {
		for (; i < p->len && p->text[i] != ';'; i = address_behind(p, i))
			;
		p->semicolon = i;
	}
	if (p->semicolon < p->len)
		return true;
	for (i = p->pos + 1; i < p->len && text_is_fws(p->text[i]); i++)
		;
	return i == p->len;
}

/* comment = "(" *([FWS] (ctext / quoted-pair / comment)) [FWS] ")" */
static int comment(struct address_parser *p)
{
	size_t depth = 0;

	p->comment = p->pos + 1;
	if (p->open_comment)
		return address_fail(p, "unbalanced '('");
	do {
		size_t n = inner_len(p);

		if (n == 0)
			return address_fail(p, "control character");
		if (p->text[p->pos] == '(')
			depth++;
		else if (p->text[p->pos] == ')')
			depth--;
		p->pos += n;
	} while (depth && p->pos < p->len);
	p->open_comment = depth > 0;
	if (depth)
		return address_fail(p, "unbalanced '('");
	p->comment_end = p->pos - 1;
	return 0;
}

int address_skip_cfws(struct address_parser *p)
{
	if (p->pos != p->gap_end)
		p->gap_blank = false;
	for (;;) {
		size_t n = blank_len(p);

		if (n) {
			p->pos += n;
			p->gap_blank = true;
		} else if (address_peek(p) != '(') {
			break;
		} else if (comment(p) < 0) {
			return -1;
		}
	}
	p->gap_end = p->pos;
	return 0;
}

/* quoted-string = DQUOTE *([FWS] (qtext / quoted-pair)) [FWS] DQUOTE */
static int skip_quoted(struct address_parser *p)
{
	for (p->pos++; address_peek(p) != '"';) {
		p->open_quote = p->open_quote || p->pos == p->len;
		if (p->open_quote)
			return address_fail(p, "unbalanced '\"'");
		size_t n = inner_len(p);

		if (n == 0)
			return address_fail(p, "control character");
		p->pos += n;
	}
	p->pos++;
	return 0;
}

void address_skip_atom(struct address_parser *p)
{
	while (p->pos < p->len && address_char_atext((unsigned char)p->text[p->pos]))
		p->pos++;
}

int address_collect(struct address_parser *p)
{
	for (p->piece_n = 0;;) {
		size_t before = p->pos;

		if (address_skip_cfws(p) < 0)
			return -1;
		struct address_piece q = { .start = p->pos, .gap = p->pos != before,
				   .blank = p->gap_blank };
		int c = address_peek(p);

		if (c == '.') {
			q.kind = PIECE_DOT;
			p->pos++;
		} else if (c == '"') {
			q.kind = PIECE_QUOTED;
			if (skip_quoted(p) < 0)
				return -1;
		} else {
			address_skip_atom(p);
		}
		if (p->pos == q.start)
			return 0;
		q.end = p->pos;
		if (p->piece_n == p->piece_alloc) {
			p->piece_alloc = p->piece_alloc * 2 + 16;
			p->piece = xrealloc(p->piece, p->piece_alloc, sizeof(*p->piece));
		}
		p->piece[p->piece_n++] = q;
	}
}

bool address_ends_element(const struct address_parser *p, char c)
{
	return c == ',' || (c == ';' && (p->in_group || p->flags & (ADDRESS_BLANKS |
								    ADDRESS_SEMICOLONS)));
}

size_t address_find_angle(struct address_parser *p, size_t start)
{
	size_t angle = 0, word = 0;
	unsigned commas = 0;
	bool at = false;

	for (size_t i = start, next; i < p->len; i = next) {
		const char c = p->text[i];

		next = address_behind(p, i);
		p->pos = i;
		if (c == '\r' || c == '\n') {
			if (!address_fold_len(p))
				return 0;
			next = i + 2;
		} else if (c == '<') {
			if (!word)
				return 0;
			angle = i;
		} else if (address_ends_element(p, c)) {
			if (angle || at || c == ';' || ++commas > NAME_COMMAS)
				break;
			word = 0;
		} else if (c == '@' && !angle) {
			at = true;
		} else if (!text_is_fws(c)) {
			word = i + 1;
		}
	}
	/* "A <a@b><c@d>" are two addresses */
	return angle && memchr(p->text + start, '<', angle - start) &&
	       memchr(p->text + start, '@', angle - start) ? 0 : angle;
}
