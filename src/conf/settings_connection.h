/*
 * Rows of the settings table: the ways to the server, and proxies. For
 * conf/settings_account.c, whose macros they are written with.
 */
#ifndef CONF_SETTINGS_CONNECTION_H
#define CONF_SETTINGS_CONNECTION_H

#include "util/names.h"

extern const struct name_value setting_srv_lives[], setting_proxy_types[];

#define CONNECTION_ROWS \
{ .key = "mx", SWITCH(net.mx), .def = "off", \
  .help = "no host: send to the servers of each recipient's domain" }, \
{ .key = "srv_live", .type = SETTING_ENUM, .offset = FIELD(enum srv_live, net.srv_live), \
  .names = setting_srv_lives, .def = "inside", .arg = "inside|dnssec|any", \
  .help = "servers that SRV records may name" }, \
{ .key = "resolver", .type = SETTING_SPECIAL, .offset = FIELD(const char *, net.resolver), \
  .set = special_resolver, .print = special_resolver_print, .arg = "address[:port]", \
  .help = "DNS server to ask, instead of the system's" }, \
{ .key = "happy_eyeballs", .type = SETTING_SPECIAL, .offset = FIELD(unsigned, net.race_ms), \
  .set = special_race, .print = special_race_print, .def = "250ms", .arg = "time|off", \
  .help = "when to try the next address beside a slow one" }, \
{ .key = "source_ip", TEXT(source_ip), .arg = "address,...", \
  .help = "local address to connect from; one of IPv4, one of IPv6" }, \
{ .key = "source_ip_strict", SWITCH(net.source_ip_strict), .def = "off", \
  .help = "connect only by the kinds of address in source_ip" }, \
{ .key = "source_port", .type = SETTING_SPECIAL, .offset = FIELD(unsigned, net.source_port), \
  .set = special_source_port, .print = special_source_port_print, .arg = "number[-number]", \
  .help = "local port to connect from" }, \
{ .key = "interface", TEXT(net.interface), .arg = "name", .help = "network interface to use" }, \
{ .key = "tcp_keepalive", .type = SETTING_SPECIAL, .offset = FIELD(bool, net.keepalive), \
  .set = special_keepalive, .print = special_keepalive_print, .def = "on", \
  .arg = "on|off|idle,interval,count", .help = "keep an idle connection alive" }, \
{ .key = "tcp_nodelay", SWITCH(net.nodelay), .def = "on", .help = "send small packets at once" }, \
{ .key = "tcp_linger", .type = SETTING_TIME, .offset = FIELD(unsigned, net.linger), .max = 3600, \
  .def = "off", .arg = "seconds|off", .help = "how long closing waits for data on its way" }, \
{ .key = "tcp_send_buffer", .type = SETTING_SIZE, .offset = FIELD(uint64_t, net.send_buffer), \
  .max = 1 << 30, .def = "0", .arg = "size", .help = "buffer of the socket; 0 = the system's" }, \
{ .key = "tcp_recv_buffer", .type = SETTING_SIZE, .offset = FIELD(uint64_t, net.recv_buffer), \
  .max = 1 << 30, .def = "0", .arg = "size", .help = "the same for what comes in" }, \
{ .key = "max_rate", .type = SETTING_SIZE, .offset = FIELD(uint64_t, net.max_rate), \
  .max = 1 << 30, .def = "0", .arg = "size", .help = "octets a second to send at most" }, \
{ .key = "tunnel", COMMAND(net.tunnel), \
  .help = "command whose input and output lead to the server (%h, %p)" }, \
{ .key = "proxy", .type = SETTING_SPECIAL, .offset = FIELD(const char *, proxy_host), \
  .flags = SETTING_BROAD | SETTING_URL, .set = special_proxy, .print = special_proxy_print, \
  .arg = "type://[user@]host:port", \
  .help = "proxy to go through: socks5h, socks5, socks4a, socks4, http, https" }, \
{ .key = "proxy_type", .type = SETTING_ENUM, .offset = FIELD(enum proxy_type, proxy.type), \
  .names = setting_proxy_types, .def = "socks5h", \
  .arg = "socks5h|socks5|socks4a|socks4|http|https", \
  .help = "its type" }, \
{ .key = "proxy_host", TEXT(proxy_host), .arg = "name", .help = "its name or address" }, \
{ .key = "proxy_port", .type = SETTING_UINT, .offset = FIELD(unsigned, proxy_port), \
  .min = 1, .max = 65535, .def = "1080", .arg = "number", .help = "port of the proxy" }, \
{ .key = "proxy_user", TEXT(proxy.user), .arg = "name", .help = "user to sign in to the proxy" }, \
{ .key = "proxy_password", .type = SETTING_SECRET, \
  .flags = SETTING_SECRET_FLAG | SETTING_NO_OPTION, \
  .offset = FIELD(struct secret, proxy.password), .arg = "secret", \
  .help = "password for the proxy, in a file only you can read" }, \
{ .key = "proxy_password_file", FILE_NAME(proxy.password_file), \
  .help = "file whose first line is the password for the proxy" }, \
{ .key = "proxy_password_command", COMMAND(proxy.password_command), \
  .help = "command that prints the password for the proxy; no shell" }, \
{ .key = "proxy_from_env", SWITCH(proxy.from_env), .def = "off", \
  .help = "use the proxy of the environment (ALL_PROXY, HTTPS_PROXY)" }, \
{ .key = "no_proxy", .type = SETTING_LIST, .offset = FIELD(const char *const *, proxy.exceptions), \
  .arg = "name,...", .help = "servers to reach without the proxy" },

#endif
