/*-------------------------------------------------------------------------
 * kafka_tls.h
 *	  TLS for Kafka clients, by PostgreSQL's own.
 *
 * src/kafka/kafka_tls.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_TLS_H
#define KS_KAFKA_KAFKA_TLS_H

#include "port.h"

typedef struct KsKafkaTls KsKafkaTls;

/*
 * The handshake on a client's nonblocking socket; NULL if it fails, takes longer
 * than limit ms, the process is terminated meanwhile, or the server has no TLS.
 */
extern KsKafkaTls *ks_kafka_tls_start(pgsocket sock, int limit);

/* As recv() and send(): -1 and errno EWOULDBLOCK where the socket is to be waited for. */
extern ssize_t ks_kafka_tls_read(KsKafkaTls *tls, void *data, size_t len);
extern ssize_t ks_kafka_tls_write(KsKafkaTls *tls, const void *data, size_t len);

/* The name in the client's certificate, if that was verified; else NULL. */
extern const char *ks_kafka_tls_peer(const KsKafkaTls *tls);

#endif /* KS_KAFKA_KAFKA_TLS_H */
