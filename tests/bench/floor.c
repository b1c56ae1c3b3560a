/*
 * What keeping a message demands and no more: standard input becomes a file in
 * FOLDER that outlives a power cut: written, synced, renamed, the folder synced.
 *
 *	floor FOLDER
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char data[1 << 20];
	char temporary[32], name[32];
	size_t size = 0;
	ssize_t n;

	if (argc < 2)
		return 99;
	while ((n = read(0, data + size, sizeof(data) - size)) > 0)
		size += (size_t)n;
	snprintf(temporary, sizeof(temporary), "new.%ld", (long)getpid());
	snprintf(name, sizeof(name), "%ld", (long)getpid());
	const int folder = open(argv[1], O_RDONLY | O_DIRECTORY);
	const int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);

	return fd < 0 || write(fd, data, size) != (ssize_t)size || fsync(fd) < 0 ||
		renameat(folder, temporary, folder, name) < 0 || fsync(folder) < 0;
}
