/*-------------------------------------------------------------------------
 * errors.h
 *	  Kafka's errors, and checks that many SQL functions open with.
 *
 * Where PostgreSQL has a SQLSTATE for an error, that one is used.  What a client
 * branches on has class KS, with the three digits of Kafka's error number.  The
 * DETAIL of both begins with Kafka's name.
 *
 * src/base/errors.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_ERRORS_H
#define KS_BASE_ERRORS_H

/* The number is Kafka's. */
typedef enum KsErrorCode
{
	KS_E_OFFSET_OUT_OF_RANGE = 1,
	KS_E_CORRUPT_MESSAGE = 2,
	KS_E_UNKNOWN_TOPIC_OR_PARTITION = 3,
	KS_E_MESSAGE_TOO_LARGE = 10,
	KS_E_OFFSET_METADATA_TOO_LARGE = 12,
	KS_E_NOT_ENOUGH_REPLICAS = 19,
	KS_E_INCONSISTENT_GROUP_PROTOCOL = 23,
	KS_E_INVALID_GROUP_ID = 24,
	KS_E_UNKNOWN_MEMBER_ID = 25,
	KS_E_TOPIC_AUTHORIZATION_FAILED = 29,
	KS_E_GROUP_AUTHORIZATION_FAILED = 30,
	KS_E_INVALID_TIMESTAMP = 32,
	KS_E_TOPIC_ALREADY_EXISTS = 36,
	KS_E_INVALID_PARTITIONS = 37,
	KS_E_NON_EMPTY_GROUP = 68,
	KS_E_GROUP_ID_NOT_FOUND = 69,
	KS_E_INVALID_RECORD = 87,
	KS_E_FENCED_MEMBER_EPOCH = 110,
} KsErrorCode;

/*
 * In ereport(), in place of errcode() and errdetail(): the SQLSTATE of one of
 * Kafka's errors, and a detail that begins with Kafka's name for it.  format
 * NULL: the name alone.
 *
 *		ereport(ERROR,
 *				(errmsg("group \"%s\" has members", group),
 *				 ks_error(KS_E_NON_EMPTY_GROUP, "it has %d.", members)));
 */
extern int ks_error(KsErrorCode code, const char *format, ...) pg_attribute_printf(2, 3);

/*
 * Which of Kafka's errors an ErrorData is: the one that ks_error() put into it,
 * else -1 (Kafka's UNKNOWN_SERVER_ERROR).
 */
extern int ks_error_code(const ErrorData *error);

/* The name and the SQLSTATE of the n-th of Kafka's errors; NULL past the last. */
extern const char *ks_error_list(int n, KsErrorCode *code, int *sqlstate);

/* Refuse NULL for an argument that needs a value: 22004 naming it. */
extern void ks_require_not_null(bool isnull, const char *argument);

/* 55000 with a hint unless the library was preloaded by the postmaster. */
extern void ks_require_preloaded(void);

/* 25006 in a read-only transaction and on a standby, 25000 in parallel mode. */
extern void ks_require_writable(const char *function);

/* Set by ks_shmem_init when shared memory was reserved for us. */
extern bool ks_preloaded;

#endif /* KS_BASE_ERRORS_H */
