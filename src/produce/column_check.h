/*-------------------------------------------------------------------------
 * column_check.h
 *	  Whether the table of a topic can show a key or value.
 *
 * src/produce/column_check.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_COLUMN_CHECK_H
#define KS_PRODUCE_COLUMN_CHECK_H

#include "topic/topic_options.h"

/*
 * Are these bytes what a column of this type can show?  Leaves nothing behind in the
 * current memory context.
 */
extern bool ks_column_shows(KsColumnType column, const char *data, int32 len);

#endif /* KS_PRODUCE_COLUMN_CHECK_H */
