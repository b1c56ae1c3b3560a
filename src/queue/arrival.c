#include "config.h"
#include "queue/arrival.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue/entry.h"
#include "queue/queue.h"
#include "util/error.h"

int arrival_open(struct arrival *a, struct error *err)
{
	int fds[2];

	*a = (struct arrival)ARRIVAL_INIT;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot make a pipe");
	a->out = fds[0];
	a->in = fds[1];
	a->missed = mmap(NULL, sizeof(*a->missed), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a->missed != MAP_FAILED)
		return 0;
	error_errno(err, FAULT_SYSTEM, "cannot share memory with workers");
	a->missed = NULL;
	arrival_close(a);
	return -1;
}

void arrival_close(struct arrival *a)
{
	if (a->in >= 0) {
		close(a->in);
		close(a->out);
	}
	if (a->missed)
		(void)munmap(a->missed, sizeof(*a->missed));
	*a = (struct arrival)ARRIVAL_INIT;
}

/* So few octets go into a pipe as a whole, or not at all. */
void arrival_tell(const struct arrival *a, const char *id)
{
	char text[ENTRY_ID_LEN + 1] = "";

	memcpy(text, id, strnlen(id, ENTRY_ID_LEN));
	if (write(a->in, text, sizeof(text)) != (ssize_t)sizeof(text))
		atomic_store(a->missed, true);
}

bool arrival_next(const struct arrival *a, char *id)
{
	return read(a->out, id, ENTRY_ID_LEN + 1) == ENTRY_ID_LEN + 1 && queue_is_id(id);
}

bool arrival_missed(const struct arrival *a)
{
	return atomic_exchange(a->missed, false);
}
