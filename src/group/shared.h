/*-------------------------------------------------------------------------
 * shared.h
 *	  Groups, members and who owns which partition, in shared memory; private
 *	  to src/group.
 *
 * src/group/shared.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_SHARED_H
#define KS_GROUP_SHARED_H

#include "storage/itemptr.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "base/pool.h"
#include "group/assignor.h"
#include "topic/topic.h"

/* Bytes of a group's and a member's name. */
#define KS_GROUP_NAME_MAX 255

/* Bytes that are kept of a classic group's protocol type ("consumer", "connect"). */
#define KS_PROTOCOL_TYPE_MAX 63

typedef enum KsOffsetReset
{
	KS_RESET_EARLIEST,
	KS_RESET_LATEST,
	KS_RESET_NONE
} KsOffsetReset;

typedef struct KsGroupOptions
{
	KsAssignor assignor;
	KsOffsetReset auto_offset_reset;
	int64 session_timeout;   /* ms */
	int64 max_poll_interval; /* ms */
	int64 offsets_retention; /* ms */
} KsGroupOptions;

/* Why a member does not own a partition any more. */
typedef enum KsLossReason
{
	KS_LOST_REBALANCE,   /* another member was to have it */
	KS_LOST_LEFT,        /* the member left the group, or its session ended */
	KS_LOST_REMOVED,     /* unsubscribe() by another while its transaction was open */
	KS_LOST_SILENT,      /* session_timeout */
	KS_LOST_NOT_POLLING, /* max_poll_interval */
	KS_LOST_GROUP        /* the group was dropped, or its place in memory was given away */
} KsLossReason;

typedef struct KsLoss
{
	KsLossReason why;
	int64 stamp;    /* of the takeover that ended */
	int64 member;   /* incarnation of the member that lost it */
	int64 limit;    /* the timeout that ran out, ms */
	TimestampTz at; /* 0: nothing was lost */
	int32 topic_id;
	int32 partition;
} KsLoss;

/* What has happened in a group since it came into memory. */
typedef struct KsGroupCounts
{
	int64 joined;
	int64 left;
	int64 evicted;
	int64 silent;
	int64 not_polling;
	int64 takeovers; /* partitions that a member has taken */
	int64 expired;   /* committed offsets */
} KsGroupCounts;

typedef struct KsGroupKey
{
	Oid dbid;
	Oid extension;
	char name[KS_GROUP_NAME_MAX + 1]; /* zero-padded */
} KsGroupKey;

/* Lists are linked by index, -1 ends them. */
typedef struct KsGroup
{
	LWLock lock;

	/* Protected by the index lock; constant while in use */
	KsGroupKey key;
	bool used;

	/* Protected by lock */
	int64 incarnation; /* new each time the slot is filled */
	bool dropped;
	bool persisted;  /* its row is known to be committed */
	bool rowless;    /* it was made by a call, and had no row then */
	bool of_standby; /* what it says was read in recovery, and nobody told it of what changed since */
	int makers;      /* transactions that will write its row, or find it written */
	int dropping;    /* pid of the transaction that is dropping it; 0: none */
	Oid owner;       /* role; InvalidOid, or one that is gone: superusers only */
	bool unlimited;  /* a superuser's: it may take what is kept for others */
	KsGroupOptions options;
	int64 epoch;        /* raised when members, topics or partitions change */
	int64 target_epoch; /* the epoch that targets were computed for */
	int64 version;      /* raised when a partition became free or targets changed */
	int64 next_stamp;   /* of takeovers; above all in the group's rows */
	int64 turn;         /* of the polls, so that partitions are read in turn */
	int32 members;
	int32 member_count;
	int32 subscription_count; /* of all members */
	int64 empty_since;        /* monotonic ms: when the last member left */
	int32 shares;
	int32 share_count;
	int64 rebalances; /* targets computed */
	KsGroupCounts counts;

	/* Of a classic group, whose members Kafka's listener keeps (classic_slot.h) */
	bool classic; /* it was one last */
	int32 classic_members;
	int32 classic_places;   /* their entries in the pool, which say nothing; linked by next */
	int64 classic_listener; /* which of the listeners counted them */
	int64 classic_timeout;  /* ms: the longest of their session timeouts */
	int64 classic_back;     /* monotonic ms: until then members of an earlier listener may come back */
	int32 classic_generation;
	int classic_state;
	char protocol_type[KS_PROTOCOL_TYPE_MAX + 1];
} KsGroup;

/* Members of either kind; group locked. */
static inline int32
ks_group_count_members(const KsGroup *group)
{
	return group->member_count + group->classic_members;
}

typedef struct KsMember
{
	/* Protected by the group's lock */
	int32 next;
	int32 group;       /* -1: free */
	int64 incarnation; /* new each time the slot is taken */
	bool named;        /* else a session */
	bool active;       /* takes part in the assignment */
	char name[KS_GROUP_NAME_MAX + 1];
	int pid;               /* who called last */
	int waiting_procno;    /* to be woken at a change, -1: nobody */
	int64 epoch;           /* group epoch when it last looked */
	int64 last_seen;       /* monotonic ms */
	int64 last_poll;       /* monotonic ms */
	TimestampTz polled_at; /* the same for people */
	int32 subscriptions;
	int32 subscription_count;
	int32 lost;       /* named: partitions lost since its latest poll read from them, uncommitted */
	KsLoss loss;      /* the latest of those */
	int32 owned;      /* shares, linked by next_owned */
	int64 reconciled; /* group version when it last took what was free */
} KsMember;

typedef struct KsSubscription
{
	/* Protected by the group's lock */
	int32 next;
	pg_uuid_t topic;
	int32 topic_id;
	int32 partitions; /* for which there are shares */
	char name[KS_TOPIC_NAME_MAX + 1];
} KsSubscription;

/* A partition as a group shares it out; its states are in ownership.c. */
typedef struct KsShare
{
	/* Protected by the group's lock */
	int32 next;
	pg_uuid_t topic;
	int32 topic_id;
	int32 partition;
	bool added_later; /* when the topic's other partitions were shared out already */
	int32 owner;      /* member, -1: free */
	int32 next_owned;
	int32 target;        /* member that should own it, -1: nobody */
	int64 stamp;         /* of the owner's takeover */
	bool confirmed;      /* a transaction that stamped the row has committed */
	KsLoss loss;         /* how the last owner before this one lost it */
	int64 turn;          /* of the poll that last began with it */
	ItemPointerData tid; /* where the row was seen last; a hint (offset_row.h) */

	/* Where auto_offset_reset let the group start, for the offset that was of no use (start.c) */
	int64 start; /* -1: no reset is remembered */
	int64 start_for;

	/* Left by the owner's, a named member's, committed transaction for its next */
	int64 latest_position; /* where its latest poll ended, -1: it read nothing */
	bool latest_committed;
	int64 sought; /* where its next poll starts, -1: the committed offset */
} KsShare;

typedef struct KsGroupShared
{
	LWLock index_lock;
	int tranche;

	/* Have their own locks */
	KsPool members;
	KsPool subscriptions;
	KsPool shares;

	/* Protected by incarnation_lock */
	slock_t incarnation_lock;
	int64 next_incarnation;
	int64 classic_listener; /* how many listeners there were */
	int64 classic_since;    /* monotonic ms: since when there may be classic groups; 0: there are none */
} KsGroupShared;

extern KsGroupShared *ks_group_shared;
extern KsGroup *ks_groups;
extern KsMember *ks_members;
extern KsSubscription *ks_subscriptions;
extern KsShare *ks_shares;

extern int ks_max_groups;
extern int ks_max_group_members;
extern int ks_max_group_subscriptions;
extern int ks_max_group_partitions;
extern int ks_max_groups_per_role;
extern int ks_group_max_session_timeout; /* ms */

/* For ks_shmem.c. */
extern void ks_group_define_settings(void);
extern void ks_group_define_limits(void);
extern Size ks_group_shmem_size(void);
extern void ks_group_shmem_init(void);

extern void ks_group_make_key(const char *name, KsGroupKey *key);

/* Find a group and lock it; NULL when it is not in memory. */
extern KsGroup *ks_group_lock(const KsGroupKey *key, LWLockMode mode);

/* What a group's row says, or would. */
typedef struct KsGroupStart
{
	Oid owner;
	bool unlimited;
	KsGroupOptions options;
	int64 next_stamp;
	int64 empty_for; /* ms since it was last seen with members */
	bool has_row;
	bool of_standby; /* read in recovery */
} KsGroupStart;

/*
 * Put a group into memory unless it is there; the caller has read its row, or
 * makes it.  53400 when there is no slot left for a group of this owner.
 */
extern void ks_group_install(const KsGroupKey *key, const KsGroupStart *start);

/* Put all members out, forget all partitions; group locked.  Throws nothing. */
extern void ks_group_empty(KsGroup *group);

/*
 * Give back what groups of dropped databases hold in the pools, and on demand
 * groups without members.  No lock is held; looks at the catalog.
 */
extern void ks_group_reclaim(bool memberless);

/*
 * Take an entry out of a pool, zeroed; -1 when there is none left for this
 * group.  Give one back.  The caller holds the lock of the group that it goes to
 * or comes from.
 */
extern int32 ks_member_take(const KsGroup *group);
extern void ks_member_give_back(int32 member);
extern int32 ks_subscription_take(const KsGroup *group);
extern void ks_subscription_give_back(int32 subscription);
extern int32 ks_share_take(const KsGroup *group);
extern void ks_share_give_back(int32 share);

/* ms on a clock that only moves forward and that no clock change touches. */
extern int64 ks_monotonic_ms(void);

#endif /* KS_GROUP_SHARED_H */
