#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "message_model.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define S(s) s, sizeof(s) - 1

static const struct {
	const char *in;
	size_t len;
	const char *dots;	/* with -i, for DATA */
} cases[] = {
	{ S(""), "\r\n.\r\n" },
	{ S("A: b\n\n"), "A: b\r\n\r\n.\r\n" },
	{ S("A: b\n\nx"), "A: b\r\n\r\nx\r\n.\r\n" },
	{ S("A: b\n\n.\n"), "A: b\r\n\r\n..\r\n.\r\n" },
	{ S("."), "\r\n..\r\n.\r\n" },
	{ S(".\n.\n"), "\r\n..\r\n..\r\n.\r\n" },
	{ S("\n..\n...\n"), "\r\n...\r\n....\r\n.\r\n" },
	{ S("\nx.\n.x\n"), "\r\nx.\r\n..x\r\n.\r\n" },
	{ S(".a: b\n\n"), "..a: b\r\n\r\n.\r\n" },
	{ S("\nx\r.\r.y"), "\r\nx\r\n..\r\n..y\r\n.\r\n" },
	{ S("\nx\n.\0y\0\n.\0\n"), "\r\nx\r\n..y\r\n..\r\n.\r\n" },
	{ S("\r\n.\r\n..\r\n"), "\r\n..\r\n...\r\n.\r\n" },
	{ S("\r\nx\r\r\n\r.\r\r"), "\r\nx\r\n\r\n..\r\n\r\n.\r\n" },
	/* spellings of the end of data inside a message: none gets out */
	{ S("\nx\n.\nMAIL FROM:<>\n"), "\r\nx\r\n..\r\nMAIL FROM:<>\r\n.\r\n" },
	{ S("\nx\n.\rMAIL\n"), "\r\nx\r\n..\r\nMAIL\r\n.\r\n" },
	{ S("\nx\r.\rMAIL\n"), "\r\nx\r\n..\r\nMAIL\r\n.\r\n" },
	{ S("\nx\r\n.\rMAIL\n"), "\r\nx\r\n..\r\nMAIL\r\n.\r\n" },
	{ S("\nx\r.\nMAIL\n"), "\r\nx\r\n..\r\nMAIL\r\n.\r\n" },
	{ S("\nx\r\n\0.\r\nMAIL\n"), "\r\nx\r\n..\r\nMAIL\r\n.\r\n" },
	{ S("\nx\r\0\n.\0\r\nMAIL\n"), "\r\nx\r\n..\r\nMAIL\r\n.\r\n" },
};

static const struct message_options ignore_dots = { .dots_ignored = true };

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 16; piece < 60; piece++) {
			struct strbuf out = STRBUF_INIT(1000);
			struct error err;
			struct edits e;
			struct message *m = model_read(cases[i].in, cases[i].len, 0, &ignore_dots,
						       &err);

			edits_init(&e, m->arena, m);
			assert_null(model_write(m, &e, WRITER_DOTS, piece, &out));
			if (out.len != strlen(cases[i].dots) || strcmp(out.buf, cases[i].dots) != 0)
				fail_msg("case %zu: '%s'", i, out.buf);
			strbuf_release(&out);
			message_free(m);
		}
	}
}

/* Dots at every place of lines that are written in pieces of every length. */
static void test_dots_at_edges(void **state)
{
	static const char *const ends[] = { "\n", "\r\n", "\r" };
	char text[400];

	(void)state;
	for (size_t kind = 0; kind < ARRAY_LEN(ends); kind++) {
		for (size_t line = 1; line < 20; line++) {
			size_t n = 0;

			while (n + line + 2 < sizeof(text)) {
				memset(text + n, '.', line);
				n += line;
				memcpy(text + n, ends[kind], strlen(ends[kind]));
				n += strlen(ends[kind]);
			}
			for (size_t piece = 16; piece < 16 + 24; piece++) {
				const char *wrong = model_check(text, n, piece - 15, piece,
								&ignore_dots);

				if (wrong)
					fail_msg("end %zu line %zu piece %zu: %s", kind, line,
						 piece, wrong);
			}
		}
	}
}

/* The number of octets asked for changes all the time. */
static void test_uneven_pieces(void **state)
{
	static const char text[] = "A: b\n\n.\nxx\n..\rlonger line of text\r\n.\n\r\n.";
	struct strbuf plain = STRBUF_INIT(1000), out = STRBUF_INIT(1000);
	struct error err;
	struct edits e;
	struct message *m = model_read(text, strlen(text), 0, &ignore_dots, &err);
	uint32_t seed = 7;

	(void)state;
	edits_init(&e, m->arena, m);
	assert_null(model_write(m, &e, WRITER_DOTS, 500, &plain));
	for (int round = 0; round < 500; round++) {
		struct writer *w = writer_new(m, &e, WRITER_DOTS);
		char buf[64];
		ssize_t got;

		strbuf_reset(&out);
		do {
			seed = seed * 1664525U + 1013904223U;
			got = writer_read(w, buf, 16 + (seed >> 16) % 20, &err);
			assert_true(got >= 0);
			strbuf_add(&out, buf, (size_t)got);
		} while (got);
		assert_int_equal(writer_read(w, buf, 16, &err), 0);	/* stays at its end */
		assert_string_equal(out.buf, plain.buf);
		writer_free(w);
	}
	writer_free(NULL);
	message_free(m);
	strbuf_release(&plain);
	strbuf_release(&out);
}

static void test_edits(void **state)
{
	static const char text[] = "From: a@x\nBcc: b@x,\n c@x\nSubject: s\n\n.body\n";
	struct strbuf out = STRBUF_INIT(1000);
	struct error err;
	struct edits e;
	struct message *m = model_read(text, strlen(text), 0, &ignore_dots, &err);

	(void)state;
	edits_init(&e, m->arena, m);
	edits_drop(&e, 1);
	edits_replace(&e, 0, "From: z@x\r\n");
	assert_int_equal(edits_add(&e, "Date", "today", &err), 0);
	assert_null(model_write(m, &e, WRITER_PLAIN, 16, &out));
	assert_string_equal(out.buf, "Date: today\r\nFrom: z@x\r\nSubject: s\r\n\r\n.body\r\n");
	strbuf_reset(&out);
	assert_null(model_write(m, &e, WRITER_DOTS, 16, &out));
	assert_string_equal(out.buf,
			    "Date: today\r\nFrom: z@x\r\nSubject: s\r\n\r\n..body\r\n.\r\n");
	/* the message is what it was */
	edits_init(&e, m->arena, m);
	strbuf_reset(&out);
	assert_null(model_write(m, &e, WRITER_PLAIN, 16, &out));
	assert_string_equal(out.buf,
			    "From: a@x\r\nBcc: b@x,\r\n c@x\r\nSubject: s\r\n\r\n.body\r\n");
	message_free(m);
	strbuf_release(&out);
}

/* A body of that many octets, of lines with one kind of end; some begin with a dot. */
static char *large(size_t n, const char *end)
{
	char *text = xmalloc(n + 1);
	size_t width = strlen(end);

	memcpy(text, "A: b\r\n\r\n", 8);
	for (size_t i = 8, line = 0; i < n; line++) {
		size_t len = line * 7 % 90;

		for (size_t k = 0; k < len && i < n; k++, i++)
			text[i] = k == 0 && line % 3 == 0 ? '.' : (char)('a' + k % 26);
		for (size_t k = 0; k < width && i < n; k++)
			text[i++] = end[k];
	}
	return text;
}

/* Spools in memory, in memory and file, and in a file. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 60000, 65536 + 8, 131072 + 9, 300000, 1000001 };
	static const char *const ends[] = { "\n", "\r\n", "\r\r\n", "\r", "\n\r\n" };
	static const size_t pieces[] = { 4096, 65536, 100003 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
			char *text = large(sizes[i], ends[k]);
			const char *wrong = model_check(text, sizes[i], 65521, pieces[(i + k) % 3],
							&ignore_dots);

			if (wrong)
				fail_msg("size %zu end %zu: %s", sizes[i], k, wrong);
			xfree(text);
		}
	}
}

/* Very many octets that make nothing, or much: CRs and NULs. */
static void test_heaps(void **state)
{
	static const char octets[] = { '\r', '\0', '\n', '.' };
	const size_t n = 300000;
	char *text = xmalloc(n);

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++) {
		memset(text, octets[i], n);
		text[0] = '\n';
		for (int last = 0; last < 2; last++) {
			text[n - 1] = last ? 'x' : '\n';
			const char *wrong = model_check(text, n, 65536, 65536, &ignore_dots);

			if (wrong)
				fail_msg("octet %zu: %s", i, wrong);
		}
		for (size_t k = 1; k < n; k += 2)
			text[k] = 'x';
		const char *wrong = model_check(text, n, 65536, 4096, &ignore_dots);

		if (wrong)
			fail_msg("octet %zu by turns: %s", i, wrong);
	}
	xfree(text);
}

struct file_fixture {
	int fd;
	struct message *m;
	struct edits e;
};

static void open_file(struct file_fixture *f, const char *text, size_t n)
{
	struct error err;

	assert_int_equal(fs_temp_file(&f->fd, &err), 0);
	assert_int_equal(fs_write_all(f->fd, text, n), 0);
	assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
	assert_int_equal(message_read_fd(f->fd, &ignore_dots, &f->m, &err), 0);
	edits_init(&f->e, f->m->arena, f->m);
}

static void close_file(struct file_fixture *f)
{
	message_free(f->m);
	close(f->fd);
}

static void test_file_in_place(void **state)
{
	static const char *const ends[] = { "\n", "\r\n" };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
		const size_t n = 200000;
		char *text = large(n, ends[k]);
		struct file_fixture f;
		struct strbuf body = STRBUF_INIT(MODEL_MAX);

		/* with some of its end cut off */
		for (size_t cut = 0; cut < 4; cut++) {
			open_file(&f, text, n - cut);
			strbuf_reset(&body);
			model_body(text + 8, n - cut - 8, &body);
			assert_null(model_check_written(f.m, &f.e, 65536, &body));
			assert_null(model_check_written(f.m, &f.e, 16, &body));
			close_file(&f);
		}
		strbuf_release(&body);
		xfree(text);
	}
}

/* Reads to the end or the error; what was given must never hold the end of data on an error. */
static int drain(struct writer *w, struct strbuf *out, struct error *err)
{
	char buf[4096];
	ssize_t got;

	while ((got = writer_read(w, buf, sizeof(buf), err)) > 0)
		strbuf_add(out, buf, (size_t)got);
	return got < 0 ? -1 : 0;
}

/*
 * A file that is changed between reading and sending is never sent as if it
 * were whole.
 */
static void test_file_changed(void **state)
{
	static const struct {
		const char *in, *later;
		off_t shorter;	/* 0 = only overwritten */
	} changes[] = {
		{ "A: b\n\none\ntwo\n", NULL, 8 },
		{ "A: b\r\n\r\none\r\ntwo\r\n", NULL, 10 },
		{ "A: b\n\none\ntwo\n", "A: b\n\none two\n", 0 },
		{ "A: b\n\none two\n", "A: b\n\none\ntwo\n", 0 },
		{ "A: b\n\none two\n", "A: b\n\none\0two\n", 0 },
		{ "A: b\n\none two\n", "A: b\n\none\r\rwo\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		size_t n = strlen(changes[i].in);
		struct file_fixture f;
		struct error err = { 0 };
		struct strbuf out = STRBUF_INIT(1000);

		open_file(&f, changes[i].in, n);
		if (changes[i].later)
			assert_int_equal(pwrite(f.fd, changes[i].later, n, 0), (ssize_t)n);
		if (changes[i].shorter)
			assert_int_equal(ftruncate(f.fd, changes[i].shorter), 0);
		struct writer *w = writer_new(f.m, &f.e, WRITER_DOTS);

		assert_int_equal(drain(w, &out, &err), -1);
		assert_int_equal(err.exit, EX_IOERR);
		assert_null(strstr(out.buf, "\r\n.\r\n"));
		writer_free(w);
		strbuf_release(&out);
		close_file(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_dots_at_edges),
		cmocka_unit_test(test_uneven_pieces),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_heaps),
		cmocka_unit_test(test_file_in_place),
		cmocka_unit_test(test_file_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
