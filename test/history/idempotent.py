"""Idempotent producers that speak Kafka's protocol.

Each numbers its batches by partition, sends several without waiting, and sends
again, unchanged and in order, whatever was not acknowledged: after an error, a
cut connection, or when it has had enough of waiting, also while the session
before may still be at work on the same batches.  So each batch that was sent is
in the log exactly once, in the order of its numbers, and whoever was acknowledged
is there for good.  Now and then a producer begins a new epoch, or asks for a new
id, or sends one more copy of a batch that was acknowledged, which must be told the
same offset.

A batch is a checker.Txn of its own.  Frames are those of test/kafka/raw.py.

test/history/idempotent.py
"""
import os
import sys
import time

import psycopg2

from checker import Txn, key_of
from workload import KEPT, PARTITIONS, TOPICS, Client

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'kafka'))
import raw  # noqa: E402

NAMES = ('k0', 'k1')
IN_FLIGHT = 5           # of a partition: so many batches are recognized
PATIENCE = 25           # seconds, after which a server that is not disturbed should have acknowledged all

SCHEMA = ''.join("""
CREATE ROLE %(name)s LOGIN PASSWORD 'secret';
GRANT INSERT ON %(topics)s TO %(name)s;
""" % {'name': name, 'topics': ', '.join('kstream_topic.' + topic for topic in TOPICS + (KEPT,))} for name in NAMES)

# What passes: timed out, too few replicas, not (yet) the leader, being made ready, storage, a debug point
PASSING = {7, 19, 20, 6, 14, 15, 56, -1}
# What follows from an earlier batch of the same partition that was not taken
OUT_OF_ORDER = 45

POINTS = ('kafka.appended=sleep:3', 'kafka.appended=sleep:20', 'kafka.appended=sleep:30', 'kafka.appended:3=error', 'kafka.appended:1=error,kafka.appended:1=error',
          'precommit.locked=sleep:1', 'precommit.reserved=sleep:2', 'precommit.written=sleep:2', 'precommit.written:2=error',
          'commit.before_dereg=sleep:2', 'commit.after_dereg=sleep:1', 'commit.before_wake=sleep:1')


class Batch:
    def __init__(self, txn, place, content, sequence):
        self.txn, self.place, self.content, self.sequence = txn, place, content, sequence


class Producer(Client):
    def __init__(self, run, name):
        super().__init__(run, name)
        self.kafka = None
        self.spare = None       # a connection to go on with while the session before is still at work
        self.acks = -1
        self.producer = self.epoch = None
        self.next = {}          # place -> sequence
        self.open = []          # batches that are not acknowledged, in order
        self.made = []          # what is not noted: with those that were acknowledged since
        self.kept = {}          # place -> the last one that was
        self.since = None       # when writing was over
        self.ended = False

    # ---- the connection

    def connect(self):
        while self.kafka is None:
            try:
                self.perturb()
                self.kafka = self.log_in()
                if self.random.random() < 0.5:
                    self.spare = self.log_in()
                # What a failover loses must not have been acknowledged.
                self.acks = -1 if self.run.replicated else self.random.choice((1, -1))
                if self.producer is None:
                    self.producer, self.epoch = self.kafka.init_producer_id()
            except (OSError, EOFError, AssertionError, raw.Refused):
                self.disconnect()
                if self.run.over.is_set():
                    raise
                time.sleep(0.05)

    def log_in(self):
        kafka = raw.Connection(self.run.kafka_port(), timeout=10, client='history ' + self.name)
        kafka.call(raw.API_VERSIONS, 0)
        kafka.authenticate(self.name, 'secret')
        kafka.socket.settimeout(self.random.choice((0.02, 0.1, 0.5, 3, 30)))
        return kafka

    def perturb(self):
        """The next session meets another race."""
        if not self.run.perturb or self.random.random() < 0.5:
            return
        point = self.random.choice(POINTS) if self.random.random() < self.run.perturb else ''
        try:
            with psycopg2.connect(self.run.primary()) as sql:
                sql.cursor().execute('ALTER ROLE %s SET kstream.debug_point = %%s' % self.name, (point,))
            sql.close()
        except psycopg2.Error:
            pass

    def disconnect(self):
        if self.kafka is not None:
            self.kafka.close()
        self.kafka, self.spare = self.spare, None

    # ---- batches

    def make(self):
        topic = KEPT if self.random.random() < 0.1 else self.random.choice(TOPICS)
        partition = min(int(self.random.expovariate(1.2)), PARTITIONS - 1)
        place = '%s/%d' % (topic, partition)
        if sum(batch.place == place for batch in self.open) >= IN_FLIGHT:
            return
        txn = self.begin(None)
        txn.process = '%s' % self.name
        txn.retried, txn.outcome, txn.error = True, 'info', 'never acknowledged'
        records = []
        for _ in range(self.random.choice((1, 1, 2, 5, 20))):
            value = self.value()
            txn.writes.append([place, value])
            padding = 'x' * int(self.random.expovariate(1 / 100))
            records.append((key_of(value).encode() if topic == KEPT else None, ('%s %s' % (value, padding)).encode()))
        sequence = self.next.get(place, 0)
        self.next[place] = sequence + len(records)
        self.open.append(Batch(txn, place, raw.batch(
            records, producer=self.producer, epoch=self.epoch, sequence=sequence, time=-1), sequence))
        self.made.append(txn)

    def frames(self):
        """What is open, in order, in frames of one to three batches of different partitions."""
        rest = list(self.open)
        while rest:
            frame = [rest.pop(0)]
            while rest and self.random.random() < 0.4 and rest[0].place not in [batch.place for batch in frame]:
                frame.append(rest.pop(0))
            yield frame

    def body(self, frame):
        return self.kafka.produce_body([self.entry(batch) for batch in frame], self.acks, self.random.choice((300, 30000)))

    @staticmethod
    def entry(batch):
        topic, partition = batch.place.split('/')
        return topic, int(partition), batch.content

    # ---- a round

    def work(self):
        if self.since is None:
            for _ in range(self.random.randint(1, 6)):
                self.make()
        elif time.monotonic() > self.since + PATIENCE:
            self.note({'finding': 'stalled', 'text': '%s waits for the acknowledgement of %d batches' % (self.name, len(self.open))})
            self.end()
        frames = list(self.frames())
        now = time.monotonic()
        for batch in self.open:
            batch.txn.sent = batch.txn.sent or now
        piece = b''.join(self.kafka.frame(raw.PRODUCE, 7, self.body(frame)) for frame in frames)
        if self.random.random() < 0.03:
            return self.cut(piece)
        self.kafka.socket.sendall(piece)
        if self.random.random() < 0.03:
            time.sleep(self.random.random() * 0.01)
            return self.disconnect()
        bad = set()
        for frame in frames:
            answer = self.kafka.produce_answer(self.kafka.receive()[1])
            for batch, (_, _, error, base) in zip(frame, answer):
                if not self.ended:
                    self.answered(batch, error, base, bad)
        if not self.open:
            self.tell()
        if bad:
            time.sleep(0.01)
        elif not self.open and self.random.random() < 0.05:
            self.random.choice((self.raise_epoch, self.renew, self.repeat, self.repeat))()

    def cut(self, piece):
        """Of what was to be sent some bytes alone come through."""
        self.kafka.socket.sendall(piece[:self.random.randint(0, len(piece))])
        self.disconnect()

    def answered(self, batch, error, base, bad):
        # Behind an error this may be so: the session before has stored both meanwhile.
        if error == 0:
            batch.txn.outcome, batch.txn.error, batch.txn.acked = 'ok', None, time.monotonic()
            batch.txn.offsets = {batch.place: base}
            self.open.remove(batch)
            self.kept[batch.place] = (batch, base)
            return
        if not (error in PASSING or error == OUT_OF_ORDER and batch.place in bad):
            self.note({'finding': 'refused', 'text': '%s sent the batch of sequence %d of producer %d to %s and got error %d' % (
                batch.txn.name, batch.sequence, self.producer, batch.place, error)})
            self.end()
        bad.add(batch.place)

    def end(self):
        """Nothing can be said of what comes next."""
        self.tell()
        self.open = []
        self.ended = True

    def tell(self):
        """In the order in which they were made, which is that of their sequences."""
        for txn in self.made:
            self.note(txn.as_dict())
        self.made = []

    # ---- between rounds, when all is acknowledged

    def raise_epoch(self):
        self.epoch += 1
        self.next, self.kept = {}, {}

    def renew(self):
        self.producer, self.epoch = self.kafka.init_producer_id()
        self.next, self.kept = {}, {}

    def repeat(self):
        """One more copy of what was acknowledged."""
        if not self.kept:
            return
        batch, base = self.random.choice(sorted(self.kept.items()))[1]
        (_, _, error, again), = self.kafka.produce_answer(self.kafka.call(
            raw.PRODUCE, 7, self.kafka.produce_body([self.entry(batch)], self.acks)))
        if error not in PASSING and (error, again) != (0, base):
            self.note({'finding': 'duplicate', 'text': 'a copy of %s, which is at %s@%d, got error %d, offset %d' % (
                batch.txn.name, batch.place, base, error, again)})

    def stopped(self):
        if self.run.writing_over.is_set():
            self.since = self.since or time.monotonic()
            return self.ended or not self.open or self.run.over.is_set()
        return self.ended

    def main(self):
        with open(os.path.join(self.run.directory, 'client-%s.jsonl' % self.name), 'w') as self.file:
            try:
                while not self.stopped():
                    try:
                        self.connect()
                        self.work()
                    except (OSError, EOFError):
                        self.disconnect()
            finally:
                self.end()
                self.disconnect()
                self.disconnect()


def clients(run):
    return [Producer(run, name) for name in NAMES]
