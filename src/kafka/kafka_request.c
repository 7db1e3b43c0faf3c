/*-------------------------------------------------------------------------
 * kafka_request.c
 *	  The table of APIs, and what requests share: transactions and errors.
 *
 * An error inside a request's transaction becomes a number in its answer, and the
 * session goes on.  It is logged only if it is the server's fault: what a client does
 * wrong it is told, and a client that repeats it must not fill the log.
 *
 * src/kafka/kafka_request.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "kafka/kafka_request.h"

static const struct
{
	int16 key;
	KkHandler handler;
} handlers[] = {
	{0, kk_handle_produce},
	{1, kk_handle_fetch},
	{2, kk_handle_list_offsets},
	{3, kk_handle_metadata},
	{10, kk_handle_find_coordinator},
	{22, kk_handle_init_producer_id},
	{18, kk_handle_api_versions},
	{60, kk_handle_describe_cluster},
	{75, kk_handle_describe_topic_partitions},
};

KkHandler
kk_handler(int16 key)
{
	size_t i;

	for (i = 0; i < lengthof(handlers); i++)
	{
		if (handlers[i].key == key)
			return handlers[i].handler;
	}
	return NULL;
}

int16
kk_error_number(const ErrorData *error)
{
	int code = ks_error_code(error);

	if (code >= 0)
		return (int16) code;
	switch (error->sqlerrcode)
	{
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return KS_E_TOPIC_AUTHORIZATION_FAILED;
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
			return RecoveryInProgress() ? KK_NOT_LEADER_OR_FOLLOWER : KS_E_TOPIC_AUTHORIZATION_FAILED;
		case ERRCODE_UNDEFINED_OBJECT:
			return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
		case ERRCODE_DUPLICATE_OBJECT:
			return KS_E_TOPIC_ALREADY_EXISTS;
		case ERRCODE_INVALID_NAME:
			return KK_INVALID_TOPIC_EXCEPTION;
		case ERRCODE_INVALID_PARAMETER_VALUE:
			return KK_INVALID_REQUEST;
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return KS_E_MESSAGE_TOO_LARGE;
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
			return KK_REQUEST_TIMED_OUT;
		default:
			break;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return KK_KAFKA_STORAGE_ERROR;
		default:
			return KK_UNKNOWN_SERVER_ERROR;
	}
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

int16
kk_transaction(KkRequest *request, KkWork work, void *arg, char **message)
{
	MemoryContext old = CurrentMemoryContext;
	volatile int16 number = KK_NONE;

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
		number = kk_error_number(error);
		if (number == KK_UNKNOWN_SERVER_ERROR || number == KK_KAFKA_STORAGE_ERROR)
			EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		ks_wait_end();
		if (message != NULL)
			*message = MemoryContextStrdup(request->context, error->message);
		if (request->connection->slot != NULL)
			request->connection->slot->errors++;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return number;
}

int16
kk_topic_find(KwString name, const KwUuid *id, AclMode any, KsTopic *topic)
{
	static const KwUuid no_id;
	bool found;

	if (name.len > 0)
	{
		char *copy = kw_cstring(name);

		found = name.len <= KS_TOPIC_NAME_MAX && ks_topic_find_or_bind(copy, topic);
		pfree(copy);
		if (!found)
			return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	}
	else
	{
		if (memcmp(id, &no_id, sizeof(no_id)) == 0 || !ks_topic_find_by_uuid((const pg_uuid_t *) id, topic))
			return KK_UNKNOWN_TOPIC_ID;
	}
	return ks_topic_has_right(topic, any) ? KK_NONE : KS_E_TOPIC_AUTHORIZATION_FAILED;
}

KwString
kk_topic_name(KkRequest *request, const KsTopic *topic)
{
	return kw_string(MemoryContextStrdup(request->context, topic->name));
}

KwUuid
kk_topic_uuid(const KsTopic *topic)
{
	KwUuid uuid;

	memcpy(uuid.bytes, topic->uuid.data, sizeof(uuid.bytes));
	return uuid;
}
