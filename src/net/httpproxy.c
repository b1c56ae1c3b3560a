#include "config.h"
#include "net/httpproxy.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "net/stream.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"

enum { INTERIM_MAX = 10, LOGIN_MAX = 65536, SHOWN_MAX = 200 };

/* host ":" port, an IPv6 address in brackets; what would end the line is refused. */
static int add_authority(const struct http_request *r, struct strbuf *out, struct error *err)
{
	if (!*r->host || strpbrk(r->host, " \t\r\n/?#@") || strlen(r->host) > 255)
		return error_set(err, FAULT_CONFIG,
				 "an HTTP proxy cannot be asked for host '%.100s'", r->host);
	strbuf_addf(out, strchr(r->host, ':') && *r->host != '[' ? "[%s]:%u" : "%s:%u", r->host,
		    r->port);
	return 0;
}

/* RFC 7617: base64 of user ":" password. */
static int add_login(const struct http_request *r, struct strbuf *out, struct error *err)
{
	struct strbuf login = STRBUF_INIT(LOGIN_MAX);

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

static int ask(struct stream *s, const struct http_request *r, const struct deadline *d,
	       struct error *err)
{
	struct strbuf all = STRBUF_INIT(4 * LOGIN_MAX), where = STRBUF_INIT(512);
	int rc = add_authority(r, &where, err);

	strbuf_addf(&all, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: msubmit\r\n", where.buf,
		    where.buf);
	if (rc == 0 && r->user)
		rc = add_login(r, &all, err);
	strbuf_addstr(&all, "\r\n");
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

static int refused(int code, const struct strbuf *header, const struct http_request *r,
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

int http_connect(struct stream *s, const struct http_request *r, const struct deadline *d,
		 struct error *err)
{
	struct strbuf header = STRBUF_INIT(HTTP_HEADER_MAX);
	int rc = ask(s, r, d, err), code = 0;

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
		rc = refused(code, &header, r, err);
	strbuf_release(&header);
	return rc;
}
