/*-------------------------------------------------------------------------
 * group_service.h
 *	  The listener's connections with sessions that call on classic groups.
 *
 * src/kafka/group_service.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_GROUP_SERVICE_H
#define KS_KAFKA_GROUP_SERVICE_H

/* A session that is connected. */
typedef struct KsGroupPeer KsGroupPeer;

/* In the context that all of it is to live in. */
extern void ks_group_service_start(void);

/* Serve a session, by a nonblocking socket. */
extern void ks_group_service_add(pgsocket session);

/* The sessions one after another, NULL: the first, and after the last; what to wait for of each. */
extern KsGroupPeer *ks_group_peer_next(KsGroupPeer *peer);
extern pgsocket ks_group_peer_socket(const KsGroupPeer *peer);
extern bool ks_group_peer_writes(const KsGroupPeer *peer);

/* Read what a session says, write what it is to hear.  It stays until the next tick. */
extern void ks_group_peer_serve(KsGroupPeer *peer);

/* Do what is due, let go of sessions that are gone.  Returns ms until the next time, -1: there is none. */
extern long ks_group_service_tick(void);

#endif /* KS_KAFKA_GROUP_SERVICE_H */
