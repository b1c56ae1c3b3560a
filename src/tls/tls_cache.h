/*
 * TLS sessions kept for a later process: one small file each.
 *
 * What such a file holds lets its reader resume the session, so they lie in a
 * folder as util/store.h wants it and nobody else may read them (0600). Each
 * holds the complete key it was stored under - account, server, every setting
 * that decides about trust - and is good for no other, nor after its time. A
 * folder or file that is not as it should be is a cache without that entry;
 * nothing here is an error.
 */
#ifndef TLS_TLS_CACHE_H
#define TLS_TLS_CACHE_H

#include <stdbool.h>
#include <time.h>

#include "util/attr.h"

struct strbuf;

/*
 * The folder that "auto" stands for: msubmit/tls in $XDG_CACHE_HOME, else in
 * ~/.cache; any other is returned as it is. xfree(); NULL when there is none.
 */
char *tls_cache_folder(const char *folder);

/*
 * Appends what was stored under key and name (the hash of the key; letters
 * and digits) and sets *until_out. False: there is nothing.
 */
ATTR_CHECK bool tls_cache_load(const char *folder, const char *name, const struct strbuf *key,
			       struct strbuf *out, time_t *until_out);

/* Stores data until then; makes the folder; removes what nobody has used for days. */
void tls_cache_store(const char *folder, const char *name, const struct strbuf *key, time_t until,
		     const struct strbuf *data);

/* Removes what is stored under name. */
void tls_cache_remove(const char *folder, const char *name);

#endif
