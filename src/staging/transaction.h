/*-------------------------------------------------------------------------
 * transaction.h
 *	  A transactional id of Kafka's: what is known of it, and the rules for it.
 *
 * src/staging/transaction.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STAGING_TRANSACTION_H
#define KS_STAGING_TRANSACTION_H

#include "datatype/timestamp.h"

/* Bytes of a transactional id at most: it is part of a key. */
#define KS_TRANSACTIONAL_ID_MAX 1000

/* In the tables: the numbers stay. */
typedef enum KsTransactionState
{
	KS_TRANSACTION_EMPTY = 0, /* no transaction since the producer came */
	KS_TRANSACTION_ONGOING = 1,
	KS_TRANSACTION_COMMITTED = 2,
	KS_TRANSACTION_ABORTED = 3
} KsTransactionState;

/* What the newest row of a transactional id says. */
typedef struct KsTransaction
{
	char id[KS_TRANSACTIONAL_ID_MAX + 1];
	int64 version;       /* of that row: rises with each */
	int64 serial;        /* number of its latest transaction; 0: there was none */
	int64 first_version; /* of the latest transaction's first row */
	KsTransactionState state;
	Oid owner; /* the role that made it */
	int64 producer_id;
	int16 epoch;
	int64 last_producer_id; /* who was given that epoch and may not have heard of it; -1: nobody */
	int16 last_epoch;
	int32 timeout; /* ms */
	TimestampTz started_at;
	TimestampTz updated_at;
	int64 system_identifier; /* under which its latest transaction began */
	int32 timeline;
	int64 bytes; /* that its latest transaction has staged */
} KsTransaction;

/* As in its tables it was when the server last began: an open transaction of before has perhaps lost rows. */
extern bool ks_transaction_is_of(const KsTransaction *transaction, int64 system_identifier, int32 timeline);

/* A new transactional id, of a role, for a producer id that nobody has. */
extern void ks_transaction_make(KsTransaction *transaction, const char *id, Oid owner, int64 producer_id);

/* Begin a transaction; none is open. */
extern void ks_transaction_begin(KsTransaction *transaction, TimestampTz now, int64 system_identifier, int32 timeline);

/* The judgement on a request. */
typedef enum KsTransactionVerdict
{
	KS_TRANSACTION_GO,         /* do it */
	KS_TRANSACTION_DONE,       /* it was done before: answer so */
	KS_TRANSACTION_FENCED,     /* PRODUCER_FENCED, INVALID_PRODUCER_EPOCH */
	KS_TRANSACTION_UNKNOWN,    /* INVALID_PRODUCER_ID_MAPPING */
	KS_TRANSACTION_WRONG_STATE /* INVALID_TXN_STATE */
} KsTransactionVerdict;

/* A request inside of a transaction: is it the producer's that has the id? */
extern KsTransactionVerdict ks_transaction_judge_producer(const KsTransaction *transaction, int64 producer_id, int16 epoch);

/*
 * EndTxn.  `bumps`: the client expects a new epoch with each end (its
 * transaction.version is 2), so a request that comes again has the epoch of before.
 */
extern KsTransactionVerdict ks_transaction_judge_end(const KsTransaction *transaction, int64 producer_id, int16 epoch, bool commit,
													 bool bumps);

/* InitProducerId; producer_id -1: by a client that knows of none. */
extern KsTransactionVerdict ks_transaction_judge_init(const KsTransaction *transaction, int64 producer_id, int16 epoch);

/*
 * The next epoch, or the first one of a new producer id where epochs are used up.
 * `recoverable`: who has the epoch of before may still ask for this one.
 */
extern void ks_transaction_bump(KsTransaction *transaction, bool recoverable, int64 new_producer_id);

#endif /* KS_STAGING_TRANSACTION_H */
