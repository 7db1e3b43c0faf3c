/*-------------------------------------------------------------------------
 * change.h
 *	  A change of a row as records.
 *
 * src/cdc/change.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_CHANGE_H
#define KS_CDC_CHANGE_H

#include "cdc/capture.h"

/*
 * Produce what tells of a change.  The slots hold rows with all columns
 * fetched.  The capture's role must be allowed to produce: 42501.  What is
 * allocated is left to the caller's memory context.  `number` is the change's
 * place (cdc/order.h): while earlier ones wait, what it makes waits too.
 */
extern void ks_change_insert(KsCapture *capture, uint64 number, TupleTableSlot *row);
extern void ks_change_update(KsCapture *capture, uint64 number, TupleTableSlot *before, TupleTableSlot *after);
extern void ks_change_delete(KsCapture *capture, uint64 number, TupleTableSlot *row);
extern void ks_change_truncate(KsCapture *capture, uint64 number);

/* A row that a snapshot found. */
extern void ks_change_read(KsCapture *capture, TupleTableSlot *row);

/* Produce what waited, if nothing is left to wait for. */
extern void ks_change_release(void);

/* The transaction ends; throws nothing. */
extern void ks_change_end(void);

#endif /* KS_CDC_CHANGE_H */
