/*-------------------------------------------------------------------------
 * utf8.c
 *	  Text of a record is UTF-8, text of the server is in its own encoding.
 *
 * Consumers must be able to read a log without knowing which database wrote
 * it, so every text in a record is UTF-8.  In a UTF-8 database nothing is
 * converted and nothing copied.  In an SQL_ASCII database nothing can be
 * converted: there, only what happens to be valid UTF-8 is let through, in
 * both directions.
 *
 * Writing fails loudly, for there is somebody to tell.  Reading must be able
 * to fail silently: one record that another writer filled with odd bytes may
 * not stop a consumer.  PostgreSQL's usual conversion throws, so the way back
 * verifies first and then calls the conversion function with its noError flag.
 *
 * src/record/utf8.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "record/utf8.h"

const char *
ks_utf8_from_server(const char *text, int32 len, int32 *utf8_len)
{
	const char *utf8 = pg_server_to_any(text, len, PG_UTF8);

	*utf8_len = (utf8 == text) ? len : (int32) strlen(utf8);
	return utf8;
}

const char *
ks_utf8_to_server(const char *utf8, int32 len, int32 *text_len)
{
	int encoding = GetDatabaseEncoding();
	Oid proc;
	char *text;
	Size size;

	*text_len = len;

	/* Stops at U+0000 too. */
	if (pg_encoding_verifymbstr(PG_UTF8, utf8, len) != len)
		return NULL;
	if (len == 0 || encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return utf8;

	proc = FindDefaultConversionProc(PG_UTF8, encoding);
	size = (Size) len * MAX_CONVERSION_GROWTH + 1;
	if (!OidIsValid(proc) || !AllocSizeIsValid(size))
		return NULL;

	text = palloc(size);
	/* noError: returns how many bytes it could convert. */
	if (pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding,
									  (unsigned char *) unconstify(char *, utf8), len,
									  (unsigned char *) text, (int) size,
									  true) != len)
	{
		pfree(text);
		return NULL;
	}
	*text_len = (int32) strlen(text);
	return text;
}
