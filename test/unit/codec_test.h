/*-------------------------------------------------------------------------
 * codec_test.h
 *	  What the parts of codec_test share.
 *
 * test/unit/codec_test.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CODEC_TEST_H
#define KS_CODEC_TEST_H

#include "base/compat.h"
#include "codec/batch.h"

/* Report one TAP result; returns `passed`. */
extern bool tap_ok(bool passed, const char *fmt, ...) pg_attribute_printf(2, 3);

/* The next pseudo-random number of a fixed sequence. */
extern uint64 next_random(void);

/* `len` bytes in plain malloc: text that compresses, or noise. */
extern char *make_text(size_t len, bool noise);

/* The time around which the sample's records are. */
#define SAMPLE_TIME INT64CONST(1700000000000)

/*
 * The sample: record i of a batch with keys, values and headers of every kind
 * and timestamps on both sides of the first.  kafka_python.py has the same
 * formulas.  The record points into `buf`.
 */
typedef struct SampleBuffer
{
	char key[32];
	char value[512];
	char headers[256];
} SampleBuffer;

extern void sample_record(int i, SampleBuffer *buf, KsRecord *record);

/* A finished batch of the first `count` sample records, in plain malloc. */
extern char *sample_batch(int count, KsCodec codec, size_t *len);

/*
 * The same as compaction leaves it: every third record, a delete horizon, and
 * an end above that of the last record.
 */
#define SAMPLE_HORIZON INT64CONST(1900000000000)
#define SAMPLE_STRETCH 10
extern char *sample_sparse_batch(int count, KsCodec codec, size_t *len);

/* Sound batches (codec_batch.c). */
extern void test_golden(void);
extern void test_round_trip(void);
extern void test_extremes(void);
extern void test_incompressible(void);
extern void test_compacted(void);
extern void test_sparse(void);

/* Hostile bytes (codec_fuzz.c). */
extern void test_truncation(void);
extern void test_bit_flips(void);
extern void test_contradictions(void);
extern void test_header_iterator(void);
extern void test_fuzz(void);

/* Commands (codec_tool.c); they return the exit status. */
extern int tool_write(const char *dir);
extern int tool_read(const char *path);
extern int tool_bench(void);

#endif /* KS_CODEC_TEST_H */
