/*-------------------------------------------------------------------------
 * group_row.c
 *	  The rows of kstream.consumer_group.
 *
 * A group has a row with its owner (a role's name) and its options.  It is
 * made by create_group(), or by the first poll, in memory at once and in the
 * table at PRE_COMMIT: an earlier INSERT would make the first polls of other
 * sessions wait for this transaction.  The row's key is locked with a lock
 * that is taken only if it is free: who does not get it leaves the writing to
 * who did, and the group stays unpersisted until a transaction that wrote its
 * row, or found it, has committed.
 *
 * A group that is changed by alter_group() or dropped is changed in memory
 * when the transaction commits.
 *
 * src/group/group_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "group/group_errors.h"
#include "group/group_row.h"
#include "group/member.h"
#include "topic/owner.h"

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
	int level;
	struct Change *next;
} Change;

static Change *changes = NULL;

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

/* ---------- options ---------- */

typedef struct GroupOption
{
	const char *name;
	const char *kafka_name;
	bool is_interval;
	size_t member; /* of KsGroupOptions, for intervals */
	int64 min;
	const char *allowed;
} GroupOption;

static const GroupOption group_options[] = {
	{"assignor", "group.remote.assignor", false, 0, 0, "\"uniform\" or \"range\"."},
	{"auto_offset_reset", "auto.offset.reset", false, 0, 0, "\"earliest\", \"latest\" or \"none\"."},
	{"session_timeout", "session.timeout.ms", true, offsetof(KsGroupOptions, session_timeout), 1,
	 "An interval with a unit such as \"45 s\"; under Kafka's name a number of milliseconds."},
	{"max_poll_interval", "max.poll.interval.ms", true, offsetof(KsGroupOptions, max_poll_interval), 1,
	 "An interval with a unit such as \"5 min\"; under Kafka's name a number of milliseconds."},
	{"offsets_retention", "offsets.retention.ms", true, offsetof(KsGroupOptions, offsets_retention), 1,
	 "An interval with a unit such as \"7 days\"; under Kafka's name a number of milliseconds."},
};

static void
default_options(KsGroupOptions *options)
{
	memset(options, 0, sizeof(KsGroupOptions));
	options->assignor = KS_ASSIGNOR_UNIFORM;
	options->auto_offset_reset = KS_RESET_EARLIEST;
	options->session_timeout = 45000;
	options->max_poll_interval = 300000;
	options->offsets_retention = INT64CONST(7) * 86400000;
}

static const GroupOption *
find_group_option(const char *name, bool *kafka)
{
	size_t i;

	for (i = 0; i < lengthof(group_options); i++)
	{
		*kafka = strcmp(name, group_options[i].kafka_name) == 0;
		if (*kafka || strcmp(name, group_options[i].name) == 0)
			return &group_options[i];
	}
	return NULL;
}

static bool
set_reset(const char *value, KsGroupOptions *options)
{
	static const char *const words[] = {"earliest", "latest", "none"};
	int i;

	for (i = 0; i < (int) lengthof(words); i++)
	{
		if (pg_strcasecmp(value, words[i]) == 0)
		{
			options->auto_offset_reset = (KsOffsetReset) i;
			return true;
		}
	}
	return false;
}

/* Set one option from its canonical text; false when that is not allowed. */
static bool
set_option(const GroupOption *option, const char *value, KsGroupOptions *options)
{
	int64 ms;

	if (strcmp(option->name, "assignor") == 0)
		return ks_assignor_by_name(value, &options->assignor);
	if (strcmp(option->name, "auto_offset_reset") == 0)
		return set_reset(value, options);
	if (!ks_topic_parse_interval(value, &ms) || ms < option->min)
		return false;
	*(int64 *) ((char *) options + option->member) = ms;
	return true;
}

static pg_attribute_noreturn() void invalid_option(const GroupOption *option, const char *name, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for group option \"%s\": \"%s\"", name, value),
			 errdetail("Allowed: %s", option->allowed)));
}

/* A JSON scalar as canonical text, NULL for null. */
static char *
option_text(const GroupOption *option, bool kafka, const char *name, JsonbValue *value)
{
	char *text;

	if (value->type == jbvNull)
		return NULL;
	if (value->type == jbvString)
		text = pnstrdup(value->val.string.val, value->val.string.len);
	else if (value->type == jbvNumeric)
		text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	else
		invalid_option(option, name, "(neither text nor number)");
	if (kafka && option->is_interval)
		return psprintf("%s ms", text);
	return text;
}

/*
 * Apply the members of a JSON object.  "owner" is handed out, everything else
 * goes into *options and into *canonical, a list of DefElem (NULL arg: reset).
 */
static void
parse_options(Jsonb *json, KsGroupOptions *options, char **owner, List **canonical)
{
	JsonbIterator *it;
	JsonbValue value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("group options must be a JSON object")));
	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		const GroupOption *option;
		bool kafka;
		char *name;
		char *text;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&it, &value, true);
		if (strcmp(name, "owner") == 0)
		{
			if (value.type != jbvString)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("invalid value for group option \"owner\""),
						 errdetail("Allowed: the name of a role.")));
			*owner = pnstrdup(value.val.string.val, value.val.string.len);
			continue;
		}
		option = find_group_option(name, &kafka);
		if (option == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized group option \"%s\"", name),
					 errdetail("Allowed are assignor, session_timeout, max_poll_interval, auto_offset_reset, offsets_retention and owner.")));
		text = option_text(option, kafka, name, &value);
		if (text != NULL && !set_option(option, text, options))
			invalid_option(option, name, text);
		*canonical = lappend(*canonical, makeDefElem(pstrdup(option->name),
													 text != NULL ? (Node *) makeString(text) : NULL, -1));
	}
}

/* ---------- rows ---------- */

/*
 * Read a group's row; false when there is none.  Inside an owner scope; what
 * is returned is the caller's memory only until the scope ends.
 */
static bool
read_row(const char *name, Oid *owner, KsGroupOptions *options, int64 *next_stamp)
{
	bool isnull;
	char *role = NULL;
	List *ignored = NIL;
	HeapTuple row;
	TupleDesc desc;

	default_options(options);

	/*
	 * Stamps must be new even where a transaction that wrote some is still
	 * open, or a backend remembers some of a group that was dropped: they
	 * start at the time, in microseconds, and above all that are in rows.
	 */
	*next_stamp = GetCurrentTimestamp();
	if (ks_owner_execute("SELECT g.owner, g.options, COALESCE((SELECT pg_catalog.max(o.stamp) FROM kstream.committed_offset o"
						 " WHERE o.group_id OPERATOR(pg_catalog.=) g.group_id), 0)"
						 " FROM kstream.consumer_group g WHERE g.group_id OPERATOR(pg_catalog.=) %s",
						 quote_literal_cstr(name)) == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	*owner = get_role_oid(SPI_getvalue(row, desc, 1), true);
	parse_options(DatumGetJsonbP(SPI_getbinval(row, desc, 2, &isnull)), options, &role, &ignored);
	*next_stamp = Max(*next_stamp, DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull)) + 1);
	return true;
}

/* Put a group into memory; false when it has no row and is not to be made. */
static bool
load_group(const KsGroupKey *key, bool create)
{
	KsOwnerScope scope;
	KsGroupOptions options;
	Oid owner;
	int64 next_stamp;
	bool found;

	ks_owner_begin(&scope);
	found = read_row(key->name, &owner, &options, &next_stamp);
	ks_owner_end(&scope);
	if (!found && !create)
		return false;
	if (!found)
	{
		owner = GetUserId();
		default_options(&options);
	}
	ks_group_install(key, owner, &options, next_stamp, false);
	return true;
}

static void
check_use(const KsGroupKey *key, Oid owner)
{
	if (OidIsValid(owner) ? has_privs_of_role(GetUserId(), owner) : superuser())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for group \"%s\"", key->name),
			 errdetail("A group may be used by whoever has the privileges of its owner.")));
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
			 detail != NULL ? ks_error(KS_E_GROUP_ID_NOT_FOUND, "%s", detail) : ks_error(KS_E_GROUP_ID_NOT_FOUND, NULL)));
}

/* False when there is no such group and none is to be made. */
static bool
open_group(const char *name, bool create, KsGroupKey *key)
{
	KsGroup *group;
	Oid owner;
	bool persisted;

	ks_group_check_name(name);
	ks_group_make_key(name, key);
	if (ks_group_is_dropped(key))
		no_group(name, "this transaction has dropped it.");
	while ((group = ks_group_lock(key, LW_SHARED)) == NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (!load_group(key, create))
			return false;
	}
	owner = group->owner;
	persisted = group->persisted;
	LWLockRelease(&group->lock);
	check_use(key, owner);
	if (!persisted && create && !is_noted_new(key))
		note_change(CHANGE_NEW, key)->owner = owner;
	return true;
}

void
ks_group_open(const char *name, bool create, KsGroupKey *key)
{
	if (!open_group(name, create, key))
		no_group(name, NULL);
}

bool
ks_group_open_existing(const char *name, KsGroupKey *key)
{
	return open_group(name, false, key);
}

bool
ks_group_has_changes(void)
{
	return changes != NULL;
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

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ks_catalog()->partition, (uint32) (hash >> 32), (uint16) hash);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/* Inside an owner scope. */
static void
persist(Change *change)
{
	char *owner = OidIsValid(change->owner) ? GetUserNameFromId(change->owner, true) : NULL;

	/* Somebody else is writing it; the next transaction will see. */
	if (!lock_row_key(change->key.name, false))
		return;
	(void) ks_owner_execute("INSERT INTO kstream.consumer_group (group_id, owner) VALUES (%s, %s) ON CONFLICT DO NOTHING",
							quote_literal_cstr(change->key.name), quote_literal_cstr(owner != NULL ? owner : ""));
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

/* Memory learns of a committed change.  Throws nothing. */
static void
apply_change(const Change *change)
{
	KsGroup *group = ks_group_lock(&change->key, LW_EXCLUSIVE);

	if (group == NULL)
		return;
	switch (change->kind)
	{
		case CHANGE_NEW:
			group->persisted = group->persisted || change->done;
			break;
		case CHANGE_OPTIONS:
			if (group->options.assignor != change->options.assignor)
				group->epoch++;
			group->options = change->options;
			group->owner = change->owner;
			break;
		case CHANGE_DROP:
			/* Who joined since the drop is a member no more. */
			ks_group_empty(group);
			group->dropped = true;
			break;
	}
	LWLockRelease(&group->lock);
}

void
ks_group_end(bool committed)
{
	Change *oldest = NULL;

	while (changes != NULL)
	{
		Change *change = changes;

		changes = change->next;
		change->next = oldest;
		oldest = change;
	}
	for (; oldest != NULL && committed; oldest = oldest->next)
		apply_change(oldest);
}

void
ks_group_sub_end(bool committed)
{
	int level = GetCurrentTransactionNestLevel();
	Change **link = &changes;

	while (*link != NULL)
	{
		if ((*link)->level >= level && !committed)
		{
			*link = (*link)->next;
			continue;
		}
		if ((*link)->level >= level)
			(*link)->level = level - 1;
		link = &(*link)->next;
	}
}

void
ks_group_check_empty(const KsGroupKey *key)
{
	KsGroup *group;
	int32 count = 0;

	ks_member_look_after(key);
	group = ks_group_lock(key, LW_SHARED);
	if (group != NULL)
	{
		count = group->member_count;
		LWLockRelease(&group->lock);
	}
	if (count > 0)
		ks_error_not_empty(key->name, count);
}

/* A JSON object of canonical options, as SQL. */
static char *
options_sql(List *canonical)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(");
	foreach (lc, canonical)
	{
		DefElem *elem = lfirst(lc);

		appendStringInfo(&sql, "%s%s, %s", foreach_current_index(lc) == 0 ? "" : ", ",
						 quote_literal_cstr(elem->defname),
						 elem->arg != NULL ? quote_literal_cstr(defGetString(elem)) : "NULL");
	}
	appendStringInfoString(&sql, "))");
	return sql.data;
}

/* The role that is to own a group; the current user must be able to be it. */
static char *
owner_name(const char *given)
{
	if (given == NULL)
		return GetUserNameFromId(GetUserId(), false);
	KS_CHECK_CAN_SET_ROLE(GetUserId(), get_role_oid(given, false));
	return pstrdup(given);
}

void
ks_group_create(const char *name, Jsonb *json)
{
	KsOwnerScope scope;
	KsGroupOptions options;
	List *canonical = NIL;
	char *owner = NULL;
	KsGroupKey key;
	Change *change;

	ks_group_check_name(name);
	default_options(&options);
	parse_options(json, &options, &owner, &canonical);
	owner = owner_name(owner);
	(void) lock_row_key(name, true);
	ks_owner_begin(&scope);
	if (ks_owner_execute("INSERT INTO kstream.consumer_group (group_id, owner, options) VALUES (%s, %s, %s)"
						 " ON CONFLICT DO NOTHING",
						 quote_literal_cstr(name), quote_literal_cstr(owner), options_sql(canonical)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("group \"%s\" already exists", name)));
	ks_owner_end(&scope);

	/* Somebody's poll may have put it into memory before. */
	ks_group_make_key(name, &key);
	change = note_change(CHANGE_OPTIONS, &key);
	change->owner = get_role_oid(owner, false);
	change->options = options;
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
	LWLockRelease(&group->lock);
	if (change.done)
		return;
	(void) lock_row_key(key->name, true);
	ks_owner_begin(&scope);
	persist(&change);
	ks_owner_end(&scope);
}

void
ks_group_alter(const KsGroupKey *key, Jsonb *json)
{
	KsOwnerScope scope;
	KsGroupOptions options;
	List *canonical = NIL;
	char *owner = NULL;
	Change *change;
	StringInfoData resets;
	ListCell *lc;
	int64 next_stamp;

	default_options(&options);
	parse_options(json, &options, &owner, &canonical);
	if (owner != NULL)
		owner = owner_name(owner);
	initStringInfo(&resets);
	foreach (lc, canonical)
		appendStringInfo(&resets, " OPERATOR(pg_catalog.-) %s", quote_literal_cstr(((DefElem *) lfirst(lc))->defname));
	change = note_change(CHANGE_OPTIONS, key);
	write_row(key);
	ks_owner_begin(&scope);
	(void) ks_owner_execute("UPDATE kstream.consumer_group SET options = (options%s) OPERATOR(pg_catalog.||) %s%s%s"
							" WHERE group_id OPERATOR(pg_catalog.=) %s",
							resets.data, options_sql(canonical),
							owner != NULL ? ", owner = " : "", owner != NULL ? quote_literal_cstr(owner) : "",
							quote_literal_cstr(key->name));
	(void) read_row(key->name, &change->owner, &change->options, &next_stamp);
	ks_owner_end(&scope);
}

void
ks_group_drop(const KsGroupKey *key)
{
	KsOwnerScope scope;

	/* Polls do not wait for us to write the row: the lock tells them. */
	(void) lock_row_key(key->name, true);
	ks_group_check_empty(key);
	ks_owner_begin(&scope);
	(void) ks_owner_execute("DELETE FROM kstream.committed_offset WHERE group_id OPERATOR(pg_catalog.=) %s",
							quote_literal_cstr(key->name));
	(void) ks_owner_execute("DELETE FROM kstream.consumer_group WHERE group_id OPERATOR(pg_catalog.=) %s",
							quote_literal_cstr(key->name));
	ks_owner_end(&scope);
	(void) note_change(CHANGE_DROP, key);
}
