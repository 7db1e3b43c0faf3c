"""Clients that send little and make the server do, hold or store much.

    greedy.py PORT USER PASSWORD

Needs the topics "greedy", with one partition, and "wide", with many.
"""
import os
import struct
import sys
import time
import zlib

from raw import FETCH, METADATA, PRODUCE, Connection, batch, crc32c, data, optional, record, string, varint

PORT, USER, PASSWORD = int(sys.argv[1]), sys.argv[2], sys.argv[3]
NOW = int(time.time() * 1000)
MIB = 1 << 20


def ok(condition, what):
    print('%s - %s' % ('ok' if condition else 'not ok', what), flush=True)


def memory(connection):
    """The most memory that the session has had, in MB."""
    if 'SANITIZE' in os.environ:
        return 0        # it keeps what was freed for a while
    pid = os.popen("psql -XAtc \"SELECT pid FROM kstream.kafka_connections WHERE client_id = 'raw'\" postgres").read()
    with open('/proc/%d/status' % int(pid)) as status:
        return [int(line.split()[1]) // 1024 for line in status if line.startswith('VmHWM')][0]


def gzip_batch(parts):
    """A batch of one record, whose bytes come in parts."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    payload = b''.join([packer.compress(part) for part in parts] + [packer.flush()])
    tail = struct.pack('>hiqqqhii', 1, 0, NOW, NOW, -1, -1, -1, 1) + payload
    head = struct.pack('>ibI', -1, 2, crc32c(tail))
    return struct.pack('>qi', 0, len(head) + len(tail)) + head + tail


def long_record(value_len, header_len):
    """A record of zeros with one header of letters, in parts."""
    front = bytes([0]) + varint(0) + varint(0) + optional(b'k') + varint(value_len)
    back = varint(1) + varint(1) + b'h' + varint(header_len)
    yield varint(len(front) + value_len + len(back) + header_len) + front
    for n, byte in ((value_len, b'\0'), (header_len, b'a')):
        for _ in range(n // MIB):
            yield byte * MIB
        yield byte * (n % MIB) + (back if byte == b'\0' else b'')


def bombs(connection):
    error, _ = connection.produce('greedy', 0, gzip_batch(long_record(300 * MIB, 0)))
    ok(error == 10, 'a batch of 300 MB when decompressed is refused, with MESSAGE_TOO_LARGE')
    error, _ = connection.produce('greedy', 0, gzip_batch(long_record(0, 5 * MIB)))
    ok(error == 10, 'so are 5 MB of headers, with MESSAGE_TOO_LARGE')
    error, _ = connection.produce('greedy', 0, gzip_batch(long_record(30 * MIB, 3 * MIB)))
    ok(error == 0, '30 MB with 3 MB of headers are not')
    # The most headers that fit: each a name and a value of no bytes.
    count = 2 * MIB - 100
    body = bytes([0]) + varint(0) + varint(0) + optional(b'k') + optional(b'v') + varint(count) + b'\0\0' * count
    error, _ = connection.produce('greedy', 0, gzip_batch([varint(len(body)) + body]))
    ok(error == 0, 'nor are two million headers')
    read = os.popen("psql -XAtc \"SELECT count(value), count(headers) FROM kstream_topic.greedy\" postgres 2>&1").read()
    ok(read == '6|2\n', 'SQL reads all that was taken: %s' % read.strip())


def twice(connection):
    """Each batch twice in one request, and more producers than are locked together."""
    producer, epoch = connection.init_producer_id()
    wanted = [batch([(None, b'v')], producer=producer, epoch=epoch, sequence=n // 2, time=NOW) for n in range(2000)]
    answers = connection.produce_answer(connection.call(PRODUCE, 7, connection.produce_body([('greedy', 0, b) for b in wanted])))
    ok(all(a[2] == 0 for a in answers), 'batches that come twice in a request are taken')
    ok([a[3] for a in answers[::2]] == [a[3] for a in answers[1::2]] and len({a[3] for a in answers}) == 1000,
       'and have the offset of their first coming')
    wanted = [batch([(None, b'v')], producer=producer + 1 + n, epoch=0, sequence=0, time=NOW) for n in range(200)]
    answers = connection.produce_answer(connection.call(PRODUCE, 7, connection.produce_body([('greedy', 0, b) for b in wanted])))
    ok(all(a[2] == 0 for a in answers) and len({a[3] for a in answers}) == 200, 'batches of 200 producers in one request are taken')


def times(connection):
    hour = 3600000
    ok(connection.produce('greedy', 0, batch([(None, b'v')], time=NOW + 2 * hour))[0] == 32, 'a record two hours ahead is refused, with INVALID_TIMESTAMP')
    ok(connection.produce('greedy', 0, batch([(None, b'v')], time=(1 << 63) - 1))[0] == 32, 'so is one at the end of time')
    ok(connection.produce('greedy', 0, batch([(None, b'v')], time=NOW + hour // 2))[0] == 0, 'half an hour ahead is not')


def long_answers(connection):
    names = 80000
    answer = connection.call(METADATA, 1, struct.pack('>i', names) + string('wide') * names)
    most = memory(connection)
    ok(most < 900, 'a topic that is named 80000 times does not fill the memory: %d MB' % most)
    ok(len(answer) > names * 10, 'each time has its answer')


def waiting(connection):
    for _ in range(4):
        connection.produce('greedy', 0, batch([(None, os.urandom(900000))], time=NOW))
    before = memory(connection)
    body = struct.pack('>iiiib', -1, 15000, (1 << 31) - 1, 50 * MIB, 0) + struct.pack('>i', 1) + string('greedy')
    connection.send(FETCH, 4, body + struct.pack('>iiqi', 1, 0, 0, 50 * MIB))
    number, answer = connection.receive()
    after = memory(connection)
    ok(len(answer) > 3600000 and after - before < 40, 'a fetch that waits for more keeps one answer: %d MB more' % (after - before))


def main():
    for work in (waiting, bombs, twice, times, long_answers):
        connection = Connection(PORT, USER, PASSWORD, timeout=120)
        work(connection)
        connection.close()
        while os.popen("psql -XAtc 'SELECT count(*) FROM kstream.kafka_connections' postgres").read() != '0\n':
            time.sleep(0.05)


main()
