/*-------------------------------------------------------------------------
 * kafka_txn_list.c
 *	  ListTransactions and DescribeTransactions.
 *
 * A client sees the transactional ids that it may use.
 *
 * src/kafka/kafka_txn_list.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "group/group_row.h"
#include "kafka/kafka_transactions.h"
#include "kafka/kafka_txn_list.h"
#include "record/time.h"
#include "topic/topic.h"

/* Kafka's names; the last ones are of states that no transaction here is ever seen in. */
static const char *const state_names[] = {"Empty", "Ongoing", "CompleteCommit", "CompleteAbort",
										  "PrepareCommit", "PrepareAbort", "Dead", "PrepareEpochFence"};

static KwString
in_request(KsKafkaRequest *request, const char *text)
{
	return ks_wire_string(MemoryContextStrdup(request->context, text));
}

/* ---------- ListTransactions ---------- */

typedef struct Listing
{
	const KwListTransactionsRequest *wanted;
	KwListTransactionsResponse *answer;
} Listing;

static bool
has_wanted_state(const Listing *listing, const KsTransaction *transaction)
{
	int i;

	for (i = 0; i < listing->wanted->state_filters.count; i++)
	{
		if (ks_wire_string_is(listing->wanted->state_filters.items[i], state_names[transaction->state]))
			return true;
	}
	return listing->wanted->state_filters.count == 0;
}

static bool
has_wanted_producer(const Listing *listing, const KsTransaction *transaction)
{
	int i;

	for (i = 0; i < listing->wanted->producer_id_filters.count; i++)
	{
		if (listing->wanted->producer_id_filters.items[i] == transaction->producer_id)
			return true;
	}
	return listing->wanted->producer_id_filters.count == 0;
}

/* Does the whole id match?  22023 for what is no regular expression. */
static bool
has_wanted_name(const Listing *listing, const KsTransaction *transaction)
{
	KwString pattern = listing->wanted->transactional_id_pattern;
	char *whole;

	if (pattern.len <= 0)
		return true;
	whole = psprintf("^(?:%s)$", pg_any_to_server(ks_wire_cstring(pattern), pattern.len, PG_UTF8));
	return DatumGetBool(DirectFunctionCall2Coll(textregexeq, C_COLLATION_OID, CStringGetTextDatum(transaction->id),
												CStringGetTextDatum(whole)));
}

static bool
is_wanted(const Listing *listing, const KsTransaction *transaction)
{
	int64 longer = listing->wanted->duration_filter;

	if (!ks_group_may_use(transaction->owner) || !has_wanted_state(listing, transaction) || !has_wanted_producer(listing, transaction))
		return false;
	if (longer >= 0 && (transaction->state != KS_TRANSACTION_ONGOING ||
						(GetCurrentTimestamp() - transaction->started_at) / 1000 <= longer))
		return false;
	return has_wanted_name(listing, transaction);
}

static void
list_transactions(KsKafkaRequest *request, void *arg)
{
	Listing *listing = arg;
	List *ids = ks_staging_list_ids();
	ListCell *lc;
	int n = 0;

	KS_KAFKA_STRUCTS(request, listing->answer->transaction_states, ListTransactionsResponseTransactionState, list_length(ids));
	foreach (lc, ids)
	{
		KwListTransactionsResponseTransactionState *entry = &listing->answer->transaction_states.items[n];
		KsTransaction transaction;

		CHECK_FOR_INTERRUPTS();
		if (!ks_staging_read(lfirst(lc), &transaction) || !is_wanted(listing, &transaction))
			continue;
		entry->transactional_id = in_request(request, pg_server_to_any(transaction.id, strlen(transaction.id), PG_UTF8));
		entry->producer_id = transaction.producer_id;
		entry->transaction_state = ks_wire_string(state_names[transaction.state]);
		n++;
	}
	listing->answer->transaction_states.count = n;
}

static void
find_unknown_states(KsKafkaRequest *request, const KwListTransactionsRequest *wanted, KwListTransactionsResponse *answer)
{
	int n = 0;
	int i;
	size_t j;

	KS_KAFKA_VALUES(request, answer->unknown_state_filters, wanted->state_filters.count);
	for (i = 0; i < wanted->state_filters.count; i++)
	{
		for (j = 0; j < lengthof(state_names) && !ks_wire_string_is(wanted->state_filters.items[i], state_names[j]); j++)
			;
		if (j == lengthof(state_names))
			answer->unknown_state_filters.items[n++] = wanted->state_filters.items[i];
	}
	answer->unknown_state_filters.count = n;
}

bool
ks_kafka_handle_list_transactions(KsKafkaRequest *request, void *response)
{
	KwListTransactionsResponse *answer = response;
	Listing listing = {request->body, answer};

	find_unknown_states(request, request->body, answer);
	answer->error_code = ks_kafka_transaction(request, list_transactions, &listing, NULL);
	if (answer->error_code == KS_KAFKA_INVALID_REQUEST)
		answer->error_code = KS_KAFKA_INVALID_REGULAR_EXPRESSION;
	if (answer->error_code != KS_KAFKA_NONE)
		answer->transaction_states.count = 0;
	return true;
}

/* ---------- DescribeTransactions ---------- */

typedef struct Describing
{
	KwString id;
	KwDescribeTransactionsResponseTransactionState *entry;
} Describing;

/* The partitions of an open transaction, by topic. */
static void
describe_partitions(KsKafkaRequest *request, const KsTransaction *transaction, KwDescribeTransactionsResponseTransactionState *entry)
{
	KsStaged staged;
	KwDescribeTransactionsResponseTopicData *data = NULL;
	int topics = 0;
	int i;

	ks_staging_collect(transaction, &staged);
	KS_KAFKA_STRUCTS(request, entry->topics, DescribeTransactionsResponseTopicData, staged.batch_count);
	for (i = 0; i < staged.batch_count; i++)
	{
		const KsStagedBatch *batch = &staged.batches[i];
		bool new_topic = i == 0 || batch->topic_id != staged.batches[i - 1].topic_id;
		KsTopic topic;

		CHECK_FOR_INTERRUPTS();
		if (!new_topic && (data == NULL || batch->partition == staged.batches[i - 1].partition))
			continue;
		if (new_topic)
		{
			data = ks_topic_find_by_id(batch->topic_id, &topic) ? &entry->topics.items[topics++] : NULL;
			if (data == NULL)
				continue;
			data->topic = ks_kafka_topic_name(request, &topic);
			KS_KAFKA_VALUES(request, data->partitions, topic.partitions);
			data->partitions.count = 0;
		}
		data->partitions.items[data->partitions.count++] = batch->partition;
	}
	entry->topics.count = topics;
	ks_staging_release(&staged);
}

static void
describe_one(KsKafkaRequest *request, void *arg)
{
	Describing *describing = arg;
	KwDescribeTransactionsResponseTransactionState *entry = describing->entry;
	char *name = ks_kafka_transactional_id(describing->id);
	KsTransaction transaction;

	if (name == NULL || !ks_staging_read(name, &transaction))
	{
		entry->error_code = KS_KAFKA_TRANSACTIONAL_ID_NOT_FOUND;
		return;
	}
	if (!ks_group_may_use(transaction.owner))
	{
		entry->error_code = KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
		return;
	}
	entry->transaction_state = ks_wire_string(state_names[transaction.state]);
	entry->transaction_timeout_ms = transaction.timeout;
	entry->transaction_start_time_ms = -1;
	entry->producer_id = transaction.producer_id;
	entry->producer_epoch = transaction.epoch;
	if (transaction.state != KS_TRANSACTION_ONGOING)
		return;
	entry->transaction_start_time_ms = ks_ms_from_timestamptz(transaction.started_at);
	describe_partitions(request, &transaction, entry);
}

bool
ks_kafka_handle_describe_transactions(KsKafkaRequest *request, void *response)
{
	const KwDescribeTransactionsRequest *wanted = request->body;
	KwDescribeTransactionsResponse *answer = response;
	int i;

	KS_KAFKA_STRUCTS(request, answer->transaction_states, DescribeTransactionsResponseTransactionState, wanted->transactional_ids.count);
	for (i = 0; i < wanted->transactional_ids.count; i++)
	{
		Describing describing = {wanted->transactional_ids.items[i], &answer->transaction_states.items[i]};
		int16 error;

		describing.entry->transactional_id = describing.id;
		error = ks_kafka_transaction(request, describe_one, &describing, NULL);
		if (error != KS_KAFKA_NONE)
			describing.entry->error_code = error;
	}
	return true;
}
