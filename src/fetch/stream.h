/*-------------------------------------------------------------------------
 * stream.h
 *	  kstream.fetch() in FROM as a scan that streams; private to src/fetch.
 *
 * src/fetch/stream.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_FETCH_STREAM_H
#define KS_FETCH_STREAM_H

#include "fmgr.h"

#include "fetch/fetch.h"

/*
 * Check the arguments of kstream.fetch, its topic and the right to read it,
 * and fill *fetch, which keeps pointing to *topic.  Returns max_wait in ms.
 */
extern int64 ks_fetch_prepare(KsFetch *fetch, KsTopic *topic, const NullableDatum *args);

/* For ks_fetch_define_settings. */
extern void ks_stream_define_settings(void);

/* How many arguments kstream.fetch has. */
#define KS_FETCH_ARGS 7

#endif /* KS_FETCH_STREAM_H */
