/*-------------------------------------------------------------------------
 * position.h
 *	  Where this backend's consumers stand, following the transaction.
 *
 * src/group/position.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_POSITION_H
#define KS_GROUP_POSITION_H

#include "utils/hsearch.h"

#include "group/member.h"

/* A consumer of this backend: a session's membership, or a name's use. */
typedef struct KsConsumer
{
	KsGroupKey key;
	bool named;
	char name[KS_GROUP_NAME_MAX + 1];
	HTAB *positions; /* of KsPosition */
	struct KsConsumer *next;
} KsConsumer;

typedef struct KsPositionKey
{
	pg_uuid_t topic;
	int32 partition;
} KsPositionKey;

#define KS_NO_OFFSET (-1)

typedef struct KsPosition
{
	KsPositionKey key;
	int32 topic_id;
	int64 stamp;         /* of the takeover that this belongs to; 0: none */
	int64 position;      /* the next record to read, KS_NO_OFFSET: unknown */
	int64 committed;     /* as far as this backend knows */
	int64 start;         /* where a name's next transaction starts: by seek or auto_offset_reset; KS_NO_OFFSET: at committed */
	char *metadata;      /* of what this transaction committed, for a row that is missing */
	bool polled;         /* read from by the latest poll */
	int32 share;         /* its place among ks_shares */
	ItemPointerData tid; /* where its row was seen last; a hint (offset_row.h) */

	/* ks_position_transaction when it was last changed, and taken over */
	uint64 touched;
	uint64 taken;
	bool row_missing;       /* at the takeover: to be inserted at PRE_COMMIT */
	SubTransactionId saved; /* the latest that saved a copy */
} KsPosition;

/* Differs from one transaction to the next. */
extern uint64 ks_position_transaction;

/* The consumer, made if it is not there. */
extern KsConsumer *ks_consumer_get(const KsGroupKey *key, const char *name);

/* All consumers of this backend, linked by next. */
extern KsConsumer *ks_consumers_of_transaction(void);

/* A partition's position; NULL when nothing is known of it. */
extern KsPosition *ks_position_find(KsConsumer *consumer, const pg_uuid_t *topic, int32 partition);

/*
 * The same to be changed, made if it is not there: what it was before comes
 * back if the (sub)transaction rolls back.
 */
extern KsPosition *ks_position_touch(KsConsumer *consumer, const pg_uuid_t *topic, int32 partition);

/*
 * Begin anew with a partition that is owned: touch its position and set all of
 * it, to start at the committed offset.
 */
extern KsPosition *ks_position_start(KsConsumer *consumer, const KsOwned *owned, int64 committed);

/*
 * Has this transaction read records of a partition that it has lost and got
 * back since?  Another may have committed them meanwhile, and the guard in the
 * row would not tell: the stamp is ours again.
 */
extern bool ks_position_is_regained(KsConsumer *consumer, const KsOwned *owned);

/* A takeover by this transaction. */
typedef struct KsTakeover
{
	KsConsumer *consumer;
	KsOwned owned;
	bool row_missing; /* to be inserted at PRE_COMMIT */
	int level;
	struct KsTakeover *next;
} KsTakeover;

extern KsTakeover *ks_takeovers;

/* Note that ks_position_start's partition was taken over. */
extern void ks_takeover_note(KsConsumer *consumer, KsPosition *position, const KsOwned *owned, bool row_missing);

/* Transaction events.  They throw nothing. */
extern void ks_position_end(bool committed);
extern void ks_position_sub_end(bool committed);

/* Does this transaction use consumers (for PREPARE)? */
extern bool ks_position_is_touched(void);

#endif /* KS_GROUP_POSITION_H */
