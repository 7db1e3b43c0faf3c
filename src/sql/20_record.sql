/*
 * A record, and what a consumer wraps around its parts.  Key and value are
 * bytes; everything here is a pure function of its arguments.
 */
CREATE TYPE kstream.record AS (
    topic       text,
    partition   integer,
    "offset"    bigint,
    "timestamp" timestamptz,
    key         bytea,
    value       bytea,
    headers     jsonb
);
COMMENT ON TYPE kstream.record IS 'a record of a topic; a NULL value is a tombstone, NULL headers are none';

CREATE FUNCTION kstream.text(bytes bytea)
RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'kstream_text';
COMMENT ON FUNCTION kstream.text(bytea) IS 'a record''s key or value as text; an error when it is not UTF-8';

CREATE FUNCTION kstream.json(bytes bytea)
RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'kstream_json';
COMMENT ON FUNCTION kstream.json(bytea) IS 'a record''s key or value as JSON; an error when it is none';

CREATE FUNCTION kstream.try_json(bytes bytea)
RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'kstream_try_json';
COMMENT ON FUNCTION kstream.try_json(bytea) IS 'a record''s key or value as JSON; NULL when it is none';

CREATE FUNCTION kstream.header(headers jsonb, name text)
RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'kstream_header';
COMMENT ON FUNCTION kstream.header(jsonb, text) IS 'the value of the last header of that name; NULL when there is none';

CREATE FUNCTION kstream.add_header(headers jsonb, name text, value text)
RETURNS jsonb
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'kstream_add_header';
COMMENT ON FUNCTION kstream.add_header(jsonb, text, text) IS 'headers with one more at the end; an array of them where the name repeats';
