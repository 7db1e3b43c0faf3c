#!/usr/bin/python3
"""Write and read a topic with many clients while backends die, then judge.

history.py CONNSTR SECONDS SEED

Writers send transactions of some records to some partitions, each value
unique; some roll back, some roll back to a savepoint, few are large.  Each
leaves a row in a table as well, which settles afterwards what became of a
COMMIT whose answer never came.  (pg_xact_status() would not do: after a crash
a transaction id that no WAL was flushed for is given to another.)  Readers
follow every partition by long polls from its start.  Meanwhile backends are
killed, terminated and cancelled, and segments are rolled.

At the end everything is read once more, and the history must satisfy:

    lost        a record of a committed transaction is missing
    aborted     a record that was rolled back can be read
    duplicate   a value is there twice, or in another partition
    split       offsets of a transaction in a partition are not one range
    order       a session's records are not in the order it produced them
    realtime    a transaction that was acknowledged before another was
                committed has greater offsets than that one
    prefix      what a reader saw is not a prefix of what there is
    frontier    a reader was refused at a position that it had been given
    witness     a transaction's row says otherwise than its client was told

Prints one line "counts ..." and one line for each kind of problem with a few
witnesses.  Exit status 0 when it could judge at all.

test/perl/history.py
"""
import multiprocessing
import os
import random
import signal
import sys
import time

import psycopg2
import psycopg2.extensions

TOPIC = 'history'
PARTITIONS = 4
WRITERS = 5
READERS = 2

LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)


def connect(dsn, name, until=None):
    """A connection; tries again while the server restarts."""
    while True:
        try:
            connection = psycopg2.connect(dsn, application_name=name)
            connection.autocommit = True
            return connection
        except psycopg2.OperationalError:
            if until is not None and time.monotonic() > until:
                raise
            time.sleep(0.02)


class Writer:
    """One logical client: its transactions, in order."""

    def __init__(self, dsn, number, seed):
        self.dsn = dsn
        self.number = number
        self.random = random.Random(seed * 1000 + number)
        self.sequence = 0
        self.session = 0
        self.history = []
        self.connection = None

    def value(self):
        self.sequence += 1
        return '%d.%d.%d' % (self.number, self.session, self.sequence)

    def produce(self, cursor, written):
        value = self.value()
        partition = min(int(self.random.expovariate(1.2)), PARTITIONS - 1)
        cursor.execute('SELECT kstream.produce(%s, NULL, %s, partition => %s)', (TOPIC, value, partition))
        written.append((partition, value))

    def produce_many(self, cursor, written):
        values = [self.value() for _ in range(1500)]
        partition = self.random.randrange(PARTITIONS)
        cursor.execute('SELECT kstream.produce_batch(%s, NULL, %s, partition => %s)',
                       (TOPIC, [v + ' ' + 'x' * 200 for v in values], partition))
        written.extend((partition, v) for v in values)

    def savepoint(self, cursor, txn):
        kept = []
        cursor.execute('SAVEPOINT s')
        for _ in range(self.random.randint(1, 3)):
            self.produce(cursor, kept)
        if self.random.random() < 0.5:
            cursor.execute('ROLLBACK TO SAVEPOINT s')
            txn['never'].extend(kept)
        else:
            cursor.execute('RELEASE SAVEPOINT s')
            txn['records'].extend(kept)

    def fill(self, cursor, txn):
        if self.random.random() < 0.01:
            self.produce_many(cursor, txn['records'])
        for _ in range(self.random.randint(1, 4)):
            if self.random.random() < 0.2:
                self.savepoint(cursor, txn)
            else:
                self.produce(cursor, txn['records'])

    def transaction(self):
        txn = {'records': [], 'never': [], 'outcome': 'failed', 'sent': None, 'acked': None,
               'name': '%d.%d' % (self.number, len(self.history))}
        self.history.append(txn)
        cursor = self.connection.cursor()
        try:
            cursor.execute('BEGIN')
            self.fill(cursor, txn)
            if self.random.random() < 0.08:
                cursor.execute('ROLLBACK')
                return
            cursor.execute('INSERT INTO witness VALUES (%s)', (txn['name'],))
            txn['sent'] = time.monotonic()
            txn['outcome'] = 'unknown'
            cursor.execute('COMMIT')
            txn['acked'] = time.monotonic()
            txn['outcome'] = 'committed' if cursor.statusmessage == 'COMMIT' else 'failed'
        except psycopg2.Error as error:
            self.after_error(txn, error)

    def after_error(self, txn, error):
        """A dead session leaves the outcome of its COMMIT unknown."""
        if self.connection.closed or isinstance(error, LOST) and not isinstance(
                error, psycopg2.extensions.QueryCanceledError):
            self.connection.close()
            self.session += 1
            self.connection = connect(self.dsn, 'history writer')
            return
        txn['outcome'] = 'failed'
        try:
            self.connection.cursor().execute('ROLLBACK')
        except psycopg2.Error:
            self.connection.close()
            self.session += 1
            self.connection = connect(self.dsn, 'history writer')

    def run(self, stop, pipe):
        self.connection = connect(self.dsn, 'history writer')
        while not stop.is_set():
            self.transaction()
        pipe.send(self.history)
        pipe.close()


class Reader:
    """Follows all partitions; what it saw, by partition."""

    def __init__(self, dsn, number, seed):
        self.dsn = dsn
        self.random = random.Random(seed * 1000 + 500 + number)
        self.seen = [[] for _ in range(PARTITIONS)]
        self.refused = []
        self.connection = None

    def poll(self, partition, wait):
        seen = self.seen[partition]
        position = seen[-1][0] + 1 if seen else 0
        cursor = self.connection.cursor()
        cursor.execute("SELECT r.offset, split_part(kstream.text(r.value), ' ', 1)"
                       ' FROM kstream.fetch(%s, %s, %s, %s, max_wait => %s) r',
                       (TOPIC, partition, position, self.random.choice((1, 7, 100, 5000)), wait))
        rows = cursor.fetchall()
        seen.extend(rows)
        return len(rows)

    def run(self, stop, pipe):
        self.connection = connect(self.dsn, 'history reader')
        while not stop.is_set():
            try:
                self.poll(self.random.randrange(PARTITIONS), '50 ms')
            except psycopg2.Error as error:
                if error.pgcode is not None and error.pgcode.startswith('KS'):
                    self.refused.append(str(error))
                if self.connection.closed:
                    self.connection = connect(self.dsn, 'history reader')
        pipe.send((self.seen, self.refused))
        pipe.close()


class Nemesis:
    """Kills, terminates, cancels, rolls."""

    def __init__(self, dsn, seed):
        self.dsn = dsn
        self.random = random.Random(seed)
        self.connection = connect(dsn, 'nemesis')
        self.strikes = 0
        self.counts = {'kill': 0, 'terminate': 0, 'cancel': 0, 'maintain': 0}

    def victim(self, cursor):
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'history%'"
                       " AND state <> 'idle' ORDER BY random() LIMIT 1")
        row = cursor.fetchone()
        return row[0] if row else None

    def strike(self):
        # often enough, whatever the seed
        self.strikes += 1
        what = 'kill' if self.strikes % 8 == 4 else self.random.choices(
            ('kill', 'terminate', 'cancel', 'maintain'), (1, 4, 6, 5))[0]
        cursor = self.connection.cursor()
        if what == 'maintain':
            cursor.execute('CALL kstream.run_maintenance()')
        else:
            pid = self.victim(cursor)
            if pid is None:
                return
            if what == 'kill':
                os.kill(pid, signal.SIGKILL)
            else:
                cursor.execute('SELECT pg_%s_backend(%%s)' % what, (pid,))
        self.counts[what] += 1

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(self.random.uniform(0.05, 0.5))
            try:
                self.strike()
            except (psycopg2.Error, ProcessLookupError):
                if self.connection.closed:
                    self.connection = connect(self.dsn, 'nemesis')


class Judge:
    """Everything that was noted, against everything that there is."""

    def __init__(self, final, transactions, readers):
        self.final = final      # per partition: [(offset, value), ...]
        self.transactions = transactions
        self.readers = readers
        self.problems = {}
        self.place = {}         # value -> (partition, index)
        self.owner = {}         # value -> transaction

    def problem(self, kind, text):
        self.problems.setdefault(kind, []).append(text)

    def locate(self):
        for partition, rows in enumerate(self.final):
            for index, (offset, value) in enumerate(rows):
                if value in self.place:
                    self.problem('duplicate', '%s at %d/%d' % (value, partition, offset))
                self.place[value] = (partition, index)

    def check_transaction(self, txn):
        """All of it, or nothing, where it was sent, in one piece."""
        where = {}
        for partition, value in txn['records']:
            self.owner[value] = txn
            place = self.place.get(value)
            if txn['outcome'] != 'committed':
                if place is not None:
                    self.problem('aborted', value)
            elif place is None:
                self.problem('lost', value)
            elif place[0] != partition:
                self.problem('duplicate', '%s is in partition %d' % (value, place[0]))
            else:
                where.setdefault(partition, []).append(self.final[partition][place[1]][0])
        for _, value in txn['never']:
            if value in self.place:
                self.problem('aborted', value + ' (savepoint)')
        for partition, offsets in where.items():
            if offsets != list(range(offsets[0], offsets[0] + len(offsets))):
                self.problem('split', '%s in partition %d: %s' % (txn['records'][0][1], partition, offsets[:9]))

    def check_order(self, partition):
        last = {}
        latest_sent = (0, None)
        for offset, value in self.final[partition]:
            number, _, sequence = (int(part) for part in value.split('.'))
            if sequence <= last.get(number, 0):
                self.problem('order', '%s at %d/%d' % (value, partition, offset))
            last[number] = sequence
            txn = self.owner.get(value)
            if txn is None:
                self.problem('aborted', value + ' (nobody wrote it)')
                continue
            if txn['acked'] is not None and txn['acked'] < latest_sent[0]:
                self.problem('realtime', '%s is behind %s' % (value, latest_sent[1]))
            latest_sent = max(latest_sent, (txn['sent'], value))

    def check_reader(self, number, seen, refused):
        for partition in range(PARTITIONS):
            there = self.final[partition]
            for index, row in enumerate(seen[partition]):
                if index >= len(there) or tuple(there[index]) != tuple(row):
                    self.problem('prefix', 'reader %d, partition %d: saw %s where there is %s' % (
                        number, partition, row, there[index] if index < len(there) else 'nothing'))
                    break
        for text in refused:
            self.problem('frontier', text.split('\n')[0])

    def run(self):
        self.locate()
        for txn in self.transactions:
            self.check_transaction(txn)
        for partition in range(PARTITIONS):
            self.check_order(partition)
        for number, (seen, refused) in enumerate(self.readers):
            self.check_reader(number, seen, refused)
        return self.problems


def settle(dsn, transactions, judge):
    """Commits without an answer: what became of them.  The others as told."""
    cursor = connect(dsn, 'judge').cursor()
    cursor.execute('SELECT name FROM witness')
    names = {name for name, in cursor.fetchall()}
    settled = 0
    for txn in transactions:
        if txn['outcome'] == 'unknown':
            txn['outcome'] = 'committed' if txn['name'] in names else 'failed'
            settled += 1
        elif (txn['outcome'] == 'committed') != (txn['name'] in names):
            judge.problem('witness', txn['name'])
    return settled


def spawn(actors):
    stop = multiprocessing.Event()
    started = []
    for actor in actors:
        here, there = multiprocessing.Pipe(False)
        process = multiprocessing.Process(target=actor.run, args=(stop, there))
        process.start()
        there.close()
        started.append((process, here))
    return stop, started


def main():
    dsn, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    cursor = connect(dsn, 'judge').cursor()
    cursor.execute("SELECT kstream.create_topic(%s, %s, '{\"segment_bytes\": \"1MB\"}')", (TOPIC, PARTITIONS))
    cursor.execute('CREATE TABLE witness (name text)')
    stop, started = spawn([Writer(dsn, i, seed) for i in range(WRITERS)] +
                          [Reader(dsn, i, seed) for i in range(READERS)])
    nemesis = Nemesis(dsn, seed)
    nemesis.run(seconds)
    stop.set()
    noted = [here.recv() for _, here in started]
    for process, _ in started:
        process.join()

    transactions = [txn for history in noted[:WRITERS] for txn in history]
    last = Reader(dsn, READERS, seed)
    last.connection = connect(dsn, 'judge')
    for partition in range(PARTITIONS):
        while last.poll(partition, '0') > 0:
            pass
    judge = Judge(last.seen, transactions, noted[WRITERS:])
    settled = settle(dsn, transactions, judge)
    problems = judge.run()

    committed = sum(txn['outcome'] == 'committed' for txn in transactions)
    print('counts transactions=%d committed=%d settled=%d records=%d read=%d %s' % (
        len(transactions), committed, settled, sum(len(rows) for rows in last.seen),
        sum(len(rows) for seen, _ in noted[WRITERS:] for rows in seen),
        ' '.join('%s=%d' % item for item in sorted(nemesis.counts.items()))))
    for kind, texts in sorted(problems.items()):
        print('%s: %d times, such as %s' % (kind, len(texts), '; '.join(texts[:4])))


if __name__ == '__main__':
    main()
