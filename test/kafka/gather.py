"""Requests that came together fail together and are then tried one by one.

Usage: gather.py PORT USER PASSWORD, with PGHOST and PGPORT for SQL; a test build.
"""
import sys

import psycopg2

from raw import Connection, batch

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query):
    with sql.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else None


def is_(got, want, what):
    print('%sok - %s%s' % ('' if got == want else 'not ', what, '' if got == want else ': %r, not %r' % (got, want)), flush=True)


def pipelined(point, producer):
    """Five batches of a new producer, sent without waiting; the server fails at the point."""
    ask("ALTER ROLE %s SET kstream.debug_point = '%s'" % (user, point))
    c = Connection(port, user, password)
    ask('ALTER ROLE %s RESET kstream.debug_point' % user)
    bodies = [c.produce_body([('g', 0, batch([(b'k', b'%d' % n)], producer=producer, epoch=0, sequence=n))]) for n in range(5)]
    c.socket.sendall(b''.join(c.frame(0, 7, body) for body in bodies))
    answers = [c.produce_answer(c.receive()[1])[0][2:] for _ in bodies]
    return c, bodies, answers


ask("SELECT kstream.create_topic('g')")
ask('GRANT SELECT, INSERT ON kstream_topic.g TO %s' % user)
c, bodies, answers = pipelined('kafka.appended:1=error', 11)
is_([error for error, _ in answers], [0] * 5, 'a transaction of several requests that fails is repeated one by one')
stored = [v for (v,) in ask("SELECT kstream.text(value) FROM kstream.fetch('g', 0, 0)")]
is_(stored, ['0', '1', '2', '3', '4'], 'each is stored once, in order')

# The first of them fails again when it is alone: nothing of its producer may pass it.
c, bodies, answers = pipelined('kafka.appended:1=error,kafka.appended:1=error', 12)
errors = [error for error, _ in answers]
is_((errors[0] != 0, errors[1:]), (True, [45] * 4), 'behind a request that failed all of its producer are out of order')
again = [c.produce_answer(c.call(0, 7, body))[0][2] for body in bodies]
is_(again, [0] * 5, 'sent again in order they are taken')
stored = [v for (v,) in ask("SELECT kstream.text(value) FROM kstream.fetch('g', 0, 0)")]
is_(stored, ['0', '1', '2', '3', '4'] * 2, 'each once, in order')
