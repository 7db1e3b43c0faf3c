"""Transactions of a Kafka producer, as frames: the flow of transaction.version 1 (v1) and 2 (v2)."""
import struct

from raw import PRODUCE, Connection, batch, data, string  # noqa: F401

INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 22, 24, 25, 26, 28
DESCRIBE_TRANSACTIONS, LIST_TRANSACTIONS = 65, 66
TRANSACTIONAL = 0x10


def uvarint(n):
    out = b''
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def compact(text):
    value = text if isinstance(text, bytes) else text.encode()
    return uvarint(len(value) + 1) + value


def flexible(c, api, version, body):
    """Call with the new form of the header; the answer behind its header."""
    c.correlation += 1
    frame = struct.pack('>hhi', api, version, c.correlation) + string('raw') + b'\0' + body
    c.socket.sendall(struct.pack('>i', len(frame)) + frame)
    got, answer = c.receive()
    assert got == c.correlation, (got, c.correlation)
    return answer[1:]


class Producer:
    """One incarnation of a transactional producer."""

    def __init__(self, c, name, timeout=60000, v2=False):
        self.c, self.name, self.timeout, self.v2 = c, name, timeout, v2
        self.producer, self.epoch, self.sequences = -1, -1, {}

    def init(self, producer=-1, epoch=-1):
        """The error; takes the id and epoch that it was given."""
        body = compact(self.name) + struct.pack('>iqh', self.timeout, producer, epoch) + b'\0'
        answer = flexible(self.c, INIT_PRODUCER_ID, 4, body)
        _, error, producer, epoch = struct.unpack('>ihqh', answer[:16])
        if error == 0:
            self.producer, self.epoch, self.sequences = producer, epoch, {}
        return error

    def who(self):
        return string(self.name) + struct.pack('>qh', self.producer, self.epoch)

    def add(self, *partitions):
        """Errors of AddPartitionsToTxn for (topic, partition)."""
        body = self.who() + struct.pack('>i', len(partitions))
        for topic, partition in partitions:
            body += string(topic) + struct.pack('>ii', 1, partition)
        answer = self.c.call(ADD_PARTITIONS, 2, body)[8:]
        out = []
        for topic, _ in partitions:
            at = 2 + len(topic.encode()) + 4 + 4
            out.append(struct.unpack('>h', answer[at:at + 2])[0])
            answer = answer[at + 2:]
        return out[0] if len(out) == 1 else out

    def made(self, topic, partition, values, sequence=None, epoch=None, attributes=TRANSACTIONAL):
        """A batch, as the next one of the partition."""
        if sequence is None:
            sequence = self.sequences.get((topic, partition), 0)
            self.sequences[topic, partition] = sequence + len(values)
        return batch([(None, value.encode()) for value in values], producer=self.producer,
                     epoch=self.epoch if epoch is None else epoch, sequence=sequence, attributes=attributes)

    def body(self, topic, partition, made, acks=-1):
        """Produce 7, or what is the same of 3 to 8."""
        return string(self.name) + struct.pack('>hii', acks, 30000, 1) + string(topic) + struct.pack('>ii', 1, partition) + data(made)

    def send(self, topic, partition, made):
        """(error, offset) of a batch."""
        if not self.v2:
            return self.c.produce_answer(self.c.call(PRODUCE, 7, self.body(topic, partition, made)))[0][2:]
        body = compact(self.name) + struct.pack('>hi', -1, 30000) + uvarint(2) + compact(topic) + uvarint(2)
        body += struct.pack('>i', partition) + uvarint(len(made) + 1) + made + b'\0\0\0'
        answer = flexible(self.c, PRODUCE, 12, body)
        at = 1 + len(compact(topic)) + 1 + 4
        return struct.unpack('>hq', answer[at:at + 10])

    def produce(self, topic, partition, *values, **wrong):
        """The error; what is sent is the next batch."""
        return self.send(topic, partition, self.made(topic, partition, values, **wrong))[0]

    def end(self, commit, version=None):
        """The error of EndTxn; with transaction.version 2 the next epoch is taken."""
        if not self.v2 and version is None:
            return struct.unpack('>ih', self.c.call(END_TXN, 2, self.who() + bytes([commit])))[1]
        answer = flexible(self.c, END_TXN, 5, compact(self.name) + struct.pack('>qh', self.producer, self.epoch) + bytes([commit, 0]))
        _, error, producer, epoch = struct.unpack('>ihqh', answer[:16])
        if error == 0:
            self.producer, self.epoch, self.sequences = producer, epoch, {}
        return error

    def commit(self):
        return self.end(1)

    def abort(self):
        return self.end(0)

    def add_offsets(self, group):
        return struct.unpack('>ih', self.c.call(ADD_OFFSETS, 2, self.who() + string(group)))[1]

    def offsets(self, group, topic, partition, offset, metadata='m', member=None):
        """The error of TxnOffsetCommit; member: (generation, id) in the group."""
        if not self.v2 and member is None:
            body = string(self.name) + string(group) + struct.pack('>qh', self.producer, self.epoch) + struct.pack('>i', 1)
            body += string(topic) + struct.pack('>iiqi', 1, partition, offset, -1) + string(metadata)
            answer = self.c.call(TXN_OFFSET_COMMIT, 2, body)
        else:
            generation, name = member or (-1, '')
            body = compact(self.name) + compact(group) + struct.pack('>qhi', self.producer, self.epoch, generation) + compact(name) + b'\0'
            body += uvarint(2) + compact(topic) + uvarint(2) + struct.pack('>iqi', partition, offset, -1) + compact(metadata) + b'\0\0\0'
            answer = flexible(self.c, TXN_OFFSET_COMMIT, 5 if self.v2 else 3, body)[:-3]
        return struct.unpack('>h', answer[-2:])[0]


def transactions(c):
    """{id: state} of ListTransactions."""
    answer = flexible(c, LIST_TRANSACTIONS, 0, b'\1\1\0')
    assert struct.unpack('>ih', answer[:6])[1] == 0 and answer[6] == 1
    count, at, out = answer[7] - 1, 8, {}
    for _ in range(count):
        n = answer[at] - 1
        name = answer[at + 1:at + 1 + n].decode()
        at += 1 + n + 8
        n = answer[at] - 1
        out[name] = answer[at + 1:at + 1 + n].decode()
        at += 1 + n + 1
    return out


def described(c, name):
    """(error, state, [(topic, [partition])]) of DescribeTransactions, of few short names."""
    answer = flexible(c, DESCRIBE_TRANSACTIONS, 0, b'\2' + compact(name) + b'\0')[5:]
    (error,) = struct.unpack('>h', answer[:2])
    at = 2 + len(compact(name))
    n = answer[at] - 1
    state = answer[at + 1:at + 1 + n].decode()
    at += 1 + n + 4 + 8 + 8 + 2
    count, topics = answer[at] - 1, []
    at += 1
    for _ in range(count):
        n = answer[at] - 1
        topic = answer[at + 1:at + 1 + n].decode()
        at += 1 + n
        many = answer[at] - 1
        topics.append((topic, list(struct.unpack('>%di' % many, answer[at + 1:at + 1 + 4 * many]))))
        at += 1 + 4 * many + 1
    return error, state, topics
