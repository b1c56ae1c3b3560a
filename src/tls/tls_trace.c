/*
 * What goes over the line below TLS, for --trace-tls: the kind and the length
 * of each record (RFC 8446, section 5.1) and of each handshake message, and
 * never what is in them.
 */
#include "config.h"
#include "tls/tls.h"

#include <stdbool.h>
#include <stddef.h>

#include "net/wire.h"
#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"

#define LINE_MAX_OCTETS 200

static const char *const kinds[] = {
	"change cipher spec", "alert", "handshake", "application data", "heartbeat"
};
#define KIND_FIRST 20

static void tell(const struct tls *t, bool incoming, const char *what, size_t octets)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);

	strbuf_addf(&line, "TLS %s, %zu octet%s", what, octets, octets == 1 ? "" : "s");
	t->trace(t->trace_ctx, incoming ? WIRE_IN : WIRE_OUT, line.buf, line.len);
	strbuf_release(&line);
}

/* content type, version (2 octets), length (2 octets) */
static void tell_record(const struct tls *t, bool incoming, const unsigned char *head)
{
	const size_t kind = (size_t)head[0] - KIND_FIRST;
	struct strbuf what = STRBUF_INIT(LINE_MAX_OCTETS);

	strbuf_addf(&what, "record: %s", kind < ARRAY_LEN(kinds) ? kinds[kind] : "unknown");
	tell(t, incoming, what.buf, (size_t)head[3] << 8 | head[4]);
	strbuf_release(&what);
}

void tls_trace_octets(struct tls *t, bool incoming, const void *data, size_t n)
{
	struct tls_record *r = &t->record[incoming];

	if (!t->trace)
		return;
	for (const unsigned char *p = data, *end = p + n; p < end;) {
		size_t part = (size_t)(end - p);

		if (r->left) {
			part = part < r->left ? part : r->left;
			r->left -= part;
			p += part;
			continue;
		}
		r->head[r->have++] = *p++;
		if (r->have < sizeof(r->head))
			continue;
		r->have = 0;
		r->left = (size_t)r->head[3] << 8 | r->head[4];
		tell_record(t, incoming, r->head);
	}
}

/* Called by the library behind each handshake message. */
static int tell_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	const struct tls *t = gtls.session_get_ptr(session);
	const char *name = gtls_rare.handshake_description_get_name(
		(gnutls_handshake_description_t)type);
	struct strbuf what = STRBUF_INIT(LINE_MAX_OCTETS);

	(void)when;
	strbuf_addf(&what, "message: %s", name ? name : "unknown");
	tell(t, incoming, what.buf, message ? message->size : 0);
	strbuf_release(&what);
	return 0;
}

int tls_trace_begin(struct tls *t, wire_trace_fn *fn, void *ctx, struct error *err)
{
	if (!fn)
		return 0;
	if (gnutls_rare_load(err) < 0)
		return -1;
	t->trace = fn;
	t->trace_ctx = ctx;
	gtls_rare.handshake_set_hook_function(t->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST,
					      tell_message);
	return 0;
}
