"""Transactions of Kafka producers: all of one or nothing, fencing, repeats, errors.

Usage: transactions.py PORT USER PASSWORD, with a database of PG* of the environment.  Prints a line for each test.
"""
import subprocess
import sys

from txn import *  # noqa: F403

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
c = Connection(port, user, password)
other = Connection(port, user, password)


def is_(got, wanted, name):
    print('%sok - %s' % ('' if got == wanted else 'not ', name))
    if got != wanted:
        print('# got %r, wanted %r' % (got, wanted))


def sql(query):
    done = subprocess.run(['psql', '-X', '-A', '-t', '-q', '-d', 'postgres', '-c', query], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def rows(topic, partition=0):
    return sql("SELECT string_agg(convert_from(value, 'UTF8'), ' ' ORDER BY \"offset\") FROM kstream.fetch('%s', %d, 0)" % (topic, partition))


def committed(group):
    return sql("SELECT string_agg(topic || ' ' || partition || ' ' || \"offset\", ', ' ORDER BY topic, partition)"
               " FROM kstream.committed_offsets WHERE group_id = '%s'" % group)


for topic in ('t', 'u'):
    sql("SELECT kstream.create_topic('%s', 2)" % topic)
    sql('GRANT SELECT, INSERT ON kstream_topic.%s TO %s' % (topic, user))

for v2 in (False, True):
    v = 'v2' if v2 else 'v1'
    t, u = ('u', 't') if v2 else ('t', 'u')
    p = Producer(c, 'id-' + v, v2=v2)
    base = len(rows(t).split())

    def begin(*partitions):
        return 0 if v2 else p.add(*partitions)

    is_(p.init(), 0, v + ': a producer')
    is_((p.epoch, described(c, p.name)), (0, (0, 'Empty', [])), v + ': of epoch 0, without a transaction')
    if not v2:
        is_(p.produce(t, 0, 'early'), 48, v + ': no batch before its partition')
        p.sequences = {}
        is_(p.commit(), 48, v + ': nothing to commit')
        is_(p.add((t, 0), (t, 7)), [55, 3], v + ': of two partitions one is not there: none is added')
    is_(begin((t, 0)), 0, v + ': a transaction begins')
    first = p.made(t, 0, ['a', 'b'])
    is_(p.send(t, 0, first), (0, base), v + ': a batch, with the offset where it may go')
    is_(p.send(t, 0, first), (0, base), v + ': again, the same')
    is_(p.send(t, 0, p.made(t, 0, ['c'])), (0, base + 2), v + ': the next')
    is_(p.produce(t, 0, 'gap', sequence=17), 45, v + ': a gap')
    is_(p.produce(t, 0, 'old', sequence=3, epoch=p.epoch - 1 if p.epoch else 7), 47, v + ': another epoch')
    is_(p.produce(t, 0, 'plain', sequence=3, attributes=0), 48, v + ': a batch of no transaction in one')
    is_(rows(t).split()[base:], [], v + ': nothing of it is seen')
    is_(c.fetch(t, 0, base)[1:], (base, b''), v + ': by Kafka clients neither')
    if not v2:
        is_(p.produce(t, 1, 'other'), 48, v + ': no batch for a partition that was not added')
        p.sequences.pop((t, 1))
        is_(p.add((t, 1)), 0, v + ': until it is')
    is_(p.produce(t, 1, 'd'), 0, v + ': another partition')
    is_(begin((u, 1)), 0, v + ': another topic')
    p.produce(u, 1, 'e')
    is_(described(c, p.name), (0, 'Ongoing', sorted([(t, [0, 1]), (u, [1])])), v + ': described')
    is_(sql("SELECT kstream.produce('%s', 'k', 'between', partition => 0)" % t), '0', v + ': who produces meanwhile')
    is_(rows(t).split()[base:], ['between'], v + ': waits for nobody')
    is_(sql("SELECT string_agg(topic || ' ' || partition || ' ' || records, ', ' ORDER BY topic, partition) FROM kstream.staged WHERE gid = '%s'" % p.name),
        ', '.join(sorted(['%s 0 3' % t, '%s 1 1' % t, '%s 1 1' % u])), v + ': seen by the view')
    before = (p.producer, p.epoch)
    is_(p.commit(), 0, v + ': commit')
    is_(rows(t).split()[base:], ['between', 'a', 'b', 'c'], v + ': all of it is there')
    is_((rows(t, 1).split()[-1:], rows(u, 1).split()[-1:]), (['d'], ['e']), v + ': in all partitions')
    is_((p.producer, p.epoch), (before[0], before[1] + v2), v + ': the epoch of the next transaction')
    after, p.epoch = p.epoch, before[1]
    is_(p.commit(), 0, v + ': the end comes again')
    is_(p.epoch, after, v + ': with the same answer')
    is_(len(rows(t).split()), base + 4, v + ': and is done once')
    p.epoch = before[1]
    is_(p.abort(), 90 if v2 else 48, v + ': but no other end')
    p.epoch = after
    is_(transactions(c)[p.name], 'CompleteCommit', v + ': listed')

    # abort, and sequences go on
    begin((t, 0))
    if v2:
        p.sequences = {}
    else:
        p.sequences[t, 0] = 3
    is_(p.produce(t, 0, 'x', 'y'), 0, v + ': a transaction')
    is_(p.abort(), 0, v + ': that aborts')
    if not v2:
        is_(p.abort(), 0, v + ': twice')
    begin((t, 0))
    is_(p.produce(t, 0, 'f'), 0, v + ': the next one follows its sequence')
    is_(p.commit(), 0, v + ': and commits')
    is_(rows(t).split()[base:], ['between', 'a', 'b', 'c', 'f'], v + ': without what was aborted')

    # offsets of a group
    group = 'g-' + v
    if not v2:
        is_(p.offsets(group, t, 0, 3), 48, v + ': no offset outside of a transaction')
        is_(p.add_offsets(group), 0, v + ': the group')
    is_(p.offsets(group, t, 0, 3), 0, v + ': an offset')
    is_(p.offsets(group, t, 0, 4), 0, v + ': a later one')
    is_(p.offsets(group, u, 1, 1, 'x' * 5000), 12, v + ': too much metadata')
    is_(p.offsets(group, 'nothing', 1, 1), 3, v + ': no topic')
    is_([p.offsets(group, u, 1, 1, bad) for bad in (b'\xff', b'a\0b')], [42, 42], v + ': metadata that is no text')
    is_([p.offsets(bad, u, 1, 1) for bad in (b'\xff', b'a\0b')], [24, 24], v + ': a group whose name is no text')
    is_(committed(group), '', v + ': not committed before the end')
    is_(p.commit(), 0, v + ': commit')
    is_(committed(group), '%s 0 4' % t, v + ': the last one is committed')
    if not v2:
        p.add_offsets(group)
    p.offsets(group, t, 0, 1)
    p.abort()
    is_(committed(group), '%s 0 4' % t, v + ': an abort commits none')

    # a second incarnation
    begin((t, 0))
    is_(p.produce(t, 0, 'lost'), 0, v + ': left open')
    heir = Producer(other, p.name, v2=v2)
    is_(heir.init(), 0, v + ': another takes the id')
    is_((heir.producer, heir.epoch), (p.producer, p.epoch + 1), v + ': with the next epoch')
    is_(p.produce(t, 0, 'zombie'), 47, v + ': the first one is fenced')
    is_(p.commit(), 90, v + ': for its end as well')
    is_(p.offsets(group, t, 0, 9), 47, v + ': and for offsets')
    is_(p.init(p.producer, p.epoch), 90, v + ': and cannot come back by its old epoch')
    if not v2:
        heir.add((t, 0))
    is_(heir.produce(t, 0, 'g'), 0, v + ': the heir goes on')
    is_(heir.commit(), 0, v + ': and commits')
    is_(rows(t).split()[base:], ['between', 'a', 'b', 'c', 'f', 'g'], v + ': without what was left open')
    epoch = heir.epoch
    is_(heir.init(heir.producer, heir.epoch), 0, v + ': a producer that recovers')
    is_(heir.epoch, epoch + 1, v + ': has the next epoch')
    is_(heir.init(heir.producer, epoch), 0, v + ': also when it asks again')
    is_(heir.epoch, epoch + 1, v + ': the same one')

# who may, and limits
p = Producer(c, 'limits')
p.timeout = 10 ** 9
is_(p.init(), 50, 'a timeout beyond the limit')
p.timeout = 60000
p.name = ''
is_(p.init(), 42, 'an empty id')
p.name = 'x' * 2000
is_(p.init(), 42, 'a long one')
p.name = 'limits'
is_(p.init(), 0, 'a right one')
p.add(('t', 0))
sql("ALTER SYSTEM SET kstream.transaction_max_size = '100kB'")
sql('SELECT pg_reload_conf()')
is_([p.produce('t', 0, 'z' * 40000) for _ in range(3)], [0, 0, 44], 'no more than a transaction may stage')
sql('ALTER SYSTEM RESET kstream.transaction_max_size')
sql('SELECT pg_reload_conf()')
p.abort()
unknown = Producer(c, 'nobody')
unknown.producer, unknown.epoch = 4711, 0
is_((unknown.add(('t', 0)), unknown.commit(), unknown.produce('t', 0, 'x')), (49, 49, 49), 'an id that nobody has')
wrong = Producer(c, 'limits')
wrong.producer, wrong.epoch = p.producer + 1, p.epoch
is_((wrong.add(('t', 0)), wrong.commit()), (49, 49), "another's producer id")
is_(described(c, 'nobody')[0], 105, 'nothing to describe')

sql("CREATE ROLE mallory LOGIN PASSWORD 'm'")
mallory = Connection(port, 'mallory', 'm')
thief = Producer(mallory, 'limits')
is_(thief.init(), 53, "another role's id")
thief.producer, thief.epoch = p.producer, p.epoch
is_((thief.add(('t', 0)), thief.commit(), thief.add_offsets('g-v1')), (53, 53, 53), 'is nobody else\'s')
is_(described(mallory, 'limits')[0], 53, 'not even to see')
is_(transactions(mallory), {}, 'nor listed')
is_(sql('SET ROLE mallory; SELECT count(*) FROM kstream.staged'), '0', 'nor in the view')
thief.name = 'own'
is_(thief.init(), 53, 'a role that may write nowhere has no id')
sql('GRANT INSERT ON kstream_topic.u TO mallory')
is_(thief.init(), 0, 'one that may write somewhere has')
is_(thief.add(('t', 0), ('u', 0)), [29, 55], 'and partitions of topics that it may write to')
is_(thief.add(('u', 0)), 0, 'that is, this one')
is_(thief.add_offsets('g-v1'), 30, "a group that is another's")
is_(thief.produce('u', 0, 'mallory'), 0, 'a batch')
sql('REVOKE INSERT ON kstream_topic.u FROM mallory')
is_(thief.produce('u', 0, 'late'), 29, 'the right is looked at with each')
is_(thief.commit(), 0, 'not at the end')
is_(rows('u').split()[-1], 'mallory', 'which appends what was taken')

# offsets that are pending
p = Producer(c, 'pending', v2=True)
p.init()
sql("SELECT kstream.create_group('pending', '{\"auto_offset_reset\": \"earliest\"}')")
is_(p.offsets('pending', 't', 0, 2), 30, "a group is its owner's")
sql("SELECT kstream.drop_group('pending')")
sql("SET ROLE %s; SELECT kstream.create_group('pending', '{\"auto_offset_reset\": \"earliest\"}')" % user)
p.offsets('pending', 't', 0, 2)


def fetched(stable):
    """(offset, error) of OffsetFetch 7 for the partition."""
    body = compact('pending') + uvarint(2) + compact('t') + uvarint(2) + struct.pack('>i', 0) + b'\0' + bytes([stable, 0])
    answer = flexible(c, 9, 7, body)
    at = 4 + 1 + len(compact('t')) + 1 + 4
    (offset,) = struct.unpack('>q', answer[at:at + 8])
    at += 8 + 4
    at += 1 + max(answer[at] - 1, 0)
    return offset, struct.unpack('>h', answer[at:at + 2])[0]


is_((fetched(1), fetched(0)), ((-1, 88), (-1, 0)), 'OffsetFetch tells that the offset is not stable, to who asks')
poll = ("SET ROLE %s; SELECT string_agg(DISTINCT partition::text, ',') FROM kstream.poll('pending', '{t}')" % user)
is_(sql(poll), '1', 'poll() passes over a partition with a pending offset')
is_('in use' in sql("SELECT kstream.reset_offsets('pending', 't', 'earliest'::text)"), True, 'its offsets are not reset')
is_('in use' in sql("SELECT kstream.drop_group('pending')"), True, 'the group is not dropped')
is_('another transaction' in sql("SELECT kstream.commit('pending', 't', 0, 1)"), True, 'nor is an offset committed over it')
is_(p.commit(), 0, 'the transaction ends')
is_(committed('pending'), 't 0 2', 'its offset is committed')
is_((fetched(1), fetched(0)), ((2, 0), (2, 0)), 'and stable')
answer = flexible(c, TXN_OFFSET_COMMIT, 5, compact(p.name) + compact('pending') + struct.pack('>qhi', p.producer, p.epoch, 3)
                  + compact('nobody') + b'\0' + uvarint(2) + compact('t') + uvarint(2) + struct.pack('>iqi', 0, 1, -1) + compact('') + b'\0\0\0')
is_(struct.unpack('>h', answer[:-3][-2:])[0], 25, 'who is no member of the group stages no offset as one')
is_(len(sql(poll).split(',')), 2, 'poll() takes the partition')
is_(sql("SELECT kstream.drop_group('pending')"), '', 'and the group can be dropped')

# a topic that goes
sql("SELECT kstream.create_topic('gone')")
sql('GRANT INSERT ON kstream_topic.gone TO %s' % user)
p = Producer(c, 'id-v1')
p.init()
p.add(('gone', 0), ('t', 1))
is_((p.produce('gone', 0, 'gone'), p.produce('t', 1, 'stays')), (0, 0), 'two topics')
sql("SELECT kstream.drop_topic('gone')")
is_(p.commit(), 0, 'one is dropped: the transaction commits')
is_(rows('t', 1).split()[-1], 'stays', 'what is left of it')


# a compacted topic: nothing in the log is of an open transaction, so it is compacted as any
sql("SELECT kstream.create_topic('k', 1, '{\"cleanup_policy\": \"compact\", \"min_cleanable_dirty_ratio\": \"0\"}')")
sql('GRANT SELECT, INSERT ON kstream_topic.k TO %s' % user)
p = Producer(c, 'compacted', v2=True)
p.init()
for n in range(3):
    p.send('k', 0, batch([(b'key', b'%d' % n)], producer=p.producer, epoch=p.epoch, sequence=0, attributes=TRANSACTIONAL))
    p.commit()
is_(rows('k'), '0 1 2', 'three records of a key')
sql("SELECT kstream.alter_topic('k', '{\"segment_age\": \"1 ms\"}')")
sql('CALL kstream.run_maintenance()')
sql('CALL kstream.run_maintenance()')
is_(sql("SELECT string_agg(convert_from(value, 'UTF8'), ' ') FROM kstream_topic.k"), '2', 'of which the last one stays')

# a role cannot make ids without end
known = int(sql("SELECT count(DISTINCT transactional_id) FROM (SELECT * FROM kstream_turns.staged_0 UNION ALL SELECT * FROM kstream_turns.staged_1) s"
                " WHERE owner = '%s'::regrole" % user))
sql('ALTER ROLE %s SET kstream.max_transactional_ids_per_role = %d' % (user, known + 1))
limited = Connection(port, user, password)
is_([Producer(limited, 'numbered-%d' % n).init() for n in range(3)], [0, 44, 44], 'a role owns no more transactional ids than it may')
is_((Producer(limited, 'numbered-0').init(), Producer(limited, 'compacted').init()), (0, 0), 'those that it has go on')
sql('ALTER ROLE %s SET kstream.max_transactional_ids_per_role = -1' % user)
is_(Producer(Connection(port, user, password), 'numbered-1').init(), 0, 'where there is no limit it makes more')
sql('ALTER ROLE %s RESET kstream.max_transactional_ids_per_role' % user)
