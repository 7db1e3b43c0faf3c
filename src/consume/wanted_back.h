/*-------------------------------------------------------------------------
 * wanted_back.h
 *	  Partitions that this transaction needs and another member is to have.
 *
 * src/consume/wanted_back.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CONSUME_WANTED_BACK_H
#define KS_CONSUME_WANTED_BACK_H

#include "group/shared.h"

/*
 * Does this transaction still need a partition that is to be released?  A
 * KsHeldTest; each yes is noted.  Group locked; throws nothing.
 */
extern bool ks_poll_is_held(const KsGroupKey *key, const KsShare *share);

/* Forget what was noted; and has something been since? */
extern void ks_wanted_back_reset(void);
extern bool ks_is_wanted_back(void);

#endif /* KS_CONSUME_WANTED_BACK_H */
