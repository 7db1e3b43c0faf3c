/*-------------------------------------------------------------------------
 * group_message.h
 *	  What sessions and the listener say to each other about classic groups.
 *
 * src/kafka/group_message.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_GROUP_MESSAGE_H
#define KS_KAFKA_GROUP_MESSAGE_H

#include "group/shared.h"
#include "wire/wire_message.h"

typedef enum KsGroupCall
{
	KS_GROUP_JOIN,
	KS_GROUP_SYNC,
	KS_GROUP_HEARTBEAT,
	KS_GROUP_LEAVE,
	KS_GROUP_MAY_COMMIT, /* answered with the stamp to commit under */
	KS_GROUP_DESCRIBE
} KsGroupCall;

/* Texts of a message; len -1: none.  Not terminated, of any bytes. */
enum
{
	KS_GROUP_MEMBER,
	KS_GROUP_INSTANCE,
	KS_GROUP_CLIENT,
	KS_GROUP_HOST,
	KS_GROUP_TYPE,     /* of protocol: "consumer" */
	KS_GROUP_PROTOCOL, /* its name: "range" */
	KS_GROUP_LEADER,
	KS_GROUP_ASSIGNMENT,
	KS_GROUP_TEXTS
};

/* Flags. */
#define KS_GROUP_NEEDS_ID 1         /* JOIN: a new member is to come again with the id that it gets */
#define KS_GROUP_SKIPS_ASSIGNMENT 2 /* JOIN: the client knows the flag below; its answer: no assignment is wanted */

/*
 * Elements: JOIN's protocols (PROTOCOL, ASSIGNMENT holds the metadata) and the
 * members in its answer (the same, by MEMBER and INSTANCE); SYNC's assignments
 * (MEMBER); LEAVE's members, and in its answer each one's error as `number`;
 * DESCRIBE's members (PROTOCOL holds the metadata).
 */
typedef struct KsGroupItem
{
	int32 number;
	KwString text[KS_GROUP_TEXTS];
} KsGroupItem;

typedef struct KsGroupMessage
{
	KsGroupCall call;
	int32 error; /* of an answer: Kafka's number */
	KsGroupKey key;
	int32 generation;
	int32 session_timeout;
	int32 rebalance_timeout;
	int32 flags;
	int32 state; /* DESCRIBE: KsClassicState */
	int64 stamp; /* MAY_COMMIT; 0: as who is no member */
	KwString text[KS_GROUP_TEXTS];
	int32 item_count;
	KsGroupItem *items;
} KsGroupMessage;

/* A message with nothing in it: texts are none. */
extern void ks_group_message_init(KsGroupMessage *message, KsGroupCall call, const KsGroupKey *key);

/* n elements with nothing in them, palloc'd. */
extern KsGroupItem *ks_group_items(int32 n);

/* The longest message that the listener takes. */
#define KS_GROUP_MESSAGE_MAX (4 * 1024 * 1024)

/* Append a message's bytes, with their length (int32, itself not counted) in front. */
extern void ks_group_message_encode(const KsGroupMessage *message, StringInfo out);

/*
 * Read what follows the length.  Texts point into the bytes; elements are palloc'd.
 * False: that is no message.
 */
extern bool ks_group_message_decode(const char *data, size_t len, KsGroupMessage *message);

#endif /* KS_KAFKA_GROUP_MESSAGE_H */
