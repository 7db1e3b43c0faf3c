/*-------------------------------------------------------------------------
 * options.h
 *	  Options that people give as a JSON object: tables of them, and what reads them.
 *
 * Topics, groups, captures and snapshots each have a table with a row for every
 * option: its names, its kind, its range, its default and where its value goes.
 * One parser reads them all, so that they have the same spellings and the same
 * errors, all of SQLSTATE 22023: the JSON value is no object, has an option that
 * is unknown, one under both of its names, or a value that is none of those that
 * the detail names.  JSON null asks for the default.
 *
 * There are two families of kinds.  A value of the first may be JSON text or a
 * number, and has a canonical text, which is what a catalog keeps: what was given,
 * but that Kafka's milliseconds get their unit.  One of the second must have its
 * JSON type, and has no text.
 *
 * src/base/options.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_OPTIONS_H
#define KS_BASE_OPTIONS_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* "infinite" of an interval, "no limit" of a size: where an option's min is this. */
#define KS_UNLIMITED (-1)

typedef enum KsOptionKind
{
	/* with a canonical text */
	KS_OPTION_INTERVAL, /* ms; PostgreSQL's interval with a unit, under Kafka's name a number of ms */
	KS_OPTION_SIZE,     /* bytes, or with a unit */
	KS_OPTION_COUNT,    /* a whole number */
	KS_OPTION_RATIO,    /* millionths; a number from 0 to 1 */
	KS_OPTION_WORD,     /* what `by_name` knows or `words` lists */

	/* of a JSON type */
	KS_OPTION_BOOL,
	KS_OPTION_INTEGER,
	KS_OPTION_STRING, /* char *, palloc'd */
	KS_OPTION_NAMES   /* List of char *, not empty */
} KsOptionKind;

typedef struct KsOptionWord
{
	const char *word; /* NULL: the end of the list */
	int64 value;
} KsOptionWord;

typedef struct KsOption
{
	const char *name;
	const char *kafka_name; /* NULL: none */
	KsOptionKind kind;
	size_t member; /* KS_OPTION_MEMBER: offset and size in the struct that is filled in */
	size_t member_size;
	int64 default_value; /* of numbers, words and booleans; strings and lists have NULL */
	int64 min;           /* the range of numbers */
	int64 max;
	const KsOptionWord *words;
	const char *allowed;                             /* a sentence, for the detail of an error */
	const char *for_new;                             /* what a new object says of itself, NULL: nothing */
	const int *max_setting;                          /* a maximum that an administrator sets, in place of max */
	bool (*by_name)(const char *word, int64 *value); /* words that another room knows */
	bool never_null;                                 /* there is no default to ask for */
} KsOption;

#define KS_OPTION_MEMBER(type, name) offsetof(type, name), sizeof(((type *) NULL)->name)

/* The options of one kind of object. */
typedef struct KsOptionTable
{
	const char *object; /* "topic": for messages */
	const KsOption *options;
	int count;
} KsOptionTable;

/* Set all members to their defaults; others are left as they are. */
extern void ks_options_default(const KsOptionTable *table, void *target);

/*
 * Read what a user gives.  Members of *target (NULL: none) are set to what is
 * given; for options with a canonical text a DefElem is added to *canonical (NULL:
 * not wanted): name and String, or NULL arg for JSON null, which resets.
 * The caller has set the defaults.
 */
extern void ks_options_parse(const KsOptionTable *table, Jsonb *json, void *target, List **canonical);

/*
 * Read what a catalog keeps, which was valid when it was written.  A value above
 * its maximum is brought down to that, since a setting may have been lowered; what
 * is not valid at all is passed over with a warning, and the default holds: an
 * object must not become unusable, and so impossible to drop, by it.
 */
extern void ks_options_read_stored(const KsOptionTable *table, Jsonb *json, void *target);

/* Would ks_options_parse() take each of them? */
extern bool ks_options_are_valid(const KsOptionTable *table, Jsonb *json);

/* The option of this name or of Kafka's (*kafka); NULL: there is none. */
extern const KsOption *ks_option_find(const KsOptionTable *table, const char *name, bool *kafka);

/* 22023 unless there is such an option and the canonical text is one of its values. */
extern void ks_option_check_text(const KsOptionTable *table, const char *name, const char *text);

/* Set a member to a number, word or boolean; and read it. */
extern void ks_option_set(const KsOption *option, void *target, int64 value);
extern int64 ks_option_get(const KsOption *option, const void *target);

#endif /* KS_BASE_OPTIONS_H */
