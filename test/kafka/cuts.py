"""Batches of an idempotent producer over connections that are cut before their answer comes: each is
stored once, in order.

Usage: cuts.py PORT USER PASSWORD, with PGHOST and PGPORT for SQL.
"""
import collections
import random
import sys

import psycopg2

from proxy import Proxy
from raw import PRODUCE, Connection, Refused, batch

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
seed = random.randrange(1000000)
rng = random.Random(seed)
print('# seed %d' % seed, flush=True)
proxy = Proxy(port, 0.2, seed)
PARTITIONS, BATCHES, IN_FLIGHT = 3, 300, 5
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query):
    with sql.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else None


def is_(got, want, what):
    print('%sok - %s%s' % ('' if got == want else 'not ', what, '' if got == want else ': %r, not %r' % (got, want)), flush=True)


def connect():
    while True:
        try:
            return Connection(proxy.port, user, password, timeout=20)
        except (OSError, EOFError, Refused):
            pass


def frames(c, waiting):
    """Up to five batches of each partition, one or two in a request."""
    inside, out = collections.Counter(), []
    for place in waiting:
        if inside[place[0]] < IN_FLIGHT:
            inside[place[0]] += 1
            if out and len(out[-1]) == 1 and out[-1][0][0] != place[0] and rng.random() < 0.3:
                out[-1].append(place)
            else:
                out.append([place])
    return out


def produce():
    """Returns (errors that are none of a cut, offsets that were told)."""
    c = connect()
    producer, epoch = c.init_producer_id()
    numbers, waiting, told, wrong = [0] * PARTITIONS, [], {}, []
    for n in range(BATCHES):
        partition, count = rng.randrange(PARTITIONS), rng.randint(1, 3)
        first = numbers[partition]
        numbers[partition] += count
        waiting.append((partition, first, batch([(b'k', b'%d' % (first + i)) for i in range(count)],
                                                producer=producer, epoch=epoch, sequence=first)))
    while waiting and len(wrong) < 10:
        group = frames(c, waiting)
        try:
            c.socket.sendall(b''.join(c.frame(PRODUCE, 7, c.produce_body([('cuts', p, content) for p, _, content in frame])) for frame in group))
            for frame in group:
                for place, (_, _, error, base) in zip(frame, c.produce_answer(c.receive()[1])):
                    if error == 0:
                        told[place[0], place[1]] = base
                        waiting.remove(place)
                    else:
                        wrong.append((place[0], place[1], error))
        except (OSError, EOFError):
            c.close()
            c = connect()
    return wrong, told, numbers


ask("""SELECT kstream.create_topic('cuts', %d, '{"retention": "infinite"}')""" % PARTITIONS)
ask('GRANT INSERT ON kstream_topic.cuts TO ' + user)
wrong, told, numbers = produce()
is_(wrong, [], 'no batch that is sent again is refused')
for partition in range(PARTITIONS):
    rows = ask("SELECT r.offset, kstream.text(r.value)::int FROM kstream.fetch('cuts', %d, 0, 100000) r" % partition)
    is_([value for _, value in rows], list(range(numbers[partition])), 'partition %d has each record once, in order' % partition)
    at = {value: offset for offset, value in rows}
    is_([base for (p, first), base in sorted(told.items()) if p == partition],
        [at[first] for p, first in sorted(told) if p == partition], 'and their offsets were told')
print('%sok - connections were cut: %d' % ('' if proxy.cuts >= 10 else 'not ', proxy.cuts))
