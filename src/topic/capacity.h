/*-------------------------------------------------------------------------
 * capacity.h
 *	  Whether all partitions of a database can be in use at once.
 *
 * src/topic/capacity.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_CAPACITY_H
#define KS_TOPIC_CAPACITY_H

/* WARNING when they cannot all be in use at once. */
extern void ks_capacity_warn(void);

/*
 * The same, once in a session and now and then in the server: for readers of a
 * standby, which may be promoted.
 */
extern void ks_capacity_check_standby(void);

#endif /* KS_TOPIC_CAPACITY_H */
