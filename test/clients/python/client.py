#!/usr/bin/python3
"""kstream from Python, through psycopg 3 (Debian: python3-psycopg).

    client.py write TOPIC NUMBER            produce to partition NUMBER
    client.py read TOPIC                    print every record
    client.py wait TOPIC PARTITION OFFSET   print what comes from there on

psycopg gives a str no type, so the server decides; it gives types to all
else.  Where it finds the server: PGHOST, PGPORT, PGDATABASE, PGUSER.  What is
printed, and which records are written: test/t/060_clients.pl.
"""

import datetime
import decimal
import json
import sys
import uuid

import psycopg
from psycopg.types.json import Jsonb

LEAP = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000,
                         datetime.timezone.utc)
WAIT = datetime.timedelta(seconds=25)


def produce(cursor, name, topic, number, key, value, form="%s, %s", more="",
            *args):
    """One record; `form` is how key and value are written in the call."""
    cursor.execute("SELECT kstream.produce(%s, " + form + ", partition => %s" +
                   more + ")", (topic, key, value, number) + args)
    went = cursor.fetchone()[0]
    print("%s - %s" % ("ok" if went == number else "not ok", name))


def write_values(cursor, topic, n):
    def put(name, *args):
        produce(cursor, name, topic, n, *args)

    put("untyped, untyped", "python:1", "grüße 1")
    put("text, text", "python:2", "two", "%s::text, %s::text")
    put("untyped, bytea", "python:3", b"\x00\xff\x80A")
    put("text, jsonb", "python:4", Jsonb({"s": "é", "n": 1}), "%s::text, %s")
    put("bigint, untyped", n * 100 + 5, "five", "%s::bigint, %s")
    put("bytea, text", b"python:6\x00", "six", "%s, %s::text")
    put("integer, integer", n * 100 + 7, -7)
    put("bytea, bytea", b"python:8\xff", b"")
    put("uuid, numeric", uuid.UUID(int=n), decimal.Decimal("12.50"))
    put("untyped, NULL", "python:10", None)
    put("untyped, NULL bytea", "python:11", None, "%s, %s::bytea")
    put("NULL, untyped", None, "python:12")


def write_options(cursor, topic, n):
    def put(name, *args):
        produce(cursor, name, topic, n, *args)

    put("headers, an object", "python:13", "h", "%s, %s", ", headers => %s",
        Jsonb({"trace": "abc", "none": None}))
    put("headers, a list", "python:14", "h", "%s, %s", ", headers => %s",
        Jsonb([{"key": "k", "value": "1"},
               {"key": "k", "value": {"base64": "AP8="}}]))
    put("event time", "python:15", "t", "%s, %s", ", event_time => %s", LEAP)
    cursor.execute("SELECT kstream.produce(%s, %s, %s)",
                   (topic, "python:16", ""))
    print("ok - defaults")


def write_batches(cursor, topic, n):
    cursor.execute(
        "SELECT kstream.produce_batch(%s, %s, %s, %s, %s, %s)",
        (topic, ["python:17", "python:18", None], ["a", None, "python:19 é"],
         [Jsonb({"h": "1"}), None, None], n, [LEAP, None, LEAP]))
    print("%s - batch of text" % ("ok" if cursor.fetchone()[0] == 3
                                  else "not ok"))
    cursor.execute(
        "SELECT kstream.produce_batch_bytes(%s, %s, %s, partition => %s)",
        (topic, [b"python:20", None], [b"\x00\xff", b"python:21"], n))
    print("%s - batch of bytes" % ("ok" if cursor.fetchone()[0] == 2
                                   else "not ok"))


def write(connection, topic, number):
    n = int(number)
    with connection.cursor() as cursor:
        cursor.execute("SELECT kstream.produce(%s, %s, %s)",
                       (topic, "python:0", "rolled back"))
        connection.rollback()
        write_values(cursor, topic, n)
        write_options(cursor, topic, n)
        write_batches(cursor, topic, n)
    connection.commit()


def show(record):
    """A record as the test wants it; every value has Python's own type."""
    partition, offset, timestamp, key, value, headers = record
    print(partition, offset, round(timestamp.timestamp() * 1000),
          "NULL" if key is None else key.hex(),
          "NULL" if value is None else value.hex(),
          "NULL" if headers is None else json.dumps(headers), sep="\t")


def fetch(cursor, topic, partition, offset, wait=datetime.timedelta(0)):
    cursor.execute(
        "SELECT r.partition, r.offset, r.timestamp, r.key, r.value, r.headers"
        " FROM kstream.fetch(%s, %s, %s, max_records => %s, max_wait => %s) r",
        (topic, partition, offset, 4, wait))
    return cursor.fetchall()


def read(connection, topic):
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT partition, earliest, latest"
                       " FROM kstream.list_offsets(%s) ORDER BY 1", (topic,))
        for partition, offset, end in cursor.fetchall():
            while offset < end:
                for record in fetch(cursor, topic, partition, offset):
                    show(record)
                    offset = record[1] + 1
        try:
            fetch(cursor, topic, 0, 1 << 40)
        except psycopg.Error as error:
            print("error", error.sqlstate, sep="\t")


def wait(connection, topic, partition, offset):
    connection.autocommit = True
    with connection.cursor() as cursor:
        for record in fetch(cursor, topic, int(partition), int(offset), WAIT):
            show(record)


def main():
    with psycopg.connect("") as connection:
        {"write": write, "read": read, "wait": wait}[sys.argv[1]](
            connection, *sys.argv[2:])


if __name__ == "__main__":
    main()
