/*-------------------------------------------------------------------------
 * classic_group.h
 *	  Groups that share partitions by Kafka's classic protocol: the state machine.
 *
 * src/kafka/classic_group.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_CLASSIC_GROUP_H
#define KS_KAFKA_CLASSIC_GROUP_H

#include "group/classic_slot.h"
#include "kafka/group_message.h"

/* What the machine needs of others; none of these throws. */
typedef struct KsClassicHooks
{
	KsClassicEntry (*enter)(const KsGroupKey *key, int64 timeout, int32 *generation);
	void (*leave)(const KsGroupKey *key);
	int64 (*stamp)(const KsGroupKey *key);
	Oid (*owner)(const KsGroupKey *key);
	void (*publish)(const KsGroupKey *key, KsClassicState state, int32 generation, const char *protocol_type);

	/* Answer a call; caller is what ks_coordinator_call() was given. */
	void (*answer)(void *caller, const KsGroupMessage *answer);

	/* For the log: a member was removed because of `what`; or, member NULL, a generation has begun. */
	void (*report)(const KsGroupKey *key, const KwString *member, const char *what, int32 generation, int32 members);
} KsClassicHooks;

/* Looked at with each call, so they may change. */
typedef struct KsClassicLimits
{
	int32 min_session_timeout; /* ms */
	int32 max_session_timeout;
	int32 initial_delay; /* how long the first members of a group wait for others, ms */
	size_t memory;       /* bytes that all members may keep here */
} KsClassicLimits;

typedef struct KsCoordinator KsCoordinator;

/* In CurrentMemoryContext, in which all calls must be made.  hooks and limits must stay. */
extern KsCoordinator *ks_coordinator_create(const KsClassicHooks *hooks, const KsClassicLimits *limits);

/*
 * Do what a session asks, at a time (ms of a clock that only moves forward).  It is
 * answered by hooks->answer, at once or at a later call.  A caller waits for one answer
 * at a time.
 */
extern void ks_coordinator_call(KsCoordinator *coordinator, const KsGroupMessage *call, void *caller, int64 now);

/* A caller is gone, its answer is not wanted any more.  Its member stays for its session timeout. */
extern void ks_coordinator_forget(KsCoordinator *coordinator, void *caller, int64 now);

/* Do what is due by now.  Returns when it is to be called again, PG_INT64_MAX: need not. */
extern int64 ks_coordinator_tick(KsCoordinator *coordinator, int64 now);

#endif /* KS_KAFKA_CLASSIC_GROUP_H */
