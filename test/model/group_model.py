"""Consumer groups, as a program that can be read: what each call may answer.

The model is told of every call in the order in which they ended, with its
SQLSTATE ('' for none) and rows, and of what a superuser saw after it (who is a
member, who owns what).  It raises Wrong when the answer is none that it allows.

It leaves two things open and takes them from what was seen: which member gets
which partition, and in which order a poll reads its partitions.  Where it cannot
know an offset it keeps all that it may be (`at`: a set), until a read tells.

Words: a *generation* is one ownership of a partition, from taking it to losing
it.  A *row* is what a group has committed in a partition, with the generation
that wrote it last (its *stamp*): a commit counts only under the row's own stamp,
and taking a partition over, reset_offsets() and a commit into an empty group
write a stamp of their own.  A *consumer* is (group, name), or (group, None) for
the session.  *left* is what a name's latest poll left for a later commit().

test/model/group_model.py
"""
from common import Wrong, check
from group_state import MAYBE, POLLED, READ, READ_COMMITTED, SURE, Position, Row, Topic, World


class Model(World):
    # ---- what may go wrong with any call

    def judge(self, s, code, must, may):
        """An error that must come, or may; True when the call went well."""
        if code == '':
            check(not must, 'no error; expected %s', '/'.join(sorted(must)))
            return True
        if code not in must and code not in may:
            raise Wrong('error %s; expected %s' % (code, '/'.join(sorted(must)) or 'none of the kind'))
        self.fail(s)
        return False

    def trouble(self, s, g, m, topics):
        t, must, may = self.tx[s], set(), set()
        if t.snapshot is None:
            t.snapshot = self.clock
        for o in self.others(s):
            if m is not None and (g, m) in o.ever_names:
                (must if (g, m) in o.state.names else may).add('55006')
            if o.ddl:
                may.add('55P03')
        for name in topics:
            topic = self.topic(t, name)
            if topic:
                self.asked.setdefault((g, topic.id), len(topic.parts))
            else:                       # a transaction under way may still know a topic that is gone
                (may if t.explicit and name in t.counts and name not in t.state.topics else must).add('42704')
        if t.isolation != READ_COMMITTED and self.clock > t.snapshot:
            may.add('40001')
        return t, must, may

    def member(self, s, g, m, must):
        """Is it one?  Else what says so is expected."""
        found = self.label(s, m) in self.members.get(g, ())
        if not found:
            must.add('KS025')
            if not self.members.get(g):
                must.add('42704')       # maybe there is not even a group
        return found

    def use(self, t, g, m):
        t.state.used = t.ever_used = True
        if m is not None:
            t.state.names.add((g, m))
            t.ever_names.add((g, m))

    def owned(self, s, g, m, part):
        return self.owner.get((g, part), (None, None))[0] == self.label(s, m)

    # ---- polling

    def fact(self, g, part):
        """Where a group starts that has no offset: a fact from the moment the partition was first taken."""
        reset = self.resets.get(g, 'earliest')
        if reset == 'none':
            return None
        if reset == 'earliest':
            return frozenset({part.start})
        fact = self.facts.get((g, part), part.end)
        if isinstance(fact, int):       # taken at this end or later, read never
            fact = frozenset(range(fact, part.end + 1))
        elif 'any' in fact:
            fact = frozenset(range(part.end + 1))
        self.facts[g, part] = fact
        return fact

    def start(self, t, g, m, part, gen):
        """Where a consumer that begins with a partition starts."""
        if m is not None:
            sought = t.state.sought.get((g, m, part)) or self.starts.get((g, m, part))
            if sought and sought[0] == gen and (g, m, part) not in t.state.cleared:
                return frozenset({sought[1]})
        offset = self.committed(t, g, part)
        return self.fact(g, part) if offset is None else offset

    def poll(self, s, g, m, topics, limit, small, commit, code, rows, seen, timed=False):
        names = topics or ()
        t, must, may = self.trouble(s, g, m, names)
        c = (g, m)
        before = self.owner
        if topics is None:
            self.member(s, g, m, must)
            if any(self.topic(t, x) is None for x in self.subscribed.get((g, self.label(s, m)), ())):
                may.add('42704')
        if must:
            self.see(seen)
            return self.judge(s, code, must, may)
        self.see(seen)
        if topics and code:             # maybe it has subscribed
            self.subscribed[g, self.label(s, m)] = list(topics) + list(self.subscribed.get((g, self.label(s, m)), ()))
        positions = t.state.positions.setdefault(c, {})
        self.forget_lost(positions, t.state.reads.get(c, {}),
                         lambda part, p: self.owner.get((g, part)) == (self.label(s, m), p.gen))
        if self.quit and commit:
            may.update({'KS110'} if (g, m) in self.quit or (g, m, s) in self.quit else ())
        t.state.polled.add(c)           # what an earlier transaction left is not this one's to commit
        sources, fences = {}, ''
        visible = {p for x in set(self.topics) | set(t.state.topics) for p in (self.topic(t, x) or Topic(0, ())).parts}
        for (group, part), (label, gen) in self.owner.items():
            if group != g or label != self.label(s, m) or part not in visible or (topics and part.topic not in topics):
                continue
            p, row, busy = positions.get(part), self.visible(t, g, part), self.is_busy(s, g, part)
            if p and p.gen == gen and row and row.stamp == gen and (p.read or p.at != {None}):
                at = p.at
            else:
                fences += self.regained(t, c, part, gen, row)
                at = self.start(t, g, m, part, gen)
            if at is not None and max(at) < part.start:
                reset = self.resets.get(g, 'earliest')
                at = {'earliest': frozenset({part.start}), 'latest': frozenset(range(part.start, part.end + 1))}.get(reset)
            if at is None:
                (may if busy else must).add('KS001')
                at = frozenset({part.start})
            sources[part] = (at, not busy)
        fences += self.fences(s, c) if commit else ''
        if fences:
            may.add('KS110')
        if timed and not any(surely and min(len(part.log) - max(at), 1) > 0 for part, (at, surely) in sources.items()):
            may.add('57014')
        if not self.judge(s, code, must, may):
            return None
        check('must' not in fences, 'the fence was missed: no KS110')
        self.use(t, g, m)
        if topics:
            self.subscribed[g, self.label(s, m)] = topics
        self.after_read(t, g, m, sources, self.read(sources, rows, limit, small), positions)
        if commit:
            self.apply_commit(s, t, c, None)
        return None

    def regained(self, t, c, part, gen, row):
        """Records that this transaction read in an earlier ownership may have been another's since, or it would read
        them again."""
        read = t.state.reads.get(c, {}).get(part)
        if read is None or read == gen:
            return ''
        if row is None or row.stamp != read:
            return 'must'
        p, saved = t.state.positions.get(c, {}).get(part), self.committed(t, c[0], part)
        return 'must' if p and p.read == READ and not p.at & (saved or frozenset()) else 'may'

    def read(self, sources, rows, limit, small):
        """Compare what a poll returned; where each partition's reading ended."""
        parts = {(p.topic, p.number): p for p in sources}
        runs = []
        for topic, number, offset, value in rows:
            part = parts.get((topic, number))
            check(part is not None, 'a record of %s/%s, which is not this member\'s', topic, number)
            if not runs or runs[-1][0] is not part:
                check(part not in [r[0] for r in runs], '%s was read twice', part)
                runs.append((part, []))
            runs[-1][1].append((offset, value))
        check(len(rows) <= limit, '%d records', len(rows))
        full = len(rows) == limit or (small and len(rows) > 0)
        ends = {}
        for place, (part, got) in enumerate(runs):
            at = sources[part][0]
            first, last = got[0][0], got[-1][0]
            check(first in at, '%s: read from %d on, expected %s', part, first, sorted(at))
            check(got == [(o, part.log[o] if o < part.end else None) for o in range(first, last + 1)],
                  '%s: records differ: %s', part, got)
            check(last + 1 == part.end or (full and place == len(runs) - 1), '%s: stopped at %d of %d', part, last + 1, part.end)
            ends[part] = (first, last + 1)
        for part, (at, surely) in sources.items():
            if part not in ends and surely and not full:
                check(part.end in at, '%s: nothing was read; expected records from %s on', part, sorted(at))
                ends[part] = (part.end, part.end)
        return ends

    def after_read(self, t, g, m, sources, ends, positions):
        for part, (at, surely) in sources.items():
            if part not in ends and not surely:
                continue                # another transaction's: passed over, as far as we know
            gen, row = self.owner[g, part][1], self.visible(t, g, part)
            p = positions.get(part)
            fresh = not (p and p.gen == gen)
            if row is None or row.stamp != gen:
                self.write(t, g, part, Row(row.offset if row else None, gen))
            t.held.add((g, part))
            first, end = ends.get(part, (None, None))
            if first is not None and row is not None and row.offset is not None and len(row.offset) > 1 and fresh:
                t.state.rows[g, part] = t.state.rows.get((g, part), row)._replace(offset=frozenset({first}))
            if first is not None and self.committed(t, g, part) is None and fresh and self.resets.get(g) == 'latest' \
                    and first in self.facts.get((g, part), ()):
                self.facts[g, part] = frozenset({first})
            now = frozenset({end}) if end is not None else at
            got = first is not None and end > first
            positions[part] = Position(gen, now, SURE if got else p.polled if p and p.gen == gen else 0,
                                       READ if got or (p and p.gen == gen and p.read == READ) else POLLED)
            if got:
                t.state.reads.setdefault((g, m), {})
                t.state.reads[g, m] = t.state.reads[g, m] | {part: gen}

    # ---- committing

    def pending(self, s, c):
        """(partition, position, is it sure that commit() must commit it) of what was polled."""
        t, (g, m) = self.tx[s], c
        result = [(part, p, p.polled == SURE and self.committed(t, g, part) != p.at)
                  for part, p in t.state.positions.get(c, {}).items() if p.polled]
        if m is not None and c not in t.state.polled:
            touched = t.state.positions.get(c, {})
            for part, (gen, at, done) in self.left.get(c, {}).items():
                if c + (part,) not in t.state.sought:
                    result.append((part, Position(gen, at, SURE, READ), not done and part not in touched and c + (part,) not in t.state.done))
        return result

    def fences(self, s, c):
        """Must or may a commit of what is pending meet the fence?"""
        t, (g, m) = self.tx[s], c
        result = ''
        for part, p, sure in self.pending(s, c):
            row = self.visible(t, g, part)
            if self.registry.get((part.topic_id, part.number)) is not part:
                result += 'may'         # its topic is gone
                continue
            if not sure:
                continue
            if row is None or row.stamp != p.gen:
                result += 'must'
            result += self.is_busy(s, g, part)
            if self.owner.get((g, part)) != (self.label(s, m), p.gen):
                result += 'may'
        return result

    def apply_commit(self, s, t, c, rows):
        """Commit what is pending; rows: what commit() said that it did."""
        g, m = c
        said = None if rows is None else {(topic, number): offset for topic, number, offset in rows}
        for part, p, sure in self.pending(s, c):
            key = (part.topic, part.number)
            mine = self.owner.get((g, part)) == (self.label(s, m), p.gen)
            if said is None:
                if not sure or not mine:
                    continue
            elif key not in said:
                check(not (sure and mine), 'commit() did not commit %s at %s', part, sorted(p.at))
                continue
            else:
                offset = said.pop(key)
                check(offset in p.at, 'commit() committed %s at %d; expected %s', part, offset, sorted(p.at))
                p = p._replace(at=frozenset({offset}))
            self.write(t, g, part, Row(p.at, p.gen))
            t.state.positions.setdefault(c, {}).setdefault(part, p)
            self.after_commit(t, c, part)
        check(not said, 'commit() committed %s, which was not polled', said)

    @staticmethod
    def after_commit(t, c, part):
        p = t.state.positions.get(c, {}).get(part)
        if p and p.polled:
            t.state.positions[c][part] = p._replace(polled=MAYBE)
        t.state.sought.pop(c + (part,), None)
        t.state.cleared.add(c + (part,))
        t.state.done.add(c + (part,))
        reads = dict(t.state.reads.get(c, {}))
        reads.pop(part, None)
        t.state.reads[c] = reads

    def commit_polled(self, s, g, m, code, rows, seen):
        t, must, may = self.trouble(s, g, m, ())
        c = (g, m)
        if not self.member(s, g, m, must) and (c in t.state.polled or t.state.positions.get(c)):
            may |= must | {'KS110'}     # it left, but polled in this transaction: the guard decides
            must = set()
        if not must:
            fences = self.fences(s, c)
            may |= {'KS110'} if fences or (g, m) in self.quit or (g, m, s) in self.quit else set()
            if 'must' in fences:
                must.add('KS110')
        self.see(seen)
        if self.judge(s, code, must, may):
            self.use(t, g, m)
            self.apply_commit(s, t, c, rows)

    def out_of_range(self, t, name, number, offset, must, may, from_start=False):
        topic = self.topic(t, name)
        if topic is None:
            return None
        if number >= t.counts.get(name, number + 1):
            may.add('22023')            # a transaction under way may not know of new partitions
        if number >= len(topic.parts) or offset < 0:
            must.add('22023')
            return None
        part = topic.parts[number]
        if offset > part.end or (from_start and offset < part.start):
            must.add('KS001')
        return part

    def reach(self, s, g, m, part, must, may, seen, writes=True):
        """A member calls for a partition of its own: is it?"""
        t, c = self.tx[s], (g, m)
        self.member(s, g, m, must)
        self.see(seen)
        if must or part is None:
            return
        row, p = self.visible(t, g, part), t.state.positions.get(c, {}).get(part)
        if not self.owned(s, g, m, part):
            if p and (not writes or (row and row.stamp == p.gen and self.is_busy(s, g, part) != 'must')):
                may.add('KS110')
            else:
                must.add('KS110')
            return
        gen = self.owner[g, part][1]
        if self.is_busy(s, g, part):
            (must if self.is_busy(s, g, part) == 'must' else may).add('KS110')
        again = self.regained(t, c, part, gen, row)
        if again:
            (must if 'must' in again else may).add('KS110')

    def commit_offset(self, s, g, name, number, offset, m, code, rows, seen):
        t, must, may = self.trouble(s, g, m, (name,))
        part = self.out_of_range(t, name, number, offset, must, may)
        empty = not self.members.get(g)
        if must or (empty and m is None):
            self.see(seen)
            if part and self.is_busy(s, g, part):
                (must if self.is_busy(s, g, part) == 'must' else may).add('55006')
        else:
            self.reach(s, g, m, part, must, may, seen)
        if not self.judge(s, code, must, may | ({'KS110', 'KS025'} if must else set())):
            return
        self.use(t, g, m)
        if empty and m is None:
            self.gens += 1
            self.write(t, g, part, Row(frozenset({offset}), self.gens))
            return
        positions, c = t.state.positions.setdefault((g, m), {}), (g, m)
        p, gen = positions.get(part), self.owner.get((g, part), (None, 0))[1]
        if not self.owned(s, g, m, part):
            gen = p.gen
        if not (p and p.gen == gen and p.read) or (m is not None and c not in t.state.polled):
            at = {offset}       # reading begins there
        elif p.read == POLLED:
            at = p.at | {offset}
        else:
            at = p.at           # reading goes on where it was
        polled = p.polled if p and p.gen == gen else 0
        positions[part] = Position(gen, frozenset(at), polled, p.read if p and p.gen == gen else 0)
        self.write(t, g, part, Row(frozenset({offset}), gen))
        self.after_commit(t, c, part)

    def seek(self, s, g, name, number, offset, m, code, rows, seen):
        t, must, may = self.trouble(s, g, m, (name,))
        part = self.out_of_range(t, name, number, offset, must, may, from_start=True)
        if must:
            self.see(seen)
        else:
            self.reach(s, g, m, part, must, may, seen, writes=False)     # a commit will meet the fence
        if not self.judge(s, code, must, may | ({'KS110', 'KS025', '42704'} if must else set())):
            return
        self.use(t, g, m)
        gen, row = self.owner.get((g, part), (None, 0))[1], self.visible(t, g, part)
        if not self.owned(s, g, m, part):
            gen = t.state.positions[g, m][part].gen
        elif row is None or row.stamp != gen:
            self.write(t, g, part, Row(row.offset if row else None, gen))
        t.held.add((g, part))
        t.state.positions.setdefault((g, m), {})[part] = Position(gen, frozenset({offset}), 0, READ)
        if m is not None:
            t.state.sought[g, m, part] = (gen, offset)
            t.state.cleared.discard((g, m, part))

    # ---- membership and the group

    def subscribe(self, s, g, topics, m, code, rows, seen):
        t, must, may = self.trouble(s, g, m, topics)
        self.see(seen)
        if self.judge(s, code, must, may):
            self.use(t, g, m)
            self.subscribed[g, self.label(s, m)] = topics
            check(self.label(s, m) in self.members.get(g, ()), 'subscribe() made no member')

    def unsubscribe(self, s, g, m, code, rows, seen):
        t, must, may = self.trouble(s, g, m, ())
        may |= must | ({'42704'} if not self.members.get(g) else set())
        before = self.owner
        self.see(seen)
        t.left |= {k for k, (label, _) in before.items() if k[0] == g and label == self.label(s, m)}
        if self.judge(s, code, set(), may):     # whether the name is in use or not
            t.state.used = t.ever_used = True
            if m is not None:
                t.ever_names.add((g, m))
            check(self.label(s, m) not in self.members.get(g, ()), 'unsubscribe() left a member')

    def heartbeat(self, s, g, m, code, rows, seen):
        t, must, may = self.trouble(s, g, m, ())
        self.member(s, g, m, must)
        self.see(seen)
        if not self.judge(s, code, must, may):
            return
        self.use(t, g, m)
        expected = sorted((p.topic, p.number) for (group, p) in self.owner if group == g and self.owned(s, g, m, p)
                          and self.topic(t, p.topic) and p in self.topic(t, p.topic).parts)
        check(sorted(rows) == expected, 'heartbeat() says %s; owned are %s', sorted(rows), expected)

    def reset_offsets(self, s, g, name, target, dry_run, code, rows, seen):
        t, must, may = self.trouble(s, g, None, (name,))
        topic = self.topic(t, name)
        if self.members.get(g) and not dry_run:
            must.add('KS068')
        if not must and not dry_run and topic:
            busy = ''.join(self.is_busy(s, g, p) for p in topic.parts)
            (must if 'must' in busy else may).update({'55006'} if busy else ())
        self.see(seen)
        if not self.judge(s, code, must, may):
            return
        self.use(t, g, None)
        check(len(rows) in (len(topic.parts), t.counts.get(name)), 'reset_offsets() gave %d rows', len(rows))
        for (_, number, old, new), part in zip(sorted(rows), topic.parts):
            before = self.committed(t, g, part)
            check(old in before if before is not None else old is None,
                  '%s: reset_offsets() says the offset was %s; it was %s', part, old, before)
            at = part.start if old is None else old
            wanted = {'earliest': part.start, 'latest': part.end}.get(target)
            if wanted is None:
                wanted = min(max(int(target) + (at if target[0] in '+-' else 0), part.start), part.end)
            check(new == wanted, '%s: reset_offsets() to %s gives %s; expected %s', part, target, new, wanted)
            if not dry_run:
                self.gens += 1
                self.write(t, g, part, Row(frozenset({new}), self.gens))

    def prepare(self, s, code):
        t = self.tx[s]
        if t.state.used or t.state.produced or t.state.topics:
            check(code == '0A000', 'PREPARE TRANSACTION: %s; expected 0A000', code or 'no error')
        else:
            check(code in ('', '0A000') if t.ever_used or t.ddl else code == '', 'PREPARE TRANSACTION failed with %s', code)
        self.rollback(s)

    def look(self, offsets):
        """The view of committed offsets, at any time."""
        expected = {(g, p.topic, p.number): (g, p) for (g, p), row in self.rows.items() if row.offset is not None}
        got = {(g, topic, number): offset for g, topic, number, offset in offsets}
        check(set(got) == set(expected), 'committed offsets of %s; expected of %s', sorted(got), sorted(expected))
        for k, offset in got.items():
            row = self.rows[expected[k]]
            check(offset in row.offset, 'committed offset of %s is %d; expected %s', k, offset, sorted(row.offset))
            self.rows[expected[k]] = row._replace(offset=frozenset({offset}))
