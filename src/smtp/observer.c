#include "config.h"
#include "smtp/observer.h"

#include "net/wire.h"
#include "tls/tls.h"
#include "util/strbuf.h"

#define NOTE_MAX 1024

void observer_secured(const struct observer *o, struct wire *w)
{
	const struct stream *tls = wire_stream(w);
	struct strbuf text = STRBUF_INIT(NOTE_MAX);

	strbuf_addstr(&text, "TLS: ");
	tls_describe(tls, &text);
	wire_note(w, WIRE_IN, text.buf);
	if (o && o->secured)
		o->secured(o->ctx, text.buf + sizeof("TLS: ") - 1, tls_authenticated(tls));
	strbuf_release(&text);
}

void observer_step(const struct observer *o, enum session_step step, const struct session *s)
{
	if (o && o->step)
		o->step(o->ctx, step, s);
}
