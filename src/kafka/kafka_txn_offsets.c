/*-------------------------------------------------------------------------
 * kafka_txn_offsets.c
 *	  AddOffsetsToTxn and TxnOffsetCommit: a group's offsets inside of a transaction.
 *
 * The offsets wait in staging and become the group's with the transaction's end.  Until
 * then nobody takes those partitions over (group/offset_row.c), so that what
 * the transaction has read is not read by another before it is known how it ends.
 * An OffsetFetch of a member that wants stable offsets is told to wait (UNSTABLE_OFFSET_COMMIT).
 *
 * A member of a classic group says its generation.  A member that has been replaced is
 * refused, or it would commit what its heir reads again.  The listener is asked last, when
 * the rows are written under the locks of their partitions: if it knows a later generation
 * by then, all is rolled back; if not, who fetches the offsets for a later generation
 * finds the partition locked, or the rows.
 *
 * Locks: the transactional id, then the group's partitions if they are free, so that who
 * takes a partition over either comes before, or sees the offset.
 *
 * src/kafka/kafka_txn_offsets.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "base/debug.h"
#include "base/errors.h"
#include "group/group_row.h"
#include "offset/offset_row.h"
#include "kafka/kafka_commit.h"
#include "kafka/kafka_group_call.h"
#include "kafka/kafka_transactions.h"
#include "kafka/kafka_txn_offsets.h"

/* What a request waits for locks, ms. */
#define LOCK_TIMEOUT 10000

/* A group that the current user may use, made if it is not there.  42501, 42602 */
static void
open_group(KwString id, KsGroupKey *key)
{
	if (id.len <= 0 || !ks_kafka_is_text(id))
		ereport(ERROR,
				(errmsg("invalid group name"),
				 ks_error(KS_E_INVALID_GROUP_ID, NULL)));
	ks_group_note_use();
	ks_group_open(ks_kafka_text(id), true, key);
}

/* ---------- AddOffsetsToTxn ---------- */

typedef struct AddOffsets
{
	const KwAddOffsetsToTxnRequest *wanted;
	int16 error;
	bool in_group;
} AddOffsets;

static void
add_offsets(KsKafkaRequest *request, void *arg)
{
	AddOffsets *add = arg;
	const KwAddOffsetsToTxnRequest *wanted = add->wanted;
	KsKafkaProducer producer = {wanted->transactional_id, wanted->producer_id, wanted->producer_epoch};
	KsTransaction transaction;
	KsStagingTable *table;
	KsGroupKey key;

	ks_require_writable("AddOffsetsToTxn");
	ks_kafka_commit_settings(-1, LOCK_TIMEOUT, true);
	add->error = ks_kafka_open_transaction(&producer, true, &transaction);
	if (add->error != KS_KAFKA_NONE)
		return;
	add->in_group = true;
	open_group(wanted->group_id, &key);
	add->in_group = false;
	if (transaction.state == KS_TRANSACTION_ONGOING)
	{
		ks_kafka_commit_something();
		return;
	}
	ks_kafka_begin_transaction(&transaction);
	table = ks_staging_open();
	ks_staging_write_state(table, &transaction);
	ks_staging_close(table);
}

bool
ks_kafka_handle_add_offsets_to_txn(KsKafkaRequest *request, void *response)
{
	KwAddOffsetsToTxnResponse *answer = response;
	AddOffsets add = {request->body, KS_KAFKA_NONE, false};
	int16 error = ks_kafka_coordinate(request, add_offsets, &add);

	if (error == KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED && add.in_group)
		error = KS_E_GROUP_AUTHORIZATION_FAILED;
	answer->error_code = error != KS_KAFKA_NONE ? error : add.error;
	if (answer->error_code == KS_KAFKA_PRODUCER_FENCED && request->header.version < 2)
		answer->error_code = KS_KAFKA_INVALID_PRODUCER_EPOCH;
	return true;
}

/* ---------- TxnOffsetCommit ---------- */

typedef struct CommitOffsets
{
	const KwTxnOffsetCommitRequest *wanted;
	KwTxnOffsetCommitResponse *answer;
	KsTransaction transaction;
	KsStagingTable *table;
	KsGroupKey key;
	bool in_group;
	int16 refused; /* why the member may not */
} CommitOffsets;

static void
set_errors(KwTxnOffsetCommitResponse *answer, int16 error)
{
	int i;
	int j;

	for (i = 0; i < answer->topics.count; i++)
	{
		for (j = 0; j < answer->topics.items[i].partitions.count; j++)
			answer->topics.items[i].partitions.items[j].error_code = error;
	}
}

static int16
stage_offset(CommitOffsets *commit, const KsTopic *topic, const KwTxnOffsetCommitRequestPartition *wanted)
{
	const char *metadata;

	if (wanted->partition_index < 0 || wanted->partition_index >= topic->partitions)
		return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	if (wanted->committed_metadata.len > KS_KAFKA_OFFSET_METADATA_MAX)
		return KS_E_OFFSET_METADATA_TOO_LARGE;
	if (wanted->committed_offset < 0 || !ks_kafka_is_text(wanted->committed_metadata))
		return KS_KAFKA_INVALID_REQUEST;
	metadata = wanted->committed_metadata.len < 0 ? NULL : ks_kafka_text(wanted->committed_metadata);
	if (!ks_offset_lock(&commit->key, &topic->uuid, wanted->partition_index))
		return KS_KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
	ks_staging_write_offset(commit->table, &commit->transaction, commit->key.name, topic->topic_id, wanted->partition_index,
							wanted->committed_offset, metadata);
	return KS_KAFKA_NONE;
}

static void
stage_topics(CommitOffsets *commit)
{
	static const KwUuid no_id;
	int i;
	int j;

	for (i = 0; i < commit->wanted->topics.count; i++)
	{
		const KwTxnOffsetCommitRequestTopic *wanted = &commit->wanted->topics.items[i];
		KsTopic topic;
		int16 error = ks_kafka_topic_find(wanted->name, &no_id, ACL_SELECT, &topic);

		for (j = 0; j < wanted->partitions.count; j++)
		{
			CHECK_FOR_INTERRUPTS();
			commit->answer->topics.items[i].partitions.items[j].error_code =
				error != KS_KAFKA_NONE ? error : stage_offset(commit, &topic, &wanted->partitions.items[j]);
		}
	}
}

/* May this producer stage offsets now?  Begins a transaction if that is how its client does it. */
static int16
open_transaction(CommitOffsets *commit, int16 version)
{
	const KwTxnOffsetCommitRequest *wanted = commit->wanted;
	KsKafkaProducer producer = {wanted->transactional_id, wanted->producer_id, wanted->producer_epoch};
	KsTransaction *transaction = &commit->transaction;
	int16 error = ks_kafka_open_transaction(&producer, true, transaction);

	/* The group's coordinator has the older name for it. */
	if (error == KS_KAFKA_PRODUCER_FENCED)
		return KS_KAFKA_INVALID_PRODUCER_EPOCH;
	if (error != KS_KAFKA_NONE)
		return error;
	if (transaction->state == KS_TRANSACTION_ONGOING)
	{
		if (ks_kafka_transaction_is_whole(transaction))
			return KS_KAFKA_NONE;
		return version >= KS_KAFKA_OFFSETS_BEGIN ? KS_KAFKA_TRANSACTION_ABORTABLE : KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
	}
	if (version < KS_KAFKA_OFFSETS_BEGIN)
		return KS_KAFKA_INVALID_TXN_STATE;
	ks_kafka_begin_transaction(transaction);
	return KS_KAFKA_NONE;
}

/* Rolls all back if the member that the request names is not one of the group's generation. */
static void
check_member(KsKafkaRequest *request, CommitOffsets *commit)
{
	const KwTxnOffsetCommitRequest *wanted = commit->wanted;

	if (wanted->generation_id < 0 && wanted->member_id.len <= 0 && wanted->group_instance_id.len <= 0)
		return;
	commit->refused = ks_kafka_group_may_stage(request, &commit->key, wanted->generation_id, wanted->member_id,
											   wanted->group_instance_id);
	if (commit->refused != KS_KAFKA_NONE)
		ereport(ERROR,
				(errmsg("not a member of group \"%s\" in generation %d", commit->key.name, wanted->generation_id),
				 ks_error(KS_E_UNKNOWN_MEMBER_ID, NULL)));
}

static void
commit_offsets(KsKafkaRequest *request, void *arg)
{
	CommitOffsets *commit = arg;
	int16 error;

	ks_require_writable("TxnOffsetCommit");
	ks_kafka_commit_settings(-1, LOCK_TIMEOUT, true);
	error = open_transaction(commit, request->header.version);
	if (error != KS_KAFKA_NONE)
	{
		set_errors(commit->answer, error);
		return;
	}
	commit->in_group = true;
	open_group(commit->wanted->group_id, &commit->key);
	commit->in_group = false;
	commit->table = ks_staging_open();
	stage_topics(commit);
	ks_staging_close(commit->table);
	KS_DEBUG_POINT("kafka.offsets_written");
	check_member(request, commit);
	KS_DEBUG_POINT("kafka.offsets_staged");
}

bool
ks_kafka_handle_txn_offset_commit(KsKafkaRequest *request, void *response)
{
	const KwTxnOffsetCommitRequest *wanted = request->body;
	KwTxnOffsetCommitResponse *answer = response;
	CommitOffsets commit = {.wanted = wanted, .answer = answer};
	int16 error;
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answer->topics, TxnOffsetCommitResponseTopic, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		KwTxnOffsetCommitResponseTopic *topic = &answer->topics.items[i];

		topic->name = wanted->topics.items[i].name;
		KS_KAFKA_STRUCTS(request, topic->partitions, TxnOffsetCommitResponsePartition, wanted->topics.items[i].partitions.count);
		for (j = 0; j < topic->partitions.count; j++)
			topic->partitions.items[j].partition_index = wanted->topics.items[i].partitions.items[j].partition_index;
	}
	error = ks_kafka_coordinate(request, commit_offsets, &commit);
	if (error == KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED && commit.in_group)
		error = KS_E_GROUP_AUTHORIZATION_FAILED;
	if (commit.refused != KS_KAFKA_NONE)
		error = commit.refused;
	/* Clients take this one for a passing fault here. */
	if (error == KS_KAFKA_CONCURRENT_TRANSACTIONS)
		error = KS_KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
	if (error != KS_KAFKA_NONE)
		set_errors(answer, error);
	return !request->gone;
}
