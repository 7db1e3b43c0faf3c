/*-------------------------------------------------------------------------
 * producer_row.h
 *	  The rows of kstream_turns.producer_batch_0 and _1, and of kstream.producer_turn.
 *
 * src/catalog/producer_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_PRODUCER_ROW_H
#define KS_CATALOG_PRODUCER_ROW_H

#include "utils/snapshot.h"

/* Attribute numbers and types of both; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_producer_batch_producer_id 1    /* bigint */
#define Anum_producer_batch_topic_id 2       /* integer */
#define Anum_producer_batch_partition 3      /* integer */
#define Anum_producer_batch_base_offset 4    /* bigint */
#define Anum_producer_batch_epoch 5          /* integer */
#define Anum_producer_batch_first_sequence 6 /* integer */
#define Anum_producer_batch_last_sequence 7  /* integer */
#define Anum_producer_batch_told_offset 8    /* bigint */
#define Natts_producer_batch 8

#define Anum_producer_turn_current 1 /* integer */
#define Anum_producer_turn_since 2   /* timestamptz */
#define Natts_producer_turn 2

/* Which of the two tables is written to now. */
extern int ks_producer_turn_row_current(Snapshot snapshot);

/*
 * Inside ks_owner_begin ... ks_owner_end.
 *
 * Lock the turn to the end of the transaction; false: it has lasted for less than so
 * many seconds, or is not free.
 */
extern bool ks_producer_turn_row_try_lock_older(int seconds);

/* Empty a table, which the caller has locked, and write to that. */
extern void ks_producer_turn_row_switch(int table);

#endif /* KS_CATALOG_PRODUCER_ROW_H */
