/*-------------------------------------------------------------------------
 * topic.c
 *	  Topics: the catalog, a cache of it, rights.
 *
 * A topic is a row of kstream.topic and a foreign table in kstream_topic.  The
 * row says who it is; the foreign table carries owner, rights and options.
 * Each backend keeps what it looked up in a hash table by name.  There is no
 * catcache for a table of an extension, so the cache hangs on relcache
 * invalidations instead: a change of the foreign table (options, owner,
 * rights, drop) sends one anyway, and whoever changes kstream.topic sends one
 * for that table (ks_topic_invalidate).  Any of them empties the whole cache
 * and raises ks_topic_cache_serial, by which others know that what they were
 * told may have changed.
 *
 * A message that comes while a topic is read speaks of a table that is not in the
 * cache yet, so nothing tells whether it matters.  Every message therefore raises
 * `messages`, and what was read is kept, and believed to be of one moment, only
 * if none came meanwhile.  In a storm of messages a topic is given as it was read
 * last, without being kept.
 *
 * A row whose foreign table is gone is no topic: its drop is in progress, or was
 * done while the server did not load the library (an orphan, see admin/drop.c).
 *
 * Locking: none beyond AccessShareLock on the catalog while it is read.
 *
 * src/topic/topic.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_table.h"
#include "access/reloptions.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "topic/placement.h"
#include "topic/topic.h"

typedef struct CacheEntry
{
	char name[KS_TOPIC_NAME_MAX + 1]; /* hash key */
	KsTopic topic;
} CacheEntry;

typedef struct CachedUuid
{
	pg_uuid_t uuid; /* hash key */
	CacheEntry *entry;
} CachedUuid;

uint64 ks_topic_cache_serial = 1;
void (*ks_topic_bind)(const char *name) = NULL;

static KsCatalog catalog;
static bool catalog_valid = false;
static HTAB *cache = NULL;
static HTAB *cached_relids = NULL; /* foreign tables of what is in cache */
static HTAB *cached_uuids = NULL;  /* entries of cache, by their topics' ids */
static bool cache_valid = false;
static uint64 messages = 0; /* relcache invalidations seen */

/* How often a look-up is repeated because of messages. */
#define MAX_LOOKS 10

static void
forget_all(void)
{
	ks_topic_cache_serial++;
	cache_valid = false;
	catalog_valid = false;
}

static void
relation_changed(Datum arg, Oid relid)
{
	messages++;
	if (!cache_valid && !catalog_valid)
		return;
	if (relid == InvalidOid || relid == catalog.topic ||
		(cache_valid && hash_search(cached_relids, &relid, HASH_FIND, NULL) != NULL))
		forget_all();
}

static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	ks_topic_cache_serial++;
}

void
ks_topic_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
}

void
ks_topic_invalidate(void)
{
	CacheInvalidateRelcacheByRelid(ks_catalog()->topic);
}

static Oid
catalog_relation(Oid namespace, const char *name)
{
	Oid relid = get_relname_relid(name, namespace);

	if (!OidIsValid(relid))
		elog(ERROR, "relation \"kstream.%s\" does not exist", name);
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

	if (!ks_catalog_exists())
		no_extension();
	namespace = get_namespace_oid("kstream", false);
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
	fresh->producer_batch[0] = catalog_relation(namespace, "producer_batch_0");
	fresh->producer_batch[1] = catalog_relation(namespace, "producer_batch_1");
	fresh->producer_batch_index[0] = catalog_relation(namespace, "producer_batch_0_key");
	fresh->producer_batch_index[1] = catalog_relation(namespace, "producer_batch_1_key");
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

/* The OPTIONS of a foreign table; NULL result and false when it is gone. */
static bool
read_table_options(Oid relid, List **options)
{
	HeapTuple tuple = SearchSysCache1(FOREIGNTABLEREL, ObjectIdGetDatum(relid));
	Datum datum;
	bool isnull;

	*options = NIL;
	if (!HeapTupleIsValid(tuple))
		return false;
	datum = SysCacheGetAttr(FOREIGNTABLEREL, tuple, Anum_pg_foreign_table_ftoptions, &isnull);
	if (!isnull)
		*options = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return true;
}

/* The columns of a row, and the options if the table is there. */
static bool
fill_topic(Relation rel, HeapTuple tuple, KsTopic *topic)
{
	TupleDesc desc = RelationGetDescr(rel);
	bool isnull;
	List *options;
	char *name;

	memset(topic, 0, sizeof(KsTopic));
	topic->extension = ks_catalog()->extension;
	topic->topic_id = DatumGetInt32(heap_getattr(tuple, Anum_topic_topic_id, desc, &isnull));
	name = TextDatumGetCString(heap_getattr(tuple, Anum_topic_topic, desc, &isnull));
	strlcpy(topic->name, name, sizeof(topic->name));
	topic->uuid = *DatumGetUUIDP(heap_getattr(tuple, Anum_topic_topic_uuid, desc, &isnull));
	topic->relid = DatumGetObjectId(heap_getattr(tuple, Anum_topic_relation, desc, &isnull));
	topic->partitions = DatumGetInt32(heap_getattr(tuple, Anum_topic_partitions, desc, &isnull));
	if (!read_table_options(topic->relid, &options))
		return false;
	ks_topic_options_read(options, &topic->options);
	KS_DEBUG_POINT("topic.read");
	topic->placed_by_hand = ks_placement_has(topic, KS_PLACED_BY_HAND);
	return true;
}

typedef enum ScanResult
{
	SCAN_NOTHING,
	SCAN_ROW_ONLY, /* its table is gone */
	SCAN_TOPIC
} ScanResult;

/* Read the catalog by one of its indexes. */
static ScanResult
scan_topic(AttrNumber column, RegProcedure equal, Oid index, Datum value, Oid collation, KsTopic *topic)
{
	Relation rel = ks_catalog_open(&ks_catalog()->topic);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	ScanResult result = SCAN_NOTHING;

	ScanKeyEntryInitialize(&key, 0, column, BTEqualStrategyNumber, InvalidOid, collation, equal, value);
	scan = systable_beginscan(rel, index, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = fill_topic(rel, tuple, topic) ? SCAN_TOPIC : SCAN_ROW_ONLY;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

static bool
is_in_range(const KsTopic *topic)
{
	return topic->partitions >= 1 && topic->partitions <= KS_TOPIC_PARTITIONS_MAX;
}

/* The same for who works with the topic: XX001 when a loop over its partitions would have no end in sight. */
static ScanResult
scan_sound_topic(AttrNumber column, RegProcedure equal, Oid index, Datum value, Oid collation, KsTopic *topic)
{
	ScanResult result = scan_topic(column, equal, index, value, collation, topic);

	if (result == SCAN_TOPIC && !is_in_range(topic))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("topic \"%s\" has an invalid number of partitions in the catalog: %d", topic->name, topic->partitions)));
	return result;
}

/* Start over with empty tables, in a context that goes as a whole. */
static void
make_cache_valid(void)
{
	static MemoryContext context = NULL;
	HASHCTL info;

	if (cache_valid)
		return;
	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext, "kstream topics", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(context);
	memset(&info, 0, sizeof(info));
	info.keysize = KS_TOPIC_NAME_MAX + 1;
	info.entrysize = sizeof(CacheEntry);
	info.hcxt = context;
	cache = hash_create("kstream topics", 64, &info, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(Oid);
	cached_relids = hash_create("kstream topic relations", 64, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	info.keysize = sizeof(pg_uuid_t);
	info.entrysize = sizeof(CachedUuid);
	cached_uuids = hash_create("kstream topic ids", 64, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cache_valid = true;
}

static void
keep(const KsTopic *topic)
{
	CacheEntry *entry;
	CachedUuid *by_uuid;

	make_cache_valid();
	entry = hash_search(cache, topic->name, HASH_ENTER, NULL);
	entry->topic = *topic;
	(void) hash_search(cached_relids, &topic->relid, HASH_ENTER, NULL);
	by_uuid = hash_search(cached_uuids, &topic->uuid, HASH_ENTER, NULL);
	by_uuid->entry = entry;
}

bool
ks_topic_find(const char *name, KsTopic *topic)
{
	CacheEntry *entry;
	ScanResult result = SCAN_NOTHING;
	int looks;

	if (strlen(name) > KS_TOPIC_NAME_MAX)
		return false;
	if (cache_valid)
	{
		entry = hash_search(cache, name, HASH_FIND, NULL);
		if (entry != NULL)
		{
			*topic = entry->topic;
			return true;
		}
	}

	for (looks = 0; looks < MAX_LOOKS; looks++)
	{
		uint64 before = messages;

		result = scan_sound_topic(Anum_topic_topic, F_TEXTEQ, ks_catalog()->topic_name_index,
								  CStringGetTextDatum(name), C_COLLATION_OID, topic);
		if (before != messages)
			continue;
		if (result == SCAN_TOPIC)
			keep(topic);
		return result == SCAN_TOPIC;
	}
	/* Nobody shall rely on it longer than for this call. */
	ks_topic_cache_serial++;
	return result == SCAN_TOPIC;
}

bool
ks_topic_find_by_relation(Oid relid, KsTopic *topic)
{
	if (scan_topic(Anum_topic_relation, F_OIDEQ, ks_catalog()->topic_relation_index,
				   ObjectIdGetDatum(relid), InvalidOid, topic) == SCAN_NOTHING)
		return false;
	topic->partitions = Max(1, Min(topic->partitions, KS_TOPIC_PARTITIONS_MAX));
	return true;
}

/*
 * A drop may have been committed between our looks at the row and at the
 * table; then the row is gone when we look again.
 */
bool
ks_topic_find_orphan(const char *name, KsTopic *topic)
{
	int looks;

	for (looks = 0; looks < 2; looks++)
	{
		if (scan_topic(Anum_topic_topic, F_TEXTEQ, ks_catalog()->topic_name_index,
					   CStringGetTextDatum(name), C_COLLATION_OID, topic) != SCAN_ROW_ONLY)
			return false;
	}
	return true;
}

bool
ks_topic_find_by_id(int32 topic_id, KsTopic *topic)
{
	return scan_sound_topic(Anum_topic_topic_id, F_INT4EQ, ks_catalog()->topic_index,
							Int32GetDatum(topic_id), InvalidOid, topic) == SCAN_TOPIC;
}

bool
ks_topic_find_by_uuid(const pg_uuid_t *uuid, KsTopic *topic)
{
	return scan_sound_topic(Anum_topic_topic_uuid, F_UUID_EQ, ks_catalog()->topic_uuid_index,
							UUIDPGetDatum(uuid), InvalidOid, topic) == SCAN_TOPIC;
}

bool
ks_topic_find_by_uuid_cached(const pg_uuid_t *uuid, KsTopic *topic)
{
	CachedUuid *cached = cache_valid ? hash_search(cached_uuids, uuid, HASH_FIND, NULL) : NULL;
	KsTopic named;

	/* The entry of the name may be of another topic by now. */
	if (cached != NULL && memcmp(&cached->entry->topic.uuid, uuid, sizeof(*uuid)) == 0)
	{
		*topic = cached->entry->topic;
		return true;
	}
	if (!ks_topic_find_by_uuid(uuid, topic))
		return false;
	/* Let the cache, which goes by names, have it. */
	if (ks_topic_find(topic->name, &named) && memcmp(&named.uuid, uuid, sizeof(*uuid)) == 0)
		*topic = named;
	return true;
}

bool
ks_topic_find_or_bind(const char *name, KsTopic *topic)
{
	if (ks_topic_find(name, topic))
		return true;
	if (ks_topic_bind == NULL)
		return false;
	KS_DEBUG_POINT("topic.not_found");
	/* somebody else may have made a topic of it since we looked */
	ks_topic_bind(name);
	return ks_topic_find(name, topic);
}

void
ks_topic_get(const char *name, KsTopic *topic)
{
	if (!ks_topic_find_or_bind(name, topic))
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", name),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, NULL)));
}

void
ks_topic_check_partition(const KsTopic *topic, int32 partition)
{
	if (partition < 0 || partition >= topic->partitions)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("topic \"%s\" has no partition %d", topic->name, partition),
				 errdetail("Its partitions are numbered from 0 to %d.", topic->partitions - 1)));
}

bool
ks_topic_has_right(const KsTopic *topic, AclMode any)
{
	return pg_class_aclmask(topic->relid, GetUserId(), any, ACLMASK_ANY) != 0;
}

bool
ks_topic_may_be_seen(const KsTopic *topic)
{
	bool is_missing = false;

	return pg_class_aclcheck_ext(topic->relid, GetUserId(), ACL_SELECT | ACL_INSERT | ACL_TRUNCATE,
								 &is_missing) == ACLCHECK_OK ||
		   has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

void
ks_topic_check_right(const KsTopic *topic, AclMode mode)
{
	ks_topic_check_right_of(topic, mode, GetUserId());
}

void
ks_topic_check_right_of(const KsTopic *topic, AclMode mode, Oid role)
{
	if (pg_class_aclmask(topic->relid, role, mode, ACLMASK_ANY) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for topic \"%s\"", topic->name),
				 errhint("Its owner can grant %s on its table in schema kstream_topic.",
						 mode == ACL_INSERT ? "INSERT" : mode == ACL_SELECT ? "SELECT"
																			: "TRUNCATE")));
}

void
ks_topic_check_owner(const KsTopic *topic)
{
	if (!KS_RELATION_OWNERCHECK(topic->relid, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of topic \"%s\"", topic->name)));
}

void
ks_topic_partition_key(const KsTopic *topic, int32 partition, KsPartitionKey *key)
{
	key->dbid = MyDatabaseId;
	key->extension = topic->extension;
	key->topic = topic->uuid;
	key->partition = partition;
}

void
ks_topic_partition_row(const KsTopic *topic, int32 partition, KsPartitionRow *row)
{
	Relation rel = ks_catalog_open(&ks_catalog()->partition);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;
	bool isnull;

	ScanKeyInit(&keys[0], Anum_partition_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	ScanKeyInit(&keys[1], Anum_partition_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	scan = systable_beginscan(rel, ks_catalog()->partition_index, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	memset(row, 0, sizeof(KsPartitionRow));
	if (HeapTupleIsValid(tuple))
	{
		TupleDesc desc = RelationGetDescr(rel);

		row->log_start = DatumGetInt64(heap_getattr(tuple, Anum_partition_log_start_offset, desc, &isnull));
		row->stable_offset = DatumGetInt64(heap_getattr(tuple, Anum_partition_stable_offset, desc, &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (row->log_start < 0 || row->stable_offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("partition %d of topic \"%s\" has a negative offset in the catalog", partition, topic->name)));
}
