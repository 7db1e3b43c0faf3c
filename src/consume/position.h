/*-------------------------------------------------------------------------
 * position.h
 *	  Where this backend's consumers stand, following the transaction.
 *
 * src/consume/position.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CONSUME_POSITION_H
#define KS_CONSUME_POSITION_H

#include "utils/hsearch.h"

#include "offset/offset_row.h"

/* A consumer of this backend: a session's membership, or a name's use. */
typedef struct KsConsumer
{
	KsGroupKey key;
	bool named;
	char name[KS_GROUP_NAME_MAX + 1];
	MemoryContext context;
	HTAB *positions; /* of KsPosition */
	uint32 turn;     /* of a private consumer's polls */
	int poll_level;  /* nest level of the outermost poll of this transaction; 0: none */
	struct KsConsumer *next;
} KsConsumer;

typedef struct KsPositionKey
{
	pg_uuid_t topic;
	int32 partition;
} KsPositionKey;

/* In a partition; its states are in ownership.c. */
typedef struct KsPosition
{
	KsPositionKey key;
	int32 topic_id;
	int64 stamp;            /* of the takeover that this belongs to; 0: none */
	int64 position;         /* the next record to read, KS_NO_OFFSET: unknown */
	int64 committed;        /* as far as this backend knows */
	int64 sought;           /* where a name's next transaction starts; KS_NO_OFFSET: at committed */
	int64 reset;            /* a private consumer's start, which no rollback takes back */
	int32 reset_partitions; /* that the topic had then */
	bool polled;            /* read from by the latest poll */
	bool moved;             /* reading has begun here, or seek() said where */
	int32 share;            /* its place among ks_shares */
	ItemPointerData tid;    /* where its row was seen last; a hint (offset_row.h) */

	/* ks_position_transaction when it was last changed, read from, and its row locked */
	uint64 touched;
	uint64 read;
	uint64 held;
	SubTransactionId saved; /* the latest that saved a copy */
} KsPosition;

/* Differs from one transaction to the next. */
extern uint64 ks_position_transaction;

/* The consumer, made if it is not there. */
extern KsConsumer *ks_consumer_get(const KsGroupKey *key, const char *name);

/* All consumers of this backend, linked by next. */
extern KsConsumer *ks_consumers_of_transaction(void);

/* A poll of this transaction; a rollback takes it back. */
extern void ks_consumer_note_poll(KsConsumer *consumer);

/* A partition's position; NULL when nothing is known of it. */
extern KsPosition *ks_position_find(KsConsumer *consumer, const pg_uuid_t *topic, int32 partition);

/*
 * The same to be changed, made if it is not there: what it was before comes
 * back if the (sub)transaction rolls back.
 */
extern KsPosition *ks_position_touch(KsConsumer *consumer, const pg_uuid_t *topic, int32 partition);

/*
 * Begin anew with a partition that is owned: touch its position and set all of
 * it, to start where the offset says.
 */
extern KsPosition *ks_position_start(KsConsumer *consumer, const KsOwned *owned, const KsOffset *offset);

/* This transaction has locked the position's row, by a takeover or a commit. */
extern void ks_position_hold(KsPosition *position);

/*
 * Has this transaction read records of a partition that it has lost and got
 * back since, and are they not committed in it?  Another may have committed
 * them meanwhile, or this transaction would read them a second time; and the
 * guard in the row would not tell, because the stamp is ours again.
 */
extern bool ks_position_is_regained(KsConsumer *consumer, const KsOwned *owned);

/* At PRE_COMMIT: KS110 when a consumer was removed whose work would count. */
extern void ks_position_pre_commit(void);

/* Was a member removed while it owned this under that stamp? */
extern bool ks_position_is_removed(const KsConsumer *consumer, const KsPosition *position);

/* Transaction events.  They throw nothing. */
extern void ks_position_end(bool committed);
extern void ks_position_sub_end(bool committed);

/* Forget the positions of this session's consumers; outside a transaction's work. */
extern void ks_position_discard(void);

#endif /* KS_CONSUME_POSITION_H */
