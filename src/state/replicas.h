/*-------------------------------------------------------------------------
 * replicas.h
 *	  Which standbys are in sync, as Kafka's ISR.
 *
 * src/state/replicas.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_REPLICAS_H
#define KS_STATE_REPLICAS_H

/* A physical standby that is connected. */
typedef struct KsReplica
{
	int pid; /* of its walsender */
	bool in_sync;
	int64 lag_bytes; /* flushed here and not there; -1: not known */
	int64 lag;       /* us since it had all that was flushed here, at most; -1: not known */
} KsReplica;

/* Kafka's replica.lag.time.max.ms. */
extern int ks_replica_lag_time_max;

extern void ks_replicas_define_settings(void);

/*
 * The standbys that stream from this server, in a palloc'd array.  One that
 * is connected through another standby is that one's.
 */
extern KsReplica *ks_replicas_read(int *count);

/* How many of them are in sync. */
extern int ks_replicas_in_sync(void);

/* Does anybody stream from this server, or may somebody read its archive? */
extern bool ks_replicas_exist(void);

#endif /* KS_STATE_REPLICAS_H */
