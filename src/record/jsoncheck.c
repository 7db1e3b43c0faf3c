/*-------------------------------------------------------------------------
 * jsoncheck.c
 *	  Whether jsonb's input function will accept a text, without an error.
 *
 * A consumer that reads JSON wants NULL for a record that is none, not an
 * error.  PostgreSQL has three ways to that, none of which will do: catching
 * jsonb_in's error needs a subtransaction for every record (and cannot be
 * done in a parallel worker); soft errors exist only from version 16; and
 * pg_parse_json reports syntax errors as codes, but throws for nesting and
 * for characters that cannot be converted, leaves numbers unread, and has a
 * different interface in nearly every version.  So this is a scanner of our
 * own: the grammar is small and does not change.
 *
 * It accepts exactly what jsonb_in accepts, for a text that is valid in the
 * server encoding:
 *	- RFC 8259, white space and literals included; a scalar may stand alone;
 *	- no U+0000 and no lone surrogate among escapes, and in a database that is
 *	  not UTF-8 no escape for a character that it does not have;
 *	- numbers that numeric can hold: at most 131072 digits before the decimal
 *	  point and 16383 after it, the exponent applied.
 *
 * It does not recurse: which kind of container is open at each depth is a bit
 * in a fixed array.  jsonb_in does recurse, and its limit is the stack, so the
 * depth found is reported and ks_json_is_loadable tries out whether the stack
 * has room for so many levels.
 *
 * kstream.json uses the same scanner before it calls jsonb_in, because the
 * latter quotes the offending text in its error, and a record's content has
 * no business in the server's log.
 *
 * src/record/jsoncheck.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

#include "record/jsoncheck.h"
#include "record/utf8.h"

/* What jsonb adds to a scalar or a container: entry, padding, headers. */
#define JSONB_OVERHEAD 16

/* Greater than what jsonb_in needs of the stack per level of nesting. */
#define STACK_PER_LEVEL 1024

/* Numeric's limits, in decimal digits: see NUMERIC_WEIGHT_MAX and _DSCALE_MAX. */
#define NUMBER_MAX_EXPONENT 131071
#define NUMBER_MAX_SCALE 16383
#define NUMBER_EXPONENT_LIMIT (PG_INT32_MAX / 2)

/* What may come next. */
typedef enum Expect
{
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* after [ */
	EXPECT_KEY,
	EXPECT_KEY_OR_END, /* after { */
	EXPECT_MORE_OR_END /* after a value */
} Expect;

typedef struct Scanner
{
	const char *next;
	const char *end;
	Expect expect;
	int depth;
	uint8 is_object[KS_JSON_MAX_DEPTH / 8]; /* by depth - 1 */
	KsJsonInfo *info;
} Scanner;

static void
skip_space(Scanner *scan)
{
	while (scan->next < scan->end &&
		   (*scan->next == ' ' || *scan->next == '\t' ||
			*scan->next == '\n' || *scan->next == '\r'))
		scan->next++;
}

static bool
in_object(const Scanner *scan)
{
	int level = scan->depth - 1;

	return (scan->is_object[level / 8] >> (level % 8)) & 1;
}

static KsJsonStatus
open_container(Scanner *scan, bool object)
{
	int level = scan->depth;

	if (level >= KS_JSON_MAX_DEPTH)
		return KS_JSON_TOO_DEEP;
	/* One bit per depth says what is open there; the deeper ones are stale. */
	if (object)
		scan->is_object[level / 8] |= 1 << (level % 8);
	else
		scan->is_object[level / 8] &= ~(1 << (level % 8));
	scan->depth++;
	/* Tried out against the stack afterwards, not here (ks_json_is_loadable). */
	scan->info->depth = Max(scan->info->depth, scan->depth);
	scan->info->size_bound += JSONB_OVERHEAD;
	scan->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	scan->next++;
	return KS_JSON_OK;
}

/* Four hexadecimal digits; -1 when there are not so many. */
static int
scan_hex4(Scanner *scan)
{
	int result = 0;
	int i;

	for (i = 0; i < 4; i++, scan->next++)
	{
		unsigned char c = scan->next < scan->end ? *scan->next : 0;

		if (c >= '0' && c <= '9')
			result = result * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			result = result * 16 + (c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			result = result * 16 + (c - 'A') + 10;
		else
			return -1;
	}
	return result;
}

/* Whether jsonb_in will be able to write a code point other than 0. */
static bool
server_has_character(pg_wchar c)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];
	int32 len;

	if (c <= 0x7F || GetDatabaseEncoding() == PG_UTF8)
		return true;
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return false;
	unicode_to_utf8(c, utf8);
	return ks_utf8_to_server((char *) utf8, pg_utf_mblen(utf8), &len) != NULL;
}

/* What follows \u, a second escape included where the first half needs it. */
static KsJsonStatus
scan_unicode_escape(Scanner *scan)
{
	int c = scan_hex4(scan);

	if (c < 0)
		return KS_JSON_SYNTAX;
	/* jsonb cannot hold U+0000. */
	if (c == 0)
		return KS_JSON_BAD_CHARACTER;
	if (is_utf16_surrogate_second(c))
		return KS_JSON_SYNTAX;
	/* The second half must follow at once, as an escape as well. */
	if (is_utf16_surrogate_first(c))
	{
		int second;

		if (scan->end - scan->next < 2 ||
			scan->next[0] != '\\' || scan->next[1] != 'u')
			return KS_JSON_SYNTAX;
		scan->next += 2;
		second = scan_hex4(scan);
		if (second < 0 || !is_utf16_surrogate_second(second))
			return KS_JSON_SYNTAX;
		c = surrogate_pair_to_codepoint(c, second);
	}
	return server_has_character(c) ? KS_JSON_OK : KS_JSON_BAD_CHARACTER;
}

/* A string, from its opening quote on. */
static KsJsonStatus
scan_string(Scanner *scan)
{
	const char *start = scan->next++;
	KsJsonStatus status;

	while (scan->next < scan->end)
	{
		unsigned char c = *scan->next;

		/* Unsigned, so bytes of a multibyte character pass. */
		if (c < ' ')
			return KS_JSON_SYNTAX;
		scan->next++;
		if (c == '"')
		{
			scan->info->size_bound += scan->next - start + JSONB_OVERHEAD;
			return KS_JSON_OK;
		}
		if (c != '\\')
			continue;

		if (scan->next == scan->end)
			return KS_JSON_SYNTAX;
		c = *scan->next++;
		/* A 0 is looked for by itself, as strchr() would find the terminator. */
		if (c == 'u')
		{
			status = scan_unicode_escape(scan);
			if (status != KS_JSON_OK)
				return status;
		}
		else if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
			return KS_JSON_SYNTAX;
	}
	return KS_JSON_SYNTAX;
}

/* Digits; how many, and where the first that is not 0 stands (-1: nowhere). */
static int64
scan_digits(Scanner *scan, int64 *first_nonzero)
{
	const char *start = scan->next;

	*first_nonzero = -1;
	while (scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9')
	{
		if (*scan->next != '0' && *first_nonzero < 0)
			*first_nonzero = scan->next - start;
		scan->next++;
	}
	return scan->next - start;
}

/* An exponent's sign and digits; saturates above NUMBER_EXPONENT_LIMIT. */
static KsJsonStatus
scan_exponent(Scanner *scan, int64 *exponent)
{
	bool negative = false;
	const char *start;

	if (scan->next < scan->end && (*scan->next == '+' || *scan->next == '-'))
		negative = (*scan->next++ == '-');
	start = scan->next;
	while (scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9')
	{
		/* Stops growing above the limit, so that any number of digits is read without overflow. */
		if (*exponent < NUMBER_EXPONENT_LIMIT)
			*exponent = *exponent * 10 + (*scan->next - '0');
		scan->next++;
	}
	if (scan->next == start)
		return KS_JSON_SYNTAX;
	if (*exponent >= NUMBER_EXPONENT_LIMIT)
		return KS_JSON_BAD_NUMBER;
	if (negative)
		*exponent = -*exponent;
	return KS_JSON_OK;
}

/* A number, and whether numeric can hold it. */
static KsJsonStatus
scan_number(Scanner *scan)
{
	const char *start = scan->next;
	int64 whole;
	int64 whole_first;
	int64 fraction = 0;
	int64 fraction_first = -1;
	int64 exponent = 0;
	KsJsonStatus status;

	if (*scan->next == '-')
		scan->next++;
	whole = scan_digits(scan, &whole_first);
	/* No digit, or a leading zero. */
	if (whole == 0 || (whole > 1 && whole_first != 0))
		return KS_JSON_SYNTAX;
	if (scan->next < scan->end && *scan->next == '.')
	{
		scan->next++;
		fraction = scan_digits(scan, &fraction_first);
		if (fraction == 0)
			return KS_JSON_SYNTAX;
	}
	if (scan->next < scan->end && (*scan->next == 'e' || *scan->next == 'E'))
	{
		scan->next++;
		status = scan_exponent(scan, &exponent);
		if (status != KS_JSON_OK)
			return status;
	}

	/* Digits after the decimal point, once the exponent is applied. */
	if (fraction - exponent > NUMBER_MAX_SCALE)
		return KS_JSON_BAD_NUMBER;
	/* The power of ten of the first digit that is not 0, before the point or (below) after it. */
	if (whole_first == 0 && whole - 1 + exponent > NUMBER_MAX_EXPONENT)
		return KS_JSON_BAD_NUMBER;
	if (whole_first < 0 && fraction_first >= 0 &&
		exponent - fraction_first - 1 > NUMBER_MAX_EXPONENT)
		return KS_JSON_BAD_NUMBER;
	scan->info->size_bound += scan->next - start + JSONB_OVERHEAD;
	return KS_JSON_OK;
}

static KsJsonStatus
scan_literal(Scanner *scan, const char *literal)
{
	size_t len = strlen(literal);

	if ((size_t) (scan->end - scan->next) < len ||
		memcmp(scan->next, literal, len) != 0)
		return KS_JSON_SYNTAX;
	scan->next += len;
	scan->info->size_bound += JSONB_OVERHEAD;
	return KS_JSON_OK;
}

/* A scalar, or the opening of a container. */
static KsJsonStatus
scan_value(Scanner *scan)
{
	char c = *scan->next;

	if (c == '{' || c == '[')
		return open_container(scan, c == '{');

	scan->expect = EXPECT_MORE_OR_END;
	switch (c)
	{
		case '"':
			return scan_string(scan);
		case 't':
			return scan_literal(scan, "true");
		case 'f':
			return scan_literal(scan, "false");
		case 'n':
			return scan_literal(scan, "null");
		default:
			if (c == '-' || (c >= '0' && c <= '9'))
				return scan_number(scan);
			return KS_JSON_SYNTAX;
	}
}

/* A member's name and the colon. */
static KsJsonStatus
scan_key(Scanner *scan)
{
	KsJsonStatus status;

	if (*scan->next != '"')
		return KS_JSON_SYNTAX;
	status = scan_string(scan);
	if (status != KS_JSON_OK)
		return status;
	skip_space(scan);
	if (scan->next == scan->end || *scan->next != ':')
		return KS_JSON_SYNTAX;
	scan->next++;
	scan->expect = EXPECT_VALUE;
	return KS_JSON_OK;
}

/* One step: the next token, of which there is at least one character. */
static KsJsonStatus
scan_step(Scanner *scan)
{
	char c = *scan->next;
	bool may_end = (scan->expect == EXPECT_VALUE_OR_END ||
					scan->expect == EXPECT_KEY_OR_END ||
					scan->expect == EXPECT_MORE_OR_END);

	/*
	 * The closing sign of what is open at this depth, where one is allowed: not after a
	 * comma or a colon.
	 */
	if (may_end && scan->depth > 0 && c == (in_object(scan) ? '}' : ']'))
	{
		scan->next++;
		scan->depth--;
		scan->expect = EXPECT_MORE_OR_END;
		return KS_JSON_OK;
	}

	switch (scan->expect)
	{
		case EXPECT_VALUE:
		case EXPECT_VALUE_OR_END:
			return scan_value(scan);
		case EXPECT_KEY:
		case EXPECT_KEY_OR_END:
			return scan_key(scan);
		case EXPECT_MORE_OR_END:
			if (scan->depth == 0 || c != ',')
				return KS_JSON_SYNTAX;
			scan->next++;
			scan->expect = in_object(scan) ? EXPECT_KEY : EXPECT_VALUE;
			return KS_JSON_OK;
	}
	return KS_JSON_SYNTAX; /* not reached */
}

KsJsonStatus
ks_json_check(const char *json, size_t len, KsJsonInfo *info)
{
	Scanner scan;
	KsJsonStatus status = KS_JSON_OK;

	info->error_at = 0;
	info->depth = 0;
	info->size_bound = JSONB_OVERHEAD;

	scan.next = json;
	scan.end = json + len;
	scan.expect = EXPECT_VALUE;
	scan.depth = 0;
	scan.info = info;

	for (;;)
	{
		skip_space(&scan);
		if (scan.next == scan.end)
			break;
		status = scan_step(&scan);
		if (status != KS_JSON_OK)
			break;
	}
	/* The text ended; so must the value have, and every container. */
	if (status == KS_JSON_OK &&
		(scan.expect != EXPECT_MORE_OR_END || scan.depth > 0))
		status = KS_JSON_SYNTAX;
	info->error_at = scan.next - json;
	return status;
}

/*
 * Whether the stack has room for so many levels more: go down and see.  The
 * frames are volatile, else the compiler would make a loop of it.
 */
static bool
stack_allows(int levels)
{
	volatile char frame[STACK_PER_LEVEL];

	frame[0] = stack_is_too_deep() ? 0 : 1;
	if (frame[0] && levels > 0)
		frame[0] = stack_allows(levels - 1);
	return frame[0] != 0;
}

bool
ks_json_is_loadable(const char *json, size_t len)
{
	KsJsonInfo info;

	return ks_json_check(json, len, &info) == KS_JSON_OK &&
		   info.size_bound <= JENTRY_OFFLENMASK &&
		   stack_allows(info.depth);
}
