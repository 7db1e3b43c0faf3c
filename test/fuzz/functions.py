"""Every function and procedure of kstream with hostile arguments.

As a role without any right, as one that owns topics and tables, and as a
superuser; alone and in transactions with savepoints.  The signatures come from
pg_proc, so a new function needs nothing here.

test/fuzz/functions.py
"""
from hostile import Run, quote

SETUP = """
RESET ROLE;
DROP TABLE IF EXISTS fuzz_table, fuzz_part CASCADE;
DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT relation FROM kstream.topics LOOP EXECUTE format('DROP FOREIGN TABLE %s CASCADE', t); END LOOP; END $$;
CREATE TABLE fuzz_table (id int PRIMARY KEY, v text, j jsonb);
CREATE TABLE fuzz_part (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE fuzz_part_1 PARTITION OF fuzz_part FOR VALUES FROM (0) TO (10);
ALTER TABLE fuzz_table OWNER TO fuzz_maker;
ALTER TABLE fuzz_part OWNER TO fuzz_maker;
INSERT INTO fuzz_table SELECT i, 'v', '{"a": 1}' FROM generate_series(1, 20) i;
SELECT kstream.create_topic('f.super', 2);
SET ROLE fuzz_maker;
SELECT kstream.create_topic('f.one', 3), kstream.create_topic('f.compact', 1, '{"cleanup_policy": "compact", "key_type": "text", "value_type": "jsonb"}');
SELECT kstream.create_topic('f.small', 1, '{"segment_bytes": "1MB", "max_message_bytes": 1000, "compression": "lz4"}');
SELECT kstream.produce('f.one', 'k' || i, 'v') FROM generate_series(1, 30) i;
SELECT kstream.produce('f.compact', 'k' || i % 3, '{}') FROM generate_series(1, 9) i;
SELECT kstream.capture('fuzz_table', 'f.one');
RESET ROLE;
"""

# Names that mean something to kstream, and some that should not.
NAMES = ['f.one', 'f.compact', 'f.small', 'f.super', 'f_one', 'fuzz', 'public.fuzz_table', 'f.' + 'x' * 240, 'f' * 249, 'f' * 250, '', '.', '..', 'a b', '"', "'", '\\', 'é', '\u2028',
         'latest', 'earliest', '-1', '9223372036854775807', '+9223372036854775808', '2020-01-01', 'infinity', 'm', 'g', 'NULL', '%s%n', 'true) or (', 'x' * 5000]
OPTIONS = ['{}', '[]', 'null', '1', '"x"', '{"a": 1}', '{"retention": "1 day"}', '{"retention": "-1 day"}', '{"retention": null, "segment_bytes": "1MB"}', '{"partitions": 3}', '{"partitions": 1e400}',
           '{"partitions": -2147483649}', '{"max_message_bytes": 1e18}', '{"compression": "zstd"}', '{"cleanup_policy": "compact,delete"}', '{"key_type": "jsonb", "value_type": "text"}', '{"key_type": ["text"]}',
           '{"when": "id > 5"}', '{"when": "(SELECT true)"}', '{"when": "true) or ("}', '{"when": "v"}', '{"columns": ["id", "v"]}', '{"exclude": ["id"]}', '{"columns": ["nope"]}', '{"columns": [null, 1]}',
           '{"chunk_size": 1}', '{"chunk_size": 0}', '{"session_timeout": "1 s"}', '{"session_timeout": "1000 years"}', '{"owner": "fuzz_nobody"}', '{"owner": "nobody at all"}', '{"offsets_retention": "0"}',
           '{"assignor": "range"}', '{"auto_offset_reset": "none"}', '{"min_insync_replicas": 100}', '{"timestamp_type": "LogAppendTime"}', '{"' + 'k' * 1000 + '": {}}', '{"retention.ms": "x"}', '{"a": {"b": [[[[]]]]}}']


class Values:
    """A literal for a parameter, by its type and its name."""

    def __init__(self, random):
        self.random = random

    def integer(self, bits):
        top = 1 << (bits - 1)
        return self.random.choice([0, 1, -1, 2, 3, 7, 1000, top - 1, -top, -top + 1, top // 2, self.random.randrange(-top, top)])

    def text(self):
        return quote(self.random.choice(NAMES))

    def bytes(self):
        return quote('\\x' + bytes(self.random.randrange(256) for _ in range(self.random.choice([0, 1, 5, 61, 300]))).hex()) + '::bytea'

    def array(self, element):
        shape = self.random.randrange(10)
        if shape == 0:
            return "'{}'"
        if shape == 1:
            return 'ARRAY[[%s], [%s]]' % (element(), element())
        if shape == 2:
            return 'array_fill(%s, ARRAY[%d])' % (element(), self.random.choice([1, 1000, 20000]))
        if shape == 3:
            return 'array_fill(%s, ARRAY[2], ARRAY[%d])' % (element(), self.random.choice([-5, 0, 7]))
        return 'ARRAY[%s]' % ', '.join('NULL' if self.random.randrange(6) == 0 else element() for _ in range(self.random.randrange(1, 6)))

    def timestamp(self):
        return "timestamptz '%s'" % self.random.choice(['now', 'infinity', '-infinity', '1969-12-31', '1970-01-01', '294276-12-31', '4713-01-01 BC', '2020-02-29'])

    def interval(self):
        return "interval '%s'" % self.random.choice(['0', '1 ms', '10 ms', '100 ms', '-1 s', '178000000 years', '-178000000 years', '1 month', '0.0000001 s'])

    def any(self):
        return self.random.choice(['1', "'x'::text", 'NULL::int', "'{}'::jsonb", "'[1,2]'::json", 'now()', "ROW(1, 'x')", 'ARRAY[1,2]', "''::bytea", '1.5', "'NaN'::float8", "'1 day'::interval", "'<a/>'::xml",
                                   "'x'::name", "'a'::\"char\"", 'true', "'12.5'::money", "'{1}'::int[][]", "(SELECT t FROM fuzz_table t LIMIT 1)", "'[1,5)'::int4range", "'abc'::char(10)", "B'101'", "'pg_class'::regclass"])

    def options(self):
        return quote(self.random.choice(OPTIONS)) + '::jsonb'

    def relation(self):
        return self.random.choice(["'fuzz_table'", "'fuzz_part'", "'fuzz_part_1'", "'pg_class'", "'kstream.topic'", "'kstream_topic.\"f.one\"'", '0', '99999999', "'pg_toast.pg_toast_1255'", "'kstream.topics'", "'fuzz_table_pkey'"]) + '::regclass'

    def of(self, type, name):
        if self.random.randrange(12) == 0:
            return 'NULL::%s' % ('text' if type == '"any"' else type)
        makers = {
            'integer': lambda: '%d::int' % self.integer(32), 'bigint': lambda: '%d::bigint' % self.integer(64), 'text': self.text, 'bytea': self.bytes, 'boolean': lambda: self.random.choice(['true', 'false']),
            'jsonb': self.options, 'interval': self.interval, 'timestamp with time zone': self.timestamp, 'oid': lambda: str(self.integer(32) & 0xffffffff), 'regclass': self.relation, '"any"': self.any,
            'text[]': lambda: self.array(self.text) + '::text[]', 'name[]': lambda: self.array(lambda: self.random.choice(["'id'", "'v'", "'nope'", "''"])) + '::name[]',
            'bytea[]': lambda: self.array(self.bytes) + '::bytea[]', 'jsonb[]': lambda: self.array(self.options) + '::jsonb[]', 'timestamp with time zone[]': lambda: self.array(self.timestamp) + '::timestamptz[]',
            'bigint[]': lambda: self.array(lambda: '%d::bigint' % self.integer(64)) + '::bigint[]', 'integer[]': lambda: self.array(lambda: '%d::int' % self.integer(32)) + '::int[]', 'double precision': lambda: "'NaN'::float8"}
        if name == 'max_wait':
            return self.random.choice(["'0'", "'1 ms'", "'-1 s'", "'20 ms'", 'NULL']) + '::interval'
        if name == 'group_id' and self.random.randrange(2):
            return quote('g%d' % self.random.randrange(4))
        return makers[type]() if type in makers else 'NULL'


def signatures(connection):
    cursor = connection.cursor()
    cursor.execute("""SELECT format('kstream.%I', proname), prokind, prorettype::regtype::text, pronargdefaults,
            ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) t), COALESCE(proargnames, '{}')
        FROM pg_proc WHERE pronamespace = 'kstream'::regnamespace ORDER BY oid""")
    return cursor.fetchall()


def call(run, values, signature):
    name, kind, result, defaults, types, names = signature
    count = run.random.randrange(len(types) - defaults, len(types) + 1)
    arguments = ', '.join(values.of(types[i], names[i] if i < len(names) else '') for i in range(count))
    if kind == 'p':
        return 'CALL %s(%s)' % (name, arguments)
    if run.random.randrange(2) and result != 'trigger':
        return 'SELECT * FROM %s(%s) f' % (name, arguments)
    return 'SELECT %s(%s)' % (name, arguments)


def setup(run, superuser):
    for statement in SETUP.strip().split(';\n'):
        if statement.strip():
            superuser.cursor().execute(statement)
    run.history = []


def main():
    run = Run(__doc__)
    superuser = run.connect(timeout='30s')
    cursor = superuser.cursor()
    cursor.execute("DO $$ BEGIN CREATE ROLE fuzz_nobody LOGIN; CREATE ROLE fuzz_maker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    cursor.execute("GRANT CREATE ON SCHEMA kstream_topic TO fuzz_maker; GRANT USAGE ON SCHEMA public TO PUBLIC")
    all = signatures(superuser)
    values = Values(run.random)
    sessions = {}
    while run.on():
        setup(run, superuser)
        for user in ('fuzz_nobody', 'fuzz_maker', None):
            if user not in sessions or sessions[user].closed:
                sessions[user] = run.connect(user)
        for _ in range(60):
            user = run.random.choice(list(sessions))
            connection = sessions[user]
            statements = [call(run, values, run.random.choice(all)) for _ in range(run.random.choice([1, 1, 1, 3, 6]))]
            if len(statements) > 1:
                marked = []
                for statement in statements:
                    marked += ['SAVEPOINT s', statement, run.random.choice(['ROLLBACK TO s', 'RELEASE s'])]
                statements = ['BEGIN ISOLATION LEVEL ' + run.random.choice(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])] + marked + [run.random.choice(['COMMIT', 'ROLLBACK', 'COMMIT'])]
            for statement in statements:
                run.note('%s: %s' % (user or 'superuser', statement))
                state = run.execute(connection, statement)
                if state is None:
                    break
                if state and statement.startswith('RELEASE'):
                    run.execute(connection, 'ROLLBACK TO s')
            if connection.closed:
                sessions.pop(user)
                break
            if len(statements) > 1 and connection.info.transaction_status != 0:
                run.execute(connection, 'ROLLBACK')
            if not run.on():
                break
        if superuser.closed:
            break
    run.end()


main()
