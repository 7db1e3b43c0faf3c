/*-------------------------------------------------------------------------
 * held.h
 *	  Records that wait for those of earlier changes.
 *
 * src/cdc/held.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_HELD_H
#define KS_CDC_HELD_H

/* A record without what only its turn tells: where it stands in the transaction. */
typedef struct KsHeldRecord
{
	Oid trigger; /* whose capture it is of */
	char op;
	bool envelope; /* the value wants its end */
	int32 partition;
	int32 key_len;   /* -1: NULL */
	int32 value_len; /* -1: NULL */
	int32 header_count;
	int32 headers_len;
	const char *key;
	const char *value; /* in the server encoding */
	const char *headers;
} KsHeldRecord;

/* Put a copy of a record aside; records of one number keep their order. */
extern void ks_held_add(uint64 number, const KsHeldRecord *record);

/* The lowest number put aside; KS_ORDER_NONE: nothing is. */
extern uint64 ks_held_lowest(void);

/*
 * Hand out all that was put aside, by number, each valid until the next is
 * asked for, and forget it.  An error in between forgets it too, by the abort.
 */
extern void ks_held_begin(void);
extern bool ks_held_next(KsHeldRecord *record);

/* A subtransaction at this level, or the whole, ends; none of them throws. */
extern void ks_held_sub_commit(int nest_level);
extern void ks_held_sub_abort(int nest_level);
extern void ks_held_end(void);

#endif /* KS_CDC_HELD_H */
