#!/usr/bin/python3
"""The demo of kstream: a bank, its topic, and a group that keeps the books.

Called by run.sh, which provides the server (PGHOST and its like) and the
programs (PGBIN).  Exits 1 when the group's books are not those of the bank.
"""

import bisect
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import time

import psycopg2

import kcat
import member
import stopwatch

SCALE = 5           # of pgbench: branches; 100,000 accounts each
CLIENTS = 8         # of pgbench
SECONDS = 30        # of load
PROGRESS = 3        # seconds between lines
PARTITIONS = 12
MEMBERS = 3         # of the group, at the start
KILL_AFTER = 9      # seconds of load; then a member dies,
ADD_AFTER = 18      # and then a new one comes
PATIENCE = 60       # seconds that anything may take

SETUP = """\
CREATE EXTENSION kstream;
SELECT kstream.create_topic('accounts', partitions => %d);
""" % PARTITIONS

# Both ways: an account that only one side has differs as well.
COMPARE = """\
SELECT aid, a.abalance AS in_the_bank, b.balance AS in_the_books
    FROM pgbench_accounts a FULL JOIN book b USING (aid)
    WHERE a.abalance IS DISTINCT FROM coalesce(b.balance, 0)
    ORDER BY aid;
"""

# An offset that no member, or more than one, has applied to the books.
BROKEN = """\
SELECT count(*) FROM (
    SELECT first_offset, lag(next_offset, 1, 0::bigint) OVER (
                PARTITION BY partition ORDER BY first_offset) AS expected
        FROM receipt) r
    WHERE first_offset <> expected;
"""

# A member is a session; application_name tells whose.
OWNERS = """\
SELECT a.application_name, array_agg(l.partition ORDER BY l.partition)
    FROM kstream.lag l
    JOIN kstream.members m USING (group_id, member)
    JOIN pg_stat_activity a USING (pid)
    WHERE l.group_id = 'bookkeepers'
    GROUP BY 1 ORDER BY 1;
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


def transfer_sql():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "transfer.sql")


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
    cursor.execute(SETUP + member.TABLES)


def explain_load():
    say("%d clients of pgbench now run its standard transaction for %d seconds."
        % (CLIENTS, SECONDS))
    say("The last statement is ours: it produces a record, key = account.")
    with open(transfer_sql()) as file:
        show_sql("".join(line for line in file if not line.startswith("\\")))
    say("A consumer group of %d processes follows. Each of them repeats:" % MEMBERS)
    show_sql("BEGIN;\n%s;\n%s;\n%s;\nCOMMIT;" % (
        member.POLL, member.BOOK.replace("%(aids)s", ":aids").replace("%(deltas)s", ":deltas"),
        member.COMMIT))
    say("Books and offsets commit together, so these commits need not wait for the")
    say("disk (synchronous_commit = off): a crash would undo both or none.")
    say()


class Worker:
    """A process that is a member of the group, seen from here."""

    def __init__(self, number, stop, faults):
        self.name = "member %d" % number
        self.stand = multiprocessing.Event()
        self.standing, theirs = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(
            target=member.run, args=(self.name, stop, self.stand, theirs, faults))
        self.process.start()

    def kill(self):
        """Kill it in the middle of a batch.  Returns the records of that."""
        self.stand.set()
        if not self.standing.poll(PATIENCE):
            raise Failure("%s, which was to be killed, got no records" % self.name)
        records = self.standing.recv()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        return records


class Run:
    """The processes of one run."""

    def __init__(self):
        self.no_more_load = multiprocessing.Event()
        self.no_more_records = multiprocessing.Event()
        self.failed = multiprocessing.Event()
        self.faults = multiprocessing.Queue()
        self.commits = multiprocessing.Queue()
        self.workers = []
        self.timer = multiprocessing.Process(target=stopwatch.run, args=(
            SCALE, self.no_more_load, self.failed, self.commits))
        self.pgbench = None

    def add_worker(self):
        worker = Worker(len(self.workers) + 1, self.no_more_records, self.faults)
        self.workers.append(worker)
        return worker

    def start_load(self):
        self.timer.start()
        self.pgbench = subprocess.Popen(
            [program("pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS),
             "-j", "2", "-T", str(SECONDS), "-s", str(SCALE), "-f", transfer_sql()],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True)

    def living(self):
        """Those that were not killed."""
        return [w for w in self.workers if w.process.exitcode != -signal.SIGKILL]

    def check(self):
        """Raise what a process that failed has to say."""
        if self.failed.is_set():
            raise Failure(self.commits.get(timeout=PATIENCE))
        if not all(w.process.is_alive() for w in self.living()):
            raise Failure(self.faults.get(timeout=PATIENCE))

    def load_running(self):
        """Wait a tick; False when pgbench has ended."""
        try:
            self.pgbench.wait(PROGRESS)
            return False
        except subprocess.TimeoutExpired:
            return True

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

    def end_workers(self, cursor):
        """Wait until the group has read to the end, and let it go."""
        deadline = time.monotonic() + PATIENCE
        while progress(cursor)[1] > 0:
            self.check()
            if time.monotonic() > deadline:
                raise Failure("the group did not come to the end of the topic")
            time.sleep(0.05)
        self.no_more_records.set()
        for worker in self.living():
            worker.process.join(PATIENCE)
            if worker.process.exitcode != 0:
                raise Failure("%s did not come to an end" % worker.name)
        if not self.faults.empty():
            raise Failure(self.faults.get())

    def kill(self):
        """Leave nothing behind, whatever happened."""
        processes = [w.process for w in self.workers]
        if self.timer.pid:
            processes.append(self.timer)
        for process in processes:
            process.terminate()
        if self.pgbench is not None and self.pgbench.poll() is None:
            self.pgbench.terminate()
            self.pgbench.communicate()
        for process in processes:
            process.join()


def owners(cursor):
    """Which partitions each member has, as kstream.lag tells."""
    cursor.execute(OWNERS)
    return dict(cursor.fetchall())


def wait_owners(run, cursor):
    """Until all members of the group, and only they, share all partitions.

    Returns the owners and the seconds that it took.
    """
    names = sorted(w.name for w in run.living())
    started = time.monotonic()
    while True:
        now = owners(cursor)
        sizes = [len(partitions) for partitions in now.values()]
        if (sorted(now) == names and sum(sizes) == PARTITIONS and
                max(sizes) - min(sizes) <= 1):
            return now, time.monotonic() - started
        run.check()
        if time.monotonic() - started > PATIENCE:
            raise Failure("the group did not share the partitions: %s" % now)
        time.sleep(0.005)


def show_owners(before, after):
    for name, partitions in after.items():
        moved = sorted(set(partitions) - set(before.get(name, [])))
        say("  > {}: {}{}".format(
            name, " ".join(map(str, partitions)),
            ", of which %s are new" % " ".join(map(str, moved)) if before and moved else ""))


def kill_one(run, cursor):
    before = owners(cursor)
    victim = run.workers[1]
    records = victim.kill()
    after, seconds = wait_owners(run, cursor)
    say("  > %s (process %d) is no more: kill -9, with %d of the records written to"
        % (victim.name, victim.process.pid, records))
    say("  > the books and not committed. %.2f s later the others have its partitions:"
        % seconds)
    show_owners(before, after)


def add_one(run, cursor):
    before = owners(cursor)
    worker = run.add_worker()
    after, seconds = wait_owners(run, cursor)
    say("  > %s (process %d) has joined the group and its share after %.2f s:"
        % (worker.name, worker.process.pid, seconds))
    show_owners(before, after)


def progress(cursor):
    """Records produced, and how many of them the group has not committed."""
    cursor.execute("SELECT sum(end_offset)::bigint, sum(records)::bigint"
                   " FROM kstream.lag WHERE group_id = 'bookkeepers'")
    return cursor.fetchone()


def show_progress(run, cursor):
    """A line every PROGRESS seconds until pgbench has ended."""
    events = [(KILL_AFTER, kill_one), (ADD_AFTER, add_one)]
    started = before = time.monotonic()
    produced_before = consumed_before = 0
    say("  seconds   produced   consumed   behind   produced/s   consumed/s")
    running = True
    while running:
        running = run.load_running()
        run.check()
        now = time.monotonic()
        if now - before < PROGRESS / 2:
            break
        produced, behind = progress(cursor)
        consumed = produced - behind
        say("  {:7.0f} {:10,d} {:10,d} {:8,d} {:12,.0f} {:12,.0f}".format(
            now - started, produced, consumed, behind,
            (produced - produced_before) / (now - before),
            (consumed - consumed_before) / (now - before)))
        before, produced_before, consumed_before = now, produced, consumed
        if events and running and now - started >= events[0][0] - PROGRESS / 2:
            events.pop(0)[1](run, cursor)
    if events:
        raise Failure("pgbench ended before its time")
    return time.monotonic() - started


def line_of(name, delays):
    delays = sorted(delays)
    say("    {:<44} {:8.2f} {:8.2f} {:8.0f}".format(
        name, delays[len(delays) // 2] * 1000,
        delays[min(len(delays) * 99 // 100, len(delays) - 1)] * 1000,
        delays[-1] * 1000))


def read_receipts(cursor):
    """By partition: where each batch ended, and when it was received."""
    receipts = {}
    cursor.execute("SELECT partition, next_offset, received FROM receipt"
                   " ORDER BY partition, next_offset")
    for partition, following, received in cursor.fetchall():
        ends, times = receipts.setdefault(partition, ([], []))
        ends.append(following)
        times.append(received)
    return receipts


def show_latency(cursor, commits):
    receipts = read_receipts(cursor)
    from_sent, from_answered = [], []
    for partition, offset, sent, answered in commits:
        ends, times = receipts[partition]
        batch = bisect.bisect_right(ends, offset)
        if batch == len(ends):
            raise Failure("the record at offset %d of partition %d"
                          " was never received" % (offset, partition))
        from_sent.append(times[batch] - sent)
        from_answered.append(times[batch] - answered)
    cursor.execute("SELECT unnest(delays) FROM receipt")
    every = [delay for delay, in cursor.fetchall()]
    if not every or not commits:
        raise Failure("nothing was measured")
    say("  Latency until a member has the record, in ms    median      p99  longest")
    line_of("after COMMIT was answered (%s timed)"
            % "{:,}".format(len(commits)), from_answered)
    line_of("after COMMIT was sent (waits for the disk)", from_sent)
    line_of("after produce() was called (all records)", every)
    say("    Below 0: the member had it before the producer heard of its commit.")
    say("    What was in the hands of the member that was killed is counted, too.")
    say("    The commits timed are those of one more client beside pgbench's.")


def compare(cursor):
    """Lay the books beside the bank.  Returns the rows that differ."""
    say("The group's books hold %s accounts; those they never heard of have 0."
        % "{:,}".format(one(cursor, "SELECT count(*) FROM book")))
    say("Row by row against pgbench's table:")
    show_sql(COMPARE)
    cursor.execute(COMPARE)
    return cursor.fetchall()


def judge(cursor, commits, seconds):
    """Say what came out.  Returns whether all is well."""
    consumed = one(cursor, "SELECT coalesce(sum(cardinality(delays)), 0) FROM receipt")
    broken = one(cursor, BROKEN)
    transactions = one(cursor, "SELECT count(*) FROM pgbench_history")
    accounts = one(cursor, "SELECT count(*) FROM pgbench_accounts")
    different = compare(cursor)
    cursor.execute("SELECT * FROM kstream.verify('accounts')")
    unsound = cursor.fetchall()

    say("Summary")
    for name, number in (
            ("Committed transactions (rows of pgbench_history)", transactions),
            ("Records consumed", consumed),
            ("Produced, and consumed, per second", round(consumed / seconds)),
            ("Accounts compared", accounts),
            ("Accounts whose balance differs", len(different)),
            ("Batches that left a gap or overlapped", broken),
            ("Damage found by kstream.verify('accounts')", len(unsound))):
        say("  {:<50}{:>12,d}".format(name, number))
    show_latency(cursor, commits)
    say()
    for aid, balance, booked in different[:5]:
        say("  account %d has %s in the bank, %s in the books"
            % (aid, *("nothing" if amount is None else amount
                      for amount in (balance, booked))))
    return (transactions == consumed and transactions > 0 and
            accounts == SCALE * 100000 and
            not different and not broken and not unsound)


def show_group(run, cursor):
    """The group at work, under load."""
    run.start_load()
    for _ in range(MEMBERS):
        run.add_worker()
    after, _ = wait_owners(run, cursor)
    say("The members share the partitions:")
    show_owners({}, after)
    say()


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupt)
    run = Run()
    connection = None
    try:
        connection = connect()
        cursor = connection.cursor()
        make_bank(cursor)
        explain_load()
        show_group(run, cursor)
        seconds = show_progress(run, cursor)
        commits = run.end_load()
        run.end_workers(cursor)
        say()
        say("The load has ended, and the group has read to the end.")
        if not judge(cursor, commits, seconds):
            raise Failure("the group's books are NOT those of the bank")
        say("The group's books are those of the bank, account by account.")
        say()
        if not kcat.show(cursor, say, show_sql):
            raise Failure("kcat and SQL have NOT seen the same")
        return 0
    except KeyboardInterrupt:
        say("interrupted")
    except queue.Empty:
        say("A process did not come to an end.")
    except (Failure, psycopg2.Error, OSError, subprocess.SubprocessError) as failure:
        say("FAILED: %s" % failure)
    finally:
        run.kill()
        if connection is not None:
            connection.close()
    return 1


if __name__ == "__main__":
    sys.exit(main())
