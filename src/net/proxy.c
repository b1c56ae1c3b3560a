#include "config.h"
#include "net/proxy.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "net/proxyurl.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/*
 * RFC 1928. Octets:
 *   greeting   05, number of methods, methods
 *   choice     05, method
 *   request    05, command, 00, address type, address, port
 *   reply      05, reply code, 00, address type, address, port
 * where an address is 4 octets (type 1), a length octet and that many octets
 * (type 3), or 16 octets (type 4), and a port is two, high octet first.
 * RFC 1929, after method 02:
 *   login      01, length, name, length, password
 *   verdict    01, 00 for yes
 * Version 4:
 *   request    04, command, port, address(4), user, 00
 *              4a: address 0.0.0.1, and behind the 00 the name and 00
 *   reply      00, code, 6 octets without meaning
 */
enum {
	SOCKS_VERSION = 5,
	SOCKS4_VERSION = 4,
	LOGIN_VERSION = 1,
	METHOD_NONE = 0x00,		/* no login */
	METHOD_PASSWORD = 0x02,
	METHOD_REFUSED = 0xff,
	COMMAND_CONNECT = 1,
	ADDRESS_IPV4 = 1,
	ADDRESS_NAME = 3,
	ADDRESS_IPV6 = 4,
	NAME_MAX_LENGTH = 255,
	PORT_LENGTH = 2,
	REQUEST_MAX = 1024,
};

static const struct socks_reply {
	int version, code;
	enum fault fault;
	const char *text;
} replies[] = {
	{ 5, 1, FAULT_PROXY, "general failure of the proxy" },
	{ 5, 2, FAULT_PROXY_REFUSED, "not allowed by the proxy's rules" },
	{ 5, 3, FAULT_PROXY, "network unreachable" },
	{ 5, 4, FAULT_PROXY, "host unreachable" },
	{ 5, 5, FAULT_PROXY, "connection refused" },
	{ 5, 6, FAULT_PROXY, "time to live expired" },
	{ 5, 7, FAULT_PROXY_UNABLE, "command not supported by the proxy" },
	{ 5, 8, FAULT_PROXY_UNABLE, "address type not supported by the proxy" },
	{ 4, 91, FAULT_PROXY, "rejected or failed" },
	{ 4, 92, FAULT_PROXY_LOGIN, "it cannot ask this host who we are (identd)" },
	{ 4, 93, FAULT_PROXY_LOGIN, "the user is another one than this host says (identd)" },
};

static int socks_refused(int version, unsigned code, const struct proxy_request *r,
			 struct error *err)
{
	char unknown[40];
	const char *text = unknown;
	enum fault fault = FAULT_PROXY_PROTOCOL;

	snprintf(unknown, sizeof(unknown), version == SOCKS4_VERSION ? "unknown reply %u" :
		 "unknown reply 0x%02x", code);
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (replies[i].version == version && replies[i].code == (int)code) {
			fault = replies[i].fault;
			text = replies[i].text;
		}
	}
	error_set(err, fault, "the SOCKS proxy cannot connect to %s:%u: %s", r->host, r->port,
		  text);
	err->named = true;
	return -1;
}

static int check_version(unsigned char version, struct error *err)
{
	if (version == SOCKS_VERSION)
		return 0;
	return error_set(err, FAULT_PROXY_PROTOCOL,
			 "the proxy does not speak SOCKS5 (first octet 0x%02x): check its "
			 "port and type", version);
}

/* --- version 5: signing in ---------------------------------------------------- */

static int check_choice(unsigned char method, bool with_login, struct error *err)
{
	if (method == METHOD_NONE || (with_login && method == METHOD_PASSWORD))
		return 0;
	if (method != METHOD_REFUSED)
		return error_set(err, FAULT_PROXY_PROTOCOL,
				 "the SOCKS proxy chose method 0x%02x, which was not offered",
				 method);
	if (with_login)
		return error_set(err, FAULT_PROXY_LOGIN_WANTED,
				 "the SOCKS proxy takes neither a password nor no login");
	return error_set(err, FAULT_PROXY_LOGIN_WANTED,
			 "the SOCKS proxy takes no connection without a login: set proxy_user "
			 "and proxy_password");
}

static int greet(struct stream *s, bool with_login, unsigned char *method_out,
		 const struct deadline *d, struct error *err)
{
	const unsigned char hello[] = {
		SOCKS_VERSION, with_login ? 2 : 1, METHOD_NONE, METHOD_PASSWORD,
	};
	unsigned char choice[2];

	if (stream_write_all(s, hello, with_login ? 4 : 3, d, err) < 0 ||
	    stream_read_exact(s, choice, sizeof(choice), d, err) < 0 ||
	    check_version(choice[0], err) < 0)
		return -1;
	*method_out = choice[1];
	return check_choice(choice[1], with_login, err);
}

static int add_counted(struct strbuf *out, const char *what, const char *data, size_t n,
		       struct error *err)
{
	if (n > NAME_MAX_LENGTH)
		return error_set(err, FAULT_CONFIG,
				 "the %s for the SOCKS proxy has %zu octets, more than %d", what,
				 n, NAME_MAX_LENGTH);
	strbuf_addch(out, (char)n);
	strbuf_add(out, data, n);
	return 0;
}

static int sign_in(struct stream *s, const struct proxy_request *r, const struct deadline *d,
		   struct error *err)
{
	struct strbuf login = STRBUF_SECRET(REQUEST_MAX);
	const bool known = r->password && secret_is_set(r->password);
	unsigned char verdict[2];
	int rc;

	strbuf_addch(&login, LOGIN_VERSION);
	rc = add_counted(&login, "user", r->user, strlen(r->user), err);
	if (rc == 0)
		rc = add_counted(&login, "password", known ? r->password->data : "",
				 known ? r->password->len : 0, err);
	if (rc == 0)
		rc = stream_write_all(s, login.buf, login.len, d, err);
	strbuf_release_secret(&login);
	if (rc < 0 || stream_read_exact(s, verdict, sizeof(verdict), d, err) < 0)
		return -1;
	if (verdict[0] != LOGIN_VERSION)
		return error_set(err, FAULT_PROXY_PROTOCOL,
				 "the SOCKS proxy answers the login in version 0x%02x", verdict[0]);
	if (verdict[1] != 0)
		return error_set(err, FAULT_PROXY_LOGIN,
				 "the SOCKS proxy does not take the password of user '%s'",
				 r->user);
	return 0;
}

/* --- version 5: the request ------------------------------------------------------ */

static int check_name(const char *host, struct error *err)
{
	size_t len = strlen(host);

	if (len >= 1 && len <= NAME_MAX_LENGTH)
		return 0;
	return error_set(err, FAULT_CONFIG,
			 "a SOCKS proxy takes host names of 1 to %d octets, not %zu",
			 NAME_MAX_LENGTH, len);
}

static void add_port(struct strbuf *out, unsigned port)
{
	const unsigned char octets[PORT_LENGTH] = { (port >> 8) & 0xff, port & 0xff };

	strbuf_add(out, octets, sizeof(octets));
}

/* An address is sent as one, wherever it was found. */
static void add_address(struct strbuf *out, const struct address *a)
{
	if (a->to.any.sa_family == AF_INET) {
		strbuf_addch(out, ADDRESS_IPV4);
		strbuf_add(out, &a->to.in.sin_addr, sizeof(a->to.in.sin_addr));
	} else {
		strbuf_addch(out, ADDRESS_IPV6);
		strbuf_add(out, &a->to.in6.sin6_addr, sizeof(a->to.in6.sin6_addr));
	}
}

static int request(struct stream *s, const struct proxy_request *r, const struct deadline *d,
		   struct error *err)
{
	static const unsigned char head[] = { SOCKS_VERSION, COMMAND_CONNECT, 0 };
	struct strbuf all = STRBUF_SECRET(REQUEST_MAX);
	char *host = address_bare_host(r->host);
	struct address numeric;
	int rc = 0;

	strbuf_add(&all, head, sizeof(head));
	if (r->address) {
		add_address(&all, r->address);
	} else if (address_from_text(host, r->port, &numeric)) {
		add_address(&all, &numeric);
	} else if ((rc = check_name(host, err)) == 0) {
		strbuf_addch(&all, ADDRESS_NAME);
		rc = add_counted(&all, "host name", host, strlen(host), err);
	}
	add_port(&all, r->port);
	if (rc == 0)
		rc = stream_write_all(s, all.buf, all.len, d, err);
	strbuf_release(&all);
	xfree(host);
	return rc;
}

/* The address that the proxy uses is of no interest, but must be read away. */
static int skip_address(struct stream *s, unsigned char type, const struct deadline *d,
			struct error *err)
{
	unsigned char rest[NAME_MAX_LENGTH + PORT_LENGTH], len;

	switch (type) {
	case ADDRESS_IPV4:
		len = 4;
		break;
	case ADDRESS_IPV6:
		len = 16;
		break;
	case ADDRESS_NAME:
		if (stream_read_exact(s, &len, 1, d, err) < 0)
			return -1;
		break;
	default:
		return error_set(err, FAULT_PROXY_PROTOCOL,
				 "the SOCKS proxy replies with unknown address type 0x%02x", type);
	}
	return stream_read_exact(s, rest, (size_t)len + PORT_LENGTH, d, err);
}

static int socks5_connect(struct stream *s, const struct proxy_request *r,
			  const struct deadline *d, struct error *err)
{
	unsigned char reply[4], method;

	if (greet(s, r->user != NULL, &method, d, err) < 0 ||
	    (method == METHOD_PASSWORD && sign_in(s, r, d, err) < 0) ||
	    request(s, r, d, err) < 0 ||
	    stream_read_exact(s, reply, sizeof(reply), d, err) < 0 ||
	    check_version(reply[0], err) < 0)
		return -1;
	if (reply[1] != 0)
		return socks_refused(SOCKS_VERSION, reply[1], r, err);
	return skip_address(s, reply[3], d, err);
}

/* --- version 4 --------------------------------------------------------------------- */

static int request4(const struct proxy_request *r, const char *host, struct strbuf *out,
		    struct error *err)
{
	static const unsigned char by_name[] = { 0, 0, 0, 1 };
	struct address numeric;
	const struct address *a = r->address;

	if (!a && address_from_text(host, r->port, &numeric))
		a = &numeric;
	if (a && a->to.any.sa_family != AF_INET)
		return error_set(err, FAULT_CONFIG,
				 "a SOCKS4 proxy cannot connect to IPv6 address '%s'", host);
	if (!a && check_name(host, err) < 0)
		return -1;
	strbuf_addch(out, SOCKS4_VERSION);
	strbuf_addch(out, COMMAND_CONNECT);
	add_port(out, r->port);
	strbuf_add(out, a ? (const void *)&a->to.in.sin_addr : by_name, sizeof(by_name));
	strbuf_addstr(out, r->user ? r->user : "");
	strbuf_addch(out, '\0');
	if (!a) {
		strbuf_addstr(out, host);
		strbuf_addch(out, '\0');
	}
	if (strbuf_overflow(out))
		return error_set(err, FAULT_CONFIG,
				 "the user for the SOCKS proxy is too long");
	return 0;
}

static int socks4_connect(struct stream *s, const struct proxy_request *r,
			  const struct deadline *d, struct error *err)
{
	enum { GRANTED = 90, REPLY_LENGTH = 8 };
	struct strbuf all = STRBUF_SECRET(REQUEST_MAX);
	unsigned char reply[REPLY_LENGTH];
	char *host = address_bare_host(r->host);
	int rc = request4(r, host, &all, err);

	if (rc == 0)
		rc = stream_write_all(s, all.buf, all.len, d, err);
	strbuf_release(&all);
	xfree(host);
	if (rc < 0 || stream_read_exact(s, reply, sizeof(reply), d, err) < 0)
		return -1;
	if (reply[0] != 0)
		return error_set(err, FAULT_PROXY_PROTOCOL,
				 "the proxy does not speak SOCKS4 (first octet 0x%02x): check its "
				 "port and type", reply[0]);
	return reply[1] == GRANTED ? 0 : socks_refused(SOCKS4_VERSION, reply[1], r, err);
}

/* --- HTTP CONNECT ------------------------------------------------------------------- */

enum { INTERIM_MAX = 10, LOGIN_MAX = 65536, SHOWN_MAX = 200 };

/* host ":" port, an IPv6 address in brackets; what would end the line is refused. */
static int add_authority(const struct proxy_request *r, struct strbuf *out, struct error *err)
{
	if (!*r->host || strpbrk(r->host, " \t\r\n/?#@") || strlen(r->host) > 255)
		return error_set(err, FAULT_CONFIG,
				 "an HTTP proxy cannot be asked for host '%.100s'", r->host);
	strbuf_addf(out, strchr(r->host, ':') && *r->host != '[' ? "[%s]:%u" : "%s:%u", r->host,
		    r->port);
	return 0;
}

/* RFC 7617: base64 of user ":" password. */
static int add_login(const struct proxy_request *r, struct strbuf *out, struct error *err)
{
	struct strbuf login = STRBUF_SECRET(LOGIN_MAX);

	if (strchr(r->user, ':'))
		return error_set(err, FAULT_CONFIG,
				 "the user for an HTTP proxy cannot hold ':'");
	strbuf_addf(&login, "%s:", r->user);
	if (r->password && secret_is_set(r->password))
		strbuf_add(&login, r->password->data, r->password->len);
	bool cut = strbuf_overflow(&login);

	strbuf_addstr(out, "Proxy-Authorization: Basic ");
	base64_encode(out, login.buf, login.len);
	strbuf_addstr(out, "\r\n");
	strbuf_release_secret(&login);
	return cut ? error_set(err, FAULT_CONFIG,
			       "the password for the HTTP proxy is too long") : 0;
}

static int add_field(const struct proxy_request *r, struct strbuf *out, struct error *err)
{
	static const char login[] = "Proxy-Authorization:";

	if (!proxyurl_field_name(r->field) || strpbrk(r->field, "\r\n"))
		return error_set(err, FAULT_CONFIG, "proxy_data is no header field (Name: value), "
				 "which an HTTP proxy wants");
	if (r->user && strncasecmp(r->field, login, sizeof(login) - 1) == 0)
		return error_set(err, FAULT_CONFIG, "proxy_user and proxy_data both sign in to the "
				 "proxy");
	strbuf_addf(out, "%s\r\n", r->field);
	return 0;
}

static int http_ask(struct stream *s, const struct proxy_request *r, const struct deadline *d,
	       struct error *err)
{
	struct strbuf all = STRBUF_SECRET(4 * LOGIN_MAX), where = STRBUF_INIT(512);
	int rc = add_authority(r, &where, err);

	strbuf_addf(&all, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: msubmit\r\n", where.buf,
		    where.buf);
	if (rc == 0 && r->user)
		rc = add_login(r, &all, err);
	if (rc == 0 && r->field)
		rc = add_field(r, &all, err);
	strbuf_addstr(&all, "\r\n");
	if (rc == 0 && strbuf_overflow(&all))
		rc = error_set(err, FAULT_CONFIG, "proxy_data is too long");
	if (rc == 0)
		rc = stream_write_all(s, all.buf, all.len, d, err);
	strbuf_release_secret(&all);
	strbuf_release(&where);
	return rc;
}

/* Octet by octet, up to the empty line: what follows is the server's. */
static int read_header(struct stream *s, struct strbuf *out, const struct deadline *d,
		       struct error *err)
{
	size_t line = 0;	/* where the last line begins */

	for (;;) {
		char c;

		if (stream_read_exact(s, &c, 1, d, err) < 0)
			return -1;
		strbuf_addch(out, c);
		if (strbuf_overflow(out))
			return error_set(err, FAULT_PROXY_PROTOCOL,
					 "the header of the HTTP proxy has more than %d octets",
					 HTTP_HEADER_MAX);
		if (out->len == 1 && c != 'H')
			return error_set(err, FAULT_PROXY_PROTOCOL,
					 "the proxy does not speak HTTP (first octet 0x%02x): "
					 "check its port and type", (unsigned char)c);
		if (c != '\n')
			continue;
		size_t n = out->len - line;

		if (n == 1 || (n == 2 && out->buf[line] == '\r'))
			return 0;
		line = out->len;
	}
}

/*
 * status-line = "HTTP/" DIGIT "." DIGIT SP 3DIGIT [ SP reason ] CRLF
 * (RFC 9112, section 4)
 */
static int status_code(const struct strbuf *header)
{
	const char *p = header->buf;

	if (header->len < 13 || strncmp(p, "HTTP/", 5) != 0 || !isdigit((unsigned char)p[5]) ||
	    p[6] != '.' || !isdigit((unsigned char)p[7]) || p[8] != ' ')
		return -1;
	for (p += 9; p < header->buf + 12; p++) {
		if (!isdigit((unsigned char)*p))
			return -1;
	}
	if (!strchr(" \r\n", *p) || !*p)
		return -1;
	return (p[-3] - '0') * 100 + (p[-2] - '0') * 10 + (p[-1] - '0');
}

static int http_refused(int code, const struct strbuf *header, const struct proxy_request *r,
		   struct error *err)
{
	const char *words = header->buf + strlen("HTTP/1.1 ");
	size_t n = strcspn(words, "\r\n");
	enum fault fault = FAULT_PROXY_REFUSED;

	if (code == 407 || code == 401)		/* tinyproxy says 401 to a wrong password */
		fault = FAULT_PROXY_LOGIN;
	else if (code >= 500 || code == 408 || code == 429)
		fault = FAULT_PROXY;
	else if (code < 400)
		fault = FAULT_PROXY_PROTOCOL;
	error_set(err, fault, "the HTTP proxy does not connect to %s:%u: %.*s", r->host, r->port,
		  (int)(n > SHOWN_MAX ? SHOWN_MAX : n), words);
	err->named = true;
	if (code == 407 || code == 401)
		error_append(err, r->user ? " (check proxy_user and its password)" :
			     " (set proxy_user and proxy_password)");
	return -1;
}

static int http_connect(struct stream *s, const struct proxy_request *r,
			const struct deadline *d, struct error *err)
{
	struct strbuf header = STRBUF_INIT(HTTP_HEADER_MAX);
	int rc = http_ask(s, r, d, err), code = 0;

	for (int i = 0; rc == 0 && code / 100 < 2; i++) {
		strbuf_reset(&header);
		rc = read_header(s, &header, d, err);
		if (rc == 0)
			code = status_code(&header);
		if (rc == 0 && (code < 100 || (code < 200 && i >= INTERIM_MAX)))
			rc = error_set(err, FAULT_PROXY_PROTOCOL,
				       "the proxy does not speak HTTP: check its port and type");
	}
	if (rc == 0 && code / 100 != 2)
		rc = http_refused(code, &header, r, err);
	strbuf_release(&header);
	return rc;
}

int proxy_connect(enum proxy_type type, struct stream *s, const struct proxy_request *r,
		  const struct deadline *d, struct error *err)
{
	switch (type) {
	case PROXY_SOCKS4:
	case PROXY_SOCKS4A:
		return socks4_connect(s, r, d, err);
	case PROXY_SOCKS5:
	case PROXY_SOCKS5H:
		return socks5_connect(s, r, d, err);
	case PROXY_HTTP:
	case PROXY_HTTPS:
		break;
	}
	return http_connect(s, r, d, err);
}
