/*-------------------------------------------------------------------------
 * events.c
 *	  The setting kstream.log_events.
 *
 * A superuser's, since it decides what others find in the log.
 *
 * src/base/events.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "base/events.h"

int ks_log_events = LOG;

static const struct config_enum_entry event_levels[] = {
	{"none", KS_EVENTS_NONE, false},
	{"debug1", DEBUG1, false},
	{"log", LOG, false},
	{NULL, 0, false},
};

void
ks_events_define_settings(void)
{
	DefineCustomEnumVariable("kstream.log_events",
							 "Level of the log lines about groups, segments and maintenance.",
							 "What kstream does by itself: members that join, leave or are removed, partitions that change hands,"
							 " offsets that expire, segments that are dropped or rewritten.",
							 &ks_log_events, LOG, event_levels,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}
