/*
 * Any octets as the envelope of an entry of the queue that has no message: a
 * first line with the right sum is put in front of them.
 */
#ifndef TESTS_ENTRY_LINES_H
#define TESTS_ENTRY_LINES_H

#include <stdio.h>
#include <string.h>

#include "queue/entry.h"
#include "util/strbuf.h"

static inline void entry_of_lines(const char *data, size_t size, struct strbuf *out)
{
	char line[ENTRY_LINE_SIZE + 1];

	snprintf(line, sizeof(line), "msubmit-queue %03d %010zu %019d %016d ", ENTRY_VERSION,
		 size, 0, 0);
	uint64_t sum = entry_sum(ENTRY_SUM_INIT, line, strlen(line) - 1);

	sum = entry_sum(sum, data, size);
	strbuf_addf(out, "%s%016llx\n", line, (unsigned long long)sum);
	strbuf_add(out, data, size);
}

#endif
