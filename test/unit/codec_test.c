/*-------------------------------------------------------------------------
 * codec_test.c
 *	  Tests of the codec room, without a server.
 *
 *	codec_test				all tests, as TAP; exits 1 when one failed
 *	codec_test write DIR	one batch file per codec, of the sample records
 *	codec_test read FILE	a batch file's records, one line each, in hex
 *	codec_test bench		records per second
 *
 * write and read are for kafka_python.py, which has an implementation of its
 * own on the other side.
 *
 * test/unit/codec_test.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <snappy-c.h>

#include "codec/batch.h"
#include "codec/wire.h"
#include "codec_test.h"
#include "shim.h"

static int tap_count = 0;
static int tap_failures = 0;

bool
tap_ok(bool passed, const char *fmt, ...)
{
	va_list args;

	tap_count++;
	if (!passed)
		tap_failures++;
	printf("%sok %d - ", passed ? "" : "not ", tap_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	return passed;
}

uint64
next_random(void)
{
	static uint64 state = UINT64CONST(0x9E3779B97F4A7C15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---------- the sample ---------- */

static void
sample_headers(int i, char *dst, KsRecord *record)
{
	int j;
	char *p = dst;

	record->headers = dst;
	record->header_count = i % 4;
	for (j = 0; j < record->header_count; j++)
	{
		char name[8];
		char value[3] = {0, (char) 0xFF, (char) j};
		static const int32 value_lens[] = {-1, 0, 3};
		int32 value_len = value_lens[(i + j) % 3];

		snprintf(name, sizeof(name), "h%d", j);
		p = ks_header_write(p, name, (int32) strlen(name), value, value_len);
	}
	record->headers_len = (int32) (p - dst);
}

void
sample_record(int i, SampleBuffer *buf, KsRecord *record)
{
	int n;

	memset(record, 0, sizeof(*record));
	record->timestamp = SAMPLE_TIME + (i * 37 + 60) % 101 - 50;
	record->key_len = -1;
	if (i % 5 != 0)
	{
		record->key = buf->key;
		record->key_len = i % 5 == 1 ? 0 : sprintf(buf->key, "key-%d", i);
	}
	record->value_len = -1;
	if (i % 7 != 0)
	{
		record->value = buf->value;
		record->value_len = 0;
		for (n = 0; i % 7 > 1 && n < i % 20 + 1; n++)
			record->value_len += sprintf(buf->value + record->value_len,
										 "value-%d ", i);
	}
	sample_headers(i, buf->headers, record);
}

/* A finished batch in plain malloc. */
static char *
finish_sample(KsBatchWriter *writer, KsCodec codec, size_t *len)
{
	struct varlena *image = ks_batch_finish(writer, codec);
	char *batch;

	*len = VARSIZE(image) - VARHDRSZ;
	batch = malloc(*len);
	memcpy(batch, VARDATA(image), *len);
	if ((char *) image != writer->image)
		pfree(image);
	pfree(writer->image);
	return batch;
}

char *
sample_batch(int count, KsCodec codec, size_t *len)
{
	KsBatchWriter writer;
	SampleBuffer buf;
	KsRecord record;
	int i;

	ks_batch_init(&writer, CurrentMemoryContext);
	for (i = 0; i < count; i++)
	{
		sample_record(i, &buf, &record);
		ks_batch_append(&writer, &record);
	}
	return finish_sample(&writer, codec, len);
}

char *
sample_sparse_batch(int count, KsCodec codec, size_t *len)
{
	KsBatchWriter writer;
	SampleBuffer buf;
	KsRecord record;
	int i;

	ks_batch_init(&writer, CurrentMemoryContext);
	ks_batch_set_delete_horizon(&writer, SAMPLE_HORIZON);
	for (i = 0; i < count; i += 3)
	{
		sample_record(i, &buf, &record);
		ks_batch_append_at(&writer, &record, i);
	}
	ks_batch_stretch(&writer, count + SAMPLE_STRETCH - 1);
	return finish_sample(&writer, codec, len);
}

/* ---------- varints ---------- */

static bool
varint_round_trip(int64 value, bool narrow)
{
	char buf[KS_VARINT64_MAX];
	const char *cursor = buf;
	const char *cut = buf;
	uint64 zigzag = narrow ? ks_zigzag32((int32) value) : ks_zigzag64(value);
	char *end = ks_varint_put(buf, zigzag);
	int64 got64 = 0;
	int32 got32 = 0;

	if (end - buf != ks_varint_size(zigzag))
		return false;
	if (narrow)
		return ks_varint_get32(&cursor, end, &got32) && cursor == end &&
			   got32 == value && !ks_varint_get32(&cut, end - 1, &got32) &&
			   cut == buf;
	return ks_varint_get64(&cursor, end, &got64) && cursor == end &&
		   got64 == value && !ks_varint_get64(&cut, end - 1, &got64) && cut == buf;
}

static void
test_varint(void)
{
	static const char wide32[] = "\xFF\xFF\xFF\xFF\x1F";
	static const char wide64[] = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02";
	static const char endless[] = "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01";
	static const char overlong[] = "\x83\x00";
	const char *p;
	int32 v32;
	int64 v64;
	bool ok = true;
	int bit;

	for (bit = 0; bit < 64; bit++)
	{
		int64 base = (int64) (UINT64CONST(1) << bit);
		int64 step;

		for (step = -1; step <= 1; step++)
		{
			int64 value = (int64) ((uint64) base + (uint64) step);

			ok &= varint_round_trip(value, false);
			ok &= varint_round_trip(~value, false);
			if (value == (int32) value)
				ok &= varint_round_trip(value, true) &&
					  varint_round_trip(~value, true);
		}
	}
	tap_ok(ok, "varints around every power of two");
	p = wide32;
	ok = !ks_varint_get32(&p, wide32 + 5, &v32);
	p = wide64;
	ok &= !ks_varint_get64(&p, wide64 + 10, &v64);
	p = endless;
	ok &= !ks_varint_get32(&p, endless + 11, &v32);
	ok &= !ks_varint_get64(&p, endless + 11, &v64);
	tap_ok(ok && p == endless, "varints that are too wide are refused");
	p = overlong;
	ok = ks_varint_get32(&p, overlong + 2, &v32) && v32 == -2;
	tap_ok(ok && p == overlong + 2, "an overlong varint is read");
}

/* ---------- codecs ---------- */

static void
test_names(void)
{
	KsCodec codec;
	bool ok = true;
	int i;

	for (i = 0; i <= KS_CODEC_LAST; i++)
		ok &= ks_codec_by_name(ks_codec_name((KsCodec) i), &codec) &&
			  codec == (KsCodec) i;
	ok &= ks_codec_by_name("ZStd", &codec) && codec == KS_CODEC_ZSTD;
	ok &= !ks_codec_by_name("", &codec) && !ks_codec_by_name("gzip ", &codec);
	ok &= ks_codec_name((KsCodec) (KS_CODEC_LAST + 1)) == NULL;
	tap_ok(ok, "codec names");
}

char *
make_text(size_t len, bool noise)
{
	char *text = malloc(len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		text[i] = noise ? (char) next_random() : (char) ('a' + i / 7 % 13);
	return text;
}

static bool
codec_round_trip(KsCodec codec, size_t len, bool noise)
{
	char *text = make_text(len, noise);
	size_t bound = ks_compress_bound(codec, len);
	char *packed = malloc(bound + 1);
	size_t packed_len = ks_compress(codec, text, len, packed, bound);
	size_t plain_len = 0;
	char *plain = ks_decompress(codec, packed, packed_len, len, &plain_len);
	bool ok;

	ok = packed_len > 0 && plain != NULL && plain_len == len &&
		 memcmp(plain, text, len) == 0;
	/* One byte less than needed, on either side. */
	ok &= len == 0 ||
		  (ks_decompress(codec, packed, packed_len, len - 1, &plain_len) == NULL && plain_len == len);
	ok &= ks_compress(codec, text, len, packed, packed_len - 1) == 0;
	ok &= ks_compress(codec, text, len, packed, 0) == 0;
	free(plain);
	free(packed);
	free(text);
	return ok;
}

static void
test_codecs(void)
{
	static const size_t sizes[] = {1, 2, 100, 4096, 32767, 32768, 32769,
								   65536, 300000};
	int codec;
	size_t i;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		bool ok = true;

		for (i = 0; i < lengthof(sizes); i++)
			ok &= codec_round_trip((KsCodec) codec, sizes[i], false) &&
				  codec_round_trip((KsCodec) codec, sizes[i], true);
		tap_ok(ok, "%s: round trip", ks_codec_name((KsCodec) codec));
	}
}

/* Several streams one after the other are one. */
static void
test_concatenated(void)
{
	int codec;

	for (codec = KS_CODEC_GZIP; codec <= KS_CODEC_LAST; codec++)
	{
		char *text = make_text(70000, false);
		size_t bound = ks_compress_bound((KsCodec) codec, 70000);
		char *packed = malloc(2 * bound + 1);
		size_t one,
			two,
			len = 0;
		char *plain;

		one = ks_compress((KsCodec) codec, text, 40000, packed, bound);
		two = ks_compress((KsCodec) codec, text + 40000, 30000, packed + one,
						  bound);
		plain = ks_decompress((KsCodec) codec, packed, one + two, 70000, &len);
		tap_ok(plain != NULL && len == 70000 && memcmp(plain, text, len) == 0,
			   "%s: concatenated streams", ks_codec_name((KsCodec) codec));
		free(plain);
		packed[one + two] = 'x';
		tap_ok(ks_decompress((KsCodec) codec, packed, one + two + 1, 80000,
							 &len) == NULL,
			   "%s: a byte too much", ks_codec_name((KsCodec) codec));
		free(packed);
		free(text);
	}
}

static void
test_bare_snappy(void)
{
	char *text = make_text(50000, false);
	size_t packed_len = snappy_max_compressed_length(50000);
	char *packed = malloc(packed_len);
	size_t len = 0;
	char *plain;

	snappy_compress(text, 50000, packed, &packed_len);
	plain = ks_decompress(KS_CODEC_SNAPPY, packed, packed_len, 50000, &len);
	tap_ok(plain != NULL && len == 50000 && memcmp(plain, text, len) == 0,
		   "snappy: bare block");
	free(plain);
	free(packed);
	free(text);
}

/* Java refuses linked blocks; FLG: version 1, independent, nothing else. */
static void
test_lz4_frame(void)
{
	char *text = make_text(200000, false);
	size_t bound = ks_compress_bound(KS_CODEC_LZ4, 200000);
	char *packed = malloc(bound);

	ks_compress(KS_CODEC_LZ4, text, 200000, packed, bound);
	tap_ok(memcmp(packed, "\x04\x22\x4D\x18\x60", 5) == 0,
		   "lz4: independent blocks and no checksums");
	free(packed);
	free(text);
}

/* What a hostile sender packs small. */
static void
test_bombs(void)
{
	static const char liar[] = "\xFF\xFF\xFF\xFF\x07\x00x";
	size_t max_len = 1024 * 1024;
	size_t text_len = 64 * max_len;
	char *text = calloc(text_len, 1);
	char *plain;
	size_t len;
	int codec;

	for (codec = KS_CODEC_GZIP; codec <= KS_CODEC_LAST; codec++)
	{
		size_t bound = ks_compress_bound((KsCodec) codec, text_len);
		char *packed = malloc(bound);
		size_t packed_len = ks_compress((KsCodec) codec, text, text_len,
										packed, bound);

		shim_largest = 0;
		plain = ks_decompress((KsCodec) codec, packed, packed_len, max_len, &len);
		tap_ok(packed_len > 0 && plain == NULL && len > max_len && shim_largest <= max_len + 1,
			   "%s: a bomb is refused, largest chunk %zu",
			   ks_codec_name((KsCodec) codec), shim_largest);
		free(packed);
	}
	shim_largest = 0;
	plain = ks_decompress(KS_CODEC_SNAPPY, liar, sizeof(liar) - 1, SIZE_MAX, &len);
	tap_ok(plain == NULL && shim_largest < 1024,
		   "snappy: a declared size is not believed");
	free(text);
}

/* A frame declares 64 MB, and is cut off after a few bytes. */
static void
test_false_size(void)
{
	size_t text_len = 64 * 1024 * 1024;
	char *text = calloc(text_len, 1);
	size_t bound = ks_compress_bound(KS_CODEC_ZSTD, text_len);
	char *packed = malloc(bound);
	size_t len;
	char *plain;

	ks_compress(KS_CODEC_ZSTD, text, text_len, packed, bound);
	shim_largest = 0;
	plain = ks_decompress(KS_CODEC_ZSTD, packed, 20, SIZE_MAX, &len);
	tap_ok(plain == NULL && shim_largest < 1024 * 1024,
		   "zstd: a declared size is not believed, largest chunk %zu",
		   shim_largest);
	free(packed);
	free(text);
}

/* Memory that runs out amid a stream is an error, not malformed bytes. */
static void
test_out_of_memory(void)
{
	char *text = make_text(500000, false);
	int codec;

	for (codec = KS_CODEC_GZIP; codec <= KS_CODEC_LAST; codec++)
	{
		size_t bound = ks_compress_bound((KsCodec) codec, 500000);
		char *packed = malloc(bound);
		size_t packed_len = ks_compress((KsCodec) codec, text, 500000,
										packed, bound);
		jmp_buf catch;
		volatile bool thrown = false;
		size_t len;

		shim_fail_size = 200000;
		shim_catch = &catch;
		if (setjmp(catch) != 0)
			thrown = true;
		else
			ks_decompress((KsCodec) codec, packed, packed_len, 1000000, &len);
		shim_catch = NULL;
		shim_fail_size = SIZE_MAX;
		tap_ok(thrown, "%s: out of memory is thrown",
			   ks_codec_name((KsCodec) codec));
		free(packed);
	}
	free(text);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return tool_write(argv[2]);
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return tool_read(argv[2]);
	if (argc == 2 && strcmp(argv[1], "bench") == 0)
		return tool_bench();
	if (argc != 1)
	{
		fprintf(stderr, "usage: codec_test [write DIR | read FILE | bench]\n");
		return 2;
	}
	test_varint();
	test_names();
	test_codecs();
	test_concatenated();
	test_bare_snappy();
	test_lz4_frame();
	test_bombs();
	test_false_size();
	test_out_of_memory();
	test_golden();
	test_round_trip();
	test_extremes();
	test_incompressible();
	test_compacted();
	test_sparse();
	test_truncation();
	test_bit_flips();
	test_contradictions();
	test_header_iterator();
	test_fuzz();
	printf("1..%d\n", tap_count);
	return tap_failures == 0 ? 0 : 1;
}
