/*-------------------------------------------------------------------------
 * kafka_groups.c
 *	  JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
 *
 * A session decodes and checks, and asks the listener, whose state machine answers
 * (classic_group.c).  The wait for an answer, which may last as long as a rebalance,
 * is outside of a transaction.
 *
 * src/kafka/kafka_groups.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/errors.h"
#include "kafka/kafka_group_call.h"
#include "kafka/kafka_groups.h"

/* What is kept of a client's id, bytes. */
#define CLIENT_ID_MAX 128

/* What a JoinGroup may say, beside what its message may have in all. */
#define PROTOCOLS_MAX 100
#define PROTOCOL_NAME_MAX 255

/* Members that one request names: the listener looks for each among the group's. */
#define NAMED_MEMBERS_MAX 10000

static const KwString empty = {"", 0};

/* A text that the answer must have. */
static KwString
or_empty(KwString text)
{
	return text.len >= 0 ? text : empty;
}

/* A text that answers have as null from a version on. */
static KwString
or_null(KsKafkaRequest *request, KwString text, int16 from)
{
	return request->header.version >= from ? text : or_empty(text);
}

/* The group of a member's call: one that is not there has no members. */
static int16
open_members_group(KsKafkaRequest *request, KwString name, KsGroupKey *key)
{
	int16 error = ks_kafka_group_open(request, name, false, key);

	return error == KS_E_GROUP_ID_NOT_FOUND ? KS_E_UNKNOWN_MEMBER_ID : error;
}

static bool
are_ids(KwString member, KwString instance)
{
	return member.len <= KS_KAFKA_MEMBER_ID_MAX && instance.len <= KS_KAFKA_INSTANCE_MAX;
}

/* ---------- JoinGroup ---------- */

/* Where a client comes from, without its port, as Kafka shows it. */
static KwString
host_of(KsKafkaRequest *request)
{
	char *host = psprintf("/%s", request->connection->slot->address);
	char *colon = strrchr(host, ':');

	if (colon != NULL)
		*colon = '\0';
	return ks_wire_string(host);
}

static KwString
client_of(KsKafkaRequest *request)
{
	KwString client = request->header.client_id;

	if (client.len > CLIENT_ID_MAX)
		client.len = pg_encoding_mbcliplen(PG_UTF8, client.data, client.len, CLIENT_ID_MAX);
	return client;
}

static bool
is_join(const KwJoinGroupRequest *wanted)
{
	int32 i;

	if (!are_ids(wanted->member_id, wanted->group_instance_id) || wanted->protocols.count > PROTOCOLS_MAX ||
		wanted->protocol_type.len > PROTOCOL_NAME_MAX || !ks_kafka_is_text(wanted->protocol_type))
		return false;
	for (i = 0; i < wanted->protocols.count; i++)
	{
		if (wanted->protocols.items[i].name.len > PROTOCOL_NAME_MAX)
			return false;
	}
	return true;
}

static void
make_join(KsKafkaRequest *request, const KsGroupKey *key, KsGroupMessage *call)
{
	const KwJoinGroupRequest *wanted = request->body;
	int16 version = request->header.version;
	int32 i;

	ks_group_message_init(call, KS_GROUP_JOIN, key);
	call->session_timeout = wanted->session_timeout_ms;
	call->rebalance_timeout = wanted->rebalance_timeout_ms >= 0 ? wanted->rebalance_timeout_ms : wanted->session_timeout_ms;
	call->flags = (version >= 4 ? KS_GROUP_NEEDS_ID : 0) | (version >= 9 ? KS_GROUP_SKIPS_ASSIGNMENT : 0);
	call->text[KS_GROUP_MEMBER] = wanted->member_id;
	call->text[KS_GROUP_INSTANCE] = wanted->group_instance_id;
	call->text[KS_GROUP_CLIENT] = client_of(request);
	call->text[KS_GROUP_HOST] = host_of(request);
	call->text[KS_GROUP_TYPE] = wanted->protocol_type;
	call->item_count = Max(wanted->protocols.count, 0);
	call->items = ks_group_items(call->item_count);
	for (i = 0; i < call->item_count; i++)
	{
		call->items[i].text[KS_GROUP_PROTOCOL] = wanted->protocols.items[i].name;
		call->items[i].text[KS_GROUP_ASSIGNMENT] = wanted->protocols.items[i].metadata;
	}
}

static int16
join_group(KsKafkaRequest *request, KsGroupMessage *answer)
{
	const KwJoinGroupRequest *wanted = request->body;
	KsGroupMessage call;
	KsGroupKey key;
	int16 error;

	if (!is_join(wanted))
		return KS_KAFKA_INVALID_REQUEST;
	error = ks_kafka_group_open(request, wanted->group_id, true, &key);
	if (error != KS_KAFKA_NONE)
		return error;
	make_join(request, &key, &call);
	error = ks_kafka_group_call(request, &call, answer);
	return error != KS_KAFKA_NONE ? error : (int16) answer->error;
}

bool
ks_kafka_handle_join_group(KsKafkaRequest *request, void *response)
{
	const KwJoinGroupRequest *wanted = request->body;
	KwJoinGroupResponse *answered = response;
	KsGroupMessage answer = {.generation = -1, .text[KS_GROUP_MEMBER] = wanted->member_id};
	KwString none = {NULL, KW_NULL};
	int32 i;

	answer.text[KS_GROUP_TYPE] = answer.text[KS_GROUP_PROTOCOL] = answer.text[KS_GROUP_LEADER] = none;
	answered->error_code = join_group(request, &answer);
	if (request->gone)
		return false;
	answered->generation_id = answered->error_code == KS_KAFKA_NONE ? answer.generation : -1;
	answered->protocol_type = answer.text[KS_GROUP_TYPE];
	answered->protocol_name = or_null(request, answer.text[KS_GROUP_PROTOCOL], 7);
	answered->leader = or_empty(answer.text[KS_GROUP_LEADER]);
	answered->skip_assignment = (answer.flags & KS_GROUP_SKIPS_ASSIGNMENT) != 0;
	answered->member_id = or_empty(answer.text[KS_GROUP_MEMBER]);
	KS_KAFKA_STRUCTS(request, answered->members, JoinGroupResponseResponseMember, answer.item_count);
	for (i = 0; i < answer.item_count; i++)
	{
		answered->members.items[i].member_id = answer.items[i].text[KS_GROUP_MEMBER];
		answered->members.items[i].group_instance_id = answer.items[i].text[KS_GROUP_INSTANCE];
		answered->members.items[i].metadata = or_empty(answer.items[i].text[KS_GROUP_PROTOCOL]);
	}
	return true;
}

/* ---------- SyncGroup ---------- */

static int16
sync_group(KsKafkaRequest *request, KsGroupMessage *answer)
{
	const KwSyncGroupRequest *wanted = request->body;
	KsGroupMessage call;
	KsGroupKey key;
	int16 error = open_members_group(request, wanted->group_id, &key);
	int32 i;

	if (error == KS_KAFKA_NONE && wanted->assignments.count > NAMED_MEMBERS_MAX)
		error = KS_KAFKA_INVALID_REQUEST;
	if (error != KS_KAFKA_NONE)
		return error;
	ks_group_message_init(&call, KS_GROUP_SYNC, &key);
	call.generation = wanted->generation_id;
	call.text[KS_GROUP_MEMBER] = wanted->member_id;
	call.text[KS_GROUP_INSTANCE] = wanted->group_instance_id;
	call.text[KS_GROUP_TYPE] = wanted->protocol_type;
	call.text[KS_GROUP_PROTOCOL] = wanted->protocol_name;
	call.item_count = Max(wanted->assignments.count, 0);
	call.items = ks_group_items(call.item_count);
	for (i = 0; i < call.item_count; i++)
	{
		call.items[i].text[KS_GROUP_MEMBER] = wanted->assignments.items[i].member_id;
		call.items[i].text[KS_GROUP_ASSIGNMENT] = wanted->assignments.items[i].assignment;
	}
	error = ks_kafka_group_call(request, &call, answer);
	return error != KS_KAFKA_NONE ? error : (int16) answer->error;
}

bool
ks_kafka_handle_sync_group(KsKafkaRequest *request, void *response)
{
	KwSyncGroupResponse *answered = response;
	KsGroupMessage answer = {.item_count = 0};

	answer.text[KS_GROUP_TYPE].len = answer.text[KS_GROUP_PROTOCOL].len = answer.text[KS_GROUP_ASSIGNMENT].len = KW_NULL;
	answered->error_code = sync_group(request, &answer);
	if (request->gone)
		return false;
	answered->protocol_type = answer.text[KS_GROUP_TYPE];
	answered->protocol_name = answer.text[KS_GROUP_PROTOCOL];
	answered->assignment = or_empty(answer.text[KS_GROUP_ASSIGNMENT]);
	return true;
}

/* ---------- Heartbeat, LeaveGroup ---------- */

bool
ks_kafka_handle_heartbeat(KsKafkaRequest *request, void *response)
{
	const KwHeartbeatRequest *wanted = request->body;
	KwHeartbeatResponse *answered = response;
	KsGroupMessage call;
	KsGroupMessage answer;
	KsGroupKey key;

	answered->error_code = open_members_group(request, wanted->group_id, &key);
	if (answered->error_code != KS_KAFKA_NONE)
		return true;
	ks_group_message_init(&call, KS_GROUP_HEARTBEAT, &key);
	call.generation = wanted->generation_id;
	call.text[KS_GROUP_MEMBER] = wanted->member_id;
	call.text[KS_GROUP_INSTANCE] = wanted->group_instance_id;
	answered->error_code = ks_kafka_group_call(request, &call, &answer);
	if (answered->error_code == KS_KAFKA_NONE)
		answered->error_code = (int16) answer.error;
	return !request->gone;
}

/* Before version 3 one member leaves, by its id alone. */
static void
make_leave(KsKafkaRequest *request, const KsGroupKey *key, KsGroupMessage *call)
{
	const KwLeaveGroupRequest *wanted = request->body;
	bool is_old = request->header.version < 3;
	int32 i;

	ks_group_message_init(call, KS_GROUP_LEAVE, key);
	call->item_count = is_old ? 1 : Max(wanted->members.count, 0);
	call->items = ks_group_items(call->item_count);
	if (is_old)
		call->items[0].text[KS_GROUP_MEMBER] = wanted->member_id;
	for (i = 0; !is_old && i < call->item_count; i++)
	{
		call->items[i].text[KS_GROUP_MEMBER] = wanted->members.items[i].member_id;
		call->items[i].text[KS_GROUP_INSTANCE] = wanted->members.items[i].group_instance_id;
	}
}

bool
ks_kafka_handle_leave_group(KsKafkaRequest *request, void *response)
{
	const KwLeaveGroupRequest *wanted = request->body;
	KwLeaveGroupResponse *answered = response;
	KsGroupMessage call;
	KsGroupMessage answer;
	KsGroupKey key;
	int32 i;

	answered->error_code = open_members_group(request, wanted->group_id, &key);
	if (answered->error_code == KS_KAFKA_NONE && wanted->members.count > NAMED_MEMBERS_MAX)
		answered->error_code = KS_KAFKA_INVALID_REQUEST;
	if (answered->error_code != KS_KAFKA_NONE)
		return true;
	make_leave(request, &key, &call);
	answered->error_code = ks_kafka_group_call(request, &call, &answer);
	if (request->gone || answered->error_code != KS_KAFKA_NONE)
		return !request->gone;
	if (request->header.version < 3)
	{
		answered->error_code = answer.item_count == 1 ? (int16) answer.items[0].number : KS_KAFKA_UNKNOWN_SERVER_ERROR;
		return true;
	}
	KS_KAFKA_STRUCTS(request, answered->members, LeaveGroupResponseMemberResponse, answer.item_count);
	for (i = 0; i < answer.item_count; i++)
	{
		answered->members.items[i].member_id = or_empty(answer.items[i].text[KS_GROUP_MEMBER]);
		answered->members.items[i].group_instance_id = answer.items[i].text[KS_GROUP_INSTANCE];
		answered->members.items[i].error_code = (int16) answer.items[i].number;
	}
	return true;
}
