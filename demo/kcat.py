"""Kafka's side of the demo: kcat, a client that knows Kafka's protocol only, beside SQL.

kcat logs in by SASL as a role, reads the bank's topic, writes to a topic that SQL reads as
a table, and is woken by what SQL commits.
"""

import os
import subprocess
import time

SETUP = """\
CREATE ROLE app LOGIN PASSWORD 'secret';
SELECT kstream.create_topic('notes', 1, '{"key_type": "text", "value_type": "text"}');
GRANT SELECT ON kstream_topic.accounts TO app;
GRANT SELECT, INSERT ON kstream_topic.notes TO app;
"""
READ = 'SELECT partition, "offset", key, value FROM kstream_topic.notes ORDER BY key'
WRITE = "SELECT kstream.produce('notes', 'sql', 'committed by SQL')"
WAITING = """\
SELECT count(*) > 0 FROM pg_stat_activity
WHERE backend_type = 'kstream kafka session' AND query = 'Fetch' AND state = 'active' AND wait_event IS NOT NULL"""
NOTES = ("kcat:produced by kcat", "more:and once more")
PATIENCE = 60       # seconds that anything may take


def command(*arguments):
    return ["kcat", "-b", "127.0.0.1:" + os.environ["KAFKA_PORT"], "-q",
            "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=SCRAM-SHA-256",
            "-X", "sasl.username=app", "-X", "sasl.password=secret",
            "-X", "partitioner=murmur2_random"] + list(arguments)


def run(*arguments, given=""):
    """What kcat prints; it must end well."""
    return subprocess.run(command(*arguments), input=given, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=PATIENCE).stdout


def ask(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


def wait_for(cursor, sql):
    end = time.monotonic() + PATIENCE
    while not ask(cursor, sql)[0][0]:
        if time.monotonic() > end:
            raise OSError("kcat did not begin to wait")
        time.sleep(0.05)


def show(cursor, say, show_sql):
    """Returns whether kcat and SQL have seen the same."""
    say("Now the same by Kafka's protocol.  kcat logs in as the role app:")
    show_sql(SETUP)
    cursor.execute(SETUP)
    places = run("-C", "-t", "accounts", "-o", "beginning", "-e", "-f", "%p %o\n").split("\n")[:-1]
    stored = ask(cursor, "SELECT count(*) FROM kstream_topic.accounts")[0][0]
    say("kcat reads the bank's topic from the beginning: {:,} records, of {:,}.".format(len(places), stored))

    say("kcat produces to the topic notes, with acks=all:")
    for note in NOTES:
        say("    " + note)
    run("-P", "-t", "notes", "-K", ":", "-X", "acks=all", given="\n".join(NOTES) + "\n")
    say("and SQL reads the table of the topic:")
    show_sql(READ)
    rows = ask(cursor, READ)
    for partition, offset, key, value in rows:
        say("    partition %d, offset %d: %s -> %s" % (partition, offset, key, value))

    # The partition's end is known to kcat when its fetch waits there.
    waiting = subprocess.Popen(command("-C", "-t", "notes", "-o", "end", "-c", "1", "-f", "%k -> %s"),
                               stdout=subprocess.PIPE, text=True)
    try:
        wait_for(cursor, WAITING)
        say("kcat waits at the topic's end, and SQL commits:")
        show_sql(WRITE)
        cursor.execute(WRITE)
        heard, _ = waiting.communicate(timeout=PATIENCE)
    finally:
        waiting.kill()
    say("kcat has: " + heard)
    say()
    return (len(places) == stored == len(set(places)) and
            sorted("%s:%s" % row[2:] for row in rows) == sorted(NOTES) and
            heard == "sql -> committed by SQL")
