/*
 * What a configuration holds that can be read and comes to nothing: keys that
 * others make useless, accounts that are never chosen. Only what an account's
 * own section says is judged: what it takes over is meant for others, too.
 */
#ifndef CONF_CONFIG_WARN_H
#define CONF_CONFIG_WARN_H

struct account;
struct config;

/* "FILE:LINE: key 'tls_pin' is not used: 'tls = off'"; text is gone afterwards. */
typedef void config_warn_fn(void *ctx, const struct account *a, const char *text);

/* Tells all there is about one account (NULL: about all, and how they are chosen). */
void config_warn(const struct config *c, const struct account *only, config_warn_fn *fn, void *ctx);

#endif
