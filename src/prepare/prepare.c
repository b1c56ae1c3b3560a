#include "config.h"
#include "prepare/prepare.h"

#include <string.h>

#include "message/envelope.h"
#include "message/idna.h"
#include "prepare/recipients.h"
#include "prepare/redirect.h"
#include "util/error.h"
#include "util/text.h"

/* Domains in ASCII form; a local part beyond ASCII needs SMTPUTF8. */
static int internationalise(struct envelope *e, const char **address, struct error *err)
{
	size_t len = strlen(*address);

	if (text_is_ascii(*address, len))
		return 0;
	if (idna_address(e->arena, *address, address, err) < 0)
		return -1;
	if (!text_is_ascii(*address, strlen(*address)))
		e->utf8 = true;
	return 0;
}

static bool all_ascii(const struct envelope *e)
{
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!text_is_ascii(e->rcpt[i].address, strlen(e->rcpt[i].address)))
			return false;
	}
	return true;
}

/* Two spellings of a domain may turn out to be one: then the address is used once. */
static int internationalise_all(struct envelope *e, struct error *err)
{
	if (all_ascii(e))
		return 0;
	const struct envelope old = envelope_take_recipients(e);

	for (size_t i = 0; i < old.rcpt_count; i++) {
		const char *address = old.rcpt[i].address;

		if (internationalise(e, &address, err) < 0)
			return error_prefix(err, "recipient");
		envelope_add_as(e, address, NULL, &old.rcpt[i]);
	}
	return 0;
}

int prepare_envelope(struct envelope *e, const struct account *a, struct rewriter *rewriter,
		     struct error *err)
{
	if (recipients_expand(e, a, rewriter, err) < 0)
		return -1;
	redirect_envelope(e, a);
	if (internationalise(e, &e->sender, err) < 0)
		return error_prefix(err, "sender");
	return internationalise_all(e, err);
}
