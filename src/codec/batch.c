/*-------------------------------------------------------------------------
 * batch.c
 *	  Kafka's RecordBatch, magic 2: writer and reader.
 *
 * A batch is a header of 61 bytes, integers big-endian:
 *
 *	 at	size
 *	  0	  8	base offset: the offset of delta 0
 *	  8	  4	batch length: bytes after this field
 *	 12	  4	leader epoch
 *	 16	  1	magic, 2
 *	 17	  4	CRC32C of everything from the attributes on
 *	 21	  2	attributes: bits 0-2 the codec, 3 LogAppendTime, 4 in a
 *			transaction, 5 control batch, 6 base timestamp is delete horizon
 *	 23	  4	last offset delta
 *	 27	  8	base timestamp, ms since 1970
 *	 35	  8	max timestamp
 *	 43	  8	producer id, -1: none
 *	 51	  2	producer epoch
 *	 53	  4	base sequence
 *	 57	  4	record count
 *
 * and then the records, compressed as one piece if at all.  What a log sets
 * when the offsets are given out stands before the CRC and outside of it, so a
 * batch can be finished before its offsets are known.  A record is
 *
 *	length varint (of what follows), attributes 1 byte (0), timestamp delta
 *	varlong, offset delta varint, key length varint (-1: NULL), key, value
 *	length varint, value, header count varint, headers
 *
 * with varints in zigzag form (see wire.h); a header is a name with its length
 * and a value with its length, which may be NULL.  Timestamp deltas are against
 * the base timestamp and may be negative.  Offset deltas rise, with gaps where
 * compaction took records out.
 *
 * The writer builds the final image as records come: nothing is encoded twice,
 * and without compression nothing is copied at the end either.  Its header is
 * filled in last.  Taking back records, for a subtransaction that rolled back,
 * is to forget bytes at the end; no record depends on a later one.
 *
 * The reader trusts nothing.  Every length is compared with the bytes left
 * before it is used, records must fill their length exactly, and the records
 * the payload exactly.  The declared count only ends the loop.
 *
 * src/codec/batch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "codec/batch.h"
#include "codec/wire.h"

/* Where the header's fields are. */
#define AT_BASE_OFFSET 0
#define AT_BATCH_LENGTH 8
#define AT_LEADER_EPOCH 12
#define AT_MAGIC 16
#define AT_CRC 17
#define AT_ATTRIBUTES 21
#define AT_LAST_OFFSET_DELTA 23
#define AT_BASE_TIMESTAMP 27
#define AT_MAX_TIMESTAMP 35
#define AT_PRODUCER_ID 43
#define AT_PRODUCER_EPOCH 51
#define AT_BASE_SEQUENCE 53
#define AT_RECORD_COUNT 57

#define MAGIC 2

/* An image's bytes before the first record. */
#define IMAGE_START (VARHDRSZ + KS_BATCH_HEADER_SIZE)

/* An image's size to begin with. */
#define IMAGE_MIN_CAPACITY 512

/*
 * A record without key, value and headers: at most its length, attributes,
 * timestamp delta, and offset delta, key length, value length, header count;
 * and at least a byte for each of the seven.
 */
#define RECORD_MAX_OVERHEAD (5 * KS_VARINT32_MAX + 1 + KS_VARINT64_MAX)
#define RECORD_MIN_SIZE 7

const char *
ks_batch_status_text(KsBatchStatus status)
{
	switch (status)
	{
		case KS_BATCH_OK:
			return "sound";
		case KS_BATCH_END:
			return "no more records";
		case KS_BATCH_TRUNCATED:
			return "shorter than its header says";
		case KS_BATCH_BAD_MAGIC:
			return "not a record batch of magic 2";
		case KS_BATCH_BAD_CRC:
			return "checksum does not match";
		case KS_BATCH_BAD_CODEC:
			return "unrecognized compression codec";
		case KS_BATCH_BAD_PAYLOAD:
			return "records cannot be decompressed";
		case KS_BATCH_TOO_LARGE:
			return "records are too large when decompressed";
		case KS_BATCH_BAD_RECORD:
			return "malformed record";
	}
	return "unrecognized status";
}

/* ---------- writer ---------- */

void
ks_batch_init(KsBatchWriter *writer, MemoryContext context)
{
	memset(writer, 0, sizeof(*writer));
	writer->context = context;
	writer->len = IMAGE_START;
}

static inline int64
record_max_size(const KsRecord *record)
{
	return (int64) RECORD_MAX_OVERHEAD +
		   (record->key_len > 0 ? record->key_len : 0) +
		   (record->value_len > 0 ? record->value_len : 0) +
		   record->headers_len;
}

int64
ks_record_max_size(const KsRecord *record)
{
	return record_max_size(record);
}

/*
 * Give the image room for `size` bytes more.  It starts small, since most
 * transactions produce one record, and doubles.
 */
static pg_noinline void
grow_image(KsBatchWriter *writer, int64 size)
{
	int64 needed = (int64) writer->len + size;
	int64 capacity = Max(writer->capacity, IMAGE_MIN_CAPACITY);

	while (capacity < needed)
		capacity *= 2;
	/* The last doubling stops at what palloc allows; more than that throws there. */
	if (capacity > (int64) MaxAllocSize)
		capacity = Max(needed, (int64) MaxAllocSize);
	if (writer->image == NULL)
		writer->image = MemoryContextAlloc(writer->context, capacity);
	else
		writer->image = repalloc(writer->image, capacity);
	writer->capacity = (uint32) capacity;
}

/* Put a length and its bytes; -1 is NULL. */
static inline char *
put_bytes(char *dst, const char *bytes, int32 len)
{
	dst = ks_varint_put(dst, ks_zigzag32(len));
	if (len > 0)
	{
		memcpy(dst, bytes, len);
		dst += len;
	}
	return dst;
}

/* Bytes that put_bytes takes. */
static inline uint32
bytes_size(int32 len)
{
	return ks_varint_size(ks_zigzag32(len)) + (len > 0 ? len : 0);
}

/* Both ways of appending; inlined into each. */
static pg_attribute_always_inline void
append_record(KsBatchWriter *writer, const KsRecord *record, int32 delta)
{
	int64 max_size = record_max_size(record);
	uint64 timestamp_delta;
	uint64 offset_delta;
	uint64 header_count;
	uint32 body;
	char *p;

	/* Room for the greatest size that the record can have, so that nothing below checks again. */
	if (unlikely((int64) writer->capacity - writer->len < max_size))
		grow_image(writer, max_size);

	if (writer->count == 0)
	{
		/* Deltas count from the first record, or from the horizon that stands in its place. */
		if (!writer->has_horizon)
			writer->base_timestamp = record->timestamp;
		writer->max_timestamp = record->timestamp;
	}
	else if (record->timestamp > writer->max_timestamp)
		writer->max_timestamp = record->timestamp;

	/* Unsigned: times of a client may be anything, and a signed difference could overflow. */
	timestamp_delta = ks_zigzag64((int64) ((uint64) record->timestamp -
										   (uint64) writer->base_timestamp));
	offset_delta = ks_zigzag32(delta);
	header_count = ks_zigzag32(record->header_count);
	/* The length comes first, so it is computed before the parts are written. */
	body = 1 + ks_varint_size(timestamp_delta) +
		   ks_varint_size(offset_delta) +
		   bytes_size(record->key_len) + bytes_size(record->value_len) +
		   ks_varint_size(header_count) + record->headers_len;

	p = writer->image + writer->len;
	p = ks_varint_put(p, ks_zigzag32((int32) body));
	*p++ = 0; /* attributes */
	p = ks_varint_put(p, timestamp_delta);
	p = ks_varint_put(p, offset_delta);
	p = put_bytes(p, record->key, record->key_len);
	p = put_bytes(p, record->value, record->value_len);
	p = ks_varint_put(p, header_count);
	if (record->headers_len > 0)
	{
		memcpy(p, record->headers, record->headers_len);
		p += record->headers_len;
	}
	writer->len = (uint32) (p - writer->image);
	writer->count++;
}

void
ks_batch_append(KsBatchWriter *writer, const KsRecord *record)
{
	append_record(writer, record, writer->count);
}

void
ks_batch_append_at(KsBatchWriter *writer, const KsRecord *record, int32 offset_delta)
{
	Assert(writer->count == 0 || offset_delta > Max(writer->last_delta, writer->count - 1));
	append_record(writer, record, offset_delta);
	writer->last_delta = offset_delta;
}

void
ks_batch_set_delete_horizon(KsBatchWriter *writer, int64 horizon)
{
	Assert(writer->count == 0);
	writer->has_horizon = true;
	writer->base_timestamp = horizon;
}

void
ks_batch_stretch(KsBatchWriter *writer, int32 last_offset_delta)
{
	Assert(last_offset_delta >= Max(writer->last_delta, writer->count - 1));
	writer->last_delta = last_offset_delta;
}

KsBatchMark
ks_batch_mark(const KsBatchWriter *writer)
{
	KsBatchMark mark;

	mark.len = writer->len;
	mark.count = writer->count;
	mark.max_timestamp = writer->max_timestamp;
	return mark;
}

void
ks_batch_rewind(KsBatchWriter *writer, KsBatchMark mark)
{
	Assert(mark.len <= writer->len && mark.count <= writer->count);
	writer->len = mark.len;
	writer->count = mark.count;
	writer->max_timestamp = mark.max_timestamp;
}

/* The CRC that a batch of `len` bytes ought to have. */
static uint32
batch_crc(const char *batch, size_t len)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, batch + AT_ATTRIBUTES, len - AT_ATTRIBUTES);
	FIN_CRC32C(crc);
	return crc;
}

/* Fill in the header of an image whose records are in place. */
static struct varlena *
finish_image(const KsBatchWriter *writer, char *image, size_t image_len,
			 KsCodec codec)
{
	char *batch = image + VARHDRSZ;
	size_t len = image_len - VARHDRSZ;

	SET_VARSIZE(image, image_len);
	/* Offset and epoch are set when the log gives them out; they are outside of the CRC. */
	ks_wire_put64(batch + AT_BASE_OFFSET, 0);
	ks_wire_put32(batch + AT_BATCH_LENGTH, (uint32) (len - KS_BATCH_LENGTH_END));
	ks_wire_put32(batch + AT_LEADER_EPOCH, 0);
	batch[AT_MAGIC] = MAGIC;
	ks_wire_put16(batch + AT_ATTRIBUTES,
				  (uint16) codec | (writer->has_horizon ? KS_BATCH_ATTR_DELETE_HORIZON : 0));
	ks_wire_put32(batch + AT_LAST_OFFSET_DELTA, (uint32) Max(writer->last_delta, writer->count - 1));
	ks_wire_put64(batch + AT_BASE_TIMESTAMP, (uint64) writer->base_timestamp);
	ks_wire_put64(batch + AT_MAX_TIMESTAMP, (uint64) writer->max_timestamp);
	/* -1 in all three: not of an idempotent producer. */
	ks_wire_put64(batch + AT_PRODUCER_ID, PG_UINT64_MAX);
	ks_wire_put16(batch + AT_PRODUCER_EPOCH, PG_UINT16_MAX);
	ks_wire_put32(batch + AT_BASE_SEQUENCE, PG_UINT32_MAX);
	ks_wire_put32(batch + AT_RECORD_COUNT, (uint32) writer->count);
	/* Last: it covers everything from the attributes on. */
	ks_wire_put32(batch + AT_CRC, batch_crc(batch, len));
	return (struct varlena *) image;
}

struct varlena *
ks_batch_finish(KsBatchWriter *writer, KsCodec codec)
{
	size_t plain_len = writer->len - IMAGE_START;
	size_t bound;

	/* A batch without records is a header. */
	if (writer->image == NULL)
		grow_image(writer, 0);
	bound = ks_compress_bound(codec, plain_len);
	/* One that could not be allocated stays plain. */
	if (codec != KS_CODEC_NONE && plain_len > 0 && bound <= MaxAllocSize - IMAGE_START)
	{
		char *image = palloc(IMAGE_START + bound);
		size_t len;

		len = ks_compress(codec, writer->image + IMAGE_START, plain_len,
						  image + IMAGE_START, bound);
		/*
		 * 0 is a failure of the library, as by lack of memory: plain bytes are as good.
		 * What does not shrink stays plain, too.
		 */
		if (len > 0 && len < plain_len)
		{
			/* Many of them may wait for their transaction's end. */
			image = repalloc(image, IMAGE_START + len);
			return finish_image(writer, image, IMAGE_START + len, codec);
		}
		pfree(image);
	}
	return finish_image(writer, writer->image, writer->len, KS_CODEC_NONE);
}

void
ks_batch_set_base_offset(char *batch, int64 base_offset)
{
	ks_wire_put64(batch + AT_BASE_OFFSET, (uint64) base_offset);
}

void
ks_batch_set_leader_epoch(char *batch, int32 leader_epoch)
{
	ks_wire_put32(batch + AT_LEADER_EPOCH, (uint32) leader_epoch);
}

void
ks_batch_set_append_time(char *batch, size_t len, int64 timestamp)
{
	uint16 attributes = ks_wire_get16(batch + AT_ATTRIBUTES);

	Assert(len == KS_BATCH_LENGTH_END + ks_wire_get32(batch + AT_BATCH_LENGTH));
	ks_wire_put16(batch + AT_ATTRIBUTES,
				  attributes | KS_BATCH_ATTR_APPEND_TIME);
	ks_wire_put64(batch + AT_MAX_TIMESTAMP, (uint64) timestamp);
	ks_wire_put32(batch + AT_CRC, batch_crc(batch, len));
}

/* ---------- reader ---------- */

KsBatchStatus
ks_batch_read_header(const char *batch, size_t len, KsBatchHeader *header)
{
	if (len < KS_BATCH_HEADER_SIZE)
		return KS_BATCH_TRUNCATED;
	header->base_offset = (int64) ks_wire_get64(batch + AT_BASE_OFFSET);
	header->batch_length = (int32) ks_wire_get32(batch + AT_BATCH_LENGTH);
	header->leader_epoch = (int32) ks_wire_get32(batch + AT_LEADER_EPOCH);
	header->magic = (int8) batch[AT_MAGIC];
	header->crc = ks_wire_get32(batch + AT_CRC);
	header->attributes = (int16) ks_wire_get16(batch + AT_ATTRIBUTES);
	header->last_offset_delta =
		(int32) ks_wire_get32(batch + AT_LAST_OFFSET_DELTA);
	header->base_timestamp = (int64) ks_wire_get64(batch + AT_BASE_TIMESTAMP);
	header->max_timestamp = (int64) ks_wire_get64(batch + AT_MAX_TIMESTAMP);
	header->producer_id = (int64) ks_wire_get64(batch + AT_PRODUCER_ID);
	header->producer_epoch = (int16) ks_wire_get16(batch + AT_PRODUCER_EPOCH);
	header->base_sequence = (int32) ks_wire_get32(batch + AT_BASE_SEQUENCE);
	header->record_count = (int32) ks_wire_get32(batch + AT_RECORD_COUNT);

	if (header->magic != MAGIC)
		return KS_BATCH_BAD_MAGIC;
	/* The caller may give more bytes than the batch has, never fewer. */
	if (header->batch_length < KS_BATCH_HEADER_SIZE - KS_BATCH_LENGTH_END ||
		(size_t) header->batch_length > len - KS_BATCH_LENGTH_END)
		return KS_BATCH_TRUNCATED;
	if ((header->attributes & KS_BATCH_ATTR_CODEC) > KS_CODEC_LAST)
		return KS_BATCH_BAD_CODEC;
	/* No sum below may overflow, and a record needs an offset of its own. */
	if (header->base_offset < 0 || header->last_offset_delta < 0 ||
		header->base_offset >= PG_INT64_MAX - header->last_offset_delta ||
		header->record_count < 0 ||
		header->record_count > (int64) header->last_offset_delta + 1)
		return KS_BATCH_BAD_RECORD;
	return KS_BATCH_OK;
}

/* Compare the CRC of a batch whose header has been read. */
static KsBatchStatus
crc_matches(const char *batch, const KsBatchHeader *header)
{
	size_t len = KS_BATCH_LENGTH_END + (size_t) header->batch_length;

	if (batch_crc(batch, len) != header->crc)
		return KS_BATCH_BAD_CRC;
	return KS_BATCH_OK;
}

KsBatchStatus
ks_batch_open(KsBatchReader *reader, const char *batch, size_t len,
			  bool check_crc, size_t max_payload)
{
	KsBatchHeader *header = &reader->header;
	KsBatchStatus status;
	KsCodec codec;
	size_t payload_len;

	/* so that ks_batch_close() is safe whatever follows */
	reader->owned = NULL;
	status = ks_batch_read_header(batch, len, header);
	/* Before anything is decompressed: the library sees only what somebody once wrote. */
	if (status == KS_BATCH_OK && check_crc)
		status = crc_matches(batch, header);
	if (status != KS_BATCH_OK)
		return status;

	reader->cursor = batch + KS_BATCH_HEADER_SIZE;
	payload_len = KS_BATCH_LENGTH_END + (size_t) header->batch_length -
				  KS_BATCH_HEADER_SIZE;
	codec = (KsCodec) (header->attributes & KS_BATCH_ATTR_CODEC);
	/* A batch that compaction emptied may keep its codec, with no payload. */
	if (codec != KS_CODEC_NONE && payload_len > 0)
	{
		reader->owned = ks_decompress(codec, reader->cursor, payload_len,
									  max_payload, &payload_len);
		if (reader->owned == NULL)
			return payload_len > max_payload ? KS_BATCH_TOO_LARGE : KS_BATCH_BAD_PAYLOAD;
		reader->cursor = reader->owned;
	}
	reader->end = reader->cursor + payload_len;
	reader->remaining = header->record_count;
	reader->last_delta = -1;
	/* A caller may allocate by the count, so it must be one that the payload could hold. */
	if ((size_t) header->record_count > payload_len / RECORD_MIN_SIZE)
	{
		ks_batch_close(reader);
		return KS_BATCH_BAD_RECORD;
	}
	return KS_BATCH_OK;
}

/*
 * Get a length and its bytes; NULL where the length is -1, and that only if
 * `nullable`.
 */
static inline bool
get_bytes(const char **cursor, const char *end, bool nullable,
		  const char **bytes, int32 *len)
{
	if (!ks_varint_get32(cursor, end, len))
		return false;
	if (*len < 0)
	{
		*bytes = NULL;
		return nullable && *len == -1;
	}
	if (*len > end - *cursor)
		return false;
	*bytes = *cursor;
	*cursor += *len;
	return true;
}

/* Whether `count` headers fill the bytes from cursor to end. */
static bool
headers_are_sound(const char *cursor, const char *end, int32 count)
{
	const char *name;
	const char *value;
	int32 name_len;
	int32 value_len;

	/* A count beyond the bytes ends at the first header that is not there. */
	for (; count > 0; count--)
	{
		if (!ks_header_next(&cursor, end, &name, &name_len, &value, &value_len))
			return false;
	}
	return count == 0 && cursor == end;
}

KsBatchStatus
ks_batch_next(KsBatchReader *reader, KsRecord *record)
{
	const KsBatchHeader *header = &reader->header;
	const char *p = reader->cursor;
	const char *end = reader->end;
	int64 timestamp_delta;
	int32 offset_delta;
	int32 len;

	if (reader->remaining == 0)
		return p == end ? KS_BATCH_END : KS_BATCH_BAD_RECORD;
	if (!ks_varint_get32(&p, end, &len) || len < 1 || len > end - p)
		return KS_BATCH_BAD_RECORD;
	/* From here on `end` is the record's, which its parts must fill exactly. */
	end = p + len;
	p++; /* attributes: none are defined */
	if (!ks_varint_get64(&p, end, &timestamp_delta) ||
		!ks_varint_get32(&p, end, &offset_delta) ||
		!get_bytes(&p, end, true, &record->key, &record->key_len) ||
		!get_bytes(&p, end, true, &record->value, &record->value_len) ||
		!ks_varint_get32(&p, end, &record->header_count))
		return KS_BATCH_BAD_RECORD;
	/* Gaps are legal (compaction), going back is not. */
	if (offset_delta <= reader->last_delta ||
		offset_delta > header->last_offset_delta)
		return KS_BATCH_BAD_RECORD;
	record->headers = p;
	record->headers_len = (int32) (end - p);
	/* Most records have neither count nor bytes. */
	if ((record->header_count | record->headers_len) != 0 &&
		!headers_are_sound(p, end, record->header_count))
		return KS_BATCH_BAD_RECORD;

	record->offset = header->base_offset + offset_delta;
	if (header->attributes & KS_BATCH_ATTR_APPEND_TIME)
		record->timestamp = header->max_timestamp;
	else
		record->timestamp = (int64) ((uint64) header->base_timestamp +
									 (uint64) timestamp_delta);
	reader->cursor = end;
	reader->last_delta = offset_delta;
	reader->remaining--;
	return KS_BATCH_OK;
}

void
ks_batch_close(KsBatchReader *reader)
{
	if (reader->owned != NULL)
		pfree(reader->owned);
	reader->owned = NULL;
	reader->cursor = NULL;
	reader->end = NULL;
	reader->remaining = 0;
}

/* ---------- headers ---------- */

bool
ks_header_next(const char **cursor, const char *end, const char **name,
			   int32 *name_len, const char **value, int32 *value_len)
{
	const char *p = *cursor;

	if (!get_bytes(&p, end, false, name, name_len) ||
		!get_bytes(&p, end, true, value, value_len))
		return false;
	*cursor = p;
	return true;
}

char *
ks_header_write(char *dst, const char *name, int32 name_len,
				const char *value, int32 value_len)
{
	dst = put_bytes(dst, name, name_len);
	return put_bytes(dst, value, value_len);
}
