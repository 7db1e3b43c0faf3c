-- Text in a record is UTF-8, whatever the encoding of the database.  Everything shown here is ASCII.
\pset null NULL
SELECT current_database() AS regression \gset

CREATE DATABASE kstream_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\c kstream_latin1
\pset null NULL
CREATE EXTENSION kstream;
CREATE FUNCTION server_bytes(t text) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to(t, getdatabaseencoding()::name) $$;
SELECT server_bytes(chr(233)) AS e_acute;

-- out: every kind of text, and headers
SELECT kstream.create_topic('encoded');
BEGIN;
SELECT kstream.produce('encoded', chr(233), chr(233)::char(3)), kstream.produce('encoded', to_jsonb(chr(233)), ARRAY[chr(233)]),
	   kstream.produce('encoded', ROW(chr(233)), json_build_array(chr(233))), kstream.produce('encoded', '\xe9'::bytea, (chr(233) || ' name')::name);
SELECT key, value FROM kstream.pending() r;
ROLLBACK;
-- and back, also what this encoding does not have: U+20AC
SELECT kstream.produce('encoded', 'k', 'v', kstream.add_header(jsonb_build_object(chr(233), chr(233)), 'euro', 'EUR') || '{"raw": {"base64": "4oKs"}, "acute": {"base64": "w6k="}}');
SELECT server_bytes(headers::text), kstream.header(headers, 'raw') AS raw, server_bytes(kstream.header(headers, 'acute')) AS acute FROM kstream.fetch('encoded', 0, 0) r;
SELECT server_bytes(kstream.text('\xc3a9'));
\set VERBOSITY sqlstate
SELECT kstream.text('\xe9');
SELECT kstream.text('\xe282ac');
SELECT kstream.json('\x22e282ac22');
SELECT kstream.json('"\\u20ac"');
\set VERBOSITY default
SELECT server_bytes(kstream.json('\x22c3a922') #>> '{}') AS plain, server_bytes(kstream.json('"\\u00e9"') #>> '{}') AS escaped,
	   server_bytes(kstream.try_json('\x22c3a922') #>> '{}') AS tried, server_bytes(kstream.try_json('"\\u00e9"') #>> '{}') AS tried_escaped;
SELECT kstream.try_json('\x22e922') AS not_utf8, kstream.try_json('\x22e282ac22') AS no_such_character, kstream.try_json('"\\u20ac"') AS no_such_escape,
	   kstream.try_json('"\\ud83d\\ude00"') AS no_such_pair;

-- Without an encoding nothing can be converted: UTF-8 passes, anything else must be bytea.
\c :regression
CREATE DATABASE kstream_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
\c kstream_ascii
\pset null NULL
CREATE EXTENSION kstream;
CREATE FUNCTION server_bytes(t text) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to(t, getdatabaseencoding()::name) $$;
SELECT kstream.create_topic('encoded');
BEGIN;
SELECT kstream.produce('encoded', E'\303\251', ARRAY[E'\303\251'], jsonb_build_object('a', E'\303\251')), kstream.produce('encoded', '\xe9'::bytea, NULL);
SELECT key, value, server_bytes(kstream.header(headers, 'a')) AS a FROM kstream.pending() r;
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT kstream.produce('encoded', E'\351', 'v');
ROLLBACK TO s;
SELECT kstream.produce('encoded', 'k', ARRAY[E'\351']);
ROLLBACK TO s;
SELECT kstream.produce('encoded', 'k', 'v', jsonb_build_object('a', E'\351'));
ROLLBACK;
SELECT kstream.text('\xe9');
SELECT kstream.json('"\\u00e9"');
\set VERBOSITY default
SELECT server_bytes(kstream.text('\xc3a9')), server_bytes(kstream.json('\x22c3a922') #>> '{}');
SELECT kstream.try_json('\x22e922') AS not_utf8, kstream.try_json('"\\u00e9"') AS escape, server_bytes(kstream.try_json('\x22c3a922') #>> '{}') AS utf8;

\c :regression
DROP DATABASE kstream_latin1;
DROP DATABASE kstream_ascii;
