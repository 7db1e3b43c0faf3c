/*-------------------------------------------------------------------------
 * topic_options.c
 *	  A topic's options: names, ranges, defaults.
 *
 * One table describes every option: its name, Kafka's name, its kind, range
 * and default.  A value has one canonical text, which is what the topic's
 * foreign table keeps in its OPTIONS (so that pg_dump carries it) and what the
 * view topics shows: intervals and sizes as the user wrote them, Kafka's
 * numbers with their unit put behind.
 *
 * An option whose default was not always what it is now is written down for each
 * new topic (for_new), so that topics that are older, or come out of a dump that
 * is, go on as they were: default_value is what a topic has that says nothing.
 *
 * Numbers are Kafka's (LogConfig.java, ServerLogConfigs.java); segment_bytes
 * has the lower bound of Kafka 4.0.
 *
 * src/topic/topic_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "topic/topic.h"
#include "topic/topic_options.h"

typedef enum OptionKind
{
	OPTION_INTERVAL, /* ms; KS_UNLIMITED where min says so */
	OPTION_SIZE,     /* bytes */
	OPTION_COUNT,
	OPTION_RATIO,  /* millionths */
	OPTION_CHOICE, /* one of a list of words, or several joined */
	OPTION_CODEC   /* a codec's name, or one of a list of other words */
} OptionKind;

typedef struct Choice
{
	const char *word;
	int64 value;
} Choice;

typedef struct OptionDef
{
	const char *name;
	const char *kafka_name;
	OptionKind kind;
	size_t member; /* offset in KsTopicOptions */
	int64 default_value;
	int64 min;
	int64 max;
	const Choice *choices;
	const char *allowed; /* for the detail of an error */
	const char *for_new; /* what new topics are given; NULL: nothing */
} OptionDef;

static const Choice cleanup_choices[] = {
	{"delete", KS_CLEANUP_DELETE},
	{"compact", KS_CLEANUP_COMPACT},
	{"compact,delete", KS_CLEANUP_COMPACT | KS_CLEANUP_DELETE},
	{"delete,compact", KS_CLEANUP_COMPACT | KS_CLEANUP_DELETE},
	{NULL, 0}};

/* Beside the codecs' own names. */
static const Choice compression_choices[] = {
	{"uncompressed", KS_CODEC_NONE},
	{"producer", KS_CODEC_NONE},
	{NULL, 0}};

static const Choice timestamp_choices[] = {
	{"CreateTime", 0},
	{"LogAppendTime", 1},
	{NULL, 0}};

static const Choice column_choices[] = {
	{"bytea", KS_COLUMN_BYTEA},
	{"text", KS_COLUMN_TEXT},
	{"jsonb", KS_COLUMN_JSONB},
	{NULL, 0}};

#define MEMBER(name) offsetof(KsTopicOptions, name)
#define MS_PER_DAY INT64CONST(86400000)
#define MIB INT64CONST(1048576)
#define INTERVAL_MAX_MS (PG_INT64_MAX / 1000) /* an interval's time is in microseconds */

/* No record may need more than a palloc; the rest is room for the batch. */
#define MAX_MESSAGE_BYTES (MaxAllocSize - 1024)

#define INTERVAL_ALLOWED "An interval with a unit such as \"7 days\""
#define INFINITE_ALLOWED INTERVAL_ALLOWED ", or \"infinite\"; under Kafka's name a number of milliseconds, or -1."

static const OptionDef option_defs[] = {
	{"retention", "retention.ms", OPTION_INTERVAL, MEMBER(retention),
	 7 * MS_PER_DAY, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED},
	{"retention_bytes", "retention.bytes", OPTION_SIZE, MEMBER(retention_bytes),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL,
	 "A number of bytes or a size with a unit such as \"1GB\", or -1 for no limit."},
	{"cleanup_policy", "cleanup.policy", OPTION_CHOICE, MEMBER(cleanup_policy),
	 KS_CLEANUP_DELETE, 0, 0, cleanup_choices,
	 "\"delete\", \"compact\" or \"compact,delete\"."},
	{"segment_bytes", "segment.bytes", OPTION_SIZE, MEMBER(segment_bytes),
	 1024 * MIB, MIB, PG_INT32_MAX, NULL,
	 "A number of bytes or a size with a unit such as \"1GB\", from 1MB to 2147483647 bytes."},
	{"segment_age", "segment.ms", OPTION_INTERVAL, MEMBER(segment_age),
	 7 * MS_PER_DAY, 1, PG_INT64_MAX, NULL,
	 INTERVAL_ALLOWED ", at least 1 ms; under Kafka's name a number of milliseconds."},
	{"max_message_bytes", "max.message.bytes", OPTION_SIZE, MEMBER(max_message_bytes),
	 1048588, 0, MAX_MESSAGE_BYTES, NULL,
	 "A number of bytes or a size with a unit such as \"1MB\", up to 1073740799 bytes."},
	{"compression", "compression.type", OPTION_CODEC, MEMBER(compression),
	 KS_CODEC_NONE, 0, 0, compression_choices,
	 "\"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\"."},
	{"timestamp_type", "message.timestamp.type", OPTION_CHOICE, MEMBER(append_time),
	 0, 0, 0, timestamp_choices,
	 "\"CreateTime\" or \"LogAppendTime\"."},
	{"timestamp_before_max", "message.timestamp.before.max.ms", OPTION_INTERVAL, MEMBER(timestamp_before_max),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED},
	{"timestamp_after_max", "message.timestamp.after.max.ms", OPTION_INTERVAL, MEMBER(timestamp_after_max),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED, .for_new = "1 hour"},
	{"delete_retention", "delete.retention.ms", OPTION_INTERVAL, MEMBER(delete_retention),
	 MS_PER_DAY, 0, PG_INT64_MAX, NULL,
	 INTERVAL_ALLOWED "; under Kafka's name a number of milliseconds."},
	{"min_cleanable_dirty_ratio", "min.cleanable.dirty.ratio", OPTION_RATIO, MEMBER(min_cleanable_dirty_ratio),
	 500000, 0, 1000000, NULL,
	 "A number from 0 to 1."},
	{"min_compaction_lag", "min.compaction.lag.ms", OPTION_INTERVAL, MEMBER(min_compaction_lag),
	 0, 0, PG_INT64_MAX, NULL,
	 INTERVAL_ALLOWED "; under Kafka's name a number of milliseconds."},
	{"max_compaction_lag", "max.compaction.lag.ms", OPTION_INTERVAL, MEMBER(max_compaction_lag),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED},
	{"min_insync_replicas", "min.insync.replicas", OPTION_COUNT, MEMBER(min_insync_replicas),
	 1, 1, PG_INT32_MAX, NULL,
	 "A whole number, at least 1."},
	{"key_type", "key_type", OPTION_CHOICE, MEMBER(key_type),
	 KS_COLUMN_BYTEA, 0, 0, column_choices,
	 "\"bytea\", \"text\" or \"jsonb\"."},
	{"value_type", "value_type", OPTION_CHOICE, MEMBER(value_type),
	 KS_COLUMN_BYTEA, 0, 0, column_choices,
	 "\"bytea\", \"text\" or \"jsonb\"."},
};

static pg_attribute_noreturn() void invalid_value(const OptionDef *def, const char *name, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for topic option \"%s\": \"%s\"", name, value),
			 errdetail("Allowed: %s", def->allowed)));
}

/* Find an option by either name; *kafka says by which it was found. */
static const OptionDef *
find_option(const char *name, bool *kafka)
{
	size_t i;

	for (i = 0; i < lengthof(option_defs); i++)
	{
		*kafka = false;
		if (strcmp(name, option_defs[i].name) == 0)
			return &option_defs[i];
		*kafka = true;
		if (strcmp(name, option_defs[i].kafka_name) == 0)
			return &option_defs[i];
	}
	return NULL;
}

static const OptionDef *
get_option(const char *name, bool *kafka)
{
	const OptionDef *def = find_option(name, kafka);
	StringInfoData names;
	size_t i;

	if (def != NULL)
		return def;
	initStringInfo(&names);
	for (i = 0; i < lengthof(option_defs); i++)
		appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", option_defs[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized topic option \"%s\"", name),
			 errdetail("Allowed are %s, and Kafka's names for them.", names.data)));
}

/* PostgreSQL's interval syntax, into ms; false when it is not that. */
bool
ks_topic_parse_interval(const char *text, int64 *ms)
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
	memset(&itm, 0, sizeof(itm));
	if ((DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype, &itm) != 0 &&
		 DecodeISO8601Interval(unconstify(char *, text), &dtype, &itm) != 0) ||
		dtype != DTK_DELTA)
		return false;
	days = itm.tm_year * (double) DAYS_PER_YEAR + itm.tm_mon * (double) DAYS_PER_MONTH + itm.tm_mday;
	result = days * MS_PER_DAY + (double) itm.tm_usec / 1000.0;
	if (result < 0 || result >= 9e18)
		return false;
	*ms = (int64) result;
	return true;
}

static bool
parse_integer(const char *text, int64 *value)
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

	if (parse_integer(text, value))
		return true;
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
parse_choice(const OptionDef *def, const char *text, int64 *value)
{
	const Choice *choice;

	for (choice = def->choices; choice->word != NULL; choice++)
	{
		if (pg_strcasecmp(choice->word, text) == 0)
		{
			*value = choice->value;
			return true;
		}
	}
	return false;
}

static bool
parse_codec(const char *text, int64 *value)
{
	KsCodec codec;

	if (!ks_codec_by_name(text, &codec))
		return false;
	*value = codec;
	return true;
}

/* Parse the canonical text of an option's value. */
static bool
parse_value(const OptionDef *def, const char *text, int64 *value)
{
	bool valid = false;

	switch (def->kind)
	{
		case OPTION_INTERVAL:
			if (def->min == KS_UNLIMITED && pg_strcasecmp(text, "infinite") == 0)
			{
				*value = KS_UNLIMITED;
				return true;
			}
			valid = ks_topic_parse_interval(text, value);
			break;
		case OPTION_SIZE:
			valid = parse_size(text, value);
			if (valid && *value < 0 && def->min == KS_UNLIMITED)
				*value = KS_UNLIMITED; /* any negative number, as in Kafka */
			break;
		case OPTION_COUNT:
			valid = parse_integer(text, value);
			break;
		case OPTION_RATIO:
			return parse_ratio(text, value);
		case OPTION_CHOICE:
			return parse_choice(def, text, value);
		case OPTION_CODEC:
			return parse_codec(text, value) || parse_choice(def, text, value);
	}
	return valid && *value >= def->min && *value <= def->max;
}

/*
 * The canonical text of what the user gave: the same text, except that
 * Kafka's milliseconds get their unit.
 */
static char *
canonical_text(const OptionDef *def, bool kafka, bool is_number, char *text)
{
	int64 ms;

	if (def->kind == OPTION_INTERVAL && kafka)
	{
		if (!parse_integer(text, &ms))
			return NULL;
		if (ms == KS_UNLIMITED && def->min == KS_UNLIMITED)
			return pstrdup("infinite");
		/* Kafka's way to say never is Long.MAX_VALUE; an interval ends before. */
		if (ms > INTERVAL_MAX_MS && def->min == KS_UNLIMITED)
			return pstrdup("infinite");
		return ms < 0 ? NULL : psprintf(INT64_FORMAT " ms", Min(ms, INTERVAL_MAX_MS));
	}
	if ((def->kind == OPTION_CHOICE || def->kind == OPTION_CODEC) && is_number)
		return NULL;
	return text;
}

/* A JSON scalar as text; NULL for null. */
static char *
scalar_text(const OptionDef *def, const char *name, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return NULL;
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			invalid_value(def, name, value->val.boolean ? "true" : "false");
		default:
			invalid_value(def, name, "(not a scalar)");
	}
}

/* What a new topic says of itself; NULL: nothing. */
static Node *
new_value(const OptionDef *def)
{
	return def->for_new != NULL ? (Node *) makeString(pstrdup(def->for_new)) : NULL;
}

static DefElem *
parse_option(const char *name, JsonbValue *json)
{
	bool kafka;
	const OptionDef *def = get_option(name, &kafka);
	char *given = scalar_text(def, name, json);
	char *text;
	int64 value;

	if (given == NULL)
		return makeDefElem(pstrdup(def->name), new_value(def), -1);
	text = canonical_text(def, kafka, json->type == jbvNumeric, given);
	if (text == NULL || !parse_value(def, text, &value))
		invalid_value(def, name, given);
	return makeDefElem(pstrdup(def->name), (Node *) makeString(text), -1);
}

static bool
is_given(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return true;
	}
	return false;
}

List *
ks_topic_options_parse(Jsonb *options)
{
	JsonbIterator *it;
	JsonbValue value;
	JsonbIteratorToken token;
	List *result = NIL;

	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("topic options must be a JSON object")));

	it = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		DefElem *elem;
		char *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&it, &value, true);
		elem = parse_option(name, &value);
		if (is_given(result, elem->defname))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("topic option \"%s\" is given twice", elem->defname),
					 errdetail("Once under its own and once under Kafka's name.")));
		result = lappend(result, elem);
	}
	return result;
}

List *
ks_topic_options_for_new(List *options)
{
	size_t i;

	for (i = 0; i < lengthof(option_defs); i++)
	{
		const OptionDef *def = &option_defs[i];

		if (def->for_new != NULL && !is_given(options, def->name))
			options = lappend(options, makeDefElem(pstrdup(def->name), new_value(def), -1));
	}
	return options;
}

bool
ks_topic_option_exists(const char *name)
{
	bool kafka;

	return find_option(name, &kafka) != NULL && !kafka;
}

void
ks_topic_option_check(const char *name, const char *text)
{
	bool kafka;
	const OptionDef *def = get_option(name, &kafka);
	int64 value;

	if (!parse_value(def, text, &value))
		invalid_value(def, name, text);
}

void
ks_topic_options_read(List *defelems, KsTopicOptions *options)
{
	bool age_is_set = false;
	ListCell *lc;
	size_t i;

	for (i = 0; i < lengthof(option_defs); i++)
		*(int64 *) ((char *) options + option_defs[i].member) = option_defs[i].default_value;

	foreach (lc, defelems)
	{
		DefElem *elem = lfirst(lc);
		bool kafka;
		const OptionDef *def = find_option(elem->defname, &kafka);
		int64 value;

		if (def == NULL || !parse_value(def, defGetString(elem), &value))
			continue;
		*(int64 *) ((char *) options + def->member) = value;
		if (def->member == MEMBER(segment_age))
			age_is_set = true;
	}

	/* So that data goes when it is due, and not up to a segment's age later. */
	if (!age_is_set && options->retention != KS_UNLIMITED)
		options->segment_age = Min(options->segment_age, Max(options->retention / 4, 1));
	/* What is to be compacted after that time must be sealed by then (as in Kafka). */
	if ((options->cleanup_policy & KS_CLEANUP_COMPACT) != 0 && options->max_compaction_lag != KS_UNLIMITED)
		options->segment_age = Min(options->segment_age, Max(options->max_compaction_lag, 1));
}

bool
ks_topic_option_name(int n, const char **kafka_name)
{
	if (n >= (int) lengthof(option_defs))
		return false;
	*kafka_name = strcmp(option_defs[n].name, option_defs[n].kafka_name) != 0 ? option_defs[n].kafka_name : NULL;
	return true;
}

bool
ks_topic_option_is_kafka(const char *name)
{
	bool kafka;

	return find_option(name, &kafka) != NULL && kafka;
}

/* A number as Kafka writes it: ms, bytes, a ratio, or a word. */
static char *
kafka_text(const OptionDef *def, int64 value)
{
	const Choice *choice;

	switch (def->kind)
	{
		case OPTION_INTERVAL:
		case OPTION_SIZE:
		case OPTION_COUNT:
			break;
		case OPTION_CODEC:
			return pstrdup(ks_codec_name((KsCodec) value));
		case OPTION_RATIO:
			return psprintf("%g", value / 1000000.0);
		case OPTION_CHOICE:
			for (choice = def->choices; choice->word != NULL; choice++)
			{
				if (choice->value == value)
					return pstrdup(choice->word);
			}
			break;
	}
	return psprintf(INT64_FORMAT, value);
}

bool
ks_topic_option_text(const KsTopic *topic, int n, KsTopicOptionText *text)
{
	const OptionDef *def = &option_defs[n];
	ListCell *lc;
	int64 value;

	if (!ks_topic_option_name(n, &text->kafka_name))
		return false;
	text->is_set = false;
	foreach (lc, GetForeignTable(topic->relid)->options)
		text->is_set |= strcmp(((DefElem *) lfirst(lc))->defname, def->name) == 0;
	value = *(const int64 *) ((const char *) &topic->options + def->member);
	text->value = kafka_text(def, value);
	return true;
}

const char *
ks_column_type_name(KsColumnType type)
{
	return column_choices[type].word;
}
