/*-------------------------------------------------------------------------
 * memcheck.h
 *	  What PostgreSQL tells valgrind, told to gcc's address sanitizer.
 *
 * PostgreSQL takes memory in large blocks and hands out parts of them, and its
 * buffers are one piece of shared memory: the sanitizer by itself would see
 * neither the end of a palloc'd chunk, nor a use after pfree(), nor an access to
 * a buffer that is not pinned.  A server built with USE_VALGRIND says all this
 * through the macros of valgrind's header of this name, so this one stands in for
 * it (test/check_sanitize.sh).  A chunk is closed again by CLOBBER_FREED_MEMORY,
 * not by VALGRIND_MEMPOOL_FREE, which is not told its size.
 *
 * test/sanitize/valgrind/memcheck.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_SANITIZE_MEMCHECK_H
#define KS_SANITIZE_MEMCHECK_H

#include <sanitizer/asan_interface.h>

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) ASAN_POISON_MEMORY_REGION(addr, size)
#define VALGRIND_MAKE_MEM_DEFINED(addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MEMPOOL_ALLOC(context, addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MEMPOOL_CHANGE(context, old, new, size) ASAN_UNPOISON_MEMORY_REGION(new, size)
#define VALGRIND_MEMPOOL_FREE(context, addr) ((void) 0)
#define VALGRIND_CREATE_MEMPOOL(context, redzones, zeroed) ((void) 0)
#define VALGRIND_DESTROY_MEMPOOL(context) ((void) 0)
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size) ((void) 0)

#endif /* KS_SANITIZE_MEMCHECK_H */
