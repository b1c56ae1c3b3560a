/*
 * Domains in which anybody may have a mailbox: a local name completed with one
 * of them is a stranger's address. Those of the providers that can be set up
 * are macros, for setup/providers.c; all of them are in the table of
 * public_domains.c, with others that are only known to be public.
 */
#ifndef CONF_PUBLIC_DOMAINS_H
#define CONF_PUBLIC_DOMAINS_H

#include <stdbool.h>

#include "util/attr.h"

#define GOOGLE_DOMAINS "gmail.com googlemail.com"
#define MICROSOFT_365_DOMAINS "office365.com onmicrosoft.com"
#define APPLE_DOMAINS "icloud.com me.com mac.com"
#define FASTMAIL_DOMAINS "fastmail.com fastmail.fm"
#define PROTON_DOMAINS "proton.me protonmail.com protonmail.ch pm.me"
#define ZOHO_DOMAINS "zoho.com zohomail.com"
#define ZOHO_EU_DOMAINS "zoho.eu zohomail.eu"
#define YANDEX_DOMAINS "yandex.ru yandex.com yandex.by yandex.kz yandex.ua ya.ru narod.ru"
#define MAIL_RU_DOMAINS "mail.ru inbox.ru list.ru bk.ru internet.ru"
#define TELEKOM_DOMAINS "t-online.de magenta.de"
#define ORANGE_DOMAINS "orange.fr wanadoo.fr"
#define SEZNAM_DOMAINS "seznam.cz email.cz post.cz spoluzaci.cz"
#define QQ_DOMAINS "qq.com foxmail.com"
#define ONE_AND_ONE_DOMAINS "online.de onlinehome.de"
#define INFOMANIAK_DOMAINS "ik.me ikmail.com etik.com"
#define WEB_DE_DOMAINS "web.de"
#define MAIL_COM_DOMAINS "mail.com"
#define FREENET_DOMAINS "freenet.de"
#define MAILBOX_ORG_DOMAINS "mailbox.org"
#define FREE_DOMAINS "free.fr"
#define NETEASE_163_DOMAINS "163.com"
#define NETEASE_126_DOMAINS "126.com"
#define MIGADU_DOMAINS "migadu.com"

#define OUTLOOK_DOMAINS \
	"outlook.com hotmail.com live.com msn.com windowslive.com passport.com outlook.at " \
	"outlook.be outlook.cl outlook.co.id outlook.co.il outlook.co.th outlook.com.ar " \
	"outlook.com.au outlook.com.br outlook.com.gr outlook.com.tr outlook.com.vn outlook.cz " \
	"outlook.de outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it " \
	"outlook.jp outlook.kr outlook.lv outlook.my outlook.ph outlook.pt outlook.sa outlook.sg " \
	"outlook.sk hotmail.be hotmail.ca hotmail.ch hotmail.co.jp hotmail.co.uk hotmail.com.ar " \
	"hotmail.com.br hotmail.com.tr hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr " \
	"hotmail.gr hotmail.it hotmail.nl hotmail.no hotmail.se live.at live.be live.ca live.cl " \
	"live.cn live.co.uk live.co.za live.com.ar live.com.au live.com.mx live.de live.dk " \
	"live.fi live.fr live.ie live.it live.jp live.nl live.no live.ru live.se"

#define YAHOO_DOMAINS \
	"yahoo.com ymail.com rocketmail.com yahoo.ca yahoo.co.id yahoo.co.in yahoo.co.nz " \
	"yahoo.co.uk yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.mx yahoo.com.ph " \
	"yahoo.com.sg yahoo.de yahoo.es yahoo.fr yahoo.gr yahoo.ie yahoo.in yahoo.it yahoo.ro " \
	"yahoo.se"

#define AOL_DOMAINS \
	"aol.com aim.com netscape.net compuserve.com cs.com verizon.net aol.de aol.fr aol.it " \
	"aol.es aol.co.uk"

#define POSTEO_DOMAINS \
	"posteo.de posteo.net posteo.org posteo.eu posteo.at posteo.be posteo.ch posteo.co.uk " \
	"posteo.com posteo.dk posteo.es posteo.it posteo.me posteo.nl posteo.pl posteo.se " \
	"posteo.uk posteo.us"

#define GMX_NET_DOMAINS \
	"gmx.net gmx.de gmx.at gmx.ch gmx.eu gmx.biz gmx.org gmx.info mein.gmx mail.gmx email.gmx"

#define GMX_COM_DOMAINS \
	"gmx.com gmx.us gmx.co.uk gmx.es gmx.fr gmx.ca gmx.cn gmx.it gmx.li gmx.pt gmx.ie gmx.se " \
	"gmx.sg gmx.hk gmx.tw gmx.ph gmx.ru gmx.tm gmx.co.in gmx.com.br gmx.com.my gmx.com.tr"

/* Is it one of those (ASCII case ignored)? A domain below one of them is not; NULL is none. */
ATTR_PURE bool public_domain(const char *domain);

#endif
