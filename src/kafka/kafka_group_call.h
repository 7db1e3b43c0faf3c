/*-------------------------------------------------------------------------
 * kafka_group_call.h
 *	  What requests of groups share: the group, and calls to the listener.
 *
 * src/kafka/kafka_group_call.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_GROUP_CALL_H
#define KS_KAFKA_KAFKA_GROUP_CALL_H

#include "kafka/group_message.h"
#include "kafka/kafka_request.h"

/* Longest texts that a client may say, bytes; Kafka's limits of instances and of metadata of offsets. */
#define KS_KAFKA_INSTANCE_MAX 249
#define KS_KAFKA_MEMBER_ID_MAX 1024
#define KS_KAFKA_OFFSET_METADATA_MAX 4096

/*
 * A group by its name, for the client's role, in a transaction of its own; create:
 * make it if there is none, which a role may that can read a topic.  KS_KAFKA_NONE or
 * the error, GROUP_ID_NOT_FOUND among them.
 */
extern int16 ks_kafka_group_open(KsKafkaRequest *request, KwString name, bool create, KsGroupKey *key);

/* The same inside a transaction; throws.  False: there is none. */
extern bool ks_kafka_group_open_existing(KwString name, KsGroupKey *key);

/* Bytes that a text of the database may have, as they are. */
extern bool ks_kafka_is_text(KwString text);

/* Copy of a text into CurrentMemoryContext; none: NULL. */
extern char *ks_kafka_text(KwString text);

/*
 * Call the listener and wait for its answer, outside of a transaction.  KS_KAFKA_NONE:
 * *answer holds it, with its own error, in the request's context.  When the client
 * goes meanwhile request->gone is set.
 */
extern int16 ks_kafka_group_call(KsKafkaRequest *request, const KsGroupMessage *call, KsGroupMessage *answer);

/*
 * May this member commit?  KS_KAFKA_NONE: under *stamp, or, 0, as who is no member.
 */
extern int16 ks_kafka_group_may_commit(KsKafkaRequest *request, const KsGroupKey *key, int32 generation, KwString member,
									   KwString instance, int64 *stamp);

/*
 * May this member commit in a Kafka client's transaction?  The only call inside of a
 * transaction: the listener answers it at once.  Asked under the locks of the
 * partitions, so that a member of the next generation, which looks for pending offsets
 * under the same ones, sees what this one has staged.
 */
extern int16 ks_kafka_group_may_stage(KsKafkaRequest *request, const KsGroupKey *key, int32 generation, KwString member,
									  KwString instance);

#endif /* KS_KAFKA_KAFKA_GROUP_CALL_H */
