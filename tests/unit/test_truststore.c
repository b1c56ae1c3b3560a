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
#include <sys/wait.h>
#include <unistd.h>

#include "certs.h"
#include "net/gnutls_api.h"
#include "net/truststore.h"
#include "util/error.h"
#include "util/fs.h"
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

	assert_int_equal(truststore_open(path, &store, &err), 0);
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

	assert_int_equal(truststore_open(path, &store, &err), -1);
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
		assert_int_equal(truststore_open("system", &store, &err), 0);
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
	assert_int_equal(truststore_open(path, &store, &err), 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(extra.x509_trust_list_init(&list, 0), 0);
	assert_int_equal(truststore_add_all(store, list), 61);
	extra.x509_trust_list_deinit(list, 1);
	truststore_free(store);
	strbuf_release(&text);
}

/* --- the walk through a certificate --------------------------------------- */

static void test_names(void **state)
{
	struct chain c = { 0 };
	struct octets issuer, subject;

	(void)state;
	certs_need();
	chain_load(&c, "chain.pem");
	assert_int_equal(truststore_names(c.der[0].data, c.der[0].size, &issuer, &subject), 0);
	assert_int_equal(issuer.data[0], 0x30);
	assert_int_equal(issuer.data[1], issuer.n - 2);
	assert_memory_equal(issuer.data + issuer.n - 17, "Test Intermediate", 17);
	assert_memory_equal(subject.data + subject.n - 9, "localhost", 9);
	assert_int_equal(truststore_names(c.der[1].data, c.der[1].size, &issuer, &subject), 0);
	assert_memory_equal(issuer.data + issuer.n - 7, "Test CA", 7);
	/* cut at each octet: never beyond the end (the copy is as long as it says) */
	for (size_t n = 0; n < c.der[0].size; n++) {
		unsigned char *copy = xmalloc(n);

		memcpy(copy, c.der[0].data, n);
		assert_int_equal(truststore_names(copy, n, &issuer, &subject), -1);
		xfree(copy);
	}
	chain_free(&c);
}

/* Each octet of the head set to each of a few values: no access outside, names stay inside. */
static void test_names_damaged(void **state)
{
	static const unsigned char values[] = { 0, 1, 0x1f, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84,
						0x85, 0xa0, 0xff };
	struct chain c = { 0 };

	(void)state;
	certs_need();
	chain_load(&c, "ca.pem");
	size_t n = c.der[0].size;
	unsigned char *copy = xmalloc(n);

	for (size_t at = 0; at < n && at < 160; at++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			struct octets issuer, subject;

			memcpy(copy, c.der[0].data, n);
			copy[at] = values[v];
			if (truststore_names(copy, n, &issuer, &subject) < 0)
				continue;
			assert_true(issuer.data > copy && issuer.data + issuer.n < copy + n);
			assert_true(subject.data > copy && subject.data + subject.n < copy + n);
		}
	}
	xfree(copy);
	chain_free(&c);
}

static void test_names_crafted(void **state)
{
	static const struct {
		const char *der;
		size_t n;
		int rc;
	} cases[] = {
		{ "", 0, -1 },
		{ "\x30", 1, -1 },
		{ "\x30\x80", 2, -1 },				/* indefinite length */
		{ "\x30\x85\x01\x01\x01\x01\x01", 7, -1 },	/* length of five octets */
		{ "\x30\x84\xff\xff\xff\xff", 6, -1 },
		{ "\x3f\x01\x00", 3, -1 },			/* high tag number */
		/* version 1 has no [0]; all parts empty */
		{ "\x30\x0e\x30\x0c\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x00\x00", 16, 0 },
		{ "\x30\x0c\x30\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, 0 },
		{ "\x30\x0c\x30\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x01", 14, -1 },
		{ "\x30\x0c\x30\x08\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, -1 },
		{ "\x30\x0c\x31\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, -1 },
		{ "\x30\x0c\x30\x0a\x03\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, -1 },
		{ "\x30\x0e\x30\x0c\xa0\x00\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 16, 0 },
		/* lengths in long form, longer than they need to be */
		{ "\x30\x82\x00\x0d\x30\x81\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 17, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct octets issuer, subject;
		unsigned char *copy = xmalloc(cases[i].n);

		memcpy(copy, cases[i].der, cases[i].n);
		if (truststore_names(copy, cases[i].n, &issuer, &subject) != cases[i].rc)
			fail_msg("case %zu", i);
		xfree(copy);
	}
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
	assert_int_equal(truststore_open(certs_path("bundle.pem"), &store, &err), 0);
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
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_damaged),
		cmocka_unit_test(test_names_crafted),
		cmocka_unit_test(test_unreadable_chain),
		cmocka_unit_test(test_unreadable_certificate),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
