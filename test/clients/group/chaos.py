#!/usr/bin/python3
"""Consumers, producers and the one who disturbs them; see chaos() below.

Usage: chaos.py CONNINFO SECONDS SEED

The database has topic "source" and "target", table sink (grp, part, off,
value, by) and table step (grp, part, lo, hi, by), and the groups "sink" and
"copy".  Producers write to "source", with rollbacks.  Consumers of "sink" note
each record in sink, consumers of "copy" produce it again into "target"; both
commit in the transaction that polled.  Both note in step what they moved on by.
Meanwhile backends are killed, terminated and stopped.  Then the disturbing
ends, and so does the producing; consumers go on until the groups have caught up.

What a consumer may meet: to be fenced, to have to retry, that its connection
ends.  Anything else is printed as "unexpected".  At the end comes a line of
JSON with the values that were acknowledged and counts of what happened.
"""
import json
import multiprocessing
import os
import random
import signal
import sys
import time

import psycopg2
import psycopg2.extensions

# What a transaction may fail with and is then done again: serialization,
# fenced, no member any more, the name is still in another's hands.
RETRY = {"40001", "KS110", "KS025", "55006"}

ISOLATION = {"RC": "READ COMMITTED", "RR": "REPEATABLE READ", "SER": "SERIALIZABLE"}

# (name or None for a session, group, isolation)
CONSUMERS = [
    (None, "sink", "RC"), ("s1", "sink", "RC"), ("s2", "sink", "RR"), (None, "sink", "SER"),
    (None, "copy", "RC"), ("c1", "copy", "RC"), ("c2", "copy", "SER"),
]
PRODUCERS = 2


class Worker:
    """A process with a connection that it gets again when it is lost."""

    def __init__(self, conninfo, role, seed, results, flags):
        self.conninfo = conninfo
        self.role = role
        self.random = random.Random(seed)
        self.results = results
        self.producing, self.consuming = flags
        self.connection = None
        self.counts = {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def connect(self):
        while self.connection is None:
            try:
                self.connection = psycopg2.connect(self.conninfo, application_name=self.role)
                self.connection.autocommit = True
            except psycopg2.OperationalError:
                time.sleep(0.02)
        return self.connection.cursor()

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def failed(self, error):
        """After an error: ready for the next transaction."""
        if self.connection.closed or error.pgcode is None or error.pgcode.startswith("57P"):
            self.count("lost")
            self.disconnect()
            return
        if error.pgcode not in RETRY:
            self.count("unexpected")
            print("unexpected: %s: %s %s" % (self.role, error.pgcode, error), flush=True)
        self.count(error.pgcode)
        try:
            self.connection.cursor().execute("ROLLBACK")
        except psycopg2.Error:
            self.disconnect()

    def attempt(self, work):
        """Run a piece of work with a cursor; what it fails with is dealt with."""
        cursor = self.connect()
        try:
            return work(cursor)
        except psycopg2.Error as error:
            self.failed(error)
            return None


class Producer(Worker):
    def run(self):
        self.acknowledged = []
        self.number = 0
        while self.producing.is_set():
            self.attempt(self.transaction)
            time.sleep(self.random.random() * 0.01)
        self.results.put({"acknowledged": self.acknowledged, "counts": self.counts})

    def produce(self, cursor, values):
        for _ in range(self.random.randint(1, 4)):
            self.number += 1
            value = "%s.%d" % (self.role, self.number)
            cursor.execute("SELECT kstream.produce('source', %s, %s)",
                           (str(self.random.randint(0, 20)), value))
            values.append(value)

    def transaction(self, cursor):
        values = []
        cursor.execute("BEGIN")
        self.produce(cursor, values)
        if self.random.random() < 0.1:
            cursor.execute("SAVEPOINT s")
            self.produce(cursor, [])
            cursor.execute("ROLLBACK TO s")
        if self.random.random() < 0.1:
            cursor.execute("ROLLBACK")
            return
        cursor.execute("COMMIT")
        self.acknowledged.extend(values)
        self.count("produced")


class Consumer(Worker):
    def configure(self, name, group, isolation):
        self.name = name
        self.group = group
        self.isolation = isolation

    def run(self):
        while self.consuming.is_set():
            chance = self.random.random()
            if chance < 0.01:
                self.attempt(self.leave)
            elif chance < 0.02:
                self.disconnect()
                time.sleep(self.random.random() * (2 if self.producing.is_set() else 0.1))
            elif chance < 0.3 and self.isolation == "RC" and self.group == "sink":
                self.attempt(self.statement)
            else:
                self.attempt(self.transaction)
        self.results.put({"counts": self.counts})

    def leave(self, cursor):
        cursor.execute("SELECT kstream.unsubscribe(%s, %s)", (self.group, self.name))
        self.count("left")

    def poll(self, cursor):
        cursor.execute("SELECT r.partition, r.offset, kstream.text(r.value)"
                       " FROM kstream.poll(%s, '{source}', %s, max_records => %s, max_wait => '50 ms') r",
                       (self.group, self.name, self.random.randint(1, 60)))
        return cursor.fetchall()

    def statement(self, cursor):
        """The shortest form: the work and the commit are one statement."""
        cursor.execute("INSERT INTO sink SELECT %s, r.partition, r.offset, kstream.text(r.value), %s"
                       " FROM kstream.poll(%s, '{source}', %s, max_wait => '50 ms', commit => true) r",
                       (self.group, self.role, self.group, self.name))
        self.count("statements")

    def transaction(self, cursor):
        cursor.execute("BEGIN ISOLATION LEVEL " + ISOLATION[self.isolation])
        if self.random.random() < 0.1:
            cursor.execute("SAVEPOINT s")
            self.poll(cursor)
            cursor.execute("ROLLBACK TO s")
        rows = self.poll(cursor)
        if rows and self.random.random() < 0.2:
            rows += self.poll(cursor)
        if rows:
            self.work(cursor, rows)
            # long enough to be stopped in
            if self.random.random() < 0.2:
                time.sleep(self.random.random() * 0.2)
        if self.random.random() < 0.05:
            cursor.execute("ROLLBACK")
            return
        if rows:
            self.commit(cursor, rows)
        cursor.execute("COMMIT")
        self.count("transactions")

    def work(self, cursor, rows):
        if self.group == "sink":
            cursor.executemany("INSERT INTO sink VALUES ('sink', %s, %s, %s, '" + self.role + "')", rows)
        else:
            values = ["%d:%d:%s" % row for row in rows]
            cursor.execute("SELECT kstream.produce_batch('target', NULL, %s)", (values,))

    def commit(self, cursor, rows):
        low = {}
        for part, offset, _ in rows:
            low.setdefault(part, offset)
        cursor.execute("SELECT topic, partition, \"offset\" FROM kstream.commit(%s, %s)", (self.group, self.name))
        moved = {part: offset for _, part, offset in cursor.fetchall()}
        if set(moved) != set(low):
            self.count("unexpected")
            print("unexpected: %s polled %s and committed %s" % (self.role, low, moved), flush=True)
        for part, offset in moved.items():
            cursor.execute("INSERT INTO step (grp, part, lo, hi, by) VALUES (%s, %s, %s, %s, %s)",
                           (self.group, part, low.get(part), offset, self.role))


class Nemesis(Worker):
    """Disturbs until the time is up; one thing at a time."""

    def backends(self, cursor, condition="true"):
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name ~ '^(consumer|producer)'"
                       " AND " + condition)
        return [row[0] for row in cursor.fetchall()]

    def send(self, pid, number):
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    def kill(self, cursor):
        pids = self.backends(cursor)
        if pids and self.send(self.random.choice(pids), signal.SIGKILL):
            self.count("killed")
            time.sleep(0.5)

    def terminate(self, cursor):
        pids = self.backends(cursor)
        if pids:
            cursor.execute("SELECT pg_terminate_backend(%s)", (self.random.choice(pids),))
            self.count("terminated")

    def stop(self, cursor):
        """A consumer in the middle of its transaction, until others have its partitions."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            pids = self.backends(cursor, "application_name ~ '^consumer' AND state = 'idle in transaction'"
                                 " AND query ~ '^(INSERT INTO sink|SELECT kstream.produce_batch)'")
            if not pids:
                time.sleep(0.005)
                continue
            pid = self.random.choice(pids)
            if self.send(pid, signal.SIGSTOP):
                time.sleep(1.6)
                self.send(pid, signal.SIGCONT)
                self.count("stopped")
                return

    def run_until(self, deadline):
        # each kind comes up, however few there are
        plan = [self.stop, self.terminate, self.stop, self.kill, self.terminate]
        while time.monotonic() < deadline:
            for act in plan:
                time.sleep(self.random.random() * 0.3)
                self.attempt(act)
                if time.monotonic() >= deadline:
                    break
            self.random.shuffle(plan)

    def caught_up(self, cursor):
        cursor.execute("SELECT count(*) = 8 AND sum(records) = 0 FROM kstream.lag WHERE topic = 'source'")
        return cursor.fetchone()[0]


def chaos(conninfo, seconds, seed):
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    flags = (context.Event(), context.Event())
    workers = []
    processes = []
    for flag in flags:
        flag.set()
    for i in range(PRODUCERS):
        workers.append(Producer(conninfo, "producer%d" % i, seed + i, results, flags))
    for i, what in enumerate(CONSUMERS):
        consumer = Consumer(conninfo, "consumer%d" % i, seed + 100 + i, results, flags)
        consumer.configure(*what)
        workers.append(consumer)
    for worker in workers:
        processes.append(context.Process(target=worker.run, daemon=True))
        processes[-1].start()

    nemesis = Nemesis(conninfo, "nemesis", seed, results, flags)
    nemesis.run_until(time.monotonic() + seconds)
    flags[0].clear()
    total = {"acknowledged": [], "counts": {}}
    deadline = time.monotonic() + 20
    done = None
    while not done and time.monotonic() < deadline:
        time.sleep(0.1)
        done = nemesis.attempt(nemesis.caught_up)
    total["caught_up"] = bool(done)
    flags[1].clear()
    reports = [results.get(timeout=20) for _ in processes]
    reports.append({"counts": nemesis.counts})
    for report in reports:
        total["acknowledged"] += report.get("acknowledged", [])
        for what, count in report["counts"].items():
            total["counts"][what] = total["counts"].get(what, 0) + count
    for process in processes:
        process.join(10)
    print(json.dumps(total))


chaos(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
