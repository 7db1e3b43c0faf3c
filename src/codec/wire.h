/*-------------------------------------------------------------------------
 * wire.h
 *	  The integers of Kafka's wire format: big-endian and varint.
 *
 * Fixed integers are big-endian and not aligned.  Varints are base 128, least
 * significant group first, of the zigzag form of a signed number: 0, -1, 1,
 * -2 become 0, 1, 2, 3.  An int32 takes up to 5 bytes, an int64 up to 10.
 *
 * Putting is unchecked: the caller has room for the maximum.  Getting checks
 * every byte against the end, and refuses what does not fit the type.  An
 * overlong form (0x80 0x00 for 0) is accepted, as Kafka does.
 *
 * Private to the codec room; inline because the writer and the reader spend
 * most of their time here.
 *
 * src/codec/wire.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CODEC_WIRE_H
#define KS_CODEC_WIRE_H

#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

/* Most bytes a varint takes. */
#define KS_VARINT32_MAX 5
#define KS_VARINT64_MAX 10

static inline void
ks_wire_put16(char *dst, uint16 value)
{
	value = pg_hton16(value);
	memcpy(dst, &value, sizeof(value));
}

static inline void
ks_wire_put32(char *dst, uint32 value)
{
	value = pg_hton32(value);
	memcpy(dst, &value, sizeof(value));
}

static inline void
ks_wire_put64(char *dst, uint64 value)
{
	value = pg_hton64(value);
	memcpy(dst, &value, sizeof(value));
}

static inline uint16
ks_wire_get16(const char *src)
{
	uint16 value;

	memcpy(&value, src, sizeof(value));
	return pg_ntoh16(value);
}

static inline uint32
ks_wire_get32(const char *src)
{
	uint32 value;

	memcpy(&value, src, sizeof(value));
	return pg_ntoh32(value);
}

static inline uint64
ks_wire_get64(const char *src)
{
	uint64 value;

	memcpy(&value, src, sizeof(value));
	return pg_ntoh64(value);
}

static inline uint32
ks_zigzag32(int32 value)
{
	return ((uint32) value << 1) ^ (value < 0 ? PG_UINT32_MAX : 0);
}

static inline uint64
ks_zigzag64(int64 value)
{
	return ((uint64) value << 1) ^ (value < 0 ? PG_UINT64_MAX : 0);
}

/*
 * Bytes the varint of an already zigzagged number takes: one per started
 * group of 7 bits.  With b the place of the highest bit, b * 9 / 64 equals
 * b / 7 for every b below 64.
 */
static inline uint32
ks_varint_size(uint64 zigzag)
{
	return (pg_leftmost_one_pos64(zigzag | 1) * 9 + 73) / 64;
}

/* Put the varint of an already zigzagged number; returns the end. */
static inline char *
ks_varint_put(char *dst, uint64 zigzag)
{
	while (zigzag >= 0x80)
	{
		*dst++ = (char) (zigzag | 0x80);
		zigzag >>= 7;
	}
	*dst++ = (char) zigzag;
	return dst;
}

/*
 * Get a varint of at most `bits` (32 or 64) bits into *zigzag, and advance
 * *cursor; false, and nothing moved, when it is cut off or too large.
 */
static inline bool
ks_varint_get(const char **cursor, const char *end, int bits, uint64 *zigzag)
{
	const char *p = *cursor;
	uint64 value = 0;
	int shift;

	for (shift = 0; p < end && shift < bits; shift += 7)
	{
		uint64 byte = (unsigned char) *p++;

		if (bits - shift < 7 && (byte >> (bits - shift)) != 0)
			return false;
		value |= (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			*zigzag = value;
			*cursor = p;
			return true;
		}
	}
	return false;
}

/* Get an int32; the one-byte form, nearly always the case, is fast. */
static inline bool
ks_varint_get32(const char **cursor, const char *end, int32 *value)
{
	uint64 zigzag;

	if (likely(*cursor < end && (unsigned char) **cursor < 0x80))
		zigzag = (unsigned char) *(*cursor)++;
	else if (!ks_varint_get(cursor, end, 32, &zigzag))
		return false;
	*value = (int32) ((uint32) (zigzag >> 1) ^ -(uint32) (zigzag & 1));
	return true;
}

/* Get an int64. */
static inline bool
ks_varint_get64(const char **cursor, const char *end, int64 *value)
{
	uint64 zigzag;

	if (likely(*cursor < end && (unsigned char) **cursor < 0x80))
		zigzag = (unsigned char) *(*cursor)++;
	else if (!ks_varint_get(cursor, end, 64, &zigzag))
		return false;
	*value = (int64) ((zigzag >> 1) ^ -(zigzag & 1));
	return true;
}

#endif /* KS_CODEC_WIRE_H */
