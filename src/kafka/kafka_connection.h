/*-------------------------------------------------------------------------
 * kafka_connection.h
 *	  Frames over a client's socket.
 *
 * src/kafka/kafka_connection.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_CONNECTION_H
#define KS_KAFKA_KAFKA_CONNECTION_H

#include "lib/stringinfo.h"

#include "kafka/kafka_slots.h"
#include "kafka/kafka_tls.h"

/* Frames before the client has proven who it is. */
#define KS_KAFKA_FRAME_MAX_BEFORE (64 * 1024)

typedef struct KsKafkaConnection
{
	pgsocket socket;
	KsKafkaTls *tls;   /* NULL: plain */
	StringInfoData in; /* bytes read; the frames before `used` are done with */
	int used;
	KsKafkaSlot *slot;
} KsKafkaConnection;

extern void ks_kafka_connection_init(KsKafkaConnection *connection, pgsocket sock);

/*
 * A client that begins with a TLS handshake, which no frame can be taken for, gets
 * one.  False: it has failed, or the client is gone or silent for limit ms.
 */
extern bool ks_kafka_connection_start(KsKafkaConnection *connection, int limit);

/*
 * The next frame, without its length, valid until the next call.  Waits up to
 * limit ms (-1: for ever).  False when the client is gone, has sent a frame longer
 * than max or of a negative length, or says nothing for so long.  Outside a
 * transaction.
 */
extern bool ks_kafka_read_frame(KsKafkaConnection *connection, int32 max, long limit, char **frame, int32 *len);

/* The frame behind that one, if it has been read already; and take it.  It is valid as long. */
extern bool ks_kafka_peek_frame(const KsKafkaConnection *connection, int32 max, char **frame, int32 *len);
extern void ks_kafka_take_frame(KsKafkaConnection *connection, int32 len);

/* Leave the frame that was read last to whoever reads next. */
extern void ks_kafka_leave_frame(KsKafkaConnection *connection, int32 len);

/* Send; false when the client is gone or reads nothing for WRITE_LIMIT. */
extern bool ks_kafka_write(KsKafkaConnection *connection, const char *data, size_t len);

/*
 * Wait for the latch, for the client's going (*gone) or limit ms.  Outside a
 * transaction.
 */
extern void ks_kafka_wait(KsKafkaConnection *connection, long limit, bool *gone);

/* What PostgreSQL asks of an idle backend, when a wait outside a transaction was woken by the latch. */
extern void ks_kafka_serve_interrupts(void);

#endif /* KS_KAFKA_KAFKA_CONNECTION_H */
