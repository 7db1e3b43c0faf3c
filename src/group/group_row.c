/*-------------------------------------------------------------------------
 * group_row.c
 *	  The rows of kstream.consumer_group.
 *
 * A group has a row with its owner (a role's oid, which dumps show as a name:
 * group_owner.c) and its options.  It is made by create_group(), or by the
 * first poll, in memory at once and in the table at PRE_COMMIT: an earlier
 * INSERT would make the first polls of other sessions wait for this
 * transaction.  The row's key is locked with a lock that is taken only if it is
 * free: a transaction that does not get it leaves the writing to the one that
 * did, and the group stays unpersisted until a transaction that wrote its row,
 * or found it, has committed.
 *
 * A group that is changed by alter_group() or dropped is changed in memory
 * when the transaction commits.  While a drop is not committed nobody else may
 * use the group (55006): a member that joined would be thrown out, and an
 * offset that was written would outlive the group.
 *
 * Locks: a heavyweight lock on the name, waited for by what changes a group.
 *
 * Abort and crash: what was noted is undone, and a group that has no row and
 * was made by a call that is undone goes from memory, so that its name is
 * nobody's.  A crash forgets memory.
 *
 * src/group/group_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/locks.h"
#include "catalog/committed_offset_row.h"
#include "catalog/consumer_group_row.h"
#include "catalog/group_seen_row.h"
#include "group/group_errors.h"
#include "group/rebalance.h"
#include "group/group_options.h"
#include "group/group_row.h"
#include "staging/staging.h"
#include "catalog/owner.h"

/* A change that memory learns of when the transaction ends. */
typedef enum ChangeKind
{
	CHANGE_NEW,     /* used for the first time: persist */
	CHANGE_OPTIONS, /* altered: read the row again */
	CHANGE_DROP
} ChangeKind;

typedef struct Change
{
	ChangeKind kind;
	KsGroupKey key;
	Oid owner;
	KsGroupOptions options;
	bool done; /* CHANGE_NEW: the row is there if this commits */
	bool unlimited;
	bool created;      /* CHANGE_OPTIONS: by create_group() */
	int64 incarnation; /* CHANGE_NEW: of the group in memory that counts us among its makers */
	int level;
	struct Change *next;
} Change;

static Change *changes = NULL;

/* Has this transaction used any group? */
static bool used = false;

static Change *
note_change(ChangeKind kind, const KsGroupKey *key)
{
	Change *change = MemoryContextAllocZero(TopTransactionContext, sizeof(Change));

	change->kind = kind;
	change->key = *key;
	change->level = GetCurrentTransactionNestLevel();
	change->next = changes;
	changes = change;
	return change;
}

void
ks_group_check_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) > KS_GROUP_NAME_MAX)
		ereport(ERROR,
				(errmsg("invalid group name"),
				 ks_error(KS_E_INVALID_GROUP_ID, "a name has 1 to %d bytes.", KS_GROUP_NAME_MAX)));
}

/* Now, as stamps of takeovers are counted: above all that were given before. */
static int64
first_stamp(int64 greatest)
{
	/*
	 * Stamps must be new even where a transaction that wrote some is still
	 * open, or a backend remembers some of a group that was dropped: they
	 * start at the time, in microseconds, and above all that are in rows.
	 */
	return Max(GetCurrentTimestamp(), greatest + 1);
}

/*
 * Read a group's row, or say how one would be that the current user makes.
 * Inside an owner scope; `user` is the caller.
 */
static void
read_row(const char *name, Oid user, KsGroupStart *start)
{
	KsConsumerGroupRow row;

	memset(start, 0, sizeof(KsGroupStart));
	start->of_standby = RecoveryInProgress();
	ks_group_default_options(&start->options);
	start->owner = user;
	start->next_stamp = first_stamp(0);
	if (!ks_consumer_group_row_find(name, &row))
		return;
	start->has_row = true;
	start->owner = row.owner;
	ks_group_stored_options(row.options, &start->options);
	start->next_stamp = first_stamp(row.greatest_stamp);
	start->empty_for = row.unseen_for;
}

/* A group's name is its maker's for good, so nobody makes them without end. */
static void
check_role_limit(Oid role)
{
	int64 count;

	if (ks_max_groups_per_role < 0 || !OidIsValid(role) || superuser_arg(role))
		return;
	count = ks_consumer_group_row_count_owned(role);
	if (count >= ks_max_groups_per_role)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("role \"%s\" owns too many consumer groups", GetUserNameFromId(role, false)),
				 errdetail("It owns " INT64_FORMAT "; the setting kstream.max_groups_per_role is %d.", count, ks_max_groups_per_role),
				 errhint("Drop groups that are not used any more, or have a superuser raise the setting for the role.")));
}

static bool
is_superusers(Oid owner)
{
	return !OidIsValid(owner) || superuser_arg(owner);
}

/* Put a group into memory; false when it has no row and is not to be made. */
static bool
load_group(const KsGroupKey *key, bool create)
{
	KsOwnerScope scope;
	KsGroupStart start;
	Oid user = GetUserId();

	ks_owner_begin(&scope);
	read_row(key->name, user, &start);
	if (!start.has_row && create)
		check_role_limit(user);
	ks_owner_end(&scope);
	if (!start.has_row && !create)
		return false;
	start.unlimited = is_superusers(start.owner);
	ks_group_install(key, &start);
	return true;
}

/* A role that is gone leaves its groups to the superusers. */
bool
ks_group_may_use(Oid owner)
{
	if (superuser())
		return true;
	return OidIsValid(owner) && SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)) &&
		   has_privs_of_role(GetUserId(), owner);
}

bool
ks_group_row_may_use(const char *name)
{
	KsOwnerScope scope;
	KsGroupStart start;
	Oid user = GetUserId();

	ks_owner_begin(&scope);
	read_row(name, user, &start);
	ks_owner_end(&scope);
	return !start.has_row || ks_group_may_use(start.owner);
}

static void
check_use(const KsGroupKey *key, Oid owner)
{
	if (ks_group_may_use(owner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for group \"%s\"", key->name),
			 errdetail("A group may be used by whoever has the privileges of its owner.")));
}

/*
 * Note that this transaction is to write the group's row, unless somebody else
 * does; false when the group has gone from memory meanwhile.
 */
static bool
note_new(const KsGroupKey *key)
{
	Change *change = note_change(CHANGE_NEW, key);
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);

	if (group == NULL)
	{
		changes = change->next;
		return false;
	}
	change->owner = group->owner;
	change->incarnation = group->incarnation;
	/* Keeps the slot from being evicted until this transaction has written the row or ended. */
	group->makers++;
	LWLockRelease(&group->lock);
	return true;
}

static bool
is_noted_new(const KsGroupKey *key)
{
	Change *change;

	for (change = changes; change != NULL; change = change->next)
	{
		if (change->kind == CHANGE_NEW && memcmp(&change->key, key, sizeof(KsGroupKey)) == 0)
			return true;
	}
	return false;
}

bool
ks_group_is_dropped(const KsGroupKey *key)
{
	Change *change;

	for (change = changes; change != NULL; change = change->next)
	{
		if (change->kind == CHANGE_DROP && memcmp(&change->key, key, sizeof(KsGroupKey)) == 0)
			return true;
	}
	return false;
}

static pg_attribute_noreturn() void no_group(const char *name, const char *detail)
{
	ereport(ERROR,
			(errmsg("group \"%s\" does not exist", name),
			 detail != NULL ? ks_error(KS_E_GROUP_ID_NOT_FOUND, "%s", detail) : ks_error(KS_E_GROUP_ID_NOT_FOUND, NULL),
			 detail != NULL ? 0 : errhint("kstream.create_group() makes a group, and so does a first poll that names topics.")));
}

static pg_attribute_noreturn() void being_dropped(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("group \"%s\" is being dropped by another transaction", name)));
}

/*
 * What a standby has read of a group may have changed on the primary since: owner,
 * options, stamps, or that there is one.  So it is read anew at each use, and once
 * after a promotion.  No member is in it: those of a standby's clients are the primary's.
 */
static void
forget_of_standby(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);

	if (group == NULL)
		return;
	/* Another may have read it anew meanwhile. */
	if (group->of_standby)
		group->dropped = true;
	LWLockRelease(&group->lock);
}

/* Lock a group that is in memory and up to date, in shared mode; NULL: it is to be loaded. */
static KsGroup *
lock_current(const KsGroupKey *key, bool loaded)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);

	if (group == NULL || !group->of_standby || (loaded && RecoveryInProgress()))
		return group;
	LWLockRelease(&group->lock);
	forget_of_standby(key);
	return NULL;
}

/* False when there is no such group and none is to be made. */
static bool
open_group(const char *name, bool create, bool to_drop, KsGroupKey *key)
{
	KsGroup *group;
	Oid owner;
	bool loaded = false;
	bool persisted;
	bool dropping;

	ks_group_check_name(name);
	ks_group_make_key(name, key);
	if (ks_group_is_dropped(key))
		no_group(name, "this transaction has dropped it.");
	/* It may be evicted again between the loading and the lock. */
	while ((group = lock_current(key, loaded)) == NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (!load_group(key, create))
			return false;
		loaded = true;
	}
	/* Copied: rights are looked up in catalogs, which must not happen under an LWLock. */
	owner = group->owner;
	persisted = group->persisted;
	dropping = group->dropping != 0;
	LWLockRelease(&group->lock);
	check_use(key, owner);
	if (dropping && !to_drop)
		being_dropped(name);
	if (!persisted && create && !is_noted_new(key) && !note_new(key))
		return open_group(name, create, to_drop, key);
	return true;
}

void
ks_group_open(const char *name, bool create, KsGroupKey *key)
{
	if (!open_group(name, create, false, key))
		no_group(name, NULL);
}

bool
ks_group_open_existing(const char *name, KsGroupKey *key)
{
	return open_group(name, false, false, key);
}

/* As ks_group_open(), for its drop, which waits for another's. */
static void
open_to_drop(const char *name, KsGroupKey *key)
{
	if (!open_group(name, false, true, key))
		no_group(name, NULL);
}

void
ks_group_note_use(void)
{
	used = true;
}

bool
ks_group_is_used(void)
{
	return used;
}

bool
ks_group_has_new(void)
{
	Change *change;

	for (change = changes; change != NULL; change = change->next)
	{
		if (change->kind == CHANGE_NEW)
			return true;
	}
	return false;
}

/* Lock the key of a group's row to the end of the transaction. */
static bool
lock_row_key(const char *name, bool wait)
{
	LOCKTAG tag;
	uint64 hash = hash_bytes_extended((const unsigned char *) name, strlen(name), 0);

	ks_tag_group_name(&tag, ks_catalog()->partition, hash);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/* Inside an owner scope. */
static void
persist(Change *change)
{
	/* Somebody else is writing it; the next transaction will see. */
	if (!lock_row_key(change->key.name, false))
		return;
	(void) ks_consumer_group_row_insert(change->key.name, change->owner, NIL);
	change->done = true;
}

void
ks_group_persist_new(void)
{
	Change *change;

	for (change = changes; change != NULL; change = change->next)
	{
		if (change->kind == CHANGE_NEW && !ks_group_is_dropped(&change->key))
			persist(change);
	}
}

static void
leave_makers(KsGroup *group, const Change *change)
{
	if (change->kind == CHANGE_NEW && group->incarnation == change->incarnation)
		group->makers--;
}

/* Memory learns of a committed change.  Throws nothing. */
static void
apply_change(const Change *change)
{
	/* after the commit record: an LWLock may be waited for, nothing else */
	KsGroup *group = ks_group_lock(&change->key, LW_EXCLUSIVE);

	if (group == NULL)
		return;
	switch (change->kind)
	{
		case CHANGE_NEW:
			leave_makers(group, change);
			group->persisted = group->persisted || change->done;
			group->rowless = group->rowless && !change->done;
			break;
		case CHANGE_OPTIONS:
			/* Another assignor: targets are computed anew by the next call. */
			if (group->options.assignor != change->options.assignor)
				group->epoch++;
			group->options = change->options;
			group->owner = change->owner;
			group->unlimited = change->unlimited;
			group->rowless = false;
			break;
		case CHANGE_DROP:
			ks_group_empty(group);
			group->dropped = true;
			group->dropping = 0;
			break;
	}
	LWLockRelease(&group->lock);
}

/*
 * A call made the group in memory and is undone.  If nobody has written its row
 * or is about to, it goes, with all of its members: none of them has joined in a
 * transaction that counts.
 */
static void
take_back_new(KsGroup *group)
{
	if (!group->rowless || group->makers > 0)
		return;
	ks_group_empty(group);
	group->dropped = true;
}

/* Memory learns of a change that is undone.  Throws nothing. */
static void
undo_change(const Change *change)
{
	KsGroup *group = ks_group_lock(&change->key, LW_EXCLUSIVE);
	bool gone;

	if (group == NULL)
		return;
	/* What this transaction loaded from a row that it had created had none. */
	if (change->kind == CHANGE_OPTIONS && change->created && !group->persisted)
		group->rowless = true;
	leave_makers(group, change);
	if (change->kind == CHANGE_NEW || change->created)
		take_back_new(group);
	if (change->kind == CHANGE_DROP && group->dropping == MyProcPid)
		group->dropping = 0;
	gone = group->dropped;
	LWLockRelease(&group->lock);
	if (gone)
		ks_member_forget_session(&change->key);
}

void
ks_group_end(bool committed)
{
	Change *oldest = NULL;

	while (changes != NULL)
	{
		Change *change = changes;

		changes = change->next;
		/* The list has the newest first; memory is to learn of changes in their order. */
		change->next = oldest;
		oldest = change;
	}
	for (; oldest != NULL; oldest = oldest->next)
	{
		if (committed)
			apply_change(oldest);
		else
			undo_change(oldest);
	}
	used = false;
}

void
ks_group_sub_end(bool committed)
{
	int level = GetCurrentTransactionNestLevel();
	Change **link = &changes;

	while (*link != NULL)
	{
		Change *change = *link;

		if (change->level >= level && !committed)
		{
			*link = change->next;
			undo_change(change);
			continue;
		}
		if (change->level >= level)
			change->level = level - 1;
		link = &change->next;
	}
}

/* What an open transaction of a Kafka client will commit is not to be taken away before. */
static void
check_no_pending(const KsGroupKey *key)
{
	if (ks_staging_group_is_pending(key->name))
		ereport(ERROR,
				(errmsg("group \"%s\" is in use", key->name),
				 ks_error(KS_E_NON_EMPTY_GROUP, "an open transaction of a Kafka client has an offset of it.")));
}

void
ks_group_check_empty(const KsGroupKey *key)
{
	KsGroup *group;
	int32 count = 0;

	ks_member_expire_silent(key);
	group = ks_group_lock(key, LW_SHARED);
	if (group != NULL)
	{
		count = ks_group_count_members(group);
		LWLockRelease(&group->lock);
	}
	if (count > 0)
		ks_error_not_empty(key->name, count);
	check_no_pending(key);
}

/* The role that is to own a group; the current user must be able to be it. */
static Oid
owner_role(const char *given)
{
	Oid role;

	if (given == NULL)
		return GetUserId();
	role = get_role_oid(given, false);
	KS_CHECK_CAN_SET_ROLE(GetUserId(), role);
	return role;
}

void
ks_group_create(const char *name, const KsGroupGiven *given)
{
	KsOwnerScope scope;
	KsGroupKey key;
	Change *change;
	Oid owner;

	ks_group_check_name(name);
	owner = owner_role(given->owner);
	/* Waits for another that creates, alters or drops the group; a poll that makes it does not. */
	(void) lock_row_key(name, true);
	ks_owner_begin(&scope);
	check_role_limit(owner);
	if (!ks_consumer_group_row_insert(name, owner, given->canonical))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("group \"%s\" already exists", name)));
	ks_owner_end(&scope);

	/* Somebody's poll may have put it into memory before. */
	ks_group_make_key(name, &key);
	change = note_change(CHANGE_OPTIONS, &key);
	change->owner = owner;
	change->unlimited = is_superusers(owner);
	change->options = given->options;
	change->created = true;
}

/* Write the row of a group that is in memory only, to change it. */
static void
write_row(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	KsOwnerScope scope;
	Change change = {CHANGE_NEW};

	if (group == NULL)
		return;
	change.key = *key;
	change.owner = group->owner;
	change.done = group->persisted;
	/* Before the heavyweight lock is asked for: none may be while an LWLock is held. */
	LWLockRelease(&group->lock);
	if (change.done)
		return;
	(void) lock_row_key(key->name, true);
	ks_owner_begin(&scope);
	persist(&change);
	ks_owner_end(&scope);
}

void
ks_group_alter(const KsGroupKey *key, const KsGroupGiven *given)
{
	KsOwnerScope scope;
	KsGroupStart start;
	Oid owner = InvalidOid;
	Change *change;

	if (given->owner != NULL)
		owner = owner_role(given->owner);
	/* Before the row is written, so that a failure below is undone in memory as well. */
	change = note_change(CHANGE_OPTIONS, key);
	write_row(key);
	ks_owner_begin(&scope);
	if (given->owner != NULL)
		check_role_limit(owner);
	ks_consumer_group_row_update(key->name, given->canonical, owner);
	read_row(key->name, InvalidOid, &start);
	ks_owner_end(&scope);
	change->owner = start.owner;
	change->unlimited = is_superusers(start.owner);
	change->options = start.options;
}

/*
 * From now on nobody else may use the group: who joined or wrote an offset now
 * would lose it.  KS068 when it has members.
 */
static void
begin_drop(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);
	int members;

	if (group == NULL)
		no_group(key->name, NULL);
	members = ks_group_count_members(group);
	if (members == 0)
		group->dropping = MyProcPid;
	LWLockRelease(&group->lock);
	if (members > 0)
		ks_error_not_empty(key->name, members);
}

void
ks_group_drop(const char *name)
{
	KsOwnerScope scope;
	KsGroupKey key;

	/* Polls do not wait for us to write the row: the lock tells them. */
	open_to_drop(name, &key);
	(void) lock_row_key(name, true);
	/* Another's drop may be over by now. */
	open_to_drop(name, &key);
	ks_member_expire_silent(&key);
	(void) note_change(CHANGE_DROP, &key);
	check_no_pending(&key);
	begin_drop(&key);
	ks_owner_begin(&scope);
	ks_committed_offset_row_delete_group(name);
	ks_group_seen_row_delete(name);
	ks_consumer_group_row_delete(name);
	ks_owner_end(&scope);
}
