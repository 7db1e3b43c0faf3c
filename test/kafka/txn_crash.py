"""A server that dies between a transaction's first batch and the answer of its end: all of it or nothing, once.

Usage: txn_crash.py PORT USER PASSWORD POINT..., with PGHOST and PGPORT for SQL; a test build.  Prints a line for each test.
A point is that of the newer flow, with v1/ or v12/ in front of the older or of both; a number behind it says at which arrival.
"""
import sys
import time

import psycopg2

from txn import *  # noqa: F403

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def ask(query):
    """Retried: the server may be on its way up."""
    until = time.monotonic() + 60
    while True:
        try:
            sql = psycopg2.connect(dbname='postgres', user='postgres')
            sql.autocommit = True
            with sql.cursor() as cursor:
                cursor.execute(query)
                found = cursor.fetchall() if cursor.description else None
            sql.close()
            return found
        except psycopg2.OperationalError:
            if time.monotonic() > until:
                raise


def connect():
    until = time.monotonic() + 60
    while True:
        try:
            return Connection(port, user, password)
        except (OSError, EOFError):
            if time.monotonic() > until:
                raise


def values(partition):
    return [row[0] for row in ask("SELECT kstream.text(value) FROM kstream.fetch('c', %d, 0, 100000) ORDER BY \"offset\"" % partition)]


def offset(group):
    found = ask("SELECT \"offset\" FROM kstream.committed_offsets WHERE group_id = '%s'" % group)
    return found[0][0] if found else None


def is_(got, wanted, name):
    print('%sok - %s%s' % ('' if got == wanted else 'not ', name, '' if got == wanted else ': %r, not %r' % (got, wanted)), flush=True)


def armed(point):
    """A connection that dies there; or dies now."""
    connect().close()
    ask("ALTER ROLE %s SET kstream.debug_point = '%s=sigkill'" % (user, point))
    try:
        return Connection(port, user, password)
    finally:
        ask('ALTER ROLE %s RESET kstream.debug_point' % user)


commits = [1]


def run(number, point, v2):
    """One transaction that meets a crash."""
    name = '%s %s' % (point, 'v2' if v2 else 'v1')
    group, tag = 'g%d' % number, 'r%d-' % number
    producer = Producer(connect(), name.replace(' ', '-'), v2=v2)
    producer.init()
    crashes = [0]

    def arm():
        if not point.startswith('commit.'):
            producer.c = armed(point)
            return
        # The first commit after those of the login.
        while producer.c is None:
            try:
                producer.c = armed('%s:%d' % (point, commits[0]))
            except (OSError, EOFError):
                commits[0] += 1

    def certain(step):
        """Do it, after a crash again, with the same bytes."""
        try:
            return step()
        except (EOFError, OSError):
            crashes[0] += 1
            seen = (values(0) + values(1))
            here = [v for v in seen if v.startswith(tag)]
            is_((len(here) in (0, 3), len(here) == 3), (True, offset(group) is not None), name + ': all of it or nothing, with the offset')
            producer.c = connect()
            return step()

    # Each transaction of a session comes to these, the first one of a login.
    if not point.startswith('commit.'):
        arm()
    if point == 'kafka.initialized':
        is_(certain(producer.init), 0, name + ': the id')
    if not v2:
        is_(certain(lambda: producer.add(('c', 0), ('c', 1))), [0, 0], name + ': partitions')
        is_(certain(lambda: producer.add_offsets(group)), 0, name + ': a group')
    batches = [(0, producer.made('c', 0, [tag + 'a'])), (0, producer.made('c', 0, [tag + 'b'])), (1, producer.made('c', 1, [tag + 'c']))]
    is_([certain(lambda b=b: producer.send('c', *b)[0]) for b in batches], [0, 0, 0], name + ': batches')
    is_(certain(lambda: producer.offsets(group, 'c', 0, number)), 0, name + ': an offset')
    if point.startswith('commit.'):
        producer.c = None
        arm()
    is_(certain(producer.commit), 0, name + ': the end')
    is_(crashes[0], 1, name + ': the server died once')
    is_([[v for v in values(n) if v.startswith(tag)] for n in (0, 1)], [[tag + 'a', tag + 'b'], [tag + 'c']], name + ': all of it, once, in order')
    is_(offset(group), number, name + ': and the offset')
    if not v2:
        producer.add(('c', 0))
    is_(producer.produce('c', 0, 'n%d' % number), 0, name + ': the producer goes on')
    is_(producer.abort(), 0, name + ': and aborts')


number = 0
for argument in sys.argv[4:]:
    flows, _, point = argument.rpartition('/')
    for flow in {'': '2', 'v1': '1', 'v12': '12'}[flows]:
        number += 1
        run(number, point, flow == '2')
is_([v for v in values(0) if v.startswith('n')], [], 'nothing that was aborted')
