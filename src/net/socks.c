#include "config.h"
#include "net/socks.h"

#include <stdint.h>
#include <string.h>

#include "net/stream.h"
#include "util/error.h"
#include "util/strbuf.h"

/*
 * RFC 1928. Octets:
 *   greeting   05, number of methods, methods
 *   choice     05, method
 *   request    05, command, 00, address type, address, port
 *   reply      05, reply code, 00, address type, address, port
 * where an address is 4 octets (type 1), a length octet and that many octets
 * (type 3), or 16 octets (type 4), and a port is two, high octet first.
 */
enum {
	SOCKS_VERSION = 5,
	METHOD_NONE = 0x00,		/* no login */
	METHOD_REFUSED = 0xff,
	COMMAND_CONNECT = 1,
	ADDRESS_IPV4 = 1,
	ADDRESS_NAME = 3,
	ADDRESS_IPV6 = 4,
	NAME_MAX_LENGTH = 255,
	PORT_LENGTH = 2,
};

struct socks_reply {
	int code, exit;
	const char *status, *text;
};

static const struct socks_reply replies[] = {
	{ 1, EX_TEMPFAIL, "4.4.1", "general failure of the proxy" },
	{ 2, EX_UNAVAILABLE, "5.7.1", "not allowed by the proxy's rules" },
	{ 3, EX_TEMPFAIL, "4.4.1", "network unreachable" },
	{ 4, EX_TEMPFAIL, "4.4.1", "host unreachable" },
	{ 5, EX_TEMPFAIL, "4.4.1", "connection refused" },
	{ 6, EX_TEMPFAIL, "4.4.1", "time to live expired" },
	{ 7, EX_UNAVAILABLE, "5.5.1", "command not supported by the proxy" },
	{ 8, EX_UNAVAILABLE, "5.5.1", "address type not supported by the proxy" },
};

static int check_version(unsigned char version, struct error *err)
{
	if (version == SOCKS_VERSION)
		return 0;
	return error_set(err, EX_PROTOCOL, "5.5.0",
			 "the proxy does not speak SOCKS5 (first octet 0x%02x): check its "
			 "port and type", version);
}

static int greet(struct stream *s, const struct deadline *d, struct error *err)
{
	static const unsigned char hello[] = { SOCKS_VERSION, 1, METHOD_NONE };
	unsigned char choice[2];

	if (stream_write_all(s, hello, sizeof(hello), d, err) < 0 ||
	    stream_read_exact(s, choice, sizeof(choice), d, err) < 0 ||
	    check_version(choice[0], err) < 0)
		return -1;
	if (choice[1] == METHOD_REFUSED)
		return error_set(err, EX_UNAVAILABLE, "5.7.0",
				 "the SOCKS proxy takes no connection without a login");
	if (choice[1] != METHOD_NONE)
		return error_set(err, EX_PROTOCOL, "5.5.0",
				 "the SOCKS proxy chose method 0x%02x, which was not offered",
				 choice[1]);
	return 0;
}

/* The name as it stands, without the brackets of an IPv6 address. */
static int request(struct stream *s, const char *host, unsigned port, const struct deadline *d,
		   struct error *err)
{
	size_t len = strlen(host);

	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len == 0 || len > NAME_MAX_LENGTH)
		return error_set(err, EX_CONFIG, "5.3.5",
				 "a SOCKS proxy takes host names of 1 to %d octets, not %zu",
				 NAME_MAX_LENGTH, len);
	const unsigned char head[] = {
		SOCKS_VERSION, COMMAND_CONNECT, 0, ADDRESS_NAME, (unsigned char)len,
	};
	const unsigned char tail[PORT_LENGTH] = { (port >> 8) & 0xff, port & 0xff };
	struct strbuf all = STRBUF_INIT(sizeof(head) + NAME_MAX_LENGTH + sizeof(tail));

	strbuf_add(&all, head, sizeof(head));
	strbuf_add(&all, host, len);
	strbuf_add(&all, tail, sizeof(tail));
	int rc = stream_write_all(s, all.buf, all.len, d, err);

	strbuf_release(&all);
	return rc;
}

static int refused(int code, const char *host, unsigned port, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++)
		if (replies[i].code == code)
			return error_set(err, replies[i].exit, replies[i].status,
					 "the SOCKS proxy cannot connect to %s:%u: %s", host,
					 port, replies[i].text);
	return error_set(err, EX_PROTOCOL, "5.5.0",
			 "the SOCKS proxy cannot connect to %s:%u: unknown reply 0x%02x", host,
			 port, (unsigned)code);
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
		return error_set(err, EX_PROTOCOL, "5.5.0",
				 "the SOCKS proxy replies with unknown address type 0x%02x", type);
	}
	return stream_read_exact(s, rest, (size_t)len + PORT_LENGTH, d, err);
}

int socks5_connect(struct stream *s, const char *host, unsigned port, const struct deadline *d,
		   struct error *err)
{
	unsigned char reply[4];

	if (greet(s, d, err) < 0 || request(s, host, port, d, err) < 0 ||
	    stream_read_exact(s, reply, sizeof(reply), d, err) < 0 ||
	    check_version(reply[0], err) < 0)
		return -1;
	if (reply[1] != 0)
		return refused(reply[1], host, port, err);
	return skip_address(s, reply[3], d, err);
}
