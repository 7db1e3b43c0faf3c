"""The tables in which batches of producers are remembered take turns.

Usage: turn.py PORT USER PASSWORD, with PGHOST and PGPORT for SQL.
"""
import sys

import psycopg2

from raw import Connection, batch

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True
c = Connection(port, user, password)
other = Connection(port, user, password)


def ask(query):
    with sql.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else None


def is_(got, want, what):
    print('%sok - %s%s' % ('' if got == want else 'not ', what, '' if got == want else ': %r, not %r' % (got, want)), flush=True)


def turn():
    """As if the time for which batches are remembered had passed; returns which table is written to."""
    ask("UPDATE kstream.producer_turn SET since = since - interval '30 days'")
    ask('CALL kstream.run_maintenance()')
    return ask('SELECT current FROM kstream.producer_turn')[0][0]


def send(connection, sequence):
    return connection.produce('turn', 0, batch([(b'k', b'%d' % sequence)], producer=5, epoch=0, sequence=sequence))


ask("""SELECT kstream.create_topic('turn', 1, '{"retention": "infinite"}')""")
ask('GRANT SELECT, INSERT ON kstream_topic.turn TO %s' % user)
first = ask('SELECT current FROM kstream.producer_turn')[0][0]
is_([send(c, n) for n in range(4)], [(0, n) for n in range(4)], 'batches before a turn')
is_(turn(), 1 - first, 'the other table is written to')
is_([send(other, 3), send(other, 0)], [(0, 3), (0, 0)], 'batches from before the turn are recognized')
is_(send(c, 4), (0, 4), 'the next one follows them')
is_([send(other, 4), send(other, 3)], [(0, 4), (0, 3)], 'of both tables some are recognized')
for n in range(5, 8):
    send(c, n)
is_([send(other, 3), send(other, 2)], [(0, 3), (45, -1)], 'five of them in all')
is_(turn(), first, 'the first table is empty and has its turn')
is_([send(other, 7), send(other, 3)], [(0, 7), (45, -1)], 'what it held is recognized no more, what the other holds is')
is_(send(other, 8), (0, 8), 'the next one follows, over another connection')
turn()
turn()
is_(send(c, 10), (0, 9), 'of whom nothing is remembered may begin anywhere')
stored = [v for (v,) in ask("SELECT kstream.text(value) FROM kstream.fetch('turn', 0, 0)")]
is_(stored, [str(n) for n in range(9)] + ['10'], 'each is stored once, in order')
