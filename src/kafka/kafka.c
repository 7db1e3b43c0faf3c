/*-------------------------------------------------------------------------
 * kafka.c
 *	  The settings of the Kafka face, and its processes' registration.
 *
 * Nothing of the face exists while kstream.kafka_port is 0.  Sessions are
 * background workers, so that max_worker_processes must have room for
 * kstream.kafka_max_connections of them and the listener.
 *
 * src/kafka/kafka.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"

#include "kafka/kafka.h"
#include "kafka/kafka_nodes.h"
#include "kafka/kafka_listener.h"

int ks_kafka_port = 0;
char *ks_kafka_listen_addresses = NULL;
char *ks_kafka_database = NULL;
char *ks_kafka_advertised_listener = NULL;
int ks_kafka_max_connections = 100;
int ks_kafka_max_connections_per_address = 0;
int ks_kafka_max_log_lines = 20;
int ks_kafka_node_id = 1;
char *ks_kafka_nodes_setting = NULL;
char *ks_kafka_anonymous_role = NULL;
bool ks_kafka_auto_create_topics = false;
int ks_kafka_group_initial_rebalance_delay = 3000;
int ks_kafka_group_min_session_timeout = 6000;

/* Empty, or what Metadata can split: a host, a colon and a port. */
static bool
check_advertised_listener(char **value, void **extra, GucSource source)
{
	const char *colon = strrchr(*value, ':');
	char *end;
	long port;

	if ((*value)[0] == '\0')
		return true;
	port = colon != NULL ? strtol(colon + 1, &end, 10) : 0;
	if (colon == NULL || colon == *value || port < 1 || port > 65535 || *end != '\0')
	{
		GUC_check_errdetail("It must be empty or of the form host:port.");
		return false;
	}
	return true;
}

void
ks_kafka_define_settings(void)
{
	DefineCustomIntVariable("kstream.kafka_port", "Port for clients that speak Kafka's protocol.",
							"0: there is no listener.",
							&ks_kafka_port, 0, 0, 65535, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("kstream.kafka_listen_addresses", "Addresses at which Kafka clients may connect.",
							   "A list of host names or addresses as in listen_addresses; '*' is all.",
							   &ks_kafka_listen_addresses, "localhost", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("kstream.kafka_database", "Database whose topics Kafka clients see.", NULL,
							   &ks_kafka_database, "postgres", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("kstream.kafka_advertised_listener",
							   "Host and port that Kafka clients are told to connect to.",
							   "As host:port.  Empty: the address at which the client connected.",
							   &ks_kafka_advertised_listener, "", PGC_SIGHUP, 0, check_advertised_listener, NULL, NULL);
	DefineCustomIntVariable("kstream.kafka_max_connections", "Greatest number of Kafka connections.",
							"Each is a background worker while it lasts; max_worker_processes must have room for them.",
							&ks_kafka_max_connections, 100, 1, 10000, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.kafka_node_id", "Number by which Kafka clients know this server.", NULL,
							&ks_kafka_node_id, 1, 0, PG_INT32_MAX, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("kstream.kafka_nodes", "Servers that Kafka clients are told of: a primary and its standbys.",
							   "As id=host:port,rack,application_name; ...  The same on all of them.  Empty: this server alone.",
							   &ks_kafka_nodes_setting, "", PGC_SIGHUP, 0, ks_kafka_check_nodes, NULL, NULL);
	DefineCustomIntVariable("kstream.kafka_max_connections_per_address",
							"Greatest number of Kafka connections from one address.", "0: no limit but that of all connections.",
							&ks_kafka_max_connections_per_address, 0, 0, 10000, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.kafka_max_log_lines",
							"Greatest number of lines a second in the log about logins and requests of Kafka clients that failed.",
							"Of all clients together; a line tells how many were left out.",
							&ks_kafka_max_log_lines, 20, 0, INT_MAX, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("kstream.kafka_anonymous_role", "Role of Kafka clients that do not authenticate.",
							   "A line of pg_hba.conf with the method trust must let it in.  Empty: they are refused.",
							   &ks_kafka_anonymous_role, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("kstream.kafka_auto_create_topics",
							 "Make a topic that a Kafka client asks for and that is not there.",
							 "With one partition, owned by the client's role, which must have the right to create topics.",
							 &ks_kafka_auto_create_topics, false, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.kafka_group_initial_rebalance_delay",
							"How long the first Kafka members of a group wait for others.",
							"It begins anew when another comes, up to their rebalance timeout.",
							&ks_kafka_group_initial_rebalance_delay, 3000, 0, 3600000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.kafka_group_min_session_timeout",
							"Shortest session timeout that a Kafka member of a group may ask for.", NULL,
							&ks_kafka_group_min_session_timeout, 6000, 1, PG_INT32_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

void
ks_kafka_register_listener(void)
{
	BackgroundWorker worker = {0};

	if (ks_kafka_port == 0 || IsBinaryUpgrade)
		return;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "kstream", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "ks_kafka_listener_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "kstream kafka listener", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "kstream kafka listener", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}
