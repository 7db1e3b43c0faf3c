/*-------------------------------------------------------------------------
 * ks_xact.h
 *	  The one transaction callback.
 *
 * src/ks_xact.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_XACT_H
#define KS_XACT_H

extern void ks_xact_init(void);

#endif /* KS_XACT_H */
