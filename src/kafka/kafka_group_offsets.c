/*-------------------------------------------------------------------------
 * kafka_group_offsets.c
 *	  OffsetCommit, OffsetFetch, OffsetDelete.
 *
 * A commit is asked of the listener first: it knows whether the member is one, and the
 * stamp of its generation.  Then the rows are written, each guarded by that stamp.  What
 * happens between the two, another generation that begins, a listener that ends, the
 * guard judges: once a member of a later generation has committed in a partition,
 * ILLEGAL_GENERATION; before that, what the older one commits are records that it has
 * processed.  Who is no member commits while the group has none.
 *
 * Partitions that fail (they are not there, not to be read, another transaction is at
 * them) do not keep the others from being committed.
 *
 * OffsetFetch writes nothing, and works on a standby.
 *
 * Strings that clients commit beside offsets come back as they were.  They are kept as
 * text, so they must be text in the database's encoding.
 *
 * src/kafka/kafka_group_offsets.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"

#include "base/errors.h"
#include "group/group_row.h"
#include "kafka/kafka_commit.h"
#include "kafka/kafka_group_call.h"
#include "kafka/kafka_group_offsets.h"
#include "offset/offset_row.h"

static const KwUuid no_id;

/* ---------- OffsetCommit ---------- */

typedef struct Committing
{
	const KwOffsetCommitRequest *wanted;
	KwOffsetCommitResponse *answered;
	KsGroupKey key;
	int64 stamp;
	int count; /* partitions that were committed */
} Committing;

static void
set_all(KwOffsetCommitResponse *answered, int16 error)
{
	int i;
	int j;

	for (i = 0; i < answered->topics.count; i++)
	{
		for (j = 0; j < answered->topics.items[i].partitions.count; j++)
			answered->topics.items[i].partitions.items[j].error_code = error;
	}
}

/* The same topics and partitions as in the request. */
static void
make_answer(KsKafkaRequest *request, KwOffsetCommitResponse *answered)
{
	const KwOffsetCommitRequest *wanted = request->body;
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answered->topics, OffsetCommitResponseResponseTopic, Max(wanted->topics.count, 0));
	for (i = 0; i < answered->topics.count; i++)
	{
		const KwOffsetCommitRequestRequestTopic *topic = &wanted->topics.items[i];
		KwOffsetCommitResponseResponseTopic *entry = &answered->topics.items[i];

		entry->name = topic->name;
		entry->topic_id = topic->topic_id;
		KS_KAFKA_STRUCTS(request, entry->partitions, OffsetCommitResponseResponsePartition, Max(topic->partitions.count, 0));
		for (j = 0; j < entry->partitions.count; j++)
			entry->partitions.items[j].partition_index = topic->partitions.items[j].partition_index;
	}
}

static int16
commit_partition(const Committing *committing, const KsTopic *topic, const KwOffsetCommitRequestRequestPartition *wanted)
{
	KsCommit commit = {wanted->committed_offset, wanted->committed_leader_epoch, NULL};
	KsOffsetSetResult result;

	if (wanted->partition_index < 0 || wanted->partition_index >= topic->partitions)
		return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	if (wanted->committed_metadata.len > KS_KAFKA_OFFSET_METADATA_MAX)
		return KS_E_OFFSET_METADATA_TOO_LARGE;
	if (wanted->committed_offset < 0 || !ks_kafka_is_text(wanted->committed_metadata))
		return KS_KAFKA_INVALID_REQUEST;
	if (wanted->committed_metadata.len > 0)
		commit.metadata = ks_kafka_text(wanted->committed_metadata);
	if (committing->stamp != 0)
		result = ks_offset_commit_up_to(&committing->key, &topic->uuid, topic->topic_id, wanted->partition_index,
										committing->stamp, &commit);
	else
		result = ks_offset_commit_empty(&committing->key, &topic->uuid, topic->topic_id, wanted->partition_index, &commit);
	switch (result)
	{
		case KS_OFFSET_SET:
			break;
		case KS_OFFSET_BUSY:
			return KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
		case KS_OFFSET_NOT_EMPTY:
			return KS_E_UNKNOWN_MEMBER_ID;
		case KS_OFFSET_STALE:
			return KS_KAFKA_ILLEGAL_GENERATION;
	}
	return KS_KAFKA_NONE;
}

static void
commit_all(KsKafkaRequest *request, void *arg)
{
	Committing *committing = arg;
	int i;
	int j;

	ks_require_writable("a Kafka consumer group");
	ks_group_note_use();
	for (i = 0; i < committing->wanted->topics.count; i++)
	{
		const KwOffsetCommitRequestRequestTopic *wanted = &committing->wanted->topics.items[i];
		KwOffsetCommitResponseResponseTopic *entry = &committing->answered->topics.items[i];
		KsTopic topic;
		int16 error = ks_kafka_topic_find(wanted->name, &wanted->topic_id, ACL_SELECT, &topic);

		for (j = 0; j < wanted->partitions.count; j++)
		{
			KwOffsetCommitResponseResponsePartition *part = &entry->partitions.items[j];

			part->error_code = error != KS_KAFKA_NONE ? error : commit_partition(committing, &topic, &wanted->partitions.items[j]);
			committing->count += part->error_code == KS_KAFKA_NONE;
		}
	}
}

/* The error of the whole, if it has one. */
static int16
commit_offsets(KsKafkaRequest *request, Committing *committing)
{
	const KwOffsetCommitRequest *wanted = request->body;
	bool is_nobody = wanted->generation_id_or_member_epoch < 0 && wanted->member_id.len <= 0;
	int16 error = ks_kafka_group_open(request, wanted->group_id, is_nobody, &committing->key);

	if (error == KS_E_GROUP_ID_NOT_FOUND)
		return KS_E_UNKNOWN_MEMBER_ID;
	if (error == KS_KAFKA_NONE)
		error = ks_kafka_group_may_commit(request, &committing->key, wanted->generation_id_or_member_epoch, wanted->member_id,
										  wanted->group_instance_id, &committing->stamp);
	if (error != KS_KAFKA_NONE)
		return error;
	ks_kafka_watch_client(request->connection->socket);
	error = ks_kafka_transaction(request, commit_all, committing, NULL);
	ks_kafka_watch_end();
	/* What was committed stands, but its client is to commit it again until the standbys have it. */
	if (error == KS_KAFKA_NONE && committing->count > 0 && !ks_kafka_commit_is_replicated())
		return KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
	return error;
}

bool
ks_kafka_handle_offset_commit(KsKafkaRequest *request, void *response)
{
	Committing committing = {.wanted = request->body, .answered = response};
	int16 error;

	make_answer(request, response);
	error = commit_offsets(request, &committing);
	if (error != KS_KAFKA_NONE)
		set_all(response, error);
	return !request->gone;
}

/* ---------- OffsetFetch ---------- */

/* Of one group, as versions from 8 on ask and are answered; older ones are put into this form. */
typedef struct Fetching
{
	const KwOffsetFetchRequestRequestGroup *wanted;
	KwOffsetFetchResponseResponseGroup *answered;
} Fetching;

static void
fill_partition(KwOffsetFetchResponseResponsePartitions *entry, int32 partition, const KsCommit *commit)
{
	entry->partition_index = partition;
	entry->committed_offset = commit->offset;
	entry->committed_leader_epoch = commit->leader_epoch;
	entry->metadata = ks_wire_string(commit->metadata != NULL ? commit->metadata : "");
}

/* Are only stable offsets wanted, and is this one not? */
static bool
is_unstable(const KsKafkaRequest *request, const KsGroupKey *key, const KsTopic *topic, int32 partition)
{
	const KwOffsetFetchRequest *wanted = request->body;

	return wanted->require_stable && !ks_offset_is_stable(key, &topic->uuid, topic->topic_id, partition);
}

static void
tell_unstable(KwOffsetFetchResponseResponsePartitions *entry, int32 partition)
{
	KsCommit none = {KS_NO_OFFSET, -1, NULL};

	fill_partition(entry, partition, &none);
	entry->error_code = KS_KAFKA_UNSTABLE_OFFSET_COMMIT;
}

static void
fetch_topic(KsKafkaRequest *request, const KsGroupKey *key, bool exists, const KwOffsetFetchRequestRequestTopics *wanted,
			KwOffsetFetchResponseResponseTopics *entry)
{
	MemoryContext old = MemoryContextSwitchTo(request->context);
	KsTopic topic;
	int16 error = ks_kafka_topic_find(wanted->name, &wanted->topic_id, ACL_SELECT, &topic);
	int i;

	entry->name = wanted->name;
	entry->topic_id = wanted->topic_id;
	KS_KAFKA_STRUCTS(request, entry->partitions, OffsetFetchResponseResponsePartitions, Max(wanted->partition_indexes.count, 0));
	for (i = 0; i < entry->partitions.count; i++)
	{
		KsCommit commit = {KS_NO_OFFSET, -1, NULL};

		CHECK_FOR_INTERRUPTS();
		if (error == KS_KAFKA_NONE && exists && is_unstable(request, key, &topic, wanted->partition_indexes.items[i]))
		{
			tell_unstable(&entry->partitions.items[i], wanted->partition_indexes.items[i]);
			continue;
		}
		if (error == KS_KAFKA_NONE && exists)
			(void) ks_offset_find(key, topic.topic_id, wanted->partition_indexes.items[i], &commit);
		fill_partition(&entry->partitions.items[i], wanted->partition_indexes.items[i], &commit);
		/* By a name that is none there is nothing committed; that is no error to Kafka. */
		if (error != KS_E_UNKNOWN_TOPIC_OR_PARTITION)
			entry->partitions.items[i].error_code = error;
	}
	MemoryContextSwitchTo(old);
}

/* The rows of one topic, which come one behind another. */
static int
count_topic(const List *rows, int first)
{
	int n = first;

	while (n < list_length(rows) &&
		   ((KsCommitRow *) list_nth(rows, n))->topic_id == ((KsCommitRow *) list_nth(rows, first))->topic_id)
		n++;
	return n - first;
}

/* All that is committed, in topics that the client may read. */
static void
fetch_everything(KsKafkaRequest *request, const KsGroupKey *key, KwOffsetFetchResponseResponseGroup *answered)
{
	MemoryContext old = MemoryContextSwitchTo(request->context);
	List *rows = ks_offset_list(key);
	int first;
	int n;
	int i;

	KS_KAFKA_STRUCTS(request, answered->topics, OffsetFetchResponseResponseTopics, list_length(rows));
	answered->topics.count = 0;
	for (first = 0; first < list_length(rows); first += n)
	{
		KwOffsetFetchResponseResponseTopics *entry = &answered->topics.items[answered->topics.count];
		KsTopic topic;

		n = count_topic(rows, first);
		if (!ks_topic_find_by_id(((KsCommitRow *) list_nth(rows, first))->topic_id, &topic) || !ks_topic_has_right(&topic, ACL_SELECT))
			continue;
		answered->topics.count++;
		entry->name = ks_kafka_topic_name(request, &topic);
		entry->topic_id = ks_kafka_topic_uuid(&topic);
		KS_KAFKA_STRUCTS(request, entry->partitions, OffsetFetchResponseResponsePartitions, n);
		for (i = 0; i < n; i++)
		{
			KsCommitRow *row = list_nth(rows, first + i);

			CHECK_FOR_INTERRUPTS();
			if (is_unstable(request, key, &topic, row->partition))
				tell_unstable(&entry->partitions.items[i], row->partition);
			else
				fill_partition(&entry->partitions.items[i], row->partition, &row->commit);
		}
	}
	MemoryContextSwitchTo(old);
}

static void
fetch_group(KsKafkaRequest *request, void *arg)
{
	Fetching *fetching = arg;
	KwOffsetFetchResponseResponseGroup *answered = fetching->answered;
	bool exists;
	KsGroupKey key;
	int i;

	exists = ks_kafka_group_open_existing(fetching->wanted->group_id, &key);
	if (fetching->wanted->topics.count < 0)
	{
		if (exists)
			fetch_everything(request, &key, answered);
		return;
	}
	KS_KAFKA_STRUCTS(request, answered->topics, OffsetFetchResponseResponseTopics, fetching->wanted->topics.count);
	for (i = 0; i < answered->topics.count; i++)
		fetch_topic(request, &key, exists, &fetching->wanted->topics.items[i], &answered->topics.items[i]);
}

static void
fetch_offsets(KsKafkaRequest *request, const KwOffsetFetchRequestRequestGroup *wanted, KwOffsetFetchResponseResponseGroup *answered)
{
	Fetching fetching = {wanted, answered};

	answered->group_id = wanted->group_id;
	if (wanted->group_id.len <= 0 || wanted->group_id.len > KS_GROUP_NAME_MAX || !ks_kafka_is_text(wanted->group_id))
		answered->error_code = KS_E_INVALID_GROUP_ID;
	else
		answered->error_code = ks_kafka_transaction(request, fetch_group, &fetching, NULL);
	if (answered->error_code != KS_KAFKA_NONE)
		answered->topics.count = 0;
}

/* The request of a version before 8, as one of a later one. */
static void
ask_as_group(KsKafkaRequest *request, KwOffsetFetchRequestRequestGroup *group)
{
	const KwOffsetFetchRequest *wanted = request->body;
	int i;

	memset(group, 0, sizeof(*group));
	group->group_id = wanted->group_id;
	group->topics.count = wanted->topics.count;
	if (wanted->topics.count < 0)
		return;
	KS_KAFKA_STRUCTS(request, group->topics, OffsetFetchRequestRequestTopics, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		group->topics.items[i].name = wanted->topics.items[i].name;
		group->topics.items[i].partition_indexes.count = wanted->topics.items[i].partition_indexes.count;
		group->topics.items[i].partition_indexes.items = wanted->topics.items[i].partition_indexes.items;
	}
}

/* Before version 2 an error of the group stands at each partition. */
static void
tell_each(KsKafkaRequest *request, const KwOffsetFetchRequestRequestGroup *wanted, int16 error, KwOffsetFetchResponse *answered)
{
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answered->topics, OffsetFetchResponseResponseTopic, Max(wanted->topics.count, 0));
	for (i = 0; i < answered->topics.count; i++)
	{
		KwOffsetFetchResponseResponseTopic *entry = &answered->topics.items[i];

		entry->name = wanted->topics.items[i].name;
		KS_KAFKA_STRUCTS(request, entry->partitions, OffsetFetchResponseResponsePartition,
						 Max(wanted->topics.items[i].partition_indexes.count, 0));
		for (j = 0; j < entry->partitions.count; j++)
		{
			entry->partitions.items[j].partition_index = wanted->topics.items[i].partition_indexes.items[j];
			entry->partitions.items[j].committed_offset = KS_NO_OFFSET;
			entry->partitions.items[j].error_code = error;
		}
	}
}

/* The answer of a later version, for an older one. */
static void
answer_as_older(KsKafkaRequest *request, const KwOffsetFetchResponseResponseGroup *group, KwOffsetFetchResponse *answered)
{
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answered->topics, OffsetFetchResponseResponseTopic, group->topics.count);
	for (i = 0; i < group->topics.count; i++)
	{
		KwOffsetFetchResponseResponseTopic *entry = &answered->topics.items[i];

		entry->name = group->topics.items[i].name;
		KS_KAFKA_STRUCTS(request, entry->partitions, OffsetFetchResponseResponsePartition, group->topics.items[i].partitions.count);
		for (j = 0; j < entry->partitions.count; j++)
		{
			const KwOffsetFetchResponseResponsePartitions *from = &group->topics.items[i].partitions.items[j];
			KwOffsetFetchResponseResponsePartition *to = &entry->partitions.items[j];

			to->partition_index = from->partition_index;
			to->committed_offset = from->committed_offset;
			to->committed_leader_epoch = from->committed_leader_epoch;
			to->metadata = from->metadata;
			to->error_code = from->error_code;
		}
	}
}

static void
fetch_as_older(KsKafkaRequest *request, KwOffsetFetchResponse *answered)
{
	KwOffsetFetchRequestRequestGroup wanted;
	KwOffsetFetchResponseResponseGroup *group = ks_wire_new(&ks_wire_OffsetFetchResponseResponseGroup);

	ask_as_group(request, &wanted);
	fetch_offsets(request, &wanted, group);
	if (group->error_code != KS_KAFKA_NONE && request->header.version < 2)
		tell_each(request, &wanted, group->error_code, answered);
	else
		answer_as_older(request, group, answered);
	answered->error_code = group->error_code;
}

bool
ks_kafka_handle_offset_fetch(KsKafkaRequest *request, void *response)
{
	const KwOffsetFetchRequest *wanted = request->body;
	KwOffsetFetchResponse *answered = response;
	int i;

	if (request->header.version < 8)
	{
		fetch_as_older(request, answered);
		return true;
	}
	KS_KAFKA_STRUCTS(request, answered->groups, OffsetFetchResponseResponseGroup, Max(wanted->groups.count, 0));
	for (i = 0; i < answered->groups.count; i++)
		fetch_offsets(request, &wanted->groups.items[i], &answered->groups.items[i]);
	return true;
}

/* ---------- OffsetDelete ---------- */

typedef struct Deleting
{
	const KwOffsetDeleteRequest *wanted;
	KwOffsetDeleteResponse *answered;
	KsGroupKey key;
	const KsGroupMessage *members; /* NULL: the group has none */
} Deleting;

/*
 * Does a member's metadata, of Kafka's consumer protocol, name a topic?  It is a
 * version and a list of names; what is no such thing names none.
 */
static bool
names_topic(KwString metadata, KwString topic)
{
	const uint8 *at = (const uint8 *) metadata.data;
	const uint8 *end = at + Max(metadata.len, 0);
	uint32 count;

	if (end - at < 6)
		return false;
	count = ((uint32) at[2] << 24) | ((uint32) at[3] << 16) | ((uint32) at[4] << 8) | at[5];
	for (at += 6; count > 0 && end - at >= 2; count--)
	{
		int len = (at[0] << 8) | at[1];

		if (end - at - 2 < len)
			return false;
		if (len == topic.len && memcmp(at + 2, topic.data, len) == 0)
			return true;
		at += 2 + len;
	}
	return false;
}

static bool
is_subscribed(const Deleting *deleting, KwString topic)
{
	int i;

	for (i = 0; deleting->members != NULL && i < deleting->members->item_count; i++)
	{
		if (names_topic(deleting->members->items[i].text[KS_GROUP_PROTOCOL], topic))
			return true;
	}
	return false;
}

static int16
delete_partition(const Deleting *deleting, const KsTopic *topic, int32 partition)
{
	if (partition < 0 || partition >= topic->partitions)
		return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	return ks_offset_remove(&deleting->key, &topic->uuid, topic->topic_id, partition) ? KS_KAFKA_NONE : KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
}

static void
delete_all(KsKafkaRequest *request, void *arg)
{
	Deleting *deleting = arg;
	int i;
	int j;

	ks_require_writable("a Kafka consumer group");
	ks_group_note_use();
	/* Members of the other kind are subscribed to all that there is. */
	if (deleting->members == NULL)
		ks_group_check_empty(&deleting->key);
	KS_KAFKA_STRUCTS(request, deleting->answered->topics, OffsetDeleteResponseResponseTopic, Max(deleting->wanted->topics.count, 0));
	for (i = 0; i < deleting->answered->topics.count; i++)
	{
		const KwOffsetDeleteRequestRequestTopic *wanted = &deleting->wanted->topics.items[i];
		KwOffsetDeleteResponseResponseTopic *entry = &deleting->answered->topics.items[i];
		KsTopic topic;
		int16 error = ks_kafka_topic_find(wanted->name, &no_id, ACL_SELECT, &topic);

		if (error == KS_KAFKA_NONE && is_subscribed(deleting, wanted->name))
			error = KS_KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
		entry->name = wanted->name;
		KS_KAFKA_STRUCTS(request, entry->partitions, OffsetDeleteResponseResponsePartition, Max(wanted->partitions.count, 0));
		for (j = 0; j < entry->partitions.count; j++)
		{
			int32 partition = wanted->partitions.items[j].partition_index;

			entry->partitions.items[j].partition_index = partition;
			entry->partitions.items[j].error_code = error != KS_KAFKA_NONE ? error : delete_partition(deleting, &topic, partition);
		}
	}
}

bool
ks_kafka_handle_offset_delete(KsKafkaRequest *request, void *response)
{
	KwOffsetDeleteResponse *answered = response;
	const KwOffsetDeleteRequest *wanted = request->body;
	Deleting deleting = {.wanted = wanted, .answered = answered};
	KsGroupMessage call;
	KsGroupMessage members;

	answered->error_code = ks_kafka_group_open(request, wanted->group_id, false, &deleting.key);
	if (answered->error_code != KS_KAFKA_NONE)
		return true;
	ks_group_message_init(&call, KS_GROUP_DESCRIBE, &deleting.key);
	answered->error_code = ks_kafka_group_call(request, &call, &members);
	if (answered->error_code != KS_KAFKA_NONE)
		return !request->gone;
	if (members.error == KS_KAFKA_NONE && !ks_wire_string_is(members.text[KS_GROUP_TYPE], "consumer"))
		answered->error_code = KS_E_NON_EMPTY_GROUP;
	else
	{
		deleting.members = members.error == KS_KAFKA_NONE ? &members : NULL;
		answered->error_code = ks_kafka_transaction(request, delete_all, &deleting, NULL);
	}
	return true;
}
