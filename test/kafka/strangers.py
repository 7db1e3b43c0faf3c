"""Clients that have not proven who they are, and what they can make the server do.

Usage: strangers.py PORT USER PASSWORD LOG, with PGHOST and PGPORT for SQL; the server's
authentication_timeout is short, and kstream.kafka_max_connections 20.
"""
import os
import socket
import struct
import sys
import time

import psycopg2

from raw import API_VERSIONS, METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE, Connection, Refused, batch, data, string

port, user, password, log = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query):
    with sql.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else None


def ok(condition, what, got=''):
    print('%sok - %s%s' % ('' if condition else 'not ', what, '' if condition else ': %r' % (got,)), flush=True)


def connections():
    return ask('SELECT count(*) FROM kstream.kafka_connections')[0][0]


def gone(limit=60):
    """Wait until there are no connections."""
    end = time.monotonic() + limit
    while connections() > 0 and time.monotonic() < end:
        time.sleep(0.05)
    return connections() == 0


def anonymous(pid):
    with open('/proc/%d/status' % pid) as status:
        return [int(line.split()[1]) for line in status if line.startswith('RssAnon')][0]


def flood():
    """Requests that need no login, as many as are answered."""
    c = Connection(port, login=False, client='x' * 30000)
    c.call(API_VERSIONS, 0)
    pid = ask('SELECT pid FROM kstream.kafka_connections')[0][0]
    before, most, answered = anonymous(pid), 0, 1
    try:
        while answered < 100000:
            c.call(SASL_HANDSHAKE, 1, string('SCRAM-SHA-256')) if answered % 2 else c.call(API_VERSIONS, 0)
            answered += 1
            most = max(most, anonymous(pid) - before)
    except (EOFError, ConnectionError):
        pass
    except (FileNotFoundError, IndexError):     # it has ended
        pass
    ok(answered < 1000, 'a client that does not log in is not served for ever', answered)
    # (a sanitizer keeps what was freed for a while)
    ok(most < 500 or 'SANITIZE' in os.environ, 'and no memory is kept of its requests', '%d kB' % most)


def silent():
    """Whatever a client leaves out, it is let go of after authentication_timeout."""
    began = time.monotonic()
    for what, sent in (('says nothing', b''), ('stops in a length', b'\0\0'), ('stops in a frame', b'\0\0\1\0\0'),
                       ('stops in a TLS handshake', b'\x16\x03\x01')):
        c = socket.create_connection(('127.0.0.1', port), 20)
        c.sendall(sent)
        try:
            ok(c.recv(1) == b'', 'a client that %s is let go of' % what)
        except OSError as error:
            ok(isinstance(error, ConnectionError), 'a client that %s is let go of' % what, error)
    c = Connection(port, login=False, timeout=20)
    try:
        while True:
            c.call(API_VERSIONS, 0)
            time.sleep(0.2)
    except (EOFError, ConnectionError):
        ok(True, 'so is one that goes on asking and does not log in')
    c = socket.create_connection(('127.0.0.1', port), 20)
    frame = struct.pack('>hhi', API_VERSIONS, 0, 1) + string('slow')
    try:
        for byte in struct.pack('>i', len(frame)) + frame:
            c.sendall(bytes([byte]))
            time.sleep(0.5)
        ok(c.recv(1) == b'', 'and one that sends a byte now and then')
    except OSError:
        ok(True, 'and one that sends a byte now and then')
    ok(time.monotonic() - began < 40, 'each after some seconds', time.monotonic() - began)


def lines():
    with open(log, errors='replace') as file:
        return len(file.readlines())


def noisy():
    """A line in the log for each would fill the disk."""
    gone()
    before, began = lines(), time.monotonic()
    for _ in range(400):
        c = Connection(port, login=False)
        c.send(METADATA, 0, struct.pack('>i', 0))
        try:
            c.receive()
        except (EOFError, ConnectionError):
            pass
        c.close()
    seconds = time.monotonic() - began
    # a line has two more, for detail and hint; and there is one about those that were left out
    ok(lines() - before <= (seconds + 2) * 20 * 3 + seconds + 5, 'clients that do not log in make few lines in the log',
       '%d in %.1f s' % (lines() - before, seconds))
    ok(lines() - before > 10, 'but some', lines() - before)
    c = Connection(port, user, password)
    before = lines()
    topic = string('trial') + struct.pack('>ihiiib', 1, 1, 0, 0, 10000, 1)
    for _ in range(20):
        answer = c.call(19, 2, struct.pack('>i', 1) + topic)
    ok(struct.unpack('>h', answer[8 + 2 + 5:][:2])[0] == 0, 'a topic that is only tried could be made', answer)
    ok(lines() == before, 'which is no error to log', lines() - before)
    c.close()


def words():
    """Names as no client should write them."""
    c = Connection(port, user, password)
    for n, name in enumerate((b'abc\xf0', b'x' * 43 + b'\xf0', b'\xe2\x82', b'%s%n%s', b'a"b', b'a\nLOG: b')):
        answer = c.call(19, 2, struct.pack('>i', 1) + string(name) + struct.pack('>ihiiib', 1, 1, 0, 0, 10000, 0))
        ok(struct.unpack('>h', answer[8 + 2 + len(name):][:2])[0] == 17, 'a topic called %r is refused' % name, answer)
    c.close()
    for name in (b'a\nLOG:  b', b'\xff\xfe', b'n' * 63, b'n' * 64, b'o\0p'):
        try:
            Connection(port, name.decode('latin1'), 'x')
            ok(False, 'no role %r' % name)
        except (Refused, EOFError) as no:
            ok(no.args[0] in (58, 'the server closed the connection'), 'no role %r' % name, no)


def places():
    """All places are taken by clients that do not log in; then there are places again."""
    gone()
    sockets = [socket.create_connection(('127.0.0.1', port), 20) for _ in range(20)]
    end = time.monotonic() + 10
    while connections() < 20 and time.monotonic() < end:
        time.sleep(0.05)
    ok(connections() == 20, 'twenty silent clients have all places', connections())
    try:
        Connection(port, user, password)
        ok(False, 'there is none for another')
    except (EOFError, ConnectionError):
        ok(True, 'there is none for another')
    ok(gone(), 'after authentication_timeout the places are free')
    ok(Connection(port, user, password).produce('p', 0, batch([(b'k', b'v')]))[0] == 0, 'and a client is served')
    for s in sockets:
        s.close()


def unread():
    """A client that reads no answer is let go of; begun first, looked at last."""
    c = Connection(port, user, password, timeout=5, client='unread')
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.socket.setblocking(False)
    piece = c.frame(METADATA, 1, struct.pack('>i', 2000) + string('p') * 2000)
    sent = 0
    try:
        while sent < 200 << 20:
            sent += c.socket.send(piece)
            time.sleep(0.001)
    except BlockingIOError:
        pass
    return c


def main():
    reader = unread()
    began = time.monotonic()
    pid = ask("SELECT pid FROM kstream.kafka_connections WHERE client_id = 'unread'")[0][0]
    memory = anonymous(pid)
    ok(memory < 50000 or 'SANITIZE' in os.environ, 'a session whose client does not read keeps one answer', '%d kB' % memory)
    words()
    while ask("SELECT count(*) FROM kstream.kafka_connections WHERE client_id = 'unread'")[0][0] and time.monotonic() < began + 90:
        time.sleep(0.2)
    took = time.monotonic() - began
    ok(55 < took < 80, 'and ends after a minute', took)
    reader.close()
    gone()
    flood()
    silent()
    noisy()
    places()


main()
