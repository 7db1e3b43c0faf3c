"""The world of group_model.py: topics, rows and members, and how transactions,
savepoints, crashes and departures change them.

A transaction's State is what a rollback undoes; membership and ownership are
nobody's to undo and are taken from what was seen.

test/model/group_state.py
"""
from typing import NamedTuple, Optional

from common import check

READ_COMMITTED = 'READ COMMITTED'
MAYBE, SURE = 1, 2
POLLED, READ = 1, 2


class Partition:
    """One partition, in one life: made again it is another one."""

    def __init__(self, topic, topic_id, number):
        self.topic, self.topic_id, self.number = topic, topic_id, number
        self.log, self.start = [], 0

    end = property(lambda self: len(self.log))

    def __repr__(self):
        return '%s/%d' % (self.topic, self.number)


class Topic(NamedTuple):
    id: int
    parts: tuple


class Row(NamedTuple):
    offset: Optional[frozenset]     # None: taken over, nothing committed
    stamp: int


class Position(NamedTuple):
    gen: int
    at: frozenset                   # where reading goes on
    polled: int = 0                 # SURE: there are records that commit() commits; MAYBE: again
    read: int = 0                   # POLLED: a poll has started here; READ: and got records


class State:
    """What a rollback undoes."""

    def __init__(self, positions):
        self.rows, self.positions, self.topics = {}, positions, {}
        self.polled, self.names, self.used = set(), set(), False
        self.reads, self.sought, self.cleared, self.done = {}, {}, set(), set()
        self.produced = []

    def copy(self):
        new = State({c: dict(p) for c, p in self.positions.items()})
        for name in ('rows', 'topics', 'polled', 'names', 'reads', 'sought', 'cleared', 'done', 'produced'):
            setattr(new, name, getattr(self, name).copy())
        new.used = self.used
        return new


class Transaction:
    def __init__(self, positions, isolation=READ_COMMITTED, explicit=False):
        self.isolation, self.explicit = isolation, explicit
        self.state, self.saves, self.failed = State(positions), [], False
        self.snapshot = None
        # not undone by a rollback to a savepoint: what may be locked or known
        self.held, self.ever_names, self.ever_used, self.ddl, self.base = set(), set(), False, set(), {}
        self.left = set()               # what it owned when it left the group by itself


class World:
    def __init__(self):
        self.clock = self.gens = 0
        self.topics, self.registry = {}, {}             # name -> Topic; (topic id, number) -> Partition
        self.resets = {}                                # group -> auto_offset_reset; groups that exist
        self.rows, self.versions = {}, {}               # (group, partition) -> Row, number of changes
        self.owners = set()                             # generations that are ownerships
        self.subscribed = {}                            # (group, label) -> names of topics
        self.members, self.owner = {}, {}               # group -> labels; (group, partition) -> (label, generation)
        self.asked = {}                                 # (group, topic id) -> partitions when it was first asked for
        self.facts, self.first, self.kept = {}, {}, set()   # where a group without offset starts; see fact()
        self.left, self.starts, self.quit = {}, {}, set()
        self.tx, self.positions, self.pids, self.private = {}, {}, {}, {}

    # ---- transactions

    def begin(self, s, isolation=READ_COMMITTED, explicit=True):
        positions = {c: dict(p) for c, p in self.positions.setdefault(s, {}).items()}
        self.tx[s] = Transaction(positions, isolation, explicit)
        self.tx[s].counts = {name: len(topic.parts) for name, topic in self.topics.items()}
        return self.tx[s]

    def others(self, s):
        return [t for o, t in self.tx.items() if o != s and t is not None]

    def fail(self, s):
        t = self.tx[s]
        if not t.explicit:
            self.rollback(s)
            return
        t.failed = True
        if t.saves:
            t.state = t.saves[-1].copy()
        else:                           # it holds nothing any more
            t.state, t.held, t.ever_names, t.ddl = State({}), set(), set(), set()
            self.forget_undone(t)

    def rollback(self, s):
        t, self.tx[s] = self.tx[s], None
        self.forget_undone(t)

    def save(self, s):
        self.tx[s].saves.append(self.tx[s].state.copy())

    def release(self, s):
        self.tx[s].saves.pop()

    def back_to(self, s):
        t = self.tx[s]
        t.state, t.failed = t.saves[-1].copy(), False
        self.forget_undone(t)

    def forget_undone(self, t):
        """Partitions that nobody sees any more are gone for good, whatever comes under their number."""
        alive = {p for topics in [self.topics] + [o.state.topics for o in self.tx.values() if o]
                 for topic in topics.values() if topic for p in topic.parts}
        for key, part in list(self.registry.items()):
            if part not in alive:
                del self.registry[key]
                for known in (self.owner, self.facts):
                    for k in [k for k in known if k[1] is part]:
                        del known[k]
        for known in (self.first, self.asked):
            for key, count in known.items():
                known[key] = min(count, sum(1 for p in self.registry if p[0] == key[1]))

    def commit(self, s, code):
        t = self.tx[s]
        if t.failed:
            self.rollback(s)
            return
        lost = [k for k in t.state.rows if self.versions.get(k, 0) != t.base[k]]
        may = {'40001'} if t.isolation != READ_COMMITTED else set()
        may |= {'KS110', '40001'} if lost else set()
        may |= {'KS110'} if self.put_out(s) else set()
        if code:
            check(code in may, 'COMMIT failed with %s', code)
            self.rollback(s)
            return
        check(not lost, 'COMMIT wrote over an offset that another transaction has written: %s', lost)
        self.tx[s] = None
        self.clock += 1
        for name, topic in t.state.topics.items():
            if topic is None:
                self.topics.pop(name, None)
            else:
                self.topics[name] = topic
        for part, values in t.state.produced:
            part.log.extend(values)
        self.forget_undone(t)
        for (g, part), row in t.state.rows.items():
            if self.registry.get((part.topic_id, part.number)) is part:
                self.rows[g, part] = row
                self.versions[g, part] = self.versions.get((g, part), 0) + 1
                self.kept.add((g, part))
        for k in [k for k in self.rows if self.registry.get((k[1].topic_id, k[1].number)) is not k[1]]:
            del self.rows[k]
        self.positions[s] = {c: p for c, p in t.state.positions.items() if c[1] is None}
        self.publish(t)

    def put_out(self, s):
        """Has it lost, by what others did, a partition for which it wrote?  Leaving a group by itself is no such loss."""
        t = self.tx[s]
        return any(row.stamp in self.owners and (g, part) not in t.left and row.stamp != self.owner.get((g, part), (None, None))[1]
                   for (g, part), row in t.state.rows.items())

    def publish(self, t):
        """What a name leaves for its next transaction, in whatever session."""
        for g, m in t.state.polled:
            self.quit.discard((g, m))
            if m is not None:
                self.left[g, m] = {part: (p.gen, p.at, self.committed(None, g, part) == p.at)
                                   for part, p in t.state.positions.get((g, m), {}).items() if p.polled}
        for g, m, part in t.state.cleared:
            self.starts.pop((g, m, part), None)
        for (g, m, part), start in t.state.sought.items():
            self.starts[g, m, part] = start
            self.left.get((g, m), {}).pop(part, None)
        for g, m, part in t.state.done:
            left = self.left.get((g, m), {})
            if part in left:
                left[part] = left[part][:2] + (True,)

    def gone(self, s):
        """The session has ended, or was ended."""
        if self.tx.get(s):
            self.rollback(s)
        self.positions[s], self.private[s] = {}, {}

    def crash(self):
        for s in list(self.positions):
            self.gone(s)
        self.left, self.starts, self.quit = {}, {}, set()
        self.owner, self.members = {}, {g: set() for g in self.members}
        # a start that no transaction has committed may be forgotten by a crash, with the group's first look
        self.first = {k: n for k, n in self.first.items() if any(g == k[0] and p.topic_id == k[1] for g, p in self.kept)}
        for k in self.facts:
            if k not in self.kept:
                self.facts[k] = frozenset(range(k[1].end + 1)) | {'any'}

    # ---- what is seen

    def see(self, seen):
        """Take from what was seen who is a member and who owns what: one at most, and a member."""
        members = {}
        for g, label in seen['members']:
            members.setdefault(g, set()).add(label)
        for g, labels in self.members.items():
            for label in labels - members.get(g, set()):
                self.leave(g, label)
        self.members = members
        owner = {}
        for g, topic_id, number, label in seen['owned']:
            part = self.registry.get((topic_id, number))
            if part is None:
                continue
            check((g, part) not in owner, '%s has two owners in group %s', part, g)
            check(label in members.get(g, ()), '%s is owned by %s, which is no member of group %s', part, label, g)
            before = self.owner.get((g, part))
            if before is None or before[0] != label:
                self.gens += 1
                before = (label, self.gens)
                self.owners.add(self.gens)
            owner[g, part] = before
            count = self.first.setdefault((g, topic_id), sum(1 for k in self.registry if k[0] == topic_id))
            if (g, part) not in self.facts:
                late = number >= count, number >= self.asked.get((g, topic_id), count)
                self.facts[g, part] = frozenset({0}) if late[0] else frozenset({'any'}) if late[1] else part.end
        self.owner = owner

    def leave(self, g, label):
        """What a member that left had polled in ended transactions is no longer its to commit."""
        for s, pid in self.pids.items():
            if label == ('pid', pid):
                self.forget_lost(self.positions.get(s, {}).get((g, None), {}), {}, lambda part, p: False)
                self.quit.add((g, None, s))
        if label[0] == 'name':
            self.left.pop((g, label[1]), None)
            self.quit.add((g, label[1]))

    @staticmethod
    def forget_lost(positions, reads, is_ours):
        for part, p in positions.items():
            if p.polled and part not in reads and not is_ours(part, p):
                positions[part] = p._replace(polled=0)

    def label(self, s, m):
        return ('name', m) if m is not None else ('pid', self.pids[s])

    def visible(self, t, g, part):
        if t is not None and (g, part) in t.state.rows:
            return t.state.rows[g, part]
        return self.rows.get((g, part))

    def committed(self, t, g, part):
        row = self.visible(t, g, part)
        return row.offset if row else None

    def topic(self, t, name):
        return t.state.topics[name] if t and name in t.state.topics else self.topics.get(name)

    def is_busy(self, s, g, part):
        """Has another transaction changed what the group has there ('must'), or may it have it locked ('may')?"""
        others = self.others(s)
        return 'must' if any((g, part) in t.state.rows for t in others) else 'may' if any((g, part) in t.held for t in others) else ''

    def write(self, t, g, part, row):
        t.base.setdefault((g, part), self.versions.get((g, part), 0))
        t.held.add((g, part))
        t.state.rows[g, part] = row
