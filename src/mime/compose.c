#include "config.h"
#include "mime/compose.h"

#include <string.h>
#include <unistd.h>

#include "message/charset.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/spool.h"
#include "mime/compose_part.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define TOKEN 24		/* characters of a boundary behind "=_" */

#define FORMS (PART_CALENDAR + 1)	/* of the text, in the order in which they are written */

struct form {
	const struct part_spec *spec;	/* NULL = there is none */
	struct spool *text;
	const char *charset;
};

/* What the message is made of. */
struct tree {
	struct form form[FORMS];
	size_t forms;			/* that are there */
	const struct part_spec **object, **attachment;
	size_t objects, attachments;
};

/* Text on standard input, when no option says where it is. */
static const struct part_spec input_text = { .role = PART_TEXT, .path = "-" };

/* --- which part goes where ----------------------------------------------------------- */

static size_t count_role(const struct compose_request *req, enum part_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < req->part_n; i++)
		n += req->part[i].role == role;
	return n;
}

static size_t count_input(const struct compose_request *req)
{
	size_t n = 0;

	for (size_t i = 0; i < req->part_n; i++)
		n += compose_is_input(&req->part[i]);
	return n;
}

/* Without an option for it, the text is what comes on standard input. */
static bool text_from_input(const struct compose_request *req)
{
	return !req->no_body && count_role(req, PART_TEXT) == 0 && count_input(req) == 0;
}

bool compose_reads_input(const struct compose_request *req)
{
	return text_from_input(req) || count_input(req) > 0;
}

static int check_together(const struct compose_request *req, struct error *err)
{
	for (enum part_role form = PART_TEXT; form <= PART_CALENDAR; form++) {
		if (count_role(req, form) > 1)
			return error_set(err, FAULT_USAGE, "%s is given twice: a message "
					 "has one text of each form", compose_option(form));
	}
	if (req->no_body && count_role(req, PART_TEXT))
		return error_set(err, FAULT_USAGE,
				 "--no-body and a body do not go together");
	if (count_input(req) > 1)
		return error_set(err, FAULT_USAGE, "'-' is given twice: standard input can "
				 "be read only once");
	if (count_role(req, PART_RELATED) && !count_role(req, PART_HTML))
		return error_set(err, FAULT_USAGE, "--related is for what an HTML text "
				 "shows: give one with --html, or use --attach");
	return 0;
}

int compose_check(const struct compose_request *req, struct error *err)
{
	if (check_together(req, err) < 0)
		return -1;
	for (size_t i = 0; i < req->part_n; i++) {
		const struct part_spec *spec = &req->part[i];

		if (spec->text || compose_is_input(spec))
			continue;
		int fd = compose_open(spec, err);

		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

static void sort_part(struct tree *t, const struct part_spec *spec, bool html)
{
	const enum part_role role = spec->role;

	if (role <= PART_CALENDAR)
		t->form[role].spec = spec;
	else if (role == PART_RELATED || (role == PART_INLINE && html))
		t->object[t->objects++] = spec;
	else
		t->attachment[t->attachments++] = spec;
}

static void sort_parts(struct compose *c, struct tree *t)
{
	const struct compose_request *req = c->req;
	const bool html = count_role(req, PART_HTML) > 0;

	t->object = arena_calloc(c->arena, req->part_n, sizeof(*t->object));
	t->attachment = arena_calloc(c->arena, req->part_n, sizeof(*t->attachment));
	for (size_t i = 0; i < req->part_n; i++)
		sort_part(t, &req->part[i], html);
	if (text_from_input(req))
		t->form[PART_TEXT].spec = &input_text;
}

/* Reads the forms of the text; an empty one is left out when there is something else. */
static int load_forms(struct compose *c, struct tree *t, struct error *err)
{
	for (size_t i = 0; i < FORMS; i++) {
		struct form *f = &t->form[i];

		if (!f->spec)
			continue;
		if (compose_load_text(c, f->spec, &f->text, &f->charset, err) < 0)
			return -1;
		t->forms++;
	}
	struct form *text = &t->form[PART_TEXT];

	if (text->spec && spool_size(text->text) == 0 && t->forms + t->attachments > 1) {
		text->spec = NULL;
		t->forms--;
	}
	return 0;
}

/* --- writing ------------------------------------------------------------------------ */

static void begin_multipart(struct compose *c, const char *subtype, size_t boundary,
			    const char *more)
{
	strbuf_addf(&c->out, "Content-Type: multipart/%s;%s\r\n boundary=\"%s\"\r\n\r\n", subtype,
		    more, c->boundary[boundary]);
}

/* The line end in front of a delimiter belongs to it, not to the part. */
static void next_part(struct compose *c, size_t boundary, size_t number)
{
	strbuf_addf(&c->out, "%s--%s\r\n", number ? "\r\n" : "", c->boundary[boundary]);
}

static void end_multipart(struct compose *c, size_t boundary)
{
	strbuf_addf(&c->out, "\r\n--%s--\r\n", c->boundary[boundary]);
}

/* The HTML text, with its objects if it has some (RFC 2387). */
static int write_html(struct compose *c, const struct tree *t, const struct form *f,
		      struct error *err)
{
	if (t->objects == 0)
		return compose_text(c, f->spec, f->text, f->charset, err);
	begin_multipart(c, "related", BOUNDARY_RELATED, " type=\"text/html\";");
	next_part(c, BOUNDARY_RELATED, 0);
	if (compose_text(c, f->spec, f->text, f->charset, err) < 0)
		return -1;
	for (size_t i = 0; i < t->objects; i++) {
		next_part(c, BOUNDARY_RELATED, i + 1);
		if (compose_file(c, t->object[i], err) < 0)
			return -1;
	}
	end_multipart(c, BOUNDARY_RELATED);
	return 0;
}

/* All forms of the text, the plainest first (RFC 2046, section 5.1.4). */
static int write_forms(struct compose *c, const struct tree *t, struct error *err)
{
	const bool several = t->forms > 1;
	size_t number = 0;

	if (several)
		begin_multipart(c, "alternative", BOUNDARY_ALTERNATIVE, "");
	for (size_t i = 0; i < FORMS; i++) {
		const struct form *f = &t->form[i];

		if (!f->spec)
			continue;
		if (several)
			next_part(c, BOUNDARY_ALTERNATIVE, number++);
		if ((i == PART_HTML ? write_html(c, t, f, err) :
				      compose_text(c, f->spec, f->text, f->charset, err)) < 0)
			return -1;
	}
	if (several)
		end_multipart(c, BOUNDARY_ALTERNATIVE);
	return 0;
}

static int write_tree(struct compose *c, const struct tree *t, struct error *err)
{
	size_t number = 0;

	strbuf_addstr(&c->out, "MIME-Version: 1.0\r\n");
	if (t->attachments + t->forms == 0)
		strbuf_addstr(&c->out, "Content-Type: text/plain; charset=us-ascii\r\n"
				       "Content-Transfer-Encoding: 7bit\r\n\r\n");
	if (t->attachments == 0)
		return t->forms ? write_forms(c, t, err) : 0;
	begin_multipart(c, "mixed", BOUNDARY_MIXED, "");
	if (t->forms) {
		next_part(c, BOUNDARY_MIXED, number++);
		if (write_forms(c, t, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < t->attachments; i++) {
		next_part(c, BOUNDARY_MIXED, number++);
		if (compose_file(c, t->attachment[i], err) < 0)
			return -1;
	}
	end_multipart(c, BOUNDARY_MIXED);
	return 0;
}

/*
 * "=_" does not occur in quoted-printable or base64 (RFC 2045, section 6.7);
 * what goes out unencoded is searched for the boundaries.
 */
static void make_boundaries(struct compose *c)
{
	for (size_t i = 0; i < BOUNDARY_COUNT; i++)
		c->boundary[i] = arena_printf(c->arena, "=_%s",
					      c->opt->token ? c->opt->token(c->arena) :
							      ident_random(c->arena, TOKEN));
}

int compose_message(const struct compose_request *req, const struct compose_options *opt,
		    struct message **out, struct error *err)
{
	struct message_options input = { .dots_ignored = true, .wire = true,
					 .large_header = true };
	struct compose c = { .arena = arena_new(), .req = req, .opt = opt,
			     .out = STRBUF_INIT(COMPOSE_OUT_MAX) };
	struct tree tree = { .forms = 0 };

	for (size_t i = 0; i < req->part_n; i++)
		input.binary |= req->part[i].encoding == PART_BINARY;
	c.locale_charset = charset_of_locale();
	c.reader = message_reader_new(&input);
	make_boundaries(&c);
	sort_parts(&c, &tree);
	int rc = load_forms(&c, &tree, err);

	if (rc == 0)
		rc = write_tree(&c, &tree, err);
	if (rc == 0)
		rc = message_reader_take(c.reader, &c.out, 0, err);
	if (rc == 0)
		rc = message_reader_finish(c.reader, out, err);
	else
		message_reader_free(c.reader);
	for (size_t i = 0; i < FORMS; i++)
		spool_free(tree.form[i].text);
	strbuf_release(&c.out);
	arena_free(c.arena);
	return rc;
}
