"""Classic groups by raw frames: joining, leaving, rebalances, offsets, and who may what.

Usage: groups.py PORT USER PASSWORD [listener | after]

"listener" ends the listener under members; "after" looks at what it left when the server
has crashed and started again.  Run by t/157_kafka_groups.pl, whose server has a short initial rebalance delay and lets
members ask for short session timeouts.  Prints "ok - " or "not ok - " lines.
"""
import struct
import subprocess
import sys
import threading
import time

import psycopg2

from raw import Connection, data, string
from txn import TXN_OFFSET_COMMIT, Producer, compact, flexible, uvarint

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
JOIN, HEARTBEAT, LEAVE, SYNC, COMMIT, OFFSETS, DESCRIBE, LIST, DELETE, REMOVE = 11, 12, 13, 14, 8, 9, 15, 16, 42, 47


def ok(condition, name):
    print('%s - %s' % ('ok' if condition else 'not ok', name), flush=True)


def same(got, wanted, name):
    ok(got == wanted, name)
    if got != wanted:
        print('#   got %r, wanted %r' % (got, wanted), flush=True)


def sql(statement):
    done = subprocess.run(['psql', '-XAtq', '-U', 'postgres', '-d', 'postgres', '-v', 'VERBOSITY=verbose', '-c', statement],
                          capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


class Reader:
    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def number(self, form):
        (value,) = struct.unpack_from('>' + form, self.payload, self.at)
        self.at += struct.calcsize(form)
        return value

    def bytes_of(self, form):
        n = self.number(form)
        self.at += max(n, 0)
        return None if n < 0 else self.payload[self.at - n:self.at]

    def text(self):
        value = self.bytes_of('h')
        return None if value is None else value.decode()


def nullable(text):
    return struct.pack('>h', -1) if text is None else string(text)


class Member:
    """A member with a connection of its own, in the versions before the flexible ones."""

    def __init__(self, group, instance=None, who=(user, password), protocols=(('range', b'm'),), session=10000, rebalance=10000,
                 protocol_type='consumer'):
        self.connection = Connection(port, *who)
        self.group, self.instance, self.protocols, self.type = group, instance, protocols, protocol_type
        self.session, self.rebalance = session, rebalance
        self.id, self.generation, self.members, self.leader, self.waiting = '', -1, [], None, None

    def join_body(self):
        body = string(self.group) + struct.pack('>ii', self.session, self.rebalance) + string(self.id) + nullable(self.instance)
        body += string(self.type) + struct.pack('>i', len(self.protocols))
        for name, metadata in self.protocols:
            body += string(name) + data(metadata)
        return body

    def start_join(self):
        self.connection.send(JOIN, 5, self.join_body())

    def end_join(self):
        reader = Reader(self.connection.receive()[1])
        reader.number('i')
        error = reader.number('h')
        generation, self.protocol, self.leader = reader.number('i'), reader.text(), reader.text()
        member = reader.text()
        if error in (0, 79):
            self.id = member
        if error == 0:
            self.generation = generation
            self.members = [(reader.text(), reader.text(), reader.bytes_of('i')) for _ in range(reader.number('i'))]
        return error

    def join(self):
        self.start_join()
        error = self.end_join()
        if error == 79:
            self.start_join()
            error = self.end_join()
        return error

    def leads(self):
        return self.leader == self.id

    def sync_body(self, assignments=()):
        body = string(self.group) + struct.pack('>i', self.generation) + string(self.id) + nullable(self.instance)
        body += struct.pack('>i', len(assignments))
        for member, assignment in assignments:
            body += string(member) + data(assignment)
        return body

    def start_sync(self, assignments=()):
        self.connection.send(SYNC, 3, self.sync_body(assignments))

    def end_sync(self):
        reader = Reader(self.connection.receive()[1])
        reader.number('i')
        return reader.number('h'), reader.bytes_of('i')

    def sync(self, assignments=()):
        self.start_sync(assignments)
        return self.end_sync()

    def heartbeat(self, generation=None, member=None):
        body = string(self.group) + struct.pack('>i', self.generation if generation is None else generation)
        body += string(self.id if member is None else member) + nullable(self.instance)
        return struct.unpack('>ih', self.connection.call(HEARTBEAT, 3, body))[1]

    def leave(self):
        body = string(self.group) + struct.pack('>i', 1) + string(self.id) + nullable(self.instance)
        reader = Reader(self.connection.call(LEAVE, 3, body))
        reader.number('i')
        error = reader.number('h')
        if error == 0 and reader.number('i') == 1:
            reader.text(), reader.text()
            error = reader.number('h')
        return error

    def commit(self, offset, topic='g', partition=0, metadata='', generation=None, member=None):
        return commit(self.connection, self.group, topic, partition, offset, metadata,
                      self.generation if generation is None else generation, self.id if member is None else member, self.instance)

    def close(self):
        self.connection.close()


def commit(connection, group, topic, partition, offset, metadata='', generation=-1, member='', instance=None):
    """OffsetCommit 7 of one partition: its error."""
    body = string(group) + struct.pack('>i', generation) + string(member) + nullable(instance) + struct.pack('>i', 1) + string(topic)
    body += struct.pack('>iiqi', 1, partition, offset, 3) + nullable(metadata)
    reader = Reader(connection.call(COMMIT, 7, body))
    reader.number('i'), reader.number('i'), reader.text(), reader.number('i'), reader.number('i')
    return reader.number('h')


def fetch(connection, group, topics=(('g', (0,)),)):
    """OffsetFetch 5: (error, {(topic, partition): (offset, leader epoch, metadata, error)})."""
    body = string(group) + struct.pack('>i', -1 if topics is None else len(topics))
    for topic, partitions in topics or ():
        body += string(topic) + struct.pack('>i%di' % len(partitions), len(partitions), *partitions)
    reader = Reader(connection.call(OFFSETS, 5, body))
    reader.number('i')
    found = {}
    for _ in range(reader.number('i')):
        topic = reader.text()
        for _ in range(reader.number('i')):
            partition, offset, epoch = reader.number('i'), reader.number('q'), reader.number('i')
            found[topic, partition] = (offset, epoch, reader.text(), reader.number('h'))
    return reader.number('h'), found


def fetch_stable(connection, group, partition=0):
    """OffsetFetch 7 of what no open transaction is about to commit, by name and in all: [(offset, error)] of topic g."""
    answers = []
    for topics in (b'\2' + compact('g') + b'\2' + struct.pack('>i', partition) + b'\0', b'\0'):
        answer = flexible(connection, OFFSETS, 7, compact(group) + topics + b'\1\0')
        at = 4 + 1 + len(compact('g')) + 1
        found = {}
        for _ in range(answer[at - 1] - 1 if answer[4] == 2 else 0):
            number, offset, _ = struct.unpack_from('>iqi', answer, at)
            at += 16 + answer[at + 16]
            found[number] = (offset, struct.unpack_from('>h', answer, at)[0])
            at += 3
        answers.append(found.get(partition))
    return answers


def describe(connection, group):
    """DescribeGroups 4: (error, state, type, protocol, members)."""
    reader = Reader(connection.call(DESCRIBE, 4, struct.pack('>i', 1) + string(group) + b'\0'))
    reader.number('i'), reader.number('i')
    error = reader.number('h')
    reader.text()
    state, kind, protocol = reader.text(), reader.text(), reader.text()
    members = []
    for _ in range(reader.number('i')):
        members.append((reader.text(), reader.text(), reader.text(), reader.text(), reader.bytes_of('i'), reader.bytes_of('i')))
    return error, state, kind, protocol, members


def list_groups(connection):
    reader = Reader(connection.call(LIST, 2))
    reader.number('i')
    error = reader.number('h')
    return error, {reader.text(): reader.text() for _ in range(reader.number('i'))}


def delete_group(connection, group):
    reader = Reader(connection.call(DELETE, 1, struct.pack('>i', 1) + string(group)))
    reader.number('i'), reader.number('i'), reader.text()
    return reader.number('h')


def remove_offset(connection, group, topic, partition):
    """OffsetDelete 0: (error of the group, of the partition)."""
    body = string(group) + struct.pack('>i', 1) + string(topic) + struct.pack('>ii', 1, partition)
    reader = Reader(connection.call(REMOVE, 0, body))
    error = reader.number('h')
    reader.number('i')
    if error != 0:
        return error, None
    reader.number('i'), reader.text(), reader.number('i'), reader.number('i')
    return error, reader.number('h')


def subscription(*topics):
    return struct.pack('>hi', 0, len(topics)) + b''.join(string(t) for t in topics) + struct.pack('>i', -1)


def stable(*members):
    """All of them join together and get each its own id as the assignment; the leader."""
    for m in members:
        if m.id == '':
            m.start_join()
            error = m.end_join()
            assert error in (0, 79), error
    return rejoin(*members)


def rejoin(*members):
    for m in members:
        m.start_join()
    for m in members:
        error = m.end_join()
        assert error == 0, error
    leader = [m for m in members if m.leads()][0]
    for m in members:
        m.start_sync([(n[0], n[0].encode()) for n in m.members] if m is leader else ())
    for m in members:
        error, assignment = m.end_sync()
        assert (error, assignment) == (0, m.id.encode()), (error, assignment)
    return leader


def test_life():
    a = Member('life')
    a.start_join()
    same(a.end_join(), 79, 'a new member is told its id')
    ok(a.id.startswith('raw-') and len(a.id) > 20, 'which begins with its client id')
    same(a.join(), 0, 'it joins with that')
    ok(a.leads() and a.members == [(a.id, None, b'm')], 'alone it leads, and learns of itself')
    same(a.protocol, 'range', 'the protocol is what it likes')
    same(a.sync([(a.id, b'all')]), (0, b'all'), 'and assigns')
    same(a.heartbeat(), 0, 'it is alive')
    same(a.heartbeat(generation=a.generation + 1), 22, 'of another generation it is not')
    same(a.heartbeat(member='nobody'), 25, 'nor is another')
    before = a.generation
    b = Member('life')
    b.start_join()
    b.end_join()
    b.start_join()
    time.sleep(0.2)
    same(a.heartbeat(), 27, 'when another joins it learns of the rebalance')
    same(a.commit(7), 0, 'it commits what it has done until then')
    same(a.sync(), (27, b''), 'but gets no assignment')
    a.start_join()
    same((a.end_join(), b.end_join()), (0, 0), 'both join')
    ok(a.generation == b.generation == before + 1, 'the next generation')
    same(a.commit(8), 27, 'nobody commits while the leader assigns')
    b.start_sync()
    same(a.sync([(a.id, b'1'), (b.id, b'2')]), (0, b'1'), 'the leader assigns')
    same(b.end_sync(), (0, b'2'), 'the other, which has waited, gets its part')
    same(a.commit(9, generation=before), 22, 'a commit of the generation before is refused')
    error, state, kind, protocol, members = describe(a.connection, 'life')
    same((error, state, kind, protocol), (0, 'Stable', 'consumer', 'range'), 'described')
    same({m[0]: (m[2], m[3], m[4], m[5]) for m in members},
         {a.id: ('raw', '/127.0.0.1', b'm', b'1'), b.id: ('raw', '/127.0.0.1', b'm', b'2')}, 'with its members')
    same(list_groups(a.connection)[1].get('life'), 'consumer', 'and listed')
    same(sql("SELECT kind, state, members, protocol_type FROM kstream.groups WHERE group_id = 'life'"), 'classic|Stable|2|consumer',
         'SQL sees it too')
    same(b.leave(), 0, 'one leaves')
    same(b.heartbeat(), 25, 'and is none any more')
    same(a.heartbeat(), 27, 'which the other learns')
    same(a.join(), 0, 'it joins again')
    same(a.sync([(a.id, b'all')]), (0, b'all'), 'and has all')
    same(a.leave(), 0, 'the last leaves')
    same(describe(a.connection, 'life')[1:3], ('Empty', 'consumer'), 'the group is empty')
    same(sql("SELECT state, members FROM kstream.groups WHERE group_id = 'life'"), 'Empty|0', 'for SQL as well')
    a.close(), b.close()


def test_silent():
    a, b = Member('silent', session=800), Member('silent', session=20000)
    stable(a, b)
    start = time.time()
    while b.heartbeat() == 0 and time.time() < start + 10:
        time.sleep(0.1)
    ok(0.5 < time.time() - start < 5, 'a member that is silent goes after its session timeout')
    same(b.join(), 0, 'the other goes on')
    same(b.sync([(b.id, b'all')]), (0, b'all'), 'with all')
    a.close()
    c = Member('silent', session=2000)
    c.start_join(), c.end_join(), c.start_join()
    time.sleep(0.3)
    c.close()
    time.sleep(0.5)
    same(b.join(), 0, 'who has gone while it joined is waited for no longer than its session timeout')
    same(len(b.members), 1, 'and is none')
    b.leave(), b.close()


def test_slow():
    a, b = Member('slow', rebalance=700), Member('slow', rebalance=700)
    stable(a, b)
    same(a.leave(), 0, 'one leaves, so the other is to join')
    c = Member('slow', rebalance=700)
    start = time.time()
    same(c.join(), 0, 'a member that does not join the rebalance is not waited for')
    ok(0.4 < time.time() - start < 5, 'longer than the rebalance timeout')
    same((b.heartbeat(), len(c.members)), (25, 1), 'and is none any more')
    d = Member('slow', rebalance=700)
    c.sync([(c.id, b'')])
    d.start_join(), d.end_join(), d.start_join()
    time.sleep(0.2)
    c.start_join()
    same((c.end_join(), d.end_join()), (0, 0), 'two join')
    follower, leader = (c, d) if d.leads() else (d, c)
    same(follower.sync(), (27, b''), 'a leader that does not assign in time is put out, who waits learns of a rebalance')
    same(leader.heartbeat(), 25, 'the leader is no member any more')
    for m in (a, b, c, d):
        m.close()


def test_protocols():
    a = Member('kinds', protocols=(('sticky', b's'), ('range', b'r')))
    b = Member('kinds', protocols=(('range', b'r'), ('sticky', b's')))
    c = Member('kinds', protocols=(('range', b'r'),))
    stable(a, b, c)
    same({m.protocol for m in (a, b, c)}, {'range'}, 'the protocol is one that all know')
    other = Member('kinds', protocols=(('other', b''),))
    same(other.join(), 23, 'who knows none of those does not join')
    worker = Member('kinds', protocol_type='connect', protocols=(('range', b''),))
    same(worker.join(), 23, 'nor who is of another type')
    short = Member('kinds', session=1)
    same(short.join(), 26, 'nor who wants too short a session timeout')
    unnamed = Member('')
    same(unnamed.join(), 24, 'a group has a name')
    workers = Member('workers', protocol_type='connect', protocols=(('sessioned', b'\xff\x00'),))
    same(workers.join(), 0, 'any type of protocol will do')
    same(workers.members[0][2], b'\xff\x00', 'its bytes are not looked at')
    for m in (a, b, c, workers):
        m.leave()
    for m in (a, b, c, other, worker, short, unnamed, workers):
        m.close()


def test_static():
    a, b = Member('static', instance='one'), Member('static', instance='two')
    a.start_join()
    same(a.end_join(), 0, 'a static member joins at once')
    a.sync([(a.id, b'')])
    b.start_join()
    time.sleep(0.2)
    a.start_join()
    same((a.end_join(), b.end_join()), (0, 0), 'and another')
    b.start_sync()
    a.sync([(a.id, b'1'), (b.id, b'2')])
    b.end_sync()
    generation = a.generation
    again = Member('static', instance='two')
    again.start_join()
    same(again.end_join(), 0, 'a static member that comes back')
    same((again.generation, again.leader), (generation, a.id), 'makes no rebalance')
    same(again.sync(), (0, b'2'), 'and has its part again')
    same((a.heartbeat(), b.heartbeat(), b.commit(1)), (0, 82, 82), 'what it was before is fenced')
    leader = Member('static', instance='one')
    leader.start_join()
    same(leader.end_join(), 0, 'so does the leader')
    same((leader.generation, leader.leads(), leader.members), (generation, False, []),
         'which, of an old version, is told that another leads, and leaves the assignment as it is')
    same(leader.sync(), (0, b'1'), 'and has its part again')
    reader = Reader(leader.connection.call(LEAVE, 3, string('static') + struct.pack('>i', 2) + string('') + string('one') +
                                           string('') + string('none')))
    reader.number('i'), reader.number('h'), reader.number('i'), reader.text(), reader.text()
    first = reader.number('h')
    reader.text(), reader.text()
    same((first, reader.number('h')), (0, 25), 'an administrator puts a static member out by its name')
    for m in (a, b, again, leader):
        m.close()


def test_offsets():
    c = Connection(port, user, password)
    same(fetch(c, 'plain'), (0, {('g', 0): (-1, -1, '', 0)}), 'a group that is not there has committed nothing')
    same(commit(c, 'plain', 'g', 0, 5, 'm\u00e9ta'), 0, 'who is no member commits while there is none')
    same(fetch(c, 'plain'), (0, {('g', 0): (5, 3, 'm\u00e9ta', 0)}), 'and finds it, with leader epoch and metadata')
    same(commit(c, 'plain', 'g', 1, 6, None), 0, 'metadata may be null')
    same(fetch(c, 'plain', None), (0, {('g', 0): (5, 3, 'm\u00e9ta', 0), ('g', 1): (6, 3, '', 0)}), 'all that is committed')
    same(commit(c, 'plain', 'g', 9, 5), 3, 'not in a partition that is not there')
    same(commit(c, 'plain', 'none', 0, 5), 3, 'nor in a topic')
    same(commit(c, 'plain', 'g', 0, 5, 'x' * 4097), 12, 'nor with long metadata')
    same(commit(c, 'plain', 'hidden', 0, 5), 29, 'nor in a topic that one may not read')
    same(fetch(c, 'plain', (('hidden', (0,)), ('none', (0,))))[1],
         {('hidden', 0): (-1, -1, '', 29), ('none', 0): (-1, -1, '', 0)}, 'whose offsets are not told')
    same(commit(c, 'plain', 'g', 0, 5, generation=3, member='x'), 25, 'a member that is none does not commit')
    same(sql("SELECT \"offset\", metadata FROM kstream.committed_offsets WHERE group_id = 'plain' AND partition = 0"), '5|m\u00e9ta',
         'SQL sees it')
    same(sql("SELECT new_offset FROM kstream.reset_offsets('plain', 'g', 1, 0)"), '1', 'and resets it')
    same(fetch(c, 'plain')[1]['g', 0][:3], (1, -1, ''), 'which Kafka sees')
    same(remove_offset(c, 'plain', 'g', 0), (0, 0), 'an offset is removed')
    same(fetch(c, 'plain')[1]['g', 0][0], -1, 'and is gone')
    same(remove_offset(c, 'nosuch', 'g', 0), (69, None), 'not of a group that is not there')
    a = Member('plain', protocols=(('range', subscription('g', 'other')),))
    a.join(), a.sync([(a.id, b'')])
    same(commit(c, 'plain', 'g', 0, 5), 25, 'with members, who is none does not commit')
    same(remove_offset(c, 'plain', 'g', 1), (0, 86), 'nor is an offset removed that members read from')
    same(delete_group(c, 'plain'), 68, 'nor the group dropped')
    ok('KS068' in sql("SELECT kstream.drop_group('plain')"), 'by SQL neither')
    ok('KS068' in sql("SELECT kstream.reset_offsets('plain', 'g', 'earliest')"), 'nor are offsets reset')
    a.leave()
    same(delete_group(c, 'plain'), 0, 'without them it is')
    same(delete_group(c, 'plain'), 69, 'once')
    same(describe(c, 'plain')[1], 'Dead', 'and described as dead')
    c.close(), a.close()


def test_guard():
    """Commits of an older generation, whoever let them through: judged by the row."""
    a = Member('guard')
    a.join(), a.sync([(a.id, b'')])
    same(a.commit(3), 0, 'a member commits')
    first = int(sql("SELECT stamp FROM kstream.committed_offset WHERE group_id = 'guard'"))
    a.join(), a.sync([(a.id, b'')])
    same(a.commit(4), 0, 'and in its next generation')
    second = int(sql("SELECT stamp FROM kstream.committed_offset WHERE group_id = 'guard'"))
    ok(second > first, 'which has a higher stamp')
    sql("UPDATE kstream.committed_offset SET stamp = stamp + 1 WHERE group_id = 'guard'")
    same(a.commit(5), 22, 'where a later generation has committed, it is refused')
    same(fetch(a.connection, 'guard')[1]['g', 0][0], 4, 'and nothing was written')
    same([fetch(a.connection, 'guard')[0] for _ in range(20)], [0] * 20, 'to look at offsets')
    sql("UPDATE kstream.committed_offset SET stamp = stamp - 1 WHERE group_id = 'guard'")
    same(a.commit(6), 0, 'fences nobody')
    a.leave(), a.close()


def test_kinds():
    a = Member('mixed')
    a.join(), a.sync([(a.id, b'')])
    ok('KS023' in sql("SELECT kstream.poll('mixed', ARRAY['g'])"), 'a group with Kafka members has none of SQL')
    ok('KS023' in sql("SELECT kstream.commit('mixed', 'g', 0, 1)"), 'nor commits by SQL')
    same(a.commit(2), 0, 'its members do')
    a.leave()
    same(sql("BEGIN; SELECT count(*) FROM kstream.poll('mixed', ARRAY['g'], commit => true); COMMIT").split('\n')[-1], '2',
         'when it is empty, SQL reads on from there')
    same(sql("SELECT kind FROM kstream.groups WHERE group_id = 'mixed'"), 'consumer', 'it is of the other kind')
    sql("SELECT kstream.subscribe('mixed', ARRAY['g'], member => 'named')")
    a.id = ''
    same(a.join(), 23, 'with SQL members it has none of Kafka')
    error, state, kind, protocol, members = describe(a.connection, 'mixed')
    same((error, state != 'Empty', kind, [m[0] for m in members]), (0, True, 'consumer', ['named']), 'but is described')
    sql("SELECT kstream.unsubscribe('mixed', 'named')")
    a.id = ''
    same(a.join(), 0, 'when they have left, it has')
    same(a.sync([(a.id, b'')]), (0, b''), 'as before')
    same(a.commit(3), 0, 'and commits')
    a.leave(), a.close()


def test_rights():
    a = Member('rights')
    a.join(), a.sync([(a.id, b'')])
    b = Member('rights', who=('bob', 'secret'))
    same(b.join(), 30, 'a group is its first member\'s role\'s')
    same(b.heartbeat(generation=a.generation, member=a.id), 30, 'others do not speak for its members')
    same(commit(b.connection, 'rights', 'g', 0, 1), 30, 'nor commit')
    same(fetch(b.connection, 'rights')[0], 30, 'nor see offsets')
    same(describe(b.connection, 'rights')[0], 30, 'nor members')
    same('rights' in list_groups(b.connection)[1], False, 'nor the group')
    same(delete_group(b.connection, 'rights'), 30, 'nor delete it')
    c = Member('taken', who=('carol', 'secret'))
    same(c.join(), 30, 'a role that can read no topic takes no name')
    same(sql("SELECT count(*) FROM kstream.consumer_group WHERE group_id = 'taken'"), '0', 'the name is free')
    a.leave()
    for m in (a, b, c):
        m.close()


def test_exactly_once():
    """Members that commit in transactions: one that has been replaced cannot, and its heir waits for what is pending."""
    a, b = Member('once'), Member('once')
    a.join(), a.sync([(a.id, b'')])
    p = Producer(Connection(port, user, password), 'once-a', v2=True)
    q = Producer(Connection(port, user, password), 'once-b')
    same((p.init(), q.init(), q.add_offsets('once')), (0, 0, 0), 'producers of two members')
    same(p.offsets('once', 'g', 0, 1, member=(a.generation, a.id)), 0, 'a member commits in a transaction')
    same(p.commit(), 0, 'which ends')
    same(fetch_stable(a.connection, 'once'), [(1, 0), (1, 0)], 'the offset is stable')
    same(p.offsets('once', 'g', 0, 2, member=(a.generation, a.id)), 0, 'the next one')
    old = a.generation
    stable(a, b)
    same(fetch_stable(b.connection, 'once'), [(-1, 88), (-1, 88)], "the heir's offset waits for the transaction")
    same(fetch(b.connection, 'once')[1]['g', 0][0], 1, 'unless it asks for what there is')
    same(fetch_stable(b.connection, 'once', 1), [(-1, 0), None], 'another partition does not')
    same(p.commit(), 0, 'it ends')
    same(fetch_stable(b.connection, 'once'), [(2, 0), (2, 0)], 'and then stands')
    same([p.offsets('once', 'g', 0, 3, member=(old, a.id)), q.offsets('once', 'g', 0, 3, member=(old, a.id))], [22, 22],
         'who is of an older generation cannot commit in a transaction')
    same(p.offsets('once', 'g', 0, 3, member=(b.generation, 'nobody')), 25, 'nor who is no member')
    same([q.commit(), fetch_stable(b.connection, 'once')], [0, [(2, 0), (2, 0)]], 'nothing of it is kept')
    same(q.offsets('none', 'g', 0, 3, member=(1, 'nobody')), 48, 'outside of a transaction nothing is asked')
    same(p.offsets('once', 'g', 0, 4, member=(b.generation, b.id)), 0, 'its heir can')
    same(p.abort(), 0, 'and abort')
    same(fetch_stable(b.connection, 'once'), [(2, 0), (2, 0)], 'which leaves the offset')
    same(p.offsets('once', 'g', 0, 3, member=(b.generation, b.id)), 0, 'it commits in a transaction')
    same((b.commit(4), p.commit()), (0, 0), 'and then outside of it, before that ends')
    same(fetch(b.connection, 'once')[1]['g', 0][0], 4, 'what was committed last stands')
    same((p.offsets('once', 'g', 0, 3, member=(b.generation, b.id)), p.commit()), (0, 0), 'it goes back in a transaction')
    same(fetch(b.connection, 'once')[1]['g', 0][0], 3, 'if it was told to')
    for m in (a, b):
        m.close()


def test_races():
    """A member is replaced while its offset is on its way into a transaction."""
    if 'ERROR' in sql('SHOW kstream.debug_point'):
        return
    a, b = Member('races'), Member('races')
    a.join(), a.sync([(a.id, b'')])
    sql("ALTER ROLE alice SET kstream.debug_point = 'kafka.offsets_written=wait'")
    p = Producer(Connection(port, user, password), 'races', v2=True)
    sql('ALTER ROLE alice RESET kstream.debug_point')
    p.init()
    got = []
    caller = threading.Thread(target=lambda: got.append(p.offsets('races', 'g', 0, 2, member=(a.generation, a.id))))
    with psycopg2.connect(dbname='postgres', user='postgres') as holder, holder.cursor() as cursor:
        cursor.execute('SELECT pg_advisory_lock(27507)')
        caller.start()
        waiters = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 27507 AND NOT granted"
        end = time.time() + 20
        while sql(waiters) == '0' and time.time() < end:
            time.sleep(0.02)
        same(fetch_stable(a.connection, 'races'), [(-1, 88), None], 'an offset that is being staged is not stable')
        stable(a, b)
        cursor.execute('SELECT pg_advisory_unlock(27507)')
    caller.join()
    same(got, [22], 'who is replaced before it is staged cannot stage it')
    same(fetch_stable(b.connection, 'races'), [(-1, 0), None], 'its heir reads from before it')
    for m in (a, b):
        m.close()


def test_many():
    """Many members, all at once, of which one leaves."""
    members = [Member('many', session=30000, rebalance=20000) for _ in range(12)]
    leader = stable(*members)
    same(len(leader.members), len(members), 'twelve members share a group')
    same(len({m.generation for m in members}), 1, 'of one generation')
    same(members[3].leave(), 0, 'one leaves')
    rest = [m for m in members if m is not members[3]]
    leader = rejoin(*rest)
    same(len(leader.members), len(rest), 'the others go on')
    same(leader.sync([('x', b'')] * 10001)[0], 42, 'a request does not name more members than the listener wants to look for')
    body = string('many') + struct.pack('>i', 10001) + (string('x') + nullable(None)) * 10001
    same(struct.unpack('>ih', leader.connection.call(LEAVE, 3, body)[:6])[1], 42, 'nor to leave')
    for m in members:
        m.close()


def stage(producer, group, offset, generation, member):
    """The error of TxnOffsetCommit 3, by a member of the group."""
    body = compact(producer.name) + compact(group) + struct.pack('>qhi', producer.producer, producer.epoch, generation)
    body += compact(member) + b'\0' + uvarint(2) + compact('g') + uvarint(2) + struct.pack('>iqi', 0, offset, -1) + compact('') + b'\0\0\0'
    return struct.unpack('>h', flexible(producer.c, TXN_OFFSET_COMMIT, 3, body)[:-3][-2:])[0]


def test_transactions():
    c = Connection(port, user, password)
    producer = Producer(c, 'groups')
    a = Member('staged')
    a.join(), a.sync([(a.id, b'')])
    same(a.commit(1), 0, 'a member commits')
    same(producer.init(), 0, 'it has a producer with transactions')
    same(producer.add_offsets('staged'), 0, 'whose transaction is to have offsets of the group')
    same(stage(producer, 'staged', 2, a.generation + 1, a.id), 22, 'not of another generation')
    same(stage(producer, 'staged', 2, a.generation, 'nobody'), 25, 'nor of who is no member')
    same(stage(producer, 'staged', 2, a.generation, a.id), 0, 'but of a member')
    same(fetch(c, 'staged')[1]['g', 0][0], 1, 'while it is open the offset is the old one')
    same(fetch_stable(c, 'staged'), [(-1, 88), (-1, 88)], 'who wants a stable one is to ask again')
    same(remove_offset(c, 'staged', 'g', 0)[1], 15, 'nobody removes it')
    same(producer.commit(), 0, 'it commits')
    same(fetch_stable(c, 'staged'), [(2, 0), (2, 0)], 'and the new one stands')
    same(a.commit(3), 0, 'the member commits without a transaction too')
    a.leave(), a.close(), c.close()


def end_listener():
    """End it, and wait for the next one."""
    pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'")
    sql('SELECT pg_terminate_backend(%s)' % pid)
    end = time.time() + 20
    while time.time() < end:
        try:
            Connection(port, user, password).close()
            if sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'") not in ('', pid):
                return
        except (OSError, EOFError):
            pass
        time.sleep(0.1)
    ok(False, 'another listener')


def maintained():
    """What maintenance leaves of the group's offsets when they have been old for longer than it keeps them."""
    time.sleep(1.5)
    assert sql('CALL kstream.run_maintenance()') == ''
    return sql("SELECT string_agg(\"offset\"::text, ',' ORDER BY partition) FROM kstream.committed_offsets WHERE group_id = 'lasting'")


def test_listener():
    a, b, lost = Member('lasting', session=30000), Member('lasting', session=30000), Member('lost', session=2000)
    stable(a, b)
    lost.join(), lost.sync([(lost.id, b'')])
    same((a.commit(2), b.commit(3, partition=1)), (0, 0), 'members commit')
    sql("SELECT kstream.alter_group('lasting', '{\"offsets_retention\": \"1 s\"}')")
    same(maintained(), '2,3', 'offsets of a group that has members stay')
    before = int(sql("SELECT max(stamp) FROM kstream.committed_offset WHERE group_id = 'lasting'"))
    end_listener()
    same(sql("SELECT members FROM kstream.groups WHERE group_id = 'lasting'"), '2', 'when the listener has ended its members count on')
    same(maintained(), '2,3', 'offsets stay')
    ok('KS068' in sql("SELECT kstream.drop_group('lasting')"), 'the group is not dropped')
    ok('KS068' in sql("SELECT kstream.reset_offsets('lasting', 'g', 'earliest')"), 'nor its offsets reset')
    ok('KS023' in sql("SELECT kstream.poll('lasting', ARRAY['g'])"), 'nor do others join it')
    same((a.heartbeat(), a.commit(3), a.join()), (25, 27, 25), 'members are unknown to the next listener')
    a.id = b.id = ''
    a.join()
    same(b.commit(4, partition=1, member='of before', generation=2), 27, 'when they commit they are told to join again')
    a.sync([(a.id, b'')])
    stable(b, a)
    same(sql("SELECT members FROM kstream.groups WHERE group_id = 'lasting'"), '2', 'they join again')
    same(a.commit(3), 0, 'and commit')
    ok(int(sql("SELECT max(stamp) FROM kstream.committed_offset WHERE group_id = 'lasting'")) > before, 'under a higher stamp')
    end = time.time() + 10
    while time.time() < end and sql("SELECT members FROM kstream.groups WHERE group_id = 'lost'") != '0':
        time.sleep(0.2)
    same(sql("SELECT kstream.drop_group('lost')"), '', 'a group whose members do not come back is empty after their session timeout')
    for m in (a, b, lost):
        m.close()


def test_after():
    same(maintained(), '3,3', 'nothing expires while members may come back')
    a = Member('lasting')
    same(a.join(), 0, 'after a crash members join')
    same(a.sync([(a.id, b'')]), (0, b''), 'as ever')
    same(a.commit(4), 0, 'and commit above what was there')
    a.leave(), a.close()


def run(tests):
    for test in tests:
        try:
            test()
        except (AssertionError, OSError, EOFError, struct.error, IndexError, ValueError) as e:
            ok(False, '%s runs to its end: %r' % (test.__name__, e))


def main():
    modes = {'listener': [test_listener], 'after': [test_after]}
    if len(sys.argv) > 4:
        run(modes[sys.argv[4]])
        return
    c = Connection(port, user, password)
    sql("SELECT kstream.create_topic('hidden')")
    sql("SET ROLE alice; SELECT kstream.create_topic('g', 2); SELECT kstream.produce('g', NULL::text, '1', partition => 0) FROM generate_series(1, 4)")
    c.close()
    run((test_life, test_silent, test_slow, test_protocols, test_static, test_offsets, test_guard, test_kinds, test_rights,
         test_transactions, test_exactly_once, test_races, test_many))
    same(sql("SELECT members FROM kstream.groups WHERE group_id = 'life'"), '0', 'the server goes on')


main()
