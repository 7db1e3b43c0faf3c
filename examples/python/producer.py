#!/usr/bin/python3
"""Takes orders: each is a row of a table and a record of a topic, or neither.

    producer.py FIRST LAST      the numbers of the orders to place

A connection that is lost during COMMIT leaves open whether it committed.  So an
order that failed is placed again, and its number tells whether it is there
already: the record went with the row.
"""

import datetime
import sys
import time

import psycopg
from psycopg.types.json import Jsonb


def place(connection, order, placed_at):
    with connection.transaction():
        inserted = connection.execute(
            "INSERT INTO orders (id, customer, cents, source, placed_at)"
            " VALUES (%s, %s, %s, 'python', %s) ON CONFLICT DO NOTHING",
            (order["id"], order["customer"], order["cents"], placed_at))
        if inserted.rowcount == 1:
            connection.execute(
                "SELECT kstream.produce('orders', %s, %s, headers => %s, event_time => %s)",
                (order["id"], Jsonb(order), Jsonb({"source": "python"}), placed_at))


def place_all(connection, numbers):
    while numbers:
        order = {"id": numbers[0], "customer": "Zoë %d" % (numbers[0] % 7), "cents": numbers[0] * 5}
        place(connection, order, datetime.datetime.now(datetime.timezone.utc))
        numbers.pop(0)


def main(first, last):
    numbers = list(range(int(first), int(last) + 1))
    while numbers:
        try:
            with psycopg.connect("", autocommit=True) as connection:
                place_all(connection, numbers)
        except psycopg.OperationalError as error:
            print("will try again:", error, file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
