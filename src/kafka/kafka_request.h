/*-------------------------------------------------------------------------
 * kafka_request.h
 *	  A request being served: what handlers get, and what they share.
 *
 * src/kafka/kafka_request.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_REQUEST_H
#define KS_KAFKA_KAFKA_REQUEST_H

#include "kafka/kafka_connection.h"
#include "topic/topic.h"
#include "wire/wire_message.h"

/* Kafka's error numbers that have no SQLSTATE of ours (base/errors.h has the others). */
#define KS_KAFKA_UNKNOWN_SERVER_ERROR (-1)
#define KS_KAFKA_NONE 0
#define KS_KAFKA_NOT_LEADER_OR_FOLLOWER 6
#define KS_KAFKA_REQUEST_TIMED_OUT 7
#define KS_KAFKA_COORDINATOR_LOAD_IN_PROGRESS 14
#define KS_KAFKA_COORDINATOR_NOT_AVAILABLE 15
#define KS_KAFKA_NOT_COORDINATOR 16
#define KS_KAFKA_ILLEGAL_GENERATION 22
#define KS_KAFKA_INVALID_SESSION_TIMEOUT 26
#define KS_KAFKA_REBALANCE_IN_PROGRESS 27
#define KS_KAFKA_MEMBER_ID_REQUIRED 79
#define KS_KAFKA_GROUP_MAX_SIZE_REACHED 81
#define KS_KAFKA_FENCED_INSTANCE_ID 82
#define KS_KAFKA_GROUP_SUBSCRIBED_TO_TOPIC 86
#define KS_KAFKA_UNSTABLE_OFFSET_COMMIT 88
#define KS_KAFKA_INVALID_TOPIC_EXCEPTION 17
#define KS_KAFKA_CLUSTER_AUTHORIZATION_FAILED 31
#define KS_KAFKA_UNSUPPORTED_SASL_MECHANISM 33
#define KS_KAFKA_ILLEGAL_SASL_STATE 34
#define KS_KAFKA_UNSUPPORTED_VERSION 35
#define KS_KAFKA_INVALID_REPLICATION_FACTOR 38
#define KS_KAFKA_INVALID_REPLICA_ASSIGNMENT 39
#define KS_KAFKA_INVALID_CONFIG 40
#define KS_KAFKA_NOT_CONTROLLER 41
#define KS_KAFKA_INVALID_REQUEST 42
#define KS_KAFKA_SECURITY_DISABLED 54
#define KS_KAFKA_KAFKA_STORAGE_ERROR 56
#define KS_KAFKA_SASL_AUTHENTICATION_FAILED 58
#define KS_KAFKA_FENCED_LEADER_EPOCH 74
#define KS_KAFKA_UNKNOWN_LEADER_EPOCH 75
#define KS_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND 20
#define KS_KAFKA_INVALID_REQUIRED_ACKS 21
#define KS_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER 45
#define KS_KAFKA_INVALID_PRODUCER_EPOCH 47
#define KS_KAFKA_INVALID_TXN_STATE 48
#define KS_KAFKA_UNSUPPORTED_COMPRESSION_TYPE 76
#define KS_KAFKA_ELECTION_NOT_NEEDED 84
#define KS_KAFKA_UNKNOWN_TOPIC_ID 100
#define KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED 53
#define KS_KAFKA_POLICY_VIOLATION 44
#define KS_KAFKA_INVALID_PRODUCER_ID_MAPPING 49
#define KS_KAFKA_INVALID_TRANSACTION_TIMEOUT 50
#define KS_KAFKA_CONCURRENT_TRANSACTIONS 51
#define KS_KAFKA_OPERATION_NOT_ATTEMPTED 55
#define KS_KAFKA_UNSTABLE_OFFSET_COMMIT 88
#define KS_KAFKA_PRODUCER_FENCED 90
#define KS_KAFKA_TRANSACTIONAL_ID_NOT_FOUND 105
#define KS_KAFKA_TRANSACTION_ABORTABLE 120
#define KS_KAFKA_INVALID_REGULAR_EXPRESSION 128

typedef struct KsKafkaRequest
{
	KsKafkaConnection *connection;
	KwHeader header;
	const KwApi *api;
	const void *body;      /* the request's structure */
	MemoryContext context; /* reset when the request has been answered */
	bool gone;             /* set by a handler: the client is gone, answer nothing */
} KsKafkaRequest;

/*
 * Serve a request: fill the response, which has its defaults.  Runs in the
 * request's context, outside of a transaction.  False: nothing is answered.
 */
typedef bool (*KsKafkaHandler)(KsKafkaRequest *request, void *response);

/* The longest request (Kafka's socket.request.max.bytes). */
#define KS_KAFKA_FRAME_MAX (100 * 1024 * 1024)

#define KS_KAFKA_API_VERSIONS 18

/* Send an answer in the form of a version; false when the client is gone. */
extern bool ks_kafka_respond(KsKafkaRequest *request, const void *response, int16 version);

/* The handler of an API; NULL: it is not served after authentication. */
extern KsKafkaHandler ks_kafka_handler(int16 key);

/*
 * Do work in a transaction of its own.  KS_KAFKA_NONE when it has committed; else it
 * has rolled back and this is Kafka's number of the error, and *message (if
 * wanted) its text in the request's context.  What the work leaves for the answer
 * belongs into that context: it runs in the transaction's.  Does not return
 * when the session was terminated meanwhile.
 */
typedef void (*KsKafkaWork)(KsKafkaRequest *request, void *arg);
extern int16 ks_kafka_transaction(KsKafkaRequest *request, KsKafkaWork work, void *arg, char **message);

/* Is there the extension in the database of this session?  Outside a transaction. */
extern bool ks_kafka_has_extension(void);

/* Any right by which a topic may be seen. */
#define KS_KAFKA_ANY_RIGHT (ACL_SELECT | ACL_INSERT | ACL_TRUNCATE)

/* A topic by name, or by id if the name is empty, for a user with one of these rights.  KS_KAFKA_NONE or the error. */
extern int16 ks_kafka_topic_find(KwString name, const KwUuid *id, AclMode any, KsTopic *topic);

/* Names in answers: the topic's name and id, in the request's context. */
extern KwString ks_kafka_topic_name(KsKafkaRequest *request, const KsTopic *topic);
extern KwUuid ks_kafka_topic_uuid(const KsTopic *topic);

/*
 * Arrays of a response, in the request's context: of structures, at their defaults, and
 * of other values.  54000 when the context has more than any request needs: a few bytes
 * can ask for much.  An array that cannot be made stays as it was, so that an answer
 * whose making failed can be sent as far as it got.
 */
extern void *ks_kafka_new_array(KsKafkaRequest *request, const KwStruct *def, int32 count);
extern void *ks_kafka_new_array_in(MemoryContext context, const KwStruct *def, int32 count);
#define KS_KAFKA_STRUCTS(request, array, structure, n) \
	((array).items = ks_kafka_new_array((request), &ks_wire_##structure, (n)), (array).count = (n))
#define KS_KAFKA_VALUES(request, array, n) \
	((array).items = MemoryContextAllocZero((request)->context, Max((size_t) (n) * sizeof(*(array).items), 1)), (array).count = (n))

#endif /* KS_KAFKA_KAFKA_REQUEST_H */
