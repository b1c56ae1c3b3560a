/* Setters of the settings table: the server and the way to it. */
#include "config.h"
#include "conf/settings_rows.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "net/resolve.h"
#include "net/proxyurl.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/text.h"

#define SERVERS_MAX 100

/* A number up to most, all of the n octets; false if it is none. */
static bool read_unsigned(const char *text, size_t n, unsigned most, unsigned *out)
{
	unsigned long value = 0;

	if (n == 0 || n > 9)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	*out = (unsigned)value;
	return value <= most;
}

/* --- host ----------------------------------------------------------------------- */

/*
 * server = "srv:" domain / "auto" / host [":" port]
 * host   = name / IPv4 / "[" address "]"
 * An address with several colons and no brackets is IPv6 without a port.
 */
static int read_server(const struct setting *s, struct arena *arena, const char *item,
		       struct server_entry *out, struct error *err)
{
	const char *colon = strrchr(item, ':'), *start = item, *end = item + strlen(item);
	const char *port = NULL;

	*out = (struct server_entry){ .port = 0 };
	if (strncasecmp(item, "srv:", 4) == 0 || strcasecmp(item, "auto") == 0) {
		start = item + 4;
		out->srv = true;
		if (strcasecmp(item, "auto") == 0)
			return 0;
	} else if (*item == '[') {
		end = strchr(item, ']');
		if (!end || end == item + 1 || (end[1] && end[1] != ':'))
			return setting_refuse(s, item, "[ADDRESS] or [ADDRESS]:PORT", err);
		start = item + 1;
		port = end[1] ? end + 2 : NULL;
	} else if (colon && strchr(item, ':') == colon) {
		end = colon;
		port = colon + 1;
	}
	if (strpbrk(item, " \t/") || start == end || (out->srv && strchr(start, ':')))
		return setting_refuse(s, item, "the name or address of a server", err);
	if (port && (!read_unsigned(port, strlen(port), 65535, &out->port) || out->port == 0))
		return setting_refuse(s, item, "HOST:PORT, the port from 1 to 65535", err);
	out->host = arena_strndup(arena, start, (size_t)(end - start));
	return 0;
}

/* host = server *("," server); a port of the only server is that of the account. */
SETTING_SETTER(special_host)
{
	struct account *a = target;
	struct server_entry *list;
	size_t n = 1;

	for (const char *p = value; *p; p++)
		n += *p == ',';
	if (n > SERVERS_MAX)
		return setting_refuse(s, value, "a list of at most 100 servers", err);
	list = arena_calloc(arena, n, sizeof(*list));
	n = 0;
	for (const char *p = value; *p;) {
		size_t len = strcspn(p, ","), first = strspn(p, " \t");

		if (first > len)
			first = len;
		char *item = arena_strndup(arena, p + first, len - first);

		for (size_t i = strlen(item); i && strchr(" \t", item[i - 1]); i--)
			item[i - 1] = '\0';
		if (read_server(s, arena, item, &list[n++], err) < 0)
			return -1;
		p += len;
		if (*p && !*++p)
			return setting_refuse(s, value, "a list of servers", err);
	}
	a->servers = NULL;
	a->server_n = 0;
	a->host = n == 0 ? NULL : list[0].host ? list[0].host : "auto";
	if (n == 1 && list[0].port)
		a->port = list[0].port;
	if (n > 1 || (n == 1 && list[0].srv)) {
		a->servers = list;
		a->server_n = n;
	}
	return 0;
}

SETTING_PRINTER(special_host_print)
{
	const struct account *a = target;

	(void)s;
	if (!a->server_n)
		strbuf_addstr(out, a->host ? a->host : "");
	for (size_t i = 0; i < a->server_n; i++) {
		const struct server_entry *e = &a->servers[i];

		strbuf_addstr(out, i ? ", " : "");
		if (e->srv)
			strbuf_addf(out, e->host ? "srv:%s" : "auto", e->host);
		else
			strbuf_addf(out, strchr(e->host, ':') ? "[%s]" : "%s", e->host);
		if (e->port)
			strbuf_addf(out, ":%u", e->port);
	}
}

/* --- resolver, race --------------------------------------------------------------- */

SETTING_SETTER(special_resolver)
{
	struct address ignored;

	if (*value && !address_from_server(value, 53, &ignored))
		return setting_refuse(s, value, "an address with or without a port", err);
	((struct account *)target)->net.resolver = *value ? arena_strdup(arena, value) : NULL;
	return 0;
}

SETTING_PRINTER(special_resolver_print)
{
	const struct account *a = target;

	(void)s;
	strbuf_addstr(out, a->net.resolver ? a->net.resolver : "");
}

/* race = 1*DIGIT ["ms" / "s"] / "on" / "off"; RFC 8305, section 5: never below 10 ms */
SETTING_SETTER(special_race)
{
	size_t digits = strspn(value, "0123456789");
	unsigned ms = 0;

	(void)arena;
	if (strcasecmp(value, "on") == 0 || strcasecmp(value, "yes") == 0) {
		ms = 250;
	} else if (strcasecmp(value, "off") != 0 && strcasecmp(value, "no") != 0) {
		bool seconds = strcasecmp(value + digits, "s") == 0;

		if (!read_unsigned(value, digits, 60000, &ms) ||
		    (!seconds && value[digits] && strcasecmp(value + digits, "ms") != 0))
			return setting_refuse(s, value, "a time such as 250ms, or off", err);
		ms = seconds ? ms * 1000 : ms;
		if (ms < 10 || ms > 60000)
			return setting_refuse(s, value, "from 10ms to 60s, or off", err);
	}
	((struct account *)target)->net.race_ms = ms;
	return 0;
}

SETTING_PRINTER(special_race_print)
{
	unsigned ms = ((const struct account *)target)->net.race_ms;

	(void)s;
	if (ms)
		strbuf_addf(out, "%ums", ms);
	else
		strbuf_addstr(out, "off");
}

/* --- sockets ----------------------------------------------------------------------- */

/* source_port = port ["-" port] */
SETTING_SETTER(special_source_port)
{
	struct connection_settings *net = &((struct account *)target)->net;
	size_t n = strcspn(value, "-");
	unsigned first = 0, last;

	(void)arena;
	if (*value && (!read_unsigned(value, n, 65535, &first) || first == 0))
		return setting_refuse(s, value, "a port, or FIRST-LAST", err);
	last = first;
	if (*value && value[n] &&
	    (!read_unsigned(value + n + 1, strlen(value + n + 1), 65535, &last) || last < first))
		return setting_refuse(s, value, "a port, or FIRST-LAST", err);
	net->source_port = first;
	net->source_port_last = last;
	return 0;
}

SETTING_PRINTER(special_source_port_print)
{
	const struct connection_settings *net = &((const struct account *)target)->net;

	(void)s;
	if (net->source_port)
		strbuf_addf(out, "%u", net->source_port);
	if (net->source_port_last > net->source_port)
		strbuf_addf(out, "-%u", net->source_port_last);
}

/* keepalive = switch / idle "," interval "," count */
SETTING_SETTER(special_keepalive)
{
	struct connection_settings *net = &((struct account *)target)->net;
	unsigned part[3] = { 0, 0, 0 };
	struct error none;
	int on = 1;

	(void)arena;
	if (setting_read_bool(s, value, &on, &none) < 0) {
		const char *p = value;

		for (size_t i = 0; i < ARRAY_LEN(part); i++) {
			p += strspn(p, " \t");
			size_t n = strcspn(p, ", \t");

			if (!read_unsigned(p, n, 32767, &part[i]) || part[i] == 0)
				return setting_refuse(s, value, "on, off or IDLE,INTERVAL,COUNT",
						      err);
			p += n;
			p += strspn(p, " \t");
			if (*p != (i < 2 ? ',' : '\0'))
				return setting_refuse(s, value, "on, off or IDLE,INTERVAL,COUNT",
						      err);
			p += *p == ',';
		}
	}
	net->keepalive = on;
	net->keepalive_idle = part[0];
	net->keepalive_interval = part[1];
	net->keepalive_count = part[2];
	return 0;
}

SETTING_PRINTER(special_keepalive_print)
{
	const struct connection_settings *net = &((const struct account *)target)->net;

	(void)s;
	if (net->keepalive && net->keepalive_idle)
		strbuf_addf(out, "%u,%u,%u", net->keepalive_idle, net->keepalive_interval,
			    net->keepalive_count);
	else
		strbuf_addstr(out, net->keepalive ? "on" : "off");
}

/* --- proxy --------------------------------------------------------------------------- */

SETTING_SETTER(special_proxy)
{
	struct account *a = target;
	struct proxy_url url;

	secret_release(&a->proxy.password);
	a->proxy_host = a->proxy.user = NULL;
	if (!*value || strcasecmp(value, "off") == 0 || strcasecmp(value, "none") == 0)
		return 0;
	if (proxyurl_parse(value, -1, &url, err) < 0)
		return error_prefix(err, "key '%s'", s->key);
	a->proxy.type = url.type;
	a->proxy_host = arena_strdup(arena, url.host);
	a->proxy_port = url.port;
	a->proxy.user = url.user ? arena_strdup(arena, url.user) : NULL;
	if (secret_is_set(&url.password))
		secret_copy(&a->proxy.password, &url.password);
	proxyurl_release(&url);
	return 0;
}

/* Without user and password, which have keys of their own. */
SETTING_PRINTER(special_proxy_print)
{
	const struct account *a = target;

	(void)s;
	if (a->proxy_host)
		strbuf_addf(out, strchr(a->proxy_host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
			    proxyurl_type_name(a->proxy.type), a->proxy_host, a->proxy_port);
}
