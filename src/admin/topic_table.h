/*-------------------------------------------------------------------------
 * topic_table.h
 *	  Making the foreign table of a topic.
 *
 * src/admin/topic_table.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_TOPIC_TABLE_H
#define KS_ADMIN_TOPIC_TABLE_H

#include "nodes/pg_list.h"

/*
 * Make the foreign table of a topic, with these options (DefElems) in its
 * OPTIONS, for a role.  The current user needs CREATE on schema kstream_topic
 * (else 42501); 42P07 when the name is taken by another table.
 */
extern Oid ks_topic_table_make(const char *topic, int32 topic_id, int32 partitions, List *options, Oid owner);

#endif /* KS_ADMIN_TOPIC_TABLE_H */
