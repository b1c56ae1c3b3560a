/*
 * Settings of the server and the way to it: rows, and what reads their values.
 */
#include "config.h"
#define ROWS_FILE ROWS_SERVER
#include "conf/settings_rows.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "net/proxyurl.h"
#include "net/resolve.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"

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
SETTING_SETTER(set_host)
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

SETTING_PRINTER(print_host)
{
	const struct account *a = target;

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

SETTING_SETTER(check_resolver)
{
	struct address ignored;

	if (*value && !address_from_server(value, 53, &ignored))
		return setting_refuse(s, value, "an address with or without a port", err);
	return 0;
}

/* race = 1*DIGIT ["ms" / "s"] / "on" / "off"; RFC 8305, section 5: never below 10 ms */
SETTING_SETTER(set_race)
{
	size_t digits = strspn(value, "0123456789");
	unsigned ms = 0;

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
	((struct account *)target)->net.happy_eyeballs = ms;
	return 0;
}

SETTING_PRINTER(print_race)
{
	unsigned ms = ((const struct account *)target)->net.happy_eyeballs;

	if (ms)
		strbuf_addf(out, "%ums", ms);
	else
		strbuf_addstr(out, "off");
}

/* --- sockets ----------------------------------------------------------------------- */

/* source_port = port ["-" port] */
SETTING_SETTER(set_source_port)
{
	struct socket_options *o = &((struct account *)target)->net.tcp;
	size_t n = strcspn(value, "-");
	unsigned first = 0, last;

	if (*value && (!read_unsigned(value, n, 65535, &first) || first == 0))
		return setting_refuse(s, value, "a port, or FIRST-LAST", err);
	last = first;
	if (*value && value[n] &&
	    (!read_unsigned(value + n + 1, strlen(value + n + 1), 65535, &last) || last < first))
		return setting_refuse(s, value, "a port, or FIRST-LAST", err);
	o->source_port = first;
	o->source_port_last = last;
	return 0;
}

SETTING_PRINTER(print_source_port)
{
	const struct socket_options *o = &((const struct account *)target)->net.tcp;

	if (o->source_port)
		strbuf_addf(out, "%u", o->source_port);
	if (o->source_port_last > o->source_port)
		strbuf_addf(out, "-%u", o->source_port_last);
}

/* keepalive = switch / idle "," interval "," count */
SETTING_SETTER(set_keepalive)
{
	struct socket_options *o = &((struct account *)target)->net.tcp;
	unsigned part[3] = { 0, 0, 0 };
	struct error none;
	int on = 1;

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
	o->keepalive = on;
	o->keepalive_idle = part[0];
	o->keepalive_interval = part[1];
	o->keepalive_count = part[2];
	return 0;
}

SETTING_PRINTER(print_keepalive)
{
	const struct socket_options *o = &((const struct account *)target)->net.tcp;

	if (o->keepalive && o->keepalive_idle)
		strbuf_addf(out, "%u,%u,%u", o->keepalive_idle, o->keepalive_interval,
			    o->keepalive_count);
	else
		strbuf_addstr(out, o->keepalive ? "on" : "off");
}

/* --- proxy --------------------------------------------------------------------------- */

SETTING_SETTER(set_proxy)
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
SETTING_PRINTER(print_proxy)
{
	const struct account *a = target;

	if (a->proxy_host)
		strbuf_addf(out, strchr(a->proxy_host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
			    proxyurl_type_name(a->proxy.type), a->proxy_host, a->proxy_port);
}

/* A user id of SOCKS4, or a header field that does not change what is asked for. */
SETTING_SETTER(set_proxy_data)
{
	static const char *const fixed[] = { "Host", "Content-Length", "Transfer-Encoding" };
	const size_t name = proxyurl_field_name(value);

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (name == strlen(fixed[i]) && strncasecmp(value, fixed[i], name) == 0)
			return error_set(err, FAULT_CONFIG, "key '%s': %s cannot be set", s->key,
					 fixed[i]);
	}
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return error_set(err, FAULT_CONFIG, "key '%s': control characters cannot "
					 "be sent", s->key);
	}
	*TEXT_FIELD(target, s) = *value ? arena_strdup(arena, value) : NULL;
	return 0;
}

SETTING_PRINTER(print_proxy_data)
{
	const char *data = *(const char *const *)((const char *)target + s->offset);

	if (data)
		strbuf_addstr(out, proxyurl_has_password(data) ? "(hidden)" : data);
}

SETTING_PRINTER(print_port)
{
	const struct account *a = target;

	if (!a->socket)
		strbuf_addf(out, "%u", account_port(a));
}

/* 0 is no limit, so it is the largest. */
static unsigned longer(unsigned a, unsigned b)
{
	if (a == 0 || b == 0)
		return 0;
	return a > b ? a : b;
}

/* msmtp's one limit for all: the steps that move data keep at least what RFC 5321 wants. */
SETTING_SETTER(set_timeout)
{
	struct timeouts *t = &((struct account *)target)->timeouts;
	unsigned n;

	if (setting_read_time(s, value, &n, err) < 0)
		return -1;
	t->connect = t->greeting = t->helo = t->starttls = t->auth = t->mail = t->rcpt = n;
	t->data_init = longer(n, 120);
	t->data_xfer = longer(n, 180);
	t->data_done = longer(n, 600);
	return 0;
}

#define CODES(x) \
	x(DO_HOST, .set = set_host, .print = print_host) \
	x(DO_RACE, .set = set_race, .print = print_race) \
	x(DO_SOURCE_PORT, .set = set_source_port, .print = print_source_port) \
	x(DO_KEEPALIVE, .set = set_keepalive, .print = print_keepalive) \
	x(DO_PROXY, .set = set_proxy, .print = print_proxy) \
	x(DO_PROXY_DATA, .set = set_proxy_data, .print = print_proxy_data) \
	x(DO_PORT, .print = print_port) \
	x(DO_RESOLVER, .set = check_resolver) \
	x(DO_TIMEOUT, .set = set_timeout)
SETTING_CODES(settings_server_code, CODES);

const struct setting settings_server[] = {
{ HEADING("server", "The server and the way to it") },
/* server */
{ OWNER("host"), SPECIAL(const char *, host, DO_HOST), .flags = SETTING_BROAD,
  .arg = "name[:port],...", .help = "server that takes the mail; srv:DOMAIN" },
{ OWNER("port"), .type = SETTING_UINT, .offset = FIELD(unsigned, port), .min = 1, .max = 65535,
  .code = CODE(DO_PORT), .arg = "number",
  .help = "port of the server (587; 465 for implicit TLS; 24 for LMTP)" },
{ OWNER("socket"), FILE_NAME(socket), .help = "local socket to connect to, instead of host" },
{ OWNER("protocol"), CHOICE(enum protocol, protocol, { "smtp", PROTOCOL_SMTP },
  { "lmtp", PROTOCOL_LMTP }), .def = "smtp", .help = "protocol to speak" },
{ OWNER("via"), CHOICE(enum via, via, { "direct", VIA_DIRECT }, { "service", VIA_SERVICE }),
  .def = "direct", .help = "who sends: this program, or the service that holds the password" },
{ OWNER("service_socket"), FILE_NAME(service_socket), .def = "/run/msubmit/submit",
  .help = "socket of that service" },
{ OWNER("lmtp_required"), SWITCH(lmtp_required), .def = "off",
  .help = "refuse LMTP servers without PIPELINING or ENHANCEDSTATUSCODES" },
{ OWNER("address_family"), CHOICE(enum address_family, address_family, { "any", FAMILY_ANY },
  { "ipv4", FAMILY_IPV4 }, { "ipv6", FAMILY_IPV6 }, { "prefer-ipv4", FAMILY_PREFER_IPV4 },
  { "prefer-ipv6", FAMILY_PREFER_IPV6 }), .def = "any", .help = "addresses to try" },
{ OWNER("domain"), TEXT(domain), .def = "auto", .classic_def = "localhost",
  .arg = "name|auto", .help = "name to say in EHLO (%H, %C, %M as in msmtp)" },
{ OWNER("helo_privacy"), SWITCH(helo_privacy), .def = "off",
  .help = "say [127.0.0.1] in EHLO, which tells nothing of this host" },

/* connection */
{ OWNER("mx"), SWITCH(net.mx), .def = "off",
  .help = "no host: send to the servers of each recipient's domain" },
{ OWNER("srv_live"), CHOICE(enum srv_live, net.srv_live, { "inside", SRV_LIVE_INSIDE },
  { "dnssec", SRV_LIVE_DNSSEC }, { "any", SRV_LIVE_ANY }), .def = "inside",
  .help = "servers that SRV records may name" },
{ OWNER("resolver"), TEXT(net.resolver), .code = CODE(DO_RESOLVER), .arg = "address[:port]",
  .help = "DNS server to ask, instead of the system's" },
{ OWNER("happy_eyeballs"), SPECIAL(unsigned, net.happy_eyeballs, DO_RACE),
  .def = "250ms", .arg = "time|off", .help = "when to try the next address beside a slow one" },
{ OWNER("source_ip"), TEXT(net.tcp.source_ip), .arg = "address,...",
  .help = "local address to connect from; one of IPv4, one of IPv6" },
{ OWNER("source_ip_strict"), SWITCH(net.tcp.source_ip_strict), .def = "off",
  .help = "connect only by the kinds of address in source_ip" },
{ OWNER("source_port"),
  SPECIAL(unsigned, net.tcp.source_port, DO_SOURCE_PORT),
  .arg = "number[-number]", .help = "local port to connect from" },
{ OWNER("interface"), TEXT(net.tcp.interface), .arg = "name",
  .help = "network interface to use" },
{ OWNER("tcp_keepalive"), SPECIAL(bool, net.tcp.keepalive, DO_KEEPALIVE),
  .def = "on", .arg = "on|off|idle,interval,count", .help = "keep an idle connection alive" },
{ OWNER("tcp_nodelay"), SWITCH(net.tcp.nodelay), .def = "on",
  .help = "send small packets at once" },
{ OWNER("tcp_linger"), .type = SETTING_TIME, .offset = FIELD(unsigned, net.tcp.linger),
  .max = 3600, .def = "off", .arg = "seconds|off",
  .help = "how long closing waits for data on its way" },
{ OWNER("tcp_send_buffer"), SIZE(net.tcp.send_buffer, 1 << 30), .def = "0",
  .help = "buffer of the socket; 0 = the system's" },
{ OWNER("tcp_recv_buffer"), SIZE(net.tcp.recv_buffer, 1 << 30), .def = "0",
  .help = "the same for what comes in" },
{ OWNER("max_rate"), SIZE(net.max_rate, 1 << 30), .def = "0",
  .help = "octets a second to send at most" },
{ OWNER_FIRST("tunnel"), COMMAND(net.tunnel),
  .help = "command whose input and output lead to the server (%h, %p)" },
{ OWNER("proxy"), SPECIAL(const char *, proxy_host, DO_PROXY),
  .flags = SETTING_BROAD | SETTING_URL, .arg = "type://[user@]host:port",
  .help = "proxy to go through: socks5h, socks5, socks4a, socks4, http, https" },
{ OWNER("proxy_type"), CHOICE(enum proxy_type, proxy.type, { "socks5h", PROXY_SOCKS5H },
  { "socks5", PROXY_SOCKS5 }, { "socks4a", PROXY_SOCKS4A }, { "socks4", PROXY_SOCKS4 },
  { "http", PROXY_HTTP }, { "https", PROXY_HTTPS }), .def = "socks5h", .help = "its type" },
{ OWNER("proxy_host"), TEXT(proxy_host), .arg = "name", .help = "its name or address" },
{ OWNER("proxy_port"), NUMBER(proxy_port, 1, 65535), .def = "1080", .help = "port of the proxy" },
{ OWNER("proxy_user"), TEXT(proxy.user), .arg = "name", .help = "user to sign in to the proxy" },
{ OWNER("proxy_password"), SECRET(proxy.password),
  .help = "password for the proxy, in a file only you can read" },
{ OWNER("proxy_password_file"), FILE_NAME(proxy.password_file),
  .help = "file whose first line is the password for the proxy" },
{ OWNER_FIRST("proxy_password_command"), COMMAND(proxy.password_command),
  .help = "command that prints the password for the proxy; no shell" },
{ OWNER("proxy_data"), SPECIAL(const char *, proxy.data, DO_PROXY_DATA),
  .flags = SETTING_URL, .arg = "text",
  .help = "header field for an HTTP proxy (Name: value), user id for SOCKS4" },
{ OWNER("proxy_from_env"), SWITCH(proxy.from_env), .def = "off",
  .help = "use the proxy of the environment (ALL_PROXY, HTTPS_PROXY)" },
{ OWNER("no_proxy"), LIST(proxy.no_proxy),
  .arg = "name,...", .help = "servers to reach without the proxy" },

/* time limits */
{ OWNER("timeout"), .type = SETTING_SPECIAL, .flags = SETTING_BROAD | SETTING_CLASSIC,
  .offset = offsetof(struct account, timeouts), .code = CODE(DO_TIMEOUT), .max = MONTH,
  .arg = "seconds|off", .help = "one limit for all steps; longer where data moves" },
{ OWNER("connect_timeout"), TIME(connect), .def = "30", .help = "each address of the server" },
{ OWNER("greeting_timeout"), TIME(greeting), .def = "300", .help = "greeting of the server" },
{ OWNER("helo_timeout"), TIME(helo), .def = "300", .help = "reply to EHLO, LHLO, HELO" },
{ OWNER("starttls_timeout"), TIME(starttls), .def = "300",
  .help = "reply to STARTTLS and the handshake" },
{ OWNER("auth_timeout"), TIME(auth), .def = "120", .help = "each step of signing in" },
{ OWNER("mail_timeout"), TIME(mail), .def = "300", .help = "reply to MAIL" },
{ OWNER("rcpt_timeout"), TIME(rcpt), .def = "300", .help = "reply to RCPT" },
{ OWNER("data_init_timeout"), TIME(data_init), .def = "120", .help = "reply to DATA" },
{ OWNER("data_xfer_timeout"), TIME(data_xfer), .def = "180", .help = "each block of data" },
{ OWNER("data_done_timeout"), TIME(data_done), .def = "600", .help = "reply to the end of data" },
{ OWNER("rset_timeout"), LIMIT(timeouts.rset), .def = "20", .help = "reply to RSET and NOOP" },
{ OWNER("quit_timeout"), LIMIT(timeouts.quit), .def = "10", .help = "reply to QUIT" },
{ OWNER("total_timeout"), TIME(total), .def = "900", .help = "the whole attempt" },
{ .help = "" }
};
