/*-------------------------------------------------------------------------
 * poll_limit.h
 *	  Queries that would throw polled records away are refused.
 *
 * src/group/poll_limit.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_POLL_LIMIT_H
#define KS_GROUP_POLL_LIMIT_H

/* Install the planner's hooks; for _PG_init. */
extern void ks_poll_limit_init(void);

#endif /* KS_GROUP_POLL_LIMIT_H */
