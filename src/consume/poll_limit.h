/*-------------------------------------------------------------------------
 * poll_limit.h
 *	  Queries that would throw polled records away are refused.
 *
 * src/consume/poll_limit.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CONSUME_POLL_LIMIT_H
#define KS_CONSUME_POLL_LIMIT_H

/* Install the planner's hooks; for _PG_init. */
extern void ks_poll_limit_init(void);

#endif /* KS_CONSUME_POLL_LIMIT_H */
