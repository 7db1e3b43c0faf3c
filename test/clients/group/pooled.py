#!/usr/bin/python3
"""Named consumers behind a pool that gives each transaction another backend.

Usage: pooled.py CONNINFO CLIENTS

Each client is a name of group "pool" and moves the records of "pooled" into
table pooled_sink: the even ones poll and commit in one transaction, the odd ones
poll in one and do the work and commit in the next, which may be another
backend's.  They end when the group has caught up.  Prints a line per client
and backend that it met.
"""
import sys
import threading

import psycopg2

done = threading.Event()
failures = []


def move(cursor, rows, name):
    for part, offset, value in rows:
        cursor.execute("INSERT INTO pooled_sink VALUES (%s, %s, %s, %s)", (part, offset, value, name))
    cursor.execute("SELECT count(*) FROM kstream.commit('pool', %s)", (name,))


def poll(cursor, name, backends):
    cursor.execute("SELECT r.partition, r.offset, kstream.text(r.value)"
                   " FROM kstream.poll('pool', '{pooled}', %s, max_records => 7, max_wait => '20 ms') r", (name,))
    rows = cursor.fetchall()
    cursor.execute("SELECT pg_backend_pid()")
    backends.add(cursor.fetchone()[0])
    return rows


def one_transaction(connection, name, backends):
    with connection, connection.cursor() as cursor:
        rows = poll(cursor, name, backends)
        if rows:
            move(cursor, rows, name)


def two_transactions(connection, name, backends):
    with connection, connection.cursor() as cursor:
        rows = poll(cursor, name, backends)
    if rows:
        with connection, connection.cursor() as cursor:
            move(cursor, rows, name)


def client(conninfo, number):
    name = "client%d" % number
    backends = set()
    connection = psycopg2.connect(conninfo)
    try:
        while not done.is_set():
            try:
                (two_transactions if number % 2 else one_transaction)(connection, name, backends)
            except psycopg2.Error as error:
                if error.pgcode not in ("KS110", "40001"):
                    raise
    except Exception as error:
        failures.append("%s: %s" % (name, error))
    for pid in backends:
        print(name, pid)


def main():
    conninfo = sys.argv[1]
    threads = [threading.Thread(target=client, args=(conninfo, n)) for n in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    watcher = psycopg2.connect(conninfo)
    watcher.autocommit = True
    cursor = watcher.cursor()
    while not done.wait(0.1) and not failures:
        cursor.execute("SELECT count(*) = 6 AND sum(records) = 0 FROM kstream.lag WHERE group_id = 'pool'")
        if cursor.fetchone()[0]:
            done.set()
    done.set()
    for thread in threads:
        thread.join()
    sys.exit("\n".join(failures) or 0)


main()
