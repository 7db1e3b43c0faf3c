/*-------------------------------------------------------------------------
 * batch.h
 *	  Kafka's RecordBatch, magic 2: writer and reader.
 *
 * src/codec/batch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CODEC_BATCH_H
#define KS_CODEC_BATCH_H

#include "codec/compress.h"

/* Size of the fixed part of a batch, from base offset to record count. */
#define KS_BATCH_HEADER_SIZE 61

/* Bits of a batch's attributes; the codec is in the lowest three. */
#define KS_BATCH_ATTR_CODEC 0x07
#define KS_BATCH_ATTR_APPEND_TIME 0x08
#define KS_BATCH_ATTR_TRANSACTIONAL 0x10
#define KS_BATCH_ATTR_CONTROL 0x20
#define KS_BATCH_ATTR_DELETE_HORIZON 0x40

/* Why a batch or a record could not be read. */
typedef enum KsBatchStatus
{
	KS_BATCH_OK = 0,
	KS_BATCH_END,         /* no more records */
	KS_BATCH_TRUNCATED,   /* shorter than its header says */
	KS_BATCH_BAD_MAGIC,   /* not magic 2 */
	KS_BATCH_BAD_CRC,     /* checksum does not match */
	KS_BATCH_BAD_CODEC,   /* codec number we do not know */
	KS_BATCH_BAD_PAYLOAD, /* cannot be decompressed */
	KS_BATCH_TOO_LARGE,   /* decompressed it would have more bytes than the reader takes */
	KS_BATCH_BAD_RECORD   /* a record contradicts itself or its batch */
} KsBatchStatus;

/* A short English phrase for a status, for error details. */
extern const char *ks_batch_status_text(KsBatchStatus status);

/*
 * One record.  Pointers point into memory owned by somebody else (the caller
 * when writing, the reader when reading).
 */
typedef struct KsRecord
{
	int64 offset;    /* set by the reader only */
	int64 timestamp; /* ms since 1970-01-01 UTC */
	const char *key;
	int32 key_len; /* -1: NULL */
	const char *value;
	int32 value_len;     /* -1: NULL */
	const char *headers; /* wire form of the headers, without their count */
	int32 headers_len;
	int32 header_count;
} KsRecord;

/*
 * A batch being written, uncompressed.  The image starts with a varlena
 * length word, so that a finished batch is a bytea as it stands:
 * image = VARHDRSZ + KS_BATCH_HEADER_SIZE + records.
 */
typedef struct KsBatchWriter
{
	MemoryContext context; /* where the image lives */
	char *image;           /* NULL until the first record */
	uint32 len;            /* bytes used of image, length word and header
							* included, also before the first record */
	uint32 capacity;       /* bytes allocated */
	int32 count;           /* records */
	int64 base_timestamp;  /* of the first record, or the delete horizon */
	int64 max_timestamp;
	int32 last_delta; /* of the batch, where it is not count - 1 */
	bool has_horizon; /* base_timestamp was set before the first record */
} KsBatchWriter;

/* Where a batch stood, to take back what was appended after. */
typedef struct KsBatchMark
{
	uint32 len;
	int32 count;
	int64 max_timestamp;
} KsBatchMark;

/* An empty batch; allocates nothing. */
extern void ks_batch_init(KsBatchWriter *writer, MemoryContext context);

/*
 * Upper bound of what ks_batch_append adds for this record; as int64, so that
 * the caller can compare it with limits before anything is allocated.
 */
extern int64 ks_record_max_size(const KsRecord *record);

/*
 * Append a record (its offset is ignored: the delta is its place in the
 * batch).  The caller has checked that writer->len + ks_record_max_size()
 * stays within MaxAllocSize.  Copies what the record points to.  May throw out
 * of memory, then nothing was appended.
 */
extern void ks_batch_append(KsBatchWriter *writer, const KsRecord *record);

/*
 * The same with an offset delta of its own, above that of the record before;
 * a batch with such a record is not to be rewound.
 */
extern void ks_batch_append_at(KsBatchWriter *writer, const KsRecord *record, int32 offset_delta);

/*
 * Before the first record: tombstones of the batch may be removed from this
 * time on (ms).  Kafka keeps it in place of the base timestamp.
 */
extern void ks_batch_set_delete_horizon(KsBatchWriter *writer, int64 horizon);

/*
 * Before finishing: the batch ends at an offset above its last record's, whose
 * record was removed.  A batch without any record then still holds a place.
 */
extern void ks_batch_stretch(KsBatchWriter *writer, int32 last_offset_delta);

/* A mark is good until the batch is rewound to an earlier one or finished. */
extern KsBatchMark ks_batch_mark(const KsBatchWriter *writer);
extern void ks_batch_rewind(KsBatchWriter *writer, KsBatchMark mark);

/*
 * Make the finished batch: header, compression, CRC; base offset and leader
 * epoch 0, no producer id.  Compresses only where that makes it smaller
 * (codec NONE otherwise: legal per batch in Kafka's format).  Returns a bytea:
 * either writer->image itself, finished in place, or a new one in
 * CurrentMemoryContext, and then writer->image is the caller's to free.  None
 * must be appended afterwards.
 */
extern struct varlena *ks_batch_finish(KsBatchWriter *writer, KsCodec codec);

/*
 * Fields outside the CRC, patched at reservation.  `batch` is the first byte
 * of the batch proper (after the varlena header).
 */
extern void ks_batch_set_base_offset(char *batch, int64 base_offset);
extern void ks_batch_set_leader_epoch(char *batch, int32 leader_epoch);

/*
 * LogAppendTime: set attribute bit and max timestamp, and the CRC anew.
 * `batch` is one of ours, `len` its length.
 */
extern void ks_batch_set_append_time(char *batch, size_t len, int64 timestamp);

/* A batch's header, decoded. */
typedef struct KsBatchHeader
{
	int64 base_offset;
	int32 batch_length; /* bytes after this field */
	int32 leader_epoch;
	int8 magic;
	uint32 crc;
	int16 attributes;
	int32 last_offset_delta;
	int64 base_timestamp;
	int64 max_timestamp;
	int64 producer_id;
	int16 producer_epoch;
	int32 base_sequence;
	int32 record_count;
} KsBatchHeader;

/*
 * Decode and sanity-check the header only; no CRC.  `len` may be more than the
 * batch: it ends KS_BATCH_LENGTH_END + header->batch_length bytes from its
 * beginning, and what follows is not looked at, here and in the functions
 * below.  KS_BATCH_OK means that the batch is wholly there, its codec known,
 * and that its offsets are possible: base_offset >= 0 (none is the last int64),
 * 0 <= record_count <= last_offset_delta + 1.
 */
#define KS_BATCH_LENGTH_END 12
extern KsBatchStatus ks_batch_read_header(const char *batch, size_t len, KsBatchHeader *header);

typedef struct KsBatchReader
{
	KsBatchHeader header;
	const char *cursor; /* next record */
	const char *end;
	int32 remaining;  /* records not read */
	int32 last_delta; /* offset delta of the last record read, or -1 */
	char *owned;      /* decompressed payload, or NULL */
} KsBatchReader;

/*
 * Open a batch for reading.  check_crc: verify the CRC first.  A compressed
 * payload is decompressed into CurrentMemoryContext, at most max_payload
 * bytes (a bomb gives KS_BATCH_TOO_LARGE).  Reads also what others wrote:
 * compacted batches (fewer records than last_offset_delta + 1, or none),
 * LogAppendTime, Java's framed snappy and the bare block.  Unless the answer
 * is KS_BATCH_OK there is nothing to close.
 */
extern KsBatchStatus ks_batch_open(KsBatchReader *reader, const char *batch, size_t len,
								   bool check_crc, size_t max_payload);

/*
 * Next record, KS_BATCH_END after the last; never reads past the end.  A
 * record that is returned is sound as a whole: its offset above the last one's
 * and within the batch, its headers well-formed.  With LogAppendTime its
 * timestamp is the batch's max_timestamp.  After an error the reader stays
 * where it is.
 */
extern KsBatchStatus ks_batch_next(KsBatchReader *reader, KsRecord *record);

/* Free the decompressed payload; records read from it are gone. */
extern void ks_batch_close(KsBatchReader *reader);

/*
 * Headers in wire form: an iterator for reading (cursor moves over
 * record->headers, header_count times) and a bound and an appender for
 * writing.  value_len -1 is NULL.  The iterator returns false on malformed
 * bytes.
 */
extern bool ks_header_next(const char **cursor, const char *end, const char **name, int32 *name_len,
						   const char **value, int32 *value_len);
extern char *ks_header_write(char *dst, const char *name, int32 name_len,
							 const char *value, int32 value_len); /* returns the end */
#define KS_HEADER_MAX_SIZE(name_len, value_len) \
	((int64) (name_len) + ((value_len) > 0 ? (value_len) : 0) + 10)

#endif /* KS_CODEC_BATCH_H */
