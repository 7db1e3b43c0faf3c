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
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_foreign_table.h"
#include "access/reloptions.h"
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
#include "catalog/ks_catalog.h"
#include "catalog/topic_row.h"
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
	ks_catalog_forget();
}

static void
relation_changed(Datum arg, Oid relid)
{
	messages++;
	if (relid == InvalidOid || ks_catalog_is_topic_table(relid) ||
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

typedef enum LookResult
{
	LOOK_NOTHING,
	LOOK_ROW_ONLY, /* its table is gone */
	LOOK_TOPIC
} LookResult;

/* What a look at the catalog found: the columns, and the options if the table is there. */
static LookResult
fill_topic(bool found, const KsTopicRow *row, KsTopic *topic)
{
	List *options;

	if (!found)
		return LOOK_NOTHING;
	memset(topic, 0, sizeof(KsTopic));
	topic->extension = ks_catalog()->extension;
	topic->topic_id = row->topic_id;
	strlcpy(topic->name, row->name, sizeof(topic->name));
	topic->uuid = row->uuid;
	topic->relid = row->relid;
	topic->partitions = row->partitions;
	if (!read_table_options(topic->relid, &options))
		return LOOK_ROW_ONLY;
	ks_topic_options_read(options, &topic->options);
	KS_DEBUG_POINT("topic.read");
	topic->placed_by_hand = ks_placement_has(topic, KS_PLACED_BY_HAND);
	return LOOK_TOPIC;
}

static bool
is_in_range(const KsTopic *topic)
{
	return topic->partitions >= 1 && topic->partitions <= KS_TOPIC_PARTITIONS_MAX;
}

/*
 * The same for a caller that works with the topic: XX001 when a loop over its
 * partitions would have no end in sight.
 */
static LookResult
fill_sound_topic(bool found, const KsTopicRow *row, KsTopic *topic)
{
	LookResult result = fill_topic(found, row, topic);

	if (result == LOOK_TOPIC && !is_in_range(topic))
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
	LookResult result = LOOK_NOTHING;
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
		KsTopicRow row;

		result = fill_sound_topic(ks_topic_row_by_name(name, &row), &row, topic);
		if (before != messages)
			continue;
		if (result == LOOK_TOPIC)
			keep(topic);
		return result == LOOK_TOPIC;
	}
	/* Nobody shall rely on it longer than for this call. */
	ks_topic_cache_serial++;
	return result == LOOK_TOPIC;
}

bool
ks_topic_find_by_relation(Oid relid, KsTopic *topic)
{
	KsTopicRow row;

	if (fill_topic(ks_topic_row_by_table(relid, &row), &row, topic) == LOOK_NOTHING)
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
		KsTopicRow row;

		if (fill_topic(ks_topic_row_by_name(name, &row), &row, topic) != LOOK_ROW_ONLY)
			return false;
	}
	return true;
}

bool
ks_topic_find_by_id(int32 topic_id, KsTopic *topic)
{
	KsTopicRow row;

	return fill_sound_topic(ks_topic_row_by_id(topic_id, &row), &row, topic) == LOOK_TOPIC;
}

bool
ks_topic_find_by_uuid(const pg_uuid_t *uuid, KsTopic *topic)
{
	KsTopicRow row;

	return fill_sound_topic(ks_topic_row_by_uuid(uuid, &row), &row, topic) == LOOK_TOPIC;
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
	(void) ks_partition_row_find(topic->topic_id, partition, row);
	if (row->log_start < 0 || row->stable_offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("partition %d of topic \"%s\" has a negative offset in the catalog", partition, topic->name)));
}
