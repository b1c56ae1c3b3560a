#include "config.h"
#include "tls/tls_cache.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tls/gnutls_api.h"
#include "tls/tls.h"
#include "tls/tls_private.h"
#include "tls/truststore.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define FILE_MAX ((size_t)256 * 1024)

enum { PATH_ROOM = 8192, UNUSED_SECONDS = 7 * 86400 };

/*
 * file = "msubmit-tls 1 " until SP key-length SP data-length LF key data
 */
static const char magic[] = "msubmit-tls 1 ";

char *tls_cache_folder(const char *folder)
{
	const char *cache = secure_getenv("XDG_CACHE_HOME");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);
	char *home = NULL;

	if (strcmp(folder, "auto") != 0)
		return xstrdup(folder);
	if (cache && *cache == '/') {
		strbuf_addf(&path, "%s/msubmit/tls", cache);
	} else {
		home = fs_home();
		if (home)
			strbuf_addf(&path, "%s/.cache/msubmit/tls", home);
		xfree(home);
	}
	if (path.len && !strbuf_overflow(&path))
		return strbuf_detach(&path);
	strbuf_release(&path);
	return NULL;
}

/* --- reading ------------------------------------------------------------ */

/* A decimal number up to 18 digits and the octet behind it. */
static bool take_number(const char **p, const char *end, char behind, uint64_t *out)
{
	const char *start = *p;
	uint64_t n = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && *p - start < 18; (*p)++)
		n = n * 10 + (uint64_t)(**p - '0');
	if (*p == start || *p == end || **p != behind)
		return false;
	(*p)++;
	*out = n;
	return true;
}

static bool parse(const struct strbuf *text, const struct strbuf *key, struct strbuf *out,
		  time_t *until_out)
{
	const char *p = text->buf, *end = text->buf + text->len;
	uint64_t until, key_n, data_n;

	if (text->len < sizeof(magic) || memcmp(p, magic, sizeof(magic) - 1) != 0)
		return false;
	p += sizeof(magic) - 1;
	if (!take_number(&p, end, ' ', &until) || !take_number(&p, end, ' ', &key_n) ||
	    !take_number(&p, end, '\n', &data_n))
		return false;
	const size_t left = (size_t)(end - p);

	if (key_n != key->len || key_n > left || data_n != left - key_n || !data_n ||
	    memcmp(p, key->buf, key->len) != 0)
		return false;
	if ((time_t)until <= time(NULL))
		return false;
	strbuf_add(out, p + key_n, (size_t)data_n);
	*until_out = (time_t)until;
	return !strbuf_overflow(out);
}

bool tls_cache_load(const char *folder, const char *name, const struct strbuf *key,
		    struct strbuf *out, time_t *until_out)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	struct error ignored;
	bool found = store_open(&s, folder, false, &ignored) == 0 &&
		store_read(&s, name, FS_OWN | FS_PRIVATE | FS_ONE_NAME, &text, &ignored) == 0 &&
		parse(&text, key, out, until_out);

	strbuf_release_secret(&text);
	store_close(&s);
	return found;
}

void tls_cache_remove(const char *folder, const char *name)
{
	struct store s = STORE_INIT;
	struct error ignored;

	if (store_open(&s, folder, false, &ignored) == 0 && s.fd >= 0)
		(void)unlinkat(s.fd, name, 0);
	store_close(&s);
}

/* --- writing ------------------------------------------------------------ */

void tls_cache_store(const char *folder, const char *name, const struct strbuf *key, time_t until,
		     const struct strbuf *data)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	struct error ignored;

	strbuf_addf(&text, "%s%jd %zu %zu\n", magic, (intmax_t)until, key->len, data->len);
	strbuf_add(&text, key->buf, key->len);
	strbuf_add(&text, data->buf, data->len);
	if (!strbuf_overflow(&text) && store_open(&s, folder, true, &ignored) == 0) {
		(void)!store_write(&s, name, 0600, STORE_CACHE, text.buf, text.len, &ignored);
		store_clean(&s, UNUSED_SECONDS);
	}
	store_close(&s);
	strbuf_release_secret(&text);
}

/* --- what is resumed ---------------------------------------------------------------- */

#define KEY_MAX ((size_t)128 * 1024)
#define DATA_MAX ((size_t)128 * 1024)

/* A session is resumed for so long without a look at the certificate. */
enum { TRUST_SECONDS = 24 * 3600 };

struct tls_resume {
	char *folder;
	struct strbuf key;
	char name[65];		/* SHA-256 of the key, in hex */
	time_t until;		/* of the entry that was loaded */
};

/* --- the key ------------------------------------------------------------ */

static void add_file(struct strbuf *key, const char *path)
{
	struct stat st;

	if (path && stat(path, &st) == 0)
		strbuf_addf(key, "%s %jd %jd.%09ld\n", path, (intmax_t)st.st_size,
			    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

/* All that decides whether a certificate is accepted: with another key, another session. */
static void make_key(const struct tls_client *s, struct strbuf *key)
{
	strbuf_addf(key, "uid %lu\nfor %s\nname %s %s\nport %u %d\nverify %d %d %d\n",
		    (unsigned long)geteuid(), s->cache_name ? s->cache_name : "", s->host,
		    s->also_host ? s->also_host : "", s->port, s->starttls, s->verify,
		    s->ocsp_required, s->ocsp_ignored);
	strbuf_addf(key, "priorities %s %d %u\nlibrary %s\n", s->priorities ? s->priorities : "",
		    s->only_tls13, s->min_dh_prime_bits, gtls.check_version(NULL));
	for (size_t i = 0; s->alpn && s->alpn[i]; i++)
		strbuf_addf(key, "alpn %s\n", s->alpn[i]);
	strbuf_addf(key, "fingerprint %s\n", s->fingerprint ? s->fingerprint : "");
	for (size_t i = 0; s->pins && s->pins[i]; i++) {
		strbuf_addf(key, "pin %s\n", s->pins[i]);
		add_file(key, strncmp(s->pins[i], "file:", 5) == 0 ? s->pins[i] + 5 : NULL);
	}
	for (size_t i = 0; i < s->tlsa_n; i++) {
		const struct tlsa *r = &s->tlsa[i];

		strbuf_addf(key, "tlsa %u %u %u ", r->usage, r->selector, r->matching);
		tls_add_hex(key, r->data, r->n);
		strbuf_addch(key, '\n');
	}
	truststore_identify(s->trust_file ? s->trust_file : "system", s->trust_dir, key);
	add_file(key, s->crl_file);
}

static int name_of_key(const struct strbuf *key, char out[65])
{
	gnutls_datum_t text = { (unsigned char *)key->buf, (unsigned)key->len };
	struct strbuf hex = STRBUF_INIT(64);
	unsigned char hash[32];
	size_t n = sizeof(hash);

	if (strbuf_overflow(key) || gtls.fingerprint(GNUTLS_DIG_SHA256, &text, hash, &n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&hex, "%02x", hash[i]);
	memcpy(out, hex.buf, 65);
	strbuf_release(&hex);
	return 0;
}

/*
 * Sessions with a certificate of ours are not kept: who resumes one is that
 * client to the server, and servers that do not set up their side for it
 * break the handshake. Nor is what was not verified at all.
 */
static bool is_worth_it(const struct tls_client *s)
{
	return s->cache && !s->cert_file && !s->pkcs12_file &&
	       (s->verify || s->fingerprint || s->pins || s->tlsa_n);
}

/* --- offering ----------------------------------------------------------- */

/*
 * data = "2" / "3", octets of the library. A ticket of TLS 1.3 is for one
 * connection (RFC 8446, appendix C.4), so it is taken out; a session of TLS
 * 1.2 may be resumed by several at once.
 */
enum { ONCE = '3', OFTEN = '2' };

static void offer(struct tls *t)
{
	struct tls_resume *r = t->resume;
	struct strbuf data = STRBUF_INIT(DATA_MAX);

	if (tls_cache_load(r->folder, r->name, &r->key, &data, &r->until)) {
		if (data.buf[0] == ONCE)
			tls_cache_remove(r->folder, r->name);
		if (gtls_rare.session_set_data(t->session, data.buf + 1, data.len - 1) < 0)
			r->until = 0;
	}
	strbuf_release_secret(&data);
}

void tls_resume_prepare(struct tls *t)
{
	struct error ignored;
	char *folder;

	if (!is_worth_it(t->settings) || gnutls_rare_load(&ignored) < 0)
		return;
	folder = tls_cache_folder(t->settings->cache);
	if (!folder)
		return;
	t->resume = xcalloc(1, sizeof(*t->resume));
	t->resume->folder = folder;
	strbuf_init(&t->resume->key, KEY_MAX);
	make_key(t->settings, &t->resume->key);
	if (name_of_key(&t->resume->key, t->resume->name) < 0)
		tls_resume_drop(t);
	else
		offer(t);
}

/* --- keeping ------------------------------------------------------------ */

/* Not beyond the end of any certificate of the chain. */
static time_t trusted_until(const struct tls *t)
{
	time_t until = time(NULL) + TRUST_SECONDS;
	unsigned n = 0;
	const gnutls_datum_t *chain = gtls.certificate_get_peers(t->session, &n);

	for (unsigned i = 0; chain && i < n; i++) {
		gnutls_x509_crt_t cert = tls_parse_certificate(&chain[i]);
		time_t end = cert ? gtls.x509_crt_get_expiration_time(cert) : 0;

		if (cert)
			gtls.x509_crt_deinit(cert);
		if (end < until)
			until = end;
	}
	return chain ? until : 0;
}

/*
 * The entry was stored for a session that these very settings accepted, so
 * the verdict of that one is the verdict of this one.
 */
void tls_resume_started(struct tls *t)
{
	const struct tls_client *s = t->settings;

	t->resumed = gtls_rare.session_is_resumed(t->session) != 0;
	if (t->resumed && !t->resume->until)
		return;		/* never: nothing was offered */
	if (t->resumed) {
		t->pinned = s->fingerprint || s->pins;
		t->verified = s->tlsa_n || !t->pinned;
	} else if (s->tlsa_n) {
		/* DANE-EE certificates may well have expired: RFC 7671, section 5.1 */
		t->resume->until = time(NULL) + TRUST_SECONDS;
	} else {
		t->resume->until = t->pinned ? time(NULL) + TRUST_SECONDS : trusted_until(t);
	}
	if (!t->verified && !t->pinned)
		tls_resume_drop(t);
}

/* What a peer does that cannot take a session back and does not say so politely. */
static bool is_peers(enum fault fault)
{
	static const enum fault faults[] = {
		FAULT_TLS, FAULT_TLS_ALERT, FAULT_TLS_NO_CIPHER, FAULT_TLS_VERSION_REFUSED,
		FAULT_CONNECTION_LOST,
	};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (faults[i] == fault)
			return true;
	}
	return false;
}

void tls_resume_refused(const struct tls *t, struct error *err)
{
	const struct tls_resume *r = t->resume;

	if (!r || !r->until)
		return;
	tls_cache_remove(r->folder, r->name);
	if (!is_peers(err->fault))
		return;
	error_turn(err, FAULT_TLS_SESSION);
	error_append(err, " (to the session of an earlier connection, which is forgotten now)");
}

/* In TLS 1.3 asking the library before a ticket has come would wait for one. */
void tls_resume_save(struct tls *t)
{
	const struct tls_resume *r = t->resume;
	const bool tls13 = gtls.protocol_get_version(t->session) >= GNUTLS_TLS1_3;
	gnutls_datum_t raw = { NULL, 0 };
	struct strbuf data = STRBUF_INIT(DATA_MAX);

	if (r->until <= time(NULL) ||
	    (tls13 && !(gtls.session_get_flags(t->session) & GNUTLS_SFLAGS_SESSION_TICKET)))
		return;
	if (gtls_rare.session_get_data2(t->session, &raw) < 0)
		return;
	strbuf_addch(&data, tls13 ? ONCE : OFTEN);
	strbuf_add(&data, raw.data, raw.size);
	if (raw.size && !strbuf_overflow(&data))
		tls_cache_store(r->folder, r->name, &r->key, r->until, &data);
	explicit_bzero(raw.data, raw.size);
	(*gtls.free_memory)(raw.data);
	strbuf_release_secret(&data);
}

void tls_resume_drop(struct tls *t)
{
	if (!t->resume)
		return;
	xfree(t->resume->folder);
	strbuf_release(&t->resume->key);
	xfree(t->resume);
	t->resume = NULL;
}
