/*-------------------------------------------------------------------------
 * kafka_group_call.c
 *	  What requests of groups share: the group, and calls to the listener.
 *
 * Who may use a group is looked up in a transaction of the session, before the
 * listener is asked, which knows no rights: whoever has the privileges of the group's
 * owner.  The first to use a name makes the group and owns it, as from SQL; a role
 * that can read no topic cannot take a name so.
 *
 * Calls go over a connection that is made at the first one and kept.  While a session
 * waits for an answer it is outside of a transaction and looks at its client too: when
 * that goes, the connection is closed, by which the listener learns that nobody waits
 * any more.  A listener that is gone is COORDINATOR_NOT_AVAILABLE: clients look for
 * another, find the next one, and join again.
 *
 * src/kafka/kafka_group_call.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/errors.h"
#include "group/classic_slot.h"
#include "group/group_row.h"
#include "kafka/handover.h"
#include "kafka/kafka_group_call.h"
#include "kafka/kafka_metadata.h"

/* An answer has at most what the listener keeps of one group. */
#define ANSWER_MAX (256 * 1024 * 1024)

static pgsocket service = PGINVALID_SOCKET;
static WaitEventSet *waits = NULL;
static bool client_gone = false;

/* ---------- the group ---------- */

bool
ks_kafka_is_text(KwString text)
{
	return text.len <= 0 || (memchr(text.data, '\0', text.len) == NULL &&
							 pg_verify_mbstr(GetDatabaseEncoding(), text.data, text.len, true));
}

char *
ks_kafka_text(KwString text)
{
	return ks_wire_cstring(text);
}

static bool
is_group_name(KwString name)
{
	return name.len > 0 && name.len <= KS_GROUP_NAME_MAX && ks_kafka_is_text(name);
}

/* Can the client's role read any topic? */
static bool
reads_a_topic(void)
{
	List *ids = ks_kafka_topic_ids();
	ListCell *lc;

	foreach (lc, ids)
	{
		KsTopic topic;

		if (ks_topic_find_by_id(lfirst_int(lc), &topic) && ks_topic_has_right(&topic, ACL_SELECT))
			return true;
	}
	return false;
}

bool
ks_kafka_group_open_existing(KwString name, KsGroupKey *key)
{
	ks_group_note_use();
	return ks_group_open_existing(ks_kafka_text(name), key);
}

typedef struct Opening
{
	KwString name;
	bool create;
	KsGroupKey *key;
} Opening;

static void
open_group(KsKafkaRequest *request, void *arg)
{
	Opening *opening = arg;

	if (opening->create)
		ks_require_writable("a Kafka consumer group");
	if (ks_kafka_group_open_existing(opening->name, opening->key))
		return;
	if (opening->create && !reads_a_topic())
		ereport(ERROR,
				(errmsg("permission denied to make group \"%s\"", opening->key->name),
				 ks_error(KS_E_GROUP_AUTHORIZATION_FAILED, "the role can read no topic.")));
	/* The key is made anew, so the name must not be its own. */
	ks_group_open(ks_kafka_text(opening->name), opening->create, opening->key);
}

int16
ks_kafka_group_open(KsKafkaRequest *request, KwString name, bool create, KsGroupKey *key)
{
	Opening opening = {name, create, key};

	if (!is_group_name(name))
		return KS_E_INVALID_GROUP_ID;
	return ks_kafka_transaction(request, open_group, &opening, NULL);
}

/* ---------- calls ---------- */

static void
disconnect(void)
{
	if (waits != NULL)
		FreeWaitEventSet(waits);
	waits = NULL;
	if (service != PGINVALID_SOCKET)
		closesocket(service);
	service = PGINVALID_SOCKET;
}

/* Connect, unless that was done; false: there is no listener. */
static bool
connect_service(KsKafkaConnection *connection)
{
	MemoryContext old;

	if (service != PGINVALID_SOCKET)
		return true;
	service = ks_kafka_handover_groups();
	if (service == PGINVALID_SOCKET)
		return false;
	old = MemoryContextSwitchTo(TopMemoryContext);
	waits = KS_CREATE_WAIT_EVENT_SET(4);
	AddWaitEventToSet(waits, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(waits, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(waits, WL_SOCKET_READABLE, service, NULL, NULL);
	AddWaitEventToSet(waits, WL_SOCKET_CLOSED, connection->socket, NULL, &client_gone);
	MemoryContextSwitchTo(old);
	return true;
}

static bool
send_all(const char *data, size_t len)
{
	while (len > 0)
	{
		ssize_t n = send(service, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

/* Read what has come of the answer; false: the listener is gone. */
static bool
read_some(StringInfo in)
{
	ssize_t n;

	enlargeStringInfo(in, 8192);
	n = recv(service, in->data + in->len, in->maxlen - in->len - 1, MSG_DONTWAIT);
	if (n > 0)
		in->len += n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

static bool
is_complete(const StringInfoData *in, int32 *len)
{
	if (in->len < (int) sizeof(*len))
		return false;
	memcpy(len, in->data, sizeof(*len));
	return in->len - (int) sizeof(*len) >= *len;
}

/* Wait for the answer; false: the listener, or the client, is gone. */
static bool
await(KsKafkaRequest *request, StringInfo in)
{
	int32 len = 0;

	for (;;)
	{
		WaitEvent events[4];
		int n = WaitEventSetWait(waits, -1, events, lengthof(events), KS_WAIT_EVENT("KstreamKafkaGroup"));
		int i;

		for (i = 0; i < n; i++)
		{
			if (events[i].events & WL_LATCH_SET)
				ks_kafka_serve_interrupts();
			if (events[i].user_data == &client_gone)
				request->gone = true;
			else if ((events[i].events & WL_SOCKET_READABLE) && !read_some(in))
				return false;
		}
		if (is_complete(in, &len) || len < 0 || len > ANSWER_MAX)
			return len >= 0 && len <= ANSWER_MAX;
		if (request->gone)
			return false;
	}
}

/* Once: false when the listener could not be asked. */
static bool
try_call(KsKafkaRequest *request, const StringInfoData *out, StringInfo in)
{
	resetStringInfo(in);
	if (!connect_service(request->connection))
		return false;
	if (send_all(out->data, out->len) && await(request, in))
		return true;
	disconnect();
	return false;
}

int16
ks_kafka_group_call(KsKafkaRequest *request, const KsGroupMessage *call, KsGroupMessage *answer)
{
	MemoryContext old = MemoryContextSwitchTo(request->context);
	bool was_connected = service != PGINVALID_SOCKET;
	StringInfoData out;
	StringInfoData in;
	bool answered;

	initStringInfo(&out);
	initStringInfo(&in);
	ks_group_message_encode(call, &out);
	if (out.len > KS_GROUP_MESSAGE_MAX)
	{
		MemoryContextSwitchTo(old);
		return KS_E_MESSAGE_TOO_LARGE;
	}
	answered = try_call(request, &out, &in);
	/* The listener may be another than the one that we knew, which has done nothing for us then. */
	if (!answered && was_connected && !request->gone)
		answered = try_call(request, &out, &in);
	answered = answered && ks_group_message_decode(in.data + sizeof(int32), in.len - sizeof(int32), answer);
	MemoryContextSwitchTo(old);
	return answered ? KS_KAFKA_NONE : KS_KAFKA_COORDINATOR_NOT_AVAILABLE;
}

/* Ask what the listener knows of a member that wants to commit. */
static int16
ask_of_member(KsKafkaRequest *request, const KsGroupKey *key, int32 generation, KwString member, KwString instance,
			  KsGroupMessage *answer)
{
	KsGroupMessage call;

	ks_group_message_init(&call, KS_GROUP_MAY_COMMIT, key);
	call.generation = generation;
	call.text[KS_GROUP_MEMBER] = member;
	call.text[KS_GROUP_INSTANCE] = instance;
	return ks_kafka_group_call(request, &call, answer);
}

int16
ks_kafka_group_may_commit(KsKafkaRequest *request, const KsGroupKey *key, int32 generation, KwString member,
						  KwString instance, int64 *stamp)
{
	KsGroupMessage answer;
	int16 error = ask_of_member(request, key, generation, member, instance, &answer);

	if (error != KS_KAFKA_NONE)
		return error;
	*stamp = answer.stamp;
	/*
	 * A member whose listener has ended is not known to the next.  Java's client gives
	 * up a commit of an unknown member; told of a rebalance, it polls and goes on.
	 */
	if (answer.error == KS_E_UNKNOWN_MEMBER_ID && member.len > 0 && ks_classic_comes_back(key))
		return KS_KAFKA_REBALANCE_IN_PROGRESS;
	return (int16) answer.error;
}

int16
ks_kafka_group_may_stage(KsKafkaRequest *request, const KsGroupKey *key, int32 generation, KwString member, KwString instance)
{
	KsGroupMessage answer;
	int16 error = ask_of_member(request, key, generation, member, instance, &answer);

	if (error != KS_KAFKA_NONE)
		return error;
	/* The generation's assignment is not out yet: nobody else has been given what the member has read. */
	return answer.error == KS_KAFKA_REBALANCE_IN_PROGRESS ? KS_KAFKA_NONE : (int16) answer.error;
}
