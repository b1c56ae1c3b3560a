#include "config.h"
#include "prepare/blind.h"

#include <stdbool.h>

#include "message/address.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strmap.h"

/* Addresses of the fields of recipients, blind ones or the others. */
static void list_fields(const struct message *m, bool blind, struct arena *a, struct strmap *out)
{
	for (size_t i = 0; i < m->header.n; i++) {
		const struct header_field *f = &m->header.field[i];
		const unsigned flags = header_flags(f->id);
		struct address_list list;
		struct error unreadable;

		if (!(flags & HEADER_RECIPIENT) || !(flags & HEADER_BLIND) == blind)
			continue;
		if (address_parse_list(a, f->text + f->value, f->len - f->value,
				       ADDRESS_SEMICOLONS, &list, &unreadable) < 0)
			continue;
		for (size_t k = 0; k < list.n; k++)
			(void)strmap_add(out, list.box[k].address, 0);
	}
}

void blind_list_shown(const struct message *m, struct arena *a, struct strmap *out)
{
	list_fields(m, false, a, out);
}

void blind_mark(struct envelope *e, const struct message *m)
{
	struct strmap shown = { .n = 0 }, hidden = { .n = 0 };
	struct arena *scratch = arena_new();

	list_fields(m, false, scratch, &shown);
	list_fields(m, true, scratch, &hidden);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		struct recipient *r = &e->rcpt[i];
		const char *asked = r->original ? r->original : r->address;

		r->blind = !strmap_find(&shown, asked, NULL);
		r->bcc = r->blind && strmap_find(&hidden, asked, NULL);
	}
	strmap_release(&shown);
	strmap_release(&hidden);
	arena_free(scratch);
}
