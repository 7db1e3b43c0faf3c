/*-------------------------------------------------------------------------
 * codec_batch.c
 *	  Batches as they should be: golden bytes, round trips, marks, extremes.
 *
 * test/unit/codec_batch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/batch.h"
#include "codec/wire.h"
#include "codec_test.h"

/* As python3-kafka 2.0.2 writes these three records. */
static const unsigned char golden[] = {
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x50,
	0x00, 0x00, 0x00, 0x00, 0x02, 0xec, 0x50, 0xa3, 0x6a, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x02, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x00,
	0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00,
	0x03, 0x1e, 0x00, 0x00, 0x00, 0x02, 0x6b, 0x02, 0x76, 0x04, 0x02, 0x68,
	0x02, 0x78, 0x02, 0x6e, 0x01, 0x0e, 0x00, 0xcf, 0x0f, 0x02, 0x01, 0x00,
	0x00, 0x0c, 0x00, 0x02, 0x04, 0x00, 0x01, 0x00};

static void
append(KsBatchWriter *writer, int64 timestamp, const char *key,
	   const char *value, const char *headers, int32 headers_len,
	   int32 header_count)
{
	KsRecord record = {0};

	record.timestamp = timestamp;
	record.key = key;
	record.key_len = key == NULL ? -1 : (int32) strlen(key);
	record.value = value;
	record.value_len = value == NULL ? -1 : (int32) strlen(value);
	record.headers = headers;
	record.headers_len = headers_len;
	record.header_count = header_count;
	ks_batch_append(writer, &record);
}

/* The golden batch's bytes, with noise that was taken back in between. */
void
test_golden(void)
{
	KsBatchWriter writer;
	KsBatchMark start,
		one;
	char headers[32];
	char *end = headers;
	struct varlena *image;

	end = ks_header_write(end, "h", 1, "x", 1);
	end = ks_header_write(end, "n", 1, NULL, -1);
	ks_batch_init(&writer, CurrentMemoryContext);
	start = ks_batch_mark(&writer);
	append(&writer, SAMPLE_TIME * 2, "taken", "back", NULL, 0, 0);
	ks_batch_rewind(&writer, start);
	append(&writer, SAMPLE_TIME, "k", "v", headers, (int32) (end - headers), 2);
	one = ks_batch_mark(&writer);
	append(&writer, SAMPLE_TIME * 2, "taken", "back", NULL, 0, 0);
	append(&writer, SAMPLE_TIME * 3, "taken", "back", NULL, 0, 0);
	ks_batch_rewind(&writer, one);
	append(&writer, SAMPLE_TIME - 1000, NULL, "", NULL, 0, 0);
	append(&writer, SAMPLE_TIME + 1, "", NULL, NULL, 0, 0);
	image = ks_batch_finish(&writer, KS_CODEC_NONE);
	tap_ok((char *) image == writer.image &&
			   VARSIZE(image) == sizeof(golden) + VARHDRSZ &&
			   memcmp(VARDATA(image), golden, sizeof(golden)) == 0,
		   "golden bytes, after rewinding to marks");
	pfree(writer.image);
}

static bool
same_bytes(const char *a, int32 a_len, const char *b, int32 b_len)
{
	return a_len == b_len && (a_len <= 0 || memcmp(a, b, a_len) == 0) &&
		   (a_len < 0) == (b == NULL);
}

/* Whether a batch's records are the sample's. */
static bool
is_sample(const char *batch, size_t len, int count, int64 append_time)
{
	KsBatchReader reader;
	SampleBuffer buf;
	KsRecord want,
		got;
	int i;
	bool ok;

	if (ks_batch_open(&reader, batch, len, true, 10000000) != KS_BATCH_OK)
		return false;
	ok = reader.header.record_count == count;
	for (i = 0; i < count && ok; i++)
	{
		sample_record(i, &buf, &want);
		ok = ks_batch_next(&reader, &got) == KS_BATCH_OK &&
			 got.offset == i &&
			 got.timestamp == (append_time ? append_time : want.timestamp) &&
			 same_bytes(want.key, want.key_len, got.key, got.key_len) &&
			 same_bytes(want.value, want.value_len, got.value, got.value_len) &&
			 same_bytes(want.headers, want.headers_len,
						got.headers, got.headers_len) &&
			 want.header_count == got.header_count;
	}
	ok &= ks_batch_next(&reader, &got) == KS_BATCH_END;
	ks_batch_close(&reader);
	return ok;
}

void
test_round_trip(void)
{
	int codec;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		size_t len;
		char *batch = sample_batch(3000, (KsCodec) codec, &len);
		KsBatchHeader header;

		tap_ok(is_sample(batch, len, 3000, 0), "%s: batch round trip",
			   ks_codec_name((KsCodec) codec));
		tap_ok(ks_batch_read_header(batch, len, &header) == KS_BATCH_OK &&
				   header.attributes == codec && header.producer_id == -1 &&
				   header.producer_epoch == -1 && header.base_sequence == -1 &&
				   header.last_offset_delta == 2999 && header.leader_epoch == 0 &&
				   header.base_timestamp == SAMPLE_TIME + 10 &&
				   header.max_timestamp == SAMPLE_TIME + 50,
			   "%s: header", ks_codec_name((KsCodec) codec));
		ks_batch_set_base_offset(batch, 0);
		ks_batch_set_leader_epoch(batch, 42);
		ks_batch_set_append_time(batch, len, 1234567890123);
		tap_ok(is_sample(batch, len, 3000, 1234567890123) &&
				   ks_batch_read_header(batch, len, &header) == KS_BATCH_OK &&
				   header.attributes == (codec | KS_BATCH_ATTR_APPEND_TIME) &&
				   header.leader_epoch == 42,
			   "%s: log append time", ks_codec_name((KsCodec) codec));
		free(batch);
	}
}

/* Extremes: timestamps that wrap, a last offset at the end of int64. */
void
test_extremes(void)
{
	KsBatchWriter writer;
	KsBatchReader reader;
	KsRecord record;
	struct varlena *image;
	bool ok;

	ks_batch_init(&writer, CurrentMemoryContext);
	append(&writer, PG_INT64_MAX, NULL, NULL, NULL, 0, 0);
	append(&writer, PG_INT64_MIN, NULL, NULL, NULL, 0, 0);
	image = ks_batch_finish(&writer, KS_CODEC_NONE);
	ks_batch_set_base_offset(VARDATA(image), PG_INT64_MAX - 2);
	ok = ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ,
					   true, 0) == KS_BATCH_OK &&
		 ks_batch_next(&reader, &record) == KS_BATCH_OK &&
		 record.timestamp == PG_INT64_MAX &&
		 ks_batch_next(&reader, &record) == KS_BATCH_OK &&
		 record.timestamp == PG_INT64_MIN && record.offset == PG_INT64_MAX - 1 &&
		 ks_batch_next(&reader, &record) == KS_BATCH_END;
	tap_ok(ok, "extreme timestamps and offsets");
	ks_batch_set_base_offset(VARDATA(image), PG_INT64_MAX - 1);
	ok = ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ,
					   true, 0) == KS_BATCH_BAD_RECORD;
	tap_ok(ok, "offsets that overflow are refused");
	pfree(image);
}

/* Noise stays plain, in the writer's own image; max_size really is enough. */
void
test_incompressible(void)
{
	int codec;

	for (codec = KS_CODEC_GZIP; codec <= KS_CODEC_LAST; codec++)
	{
		char *noise = make_text(5000, true);
		KsBatchWriter writer;
		KsBatchReader reader;
		KsRecord record = {0};
		struct varlena *image;

		record.key_len = -1;
		record.value = noise;
		record.value_len = 5000;
		ks_batch_init(&writer, CurrentMemoryContext);
		ks_batch_append(&writer, &record);
		image = ks_batch_finish(&writer, (KsCodec) codec);
		tap_ok((char *) image == writer.image &&
				   VARDATA(image)[22] == KS_CODEC_NONE &&
				   ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ,
								 true, 0) == KS_BATCH_OK &&
				   ks_record_max_size(&record) >= (int64) VARSIZE(image) - 65,
			   "%s: noise is kept plain", ks_codec_name((KsCodec) codec));
		pfree(writer.image);
		free(noise);
	}
}

/* What compaction leaves: gaps, and batches without any record. */
void
test_compacted(void)
{
	char batch[sizeof(golden)];
	KsBatchReader reader;
	KsRecord record;
	bool ok;

	memcpy(batch, golden, sizeof(golden));
	ks_wire_put32(batch + 23, 9); /* last offset delta */
	batch[88] = 18;               /* third record: delta 9 */
	ok = ks_batch_open(&reader, batch, sizeof(batch), false, 0) == KS_BATCH_OK &&
		 ks_batch_next(&reader, &record) == KS_BATCH_OK &&
		 ks_batch_next(&reader, &record) == KS_BATCH_OK && record.offset == 1 &&
		 ks_batch_next(&reader, &record) == KS_BATCH_OK && record.offset == 9 &&
		 ks_batch_next(&reader, &record) == KS_BATCH_END;
	tap_ok(ok, "gaps between offsets");
	ks_wire_put32(batch + 8, KS_BATCH_HEADER_SIZE - KS_BATCH_LENGTH_END);
	ks_wire_put32(batch + 57, 0); /* record count */
	ks_wire_put16(batch + 21, KS_CODEC_ZSTD);
	ok = ks_batch_open(&reader, batch, KS_BATCH_HEADER_SIZE, false, 0) == KS_BATCH_OK &&
		 ks_batch_next(&reader, &record) == KS_BATCH_END;
	ks_batch_close(&reader);
	tap_ok(ok, "a batch without records");
}

/* What compaction writes: gaps, a delete horizon, a stretched or empty end. */
void
test_sparse(void)
{
	size_t len;
	char *batch = sample_sparse_batch(300, KS_CODEC_ZSTD, &len);
	KsBatchReader reader;
	KsBatchWriter writer;
	SampleBuffer buf;
	KsRecord want,
		got;
	int i;
	bool ok = ks_batch_open(&reader, batch, len, true, 10000000) == KS_BATCH_OK;

	tap_ok(ok && reader.header.record_count == 100 &&
			   reader.header.last_offset_delta == 299 + SAMPLE_STRETCH &&
			   reader.header.attributes == (KS_CODEC_ZSTD | KS_BATCH_ATTR_DELETE_HORIZON) &&
			   reader.header.base_timestamp == SAMPLE_HORIZON &&
			   reader.header.max_timestamp == SAMPLE_TIME + 50,
		   "sparse: header");
	for (i = 0; i < 300 && ok; i += 3)
	{
		sample_record(i, &buf, &want);
		ok = ks_batch_next(&reader, &got) == KS_BATCH_OK && got.offset == i &&
			 got.timestamp == want.timestamp &&
			 same_bytes(want.key, want.key_len, got.key, got.key_len) &&
			 same_bytes(want.value, want.value_len, got.value, got.value_len);
	}
	tap_ok(ok && ks_batch_next(&reader, &got) == KS_BATCH_END, "sparse: records");
	ks_batch_close(&reader);
	free(batch);

	ks_batch_init(&writer, CurrentMemoryContext);
	ks_batch_stretch(&writer, 7);
	(void) ks_batch_finish(&writer, KS_CODEC_ZSTD);
	ok = ks_batch_open(&reader, writer.image + VARHDRSZ, KS_BATCH_HEADER_SIZE, true, 1000) == KS_BATCH_OK;
	tap_ok(ok && reader.header.record_count == 0 && reader.header.last_offset_delta == 7 &&
			   reader.header.attributes == KS_CODEC_NONE && ks_batch_next(&reader, &got) == KS_BATCH_END,
		   "a batch without records, written by us");
	ks_batch_close(&reader);
	pfree(writer.image);
}
