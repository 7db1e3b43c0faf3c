/*-------------------------------------------------------------------------
 * compress.c
 *	  Kafka's five codecs, by their libraries.
 *
 * What each codec's bytes are, as Kafka's Java client writes and reads them:
 *
 * gzip		One gzip member (RFC 1952).  Several in a row are read too.
 * snappy	The stream of the xerial snappy-java library: 16 bytes (0x82,
 *			"SNAPPY", 0, version, lowest compatible version), then chunks, each
 *			a big-endian length and a snappy block of up to 32 KiB of plain
 *			text.  A reader meets also streams put one after the other, so a
 *			header may stand where a chunk is due, and, from clients in other
 *			languages, a single bare block.  No bare block can be mistaken for
 *			a header: it would begin with a copy from before its start.
 * lz4		The LZ4 frame format, magic 0x184D2204.  Java refuses frames whose
 *			blocks depend on one another; ours do not.
 * zstd		Zstandard frames.
 *
 * Sizes that the bytes declare are hints.  The three streaming codecs
 * (gzip, lz4, zstd) write into a sink which grows as output comes, up to one
 * byte more than the caller allows: that byte tells "exactly the maximum" from
 * "too much".  Snappy's blocks begin with their plain length and want all of
 * their room at once; there the length is believed if so many bytes of
 * snappy can reach at all.
 *
 * Memory: output is palloc'ed, the libraries' states are malloc'ed.  So that
 * an error does not leak a state, the sink never throws; running out of memory
 * is noted, and thrown when the state is gone.
 *
 * src/codec/compress.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "utils/memutils.h"

#include "codec/compress.h"
#include "codec/wire.h"

/* zlib: a window of 32 KiB, with the gzip wrapper. */
#define GZIP_WINDOW_BITS (MAX_WBITS + 16)

/* What the gzip wrapper adds to zlib's own bound. */
#define GZIP_EXTRA 18

/* Level 3 is Kafka's and the library's default. */
#define ZSTD_LEVEL 3

/* Plain bytes in one chunk of the xerial stream. */
#define XERIAL_BLOCK_SIZE (32 * 1024)
#define XERIAL_HEADER_SIZE 16
#define XERIAL_MAGIC_SIZE 8
#define XERIAL_VERSION 1

/*
 * A snappy element of 3 bytes copies at most 64, one of 2 bytes at most 11:
 * no block is longer than 22 times its bytes when decompressed.
 */
#define SNAPPY_MAX_RATIO 22

/*
 * More than snappy allocates to compress a block (its hash table, the block, the
 * compressed block) and than malloc asks of the system for that.
 */
#define SNAPPY_WORKING_MEMORY (256 * 1024)

/* First guess of a sink's size, and how far a declared size is followed. */
#define SINK_MIN_SIZE 1024
#define SINK_GUESS_RATIO 4
#define SINK_HINT_RATIO 64

/* Output that grows. */
typedef struct Sink
{
	char *data;
	size_t len;
	size_t capacity;
	size_t limit; /* capacity is never more */
	bool out_of_memory;
} Sink;

static const char xerial_magic[XERIAL_MAGIC_SIZE] = {
	(char) 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static const char *const codec_names[] = {
	[KS_CODEC_NONE] = "none",
	[KS_CODEC_GZIP] = "gzip",
	[KS_CODEC_SNAPPY] = "snappy",
	[KS_CODEC_LZ4] = "lz4",
	[KS_CODEC_ZSTD] = "zstd"};

const char *
ks_codec_name(KsCodec codec)
{
	if ((int) codec < 0 || codec > KS_CODEC_LAST)
		return NULL;
	return codec_names[codec];
}

bool
ks_codec_by_name(const char *name, KsCodec *codec)
{
	int i;

	for (i = 0; i <= KS_CODEC_LAST; i++)
	{
		if (pg_strcasecmp(name, codec_names[i]) == 0)
		{
			*codec = (KsCodec) i;
			return true;
		}
	}
	return false;
}

/* Independent blocks of 64 KiB, no checksums: as Kafka's Java client. */
static void
lz4_preferences(LZ4F_preferences_t *prefs)
{
	memset(prefs, 0, sizeof(*prefs));
	prefs->frameInfo.blockSizeID = LZ4F_max64KB;
	prefs->frameInfo.blockMode = LZ4F_blockIndependent;
	prefs->frameInfo.contentChecksumFlag = LZ4F_noContentChecksum;
}

size_t
ks_compress_bound(KsCodec codec, size_t src_len)
{
	LZ4F_preferences_t prefs;
	size_t blocks;

	switch (codec)
	{
		case KS_CODEC_NONE:
			return src_len;
		case KS_CODEC_GZIP:
			return compressBound(src_len) + GZIP_EXTRA;
		case KS_CODEC_SNAPPY:
			blocks = (src_len + XERIAL_BLOCK_SIZE - 1) / XERIAL_BLOCK_SIZE;
			return XERIAL_HEADER_SIZE +
				   blocks * (sizeof(uint32) +
							 snappy_max_compressed_length(XERIAL_BLOCK_SIZE));
		case KS_CODEC_LZ4:
			lz4_preferences(&prefs);
			return LZ4F_compressFrameBound(src_len, &prefs);
		case KS_CODEC_ZSTD:
			return ZSTD_compressBound(src_len);
	}
	return 0;
}

static size_t
gzip_compress(const char *src, size_t src_len, char *dst, size_t dst_size)
{
	z_stream zs;
	int rc;

	if (src_len > PG_UINT32_MAX)
		return 0;
	memset(&zs, 0, sizeof(zs));
	if (deflateInit2(&zs, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
					 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	zs.next_in = (Bytef *) unconstify(char *, src);
	zs.avail_in = (uInt) src_len;
	zs.next_out = (Bytef *) dst;
	/* zlib counts in 32 bits */
	zs.avail_out = (uInt) Min(dst_size, PG_UINT32_MAX);
	rc = deflate(&zs, Z_FINISH);
	deflateEnd(&zs);
	return rc == Z_STREAM_END ? (size_t) ((char *) zs.next_out - dst) : 0;
}

/*
 * Snappy is C++, and where it finds no memory it throws what nobody here can
 * catch: the process would abort, and the server restart.  So see first that
 * there is some.
 */
static bool
snappy_finds_memory(void)
{
	void *volatile probe = malloc(SNAPPY_WORKING_MEMORY);

	free(probe);
	return probe != NULL;
}

static size_t
snappy_stream_compress(const char *src, size_t src_len, char *dst,
					   size_t dst_size)
{
	char *p = dst;
	char *dst_end = dst + dst_size;
	size_t done;

	if (dst_size < XERIAL_HEADER_SIZE || !snappy_finds_memory())
		return 0;
	memcpy(p, xerial_magic, XERIAL_MAGIC_SIZE);
	ks_wire_put32(p + XERIAL_MAGIC_SIZE, XERIAL_VERSION);
	/* The version, and the oldest one that can read it. */
	ks_wire_put32(p + XERIAL_MAGIC_SIZE + 4, XERIAL_VERSION);
	p += XERIAL_HEADER_SIZE;

	for (done = 0; done < src_len; done += XERIAL_BLOCK_SIZE)
	{
		size_t block = Min(src_len - done, XERIAL_BLOCK_SIZE);
		size_t out_len;

		if (dst_end - p < (ptrdiff_t) sizeof(uint32))
			return 0;
		out_len = dst_end - p - sizeof(uint32);
		/* Each block by itself, its length before it. */
		if (snappy_compress(src + done, block, p + sizeof(uint32),
							&out_len) != SNAPPY_OK)
			return 0;
		ks_wire_put32(p, (uint32) out_len);
		p += sizeof(uint32) + out_len;
	}
	return p - dst;
}

static size_t
lz4_compress(const char *src, size_t src_len, char *dst, size_t dst_size)
{
	LZ4F_preferences_t prefs;
	size_t rc;

	lz4_preferences(&prefs);
	rc = LZ4F_compressFrame(dst, dst_size, src, src_len, &prefs);
	return LZ4F_isError(rc) ? 0 : rc;
}

size_t
ks_compress(KsCodec codec, const char *src, size_t src_len, char *dst,
			size_t dst_size)
{
	size_t rc;

	switch (codec)
	{
		case KS_CODEC_NONE:
			if (src_len > dst_size)
				return 0;
			memcpy(dst, src, src_len);
			return src_len;
		case KS_CODEC_GZIP:
			return gzip_compress(src, src_len, dst, dst_size);
		case KS_CODEC_SNAPPY:
			return snappy_stream_compress(src, src_len, dst, dst_size);
		case KS_CODEC_LZ4:
			return lz4_compress(src, src_len, dst, dst_size);
		case KS_CODEC_ZSTD:
			rc = ZSTD_compress(dst, dst_size, src, src_len, ZSTD_LEVEL);
			return ZSTD_isError(rc) ? 0 : rc;
	}
	return 0;
}

/* Give the sink room for `size` bytes, or what the limit leaves of them. */
static bool
sink_resize(Sink *sink, size_t size)
{
	char *data;

	size = Min(size, sink->limit);
	if (size <= sink->capacity)
		return false;
	/* NO_OOM: an error here would leak the library's state. */
	data = palloc_extended(size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (data == NULL)
	{
		sink->out_of_memory = true;
		return false;
	}
	if (sink->data != NULL)
	{
		memcpy(data, sink->data, sink->len);
		pfree(sink->data);
	}
	sink->data = data;
	sink->capacity = size;
	return true;
}

/*
 * Start a sink for up to max_len bytes out of src_len.  hint: the size that
 * the bytes declare, or 0.
 */
static bool
sink_start(Sink *sink, size_t src_len, size_t hint, size_t max_len)
{
	size_t size = Max(src_len * SINK_GUESS_RATIO, SINK_MIN_SIZE);

	memset(sink, 0, sizeof(*sink));
	sink->limit = max_len + 1;
	if (hint > 0)
		size = Min(hint, Max(src_len * SINK_HINT_RATIO, SINK_MIN_SIZE));
	return sink_resize(sink, size);
}

/* At least one byte of room; false when the output is too long already. */
static inline bool
sink_make_room(Sink *sink)
{
	return sink->len < sink->capacity ||
		   sink_resize(sink, sink->capacity * 2);
}

static bool
gzip_decompress(Sink *sink, const char *src, size_t src_len)
{
	z_stream zs;
	bool ok = false;

	if (src_len > PG_UINT32_MAX)
		return false;
	memset(&zs, 0, sizeof(zs));
	if (inflateInit2(&zs, GZIP_WINDOW_BITS) != Z_OK)
	{
		sink->out_of_memory = true;
		return false;
	}
	zs.next_in = (Bytef *) unconstify(char *, src);
	zs.avail_in = (uInt) src_len;
	while (sink_make_room(sink))
	{
		int rc;

		zs.next_out = (Bytef *) sink->data + sink->len;
		zs.avail_out = (uInt) Min(sink->capacity - sink->len, PG_UINT32_MAX);
		rc = inflate(&zs, Z_NO_FLUSH);
		sink->len = (char *) zs.next_out - sink->data;
		/* The end of a member: done, if it was the last one; else the next one begins. */
		if (rc == Z_STREAM_END)
		{
			ok = (zs.avail_in == 0);
			if (ok || inflateReset(&zs) != Z_OK)
				break;
		}
		else if (rc != Z_OK)
		{
			sink->out_of_memory = (rc == Z_MEM_ERROR);
			break; /* malformed, or cut off: Z_BUF_ERROR */
		}
	}
	inflateEnd(&zs);
	return ok;
}

static bool
lz4_decompress(Sink *sink, const char *src, size_t src_len)
{
	LZ4F_dctx *dctx;
	bool ok = false;
	size_t used = 0;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION)))
	{
		sink->out_of_memory = true;
		return false;
	}
	while (sink_make_room(sink))
	{
		size_t in_len = src_len - used;
		size_t out_len = sink->capacity - sink->len;
		size_t rc;

		/* in_len and out_len say what may be used, and afterwards what was. */
		rc = LZ4F_decompress(dctx, sink->data + sink->len, &out_len,
							 src + used, &in_len, NULL);
		if (LZ4F_isError(rc))
		{
			/* The numbers of its errors are not public, their names are. */
			sink->out_of_memory = strcmp(LZ4F_getErrorName(rc), "ERROR_allocation_failed") == 0;
			break;
		}
		used += in_len;
		sink->len += out_len;
		if (rc == 0 && used == src_len)
		{
			ok = true;
			break;
		}
		if (in_len == 0 && out_len == 0)
			break; /* cut off */
	}
	LZ4F_freeDecompressionContext(dctx);
	return ok;
}

static bool
zstd_decompress(Sink *sink, const char *src, size_t src_len)
{
	ZSTD_DCtx *dctx = ZSTD_createDCtx();
	ZSTD_inBuffer in = {src, src_len, 0};
	bool ok = false;

	if (dctx == NULL)
	{
		sink->out_of_memory = true;
		return false;
	}
	while (sink_make_room(sink))
	{
		ZSTD_outBuffer out = {sink->data, sink->capacity, sink->len};
		size_t rc;

		rc = ZSTD_decompressStream(dctx, &out, &in);
		if (ZSTD_isError(rc))
		{
			sink->out_of_memory = ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation;
			break;
		}
		sink->len = out.pos;
		/* All input is taken, and nothing waits for room in the output. */
		if (in.pos == in.size && (rc == 0 || out.pos < out.size))
		{
			ok = (rc == 0); /* otherwise cut off */
			break;
		}
	}
	ZSTD_freeDCtx(dctx);
	return ok;
}

/* The size a zstd frame declares, 0 when it does not. */
static size_t
zstd_hint(const char *src, size_t src_len)
{
	unsigned long long size = ZSTD_getFrameContentSize(src, src_len);

	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
		return 0;
	return (size_t) size;
}

/*
 * The next block of a snappy payload: of the xerial stream, or the payload
 * itself when `framed` is false.  Moves *cursor past it.  False when there is
 * none, or none that makes sense; at the end of a sound payload
 * *cursor == end, else not.
 */
static bool
snappy_next_block(const char **cursor, const char *end, bool framed,
				  const char **block, size_t *block_len)
{
	const char *p = *cursor;
	uint32 len;

	if (!framed)
	{
		*block = p;
		*block_len = end - p;
		*cursor = end;
		return p < end;
	}
	/* A header may stand wherever a chunk is due, as streams are put one after the other. */
	while (end - p >= XERIAL_HEADER_SIZE &&
		   memcmp(p, xerial_magic, XERIAL_MAGIC_SIZE) == 0)
	{
		if ((int32) ks_wire_get32(p + XERIAL_MAGIC_SIZE) < XERIAL_VERSION)
			return false;
		p += XERIAL_HEADER_SIZE;
		*cursor = p;
	}
	if (end - p < (ptrdiff_t) sizeof(uint32))
		return false;
	len = ks_wire_get32(p);
	p += sizeof(uint32);
	if (len > end - p)
		return false;
	*block = p;
	*block_len = len;
	*cursor = p + len;
	return true;
}

/* Twice over the blocks: for the size, then for the text. */
static bool
snappy_decompress(Sink *sink, const char *src, size_t src_len, size_t max_len)
{
	const char *end = src + src_len;
	const char *cursor = src;
	const char *block;
	size_t block_len;
	size_t plain_len;
	size_t total = 0;
	bool framed = src_len >= XERIAL_HEADER_SIZE &&
				  memcmp(src, xerial_magic, XERIAL_MAGIC_SIZE) == 0;

	while (snappy_next_block(&cursor, end, framed, &block, &block_len))
	{
		/*
		 * The declared length is believed only if so few bytes of snappy can reach it
		 * (SNAPPY_MAX_RATIO).
		 */
		if (snappy_uncompressed_length(block, block_len,
									   &plain_len) != SNAPPY_OK ||
			plain_len / SNAPPY_MAX_RATIO > block_len)
			return false;
		if (plain_len > max_len - total)
		{
			sink->len = max_len + 1;
			return false;
		}
		total += plain_len;
	}
	/* All of the room at once; one byte more, as for the other codecs. */
	if (cursor != end || !sink_start(sink, src_len, total + 1, max_len))
		return false;
	cursor = src;
	while (snappy_next_block(&cursor, end, framed, &block, &block_len))
	{
		plain_len = sink->capacity - sink->len;
		if (snappy_uncompress(block, block_len, sink->data + sink->len,
							  &plain_len) != SNAPPY_OK)
			return false;
		sink->len += plain_len;
	}
	return true;
}

/* Codec NONE: a copy. */
static bool
plain_copy(Sink *sink, const char *src, size_t src_len, size_t max_len)
{
	if (src_len > max_len)
	{
		sink->len = max_len + 1;
		return false;
	}
	if (!sink_start(sink, src_len, src_len + 1, max_len))
		return false;
	memcpy(sink->data, src, src_len);
	sink->len = src_len;
	return true;
}

char *
ks_decompress(KsCodec codec, const char *src, size_t src_len, size_t max_len,
			  size_t *dst_len)
{
	Sink sink = {0};
	bool ok = false;

	*dst_len = 0;
	if (src_len > MaxAllocHugeSize / SINK_HINT_RATIO ||
		(src_len == 0 && codec != KS_CODEC_NONE))
		return NULL;
	/* The byte that tells "too much" must be allocatable as well. */
	max_len = Min(max_len, MaxAllocHugeSize - 1);
	switch (codec)
	{
		case KS_CODEC_NONE:
			ok = plain_copy(&sink, src, src_len, max_len);
			break;
		case KS_CODEC_GZIP:
			ok = sink_start(&sink, src_len, 0, max_len) &&
				 gzip_decompress(&sink, src, src_len);
			break;
		case KS_CODEC_SNAPPY:
			ok = snappy_decompress(&sink, src, src_len, max_len);
			break;
		case KS_CODEC_LZ4:
			ok = sink_start(&sink, src_len, 0, max_len) &&
				 lz4_decompress(&sink, src, src_len);
			break;
		case KS_CODEC_ZSTD:
			ok = sink_start(&sink, src_len, zstd_hint(src, src_len),
							max_len) &&
				 zstd_decompress(&sink, src, src_len);
			break;
	}
	if (ok && sink.len <= max_len)
	{
		*dst_len = sink.len;
		return sink.data;
	}
	*dst_len = sink.len > max_len ? sink.len : 0;
	if (sink.data != NULL)
		pfree(sink.data);
	/* Thrown only now, when no state of a library is left. */
	if (sink.out_of_memory)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while decompressing a batch with codec %s.",
						   ks_codec_name(codec))));
	return NULL;
}
