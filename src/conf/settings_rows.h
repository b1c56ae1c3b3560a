/*
 * Inside the settings table: its rows and the setters that are more than a
 * type. For conf/settings*.c only.
 */
#ifndef CONF_SETTINGS_ROWS_H
#define CONF_SETTINGS_ROWS_H

#include <stddef.h>

#include "conf/settings.h"
#include "util/attr.h"

struct arena;
struct error;
struct strbuf;

/*
 * The offset of member m of struct target; does not compile cleanly when m
 * is of another type than the row says.
 */
#define SETTING_FIELD(target, type, m) \
	(offsetof(struct target, m) + 0 * sizeof((type *)0 == &((struct target *)0)->m))

/* How a row begins: its key, and who may give it on the command line. */
#define ANYONE(k) .key = (k), .who = WHO_ANYONE
#define OWNER(k) .key = (k), .who = WHO_OWNER
#define OWNER_FIRST(k) .key = (k), .who = WHO_OWNER_FIRST

extern const struct setting_group settings_server, settings_security, settings_mail,
	settings_compose, settings_delivery, settings_report, settings_rewrite;

/* All groups of a scope; NULL at the end. */
extern const struct setting_group *const settings_account_groups[];
extern const struct setting_group *const settings_listen_groups[];

/* Setters and printers: see struct setting for their meaning. */
#define SETTING_SETTER(name) \
	ATTR_CHECK int name(void *target, const struct setting *s, struct arena *arena, \
			    const char *value, struct error *err)
#define SETTING_PRINTER(name) \
	void name(const void *target, const struct setting *s, struct strbuf *out)

SETTING_SETTER(special_addresses);
SETTING_SETTER(special_auth);
SETTING_SETTER(special_charset);
SETTING_SETTER(special_classes);
SETTING_SETTER(special_domain);
SETTING_SETTER(special_dsn_notify);
SETTING_SETTER(special_fingerprint);
SETTING_SETTER(special_from_name);
SETTING_SETTER(special_host);
SETTING_SETTER(special_keepalive);
SETTING_SETTER(special_match);
SETTING_SETTER(special_proxy);
SETTING_SETTER(special_race);
SETTING_SETTER(special_resolver);
SETTING_SETTER(special_source_port);
SETTING_SETTER(special_ignore);
SETTING_SETTER(special_partial);
SETTING_SETTER(special_password_fd);
SETTING_SETTER(special_pins);
SETTING_SETTER(special_policy);
SETTING_SETTER(special_reply_to);
SETTING_SETTER(special_request);
SETTING_SETTER(special_starttls);
SETTING_SETTER(special_stop_on);
SETTING_SETTER(special_strict);
SETTING_SETTER(special_strip);
SETTING_SETTER(special_syslog);
SETTING_SETTER(special_timeout);
SETTING_SETTER(special_tls);
SETTING_PRINTER(special_auth_print);
SETTING_PRINTER(special_charset_print);
SETTING_PRINTER(special_classes_print);
SETTING_PRINTER(special_dsn_notify_print);
SETTING_PRINTER(special_fingerprint_print);
SETTING_PRINTER(special_from_name_print);
SETTING_PRINTER(special_host_print);
SETTING_PRINTER(special_keepalive_print);
SETTING_PRINTER(special_list_print);
SETTING_PRINTER(special_proxy_print);
SETTING_PRINTER(special_race_print);
SETTING_PRINTER(special_resolver_print);
SETTING_PRINTER(special_source_port_print);
SETTING_PRINTER(special_partial_print);
SETTING_PRINTER(special_password_fd_print);
SETTING_PRINTER(special_policy_print);
SETTING_PRINTER(special_port_print);
SETTING_PRINTER(special_reply_to_print);
SETTING_PRINTER(special_request_print);
SETTING_PRINTER(special_stop_on_print);
SETTING_PRINTER(special_strict_print);
SETTING_PRINTER(special_syslog_print);
SETTING_PRINTER(special_text_print);
SETTING_PRINTER(special_tls_print);

/* Text to seconds and to a number: the types' own readers, for setters that need them. */
ATTR_CHECK int setting_read_time(const struct setting *s, const char *value, unsigned *out,
				 struct error *err);
ATTR_CHECK int setting_read_bool(const struct setting *s, const char *value, int *out,
				 struct error *err);

/* "key 'x': 'VALUE' is not WHAT" (EX_CONFIG); returns -1. */
int setting_refuse(const struct setting *s, const char *value, const char *what,
		   struct error *err);

#endif
