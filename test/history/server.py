"""A PostgreSQL server of the run's own, and a standby where a profile wants one.

Everything is below one directory, which is kept when something was found.  The
sockets are there too; no TCP port is opened but the one for Kafka's protocol, at
127.0.0.1.

test/history/server.py
"""
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time

import psycopg2

CONF = """
shared_preload_libraries = 'kstream'
listen_addresses = ''
shared_buffers = 64MB
max_connections = 60
fsync = off
restart_after_crash = on
log_line_prefix = '%m [%p] %e '
log_statement = none
autovacuum_naptime = 5s
deadlock_timeout = 100ms
checkpoint_timeout = 30s
max_wal_size = 256MB
wal_keep_size = 256MB
max_worker_processes = 40
kstream.kafka_max_connections = 20
kstream.kafka_listen_addresses = '127.0.0.1'
"""
FAKETIME = '/usr/lib/*/faketime/libfaketime.so.1'


class Server:
    def __init__(self, bindir, directory, port):
        self.bindir, self.directory, self.port = bindir, directory, port
        self.data = os.path.join(directory, 'data')
        self.log = os.path.join(directory, 'log')
        self.environment = None
        with socket.create_server(('127.0.0.1', 0)) as probe:
            self.kafka_port = probe.getsockname()[1]
        # a socket's path is short
        self.sockets = tempfile.mkdtemp(prefix='ks')
        self.dsn = 'host=%s port=%d dbname=postgres' % (self.sockets, port)

    def program(self, name, *arguments, check=True, environment=None):
        return subprocess.run([os.path.join(self.bindir, name), *arguments], check=check, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def configure(self, text):
        with open(os.path.join(self.data, 'postgresql.conf'), 'a') as conf:
            conf.write(text)

    def create(self, conf):
        os.makedirs(self.directory)
        self.program('initdb', '-D', self.data, '-A', 'trust', '-U', 'postgres', '-N', '--no-locale', '-E', 'UTF8')
        self.configure(CONF + "port = %d\nunix_socket_directories = '%s'\nkstream.kafka_port = %d\n" % (
            self.port, self.sockets, self.kafka_port) + conf)
        self.dsn += ' user=postgres'

    def fake_time(self):
        """From the next start on, the server's clock is what clock() says; monotonic clocks stay."""
        self.clock_file = os.path.join(self.directory, 'clock')
        self.clock('+0')
        self.environment = dict(os.environ, LD_PRELOAD=glob.glob(FAKETIME)[0], FAKETIME_NO_CACHE='1',
                                FAKETIME_TIMESTAMP_FILE=self.clock_file, FAKETIME_DONT_FAKE_MONOTONIC='1')

    def clock(self, shift):
        with open(self.clock_file + '.new', 'w') as file:
            file.write(shift + '\n')
        os.rename(self.clock_file + '.new', self.clock_file)

    def start(self):
        deadline = time.monotonic() + 60
        while self.program('pg_ctl', '-D', self.data, '-l', self.log, '-w', '-t', '60', 'start',
                           check=False, environment=self.environment).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError('the server does not start: see %s' % self.log)
            time.sleep(0.2)

    def stop(self, mode):
        self.program('pg_ctl', '-D', self.data, '-w', '-t', '60', '-m', mode, 'stop', check=False)

    def promote(self):
        self.program('pg_ctl', '-D', self.data, '-w', 'promote')

    def copy(self, directory, port):
        """A standby that follows this server."""
        standby = Server(self.bindir, directory, port)
        os.makedirs(directory)
        self.program('pg_basebackup', '-d', self.dsn, '-D', standby.data, '-c', 'fast', '-X', 'stream', '-R')
        standby.configure("port = %d\nunix_socket_directories = '%s'\nsynchronous_standby_names = ''\n"
                          "kstream.kafka_port = %d\nprimary_conninfo = '%s application_name=standby'\nhot_standby_feedback = off\n"
                          'max_standby_streaming_delay = 5s\n' % (port, standby.sockets, standby.kafka_port, self.dsn))
        with open(os.path.join(standby.data, 'postgresql.auto.conf'), 'w'):
            pass
        standby.dsn += ' user=postgres'
        return standby

    def connect(self, name='history'):
        connection = psycopg2.connect(self.dsn, application_name=name)
        connection.autocommit = True
        return connection

    def remove(self):
        shutil.rmtree(self.sockets, ignore_errors=True)
