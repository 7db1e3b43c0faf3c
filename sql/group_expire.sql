-- Offsets of groups that have been empty for longer than offsets_retention.
\pset format unaligned
SELECT kstream.create_topic('expire', 2);
SELECT count(kstream.produce('expire', NULL, 'v', partition => g % 2)) FROM generate_series(1, 10) g;
SELECT kstream.create_group('short', '{"offsets_retention": "1 ms"}');
SELECT kstream.create_group('short_but_used', '{"offsets_retention": "1 ms"}');
SELECT kstream.create_group('short_but_named', '{"offsets_retention": "1 ms", "session_timeout": "30 min"}');
SELECT kstream.create_group('silent', '{"offsets_retention": "1 ms", "session_timeout": "1 ms"}');
SELECT kstream.create_group('long');
SELECT kstream.commit(g, 'expire', p, 3) FROM unnest('{short,long}'::text[]) g, generate_series(0, 1) p;
SELECT count(*) FROM kstream.poll('short_but_used', '{expire}', commit => true);
SELECT count(*) FROM kstream.poll('short_but_named', '{expire}', member => 'worker', commit => true);
SELECT count(*) FROM kstream.poll('silent', '{expire}', member => 'worker', commit => true);
SELECT group_id, count(*) FROM kstream.committed_offsets WHERE topic = 'expire' GROUP BY 1 ORDER BY 1;
SELECT pg_sleep(0.05);
CALL kstream.run_maintenance();
-- The first pass finds the silent name out of time; only from then on is its group empty.
SELECT pg_sleep(0.05);
CALL kstream.run_maintenance();
SELECT group_id, count(*) FROM kstream.committed_offsets WHERE topic = 'expire' GROUP BY 1 ORDER BY 1;

-- Whoever comes back begins at auto_offset_reset.
SELECT count(*) FROM kstream.poll('silent', '{expire}', member => 'worker');

-- A silent name is no member for drop_group either.
SELECT kstream.create_group('left', '{"session_timeout": "1 ms"}');
SELECT count(*) FROM kstream.poll('left', '{expire}', member => 'gone');
SELECT pg_sleep(0.05);
SELECT kstream.drop_group('left');

SELECT kstream.unsubscribe('short_but_used');
SELECT kstream.unsubscribe('short_but_named', 'worker');
SELECT kstream.unsubscribe('silent', 'worker');
SELECT kstream.drop_group(group_id) FROM kstream.groups WHERE group_id IN ('short', 'short_but_used', 'short_but_named', 'silent', 'long');
SELECT kstream.drop_topic('expire');
