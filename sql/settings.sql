-- The settings, and the names that clients are written against: functions, views and their columns.
\pset format unaligned

SELECT name, setting, unit, context, min_val, max_val, short_desc IS NOT NULL AS described
FROM pg_settings WHERE name ^@ 'kstream.' AND name NOT IN ('kstream.debug_point', 'kstream.mutant') ORDER BY name COLLATE "C";

-- The prefix is taken: a misspelt setting is an error.
SET kstream.max_wiat = 1;
-- out of range; the words of it are not the same in every version of PostgreSQL
\set VERBOSITY sqlstate
SET kstream.max_wait = '-1';
SET kstream.max_wait = '2h';
SET kstream.produce_buffer_size = '63kB';
SET kstream.max_partitions_per_call = 0;
\set VERBOSITY default
SET kstream.max_partitions = 100;

-- What takes from others is a superuser's to raise.
CREATE ROLE kstream_settings;
SET ROLE kstream_settings;
SET kstream.max_wait = '1min';
SET kstream.max_partitions_per_call = 2000;
SET kstream.produce_buffer_size = '1MB';
RESET ROLE;
DROP ROLE kstream_settings;

-- Functions: names, arguments, defaults, results.
SELECT 'kstream.' || p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || COALESCE(' -> ' || pg_get_function_result(p.oid), '') AS signature
FROM pg_proc p
WHERE pronamespace = 'kstream'::regnamespace AND proname NOT IN ('fdw_handler', 'fdw_validator')
ORDER BY p.proname COLLATE "C", pg_get_function_arguments(p.oid) COLLATE "C";

-- All that reads or writes a log must see and be seen as it runs.
SELECT proname FROM pg_proc p
WHERE pronamespace = 'kstream'::regnamespace AND provolatile <> 'v'
   OR pronamespace = 'kstream'::regnamespace AND proparallel <> 'u' AND prokind = 'f'
ORDER BY proname COLLATE "C";

-- Views: names, columns, types.
SELECT c.relname || '.' || attname AS "column", format_type(atttypid, atttypmod) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
WHERE c.relnamespace = 'kstream'::regnamespace AND c.relkind = 'v'
ORDER BY c.relname COLLATE "C", attnum;
