"""An idempotent producer of a Kafka client, over connections that are cut before the answers of its
Produce requests come: each record is stored once, in order.

Usage: cuts.py NAME COMMAND [ARGUMENT...], as judge.py, whose protocol the program speaks.
"""
import os
import sys

import judge

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from proxy import Proxy  # noqa: E402

ROUNDS, MANY, SIZE = 60, 150, 3000
CUTS = 10           # with fewer of them a round more is made


def admin(command):
    judge.sql.cursor().execute('RESET ROLE')
    judge.sql.cursor().execute(command)
    judge.sql.cursor().execute('SELECT pg_reload_conf()')
    judge.sql.cursor().execute('SET ROLE ' + os.environ['KAFKA_USER'])


def through(proxy):
    """Rounds of records, each by another producer of the client."""
    client = judge.Client()
    client.has = set(client.run('has')[0].split())
    if not client.can('idempotent'):
        judge.say('skip', 'records over connections that are cut', 'it has no idempotent producer')
        return
    topic = 'cuts.' + judge.NAME
    judge.ask('SELECT kstream.create_topic(%s, %s, %s)', topic, judge.PARTITIONS, '{"retention": "infinite"}')
    sent = [[] for _ in range(judge.PARTITIONS)]
    told = [[] for _ in range(judge.PARTITIONS)]
    for n in range(ROUNDS):
        if proxy.cuts >= CUTS:
            break
        records = [judge.Record(i % judge.PARTITIONS, 0, judge.BASE, b'k', b'%d ' % (n * MANY + i) + b'x' * SIZE, []) for i in range(MANY)]
        lines = client.run('produce', topic, 'none', 'all', 1, len(records), lines=map(judge.line_of, records))
        for record, line in zip(records, lines):
            sent[record.partition].append(record.value)
            told[record.partition].append(int(line.split()[1]))
    for partition in range(judge.PARTITIONS):
        rows = judge.ask('SELECT r.offset, r.value FROM kstream.fetch(%s, %s, 0, 1000000, 1000000000) r', topic, partition)
        judge.is_([bytes(value) for _, value in rows], sent[partition], 'partition %d has each record once, in order' % partition)
        # some clients do not know the offset of a batch that was a duplicate
        judge.is_([offset for offset in told[partition] if offset >= 0],
                  [offset for (offset, _), one in zip(rows, told[partition]) if one >= 0], 'and what was told of its offsets is so')
    judge.say('ok' if proxy.cuts >= CUTS else 'not ok', 'connections were cut', proxy.cuts)


def main():
    host, port = os.environ['KAFKA_BOOTSTRAP'].split(':')
    proxy = Proxy(int(port), 0.25)
    os.environ['KAFKA_BOOTSTRAP'] = '%s:%d' % (host, proxy.port)
    admin("ALTER SYSTEM SET kstream.kafka_advertised_listener = '%s:%d'" % (host, proxy.port))
    try:
        through(proxy)
    except judge.Failed as problem:
        judge.say('not ok', 'records over connections that are cut', problem)
    finally:
        admin('ALTER SYSTEM RESET kstream.kafka_advertised_listener')


main()
