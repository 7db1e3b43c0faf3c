/*-------------------------------------------------------------------------
 * partitioner.h
 *	  Which partition a record goes to.
 *
 * src/produce/partitioner.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_PARTITIONER_H
#define KS_PRODUCE_PARTITIONER_H

/* The partition of a key among n: by its hash, as Kafka's Java client computes it. */
extern int32 ks_partition_for_key(const char *key, size_t len, int32 partitions);

/* Where records without a key go, per topic and transaction. */
typedef struct KsSticky
{
	int32 partition; /* -1: choose one */
	int64 bytes;     /* sent there since it was chosen */
	int64 statement; /* start of the statement that chose it */
} KsSticky;

extern void ks_sticky_init(KsSticky *sticky);
extern int32 ks_sticky_partition(KsSticky *sticky, int32 partitions, int64 statement, int64 bytes);

#endif /* KS_PRODUCE_PARTITIONER_H */
