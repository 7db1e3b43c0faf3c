#!/usr/bin/python3
"""The checker, on histories made by hand: good ones pass, each bad one is found.

test/history/test_checker.py
"""
import unittest

from changes import Captured, name_of
from checker import CLASSES, REPORTED, Checker, Group, History, Txn

K, L = 't/0', 't/1'
P, Q = 's/0', 's/1'     # of the captured table


def write(name, begun, sent, acked, *writes, **more):
    """A committed transaction of the process that its name begins with."""
    fields = {'name': name, 'process': name.split(':')[0], 'outcome': 'ok', 'begun': begun, 'sent': sent,
              'acked': acked, 'writes': [list(w) for w in writes]}
    fields.update(more)
    return Txn(**fields)


def read(t, k, start, *rows, **more):
    return dict({'k': k, 'from': start, 'b': t - 0.1, 't': t, 'rows': [list(row) for row in rows]}, **more)


def reader(name, *reads):
    return Txn(name=name, process=name.split(':')[0], outcome='ok', begun=reads[0]['b'], reads=list(reads))


def sound():
    """Two writers, one of which aborts once and leaves a hole, a reader, a group, samples."""
    h = History()
    h.txns = [
        write('w:1', 1, 2, 3, (K, 'a'), (K, 'b'), (L, 'c'), offsets={K: 0, L: 0}),
        write('v:1', 2, 4, None, (K, 'x'), outcome='fail', error='40001'),
        write('v:2', 5, 6, 7, (K, 'd'), undone=[[K, 'u']]),
        write('w:2', 5, 8, None, (L, 'e'), outcome='info'),
        write('w:3', 9, 9.5, 10, (K, 'f'), (L, 'g'), offsets={K: 4, L: 2}),
        reader('r:1', read(4, K, 0, (0, 'a')), read(4.1, K, 1, (1, 'b'))),
        reader('r:2', read(11, K, 2, (3, 'd'), (4, 'f')), read(11, L, 0, (0, 'c'), (1, 'e'))),
        write('c:1', 4, 5, 6, moves=[['g', K, 0, 2]],
              reads=[{'k': K, 'group': 'g', 'b': 4, 't': 4.5, 'rows': [[0, 'a'], [1, 'b']]}]),
        write('c:2', 11, 12, 13, moves=[['g', K, 3, 5]]),
    ]
    h.final = {K: [[0, 'a'], [1, 'b'], [3, 'd'], [4, 'f']], L: [[0, 'c'], [1, 'e'], [2, 'g']]}
    h.start = {K: 0, L: 0}
    h.witnesses = {'w:1', 'v:2', 'w:2', 'w:3'}
    h.groups = {'g': Group(['t'], [[K, 0, 'a'], [K, 1, 'b'], [K, 3, 'd'], [K, 4, 'f']], {K: 5, L: 0})}
    h.samples = [
        {'t0': 3, 't1': 3.5, 'server': 1, 'ends': {K: [0, 2, 2], L: [0, 1, 1]},
         'epochs': {'g': 3}, 'owned': {'g': [K, L]}, 'committed': {'g': {K: 0}}},
        {'t0': 12, 't1': 12.5, 'server': 1, 'ends': {K: [0, 5, 5], L: [0, 3, 3]},
         'epochs': {'g': 4}, 'owned': {'g': [K]}, 'committed': {'g': {K: 2}}},
    ]
    return h


def captured():
    """Rows 1, 9 and 19 are there before; n:1 updates 1 and inserts 2, n:2 deletes 1 and moves 2 to 3, n:3 does nothing."""
    h = sound()
    row = {name: [int(name.split(':')[1]), name, 0] for name in ('b:1', 'b:9', 'b:19', 'n.1:1', 'n.2:2', 'n.3:3')}
    h.txns += [
        write('n:1', 20, 21, 22, offsets={P: 1, Q: 1}),
        write('n:2', 23, 24, 25),
        write('n:3', 26, 27, None, outcome='info', undone=[]),
        reader('o:1', read(30, P, 2, (2, 'd:n.1:1'), (3, '-@3'), (4, 'c:n.3:3'), (5, 'r:n.3:3@5'))),
    ]
    h.witnesses |= {'n:1', 'n:2'}
    h.captured = Captured(
        audit=[['n:1', row['b:1'], row['n.1:1']], ['n:1', None, row['n.2:2']],
               ['n:2', row['n.1:1'], None], ['n:2', row['n.2:2'], row['n.3:3']]],
        records={P: [[0, 1, 'r', None, row['b:1'], 50], [1, 1, 'u', row['b:1'], row['n.1:1'], 51],
                     [2, 1, 'd', row['n.1:1'], None, 52], [3, 1, '-', None, None, None],
                     [4, 3, 'c', None, row['n.3:3'], 52], [5, 3, 'r', None, row['n.3:3'], 53]],
                 Q: [[0, 9, 'r', None, row['b:9'], 50], [1, 2, 'c', None, row['n.2:2'], 51],
                     [2, 2, 'd', row['n.2:2'], None, 52], [3, 2, '-', None, None, None],
                     [4, 19, 'r', None, row['b:19'], 53]]},
        base=[row['b:1'], row['b:9'], row['b:19']], table=[row['b:9'], row['b:19'], row['n.3:3']])
    tell_final(h)
    return h


def tell_final(h):
    for k, rows in h.captured.records.items():
        h.final[k] = [[offset, name_of(op, before, after, offset)] for offset, _, op, before, after, _ in rows]
        h.start[k] = 0


def compacted(h):
    """m.41 is gone; m.81, of the same key, was committed, m.82 was not."""
    h.compacted = {'t'}
    h.txns += [write('m:1', 30, 31, 32, (K, 'm.41'), (K, 'm.42'), offsets={K: 5}),
               write('m:2', 33, 34, 35, (K, 'm.81'), offsets={K: 7}),
               write('m:3', 33, 34, None, (K, 'm.82'), outcome='fail')]
    h.txns[:] = [t for t in h.txns if not t.moves]
    for t in h.txns:
        for w in t.writes:
            w[1] = w[1] if '.' in w[1] else w[1] + '.1'
    for t in h.txns:
        for r in t.reads:
            r['rows'] = [[o, v + '.1'] for o, v in r['rows']]
    h.final = {k: [[o, v + '.1'] for o, v in rows] for k, rows in h.final.items()}
    h.final[K] += [[6, 'm.42'], [7, 'm.81']]
    h.groups = {}
    h.witnesses |= {'m:1', 'm:2'}
    h.txns.append(reader('s:1', read(40, K, 4, (4, 'f.1'), (6, 'm.42'), (7, 'm.81'))))


def txn(h, name):
    return next(t for t in h.txns if t.name == name)


# ---- one spoiler for each class: what it does to the sound history

def inconsistent_offsets(h):
    h.txns.append(reader('s:1', read(20, K, 4, (4, 'z'))))


def duplicate(h):
    h.final[L].append([3, 'd'])


def lost_write(h):
    h.final[K] = [row for row in h.final[K] if row[1] != 'b']


def unseen(h):
    h.txns.append(write('w:4', 20, 21, 22, (L, 'n'), offsets={L: 3}))
    h.witnesses.add('w:4')


def aborted_read(h):
    h.final[K].insert(2, [2, 'x'])


def aborted_savepoint_read(h):
    h.final[K].insert(2, [2, 'u'])


def written_by_nobody(h):
    h.final[L].append([7, 'ghost'])


def precommitted_read(h):
    txn(h, 'w:3').reads.append(read(9.2, K, 4, (4, 'f')))


def retried(h):
    """Batches of an idempotent producer: it never learned of the second and the last; the last is not there."""
    h.txns += [write('k0:1', 20, 21, 22, (K, 'k0.1'), (K, 'k0.2'), retried=True, offsets={K: 5}),
               write('k0:2', 20, 21, None, (K, 'k0.3'), retried=True, outcome='info'),
               write('k0:3', 20, 21, None, (K, 'k0.4'), retried=True, outcome='info')]
    h.final[K] += [[5, 'k0.1'], [6, 'k0.2'], [7, 'k0.3']]


def retried_twice(h):
    retried(h)
    h.final[K].append([8, 'k0.3'])


def retried_lost(h):
    retried(h)
    h.final[K] = h.final[K][:-3]


def retried_swapped(h):
    retried(h)
    h.final[K][-3:] = [[5, 'k0.3'], [6, 'k0.1'], [7, 'k0.2']]
    txn(h, 'k0:1').offsets = {K: 6}


def torn_txn(h):
    h.txns.append(write('w:5', 30, 31, 32, (K, 'p'), (K, 'q'), (K, 'r')))
    h.witnesses.add('w:5')
    h.final[K] += [[5, 'p'], [6, 'q'], [7, 'r']]
    h.txns.append(reader('s:1', read(33, K, 5, (5, 'p'), (7, 'r'))))


def poll_skip(h):
    h.txns.append(reader('s:1', read(20, K, 0, (3, 'd'))))


def poll_skip_at_restart(h):
    """Passed over between two polls: the second asks from where the first ended."""
    h.txns.append(reader('s:1', read(20, L, 1, (2, 'g'))))


def int_poll_skip(h):
    h.txns.append(reader('s:1', read(20, K, 0, (0, 'a')), read(21, K, 1, (3, 'd'))))


def nonmonotonic_poll(h):
    h.txns.append(reader('s:1', read(20, K, 3, (1, 'b'))))


def int_nonmonotonic_poll(h):
    h.txns.append(reader('s:1', read(20, K, 0, (0, 'a'), (1, 'b')), read(21, K, 2, (1, 'b'))))


def nonmonotonic_send(h):
    txn(h, 'w:1').process, txn(h, 'v:2').process = 'v', 'v'
    h.txns.reverse()


def int_nonmonotonic_send(h):
    txn(h, 'w:1').writes[:2] = [[K, 'b'], [K, 'a']]
    txn(h, 'w:1').offsets = {}


def int_send_skip(h):
    txn(h, 'w:1').writes.append([K, 'f'])
    txn(h, 'w:3').writes.remove([K, 'f'])
    txn(h, 'w:1').offsets = txn(h, 'w:3').offsets = {}


def realtime(h):
    txn(h, 'w:3').begun, txn(h, 'w:3').sent, txn(h, 'w:3').acked = 1, 1.5, 1.9


def wr_cycle(h):
    txn(h, 'w:1').reads = [read(1.5, L, 2, (2, 'g'))]
    txn(h, 'w:3').reads = [read(9.2, K, 0, (0, 'a'))]


def frozen(h):
    h.samples[0]['ends'][K] = [0, 4, 4]


def frozen_by_a_read(h):
    txn(h, 'v:2').sent = 11.5
    txn(h, 'v:2').acked = 11.7


def eos_twice(h):
    h.groups['g'].effects.append([K, 3, 'd'])


def eos_lost(h):
    h.groups['g'].effects.remove([K, 1, 'b'])


def eos_wrong(h):
    h.groups['g'].effects[1][2] = 'x'


def eos_chain(h):
    txn(h, 'c:2').moves = [['g', K, 1, 5]]


def stable_end_went_back(h):
    h.samples.append({'t0': 14, 't1': 15, 'server': 1, 'ends': {K: [0, 4, 5]}})


def start_behind_end(h):
    h.samples[1]['ends'][K] = [6, 5, 5]


def committed_went_back(h):
    h.samples[0]['committed']['g'][K] = 4


def compacted_too_much(h):
    """m.41 is not the latest of its key: m.81 was committed; m.42 is, for m.82 was not."""
    compacted(h)
    h.final[K].remove([6, 'm.42'])


def two_owners(h):
    h.samples[0]['owned']['g'] = [K, L, K]


def epoch_went_back(h):
    h.samples[1]['epochs']['g'] = 2


def below_start(h):
    h.samples[0]['ends'][K] = [1, 2, 2]
    h.txns.append(reader('s:1', read(20, K, 0, (0, 'a'), (1, 'b'))))


def witness(h):
    h.witnesses.remove('v:2')


# ---- spoilers of what was captured

def without(k, *offsets):
    """Records go, and the later ones move up."""
    def spoil(h):
        rows = [row for row in h.captured.records[k] if row[0] not in offsets]
        h.captured.records[k] = [[i] + row[1:] for i, row in enumerate(rows)]
    return spoil


def change_lost(h):
    without(Q, 1)(h)


def tombstone_lost(h):
    without(Q, 3)(h)


def quiet_row_passed_over(h):
    without(Q, 4)(h)


def change_twice(h):
    h.captured.records[P].insert(2, [2, 1] + h.captured.records[P][1][2:])
    without(P)(h)


def quiet_row_twice(h):
    h.captured.records[Q].append([5] + h.captured.records[Q][4][1:])


def change_of_aborted(h):
    h.captured.records[P].append([6, 3, 'u', [3, 'n.3:3', 0], [3, 'n.4:3', 0], 54])
    h.captured.table[2] = [3, 'n.4:3', 0]


def other_row_before(h):
    h.captured.records[P][1][3] = [1, 'b:1', 4]


def other_change(h):
    h.captured.records[P][4][2] = 'u'


def read_what_never_was(h):
    h.captured.records[P][5][4] = [3, 'n.9:3', 0]


def changes_swapped(h):
    rows = h.captured.records[P]
    rows[1][2:], rows[2][2:] = rows[2][2:], rows[1][2:]


def read_too_late(h):
    """A snapshot's record of a row comes behind the change of it."""
    rows = h.captured.records[P]
    rows[0][2:], rows[1][2:] = rows[1][2:], rows[0][2:]


def key_in_two_partitions(h):
    h.captured.records[Q].append([5, 3] + h.captured.records[P][5][2:])


def other_table(h):
    h.captured.table[2] = [3, 'n.3:3', 7]


def row_not_in_topic(h):
    h.captured.table.append([4, 'b:4', 0])


def changes_torn(h):
    txn(h, 'o:1').reads[0]['rows'].remove([4, 'c:n.3:3'])


def changes_of_one_told_failed(h):
    h.witnesses.remove('n:1')
    txn(h, 'n:1').outcome = 'fail'


def found_by_a_client(h):
    h.findings['refused'] = ['r:1 was refused']


BAD = {
    retried_twice: 'duplicate', retried_lost: 'unseen', retried_swapped: 'nonmonotonic-send',
    inconsistent_offsets: 'inconsistent-offsets', duplicate: 'duplicate', lost_write: 'lost-write', compacted_too_much: 'lost-write', unseen: 'unseen',
    aborted_read: 'G1a', aborted_savepoint_read: 'G1a', written_by_nobody: 'G1a', precommitted_read: 'precommitted-read',
    torn_txn: 'torn-txn', poll_skip: 'poll-skip', poll_skip_at_restart: 'poll-skip', int_poll_skip: 'int-poll-skip',
    nonmonotonic_poll: 'nonmonotonic-poll', int_nonmonotonic_poll: 'int-nonmonotonic-poll',
    nonmonotonic_send: 'nonmonotonic-send', int_nonmonotonic_send: 'int-nonmonotonic-send',
    int_send_skip: 'int-send-skip', realtime: 'realtime', wr_cycle: 'G1c', frozen: 'frozen', frozen_by_a_read: 'frozen',
    eos_twice: 'eos-twice', eos_lost: 'eos-lost', eos_wrong: 'eos-wrong', eos_chain: 'eos-chain',
    stable_end_went_back: 'sampler-order', start_behind_end: 'sampler-order', committed_went_back: 'sampler-order',
    two_owners: 'sampler-owner', epoch_went_back: 'sampler-epoch', below_start: 'below-start', witness: 'witness',
    found_by_a_client: 'refused',
}
BAD_CAPTURED = {
    change_lost: 'cdc-lost', tombstone_lost: 'cdc-lost', quiet_row_passed_over: 'cdc-lost',
    change_twice: 'cdc-twice', quiet_row_twice: 'cdc-twice',
    change_of_aborted: 'cdc-wrong', other_row_before: 'cdc-wrong', other_change: 'cdc-wrong', read_what_never_was: 'cdc-wrong',
    changes_swapped: 'cdc-order', read_too_late: 'cdc-order', key_in_two_partitions: 'cdc-order',
    other_table: 'cdc-table', row_not_in_topic: 'cdc-table',
    changes_torn: 'torn-txn', changes_of_one_told_failed: 'witness',
}
# Found while it runs, by the clients or at the end; the checker passes them on.
PASSED_ON = {'replay', 'verify', 'clock', 'stalled', 'leftover', 'unexpected-error', 'log', 'idle'}


def anomalies(history):
    history.settle()
    return Checker(history).run()


class Bad(unittest.TestCase):
    """A test for each spoiler, made below."""


def make_test(good, spoil, kind):
    def test(self):
        history = good()
        spoil(history)
        if history.captured is not None:
            tell_final(history)
        found = anomalies(history)
        self.assertIn(kind, found)
        self.assertTrue(all(found[kind]))
    return test


for spoiler, expected in BAD.items():
    setattr(Bad, 'test_' + spoiler.__name__, make_test(sound, spoiler, expected))
for spoiler, expected in BAD_CAPTURED.items():
    setattr(Bad, 'test_' + spoiler.__name__, make_test(captured, spoiler, expected))


class Good(unittest.TestCase):
    def test_sound(self):
        self.assertEqual(anomalies(sound()), {})

    def test_retried(self):
        h = sound()
        retried(h)
        self.assertEqual(anomalies(h), {})
        self.assertEqual([txn(h, name).outcome for name in ('k0:2', 'k0:3')], ['ok', 'fail'])

    def test_empty(self):
        self.assertEqual(anomalies(History()), {})

    def test_every_class_has_a_bad_history(self):
        self.assertEqual(set(BAD.values()) | set(BAD_CAPTURED.values()) | PASSED_ON, set(CLASSES) - set(REPORTED))

    def test_unknown_outcome_that_was_not_committed(self):
        h = sound()
        h.witnesses.remove('w:2')
        h.final[L] = [[0, 'c'], [2, 'g']]
        txn(h, 'r:2').reads[1]['rows'].pop()
        self.assertEqual(anomalies(h), {})

    def test_retention(self):
        """What is below the log start may be gone, applied or not."""
        h = sound()
        h.final[K] = h.final[K][2:]
        h.start[K] = 3
        h.groups['g'].effects = h.groups['g'].effects[1:]
        self.assertEqual(anomalies(h), {})

    def test_retention_within_a_transaction(self):
        """Read at its beginning, deleted up to its end: what lies between is known of nobody."""
        h = sound()
        h.txns.append(write('y:1', 20, 21, 22, (K, 'p'), (K, 'q'), (K, 'r')))
        h.txns.append(reader('s:1', read(23, K, 4, (4, 'f'), (5, 'p'))))
        h.witnesses.add('y:1')
        h.final[K] = [[7, 'r']]
        h.start[K] = 7
        self.assertEqual(anomalies(h), {})

    def test_compaction(self):
        h = sound()
        compacted(h)
        self.assertEqual(anomalies(h), {})

    def test_captured(self):
        self.assertEqual(anomalies(captured()), {})

    def test_captured_savepoint(self):
        """What a savepoint took back is in no audit; the row is there again, and changed by another."""
        h = captured()
        h.txns.append(write('n:4', 40, 41, 42))
        h.witnesses.add('n:4')
        h.captured.audit.append(['n:4', [3, 'n.3:3', 0], [3, 'n.8:3', 0]])
        h.captured.records[P].append([6, 3, 'u', [3, 'n.3:3', 0], [3, 'n.8:3', 0], 60])
        h.captured.table[2] = [3, 'n.8:3', 0]
        tell_final(h)
        self.assertEqual(anomalies(h), {})

    def test_captured_and_read_again(self):
        """A second snapshot, in the middle of which the row goes and comes."""
        h = captured()
        h.txns.append(write('n:4', 40, 41, 42))
        h.witnesses.add('n:4')
        h.captured.audit += [['n:4', [3, 'n.3:3', 0], None], ['n:4', None, [3, 'n.8:3', 0]]]
        h.captured.records[P] += [[6, 3, 'd', [3, 'n.3:3', 0], None, 60], [7, 3, '-', None, None, None],
                                  [8, 3, 'c', None, [3, 'n.8:3', 0], 60], [9, 3, 'r', None, [3, 'n.8:3', 0], 62]]
        h.captured.records[Q] += [[5, 9, 'r', None, [9, 'b:9', 0], 61], [6, 19, 'r', None, [19, 'b:19', 0], 62]]
        h.captured.table[2] = [3, 'n.8:3', 0]
        tell_final(h)
        self.assertEqual(anomalies(h), {})

    def test_captured_aborted(self):
        """Its answer never came; it left neither rows nor records."""
        h = captured()
        h.settle()
        self.assertEqual(txn(h, 'n:3').outcome, 'fail')
        self.assertEqual(anomalies(h), {})

    def test_batch_limit(self):
        """A read may end within a transaction, and the next goes on there."""
        h = sound()
        h.txns.append(reader('s:1', read(20, K, 0, (0, 'a'))))
        h.txns.append(reader('s:2', read(20, K, 1, (1, 'b'), (3, 'd'))))
        self.assertEqual(anomalies(h), {})

    def test_concurrent_commits_in_any_order(self):
        h = sound()
        txn(h, 'w:3').begun, txn(h, 'w:3').sent, txn(h, 'w:3').acked = 5, 5.5, 10
        self.assertEqual(anomalies(h), {})

    def test_epoch_after_restart(self):
        h = sound()
        h.samples[1]['epochs']['g'], h.samples[1]['server'] = 2, 2
        self.assertEqual(anomalies(h), {})

    def test_interleaved_partitions_are_reported(self):
        h = sound()
        h.final[L] = [[0, 'c'], [1, 'g'], [2, 'e']]
        txn(h, 'w:2').writes.append([K, 'e2'])
        h.final[K] = [[0, 'a'], [1, 'b'], [2, 'e2'], [3, 'd'], [4, 'f']]
        txn(h, 'w:2').sent, txn(h, 'w:2').process = 5, 'y'
        txn(h, 'w:3').offsets = {}
        txn(h, 'r:2').reads = []
        self.assertEqual(set(anomalies(h)) - {'eos-lost'}, {'G0'})


if __name__ == '__main__':
    unittest.main()
