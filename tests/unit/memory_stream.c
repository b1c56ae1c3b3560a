#include "config.h"
#include "memory_stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

enum step_kind { STEP_SAY, STEP_AWAIT, STEP_AGAIN, STEP_END, STEP_FAIL };

struct step {
	enum step_kind kind;
	char *data;
	size_t len, pos;
	struct step *next;
};

struct memory {
	struct stream stream;
	struct step *first, **end;
	struct strbuf own;
	struct strbuf *written;
	size_t matched;			/* octets of written before the next await */
	size_t taken;			/* octets taken in all */
	size_t read_max, write_max, window, window_step, fail_at;
	bool stutter, read_paused, write_paused;
	unsigned writes, waits, closed;
};

static struct memory *memory(struct stream *s)
{
	return (struct memory *)s;
}

static void drop_step(struct memory *m)
{
	struct step *old = m->first;

	m->first = old->next;
	if (!m->first)
		m->end = &m->first;
	xfree(old->data);
	xfree(old);
}

/* Goes past texts that have been written; the step that decides what a read says. */
static struct step *current(struct memory *m)
{
	if (m->matched > m->written->len)
		m->matched = 0;		/* the test has emptied it */
	while (m->first && m->first->kind == STEP_AWAIT) {
		const char *from = m->written->buf + m->matched;
		const char *hit = memmem(from, m->written->len - m->matched, m->first->data,
					 m->first->len);

		if (!hit)
			return NULL;
		m->matched += (size_t)(hit - from) + m->first->len;
		drop_step(m);
	}
	return m->first;
}

static ssize_t say(struct memory *m, struct step *step, void *buf, size_t n)
{
	size_t left = step->len - step->pos;

	if (m->read_max && n > m->read_max)
		n = m->read_max;
	if (n > left)
		n = left;
	memcpy(buf, step->data + step->pos, n);
	step->pos += n;
	if (step->pos == step->len) {
		m->window += m->window_step;
		drop_step(m);
	}
	return (ssize_t)n;
}

static ssize_t memory_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	struct memory *m = memory(s);
	struct step *step = current(m);

	if (m->stutter && (m->read_paused = !m->read_paused))
		return STREAM_AGAIN;
	if (!step)
		return STREAM_AGAIN;
	switch (step->kind) {
	case STEP_SAY:
		return say(m, step, buf, n);
	case STEP_END:
		return 0;
	case STEP_FAIL:
		return error_set(err, FAULT_CONNECTION_LOST, "connection lost: scripted");
	default:
		drop_step(m);
		return STREAM_AGAIN;
	}
}

/* Octets that the peer takes now. */
static size_t room(const struct memory *m)
{
	size_t n = m->fail_at - m->taken;

	if (m->window_step && n > m->window - m->taken)
		n = m->window - m->taken;
	return m->write_max && n > m->write_max ? m->write_max : n;
}

static ssize_t memory_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	struct memory *m = memory(s);

	if (m->taken >= m->fail_at)
		return error_set(err, FAULT_CONNECTION_LOST, "connection lost: Broken pipe");
	if (m->stutter && (m->write_paused = !m->write_paused))
		return STREAM_AGAIN;
	if (n > room(m))
		n = room(m);
	if (n == 0)
		return STREAM_AGAIN;
	strbuf_add(m->written, buf, n);
	m->taken += n;
	m->writes++;
	return (ssize_t)n;
}

static int memory_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	struct memory *m = memory(s);
	int ready = 0;

	m->waits++;
	if (current(m))
		ready |= STREAM_IN;
	if (m->taken >= m->fail_at || room(m) > 0)
		ready |= STREAM_OUT;
	ready &= events;
	return ready ? ready : deadline_error(d, err);
}

static void memory_close(struct stream *s)
{
	memory(s)->closed++;
}

static void memory_free(struct stream *s)
{
	struct memory *m = memory(s);

	while (m->first)
		drop_step(m);
	strbuf_release(&m->own);
	xfree(m);
}

static const struct stream_ops memory_ops = {
	.name = "memory",
	.read = memory_read,
	.write = memory_write,
	.wait = memory_wait,
	.close = memory_close,
	.free = memory_free,
};

struct stream *memory_new(struct strbuf *written)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	m->stream.ops = &memory_ops;
	m->end = &m->first;
	m->fail_at = SIZE_MAX;
	strbuf_init(&m->own, SIZE_MAX / 4);
	m->written = written ? written : &m->own;
	m->matched = m->written->len;
	return &m->stream;
}

static void add_step(struct stream *s, enum step_kind kind, const void *data, size_t n)
{
	struct memory *m = memory(s);
	struct step *step = xcalloc(1, sizeof(*step));

	step->kind = kind;
	step->data = xstrndup(data, n);
	step->len = n;
	*m->end = step;
	m->end = &step->next;
}

void memory_say(struct stream *s, const char *text)
{
	memory_say_bytes(s, text, strlen(text));
}

void memory_say_bytes(struct stream *s, const void *data, size_t n)
{
	if (n)		/* an empty read would be the end */
		add_step(s, STEP_SAY, data, n);
}

void memory_again(struct stream *s)
{
	add_step(s, STEP_AGAIN, "", 0);
}

void memory_end(struct stream *s)
{
	add_step(s, STEP_END, "", 0);
}

void memory_fail(struct stream *s)
{
	add_step(s, STEP_FAIL, "", 0);
}

void memory_await(struct stream *s, const char *text)
{
	add_step(s, STEP_AWAIT, text, strlen(text));
}

void memory_read_max(struct stream *s, size_t n)
{
	memory(s)->read_max = n;
}

void memory_write_max(struct stream *s, size_t n)
{
	memory(s)->write_max = n;
}

void memory_stutter(struct stream *s)
{
	memory(s)->stutter = true;
}

void memory_write_window(struct stream *s, size_t n)
{
	memory(s)->window = memory(s)->taken + n;
	memory(s)->window_step = n;
}

void memory_write_fail(struct stream *s, size_t n)
{
	memory(s)->fail_at = n;
}

unsigned memory_writes(const struct stream *s)
{
	return ((const struct memory *)s)->writes;
}

unsigned memory_waits(const struct stream *s)
{
	return ((const struct memory *)s)->waits;
}

unsigned memory_closed(const struct stream *s)
{
	return ((const struct memory *)s)->closed;
}
