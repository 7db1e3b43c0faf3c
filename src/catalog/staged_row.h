/*-------------------------------------------------------------------------
 * staged_row.h
 *	  The rows of kstream_turns.staged_0 and kstream_turns.staged_1, and of kstream.staging_turn.
 *
 * src/catalog/staged_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_STAGED_ROW_H
#define KS_CATALOG_STAGED_ROW_H

#include "utils/snapshot.h"

/* Attribute numbers and types of both; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_staged_transactional_id 1   /* text */
#define Anum_staged_version 2            /* bigint */
#define Anum_staged_serial 3             /* bigint */
#define Anum_staged_first_version 4      /* bigint */
#define Anum_staged_state 5              /* integer */
#define Anum_staged_owner 6              /* oid */
#define Anum_staged_producer_id 7        /* bigint */
#define Anum_staged_epoch 8              /* integer */
#define Anum_staged_last_producer_id 9   /* bigint */
#define Anum_staged_last_epoch 10        /* integer */
#define Anum_staged_timeout 11           /* integer */
#define Anum_staged_started_at 12        /* timestamptz */
#define Anum_staged_updated_at 13        /* timestamptz */
#define Anum_staged_system_identifier 14 /* bigint */
#define Anum_staged_timeline 15          /* integer */
#define Anum_staged_bytes 16             /* bigint */
#define Anum_staged_topic_id 17          /* integer */
#define Anum_staged_partition 18         /* integer */
#define Anum_staged_group_id 19          /* text */
#define Anum_staged_committed 20         /* bigint */
#define Anum_staged_metadata 21          /* text */
#define Anum_staged_records 22           /* integer */
#define Anum_staged_max_timestamp 23     /* bigint */
#define Anum_staged_told_offset 24       /* bigint */
#define Anum_staged_batch 25             /* bytea */
#define Natts_staged 25

#define Anum_staging_turn_current 1 /* integer */
#define Anum_staging_turn_since 2   /* timestamptz */
#define Natts_staging_turn 2

/* Which of the two tables is written to now. */
extern int ks_staging_turn_row_current(Snapshot snapshot);

/*
 * All inside ks_owner_begin ... ks_owner_end.
 *
 * Lock the turn to the end of the transaction; false: it has lasted for less than so
 * many seconds, or is not free.
 */
extern bool ks_staging_turn_row_try_lock_older(int seconds);

/* Write to another table. */
extern void ks_staging_turn_row_switch(int table);

/* Empty a table, which the caller has locked. */
extern void ks_staged_row_truncate(int table);

#endif /* KS_CATALOG_STAGED_ROW_H */
