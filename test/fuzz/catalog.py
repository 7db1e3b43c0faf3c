"""Hostile rows in every table of the catalog and of the logs, then every way to read them.

The rows are written by a superuser, past triggers; so would a disk, a restore of
something else, or a slip.  Then functions, views, tables, maintenance, and now and
then a restart (--restart, a shell command) with the same again.  Errors are
right, whatever they say but "internal"; a lost session, a statement that cannot be
canceled and a server that does not come back are findings.

test/fuzz/catalog.py
"""
import subprocess
import time

import psycopg2

from hostile import Run, quote

SETUP = """
DROP EXTENSION IF EXISTS kstream CASCADE;
DROP TABLE IF EXISTS fuzz_captured, fuzz_wide, fuzz_like, fuzz_narrow, fuzz_empty, fuzz_parted CASCADE;
CREATE EXTENSION kstream;
CREATE TABLE fuzz_captured (a int, b int, c text, v text, PRIMARY KEY (a, b, c));
INSERT INTO fuzz_captured SELECT i, i % 3, 'c', 'v' FROM generate_series(1, 20) i;
DO $$ BEGIN EXECUTE 'CREATE TABLE fuzz_wide (' || (SELECT string_agg('c' || i || ' bigint', ', ') FROM generate_series(1, 400) i) || ')'; END $$;
DO $$ BEGIN EXECUTE 'INSERT INTO fuzz_wide VALUES (5' || repeat(', 4702111234474983745', 399) || ')'; END $$;
CREATE UNIQUE INDEX ON fuzz_wide (c1);
CREATE TABLE fuzz_narrow (last_offset text, base_offset text, stable_offset int, max_timestamp bool, batch text);
INSERT INTO fuzz_narrow VALUES ('x', 'y', 1, true, repeat('z', 5000));
CREATE UNIQUE INDEX ON fuzz_narrow (last_offset);
CREATE TABLE fuzz_empty ();
CREATE TABLE fuzz_parted (last_offset bigint, base_offset bigint, stable_offset bigint, max_timestamp bigint, batch bytea) PARTITION BY RANGE (last_offset);
SELECT kstream.create_topic('t', 3), kstream.create_topic('c', 1, '{"cleanup_policy": "compact", "segment_bytes": "1MB"}'), kstream.create_topic('e', 2);
SELECT count(kstream.produce('t', 'k' || i, 'v' || i)) FROM generate_series(1, 40) i;
SELECT count(kstream.produce('c', 'k' || i % 4, repeat('v', 100000))) FROM generate_series(1, 14) i;
CALL kstream.run_maintenance();
SELECT count(kstream.produce('c', 'k' || i % 4, repeat('v', 100000))) FROM generate_series(1, 14) i;
CALL kstream.run_maintenance();
CREATE TABLE fuzz_like (LIKE kstream.segment_template INCLUDING ALL);
INSERT INTO fuzz_like VALUES (7, 0, 0, 0, 'not a batch');
SELECT kstream.create_group('g'), kstream.create_group('h', '{"assignor": "range"}');
SELECT count(*) FROM kstream.poll('g', '{t,c}', 'm', max_records => 10, commit => true) r;
SELECT kstream.capture('fuzz_captured', 'e');
UPDATE fuzz_captured SET v = 'w' WHERE a = 1;
CALL kstream.snapshot('fuzz_captured', options => '{"chunk_size": 7}');
"""

READS = [
    "SELECT * FROM kstream.topics", "SELECT * FROM kstream.partitions", "SELECT * FROM kstream.segments", "SELECT * FROM kstream.stats", "SELECT * FROM kstream.in_flight",
    "SELECT * FROM kstream.compactions", "SELECT * FROM kstream.groups", "SELECT * FROM kstream.members", "SELECT * FROM kstream.committed_offsets", "SELECT * FROM kstream.lag",
    "SELECT * FROM kstream.captures", "SELECT * FROM kstream.snapshots", "SELECT * FROM kstream.maintenance", "SELECT * FROM kstream.worker", "SELECT * FROM kstream.replicas",
    "SELECT kstream.fetch('{topic}', {partition}, {offset})", "SELECT r.offset, length(r.value) FROM kstream.fetch('{topic}', {partition}, {offset}) r", "SELECT * FROM kstream.fetch_batches('{topic}', {partition}, {offset})",
    "SELECT * FROM kstream.list_offsets('{topic}')", "SELECT * FROM kstream.list_offsets('{topic}', now())", "SELECT * FROM kstream.list_offsets('{topic}', '1970-01-02')",
    "SELECT * FROM kstream.verify('{topic}')", "SELECT count(*), max(length(value)) FROM kstream_topic.{topic}", "SELECT * FROM kstream_topic.{topic} WHERE key = 'k1'", "SELECT max(\"offset\") FROM kstream_topic.{topic}",
    "SELECT * FROM kstream_topic.{topic} ORDER BY partition, \"offset\" DESC LIMIT 3", "EXPLAIN SELECT * FROM kstream_topic.{topic} WHERE \"offset\" > 3", "ANALYZE kstream_topic.{topic}",
    "SELECT kstream.produce('{topic}', 'k', 'v', partition => {partition})", "INSERT INTO kstream_topic.{topic} (key, value) VALUES ('k', 'v')",
    "SELECT * FROM kstream.poll('g', '{{{topic}}}', 'm', max_records => 5)", "SELECT * FROM kstream.poll('h', '{{t,c}}', max_records => 5, commit => true)", "SELECT * FROM kstream.poll(NULL, '{{{topic}}}')",
    "SELECT * FROM kstream.commit('g', 'm')", "SELECT kstream.commit('g', '{topic}', {partition}, {offset})", "SELECT * FROM kstream.reset_offsets('h', '{topic}', 'earliest')", "SELECT kstream.unsubscribe('g', 'm')",
    "SELECT kstream.alter_group('g', '{{}}')", "SELECT kstream.drop_group('h')", "SELECT kstream.delete_records('{topic}', {partition}, {offset})", "SELECT kstream.alter_topic('{topic}', '{{\"retention\": \"1 day\"}}')",
    "SELECT kstream.add_partitions('{topic}', 4)", "SELECT kstream.create_topic('new')", "SELECT kstream.drop_topic('new')",
    "UPDATE fuzz_captured SET v = v || 'x' WHERE a = 2", "INSERT INTO fuzz_captured VALUES (100, 1, 'c') ON CONFLICT DO NOTHING", "CALL kstream.snapshot('fuzz_captured', options => '{{\"chunk_size\": 3}}')",
    "SELECT kstream.capture('fuzz_captured', 'e')", "SELECT kstream.uncapture('fuzz_captured')",
    "CALL kstream.run_maintenance()", "CALL kstream.run_maintenance()",
]
# Last, since there is nothing to read then.
DROPS = ["TRUNCATE kstream_topic.t", "SELECT kstream.drop_topic('t')", "DROP FOREIGN TABLE kstream_topic.c CASCADE", "DROP TABLE fuzz_captured", "DROP EXTENSION kstream CASCADE"]

RELATIONS = ['fuzz_wide', 'fuzz_like', 'fuzz_narrow', 'fuzz_empty', 'fuzz_parted', 'fuzz_captured', 'pg_class', 'pg_authid', 'pg_class_oid_index', 'kstream.topics', 'kstream.topic', 'kstream.topic_id_seq',
             'kstream_topic.t', 'kstream_topic.c', 'kstream_topic.e', 'kstream.segment_template', 'pg_toast.pg_toast_1255', 'kstream.segment_pkey']


def value(run, type):
    random = run.random
    top = 1 << 63 if type == 'bigint' else 1 << 31
    if type in ('bigint', 'integer'):
        # half of them are numbers that topics, partitions and segments have
        if random.randrange(2):
            return '%d' % random.choice([0, 1, 2, 3])
        return '%d' % random.choice([0, 1, -1, 2, 3, 10, 1000, top - 1, top - 2, -top, top // 2, random.randrange(-top, top)])
    if type == 'regclass':
        if random.randrange(3) == 0:
            return "(SELECT oid FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace ORDER BY relkind = 'r' DESC, random() LIMIT 1)"
        if random.randrange(2):
            return "%s::regclass" % quote(random.choice(RELATIONS[:4]))
        return random.choice(['0', '99999999', '4294967295'] + ["%s::regclass" % quote(name) for name in RELATIONS])
    return {
        'text': lambda: quote(random.choice(['t', 'c', 'e', 'g', 'm', '', 'x' * 300, 'postgres', 'nobody at all', 'a,b,c', '\\', '%s'])),
        'text[]': lambda: random.choice(["'{}'", "'{3}'", "'{1,2,c,4,5}'", "'{NULL,NULL,NULL}'", "'{{1,2},{3,4}}'", "'{insert,update,delete}'", "'[5:7]={1,2,3}'", "'{x,y,z}'"]) + '::text[]',
        'jsonb': lambda: quote(random.choice(['{}', '[]', 'null', '"x"', '1', '{"owner": 1}', '{"session_timeout": "x"}', '{"session_timeout": -5}', '{"assignor": "none"}', '{"columns": 5}', '{"when": "nope("}', '{"x": [[[]]]}'])) + '::jsonb',
        'boolean': lambda: random.choice(['true', 'false']),
        'uuid': lambda: random.choice(['gen_random_uuid()', "'00000000-0000-0000-0000-000000000000'"]),
        'timestamp with time zone': lambda: "timestamptz '%s'" % random.choice(['infinity', '-infinity', 'now', '294276-12-31', '1970-01-01', '4713-01-01 BC']),
        'bytea': lambda: quote('\\x' + bytes(random.randrange(256) for _ in range(random.choice([0, 1, 60, 61, 62, 200, 5000]))).hex()) + '::bytea',
    }.get(type, lambda: 'NULL')()


def tables(connection):
    cursor = connection.cursor()
    cursor.execute("""SELECT c.oid::regclass::text, array_agg(a.attname::text ORDER BY attnum), array_agg(format_type(a.atttypid, NULL) ORDER BY attnum), array_agg(a.attnotnull ORDER BY attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
        WHERE c.relnamespace IN ('kstream'::regnamespace, 'kstream_log'::regnamespace) AND c.relkind = 'r' GROUP BY c.oid ORDER BY c.relname""")
    return cursor.fetchall()


def damage(run, all):
    """A statement that writes one hostile row, or changes one."""
    # what the catalog points at is where most can go wrong
    pointing = [entry for entry in all if 'regclass' in entry[2]]
    segment = [entry for entry in all if entry[0] == 'kstream.segment']
    table, names, types, required = run.random.choice(run.random.choice([segment, pointing, all, all]))
    kind = run.random.randrange(10)
    if kind == 0:
        return 'DELETE FROM %s WHERE ctid IN (SELECT ctid FROM %s ORDER BY random() LIMIT 1)' % (table, table)
    values = ['NULL' if not required[i] and run.random.randrange(5) == 0 else value(run, types[i]) for i in range(len(names))]
    if kind < 4:
        return 'INSERT INTO %s (%s) VALUES (%s)' % (table, ', '.join('"%s"' % name for name in names), ', '.join(values))
    if run.random.randrange(2) and 'regclass' in types:
        return 'UPDATE %s SET "%s" = %s' % (table, names[types.index('regclass')], values[types.index('regclass')])
    changed = run.random.sample(range(len(names)), run.random.choice([1, 1, 1, min(2, len(names))]))
    where = '' if run.random.randrange(3) == 0 else ' WHERE ctid IN (SELECT ctid FROM %s ORDER BY random() LIMIT 1)' % table
    return 'UPDATE %s SET %s%s' % (table, ', '.join('"%s" = %s' % (names[i], values[i]) for i in changed), where)


def setup(run):
    connection = run.connect(timeout='60s')
    cursor = connection.cursor()
    # a hostile row may be in the way of the drop itself
    cursor.execute("DO $$ BEGIN DELETE FROM kstream.capture; EXCEPTION WHEN undefined_table OR invalid_schema_name THEN NULL; END $$")
    for statement in SETUP.strip().split(';\n'):
        cursor.execute(statement)
    run.history = []
    connection.close()


def read(run, count):
    connection = run.connect()
    for statement in run.random.sample(READS, count):
        statement = statement.format(topic=run.random.choice('tce'), partition=run.random.choice([0, 0, 0, 1, 2]), offset=run.random.choice([0, 0, 1, 5, 20, 9223372036854775806]))
        run.note(statement)
        if run.execute(connection, statement, also='XX00[12]') is None:
            return False
    connection.close()
    return True


def usable(run):
    """Wait until the server takes connections; False when it does not."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            run.connect().close()
            return True
        except psycopg2.Error:
            time.sleep(0.1)
    run.finding('the server does not come back', '')
    return False


def drop_all(run):
    connection = run.connect(timeout='20s')
    for statement in DROPS:
        run.note(statement)
        if run.execute(connection, statement, also='XX00[12]') is None:
            return False
    connection.close()
    return True


def main():
    run = Run(__doc__, ('--restart', 'a shell command that restarts the server'))
    rounds = 0
    while run.on() and usable(run):
        try:
            setup(run)
        except psycopg2.OperationalError as error:
            # a background process may have brought the server down meanwhile
            run.finding('it cannot be set up again: %s' % str(error).strip(), '')
            break
        rounds += 1
        superuser = run.connect(timeout='10s')
        superuser.cursor().execute('SET session_replication_role = replica')
        all = tables(superuser)
        for _ in range(run.random.choice([1, 1, 2, 3, 6])):
            statement = damage(run, all)
            run.note(statement)
            run.execute(superuser, statement)
        superuser.close()
        if not read(run, 30):
            continue
        if run.options.restart and rounds % 5 == 0:
            run.note('restart')
            subprocess.run(run.options.restart, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if not usable(run):
                break
            if not read(run, 30):
                continue
        drop_all(run)
    usable(run)
    print('%d rounds' % rounds)
    run.end()


main()
