/*-------------------------------------------------------------------------
 * column_check.c
 *	  Whether the table of a topic can show a key or value.
 *
 * Whatever comes into a topic, from SQL or from a Kafka client, must be what the
 * topic's options key_type and value_type promise: one record that is not makes every
 * SELECT that reads its column fail.
 *
 * src/produce/column_check.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "produce/column_check.h"
#include "record/jsoncheck.h"
#include "record/utf8.h"

bool
ks_column_shows(KsColumnType column, const char *data, int32 len)
{
	const char *text;
	int32 text_len;
	bool shows;

	if (column == KS_COLUMN_BYTEA)
		return true;
	text = ks_utf8_to_server(data, len, &text_len);
	if (text == NULL)
		return false;
	shows = column == KS_COLUMN_TEXT || ks_json_is_loadable(text, text_len);
	if (text != data)
		pfree(unconstify(char *, text));
	return shows;
}
