/*-------------------------------------------------------------------------
 * option_text.c
 *	  The texts of options: intervals, sizes, counts, ratios and words.
 *
 * Locks: none.  Abort and crash: nothing is kept here.
 *
 * src/base/option_text.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/datetime.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/option_text.h"
#include "base/options.h"

#define MS_PER_DAY INT64CONST(86400000)
#define INTERVAL_MAX_MS (PG_INT64_MAX / 1000) /* an interval's time is in microseconds */

/* PostgreSQL's interval syntax with a unit, into ms; false when it is not that. */
static bool
parse_interval(const char *text, int64 *ms)
{
	char workbuf[MAXDATELEN + 256];
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	int nf;
	int dtype;
	struct pg_itm_in itm;
	double days;
	double result;

	if (strlen(text) > MAXDATELEN)
		return false;
	if (ParseDateTime(text, workbuf, sizeof(workbuf), field, ftype, MAXDATEFIELDS, &nf) != 0)
		return false;
	/* A number without a unit would mean seconds to PostgreSQL, ms to Kafka. */
	if (nf < 1 || ftype[nf - 1] == DTK_NUMBER)
		return false;
	/* As interval_in(): first PostgreSQL's forms, then ISO 8601. */
	memset(&itm, 0, sizeof(itm));
	if ((DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype, &itm) != 0 &&
		 DecodeISO8601Interval(unconstify(char *, text), &dtype, &itm) != 0) ||
		dtype != DTK_DELTA)
		return false;
	days = itm.tm_year * (double) DAYS_PER_YEAR + itm.tm_mon * (double) DAYS_PER_MONTH + itm.tm_mday;
	/* Months of 30 days and years of 365.25, as extract(epoch) has them. */
	result = days * MS_PER_DAY + (double) itm.tm_usec / 1000.0;
	if (result < 0 || result >= 9e18)
		return false;
	*ms = (int64) result;
	return true;
}

bool
ks_option_parse_integer(const char *text, int64 *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

static bool
parse_size(const char *text, int64 *value)
{
	double bytes;
	const char *hint;

	if (ks_option_parse_integer(text, value))
		return true;
	/* The units of PostgreSQL's settings: kB, MB, GB, TB. */
	if (!parse_real(text, &bytes, GUC_UNIT_BYTE, &hint) || isnan(bytes) ||
		bytes >= 9e18 || bytes <= -9e18)
		return false;
	*value = (int64) bytes;
	return (double) *value == bytes;
}

static bool
parse_ratio(const char *text, int64 *value)
{
	char *end;
	double ratio;

	errno = 0;
	ratio = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || isnan(ratio) || ratio < 0 || ratio > 1)
		return false;
	*value = (int64) (ratio * 1000000 + 0.5);
	return true;
}

static bool
parse_word(const KsOption *option, const char *text, int64 *value)
{
	const KsOptionWord *word;

	if (option->by_name != NULL && option->by_name(text, value))
		return true;
	for (word = option->words; word != NULL && word->word != NULL; word++)
	{
		if (pg_strcasecmp(word->word, text) == 0)
		{
			*value = word->value;
			return true;
		}
	}
	return false;
}

bool
ks_option_text_value(const KsOption *option, const char *text, int64 *value)
{
	switch (option->kind)
	{
		case KS_OPTION_INTERVAL:
			if (option->min == KS_UNLIMITED && pg_strcasecmp(text, "infinite") == 0)
			{
				*value = KS_UNLIMITED;
				return true;
			}
			return parse_interval(text, value);
		case KS_OPTION_SIZE:
			if (!parse_size(text, value))
				return false;
			if (*value < 0 && option->min == KS_UNLIMITED)
				*value = KS_UNLIMITED; /* any negative number, as in Kafka */
			return true;
		case KS_OPTION_COUNT:
			return ks_option_parse_integer(text, value);
		case KS_OPTION_RATIO:
			return parse_ratio(text, value);
		case KS_OPTION_WORD:
			return parse_word(option, text, value);
		case KS_OPTION_BOOL:
		case KS_OPTION_INTEGER:
		case KS_OPTION_STRING:
		case KS_OPTION_NAMES:
			break;
	}
	return false;
}

int64
ks_option_max(const KsOption *option)
{
	return option->max_setting != NULL ? *option->max_setting : option->max;
}

bool
ks_option_in_range(const KsOption *option, int64 value)
{
	if (option->kind == KS_OPTION_WORD)
		return true;
	return value >= option->min && value <= ks_option_max(option);
}

char *
ks_option_canonical(const KsOption *option, bool kafka, bool is_number, char *text)
{
	int64 ms;

	if (option->kind == KS_OPTION_INTERVAL && kafka)
	{
		if (!ks_option_parse_integer(text, &ms))
			return NULL;
		if (ms == KS_UNLIMITED && option->min == KS_UNLIMITED)
			return pstrdup("infinite");
		/* Kafka's way to say never is Long.MAX_VALUE; an interval ends before. */
		if (ms > INTERVAL_MAX_MS && option->min == KS_UNLIMITED)
			return pstrdup("infinite");
		return ms < 0 ? NULL : psprintf(INT64_FORMAT " ms", Min(ms, INTERVAL_MAX_MS));
	}
	/* A word is text in JSON. */
	if (option->kind == KS_OPTION_WORD && is_number)
		return NULL;
	return text;
}
