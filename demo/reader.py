"""A reader of the demo: a process that follows some partitions of the topic.

It keeps its books from the records alone: every account begins at 0, every
record adds its delta.  A record also tells the balance that the account had
after it, which the reader does not take over but holds its own against: a
record that is lost, repeated or out of order shows at once.

One thread and one connection per partition, each waiting in a long poll.
"""

import array
import json
import signal
import threading
import time

import psycopg2

FETCH = """\
SELECT r.offset, kstream.text(r.key), kstream.text(r.value),
       extract(epoch FROM r.timestamp)::float8
    FROM kstream.fetch('accounts', %(partition)s, %(next)s, max_wait => '1 s') r"""


class Follower(threading.Thread):
    """Follows one partition from offset 0 until told that no more will come."""

    def __init__(self, partition, consumed, stop, failed):
        super().__init__(daemon=True)
        self.partition = partition
        self.consumed = consumed    # shared: records received, by partition
        self.stop = stop
        self.failed = failed
        self.next = 0               # the offset to ask for
        self.balances = {}          # account -> balance
        self.faults = []            # what did not fit, in words
        self.delays = array.array("d")  # seconds from produce() to receipt
        self.ends = array.array("q")    # of each fetch: where it ended,
        self.times = array.array("d")   # and when it arrived

    def run(self):
        try:
            self.follow()
        except Exception as error:  # whatever it is, the demo has failed
            self.faults.append("partition %d: %s" % (self.partition, str(error).strip()))
            self.failed.set()

    def follow(self):
        connection = psycopg2.connect("")
        connection.autocommit = True
        cursor = connection.cursor()
        while True:
            all_there = self.stop.is_set()
            cursor.execute(FETCH, {"partition": self.partition,
                                   "next": self.next})
            rows = cursor.fetchall()
            now = time.time()
            if rows:
                self.receive(rows, now)
            elif all_there:
                break
        connection.close()

    def receive(self, rows, now):
        for offset, key, value, produced in rows:
            self.book(offset, key, json.loads(value))
            self.delays.append(now - produced)
        self.next = rows[-1][0] + 1
        self.ends.append(self.next)
        self.times.append(now)
        self.consumed[self.partition] += len(rows)

    def book(self, offset, key, change):
        account = int(key)
        balance = self.balances.get(account, 0) + change["delta"]
        self.balances[account] = balance
        if account != change["aid"] or balance != change["balance"]:
            self.faults.append(
                "partition %d, offset %d: account %d should have %d now, "
                "its records add up to %d" % (self.partition, offset, account,
                                              change["balance"], balance))


def run(partitions, consumed, stop, failed, results):
    """The process.  Its books go into `results` when all is read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    followers = [Follower(partition, consumed, stop, failed)
                 for partition in partitions]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.join()
    results.put([(f.partition, f.balances, f.faults, f.delays, f.ends, f.times)
                 for f in followers])
