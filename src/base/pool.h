/*-------------------------------------------------------------------------
 * pool.h
 *	  A fixed array of entries in shared memory, and the list of the free ones.
 *
 * Entries are linked by index, -1 meaning none.  An entry is the pool's while it
 * is free and the taker's from ks_pool_take() to ks_pool_give().  Taking zeroes
 * it, in this one place, so that a member that was forgotten when the entry is
 * filled is zero and not what the last user left there.
 *
 * An entry may begin with a part that lives as long as the server (its lock);
 * `keep` is the size of that part, which is never zeroed.  `link` is where in an
 * entry the int32 is that links the free list.  It may serve for something else
 * while the entry is taken.
 *
 * Locking: the pool's spinlock, for the free list and the count; an entry is
 * zeroed outside of it.  Nothing here can fail but by there being no entry, so
 * all of it may be called after the commit record.
 *
 * Abort and crash: whoever takes an entry sets the exit callback that gives it
 * back.  The pool starts full with the server.
 *
 * src/base/pool.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_POOL_H
#define KS_BASE_POOL_H

#include "storage/spin.h"

typedef struct KsPool
{
	/* Constant */
	int32 size;      /* entries */
	Size entry_size; /* of one */
	Size keep;       /* bytes at its start that are never zeroed */
	Size link;       /* offset of its int32 for the free list */

	/* Protected by lock */
	slock_t lock;
	int32 first_free;
	int32 used;
} KsPool;

/*
 * Make an entry of shared memory as good as new, but for its first `keep` bytes.
 * Every slot that is given to another user is zeroed by this, in a pool or not.
 */
static inline void
ks_slot_zero(void *slot, Size keep, Size size)
{
	memset((char *) slot + keep, 0, size - keep);
}

static inline char *
ks_pool_entry(const KsPool *pool, void *entries, int32 entry)
{
	return (char *) entries + (Size) entry * pool->entry_size;
}

static inline int32 *
ks_pool_link(const KsPool *pool, void *entries, int32 entry)
{
	return (int32 *) (ks_pool_entry(pool, entries, entry) + pool->link);
}

/* Make all entries free.  Called when shared memory is made. */
static inline void
ks_pool_init(KsPool *pool, void *entries, int32 size, Size entry_size, Size keep, Size link)
{
	int32 i;

	Assert(link >= keep && link + sizeof(int32) <= entry_size);
	pool->size = size;
	pool->entry_size = entry_size;
	pool->keep = keep;
	pool->link = link;
	SpinLockInit(&pool->lock);
	pool->first_free = size > 0 ? 0 : -1;
	pool->used = 0;
	for (i = 0; i < size; i++)
		*ks_pool_link(pool, entries, i) = i + 1 < size ? i + 1 : -1;
}

/*
 * Take `count` entries, all or none, and put their numbers into `taken`; false
 * when there are not so many.
 */
static inline bool
ks_pool_take_many(KsPool *pool, void *entries, int32 *taken, int32 count)
{
	bool enough;
	int32 i;

	SpinLockAcquire(&pool->lock);
	enough = pool->size - pool->used >= count;
	for (i = 0; i < count && enough; i++)
	{
		taken[i] = pool->first_free;
		pool->first_free = *ks_pool_link(pool, entries, taken[i]);
	}
	if (enough)
		pool->used += count;
	SpinLockRelease(&pool->lock);
	for (i = 0; i < count && enough; i++)
		ks_slot_zero(ks_pool_entry(pool, entries, taken[i]), pool->keep, pool->entry_size);
	return enough;
}

/* Take an entry; -1 when there is none. */
static inline int32
ks_pool_take(KsPool *pool, void *entries)
{
	int32 entry = -1;

	return ks_pool_take_many(pool, entries, &entry, 1) ? entry : -1;
}

static inline void
ks_pool_give(KsPool *pool, void *entries, int32 entry)
{
	SpinLockAcquire(&pool->lock);
	*ks_pool_link(pool, entries, entry) = pool->first_free;
	pool->first_free = entry;
	pool->used--;
	SpinLockRelease(&pool->lock);
}

/* How many entries are taken: a look, for views and hints. */
static inline int32
ks_pool_used(KsPool *pool)
{
	int32 used;

	SpinLockAcquire(&pool->lock);
	used = pool->used;
	SpinLockRelease(&pool->lock);
	return used;
}

#endif /* KS_BASE_POOL_H */
