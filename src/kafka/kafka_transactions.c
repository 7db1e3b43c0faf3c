/*-------------------------------------------------------------------------
 * kafka_transactions.c
 *	  InitProducerId of a transactional id, AddPartitionsToTxn, and EndTxn.
 *
 * A transaction of Kafka's is not one of PostgreSQL's: it lives over many requests, which
 * may come over several connections, and over restarts.  Each request changes the
 * transactional id in a transaction of its own, under the id's lock (staging/).  What the
 * client wrote waits in staging, in nobody's way, until EndTxn appends all of it, with
 * the groups' offsets, in one transaction.  So the log never has a record of an open or an
 * aborted transaction, nor markers, and any reader sees all of a transaction or nothing.
 *
 * EndTxn must not fail for what the client has done: a topic that was dropped meanwhile
 * takes its records along.  What else can go wrong (a lock, a full disk, a cancel)
 * leaves the transaction open, and the client, told CONCURRENT_TRANSACTIONS, comes again.
 *
 * A request that comes again finds what the first one did.  Its answer rests on that
 * commit, so it waits until that is as durable as promised.
 *
 * A transaction that began before a failover may lack what only the former primary had:
 * such a one is aborted, whatever its client asks for.
 *
 * Locks: the transactional id; for the end, the partitions of groups if they are free,
 * then what an append takes.
 *
 * src/kafka/kafka_transactions.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "base/errors.h"
#include "base/events.h"
#include "group/group_row.h"
#include "offset/offset_row.h"
#include "kafka/kafka_commit.h"
#include "kafka/kafka_metadata.h"
#include "kafka/kafka_transactions.h"
#include "log/append.h"

/* What a request waits for locks, ms. */
#define LOCK_TIMEOUT 10000

/* ---------- common ---------- */

char *
ks_kafka_transactional_id(KwString id)
{
	char *copy;
	char *converted;

	if (id.len <= 0 || id.len > KS_TRANSACTIONAL_ID_MAX)
		return NULL;
	copy = ks_wire_cstring(id);
	if ((int32) strlen(copy) != id.len)
		return NULL;
	converted = pg_any_to_server(copy, id.len, PG_UTF8);
	return strlen(converted) <= KS_TRANSACTIONAL_ID_MAX ? converted : NULL;
}

int16
ks_kafka_open_id(KwString id, bool wait, KsTransaction *transaction)
{
	char *name = ks_kafka_transactional_id(id);

	if (name == NULL)
		return KS_KAFKA_INVALID_REQUEST;
	if (!ks_staging_lock(name, wait))
		return KS_KAFKA_CONCURRENT_TRANSACTIONS;
	if (!ks_staging_read(name, transaction))
		return KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
	return ks_group_may_use(transaction->owner) ? KS_KAFKA_NONE : KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static int16
verdict_error(KsTransactionVerdict verdict)
{
	switch (verdict)
	{
		case KS_TRANSACTION_GO:
		case KS_TRANSACTION_DONE:
			break;
		case KS_TRANSACTION_FENCED:
			return KS_KAFKA_PRODUCER_FENCED;
		case KS_TRANSACTION_UNKNOWN:
			return KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
		case KS_TRANSACTION_WRONG_STATE:
			return KS_KAFKA_INVALID_TXN_STATE;
	}
	return KS_KAFKA_NONE;
}

int16
ks_kafka_open_transaction(const KsKafkaProducer *producer, bool wait, KsTransaction *transaction)
{
	int16 error = ks_kafka_open_id(producer->transactional_id, wait, transaction);

	if (error != KS_KAFKA_NONE)
		return error;
	return verdict_error(ks_transaction_judge_producer(transaction, producer->producer_id, producer->epoch));
}

bool
ks_kafka_transaction_is_whole(const KsTransaction *transaction)
{
	int64 system_identifier;
	int32 timeline;

	ks_staging_incarnation(&system_identifier, &timeline);
	return ks_transaction_is_of(transaction, system_identifier, timeline);
}

void
ks_kafka_begin_transaction(KsTransaction *transaction)
{
	int64 system_identifier;
	int32 timeline;

	if (transaction->state == KS_TRANSACTION_ONGOING)
		return;
	ks_staging_incarnation(&system_identifier, &timeline);
	ks_transaction_begin(transaction, GetCurrentTimestamp(), system_identifier, timeline);
}

/* An error of a transaction of ours, as clients of the coordinator understand it. */
static int16
coordinator_error(int16 error)
{
	if (error == KS_KAFKA_NONE)
		return error;
	if (RecoveryInProgress())
		return KS_KAFKA_NOT_COORDINATOR;
	switch (error)
	{
		case KS_KAFKA_REQUEST_TIMED_OUT:
		case KS_KAFKA_KAFKA_STORAGE_ERROR:
			return KS_KAFKA_CONCURRENT_TRANSACTIONS;
		case KS_E_INVALID_GROUP_ID:
			return error;
		case KS_E_TOPIC_AUTHORIZATION_FAILED:
			return KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
		default:
			return KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
	}
}

/* The error of work that was done, as the client is told it. */
static int16
told_error(int16 error)
{
	if (error == KS_KAFKA_NONE && !ks_kafka_commit_is_replicated())
		return KS_KAFKA_CONCURRENT_TRANSACTIONS;
	return coordinator_error(error);
}

int16
ks_kafka_coordinate(KsKafkaRequest *request, KsKafkaWork work, void *arg)
{
	int16 error;

	ks_kafka_watch_client(request->connection->socket);
	error = ks_kafka_transaction(request, work, arg, NULL);
	ks_kafka_watch_end();
	return told_error(error);
}

/* Before the versions that know PRODUCER_FENCED. */
static int16
fenced_before(int16 error, const KsKafkaRequest *request, int16 version)
{
	return error == KS_KAFKA_PRODUCER_FENCED && request->header.version < version ? KS_KAFKA_INVALID_PRODUCER_EPOCH : error;
}

static void
write_state(KsTransaction *transaction)
{
	KsStagingTable *table = ks_staging_open();

	ks_staging_write_state(table, transaction);
	ks_staging_close(table);
}

/* ---------- InitProducerId ---------- */

typedef struct Init
{
	const KwInitProducerIdRequest *wanted;
	KwInitProducerIdResponse *answer;
} Init;

/* Only who may write to some topic may have an id. */
static bool
may_write_anywhere(void)
{
	ListCell *lc;
	KsTopic topic;

	foreach (lc, ks_kafka_topic_ids())
	{
		CHECK_FOR_INTERRUPTS();
		if (ks_topic_find_by_id(lfirst_int(lc), &topic) && ks_topic_has_right(&topic, ACL_INSERT))
			return true;
	}
	return false;
}

static int16
make_id(const KwInitProducerIdRequest *wanted, KsTransaction *transaction)
{
	if (!may_write_anywhere())
		return KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (!ks_staging_may_make_id(GetUserId()))
		return KS_KAFKA_POLICY_VIOLATION;
	ks_transaction_make(transaction, ks_kafka_transactional_id(wanted->transactional_id), GetUserId(), ks_staging_new_producer_id());
	transaction->timeout = wanted->transaction_timeout_ms;
	write_state(transaction);
	return KS_KAFKA_NONE;
}

/* A new incarnation of the id's producer: whatever the one before has left open is aborted. */
static int16
take_over_id(const KwInitProducerIdRequest *wanted, KsTransaction *transaction)
{
	KsTransactionVerdict verdict = ks_transaction_judge_init(transaction, wanted->producer_id, wanted->producer_epoch);

	if (verdict == KS_TRANSACTION_DONE)
		ks_kafka_commit_something();
	if (verdict != KS_TRANSACTION_GO)
		return verdict_error(verdict);
	ks_transaction_bump(transaction, wanted->producer_id >= 0, ks_staging_new_producer_id());
	transaction->state = transaction->state == KS_TRANSACTION_ONGOING ? KS_TRANSACTION_ABORTED : KS_TRANSACTION_EMPTY;
	transaction->timeout = wanted->transaction_timeout_ms;
	write_state(transaction);
	return KS_KAFKA_NONE;
}

static void
init_transactional(KsKafkaRequest *request, void *arg)
{
	Init *init = arg;
	KsTransaction transaction;

	ks_require_writable("InitProducerId");
	ks_kafka_commit_settings(-1, LOCK_TIMEOUT, true);
	if (init->wanted->transaction_timeout_ms <= 0 || init->wanted->transaction_timeout_ms > ks_transaction_max_timeout)
	{
		init->answer->error_code = KS_KAFKA_INVALID_TRANSACTION_TIMEOUT;
		return;
	}
	init->answer->error_code = ks_kafka_open_id(init->wanted->transactional_id, false, &transaction);
	if (init->answer->error_code == KS_KAFKA_INVALID_PRODUCER_ID_MAPPING)
		init->answer->error_code = make_id(init->wanted, &transaction);
	else if (init->answer->error_code == KS_KAFKA_NONE)
		init->answer->error_code = take_over_id(init->wanted, &transaction);
	if (init->answer->error_code != KS_KAFKA_NONE)
		return;
	init->answer->producer_id = transaction.producer_id;
	init->answer->producer_epoch = transaction.epoch;
	KS_DEBUG_POINT("kafka.initialized");
}

void
ks_kafka_init_transactional(KsKafkaRequest *request, const KwInitProducerIdRequest *wanted, KwInitProducerIdResponse *answer)
{
	Init init = {wanted, answer};
	int16 error = ks_kafka_coordinate(request, init_transactional, &init);

	if (error != KS_KAFKA_NONE)
		answer->error_code = error;
	answer->error_code = fenced_before(answer->error_code, request, 4);
	if (answer->error_code == KS_KAFKA_NONE)
		return;
	answer->producer_id = -1;
	answer->producer_epoch = -1;
}

/* ---------- AddPartitionsToTxn ---------- */

/* The topics of one transaction; before version 4 a request has one. */
typedef struct Adding
{
	KsKafkaProducer producer;
	bool verify_only;
	const KwAddPartitionsToTxnRequestTopic *topics;
	int32 topic_count;
	KwAddPartitionsToTxnResponseTopicResult *results;
} Adding;

static void
set_errors(Adding *adding, int16 error)
{
	int i;
	int j;

	for (i = 0; i < adding->topic_count; i++)
	{
		for (j = 0; j < adding->results[i].results_by_partition.count; j++)
			adding->results[i].results_by_partition.items[j].partition_error_code = error;
	}
}

/* Look at all partitions; false if one of them has an error. */
static bool
check_partitions(Adding *adding, const KsTransaction *transaction)
{
	static const KwUuid no_id;
	bool sound = true;
	int i;
	int j;

	for (i = 0; i < adding->topic_count; i++)
	{
		KsTopic topic;
		int16 error = ks_kafka_topic_find(adding->topics[i].name, &no_id, ACL_INSERT, &topic);

		CHECK_FOR_INTERRUPTS();
		for (j = 0; j < adding->topics[i].partitions.count; j++)
		{
			KwAddPartitionsToTxnResponsePartitionResult *result = &adding->results[i].results_by_partition.items[j];
			int32 partition = adding->topics[i].partitions.items[j];
			int64 told_end;

			result->partition_error_code = error;
			if (error == KS_KAFKA_NONE && (partition < 0 || partition >= topic.partitions))
				result->partition_error_code = KS_E_UNKNOWN_TOPIC_OR_PARTITION;
			else if (error == KS_KAFKA_NONE && adding->verify_only &&
					 (transaction->state != KS_TRANSACTION_ONGOING ||
					  !ks_staging_has_partition(transaction, topic.topic_id, partition, &told_end)))
				result->partition_error_code = KS_KAFKA_INVALID_TXN_STATE;
			sound = sound && result->partition_error_code == KS_KAFKA_NONE;
		}
	}
	return sound;
}

/* The sound ones wait for the others. */
static void
mark_not_attempted(Adding *adding)
{
	int i;
	int j;

	for (i = 0; i < adding->topic_count; i++)
	{
		for (j = 0; j < adding->results[i].results_by_partition.count; j++)
		{
			int16 *error = &adding->results[i].results_by_partition.items[j].partition_error_code;

			if (*error == KS_KAFKA_NONE)
				*error = KS_KAFKA_OPERATION_NOT_ATTEMPTED;
		}
	}
}

static void
write_partitions(Adding *adding, KsTransaction *transaction)
{
	static const KwUuid no_id;
	KsStagingTable *table = ks_staging_open();
	bool wrote = false;
	int i;
	int j;

	ks_kafka_begin_transaction(transaction);
	for (i = 0; i < adding->topic_count; i++)
	{
		KsTopic topic;

		if (ks_kafka_topic_find(adding->topics[i].name, &no_id, ACL_INSERT, &topic) != KS_KAFKA_NONE)
			continue;
		for (j = 0; j < adding->topics[i].partitions.count; j++)
		{
			int64 told_end;

			CHECK_FOR_INTERRUPTS();
			if (ks_staging_has_partition(transaction, topic.topic_id, adding->topics[i].partitions.items[j], &told_end))
				continue;
			ks_staging_write_partition(table, transaction, topic.topic_id, adding->topics[i].partitions.items[j]);
			wrote = true;
		}
	}
	ks_staging_close(table);
	/* They were all there: an earlier request's answer was lost, perhaps. */
	if (!wrote)
		ks_kafka_commit_something();
}

static void
add_partitions(KsKafkaRequest *request, void *arg)
{
	Adding *adding = arg;
	KsTransaction transaction;
	int16 error;

	ks_require_writable("AddPartitionsToTxn");
	ks_kafka_commit_settings(-1, LOCK_TIMEOUT, true);
	error = ks_kafka_open_transaction(&adding->producer, true, &transaction);
	if (error == KS_KAFKA_NONE && transaction.state == KS_TRANSACTION_ONGOING && !ks_kafka_transaction_is_whole(&transaction))
		error = KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
	if (error != KS_KAFKA_NONE)
		set_errors(adding, fenced_before(error, request, 2));
	else if (!check_partitions(adding, &transaction))
		mark_not_attempted(adding);
	else if (!adding->verify_only)
		write_partitions(adding, &transaction);
	KS_DEBUG_POINT("kafka.partitions_added");
}

static void
serve_adding(KsKafkaRequest *request, Adding *adding)
{
	int16 error;
	int i;
	int j;

	for (i = 0; i < adding->topic_count; i++)
	{
		KwAddPartitionsToTxnResponseTopicResult *result = &adding->results[i];

		result->name = adding->topics[i].name;
		KS_KAFKA_STRUCTS(request, result->results_by_partition, AddPartitionsToTxnResponsePartitionResult,
						 Max(adding->topics[i].partitions.count, 0));
		for (j = 0; j < result->results_by_partition.count; j++)
			result->results_by_partition.items[j].partition_index = adding->topics[i].partitions.items[j];
	}
	error = ks_kafka_coordinate(request, add_partitions, adding);
	if (error != KS_KAFKA_NONE)
		set_errors(adding, error);
}

bool
ks_kafka_handle_add_partitions_to_txn(KsKafkaRequest *request, void *response)
{
	const KwAddPartitionsToTxnRequest *wanted = request->body;
	KwAddPartitionsToTxnResponse *answer = response;
	int i;

	if (request->header.version < 4)
	{
		Adding adding = {{wanted->transactional_id, wanted->producer_id, wanted->producer_epoch}, false, wanted->topics.items, wanted->topics.count, NULL};

		KS_KAFKA_STRUCTS(request, answer->results_by_topic, AddPartitionsToTxnResponseTopicResult, wanted->topics.count);
		adding.results = answer->results_by_topic.items;
		serve_adding(request, &adding);
		return true;
	}
	KS_KAFKA_STRUCTS(request, answer->results_by_transaction, AddPartitionsToTxnResponseResult, wanted->transactions.count);
	for (i = 0; i < wanted->transactions.count; i++)
	{
		const KwAddPartitionsToTxnRequestTransaction *one = &wanted->transactions.items[i];
		KwAddPartitionsToTxnResponseResult *result = &answer->results_by_transaction.items[i];
		Adding adding = {{one->transactional_id, one->producer_id, one->producer_epoch}, one->verify_only, one->topics.items, one->topics.count, NULL};

		result->transactional_id = one->transactional_id;
		KS_KAFKA_STRUCTS(request, result->topic_results, AddPartitionsToTxnResponseTopicResult, one->topics.count);
		adding.results = result->topic_results.items;
		serve_adding(request, &adding);
	}
	return true;
}

/* ---------- EndTxn ---------- */

typedef struct Ending
{
	const KwEndTxnRequest *wanted;
	KwEndTxnResponse *answer;
	bool bumps;
} Ending;

/* Its offsets; a partition of a group that another transaction is at has the client come again. */
static void
commit_offsets(const KsStaged *staged)
{
	ListCell *lc;

	foreach (lc, staged->offsets)
	{
		const KsStagedOffset *offset = lfirst(lc);
		KsGroupKey key;
		KsTopic topic;

		CHECK_FOR_INTERRUPTS();
		if (!ks_topic_find_by_id(offset->topic_id, &topic))
			continue;
		ks_group_make_key(offset->group, &key);
		if (ks_offset_set_staged(&key, &topic.uuid, topic.topic_id, offset->partition, offset->offset, offset->metadata,
								 offset->staged_at) != KS_OFFSET_SET)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("another transaction is at an offset of group \"%s\"", offset->group)));
	}
}

/* Offsets, state, and last the records: from there on the last stable offset waits for this commit. */
static void
commit_staged(KsTransaction *transaction, const Ending *ending)
{
	KsStaged staged;
	KsAppend *appends;
	int64 dropped;
	int count;

	ks_staging_collect(transaction, &staged);
	appends = ks_staging_appends(&staged, &count, &dropped);
	commit_offsets(&staged);
	KS_DEBUG_POINT("kafka.offsets_set");
	transaction->state = KS_TRANSACTION_COMMITTED;
	if (ending->bumps)
		ks_transaction_bump(transaction, true, ks_staging_new_producer_id());
	write_state(transaction);
	if (count > 0)
		ks_log_append(appends, count);
	ks_staging_release(&staged);
	if (dropped > 0)
		ks_log_event((errmsg("transaction of transactional id \"%s\" was committed without " INT64_FORMAT " records of topics that were dropped",
							 transaction->id, dropped)));
}

static void
abort_staged(KsTransaction *transaction, const Ending *ending)
{
	transaction->state = KS_TRANSACTION_ABORTED;
	if (ending->bumps)
		ks_transaction_bump(transaction, true, ks_staging_new_producer_id());
	write_state(transaction);
}

/* End it, as judged; the error that the client is told. */
static int16
end_it(KsTransaction *transaction, const Ending *ending)
{
	bool lost = transaction->state == KS_TRANSACTION_ONGOING && ending->wanted->committed && !ks_kafka_transaction_is_whole(transaction);

	if (ending->wanted->committed && !lost)
	{
		commit_staged(transaction, ending);
		return KS_KAFKA_NONE;
	}
	abort_staged(transaction, ending);
	if (!lost)
		return KS_KAFKA_NONE;
	return ending->bumps ? KS_KAFKA_TRANSACTION_ABORTABLE : KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
}

static void
end_transaction(KsKafkaRequest *request, void *arg)
{
	Ending *ending = arg;
	const KwEndTxnRequest *wanted = ending->wanted;
	KsTransactionVerdict verdict;
	KsTransaction transaction;
	int16 error;

	ks_require_writable("EndTxn");
	ks_kafka_commit_settings(-1, LOCK_TIMEOUT, true);
	error = ks_kafka_open_id(wanted->transactional_id, false, &transaction);
	if (error == KS_KAFKA_NONE)
	{
		verdict = ks_transaction_judge_end(&transaction, wanted->producer_id, wanted->producer_epoch, wanted->committed, ending->bumps);
		error = verdict_error(verdict);
		if (verdict == KS_TRANSACTION_GO)
			error = end_it(&transaction, ending);
		else if (verdict == KS_TRANSACTION_DONE)
			ks_kafka_commit_something();
	}
	ending->answer->error_code = error;
	ending->answer->producer_id = error == KS_KAFKA_NONE ? transaction.producer_id : -1;
	ending->answer->producer_epoch = error == KS_KAFKA_NONE ? transaction.epoch : -1;
	KS_DEBUG_POINT("kafka.ended");
}

bool
ks_kafka_handle_end_txn(KsKafkaRequest *request, void *response)
{
	KwEndTxnResponse *answer = response;
	Ending ending = {request->body, answer, request->header.version >= KS_KAFKA_END_BUMPS};
	/*
	 * Not given up when the client goes: to append a large transaction may take longer than
	 * clients wait, and one that was canceled then would begin anew each time.  The client
	 * comes again by another connection, and finds it at work (CONCURRENT_TRANSACTIONS) or
	 * done.
	 */
	int16 error = told_error(ks_kafka_transaction(request, end_transaction, &ending, NULL));

	KS_DEBUG_POINT("kafka.before_answer");
	if (error != KS_KAFKA_NONE)
	{
		answer->error_code = error;
		answer->producer_id = -1;
		answer->producer_epoch = -1;
	}
	answer->error_code = fenced_before(answer->error_code, request, 2);
	return true;
}
