/*-------------------------------------------------------------------------
 * assignor_test.c
 *	  Tests of the assignors of consumer groups, without a server.
 *
 * Prints TAP; exits 1 when a test failed.  First tables of cases, then random
 * groups that live through some generations.  Whatever the case, uniform's
 * result is held against what it promises by check_uniform(), which knows
 * nothing of how the assignor works.
 *
 * How cases are written: a topic is a digit or letter from '0', a member a
 * letter from 'a'.  An assignment has a word for each topic and in it a
 * character for each partition: its owner, or '.' for nobody; "-" is a topic
 * without partitions.  "aab b." gives a the partitions 0 and 1 of topic 0.
 *
 * test/unit/assignor_test.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <signal.h>
#include <time.h>

#include "miscadmin.h"

#include "group/assignor.h"

#define MAX_MEMBERS 26
#define MAX_TOPICS 64
#define MAX_PLACES 4096

/* What CHECK_FOR_INTERRUPTS() looks at. */
volatile sig_atomic_t InterruptPending = false;

void
ProcessInterrupts(void)
{
}

static int tap_count = 0;
static int tap_failures = 0;

static void tap_ok(bool passed, const char *fmt, ...) pg_attribute_printf(2, 3);

static void
tap_ok(bool passed, const char *fmt, ...)
{
	va_list args;

	tap_count++;
	if (!passed)
		tap_failures++;
	printf("%sok %d - ", passed ? "" : "not ", tap_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static int
random_below(int limit)
{
	static uint64 state = UINT64CONST(0x9E3779B97F4A7C15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int) ((state >> 11) % (uint64) limit);
}

/* ---------- groups ---------- */

/* A group with room for what a case or a random group needs. */
typedef struct Group
{
	KsAssignment assignment;
	int partitions[MAX_TOPICS];
	int first[MAX_TOPICS];
	int subscriptions[MAX_MEMBERS * MAX_TOPICS];
	int subscribed[MAX_MEMBERS + 1];
	int before[MAX_PLACES];
	int target[MAX_PLACES];
	int places;
} Group;

/*
 * Place the topics, last one first and a place that is nobody's after each,
 * to see that "first" is heeded and nothing written between.
 */
static void
place_topics(Group *group)
{
	int topic;

	group->places = 0;
	for (topic = group->assignment.topic_count - 1; topic >= 0; topic--)
	{
		group->first[topic] = group->places;
		group->places += group->partitions[topic] + 1;
	}
	memset(group->before, 0xFF, sizeof(group->before));
	group->assignment.partitions = group->partitions;
	group->assignment.first = group->first;
	group->assignment.subscriptions = group->subscriptions;
	group->assignment.subscribed = group->subscribed;
	group->assignment.target = group->target;
}

static void
run_assignor(Group *group, KsAssignor assignor)
{
	memcpy(group->target, group->before, sizeof(group->target));
	ks_assign(assignor, &group->assignment);
}

static bool
subscribes(const Group *group, int member, int topic)
{
	int i;

	for (i = group->subscribed[member]; i < group->subscribed[member + 1]; i++)
		if (group->subscriptions[i] == topic)
			return true;
	return false;
}

static bool
has_subscribers(const Group *group, int topic)
{
	int member;

	for (member = 0; member < group->assignment.member_count; member++)
		if (subscribes(group, member, topic))
			return true;
	return false;
}

static bool
equal_subscriptions(const Group *group)
{
	int member;
	int topic;

	for (member = 1; member < group->assignment.member_count; member++)
		for (topic = 0; topic < group->assignment.topic_count; topic++)
			if (subscribes(group, member, topic) != subscribes(group, 0, topic))
				return false;
	return true;
}

static void
count_sizes(const Group *group, const int *target, int *size)
{
	int topic;
	int i;

	memset(size, 0, sizeof(int) * MAX_MEMBERS);
	for (topic = 0; topic < group->assignment.topic_count; topic++)
		for (i = 0; i < group->partitions[topic]; i++)
		{
			int owner = target[group->first[topic] + i];

			if (owner >= 0 && subscribes(group, owner, topic))
				size[owner]++;
		}
}

/* Partitions whose owner still subscribes and that another has now. */
static int
count_moved(const Group *group)
{
	int moved = 0;
	int topic;
	int i;

	for (topic = 0; topic < group->assignment.topic_count; topic++)
		for (i = group->first[topic]; i < group->first[topic] + group->partitions[topic]; i++)
			if (group->before[i] >= 0 && subscribes(group, group->before[i], topic) &&
				group->before[i] != group->target[i])
				moved++;
	return moved;
}

/* ---------- what is promised ---------- */

/* One owner who subscribes, nobody when nobody does, nothing in between. */
static const char *
check_valid(const Group *group)
{
	int topic;
	int i;

	for (topic = 0; topic < group->assignment.topic_count; topic++)
	{
		const int *target = group->target + group->first[topic];

		for (i = 0; i < group->partitions[topic]; i++)
		{
			if (target[i] < -1 || target[i] >= group->assignment.member_count)
				return "an owner that is no member";
			if (target[i] == -1 && has_subscribers(group, topic))
				return "a partition without owner";
			if (target[i] >= 0 && !subscribes(group, target[i], topic))
				return "an owner that does not subscribe";
		}
		if (target[group->partitions[topic]] != -1)
			return "written beyond the topic";
	}
	return NULL;
}

/* No chain leads from a member to one that has at least two fewer. */
static const char *
check_balanced(const Group *group)
{
	int count = group->assignment.member_count;
	int size[MAX_MEMBERS];
	bool reaches[MAX_MEMBERS][MAX_MEMBERS] = {{false}};
	int topic;
	int from;
	int by;
	int to;
	int i;

	count_sizes(group, group->target, size);
	for (topic = 0; topic < group->assignment.topic_count; topic++)
		for (i = 0; i < group->partitions[topic]; i++)
			for (to = 0; to < count; to++)
				if (subscribes(group, to, topic))
					reaches[group->target[group->first[topic] + i]][to] = true;
	for (by = 0; by < count; by++)
		for (from = 0; from < count; from++)
			for (to = 0; to < count; to++)
				if (reaches[from][by] && reaches[by][to])
					reaches[from][to] = true;
	for (from = 0; from < count; from++)
		for (to = 0; to < count; to++)
			if (reaches[from][to] && size[from] >= size[to] + 2)
				return "not balanced";
	return NULL;
}

/* The fewest partitions that have to move, for equal subscriptions. */
static int
least_moves(const Group *group)
{
	int count = group->assignment.member_count;
	int size[MAX_MEMBERS];
	int had = 0;
	int kept = 0;
	int total = 0;
	int larger;
	int topic;
	int member;

	for (topic = 0; topic < group->assignment.topic_count; topic++)
		if (count > 0 && subscribes(group, 0, topic))
			total += group->partitions[topic];
	count_sizes(group, group->before, size);
	larger = count > 0 ? total % count : 0;
	for (member = 0; member < count; member++)
	{
		had += size[member];
		kept += Min(size[member], total / count);
		if (size[member] > total / count && larger > 0)
		{
			kept++;
			larger--;
		}
	}
	return had - kept;
}

/* The result again: the same, and from it nothing moves. */
static const char *
check_stable(Group *group, KsAssignor assignor)
{
	Group again = *group;

	again.assignment.target = again.target;
	run_assignor(&again, assignor);
	if (memcmp(again.target, group->target, sizeof(again.target)) != 0)
		return "the second time is different";
	memcpy(again.before, group->target, sizeof(again.before));
	run_assignor(&again, assignor);
	if (memcmp(again.target, group->target, sizeof(again.target)) != 0)
		return "not stable";
	return NULL;
}

static const char *
check_uniform(Group *group)
{
	const char *complaint = check_valid(group);

	if (complaint == NULL)
		complaint = check_balanced(group);
	if (complaint == NULL)
		complaint = check_stable(group, KS_ASSIGNOR_UNIFORM);
	if (complaint == NULL && equal_subscriptions(group) &&
		count_moved(group) != least_moves(group))
		complaint = "moved more than needed";
	return complaint;
}

/* ---------- tables of cases ---------- */

/*
 * members: a word of topics for each, "-" for none, "x" for one that is not
 * in the group.  before NULL: what the case above it has come to; what is not
 * in it is nobody's.  after NULL: only the sizes are known.  moved: how many
 * partitions change hands though their owner stays and subscribes.
 */
typedef struct Case
{
	const char *name;
	const char *partitions; /* one word per topic */
	const char *members;
	const char *before;
	const char *after;
	const char *sizes; /* one word per member in the group */
	int moved;
} Case;

static const Case uniform_cases[] = {
	/* the small ends */
	{"no members", "2 1", "", "ab a", ".. .", "", 0},
	{"no topics", "", "- -", "", "", "0 0", 0},
	{"nobody subscribes", "3", "- -", "...", "...", "0 0", 0},
	{"nobody subscribes any more", "3", "- -", "aba", "...", "0 0", 0},
	{"a topic without partitions", "0", "0 0", "-", "-", "0 0", 0},
	{"one member", "3", "0", "...", "aaa", "3", 0},
	{"one member, several topics", "1 2", "01", ". ..", "a aa", "3", 0},
	{"one member, a topic it has not asked for", "3 2", "0", "... ..", "aaa ..", "3", 0},
	{"two members, one partition", "1", "0 0", ".", "a", "1 0", 0},
	{"two members, two partitions", "2", "0 0", "..", "ab", "1 1", 0},
	{"two members, two topics", "3 2", "01 01", "... ..", NULL, "3 2", 0},
	{"two members, two topics of three", "3 3", "01 01", "... ...", NULL, "3 3", 0},
	{"more members than partitions", "2", "0 0 0", "..", "ab", "1 1 0", 0},
	{"the idle one stays idle", "2", "0 0 0", "cb", "cb", "0 1 1", 0},

	/* members come and go */
	{"one alone", "3", "0 x", "...", "aaa", "3", 0},
	{"a second joins", "3", "0 0", NULL, NULL, "2 1", 1},
	{"the first leaves", "3", "x 0", NULL, "bbb", "3", 0},
	{"two of two topics", "3 3", "01 01 x", "aba bab", "aba bab", "3 3", 0},
	{"a third joins two", "3 3", "01 01 01", NULL, NULL, "2 2 2", 2},
	{"the third leaves", "3 3", "01 01 x", "abc abc", NULL, "3 3", 0},
	{"several join one", "8", "0 0 0 0", "aaaaaaaa", NULL, "2 2 2 2", 6},
	{"several leave", "8", "x 0 x x", "abcdabcd", "bbbbbbbb", "8", 0},
	{"one leaves as another joins", "6", "0 x 0 0", "ababcc", NULL, "2 2 2", 0},
	{"all are exchanged", "4", "x x 0 0", "abab", "cdcd", "2 2", 0},
	{"four members, two leave", "3 4", "01 01 01 01", "aba bcdc", "aba bcdc", "2 2 2 1", 0},
	{"two of them stay", "3 4", "x x 01 01", NULL, NULL, "4 3", 0},
	{"unbalanced before", "3 3", "01 01", "aab aab", NULL, "3 3", 1},
	{"one has all, of three topics", "2 2 2", "012 012", "aa aa aa", NULL, "3 3", 3},
	{"the larger ones stay larger", "5", "0 0 0", "ccbba", "ccbba", "1 2 2", 0},
	{"one too large, others one over", "12", "0 0 0 0 0", "aaabbbbcddee", NULL, "3 3 2 2 2", 1},

	/* topics come, grow and go */
	{"a topic", "3", "0 0", "...", NULL, "2 1", 0},
	{"a second topic", "3 3", "01 01", NULL, NULL, "3 3", 0},
	{"the first topic deleted", "0 3", "01 01", NULL, NULL, "1 2", 0},
	{"the only topic deleted", "0", "0 0", "-", "-", "0 0", 0},
	{"topics gain partitions", "6 5", "01 01", "aba... abb..", NULL, "6 5", 0},
	{"a topic gains one", "4", "0 0", "aab.", "aabb", "2 2", 0},
	{"a topic is no longer subscribed", "2 2", "1 1", "ab ab", ".. ab", "1 1", 0},
	{"all subscribe to the other topic", "2 2", "1 1", "ab ..", ".. ab", "1 1", 0},

	/* different subscriptions */
	{"each its own topic", "1 2", "0 1", ". ..", "a bb", "1 2", 0},
	{"one has none", "3", "0 -", "...", "aaa", "3 0", 0},
	{"mixed", "3 2", "0 01 0", "... ..", "aca bb", "2 2 1", 0},
	{"the choosy one first", "3 6", "01 1", "... ......", NULL, "5 4", 0},
	{"two share one partition", "2 0 1", "2 2 0", ".. - .", "cc - a", "1 0 2", 0},
	{"nothing to be done", "4 3 2 3", "02 0123", "aaaa bbb aa bbb", "aaaa bbb aa bbb", "6 6", 0},
	{"three topics grow", "6 5 3 3", "02 0123", "aaaa.. bbb.. aa. bbb", "aaaaaa bbbbb aaa bbb", "9 8", 0},
	{"one joins and topics grow", "6 7", "0 01 01", "aba... abb....", NULL, "5 4 4", 0},
	{"one leaves, the rest keep", "3 8 3", "02 1 x", "aaa cccbbbbc aac", "aaa bbbbbbbb aaa", "6 8", 0},
	{"one drops a topic", "3 5", "0 01", "aba babab", "aaa bbbbb", "3 5", 1},
	{"the sink has nothing yet", "2 2 2 1", "012 012 3", "aa aa aa c", NULL, "3 3 1", 3},
	{"poor round robin", "2 1 2 1 2", "01234 024 024 01234", ".. . .. . ..", NULL, "2 2 2 2", 0},
	{"unbalanced, three topics", "6 4 4", "0 01 012", "aaabcc bccc cccc", NULL, "5 4 5", 4},
	{"a chain of two", "1 1 1 1 1 1", "01 0123 12345", "a b b c c c", NULL, "2 2 2", 2},
	{"a chain of three", "1 1 1 3", "0 01 12 23", ". b c ddd", NULL, "1 1 1 3", 0},
	{"a chain of three to pass", "1 1 1 2", "0 01 12 23", "b c d dd", "a b c dd", "1 1 1 2", 3},
	{"no chain back", "4 1", "0 01 1", "bbbb c", NULL, "2 2 1", 2},
	{"a new one is passed on, not an old one", "4 5", "0 01 1", "a... bbbbb", NULL, "3 3 3", 3},
	{"the fullest gives", "12", "0 0 0 0 0 -", "aaabbbbcddee", NULL, "3 3 2 2 2 0", 1},
	{"a new topic for the middle one", "2 2", "0 0 x", "ab ..", "ab ..", "1 1", 0},
	{"and now", "2 2", "0 01 x", NULL, NULL, "2 2", 1},
	{"an all-round member joins", "2 2", "0 01 01", NULL, NULL, "2 1 1", 1},
	{"the middle one leaves", "2 2", "0 x 01", NULL, "aa cc", "2 2", 0},
};

static const Case range_cases[] = {
	{"no members", "2", "", "..", "..", "", 0},
	{"nobody subscribes", "2", "-", "a.", "..", "0", 0},
	{"one member", "3", "0", "...", "aaa", "3", 0},
	{"the first get one more", "5", "0 0 0", ".....", "aabbc", "2 2 1", 0},
	{"co-partitioned", "3 3", "01 01", "... ...", "aab aab", "4 2", 0},
	{"co-partitioned, three members", "7 7", "01 01 01", "....... .......", "aaabbcc aaabbcc", "6 4 4", 0},
	{"sizes differ by topic", "3 2", "01 01 01", "... ..", "abc ab", "2 2 1", 0},
	{"more members than partitions", "2 2", "01 01 01", "ab ab", "ab ab", "2 2 0", 0},
	{"different subscriptions", "3 3 2", "01 2 12", "... ... ..", "aaa aac bc", "5 1 2", 0},
	{"only the topic's subscribers count", "4 3", "01 0 01", ".... ...", "aabc aac", "4 1 2", 0},
	{"a topic nobody wants", "2 2", "1 1", "ab ..", ".. ab", "1 1", 0},
	{"does not look at the past", "4", "0 0", "bbaa", "aabb", "2 2", 4},
	{"one leaves", "3 3", "x 01", "aab aab", "bbb bbb", "6", 0},
	{"no topics", "", "-", "", "", "0", 0},
	{"a topic without partitions", "0 1", "01", "- .", "- a", "1", 0},
};

/* The next word of `text` into `word`; false at the end. */
static bool
next_word(const char **text, char *word)
{
	while (**text == ' ')
		(*text)++;
	while (**text != '\0' && **text != ' ')
		*word++ = *(*text)++;
	*word = '\0';
	return word[-1] != '\0';
}

/* Read the members that are in the group; name[i] is the letter of the ith. */
static void
read_members(Group *group, const char *text, char *name)
{
	char buf[MAX_TOPICS + 2] = "";
	char *word = buf + 1;
	char letter = 'a';
	int count = 0;
	int places = 0;
	const char *topic;

	group->subscribed[0] = 0;
	for (; next_word(&text, word); letter++)
	{
		if (word[0] == 'x')
			continue;
		for (topic = word; *topic >= '0'; topic++)
			group->subscriptions[places++] = *topic - '0';
		name[count++] = letter;
		group->subscribed[count] = places;
	}
	name[count] = '\0';
	group->assignment.member_count = count;
}

static void
read_case(Group *group, const Case *c, const char *before, char *name)
{
	char buf[MAX_PLACES + 2] = "";
	char *word = buf + 1;
	const char *text = c->partitions;
	int topic;
	int i;

	memset(group, 0, sizeof(*group));
	read_members(group, c->members, name);
	for (topic = 0; next_word(&text, word); topic++)
		group->partitions[topic] = atoi(word);
	group->assignment.topic_count = topic;
	place_topics(group);
	for (topic = 0; next_word(&before, word); topic++)
		for (i = 0; i < group->partitions[topic] && word[i] != '\0'; i++)
		{
			const char *owner = strchr(name, word[i]);

			group->before[group->first[topic] + i] = owner ? (int) (owner - name) : -1;
		}
}

static void
write_result(const Group *group, const char *name, char *after, char *sizes)
{
	int size[MAX_MEMBERS];
	int topic;
	int i;

	for (topic = 0; topic < group->assignment.topic_count; topic++)
	{
		if (topic > 0)
			*after++ = ' ';
		if (group->partitions[topic] == 0)
			*after++ = '-';
		for (i = group->first[topic]; i < group->first[topic] + group->partitions[topic]; i++)
			*after++ = group->target[i] >= 0 ? name[group->target[i]] : '.';
	}
	*after = '\0';
	count_sizes(group, group->target, size);
	*sizes = '\0';
	for (i = 0; i < group->assignment.member_count; i++)
		sizes += sprintf(sizes, i > 0 ? " %d" : "%d", size[i]);
}

static void
test_cases(KsAssignor assignor, const Case *cases, int count)
{
	char after[MAX_PLACES + MAX_TOPICS] = "";
	char sizes[MAX_MEMBERS * 12];
	char before[sizeof(after)];
	char name[MAX_MEMBERS + 1];
	Group group;
	int i;

	for (i = 0; i < count; i++)
	{
		const Case *c = &cases[i];
		const char *complaint;
		int moved;

		strcpy(before, c->before ? c->before : after);
		read_case(&group, c, before, name);
		run_assignor(&group, assignor);
		complaint = assignor == KS_ASSIGNOR_UNIFORM ? check_uniform(&group) : check_valid(&group);
		moved = count_moved(&group);
		write_result(&group, name, after, sizes);
		if (complaint == NULL && c->after != NULL && strcmp(after, c->after) != 0)
			complaint = "not as expected";
		if (complaint == NULL && strcmp(sizes, c->sizes) != 0)
			complaint = "sizes are not as expected";
		if (complaint == NULL && moved != c->moved)
			complaint = "not as many moved as expected";
		tap_ok(complaint == NULL, "%s: %s", ks_assignor_name(assignor), c->name);
		if (complaint != NULL)
			printf("# %s: from \"%s\" to \"%s\", sizes %s, moved %d\n",
				   complaint, before, after, sizes, moved);
	}
}

/* ---------- whole groups ---------- */

static void
begin_group(Group *group, int members, int topics)
{
	memset(group, 0, sizeof(*group));
	group->assignment.member_count = members;
	group->assignment.topic_count = topics;
}

static void
subscribe(Group *group, int *places, int topic)
{
	group->subscriptions[(*places)++] = topic;
}

/* Member i subscribes to topics 0..i, topic i has i + 1 partitions. */
static void
test_staircase(void)
{
	Group group;
	const char *complaint;
	int without = 9;
	int places = 0;
	int member;
	int topic;
	int i;

	begin_group(&group, 19, 19);
	for (member = 0; member < 19; member++)
	{
		group.partitions[member] = member + 1;
		for (topic = 0; topic <= member; topic++)
			subscribe(&group, &places, topic);
		group.subscribed[member + 1] = places;
	}
	place_topics(&group);
	run_assignor(&group, KS_ASSIGNOR_UNIFORM);
	complaint = check_uniform(&group);
	tap_ok(complaint == NULL, "a staircase of subscriptions%s%s",
		   complaint ? ": " : "", complaint ? complaint : "");

	/* One in the middle leaves: its number goes to the next. */
	for (member = without; member < 18; member++)
	{
		int count = group.subscribed[member + 2] - group.subscribed[member + 1];

		memmove(group.subscriptions + group.subscribed[member],
				group.subscriptions + group.subscribed[member + 1], sizeof(int) * (Size) count);
		group.subscribed[member + 1] = group.subscribed[member] + count;
	}
	group.assignment.member_count = 18;
	for (i = 0; i < group.places; i++)
	{
		int owner = group.target[i];

		group.before[i] = owner == without ? -1 : owner - (owner > without ? 1 : 0);
	}
	run_assignor(&group, KS_ASSIGNOR_UNIFORM);
	complaint = check_uniform(&group);
	tap_ok(complaint == NULL, "one leaves the staircase%s%s",
		   complaint ? ": " : "", complaint ? complaint : "");
}

/* Who joins gets partitions of several topics, not one whole topic. */
static void
test_spread(void)
{
	int equal;

	for (equal = 0; equal <= 1; equal++)
	{
		Group group;
		int of_topic[9] = {0};
		int most = 0;
		int places = 0;
		int member;
		int topic;
		int i;

		/* A ninth topic that only member 0 has makes subscriptions differ. */
		begin_group(&group, 5, 9);
		for (member = 0; member < 5; member++)
		{
			for (topic = 0; topic < 9 - (member > 0 || equal ? 1 : 0); topic++)
				subscribe(&group, &places, topic);
			group.subscribed[member + 1] = places;
		}
		for (topic = 0; topic < 8; topic++)
			group.partitions[topic] = 10;
		place_topics(&group);
		for (topic = 0; topic < 8; topic++)
			for (i = 0; i < 10; i++)
				group.before[group.first[topic] + i] = (topic * 10 + i) % 4;
		run_assignor(&group, KS_ASSIGNOR_UNIFORM);
		for (topic = 0; topic < 8; topic++)
			for (i = 0; i < 10; i++)
				if (group.target[group.first[topic] + i] == 4)
					most = Max(most, ++of_topic[topic]);
		tap_ok(check_uniform(&group) == NULL && most <= 4,
			   "%s subscriptions: gained partitions are spread, at most %d of 16 in a topic",
			   equal ? "equal" : "different", most);
	}
}

/* ---------- random groups ---------- */

/* Subscriptions for everybody: equal ones, or each topic with one odds. */
static void
random_subscriptions(Group *group, bool equal)
{
	int odds = random_below(3) + 1;
	int places = 0;
	int member;
	int topic;
	bool chosen[MAX_TOPICS];

	for (member = 0; member < group->assignment.member_count; member++)
	{
		for (topic = 0; topic < group->assignment.topic_count; topic++)
		{
			if (member == 0 || !equal)
				chosen[topic] = random_below(4) < odds;
			if (chosen[topic])
				subscribe(group, &places, topic);
		}
		group->subscribed[member + 1] = places;
	}
}

/* A group of strangers, or what became of the last one after some changes. */
static void
random_group(Group *group, bool equal, const Group *last)
{
	int topic;
	int i;

	begin_group(group, random_below(10) + 1, random_below(8));
	for (topic = 0; topic < group->assignment.topic_count; topic++)
		group->partitions[topic] = random_below(12);
	if (last != NULL && random_below(3) > 0)
	{
		group->assignment.topic_count = last->assignment.topic_count;
		memcpy(group->partitions, last->partitions, sizeof(group->partitions));
		if (last->assignment.topic_count > 0)
			group->partitions[random_below(last->assignment.topic_count)] += random_below(3);
	}
	random_subscriptions(group, equal);
	place_topics(group);
	for (topic = 0; topic < group->assignment.topic_count; topic++)
	{
		int *before = group->before + group->first[topic];
		bool known = last != NULL && topic < last->assignment.topic_count;

		for (i = 0; i < group->partitions[topic]; i++)
		{
			before[i] = random_below(group->assignment.member_count + 1) - 1;
			if (known && i < last->partitions[topic])
				before[i] = last->target[last->first[topic] + i];
			if (before[i] >= group->assignment.member_count)
				before[i] = -1;
		}
	}
}

static void
test_random(bool equal, int groups, int generations)
{
	static Group group[2];
	const char *complaint = NULL;
	int64 moved = 0;
	int64 partitions = 0;
	int generation = 0;
	int i;

	for (i = 0; i < groups && complaint == NULL; i++)
		for (generation = 0; generation < generations && complaint == NULL; generation++)
		{
			Group *now = &group[generation % 2];

			random_group(now, equal, generation > 0 ? &group[(generation + 1) % 2] : NULL);
			run_assignor(now, KS_ASSIGNOR_UNIFORM);
			complaint = check_uniform(now);
			moved += count_moved(now);
			partitions += now->places - now->assignment.topic_count;
		}
	tap_ok(complaint == NULL && i == groups, "random groups, %s subscriptions",
		   equal ? "equal" : "different");
	if (complaint != NULL)
		printf("# group %d, generation %d: %s\n", i, generation, complaint);
	printf("# moved " INT64_FORMAT " of " INT64_FORMAT "\n", moved, partitions);
}

/* The squares' sum is the least of all assignments, tried one by one. */
static void
test_exhaustive(int groups)
{
	int failures = 0;
	int64 moved = 0;
	int64 least = 0;
	static Group group;
	static Group other;
	int i;

	while (groups > 0)
	{
		int size[MAX_MEMBERS];
		int members;
		int squares = 0;
		int best_moved = INT_MAX;
		int code = 1;

		random_group(&group, false, NULL);
		members = group.assignment.member_count;
		group.places -= group.assignment.topic_count;
		if (group.places < 2 || group.places > 7 || members > 4 || members < 2)
			continue;
		groups--;
		run_assignor(&group, KS_ASSIGNOR_UNIFORM);
		count_sizes(&group, group.target, size);
		for (i = 0; i < members; i++)
			squares += size[i] * size[i];
		other = group;
		for (i = 0; i < group.places; i++)
			code *= members;
		while (code-- > 0)
		{
			int rest = code;
			int sum = 0;
			int topic;

			for (topic = 0; topic < other.assignment.topic_count; topic++)
				for (i = 0; i < other.partitions[topic]; i++, rest /= members)
					other.target[other.first[topic] + i] =
						has_subscribers(&other, topic) ? rest % members : -1;
			if (check_valid(&other) != NULL)
				continue;
			count_sizes(&other, other.target, size);
			for (i = 0; i < members; i++)
				sum += size[i] * size[i];
			if (sum < squares)
				failures++;
			if (sum == squares)
				best_moved = Min(best_moved, count_moved(&other));
		}
		moved += count_moved(&group);
		least += best_moved;
	}
	tap_ok(failures == 0, "no assignment has a smaller sum of squares");
	printf("# different subscriptions: moved " INT64_FORMAT ", at least " INT64_FORMAT
		   " had to\n",
		   moved, least);
}

/* ---------- the rest ---------- */

static void
test_names(void)
{
	KsAssignor assignor = KS_ASSIGNOR_RANGE;
	bool ok;

	ok = ks_assignor_by_name("uniform", &assignor) && assignor == KS_ASSIGNOR_UNIFORM;
	ok &= ks_assignor_by_name("Range", &assignor) && assignor == KS_ASSIGNOR_RANGE;
	ok &= !ks_assignor_by_name("", &assignor) && !ks_assignor_by_name("ranges", &assignor);
	ok &= strcmp(ks_assignor_name(KS_ASSIGNOR_RANGE), "range") == 0 &&
		  strcmp(ks_assignor_name(KS_ASSIGNOR_UNIFORM), "uniform") == 0;
	tap_ok(ok, "names");
}

static void
time_one(const char *what, const KsAssignment *assignment, KsAssignor assignor)
{
	struct timespec begin;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	ks_assign(assignor, assignment);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("# %s: %.1f ms\n", what,
		   (double) (end.tv_sec - begin.tv_sec) * 1e3 + (double) (end.tv_nsec - begin.tv_nsec) / 1e6);
}

/*
 * 1,000 members, 10,000 partitions.  Everybody subscribes to a topic, or one
 * in ten does, or two neighbours, of whom each shares another topic with its
 * other neighbour.
 */
typedef enum Shape
{
	SHAPE_EQUAL,
	SHAPE_MIXED,
	SHAPE_CHAIN
} Shape;

static void
time_shape(Shape shape, const char *what, int topics)
{
	int members = 1000;
	int total = 10000;
	int *partitions = malloc(sizeof(int) * (Size) topics);
	int *first = malloc(sizeof(int) * (Size) topics);
	int *subscriptions = malloc(sizeof(int) * (Size) topics * (Size) members);
	int *subscribed = malloc(sizeof(int) * (Size) (members + 1));
	int *target = malloc(sizeof(int) * (Size) total);
	KsAssignment assignment = {members, topics, partitions, first, subscriptions, subscribed, target};
	char line[100];
	int places = 0;
	int member;
	int i;

	for (i = 0; i < topics; i++)
	{
		partitions[i] = total / topics;
		first[i] = i * (total / topics);
	}
	for (member = 0; member < members; member++)
	{
		subscribed[member] = places;
		for (i = 0; i < topics; i++)
			if (shape == SHAPE_EQUAL || (shape == SHAPE_MIXED && random_below(10) == 0) ||
				(shape == SHAPE_CHAIN && (i == member || i == member + 1)))
				subscriptions[places++] = i;
	}
	subscribed[members] = places;

	for (i = 0; i < total; i++)
		target[i] = -1;
	snprintf(line, sizeof(line), "%s, %d topics, %d x %d, range", what, topics, members, total);
	time_one(line, &assignment, KS_ASSIGNOR_RANGE);
	snprintf(line, sizeof(line), "%s, %d topics, %d x %d, uniform after range", what, topics, members, total);
	time_one(line, &assignment, KS_ASSIGNOR_UNIFORM);
	for (i = 0; i < total; i++)
		target[i] = -1;
	snprintf(line, sizeof(line), "%s, %d topics, %d x %d, uniform, new", what, topics, members, total);
	time_one(line, &assignment, KS_ASSIGNOR_UNIFORM);
	for (i = 0; i < total; i++)
		if (target[i] < members / 10)
			target[i] = -1;
	snprintf(line, sizeof(line), "%s, %d topics, %d x %d, uniform, a tenth gone and back", what, topics, members, total);
	time_one(line, &assignment, KS_ASSIGNOR_UNIFORM);
	for (i = 0; i < total; i++)
		target[i] = i / 100 % 2;
	snprintf(line, sizeof(line), "%s, %d topics, %d x %d, uniform, two had all", what, topics, members, total);
	time_one(line, &assignment, KS_ASSIGNOR_UNIFORM);
	free(partitions);
	free(first);
	free(subscriptions);
	free(subscribed);
	free(target);
}

int
main(void)
{
	test_names();
	test_cases(KS_ASSIGNOR_UNIFORM, uniform_cases, lengthof(uniform_cases));
	test_cases(KS_ASSIGNOR_RANGE, range_cases, lengthof(range_cases));
	test_staircase();
	test_spread();
	test_random(true, 2000, 6);
	test_random(false, 2000, 6);
	test_exhaustive(300);
	time_shape(SHAPE_EQUAL, "equal", 10);
	time_shape(SHAPE_EQUAL, "equal", 1000);
	time_shape(SHAPE_MIXED, "mixed", 100);
	time_shape(SHAPE_MIXED, "mixed", 1000);
	time_shape(SHAPE_CHAIN, "chain", 1000);
	printf("1..%d\n", tap_count);
	return tap_failures == 0 ? 0 : 1;
}
