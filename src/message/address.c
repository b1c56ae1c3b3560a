#include "config.h"
#include "message/address.h"

#include <ctype.h>
#include <string.h>

#include "message/address_lex.h"
#include "message/rfc2047.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

/*
 * RFC 5322, sections 3.4 and 4.4, as read here:
 *
 * address-list = [element] *("," [element])
 * element      = mailbox / group
 * group        = phrase ":" [mailbox] *("," [mailbox]) ";"
 * mailbox      = addr-spec / [phrase] "<" [route] addr-spec ">"
 * route        = "@" domain *("," ["@" domain]) ":"
 * addr-spec    = local-part ["@" domain]
 * local-part   = 1*(word / "."), two words never side by side
 * domain       = atom *("." atom) ["."] / domain-literal
 * phrase       = 1*(word / ".")
 * word         = atom / quoted-string
 *
 * with CFWS between all of them. What an element is shows only behind its
 * first words, so these are collected as pieces, and the octet that ends
 * them decides. Each octet is looked at a fixed number of times.
 */

/* Appends the octets [start, end) without escapes and line ends of folding. */
static void unquote(struct address_parser *p, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++) {
		if (p->text[i] == '\r' || p->text[i] == '\n')
			continue;
		if (p->text[i] == '\\' && i + 1 < end)
			i++;
		strbuf_addch(&p->word, p->text[i]);
	}
}

static void add_word(struct address_parser *p, const struct address_piece *q)
{
	if (q->kind == PIECE_QUOTED)
		unquote(p, q->start + 1, q->end - 1);
	else
		strbuf_add(&p->word, p->text + q->start, q->end - q->start);
}

/* The scratch as a string to be shown; controls become blanks; NULL if nothing is in it. */
static const char *take_shown(struct address_parser *p)
{
	char *s = p->word.buf, *out = s;

	for (size_t i = 0; i < p->word.len; i++) {
		bool blank = (unsigned char)s[i] <= ' ' || s[i] == 0x7f;

		if (!blank)
			*out++ = s[i];
		else if (out > s && out[-1] != ' ')
			*out++ = ' ';
	}
	while (out > s && out[-1] == ' ')
		out--;
	return out > s ? arena_strndup(p->arena, s, (size_t)(out - s)) : NULL;
}

static const char *phrase(struct address_parser *p)
{
	strbuf_reset(&p->word);
	for (size_t i = 0; i < p->piece_n; i++) {
		if (i > 0 && p->piece[i].gap)
			strbuf_addch(&p->word, ' ');
		add_word(p, &p->piece[i]);
	}
	return take_shown(p);
}

static void take_comment(struct address_parser *p, struct mailbox *box)
{
	if (!p->comment_end)
		return;
	strbuf_reset(&p->word);
	unquote(p, p->comment, p->comment_end);
	box->comment = take_shown(p);
	box->comment_start = p->comment - 1;
	box->comment_end = p->comment_end + 1;
	p->comment_end = 0;
}

/*
 * The end of the local part that begins with piece i: before the first word
 * that follows a word. 0 after failure: something follows that only white
 * space and ADDRESS_BLANKS could make an address of its own.
 */
static size_t atoms_end(struct address_parser *p, size_t i)
{
	for (i++; i < p->piece_n; i++) {
		if (p->piece[i].kind != PIECE_DOT && p->piece[i - 1].kind != PIECE_DOT)
			break;
	}
	if (i == p->piece_n)
		return i;
	if (p->piece[i].blank && p->flags & (ADDRESS_BLANKS | ADDRESS_ROUTE_WORDS))
		return i;
	if (p->piece[i].gap)
		address_fail(p, "blank in the local part (quote it, or put a comma in between)");
	else
		address_fail(p, "text next to a quoted string");
	return 0;
}

/* Dots may stand anywhere: such mailboxes exist, and are quoted on the wire. */
static const char *local_fault(const struct address_parser *p, size_t from, size_t to)
{
	const struct address_piece *q = p->piece;

	while (from < to && q[from].kind == PIECE_DOT)
		from++;
	if (from == to)
		return "nothing but dots";
	if (p->word.len == 0)
		return "empty local part";
	if (text_has_control(p->word.buf, p->word.len))
		return "control character";
	if (!text_is_utf8(p->word.buf, p->word.len))
		return "invalid UTF-8";
	return p->word.len > ADDRESS_MAX ? "longer than 1000 octets" : NULL;
}

/* The pieces [from, to) are the local part of box. */
static int local_part(struct address_parser *p, size_t from, size_t to, struct mailbox *box)
{
	strbuf_reset(&p->word);
	for (size_t i = from; i < to; i++)
		add_word(p, &p->piece[i]);
	const char *why = local_fault(p, from, to);

	if (why)
		return address_fail(p, why);
	box->local = arena_strndup(p->arena, p->word.buf, p->word.len);
	box->start = p->piece[from].start;
	box->end = box->local_end = p->piece[to - 1].end;
	return 0;
}

/* domain-literal = "[" *([FWS] dtext) [FWS] "]"; the white space means nothing. */
static int domain_literal(struct address_parser *p)
{
	while (address_peek(p) != ']') {
		int c = address_peek(p);
		size_t fold = address_fold_len(p);

		if (c < 0)
			return address_fail(p, "unbalanced '['");
		bool blank = fold || c == ' ' || c == '\t';

		if (!blank && (c < 0x20 || c == 0x7f))
			return address_fail(p, "control character");
		if (!blank)
			strbuf_addch(&p->word, (char)c);
		p->pos += fold ? fold : 1;
	}
	strbuf_addch(&p->word, ']');
	p->pos++;
	if (!address_domain_valid(p->word.buf))
		return address_fail(p, "no address literal ([192.0.2.1] or [IPv6:2001:db8::1])");
	return 0;
}

/* One atom of a domain. Underscores are passed on: hosts have them, the server judges. */
static int domain_label(struct address_parser *p)
{
	size_t start = p->pos;

	address_skip_atom(p);
	if (p->pos == start && address_peek(p) == '@')
		return address_fail_here(p);
	if (p->pos == start)
		return address_fail(p, "empty domain or label");
	for (size_t i = start; i < p->pos; i++) {
		unsigned char c = (unsigned char)p->text[i];

		if (!isalnum(c) && c < 0x80 && c != '-' && c != '_')
			return address_fail(p, "character in the domain that no domain has");
	}
	strbuf_add(&p->word, p->text + start, p->pos - start);
	return 0;
}

/* Is the dot that was just read the last octet of the domain? */
static bool dot_is_last(const struct address_parser *p)
{
	int c = address_peek(p);

	if (p->gap_end == p->pos && p->gap_blank && p->flags & ADDRESS_BLANKS)
		return true;
	return c != '.' && c != '@' && (c < 0 || !address_char_atext((unsigned char)c));
}

/* Leaves the domain in the scratch, *end behind it in the text, and reads CFWS behind it. */
static int domain(struct address_parser *p, size_t *end)
{
	strbuf_reset(&p->word);
	if (address_skip_cfws(p) < 0)
		return -1;
	if (address_peek(p) == '[') {
		if (domain_literal(p) < 0)
			return -1;
		*end = p->pos;
		return address_skip_cfws(p);
	}
	for (;;) {
		if (domain_label(p) < 0)
			return -1;
		*end = p->pos;
		if (address_skip_cfws(p) < 0)
			return -1;
		if (address_peek(p) != '.')
			break;
		size_t dot = ++p->pos;

		if (address_skip_cfws(p) < 0)
			return -1;
		if (dot_is_last(p)) {
			*end = dot;
			break;
		}
		strbuf_addch(&p->word, '.');
	}
	if (!text_is_utf8(p->word.buf, p->word.len))
		return address_fail(p, "invalid UTF-8");
	return p->word.len > ADDRESS_MAX ? address_fail(p, "longer than 1000 octets") : 0;
}

/* Reads "@" domain if there is one. */
static int at_domain(struct address_parser *p, struct mailbox *box)
{
	if (address_peek(p) != '@')
		return 0;
	p->pos++;
	if (domain(p, &box->end) < 0)
		return -1;
	box->domain = arena_strndup(p->arena, p->word.buf, p->word.len);
	return 0;
}

static int add_box(struct address_parser *p, struct mailbox *box)
{
	if (!box->address) {
		box->address = address_format(p->arena, box->local, box->domain);
		if (strlen(box->address) > ADDRESS_MAX)
			return address_fail(p, "longer than 1000 octets");
	}
	take_comment(p, box);
	p->box = arena_grow(p->arena, p->box, p->box_n, &p->box_alloc, sizeof(*p->box));
	p->box[p->box_n++] = *box;
	p->ready = false;
	return 0;
}

static bool stopped(const struct address_parser *p)
{
	return p->box_n && p->flags & ADDRESS_ROUTE_WORDS;
}

/*
 * A local part that no domain follows: an address in quotes, "a@b", is meant
 * to be that address, and an encoded word names nobody.
 */
static int without_domain(struct address_parser *p, struct mailbox *box)
{
	struct mailbox inner;
	const size_t len = strlen(box->local);

	if (box->domain || p->flags & ADDRESS_ROUTE_WORDS)
		return 0;
	if (rfc2047_is_word(box->local, len))
		return address_fail(p, "an encoded word is no address");
	if (!memchr(box->local, '@', len) || p->text[box->start] != '"')
		return 0;
	if (address_parse_one(p->arena, box->local, 0, &inner, NULL) < 0 || inner.angle ||
	    !inner.domain)
		return address_fail(p, "a quoted text is no address");
	box->local = inner.local;
	box->domain = inner.domain;
	box->odd_address = true;
	return 0;
}

/* obs-route = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) ":" */
static int route(struct address_parser *p)
{
	size_t end;
	bool any = false;

	for (int c = address_peek(p); c == '@' || c == ','; c = address_peek(p)) {
		p->pos++;
		if ((c == '@' ? domain(p, &end) : address_skip_cfws(p)) < 0)
			return -1;
		any = true;
	}
	if (!any)
		return 0;
	if (address_peek(p) != ':')
		return address_fail(p, address_peek(p) == '>' ? "empty local part"
							      : "route without ':'");
	p->pos++;
	return 0;
}

static int addr_spec(struct address_parser *p, struct mailbox *box)
{
	if (address_collect(p) < 0)
		return -1;
	if (p->piece_n == 0 && address_peek(p) == '@')
		return address_fail(p, "empty local part");
	if (p->piece_n == 0 && address_peek(p) == '>')
		return address_fail(p, "empty address");
	if (p->piece_n == 0 && address_peek(p) < 0)
		return address_fail(p, "unbalanced '<'");
	if (p->piece_n == 0)
		return address_fail_here(p);
	size_t end = atoms_end(p, 0);

	if (end == 0)
		return -1;
	if (end < p->piece_n)
		return address_fail(p, "blank in the local part (quote it)");
	if (local_part(p, 0, p->piece_n, box) < 0 || at_domain(p, box) < 0)
		return -1;
	return without_domain(p, box);
}

/* The display name that stands at [start, end), or NULL; the cursor is at '<'. */
static int angle_addr(struct address_parser *p, const char *name, size_t start, size_t end)
{
	struct mailbox box = { .name = name, .angle = true, .name_start = start,
			       .name_end = end };

	p->pos++;
	if (address_skip_cfws(p) < 0)
		return -1;
	if (address_peek(p) == '>' && p->flags & ADDRESS_NULL) {
		box.local = box.address = "";
		box.start = box.end = box.local_end = p->pos;
	} else if (route(p) < 0 || addr_spec(p, &box) < 0) {
		return -1;
	}
	int c = address_peek(p);

	if (c < 0 || c == ',' || c == ';')
		return address_fail(p, "unbalanced '<'");
	if (c != '>')
		return address_fail_here(p);
	p->pos++;
	if (!(p->flags & ADDRESS_ROUTE_WORDS) && address_skip_cfws(p) < 0)
		return -1;
	return add_box(p, &box);
}

static int group_start(struct address_parser *p)
{
	if (p->in_group)
		return address_fail(p, "group inside a group");
	if (p->piece_n == 0)
		return address_fail(p, "group without a name");
	if (!address_closes_group(p))
		return address_fail(p, "group without ';'");
	p->in_group = p->had_group = p->ready = true;
	p->group = p->item;
	p->group_first = p->box_n;
	p->comment_end = 0;
	p->pos++;
	return 0;
}

/* Local parts without domain: one, or with ADDRESS_BLANKS all up to piece to. */
static int bare_words(struct address_parser *p, size_t to)
{
	for (size_t i = 0, end; i < to && !stopped(p); i = end) {
		struct mailbox box = { 0 };

		p->item = p->piece[i].start;
		end = atoms_end(p, i);
		if (end == 0 || local_part(p, i, end, &box) < 0 ||
		    without_domain(p, &box) < 0 || add_box(p, &box) < 0)
			return -1;
	}
	return 0;
}

/*
 * What looked like an address up to the '@' at "at" and is none, in front of
 * a '<': "'a@b' <a@b>", as Outlook writes names. It is a display name that
 * should have been quoted; a blank within it would leave that open, and so
 * does the end of an encoded word, whose beginning a comma has cut off.
 */
static bool is_unquoted_name(struct address_parser *p, size_t at)
{
	size_t i = at;

	while (i < p->len && !strchr(" \t\r\n,;:<>\"()", p->text[i]))
		i++;
	const size_t end = i;
	const bool encoded = end - at >= 2 && memcmp(p->text + end - 2, "?=", 2) == 0;

	while (i < p->len && text_is_fws(p->text[i]))
		i++;
	if (encoded || i == p->len || p->text[i] != '<' || p->flags & ADDRESS_ROUTE_WORDS)
		return false;
	strbuf_reset(&p->word);
	strbuf_add(&p->word, p->text + p->item, end - p->item);
	p->pos = i;
	return true;
}

/* "@" domain behind box, or a name in front of '<': *name_out then. */
static int domain_or_name(struct address_parser *p, struct mailbox *box, const char **name_out)
{
	struct error *err = p->err, why;
	size_t at = p->pos;

	p->err = &why;
	int rc = at_domain(p, box);

	p->err = err;
	if (rc == 0)
		return 0;
	if (!is_unquoted_name(p, at)) {
		if (err)
			*err = why;
		return -1;
	}
	*name_out = take_shown(p);
	return 0;
}

static int bare_address(struct address_parser *p)
{
	struct mailbox box = { 0 };
	const char *name = NULL;
	size_t last = 0;

	if (p->piece_n == 0)
		return address_fail(p, "empty local part");
	for (size_t end = 0; end < p->piece_n;) {
		last = end;
		end = atoms_end(p, end);
		if (end == 0)
			return -1;
	}
	if (bare_words(p, last) < 0)
		return -1;
	if (stopped(p))
		return 0;
	p->item = p->piece[last].start;
	if (local_part(p, last, p->piece_n, &box) < 0 || domain_or_name(p, &box, &name) < 0)
		return -1;
	size_t end = p->pos;	/* of the name: where the white space in front of '<' begins */

	while (name && text_is_fws(p->text[end - 1]))
		end--;
	if (name)
		return angle_addr(p, name, p->item, end);
	if (address_peek(p) != '<')
		return add_box(p, &box);
	/* "a@b <a@b>": a display name that should have been quoted */
	return angle_addr(p, address_format(p->arena, box.local, box.domain), box.start, box.end);
}

static int element(struct address_parser *p)
{
	p->item = p->pos;
	if (address_collect(p) < 0)
		return -1;
	int c = address_peek(p);

	if (p->piece_n == 0 && c != '<' && c != '@' && c != ':')
		return address_fail_here(p);
	switch (c) {
	case '<':
		if (p->piece_n == 0)
			return angle_addr(p, NULL, p->pos, p->pos);
		return angle_addr(p, phrase(p), p->piece[0].start, p->piece[p->piece_n - 1].end);
	case ':':
		return group_start(p);
	case '@':
		return bare_address(p);
	case ',':
	case ';':
	case -1:
		return bare_words(p, p->piece_n);
	default:
		return address_fail_here(p);
	}
}

/* --- names that are no phrases ----------------------------------------------------- */

/* What stands there, as a name: without the signs that quote. */
static const char *odd_name(struct address_parser *p, size_t start, size_t end)
{
	strbuf_reset(&p->word);
	for (size_t i = start; i < end; i++) {
		if (!strchr("\"\\", p->text[i]) || !p->text[i])
			strbuf_addch(&p->word, p->text[i]);
	}
	return take_shown(p);
}

/* Reads the element at start as NAME <address>; -1 without a text if it is none. */
static int named_address(struct address_parser *p, size_t start)
{
	const size_t boxes = p->box_n, angle = address_find_angle(p, start);
	size_t end = angle;

	/* a line that an injected line end has begun is nobody's name */
	if (!angle || (p->flags & ADDRESS_BLANKS && start && strchr("\r\n", p->text[start - 1])))
		return -1;
	while (text_is_fws(p->text[end - 1]))
		end--;
	p->pos = angle;
	p->comment_end = 0;
	if (angle_addr(p, odd_name(p, start, end), start, end) < 0)
		return -1;
	const int c = address_peek(p);

	if (c >= 0 && !address_ends_element(p, (char)c) &&
	    !(p->flags & ADDRESS_BLANKS && p->gap_blank)) {
		p->box_n = boxes;
		return -1;
	}
	p->box[boxes].odd_name = p->box[boxes].name != NULL;
	return 0;
}

/* Is the element, a local part alone, rather the beginning of a name with a comma in it? */
static bool begins_name(const struct address_parser *p, size_t boxes)
{
	if (p->box_n == boxes || address_peek(p) != ',' || p->flags & ADDRESS_ROUTE_WORDS)
		return false;
	const struct mailbox *box = &p->box[boxes];

	if (box->domain || box->angle)
		return false;
	return strncmp(box->local, "=?", 2) == 0 || !text_is_ascii(box->local, strlen(box->local));
}

/* An element, and what must follow it where blanks do not separate. */
static int whole_element(struct address_parser *p)
{
	if (element(p) < 0)
		return -1;
	const int c = address_peek(p);

	if (p->ready || c < 0 || c == ',' || c == ';' || p->flags & ADDRESS_ROUTE_WORDS ||
	    (p->flags & ADDRESS_BLANKS && p->gap_blank))
		return 0;
	p->box_n--;		/* what stands there belongs to it */
	return address_fail_here(p);
}

/*
 * An element by the grammar, else as NAME <address>. Where it is neither, what
 * stood in front of it and blanks separate stays: "root bad@@x".
 */
static int any_element(struct address_parser *p)
{
	struct error *err = p->err, why = { 0 };
	const size_t start = p->pos, boxes = p->box_n;

	p->err = &why;
	int rc = whole_element(p);
	const size_t end = p->pos, n = p->box_n - boxes, item = p->item;
	const bool name = rc == 0 && begins_name(p, boxes);
	struct mailbox *found = NULL;

	p->err = NULL;
	if ((rc < 0 || name) && !(p->flags & ADDRESS_ROUTE_WORDS)) {
		found = arena_alloc(p->arena, (n + 1) * sizeof(*found));
		if (n)
			memcpy(found, p->box + boxes, n * sizeof(*found));
		p->box_n = boxes;
		if (named_address(p, start) == 0) {
			rc = 0;
		} else {
			if (n)
				memcpy(p->box + boxes, found, n * sizeof(*found));
			p->box_n = boxes + n;
			p->pos = end;
			p->item = item;
			p->ready = false;
		}
	}
	p->err = err;
	if (rc < 0 && err)
		*err = why;
	return rc;
}

/* --- the list ------------------------------------------------------------------------ */

/* CFWS between elements; a bracket that nothing closes may begin a name. */
static int skip_between(struct address_parser *p)
{
	struct error *err = p->err, why;

	p->err = &why;
	int rc = address_skip_cfws(p);

	p->err = err;
	if (rc < 0 && p->ready && p->open_comment && !(p->flags & ADDRESS_ROUTE_WORDS)) {
		p->pos = p->comment - 1;
		rc = 0;
	}
	if (rc < 0 && err)
		*err = why;
	return rc;
}

/* Reads what may stand between two elements; p->ready tells if that was enough. */
static int skip_separators(struct address_parser *p)
{
	const bool semicolons = p->flags & (ADDRESS_BLANKS | ADDRESS_SEMICOLONS);

	for (;; p->pos++) {
		if (skip_between(p) < 0)
			return -1;
		if (p->flags & ADDRESS_BLANKS && p->gap_blank)
			p->ready = true;
		int c = address_peek(p);

		p->item = p->pos;
		if (c == ';' && p->in_group) {
			p->in_group = false;
			p->ready = semicolons;
		} else if (c == ',' || (c == ';' && semicolons)) {
			p->ready = true;
		} else {
			return 0;
		}
		p->comment_end = 0;
	}
}

/* An element with what stands in front of it; 1 at the end of the list. */
static int next_element(struct address_parser *p)
{
	const size_t item = p->item;

	if (skip_separators(p) < 0)
		return -1;
	if (p->pos == p->len)
		return 1;
	if (!p->ready) {
		p->item = item;
		return address_fail_here(p);
	}
	return any_element(p);
}

/* The end of the word at i: what separates elements, or where blanks do, a blank. */
static size_t word_end(struct address_parser *p, size_t i)
{
	while (i < p->len && !address_ends_element(p, p->text[i]) &&
	       !(p->flags & ADDRESS_BLANKS && text_is_fws(p->text[i])))
		i = address_behind(p, i);
	return i;
}

/*
 * Is the word [from, to) an address by itself, whatever went wrong in front
 * of it? Not in a line that begins as a field or a command, "Bcc: a@b".
 */
static bool stands_alone(const struct address_parser *p, size_t from, size_t to)
{
	if (memchr(p->text + p->item, ':', from - p->item))
		return false;
	for (size_t i = from; i < to; i++) {
		if (strchr("<>()[]:\"\\", p->text[i]))	/* NUL, too */
			return false;
	}
	return memchr(p->text + from, '@', to - from) != NULL;
}

/*
 * Leaves out the element that could not be read, and all up to what separates
 * it from the next one. A blank does so only in front of a bare address: the
 * rest of a broken name is nobody.
 */
static void leave_out(struct address_parser *p, const char *why)
{
	size_t i = word_end(p, p->item), next = i, end;

	while (next < p->len && text_is_fws(p->text[next])) {
		while (next < p->len && text_is_fws(p->text[next]))
			next++;
		end = word_end(p, next);
		if (stands_alone(p, next, end))
			break;
		i = next = end;
	}
	char shown[256];

	text_escape(shown, sizeof(shown), p->text + p->item, i - p->item < 60 ? i - p->item : 60);
	p->bad = arena_grow(p->arena, p->bad, p->bad_n, &p->bad_alloc, sizeof(*p->bad));
	p->bad[p->bad_n++] = (struct address_fault){ .text = arena_strdup(p->arena, shown),
						     .why = arena_strdup(p->arena, why) };
	p->pos = i;
	p->ready = false;
	p->comment_end = 0;
}

static int list(struct address_parser *p)
{
	struct error *err = p->err, why;
	const bool rest = p->flags & ADDRESS_REST;
	int rc = 0;

	p->ready = true;
	while (rc == 0 && !stopped(p)) {
		const size_t boxes = p->box_n;

		p->err = rest ? &why : err;
		rc = next_element(p);
		p->err = err;
		if (rc < 0 && rest) {
			if (!(p->flags & ADDRESS_BLANKS))
				p->box_n = boxes;
			leave_out(p, why.text);
			rc = 0;
		}
	}
	if (rc < 0)
		return -1;
	if (p->in_group && p->box_n > p->group_first && !stopped(p) && !rest) {
		p->item = p->group;
		return address_fail(p, "group without ';'");
	}
	return 0;
}

int address_parse_list(struct arena *a, const char *text, size_t len, unsigned flags,
		       struct address_list *out, struct error *err)
{
	struct address_parser p = { .arena = a, .err = err, .text = text, .len = len,
				    .flags = flags, .word = STRBUF_INIT(len + 2) };
	int rc = list(&p);

	if (rc == 0)
		*out = (struct address_list){ .box = p.box, .n = p.box_n,
					      .had_group = p.had_group,
					      .bad = p.bad, .bad_n = p.bad_n };
	strbuf_release(&p.word);
	xfree(p.piece);
	return rc;
}

int address_parse_one(struct arena *a, const char *text, unsigned flags, struct mailbox *out,
		      struct error *err)
{
	size_t len = strlen(text);
	struct address_parser p = { .err = err, .text = text, .len = len };
	struct address_list found;

	if (len == 0 && flags & ADDRESS_NULL) {
		*out = (struct mailbox){ .local = "", .address = "" };
		return 0;
	}
	if (address_parse_list(a, text, len, flags, &found, err) < 0)
		return -1;
	if (found.had_group)
		return address_fail(&p, "a group where one address is wanted");
	if (found.n != 1)
		return address_fail(&p, found.n ? "more than one address" : "no address");
	*out = found.box[0];
	return 0;
}
