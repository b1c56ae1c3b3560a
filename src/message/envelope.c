#include "config.h"
#include "message/envelope.h"

#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "message/message.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/text.h"

#define LINEAR 16		/* so many recipients are searched one by one */
#define DESCRIBE_MAX 60		/* octets of a field that are shown */

/* Their numbers. An envelope copied by value does not take the index of the other for its own. */
struct envelope_index {
	const struct envelope *owner;
	struct strmap map;
	size_t n;		/* recipients that are in it */
};

void envelope_init(struct envelope *e, struct arena *a)
{
	*e = (struct envelope){ .arena = a, .sender = "" };
}

/* The index with all recipients in it. */
static const struct strmap *index_of(struct envelope *e)
{
	struct envelope_index *x = e->index;

	if (!x || x->owner != e || x->n > e->rcpt_count) {
		x = arena_alloc(e->arena, sizeof(*x));
		x->owner = e;
		x->map.arena = e->arena;
		e->index = x;
	}
	for (; x->n < e->rcpt_count; x->n++)
		(void)strmap_add(&x->map, e->rcpt[x->n].address, x->n);
	return &x->map;
}

size_t envelope_place(struct envelope *e, const char *address)
{
	size_t i = 0;

	if (e->rcpt_count > LINEAR)
		return strmap_find(index_of(e), address, &i) ? i : e->rcpt_count;
	while (i < e->rcpt_count && !address_equal(e->rcpt[i].address, address))
		i++;
	return i;
}

bool envelope_add(struct envelope *e, const char *address, const char *orcpt)
{
	const size_t same = envelope_place(e, address);

	if (same < e->rcpt_count) {
		e->rcpt[same].repeated++;
		return false;
	}
	e->rcpt = arena_grow(e->arena, e->rcpt, e->rcpt_count, &e->rcpt_alloc, sizeof(*e->rcpt));
	e->rcpt[e->rcpt_count++] = (struct recipient){
		.address = arena_strdup(e->arena, address),
		.orcpt = orcpt ? arena_strdup(e->arena, orcpt) : NULL,
	};
	return true;
}

bool envelope_add_as(struct envelope *e, const char *address, const char *orcpt,
		     const struct recipient *like)
{
	struct recipient r = *like;

	if (!envelope_add(e, address, r.orcpt ? r.orcpt : orcpt))
		return false;
	r.address = e->rcpt[e->rcpt_count - 1].address;
	r.orcpt = e->rcpt[e->rcpt_count - 1].orcpt;
	e->rcpt[e->rcpt_count - 1] = r;
	return true;
}

struct envelope envelope_take_recipients(struct envelope *e)
{
	struct envelope old = *e;

	e->rcpt = NULL;
	e->rcpt_count = e->rcpt_alloc = 0;
	e->index = NULL;
	return old;
}

void envelope_repeat(struct envelope *e)
{
	const struct envelope old = envelope_take_recipients(e);

	for (size_t i = 0; i < old.rcpt_count; i++) {
		for (unsigned n = 0; n <= old.rcpt[i].repeated; n++) {
			e->rcpt = arena_grow(e->arena, e->rcpt, e->rcpt_count, &e->rcpt_alloc,
					     sizeof(*e->rcpt));
			e->rcpt[e->rcpt_count++] = old.rcpt[i];
		}
	}
}

static void add_list(struct envelope *e, const struct address_list *list, enum rcpt_source source)
{
	for (size_t i = 0; i < list->n; i++) {
		if (envelope_add(e, list->box[i].address, NULL))
			e->rcpt[e->rcpt_count - 1].source = source;
	}
}

void envelope_set_aside(struct envelope *e, const char *address, const struct error *why)
{
	struct error *kept = arena_alloc(e->arena, sizeof(*kept));

	*kept = *why;
	e->unsendable = arena_grow(e->arena, e->unsendable, e->unsendable_n, &e->unsendable_alloc,
				   sizeof(*e->unsendable));
	e->unsendable[e->unsendable_n++] = (struct unsendable){ address, kept };
}

void envelope_warn(struct envelope *e, const char *text)
{
	e->warning = arena_grow(e->arena, e->warning, e->warning_n, &e->warning_alloc,
				sizeof(*e->warning));
	e->warning[e->warning_n++] = arena_strdup(e->arena, text);
}

int envelope_nobody(const struct envelope *e, struct error *err)
{
	const struct error *first = e->unsendable[0].why;

	for (size_t i = 0; i < e->unsendable_n && first->exit != EX_NOUSER; i++) {
		if (e->unsendable[i].why->exit == EX_NOUSER)
			first = e->unsendable[i].why;
	}
	if (err)
		*err = *first;
	for (size_t i = 0; i < e->unsendable_n; i++) {
		if (e->unsendable[i].why != first)
			error_append(err, "; %s", e->unsendable[i].why->text);
	}
	return -1;
}

void envelope_add_words(struct envelope *e, const char *const *words, size_t n,
			const char *option)
{
	struct address_list list;
	struct error why;

	for (size_t i = 0; i < n; i++) {
		if (address_parse_list(e->arena, words[i], strlen(words[i]),
				       ADDRESS_BLANKS | ADDRESS_REST, &list, NULL) < 0)
			continue;	/* never with ADDRESS_REST */
		add_list(e, &list, RCPT_SOURCE_ARGUMENT);
		for (size_t k = 0; k < list.bad_n; k++) {
			error_set_status(&why, FAULT_USAGE, "5.1.3", "%s%s%s", option ? option : "",
					 option ? ": " : "", list.bad[k].why);
			envelope_set_aside(e, list.bad[k].text, &why);
		}
	}
}

static const char *complete(struct arena *a, const char *address, const char *domain)
{
	if (!domain || address_domain(address))
		return address;
	return arena_printf(a, "%s@%s", address, domain);
}

void envelope_exclude(struct envelope *e, const struct envelope *others, const char *domain)
{
	struct envelope whole;
	size_t kept = 0;

	envelope_init(&whole, e->arena);
	for (size_t i = 0; i < others->rcpt_count; i++)
		envelope_add(&whole, complete(e->arena, others->rcpt[i].address, domain), NULL);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (envelope_place(&whole, complete(e->arena, e->rcpt[i].address, domain)) ==
		    whole.rcpt_count)
			e->rcpt[kept++] = e->rcpt[i];
	}
	e->rcpt_count = kept;
	e->index = NULL;	/* it knows the old places */
}

static bool is_resent_recipient(const struct header_field *field)
{
	unsigned wanted = HEADER_RESENT | HEADER_RECIPIENT;

	return (header_flags(field->id) & wanted) == wanted;
}

/* Fields that a block has once: a second one begins the next block. */
static unsigned mark_of(enum header_id id)
{
	return id == HEADER_RESENT_FROM || id == HEADER_RESENT_DATE ||
	       id == HEADER_RESENT_MESSAGE_ID ? 1U << id : 0;
}

/* The end of the Resent block that begins at field i (RFC 5322, section 3.6.6). */
static size_t block_end(const struct header *h, size_t i)
{
	unsigned seen = 0;

	for (; i < h->n && strncasecmp(h->field[i].text, "Resent-", 7) == 0; i++) {
		unsigned mark = mark_of(h->field[i].id);

		if (seen & mark)
			break;
		seen |= mark;
	}
	return i;
}

/* The topmost Resent block that names a recipient: [*first, *end); false if there is none. */
static bool find_block(const struct header *h, size_t *first, size_t *end)
{
	for (size_t i = 0; i < h->n; i = *end > i ? *end : i + 1) {
		*first = i;
		*end = block_end(h, i);
		for (size_t k = i; k < *end; k++)
			if (is_resent_recipient(&h->field[k]))
				return true;
	}
	return false;
}

static enum rcpt_source source_of(enum header_id id)
{
	if (header_flags(id) & HEADER_BLIND)
		return RCPT_SOURCE_BCC;
	return id == HEADER_TO || id == HEADER_RESENT_TO ? RCPT_SOURCE_TO : RCPT_SOURCE_CC;
}

/* Reads a field; what is no address is a recipient that gets nothing. */
static void parse_field(struct envelope *e, const struct header_field *field)
{
	const char *value = header_value(e->arena, field);
	struct address_list list;

	if (address_parse_list(e->arena, value, strlen(value), ADDRESS_SEMICOLONS | ADDRESS_REST,
			       &list, NULL) < 0)
		return;		/* never with ADDRESS_REST */
	add_list(e, &list, source_of(field->id));
	for (size_t i = 0; i < list.bad_n; i++) {
		struct error why;

		error_set(&why, FAULT_ADDRESS_SYNTAX, "header field '%s': %s",
			  header_name(field->id), list.bad[i].why);
		envelope_set_aside(e, list.bad[i].text, &why);
	}
}

const char *envelope_source_name(enum rcpt_source source)
{
	static const char *const names[] = {
		[RCPT_SOURCE_ARGUMENT] = "argument", [RCPT_SOURCE_OPTION] = "option",
		[RCPT_SOURCE_TO] = "To", [RCPT_SOURCE_CC] = "Cc", [RCPT_SOURCE_BCC] = "Bcc",
		[RCPT_SOURCE_ADDED] = "setting",
	};

	return names[source];
}

int envelope_add_header(struct envelope *e, const struct message *m, struct error *err)
{
	const struct header *h = &m->header;
	size_t first = 0, end = h->n;
	bool resent = find_block(h, &first, &end);

	if (!resent) {
		first = 0;
		end = h->n;
	}
	for (size_t i = first; i < end; i++) {
		unsigned flags = header_flags(h->field[i].id);

		if ((flags & HEADER_RECIPIENT) && resent == !!(flags & HEADER_RESENT))
			parse_field(e, &h->field[i]);
	}
	return e->rcpt_count == 0 && e->unsendable_n ? envelope_nobody(e, err) : 0;
}

/* "To: value", shortened and escaped; "no To" if the header has none. */
static void describe(struct envelope *e, const struct header *h, enum header_id id,
		     struct strbuf *out)
{
	const struct header_field *field = header_find(h, id);

	if (!field) {
		strbuf_addf(out, "no %s", header_name(id));
		return;
	}
	const char *value = header_value(e->arena, field);
	size_t len = strlen(value), shown = len < DESCRIBE_MAX ? len : DESCRIBE_MAX;

	while (shown < len && shown && ((unsigned char)value[shown] & 0xc0) == 0x80)
		shown--;	/* not within a character */
	strbuf_addf(out, "%s: ", header_name(id));
	text_escape_add(out, value, shown);
	if (shown < len)
		strbuf_addstr(out, "...");
}

const char *envelope_describe_header(struct envelope *e, const struct message *m)
{
	struct strbuf out = STRBUF_INIT(4096);

	for (enum header_id id = HEADER_TO; id <= HEADER_BCC; id++) {
		strbuf_addstr(&out, id == HEADER_TO ? "" : ", ");
		describe(e, &m->header, id, &out);
	}
	return arena_take(e->arena, &out);
}
