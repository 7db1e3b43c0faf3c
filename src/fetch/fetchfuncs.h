/*-------------------------------------------------------------------------
 * fetchfuncs.h
 *	  The arguments of kstream.fetch.
 *
 * src/fetch/fetchfuncs.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_FETCH_FETCHFUNCS_H
#define KS_FETCH_FETCHFUNCS_H

#include "fetch/fetch.h"

/*
 * Check the arguments of kstream.fetch, its topic and the right to read it,
 * and fill *fetch, which keeps pointing to *topic.  Returns max_wait in ms.
 */
extern int64 ks_fetch_prepare(KsFetch *fetch, KsTopic *topic, const NullableDatum *args);

#endif /* KS_FETCH_FETCHFUNCS_H */
