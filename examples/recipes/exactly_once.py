#!/usr/bin/python3
"""Exactly once: what is done for a record commits together with its offset.

The work is done in tables of this database, so poll, work and commit are one
transaction.  If it fails at any point, none of it has happened and the same
records come again.  KS110 says that another member has taken over meanwhile,
40001 that the transaction has to be done again.
"""
import os

import psycopg2

AGAIN = ("40001", "KS110", "KS025")


def consume(connection):
    """One round; returns how many records it was."""
    with connection, connection.cursor() as cursor:     # BEGIN ... COMMIT or ROLLBACK
        cursor.execute("SELECT kstream.text(r.key), kstream.json(r.value)"
                       " FROM kstream.poll('totals', '{payments}', max_wait => '1 s') r")
        records = cursor.fetchall()
        for account, payment in records:
            cursor.execute("INSERT INTO total AS t VALUES (%s, %s)"
                           " ON CONFLICT (account) DO UPDATE SET amount = t.amount + excluded.amount",
                           (account, payment["amount"]))
        cursor.execute("SELECT kstream.commit('totals')")
    return len(records)


def main():
    connection = psycopg2.connect(os.environ.get("DSN", ""))
    while True:
        try:
            consume(connection)
        except psycopg2.Error as error:
            if error.pgcode not in AGAIN:
                raise


if __name__ == "__main__":
    main()
