/*-------------------------------------------------------------------------
 * create.h
 *	  Making and changing topics.
 *
 * src/admin/create.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_CREATE_H
#define KS_ADMIN_CREATE_H

#include "topic/topic.h"

/*
 * What the SQL functions of the same name do.  Options are DefElems as
 * ks_topic_options_parse() makes them.
 */
extern void ks_admin_create_topic(const char *name, int32 partitions, List *options, bool if_not_exists);

/* The same for a topic that shall be another role's; the caller needs the rights. */
extern void ks_admin_create_topic_for(Oid owner, const char *name, int32 partitions, List *options);
extern void ks_admin_alter_topic(const KsTopic *topic, List *options);
extern void ks_admin_add_partitions(const KsTopic *topic, int32 partitions);

#endif /* KS_ADMIN_CREATE_H */
