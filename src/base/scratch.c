/*-------------------------------------------------------------------------
 * scratch.c
 *	  Bytes put aside within a transaction, that can be cut at any place.
 *
 * What an application catches in a subtransaction (a full disk, temp_file_limit,
 * no memory) leaves the transaction, and what it had put aside, at work.
 * PostgreSQL's sorts and BufFiles promise nothing after an error within them.
 * Here a byte's place is its position: those below `written` stand in the file,
 * the others in memory behind each other.  A write names its position and
 * counts only when it has succeeded, so what failed is written again, over
 * itself; and cutting is to set two numbers.
 *
 * Locks: none.  Abort: the file belongs to the transaction's resource owner,
 * the memory to the caller's context.
 *
 * src/base/scratch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/tablespace.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/scratch.h"

#define FIRST_CAPACITY 8192

struct KsScratch
{
	Size limit;
	char *tail; /* the bytes from `written` on */
	Size used;
	Size capacity;
	bool has_file;
	File file;
	int64 written; /* of the file; what it has beyond was cut */
};

KsScratch *
ks_scratch_create(Size limit)
{
	KsScratch *scratch = palloc0(sizeof(KsScratch));

	scratch->limit = Max(limit, FIRST_CAPACITY);
	scratch->tail = palloc(FIRST_CAPACITY);
	scratch->capacity = FIRST_CAPACITY;
	return scratch;
}

int64
ks_scratch_end(const KsScratch *scratch)
{
	return scratch->written + (int64) scratch->used;
}

static void
open_file(KsScratch *scratch)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (scratch->has_file)
		return;
	PrepareTempTablespaces();

	/* An error in between ends the subtransaction, which sets it again. */
	CurrentResourceOwner = TopTransactionResourceOwner;
	scratch->file = OpenTemporaryFile(false);
	CurrentResourceOwner = owner;
	scratch->has_file = true;
}

static void
write_tail(KsScratch *scratch)
{
	Size done = 0;

	open_file(scratch);
	while (done < scratch->used)
	{
		int result;

		/* A short write sets no errno; it means that the disk is full. */
		errno = 0;
		result = FileWrite(scratch->file, scratch->tail + done, scratch->used - done, scratch->written + done,
						   WAIT_EVENT_BUFFILE_WRITE);
		if (result <= 0)
		{
			if (errno == 0)
				errno = ENOSPC;
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to temporary file: %m")));
		}
		done += result;
	}
	/*
	 * Only now does the file have them: after an error the same bytes are written once
	 * more, over themselves.
	 */
	scratch->written += scratch->used;
	scratch->used = 0;
}

static void
make_room(KsScratch *scratch)
{
	Size capacity = Min(scratch->capacity * 2, scratch->limit);

	if (scratch->capacity >= scratch->limit)
	{
		write_tail(scratch);
		return;
	}
	scratch->tail = repalloc_huge(scratch->tail, capacity);
	scratch->capacity = capacity;
}

void
ks_scratch_append(KsScratch *scratch, const void *bytes, Size len)
{
	const char *from = bytes;

	while (len > 0)
	{
		Size part;

		/*
		 * May write the tail to the file, and so throw; the caller cuts back to where
		 * it began.
		 */
		if (scratch->used == scratch->capacity)
			make_room(scratch);
		part = Min(len, scratch->capacity - scratch->used);
		memcpy(scratch->tail + scratch->used, from, part);
		scratch->used += part;
		from += part;
		len -= part;
	}
}

void
ks_scratch_cut(KsScratch *scratch, int64 end)
{
	Assert(end <= ks_scratch_end(scratch));
	if (end >= scratch->written)
	{
		scratch->used = end - scratch->written;
		return;
	}
	scratch->written = end;
	scratch->used = 0;
}

static void
read_file(KsScratch *scratch, int64 position, char *bytes, Size len)
{
	while (len > 0)
	{
		int result = FileRead(scratch->file, bytes, len, position, WAIT_EVENT_BUFFILE_READ);

		if (result < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read from temporary file: %m")));
		/* The file is ours alone and was written to there: something else has cut it. */
		if (result == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("could not read from temporary file: it is shorter than what was written")));
		position += result;
		bytes += result;
		len -= result;
	}
}

void
ks_scratch_read(KsScratch *scratch, int64 position, void *bytes, Size len)
{
	char *to = bytes;

	Assert(position + (int64) len <= ks_scratch_end(scratch));
	/* A range may begin in the file and end in memory. */
	if (position < scratch->written)
	{
		Size part = Min((int64) len, scratch->written - position);

		read_file(scratch, position, to, part);
		position += part;
		to += part;
		len -= part;
	}
	if (len > 0)
		memcpy(to, scratch->tail + (position - scratch->written), len);
}

void
ks_scratch_free(KsScratch *scratch)
{
	if (scratch->has_file)
		FileClose(scratch->file);
	pfree(scratch->tail);
	pfree(scratch);
}
