/*-------------------------------------------------------------------------
 * group_service.c
 *	  The listener's connections with sessions that call on classic groups.
 *
 * A session connects when its client first uses a group, and keeps the connection.  It
 * sends a call and waits for the answer, which may take as long as a rebalance; it
 * closes when its client is gone.  That is not the member's end: clients come back by
 * another connection.
 *
 * The listener waits for nobody: sockets are nonblocking, calls are collected until
 * they are whole, answers are kept until they can be sent.  What a call means is the
 * state machine's (classic_group.c); what it needs of shared memory, and the log, are
 * put to it here.
 *
 * Memory: a call is read into a context of its own, which is reset after it; what
 * members have said is bounded (GROUP_MEMORY).
 *
 * src/kafka/group_service.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "base/events.h"
#include "kafka/classic_group.h"
#include "kafka/group_service.h"
#include "kafka/kafka.h"

/* What all members of classic groups may keep in the listener, bytes. */
#define GROUP_MEMORY ((size_t) 64 * 1024 * 1024)

/* Buffers that one message has left larger than this are given back. */
#define KEEP_SIZE (64 * 1024)

/* How often it is looked whether members counted by an earlier listener are overdue, ms. */
#define ORPHAN_INTERVAL 1000

struct KsGroupPeer
{
	dlist_node node;
	pgsocket socket;
	StringInfoData in;
	StringInfoData out; /* its cursor: how much of it was sent */
	bool waits;         /* for the answer to its call */
	bool broken;
};

static dlist_head peers = DLIST_STATIC_INIT(peers);
static MemoryContext service_context = NULL;
static MemoryContext call_context = NULL;
static KsCoordinator *coordinator = NULL;
static KsClassicLimits limits;

/* ---------- the machine's hooks ---------- */

/* Send what can be sent now. */
static void
flush(KsGroupPeer *peer)
{
	while (!peer->broken && peer->out.cursor < peer->out.len)
	{
		ssize_t n = send(peer->socket, peer->out.data + peer->out.cursor, peer->out.len - peer->out.cursor, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			peer->out.cursor += n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		else if (errno != EINTR)
			peer->broken = true;
	}
	resetStringInfo(&peer->out);
	if (peer->out.maxlen > KEEP_SIZE)
	{
		pfree(peer->out.data);
		peer->out.data = MemoryContextAlloc(service_context, KEEP_SIZE);
		peer->out.maxlen = KEEP_SIZE;
		resetStringInfo(&peer->out);
	}
}

static void
answer(void *caller, const KsGroupMessage *message)
{
	KsGroupPeer *peer = caller;

	peer->waits = false;
	if (peer->broken)
		return;
	ks_group_message_encode(message, &peer->out);
	flush(peer);
}

/* Text for the log: what a client has chosen of it may be anything. */
static char *
printable(const KwString *text)
{
	char *copy = palloc(text->len + 1);
	int32 i;

	for (i = 0; i < text->len; i++)
		copy[i] = text->data[i] >= ' ' && text->data[i] <= '~' ? text->data[i] : '?';
	copy[text->len] = '\0';
	return copy;
}

static void
report(const KsGroupKey *key, const KwString *member, const char *what, int32 generation, int32 members)
{
	if (member != NULL)
		ks_log_event((errmsg("member \"%s\" of classic group \"%s\" was removed", printable(member), key->name),
					  errdetail("The reason: %s.", what)));
	else
		ks_log_event((errmsg("classic group \"%s\" begins generation %d with %d members", key->name, generation, members)));
}

static const KsClassicHooks hooks = {
	.enter = ks_classic_enter,
	.leave = ks_classic_leave,
	.stamp = ks_classic_stamp,
	.owner = ks_classic_owner,
	.publish = ks_classic_publish,
	.answer = answer,
	.report = report,
};

/* ---------- sessions ---------- */

void
ks_group_service_start(void)
{
	service_context = CurrentMemoryContext;
	call_context = AllocSetContextCreate(service_context, "kstream classic groups", ALLOCSET_DEFAULT_SIZES);
	limits.memory = GROUP_MEMORY;
	coordinator = ks_coordinator_create(&hooks, &limits);
	ks_classic_start();
}

void
ks_group_service_add(pgsocket session)
{
	MemoryContext old = MemoryContextSwitchTo(service_context);
	KsGroupPeer *peer = palloc0(sizeof(KsGroupPeer));

	peer->socket = session;
	initStringInfo(&peer->in);
	initStringInfo(&peer->out);
	dlist_push_tail(&peers, &peer->node);
	MemoryContextSwitchTo(old);
}

KsGroupPeer *
ks_group_peer_next(KsGroupPeer *peer)
{
	if (peer == NULL)
		return dlist_is_empty(&peers) ? NULL : dlist_head_element(KsGroupPeer, node, &peers);
	return dlist_has_next(&peers, &peer->node) ? dlist_container(KsGroupPeer, node, dlist_next_node(&peers, &peer->node)) : NULL;
}

pgsocket
ks_group_peer_socket(const KsGroupPeer *peer)
{
	return peer->socket;
}

bool
ks_group_peer_writes(const KsGroupPeer *peer)
{
	return peer->out.len > 0;
}

/* Settings may have changed. */
static void
read_limits(void)
{
	limits.min_session_timeout = ks_kafka_group_min_session_timeout;
	limits.max_session_timeout = ks_group_max_session_timeout;
	limits.initial_delay = ks_kafka_group_initial_rebalance_delay;
}

/* Do the call at the front of what was read, if it is all there. */
static void
do_call(KsGroupPeer *peer)
{
	MemoryContext old = CurrentMemoryContext;
	KsGroupMessage call;
	int32 len;

	if (peer->waits || peer->in.len < (int) sizeof(len))
		return;
	memcpy(&len, peer->in.data, sizeof(len));
	if (len < 0 || len > KS_GROUP_MESSAGE_MAX)
		peer->broken = true;
	if (peer->broken || peer->in.len - (int) sizeof(len) < len)
		return;
	MemoryContextSwitchTo(call_context);
	if (ks_group_message_decode(peer->in.data + sizeof(len), len, &call))
	{
		peer->waits = true;
		ks_coordinator_call(coordinator, &call, peer, ks_monotonic_ms());
	}
	else
		peer->broken = true;
	MemoryContextSwitchTo(old);
	MemoryContextReset(call_context);
	/* It sends no more before it is answered, so this was all. */
	resetStringInfo(&peer->in);
	if (peer->in.maxlen > KEEP_SIZE)
	{
		pfree(peer->in.data);
		peer->in.data = MemoryContextAlloc(service_context, KEEP_SIZE);
		peer->in.maxlen = KEEP_SIZE;
		resetStringInfo(&peer->in);
	}
}

void
ks_group_peer_serve(KsGroupPeer *peer)
{
	ssize_t n;

	read_limits();
	if (peer->out.len > 0)
		flush(peer);
	enlargeStringInfo(&peer->in, KEEP_SIZE / 2);
	n = recv(peer->socket, peer->in.data + peer->in.len, peer->in.maxlen - peer->in.len - 1, MSG_DONTWAIT);
	if (n > 0)
		peer->in.len += n;
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		peer->broken = true;
	/* Calls that come before the answer are none that a session of ours makes. */
	if (n > 0 && peer->waits)
		peer->broken = true;
	if (!peer->broken)
		do_call(peer);
}

static void
forget(KsGroupPeer *peer)
{
	ks_coordinator_forget(coordinator, peer, ks_monotonic_ms());
	dlist_delete(&peer->node);
	closesocket(peer->socket);
	pfree(peer->in.data);
	pfree(peer->out.data);
	pfree(peer);
}

/* When the members that an earlier listener counted are to be looked at again; *next: sooner than that. */
static void
look_at_orphans(int64 now, int64 *next)
{
	static int64 started = 0;
	static int64 look_again = 0;
	static bool left = true;

	if (started == 0)
		started = now;
	if (left && now >= look_again)
	{
		left = ks_classic_forget_orphans(now - started);
		look_again = now + ORPHAN_INTERVAL;
	}
	if (left)
		*next = Min(*next, look_again);
}

long
ks_group_service_tick(void)
{
	MemoryContext old = MemoryContextSwitchTo(call_context);
	int64 now = ks_monotonic_ms();
	int64 next;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &peers)
	{
		KsGroupPeer *peer = dlist_container(KsGroupPeer, node, iter.cur);

		if (peer->broken)
			forget(peer);
	}
	read_limits();
	next = ks_coordinator_tick(coordinator, now);
	look_at_orphans(now, &next);
	MemoryContextSwitchTo(old);
	MemoryContextReset(call_context);
	return next == PG_INT64_MAX ? -1 : (long) Min(Max(next - now, 0), 60000);
}
