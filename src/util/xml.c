#include "config.h"
#include "util/xml.h"

#include <string.h>

#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#ifdef HAVE_EXPAT_H
#include <expat.h>

enum { DEPTH_MAX = 32, ELEMENTS_MAX = 10000, TEXT_MAX = 4096 };

DYNLIB_NOTE(expat,
	    "[{\"feature\":\"autoconfig\",\"description\":\"XML, for --configure\","
	    "\"priority\":\"suggested\",\"soname\":[\"" EXPAT_SONAME "\"]}]");

#define EXPAT_API(X) \
	X(ErrorString) \
	X(GetCurrentLineNumber) \
	X(GetErrorCode) \
	X(Parse) \
	X(ParserCreate) \
	X(ParserFree) \
	X(SetCharacterDataHandler) \
	X(SetElementHandler) \
	X(SetStartDoctypeDeclHandler) \
	X(SetUserData) \
	X(StopParser)

static struct {
#define EXPAT_MEMBER(name) __typeof__(XML_##name) *name;
	EXPAT_API(EXPAT_MEMBER)
#undef EXPAT_MEMBER
} expat;

static const struct dynlib_symbol symbols[] = {
#define EXPAT_SYMBOL(entry) { "XML_" #entry, &expat.entry },
	EXPAT_API(EXPAT_SYMBOL)
#undef EXPAT_SYMBOL
};

struct reader {
	XML_Parser parser;
	const struct xml_handler *handler;
	struct strbuf text[DEPTH_MAX + 1];	/* of the open elements, by depth */
	unsigned depth, elements;
	bool failed;
	struct error *err;
};

int xml_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, EXPAT_SONAME, "libexpat1", symbols, ARRAY_LEN(symbols), err);
}

static void stop(struct reader *r)
{
	r->failed = true;
	(void)expat.StopParser(r->parser, XML_FALSE);
}

static void refuse(struct reader *r, const char *what)
{
	if (r->failed)
		return;
	error_set(r->err, FAULT_DOCUMENT, "line %lu: %s",
		  (unsigned long)expat.GetCurrentLineNumber(r->parser), what);
	stop(r);
}

static void XMLCALL begin_element(void *ctx, const XML_Char *name, const XML_Char **attr)
{
	struct reader *r = ctx;

	if (r->failed)
		return;
	if (r->depth == DEPTH_MAX || ++r->elements > ELEMENTS_MAX) {
		refuse(r, "too many elements, or too deep in each other");
		return;
	}
	strbuf_reset(&r->text[++r->depth]);
	if (r->handler->begin(r->handler->ctx, r->depth, name, (const char *const *)attr,
			      r->err) < 0)
		stop(r);
}

/* Cuts blanks off both ends of the text; returns where it begins. */
static const char *trim(struct strbuf *text)
{
	static const char blanks[] = " \t\r\n";
	size_t n = text->len;

	while (n && strchr(blanks, text->buf[n - 1]))
		n--;
	strbuf_truncate(text, n);
	return text->buf + strspn(text->buf, blanks);
}

static void XMLCALL end_element(void *ctx, const XML_Char *name)
{
	struct reader *r = ctx;
	const unsigned depth = r->depth;

	if (r->failed)
		return;
	r->depth--;
	if (r->handler->end(r->handler->ctx, depth, name, trim(&r->text[depth]), r->err) < 0)
		stop(r);
}

static void XMLCALL add_text(void *ctx, const XML_Char *text, int n)
{
	struct reader *r = ctx;

	if (r->failed)
		return;
	strbuf_add(&r->text[r->depth], text, (size_t)n);
	if (strbuf_overflow(&r->text[r->depth]))
		refuse(r, "an element holds too much text");
}

static void XMLCALL begin_doctype(void *ctx, const XML_Char *name, const XML_Char *system,
				  const XML_Char *public, int has_subset)
{
	(void)name, (void)system, (void)public, (void)has_subset;
	refuse(ctx, "a document type is not taken");
}

static int parse(struct reader *r, const char *data, size_t n)
{
	expat.SetUserData(r->parser, r);
	expat.SetElementHandler(r->parser, begin_element, end_element);
	expat.SetCharacterDataHandler(r->parser, add_text);
	expat.SetStartDoctypeDeclHandler(r->parser, begin_doctype);
	if (expat.Parse(r->parser, data, (int)n, XML_TRUE) != XML_STATUS_OK)
		refuse(r, expat.ErrorString(expat.GetErrorCode(r->parser)));
	return r->failed ? -1 : 0;
}

int xml_read(const char *data, size_t n, const struct xml_handler *h, struct error *err)
{
	struct reader r = { .handler = h, .err = err };

	if (n > 1 << 24)
		return error_set(err, FAULT_DOCUMENT, "the document is too large");
	if (xml_load(err) < 0)
		return -1;
	r.parser = expat.ParserCreate(NULL);
	if (!r.parser)
		return error_set(err, FAULT_SYSTEM, "libexpat has no memory");
	for (size_t i = 0; i <= DEPTH_MAX; i++)
		strbuf_init(&r.text[i], TEXT_MAX);
	int rc = parse(&r, data, n);

	for (size_t i = 0; i <= DEPTH_MAX; i++)
		strbuf_release(&r.text[i]);
	expat.ParserFree(r.parser);
	return rc;
}

#else

int xml_load(struct error *err)
{
	return error_set(err, FAULT_LIBRARY_MISSING, "msubmit was built without libexpat");
}

int xml_read(const char *data, size_t n, const struct xml_handler *h, struct error *err)
{
	(void)data, (void)n, (void)h;
	return xml_load(err);
}

#endif

const char *xml_attribute(const char *const *attr, const char *name)
{
	for (; *attr; attr += 2) {
		if (strcmp(*attr, name) == 0)
			return attr[1];
	}
	return NULL;
}
