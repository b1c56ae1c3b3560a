/*
 * The document in which a domain, or somebody on its behalf, says where its
 * mailboxes submit mail: Thunderbird's autoconfig, config-v1.1.xml.
 *
 * Taken: <outgoingServer type="smtp"> of the first <emailProvider>. Passed
 * over: servers without TLS, with host names or ports that are none, with
 * user names that only the user could complete, and those where no password
 * and no OAuth2 will do. Read by util/xml.h, so without document types and
 * entities; what is unknown is skipped. Nothing is fetched here.
 */
#ifndef SETUP_AUTOCONFIG_H
#define SETUP_AUTOCONFIG_H

#include <stddef.h>

#include "setup/found_server.h"
#include "util/attr.h"

struct error;
struct strbuf;

#define AUTOCONFIG_SERVERS 16

/*
 * Reads n octets; the servers into out in the document's order, their number
 * into *n_out. source is borrowed. What was passed over is appended to note,
 * as "HOST:PORT: why; ". EX_DATAERR: no such document, or none of this
 * program's kind; EX_CONFIG: no libexpat.
 */
ATTR_CHECK int autoconfig_read(const char *data, size_t n, struct arena *a,
			       const struct found_address *who, const char *source,
			       struct found_server out[AUTOCONFIG_SERVERS], size_t *n_out,
			       struct strbuf *note, struct error *err);

#endif
