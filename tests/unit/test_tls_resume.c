#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certs.h"
#include "tls/tls_private.h"
#include "tls_peer.h"

static const char cache_name[] = "cache";

static gnutls_datum_t ticket_key;

/* A folder that is not there yet. */
static char *new_cache(void)
{
	static unsigned count;
	char name[64];

	snprintf(name, sizeof(name), "%s-%u/tls", cache_name, count++);
	return xstrdup(certs_path(name));
}

static unsigned count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* The one file of the folder. */
static char *only_file(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[1024] = "";

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
	}
	closedir(dir);
	assert_string_not_equal(path, "");
	return xstrdup(path);
}

/* One session; was it resumed? The server has to say the same. */
static bool resumed(struct tls_client client, const char *cert, const char *priorities)
{
	struct trial t = {
		.scene = { .cert = cert, .priorities = priorities, .tickets = true,
			   .ticket_key = &ticket_key, .act = ACT_RESUMED },
		.client = client,
	};
	char word[8] = "";

	if (trial_start(&t) < 0)
		fail_msg("%s", t.err.text);
	struct deadline d = limit_now();
	const bool yes = is_resumed(t.tls);

	assert_int_equal(stream_read_exact(t.tls, word, 7, &d, &t.err), 0);
	assert_string_equal(word, yes ? "resumed" : "full...");
	echo_once(&t);
	assert_true(tls_authenticated(t.tls));
	assert_int_equal(tls_verified(t.tls), !client.pins && !client.fingerprint);
	const bool kept = client.cache && !client.cert_file;

	/* what is to be resumed ends politely: many servers forget it otherwise */
	assert_int_equal(trial_end(&t), kept ? PEER_OK : PEER_PREMATURE);
	return yes;
}

static struct tls_client usual(const char *cache)
{
	return (struct tls_client){ .verify = true, .cache = cache, .cache_name = "default x",
				    .port = 587 };
}

/* TLS 1.2 and 1.3: the second session is resumed, and the third. */
static void test_resumed(void **state)
{
	static const char *const versions[] = { tls12, tls13, normal };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		char *cache = new_cache();
		struct stat st;

		assert_false(resumed(usual(cache), "server.pem", versions[i]));
		assert_int_equal(count_files(cache), 1);
		assert_true(resumed(usual(cache), "server.pem", versions[i]));
		assert_true(resumed(usual(cache), "server.pem", versions[i]));
		assert_int_equal(count_files(cache), 1);
		char *file = only_file(cache);

		assert_int_equal(lstat(file, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(lstat(cache, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		xfree(file);
		xfree(cache);
	}
}

/* A ticket of TLS 1.3 is not there for a second session while the first one goes on. */
static void test_used_once(void **state)
{
	static const char *const versions[] = { tls12, tls13 };

	(void)state;
	certs_need();
	for (unsigned i = 0; i < ARRAY_LEN(versions); i++) {
		char *cache = new_cache();
		struct trial t = {
			.scene = { .cert = "server.pem", .priorities = versions[i], .tickets = true,
				   .ticket_key = &ticket_key },
			.client = usual(cache),
		};

		assert_false(resumed(usual(cache), "server.pem", versions[i]));
		assert_int_equal(count_files(cache), 1);
		assert_int_equal(trial_start(&t), 0);
		assert_true(is_resumed(t.tls));
		assert_int_equal(count_files(cache), i == 0);
		echo_once(&t);
		trial_end(&t);
		xfree(cache);
	}
}

static void test_no_cache(void **state)
{
	struct tls_client client = usual(NULL);

	(void)state;
	certs_need();
	assert_false(resumed(client, "server.pem", tls13));
	assert_false(resumed(client, "server.pem", tls13));
}

/* A cache that cannot be is no failure of the session. */
static void test_no_folder(void **state)
{
	(void)state;
	certs_need();
	assert_false(resumed(usual("/proc/nonexistent/tls"), "server.pem", tls13));
	assert_false(resumed(usual("/dev/null"), "server.pem", tls13));
	assert_false(resumed(usual(""), "server.pem", tls13));
}

/* Another account, server, port, trust, pin, version: never with a session of these. */
static void test_key(void **state)
{
	static const char *const pins[] = {
		"cert-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		NULL,
	};
	char *cache, *other, *folder;
	struct tls_client c, variants[9];
	size_t n = 0;

	(void)state;
	certs_need();
	cache = new_cache();
	other = xstrdup(certs_path("bundle.pem"));
	folder = xstrdup(certs_folder);
	c = usual(cache);
	assert_false(resumed(c, "server.pem", tls12));
	assert_true(resumed(c, "server.pem", tls12));
	for (; n < ARRAY_LEN(variants); n++)
		variants[n] = c;
	variants[0].cache_name = "work x";
	variants[1].port = 465;
	variants[2].host = "127.0.0.1";
	variants[3].trust_file = other;
	variants[4].trust_dir = folder;
	variants[5].only_tls13 = true;
	variants[6].priorities = "NORMAL";
	variants[7].also_host = "mail.example.org";
	variants[8].ocsp_ignored = true;
	for (size_t i = 0; i < n; i++) {
		if (resumed(variants[i], "server.pem", normal))
			fail_msg("variant %zu", i);
	}
	assert_true(resumed(c, "server.pem", tls12));
	/* with a pin that does not fit, nothing that was stored without it helps */
	struct trial t = { .scene = { .cert = "server.pem", .tickets = true,
				      .ticket_key = &ticket_key, .act = ACT_RESUMED },
			   .client = c };

	t.client.pins = pins;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "tls_pin wants");
	trial_end(&t);
	xfree(cache);
	xfree(other);
	xfree(folder);
}

/* The trust file is another one now: the certificate is looked at again. */
static void test_trust_changed(void **state)
{
	char *cache, *trust;
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct error err = { 0 };
	struct tls_client c;

	(void)state;
	certs_need();
	cache = new_cache();
	trust = xstrdup(certs_path("changing-trust.pem"));
	int from = fs_open_read(certs_path("ca.pem"));

	assert_int_equal(fs_read_fd(from, "ca.pem", &text, &err), 0);
	close(from);
	int fd = open(trust, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, text.buf, text.len), 0);
	c = usual(cache);
	c.trust_file = trust;
	assert_false(resumed(c, "server.pem", tls13));
	assert_true(resumed(c, "server.pem", tls13));
	assert_int_equal(fs_write_all(fd, "\n", 1), 0);
	close(fd);
	assert_false(resumed(c, "server.pem", tls13));
	strbuf_release(&text);
	xfree(cache);
	xfree(trust);
}

/* Unverified sessions, and those with a certificate of ours, are not kept. */
static void test_not_kept(void **state)
{
	char *cache, *cert, *key;

	(void)state;
	certs_need();
	cache = new_cache();
	cert = xstrdup(certs_path("client.pem"));
	key = xstrdup(certs_path("client.key"));
	struct tls_client c = usual(cache);

	c.cert_file = cert;
	c.key_file = key;
	assert_false(resumed(c, "server.pem", tls13));
	assert_int_equal(count_files(cache), 0);
	struct trial t = { .scene = { .cert = "bad-expired.pem", .tickets = true,
				      .ticket_key = &ticket_key }, .client = usual(cache) };

	t.client.verify = false;
	assert_int_equal(trial_start(&t), 0);
	echo_once(&t);
	trial_end(&t);
	assert_int_equal(count_files(cache), 0);
	t.client.verify = true;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "expired");
	trial_end(&t);
	assert_int_equal(count_files(cache), 0);
	xfree(cache);
	xfree(cert);
	xfree(key);
}

static void test_pinned(void **state)
{
	char *cache, file[256];
	const char *pins[] = { file, NULL };

	(void)state;
	certs_need();
	cache = new_cache();
	snprintf(file, sizeof(file), "file:%s", certs_path("server.pem"));
	struct tls_client c = usual(cache);

	c.pins = pins;
	assert_false(resumed(c, "bad-self-signed.pem", tls13));
	assert_true(resumed(c, "bad-self-signed.pem", tls13));
	xfree(cache);
}

static void read_whole(const char *path, struct strbuf *out)
{
	struct error err = { 0 };
	int fd = fs_open_read(path);

	assert_int_equal(fs_read_fd(fd, path, out, &err), 0);
	close(fd);
}

/* The SHA-256 of the one certificate in a file. */
static void hash_of(const char *name, unsigned char hash[32])
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct error err = { 0 };
	size_t n = 32;

	read_whole(certs_path(name), &text);
	gnutls_datum_t pem = { (unsigned char *)text.buf, (unsigned)text.len }, der;

	assert_int_equal(gnutls_rare_load(&err), 0);
	assert_int_equal(gtls_rare.pem_base64_decode2("CERTIFICATE", &pem, &der), 0);
	assert_int_equal(gtls.fingerprint(GNUTLS_DIG_SHA256, &der, hash, &n), 0);
	(*gtls.free_memory)(der.data);
	strbuf_release(&text);
}

/* What one fingerprint has accepted another one has not. */
static void test_fingerprint(void **state)
{
	struct strbuf hex = STRBUF_INIT(100);
	unsigned char hash[32];
	char *cache;

	(void)state;
	certs_need();
	cache = new_cache();
	hash_of("bad-self-signed.pem", hash);
	tls_add_hex(&hex, hash, sizeof(hash));
	struct tls_client c = usual(cache);

	c.fingerprint = hex.buf;
	assert_false(resumed(c, "bad-self-signed.pem", tls13));
	assert_true(resumed(c, "bad-self-signed.pem", tls13));
	hex.buf[0] = hex.buf[0] == '0' ? '1' : '0';
	struct trial t = { .scene = { .cert = "bad-self-signed.pem", .tickets = true,
				      .ticket_key = &ticket_key }, .client = c };

	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "tls_fingerprint");
	trial_end(&t);
	strbuf_release(&hex);
	xfree(cache);
}

/* Nor is a session used beyond the end of its certificate, half a day from now. */
static void test_until(void **state)
{
	static const char magic[] = "msubmit-tls 1 ";
	struct strbuf text = STRBUF_INIT(1 << 20);
	char *cache, *file;

	(void)state;
	certs_need();
	cache = new_cache();
	assert_false(resumed(usual(cache), "ok-half-a-day.pem", tls13));
	file = only_file(cache);
	read_whole(file, &text);
	assert_int_equal(strncmp(text.buf, magic, strlen(magic)), 0);
	const time_t until = (time_t)strtoll(text.buf + strlen(magic), NULL, 10);

	assert_true(until <= time(NULL) + 12 * 3600);
	assert_true(resumed(usual(cache), "ok-half-a-day.pem", tls13));
	strbuf_release(&text);
	xfree(file);
	xfree(cache);
}

/* The server has forgotten its key: a whole handshake, with all checks. */
static void test_refused(void **state)
{
	char *cache;
	gnutls_datum_t key, before = ticket_key;

	(void)state;
	certs_need();
	cache = new_cache();
	assert_false(resumed(usual(cache), "server.pem", tls13));
	assert_int_equal(extra.session_ticket_key_generate(&key), 0);
	ticket_key = key;
	assert_false(resumed(usual(cache), "server.pem", tls13));
	assert_true(resumed(usual(cache), "server.pem", tls13));
	/* and with another certificate behind the same name it is refused */
	ticket_key = before;
	struct trial t = { .scene = { .cert = "bad-unknown-ca.pem", .tickets = true,
				      .ticket_key = &ticket_key }, .client = usual(cache) };

	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "Unknown CA");
	trial_end(&t);
	(*gtls.free_memory)(key.data);
	xfree(cache);
}

/* Whatever is done to the file: a whole handshake, and no harm. */
static void test_damaged(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	char *cache, *file;

	(void)state;
	certs_need();
	cache = new_cache();
	assert_false(resumed(usual(cache), "server.pem", tls12));
	file = only_file(cache);
	read_whole(file, &text);
	for (size_t i = 0; i < 12; i++) {
		size_t n = i < 6 ? text.len * i / 6 : text.len;

		int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(fs_write_all(fd, text.buf, n), 0);
		if (i >= 6)	/* an octet of the session itself */
			assert_int_equal(pwrite(fd, "\xff", 1, (off_t)(n - 1 - (i - 6) * 40)), 1);
		close(fd);
		(void)resumed(usual(cache), "server.pem", tls12);
	}
	strbuf_release(&text);
	xfree(file);
	xfree(cache);
}

/* A server that breaks off at a session: it is forgotten, and the next one is whole. */
static void test_broken_off(void **state)
{
	(void)state;
	certs_need();
	char *cache = new_cache();
	struct trial t = {
		.scene = { .cert = "server.pem", .priorities = tls13, .tickets = true,
			   .ticket_key = &ticket_key, .refuse_session = true },
		.client = usual(cache),
	};

	assert_false(resumed(usual(cache), "server.pem", tls13));
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_TEMPFAIL, "4.7.5", "the session of an earlier connection");
	assert_int_equal(t.err.fault, FAULT_TLS_SESSION);
	assert_int_equal(trial_end(&t), PEER_HANDSHAKE);
	assert_int_equal(count_files(cache), 0);
	assert_int_equal(trial_start(&t), 0);
	echo_once(&t);
	trial_end(&t);
	/* a certificate that is not acceptable is no such thing */
	t.scene.refuse_session = false;
	t.scene.cert = "bad-expired.pem";
	t.scene.ticket_key = NULL;
	assert_int_equal(trial_start(&t), -1);
	assert_int_equal(t.err.fault, FAULT_CERTIFICATE_EXPIRED);
	trial_end(&t);
	xfree(cache);
}

/* No file of another mode, kind or place is taken. */
static void test_unsafe(void **state)
{
	char *cache, *file, away[1024];
	struct stat st;

	(void)state;
	certs_need();
	cache = new_cache();
	assert_false(resumed(usual(cache), "server.pem", tls12));
	file = only_file(cache);
	assert_int_equal(chmod(file, 0640), 0);
	assert_false(resumed(usual(cache), "server.pem", tls12));
	assert_int_equal(lstat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);	/* replaced */
	assert_true(resumed(usual(cache), "server.pem", tls12));
	snprintf(away, sizeof(away), "%s-away", cache);
	assert_int_equal(rename(file, away), 0);
	assert_int_equal(symlink(away, file), 0);
	assert_false(resumed(usual(cache), "server.pem", tls12));
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(link(away, file), 0);
	assert_false(resumed(usual(cache), "server.pem", tls12));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_false(resumed(usual(cache), "server.pem", tls12));
	assert_true(resumed(usual(cache), "server.pem", tls12));
	/* nor a folder that others may write to, nor a link to one */
	assert_int_equal(chmod(cache, 0777), 0);
	assert_false(resumed(usual(cache), "server.pem", tls12));
	assert_int_equal(chmod(cache, 0700), 0);
	snprintf(away, sizeof(away), "%s-link", cache);
	assert_int_equal(symlink(cache, away), 0);
	assert_false(resumed(usual(away), "server.pem", tls12));
	xfree(file);
	xfree(cache);
}

static void test_dane_records(void **state)
{
	unsigned char hash[32];
	struct tlsa record = { .usage = TLSA_DANE_EE, .selector = TLSA_CERTIFICATE,
			       .matching = TLSA_SHA256, .data = hash, .n = 32 };
	char *cache;

	(void)state;
	certs_need();
	cache = new_cache();
	hash_of("bad-expired.pem", hash);
	struct tls_client c = usual(cache);

	c.tlsa = &record;
	c.tlsa_n = 1;
	assert_false(resumed(c, "bad-expired.pem", tls13));
	assert_true(resumed(c, "bad-expired.pem", tls13));
	/* the record has changed: what it said before is worth nothing */
	hash[0] ^= 1;
	struct trial t = { .scene = { .cert = "bad-expired.pem", .tickets = true,
				      .ticket_key = &ticket_key }, .client = c };

	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_TEMPFAIL, "4.7.5", "no TLSA record");
	trial_end(&t);
	xfree(cache);
}

static int setup(void **state)
{
	if (tls_peer_load() < 0 || extra.session_ticket_key_generate(&ticket_key) < 0)
		return -1;
	return certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_used_once),
		cmocka_unit_test(test_no_cache),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_trust_changed),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_unsafe),
		cmocka_unit_test(test_dane_records),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
