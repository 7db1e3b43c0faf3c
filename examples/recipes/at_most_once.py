#!/usr/bin/python3
"""At most once: the offsets first, then the work.

Who dies between the two loses the records that were polled, and never does
anything twice.
"""
import os

import psycopg2

# Another member has taken over; to be done again.
AGAIN = ("KS110", "KS025", "40001")


def consume(connection, work):
    """One round; returns how many records it was."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT kstream.text(r.key), kstream.json(r.value)"
                       " FROM kstream.poll('metrics', '{payments}', max_wait => '1 s', commit => true) r")
        records = cursor.fetchall()
    for account, payment in records:
        work(account, payment)
    return len(records)


def show(account, payment):
    print(account, payment["amount"], flush=True)


def main():
    connection = psycopg2.connect(os.environ.get("DSN", ""))
    while True:
        try:
            consume(connection, show)
        except psycopg2.Error as error:
            if error.pgcode not in AGAIN:
                raise


if __name__ == "__main__":
    main()
