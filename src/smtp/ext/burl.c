/*
 * BURL (RFC 4468): the server fetches parts of the message itself, from the
 * IMAP server that a URL names. The URL holds a token that lets whoever has
 * it fetch the part (RFC 4467): it goes out under TLS only, after signing
 * in, and is shown nowhere.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>
#include <strings.h>

#include "message/envelope.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"

/* absolute-URI = scheme ":" hier-part; of imap URLs: "//" [userinfo "@"] host */
void burl_mask(const char *url, struct strbuf *out)
{
	size_t scheme = strcspn(url, ":");
	const char *host = strncmp(url + scheme, "://", 3) == 0 ? url + scheme + 3 : NULL;
	size_t n = host ? strcspn(host, "/?#") : 0;

	strbuf_add(out, url, scheme);
	strbuf_addstr(out, "://");
	for (const char *at; host && (at = memchr(host, '@', n));) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	strbuf_add(out, host ? host : "", n);
	strbuf_addf(out, "/<%zu octets hidden>", strlen(url));
}

/* Has it parts that the server fetches (url), or octets of our own? BDAT is needed for those. */
static bool has(const struct burl *b, bool url)
{
	for (size_t i = 0; b && i < b->n; i++) {
		if (!b->part[i].url != url)
			return true;
	}
	return false;
}

/* "BURL" *( SP ( "imap" / "imap://" host ) ): without any of them no URL of IMAP may be used */
static bool takes_imap(const struct session *s)
{
	const char *p = extensions_arguments(s, EXT_BURL);

	for (; p && *p; p += strspn(p, " ")) {
		if (strncasecmp(p, "imap", 4) == 0 && (p[4] == ' ' || p[4] == ':' || !p[4]))
			return true;
		p += strcspn(p, " ");
	}
	return false;
}

static bool offered(const struct session *s, const struct burl *b)
{
	if (!session_has(s, EXT_BURL))
		return false;
	for (size_t i = 0; i < b->n; i++) {
		const char *url = b->part[i].url;

		if (url && strncasecmp(url, "imap", 4) == 0 && !takes_imap(s))
			return false;
	}
	return true;
}

/* Without any word it is only a hint that there is more for those who have signed in. */
static void burl_parse(struct session *s, const struct strvec *args)
{
	if (!args->n && !s->authenticated)
		s->announced[EXT_BURL] = false;
}

static bool burl_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return has(e->burl, true);
}

static int burl_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (!has(e->burl, true))
		return 0;
	if (!s->encrypted && !s->local)
		return error_set(err, FAULT_NOT_ENCRYPTED, "BURL is sent under TLS only: the "
				 "URL lets everyone who reads it fetch the message");
	if (s->protocol == SESSION_LMTP)
		return error_set(err, FAULT_EXTENSION_MISSING,
				 "BURL is for submission, not for LMTP");
	if (!s->authenticated)
		return error_set(err, FAULT_NOT_SIGNED_IN,
				 "BURL needs a server that was signed in to: set 'user'");
	if (!offered(s, e->burl))
		return error_set(err, FAULT_EXTENSION_MISSING, "the server does not offer BURL%s",
				 session_has(s, EXT_BURL) ? " with IMAP URLs" : "");
	if (has(e->burl, false) && !session_has(s, EXT_CHUNKING))
		return error_set(err, FAULT_EXTENSION_MISSING,
				 "the server does not offer CHUNKING, without which BURL cannot be "
				 "mixed with text");
	return 0;
}

const struct extension ext_BURL = {
	.keyword = "BURL", .level = LEVEL_REQUIRE, .parse = burl_parse,
	.wanted = burl_wanted, .check = burl_check
};
