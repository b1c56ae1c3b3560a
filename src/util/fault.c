#include "config.h"
#include "util/fault.h"

#include <stdbool.h>
#include <sysexits.h>

static const struct fault_row {
	const char *name;
	int exit;
	const char *status;
	enum next next;
} table[FAULT_COUNT] = {
	[FAULT_NONE] = { "", 0, "", NEXT_NEVER },

	/* the command line, the configuration, files and commands of this host */
	[FAULT_USAGE] = { "usage", EX_USAGE, "5.5.4", NEXT_NEVER },
	[FAULT_CONFIG] = { "config", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_NO_ACCOUNT] = { "no-account", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_NO_SERVER_SET] = { "no-server-set", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_SENDER_INCOMPLETE] = { "sender-incomplete", EX_CONFIG, "5.1.7", NEXT_NEVER },
	[FAULT_USER_NOT_ALLOWED] = { "user-not-allowed", EX_NOPERM, "5.7.1", NEXT_NEVER },
	[FAULT_LIBRARY_MISSING] = { "library-missing", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_FILE] = { "file", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_FILE_MISSING] = { "file-missing", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_FILE_DENIED] = { "file-denied", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_FILE_CONFINED] = { "file-confined", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_SECRET_MODE] = { "secret-mode", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_FILE_MODE] = { "file-mode", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_SECRET_OWNER] = { "secret-owner", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_SECRET_EMPTY] = { "secret-empty", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_SECRET_MALFORMED] = { "secret-malformed", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_NO_PASSWORD] = { "no-password", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_NO_TOKEN] = { "no-token", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_NO_CREDENTIALS] = { "no-credentials", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_COMMAND_NOT_RUN] = { "command-not-run", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_COMMAND_FAILED] = { "command-failed", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_COMMAND_KILLED] = { "command-killed", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_COMMAND_SLOW] = { "command-slow", EX_TEMPFAIL, "4.3.0", NEXT_SERVER },
	[FAULT_KEY_MISMATCH] = { "key-mismatch", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_KEY_LOCKED] = { "key-locked", EX_CONFIG, "5.3.5", NEXT_NEVER },
	[FAULT_TRUST_FILE] = { "trust-file", EX_OSFILE, "5.3.5", NEXT_NEVER },
	[FAULT_CANNOT_CREATE] = { "cannot-create", EX_CANTCREAT, "5.3.5", NEXT_NEVER },
	[FAULT_CANNOT_WRITE] = { "cannot-write", EX_CANTCREAT, "4.3.0", NEXT_SERVER },
	[FAULT_CONFIG_NOT_WRITTEN] = { "config-not-written", EX_IOERR, "5.3.5", NEXT_NEVER },
	[FAULT_DISK_FULL] = { "disk-full", EX_CANTCREAT, "4.3.1", NEXT_SERVER },
	[FAULT_SPOOL] = { "spool", EX_IOERR, "4.3.1", NEXT_SERVER },
	[FAULT_IO] = { "io", EX_IOERR, "4.3.0", NEXT_SERVER },
	[FAULT_SYSTEM] = { "system", EX_OSERR, "4.3.0", NEXT_SERVER },
	[FAULT_BUSY] = { "busy", EX_TEMPFAIL, "4.3.0", NEXT_SERVER },
	[FAULT_BUG] = { "bug", EX_SOFTWARE, "5.3.0", NEXT_NEVER },

	/* the message and its addresses */
	[FAULT_INPUT] = { "input", EX_NOINPUT, "4.3.0", NEXT_SERVER },
	[FAULT_NO_INPUT] = { "no-input", EX_NOINPUT, "5.3.5", NEXT_NEVER },
	[FAULT_ATTACHMENT] = { "attachment", EX_NOINPUT, "5.5.4", NEXT_NEVER },
	[FAULT_MESSAGE] = { "message", EX_DATAERR, "5.6.0", NEXT_NEVER },
	[FAULT_DOCUMENT] = { "document", EX_DATAERR, "5.6.0", NEXT_NEVER },
	[FAULT_FOREIGN_CONFIG] = { "foreign-config", EX_DATAERR, "5.3.5", NEXT_NEVER },
	[FAULT_INPUT_TOO_LARGE] = { "input-too-large", EX_DATAERR, "5.3.4", NEXT_NEVER },
	[FAULT_ADDRESS_SYNTAX] = { "address-syntax", EX_DATAERR, "5.1.3", NEXT_NEVER },
	[FAULT_DOMAIN_SYNTAX] = { "domain-syntax", EX_DATAERR, "5.1.2", NEXT_NEVER },
	[FAULT_ARGUMENT] = { "argument", EX_DATAERR, "5.5.4", NEXT_NEVER },
	[FAULT_BARE_LINE_END] = { "bare-line-end", EX_DATAERR, "5.5.2", NEXT_NEVER },
	[FAULT_RECIPIENT_INCOMPLETE] = { "recipient-incomplete", EX_NOUSER, "5.1.3", NEXT_NEVER },
	[FAULT_NO_DOMAIN] = { "no-domain", EX_NOHOST, "5.1.2", NEXT_NEVER },

	/* names in DNS */
	[FAULT_NO_HOST] = { "no-host", EX_NOHOST, "5.1.2", NEXT_SERVER },
	[FAULT_NO_ADDRESS] = { "no-address", EX_NOHOST, "5.1.2", NEXT_SERVER },
	[FAULT_NO_SRV] = { "no-srv", EX_NOHOST, "5.1.2", NEXT_SERVER },
	[FAULT_NULL_MX] = { "null-mx", EX_NOHOST, "5.1.10", NEXT_SERVER },
	[FAULT_NO_SUBMISSION] = { "no-submission", EX_UNAVAILABLE, "5.3.2", NEXT_NEVER },
	[FAULT_MX_LOOP] = { "mx-loop", EX_UNAVAILABLE, "5.4.6", NEXT_NEVER },
	[FAULT_DNS] = { "dns", EX_TEMPFAIL, "4.4.3", NEXT_SERVER },
	[FAULT_DNSSEC_BOGUS] = { "dnssec-bogus", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },

	/* the connection, a tunnel, a proxy */
	[FAULT_CONNECT] = { "connect", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_CONNECT_REFUSED] = { "connect-refused", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_CONNECT_TIMEOUT] = { "connect-timeout", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_CONNECT_DENIED] = { "connect-denied", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_NET_UNREACHABLE] = { "net-unreachable", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_HOST_UNREACHABLE] = { "host-unreachable", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_SOURCE_ADDRESS] = { "source-address", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_SOCKET_MISSING] = { "socket-missing", EX_TEMPFAIL, "4.4.1", NEXT_SERVER },
	[FAULT_TUNNEL] = { "tunnel", EX_TEMPFAIL, "4.4.1", NEXT_SERVER },
	[FAULT_PROXY] = { "proxy", EX_TEMPFAIL, "4.4.1", NEXT_ADDRESS },
	[FAULT_PROXY_REFUSED] = { "proxy-refused", EX_UNAVAILABLE, "5.7.1", NEXT_NEVER },
	[FAULT_PROXY_UNABLE] = { "proxy-unable", EX_UNAVAILABLE, "5.5.1", NEXT_NEVER },
	[FAULT_PROXY_LOGIN] = { "proxy-login", EX_NOPERM, "5.7.8", NEXT_NEVER },
	[FAULT_PROXY_LOGIN_WANTED] = { "proxy-login-wanted", EX_UNAVAILABLE, "5.7.0", NEXT_NEVER },
	[FAULT_PROXY_PROTOCOL] = { "proxy-protocol", EX_PROTOCOL, "5.5.0", NEXT_SERVER },
	[FAULT_CONNECTION_LOST] = { "connection-lost", EX_TEMPFAIL, "4.4.2", NEXT_SLOWLY },
	[FAULT_TIMEOUT] = { "timeout", EX_TEMPFAIL, "4.4.2", NEXT_ADDRESS },

	/* TLS and certificates */
	[FAULT_TLS] = { "tls", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_NOT_TLS] = { "not-tls", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_SMTP_SPOKEN] = { "smtp-spoken", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_TLS_VERSION] = { "tls-version", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_TLS_VERSION_REFUSED] = { "tls-version-refused", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_TLS_NO_CIPHER] = { "tls-no-cipher", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_TLS_ALERT] = { "tls-alert", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_OUR_CERTIFICATE_WANTED]
		= { "our-certificate-wanted", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_OUR_CERTIFICATE_REFUSED]
		= { "our-certificate-refused", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_OUR_CA_UNKNOWN] = { "our-ca-unknown", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_OUR_CERTIFICATE_EXPIRED]
		= { "our-certificate-expired", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE] = { "certificate", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_NAME] = { "certificate-name", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_EXPIRED] = { "certificate-expired", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_NOT_YET] = { "certificate-not-yet", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_SELF_SIGNED]
		= { "certificate-self-signed", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_CA] = { "certificate-ca", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_CHAIN] = { "certificate-chain", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_REVOKED] = { "certificate-revoked", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_OCSP] = { "certificate-ocsp", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_WEAK] = { "certificate-weak", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_PIN] = { "certificate-pin", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_FINGERPRINT]
		= { "certificate-fingerprint", EX_PROTOCOL, "5.7.5", NEXT_SERVER },
	[FAULT_CERTIFICATE_DANE] = { "certificate-dane", EX_TEMPFAIL, "4.7.5", NEXT_SERVER },

	/* the session with a server */
	[FAULT_PROTOCOL] = { "protocol", EX_PROTOCOL, "5.5.0", NEXT_SERVER },
	[FAULT_NOT_SMTP] = { "not-smtp", EX_PROTOCOL, "5.5.0", NEXT_SERVER },
	[FAULT_TLS_SPOKEN] = { "tls-spoken", EX_PROTOCOL, "5.5.0", NEXT_SERVER },
	[FAULT_OUT_OF_SEQUENCE] = { "out-of-sequence", EX_PROTOCOL, "5.5.1", NEXT_SERVER },
	[FAULT_SERVER_CLOSES] = { "server-closes", EX_TEMPFAIL, "4.3.2", NEXT_ADDRESS },
	[FAULT_SERVER_REFUSED] = { "server-refused", EX_UNAVAILABLE, "5.3.2", NEXT_NEVER },
	[FAULT_NAME_REFUSED] = { "name-refused", EX_UNAVAILABLE, "5.3.2", NEXT_NEVER },
	[FAULT_XCLIENT_REFUSED] = { "xclient-refused", EX_NOPERM, "5.7.0", NEXT_NEVER },
	[FAULT_EXTENSION_MISSING] = { "extension-missing", EX_UNAVAILABLE, "5.3.3", NEXT_NEVER },
	[FAULT_UTF8_MISSING] = { "utf8-missing", EX_UNAVAILABLE, "5.6.7", NEXT_NEVER },
	[FAULT_COMMAND_UNKNOWN] = { "command-unknown", EX_UNAVAILABLE, "5.5.1", NEXT_NEVER },
	[FAULT_SERVICE_LATER] = { "service-later", EX_TEMPFAIL, "4.3.0", NEXT_SERVER },
	[FAULT_SERVICE_REFUSED] = { "service-refused", EX_UNAVAILABLE, "5.3.0", NEXT_NEVER },
	[FAULT_NO_STARTTLS] = { "no-starttls", EX_UNAVAILABLE, "5.7.10", NEXT_SERVER },
	[FAULT_STARTTLS_REFUSED] = { "starttls-refused", EX_UNAVAILABLE, "5.7.0", NEXT_NEVER },
	[FAULT_STARTTLS_LATER] = { "starttls-later", EX_TEMPFAIL, "4.7.0", NEXT_SERVER },
	[FAULT_NOT_ENCRYPTED] = { "not-encrypted", EX_UNAVAILABLE, "5.7.10", NEXT_SERVER },
	[FAULT_NOT_SIGNED_IN] = { "not-signed-in", EX_UNAVAILABLE, "5.7.0", NEXT_NEVER },

	/* sign-in */
	[FAULT_NO_AUTH] = { "no-auth", EX_UNAVAILABLE, "5.7.4", NEXT_NEVER },
	[FAULT_NO_AUTH_IN_CLEAR] = { "no-auth-in-clear", EX_UNAVAILABLE, "5.7.4", NEXT_NEVER },
	[FAULT_NO_MECHANISM] = { "no-mechanism", EX_UNAVAILABLE, "5.7.4", NEXT_NEVER },
	[FAULT_MECHANISM_WEAK] = { "mechanism-weak", EX_NOPERM, "5.7.9", NEXT_NEVER },
	[FAULT_MECHANISM_UNKNOWN] = { "mechanism-unknown", EX_NOPERM, "5.5.4", NEXT_NEVER },
	[FAULT_PASSWORD_REFUSED] = { "password-refused", EX_NOPERM, "5.7.8", NEXT_NEVER },
	[FAULT_PASSWORD_OVER] = { "password-over", EX_NOPERM, "4.7.12", NEXT_SERVER },
	[FAULT_APP_PASSWORD_WANTED] = { "app-password-wanted", EX_NOPERM, "5.7.8", NEXT_NEVER },
	[FAULT_BROWSER_WANTED] = { "browser-wanted", EX_NOPERM, "5.7.8", NEXT_NEVER },
	[FAULT_OAUTH_WANTED] = { "oauth-wanted", EX_NOPERM, "5.7.8", NEXT_NEVER },
	[FAULT_ACCOUNT_DISABLED] = { "account-disabled", EX_NOPERM, "5.7.13", NEXT_NEVER },
	[FAULT_TLS_WANTED] = { "tls-wanted", EX_NOPERM, "5.7.11", NEXT_NEVER },
	[FAULT_SIGN_IN_WANTED] = { "sign-in-wanted", EX_NOPERM, "5.7.0", NEXT_NEVER },
	[FAULT_SIGN_IN_MALFORMED] = { "sign-in-malformed", EX_NOPERM, "5.5.2", NEXT_NEVER },
	[FAULT_RESPONSE_TOO_LONG] = { "response-too-long", EX_NOPERM, "5.5.6", NEXT_NEVER },
	[FAULT_RESPONSE_REFUSED] = { "response-refused", EX_PROTOCOL, "5.5.2", NEXT_SERVER },
	[FAULT_SERVER_UNPROVEN] = { "server-unproven", EX_PROTOCOL, "5.7.0", NEXT_SERVER },
	[FAULT_AUTH_LATER] = { "auth-later", EX_TEMPFAIL, "4.7.0", NEXT_SERVER },
	[FAULT_NO_TICKET] = { "no-ticket", EX_TEMPFAIL, "4.7.0", NEXT_SERVER },

	/* sender, recipients, content */
	[FAULT_SENDER_REFUSED] = { "sender-refused", EX_UNAVAILABLE, "5.0.0", NEXT_NEVER },
	[FAULT_SENDER_DOMAIN] = { "sender-domain", EX_UNAVAILABLE, "5.1.8", NEXT_NEVER },
	[FAULT_RELAY_DENIED] = { "relay-denied", EX_NOPERM, "5.7.1", NEXT_NEVER },
	[FAULT_POLICY] = { "policy", EX_NOPERM, "5.7.0", NEXT_NEVER },
	[FAULT_RECIPIENT_UNKNOWN] = { "recipient-unknown", EX_NOUSER, "5.1.1", NEXT_NEVER },
	[FAULT_RECIPIENT_SYNTAX] = { "recipient-syntax", EX_NOUSER, "5.1.3", NEXT_NEVER },
	[FAULT_RECIPIENT_MOVED] = { "recipient-moved", EX_NOUSER, "5.1.6", NEXT_NEVER },
	[FAULT_RECIPIENT_OWNER] = { "recipient-owner", EX_UNAVAILABLE, "5.7.19", NEXT_NEVER },
	[FAULT_RECIPIENT_NO_MAIL] = { "recipient-no-mail", EX_NOHOST, "5.1.10", NEXT_NEVER },
	[FAULT_MAILBOX_FULL] = { "mailbox-full", EX_UNAVAILABLE, "5.2.2", NEXT_LATER },
	[FAULT_LISTED] = { "listed", EX_UNAVAILABLE, "5.7.1", NEXT_NEVER },
	[FAULT_GREYLISTED] = { "greylisted", EX_TEMPFAIL, "4.7.1", NEXT_LATER },
	[FAULT_TOO_MANY_RECIPIENTS] = { "too-many-recipients", EX_TEMPFAIL, "4.5.3", NEXT_LATER },
	[FAULT_TOO_LARGE] = { "too-large", EX_UNAVAILABLE, "5.3.4", NEXT_NEVER },
	[FAULT_CONVERSION] = { "conversion", EX_UNAVAILABLE, "5.6.3", NEXT_NEVER },
	[FAULT_PARAMETER] = { "parameter", EX_UNAVAILABLE, "5.5.4", NEXT_NEVER },
	[FAULT_PRIORITY] = { "priority", EX_UNAVAILABLE, "5.7.15", NEXT_NEVER },
	[FAULT_REQUIRETLS] = { "requiretls", EX_UNAVAILABLE, "5.7.30", NEXT_NEVER },
	[FAULT_DELIVERY_TIME] = { "delivery-time", EX_UNAVAILABLE, "5.4.7", NEXT_NEVER },
	[FAULT_URL_UNREADABLE] = { "url-unreadable", EX_NOINPUT, "5.6.6", NEXT_NEVER },
	[FAULT_NOT_ALLOWED] = { "not-allowed", EX_NOPERM, "5.7.1", NEXT_NEVER },
	[FAULT_REFUSED] = { "refused", EX_UNAVAILABLE, "5.0.0", NEXT_NEVER },
	[FAULT_REFUSED_FOR_NOW] = { "refused-for-now", EX_TEMPFAIL, "4.0.0", NEXT_SERVER },
	[FAULT_NOT_TRIED] = { "not-tried", EX_TEMPFAIL, "4.3.0", NEXT_LATER },

	/* tracking */
	[FAULT_ON_ITS_WAY] = { "on-its-way", EX_TEMPFAIL, "4.4.7", NEXT_LATER },
	[FAULT_DELIVERY_FAILED] = { "delivery-failed", EX_UNAVAILABLE, "5.0.0", NEXT_NEVER },
	[FAULT_TRACKING_IN_CLEAR] = { "tracking-in-clear", EX_NOPERM, "5.7.10", NEXT_NEVER },
	[FAULT_NOT_TRACKED] = { "not-tracked", EX_UNAVAILABLE, "5.1.0", NEXT_NEVER },
};

enum next fault_next(enum fault fault)
{
	return table[fault].next;
}

const char *fault_name(enum fault fault)
{
	return table[fault].name;
}

int fault_exit(enum fault fault)
{
	return table[fault].exit;
}

const char *fault_status(enum fault fault)
{
	return table[fault].status;
}

bool fault_names_host(enum fault fault)
{
	static const bool names[FAULT_COUNT] = {
		[FAULT_NO_HOST] = true, [FAULT_NO_ADDRESS] = true, [FAULT_DNS] = true,
		[FAULT_DNSSEC_BOGUS] = true, [FAULT_CONNECT] = true,
		[FAULT_CONNECT_REFUSED] = true, [FAULT_CONNECT_TIMEOUT] = true,
		[FAULT_CONNECT_DENIED] = true, [FAULT_NET_UNREACHABLE] = true,
		[FAULT_HOST_UNREACHABLE] = true, [FAULT_SOURCE_ADDRESS] = true,
		[FAULT_SOCKET_MISSING] = true, [FAULT_CERTIFICATE] = true,
		[FAULT_CERTIFICATE_NAME] = true, [FAULT_CERTIFICATE_EXPIRED] = true,
		[FAULT_CERTIFICATE_NOT_YET] = true, [FAULT_CERTIFICATE_SELF_SIGNED] = true,
		[FAULT_CERTIFICATE_CA] = true, [FAULT_CERTIFICATE_CHAIN] = true,
		[FAULT_CERTIFICATE_REVOKED] = true, [FAULT_CERTIFICATE_OCSP] = true,
		[FAULT_CERTIFICATE_WEAK] = true, [FAULT_CERTIFICATE_PIN] = true,
		[FAULT_CERTIFICATE_FINGERPRINT] = true, [FAULT_CERTIFICATE_DANE] = true,
		[FAULT_NO_TICKET] = true,
	};

	return names[fault];
}
