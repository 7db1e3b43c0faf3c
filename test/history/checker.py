"""Judge a history: everything that clients noted against everything there is.

Pure: a History in, a dictionary of anomaly class -> list of witnesses out.  The
classes are those of Jepsen's test for Kafka, with verdicts for a log that gives
out offsets at commit; README.md tells what each means.

A transaction (Txn) is one attempt of one client.  Its outcome is "ok", "fail" or
"info" (the answer to COMMIT never came); settle() turns each "info" into one of
the others by the row that every writing transaction leaves in a table.  Times
are seconds of one monotonic clock:
    begun   before BEGIN was sent
    sent    before COMMIT was sent, or None
    acked   after its answer came, or None

A batch of an idempotent producer is a transaction too, "retried": its client sent it,
unchanged, until it was acknowledged, so that it is there exactly once whatever came
between; "sent" is before it was sent first.

A place ("k") is a topic and a partition, written "topic/0".  Values are unique.

test/history/checker.py
"""
import bisect
import collections

from changes import Changes

# Counted and told, but legal: partitions are reserved one after the other, so
# two transactions may interleave between partitions.
REPORTED = ('G0', 'G1c-inferred')

# In compacted topics a value's key is its client and its number modulo this.
KEYS = 40

CLASSES = (
    'inconsistent-offsets', 'duplicate', 'lost-write', 'unseen', 'G1a', 'precommitted-read', 'torn-txn',
    'poll-skip', 'int-poll-skip', 'nonmonotonic-poll', 'int-nonmonotonic-poll',
    'nonmonotonic-send', 'int-nonmonotonic-send', 'int-send-skip', 'realtime', 'G1c', 'frozen',
    'eos-twice', 'eos-lost', 'eos-wrong', 'eos-chain',
    'cdc-twice', 'cdc-lost', 'cdc-wrong', 'cdc-order', 'cdc-table', 'sampler-order', 'sampler-owner', 'sampler-epoch',
    'refused', 'below-start', 'replay', 'verify', 'clock', 'witness', 'stalled', 'leftover', 'unexpected-error', 'log', 'idle',
) + REPORTED


class Txn:
    """One attempt at a transaction, as its client saw it."""
    __slots__ = ('name', 'process', 'isolation', 'outcome', 'begun', 'sent', 'acked', 'writes', 'undone',
                 'reads', 'offsets', 'moves', 'error', 'retried', 'index')

    def __init__(self, **fields):
        self.name = self.process = self.isolation = self.error = None
        self.outcome = 'fail'
        self.retried = False
        self.begun = self.sent = self.acked = None
        self.writes = []        # [k, value] in the order of produce
        self.undone = []        # [k, value] of savepoints that were rolled back
        self.reads = []         # {'b', 't': begin and end of the call, 'k', 'from', 'rows': [[offset, value], ...], 'group'}
        self.offsets = {}       # k -> base offset, where the client asked
        self.moves = []         # [group, k, first polled, committed]
        for name, value in fields.items():
            setattr(self, name, value)

    def as_dict(self):
        return {name: getattr(self, name) for name in self.__slots__ if name != 'index' and getattr(self, name, None)}


class Group:
    """What a group did: effects [k, offset, value] of committed transactions."""

    def __init__(self, topics=(), effects=(), committed=None):
        self.topics = list(topics)
        self.effects = list(effects)
        self.committed = committed or {}


class History:
    def __init__(self):
        self.txns = []
        self.final = {}         # k -> [[offset, value], ...] of the last reading
        self.start = {}         # k -> log start offset at the end
        self.compacted = set()  # topics of which only the latest record of a key must remain
        self.groups = {}        # name -> Group
        self.captured = None    # changes.Captured
        self.samples = []       # {'t0', 't1', 'server', 'ends': {k: [start, stable, end]},
                                #  'epochs': {g: n}, 'owned': {g: [k, ...]}, 'committed': {g: {k: o}}}
        self.witnesses = None   # names of committed writing transactions
        self.findings = {}      # class -> [text], found while it ran

    def settle(self):
        """Decide what the clients could not know; returns how many there were.

        A batch that was never acknowledged is there as a whole or not at all.
        """
        settled = 0
        there = {value for rows in self.final.values() for _, value in rows}
        for txn in self.txns:
            if txn.outcome == 'info':
                settled += 1
                known = txn.writes[0][1] in there if txn.retried else txn.name in (self.witnesses or ())
                txn.outcome = 'ok' if known else 'fail'
        return settled


class Checker:
    def __init__(self, history):
        self.history = history
        self.anomalies = {}
        self.owner = {}         # value -> Txn
        self.undone = {}        # value of a savepoint that was rolled back -> Txn
        self.offsets = {}       # k -> sorted offsets of every record that is or was there
        self.at = {}            # k -> {offset: value}
        self.place = {}         # value -> (k, offset)
        self.newest = {}        # k, key -> greatest number of a committed value, in compacted topics
        self.sent_before = {}   # k -> for each offset, the latest COMMIT sent up to there

    def found(self, kind, text):
        self.anomalies.setdefault(kind, []).append(text)

    def run(self):
        changes = None
        if self.history.captured is not None:
            changes = Changes(self.history, self.found)
            changes.tell(Txn)
        for txn in self.history.txns:
            for _, value in txn.writes:
                self.owner[value] = txn
            for _, value in txn.undone:
                self.undone[value] = txn
        for index, txn in enumerate(self.history.txns):
            txn.index = index
        self.check_witnesses()
        self.find_newest()
        self.order_versions()
        self.check_writes()
        self.check_sends()
        self.check_realtime()
        self.check_reads()
        self.check_frozen()
        self.check_start()
        self.check_groups()
        if changes is not None:
            changes.check()
        self.check_samples()
        self.check_cycles()
        for kind, texts in self.history.findings.items():
            for text in texts:
                self.found(kind, text)
        return {kind: sorted(texts, key=len) for kind, texts in self.anomalies.items()}

    # ---- what is where

    def check_witnesses(self):
        names = self.history.witnesses
        if names is None:
            return
        for txn in self.history.txns:
            if txn.sent is not None and txn.writes and not txn.retried and (txn.outcome == 'ok') != (txn.name in names):
                self.found('witness', '%s was told %s' % (txn.name, txn.outcome))

    def order_versions(self):
        """Collect what was ever seen where, from the last reading, from all reads, from answers to commits."""
        at = collections.defaultdict(dict)

        def see(k, offset, value, who):
            known = at[k].setdefault(offset, value)
            if known != value:
                self.found('inconsistent-offsets', '%s@%d holds %s and, for %s, %s' % (k, offset, known, who, value))

        for k, rows in self.history.final.items():
            for offset, value in rows:
                see(k, offset, value, 'the last reading')
        for txn in self.history.txns:
            for read in txn.reads:
                known = at[read['k']]
                for offset, value in read['rows']:
                    if known.get(offset) != value:
                        see(read['k'], offset, value, txn.name)
            if txn.outcome == 'ok':
                next_offset = dict(txn.offsets)
                for k, value in txn.writes:
                    if k in next_offset:
                        see(k, next_offset[k], value, 'the commit of ' + txn.name)
                        next_offset[k] += 1
        self.at = at
        self.offsets = {k: sorted(rows) for k, rows in at.items()}
        for k, rows in at.items():
            for offset in self.offsets[k]:
                value = rows[offset]
                if value in self.place:
                    self.found('duplicate', '%s is at %s@%d and at %s@%d' % ((value,) + self.place[value] + (k, offset)))
                else:
                    self.place[value] = (k, offset)

    def find_newest(self):
        for txn in self.history.txns:
            if txn.outcome == 'ok':
                for k, value in txn.writes:
                    if topic_of(k) in self.history.compacted:
                        number = int(value.split('.')[1])
                        self.newest[k, key_of(value)] = max(number, self.newest.get((k, key_of(value)), 0))

    def superseded(self, k, value):
        """May compaction have taken it?"""
        return topic_of(k) in self.history.compacted and '.' in value and \
            int(value.split('.')[1]) < self.newest.get((k, key_of(value)), 0)

    def check_writes(self):
        """Committed records are there, others are not."""
        there = {value for rows in self.history.final.values() for _, value in rows}
        read = set()
        highest = collections.defaultdict(lambda: -1)
        for txn in self.history.txns:
            for each in txn.reads:
                read.update(value for _, value in each['rows'])
                if each['rows']:
                    highest[each['k']] = max(highest[each['k']], each['rows'][-1][0])
        for txn in self.history.txns:
            for k, value in txn.writes:
                if txn.outcome == 'ok' and value not in there:
                    self.missing(txn, k, value, highest)
                elif txn.outcome != 'ok' and (value in there or value in read):
                    self.found('G1a', '%s of %s, which %s, was read' % (value, txn.name, txn.error or 'rolled back'))
            for k, value in txn.undone:
                if value in there or value in read:
                    self.found('G1a', '%s of %s was read; its savepoint rolled back' % (value, txn.name))
        for k, rows in self.at.items():
            for offset, value in rows.items():
                if value not in self.owner and value not in self.undone:
                    self.found('G1a', '%s at %s@%d was written by nobody' % (value, k, offset))
                elif value in self.owner and [k, value] not in self.owner[value].writes:
                    self.found('duplicate', '%s of %s is at %s@%d, where it was not sent' % (
                        value, self.owner[value].name, k, offset))

    def missing(self, txn, k, value, highest):
        place = self.place.get(value)
        start = self.history.start.get(k, 0)
        if self.superseded(k, value):
            return
        if place is not None:
            if place[1] < start:
                return          # by retention
            kind = 'lost-write' if place[1] <= highest[k] else 'unseen'
            self.found(kind, '%s of %s, which committed, is gone from %s@%d' % (value, txn.name, k, place[1]))
        elif start == 0 or k in txn.offsets:
            kind = 'lost-write' if any(self.place.get(v, (None,))[0] == k for _, v in txn.writes) else 'unseen'
            self.found(kind, '%s of %s, which committed, is not in %s' % (value, txn.name, k))

    # ---- the order of sends

    def check_sends(self):
        """Within a transaction one range in order; within a process, increasing."""
        last = {}
        for txn in self.history.txns:
            if txn.outcome != 'ok':
                continue
            where = collections.defaultdict(list)
            for _, value in txn.writes:
                if value in self.place:
                    k, offset = self.place[value]
                    where[k].append(offset)
            for k, offsets in where.items():
                if any(a >= b for a, b in zip(offsets, offsets[1:])):
                    self.found('int-nonmonotonic-send', '%s sent to %s and got %s' % (txn.name, k, brief(offsets)))
                elif topic_of(k) not in self.history.compacted:
                    # what was deleted before the end is known only as far as somebody has read it
                    left = [offset for offset in offsets if offset >= self.history.start.get(k, 0)]
                    if left and left[-1] - left[0] != len(left) - 1:
                        self.found('int-send-skip', '%s sent to %s and got %s' % (txn.name, k, brief(left)))
                before = last.get((txn.process, k))
                if before is not None and offsets[0] <= before[0]:
                    self.found('nonmonotonic-send', '%s got %s@%d after %s got %d' % (
                        txn.name, k, offsets[0], before[1], before[0]))
                last[txn.process, k] = (max(offsets), txn.name)

    def check_realtime(self):
        """Who was answered before another sent its COMMIT has the smaller offsets."""
        for k, offsets in self.offsets.items():
            latest, who = -1.0, None
            running = []
            for offset in offsets:
                txn = self.owner.get(self.at[k][offset])
                if txn is not None and txn.outcome == 'ok' and txn.sent is not None:
                    if txn.acked is not None and txn.acked < latest:
                        self.found('realtime', '%s was answered before %s was sent, and is behind it at %s@%d' % (
                            txn.name, who, k, offset))
                    if txn.sent > latest:
                        latest, who = txn.sent, txn.name
                running.append((latest, who))
            self.sent_before[k] = running

    # ---- reads

    def check_reads(self):
        for txn in self.history.txns:
            own = {value for _, value in txn.writes} | {value for _, value in txn.undone}
            position = {}
            for read in txn.reads:
                self.check_read(txn, read, position)
                if own and any(value in own for _, value in read['rows']):
                    self.found('precommitted-read', '%s read its own record from %s' % (txn.name, read['k']))

    def check_read(self, txn, read, position):
        k, rows = read['k'], read['rows']
        if not rows:
            return
        got = [offset for offset, _ in rows]
        prefix = 'int-' if k in position else ''
        lowest = read.get('from')
        if lowest is None:
            lowest = got[0]
        if got[0] < lowest or any(a >= b for a, b in zip(got, got[1:])):
            self.found(prefix + 'nonmonotonic-poll', '%s asked %s from %d and got %s' % (txn.name, k, lowest, brief(got)))
            return
        position[k] = got[-1] + 1
        known = self.offsets[k]
        there = known[bisect.bisect_left(known, lowest):bisect.bisect_right(known, got[-1])]
        if there == got:
            return
        missed = sorted(set(there) - set(got))
        returned = {id(self.owner.get(value)) for _, value in rows}
        for offset in missed[:20]:
            value = self.at[k][offset]
            text = '%s read %s in %s and did not get %s at %d' % (txn.name, brief(got), k, value, offset)
            owner = self.owner.get(value)
            if owner is None or owner.outcome != 'ok' or self.superseded(k, value):
                continue        # told as G1a, or taken by compaction
            if id(owner) in returned:
                self.found('torn-txn', text)
            self.found(('int-' if prefix or offset > got[0] else '') + 'poll-skip', text)

    def check_frozen(self):
        """Once somebody saw an end, nothing may come below it."""
        for txn in self.history.txns:
            for read in txn.reads:
                if read['rows']:
                    self.check_frozen_at(read['k'], read['rows'][-1][0], read['t'], txn.name)
        for sample in self.history.samples:
            for k, (_, stable, _) in sample['ends'].items():
                self.check_frozen_at(k, stable - 1, sample['t1'], 'the sampler')

    def check_frozen_at(self, k, offset, time, who):
        place = bisect.bisect_right(self.offsets.get(k, ()), offset) - 1
        if place >= 0 and self.sent_before[k][place][0] > time:
            self.found('frozen', '%s saw %s up to %d, before %s, which is below, sent its COMMIT' % (
                who, k, offset, self.sent_before[k][place][1]))

    def check_start(self):
        """What was known to be deleted before a call began is not returned by it."""
        known = collections.defaultdict(list)
        for sample in self.history.samples:
            for k, (start, _, _) in sample['ends'].items():
                if start > (known[k][-1][1] if known[k] else 0):
                    known[k].append((sample['t1'], start))
        for txn in self.history.txns:
            for read in txn.reads:
                if not read['rows'] or not known.get(read['k']):
                    continue
                place = bisect.bisect_left(known[read['k']], (read.get('b', 0), 0)) - 1
                if place >= 0 and read['rows'][0][0] < known[read['k']][place][1]:
                    self.found('below-start', '%s read %s@%d after the log began at %d' % (
                        txn.name, read['k'], read['rows'][0][0], known[read['k']][place][1]))

    # ---- groups

    def check_groups(self):
        for name, group in self.history.groups.items():
            effects = collections.defaultdict(dict)
            for k, offset, value in group.effects:
                if offset in effects[k]:
                    self.found('eos-twice', '%s applied %s@%d twice' % (name, k, offset))
                effects[k][offset] = value
                known = self.at.get(k, {}).get(offset)
                if known != value and (known is not None or offset >= self.history.start.get(k, 0)):
                    self.found('eos-wrong', '%s applied %s for %s@%d, which holds %s' % (
                        name, value, k, offset, known))
            for k, rows in self.history.final.items():
                if topic_of(k) not in group.topics:
                    continue
                for offset, value in rows:
                    if offset < group.committed.get(k, 0) and offset not in effects[k]:
                        self.found('eos-lost', '%s passed over %s at %s@%d' % (name, value, k, offset))
        self.check_chain()

    def check_chain(self):
        """Each committed step of a group in a partition begins where the one before ended."""
        steps = collections.defaultdict(list)
        for txn in self.history.txns:
            if txn.outcome == 'ok':
                for group, k, low, high in txn.moves:
                    steps[group, k].append((high, low, txn.name))
        for (group, k), moves in steps.items():
            moves.sort()
            for (before, _, first), (high, low, second) in zip(moves, moves[1:]):
                if low < before:
                    self.found('eos-chain', '%s: %s moved %s from %d to %d after %s had moved it to %d' % (
                        group, second, k, low, high, first, before))

    # ---- samples

    def check_samples(self):
        ends, committed, epochs = {}, {}, {}
        for sample in self.history.samples:
            for k, now in sample['ends'].items():
                before = ends.get(k, (0, 0, 0))
                if not now[0] <= now[1] <= now[2] or any(a < b for a, b in zip(now, before)):
                    self.found('sampler-order', '%s: start, stable, end went from %s to %s' % (k, before, now))
                ends[k] = now
            for group, owned in sample.get('owned', {}).items():
                for k, count in collections.Counter(owned).items():
                    if count > 1:
                        self.found('sampler-owner', '%s: %s has %d owners at %.3f' % (group, k, count, sample['t0']))
            for group, epoch in sample.get('epochs', {}).items():
                key = (sample.get('server'), group)
                if epoch < epochs.get(key, epoch):
                    self.found('sampler-epoch', '%s went from epoch %d to %d' % (group, epochs[key], epoch))
                epochs[key] = epoch
            for group, offsets in sample.get('committed', {}).items():
                for k, offset in offsets.items():
                    if offset < committed.get((group, k), 0):
                        self.found('sampler-order', '%s: %s was committed to %d and then %d' % (
                            group, k, committed[group, k], offset))
                    committed[group, k] = offset

    # ---- cycles

    def check_cycles(self):
        """Who wrote next to whom, who read what: no two can each be before the other."""
        ww, wr = collections.defaultdict(set), collections.defaultdict(set)
        for k, offsets in self.offsets.items():
            before = None
            for offset in offsets:
                txn = self.owner.get(self.at[k][offset])
                if before is not None and txn is not None and txn is not before:
                    ww[before.index].add(txn.index)
                before = txn
        for txn in self.history.txns:
            if txn.outcome == 'ok' and txn.writes:
                for read in txn.reads:
                    for writer in {id(o): o for o in (self.owner.get(v) for _, v in read['rows'])}.values():
                        if writer is not None and writer is not txn:
                            wr[writer.index].add(txn.index)
        self.report_cycles('G0', ww, {})
        self.report_cycles('G1c', wr, {})
        self.report_cycles('G1c-inferred', ww, wr)

    def report_cycles(self, kind, edges, more):
        def after(node):
            return edges.get(node, set()) | more.get(node, set())

        for component in components(set(edges) | set(more), after):
            # every cycle of a mixed graph that has no edge of the second kind was told
            inside = set(component)
            if kind == 'G1c-inferred' and not any(more.get(node, set()) & inside for node in component):
                continue
            path = cycle(component[0], inside, after)
            self.found(kind, ' -> '.join(self.history.txns[node].name for node in path))


def topic_of(k):
    return k.rsplit('/', 1)[0]


def key_of(value):
    client, number = value.split('.')
    return '%s/%d' % (client, int(number) % KEYS)


def brief(offsets):
    if len(offsets) <= 4:
        return str(offsets)
    return '[%d, %d, ... %d: %d of them]' % (offsets[0], offsets[1], offsets[-1], len(offsets))


def components(nodes, after):
    """Strongly connected components of more than one node (Tarjan, without recursion)."""
    index, low, on_stack, stack = {}, {}, set(), []
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(after(root)))]
        while work:
            node, rest = work[-1]
            for follower in rest:
                if follower not in index:
                    index[follower] = low[follower] = len(index)
                    stack.append(follower)
                    on_stack.add(follower)
                    work.append((follower, iter(after(follower))))
                    break
                if follower in on_stack:
                    low[node] = min(low[node], index[follower])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    if len(component) > 1:
                        yield component


def cycle(start, inside, after):
    """The shortest way from a node back to itself."""
    came, queue = {}, collections.deque([start])
    while queue:
        node = queue.popleft()
        for follower in after(node):
            if follower == start:
                path = [start]
                while node != start:
                    path.insert(1, node)
                    node = came[node]
                return path + [start]
            if follower in inside and follower not in came:
                came[follower] = node
                queue.append(follower)
    return [start]
