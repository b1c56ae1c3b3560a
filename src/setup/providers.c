/*
 * What is known of mail providers without asking: one row each. Facts are
 * those that the providers publish; a row is found by the domain of the
 * address, by the hosts that receive the domain's mail, or by the name of the
 * server itself.
 */
#include "config.h"
#include "setup/discover.h"

#include <string.h>

#include "conf/public_domains.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define BOTH (PROVIDER_465 | PROVIDER_587)
#define APP_PASSWORD "needs an app password, not that of the account: "
#define TWO_FACTOR "with two-factor sign-in " APP_PASSWORD
#define CODE "needs the authorization code of the mailbox's settings"
#define CREDENTIALS "wants the SMTP credentials of the sending domain as user (--user) and password"
#define LOCAL "%EMAILLOCALPART%"

#define GMX_HINT "needs POP3/IMAP access switched on in the settings of the mailbox"

static const struct provider table[] = {
	/* mailboxes */
	{ "Google", GOOGLE_DOMAINS, "*.google.com *.googlemail.com",
	  "smtp.gmail.com", .ports = BOTH,
	  .hint = APP_PASSWORD "https://myaccount.google.com/apppasswords" },
	{ "Microsoft Outlook.com", OUTLOOK_DOMAINS, "*.olc.protection.outlook.com",
	  "smtp-mail.outlook.com", .ports = PROVIDER_587, .auth = FOUND_AUTH_OAUTH2,
	  .hint = "takes no passwords any more, OAuth2 only" },
	{ "Microsoft 365", MICROSOFT_365_DOMAINS,
	  "*.mail.protection.outlook.com *.mx.microsoft", "smtp.office365.com",
	  .ports = PROVIDER_587,
	  .hint = "needs 'Authenticated SMTP' allowed for the mailbox by its administrator; where "
		  "passwords are off, set oauth_token_command" },
	{ "Yahoo", YAHOO_DOMAINS, NULL, "smtp.mail.yahoo.com", .ports = BOTH,
	  .hint = APP_PASSWORD "https://login.yahoo.com/account/security" },
	{ "AOL", AOL_DOMAINS, NULL, "smtp.aol.com", .ports = BOTH,
	  .hint = APP_PASSWORD "https://login.aol.com/account/security" },
	{ "Apple iCloud", APPLE_DOMAINS, "*.mail.icloud.com", "smtp.mail.me.com",
	  .ports = PROVIDER_587,
	  .hint = APP_PASSWORD "https://account.apple.com (for a domain of your own, --user is "
		  "the address of the Apple account)" },
	{ "Fastmail", FASTMAIL_DOMAINS, "*.messagingengine.com", "smtp.fastmail.com",
	  .ports = BOTH, .hint = APP_PASSWORD "https://app.fastmail.com/settings/security" },
	{ "Proton Mail", PROTON_DOMAINS, "*.protonmail.ch",
	  "127.0.0.1", .port = 1025,
	  .hint = "is Proton Mail Bridge, which must run on this host; password and certificate "
		  "(--tls-trust-file) are the Bridge's: https://proton.me/mail/bridge" },
	{ "Zoho", ZOHO_DOMAINS, NULL, "smtp.zoho.com", .ports = BOTH,
	  .hint = TWO_FACTOR "https://accounts.zoho.com" },
	{ "Zoho", NULL, "*.zoho.com", "smtppro.zoho.com", .ports = BOTH,
	  .hint = TWO_FACTOR "https://accounts.zoho.com" },
	{ "Zoho", ZOHO_EU_DOMAINS, NULL, "smtp.zoho.eu", .ports = BOTH,
	  .hint = TWO_FACTOR "https://accounts.zoho.eu" },
	{ "Zoho", NULL, "*.zoho.eu", "smtppro.zoho.eu", .ports = BOTH,
	  .hint = TWO_FACTOR "https://accounts.zoho.eu" },
	{ "Yandex", YANDEX_DOMAINS,
	  "mx.yandex.net mx.yandex.ru", "smtp.yandex.com", .ports = PROVIDER_465,
	  .hint = APP_PASSWORD "https://id.yandex.com/security/app-passwords" },
	{ "Mail.ru", MAIL_RU_DOMAINS, NULL, "smtp.mail.ru",
	  .ports = PROVIDER_465,
	  .hint = APP_PASSWORD "https://account.mail.ru/user/2-step-auth/passwords" },
	{ "GMX", GMX_NET_DOMAINS, "*.gmx.net", "mail.gmx.net", .ports = BOTH, .hint = GMX_HINT },
	{ "GMX", GMX_COM_DOMAINS, NULL, "mail.gmx.com", .ports = BOTH, .hint = GMX_HINT },
	{ "WEB.DE", WEB_DE_DOMAINS, NULL, "smtp.web.de", .ports = BOTH, .user = LOCAL,
	  .hint = GMX_HINT },
	{ "mail.com", MAIL_COM_DOMAINS, NULL, "smtp.mail.com", .ports = BOTH },
	{ "Telekom", TELEKOM_DOMAINS, NULL, "securesmtp.t-online.de", .ports = BOTH,
	  .hint = "needs the password for mail programs of https://kundencenter.telekom.de" },
	{ "freenet", FREENET_DOMAINS, NULL, "mx.freenet.de", .ports = PROVIDER_587 },
	{ "Posteo", POSTEO_DOMAINS, NULL, "posteo.de", .ports = BOTH },
	{ "mailbox.org", MAILBOX_ORG_DOMAINS, "*.mailbox.org", "smtp.mailbox.org", .ports = BOTH,
	  .hint = TWO_FACTOR "https://mailbox.org" },
	{ "Orange", ORANGE_DOMAINS, NULL, "smtp.orange.fr", .ports = PROVIDER_465 },
	{ "Free", FREE_DOMAINS, NULL, "smtp.free.fr", .ports = PROVIDER_465, .user = LOCAL },
	{ "Seznam", SEZNAM_DOMAINS, NULL, "smtp.seznam.cz",
	  .ports = PROVIDER_465 },
	{ "QQ Mail", QQ_DOMAINS, NULL, "smtp.qq.com", .ports = PROVIDER_465,
	  .hint = CODE },
	{ "NetEase 163", NETEASE_163_DOMAINS, NULL, "smtp.163.com", .ports = PROVIDER_465,
	  .hint = CODE },
	{ "NetEase 126", NETEASE_126_DOMAINS, NULL, "smtp.126.com", .ports = PROVIDER_465,
	  .hint = CODE },
	/* hosts of others' domains */
	{ "Migadu", MIGADU_DOMAINS, "aspmx?.migadu.com", "smtp.migadu.com", .ports = PROVIDER_465 },
	{ "1&1", ONE_AND_ONE_DOMAINS, NULL, "smtp.1und1.de", .ports = BOTH },
	{ "IONOS", NULL, "*.kundenserver.de *.ionos.de", "smtp.ionos.de", .ports = BOTH },
	{ "IONOS", NULL, "*.ionos.com *.perfora.net", "smtp.ionos.com", .ports = BOTH },
	{ "IONOS", NULL, "*.ionos.fr", "smtp.ionos.fr", .ports = BOTH },
	{ "STRATO", NULL, "*.rzone.de", "smtp.strato.de", .ports = BOTH },
	{ "OVHcloud", NULL, "mx*.mail.ovh.net mx*.ovh.net", "ssl0.ovh.net", .ports = BOTH },
	{ "Hetzner", NULL, "*.your-server.de", "mail.your-server.de", .ports = PROVIDER_465 },
	{ "Gandi", NULL, "*.mail.gandi.net", "mail.gandi.net", .ports = BOTH },
	{ "Infomaniak", INFOMANIAK_DOMAINS, "*.infomaniak.ch", "mail.infomaniak.com",
	  .ports = BOTH },
	/* services that only send: the user names them by --host */
	{ "SendGrid", NULL, NULL, "smtp.sendgrid.net", .ports = BOTH, .user = "apikey",
	  .hint = "takes an API key as password: https://app.sendgrid.com/settings/api_keys" },
	{ "Postmark", NULL, NULL, "smtp.postmarkapp.com", .ports = PROVIDER_587,
	  .hint = "takes the server's API token as user (--user) and as password" },
	{ "Mailgun", NULL, NULL, "smtp.mailgun.org", .ports = BOTH,
	  .hint = CREDENTIALS },
	{ "Mailgun", NULL, NULL, "smtp.eu.mailgun.org", .ports = BOTH,
	  .hint = CREDENTIALS },
	{ "Brevo", NULL, NULL, "smtp-relay.brevo.com", .ports = BOTH,
	  .hint = "takes the SMTP login as user (--user), an SMTP key as password: "
		  "https://app.brevo.com/settings/keys/smtp" },
	{ "Amazon SES", NULL, NULL, "email-smtp.*.amazonaws.com", .ports = BOTH,
	  .hint = "takes SMTP credentials of SES as user (--user) and password, not an access "
		  "key of AWS" },
	{ "Resend", NULL, NULL, "smtp.resend.com", .ports = BOTH, .user = "resend",
	  .hint = "takes an API key as password: https://resend.com/api-keys" },
};

/* --- finding a row ---------------------------------------------------------------- */

/* Is there a pattern in the list (blanks between them) that name matches? */
static bool is_listed(const char *list, const char *name)
{
	struct strvec items = STRVEC_INIT(1000);
	bool found = false;

	strvec_split(&items, list ? list : "", " ");
	for (size_t i = 0; i < items.n && !found; i++)
		found = address_match(items.v[i], name);
	strvec_release(&items);
	return found;
}

const struct provider *provider_find(enum provider_key key, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct provider *p = &table[i];

		if (is_listed(key == PROVIDER_DOMAIN ? p->domains : key == PROVIDER_MX ? p->mx :
			      p->host, name))
			return p;
	}
	return NULL;
}

/* --- what a row gives ------------------------------------------------------------- */

const char *found_server_fill_in(struct arena *a, const char *text,
				 const struct found_address *who)
{
	const struct {
		const char *name, *value;
	} places[] = {
		{ "%EMAILADDRESS%", who->address }, { "%EMAILLOCALPART%", who->local },
		{ "%EMAILDOMAIN%", who->domain },
	};
	struct strbuf out = STRBUF_INIT(1 << 14);
	const char *p = text;

	while (*p) {
		size_t i = 0;

		while (i < ARRAY_LEN(places) &&
		       strncmp(p, places[i].name, strlen(places[i].name)) != 0)
			i++;
		if (i < ARRAY_LEN(places)) {
			strbuf_addstr(&out, places[i].value);
			p += strlen(places[i].name);
		} else if (*p == '%') {
			break;
		} else {
			strbuf_addch(&out, *p++);
		}
	}
	const bool whole = !*p && !strbuf_overflow(&out);
	const char *filled = arena_take(a, &out);

	return whole ? filled : NULL;
}

size_t provider_ways(const struct provider *p, struct arena *a,
		     const struct found_address *who, const char *host, const char *source,
		     struct found_server out[PROVIDER_WAYS])
{
	const struct {
		unsigned offered, port;
		enum tls_mode mode;
	} ways[PROVIDER_WAYS] = {
		{ p->ports & PROVIDER_465, 465, TLS_IMPLICIT },
		{ p->ports & PROVIDER_587, 587, TLS_STARTTLS },
		{ p->port, p->port, TLS_STARTTLS },
	};
	size_t n = 0;

	for (size_t i = 0; i < PROVIDER_WAYS; i++) {
		if (!ways[i].offered)
			continue;
		out[n++] = (struct found_server){
			.host = host ? host : p->host, .port = ways[i].port, .mode = ways[i].mode,
			.auth = p->auth, .source = source, .hint = p->hint,
			.user = p->user ? found_server_fill_in(a, p->user, who) : NULL,
		};
	}
	return n;
}
