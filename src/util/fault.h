/*
 * What has happened: the class of a failure.
 *
 * A fault is chosen where something fails, and never changes on the way up.
 * All that depends on the kind of a failure is looked up by it: the exit
 * code and the enhanced status in the table here, what is to be tried next
 * by it, the advice of --check in check/check_hints.c. No text
 * is ever read back for that. The name is what programs see (--json).
 *
 * A new fault is a row here.
 */
#ifndef UTIL_FAULT_H
#define UTIL_FAULT_H

#include <stdbool.h>

/*
 * All of them: the name behind FAULT_, the word for programs, code of
 * sysexits.h, enhanced status where no server has given one, what may help
 * (NEXT_...), and whether its text says as a rule which host it is about.
 */
#define FAULTS(F) \
	/* --- the command line, the configuration, files and commands of this host --- */ \
	/* an option, or an argument of one */ \
	F(USAGE, "usage", EX_USAGE, "5.5.4", NEVER, 0) \
	/* a setting, or a file of settings */ \
	F(CONFIG, "config", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* there is no account of that name, or none at all */ \
	F(NO_ACCOUNT, "no-account", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* the account names no server */ \
	F(NO_SERVER_SET, "no-server-set", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* nothing completes the sender's address */ \
	F(SENDER_INCOMPLETE, "sender-incomplete", EX_CONFIG, "5.1.7", NEVER, 0) \
	/* this user may not send with the account */ \
	F(USER_NOT_ALLOWED, "user-not-allowed", EX_NOPERM, "5.7.1", NEVER, 0) \
	/* a library is not installed or not built in */ \
	F(LIBRARY_MISSING, "library-missing", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* a file that a setting names cannot be read */ \
	F(FILE, "file", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* ... it is not there */ \
	F(FILE_MISSING, "file-missing", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* ... its mode, or a folder's, is in the way */ \
	F(FILE_DENIED, "file-denied", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* ... AppArmor or SELinux is */ \
	F(FILE_CONFINED, "file-confined", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* others may read it */ \
	F(SECRET_MODE, "secret-mode", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* others may change it */ \
	F(FILE_MODE, "file-mode", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* it belongs to somebody else */ \
	F(SECRET_OWNER, "secret-owner", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* there is nothing in it */ \
	F(SECRET_EMPTY, "secret-empty", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* it cannot be a password or token */ \
	F(SECRET_MALFORMED, "secret-malformed", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* none is configured */ \
	F(NO_PASSWORD, "no-password", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* none is configured */ \
	F(NO_TOKEN, "no-token", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* the service manager has handed over none */ \
	F(NO_CREDENTIALS, "no-credentials", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* a command cannot be run */ \
	F(COMMAND_NOT_RUN, "command-not-run", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* it ended with a status */ \
	F(COMMAND_FAILED, "command-failed", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* it was ended by a signal */ \
	F(COMMAND_KILLED, "command-killed", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* it did not end in time */ \
	F(COMMAND_SLOW, "command-slow", EX_TEMPFAIL, "4.3.0", SERVER, 0) \
	/* key and certificate are no pair */ \
	F(KEY_MISMATCH, "key-mismatch", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* a passphrase or PIN is missing or wrong */ \
	F(KEY_LOCKED, "key-locked", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* the trusted certificates, or a CRL, cannot be read */ \
	F(TRUST_FILE, "trust-file", EX_OSFILE, "5.3.5", NEVER, 0) \
	/* a file that was asked for cannot be made */ \
	F(CANNOT_CREATE, "cannot-create", EX_CANTCREAT, "5.3.5", NEVER, 0) \
	/* a file of our own cannot be made or locked */ \
	F(CANNOT_WRITE, "cannot-write", EX_CANTCREAT, "4.3.0", SERVER, 0) \
	/* a file of settings cannot be written */ \
	F(CONFIG_NOT_WRITTEN, "config-not-written", EX_IOERR, "5.3.5", NEVER, 0) \
	/* there is no room */ \
	F(DISK_FULL, "disk-full", EX_CANTCREAT, "4.3.1", SERVER, 0) \
	/* the message cannot be kept while it is sent */ \
	F(SPOOL, "spool", EX_IOERR, "4.3.1", SERVER, 0) \
	/* reading or writing fails */ \
	F(IO, "io", EX_IOERR, "4.3.0", SERVER, 0) \
	/* no process, pipe, socket or memory */ \
	F(SYSTEM, "system", EX_OSERR, "4.3.0", SERVER, 0) \
	/* another program is at it */ \
	F(BUSY, "busy", EX_TEMPFAIL, "4.3.0", SERVER, 0) \
	/* an entry of the queue is not as it was written */ \
	F(QUEUE_DAMAGED, "queue-damaged", EX_IOERR, "4.3.0", LATER, 0) \
	/* ... it is another version's */ \
	F(QUEUE_VERSION, "queue-version", EX_CONFIG, "4.3.5", LATER, 0) \
	/* the queue may hold no more */ \
	F(QUEUE_FULL, "queue-full", EX_TEMPFAIL, "4.3.1", LATER, 0) \
	/* this must not happen */ \
	F(BUG, "bug", EX_SOFTWARE, "5.3.0", NEVER, 0) \
	/* --- the message and its addresses --- */ \
	/* the message, or a part of it, cannot be read */ \
	F(INPUT, "input", EX_NOINPUT, "4.3.0", SERVER, 0) \
	/* a file of input is not there, or is none */ \
	F(NO_INPUT, "no-input", EX_NOINPUT, "5.3.5", NEVER, 0) \
	/* a file to be attached cannot be read */ \
	F(ATTACHMENT, "attachment", EX_NOINPUT, "5.5.4", NEVER, 0) \
	/* it is no message, or none that could be sent */ \
	F(MESSAGE, "message", EX_DATAERR, "5.6.0", NEVER, 0) \
	/* what was fetched is not what it must be */ \
	F(DOCUMENT, "document", EX_DATAERR, "5.6.0", NEVER, 0) \
	/* another program's configuration cannot be understood */ \
	F(FOREIGN_CONFIG, "foreign-config", EX_DATAERR, "5.3.5", NEVER, 0) \
	/* more than is read or made here */ \
	F(INPUT_TOO_LARGE, "input-too-large", EX_DATAERR, "5.3.4", NEVER, 0) \
	/* it is no address */ \
	F(ADDRESS_SYNTAX, "address-syntax", EX_DATAERR, "5.1.3", NEVER, 0) \
	/* it is no domain */ \
	F(DOMAIN_SYNTAX, "domain-syntax", EX_DATAERR, "5.1.2", NEVER, 0) \
	/* it cannot be said in a command */ \
	F(ARGUMENT, "argument", EX_DATAERR, "5.5.4", NEVER, 0) \
	/* a CR or LF alone came from a client */ \
	F(BARE_LINE_END, "bare-line-end", EX_DATAERR, "5.5.2", NEVER, 0) \
	/* nothing completes a recipient's address */ \
	F(RECIPIENT_INCOMPLETE, "recipient-incomplete", EX_NOUSER, "5.1.3", NEVER, 0) \
	/* nobody is named who reads the mail of this host */ \
	F(NO_READER, "no-reader", EX_CONFIG, "5.3.5", NEVER, 0) \
	/* what an alias says cannot be sent to */ \
	F(ALIAS, "alias", EX_NOUSER, "5.2.4", NEVER, 0) \
	/* a recipient has no domain to send to */ \
	F(NO_DOMAIN, "no-domain", EX_NOHOST, "5.1.2", NEVER, 0) \
	/* --- names in DNS --- */ \
	/* the name does not exist */ \
	F(NO_HOST, "no-host", EX_NOHOST, "5.1.2", SERVER, 1) \
	/* it has no address of the wanted kind */ \
	F(NO_ADDRESS, "no-address", EX_NOHOST, "5.1.2", SERVER, 1) \
	/* the domain names no server for submission */ \
	F(NO_SRV, "no-srv", EX_NOHOST, "5.1.2", SERVER, 0) \
	/* the domain takes no mail */ \
	F(NULL_MX, "null-mx", EX_NOHOST, "5.1.10", SERVER, 0) \
	/* the domain says that it has no submission */ \
	F(NO_SUBMISSION, "no-submission", EX_UNAVAILABLE, "5.3.2", NEVER, 0) \
	/* all MX lead back here */ \
	F(MX_LOOP, "mx-loop", EX_UNAVAILABLE, "5.4.6", NEVER, 0) \
	/* no name server gives an answer */ \
	F(DNS, "dns", EX_TEMPFAIL, "4.4.3", SERVER, 1) \
	/* an answer is forged or broken */ \
	F(DNSSEC_BOGUS, "dnssec-bogus", EX_TEMPFAIL, "4.7.5", SERVER, 1) \
	/* --- the connection, a tunnel, a proxy --- */ \
	/* no connection, for a reason without a name here */ \
	F(CONNECT, "connect", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* nothing listens */ \
	F(CONNECT_REFUSED, "connect-refused", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* nobody answers */ \
	F(CONNECT_TIMEOUT, "connect-timeout", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* this host forbids it */ \
	F(CONNECT_DENIED, "connect-denied", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* there is no way to the network */ \
	F(NET_UNREACHABLE, "net-unreachable", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* there is no way to the host */ \
	F(HOST_UNREACHABLE, "host-unreachable", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* the address of ours is not of this host */ \
	F(SOURCE_ADDRESS, "source-address", EX_TEMPFAIL, "4.4.1", ADDRESS, 1) \
	/* there is no such local socket */ \
	F(SOCKET_MISSING, "socket-missing", EX_TEMPFAIL, "4.4.1", SERVER, 1) \
	/* the tunnel command ended */ \
	F(TUNNEL, "tunnel", EX_TEMPFAIL, "4.4.1", SERVER, 0) \
	/* the proxy cannot be reached, or reaches nobody */ \
	F(PROXY, "proxy", EX_TEMPFAIL, "4.4.1", ADDRESS, 0) \
	/* the proxy does not want to */ \
	F(PROXY_REFUSED, "proxy-refused", EX_UNAVAILABLE, "5.7.1", NEVER, 0) \
	/* the proxy does not know how to */ \
	F(PROXY_UNABLE, "proxy-unable", EX_UNAVAILABLE, "5.5.1", NEVER, 0) \
	/* the proxy does not take user or password */ \
	F(PROXY_LOGIN, "proxy-login", EX_NOPERM, "5.7.8", NEVER, 0) \
	/* the proxy wants another login */ \
	F(PROXY_LOGIN_WANTED, "proxy-login-wanted", EX_UNAVAILABLE, "5.7.0", NEVER, 0) \
	/* what answers is no proxy of that kind */ \
	F(PROXY_PROTOCOL, "proxy-protocol", EX_PROTOCOL, "5.5.0", SERVER, 0) \
	/* the peer has closed it, or the line is broken */ \
	F(CONNECTION_LOST, "connection-lost", EX_TEMPFAIL, "4.4.2", SLOWLY, 0) \
	/* the peer said nothing for too long */ \
	F(TIMEOUT, "timeout", EX_TEMPFAIL, "4.4.2", ADDRESS, 0) \
	/* a signal has ended the attempt */ \
	F(INTERRUPTED, "interrupted", EX_TEMPFAIL, "4.3.0", LATER, 0) \
	/* it does not take several commands at once */ \
	F(GROUP, "group", EX_TEMPFAIL, "4.4.2", SLOWLY, 0) \
	/* --- TLS and certificates --- */ \
	/* the handshake fails */ \
	F(TLS, "tls", EX_PROTOCOL, "5.7.5", SERVER, 0) \
	/* what answers does not speak TLS */ \
	F(NOT_TLS, "not-tls", EX_PROTOCOL, "5.7.5", SERVER, 0) \
	/* ... it speaks SMTP in clear text */ \
	F(SMTP_SPOKEN, "smtp-spoken", EX_PROTOCOL, "5.7.5", SERVER, 0) \
	/* the peer has no version that is allowed here */ \
	F(TLS_VERSION, "tls-version", EX_PROTOCOL, "5.7.5", SERVER, 0) \
	/* no version of ours that the peer allows */ \
	F(TLS_VERSION_REFUSED, "tls-version-refused", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* no cipher in common, or it wants a certificate */ \
	F(TLS_NO_CIPHER, "tls-no-cipher", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* the peer broke off */ \
	F(TLS_ALERT, "tls-alert", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* ... it wants a certificate of ours */ \
	F(OUR_CERTIFICATE_WANTED, "our-certificate-wanted", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* ... it does not take ours */ \
	F(OUR_CERTIFICATE_REFUSED, "our-certificate-refused", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* ... it does not know the CA of ours */ \
	F(OUR_CA_UNKNOWN, "our-ca-unknown", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* ... ours has expired */ \
	F(OUR_CERTIFICATE_EXPIRED, "our-certificate-expired", EX_TEMPFAIL, "4.7.5", SERVER, 0) \
	/* ... or it does not take back a session of before, which is forgotten now */ \
	F(TLS_SESSION, "tls-session", EX_TEMPFAIL, "4.7.5", SLOWLY, 0) \
	/* the peer's is not acceptable */ \
	F(CERTIFICATE, "certificate", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... it is for another name */ \
	F(CERTIFICATE_NAME, "certificate-name", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... its time is over */ \
	F(CERTIFICATE_EXPIRED, "certificate-expired", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... its time has not begun */ \
	F(CERTIFICATE_NOT_YET, "certificate-not-yet", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... nobody but itself vouches for it */ \
	F(CERTIFICATE_SELF_SIGNED, "certificate-self-signed", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... its CA is not trusted */ \
	F(CERTIFICATE_CA, "certificate-ca", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... what leads to its CA is missing */ \
	F(CERTIFICATE_CHAIN, "certificate-chain", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... its CA has called it back */ \
	F(CERTIFICATE_REVOKED, "certificate-revoked", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... OCSP does not vouch for it */ \
	F(CERTIFICATE_OCSP, "certificate-ocsp", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... the list of those that its CA has called back is too old to tell */ \
	F(CERTIFICATE_CRL, "certificate-crl", EX_NOPERM, "5.7.5", SERVER, 1) \
	/* ... algorithm or key are too weak */ \
	F(CERTIFICATE_WEAK, "certificate-weak", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... it is not that of tls_pin */ \
	F(CERTIFICATE_PIN, "certificate-pin", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... it is not that of tls_fingerprint */ \
	F(CERTIFICATE_FINGERPRINT, "certificate-fingerprint", EX_PROTOCOL, "5.7.5", SERVER, 1) \
	/* ... no TLSA record fits it, or there is none */ \
	F(CERTIFICATE_DANE, "certificate-dane", EX_TEMPFAIL, "4.7.5", SERVER, 1) \
	/* --- the session with a server --- */ \
	/* what came is against the protocol */ \
	F(PROTOCOL, "protocol", EX_PROTOCOL, "5.5.0", SERVER, 0) \
	/* ... it is no reply */ \
	F(NOT_SMTP, "not-smtp", EX_PROTOCOL, "5.5.0", SERVER, 0) \
	/* ... it is TLS */ \
	F(TLS_SPOKEN, "tls-spoken", EX_PROTOCOL, "5.5.0", SERVER, 0) \
	/* a command in the wrong place, says the server */ \
	F(OUT_OF_SEQUENCE, "out-of-sequence", EX_PROTOCOL, "5.5.1", SERVER, 0) \
	/* 421: it ends the session */ \
	F(SERVER_CLOSES, "server-closes", EX_TEMPFAIL, "4.3.2", ADDRESS, 0) \
	/* it wants nothing from this address */ \
	F(SERVER_REFUSED, "server-refused", EX_UNAVAILABLE, "5.3.2", NEVER, 0) \
	/* it does not like our name */ \
	F(NAME_REFUSED, "name-refused", EX_UNAVAILABLE, "5.3.2", NEVER, 0) \
	/* it does not believe us (XCLIENT, XFORWARD) */ \
	F(XCLIENT_REFUSED, "xclient-refused", EX_NOPERM, "5.7.0", NEVER, 0) \
	/* it does not offer what is required */ \
	F(EXTENSION_MISSING, "extension-missing", EX_UNAVAILABLE, "5.3.3", SERVER, 0) \
	/* ... it is SMTPUTF8 */ \
	F(UTF8_MISSING, "utf8-missing", EX_UNAVAILABLE, "5.6.7", SERVER, 0) \
	/* it does not know the command */ \
	F(COMMAND_UNKNOWN, "command-unknown", EX_UNAVAILABLE, "5.5.1", NEVER, 0) \
	/* it cannot do that now */ \
	F(SERVICE_LATER, "service-later", EX_TEMPFAIL, "4.3.0", SERVER, 0) \
	/* it does not do that */ \
	F(SERVICE_REFUSED, "service-refused", EX_UNAVAILABLE, "5.3.0", NEVER, 0) \
	/* it does not offer STARTTLS */ \
	F(NO_STARTTLS, "no-starttls", EX_UNAVAILABLE, "5.7.10", SERVER, 0) \
	/* ... something on the way hides what it says */ \
	F(STARTTLS_MASKED, "starttls-masked", EX_UNAVAILABLE, "5.7.10", SERVER, 0) \
	/* it does not begin TLS */ \
	F(STARTTLS_REFUSED, "starttls-refused", EX_UNAVAILABLE, "5.7.0", SERVER, 0) \
	/* it cannot begin TLS now */ \
	F(STARTTLS_LATER, "starttls-later", EX_TEMPFAIL, "4.7.0", SERVER, 0) \
	/* what is asked for needs TLS */ \
	F(NOT_ENCRYPTED, "not-encrypted", EX_UNAVAILABLE, "5.7.10", SERVER, 0) \
	/* what is asked for needs a sign-in */ \
	F(NOT_SIGNED_IN, "not-signed-in", EX_UNAVAILABLE, "5.7.0", NEVER, 0) \
	/* --- sign-in --- */ \
	/* the server does not offer AUTH */ \
	F(NO_AUTH, "no-auth", EX_UNAVAILABLE, "5.7.4", NEVER, 0) \
	/* ... without TLS */ \
	F(NO_AUTH_IN_CLEAR, "no-auth-in-clear", EX_UNAVAILABLE, "5.7.4", NEVER, 0) \
	/* it offers none that can be used */ \
	F(NO_MECHANISM, "no-mechanism", EX_UNAVAILABLE, "5.7.4", NEVER, 0) \
	/* it offers none that is good enough, or ours is not */ \
	F(MECHANISM_WEAK, "mechanism-weak", EX_NOPERM, "5.7.9", NEVER, 0) \
	/* 504: it does not know what it has offered */ \
	F(MECHANISM_UNKNOWN, "mechanism-unknown", EX_NOPERM, "5.5.4", NEVER, 0) \
	/* user or password is wrong */ \
	F(PASSWORD_REFUSED, "password-refused", EX_NOPERM, "5.7.8", NEVER, 0) \
	/* the password must be set anew */ \
	F(PASSWORD_OVER, "password-over", EX_NOPERM, "4.7.12", SERVER, 0) \
	/* a password made for this program is wanted */ \
	F(APP_PASSWORD_WANTED, "app-password-wanted", EX_NOPERM, "5.7.8", NEVER, 0) \
	/* somebody has to sign in by a browser first */ \
	F(BROWSER_WANTED, "browser-wanted", EX_NOPERM, "5.7.8", NEVER, 0) \
	/* passwords are switched off */ \
	F(OAUTH_WANTED, "oauth-wanted", EX_NOPERM, "5.7.8", NEVER, 0) \
	/* the account is */ \
	F(ACCOUNT_DISABLED, "account-disabled", EX_NOPERM, "5.7.13", NEVER, 0) \
	/* not without TLS */ \
	F(TLS_WANTED, "tls-wanted", EX_NOPERM, "5.7.11", NEVER, 0) \
	/* 530: not without a sign-in */ \
	F(SIGN_IN_WANTED, "sign-in-wanted", EX_NOPERM, "5.7.0", NEVER, 0) \
	/* a client's response is none */ \
	F(SIGN_IN_MALFORMED, "sign-in-malformed", EX_NOPERM, "5.5.2", NEVER, 0) \
	/* our response is longer than a line */ \
	F(RESPONSE_TOO_LONG, "response-too-long", EX_NOPERM, "5.5.6", NEVER, 0) \
	/* challenge or response is against the mechanism */ \
	F(RESPONSE_REFUSED, "response-refused", EX_PROTOCOL, "5.5.2", SERVER, 0) \
	/* the server does not know the password either */ \
	F(SERVER_UNPROVEN, "server-unproven", EX_PROTOCOL, "5.7.0", SERVER, 0) \
	/* the server cannot tell now */ \
	F(AUTH_LATER, "auth-later", EX_TEMPFAIL, "4.7.0", SERVER, 0) \
	/* no valid ticket (Kerberos) */ \
	F(NO_TICKET, "no-ticket", EX_TEMPFAIL, "4.7.0", SERVER, 1) \
	/* --- sender, recipients, content --- */ \
	/* it is no address that may send here */ \
	F(SENDER_REFUSED, "sender-refused", EX_UNAVAILABLE, "5.0.0", NEVER, 0) \
	/* the domain of the sender is not known */ \
	F(SENDER_DOMAIN, "sender-domain", EX_UNAVAILABLE, "5.1.8", NEVER, 0) \
	/* the server does not pass it on */ \
	F(RELAY_DENIED, "relay-denied", EX_NOPERM, "5.7.1", NEVER, 0) \
	/* it is against the server's rules */ \
	F(POLICY, "policy", EX_NOPERM, "5.7.0", NEVER, 0) \
	/* there is no such mailbox */ \
	F(RECIPIENT_UNKNOWN, "recipient-unknown", EX_NOUSER, "5.1.1", NEVER, 0) \
	/* the server does not take it for an address */ \
	F(RECIPIENT_SYNTAX, "recipient-syntax", EX_NOUSER, "5.1.3", NEVER, 0) \
	/* it is elsewhere now */ \
	F(RECIPIENT_MOVED, "recipient-moved", EX_NOUSER, "5.1.6", NEVER, 0) \
	/* nobody can tell whose mailbox it is */ \
	F(RECIPIENT_OWNER, "recipient-owner", EX_UNAVAILABLE, "5.7.19", NEVER, 0) \
	/* its domain takes no mail */ \
	F(RECIPIENT_NO_MAIL, "recipient-no-mail", EX_NOHOST, "5.1.10", NEVER, 0) \
	/* there is no room in it */ \
	F(MAILBOX_FULL, "mailbox-full", EX_UNAVAILABLE, "5.2.2", LATER, 0) \
	/* this host is on a list of bad ones */ \
	F(LISTED, "listed", EX_UNAVAILABLE, "5.7.1", NEVER, 0) \
	/* the server wants to be asked once more */ \
	F(GREYLISTED, "greylisted", EX_TEMPFAIL, "4.7.1", LATER, 0) \
	/* it takes no more of them now */ \
	F(TOO_MANY_RECIPIENTS, "too-many-recipients", EX_TEMPFAIL, "4.5.3", LATER, 0) \
	/* the message is larger than it may be */ \
	F(TOO_LARGE, "too-large", EX_UNAVAILABLE, "5.3.4", NEVER, 0) \
	/* the content must not be changed as it would have to be */ \
	F(CONVERSION, "conversion", EX_UNAVAILABLE, "5.6.3", NEVER, 0) \
	/* a parameter is not taken, or out of bounds */ \
	F(PARAMETER, "parameter", EX_UNAVAILABLE, "5.5.4", NEVER, 0) \
	/* it is too low, or the message too large for it */ \
	F(PRIORITY, "priority", EX_UNAVAILABLE, "5.7.15", NEVER, 0) \
	/* TLS on the whole way cannot be kept */ \
	F(REQUIRETLS, "requiretls", EX_UNAVAILABLE, "5.7.30", NEVER, 0) \
	/* there is not enough time left */ \
	F(DELIVERY_TIME, "delivery-time", EX_UNAVAILABLE, "5.4.7", NEVER, 0) \
	/* the server does not hold it back, and it is to be done here */ \
	F(HOLD_HERE, "hold-here", EX_UNAVAILABLE, "5.3.3", SERVER, 0) \
	/* the server cannot fetch what BURL names */ \
	F(URL_UNREADABLE, "url-unreadable", EX_NOINPUT, "5.6.6", NEVER, 0) \
	/* the peer may not ask for that */ \
	F(NOT_ALLOWED, "not-allowed", EX_NOPERM, "5.7.1", NEVER, 0) \
	/* for good, for a reason without a name here */ \
	F(REFUSED, "refused", EX_UNAVAILABLE, "5.0.0", NEVER, 0) \
	/* it may pass, for a reason without a name here */ \
	F(REFUSED_FOR_NOW, "refused-for-now", EX_TEMPFAIL, "4.0.0", SERVER, 0) \
	/* nobody was asked */ \
	F(NOT_TRIED, "not-tried", EX_TEMPFAIL, "4.3.0", LATER, 0) \
	/* --- tracking --- */ \
	/* it is not delivered yet */ \
	F(ON_ITS_WAY, "on-its-way", EX_TEMPFAIL, "4.4.7", LATER, 0) \
	/* it is not delivered, and will not be */ \
	F(DELIVERY_FAILED, "delivery-failed", EX_UNAVAILABLE, "5.0.0", NEVER, 0) \
	/* it is told under TLS only */ \
	F(TRACKING_IN_CLEAR, "tracking-in-clear", EX_NOPERM, "5.7.10", NEVER, 0) \
	/* nothing is known of it */ \
	F(NOT_TRACKED, "not-tracked", EX_UNAVAILABLE, "5.1.0", NEVER, 0)

enum fault {
	FAULT_NONE,
#define F(name, word, exit, status, next, host) FAULT_##name,
	FAULTS(F)
#undef F
	FAULT_COUNT
};

/* What may help, the nearest first: each one includes those below it. */
enum next {
	NEXT_SLOWLY,		/* the same server on a new connection, one command at a time */
	NEXT_ADDRESS,		/* another address of it */
	NEXT_SERVER,		/* another server */
	NEXT_LATER,		/* the same, some time later */
	NEXT_NEVER,		/* nothing, until somebody changes something */
	NEXT_COUNT
};

/*
 * The one table of what comes after a fault: how far the message had come,
 * and what the fault itself says. tests/matrix.py reads it.
 *
 * OPENING: connection, TLS, greeting, EHLO, sign-in. ENVELOPE: MAIL, RCPT,
 * DATA; nothing can have been taken. CONTENT: the content had begun, and its
 * end was not sent. SENT: it was; whoever cannot tell what became of it
 * sends it nowhere else (result->unknown).
 */
#define PHASES(P) \
	/*           SLOWLY   ADDRESS  SERVER  LATER  NEVER */ \
	P(OPENING,   ADDRESS, ADDRESS, SERVER, LATER, NEVER) \
	P(ENVELOPE,  SLOWLY,  SERVER,  SERVER, LATER, NEVER) \
	P(CONTENT,   SERVER,  SERVER,  SERVER, LATER, NEVER) \
	P(SENT,      NEVER,   NEVER,   SERVER, LATER, NEVER)

enum phase {
#define P(phase, slowly, address, server, later, never) PHASE_##phase,
	PHASES(P)
#undef P
	PHASE_COUNT
};

/* What is to be tried after it in that phase. */
enum next fault_next(enum fault fault, enum phase phase);

/* What is known of each; all empty for FAULT_NONE. Arrays: nothing has to be relocated. */
extern const struct fault_row {
	char name[32];		/* "certificate-name": the fault in lower case */
	char status[8];		/* enhanced status, "5.3.5", where no server has given one */
	int exit;		/* code of sysexits.h */
	enum next next;		/* what is to be tried after it */
	bool host;		/* does its text say as a rule which host it is about? */
} fault_rows[FAULT_COUNT];

#endif
