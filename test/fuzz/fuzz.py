#!/usr/bin/python3
"""Compare what random queries return when records are read in two ways.

    fuzz.py DSN [--seed S] [--seconds N] [--queries N] [--only I]

Queries over kstream.fetch() run with kstream.enable_fetch_scan on and off;
queries over a topic's table, or a table of which it is a partition, run there and
on a plain copy of the rows.  Each runs in one of several ways (as it is, prepared, by a cursor, ...) and under
settings that make the planner try other plans.  Ends after that many seconds or
queries, whichever comes first.

What a query returns twice is compared as a bag of rows, and SQLSTATEs as well.
Where they differ: seed and number (which --only repeats), the query, what
differs, and the shortest query that differs among some that are simpler.

Exit status 0: no difference; 1: one was found; 2: the program itself failed.
It makes and drops what it needs, all of it named fuzz*, in the database of DSN.

test/fuzz/fuzz.py
"""
import argparse
import collections
import random
import sys
import time

import psycopg2

from grammar import FETCH, PARTITIONS, RECORDS, TABLE, Query

SCHEMA = """
SELECT kstream.create_topic('fuzz', %d);
SELECT kstream.produce('fuzz', CASE WHEN i %% 4 > 0 THEN 'k' || i %% 5 END, CASE WHEN i %% 6 > 0 THEN 'v' || i * 7 %% 11 END,
                       CASE WHEN i %% 3 = 0 THEN jsonb_build_object('h', 'h' || i %% 4) END, partition => i %% %d,
                       event_time => '2020-01-01 00:00:00+00'::timestamptz + i * '30 s'::interval)
FROM generate_series(0, %d) i;
CREATE TABLE fuzz_rows (a bigint, b bigint, c text);
INSERT INTO fuzz_rows SELECT i, NULLIF(i %% 3, 0), 'k' || i FROM generate_series(0, 6) i;
""" % (PARTITIONS, PARTITIONS, PARTITIONS * RECORDS - 1)
CLEAN = """
DROP TABLE IF EXISTS fuzz_parent, fuzz_rows, fuzz_copy, fuzz_parent_copy;
SELECT kstream.drop_topic('fuzz', if_exists => true);
"""
COPY = """
CREATE TABLE fuzz_parent (LIKE kstream_topic.fuzz) PARTITION BY RANGE (partition);
ALTER TABLE fuzz_parent ATTACH PARTITION kstream_topic.fuzz FOR VALUES FROM (0) TO (%d);
CREATE TABLE fuzz_other PARTITION OF fuzz_parent FOR VALUES FROM (%d) TO (100);
INSERT INTO fuzz_other SELECT %d, i, '2020-01-01 00:00:00+00'::timestamptz + i * '1 min'::interval, ('k' || i)::bytea, NULL, NULL
FROM generate_series(0, 3) i;
CREATE TABLE fuzz_copy AS SELECT * FROM kstream_topic.fuzz;
CREATE TABLE fuzz_parent_copy AS SELECT * FROM fuzz_parent;
ANALYZE fuzz_copy, fuzz_parent_copy, fuzz_rows;
""" % (PARTITIONS, PARTITIONS, PARTITIONS)

PLANNER = ['enable_hashjoin', 'enable_nestloop', 'enable_mergejoin', 'enable_material', 'enable_memoize', 'enable_hashagg',
           'enable_sort', 'enable_incremental_sort', 'enable_presorted_aggregate']
WAYS = ['plain', 'plain', 'plain', 'prepared', 'prepared', 'cursor', 'scroll', 'hold', 'table', 'locked', 'update', 'plpgsql']
LIMITED = "SET statement_timeout = '2s'"
TIMEOUT = '57014'
SIMPLER = 150           # queries that are tried to find a short one


class Difference(Exception):
    pass


class Case:
    """A query, how it is run, and the settings it runs under."""

    def __init__(self, seed, number, depth=None):
        rng = random.Random('%s:%s:%s' % (seed, number, depth))
        self.source = FETCH if rng.random() < 0.75 else TABLE
        self.way = rng.choice(WAYS)
        query = Query(rng, self.source, rng.choice([0, 1, 1, 2, 2, 3]) if depth is None else depth, self.way == 'prepared')
        self.setup, self.sql, self.params = query.setup, query.sql, query.params
        self.settings = {name: 'off' for name in PLANNER if rng.random() < 0.15}
        if rng.random() < 0.2:
            self.settings.update({'from_collapse_limit': '1', 'join_collapse_limit': '1'})
        if rng.random() < 0.15:
            self.settings.update({'parallel_setup_cost': '0', 'parallel_tuple_cost': '0', 'min_parallel_table_scan_size': '0'})
        if rng.random() < 0.05:
            # the second is the name since PostgreSQL 16
            self.settings.update({'force_parallel_mode': 'on', 'debug_parallel_query': 'on'})
        if rng.random() < 0.1:
            self.settings.update({'enable_partitionwise_aggregate': 'on', 'enable_partitionwise_join': 'on'})
        if rng.random() < 0.1:
            self.settings['work_mem'] = '64kB'
        # compiling takes far longer than these queries
        self.settings['jit'] = 'on' if rng.random() < 0.01 else 'off'
        if self.way == 'prepared':
            self.settings['plan_cache_mode'] = rng.choice(['auto', 'force_generic_plan', 'force_custom_plan'])

    def __str__(self):
        lines = ["SET %s = '%s';" % item for item in self.settings.items()]
        lines += ['%s;' % text for text in self.setup]
        lines.append(self.sql + (';  -- with %r' % self.params if self.params else ';'))
        text = '\n'.join(lines).replace('{table}', 'kstream_topic.fuzz').replace('{parent}', 'fuzz_parent')
        return '-- %s, run as %s\n%s' % (self.source, self.way, text)


class Fuzzer:
    def __init__(self, dsn):
        self.connection = psycopg2.connect(dsn, application_name='fuzz')
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute(CLEAN)
        self.cursor.execute(SCHEMA)
        self.cursor.execute(COPY)
        self.cursor.execute(LIMITED)
        self.cursor.execute("SELECT name FROM pg_settings")
        self.known = {name for name, in self.cursor.fetchall()}
        self.slow = self.failed = self.rows = 0

    def execute(self, sql):
        # no parameters, so that a % is a %
        self.cursor.execute(sql)
        return self.cursor.fetchall() if self.cursor.description else []

    def fetch_in_pieces(self, options, sql):
        self.execute('DECLARE fuzz_cursor %s FOR %s' % (options, sql))
        rows = self.execute('FETCH 3 FROM fuzz_cursor')
        if 'HOLD' in options:
            self.execute('COMMIT')
        if options == 'SCROLL CURSOR':
            self.execute('FETCH BACKWARD 2 FROM fuzz_cursor')
            self.execute('MOVE ABSOLUTE %d FROM fuzz_cursor' % len(rows))
        rows += self.execute('FETCH ALL FROM fuzz_cursor')
        if options == 'SCROLL CURSOR':
            self.execute('MOVE ABSOLUTE 0 FROM fuzz_cursor')
            again = self.execute('FETCH ALL FROM fuzz_cursor')
            if again != rows:
                raise Difference('a scrolling cursor returned %r, then %r' % (rows, again))
        self.execute('CLOSE fuzz_cursor')
        return rows

    def run_way(self, case, sql):
        if case.way == 'prepared':
            self.execute('PREPARE fuzz_query%s AS %s' % ('(%s)' % ', '.join(['int'] * len(case.params)) if case.params else '', sql))
            rows = []
            for shift in (0, 1, 0):
                values = [str(max(value - shift, 0)) for value in case.params]
                rows += self.execute('EXECUTE fuzz_query' + ('(%s)' % ', '.join(values) if values else ''))
            self.execute('DEALLOCATE fuzz_query')
            return rows
        if case.way == 'cursor':
            return self.fetch_in_pieces('CURSOR', sql)
        if case.way == 'scroll':
            return self.fetch_in_pieces('SCROLL CURSOR', sql)
        if case.way == 'hold':
            return self.fetch_in_pieces('CURSOR WITH HOLD', sql)
        if case.way == 'table':
            self.execute('CREATE TEMP TABLE fuzz_made AS ' + sql)
            return self.execute('SELECT * FROM fuzz_made')
        if case.way == 'locked':
            return self.execute('SELECT q.* FROM fuzz_rows l LEFT JOIN (%s) q ON q.a = l.a FOR UPDATE OF l' % sql)
        if case.way == 'update':
            return self.execute('UPDATE fuzz_rows l SET c = COALESCE(q.c, l.c) FROM (SELECT s.a, max(s.b) AS b, max(s.c) AS c FROM (%s) s GROUP BY s.a) q '
                                'WHERE q.a = l.a RETURNING l.a, l.b, l.c, q.b' % sql)
        if case.way == 'plpgsql':
            self.execute('CREATE FUNCTION pg_temp.fuzz_loop() RETURNS SETOF fuzz_rows LANGUAGE plpgsql AS $l$ DECLARE r fuzz_rows; BEGIN '
                         'FOR r IN %s LOOP RETURN NEXT r; END LOOP; END $l$' % sql)
            return self.execute('SELECT * FROM pg_temp.fuzz_loop()')
        return self.execute(sql)

    def run_once(self, case, settings, table, parent):
        """What it returns, as a bag of rows, or its SQLSTATE."""
        def filled(text):
            return text.replace('{table}', table).replace('{parent}', parent)
        try:
            self.execute('BEGIN')
            for name, value in dict(case.settings, **settings).items():
                if name in self.known:
                    # SET, since a WITH HOLD cursor needs a commit; RESET ALL follows
                    self.execute("SET %s = '%s'" % (name, value))
            for text in case.setup:
                self.execute(filled(text))
            return collections.Counter(self.run_way(case, filled(case.sql)))
        except psycopg2.Error as error:
            if error.pgcode is None:
                raise
            return error.pgcode
        finally:
            if not self.connection.closed:
                # what was made is gone with the transaction, or with the session's temporary objects
                self.execute('ROLLBACK')
                self.execute('RESET ALL; DEALLOCATE ALL; CLOSE ALL; ' + LIMITED)
                if case.way == 'hold':
                    self.execute('DISCARD TEMP')
                    for text in reversed(case.setup):
                        if text.startswith('CREATE FUNCTION'):
                            self.execute('DROP FUNCTION IF EXISTS ' + text.split()[2])

    def run(self, case):
        """Raises Difference."""
        results = []
        for scan, table, parent in (('on', 'kstream_topic.fuzz', 'fuzz_parent'), ('off', 'fuzz_copy', 'fuzz_parent_copy')):
            results.append(self.run_once(case, {'kstream.enable_fetch_scan': scan}, table, parent))
            if results[-1] == TIMEOUT:
                self.slow += 1
                return
        one, two = results
        if isinstance(one, str):
            self.failed += 1
        else:
            self.rows += sum(one.values())
        if one == two:
            return
        if isinstance(one, str) or isinstance(two, str):
            raise Difference('one returned %s, the other %s' % (describe(one), describe(two)))
        raise Difference('only the first returned %s, only the second %s' % (describe(one - two), describe(two - one)))


def describe(result):
    if isinstance(result, str):
        return 'error ' + result
    rows = sorted(result.elements(), key=repr)
    return '%d rows %r%s' % (len(rows), rows[:5], ' ...' if len(rows) > 5 else '')


def find_simpler(fuzzer, seed):
    """The shortest of some simple queries that differ, or None."""
    found = []
    for number in range(SIMPLER):
        case = Case(seed, number, number % 2)
        try:
            fuzzer.run(case)
        except Difference as difference:
            found.append((len(str(case)), str(case), str(difference)))
    return min(found, default=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('dsn')
    parser.add_argument('--seed', type=int, default=None)
    parser.add_argument('--seconds', type=float, default=None)
    parser.add_argument('--queries', type=int, default=1000)
    parser.add_argument('--only', type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if options.seed is None else options.seed
    numbers = range(options.queries) if options.only is None else [options.only]
    fuzzer = Fuzzer(options.dsn)
    until = None if options.seconds is None else time.monotonic() + options.seconds
    done = 0
    for number in numbers:
        if until is not None and time.monotonic() > until:
            break
        case = Case(seed, number)
        try:
            fuzzer.run(case)
        except Difference as difference:
            print('seed %d, query %d differs:\n%s\n%s' % (seed, number, case, difference))
            simpler = find_simpler(fuzzer, seed) if options.only is None else None
            if simpler:
                print('a simpler one:\n%s\n%s' % simpler[1:])
            return 1
        except psycopg2.Error as error:
            print('seed %d, query %d lost its session:\n%s\n%s' % (seed, number, case, error))
            return 1
        done += 1
    fuzzer.execute(CLEAN)
    print('seed %d: %d queries, %d rows; %d failed alike, %d were too slow' % (seed, done, fuzzer.rows, fuzzer.failed, fuzzer.slow))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except (psycopg2.Error, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
