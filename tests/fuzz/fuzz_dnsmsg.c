#include "config.h"

#include <stddef.h>
#include <stdint.h>

#include "dns/dnsmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever a resolver may send: the identifier is taken from it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum dns_type types[] = { DNS_A, DNS_MX, DNS_AAAA, DNS_SRV };
	unsigned id = n > 1 ? (unsigned)data[0] << 8 | data[1] : 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct dns_answer a;

		if (dns_answer_read(data, n, "x.org", types[i], id, &a) == 0)
			dns_answer_release(&a);
	}
	return 0;
}
