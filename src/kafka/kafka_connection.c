/*-------------------------------------------------------------------------
 * kafka_connection.c
 *	  Frames over a client's socket.
 *
 * A frame is a big-endian length of four bytes and so many bytes.  The socket is
 * nonblocking; every wait is one for latch, postmaster, socket and time.  The buffer
 * grows as bytes come, never by what a length says, so that a client has to send
 * what it makes us allocate.
 *
 * While a session waits for its client it is outside of a transaction, and sees to
 * what PostgreSQL asks of an idle backend: termination, a new configuration, and
 * invalidation messages that it must catch up with, lest others' queue overflow.  A
 * cancel has nothing to cancel then.
 *
 * src/kafka/kafka_connection.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/sinval.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "kafka/kafka_connection.h"
#include "kafka/kafka_memory.h"

/* The first byte of a TLS handshake; a frame of less than 16 MB begins with 0. */
#define TLS_HANDSHAKE 0x16

/* One recv() takes so much. */
#define READ_SIZE (64 * 1024)

/* Frames are read ahead up to so many bytes. */
#define GATHER_MAX (4 * 1024 * 1024)

/* A buffer that a large frame has left larger than this is given back; the frames of a busy client fit. */
#define KEEP_SIZE GATHER_MAX

/* A client that says nothing for so long is idle, ms. */
#define IDLE_AFTER 1000

/* A client that reads nothing of its answer for so long is released, ms. */
#define WRITE_LIMIT 60000

void
ks_kafka_connection_init(KsKafkaConnection *connection, pgsocket sock)
{
	memset(connection, 0, sizeof(*connection));
	connection->socket = sock;
	initStringInfo(&connection->in);
	if (!pg_set_noblock(sock))
		elog(FATAL, "could not set a Kafka client's socket to nonblocking mode: %m");
}

/* What PostgreSQL asks of an idle backend. */
void
ks_kafka_serve_interrupts(void)
{
	ResetLatch(MyLatch);
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	if (catchupInterruptPending)
		ProcessCatchupInterrupt();
}

static ssize_t
receive(KsKafkaConnection *connection, char *data, size_t len)
{
	if (connection->tls != NULL)
		return ks_kafka_tls_read(connection->tls, data, len);
	return recv(connection->socket, data, len, 0);
}

/* Read what the socket has: how many bytes, 0 if none are there now, -1 if the client is gone. */
static ssize_t
read_some(KsKafkaConnection *connection)
{
	for (;;)
	{
		ssize_t n;

		enlargeStringInfo(&connection->in, READ_SIZE);
		n = receive(connection, connection->in.data + connection->in.len, READ_SIZE);
		if (n > 0)
		{
			connection->in.len += n;
			if (connection->slot != NULL)
				connection->slot->bytes_in += n;
			return n;
		}
		/* The client has closed its side. */
		if (n == 0)
			return -1;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

bool
ks_kafka_connection_start(KsKafkaConnection *connection, int limit)
{
	for (;;)
	{
		char first;
		/* Only looked at: the byte belongs to the handshake or to the first frame. */
		ssize_t n = recv(connection->socket, &first, 1, MSG_PEEK);
		int events;

		if (n == 1)
		{
			if (first != TLS_HANDSHAKE)
				return true;
			connection->tls = ks_kafka_tls_start(connection->socket, limit);
			return connection->tls != NULL;
		}
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return false;
		events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT,
								   connection->socket, limit, KS_WAIT_EVENT("KstreamKafkaRead"));
		if (events & WL_TIMEOUT)
			return false;
		if (events & WL_LATCH_SET)
			ks_kafka_serve_interrupts();
	}
}

static int32
length_at(const char *p)
{
	return (int32) (((uint32) (uint8) p[0] << 24) | ((uint32) (uint8) p[1] << 16) | ((uint32) (uint8) p[2] << 8) | (uint8) p[3]);
}

/* The frame at the front of the buffer: 1 there, 0 not wholly, -1 not a frame that is allowed. */
static int
front_frame(const KsKafkaConnection *connection, int32 max, char **frame, int32 *len)
{
	const char *p = connection->in.data + connection->used;
	int left = connection->in.len - connection->used;

	if (left < 4)
		return 0;
	*len = length_at(p);
	if (*len < 0 || *len > max)
		return -1;
	*frame = connection->in.data + connection->used + 4;
	return left - 4 >= *len;
}

/*
 * Read what else has come, so that requests that were sent together can be served
 * together.  A client that is gone is found out when its frames are done with.
 */
static void
drain(KsKafkaConnection *connection, int32 max)
{
	while (connection->in.len - connection->used < Min(GATHER_MAX, max) && read_some(connection) == READ_SIZE)
		;
}

/*
 * Move what is not used yet to the front, and give a large buffer back.  Not for each
 * frame, of which there may be a hundred thousand: when more has been used than is
 * left, so that in all no more is moved than was read.
 */
static void
compact_buffer(KsKafkaConnection *connection)
{
	int left = connection->in.len - connection->used;

	if (connection->used == 0 || connection->used < left)
		return;
	memmove(connection->in.data, connection->in.data + connection->used, left);
	connection->in.len = left;
	connection->used = 0;
	/* One large frame must not hold its memory for the life of the connection. */
	if (connection->in.maxlen > KEEP_SIZE && left < READ_SIZE)
	{
		connection->in.maxlen = KEEP_SIZE;
		connection->in.data = repalloc(connection->in.data, KEEP_SIZE);
	}
}

/* An idle session needs no memory: the buffer is small again, unless the client is in the middle of a frame. */
static void
give_memory_back(KsKafkaConnection *connection)
{
	if (!ks_kafka_memory_is_large())
		return;
	if (connection->used == connection->in.len)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(connection->in.data));

		pfree(connection->in.data);
		initStringInfo(&connection->in);
		connection->used = 0;
		MemoryContextSwitchTo(old);
	}
	ks_kafka_memory_release();
}

/* Of a wait that ends after rest ms (-1: never), until the session counts as idle. */
static long
until_idle(long rest)
{
	return ks_kafka_memory_is_large() && (rest < 0 || rest > IDLE_AFTER) ? IDLE_AFTER : rest;
}

bool
ks_kafka_read_frame(KsKafkaConnection *connection, int32 max, long limit, char **frame, int32 *len)
{
	instr_time start;

	compact_buffer(connection);
	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		int found = front_frame(connection, max, frame, len);
		instr_time elapsed;
		long rest = -1;
		int events;

		if (found < 0)
			return false;
		if (found > 0)
		{
			/* May move the buffer, so the frame is looked up once more. */
			drain(connection, max);
			(void) front_frame(connection, max, frame, len);
			connection->used += 4 + *len;
			ks_kafka_memory_used(*len);
			return true;
		}
		/*
		 * The limit is for the whole frame: a client that sends byte by byte does not
		 * stretch it.
		 */
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		if (limit >= 0)
		{
			rest = limit - (long) INSTR_TIME_GET_MILLISEC(elapsed);
			if (rest <= 0)
				return false;
		}
		rest = until_idle(rest);
		events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH | (rest >= 0 ? WL_TIMEOUT : 0),
								   connection->socket, rest, KS_WAIT_EVENT("KstreamKafkaRead"));
		if (events & WL_TIMEOUT)
			give_memory_back(connection);
		if (events & WL_LATCH_SET)
			ks_kafka_serve_interrupts();
		if ((events & WL_SOCKET_READABLE) && read_some(connection) < 0)
			return false;
	}
}

bool
ks_kafka_peek_frame(const KsKafkaConnection *connection, int32 max, char **frame, int32 *len)
{
	return front_frame(connection, max, frame, len) > 0;
}

void
ks_kafka_take_frame(KsKafkaConnection *connection, int32 len)
{
	connection->used += 4 + len;
}

void
ks_kafka_leave_frame(KsKafkaConnection *connection, int32 len)
{
	connection->used -= 4 + len;
}

bool
ks_kafka_write(KsKafkaConnection *connection, const char *data, size_t len)
{
	size_t done = 0;

	ks_kafka_memory_used(len);
	while (done < len)
	{
		ssize_t n = connection->tls != NULL ? ks_kafka_tls_write(connection->tls, data + done, len - done)
											: send(connection->socket, data + done, len - done, MSG_NOSIGNAL);
		int events;

		if (n >= 0)
		{
			done += n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return false;
		events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_WRITEABLE | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT,
								   connection->socket, WRITE_LIMIT, KS_WAIT_EVENT("KstreamKafkaWrite"));
		/* Nothing was taken for so long: the client is given up. */
		if (events & WL_TIMEOUT)
			return false;
		if (events & WL_LATCH_SET)
			ks_kafka_serve_interrupts();
	}
	if (connection->slot != NULL)
		connection->slot->bytes_out += len;
	return true;
}

void
ks_kafka_wait(KsKafkaConnection *connection, long limit, bool *gone)
{
	int events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_CLOSED | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT,
								   connection->socket, limit, KS_WAIT_EVENT("KstreamKafkaFetch"));

	*gone = (events & WL_SOCKET_CLOSED) != 0;
	/* The buffer holds the request that waits. */
	if (events & WL_TIMEOUT)
		ks_kafka_memory_release();
	if (events & WL_LATCH_SET)
		ks_kafka_serve_interrupts();
}
