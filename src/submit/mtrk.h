/*
 * A message that can be asked for later (RFC 3885): its secret, its id, its
 * URI. What keeps them is in submit/tracking.h.
 */
#ifndef SUBMIT_MTRK_H
#define SUBMIT_MTRK_H

#include "util/attr.h"

struct arena;
struct envelope;
struct error;
struct result;
struct strbuf;

/* "TIME.PID.RANDOM", at most 38 characters, never twice. */
const char *mtrk_id(struct arena *a);

/*
 * A secret, its hash, and an ENVID of the form local@host for the envelope.
 * None of them when an alias made several recipients of one (section 3.1).
 */
ATTR_CHECK int mtrk_begin(struct envelope *e, struct error *err);

/* "mtqp://HOST/track/ENVID/SECRET" (RFC 3887, section 9), appended. */
void mtrk_uri(const struct envelope *e, const struct result *r, struct strbuf *out);

#endif
