#include "config.h"
#include "net/stream.h"

#include "util/clock.h"
#include "util/error.h"

ssize_t stream_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	return s->ops->read(s, buf, n, err);
}

ssize_t stream_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	return s->ops->write(s, buf, n, err);
}

int stream_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	return s->ops->wait(s, events, d, err);
}

void stream_close(struct stream *s)
{
	s->ops->close(s);
}

void stream_free(struct stream *s)
{
	if (s)
		s->ops->free(s);
}

int stream_read_exact(struct stream *s, void *buf, size_t n, const struct deadline *d,
		      struct error *err)
{
	char *p = buf;

	while (n) {
		ssize_t done = stream_read(s, p, n, err);

		if (done == 0)
			return error_set(err, FAULT_CONNECTION_LOST,
					 "connection closed by the peer, while waiting for %s",
					 d->what);
		if (done == STREAM_AGAIN) {
			if (stream_wait(s, STREAM_IN, d, err) < 0)
				return -1;
			continue;
		}
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int stream_write_all(struct stream *s, const void *buf, size_t n, const struct deadline *d,
		     struct error *err)
{
	const char *p = buf;

	while (n) {
		ssize_t done = stream_write(s, p, n, err);

		if (done == STREAM_AGAIN) {
			if (stream_wait(s, STREAM_OUT, d, err) < 0)
				return -1;
			continue;
		}
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}
