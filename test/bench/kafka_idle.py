#!/usr/bin/python3
"""What Kafka connections cost that do nothing, and how long one takes to be there.

Usage: kafka_idle.py PORT USER PASSWORD [CONNECTIONS], on the server's machine, as its user or
root, with PGHOST and PGPORT for SQL over TCP or a socket.  The role must be one that
pg_hba.conf lets in by a password in both protocols, over 127.0.0.1.

Prints the memory of a session (private: what the machine has less when it is gone; PSS: with
its part of what is shared), the CPU time of all processes of the server in ten seconds without and with the
connections, and the time from connect() to the first answer and to the first answer behind
a login, beside libpq's.
"""
import os
import statistics
import sys
import time

import psycopg2

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'kafka'))
from raw import API_VERSIONS, METADATA, Connection  # noqa: E402

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
many = int(sys.argv[4]) if len(sys.argv) > 4 else 200
SECONDS, TIMES = 10, 100
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query):
    with sql.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


postmaster = int(open(ask('SHOW data_directory')[0][0] + '/postmaster.pid').readline())


def fields(pid):
    with open('/proc/%d/stat' % pid) as stat:
        return stat.read().rsplit(') ', 1)[1].split()


def processes():
    found = [postmaster]
    for name in os.listdir('/proc'):
        try:
            if name.isdigit() and int(fields(int(name))[1]) == postmaster:
                found.append(int(name))
        except OSError:
            pass
    return found


def cpu(pids):
    return sum(int(fields(pid)[11]) + int(fields(pid)[12]) for pid in pids) / os.sysconf('SC_CLK_TCK')


def spent(pids):
    before = cpu(pids)
    time.sleep(SECONDS)
    return cpu(pids) - before


def memory(pid):
    """(private, PSS), kB"""
    private = pss = 0
    with open('/proc/%d/smaps_rollup' % pid) as rollup:
        for line in rollup:
            if line.startswith('Private_'):
                private += int(line.split()[1])
            elif line.startswith('Pss:'):
                pss = int(line.split()[1])
    return private, pss


def idle():
    print('CPU of all processes in %d s without connections: %.2f s' % (SECONDS, spent(processes())))
    began = time.monotonic()
    connections = [Connection(port, user, password, client='idle') for _ in range(many)]
    print('%d connections logged in, one after the other: %.2f s' % (many, time.monotonic() - began))
    for c in connections:
        c.call(METADATA, 1, b'\xff\xff\xff\xff')
    pids = [pid for pid, in ask("SELECT pid FROM kstream.kafka_connections WHERE client_id = 'idle'")]
    time.sleep(2)
    print('CPU of all processes in %d s with %d connections: %.2f s, of their sessions: %.2f s' % (
        SECONDS, len(pids), spent(processes()), spent(pids)))
    private, pss = zip(*map(memory, pids))
    print('memory of a session: private %.2f MB (most %.2f), PSS %.2f MB' % (
        statistics.median(private) / 1024, max(private) / 1024, statistics.median(pss) / 1024))
    other = [psycopg2.connect(dbname='postgres', user='postgres') for _ in range(5)]
    for one in other:
        with one.cursor() as cursor:
            cursor.execute('SELECT count(*) FROM kstream.topics')
    print('that of a backend that has read the list of topics by SQL: private %.2f MB' % (
        statistics.median(memory(one.info.backend_pid)[0] for one in other) / 1024))
    for c in connections:
        c.close()


def milliseconds(work):
    times = []
    for _ in range(TIMES):
        began = time.monotonic()
        done = work()
        times.append((time.monotonic() - began) * 1000)
        done.close()
        time.sleep(0.005)
    return 'median %.1f ms, least %.1f ms' % (statistics.median(times), min(times))


def first_answer():
    c = Connection(port, login=False)
    c.call(API_VERSIONS, 0)
    return c


def first_metadata():
    c = Connection(port, user, password)
    c.call(METADATA, 1, b'\xff\xff\xff\xff')
    return c


def by_libpq():
    connection = psycopg2.connect(host='127.0.0.1', port=ask('SHOW port')[0][0], dbname='postgres', user=user, password=password)
    with connection.cursor() as cursor:
        cursor.execute('SELECT 1')
    return connection


def main():
    idle()
    time.sleep(2)
    print('connect to the first answer: ' + milliseconds(first_answer))
    print('connect, login and metadata: ' + milliseconds(first_metadata))
    print('libpq, login and SELECT 1: ' + milliseconds(by_libpq))


main()
