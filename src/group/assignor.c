/*-------------------------------------------------------------------------
 * assignor.c
 *	  Which member of a group should own which partition: pure functions.
 *
 * The partitions of a topic are alike, so a member's size is how many it has
 * of all topics together.  Two assignors, named as in Kafka:
 *
 * range looks at one topic at a time: contiguous runs over its subscribers in
 * their order, the first (partitions mod subscribers) runs longer by one.
 * Topics with the same subscribers and as many partitions are cut alike, so
 * that partition n of each is with one member (co-partitioned).  O(S + P + M).
 *
 * uniform starts from what the members have, takes away what its owner does
 * not subscribe to, and goes on by one of two ways.
 *
 * Equal subscriptions.  P partitions over M members make sizes of P / M, and
 * one more for P mod M of the members.  Those who have more than P / M are
 * the first to be allowed one more: no choice keeps more partitions where
 * they are.  Who has more than allowed gives the rest away, taken evenly from
 * among what it has, so that nobody gives or gains one whole topic while
 * there are others.  What nobody has then goes, one by one, to the smallest
 * member.  O(S + P log M) with S subscriptions in all.  (The other way would
 * balance as well and move no more, but pays O(P) for each move.)
 *
 * Different subscriptions.
 *
 * 1. What nobody has goes to its smallest subscriber, the topics with the
 *	  fewest subscribers first, because these have the least choice.
 *
 * 2. A member can pass a partition to any subscriber of its topic, and that
 *	  one another partition to a third: a chain.  Only its first member loses
 *	  one and only its last gains one.  Take the smallest member, the sink, and
 *	  search backwards, breadth first, for a member that has at least two more:
 *	  the nearest, and the fullest of these.  Found: pass one partition along
 *	  each link of the chain, preferably one that had to move anyway.  Not
 *	  found: all members from which the sink can be reached have as many or
 *	  one more.  They are settled and leave the search.
 *
 * 3. Until all are settled.
 *
 * Why settled members stay so: the smallest size never falls, so nobody is
 * left who could take from them with profit, and nothing can be passed to
 * them: who owned a partition of a topic that one of them subscribes to was
 * found by the same search.  So in the end no chain leads from a member to
 * one that has at least two fewer.  In the bipartite graph of partitions and
 * members this is an optimal semi-matching: besides the differences, it makes
 * the sum of the squared sizes the least possible (Harvey, Ladner, Lovasz and
 * Tamir, "Semi-matchings for bipartite graphs and load balancing", 2006).
 *
 * Why it ends: a member that once was the sink has at most one more than the
 * smallest, now and later, and never becomes the first of a chain.  So a
 * member's losses are of what it had in the beginning, there are at most P
 * chains, and at most M searches that settle.  A search costs O(M + S + P),
 * the whole O((P + M) (M + S + P)), but most searches end at the first link.
 *
 * Both ways, an assignment that is balanced already stays as it is.  With
 * different subscriptions few partitions move, but not always the fewest:
 * that would be a minimum cost flow.  Nothing is random: the same input gives
 * the same output.
 *
 * src/group/assignor.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "group/assignor.h"

#define NOBODY (-1)
#define SETTLED (-1)
#define GOLDEN UINT64CONST(0x9E37) /* 2^16 divided by the golden ratio */

typedef struct Work
{
	const KsAssignment *group;
	int *size; /* per member: how many partitions it has by now */

	/* The subscriptions turned around */
	int *subscribers;      /* members, by topic, ascending */
	int *first_subscriber; /* per topic: where its members begin; and the end */

	/* A search for a member that can pass a partition to the sink */
	const int *had;  /* target as the members had it */
	int round;       /* number of this search, from 1 */
	int *topic_seen; /* per topic: last search that came by, or SETTLED */
	int *seen;       /* per member: the same */
	int *distance;   /* per member: links from it to the sink */
	int *receiver;   /* per member: to whom it would pass a partition */
	int *via;        /* per member: of which topic */
	int *queue;      /* members in the order of being seen */
	int queued;
} Work;

static const char *const assignor_names[] = {"uniform", "range"};

const char *
ks_assignor_name(KsAssignor assignor)
{
	return assignor_names[assignor];
}

bool
ks_assignor_by_name(const char *name, KsAssignor *assignor)
{
	int i;

	for (i = 0; i < (int) lengthof(assignor_names); i++)
	{
		if (pg_strcasecmp(name, assignor_names[i]) == 0)
		{
			*assignor = (KsAssignor) i;
			return true;
		}
	}
	return false;
}

/* ---------- what both need ---------- */

static int *
new_ints(int count, int value)
{
	int *ints = palloc(sizeof(int) * (Size) count);
	int i;

	for (i = 0; i < count; i++)
		ints[i] = value;
	return ints;
}

static int
subscriber_count(const Work *work, int topic)
{
	return work->first_subscriber[topic + 1] - work->first_subscriber[topic];
}

/* Counting sort of the subscriptions by topic. */
static void
index_subscribers(Work *work)
{
	const KsAssignment *group = work->group;
	int count = group->subscribed[group->member_count];
	int *next = new_ints(group->topic_count + 1, 0);
	int member;
	int topic;
	int i;

	work->subscribers = new_ints(count, NOBODY);
	work->first_subscriber = new_ints(group->topic_count + 1, 0);
	/* Count, sum up, fill: members come in ascending order, so each topic's do. */
	for (i = 0; i < count; i++)
		work->first_subscriber[group->subscriptions[i] + 1]++;
	for (topic = 0; topic < group->topic_count; topic++)
	{
		work->first_subscriber[topic + 1] += work->first_subscriber[topic];
		next[topic] = work->first_subscriber[topic];
	}
	for (member = 0; member < group->member_count; member++)
		for (i = group->subscribed[member]; i < group->subscribed[member + 1]; i++)
			work->subscribers[next[group->subscriptions[i]]++] = member;
	pfree(next);
}

/* ---------- range ---------- */

static void
assign_range(Work *work)
{
	const KsAssignment *group = work->group;
	int topic;

	for (topic = 0; topic < group->topic_count; topic++)
	{
		const int *member = work->subscribers + work->first_subscriber[topic];
		int members = subscriber_count(work, topic);
		int *target = group->target + group->first[topic];
		int *end = target + group->partitions[topic];
		int i;

		for (i = 0; i < members; i++)
		{
			int run = group->partitions[topic] / members +
					  (i < group->partitions[topic] % members ? 1 : 0);

			while (run-- > 0)
				*target++ = member[i];
		}
		while (target < end)
			*target++ = NOBODY;
	}
}

/* ---------- uniform ---------- */

/* Take away what its owner does not subscribe to; count what they have. */
static void
keep_subscribed(Work *work)
{
	const KsAssignment *group = work->group;
	int *subscribes_to = new_ints(group->member_count, -1);
	int topic;
	int i;

	for (topic = 0; topic < group->topic_count; topic++)
	{
		int *target = group->target + group->first[topic];

		/*
		 * The last topic that a member is known to subscribe to: one array serves all
		 * topics.
		 */
		for (i = work->first_subscriber[topic]; i < work->first_subscriber[topic + 1]; i++)
			subscribes_to[work->subscribers[i]] = topic;
		for (i = 0; i < group->partitions[topic]; i++)
		{
			Assert(target[i] >= NOBODY && target[i] < group->member_count);
			if (target[i] != NOBODY && subscribes_to[target[i]] == topic)
				work->size[target[i]]++;
			else
				target[i] = NOBODY;
		}
	}
	pfree(subscribes_to);
}

static bool
subscriptions_equal(const KsAssignment *group)
{
	int count = group->subscribed[1] - group->subscribed[0];
	int member;

	for (member = 1; member < group->member_count; member++)
	{
		const int *topics = group->subscriptions + group->subscribed[member];

		if (group->subscribed[member + 1] - group->subscribed[member] != count ||
			memcmp(topics, group->subscriptions, sizeof(int) * (Size) count) != 0)
			return false;
	}
	return true;
}

/*
 * Take from each member what it has above its share, evenly from among its
 * partitions.  Members begin at different places, the golden ratio apart, or
 * all of them would give partitions of the same topics.
 */
static void
release_surplus(Work *work)
{
	const KsAssignment *group = work->group;
	int *surplus = new_ints(group->member_count, 0);
	int64 *passed = palloc(sizeof(int64) * (Size) group->member_count);
	int total = 0;
	int larger;
	int member;
	int i;
	int j;

	for (i = 0; i < group->subscribed[1]; i++)
		total += group->partitions[group->subscriptions[i]];
	larger = total % group->member_count;
	for (member = 0; member < group->member_count; member++)
	{
		/* The first to have more may keep one more: so the fewest partitions move. */
		surplus[member] = Max(work->size[member] - total / group->member_count, 0);
		if (surplus[member] > 0 && larger-- > 0)
			surplus[member]--;
		passed[member] = (int64) ((work->size[member] * (member * GOLDEN & 0xFFFF)) >> 16);
	}
	for (i = 0; i < group->subscribed[1]; i++)
	{
		int topic = group->subscriptions[i];
		int *target = group->target + group->first[topic];

		for (j = 0; j < group->partitions[topic]; j++)
		{
			member = target[j];
			if (member == NOBODY)
				continue;
			/* As Bresenham draws a line: every size/surplus-th partition goes. */
			passed[member] += surplus[member];
			if (passed[member] < work->size[member])
				continue;
			passed[member] -= work->size[member];
			target[j] = NOBODY;
		}
	}
	for (member = 0; member < group->member_count; member++)
		work->size[member] -= surplus[member];
	pfree(surplus);
	pfree(passed);
}

/* By what is counted in `counts`, and by number where that is equal. */
static int
compare_counts(const void *a, const void *b, void *counts)
{
	int left = *(const int *) a;
	int right = *(const int *) b;
	int difference = ((const int *) counts)[left] - ((const int *) counts)[right];

	return difference != 0 ? difference : left - right;
}

/* Restore the heap of members, smallest first, below place `at`. */
static void
sift_down(const Work *work, int *heap, int count, int at)
{
	int child;

	for (; (child = 2 * at + 1) < count; at = child)
	{
		int member = heap[at];

		if (child + 1 < count &&
			compare_counts(&heap[child + 1], &heap[child], work->size) < 0)
			child++;
		if (compare_counts(&member, &heap[child], work->size) <= 0)
			break;
		heap[at] = heap[child];
		heap[child] = member;
	}
}

/* Give the topic's partitions that nobody has to its smallest subscribers. */
static void
hand_out_topic(Work *work, int topic, int *heap)
{
	const KsAssignment *group = work->group;
	int count = subscriber_count(work, topic);
	int *target = group->target + group->first[topic];
	int *end = target + group->partitions[topic];
	int i;

	while (target < end && *target != NOBODY)
		target++;
	if (count == 0 || target == end)
		return;
	/* Only the topic's subscribers may have its partitions. */
	memcpy(heap, work->subscribers + work->first_subscriber[topic], sizeof(int) * (Size) count);
	for (i = count / 2 - 1; i >= 0; i--)
		sift_down(work, heap, count, i);
	for (; target < end; target++)
	{
		if (*target != NOBODY)
			continue;
		*target = heap[0];
		work->size[heap[0]]++;
		sift_down(work, heap, count, 0);
	}
}

static void
hand_out(Work *work)
{
	const KsAssignment *group = work->group;
	int *topics = new_ints(group->topic_count, 0);
	int *subscribers = new_ints(group->topic_count, 0);
	int *heap = new_ints(group->member_count, NOBODY);
	int i;

	for (i = 0; i < group->topic_count; i++)
	{
		topics[i] = i;
		subscribers[i] = subscriber_count(work, i);
	}
	/* Step 1: topics with the fewest subscribers first. */
	qsort_arg(topics, group->topic_count, sizeof(int), compare_counts, subscribers);
	for (i = 0; i < group->topic_count; i++)
		hand_out_topic(work, topics[i], heap);
	pfree(topics);
	pfree(subscribers);
	pfree(heap);
}

/* ---------- uniform, different subscriptions: chains ---------- */

/* The smallest member that is not settled, NOBODY when all are. */
static int
find_sink(const Work *work)
{
	int sink = NOBODY;
	int member;

	for (member = 0; member < work->group->member_count; member++)
		if (work->seen[member] != SETTLED &&
			(sink == NOBODY || work->size[member] < work->size[sink]))
			sink = member;
	return sink;
}

/* Queue those who own partitions of a topic that the receiver subscribes to. */
static void
see_owners(Work *work, int topic, int receiver)
{
	const KsAssignment *group = work->group;
	const int *owner = group->target + group->first[topic];
	const int *end = owner + group->partitions[topic];

	if (work->topic_seen[topic] == work->round || work->topic_seen[topic] == SETTLED)
		return;
	work->topic_seen[topic] = work->round;
	for (; owner < end; owner++)
	{
		if (work->seen[*owner] == work->round || work->seen[*owner] == SETTLED)
			continue;
		work->seen[*owner] = work->round;
		work->distance[*owner] = work->distance[receiver] + 1;
		work->receiver[*owner] = receiver;
		work->via[*owner] = topic;
		work->queue[work->queued++] = *owner;
	}
}

/*
 * The nearest member from which a chain leads to the sink and that has at
 * least two more, the fullest of these; NOBODY when there is none, and then
 * the queue holds the sink and all members with a chain to it.
 */
static int
find_giver(Work *work, int sink)
{
	const KsAssignment *group = work->group;
	int giver = NOBODY;
	int head;

	work->round++;
	work->seen[sink] = work->round;
	work->distance[sink] = 0;
	work->queue[0] = sink;
	work->queued = 1;
	for (head = 0; head < work->queued; head++)
	{
		int member = work->queue[head];
		const int *topics = group->subscriptions + group->subscribed[member];
		int count = group->subscribed[member + 1] - group->subscribed[member];
		int found = work->queued;
		int i;

		/* All that are as near as the giver have been seen; those behind are farther. */
		if (giver != NOBODY && work->distance[member] >= work->distance[giver])
			break;

		/* Begin elsewhere each time, or all would come from the first topic. */
		for (i = 0; i < count; i++)
			see_owners(work, topics[(i + work->round) % count], member);
		for (; found < work->queued; found++)
		{
			int owner = work->queue[found];

			if (work->size[owner] >= work->size[sink] + 2 &&
				(giver == NOBODY || work->size[owner] > work->size[giver]))
				giver = owner;
		}
	}
	return giver;
}

/* Pass a partition of the topic on, one that the giver did not have if any. */
static void
pass_partition(const Work *work, int topic, int giver, int receiver)
{
	const KsAssignment *group = work->group;
	int begin = group->first[topic];
	int chosen = -1;
	int i;

	for (i = begin; i < begin + group->partitions[topic]; i++)
	{
		if (group->target[i] != giver)
			continue;
		chosen = i;
		/* One that has moved already: moving it on costs nothing. */
		if (work->had[i] != giver)
			break;
	}
	Assert(chosen >= 0);
	group->target[chosen] = receiver;
}

/* No chain leads to those in the queue, nor ever will. */
static void
settle_queue(Work *work)
{
	const KsAssignment *group = work->group;
	int i;
	int j;

	for (i = 0; i < work->queued; i++)
	{
		int member = work->queue[i];

		work->seen[member] = SETTLED;
		for (j = group->subscribed[member]; j < group->subscribed[member + 1]; j++)
			work->topic_seen[group->subscriptions[j]] = SETTLED;
	}
}

static void
balance(Work *work)
{
	int sink;

	while ((sink = find_sink(work)) != NOBODY)
	{
		int giver = find_giver(work, sink);
		int member;

		CHECK_FOR_INTERRUPTS();
		/* Nobody can give to the sink: it and all that lead to it are settled (step 2). */
		if (giver == NOBODY)
		{
			settle_queue(work);
			continue;
		}
		for (member = giver; member != sink; member = work->receiver[member])
			pass_partition(work, work->via[member], member, work->receiver[member]);
		work->size[giver]--;
		work->size[sink]++;
	}
}

static void
assign_different(Work *work)
{
	const KsAssignment *group = work->group;
	int *had;
	int places = 0;
	int topic;

	for (topic = 0; topic < group->topic_count; topic++)
		places = Max(places, group->first[topic] + group->partitions[topic]);
	had = palloc(sizeof(int) * (Size) places);
	if (places > 0)
		memcpy(had, group->target, sizeof(int) * (Size) places);
	work->had = had;
	work->round = 0;
	work->topic_seen = new_ints(group->topic_count, 0);
	work->seen = new_ints(group->member_count, 0);
	work->distance = new_ints(group->member_count, 0);
	work->receiver = new_ints(group->member_count, NOBODY);
	work->via = new_ints(group->member_count, 0);
	work->queue = new_ints(group->member_count, NOBODY);
	hand_out(work);
	balance(work);
	pfree(had);
	pfree(work->topic_seen);
	pfree(work->seen);
	pfree(work->distance);
	pfree(work->receiver);
	pfree(work->via);
	pfree(work->queue);
}

static void
assign_uniform(Work *work)
{
	work->size = new_ints(work->group->member_count, 0);
	keep_subscribed(work);
	if (subscriptions_equal(work->group))
	{
		release_surplus(work);
		hand_out(work);
	}
	else
		assign_different(work);
	pfree(work->size);
}

void
ks_assign(KsAssignor assignor, const KsAssignment *assignment)
{
	Work work;

	work.group = assignment;
	index_subscribers(&work);
	if (assignor == KS_ASSIGNOR_RANGE || assignment->member_count == 0)
		assign_range(&work);
	else
		assign_uniform(&work);
	pfree(work.subscribers);
	pfree(work.first_subscriber);
}
