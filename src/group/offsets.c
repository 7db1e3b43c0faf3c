/*-------------------------------------------------------------------------
 * offsets.c
 *	  The rows of kstream.committed_offset.
 *
 * A row says how far a group has come in a partition, and whose it is: the
 * stamp of the owner's takeover.  Taking over is to lock the partition with a
 * heavyweight lock of our own (so that two takers, and a taker and a
 * transaction that has yet to write its row, never meet), then to lock and
 * stamp the row.  Committing is one UPDATE guarded by the stamp.  So the commit
 * of a member that lost the partition either came before the takeover read
 * the offset, or finds another stamp and fails.
 *
 * A takeover that rolls back leaves the old stamp, and with it the old
 * owner's right to commit.  Therefore a takeover counts only when a
 * transaction that stamped has committed; until then each poll stamps again
 * and starts from the offset in the row that it has just locked.
 *
 * A row that does not exist cannot be locked, and a second INSERT of it would
 * wait for the first's transaction; so it is inserted at PRE_COMMIT, under
 * cover of the heavyweight lock.
 *
 * Nothing here waits: SKIP LOCKED and locks that are taken only if free.
 *
 * src/group/offsets.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "base/debug.h"
#include "group/offsets.h"
#include "topic/owner.h"

#define KEY_MATCHES "o.group_id OPERATOR(pg_catalog.=) $1"      \
					" AND o.topic_id OPERATOR(pg_catalog.=) $2" \
					" AND o.partition OPERATOR(pg_catalog.=) $3"

/* A statement that is planned once per backend. */
typedef struct Statement
{
	const char *sql;
	int nargs;
	Oid types[6];
	SPIPlanPtr plan;
} Statement;

static Statement stamp_statement = {
	"UPDATE kstream.committed_offset o SET stamp = $4"
	" FROM (SELECT o.ctid FROM kstream.committed_offset o WHERE " KEY_MATCHES " FOR UPDATE SKIP LOCKED) l"
	" WHERE o.ctid OPERATOR(pg_catalog.=) l.ctid RETURNING o.committed",
	4,
	{TEXTOID, INT4OID, INT4OID, INT8OID}};

static Statement read_statement = {
	"SELECT o.committed FROM kstream.committed_offset o WHERE " KEY_MATCHES,
	3,
	{TEXTOID, INT4OID, INT4OID}};

static Statement commit_statement = {
	"UPDATE kstream.committed_offset o SET committed = $5, metadata = $6, committed_at = pg_catalog.clock_timestamp()"
	" FROM (SELECT o.ctid FROM kstream.committed_offset o WHERE " KEY_MATCHES
	" AND o.stamp OPERATOR(pg_catalog.=) $4 FOR UPDATE SKIP LOCKED) l"
	" WHERE o.ctid OPERATOR(pg_catalog.=) l.ctid",
	6,
	{TEXTOID, INT4OID, INT4OID, INT8OID, INT8OID, TEXTOID}};

static Statement set_statement = {
	"UPDATE kstream.committed_offset o SET committed = $4, metadata = $5, committed_at = pg_catalog.clock_timestamp()"
	" FROM (SELECT o.ctid FROM kstream.committed_offset o WHERE " KEY_MATCHES " FOR UPDATE SKIP LOCKED) l"
	" WHERE o.ctid OPERATOR(pg_catalog.=) l.ctid",
	5,
	{TEXTOID, INT4OID, INT4OID, INT8OID, TEXTOID}};

static Statement insert_statement = {
	"INSERT INTO kstream.committed_offset (group_id, topic_id, partition, stamp, committed, metadata, committed_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $5 IS NULL THEN NULL ELSE pg_catalog.clock_timestamp() END)"
	" ON CONFLICT DO NOTHING",
	6,
	{TEXTOID, INT4OID, INT4OID, INT8OID, INT8OID, TEXTOID}};

/* Run a statement; nulls is ' ' and 'n' per argument, as SPI has it. */
static uint64
run(Statement *statement, Datum *args, const char *nulls)
{
	if (statement->plan == NULL)
	{
		SPIPlanPtr plan = SPI_prepare(statement->sql, statement->nargs, statement->types);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
	if (SPI_execute_plan(statement->plan, args, nulls, false, 0) < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(SPI_result));
	return SPI_processed;
}

static void
set_key(Datum *args, const KsGroupKey *key, int32 topic_id, int32 partition)
{
	args[0] = CStringGetTextDatum(key->name);
	args[1] = Int32GetDatum(topic_id);
	args[2] = Int32GetDatum(partition);
}

/* The first column of the first row, KS_NO_OFFSET for NULL. */
static int64
returned_offset(void)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

	return isnull ? KS_NO_OFFSET : DatumGetInt64(value);
}

/*
 * Lock a group's partition to the end of the transaction, if it is free.  The
 * tag is a hash: a collision only makes a taker try again later.
 */
static bool
lock_partition(const KsGroupKey *key, const pg_uuid_t *topic, int32 partition)
{
	LOCKTAG tag;
	uint64 hash = hash_bytes_extended((const unsigned char *) key->name, strlen(key->name), partition);

	hash = hash_bytes_extended((const unsigned char *) topic, sizeof(pg_uuid_t), hash);
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ks_catalog()->segment, (uint32) (hash >> 32), (uint16) hash);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

int64
ks_offset_read(const KsGroupKey *key, int32 topic_id, int32 partition)
{
	Datum args[3];

	set_key(args, key, topic_id, partition);
	return run(&read_statement, args, NULL) > 0 ? returned_offset() : KS_NO_OFFSET;
}

static bool
row_exists(const KsGroupKey *key, int32 topic_id, int32 partition)
{
	Datum args[3];

	set_key(args, key, topic_id, partition);
	return run(&read_statement, args, NULL) > 0;
}

KsTakeoverResult
ks_offset_take_over(const KsGroupKey *key, const KsOwned *owned, int64 *committed)
{
	Datum args[4];

	*committed = KS_NO_OFFSET;
	if (!lock_partition(key, &owned->topic, owned->partition))
		return KS_TAKEOVER_BUSY;
	set_key(args, key, owned->topic_id, owned->partition);
	args[3] = Int64GetDatum(owned->stamp);
	if (run(&stamp_statement, args, NULL) > 0)
	{
		*committed = returned_offset();
		KS_DEBUG_POINT("poll.claimed");
		return KS_TAKEN;
	}
	return row_exists(key, owned->topic_id, owned->partition) ? KS_TAKEOVER_BUSY : KS_TAKEN_NO_ROW;
}

bool
ks_offset_commit(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
				 int64 offset, const char *metadata)
{
	Datum args[6];
	char nulls[] = "      ";

	set_key(args, key, topic_id, partition);
	args[3] = Int64GetDatum(stamp);
	args[4] = Int64GetDatum(offset);
	args[5] = metadata != NULL ? CStringGetTextDatum(metadata) : (Datum) 0;
	nulls[5] = metadata != NULL ? ' ' : 'n';
	KS_DEBUG_POINT("offsets.before_update");
	return run(&commit_statement, args, nulls) > 0;
}

bool
ks_offset_set(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
			  int64 offset, const char *metadata)
{
	Datum args[6];
	char nulls[] = "      ";

	if (!lock_partition(key, topic, partition))
		return false;
	set_key(args, key, topic_id, partition);
	args[3] = Int64GetDatum(offset);
	args[4] = metadata != NULL ? CStringGetTextDatum(metadata) : (Datum) 0;
	nulls[4] = metadata != NULL ? ' ' : 'n';
	if (run(&set_statement, args, nulls) > 0)
		return true;
	args[5] = args[4];
	nulls[5] = nulls[4];
	args[3] = Int64GetDatum(0);
	nulls[4] = ' ';
	args[4] = Int64GetDatum(offset);
	return !row_exists(key, topic_id, partition) && run(&insert_statement, args, nulls) > 0;
}

bool
ks_offset_insert(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
				 int64 offset, const char *metadata)
{
	Datum args[6];
	char nulls[] = "      ";

	set_key(args, key, topic_id, partition);
	args[3] = Int64GetDatum(stamp);
	args[4] = Int64GetDatum(offset);
	nulls[4] = offset == KS_NO_OFFSET ? 'n' : ' ';
	args[5] = metadata != NULL ? CStringGetTextDatum(metadata) : (Datum) 0;
	nulls[5] = metadata != NULL ? ' ' : 'n';
	return run(&insert_statement, args, nulls) > 0;
}
