"""The captured table, its clients, and what is read of it at the end.

Two clients change its rows, two more call kstream.snapshot() again and again, which
share the work when they meet.  Of ten ids one is left alone, so that a snapshot
has rows that nothing but it tells of.  See changes.py for what is judged.

test/history/captured.py
"""
import io
import json
import time

import psycopg2

from changes import Captured, name_of
from workload import CAPTURED, EXPECTED, PARTITIONS, POINTS, Client, Mixed

IDS = 200               # ids below
QUIET = 9               # the last digit of those that nobody changes

SCHEMA = """
CREATE TABLE stock (id int PRIMARY KEY, v text NOT NULL UNIQUE, pad text NOT NULL);
ALTER TABLE stock ALTER pad SET STORAGE EXTERNAL;
INSERT INTO stock SELECT i, 'base.' || i, '' FROM generate_series(0, %(ids)d - 1) i WHERE i %% 10 = %(quiet)d OR i %% 3 = 0;
CREATE TABLE audit (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, txn text, before jsonb, after jsonb);
CREATE FUNCTION image(stock) RETURNS jsonb LANGUAGE sql AS 'SELECT jsonb_build_array($1.id, $1.v, length($1.pad))';
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO audit (txn, before, after) VALUES (current_setting('history.txn'),
        CASE WHEN TG_OP <> 'INSERT' THEN image(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN image(NEW) END);
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON stock FOR EACH ROW EXECUTE FUNCTION audit();
CREATE FUNCTION change_in_block(which int[], tag text, fails bool) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
    UPDATE stock SET v = tag || id WHERE id = ANY (which);
    IF fails THEN RAISE 'no'; END IF;
EXCEPTION WHEN raise_exception THEN NULL; END $$;
SELECT kstream.capture('stock', '%(topic)s');
""" % {'ids': IDS, 'quiet': QUIET, 'topic': CAPTURED}


class Capturer(Mixed):
    """As the mixed clients, but most of what it sends are changes of the captured table."""
    captures = True
    expected = EXPECTED | {'23505'}

    def fill(self, cursor, txn, moved):
        cursor.execute("SELECT set_config('history.txn', %s, true)", (txn.name,))
        super().fill(cursor, txn, moved)

    def send(self, cursor, txn, deferred):
        if self.random.random() < 0.15:
            super().send(cursor, txn, deferred)
        elif self.random.random() < 0.4:
            # a unique violation is taken back, and the transaction goes on
            cursor.execute('SAVEPOINT change')
            try:
                self.change(cursor)
                cursor.execute('RELEASE change')
            except psycopg2.errors.UniqueViolation:
                cursor.execute('ROLLBACK TO change')
        else:
            self.change(cursor)

    def change(self, cursor):
        self.random.choice((self.insert, self.upsert, self.upsert, self.update, self.update, self.update_range,
                            self.delete, self.move, self.move, self.copy, self.merge, self.in_block))(cursor)

    def ids(self, most=8):
        """Some; the first tens are busier."""
        tens = [min(int(self.random.expovariate(0.1)), IDS // 10 - 1) for _ in range(self.random.randint(1, most))]
        return sorted({ten * 10 + self.random.randrange(QUIET) for ten in tens})

    def tag(self):
        return self.value() + ':'

    def pad(self):
        return 'x' * (self.random.randrange(200) if self.random.random() < 0.95 else 5000)

    def rows(self):
        tag = self.tag()
        return [(i, tag + str(i), self.pad()) for i in self.ids()]

    def columns(self):
        return tuple(map(list, zip(*self.rows())))

    def insert(self, cursor):
        cursor.execute('INSERT INTO stock SELECT * FROM unnest(%s::int[], %s::text[], %s::text[])', self.columns())

    def upsert(self, cursor):
        cursor.execute('INSERT INTO stock SELECT * FROM unnest(%s::int[], %s::text[], %s::text[])'
                       ' ON CONFLICT (id) DO UPDATE SET v = excluded.v', self.columns())

    def update(self, cursor):
        cursor.execute('UPDATE stock SET v = %s || id WHERE id = ANY (%s)', (self.tag(), self.ids()))

    def update_range(self, cursor):
        first = self.ids(1)[0]
        cursor.execute('UPDATE stock SET v = %s || id, pad = %s WHERE id BETWEEN %s AND %s AND id %% 10 <> %s',
                       (self.tag(), self.pad(), first, first + 20, QUIET))

    def delete(self, cursor):
        cursor.execute('DELETE FROM stock WHERE id = ANY (%s)', (self.ids(4),))

    def move(self, cursor):
        """The key changes; to one that is free, mostly."""
        there = self.ids(1)[0]
        cursor.execute('UPDATE stock SET id = %s, v = %s WHERE id = %s', (there, self.tag() + str(there), self.ids(1)[0]))

    def copy(self, cursor):
        rows = self.rows()
        cursor.execute('DELETE FROM stock WHERE id = ANY (%s)', ([i for i, _, _ in rows],))
        cursor.copy_expert('COPY stock FROM STDIN', io.StringIO(''.join('%d\t%s\t%s\n' % row for row in rows)))

    def merge(self, cursor):
        cursor.execute('MERGE INTO stock USING unnest(%s::int[], %s::text[], %s::text[]) AS u(id, v, pad) ON stock.id = u.id'
                       ' WHEN MATCHED AND length(u.pad) %% 3 = 0 THEN DELETE'
                       ' WHEN MATCHED THEN UPDATE SET v = u.v'
                       ' WHEN NOT MATCHED THEN INSERT VALUES (u.id, u.v, u.pad)', self.columns())

    def in_block(self, cursor):
        cursor.execute('SELECT change_in_block(%s, %s, %s)', (self.ids(), self.tag(), self.random.random() < 0.4))


class Snapshotter(Client):
    """Each call goes on where one has failed, or begins again."""
    points = POINTS + ('snapshot.range=sleep:20', 'snapshot.read=sleep:20', 'snapshot.read=sleep:50',
                       'snapshot.range:2=error', 'snapshot.read:2=error') * 4

    def work(self):
        attempt = self.begin('READ COMMITTED')
        try:
            self.connection.cursor().execute('CALL kstream.snapshot(%s, %s, %s)', (
                'stock', CAPTURED, json.dumps({'chunk_size': self.random.choice((7, 25, 100))})))
        except psycopg2.Error as error:
            self.failed(attempt, error)
        time.sleep(self.random.random() * 0.6)


def clients(run):
    return [Capturer(run, 't0'), Capturer(run, 't1'), Snapshotter(run, 'p0'), Snapshotter(run, 'p1')]


# ---- at the end

def image(row):
    return row and [row['id'], row['v'], len(row['pad'])]


def gather(cursor):
    """The last snapshot is brought to its end; what clients said of a record is what is said here."""
    cursor.execute('SELECT count(*) FROM kstream.snapshots WHERE finished_at IS NOT NULL')
    if cursor.fetchone()[0] == 0:
        cursor.execute('CALL kstream.snapshot(%s, %s)', ('stock', CAPTURED))
    captured = Captured(records={})
    for partition in range(PARTITIONS):
        rows = captured.records['%s/%d' % (CAPTURED, partition)] = []
        cursor.execute('SELECT r.offset, kstream.json(r.key), kstream.text(r.value)'
                       ' FROM kstream.fetch(%s, %s, 0, 2147483647, 2147483647) r', (CAPTURED, partition))
        for offset, key, text in cursor.fetchall():
            value = json.loads(text) if text is not None else {'op': '-', 'source': {}}
            rows.append([offset, key['id'], value['op'], image(value.get('before')), image(value.get('after')),
                         value['source'].get('txId')])
    cursor.execute('SELECT txn, before, after FROM audit ORDER BY seq')
    captured.audit = cursor.fetchall()
    cursor.execute('SELECT id, v, length(pad) FROM stock')
    captured.table = [list(row) for row in cursor.fetchall()]
    captured.base = [[i, 'base.%d' % i, 0] for i in range(IDS) if i % 10 == QUIET or i % 3 == 0]
    return vars(captured)


def final(captured):
    """As the other places are kept."""
    return {k: [[offset, name_of(op, before, after, offset)] for offset, _, op, before, after, _ in rows]
            for k, rows in captured['records'].items()}
