/*-------------------------------------------------------------------------
 * kafka.h
 *	  The second face of kstream: Kafka's own protocol.
 *
 * A Kafka connection is a PostgreSQL session.  The listener, a background worker
 * of no database, accepts connections and starts a background worker for each
 * (the session), which authenticates its client, connects to the database as the
 * client's role, and serves one request after another, each that touches the
 * database in a transaction of its own.
 *
 *		kafka.c				settings, and the listener's registration
 *		kafka.c				settings, and the listener's registration
 *		kafka_listener.c	accepts, starts sessions, answers who may connect
 *		handover.c			how a session gets its socket and asks the listener
 *		hba_rules.c			pg_hba.conf: by which method, if at all
 *		kafka_roles.c		what the catalog says of a role and its secret
 *		kafka_session.c		a session's life
 *		kafka_log.c			how much clients may have logged
 *		kafka_connection.c	frames over the socket
 *		sasl.c, scram_server.c	authentication
 *		kafka_nodes.c		the servers that clients are told of
 *		kafka_request.c		the table of APIs; transactions and errors of requests
 *		kafka_*.c			the requests, by subject
 *		classic_group.c		groups by Kafka's classic protocol; group_message.c, group_service.c:
 *							how sessions call on them
 *
 * src/kafka/kafka.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_H
#define KS_KAFKA_KAFKA_H

/* Settings. */
extern int ks_kafka_port;
extern char *ks_kafka_listen_addresses;
extern char *ks_kafka_database;
extern char *ks_kafka_advertised_listener;
extern int ks_kafka_max_connections;
extern int ks_kafka_max_connections_per_address;
extern int ks_kafka_max_log_lines;
extern int ks_kafka_node_id;
extern char *ks_kafka_nodes_setting;
extern char *ks_kafka_anonymous_role;
extern bool ks_kafka_auto_create_topics;
extern int ks_kafka_group_initial_rebalance_delay; /* ms */
extern int ks_kafka_group_min_session_timeout;     /* ms */

/* For _PG_init of the postmaster: settings, and the listener if a port is set. */
extern void ks_kafka_define_settings(void);
extern void ks_kafka_register_listener(void);

#endif /* KS_KAFKA_KAFKA_H */
