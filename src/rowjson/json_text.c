/*-------------------------------------------------------------------------
 * json_text.c
 *	  Pieces of JSON text, appended to a StringInfo.
 *
 * What core has for this (escape_json) takes a terminated string and appends
 * character by character; a captured row is mostly text without anything to
 * escape, so here whole runs are copied.
 *
 * src/rowjson/json_text.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "utils/builtins.h"

#include "rowjson/json_text.h"

static inline bool
is_plain(char c)
{
	return (unsigned char) c >= 0x20 && c != '"' && c != '\\';
}

/* The same of eight bytes at once: no byte below 0x20, no quote, no backslash. */
static inline bool
are_plain(const char *text)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	const uint64 tops = UINT64CONST(0x8080808080808080);
	uint64 word;
	uint64 quotes;
	uint64 backslashes;

	memcpy(&word, text, sizeof(word));
	quotes = word ^ (ones * '"');
	backslashes = word ^ (ones * '\\');
	/*
	 * The classic test for a byte below n, by the borrow into its top bit.  It may report
	 * a byte behind a true one, never miss one.
	 */
	return ((((word - ones * 0x20) & ~word) | ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)) & tops) == 0;
}

static void
append_escaped(StringInfo out, char c)
{
	switch (c)
	{
		case '"':
			ks_json_literal(out, "\\\"");
			break;
		case '\\':
			ks_json_literal(out, "\\\\");
			break;
		case '\b':
			ks_json_literal(out, "\\b");
			break;
		case '\f':
			ks_json_literal(out, "\\f");
			break;
		case '\n':
			ks_json_literal(out, "\\n");
			break;
		case '\r':
			ks_json_literal(out, "\\r");
			break;
		case '\t':
			ks_json_literal(out, "\\t");
			break;
		default:
			/* Only control characters come here. */
			appendStringInfo(out, "\\u%04x", (unsigned char) c);
			break;
	}
}

void
ks_json_string(StringInfo out, const char *text, int len)
{
	const char *end = text + len;

	appendStringInfoCharMacro(out, '"');
	while (text < end)
	{
		const char *run = text;

		/* Eight bytes at a time while nothing needs an escape, the rest one by one. */
		while (end - text >= (int) sizeof(uint64) && are_plain(text))
			text += sizeof(uint64);
		while (text < end && is_plain(*text))
			text++;
		ks_json_bytes(out, run, text - run);
		if (text < end)
			append_escaped(out, *text++);
	}
	appendStringInfoCharMacro(out, '"');
}

void
ks_json_base64(StringInfo out, const char *bytes, int len)
{
	int size = (int) (((int64) len + 2) / 3 * 4);

	enlargeStringInfo(out, size + 2);
	out->data[out->len++] = '"';
	out->len += pg_b64_encode((const void *) bytes, len, out->data + out->len, size);
	out->data[out->len++] = '"';
	out->data[out->len] = '\0';
}

void
ks_json_int(StringInfo out, int64 value)
{
	enlargeStringInfo(out, MAXINT8LEN);
	out->len += pg_lltoa(value, out->data + out->len);
}

/* Two's complement, without bytes that only repeat the sign. */
static void
append_bytes(StringInfo out, const unsigned char *bytes, int len)
{
	while (len > 1 &&
		   ((bytes[0] == 0x00 && (bytes[1] & 0x80) == 0) ||
			(bytes[0] == 0xff && (bytes[1] & 0x80) != 0)))
	{
		bytes++;
		len--;
	}
	ks_json_base64(out, (const char *) bytes, len);
}

void
ks_json_unscaled_int(StringInfo out, int64 value)
{
	unsigned char bytes[8];
	int i;

	for (i = 7; i >= 0; i--)
	{
		bytes[i] = (unsigned char) (value & 0xff);
		value >>= 8;
	}
	append_bytes(out, bytes, 8);
}

/* Digits that an int64 always holds. */
#define SHORT_DIGITS 18

/* The digits of a long number as big-endian bytes. */
static void
append_long(StringInfo out, const char *decimal, int len, bool negative)
{
	int limbs = len / 9 + 2;
	uint32 *limb = palloc0(sizeof(uint32) * limbs); /* little-endian */
	unsigned char *bytes = palloc((Size) limbs * 4);
	int used = 1;
	int i;
	int j;

	for (i = 0; i < len;)
	{
		uint32 factor = 1;
		uint64 carry = 0;

		/* nine digits at a time */
		for (; i < len && factor < 1000000000; i++)
		{
			if (decimal[i] == '.')
				continue;
			carry = carry * 10 + (decimal[i] - '0');
			factor *= 10;
		}
		/* number = number * factor + carry */
		for (j = 0; j < used; j++)
		{
			carry += (uint64) limb[j] * factor;
			limb[j] = (uint32) carry;
			carry >>= 32;
		}
		if (carry != 0)
			limb[used++] = (uint32) carry;
	}
	if (negative)
	{
		/* Two's complement: invert and add one. */
		uint64 carry = 1;

		for (j = 0; j < limbs; j++)
		{
			carry += (uint32) ~limb[j];
			limb[j] = (uint32) carry;
			carry >>= 32;
		}
	}
	for (j = 0; j < limbs; j++)
	{
		unsigned char *at = bytes + (Size) (limbs - 1 - j) * 4;

		at[0] = limb[j] >> 24;
		at[1] = limb[j] >> 16;
		at[2] = limb[j] >> 8;
		at[3] = limb[j];
	}
	append_bytes(out, bytes, limbs * 4);
	pfree(bytes);
	pfree(limb);
}

void
ks_json_unscaled(StringInfo out, const char *decimal, int len)
{
	bool negative = len > 0 && decimal[0] == '-';
	int64 value = 0;
	int i;

	if (negative)
	{
		decimal++;
		len--;
	}
	/* Would not fit into an int64. */
	if (len > SHORT_DIGITS)
	{
		append_long(out, decimal, len, negative);
		return;
	}
	for (i = 0; i < len; i++)
	{
		if (decimal[i] != '.')
			value = value * 10 + (decimal[i] - '0');
	}
	ks_json_unscaled_int(out, negative ? -value : value);
}
