#!/usr/bin/env python3
"""Consumers that work at the same time, and what must hold whatever they meet.

Members (sessions and names that several processes share) copy what they poll
into a table, in transactions of all kinds, while topics gain partitions,
producers produce, members are evicted, terminated and cancelled, timeouts pass,
assignors change, and now and then the server crashes.  There is neither seek nor
reset, so for each group:

  each record's effect committed once, none twice; offsets go up, one owner at
  most; no SQLSTATE but those that are documented; views never fail; each
  partition gets on while there is something to read; and when the trouble is
  over, the rest is read soon, lag is 0 and nothing is held.

test/model/group_workers.py
"""
import multiprocessing
import random
import sys
import time

import psycopg2

from common import GONE, Session, Wrong, arguments, check, finish, guarded, restart, start_server

CONF = "deadlock_timeout = '200 ms'\n"
SETUP = """
CREATE TABLE sink (grp text, topic text, part int, off bigint, value text);
CREATE FUNCTION work(g text, topics text[], m text, n int, fails bool) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sink SELECT g, r.topic, r.partition, r.offset, kstream.text(r.value)
    FROM kstream.poll(g, topics, m, max_records => n, max_wait => '50 ms', commit => true) r;
    IF fails THEN RAISE 'undo'; END IF;
EXCEPTION WHEN raise_exception THEN NULL;
END $$;
"""
TOPICS, GROUPS = ['a', 'b'], ['once', 'twice']
INSERT = ("INSERT INTO sink SELECT %s, r.topic, r.partition, r.offset, kstream.text(r.value)"
          " FROM kstream.poll(%s, %s, %s, max_records => %s, max_wait => '100 ms'{}) r")
# fenced, no member, name in use, cancelled, serialization, lock timeout, and a connection that is gone
EXPECTED = {'', 'KS110', 'KS025', '55006', '57014', '40001', '55P03', GONE, '08006', '53300'}


def consumer(server, number, seed, over, found):
    """One that works: its group is fixed, its name one of a few that others use as well, or none."""
    r = random.Random('%s/%d' % (seed, number))
    g, session = GROUPS[number % 2], None
    while not over.is_set():
        try:
            if session is None or session.connection.closed or r.random() < 0.01:
                if session:
                    session.close()
                session = Session(server, 'worker', "SET lock_timeout = '2 s'; SET statement_timeout = '%s'" % r.choice(('0', '0', '300 ms')))
            m = r.choice((None, 'n1', 'n2', 'n3')) if number % 3 else None
            transaction(session, r, g, m, found)
        except (psycopg2.Error, OSError, Wrong):    # no connection at present
            session = None
            time.sleep(0.02)
    if session:
        session.close()


def transaction(session, r, g, m, found):
    limit = r.choice((1, 5, 50, 500))
    one = (g, g, TOPICS, m, limit)
    bad = []

    def run(sql, args=None):
        code, rows = session.run(sql, args)
        if code not in EXPECTED:
            bad.append('%s: %s %s' % (sql[:60], code, session.message))
        return code
    kind = r.random()
    if kind < 0.2:
        run(INSERT.format(', commit => true'), one)
    elif kind < 0.3:
        run('SELECT work(%s, %s, %s, %s, %s)', (g, TOPICS, m, limit, r.random() < 0.3))
    elif kind < 0.35:
        run('SELECT * FROM kstream.heartbeat(%s, %s)', (g, m))
    elif kind < 0.37:
        run('SELECT kstream.unsubscribe(%s, %s)', (g, m))
    else:
        run('BEGIN ISOLATION LEVEL ' + r.choice(('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')))
        for _ in range(r.randint(1, 3)):
            inner = r.random() < 0.3
            code = run('SAVEPOINT s') if inner else ''
            code = code or run(INSERT.format(''), one)
            if inner and r.random() < 0.5:
                code = run('ROLLBACK TO s')
            if code:
                break
        time.sleep(r.choice((0, 0, 0.01, 0.1)))
        if r.random() < 0.2:
            run('ROLLBACK')
        else:
            code or run('SELECT * FROM kstream.commit(%s, %s)', (g, m))
            run('COMMIT')
    if not session.connection.closed and session.connection.get_transaction_status() != 0:
        session.run('ROLLBACK')
    for text in bad:
        found.put('unexpected error: ' + text)


def producer(server, seed, over, found):
    r, n, session = random.Random('%s/p' % seed), 0, None
    while not over.is_set():
        try:
            if session is None or session.connection.closed:
                session = Session(server, 'producer')
            code, _ = session.run("SELECT kstream.produce(%s, NULL::text, i::text, partition => i %% %s) FROM generate_series(%s, %s) i",
                                  (r.choice(TOPICS), 2, n, n + r.choice((0, 1, 5, 40))))
            n += 41
            time.sleep(r.choice((0, 0.01, 0.05)))
        except (psycopg2.Error, OSError, Wrong):
            session = None
            time.sleep(0.02)


class Trouble:
    """One at a time, each undone by itself."""

    def __init__(self, server, seed):
        self.server, self.r, self.partitions, self.crashes = server, random.Random('%s/t' % seed), 2, 0
        self.session = Session(server, 'trouble', "SET lock_timeout = '1 s'")

    def strike(self):
        r = self.r
        kind = r.choices(('cancel', 'kill', 'evict', 'timeouts', 'assignor', 'partitions', 'undone', 'topic', 'crash'),
                         (8, 4, 4, 3, 2, 1, 2, 1, 0.5))[0]
        g = r.choice(GROUPS)
        if kind in ('cancel', 'kill'):
            self.session.run("SELECT pg_%s_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker' ORDER BY random() LIMIT 1"
                             % ('cancel' if kind == 'cancel' else 'terminate'))
        elif kind == 'evict':
            self.session.run('SELECT kstream.unsubscribe(%s, %s)', (g, r.choice(('n1', 'n2', 'n3'))))
        elif kind == 'timeouts':
            self.session.run('SELECT kstream.alter_group(%s, %s)', (g, '{"session_timeout": "%d ms", "max_poll_interval": "%d ms"}'
                                                                    % (r.choice((300, 2000)), r.choice((100, 500, 3000)))))
        elif kind == 'assignor':
            self.session.run('SELECT kstream.alter_group(%s, %s)', (g, '{"assignor": "%s"}' % r.choice(('range', 'uniform'))))
        elif kind == 'partitions' and self.partitions < 5:
            if self.session.run('SELECT kstream.add_partitions(%s, %s)', ('b', self.partitions + 1))[0] == '':
                self.partitions += 1
        elif kind == 'undone':
            self.session.run('BEGIN')
            self.session.run('SELECT kstream.add_partitions(%s, 9)', ('a',))
            self.session.run("SELECT FROM kstream.poll('once', '{a}', 'n1', max_wait => '0')")
            self.session.run('ROLLBACK')
        elif kind == 'topic':       # a topic of its own comes and goes under a group of its own
            self.session.run("SELECT kstream.create_topic('gone', 3)")
            self.session.run("SELECT FROM kstream.poll('leaves', '{gone}', max_wait => '0', commit => true)")
            self.session.run("SELECT kstream.drop_topic('gone')")
            self.session.run("SELECT kstream.unsubscribe('leaves')")
        elif kind == 'crash' and self.crashes < 3:
            self.crashes += 1
            restart(self.server)
            self.session.connect()


def look(session, before, moved, found):
    """Offsets do not go back, no partition has two owners or is starved, no view fails."""
    now = time.monotonic()
    for sql in ('SELECT group_id, topic, partition, records FROM kstream.lag', 'SELECT group_id, topic, partition, "offset" FROM kstream.committed_offsets',
                'SELECT group_id, topic_id, partition FROM kstream.group_shares() WHERE member IS NOT NULL',
                'SELECT count(*) FROM kstream.members', 'SELECT count(*) FROM kstream.groups'):
        code, rows = session.run(sql)
        if code == GONE:
            session.connect()
            return
        if code:
            found.put('a view failed: %s: %s %s' % (sql, code, session.message))
        if 'committed_offsets' in sql:
            for g, t, p, offset in rows:
                if offset < before.get((g, t, p), 0):
                    found.put('offset of %s in %s/%d went back from %d to %d' % (g, t, p, before[g, t, p], offset))
                if offset != before.get((g, t, p)):
                    moved[g, t, p] = now
                before[g, t, p] = offset
        elif 'kstream.lag' in sql:
            for g, t, p, records in rows:
                if not records:
                    moved[g, t, p] = now
                elif now - moved.setdefault((g, t, p), now) > 60:
                    found.put('%s/%s has %d records for group %s and did not move for a minute' % (t, p, records, g))
        elif 'group_shares' in sql and len(rows) != len(set(rows)):
            found.put('a partition has two owners: %s' % sorted(rows))


def settle(session, found):
    """The trouble is over: everything is read soon, each record once."""
    for g in GROUPS:
        session.rows("SELECT kstream.alter_group(%s, '{\"session_timeout\": \"1 s\", \"max_poll_interval\": \"1 s\"}')", (g,))
    deadline = time.monotonic() + 60
    while True:
        for g in GROUPS:
            code, _ = session.run(INSERT.format(', commit => true'), (g, g, TOPICS, None, 5000))
            check(code in ('', 'KS110', '40001'), 'the last consumer failed: %s %s', code, session.message)
        (lag,), = session.rows("SELECT count(*) FROM kstream.lag WHERE records > 0 AND group_id = ANY (%s)", (GROUPS,))
        if lag == 0:
            break
        if time.monotonic() > deadline:
            raise Wrong('no progress: %s' % session.rows('SELECT * FROM kstream.lag WHERE records > 0'))
    for t in TOPICS:
        for g in GROUPS:
            wrong = session.rows('WITH log AS (SELECT partition, "offset", value FROM kstream_topic.%s),'
                                 " done AS (SELECT part, off, min(value) AS value, count(*) AS n FROM sink WHERE grp = '%s' AND topic = '%s' GROUP BY 1, 2)"
                                 ' SELECT coalesce(part, partition), coalesce(off, "offset"), coalesce(n, 0) FROM log FULL JOIN done ON part = partition AND off = "offset"'
                                 ' WHERE n IS DISTINCT FROM 1 OR log.value IS DISTINCT FROM done.value::bytea ORDER BY 1, 2 LIMIT 5' % (t, g, t))
            if wrong:
                found.put('group %s, topic %s: (partition, offset, times) %s' % (g, t, wrong))
    left = session.rows('SELECT pid, topic FROM kstream.in_flight')
    check(not left, 'in flight: %s', left)
    held = session.rows("SELECT locktype, mode, pid FROM pg_locks WHERE locktype IN ('object', 'advisory') AND pid <> pg_backend_pid()")
    check(not held, 'locks are held: %s', held)


def explore(server, given):
    session = Session(server)
    session.rows(SETUP)
    for t in TOPICS:
        session.rows('SELECT kstream.create_topic(%s, 2)', (t,))
    for g in GROUPS:
        session.rows('SELECT kstream.create_group(%s)', (g,))
    over, found = multiprocessing.Event(), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=consumer, args=(server, i, given.seed, over, found)) for i in range(6)]
    workers.append(multiprocessing.Process(target=producer, args=(server, given.seed, over, found)))
    for worker in workers:
        worker.start()
    trouble, before, moved, looks = Trouble(server, given.seed), {}, {}, 0
    until = time.monotonic() + given.seconds
    try:
        while time.monotonic() < until:
            try:
                trouble.strike()
                look(session, before, moved, found)
                looks += 1
            except psycopg2.Error:
                session.connect()
            time.sleep(trouble.r.uniform(0, 0.2))
    finally:
        over.set()
        for worker in workers:
            worker.join(30)
            if worker.is_alive():
                found.put('a worker hangs')
                worker.terminate()
    texts = []
    trouble.session.close()
    try:
        session.close()
        session.connect()
        settle(session, found)
    except Wrong as wrong:
        texts.append(str(wrong))
    (sunk,), = session.rows('SELECT count(*) FROM sink')
    time.sleep(0.1)
    while not found.empty():
        texts.append(found.get())
    print('groups at work: 1 runs, seed %d, %d records, %d looks, %d crashes, %d findings'
          % (given.seed, sunk, looks, trouble.crashes, len(texts)))
    if not sunk:
        texts.append('nothing was consumed')
    sys.exit(finish(server, sorted(set(texts))[:30], given))


def main():
    given = arguments(__doc__)
    server = start_server(given.out, CONF)
    guarded(server, lambda: explore(server, given))


if __name__ == '__main__':
    main()
