/*-------------------------------------------------------------------------
 * group_log.c
 *	  Lines in the server log, and counts, about members that come and go.
 *
 * Members change under their group's lock, where nothing may be logged.  So a
 * change is counted in the group and noted here, in memory of this backend that
 * is always there, and logged when the lock has been released.  More than fit (a
 * group of hundreds that all fell silent) are logged as a number.
 *
 * Locks: none.  Abort and crash: what an error left unlogged is logged with the next.
 *
 * src/group/group_log.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/events.h"
#include "group/group_log.h"

#define MAX_NOTES 16

typedef struct Note
{
	KsMemberEvent event;
	int64 number; /* the limit that was passed, or how many partitions */
	char group[KS_GROUP_NAME_MAX + 1];
	char member[KS_GROUP_NAME_MAX + 1];
} Note;

static Note notes[MAX_NOTES];
static int note_count = 0;

static int64 *
counter_of(KsGroup *group, KsMemberEvent event)
{
	switch (event)
	{
		case KS_MEMBER_JOINED:
			return &group->counts.joined;
		case KS_MEMBER_LEFT:
			return &group->counts.left;
		case KS_MEMBER_REMOVED:
			return &group->counts.evicted;
		case KS_MEMBER_SILENT:
			return &group->counts.silent;
		case KS_MEMBER_NOT_POLLING:
			return &group->counts.not_polling;
		case KS_MEMBER_TOOK_OVER:
			break;
	}
	return &group->counts.takeovers;
}

void
ks_group_note_event(KsGroup *group, const KsMember *member, KsMemberEvent event, int count)
{
	*counter_of(group, event) += count;
	if (note_count < MAX_NOTES)
	{
		Note *note = &notes[note_count];

		note->event = event;
		note->number = count;
		if (event == KS_MEMBER_SILENT)
			note->number = group->options.session_timeout;
		else if (event == KS_MEMBER_NOT_POLLING)
			note->number = group->options.max_poll_interval;
		strlcpy(note->group, group->key.name, sizeof(note->group));
		strlcpy(note->member, member->name, sizeof(note->member));
	}
	note_count++;
}

static void
emit(const Note *note)
{
	switch (note->event)
	{
		case KS_MEMBER_JOINED:
			ks_log_event((errmsg("member \"%s\" joined group \"%s\"", note->member, note->group)));
			break;
		case KS_MEMBER_LEFT:
			ks_log_event((errmsg("member \"%s\" left group \"%s\"", note->member, note->group)));
			break;
		case KS_MEMBER_REMOVED:
			ks_log_event((errmsg("member \"%s\" was put out of group \"%s\" while its transaction was open",
								 note->member, note->group)));
			break;
		case KS_MEMBER_SILENT:
			ks_log_event((errmsg("member \"%s\" was removed from group \"%s\"", note->member, note->group),
						  errdetail("It did not call for session_timeout (" INT64_FORMAT " ms).", note->number)));
			break;
		case KS_MEMBER_NOT_POLLING:
			ks_log_event((errmsg("member \"%s\" of group \"%s\" lost its partitions", note->member, note->group),
						  errdetail("It did not poll for max_poll_interval (" INT64_FORMAT " ms).", note->number)));
			break;
		case KS_MEMBER_TOOK_OVER:
			ks_log_event((errmsg("member \"%s\" of group \"%s\" took over partitions: " INT64_FORMAT,
								 note->member, note->group, note->number)));
			break;
	}
}

void
ks_group_log_emit(void)
{
	int count = note_count;
	int i;

	note_count = 0;
	for (i = 0; i < Min(count, MAX_NOTES); i++)
		emit(&notes[i]);
	if (count > MAX_NOTES)
		ks_log_event((errmsg("%d more members of group \"%s\" came or went", count - MAX_NOTES, notes[MAX_NOTES - 1].group)));
}
