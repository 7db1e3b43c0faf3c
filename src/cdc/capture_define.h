/*-------------------------------------------------------------------------
 * capture_define.h
 *	  Making and ending captures.
 *
 * src/cdc/capture_define.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_CAPTURE_DEFINE_H
#define KS_CDC_CAPTURE_DEFINE_H

#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

/* Making and ending captures; the caller holds ShareRowExclusiveLock. */
extern void ks_capture_define(Relation rel, const char *topic, ArrayType *key_columns, Jsonb *options);
extern void ks_capture_remove(Relation rel, const char *topic);

/*
 * Drop triggers of captures whose row is gone, of one topic or (NULL) of all;
 * false when there are none.
 */
extern bool ks_capture_remove_leftovers(Relation rel, const char *topic);

/* What is captured (into this topic, or NULL: any) and has the relation as a partition; else InvalidOid. */
extern Oid ks_capture_whole(Relation rel, const char *topic);

/*
 * The condition of a capture over columns of this alias, which is written in
 * front of each of them or (NULL) not; NULL: there is none.
 */
extern char *ks_capture_condition(Relation rel, const char *topic, const char *alias);

#endif /* KS_CDC_CAPTURE_DEFINE_H */
