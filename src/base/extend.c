/*-------------------------------------------------------------------------
 * extend.c
 *	  Empty pages at the end of a table, many at once.
 *
 * A heap grows page by page, and each page costs a write of zeros, which is a
 * fifth of the time of a bulk load that fills pages.  Since PostgreSQL 16 a
 * table can grow by many pages in one call.  Before, the same is done here: the
 * file is given the room by posix_fallocate(), which takes it from the disk at
 * once, so that a full disk is met now and not when a page is written back.
 *
 * Order, before 16: with the extension lock held, the pages get buffers that
 * hold zeros, and only then the file grows.  Nobody looks beyond the end of a
 * file, but as soon as it has grown anybody may put a row into its last page;
 * a buffer made after that could wipe the row out.
 *
 * Locking: the relation's extension lock, for a moment; no page stays locked.
 *
 * Abort and crash: pages that nobody has written to are zeros, which every
 * reader of a heap passes over and which VACUUM takes into use.  Buffers beyond
 * the end of a file, of an attempt that failed, are as good as new pages to who
 * extends the table next.
 *
 * src/base/extend.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/bufmgr.h"
#include "storage/fd.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"

#include "base/compat.h"
#include "base/extend.h"

#ifdef KS_EXTEND_REL_BY

int
ks_extend(Relation rel, int pages, BlockNumber *first)
{
	Buffer buffers[KS_EXTEND_MAX];
	uint32 extended = 0;
	uint32 i;

	*first = KS_EXTEND_REL_BY(rel, Min(pages, KS_EXTEND_MAX), buffers, &extended);
	for (i = 0; i < extended; i++)
		ReleaseBuffer(buffers[i]);
	return (int) extended;
}

#else

/* The file that holds a block, opened; -1 when it is not there. */
static int
open_file(Relation rel, BlockNumber block, char **path)
{
	char *base = relpathperm(rel->rd_node, MAIN_FORKNUM);
	BlockNumber number = block / RELSEG_SIZE;

	*path = number == 0 ? base : psprintf("%s.%u", base, number);
	return OpenTransientFile(*path, O_RDWR | PG_BINARY);
}

/* Let the file grow; false where the file system cannot, or the pages are in two files. */
static bool
grow_file(Relation rel, BlockNumber first, int pages)
{
	char *path;
	int fd;
	int result;

	/* A relation is cut into files; pages over a border are left to PostgreSQL. */
	if (first / RELSEG_SIZE != (first + pages - 1) / RELSEG_SIZE)
		return false;
	/* A descriptor of our own, beside smgr's: PostgreSQL 15 has no call for it. */
	fd = open_file(rel, first, &path);
	if (fd < 0)
		return false;
	do
		result = posix_fallocate(fd, (off_t) (first % RELSEG_SIZE) * BLCKSZ, (off_t) pages * BLCKSZ);
	while (result == EINTR);
	CloseTransientFile(fd);
	/* Other errors mean that the file system cannot: fall back to PostgreSQL's way. */
	if (result == ENOSPC || result == EDQUOT)
	{
		errno = result;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not extend file \"%s\": %m", path),
				 errhint("Check free disk space.")));
	}
	return result == 0;
}

static void
make_buffer(Relation rel, BlockNumber block)
{
	Buffer buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK, NULL);

	UnlockReleaseBuffer(buffer);
}

int
ks_extend(Relation rel, int pages, BlockNumber *first)
{
	bool grown;
	int i;

	pages = Min(pages, KS_EXTEND_MAX);
	/* Keeps others from extending; readers and writers of existing pages go on. */
	LockRelationForExtension(rel, ExclusiveLock);
	/* Asked under the lock: the end of the file is ours until it is released. */
	*first = RelationGetNumberOfBlocks(rel);
	/* Buffers first, then the file: see the order in the opening comment. */
	for (i = 0; i < pages; i++)
		make_buffer(rel, *first + i);
	grown = grow_file(rel, *first, pages);
	UnlockRelationForExtension(rel, ExclusiveLock);
	return grown ? pages : 0;
}

#endif
