#!/usr/bin/python3
"""The codec room against an implementation of Kafka's format by others.

    kafka_python.py CODEC_TEST DIR

Debian's python3-kafka reads what `codec_test write` wrote, and `codec_test
read` reads what python3-kafka wrote, with every codec and in both framings of
snappy.  What the records are is computed here, by the formulas of
codec_test.c.  Prints TAP, exits 1 when something failed.

Needs python3-kafka, python3-snappy, python3-lz4, python3-zstandard.
"""

import os
import subprocess
import sys

import zstandard
from kafka import codec
from kafka.record import default_records
from kafka.record.default_records import (DefaultRecordBatch,
                                          DefaultRecordBatchBuilder)
from kafka.record.memory_records import MemoryRecords

COUNT = 2000
BASE_OFFSET = 1000
LEADER_EPOCH = 7
APPEND_TIME = 1800000000000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]

tests = failures = 0


def ok(passed, name):
    global tests, failures
    tests += 1
    failures += not passed
    print("%sok %d - %s" % ("" if passed else "not ", tests, name), flush=True)


def sample(i):
    """Record i: timestamp, key, value, headers."""
    key = None if i % 5 == 0 else b"" if i % 5 == 1 else b"key-%d" % i
    value = (None if i % 7 == 0 else b"" if i % 7 == 1
             else b"value-%d " % i * (i % 20 + 1))
    headers = [("h%d" % j, [None, b"", bytes([0, 255, j])][(i + j) % 3])
               for j in range(i % 4)]
    return 1700000000000 + (i * 37 + 60) % 101 - 50, key, value, headers


def line(offset, timestamp, key, value, headers):
    """A record as `codec_test read` prints it."""
    def text(data):
        return "-" if data is None else data.hex()
    return " ".join([str(offset), str(timestamp), text(key), text(value)] +
                    [name.encode().hex() + "=" + text(data)
                     for name, data in headers])


def expected(base_offset, append_time=None):
    lines = []
    for i in range(COUNT):
        timestamp, key, value, headers = sample(i)
        lines.append(line(base_offset + i, append_time or timestamp, key,
                          value, headers))
    return lines


def python_reads(path):
    """Records of a batch file as lines, and the batch."""
    with open(path, "rb") as file:
        data = file.read()
    records = MemoryRecords(data)
    batch = records.next_batch()
    if records.has_next() or not batch.validate_crc():
        return [], batch
    return [line(r.offset, r.timestamp, r.key, r.value, r.headers)
            for r in batch], batch


def python_writes(path, number):
    builder = DefaultRecordBatchBuilder(2, number, False, -1, -1, -1, 1 << 24)
    for i in range(COUNT):
        timestamp, key, value, headers = sample(i)
        assert builder.append(i, timestamp, key, value, headers)
    data = bytes(builder.build())
    assert data[22] == number, "it did not compress"
    with open(path, "wb") as file:
        file.write(data)
    return data


def check_reading(directory):
    """python3-kafka reads ours."""
    for number, name in enumerate(CODECS + ["append-time"]):
        path = os.path.join(directory, name + ".batch")
        time = APPEND_TIME if name == "append-time" else None
        lines, batch = python_reads(path)
        ok(lines == expected(BASE_OFFSET, time), "it reads our " + name)
        want = 3 if time else number
        with open(path, "rb") as file:
            header = DefaultRecordBatch(file.read())._header_data
        ok(batch.compression_type == want and header[2] == LEADER_EPOCH and
           batch.timestamp_type == (time is not None) and
           batch.last_offset_delta == COUNT - 1 and header[9:12] == (-1, -1, -1),
           "it finds the header of our %s sound" % name)


def check_compacted(directory):
    """python3-kafka reads what compaction leaves of a batch."""
    lines, batch = python_reads(os.path.join(directory, "compacted.batch"))
    ok(lines == expected(BASE_OFFSET)[::3], "it reads our compacted batch")
    ok(batch.last_offset_delta == COUNT + 9, "and where that ends")


def check_writing(program, directory, name, number):
    """We read python3-kafka's."""
    path = os.path.join(directory, "python-" + name + ".batch")
    data = python_writes(path, number)
    run = subprocess.run([program, "read", path], stdout=subprocess.PIPE,
                         universal_newlines=True, check=False)
    ok(run.returncode == 0 and run.stdout.splitlines() == expected(0),
       "we read its " + name)
    return data


def main():
    program, directory = sys.argv[1:]
    subprocess.run([program, "write", directory], check=True)
    check_reading(directory)
    check_compacted(directory)
    for number, name in enumerate(CODECS):
        data = check_writing(program, directory, name, number)
        if name == "snappy":
            with open(os.path.join(directory, "snappy.batch"), "rb") as file:
                ok(file.read()[61:77] == data[61:77],
                   "snappy: the same stream header")
        if name == "none":
            with open(os.path.join(directory, "none.batch"), "rb") as file:
                ok(file.read()[16:] == data[16:],
                   "none: the same bytes from the magic on")
    default_records.snappy_encode = (
        lambda data: codec.snappy_encode(data, xerial_compatible=False))
    check_writing(program, directory, "snappy-bare", 2)
    default_records.zstd_encode = (
        lambda data: zstandard.ZstdCompressor(
            write_content_size=False, write_checksum=True).compress(data))
    check_writing(program, directory, "zstd-without-size", 4)
    print("1..%d" % tests)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
