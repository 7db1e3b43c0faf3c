/*-------------------------------------------------------------------------
 * shim.h
 *	  What the codec room needs of a server, outside of a server.
 *
 * test/unit/shim.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TEST_SHIM_H
#define KS_TEST_SHIM_H

#include <setjmp.h>

/* Size of the largest chunk asked for since the test set it to 0. */
extern size_t shim_largest;

/* From how many bytes on an allocation fails. */
extern size_t shim_fail_size;

/* Where ereport(ERROR) goes when set; the program aborts otherwise. */
extern jmp_buf *shim_catch;

#endif /* KS_TEST_SHIM_H */
