/*-------------------------------------------------------------------------
 * kafka_slots.h
 *	  The Kafka connections that there are, in shared memory.
 *
 * src/kafka/kafka_slots.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_SLOTS_H
#define KS_KAFKA_KAFKA_SLOTS_H

#include "utils/timestamp.h"

#define KS_KAFKA_CLIENT_ID_MAX 64
#define KS_KAFKA_ADDRESS_MAX 64

typedef struct KsKafkaSlot
{
	/* Protected by the lock; pid 0: free */
	int pid;
	Oid role; /* InvalidOid: not authenticated so far */
	bool tls;
	TimestampTz since;
	char address[KS_KAFKA_ADDRESS_MAX];
	char client_id[KS_KAFKA_CLIENT_ID_MAX];
	char software[KS_KAFKA_CLIENT_ID_MAX];

	/* Written by its session alone, read without a lock: for the view */
	int64 requests;
	int64 errors;
	int64 bytes_in;
	int64 bytes_out;
	TimestampTz last_request;
} KsKafkaSlot;

/* Take a slot for this process, given back at its exit; NULL: there is none left. */
extern KsKafkaSlot *ks_kafka_slot_take(const char *address);

/* The session is this role's now. */
extern void ks_kafka_slot_authenticated(KsKafkaSlot *slot, Oid role);

/* What the client says of itself; bytes that are no plain text are left out. */
extern void ks_kafka_slot_describe(KsKafkaSlot *slot, const char *client_id, const char *software);

/* Connections of a role; of all. */
extern int ks_kafka_slots_of_role(Oid role);
extern int ks_kafka_slots_used(void);

/* Connections from an address (a host without its port). */
extern int ks_kafka_slots_of_host(const char *host);

/* What all sessions have served since the server started, by API. */
typedef struct KsKafkaServed
{
	int64 requests;
	int64 errors; /* transactions that rolled back */
	int64 usec;   /* with the time that requests waited */
} KsKafkaServed;
extern void ks_kafka_count_served(int16 api, int64 requests, int64 errors, int64 usec);
extern void ks_kafka_read_served(int16 api, KsKafkaServed *served);

/* Copies of the slots in use, palloc'd. */
extern KsKafkaSlot *ks_kafka_slots_list(int *count);

/* For ks_shmem.c: the slots' part of shared memory. */
extern Size ks_kafka_shmem_size(void);
extern void ks_kafka_shmem_init(void);

#endif /* KS_KAFKA_KAFKA_SLOTS_H */
