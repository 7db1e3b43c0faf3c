/*-------------------------------------------------------------------------
 * ks_catalog.c
 *	  Where kstream's own tables are in this database.
 *
 * An extension's tables have no fixed oids and no catcache, so each backend looks
 * their oids up once and keeps them until a message about kstream.topic comes:
 * DROP EXTENSION sends one, and so does whoever changes that table
 * (ks_topic_invalidate).  The extension's version is checked at the same time.
 *
 * A message that comes while the oids are read may be about these, and nothing
 * tells; so what was read is only kept when none came meanwhile.  In a storm of
 * messages the oids are given as they were read last.
 *
 * Each table has a file of its own in this room, x_row.c, with what is done to its
 * rows and the numbers of its attributes in x_row.h.  No other room names a table
 * of the catalog in SQL (a gate of test/check_style.sh).
 *
 * Locking: AccessShareLock on PostgreSQL's catalogs while they are read.
 *
 * Abort and crash: memory of this backend.
 *
 * src/catalog/ks_catalog.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/debug.h"
#include "catalog/ks_catalog.h"

static KsCatalog catalog;
static bool catalog_valid = false;
static uint64 messages = 0; /* relcache invalidations seen */

/* How often the oids are read again because of messages. */
#define MAX_LOOKS 10

static void
relation_changed(Datum arg, Oid relid)
{
	messages++;
	if (relid == InvalidOid || relid == catalog.topic)
		catalog_valid = false;
}

void
ks_catalog_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

void
ks_catalog_forget(void)
{
	catalog_valid = false;
}

bool
ks_catalog_is_topic_table(Oid relid)
{
	return relid == catalog.topic;
}

static Oid
catalog_relation(Oid namespace, const char *name)
{
	Oid relid = get_relname_relid(name, namespace);

	if (!OidIsValid(relid))
		elog(ERROR, "relation \"%s.%s\" does not exist", get_namespace_name(namespace), name);
	return relid;
}

/* Are two versions the same up to the second dot? */
static bool
same_major_minor(const char *a, const char *b)
{
	int dots = 0;

	for (; *a == *b && *a != '\0'; a++, b++)
	{
		if (*a == '.' && ++dots == 2)
			return true;
	}
	return *a == *b;
}

/*
 * The library serves every SQL version of its own major.minor, so that a
 * package update with a restart stops nobody.
 */
static void
check_version(const char *version)
{
	if (!same_major_minor(version, KSTREAM_VERSION))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"kstream\" has version %s, but the loaded library is of version %s",
						version, KSTREAM_VERSION),
				 errhint("Run ALTER EXTENSION kstream UPDATE, or restart the server if the library was updated after its start.")));
}

/* The owner of the extension, whose version must be one that we serve. */
static Oid
extension_owner(Oid extension)
{
	Relation rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid owner = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(extension));
	scan = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;
		Datum version = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(rel), &isnull);

		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
		check_version(TextDatumGetCString(version));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return owner;
}

bool
ks_catalog_exists(void)
{
	Oid namespace = get_namespace_oid("kstream", true);

	return OidIsValid(get_extension_oid("kstream", true)) &&
		   OidIsValid(namespace) &&
		   OidIsValid(get_relname_relid("topic", namespace));
}

static pg_attribute_noreturn() void no_extension(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension \"kstream\" does not exist in this database"),
			 errhint("Run CREATE EXTENSION kstream.")));
}

static void
read_catalog(KsCatalog *fresh)
{
	Oid namespace;
	Oid turns;

	if (!ks_catalog_exists())
		no_extension();
	namespace = get_namespace_oid("kstream", false);
	turns = get_namespace_oid("kstream_turns", false);
	fresh->extension = get_extension_oid("kstream", false);
	fresh->owner = extension_owner(fresh->extension);
	fresh->topic = catalog_relation(namespace, "topic");
	fresh->topic_index = catalog_relation(namespace, "topic_pkey");
	fresh->topic_name_index = catalog_relation(namespace, "topic_topic_key");
	fresh->topic_uuid_index = catalog_relation(namespace, "topic_topic_uuid_key");
	fresh->topic_relation_index = catalog_relation(namespace, "topic_relation_key");
	fresh->partition = catalog_relation(namespace, "partition");
	fresh->partition_index = catalog_relation(namespace, "partition_pkey");
	fresh->leader_epoch = catalog_relation(namespace, "leader_epoch");
	fresh->leader_epoch_index = catalog_relation(namespace, "leader_epoch_pkey");
	fresh->segment = catalog_relation(namespace, "segment");
	fresh->segment_index = catalog_relation(namespace, "segment_pkey");
	fresh->segment_base_index = catalog_relation(namespace, "segment_topic_id_partition_base_offset_key");
	fresh->segment_unfrozen_index = catalog_relation(namespace, "segment_unfrozen");
	fresh->producer_turn = catalog_relation(namespace, "producer_turn");
	fresh->producer_batch[0] = catalog_relation(turns, "producer_batch_0");
	fresh->producer_batch[1] = catalog_relation(turns, "producer_batch_1");
	fresh->producer_batch_index[0] = catalog_relation(turns, "producer_batch_0_key");
	fresh->producer_batch_index[1] = catalog_relation(turns, "producer_batch_1_key");
	fresh->staging_turn = catalog_relation(namespace, "staging_turn");
	fresh->staged[0] = catalog_relation(turns, "staged_0");
	fresh->staged[1] = catalog_relation(turns, "staged_1");
	fresh->staged_index[0][0] = catalog_relation(turns, "staged_0_id");
	fresh->staged_index[0][1] = catalog_relation(turns, "staged_0_partition");
	fresh->staged_index[0][2] = catalog_relation(turns, "staged_0_group");
	fresh->staged_index[1][0] = catalog_relation(turns, "staged_1_id");
	fresh->staged_index[1][1] = catalog_relation(turns, "staged_1_partition");
	fresh->staged_index[1][2] = catalog_relation(turns, "staged_1_group");
	fresh->key_placement = catalog_relation(namespace, "key_placement");
	fresh->key_placement_index = catalog_relation(namespace, "key_placement_pkey");
}

const KsCatalog *
ks_catalog(void)
{
	int looks;

	for (looks = 0; !catalog_valid && looks < MAX_LOOKS; looks++)
	{
		uint64 before = messages;
		KsCatalog fresh;

		read_catalog(&fresh);
		KS_DEBUG_POINT("catalog.read");
		/* relation_changed() looks for messages about this one from now on */
		catalog = fresh;
		catalog_valid = before == messages;
	}
	return &catalog;
}

Relation
ks_catalog_open(const Oid *table)
{
	Relation rel = try_table_open(*table, AccessShareLock);

	if (rel == NULL)
		no_extension();
	return rel;
}
