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

/*
 * Apply the members of a JSON object.  "owner" is handed out, everything else
 * goes into *options and into *canonical, a list of DefElem (NULL arg: reset).
 * is_stored: of a row, where a value above the limit is brought below it.
 * 22023 for what is not allowed.
 */
extern void ks_group_parse_options(Jsonb *json, bool is_stored, KsGroupOptions *options, char **owner, List **canonical);

#endif /* KS_GROUP_GROUP_OPTIONS_H */
