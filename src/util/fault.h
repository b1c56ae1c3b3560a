/*
 * What has happened: the class of a failure.
 *
 * A fault is chosen where something fails, and never changes on the way up.
 * All that depends on the kind of a failure is looked up by it: the exit
 * code and the enhanced status in the table here, what is to be tried next
 * by fault_next(), the advice of --check in check/check_hints.c. No text
 * is ever read back for that. The name is what programs see (--json).
 *
 * A new fault is a line here and a row in fault.c.
 */
#ifndef UTIL_FAULT_H
#define UTIL_FAULT_H

#include <stdbool.h>

enum fault {
	FAULT_NONE,

	/* the command line, the configuration, files and commands of this host */
	FAULT_USAGE,			/* an option, or an argument of one */
	FAULT_CONFIG,			/* a setting, or a file of settings */
	FAULT_NO_ACCOUNT,		/* there is no account of that name, or none at all */
	FAULT_NO_SERVER_SET,		/* the account names no server */
	FAULT_SENDER_INCOMPLETE,	/* nothing completes the sender's address */
	FAULT_USER_NOT_ALLOWED,		/* this user may not send with the account */
	FAULT_LIBRARY_MISSING,		/* a library is not installed or not built in */
	FAULT_FILE,			/* a file that a setting names cannot be read */
	FAULT_FILE_MISSING,		/* ... it is not there */
	FAULT_FILE_DENIED,		/* ... its mode, or a folder's, is in the way */
	FAULT_FILE_CONFINED,		/* ... AppArmor or SELinux is */
	FAULT_SECRET_MODE,		/* others may read it */
	FAULT_FILE_MODE,		/* others may change it */
	FAULT_SECRET_OWNER,		/* it belongs to somebody else */
	FAULT_SECRET_EMPTY,		/* there is nothing in it */
	FAULT_SECRET_MALFORMED,		/* it cannot be a password or token */
	FAULT_NO_PASSWORD,		/* none is configured */
	FAULT_NO_TOKEN,			/* none is configured */
	FAULT_NO_CREDENTIALS,		/* the service manager has handed over none */
	FAULT_COMMAND_NOT_RUN,		/* a command cannot be run */
	FAULT_COMMAND_FAILED,		/* it ended with a status */
	FAULT_COMMAND_KILLED,		/* it was ended by a signal */
	FAULT_COMMAND_SLOW,		/* it did not end in time */
	FAULT_KEY_MISMATCH,		/* key and certificate are no pair */
	FAULT_KEY_LOCKED,		/* a passphrase or PIN is missing or wrong */
	FAULT_TRUST_FILE,		/* the trusted certificates, or a CRL, cannot be read */
	FAULT_CANNOT_CREATE,		/* a file that was asked for cannot be made */
	FAULT_CANNOT_WRITE,		/* a file of our own cannot be made or locked */
	FAULT_CONFIG_NOT_WRITTEN,	/* a file of settings cannot be written */
	FAULT_DISK_FULL,		/* there is no room */
	FAULT_SPOOL,			/* the message cannot be kept while it is sent */
	FAULT_IO,			/* reading or writing fails */
	FAULT_SYSTEM,			/* no process, pipe, socket or memory */
	FAULT_BUSY,			/* another program is at it */
	FAULT_BUG,			/* this must not happen */

	/* the message and its addresses */
	FAULT_INPUT,			/* the message, or a part of it, cannot be read */
	FAULT_NO_INPUT,			/* a file of input is not there, or is none */
	FAULT_ATTACHMENT,		/* a file to be attached cannot be read */
	FAULT_MESSAGE,			/* it is no message, or none that could be sent */
	FAULT_DOCUMENT,			/* what was fetched is not what it must be */
	FAULT_FOREIGN_CONFIG,		/* another program's configuration cannot be understood */
	FAULT_INPUT_TOO_LARGE,		/* more than is read or made here */
	FAULT_ADDRESS_SYNTAX,		/* it is no address */
	FAULT_DOMAIN_SYNTAX,		/* it is no domain */
	FAULT_ARGUMENT,			/* it cannot be said in a command */
	FAULT_BARE_LINE_END,		/* a CR or LF alone came from a client */
	FAULT_RECIPIENT_INCOMPLETE,	/* nothing completes a recipient's address */
	FAULT_NO_DOMAIN,		/* a recipient has no domain to send to */

	/* names in DNS */
	FAULT_NO_HOST,			/* the name does not exist */
	FAULT_NO_ADDRESS,		/* it has no address of the wanted kind */
	FAULT_NO_SRV,			/* the domain names no server for submission */
	FAULT_NULL_MX,			/* the domain takes no mail */
	FAULT_NO_SUBMISSION,		/* the domain says that it has no submission */
	FAULT_MX_LOOP,			/* all MX lead back here */
	FAULT_DNS,			/* no name server gives an answer */
	FAULT_DNSSEC_BOGUS,		/* an answer is forged or broken */

	/* the connection, a tunnel, a proxy */
	FAULT_CONNECT,			/* no connection, for a reason without a name here */
	FAULT_CONNECT_REFUSED,		/* nothing listens */
	FAULT_CONNECT_TIMEOUT,		/* nobody answers */
	FAULT_CONNECT_DENIED,		/* this host forbids it */
	FAULT_NET_UNREACHABLE,		/* there is no way to the network */
	FAULT_HOST_UNREACHABLE,		/* there is no way to the host */
	FAULT_SOURCE_ADDRESS,		/* the address of ours is not of this host */
	FAULT_SOCKET_MISSING,		/* there is no such local socket */
	FAULT_TUNNEL,			/* the tunnel command ended */
	FAULT_PROXY,			/* the proxy cannot be reached, or reaches nobody */
	FAULT_PROXY_REFUSED,		/* the proxy does not want to */
	FAULT_PROXY_UNABLE,		/* the proxy does not know how to */
	FAULT_PROXY_LOGIN,		/* the proxy does not take user or password */
	FAULT_PROXY_LOGIN_WANTED,	/* the proxy wants another login */
	FAULT_PROXY_PROTOCOL,		/* what answers is no proxy of that kind */
	FAULT_CONNECTION_LOST,		/* the peer has closed it, or the line is broken */
	FAULT_TIMEOUT,			/* the peer said nothing for too long */

	/* TLS and certificates */
	FAULT_TLS,			/* the handshake fails */
	FAULT_NOT_TLS,			/* what answers does not speak TLS */
	FAULT_SMTP_SPOKEN,		/* ... it speaks SMTP in clear text */
	FAULT_TLS_VERSION,		/* the peer has no version that is allowed here */
	FAULT_TLS_VERSION_REFUSED,	/* no version of ours that the peer allows */
	FAULT_TLS_NO_CIPHER,		/* no cipher in common, or it wants a certificate */
	FAULT_TLS_ALERT,		/* the peer broke off */
	FAULT_OUR_CERTIFICATE_WANTED,	/* ... it wants a certificate of ours */
	FAULT_OUR_CERTIFICATE_REFUSED,	/* ... it does not take ours */
	FAULT_OUR_CA_UNKNOWN,		/* ... it does not know the CA of ours */
	FAULT_OUR_CERTIFICATE_EXPIRED,	/* ... ours has expired */
	FAULT_CERTIFICATE,		/* the peer's is not acceptable */
	FAULT_CERTIFICATE_NAME,		/* ... it is for another name */
	FAULT_CERTIFICATE_EXPIRED,	/* ... its time is over */
	FAULT_CERTIFICATE_NOT_YET,	/* ... its time has not begun */
	FAULT_CERTIFICATE_SELF_SIGNED,	/* ... nobody but itself vouches for it */
	FAULT_CERTIFICATE_CA,		/* ... its CA is not trusted */
	FAULT_CERTIFICATE_CHAIN,	/* ... what leads to its CA is missing */
	FAULT_CERTIFICATE_REVOKED,	/* ... its CA has called it back */
	FAULT_CERTIFICATE_OCSP,		/* ... OCSP does not vouch for it */
	FAULT_CERTIFICATE_WEAK,		/* ... algorithm or key are too weak */
	FAULT_CERTIFICATE_PIN,		/* ... it is not that of tls_pin */
	FAULT_CERTIFICATE_FINGERPRINT,	/* ... it is not that of tls_fingerprint */
	FAULT_CERTIFICATE_DANE,		/* ... no TLSA record fits it, or there is none */

	/* the session with a server */
	FAULT_PROTOCOL,			/* what came is against the protocol */
	FAULT_NOT_SMTP,			/* ... it is no reply */
	FAULT_TLS_SPOKEN,		/* ... it is TLS */
	FAULT_OUT_OF_SEQUENCE,		/* a command in the wrong place, says the server */
	FAULT_SERVER_CLOSES,		/* 421: it ends the session */
	FAULT_SERVER_REFUSED,		/* it wants nothing from this address */
	FAULT_NAME_REFUSED,		/* it does not like our name */
	FAULT_XCLIENT_REFUSED,		/* it does not believe us (XCLIENT, XFORWARD) */
	FAULT_EXTENSION_MISSING,	/* it does not offer what is required */
	FAULT_UTF8_MISSING,		/* ... it is SMTPUTF8 */
	FAULT_COMMAND_UNKNOWN,		/* it does not know the command */
	FAULT_SERVICE_LATER,		/* it cannot do that now */
	FAULT_SERVICE_REFUSED,		/* it does not do that */
	FAULT_NO_STARTTLS,		/* it does not offer STARTTLS */
	FAULT_STARTTLS_REFUSED,		/* it does not begin TLS */
	FAULT_STARTTLS_LATER,		/* it cannot begin TLS now */
	FAULT_NOT_ENCRYPTED,		/* what is asked for needs TLS */
	FAULT_NOT_SIGNED_IN,		/* what is asked for needs a sign-in */

	/* sign-in */
	FAULT_NO_AUTH,			/* the server does not offer AUTH */
	FAULT_NO_AUTH_IN_CLEAR,		/* ... without TLS */
	FAULT_NO_MECHANISM,		/* it offers none that can be used */
	FAULT_MECHANISM_WEAK,		/* it offers none that is good enough, or ours is not */
	FAULT_MECHANISM_UNKNOWN,	/* 504: it does not know what it has offered */
	FAULT_PASSWORD_REFUSED,		/* user or password is wrong */
	FAULT_PASSWORD_OVER,		/* the password must be set anew */
	FAULT_APP_PASSWORD_WANTED,	/* a password made for this program is wanted */
	FAULT_BROWSER_WANTED,		/* somebody has to sign in by a browser first */
	FAULT_OAUTH_WANTED,		/* passwords are switched off */
	FAULT_ACCOUNT_DISABLED,		/* the account is */
	FAULT_TLS_WANTED,		/* not without TLS */
	FAULT_SIGN_IN_WANTED,		/* 530: not without a sign-in */
	FAULT_SIGN_IN_MALFORMED,	/* a client's response is none */
	FAULT_RESPONSE_TOO_LONG,	/* our response is longer than a line */
	FAULT_RESPONSE_REFUSED,		/* challenge or response is against the mechanism */
	FAULT_SERVER_UNPROVEN,		/* the server does not know the password either */
	FAULT_AUTH_LATER,		/* the server cannot tell now */
	FAULT_NO_TICKET,		/* no valid ticket (Kerberos) */

	/* sender, recipients, content */
	FAULT_SENDER_REFUSED,		/* it is no address that may send here */
	FAULT_SENDER_DOMAIN,		/* the domain of the sender is not known */
	FAULT_RELAY_DENIED,		/* the server does not pass it on */
	FAULT_POLICY,			/* it is against the server's rules */
	FAULT_RECIPIENT_UNKNOWN,	/* there is no such mailbox */
	FAULT_RECIPIENT_SYNTAX,		/* the server does not take it for an address */
	FAULT_RECIPIENT_MOVED,		/* it is elsewhere now */
	FAULT_RECIPIENT_OWNER,		/* nobody can tell whose mailbox it is */
	FAULT_RECIPIENT_NO_MAIL,	/* its domain takes no mail */
	FAULT_MAILBOX_FULL,		/* there is no room in it */
	FAULT_LISTED,			/* this host is on a list of bad ones */
	FAULT_GREYLISTED,		/* the server wants to be asked once more */
	FAULT_TOO_MANY_RECIPIENTS,	/* it takes no more of them now */
	FAULT_TOO_LARGE,		/* the message is larger than it may be */
	FAULT_CONVERSION,		/* the content must not be changed as it would have to be */
	FAULT_PARAMETER,		/* a parameter is not taken, or out of bounds */
	FAULT_PRIORITY,			/* it is too low, or the message too large for it */
	FAULT_REQUIRETLS,		/* TLS on the whole way cannot be kept */
	FAULT_DELIVERY_TIME,		/* there is not enough time left */
	FAULT_URL_UNREADABLE,		/* the server cannot fetch what BURL names */
	FAULT_NOT_ALLOWED,		/* the peer may not ask for that */
	FAULT_REFUSED,			/* for good, for a reason without a name here */
	FAULT_REFUSED_FOR_NOW,		/* it may pass, for a reason without a name here */
	FAULT_NOT_TRIED,		/* nobody was asked */

	/* tracking */
	FAULT_ON_ITS_WAY,		/* it is not delivered yet */
	FAULT_DELIVERY_FAILED,		/* it is not delivered, and will not be */
	FAULT_TRACKING_IN_CLEAR,	/* it is told under TLS only */
	FAULT_NOT_TRACKED,		/* nothing is known of it */

	FAULT_COUNT
};

/* What may help, the nearest first: each one includes those below it. */
enum next {
	NEXT_SLOWLY,		/* the same server on a new connection, one command at a time */
	NEXT_ADDRESS,		/* another address of it */
	NEXT_SERVER,		/* another server */
	NEXT_LATER,		/* the same, some time later */
	NEXT_NEVER		/* nothing, until somebody changes something */
};

/* What is to be tried after it. */
enum next fault_next(enum fault fault);

/* "certificate-name": the fault in lower case; "" for FAULT_NONE. */
const char *fault_name(enum fault fault);

/* Its code of sysexits.h; 0 for FAULT_NONE. */
int fault_exit(enum fault fault);

/* Its enhanced status, "5.3.5", where no server has given one; "" for FAULT_NONE. */
const char *fault_status(enum fault fault);

/* Does its text say as a rule which host it is about? */
bool fault_names_host(enum fault fault);

#endif
