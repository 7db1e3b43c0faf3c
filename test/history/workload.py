"""The clients of a history run: mixed ones, consumers that copy or note what
they consume exactly once, and a sampler.

Each is a process with one connection at a time.  It writes a line of JSON for
each transaction it tried (checker.Txn); a new connection is a new process in
the sense of the checker.  What a client may meet without fault is in EXPECTED;
anything else is a finding of its own.

A writing transaction also leaves its name in the table witness, which tells
afterwards what became of a COMMIT without an answer.  (pg_xact_status() would
not do: after a crash a transaction id that no WAL was flushed for is given
to another transaction.)

test/history/workload.py
"""
import io
import json
import os
import random
import socket
import threading
import time

import psycopg2
import psycopg2.extensions

from changes import name_of
from checker import Txn, key_of, topic_of

PARTITIONS = 4
TOPICS = ('a', 'b', 'c', 'd')       # mixed clients write to them
COPIED = 'copied'                   # the copiers write to it
KEPT = 'kept'                       # is compacted
APPEND_TIME = 'c'                   # its records are stamped by the server
CAPTURED = 'captured'               # the changes of a table, see captured.py
EVERY_TOPIC = TOPICS + (COPIED, KEPT, CAPTURED)
PLACES = ['%s/%d' % (t, p) for t in TOPICS for p in range(PARTITIONS)]
ALL_PLACES = ['%s/%d' % (t, p) for t in EVERY_TOPIC for p in range(PARTITIONS)]
GROUPS = {'copy': ['a', 'b'], 'sink': ['c', 'd']}

SCHEMA = """
CREATE TABLE witness (name text);
CREATE TABLE sink (grp text, topic text, part int, off bigint, value text);
CREATE TABLE outbox (topic text, part int, value text);
CREATE TABLE outbox_deferred (topic text, part int, value text);
CREATE FUNCTION to_topic() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM kstream.produce(NEW.topic, NULL, NEW.value, partition => NEW.part); RETURN NULL; END $$;
CREATE TRIGGER to_topic AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION to_topic();
CREATE CONSTRAINT TRIGGER to_topic AFTER INSERT ON outbox_deferred DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION to_topic();
CREATE FUNCTION produce_in_block(topic text, part int, value text, fails bool) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
    PERFORM kstream.produce(topic, NULL, value, partition => part);
    IF fails THEN RAISE 'no'; END IF;
EXCEPTION WHEN raise_exception THEN NULL; END $$;
CREATE FUNCTION fetch_stable(topic text, part int, start bigint, records int)
RETURNS TABLE (o bigint, v text) LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN QUERY SELECT r.offset, kstream.text(r.value) FROM kstream.fetch(topic, part, start, records) r; END $$;
"""

# serialization, deadlock, lock timeout, fenced, no member, name in use, cancelled, too many connections,
# a debug point
EXPECTED = {'40001', '40P01', '55P03', 'KS110', 'KS025', '55006', '57014', '53300', '57000'}
# the connection is gone, or the server is not to be written to (yet)
GONE = ('08', '57P', '25006')

POINTS = (
    'precommit.locked=sleep:1', 'precommit.reserved=sleep:2', 'precommit.row_n:2=sleep:2', 'precommit.written=sleep:2',
    'precommit.done=sleep:2', 'commit.before_dereg=sleep:2', 'commit.after_dereg=sleep:1', 'commit.before_wake=sleep:1',
    'abort.before_dereg=sleep:2', 'fetch.after_lso=sleep:2', 'fetch.after_snapshot=sleep:3', 'fetch.before_wait=sleep:1',
    'fetch.segment_open=sleep:1', 'init.scan=sleep:5', 'group.pre_commit=sleep:2', 'offsets.before_update=sleep:2',
    'poll.claimed=sleep:2', 'group.joined=sleep:2',
    # what fails with offsets taken leaves a hole
    'precommit.written:2=error', 'precommit.reserved:3=error', 'precommit.done:2=error',
)


def said(k, offset, text):
    """What a record says: the first word, of a change its name."""
    if topic_of(k) != CAPTURED:
        return text.split(' ', 1)[0]
    if text is None:
        return name_of('-', None, None, offset)
    change = json.loads(text)
    rows = [row and [row['id'], row['v']] for row in (change['before'], change['after'])]
    return name_of(change['op'], rows[0], rows[1], offset)


class Client:
    """A process with a connection that it gets again when it is lost."""
    captures = False        # it writes to the captured table
    expected = EXPECTED
    points = POINTS

    def __init__(self, run, name):
        self.run = run                  # directory, seed, events; see history.py
        self.name = name
        self.random = random.Random('%s/%s' % (run.seed, name))
        self.connection = None
        self.session = 0
        self.sequence = 0
        self.attempts = 0
        self.file = None

    def server(self):
        return self.run.primary()

    def connect(self):
        while self.connection is None:
            try:
                self.connection = psycopg2.connect(self.server(), application_name='history ' + self.name)
                self.connection.autocommit = True
                self.session += 1
                cursor = self.connection.cursor()
                self.connected(cursor)
            except psycopg2.Error:
                self.disconnect()
                if self.run.over.is_set():
                    raise
                time.sleep(0.05)
        return self.connection.cursor()

    def connected(self, cursor):
        """For what a client does first in a session."""

    def perturb(self):
        """Widen another race for the next transactions."""
        if self.run.perturb and self.random.random() < 0.04:
            point = self.random.choice(self.points) if self.random.random() < self.run.perturb else ''
            self.connection.cursor().execute('SET kstream.debug_point = %s', (point,))

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def crash(self):
        """As if the client had died: no goodbye, maybe amid a statement."""
        try:
            with socket.socket(fileno=os.dup(self.connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg2.Error, AttributeError):
            pass

    def value(self):
        self.sequence += 1
        return '%s.%d' % (self.name, self.sequence)

    def begin(self, isolation):
        self.attempts += 1
        return Txn(name='%s:%d' % (self.name, self.attempts), process='%s#%d' % (self.name, self.session),
                   isolation=isolation, begun=time.monotonic(), error='did not get to its COMMIT')

    def commit(self, cursor, txn):
        if txn.writes or txn.moves or self.captures:
            cursor.execute('INSERT INTO witness VALUES (%s)', (txn.name,))
        crasher = None
        if self.random.random() < 0.002:
            crasher = threading.Timer(self.random.random() * 0.004, self.crash)
            crasher.start()
        txn.sent = time.monotonic()
        txn.outcome = 'info'
        cursor.execute('COMMIT')
        txn.acked = time.monotonic()
        txn.outcome = 'ok' if cursor.statusmessage == 'COMMIT' else 'fail'
        txn.error = None if txn.outcome == 'ok' else cursor.statusmessage
        if crasher is not None:
            crasher.join()

    def rollback(self, cursor, txn):
        txn.error = 'rolled back'
        cursor.execute('ROLLBACK')

    def failed(self, txn, error):
        """After an error: note it, and be ready for the next transaction."""
        code = error.pgcode or ''
        gone = self.connection is None or self.connection.closed or code == '' or code.startswith(GONE)
        txn.error = code or 'connection lost'
        if txn.outcome == 'info' and not gone:
            txn.outcome = 'fail'
        if not gone and code not in self.expected and code != 'KS001':
            self.note({'finding': 'unexpected-error', 'text': '%s met %s %s' % (txn.name, code, str(error).strip())})
        if not gone:
            try:
                self.connection.cursor().execute('ROLLBACK')
                return
            except psycopg2.Error:
                pass
        self.disconnect()

    def note(self, what):
        self.file.write(json.dumps(what) + '\n')

    def work(self):
        raise NotImplementedError

    def main(self):
        with open(os.path.join(self.run.directory, 'client-%s.jsonl' % self.name), 'w') as self.file:
            try:
                while not self.stopped():
                    try:
                        self.connect()
                        self.perturb()
                        self.work()
                    except psycopg2.Error:
                        self.disconnect()
            finally:
                self.disconnect()

    def stopped(self):
        return self.run.writing_over.is_set()


class Mixed(Client):
    """Transactions of sends and polls; polls are fetches at positions that the client keeps."""

    def __init__(self, run, name):
        super().__init__(run, name)
        self.known = {}         # where it once was in each place
        self.positions = {}
        self.subscribe()

    def subscribe(self):
        """A new assignment; what it had before goes on where it was."""
        self.known.update(self.positions)
        chosen = self.random.sample(ALL_PLACES, self.random.randint(2, len(ALL_PLACES)))
        self.positions = {k: self.known.get(k, 0) for k in chosen}

    def partition(self):
        return min(int(self.random.expovariate(1.2)), PARTITIONS - 1)

    # ---- sending

    def send_kept(self, cursor, txn):
        value, partition = self.value(), self.partition()
        cursor.execute('SELECT kstream.produce(%s, %s, %s, partition => %s)',
                       (KEPT, key_of(value), value + ' ' + 'x' * self.random.randrange(6000), partition))
        txn.writes.append(['%s/%d' % (KEPT, partition), value])

    def send(self, cursor, txn, deferred):
        if self.random.random() < 0.1:
            self.send_kept(cursor, txn)
            return
        topic, value = self.random.choice(TOPICS), self.value()
        place = [None, value]
        padding = 'x' * int(self.random.expovariate(1 / 150))
        record = '%s %s' % (value, padding)
        how = self.random.random()
        if how < 0.1:
            cursor.execute('SELECT kstream.produce(%s, %s, %s)', (topic, value, record))
            place[0] = '%s/%d' % (topic, cursor.fetchone()[0])
            txn.writes.append(place)
            return
        partition = self.partition()
        place[0] = '%s/%d' % (topic, partition)
        if how < 0.5:
            cursor.execute('SELECT kstream.produce(%s, NULL, %s, partition => %s)', (topic, record, partition))
        elif how < 0.65:
            fails = self.random.random() < 0.4
            cursor.execute('SELECT produce_in_block(%s, %s, %s, %s)', (topic, partition, record, fails))
            if fails:
                txn.undone.append(place)
                return
        elif how < 0.8:
            cursor.execute('INSERT INTO outbox VALUES (%s, %s, %s)', (topic, partition, record))
        elif how < 0.83:
            cursor.execute('INSERT INTO kstream_topic.%s (partition, value) VALUES (%%s, %%s)' % topic,
                           (partition, record.encode()))
        elif how < 0.85:
            cursor.copy_expert('COPY kstream_topic.%s (partition, value) FROM STDIN' % topic,
                               io.StringIO('%d\t\\\\x%s\n' % (partition, record.encode().hex())))
        elif how < 0.88:
            cursor.execute('INSERT INTO outbox_deferred VALUES (%s, %s, %s)', (topic, partition, record))
            deferred.append(place)
            return
        else:
            more = [place] + [[place[0], self.value()] for _ in range(self.random.randint(0, 30))]
            cursor.execute('SELECT kstream.produce_batch(%s, NULL, %s, partition => %s)',
                           (topic, [v + ' ' + padding for _, v in more], partition))
            txn.writes.extend(more)
            return
        txn.writes.append(place)

    def send_many(self, cursor, txn):
        k = self.random.choice(PLACES)
        topic, partition = k.split('/')
        values = [self.value() for _ in range(self.random.randint(500, 3000))]
        cursor.execute('SELECT kstream.produce_batch(%s, NULL, %s, partition => %s)',
                       (topic, [v + ' ' + 'x' * 150 for v in values], int(partition)))
        txn.writes.extend([k, v] for v in values)

    def savepoint(self, cursor, txn, deferred, depth=0):
        """Sends and polls that may be rolled back, nested."""
        inner, waiting = Txn(), []
        cursor.execute('SAVEPOINT s%d' % depth)
        for _ in range(self.random.randint(1, 3)):
            if self.random.random() < 0.25:
                self.savepoint(cursor, inner, waiting, depth + 1)
            elif self.random.random() < 0.8:
                self.send(cursor, inner, waiting)
            else:
                self.poll(cursor, inner, {})
        txn.undone.extend(inner.undone)
        txn.reads.extend(inner.reads)
        if self.random.random() < 0.5:
            cursor.execute('ROLLBACK TO SAVEPOINT s%d' % depth)
            if self.random.random() < 0.5:
                cursor.execute('RELEASE SAVEPOINT s%d' % depth)
            txn.undone.extend(inner.writes + waiting)
        else:
            cursor.execute('RELEASE SAVEPOINT s%d' % depth)
            txn.writes.extend(inner.writes)
            deferred.extend(waiting)

    # ---- polling

    def poll(self, cursor, txn, moved):
        for k in self.random.sample(sorted(self.positions), min(len(self.positions), self.random.choice((1, 1, 2, 4)))):
            position = moved.get(k, self.positions[k])
            read = {'k': k, 'from': position, 'b': time.monotonic(), 'rows': []}
            self.asking = read
            read['rows'] = [[o, said(k, o, v)] for o, v in self.fetch(cursor, k, position)]
            read['t'] = time.monotonic()
            txn.reads.append(read)
            if read['rows']:
                moved[k] = read['rows'][-1][0] + 1

    def fetch(self, cursor, k, position):
        topic, partition = k.split('/')
        limit = self.random.choice((1, 7, 30, 100, 500))
        how = self.random.random()
        if how < 0.2:
            cursor.execute('SELECT o, v FROM fetch_stable(%s, %s, %s, %s)', (topic, partition, position, limit))
        elif how < 0.27:
            # shows what there is, from wherever the log begins now
            self.asking['from'] = None
            cursor.execute('SELECT "offset", kstream.text(value) FROM kstream_topic.%s WHERE partition = %%s'
                           ' AND "offset" >= %%s ORDER BY "offset" LIMIT %%s' % topic, (partition, position, limit))
        elif how < 0.35 and not self.alone:
            cursor.execute('DECLARE c CURSOR FOR SELECT r.offset, kstream.text(r.value)'
                           ' FROM kstream.fetch(%s, %s, %s, %s) r', (topic, partition, position, limit))
            cursor.execute('FETCH %s FROM c', (self.random.choice((1, 10, 100)),))
            rows = cursor.fetchall()
            cursor.execute('CLOSE c')
            return rows
        else:
            cursor.execute('SELECT r.offset, kstream.text(r.value) FROM kstream.fetch(%s, %s, %s, %s, max_wait => %s) r',
                           (topic, partition, position, limit, self.random.choice(('0', '0', '0', '30 ms'))))
        return cursor.fetchall()

    # ---- transactions

    def isolation(self):
        return self.random.choices(('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'), (70, 20, 10))[0]

    def fill(self, cursor, txn, moved):
        deferred = []
        what = self.random.random()
        if what < 0.004:
            self.send_many(cursor, txn)
        for _ in range(self.random.randint(1, 4)):
            kind = self.random.random()
            if kind < 0.12:
                self.savepoint(cursor, txn, deferred)
            elif kind < (0.12 if what > 0.7 else 1.0 if what < 0.3 else 0.6):
                self.send(cursor, txn, deferred)
            else:
                self.poll(cursor, txn, moved)
        txn.writes.extend(deferred)

    def work(self):
        self.alone = False
        chance = self.random.random()
        if chance < 0.02:
            self.subscribe()
        elif chance < 0.024:
            return self.seek()
        elif chance < 0.026:
            self.crash()
        txn, moved = self.begin(self.isolation()), {}
        cursor = self.connection.cursor()
        try:
            cursor.execute('BEGIN ISOLATION LEVEL ' + txn.isolation)
            self.fill(cursor, txn, moved)
            if self.random.random() < 0.03:
                self.rollback(cursor, txn)
            else:
                self.commit(cursor, txn)
                self.ask_offsets(cursor, txn)
        except psycopg2.Error as error:
            refused = error.pgcode == 'KS001'
            self.failed(txn, error)
            if refused:
                self.refused(txn)
        if txn.outcome == 'ok':
            self.positions.update((k, o) for k, o in moved.items() if k in self.positions)
        self.note(txn.as_dict())

    def ask_offsets(self, cursor, txn):
        if txn.outcome != 'ok' or not (txn.writes or self.captures) or self.random.random() < 0.2:
            return
        cursor.execute('SELECT topic, partition, base_offset, records FROM kstream.last_produced()')
        told = {'%s/%d' % (t, p): (base, count) for t, p, base, count in cursor.fetchall()}
        sent = {}
        for k, _ in txn.writes:
            sent[k] = sent.get(k, 0) + 1
        if sent and {k: count for k, (_, count) in told.items() if topic_of(k) != CAPTURED} != sent:
            self.note({'finding': 'unseen', 'text': '%s sent %s and was told %s' % (txn.name, sent, told)})
        txn.offsets = {k: base for k, (base, _) in told.items()}

    def ends(self, k):
        cursor = self.connect()
        cursor.execute('SELECT earliest, latest FROM kstream.list_offsets(%s) WHERE partition = %s', k.split('/'))
        return cursor.fetchone()

    def seek(self):
        k = self.random.choice(sorted(self.positions))
        earliest, latest = self.ends(k)
        self.positions[k] = self.random.choice((earliest, latest, self.random.randint(0, latest)))

    def refused(self, txn):
        """KS001 is right only where retention has been: a position we were given is never above the end."""
        k, position = self.asking['k'], self.asking['from']
        try:
            earliest, latest = self.ends(k)
        except psycopg2.Error:
            return
        if earliest <= position and not self.run.lossy:
            self.note({'finding': 'refused', 'text': '%s was refused at %s@%d in a log from %d to %d' % (
                txn.name, k, position, earliest, latest)})
        self.positions[k] = earliest


class Follower(Mixed):
    """Reads only: on the standby where there is one."""

    def server(self):
        return self.run.standby() or self.run.primary()

    def subscribe(self):
        self.positions = {k: self.positions.get(k, 0) for k in ALL_PLACES}

    def work(self):
        self.alone = True
        txn, moved = self.begin('READ COMMITTED'), {}
        try:
            self.poll(self.connection.cursor(), txn, moved)
            txn.outcome = 'ok'
        except psycopg2.Error as error:
            refused = error.pgcode == 'KS001'
            self.failed(txn, error)
            if refused:
                self.refused(txn)
        self.positions.update(moved)
        if txn.reads:
            self.note(txn.as_dict())


class Consumer(Client):
    """A member of a group, as its session or by name; work and offsets commit together."""

    def __init__(self, run, name, group, member, isolation):
        super().__init__(run, name)
        self.group, self.member, self.isolation = group, member, isolation

    def stopped(self):
        return self.run.over.is_set()

    def work(self):
        chance = self.random.random()
        if chance < 0.01 * self.run.unrest and not self.run.writing_over.is_set():
            self.leave()
        elif chance < 0.015 * self.run.unrest and not self.run.writing_over.is_set():
            self.crash() if self.random.random() < 0.5 else self.disconnect()
            time.sleep(self.random.random() * 1.5)
        elif chance < 0.2 and self.group == 'sink' and self.isolation == 'READ COMMITTED':
            self.statement()
        else:
            self.transaction()

    def leave(self):
        self.connection.cursor().execute('SELECT kstream.unsubscribe(%s, %s)', (self.group, self.member))

    def attempt(self, steps):
        txn = self.begin(self.isolation)
        try:
            steps(self.connection.cursor(), txn)
        except psycopg2.Error as error:
            self.failed(txn, error)
        if txn.reads or txn.writes:
            self.note(txn.as_dict())

    def statement(self):
        """The shortest form: the work and the commit are one statement."""
        self.attempt(self.one_statement)

    def one_statement(self, cursor, txn):
        began = time.monotonic()
        cursor.execute("INSERT INTO sink SELECT %s, r.topic, r.partition, r.offset, split_part(kstream.text(r.value), ' ', 1)"
                       " FROM kstream.poll(%s, %s, %s, max_wait => '50 ms', commit => true) r"
                       ' RETURNING topic, part, off, value', (self.group, self.group, GROUPS[self.group], self.member))
        self.reads(cursor, txn, began)
        txn.outcome, txn.error = 'ok', None

    def reads(self, cursor, txn, began):
        ended = time.monotonic()
        places = {}
        for topic, partition, offset, value in cursor.fetchall():
            places.setdefault('%s/%d' % (topic, partition), []).append([offset, value.split(' ', 1)[0]])
        for k, rows in places.items():
            txn.reads.append({'k': k, 'group': self.group, 'b': began, 't': ended, 'rows': rows})
        return {k: list(rows) for k, rows in places.items()}

    def poll(self, cursor, txn):
        began = time.monotonic()
        cursor.execute("SELECT r.topic, r.partition, r.offset, kstream.text(r.value)"
                       " FROM kstream.poll(%s, %s, %s, max_records => %s, max_wait => '50 ms') r",
                       (self.group, GROUPS[self.group], self.member, self.random.randint(1, 200)))
        return self.reads(cursor, txn, began)

    def transaction(self):
        self.attempt(self.steps)

    def steps(self, cursor, txn):
        cursor.execute('BEGIN ISOLATION LEVEL ' + self.isolation)
        if self.random.random() < 0.1:
            cursor.execute('SAVEPOINT s')
            self.poll(cursor, Txn())
            cursor.execute('ROLLBACK TO s')
        places = self.poll(cursor, txn)
        if places and self.random.random() < 0.2:
            for k, rows in self.poll(cursor, txn).items():
                places.setdefault(k, []).extend(rows)
        if places:
            self.apply(cursor, txn, places)
            if self.random.random() < 0.15:
                time.sleep(self.random.random() * 0.2)      # long enough to be stopped in
        if self.random.random() < 0.04:
            self.rollback(cursor, txn)
            return
        if places:
            self.move(cursor, txn, places)
        self.commit(cursor, txn)

    def apply(self, cursor, txn, places):
        effects = [(k, o, v) for k, rows in places.items() for o, v in rows]
        if self.group == 'sink':
            cursor.execute('INSERT INTO sink SELECT %s, split_part(k, %s, 1), split_part(k, %s, 2)::int, o, v'
                           ' FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS u(k, o, v)',
                           (self.group, '/', '/') + tuple(map(list, zip(*effects))))
            return
        partition = self.random.randrange(PARTITIONS)
        copies = [(self.value(), effect) for effect in effects]
        cursor.execute('SELECT kstream.produce_batch(%s, NULL, %s, partition => %s)',
                       (COPIED, ['%s %s:%d:%s' % ((copy,) + effect) for copy, effect in copies], partition))
        txn.writes.extend(['%s/%d' % (COPIED, partition), copy] for copy, _ in copies)

    def move(self, cursor, txn, places):
        cursor.execute('SELECT topic, partition, "offset" FROM kstream.commit(%s, %s)', (self.group, self.member))
        moved = {'%s/%d' % (topic, partition): offset for topic, partition, offset in cursor.fetchall()}
        # More may move: a poll passes over offsets of aborted transactions without a record, and eos-lost would tell of others.
        if not set(places) <= set(moved):
            self.note({'finding': 'eos-chain', 'text': '%s polled %s and committed %s' % (
                txn.name, sorted(places), moved)})
        txn.moves = [[self.group, k, places[k][0][0], high] for k, high in moved.items() if k in places]


class Sampler(Client):
    """Looks at the views ten times a second."""

    def __init__(self, run, name):
        super().__init__(run, name)
        self.started = None

    def connected(self, cursor):
        # shared memory is made anew with the checkpointer, also after the crash of a backend
        cursor.execute("SELECT backend_start::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        self.started = cursor.fetchone()[0]

    def stopped(self):
        return self.run.over.is_set()

    def work(self):
        cursor = self.connection.cursor()
        sample = {'sample': True, 't0': time.monotonic(), 'server': self.started}
        cursor.execute("SELECT topic || '/' || partition, log_start_offset, last_stable_offset, end_offset"
                       ' FROM kstream.partitions')
        sample['ends'] = {row[0]: row[1:] for row in cursor.fetchall()}
        sample['t1'] = time.monotonic()
        cursor.execute("SELECT group_id, topic || '/' || partition FROM kstream.lag WHERE member IS NOT NULL")
        sample['owned'] = {}
        for group, k in cursor.fetchall():
            sample['owned'].setdefault(group, []).append(k)
        cursor.execute('SELECT group_id, epoch FROM kstream.groups WHERE epoch IS NOT NULL')
        sample['epochs'] = dict(cursor.fetchall())
        cursor.execute("SELECT group_id, topic || '/' || partition, \"offset\" FROM kstream.committed_offsets")
        sample['committed'] = {}
        for group, k, offset in cursor.fetchall():
            sample['committed'].setdefault(group, {})[k] = offset
        self.note(sample)
        time.sleep(0.1)


def clients(run):
    return [
        Mixed(run, 'm0'), Mixed(run, 'm1'), Mixed(run, 'm2'), Follower(run, 'f0'),
        Consumer(run, 'c0', 'copy', None, 'READ COMMITTED'), Consumer(run, 'c1', 'copy', 'one', 'REPEATABLE READ'),
        Consumer(run, 's0', 'sink', None, 'READ COMMITTED'), Consumer(run, 's1', 'sink', 'one', 'READ COMMITTED'),
        Consumer(run, 's2', 'sink', 'two', 'SERIALIZABLE'),
        Sampler(run, 'sampler'),
    ]
