#include "config.h"
#include "smtp/status.h"

#include <stdbool.h>
#include <string.h>

#include "message/envelope.h"
#include "util/attr.h"

/* What stands behind the class digit. */
static const struct {
	const char *status, *meaning;
} meanings[] = {
	{ "1.7", "the sender's address is not valid" },
	{ "1.8", "the sender's domain does not exist" },
	{ "1.10", "the recipient's domain takes no mail" },
	{ "2.1", "the mailbox is disabled" },
	{ "2.2", "the mailbox is full" },
	{ "4.7", "it was on its way for too long" },
	{ "5.3", "too many recipients" },
	{ "6.3", "it would have to be converted, which the server does not do" },
	{ "6.7", "an address that is not ASCII is not taken" },
	{ "6.8", "the server would have to answer in UTF-8" },
	{ "6.9", "UTF-8 in the header is not taken" },
	{ "7.1", "it is against the server's rules" },
	{ "7.8", "user name or password is wrong" },
	{ "7.9", "this way to sign in is too weak for the server" },
	{ "7.10", "it has to be encrypted: use TLS" },
	{ "7.11", "this way to sign in needs TLS" },
	{ "7.12", "the password has to be set anew" },
	{ "7.13", "the account is disabled" },
	{ "7.14", "the server is not trusted by the one that has the text" },
	{ "7.15", "the priority is too low at the moment" },
	{ "7.18", "the recipient's domain has another owner now" },
	{ "7.19", "nobody can tell whether the mailbox has the same owner" },
	{ "7.20", "no DKIM signature is valid" },
	{ "7.21", "no DKIM signature is acceptable" },
	{ "7.22", "no DKIM signature is that of the author's domain" },
	{ "7.23", "SPF does not allow this server for the sender's domain" },
	{ "7.24", "SPF of the sender's domain cannot be evaluated" },
	{ "7.25", "the server's address has no name in DNS" },
	{ "7.26", "several checks of who sent it have failed" },
	{ "7.27", "the sender's domain takes no mail" },
	{ "7.30", "TLS on the whole way cannot be kept further on" },
};

/* RFC 4865 (quota of held messages), RFC 6710 and RFC 7293 mean different things by them. */
static const char *by_extension(const char *status, const struct envelope *e)
{
	const bool sixteen = strcmp(status, "7.16") == 0;
	bool rrvs = false;

	for (size_t i = 0; i < e->rcpt_count; i++)
		rrvs = rrvs || e->rcpt[i].rrvs;
	if (e->ext.hold != HOLD_NONE)
		return "too much is being held for later";
	if (sixteen && e->ext.priority_given)
		return "it is too large for its priority";
	if (!sixteen && rrvs)
		return "the mailbox has another owner now";
	return NULL;
}

const char *status_meaning(const char *status, const struct envelope *e)
{
	if (strlen(status) < 3 || (status[0] != '4' && status[0] != '5'))
		return NULL;
	status += 2;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (strcmp(meanings[i].status, status) == 0)
			return meanings[i].meaning;
	}
	if (e && (strcmp(status, "7.16") == 0 || strcmp(status, "7.17") == 0))
		return by_extension(status, e);
	return NULL;
}
