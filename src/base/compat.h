/*-------------------------------------------------------------------------
 * compat.h
 *	  Every difference between PostgreSQL 15, 16, 17 and 18 that kstream meets.
 *
 * No other file of kstream looks at PG_VERSION_NUM.
 *
 * src/base/compat.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_COMPAT_H
#define KS_BASE_COMPAT_H

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "common/cryptohash.h"
#include "storage/proc.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "kstream needs PostgreSQL 15 or later"
#endif

/* The index of this backend's PGPROC in ProcGlobal->allProcs. */
#if PG_VERSION_NUM >= 170000
#define KS_MY_PROCNO MyProcNumber
#else
#define KS_MY_PROCNO (MyProc->pgprocno)
#endif

/*
 * Of libpq/libpq.h, which cannot be included where Kerberos' headers are not
 * installed.
 */
extern bool pq_check_connection(void);

/* Of utils/pg_locale.h, which since 18 wants ICU's headers. */
extern PGDLLIMPORT char *locale_monetary;

/* Background workers, autovacuum and walsenders have PGPROCs as well. */
#define KS_MAX_PROCS (MaxBackends + NUM_AUXILIARY_PROCS)

/* 16: object_aclcheck and relation_openrv took over from pg_*_aclcheck. */
#if PG_VERSION_NUM >= 160000
#define KS_NAMESPACE_ACLCHECK(oid, role, mode) object_aclcheck(NamespaceRelationId, (oid), (role), (mode))
#define KS_DATABASE_ACLCHECK(oid, role, mode) object_aclcheck(DatabaseRelationId, (oid), (role), (mode))
#define KS_RELATION_OWNERCHECK(oid, role) object_ownercheck(RelationRelationId, (oid), (role))
#define KS_FUNCTION_ACLCHECK(oid, role, mode) object_aclcheck(ProcedureRelationId, (oid), (role), (mode))
#else
#define KS_NAMESPACE_ACLCHECK(oid, role, mode) pg_namespace_aclcheck((oid), (role), (mode))
#define KS_DATABASE_ACLCHECK(oid, role, mode) pg_database_aclcheck((oid), (role), (mode))
#define KS_RELATION_OWNERCHECK(oid, role) pg_class_ownercheck((oid), (role))
#define KS_FUNCTION_ACLCHECK(oid, role, mode) pg_proc_aclcheck((oid), (role), (mode))
#endif

/* 16: a role may be given to somebody by who can SET ROLE to it; before, by its members. */
#if PG_VERSION_NUM >= 160000
#define KS_CHECK_CAN_SET_ROLE(member, role) check_can_set_role((member), (role))
#else
#define KS_CHECK_CAN_SET_ROLE(member, role) check_is_member_of_role((member), (role))
#endif

/* 16: a table grows by many pages at once; returns the first of them. */
#if PG_VERSION_NUM >= 160000
#define KS_EXTEND_REL_BY(rel, pages, buffers, extended) \
	ExtendBufferedRelBy(BMR_REL(rel), MAIN_FORKNUM, NULL, 0, (pages), (buffers), (extended))
#endif

/* 17: a wait event must have a name of its own; before, one of core's serves. */
#if PG_VERSION_NUM >= 170000
#define KS_WAIT_EVENT(name) WaitEventExtensionNew(name)
#else
#define KS_WAIT_EVENT(name) PG_WAIT_EXTENSION
#endif

/* 17: LockHeldByMe can also look for stronger modes. */
#if PG_VERSION_NUM >= 170000
#define KS_LOCK_HELD_BY_ME(tag, mode) LockHeldByMe((tag), (mode), false)
#else
#define KS_LOCK_HELD_BY_ME(tag, mode) LockHeldByMe((tag), (mode))
#endif

/* VACUUM of one table that the caller has locked. */
#define KS_TABLE_VACUUM(rel, params, strategy) table_relation_vacuum((rel), (params), (strategy))

/* 18: pg_noreturn, in front of a declaration, took this one's place. */
#if PG_VERSION_NUM >= 180000
#define pg_attribute_noreturn() __attribute__((noreturn))
#endif

/* 18: NOT NULL is a constraint of this type. */
#define KS_CONSTRAINT_NOTNULL 'n'

/* 18: a generated column may have no value of its own; `node` with its expression in place of such. */
#if PG_VERSION_NUM >= 180000
#define KS_ATTRIBUTE_IS_VIRTUAL(attribute) ((attribute)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#define KS_EXPAND_VIRTUAL(node, rel, varno) expand_generated_columns_in_expr((node), (rel), (varno))
#else
#define KS_ATTRIBUTE_IS_VIRTUAL(attribute) false
#define KS_EXPAND_VIRTUAL(node, rel, varno) (node)
#endif

/* 18: a column may be NOT NULL for rows to come only. */
#if PG_VERSION_NUM >= 180000
#define KS_ATTRIBUTE_NEVER_NULL(desc, i) \
	(TupleDescAttr((desc), (i))->attnotnull && TupleDescCompactAttr((desc), (i))->attnullability != ATTNULLABLE_INVALID)
#else
#define KS_ATTRIBUTE_NEVER_NULL(desc, i) (TupleDescAttr((desc), (i))->attnotnull)
#endif

/* 18: a column reference may speak of the old or the new row. */
#if PG_VERSION_NUM >= 180000
#define KS_EXPAND_RTE(rte, index, vars) expandRTE((rte), (index), 0, VAR_RETURNING_DEFAULT, -1, false, NULL, (vars))
#else
#define KS_EXPAND_RTE(rte, index, vars) expandRTE((rte), (index), 0, -1, false, NULL, (vars))
#endif

/* 16: the lists of locks changed their type.  Partition lock held. */
#if PG_VERSION_NUM >= 160000
#define KS_FIRST_PROCLOCK(list) (dlist_is_empty(list) ? NULL : dlist_head_element(PROCLOCK, procLink, (list)))
#define KS_NEXT_PROCLOCK(list, lock) \
	(dlist_has_next((list), &(lock)->procLink) ? dlist_container(PROCLOCK, procLink, dlist_next_node((list), &(lock)->procLink)) : NULL)
#else
#define KS_FIRST_PROCLOCK(list) ((PROCLOCK *) SHMQueueNext((list), (list), offsetof(PROCLOCK, procLink)))
#define KS_NEXT_PROCLOCK(list, lock) ((PROCLOCK *) SHMQueueNext((list), &(lock)->procLink, offsetof(PROCLOCK, procLink)))
#endif

/* 17: a timeout of whole transactions, to be put into a table of settings. */
#if PG_VERSION_NUM >= 170000
#define KS_TRANSACTION_TIMEOUT_OFF {"transaction_timeout", "0"},
#else
#define KS_TRANSACTION_TIMEOUT_OFF
#endif

/* 18: what EXPLAIN prints with has a header of its own. */
#if PG_VERSION_NUM >= 180000
#define KS_EXPLAIN_FORMAT_HEADER "commands/explain_format.h"
#else
#define KS_EXPLAIN_FORMAT_HEADER "commands/explain.h"
#endif

/* 18: an order is not a btree's any more. */
#if PG_VERSION_NUM >= 180000
#define KS_PATHKEY_ASCENDS(pathkey) ((pathkey)->pk_cmptype == COMPARE_LT)
#else
#define KS_PATHKEY_ASCENDS(pathkey) ((pathkey)->pk_strategy == BTLessStrategyNumber)
#endif

/* 17 and 18 each gave create_foreignscan_path an argument more. */
#if PG_VERSION_NUM >= 180000
#define KS_CREATE_FOREIGNSCAN_PATH(root, rel, rows, startup, total, pathkeys, outer) \
	create_foreignscan_path((root), (rel), NULL, (rows), 0, (startup), (total), (pathkeys), (outer), NULL, NIL, NIL)
#elif PG_VERSION_NUM >= 170000
#define KS_CREATE_FOREIGNSCAN_PATH(root, rel, rows, startup, total, pathkeys, outer) \
	create_foreignscan_path((root), (rel), NULL, (rows), (startup), (total), (pathkeys), (outer), NULL, NIL, NIL)
#else
#define KS_CREATE_FOREIGNSCAN_PATH(root, rel, rows, startup, total, pathkeys, outer) \
	create_foreignscan_path((root), (rel), NULL, (rows), (startup), (total), (pathkeys), (outer), NULL, NIL)
#endif

/*
 * 16: the tokenizer of pg_hba.conf follows include lines, and names may be regular
 * expressions.  What it gives lives from the file's opening to its closing.
 */
#if PG_VERSION_NUM >= 160000
#define KS_OPEN_AUTH_FILE(name) open_auth_file((name), LOG, 0, NULL)
#define KS_CLOSE_AUTH_FILE(file) free_auth_file((file), 0)
#define KS_TOKENIZE_AUTH_FILE(name, file, lines) tokenize_auth_file((name), (file), (lines), LOG, 0)
#define KS_AUTH_TOKEN_REGEX(token) ((token)->regex)
#else
#define KS_OPEN_AUTH_FILE(name) AllocateFile((name), "r")
#define KS_CLOSE_AUTH_FILE(file) ((void) FreeFile(file))
#define KS_TOKENIZE_AUTH_FILE(name, file, lines) ((void) tokenize_auth_file((name), (file), (lines), LOG))
#define KS_AUTH_TOKEN_REGEX(token) ((regex_t *) NULL)
#endif

/* 16: SCRAM names its hash. */
#if PG_VERSION_NUM >= 160000
#define KS_SCRAM_DEFAULT_ITERATIONS SCRAM_SHA_256_DEFAULT_ITERATIONS
/* Of libpq/scram.h, which wants Kerberos' headers. */
extern bool parse_scram_secret(const char *secret, int *iterations, pg_cryptohash_type *hash_type, int *key_length,
							   char **salt, uint8 *stored_key, uint8 *server_key);
#define KS_PARSE_SCRAM_SECRET(secret, iterations, salt, stored, server) \
	parse_scram_secret((secret), (iterations), &(pg_cryptohash_type){0}, &(int){0}, (salt), (stored), (server))
#define KS_SCRAM_H(key, result, error) scram_H((key), PG_SHA256, SCRAM_SHA_256_KEY_LEN, (result), (error))
#define KS_SCRAM_SALTED_PASSWORD(password, salt, len, iterations, result, error) \
	scram_SaltedPassword((password), PG_SHA256, SCRAM_SHA_256_KEY_LEN, KS_SALT(salt), (len), (iterations), (result), (error))
#define KS_SCRAM_SERVER_KEY(salted, result, error) \
	scram_ServerKey((salted), PG_SHA256, SCRAM_SHA_256_KEY_LEN, (result), (error))
#if PG_VERSION_NUM >= 180000
#define KS_SALT(salt) ((const uint8 *) (salt))
#else
#define KS_SALT(salt) (salt)
#endif
#else
#define KS_SCRAM_DEFAULT_ITERATIONS SCRAM_DEFAULT_ITERATIONS
/* Of libpq/scram.h, which wants Kerberos' headers. */
extern bool parse_scram_secret(const char *secret, int *iterations, char **salt, uint8 *stored_key, uint8 *server_key);
#define KS_PARSE_SCRAM_SECRET(secret, iterations, salt, stored, server) \
	parse_scram_secret((secret), (iterations), (salt), (stored), (server))
#define KS_SCRAM_H(key, result, error) scram_H((key), SCRAM_KEY_LEN, (result), (error))
#define KS_SCRAM_SALTED_PASSWORD(password, salt, len, iterations, result, error) \
	scram_SaltedPassword((password), (salt), (len), (iterations), (result), (error))
#define KS_SCRAM_SERVER_KEY(salted, result, error) scram_ServerKey((salted), (result), (error))
#endif

/* 16: the n-th (from 1) backend of pg_stat_activity is told by place, not by its number. */
#if PG_VERSION_NUM >= 160000
#define KS_STAT_LOCAL_BEENTRY(n) pgstat_get_local_beentry_by_index(n)
#else
#define KS_STAT_LOCAL_BEENTRY(n) pgstat_fetch_stat_local_beentry(n)
#endif

/* 16: a line of pg_hba.conf may come from another file. */
#if PG_VERSION_NUM >= 160000
#define KS_HBA_LINE_FILE(line) ((line)->sourcefile)
#else
#define KS_HBA_LINE_FILE(line) HbaFileName
#endif

/* 17: a set of events belongs to a resource owner. */
#if PG_VERSION_NUM >= 170000
#define KS_CREATE_WAIT_EVENT_SET(count) CreateWaitEventSet(NULL, (count))
#else
#define KS_CREATE_WAIT_EVENT_SET(count) CreateWaitEventSet(CurrentMemoryContext, (count))
#endif

#endif /* KS_BASE_COMPAT_H */
