/*-------------------------------------------------------------------------
 * partitioner.c
 *	  Which partition a record goes to.
 *
 * A key: murmur2 of its bytes, the sign bit masked off (not the absolute
 * value), modulo the number of partitions: what Kafka's Java client does
 * (BuiltInPartitioner.partitionForKey, Utils.murmur2), so that a key has one
 * partition whoever produces it.  An empty key is hashed as well.
 *
 * No key: a random partition, kept for one statement and about 16 KiB
 * (Kafka's batch.size), so that batches grow.
 *
 * Pure but for the random choice.
 *
 * src/produce/partitioner.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "produce/partitioner.h"

#define MURMUR2_SEED 0x9747b28cU
#define MURMUR2_M 0x5bd1e995U
#define MURMUR2_R 24
#define STICKY_BYTES 16384

/* Kafka's murmur2, as its Java client computes it. */
static uint32
murmur2(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *) data;
	uint32 h = MURMUR2_SEED ^ (uint32) len;

	/* Little-endian whatever the machine, as the Java client reads it. */
	for (; len >= 4; p += 4, len -= 4)
	{
		uint32 k = p[0] | (uint32) p[1] << 8 | (uint32) p[2] << 16 | (uint32) p[3] << 24;

		k *= MURMUR2_M;
		k ^= k >> MURMUR2_R;
		k *= MURMUR2_M;
		h *= MURMUR2_M;
		h ^= k;
	}
	switch (len)
	{
		case 3:
			h ^= (uint32) p[2] << 16;
			/* FALLTHROUGH */
		case 2:
			h ^= (uint32) p[1] << 8;
			/* FALLTHROUGH */
		case 1:
			h ^= p[0];
			h *= MURMUR2_M;
			break;
		default:
			break;
	}
	h ^= h >> 13;
	h *= MURMUR2_M;
	h ^= h >> 15;
	return h;
}

int32
ks_partition_for_key(const char *key, size_t len, int32 partitions)
{
	return (int32) ((murmur2(key, len) & 0x7fffffff) % (uint32) partitions);
}

void
ks_sticky_init(KsSticky *sticky)
{
	sticky->partition = -1;
	sticky->bytes = 0;
	sticky->statement = 0;
}

int32
ks_sticky_partition(KsSticky *sticky, int32 partitions, int64 statement, int64 bytes)
{
	if (sticky->partition < 0 || sticky->bytes >= STICKY_BYTES || sticky->statement != statement)
	{
		sticky->partition = (int32) pg_prng_uint64_range(&pg_global_prng_state, 0, partitions - 1);
		sticky->bytes = 0;
		sticky->statement = statement;
	}
	sticky->bytes += bytes;
	return sticky->partition;
}
