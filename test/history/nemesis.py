"""The one who disturbs: each action is a method, its weight is the profile's.

Whatever it does, it undoes: after heal() the server runs and nobody is stopped.

test/history/nemesis.py
"""
import json
import os
import random
import signal
import time

import psycopg2

from workload import ALL_PLACES, GROUPS, PLACES

TABLES = ('committed_offset', 'topic', 'partition', 'segment', 'consumer_group', 'leader_epoch', 'capture', 'capture_snapshot',
          'producer_turn')
TURNS = ('kstream_turns.producer_batch_0', 'kstream_turns.producer_batch_1')


class Nemesis:
    def __init__(self, run, weights):
        self.run, self.weights = run, weights
        self.random = random.Random('%s/nemesis' % run.seed)
        self.counts = {name: 0 for name in weights}
        self.connection = None
        self.stopped = []

    def cursor(self):
        while self.connection is None or self.connection.closed:
            try:
                self.connection = self.run.server.connect('nemesis')
            except psycopg2.Error:
                time.sleep(0.05)
        return self.connection.cursor()

    def strike(self):
        name = min(self.weights, key=lambda n: (self.counts[n] + self.random.random()) / self.weights[n])
        began = time.monotonic()
        try:
            detail = getattr(self, name)()
        except psycopg2.Error as error:
            if error.pgcode and error.pgcode.startswith('XX'):
                self.run.finding('unexpected-error', 'nemesis, %s: %s' % (name, error))
            detail = str(error).strip()
            if self.connection is not None and not self.connection.closed:
                try:
                    self.connection.cursor().execute('ROLLBACK')
                except psycopg2.Error:
                    self.connection.close()
        else:
            if detail is not False:
                self.counts[name] += 1
        self.run.note('nemesis', {'fault': name, 'from': began, 'to': time.monotonic(), 'detail': str(detail)})

    def torment(self, until):
        while self.weights and time.monotonic() < until:
            time.sleep(self.random.uniform(0.02, self.run.pause))
            if time.monotonic() < until:
                self.strike()
        self.heal()
        time.sleep(max(0, until - time.monotonic()))

    def heal(self):
        for pid in self.stopped:
            self.send(pid, signal.SIGCONT)
        self.stopped = []
        if self.run.faketime:
            self.set_clock('+0')

    # ---- backends

    def backends(self, condition='true'):
        cursor = self.cursor()
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name ~ '^history [mcsftpk]' AND " + condition)
        return [pid for pid, in cursor.fetchall()]

    def victim(self):
        """Somebody; rather somebody who is in the middle of something."""
        pids = self.backends("query ~* '^commit' AND state = 'active'") if self.random.random() < 0.5 else []
        pids = pids or self.backends("state <> 'idle'") or self.backends()
        return self.random.choice(pids) if pids else None

    def send(self, pid, number):
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    def kill(self):
        pid = self.victim()
        return pid is not None and self.send(pid, signal.SIGKILL) and pid

    def stop(self):
        """Somebody sleeps, maybe for so long that others have taken its partitions over."""
        pid = None
        deadline = time.monotonic() + 1
        working = self.random.random() < 0.7
        while pid is None and time.monotonic() < deadline:
            # a consumer between its poll and its commit; anybody
            pids = self.backends("application_name ~ '^history [cs]' AND state = 'idle in transaction'"
                                 " AND query ~ '^(INSERT INTO sink|SELECT kstream.produce_batch)'"
                                 if working else "state <> 'idle'")
            pid = self.random.choice(pids) if pids else None
        if pid is None or not self.send(pid, signal.SIGSTOP):
            return False
        self.stopped.append(pid)
        time.sleep(1.6 if working else self.random.choice((0.2, 1.6)))
        self.send(pid, signal.SIGCONT)
        self.stopped.remove(pid)
        return pid

    def terminate(self):
        pid = self.victim()
        self.cursor().execute('SELECT pg_terminate_backend(%s)', (pid,))
        return pid

    def cancel(self):
        for _ in range(5):
            pid = self.victim()
            self.cursor().execute('SELECT pg_cancel_backend(%s)', (pid,))
        return pid

    def worker(self):
        """The maintenance worker or its launcher: killed, terminated, or asleep for a while."""
        cursor = self.cursor()
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type ~ '^kstream' ORDER BY random() LIMIT 1")
        row = cursor.fetchone()
        if row is None:
            return False
        how = self.random.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL))
        if not self.send(row[0], how):
            return False
        if how == signal.SIGSTOP:
            self.stopped.append(row[0])
            time.sleep(self.random.uniform(0.1, 1))
            self.heal()
        return '%s %d' % (how.name, row[0])

    # ---- the server

    def immediate(self):
        self.run.server.stop('immediate')
        self.run.server.start()

    def fast(self):
        began = time.monotonic()
        self.run.server.stop('fast')
        if time.monotonic() - began > 30:
            self.run.finding('stalled', 'a fast shutdown took %.1f s' % (time.monotonic() - began))
        self.run.server.start()

    def checkpoint(self):
        self.cursor().execute('CHECKPOINT')

    def clock(self):
        shift = self.random.choice(('-1h', '+1h', '+30d', '+0'))
        self.set_clock(shift)
        return shift

    def set_clock(self, shift):
        """PostgreSQL's own timers go by the clock: who was to look for a deadlock would not, once it is back."""
        self.run.server.clock(shift)
        connection = self.run.server.connect('nemesis')
        connection.cursor().execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        connection.close()

    def standby_loss(self):
        """Commits wait meanwhile for their standby, and consumers for them."""
        self.run.replica.stop('immediate')
        time.sleep(self.random.uniform(0.2, 1.5))
        self.run.replica.start()

    def promote(self):
        """Once, when there is nothing left to do with a standby: the primary is gone, the standby takes its place."""
        if self.counts['promote'] or self.counts.get('standby_loss') == 0:
            return False
        self.run.promote()
        self.weights = {n: w for n, w in self.weights.items() if n not in ('promote', 'standby_loss')}

    # ---- tables, segments, retention

    def tables(self):
        cursor = self.cursor()
        cursor.execute("SELECT 'kstream_log.' || quote_ident(relname) FROM pg_class"
                       " WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' ORDER BY random() LIMIT 2")
        return [name for name, in cursor.fetchall()] + [self.random.choice(['kstream.' + name for name in TABLES] + list(TURNS)), 'stock']

    def lock(self):
        cursor = self.cursor()
        table = self.random.choice(self.tables())
        cursor.execute("SET lock_timeout = '300 ms'; BEGIN; LOCK TABLE %s IN %s MODE" % (
            table, self.random.choice(('SHARE', 'ACCESS EXCLUSIVE'))))
        time.sleep(self.random.uniform(0.05, 0.4))
        cursor.execute('ROLLBACK')
        return table

    def vacuum(self):
        table = self.random.choice(self.tables())
        cursor = self.cursor()
        cursor.execute("SET lock_timeout = '300 ms'")
        cursor.execute('VACUUM (%s) %s' % (self.random.choice(('FULL', 'ANALYZE', 'FREEZE')), table))
        return table

    def roll(self):
        self.cursor().execute('CALL kstream.run_maintenance()')

    def retention(self):
        k = self.random.choice(PLACES)
        topic, partition = k.split('/')
        cursor = self.cursor()
        cursor.execute('SELECT earliest, latest FROM kstream.list_offsets(%s) WHERE partition = %s', (topic, partition))
        earliest, latest = cursor.fetchone()
        before = self.random.randint(earliest, latest)
        cursor.execute('SELECT kstream.delete_records(%s, %s, %s)', (topic, partition, before))
        told = cursor.fetchone()[0]
        if told != before:
            self.run.finding('below-start', 'delete_records(%s, %d) returned %d' % (k, before, told))
        cursor.execute('CALL kstream.run_maintenance()')
        return '%s to %d' % (k, before)

    # ---- groups

    def storm(self):
        """Members come, hold, and go."""
        group = self.random.choice(sorted(GROUPS))
        guests = []
        try:
            for number in range(self.random.randint(1, 4)):
                guests.append(self.run.server.connect('storm'))
                cursor = guests[-1].cursor()
                cursor.execute('BEGIN')
                name = self.random.choice((None, 'guest%d' % number))
                cursor.execute("SELECT FROM kstream.poll(%s, %s, %s, max_records => 5, max_wait => '20 ms') r",
                               (group, GROUPS[group], name))
                cursor.execute(self.random.choice(('ROLLBACK', 'COMMIT')))
                if name is not None and self.random.random() < 0.5:
                    cursor.execute('SELECT kstream.unsubscribe(%s, %s)', (group, name))
            time.sleep(self.random.uniform(0, 0.3))
        finally:
            for guest in guests:
                guest.close()
        return group
