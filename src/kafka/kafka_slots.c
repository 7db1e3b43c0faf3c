/*-------------------------------------------------------------------------
 * kafka_slots.c
 *	  The Kafka connections that there are, in shared memory.
 *
 * A session takes a slot when it starts and gives it back in an exit callback set
 * at that moment, however it ends; so the number of slots is the limit of
 * connections, also when the listener was restarted meanwhile.  After a crash of
 * the server shared memory is made anew.
 *
 * Beside them are counters of what all sessions have served, by API.
 *
 * Locking: one lock, kstream_kafka, for taking, giving back and reading.  The counters
 * are atomics.
 *
 * src/kafka/kafka_slots.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "base/locks.h"
#include "base/pool.h"
#include "group/classic_slot.h"
#include "kafka/kafka.h"
#include "kafka/kafka_log.h"
#include "kafka/kafka_slots.h"

/* APIs that are counted; there are none above. */
#define API_MAX 128

typedef struct Served
{
	pg_atomic_uint64 requests;
	pg_atomic_uint64 errors;
	pg_atomic_uint64 usec;
} Served;

typedef struct Shared
{
	LWLock lock;
	Served served[API_MAX];
	KsKafkaSlot slots[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static Shared *shared = NULL;
static KsKafkaSlot *my_slot = NULL;

Size
ks_kafka_shmem_size(void)
{
	if (ks_kafka_port == 0)
		return 0;
	return MAXALIGN(offsetof(Shared, slots) + ks_kafka_max_connections * sizeof(KsKafkaSlot)) + ks_kafka_log_shmem_size();
}

void
ks_kafka_shmem_init(void)
{
	bool found;
	int i;

	if (ks_kafka_port == 0)
		return;
	ks_kafka_log_shmem_init();
	shared = ShmemInitStruct("kstream kafka", ks_kafka_shmem_size() - ks_kafka_log_shmem_size(), &found);
	if (found)
		return;
	memset(shared, 0, ks_kafka_shmem_size() - ks_kafka_log_shmem_size());
	for (i = 0; i < API_MAX; i++)
	{
		pg_atomic_init_u64(&shared->served[i].requests, 0);
		pg_atomic_init_u64(&shared->served[i].errors, 0);
		pg_atomic_init_u64(&shared->served[i].usec, 0);
	}
	ks_classic_expect();
	LWLockInitialize(&shared->lock, LWLockNewTrancheId());
	LWLockRegisterTranche(shared->lock.tranche, KS_TRANCHE_KAFKA);
}

static void
give_back(int code, Datum arg)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	ks_slot_zero(my_slot, 0, sizeof(*my_slot));
	LWLockRelease(&shared->lock);
}

KsKafkaSlot *
ks_kafka_slot_take(const char *address)
{
	int i;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < ks_kafka_max_connections && my_slot == NULL; i++)
	{
		if (shared->slots[i].pid != 0)
			continue;
		my_slot = &shared->slots[i];
		my_slot->pid = MyProcPid;
		my_slot->since = GetCurrentTimestamp();
		strlcpy(my_slot->address, address, sizeof(my_slot->address));
	}
	LWLockRelease(&shared->lock);
	if (my_slot != NULL)
		before_shmem_exit(give_back, (Datum) 0);
	return my_slot;
}

void
ks_kafka_slot_authenticated(KsKafkaSlot *slot, Oid role)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot->role = role;
	LWLockRelease(&shared->lock);
}

/* A client's words go into a view: printable ASCII only. */
static void
copy_plain(char *to, const char *from, size_t size)
{
	size_t n = 0;

	for (; *from != '\0' && n < size - 1; from++)
	{
		if (*from >= ' ' && *from <= '~')
			to[n++] = *from;
	}
	to[n] = '\0';
}

void
ks_kafka_slot_describe(KsKafkaSlot *slot, const char *client_id, const char *software)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (client_id != NULL)
		copy_plain(slot->client_id, client_id, sizeof(slot->client_id));
	if (software != NULL)
		copy_plain(slot->software, software, sizeof(slot->software));
	LWLockRelease(&shared->lock);
}

static int
count_slots(bool all, Oid role)
{
	int count = 0;
	int i;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = 0; i < ks_kafka_max_connections; i++)
		count += shared->slots[i].pid != 0 && (all || shared->slots[i].role == role);
	LWLockRelease(&shared->lock);
	return count;
}

int
ks_kafka_slots_of_role(Oid role)
{
	return count_slots(false, role);
}

int
ks_kafka_slots_used(void)
{
	return count_slots(true, InvalidOid);
}

/* Is that the host of an address with a port? */
static bool
is_at_host(const char *address, const char *host)
{
	const char *colon = strrchr(address, ':');

	return colon != NULL && strlen(host) == (size_t) (colon - address) && strncmp(address, host, colon - address) == 0;
}

int
ks_kafka_slots_of_host(const char *host)
{
	int count = 0;
	int i;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = 0; i < ks_kafka_max_connections; i++)
		count += shared->slots[i].pid != 0 && is_at_host(shared->slots[i].address, host);
	LWLockRelease(&shared->lock);
	return count;
}

void
ks_kafka_count_served(int16 api, int64 requests, int64 errors, int64 usec)
{
	Served *served;

	if (api < 0 || api >= API_MAX)
		return;
	served = &shared->served[api];
	pg_atomic_fetch_add_u64(&served->requests, requests);
	if (errors > 0)
		pg_atomic_fetch_add_u64(&served->errors, errors);
	pg_atomic_fetch_add_u64(&served->usec, usec);
}

void
ks_kafka_read_served(int16 api, KsKafkaServed *served)
{
	memset(served, 0, sizeof(*served));
	if (shared == NULL || api < 0 || api >= API_MAX)
		return;
	served->requests = pg_atomic_read_u64(&shared->served[api].requests);
	served->errors = pg_atomic_read_u64(&shared->served[api].errors);
	served->usec = pg_atomic_read_u64(&shared->served[api].usec);
}

KsKafkaSlot *
ks_kafka_slots_list(int *count)
{
	KsKafkaSlot *copies;
	int i;

	*count = 0;
	if (shared == NULL)
		return NULL;
	copies = palloc(ks_kafka_max_connections * sizeof(KsKafkaSlot));
	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = 0; i < ks_kafka_max_connections; i++)
	{
		if (shared->slots[i].pid != 0)
			copies[(*count)++] = shared->slots[i];
	}
	LWLockRelease(&shared->lock);
	return copies;
}
