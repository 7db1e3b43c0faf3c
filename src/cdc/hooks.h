/*-------------------------------------------------------------------------
 * hooks.h
 *	  What others do to captured tables.
 *
 * src/cdc/hooks.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_HOOKS_H
#define KS_CDC_HOOKS_H

/* Install the object access hook. */
extern void ks_hooks_init(void);

#endif /* KS_CDC_HOOKS_H */
