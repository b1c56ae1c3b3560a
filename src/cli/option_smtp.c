/* Options for single commands to the server, and for XCLIENT. */
#include "config.h"
#include "cli/option_values.h"

#include <string.h>
#include <strings.h>

#include "smtp/probe.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define XCLIENT_LIMIT 65536

/* --- commands of their own ------------------------------------------------ */

static void add_probe(struct invocation *inv, const struct probe_request *p)
{
	inv->probe = arena_grow(inv->arena, inv->probe, inv->probes, &inv->probe_alloc,
				sizeof(*inv->probe));
	inv->probe[inv->probes++] = *p;
}

int option_probe(struct invocation *inv, const struct option *o, const char *value,
		 struct error *err)
{
	const struct probe_request p = { .id = (enum probe_id)o->data, .arg = value };

	if (probe_check(&p, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	add_probe(inv, &p);
	return 0;
}

int option_verify_with(struct invocation *inv, const struct option *o, const char *value,
		       struct error *err)
{
	static const struct name_value names[] = { { "vrfy", 0 }, { "rcpt", 1 }, { NULL, 0 } };
	int with = 0;

	if (names_find(names, value, &with) < 0)
		return error_set(err, FAULT_USAGE, "option '--%s': '%s' is not vrfy or rcpt",
				 o->name, value);
	inv->verify_with_rcpt = with;
	return 0;
}

int option_track_query(struct invocation *inv, const struct option *o, const char *value,
		       struct error *err)
{
	(void)err;
	inv->track_query = value;
	inv->command = (enum command)o->data;
	inv->command_given = true;
	return 0;
}

int options_choose_probes(struct invocation *inv, struct error *err)
{
	const bool message = inv->request.words || inv->request.read_recipients;

	if (!inv->probes)
		return 0;
	for (size_t i = 0; message && i < inv->probes; i++) {
		if (inv->probe[i].id != PROBE_RAW)
			return error_set(err, FAULT_USAGE, "%s takes neither addresses nor "
					 "-t", probe_name(&inv->probe[i]));
	}
	if (message)
		return 0;		/* raw commands, and then the message */
	if (inv->command_given || inv->command != COMMAND_SEND)
		return error_set(err, FAULT_USAGE, "%s does not go with another command",
				 probe_name(&inv->probe[0]));
	inv->command = COMMAND_SMTP;
	return 0;
}

/* --- settings by another name --------------------------------------------- */

int option_terminal(struct invocation *inv, const struct option *o, const char *value,
		    struct error *err)
{
	static const char *const modes[][2] = {
		{ "only", "send" }, { "or", "soml" }, { "and", "saml" }, { "off", "mail" }
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcasecmp(modes[i][0], value) == 0) {
			option_override(inv, "send_mode", modes[i][1]);
			return 0;
		}
	}
	return error_set(err, FAULT_USAGE, "option '--%s': '%s' is not only, or, and, off",
			 o->name, value);
}

/* "--xclient=ADDR=... NAME=..." and "--xclient-addr=...": all of them together are the key. */
int option_xclient(struct invocation *inv, const struct option *o, const char *value,
		   struct error *err)
{
	static const char head[] = "xclient-";
	struct strbuf all = STRBUF_INIT(XCLIENT_LIMIT), word = STRBUF_INIT(XCLIENT_LIMIT);

	strbuf_addstr(&all, inv->xclient ? inv->xclient : "");
	if (all.len)
		strbuf_addch(&all, ' ');
	if (strncmp(o->name, head, strlen(head)) == 0) {
		strbuf_addf(&word, "%s=%s", o->name + strlen(head), value);
		text_quote_add(&all, word.buf);
	} else {
		strbuf_addstr(&all, value);
	}
	bool fits = !strbuf_overflow(&all) && !strbuf_overflow(&word);

	inv->xclient = arena_strdup(inv->arena, all.buf);
	strbuf_release(&all);
	strbuf_release(&word);
	if (!fits)
		return error_set(err, FAULT_USAGE, "option '--%s' is too long", o->name);
	option_override(inv, "xclient", inv->xclient);
	return 0;
}
