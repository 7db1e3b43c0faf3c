/*-------------------------------------------------------------------------
 * groupfuncs.c
 *	  The SQL face of groups: making and dropping them, joining and leaving.
 *
 * src/group/groupfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/errors.h"
#include "group/group_args.h"
#include "group/group_row.h"
#include "group/member.h"

PG_FUNCTION_INFO_V1(kstream_subscribe);
Datum
kstream_subscribe(PG_FUNCTION_ARGS)
{
	char *name = ks_group_arg(fcinfo, "kstream.subscribe()");
	KsMembership membership;
	KsGroupKey key;
	List *topics;

	ks_require_not_null(PG_ARGISNULL(1), "topics");
	topics = ks_topics_arg(fcinfo, 1);
	ks_group_open(name, true, &key);
	ks_member_join(&key, ks_member_arg(fcinfo, 2), topics, &membership);
	PG_RETURN_TEXT_P(cstring_to_text(ks_member_id(&membership)));
}

PG_FUNCTION_INFO_V1(kstream_unsubscribe);
Datum
kstream_unsubscribe(PG_FUNCTION_ARGS)
{
	char *name = ks_group_arg(fcinfo, "kstream.unsubscribe()");
	char *member = ks_member_arg(fcinfo, 1);
	KsGroupKey key;

	/* A session may leave what it has joined, whoever owns the group by now. */
	ks_group_check_name(name);
	ks_group_make_key(name, &key);
	if (member == NULL && ks_member_leave_session(&key))
		PG_RETURN_VOID();
	ks_group_open(name, false, &key);
	if (member != NULL)
		ks_member_leave(&key, member);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_create_group);
Datum
kstream_create_group(PG_FUNCTION_ARGS)
{
	char *name = ks_group_arg(fcinfo, "kstream.create_group()");
	KsGroupGiven given;

	ks_require_not_null(PG_ARGISNULL(1), "options");
	ks_group_check_name(name);
	ks_group_parse_options(PG_GETARG_JSONB_P(1), &given);
	ks_group_create(name, &given);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_alter_group);
Datum
kstream_alter_group(PG_FUNCTION_ARGS)
{
	char *name = ks_group_arg(fcinfo, "kstream.alter_group()");
	KsGroupKey key;
	KsGroupGiven given;

	ks_require_not_null(PG_ARGISNULL(1), "options");
	ks_group_open(name, false, &key);
	ks_group_parse_options(PG_GETARG_JSONB_P(1), &given);
	ks_group_alter(&key, &given);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_drop_group);
Datum
kstream_drop_group(PG_FUNCTION_ARGS)
{
	char *name = ks_group_arg(fcinfo, "kstream.drop_group()");

	ks_group_drop(name);
	PG_RETURN_VOID();
}
