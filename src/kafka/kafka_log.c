/*-------------------------------------------------------------------------
 * kafka_log.c
 *	  How much clients may make the server write into its log.
 *
 * A client that fails to log in, or whose requests fail for the server's fault, is
 * worth a line.  Whoever can connect can do that thousands of times a second, so
 * all sessions share a budget for each second (kstream.kafka_max_log_lines).
 *
 * The budget is one atomic: the second, and how many asked in it.  Whoever asks first
 * in another second tells what the one before it left out.  No lock; nothing to
 * undo on abort; made anew with shared memory.
 *
 * src/kafka/kafka_log.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "kafka/kafka.h"
#include "kafka/kafka_log.h"

typedef struct Shared
{
	pg_atomic_uint64 asked; /* the second in the upper half, how often in the lower */
} Shared;

static Shared *shared = NULL;

Size
ks_kafka_log_shmem_size(void)
{
	return MAXALIGN(sizeof(Shared));
}

void
ks_kafka_log_shmem_init(void)
{
	bool found;

	shared = ShmemInitStruct("kstream kafka log", ks_kafka_log_shmem_size(), &found);
	if (!found)
		pg_atomic_init_u64(&shared->asked, 0);
}

bool
ks_kafka_may_log(void)
{
	uint32 second = (uint32) (GetCurrentTimestamp() / USECS_PER_SEC);
	uint64 old = pg_atomic_read_u64(&shared->asked);
	uint64 asked;

	do
		asked = (uint32) (old >> 32) == second ? old + 1 : ((uint64) second << 32) + 1;
	while (!pg_atomic_compare_exchange_u64(&shared->asked, &old, asked));
	if ((uint32) (old >> 32) != second && (uint32) old > (uint32) ks_kafka_max_log_lines)
		ereport(LOG, (errmsg("%u lines about Kafka clients were left out", (uint32) old - (uint32) ks_kafka_max_log_lines)));
	return (uint32) asked <= (uint32) ks_kafka_max_log_lines;
}
