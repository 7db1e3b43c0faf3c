/*-------------------------------------------------------------------------
 * errors.c
 *	  Kafka's errors as one table, and checks that many SQL functions open with.
 *
 * An error travels as PostgreSQL's do, through any number of callers, and
 * ErrorData has no field for a number of ours.  The name at the head of the
 * detail is written here alone, so ks_error_code() may read it back, if the
 * SQLSTATE fits too.
 *
 * src/base/errors.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "tcop/utility.h"

#include "base/errors.h"

bool ks_preloaded = false;

#define KS_SQLSTATE(a, b, c) MAKE_SQLSTATE('K', 'S', a, b, c)

static const struct
{
	KsErrorCode code;
	const char *name;
	int sqlstate;
} kafka_errors[] = {
	{KS_E_OFFSET_OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE", KS_SQLSTATE('0', '0', '1')},
	{KS_E_CORRUPT_MESSAGE, "CORRUPT_MESSAGE", KS_SQLSTATE('0', '0', '2')},
	{KS_E_UNKNOWN_TOPIC_OR_PARTITION, "UNKNOWN_TOPIC_OR_PARTITION", ERRCODE_UNDEFINED_OBJECT},
	{KS_E_MESSAGE_TOO_LARGE, "MESSAGE_TOO_LARGE", ERRCODE_PROGRAM_LIMIT_EXCEEDED},
	{KS_E_OFFSET_METADATA_TOO_LARGE, "OFFSET_METADATA_TOO_LARGE", ERRCODE_PROGRAM_LIMIT_EXCEEDED},
	{KS_E_NOT_ENOUGH_REPLICAS, "NOT_ENOUGH_REPLICAS", KS_SQLSTATE('0', '1', '9')},
	{KS_E_INCONSISTENT_GROUP_PROTOCOL, "INCONSISTENT_GROUP_PROTOCOL", KS_SQLSTATE('0', '2', '3')},
	{KS_E_INVALID_GROUP_ID, "INVALID_GROUP_ID", ERRCODE_INVALID_NAME},
	{KS_E_UNKNOWN_MEMBER_ID, "UNKNOWN_MEMBER_ID", KS_SQLSTATE('0', '2', '5')},
	{KS_E_TOPIC_AUTHORIZATION_FAILED, "TOPIC_AUTHORIZATION_FAILED", ERRCODE_INSUFFICIENT_PRIVILEGE},
	{KS_E_GROUP_AUTHORIZATION_FAILED, "GROUP_AUTHORIZATION_FAILED", ERRCODE_INSUFFICIENT_PRIVILEGE},
	{KS_E_INVALID_TIMESTAMP, "INVALID_TIMESTAMP", KS_SQLSTATE('0', '3', '2')},
	{KS_E_TOPIC_ALREADY_EXISTS, "TOPIC_ALREADY_EXISTS", ERRCODE_DUPLICATE_OBJECT},
	{KS_E_INVALID_PARTITIONS, "INVALID_PARTITIONS", ERRCODE_INVALID_PARAMETER_VALUE},
	{KS_E_NON_EMPTY_GROUP, "NON_EMPTY_GROUP", KS_SQLSTATE('0', '6', '8')},
	{KS_E_GROUP_ID_NOT_FOUND, "GROUP_ID_NOT_FOUND", ERRCODE_UNDEFINED_OBJECT},
	{KS_E_INVALID_RECORD, "INVALID_RECORD", KS_SQLSTATE('0', '8', '7')},
	{KS_E_FENCED_MEMBER_EPOCH, "FENCED_MEMBER_EPOCH", KS_SQLSTATE('1', '1', '0')},
};

int
ks_error(KsErrorCode code, const char *format, ...)
{
	StringInfoData detail;
	va_list args;
	int i = 0;

	while (kafka_errors[i].code != code)
		i++;
	/* Called within ereport(), so both apply to the error under construction. */
	errcode(kafka_errors[i].sqlstate);
	if (format == NULL)
		return errdetail_internal("%s", kafka_errors[i].name);
	initStringInfo(&detail);
	for (;;)
	{
		int needed;

		va_start(args, format);
		/* va_list is used up by each attempt. */
		needed = appendStringInfoVA(&detail, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&detail, needed);
	}
	return errdetail_internal("%s: %s", kafka_errors[i].name, detail.data);
}

int
ks_error_code(const ErrorData *error)
{
	int i;

	for (i = 0; i < (int) lengthof(kafka_errors) && error->detail != NULL; i++)
	{
		size_t length = strlen(kafka_errors[i].name);

		/*
		 * Both must fit: a detail by chance, or another error of the SQLSTATE, is none of
		 * Kafka's.
		 */
		if (error->sqlerrcode == kafka_errors[i].sqlstate &&
			strncmp(error->detail, kafka_errors[i].name, length) == 0 &&
			(error->detail[length] == ':' || error->detail[length] == '\0'))
			return kafka_errors[i].code;
	}
	return -1;
}

const char *
ks_error_list(int n, KsErrorCode *code, int *sqlstate)
{
	if (n < 0 || n >= (int) lengthof(kafka_errors))
		return NULL;
	*code = kafka_errors[n].code;
	*sqlstate = kafka_errors[n].sqlstate;
	return kafka_errors[n].name;
}

void
ks_require_not_null(bool isnull, const char *argument)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", argument)));
}

void
ks_require_preloaded(void)
{
	if (!ks_preloaded)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("kstream is not loaded by the server"),
				 errdetail("kstream keeps the state of its partitions in shared memory, which is allocated at server start."),
				 errhint("Add kstream to shared_preload_libraries and restart the server.")));
}

void
ks_require_writable(const char *function)
{
	/* Both say 25006; every transaction on a standby is read-only too. */
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s during recovery", function),
				 errhint("Connect to the primary server.")));
	PreventCommandIfReadOnly(function);
	/* Says 25000. */
	PreventCommandIfParallelMode(function);
	/*
	 * A buffered record is a queued action: in a security-restricted
	 * operation it would outlive the operation and run with more rights than
	 * its author has.
	 */
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot execute %s within security-restricted operation", function)));
}
