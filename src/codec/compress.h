/*-------------------------------------------------------------------------
 * compress.h
 *	  Kafka's five codecs, by their libraries.
 *
 * src/codec/compress.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CODEC_COMPRESS_H
#define KS_CODEC_COMPRESS_H

/* Numbers as in bits 0-2 of a batch's attributes. */
typedef enum KsCodec
{
	KS_CODEC_NONE = 0,
	KS_CODEC_GZIP = 1,
	KS_CODEC_SNAPPY = 2,
	KS_CODEC_LZ4 = 3,
	KS_CODEC_ZSTD = 4
} KsCodec;

#define KS_CODEC_LAST KS_CODEC_ZSTD

/* The codec's name as in compression.type; NULL for what is no KsCodec. */
extern const char *ks_codec_name(KsCodec codec);

/* Inverse of ks_codec_name, case-insensitive; false when there is none. */
extern bool ks_codec_by_name(const char *name, KsCodec *codec);

/*
 * Greatest size ks_compress can need for src_len bytes.
 */
extern size_t ks_compress_bound(KsCodec codec, size_t src_len);

/*
 * Compress into dst, which has room for dst_size bytes.  Returns the bytes
 * written, or 0 when they do not fit (never an error: the caller keeps the
 * plain form).  With less room than ks_compress_bound says, some libraries
 * give up although the result would have fitted.
 */
extern size_t ks_compress(KsCodec codec, const char *src, size_t src_len, char *dst, size_t dst_size);

/*
 * Decompress into a new chunk in CurrentMemoryContext.  NULL when the bytes
 * are malformed (*dst_len is 0) or the result exceeds max_len (*dst_len does too);
 * a result of 0 bytes is a chunk nevertheless.  Throws only out of memory, after
 * the libraries' own memory was given back.
 */
extern char *ks_decompress(KsCodec codec, const char *src, size_t src_len, size_t max_len, size_t *dst_len);

#endif /* KS_CODEC_COMPRESS_H */
