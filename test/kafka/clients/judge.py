"""Judges one Kafka client against the listener: what it writes is compared from SQL, what SQL writes is read by it.

Usage: judge.py NAME COMMAND [ARGUMENT...], with KAFKA_BOOTSTRAP, KAFKA_USER and KAFKA_PASSWORD for the client
and PGHOST and PGPORT for SQL.

The client's program is a loop over lines of its standard input, words separated by tabs.  It answers each
with lines of its own, the last of which is "ok" or "error MESSAGE".  A record is a line of partition, offset,
time in milliseconds, key, value and headers; keys and values are hexadecimal, "-" is NULL, headers are
name=value with commas between them, both hexadecimal, "." is none.

	has							words of what the client can do, see below
	produce TOPIC CODEC ACKS IDEMPOTENT N	N lines of records follow, to be sent in this order; answered by
								a line "partition offset" for each (acks 0: by none)
	consume TOPIC PARTITION FROM N	N records of an assigned partition; FROM is "beginning", "end" (say
								"waiting" once the position is known) or a time in milliseconds
	member TOPIC GROUP ASSIGNOR INSTANCE SECONDS	be a member of a group ("-": no static one) whose session timeout
								is 6 s, from the earliest offset; answered by a line "partition offset"
								for each record, committed after that; ends when none has come for
								SECONDS
	create TOPIC N NAME VALUE	a topic with a configuration
	partitions TOPIC			the number of its partitions
	list						names of topics, a line each
	config TOPIC NAME			the value of a configuration
	alter TOPIC NAME VALUE		change a configuration
	grow TOPIC N				more partitions
	trim TOPIC PARTITION OFFSET	delete the records before an offset
	delete TOPIC
	transact ID TOPIC MANY		so many transactions of the transactional id, each of the values ID-<transaction>-<n>,
								n from 0 to 3, in partition n % 2; of three the last one is aborted
	etl ID FROM TO GROUP N		consume N records of the partitions 0 and 1, committed ones, and produce their values
								to TO, at most 10 in a transaction, with the group's offsets ("-": without)
	fence ID TOPIC				let a second producer of the id begin, then the first one: a line "fenced" if it cannot

Words of "has": the commands of administration, from "create" on, and
	codec=NAME					a codec besides "none"
	acks=N						0, 1 or all, besides those that follow from "idempotent"
	idempotent
	null-header					header values that are NULL
	repeated-header				a name more than once, in order
	sorted-header				headers are in the order of their names
	null-both					records whose key and value are NULL
	time						records are looked up by time
	transact					"transact" and "fence"
	etl							and "etl"
	etl-group					and offsets of a group that it has not joined
	group=ASSIGNOR				groups, by this assignor
	static						its members may be static
	no-consumer					it cannot consume a partition that it assigns itself

Prints a line "ok", "not ok" or "skip" for each thing judged.
"""
import collections
import os
import select
import subprocess
import sys
import time

import psycopg2

NAME, COMMAND = sys.argv[1], sys.argv[2:]
ADMIN = ('create', 'partitions', 'list', 'config', 'alter', 'grow', 'trim', 'delete')
BASE = 1700000000000
PARTITIONS = 3
SECONDS = 60
IDLE = 12  # seconds after which a member of a group ends

sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True
sql.cursor().execute('SET ROLE ' + os.environ['KAFKA_USER'])

Record = collections.namedtuple('Record', 'partition offset time key value headers')


class Failed(Exception):
    """The client answered with an error, or not at all."""


def ask(query, *args):
    with sql.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall()


def say(state, what, detail=''):
    print('%s - %s: %s%s' % (state, NAME, what, ': %s' % detail if detail else ''), flush=True)


def is_(got, want, what):
    if got == want:
        say('ok', what)
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        say('not ok', what, next('number %d is %.200r, not %.200r' % (n, g, w) for n, (g, w) in enumerate(zip(got, want)) if g != w))
    else:
        say('not ok', what, '%.300r, not %.300r' % (got, want))


def coded(data):
    return '-' if data is None else data.hex()


def decoded(text):
    return None if text == '-' else bytes.fromhex(text)


def line_of(record):
    headers = ','.join('%s=%s' % (name.encode().hex(), coded(value)) for name, value in record.headers) or '.'
    return '\t'.join(map(str, (record.partition, record.offset, record.time, coded(record.key), coded(record.value), headers)))


def record_of(line):
    partition, offset, at, key, value, headers = line.split('\t')
    pairs = [] if headers == '.' else [pair.split('=') for pair in headers.split(',')]
    return Record(int(partition), int(offset), int(at), decoded(key), decoded(value),
                  [(bytes.fromhex(name).decode(), decoded(content)) for name, content in pairs])


class Client:
    """The running program."""

    def __init__(self):
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b''
        self.has = set()

    def send(self, *words, lines=()):
        text = '\t'.join(map(str, words)) + '\n' + ''.join(line + '\n' for line in lines)
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def line(self, seconds):
        until = time.monotonic() + seconds
        while b'\n' not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed('no answer in %d s' % seconds)
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise Failed('the program ended')
            self.rest += more
        line, self.rest = self.rest.split(b'\n', 1)
        return line.decode()

    def answer(self):
        lines = []
        while True:
            line = self.line(SECONDS)
            if line == 'ok':
                return lines
            if line.startswith('error'):
                raise Failed(line[6:])
            lines.append(line)

    def run(self, *words, lines=()):
        self.send(*words, lines=lines)
        return self.answer()

    def can(self, word):
        return word in self.has


def sample(client, first, many):
    """Records of all kinds, in an order of their own in each partition."""
    def headers(n):
        kinds = [[], [('h', b'%d' % n)], [('trace', b'a'), ('h', b'')], [('gr\u00fc\u00df', b'\x00\xff\x80')]]
        kinds.append([('h', b'1'), ('g', b'2'), ('h', b'3')] if client.can('repeated-header') else [])
        kinds.append([('null', None)] if client.can('null-header') else [])
        return kinds[n % 6]

    def value(n):
        return (b'', bytes(range(256)), None, b'value %d ' % n * 100, b'{"n": %d}' % n)[n % 5]

    def key(n):
        kept = value(n) is not None or client.can('null-both')
        return (None if kept else b'kept', b'', b'\xfe\x00key %d' % n, b'key %d' % n)[n % 4]

    return [Record(n % PARTITIONS, 0, BASE + n, key(n), value(n), headers(n)) for n in range(first, first + many)]


def stored(topic, partition, first=0):
    """What SQL reads."""
    import base64

    def plain(value):
        return base64.b64decode(value['base64']) if isinstance(value, dict) else value if value is None else value.encode()

    def pairs(headers):
        headers = headers or []
        listed = headers if isinstance(headers, list) else [{'key': k, 'value': v} for k, v in headers.items()]
        found = [(h['key'], plain(h['value'])) for h in listed]
        return found if isinstance(headers, list) else sorted(found)

    rows = ask('SELECT r."offset", round(extract(epoch FROM r.timestamp) * 1000), r.key, r.value, r.headers '
               'FROM kstream.fetch(%s, %s, %s, max_records => 10000) r', topic, partition, first)
    return [Record(partition, offset, int(at), None if key is None else bytes(key),
                   None if value is None else bytes(value), pairs(headers)) for offset, at, key, value, headers in rows]


def unordered(records):
    """As SQL shows headers: an object has no order, an array for repeated names has."""
    return [r if len(set(dict(r.headers))) < len(r.headers) else r._replace(headers=sorted(r.headers)) for r in records]


def produced(client, topic, codec, acks, idempotent):
    """One way to produce."""
    what = '%s, acks %s%s' % (codec, acks, ', idempotent' if idempotent else '')
    ask('SELECT kstream.create_topic(%s, %s)', topic, PARTITIONS)
    records = sample(client, 0, 180)
    lines = client.run('produce', topic, codec, acks, int(idempotent), len(records), lines=map(line_of, records))
    counts = [0] * PARTITIONS
    placed = []
    for record in records:
        placed.append(record._replace(offset=counts[record.partition]))
        counts[record.partition] += 1
    if acks != '0':
        is_(lines, ['%d %d' % (r.partition, r.offset) for r in placed], 'produce, %s: offsets are told' % what)
    else:
        wait_for(lambda: sum(len(stored(topic, p)) for p in range(PARTITIONS)) == len(records))
    for partition in range(PARTITIONS):
        is_(stored(topic, partition), unordered([r for r in placed if r.partition == partition]),
            'produce, %s: SQL reads partition %d' % (what, partition))
    return placed


def wait_for(condition):
    until = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)


def consumed(client, topic, written):
    """SQL adds to what the client wrote, and the client reads all of it."""
    for record in sample(client, 1000, 60):
        ask('SELECT kstream.produce(%s, %s::bytea, %s::bytea, %s::jsonb, %s, to_timestamp(%s / 1000.0))', topic,
            record.key, record.value, headers_json(record.headers), record.partition, record.time)
        written = written + [record._replace(offset=sum(r.partition == record.partition for r in written))]
    if client.can('sorted-header'):
        written = unordered(written)
    for partition in range(PARTITIONS):
        everything = [r for r in written if r.partition == partition]
        got = client.run('consume', topic, partition, 'beginning', len(everything))
        is_([record_of(line) for line in got], everything, '%s: reads partition %d from the beginning' % (topic, partition))
    if client.can('time'):
        since = BASE + 1000
        late = [r for r in everything if r.time >= since]
        got = client.run('consume', topic, partition, since, len(late))
        is_([record_of(line) for line in got], late, '%s: reads from a time' % topic)


def headers_json(headers):
    import base64
    import json

    def value(data):
        try:
            return data if data is None else data.decode()
        except UnicodeDecodeError:
            return {'base64': base64.b64encode(data).decode()}

    return json.dumps([{'key': name, 'value': value(data)} for name, data in headers])


def woken(client, topic):
    """A fetch that waits is answered when SQL commits.  The client's wait is 20 s."""
    fetching = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kstream kafka session' AND state = 'active' AND query = 'Fetch'"
    wait_for(lambda: ask(fetching) == [(0,)])
    client.send('consume', topic, 0, 'end', 1)
    while client.line(SECONDS) != 'waiting':
        pass
    wait_for(lambda: ask(fetching) != [(0,)])
    started = time.monotonic()
    ask("SELECT kstream.produce(%s, 'k', 'wake up', partition => 0)", topic)
    line = client.line(SECONDS)
    seconds = time.monotonic() - started
    client.answer()  # a client may wait for its next fetch before it closes
    is_(record_of(line).value if '\t' in line else line, b'wake up', 'a waiting fetch is answered')
    is_(seconds < 5, True, 'and without delay')


class Group:
    """Members of one group, told apart by their numbers, and what SQL has written for them."""

    def __init__(self, topic, assignor):
        self.topic, self.assignor = topic, assignor
        self.members, self.told, self.written = {}, {}, 0
        ask('SELECT kstream.create_topic(%s, %s)', topic, 6)

    def start(self, name, instance='-'):
        self.members[name] = Client()
        self.told[name] = set()
        self.members[name].send('member', self.topic, self.topic, self.assignor, instance, IDLE)

    def write(self):
        ask("SELECT kstream.produce(%s, NULL::text, g::text, partition => g %% 6) FROM generate_series(1, 12) g", self.topic)
        self.written += 12

    def listen(self, seconds=0.2):
        """Take in what members tell; the names of those that are done."""
        done = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, client in list(self.members.items()):
                try:
                    line = client.line(0.02)
                except Failed as problem:
                    if 'ended' in str(problem):
                        raise Failed('%s: %s' % (name, problem))
                    continue
                if line == 'ok':
                    done.append(name)
                    self.stop(name)
                elif line.startswith('error'):
                    raise Failed('%s: %s' % (name, line[6:]))
                else:
                    self.told[name].add(tuple(map(int, line.split())))
        return done

    def stop(self, name, kill=False):
        client = self.members.pop(name)
        if not kill:
            client.process.stdin.close()
            client.process.wait(20)
            return
        client.process.kill()
        # What it has told, it may have committed.
        for line in (client.rest + client.process.stdout.read()).decode().split('\n')[:-1]:
            if line[:1].isdigit():
                self.told[name].add(tuple(map(int, line.split())))
        client.process.wait(20)

    def until(self, what, condition, writes=True):
        """Write and listen until something holds; False: it does not within SECONDS."""
        end = time.monotonic() + SECONDS
        while not condition() and time.monotonic() < end:
            if writes:
                self.write()
            self.listen()
        if not condition():
            raise Failed('%s: not within %d s' % (what, SECONDS))

    def advance(self, what, *names):
        """All of these read something new."""
        before = {name: len(self.told[name]) for name in names}
        self.until(what, lambda: all(len(self.told[name]) > before[name] for name in names))
        say('ok', what)

    def everything(self):
        return {(p, o) for p in range(6) for o in range(self.written // 6)}

    def committed(self):
        return ask('SELECT partition, "offset" FROM kstream.committed_offsets WHERE group_id = %s AND topic = %s ORDER BY 1',
                   self.topic, self.topic)


def end_listener():
    other = psycopg2.connect(dbname='postgres', user='postgres')
    other.autocommit = True
    other.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'")
    other.close()


def grouped(assignor):
    """Two members share a group; its listener ends; one is killed; each record is told and committed."""
    group = Group('%s.group.%s' % (NAME, assignor), assignor)
    try:
        what = 'group, %s: ' % assignor
        group.start('first')
        group.advance(what + 'a member reads', 'first')
        group.start('second')
        group.advance(what + 'two members read', 'first', 'second')
        is_(ask('SELECT state, members, kind FROM kstream.groups WHERE group_id = %s', group.topic), [('Stable', 2, 'classic')],
            what + 'SQL sees them')
        end_listener()
        group.advance(what + 'they go on after the end of the listener', 'first', 'second')
        group.stop('first', kill=True)
        there = group.written // 6
        group.until(what + 'the other reads all', lambda: len({p for p, o in group.told['second'] if o >= there}) == 6)
        group.until(what + 'it ends', lambda: 'second' not in group.members, writes=False)
        is_(group.told['first'] | group.told['second'], group.everything(), what + 'each record was read')
        is_(group.committed(), [(p, group.written // 6) for p in range(6)], what + 'and committed')
    finally:
        for name in list(group.members):
            group.stop(name, kill=True)


def static():
    """A static member that comes back has its partitions again, and the group is not rebalanced."""
    group = Group(NAME + '.static', 'range')

    def generation():
        return ask('SELECT epoch, members FROM kstream.groups WHERE group_id = %s', group.topic)

    try:
        group.start('first', 'one')
        group.advance('static: a member reads', 'first')
        group.start('second', 'two')
        group.advance('static: two members read', 'first', 'second')
        before = generation()
        group.stop('second', kill=True)
        group.start('again', 'two')
        group.advance('static: the other comes back', 'first', 'again')
        is_(generation(), before, 'static: without a rebalance')
    finally:
        for name in list(group.members):
            group.stop(name, kill=True)


def administered(client):
    """Topics are made, changed and dropped."""
    topic = NAME + '.admin'

    def row(column):
        return ask('SELECT %s FROM kstream.topics WHERE topic = %%s' % column, topic)

    steps = {
        'create': lambda: (client.run('create', topic, PARTITIONS, 'retention.ms', '3600000'),
                           row("partitions, options ->> 'retention'"))[1:] == ([(PARTITIONS, '3600000 ms')],),
        'partitions': lambda: client.run('partitions', topic) == [str(PARTITIONS)],
        'list': lambda: topic in client.run('list'),
        'config': lambda: client.run('config', topic, 'retention.ms') == [row("options ->> 'retention'")[0][0].split()[0]],
        'alter': lambda: (client.run('alter', topic, 'retention.ms', '7200000'), row("options ->> 'retention'"))[1] == [('7200000 ms',)],
        'grow': lambda: (client.run('grow', topic, PARTITIONS + 2), row('partitions'))[1] == [(PARTITIONS + 2,)],
        'trim': lambda: (client.run('trim', topic, 0, 7), stored(topic, 0, 7)[0].offset)[1] == 7,
        'delete': lambda: (client.run('delete', topic), row('partitions'))[1] == [],
    }
    if not client.can('create'):
        ask("SELECT kstream.create_topic(%s, %s, '{\"retention\": \"3600000 ms\"}')", topic, PARTITIONS)
    for step in ADMIN:
        if not client.can(step):
            say('skip', '%s: the client has it not' % step)
            continue
        if step == 'trim':
            ask("SELECT kstream.produce(%s, NULL::text, g::text, partition => 0) FROM generate_series(1, 10) g", topic)
        is_(steps[step](), True, step)


def transacted(client):
    """Transactions, and what reads one and writes another."""
    source, sink, group, many = NAME + '.source', NAME + '.sink', NAME + '-etl', 12
    for topic in (source, sink):
        ask('SELECT kstream.create_topic(%s, 2)', topic)

    def values(topic):
        return [[bytes(v).decode() for (v,) in ask('SELECT value FROM kstream.fetch(%s, %s, 0, 1000)', topic, p)] for p in (0, 1)]

    client.run('transact', 'i-' + NAME, source, many)
    kept = [t for t in range(many) if t % 3 != 2]
    wanted = [['i-%s-%d-%d' % (NAME, t, n) for t in kept for n in (p, p + 2)] for p in (0, 1)]
    is_(values(source), wanted, 'transactions: what was committed, once, in order')
    is_(ask("SELECT count(*) FROM kstream.staged WHERE gid = %s", 'i-' + NAME), [(0,)], 'transactions: none is open')
    is_(client.run('fence', 'i-' + NAME, source), ['fenced'], 'transactions: a producer that was replaced is fenced')
    is_(values(source), wanted, 'transactions: and leaves nothing')
    if not client.can('etl'):
        return
    client.run('etl', 'e-' + NAME, source, sink, group if client.can('etl-group') else '-', len(wanted[0]) * 2)
    is_([sorted(v) for v in values(sink)], [sorted(v) for v in wanted], 'transactions: consumed and produced once')
    if client.can('etl-group'):
        is_(ask('SELECT partition, "offset" FROM kstream.committed_offsets WHERE group_id = %s ORDER BY 1', group),
            [(p, ask('SELECT latest FROM kstream.list_offsets(%s) WHERE partition = %s', source, p)[0][0]) for p in (0, 1)],
            'transactions: with the offsets')
    else:
        say('skip', 'transactions: offsets of a group that the client has not joined')


def attempt(what, function, *args):
    try:
        return function(*args)
    except (Failed, psycopg2.Error, IndexError, BrokenPipeError) as problem:
        say('not ok', what, str(problem).strip())


def main():
    for (topic,) in ask("SELECT topic FROM kstream.topics WHERE topic LIKE %s", NAME + '.%'):
        ask('SELECT kstream.drop_topic(%s)', topic)
    client = Client()
    client.has = set(attempt('has', lambda: client.run('has')[0].split()) or [])
    codecs = ['none'] + sorted(word[6:] for word in client.has if word.startswith('codec='))
    ways = [(codec, 'all', client.can('idempotent')) for codec in codecs]
    ways += [('none', word[5:], False) for word in sorted(client.has) if word.startswith('acks=')]
    for codec, acks, idempotent in ways:
        topic = '%s.%s.%s%s' % (NAME, codec, acks, '.idempotent' if idempotent else '')
        written = attempt('produce, %s, acks %s' % (codec, acks), produced, client, topic, codec, acks, idempotent)
        if written and not client.can('no-consumer'):
            attempt('consume %s' % topic, consumed, client, topic, written)
    if client.can('no-consumer'):
        say('skip', 'consume: the client has it with groups only')
    else:
        attempt('a waiting fetch', woken, client, topic)
    attempt('administration', administered, client)
    if client.can('transact'):
        attempt('transactions', transacted, client)
    else:
        say('skip', 'transactions: the client has them not')
    for word in sorted(client.has):
        if word.startswith('group='):
            attempt(word, grouped, word[6:])
    if client.can('static'):
        attempt('static', static)
    client.process.stdin.close()
    try:
        is_(client.process.wait(20), 0, 'the program ends')
    except subprocess.TimeoutExpired:
        client.process.kill()
        say('not ok', 'the program ends')


if __name__ == '__main__':
    main()
