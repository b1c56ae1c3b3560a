/*
 * The document in which a domain, or somebody on its behalf, says where its
 * mailboxes submit mail: Thunderbird's autoconfig, config-v1.1.xml.
 *
 * Taken: <outgoingServer type="smtp"> of the first <emailProvider>. Passed
 * over: servers without TLS, with host names or ports that are none, with
 * user names that only the user could complete, and those where no password
 * and no OAuth2 will do. Read by util/xml.h, so without document types and
 * entities; what is unknown is skipped. Nothing is fetched here.
 */
#include "config.h"
#include "setup/discover.h"

#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xml.h"

/* clientConfig, emailProvider, outgoingServer, and the fields in it. */
enum { DEPTH_ROOT = 1, DEPTH_PROVIDER, DEPTH_SERVER, DEPTH_FIELD };

enum socket_type { SOCKET_NONE, SOCKET_PLAIN, SOCKET_SSL, SOCKET_STARTTLS };

/* What the server takes, as bits. */
enum { TAKES_PASSWORD = 1, TAKES_OAUTH2 = 2, TAKES_OTHER = 4 };

struct draft {
	const char *host, *user;
	long port;		/* below 1: none that will do */
	int socket;
	unsigned takes;
};

struct reader {
	struct arena *arena;
	const struct found_address *who;
	const char *source;
	struct found_server *out;
	size_t n;
	struct strbuf *note;
	unsigned providers;
	bool in_provider, in_server;
	struct draft draft;
};

static const struct name_value socket_types[] = {
	{ "plain", SOCKET_PLAIN }, { "SSL", SOCKET_SSL }, { "STARTTLS", SOCKET_STARTTLS },
	NAMES_END
};

/* "plain" and "secure" are old words for the two of passwords. */
static const struct name_value authentications[] = {
	{ "password-cleartext", TAKES_PASSWORD }, { "password-encrypted", TAKES_PASSWORD },
	{ "plain", TAKES_PASSWORD }, { "secure", TAKES_PASSWORD }, { "OAuth2", TAKES_OAUTH2 },
	NAMES_END
};

/* --- one server ------------------------------------------------------------------- */

/* Why it is of no use; NULL if it is of use. Completes the draft. */
static const char *judge(struct reader *r, struct draft *d)
{
	struct error ignored;
	const char *host = d->host ? found_server_fill_in(r->arena, d->host, r->who) : NULL;

	if (!host || idna_to_ascii(r->arena, host, &host, &ignored) < 0 ||
	    !address_domain_valid(host) || *host == '[')
		return "no host name";
	d->host = host;
	if (d->port < 1)
		return "no port";
	if (d->socket != SOCKET_SSL && d->socket != SOCKET_STARTTLS)
		return "no TLS";
	if (d->takes && !(d->takes & (TAKES_PASSWORD | TAKES_OAUTH2)))
		return "takes neither password nor OAuth2";
	if (d->user && !(d->user = found_server_fill_in(r->arena, d->user, r->who)))
		return "its user name has parts that only you know: give it with --user";
	if (d->user && (!*d->user || text_has_control(d->user, strlen(d->user))))
		return "its user name is none";
	return NULL;
}

static void take_server(struct reader *r)
{
	struct draft *d = &r->draft;
	const char *why = judge(r, d);

	if (!why && r->n == AUTOCONFIG_SERVERS)
		why = "one too many";
	if (why) {
		strbuf_addstr(r->note, r->note->len ? "; " : "");
		text_escape_add(r->note, d->host ? d->host : "?",
				d->host ? strnlen(d->host, 255) : 1);
		strbuf_addf(r->note, ":%ld: %s", d->port < 0 ? 0 : d->port, why);
		return;
	}
	r->out[r->n++] = (struct found_server){
		.host = d->host, .port = (unsigned)d->port, .user = d->user, .source = r->source,
		.mode = d->socket == SOCKET_SSL ? TLS_IMPLICIT : TLS_STARTTLS,
		.auth = d->takes & TAKES_PASSWORD || !d->takes ? FOUND_AUTH_PASSWORD :
								 FOUND_AUTH_OAUTH2,
	};
}

static void take_field(struct reader *r, const char *name, const char *text)
{
	struct draft *d = &r->draft;
	int value;

	if (strcmp(name, "hostname") == 0) {
		d->host = arena_strdup(r->arena, text);
	} else if (strcmp(name, "port") == 0) {
		d->port = text_port(text, strlen(text));
	} else if (strcmp(name, "username") == 0) {
		d->user = arena_strdup(r->arena, text);
	} else if (strcmp(name, "socketType") == 0) {
		if (names_find(socket_types, text, &d->socket) < 0)
			d->socket = SOCKET_NONE;
	} else if (strcmp(name, "authentication") == 0) {
		d->takes |= names_find(authentications, text, &value) == 0 ? (unsigned)value :
									     TAKES_OTHER;
	}
}

/* --- the document ----------------------------------------------------------------- */

static int begin(void *ctx, unsigned depth, const char *name, const char *const *attr,
		 struct error *err)
{
	struct reader *r = ctx;
	const char *type;

	if (depth == DEPTH_ROOT && strcmp(name, "clientConfig") != 0)
		return error_set(err, FAULT_DOCUMENT, "no autoconfig document");
	if (depth == DEPTH_PROVIDER)
		r->in_provider = strcmp(name, "emailProvider") == 0 && r->providers++ == 0;
	if (depth == DEPTH_SERVER && r->in_provider && strcmp(name, "outgoingServer") == 0) {
		type = xml_attribute(attr, "type");
		r->in_server = type && strcasecmp(type, "smtp") == 0;
		r->draft = (struct draft){ .port = 0 };
	}
	return 0;
}

static int end(void *ctx, unsigned depth, const char *name, const char *text, struct error *err)
{
	struct reader *r = ctx;

	(void)err;
	if (depth == DEPTH_FIELD && r->in_server)
		take_field(r, name, text);
	if (depth == DEPTH_SERVER && r->in_server) {
		r->in_server = false;
		take_server(r);
	}
	return 0;
}

int autoconfig_read(const char *data, size_t n, struct arena *a,
		    const struct found_address *who, const char *source,
		    struct found_server out[AUTOCONFIG_SERVERS], size_t *n_out, struct strbuf *note,
		    struct error *err)
{
	struct reader r = { .arena = a, .who = who, .source = source, .out = out, .note = note };
	const struct xml_handler h = { .begin = begin, .end = end, .ctx = &r };

	if (xml_read(data, n, &h, err) < 0)
		return -1;
	*n_out = r.n;
	return 0;
}
