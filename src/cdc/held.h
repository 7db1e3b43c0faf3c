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

/*
 * Put a copy of a record aside; records of one number keep their order.  Out of
 * memory, 53400 (temp_file_limit) or what the file system says, and then it was
 * not put aside.
 */
extern void ks_held_add(uint64 number, const KsHeldRecord *record);

/* The lowest number put aside; KS_ORDER_NONE: nothing is. */
extern uint64 ks_held_lowest(void);

/*
 * Is all that was put aside of the subtransaction at hand?  Only then may it be
 * handed out: what becomes of it goes with the same rollback.
 */
extern bool ks_held_is_of_this_level(void);

/*
 * Hand out all that was put aside, by number, and forget it.  What begin
 * allocates is in CurrentMemoryContext, and so is a record that next returns.
 * After an error in between the subtransaction at hand must be rolled back.
 */
extern void ks_held_begin(void);
extern bool ks_held_next(KsHeldRecord *record);

/* A subtransaction at this level, or the whole, ends; none of them throws. */
extern void ks_held_sub_commit(int nest_level);
extern void ks_held_sub_abort(int nest_level);
extern void ks_held_end(void);

/* Before a transaction commits or is prepared: remove the temporary file. */
extern void ks_held_close(void);

#endif /* KS_CDC_HELD_H */
