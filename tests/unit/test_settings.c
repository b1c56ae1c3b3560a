#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "conf/account.h"
#include "conf/listen.h"
#include "conf/settings.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/text.h"

static struct arena *arena;
static struct account account;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	setenv("HOME", "/home/joe", 1);
	settings_defaults(SCOPE_ACCOUNT, &account, arena, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	secret_release(&account.auth.password);
	secret_release(&account.auth.token);
	arena_free(arena);
	return 0;
}

static const struct setting *row_of(const char *key)
{
	const struct setting *s = setting_find(SCOPE_ACCOUNT, key);

	if (!s)
		fail_msg("there is no key '%s'", key);
	return s;
}

static void set(const char *key, const char *value)
{
	struct error err = { .exit = 0 };

	if (setting_set(&account, row_of(key), arena, value, &err) < 0)
		fail_msg("%s = %s: %s", key, value, err.text);
}

static void refuse(const char *key, const char *value, const char *why)
{
	struct error err = { .exit = 0 };
	char start[128];

	if (setting_set(&account, row_of(key), arena, value, &err) == 0)
		fail_msg("%s = %s was taken", key, value);
	assert_int_equal(err.exit, EX_CONFIG);
	snprintf(start, sizeof(start), "key '%s': ", key);
	if (strncmp(err.text, start, strlen(start)) != 0 || !strstr(err.text, why))
		fail_msg("%s = %s: '%s' lacks '%s'", key, value, err.text, why);
}

/* What is printed of a key, in the arena. */
static const char *printed_of(const void *target, enum setting_scope scope, const char *key)
{
	struct strbuf b = STRBUF_INIT(1 << 20);
	const struct setting *s = setting_find(scope, key);

	assert_non_null(s);
	setting_print(target, s, &b);
	const char *text = arena_strdup(arena, b.buf);

	strbuf_release(&b);
	return text;
}

static const char *printed(const char *key)
{
	return printed_of(&account, SCOPE_ACCOUNT, key);
}

/* --- the tables ------------------------------------------------------------------- */

/* It has words, and they are values of a field that can hold them. */
static void check_alias(const struct setting *s, const struct setting *meant)
{
	assert_non_null(meant);
	assert_string_equal(meant->key, s->alias_of);
	assert_non_null(setting_names(s));
	assert_true(meant->type == SETTING_BOOL || meant->type == SETTING_ENUM ||
		    meant->type == SETTING_SPECIAL);
	for (const struct name_value *n = s->names; !names_is_end(n); n++) {
		assert_true(n->value == 0 || n->value == 1 || meant->type == SETTING_ENUM);
		if (meant->type == SETTING_ENUM)
			assert_non_null(names_name(meant->names, n->value));
	}
}

/* An initialiser may fill an array without a NUL, and words without an end. */
static void check_room(const struct setting *s)
{
	size_t n = 0;

#define HAS_END(field) assert_non_null(memchr(s->field, '\0', sizeof(s->field)))
	HAS_END(key);
	HAS_END(def);
	HAS_END(classic_def);
	HAS_END(alias_of);
	HAS_END(arg);
	HAS_END(help);
#undef HAS_END
	while (setting_names(s) && n < ARRAY_LEN(s->names) && !names_is_end(&s->names[n])) {
		assert_non_null(memchr(s->names[n].name, '\0', sizeof(s->names[n].name)));
		n++;
	}
	assert_true(n < ARRAY_LEN(s->names));
}

static void check_row(const struct setting *s)
{
	const struct setting_code *code = setting_code(s);

	check_room(s);
	for (const char *p = s->key; *p; p++)
		assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
	assert_true(strlen(s->key) <= 49);	/* what libinih keeps */
	assert_true(*s->help && s->help[strlen(s->help) - 1] != '.');
	assert_true(*s->arg || setting_names(s) || s->flags & SETTING_DEPRECATED);
	if (s->type != SETTING_LIST && s->type != SETTING_WORDS && s->type != SETTING_STRING)
		assert_int_equal(s->type == SETTING_SPECIAL, code->set != NULL);
	assert_int_equal(s->type == SETTING_SECRET, !!(s->flags & SETTING_SECRET_FLAG));
	if (s->type == SETTING_SECRET)
		assert_true(s->flags & SETTING_NO_OPTION);
	if (s->type == SETTING_ENUM)
		assert_non_null(setting_names(s));
	if (s->type == SETTING_SPECIAL && !(s->flags & SETTING_CLASSIC))
		assert_non_null(code->print);
	if (s->flags & SETTING_CLASSIC || s->type == SETTING_ALIAS)
		assert_null(setting_default(s, true));	/* another row has it */
	assert_true(s->type == SETTING_ALIAS || !*s->alias_of);
	if (*s->alias_of)
		check_alias(s, setting_meant(s));
}

static void rows_are_sound(void **state)
{
	(void)state;
	for (int scope = SCOPE_ACCOUNT; scope <= SCOPE_LISTEN; scope++) {
		struct setting_walk w = { 0 };
		const struct setting *s;
		size_t n = 0;

		for (; (s = settings_next((enum setting_scope)scope, &w)); n++) {
			check_row(s);
			assert_ptr_equal(setting_find((enum setting_scope)scope, s->key), s);
			/* on the command line it would mean either */
			if (!(s->flags & SETTING_FILE_ONLY) && strcmp(s->key, "protocol") != 0)
				assert_null(setting_find((enum setting_scope)!scope, s->key));
		}
		assert_true(n > 10);
	}
}

/* Every key of msmtp 1.8.23, as its manual and its program know them. */
static void msmtp_keys_are_known(void **state)
{
	static const char *const keys[] = {
		"host", "port", "source_ip", "proxy_host", "proxy_port", "socket", "timeout",
		"connect_timeout", "protocol", "domain", "auth", "user", "password",
		"passwordeval", "ntlmdomain", "tls", "tls_starttls", "tls_trust_file",
		"tls_crl_file", "tls_fingerprint", "tls_key_file", "tls_cert_file",
		"tls_certcheck", "tls_priorities", "tls_host_override", "tls_min_dh_prime_bits",
		"from", "allow_from_override", "dsn_notify", "dsn_return", "set_from_header",
		"set_date_header", "set_msgid_header", "remove_bcc_headers",
		"undisclosed_recipients", "logfile", "logfile_time_format", "syslog", "aliases",
		"auto_from", "maildomain", "add_missing_from_header", "add_missing_date_header",
		"keepbcc", "tls_nocertcheck", "tls_nostarttls", "tls_force_sslv3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		row_of(keys[i]);
}

/* {key, default of the ini form, default of msmtp's syntax where it differs} */
static const char *const defaults[][3] = {
	{ "host", "", NULL }, { "port", "587", "25" }, { "socket", "", NULL },
	{ "via", "direct", NULL }, { "service_socket", "/run/msubmit/submit", NULL },
	{ "lmtp_required", "off", NULL },
	{ "protocol", "smtp", NULL }, { "address_family", "any", NULL }, { "source_ip", "", NULL },
	{ "mx", "off", NULL }, { "srv_live", "inside", NULL }, { "resolver", "", NULL },
	{ "happy_eyeballs", "250ms", NULL }, { "source_ip_strict", "off", NULL },
	{ "source_port", "", NULL }, { "interface", "", NULL }, { "tcp_keepalive", "on", NULL },
	{ "tcp_nodelay", "on", NULL }, { "tcp_linger", "off", NULL },
	{ "tcp_send_buffer", "0", NULL }, { "tcp_recv_buffer", "0", NULL },
	{ "max_rate", "0", NULL }, { "tunnel", "", NULL }, { "proxy", "", NULL },
	{ "proxy_type", "socks5h", NULL }, { "proxy_user", "", NULL },
	{ "proxy_password", "", NULL }, { "proxy_password_file", "", NULL },
	{ "proxy_password_command", "", NULL }, { "proxy_from_env", "off", NULL },
	{ "proxy_data", "", NULL },
	{ "no_proxy", "", NULL },
	{ "proxy_host", "", NULL }, { "proxy_port", "1080", NULL },
	{ "domain", "auto", "localhost" }, { "connect_timeout", "30", "off" },
	{ "greeting_timeout", "300", "off" }, { "helo_timeout", "300", "off" },
	{ "starttls_timeout", "300", "off" }, { "auth_timeout", "120", "off" },
	{ "mail_timeout", "300", "off" }, { "rcpt_timeout", "300", "off" },
	{ "data_init_timeout", "120", "off" }, { "data_xfer_timeout", "180", "off" },
	{ "data_done_timeout", "600", "off" }, { "rset_timeout", "20", NULL },
	{ "quit_timeout", "10", NULL }, { "total_timeout", "900", "off" },
	{ "tls", "auto", "off" }, { "tls_certcheck", "on", NULL },
	{ "tls_trust_file", "system", NULL }, { "tls_crl_file", "", NULL },
	{ "tls_trust_dir", "", NULL }, { "tls_ocsp", "auto", NULL }, { "tls_pin", "", NULL },
	{ "tls_dane", "off", NULL }, { "dnssec", "auto", NULL }, { "dnssec_anchor", "", NULL },
	{ "tls_pkcs12_file", "", NULL }, { "tls_key_password_file", "", NULL },
	{ "tls_key_password_command", "", NULL }, { "tls_key_passwordeval", "", NULL },
	{ "tls_min_version", "1.2", NULL }, { "tls_session_cache", "off", NULL },
	{ "tls_cert", "", NULL }, { "tls_key", "", NULL },
	{ "tls_fingerprint", "", NULL }, { "tls_cert_file", "", NULL },
	{ "tls_key_file", "", NULL }, { "tls_priorities", "", NULL }, { "tls_alpn", "", NULL },
	{ "tls_host_override", "", NULL }, { "tls_min_dh_prime_bits", "0", NULL },
	{ "tls_allow_insecure_auth", "off", "on" }, { "auth", "auto", "off" },
	{ "auth_mechanisms", "!plaintext-without-tls", NULL }, { "auth_minimum", "any", NULL },
	{ "auth_legacy", "off", "on" }, { "auth_remember", "off", NULL },
	{ "auth_mutual", "on", NULL }, { "auth_retry", "off", NULL },
	{ "auth_transition", "off", NULL }, { "auth_initial_response", "auto", NULL },
	{ "auth_service", "auto", NULL }, { "channel_binding", "auto", NULL },
	{ "keyring", "auto", NULL },
	{ "strip_spaces", "auto", NULL },
	{ "auth_plaintext", "tls", NULL }, { "user", "", NULL }, { "authzid", "", NULL },
	{ "auth_realm", "", NULL }, { "ntlmdomain", "", NULL }, { "password", "", NULL },
	{ "password_file", "", NULL }, { "password_fd", "", NULL },
	{ "password_credential", "", NULL }, { "password_command", "", NULL },
	{ "passwordeval", "", NULL }, { "netrc", "", NULL }, { "oauth_token", "", NULL },
	{ "oauth_token_file", "", NULL }, { "oauth_token_command", "", NULL },
	{ "command_timeout", "60", "off" }, { "scram_min_iterations", "4096", NULL },
	{ "account_match", "envelope, header, recipients, user, default", NULL },
	{ "strip", "", NULL }, { "message_id_domain", "", NULL },
	{ "message_id_style", "time", NULL }, { "privacy", "off", NULL },
	{ "helo_privacy", "off", NULL }, { "rewrite_map", "", NULL },
	{ "bcc_separate", "off", NULL }, { "bcc_copies", "off", NULL },
	 { "rewrite_classes", "all", NULL },
	{ "local_domains", "localhost, %H, %H.%D", "" }, { "from_name", "keep", NULL },
	{ "reply_to", "no", NULL }, { "original_from_header", "off", NULL },
	{ "redirect_to", "", NULL }, { "redirect_except", "", NULL },
	{ "redirect_tag", "off", NULL }, { "drop", "off", NULL }, { "always_bcc", "", NULL },
	{ "allow_users", "", NULL }, { "allow_groups", "", NULL }, { "deny_users", "", NULL },
	{ "read_envelope_from", "off", NULL },
	{ "from", "", NULL }, { "match_user", "", NULL }, { "match_to", "", NULL },
	{ "from_override", "own-domain", "any" }, { "add_mime", "on", "off" },
	{ "from_full_name", "", NULL }, { "default_domain", "", NULL },
	{ "qualify", "on", "off" }, { "auto_from", "off", NULL }, { "maildomain", "", NULL },
	{ "aliases", "/etc/aliases", "" }, { "set_from_header", "auto", NULL },
	{ "set_date_header", "auto", NULL }, { "set_msgid_header", "auto", NULL },
	{ "undisclosed_recipients", "off", NULL }, { "remove_bcc_headers", "on", NULL },
	{ "stop_on", "off", NULL },
	{ "refused_recipients", "deliver", NULL }, { "strict_recipients", "off", NULL },
	{ "dsn_notify", "off", NULL }, { "dsn_return", "off", NULL },
	{ "dsn", "if-offered", NULL }, { "pipelining", "on", NULL }, { "chunking", "auto", NULL },
	{ "rset", "auto", NULL }, { "reply_max", "4096", NULL },
	{ "pipe_connect", "off", NULL },
	{ "pipe_connect_ttl", "86400", NULL }, { "chunk_size", "1048576", NULL },
	{ "chunk_window", "4", NULL }, { "binarymime", "auto", NULL },
	{ "checkpoint", "off", NULL }, { "checkpoint_min", "1048576", NULL },
	{ "checkpoint_wait", "300", NULL }, { "burl_command", "", NULL },
	{ "lmtp_keep_duplicates", "off", NULL },
	{ "max_size", "0", NULL }, { "max_recipients", "0", NULL },
	{ "convert_8bit", "yes", NULL }, { "long_lines", "encode", NULL },
	{ "bare_cr", "line-end", NULL }, { "stdin_timeout", "off", "off" },
	{ "smtputf8_downgrade", "auto", NULL }, { "convert_signed_dkim", "off", NULL },
	{ "max_header_length", "78", NULL }, { "prefer_8bit", "off", NULL },
	{ "filename_compat", "off", NULL }, { "importance_style", "simple", NULL },
	{ "strict_headers", "off", NULL },
	{ "default_charset", "", NULL }, { "charset_out", "utf-8", NULL },
	{ "esmtp", "on", NULL }, { "ext_policy", "", NULL }, { "force_ext", "", NULL },
	{ "mail_param", "", NULL }, { "rcpt_param", "", NULL }, { "orcpt", "auto", NULL },
	{ "never_null_sender", "off", NULL }, { "rrt_to_dsn", "off", NULL },
	{ "deliver_by", "off", NULL }, { "hold_for", "off", NULL }, { "hold_until", "off", NULL },
	{ "hold_as", "as-given", NULL }, { "hold_sets_date", "off", NULL },
	{ "mt_priority", "off", NULL }, { "mt_priority_tunnel", "off", NULL },
	{ "mt_priority_from_header", "on", NULL }, { "rrvs", "off", NULL },
	{ "rrvs_header", "off", NULL }, { "rrvs_insecure", "off", NULL },
	{ "requiretls", "off", NULL }, { "tls_required", "yes", NULL }, { "solicit", "off", NULL },
	{ "solicit_check", "on", NULL }, { "track", "off", NULL }, { "track_uri", "off", NULL },
	{ "mtrk_padding", "off", NULL }, { "conperm", "off", NULL }, { "conneg", "off", NULL },
	{ "content_convert", "off", NULL }, { "content_features", "off", NULL },
	{ "submitter", "off", NULL }, { "force_submitter", "off", NULL },
	{ "mail_auth", "off", NULL }, { "limits", "on", NULL }, { "prdr", "auto", NULL },
	{ "disable_extensions", "", NULL }, { "logfile", "", NULL },
	{ "logfile_time_format", "", NULL }, { "syslog", "LOG_MAIL", "off" },
	{ "log_format", "msmtp", NULL }, { "error_format", "text", NULL },
	{ "on_failure", "", NULL }, { "on_failure_timeout", "10", NULL },
	{ "on_failure_subject", "off", NULL }, { "notify_interval", "3600", NULL },
	{ "dead_letter", "off", NULL }, { "keep_failed", "on", NULL }, { "archive_dir", "", NULL },
	{ "queue", "auto", NULL }, { "queue_dir", "", NULL }, { "direct_timeout", "10", NULL },
	{ "queue_lifetime", "432000", NULL }, { "queue_max_bytes", "1073741824", NULL },
	{ "max_connections", "4", NULL },
	{ "rate", "off", NULL },
	{ "messages_per_connection", "100", NULL }, { "connection_idle", "2", NULL },
	{ "undo_window", "off", NULL }, { "keep_queue", "off", NULL },
	{ "bounce_queue_lifetime", "432000", NULL }, { "delay_warning_time", "14400", NULL },
	{ "bounce_size_limit", "50000", NULL }, { "notify_to", "off", NULL },
	{ "send_mode", "mail", NULL }, { "xclient", "", NULL },
	{ "xclient_optional", "off", NULL }, { "xclient_before_starttls", "off", NULL },
	{ "xforward", "", NULL }, { "atrn_domains", "", NULL }, { "atrn_deliver", "", NULL },
	{ "mtqp_tls", "required", NULL },
};

static void defaults_are_as_documented(void **state)
{
	struct account classic;
	struct setting_walk w = { 0 };
	const struct setting *s;

	(void)state;
	settings_defaults(SCOPE_ACCOUNT, &classic, arena, true);
	assert_true(classic.classic && !account.classic);
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		const char *old = defaults[i][2] ? defaults[i][2] : defaults[i][1];

		assert_string_equal(printed(defaults[i][0]), defaults[i][1]);
		assert_string_equal(printed_of(&classic, SCOPE_ACCOUNT, defaults[i][0]), old);
	}
	while ((s = settings_next(SCOPE_ACCOUNT, &w))) {
		size_t k = 0;

		while (k < ARRAY_LEN(defaults) && strcmp(defaults[k][0], s->key) != 0)
			k++;
		if (k == ARRAY_LEN(defaults) && !(s->flags & SETTING_CLASSIC))
			fail_msg("the default of '%s' is not above", s->key);
	}
}

static void listener_defaults(void **state)
{
	static const char *const expected[][2] = {
		{ "listen", "127.0.0.1:2525" }, { "deliver", "" }, { "server_name", "" },
		{ "protocol", "smtp" }, { "max_messages", "1000" }, { "max_hold", "2592000" },
		{ "on_message", "" }, { "on_auth", "" }, { "hook_timeout", "20" },
		{ "server_cert", "" }, { "server_key", "" }, { "auth_file", "" },
		{ "auth_required", "off" }, { "require_tls", "off" },
		{ "auth_plain_loopback", "off" }, { "strict", "auto" },
		{ "allow_remote", "off" },
		{ "auth_scram", "off" }, { "socket_mode", "0600" }, { "socket_owner", "" },
		{ "server_client_ca", "" }, { "implicit_tls", "off" },
		{ "vrfy_aliases", "off" }, { "helo_required", "on" },
		{ "early_talker", "auto" }, { "max_clients", "50" },
		{ "max_rcpt", "1000" }, { "message_size_limit", "52428800" },
		{ "idle_timeout", "300" }, { "message_timeout", "3600" },
		{ "session_timeout", "7200" }, { "allow_users", "" }, { "allow_groups", "" },
		{ "deny_users", "" }, { "local_login_sender_maps", "" },
		{ "user_rate", "off" }, { "port_file", "" }, { "pid_file", "" },
	};
	struct listen_settings l;
	struct setting_walk w = { 0 };
	size_t n;

	(void)state;
	for (n = 0; settings_next(SCOPE_LISTEN, &w); n++)
		;
	assert_int_equal(n, ARRAY_LEN(expected));
	settings_defaults(SCOPE_LISTEN, &l, arena, false);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(printed_of(&l, SCOPE_LISTEN, expected[i][0]), expected[i][1]);
}

static void keys_are_found_in_any_spelling(void **state)
{
	const struct setting *s = row_of("tls_trust_file");

	(void)state;
	assert_ptr_equal(setting_find(SCOPE_ACCOUNT, "tls-trust-file"), s);
	assert_ptr_equal(setting_find(SCOPE_ACCOUNT, "TLS_Trust-FILE"), s);
	assert_null(setting_find(SCOPE_ACCOUNT, "tls_trust_fil"));
	assert_null(setting_find(SCOPE_ACCOUNT, "tls_trust_files"));
	assert_null(setting_find(SCOPE_ACCOUNT, ""));
	assert_null(setting_find(SCOPE_ACCOUNT, "listen"));
	assert_non_null(setting_find(SCOPE_LISTEN, "Listen"));
}

static void nearest_keys(void **state)
{
	static const char *const cases[][2] = {
		{ "hots", "host" }, { "hosst", "host" }, { "prot", "port" }, { "usr", "user" },
		{ "tls_trustfile", "tls_trust_file" }, { "tls-trust-fiel", "tls_trust_file" },
		{ "passwordfile", "password_file" }, { "password_comand", "password_command" },
		{ "time_out", "timeout" }, { "froom", "from" }, { "TLSS", "tls" },
		{ "zebra", NULL }, { "", NULL }, { "q", NULL },
		{ "a_key_that_is_so_long_that_nobody_can_have_meant_any_key_that_there_is", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *nearest = setting_nearest(SCOPE_ACCOUNT, cases[i][0]);

		if (!cases[i][1])
			assert_null(nearest);
		else if (!nearest)
			fail_msg("nothing near '%s'", cases[i][0]);
		else
			assert_string_equal(nearest, cases[i][1]);
	}
}

/* --- values of each type ---------------------------------------------------------------- */

/* {key, value, what is printed}; what is printed must be read as the same again */
static const char *const values[][3] = {
	/* strings */
	{ "user", "joe", "joe" }, { "user", "joe # not ; a comment", "joe # not ; a comment" },
	{ "user", " joe", "\" joe\"" }, { "user", "joe\t", "\"joe\\011\"" },
	{ "user", "\"joe\"", "\"\\\"joe\\\"\"" }, { "user", "a\\b", "a\\b" },
	{ "user", "\xff\x80", "\xff\x80" }, { "user", "a\"b", "a\"b" }, { "user", "", "" },
	{ "user", "\001x", "\"\\001x\"" }, { "user", "\177", "\"\\177\"" },
	/* rewriting and its relatives */
	{ "account_match", "user,DEFAULT", "user, DEFAULT" },
	{ "rewrite_classes", "header_recipient, envelope_sender, envelope_recipient, header_sender",
	  "all" },
	{ "rewrite_classes", "", "" }, { "rewrite_classes", "from, cc", "from, cc" },
	{ "rewrite_classes", "from sender reply_to resent", "header_sender, resent" },
	{ "rewrite_classes", "header_sender, resent", "header_sender, resent" },
	{ "rewrite_classes", "from, header_sender", "header_sender" },
	{ "local_domains", "a.example, *.b", "a.example, *.b" }, { "local_domains", "", "" },
	{ "from_name", "Keep", "keep" }, { "from_name", "A, \"B\"", "A, \"B\"" },
	{ "from_name", "", "keep" },
	{ "notify_to", "", "off" }, { "notify_to", "A <a@b>", "a@b" },
	{ "bounce_size_limit", "1M", "1048576" }, { "delay_warning_time", "0", "off" },
	{ "reply_to", "off", "no" }, { "reply_to", "Original", "original" },
	{ "reply_to", "a@b", "a@b" }, { "reply_to", "\"A, B\" <a@b>", "\"A, B\" <a@b>" },
	{ "reply_to", "J\xc3\xb6 <a@b\xc3\xbc.example>", "=?utf-8?B?SsO2?= <a@xn--b-eha.example>" },
	{ "redirect_to", "a@b, C <c@d>", "a@b, c@d" }, { "redirect_to", "\"a b\"@c", "\"a b\"@c" },
	{ "always_bcc", "", "" }, { "strip", "X-*,a ,b", "X-*, a, b" }, { "strip", "", "" },
	{ "message_id_domain", "b\xc3\xbc.example", "xn--b-eha.example" },
	/* form of the message */
	{ "convert_8bit", "off", "no" }, { "convert_8bit", "Always", "always" },
	{ "bare_cr", "space", "space" }, { "bare_cr", "reject", "reject" },
	{ "bare_cr", "encode", "encode" }, { "bare_cr", "line_end", "line-end" },
	{ "stdin_timeout", "30", "30" },
	{ "long_lines", "split", "split" }, { "long_lines", "reject", "reject" },
	{ "long_lines", "pass", "pass" }, { "smtputf8_downgrade", "never", "never" },
	{ "smtputf8_downgrade", "always", "always" }, { "default_charset", "x-Mac_1", "x-Mac_1" },
	{ "default_charset", "", "" },
	/* paths */
	{ "logfile", "~/log", "/home/joe/log" }, { "logfile", "$HOME/log", "/home/joe/log" },
	{ "logfile", "/a/~/b", "/a/~/b" }, { "logfile", "~joe/x", "~joe/x" },
	{ "logfile", "-", "-" }, { "logfile", "$HOMER/x", "$HOMER/x" },
	{ "user", "~/x", "~/x" }, { "tls_trust_file", "system", "system" },
	{ "tls_trust_file", "", "" }, { "aliases", "", "" },
	/* numbers */
	{ "port", "1", "1" }, { "port", "65535", "65535" }, { "port", "00025", "25" },
	{ "port", "", "587" }, { "proxy_port", "", "1080" }, { "tls_min_dh_prime_bits", "", "0" },
	{ "max_recipients", "0", "0" }, { "max_size", "0", "0" }, { "max_size", "1k", "1024" },
	{ "max_size", "10M", "10485760" }, { "max_size", "8G", "8589934592" },
	{ "max_size", "9223372036854775807", "9223372036854775807" },
	/* times */
	{ "mail_timeout", "30", "30" }, { "mail_timeout", "30s", "30" },
	{ "mail_timeout", "2m", "120" }, { "mail_timeout", "1H", "3600" },
	{ "mail_timeout", "1d", "86400" }, { "mail_timeout", "off", "off" },
	{ "mail_timeout", "OFF", "off" }, { "mail_timeout", "0", "off" },
	{ "mail_timeout", "30d", "2592000" },
	/* switches */
	{ "qualify", "on", "on" }, { "qualify", "off", "off" }, { "qualify", "yes", "on" },
	{ "qualify", "No", "off" }, { "qualify", "TRUE", "on" }, { "qualify", "false", "off" },
	{ "qualify", "1", "on" }, { "qualify", "0", "off" },
	/* choices */
	{ "protocol", "lmtp", "lmtp" }, { "protocol", "LMTP", "lmtp" }, { "protocol", "", "smtp" },
	{ "address_family", "ipv6", "ipv6" }, { "from_override", "any", "any" },
	{ "from_override", "own_domain", "own-domain" }, { "set_from_header", "on", "on" },
	{ "set_from_header", "no", "off" }, { "set_from_header", "", "auto" },
	{ "set_date_header", "off", "off" }, { "dsn_return", "hdrs", "headers" },
	{ "dsn_return", "full", "full" }, { "dsn", "required", "required" },
	{ "stop_on", "to", "to" }, { "stop_on", "CC , bcc", "cc,bcc" },
	{ "stop_on", "argument,to,to", "to,argument" }, { "stop_on", "off", "off" },
	{ "stop_on", "", "off" },
	{ "refused_recipients", "abort", "abort" }, { "strict_recipients", "yes", "on" },
	{ "auth_plaintext", "always", "always" },
	/* lists */
	{ "from", "a@b", "a@b" }, { "from", "a@b,c@d", "a@b, c@d" },
	{ "from", "\"a\\\",b\"@c,d@e", "\"a\\\",b\"@c, d@e" },
	{ "from", " a@b , , *@d ", "a@b, *@d" }, { "from", "", "" }, { "from", ",", "" },
	{ "from", "\"x, y\"@b,c@d", "\"x, y\"@b, c@d" },
	{ "disable_extensions", "CHUNKING, SIZE", "CHUNKING, SIZE" },
	/* commands */
	{ "password_command", "pass show mail", "pass show mail" },
	{ "password_command", "  a   b\tc ", "a b c" },
	{ "password_command", "a 'b c' \"d e\" f\\ g", "a \"b c\" \"d e\" \"f g\"" },
	{ "password_command", "a '' \"\"", "a \"\" \"\"" },
	{ "password_command", "a 'x\"y' \"x\\\"y\" \"x\\\\y\" 'x\\y'",
	  "a \"x\\\"y\" \"x\\\"y\" \"x\\\\y\" \"x\\\\y\"" },
	{ "password_command", "x'y'z", "xyz" }, { "password_command", "", "" },
	{ "password_command", "a b\003 \"c\003 \"", "a b\003 \"c\003 \"" },
	{ "password_command", "a \\", "a \"\\\\\"" },
	{ "password_command", "a '$X' '`b`' \\$(c) ; '|' \\> #d b~ 5>2 $1 $ a\\$b \"|\"",
	  "a \"\\$X\" \"\\`b\\`\" \"\\$(c)\" ; \"|\" \">\" #d "
	  "b~ 5>2 $1 $ \"a\\$b\" \"|\"" },
	{ "mail_param", "Y X=$HOME ~ |", "Y \"X=\\$HOME\" \"~\" \"|\"" },
	{ "on_failure", "x $HOME", "x \"\\$HOME\"" },
	{ "passwordeval", "echo \"a b\" | cat # x", "echo \"a b\" | cat # x" },
	/* settings with a way of their own */
	{ "host", "mail.example.org", "mail.example.org" }, { "host", "", "" },
	{ "host", "192.0.2.1", "192.0.2.1" }, { "host", "2001:db8::1", "2001:db8::1" },
	{ "host", "[2001:db8::1]", "2001:db8::1" }, { "host", "::1", "::1" },
	{ "host", "a:587", "a" }, { "host", "a:587, b:465", "a:587, b:465" },
	{ "host", " a ,[::1]:25,2001:db8::1 ", "a, [::1]:25, [2001:db8::1]" },
	{ "host", "srv:example.org", "srv:example.org" }, { "host", "auto", "auto" },
	{ "host", "a, SRV:example.org,AUTO", "a, srv:example.org, auto" },
	{ "resolver", "127.0.0.1", "127.0.0.1" }, { "resolver", "[::1]:5353", "[::1]:5353" },
	{ "resolver", "::1", "::1" }, { "resolver", "", "" },
	{ "happy_eyeballs", "10ms", "10ms" }, { "happy_eyeballs", "2s", "2000ms" },
	{ "happy_eyeballs", "300", "300ms" }, { "happy_eyeballs", "off", "off" },
	{ "happy_eyeballs", "on", "250ms" },
	{ "source_port", "1", "1" }, { "source_port", "65535", "65535" },
	{ "source_port", "5000-5010", "5000-5010" }, { "source_port", "", "" },
	{ "tcp_keepalive", "no", "off" }, { "tcp_keepalive", "yes", "on" },
	{ "tcp_keepalive", "60, 10 ,3", "60,10,3" },
	{ "proxy", "socks5h://h", "socks5h://h:1080" }, { "proxy", "off", "" }, { "proxy", "", "" },
	{ "proxy", "http://joe:secret@[::1]:8080/", "http://[::1]:8080" },
	{ "address_family", "prefer-ipv4", "prefer-ipv4" }, { "tls", "may", "may" },
	{ "auth", "on", "on" }, { "auth", "off", "off" }, { "auth", "auto", "auto" },
	{ "auth", "scram-sha-256", "SCRAM-SHA-256" }, { "auth", "Plain", "PLAIN" },
	{ "auth", "gs2-krb5", "GS2-KRB5" }, { "auth", "no", "off" },
	{ "tls", "starttls", "starttls" }, { "tls", "Implicit", "implicit" },
	{ "tls", "off", "off" }, { "tls", "auto", "auto" }, { "tls", "on", "starttls" },
	{ "tls_fingerprint", "", "" },
	{ "tls_fingerprint", "00:11:22:33:44:55:66:77:88:99:aa:BB:cc:dd:ee:ff",
	  "00:11:22:33:44:55:66:77:88:99:aa:BB:cc:dd:ee:ff" },
	{ "tls_fingerprint", "00112233445566778899aabbccddeeff00112233",
	  "00112233445566778899aabbccddeeff00112233" },
	{ "password_fd", "3", "3" }, { "password_fd", "0", "0" }, { "password_fd", "", "" },
	{ "dsn_notify", "off", "off" }, { "dsn_notify", "never", "never" },
	{ "dsn_notify", "delay,success", "success,delay" },
	{ "dsn_notify", "Failure , delay", "failure,delay" },
	{ "dsn_notify", "success,failure,delay", "success,failure,delay" },
	{ "syslog", "on", "LOG_MAIL" }, { "syslog", "off", "off" },
	{ "syslog", "LOG_LOCAL7", "LOG_LOCAL7" }, { "syslog", "local0", "LOG_LOCAL0" },
	{ "syslog", "log_user", "LOG_USER" },
};

/* The quotes that printing put around a value are the file reader's to take off. */
static const char *without_quotes(const char *text, const struct setting *s)
{
	size_t n = strlen(text);
	char *copy = arena_strdup(arena, text), *to = copy;

	if (n < 2 || *text != '"' || text[n - 1] != '"' ||
	    s->type == SETTING_ARGV || s->type == SETTING_LIST ||
	    s->flags & SETTING_RAW)
		return text;
	for (const char *p = text + 1; p < text + n - 1; p++) {
		if (*p == '\\' && isdigit((unsigned char)p[1])) {
			*to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + p[3] - '0');
			p += 3;
		} else {
			p += *p == '\\';
			*to++ = *p;
		}
	}
	*to = '\0';
	return copy;
}

static void values_are_read_and_printed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct setting *s = row_of(values[i][0]);

		settings_defaults(SCOPE_ACCOUNT, &account, arena, false);
		set(values[i][0], values[i][1]);
		assert_string_equal(printed(values[i][0]), values[i][2]);
		set(values[i][0], without_quotes(values[i][2], s));
		assert_string_equal(printed(values[i][0]), values[i][2]);
	}
}

/* {key, value, part of the error} */
static const char *const bad_values[][3] = {
	{"account_match", "envelope, sender", "'sender' is not one of envelope, header"},
	{"account_match", "", "is not a list of"},
	{"rewrite_classes", "from, subject", "'subject' is not one of all, envelope_sender"},
	{"reply_to", "a", "'a' is not an address with a domain"},
	{"notify_to", "root", "off or an address with a domain"},
	{"notify_to", "a@b, c@d", "off or an address"}, {"bounce_queue_lifetime", "0", "0"},
	{"reply_to", "a@b, c@d", "one address"}, {"reply_to", "a@@b", "address 'a@@b'"},
	{"redirect_to", "root", "'root' is not an address with a domain"},
	{"redirect_to", "a@b c@d", "address 'a@b c@d'"}, {"always_bcc", "<>", "empty address"},
	{"always_bcc", "a@\xef\xbf\xbd.example", "key 'always_bcc': "},
	{"strip", "Content-Type", "not a field that the message can be read without"},
	{"strip", "X-A, *", "'*' is not a field"}, {"strip", "a:b", "the name of a header field"},
	{"message_id_domain", "a b", "'a b' is not a domain"},
	{"port", "0", "from 1 to 65535"},
	{"port", "65536", "from 1 to 65535"},
	{"password_command", "~/bin/get mail", "key 'password_command': '~/bin/get': no shell "
	 "here: use passwordeval, or single quotes"},
	{"password_command", "pass mail | head -1", "'|': no shell here: use passwordeval"},
	{"password_command", "cat $HOME/x", "'$HOME/x': no shell here"},
	{"password_command", "cat \"$HOME/x\"", "'$HOME/x': no shell here"},
	{"password_command", "cat $(x)", "'$(x)': no shell here"},
	{"password_command", "cat `x`", "'`x`': no shell here"},
	{"password_command", "cat x 2>/dev/null", "'2>/dev/null': no shell here"},
	{"tls_key_password_command", "cat ~/x", "use tls_key_passwordeval, or"},
	{"oauth_token_command", "cat > /x", "'>': no shell here: use sh -c '...', or"},
	{"tunnel", "ssh x|y", "'x|y': no shell here: use sh -c"},
	{"port", "-1", "'-1' is not a number"},
	{"port", "+1", "not a number"},
	{"port", "25x", "not a number"},
	{"port", "0x19", "not a number"},
	{"port", " 25", "not a number"},
	{"port", "smtp", "'smtp' is not a number"},
	{"port", "99999999999999999999999", "not a number"},
	{"port", "25k", "not a number"},
	{"max_size", "1T", "not a number"},
	{"max_size", "1kb", "not a number"},
	{"max_size", "9223372036854775808", "out of range"},
	{"max_size", "17179869184G", "out of range"},
	{"max_size", "8589934592G", "out of range"},
	{"mail_timeout", "", "not a number"},
	{"mail_timeout", "1w", "not a number"},
	{"mail_timeout", "31d", "out of range"},
	{"mail_timeout", "1.5", "not a number"},
	{"timeout", "", "not a number"},
	{"timeout", "soon", "not a number"},
	{"qualify", "", "one of on, off"},
	{"qualify", "offf", "did you mean 'off'?"},
	{"qualify", "2", "one of"},
	{"protocol", "smpt", "one of smtp, lmtp; did you mean 'smtp'?"},
	{"protocol", "uucp", "one of smtp, lmtp"},
	{"address_family", "4", "one of any"},
	{"set_date_header", "on", "one of auto, off"},
	{"dsn", "always", "if-offered, required"},
	{"refused_recipients", "bounce", "deliver, abort"},
	{"password_command", "a 'b", "no closing quote"},
	{"password_command", "a \"b", "no closing quote"},
	{"password_command", "a \"b\\\"", "no closing quote"},
	{"convert_8bit", "maybe", "yes, no, always"},
	{"max_header_length", "75", "76"}, {"max_header_length", "999", "998"},
	{"importance_style", "some", "simple, all"},
	{"long_lines", "fold", "encode, split, reject, pass"},
	{"bare_cr", "crlf", "line-end"},
	{"stdin_timeout", "soon", "soon"},
	{"smtputf8_downgrade", "yes", "auto, never, always"},
	{"default_charset", "a=b", "a charset"},
	{"default_charset", "a b", "a charset"},
	{"charset_out", "utf-16", "holds ASCII"}, {"charset_out", "x y", "holds ASCII"},
	{"default_charset", "12345678901234567890123456789012345678901", "a charset"},
	{"host", "a b", "a server"},
	{"host", "a:587, b:x", "HOST:PORT"},
	{"host", "smtp://a", "a server"},
	{"host", "a/b", "a server"},
	{"host", "a:", "from 1 to 65535"},
	{"host", "a:0", "from 1 to 65535"},
	{"host", "a:65536", "from 1 to 65535"},
	{"host", "a:smtp", "from 1 to 65535"},
	{"host", ":25", "a server"},
	{"host", "[::1", "[ADDRESS]"},
	{"host", "[]", "[ADDRESS]"},
	{"host", "[::1]25", "[ADDRESS]"},
	{"host", "[::1]:", "from 1 to 65535"},
	{"host", "[::1]:x", "from 1 to 65535"},
	{"host", "a,", "a list"},
	{"host", "a,,b", "a server"},
	{"host", ",", "a server"},
	{"host", "srv:", "a server"},
	{"host", "srv:a:25", "a server"},
	{"host", "srv:a/b", "a server"},
	{"resolver", "dns.example.org", "not an address"},
	{"resolver", "127.0.0.1:0", "not an address"},
	{"resolver", "127.0.0.1:", "not an address"},
	{"resolver", "[::1", "not an address"},
	{"resolver", "[::1]x", "not an address"},
	{"resolver", "::1:53x", "not an address"},
	{"happy_eyeballs", "", "250ms"},
	{"happy_eyeballs", "9ms", "10ms"},
	{"happy_eyeballs", "61s", "60s"},
	{"happy_eyeballs", "1m", "250ms"},
	{"happy_eyeballs", "99999999999999999999", "250ms"},
	{"source_port", "0", "FIRST-LAST"},
	{"source_port", "65536", "FIRST-LAST"},
	{"source_port", "2-1", "FIRST-LAST"},
	{"source_port", "1-", "FIRST-LAST"},
	{"source_port", "1-65536", "FIRST-LAST"},
	{"source_port", "-1", "FIRST-LAST"},
	{"tcp_keepalive", "1,2", "IDLE,INTERVAL,COUNT"},
	{"tcp_keepalive", "1,2,3,4", "IDLE,INTERVAL,COUNT"},
	{"tcp_keepalive", "1,0,3", "IDLE,INTERVAL,COUNT"},
	{"tcp_keepalive", "1,2,32768", "IDLE,INTERVAL,COUNT"},
	{"proxy", "localhost:1080", "TYPE://"},
	{"proxy", "ftp://h", "unknown type"},
	{"proxy", "http://h:0", "TYPE://"},
	{"auth", "", "'' is not one of auto, off, "},
	{"auth", "a b", "'a b' is not one of "},
	{"auth", "plain,login", "XOAUTH2, SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256, "},
	{"auth", "plian", "; did you mean 'PLAIN'?"},
	{"auth", "SCRAMSHA256", "; did you mean 'SCRAM-SHA-256'?"},
	{"auth", "oauth2", "; did you mean 'XOAUTH2'?"},
	{"tls", "", "auto, starttls, implicit, may, off"},
	{"tls", "ssl", "auto, starttls"},
	{"tls_starttls", "maybe", "one of"},
	{"stop_on", "to,from", "off, or a list of to, cc, bcc, argument"},
	{"stop_on", "to cc", "off, or a list of to, cc, bcc, argument"},
	{"strict_recipients", "maybe", "one of on, off"},
	{"tls_fingerprint", "0011", "SHA-256"},
	{"tls_fingerprint", "00:11:", "SHA-256"},
	{"tls_fingerprint", "0:0112233445566778899aabbccddeeff", "SHA-256"},
	{"tls_fingerprint", "00112233445566778899aabbccddeefg", "SHA-256"},
	{"tls_fingerprint", "00::112233445566778899aabbccddeeff", "SHA-256"},
	{"tls_pin", "foo", "spki-sha256:BASE64"},
	{"tls_pin", "file:/pin.pem, cert-sha256:00", "'cert-sha256:00' is not"},
	{"tls_pin", "spki-sha256:", "'spki-sha256:' is not"},
	{"tls_pin", "file:", "'file:' is not"},
	{"password_fd", "-1", "descriptor"},
	{"password_fd", "3x", "descriptor"},
	{"password_fd", "65536", "descriptor"},
	{"password_fd", "99999999999999999999", "descr"},
	{"dsn_notify", "always", "off, never"},
	{"dsn_notify", "never,delay", "off, never"},
	{"dsn_notify", "success delay", "off, never"},
	{"dsn_notify", ",", "off, never"},
	{"dsn_notify", "success,,delay", "off, never"},
	{"dsn_notify", "a_word_that_is_far_too_long", "off, never"},
	{"syslog", "LOG_NOTHING", "facility"},
	{"syslog", "", "facility"},
	{"user", "joe\nhost evil", "line end"},
	{"user", "joe\r", "line end"},
	{"from", "a@b,\nc@d", "line end"},
	{"passwordeval", "a\nb", "line end"},
};

static void wrong_values_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_values); i++)
		refuse(bad_values[i][0], bad_values[i][1], bad_values[i][2]);
}

static void long_values_in_errors_are_cut(void **state)
{
	struct error err;
	char value[5000];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(setting_set(&account, row_of("port"), arena, value, &err), -1);
	assert_true(strlen(err.text) < 300);
}

/* --- single settings ----------------------------------------------------------------------- */

static void host_may_bring_a_port(void **state)
{
	static const struct {
		const char *value, *host;
		unsigned port;
	} cases[] = {
		{ "a", "a", 0 }, { "a:1", "a", 1 }, { "a.example.org:465", "a.example.org", 465 },
		{ "[::1]:65535", "::1", 65535 }, { "[::1]", "::1", 0 }, { "::1", "::1", 0 },
		{ "192.0.2.1:25", "192.0.2.1", 25 }, { "2001:db8::25", "2001:db8::25", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		account.port = 0;
		set("host", cases[i].value);
		assert_string_equal(account.host, cases[i].host);
		assert_int_equal(account.port, cases[i].port);
	}
	set("port", "2525");
	set("host", "b");
	assert_int_equal(account.port, 2525);
}

static void one_timeout_for_all(void **state)
{
	static const struct {
		const char *value;
		unsigned step, init, xfer, done;
	} cases[] = {
		{ "60", 60, 120, 180, 600 }, { "150", 150, 150, 180, 600 },
		{ "700", 700, 700, 700, 700 }, { "off", 0, 0, 0, 0 }, { "1m", 60, 120, 180, 600 },
	};
	const struct timeouts *t = &account.timeouts;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned n = cases[i].step;

		set("timeout", cases[i].value);
		assert_true(t->connect == n && t->greeting == n && t->helo == n);
		assert_true(t->starttls == n && t->auth == n && t->mail == n && t->rcpt == n);
		assert_int_equal(t->data_init, cases[i].init);
		assert_int_equal(t->data_xfer, cases[i].xfer);
		assert_int_equal(t->data_done, cases[i].done);
		assert_true(t->rset == 20 && t->quit == 10 && t->total == 900);
	}
}

/* The keys in their order; the mode that comes of it. */
static const struct {
	bool classic;
	const char *pairs[7];
	enum tls_mode mode;
} tls_cases[] = {
	{ false, { NULL }, TLS_AUTO },
	{ false, { "tls", "on", NULL }, TLS_STARTTLS },
	{ false, { "tls", "on", "tls_starttls", "off", NULL }, TLS_IMPLICIT },
	{ false, { "tls_starttls", "off", "tls", "on", NULL }, TLS_IMPLICIT },
	{ false, { "tls_starttls", "off", NULL }, TLS_IMPLICIT },
	{ false, { "tls_starttls", "on", NULL }, TLS_STARTTLS },
	{ false, { "tls", "off", "tls_starttls", "on", NULL }, TLS_OFF },
	{ false, { "tls_starttls", "on", "tls", "off", NULL }, TLS_OFF },
	{ false, { "tls", "starttls", "tls_starttls", "off", NULL }, TLS_STARTTLS },
	{ false, { "tls_starttls", "on", "tls", "implicit", NULL }, TLS_IMPLICIT },
	{ false, { "tls_starttls", "off", "tls_starttls", "on", "tls", "on" }, TLS_STARTTLS },
	{ false, { "tls", "on", "tls_nostarttls", "on", NULL }, TLS_IMPLICIT },
	{ true, { NULL }, TLS_OFF },
	{ true, { "tls", "on", NULL }, TLS_STARTTLS },
	{ true, { "tls_starttls", "off", NULL }, TLS_OFF },
	{ true, { "tls_starttls", "on", NULL }, TLS_OFF },
	{ true, { "tls_starttls", "off", "tls", "on", NULL }, TLS_IMPLICIT },
	{ true, { "tls", "on", "tls_starttls", "off", NULL }, TLS_IMPLICIT },
	{ true, { "tls", "on", "tls_starttls", "off", "tls", "off" }, TLS_OFF },
	{ true, { "tls", "implicit", NULL }, TLS_IMPLICIT },
};

static void tls_and_starttls_in_any_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tls_cases); i++) {
		settings_defaults(SCOPE_ACCOUNT, &account, arena, tls_cases[i].classic);
		for (const char *const *p = tls_cases[i].pairs; *p; p += 2)
			set(p[0], p[1]);
		if (account.tls.mode != tls_cases[i].mode)
			fail_msg("case %zu: mode %d", i, (int)account.tls.mode);
	}
}

static void spellings_of_msmtp(void **state)
{
	(void)state;
	set("allow_from_override", "on");
	assert_int_equal(account.from_override, FROM_OVERRIDE_ANY);
	set("allow_from_override", "off");
	assert_int_equal(account.from_override, FROM_OVERRIDE_NO);
	set("keepbcc", "on");
	assert_false(account.remove_bcc_headers);
	set("keepbcc", "off");
	assert_true(account.remove_bcc_headers);
	set("add_missing_from_header", "off");
	assert_int_equal(account.set_from_header, SET_HEADER_OFF);
	set("add_missing_from_header", "on");
	assert_int_equal(account.set_from_header, SET_HEADER_AUTO);
	set("add_missing_date_header", "off");
	assert_int_equal(account.set_date_header, SET_HEADER_OFF);
	set("set_to_header", "undisclosed_recipients");
	assert_true(account.undisclosed_recipients);
	set("set_to_header", "off");
	assert_false(account.undisclosed_recipients);
	set("tls_nocertcheck", "on");
	assert_false(account.tls.certcheck);
	set("tls_force_sslv3", "on");
	refuse("allow_from_override", "maybe", "one of on");
	assert_string_equal(printed("keepbcc"), "");
	assert_string_equal(printed("timeout"), "");
}

static void two_spellings_of_strictness(void **state)
{
	(void)state;
	set("strict_recipients", "on");
	assert_int_equal(account.refused_recipients, PARTIAL_REFUSE);
	set("refused_recipients", "deliver");
	assert_int_equal(account.refused_recipients, PARTIAL_SEND);
	set("refused_recipients", "abort");
	assert_int_equal(account.refused_recipients, PARTIAL_REFUSE);
	set("strict_recipients", "off");
	assert_int_equal(account.refused_recipients, PARTIAL_SEND);
}

static void syslog_on_depends_on_the_syntax(void **state)
{
	(void)state;
	assert_int_equal(account.syslog, LOG_MAIL);
	settings_defaults(SCOPE_ACCOUNT, &account, arena, true);
	assert_int_equal(account.syslog, -1);
	set("syslog", "on");
	assert_int_equal(account.syslog, LOG_USER);
	set("syslog", "LOG_MAIL");
	assert_int_equal(account.syslog, LOG_MAIL);
}

static void mechanism_is_dropped_again(void **state)
{
	(void)state;
	set("auth", "login");
	assert_int_equal(account.auth.mode, AUTH_MECHANISM);
	assert_string_equal(account.auth.mechanism, "LOGIN");
	set("auth", "on");
	assert_int_equal(account.auth.mode, AUTH_ON);
	assert_null(account.auth.mechanism);
}

static void lists_and_commands_end_with_null(void **state)
{
	(void)state;
	set("from", "a@b, c@d");
	assert_string_equal(account.from[1], "c@d");
	assert_null(account.from[2]);
	set("from", "");
	assert_null(account.from);
	set("password_command", "x y");
	assert_string_equal(account.auth.password_command[0], "x");
	assert_null(account.auth.password_command[2]);
}

/* n words, for the limit of 10000 */
static const char *words(size_t n)
{
	char *text = arena_alloc(arena, 2 * n + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, "a,", 2);
	return text;
}

static void lists_are_bounded(void **state)
{
	(void)state;
	set("from", words(9999));
	set("from", words(10000));
	refuse("from", words(10001), "more than 10000 words");
}

/* --- secrets --------------------------------------------------------------------------------- */

static void every_octet_of_a_secret_survives(void **state)
{
	char all[256];

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	set("password", all);
	assert_int_equal(account.auth.password.len, 255);
	assert_memory_equal(account.auth.password.data, all, 256);
	set("password", "");
	assert_false(secret_is_set(&account.auth.password));
}

static void long_secrets(void **state)
{
	static const size_t sizes[] = { 1, 199, 200, 4095, 4096, 65535, 65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *text = arena_alloc(arena, sizes[i] + 1);

		memset(text, 'p', sizes[i]);
		set("oauth_token", text);
		assert_int_equal(account.auth.token.len, sizes[i]);
	}
}

static void secrets_are_never_printed(void **state)
{
	(void)state;
	set("password", "hunter2");
	set("oauth_token", "ya29.x");
	assert_string_equal(printed("password"), "(hidden)");
	assert_string_equal(printed("oauth_token"), "(hidden)");
}

static void every_octet_of_a_string_comes_back(void **state)
{
	char text[4] = "a?b";

	(void)state;
	for (int c = 1; c < 256; c++) {
		text[1] = (char)c;
		if (c == '\n' || c == '\r') {
			refuse("user", text, "line end");
			continue;
		}
		set("user", text);
		assert_string_equal(account.auth.user, text);
		assert_string_equal(without_quotes(printed("user"), row_of("user")), text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_sound, setup, teardown),
		cmocka_unit_test_setup_teardown(msmtp_keys_are_known, setup, teardown),
		cmocka_unit_test_setup_teardown(defaults_are_as_documented, setup, teardown),
		cmocka_unit_test_setup_teardown(listener_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_found_in_any_spelling, setup, teardown),
		cmocka_unit_test_setup_teardown(nearest_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(values_are_read_and_printed, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_values_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(long_values_in_errors_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(host_may_bring_a_port, setup, teardown),
		cmocka_unit_test_setup_teardown(one_timeout_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(tls_and_starttls_in_any_order, setup, teardown),
		cmocka_unit_test_setup_teardown(spellings_of_msmtp, setup, teardown),
		cmocka_unit_test_setup_teardown(two_spellings_of_strictness, setup, teardown),
		cmocka_unit_test_setup_teardown(syslog_on_depends_on_the_syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(mechanism_is_dropped_again, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_and_commands_end_with_null, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(every_octet_of_a_secret_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(long_secrets, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_are_never_printed, setup, teardown),
		cmocka_unit_test_setup_teardown(every_octet_of_a_string_comes_back, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
