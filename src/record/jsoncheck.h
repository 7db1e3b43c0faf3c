/*-------------------------------------------------------------------------
 * jsoncheck.h
 *	  Whether jsonb's input function will accept a text, without an error.
 *
 * src/record/jsoncheck.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_JSONCHECK_H
#define KS_RECORD_JSONCHECK_H

typedef enum KsJsonStatus
{
	KS_JSON_OK = 0,
	KS_JSON_SYNTAX,        /* not JSON */
	KS_JSON_BAD_CHARACTER, /* an escape that text cannot hold: \u0000, or
							* not in the server encoding */
	KS_JSON_BAD_NUMBER,    /* beyond numeric's range */
	KS_JSON_TOO_DEEP       /* nested beyond KS_JSON_MAX_DEPTH */
} KsJsonStatus;

#define KS_JSON_MAX_DEPTH 8192

typedef struct KsJsonInfo
{
	size_t error_at;   /* bytes read when the fault was seen */
	int depth;         /* deepest nesting */
	uint64 size_bound; /* the jsonb's size is below this */
} KsJsonInfo;

/*
 * Check a text in the server encoding.  Never throws, except out of memory
 * for Unicode escapes in a database that is not UTF-8.
 */
extern KsJsonStatus ks_json_check(const char *json, size_t len, KsJsonInfo *info);

/*
 * Check, and then say whether the jsonb could also be built: the stack left
 * allows its nesting, and its size is one that jsonb can have.
 */
extern bool ks_json_is_loadable(const char *json, size_t len);

#endif /* KS_RECORD_JSONCHECK_H */
