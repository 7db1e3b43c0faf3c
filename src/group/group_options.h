/*-------------------------------------------------------------------------
 * group_options.h
 *	  Options of a group: a JSON object that people write and a row keeps.
 *
 * src/group/group_options.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_OPTIONS_H
#define KS_GROUP_GROUP_OPTIONS_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "group/shared.h"

extern void ks_group_default_options(KsGroupOptions *options);

/* What a user gives. */
typedef struct KsGroupGiven
{
	KsGroupOptions options; /* with the defaults of what is not given */
	char *owner;            /* NULL: not given */
	List *canonical;        /* all that is given but the owner, as DefElem; NULL arg: reset */
} KsGroupGiven;

/* 22023 for what is not allowed. */
extern void ks_group_parse_options(Jsonb *json, KsGroupGiven *given);

/*
 * What a row keeps.  No error: a value above its limit is brought below it, and
 * what is not valid is passed over with a warning, so that a group whose row is
 * damaged can be altered and dropped.
 */
extern void ks_group_stored_options(Jsonb *json, KsGroupOptions *options);

#endif /* KS_GROUP_GROUP_OPTIONS_H */
