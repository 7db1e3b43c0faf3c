/*-------------------------------------------------------------------------
 * ks_utility.h
 *	  Utility commands that end what rooms keep for a session.
 *
 * src/ks_utility.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UTILITY_H
#define KS_UTILITY_H

extern void ks_utility_init(void);

#endif /* KS_UTILITY_H */
