/*-------------------------------------------------------------------------
 * topic_row.h
 *	  The rows of kstream.topic.
 *
 * src/catalog/topic_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_TOPIC_ROW_H
#define KS_CATALOG_TOPIC_ROW_H

#include "nodes/pg_list.h"
#include "utils/uuid.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_topic_topic_id 1   /* integer */
#define Anum_topic_topic 2      /* text */
#define Anum_topic_topic_uuid 3 /* uuid */
#define Anum_topic_relation 4   /* regclass */
#define Anum_topic_partitions 5 /* integer */
#define Natts_topic 5

typedef struct KsTopicRow
{
	int32 topic_id;
	pg_uuid_t uuid;
	Oid relid; /* its foreign table, whether that is there or not */
	int32 partitions;
	const char *name; /* palloc'd */
} KsTopicRow;

/* Read a row by one of its keys; false when there is none. */
extern bool ks_topic_row_by_name(const char *name, KsTopicRow *row);
extern bool ks_topic_row_by_id(int32 topic_id, KsTopicRow *row);
extern bool ks_topic_row_by_uuid(const pg_uuid_t *uuid, KsTopicRow *row);
extern bool ks_topic_row_by_table(Oid relid, KsTopicRow *row);

/* Call a function for each row, by the latest catalog; row->name is valid during the call. */
typedef void (*KsTopicRowVisit)(const KsTopicRow *row, void *arg);
extern void ks_topic_row_visit(KsTopicRowVisit visit, void *arg);

/* Names of topics whose table is gone (char *, in the context), by their numbers. */
extern List *ks_topic_row_list_orphans(MemoryContext context);

/*
 * Everything below is done inside ks_owner_begin ... ks_owner_end; the caller
 * invalidates caches (ks_topic_invalidate).
 *
 * The next number of the sequence, and whether a topic has it.
 */
extern int32 ks_topic_row_next_id(void);
extern bool ks_topic_row_exists(int32 topic_id);

/* A new topic, with a uuid of its own; 23505 when there is one of the name or number. */
extern void ks_topic_row_insert(int32 topic_id, const char *name, Oid relid, int32 partitions);
extern void ks_topic_row_set_partitions(int32 topic_id, int32 partitions);
extern void ks_topic_row_delete(int32 topic_id);

#endif /* KS_CATALOG_TOPIC_ROW_H */
