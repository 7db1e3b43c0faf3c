#!/usr/bin/python3
"""At least once: the work first, then the offsets.

For work that is not in this database, such as sending mail.  No transaction is
open while it is done.  Who dies between the work and the commit leaves records
that are worked on again, so the work must bear that.

The member has a name, so that it is the same one after a restart: one name per
process.  Each poll begins at the committed offset.
"""
import os
import sys

import psycopg2

# Another member has taken over; to be done again.
AGAIN = ("KS110", "KS025", "40001")


def consume(connection, member, work):
    """One round; returns how many records it was."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT kstream.text(r.key), kstream.json(r.value)"
                       " FROM kstream.poll('mail', '{payments}', member => %s, max_wait => '1 s') r", (member,))
        records = cursor.fetchall()
    for account, payment in records:
        work(account, payment)
    with connection, connection.cursor() as cursor:
        # commits what the latest poll returned; KS110: it is another's now
        cursor.execute("SELECT kstream.commit('mail', %s)", (member,))
    return len(records)


def show(account, payment):
    print(account, payment["amount"], flush=True)


def main():
    connection = psycopg2.connect(os.environ.get("DSN", ""))
    while True:
        try:
            consume(connection, sys.argv[1], show)
        except psycopg2.Error as error:
            if error.pgcode not in AGAIN:
                raise


if __name__ == "__main__":
    main()
