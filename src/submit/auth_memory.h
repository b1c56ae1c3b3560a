/*
 * With which mechanism an account has signed in, kept for later processes
 * (auth_remember): one line for each server and user, in the file
 * msubmit/mechanisms of $XDG_STATE_HOME, else of ~/.local/state.
 *
 * The file is ours and nobody else may write to it; it is replaced as a
 * whole. One that cannot be believed is an error, not an empty memory: or
 * whoever can break it could have the password by a weaker mechanism. Remove
 * it to forget.
 */
#ifndef SUBMIT_AUTH_MEMORY_H
#define SUBMIT_AUTH_MEMORY_H

struct account;
struct arena;
struct auth_memory;

/* The memory of the account's user at host and port; lives in a. NULL when it is not wanted. */
const struct auth_memory *auth_memory_new(struct arena *a, const struct account *account,
					  const char *host, unsigned port);

#endif
