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

/* For _PG_init. */
extern void ks_stream_define_settings(void);

/* How many arguments kstream.fetch has. */
#define KS_FETCH_ARGS 7

extern void ks_fetch_init(void);

#endif /* KS_FETCH_STREAM_H */
