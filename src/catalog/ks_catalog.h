/*-------------------------------------------------------------------------
 * ks_catalog.h
 *	  Where kstream's own tables are in this database.
 *
 * src/catalog/ks_catalog.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_KS_CATALOG_H
#define KS_CATALOG_KS_CATALOG_H

#include "utils/relcache.h"

/* Oids of kstream's own catalog in this database. */
typedef struct KsCatalog
{
	Oid extension;
	Oid owner; /* role that owns extension and logs */
	Oid topic;
	Oid topic_index;
	Oid topic_name_index;
	Oid topic_uuid_index;
	Oid topic_relation_index;
	Oid partition;
	Oid partition_index;
	Oid leader_epoch;
	Oid leader_epoch_index;
	Oid segment;
	Oid segment_index;
	Oid segment_base_index;
	Oid segment_unfrozen_index; /* partial: sealed and not frozen */
	Oid producer_turn;
	Oid producer_batch[2]; /* take turns */
	Oid producer_batch_index[2];
	Oid staging_turn;
	Oid staged[2]; /* take turns */
	Oid staged_index[2][3];
	Oid key_placement;
	Oid key_placement_index;
} KsCatalog;

/* Attribute numbers: must match src/sql/10_catalog.sql. */

/* 55000 when the extension is not there or is another version's. */
extern const KsCatalog *ks_catalog(void);

/*
 * Open one of the catalog's tables, named by its member of *ks_catalog(), in
 * AccessShareLock mode.  55000 when the extension was dropped so lately that
 * this backend has not heard of it: who waits for records is woken by the
 * drop before the invalidation messages are sent.
 */
extern Relation ks_catalog_open(const Oid *table);

/* Is kstream's catalog there (it may be on its way out)? */
extern bool ks_catalog_exists(void);

/* Read the oids again at the next call.  Throws nothing. */
extern void ks_catalog_forget(void);

/* Is this kstream.topic, as far as this backend knows?  Throws nothing. */
extern bool ks_catalog_is_topic_table(Oid relid);

/* For _PG_init: register for invalidations. */
extern void ks_catalog_init(void);

#endif /* KS_CATALOG_KS_CATALOG_H */
