/*-------------------------------------------------------------------------
 * transaction.c
 *	  The rules for a transactional id of Kafka's.
 *
 * A transactional id has one producer at a time: the one with its producer id and
 * epoch.  A new incarnation of an application asks for the id again and gets the next
 * epoch, which fences the one before.  As of transaction.version 2 each end of a
 * transaction gives the next epoch too, so that a batch of an old transaction can never
 * be taken for one of the next; a client that got no answer repeats its request with
 * the epoch that it had.
 *
 * The rules are those of Apache Kafka's TransactionCoordinator and
 * TransactionMetadata, with one state for each of its pairs (PrepareCommit and
 * CompleteCommit, and so on): an end is one transaction of PostgreSQL.
 *
 * Pure: values in, values out.
 *
 * src/staging/transaction.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "staging/transaction.h"

/* As in Kafka the last one is never given. */
#define EPOCH_MAX (PG_INT16_MAX - 1)

bool
ks_transaction_is_of(const KsTransaction *transaction, int64 system_identifier, int32 timeline)
{
	return transaction->system_identifier == system_identifier && transaction->timeline == timeline;
}

void
ks_transaction_make(KsTransaction *transaction, const char *id, Oid owner, int64 producer_id)
{
	memset(transaction, 0, sizeof(KsTransaction));
	strlcpy(transaction->id, id, sizeof(transaction->id));
	transaction->owner = owner;
	transaction->producer_id = producer_id;
	transaction->last_producer_id = -1;
	transaction->last_epoch = -1;
}

void
ks_transaction_begin(KsTransaction *transaction, TimestampTz now, int64 system_identifier, int32 timeline)
{
	transaction->state = KS_TRANSACTION_ONGOING;
	transaction->serial++;
	transaction->first_version = transaction->version + 1;
	transaction->started_at = now;
	transaction->system_identifier = system_identifier;
	transaction->timeline = timeline;
	transaction->bytes = 0;
}

static bool
is_current(const KsTransaction *transaction, int64 producer_id, int16 epoch)
{
	return transaction->producer_id == producer_id && transaction->epoch == epoch;
}

static bool
is_last(const KsTransaction *transaction, int64 producer_id, int16 epoch)
{
	return producer_id >= 0 && transaction->last_producer_id == producer_id && transaction->last_epoch == epoch;
}

KsTransactionVerdict
ks_transaction_judge_producer(const KsTransaction *transaction, int64 producer_id, int16 epoch)
{
	if (transaction->producer_id != producer_id)
		return KS_TRANSACTION_UNKNOWN;
	return transaction->epoch == epoch ? KS_TRANSACTION_GO : KS_TRANSACTION_FENCED;
}

/* The end of a transaction that is not open. */
static KsTransactionVerdict
judge_repeated_end(const KsTransaction *transaction, bool commit)
{
	return transaction->state == (commit ? KS_TRANSACTION_COMMITTED : KS_TRANSACTION_ABORTED) ? KS_TRANSACTION_DONE
																							  : KS_TRANSACTION_WRONG_STATE;
}

KsTransactionVerdict
ks_transaction_judge_end(const KsTransaction *transaction, int64 producer_id, int16 epoch, bool commit, bool bumps)
{
	if (!is_current(transaction, producer_id, epoch))
	{
		if (bumps && transaction->state != KS_TRANSACTION_ONGOING && is_last(transaction, producer_id, epoch))
			return judge_repeated_end(transaction, commit) == KS_TRANSACTION_DONE ? KS_TRANSACTION_DONE : KS_TRANSACTION_FENCED;
		return transaction->producer_id == producer_id ? KS_TRANSACTION_FENCED : KS_TRANSACTION_UNKNOWN;
	}
	if (transaction->state == KS_TRANSACTION_ONGOING)
		return KS_TRANSACTION_GO;
	/* A client that begins with its first batch may abort a transaction that has none: it gets its new epoch. */
	if (bumps)
		return commit ? KS_TRANSACTION_WRONG_STATE : KS_TRANSACTION_GO;
	return judge_repeated_end(transaction, commit);
}

KsTransactionVerdict
ks_transaction_judge_init(const KsTransaction *transaction, int64 producer_id, int16 epoch)
{
	if (producer_id < 0 || is_current(transaction, producer_id, epoch))
		return KS_TRANSACTION_GO;
	if (is_last(transaction, producer_id, epoch) && transaction->state != KS_TRANSACTION_ONGOING)
		return KS_TRANSACTION_DONE;
	return KS_TRANSACTION_FENCED;
}

void
ks_transaction_bump(KsTransaction *transaction, bool recoverable, int64 new_producer_id)
{
	transaction->last_producer_id = recoverable ? transaction->producer_id : -1;
	transaction->last_epoch = recoverable ? transaction->epoch : -1;
	if (transaction->epoch < EPOCH_MAX)
	{
		transaction->epoch++;
		return;
	}
	transaction->producer_id = new_producer_id;
	transaction->epoch = 0;
}
