/*-------------------------------------------------------------------------
 * topic_name.h
 *	  Names of topics.
 *
 * src/topic/topic_name.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_TOPIC_NAME_H
#define KS_TOPIC_TOPIC_NAME_H

#include "fmgr.h"

/* 42602 when Kafka would refuse the name. */
extern void ks_topic_check_name(const char *name);

/* The topic's name in a text argument, unchecked; palloc'd. */
extern char *ks_topic_name_arg(Datum name);

#endif /* KS_TOPIC_TOPIC_NAME_H */
