/*
 * What servers announced, kept for a later process (smtp/ahead.h): one small
 * file for each server, in the folder of tls/tls_cache.h and as safe as the
 * sessions in it. An entry is good for one address, port and EHLO name, and
 * for the account's pipe_connect_ttl.
 */
#ifndef SUBMIT_EHLO_MEMORY_H
#define SUBMIT_EHLO_MEMORY_H

#include "smtp/ahead.h"

struct account;
struct arena;

/*
 * The memory for the server at that numeric address; lives in a. NULL when
 * the account does not want it or there is no place for it.
 */
const struct ahead_memory *ehlo_memory_new(struct arena *a, const struct account *account,
					   const char *address, unsigned port,
					   const char *ehlo_name);

#endif
