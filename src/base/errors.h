/*-------------------------------------------------------------------------
 * errors.h
 *	  SQLSTATEs of class KS: what a client branches on.
 *
 * The three digits are Kafka's error code, the DETAIL of each such error
 * begins with Kafka's name for it.  Everything else uses PostgreSQL's own
 * codes.
 *
 * src/base/errors.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_ERRORS_H
#define KS_BASE_ERRORS_H

#define KS_ERRCODE_OFFSET_OUT_OF_RANGE MAKE_SQLSTATE('K', 'S', '0', '0', '1')
#define KS_ERRCODE_CORRUPT_MESSAGE MAKE_SQLSTATE('K', 'S', '0', '0', '2')
#define KS_ERRCODE_NOT_ENOUGH_REPLICAS MAKE_SQLSTATE('K', 'S', '0', '1', '9')
#define KS_ERRCODE_UNKNOWN_MEMBER_ID MAKE_SQLSTATE('K', 'S', '0', '2', '5')
#define KS_ERRCODE_NON_EMPTY_GROUP MAKE_SQLSTATE('K', 'S', '0', '6', '8')
#define KS_ERRCODE_INVALID_RECORD MAKE_SQLSTATE('K', 'S', '0', '8', '7')
#define KS_ERRCODE_FENCED_MEMBER_EPOCH MAKE_SQLSTATE('K', 'S', '1', '1', '0')

/* Refuse NULL for an argument that needs a value: 22004 naming it. */
extern void ks_require_not_null(bool isnull, const char *argument);

/* 55000 with a hint unless the library was preloaded by the postmaster. */
extern void ks_require_preloaded(void);

/* 25006 in a read-only transaction and on a standby, 25000 in parallel mode. */
extern void ks_require_writable(const char *function);

/* Set by ks_shmem_init when shared memory was reserved for us. */
extern bool ks_preloaded;

#endif /* KS_BASE_ERRORS_H */
