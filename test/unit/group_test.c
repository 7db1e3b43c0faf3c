/*-------------------------------------------------------------------------
 * group_test.c
 *	  Tests of classic groups' state machine and messages, without a server.
 *
 * Prints TAP; exits 1 when a test failed.  Callers are numbers, time is a variable,
 * and what the machine needs of shared memory is played here.  First what a member
 * sees, step by step; then random calls of many members, whose answers are held
 * against what the protocol promises: a generation is told alike to all its
 * members, has one leader, who alone learns of the others, and each gets what the
 * leader gave it; and nothing is left when all have gone.
 *
 * test/unit/group_test.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <setjmp.h>

#include "lib/stringinfo.h"

#include "kafka/classic_group.h"
#include "shim.h"

#define MAX_CALLERS 64

static int tap_count = 0;
static int tap_failures = 0;

static void
ok(bool passed, const char *name)
{
	tap_count++;
	if (!passed)
		tap_failures++;
	printf("%sok %d - %s\n", passed ? "" : "not ", tap_count, name);
}

static uint32
random_below(uint32 limit)
{
	static uint64 state = UINT64CONST(0x9E3779B97F4A7C15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32) ((state >> 11) % limit);
}

/* What the machine takes for random: as PostgreSQL's, but the same in each run. */
bool
pg_strong_random(void *to, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		((uint8 *) to)[i] = (uint8) random_below(256);
	return true;
}

/* ---------- the world ---------- */

typedef struct Answer
{
	bool there;
	KsGroupMessage message; /* texts are in bytes */
	StringInfoData bytes;
} Answer;

static Answer answers[MAX_CALLERS];
static int64 now = 1000;
static int entered = 0;
static int room = 1000;
static KsClassicEntry refusal = KS_CLASSIC_FULL;
static int64 stamps = 100;
static int removals = 0;
static KsClassicState published = KS_CLASSIC_EMPTY;
static KsClassicLimits limits = {1000, 60000, 0, 1 << 20};
static KsCoordinator *machine;
static KsGroupKey key;

static KsClassicEntry
enter(const KsGroupKey *group, int64 timeout, int32 *generation)
{
	*generation = 0;
	if (entered >= room)
		return refusal;
	entered++;
	return KS_CLASSIC_ENTERED;
}

static void
leave(const KsGroupKey *group)
{
	entered--;
}

static int64
stamp(const KsGroupKey *group)
{
	return ++stamps;
}

static void
publish(const KsGroupKey *group, KsClassicState state, int32 generation, const char *protocol_type)
{
	published = state;
}

/* An answer goes through its bytes, as between processes. */
static void
answer(void *caller, const KsGroupMessage *message)
{
	Answer *to = &answers[(intptr_t) caller - 1];

	if (to->there)
		ok(false, "a caller is answered once");
	if (to->bytes.data != NULL)
		pfree(to->bytes.data);
	initStringInfo(&to->bytes);
	ks_group_message_encode(message, &to->bytes);
	to->there = ks_group_message_decode(to->bytes.data + 4, to->bytes.len - 4, &to->message);
	if (!to->there)
		ok(false, "an answer can be read");
}

static void
report(const KsGroupKey *group, const KwString *member, const char *what, int32 generation, int32 members)
{
	removals += member != NULL;
}

/* As many owners as first letters. */
static Oid
owner(const KsGroupKey *group)
{
	return (Oid) group->name[0];
}

static const KsClassicHooks hooks = {enter, leave, stamp, owner, publish, answer, report};

static void *
caller(int n)
{
	return (void *) (intptr_t) (n + 1);
}

static void
start(void)
{
	memset(answers, 0, sizeof(answers));
	memset(&key, 0, sizeof(key));
	strcpy(key.name, "g");
	entered = 0;
	room = 1000;
	limits.initial_delay = 0;
	removals = 0;
	machine = ks_coordinator_create(&hooks, &limits);
}

static void
tick(int64 ms)
{
	now += ms;
	(void) ks_coordinator_tick(machine, now);
}

/* ---------- members ---------- */

typedef struct Member
{
	int number; /* of its caller */
	char id[64];
	const char *instance;
	int32 generation;
	bool leads;
} Member;

static KwString
as_text(const char *value)
{
	return ks_wire_string(value);
}

static void
set_id(Member *member, KwString id)
{
	memcpy(member->id, id.data, id.len);
	member->id[id.len] = '\0';
}

static void
join_as(const Member *member, const char *metadata, int32 flags)
{
	KsGroupMessage call;

	ks_group_message_init(&call, KS_GROUP_JOIN, &key);
	call.session_timeout = 10000;
	call.rebalance_timeout = 5000;
	call.flags = flags;
	call.text[KS_GROUP_MEMBER] = as_text(member->id);
	if (member->instance != NULL)
		call.text[KS_GROUP_INSTANCE] = as_text(member->instance);
	call.text[KS_GROUP_CLIENT] = as_text("c");
	call.text[KS_GROUP_HOST] = as_text("/h");
	call.text[KS_GROUP_TYPE] = as_text("consumer");
	call.item_count = 1;
	call.items = ks_group_items(1);
	call.items[0].text[KS_GROUP_PROTOCOL] = as_text("range");
	call.items[0].text[KS_GROUP_ASSIGNMENT] = as_text(metadata);
	answers[member->number].there = false;
	ks_coordinator_call(machine, &call, caller(member->number), now);
	pfree(call.items);
}

/* Take in the answer; its error, -1: there is none. */
static int
joined(Member *member)
{
	Answer *to = &answers[member->number];

	if (!to->there)
		return -1;
	if (to->message.text[KS_GROUP_MEMBER].len > 0)
		set_id(member, to->message.text[KS_GROUP_MEMBER]);
	if (to->message.error == 0)
	{
		KwString leader = to->message.text[KS_GROUP_LEADER];

		member->generation = to->message.generation;
		member->leads = leader.len == (int32) strlen(member->id) && memcmp(leader.data, member->id, leader.len) == 0;
	}
	return to->message.error;
}

static int
join(Member *member)
{
	join_as(member, "m", 0);
	tick(0);
	return joined(member);
}

static void
call_plain(KsGroupCall kind, const Member *member, int32 generation, int items)
{
	KsGroupMessage call;

	ks_group_message_init(&call, kind, &key);
	call.generation = generation;
	call.text[KS_GROUP_MEMBER] = as_text(member->id);
	if (member->instance != NULL)
		call.text[KS_GROUP_INSTANCE] = as_text(member->instance);
	call.item_count = items;
	call.items = ks_group_items(items);
	if (items > 0 && kind == KS_GROUP_LEAVE)
		call.items[0].text[KS_GROUP_MEMBER] = as_text(member->id);
	answers[member->number].there = false;
	ks_coordinator_call(machine, &call, caller(member->number), now);
	pfree(call.items);
}

static int
simple(KsGroupCall kind, const Member *member, int32 generation)
{
	call_plain(kind, member, generation, kind == KS_GROUP_LEAVE ? 1 : 0);
	if (!answers[member->number].there)
		return -1;
	return kind == KS_GROUP_LEAVE ? answers[member->number].message.items[0].number : answers[member->number].message.error;
}

/* The leader gives each member its own id; others send nothing. */
static void
start_sync(const Member *member)
{
	const KsGroupMessage *from = &answers[member->number].message;
	KsGroupMessage call;
	int i;

	ks_group_message_init(&call, KS_GROUP_SYNC, &key);
	call.generation = member->generation;
	call.text[KS_GROUP_MEMBER] = as_text(member->id);
	if (member->instance != NULL)
		call.text[KS_GROUP_INSTANCE] = as_text(member->instance);
	call.item_count = member->leads ? from->item_count : 0;
	call.items = ks_group_items(call.item_count);
	for (i = 0; i < call.item_count; i++)
		call.items[i].text[KS_GROUP_MEMBER] = call.items[i].text[KS_GROUP_ASSIGNMENT] = from->items[i].text[KS_GROUP_MEMBER];
	answers[member->number].there = false;
	ks_coordinator_call(machine, &call, caller(member->number), now);
	pfree(call.items);
}

/* -1: no answer; else its error; *own: it got its own id. */
static int
synced(const Member *member, bool *own)
{
	const Answer *to = &answers[member->number];
	KwString assignment;

	*own = false;
	if (!to->there)
		return -1;
	assignment = to->message.text[KS_GROUP_ASSIGNMENT];
	*own = assignment.len == (int32) strlen(member->id) && memcmp(assignment.data, member->id, assignment.len) == 0;
	return to->message.error;
}

static bool
sync_alone(Member *member)
{
	bool own;

	start_sync(member);
	return synced(member, &own) == 0 && own;
}

/* Two members that share the group. */
static void
make_pair(Member *a, Member *b)
{
	bool own;

	(void) join(a);
	(void) sync_alone(a);
	join_as(b, "m", 0);
	join_as(a, "m", 0);
	tick(0);
	ok(joined(a) == 0 && joined(b) == 0 && a->generation == b->generation && a->leads && !b->leads, "two members join one generation");
	start_sync(b);
	ok(synced(b, &own) == -1, "one that does not lead waits for its part");
	start_sync(a);
	ok(synced(a, &own) == 0 && own && synced(b, &own) == 0 && own, "each gets its part");
}

/* ---------- tests ---------- */

static void
test_ids(void)
{
	Member a = {.number = 0};
	Member b = {.number = 1};

	start();
	join_as(&a, "m", KS_GROUP_NEEDS_ID);
	ok(joined(&a) == 79 && strncmp(a.id, "c-", 2) == 0 && entered == 0, "a new member gets an id and no place");
	strcpy(b.id, "stranger");
	ok(join(&b) == 25, "an id that was not given is none");
	ok(join(&a) == 0 && a.leads && a.generation == 1 && entered == 1, "the id that was given joins");
	ok(sync_alone(&a) && simple(KS_GROUP_HEARTBEAT, &a, 1) == 0, "it has its part and is alive");
	ok(simple(KS_GROUP_HEARTBEAT, &a, 2) == 22, "not in another generation");
	ok(simple(KS_GROUP_MAY_COMMIT, &a, 1) == 0 && answers[0].message.stamp == stamps, "it commits under the generation's stamp");
	b.id[0] = '\0';
	ok(simple(KS_GROUP_MAY_COMMIT, &b, -1) == 25, "who is no member does not");
	ok(simple(KS_GROUP_LEAVE, &a, 0) == 0 && entered == 0 && published == KS_CLASSIC_EMPTY, "it leaves an empty group");
	ok(simple(KS_GROUP_MAY_COMMIT, &b, -1) == 0 && answers[1].message.stamp == 0, "where who is no member commits");
	join_as(&b, "m", KS_GROUP_NEEDS_ID);
	(void) joined(&b);
	tick(10000);
	ok(join(&b) == 25, "an id is good for the session timeout");
}

static void
test_rebalance(void)
{
	Member a = {.number = 0};
	Member b = {.number = 1};
	bool own;

	start();
	make_pair(&a, &b);
	ok(join(&b) == 0 && b.generation == 2, "a member that has lost its answer gets it again");
	start_sync(&b);
	ok(synced(&b, &own) == 0 && own, "and its part");
	join_as(&b, "changed", 0);
	ok(joined(&b) == -1 && simple(KS_GROUP_HEARTBEAT, &a, 2) == 27, "one that says something else makes a rebalance");
	ok(simple(KS_GROUP_MAY_COMMIT, &a, 2) == 0, "during which members commit what they have done");
	tick(4999);
	(void) simple(KS_GROUP_HEARTBEAT, &a, 2);
	ok(joined(&b) == -1, "it waits for the other");
	tick(1);
	ok(joined(&b) == 0 && b.leads && b.generation == 3 && entered == 1, "until the rebalance timeout");
	ok(simple(KS_GROUP_HEARTBEAT, &a, 2) == 25, "after which that one is no member");
	tick(5000);
	ok(entered == 0 && removals == 2, "nor is a leader that does not assign");
}

static void
test_silence(void)
{
	Member a = {.number = 0};
	Member b = {.number = 1};

	start();
	make_pair(&a, &b);
	tick(9000);
	ok(simple(KS_GROUP_HEARTBEAT, &a, 2) == 0, "members live");
	tick(1000);
	ok(entered == 1 && simple(KS_GROUP_HEARTBEAT, &a, 2) == 27, "one that is silent for its session timeout is put out");
	join_as(&b, "m", 0);
	ok(joined(&b) == 25, "and unknown");
	b.id[0] = '\0';
	join_as(&b, "m", 0);
	ks_coordinator_forget(machine, caller(1), now);
	join_as(&a, "m", 0);
	tick(4999);
	ok(joined(&a) == -1, "who has gone while it waits is waited for");
	tick(1);
	ok(joined(&a) == 0 && entered == 1, "no longer than the rebalance timeout");
}

static void
test_static(void)
{
	Member a = {.number = 0, .instance = "one"};
	Member b = {.number = 1, .instance = "two"};
	Member again = {.number = 2, .instance = "two"};
	Member leader = {.number = 3, .instance = "one"};
	bool own;

	start();
	make_pair(&a, &b);
	join_as(&again, "m", KS_GROUP_NEEDS_ID);
	ok(joined(&again) == 0 && again.generation == 2 && strcmp(again.id, b.id) != 0, "a static member comes back under another id");
	start_sync(&again);
	ok(synced(&again, &own) == 0 && answers[2].message.text[KS_GROUP_ASSIGNMENT].len == (int32) strlen(b.id), "and has its part again");
	ok(simple(KS_GROUP_HEARTBEAT, &b, 2) == 82, "its old id is fenced");
	ok(simple(KS_GROUP_HEARTBEAT, &a, 2) == 0, "nobody else has noticed");
	join_as(&leader, "m", KS_GROUP_SKIPS_ASSIGNMENT);
	ok(joined(&leader) == 0 && leader.leads && (answers[3].message.flags & KS_GROUP_SKIPS_ASSIGNMENT) != 0 &&
		   answers[3].message.item_count == 2,
	   "a leader that comes back leads on, and skips the assignment");
	leader.id[0] = '\0';
	join_as(&leader, "m", 0);
	ok(joined(&leader) == 0 && !leader.leads && answers[3].message.item_count == 0, "one that does not know how is told that another leads");
	ok(entered == 2, "they are two");
}

/* One more member of a group, that says so many bytes; the error. */
static int
join_with(int number, const char *group, int bytes)
{
	Member member = {.number = number};
	char *metadata = palloc(bytes + 1);
	int error;

	memset(metadata, 'm', bytes);
	metadata[bytes] = '\0';
	strcpy(key.name, group);
	join_as(&member, metadata, 0);
	error = joined(&member);
	pfree(metadata);
	return error;
}

static void
test_memory(void)
{
	start();
	limits.initial_delay = 1000;
	ok(join_with(0, "g", 400000) == -1 && join_with(1, "g2", 400000) == -1 && join_with(2, "g", 115000) == -1,
	   "one owner's groups may have seven eighths of the memory");
	ok(join_with(3, "g2", 10) == 81, "and no more");
	ok(join_with(4, "h", 10) == -1, "the rest is for others");
	ok(join_with(5, "h", 40000) == 81, "who have little");
}

static void
test_limits(void)
{
	Member a = {.number = 0};
	Member b = {.number = 1};
	KsGroupMessage call;

	start();
	room = 1;
	ok(join(&a) == 0 && join(&b) == 81, "no more members than there are places");
	refusal = KS_CLASSIC_OTHER_KIND;
	ok(join(&b) == 23, "none beside members of another kind");
	refusal = KS_CLASSIC_GONE;
	ok(join(&b) == 14, "none where the group is gone");
	refusal = KS_CLASSIC_FULL;
	room = 1000;
	limits.memory = 0;
	ok(join(&b) == 81, "none for which there is no memory");
	limits.memory = 1 << 20;
	limits.initial_delay = 1000;
	(void) simple(KS_GROUP_LEAVE, &a, 0);
	a.id[0] = '\0';
	ok(join(&a) == -1, "the first members wait for others");
	tick(999);
	ok(join(&b) == -1 && joined(&a) == -1, "and longer when one has come");
	tick(1);
	tick(999);
	ok(joined(&a) == -1, "from then on");
	tick(1);
	ok(joined(&a) == 0 && joined(&b) == 0 && a.generation == b.generation, "then they begin together");
	ks_group_message_init(&call, KS_GROUP_JOIN, &key);
	call.session_timeout = 999;
	answers[2].there = false;
	ks_coordinator_call(machine, &call, caller(2), now);
	ok(answers[2].there && answers[2].message.error == 26, "a session timeout below the least is refused");
}

/* Random calls and times.  False: something was not as promised. */
static bool
live_randomly(int steps)
{
	Member members[12];
	bool good = true;
	bool own;
	int i;

	memset(members, 0, sizeof(members));
	for (i = 0; i < 12; i++)
		members[i].number = i;
	while (steps-- > 0)
	{
		Member *member = &members[random_below(12)];

		/* Who waits for an answer can only go, or wait on. */
		if (answers[member->number].there || member->id[0] == '\0' || random_below(20) == 0)
		{
			ks_coordinator_forget(machine, caller(member->number), now);
			switch (random_below(6))
			{
				case 0:
				case 1:
					join_as(member, random_below(2) ? "m" : "n", random_below(2) ? KS_GROUP_NEEDS_ID : 0);
					break;
				case 2:
				case 3:
					if (member->generation > 0)
						start_sync(member);
					break;
				case 4:
					(void) simple(random_below(2) ? KS_GROUP_HEARTBEAT : KS_GROUP_MAY_COMMIT, member, member->generation);
					break;
				default:
					if (simple(KS_GROUP_LEAVE, member, 0) == 0)
						member->id[0] = '\0';
					break;
			}
		}
		tick(random_below(800));
		for (i = 0; i < 12; i++)
		{
			const KsGroupMessage *to = &answers[i].message;

			if (!answers[i].there)
				continue;
			if (to->call == KS_GROUP_JOIN && joined(&members[i]) == 25)
				members[i].id[0] = '\0';
			if (to->call == KS_GROUP_JOIN && to->error == 0)
				good = good && (to->item_count > 0) == members[i].leads;
			if (to->call == KS_GROUP_SYNC && to->error == 0 && to->text[KS_GROUP_ASSIGNMENT].len > 0)
				good = good && synced(&members[i], &own) == 0 && own;
		}
		good = good && entered >= 0 && entered <= 12 * 20;
	}
	return good;
}

static void
test_random(void)
{
	bool good;

	start();
	good = live_randomly(20000);
	ok(good, "random calls: answers are as promised");
	tick(60000);
	tick(60000);
	ok(entered == 0, "when all are silent, none is left");
	ok(ks_coordinator_tick(machine, now) == PG_INT64_MAX, "and nothing is due");
}

/* Messages that are cut, longer, or not what they say. */
static void
test_bytes(void)
{
	KsGroupMessage message;
	KsGroupMessage read;
	StringInfoData bytes;
	bool good = true;
	int i;

	start();
	ks_group_message_init(&message, KS_GROUP_LEAVE, &key);
	message.text[KS_GROUP_MEMBER] = as_text("member");
	message.item_count = 2;
	message.items = ks_group_items(2);
	message.items[1].text[KS_GROUP_INSTANCE] = as_text("x");
	initStringInfo(&bytes);
	ks_group_message_encode(&message, &bytes);
	ok(ks_group_message_decode(bytes.data + 4, bytes.len - 4, &read) && read.item_count == 2 &&
		   read.items[1].text[KS_GROUP_INSTANCE].len == 1 && read.text[KS_GROUP_HOST].len == KW_NULL,
	   "a message is read as it was written");
	for (i = 0; i < bytes.len - 4; i++)
		good = good && !ks_group_message_decode(bytes.data + 4, i, &read);
	ok(good, "cut off at every byte it is none");
	for (i = 0; i < 100000; i++)
	{
		char *copy = palloc(bytes.len);

		memcpy(copy, bytes.data, bytes.len);
		copy[4 + random_below(bytes.len - 4)] = (char) random_below(256);
		copy[4 + random_below(bytes.len - 4)] = (char) (random_below(2) ? 0xff : 0x7f);
		if (ks_group_message_decode(copy + 4, bytes.len - 4, &read))
			pfree(read.items);
		pfree(copy);
	}
	ok(true, "whatever its bytes are, no others are looked at");
}

int
main(void)
{
	test_ids();
	test_rebalance();
	test_silence();
	test_static();
	test_limits();
	test_memory();
	test_random();
	test_bytes();
	printf("1..%d\n", tap_count);
	return tap_failures > 0;
}
