#!/usr/bin/python3
"""Ships orders: a consumer that does its work exactly once.

    consumer.py [NAME]

The work and the offset commit together, so neither a crash, nor a lost
connection, nor a rebalance loses or repeats a shipment.  A member of the group
is this session, or NAME, which outlives it.
"""

import sys
import time

import psycopg
from psycopg.types.json import Jsonb

POLL = """SELECT r.partition, r.offset, r.timestamp, r.key, r.value, r.headers
    FROM kstream.poll('shipping', '{orders}', %s, max_wait => '20 s') r"""
SHIP = """INSERT INTO shipment (partition, record_offset, placed_at, order_id, record, headers)
    VALUES (%s, %s, %s, %s, %s, %s)"""


def ship_batch(connection, name):
    with connection.transaction():
        for partition, offset, timestamp, key, value, headers in connection.execute(POLL, (name,)):
            connection.execute(SHIP, (partition, offset, timestamp, int(key), value, Jsonb(headers)))
        connection.execute("SELECT kstream.commit('shipping', %s)", (name,))


def consume(connection, name):
    while True:
        try:
            ship_batch(connection, name)
        except psycopg.Error as error:
            # the partition is another member's now: its records are, too
            if error.sqlstate not in ("KS110", "40001"):
                raise


def main(name=None):
    while True:
        try:
            with psycopg.connect("", autocommit=True) as connection:
                consume(connection, name)
        except psycopg.Error as error:
            print("will try again:", error, file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
