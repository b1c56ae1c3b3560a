/*
 * Is there a Kerberos ticket to sign in with?
 *
 * Asked of the Kerberos library, which alone knows where tickets are kept
 * (files, folders, the kernel, a daemon) and what krb5.conf says about it. It
 * is loaded for this question only. That a ticket is good for the server is
 * not said: the sign-in will show.
 */
#ifndef SECRETS_TICKET_H
#define SECRETS_TICKET_H

#include <stdbool.h>

/* Does the default cache hold somebody's tickets? False without the library. */
bool ticket_exists(void);

#endif
