#include "config.h"
#include "cli/trace.h"

#include <unistd.h>

#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

void trace_line(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	struct strbuf line = STRBUF_INIT((size_t)1 << 20);

	(void)ctx;
	strbuf_addstr(&line, direction == WIRE_OUT ? "--> " : "<-- ");
	text_escape_add(&line, text, n);
	strbuf_addch(&line, '\n');
	(void)!fs_write_all(STDERR_FILENO, line.buf, line.len);
	strbuf_release(&line);
}
