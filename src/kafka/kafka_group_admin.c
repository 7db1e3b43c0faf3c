/*-------------------------------------------------------------------------
 * kafka_group_admin.c
 *	  ListGroups, DescribeGroups, DeleteGroups.
 *
 * All groups are told of, of whichever kind: a tool lists all and describes each.
 * What is known of them comes from the views, so that a role sees what it sees in
 * SQL; the members of a classic group the listener knows.  A group that kstream shares
 * out is described as if its members were of the classic protocol, with the partitions
 * that they own.
 *
 * src/kafka/kafka_group_admin.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

#include "base/errors.h"
#include "group/classic_slot.h"
#include "group/group_row.h"
#include "kafka/kafka_group_call.h"
#include "catalog/owner.h"
#include "kafka/kafka_group_admin.h"

/* What a group may be done with, of which here all is allowed or nothing: read, delete, describe. */
#define OPERATIONS ((1 << 3) | (1 << 6) | (1 << 8))

static char *
column(KsKafkaRequest *request, uint64 row, int number)
{
	char *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number);

	return MemoryContextStrdup(request->context, value != NULL ? value : "");
}

/* ---------- ListGroups ---------- */

/* Is it in a list, or is the list empty?  Kafka's names are compared without case. */
static bool
is_wanted(const KwString *items, int32 count, const char *name)
{
	int32 i;

	for (i = 0; i < count; i++)
	{
		if (items[i].len == (int32) strlen(name) && pg_strncasecmp(items[i].data, name, items[i].len) == 0)
			return true;
	}
	return count <= 0;
}

static void
list_groups(KsKafkaRequest *request, void *arg)
{
	const KwListGroupsRequest *wanted = request->body;
	KwListGroupsResponse *answered = arg;
	KsOwnerScope scope;
	uint64 count;
	uint64 i;

	ks_caller_begin(&scope);
	count = ks_owner_execute("SELECT group_id, COALESCE(protocol_type, ''), state, COALESCE(kind, 'classic') FROM kstream.groups"
							 " ORDER BY group_id");
	KS_KAFKA_STRUCTS(request, answered->groups, ListGroupsResponseListedGroup, (int32) count);
	answered->groups.count = 0;
	for (i = 0; i < count; i++)
	{
		KwListGroupsResponseListedGroup *entry = &answered->groups.items[answered->groups.count];

		entry->group_id = ks_wire_string(column(request, i, 1));
		entry->protocol_type = ks_wire_string(column(request, i, 2));
		entry->group_state = ks_wire_string(column(request, i, 3));
		/* Of the protocol that a group of ours is described by. */
		entry->group_type = ks_wire_string("classic");
		if (is_wanted(wanted->states_filter.items, wanted->states_filter.count, entry->group_state.data) &&
			is_wanted(wanted->types_filter.items, wanted->types_filter.count, entry->group_type.data))
			answered->groups.count++;
	}
	ks_owner_end(&scope);
}

bool
ks_kafka_handle_list_groups(KsKafkaRequest *request, void *response)
{
	KwListGroupsResponse *answered = response;

	answered->error_code = ks_kafka_transaction(request, list_groups, answered, NULL);
	if (answered->error_code != KS_KAFKA_NONE)
		answered->groups.count = 0;
	return true;
}

/* ---------- DescribeGroups ---------- */

typedef struct Describing
{
	const char *group;
	KwDescribeGroupsResponseDescribedGroup *entry;
} Describing;

static void
describe_classic(KsKafkaRequest *request, const KsGroupMessage *group, KwDescribeGroupsResponseDescribedGroup *entry)
{
	static const KwString empty = {"", 0};
	int i;

	entry->group_state = ks_wire_string(ks_classic_state_name(group->state));
	entry->protocol_type = group->text[KS_GROUP_TYPE];
	if (group->state == KS_CLASSIC_STABLE)
		entry->protocol_data = group->text[KS_GROUP_PROTOCOL];
	KS_KAFKA_STRUCTS(request, entry->members, DescribeGroupsResponseDescribedGroupMember, group->item_count);
	for (i = 0; i < group->item_count; i++)
	{
		KwDescribeGroupsResponseDescribedGroupMember *member = &entry->members.items[i];
		const KwString *text = group->items[i].text;

		member->member_id = text[KS_GROUP_MEMBER];
		member->group_instance_id = text[KS_GROUP_INSTANCE];
		member->client_id = text[KS_GROUP_CLIENT].len >= 0 ? text[KS_GROUP_CLIENT] : empty;
		member->client_host = text[KS_GROUP_HOST];
		if (group->state == KS_CLASSIC_STABLE)
		{
			member->member_metadata = text[KS_GROUP_PROTOCOL].len >= 0 ? text[KS_GROUP_PROTOCOL] : empty;
			member->member_assignment = text[KS_GROUP_ASSIGNMENT].len >= 0 ? text[KS_GROUP_ASSIGNMENT] : empty;
		}
	}
}

static void
put_int16(StringInfo out, int number)
{
	uint16 value = pg_hton16((uint16) number);

	appendBinaryStringInfo(out, (const char *) &value, sizeof(value));
}

static void
put_int32(StringInfo out, int32 number)
{
	uint32 value = pg_hton32((uint32) number);

	appendBinaryStringInfo(out, (const char *) &value, sizeof(value));
}

/* A number of four bytes that was left open. */
static void
set_int32(StringInfo out, int at, int32 number)
{
	uint32 value = pg_hton32((uint32) number);

	memcpy(out->data + at, &value, sizeof(value));
}

/*
 * The partitions of one member as an assignment of Kafka's consumer protocol: a version,
 * topics with partitions, no user data.  *row: the first of its rows (member, topic,
 * partition), and the first of the next one's.
 */
static KwString
make_assignment(KsKafkaRequest *request, const char *member, uint64 rows, uint64 *row)
{
	MemoryContext old = MemoryContextSwitchTo(request->context);
	char *topic = NULL;
	int32 topics = 0;
	int32 partitions = 0;
	int count_at = 0;
	StringInfoData out;
	KwString bytes;

	initStringInfo(&out);
	put_int16(&out, 0);
	put_int32(&out, 0);
	for (; *row < rows && strcmp(column(request, *row, 1), member) == 0; (*row)++)
	{
		char *name = column(request, *row, 2);

		if (topic == NULL || strcmp(topic, name) != 0)
		{
			topic = name;
			topics++;
			put_int16(&out, strlen(name));
			appendStringInfoString(&out, name);
			count_at = out.len;
			put_int32(&out, 0);
			partitions = 0;
		}
		put_int32(&out, pg_strtoint32(column(request, *row, 3)));
		set_int32(&out, count_at, ++partitions);
	}
	set_int32(&out, 2, topics);
	put_int32(&out, -1);
	bytes.data = out.data;
	bytes.len = out.len;
	MemoryContextSwitchTo(old);
	return bytes;
}

/* The members of a group that kstream shares out.  Rows: member, topic, partition; topic null: it has none. */
static void
describe_members(KsKafkaRequest *request, const char *group, KwDescribeGroupsResponseDescribedGroup *entry)
{
	uint64 rows = ks_owner_execute("SELECT m.member, t.topic, s.partition FROM kstream.members m"
								   " LEFT JOIN kstream.group_shares() s ON s.group_id OPERATOR(pg_catalog.=) m.group_id"
								   " AND s.member OPERATOR(pg_catalog.=) m.member"
								   " LEFT JOIN kstream.topics t ON t.topic_id OPERATOR(pg_catalog.=) s.topic_id"
								   " WHERE m.group_id OPERATOR(pg_catalog.=) %s ORDER BY 1, 2, 3",
								   quote_literal_cstr(group));
	uint64 row = 0;

	KS_KAFKA_STRUCTS(request, entry->members, DescribeGroupsResponseDescribedGroupMember, (int32) rows);
	entry->members.count = 0;
	while (row < rows)
	{
		KwDescribeGroupsResponseDescribedGroupMember *member = &entry->members.items[entry->members.count++];
		char *id = column(request, row, 1);

		member->member_id = ks_wire_string(id);
		member->client_id = ks_wire_string("kstream");
		member->client_host = ks_wire_string("/sql");
		if (column(request, row, 2)[0] != '\0')
			member->member_assignment = make_assignment(request, id, rows, &row);
		else
			row++;
	}
}

static void
describe_ours(KsKafkaRequest *request, void *arg)
{
	Describing *describing = arg;
	KwDescribeGroupsResponseDescribedGroup *entry = describing->entry;
	KsOwnerScope scope;

	ks_caller_begin(&scope);
	if (ks_owner_execute("SELECT state, COALESCE(protocol_type, ''), assignor FROM kstream.groups WHERE group_id OPERATOR(pg_catalog.=) %s",
						 quote_literal_cstr(describing->group)) > 0)
	{
		entry->group_state = ks_wire_string(column(request, 0, 1));
		entry->protocol_type = ks_wire_string(column(request, 0, 2));
		if (strcmp(entry->group_state.data, "Empty") != 0)
			entry->protocol_data = ks_wire_string(column(request, 0, 3));
		describe_members(request, describing->group, entry);
	}
	ks_owner_end(&scope);
}

static void
describe_group(KsKafkaRequest *request, KwDescribeGroupsResponseDescribedGroup *entry)
{
	Describing describing = {ks_kafka_text(entry->group_id), entry};
	KsGroupMessage call;
	KsGroupMessage group;
	KsGroupKey key;

	entry->error_code = ks_kafka_group_open(request, entry->group_id, false, &key);
	if (entry->error_code == KS_E_GROUP_ID_NOT_FOUND)
	{
		entry->group_state = ks_wire_string("Dead");
		entry->error_message = ks_wire_string("there is no such group");
		/* Older versions are told by the state alone. */
		if (request->header.version < 6)
			entry->error_code = KS_KAFKA_NONE;
		return;
	}
	ks_group_message_init(&call, KS_GROUP_DESCRIBE, &key);
	if (entry->error_code == KS_KAFKA_NONE)
		entry->error_code = ks_kafka_group_call(request, &call, &group);
	if (entry->error_code != KS_KAFKA_NONE)
		return;
	if (group.error == KS_KAFKA_NONE)
		describe_classic(request, &group, entry);
	else
		entry->error_code = ks_kafka_transaction(request, describe_ours, &describing, NULL);
}

bool
ks_kafka_handle_describe_groups(KsKafkaRequest *request, void *response)
{
	const KwDescribeGroupsRequest *wanted = request->body;
	KwDescribeGroupsResponse *answered = response;
	int i;

	KS_KAFKA_STRUCTS(request, answered->groups, DescribeGroupsResponseDescribedGroup, Max(wanted->groups.count, 0));
	for (i = 0; i < answered->groups.count && !request->gone; i++)
	{
		KwDescribeGroupsResponseDescribedGroup *entry = &answered->groups.items[i];

		entry->group_id = wanted->groups.items[i];
		if (wanted->include_authorized_operations)
			entry->authorized_operations = OPERATIONS;
		describe_group(request, entry);
	}
	return !request->gone;
}

/* ---------- DeleteGroups ---------- */

static void
delete_group(KsKafkaRequest *request, void *arg)
{
	ks_require_writable("a Kafka consumer group");
	ks_group_note_use();
	ks_group_drop(arg);
}

bool
ks_kafka_handle_delete_groups(KsKafkaRequest *request, void *response)
{
	const KwDeleteGroupsRequest *wanted = request->body;
	KwDeleteGroupsResponse *answered = response;
	int i;

	KS_KAFKA_STRUCTS(request, answered->results, DeleteGroupsResponseDeletableGroupResult, Max(wanted->groups_names.count, 0));
	for (i = 0; i < answered->results.count; i++)
	{
		KwDeleteGroupsResponseDeletableGroupResult *entry = &answered->results.items[i];
		char *message = NULL;

		entry->group_id = wanted->groups_names.items[i];
		entry->error_code = KS_E_INVALID_GROUP_ID;
		if (entry->group_id.len <= KS_GROUP_NAME_MAX && ks_kafka_is_text(entry->group_id))
			entry->error_code = ks_kafka_transaction(request, delete_group, ks_kafka_text(entry->group_id), &message);
		entry->error_message = ks_wire_string(message);
	}
	return true;
}
