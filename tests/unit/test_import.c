#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pwd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/settings.h"
#include "conf_scratch.h"
#include "import/import.h"
#include "util/arena.h"
#include "util/strbuf.h"

/* Foreign files in, text and notes out: tables of whole examples for each program. */

static struct import_result result;
static struct error failure;

static int setup(void **state)
{
	failure = (struct error){ .exit = 0 };
	return scratch_setup(state);
}

static int teardown(void **state)
{
	import_release(&result);
	return scratch_teardown(state);
}

static int import(const char *name, const char *type)
{
	const struct import_request req = {
		.path = scratch_path(name), .type = type, .folder = "/F"
	};

	import_release(&result);
	return import_read(&req, &result, &failure);
}

/* Without the scratch folder wherever it stands. */
static const char *plain(const char *text)
{
	static struct strbuf out = STRBUF_INIT(1 << 20);
	const size_t len = strlen(scratch);

	strbuf_reset(&out);
	while (*text) {
		if (strncmp(text, scratch, len) == 0 && text[len] == '/')
			text += len + 1;
		else
			strbuf_addch(&out, *text++);
	}
	return out.buf;
}

static const char *notes(void)
{
	static struct strbuf all = STRBUF_INIT(1 << 20);

	strbuf_reset(&all);
	for (size_t i = 0; i < result.notes.n; i++)
		strbuf_addf(&all, "%s\n", result.notes.v[i]);
	return plain(all.buf);
}

struct file {
	const char *name, *text;
};

struct example {
	const char *what;
	struct file files[5];		/* the first is imported */
	const char *text;		/* below the comment at the top; NULL = not compared */
	const char *notes;
};

static void run_example(const struct example *e)
{
	for (size_t i = 0; i < ARRAY_LEN(e->files) && e->files[i].name; i++) {
		const char *slash = strchr(e->files[i].name, '/');

		if (slash) {
			char folder[64];

			snprintf(folder, sizeof(folder), "%.*s", (int)(slash - e->files[i].name),
				 e->files[i].name);
			(void)mkdir(scratch_path(folder), 0700);
		}
		scratch_file(e->files[i].name, e->files[i].text, 0600);
	}
	if (import(e->files[0].name, NULL) < 0)
		fail_msg("%s: %s", e->what, failure.text);
	const char *text = strchr(plain(result.text.buf), '\n') + 1;

	if (e->text && strcmp(text, e->text) != 0)
		fail_msg("%s: got\n%s-- instead of\n%s", e->what, text, e->text);
	if (strcmp(notes(), e->notes) != 0)
		fail_msg("%s: noted\n%s-- instead of\n%s", e->what, notes(), e->notes);
	for (size_t i = 0; i < ARRAY_LEN(e->files) && e->files[i].name; i++)
		unlink(scratch_path(e->files[i].name));
}

#define RUN(table) do { \
	for (size_t i_ = 0; i_ < ARRAY_LEN(table); i_++) \
		run_example(&(table)[i_]); \
} while (0)

#define SECRET(file, path) "# its password is in " file "; put it alone into this file:\n" \
	"# (umask 077 && cat > /F/" path "), the password, Enter, Ctrl-D\n"

/* --- sSMTP ----------------------------------------------------------------- */

static const struct example ssmtp[] = {
	{ "a relay that asks nothing",
	  { { "ssmtp.conf", "#\n# comment\nmailhub=mail\nhostname=web.example\n" } },
	  "\n[account default]\nhost = mail\nport = 25\ntls = off\ndomain = web.example\n"
	  "from = %U@web.example\nfrom_override = no\ndefault_domain = web.example\n"
	  "aliases = \n", "" },
	{ "any case, port, login in clear text",
	  { { "ssmtp.conf", "MAILHUB=mail.example:2525\r\nauthuser=u@x:y\nAuthPass=p\n"
			    "RewriteDomain=joe@example\n" } },
	  "\n[account default]\nhost = mail.example\nport = 2525\ntls = off\nuser = u@x:y\n"
	  SECRET("ssmtp.conf", "password") "password_file = /F/password\n"
	  "auth_plaintext = always\nfrom = %U@example\nfrom_override = no\n"
	  "default_domain = example\naliases = \n",
	  "ssmtp.conf:1: MAILHUB: the password goes over the line readably, as with sSMTP: use "
	  "tls = starttls if the server has it\n" },
	{ "STARTTLS, method, header as sender",
	  { { "ssmtp.conf", "mailhub=[::1]:587\nUseTLS=YES\nUseSTARTTLS=yes\nAuthUser=u\n"
			    "AuthPass=p=q\nAuthMethod=cram-md5\nFromLineOverride=YES\n"
			    "hostname=h.example\n" } },
	  "\n[account default]\nhost = [::1]\nport = 587\ntls = starttls\nuser = u\n"
	  SECRET("ssmtp.conf", "password") "password_file = /F/password\nauth = CRAM-MD5\n"
	  "domain = h.example\nfrom = %U@h.example\nfrom_override = any\n"
	  "default_domain = h.example\nread_envelope_from = on\naliases = \n",
	  "ssmtp.conf:5: AuthPass: sSMTP takes the value only up to a blank, '=', ':' or '#': what "
	  "stands behind it was left out\n"
	  "ssmtp.conf:1: mailhub: the server's certificate is verified now, which sSMTP does not "
	  "do: see tls_pin and tls_trust_file if it has one of its own\n" },
	{ "certificates, and what has no equivalent",
	  { { "ssmtp.conf", "mailhub=m:465\nUseTLS=Yes\nTLSCert=/c.pem\nUseTLSCert=YES\n"
			    "TLS_CA_File=/ca.pem\nDebug=YES\nAddHeader=X-A: b\nnothing\nWhat=1\n"
			    "hostname=h\nhostname=i\n" } },
	  "\n[account default]\nhost = m\nport = 465\ntls = implicit\ntls_cert_file = /c.pem\n"
	  "tls_key_file = /c.pem\ntls_trust_file = /ca.pem\ndomain = i\nfrom = %U@i\n"
	  "from_override = no\ndefault_domain = i\naliases = \n",
	  "ssmtp.conf:8: no '=' in this line\n"
	  "ssmtp.conf:1: mailhub: the server's certificate is verified now, which sSMTP does not "
	  "do: see tls_pin and tls_trust_file if it has one of its own\n"
	  "ssmtp.conf:6: Debug: no equivalent: see --debug and syslog\n"
	  "ssmtp.conf:7: AddHeader: no equivalent: programs write their own header fields\n"
	  "ssmtp.conf:9: What: not known, and left out\n" },
	{ "revaliases",
	  { { "ssmtp.conf", "mailhub=m\nhostname=h\n" },
	    { "revaliases", "# c\njoe:joe@a.example\nann:ann:mx.a.example:26 # c\nbroken\n" } },
	  "\n[account default]\nhost = m\nport = 25\ntls = off\ndomain = h\nfrom = %U@h\n"
	  "from_override = no\ndefault_domain = h\naliases = \n"
	  "\n[account joe]\ninherit = default\nmatch_user = joe\nfrom = joe@a.example\n"
	  "from_override = no\n"
	  "\n[account ann]\ninherit = default\nmatch_user = ann\nfrom = ann@h\n"
	  "from_override = no\nhost = mx.a.example\nport = 26\n",
	  "revaliases:4: broken: needs LOGIN:ADDRESS, and was left out\n" },
};

static void from_ssmtp(void **state)
{
	(void)state;
	RUN(ssmtp);
}

/* Root gets the mail of all names of the system. */
static void ssmtp_root(void **state)
{
	(void)state;
	scratch_file("ssmtp.conf", "root=adm\nmailhub=m\nhostname=h\n", 0600);
	assert_int_equal(import("ssmtp.conf", NULL), 0);
	assert_has(result.text.buf, "\naliases = /F/aliases\n");
	assert_non_null(result.files);
	assert_string_equal(result.files->path, "/F/aliases");
	assert_false(result.files->secret);
	assert_has(result.files->content, "root: adm@h\n");
	const struct passwd *nobody = getpwnam("nobody");

	if (nobody && nobody->pw_uid >= 1000)
		assert_lacks(result.files->content, "nobody:");
}

/* --- esmtp ----------------------------------------------------------------- */

static const struct example esmtp[] = {
	{ "the defaults", { { ".esmtprc", "username u # c\n\npassword = 'a\"b\\'c\\td' # c\n"
					  "starttls = required\n" } },
	  "\n[account default]\nhost = localhost\nport = 587\ntls = starttls\nuser = u\n"
	  SECRET(".esmtprc", "password") "password_file = /F/password\nfrom = %U@%H\n"
	  "from_override = any\n", "" },
	{ "identities",
	  { { "esmtprc", "hostname=a.example:25\nstarttls=enabled\nhelo=h.example\n"
			 "qualifydomain=\"q.example\"\nidentity = me@x.example\n\thostname=\n"
			 "b.example:smtps\n\tforce reverse_path = \"%u%%@y.example\"\n"
			 "message_id=disabled\nidentity other@x.example hostname c.example" } },
	  NULL, "" },
	{ "what has no equivalent",
	  { { "esmtprc", "hostname m.example:what\nstarttls maybe\npreconnect \"ssh x\"\n"
			 "postconnect='y'\nmda \"procmail\"\nforce sender=a@b\n"
			 "message_id=perhaps\n" } },
	  "\n[account default]\nhost = m.example\nport = 587\ntls = starttls\nfrom = %U@%H\n"
	  "from_override = any\n",
	  "esmtprc:2: starttls: none of enabled, disabled, required: STARTTLS is required now\n"
	  "esmtprc:1: hostname: 'what' is no port: 587 is taken\n"
	  "esmtprc:3: preconnect: no equivalent: start it before, or see tunnel\n"
	  "esmtprc:4: postconnect: no equivalent: start it before, or see tunnel\n"
	  "esmtprc:5: mda: no equivalent: nothing is delivered on this machine\n"
	  "esmtprc:6: force sender: no equivalent: no Sender field is added\n"
	  "esmtprc:7: message_id: neither enabled nor disabled, and left out\n" },
	{ "identities without a global part; a certificate",
	  { { "esmtprc", "identity=a@x hostname=a certificate_passphrase=\"s\"\n"
			 "starttls=enabled\n" } },
	  "\n[account a@x]\nhost = a\nport = 587\ntls = may\nfrom = a@x\nfrom_override = any\n"
	  "tls_cert_file = ~/.authenticate/private/smtp-starttls.pem\n"
	  "tls_key_file = ~/.authenticate/private/smtp-starttls.pem\n"
	  SECRET("esmtprc", "a@x.tls_key_password")
	  "tls_key_password_file = /F/a@x.tls_key_password\n"
	  "\n[account default]\ninherit = a@x\n", "" },
};

static void from_esmtp(void **state)
{
	(void)state;
	scratch_file("esmtprc", "hostname=h\npassword=my s3cret\n", 0600);
	assert_int_equal(import("esmtprc", NULL), -1);
	assert_string_equal(plain(failure.text),
			    "esmtprc:2: there is no keyword where one must be");
	/* a value stands on the line of its keyword */
	scratch_file("esmtprc", esmtp[1].files[0].text, 0600);
	assert_int_equal(import("esmtprc", NULL), -1);
	assert_string_equal(plain(failure.text), "esmtprc:6: key 'hostname': no value");
	for (size_t i = 0; i < ARRAY_LEN(esmtp); i++) {
		if (i != 1)
			run_example(&esmtp[i]);
	}
	scratch_file("esmtprc", "hostname=a:25\nstarttls=enabled\nidentity = me@x\n"
		     "hostname=b:smtps\nforce reverse_path = \"%u%%@y\"\nmessage_id=disabled\n"
		     "identity other@x hostname c", 0600);
	assert_int_equal(import("esmtprc", NULL), 0);
	assert_string_equal(strchr(result.text.buf, '\n') + 1,
			    "\n[account default]\nhost = a\nport = 25\ntls = may\nfrom = %U@%H\n"
			    "from_override = any\n"
			    "\n[account me@x]\nhost = b\nport = 465\ntls = off\n"
			    "from = %U%@y, me@x\nset_msgid_header = off\nfrom_override = no\n"
			    "\n[account other@x]\nhost = c\nport = 587\ntls = off\nfrom = other@x\n"
			    "from_override = any\n");
}

/* --- dma ------------------------------------------------------------------- */

#define DMA_LOCAL "dma.conf: mail to a local name without an alias is not delivered on this " \
	"machine, but goes to the server\n"
#define UNVERIFIED(program) "the server's certificate is verified now, which " program \
	" does not do: see tls_pin and tls_trust_file if it has one of its own\n"

static const struct example dma[] = {
	{ "no smarthost", { { "dma.conf", "#SMARTHOST\nMAILNAME m.example\n" } },
	  "\n[account default]\nport = 25\ntls = off\nmx = on\nfrom = %U@m.example\n"
	  "from_override = any\ndefault_domain = m.example\ndomain = m.example\n", DMA_LOCAL },
	{ "all that there is",
	  { { "dma.conf", "SMARTHOST s.example\nPORT 465\nALIASES /a\nSPOOLDIR /s\n"
			  "AUTHPATH auth\nSECURETRANSFER\nCERTFILE /c\nFULLBOUNCE\nDEFER\n"
			  "MASQUERADE joe@masq.example\nNULLCLIENT\nSECURE\nWHAT x\n"
			  "FINGERPRINT 0123456789abcdef0123456789abcdef0123456789abcdef"
			  "0123456789abcdef\nMAILNAME mailname\n" },
	    { "auth", "# c\n\nx|other.example:y\nu|s.example:p: w#\nv|s.example:z\n" } },
	  "\n[account default]\nhost = s.example\nport = 465\ntls = implicit\nuser = u\n"
	  SECRET("auth", "password") "password_file = /F/password\n"
	  "tls_fingerprint = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
	  "tls_cert_file = /c\ntls_key_file = /c\nfrom = joe@masq.example\nfrom_override = no\n"
	  "default_domain = mailname\ndomain = mailname\naliases = \n",
	  "auth:3: not for server 's.example', and left out\n"
	  "auth:5: a second line for server 's.example', left out\n"
	  "dma.conf:4: SPOOLDIR: no equivalent: the message is sent at once or fails\n"
	  "dma.conf:8: FULLBOUNCE: no equivalent: failures are reported by exit status; see "
	  "dsn_return\n"
	  "dma.conf:9: DEFER: no equivalent: the message is sent at once or fails\n"
	  "dma.conf:13: WHAT: not known, and left out\n" },
	{ "what stands for something else here",
	  { { "dma.conf", "SMARTHOST s\nMASQUERADE %C@masq.example\nNULLCLIENT\nMAILNAME m\n" } },
	  "\n[account default]\nhost = s\nport = 25\ntls = off\nfrom = %U@m\n"
	  "from_override = no\ndefault_domain = m\ndomain = m\naliases = \n",
	  "dma.conf:2: MASQUERADE: does not fit: '%' in key 'from' stands for something else\n" },
	{ "a password without TLS: only a challenge",
	  { { "dma.conf", "SMARTHOST s\nAUTHPATH auth\nSTARTTLS\nMASQUERADE masq.example\n"
			  "NULLCLIENT\n" }, { "auth", "u|s:p\n" } },
	  "\n[account default]\nhost = s\nport = 25\ntls = off\nuser = u\n"
	  SECRET("auth", "password") "password_file = /F/password\nauth = CRAM-MD5\n"
	  "from = %U@masq.example\nfrom_override = no\naliases = \n",
	  "dma.conf:3: STARTTLS: does nothing without SECURETRANSFER, and was left out\n" },
	{ "a password without TLS: readable",
	  { { "dma.conf", "SMARTHOST s\nAUTHPATH auth\nINSECURE\nMASQUERADE joe@\nNULLCLIENT\n"
			  "PORT x\nMAILNAME m\n" }, { "auth", "u|s:p\n" } },
	  "\n[account default]\nhost = s\nport = 25\ntls = off\nuser = u\n"
	  SECRET("auth", "password") "password_file = /F/password\nauth_plaintext = always\n"
	  "from = joe@m\nfrom_override = no\ndefault_domain = m\ndomain = m\naliases = \n",
	  "dma.conf:6: PORT: no port: 25 is taken\n"
	  "dma.conf:1: SMARTHOST: the password goes over the line readably, as with dma: use tls "
	  "= starttls if the server has it\n" },
	{ "TLS if there is some; with a password it is demanded",
	  { { "dma.conf", "SMARTHOST s\nSECURETRANSFER\nSTARTTLS\nOPPORTUNISTIC_TLS\n"
			  "AUTHPATH auth\nNULLCLIENT\n" }, { "auth", "u|s:p\n" } },
	  NULL, "dma.conf:1: SMARTHOST: STARTTLS is required now, because a password is sent\n"
	  "dma.conf:1: SMARTHOST: " UNVERIFIED("dma") },
};

static void from_dma(void **state)
{
	(void)state;
	RUN(dma);
	scratch_file("name", "file.example\nx\n", 0600);
	char text[400];

	snprintf(text, sizeof(text), "MAILNAME %s\nSMARTHOST s\n", scratch_path("name"));
	scratch_file("dma.conf", text, 0600);
	assert_int_equal(import("dma.conf", NULL), 0);
	assert_has(result.text.buf, "domain = file.example\n");
	scratch_file("dma.conf", "SMARTHOST s\nAUTHPATH nowhere\n", 0600);
	assert_int_equal(import("dma.conf", NULL), -1);
	assert_int_equal(failure.exit, EX_NOINPUT);
	assert_string_equal(plain(failure.text), "cannot open nowhere: No such file or directory");
}

/* --- nullmailer ------------------------------------------------------------ */

static void nullmailer(const char *remotes, const char *wanted, const char *noted)
{
	(void)mkdir(scratch_path("n"), 0700);
	scratch_file("n/remotes", remotes, 0600);
	scratch_file("n/defaulthost", "h.example\n", 0600);
	scratch_file("n/helohost", "helo.example\n", 0600);
	if (import("n", NULL) < 0)
		fail_msg("'%s': %s", remotes, failure.text);
	const char *text = strchr(plain(result.text.buf), '[');

	if (strncmp(text, wanted, strlen(wanted)) != 0)
		fail_msg("'%s': got\n%s-- instead of\n%s", remotes, text, wanted);
	if (strcmp(notes(), noted) != 0)
		fail_msg("'%s': noted\n%s-- instead of\n%s", remotes, notes(), noted);
}

static void from_nullmailer(void **state)
{
	(void)state;
	nullmailer("# c\n\nm.example\n", "[account default]\nhost = m.example\nport = 25\n"
		   "tls = off\ndomain = helo.example\nfrom = %U@h.example\nfrom_override = any\n"
		   "default_domain = h.example\naliases = \n", "");
	nullmailer("m.example smtp port=26 starttls user=u 'pass=a \"b' x509cafile=/ca "
		   "source=::1\n",
		   "[account default]\nhost = m.example\nport = 26\ntls = starttls\nuser = u\n"
		   SECRET("n/remotes", "password") "password_file = /F/password\n"
		   "tls_trust_file = /ca\nsource_ip = ::1\n", "");
	assert_string_equal(result.files->content, "a \"b");
	nullmailer("m.example smtp --ssl --user joe --pass 'x'\\''y' --auth-login -s --d\n",
		   "[account default]\nhost = m.example\nport = 465\ntls = implicit\nuser = joe\n"
		   SECRET("n/remotes", "password") "password_file = /F/password\nauth = LOGIN\n",
		   "n/remotes:1: s: see syslog\nn/remotes:1: d: no equivalent\n");
	assert_string_equal(result.files->content, "x'y");
	nullmailer("m smtp tls insecure user=u pass=p x509certfile=/c x509fmtder what\n",
		   "[account default]\nhost = m\nport = 465\ntls = implicit\nuser = u\n"
		   SECRET("n/remotes", "password") "password_file = /F/password\n"
		   "tls_cert_file = /c\ntls_key_file = /c\ntls_certcheck = off\n"
		   "tls_allow_insecure_auth = on\n",
		   "n/remotes:1: a word that is no option of nullmailer's, left out\n"
		   "n/remotes:1: insecure: the server's certificate is not looked at, as before: "
		   "tls_pin would be better\n"
		   "n/remotes:1: x509fmtder: no equivalent: convert the files to PEM\n");
	/* a password without quotes is not told piece by piece */
	nullmailer("::1 smtp user=u pass=my s3cret\n[::2] smtp user=u pass=my --x\n",
		   "[account default]\nhost = [::1]:25, [::2]:25\n",
		   "n/remotes:1: a word that is no option of nullmailer's, left out\n"
		   "n/remotes:1: ::1: the password goes over the line readably, as with "
		   "nullmailer: use tls = starttls if the server has it\n"
		   "n/remotes:2: a word that is no option of nullmailer's, left out\n"
		   "n/remotes:2: [::2]: the password goes over the line readably, as with "
		   "nullmailer: use tls = starttls if the server has it\n");
}

static void nullmailer_admin(void **state)
{
	(void)state;
	(void)mkdir(scratch_path("n"), 0700);
	scratch_file("n/adminaddr", "a@b.example,c@d.example\n", 0600);
	scratch_file("n/me", "me.example\n", 0600);
	nullmailer("m\n", "[account default]\n",
		   "n/: adminaddr: names without a domain go there too, not to 'h.example'\n");
	assert_has(result.text.buf, "\nlocal_domains = localhost, ");
	assert_has(result.text.buf, "\naliases = /F/aliases\n");
	assert_has(result.text.buf, "\n# default: a@b.example,c@d.example\n");
	assert_string_equal(result.files->content, "default: a@b.example,c@d.example\n");
}

static void nullmailer_with_several_servers(void **state)
{
	(void)state;
	nullmailer("a smtp port=26 user=u pass=p starttls\nb smtp port=27 user=u pass=p starttls\n"
		   "c smtp port=28 user=u pass=p starttls\n",
		   "[account default]\nhost = a:26, b:27, c:28\nport = 26\ntls = starttls\n", "");
	nullmailer("a smtp starttls user=u pass=p\nb smtp starttls user=u pass=q\nc qmqp\n",
		   "[defaults]\ndomain = helo.example\nfrom = %U@h.example\nfrom_override = any\n"
		   "default_domain = h.example\naliases = \n\n[account default]\nhost = a\n",
		   "n/remotes:2: b: differs from the first server: it is account 'remote2', which "
		   "nothing chooses by itself\n"
		   "n/remotes:3: c: protocol 'qmqp' is not known here, and left out\n");
	assert_has(result.text.buf, "\n[account remote2]\nhost = b\n");
	assert_has(result.text.buf, "\npassword_file = /F/remote2.password\n");
	scratch_file("n/allmailfrom", "all@f.example\n", 0600);
	scratch_file("n/idhost", "i\n", 0600);
	scratch_file("n/sendtimeout", "0\n", 0600);
	scratch_file("n/pausetime", "\n", 0600);
	nullmailer("a\n", "[account default]\nhost = a\nport = 25\ntls = off\n"
		   "domain = helo.example\n", "n/: idhost: no equivalent: Message-ID gets the "
		   "sender's domain\n");
}

/* --- Postfix --------------------------------------------------------------- */

static const struct example postfix[] = {
	{ "a smarthost with a password",
	  { { "main.cf", "# c\nmyhostname = w.example\nrelayhost = [s.example]:587\n"
			 "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:pw\n"
			 "smtp_sasl_security_options = noanonymous\n"
			 "smtp_tls_security_level = may\nsmtp_helo_name = $myhostname\n" },
	    { "pw", "# c\ns.example no:no\n[S.example]:587\n  me:p:w # x\n" } },
	  "\n[account default]\nhost = s.example\nport = 587\ntls = starttls\nuser = me\n"
	  SECRET("pw", "password") "password_file = /F/password\nfrom = %U@w.example\n"
	  "from_override = any\ndefault_domain = w.example\ndomain = w.example\n",
	  "main.cf:3: relayhost: STARTTLS is required now, because a password is sent\n"
	  "main.cf:3: relayhost: " UNVERIFIED("Postfix") },
	{ "a password that is not to be readable, as is the default",
	  { { "main.cf", "myorigin = x\nrelayhost = [a]\nsmtp_sasl_auth_enable = yes\n"
			 "smtp_sasl_password_maps = texthash:pw\n" },
	    { "pw", "[a] u:p\n" } },
	  "\n[account default]\nhost = a\nport = 25\ntls = off\nuser = u\n"
	  SECRET("pw", "password") "password_file = /F/password\nauth_legacy = on\n"
	  "from = %U@x\nfrom_override = any\ndefault_domain = x\n", "" },
	{ "a password for every server",
	  { { "main.cf", "myorigin = x\nrelayhost = [a]:587\nsmtp_sasl_auth_enable = yes\n"
			 "smtp_sasl_security_options = noanonymous\n"
			 "smtp_sasl_password_maps = texthash:pw, static:apikey:SG.x:y\n"
			 "smtp_tls_security_level = secure\n" },
	    { "pw", "[b] u:p\n[a] v:q\n" } },
	  "\n[account default]\nhost = a\nport = 587\ntls = starttls\nuser = apikey\n"
	  SECRET("main.cf", "password") "password_file = /F/password\n"
	  "from = %U@x\nfrom_override = any\ndefault_domain = x\n", "" },
	{ "... that is none",
	  { { "main.cf", "myorigin = x\nrelayhost = [a]:587\nsmtp_sasl_auth_enable = yes\n"
			 "smtp_sasl_security_options = noanonymous\n"
			 "smtp_sasl_password_maps = static:{u:p q}, static:apikey\n"
			 "smtp_tls_security_level = secure\n" } },
	  "\n[account default]\nhost = a\nport = 587\ntls = starttls\nuser = apikey\n"
	  "from = %U@x\nfrom_override = any\ndefault_domain = x\n",
	  "main.cf:5: smtp_sasl_password_maps: a table of kind 'static' has no text form that can "
	  "be read here, and was left out\n"
	  "main.cf:5: smtp_sasl_password_maps: a table of kind '' has no text form that can be "
	  "read here, and was left out\n"
	  "main.cf:5: smtp_sasl_password_maps: no ':' between user and password\n" },
	{ "a password that may be readable",
	  { { "main.cf", "myorigin = x\nrelayhost = [a]\nsmtp_sasl_auth_enable = yes\n"
			 "smtp_sasl_security_options = noanonymous, noactive\n"
			 "smtp_sasl_tls_security_options = noplaintext\n"
			 "smtp_sasl_password_maps = texthash:pw\n" },
	    { "pw", "[a] u:p\n" } },
	  "\n[account default]\nhost = a\nport = 25\ntls = off\nuser = u\n"
	  SECRET("pw", "password") "password_file = /F/password\nauth_plaintext = always\n"
	  "from = %U@x\nfrom_override = any\ndefault_domain = x\n",
	  "main.cf:2: relayhost: the password goes over the line readably, as with Postfix: use "
	  "tls = starttls if the server has it\n"
	  "main.cf:4: smtp_sasl_security_options: 'noactive' has no equivalent: see auth_minimum "
	  "and auth_mechanisms\n" },
	{ "a password that is shown nowhere, or under TLS",
	  { { "main.cf", "myorigin = x\nrelayhost = [a]\nsmtp_sasl_auth_enable = yes\n"
			 "smtp_sasl_security_options = noanonymous noplaintext\n"
			 "smtp_tls_security_level = secure\nsmtp_sasl_mechanism_filter = !ntlm\n"
			 "smtp_sasl_password_maps = texthash:pw\n" },
	    { "pw", "[a] u:p\n" } },
	  "\n[account default]\nhost = a\nport = 25\ntls = starttls\nuser = u\n"
	  SECRET("pw", "password") "password_file = /F/password\nauth_legacy = on\n"
	  "auth_mechanisms = !ntlm, !plain, !login\n"
	  "from = %U@x\nfrom_override = any\ndefault_domain = x\n", "" },
	{ "the last definition, continued lines, what one refers to",
	  { { "main.cf", "relayhost = no\nrelayhost =\n # c\n\n  ${a?[}s.$mydomain]:smtp\n"
			 "mydomain = d.example\nmyorigin = $mydomain\na = ${b:{1}}\nb=\n"
			 "smtp_tls_wrappermode = yes\ninet_protocols = ipv4\n"
			 "message_size_limit = 1000\nmydestination =\n"
			 "smtp_bind_address = 192.0.2.1\nsmtp_bind_address6 = 2001:db8::1\n"
			 "smtp_connect_timeout = 20s\nsmtp_helo_timeout = 1w\n" } },
	  "\n[account default]\nhost = s.d.example\nport = 25\ntls = implicit\n"
	  "from = %U@d.example\nfrom_override = any\ndefault_domain = d.example\n"
	  "source_ip = 192.0.2.1, 2001:db8::1\naliases = \nmax_size = 1000\n"
	  "address_family = ipv4\nconnect_timeout = 20s\nhelo_timeout = 7d\n",
	  "main.cf:2: relayhost: " UNVERIFIED("Postfix")
	  "main.cf:8: a: no equivalent: msubmit only hands mail to a server\n"
	  "main.cf:9: b: no equivalent: msubmit only hands mail to a server\n" },
	{ "no smarthost, DANE, and what has no equivalent",
	  { { "main.cf", "myorigin = x.example\nsmtp_tls_security_level = dane\n"
			 "smtpd_banner = x\nsmtp_pix_workarounds =\nmydestination = x\n"
			 "alias_maps = hash:/a, nis:x\ninet_interfaces = all\n"
			 "mail_version = ${what\nmaximal_queue_lifetime = 1d\n"
			 "smtp_quit_timeout = soon\n" } },
	  "\n[account default]\ntls_dane = may\nmx = on\ntls = starttls\nport = 25\n"
	  "from = %U@x.example\nfrom_override = any\ndefault_domain = x.example\n"
	  "local_domains = x\n",
	  "main.cf:8: mail_version: what '$' begins cannot be followed, and was left out\n"
	  "main.cf:6: alias_maps: several tables: the first of text form is to be named in "
	  "aliases\n"
	  "main.cf:5: mydestination: mail to a local name without an alias is not delivered on "
	  "this machine, but goes to the server\n"
	  "main.cf:3: smtpd_banner: no equivalent: for a listener see -bd and [listen]\n"
	  "main.cf:4: smtp_pix_workarounds: no equivalent: no firewall needs it any more\n"
	  "main.cf:7: inet_interfaces: no equivalent: for a listener see -bd and [listen]\n"
	  "main.cf:8: mail_version: no equivalent: msubmit only hands mail to a server\n"
	  "main.cf:9: maximal_queue_lifetime: no equivalent: the message is sent at once or "
	  "fails\n"
	  "main.cf:10: smtp_quit_timeout: not a time, and left out\n" },
	{ "servers by sender",
	  { { "main.cf", "myorigin = x\nrelayhost = [a]:25\nsmtp_sasl_auth_enable = yes\n"
			 "smtp_sender_dependent_authentication = yes\n"
			 "smtp_tls_security_level = secure\nsmtp_sasl_mechanism_filter = plain, "
			 "!login\nsmtp_sasl_password_maps = texthash:pw\n"
			 "sender_dependent_relayhost_maps = hash:relay ldap:x\n" },
	    { "pw", "a u:p\nJoe@x joe:jp\n" },
	    { "relay", "joe@x [j.example]:465\n@y\tz.example\nbad x\n" } },
	  "\n[account default]\nhost = a\nport = 25\ntls = starttls\nuser = u\n"
	  SECRET("pw", "password") "password_file = /F/password\nauth_mechanisms = plain, !login\n"
	  "from = %U@x\nfrom_override = any\ndefault_domain = x\n"
	  "\n[account joe@x]\ninherit = default\nhost = j.example\nport = 465\ntls = starttls\n"
	  "user = joe\n" SECRET("pw", "joe@x.password")
	  "password_file = /F/joe@x.password\nauth_mechanisms = plain, !login\nfrom = joe@x\n"
	  "from_override = any\n"
	  "\n[account y]\ninherit = default\nhost = z.example\nport = 25\ntls = starttls\n"
	  "auth = off\nfrom = *@y\nfrom_override = any\n",
	  "main.cf:3: smtp_sasl_auth_enable: smtp_sasl_password_maps has no line for "
	  "'z.example': it does not sign in\n"
	  "relay:2: @y: 'z.example' itself is the server now, not the MX records of that name\n"
	  "relay:3: bad: not a rule for an address or a domain, and left out\n"
	  "main.cf:8: sender_dependent_relayhost_maps: a table of kind 'ldap' has no text form "
	  "that can be read here, and was left out\n" },
	{ "rules",
	  { { "main.cf", "relayhost=[a]\nmyorigin=x\nsmtp_generic_maps=hash:generic\n"
			 "sender_canonical_maps=hash:generic\n"
			 "mydestination = a.example, pcre:x, localhost\nalways_bcc=b@x\n" },
	    { "generic", "root@x  admin@y.example\njoe joe@y.example\n@x @y.example\n"
			 "ROOT@x other@y\na=b@x c@y\nbad@x no<t\nann@x ann@%h\n" } },
	  "\n[rewrite]\nroot@x = admin@y.example\njoe = joe@y.example\n@x = @y.example\n"
	  "\n[account default]\nhost = a\nport = 25\ntls = off\nfrom = %U@x\n"
	  "from_override = any\ndefault_domain = x\nlocal_domains = a.example, localhost\n"
	  "always_bcc = b@x\n",
	  "main.cf:5: mydestination: 'pcre:x' is no domain, and was left out\n"
	  "main.cf:5: mydestination: mail to a local name without an alias is not delivered on "
	  "this machine, but goes to the server\n"
	  "generic:4: root@x: there is a rule for it already: this one was left out\n"
	  "generic:5: a=b@x: cannot be written as a rule here, and was left out\n"
	  "generic:6: 'bad@x': address 'no<t': unbalanced '<'\n"
	  "generic:7: ann@x: cannot be written as a rule here, and was left out\n"
	  "main.cf:4: sender_canonical_maps: does not go together with rules for other "
	  "addresses: see rewrite_classes\n" },
	{ "rules for senders",
	  { { "main.cf", "relayhost=[a]\nmyorigin=x\nsender_canonical_maps=hash:s\n" },
	    { "s", "root  admin@y.example\n" } },
	  "\n[rewrite]\nroot = admin@y.example\n"
	  "\n[account default]\nhost = a\nport = 25\ntls = off\nfrom = %U@x\n"
	  "from_override = any\ndefault_domain = x\n"
	  "rewrite_classes = envelope_sender, header_sender\n", "" },
	{ "pins",
	  { { "main.cf", "relayhost=[a]\nmyorigin=x\nsmtp_tls_security_level=fingerprint\n"
			 "smtp_tls_fingerprint_digest=sha256\n"
			 "smtp_tls_fingerprint_cert_match=00:01 | 02\n"
			 "smtp_tls_cert_file=/c\nsmtp_tls_key_file=$smtp_tls_cert_file\n" } },
	  NULL, "" },
};

static void from_postfix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(postfix) - 1; i++)
		run_example(&postfix[i]);
	scratch_file("main.cf", "no parameter\n", 0600);
	assert_int_equal(import("main.cf", NULL), -1);
	assert_int_equal(failure.exit, EX_DATAERR);
	assert_string_equal(plain(failure.text), "main.cf:1: no '=' in this line");
	/* a secret in the place of a table, or of a host name, is not shown */
	scratch_file("main.cf", "relayhost=[a]\nsmtp_sasl_auth_enable=yes\n"
		     "smtp_sasl_password_maps = static:{u:s3cret}, static:u:s3cret\n", 0600);
	assert_int_equal(import("main.cf", NULL), 0);
	assert_has(notes(), "main.cf:3: smtp_sasl_password_maps: a table of kind 'static' has no ");
	assert_lacks(notes(), "s3cret");
	assert_lacks(result.text.buf, "s3cret");
	char text[400];

	scratch_file("shadow", "root:$6$x:1\n", 0600);
	snprintf(text, sizeof(text), "relayhost=[a]\nmyorigin = %s\n", scratch_path("shadow"));
	scratch_file("main.cf", text, 0600);
	assert_int_equal(import("main.cf", NULL), 0);
	assert_has(notes(), "main.cf:2: myorigin: the first line of shadow is no host name\n");
	assert_lacks(result.text.buf, "$6");
	scratch_file("main.cf", "relayhost=[a]\na=$b\nb=$a\nmyorigin=$a\n", 0600);
	assert_int_equal(import("main.cf", NULL), 0);	/* a loop ends */
	assert_has(notes(), "main.cf:2: a: what '$' begins cannot be followed");
	scratch_file("main.cf", "relayhost=[a]\nsmtp_sasl_auth_enable=yes\n"
		     "smtp_sasl_password_maps=hash:nowhere\n", 0600);
	assert_int_equal(import("main.cf", NULL), -1);
	assert_int_equal(failure.exit, EX_NOINPUT);
	assert_string_equal(plain(failure.text), "main.cf:3: smtp_sasl_password_maps: cannot open "
			    "nowhere: No such file or directory");
}

/* --- msmtp ----------------------------------------------------------------- */

/* Every key of every account, as printed, but for the ways to a secret. */
static void same_accounts(const struct config *a, const struct config *b)
{
	struct strbuf had = STRBUF_INIT(1 << 20), has = STRBUF_INIT(1 << 20);

	for (size_t i = 0; config_nth(a, i); i++) {
		const struct account *x = config_nth(a, i), *y = config_account(b, x->name);
		struct setting_walk w = { 0 };
		const struct setting *row;

		assert_non_null(y);
		while ((row = settings_next(SCOPE_ACCOUNT, &w))) {
			const bool theirs = row->type == SETTING_TIME ||
					    strncmp(row->key, "password", 8) == 0 ||
					    strcmp(row->key, "tls_allow_insecure_auth") == 0;

			strbuf_reset(&had);
			strbuf_reset(&has);
			setting_print(x, row, &had);
			setting_print(y, row, &has);
			if (!theirs && strcmp(had.buf, has.buf) != 0)
				fail_msg("%s of '%s': '%s' became '%s'", row->key, x->name, had.buf,
					 has.buf);
		}
		if (!x->socket)
			assert_int_equal(account_port(x), account_port(y));
	}
	strbuf_release(&had);
	strbuf_release(&has);
}

static const char *const msmtp[] = {
	"host h\n",
	"defaults\nauth on\ntls on\ntls_trust_file /ca\nlogfile ~/l\n\naccount g\nhost g.example\n"
	"from me@g.example\nuser me\npasswordeval gpg -q -d ~/x\n\naccount w : g\nhost w.example\n"
	"tls_starttls off\nfrom %U@w.example\n\naccount default : g\n",
	"account a\nhost a\nport 26\nprotocol lmtp\ntimeout 5\nset_from_header on\nfrom a@b\n"
	"proxy_host p\nproxy_port 9\nsource_ip 192.0.2.1\naccount b\nhost b\nauto_from on\n"
	"maildomain m.example\nallow_from_override off\nset_date_header off\n"
	"dsn_notify failure,delay\ndsn_return headers\nsyslog LOG_MAIL\n",
	"account a\nhost a\ndefaults\nport 26\nuser d\naccount b\nhost b\ndefaults\nport 27\n"
	"account c : a\naccount d : b\n",
	"account a\nhost a\nauth scram-sha-256\nuser u\ntls on\ntls_certcheck off\n"
	"tls_fingerprint 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33\n"
	"domain %H\nremove_bcc_headers off\nundisclosed_recipients on\naliases /nowhere/a\n"
	"ntlmdomain \"a b\"\nsocket /run/x\n",
	"account a\nhost a\naccount b : a\nhost b\naccount c : b\nport 2\naccount d : c, a\n",
	"defaults\nhost x\nport 587\naccount one\nuser \"${HOME} x\"\naccount two\nuser @/etc/x\n",
};

static void from_msmtp(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(msmtp); i++) {
		struct config *a = NULL, *b = NULL;

		scratch_file(".msmtprc", msmtp[i], 0600);
		if (import(".msmtprc", NULL) < 0)
			fail_msg("'%s': %s", msmtp[i], failure.text);
		assert_string_equal(notes(), "");
		assert_int_equal(config_load_text("a", msmtp[i], strlen(msmtp[i]), &a, &failure),
				 0);
		assert_int_equal(config_load_text("b", result.text.buf, result.text.len, &b,
						  &failure), 0);
		same_accounts(a, b);
		config_free(a);
		config_free(b);
	}
}

static void secrets_and_commands_of_msmtp(void **state)
{
	(void)state;
	scratch_file(".msmtprc", "account a\nhost a\nuser u\npassword \"p # q\"\n"
		     "eval touch x\naccount b : a\npasswordeval \"pass show 'b c'\"\n"
		     "account c : b\npassword z\n", 0600);
	assert_int_equal(import(".msmtprc", NULL), 0);
	assert_string_equal(notes(), ".msmtprc:5: eval: the command was not run: write the line "
			    "that it prints into the new file\n");
	assert_int_equal(access("x", F_OK), -1);
	assert_lacks(result.text.buf, "p # q");
	assert_has(result.text.buf, "passwordeval = pass show 'b c'\n");
	assert_true(result.has_commands);
	assert_has(result.text.buf, "passwordeval = \n");
	assert_string_equal(result.files->path, "/F/a.password");
	assert_string_equal(result.files->content, "p # q");
	assert_string_equal(result.files->next->path, "/F/c.password");
	assert_string_equal(result.files->next->content, "z");
	scratch_file(".msmtprc", "account a\nhost a\nhots b\n", 0600);
	assert_int_equal(import(".msmtprc", NULL), -1);
	assert_int_equal(failure.exit, EX_DATAERR);
	assert_string_equal(plain(failure.text),
			    ".msmtprc:3: key 'hots': unknown; did you mean 'host'?");
}

/* --- what it is ------------------------------------------------------------ */

static void kinds_are_told_by_content(void **state)
{
	static const char *const texts[][2] = {
		{ "account default\nhost h\nfrom a@b\n", "(msmtp)" },
		{ "root=postmaster\nmailhub=m\nhostname=h\n", "(sSMTP)" },
		{ "hostname = h\nusername = \"u\"\nidentity x@y\n hostname z\n", "(esmtp)" },
		{ "SMARTHOST h\nPORT 25\n", "(dma)" },
		{ "mail.example smtp port=2\n", "(nullmailer)" },
		{ "relayhost = [x]\nmyhostname = y\n", "(Postfix)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		scratch_file("what", texts[i][0], 0600);
		if (import("what", NULL) < 0)
			fail_msg("'%s': %s", texts[i][0], failure.text);
		assert_has(result.text.buf, texts[i][1]);
	}
	scratch_file("what", "mailhub=m\n", 0600);
	assert_int_equal(import("what", "SSMTP"), 0);
}

static void what_cannot_be_imported(void **state)
{
	(void)state;
	scratch_file("what", "hello world\n", 0600);
	assert_int_equal(import("what", NULL), -1);
	assert_int_equal(failure.exit, EX_DATAERR);
	assert_string_equal(plain(failure.text),
			    "what: cannot tell whose configuration this is: add "
			    "--import-type, one of postfix, nullmailer, ssmtp, dma, esmtp, msmtp");
	assert_int_equal(import("what", "exim"), -1);
	assert_int_equal(failure.exit, EX_USAGE);
	assert_has(failure.text, "--import-type: 'exim' is none of postfix, nullmailer,");
	assert_int_equal(import("nowhere", NULL), -1);
	assert_int_equal(failure.exit, EX_NOINPUT);
	assert_int_equal(import("", NULL), -1);		/* a folder without any of them */
	assert_int_equal(failure.exit, EX_NOINPUT);
	assert_has(failure.text, "there is no configuration of another program in ");
	scratch_bytes("what", "mailhub=\0m\n", 11, 0600);
	assert_int_equal(import("what", NULL), -1);
	assert_int_equal(failure.exit, EX_DATAERR);
	assert_has(failure.text, "/what holds NUL octets: no configuration");
	scratch_file("msmtprc", "[account a]\nhost = h\n", 0600);
	assert_int_equal(import("msmtprc", NULL), -1);
	assert_int_equal(failure.exit, EX_DATAERR);
	assert_has(failure.text, "is in the ini form of msubmit already");
	scratch_file("msmtprc", "account a\nuser u\n", 0600);
	assert_int_equal(import("msmtprc", NULL), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_string_equal(plain(failure.text), "msmtprc names no server to send to");
}

/* More than anybody has ends in time, and is said. */
static void bounds(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 23);

	(void)state;
	strbuf_addstr(&text, "SMARTHOST s\n");
	for (int i = 0; i < 10050; i++)
		strbuf_addstr(&text, "NULLCLIENT\n");
	scratch_file("dma.conf", text.buf, 0600);
	assert_int_equal(import("dma.conf", NULL), 0);
	assert_string_equal(notes(), "dma.conf:10001: more than 10000 settings: the others were "
			    "left out\n");
	strbuf_reset(&text);
	for (int i = 0; i < 300; i++)
		strbuf_addf(&text, "identity=a%d@x hostname h\n", i);
	scratch_file("esmtprc", text.buf, 0600);
	assert_int_equal(import("esmtprc", NULL), 0);
	assert_string_equal(notes(), "esmtprc: more than 200 accounts: the others were left out\n");
	assert_has(result.text.buf, "[account a199@x]");
	assert_lacks(result.text.buf, "[account a200@x]");
	strbuf_reset(&text);
	for (size_t i = 0; i < (4 << 20) + 1; i++)
		strbuf_addch(&text, '#');
	scratch_file("dma.conf", text.buf, 0600);
	assert_int_equal(import("dma.conf", NULL), -1);
	assert_int_equal(failure.exit, EX_DATAERR);
	strbuf_release(&text);
}

static void files_of_an_output(void **state)
{
	(void)state;
	scratch_file("esmtprc", "hostname=h:25\nusername=u\npassword=p\nidentity=a@x\n"
		     "hostname=h\nusername=v\npassword=q\n", 0600);
	const struct import_request req = {
		.path = scratch_path("esmtprc"), .output = "/etc/msmtprc",
	};

	assert_int_equal(import_read(&req, &result, &failure), 0);
	assert_has(result.text.buf, "\npassword_file = /etc/msmtprc.password\n");
	assert_has(result.text.buf, "\npassword_file = /etc/msmtprc.a@x.password\n");
	assert_lacks(result.text.buf, "umask");
	assert_false(result.has_commands);
	assert_true(result.files->secret);
	assert_string_equal(result.files->next->path, "/etc/msmtprc.a@x.password");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(from_ssmtp), CASE(ssmtp_root), CASE(from_esmtp), CASE(from_dma),
		CASE(from_nullmailer), CASE(nullmailer_admin),
		CASE(nullmailer_with_several_servers), CASE(from_postfix),
		CASE(from_msmtp), CASE(secrets_and_commands_of_msmtp),
		CASE(kinds_are_told_by_content), CASE(what_cannot_be_imported),
		CASE(files_of_an_output), CASE(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
