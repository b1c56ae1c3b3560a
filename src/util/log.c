#include "config.h"
#include "util/log.h"

#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "util/fs.h"
#include "util/strbuf.h"

void log_syslog(const char *tag, int facility, int priority, const char *line)
{
	openlog(tag, LOG_PID, facility);
	syslog(priority, "%s", line);
	closelog();
}

int log_file(const char *path, const char *line)
{
	if (strcmp(path, "-") == 0)
		return fs_write_all(STDOUT_FILENO, line, strlen(line)) < 0 ||
		       fs_write_all(STDOUT_FILENO, "\n", 1) < 0 ? -1 : 0;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		      0600);

	if (fd < 0)
		return -1;
	struct strbuf whole = STRBUF_INIT(1 << 20);

	strbuf_addf(&whole, "%s\n", line);
	int rc = fs_write_all(fd, whole.buf, whole.len);

	strbuf_release(&whole);
	close(fd);
	return rc;
}
