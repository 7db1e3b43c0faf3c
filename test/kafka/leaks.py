"""What a session keeps of its requests: nothing, of none of the APIs that the server says it knows.

Usage: leaks.py PORT USER PASSWORD REQUESTS, with PGHOST and PGPORT for SQL.

For each API whole requests by turns, over one connection, and the memory of its session
before and after; an API is given up after a minute.
"""
import random
import sys
import time

import psycopg2

from messages import APIS, Maker, apis
from raw import API_VERSIONS, SASL_AUTHENTICATE, SASL_HANDSHAKE, Connection

port, user, password, most = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
KEPT = 500          # kB: catalogs are cached, and the allocator keeps some
WARM = 0.3          # of the requests come before memory is looked at
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query, *args):
    with sql.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall()


def memory(pid):
    with open('/proc/%d/status' % pid) as status:
        return [int(line.split()[1]) for line in status if line.startswith('RssAnon')][0]


class Calm(Maker):
    """Requests that keep their connection, and change no more than what they find."""

    def scalar(self, kind, member, version, flexible):
        if member == 'acks':
            return b'\xff\xff'        # 0 has no answer
        return super().scalar(kind, member, version, flexible)


def requests(c, key, version, made, count, until):
    """Send so many, some at a time."""
    sent = 0
    while sent < count and time.monotonic() < until:
        some = min(50, count - sent)
        c.socket.sendall(b''.join(len(frame).to_bytes(4, 'big') + frame for frame in (made[(sent + n) % len(made)] for n in range(some))))
        for _ in range(some):
            c.receive()
        sent += some
    return sent


def judge(key, version):
    maker = Calm(random.Random(key), topics=('p', 'i', 'nosuch'), producers=(-1,), most=2)
    made = [maker.request(key, version, client='leaks') for _ in range(200)]
    c = Connection(port, user, password, timeout=60, client='leaks')
    c.call(API_VERSIONS, 0)
    pid = ask("SELECT pid FROM kstream.kafka_connections WHERE client_id = 'leaks'")[0][0]
    name = APIS[key][0] if key in APIS else 'API %d' % key
    until = time.monotonic() + 60
    try:
        warm = requests(c, key, version, made, int(most * WARM), time.monotonic() + 20)
        before = memory(pid)
        sent = requests(c, key, version, made, most - warm, until)
        kept = memory(pid) - before
        c.close()
    except (EOFError, OSError) as error:
        print('not ok - %s %d: %r' % (name, version, error), flush=True)
        return
    print('%sok - %s %d keeps nothing%s' % ('' if kept < KEPT else 'not ', name, version, '' if kept < KEPT else ': %d kB of %d requests' % (kept, sent)))
    print('# %d requests, %d kB' % (warm + sent, kept), flush=True)
    while ask("SELECT count(*) FROM kstream.kafka_connections WHERE client_id = 'leaks'")[0][0]:
        time.sleep(0.02)


def main():
    c = Connection(port, user, password)
    known = apis(c)
    c.close()
    for key, (low, high) in sorted(known.items()):
        if key not in (SASL_HANDSHAKE, SASL_AUTHENTICATE):
            judge(key, high)


main()
