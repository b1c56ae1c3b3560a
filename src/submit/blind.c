#include "config.h"
#include "submit/blind.h"

#include <stdbool.h>

#include "message/address.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strvec.h"

#define SHOWN_MAX 100000	/* addresses */

/* Addresses of the fields of recipients, blind ones or the others. */
static void list_fields(const struct message *m, bool blind, struct arena *scratch,
			struct strvec *out)
{
	for (size_t i = 0; i < m->header.n; i++) {
		const struct header_field *f = &m->header.field[i];
		const unsigned flags = header_flags(f->id);
		struct address_list list;
		struct error unreadable;

		if (!(flags & HEADER_RECIPIENT) || !(flags & HEADER_BLIND) == blind)
			continue;
		if (address_parse_list(scratch, f->text + f->value, f->len - f->value,
				       ADDRESS_SEMICOLONS, &list, &unreadable) < 0)
			continue;
		for (size_t k = 0; k < list.n; k++)
			strvec_add(out, list.box[k].address);
	}
}

void blind_list_shown(const struct message *m, struct arena *scratch, struct strvec *out)
{
	list_fields(m, false, scratch, out);
}

void blind_mark(struct envelope *e, const struct message *m)
{
	struct strvec shown = STRVEC_INIT(SHOWN_MAX), hidden = STRVEC_INIT(SHOWN_MAX);
	struct arena *scratch = arena_new();

	list_fields(m, false, scratch, &shown);
	list_fields(m, true, scratch, &hidden);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		struct recipient *r = &e->rcpt[i];
		const char *asked = r->original ? r->original : r->address;

		r->blind = !strvec_has(&shown, asked);
		r->bcc = r->blind && strvec_has(&hidden, asked);
	}
	strvec_release(&shown);
	strvec_release(&hidden);
	arena_free(scratch);
}
