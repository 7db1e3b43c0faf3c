"""A member of the demo's consumer group: it keeps the books from the records.

It knows nothing but the topic.  Every account begins at 0, every record adds
its delta.  The books are a table, and each batch is applied to it in the
transaction that commits the batch's offsets: what a member that dies had in
hand is undone, and given to another.

A record also tells the balance that the account had after it, which the member
does not take over but holds its own against: a record that is lost, repeated
or out of order shows at once.  In the same transaction it leaves a receipt for
each partition, from which the demo measures.
"""

import json
import os
import signal
import time

import psycopg2
from psycopg2.extras import execute_values

TABLES = """\
CREATE TABLE book (
    aid      int PRIMARY KEY,
    balance  int NOT NULL
);
CREATE TABLE receipt (
    member       text NOT NULL,
    partition    int NOT NULL,
    first_offset bigint NOT NULL,
    next_offset  bigint NOT NULL,
    received     float8 NOT NULL,
    delays       float8[] NOT NULL      -- since produce(), record by record
);
"""

POLL = """\
SELECT r.partition, r.offset, kstream.text(r.key), kstream.text(r.value),
       extract(epoch FROM r.timestamp)::float8
    FROM kstream.poll('bookkeepers', '{accounts}', max_wait => '1 s') r"""

BOOK = """\
INSERT INTO book AS b
    SELECT aid, sum(delta) FROM unnest(%(aids)s::int[], %(deltas)s::int[]) t (aid, delta)
    GROUP BY aid ORDER BY aid
    ON CONFLICT (aid) DO UPDATE SET balance = b.balance + EXCLUDED.balance
    RETURNING aid, balance"""

COMMIT = "SELECT kstream.commit('bookkeepers')"

RECEIPT = "INSERT INTO receipt VALUES %s"

# Books and offsets are in one transaction: if a crash of the server took its
# last commits away, it would take both, and the records would come again.  So
# nothing is gained by waiting for the disk.
SETTINGS = "-c synchronous_commit=off"


class Unsound(Exception):
    """The records do not fit together."""


class Member:
    """One session, which is the member."""

    def __init__(self, name, stop, stand, standing):
        self.name = name
        self.stop = stop            # no more records will come
        self.stand = stand          # stop in the middle of the next batch
        self.standing = standing    # a pipe for how many records that has
        self.connection = psycopg2.connect("", application_name=name, options=SETTINGS)
        self.cursor = self.connection.cursor()

    def work(self):
        while not self.stop.is_set():
            try:
                self.batch()
                self.connection.commit()
            except psycopg2.Error as error:
                # the partition is another member's now: its records are, too
                if error.pgcode not in ("KS110", "40001"):
                    raise
                self.connection.rollback()

    def batch(self):
        self.cursor.execute(POLL)
        rows = self.cursor.fetchall()
        now = time.time()
        if not rows:
            return
        self.book(rows)
        self.leave_receipts(rows, now)
        if self.stand.is_set():
            self.standing.send(len(rows))
            signal.pause()
        self.cursor.execute(COMMIT)

    def book(self, rows):
        aids, deltas, balances = [], [], {}
        for partition, offset, key, value, _ in rows:
            change = json.loads(value)
            aid = int(key)
            if (aid != change["aid"] or balances.get(aid, change["balance"] - change["delta"])
                    != change["balance"] - change["delta"]):
                raise Unsound("partition %d, offset %d does not follow from those before"
                              % (partition, offset))
            aids.append(aid)
            deltas.append(change["delta"])
            balances[aid] = change["balance"]
        self.cursor.execute(BOOK, {"aids": aids, "deltas": deltas})
        for aid, balance in self.cursor.fetchall():
            if balance != balances[aid]:
                raise Unsound("account %d should have %d now, its records add up to %d"
                              % (aid, balances[aid], balance))

    def leave_receipts(self, rows, now):
        offsets, delays = {}, {}
        for partition, offset, _, _, produced in rows:
            first, _ = offsets.get(partition, (offset, offset))
            offsets[partition] = (first, offset + 1)
            delays.setdefault(partition, []).append(now - produced)
        execute_values(self.cursor, RECEIPT,
                       [(self.name, partition, first, following, now, delays[partition])
                        for partition, (first, following) in offsets.items()])


def run(name, stop, stand, standing, faults):
    """The process; what goes wrong is put into `faults`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        member = Member(name, stop, stand, standing)
        member.work()
        member.connection.close()
    except Exception as error:  # whatever it is, the demo has failed
        faults.put("%s (process %d): %s" % (name, os.getpid(), str(error).strip()))
