\echo Use "CREATE EXTENSION kstream" to load this file. \quit

/*
 * The names below are resolved against pg_catalog alone; everything that is
 * made here names its schema.  A plain CREATE SCHEMA fails when somebody made
 * the schema before us, so nothing of theirs is ever adopted.
 */
SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA kstream;
COMMENT ON SCHEMA kstream IS 'kstream: topics, producing, consuming';

CREATE SCHEMA kstream_topic;
COMMENT ON SCHEMA kstream_topic IS 'kstream: a foreign table per topic, which carries its rights';

CREATE SCHEMA kstream_log;
COMMENT ON SCHEMA kstream_log IS 'kstream: the segments of the logs; nobody''s interface';

/*
 * Whoever may use a schema can lock its tables to the end of a transaction, without a
 * right on them (PREPARE), and so keep maintenance from emptying them.
 */
CREATE SCHEMA kstream_turns;
COMMENT ON SCHEMA kstream_turns IS 'kstream: tables that take turns, each emptied as a whole; nobody''s interface';
