-- A topic's options: every one under both names, its default, its bounds, what is refused.
\pset format unaligned

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

-- The options that a topic made with these has, or why there is none.
CREATE FUNCTION pg_temp.try(given jsonb, OUT options jsonb, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kstream.create_topic('try', 1, given);
	SELECT t.options INTO options FROM kstream.topics t WHERE topic = 'try';
	PERFORM kstream.drop_topic('try');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

--
-- What each takes.  Under its own name it is kept as it was given (so there are no rows here), under Kafka's with its unit put behind.
--
SELECT given, t.options, t.state FROM unnest(ARRAY[
	'{"retention": "7 days"}', '{"retention": "1 ms"}', '{"retention": "1 mon 2 days 03:04:05.678"}', '{"retention": "90 min"}', '{"retention": "infinite"}', '{"retention": "0 s"}',
	'{"retention_bytes": -1}', '{"retention_bytes": -2}', '{"retention": "P1D"}', '{"retention_bytes": 0}', '{"retention_bytes": 9223372036854775807}', '{"retention_bytes": "10GB"}', '{"retention_bytes": "1000"}',
	'{"cleanup_policy": "delete"}', '{"cleanup_policy": "compact"}', '{"cleanup_policy": "compact,delete"}', '{"cleanup_policy": "delete,compact"}',
	'{"segment_bytes": 1048576}', '{"segment_bytes": 2147483647}', '{"segment_bytes": "1MB"}', '{"segment_bytes": "1.5GB"}',
	'{"segment_age": "1 ms"}', '{"segment_age": "1 day"}',
	'{"max_message_bytes": 0}', '{"max_message_bytes": 1073740799}', '{"max_message_bytes": "100kB"}',
	'{"compression": "none"}', '{"compression": "gzip"}', '{"compression": "snappy"}', '{"compression": "lz4"}', '{"compression": "zstd"}',
	'{"timestamp_type": "CreateTime"}', '{"timestamp_type": "LogAppendTime"}',
	'{"timestamp_before_max": "1 day"}', '{"timestamp_before_max": "infinite"}', '{"timestamp_after_max": "0 s"}', '{"timestamp_after_max": "infinite"}',
	'{"delete_retention": "0 s"}', '{"delete_retention": "1 day"}',
	'{"min_cleanable_dirty_ratio": 0}', '{"min_cleanable_dirty_ratio": 0.25}', '{"min_cleanable_dirty_ratio": "1"}',
	'{"min_compaction_lag": "0 s"}', '{"min_compaction_lag": "1 h"}', '{"max_compaction_lag": "1 h"}', '{"max_compaction_lag": "infinite"}',
	'{"min_insync_replicas": 1}', '{"min_insync_replicas": 2147483647}',
	'{"key_type": "bytea", "value_type": "bytea"}', '{"key_type": "text", "value_type": "jsonb"}', '{"key_type": "jsonb", "value_type": "text"}']::jsonb[]) given, pg_temp.try(given) t
WHERE t.options IS DISTINCT FROM (SELECT '{"timestamp_after_max": "1 hour"}'::jsonb || jsonb_object_agg(key, value) FROM jsonb_each_text(given));

SELECT given, t.options, t.state FROM unnest(ARRAY[
	'{"retention.ms": 60000}', '{"retention.ms": "60000"}', '{"retention.ms": -1}', '{"retention.ms": 0}', '{"retention.bytes": 1000}', '{"retention.bytes": -1}',
	'{"cleanup.policy": "compact"}', '{"segment.bytes": 1048576}', '{"segment.ms": 1}', '{"max.message.bytes": 1000}',
	'{"compression.type": "zstd"}', '{"compression.type": "producer"}', '{"compression.type": "uncompressed"}',
	'{"message.timestamp.type": "LogAppendTime"}', '{"delete.retention.ms": 1000}', '{"min.cleanable.dirty.ratio": 0.1}',
	'{"min.compaction.lag.ms": 0}', '{"max.compaction.lag.ms": 9223372036854775807}', '{"retention.ms": 9223372036854775807}', '{"segment.ms": 9223372036854775807}', '{"min.insync.replicas": 2}']::jsonb[]) given, pg_temp.try(given) t;

--
-- Defaults: a topic made without an option, and if_not_exists with it, are told the same.
--
SELECT kstream.create_topic('defaults');
SELECT kstream.create_topic('defaults', 1, '{"retention": "7 days", "retention_bytes": -1, "cleanup_policy": "delete", "segment_bytes": "1GB",
	"max_message_bytes": 1048588, "compression": "none", "timestamp_type": "CreateTime", "delete_retention": "1 day", "min_cleanable_dirty_ratio": 0.5,
	"min_compaction_lag": "0 s", "max_compaction_lag": "infinite", "min_insync_replicas": 1, "key_type": "bytea", "value_type": "bytea"}', true);
SELECT kstream.create_topic('defaults', 1, '{"retention.ms": 604800000, "retention.bytes": -1, "cleanup.policy": "delete", "segment.bytes": 1073741824,
	"max.message.bytes": 1048588, "message.timestamp.type": "CreateTime", "delete.retention.ms": 86400000, "min.cleanable.dirty.ratio": 0.5,
	"min.compaction.lag.ms": 0, "max.compaction.lag.ms": -1, "min.insync.replicas": 1}', true);
-- and each other value is another value
DO $$
DECLARE
	option jsonb;
BEGIN
	FOREACH option IN ARRAY ARRAY['{"retention": "6 days"}', '{"retention_bytes": 1}', '{"cleanup_policy": "compact,delete"}', '{"segment_bytes": "1MB"}',
		'{"segment_age": "1 day"}', '{"max_message_bytes": 1}', '{"compression": "zstd"}', '{"timestamp_type": "LogAppendTime"}', '{"delete_retention": "2 days"}',
		'{"min_cleanable_dirty_ratio": 0.499999}', '{"min_compaction_lag": "1 ms"}', '{"max_compaction_lag": "1 day"}', '{"min_insync_replicas": 2}',
		'{"key_type": "text"}', '{"value_type": "text"}']::jsonb[]
	LOOP
		RAISE INFO '%', option;
		PERFORM kstream.create_topic('defaults', 1, option, true);
	END LOOP;
END $$;
-- segment_age: 7 days, but a quarter of the retention when it is not set
SELECT kstream.create_topic('defaults', 1, '{"segment_age": "42 hours"}', true);
SELECT kstream.create_topic('forever', 1, '{"retention": "infinite"}');
SELECT kstream.create_topic('forever', 1, '{"retention": "infinite", "segment_age": "7 days"}', true);
SELECT kstream.create_topic('short', 1, '{"retention": "4 days"}');
SELECT kstream.create_topic('short', 1, '{"retention.ms": 345600000, "segment.ms": 86400000}', true);
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;

--
-- What is refused: the error names the option as it was given and what is allowed.
--
SELECT t.state, t.message, t.detail FROM unnest(ARRAY[
	'{"retention": 60000}', '{"retention": "60000"}', '{"retention": -1}', '{"retention": "-1 day"}', '{"retention": "1 day 5"}', '{"retention": "soon"}', '{"retention": ""}',
	'{"retention": "infinity"}', '{"retention": "7 fortnights"}', '{"retention.ms": "7 days"}', '{"retention.ms": -2}', '{"retention.ms": 1.5}', '{"retention.ms": 9223372036854775808}',
	'{"retention_bytes": 1.5}', '{"retention_bytes": "1 barrel"}', '{"retention_bytes": "7 days"}', '{"retention_bytes": 9223372036854775808}', '{"retention_bytes": "NaN"}',
	'{"cleanup_policy": "burn"}', '{"cleanup_policy": 1}', '{"cleanup_policy": ""}', '{"cleanup.policy": ["compact"]}',
	'{"segment_bytes": 0}', '{"segment_bytes": 1048575}', '{"segment_bytes": "2GB"}', '{"segment.bytes": 14}',
	'{"segment_age": "0 s"}', '{"segment_age": "infinite"}', '{"segment.ms": 0}', '{"segment.ms": -1}',
	'{"max_message_bytes": -1}', '{"max_message_bytes": "1GB"}',
	'{"compression": "brotli"}', '{"compression": true}', '{"compression.type": {}}',
	'{"timestamp_type": "EventTime"}', '{"delete_retention": "-1 s"}', '{"delete_retention": 5}', '{"delete.retention.ms": -1}',
	'{"min_cleanable_dirty_ratio": 1.01}', '{"min_cleanable_dirty_ratio": -0.01}', '{"min_cleanable_dirty_ratio": "half"}', '{"min_cleanable_dirty_ratio": "NaN"}',
	'{"min_compaction_lag": "infinite"}', '{"min.compaction.lag.ms": -1}', '{"max_compaction_lag": "-1 h"}', '{"max.compaction.lag.ms": -2}',
	'{"min_insync_replicas": 0}', '{"min_insync_replicas": 1.5}', '{"min.insync.replicas": 2147483648}',
	'{"key_type": "json"}', '{"value_type": "int4"}', '{"value_type": "text; DROP TABLE x"}']::jsonb[]) given, pg_temp.try(given) t;

-- Names that are none, or that are not for the user to set.
SELECT given, t.state, t.message FROM unnest(ARRAY[
	'{"colour": "red"}', '{"": 1}', '{"RETENTION": "7 days"}', '{"retention_ms": 1}', '{"flush.ms": 1}', '{"topic": "other"}', '{"partitions": 2}']::jsonb[]) given, pg_temp.try(given) t;
SELECT t.detail FROM pg_temp.try('{"colour": "red"}') t;
-- Twice: once under each name.
SELECT t.state, t.message, t.detail FROM pg_temp.try('{"retention": "7 days", "retention.ms": 604800000}') t;
-- Not an object.
SELECT given, t.state, t.message FROM unnest('{[], "\"retention\"", 1, true, null, "[{}]"}'::text[]) given, pg_temp.failure(format('SELECT kstream.create_topic(''try'', 1, %L)', given)) t;

--
-- Changing them: what is not named stays, JSON null resets.
--
SELECT kstream.create_topic('changing', 1, '{"retention": "1 day", "compression.type": "gzip"}');
SELECT kstream.alter_topic('changing', '{"compression": "zstd", "segment.ms": 3600000}');
SELECT options FROM kstream.topics;
SELECT kstream.alter_topic('changing', '{}');
SELECT kstream.alter_topic('changing', '{"retention.ms": null, "compression": null, "cleanup_policy": null, "max_message_bytes": 2000}');
SELECT options FROM kstream.topics;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.produce('changing', 'k', repeat('x', 2000)) $$) f;
SELECT kstream.alter_topic('changing', '{"max_message_bytes": 4000}'), kstream.produce('changing', 'k', repeat('x', 2000));
SELECT call, f.state, f.message FROM unnest(ARRAY[
	$$ SELECT kstream.alter_topic('changing', '{"retention": "soon"}') $$,
	$$ SELECT kstream.alter_topic('changing', '{"colour": null}') $$,
	$$ SELECT kstream.alter_topic('changing', '{"retention": null, "retention.ms": null}') $$,
	$$ SELECT kstream.alter_topic('changing', '[]') $$]) call, pg_temp.failure(call) f;
SELECT options FROM kstream.topics;
-- null at creation is the default
SELECT kstream.create_topic('plain', 1, '{"retention": null, "compression.type": null}');
SELECT options FROM kstream.topics WHERE topic = 'plain';
SELECT kstream.create_topic('plain', 1, '{"retention": null}', true);

-- The types of the table's columns follow.
SELECT kstream.alter_topic('changing', '{"key_type": "text", "value_type": "jsonb"}');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'kstream_topic.changing'::regclass AND attname IN ('key', 'value') ORDER BY 1;
SELECT kstream.alter_topic('changing', '{"value_type": null}');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'kstream_topic.changing'::regclass AND attname IN ('key', 'value') ORDER BY 1;

-- A compacted topic needs keys, and says so in produce, not at COMMIT.
SELECT kstream.create_topic('compacted', 1, '{"cleanup_policy": "compact"}');
SELECT f.* FROM unnest(ARRAY[
	$$ SELECT kstream.produce('compacted', NULL, 'v') $$,
	$$ SELECT kstream.produce_batch('compacted', '{k,NULL}', '{v,w}') $$,
	$$ SELECT kstream.produce_batch_bytes('compacted', NULL, '{v,w}') $$]) call, pg_temp.failure(call) f;
SELECT kstream.produce('compacted', 'k', NULL), kstream.produce('compacted', '', 'an empty key is a key');

-- The table's own OPTIONS are held to the same rules.
ALTER FOREIGN TABLE kstream_topic.changing OPTIONS (ADD retention 'soon');
ALTER FOREIGN TABLE kstream_topic.changing OPTIONS (ADD colour 'red');
ALTER FOREIGN TABLE kstream_topic.changing OPTIONS (SET partitions '0');
ALTER FOREIGN TABLE kstream_topic.changing OPTIONS (SET topic 'no name');
ALTER SERVER kstream OPTIONS (ADD topic 'changing');
ALTER FOREIGN DATA WRAPPER kstream OPTIONS (ADD topic 'changing');
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
