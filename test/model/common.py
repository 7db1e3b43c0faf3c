"""What the models share: a server of their own, sessions that tell SQLSTATEs,
runs that stop at the first difference, and the shortest schedule that shows it.

test/model/common.py
"""
import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'history'))
from server import Server  # noqa: E402

CONF = """
kstream.worker = off
max_prepared_transactions = 4
autovacuum = off
max_locks_per_transaction = 256
"""
GONE = 'gone'       # instead of an SQLSTATE: the connection is lost


class Wrong(Exception):
    """The server did something that the model says it does not."""


def check(condition, text, *values):
    if not condition:
        raise Wrong(text % values)


class Session:
    """A connection; what it runs gives (SQLSTATE or '', rows)."""

    calls = 0           # by all of them

    def __init__(self, server, name='model', setup=''):
        self.server, self.name, self.setup = server, name, setup
        self.connection = None
        self.message = ''
        self.connect()

    def connect(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connection = self.server.connect(self.name)
                break
            except psycopg2.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.pid = self.connection.get_backend_pid()
        if self.setup:
            self.rows(self.setup)

    def close(self):
        """The end of the backend, not only of the connection."""
        if self.connection is not None and not self.connection.closed:
            self.connection.close()
        deadline = time.monotonic() + 30
        while os.path.exists('/proc/%d' % self.pid) and time.monotonic() < deadline:
            time.sleep(0.002)

    def run(self, sql, arguments=None):
        Session.calls += 1
        self.message = self.status = ''
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql, arguments)
            self.status = cursor.statusmessage
            return '', cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self.message = str(error).strip()
            code = error.pgcode or GONE
            if self.connection.closed or code.startswith('57P'):
                code = GONE
            return code, []

    def rows(self, sql, arguments=None):
        code, rows = self.run(sql, arguments)
        check(code == '', '%s: %s %s', sql, code, self.message)
        return rows


def start_server(directory, conf=''):
    directory = directory or tempfile.mkdtemp(prefix='ksmodel')
    server = Server(os.environ.get('BINDIR') or os.environ['PGBIN'], os.path.join(directory, 'server'),
                    int(os.environ.get('KSTREAM_MODEL_PORT', 65433)))
    server.create(CONF + conf)
    server.start()
    session = Session(server)
    session.rows('CREATE EXTENSION kstream')
    session.close()
    return server


def restart(server):
    """As after a crash; a busy machine may leave the old one's memory for a moment."""
    server.stop('immediate')
    server.start()


def shortest(steps, fails, seconds):
    """Delta debugging: the steps that are left when no more can be taken out, for so many seconds."""
    until = time.monotonic() + seconds
    for value in {json.dumps(v) for step in steps for v in step[:4]}:
        less = [step for step in steps if value not in map(json.dumps, step[:4])]
        if len(steps) > len(less) > 0 and time.monotonic() < until and fails(less):
            steps = less
    size = max(1, len(steps) // 2)
    while time.monotonic() < until:
        at, shrunk = 0, False
        while at < len(steps) and time.monotonic() < until:
            less = steps[:at] + steps[at + size:]
            if less and fails(less):
                steps, shrunk = less, True
            else:
                at += size
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2)
    return steps


def kind_of(text):
    """Two failures are of the same kind when they differ in numbers and names only."""
    return re.sub(r'(?<![A-Z\d])\d{1,4}(?!\d)', '#', text.split('\n')[0])[:60]


def log_findings(server):
    """Lines of the server's log that no server should write."""
    bad = re.compile(r' XX\d\d\d (?!WARNING:  cannot reindex)|PANIC|TRAP|terminated by signal|WARNING:  (buffer refcount|resource was not|.*leak)')
    with open(server.log, errors='replace') as log:
        return [line.strip() for line in log if bad.search(line)]


def guarded(server, work):
    """Whatever happens to the program, its server does not stay."""
    try:
        return work()
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        server.stop('immediate')
        sys.exit(2)


def arguments(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--seed', type=int, help='begin with this one (default: by the clock)')
    parser.add_argument('--runs', type=int, default=10 ** 9, help='at most so many')
    parser.add_argument('--steps', type=int, default=250, help='of a run')
    parser.add_argument('--out', help='directory for the server; kept when something is found')
    parser.add_argument('--replay', help='a file of steps, one a line, instead of random ones')
    parser.add_argument('--without', default='', help='steps, or what they use, that are left out: "prepare,l"')
    parser.add_argument('--keep-going', action='store_true', help='list all that is found')
    parser.add_argument('--shrink', type=float, default=60, help='seconds for the shortest schedule')
    given = parser.parse_args()
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(10 ** 6)
    return given


def finish(server, found, given):
    """The exit status; nothing is left of a good run."""
    found += ['log: ' + line for line in log_findings(server)]
    server.stop('fast')
    for text in found:
        print('FOUND ' + text)
    if found:
        print('kept: ' + server.directory)
    else:
        server.remove()
        shutil.rmtree(server.directory if given.out else os.path.dirname(server.directory), ignore_errors=True)
    return 1 if found else 0
