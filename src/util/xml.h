/*
 * XML, read strictly by libexpat (loaded when first needed).
 *
 * For small documents of others: what such documents never need is refused,
 * and with it what attacks are made of: document types and so entities of
 * their own, more than 32 levels, more than 10000 elements, more than 4096
 * octets of text in one element. Nothing is ever fetched.
 */
#ifndef UTIL_XML_H
#define UTIL_XML_H

#include <stddef.h>

#include "util/attr.h"

struct error;
struct strbuf;

/* Elements as they begin and end; depth is 1 for the outermost. All strings are UTF-8. */
struct xml_handler {
	/* attr: names and values in turn, NULL at the end; valid during the call. */
	int (*begin)(void *ctx, unsigned depth, const char *name, const char *const *attr,
		     struct error *err);
	/* text: the element's own, without blanks around it, without that of elements in it. */
	int (*end)(void *ctx, unsigned depth, const char *name, const char *text,
		   struct error *err);
	void *ctx;
};

/*
 * Reads a whole document of n octets. A handler's failure ends the reading.
 * EX_DATAERR with the line for what is no XML or is refused; EX_CONFIG when
 * the library is missing, here or when this was built.
 */
ATTR_CHECK int xml_read(const char *data, size_t n, const struct xml_handler *h,
			struct error *err);

/* The value of an attribute; NULL if there is none of that name. */
const char *xml_attribute(const char *const *attr, const char *name);

/* Can documents be read? EX_CONFIG when the library is missing. */
ATTR_CHECK int xml_load(struct error *err);

#endif
