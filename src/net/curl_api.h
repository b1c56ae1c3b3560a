/*
 * The entry points of libcurl, which fetches documents by HTTPS; loaded when
 * one is wanted, where the program was built with its header.
 */
#ifndef NET_CURL_API_H
#define NET_CURL_API_H

#include "util/attr.h"

struct error;

#ifdef HAVE_CURL_CURL_H
/* the checks of its macros need to see the functions, which are pointers here */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define CURL_API(X) \
	X(easy_cleanup) \
	X(easy_getinfo) \
	X(easy_init) \
	X(easy_perform) \
	X(easy_setopt) \
	X(easy_strerror) \
	X(slist_append) \
	X(slist_free_all)

struct curl_api {
#define CURL_MEMBER(name) __typeof__((curl_##name)) *name;
	CURL_API(CURL_MEMBER)
#undef CURL_MEMBER
};

extern struct curl_api curl;
#endif

/* Loads the library. EX_CONFIG when it is missing, or was when this was built. */
ATTR_CHECK int curl_api_load(struct error *err);

#endif
