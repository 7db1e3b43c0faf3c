/*-------------------------------------------------------------------------
 * kafka_request.c
 *	  The table of APIs, and what requests share: transactions and errors.
 *
 * An error inside a request's transaction becomes a number in its answer, and the
 * session goes on.  It is logged only if it is the server's fault: what a client does
 * wrong it is told, and a client that repeats it must not fill the log.  What was only
 * tried (validate_only) ends with an error of no fault's SQLSTATE.
 *
 * src/kafka/kafka_request.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_bswap.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "kafka/kafka_api_versions.h"
#include "kafka/kafka_configs.h"
#include "kafka/kafka_describe.h"
#include "kafka/kafka_fetch.h"
#include "kafka/kafka_group_admin.h"
#include "kafka/kafka_group_offsets.h"
#include "kafka/kafka_groups.h"
#include "kafka/kafka_metadata.h"
#include "kafka/kafka_offsets.h"
#include "kafka/kafka_produce.h"
#include "kafka/kafka_log.h"
#include "kafka/kafka_request.h"
#include "kafka/kafka_topics.h"
#include "kafka/kafka_transactions.h"
#include "kafka/kafka_txn_list.h"
#include "kafka/kafka_txn_offsets.h"
#include "state/wait.h"

/* The longest message of an error that a client is told, bytes. */
#define MESSAGE_MAX 1000

/* A request and its answer take no more memory than this; the longest frame has 100 MB. */
#define MEMORY_MAX ((Size) 512 * 1024 * 1024)

/* Never called: Produce is served together with the requests behind it. */
static bool
serve_nothing(KsKafkaRequest *request, void *response)
{
	return false;
}

static const struct
{
	int16 key;
	KsKafkaHandler handler;
} handlers[] = {
	{0, serve_nothing}, /* ks_kafka_serve_produce() */
	{1, ks_kafka_handle_fetch},
	{2, ks_kafka_handle_list_offsets},
	{3, ks_kafka_handle_metadata},
	{8, ks_kafka_handle_offset_commit},
	{9, ks_kafka_handle_offset_fetch},
	{10, ks_kafka_handle_find_coordinator},
	{11, ks_kafka_handle_join_group},
	{12, ks_kafka_handle_heartbeat},
	{13, ks_kafka_handle_leave_group},
	{14, ks_kafka_handle_sync_group},
	{15, ks_kafka_handle_describe_groups},
	{16, ks_kafka_handle_list_groups},
	{18, ks_kafka_handle_api_versions},
	{19, ks_kafka_handle_create_topics},
	{20, ks_kafka_handle_delete_topics},
	{21, ks_kafka_handle_delete_records},
	{22, ks_kafka_handle_init_producer_id},
	{23, ks_kafka_handle_offset_for_leader_epoch},
	{24, ks_kafka_handle_add_partitions_to_txn},
	{25, ks_kafka_handle_add_offsets_to_txn},
	{26, ks_kafka_handle_end_txn},
	{28, ks_kafka_handle_txn_offset_commit},
	{29, ks_kafka_handle_describe_acls},
	{32, ks_kafka_handle_describe_configs},
	{33, ks_kafka_handle_alter_configs},
	{35, ks_kafka_handle_describe_log_dirs},
	{37, ks_kafka_handle_create_partitions},
	{42, ks_kafka_handle_delete_groups},
	{43, ks_kafka_handle_elect_leaders},
	{44, ks_kafka_handle_incremental_alter_configs},
	{46, ks_kafka_handle_list_reassignments},
	{47, ks_kafka_handle_offset_delete},
	{60, ks_kafka_handle_describe_cluster},
	{61, ks_kafka_handle_describe_producers},
	{65, ks_kafka_handle_describe_transactions},
	{66, ks_kafka_handle_list_transactions},
	{74, ks_kafka_handle_list_config_resources},
	{75, ks_kafka_handle_describe_topic_partitions},
};

KsKafkaHandler
ks_kafka_handler(int16 key)
{
	size_t i;

	for (i = 0; i < lengthof(handlers); i++)
	{
		if (handlers[i].key == key)
			return handlers[i].handler;
	}
	return NULL;
}

/* What a standby answers to a request that writes: the number by which its client looks for another server. */
static int16
standby_error(int16 api)
{
	switch (api)
	{
		case 19: /* CreateTopics */
		case 20: /* DeleteTopics */
		case 33: /* AlterConfigs */
		case 37: /* CreatePartitions */
		case 44: /* IncrementalAlterConfigs */
			return KS_KAFKA_NOT_CONTROLLER;
		default:
			return KS_KAFKA_NOT_LEADER_OR_FOLLOWER;
	}
}

/* Is it a request about a group, which its coordinator serves? */
static bool
is_groups(int16 api)
{
	return api == 8 || api == 9 || (api >= 11 && api <= 16) || api == 42 || api == 47;
}

/* An error about a group: what may go better at another time is told by the numbers at which all clients try again. */
static int16
group_error_number(const ErrorData *error, int16 api)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return KS_E_GROUP_AUTHORIZATION_FAILED;
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
			return RecoveryInProgress() ? KS_KAFKA_NOT_COORDINATOR : KS_E_GROUP_AUTHORIZATION_FAILED;
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
			return KS_KAFKA_GROUP_MAX_SIZE_REACHED;
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_OBJECT_IN_USE:
			return api == 9 ? KS_KAFKA_COORDINATOR_LOAD_IN_PROGRESS : KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
		default:
			break;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_TRANSACTION_ROLLBACK:
			return api == 9 ? KS_KAFKA_COORDINATOR_LOAD_IN_PROGRESS : KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
		default:
			return KS_KAFKA_UNKNOWN_SERVER_ERROR;
	}
}

/* Kafka's number of an error in a request of an API: of our own ones, and where PostgreSQL has its own code. */
static int16
error_number(const ErrorData *error, int16 api)
{
	int code = ks_error_code(error);

	if (code >= 0)
		return (int16) code;
	if (is_groups(api))
		return group_error_number(error, api);
	switch (error->sqlerrcode)
	{
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return KS_E_TOPIC_AUTHORIZATION_FAILED;
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
			return RecoveryInProgress() ? standby_error(api) : KS_E_TOPIC_AUTHORIZATION_FAILED;
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_UNDEFINED_TABLE: /* the topic was dropped meanwhile */
			return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
		case ERRCODE_DUPLICATE_OBJECT:
			return KS_E_TOPIC_ALREADY_EXISTS;
		case ERRCODE_INVALID_NAME:
			return KS_KAFKA_INVALID_TOPIC_EXCEPTION;
		case ERRCODE_INVALID_PARAMETER_VALUE:
			return KS_KAFKA_INVALID_REQUEST;
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return KS_E_MESSAGE_TOO_LARGE;
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
			return KS_KAFKA_REQUEST_TIMED_OUT;
		default:
			break;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return KS_KAFKA_KAFKA_STORAGE_ERROR;
		default:
			return KS_KAFKA_UNKNOWN_SERVER_ERROR;
	}
}

bool
ks_kafka_respond(KsKafkaRequest *request, const void *response, int16 version)
{
	const KwApi *api = request->api;
	bool flexible = version >= api->flexible;
	StringInfoData out;
	int32 number;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, 8);
	if (flexible && api->key != KS_KAFKA_API_VERSIONS)
		appendStringInfoChar(&out, 0);
	ks_wire_encode(api->response, version, flexible, response, &out);
	number = pg_hton32(out.len - 4);
	memcpy(out.data, &number, 4);
	number = pg_hton32(request->header.correlation_id);
	memcpy(out.data + 4, &number, 4);
	return ks_kafka_write(request->connection, out.data, out.len);
}

/* Begin as a session of PostgreSQL would begin a statement. */
static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	/* Whatever the role's settings say: requests are short, and look at the present. */
	XactIsoLevel = XACT_READ_COMMITTED;
	PushActiveSnapshot(GetTransactionSnapshot());
}

/*
 * A message for the client, with the detail but not Kafka's name in front of it, which
 * the number says.  It may quote names as long as the client made them, and a string
 * has its limit.
 */
static char *
message_of(const ErrorData *error)
{
	const char *detail = error->detail;
	const char *joint = ". ";
	char *text;

	if (detail != NULL && ks_error_code(error) >= 0)
	{
		joint = ": ";
		detail = strchr(detail, ':');
		if (detail != NULL)
			detail += strlen(joint);
	}
	text = detail != NULL ? psprintf("%s%s%s", error->message, joint, detail) : pstrdup(error->message);
	/* It may end amid a character, which then is counted beyond the end. */
	text[Min((size_t) pg_mbcliplen(text, strlen(text), MESSAGE_MAX), strlen(text))] = '\0';
	return text;
}

bool
ks_kafka_has_extension(void)
{
	MemoryContext old = CurrentMemoryContext;
	bool found;

	StartTransactionCommand();
	found = ks_catalog_exists();
	CommitTransactionCommand();
	MemoryContextSwitchTo(old);
	return found;
}

int16
ks_kafka_transaction(KsKafkaRequest *request, KsKafkaWork work, void *arg, char **message)
{
	MemoryContext old = CurrentMemoryContext;
	volatile int16 number = KS_KAFKA_NONE;
	volatile bool suspect = false;

	PG_TRY();
	{
		begin();
		work(request, arg);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(request->context);
		error = CopyErrorData();
		number = error_number(error, request->header.key);
		if ((number == KS_KAFKA_UNKNOWN_SERVER_ERROR || number == KS_KAFKA_KAFKA_STORAGE_ERROR) &&
			error->sqlerrcode != ERRCODE_SUCCESSFUL_COMPLETION && ks_kafka_may_log())
			EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		ks_wait_end();
		if (message != NULL)
			*message = message_of(error);
		suspect = error->sqlerrcode == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		if (request->connection->slot != NULL)
			request->connection->slot->errors++;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	/*
	 * A session that was terminated while its commit waited for a standby answers
	 * nothing: it ends here.  A cancel has nothing to cancel any more.
	 */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	/* The next connection is told so in words. */
	if (suspect && !ks_kafka_has_extension())
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"kstream\" does not exist any more in the database of Kafka clients")));
	return number;
}

/* A standby cannot make a topic of a table. */
static bool
find_or_bind(const char *name, KsTopic *topic)
{
	return RecoveryInProgress() ? ks_topic_find(name, topic) : ks_topic_find_or_bind(name, topic);
}

int16
ks_kafka_topic_find(KwString name, const KwUuid *id, AclMode any, KsTopic *topic)
{
	static const KwUuid no_id;
	bool found;

	if (name.len > 0)
	{
		char *copy = ks_wire_cstring(name);

		found = name.len <= KS_TOPIC_NAME_MAX && (int32) strlen(copy) == name.len && find_or_bind(copy, topic);
		pfree(copy);
		if (!found)
			return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	}
	else
	{
		if (memcmp(id, &no_id, sizeof(no_id)) == 0 || !ks_topic_find_by_uuid_cached((const pg_uuid_t *) id, topic))
			return KS_KAFKA_UNKNOWN_TOPIC_ID;
	}
	return ks_topic_has_right(topic, any) ? KS_KAFKA_NONE : KS_E_TOPIC_AUTHORIZATION_FAILED;
}

void *
ks_kafka_new_array_in(MemoryContext context, const KwStruct *def, int32 count)
{
	MemoryContext old;
	void *items;

	if (MemoryContextMemAllocated(context, true) + Max(count, 0) * def->size > MEMORY_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a Kafka client's request wants too long an answer")));
	old = MemoryContextSwitchTo(context);
	items = ks_wire_new_array(def, count);
	MemoryContextSwitchTo(old);
	return items;
}

void *
ks_kafka_new_array(KsKafkaRequest *request, const KwStruct *def, int32 count)
{
	return ks_kafka_new_array_in(request->context, def, count);
}

KwString
ks_kafka_topic_name(KsKafkaRequest *request, const KsTopic *topic)
{
	return ks_wire_string(MemoryContextStrdup(request->context, topic->name));
}

KwUuid
ks_kafka_topic_uuid(const KsTopic *topic)
{
	KwUuid uuid;

	memcpy(uuid.bytes, topic->uuid.data, sizeof(uuid.bytes));
	return uuid;
}
