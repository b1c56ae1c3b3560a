/* The table of settings, part: the server and the connection to it. */
#include "config.h"
#include "conf/settings_account.h"

#include <stdint.h>

#include "conf/account.h"

static const struct name_value protocols[] = {
	{ "smtp", PROTOCOL_SMTP }, { "lmtp", PROTOCOL_LMTP }, { NULL, 0 }
};

static const struct name_value families[] = {
	{ "any", FAMILY_ANY }, { "ipv4", FAMILY_IPV4 }, { "ipv6", FAMILY_IPV6 },
	{ "prefer-ipv4", FAMILY_PREFER_IPV4 }, { "prefer-ipv6", FAMILY_PREFER_IPV6 }, { NULL, 0 }
};

static const struct name_value srv_lives[] = {
	{ "inside", SRV_LIVE_INSIDE }, { "dnssec", SRV_LIVE_DNSSEC }, { "any", SRV_LIVE_ANY },
	{ NULL, 0 }
};

static const struct name_value proxy_types[] = {
	{ "socks5h", PROXY_SOCKS5H }, { "socks5", PROXY_SOCKS5 }, { "socks4a", PROXY_SOCKS4A },
	{ "socks4", PROXY_SOCKS4 }, { "http", PROXY_HTTP }, { "https", PROXY_HTTPS }, { NULL, 0 }
};

static const struct setting rows[] = {
/* server */
{ OWNER("host"), .type = SETTING_SPECIAL, .offset = FIELD(const char *, host),
  .flags = SETTING_BROAD, .set = special_host, .print = special_host_print,
  .arg = "name[:port],...", .help = "server that takes the mail; srv:DOMAIN" },
{ OWNER("port"), .type = SETTING_UINT, .offset = FIELD(unsigned, port), .min = 1, .max = 65535,
  .print = special_port_print, .arg = "number",
  .help = "port of the server (587; 465 for implicit TLS; 24 for LMTP)" },
{ OWNER("socket"), FILE_NAME(socket), .help = "local socket to connect to, instead of host" },
{ OWNER("protocol"), .type = SETTING_ENUM, .offset = FIELD(enum protocol, protocol),
  .names = protocols, .def = "smtp", .arg = "smtp|lmtp", .help = "protocol to speak" },
{ OWNER("address_family"), .type = SETTING_ENUM, .offset = FIELD(enum address_family, family),
  .names = families, .def = "any", .arg = "any|ipv4|ipv6|prefer-ipv4|prefer-ipv6",
  .help = "addresses to try" },
{ OWNER("domain"), TEXT(domain), .def = "auto", .classic_def = "localhost",
  .arg = "name|auto", .help = "name to say in EHLO (%H, %C, %M as in msmtp)" },
{ OWNER("helo_privacy"), SWITCH(helo_privacy), .def = "off",
  .help = "say [127.0.0.1] in EHLO, which tells nothing of this host" },

/* connection */
{ OWNER("mx"), SWITCH(net.mx), .def = "off",
  .help = "no host: send to the servers of each recipient's domain" },
{ OWNER("srv_live"), .type = SETTING_ENUM, .offset = FIELD(enum srv_live, net.srv_live),
  .names = srv_lives, .def = "inside", .arg = "inside|dnssec|any",
  .help = "servers that SRV records may name" },
{ OWNER("resolver"), .type = SETTING_SPECIAL, .offset = FIELD(const char *, net.resolver),
  .set = special_resolver, .print = special_resolver_print, .arg = "address[:port]",
  .help = "DNS server to ask, instead of the system's" },
{ OWNER("happy_eyeballs"), .type = SETTING_SPECIAL, .offset = FIELD(unsigned, net.race_ms),
  .set = special_race, .print = special_race_print, .def = "250ms", .arg = "time|off",
  .help = "when to try the next address beside a slow one" },
{ OWNER("source_ip"), TEXT(source_ip), .arg = "address,...",
  .help = "local address to connect from; one of IPv4, one of IPv6" },
{ OWNER("source_ip_strict"), SWITCH(net.source_ip_strict), .def = "off",
  .help = "connect only by the kinds of address in source_ip" },
{ OWNER("source_port"), .type = SETTING_SPECIAL, .offset = FIELD(unsigned, net.source_port),
  .set = special_source_port, .print = special_source_port_print, .arg = "number[-number]",
  .help = "local port to connect from" },
{ OWNER("interface"), TEXT(net.interface), .arg = "name", .help = "network interface to use" },
{ OWNER("tcp_keepalive"), .type = SETTING_SPECIAL, .offset = FIELD(bool, net.keepalive),
  .set = special_keepalive, .print = special_keepalive_print, .def = "on",
  .arg = "on|off|idle,interval,count", .help = "keep an idle connection alive" },
{ OWNER("tcp_nodelay"), SWITCH(net.nodelay), .def = "on", .help = "send small packets at once" },
{ OWNER("tcp_linger"), .type = SETTING_TIME, .offset = FIELD(unsigned, net.linger), .max = 3600,
  .def = "off", .arg = "seconds|off", .help = "how long closing waits for data on its way" },
{ OWNER("tcp_send_buffer"), .type = SETTING_SIZE, .offset = FIELD(uint64_t, net.send_buffer),
  .max = 1 << 30, .def = "0", .arg = "size", .help = "buffer of the socket; 0 = the system's" },
{ OWNER("tcp_recv_buffer"), .type = SETTING_SIZE, .offset = FIELD(uint64_t, net.recv_buffer),
  .max = 1 << 30, .def = "0", .arg = "size", .help = "the same for what comes in" },
{ OWNER("max_rate"), .type = SETTING_SIZE, .offset = FIELD(uint64_t, net.max_rate),
  .max = 1 << 30, .def = "0", .arg = "size", .help = "octets a second to send at most" },
{ OWNER_FIRST("tunnel"), COMMAND(net.tunnel),
  .help = "command whose input and output lead to the server (%h, %p)" },
{ OWNER("proxy"), .type = SETTING_SPECIAL, .offset = FIELD(const char *, proxy_host),
  .flags = SETTING_BROAD | SETTING_URL, .set = special_proxy, .print = special_proxy_print,
  .arg = "type://[user@]host:port",
  .help = "proxy to go through: socks5h, socks5, socks4a, socks4, http, https" },
{ OWNER("proxy_type"), .type = SETTING_ENUM, .offset = FIELD(enum proxy_type, proxy.type),
  .names = proxy_types, .def = "socks5h",
  .arg = "socks5h|socks5|socks4a|socks4|http|https",
  .help = "its type" },
{ OWNER("proxy_host"), TEXT(proxy_host), .arg = "name", .help = "its name or address" },
{ OWNER("proxy_port"), .type = SETTING_UINT, .offset = FIELD(unsigned, proxy_port),
  .min = 1, .max = 65535, .def = "1080", .arg = "number", .help = "port of the proxy" },
{ OWNER("proxy_user"), TEXT(proxy.user), .arg = "name", .help = "user to sign in to the proxy" },
{ OWNER("proxy_password"), .type = SETTING_SECRET,
  .flags = SETTING_SECRET_FLAG | SETTING_NO_OPTION,
  .offset = FIELD(struct secret, proxy.password), .arg = "secret",
  .help = "password for the proxy, in a file only you can read" },
{ OWNER("proxy_password_file"), FILE_NAME(proxy.password_file),
  .help = "file whose first line is the password for the proxy" },
{ OWNER_FIRST("proxy_password_command"), COMMAND(proxy.password_command),
  .help = "command that prints the password for the proxy; no shell" },
{ OWNER("proxy_from_env"), SWITCH(proxy.from_env), .def = "off",
  .help = "use the proxy of the environment (ALL_PROXY, HTTPS_PROXY)" },
{ OWNER("no_proxy"), .type = SETTING_LIST, .offset = FIELD(const char *const *, proxy.exceptions),
  .arg = "name,...", .help = "servers to reach without the proxy" },

/* time limits */
{ OWNER("timeout"), .type = SETTING_SPECIAL, .flags = SETTING_BROAD | SETTING_CLASSIC,
  .offset = offsetof(struct account, timeouts), .set = special_timeout, .max = MONTH,
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
{ OWNER("rset_timeout"), .type = SETTING_TIME, .offset = FIELD(unsigned, timeouts.rset),
  .max = MONTH, .def = "20", .arg = "seconds|off", .help = "reply to RSET" },
{ OWNER("quit_timeout"), .type = SETTING_TIME, .offset = FIELD(unsigned, timeouts.quit),
  .max = MONTH, .def = "10", .arg = "seconds|off", .help = "reply to QUIT" },
{ OWNER("total_timeout"), TIME(total), .def = "900", .help = "the whole attempt" },
};

const struct setting_group settings_server = { "The server and the way to it", rows,
						 ARRAY_LEN(rows) };
