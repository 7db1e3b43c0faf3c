"""What the fuzzers share: a seed, a deadline, sessions, and what counts as a finding.

A finding is an SQLSTATE that no reader of the documentation expects (an internal
error above all), a session that the server lost, or a statement that neither ends
nor can be canceled.  Each is printed with the statements that led to it; the exit
status is then 1.  The seed is printed first, and --seed repeats a run.

test/fuzz/hostile.py
"""
import argparse
import random
import re
import select
import sys
import time

import psycopg2
import psycopg2.extensions

# What kstream and PostgreSQL may say to a hostile argument or row.
EXPECTED = re.compile(r'''^(
    KS\d{3} | 0A000 | 0LP01 | 21000 | 22... | 2350[2-5] | 23514 | 25001 | 25006 | 25P0[12] | 2BP01 | 2D000 | 34000 | 39P01 | 3B001 | 3F000 | 40001 | 40P01 |
    42501 | 42601 | 42602 | 42622 | 42701 | 42703 | 42704 | 42710 | 42723 | 42725 | 42803 | 42804 | 42809 | 42830 | 42846 | 42883 | 42939 |
    42P0[1-9] | 42P1[0-9] | 42P2[0-9] | 42P38 | 53100 | 53200 | 53400 | 54000 | 54001 | 54011 | 54023 | 55000 | 55006 | 55P0[23] | 57014
    )$''', re.VERBOSE)

# A statement has the statement_timeout of its session; this long after it, it cannot be canceled.
STUCK = 60


class Stuck(Exception):
    pass


def _wait(connection):
    deadline = time.monotonic() + STUCK
    while True:
        state = connection.poll()
        if state == psycopg2.extensions.POLL_OK:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise Stuck()
        if state == psycopg2.extensions.POLL_READ:
            select.select([connection.fileno()], [], [], left)
        else:
            select.select([], [connection.fileno()], [], left)


class Run:
    """One run of a fuzzer.  The statements since the last setup() are kept for the report."""

    def __init__(self, description, *more):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument('--dsn', required=True)
        parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 32))
        parser.add_argument('--seconds', type=float, default=20)
        for name, help in more:
            parser.add_argument(name, help=help)
        self.options = parser.parse_args()
        print('seed %d' % self.options.seed, flush=True)
        self.random = random.Random(self.options.seed)
        self.deadline = time.monotonic() + self.options.seconds
        self.findings = 0
        self.calls = 0
        self.states = {}
        self.history = []
        self.kinds = set()
        psycopg2.extensions.set_wait_callback(_wait)

    def on(self):
        return time.monotonic() < self.deadline and self.findings < 5

    def connect(self, user=None, timeout='2s'):
        connection = psycopg2.connect(self.options.dsn + (' user=' + user if user else ''), application_name='fuzz')
        connection.autocommit = True
        connection.cursor().execute("SET statement_timeout = '%s'; SET client_min_messages = error" % timeout)
        return connection

    def finding(self, what, sql):
        """Report it, once for each kind."""
        kind = re.sub(r'"[^"]*"|\d+', '', what.split('\n')[0])
        if kind in self.kinds:
            return
        self.kinds.add(kind)
        self.findings += 1
        print('FINDING: %s\n  at: %s' % (what, sql))
        for line in self.history[-40:]:
            print('  after: %s' % line)
        sys.stdout.flush()

    def note(self, sql):
        self.history.append(sql if len(sql) < 2000 else sql[:2000] + '...')

    def execute(self, connection, sql, also=None):
        """Run a statement; its SQLSTATE ('' for success), or None when the session is lost."""
        self.calls += 1
        try:
            # the rows come with it; what Python makes of them does not matter
            connection.cursor().execute(sql)
            state = ''
        except Stuck:
            self.finding('it cannot be canceled', sql)
            return None
        except psycopg2.Error as error:
            state = error.pgcode
            if state is None or connection.closed:
                if state != '57P01':
                    self.finding('the session is lost: %s' % str(error).strip(), sql)
                return None
            if not EXPECTED.match(state) and not (also and re.match(also, state)):
                self.finding('%s %s' % (state, str(error).strip()), sql)
        self.states[state] = self.states.get(state, 0) + 1
        return state

    def end(self):
        print('%d statements, %d findings; %s' % (self.calls, self.findings, ', '.join(
            '%s %d' % (state or 'done', count) for state, count in sorted(self.states.items(), key=lambda item: -item[1]))))
        sys.exit(1 if self.findings else 0)


def quote(text):
    return "'" + text.replace("'", "''") + "'" if '\\' not in text else "E'" + text.replace('\\', '\\\\').replace("'", "''") + "'"
