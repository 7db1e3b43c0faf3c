/*-------------------------------------------------------------------------
 * utf8.h
 *	  Text of a record is UTF-8, text of the server is in its own encoding.
 *
 * src/record/utf8.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_UTF8_H
#define KS_RECORD_UTF8_H

/*
 * Text in the server encoding as UTF-8: `text` itself where nothing needs to
 * be converted, else a new string in CurrentMemoryContext.  *utf8_len gets
 * the length.  In an SQL_ASCII database, whose text has no known encoding,
 * bytes that are UTF-8 pass as they are and others throw 22021; a character
 * without a counterpart in Unicode throws 22P05.
 */
extern const char *ks_utf8_from_server(const char *text, int32 len, int32 *utf8_len);

/*
 * Bytes that should be UTF-8 as text in the server encoding: `utf8` itself or
 * a new string, as above.  NULL, not an error, where the bytes are not valid
 * UTF-8, hold U+0000 or a character that the server encoding does not have.
 */
extern const char *ks_utf8_to_server(const char *utf8, int32 len, int32 *text_len);

#endif /* KS_RECORD_UTF8_H */
