"""The stopwatch of the demo: how long from a COMMIT to the record's receipt?

One more client of the bank, at some dozens of transfers a second.  It notes the
time right before it sends COMMIT and right after the answer came, and asks
where its record went; the members note when each batch arrived.  Between the
two times of a COMMIT lies the moment at which it took effect, so together
they bound the delay from both sides.
"""

import os
import random
import re
import signal
import time

import psycopg2

PAUSE = 0.02    # seconds between transfers


def read_script():
    """The statements of transfer.sql between BEGIN and END, for psycopg2."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "transfer.sql")
    with open(path) as file:
        text = "".join(line for line in file if not line.startswith("\\"))
    statements = [part.strip() for part in text.split(";") if part.strip()]
    assert statements[0] == "BEGIN" and statements[-1] == "END"
    return [re.sub(r"(?<!:):([a-z]+)", r"%(\1)s", statement.replace("%", "%%"))
            for statement in statements[1:-1]]


def run(scale, stop, failed, results):
    """The process.  Puts a list of (partition, offset, sent, answered)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    commits = []
    try:
        measure(scale, stop, commits)
        results.put(commits)
    except Exception as error:  # whatever it is, the demo has failed
        results.put("the stopwatch: %s" % str(error).strip())
        failed.set()


def measure(scale, stop, commits):
    script = read_script()
    connection = psycopg2.connect("")
    cursor = connection.cursor()
    while not stop.wait(PAUSE):
        values = {"aid": random.randint(1, 100000 * scale),
                  "tid": random.randint(1, 10 * scale),
                  "bid": random.randint(1, scale),
                  "delta": random.randint(-5000, 5000)}
        for statement in script:
            cursor.execute(statement, values)
        sent = time.time()
        connection.commit()
        answered = time.time()
        cursor.execute("SELECT partition, base_offset"
                       " FROM kstream.last_produced()")
        commits.append(cursor.fetchone() + (sent, answered))
        connection.commit()
    connection.close()
