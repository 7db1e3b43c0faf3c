/*-------------------------------------------------------------------------
 * codec_tool.c
 *	  codec_test's commands: write and read batch files, measure.
 *
 * test/unit/codec_tool.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "codec/batch.h"
#include "codec_test.h"

/* What is written for kafka_python.py; it knows these numbers. */
#define WRITE_COUNT 2000
#define WRITE_BASE_OFFSET 1000
#define WRITE_LEADER_EPOCH 7
#define WRITE_APPEND_TIME INT64CONST(1800000000000)

/* What is measured: records of 110 bytes, key and value, batches of 64 KiB. */
#define BENCH_RECORDS 2000000
#define BENCH_BATCH (64 * 1024)
#define BENCH_KEY 10
#define BENCH_VALUE 100

static bool
write_file(const char *dir, const char *name, const char *bytes, size_t len)
{
	char path[MAXPGPATH];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s.batch", dir, name);
	file = fopen(path, "wb");
	if (file == NULL)
		return false;
	ok = fwrite(bytes, 1, len, file) == len;
	return fclose(file) == 0 && ok;
}

int
tool_write(const char *dir)
{
	int codec;
	bool ok = true;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		size_t len;
		char *batch = sample_batch(WRITE_COUNT, (KsCodec) codec, &len);

		ks_batch_set_base_offset(batch, WRITE_BASE_OFFSET);
		ks_batch_set_leader_epoch(batch, WRITE_LEADER_EPOCH);
		ok &= write_file(dir, ks_codec_name((KsCodec) codec), batch, len);
		if (codec == KS_CODEC_LZ4)
		{
			ks_batch_set_append_time(batch, len, WRITE_APPEND_TIME);
			ok &= write_file(dir, "append-time", batch, len);
		}
		free(batch);
		if (codec == KS_CODEC_GZIP)
		{
			batch = sample_sparse_batch(WRITE_COUNT, KS_CODEC_GZIP, &len);
			ks_batch_set_base_offset(batch, WRITE_BASE_OFFSET);
			ok &= write_file(dir, "compacted", batch, len);
			free(batch);
		}
	}
	return ok ? 0 : 1;
}

/* Bytes in hex, "-" for NULL. */
static void
print_hex(const char *bytes, int32 len)
{
	int32 i;

	if (len < 0)
		putchar('-');
	for (i = 0; i < len; i++)
		printf("%02x", (unsigned char) bytes[i]);
}

static void
print_record(const KsRecord *record)
{
	const char *cursor = record->headers;
	const char *end = cursor + record->headers_len;
	const char *name,
		*value;
	int32 name_len,
		value_len;

	printf("%lld %lld ", (long long) record->offset,
		   (long long) record->timestamp);
	print_hex(record->key, record->key_len);
	putchar(' ');
	print_hex(record->value, record->value_len);
	while (ks_header_next(&cursor, end, &name, &name_len, &value, &value_len))
	{
		putchar(' ');
		print_hex(name, name_len);
		putchar('=');
		print_hex(value, value_len);
	}
	putchar('\n');
}

int
tool_read(const char *path)
{
	size_t size = 16 * 1024 * 1024;
	char *bytes = malloc(size);
	FILE *file = fopen(path, "rb");
	KsBatchReader reader;
	KsBatchStatus status;
	KsRecord record;
	size_t len;

	if (file == NULL)
	{
		perror(path);
		return 1;
	}
	len = fread(bytes, 1, size, file);
	fclose(file);
	status = ks_batch_open(&reader, bytes, len, true, size);
	if (status == KS_BATCH_OK)
	{
		while ((status = ks_batch_next(&reader, &record)) == KS_BATCH_OK)
			print_record(&record);
		ks_batch_close(&reader);
	}
	free(bytes);
	if (status != KS_BATCH_END)
		fprintf(stderr, "%s: %s\n", path, ks_batch_status_text(status));
	return status == KS_BATCH_END ? 0 : 1;
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Write batches of about 64 KiB; returns how many records went in. */
static int
bench_batch(int from, KsCodec codec, struct varlena **image, double *append,
			double *finish)
{
	static const char words[] = "order shipped to customer at harbour street "
								"twelve, awaiting payment of 99 euro; carrier notified twice";
	KsBatchWriter writer;
	KsRecord record = {0};
	char key[32];
	char value[BENCH_VALUE];
	double start = seconds();
	double filled;
	int n = 0;

	record.key = key;
	record.key_len = BENCH_KEY;
	record.value = value;
	record.value_len = BENCH_VALUE;
	memcpy(value, words, BENCH_VALUE);
	snprintf(key, sizeof(key), "%010d", from);
	ks_batch_init(&writer, CurrentMemoryContext);
	while (writer.len + ks_record_max_size(&record) <= BENCH_BATCH)
	{
		/* A counter in each, cheaper than formatting one. */
		memcpy(value + 20, &n, sizeof(n));
		record.timestamp = INT64CONST(1700000000000) + n / 100;
		ks_batch_append(&writer, &record);
		n++;
	}
	filled = seconds();
	*image = ks_batch_finish(&writer, codec);
	*append += filled - start;
	*finish += seconds() - filled;
	if ((char *) *image != writer.image)
		free(writer.image);
	return n;
}

int
tool_bench(void)
{
	int codec;

	for (codec = KS_CODEC_NONE; codec <= KS_CODEC_LAST; codec++)
	{
		double append = 0;
		double finish = 0;
		double read = 0;
		int64 bytes = 0;
		int64 seen = 0;
		int n = 0;

		while (n < BENCH_RECORDS)
		{
			struct varlena *image;
			KsBatchReader reader;
			KsRecord record;
			double start;

			n += bench_batch(n, (KsCodec) codec, &image, &append, &finish);
			bytes += VARSIZE(image);
			start = seconds();
			ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ,
						  true, BENCH_BATCH);
			while (ks_batch_next(&reader, &record) == KS_BATCH_OK)
				seen++;
			ks_batch_close(&reader);
			read += seconds() - start;
			free(image);
		}
		printf("%-6s append %6.1f M/s  with finish %6.1f M/s  read %6.1f M/s"
			   "  %5.1f bytes/record\n",
			   ks_codec_name((KsCodec) codec), n / append / 1e6,
			   n / (append + finish) / 1e6, seen / read / 1e6,
			   (double) bytes / n);
		if (seen != n)
			return 1;
	}
	return 0;
}
