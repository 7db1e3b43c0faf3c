"""pg_hba.conf for Kafka clients: the same decision as PostgreSQL's own, over files made at random.

Usage: hba.py PORT HBA_FILE LOG_FILE SEED FILES TUPLES, with PGHOST and PGPORT for SQL.

Each file gets connections of roles that are there or not, from several addresses, with
TLS or without.  PostgreSQL is asked by its own protocol: it tells its method, and its log
names the line where a password was wrong.  Kafka's listener names the line in the log.
A line with a host name refuses a Kafka client whom the rest of it fits, so PostgreSQL is
asked with a file that has such lines for all addresses, and rejecting.
"""
import base64
import concurrent.futures
import os
import random
import re
import socket
import ssl
import struct
import sys
import time

import psycopg2

from raw import SASL_AUTHENTICATE, Connection, data

port, hba, log, seed, files, tuples = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
rng = random.Random(seed)
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True
VERSION = sql.server_version // 10000
DATABASE = 'market'
ROLES = ['alice', 'bob', 'carol', 'market', 'Odd Name', 'all', '+staff', 'nobody', 'nopassword']
SOURCES = ['127.0.0.1', '127.0.0.2', '127.0.0.9', '127.1.2.3', '::1']
HOST_NAMES = ['localhost', '.example.com', 'nowhere.invalid']
tls = ssl.create_default_context()
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE
with open(log, encoding='utf8', errors='replace') as all_of_it:
    all_of_it.seek(0, os.SEEK_END)
    log_at = all_of_it.tell()


def databases():
    names = ['all', 'market', '"market"', 'sameuser', 'samerole', 'samegroup', 'replication', 'other', '"all"', '"sameuser"', '@dbs.list']
    if VERSION >= 16:
        names += ['/^mar', '/^x', '"/^mar.*"']
    return ','.join(rng.choices(names, [16, 12, 2, 2, 3, 1, 1, 2, 1, 1, 2] + [1] * (len(names) - 11), k=rng.choice((1, 1, 1, 2, 3))))


def roles():
    names = ['all', 'alice', 'bob', '"carol"', '+staff', '"+staff"', '"all"', '"Odd Name"', '+"crew members"', 'market', '@roles.list', 'nobody', '+nogroup']
    if VERSION >= 16:
        names += ['/^al', '/b$', '"/^[bc].*"']
    return ','.join(rng.choices(names, [18] + [2] * (len(names) - 1), k=rng.choice((1, 1, 1, 2, 3))))


def address():
    networks = ['127.0.0.1/32', '127.0.0.0/8', '127.0.0.0/29', '127.0.0.8/29', '127.0.0.2 255.255.255.255', '127.0.0.0 255.255.0.0',
                '127.1.2.3/16', '127.1.0.0 255.255.0.0', '0.0.0.0/0', '0.0.0.0 0.0.0.0', '10.0.0.0/8', '::1/128', '::/0', 'fe80::/10',
                '::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::ffff:127.0.0.1/128', 'all', 'samehost', 'samenet', '"127.0.0.1/32"']
    return rng.choice(HOST_NAMES) if rng.random() < 0.06 else rng.choice(networks)


class Line:
    """A line of the file; with a host name it has another form for PostgreSQL."""

    def __init__(self):
        self.type = rng.choices(['host', 'hostssl', 'hostnossl', 'hostnogssenc', 'hostgssenc', 'local'], [10, 4, 4, 1, 1, 1])[0]
        self.address = address() if self.type != 'local' else ''
        self.named = self.address in HOST_NAMES
        methods = ['trust', 'scram-sha-256', 'md5', 'password', 'reject', 'ident' if self.type != 'local' else 'peer']
        self.method = 'scram-sha-256' if self.type == 'hostgssenc' else rng.choices(methods, [3, 4, 2, 3, 4, 1])[0]
        self.options = rng.choice(('clientcert=verify-ca', 'clientcert=verify-full')) if self.type == 'hostssl' and not self.named and rng.random() < 0.2 else ''
        self.who = [databases(), roles()]
        self.blank = rng.choice((' ', '\t', '   '))
        self.tail = rng.choice(('', '', ' # host all all all trust'))
        self.cut = rng.random() < 0.1

    def text(self, for_postgres):
        plain = self.named and for_postgres
        words = [self.type] + self.who + [self.address if not plain else 'all', self.method if not plain else 'reject', self.options]
        text = self.blank.join(word for word in words if word) + self.tail
        return text.replace(' ', ' \\\n', 1) if self.cut else text


def write(lines, number, for_postgres):
    """Two lines tell the generations apart: nothing else knows their roles.  Returns the place of each line."""
    places = {}
    rows = ['host all gen%d all trust' % number, 'host all notgen%d all reject' % number, 'local all postgres trust', '', '# a comment']
    for line in lines:
        places[len(rows) + 1] = line
        rows += line.text(for_postgres).split('\n')
    with open(hba, 'w') as out:
        out.write('\n'.join(rows) + '\n')
    with sql.cursor() as cursor:
        cursor.execute('SELECT pg_reload_conf()')
    return places


def until(what, function):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        got = function()
        if got:
            return got
        time.sleep(0.005)
    raise TimeoutError(what)


def log_has(pattern):
    """What the log has of it since we began, the last one."""
    with open(log, encoding='utf8', errors='replace') as lines:
        lines.seek(log_at)
        found = re.findall(pattern, lines.read())
    return found[-1] if found else None


# ---------- PostgreSQL's decision ----------

def read(sock, n):
    got = b''
    while len(got) < n:
        part = sock.recv(n - len(got))
        if not part:
            raise EOFError
        got += part
    return got


def message(sock):
    kind, length = struct.unpack('>cI', read(sock, 5))
    return kind, read(sock, length - 4)


def send(sock, body):
    sock.sendall(b'p' + struct.pack('>I', len(body) + 4) + body)


def scram_wrongly(sock):
    nonce = base64.b64encode(os.urandom(18))
    first = b'n,,n=,r=' + nonce
    send(sock, b'SCRAM-SHA-256\0' + struct.pack('>I', len(first)) + first)
    kind, body = message(sock)
    assert kind == b'R' and body[:4] == b'\0\0\0\x0b', body
    theirs = re.search(rb'r=([^,]*)', body).group(1)
    send(sock, b'c=biws,r=' + theirs + b',p=' + base64.b64encode(bytes(32)))
    return message(sock)


def postgres(role, source, with_tls):
    """(kind, line or None) of PostgreSQL's decision."""
    host = '::1' if ':' in source else '127.0.0.1'
    sock = socket.create_connection((host, int(os.environ['PGPORT'])), 30, (source, 0))
    client = sock.getsockname()[:2]
    if with_tls:
        sock.sendall(struct.pack('>II', 8, 80877103))
        assert read(sock, 1) == b'S'
        sock = tls.wrap_socket(sock)
    body = b'\0\x03\0\0user\0' + role.encode() + b'\0database\0' + DATABASE.encode() + b'\0\0'
    sock.sendall(struct.pack('>I', len(body) + 4) + body)
    kind, answer = message(sock)
    code = struct.unpack('>I', answer[:4])[0] if kind == b'R' else None
    decided = {0: 'trust', 3: 'password', 10: 'scram'}.get(code)
    if code == 3:
        send(sock, b'wrong\0')
        kind, answer = message(sock)
    elif code == 10:
        kind, answer = scram_wrongly(sock)
    sock.close()
    if decided == 'trust':
        return decided, None
    assert kind == b'E', (kind, answer)
    text = answer.decode(errors='replace')
    for word, of in (('rejects connection', 'reject'), ('no pg_hba.conf entry', 'none'), ('Ident authentication', 'ident'),
                     ('client certificate', 'certificate')):
        if decided is None and word in text:
            decided = of
    assert decided is not None, text
    if decided not in ('scram', 'password'):
        return decided, None
    line = until('the line in the log', lambda: log_has(r'%s\(%d\)[^\n]*\n?[^\n]*DETAIL: [^\n]*\n?[^\n]*matched [^\n]*line (\d+)' % (re.escape(client[0]), client[1])))
    return decided, int(line)


# ---------- the listener's decision ----------

def kafka(role, source, with_tls):
    """(reason, line or None) of the listener's."""
    c = Connection(port, host='::1' if ':' in source else '127.0.0.1', source=source, login=False)
    client = c.socket.getsockname()[:2]
    if with_tls:
        c.socket = tls.wrap_socket(c.socket)
    assert c.handshake() == 0
    nonce = base64.b64encode(os.urandom(18)).decode()
    name = role.replace('=', '=3D').replace(',', '=2C')
    c.send(SASL_AUTHENTICATE, 0, data(('n,,n=%s,r=%s' % (name, nonce)).encode()))
    answer = c.receive()[1]
    if answer[:2] == b'\0\0':
        theirs = re.search(rb'r=([^,]*)', answer).group(1).decode()
        c.send(SASL_AUTHENTICATE, 0, data(('c=biws,r=%s,p=%s' % (theirs, base64.b64encode(bytes(32)).decode())).encode()))
        c.receive()
    c.close()
    reason, line = log_has(r'DETAIL:  ([^\n]*?) The Kafka client is at %s:%d\.(?: It fits line (\d+) of pg_hba\.conf\.)?\n' % (re.escape(client[0]), client[1]))
    return reason, int(line) if line else None


KINDS = (('pg_hba.conf rejects the connection.', 'reject'), ('There is no line of pg_hba.conf that fits.', 'none'),
         ('wants a client certificate', 'certificate'), ('has a method that Kafka clients cannot use', 'ident'),
         ('wants a password in clear', 'password'), ('has a host name', 'host name'),
         ('The password does not fit.', 'proof'), ('does not exist.', 'proof'), ('no SCRAM secret', 'proof'), ('has no password', 'proof'))


def agree(ours, theirs, places):
    """None, or what the two differ in."""
    reason, line = ours
    kind = next((of for word, of in KINDS if word in reason), reason)
    method = places[line].method if line in places else None
    if kind == 'proof':
        kind = 'trust' if method == 'trust' else 'scram' if method in ('scram-sha-256', 'md5') else 'proof'
    if kind == 'host name':
        kind = 'reject' if places[line].named else 'no host name'
    if kind != theirs[0]:
        return '%s at line %s, PostgreSQL: %s at line %s' % (kind, line, *theirs)
    if theirs[1] is not None and line != theirs[1]:
        return 'line %s, PostgreSQL: line %s' % (line, theirs[1])
    return None


def reloaded(number):
    """Have both read the file?"""
    until('PostgreSQL has the file', lambda: [postgres('%s%d' % (who, number), '127.0.0.1', False)[0] for who in ('gen', 'notgen')] == ['trust', 'reject'])
    until('the listener has the file', lambda: kafka('notgen%d' % number, '127.0.0.1', False)[1] == 2)


number = 0
different = 0
decisions = {}
with open(os.path.join(os.path.dirname(hba), 'dbs.list'), 'w') as out:
    out.write('other, market\n# a comment\n"all"\n')
with open(os.path.join(os.path.dirname(hba), 'roles.list'), 'w') as out:
    out.write('bob\n+"crew members", "Odd Name"\n')
for n in range(files):
    lines = [Line() for _ in range(rng.choice((1, 2, 4, 8, 16)))]
    named = any(line.named for line in lines)
    asked = [(rng.choice(ROLES), rng.choice(SOURCES), rng.random() < 0.4) for _ in range(tuples)]
    number += 1
    places = write(lines, number, False)
    reloaded(number)
    with concurrent.futures.ThreadPoolExecutor(tuples) as pool:
        ours = list(pool.map(lambda one: kafka(*one), asked))
    if named:
        number += 1
        places = write(lines, number, True)
        reloaded(number)
    for one, our in zip(asked, ours):
        theirs = postgres(*one)
        difference = agree(our, theirs, places)
        decisions[theirs[0]] = decisions.get(theirs[0], 0) + 1
        if difference is not None:
            different += 1
            print('# seed %d, file %d, %s: %s' % (seed, n, one, difference), flush=True)
            print(''.join('#   ' + row for row in open(hba)), flush=True)
print('%sok - %d decisions over %d files of seed %d are PostgreSQL\'s' % ('' if different == 0 else 'not ', files * tuples, files, seed))
print('%sok - of all kinds: %s' % ('' if len(decisions) >= 6 or files * tuples < 100 else 'not ', decisions))
