/*-------------------------------------------------------------------------
 * group_seen_row.h
 *	  The rows of kstream.group_seen.
 *
 * src/catalog/group_seen_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_GROUP_SEEN_ROW_H
#define KS_CATALOG_GROUP_SEEN_ROW_H

#include "postgres_ext.h"

/*
 * Inside ks_owner_begin ... ks_owner_end: note that a group has members now, unless
 * that was noted within so many ms (how many rows were written); the same of a group
 * without members of which nothing was noted so far; forget a group.
 */
extern uint64 ks_group_seen_row_note(const char *group, int64 every);
extern uint64 ks_group_seen_row_note_first(const char *group);
extern void ks_group_seen_row_delete(const char *group);

#endif /* KS_CATALOG_GROUP_SEEN_ROW_H */
