#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs.h"
#include "tls/gnutls_api.h"
#include "tls/truststore.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* Entry points that only the comparison needs. */
#define EXTRA(X) \
	X(x509_trust_list_init) \
	X(x509_trust_list_deinit) \
	X(x509_trust_list_verify_crt2) \
	X(x509_crt_list_import2) \
	X(x509_crt_export2)
static struct {
#define EXTRA_MEMBER(name) __typeof__(gnutls_##name) *name;
	EXTRA(EXTRA_MEMBER)
} extra;

static void load_library(void)
{
	struct error err = { 0 };

	assert_int_equal(gnutls_api_load(&err), 0);
	void *lib = dlopen(GNUTLS_SONAME, RTLD_LAZY | RTLD_LOCAL), *entry;

	assert_non_null(lib);
#define EXTRA_LOAD(name) \
	entry = dlsym(lib, "gnutls_" #name); \
	assert_non_null(entry); \
	memcpy(&extra.name, &entry, sizeof(entry));
	EXTRA(EXTRA_LOAD)
}

static void read_file(const char *name, struct strbuf *out)
{
	struct error err = { 0 };
	int fd = fs_open_read(certs_path(name));

	assert_true(fd >= 0);
	assert_int_equal(fs_read_fd(fd, name, out, &err), 0);
	close(fd);
}

static const char *write_text(const char *name, const char *text, size_t n)
{
	const char *path = certs_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, n), 0);
	close(fd);
	return path;
}

/* --- a chain of the peer ------------------------------------------------- */

enum { CHAIN_MAX = 8, FILES_MAX = 64 };

struct chain {
	gnutls_x509_crt_t *certs;
	gnutls_datum_t der[CHAIN_MAX];
	unsigned n;
};

static void chain_load(struct chain *c, const char *name)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	read_file(name, &text);
	gnutls_datum_t pem = { (unsigned char *)text.buf, (unsigned)text.len };

	assert_true(extra.x509_crt_list_import2(&c->certs, &c->n, &pem, GNUTLS_X509_FMT_PEM,
						0) >= 0);
	assert_in_range(c->n, 1, CHAIN_MAX);
	for (unsigned i = 0; i < c->n; i++)
		assert_int_equal(extra.x509_crt_export2(c->certs[i], GNUTLS_X509_FMT_DER,
							&c->der[i]), 0);
	strbuf_release(&text);
}

static void chain_free(struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		gtls.x509_crt_deinit(c->certs[i]);
		(*gtls.free_memory)(c->der[i].data);
	}
	(*gtls.free_memory)(c->certs);
}

static unsigned verify(gnutls_x509_trust_list_t list, const struct chain *c)
{
	static char purpose[] = GNUTLS_KP_TLS_WWW_SERVER;
	gnutls_typed_vdata_st data = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)purpose,
	};
	unsigned status = 0;
	int code = extra.x509_trust_list_verify_crt2(list, c->certs, c->n, &data, 1, 0, &status,
						     NULL);

	return code < 0 ? (unsigned)code : status;
}

/* The whole store, as the library itself loads it. */
static gnutls_x509_trust_list_t load_whole(const struct strbuf *pem)
{
	gnutls_datum_t text = { (unsigned char *)pem->buf, (unsigned)pem->len };
	gnutls_x509_trust_list_t list;

	assert_int_equal(extra.x509_trust_list_init(&list, 0), 0);
	assert_true(gtls.x509_trust_list_add_trust_mem(list, &text, NULL, GNUTLS_X509_FMT_PEM,
						       GNUTLS_TL_USE_IN_TLS, 0) > 0);
	return list;
}

/* The verdict with what truststore_choose() takes; *chosen_out = how many. */
static unsigned verify_chosen(const char *path, const struct chain *c, unsigned *chosen_out)
{
	gnutls_x509_trust_list_t list;
	struct truststore *store;
	struct error err = { 0 };

	assert_int_equal(truststore_open(path, NULL, &store, &err), 0);
	assert_int_equal(extra.x509_trust_list_init(&list, 0), 0);
	*chosen_out = truststore_choose(store, c->der, c->n, list);
	unsigned status = verify(list, c);

	extra.x509_trust_list_deinit(list, 1);
	truststore_free(store);
	return status;
}

struct listing {
	char names[FILES_MAX][64];
	unsigned n;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void list_files(const char *sub, const char *skipped, struct listing *out)
{
	DIR *dir = opendir(certs_path(sub));
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, skipped) == 0)
			continue;
		assert_true(out->n < FILES_MAX);
		snprintf(out->names[out->n++], sizeof(out->names[0]), "%s/%.50s", sub, e->d_name);
	}
	closedir(dir);
	qsort(out->names, out->n, sizeof(out->names[0]), compare_names);
}

/*
 * The claim of the module: for every chain and every store the verdict is,
 * bit by bit, that of the library with the whole store. The stores are each
 * single CA, each pair, and pseudo-random sets in pseudo-random order, all
 * among CAs that have nothing to do with the chain.
 */
struct comparison {
	struct listing store, peers;
	struct chain chains[FILES_MAX];
	struct strbuf text[FILES_MAX], filler;
	unsigned long accepted, refused, chosen;
	uint32_t random;
};

static uint32_t next_random(struct comparison *c)
{
	c->random = c->random * 1664525u + 1013904223u;
	return c->random >> 8;
}

static void compare_all(struct comparison *c, const struct strbuf *pem, const char *what)
{
	const char *path = write_text("tried.pem", pem->buf, pem->len);
	gnutls_x509_trust_list_t list = load_whole(pem);
	unsigned chosen;

	for (unsigned i = 0; i < c->peers.n; i++) {
		unsigned whole = verify(list, &c->chains[i]);
		unsigned some = verify_chosen(path, &c->chains[i], &chosen);

		if (whole != some)
			fail_msg("%s with %s: %x with the whole store, %x with %u chosen",
				 c->peers.names[i], what, whole, some, chosen);
		c->accepted += whole == 0;
		c->refused += whole != 0;
		c->chosen += chosen;
	}
	extra.x509_trust_list_deinit(list, 1);
}

static void compare_pairs(struct comparison *c)
{
	for (unsigned i = 0; i < c->store.n; i++) {
		for (unsigned j = i; j < c->store.n; j++) {
			struct strbuf pem = STRBUF_INIT(1 << 20);
			char what[200];

			strbuf_add(&pem, c->text[i].buf, c->text[i].len);
			if (i != j)
				strbuf_add(&pem, c->text[j].buf, c->text[j].len);
			snprintf(what, sizeof(what), "%s, %s", c->store.names[i],
				 c->store.names[j]);
			compare_all(c, &pem, what);
			strbuf_release(&pem);
		}
	}
}

static void compare_random(struct comparison *c, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		struct strbuf pem = STRBUF_INIT(1 << 20);
		char what[40];
		unsigned wanted = next_random(c) % (c->store.n + 1);
		unsigned filler_at = next_random(c) % 16;

		for (unsigned i = 0; i < wanted; i++) {
			const struct strbuf *one = &c->text[next_random(c) % c->store.n];

			if (i == filler_at)
				strbuf_add(&pem, c->filler.buf, c->filler.len);
			strbuf_add(&pem, one->buf, one->len);
		}
		if (filler_at >= wanted)
			strbuf_add(&pem, c->filler.buf, c->filler.len);
		snprintf(what, sizeof(what), "random store %u", round);
		compare_all(c, &pem, what);
		strbuf_release(&pem);
	}
}

static void test_same_as_whole_store(void **state)
{
	static struct comparison c;

	(void)state;
	certs_need();
	list_files("store", "filler.pem", &c.store);
	list_files("peers", "", &c.peers);
	c.random = 4711;
	strbuf_init(&c.filler, 1 << 20);
	read_file("store/filler.pem", &c.filler);
	for (unsigned i = 0; i < c.store.n; i++) {
		strbuf_init(&c.text[i], 1 << 20);
		read_file(c.store.names[i], &c.text[i]);
	}
	for (unsigned i = 0; i < c.peers.n; i++)
		chain_load(&c.chains[i], c.peers.names[i]);
	compare_pairs(&c);
	compare_random(&c, 60);
	/* the comparison is worth something: both verdicts occurred often, and few were chosen */
	assert_true(c.accepted > 500 && c.refused > 500);
	assert_true(c.chosen > 1000 && c.chosen < 8 * (c.accepted + c.refused));
	for (unsigned i = 0; i < c.store.n; i++)
		strbuf_release(&c.text[i]);
	for (unsigned i = 0; i < c.peers.n; i++)
		chain_free(&c.chains[i]);
	strbuf_release(&c.filler);
}

static unsigned chosen_from(const char *path, const char *chain_name, unsigned *status_out)
{
	struct chain c = { 0 };
	unsigned chosen;

	chain_load(&c, chain_name);
	*status_out = verify_chosen(path, &c, &chosen);
	chain_free(&c);
	return chosen;
}

/* Of sixty CAs exactly the one that is needed is parsed. */
static void test_few_are_chosen(void **state)
{
	unsigned status;

	(void)state;
	certs_need();
	assert_int_equal(chosen_from(certs_path("bundle.pem"), "peers/direct.pem", &status), 1);
	assert_int_equal(status, 0);
	assert_int_equal(chosen_from(certs_path("bundle.pem"), "peers/mid.pem", &status), 1);
	assert_int_equal(status, 0);
	assert_int_equal(chosen_from(certs_path("bundle.pem"), "peers/self.pem", &status), 0);
	assert_int_not_equal(status, 0);
	assert_int_equal(chosen_from(certs_path("store/filler.pem"), "peers/mid.pem", &status), 0);
	assert_int_not_equal(status, 0);
}

/* Takes the PEM of ca.pem apart and lays it out anew. */
static void relay(struct strbuf *out, unsigned width, const char *eol, const char *indent)
{
	struct strbuf ca = STRBUF_INIT(1 << 16);
	unsigned column = 0;

	read_file("ca.pem", &ca);
	const char *body = strchr(ca.buf, '\n') + 1, *end = strstr(body, "-----END");

	strbuf_addf(out, "-----BEGIN CERTIFICATE-----%s", eol);
	for (; body < end; body++) {
		if (*body == '\n')
			continue;
		if (column == 0)
			strbuf_addstr(out, indent);
		strbuf_addch(out, *body);
		if (++column == width) {
			strbuf_addstr(out, eol);
			column = 0;
		}
	}
	strbuf_addf(out, "%s-----END CERTIFICATE-----%s", column ? eol : "", eol);
	strbuf_release(&ca);
}

/* However the lines are cut, the certificate is found: no group of four is special. */
static void test_layout(void **state)
{
	static const char *const ends[] = { "\n", "\r\n" };
	static const char *const indents[] = { "", " ", "\t " };
	unsigned status;

	(void)state;
	certs_need();
	for (unsigned width = 1; width <= 80; width += width < 10 ? 1 : 7) {
		for (size_t e = 0; e < ARRAY_LEN(ends); e++) {
			for (size_t i = 0; i < ARRAY_LEN(indents); i++) {
				struct strbuf pem = STRBUF_INIT(1 << 20);

				strbuf_addstr(&pem, "text before - with -----dashes-----\n");
				relay(&pem, width, ends[e], indents[i]);
				const char *path = write_text("laid.pem", pem.buf, pem.len);

				assert_int_equal(chosen_from(path, "peers/direct.pem", &status), 1);
				assert_int_equal(status, 0);
				strbuf_release(&pem);
			}
		}
	}
}

static void test_old_label(void **state)
{
	struct strbuf ca = STRBUF_INIT(1 << 16), pem = STRBUF_INIT(1 << 16);
	unsigned status;

	(void)state;
	certs_need();
	read_file("ca.pem", &ca);
	const char *body = strchr(ca.buf, '\n'), *end = strstr(ca.buf, "-----END");

	strbuf_addstr(&pem, "-----BEGIN X509 CERTIFICATE-----");
	strbuf_add(&pem, body, (size_t)(end - body));
	strbuf_addstr(&pem, "-----END X509 CERTIFICATE-----");	/* and no line end */
	assert_int_equal(chosen_from(write_text("laid.pem", pem.buf, pem.len),
				     "peers/direct.pem", &status), 1);
	assert_int_equal(status, 0);
	strbuf_release(&ca);
	strbuf_release(&pem);
}

/* A store that is cut off or damaged somewhere never crashes, nor accepts more. */
static void test_damaged(void **state)
{
	struct strbuf two = STRBUF_INIT(1 << 16);
	unsigned status;

	(void)state;
	certs_need();
	read_file("ca2.pem", &two);
	size_t first = two.len;

	read_file("ca.pem", &two);
	for (size_t n = first; n < two.len; n += 3) {
		const char *path = write_text("laid.pem", two.buf, n);
		unsigned chosen = chosen_from(path, "peers/direct.pem", &status);

		if ((chosen == 0) != (status != 0) || (chosen && n + 21 < two.len))
			fail_msg("%zu of %zu octets: %u chosen, %x", n, two.len, chosen, status);
	}
	for (size_t at = first + 28; at < two.len - 30; at += 5) {
		char kept = two.buf[at];

		two.buf[at] = '*';
		const char *path = write_text("laid.pem", two.buf, two.len);

		assert_int_equal(chosen_from(path, "peers/direct.pem", &status), 0);
		two.buf[at] = kept;
	}
	/* the damage is in the first: the second is found all the same */
	two.buf[100] = '*';
	assert_int_equal(chosen_from(write_text("laid.pem", two.buf, two.len),
				     "peers/direct.pem", &status), 1);
	assert_int_equal(status, 0);
	strbuf_release(&two);
}

/* --- opening ------------------------------------------------------------- */

static void open_fails(const char *path, int exit, const char *words)
{
	struct truststore *store = NULL;
	struct error err = { 0 };

	assert_int_equal(truststore_open(path, NULL, &store, &err), -1);
	assert_null(store);
	assert_int_equal(err.exit, exit);
	assert_string_equal(err.status, "5.3.5");
	if (!strstr(err.text, words) || !strstr(err.text, path))
		fail_msg("'%s' or '%s' is not in '%s'", words, path, err.text);
}

static void test_open(void **state)
{
	struct truststore *store = NULL;
	struct error err = { 0 };

	(void)state;
	open_fails(certs_path("missing.pem"), EX_OSFILE, "No such file");
	open_fails(certs_folder, EX_OSFILE, "cannot open");
	open_fails("/dev/null", EX_CONFIG, "no certificate");
	open_fails(write_text("empty.pem", "", 0), EX_CONFIG, "no certificate");
	open_fails(write_text("empty.pem", "hello\n", 6), EX_CONFIG, "PEM");
	open_fails(write_text("empty.pem", "-----BEGIN CERTIFICATE-----", 27), EX_CONFIG,
		   "no certificate");
	open_fails(write_text("empty.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n"
			      "-----END PRIVATE KEY-----\n", 60), EX_CONFIG, "no certificate");
	if (access(SYSTEM_TRUST_BUNDLE, R_OK) == 0) {
		assert_int_equal(truststore_open("system", NULL, &store, &err), 0);
		truststore_free(store);
	}
	truststore_free(NULL);
}

/* From a pipe the size is not known beforehand. */
static void test_open_pipe(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct truststore *store = NULL;
	struct error err = { 0 };
	gnutls_x509_trust_list_t list;
	int ends[2], status;
	char path[64];

	(void)state;
	certs_need();
	read_file("bundle.pem", &text);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0)
		_exit(fs_write_all(ends[1], text.buf, text.len) < 0);
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(truststore_open(path, NULL, &store, &err), 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(extra.x509_trust_list_init(&list, 0), 0);
	assert_int_equal(truststore_add_all(store, list), 61);
	extra.x509_trust_list_deinit(list, 1);
	truststore_free(store);
	strbuf_release(&text);
}

/* With a chain that cannot be read the whole store is handed over. */
static void test_unreadable_chain(void **state)
{
	gnutls_datum_t junk = { (unsigned char *)(uintptr_t)"\x30\x80", 2 };
	gnutls_x509_trust_list_t list;
	struct truststore *store;
	struct error err = { 0 };

	(void)state;
	certs_need();
	assert_int_equal(truststore_open(certs_path("bundle.pem"), NULL, &store, &err), 0);
	assert_int_equal(extra.x509_trust_list_init(&list, 0), 0);
	assert_int_equal(truststore_choose(store, &junk, 1, list), 61);
	extra.x509_trust_list_deinit(list, 1);
	truststore_free(store);
}

/* A certificate of the store that is not of the usual form is the library's to judge. */
static void test_unreadable_certificate(void **state)
{
	static const char odd[] = "-----BEGIN CERTIFICATE-----\nMIAwgA==\n"
		"-----END CERTIFICATE-----\n";
	struct strbuf pem = STRBUF_INIT(1 << 16);
	unsigned status;

	(void)state;
	certs_need();
	strbuf_addstr(&pem, odd);
	read_file("ca.pem", &pem);
	strbuf_addstr(&pem, odd);
	assert_int_equal(chosen_from(write_text("laid.pem", pem.buf, pem.len),
				     "peers/direct.pem", &status), 1);
	assert_int_equal(status, 0);
	strbuf_release(&pem);
}

/* --- the text itself ------------------------------------------------------ */

/* With ends of lines as they are, as "\\n", and as blanks. */
static void test_inline(void **state)
{
	static const char *const ends[] = { "\n", "\\n", " " };
	struct strbuf pem = STRBUF_INIT(1 << 16);
	struct chain c = { 0 };
	unsigned chosen;

	(void)state;
	certs_need();
	read_file("ca.pem", &pem);
	chain_load(&c, "peers/direct.pem");
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct strbuf text = STRBUF_INIT(1 << 16);

		for (size_t j = 0; j < pem.len; j++) {
			if (pem.buf[j] == '\n')
				strbuf_addstr(&text, ends[i]);
			else
				strbuf_addch(&text, pem.buf[j]);
		}
		assert_int_equal(verify_chosen(text.buf, &c, &chosen), 0);
		assert_int_equal(chosen, 1);
		strbuf_release(&text);
	}
	chain_free(&c);
	strbuf_release(&pem);
}

/* --- folders -------------------------------------------------------------- */

static const char *folder_file(const char *folder, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void copy_to(const char *from, const char *folder, const char *name)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	char path[512];

	read_file(from, &text);
	snprintf(path, sizeof(path), "%s", folder_file(folder, name));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text.buf, text.len), 0);
	close(fd);
	strbuf_release(&text);
}

static void rehash(const char *folder)
{
	char openssl[] = "openssl", command[] = "rehash", path[512];
	char *const argv[] = { openssl, command, path, NULL };
	struct strbuf out = STRBUF_INIT(1 << 16);
	struct error err = { 0 };

	snprintf(path, sizeof(path), "%s", folder);
	if (proc_capture(argv, 60, &out, &err) < 0)
		fail_msg("%s", err.text);
	strbuf_release(&out);
}

/* The verdict on a chain with a folder, and how many certificates were taken from it. */
static unsigned verify_with(const char *file, const char *folder, const char *chain_name,
			    unsigned *chosen_out)
{
	gnutls_x509_trust_list_t list;
	struct truststore *store;
	struct error err = { 0 };
	struct chain c = { 0 };

	chain_load(&c, chain_name);
	if (truststore_open(file, folder, &store, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(extra.x509_trust_list_init(&list, 0), 0);
	*chosen_out = truststore_choose(store, c.der, c.n, list);
	unsigned status = verify(list, &c);

	extra.x509_trust_list_deinit(list, 1);
	truststore_free(store);
	chain_free(&c);
	return status;
}

static const char *make_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s", certs_path(name));
	assert_int_equal(mkdir(path, 0700), 0);
	return path;
}

/* Names of any kind: all files that may be certificates are looked through, no others. */
static void test_folder(void **state)
{
	const char *folder;
	unsigned chosen;

	(void)state;
	certs_need();
	folder = make_folder("plain-folder");
	copy_to("store/filler.pem", folder, "filler.pem");
	copy_to("ca.pem", folder, "ours.CRT");
	copy_to("ca2.pem", folder, "ca2.txt");
	copy_to("server.key", folder, "key.pem");
	assert_int_equal(symlink("/nonexistent", folder_file(folder, "dangling.pem")), 0);
	assert_int_equal(verify_with("system", folder, "peers/direct.pem", &chosen), 0);
	assert_int_equal(chosen, 1);
	assert_int_not_equal(verify_with("system", folder, "bad-unknown-ca.pem", &chosen), 0);
	/* a file beside the folder counts as well; the system's does not */
	assert_int_equal(verify_with(certs_path("ca2.pem"), folder, "bad-unknown-ca.pem",
				     &chosen), 0);
	assert_int_equal(verify_with(certs_path("ca2.pem"), folder, "peers/direct.pem",
				     &chosen), 0);
}

/* Of hashed names only the one file is opened: the others could not even be read. */
static void test_folder_hashed(void **state)
{
	const char *folder;
	unsigned chosen;

	(void)state;
	certs_need();
	folder = make_folder("hashed-folder");
	copy_to("ca.pem", folder, "ca.pem");
	copy_to("ca2.pem", folder, "ca2.pem");
	copy_to("store/twin-a.pem", folder, "twin-a.pem");
	copy_to("store/twin-b.pem", folder, "twin-b.pem");
	rehash(folder);
	/* what is read behind the links' back is no certificate any more */
	copy_to("server.key", folder, "ca2.pem");
	assert_int_equal(verify_with("system", folder, "peers/direct.pem", &chosen), 0);
	assert_int_equal(chosen, 1);
	assert_int_equal(verify_with("system", folder, "peers/twin-a.pem", &chosen), 0);
	assert_int_equal(chosen, 2);
	assert_int_equal(verify_with("system", folder, "peers/twin-b.pem", &chosen), 0);
	assert_int_not_equal(verify_with("system", folder, "bad-unknown-ca.pem", &chosen), 0);
	/* one more, not hashed yet, is found all the same */
	copy_to("ca2.pem", folder, "new.pem");
	assert_int_equal(verify_with("system", folder, "bad-unknown-ca.pem", &chosen), 0);
}

/* Certificates in DER, as other systems keep them. */
static void test_folder_der(void **state)
{
	struct chain c = { 0 };
	const char *folder;
	unsigned chosen;

	(void)state;
	certs_need();
	folder = make_folder("der-folder");
	chain_load(&c, "ca.pem");
	int fd = open(folder_file(folder, "ca.cer"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, c.der[0].data, c.der[0].size), 0);
	close(fd);
	chain_free(&c);
	assert_int_equal(verify_with("system", folder, "peers/direct.pem", &chosen), 0);
	assert_int_equal(chosen, 1);
}

static void test_folder_missing(void **state)
{
	struct truststore *store = NULL;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(truststore_open("system", "/nonexistent/dir", &store, &err), -1);
	assert_int_equal(err.exit, EX_OSFILE);
	assert_true(strstr(err.text, "trust folder /nonexistent/dir: No such") != NULL);
	assert_int_equal(truststore_open("system", "/dev/null", &store, &err), -1);
	assert_int_equal(err.exit, EX_OSFILE);
	assert_null(store);
}

/* What is stored for a session changes when the store does. */
static void test_identify(void **state)
{
	struct strbuf a = STRBUF_INIT(4096), b = STRBUF_INIT(4096);
	const char *path = write_text("changing.pem", "one", 3);

	(void)state;
	truststore_identify(path, NULL, &a);
	truststore_identify(path, NULL, &b);
	assert_string_equal(a.buf, b.buf);
	path = write_text("changing.pem", "three", 5);
	strbuf_reset(&b);
	truststore_identify(path, NULL, &b);
	assert_string_not_equal(a.buf, b.buf);
	strbuf_reset(&a);
	truststore_identify("system", "/tmp", &a);
	assert_null(strstr(a.buf, SYSTEM_TRUST_BUNDLE));
	strbuf_reset(&a);
	truststore_identify("-----BEGIN CERTIFICATE-----AAAA", NULL, &a);
	assert_string_equal(a.buf, "-----BEGIN CERTIFICATE-----AAAA\n");
	strbuf_release(&a);
	strbuf_release(&b);
}

static int setup(void **state)
{
	load_library();
	return certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_whole_store),
		cmocka_unit_test(test_few_are_chosen),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_old_label),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_pipe),
		cmocka_unit_test(test_unreadable_chain),
		cmocka_unit_test(test_unreadable_certificate),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_folder_hashed),
		cmocka_unit_test(test_folder_der),
		cmocka_unit_test(test_folder_missing),
		cmocka_unit_test(test_identify),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
