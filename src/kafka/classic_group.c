/*-------------------------------------------------------------------------
 * classic_group.c
 *	  Groups that share partitions by Kafka's classic protocol: the state machine.
 *
 * Members agree by themselves who reads what.  They join; when all have, each is told
 * the generation's number, and one of them, the leader, who the others are and what
 * they said of themselves; the leader's assignment is handed out to those that ask for
 * theirs (SyncGroup).  What members say is opaque here, so that any type of protocol
 * works: consumers, Connect's workers, schema registries.
 *
 *	EMPTY		no members
 *	PREPARING	a rebalance: members join, until all have or time is over
 *	COMPLETING	they have been answered; the leader's assignment is awaited
 *	STABLE		each can have its assignment
 *
 * A member that joins or leaves, or is silent for its session timeout, makes the group
 * prepare again; the others learn it from their heartbeats.  A static member, which
 * has a name of its own (instance), may come back under another id without that.
 *
 * The first members of a group wait a moment for others, so that a group that starts
 * is not rebalanced once for each.
 *
 * This is a plain machine: calls and the time come in, answers go out by a hook, at
 * once or later.  It knows no sockets, no database, and no clock.  It lives in the
 * listener's memory and is lost with it: members then get UNKNOWN_MEMBER_ID and join
 * again.  That no commit is lost or comes too late by that is not its task: each
 * generation has a stamp, which offsets are committed under (group/classic_slot.h).
 *
 * A member is added only after its place was taken in shared memory, and a failing
 * allocation would end the listener, so what members say is bounded by a limit on
 * all that is kept.
 *
 * src/kafka/classic_group.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "port.h"

#include "kafka/classic_group.h"

/* Kafka's numbers of errors. */
#define NONE 0
#define MESSAGE_TOO_LARGE 10
#define COORDINATOR_LOAD_IN_PROGRESS 14
#define ILLEGAL_GENERATION 22
#define INCONSISTENT_GROUP_PROTOCOL 23
#define UNKNOWN_MEMBER_ID 25
#define INVALID_SESSION_TIMEOUT 26
#define REBALANCE_IN_PROGRESS 27
#define GROUP_ID_NOT_FOUND 69
#define MEMBER_ID_REQUIRED 79
#define GROUP_MAX_SIZE_REACHED 81
#define FENCED_INSTANCE_ID 82

/* Ids that were given to members that have not come again, in one group. */
#define PENDING_MAX 1000

/* What an entry of ours takes beside its texts, about. */
#define ENTRY_SIZE 256

typedef struct Protocol
{
	KwString name;
	KwString metadata;
} Protocol;

typedef struct Member
{
	dlist_node node;
	KwString id;
	KwString instance; /* none: a dynamic member */
	KwString client;
	KwString host;
	int32 session_timeout;
	int32 rebalance_timeout;
	int32 flags; /* of its latest JoinGroup */
	int32 protocol_count;
	Protocol *protocols; /* the one it likes best first */
	KwString assignment;
	void *joining; /* who waits for the answer to its JoinGroup */
	void *syncing; /* the same of SyncGroup */
	bool synced;   /* it has asked for this generation's assignment, or need not */
	int64 due;     /* when it counts as silent; not while it waits */
} Member;

/* A new member that has been told its id and is to come again with it. */
typedef struct Pending
{
	dlist_node node;
	KwString id;
	int64 due;
} Pending;

typedef struct Group
{
	dlist_node node;
	KsGroupKey key;
	KsClassicState state;
	int32 generation;
	int64 stamp; /* of the generation */
	KwString type;
	KwString protocol; /* of the generation */
	Member *leader;
	dlist_head members;
	int32 member_count;
	dlist_head pending; /* oldest first */
	int32 pending_count;
	int64 due;         /* when the phase of the rebalance is over, PG_INT64_MAX: no phase */
	bool initial;      /* the first members wait for others */
	bool newcomers;    /* some have come since it was looked at last */
	int64 initial_end; /* whatever comes */
} Group;

struct KsCoordinator
{
	const KsClassicHooks *hooks;
	const KsClassicLimits *limits;
	MemoryContext context;
	dlist_head groups;
	size_t memory;
};

/* ---------- texts ---------- */

static bool
is_text(KwString text)
{
	return text.len > 0;
}

static bool
same(KwString a, KwString b)
{
	return Max(a.len, 0) == Max(b.len, 0) && (a.len <= 0 || memcmp(a.data, b.data, a.len) == 0);
}

static KwString
copy_text(KsCoordinator *c, KwString text)
{
	KwString copy = {NULL, text.len};

	if (text.len > 0)
	{
		char *data = MemoryContextAlloc(c->context, text.len);

		memcpy(data, text.data, text.len);
		copy.data = data;
		c->memory += text.len;
	}
	return copy;
}

static void
free_text(KsCoordinator *c, KwString *text)
{
	if (text->len > 0)
	{
		pfree(unconstify(char *, text->data));
		c->memory -= text->len;
	}
	text->data = NULL;
	text->len = KW_NULL;
}

static void *
new_entry(KsCoordinator *c, size_t size)
{
	void *entry = MemoryContextAlloc(c->context, size);

	memset(entry, 0, size);
	c->memory += ENTRY_SIZE;
	return entry;
}

static void
free_entry(KsCoordinator *c, void *entry)
{
	pfree(entry);
	c->memory -= ENTRY_SIZE;
}

static size_t
wanted_by(const KsGroupMessage *call)
{
	size_t wanted = 4 * ENTRY_SIZE;
	int32 i;
	int t;

	for (t = 0; t < KS_GROUP_TEXTS; t++)
		wanted += 2 * Max(call->text[t].len, 0);
	for (i = 0; i < call->item_count; i++)
	{
		wanted += sizeof(Protocol);
		for (t = 0; t < KS_GROUP_TEXTS; t++)
			wanted += Max(call->items[i].text[t].len, 0);
	}
	return wanted;
}

/* What a group keeps of its members' words, about. */
static size_t
kept_by(Group *group)
{
	size_t kept = 0;
	dlist_iter iter;
	int32 i;

	dlist_foreach (iter, &group->members)
	{
		const Member *member = dlist_container(Member, node, iter.cur);

		kept += ENTRY_SIZE + Max(member->assignment.len, 0);
		for (i = 0; i < member->protocol_count; i++)
			kept += member->protocols[i].name.len + Max(member->protocols[i].metadata.len, 0);
	}
	return kept + group->pending_count * ENTRY_SIZE;
}

/*
 * Is there room for what a call brings?  The last eighth is kept for owners of groups
 * that have little of it, a thirty-second, as in the pools of shared memory.
 */
static bool
has_room(KsCoordinator *c, const KsGroupMessage *call)
{
	size_t limit = c->limits->memory;
	size_t kept = wanted_by(call);
	Oid owner;
	dlist_iter iter;

	if (c->memory + kept > limit)
		return false;
	if (c->memory + kept <= limit - limit / 8)
		return true;
	owner = c->hooks->owner(&call->key);
	dlist_foreach (iter, &c->groups)
	{
		Group *group = dlist_container(Group, node, iter.cur);

		if (c->hooks->owner(&group->key) == owner)
			kept += kept_by(group);
	}
	return kept <= limit / 32;
}

/* An id that nobody can guess: a name that people know it by, and 16 random bytes. */
static KwString
make_id(KsCoordinator *c, const KsGroupMessage *call)
{
	KwString name = is_text(call->text[KS_GROUP_INSTANCE]) ? call->text[KS_GROUP_INSTANCE] : call->text[KS_GROUP_CLIENT];
	int32 len = Max(name.len, 0);
	char *data = MemoryContextAlloc(c->context, len + 1 + 32);
	KwString id = {data, len + 1 + 32};
	uint8 bytes[16];
	int i;

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random member id")));
	if (len > 0)
		memcpy(data, name.data, len);
	data[len] = '-';
	for (i = 0; i < 16; i++)
	{
		data[len + 1 + 2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		data[len + 2 + 2 * i] = "0123456789abcdef"[bytes[i] & 15];
	}
	c->memory += id.len;
	return id;
}

/* ---------- groups and members ---------- */

static Group *
find_group(KsCoordinator *c, const KsGroupKey *key)
{
	dlist_iter iter;

	dlist_foreach (iter, &c->groups)
	{
		Group *group = dlist_container(Group, node, iter.cur);

		if (memcmp(&group->key, key, sizeof(*key)) == 0)
			return group;
	}
	return NULL;
}

static Group *
make_group(KsCoordinator *c, const KsGroupKey *key)
{
	Group *group = new_entry(c, sizeof(Group));

	group->key = *key;
	group->state = KS_CLASSIC_EMPTY;
	group->due = PG_INT64_MAX;
	group->type.len = group->protocol.len = KW_NULL;
	dlist_init(&group->members);
	dlist_init(&group->pending);
	dlist_push_tail(&c->groups, &group->node);
	return group;
}

static Member *
find_member(Group *group, KwString id)
{
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);

		if (same(member->id, id))
			return member;
	}
	return NULL;
}

static Member *
find_instance(Group *group, KwString instance)
{
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);

		if (is_text(member->instance) && same(member->instance, instance))
			return member;
	}
	return NULL;
}

static Pending *
find_pending(Group *group, KwString id)
{
	dlist_iter iter;

	dlist_foreach (iter, &group->pending)
	{
		Pending *pending = dlist_container(Pending, node, iter.cur);

		if (same(pending->id, id))
			return pending;
	}
	return NULL;
}

static void
remove_pending(KsCoordinator *c, Group *group, Pending *pending)
{
	dlist_delete(&pending->node);
	group->pending_count--;
	free_text(c, &pending->id);
	free_entry(c, pending);
}

/* Who a call is from: NONE, or why it is nobody. */
static int
identify(Group *group, const KsGroupMessage *call, Member **member)
{
	KwString instance = call->text[KS_GROUP_INSTANCE];

	*member = NULL;
	if (group == NULL)
		return UNKNOWN_MEMBER_ID;
	*member = is_text(instance) ? find_instance(group, instance) : find_member(group, call->text[KS_GROUP_MEMBER]);
	if (*member == NULL)
		return UNKNOWN_MEMBER_ID;
	return same((*member)->id, call->text[KS_GROUP_MEMBER]) ? NONE : FENCED_INSTANCE_ID;
}

/* The place of a protocol among a member's; -1: it is not there. */
static int32
place_of(const Member *member, KwString protocol)
{
	int32 i;

	for (i = 0; i < member->protocol_count; i++)
	{
		if (same(member->protocols[i].name, protocol))
			return i;
	}
	return -1;
}

static bool
all_like(Group *group, KwString protocol, const Member *but)
{
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		const Member *member = dlist_container(Member, node, iter.cur);

		if (member != but && place_of(member, protocol) < 0)
			return false;
	}
	return true;
}

/* Can the group work with what a member says, in place of `old` if it has one? */
static bool
is_consistent(Group *group, const KsGroupMessage *call, const Member *old)
{
	int32 i;

	if (call->item_count == 0 || !is_text(call->text[KS_GROUP_TYPE]))
		return false;
	if (group->member_count == 0 || (group->member_count == 1 && old != NULL))
		return true;
	if (!same(group->type, call->text[KS_GROUP_TYPE]))
		return false;
	for (i = 0; i < call->item_count; i++)
	{
		if (all_like(group, call->items[i].text[KS_GROUP_PROTOCOL], old))
			return true;
	}
	return false;
}

/*
 * The protocol that the members vote for, each for the one that it likes best of those
 * that all can; belongs to a member.  What all can is found once: members bring up to
 * a hundred names each, and the listener has others to serve.
 */
static KwString
vote(Group *group)
{
	Member *first = group->leader != NULL ? group->leader : dlist_head_element(Member, node, &group->members);
	int32 *votes = palloc(Max(first->protocol_count, 1) * sizeof(int32));
	KwString elected = {NULL, KW_NULL};
	int32 most = 0;
	dlist_iter iter;
	int32 i;

	for (i = 0; i < first->protocol_count; i++)
		votes[i] = all_like(group, first->protocols[i].name, NULL) ? 0 : -1;
	dlist_foreach (iter, &group->members)
	{
		const Member *member = dlist_container(Member, node, iter.cur);
		int32 place = -1;

		for (i = 0; i < member->protocol_count && (place < 0 || votes[place] < 0); i++)
			place = place_of(first, member->protocols[i].name);
		if (place >= 0 && votes[place] >= 0)
			votes[place]++;
	}
	for (i = 0; i < first->protocol_count; i++)
	{
		if (votes[i] <= most)
			continue;
		most = votes[i];
		elected = first->protocols[i].name;
	}
	pfree(votes);
	return elected;
}

static int64
longest_rebalance(Group *group)
{
	int64 longest = 0;
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
		longest = Max(longest, dlist_container(Member, node, iter.cur)->rebalance_timeout);
	return longest;
}

static bool
all_joined(Group *group)
{
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		if (dlist_container(Member, node, iter.cur)->joining == NULL)
			return false;
	}
	return group->pending_count == 0;
}

static bool
all_synced(Group *group)
{
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		if (!dlist_container(Member, node, iter.cur)->synced)
			return false;
	}
	return true;
}

static void
renew(Member *member, int64 now)
{
	member->due = now + member->session_timeout;
}

/* ---------- answers ---------- */

static void
answer_error(KsCoordinator *c, const KsGroupMessage *call, void *caller, int error)
{
	KsGroupMessage answer;

	ks_group_message_init(&answer, call->call, &call->key);
	answer.error = error;
	answer.text[KS_GROUP_MEMBER] = call->text[KS_GROUP_MEMBER];
	c->hooks->answer(caller, &answer);
}

/* Answer who waits for one of a member's calls, if somebody does. */
static void
answer_waiting(KsCoordinator *c, Group *group, KsGroupCall kind, void **waiting, int error)
{
	KsGroupMessage answer;

	if (*waiting == NULL)
		return;
	ks_group_message_init(&answer, kind, &group->key);
	answer.error = error;
	c->hooks->answer(*waiting, &answer);
	*waiting = NULL;
}

static KwString
metadata_of(const Group *group, const Member *member)
{
	KwString none = {NULL, 0};
	int32 i;

	for (i = 0; i < member->protocol_count; i++)
	{
		if (same(member->protocols[i].name, group->protocol))
			return member->protocols[i].metadata;
	}
	return none;
}

/* All members, for the leader and for who describes the group; palloc'd. */
static void
list_members(Group *group, bool all, KsGroupMessage *answer)
{
	dlist_iter iter;
	KsGroupItem *item;

	answer->item_count = group->member_count;
	item = answer->items = ks_group_items(group->member_count);
	dlist_foreach (iter, &group->members)
	{
		const Member *member = dlist_container(Member, node, iter.cur);

		item->text[KS_GROUP_MEMBER] = member->id;
		item->text[KS_GROUP_INSTANCE] = member->instance;
		item->text[KS_GROUP_PROTOCOL] = metadata_of(group, member);
		if (all)
		{
			item->text[KS_GROUP_CLIENT] = member->client;
			item->text[KS_GROUP_HOST] = member->host;
			item->text[KS_GROUP_ASSIGNMENT] = member->assignment;
		}
		item++;
	}
}

/*
 * Tell a member the generation.  leader: whom it is to take for the leader; skip:
 * it is that one, and is to leave the assignment as it is.
 */
static void
answer_join(KsCoordinator *c, Group *group, Member *member, void *caller, KwString leader, bool skip)
{
	KsGroupMessage answer;

	ks_group_message_init(&answer, KS_GROUP_JOIN, &group->key);
	answer.generation = group->generation;
	answer.flags = skip ? KS_GROUP_SKIPS_ASSIGNMENT : 0;
	answer.text[KS_GROUP_TYPE] = group->type;
	answer.text[KS_GROUP_PROTOCOL] = group->protocol;
	answer.text[KS_GROUP_LEADER] = leader;
	answer.text[KS_GROUP_MEMBER] = member->id;
	if (same(leader, member->id))
		list_members(group, false, &answer);
	c->hooks->answer(caller, &answer);
	if (answer.items != NULL)
		pfree(answer.items);
}

static void
answer_sync(KsCoordinator *c, Group *group, Member *member, void *caller)
{
	KsGroupMessage answer;

	ks_group_message_init(&answer, KS_GROUP_SYNC, &group->key);
	answer.text[KS_GROUP_TYPE] = group->type;
	answer.text[KS_GROUP_PROTOCOL] = group->protocol;
	answer.text[KS_GROUP_ASSIGNMENT] = member->assignment;
	c->hooks->answer(caller, &answer);
}

/* ---------- rebalances ---------- */

static void
publish(KsCoordinator *c, Group *group)
{
	char type[KS_PROTOCOL_TYPE_MAX + 1] = "";

	if (is_text(group->type))
		memcpy(type, group->type.data, Min(group->type.len, KS_PROTOCOL_TYPE_MAX));
	c->hooks->publish(&group->key, group->state, group->generation, type);
}

static void
free_member(KsCoordinator *c, Member *member)
{
	int32 i;

	for (i = 0; i < member->protocol_count; i++)
	{
		free_text(c, &member->protocols[i].name);
		free_text(c, &member->protocols[i].metadata);
	}
	pfree(member->protocols);
	free_text(c, &member->id);
	free_text(c, &member->instance);
	free_text(c, &member->client);
	free_text(c, &member->host);
	free_text(c, &member->assignment);
	free_entry(c, member);
}

/* Who waits for an answer of its is told that it is none; what: for the log, NULL: it left. */
static void
remove_member(KsCoordinator *c, Group *group, Member *member, const char *what)
{
	answer_waiting(c, group, KS_GROUP_JOIN, &member->joining, UNKNOWN_MEMBER_ID);
	answer_waiting(c, group, KS_GROUP_SYNC, &member->syncing, UNKNOWN_MEMBER_ID);
	if (what != NULL)
		c->hooks->report(&group->key, &member->id, what, group->generation, group->member_count - 1);
	if (group->leader == member)
		group->leader = NULL;
	dlist_delete(&member->node);
	group->member_count--;
	c->hooks->leave(&group->key);
	free_member(c, member);
}

/* Dynamic members that have not joined the rebalance are none any more. */
static void
remove_absent(KsCoordinator *c, Group *group)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);

		if (member->joining == NULL && !is_text(member->instance))
			remove_member(c, group, member, "it did not join the rebalance in time");
	}
}

/* The leader stays if it has joined; else the first that has.  False: nobody has. */
static bool
elect_leader(Group *group)
{
	dlist_iter iter;

	if (group->leader != NULL && group->leader->joining != NULL)
		return true;
	dlist_foreach (iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);

		if (member->joining == NULL)
			continue;
		group->leader = member;
		return true;
	}
	return false;
}

static void
next_generation(Group *group)
{
	group->generation = group->generation < PG_INT32_MAX ? group->generation + 1 : 1;
}

/* Nobody is left. */
static void
become_empty(KsCoordinator *c, Group *group)
{
	group->state = KS_CLASSIC_EMPTY;
	group->due = PG_INT64_MAX;
	next_generation(group);
	free_text(c, &group->protocol);
	publish(c, group);
}

/* Begin a generation with those that have joined. */
static void
complete_join(KsCoordinator *c, Group *group, int64 now)
{
	dlist_iter iter;

	remove_absent(c, group);
	if (group->member_count == 0)
	{
		become_empty(c, group);
		return;
	}
	group->due = now + longest_rebalance(group);
	group->initial = false;
	if (!elect_leader(group))
		return;
	next_generation(group);
	group->stamp = c->hooks->stamp(&group->key);
	free_text(c, &group->protocol);
	group->protocol = copy_text(c, vote(group));
	group->state = KS_CLASSIC_COMPLETING;
	publish(c, group);
	c->hooks->report(&group->key, NULL, NULL, group->generation, group->member_count);
	dlist_foreach (iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);
		void *caller = member->joining;

		free_text(c, &member->assignment);
		member->synced = caller == NULL;
		if (caller == NULL)
			continue;
		member->joining = NULL;
		renew(member, now);
		answer_join(c, group, member, caller, group->leader->id, false);
	}
}

static void
try_complete_join(KsCoordinator *c, Group *group, int64 now)
{
	if (group->state == KS_CLASSIC_PREPARING && (!group->initial || now >= group->due) && all_joined(group))
		complete_join(c, group, now);
}

/* Members are to join anew. */
static void
prepare(KsCoordinator *c, Group *group, int64 now)
{
	int64 longest = longest_rebalance(group);
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
		answer_waiting(c, group, KS_GROUP_SYNC, &dlist_container(Member, node, iter.cur)->syncing, REBALANCE_IN_PROGRESS);
	group->initial = group->state == KS_CLASSIC_EMPTY;
	group->newcomers = false;
	group->initial_end = now + longest;
	group->due = now + (group->initial ? Min(c->limits->initial_delay, longest) : longest);
	group->state = KS_CLASSIC_PREPARING;
	publish(c, group);
}

/* A member waits for the group's next generation, which there is to be. */
static void
await_join(KsCoordinator *c, Group *group, Member *member, void *caller, int64 now)
{
	if (group->state != KS_CLASSIC_PREPARING)
		prepare(c, group, now);
	/* It asked before, by a connection that it has given up. */
	answer_waiting(c, group, KS_GROUP_JOIN, &member->joining, REBALANCE_IN_PROGRESS);
	member->joining = caller;
	try_complete_join(c, group, now);
}

/* A member is gone: the others share anew. */
static void
after_removal(KsCoordinator *c, Group *group, int64 now)
{
	if (group->state == KS_CLASSIC_COMPLETING || group->state == KS_CLASSIC_STABLE)
		prepare(c, group, now);
	try_complete_join(c, group, now);
}

/* ---------- JoinGroup ---------- */

static void
set_protocols(KsCoordinator *c, Member *member, const KsGroupMessage *call)
{
	int32 i;

	member->protocol_count = call->item_count;
	member->protocols = MemoryContextAlloc(c->context, call->item_count * sizeof(Protocol));
	for (i = 0; i < call->item_count; i++)
	{
		member->protocols[i].name = copy_text(c, call->items[i].text[KS_GROUP_PROTOCOL]);
		member->protocols[i].metadata = copy_text(c, call->items[i].text[KS_GROUP_ASSIGNMENT]);
	}
}

/* What a member says when it joins. */
static void
describe_member(KsCoordinator *c, Member *member, const KsGroupMessage *call, int64 now)
{
	member->client = copy_text(c, call->text[KS_GROUP_CLIENT]);
	member->host = copy_text(c, call->text[KS_GROUP_HOST]);
	member->session_timeout = call->session_timeout;
	member->rebalance_timeout = call->rebalance_timeout;
	member->flags = call->flags;
	set_protocols(c, member, call);
	renew(member, now);
}

/* The same again. */
static void
describe_again(KsCoordinator *c, Member *member, const KsGroupMessage *call, int64 now)
{
	int32 i;

	for (i = 0; i < member->protocol_count; i++)
	{
		free_text(c, &member->protocols[i].name);
		free_text(c, &member->protocols[i].metadata);
	}
	pfree(member->protocols);
	free_text(c, &member->client);
	free_text(c, &member->host);
	describe_member(c, member, call, now);
}

static bool
says_the_same(const Member *member, const KsGroupMessage *call)
{
	int32 i;

	if (member->protocol_count != call->item_count)
		return false;
	for (i = 0; i < call->item_count; i++)
	{
		if (!same(member->protocols[i].name, call->items[i].text[KS_GROUP_PROTOCOL]) ||
			!same(member->protocols[i].metadata, call->items[i].text[KS_GROUP_ASSIGNMENT]))
			return false;
	}
	return true;
}

static int
entry_error(KsClassicEntry entry)
{
	switch (entry)
	{
		case KS_CLASSIC_ENTERED:
			break;
		case KS_CLASSIC_GONE:
			return COORDINATOR_LOAD_IN_PROGRESS;
		case KS_CLASSIC_OTHER_KIND:
			return INCONSISTENT_GROUP_PROTOCOL;
		case KS_CLASSIC_FULL:
			return GROUP_MAX_SIZE_REACHED;
	}
	return NONE;
}

/* A new member of this id, which becomes its. */
static void
add_member(KsCoordinator *c, Group *group, const KsGroupMessage *call, KwString id, void *caller, int64 now)
{
	int32 generation = 0;
	int error = entry_error(c->hooks->enter(&group->key, call->session_timeout, &generation));
	Member *member;

	if (error != NONE)
	{
		free_text(c, &id);
		answer_error(c, call, caller, error);
		return;
	}
	group->generation = Max(group->generation, generation);
	if (group->member_count == 0)
	{
		free_text(c, &group->type);
		group->type = copy_text(c, call->text[KS_GROUP_TYPE]);
	}
	member = new_entry(c, sizeof(Member));
	member->id = id;
	member->instance = copy_text(c, call->text[KS_GROUP_INSTANCE]);
	member->assignment.len = KW_NULL;
	describe_member(c, member, call, now);
	dlist_push_tail(&group->members, &member->node);
	group->member_count++;
	group->newcomers = true;
	await_join(c, group, member, caller, now);
}

/* Give a new member an id, to come again with. */
static void
give_id(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	Pending *pending;
	KsGroupMessage answer;

	if (group->pending_count >= PENDING_MAX)
		remove_pending(c, group, dlist_head_element(Pending, node, &group->pending));
	pending = new_entry(c, sizeof(Pending));
	pending->id = make_id(c, call);
	pending->due = now + call->session_timeout;
	dlist_push_tail(&group->pending, &pending->node);
	group->pending_count++;
	ks_group_message_init(&answer, KS_GROUP_JOIN, &group->key);
	answer.error = MEMBER_ID_REQUIRED;
	answer.text[KS_GROUP_MEMBER] = pending->id;
	c->hooks->answer(caller, &answer);
}

/*
 * A static member has come back as a new one.  In a stable group whose protocol stays
 * the same it takes up its assignment: a leader that knows how leaves it as it is, one
 * that does not is told that another leads.
 */
static void
replace_static(KsCoordinator *c, Group *group, Member *member, const KsGroupMessage *call, void *caller, int64 now)
{
	KwString old = member->id;

	answer_waiting(c, group, KS_GROUP_JOIN, &member->joining, FENCED_INSTANCE_ID);
	answer_waiting(c, group, KS_GROUP_SYNC, &member->syncing, FENCED_INSTANCE_ID);
	member->id = make_id(c, call);
	describe_again(c, member, call, now);
	if (group->state != KS_CLASSIC_STABLE || !same(vote(group), group->protocol))
		await_join(c, group, member, caller, now);
	else if (member != group->leader)
		answer_join(c, group, member, caller, group->leader->id, false);
	else if (call->flags & KS_GROUP_SKIPS_ASSIGNMENT)
		answer_join(c, group, member, caller, member->id, true);
	else
		answer_join(c, group, member, caller, old, false);
	free_text(c, &old);
}

static void
join_new(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	KwString instance = call->text[KS_GROUP_INSTANCE];
	Member *old = is_text(instance) ? find_instance(group, instance) : NULL;

	if (!is_consistent(group, call, old))
		answer_error(c, call, caller, INCONSISTENT_GROUP_PROTOCOL);
	else if (old != NULL)
		replace_static(c, group, old, call, caller, now);
	else if (!is_text(instance) && (call->flags & KS_GROUP_NEEDS_ID))
		give_id(c, group, call, caller, now);
	else
		add_member(c, group, call, make_id(c, call), caller, now);
}

/* A member that there is joins: for a rebalance, or because it wants one, or has lost our answer. */
static void
join_again(KsCoordinator *c, Group *group, Member *member, const KsGroupMessage *call, void *caller, int64 now)
{
	bool changed = !says_the_same(member, call);

	describe_again(c, member, call, now);
	if (group->member_count == 1)
	{
		free_text(c, &group->type);
		group->type = copy_text(c, call->text[KS_GROUP_TYPE]);
	}
	if (!changed && (group->state == KS_CLASSIC_COMPLETING || (group->state == KS_CLASSIC_STABLE && member != group->leader)))
		answer_join(c, group, member, caller, group->leader->id, false);
	else
		await_join(c, group, member, caller, now);
}

static void
join_known(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	Pending *pending = is_text(call->text[KS_GROUP_INSTANCE]) ? NULL : find_pending(group, call->text[KS_GROUP_MEMBER]);
	Member *member = NULL;
	int error = pending != NULL ? NONE : identify(group, call, &member);

	if (error != NONE)
		answer_error(c, call, caller, error);
	else if (!is_consistent(group, call, member))
		answer_error(c, call, caller, INCONSISTENT_GROUP_PROTOCOL);
	else if (pending == NULL)
		join_again(c, group, member, call, caller, now);
	else
	{
		KwString id = copy_text(c, pending->id);

		remove_pending(c, group, pending);
		add_member(c, group, call, id, caller, now);
	}
}

/* A group that has nobody needs no place here. */
static void
forget_if_unused(KsCoordinator *c, Group *group)
{
	if (group->member_count > 0 || group->pending_count > 0)
		return;
	free_text(c, &group->type);
	free_text(c, &group->protocol);
	dlist_delete(&group->node);
	free_entry(c, group);
}

static void
join(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	bool is_new = !is_text(call->text[KS_GROUP_MEMBER]);

	if (call->session_timeout < c->limits->min_session_timeout || call->session_timeout > c->limits->max_session_timeout)
		answer_error(c, call, caller, INVALID_SESSION_TIMEOUT);
	else if (!has_room(c, call))
		answer_error(c, call, caller, GROUP_MAX_SIZE_REACHED);
	else if (group == NULL && !is_new)
		answer_error(c, call, caller, UNKNOWN_MEMBER_ID);
	else
	{
		if (group == NULL)
			group = make_group(c, &call->key);
		if (is_new)
			join_new(c, group, call, caller, now);
		else
			join_known(c, group, call, caller, now);
		forget_if_unused(c, group);
	}
}

/* ---------- SyncGroup ---------- */

/* The leader's assignment: who is not in it gets nothing. */
static void
assign(KsCoordinator *c, Group *group, const KsGroupMessage *call)
{
	dlist_iter iter;
	int32 i;

	for (i = 0; i < call->item_count; i++)
	{
		Member *member = find_member(group, call->items[i].text[KS_GROUP_MEMBER]);

		if (member == NULL)
			continue;
		free_text(c, &member->assignment);
		member->assignment = copy_text(c, call->items[i].text[KS_GROUP_ASSIGNMENT]);
	}
	group->state = KS_CLASSIC_STABLE;
	publish(c, group);
	dlist_foreach (iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);
		void *waiting = member->syncing;

		member->syncing = NULL;
		if (waiting != NULL)
			answer_sync(c, group, member, waiting);
	}
}

static int
check_sync(KsCoordinator *c, Group *group, const KsGroupMessage *call, Member **member)
{
	int error = identify(group, call, member);
	KwString type = call->text[KS_GROUP_TYPE];
	KwString protocol = call->text[KS_GROUP_PROTOCOL];

	if (error != NONE)
		return error;
	if (call->generation != group->generation)
		return ILLEGAL_GENERATION;
	if ((is_text(type) && !same(type, group->type)) || (is_text(protocol) && !same(protocol, group->protocol)))
		return INCONSISTENT_GROUP_PROTOCOL;
	if (!has_room(c, call))
		return MESSAGE_TOO_LARGE;
	return group->state == KS_CLASSIC_PREPARING ? REBALANCE_IN_PROGRESS : NONE;
}

static void
sync_group(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	Member *member;
	int error = check_sync(c, group, call, &member);

	if (error != NONE)
	{
		answer_error(c, call, caller, error);
		return;
	}
	renew(member, now);
	member->synced = true;
	if (all_synced(group))
		group->due = PG_INT64_MAX;
	if (group->state == KS_CLASSIC_STABLE)
	{
		answer_sync(c, group, member, caller);
		return;
	}
	answer_waiting(c, group, KS_GROUP_SYNC, &member->syncing, REBALANCE_IN_PROGRESS);
	member->syncing = caller;
	if (member == group->leader)
		assign(c, group, call);
}

/* ---------- the other calls ---------- */

static void
heartbeat(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	Member *member;
	int error = identify(group, call, &member);

	if (error == NONE && call->generation != group->generation)
		error = ILLEGAL_GENERATION;
	if (error == NONE)
	{
		renew(member, now);
		if (group->state == KS_CLASSIC_PREPARING)
			error = REBALANCE_IN_PROGRESS;
	}
	answer_error(c, call, caller, error);
}

/* One member leaves: its error. */
static int
leave_one(KsCoordinator *c, Group *group, const KsGroupItem *item)
{
	bool is_static = is_text(item->text[KS_GROUP_INSTANCE]);
	KwString id = item->text[KS_GROUP_MEMBER];
	Member *member = is_static ? find_instance(group, item->text[KS_GROUP_INSTANCE]) : find_member(group, id);
	Pending *pending = is_static ? NULL : find_pending(group, id);

	if (pending != NULL)
		remove_pending(c, group, pending);
	else if (member == NULL)
		return UNKNOWN_MEMBER_ID;
	/* An administrator names the instance alone. */
	else if (is_static && is_text(id) && !same(member->id, id))
		return FENCED_INSTANCE_ID;
	else
		remove_member(c, group, member, NULL);
	return NONE;
}

static void
leave(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	KsGroupMessage answer;
	int32 i;

	ks_group_message_init(&answer, KS_GROUP_LEAVE, &call->key);
	answer.item_count = call->item_count;
	answer.items = ks_group_items(call->item_count);
	for (i = 0; i < call->item_count; i++)
	{
		memcpy(answer.items[i].text, call->items[i].text, sizeof(answer.items[i].text));
		answer.items[i].number = group != NULL ? leave_one(c, group, &call->items[i]) : UNKNOWN_MEMBER_ID;
	}
	c->hooks->answer(caller, &answer);
	pfree(answer.items);
	if (group == NULL)
		return;
	after_removal(c, group, now);
	forget_if_unused(c, group);
}

static void
may_commit(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller, int64 now)
{
	bool is_nobody = call->generation < 0 && !is_text(call->text[KS_GROUP_MEMBER]) && !is_text(call->text[KS_GROUP_INSTANCE]);
	KsGroupMessage answer;
	Member *member;

	ks_group_message_init(&answer, KS_GROUP_MAY_COMMIT, &call->key);
	if (is_nobody)
		answer.error = group != NULL && group->member_count > 0 ? UNKNOWN_MEMBER_ID : NONE;
	else
	{
		answer.error = identify(group, call, &member);
		if (answer.error == NONE && call->generation != group->generation)
			answer.error = ILLEGAL_GENERATION;
		if (answer.error == NONE)
		{
			renew(member, now);
			answer.stamp = group->stamp;
			if (group->state == KS_CLASSIC_COMPLETING)
				answer.error = REBALANCE_IN_PROGRESS;
			else if (group->stamp == 0)
				answer.error = COORDINATOR_LOAD_IN_PROGRESS;
		}
	}
	c->hooks->answer(caller, &answer);
}

static void
describe(KsCoordinator *c, Group *group, const KsGroupMessage *call, void *caller)
{
	KsGroupMessage answer;

	if (group == NULL || group->member_count == 0)
	{
		answer_error(c, call, caller, GROUP_ID_NOT_FOUND);
		return;
	}
	ks_group_message_init(&answer, KS_GROUP_DESCRIBE, &group->key);
	answer.state = group->state;
	answer.generation = group->generation;
	answer.text[KS_GROUP_TYPE] = group->type;
	answer.text[KS_GROUP_PROTOCOL] = group->protocol;
	list_members(group, true, &answer);
	c->hooks->answer(caller, &answer);
	pfree(answer.items);
}

/* ---------- the machine ---------- */

KsCoordinator *
ks_coordinator_create(const KsClassicHooks *hooks, const KsClassicLimits *limits)
{
	KsCoordinator *c = palloc(sizeof(KsCoordinator));

	c->hooks = hooks;
	c->limits = limits;
	c->context = CurrentMemoryContext;
	c->memory = 0;
	dlist_init(&c->groups);
	return c;
}

void
ks_coordinator_call(KsCoordinator *c, const KsGroupMessage *call, void *caller, int64 now)
{
	Group *group = find_group(c, &call->key);

	switch (call->call)
	{
		case KS_GROUP_JOIN:
			join(c, group, call, caller, now);
			break;
		case KS_GROUP_SYNC:
			sync_group(c, group, call, caller, now);
			break;
		case KS_GROUP_HEARTBEAT:
			heartbeat(c, group, call, caller, now);
			break;
		case KS_GROUP_LEAVE:
			leave(c, group, call, caller, now);
			break;
		case KS_GROUP_MAY_COMMIT:
			may_commit(c, group, call, caller, now);
			break;
		case KS_GROUP_DESCRIBE:
			describe(c, group, call, caller);
			break;
	}
}

void
ks_coordinator_forget(KsCoordinator *c, void *caller, int64 now)
{
	dlist_iter g;
	dlist_iter m;

	dlist_foreach (g, &c->groups)
	{
		dlist_foreach (m, &dlist_container(Group, node, g.cur)->members)
		{
			Member *member = dlist_container(Member, node, m.cur);

			if (member->joining != caller && member->syncing != caller)
				continue;
			if (member->joining == caller)
				member->joining = NULL;
			if (member->syncing == caller)
				member->syncing = NULL;
			renew(member, now);
		}
	}
}

/* A member that is silent, or that has not asked for its assignment in time, or NULL; *why. */
static Member *
find_overdue(Group *group, int64 now, const char **why)
{
	bool phase_over = now >= group->due && (group->state == KS_CLASSIC_COMPLETING || group->state == KS_CLASSIC_STABLE);
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		Member *member = dlist_container(Member, node, iter.cur);

		*why = phase_over && !member->synced ? "it did not ask for its assignment in time" : "it was silent for its session timeout";
		if (phase_over && !member->synced)
			return member;
		if (now >= member->due && member->joining == NULL && member->syncing == NULL)
			return member;
	}
	return NULL;
}

static void
remove_overdue(KsCoordinator *c, Group *group, int64 now)
{
	Member *member;
	const char *why;

	while ((member = find_overdue(group, now, &why)) != NULL)
	{
		remove_member(c, group, member, why);
		after_removal(c, group, now);
	}
	while (group->pending_count > 0)
	{
		Pending *pending = dlist_head_element(Pending, node, &group->pending);

		if (now < pending->due)
			break;
		remove_pending(c, group, pending);
		try_complete_join(c, group, now);
	}
}

/* The joining phase of a rebalance is over, or goes on for those that may still come to a new group. */
static void
end_joining(KsCoordinator *c, Group *group, int64 now)
{
	if (group->state != KS_CLASSIC_PREPARING || now < group->due)
		return;
	if (group->initial && group->newcomers && now < group->initial_end)
	{
		group->newcomers = false;
		group->due = Min(now + c->limits->initial_delay, group->initial_end);
	}
	else
		complete_join(c, group, now);
}

static int64
next_due(Group *group)
{
	int64 next = group->due;
	dlist_iter iter;

	dlist_foreach (iter, &group->members)
	{
		const Member *member = dlist_container(Member, node, iter.cur);

		if (member->joining == NULL && member->syncing == NULL)
			next = Min(next, member->due);
	}
	if (group->pending_count > 0)
		next = Min(next, dlist_head_element(Pending, node, &group->pending)->due);
	return next;
}

int64
ks_coordinator_tick(KsCoordinator *c, int64 now)
{
	int64 next = PG_INT64_MAX;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &c->groups)
	{
		Group *group = dlist_container(Group, node, iter.cur);

		remove_overdue(c, group, now);
		end_joining(c, group, now);
		next = Min(next, next_due(group));
		forget_if_unused(c, group);
	}
	return next;
}
