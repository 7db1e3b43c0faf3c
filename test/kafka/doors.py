"""Who may come in: passwords, pg_hba.conf, limits, TLS, and how long a refusal takes.

Usage: doors.py PORT USER PASSWORD CERTIFICATE, with PGHOST and PGPORT for SQL.
"""
import os
import socket
import ssl
import struct
import sys
import time

import psycopg2

from raw import API_VERSIONS, METADATA, Connection, Refused, batch, string

port, user, password, certificate = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True
with sql.cursor() as cursor:
    cursor.execute('SHOW hba_file')
    hba = cursor.fetchone()[0]
original = open(hba).read()


def ask(query, *args):
    with sql.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall() if cursor.description else None


def is_(got, want, what):
    print('%sok - %s%s' % ('' if got == want else 'not ', what, '' if got == want else ': %r, not %r' % (got, want)), flush=True)


def enter(user=user, password=password, **kw):
    try:
        Connection(port, user, password, **kw).close()
        return 'in'
    except Refused as no:
        return no.args[0]
    except (EOFError, ConnectionError):
        return 'closed'


def rules(*lines):
    """Give the server these rules for TCP; wait until the listener has them."""
    with open(hba, 'w') as out:
        out.write('local all all trust\n' + '\n'.join(lines) + '\n')
    ask('SELECT pg_reload_conf()')
    time.sleep(0.5)


is_(enter(), 'in', 'the right password')
is_(enter(password='wrong'), 58, 'a wrong password')
is_(enter(user='nobody'), 58, 'a role that is not there')
start = time.monotonic()
enter(password='wrong')
is_(time.monotonic() - start > 0.4, True, 'a refusal takes its time')
ask("CREATE ROLE nologin PASSWORD 'secret'")
is_(enter(user='nologin', password='secret'), 58, 'a role without LOGIN')
ask("CREATE ROLE late LOGIN PASSWORD 'secret' VALID UNTIL '2000-01-01'")
is_(enter(user='late', password='secret'), 58, 'a password that is not valid any more')
ask("CREATE ROLE limited LOGIN PASSWORD 'secret' CONNECTION LIMIT 1")
first = Connection(port, 'limited', 'secret')
is_(enter(user='limited', password='secret'), 58, 'a connection more than the role may have')
first.close()
ask("CREATE ROLE md5 LOGIN")
ask("SET password_encryption = md5")
ask("ALTER ROLE md5 PASSWORD 'secret'")
is_(enter(user='md5', password='secret'), 58, 'a role whose secret is not SCRAM')
ask("CREATE ROLE empty LOGIN")
is_(enter(user='empty', password='x'), 58, 'a role without a password')
ask('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC')
is_(enter(), 58, 'no right to connect to the database')
ask('GRANT CONNECT ON DATABASE postgres TO PUBLIC')
is_(enter(), 'in', 'and with it again')

# pg_hba.conf
for lines, want, what in (
        (('host all all 127.0.0.1/32 reject',), 58, 'reject'),
        (('host all bob 127.0.0.1/32 scram-sha-256',), 58, 'no line for the role'),
        (('host all alice 10.0.0.0/8 scram-sha-256',), 58, 'no line for the address'),
        (('host other alice 127.0.0.1/32 scram-sha-256',), 58, 'no line for the database'),
        (('host replication alice 127.0.0.1/32 scram-sha-256',), 58, 'replication is no database'),
        (('hostssl all alice 127.0.0.1/32 scram-sha-256',), 58, 'hostssl and no TLS'),
        (('hostnossl all alice 127.0.0.1/32 scram-sha-256',), 'in', 'hostnossl'),
        (('host all alice 127.0.0.1/32 peer',), 'in', 'a broken file: the rules before it stay'),
        (('host all alice 127.0.0.1/32 reject', 'host all alice 127.0.0.1/32 scram-sha-256'), 58, 'the first line that fits decides'),
        (('host all alice 127.0.0.1/32 cert clientcert=verify-full',), 58, 'a method that has no counterpart'),
        (('host all alice localhost scram-sha-256',), 58, 'a host name is not looked up'),
        (('host all +staff 127.0.0.1/32 scram-sha-256',), 58, 'not a member of the group'),
        (('host sameuser alice 127.0.0.1/32 scram-sha-256',), 58, 'sameuser'),
        (('host all alice samehost md5',), 'in', 'samehost, and md5 with a SCRAM secret'),
        (('host all all 127.0.0.1/32 password',), 58, 'a password in clear, without TLS'),
        (('host "postgres" "alice" all scram-sha-256',), 'in', 'quoted names, all addresses')):
    rules(*lines)
    is_(enter(), want, 'pg_hba.conf: ' + what)
ask('CREATE ROLE staff')
ask('GRANT staff TO alice')
rules('host all +staff 127.0.0.1/32 scram-sha-256')
is_(enter(), 'in', 'pg_hba.conf: a member of the group')

# TLS, on the same port
rules('hostssl all all 127.0.0.1/32 scram-sha-256')
context = ssl.create_default_context(cafile=certificate)
is_(enter(), 58, 'hostssl without TLS')


def over_tls(mechanism='PLAIN', password=password, user=user):
    c = Connection(port, timeout=20, login=False)
    c.socket = context.wrap_socket(c.socket, server_hostname='localhost')
    if mechanism != 'PLAIN':
        c.authenticate(user, password)
        return c
    if c.handshake('PLAIN') != 0:
        raise Refused('mechanism')
    c.token(b'\0' + user.encode() + b'\0' + password.encode())
    return c


is_(over_tls('SCRAM-SHA-256').produce('p', 0, batch([(b'k', b'tls')]))[0], 0, 'SCRAM over TLS')
plain = over_tls()
is_(plain.produce('p', 0, batch([(b'k', b'tls')]))[0], 0, 'PLAIN over TLS')
is_(ask("SELECT tls, role::text FROM kstream.kafka_connections WHERE bytes_in > 0 AND tls LIMIT 1"), [(True, 'alice')], 'the view says so')
for what, wrong in (('a wrong password', dict(password='wrong')), ('an empty password', dict(password='')), ('an empty name', dict(user=''))):
    try:
        over_tls(**wrong)
        got = 'in'
    except Refused as no:
        got = no.args[0]
    is_(got, 58, 'PLAIN: ' + what)
rules('host all empty 127.0.0.1/32 trust', 'host all nologin 127.0.0.1/32 trust', 'host all nobody 127.0.0.1/32 trust', 'host all all 127.0.0.1/32 scram-sha-256')
is_(over_tls(user='empty', password='whatever').call(METADATA, 1, struct.pack('>i', 0)) != b'', True, 'trust: PLAIN with any password')
for name in ('nologin', 'nobody'):
    try:
        over_tls(user=name, password='secret')
        got = 'in'
    except Refused as no:
        got = no.args[0]
    is_(got, 58, 'trust: ' + name)
is_(enter(user='empty', password='x'), 58, 'trust: SCRAM wants a proof')
c = Connection(port, login=False)
is_(c.handshake('PLAIN'), 33, 'PLAIN is not offered without TLS')
rules('hostssl all all 127.0.0.1/32 scram-sha-256')
is_(enter(timeout=20), 58, 'still refused without TLS')
rules('host all all 127.0.0.1/32 scram-sha-256')

# before authentication
c = Connection(port, login=False)
answer = c.call(API_VERSIONS, 0)
is_(struct.unpack('>h', answer[:2])[0], 0, 'ApiVersions needs no authentication')
c.send(API_VERSIONS, 99)
is_(struct.unpack('>h', c.receive()[1][:2])[0], 35, 'a version that is not known is refused in the form of version 0')
for api, version in ((METADATA, 1), (0, 7), (1, 4), (99, 0)):
    c = Connection(port, login=False)
    try:
        c.call(api, version, b'\0' * 4)
        got = 'answered'
    except EOFError:
        got = 'closed'
    is_(got, 'closed', 'API %d before authentication' % api)
c = Connection(port, login=False)
c.socket.sendall(struct.pack('>i', 70000))
try:
    c.receive_exactly(1)
    got = 'answered'
except (EOFError, ConnectionError):
    got = 'closed'
is_(got, 'closed', 'a long frame before authentication')

# a TLS handshake that stalls does not keep the server from stopping: the caller stops it
stalled = socket.create_connection(('127.0.0.1', port))
stalled.sendall(b'\x16\x03\x01')
open(hba, 'w').write(original)
ask('SELECT pg_reload_conf()')
with sql.cursor() as cursor:
    cursor.execute('SHOW data_directory')
sql.close()
start = time.monotonic()
code = os.system("'%s' -D '%s' -m fast -w -t 60 stop > /dev/null" % (sys.argv[5], sys.argv[6]))
is_((code, time.monotonic() - start < 20), (0, True), 'a fast stop beside a client that stalls in its handshake')
