#!/usr/bin/python3
"""The demo of kstream: a bank, its topic, and readers who keep the books.

Called by run.sh, which provides the server (PGHOST and its like) and the
programs (PGBIN).  Exits 1 when the readers' books are not those of the table.
"""

import bisect
import io
import multiprocessing
import os
import queue
import subprocess
import sys
import time

import psycopg2

import reader
import stopwatch

SCALE = 5           # of pgbench: branches; 100,000 accounts each
CLIENTS = 8         # of pgbench
SECONDS = 30        # of load
PROGRESS = 3        # seconds between lines
PARTITIONS = 12
READERS = 3
PATIENCE = 60       # seconds that readers may take to reach the end

SETUP = """\
CREATE EXTENSION kstream;
SELECT kstream.create_topic('accounts', partitions => %d);
""" % PARTITIONS

# Both ways: an account that only one side has differs as well.
COMPARE = """\
SELECT aid, a.abalance AS in_the_table, r.balance AS rebuilt
    FROM pgbench_accounts a FULL JOIN rebuilt r USING (aid)
    WHERE a.abalance IS DISTINCT FROM coalesce(r.balance, 0)
    ORDER BY aid;
"""


class Failure(Exception):
    """Something went wrong; the text is for people."""


def say(text=""):
    print(text, flush=True)


def show_sql(text):
    say()
    for line in text.rstrip().splitlines():
        say("    " + line)
    say()


def program(name):
    return os.path.join(os.environ["PGBIN"], name)


def connect():
    connection = psycopg2.connect("")
    connection.autocommit = True
    return connection


def one(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchone()[0]


def make_bank(cursor):
    say("Making pgbench's bank: %d branches, %s accounts, every balance 0 ..."
        % (SCALE, "{:,}".format(SCALE * 100000)))
    made = subprocess.run([program("pgbench"), "-i", "-q", "-s", str(SCALE)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False)
    if made.returncode != 0:
        raise Failure("pgbench -i failed: " + made.stdout)
    say("Making the topic:")
    show_sql(SETUP)
    cursor.execute(SETUP)


def explain_load():
    say("%d clients of pgbench now run its standard transaction for %d seconds."
        % (CLIENTS, SECONDS))
    say("The last statement is ours: it produces a record, key = account.")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "transfer.sql")) as file:
        show_sql("".join(line for line in file if not line.startswith("\\")))
    say("%d readers follow %d partitions each, from offset 0. A fetch with nothing"
        % (READERS, PARTITIONS // READERS))
    say("to return waits until a record commits:")
    show_sql(reader.FETCH % {"partition": ":partition", "next": ":next"} + ";")


class Run:
    """The processes of one run, and what they gave."""

    def __init__(self):
        self.consumed = multiprocessing.Array("q", PARTITIONS, lock=False)
        self.no_more_load = multiprocessing.Event()
        self.no_more_records = multiprocessing.Event()
        self.failed = multiprocessing.Event()
        self.books = multiprocessing.Queue()
        self.commits = multiprocessing.Queue()
        share = PARTITIONS // READERS
        self.readers = [
            multiprocessing.Process(target=reader.run, args=(
                range(i * share, (i + 1) * share), self.consumed,
                self.no_more_records, self.failed, self.books))
            for i in range(READERS)]
        self.timer = multiprocessing.Process(target=stopwatch.run, args=(
            SCALE, self.no_more_load, self.failed, self.commits))
        self.pgbench = None

    def start(self):
        for process in self.readers + [self.timer]:
            process.start()
        self.pgbench = subprocess.Popen(
            [program("pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS),
             "-j", "2", "-T", str(SECONDS), "-s", str(SCALE), "-f",
             os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "transfer.sql")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True)

    def alive(self):
        """Everybody is still at work."""
        return (not self.failed.is_set() and
                all(p.is_alive() for p in self.readers + [self.timer]))

    def load_running(self):
        """Wait a tick; False when pgbench has ended."""
        try:
            self.pgbench.wait(PROGRESS)
            return False
        except subprocess.TimeoutExpired:
            return True

    def why_failed(self):
        """What a process that failed has to say."""
        self.pgbench.terminate()
        self.no_more_load.set()
        said = self.commits.get(timeout=PATIENCE)
        faults = [fault for follower in self.end_readers()
                  for fault in follower[2]]
        return "\n".join(([said] if isinstance(said, str) else []) + faults)

    def end_load(self):
        """Returns the stopwatch's commits."""
        said = self.pgbench.communicate()[0]
        if self.pgbench.returncode != 0:
            raise Failure("pgbench failed: " + said)
        self.no_more_load.set()
        commits = self.commits.get(timeout=PATIENCE)
        if isinstance(commits, str):
            raise Failure(commits)
        return commits

    def end_readers(self):
        """Returns what each follower has, in the order of partitions."""
        self.no_more_records.set()
        followers = []
        for _ in self.readers:
            followers += self.books.get(timeout=PATIENCE)
        return sorted(followers, key=lambda follower: follower[0])

    def kill(self):
        """Leave nothing behind, whatever happened."""
        processes = [p for p in self.readers + [self.timer] if p.pid]
        for process in processes:
            process.terminate()
        if self.pgbench is not None and self.pgbench.poll() is None:
            self.pgbench.terminate()
            self.pgbench.communicate()
        for process in processes:
            process.join()


def show_progress(run, cursor):
    """A line every PROGRESS seconds until pgbench has ended."""
    started = before = time.monotonic()
    produced_before = consumed_before = 0
    say("  seconds   produced   consumed   behind   produced/s   consumed/s")
    running = True
    while running:
        running = run.load_running()
        now = time.monotonic()
        if not run.alive() or now - before < PROGRESS / 2:
            break
        consumed = sum(run.consumed)
        produced = one(cursor, "SELECT sum(latest)::bigint"
                               " FROM kstream.list_offsets('accounts')")
        say("  {:7.0f} {:10,d} {:10,d} {:8,d} {:12,.0f} {:12,.0f}".format(
            now - started, produced, consumed, produced - consumed,
            (produced - produced_before) / (now - before),
            (consumed - consumed_before) / (now - before)))
        before, produced_before, consumed_before = now, produced, consumed
    return time.monotonic() - started


def compare(cursor, followers):
    """Lay the readers' books beside the table.  Returns the rows that differ."""
    rows = io.StringIO()
    accounts = 0
    for _, balances, *_ in followers:
        accounts += len(balances)
        for account, balance in balances.items():
            rows.write("%d\t%d\n" % (account, balance))
    rows.seek(0)
    cursor.execute("CREATE TEMP TABLE rebuilt"
                   " (aid int PRIMARY KEY, balance int NOT NULL)")
    cursor.copy_from(rows, "rebuilt")
    say("The readers' books hold %s accounts; those they never heard of have 0."
        % "{:,}".format(accounts))
    say("Row by row against pgbench's table:")
    show_sql(COMPARE)
    cursor.execute(COMPARE)
    return cursor.fetchall()


def line_of(name, delays):
    delays = sorted(delays)
    say("    {:<44} {:8.2f} {:8.2f}".format(
        name, delays[len(delays) // 2] * 1000,
        delays[min(len(delays) * 99 // 100, len(delays) - 1)] * 1000))


def show_latency(followers, commits):
    received = {partition: (ends, times)
                for partition, _, _, _, ends, times in followers}
    from_sent, from_answered = [], []
    for partition, offset, sent, answered in commits:
        ends, times = received[partition]
        fetch = bisect.bisect_right(ends, offset)
        if fetch == len(ends):
            raise Failure("the record at offset %d of partition %d"
                          " was never received" % (offset, partition))
        from_sent.append(times[fetch] - sent)
        from_answered.append(times[fetch] - answered)
    every = [delay for _, _, _, delays, _, _ in followers for delay in delays]
    if not every or not commits:
        raise Failure("nothing was measured")
    say("  Latency until a reader has the record, in ms    median      p99")
    line_of("after COMMIT was answered (%s timed)"
            % "{:,}".format(len(commits)), from_answered)
    line_of("after COMMIT was sent (waits for the disk)", from_sent)
    line_of("after produce() was called (all records)", every)
    say("    Below 0: the reader had it before the producer heard of its commit.")
    say("    The commits timed are those of one more client beside pgbench's.")


def judge(cursor, followers, commits, seconds):
    """Say what came out.  Returns whether all is well."""
    consumed = sum(len(delays) for _, _, _, delays, _, _ in followers)
    faults = [fault for follower in followers for fault in follower[2]]
    transactions = one(cursor, "SELECT count(*) FROM pgbench_history")
    accounts = one(cursor, "SELECT count(*) FROM pgbench_accounts")
    different = compare(cursor, followers)
    cursor.execute("SELECT * FROM kstream.verify('accounts')")
    unsound = cursor.fetchall()

    say("Summary")
    say("  Committed transactions (rows of pgbench_history)  {:>12,d}".format(
        transactions))
    say("  Records consumed                                  {:>12,d}".format(
        consumed))
    say("  Produced, and consumed, per second                {:>12,.0f}".format(
        consumed / seconds))
    say("  Accounts compared                                 {:>12,d}".format(
        accounts))
    say("  Accounts whose balance differs                    {:>12,d}".format(
        len(different)))
    say("  Records that did not follow from those before     {:>12,d}".format(
        len(faults)))
    say("  Damage found by kstream.verify('accounts')        {:>12,d}".format(
        len(unsound)))
    show_latency(followers, commits)
    say()
    for fault in faults[:5]:
        say("  " + fault)
    for aid, balance, rebuilt in different[:5]:
        say("  account %d has %s in the table, %s in the readers' books"
            % (aid, *("nothing" if amount is None else amount
                      for amount in (balance, rebuilt))))
    return (transactions == consumed and transactions > 0 and
            accounts == SCALE * 100000 and
            not different and not faults and not unsound)


def main():
    run = Run()
    connection = None
    try:
        connection = connect()
        cursor = connection.cursor()
        make_bank(cursor)
        explain_load()
        run.start()
        seconds = show_progress(run, cursor)
        if not run.alive():
            raise Failure(run.why_failed())
        commits = run.end_load()
        followers = run.end_readers()
        say()
        say("The load has ended, and the readers have read to the end.")
        if not judge(cursor, followers, commits, seconds):
            raise Failure("the readers' books are NOT those of the table")
        say("The readers' books are those of the table, account by account.")
        return 0
    except KeyboardInterrupt:
        say("interrupted")
    except queue.Empty:
        say("A reader or the stopwatch did not come to an end.")
    except (Failure, psycopg2.Error, OSError) as failure:
        say("FAILED: %s" % failure)
    finally:
        run.kill()
        if connection is not None:
            connection.close()
    return 1


if __name__ == "__main__":
    sys.exit(main())
