/*
 * Which servers invite to speak before the greeting (struct early_memory), kept for
 * a later process: one small file for each, in the folder of tls/tls_cache.h
 * and as safe as the sessions in it. An entry is good for one address, port
 * and EHLO name, and for the account's pipe_connect_ttl.
 */
#ifndef SUBMIT_EARLY_MEMORY_H
#define SUBMIT_EARLY_MEMORY_H

#include "smtp/session.h"

struct account;
struct arena;

/*
 * The memory for the server at that numeric address; lives in a. NULL when
 * the account does not want it or there is no place for it.
 */
const struct early_memory *early_memory_new(struct arena *a, const struct account *account,
					    const char *address, unsigned port,
					    const char *ehlo_name);

#endif
