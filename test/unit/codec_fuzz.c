/*-------------------------------------------------------------------------
 * codec_fuzz.c
 *	  Hostile bytes for the codec room.
 *
 * Every batch tried here lies in a chunk of exactly its size, so that a read
 * past its end is seen by a sanitizer.  Without one these tests still see
 * crashes, endless loops and wrong answers.
 *
 * test/unit/codec_fuzz.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/batch.h"
#include "codec/wire.h"
#include "codec_test.h"

/* Where fields of the header are, in the format's own words. */
#define AT_BATCH_LENGTH 8
#define AT_LAST_OFFSET_DELTA 23
#define AT_RECORD_COUNT 57

#define SAMPLE_COUNT 12
#define MAX_PAYLOAD 100000
#define FUZZ_ROUNDS 20000

/* Touch the bytes a record points to. */
static unsigned
touch(const char *bytes, int32 len)
{
	unsigned sum = 0;
	int32 i;

	for (i = 0; i < len; i++)
		sum += (unsigned char) bytes[i];
	return sum;
}

/*
 * Read a batch to its end or first error, from a chunk of its own.  Returns
 * the last status; *records counts what was read.
 */
static KsBatchStatus
read_all(const char *bytes, size_t len, bool check_crc, int *records)
{
	static volatile unsigned sink;
	char *batch = malloc(len > 0 ? len : 1);
	KsBatchReader reader;
	KsBatchStatus status;
	KsRecord record;

	memcpy(batch, bytes, len);
	*records = 0;
	status = ks_batch_open(&reader, batch, len, check_crc, MAX_PAYLOAD);
	if (status == KS_BATCH_OK)
	{
		while ((status = ks_batch_next(&reader, &record)) == KS_BATCH_OK)
		{
			const char *cursor = record.headers;
			const char *end = record.headers + record.headers_len;
			const char *name,
				*value;
			int32 name_len,
				value_len;

			sink += touch(record.key, record.key_len) +
					touch(record.value, record.value_len);
			while (ks_header_next(&cursor, end, &name, &name_len, &value, &value_len))
				sink += touch(name, name_len) + touch(value, value_len);
			(*records)++;
		}
		ks_batch_close(&reader);
	}
	free(batch);
	return status;
}

/*
 * Cut at every byte: as it is, and with the header's length and the CRC made
 * to fit, so that the cut is found in the records.
 */
void
test_truncation(void)
{
	int codec;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		size_t len;
		char *batch = sample_batch(SAMPLE_COUNT, (KsCodec) codec, &len);
		bool plain = true;
		bool fitted = true;
		int records;
		size_t cut;

		for (cut = 0; cut < len; cut++)
			plain &= read_all(batch, cut, true, &records) == KS_BATCH_TRUNCATED;
		tap_ok(plain, "%s: cut at every byte", ks_codec_name((KsCodec) codec));
		for (cut = len - 1; cut >= KS_BATCH_HEADER_SIZE; cut--)
		{
			KsBatchStatus status;

			ks_wire_put32(batch + AT_BATCH_LENGTH,
						  (uint32) (cut - KS_BATCH_LENGTH_END));
			status = read_all(batch, cut, false, &records);
			fitted &= status == KS_BATCH_BAD_RECORD ||
					  (codec != KS_CODEC_NONE && status == KS_BATCH_BAD_PAYLOAD);
		}
		tap_ok(fitted, "%s: cut at every byte, and the length says so",
			   ks_codec_name((KsCodec) codec));
		free(batch);
	}
}

/*
 * Flip every bit.  With the CRC everything is found but base offset (bytes
 * 0-7) and leader epoch (12-15), which it leaves out; without it nothing may
 * crash.
 */
void
test_bit_flips(void)
{
	int codec;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		size_t len;
		char *batch = sample_batch(SAMPLE_COUNT, (KsCodec) codec, &len);
		bool found = true;
		int records;
		size_t bit;

		for (bit = 0; bit < len * 8; bit++)
		{
			size_t at = bit / 8;
			bool outside = at < 8 || (at >= 12 && at < 16);
			KsBatchStatus status;

			batch[at] ^= (char) (1 << bit % 8);
			status = read_all(batch, len, true, &records);
			/* The sign bit of the base offset is found all the same. */
			found &= (status == KS_BATCH_END) == (outside && bit != 7);
			(void) read_all(batch, len, false, &records);
			batch[at] ^= (char) (1 << bit % 8);
		}
		found &= read_all(batch, len, true, &records) == KS_BATCH_END;
		tap_ok(found && records == SAMPLE_COUNT, "%s: every bit flipped",
			   ks_codec_name((KsCodec) codec));
		free(batch);
	}
}

/* Whether a batch of these records is refused after `good` of them. */
static bool
refused(const char *records, size_t records_len, int32 count,
		int32 last_offset_delta, int good)
{
	char batch[256] = {0};
	size_t len = KS_BATCH_HEADER_SIZE + records_len;
	int got;

	ks_wire_put32(batch + AT_BATCH_LENGTH, (uint32) (len - KS_BATCH_LENGTH_END));
	batch[16] = 2; /* magic */
	ks_wire_put32(batch + AT_LAST_OFFSET_DELTA, (uint32) last_offset_delta);
	ks_wire_put32(batch + AT_RECORD_COUNT, (uint32) count);
	memcpy(batch + KS_BATCH_HEADER_SIZE, records, records_len);
	return read_all(batch, len, false, &got) == KS_BATCH_BAD_RECORD &&
		   got == good;
}

#define REFUSED(records, count, last, good) \
	refused(records, sizeof(records) - 1, count, last, good)

/* Records by hand: length, attributes, ts, offset, key, value, headers. */
#define RECORD(delta) "\x0C\0\0" delta "\1\1\0"

void
test_contradictions(void)
{
	tap_ok(!REFUSED(RECORD("\0") RECORD("\2"), 2, 1, 2), "two sound records");
	tap_ok(REFUSED(RECORD("\0") RECORD("\0"), 2, 1, 1), "an offset twice");
	tap_ok(REFUSED(RECORD("\2") RECORD("\0"), 2, 1, 1), "offsets that fall");
	tap_ok(REFUSED(RECORD("\0") RECORD("\4"), 2, 1, 1), "an offset past the last");
	tap_ok(REFUSED(RECORD("\1"), 1, 1, 0), "an offset before the base");
	tap_ok(REFUSED(RECORD("\0") RECORD("\2"), 1, 1, 1), "more records than counted");
	tap_ok(REFUSED(RECORD("\0") RECORD("\2"), 3, 2, 0), "fewer records than counted");
	tap_ok(REFUSED(RECORD("\0") RECORD("\2"), 2, 0, 0), "more records than offsets");
	tap_ok(REFUSED(RECORD("\0"), -1, 0, 0), "a negative count");
	tap_ok(REFUSED(RECORD("\0"), 1, -1, 0), "a negative last offset");
	tap_ok(REFUSED(RECORD("\0"), PG_INT32_MAX, PG_INT32_MAX, 0), "a huge count");
	tap_ok(REFUSED("\x0C\0\0\0\3\1\0", 1, 0, 0), "a key length of -2");
	tap_ok(REFUSED("\x0C\0\0\0\x08\1\0", 1, 0, 0), "a key past the record");
	tap_ok(REFUSED("\x0C\0\0\0\1\x08\0", 1, 0, 0), "a value past the record");
	tap_ok(REFUSED("\x0E\0\0\0\1\1\0x", 1, 0, 0), "a byte after the headers");
	tap_ok(REFUSED("\x0C\0\0\0\1\1\2", 1, 0, 0), "a header that is not there");
	tap_ok(REFUSED("\x0C\0\0\0\1\1\1", 1, 0, 0), "a negative header count");
	tap_ok(REFUSED("\x10\0\0\0\1\1\2\1\1", 1, 0, 0), "a header without a name");
	tap_ok(!REFUSED("\x10\0\0\0\1\1\2\0\1", 1, 0, 1), "a header with an empty name");
	tap_ok(REFUSED("\1\0\0\0\1\1\0", 1, 0, 0), "a negative record length");
	tap_ok(REFUSED("\x0A\0\0\0\1\1\0", 1, 0, 0), "a record length too small");
	tap_ok(REFUSED("\x0E\0\0\0\1\1\0", 1, 0, 0), "a record length too large");
}

/* Header bytes that no record reader has looked at before. */
void
test_header_iterator(void)
{
	static const char *const bytes[] = {"\x02", "\x02x", "\x04x\x01", "\x02x\x04y", "\x01\x01", "\x02x\x03"};
	bool ok = true;
	size_t i;

	for (i = 0; i < lengthof(bytes); i++)
	{
		size_t len = strlen(bytes[i]);
		char *copy = malloc(len);
		const char *cursor = copy;
		const char *name,
			*value;
		int32 name_len,
			value_len;

		memcpy(copy, bytes[i], len);
		ok &= !ks_header_next(&cursor, copy + len, &name, &name_len, &value, &value_len);
		ok &= cursor == copy;
		free(copy);
	}
	tap_ok(ok, "malformed headers are not iterated");
}

/* Random bytes behind a good header, and good batches with random changes. */
void
test_fuzz(void)
{
	int codec;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		size_t len;
		char *good = sample_batch(SAMPLE_COUNT * 3, (KsCodec) codec, &len);
		char *batch = malloc(len);
		int read = 0;
		int round;

		for (round = 0; round < FUZZ_ROUNDS; round++)
		{
			int changes = 1 + (int) (next_random() % 4);
			size_t from = round % 4 == 0 ? 21 : KS_BATCH_HEADER_SIZE;
			size_t at;
			int records;

			memcpy(batch, good, len);
			if (round % 8 == 1)
			{
				for (at = from; at < len; at++)
					batch[at] = (char) next_random();
			}
			for (; changes > 0; changes--)
				batch[from + next_random() % (len - from)] = (char) next_random();
			(void) read_all(batch, len, false, &records);
			read += records;
		}
		tap_ok(read > FUZZ_ROUNDS / 10, "%s: %d random batches, %d records read",
			   ks_codec_name((KsCodec) codec), FUZZ_ROUNDS, read);
		free(batch);
		free(good);
	}
}
