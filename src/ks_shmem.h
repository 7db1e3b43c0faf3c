/*-------------------------------------------------------------------------
 * ks_shmem.h
 *	  The one shared memory hook.
 *
 * src/ks_shmem.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_SHMEM_H
#define KS_SHMEM_H

extern void ks_shmem_install_hooks(void);

#endif /* KS_SHMEM_H */
