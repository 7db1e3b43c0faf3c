/*-------------------------------------------------------------------------
 * extend.h
 *	  Empty pages at the end of a table, many at once.
 *
 * src/base/extend.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_EXTEND_H
#define KS_BASE_EXTEND_H

#include "storage/block.h"
#include "utils/rel.h"

/*
 * Give a table up to `pages` (at least one, at most KS_EXTEND_MAX) more pages,
 * empty and not initialized, of which others may take some; the first of them
 * and their number, or zero where that is not available: then PostgreSQL's way,
 * page by page, is left.  The caller holds RowExclusiveLock.  53100 on a full
 * disk, and then nothing has changed.
 */
#define KS_EXTEND_MAX 64
extern int ks_extend(Relation rel, int pages, BlockNumber *first);

#endif /* KS_BASE_EXTEND_H */
