/*-------------------------------------------------------------------------
 * order.h
 *	  The order in which captured rows changed, where statements nest.
 *
 * src/cdc/order.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_ORDER_H
#define KS_CDC_ORDER_H

/* A number that no change has: nothing waits. */
#define KS_ORDER_NONE PG_UINT64_MAX

/*
 * A statement that queues AFTER triggers of its own begins, and has ended with
 * all of them fired; `statement` tells it from others.
 */
extern void ks_order_begin_statement(const void *statement, bool is_copy);
extern void ks_order_end_statement(const void *statement);

/* Is any statement at work that can queue triggers?  Is the innermost COPY FROM? */
extern bool ks_order_in_statement(void);
extern bool ks_order_in_copy(void);

/* A captured row has changed, and its trigger is about to be queued. */
extern void ks_order_note(void);

/*
 * The trigger that was queued first, of the statement at hand, fires: the
 * number of its change, greater than those of all changes before it.
 * KS_ORDER_NONE when none was noted.
 */
extern uint64 ks_order_take(void);

/*
 * The change of this number is being delivered, which can run functions of users;
 * until it was, the number counts as outstanding.  KS_ORDER_FIRST is before all.
 * What the first returns is passed to the second.
 */
#define KS_ORDER_FIRST 0
extern uint64 ks_order_begin_delivery(uint64 number);
extern void ks_order_end_delivery(uint64 outer);

/* The lowest number that was not delivered; KS_ORDER_NONE: there is none. */
extern uint64 ks_order_lowest(void);

/* A subtransaction at this level, or the whole, ends; neither throws. */
extern void ks_order_sub_abort(int nest_level);
extern void ks_order_end(void);

#endif /* KS_CDC_ORDER_H */
