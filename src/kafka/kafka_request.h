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
#include "wire/message.h"

/* Kafka's error numbers that have no SQLSTATE of ours (base/errors.h has the others). */
#define KK_UNKNOWN_SERVER_ERROR (-1)
#define KK_NONE 0
#define KK_NOT_LEADER_OR_FOLLOWER 6
#define KK_REQUEST_TIMED_OUT 7
#define KK_COORDINATOR_NOT_AVAILABLE 15
#define KK_INVALID_TOPIC_EXCEPTION 17
#define KK_CLUSTER_AUTHORIZATION_FAILED 31
#define KK_UNSUPPORTED_SASL_MECHANISM 33
#define KK_ILLEGAL_SASL_STATE 34
#define KK_UNSUPPORTED_VERSION 35
#define KK_INVALID_REPLICATION_FACTOR 38
#define KK_INVALID_REPLICA_ASSIGNMENT 39
#define KK_INVALID_CONFIG 40
#define KK_NOT_CONTROLLER 41
#define KK_INVALID_REQUEST 42
#define KK_SECURITY_DISABLED 54
#define KK_KAFKA_STORAGE_ERROR 56
#define KK_SASL_AUTHENTICATION_FAILED 58
#define KK_FENCED_LEADER_EPOCH 74
#define KK_UNKNOWN_LEADER_EPOCH 75
#define KK_INVALID_REQUIRED_ACKS 21
#define KK_INVALID_TXN_STATE 48
#define KK_UNSUPPORTED_COMPRESSION_TYPE 76
#define KK_UNKNOWN_TOPIC_ID 100
#define KK_TRANSACTIONAL_ID_AUTHORIZATION_FAILED 53

typedef struct KkRequest
{
	KkConnection *connection;
	KwHeader header;
	const KwApi *api;
	const void *body;      /* the request's structure */
	MemoryContext context; /* reset when the request has been answered */
	bool gone;             /* set by a handler: the client is gone, answer nothing */
} KkRequest;

/*
 * Serve a request: fill the response, which has its defaults.  Runs in the
 * request's context, outside of a transaction.  False: nothing is answered.
 */
typedef bool (*KkHandler)(KkRequest *request, void *response);

/* The handler of an API; NULL: it is not served after authentication. */
extern KkHandler kk_handler(int16 key);

/*
 * Do work in a transaction of its own.  KK_NONE when it has committed; else it
 * has rolled back and this is Kafka's number of the error, and *message (if
 * wanted) its text in the request's context.  What the work leaves for the answer
 * belongs into that context: it runs in the transaction's.
 */
typedef void (*KkWork)(KkRequest *request, void *arg);
extern int16 kk_transaction(KkRequest *request, KkWork work, void *arg, char **message);

/* Kafka's number of an error; of class KS and where PostgreSQL has its own code. */
extern int16 kk_error_number(const ErrorData *error);

/* A topic by name, or by id if the name is empty, for a user with one of these rights.  KK_NONE or the error. */
extern int16 kk_topic_find(KwString name, const KwUuid *id, AclMode any, KsTopic *topic);

/* Names in answers: the topic's name and id, in the request's context. */
extern KwString kk_topic_name(KkRequest *request, const KsTopic *topic);
extern KwUuid kk_topic_uuid(const KsTopic *topic);

/* An array of a response. */
#define KK_ALLOC_ARRAY(request, array, n) \
	((array).count = (n), (array).items = MemoryContextAllocZero((request)->context, Max((size_t) (n) * sizeof(*(array).items), 1)))

/* Handlers, by file. */
extern bool kk_handle_produce(KkRequest *request, void *response); /* kafka_produce.c */
extern bool kk_handle_init_producer_id(KkRequest *request, void *response);
extern bool kk_handle_api_versions(KkRequest *request, void *response); /* kafka_api_versions.c */
extern bool kk_handle_metadata(KkRequest *request, void *response);     /* kafka_metadata.c */
extern bool kk_handle_describe_cluster(KkRequest *request, void *response);
extern bool kk_handle_find_coordinator(KkRequest *request, void *response);
extern bool kk_handle_describe_topic_partitions(KkRequest *request, void *response);
extern bool kk_handle_fetch(KkRequest *request, void *response);        /* kafka_fetch.c */
extern bool kk_handle_list_offsets(KkRequest *request, void *response); /* kafka_offsets.c */

/* How clients reach this server: host and port to advertise (kafka_metadata.c). */
extern void kk_advertised(KkRequest *request, KwString *host, int32 *port);
extern char *kk_cluster_id(void);

#endif /* KS_KAFKA_KAFKA_REQUEST_H */
