#include "config.h"
#include "mime/compose_part.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/charset.h"
#include "message/header.h"
#include "message/message.h"
#include "message/rfc2047.h"
#include "message/spool.h"
#include "mime/mime_encode.h"
#include "mime/mime_header.h"
#include "mime/mime_type.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/text.h"

#define ESCAPES_PER 6		/* quoted-printable is shorter below one octet in so many */
#define FIELD_MAX (4 * COMPOSE_BLOCK)
#define METHOD_SEEN ((size_t)8 * 1024)	/* of a calendar, to find its METHOD in */

/* How the header of a leaf is to be and what happens to its octets. */
struct leaf {
	const struct part_spec *spec;
	const char *type, *charset, *method, *name, *cid;
	bool text;			/* its line ends may be changed */
	enum part_encoding encoding;
	uint64_t start;			/* where the content begins in the spool */
};

const char *compose_option(enum part_role role)
{
	static const char *const options[] = {
		[PART_TEXT] = "--body-file", [PART_HTML] = "--html",
		[PART_CALENDAR] = "--calendar", [PART_RELATED] = "--related",
		[PART_INLINE] = "--inline", [PART_ATTACHMENT] = "--attach",
		[PART_MESSAGE] = "--attach-message",
	};

	return options[role];
}

/* --- reading --------------------------------------------------------------------- */

bool compose_is_input(const struct part_spec *spec)
{
	return !spec->text && strcmp(spec->path, "-") == 0;
}

/* For errors: "--attach: 'x.pdf'". */
static int name_part(const struct part_spec *spec, struct error *err)
{
	return error_prefix(err, "%s: '%s'", compose_option(spec->role),
			    compose_is_input(spec) ? "standard input" : spec->path);
}

int compose_open(const struct part_spec *spec, struct error *err)
{
	struct stat st;

	if (compose_is_input(spec))
		return STDIN_FILENO;
	int fd = fs_open_read(spec->path);

	if (fd < 0)
		return error_errno(err, FAULT_ATTACHMENT, "%s: cannot read '%s'",
				   compose_option(spec->role), spec->path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return error_set(err, FAULT_ATTACHMENT, "%s: '%s' is no regular file: send what comes "
			 "out of it on standard input, and give '-' as the name",
			 compose_option(spec->role), spec->path);
}

static void close_part(int fd)
{
	if (fd > STDIN_FILENO)
		close(fd);
}

static ssize_t read_part(const struct compose *c, int fd, char *block,
			 const struct part_spec *spec, struct error *err)
{
	const struct deadline d = deadline_in(compose_is_input(spec) ? c->opt->patience : 0,
					      "more on standard input (stdin_timeout)");
	ssize_t n = deadline_read(&d, fd, block, COMPOSE_BLOCK);

	if (n < 0 && errno == ETIMEDOUT)
		return deadline_error(&d, err);
	if (n < 0)
		return error_errno(err, FAULT_INPUT, "%s: cannot read '%s'",
				   compose_option(spec->role), spec->path);
	return n;
}

/* Adds what is left of fd to a spool. */
static int load_rest(const struct compose *c, int fd, const struct part_spec *spec,
		     struct spool *s, struct error *err)
{
	char block[COMPOSE_BLOCK];

	for (;;) {
		ssize_t n = read_part(c, fd, block, spec, err);

		if (n <= 0)
			return (int)n;
		if (spool_add(s, block, (size_t)n, err) < 0)
			return -1;
	}
}

static int load(const struct compose *c, const struct part_spec *spec, struct spool *s,
		struct error *err)
{
	if (spec->text)
		return spool_add(s, spec->text, strlen(spec->text), err);
	int fd = compose_open(spec, err);

	if (fd < 0)
		return -1;
	int rc = load_rest(c, fd, spec, s, err);

	close_part(fd);
	return rc;
}

/* --- text ------------------------------------------------------------------------- */

/* Replaces *s by the same in UTF-8. */
static int convert(struct spool **s, const char *charset, struct error *err)
{
	struct spool *made = spool_new();

	if (charset_convert(*s, charset, made, err) < 0) {
		spool_free(made);
		return error_prefix(err, "the text is said to be in '%s'", charset);
	}
	spool_free(*s);
	*s = made;
	return 0;
}

/*
 * A charset that was named is believed; else valid UTF-8 is UTF-8; else it is
 * that of the locale, if the text is valid in it.
 */
static int settle_charset(struct compose *c, const struct part_spec *spec, struct spool **s,
			  const char **charset_out, struct error *err)
{
	const char *named = spec->charset ? spec->charset : c->req->charset;
	const char *other = c->locale_charset ? c->locale_charset : c->opt->charset;
	struct text_facts facts;

	if (named && strcasecmp(named, "utf-8") != 0 && strcasecmp(named, "us-ascii") != 0) {
		*charset_out = "utf-8";
		return convert(s, named, err);
	}
	if (text_facts_read(*s, 0, &facts, err) < 0)
		return -1;
	if (named && !facts.utf8)
		return error_set(err, FAULT_MESSAGE, "the text is said to be in '%s', and "
				 "is not", named);
	*charset_out = facts.utf8 ? "utf-8" : CHARSET_UNKNOWN;
	if (facts.utf8 || !other)
		return 0;
	if (charset_known(other) && convert(s, other, NULL) == 0)
		*charset_out = "utf-8";
	else if (other == c->opt->charset)
		*charset_out = other;
	return 0;
}

/* UTF-8 in the charset that was asked for, where that has all of it. */
static int encode_out(const struct compose *c, const struct part_spec *spec, struct spool **s,
		      const char **charset_out, struct error *err)
{
	const char *wanted = c->opt->charset_out;

	/* RFC 5545, section 3.1.4: a calendar is in UTF-8 unless its type says otherwise */
	if (!wanted || spec->role == PART_CALENDAR || strcmp(*charset_out, "utf-8") != 0)
		return 0;
	struct text_facts facts;

	if (text_facts_read(*s, 0, &facts, err) < 0)
		return -1;
	if (!facts.eight_bit)
		return 0;
	struct spool *made = spool_new();
	int done = charset_encode_spool(*s, wanted, made, err);

	if (done > 0) {
		spool_free(*s);
		*s = made;
		*charset_out = wanted;
		return 0;
	}
	spool_free(made);
	return done;
}

int compose_load_text(struct compose *c, const struct part_spec *spec, struct spool **out,
		      const char **charset_out, struct error *err)
{
	struct spool *s = spool_new();

	if (load(c, spec, s, err) < 0 || settle_charset(c, spec, &s, charset_out, err) < 0 ||
	    encode_out(c, spec, &s, charset_out, err) < 0) {
		spool_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

/* --- the header of a leaf ------------------------------------------------------------ */

/* A name as old programs want it, against RFC 2047, section 5. */
static void add_compat(struct compose *c, const char *param, const char *name)
{
	struct strbuf words = STRBUF_INIT(FIELD_MAX);

	if (!name || !c->opt->filename_compat || text_is_ascii(name, strlen(name)))
		return;
	rfc2047_encode(&words, name, strlen(name), RFC2047_PHRASE, 0, NULL);
	strbuf_addf(&c->out, ";\r\n %s=\"%s\"", param, words.buf);
	strbuf_release(&words);
}

static const char *label_of(const struct compose *c)
{
	return c->locale_charset ? c->locale_charset : c->opt->charset ? c->opt->charset :
								      CHARSET_UNKNOWN;
}

static void add_disposition(struct compose *c, const struct leaf *l)
{
	const struct part_spec *spec = l->spec;
	const bool is_inline = spec->inline_given ? spec->inline_wanted :
			       spec->role == PART_INLINE || spec->role == PART_RELATED;

	strbuf_addf(&c->out, "Content-Disposition: %s", is_inline ? "inline" : "attachment");
	add_compat(c, "filename", l->name);
	if (l->name)
		mime_param_add(&c->out, "filename", l->name, label_of(c));
	strbuf_addstr(&c->out, "\r\n");
}

static int add_description(struct compose *c, const struct leaf *l, struct error *err)
{
	const char *text = charset_text(c->arena, l->spec->description, c->locale_charset);
	const char *field = arena_printf(c->arena, "Content-Description: %s\r\n",
					 text ? text : l->spec->description);
	struct strbuf ascii = STRBUF_INIT(FIELD_MAX);

	(void)mime_header_encode(&ascii, field, strlen(field), label_of(c),
				MIME_HEADER_OWN);
	rfc2047_recode(&ascii, c->opt->charset_out);
	int rc = header_fold_to(&c->out, ascii.buf, ascii.len, c->opt->width, err);

	strbuf_release(&ascii);
	return rc;
}

static const char *const encodings[] = {
	[PART_7BIT] = "7bit", [PART_8BIT] = "8bit", [PART_QP] = "quoted-printable",
	[PART_BASE64] = "base64", [PART_BINARY] = "binary",
};

static int put_part_header(struct compose *c, const struct leaf *l, struct error *err)
{
	strbuf_addf(&c->out, "Content-Type: %s", l->type);
	if (l->charset)
		mime_param_add(&c->out, "charset", l->charset, "us-ascii");
	if (l->method)
		mime_param_add(&c->out, "method", l->method, "us-ascii");
	add_compat(c, "name", l->name);
	strbuf_addf(&c->out, "\r\nContent-Transfer-Encoding: %s\r\n", encodings[l->encoding]);
	if (l->spec->role > PART_CALENDAR || l->name)
		add_disposition(c, l);
	if (l->cid)
		strbuf_addf(&c->out, "Content-ID: <%s>\r\n", l->cid);
	if (l->spec->description && add_description(c, l, err) < 0)
		return -1;
	strbuf_addstr(&c->out, "\r\n");
	return 0;
}

/* --- its encoding ----------------------------------------------------------------- */

static int refuse_encoding(const struct leaf *l, const char *name, const char *why,
			   struct error *err)
{
	error_set(err, FAULT_MESSAGE, "it cannot be sent with encoding=%s: it has %s", name,
		  why);
	return name_part(l->spec, err);
}

/* Does any delimiter occur in what would go out as it is? */
static int has_boundary(struct compose *c, const struct spool *s, bool *out, struct error *err)
{
	*out = false;
	for (size_t i = 0; i < BOUNDARY_COUNT && !*out; i++) {
		if (text_has_word(s, c->boundary[i], out, err) < 0)
			return -1;
	}
	return 0;
}

static enum part_encoding encode_text(const struct text_facts *f)
{
	return f->escapes * ESCAPES_PER < f->octets ? PART_QP : PART_BASE64;
}

/* What the option asks for, if the content lets it. */
static int check_encoding(struct leaf *l, const struct text_facts *f, struct error *err)
{
	const char *name = encodings[l->encoding];
	const bool as_is = l->encoding == PART_7BIT || l->encoding == PART_8BIT;

	if (l->encoding == PART_BASE64 || l->encoding == PART_BINARY)
		return 0;
	if (l->encoding == PART_7BIT && f->eight_bit)
		return refuse_encoding(l, name, "8-bit characters", err);
	if (as_is && f->nul)
		return refuse_encoding(l, name, "NUL characters", err);
	if (as_is && f->longest > MESSAGE_LINE_MAX)
		return refuse_encoding(l, name, "a line of more than 998 octets", err);
	if (!l->text && f->odd_ends)
		return refuse_encoding(l, name, "several kinds of line ends, which would be lost",
				       err);
	l->text = true;
	return 0;
}

/*
 * Settles l->encoding for content that has been read. Octets of a file that
 * is no proper text stay as they are.
 */
static int choose_encoding(struct compose *c, struct leaf *l, const struct spool *s,
			   const struct text_facts *f, struct error *err)
{
	bool taken = false;

	if (l->encoding != PART_AUTO) {
		if (check_encoding(l, f, err) < 0)
			return -1;
	} else if (!l->text || f->nul) {
		l->encoding = PART_BASE64;
	} else if (f->longest <= MESSAGE_LINE_MAX && !f->eight_bit) {
		l->encoding = PART_7BIT;
	} else if (f->longest <= MESSAGE_LINE_MAX && c->opt->prefer_8bit) {
		l->encoding = PART_8BIT;
	} else {
		l->encoding = encode_text(f);
	}
	if (l->encoding == PART_QP || l->encoding == PART_BASE64)
		return 0;
	if (has_boundary(c, s, &taken, err) < 0)
		return -1;
	if (taken)
		l->encoding = encode_text(f);
	return 0;
}

/* --- its content ------------------------------------------------------------------ */

/* The content of a spool; text with its line ends made CRLF. */
static int put_spool(struct compose *c, const struct leaf *l, const struct spool *s,
		     struct error *err)
{
	struct strbuf lines = STRBUF_INIT(COMPOSE_OUT_MAX);
	struct text_lines state = { 0 };
	struct mime_encoder encoder;
	char block[COMPOSE_BLOCK / 2];
	const bool canonical = l->text && l->encoding != PART_BINARY;
	int rc = 0;

	mime_encoder_init(&encoder, l->encoding == PART_QP ? MIME_TO_QP :
			  l->encoding == PART_BASE64 ? MIME_TO_BASE64 : MIME_COPY);
	for (uint64_t at = l->start; rc == 0 && at < spool_size(s);) {
		ssize_t n = spool_read(s, at, block, sizeof(block), err);

		if (n < 0) {
			rc = -1;
			break;
		}
		at += (uint64_t)n;
		strbuf_reset(&lines);
		if (canonical) {
			text_lines_push(&state, block, (size_t)n, &lines);
			mime_encoder_push(&encoder, lines.buf, lines.len, &c->out);
		} else {
			mime_encoder_push(&encoder, block, (size_t)n, &c->out);
		}
		rc = message_reader_take(c->reader, &c->out, COMPOSE_BLOCK, err);
	}
	strbuf_reset(&lines);
	text_lines_finish(&state, &lines);
	mime_encoder_push(&encoder, lines.buf, lines.len, &c->out);
	mime_encoder_finish(&encoder, &c->out);
	strbuf_release(&lines);
	return rc == 0 ? message_reader_take(c->reader, &c->out, COMPOSE_BLOCK, err) : -1;
}

/* METHOD of a calendar object, which Content-Type has to repeat (RFC 5546, section 1.4). */
static const char *calendar_method(struct arena *a, const struct spool *s, struct error *err)
{
	char text[METHOD_SEEN + 1];
	ssize_t n = spool_read(s, 0, text, METHOD_SEEN, err);

	if (n <= 0)
		return NULL;
	text[n] = '\0';
	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncasecmp(p, "METHOD:", 7) == 0)
			return arena_strndup(a, p + 7, strcspn(p + 7, " \t\r\n"));
	}
	return NULL;
}

int compose_text(struct compose *c, const struct part_spec *spec, const struct spool *text,
		 const char *charset, struct error *err)
{
	static const char *const types[] = {
		[PART_TEXT] = "text/plain", [PART_HTML] = "text/html",
		[PART_CALENDAR] = "text/calendar",
	};
	struct leaf l = { .spec = spec, .type = types[spec->role], .name = spec->name,
			  .charset = charset, .text = true, .encoding = spec->encoding };
	struct text_facts facts;

	if (text_facts_read(text, 0, &facts, err) < 0)
		return -1;
	/* what became 7-bit by charset_out was more than ASCII before */
	if (!facts.eight_bit && charset != c->opt->charset_out)
		l.charset = "us-ascii";
	if (spec->role == PART_CALENDAR)
		l.method = calendar_method(c->arena, text, err);
	if (choose_encoding(c, &l, text, &facts, err) < 0 || put_part_header(c, &l, err) < 0)
		return -1;
	return put_spool(c, &l, text, err);
}

/* --- files ------------------------------------------------------------------------ */

static const char *cid_of(const struct part_spec *spec, const char *name, struct arena *a)
{
	struct part_spec probe = { .role = PART_ATTACHMENT };

	if (spec->cid || (spec->role != PART_RELATED && spec->role != PART_INLINE) || !name)
		return spec->cid;
	/* "cid:logo.png" of the HTML text is the file logo.png */
	const char *wanted = arena_printf(a, "x,cid=%s", name);

	if (strpbrk(name, ",;\\") || !text_is_ascii(name, strlen(name)) ||
	    part_spec_parse(a, PART_ATTACHMENT, wanted, &probe, NULL) < 0)
		return NULL;
	return probe.cid;
}

/* A text that has been read. */
static int put_text_file(struct compose *c, struct leaf *l, const struct spool *s,
			 struct error *err)
{
	struct text_facts f;

	if (text_facts_read(s, 0, &f, err) < 0)
		return -1;
	if ((f.nul || f.control) && !l->spec->type && !l->spec->charset) {
		l->type = MIME_TYPE_OCTETS;
		l->text = false;
	} else if (strncmp(l->type, "text/", 5) == 0) {
		l->charset = l->spec->charset ? l->spec->charset : !f.eight_bit ? "us-ascii" :
			     f.utf8 ? "utf-8" : label_of(c);
		l->text = !f.odd_ends && !f.nul && l->encoding != PART_BASE64;
	} else {
		l->text = false;
	}
	if (choose_encoding(c, l, s, &f, err) < 0 || put_part_header(c, l, err) < 0)
		return -1;
	return put_spool(c, l, s, err);
}

/* "From " and ">From " lines of a mailbox do not belong to the message. */
static int skip_mbox_line(const struct spool *s, uint64_t *start, struct error *err)
{
	char line[1024];
	ssize_t n = spool_read(s, 0, line, sizeof(line), err);

	if (n < 0)
		return -1;
	size_t at = n > 0 && line[0] == '>' ? 1 : 0;
	const char *lf = memchr(line, '\n', (size_t)n);

	if (lf && (size_t)n > at + 5 && memcmp(line + at, "From ", 5) == 0)
		*start = (uint64_t)(lf - line) + 1;
	return 0;
}

/* A message is never encoded (RFC 2046, section 5.2.1). */
static int put_message(struct compose *c, struct leaf *l, const struct spool *s,
		       struct error *err)
{
	struct text_facts f;
	bool taken = false;

	l->text = true;
	if (skip_mbox_line(s, &l->start, err) < 0 || text_facts_read(s, l->start, &f, err) < 0 ||
	    has_boundary(c, s, &taken, err) < 0)
		return -1;
	if (f.nul) {
		error_set(err, FAULT_MESSAGE, "NUL characters: it is no message that could "
			  "be attached as one");
		return name_part(l->spec, err);
	}
	if (taken)
		return error_set_status(err, FAULT_BUSY, "4.6.0",
					"a delimiter occurs in an attached "
				 "message: try again");
	l->encoding = f.eight_bit ? PART_8BIT : PART_7BIT;
	return put_part_header(c, l, err) < 0 ? -1 : put_spool(c, l, s, err);
}

/* Content that needs no look: encoded while it is read. */
static int put_stream(struct compose *c, struct leaf *l, int fd, const char *first, size_t n,
		      struct error *err)
{
	struct mime_encoder encoder;
	char block[COMPOSE_BLOCK];
	ssize_t got;

	l->encoding = PART_BASE64;
	if (put_part_header(c, l, err) < 0)
		return -1;
	mime_encoder_init(&encoder, MIME_TO_BASE64);
	mime_encoder_push(&encoder, first, n, &c->out);
	while ((got = read_part(c, fd, block, l->spec, err)) > 0) {
		mime_encoder_push(&encoder, block, (size_t)got, &c->out);
		if (message_reader_take(c->reader, &c->out, COMPOSE_BLOCK, err) < 0)
			return -1;
	}
	mime_encoder_finish(&encoder, &c->out);
	return (int)got;
}

/* The first octets are there; fd has the others. */
static int put_file(struct compose *c, struct leaf *l, int fd, const char *first, size_t n,
		    struct error *err)
{
	const bool message = strcmp(l->type, "message/rfc822") == 0;

	if (!message && strncmp(l->type, "text/", 5) != 0 &&
	    (l->encoding == PART_AUTO || l->encoding == PART_BASE64))
		return put_stream(c, l, fd, first, n, err);
	struct spool *s = spool_new();
	int rc = spool_add(s, first, n, err);

	if (rc == 0)
		rc = load_rest(c, fd, l->spec, s, err);
	if (rc == 0)
		rc = message ? put_message(c, l, s, err) : put_text_file(c, l, s, err);
	spool_free(s);
	return rc;
}

int compose_file(struct compose *c, const struct part_spec *spec, struct error *err)
{
	char first[COMPOSE_BLOCK];
	const char *name = spec->name || compose_is_input(spec) ? spec->name :
		part_base_name(spec->path);
	struct leaf l = { .spec = spec, .name = name, .encoding = spec->encoding,
			  .cid = cid_of(spec, name, c->arena) };
	int fd = compose_open(spec, err);

	if (fd < 0)
		return -1;
	ssize_t n = read_part(c, fd, first, spec, err);
	int rc = n < 0 ? -1 : 0;

	if (rc == 0) {
		l.type = spec->role == PART_MESSAGE ? "message/rfc822" : spec->type ? spec->type :
			 mime_type_of(c->arena, name ? name : "", first, (size_t)n);
		rc = put_file(c, &l, fd, first, (size_t)n, err);
	}
	close_part(fd);
	return rc;
}
