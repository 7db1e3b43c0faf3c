/*-------------------------------------------------------------------------
 * keymap.c
 *	  The greatest offset of each key, in memory of a fixed size.
 *
 * What compaction has to know of a log: for each key where its last record is.
 * The keys themselves would not fit into memory, so the map holds 128 bits of
 * hash in place of each: 24 bytes an entry, however long the keys.
 *
 * Two keys of the same hash would be taken for one, and the older one's record
 * would be removed.  With n keys in a map that happens with a probability of
 * n * n / 2^129: for a thousand million keys about one in 10^21.  The hash is
 * PostgreSQL's hash_bytes_extended twice, seeded at random for each map, so
 * that nobody can prepare keys that collide, and a collision would not come
 * back in the next run.  (Kafka takes MD5, which costs more and is not available
 * in FIPS mode.  Who might find a way to collide on purpose could as well produce
 * a tombstone for the key: both take the right to produce.)
 *
 * Open addressing with linear probing, at most three quarters full.
 * simplehash.h would do the same but grows when it gets crowded, and then
 * takes three times the memory that it was given.
 *
 * src/log/keymap.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "log/keymap.h"

#define MIN_SLOTS 1400

typedef struct Slot
{
	uint64 hash[2];
	int64 offset; /* plus one; 0: the slot is free */
} Slot;

struct KsKeyMap
{
	uint64 seed[2];
	uint64 slot_count;
	uint64 count;
	uint64 max_count;
	Slot *slots;
};

KsKeyMap *
ks_keymap_create(MemoryContext parent, int64 keys, int64 bytes)
{
	MemoryContext context = AllocSetContextCreate(parent, "kstream keys", ALLOCSET_SMALL_SIZES);
	KsKeyMap *map = MemoryContextAllocZero(context, sizeof(KsKeyMap));
	int64 wanted = keys < PG_INT32_MAX ? keys + keys / 3 + 2 : PG_INT64_MAX;
	int64 slots = Min(wanted, bytes / (int64) sizeof(Slot));

	/* find_slot() multiplies 32 bits of hash by it in 64 bits. */
	map->slot_count = Min(Max(slots, MIN_SLOTS), PG_INT32_MAX);
	map->max_count = map->slot_count / 4 * 3;
	/* Zeroed, since a slot of offset 0 is a free one; huge, since maintenance_work_mem may be. */
	map->slots = MemoryContextAllocExtended(context, map->slot_count * sizeof(Slot),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (!pg_strong_random(map->seed, sizeof(map->seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random numbers")));
	return map;
}

/* The slot of a key, or the free one where it would go. */
static Slot *
find_slot(const KsKeyMap *map, const char *key, int32 key_len, uint64 hash[2])
{
	uint64 i;

	hash[0] = hash_bytes_extended((const unsigned char *) key, key_len, map->seed[0]);
	hash[1] = hash_bytes_extended((const unsigned char *) key, key_len, map->seed[1]);
	/* Multiply and shift in place of a modulo: uniform, and cheaper. */
	i = ((hash[0] >> 32) * map->slot_count) >> 32;
	for (;;)
	{
		Slot *slot = &map->slots[i];

		/* Ends, as a quarter of the slots is always free. */
		if (slot->offset == 0 || (slot->hash[0] == hash[0] && slot->hash[1] == hash[1]))
			return slot;
		if (++i == map->slot_count)
			i = 0;
	}
}

bool
ks_keymap_put(KsKeyMap *map, const char *key, int32 key_len, int64 offset)
{
	uint64 hash[2];
	Slot *slot = find_slot(map, key, key_len, hash);

	if (slot->offset == 0)
	{
		if (map->count >= map->max_count)
			return false;
		map->count++;
		slot->hash[0] = hash[0];
		slot->hash[1] = hash[1];
	}
	/* Records come in ascending order, so the last one put is the latest. */
	slot->offset = offset + 1;
	return true;
}

int64
ks_keymap_get(const KsKeyMap *map, const char *key, int32 key_len)
{
	uint64 hash[2];

	return find_slot(map, key, key_len, hash)->offset - 1;
}
