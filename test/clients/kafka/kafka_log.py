#!/usr/bin/python3
"""The log tables of a server against a Kafka implementation by others.

    kafka_log.py produce NAME   through SQL, to a new topic sql.NAME
    kafka_log.py read NAME      its tables, by python3-kafka
    kafka_log.py write NAME     by python3-kafka, into the tables of kafka.NAME
    kafka_log.py fetch NAME     that topic, through SQL

NAME is a codec, or snappy-bare (without the stream header of Kafka's Java
client), or zstd-without-size.  Works as a superuser on the server that PGHOST
and its like name.  Prints "ok - ..." or "not ok - ..." lines, and exits with
1 when there was a "not ok".

Needs python3-kafka, python3-snappy, python3-lz4, python3-zstandard and
python3-psycopg2.
"""

import base64
import datetime
import json
import random
import sys

import psycopg2
import zstandard
from kafka import codec
from kafka.record import default_records
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
FIRST_TIME = 1700000000123  # milliseconds
HOLE = 10                   # offsets left out between two batches
BIG = 1 << 24

failures = 0


def ok(passed, name):
    global failures
    failures += not passed
    print("%sok - %s" % ("" if passed else "not ", name))


def number_of(name):
    return CODECS.index(name.split("-")[0])


def small(i):
    """One of many small records: time, key, value, headers in order."""
    key = [None, b"", b"key-%d" % i][i % 3]
    value = [None, b"", bytes([0, 255, 128]) * (i % 9), b"v-%d " % i * 20][i % 4]
    headers = [("h%d" % (j % 3), [None, b"", b"text", b"\x00\xff"][(i + j) % 4])
               for j in range(i % 5)]
    return FIRST_TIME + (i * 37) % 101, key, value, headers


def samples():
    """Transactions, each a list of records: one small record; thousands;
    one large that does not compress; some large that do."""
    noise = random.Random(1)
    return [
        [(FIRST_TIME, b"one", b"1", [])],
        [small(i) for i in range(3000)],
        [(FIRST_TIME + 5, b"noise", noise.getrandbits(8 * 300000).to_bytes(
            300000, "little"), [("large", b"x" * 1000)])],
        [(FIRST_TIME + i, None, b"%d " % i * 150000, []) for i in range(5)],
        [(FIRST_TIME + 9, b"last", None, [])],
    ]


def to_json(headers):
    """A list of headers in the array form of kstream's JSON."""
    def value_of(data):
        if data is None or (data.isascii() and b"\x00" not in data):
            return data if data is None else data.decode()
        return {"base64": base64.b64encode(data).decode()}
    return json.dumps([{"key": name, "value": value_of(data)}
                       for name, data in headers]) if headers else None


def from_json(headers):
    """The list again, from either form."""
    def data_of(value):
        if isinstance(value, dict):
            return base64.b64decode(value["base64"])
        return None if value is None else value.encode()
    if headers is None:
        return []
    if isinstance(headers, dict):
        return [(name, data_of(value)) for name, value in headers.items()]
    return [(item["key"], data_of(item["value"])) for item in headers]


def bytes_of(data):
    """What psycopg2 makes of a bytea, as bytes."""
    return None if data is None else bytes(data)


def time_of(milliseconds):
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) +
            datetime.timedelta(milliseconds=milliseconds))


def segment_of(cursor, topic):
    cursor.execute("SELECT s.relation::text FROM kstream.segment s"
                   " JOIN kstream.topic t USING (topic_id)"
                   " WHERE t.topic = %s AND s.segment = 1", (topic,))
    return cursor.fetchone()[0]


def produce(cursor, name):
    topic = "sql." + name
    cursor.execute("SELECT kstream.create_topic(%s, 1, %s)",
                   (topic, json.dumps({"compression": name, "retention": "infinite"})))
    for records in samples():
        times, keys, values, headers = zip(*records)
        cursor.execute(
            "SELECT kstream.produce_batch_bytes(%s, %s, %s, %s::jsonb[], NULL,"
            " %s)", (topic, list(keys), list(values),
                     [to_json(item) for item in headers],
                     [time_of(time) for time in times]))
    ok(True, "%s: produced" % name)


def read(cursor, name):
    """python3-kafka reads the rows, the batches as they are."""
    topic = "sql." + name
    cursor.execute("SELECT last_offset, base_offset, max_timestamp, batch FROM " +
                   segment_of(cursor, topic) + " ORDER BY last_offset")
    rows = cursor.fetchall()
    records, used, sound = [], set(), True
    for last_offset, base_offset, max_timestamp, data in rows:
        batches = MemoryRecords(bytes(data))
        batch = batches.next_batch()
        used.add(batch.compression_type)
        sound = (sound and not batches.has_next() and batch.validate_crc() and
                 batch.base_offset == base_offset and
                 base_offset + batch.last_offset_delta == last_offset and
                 batch.max_timestamp == max_timestamp)
        records += [(r.offset, r.timestamp, r.key, r.value, r.headers)
                    for r in batch]
    want = [record for records in samples() for record in records]
    ok(sound, "%s: the batches are sound, and their rows tell the truth" % name)
    # what compression would make larger stays as it is
    ok(number_of(name) in used and used <= {0, number_of(name)},
       "%s: the codec is used" % name)
    ok(len(rows) > len(samples()), "%s: a transaction may take several batches"
       % name)
    ok(records == [(i,) + record for i, record in enumerate(want)],
       "%s: python3-kafka reads the records" % name)
    ok(fetch_batches(cursor, topic, 777, len(want)) == records[777:],
       "%s: fetch_batches gives it batches to read" % name)


def fetch_batches(cursor, topic, offset, end):
    """The records at and after an offset, decoded by python3-kafka."""
    records = []
    while offset < end:
        cursor.execute("SELECT last_offset, batch FROM kstream.fetch_batches(%s, 0, %s, 100000)",
                       (topic, offset))
        rows = cursor.fetchall()
        if not rows:
            break
        # as in a Kafka client, which gets batches behind each other
        batches = MemoryRecords(b"".join(bytes(data) for _, data in rows))
        while batches.has_next():
            batch = batches.next_batch()
            assert batch.validate_crc()
            records += [(r.offset, r.timestamp, r.key, r.value, r.headers)
                        for r in batch if r.offset >= offset]
        offset = rows[-1][0] + 1
    return records


def foreign_batches(name):
    """Batches of python3-kafka as (base offset, records, bytes)."""
    if name == "snappy-bare":
        default_records.snappy_encode = (
            lambda data: codec.snappy_encode(data, xerial_compatible=False))
    if name == "zstd-without-size":
        default_records.zstd_encode = (
            lambda data: zstandard.ZstdCompressor(
                write_content_size=False, write_checksum=True).compress(data))
    base_offset = 0
    for records in samples():
        builder = DefaultRecordBatchBuilder(2, number_of(name), False,
                                            -1, -1, -1, BIG)
        for i, record in enumerate(records):
            assert builder.append(i, *record)
        data = bytearray(builder.build())
        # outside the CRC, and a broker's to fill in
        data[0:8] = base_offset.to_bytes(8, "big")
        yield base_offset, records, bytes(data)
        base_offset += len(records) + HOLE


def write(cursor, name):
    """Before anybody used the topic: the server has no state of it yet."""
    topic = "kafka." + name
    cursor.execute("SELECT kstream.create_topic(%s, 1, '{\"retention\": \"infinite\"}')",
                   (topic,))
    segment = segment_of(cursor, topic)
    used = set()
    for base_offset, records, data in foreign_batches(name):
        used.add(data[22] & 7)
        cursor.execute(
            "INSERT INTO " + segment + " (last_offset, base_offset,"
            " stable_offset, max_timestamp, batch) VALUES (%s, %s, %s, %s, %s)",
            (base_offset + len(records) - 1, base_offset, base_offset,
             max(record[0] for record in records), data))
    ok(number_of(name) in used, "%s: python3-kafka used the codec" % name)


def fetch_all(cursor, topic, end):
    """Records as (offset, time, key, value, headers), a few a call."""
    records, offset = [], 0
    while offset < end:
        cursor.execute(
            "SELECT r.offset, (extract(epoch FROM r.timestamp) * 1000)::bigint,"
            " r.key, r.value, r.headers"
            " FROM kstream.fetch(%s, 0, %s, max_records => 700) r",
            (topic, offset))
        rows = cursor.fetchall()
        if not rows:
            break
        records += [(row[0], row[1], bytes_of(row[2]), bytes_of(row[3]),
                     from_json(row[4])) for row in rows]
        offset = rows[-1][0] + 1
    return records


def plain(record):
    """A record with its headers in an order that jsonb keeps: names that are
    unique make an object, which has an order of its own."""
    names = [name for name, _ in record[4]]
    headers = (record[4] if len(set(names)) < len(names)
               else sorted(record[4], key=lambda header: header[0]))
    return record[:4] + (headers,)


def fetch(cursor, name):
    topic = "kafka." + name
    want = []
    for base_offset, records, _ in foreign_batches(name):
        want += [(base_offset + i,) + record
                 for i, record in enumerate(records)]
    end = want[-1][0] + 1
    cursor.execute("SELECT earliest, latest FROM kstream.list_offsets(%s)",
                   (topic,))
    ok(cursor.fetchone() == (0, end), "%s: the offsets are those of the log"
       % name)
    records = fetch_all(cursor, topic, end)
    ok([plain(r) for r in records] == [plain(r) for r in want],
       "%s: fetch returns what python3-kafka wrote" % name)
    cursor.execute("SELECT * FROM kstream.verify(%s)", (topic,))
    ok(cursor.fetchall() == [], "%s: verify finds it sound" % name)
    cursor.execute("SELECT kstream.produce(%s, 'next', 'x')", (topic,))
    cursor.execute("SELECT r.offset FROM kstream.fetch(%s, 0, %s) r",
                   (topic, end))
    ok(cursor.fetchall() == [(end,)], "%s: the log goes on after it" % name)


def main():
    command, name = sys.argv[1:]
    connection = psycopg2.connect("")
    connection.autocommit = True
    {"produce": produce, "read": read, "write": write, "fetch": fetch}[command](
        connection.cursor(), name)
    connection.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
