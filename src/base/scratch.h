/*-------------------------------------------------------------------------
 * scratch.h
 *	  Bytes put aside within a transaction, that can be cut at any place.
 *
 * src/base/scratch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_SCRATCH_H
#define KS_BASE_SCRATCH_H

typedef struct KsScratch KsScratch;

/*
 * An empty one in CurrentMemoryContext, which must live as long as it is used
 * and not beyond the transaction.  Up to `limit` bytes stay in memory, the rest
 * goes to a temporary file.
 */
extern KsScratch *ks_scratch_create(Size limit);

/* Where the next byte goes. */
extern int64 ks_scratch_end(const KsScratch *scratch);

/*
 * Append bytes.  Out of memory, 53400 (temp_file_limit) or what the file system
 * says: a part of them may stand there then, and everything before them is as
 * it was.  The caller cuts at where it began.
 */
extern void ks_scratch_append(KsScratch *scratch, const void *bytes, Size len);

/* Forget the bytes from `end` on; throws nothing, allocates and frees nothing. */
extern void ks_scratch_cut(KsScratch *scratch, int64 end);

/* Copy bytes that are there. */
extern void ks_scratch_read(KsScratch *scratch, int64 position, void *bytes, Size len);

/* Free it, and remove its file; needed before a commit, not for an abort. */
extern void ks_scratch_free(KsScratch *scratch);

#endif /* KS_BASE_SCRATCH_H */
