#!/usr/bin/python3
"""Run clients against a server that is being disturbed, and judge the history.

    history.py run PROFILE [--seconds N] [--seed S] [--mutant NAME] [--out DIR]
    history.py soak --seconds N [--out DIR]     the profiles in turn, each round on a new server
    history.py check DIR                        judge a kept history once more

PGBIN is where the programs of the server are.  Exit status 0: nothing found; 1:
something was, and everything is kept in the directory that is named; 2: the run
itself failed.  README.md says what is looked for.

test/history/history.py
"""
import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import sys
import time
import traceback

import psycopg2

import captured
import idempotent
from changes import Captured
from checker import CLASSES, REPORTED, Checker, Group, History, Txn
from nemesis import Nemesis
from server import Server
from workload import (ALL_PLACES, APPEND_TIME, CAPTURED, COPIED, EVERY_TOPIC, GROUPS, KEPT, PARTITIONS, SCHEMA, clients,
                      said)

# What the nemesis does, with weights.
PROFILES = {
    'smoke': {},
    'kill': {'kill': 2, 'terminate': 4, 'cancel': 5, 'roll': 3},
    'stop': {'stop': 6, 'terminate': 1, 'cancel': 2, 'lock': 2},
    'restart': {'immediate': 3, 'fast': 1, 'checkpoint': 1, 'roll': 2},
    'rebalance': {'storm': 6, 'terminate': 3, 'stop': 2, 'vacuum': 2},
    'retention': {'roll': 5, 'retention': 6, 'vacuum': 3, 'lock': 1, 'cancel': 2, 'worker': 2},
    'promote': {'roll': 3, 'standby_loss': 2, 'stop': 1, 'retention': 1, 'promote': 0.5},
    'clock': {'clock': 5, 'roll': 2, 'terminate': 1, 'storm': 1, 'immediate': 1},
    'chaos': {'kill': 1, 'terminate': 3, 'cancel': 3, 'stop': 3, 'immediate': 1, 'fast': 1, 'checkpoint': 1,
              'roll': 4, 'retention': 2, 'vacuum': 2, 'lock': 2, 'storm': 3, 'worker': 2},
}
HEALED = 0.2            # of the time, at the end


class Run:
    """One run: its server, its clients, its directory."""

    def __init__(self, profile, seconds, seed, directory, mutant):
        self.profile, self.seconds, self.seed, self.directory = profile, seconds, seed, directory
        self.faketime = profile == 'clock'
        self.replicated = profile == 'promote'
        self.unrest = 3 if profile in ('rebalance', 'chaos') else 1
        self.pause = 0.3 if mutant else min(2.0, 0.25 + seconds / 100)
        self.lossy = False
        self.perturb = 0
        self.mutant = mutant
        self.replica = None
        self.writing_over, self.over = multiprocessing.Event(), multiprocessing.Event()
        self.findings = {}
        os.makedirs(directory)
        self.note('run', {'profile': profile, 'seconds': seconds, 'seed': seed, 'mutant': mutant})

    def primary(self):
        with open(os.path.join(self.directory, 'primary')) as file:
            return file.read()

    def kafka_port(self):
        with open(os.path.join(self.directory, 'kafka')) as file:
            return int(file.read())

    def standby(self):
        try:
            with open(os.path.join(self.directory, 'standby')) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def tell(self, name, dsn):
        path = os.path.join(self.directory, name)
        with open(path + '.new', 'w') as file:
            file.write(dsn)
        os.rename(path + '.new', path)

    def note(self, name, what):
        with open(os.path.join(self.directory, name + '.jsonl'), 'a') as file:
            file.write(json.dumps(what) + '\n')

    def finding(self, kind, text):
        self.findings.setdefault(kind, []).append(text)

    # ---- the server

    def set_up(self):
        # The worker at its busiest
        conf = "max_standby_streaming_delay = 5s\nkstream.worker_naptime = '100 ms'\n"
        if self.mutant:
            conf += "kstream.mutant = '%s'\n" % self.mutant
        self.server = Server(os.environ['PGBIN'], os.path.join(self.directory, 'one'), 5432)
        self.server.create(conf)
        if self.faketime:
            self.server.fake_time()
        self.server.start()
        cursor = self.server.connect().cursor()
        cursor.execute('CREATE EXTENSION kstream')
        cursor.execute("SELECT count(*) FROM pg_settings WHERE name = 'kstream.debug_point'")
        self.perturb = (0.9 if self.mutant else 0.5) if cursor.fetchone()[0] else 0
        for topic in EVERY_TOPIC:
            cursor.execute("SELECT kstream.create_topic(%s, %s, %s)", (topic, PARTITIONS, json.dumps(
                {'segment_bytes': '1MB', 'cleanup_policy': 'compact' if topic == KEPT else 'delete',
                 'retention': 'infinite' if topic in (COPIED, CAPTURED) else None,   # read as a whole at the end
                 'min_cleanable_dirty_ratio': 0.01, 'compression': {'b': 'lz4', 'd': 'zstd'}.get(topic, 'none'),
                 'timestamp_type': 'LogAppendTime' if topic == APPEND_TIME else 'CreateTime'})))
        cursor.execute(SCHEMA)
        cursor.execute(captured.SCHEMA)
        cursor.execute(idempotent.SCHEMA)
        for group in GROUPS:
            cursor.execute("SELECT kstream.create_group(%s, '{\"session_timeout\": \"1 second\","
                           " \"max_poll_interval\": \"1 second\"}')", (group,))
        self.tell('primary', self.server.dsn)
        self.tell('kafka', str(self.server.kafka_port))
        if self.replicated:
            self.replica = self.server.copy(os.path.join(self.directory, 'two'), 5433)
            self.replica.start()
            cursor.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            cursor.execute('SELECT pg_reload_conf()')
            self.tell('standby', self.replica.dsn)

    def promote(self):
        self.server.stop('immediate')
        self.replica.promote()
        self.server.remove()
        os.unlink(os.path.join(self.directory, 'standby'))
        self.server, self.replica = self.replica, None
        self.tell('primary', self.server.dsn)
        self.tell('kafka', str(self.server.kafka_port))

    # ---- the run

    def go(self):
        started = []
        for client in clients(self) + captured.clients(self) + idempotent.clients(self):
            started.append(multiprocessing.Process(target=client.main, name=client.name, daemon=True))
            started[-1].start()
        nemesis = Nemesis(self, dict(PROFILES[self.profile]))
        begin = time.monotonic()
        nemesis.torment(begin + self.seconds * (1 - HEALED))
        if 'promote' in nemesis.weights and not nemesis.counts['promote']:
            nemesis.promote()
            nemesis.counts['promote'] = 1
        time.sleep(max(0, begin + self.seconds - time.monotonic()))
        self.writing_over.set()
        for process in started:
            if process.name in idempotent.NAMES:
                process.join(30)        # it ends when all is acknowledged
        self.await_groups()
        self.over.set()
        for process in started:
            process.join(30)
            if process.is_alive():
                process.kill()
                self.finding('stalled', 'client %s did not come to its end' % process.name)
            elif process.exitcode != 0:
                self.finding('unexpected-error', 'client %s died' % process.name)
        return nemesis.counts

    def await_groups(self):
        """Both groups come to the end soon after the last record."""
        cursor = self.server.connect().cursor()
        deadline = time.monotonic() + 20
        while True:
            cursor.execute("SELECT group_id, topic || '/' || partition, records, member FROM kstream.lag WHERE records > 0")
            behind = cursor.fetchall()
            if not behind:
                return
            if time.monotonic() > deadline:
                for row in behind:
                    self.finding('stalled', '%s is behind in %s by %d records, owner %s' % row)
                return
            time.sleep(0.1)

    # ---- the last reading

    def gather(self):
        cursor = self.server.connect().cursor()
        last = {'compacted': [KEPT], 'final': {}, 'start': {}, 'groups': {g: {'topics': t, 'effects': [], 'committed': {}}
                                                     for g, t in GROUPS.items()}}
        last['captured'] = captured.gather(cursor)
        for k in ALL_PLACES:
            self.read_place(cursor, k, last)
        if captured.final(last['captured']) != {k: rows for k, rows in last['final'].items() if k in last['captured']['records']}:
            self.finding('replay', 'the changes were not read twice the same')
        cursor.execute('SELECT grp, topic, part, off, value FROM sink')
        for group, topic, part, offset, value in cursor.fetchall():
            last['groups'][group]['effects'].append(['%s/%d' % (topic, part), offset, value])
        cursor.execute("SELECT group_id, topic || '/' || partition, \"offset\" FROM kstream.committed_offsets")
        for group, k, offset in cursor.fetchall():
            last['groups'][group]['committed'][k] = offset
        cursor.execute('SELECT name FROM witness')
        last['witnesses'] = [name for name, in cursor.fetchall()]
        for topic in EVERY_TOPIC:
            cursor.execute('SELECT * FROM kstream.verify(%s)', (topic,))
            for row in cursor.fetchall():
                self.finding('verify', '%s: %s' % (topic, row))
        self.look_for_leftovers(cursor)
        self.read_logs()
        last['findings'] = self.findings
        with open(os.path.join(self.directory, 'last.json'), 'w') as file:
            json.dump(last, file)

    def read_place(self, cursor, k, last):
        """All of it at once, and in small pieces; both are the same."""
        topic, partition = k.split('/')
        cursor.execute('SELECT earliest, latest FROM kstream.list_offsets(%s) WHERE partition = %s', (topic, partition))
        earliest, latest = cursor.fetchone()
        query = 'SELECT r.offset, kstream.text(r.value) FROM kstream.fetch(%s, %s, %s, %s) r'
        cursor.execute(query, (topic, partition, earliest, 2147483647))
        rows = cursor.fetchall()
        position, pieces = earliest, 0
        while True:
            cursor.execute(query, (topic, partition, position, 997))
            piece = cursor.fetchall()
            if topic != KEPT and piece != rows[pieces:pieces + 997]:
                self.finding('replay', '%s from %d: 997 records at a time are not what all at once are' % (k, position))
                break
            pieces += len(piece)
            if not piece:
                break
            position = piece[-1][0] + 1
        last['final'][k] = [[offset, said(k, offset, value)] for offset, value in rows]
        last['start'][k] = earliest
        if topic == APPEND_TIME:
            self.look_at_times(cursor, topic, partition, earliest)
        if topic == COPIED:
            for _, value in rows:
                group, (source, offset, what) = last['groups']['copy'], value.split(' ')[1].split(':')
                group['effects'].append([source, int(offset), what])

    def look_at_times(self, cursor, topic, partition, earliest):
        """Where the server stamps records no record is older than the one before it."""
        cursor.execute('SELECT o, t, before FROM (SELECT r.offset, r.timestamp, lag(r.timestamp) OVER (ORDER BY r.offset)'
                       ' FROM kstream.fetch(%s, %s, %s, 2147483647) r) AS s(o, t, before) WHERE t < before', (
                           topic, partition, earliest))
        for offset, time_there, before in cursor.fetchall():
            self.finding('clock', '%s/%s@%d is of %s, behind one of %s' % (topic, partition, offset, time_there, before))

    def look_for_leftovers(self, cursor):
        cursor.execute("""
            SELECT 'in flight: ' || topic || '/' || partition || ' from ' || base_offset || ' of ' || pid FROM kstream.in_flight
            UNION ALL SELECT concat_ws(' ', 'lock:', locktype, relation::regclass, objid, transactionid, 'of', pid, state, query)
            FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid() AND l.locktype <> 'virtualxid'
            UNION ALL SELECT 'held back: ' || topic || '/' || partition FROM kstream.partitions WHERE last_stable_offset <> end_offset
            UNION ALL SELECT 'temporary file: ' || name FROM pg_ls_tmpdir()""")
        for what, in cursor.fetchall():
            self.finding('leftover', what)

    def read_logs(self):
        for name in ('one', 'two'):
            path = os.path.join(self.directory, name, 'log')
            if os.path.exists(path):
                with open(path, errors='replace') as log:
                    for line in log:
                        if re.search(r'PANIC|TRAP|\] XX\d{3} |terminated by signal (?!9\b)', line):
                            self.finding('log', line.strip())

    def tear_down(self):
        for server in (self.server, self.replica):
            if server is not None:
                server.stop('immediate')
                server.remove()


# ---- judging

def load(directory):
    history = History()
    with open(os.path.join(directory, 'last.json')) as file:
        last = json.load(file)
    history.final, history.start = last['final'], last['start']
    history.compacted = set(last['compacted'])
    history.witnesses = set(last['witnesses'])
    history.groups = {name: Group(**group) for name, group in last['groups'].items()}
    history.captured = Captured(**last['captured'])
    history.findings = last['findings']
    for name in sorted(os.listdir(directory)):
        if not name.startswith('client-'):
            continue
        with open(os.path.join(directory, name)) as file:
            for line in file:
                read_line(history, json.loads(line))
    return history


def read_line(history, what):
    if 'finding' in what:
        history.findings.setdefault(what['finding'], []).append(what['text'])
    elif 'sample' in what:
        history.samples.append(what)
    else:
        history.txns.append(Txn(**what))


def judge(directory, seconds):
    """Returns (the anomalies, a line of numbers)."""
    history = load(directory)
    began = time.monotonic()
    settled = history.settle()
    outcomes = [txn.outcome for txn in history.txns]
    anomalies = Checker(history).run()
    took = time.monotonic() - began
    reads = sum(len(read['rows']) for txn in history.txns for read in txn.reads)
    effects = sum(len(group.effects) for group in history.groups.values())
    records = sum(len(rows) for rows in history.final.values())
    batches = sum(txn.retried for txn in history.txns if txn.outcome == 'ok')
    written = sum(len(txn.writes) for txn in history.txns if txn.outcome == 'ok')
    changes, snapshots = len(history.captured.audit), sum(
        row[2] == 'r' for rows in history.captured.records.values() for row in rows)
    if seconds and (outcomes.count('ok') < 10 * seconds or reads < 10 * seconds or effects == 0 or changes < 10 * seconds or batches < 10 * seconds):
        anomalies.setdefault('idle', []).append('%d transactions committed, %d records read, %d consumed, %d changes, %d batches' % (
            outcomes.count('ok'), reads, effects, changes, batches))
    return anomalies, ('%d transactions (%d committed, %d failed, %d of all settled afterwards),'
                       ' %d batches of idempotent producers, %d records written, %d read, %d consumed exactly once, %d changes and %d rows of snapshots captured,'
                       ' %d left, %d samples, checked in %.1f s' % (
                           len(outcomes), outcomes.count('ok'), outcomes.count('fail'), settled,
                           batches, written, reads, effects, changes, snapshots, records, len(history.samples), took))


def report(anomalies):
    """One line of verdicts; the shortest witnesses of what is forbidden.  True when nothing is."""
    bad = [kind for kind in CLASSES if anomalies.get(kind) and kind not in REPORTED]
    print('  ' + ', '.join('%s %d' % (kind, len(anomalies.get(kind, ()))) for kind in CLASSES))
    for kind in bad:
        for text in sorted(anomalies[kind], key=len)[:8 if len(bad) == 1 else 3]:
            print('  %s: %s' % (kind, text[:400]))
    sys.stdout.flush()
    return not bad


def run_profile(profile, seconds, seed, directory, mutant=None):
    """True when nothing was found; then nothing is kept."""
    run = Run(profile, seconds, seed, directory, mutant)
    try:
        run.set_up()
        faults = run.go()
        run.gather()
    finally:
        run.tear_down()
    anomalies, numbers = judge(directory, seconds)
    print('history %s, seed %s, %g s: %s' % (profile, seed, seconds, numbers), flush=True)
    print('  faults: ' + (', '.join('%s %d' % pair for pair in faults.items()) or 'none'))
    never = [name for name, count in faults.items() if count == 0]
    # (on a slow machine there may be too few turns for all)
    if never and sum(faults.values()) >= 2 * len(faults) and not mutant:
        anomalies.setdefault('idle', []).append('it never came to: ' + ', '.join(never))
    sound = report(anomalies)
    if sound or mutant:
        shutil.rmtree(directory)
    else:
        print('  kept: ' + directory)
    return sound


def soak(seconds, out, seed):
    """Rounds of a minute, until the time is over."""
    deadline = time.monotonic() + seconds
    rounds, bad = 0, 0
    order = ['chaos', 'kill', 'retention', 'rebalance', 'promote', 'chaos', 'restart', 'stop', 'clock', 'smoke']
    while time.monotonic() < deadline:
        profile = order[rounds % len(order)]
        directory = os.path.join(out, 'soak-%d-%s' % (rounds, profile))
        length = min(45, max(10, deadline - time.monotonic()))
        if not run_profile(profile, length, seed + rounds, directory):
            bad += 1
        rounds += 1
    print('soak: %d rounds, %d with findings' % (rounds, bad))
    return bad == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('command', choices=('run', 'soak', 'check'))
    parser.add_argument('what', nargs='?')
    parser.add_argument('--seconds', type=float, default=15)
    parser.add_argument('--seed', type=int, default=random.randrange(1000000))
    parser.add_argument('--mutant', default=os.environ.get('KSTREAM_MUTANT') or None)
    parser.add_argument('--out', default='.')
    options = parser.parse_args()
    if options.command == 'check':
        anomalies, numbers = judge(options.what, 0)
        print(numbers)
        return 0 if report(anomalies) else 1
    if options.command == 'soak':
        return 0 if soak(options.seconds, options.out, options.seed) else 1
    if options.what not in PROFILES:
        parser.error('the profiles are: ' + ' '.join(PROFILES))
    directory = os.path.join(options.out, options.what)
    shutil.rmtree(directory, ignore_errors=True)
    return 0 if run_profile(options.what, options.seconds, options.seed, directory, options.mutant) else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except (OSError, RuntimeError, psycopg2.Error):
        traceback.print_exc()
        sys.exit(2)
