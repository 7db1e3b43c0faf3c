"""What Produce takes and refuses, and the rules of idempotent producers.

Usage: produce.py PORT USER PASSWORD, with PGHOST and PGPORT for SQL.  Prints "ok - WHAT" or
"not ok - WHAT".
"""
import sys
import time

import psycopg2

from raw import Connection, batch

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query, *args):
    with sql.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall() if cursor.description else None


def ok(condition, what, got=''):
    print('%sok - %s%s' % ('' if condition else 'not ', what, '' if condition else ': %r' % (got,)), flush=True)


def is_(got, want, what):
    ok(got == want, what, (got, want))


def make(topic, options='{}'):
    ask("SELECT kstream.create_topic(%s, 2, %s)", topic, options)
    ask('GRANT SELECT, INSERT ON kstream_topic."%s" TO %s' % (topic, user))


def values(topic, partition=0):
    return [row[0] for row in ask("SELECT kstream.text(r.value) FROM kstream.fetch(%s, %s, 0, 10000) r", topic, partition)]


make('p')
make('compacted', '{"cleanup_policy": "compact"}')
make('small', '{"max_message_bytes": 200}')
make('recent', '{"timestamp_before_max": "1 hour"}')
make('received', '{"timestamp_type": "LogAppendTime"}')
ask("SELECT kstream.create_topic('hidden')")
c = Connection(port, user, password)

# what is stored is what was sent
is_(c.produce('p', 0, batch([(b'k', b'a'), (None, b'b')])), (0, 0), 'a batch gets the first offset')
is_(c.produce('p', 0, batch([(b'k', None)])), (0, 2), 'the next batch follows')
is_(values('p'), ['a', 'b', None], 'SQL reads what was produced')
sent = batch([(b'x', b'y')], time=1234567890123)
error, base = c.produce('p', 1, sent)
error, high, got = c.fetch('p', 1, 0)
is_((got[:12], got[16:]), (sent[:12], sent[16:]), 'a batch is fetched byte for byte, but for its leader epoch')
is_(high, 1, 'the high watermark is the end')

# what is wrong is refused, and nothing of it stored
before = values('p')
for what, wrong, code in (
        ('a wrong CRC', batch([(b'k', b'v')], crc=1), 2),
        ('magic 1', batch([(b'k', b'v')], magic=1), 2),
        ('a count that is not that of its records', batch([(b'k', b'v')], count=2), 2),
        ('offsets that leave one out', batch([(b'k', b'v'), (b'k', b'v')], deltas=(0, 2)), 2),
        ('a greatest time that is not that of its records', batch([(b'k', b'v')], max_time=5), 87),
        ('a control batch', batch([(b'k', b'v')], attributes=0x20), 87),
        ('a transactional batch', batch([(b'k', b'v')], attributes=0x10), 48),
        ('an unknown codec', batch([(b'k', b'v')], attributes=7), 76),
        ('gzip that is none', batch([(b'k', b'v')], attributes=1), 2),
        ('a batch cut short', batch([(b'k', b'v')])[:-1], 2),
        ('bytes behind the batch', batch([(b'k', b'v')]) + b'x', 87),
        ('no batch', b'', 87)):
    is_(c.produce('p', 0, wrong)[0], code, 'refused: ' + what)
is_(c.produce('compacted', 0, batch([(None, b'v')]))[0], 87, 'refused: no key in a compacted topic')
is_(c.produce('small', 0, batch([(b'k', b'v' * 300)]))[0], 10, 'refused: too large for the topic')
ahead = int(time.time() * 1000) + 7200000
is_(c.produce('p', 0, batch([(b'k', b'v')], time=ahead))[0], 32, 'refused: a time to come that is too far')
is_(c.produce('recent', 0, batch([(b'k', b'v')], time=ahead - 14400000))[0], 32, 'refused: a time that is too long ago')
is_(c.produce('recent', 0, batch([(b'k', b'v')], time=ahead - 7200000))[0], 0, 'a time that is near enough')
is_(c.produce('received', 0, batch([(b'k', b'v')], time=ahead))[0], 0, 'LogAppendTime gives another time')
is_(c.produce('p', 2, batch([(b'k', b'v')]))[0], 3, 'refused: a partition that is not there')
is_(c.produce('nosuch', 0, batch([(b'k', b'v')]))[0], 3, 'refused: a topic that is not there')
is_(c.produce('hidden', 0, batch([(b'k', b'v')]))[0], 29, 'refused: a topic without the right')
is_(c.produce('p', 0, batch([(b'k', b'v')]), acks=2)[0], 21, 'refused: acks 2')
is_(values('p'), before, 'nothing of what was refused is in the log')

# one wrong batch costs no other
answer = c.produce_answer(c.call(0, 7, c.produce_body([('p', 0, batch([(b'k', b'good')])), ('nosuch', 0, batch([(b'k', b'v')])),
                                                       ('p', 1, batch([(b'k', b'v')], crc=1))])))
is_([(error, base >= 0) for _, _, error, base in answer], [(0, True), (3, False), (2, False)],
    'a batch that is refused costs no other of the request')

# many requests at once
numbers = [c.send(0, 7, c.produce_body([('p', n % 2, batch([(b'k', b'g%d' % n)]))])) for n in range(50)]
answers = [c.receive() for _ in numbers]
is_([number for number, _ in answers], numbers, 'requests that come together are answered in their order')
is_([v for v in values('p', 1) if v.startswith('g')], ['g%d' % n for n in range(1, 50, 2)], 'and stored in it')

# acks 0: no answer
c.send(0, 7, c.produce_body([('p', 0, batch([(b'k', b'acks0')]))], acks=0))
is_(c.produce('p', 0, batch([(b'k', b'after')]))[0], 0, 'acks 0 is not answered')
is_(values('p')[-2:], ['acks0', 'after'], 'but stored')

# ---------- idempotence ----------
make('i')
producer, epoch = c.init_producer_id()
ok(producer >= 0 and epoch == 0, 'a producer gets an id')


def send(sequence, count=1, epoch=0, connection=None, producer=producer, partition=0):
    return (connection or c).produce('i', partition, batch([(b'k', b'%d' % (sequence + n)) for n in range(count)],
                                                           producer=producer, epoch=epoch, sequence=sequence))


is_(send(0, 3), (0, 0), 'the first batch')
is_(send(3, 2), (0, 3), 'the second')
is_(send(0, 3), (0, 0), 'the first one again has its offset, and is not stored again')
other = Connection(port, user, password)
is_(send(3, 2, connection=other), (0, 3), 'the second again over another connection')
is_(send(6)[0], 45, 'a batch that leaves one out is out of order')
is_(send(0, 2)[0], 45, 'a batch of other size at an old sequence is out of order')
is_(send(5), (0, 5), 'the next one goes on')
for n in range(6, 12):
    send(n)
is_(send(0, 3)[0], 45, 'what is older than five batches is not recognized')
is_(send(7), (0, 7), 'the fifth last is')
is_(send(0, epoch=1), (0, 12), 'a higher epoch begins at 0')
is_(send(12)[0], 47, 'the epoch before is fenced')
is_(send(5, epoch=2)[0], 45, 'a higher epoch that does not begin at 0 is out of order')
is_(send(0, partition=1, epoch=1), (0, 0), 'each partition has numbers of its own')
is_(values('i'), [str(n) for n in range(12)] + ['0'], 'nothing is there twice')

# a retry behind its original in one transaction, and one that wraps
body = c.produce_body([('i', 1, batch([(b'k', b'w')], producer=77, epoch=0, sequence=2147483647))])
numbers = [c.send(0, 7, body), c.send(0, 7, body)]
is_([c.produce_answer(c.receive()[1])[0][2:] for _ in numbers], [(0, 1), (0, 1)], 'twice in one gather: stored once')
is_(send(0, producer=77, partition=1), (0, 2), 'after the greatest sequence comes 0')

# a restart forgets nothing: the caller restarts the server
if len(sys.argv) > 4:
    print('state %d' % producer)
