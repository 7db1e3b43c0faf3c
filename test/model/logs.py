#!/usr/bin/env python3
"""Random histories of topics, with maintenance in several sessions, against log_model.py.

Sessions take turns to produce in transactions with savepoints that roll back,
transactions fail with offsets taken, topics change their options and get more
partitions, records are deleted, tables of segments are vacuumed and reindexed,
the server crashes; meanwhile two sessions do maintenance all the time, and, on a
build with debug points, are slow or fail at random places.  What is read is
compared with the model, by every way there is to read.

test/model/logs.py
"""
import datetime
import json
import multiprocessing
import random
import sys
import time

import psycopg2

from common import GONE, Session, Wrong, arguments, check, finish, guarded, restart, start_server
from log_model import ANY, Log, Record

MINUTE = 60 * 1000
KINDS = {
    'plain': {'segment_age': '1 ms', 'retention': 'infinite'},
    'old': {'segment_age': '1 ms', 'retention': '1 hour', 'compression': 'lz4'},
    'kept': {'segment_age': '1 ms', 'retention': 'infinite', 'cleanup_policy': 'compact', 'min_cleanable_dirty_ratio': 0,
             'delete_retention': '100 ms', 'compression': 'zstd'},
    'stamped': {'segment_bytes': '1MB', 'segment_age': '20 ms', 'retention': 'infinite', 'timestamp_type': 'LogAppendTime'},
}
POINTS = ('precommit.written=error', 'precommit.reserved=error', 'precommit.done=error')
SLOW = ('worker.loop=sleep:5', 'roll.created=sleep:20', 'retention.before_drop=sleep:20', 'retention.after_log_start=sleep:20',
        'roll.switched=error', 'retention.after_log_start=error', 'compact.written=sleep:20', 'compact.written=error')
RECORDS = ('SELECT "offset", (extract(epoch FROM "timestamp") * 1000)::bigint, kstream.text(key), kstream.text(value)')
ORPHANS = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'kstream_log'::regnamespace AND c.relkind = 'r'
AND NOT EXISTS (SELECT FROM kstream.topic t WHERE c.relname ~ ('^topic_' || t.topic_id || '_'))
"""


def literal(ms):
    when = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return when.strftime('%Y-%m-%d %H:%M:%S.') + '%03d+00' % (ms % 1000) if when.year > 1900 else None


def maintenance(server, seed, number, over, pause, found):
    """A session that does nothing but maintenance, with errors and sleeps where the build has them."""
    r, session = random.Random('%s/m%d' % (seed, number)), None
    while not over.is_set():
        if pause.is_set():
            time.sleep(0.02)
            continue
        try:
            if session is None or session.connection.closed or r.random() < 0.02:
                if session:
                    session.close()
                session = Session(server, 'maintenance')
            session.run("SET kstream.debug_point = '%s'" % (r.choice(SLOW) if r.random() < 0.3 else ''))
            code, _ = session.run('CALL kstream.run_maintenance()')
            if code not in ('', '57000', '40001', '55P03', '57014', '42P01', GONE) and 'debug point' not in session.message:
                found.put('run_maintenance() failed: %s %s' % (code, session.message))
            time.sleep(r.choice((0, 0.01, 0.1)))
        except (psycopg2.Error, OSError, Wrong):
            session = None
            time.sleep(0.02)
    if session:
        session.close()


class History:
    def __init__(self, server, seed, pause, without=()):
        self.without = without
        self.server, self.r, self.pause = server, random.Random('%s/h' % seed), pause
        self.sessions = [Session(server, 'producer') for _ in range(3)]
        self.reader = Session(server, 'reader', "SET statement_timeout = '60 s'")
        self.other = Session(server, 'other', "SET lock_timeout = '2 s'; SET statement_timeout = '20 s'")
        self.open = [None] * 3          # of each session: levels of [(log, Record)]
        self.logs, self.value, self.counts = {}, 0, {}
        self.has_points = self.reader.run("SET kstream.debug_point = ''")[0] == '' and \
            bool(self.reader.rows("SELECT FROM pg_settings WHERE name = 'kstream.debug_point'"))
        for name, options in KINDS.items():
            options = dict(options, timestamp_after_max='infinite')
            code, _ = self.reader.run('SELECT kstream.create_topic(%s, 2, %s)', (name, json.dumps(options)))
            if code:                    # an option that is newer than the server
                del options['timestamp_after_max']
                self.reader.rows('SELECT kstream.create_topic(%s, 2, %s)', (name, json.dumps(options)))
            self.logs[name] = [self.new_log(name, n) for n in range(2)]
        self.all = [log for logs in self.logs.values() for log in logs]

    def new_log(self, name, number):
        log = Log(name, number)
        log.compacted = name == 'kept'
        log.retention = 60 * MINUTE if name == 'old' else None
        return log

    def now(self):
        return int(self.reader.rows('SELECT (extract(epoch FROM now()) * 1000)::bigint')[0][0])

    # ---- producing

    def event_time(self, now):
        r = self.r
        return r.choice((now, now - 2 * 60 * MINUTE, now - r.randrange(100 * MINUTE), now + r.randrange(50 * MINUTE),
                         r.randrange(10 ** 12), 8694000000000 + r.randrange(10 ** 12), 253402300799000 + r.randrange(1000)))

    def produce(self, i):
        """Some records, outside or inside of a transaction."""
        r, session = self.r, self.sessions[i]
        if self.open[i] is None and r.random() < 0.6:
            session.rows('BEGIN ISOLATION LEVEL ' + r.choice(('READ COMMITTED', 'REPEATABLE READ')))
            self.open[i] = [[]]
        log, now = r.choice(self.all), self.now()
        records = []
        for _ in range(r.choice((1, 1, 3, 30))):
            self.value += 1
            key = 'k%d' % r.randrange(12) if log.compacted or r.random() < 0.7 else None
            value = None if key and r.random() < 0.2 else 'v%d' % self.value + 'x' * r.choice((0, 0, 10, 3000, 60000 if r.random() < 0.1 else 0))
            records.append(Record(key, value, ANY if log.name == 'stamped' else self.event_time(now)))
        own = self.open[i] is None
        if own:
            session.rows('BEGIN')
            self.open[i] = [[]]
        code, _ = session.run('SELECT kstream.produce_batch(%s, %s, %s, partition => %s, event_times => %s::timestamptz[])',
                              (log.name, [x.key for x in records], [x.value for x in records], log.number,
                               [literal(x.time) if x.time is not ANY else None for x in records]))
        # a transaction under way may not know of a new partition
        check(code == '' or (code == '22023' and not own), 'produce to %r: %s %s', log, code, session.message)
        if code:
            session.rows('ROLLBACK')
            self.open[i] = None
            return
        self.open[i][-1] += [(log, x) for x in records]
        if own:
            self.commit(i)

    def savepoint(self, i):
        if self.open[i] is not None:
            if len(self.open[i]) < 3 and self.r.random() < 0.6:
                self.sessions[i].rows('SAVEPOINT s')
                self.open[i].append([])
            elif len(self.open[i]) > 1:
                back = self.r.random() < 0.5
                self.sessions[i].rows('ROLLBACK TO s; RELEASE s' if back else 'RELEASE s')
                level = self.open[i].pop()
                self.open[i][-1] += [] if back else level

    def commit(self, i):
        if self.open[i] is None:
            return
        session, records = self.sessions[i], [x for level in self.open[i] for x in level]
        fails = self.has_points and self.r.random() < 0.15
        if fails:
            session.run("SET LOCAL kstream.debug_point = '%s'" % self.r.choice(POINTS))
        code, _ = session.run('COMMIT' if self.r.random() < 0.9 else 'ROLLBACK')
        failed = session.status == 'ROLLBACK' or code
        self.open[i] = None
        check(not code or fails, 'COMMIT: %s %s', code, session.message)
        if failed:
            return
        self.learn(session, records)

    def learn(self, session, records):
        """Which offsets a session's transaction was given."""
        given = {(t, p): (base, n) for t, p, base, n in session.rows('SELECT * FROM kstream.last_produced()')} if records else {}
        for log in {log for log, _ in records}:
            mine = [x for of, x in records if of is log]
            base, count = given.get((log.name, log.number), (None, 0))
            check(count == len(mine), 'last_produced() says %s records in %r; %d were produced', count, log, len(mine))
            log.add(base, mine)

    def skew(self):
        """Two serializable transactions, of which the second fails after its offsets were taken."""
        log = self.r.choice(self.all)
        a, b = Session(self.server, 'skew'), Session(self.server, 'skew')
        for s in (a, b):
            s.rows('BEGIN ISOLATION LEVEL SERIALIZABLE')
            s.rows('SELECT sum(n) FROM skew')
        a.rows('INSERT INTO skew VALUES (1)')
        b.rows('INSERT INTO skew VALUES (1)')
        b.rows("SELECT kstream.produce(%s, 'k1', 'lost', partition => %s)", (log.name, log.number))
        a.rows('COMMIT')
        code, _ = b.run('COMMIT')
        check(code == '40001', 'a write skew: %s', code or 'no error')
        a.close()
        b.close()

    # ---- what changes

    def alter(self):
        name = self.r.choice(sorted(KINDS))
        options = self.r.choice(({'compression': self.r.choice(('none', 'gzip', 'snappy', 'lz4', 'zstd'))}, {'segment_age': '1 ms'},
                                 {'segment_age': '50 ms'}, {'delete_retention': self.r.choice(('10 ms', '1 s'))},
                                 {'cleanup_policy': 'compact,delete'} if name == 'kept' else {}))
        in_transaction = self.r.random() < 0.5
        if in_transaction:
            self.other.run('BEGIN')
        code, _ = self.other.run('SELECT kstream.alter_topic(%s, %s)', (name, json.dumps(options)))
        check(code in ('', '55P03', '40P01'), 'alter_topic: %s %s', code, self.other.message)
        if in_transaction:
            time.sleep(0.05)
            self.other.run(self.r.choice(('COMMIT', 'ROLLBACK')))

    def add_partitions(self):
        name = self.r.choice(sorted(KINDS))
        count = len(self.logs[name])
        if count < 4:
            self.other.run('BEGIN')
            code, _ = self.other.run('SELECT kstream.add_partitions(%s, %s)', (name, count + 1))
            if code == '' and 'look' not in self.without:
                self.other.run('SELECT count(*) FROM kstream_topic.%s' % name)
            undone = self.r.random() < 0.5
            failed = self.other.run('ROLLBACK' if undone else 'COMMIT')[0]
            if not (code or failed or undone):
                self.logs[name].append(self.new_log(name, count))
                self.all.append(self.logs[name][-1])

    def delete_records(self):
        log = self.r.choice(self.all)
        before = self.r.randint(log.start, max(log.end - 5, log.start))
        back = self.r.random() < 0.3
        self.other.run('BEGIN')
        code, rows = self.other.run('SELECT kstream.delete_records(%s, %s, %s)', (log.name, log.number, before))
        check(code in ('', '55P03', '40P01', '40001', 'KS001'), 'delete_records: %s %s', code, self.other.message)
        failed = self.other.run('ROLLBACK' if back else 'COMMIT')[0]
        if not (code or back or failed):
            check(rows[0][0] >= before, 'delete_records(%d) says %d', before, rows[0][0])
            log.deleted = max(log.deleted, before)

    def segments(self):
        return [name for name, in self.other.rows(
            "SELECT 'kstream_log.' || relname FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' ORDER BY random() LIMIT 2")]

    def look_after_tables(self):
        for name in self.segments():
            sql = self.r.choice(('VACUUM (FREEZE) %s', 'VACUUM (FULL) %s', 'REINDEX TABLE %s', 'REINDEX TABLE CONCURRENTLY %s', 'ANALYZE %s'))
            self.other.run(sql % name)
        self.other.run('ANALYZE kstream_topic.%s' % self.r.choice(sorted(KINDS)))

    def reindex_cancelled(self):
        """REINDEX CONCURRENTLY gives up while an older transaction is open, and leaves an index that is not valid."""
        holder = Session(self.server, 'holder')
        holder.rows('BEGIN ISOLATION LEVEL REPEATABLE READ')
        holder.rows('SELECT txid_current()')
        for name in self.segments()[:1]:
            self.other.run("SET statement_timeout = '200 ms'")
            self.other.run('REINDEX TABLE CONCURRENTLY ' + name)
            self.other.run("SET statement_timeout = '20 s'")
        for log in self.all:
            self.compare(log)
        holder.close()

    def crash(self):
        """The server is gone in the middle of it."""
        self.pause.set()
        restart(self.server)
        for session in self.sessions + [self.reader, self.other]:
            session.connect()
        self.open = [None] * 3
        self.pause.clear()

    # ---- reading

    def scan(self, log, start, how):
        if how == 'fetch':
            return self.reader.run(RECORDS + ' FROM kstream.fetch(%s, %s, %s, 1000000, 2000000000)', (log.name, log.number, start))
        return self.reader.run(RECORDS + ' FROM kstream_topic.%s WHERE partition = %d AND "offset" >= %d ORDER BY "offset"'
                               % (log.name, log.number, start))

    def look(self, log):
        (start, end), = self.reader.rows('SELECT earliest, latest FROM kstream.list_offsets(%s) WHERE partition = %s', (log.name, log.number))
        log.bounds(start, end)
        return start, end

    def all_of(self, log, how):
        """All that there is, from the start that is told; it may move on before the reader gets there."""
        for _ in range(50):
            start, end = self.look(log)
            code, rows = self.scan(log, start, how)
            if code != 'KS001':
                break
        check(code == '', '%r: reading from its start, %d: %s %s', log, start, code, self.reader.message)
        log.compare(start, rows, self.now())
        return [row[0] for row in rows]

    def compare(self, log=None):
        r, log = self.r, log or self.r.choice(self.all)
        before = self.all_of(log, r.choice(('fetch', 'table')))
        start, end = self.look(log)
        since = r.choice([log.records[o].time for o in before] + [self.event_time(self.now()), self.event_time(self.now())])
        key = 'k%d' % r.randrange(12)
        _, found = self.reader.run('SELECT "offset" FROM kstream.list_offsets(%s, %s) WHERE partition = %s',
                                   (log.name, literal(since), log.number))
        base = 'SELECT "offset" FROM kstream_topic.%s WHERE partition = %d AND ' % (log.name, log.number)
        later = self.reader.rows(base + '"timestamp" >= %s', (literal(since),))
        keyed = self.reader.rows(base + 'key = %s', (key.encode(),))
        at = r.randint(start, end)
        code, rows = self.scan(log, at, 'fetch')
        if code == '':
            log.compare(at, rows, self.now())
        after = set(self.all_of(log, r.choice(('fetch', 'table'))))
        if code != '':
            check(code == 'KS001' and at < log.start, '%r: fetch from %d of %d to %d: %s %s', log, at, start, end, code, self.reader.message)
        log.first_since(since, set(before), after, found[0][0] if found else None)
        log.chosen('timestamp >= %d' % since, lambda x: x.time >= since, set(before), after, [o for o, in later])
        log.chosen('key = %s' % key, lambda x: x.key == key, set(before), after, [o for o, in keyed])
        if r.random() < 0.3:
            batches = self.reader.run('SELECT base_offset, last_offset FROM kstream.fetch_batches(%s, %s, %s)', (log.name, log.number, start))[1]
            check(all(a[1] < b[0] for a, b in zip(batches, batches[1:])), '%r: batches go back: %s', log, batches)

    def step(self):
        i = self.r.randrange(3)
        name, *args = self.r.choices((('produce', i), ('commit', i), ('savepoint', i), ('compare',), ('alter',), ('add_partitions',),
                                      ('delete_records',), ('look_after_tables',), ('reindex_cancelled',), ('skew',), ('crash',)),
                                     (30, 14, 10, 16, 2, 1, 2, 2, 0.4, 2, 0.3))[0]
        if name in self.without:
            return
        self.counts[name] = self.counts.get(name, 0) + 1
        getattr(self, name)(*args)

    def end(self):
        """Afterwards all is sound, and nothing is held by anybody, also not by who is gone."""
        for i in range(3):
            self.commit(i)
        for session in self.sessions + [self.other]:
            session.close()
        for _ in range(3):
            code, _ = self.reader.run('CALL kstream.run_maintenance()')
            check(code == '', 'run_maintenance(): %s %s', code, self.reader.message)
        for log in self.all:
            self.compare(log)
        for name in KINDS:
            problems = self.reader.rows('SELECT * FROM kstream.verify(%s)', (name,))
            check(not problems, 'verify(%s): %s', name, problems[:3])
        for sql in ('SELECT count(*) FROM kstream.partitions', 'SELECT count(*) FROM kstream.lag', 'SELECT count(*) FROM kstream.stats'):
            self.reader.rows(sql)
        orphans = self.reader.rows(ORPHANS)
        check(not orphans, 'tables of no topic: %s', orphans)
        left = self.reader.rows('SELECT * FROM kstream.in_flight')
        check(not left, 'in flight: %s', left)
        held = self.reader.rows("SELECT locktype, mode, pid FROM pg_locks WHERE locktype = 'object'")
        check(not held, 'locks are held when nobody works: %s', held)


def explore(server, given):
    session = Session(server)
    session.rows('CREATE TABLE skew (n int)')
    session.close()
    over, pause, found, texts, steps = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue(), [], 0
    workers = [multiprocessing.Process(target=maintenance, args=(server, given.seed, i, over, pause, found)) for i in (0, 1)]
    history = History(server, given.seed, pause, given.without.split(','))
    for worker in workers:
        worker.start()
    until = time.monotonic() + given.seconds
    try:
        while time.monotonic() < until:
            history.step()
            steps += 1
    except Wrong as wrong:
        texts.append(str(wrong))
    finally:
        over.set()
        for worker in workers:
            worker.join(60)
            if worker.is_alive():
                found.put('a session hangs in maintenance')
                worker.terminate()
    if not texts:
        try:
            history.end()
        except Wrong as wrong:
            texts.append('at the end: %s' % wrong)
    time.sleep(0.1)
    while not found.empty():
        texts.append(found.get())
    print('logs: 1 runs, seed %d, %d steps, %d records, %d findings; %s' % (
        given.seed, steps, sum(len(log.records) for log in history.all), len(texts), json.dumps(history.counts)))
    sys.exit(finish(server, sorted(set(texts))[:20], given))


def main():
    given = arguments(__doc__)
    server = start_server(given.out)
    guarded(server, lambda: explore(server, given))


if __name__ == '__main__':
    main()
