/*-------------------------------------------------------------------------
 * buffer.h
 *	  The records of one transaction, by topic and partition; private to
 *	  src/produce but for what subtransactions call.
 *
 * src/produce/buffer.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_BUFFER_H
#define KS_PRODUCE_BUFFER_H

#include "storage/buffile.h"

#include "base/compat.h"
#include "codec/batch.h"
#include "produce/partitioner.h"
#include "produce/produce.h"

/* A batch that takes no more records. */
typedef struct KsClosedBatch
{
	KsBatchWriter writer; /* image NULL: spilled */
	int file;             /* where it was spilled to, finished */
	off_t position;
	int64 size;            /* of the finished image */
	int32 spilled_records; /* of it that still count */
} KsClosedBatch;

/* Where a partition's buffer stood when a subtransaction first touched it. */
typedef struct KsBufferMark
{
	struct KsPartitionBuffer *buffer;
	int level;
	int closed_count;
	KsBatchMark open;
	struct KsBufferMark *outer; /* the buffer's mark of an outer level */
	struct KsBufferMark *next;  /* of the same level */
} KsBufferMark;

typedef struct KsPartitionBuffer
{
	KsProducerTopic *topic;
	int32 partition;
	bool had_null_key; /* some record had; a rollback may have taken it */
	KsBatchWriter open;
	KsClosedBatch *closed;
	int closed_count;
	int closed_capacity;
	KsBufferMark *mark; /* innermost; NULL: none */
} KsPartitionBuffer;

struct KsProducerTopic
{
	KsTopic topic;
	size_t name_len;
	uint64 serial; /* ks_topic_cache_serial when it was checked */
	Oid user;      /* whose right was checked */
	KsSticky sticky;
	bool by_hand;                   /* a key was put where its hash does not put it */
	KsPartitionBuffer **partitions; /* by number, NULL: nothing yet */
	int32 partition_slots;
	KsProducerTopic *next;
};

typedef struct KsProduceState
{
	MemoryContext context; /* reset when the transaction ends */
	KsProducerTopic *topics;
	KsProducerTopic *last_topic;
	struct SubLevel *levels; /* innermost first */
	size_t memory;           /* bytes of images in memory */
	BufFile *spill;
	int spill_file; /* its end */
	off_t spill_position;
	bool flushed;
} KsProduceState;

/* NULL while this transaction has produced nothing. */
extern KsProduceState *ks_produce_state;

/* The transaction's state, made if it is not there.  55000 once its records have been written. */
extern KsProduceState *ks_buffers_begin(void);

/* Forget the transaction's records; throws nothing. */
extern void ks_buffers_end(void);

/* Put a record, which may be in its partition, into the open batch there. */
extern void ks_buffer_append(KsProducerTopic *topic, int32 partition, const KsRecord *record);

/* Is there a record in the buffer? */
extern bool ks_buffer_is_empty(const KsPartitionBuffer *buffer);

/* Close the open batch, so that all records are in closed ones. */
extern void ks_buffer_close_batch(KsPartitionBuffer *buffer);

/* Subtransaction events; see ks_xact.c.  They throw nothing. */
extern void ks_produce_sub_commit(void);
extern void ks_produce_sub_abort(void);

#endif /* KS_PRODUCE_BUFFER_H */
