#include "config.h"
#include "conf/settings_account.h"

#include "util/names.h"

const struct name_value setting_inverted[] = {
	{ "on", 0 }, { "yes", 0 }, { "true", 0 }, { "1", 0 },
	{ "off", 1 }, { "no", 1 }, { "false", 1 }, { "0", 1 }, { NULL, 0 }
};

const struct setting_group *const settings_account_groups[] = {
	&settings_server, &settings_security, &settings_mail, &settings_rewrite,
	&settings_compose, &settings_delivery, &settings_report, NULL
};
