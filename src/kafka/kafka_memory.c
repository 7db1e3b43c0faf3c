/*-------------------------------------------------------------------------
 * kafka_memory.c
 *	  Memory that a session keeps from one request to the next.
 *
 * A request of a megabyte, and its answer, take pieces of memory of that size and free
 * them at the end.  The C library gives such pieces back to the operating system at
 * once, and the next request gets pages that the kernel has to find and to fill with
 * zeros: a third of the processor time of a large Fetch, a fifth of that of a large
 * Produce.  So a session tells the library to keep up to KEEP_MAX.
 *
 * Sessions are many and mostly idle.  One that has nothing to do for a moment gives all
 * of it back, so that what a session holds while it is idle is what it held before.
 *
 * Where the C library is not glibc, nothing is done: it has its own ways.
 *
 * src/kafka/kafka_memory.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "kafka/kafka_memory.h"

/* A session keeps so much; a piece as large as this is never kept. */
#define KEEP_MAX (16 * 1024 * 1024)

/* Frames up to this size leave nothing behind that is worth giving back. */
#define SMALL_FRAME (64 * 1024)

/* A large frame has come or gone since memory was given back. */
static bool is_large = false;

void
ks_kafka_memory_keep(void)
{
#ifdef __GLIBC__
	(void) mallopt(M_MMAP_THRESHOLD, KEEP_MAX);
	(void) mallopt(M_TRIM_THRESHOLD, KEEP_MAX);
#endif
}

void
ks_kafka_memory_used(size_t bytes)
{
	is_large |= bytes > SMALL_FRAME;
}

bool
ks_kafka_memory_is_large(void)
{
	return is_large;
}

void
ks_kafka_memory_release(void)
{
#ifdef __GLIBC__
	if (is_large)
		(void) malloc_trim(0);
#endif
	is_large = false;
}
