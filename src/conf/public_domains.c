#include "config.h"
#include "conf/public_domains.h"

#include <string.h>
#include <strings.h>

static const char *const public_lists[] = {
	/* providers that can be set up */
	OUTLOOK_DOMAINS, YAHOO_DOMAINS, AOL_DOMAINS, POSTEO_DOMAINS, GMX_NET_DOMAINS,
	GMX_COM_DOMAINS, GOOGLE_DOMAINS, MICROSOFT_365_DOMAINS, APPLE_DOMAINS,
	FASTMAIL_DOMAINS, PROTON_DOMAINS, ZOHO_DOMAINS, ZOHO_EU_DOMAINS, YANDEX_DOMAINS,
	MAIL_RU_DOMAINS, TELEKOM_DOMAINS, ORANGE_DOMAINS, SEZNAM_DOMAINS, QQ_DOMAINS,
	ONE_AND_ONE_DOMAINS, INFOMANIAK_DOMAINS, WEB_DE_DOMAINS, MAIL_COM_DOMAINS,
	FREENET_DOMAINS, MAILBOX_ORG_DOMAINS, FREE_DOMAINS, NETEASE_163_DOMAINS,
	NETEASE_126_DOMAINS, MIGADU_DOMAINS,
	/* others */
	"yahoo.co.jp yahoo.com.hk yahoo.com.tw yahoo.com.tr yahoo.com.vn yahoo.co.th "
	"yahoo.com.my yahoo.com.co yahoo.com.pe yahoo.com.ve yahoo.com.cn yahoo.cn "
	"yahoo.co.il yahoo.co.za yahoo.co.kr yahoo.at yahoo.be yahoo.ch yahoo.dk yahoo.fi "
	"yahoo.hu yahoo.nl yahoo.no yahoo.pl yahoo.pt myyahoo.com hotmail.co.id hotmail.co.il "
	"hotmail.co.th hotmail.co.nz hotmail.co.za hotmail.com.au hotmail.com.hk "
	"hotmail.com.tw hotmail.cl hotmail.cz hotmail.hu hotmail.jp hotmail.kr hotmail.pt "
	"hotmail.rs hotmail.sg live.com.pt live.com.my live.com.sg live.hk live.in live.nz "
	"msn.cn fastmail.cn fastmail.co.uk fastmail.com.au fastmail.de fastmail.es "
	"fastmail.fr fastmail.in fastmail.jp fastmail.mx fastmail.net fastmail.nl "
	"fastmail.org fastmail.se fastmail.to fastmail.tw fastmail.us sent.com fmail.co.uk "
	"imap.cc 123mail.org yandex.net yandex.com.tr yandex.com.ge yandex.az yandex.co.il "
	"yandex.lt yandex.lv yandex.ee yandex.uz email.com usa.com post.com europe.com "
	"consultant.com myself.com iname.com writeme.com engineer.com dr.com techie.com "
	"cheerful.com asia.com caramail.com caramail.fr lycos.com excite.com zohomail.in "
	"zoho.in yeah.net sina.com sina.cn sohu.com 139.com 189.cn 21cn.com aliyun.com "
	"tom.com wo.cn vip.qq.com vip.163.com vip.126.com tutanota.com tutanota.de "
	"tutamail.com tuta.com tuta.io keemail.me hushmail.com hush.com hey.com runbox.com "
	"startmail.com kolabnow.com mailfence.com disroot.org riseup.net autistici.org "
	"systemli.org eclipso.de eclipso.eu mailo.com netcourrier.com net-c.com ctemplar.com "
	"skiff.com duck.com mozmail.com simplelogin.com anonaddy.com passmail.net "
	"passinbox.com cock.li airmail.cc murena.io e.email teknik.io dismail.de "
	"openmailbox.org vfemail.net inbox.com lavabit.com safe-mail.net comcast.net "
	"xfinity.com att.net sbcglobal.net bellsouth.net ameritech.net pacbell.net swbell.net "
	"cox.net charter.net spectrum.net roadrunner.com rr.com earthlink.net mindspring.com "
	"juno.com netzero.net netzero.com optonline.net optimum.net frontier.com "
	"frontiernet.net windstream.net centurylink.net centurytel.net q.com embarqmail.com "
	"suddenlink.net mchsi.com rogers.com shaw.ca sympatico.ca bell.net "
	"telus.net videotron.ca cogeco.ca eastlink.ca btinternet.com btopenworld.com bt.com "
	"sky.com talktalk.net tiscali.co.uk virginmedia.com virgin.net ntlworld.com "
	"blueyonder.co.uk plus.net plusnet.com zen.co.uk o2.co.uk orange.net eircom.net "
	"iol.ie laposte.net sfr.fr neuf.fr cegetel.net club-internet.fr bbox.fr "
	"numericable.fr noos.fr aliceadsl.fr voila.fr libertysurf.fr nordnet.fr skynet.be "
	"proximus.be telenet.be scarlet.be voo.be pt.lu bluewin.ch hispeed.ch sunrise.ch "
	"swissonline.ch chello.at aon.at a1.net inode.at kabsi.at arcor.de vodafone.de "
	"vodafonemail.de kabelmail.de unitybox.de unity-mail.de email.de ewetel.net ewe.net "
	"netcologne.de versanet.de osnanet.de o2online.de alice-dsl.net alice.de tiscali.de "
	"compuserve.de lycos.de firemail.de emailn.de libero.it virgilio.it inwind.it iol.it "
	"blu.it tiscali.it alice.it tin.it tim.it fastwebnet.it vodafone.it email.it poste.it "
	"aruba.it pec.it telefonica.net terra.es ono.com orange.es movistar.es sapo.pt "
	"netcabo.pt clix.pt mail.telepac.pt ziggo.nl kpnmail.nl kpnplanet.nl planet.nl "
	"xs4all.nl hetnet.nl home.nl casema.nl chello.nl upcmail.nl quicknet.nl online.nl "
	"telfort.nl tele2.nl telia.com tele2.se bredband.net bredband2.com comhem.se spray.se "
	"online.no broadpark.no getmail.no tdcadsl.dk stofanet.dk mail.dk sol.dk jubii.dk "
	"elisanet.fi kolumbus.fi luukku.com suomi24.fi welho.com saunalahti.fi pp.inet.fi "
	"simnet.is wp.pl o2.pl onet.pl onet.eu op.pl poczta.onet.pl vp.pl interia.pl "
	"interia.eu poczta.fm gazeta.pl tlen.pl go2.pl centrum.cz centrum.sk atlas.cz "
	"volny.cz tiscali.cz azet.sk zoznam.sk post.sk pobox.sk freemail.hu citromail.hu "
	"t-online.hu upcmail.hu vipmail.hu indamail.hu abv.bg mail.bg dir.bg gbg.bg net.hr "
	"inet.hr siol.net email.si amis.net eunet.rs sbb.rs otenet.gr forthnet.gr hol.gr "
	"in.gr mynet.com superonline.com ttmail.com inbox.lv inbox.lt one.lt mail.ee hot.ee "
	"online.ee delfi.lt rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru pochta.ru "
	"land.ru newmail.ru nm.ru hotbox.ru mail.ua ukr.net i.ua meta.ua bigmir.net tut.by "
	"mail.kz bigpond.com bigpond.net.au telstra.com optusnet.com.au iinet.net.au "
	"internode.on.net tpg.com.au dodo.com.au westnet.com.au ozemail.com.au xtra.co.nz "
	"slingshot.co.nz orcon.net.nz vodafone.co.nz mweb.co.za telkomsa.net webmail.co.za "
	"vodamail.co.za naver.com daum.net hanmail.net nate.com kakao.com docomo.ne.jp "
	"ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp ymobile.ne.jp nifty.com "
	"biglobe.ne.jp so-net.ne.jp ocn.ne.jp plala.or.jp excite.co.jp infoseek.jp hinet.net "
	"pchome.com.tw seed.net.tw netvigator.com hknet.com singnet.com.sg starhub.net.sg "
	"tm.net.my rediffmail.com rediff.com indiatimes.com sify.com vsnl.net vsnl.com "
	"bol.net.in sancharnet.in walla.co.il walla.com netvision.net.il bezeqint.net "
	"012.net.il emirates.net.ae uol.com.br bol.com.br terra.com.br ig.com.br globo.com "
	"globomail.com r7.com oi.com.br zipmail.com.br superig.com.br terra.com arnet.com.ar "
	"fibertel.com.ar ciudad.com.ar speedy.com.ar prodigy.net.mx infinitum.com.mx "
	"cantv.net une.net.co etb.net.co vtr.net entelchile.net adinet.com.uy"
};

bool public_domain(const char *domain)
{
	const size_t len = domain ? strlen(domain) : 0;

	for (size_t i = 0; len && i < ARRAY_LEN(public_lists); i++) {
		for (const char *p = public_lists[i]; *p; p += *p == ' ') {
			const size_t n = strcspn(p, " ");

			if (n == len && strncasecmp(p, domain, n) == 0)
				return true;
			p += n;
		}
	}
	return false;
}
