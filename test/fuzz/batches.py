"""Record batches in the logs with bytes that no producer writes, read in every way.

Topics of all codecs; a batch is changed (bytes flipped, hostile values in the
fields of its header, cut short, lengthened, another codec's bits), mostly with its
CRC put right afterwards, so that what lies within is believed; sometimes the
columns beside it are changed too.  What was there is put back after each.

test/fuzz/batches.py
"""
import struct

import psycopg2

from hostile import Run

CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
TABLE = []
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = (_c >> 1) ^ (0x82F63B78 if _c & 1 else 0)
    TABLE.append(_c)

# offset and format of each field of a batch's header
FIELDS = [(0, '>q'), (8, '>i'), (12, '>i'), (16, '>b'), (17, '>I'), (21, '>h'), (23, '>i'), (27, '>q'), (35, '>q'), (43, '>q'), (51, '>h'), (53, '>i'), (57, '>i')]
CRC = 17
HEADER = 61


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def setup(run):
    connection = run.connect(timeout='60s')
    cursor = connection.cursor()
    cursor.execute('DROP EXTENSION IF EXISTS kstream CASCADE')
    cursor.execute('CREATE EXTENSION kstream')
    for codec in CODECS:
        cursor.execute("SELECT kstream.create_topic('%s', 1, '{\"compression\": \"%s\", \"cleanup_policy\": \"compact,delete\", \"value_type\": \"text\"}')" % (codec, codec))
        cursor.execute("""SELECT count(kstream.produce('%s', 'k' || i %% 5, repeat('v', i * 10), '{"h": "v", "b": {"base64": "AP8="}}', event_time => timestamptz '2020-01-01' + i * interval '1 s'))
            FROM generate_series(1, 30) i""" % codec)
        cursor.execute("SELECT kstream.produce('%s', 'k', NULL), kstream.produce('%s', 'k', 'last')" % (codec, codec))
    cursor.execute("SELECT t.topic, s.relation::text FROM kstream.segments s JOIN kstream.topics t USING (topic) ORDER BY 1")
    rows = []
    for topic, relation in cursor.fetchall():
        cursor.execute('SELECT last_offset, base_offset, stable_offset, max_timestamp, batch FROM %s ORDER BY last_offset' % relation)
        rows += [(topic, relation) + row[:4] + (bytes(row[4]),) for row in cursor.fetchall()]
    connection.close()
    return rows


def hostile_number(run, format):
    bits = struct.calcsize(format) * 8
    top = 1 << (bits - 1)
    number = run.random.choice([0, 1, -1, 2, top - 1, -top, run.random.randrange(-top, top), run.random.randrange(0, 1000)])
    if format[1].isupper():
        return number % (1 << bits)
    return number if -top <= number < top else 0


def mutate(run, batch):
    """Another batch; what was done to it says its second part."""
    data = bytearray(batch)
    done = []
    for _ in range(run.random.choice([1, 1, 1, 2, 4])):
        kind = run.random.randrange(7)
        at = run.random.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << run.random.randrange(8)
            done.append('flip a bit of byte %d' % at)
        elif kind == 1 and data:
            data[at] = run.random.choice([0, 1, 0x7f, 0x80, 0xff, run.random.randrange(256)])
            done.append('byte %d = %d' % (at, data[at]))
        elif kind == 2 and len(data) >= HEADER:
            offset, format = run.random.choice(FIELDS)
            number = hostile_number(run, format)
            struct.pack_into(format, data, offset, number)
            done.append('field %d = %d' % (offset, number))
        elif kind == 3:
            del data[at:]
            done.append('cut at %d' % at)
        elif kind == 4:
            data[at:at] = bytes(run.random.randrange(256) for _ in range(run.random.choice([1, 2, 10, 300])))
            done.append('insert at %d' % at)
        elif kind == 5 and len(data) >= HEADER:
            data[22] = data[22] & ~7 | run.random.randrange(8)
            done.append('codec %d' % (data[22] & 7))
        elif kind == 6 and len(data) > HEADER:
            # varints of the first record
            at = HEADER + run.random.randrange(min(12, len(data) - HEADER))
            data[at:at + 1] = run.random.choice([b'\xff' * 9 + b'\x01', b'\xff' * 4 + b'\x0f', b'\xfe\xff\xff\xff\x0f', b'\x01', b'\x80\x80\x80\x80\x80\x00'])
            done.append('varint at %d' % at)
    if len(data) >= HEADER and run.random.randrange(3):
        struct.pack_into('>i', data, 8, len(data) - 12)
        done.append('length')
    if len(data) >= HEADER and run.random.randrange(10):
        struct.pack_into('>I', data, CRC, crc32c(bytes(data[CRC + 4:])))
        done.append('CRC')
    return bytes(data), ', '.join(done)


def reads(topic, first):
    return [
        "SELECT * FROM kstream.fetch('%s', 0, %d)" % (topic, first), "SELECT kstream.fetch('%s', 0, 0, 3)" % topic, "SELECT r.offset, r.headers, length(r.value) FROM kstream.fetch('%s', 0, 0, max_bytes => 10) r" % topic,
        "SELECT * FROM kstream.fetch_batches('%s', 0, %d)" % (topic, first), "SELECT * FROM kstream_topic.%s" % topic, "SELECT \"offset\" FROM kstream_topic.%s WHERE key = 'k3'" % topic,
        "SELECT count(*) FROM kstream_topic.%s WHERE \"timestamp\" > '2020-01-01 00:00:05+00'" % topic, "SELECT max(\"offset\"), min(\"timestamp\") FROM kstream_topic.%s" % topic,
        "SELECT * FROM kstream.list_offsets('%s', '2020-01-01 00:00:05+00')" % topic, "SELECT * FROM kstream.list_offsets('%s')" % topic, "SELECT * FROM kstream.verify('%s')" % topic,
        "SELECT * FROM kstream.poll('g', '{%s}', max_records => 50)" % topic, "SELECT * FROM kstream.reset_offsets('h', '%s', timestamptz '2020-01-01 00:00:07+00')" % topic,
        "SELECT * FROM kstream.lag", "SELECT kstream.lag_seconds('%s', 0, %d)" % (topic, first), "ANALYZE kstream_topic.%s" % topic]


def write(cursor, relation, last, columns, batch):
    """False when maintenance has taken the segment away."""
    try:
        cursor.execute('UPDATE %s SET base_offset = %%s, stable_offset = %%s, max_timestamp = %%s, batch = %%s WHERE last_offset = %%s' % relation, columns + [batch, last])
    except psycopg2.errors.UndefinedTable:
        return False
    return True


def main():
    run = Run(__doc__)
    connection = None
    rounds = 0
    while run.on():
        if connection is None or connection.closed:
            rows = setup(run)
            connection = run.connect()
            cursor = connection.cursor()
        topic, relation, last, base, stable, max_timestamp, batch = run.random.choice(rows)
        changed, what = mutate(run, batch)
        columns = [last, base, stable, max_timestamp]
        if run.random.randrange(8) == 0:
            i = run.random.randrange(1, 4)
            columns[i] = run.random.choice([0, -1, 1 << 62, (1 << 63) - 1, -(1 << 63), columns[i] + 1, columns[i] - 1])
            what += ', columns %s' % columns
        run.history = ['%s, last offset %d: %s' % (topic, last, what)]
        if not write(cursor, relation, last, columns[1:], changed):
            connection.close()
            continue
        run.history.append('batch %s' % changed[:300].hex())
        statements = reads(topic, run.random.choice([base, last, 0]))
        if rounds % 40 == 39:
            statements.append('CALL kstream.run_maintenance()')
        for statement in run.random.sample(statements, 6) + statements[15:]:
            if run.execute(connection, statement) is None:
                break
        rounds += 1
        if not connection.closed and not write(cursor, relation, last, [base, stable, max_timestamp], batch):
            connection.close()
    print('%d batches' % rounds)
    run.end()


main()
