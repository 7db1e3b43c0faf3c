/*-------------------------------------------------------------------------
 * kafka_nodes.c
 *	  The servers that Kafka clients know: a primary and its standbys.
 *
 * A kstream database is a cluster of one node, this server, unless
 * kstream.kafka_nodes names others, in the same words on all of them:
 *
 *		id=host:port[,rack[,name]]; ...
 *
 * The primary leads every partition and the standbys are its replicas.  On a primary
 * that is this node.  A standby finds its primary by the host that its WAL receiver
 * is connected to, which must be a node's host; while it does not, it names itself as
 * the leader, so that readers who know no other server can read.
 *
 * A replica is in sync while a standby of its name (its application_name, as in
 * synchronous_standby_names) streams.  Only a primary can see that.
 *
 * The setting is parsed for each request that asks for nodes; which standbys stream
 * is looked at once a second at most.
 *
 * src/kafka/kafka_nodes.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/xlog.h"
#include "common/ip.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "replication/walsender_private.h"
#include "storage/spin.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "kafka/kafka.h"
#include "kafka/kafka_nodes.h"

/* The streaming standbys are looked up so often at most, ms. */
#define LOOK_INTERVAL 1000

/* Names of the standbys that streamed when we looked last, in TopMemoryContext. */
static List *streaming = NIL;
static TimestampTz looked_at = 0;

/* ---------- the setting ---------- */

/* Cut *rest at a separator; the part before it without the blanks around it.  NULL: nothing is left. */
static char *
next_part(char **rest, char separator)
{
	char *part = *rest;
	char *end;

	if (part == NULL)
		return NULL;
	end = strchr(part, separator);
	*rest = end != NULL ? end + 1 : NULL;
	if (end == NULL)
		end = part + strlen(part);
	*end = '\0';
	while (*part == ' ' || *part == '\t' || *part == '\n')
		part++;
	while (end > part && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n'))
		*--end = '\0';
	return part;
}

static char *
not_empty(char *part)
{
	return part != NULL && part[0] != '\0' ? part : NULL;
}

/* A number from least to most; -1: it is none. */
static int32
number_in(const char *text, long least, long most)
{
	char *end;
	long number;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	number = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' && number >= least && number <= most ? (int32) number : -1;
}

/* id=host:port[,rack[,name]]; cuts the text up. */
static bool
parse_node(char *text, KsKafkaNode *node)
{
	char *rest = text;
	char *place;
	char *colon;

	memset(node, 0, sizeof(*node));
	node->id = number_in(next_part(&rest, '='), 0, PG_INT32_MAX);
	place = next_part(&rest, ',');
	colon = place != NULL ? strrchr(place, ':') : NULL;
	if (node->id < 0 || colon == NULL || colon == place)
		return false;
	*colon = '\0';
	/* An address of IPv6 may stand in brackets. */
	if (place[0] == '[' && colon[-1] == ']')
	{
		place++;
		colon[-1] = '\0';
	}
	node->host = not_empty(place);
	node->port = number_in(colon + 1, 1, 65535);
	node->rack = not_empty(next_part(&rest, ','));
	node->name = not_empty(next_part(&rest, ','));
	return node->host != NULL && node->port > 0 && rest == NULL;
}

bool
ks_kafka_is_node(const KsKafkaNodes *nodes, int32 id)
{
	int i;

	for (i = 0; i < nodes->count; i++)
	{
		if (nodes->nodes[i].id == id)
			return true;
	}
	return false;
}

/* The nodes of a text, which is cut up; false: it is malformed.  Leaves room for one more. */
static bool
parse_nodes(char *text, KsKafkaNodes *nodes)
{
	char *rest = text;
	char *part;
	int most = 2;
	char *p;

	for (p = text; *p != '\0'; p++)
		most += *p == ';';
	nodes->nodes = palloc0(most * sizeof(KsKafkaNode));
	nodes->count = 0;
	while ((part = next_part(&rest, ';')) != NULL)
	{
		KsKafkaNode node;

		if (part[0] == '\0')
			continue;
		if (!parse_node(part, &node) || ks_kafka_is_node(nodes, node.id))
			return false;
		nodes->nodes[nodes->count++] = node;
	}
	return true;
}

bool
ks_kafka_check_nodes(char **value, void **extra, GucSource source)
{
	char *copy = pstrdup(*value);
	KsKafkaNodes nodes;
	bool sound = parse_nodes(copy, &nodes);

	pfree(nodes.nodes);
	pfree(copy);
	if (!sound)
		GUC_check_errdetail("It must be a list, separated by semicolons, of id=host:port, which rack and application_name may follow after commas; each id once.");
	return sound;
}

/* ---------- who leads ---------- */

/* Host and port at which this client reaches this server. */
static void
own_address(KsKafkaRequest *request, KsKafkaNode *node)
{
	const char *setting = ks_kafka_advertised_listener;
	const char *colon = setting != NULL ? strrchr(setting, ':') : NULL;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char name[NI_MAXHOST] = "localhost";
	char service[NI_MAXSERV];

	node->port = ks_kafka_port;
	if (colon != NULL && colon > setting)
	{
		node->host = pnstrdup(setting, colon - setting);
		node->port = atoi(colon + 1);
		return;
	}
	if (getsockname(request->connection->socket, (struct sockaddr *) &address, &len) == 0)
		(void) pg_getnameinfo_all(&address, len, name, sizeof(name), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
	node->host = pstrdup(name);
}

/* Put a node to the front. */
static void
move_to_front(KsKafkaNodes *nodes, int place)
{
	KsKafkaNode node = nodes->nodes[place];

	memmove(nodes->nodes + 1, nodes->nodes, place * sizeof(KsKafkaNode));
	nodes->nodes[0] = node;
}

static int
place_of_self(KsKafkaRequest *request, KsKafkaNodes *nodes)
{
	int i;

	for (i = 0; i < nodes->count; i++)
	{
		if (nodes->nodes[i].id == ks_kafka_node_id)
			return i;
	}
	nodes->nodes[nodes->count].id = ks_kafka_node_id;
	own_address(request, &nodes->nodes[nodes->count]);
	return nodes->count++;
}

/* On a standby: the node of the host that WAL is received from, or this one. */
static int
place_of_primary(const KsKafkaNodes *nodes, int self)
{
	char host[NI_MAXHOST];
	int i;

	SpinLockAcquire(&WalRcv->mutex);
	strlcpy(host, WalRcv->sender_host, sizeof(host));
	SpinLockRelease(&WalRcv->mutex);
	for (i = 0; i < nodes->count && host[0] != '\0'; i++)
	{
		if (i != self && pg_strcasecmp(nodes->nodes[i].host, host) == 0)
			return i;
	}
	return self;
}

/* ---------- who is in sync ---------- */

static bool
is_streaming(int pid)
{
	bool found = false;
	int i;

	for (i = 0; i < max_wal_senders && !found; i++)
	{
		WalSnd *sender = &WalSndCtl->walsnds[i];

		SpinLockAcquire(&sender->mutex);
		found = sender->pid == pid && sender->state == WALSNDSTATE_STREAMING;
		SpinLockRelease(&sender->mutex);
	}
	return found;
}

/* Look which standbys stream, unless that was done a moment ago. */
static void
look_at_standbys(void)
{
	MemoryContext old;
	int count;
	int i;

	if (looked_at != 0 && !TimestampDifferenceExceeds(looked_at, GetCurrentTimestamp(), LOOK_INTERVAL))
		return;
	looked_at = GetCurrentTimestamp();
	list_free_deep(streaming);
	streaming = NIL;
	pgstat_clear_backend_activity_snapshot();
	count = pgstat_fetch_stat_numbackends();
	old = MemoryContextSwitchTo(TopMemoryContext);
	for (i = 1; i <= count; i++)
	{
		const PgBackendStatus *status = &KS_STAT_LOCAL_BEENTRY(i)->backendStatus;

		if (status->st_backendType == B_WAL_SENDER && is_streaming(status->st_procpid))
			streaming = lappend(streaming, pstrdup(status->st_appname));
	}
	MemoryContextSwitchTo(old);
	pgstat_clear_backend_activity_snapshot();
}

static bool
streams(const char *name)
{
	ListCell *lc;

	foreach (lc, streaming)
	{
		if (pg_strcasecmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

static void
set_in_sync(KsKafkaNodes *nodes)
{
	bool standby = RecoveryInProgress();
	int i;

	for (i = 1; i < nodes->count; i++)
	{
		KsKafkaNode *node = &nodes->nodes[i];

		if (standby)
		{
			node->in_sync = node->id == ks_kafka_node_id;
			continue;
		}
		if (node->name == NULL)
			continue;
		look_at_standbys();
		node->in_sync = streams(node->name);
	}
	nodes->nodes[0].in_sync = true;
}

/* ---------- for requests ---------- */

KsKafkaNodes *
ks_kafka_nodes(KsKafkaRequest *request)
{
	KsKafkaNodes *nodes = palloc(sizeof(KsKafkaNodes));
	int self;

	/* What was checked when it was set. */
	(void) parse_nodes(pstrdup(ks_kafka_nodes_setting), nodes);
	self = place_of_self(request, nodes);
	move_to_front(nodes, RecoveryInProgress() ? place_of_primary(nodes, self) : self);
	set_in_sync(nodes);
	return nodes;
}

void
ks_kafka_replicas(KsKafkaRequest *request, const KsKafkaNodes *nodes, int32 **items, int32 *count, bool in_sync)
{
	int i;

	*items = MemoryContextAllocZero(request->context, nodes->count * sizeof(int32));
	*count = 0;
	for (i = 0; i < nodes->count; i++)
	{
		if (!in_sync || nodes->nodes[i].in_sync)
			(*items)[(*count)++] = nodes->nodes[i].id;
	}
}

int32
ks_kafka_node_of_rack(KsKafkaRequest *request, KwString rack)
{
	KsKafkaNodes *nodes;
	int i;

	if (rack.len <= 0 || ks_kafka_nodes_setting[0] == '\0' || RecoveryInProgress())
		return -1;
	nodes = ks_kafka_nodes(request);
	for (i = 0; i < nodes->count; i++)
	{
		const KsKafkaNode *node = &nodes->nodes[i];

		if (node->in_sync && node->rack != NULL && ks_wire_string_is(rack, node->rack))
			return i == 0 ? -1 : node->id;
	}
	return -1;
}
