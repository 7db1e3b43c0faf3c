/*-------------------------------------------------------------------------
 * hba_rules.h
 *	  pg_hba.conf for Kafka clients.
 *
 * src/kafka/hba_rules.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_HBA_RULES_H
#define KS_KAFKA_HBA_RULES_H

#include <sys/socket.h>

#include "kafka/handover.h"

typedef enum KsKafkaHbaVerdict
{
	KS_KAFKA_HBA_REFUSE,
	KS_KAFKA_HBA_TRUST,
	KS_KAFKA_HBA_SCRAM,   /* scram-sha-256, or md5 with a SCRAM secret */
	KS_KAFKA_HBA_PASSWORD /* password: in clear */
} KsKafkaHbaVerdict;

/*
 * Read pg_hba.conf.  If it has errors the rules that were read before stay; if
 * there are none, nobody is let in.
 */
extern void ks_kafka_hba_load(void);

typedef struct KsKafkaHbaDecision
{
	KsKafkaHbaVerdict verdict;
	const char *reason;            /* why a client is refused, for the log */
	char line[KS_KAFKA_PLACE_MAX]; /* which line decided, for the log; empty: none did */
} KsKafkaHbaDecision;

/*
 * What the first line says that fits.  role InvalidOid: there is no role of that
 * name.  In a transaction.
 */
extern void ks_kafka_hba_match(const KsKafkaQuestion *question, const struct sockaddr_storage *client, const char *database,
							   Oid role, KsKafkaHbaDecision *decision);

#endif /* KS_KAFKA_HBA_RULES_H */
