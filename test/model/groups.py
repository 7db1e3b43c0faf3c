#!/usr/bin/env python3
"""Random histories of consumer groups, one call at a time, against group_model.py.

A run is a list of steps, which a seed makes: sessions take turns, each inside or
outside of transactions.  The first answer that the model does not allow ends the
run; then delta debugging looks for the shortest list that still fails in the
same way, and prints it.  `--replay FILE` runs such a list again.

test/model/groups.py
"""
import json
import os
import random
import sys
import time

from common import Session, Wrong, arguments, check, finish, guarded, kind_of, restart, shortest, start_server
from group_model import Model
from group_state import READ_COMMITTED, Partition, Row, Topic

CONF = """
kstream.max_groups = 10
kstream.max_group_members = 24
kstream.max_group_subscriptions = 40
kstream.max_group_partitions = 90
"""
SETUP = """
CREATE ROLE stranger;
CREATE FUNCTION in_block(query text, fails bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    BEGIN
        EXECUTE 'SELECT coalesce(json_agg(q)::text, ''[]'') FROM (' || query || ') q' INTO result;
        IF fails THEN RAISE 'undo'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    RETURN result;
END $$;
"""
WATCH = """
SELECT json_build_object(
    'members', (SELECT coalesce(json_agg(json_build_array(group_id, member, pid)), '[]') FROM kstream.members),
    'owned', (SELECT coalesce(json_agg(json_build_array(group_id, topic_id, partition, member)), '[]')
              FROM kstream.group_shares() WHERE member IS NOT NULL),
    'offsets', (SELECT coalesce(json_agg(json_build_array(group_id, topic, partition, "offset")), '[]')
                FROM kstream.committed_offsets),
    'groups', (SELECT count(*) FROM kstream.groups))
"""
LAG = 'SELECT count(*), sum(records), sum(seconds) FROM kstream.lag'
ORPHANS = """
SELECT 'offset row of a group that does not exist: ' || group_id FROM kstream.committed_offset o
WHERE NOT EXISTS (SELECT FROM kstream.consumer_group g WHERE g.group_id = o.group_id)
UNION ALL SELECT 'offset row of a topic that does not exist: ' || group_id FROM kstream.committed_offset o
WHERE NOT EXISTS (SELECT FROM kstream.topic t WHERE t.topic_id = o.topic_id)
"""
SESSIONS, GROUPS, TOPICS, NAMES = ('A', 'B', 'C'), ('g', 'h', 'l', 'n'), ('t', 'u'), ('x', 'y')
RESET = {'g': 'earliest', 'h': 'earliest', 'l': 'latest', 'n': 'none'}
FORMS = ('plain',) * 6 + ('block', 'undone', 'cursor')
FIELDS = {'poll': ('topic', 'partition', 'offset', 'value'), 'commit': ('topic', 'partition', 'offset'),
          'heartbeat': ('topic', 'partition')}


def make_steps(seed, count):
    """What a seed does; blind, so that any part of it can be done as well."""
    r = random.Random(seed)
    groups = r.sample(GROUPS, r.randint(1, 3))
    topics = TOPICS[:r.randint(1, 2)]
    stable = r.random() < 0.4           # topics neither come nor go, and there is more of the rest
    steps = [['produce', None, topic, p, r.randint(1, 10)] for topic in topics for p in (0, 1) if r.random() < 0.8]

    last = [None]

    def who():
        if last[0] is None or r.random() < 0.5:     # often who called last calls again
            last[0] = r.choice(SESSIONS), r.choice(groups), r.choice((None, 'x', 'x', 'y'))
        elif r.random() < 0.3:
            last[0] = (r.choice(SESSIONS),) + last[0][1:]
        return last[0]

    def session():
        return last[0][0] if last[0] and r.random() < 0.6 else r.choice(SESSIONS)

    def poll():
        s, g, m = who()
        commit = r.random() < 0.4
        return ['poll', s, g, m, r.choice((None, topics[:1], list(topics), list(topics))),
                r.choice((1, 2, 3, 500, 500)), r.random() < 0.1, commit, r.choice(FORMS + ('timed',))]

    def transaction():
        return [r.choice(('commit', 'commit', 'commit', 'rollback', 'prepare')), session()]

    def offset_call(kind):
        s, g, m = who()
        if kind == 'commit_offset' and r.random() < 0.3:
            m = None
        return [kind, s, g, r.choice(topics), r.choice((0, 0, 1, 1, 2)), r.randint(0, 14), m, r.choice(FORMS)]

    def produce():
        return ['produce', r.choice((None, None) + SESSIONS), r.choice(topics), r.choice((0, 1, 1, 2)), r.randint(1, 6)]

    kinds = (
        (24, poll), (12, produce), (10, transaction),
        (8, lambda: ['begin', session(), r.choice((READ_COMMITTED,) * 3 + ('REPEATABLE READ', 'SERIALIZABLE'))]),
        (7, lambda: ['commit_polled', *who(), r.choice(FORMS)]),
        (5, lambda: offset_call('commit_offset')), (4, lambda: offset_call('seek')),
        (5, lambda: [r.choice(('savepoint', 'rollback_to', 'release')), session()]),
        (4, lambda: ['heartbeat', *who(), r.choice(FORMS)]),
        (4, lambda: ['subscribe', *who(), r.choice((topics[:1], list(topics))), r.choice(FORMS)]),
        (4, lambda: ['unsubscribe', *who(), r.choice(FORMS)]),
        (4, lambda: ['reset', r.choice(SESSIONS), r.choice(groups), r.choice(topics),
                     r.choice(('earliest', 'latest', '3', '+2', '-1')), r.random() < 0.2, r.choice(FORMS)]),
        (2, lambda: ['lapse', r.choice(groups)]),
        (2, lambda: ['private', r.choice(SESSIONS), r.choice((None, topics[:1], list(topics))), r.choice((1, 500))]),
        (1, lambda: ['empty', r.choice(groups)]),
        (1, lambda: ['stranger', r.choice(groups)]),
        (1, lambda: [r.choice(('kill', 'reconnect')), r.choice(SESSIONS)]),
        (0.2, lambda: ['turn', r.choice(groups)]),
        (0.2, lambda: ['two_groups', r.choice(topics)]),
        (0.2, lambda: ['dropped_meanwhile', r.choice(topics)]),
        (0.1, lambda: ['crash']),
        (0 if stable else 2, lambda: ['add_partitions', session(), r.choice(topics), r.choice((3, 4))]),
        (0 if stable else 1, lambda: [r.choice(('drop_topic', 'create_topic', 'create_topic')), r.choice(SESSIONS), r.choice(topics)]),
    )
    weights = [k[0] for k in kinds]
    while len(steps) < count:
        steps.append(r.choices(kinds, weights)[0][1]())
    return steps


class Run:
    """One run's world: topics and groups of its own, named after the run."""
    number = 0

    def __init__(self, server):
        Run.number += 1
        self.server, self.prefix = server, 'r%d_' % Run.number
        self.model, self.values, self.crossed = Model(), 0, False
        self.watcher = Session(server, 'watcher', "SET statement_timeout = '20 s'")
        self.sessions = {}
        for s in SESSIONS:
            self.connect(s)
        for t in TOPICS:
            self.create(self.watcher, t)
            self.model.registry.update({(p.topic_id, p.number): p for p in self.made.parts})
            self.model.topics[self.made.parts[0].topic] = self.made
        for g in GROUPS:
            self.make_group(g)

    def make_group(self, g):
        self.watcher.rows('SELECT kstream.create_group(%s, %s)', (self.prefix + g, json.dumps({'auto_offset_reset': RESET[g]})))
        self.model.resets[self.prefix + g] = RESET[g]

    def connect(self, s):
        self.sessions[s] = Session(self.server, 'session ' + s, "SET statement_timeout = '20 s'; SET lock_timeout = '100 ms'")
        self.model.pids[s] = self.sessions[s].pid

    def create(self, session, t, count=2):
        code, _ = session.run('SELECT kstream.create_topic(%s, %s)', (self.prefix + t, count))
        self.made = None
        if code == '':
            (topic_id,), = session.rows('SELECT topic_id FROM kstream.topic WHERE topic = %s', (self.prefix + t,))
            self.made = Topic(topic_id, tuple(Partition(self.prefix + t, topic_id, n) for n in range(count)))
        return code

    # ---- what is seen

    def look(self):
        (seen,), = self.watcher.rows(WATCH)

        def label(member):
            return ('pid', int(member.split('-')[1])) if member.startswith('session-') else ('name', member)
        return {'members': [(g, label(m)) for g, m, _ in seen['members'] if g.startswith(self.prefix)],
                'owned': [(g, t, p, label(m)) for g, t, p, m in seen['owned'] if g.startswith(self.prefix)],
                'offsets': [row for row in seen['offsets'] if row[0].startswith(self.prefix)]}

    def look_on(self):
        seen = self.look()
        self.model.see(seen)
        self.model.look(seen['offsets'])
        if not any(t.ddl for t in self.model.tx.values() if t):     # it waits for a topic that is being dropped
            self.watcher.rows(LAG)

    # ---- calls

    def execute(self, s, form, function, sql, args):
        """(SQLSTATE, rows) of a call in one of its forms."""
        session, t = self.sessions[s], self.model.tx[s]
        text = session.connection.cursor().mogrify(sql, args).decode()
        fields = FIELDS.get(function)
        if form in ('block', 'undone'):
            code, rows = session.run('SELECT in_block(%s, %s)', (text, form == 'undone'))
            return code, [tuple(r[f] for f in fields or r) for r in json.loads(rows[0][0])] if rows else []
        if form == 'cursor' and t.explicit:
            code, _ = session.run('DECLARE c CURSOR FOR ' + text)
            code, rows = session.run('FETCH ALL FROM c') if code == '' else (code, [])
            if code == '':
                session.run('CLOSE c')
            return code, rows
        return session.run(text)

    def call(self, s, form, judge, function, sql, args, **more):
        """A call by a session: in its transaction, or in one of its own."""
        model = self.model
        own = model.tx.get(s) is None
        t = model.begin(s, explicit=False) if own else model.tx[s]
        code, rows = self.execute(s, form, function, sql, args)
        if t.failed:
            check(code == '25P02', '%s in a failed transaction: %s', function, code or 'no error')
            return
        undone = form == 'undone' and code == ''
        if undone:
            model.save(s)
        judge(code=code, rows=rows, seen=self.look(), **more)
        if undone and model.tx[s]:
            model.back_to(s)
            model.release(s)
        if own and model.tx[s]:
            model.commit(s, '')

    def poll(self, s, g, m, topics, limit, small, commit, form):
        g, timed = self.prefix + g, form == 'timed'
        names = topics and [self.prefix + t for t in topics]
        if timed:
            if self.model.tx.get(s):
                return
            self.sessions[s].rows("SET statement_timeout = '30 ms'")
        self.call(s, form, lambda **k: self.model.poll(s, g, m, names, limit, small, commit, timed=timed, **k), 'poll',
                  'SELECT topic, partition, "offset", kstream.text(value) AS value FROM kstream.poll(%s, %s, %s, max_records => %s,'
                  ' max_bytes => %s, max_wait => %s, commit => %s)',
                  (g, names, m, limit, 1 if small else 50000000, '1 s' if timed else '0', commit))
        if timed:
            self.sessions[s].rows("SET statement_timeout = '20 s'")

    def commit_polled(self, s, g, m, form):
        g = self.prefix + g
        self.call(s, form, lambda **k: self.model.commit_polled(s, g, m, **k), 'commit', 'SELECT * FROM kstream.commit(%s, %s)', (g, m))

    def commit_offset(self, s, g, t, p, offset, m, form):
        g, t = self.prefix + g, self.prefix + t
        self.call(s, form, lambda **k: self.model.commit_offset(s, g, t, p, offset, m, **k), 'commit_offset',
                  'SELECT kstream.commit(%s, %s, %s, %s, %s)', (g, t, p, offset, m))

    def seek(self, s, g, t, p, offset, m, form):
        g, t = self.prefix + g, self.prefix + t
        self.call(s, form, lambda **k: self.model.seek(s, g, t, p, offset, m, **k), 'seek',
                  'SELECT kstream.seek(%s, %s, %s, %s, %s)', (g, t, p, offset, m))

    def subscribe(self, s, g, m, topics, form):
        g, names = self.prefix + g, [self.prefix + t for t in topics]
        self.call(s, form, lambda **k: self.model.subscribe(s, g, names, m, **k), 'subscribe',
                  'SELECT kstream.subscribe(%s, %s, %s)', (g, names, m))

    def unsubscribe(self, s, g, m, form):
        g = self.prefix + g
        self.call(s, form, lambda **k: self.model.unsubscribe(s, g, m, **k), 'unsubscribe', 'SELECT kstream.unsubscribe(%s, %s)', (g, m))

    def heartbeat(self, s, g, m, form):
        g = self.prefix + g
        self.call(s, form, lambda **k: self.model.heartbeat(s, g, m, **k), 'heartbeat', 'SELECT * FROM kstream.heartbeat(%s, %s)', (g, m))

    def reset(self, s, g, t, target, dry_run, form):
        g, t = self.prefix + g, self.prefix + t
        self.call(s, form, lambda **k: self.model.reset_offsets(s, g, t, target, dry_run, **k), 'reset',
                  'SELECT * FROM kstream.reset_offsets(%s, %s, %s::text, dry_run => %s)', (g, t, target, dry_run))

    def stranger(self, g):
        """Somebody without rights gets nothing and changes nothing."""
        session = Session(self.server, 'stranger', 'SET ROLE stranger')
        for sql in ("poll(%s, '{" + self.prefix + "t}')", 'commit(%s)', 'heartbeat(%s)', 'unsubscribe(%s)', 'drop_group(%s)',
                    "alter_group(%s, '{}')", "subscribe(%s, '{" + self.prefix + "t}')"):
            code, _ = session.run('SELECT kstream.' + sql, (self.prefix + g,))
            check(code in ('42501', '42704'), 'a stranger: %s: %s', sql, code or 'no error')
        session.close()

    def private(self, s, topics, limit):
        """Without a group: what was produced since this session's first look, again after a rollback; all of a partition
        that was added after it."""
        model, session = self.model, self.sessions[s]
        if model.tx.get(s) or any(t.ddl for t in model.others(s)):
            return
        names = [self.prefix + t for t in topics or TOPICS[:1]]
        known = model.private.setdefault(s, {})
        session.run('BEGIN')
        code, rows = session.run('SELECT topic, partition, "offset" FROM kstream.poll(NULL, %s, max_records => %s, max_wait => \'0\')', (names, limit))
        commit = limit == 1
        session.run('COMMIT' if commit else 'ROLLBACK')
        parts = [p for n in names if n in model.topics for p in model.topics[n].parts]
        if code:
            check(code == '42704' and any(n not in model.topics for n in names), 'private poll: %s', code)
            return
        for p in parts:
            first_look = known.setdefault(p.topic_id, len(model.topics[p.topic].parts))
            at = known.setdefault(p, p.end if p.number < first_look else 0)
            got = [offset for topic, number, offset in rows if (topic, number) == (p.topic, p.number)]
            check(got == list(range(at, at + len(got))), '%s: private poll read %s; expected from %d on', p, got, at)
            check(len(rows) == limit or at + len(got) == p.end, '%s: private poll stopped at %d of %d', p, at + len(got), p.end)
            known[p] += len(got) if commit else 0

    # ---- transactions

    def begin(self, s, isolation):
        if not self.model.tx.get(s):
            self.sessions[s].rows('BEGIN ISOLATION LEVEL ' + isolation)
            self.model.begin(s, isolation)

    def commit(self, s):
        if self.model.tx.get(s):
            code, _ = self.sessions[s].run('COMMIT')
            self.model.commit(s, code)

    def rollback(self, s):
        if self.model.tx.get(s):
            self.sessions[s].rows('ROLLBACK')
            self.model.rollback(s)

    def prepare(self, s):
        t = self.model.tx.get(s)
        if not t or t.failed:
            return
        code, _ = self.sessions[s].run("PREPARE TRANSACTION '%s'" % s)
        if code == '':
            self.sessions[s].rows("ROLLBACK PREPARED '%s'" % s)
        self.model.prepare(s, code)

    def savepoint(self, s):
        t = self.model.tx.get(s)
        if t and not t.failed:
            self.sessions[s].rows('SAVEPOINT s')
            self.model.save(s)

    def rollback_to(self, s):
        t = self.model.tx.get(s)
        if t and t.saves:
            self.sessions[s].rows('ROLLBACK TO s')
            self.model.back_to(s)

    def release(self, s):
        t = self.model.tx.get(s)
        if t and t.saves and not t.failed:
            self.sessions[s].rows('RELEASE s')
            self.model.release(s)

    def kill(self, s):
        self.watcher.rows('SELECT pg_terminate_backend(%s, 10000)', (self.sessions[s].pid,))
        self.reconnect(s)

    def reconnect(self, s):
        self.sessions[s].close()
        self.model.gone(s)
        self.model.see(self.look())
        self.connect(s)

    def crash(self):
        restart(self.server)
        self.model.crash()
        self.watcher.connect()
        for s in SESSIONS:
            self.connect(s)

    # ---- the world

    def produce(self, s, t, p, count):
        model, t = self.model, self.prefix + t
        if s and (not model.tx.get(s) or model.tx[s].failed or model.tx[s].isolation != READ_COMMITTED):
            s = None
        if any(o.ddl for o in model.others(s)):
            return
        topic = model.topic(model.tx[s] if s else None, t)
        if topic is None or p >= len(topic.parts):
            return
        values = [self.values + i for i in range(count)]
        self.values += count
        values = ['v%d' % v for v in values]
        session = self.sessions[s] if s else self.watcher
        session.rows('SELECT kstream.produce(%s, NULL::text, v, partition => %s) FROM unnest(%s) v', (t, p, values))
        if s:
            model.tx[s].state.produced.append((topic.parts[p], values))
        else:
            topic.parts[p].log.extend(values)

    def ddl(self, s, t, act):
        """Make, change or drop a topic: one session at a time, and only if it waits for nobody."""
        model = self.model
        own = model.tx.get(s) is None
        tx = model.begin(s, explicit=False) if own else model.tx[s]
        if tx.failed or tx.isolation != READ_COMMITTED or any(o.ddl for o in model.others(s)):
            if own:
                model.rollback(s)
            return
        tx.ddl.add(self.prefix + t)
        code, topic = act(self.sessions[s], model.topic(tx, self.prefix + t))
        if code:
            check(code in ('55P03', '42704', '42710', '55006'), 'a change of a topic failed: %s %s', code, self.sessions[s].message)
            model.fail(s)
            return
        tx.state.topics[self.prefix + t] = topic
        if topic:
            model.registry.update({(p.topic_id, p.number): p for p in topic.parts})
        if own:
            model.commit(s, '')

    def add_partitions(self, s, t, count):
        def act(session, topic):
            code, _ = session.run('SELECT kstream.add_partitions(%s, %s)', (self.prefix + t, count))
            more = [Partition(self.prefix + t, topic.id, n) for n in range(len(topic.parts), count)]
            if code == '':
                # somebody looks
                session.rows('SELECT count(*) FROM kstream_topic.%s' % (self.prefix + t))
            return code, Topic(topic.id, topic.parts + tuple(more))
        topic = self.model.topic(self.model.tx.get(s), self.prefix + t)
        if topic and len(topic.parts) < count:
            self.ddl(s, t, act)

    def drop_topic(self, s, t):
        # who has an offset row of the topic that is not committed may leave it behind
        self.crossed = self.crossed or bool(self.model.others(s))
        self.ddl(s, t, lambda session, topic: (session.run('SELECT kstream.drop_topic(%s)', (self.prefix + t,))[0], None))

    def create_topic(self, s, t):
        self.ddl(s, t, lambda session, topic: (self.create(session, t), self.made))

    def lapse(self, g):
        """Who did not poll in time is set aside."""
        name = self.prefix + g
        if self.model.members.get(name) and self.prefix + 't' in self.model.topics:
            code, _ = self.watcher.run('SELECT kstream.alter_group(%s, \'{"max_poll_interval": "1 ms"}\')', (name,))
            time.sleep(0.004)
            if code == '':
                self.model.see(self.look())
                others = Session(self.server, 'looks')
                others.run('SELECT kstream.reset_offsets(%s, %s, \'latest\'::text)', (name, self.prefix + 't'))
                others.close()
                self.watcher.rows('SELECT kstream.alter_group(%s, \'{"max_poll_interval": null}\')', (name,))

    def empty(self, g):
        """An operator puts the names out; sessions stay."""
        for m in NAMES:
            code, _ = self.watcher.run('SELECT kstream.unsubscribe(%s, %s)', (self.prefix + g, m))
            check(code in ('', '42704', '55006'), 'unsubscribe by an operator: %s', code)
        self.model.see(self.look())

    def quiet(self):
        return not any(self.model.tx.values())

    def turn(self, g):
        """Pools and lambdas: each poll has a new connection; every partition must have its turn."""
        g = self.prefix + g
        self.in_turn([(g, 'lambda')], fresh=True, topic=self.prefix + 't')

    def two_groups(self, t):
        """A backend that polls two groups in turn."""
        self.in_turn([(self.prefix + 'p1', None), (self.prefix + 'p2', None)], fresh=False, topic=self.prefix + t)

    def in_turn(self, consumers, fresh, topic):
        model = self.model
        if not self.quiet() or topic not in model.topics or any(model.members.get(g) for g, _ in consumers):
            return
        if any(model.resets.get(g) in ('latest', 'none') for g, _ in consumers):
            return
        parts = model.topics[topic].parts
        behind = {}
        for g, _ in consumers:
            for part in parts:
                row = model.rows.get((g, part))
                at = max(row.offset) if row and row.offset else 0
                while part.end - at < 40:
                    self.produce(None, topic[len(self.prefix):], part.number, 40)
                behind[g, part.number] = True
        session = Session(self.server, 'lambda')
        for _ in range(8 * len(parts) + 12):
            for g, m in consumers:
                code, rows = session.run("SELECT partition FROM kstream.poll(%s, %s, %s, max_records => 1, max_wait => '0', commit => true)",
                                         (g, [topic], m))
                check(code == '', 'poll in turn: %s %s', code, session.message)
                behind.pop((g, rows[0][0]), None) if rows else None
            if fresh:
                session.close()
                session.connect()
        session.close()
        for g, m in consumers:
            if m:
                self.watcher.rows('SELECT kstream.unsubscribe(%s, %s)', (g, m))
        check(not behind, 'starved: partitions %s are never read', sorted(n for _, n in behind))
        self.adopt([g for g, _ in consumers])

    def adopt(self, groups):
        """The model learns of offsets that were committed aside."""
        seen = self.look()
        self.model.see(seen)
        for g, topic, number, offset in seen['offsets']:
            if g in groups:
                part = self.model.topics[topic].parts[number]
                self.model.gens += 1
                self.model.rows[g, part] = Row(frozenset({offset}), self.model.gens)
                self.model.versions[g, part] = self.model.versions.get((g, part), 0) + 1
                self.model.kept.add((g, part))
                self.model.facts.setdefault((g, part), frozenset({0}))
                self.model.first.setdefault((g, part.topic_id), len(self.model.topics[topic].parts))

    def dropped_meanwhile(self, t):
        """A group is dropped while another session uses it for the first time."""
        if not self.quiet() or self.prefix + t not in self.model.topics:
            return
        g = self.prefix + 'd%d' % self.values
        one, two = Session(self.server, 'one'), Session(self.server, 'two', "SET lock_timeout = '100 ms'")
        self.watcher.rows('SELECT kstream.create_group(%s)', (g,))
        one.rows('BEGIN')
        one.rows('SELECT kstream.drop_group(%s)', (g,))
        code, _ = two.run("SELECT FROM kstream.poll(%s, %s, max_wait => '0', commit => true)", (g, [self.prefix + t]))
        check(code in ('', '55P03', '40001', '55006', '42704'), 'poll of a group that is being dropped: %s', code)
        code, _ = one.run('COMMIT')
        check(code in ('', '40001', 'KS068'), 'COMMIT of drop_group(): %s', code)
        one.close()
        two.close()
        self.no_orphans()
        code, _ = self.watcher.run('SELECT kstream.drop_group(%s)', (g,))
        check(code in ('', '42704'), 'drop_group(): %s', code)

    def no_orphans(self):
        orphans = [row for row in self.watcher.rows(ORPHANS) if not self.crossed or 'a topic' not in row[0]]
        check(not orphans, '%s', orphans[:1] and orphans[0][0])

    # ---- beginning and end

    def drain(self):
        """Afterwards every group comes to the end, once all members are gone."""
        for s in SESSIONS:
            self.rollback(s)
        for s in SESSIONS:
            self.reconnect(s)
        for g in GROUPS:
            self.empty(g)
        self.look_on()
        check(not any(self.model.members.values()), 'members are left: %s', self.model.members)
        topics = [t for t in TOPICS if self.prefix + t in self.model.topics]
        for g in GROUPS:
            if topics and RESET[g] != 'none':
                for _ in range(2):
                    self.poll('A', g, None, topics, 100000, False, True, 'plain')
                    self.look_on()
                self.unsubscribe('A', g, None, 'plain')
        self.no_orphans()

    def remove(self):
        """Nothing of a run stays, whatever it came to."""
        for session in self.sessions.values():
            session.close()
        for name, in self.watcher.rows('SELECT group_id FROM kstream.groups WHERE starts_with(group_id, %s)', (self.prefix,)):
            for m in NAMES + ('lambda',):
                self.watcher.run('SELECT kstream.unsubscribe(%s, %s)', (name, m))
            self.watcher.run('SELECT kstream.drop_group(%s)', (name,))
        for name, in self.watcher.rows('SELECT topic FROM kstream.topics WHERE starts_with(topic, %s)', (self.prefix,)):
            self.watcher.run('SELECT kstream.drop_topic(%s)', (name,))
        self.watcher.run('DELETE FROM kstream.committed_offset')
        self.watcher.close()


def run(server, steps):
    """What was wrong, '' if nothing was; and the steps that did something."""
    world = Run(server)
    done = []
    try:
        for step in steps:
            calls = Session.calls
            try:
                getattr(world, step[0])(*step[1:])
            finally:
                if Session.calls > calls:
                    done.append(step)
            if Session.calls > calls:
                world.look_on()
        world.drain()
        return '', done
    except Wrong as wrong:
        return str(wrong).replace(world.prefix, ''), done
    finally:
        world.remove()


def pools(server):
    """How many members and groups there is room for."""
    watcher = Session(server, 'pools')
    watcher.rows("SELECT kstream.create_topic('pool', 9)")
    counts = {}
    for pool, sql in (('members', "SELECT kstream.subscribe('pool0', '{pool}', 'm%d')"),
                      ('partitions', "SELECT kstream.subscribe('pool%d', '{pool}', 'm0')")):
        count, code = 0, ''
        while code == '' and count < 100:
            code, _ = watcher.run(sql % count)
            count += 1
        check(code == '53400', 'filling the pool of %s ends with %s at %d', pool, code or 'no error', count)
        counts[pool] = count
        for i in range(100):
            watcher.run("SELECT kstream.unsubscribe(%s, %s)", ('pool0', 'm%d' % i))
        for i in range(count + 1):
            watcher.run("SELECT kstream.unsubscribe(%s, 'm0')", ('pool%d' % i,))
            watcher.run("SELECT kstream.drop_group(%s)", ('pool%d' % i,))
    watcher.rows("SELECT kstream.drop_topic('pool')")
    watcher.close()
    return counts


def replay(server, path):
    """What is wrong with the lists of steps in a file, which empty lines part."""
    found = []
    with open(path) as file:
        for text in file.read().split('\n\n'):
            lines = text.strip().split('\n')
            steps = [json.loads(line) for line in lines if line.strip().startswith('[')]
            wrong = run(server, steps)[0] if steps else ''
            if wrong:
                found.append('%s\n%s' % (wrong, '\n'.join(lines)))
    return found


def report(server, seed, steps, wrong, given):
    kind = kind_of(wrong)
    texts = {}

    def fails(less):
        text = run(server, less)[0]
        texts[len(less)] = text
        return kind_of(text) == kind
    steps = shortest(steps, fails, given.shrink) if given.shrink else steps
    lines = ['seed %d: %s' % (seed, wrong), 'shortest schedule (%s):' % (texts.get(len(steps)) or wrong)]
    return '\n'.join(lines + ['    ' + json.dumps(step) for step in steps])


def main():
    given = arguments(__doc__)
    server = start_server(given.out, CONF)
    guarded(server, lambda: explore(server, given))


def explore(server, given):
    session = Session(server)
    session.rows(SETUP)
    session.close()
    found = replay(server, given.replay or os.path.join(os.path.dirname(os.path.abspath(__file__)), 'known.steps'))
    if given.replay:
        sys.exit(finish(server, found, given))
    kinds, runs, steps = {}, 0, 0
    room = pools(server)
    until = time.monotonic() + given.seconds
    for seed in range(given.seed, given.seed + given.runs):
        if time.monotonic() > until or (found and not given.keep_going):
            break
        without = set(given.without.split(','))
        schedule = [step for step in make_steps(seed, given.steps) if not without & {w for w in step[:4] if isinstance(w, str)}]
        wrong, done = run(server, schedule)
        runs, steps = runs + 1, steps + len(done)
        if wrong:
            kind = kind_of(wrong)
            kinds.setdefault(kind, []).append(seed)
            if len(kinds[kind]) == 1:
                found.append(report(server, seed, done, wrong, given))
                print(found[-1], flush=True)
    try:
        after = pools(server)
        check(after == room, 'the pools had room for %s, and afterwards for %s', room, after)
    except Wrong as wrong:
        found.append(str(wrong))
    print('groups: %d runs, %d steps, seeds from %d, %d findings' % (runs, steps, given.seed, len(found)))
    for kind, seeds in kinds.items():
        print('%4d times, seeds %s: %s' % (len(seeds), seeds[:8], kind))
    sys.exit(finish(server, found, given))


if __name__ == '__main__':
    main()
